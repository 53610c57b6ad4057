"""Describe the square around each pixel by a few numbers that keep distances. Knows no search and no fill."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mendpix.exemplar.levels import Flags
from mendpix.types import FloatArray

RADIUS_PX = 3
"""Patches are squares of 2 · 3 + 1 = 7 px, at every level: the usual size (Barnes et al. 2009, Newson et al. 2014)."""

SIDE_PX = 2 * RADIUS_PX + 1

DIMENSIONS = 28
"""Numbers that describe a patch, of 7 · 7 · 5: with them searches cost an eighth."""

SAMPLE = 4000
"""Patches that the description is fitted to."""

CHUNK = 16384
"""Patches that are laid out in memory at a time."""

Ints = NDArray[np.int64]
"""Positions or indices."""


@dataclass(frozen=True)
class Description:
    """A linear map of patches onto their principal components."""

    mean: NDArray[np.float64]
    """Shape (7 · 7 · C,)."""
    axes: NDArray[np.float64]
    """Orthonormal, shape (7 · 7 · C, D). In double precision, so that the order in which a matrix product is summed,
    which differs with the number of threads, is not seen in the description, and the fill stays the same."""

    def of(self, channels: FloatArray, rows: Ints, columns: Ints) -> FloatArray:
        """Describe the patches around some pixels.

        Args:
            channels: Picture, shape (H, W, C); mirrored at its edges.
            rows: Centres, shape (N,).
            columns: Likewise.

        Returns:
            Shape (N, D); squared distances are nearly those of the patches.
        """
        patches = unfold(channels)
        result = np.empty((len(rows), self.axes.shape[1]), np.float32)
        for start in range(0, len(rows), CHUNK):
            part = slice(start, start + CHUNK)
            laid_out = patches[rows[part], columns[part]].reshape(-1, len(self.mean))
            result[part] = (laid_out - self.mean) @ self.axes  # in double precision: see `axes`
        return result

    def of_all(self, channels: FloatArray) -> FloatArray:
        """Describe the patches around all pixels, row by row, shape (H · W, D)."""
        height, width = channels.shape[:2]
        rows, columns = np.divmod(np.arange(height * width), width)
        return self.of(channels, rows, columns)


def fit(channels: FloatArray, usable: Flags, rng: np.random.Generator) -> Description:
    """Find the principal components of a picture's patches.

    Args:
        channels: Picture, shape (H, W, C).
        usable: Centres of patches that may be looked at; at least one.
        rng: Draws the sample.
    """
    rows, columns = np.nonzero(usable)
    chosen = rng.choice(len(rows), min(SAMPLE, len(rows)), replace=False)
    patches = unfold(channels)[rows[chosen], columns[chosen]].reshape(len(chosen), -1).astype(np.float64)
    mean = patches.mean(axis=0)
    centred = patches - mean
    _, axes = np.linalg.eigh(centred.T @ centred)
    return Description(mean, np.ascontiguousarray(axes[:, ::-1][:, :DIMENSIONS]))


def unfold(channels: FloatArray) -> FloatArray:
    """Show the patch around each pixel without copying it: shape (H, W, C, 7, 7)."""
    around = cv2.copyMakeBorder(channels, RADIUS_PX, RADIUS_PX, RADIUS_PX, RADIUS_PX, cv2.BORDER_REFLECT_101)
    around = np.asarray(around, np.float32).reshape(*around.shape[:2], -1)
    return np.lib.stride_tricks.sliding_window_view(around, (SIDE_PX, SIDE_PX), axis=(0, 1))


def whole_patches(usable: Flags) -> Flags:
    """Mark the pixels whose patch, as far as it lies in the picture, may be copied as a whole."""
    square = np.ones((SIDE_PX, SIDE_PX), np.uint8)
    return cv2.erode(usable.astype(np.uint8), square, borderType=cv2.BORDER_CONSTANT, borderValue=1) > 0
