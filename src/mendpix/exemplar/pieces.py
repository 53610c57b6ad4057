"""Move whole pieces of one offset: merge them, bring them to twice the size, let them settle, mend what became illegal.

Pieces found in a small picture are brought to its full size: offsets double with the picture, then each piece settles
by a pixel or so until its seams fit again.
"""

import cv2
import numpy as np

from mendpix.exemplar.levels import Flags, Level
from mendpix.exemplar.offsets import SEAM, Offsets, Unary, cost_across, hole_box, seams_of
from mendpix.exemplar.patches import Ints
from mendpix.exemplar.search import FOUR

SETTLE_ROUNDS = 4
"""How often every piece may settle by a pixel at each size."""

SEAM_ROUNDS = 2
"""How often seams may move at each size above the smallest."""


def merge_pieces(offsets: Offsets, unary: Unary, rounds: int, rng: np.random.Generator) -> None:
    """Let whole pieces take over a neighbouring piece's offset where that costs less. Pixel by pixel they never could.

    Args:
        offsets: Changed in place.
        unary: What an offset costs a pixel besides its seams.
        rounds: How often every piece gets a chance.
        rng: Draws which pieces may move, and to which of their neighbours.
    """
    for _ in range(rounds):
        pieces, count = offsets.pieces()
        rows, columns, step_down, step_across = seams_of(offsets, pieces)
        r, c = rows + step_down, columns + step_across
        own, its = pieces[rows, columns], pieces[r, c]
        moving = rng.random(count) < 0.5
        # One of the neighbours that stay where they are, the likelier the longer the common seam.
        open_ = np.flatnonzero(moving[own] & (its >= 0) & ~moving[np.maximum(its, 0)])
        open_ = open_[rng.permutation(len(open_))]
        towards = np.full(count, -1)
        towards[own[open_]] = open_
        able = towards >= 0
        down, across = np.zeros(count, np.int64), np.zeros(count, np.int64)
        down[able] = offsets.down[r[towards[able]], c[towards[able]]]
        across[able] = offsets.across[r[towards[able]], c[towards[able]]]
        # What the pixels say …
        inner_rows, inner_columns = np.nonzero(offsets.missing & able[np.maximum(pieces, 0)])
        of = pieces[inner_rows, inner_columns]
        allowed = unary.allows(inner_rows, inner_columns, down[of], across[of])
        allowed &= offsets.look(inner_rows, inner_columns, down[of], across[of])[1]
        refused = np.bincount(of[~allowed], minlength=count) > 0
        keep = ~refused[of]
        inner_rows, inner_columns, of = inner_rows[keep], inner_columns[keep], of[keep]
        change = unary.cost(inner_rows, inner_columns, down[of], across[of])
        change = change - unary.cost(
            inner_rows,
            inner_columns,
            offsets.down[inner_rows, inner_columns],
            offsets.across[inner_rows, inner_columns],
        )
        total = np.bincount(of, change, count)
        # … and what the seams say.
        able &= ~refused
        at = np.flatnonzero(able[own])
        pixels, steps, of = (rows[at], columns[at]), (step_down[at], step_across[at]), own[at]
        before = cost_across(offsets, pixels, steps, offsets.down[pixels], offsets.across[pixels]) + SEAM
        after = cost_across(offsets, pixels, steps, down[of], across[of])
        there = (r[at], c[at])
        same = offsets.missing[there] & (offsets.down[there] == down[of]) & (offsets.across[there] == across[of])
        total += np.bincount(of, np.where(same, 0, after + SEAM) - before, count)
        accepted = able & (total < -1e-6)
        take = offsets.missing & accepted[np.maximum(pieces, 0)]
        offsets.down[take], offsets.across[take] = down[pieces[take]], across[pieces[take]]


def double(coarse: Offsets, level: Level) -> Offsets:
    """Bring offsets to a level of twice the size: pieces keep their shape, settle, and their seams find better places.

    Args:
        coarse: Offsets of the next smaller level.
        level: The level that `coarse.level` was halved from.
    """
    box = hole_box(level.missing)
    missing = level.missing[box]
    # Pixels whose coarse pixel was known already take the offset of the nearest one that was not.
    nearest = _nearest(coarse.missing)
    at_row = np.clip(np.arange(box[0].start, box[0].stop) // 2 - coarse.top, 0, coarse.missing.shape[0] - 1)
    at_column = np.clip(np.arange(box[1].start, box[1].stop) // 2 - coarse.left, 0, coarse.missing.shape[1] - 1)
    which = nearest[np.ix_(at_row, at_column)]
    down = np.where(missing, 2 * coarse.down.ravel()[which], 0)
    across = np.where(missing, 2 * coarse.across.ravel()[which], 0)
    fine = Offsets(level, box[0].start, box[1].start, missing, down, across)
    repair(fine)
    settle_pieces(fine)
    repair(fine)
    fine.settle_seams(SEAM_ROUNDS, (1,))
    return fine


def settle_pieces(offsets: Offsets) -> None:
    """Move each piece's source by up to a pixel at a time, to where its seams cost least."""
    for turn in range(SETTLE_ROUNDS):
        labels, count = offsets.labels()
        rows, columns, step_down, step_across = seams_of(offsets, labels)
        own = labels[rows, columns]
        down, across = offsets.down[rows, columns], offsets.across[rows, columns]
        best = np.full(count, np.inf)
        choice = np.zeros((count, 2), np.int64)
        for move_down in (0, -1, 1):
            for move_across in (0, -1, 1):
                cost = cost_across(
                    offsets, (rows, columns), (step_down, step_across), down + move_down, across + move_across
                )
                total = np.bincount(own, cost, count) * (1.0 if move_down == move_across == 0 else 1.02)
                better = total < best
                best[better] = total[better]
                choice[better] = move_down, move_across
        moving = choice.any(axis=1) & (np.arange(count) % 2 == turn % 2)  # half of them, for neighbours move too
        if not choice.any():
            break
        shift = np.where(moving[:, None], choice, 0)
        offsets.down[offsets.missing] += shift[labels[offsets.missing], 0]
        offsets.across[offsets.missing] += shift[labels[offsets.missing], 1]


def repair(offsets: Offsets) -> None:
    """Give pixels whose source may not be copied a neighbour's offset that may be, from the nearest outwards."""
    rows, columns = np.nonzero(offsets.missing)
    _, fine = offsets.look(rows, columns, offsets.down[rows, columns], offsets.across[rows, columns])
    bad: Flags = np.zeros(offsets.missing.shape, np.bool_)
    bad[rows[~fine], columns[~fine]] = True
    height, width = bad.shape
    while bad.any():
        before = int(bad.sum())
        for step_down, step_across in FOUR:
            rows, columns = np.nonzero(bad)
            r, c = np.clip(rows + step_down, 0, height - 1), np.clip(columns + step_across, 0, width - 1)
            down, across = offsets.down[r, c], offsets.across[r, c]
            _, allowed = offsets.look(rows, columns, down, across)
            allowed &= offsets.missing[r, c] & ~bad[r, c]
            rows, columns = rows[allowed], columns[allowed]
            offsets.down[rows, columns], offsets.across[rows, columns] = down[allowed], across[allowed]
            bad[rows, columns] = False
        if int(bad.sum()) == before:
            _take_nearest(offsets, bad)
            return


def _take_nearest(offsets: Offsets, bad: Flags) -> None:
    """Copy the nearest pixel that may be copied: what is left when no neighbour's offset will do."""
    usable = offsets.level.usable
    rows, columns = np.nonzero(bad)
    source = _nearest(usable)[rows + offsets.top, columns + offsets.left]
    offsets.down[rows, columns] = source // usable.shape[1] - rows - offsets.top
    offsets.across[rows, columns] = source % usable.shape[1] - columns - offsets.left


def _nearest(marked: Flags) -> Ints:
    """Return the flat index of the marked pixel nearest to each pixel, shape of `marked`; at least one is marked."""
    _, found = cv2.distanceTransformWithLabels(
        (~marked).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    labels = np.asarray(found, np.int64)
    places = np.zeros(int(labels.max()) + 1, np.int64)
    places[labels[marked]] = np.flatnonzero(marked)
    return places[labels]
