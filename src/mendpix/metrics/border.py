"""Measure how far two pictures are apart near the border of a hole, where seams show."""

import math
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from mendpix.errors import ShapeError
from mendpix.metrics.pair import check_pair
from mendpix.types import Image, Mask

WIDTH_PX = 8
"""How far the band reaches to either side of the border unless the caller says otherwise, px."""

_ROUNDING = 1e-3  # distances come in single precision; those that matter are square roots of whole numbers


def border_mae(prediction: Image, target: Image, hole: Mask, width_px: float = WIDTH_PX) -> float:
    """Compute the mean of |prediction - target| over a band on both sides of the hole's border, in percent.

    Unit: percent of the data range (1); less is better. The mean runs over the pixels of `border_band` and all
    channels. Of a composite, the band's outer part is equal to the target by construction; a raw prediction shows
    there how well it reproduces what it was given. This project's own measure.

    Args:
        prediction: RGB in [0, 1], shape (H, W, 3).
        target: The same shape and range.
        hole: 1 = hole, 0 = known, shape (H, W).
        width_px: How far the band reaches to either side, px, at least 1.

    Returns:
        Percentage, 0 to 100; NaN if there is no border: the hole is empty, or the whole picture.

    Raises:
        ShapeError: If the pictures are not two float arrays of one shape (H, W, 3), the hole has another size, or
            `width_px` is less than 1.

    Example:
        >>> target, hole = np.zeros((1, 8, 3)), np.array([[0, 0, 0, 0, 1, 1, 1, 1]])
        >>> border_mae(target + 0.5 * hole[..., None], target, hole, width_px=2)  # half of four pixels are off by half
        25.0
    """
    check_pair(prediction, target)
    if hole.shape != target.shape[:2]:
        raise ShapeError(f"hole must be {target.shape[:2]} like its picture; got {hole.shape}. Resize it first.")
    band = border_band(hole, width_px)
    if not band.any():
        return math.nan
    return 100 * float(np.mean(np.abs(np.subtract(prediction[band], target[band], dtype=np.float64))))


def border_band(hole: Mask, width_px: float = WIDTH_PX) -> NDArray[np.bool_]:
    """Mark the pixels near the border of a hole.

    A pixel of the hole belongs to the band if the nearest known pixel is at most `width_px` away, a known pixel if the
    nearest pixel of the hole is; distances are Euclidean, from centre to centre, so that a width of 1 marks one pixel
    to either side of a straight border. The edge of the picture is no border of the hole.

    Args:
        hole: 1 = hole, 0 = known, shape (H, W).
        width_px: How far the band reaches to either side, px, at least 1.

    Returns:
        True in the band, shape (H, W); False everywhere if the hole is empty or the whole picture.

    Raises:
        ShapeError: If `hole` is not (H, W) or `width_px` is less than 1.
    """
    if hole.ndim != 2:
        raise ShapeError(f"hole must be (H, W); got {hole.shape}. Take a single plane.")
    if not width_px >= 1:
        raise ShapeError(f"a band must be at least 1 px wide; got {width_px}. The usual width is {WIDTH_PX}.")
    inside = hole > 0
    if not inside.any() or inside.all():
        return np.zeros(hole.shape, np.bool_)
    return _distance(inside) + _distance(~inside) <= width_px + _ROUNDING


def _distance(marked: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Measure how far each marked pixel is from one that is not marked, px; 0 for the others."""
    return cast(Any, cv2.distanceTransform(marked.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE))
