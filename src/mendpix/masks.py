"""Masks: everything that thresholds, grows, shrinks, softens or questions one. Knows no models and no compositing.

A hole is float32, shape (H, W), exactly 1 = hole (fill), 0 = known; in files the hole is white.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from mendpix.errors import ImageError, MaskError, ShapeError
from mendpix.image_modes import GREY_MODES, side_plane
from mendpix.images import PictureSource, read_picture
from mendpix.types import AnyArray, FloatArray, Mask

THRESHOLD = 0.5
"""Share of white from which a pixel is hole. The only threshold in the project."""

GREY_FROM, GREY_TO = 0.15, 0.85
"""What counts as grey, neither hole nor known, when a mask is told from a photo."""

GREY_SHARE_FINE = 0.25
"""Share of grey pixels that a mask may have whatever they look like: smooth edges, JPEG noise, soft brushes."""

GREY_SHARE_FINE_PRINT = 0.5
"""The same for a colourless mask that is mostly plain black and white: dense small print, badly compressed."""

PLAIN_SHARE = 0.45
"""Share of pixels within `PLAIN_MARGIN` of black or white that few photos have."""

PLAIN_MARGIN = 0.06
"""How far from black or white a plain pixel may be, of 1: JPEG noise."""

COLOUR = 0.03
"""Mean difference between a pixel's strongest and weakest channel from which a picture is coloured, of 1."""

GREY_SHARE_PHOTO = 0.8
"""Share of grey pixels above which it is no mask."""

PHOTO_BUMPS = 0.004
"""Share of a photo's grey pixels that are peaks or pits, at least; the slopes of a soft brush have next to none."""

PHOTO_SIDE_PX = 512
"""Size to which a mask is scaled down before peaks and pits are counted, px."""

SMALL_PX = 1024
"""Below this many pixels nothing can be said about a mask's looks."""


@dataclass(frozen=True)
class Component:
    """Say where one connected piece of a hole lies."""

    top: int
    """First row, px."""
    left: int
    """First column, px."""
    height: int
    """Rows, px."""
    width: int
    """Columns, px."""
    area_px: int
    """Pixels in the piece."""
    thickness_px: float
    """Diameter of the largest disc that fits into it, px; the border of the picture is no border of the hole."""

    @property
    def box(self) -> tuple[slice, slice]:
        """Give the rows and columns, to index an array with."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def read_mask(
    source: PictureSource,
    size: tuple[int, int],
    *,
    invert: bool = False,
    dilate_px: float = 0,
    may_be_empty: bool = False,
) -> Mask:
    """Read the hole of a picture from a file, a Pillow image or an array.

    Colour counts by its strongest channel; what is see-through counts as black.

    Args:
        source: As in `read_picture`; integer arrays may also hold 0 and 1.
        size: (H, W) of the upright picture.
        invert: Take black as the hole instead of white.
        dilate_px: Grow the hole by this radius, px; 0 = leave it.
        may_be_empty: Take a mask without a hole, too.

    Returns:
        1 = hole, 0 = known, float32, shape (H, W).

    Raises:
        MaskError: If it has another size, is empty or full, looks like a photo, or holds NaN.
        ImageError: If a file cannot be read.
        ShapeError: If an array is neither a plane nor a picture.

    Example:
        >>> read_mask(np.array([[0, 255], [0, 0]], np.uint8), (2, 2)).sum()
        np.float32(1.0)
    """
    strength, coloured = _read_strength(source, "the mask")
    _check_size(strength.shape, size, "the mask")
    if _looks_like_photo(strength, coloured):
        raise MaskError(
            "the mask must be black and white; got something that looks like a photo. Were picture and mask swapped, or"
            " is it a photo with marks laid over it? Otherwise draw the hole in plain white on black."
        )
    hole = binarise(strength)
    if invert:
        hole = 1 - hole
    if not hole.any() and not may_be_empty:
        brightest = strength.min() if invert else strength.max()
        raise MaskError(
            f"the mask must have {'black' if invert else 'white'} pixels where the picture is to be filled; got none"
            f" (the {'darkest' if invert else 'brightest'} is {brightest:.0%} white). Draw the hole, or take"
            f" {'white' if invert else 'black'} as the hole (--invert-mask, or invert_mask=True)."
        )
    if hole.all():
        raise MaskError(
            "the mask must leave some of the picture known; got one that is all hole."
            f" Leave some {'white' if invert else 'black'}, or take the other colour as the hole"
            " (--invert-mask, or invert_mask=True)."
        )
    if dilate_px:
        hole = dilate(hole, dilate_px)
        if hole.all():
            raise MaskError(
                f"the mask must leave some of the picture known; grown by {dilate_px} px it covers all. Grow it less."
            )
    return hole


def read_excluded(source: PictureSource, size: tuple[int, int]) -> Mask:
    """Read what may not be copied from, as `read_mask` reads a hole; it may be empty.

    Args:
        source: As in `read_picture`; integer arrays may also hold 0 and 1.
        size: (H, W) of the upright picture.

    Returns:
        1 = excluded, float32, shape (H, W).

    Raises:
        MaskError: If it has another size, looks like a photo, or holds NaN.
        ImageError: If a file cannot be read.
        ShapeError: If an array is neither a plane nor a picture.
    """
    strength, coloured = _read_strength(source, "what is excluded")
    _check_size(strength.shape, size, "what is excluded")
    if _looks_like_photo(strength, coloured):
        raise MaskError(
            "what is excluded must be a black and white mask; got something that looks like a photo. Draw in plain"
            " white on black what may not be copied."
        )
    return binarise(strength)


def binarise(array: AnyArray) -> Mask:
    """Make a plane exactly 0 or 1: a half or more is hole.

    Args:
        array: Shape (H, W); bool, uint8 and uint16 by their full range, floats in [0, 1].

    Raises:
        ShapeError: If it is no such plane.
    """
    if array.ndim != 2:
        raise ShapeError(f"a mask must be (H, W); got {array.shape}. Take a single plane, for instance mask[0].")
    if array.dtype == np.bool_:
        return array.astype(np.float32)
    if array.dtype.kind == "u" and array.dtype.itemsize <= 2:
        return (array >= THRESHOLD * np.iinfo(array.dtype).max).astype(np.float32)
    if array.dtype.kind != "f":
        raise ShapeError(f"a mask must be bool, uint8, uint16 or float; got {array.dtype}. Compare it: mask > 0.")
    if array.size and not (array.min() >= 0 and array.max() <= 1):  # a NaN fails both comparisons
        raise ShapeError(
            f"a float mask must be in [0, 1]; got values from {array.min()} to {array.max()}. Divide by 255."
        )
    return (array >= THRESHOLD).astype(np.float32)


def dilate(hole: Mask, px: float) -> Mask:
    """Grow a hole by a disc: every pixel at most `px` away from it becomes hole.

    Args:
        hole: 1 = hole, 0 = known, shape (H, W).
        px: Radius, px, at least 0.

    Raises:
        ShapeError: If `px` is negative.
    """
    if not px >= 0:
        raise ShapeError(f"a mask can grow by 0 px or more; got {px}. Draw a smaller hole to shrink it.")
    if px == 0 or not hole.any():
        return hole.copy()
    return (_distance_to_hole(hole) <= px + 1e-3).astype(np.float32)


def feather(hole: Mask, px: float) -> FloatArray:
    """Soften a hole's edge outwards: 1 in the hole, falling smoothly to 0 at `px` from it.

    The hole itself stays 1, since nothing is known there to blend with.

    Args:
        hole: 1 = hole, 0 = known, shape (H, W).
        px: Width of the soft edge, px, at least 0.

    Returns:
        In [0, 1], float32, shape (H, W); 0 from `px` on.

    Raises:
        ShapeError: If `px` is negative.
    """
    if not px >= 0:
        raise ShapeError(f"an edge can be 0 px or more wide; got {px}. Give a positive width.")
    if px == 0 or not hole.any():
        return hole.copy()
    share = np.clip(1 - _distance_to_hole(hole) / np.float32(px), 0, 1)
    return (share * share * (3 - 2 * share)).astype(np.float32)  # smoothstep: no crease at either end


def hole_share(hole: Mask) -> float:
    """Give the share of a picture that is hole, in [0, 1]."""
    return float(np.count_nonzero(hole) / hole.size) if hole.size else 0.0


def components(hole: Mask) -> tuple[Component, ...]:
    """Find the connected pieces of a hole (corners connect), from top to bottom.

    Args:
        hole: 1 = hole, 0 = known, shape (H, W).
    """
    bits = (hole > 0).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(bits, connectivity=8)
    depth = _distance_to_known(hole)
    pieces: list[Component] = []
    for label in range(1, count):
        left, top, width, height, area = (int(value) for value in stats[label])
        box = slice(top, top + height), slice(left, left + width)
        radius = float(depth[box][labels[box] == label].max())
        pieces.append(Component(top, left, height, width, area, max(2 * radius - 1, 1)))
    return tuple(pieces)


def resize_hole(hole: Mask, size: tuple[int, int]) -> Mask:
    """Resize a hole so that nothing of it is lost: a pixel is hole if any of the area it stands for is.

    Args:
        hole: 1 = hole, 0 = known, shape (H, W).
        size: (height, width) wanted, px.

    Returns:
        1 = hole, 0 = known, float32, shape `size`.
    """
    bits = hole > 0
    for axis, length in enumerate(size):
        old = bits.shape[axis]
        # New pixel i covers the old ones from floor(i * old / length) up to ceil((i + 1) * old / length).
        index = np.arange(length)
        first, last = index * old // length, -(-(index + 1) * old // length)
        total = np.cumsum(bits, axis=axis, dtype=np.int64)
        total = np.insert(total, 0, 0, axis=axis)
        bits = np.take(total, last, axis=axis) > np.take(total, first, axis=axis)
    return bits.astype(np.float32)


def _distance_to_hole(hole: Mask) -> FloatArray:
    """Measure how far each pixel is from the hole, px; the hole must not be empty."""
    return np.asarray(
        cv2.distanceTransform((hole == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32
    )


def _distance_to_known(hole: Mask) -> FloatArray:
    """Measure how far each pixel of the hole is from a known one, px; at most the picture's diagonal."""
    if hole.all():
        return np.full(hole.shape, np.hypot(*hole.shape), np.float32)
    return np.asarray(
        cv2.distanceTransform((hole > 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32
    )


def _read_strength(source: PictureSource, name: str) -> tuple[FloatArray, bool]:
    """Read how white each pixel is, in [0, 1], float32, shape (H, W), and whether there is colour.

    `name` is what errors call it, here and below.
    """
    if isinstance(source, np.ndarray):
        source = _tidy_array(source, name)
    try:
        picture = read_picture(source)
    except (ImageError, ShapeError) as error:
        raise type(error)(f"{name} cannot be used: {error}") from error
    red, green, blue = (picture.rgb[..., channel] for channel in range(3))
    strength, coloured = red.copy(), False
    if picture.layout.mode not in GREY_MODES:
        strength = np.maximum(np.maximum(red, green), blue)
        coloured = bool((strength - np.minimum(np.minimum(red, green), blue)).mean() > COLOUR)
    if picture.layout.mode != "CMYK":
        alpha = side_plane(picture.samples, picture.layout)
        strength = strength if alpha is None else strength * alpha
    # Label pictures count: 0 = known, 1 = hole. Nobody draws a mask in two shades of black.
    if picture.samples.dtype.kind in "ui" and 0 < strength.max() <= 1.5 / 255 and picture.samples.max() == 1:
        strength = strength / strength.max()
    return strength, coloured


def _tidy_array(array: AnyArray, name: str) -> AnyArray:
    """Bring the kinds of arrays that only masks come in to those of pictures: (1, H, W), and integers 0 to 1 or 255."""
    if array.ndim == 3 and array.shape[0] == 1 and array.shape[2] > 4:
        array = array[0]
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise MaskError(f"{name} must have finite values; got NaN or infinity. Replace them with np.nan_to_num.")
    if array.dtype.kind in "iu" and array.dtype != np.uint16 and array.size and array.min() >= 0 and array.max() <= 255:
        return array.astype(np.uint8)
    return array


def _check_size(got: tuple[int, ...], size: tuple[int, int], name: str) -> None:
    if got == tuple(size):
        return
    turned = (
        " It has the size of the picture before its EXIF orientation turned it upright." if got == size[::-1] else ""
    )
    way_out = (
        "Draw it on the upright picture." if turned else "Make it from the picture, or resize it without smoothing."
    )
    raise MaskError(
        f"{name} must have the size of its picture, {size[1]} × {size[0]} (width × height); got {got[1]} × {got[0]}."
        f"{turned} {way_out}"
    )


def _looks_like_photo(strength: FloatArray, coloured: bool) -> bool:
    """Tell a photo from a mask by its greys: many of them, and not just smooth slopes between black and white.

    Measured on 773 photos, of which 97 % are told, and on drawn, soft, anti-aliased and JPEG-compressed masks, all let
    through: a photo taken for a mask does less harm than a mask that is refused.
    """
    if strength.size < SMALL_PX:
        return False
    grey_share = _is_grey(strength).mean()
    if grey_share <= GREY_SHARE_FINE:
        return False
    if grey_share > GREY_SHARE_PHOTO:
        return True
    # Few photos without colour are that plain.
    plain_share = 1 - ((strength > PLAIN_MARGIN) & (strength < 1 - PLAIN_MARGIN)).mean()
    if not coloured and grey_share <= GREY_SHARE_FINE_PRINT and plain_share > PLAIN_SHARE:
        return False
    scale = PHOTO_SIDE_PX / max(strength.shape)
    if scale < 1:
        size = (max(round(strength.shape[1] * scale), 1), max(round(strength.shape[0] * scale), 1))
        strength = np.asarray(cv2.resize(strength, size, interpolation=cv2.INTER_AREA), np.float32)
    smooth = np.asarray(cv2.GaussianBlur(strength, (0, 0), 1.5), np.float32)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    peaks = smooth >= np.asarray(cv2.dilate(smooth, disc))
    pits = smooth <= np.asarray(cv2.erode(smooth, disc))
    grey = _is_grey(smooth)
    return bool(((peaks ^ pits) & grey).sum() > PHOTO_BUMPS * grey.sum())


def _is_grey(strength: FloatArray) -> AnyArray:
    return (strength > GREY_FROM) & (strength < GREY_TO)
