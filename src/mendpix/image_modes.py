"""How the samples of every picture mode become RGB in [0, 1], and how RGB becomes samples again.

Arrays in, arrays out, pixel by pixel: a `Layout` says what the numbers of a picture mean. Knows no files and no holes.
Colour profiles are not applied: the numbers are taken as sRGB, so known and filled pixels mean the same thing.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
from PIL import Image as PilImage

from mendpix.errors import ImageError, ShapeError
from mendpix.types import AnyArray, FloatArray

GREY_MODES = ("1", "L", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")
ALPHA_MODES = ("LA", "La", "RGBA", "RGBa", "PA")
OTHER_MODES = ("P", "RGB", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
MODES = GREY_MODES + ALPHA_MODES + OTHER_MODES
"""Every Pillow mode that can be read and given back bit-exactly."""

LUMA = np.array([19595, 38470, 7471], np.float32) / 65536
"""Weights of R, G, B in a grey value (ITU-R BT.601); they sum to exactly 1, so grey stays grey."""

YCC_FROM_RGB = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
RGB_FROM_YCC = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]], np.float32)
"""JPEG's full-range YCbCr (JFIF 1.02), for Y in [0, 1] and Cb, Cr in [-0.5, 0.5]."""

YCC_ZERO = np.array([0, 128 / 255, 128 / 255], np.float32)
"""Where Cb and Cr are 0, in [0, 1]."""

LAB_SPAN, LAB_ZERO = np.array([100, 255, 255], np.float32), np.array([0, 128, 128], np.float32)
"""Lab = span · unit − zero, for samples scaled to [0, 1]."""

HSV_SPAN = np.array([360, 1, 1], np.float32)
"""Hue in degrees, saturation and value in [0, 1]."""

NEAREST_CHUNK_PX = 16384
"""Pixels compared with the palette at a time; bounds the memory to 16 MB."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Say what the samples of a picture mean."""

    mode: str
    """Pillow's name; arrays use "L", "LA", "RGB" and "RGBA" whatever their dtype."""
    low: float = 0.0
    """Sample value of black (0 in RGB)."""
    high: float = 255.0
    """Sample value of white (1 in RGB)."""
    palette: FloatArray | None = field(default=None, repr=False)
    """RGBA in [0, 1] of each index, shape (256, 4); None without a palette."""
    colours: int = 0
    """How many entries of `palette` are real; the others are black."""
    extra_axis: bool = False
    """Whether an array has a single plane and still a channel axis: (H, W, 1)."""
    key: tuple[int, ...] | None = None
    """The one colour that is see-through (PNG's tRNS), in samples; None for most pictures."""


def layout_of_pil(image: PilImage.Image, samples: AnyArray) -> Layout:
    """Describe a Pillow image whose samples are `samples` (``np.asarray(image)``).

    Raises:
        ImageError: If the mode is not in `MODES` or a float picture is not finite.
    """
    mode = image.mode
    if mode not in MODES:
        raise ImageError(
            f"a picture must have one of the modes {', '.join(MODES)}; got {mode}. Convert it with convert('RGB')."
        )
    if mode in ("P", "PA"):
        palette, colours = _palette(image)
        return Layout(mode, palette=palette, colours=colours)
    low, high = 0.0, 255.0
    if mode == "1":
        high = 1.0
    elif mode.startswith("I;16"):
        high = 65535.0
    elif mode in ("I", "F"):
        low, high = _guess_range(samples)
    return Layout(mode, low, high, key=_colour_key(image))


def layout_of_array(array: AnyArray) -> Layout:
    """Describe an array of shape (H, W) or (H, W, 1 to 4).

    Raises:
        ShapeError: If shape, dtype or range is not one that pictures have.
    """
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 2, 3, 4)):
        raise ShapeError(
            f"a picture must be (H, W) or (H, W, 1 to 4); got {array.shape}."
            " Take one picture of a batch, and move channels last with np.moveaxis(picture, 0, -1)."
        )
    if array.size == 0:
        raise ShapeError(f"a picture must have at least one pixel; got shape {array.shape}. Check how it was cropped.")
    mode = "L" if array.ndim == 2 else ("L", "LA", "RGB", "RGBA")[array.shape[2] - 1]
    extra_axis = array.ndim == 3 and mode == "L"
    if array.dtype == np.bool_:
        return Layout(mode, high=1.0, extra_axis=extra_axis)
    if array.dtype.kind == "u" and array.dtype.itemsize <= 2:
        return Layout(mode, high=float(np.iinfo(array.dtype).max), extra_axis=extra_axis)
    if array.dtype.kind == "f" and array.dtype.itemsize <= 8:
        if not (array.min() >= 0 and array.max() <= 1):  # a NaN fails both comparisons
            raise ShapeError(
                f"a float picture must be finite and in [0, 1]; got values from {array.min()} to {array.max()}."
                " Divide 8-bit values by 255, or pass them as uint8."
            )
        return Layout(mode, high=1.0, extra_axis=extra_axis)
    raise ShapeError(
        f"a picture must be uint8, uint16, bool or float16, 32, 64; got {array.dtype}."
        " Convert 8-bit values with astype(np.uint8)."
    )


def to_rgb(samples: AnyArray, layout: Layout) -> FloatArray:
    """Turn samples into what a model sees.

    Args:
        samples: Shape (..., C) as the mode has it, or (...) where it has a single plane.
        layout: What they mean.

    Returns:
        RGB in [0, 1], float32, shape (..., 3). Alpha is left out.
    """
    mode = layout.mode
    if layout.palette is not None:
        index = samples[..., 0] if mode == "PA" else samples
        return layout.palette[index, :3]
    unit = _unit(samples, layout)
    if mode in GREY_MODES:
        grey = unit[..., 0] if layout.extra_axis else unit
    elif mode in ("LA", "La"):
        grey = unit[..., 0]
        if mode == "La":
            grey = _divide(grey, unit[..., 1])
    elif mode == "RGBa":
        return _divide(unit[..., :3], unit[..., 3:])
    elif mode == "CMYK":
        return (1 - unit[..., :3]) * (1 - unit[..., 3:])
    elif mode == "YCbCr":
        return np.clip((unit - YCC_ZERO) @ RGB_FROM_YCC.T, 0, 1).astype(np.float32, copy=False)
    elif mode == "LAB":
        return _convert(LAB_SPAN * unit - LAB_ZERO, cv2.COLOR_Lab2RGB)
    elif mode == "HSV":
        return _convert(HSV_SPAN * unit, cv2.COLOR_HSV2RGB)
    else:
        return unit if unit.shape[-1] == 3 else unit[..., :3].copy()
    rgb = np.empty((*grey.shape, 3), np.float32)
    rgb[:] = grey[..., None]
    return rgb


def side_plane(samples: AnyArray, layout: Layout) -> FloatArray | None:
    """Give the plane that a filled pixel needs besides its colour: alpha, or the black ink of CMYK.

    Returns:
        In [0, 1], float32, shape (...) without channels; None if the mode has no such plane.
    """
    if layout.mode in ("LA", "La", "PA"):
        return _unit(samples[..., 1], layout)
    if layout.mode in ("RGBA", "RGBa", "CMYK"):
        return _unit(samples[..., 3], layout)
    if layout.mode == "P" and layout.palette is not None:
        return layout.palette[samples, 3]
    if layout.key is not None:
        return 1 - _matches_key(samples, layout).astype(np.float32)
    return None


def from_rgb(rgb: FloatArray, side: FloatArray | None, before: AnyArray, layout: Layout) -> AnyArray:
    """Turn filled pixels into samples.

    Args:
        rgb: In [0, 1], shape (N, 3).
        side: Alpha or black ink in [0, 1], shape (N,); None if the mode has none (`side_plane`).
        before: The samples these pixels had, shape (N,) or (N, C): dtype, and planes without a meaning (the X of RGBX).
        layout: What samples mean.

    Returns:
        New array like `before`.
    """
    mode = layout.mode
    result = before.copy()
    if layout.palette is not None:
        _nearest_index(rgb, side, result, layout)
    elif mode in GREY_MODES and not layout.extra_axis:
        result[:] = _quantise(rgb @ LUMA, before, layout)
    elif mode in ("L", "LA", "La"):
        grey = rgb @ LUMA
        if mode == "La" and side is not None:
            grey = grey * side
        result[..., 0] = _quantise(grey, before, layout)
    elif mode == "CMYK":
        black = np.zeros(len(rgb), np.float32) if side is None else side
        # Black as around the hole, but never more than the colour allows; rounded down, so the inks can make up for it.
        black = np.floor(np.minimum(black, 1 - rgb.max(axis=1, initial=0)) * 255) / np.float32(255)
        result[..., :3] = _quantise(1 - _divide(rgb, 1 - black[:, None]), before, layout)
        result[..., 3] = _quantise(black, before, layout)
    elif mode == "YCbCr":
        result[:] = _quantise(rgb @ YCC_FROM_RGB.T + YCC_ZERO, before, layout)
    elif mode == "LAB":
        lab = _convert(rgb, cv2.COLOR_RGB2Lab)
        result[:] = _quantise((lab + LAB_ZERO) / LAB_SPAN, before, layout)
    elif mode == "HSV":
        result[:] = _quantise(_convert(rgb, cv2.COLOR_RGB2HSV) / HSV_SPAN, before, layout)
    else:
        colour = rgb * side[:, None] if mode == "RGBa" and side is not None else rgb
        result[..., :3] = _quantise(colour, before, layout)
    if side is not None and mode in ALPHA_MODES:
        result[..., -1] = _quantise(side, before, layout)
    if side is not None and layout.key is not None:
        _keep_clear_of_key(result, side, layout)
    return result


def _unit(samples: AnyArray, layout: Layout) -> FloatArray:
    """Scale samples to [0, 1]."""
    if layout.low == 0 and layout.high == 1:
        return samples.astype(np.float32)
    if layout.high - layout.low <= 65535 and layout.low == 0:
        return np.divide(samples, np.float32(layout.high), dtype=np.float32)
    return ((samples.astype(np.float64) - layout.low) / (layout.high - layout.low)).astype(np.float32)


def _quantise(unit: AnyArray, like: AnyArray, layout: Layout) -> AnyArray:
    """Scale [0, 1] to samples of the dtype of `like`, rounded to the nearest and never outside [low, high]."""
    if like.dtype == np.bool_:
        return unit >= 0.5
    values = layout.low + np.clip(unit, 0, 1).astype(np.float64) * (layout.high - layout.low)
    return values.astype(like.dtype) if like.dtype.kind == "f" else np.rint(values).astype(like.dtype)


def _divide(colour: FloatArray, share: AnyArray) -> FloatArray:
    """Divide, clipped to [0, 1]; 0 where the share is 0 (nothing is known of the colour there)."""
    return np.clip(np.divide(colour, share, out=np.zeros_like(colour), where=share > 0), 0, 1)


def _convert(colour: FloatArray, code: int) -> FloatArray:
    """Run an OpenCV colour conversion on any leading shape, clipped to [0, 1] only where the result is RGB."""
    rows = np.ascontiguousarray(colour, np.float32).reshape(-1, 1, 3)
    if not len(rows):
        return colour.astype(np.float32)
    result = np.asarray(cv2.cvtColor(rows, code), np.float32).reshape(colour.shape)
    return np.clip(result, 0, 1) if code in (cv2.COLOR_Lab2RGB, cv2.COLOR_HSV2RGB) else result


def _nearest_index(rgb: FloatArray, side: FloatArray | None, result: AnyArray, layout: Layout) -> None:
    """Write into `result` the indices of the palette colours nearest to `rgb`."""
    assert layout.palette is not None
    index = result[..., 0] if layout.mode == "PA" else result
    wanted, table = rgb, layout.palette[: max(layout.colours, 1), :3]
    if layout.mode == "P" and side is not None:
        # Colours count as much as they are seen: compare RGB times alpha, and alpha.
        table = layout.palette[: max(layout.colours, 1)]
        table = np.concatenate([table[:, :3] * table[:, 3:], table[:, 3:]], axis=1)
        wanted = np.concatenate([rgb * side[:, None], side[:, None]], axis=1)
    length = (table**2).sum(axis=1)
    for start in range(0, len(wanted), NEAREST_CHUNK_PX):
        part = slice(start, start + NEAREST_CHUNK_PX)
        index[part] = np.argmin(length - 2 * (wanted[part] @ table.T), axis=1)


def _palette(image: PilImage.Image) -> tuple[FloatArray, int]:
    """Read the palette as RGBA in [0, 1], shape (256, 4), and how many entries are real."""
    entries = np.asarray(image.getpalette("RGBA") or [], np.float32).reshape(-1, 4)[:256] / 255
    table = np.zeros((256, 4), np.float32)
    table[:, 3] = 1
    table[: len(entries)] = entries
    see_through = image.info.get("transparency")
    if isinstance(see_through, bytes):
        alphas = np.frombuffer(see_through, np.uint8)[:256]
        table[: len(alphas), 3] = alphas.astype(np.float32) / 255
    elif isinstance(see_through, int) and 0 <= see_through < 256:
        table[see_through, 3] = 0
    return table, len(entries)


def _colour_key(image: PilImage.Image) -> tuple[int, ...] | None:
    """Read the one see-through colour of a picture without alpha, in samples."""
    key = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(key, tuple) and len(key) == 3:
        return tuple(int(value) for value in key)
    if image.mode in ("1", "L", "I", "I;16") and isinstance(key, int):
        return (int(key),)
    return None


def _matches_key(samples: AnyArray, layout: Layout) -> AnyArray:
    assert layout.key is not None
    if len(layout.key) == 1:
        return samples == layout.key[0]
    return (samples == np.array(layout.key)).all(axis=-1)


def _keep_clear_of_key(samples: AnyArray, side: FloatArray, layout: Layout) -> None:
    """See to it that, in place, exactly the pixels with `side` below a half have the see-through colour."""
    assert layout.key is not None
    clear = side < 0.5
    clash = _matches_key(samples, layout) & ~clear
    samples[clear] = np.array(layout.key)
    coloured = samples.ndim == 2
    plane = samples[..., 1] if coloured else samples  # one step of green, or of grey, is not seen
    value = layout.key[1 if coloured else 0]
    plane[clash] = value + 1 if value < layout.high else value - 1


def _guess_range(samples: AnyArray) -> tuple[float, float]:
    """Find what black and white are in a 32-bit picture, which does not say: 0 and 1, 255 or 65535, else its own range.

    Raises:
        ImageError: If a value is not finite.
    """
    least, most = float(samples.min()), float(samples.max())
    if not (np.isfinite(least) and np.isfinite(most)):
        raise ImageError("a picture must have finite values; got NaN or infinity. Replace them with np.nan_to_num.")
    if least >= 0 and samples.dtype.kind == "f" and most <= 1:
        return 0.0, 1.0
    if least >= 0 and most <= 255:
        return 0.0, 255.0
    if least >= 0 and most <= 65535:
        return 0.0, 65535.0
    return least, max(most, least + 1.0)
