"""Measure the peak signal-to-noise ratio of two pictures. Knows nothing of holes: give it composites."""

import numpy as np

from mendpix.metrics.grey import to_grey
from mendpix.metrics.pair import check_pair
from mendpix.types import Image

MOST_DB = 100.0
"""What equal pictures get, dB: their ratio is infinite, and one of them must not swallow a mean."""


def psnr(prediction: Image, target: Image, *, grey: bool = False, most_db: float = MOST_DB) -> float:
    """Compute 10 log10(1 / mean squared difference) over all pixels and channels; more is better.

    Unit: dB, for a data range of 1. Capped at `MOST_DB` = 100 dB, which equal pictures get. To report a set, average
    the values of its pictures; that is not the ratio of the averaged error. Definition: ITU-T J.340, on RGB.

    Args:
        prediction: RGB in [0, 1], shape (H, W, 3).
        target: The same shape and range.
        grey: Measure one channel, grey by `metrics.grey`, in the place of three.
        most_db: The cap, dB; `math.inf` for none, as some programs do that then print "inf".

    Returns:
        Ratio in dB.

    Raises:
        ShapeError: If the pictures are not two float arrays of one shape (H, W, 3).

    Example:
        >>> round(psnr(np.full((4, 4, 3), 0.6), np.full((4, 4, 3), 0.5)), 6)
        20.0
    """
    check_pair(prediction, target)
    first, second = (to_grey(prediction), to_grey(target)) if grey else (prediction, target)
    error = float(np.mean(np.square(np.subtract(first, second, dtype=np.float64))))
    return most_db if error == 0 else min(most_db, -10 * float(np.log10(error)))
