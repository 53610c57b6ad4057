"""Pictures encoded in the format of a suffix: which modes a format holds, and how a source's way of storing is kept.

Bytes out: knows no disks (`atomic_files`), and nothing of holes or samples.
"""

import io
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PilImage
from PIL.PngImagePlugin import PngInfo

from mendpix.errors import OutputError
from mendpix.image_facts import XMP_KEYWORD, FileFacts

JPEG_QUALITY = 95
"""Quality of a JPEG, WebP or AVIF that has no lossy source to take it from, 0 to 100."""

FORMATS: Mapping[str, str] = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".tga": "TGA",
    ".jp2": "JPEG2000",
    ".avif": "AVIF",
    ".pbm": "PPM",
    ".pgm": "PPM",
    ".ppm": "PPM",
    ".pnm": "PPM",
}
"""The format of each suffix that can be written."""

HOLDS: Mapping[str, tuple[str, ...]] = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I;16B"),
    "JPEG": ("L", "RGB", "CMYK", "YCbCr"),
    "WEBP": ("RGB", "RGBA"),
    "TIFF": ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "I;16", "I;16B", "I", "F"),
    "BMP": ("1", "L", "P", "RGB"),  # Pillow writes alpha but does not read it back
    "GIF": ("L", "P"),
    "TGA": ("1", "L", "LA", "P", "RGB", "RGBA"),
    "JPEG2000": ("L", "LA", "RGB", "RGBA", "YCbCr", "I;16"),
    "AVIF": ("RGB", "RGBA"),
    "PPM": ("1", "L", "RGB", "I;16"),
}
"""The modes that each format stores as they are."""

WIDER: Mapping[str, tuple[str, ...]] = {
    "1": ("L", "RGB"),
    "L": ("RGB",),
    "LA": ("RGBA",),
    "PA": ("RGBA",),
    "RGBX": ("RGB",),
    "I;16B": ("I;16",),
    "I;16L": ("I;16",),
    "I;16N": ("I;16",),
}
"""Modes that hold the same picture without loss, tried in order where a format does not have the first. P is apart."""

XMP_TAG = 700
"""TIFF tag that holds XMP."""

JPEG_SEGMENT_BYTES = 65533 - 29
"""Longest metadata that fits one JPEG segment beside its name."""


def format_of(path: Path) -> str:
    """Give Pillow's name of the format that a suffix stands for.

    Raises:
        OutputError: If it stands for none that can be written.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise OutputError(
            f"a picture's name must end in one of {', '.join(FORMATS)}; got {path.name!r}. Use .png to lose nothing."
        )
    return kind


def encode(image: PilImage.Image, path: Path, facts: FileFacts) -> bytes:
    """Encode a picture in the format of `path`'s suffix, with the metadata that the format can hold.

    Raises:
        OutputError: If the suffix is unknown or the format cannot hold the picture's mode.
    """
    kind = format_of(path)
    image = _fit_mode(image, kind, path)
    stream = io.BytesIO()
    try:
        image.save(stream, kind, **_options(image, kind, facts))
    except (OSError, ValueError, KeyError, struct.error) as error:
        raise OutputError(f"cannot store this picture as {kind} ({error}). Name the result .png instead.") from error
    return stream.getvalue()


def _fit_mode(image: PilImage.Image, kind: str, path: Path) -> PilImage.Image:
    """Turn a picture into a mode that the format has, if one holds it without loss."""
    wanted = _lossless_modes(image, kind)
    for mode in wanted:
        if mode in HOLDS[kind]:
            return _to_mode(image, mode)
    other = next((name for name in ("PNG", "TIFF") if set(_lossless_modes(image, name)) & set(HOLDS[name])), None)
    way_out = (
        f"Name it {path.with_suffix('.png' if other == 'PNG' else '.tif').name} instead."
        if other
        else "Convert it with convert('RGB') first."
    )
    transparent = ", which has transparency" if _has_transparency(image) else ""
    raise OutputError(
        f"{kind} cannot hold a picture of mode {image.mode}{transparent}; {path.name} was not written. {way_out}"
    )


def _has_transparency(image: PilImage.Image) -> bool:
    palette = image.palette
    return (
        image.mode in ("LA", "La", "PA", "RGBA", "RGBa")
        or "transparency" in image.info
        or (palette is not None and palette.mode == "RGBA")
    )


def _lossless_modes(image: PilImage.Image, kind: str) -> tuple[str, ...]:
    """List the modes that hold all of a picture in a format, its own first."""
    mode = image.mode
    key = image.info.get("transparency")
    if mode in ("1", "L", "RGB", "I;16", "P") and _has_transparency(image):
        if kind == "PNG" or (kind == "GIF" and mode in ("L", "P") and isinstance(key, int)):
            return (mode,)
        return {"1": ("LA", "RGBA"), "L": ("LA", "RGBA"), "I;16": ()}.get(mode, ("RGBA",))
    if mode == "P":
        return ("P", "RGB")
    if mode == "I":
        least, most = np.asarray(image).min(), np.asarray(image).max()
        return ("I", "I;16") if least >= 0 and most <= 65535 else ("I",)
    return (mode, *WIDER.get(mode, ()))


def _to_mode(image: PilImage.Image, mode: str) -> PilImage.Image:
    if mode == image.mode:
        return image
    if mode == "I;16":
        result = PilImage.frombytes(mode, image.size, np.asarray(image).astype("<u2").tobytes())
        result.info = dict(image.info)
        return result
    return image.convert(mode)


def _options(image: PilImage.Image, kind: str, facts: FileFacts) -> dict[str, Any]:
    """Choose how to encode: the source's way where the format is the same, else without visible loss."""
    options: dict[str, Any] = {}
    if kind in ("PNG", "JPEG", "WEBP", "TIFF", "AVIF"):
        options["icc_profile"] = facts.icc if facts.icc and _profile_fits(facts.icc, image.mode) else None
        if facts.exif:
            options["exif"] = facts.exif
    if kind in ("PNG", "JPEG", "TIFF", "BMP") and facts.dpi:
        options["dpi"] = facts.dpi
    if kind in ("JPEG", "WEBP", "AVIF") and facts.xmp:
        options["xmp"] = facts.xmp
    if kind == "PNG":
        options["pnginfo"] = _png_info(facts)
    elif kind == "JPEG":
        options["progressive"] = facts.progressive
        options["comment"] = facts.comment
        if facts.quantization:
            options |= {"qtables": facts.quantization, "subsampling": facts.subsampling}
        else:
            options |= {"quality": JPEG_QUALITY, "subsampling": 0}
        # One segment of a JPEG has two bytes for its length; what does not fit is left out, not the picture.
        for name in ("exif", "xmp", "comment"):
            if len(options.get(name) or b"") > JPEG_SEGMENT_BYTES:
                options[name] = b""
    elif kind == "WEBP":
        options |= {"exact": True, "quality": JPEG_QUALITY} if facts.lossy else {"exact": True, "lossless": True}
    elif kind == "AVIF":
        options |= {"quality": JPEG_QUALITY, "subsampling": "4:4:4"}
    elif kind == "TIFF":
        bilevel_only = facts.compression in ("group3", "group4", "tiff_ccitt")
        kept = facts.compression if image.mode == "1" or not bilevel_only else None
        options["compression"] = kept or "tiff_adobe_deflate"
        if facts.xmp:
            tags = PilImage.Exif()
            tags.load(facts.exif)
            tags[XMP_TAG] = facts.xmp
            options["exif"] = tags
    elif kind == "GIF" and facts.comment:
        options["comment"] = facts.comment
    return options


def _profile_fits(icc: bytes, mode: str) -> bool:
    """Tell whether a profile is for grey where the mode is (bytes 16 to 19 of ICC.1 name its colours)."""
    return (icc[16:20] == b"GRAY") <= (mode in ("1", "L", "LA", "I;16", "I;16B", "I", "F"))


def _png_info(facts: FileFacts) -> PngInfo:
    info = PngInfo()
    for name, content in facts.chunks:
        info.add(name, content)
    for keyword, text in facts.text:
        info.add_text(keyword, text)
    if facts.xmp:
        info.add_itxt(XMP_KEYWORD, facts.xmp.decode("utf-8", "replace"))
    return info
