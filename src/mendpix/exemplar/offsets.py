"""Where each missing pixel is copied from, as an offset, and what the seams between pieces of one offset cost.

Neighbouring pixels with one offset copy a piece as it is, so only the seams between pieces can show (Pritch et al.
2009, shift maps, https://doi.org/10.1109/ICCV.2009.5459159). Pixels move from piece to piece here; whole pieces move in
`pieces.py`.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from mendpix.checkpoints import checkpoint
from mendpix.exemplar.levels import Flags, Level
from mendpix.exemplar.patches import Ints
from mendpix.exemplar.search import FOUR, reluctance, squared_distance
from mendpix.types import FloatArray

MARGIN_PX = 2
"""Known border that is taken along around the hole."""

SEAM = 0.01
"""What a pixel of seam costs even if it cannot be seen."""

BLIND = 0.2
"""Seam cost of a pixel where nothing may be copied at an offset; unit: squared colour difference, summed over RGB."""


@dataclass
class Offsets:
    """Offsets of the missing pixels in a box of a level. Its arrays are its own, and are changed in place."""

    level: Level
    """What is copied from and filled."""
    top: int
    """First row of the box in the level."""
    left: int
    """First column."""
    missing: Flags
    """True where to fill, shape (h, w)."""
    down: Ints
    """Offset to the source, rows, shape (h, w); 0 where nothing is missing."""
    across: Ints
    """Likewise, columns."""

    def __post_init__(self) -> None:
        """Look at the level as flat arrays."""
        self._height, self._width = self.level.missing.shape
        self._colours = self.level.image.reshape(-1, 3)
        self._usable = self.level.usable.ravel()

    def copy(self) -> FloatArray:
        """Return what is copied, shape (h, w, 3); 0 where nothing is missing."""
        rows, columns = np.nonzero(self.missing)
        colours, _ = self.look(rows, columns, self.down[rows, columns], self.across[rows, columns])
        result = np.zeros((*self.missing.shape, 3), np.float32)
        result[rows, columns] = colours
        return result

    def look(self, rows: Ints, columns: Ints, down: Ints, across: Ints) -> tuple[FloatArray, Flags]:
        """Look up the colours at an offset from some pixels of the box, and tell where they may be copied."""
        at_row, at_column = rows + (down + self.top), columns + (across + self.left)
        inside = (at_row >= 0) & (at_row < self._height) & (at_column >= 0) & (at_column < self._width)
        place = np.where(inside, at_row * self._width + at_column, 0)
        return self._colours[place], inside & self._usable[place]

    def labels(self) -> tuple[Ints, int]:
        """Number the different offsets: shape (h, w), -1 where nothing is missing; and how many there are."""
        span = 16 * max(self._height, self._width)
        keys = self.down[self.missing] * span + self.across[self.missing]
        different, inverse = np.unique(keys, return_inverse=True)
        labels = np.full(self.missing.shape, -1)
        labels[self.missing] = inverse
        return labels, len(different)

    def pieces(self) -> tuple[Ints, int]:
        """Number the connected pieces of one offset: shape (h, w), -1 where nothing is missing; and their count."""
        labels, _ = self.labels()
        height, width = labels.shape
        joined = np.zeros((2 * height - 1, 2 * width - 1), np.uint8)  # pixels, and between them what joins them
        joined[::2, ::2] = self.missing
        joined[::2, 1::2] = self.missing[:, 1:] & (labels[:, 1:] == labels[:, :-1])
        joined[1::2, ::2] = self.missing[1:] & (labels[1:] == labels[:-1])
        count, found = cv2.connectedComponents(joined, connectivity=4)
        return np.asarray(found, np.int64)[::2, ::2] - 1, count - 1

    def seam_cost(self, rows: Ints, columns: Ints, down: Ints, across: Ints) -> FloatArray:
        """Cost of the seams that pixels would have with their neighbours if they had the given offsets, shape (N,)."""
        total = np.zeros(len(rows), np.float32)
        height, width = self.missing.shape
        for step_down, step_across in FOUR:
            r, c = rows + step_down, columns + step_across
            at = np.flatnonzero((r >= 0) & (r < height) & (c >= 0) & (c < width))
            r, c = r[at], c[at]
            at = at[~self.missing[r, c] | (self.down[r, c] != down[at]) | (self.across[r, c] != across[at])]
            steps = np.full(len(at), step_down), np.full(len(at), step_across)
            total[at] += cost_across(self, (rows[at], columns[at]), steps, down[at], across[at]) + np.float32(SEAM)
        return total

    def settle_seams(self, rounds: int, reach_px: tuple[int, ...], unary: "Unary | None" = None) -> None:
        """Let pixels take over their neighbours' offsets where that makes seams cheaper.

        Args:
            rounds: How often.
            reach_px: How far away neighbours are.
            unary: What an offset costs a pixel besides its seams; None = only pixels near seams move, at no cost.
        """
        for _ in range(rounds):
            for reach in reach_px:
                checkpoint()
                for parity in (0, 1):
                    for step_down, step_across in FOUR:
                        self._spread(parity, step_down * reach, step_across * reach, unary)

    def _spread(self, parity: int, step_down: int, step_across: int, unary: "Unary | None") -> None:
        height, width = self.missing.shape
        if abs(step_down) >= height or abs(step_across) >= width:
            return
        there = (
            slice(max(step_down, 0), height + min(step_down, 0)),
            slice(max(step_across, 0), width + min(step_across, 0)),
        )
        here = (
            slice(max(-step_down, 0), height + min(-step_down, 0)),
            slice(max(-step_across, 0), width + min(-step_across, 0)),
        )
        both = self.missing[here] & self.missing[there]
        both &= (self.down[here] != self.down[there]) | (self.across[here] != self.across[there])
        rows, columns = np.nonzero(both)
        rows, columns = rows + here[0].start, columns + here[1].start
        mine = (rows + columns) % 2 == parity
        rows, columns = rows[mine], columns[mine]
        down, across = (
            self.down[rows + step_down, columns + step_across],
            self.across[rows + step_down, columns + step_across],
        )
        _, allowed = self.look(rows, columns, down, across)
        if unary is not None:
            allowed &= unary.allows(rows, columns, down, across)
        rows, columns, down, across = rows[allowed], columns[allowed], down[allowed], across[allowed]
        own_down, own_across = self.down[rows, columns], self.across[rows, columns]
        gain = self.seam_cost(rows, columns, own_down, own_across) - self.seam_cost(rows, columns, down, across)
        if unary is not None:
            gain += unary.cost(rows, columns, own_down, own_across) - unary.cost(rows, columns, down, across)
        better = gain > 1e-7
        self.down[rows[better], columns[better]] = down[better]
        self.across[rows[better], columns[better]] = across[better]


class Unary:
    """How badly the patch at an offset matches what is wanted at a pixel."""

    def __init__(self, offsets: Offsets, wanted: FloatArray, known: FloatArray, usable: Flags, scale: float) -> None:
        """Keep what is compared.

        Args:
            offsets: Says where the box lies.
            wanted: Descriptions of the patches around the missing pixels, in reading order, shape (N, D).
            known: Descriptions of all patches of the level, shape (H · W, D).
            usable: Centres of patches that may be copied, shape (H, W).
            scale: Cost of a squared distance of 1.
        """
        self._number = np.full(offsets.missing.shape, -1)
        self._number[offsets.missing] = np.arange(len(wanted))
        self._top, self._left = offsets.top, offsets.left
        self._wanted, self._known, self._usable, self._scale = wanted, known, usable, np.float32(scale)

    def allows(self, rows: Ints, columns: Ints, down: Ints, across: Ints) -> Flags:
        """Tell where the patch at the offset may be copied as a whole."""
        height, width = self._usable.shape
        at_row, at_column = rows + down + self._top, columns + across + self._left
        inside = (at_row >= 0) & (at_row < height) & (at_column >= 0) & (at_column < width)
        return inside & self._usable[np.clip(at_row, 0, height - 1), np.clip(at_column, 0, width - 1)]

    def cost(self, rows: Ints, columns: Ints, down: Ints, across: Ints) -> FloatArray:
        """Cost of offsets that are allowed, shape (N,)."""
        place = (rows + down + self._top) * self._usable.shape[1] + columns + across + self._left
        cost = squared_distance(self._wanted[self._number[rows, columns]], self._known[place])
        return self._scale * (cost + reluctance(down, across, max(self._usable.shape)))


def around_hole(level: Level, down: Ints, across: Ints) -> Offsets:
    """Cut out the hole's box.

    Args:
        level: A level with a hole.
        down: Offsets of all pixels, shape (H, W); read where missing.
        across: Likewise.
    """
    box = hole_box(level.missing)
    missing = level.missing[box]
    return Offsets(
        level, box[0].start, box[1].start, missing, np.where(missing, down[box], 0), np.where(missing, across[box], 0)
    )


def hole_box(missing: Flags) -> tuple[slice, slice]:
    """Return the box that holds the hole and a small border."""
    spans: list[slice] = []
    for axis in (1, 0):
        where = np.flatnonzero(missing.any(axis=axis))
        spans.append(
            slice(max(int(where[0]) - MARGIN_PX, 0), min(int(where[-1]) + 1 + MARGIN_PX, missing.shape[1 - axis]))
        )
    return spans[0], spans[1]


def seams_of(offsets: Offsets, labels: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """List the pairs of a missing pixel and a neighbour that is known or has another offset."""
    parts: list[tuple[Ints, Ints, Ints, Ints]] = []
    height, width = labels.shape
    for step_down, step_across in FOUR:
        rows, columns = np.nonzero(offsets.missing)
        r, c = rows + step_down, columns + step_across
        inside = (r >= 0) & (r < height) & (c >= 0) & (c < width)
        rows, columns, r, c = rows[inside], columns[inside], r[inside], c[inside]
        differs = labels[rows, columns] != labels[r, c]
        rows, columns = rows[differs], columns[differs]
        parts.append((rows, columns, np.full(len(rows), step_down), np.full(len(rows), step_across)))
    rows, columns, down, across = (np.concatenate(part) for part in zip(*parts, strict=True))
    return rows, columns, down, across


def cost_across(
    offsets: Offsets, pixels: tuple[Ints, Ints], steps: tuple[Ints, Ints], down: Ints, across: Ints
) -> FloatArray:
    """Cost at each seam if the pixels had the given offsets: how differently the two sides see both pixels."""
    rows, columns = pixels
    r, c = rows + steps[0], columns + steps[1]
    there, there_ok = offsets.look(r, c, down, across)
    its, its_ok = offsets.look(r, c, offsets.down[r, c], offsets.across[r, c])
    its_ok |= ~offsets.missing[r, c]  # known is known, even where it must not be copied
    own, own_ok = offsets.look(rows, columns, down, across)
    here, here_ok = offsets.look(rows, columns, offsets.down[r, c], offsets.across[r, c])
    at_neighbour = np.where(there_ok & its_ok, squared_distance(there, its), BLIND)
    at_pixel = np.where(
        offsets.missing[r, c], np.where(own_ok & here_ok, squared_distance(own, here), BLIND), at_neighbour
    )
    return at_neighbour + at_pixel + np.where(own_ok, np.float32(0), np.float32(BLIND))
