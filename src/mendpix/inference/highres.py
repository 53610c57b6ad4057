"""Plan how a picture of any size is filled: which windows, and which parts coarse first. Looks at the hole alone.

Thin holes are filled at full resolution in windows around them. Parts thicker than the engine fills well at once are
first filled on a picture of half the size (and so on, until they are thin), and the result guides the windows above.
Runs nothing: `blend.py` does.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mendpix.engines.interface import Facts
from mendpix.inference.holes import Hole
from mendpix.inference.pyramid import halve_missing
from mendpix.inference.windows import LARGEST_WINDOW_PX, SMALLEST_REACH_PX, Box, Ints, Missing, Pieces, Window, pack
from mendpix.types import FloatArray

CELL_PX = SMALLEST_REACH_PX
"""Side of the cells into which the plan is rasterised: long holes are cut along them, specks within one are one."""

MOST_CELLS = 16384
"""Cells at most; beyond this many, as in pictures of more than 60 megapixels, cells grow."""

STRETCH = 1.5
"""A thick hole up to this many times as long as thick is filled in one window."""

LONGEST_WHOLE = 8
"""A hole up to this many times as long as thick is given whole to an engine that takes any size: shrunk to its working
size, what is thinner would be too few pixels to fill well."""

EDGE_SHARE = 1.5
"""How far around its inmost pixels a thick part reaches, in radii: enough for a square's corners (√2)."""

REGION_SHARE = 0.75
"""Border taken along around a thick part when the picture is halved, as a share of its thickness."""


@dataclass(frozen=True)
class Region:
    """A part of the picture with thick holes, which a coarser plan fills first."""

    box: Box
    """Where it lies in the picture."""
    coarse: "Plan"
    """How the same part is filled at half the size."""
    copied: Missing
    """Pixels that take the coarse fill as it is, shape of `box`; none for engines that take a guide."""
    refined: Missing
    """Pixels that are filled by `windows`, shape of `box`."""
    windows: tuple[Window, ...]
    """Windows in the coordinates of `box`, in the order in which they run."""


@dataclass(frozen=True)
class Plan:
    """How a hole is filled: the thick regions, then the windows around everything else."""

    regions: tuple[Region, ...]
    """Coarse to fine, before the windows. Their boxes do not overlap."""
    windows: tuple[Window, ...]
    """At full resolution, in the order in which they run."""

    @property
    def cost_px(self) -> int:
        """Pixels that go through the engine, all levels together."""
        below = sum(region.coarse.cost_px + sum(w.box.area for w in region.windows) for region in self.regions)
        return below + sum(window.box.area for window in self.windows)


def plan_fill(missing: Missing, facts: Facts, holes: Sequence[Hole] = ()) -> Plan:
    """Plan the filling of a hole.

    Args:
        missing: True in the hole, shape (H, W).
        facts: The engine's facts.
        holes: What is missing, hole by hole (`find_holes`). An engine that takes any size at once gets each in one
            window, with all of its context, unless it is long and thin. Others do not ask what belongs together.

    Returns:
        A plan that covers every missing pixel.
    """
    if facts.max_hole_px is None:
        at_once = facts.preferred_px is None and len(holes) > 0
        return Plan((), plan_whole(missing, facts, holes) if at_once else plan_windows(missing, facts))
    thick, boxes = _thick_parts(missing, facts.max_hole_px, facts)
    if not boxes:
        return Plan((), plan_windows(missing, facts))
    regions = tuple(_region(missing[box.slices], thick[box.slices], box, facts) for box in boxes)
    return Plan(regions, plan_windows(missing & ~thick, facts))


def plan_windows(missing: Missing, facts: Facts) -> tuple[Window, ...]:
    """Plan windows at one resolution.

    Args:
        missing: True in the hole, shape (H, W).
        facts: The engine's facts. With a `context_share` of 0 nobody looks how thick the hole is.

    Returns:
        Windows in the order in which they are to run: those that see most of the known picture first. The cores
        together hold every missing pixel.
    """
    return _packed([_pieces(missing[box.slices], box, facts) for box in _islands(missing)], missing, facts)


def plan_whole(missing: Missing, facts: Facts, holes: Sequence[Hole]) -> tuple[Window, ...]:
    """Plan one window for each hole, or for several that lie close together; long and thin ones are cut into pieces.

    Args:
        missing: True in these holes, shape (H, W).
        facts: The facts of an engine without a preferred size.
        holes: The holes.

    Returns:
        Windows like those of `plan_windows`.
    """
    limited = replace(facts, preferred_px=max(LARGEST_WINDOW_PX, 2 * facts.context_px + SMALLEST_REACH_PX))
    found: list[Pieces] = []
    for hole in holes:
        box, height, width = hole.box, *hole.pixels.shape
        if max(height, width) > max(LARGEST_WINDOW_PX, LONGEST_WHOLE * hole.thickness_px):
            around = Box(box.top - 1, box.left - 1, box.bottom + 1, box.right + 1)  # with known pixels on every side
            found.append(_pieces(np.pad(hole.pixels, 1), around, limited))
            continue
        context = max(facts.context_px, math.ceil(facts.context_share * hole.thickness_px))
        found.append(
            Pieces(
                np.array([[box.top, box.left, box.bottom, box.right]]),
                np.array([context]),
                np.array([max(height, width)]),
                np.array([False]),
            )
        )
    return _packed(found, missing, facts)


def _packed(found: list[Pieces], missing: Missing, facts: Facts) -> tuple[Window, ...]:
    """Choose windows for pieces, and their order."""
    if not found:
        return ()
    pieces = Pieces(
        np.concatenate([piece.boxes for piece in found]),
        np.concatenate([piece.context for piece in found]),
        np.concatenate([piece.stretch for piece in found]),
        np.concatenate([piece.cut for piece in found]),
    ).merged(_cell_px(missing))
    windows = pack(pieces, (missing.shape[0], missing.shape[1]), facts)

    def order(window: Window) -> tuple[float, int, int]:
        return float(missing[window.box.slices].mean()), window.core.top, window.core.left

    return tuple(sorted(windows, key=order))


def _region(missing: Missing, thick: Missing, box: Box, facts: Facts) -> Region:
    coarse = plan_fill(halve_missing(missing), facts)
    if facts.takes_guide:
        # The guide already tells what lies far away, so that nothing but the usual border is wanted.
        windows = plan_windows(thick, replace(facts, context_share=0))
        return Region(box, coarse, np.zeros_like(thick), thick, windows)
    assert facts.max_hole_px is not None
    inside = thick & (_distance_to_known(thick) > facts.max_hole_px / 2)
    shell = thick & ~inside
    return Region(box, coarse, inside, shell, plan_windows(shell, facts))


def _thick_parts(missing: Missing, max_hole_px: int, facts: Facts) -> tuple[Missing, list[Box]]:
    """Find what is thicker than `max_hole_px`, and disjoint boxes around it with enough border for the coarse fill.

    A thin tail of a thick blob stays thin: thickness is that of the largest disc that fits in at a pixel.
    """
    height, width = missing.shape
    cell = _cell_px(missing)
    thick = np.zeros_like(missing)
    occupied = np.zeros((-(-height // cell), -(-width // cell)), np.uint8)
    for island in _islands(missing):
        part = missing[island.slices]
        if not _may_hold_disc(part, max_hole_px / 2):
            continue
        distance = _distance_to_known(part)
        inmost = distance > max_hole_px / 2
        if not inmost.any():
            continue
        away = cv2.distanceTransform((~inmost).astype(np.uint8), cv2.DIST_L2, 5)
        part = part & (away <= EDGE_SHARE * max_hole_px / 2 + 1)
        thick[island.slices] = part
        _, labels, stats, _ = cv2.connectedComponentsWithStats(part.astype(np.uint8), connectivity=8)
        radius = _largest(distance, np.asarray(labels, np.int32), len(stats), 0)
        for (left, top, across, down, _), thickness in zip(stats[1:], 2 * radius[1:], strict=True):
            margin = math.ceil(max(REGION_SHARE, 2 * facts.context_px / max_hole_px) * float(thickness))
            top, left = island.top + int(top), island.left + int(left)
            occupied[
                max(top - margin, 0) // cell : (top + int(down) + margin - 1) // cell + 1,
                max(left - margin, 0) // cell : (left + int(across) + margin - 1) // cell + 1,
            ] = 1
    return thick, _boxes_around(occupied, cell, (height, width), 0)


def _pieces(missing: Missing, island: Box, facts: Facts) -> Pieces:
    """Split an island into pieces: each hole as a whole, or cell by cell if it is too long for one window."""
    _, labels_, stats_, _ = cv2.connectedComponentsWithStats(missing.astype(np.uint8), connectivity=8)
    labels, stats = np.asarray(labels_, np.int32), np.asarray(stats_, np.int64)[1:]
    boxes = np.stack([stats[:, 1], stats[:, 0], stats[:, 1] + stats[:, 3], stats[:, 0] + stats[:, 2]], axis=1)
    distance: FloatArray | None = None
    thickness = np.zeros(len(stats))
    if facts.context_share > 0:
        # Thinner than this, a hole wants neither more context nor a longer window than any other.
        unremarkable = facts.context_px / max(facts.context_share, STRETCH / 2)
        if _may_hold_disc(missing, unremarkable / 2):
            distance = _distance_to_known(missing)
            thickness = 2 * _largest(distance, labels, len(stats) + 1, unremarkable / 2)[1:].astype(np.float64)
    whole = _sized(boxes, thickness, False, facts)
    reach = np.maximum((facts.preferred_px or math.inf) - 2 * whole.context, whole.stretch)
    long = stats[:, 2:4].max(axis=1) > np.maximum(reach, SMALLEST_REACH_PX)
    if long.any():
        cells, thickness = _cells(np.append(False, long)[labels], distance)
        parts = _sized(cells, thickness, True, facts)
    else:
        parts = _sized(np.zeros((0, 4), np.int64), np.zeros(0), True, facts)
    offset = np.array([island.top, island.left, island.top, island.left])
    return Pieces(
        np.concatenate([boxes[~long], parts.boxes]) + offset,
        np.concatenate([whole.context[~long], parts.context]),
        np.concatenate([whole.stretch[~long], parts.stretch]),
        np.concatenate([whole.cut[~long], parts.cut]),
    )


def _sized(boxes: Ints, thickness: NDArray[np.float64], cut: bool, facts: Facts) -> Pieces:
    """Tell how much context pieces of a given thickness want; a cut one must see a known pixel from everywhere."""
    share = max(facts.context_share, 0.5) if cut and facts.context_share > 0 else facts.context_share
    context = np.maximum(facts.context_px, np.ceil(share * thickness + (1 if cut else 0))).astype(np.int64)
    stretch = np.ceil(STRETCH * thickness).astype(np.int64)
    return Pieces(boxes, context, stretch, np.full(len(boxes), cut))


def _cells(missing: Missing, distance: FloatArray | None) -> tuple[Ints, NDArray[np.float64]]:
    """Cut by a grid: the tight rectangle and the thickness of what lies in each cell."""
    height, width = missing.shape
    boxes: list[tuple[int, int, int, int]] = []
    thickness: list[float] = []
    for row, column in np.argwhere(_occupied(missing, CELL_PX)) * CELL_PX:
        top, left = int(row), int(column)
        cell = (slice(top, min(top + CELL_PX, height)), slice(left, min(left + CELL_PX, width)))
        rows = np.flatnonzero(missing[cell].any(axis=1))
        columns = np.flatnonzero(missing[cell].any(axis=0))
        boxes.append((top + int(rows[0]), left + int(columns[0]), top + int(rows[-1]) + 1, left + int(columns[-1]) + 1))
        thickness.append(0.0 if distance is None else 2 * float(distance[cell][missing[cell]].max()))
    return np.array(boxes, np.int64).reshape(-1, 4), np.array(thickness, np.float64)


def _islands(missing: Missing) -> list[Box]:
    """Return disjoint boxes that hold all that is missing, known pixels all around but for the picture's edge.

    What costs memory and time per pixel is done in these boxes, not over the whole picture.
    """
    if not missing.any():
        return []
    cell = _cell_px(missing)
    return _boxes_around(_occupied(missing, cell), cell, (missing.shape[0], missing.shape[1]), 1)


def _boxes_around(occupied: NDArray[np.uint8], cell: int, size: tuple[int, int], margin: int) -> list[Box]:
    """Return disjoint boxes of whole cells around clusters of occupied cells, widened by a margin, px."""
    painted = occupied.copy()
    while True:
        count, _, stats, _ = cv2.connectedComponentsWithStats(painted, connectivity=8)
        if all(int(area) == int(across) * int(down) for _, _, across, down, area in stats[1:]):
            break
        for left, top, across, down, _ in stats[1:]:
            painted[top : top + down, left : left + across] = 1
    if count == 1:
        return []
    return [
        Box(
            max(int(top) * cell - margin, 0),
            max(int(left) * cell - margin, 0),
            min(int(top + down) * cell + margin, size[0]),
            min(int(left + across) * cell + margin, size[1]),
        )
        for left, top, across, down, _ in stats[1:]
    ]


def _occupied(missing: Missing, cell: int) -> NDArray[np.uint8]:
    """Return 1 for each cell of a grid that holds a missing pixel."""
    rows, columns = (np.arange(0, length, cell) for length in missing.shape)
    by_row = np.logical_or.reduceat(missing, rows, axis=0)
    return np.logical_or.reduceat(by_row, columns, axis=1).astype(np.uint8)


def _may_hold_disc(missing: Missing, radius: float) -> bool:
    """Return False if surely no disc of this radius lies within what is missing: a quick look before the slow one.

    The cell that such a disc's centre lies in reaches at most √2 of its side away from it, so it lies in the disc too.
    """
    rows, columns = (np.arange(0, length, max(int(radius / math.sqrt(2)), 1)) for length in missing.shape)
    by_row = np.logical_and.reduceat(missing, rows, axis=0)
    return bool(np.logical_and.reduceat(by_row, columns, axis=1).any())


def _cell_px(missing: Missing) -> int:
    return max(CELL_PX, math.ceil(math.sqrt(missing.size / MOST_CELLS)))


def _distance_to_known(missing: Missing) -> FloatArray:
    """Distance of each missing pixel to the nearest known one, px; beyond the picture's edge nothing is known."""
    return np.asarray(cv2.distanceTransform(missing.astype(np.uint8), cv2.DIST_L2, 5), np.float32)


def _largest(values: FloatArray, labels: NDArray[np.int32], count: int, above: float) -> FloatArray:
    """Return the largest value of each label, 0 where none is larger than `above`."""
    largest = np.zeros(count, np.float32)
    at = np.flatnonzero(values.ravel() > above)
    np.maximum.at(largest, labels.ravel()[at], values.ravel()[at])
    return largest
