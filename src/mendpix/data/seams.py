"""Cut a hole into cells, as a fill that is copied from several places is cut: sampled and recorded, then drawn.

Knows nothing of what the cells show, of files, batches or networks.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mendpix.errors import InputError
from mendpix.types import FloatArray, Mask

Labels = NDArray[np.int32]
"""Number of the cell that each pixel belongs to, shape (H, W)."""

MOST_CELLS = 24
"""A hole is cut into at most this many cells."""

_WAVES = 2  # each bends the cells' borders in rows and in columns


@dataclass(frozen=True)
class Cells:
    """Record how a picture is cut: every pixel belongs to the nearest centre, after waves have bent the plane."""

    centres: tuple[tuple[float, float], ...]
    """Row and column of each cell's centre, px."""
    waves: tuple[tuple[float, float, float, float], ...]
    """Height, length, and the two phases of each wave: px, px, radians, radians."""


def sample_cells(rng: np.random.Generator, hole: Mask, cell_px: tuple[float, float]) -> Cells:
    """Sample a cut of a hole.

    Args:
        rng: Source of all randomness.
        hole: 1 = hole, 0 = known, shape (H, W). Must not be empty.
        cell_px: Smallest and largest width that the cells of a cut may have, px; the mean width of one cut is drawn
            between them.

    Returns:
        The record from which `draw_cells` draws.

    Raises:
        InputError: If the hole is empty.
    """
    inside = np.flatnonzero(hole > 0)
    if not len(inside):
        raise InputError("a hole that is cut into cells must have at least one pixel; got an empty one.")
    low, high = cell_px
    side = math.exp(rng.uniform(math.log(low), math.log(high)))
    count = int(np.clip(round(len(inside) / side**2), 1, MOST_CELLS))
    chosen = inside[rng.integers(len(inside), size=count)]
    width = hole.shape[1]
    centres = tuple((float(index // width), float(index % width)) for index in chosen)
    waves = tuple(
        (
            float(rng.uniform(0, 0.15) * side),
            float(rng.uniform(0.5, 2) * side),
            float(rng.uniform(0, 2 * math.pi)),
            float(rng.uniform(0, 2 * math.pi)),
        )
        for _ in range(_WAVES)
    )
    return Cells(centres, waves)


def draw_cells(cells: Cells, size: tuple[int, int]) -> Labels:
    """Draw a recorded cut over a picture of the given height and width; returns a new array."""
    rows = np.arange(size[0], dtype=np.float32)[:, None]
    columns = np.arange(size[1], dtype=np.float32)[None]
    row, column = rows + 0 * columns, columns + 0 * rows  # (H, W)
    for height, length, first, second in cells.waves:
        turn = 2 * math.pi / length
        row = row + np.float32(height) * np.sin(np.float32(turn) * columns + np.float32(first))
        column = column + np.float32(height) * np.sin(np.float32(turn) * rows + np.float32(second))
    nearest = np.full(size, np.inf, np.float32)
    labels = np.zeros(size, np.int32)
    for number, (centre_row, centre_column) in enumerate(cells.centres):
        distance = (row - np.float32(centre_row)) ** 2 + (column - np.float32(centre_column)) ** 2
        closer = distance < nearest
        nearest[closer] = distance[closer]
        labels[closer] = number
    return labels


def seam_distance(labels: Labels, hole: Mask) -> FloatArray:
    """Measure how far each pixel of the hole is from the nearest seam: another cell, or a known pixel.

    Args:
        labels: Cells, shape (H, W).
        hole: 1 = hole, 0 = known, shape (H, W).

    Returns:
        Distance to the nearest pixel beside a seam, px, shape (H, W); 0 beside seams and at known pixels. Cells that
        meet no seam (a hole without border and with one cell) are as far away as the picture is large.
    """
    cell = np.where(hole > 0, labels, -1)
    inside = (hole > 0).astype(np.uint8)
    for axis in (0, 1):
        change = np.diff(cell, axis=axis) != 0
        before = [slice(None), slice(None)]
        after = [slice(None), slice(None)]
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        inside[tuple(before)] &= ~change
        inside[tuple(after)] &= ~change
    if inside.all():
        return np.full(hole.shape, float(max(hole.shape)), np.float32)
    return np.asarray(cv2.distanceTransform(inside, cv2.DIST_L2, 3), np.float32)
