"""Colour of 16 bits a channel in PNG and TIFF files, which Pillow would cut to 8 bits: read with OpenCV, written here.

Such a picture is an array for the rest of the library. Knows these two formats only, and nothing of holes.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PilImage
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from mendpix.errors import ImageError, OutputError
from mendpix.image_encoding import encode, format_of
from mendpix.image_facts import FileFacts
from mendpix.types import AnyArray

PNG_COLOUR_TYPE = {3: 2, 4: 6}
"""PNG's number for RGB and RGBA by channels."""

PNG_OWN_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
"""Chunks that say how the samples are stored; all others are metadata."""


def is_deep(image: PilImage.Image, data: bytes) -> bool:
    """Tell whether a file holds several channels of 16 bits, of which Pillow shows the upper 8.

    Args:
        image: The file as Pillow opened it.
        data: The file's content.
    """
    if image.format == "PNG":
        return data[24] == 16 and data[25] in (2, 4, 6)  # bit depth and colour type in IHDR
    if image.format == "TIFF":
        bits = getattr(image, "tag_v2", {}).get(258, ())
        return len(bits) > 1 and max(bits) == 16
    return False


def read_deep(upright: PilImage.Image, data: bytes, path: Path) -> AnyArray:
    """Decode a file of 16-bit colour.

    Args:
        upright: The picture as Pillow decoded it, 8 bits a channel, turned upright: what must come out but for depth.
        data: The file's content.
        path: Its name, for errors.

    Returns:
        uint16, shape (H, W, C), channels as in `upright`.

    Raises:
        ImageError: If OpenCV does not read it as Pillow does (16-bit CMYK, for instance).
    """
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    shown = np.asarray(upright)
    if found is not None and found.ndim == 3 and found.dtype == np.uint16 and shown.ndim == 3:
        samples = np.asarray(found)[..., [2, 1, 0, 3][: found.shape[2]]]  # BGR to RGB
        for candidate in _all_turns(samples):  # Pillow's picture says which is upright, and that nothing else differs
            if candidate.shape == shown.shape and np.array_equal(candidate >> 8, shown):
                return np.ascontiguousarray(candidate)
    raise ImageError(
        f"16-bit colour must be RGB or RGBA; {path} is another kind ({upright.mode}). Save it as RGB, or with 8 bits."
    )


def encode_deep(samples: AnyArray, path: Path, facts: FileFacts) -> bytes:
    """Encode 16-bit colour in the format of `path`'s suffix, PNG or TIFF, with its metadata.

    Args:
        samples: uint16, shape (H, W, 2 to 4).
        path: Where it is to go.
        facts: Metadata.

    Raises:
        OutputError: If the suffix is another one.
    """
    kind = format_of(path)
    if kind not in ("PNG", "TIFF"):
        raise OutputError(
            f"colour of 16 bits a channel needs PNG or TIFF; got {path.name!r}. Name it {path.stem}.png instead."
        )
    if samples.shape[2] == 2:  # not every reader knows grey with alpha at this depth
        samples = samples[..., [0, 0, 0, 1]]
    return _encode_png(samples, facts) if kind == "PNG" else _encode_tiff(samples, facts)


def _all_turns(samples: AnyArray) -> Iterator[AnyArray]:
    """Give an array as it is, and turned and flipped in the seven other ways."""
    for plane in (samples, samples.swapaxes(0, 1)):
        for rows in (1, -1):
            for columns in (1, -1):
                yield plane[::rows, ::columns]


def _encode_png(samples: AnyArray, facts: FileFacts) -> bytes:
    height, width, channels = samples.shape
    rows = np.ascontiguousarray(samples, ">u2").view(np.uint8).reshape(height, -1)
    above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    filtered = np.hstack([np.full((height, 1), 2, np.uint8), rows - above])  # filter 2, "up": differences pack better
    header = struct.pack(">IIBBBBB", width, height, 16, PNG_COLOUR_TYPE[channels], 0, 0, 0)
    tiny = encode(PilImage.new("RGB", (1, 1)), Path("tiny.png"), facts)  # Pillow writes the metadata
    parts = [tiny[:8], _png_chunk(b"IHDR", header)]
    position = 8
    while position < len(tiny):
        length, name = struct.unpack(">I4s", tiny[position : position + 8])
        if name not in PNG_OWN_CHUNKS:
            parts.append(tiny[position : position + length + 12])
        position += length + 12
    parts += [_png_chunk(b"IDAT", zlib.compress(filtered.tobytes(), 6)), _png_chunk(b"IEND", b"")]
    return b"".join(parts)


def _png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _encode_tiff(samples: AnyArray, facts: FileFacts) -> bytes:
    height, width, channels = samples.shape
    strip = zlib.compress(np.ascontiguousarray(samples, "<u2").tobytes(), 6)
    tags = ImageFileDirectory_v2()
    exif = PilImage.Exif()
    exif.load(facts.exif)
    for tag in exif:
        tags[tag] = exif.get_ifd(tag) if tag in (0x8769, 0x8825) else exif[tag]
    tags[256], tags[257] = width, height
    tags[258] = (16,) * channels
    tags[259] = 8  # deflate
    tags[262] = 2  # RGB
    tags[277], tags[278], tags[284] = channels, height, 1
    tags[339] = (1,) * channels  # unsigned
    if channels == 4:
        tags[338] = 2  # the last channel is alpha, not premultiplied
    if facts.dpi:
        tags[282], tags[283], tags[296] = facts.dpi[0], facts.dpi[1], 2
    if facts.icc:
        tags.tagtype[34675] = 7
        tags[34675] = facts.icc
    if facts.xmp:
        tags[700] = facts.xmp
    tags[273], tags[279] = 0, len(strip)  # Pillow adds the length of the directory, behind which the one strip lies
    return b"II*\0" + struct.pack("<I", 8) + tags.tobytes(8) + strip
