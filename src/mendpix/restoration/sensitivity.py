"""From how much speaks for damage to a mask: what is plain seeds it, what is fainter beside it is taken along.

Knows no finder and no picture.
"""

import math
from numbers import Real

import cv2
import numpy as np

from mendpix.errors import InputError
from mendpix.masks import dilate
from mendpix.types import Map, Mask

SENSITIVITY = 0.5
"""The default: damage is what is above the finder's own threshold."""

SPAN = 3.0
"""By how much the logarithm of the odds asked for rises if the sensitivity falls to 0, and falls if it rises to 1."""

FOLLOWED = 1.5
"""Damage is followed from where it is plain into what has lower odds, down to this much less in their logarithm."""

LEAST_AREA_PX = 4
"""Marks with fewer pixels are dropped, in pictures of up to `SIDE_PX`; in larger ones in proportion to their side."""

GROWTH_PX = 1.0
"""Marks are grown by this much, px, in pictures of up to `SIDE_PX`; in larger ones in proportion to their side."""

SIDE_PX = 1024
"""Longest side of the picture that the last two are said for, px."""


def mark(evidence: Map, sensitivity: float = SENSITIVITY, *, exact: bool = False) -> Mask:
    """Decide which pixels are damaged.

    Args:
        evidence: How much speaks for damage, in [0, 1], where 0.5 is the finder's own threshold; shape (H, W).
        sensitivity: 0 = mark what is beyond doubt, 1 = mark what is barely suspected.
        exact: Decide pixel by pixel, each for itself: for noise, whose marks are single pixels.

    Returns:
        1 = damaged, 0 = sound, float32, shape (H, W).

    Raises:
        InputError: If the sensitivity is not between 0 and 1.
    """
    check_sensitivity(sensitivity)
    odds = SPAN * (1 - 2 * sensitivity)
    if exact:
        return (evidence >= _share(odds)).astype(np.float32)
    faint = evidence >= _share(odds - FOLLOWED)
    if not faint.any():
        return np.zeros(evidence.shape, np.float32)
    scale = max(max(evidence.shape) / SIDE_PX, 1)
    count, numbers, stats, _ = cv2.connectedComponentsWithStats(faint.astype(np.uint8), connectivity=8)
    labels = np.asarray(numbers, np.int32)
    kept = np.zeros(count, bool)
    kept[np.unique(labels[evidence >= _share(odds)])] = True
    kept &= stats[:, cv2.CC_STAT_AREA] >= LEAST_AREA_PX * scale
    kept[0] = False  # what is not even faint
    return dilate(kept[labels].astype(np.float32), GROWTH_PX * scale)


def check_sensitivity(sensitivity: float) -> None:
    """Refuse what is no sensitivity.

    Raises:
        InputError: If it is no number between 0 and 1.
    """
    if not isinstance(sensitivity, Real) or not 0 <= sensitivity <= 1:  # a NaN is neither
        raise InputError(f"sensitivity must be between 0 and 1; got {sensitivity!r}. The default is {SENSITIVITY}.")


def _share(odds: float) -> float:
    """Turn the logarithm of odds into a share."""
    return 1 / (1 + math.exp(-odds))
