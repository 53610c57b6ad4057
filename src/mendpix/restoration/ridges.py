"""Scratches by rules: thin ridges, lighter or darker than both of their sides, straight for a while, and alone.

A photo has such ridges, too: brick, branches, hair. But there they come in numbers, so what counts is by how much a
ridge is plainer than the ridges around it.
"""

import cv2
import numpy as np

from mendpix.checkpoints import checkpoint
from mendpix.types import FloatArray, Image, Map

WIDTH_PX = 5
"""Thickest scratch that is looked for, px; thicker ones are found at smaller sizes of the picture."""

LENGTH_PX = 41
"""Shortest straight stretch that tells a scratch, px."""

DIRECTIONS = 24
"""Directions of scratches that are tried, over half a turn."""

SEGMENT_PX = 9
"""Along a ridge, this many pixels are averaged against grain."""

TWO_SIDED = 1.0
"""How much a difference between the two sides of a ridge counts against it: edges have one, scratches do not."""

CONTRAST = 0.2
"""How much a scratch differs from both its sides at least, of 1 = from black to white, at the default sensitivity."""

AROUND_PX = 101
"""Side of the square around a pixel in which ridges are compared, px."""

CLUTTER = 9.0
"""How many times the mean height of the ridges around it a scratch must exceed, besides its own contrast."""

STEEPNESS = 2.0
"""How fast evidence grows with the contrast: power of the odds."""


def scratch_map(image: Image) -> Map:
    """Tell how much speaks for a scratch at each pixel.

    Args:
        image: RGB in [0, 1], shape (H, W, 3).

    Returns:
        In [0, 1], 0.5 = a scratch of just enough contrast; float32, shape (H, W).
    """
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.float32)
    best = np.zeros_like(grey)
    for sign in (1, -1):
        np.maximum(best, _ridges(grey * np.float32(sign)), out=best)
    clutter = np.asarray(cv2.blur(best, (AROUND_PX, AROUND_PX), borderType=cv2.BORDER_REFLECT), np.float32)
    height = np.maximum(best - np.float32(CLUTTER) * clutter, 0)
    power = height**STEEPNESS
    return np.asarray(power / (power + CONTRAST**STEEPNESS), np.float32)


def _ridges(grey: FloatArray) -> FloatArray:
    """Measure for each pixel the mean height of the best straight ridge of `LENGTH_PX` through it, at least 0."""
    best = np.zeros_like(grey)
    size = grey.shape[1], grey.shape[0]
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (WIDTH_PX + 2, WIDTH_PX + 2))
    hat = np.asarray(cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, disc), np.float32)
    smooth = cv2.GaussianBlur(grey, (3, 3), 0)  # a line between two directions is no broken one
    for angle in np.arange(DIRECTIONS) * np.pi / DIRECTIONS:
        checkpoint()
        along = _segment(SEGMENT_PX, angle).astype(np.float32)
        middle = cv2.filter2D(smooth, -1, along / along.sum(), borderType=cv2.BORDER_REFLECT)
        aside = (WIDTH_PX / 2 + 1.5) * np.array([-np.sin(angle), np.cos(angle)])
        left, right = (
            cv2.warpAffine(middle, np.array([[1, 0, x], [0, 1, y]]), size, borderMode=cv2.BORDER_REPLICATE)
            for x, y in (aside, -aside)
        )
        height = middle - np.maximum(left, right) - TWO_SIDED * np.abs(left - right)
        # A plain stretch must not stand for a faint one; between the two, gaps and grain are allowed.
        height = np.clip(height, -CONTRAST, 2 * CONTRAST)
        stretch = _segment(LENGTH_PX, angle)
        mean = cv2.filter2D(height, -1, stretch.astype(np.float32) / stretch.sum(), borderType=cv2.BORDER_REFLECT)
        np.maximum(best, np.where(height > 0, np.asarray(cv2.dilate(mean, stretch), np.float32), 0), out=best)
    return np.minimum(best, np.maximum(hat, 0))


def _segment(length_px: int, angle: float) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Draw a straight line of ones through the middle of a square of zeros."""
    half = length_px // 2
    x, y = round(half * np.cos(angle)), round(half * np.sin(angle))
    square = np.zeros((2 * half + 1, 2 * half + 1), np.uint8)
    cv2.line(square, (half - x, half - y), (half + x, half + y), 1)
    return square
