"""Cut out what lies around a hole, in one size for all, so that networks can compare fills of holes of any size."""

import cv2
import numpy as np

from mendpix.errors import ShapeError
from mendpix.types import Image, Mask

SIDE_PX = 224
"""Height and width to which every crop is brought, px: those of the pictures that SqueezeNet learnt from."""

MARGIN = 0.125
"""Known pixels left around the hole on every side, as a share of its longer side."""


def crop_around_hole(image: Image, hole: Mask, side_px: int = SIDE_PX, margin: float = MARGIN) -> Image:
    """Cut out a square around the hole, as far as the picture reaches, and bring it to one size.

    The square has the hole's longer side and the margin on both ends, and the middle of the hole's bounding box in its
    middle; near the picture's edge it is moved inwards. Where it is longer than a side of the picture, all of that side
    is taken, and the crop is stretched to a square. Resized by OpenCV: by area where it shrinks, bilinear otherwise.

    Args:
        image: RGB in [0, 1], shape (H, W, 3).
        hole: 1 = hole, 0 = known, shape (H, W).
        side_px: Height and width of the result, px.
        margin: As a share of the hole's longer side, at least 0.

    Returns:
        New array, RGB in [0, 1], shape (side_px, side_px, 3); the whole picture, resized, if the hole is empty.

    Raises:
        ShapeError: If the hole has another size than the picture, or a number makes no sense.

    Example:
        >>> image, hole = np.zeros((60, 80, 3), np.float32), np.zeros((60, 80), np.float32)
        >>> hole[20:30, 40:56] = 1
        >>> crop_around_hole(image, hole).shape
        (224, 224, 3)
    """
    if image.ndim != 3 or hole.shape != image.shape[:2]:
        raise ShapeError(f"hole must be {image.shape[:2]} like its picture; got {hole.shape}. Resize it first.")
    if side_px < 1 or not margin >= 0:
        raise ShapeError(f"side_px must be at least 1 and margin at least 0; got {side_px} and {margin}.")
    rows, columns = _box(hole, margin)
    cut = np.ascontiguousarray(image[rows, columns], np.float32)
    shrinks = cut.shape[0] * cut.shape[1] > side_px * side_px
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.clip(np.asarray(cv2.resize(cut, (side_px, side_px), interpolation=way), np.float32), 0, 1)


def _box(hole: Mask, margin: float) -> tuple[slice, slice]:
    """Give rows and columns of the square, as far as the picture reaches."""
    if not hole.any():
        return slice(0, hole.shape[0]), slice(0, hole.shape[1])
    ends = [np.flatnonzero(hole.any(axis=1 - axis))[[0, -1]].tolist() for axis in (0, 1)]
    longest = max(last - first + 1 for first, last in ends)
    square = round(longest * (1 + 2 * margin))
    found: list[slice] = []
    for (first, last), length in zip(ends, hole.shape, strict=True):
        side = min(square, length)
        start = min(max((first + last + 1 - side) // 2, 0), length - side)
        found.append(slice(start, start + side))
    return found[0], found[1]
