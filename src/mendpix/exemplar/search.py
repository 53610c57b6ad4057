"""PatchMatch: for each patch that touches the hole, find a similar one in the known part of the picture.

Barnes et al. 2009, https://doi.org/10.1145/1531326.1531330, with all patches moving at once (arrays in place of the
scan): neighbours pass on where they were lucky, and random tries around the best place so far do the rest.
"""

import cv2
import numpy as np

from mendpix.exemplar.levels import Flags
from mendpix.exemplar.patches import SIDE_PX, Ints
from mendpix.types import FloatArray

STEPS = ((4, 2, 1), (2, 1))
"""How far away the neighbours are that are asked, px: in the first round, and in those after it."""

FOUR = ((0, 1), (0, -1), (1, 0), (-1, 0))
"""The four neighbours: down, across."""


POSITION_WEIGHT = (2.0, 1.0)
"""What it costs to copy from far away: colour difference per pixel of patch that counts as much as a step over the
whole picture, down and across. Photos have the sky above."""

POSITION_LIMIT = 0.2
"""It never costs more than this, in the same unit: what repeats may be copied from anywhere."""


REPEAT_WEIGHT = 0.1
"""What it costs to copy a place again that has been copied once, per further time, in the same unit."""

MOST_REPEATS = 4.0
"""Further times beyond this cost nothing more."""


def reluctance(down: Ints, across: Ints, side_px: int) -> FloatArray:
    """Cost of copying from far away, to be added to a patch's squared distance.

    Args:
        down: Offsets, rows, shape (N,).
        across: Likewise, columns.
        side_px: Longest side of the picture.

    Returns:
        Shape (N,), at most (7 · `POSITION_LIMIT`)².
    """
    share = ((POSITION_WEIGHT[0] * down) ** 2 + (POSITION_WEIGHT[1] * across) ** 2) / side_px**2
    return (SIDE_PX**2 * share / (1 + share / POSITION_LIMIT**2)).astype(np.float32)


class Search:
    """Where each of N patches would be copied from. Holds the best matches so far, and improves them."""

    def __init__(self, rows: Ints, columns: Ints, usable: Flags, known: FloatArray, rng: np.random.Generator) -> None:
        """Set up a search without any match yet.

        Args:
            rows: Centres of the patches, shape (N,).
            columns: Likewise.
            usable: Centres of patches that may be copied, shape (H, W); at least one.
            known: Descriptions of all patches of the picture, shape (H · W, D).
            rng: Draws the random tries.
        """
        self.rows, self.columns = rows, columns
        self.size = usable.shape
        self.number = np.full(self.size, -1)  # of the patch around a pixel, -1 for none
        self.number[rows, columns] = np.arange(len(rows))
        self.source = np.zeros(len(rows), np.int64)  # flat index of the best match so far
        self.cost = np.full(len(rows), np.inf, np.float32)
        self._usable, self._known, self._rng = usable.ravel(), known, rng
        self._repeats = np.zeros(usable.size, np.float32)  # cost of copying a place again

    def start(self, source: Ints) -> None:
        """Begin with given matches; those that may not be copied are replaced by random ones.

        Args:
            source: Flat index per patch; -1 for none. Shape (N,).
        """
        bad = (source < 0) | ~self._usable[np.maximum(source, 0)]
        self.source = source.copy()
        self.source[bad] = self._rng.choice(np.flatnonzero(self._usable), int(bad.sum()))

    def improve(self, wanted: FloatArray, rounds: int, reach_px: int) -> None:
        """Look for better matches.

        Args:
            wanted: Descriptions of the patches as they are now, shape (N, D).
            rounds: How often neighbours are asked and random places tried.
            reach_px: How far from the best place so far random tries go; halved until it is 1.
        """
        self._repeats = self._count_repeats()
        self.cost = self._cost(wanted, np.arange(len(self.rows)), self.source)
        for turn in range(rounds):
            for step in STEPS[min(turn, len(STEPS) - 1)]:
                for down, across in FOUR:
                    self._ask(wanted, down * step, across * step)
            reach = reach_px
            while reach >= 1:
                count = len(self.rows)
                tries = self._rng.integers(-reach, reach + 1, (2, count))
                rows, columns = np.divmod(self.source, self.size[1])
                self._try(wanted, np.arange(count), rows + tries[0], columns + tries[1])
                reach //= 2

    def _count_repeats(self) -> FloatArray:
        """Cost of copying each place of the picture again, from how often the current matches copy it."""
        uses = np.bincount(self.source, minlength=self.size[0] * self.size[1]).reshape(self.size).astype(np.float32)
        uses = np.asarray(cv2.blur(uses, (SIDE_PX, SIDE_PX)), np.float32)
        return (SIDE_PX * REPEAT_WEIGHT) ** 2 * np.clip(uses - 1, 0, MOST_REPEATS).ravel()

    def _ask(self, wanted: FloatArray, down: int, across: int) -> None:
        """Try for each patch what its neighbour's match suggests."""
        height, width = self.size
        rows, columns = self.rows + down, self.columns + across
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        neighbour = self.number[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]
        who = np.flatnonzero(inside & (neighbour >= 0))
        rows, columns = np.divmod(self.source[neighbour[who]], width)
        self._try(wanted, who, rows - down, columns - across)

    def _try(self, wanted: FloatArray, who: Ints, rows: Ints, columns: Ints) -> None:
        """Take the given places where they match better."""
        height, width = self.size
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        who, place = who[inside], (rows * width + columns)[inside]
        allowed = self._usable[place] & (place != self.source[who])
        who, place = who[allowed], place[allowed]
        cost = self._cost(wanted, who, place)
        better = cost < self.cost[who]
        self.source[who[better]], self.cost[who[better]] = place[better], cost[better]

    def _cost(self, wanted: FloatArray, who: Ints, place: Ints) -> FloatArray:
        """Cost of copying some patches from some places: how they look, how far they are, how often they are copied."""
        rows, columns = np.divmod(place, self.size[1])
        cost = squared_distance(wanted[who], self._known[place])
        cost += reluctance(rows - self.rows[who], columns - self.columns[who], max(self.size))
        cost += self._repeats[place]
        return cost


def squared_distance(first: FloatArray, second: FloatArray) -> FloatArray:
    """Squared distance of rows, shape (N,)."""
    difference = first - second
    return np.einsum("ij,ij->i", difference, difference)
