"""Files of pictures: opened, checked, decoded and turned upright.

Does not know holes, nor what samples mean (`image_modes`), nor how pictures are stored again (`image_encoding`).
"""

import contextlib
import io
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from PIL import Image as PilImage

from mendpix.errors import ImageError, MendpixError
from mendpix.image_deep import is_deep, read_deep
from mendpix.image_facts import RAW_EXIF, XMP_KEYWORD, FileFacts, facts_of
from mendpix.types import AnyArray

MOST_PX = 200_000_000
"""Largest picture that is opened, px; a bigger one is more likely an attack on the memory than a photo."""

ORIENTATION = 0x0112
"""EXIF tag: which side of the stored picture is up; 1 = the stored one."""

VECTOR_FORMATS = ("EPS", "WMF")
"""Formats that Pillow hands to other programs to draw, which a file from anywhere should not start."""

UPRIGHT: Mapping[int, PilImage.Transpose] = {
    2: PilImage.Transpose.FLIP_LEFT_RIGHT,
    3: PilImage.Transpose.ROTATE_180,
    4: PilImage.Transpose.FLIP_TOP_BOTTOM,
    5: PilImage.Transpose.TRANSPOSE,
    6: PilImage.Transpose.ROTATE_270,
    7: PilImage.Transpose.TRANSVERSE,
    8: PilImage.Transpose.ROTATE_90,
}
"""How to turn a picture of each EXIF orientation upright."""

_opening = threading.Lock()


def read_file(path: str | os.PathLike[str]) -> tuple[PilImage.Image | AnyArray, FileFacts]:
    """Open a picture and turn it upright as its EXIF orientation says.

    Returns:
        The decoded picture in its own mode, or as a uint16 array (H, W, C) if it has colour of 16 bits a channel, for
        which Pillow has no mode; and what else the file holds.

    Raises:
        ImageError: If the file is missing, unreadable, broken, no single picture, or larger than `MOST_PX`.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ImageError(f"a picture was expected at {path}; there is no such file. Check the path.") from error
    except IsADirectoryError as error:
        raise ImageError(f"a picture was expected at {path}; it is a folder. Name a file in it.") from error
    except OSError as error:
        raise ImageError(
            f"cannot read {path}: {error.strerror or error}. Check the disk and the permissions."
        ) from error
    return decode(data, path)


def decode(data: bytes, path: Path, *, most_px: int | None = None) -> tuple[PilImage.Image | AnyArray, FileFacts]:
    """Decode the content of a picture's file and turn it upright, as `read_file` does.

    Args:
        data: The file's content.
        path: Its name, for errors; nothing is opened.
        most_px: Largest picture that is decoded, px, told from its header; None = `MOST_PX`.

    Raises:
        ImageError: If the content is broken, no single picture, or larger than `most_px`.
    """
    try:
        image = _open(data)
        _check(image, path, MOST_PX if most_px is None else most_px)
        image.load()
        facts = facts_of(image, data)
        plain, facts = _upright(image, facts)
        return (read_deep(plain, data, path) if is_deep(image, data) else plain), facts
    except MendpixError:
        raise
    except PilImage.UnidentifiedImageError as error:
        raise ImageError(
            f"a picture was expected in {path}; its content is of no known format. Save it as PNG or JPEG."
        ) from error
    except Exception as error:  # Pillow's decoders raise nearly anything on broken data
        raise ImageError(
            f"a whole picture was expected in {path}; it is broken or cut short ({error}). Get an intact copy."
        ) from error


def _open(data: bytes) -> PilImage.Image:
    """Open without Pillow's own limit on pixels, which is lower than ours and would warn or fail first."""
    with _opening:
        limit = PilImage.MAX_IMAGE_PIXELS
        PilImage.MAX_IMAGE_PIXELS = None
        try:
            return PilImage.open(io.BytesIO(data))
        finally:
            PilImage.MAX_IMAGE_PIXELS = limit


def _check(image: PilImage.Image, path: Path, most_px: int) -> None:
    if image.format in VECTOR_FORMATS:
        raise ImageError(
            f"a picture of pixels was expected in {path}; it is a drawing ({image.format}). Export it as PNG."
        )
    width, height = image.size
    if width * height > most_px:
        raise ImageError(
            f"a picture may have at most {most_px / 10**6:g} megapixels; {path} has {width} × {height}. Scale it down."
        )
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format in ("GIF", "PNG", "WEBP", "AVIF", "TIFF"):
        raise ImageError(
            f"a single picture was expected in {path}; it holds {frames}. Save the one to mend as a file of its own."
        )


def _upright(image: PilImage.Image, facts: FileFacts) -> tuple[PilImage.Image, FileFacts]:
    """Turn a picture as its EXIF orientation says, and let its metadata say that it is upright.

    EXIF is written anew: the thumbnail in it goes, which would still show what the fill is to hide.
    """
    exif, orientation = PilImage.Exif(), 1
    with contextlib.suppress(Exception):  # a broken EXIF block (Pillow raises nearly anything) is dropped
        exif = image.getexif()
        orientation = exif.get(ORIENTATION, 1)
    turned = None if image.format == "TIFF" else UPRIGHT.get(orientation)  # Pillow turned a TIFF already
    plain = image.copy() if turned is None else image.transpose(turned)
    if image.format != "TIFF" and (facts.exif or RAW_EXIF in image.info):
        exif[ORIENTATION] = 1
        block = b""
        with contextlib.suppress(Exception):
            block = exif.tobytes()
        facts = replace(facts, exif=block)
    if turned is not None and facts.dpi is not None and image.size != plain.size:
        facts = replace(facts, dpi=facts.dpi[::-1])
    if facts.xmp is not None:
        facts = replace(facts, xmp=re.sub(rb'(tiff:Orientation(?:="|>))[2-8]', rb"\g<1>1", facts.xmp))
    for name in ("exif", "xmp", "dpi", RAW_EXIF, XMP_KEYWORD):
        plain.info.pop(name, None)
    told = {"exif": facts.exif, "xmp": facts.xmp, "dpi": facts.dpi}
    plain.info.update({name: value for name, value in told.items() if value})
    return plain, facts
