"""Pictures: read from files, Pillow images or arrays, filled, and given back in the same kind, bit for bit elsewhere.

The rest of the library sees `Picture.rgb` only. What the picture was made of (mode, dtype, palette, alpha, metadata)
stays here, and only samples inside a hole are ever written. Knows no masks' meaning (`masks`) and no models.
"""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PilImage

from mendpix.atomic_files import atomic_write
from mendpix.composite import composite
from mendpix.errors import ImageError, ShapeError
from mendpix.fills import harmonic
from mendpix.image_deep import encode_deep
from mendpix.image_encoding import encode
from mendpix.image_facts import FileFacts, facts_of
from mendpix.image_files import decode, read_file
from mendpix.image_modes import Layout, from_rgb, layout_of_array, layout_of_pil, side_plane, to_rgb
from mendpix.types import AnyArray, FloatArray, Image, Map, Mask

__all__ = [
    "Picture",
    "PictureSource",
    "atomic_write",
    "decode_picture",
    "encode_picture",
    "read_picture",
    "write_map",
    "write_picture",
]

BORDER_PX = 32
"""Known border around the holes that the fill of an alpha plane may look at, px."""


@dataclass(frozen=True, eq=False)
class Picture:
    """Hold a picture: what models see of it, and all that is needed to give it back as it came.

    Both arrays are read-only: a filled picture is a new one (`paste`).
    """

    rgb: Image = field(repr=False)
    """RGB in [0, 1], float32, shape (H, W, 3)."""
    samples: AnyArray = field(repr=False)
    """The picture's own numbers, shape (H, W) or (H, W, C), in its own dtype."""
    layout: Layout = field(repr=False)
    """What `samples` mean."""
    template: PilImage.Image | None = field(default=None, repr=False)
    """Pillow image that lends size, mode, palette and info to results; None for an array."""
    facts: FileFacts = field(default_factory=FileFacts, repr=False)
    """What belongs to the picture's file; empty if there was none."""

    def __post_init__(self) -> None:
        self.rgb.setflags(write=False)
        self.samples.setflags(write=False)

    @property
    def height(self) -> int:
        """Give the number of rows, px."""
        return int(self.rgb.shape[0])

    @property
    def width(self) -> int:
        """Give the number of columns, px."""
        return int(self.rgb.shape[1])

    def paste(self, prediction: Image, hole: Mask) -> "Picture":
        """Fill the hole with a prediction; everything else stays bit-identical in the picture's own mode and dtype.

        Transparency in the hole continues the transparency around it, and so does the black ink of a CMYK picture. A
        picture with a palette takes the nearest of its colours.

        Args:
            prediction: RGB, clipped to [0, 1]; finite in the hole. Float32, shape (H, W, 3).
            hole: 1 = hole, 0 = known, between = blend. Float32, shape (H, W).

        Returns:
            A new picture.

        Raises:
            ShapeError: If sizes or dtypes differ, `hole` leaves [0, 1] or `prediction` is not finite in it.
        """
        size = (self.height, self.width)
        if prediction.shape != (*size, 3) or hole.shape != size:
            raise ShapeError(
                f"prediction and hole must be {(*size, 3)} and {size} like the picture; got {prediction.shape} and"
                f" {hole.shape}. Crop or resize them to the picture first."
            )
        # Everything happens in the box around the holes: a small hole in a large picture costs little.
        box = _box(hole)
        if box is None:
            return self
        part = hole[box]
        where = part > 0
        if not np.isfinite(prediction[box][where]).all():
            raise ShapeError("prediction must be finite in the hole; got NaN or infinity. Check the model's output.")
        blended = composite(self.rgb[box], np.clip(prediction[box], 0, 1), part)
        side = _fill_side(self.samples, self.layout, hole, box)
        samples, rgb = self.samples.copy(), self.rgb.copy()
        before = samples[box][where]
        after = from_rgb(blended[where], None if side is None else side[where], before, self.layout)
        samples[box][where] = after
        rgb[box][where] = to_rgb(after, self.layout)
        return replace(self, rgb=rgb, samples=samples)

    def to_source_kind(self) -> PilImage.Image | AnyArray:
        """Give the picture as it came: an array for an array, a Pillow image for a Pillow image or a file.

        Only a file with colour of 16 bits a channel, for which Pillow has no mode, gives an array.

        Returns:
            A new object of the source's shape and dtype, or mode, palette and info, which the caller may change.
        """
        if self.template is None:
            return self.samples.copy()
        return _to_pil(self.samples, self.template)


PictureSource = str | os.PathLike[str] | PilImage.Image | AnyArray | Picture
"""What a picture can be read from."""


def read_picture(source: PictureSource) -> Picture:
    """Read a picture from a file, a Pillow image or an array.

    Args:
        source: A path: opened and turned upright as its EXIF orientation says. A Pillow image: as it is, any mode. An
            array: uint8, uint16, bool, or float16 to 64 in [0, 1]; shape (H, W) or (H, W, C) for grey (C = 1),
            grey and alpha (2), RGB (3), RGBA (4). A `Picture`: given back.

    Raises:
        ImageError: If a file is missing, broken or no picture, or a Pillow image cannot be read.
        ShapeError: If an array has another shape, dtype or range.

    Example:
        >>> read_picture(np.zeros((4, 6), np.uint8)).rgb.shape
        (4, 6, 3)
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, PilImage.Image):
        try:
            source.load()
            facts = facts_of(source)
        except Exception as error:  # Pillow's decoders raise nearly anything on broken data
            raise ImageError(
                f"a whole picture was expected; the Pillow image is broken or closed ({error}). Open it again."
            ) from error
        return _from_pil(source, facts)
    if isinstance(source, np.ndarray):
        return _from_array(source.copy(), FileFacts())
    if isinstance(source, str | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]  # not for everybody
        content, facts = read_file(source)
        return _from_array(content, facts) if isinstance(content, np.ndarray) else _from_pil(content, facts)
    raise ImageError(
        f"a picture must be a path, a Pillow image or a NumPy array; got {type(source).__name__}."
        " Convert it with np.asarray, channels last."
    )


def write_picture(picture: PictureSource, path: str | os.PathLike[str], *, like: Picture | None = None) -> None:
    """Write a picture to a file, whole or not at all, in the format of the path's suffix.

    A file of the same format keeps its way of storing: JPEG its quantisation tables and subsampling, TIFF its
    compression, WebP whether it is lossless. Profile, EXIF, XMP, resolution and PNG texts go along where the format
    has a place. Otherwise nothing is lost, except in JPEG (quality 95, full colour resolution) and AVIF.

    Args:
        picture: What to write. A float array is rounded to 8 bits.
        path: Where to; its folder must exist. A file there is replaced at the last moment.
        like: Picture whose file says how to store, for a `picture` that lost it; None: `picture` itself.

    Raises:
        OutputError: If the suffix is unknown, the format cannot hold the picture, or the disk refuses.
        ImageError: If `picture` cannot be read.
        ShapeError: If `picture` is an array that is no picture.
    """
    target = Path(path)
    _write(encode_picture(picture, target.name, like=like), target)


def encode_picture(picture: PictureSource, name: str, *, like: Picture | None = None) -> bytes:
    """Give the content of the file that `write_picture` would write.

    Args:
        picture: What to write. A float array is rounded to 8 bits.
        name: Name of the file; its suffix says which format.
        like: Picture whose file says how to store, for a `picture` that lost it; None: `picture` itself.

    Raises:
        OutputError: If the suffix is unknown, or the format cannot hold the picture.
        ImageError: If `picture` cannot be read.
        ShapeError: If `picture` is an array that is no picture.
    """
    ready = read_picture(picture)
    target = Path(name)
    facts = (like or ready).facts
    if ready.template is not None:
        return encode(_to_pil(ready.samples, ready.template), target, facts)
    if ready.samples.dtype.itemsize == 2 and ready.samples.dtype.kind == "u" and ready.layout.mode != "L":
        return encode_deep(ready.samples, target, facts)
    return encode(_array_to_pil(ready.samples, ready.layout), target, facts)


def decode_picture(data: bytes, name: str, *, most_px: int | None = None) -> Picture:
    """Read a picture from the content of a file, as `read_picture` reads it from the file.

    Args:
        data: The file's content.
        name: What errors call it; nothing is opened.
        most_px: Largest picture that is decoded, px, told from its header; None = as large as a file may be.

    Raises:
        ImageError: If the content is broken, no single picture, or larger than `most_px`.
    """
    content, facts = decode(data, Path(name), most_px=most_px)
    return _from_array(content, facts) if isinstance(content, np.ndarray) else _from_pil(content, facts)


def write_map(values: Map, path: str | os.PathLike[str]) -> None:
    """Write a map in [0, 1] as 8-bit grey, whole or not at all: black = 0, white = 1.

    Args:
        values: Float32, shape (H, W).
        path: Where to; its folder must exist.

    Raises:
        ShapeError: If `values` is no float array of that shape and range.
        OutputError: If the file cannot be written.
    """
    if values.ndim != 2 or values.dtype.kind != "f":
        raise ShapeError(f"a map must be float and (H, W); got {values.dtype} {values.shape}. Take a single plane.")
    image = _array_to_pil(values, layout_of_array(values))  # as `write_picture` would, without a copy in colour
    _write(encode(image, Path(path), FileFacts()), Path(path))


def _write(content: bytes, path: Path) -> None:
    """Write a file, whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def _from_array(samples: AnyArray, facts: FileFacts) -> Picture:
    layout = layout_of_array(samples)
    return Picture(to_rgb(samples, layout), samples, layout, None, facts)


def _from_pil(image: PilImage.Image, facts: FileFacts) -> Picture:
    if 0 in image.size:
        raise ImageError(f"a picture must have at least one pixel; got {image.size}. Check how it was cropped.")
    samples = np.array(image)
    layout = layout_of_pil(image, samples)
    return Picture(to_rgb(samples, layout), samples, layout, image, facts)


def _to_pil(samples: AnyArray, template: PilImage.Image) -> PilImage.Image:
    """Copy `template` (mode, palette, info) and put `samples` into it."""
    image = template.copy()
    image.frombytes(np.packbits(samples, axis=1).tobytes() if image.mode == "1" else samples.tobytes())
    return image


def _array_to_pil(samples: AnyArray, layout: Layout) -> PilImage.Image:
    """Turn an array into a Pillow image for a file: bool to 1 bit, uint16 grey stays, floats to 8 bits."""
    if samples.ndim == 3 and samples.shape[2] == 1:
        samples = samples[..., 0]
    if samples.dtype == np.bool_ and samples.ndim == 2:
        image = PilImage.new("1", samples.shape[::-1])
        return _to_pil(samples, image)
    if samples.dtype.kind == "u" and samples.dtype.itemsize == 2:
        return PilImage.frombytes("I;16", samples.shape[::-1], samples.astype("<u2").tobytes())
    if samples.dtype != np.uint8:
        scaled = np.multiply(samples, np.float32(255), dtype=np.float32)
        samples = np.rint(scaled, out=scaled).astype(np.uint8)
    return PilImage.frombytes(layout.mode, samples.shape[1::-1], samples.tobytes())


def _box(hole: Mask) -> tuple[slice, slice] | None:
    """Find the smallest box that holds every pixel that is not known; None if all are. NaN counts as not known."""
    rows, columns = np.flatnonzero((hole != 0).any(axis=1)), np.flatnonzero((hole != 0).any(axis=0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _fill_side(samples: AnyArray, layout: Layout, hole: Mask, box: tuple[slice, slice]) -> FloatArray | None:
    """Continue alpha, or the black ink of CMYK, from the known pixels into the hole.

    Returns:
        The plane in `box`, in [0, 1], float32, shape (h, w); None if the mode has none.
    """
    height, width = hole.shape
    rows, columns = (
        slice(max(side.start - BORDER_PX, 0), min(side.stop + BORDER_PX, most))
        for side, most in zip(box, (height, width), strict=True)
    )
    plane = side_plane(samples[rows, columns], layout)
    if plane is None:
        return None
    part = hole[rows, columns]
    known = plane[part == 0]
    if not len(known):  # nothing to continue: what is there stays
        filled = plane
    elif known.min() == known.max():
        filled = np.full_like(plane, known[0])
    else:
        filled = harmonic(plane[..., None], (part > 0).astype(np.float32))[..., 0]
    blended = composite(plane[..., None], filled[..., None], part)[..., 0]
    inner: Any = (
        slice(box[0].start - rows.start, box[0].stop - rows.start),
        slice(box[1].start - columns.start, box[1].stop - columns.start),
    )
    return blended[inner]
