"""Files of pictures: opened, checked and turned upright, with everything in them that is not samples.

Does not know holes, nor what samples mean (`image_modes`), nor how pictures are stored again (`image_encoding`).
"""

import contextlib
import io
import os
import re
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image as PilImage
from PIL import JpegImagePlugin

from mendpix.errors import ImageError, MendpixError

MOST_PX = 200_000_000
"""Largest picture that is opened, px; a bigger one is more likely an attack on the memory than a photo."""

LOSSLESS_TIFF = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "group3", "group4", "tiff_ccitt", "zstd", "lzma")

TIFF_TAGS = (270, 271, 272, 305, 306, 315, 33432, 34665, 34853)
"""Tags of a TIFF that describe the photo, not its storage: description, camera, date, author, rights, EXIF, GPS."""

ORIENTATION = 0x0112
"""EXIF tag: which side of the stored picture is up; 1 = the stored one."""

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

XMP_KEYWORD = "XML:com.adobe.xmp"
RAW_EXIF = "Raw profile type exif"
"""Keywords of PNG texts that hold XMP, and EXIF as old programs wrote it."""

_opening = threading.Lock()


@dataclass(frozen=True)
class FileFacts:
    """Keep what belongs to a picture's file besides its samples. All empty for a picture that came from no file."""

    format: str | None = None
    """Pillow's name of the format."""
    exif: bytes = field(default=b"", repr=False)
    """EXIF block; of a file that was turned upright, the orientation in it says so."""
    icc: bytes | None = field(default=None, repr=False)
    """Colour profile."""
    xmp: bytes | None = field(default=None, repr=False)
    """XMP packet."""
    dpi: tuple[float, float] | None = None
    """Dots per inch, horizontally and vertically."""
    text: tuple[tuple[str, str], ...] = ()
    """PNG's texts: keyword and text."""
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    """PNG's colour chunks (gAMA, cHRM, sRGB), ready to be written."""
    comment: bytes | None = None
    """JPEG's or GIF's comment."""
    quantization: Mapping[int, list[int]] | None = field(default=None, repr=False)
    """JPEG's quantisation tables."""
    subsampling: int = 0
    """JPEG's chroma subsampling as Pillow counts it: 0 = 4:4:4, 1 = 4:2:2, 2 = 4:2:0."""
    progressive: bool = False
    """Whether a JPEG is stored in several scans."""
    lossy: bool = False
    """Whether the file had lost detail when it was stored."""
    compression: str | None = None
    """TIFF's compression."""


def read_file(path: str | os.PathLike[str]) -> tuple[PilImage.Image, FileFacts]:
    """Open a picture and turn it upright as its EXIF orientation says.

    Returns:
        The decoded picture in its own mode, and what else the file holds.

    Raises:
        ImageError: If the file is missing, unreadable, broken, no picture, animated, or larger than `MOST_PX`.
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
    try:
        image = _open(data)
        _check_size_and_frames(image, path)
        image.load()
        facts = facts_of(image, data)
        return _upright(image, facts)
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


def facts_of(image: PilImage.Image, data: bytes = b"") -> FileFacts:
    """Collect what belongs to the file of an opened picture.

    Args:
        image: A picture as Pillow opened it; a picture without a file has few facts.
        data: The file's content, to tell lossy WebP from lossless.
    """
    info: Mapping[Any, Any] = image.info
    kind = "JPEG" if image.format == "MPO" else image.format
    exif = info.get("exif", b"")
    dpi = info.get("dpi")
    text: dict[str, str] = getattr(image, "text", {}) if kind == "PNG" else {}
    xmp: str | bytes | None = info.get("xmp") or text.get(XMP_KEYWORD)
    tables = getattr(image, "quantization", None) if kind == "JPEG" else None
    compression = info.get("compression") if kind == "TIFF" else None
    comment = info.get("comment")
    return FileFacts(
        format=kind,
        exif=_tiff_exif(image) if kind == "TIFF" else exif if isinstance(exif, bytes) else b"",
        icc=info.get("icc_profile") or None,
        xmp=xmp.encode() if isinstance(xmp, str) else xmp,
        dpi=(float(dpi[0]), float(dpi[1])) if dpi and float(dpi[0]) > 0 and float(dpi[1]) > 0 else None,
        text=tuple((key, value) for key, value in text.items() if key not in (XMP_KEYWORD, RAW_EXIF)),
        chunks=_png_colour_chunks(info) if kind == "PNG" else (),
        comment=comment if isinstance(comment, bytes) else None,
        quantization={key: list(table) for key, table in tables.items()} if tables else None,
        subsampling=max(JpegImagePlugin.get_sampling(image), 0),  # unusual kinds (-1) get the one that loses nothing
        progressive=bool(info.get("progressive")),
        lossy=kind in ("JPEG", "AVIF") or (kind == "WEBP" and _webp_is_lossy(data)),
        compression=compression if compression in LOSSLESS_TIFF else None,
    )


def _open(data: bytes) -> PilImage.Image:
    """Open without Pillow's own limit on pixels, which is lower than ours and would warn or fail first."""
    with _opening:
        limit = PilImage.MAX_IMAGE_PIXELS
        PilImage.MAX_IMAGE_PIXELS = None
        try:
            return PilImage.open(io.BytesIO(data))
        finally:
            PilImage.MAX_IMAGE_PIXELS = limit


def _check_size_and_frames(image: PilImage.Image, path: Path) -> None:
    width, height = image.size
    if width * height > MOST_PX:
        raise ImageError(
            f"a picture may have at most {MOST_PX // 10**6} megapixels; {path} has {width} × {height}. Scale it down."
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
    for name, value in (("exif", facts.exif), ("xmp", facts.xmp), ("dpi", facts.dpi)):
        if name in plain.info and value:
            plain.info[name] = value
        else:
            plain.info.pop(name, None)
    for name in (RAW_EXIF, XMP_KEYWORD):
        plain.info.pop(name, None)
    return plain, facts


def _png_colour_chunks(info: Mapping[Any, Any]) -> tuple[tuple[bytes, bytes], ...]:
    """Rebuild the chunks that say what a PNG's numbers mean as colour, which Pillow reads but does not write."""
    chunks: list[tuple[bytes, bytes]] = []
    if "gamma" in info:
        chunks.append((b"gAMA", struct.pack(">I", round(info["gamma"] * 100000))))
    if len(info.get("chromaticity", ())) == 8:
        chunks.append((b"cHRM", struct.pack(">8I", *(round(value * 100000) for value in info["chromaticity"]))))
    if "srgb" in info:
        chunks.append((b"sRGB", bytes([info["srgb"]])))
    return tuple(chunks)


def _tiff_exif(image: PilImage.Image) -> bytes:
    """Take the tags that describe the photo, not its storage, as an EXIF block; empty if there are none."""
    try:
        source, exif = image.getexif(), PilImage.Exif()
        for tag in TIFF_TAGS:
            if tag in source:
                exif[tag] = source.get_ifd(tag) if tag in (0x8769, 0x8825) else source[tag]
        return exif.tobytes() if len(exif) else b""
    except Exception:  # broken tags (Pillow raises nearly anything) take nothing from the picture
        return b""


def _webp_is_lossy(data: bytes) -> bool:
    """Look for the chunk that holds the picture: "VP8 " is lossy, "VP8L" is not."""
    position = 12  # after RIFF, size, WEBP
    while position + 8 <= len(data):
        name = data[position : position + 4]
        if name in (b"VP8 ", b"VP8L"):
            return name == b"VP8 "
        position += 8 + int.from_bytes(data[position + 4 : position + 8], "little")
        position += position % 2
    return False
