"""What belongs to the file of a picture besides its samples: format, metadata and the way it was stored.

Taken from a picture as Pillow opened it. Knows no disks, no holes, and not how all this is stored again.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image as PilImage
from PIL import JpegImagePlugin

LOSSLESS_TIFF = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "group3", "group4", "tiff_ccitt", "zstd", "lzma")

TIFF_TAGS = (270, 271, 272, 305, 306, 315, 33432, 34665, 34853)
"""Tags of a TIFF that describe the photo, not its storage: description, camera, date, author, rights, EXIF, GPS."""

XMP_KEYWORD = "XML:com.adobe.xmp"
RAW_EXIF = "Raw profile type exif"
"""Keywords of PNG texts that hold XMP, and EXIF as old programs wrote it."""


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
