"""Read TensorFlow's table files: sorted keys with values, in blocks with checksums. Knows not what the values mean.

From the back: the last 48 bytes hold the places of two blocks (one unused, one index) and a mark; the index block holds
the places of the others. Behind each block lie one byte for its compression and four for its checksum. Keys leave out
what they share with the key before them.
"""

from collections.abc import Iterator

from mendpix.errors import CheckpointError
from mendpix.weights.convert.crc32c import crc32c, masked
from mendpix.weights.convert.snappy import unpack
from mendpix.weights.convert.wire import read_varint

MARK = bytes.fromhex("57fb808b247547db")
"""How every table ends."""

FOOTER_BYTES = 48
"""Bytes behind the last block, the mark included."""

TRAILER_BYTES = 5
"""Bytes behind each block: compression and checksum."""

PLAIN, SNAPPY = 0, 1
"""Known compressions."""

AGAIN = "Copy or download it again."
"""The way out for files that are not whole."""


def read_table(content: bytes, name: str) -> dict[bytes, bytes]:
    """Read a whole table, every block checked against its checksum.

    Args:
        content: The whole file.
        name: What to call it in errors.

    Returns:
        Key to value, in the order of the keys.

    Raises:
        CheckpointError: If the file was cut short, was damaged, or is no table.
    """
    _check_end(content, name)
    try:
        footer = content[-FOOTER_BYTES : -len(MARK)]
        unused, place = _handle(footer, 0)
        index, _ = _handle(footer, place)
        _block(content, unused, name)
        table: dict[bytes, bytes] = {}
        last: bytes | None = None
        for _, value in _entries(_block(content, index, name)):
            for key, found in _entries(_block(content, _handle(value, 0)[0], name)):
                if last is not None and key <= last:
                    raise ValueError(f"the key {key!r} is out of order")
                table[key] = found
                last = key
        return table
    except ValueError as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(
            f"{name} must be a whole table of TensorFlow; it was damaged: {error}. {AGAIN}"
        ) from error


def _check_end(content: bytes, name: str) -> None:
    """Refuse what does not end like a table, and say what it may be instead."""
    end = content[-len(MARK) :]
    if end == MARK and len(content) >= FOOTER_BYTES:
        return
    if sum(got == wanted for got, wanted in zip(end, MARK, strict=False)) >= len(MARK) // 2:
        raise CheckpointError(f"{name} must end with TensorFlow's mark; it was damaged in its last bytes. {AGAIN}")
    if content[:2] in (b"", b"\0", b"\0\0"):  # a table starts with an empty key, which shares nothing
        raise CheckpointError(
            f"{name} must end with TensorFlow's mark; it was cut short, {len(content)} bytes are left. {AGAIN}"
        )
    raise CheckpointError(
        f"{name} must be a table of TensorFlow; it is another kind of file, or only a part of one. "
        "Give the checkpoint that tf.train.Saver wrote."
    )


def _handle(data: bytes, place: int) -> tuple[tuple[int, int], int]:
    """Read where a block lies: its offset and size, and the place behind them."""
    offset, place = read_varint(data, place)
    size, place = read_varint(data, place)
    return (offset, size), place


def _block(content: bytes, handle: tuple[int, int], name: str) -> bytes:
    """Return the content of a block, checked and unpacked."""
    offset, size = handle
    end = offset + size + TRAILER_BYTES
    if end > len(content) - FOOTER_BYTES:
        raise ValueError(f"a block should end at byte {end}, behind the last one")
    stored = int.from_bytes(content[end - 4 : end], "little")
    if masked(crc32c(content[offset : end - 4])) != stored:
        raise CheckpointError(
            f"the block of {name} at bytes {offset} to {end} must have the checksum that lies beside it; "
            f"it has another, so the file was damaged. {AGAIN}"
        )
    compression, packed = content[offset + size], content[offset : offset + size]
    if compression not in (PLAIN, SNAPPY):
        raise CheckpointError(
            f"blocks of {name} must be plain or packed by Snappy; got compression {compression}. "
            "Save the checkpoint again without compression."
        )
    return packed if compression == PLAIN else unpack(packed)


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Take a block apart into keys and values."""
    restarts = int.from_bytes(block[-4:], "little")
    limit = len(block) - 4 * (restarts + 1)
    if len(block) < 4 or limit < 0:
        raise ValueError("a block is shorter than its list of restarts")
    place, key = 0, b""
    while place < limit:
        shared, place = read_varint(block, place)
        fresh, place = read_varint(block, place)
        size, place = read_varint(block, place)
        if shared > len(key) or place + fresh + size > limit:
            raise ValueError("an entry does not fit into its block")
        key = key[:shared] + block[place : place + fresh]
        place += fresh + size
        yield key, block[place - size : place]
