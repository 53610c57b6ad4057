"""A picture with a hole at several sizes, each half of the one before. Pixels and masks only; copies nothing."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mendpix.types import FloatArray, Image

Flags = NDArray[np.bool_]
"""One truth value per pixel, shape (H, W)."""


@dataclass(frozen=True)
class Level:
    """One size of the picture."""

    image: Image
    """RGB, shape (H, W, 3); what lies in the hole is never read."""
    missing: Flags
    """True where to fill."""
    usable: Flags
    """True where pixels may be copied from: known as a whole, and not excluded."""


def halve(level: Level) -> Level:
    """Halve a level; a coarse pixel is the mean of those of its four pixels that are known.

    Args:
        level: Any level.

    Returns:
        Level of size (⌈H/2⌉, ⌈W/2⌉): missing where more than half is missing, or anything if that leaves nothing
        missing at all; usable where all is usable.
    """
    known = (~level.missing).astype(np.float32)
    share = _area(known)
    total = _area(np.where(level.missing[..., None], np.float32(0), level.image))
    image = total / np.maximum(share, np.float32(1e-6))[..., None]
    missing = share < 0.5
    if not missing.any():  # lines and specks must not get lost
        missing = share < 0.999
    return Level(image.astype(np.float32, copy=False), missing, _area(level.usable.astype(np.float32)) > 0.999)


def texture_of(level: Level, radius_px: int) -> FloatArray:
    """Measure how strong the gradients are around each pixel.

    Colours alone do not tell a lawn from a wall once a picture is small. These two values do, and being copied along
    with the colours they keep a fill from fading (Newson et al. 2014, https://doi.org/10.1137/140954933).

    Args:
        level: A level.
        radius_px: How far around a pixel is looked.

    Returns:
        Mean absolute difference to the next pixel across and down, among known pixels, shape (H, W, 2).
    """
    red, green, blue = (level.image[..., channel] for channel in range(3))
    grey = np.float32(0.299) * red + np.float32(0.587) * green + np.float32(0.114) * blue
    inner = cv2.erode((~level.missing).astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.float32)
    size = (2 * radius_px + 1, 2 * radius_px + 1)
    weight = np.asarray(cv2.blur(inner, size), np.float32)
    strengths: list[FloatArray] = []
    for across, down in ((1, 0), (0, 1)):
        slope = np.abs(np.asarray(cv2.Sobel(grey, -1, across, down, ksize=1), np.float32)) * inner
        strengths.append(np.asarray(cv2.blur(slope, size) / np.maximum(weight, 1e-4), np.float32))
    return np.stack(strengths, axis=2) * (weight > 1e-3)[..., None]


def _area(array: FloatArray) -> FloatArray:
    """Mean of each 2 x 2 cell; odd sides are continued."""
    height, width = array.shape[:2]
    even = cv2.copyMakeBorder(array, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(even, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA), np.float32)
