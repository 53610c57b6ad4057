"""Measure a fill against its own surroundings: is it as textured as they are, and is there a seam between the two?

Both measures look at one picture only and need no true one, so they also work where something was taken out of a photo
and nobody knows what is behind it. Neither says whether a fill is right, or makes sense. Knows no masks' files.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from mendpix.errors import ShapeError
from mendpix.metrics.grey import to_grey
from mendpix.types import Image, Mask

RING_PX = 64
"""How far from the hole its surroundings reach unless the caller says otherwise, px."""

BAND_PX = 3
"""Steps to either side of the border that the steps across it are set against, px."""

FLOOR = 0.001
"""Least strength that counts, of the data range (1): about what rounding to 8 bits leaves of a smooth slope. Whatever
is smoother counts as this smooth, so that a smooth fill of a clear sky has the ratio 1 and nothing is divided by 0."""


def texture_ratio(picture: Image, hole: Mask, ring_px: float = RING_PX) -> float:
    """Compute the mean strength of the Laplacian in the hole by that of its surroundings.

    Strength is |mean of the four diagonal neighbours − pixel| of the picture in grey (`metrics.grey`), which is an
    eighth of the absolute value of OpenCV's Laplacian of aperture 3; means are taken of it, not of its square. In the
    hole count the pixels whose nine lie in it, so that a seam is no texture; around it the pixels whose nine are known,
    up to `ring_px` from the hole. Either mean is at least `FLOOR`. Without unit; 1 = as textured as the surroundings,
    less = smoother, more = busier. This project's own measure.

    Args:
        picture: RGB in [0, 1], shape (H, W, 3).
        hole: 1 = hole, 0 = known, shape (H, W).
        ring_px: How far the surroundings reach, px, at least 2; infinite = all that is known.

    Returns:
        Ratio, above 0; NaN if no pixel counts in the hole (none there, or all too thin) or around it.

    Raises:
        ShapeError: If the picture is no float array (H, W, 3), the hole has another size, or `ring_px` is less than 2.

    Example:
        >>> noise, hole = np.random.default_rng(0).random((64, 64, 3)), np.zeros((64, 64))
        >>> hole[16:48, 16:48] = 1
        >>> half = np.where(hole[..., None] > 0, 0.5 * noise, noise)
        >>> round(texture_ratio(noise, hole), 1), round(texture_ratio(half, hole), 1)
        (1.0, 0.5)
    """
    _check(picture, hole)
    if not ring_px >= 2:
        raise ShapeError(f"surroundings must reach at least 2 px; got {ring_px}. The usual reach is {RING_PX}.")
    grey = to_grey(picture)
    if min(grey.shape) < 3:
        return math.nan
    around = (grey[:-2, :-2] + grey[:-2, 2:] + grey[2:, :-2] + grey[2:, 2:]) / 4
    strength = np.abs(around - grey[1:-1, 1:-1])
    inside = _whole_windows(hole > 0)
    outside = _whole_windows(hole == 0)
    if hole.any() and math.isfinite(ring_px):
        away = cv2.distanceTransform((hole == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        outside &= np.asarray(away)[1:-1, 1:-1] <= ring_px
    if not inside.any() or not outside.any():
        return math.nan
    return max(float(strength[inside].mean()), FLOOR) / max(float(strength[outside].mean()), FLOOR)


def border_gradient(picture: Image, hole: Mask, band_px: int = BAND_PX) -> float:
    """Compute the mean step across the hole's border by the mean step just inside and just outside it.

    A step is |difference of two neighbours in a row or column| of the picture in grey (`metrics.grey`). Steps across
    the border are those from a known pixel to one of the hole; each is set against up to `band_px` steps that go on in
    its line to either side, as far as they stay inside, or outside. The ratio is that of the mean across to the mean of
    the mean inside and the mean outside (or the one that there is); either is at least `FLOOR`. Without unit; 1 = no
    seam, more = a visible one, or a fill that is much smoother than what it meets; less = blurred there. This project's
    own measure.

    Args:
        picture: RGB in [0, 1], shape (H, W, 3).
        hole: 1 = hole, 0 = known, shape (H, W).
        band_px: Steps to either side, at least 1.

    Returns:
        Ratio, above 0; NaN if there is no border (empty hole, or nothing known), or no step beside it.

    Raises:
        ShapeError: If the picture is no float array (H, W, 3), the hole has another size, or `band_px` is less than 1.

    Example:
        >>> slope = np.tile(np.linspace(0, 1, 32)[None, :, None], (32, 1, 3))
        >>> hole = np.zeros((32, 32))
        >>> hole[:, 16:] = 1
        >>> lifted = slope - 0.1 * hole[..., None]
        >>> round(border_gradient(slope, hole), 2), round(border_gradient(lifted, hole), 2)
        (1.0, 2.1)
    """
    _check(picture, hole)
    if not band_px >= 1:
        raise ShapeError(f"a band must have at least 1 step; got {band_px}. The usual number is {BAND_PX}.")
    grey, missing = to_grey(picture), hole > 0
    across: list[NDArray[np.float64]] = []
    inside: list[NDArray[np.float64]] = []
    outside: list[NDArray[np.float64]] = []
    # Left to right, top to bottom, and the same from the other end: each finds the borders where a hole begins.
    for turns in range(4):
        values, marked = np.rot90(grey, turns), np.rot90(missing, turns)
        steps = np.abs(np.diff(values, axis=1))
        begins = ~marked[:, :-1] & marked[:, 1:]
        rows, columns = np.nonzero(begins)
        across.append(steps[rows, columns])
        for line, way, wanted in ((inside, 1, True), (outside, -1, False)):
            row, column = rows, columns
            for _ in range(band_px):
                column = column + way
                kept = (column >= 0) & (column < steps.shape[1])
                row, column = row[kept], column[kept]
                # A step has its two pixels at `column` and `column + 1`; both must be on its side.
                kept = (marked[row, column] == wanted) & (marked[row, column + 1] == wanted)
                row, column = row[kept], column[kept]
                line.append(steps[row, column])
    sides = [np.concatenate(side) for side in (inside, outside)]
    beside = [max(float(side.mean()), FLOOR) for side in sides if side.size]
    seam = np.concatenate(across)
    if not seam.size or not beside:
        return math.nan
    return max(float(seam.mean()), FLOOR) / (sum(beside) / len(beside))


def off_by(ratio: float) -> float:
    """Give how far a ratio is from 1, in doublings: |log2 ratio|.

    Example:
        >>> off_by(1.0), off_by(0.5), off_by(4.0)
        (0.0, 1.0, 2.0)
    """
    return abs(math.log2(ratio))


def _whole_windows(marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell where a pixel and its eight neighbours are marked, for all but the outermost pixels."""
    shrunk = cv2.erode(marked.astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.asarray(shrunk)[1:-1, 1:-1] > 0


def _check(picture: Image, hole: Mask) -> None:
    if picture.ndim != 3 or picture.shape[2] != 3 or not np.issubdtype(picture.dtype, np.floating):
        raise ShapeError(
            f"picture must be floats in [0, 1] of shape (H, W, 3); got {picture.dtype} {picture.shape}. Divide bytes "
            "by 255, or repeat a grey channel three times."
        )
    if hole.shape != picture.shape[:2]:
        raise ShapeError(f"hole must be {picture.shape[:2]} like its picture; got {hole.shape}. Resize it first.")
