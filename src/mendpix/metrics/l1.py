"""Measure the mean absolute difference of two pictures. Knows nothing of holes: give it composites."""

import numpy as np

from mendpix.metrics.pair import check_pair
from mendpix.types import Image


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
