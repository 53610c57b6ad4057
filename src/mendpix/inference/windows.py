"""Pack pieces of a hole into as few and as small windows as pay. Geometry and a cost model; no pixels, no engine.

A picture of 48 megapixels with thousands of scratches must become neither thousands of runs nor one run over the whole
picture. As a ray tracer builds its tree of boxes, the pieces are bisected where the estimated cost of the two halves is
least, until a window fits, and from there on only as long as two windows cost less than one.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mendpix.engines.interface import Facts
from mendpix.inference.sizing import legal_size

RUN_COST_PX = 8192
"""What one more run costs besides its pixels, in pixels: dispatch, crops, first fills of next to nothing."""

PATIENCE = 1.15
"""A window is bisected further only if the parts are estimated to cost at most this many times what it costs."""

LARGEST_WINDOW_PX = 1024
"""Side of a window around thin holes where the engine takes any size: memory has to end somewhere."""

SMALLEST_REACH_PX = 64
"""Side of a hole that every window may fill, however much context is wanted around it."""

OVERLAP_PX = 32
"""Widest strip over which two windows of one long hole are blended."""

Ints = NDArray[np.int64]

Missing = NDArray[np.bool_]
"""A hole, or part of one: True = fill, shape (H, W). A quarter of a mask's memory, and here memory counts."""


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels; `bottom` and `right` lie outside."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the rectangle in an array (H, W, …)."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def area(self) -> int:
        """Number of pixels."""
        return (self.bottom - self.top) * (self.right - self.left)


@dataclass(frozen=True)
class Window:
    """One run of an engine."""

    box: Box
    """What the engine sees."""
    core: Box
    """What this run is to fill: the missing pixels in here. Lies in `box`."""
    overlap_px: int
    """How far beyond `core` it is blended into earlier windows' fill; 0 where no hole crosses from one to the other."""


@dataclass(frozen=True)
class Pieces:
    """Parts of holes that stay together, one row each."""

    boxes: Ints
    """Tight rectangles, shape (N, 4): top, left, bottom, right."""
    context: Ints
    """Border wanted around each, px, shape (N,)."""
    stretch: Ints
    """Side that its window's missing part may have although the window gets long, px, shape (N,); 0 for thin holes."""
    cut: NDArray[np.bool_]
    """True where the hole goes on beyond the piece, shape (N,)."""

    def merged(self, cell: int) -> "Pieces":
        """Return fewer pieces: those whose four sides fall into the same cells of a grid become one.

        Args:
            cell: Side of a cell, px.
        """
        if len(self.boxes) == 0:
            return self
        _, group = np.unique(self.boxes // cell, axis=0, return_inverse=True)
        order = np.argsort(group.ravel(), kind="stable")
        starts = np.flatnonzero(np.diff(group.ravel()[order], prepend=-1))
        boxes = self.boxes[order]
        return Pieces(
            np.hstack(
                [np.minimum.reduceat(boxes[:, :2], starts, axis=0), np.maximum.reduceat(boxes[:, 2:], starts, axis=0)]
            ),
            np.maximum.reduceat(self.context[order], starts),
            np.maximum.reduceat(self.stretch[order], starts),
            np.logical_or.reduceat(self.cut[order], starts),
        )


def pack(pieces: Pieces, size: tuple[int, int], facts: Facts) -> list[Window]:
    """Choose windows that cover every piece.

    Args:
        pieces: What has to be covered.
        size: Height and width of the picture, px.
        facts: The engine's facts: legal sizes and the longest side of a window.

    Returns:
        Windows in no particular order; each piece lies in the core of one of them. The same pieces give the same
        windows.
    """
    if len(pieces.boxes) == 0:
        return []
    packing = _Packing(pieces, size, facts.preferred_px or LARGEST_WINDOW_PX)
    groups: list[Ints] = []
    waiting = [np.arange(len(pieces.boxes))]
    while waiting:
        group = waiting.pop()
        if len(group) > 1 and not packing.fits(group):
            waiting.extend(packing.halves(group)[1:])
        else:
            groups.extend(packing.cheapest(group)[1])
    return [_window(pieces, group, size, facts) for group in groups]


def tile(size: tuple[int, int], side_px: int, margin_px: int, facts: Facts) -> list[Window]:
    """Cover a whole picture with equal tiles that overlap.

    Args:
        size: Height and width of the picture, px.
        side_px: Longest side of a tile, px.
        margin_px: How far a tile reaches beyond its core, px; less than half a side.
        facts: The engine's facts: legal sizes.

    Returns:
        Windows whose cores cover the picture without overlap, row by row.
    """
    rows, columns = (_spans(length, side_px, margin_px) for length in size)
    windows: list[Window] = []
    for top, bottom in rows:
        low, high = _legal_span(top - margin_px, bottom + margin_px, size[0], facts)
        for left, right in columns:
            first, last = _legal_span(left - margin_px, right + margin_px, size[1], facts)
            windows.append(Window(Box(low, first, high, last), Box(top, left, bottom, right), 0))
    return windows


def _spans(length: int, side_px: int, margin_px: int) -> list[tuple[int, int]]:
    """Divide a side into equal parts that are no longer than a tile's core."""
    count = 1 if length <= side_px else -(-length // (side_px - 2 * margin_px))
    edges = [length * index // count for index in range(count + 1)]
    return list(itertools.pairwise(edges))


class _Packing:
    """The pieces with what the cost model needs of them."""

    def __init__(self, pieces: Pieces, size: tuple[int, int], preferred_px: int) -> None:
        self.pieces = pieces
        self.size = size
        self.preferred_px = preferred_px
        self.alone = self.cost(pieces.boxes, pieces.context)

    def cost(self, boxes: Ints, context: Ints) -> NDArray[np.float64]:
        """Pixels of one run over each of some boxes (N, 4) with their context (N,)."""
        height, width = self.size
        rows = np.minimum(boxes[:, 2] + context, height) - np.maximum(boxes[:, 0] - context, 0)
        columns = np.minimum(boxes[:, 3] + context, width) - np.maximum(boxes[:, 1] - context, 0)
        return (rows * columns + RUN_COST_PX).astype(np.float64)

    def fits(self, group: Ints) -> bool:
        """True if one window may cover the group."""
        box, _, reach = (row[-1] for row in self._unions(group))
        return bool(max(box[2] - box[0], box[3] - box[1]) <= reach)

    def cheapest(self, group: Ints) -> tuple[float, list[Ints]]:
        """Cover a group that fits one window: by that one, or by more where they cost less together."""
        boxes, context, _ = self._unions(group)
        one = float(self.cost(boxes[-1:], context[-1:])[0])
        if len(group) == 1 or one <= 2 * float(self.alone[group].min()):
            return one, [group]
        estimate, *halves = self.halves(group)
        if estimate > PATIENCE * one:
            return one, [group]
        first, second = (self.cheapest(half) for half in halves)
        both = first[0] + second[0]
        return (both, first[1] + second[1]) if both < one else (one, [group])

    def halves(self, group: Ints) -> tuple[float, Ints, Ints]:
        """Bisect a group where the parts are likely to cost least, and say how much; among equals, near the middle."""
        best: tuple[float, Ints, Ints] | None = None
        for axis in (0, 1):
            middles = self.pieces.boxes[group, axis] + self.pieces.boxes[group, axis + 2]
            ordered = group[np.argsort(middles, kind="stable")]
            costs = self._estimate(ordered)[:-1] + self._estimate(ordered[::-1])[:-1][::-1]
            equal = np.flatnonzero(costs <= costs.min() * (1 + 1e-9))
            at = int(equal[np.argmin(np.abs(equal + 1 - len(group) / 2))]) + 1
            if best is None or costs[at - 1] < best[0]:
                best = float(costs[at - 1]), ordered[:at], ordered[at:]
        assert best is not None
        return best

    def _estimate(self, ordered: Ints) -> NDArray[np.float64]:
        """Likely cost of the first 1, 2, … n pieces: of a grid of windows over them all, or of one window for each."""
        boxes, context, reach = self._unions(ordered)
        rows, columns = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
        down, across = -(-rows // reach), -(-columns // reach)
        single = np.stack([rows / down, columns / across], axis=1)  # (n, 2), one window's missing part
        grid = down * across * ((single + 2 * context[:, None]).prod(axis=1) + RUN_COST_PX)
        grid = np.where(down * across == 1, self.cost(boxes, context), grid)
        return np.minimum(grid, np.cumsum(self.alone[ordered]))

    def _unions(self, ordered: Ints) -> tuple[Ints, Ints, Ints]:
        """Rectangle and context of the first 1, 2, … n pieces, and the longest side that one window may fill."""
        boxes = self.pieces.boxes[ordered]
        unions = np.hstack([np.minimum.accumulate(boxes[:, :2], axis=0), np.maximum.accumulate(boxes[:, 2:], axis=0)])
        accumulate: Callable[[Ints], Ints] = np.maximum.accumulate
        context = accumulate(self.pieces.context[ordered])
        reach = np.maximum(self.preferred_px - 2 * context, accumulate(self.pieces.stretch[ordered]))
        return unions, context, np.maximum(reach, SMALLEST_REACH_PX)


def _window(pieces: Pieces, group: Ints, size: tuple[int, int], facts: Facts) -> Window:
    boxes, context = pieces.boxes[group], int(pieces.context[group].max())
    top, left = (int(value) for value in boxes[:, :2].min(axis=0))
    bottom, right = (int(value) for value in boxes[:, 2:].max(axis=0))
    rows = _legal_span(top - context, bottom + context, size[0], facts)
    columns = _legal_span(left - context, right + context, size[1], facts)
    overlap = min(OVERLAP_PX, context // 2) if pieces.cut[group].any() else 0
    return Window(Box(rows[0], columns[0], rows[1], columns[1]), Box(top, left, bottom, right), overlap)


def _legal_span(low: int, high: int, length: int, facts: Facts) -> tuple[int, int]:
    """Clip a side to the picture, then widen it to a legal size if the picture has room for it."""
    low, high = max(low, 0), min(high, length)
    wanted = legal_size(high - low, facts)
    if wanted > length:
        return low, high
    low = min(max(low - (wanted - (high - low)) // 2, 0), length - wanted)
    return low, low + wanted
