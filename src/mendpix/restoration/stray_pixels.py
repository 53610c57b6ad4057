"""Impulses by rules: pixels that are like next to none of their eight neighbours (rank-ordered differences)."""

import cv2
import numpy as np

from mendpix.checkpoints import checkpoint
from mendpix.types import FloatArray, Image, Map

ALIKE = 3
"""Neighbours that are compared: the most similar ones of the eight; on an edge there are more, on a thin line two."""

DIFFERENCE = 0.2
"""Mean difference to them from which a pixel is stray, of 1 = from black to white."""

CLUTTER = 1.5
"""How many times the usual difference around it (a median) it must exceed, besides: in grass, every pixel is unlike."""

AROUND_PX = 9
"""Side of the square in which that is looked at, px."""

STEEPNESS = 3.0
"""How fast evidence grows with the difference: power of the odds."""


def noise_map(image: Image) -> Map:
    """Tell how much speaks for an impulse at each pixel, in the channel where it is plainest.

    Args:
        image: RGB in [0, 1], shape (H, W, 3).

    Returns:
        In [0, 1], 0.5 = just different enough; float32, shape (H, W).
    """
    best = np.zeros(image.shape[:2], np.float32)
    for channel in range(1 if is_grey(image) else 3):
        checkpoint()
        unlike = _unlike(np.ascontiguousarray(image[..., channel]))
        usual = np.minimum(unlike, np.float32(1)) * 255
        usual = cv2.medianBlur(usual.astype(np.uint8), AROUND_PX).astype(np.float32) / 255
        np.maximum(best, unlike - np.float32(CLUTTER) * usual, out=best)
    power = best**STEEPNESS
    return np.asarray(power / (power + DIFFERENCE**STEEPNESS), np.float32)


def is_grey(image: Image) -> bool:
    """Tell whether all three channels of a picture (H, W, 3) are the same."""
    return bool((image[..., 0] == image[..., 1]).all() and (image[..., 1] == image[..., 2]).all())


def _unlike(plane: FloatArray) -> FloatArray:
    """Measure the mean difference of each pixel to those `ALIKE` of its eight neighbours that it is most like."""
    height, width = plane.shape
    framed = np.pad(plane, 1, mode="symmetric")
    shifts = [(row, column) for row in range(3) for column in range(3) if (row, column) != (1, 1)]
    differences = np.stack([np.abs(framed[r : r + height, c : c + width] - plane) for r, c in shifts])
    differences.partition(ALIKE - 1, axis=0)
    return differences[:ALIKE].mean(axis=0, dtype=np.float32)
