"""Unpack the Snappy format (raw, as in table blocks) in plain Python, for blocks of some kilobytes. Knows no files."""

from mendpix.weights.convert.wire import read_varint


def unpack(packed: bytes) -> bytes:
    """Return what was packed.

    Raises:
        ValueError: If the bytes are no whole Snappy block.

    Example:
        >>> unpack(bytes([7, 0b000_000_00, ord("a"), 0b000_010_01, 1, 0b000_000_00, ord("b")]))
        b'aaaaaaab'
    """
    length, place = read_varint(packed, 0)
    out = bytearray()
    while place < len(packed):
        tag = packed[place]
        place += 1
        if tag & 3 == 0:  # a literal: the bytes follow
            count = (tag >> 2) + 1
            if count > 60:  # the count itself follows, in one to four bytes
                wide = count - 60
                count = int.from_bytes(_take(packed, place, wide), "little") + 1
                place += wide
            out += _take(packed, place, count)
            place += count
        else:  # a copy of what has been written, some way back
            if tag & 3 == 1:
                count, wide = (tag >> 2 & 7) + 4, 1
            else:
                count, wide = (tag >> 2) + 1, 2 if tag & 3 == 2 else 4
            back = int.from_bytes(_take(packed, place, wide), "little")
            if wide == 1:
                back |= tag >> 5 << 8
            place += wide
            if not 0 < back <= len(out):
                raise ValueError(f"a copy reaches back {back} bytes where {len(out)} are written")
            start = len(out) - back
            # A copy may overlap what it writes; then the bytes repeat.
            out += (out[start:] * (count // back + 1))[:count] if count > back else out[start : start + count]
        if len(out) > length:
            break
    if len(out) != length:
        raise ValueError(f"{length} bytes were announced, {len(out)} came")
    return bytes(out)


def _take(packed: bytes, place: int, count: int) -> bytes:
    """Return so many bytes, no fewer."""
    if place + count > len(packed):
        raise ValueError("the block ends too early")
    return packed[place : place + count]
