"""Measure the structural similarity of two pictures. Knows nothing of holes: give it composites."""

from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from mendpix.errors import ShapeError
from mendpix.metrics.pair import check_pair
from mendpix.types import Image

WINDOW_PX = 11
"""Side of the Gaussian window."""

SIGMA_PX = 1.5
"""Width of the Gaussian window."""

_C1 = 0.01**2  # constants of the paper, for a data range of 1
_C2 = 0.03**2


def ssim(prediction: Image, target: Image) -> float:
    """Compute the mean structural similarity index; more is better, 1 = equal.

    Gaussian window of 11 × 11 pixels with sigma 1.5, population covariance, data range 1, k1 = 0.01, k2 = 0.03; mean
    over the pixels whose window lies inside the picture (a border of 5 pixels is left out) and over the three colour
    channels, each measured by itself. Source: Wang et al. 2004, https://doi.org/10.1109/TIP.2003.819861.

    Args:
        prediction: RGB in [0, 1], shape (H, W, 3), at least 11 × 11.
        target: The same shape and range.

    Returns:
        Index in [-1, 1], without a unit.

    Raises:
        ShapeError: If the pictures are not two float arrays of one shape (H, W, 3), or are smaller than the window.

    Example:
        >>> ssim(np.zeros((16, 16, 3)), np.zeros((16, 16, 3)))
        1.0
    """
    check_pair(prediction, target)
    if min(prediction.shape[:2]) < WINDOW_PX:
        raise ShapeError(
            f"prediction and target must be at least {WINDOW_PX} × {WINDOW_PX}, the window; got {prediction.shape}. "
            "Measure a smaller picture by psnr or l1."
        )
    x, y = np.asarray(prediction, np.float64), np.asarray(target, np.float64)
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x * mean_x
    variance_y = _blur(y * y) - mean_y * mean_y
    covariance = _blur(x * y) - mean_x * mean_y
    index = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
    index /= (mean_x * mean_x + mean_y * mean_y + _C1) * (variance_x + variance_y + _C2)
    return float(index.mean())


def _blur(channels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average within the window, at its positions inside the picture only."""
    kernel = cv2.getGaussianKernel(WINDOW_PX, SIGMA_PX, cv2.CV_64F)
    blurred = cast(Any, cv2.sepFilter2D(channels, cv2.CV_64F, kernel, kernel))
    edge = WINDOW_PX // 2
    return blurred[edge:-edge, edge:-edge]
