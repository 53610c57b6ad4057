"""CRC-32C (Castagnoli) of large buffers by NumPy alone, hundreds of megabytes per second. Knows no files, no formats.

What a message leaves in the register is linear in its bits. So the message is laid out in rows: all columns of a row
are advanced over the next row at once by a table, and at the end columns are added in pairs, the left half of them
first advanced over the right half.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]

POLYNOMIAL = 0x82F63B78
"""Castagnoli's polynomial, lowest bit first."""

START = 0x641F6454
"""The word that takes an empty register to all ones, where every message starts."""

MASK_DELTA = 0xA282EAD8
"""What TensorFlow adds to a turned checksum before it stores it."""

MOST_COLUMNS = 15
"""Binary logarithm of the words in a row: 128 kB, so that a row and its tables stay in the processor's cache."""


def crc32c(message: bytes | bytearray | memoryview) -> int:
    """Return the checksum of a message.

    Example:
        >>> hex(crc32c(b"123456789"))
        '0xe3069283'
    """
    size = len(message)
    columns = min(MOST_COLUMNS, (size // 4 + 1).bit_length())
    row_bytes = 4 << columns
    padded = np.zeros(-(-(size + 4) // row_bytes) * row_bytes, np.uint8)  # zeros in front leave the register empty
    padded[padded.size - size :] = np.frombuffer(message, np.uint8)
    padded[padded.size - size - 4 : padded.size - size] = np.frombuffer(START.to_bytes(4, "little"), np.uint8)
    rows = padded.view("<u4").reshape(-1, 1 << columns)
    total = rows[0].astype(np.uint32)  # (columns,)
    for row in rows[1:]:
        total = _apply(_advance(columns, 16), total) ^ row
    for half in reversed(range(columns)):
        total = _apply(_advance(half, 8), total[: 1 << half]) ^ total[1 << half :]
    return int(_apply(_advance(0, 8), total)[0]) ^ 0xFFFFFFFF


def masked(checksum: int) -> int:
    """Return a checksum as TensorFlow stores it.

    Example:
        >>> hex(masked(0xE3069283))
        '0xc78ab0e5'
    """
    turned = (checksum >> 15 | checksum << 17) & 0xFFFFFFFF
    return (turned + MASK_DELTA) & 0xFFFFFFFF


def _apply(tables: Words, words: Words) -> Words:
    """Map words by the tables of their bytes or halves."""
    bits = 32 // len(tables)
    low = np.uint32((1 << bits) - 1)
    mapped = tables[0].take(words & low)
    for place, table in enumerate(tables[1:], 1):
        mapped ^= table.take(words >> np.uint32(bits * place) & low)
    return mapped


@cache
def _advance(doublings: int, bits: int) -> Words:
    """Return the tables of the map that takes a register over 2 ** doublings words of zeros.

    Args:
        doublings: At least 0.
        bits: Of a word that one table answers for: 8 (small tables) or 16 (fast ones).

    Returns:
        One table for each part of a word, the lowest first, shape (32 / bits, 2 ** bits).
    """
    if doublings:
        before = _advance(doublings - 1, 8)
        images = _apply(before, _apply(before, _units()))
    else:
        images = _units()
        for _ in range(32):  # a bit at a time
            images = (images >> np.uint32(1)) ^ (images & np.uint32(1)) * np.uint32(POLYNOMIAL)
    tables: list[Words] = []
    for first in range(0, 32, bits):
        table = np.zeros(1, np.uint32)
        for image in images[first : first + bits]:
            table = np.concatenate([table, table ^ image])
        tables.append(table)
    return np.stack(tables)


def _units() -> Words:
    """Return the 32 words with a single bit, the lowest first."""
    return np.uint32(1) << np.arange(32, dtype=np.uint32)
