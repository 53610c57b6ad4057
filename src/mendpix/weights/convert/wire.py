"""Read the two ways in which TensorFlow's checkpoints write small things: varints, and protocol-buffer messages."""

from collections.abc import Iterator

LONGEST = 10
"""Bytes of the longest varint, for 64 bits."""

VARINT, FIXED_64, BYTES, FIXED_32 = 0, 1, 2, 5
"""Kinds of fields of a message, by their number on the wire."""


def read_varint(data: bytes, place: int) -> tuple[int, int]:
    """Read a whole number of up to 64 bits, seven to a byte, the lowest first.

    Args:
        data: Bytes.
        place: Where the number starts.

    Returns:
        The number, at least 0, and the place behind it.

    Raises:
        ValueError: If it does not end, or is too long.

    Example:
        >>> read_varint(bytes([0x96, 0x01]), 0)
        (150, 2)
    """
    value = 0
    for index, byte in enumerate(data[place : place + LONGEST]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            if value >> 64:
                break
            return value, place + index + 1
    raise ValueError("a number does not end where it should")


def read_message(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Take a protocol-buffer message apart.

    Args:
        data: The message.

    Yields:
        Number and value of each field in order: a whole number, or bytes for texts and messages within.

    Raises:
        ValueError: If it is no message.

    Example:
        >>> list(read_message(bytes([0x08, 0x96, 0x01, 0x12, 0x02, 0x68, 0x69])))
        [(1, 150), (2, b'hi')]
    """
    place = 0
    while place < len(data):
        key, place = read_varint(data, place)
        field, kind = key >> 3, key & 7
        if field == 0:
            raise ValueError("a field has the number 0")
        if kind == VARINT:
            value, place = read_varint(data, place)
            yield field, value
            continue
        if kind == BYTES:
            width, place = read_varint(data, place)
        elif kind in (FIXED_32, FIXED_64):
            width = 4 if kind == FIXED_32 else 8
        else:
            raise ValueError(f"a field is of the unknown kind {kind}")
        content = data[place : place + width]
        if len(content) < width:
            raise ValueError("a field does not end where it should")
        place += width
        yield field, content if kind == BYTES else int.from_bytes(content, "little")
