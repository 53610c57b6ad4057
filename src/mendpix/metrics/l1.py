"""Measure the mean absolute difference of two pictures, in the four meanings that papers give to "l1 %".

The four differ by factors of two and more and cannot be compared with each other. Only `l1_hole` knows of holes: give
the others composites.
"""

import math

import numpy as np

from mendpix.errors import ShapeError
from mendpix.metrics.grey import to_grey
from mendpix.metrics.pair import check_pair
from mendpix.types import Image, Mask


def l1(prediction: Image, target: Image) -> float:
    """Compute the mean of |prediction - target| over all pixels and channels, in percent; less is better.

    Unit: percent of the data range (1). The mean runs over the whole picture, hole and known pixels alike, and is not
    divided by the picture's own brightness; papers print other numbers under the same name (relative to the sum of
    either picture, or over the hole alone). Source: the l1 loss of Liu et al. 2018, https://arxiv.org/abs/1804.07723.

    Args:
        prediction: RGB in [0, 1], shape (H, W, 3).
        target: The same shape and range.

    Returns:
        Percentage, 0 to 100.

    Raises:
        ShapeError: If the pictures are not two float arrays of one shape (H, W, 3).

    Example:
        >>> round(l1(np.full((4, 4, 3), 0.6), np.full((4, 4, 3), 0.5)), 6)
        10.0
    """
    check_pair(prediction, target)
    return 100 * float(np.mean(np.abs(np.subtract(prediction, target, dtype=np.float64))))


def l1_hole(prediction: Image, target: Image, hole: Mask) -> float:
    """Compute the mean of |prediction - target| over the pixels of the hole and all channels, in percent.

    Unit: percent of the data range (1); less is better. What lies outside the hole is ignored, so composite and raw
    prediction give the same. It is `l1` of the composite divided by the share of the hole. Source: MMagic's `MAE` with
    a mask, https://github.com/open-mmlab/mmagic.

    Args:
        prediction: RGB in [0, 1], shape (H, W, 3).
        target: The same shape and range.
        hole: 1 = hole, 0 = known, shape (H, W).

    Returns:
        Percentage, 0 to 100; NaN if the hole is empty.

    Raises:
        ShapeError: If the pictures are not two float arrays of one shape (H, W, 3), or the hole has another size.

    Example:
        >>> target, prediction, hole = np.zeros((1, 2, 3)), np.full((1, 2, 3), 0.5), np.array([[0, 1]])
        >>> l1(prediction * hole[..., None], target), l1_hole(prediction, target, hole)
        (25.0, 50.0)
    """
    check_pair(prediction, target)
    if hole.shape != target.shape[:2]:
        raise ShapeError(f"hole must be {target.shape[:2]} like its picture; got {hole.shape}. Resize it first.")
    inside = hole > 0
    if not inside.any():
        return math.nan
    return 100 * float(np.mean(np.abs(np.subtract(prediction[inside], target[inside], dtype=np.float64))))


def l1_relative_to_sum(prediction: Image, target: Image, *, grey: bool = False) -> float:
    """Compute the sum of |prediction - target| divided by the sum of prediction + target, in percent; less is better.

    Depends on how bright the pictures are: the same difference counts more in a dark one. About half of
    `l1_relative_to_target`, since the sum is over both. Source: the published evaluations of EdgeConnect (on grey),
    https://github.com/knazeri/edge-connect, and PEN-Net, https://github.com/researchmm/PEN-Net-for-Inpainting.

    Args:
        prediction: RGB in [0, 1], shape (H, W, 3).
        target: The same shape and range.
        grey: Measure one channel, grey by `metrics.grey`, in the place of three.

    Returns:
        Percentage, 0 to 100; 0 for equal pictures, also for two black ones.

    Raises:
        ShapeError: If the pictures are not two float arrays of one shape (H, W, 3).

    Example:
        >>> round(l1_relative_to_sum(np.full((4, 4, 3), 0.6), np.full((4, 4, 3), 0.4)), 6)
        20.0
    """
    check_pair(prediction, target)
    first, second = (to_grey(prediction), to_grey(target)) if grey else (prediction, target)
    total = float(np.sum(first, dtype=np.float64) + np.sum(second, dtype=np.float64))
    return _percent_of(total, float(np.sum(np.abs(np.subtract(first, second, dtype=np.float64)))))


def l1_relative_to_target(prediction: Image, target: Image) -> float:
    """Compute the sum of |prediction - target| divided by the sum of target, in percent; less is better.

    Depends on how bright the target is: the same difference counts more in a dark one. Source: DeepFill, by its
    author's word, https://github.com/JiahuiYu/generative_inpainting/issues/146.

    Args:
        prediction: RGB in [0, 1], shape (H, W, 3).
        target: The same shape and range.

    Returns:
        Percentage, at least 0, more than 100 if the difference is larger than the target; 0 for equal pictures, also
        for two black ones; NaN if the target alone is black.

    Raises:
        ShapeError: If the pictures are not two float arrays of one shape (H, W, 3).

    Example:
        >>> round(l1_relative_to_target(np.full((4, 4, 3), 0.6), np.full((4, 4, 3), 0.4)), 6)
        50.0
    """
    check_pair(prediction, target)
    difference = float(np.sum(np.abs(np.subtract(prediction, target, dtype=np.float64))))
    return _percent_of(float(np.sum(target, dtype=np.float64)), difference)


def _percent_of(whole: float, part: float) -> float:
    """Return 0 for 0 of anything; NaN for something of nothing."""
    if part == 0:
        return 0.0
    return 100 * part / whole if whole > 0 else math.nan
