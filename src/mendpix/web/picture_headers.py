"""What a picture's file says of itself before it is decoded, so that a small file cannot cost much time or memory.

Anybody who reaches the server may send any bytes. Only formats of photos are let through to Pillow, single pictures
alone, and none that is cut into so many pieces that going through them would take minutes. Decodes no pixel.
"""

import io

from PIL import Image as PilImage

from mendpix.errors import ImageError, MaskError

MOST_PIECES = 100_000
"""Segments of a JPEG, or chunks of a PNG, at most: a photo of 256 MB has 32,000."""

MOST_SCANNED_PX = 4_000_000_000
"""Pixels of a JPEG times its scans at most: a progressive photo has ten scans; each goes over the whole picture."""

BEGINNINGS = {
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "JPEG": (b"\xff\xd8\xff",),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"MM*\0", b"II\0*"),
    "GIF": (b"GIF87a", b"GIF89a"),
    "BMP": (b"BM",),
    "JPEG2000": (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
    "PPM": (b"P4", b"P5", b"P6", b"Pf"),  # those written as text (P1 to P3) take minutes to read
}
"""How the files of each format begin. WebP and AVIF say so a few bytes later."""

PilImage.init()  # else Pillow learns some formats only when a file is of none that it knows


def check_file(data: bytes, name: str, *, size: tuple[int, int] | None = None) -> None:
    """Refuse what must not be decoded.

    Args:
        data: The file's content.
        name: What errors call it.
        size: (H, W) that the upright picture must have, for a mask; None = any.

    Raises:
        ImageError: If it is of no format of photos, holds several pictures, or is cut into far too many pieces.
        MaskError: If it has another size.
    """
    kind = _format_of(data)
    if kind not in PilImage.OPEN:
        raise ImageError(
            f"a picture was expected in {name}, as PNG, JPEG, WebP, TIFF, GIF, BMP, AVIF, JPEG 2000 or PPM; its content"
            " is of another format, or none. Save it as PNG or JPEG."
        )
    if kind == "PNG":
        _check_chunks(data, name)
    elif kind == "JPEG":
        _check_segments(data, name)
    try:
        image = PilImage.OPEN[kind][0](io.BytesIO(data), "")  # unlike PilImage.open, no other reader is tried
        several = _has_second(image)
    except Exception:  # Pillow raises nearly anything on broken data; decoding tells what is wrong
        return
    if several:
        raise ImageError(
            f"a single picture was expected in {name}; it holds several. Save the one to mend as a file of its own."
        )
    if size is not None and sorted(image.size) != sorted(size):  # it may have to be turned upright
        raise MaskError(
            f"a mask must have the picture's size, {size[1]} × {size[0]}; got {image.size[0]} × {image.size[1]}."
            " Scale it to that."
        )


def _format_of(data: bytes) -> str:
    """Tell Pillow's name of a format of photos; empty for all others."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp" and data[8:12] in (b"avif", b"avis", b"mif1", b"msf1"):
        return "AVIF"
    return next((kind for kind, beginnings in BEGINNINGS.items() if data.startswith(beginnings)), "")


def _has_second(image: PilImage.Image) -> bool:
    """Tell whether a GIF or a TIFF holds a second picture, without counting them all."""
    if image.format == "GIF":
        return bool(getattr(image, "is_animated", False))
    if image.format != "TIFF":
        return False
    try:
        image.seek(1)
    except EOFError:
        return False
    return True


def _check_chunks(data: bytes, name: str) -> None:
    position, count = 8, 0
    while position + 8 <= len(data):
        count += 1
        if count > MOST_PIECES:
            raise _too_many(name)
        position += 12 + int.from_bytes(data[position : position + 4], "big")


def _check_segments(data: bytes, name: str) -> None:
    """Count the segments before the picture itself, and its scans."""
    position, count, px = 2, 0, 0
    while position + 4 <= len(data) and data[position] == 0xFF and data[position + 1] != 0xDA:
        count += 1
        if count > MOST_PIECES:
            raise _too_many(name)
        marker = data[position + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # the frame
            height, width = (int.from_bytes(data[position + at : position + at + 2], "big") for at in (5, 7))
            px = max(px, height * width)
        if marker == 0xFF:  # filling
            position += 1
        elif marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD9:  # without a length
            position += 2
        else:
            position += 2 + max(int.from_bytes(data[position + 2 : position + 4], "big"), 2)
    if data.count(b"\xff\xda") * px > MOST_SCANNED_PX:
        raise _too_many(name)


def _too_many(name: str) -> ImageError:
    return ImageError(
        f"a photo was expected in {name}; its file is cut into far more pieces than any camera makes. Save it again"
        " with another program."
    )
