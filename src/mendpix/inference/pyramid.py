"""Halve a picture with a hole, and bring a coarse fill back up. Pixels only; knows no engine and no plan.

A coarse pixel is the mean of those of its four that are known, and missing only if none is: nothing of a hole's content
bleeds into the coarse picture, and thin holes close by themselves.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from mendpix.types import FloatArray, Image


def halve_missing(missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Halve a hole.

    Args:
        missing: True in the hole, shape (H, W).

    Returns:
        True where all of the up to four pixels are missing, shape (⌈H/2⌉, ⌈W/2⌉).
    """
    rows, columns = (np.arange(0, length, 2) for length in missing.shape)
    return np.logical_and.reduceat(np.logical_and.reduceat(missing, rows, axis=0), columns, axis=1)


def halve(image: Image, missing: NDArray[np.bool_]) -> Image:
    """Halve a picture by the mean of the known pixels.

    Args:
        image: RGB in [0, 1], shape (H, W, 3); what lies in the hole is ignored.
        missing: True in the hole, shape (H, W).

    Returns:
        RGB in [0, 1], shape (⌈H/2⌉, ⌈W/2⌉, 3); 0 where nothing is known.
    """
    height, width = missing.shape
    size = ((height + 1) // 2, (width + 1) // 2, 1)
    total: Image = np.zeros((*size[:2], 3), np.float32)
    count: FloatArray = np.zeros(size, np.float32)
    for down in (0, 1):
        for across in (0, 1):
            known = ~missing[down::2, across::2, None]
            part = (slice(known.shape[0]), slice(known.shape[1]))
            total[part] += np.where(known, image[down::2, across::2], np.float32(0))
            count[part] += known
    total /= np.maximum(count, 1)
    return total


def double(image: Image, size: tuple[int, int]) -> Image:
    """Bring a coarse picture up one level.

    Args:
        image: RGB, shape (⌈H/2⌉, ⌈W/2⌉, 3).
        size: H and W.

    Returns:
        The picture interpolated linearly, shape (H, W, 3).
    """
    height, width = image.shape[:2]
    doubled = cv2.resize(image, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(doubled, np.float32)[: size[0], : size[1]]
