"""Tell one hole from the next, and measure the shape of each. Looks at the mask alone; knows no picture and no model.

A hole is a connected piece of what is missing, together with every piece of its kind so near to it that a person who
looks at the whole picture takes them for one: two dabs of a brush, letters of a word. Bodies join bodies, and lines
join lines. A line beside a body is a hole of its own, however near, and so is one that comes from afar and crosses or
touches a body, as a scratch does; only one that starts from a body and ends near it belongs to it.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from mendpix.inference.windows import Box, Missing
from mendpix.types import FloatArray

NEAR_SHARE = 0.012
"""Gap up to which pieces are one hole, as a share of the picture's shorter side: what a brush leaves by accident."""

LEAST_NEAR_PX = 2
"""The least such gap, px: in tiny pictures, too, pieces that nearly touch are one hole."""

LINE_PX = 8.0
"""What is at most this thick is a line, px, anything else a body."""

LINE_SHARE = 0.008
"""The same in large pictures, as a share of the shorter side."""

TAIL_SHARE = 1.5
"""A line that ends this near to the body it starts from, in thicknesses of that body, belongs to it: a leg, a mast, the
handle of an umbrella."""

GRID_PX = 512
"""In larger pictures bodies, lines and gaps are looked for on a grid whose shorter side has at least so many cells."""


@dataclass(frozen=True, eq=False)
class Hole:
    """One hole: where it lies and what shape it has."""

    number: int
    """From 1, in reading order: by its top row, then by its left column."""
    box: Box
    """Tight rectangle around it, px."""
    pixels: Missing
    """True in this hole, shape of `box`; other holes that reach into the box are False."""
    share: float
    """Share of the picture that it covers, in [0, 1]."""
    thickness_px: float
    """Diameter of the largest disc that fits into it and into the picture, px."""
    compactness: float
    """Area of the disc that is as deep on average, over the hole's own area, in [0, 1]: 1 = a disc, 0.8 = a square,
    below 0.2 = lines and branches."""

    @property
    def area_px(self) -> int:
        """Number of missing pixels."""
        return int(np.count_nonzero(self.pixels))


def find_holes(missing: Missing) -> tuple[Hole, ...]:
    """Take what is missing apart into holes.

    Args:
        missing: True in the hole, shape (H, W).

    Returns:
        The holes in reading order; each missing pixel belongs to exactly one. None where nothing is missing.
    """
    height, width = missing.shape
    line_px = line_thickness((height, width))
    cell = max(min(height, width) // GRID_PX, 1)
    any_missing = all_missing = missing
    if cell > 1:
        rows, columns = np.arange(0, height, cell), np.arange(0, width, cell)
        any_missing = np.logical_or.reduceat(np.logical_or.reduceat(missing, rows, axis=0), columns, axis=1)
        all_missing = np.logical_and.reduceat(np.logical_and.reduceat(missing, rows, axis=0), columns, axis=1)
    bodies = _bodies(any_missing, all_missing, line_px / 2 / cell)
    gap = max(LEAST_NEAR_PX, round(NEAR_SHARE * min(height, width)))
    found: list[tuple[Box, Missing]] = []
    for part in (bodies, any_missing & ~bodies):
        found += _clusters(missing, part, cell, -(-gap // (2 * cell)))
    found.sort(key=lambda each: (each[0].top, each[0].left, each[0].bottom, each[0].right))
    return tuple(_measured(number, box, pixels, missing.size) for number, (box, pixels) in enumerate(found, start=1))


def line_thickness(size: tuple[int, int]) -> float:
    """Return how thick a line may be in a picture of a size (height, width), px."""
    return max(LINE_PX, LINE_SHARE * min(size))


def paint(holes: tuple[Hole, ...] | list[Hole], size: tuple[int, int]) -> Missing:
    """Put holes back into one plane.

    Args:
        holes: Some of those that `find_holes` gave.
        size: Height and width of the picture, px.

    Returns:
        True in these holes, shape (H, W).
    """
    missing = np.zeros(size, np.bool_)
    for hole in holes:
        missing[hole.box.slices] |= hole.pixels
    return missing


def _bodies(any_missing: Missing, all_missing: Missing, radius: float) -> Missing:
    """Return the cells that belong to something thicker than a line, its short tails included."""
    count, labels_, stats, _ = cv2.connectedComponentsWithStats(any_missing.astype(np.uint8), connectivity=8)
    labels = np.asarray(labels_, np.int32)
    bodies = np.zeros_like(any_missing)
    for label in range(1, count):
        left, top, across, down, _ = (int(value) for value in stats[label])
        box = (slice(top, top + down), slice(left, left + across))
        part = labels[box] == label
        bodies[box] |= _body(part, part & all_missing[box], radius)
    return bodies


def _body(part: Missing, whole: Missing, radius: float) -> Missing:
    """Return what of a connected piece is thicker than twice `radius`, with its short tails; none of it may be."""
    depth = _depth(whole)
    deepest = float(depth.max())
    if deepest <= radius:
        return np.zeros_like(part)
    core = (depth > radius).astype(np.uint8)
    away = np.asarray(cv2.distanceTransform(1 - core, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)
    body = part & (away <= radius + 1.5)  # and the cells at its edge, which are missing in part
    rest = part & ~body
    if not rest.any():
        return body
    count, labels_, _, _ = cv2.connectedComponentsWithStats(rest.astype(np.uint8), connectivity=8)
    labels = np.asarray(labels_, np.int32)
    farthest = np.zeros(count, np.float32)
    np.maximum.at(farthest, labels.ravel(), away.ravel())
    short = farthest <= radius + TAIL_SHARE * 2 * deepest
    short[0] = False
    return body | short[labels]


def _clusters(missing: Missing, part: Missing, cell: int, reach: int) -> list[tuple[Box, Missing]]:
    """Join cells that lie near each other; return the box and the pixels of each cluster."""
    if not part.any():
        return []
    grown = cv2.dilate(part.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    _, labels_, stats, _ = cv2.connectedComponentsWithStats(grown, connectivity=8)
    labels = np.asarray(labels_, np.int32)
    found: list[tuple[Box, Missing]] = []
    for label, (left, top, across, down, _) in enumerate(stats[1:], start=1):
        box = (slice(top, top + down), slice(left, left + across))
        cells = (labels[box] == label) & part[box]
        y, x = int(top) * cell, int(left) * cell
        pixels = missing[y : y + int(down) * cell, x : x + int(across) * cell]
        wide = cells.repeat(cell, axis=0).repeat(cell, axis=1) if cell > 1 else cells
        pixels = pixels & wide[: pixels.shape[0], : pixels.shape[1]]
        inner = _tight(pixels)
        found.append(
            (Box(y + inner.top, x + inner.left, y + inner.bottom, x + inner.right), pixels[inner.slices].copy())
        )
    return found


def _depth(pixels: Missing) -> FloatArray:
    """Distance of each pixel to the nearest that is not of the hole, those beyond the array included."""
    framed = cv2.copyMakeBorder(pixels.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(depth, np.float32)[1:-1, 1:-1]


def _tight(part: Missing) -> Box:
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    return Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def _measured(number: int, box: Box, pixels: Missing, picture_px: int) -> Hole:
    area = int(np.count_nonzero(pixels))
    depth = _depth(pixels)
    deepest = float(depth.max())
    # A disc of radius R is R / 3 deep on average. Half a pixel lies between a pixel's centre and its edge.
    radius = 3 * max(float(depth.sum(dtype=np.float64)) / area - 0.5, 0.0)
    compactness = min(max(math.pi * radius**2, 1.0) / area, 1.0)
    return Hole(number, box, pixels, area / picture_px, max(2 * deepest - 1, 1.0), compactness)
