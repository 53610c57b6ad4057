"""Make copied pieces fit in tone: a smooth correction that takes the steps out of seams, and soft edges.

The correction solves a screened Poisson equation (Pérez et al. 2003, https://doi.org/10.1145/882262.882269): inside
a piece it is smooth, so texture stays as it was copied; across a seam it jumps by what the two sides differ there.
Steps that are too large to be a matter of tone are edges of things, and are let be.
"""

import cv2
import numpy as np

from mendpix.exemplar.levels import Flags
from mendpix.exemplar.offsets import Offsets
from mendpix.exemplar.patches import Ints
from mendpix.exemplar.search import FOUR
from mendpix.types import FloatArray

EDGE_STEP = 0.15
"""Size of a step (colours in [0, 1]) that counts 1/e as a matter of tone; twice as large ones hardly count at all."""

SCREEN = 2e-4
"""How strongly the correction is drawn to 0, against 1 for its smoothness: it fades over some 70 px."""

ITERATIONS = 80
"""Of the conjugate gradients, at most."""

TOLERANCE = 1e-3
"""Residual, relative to the first, at which they stop."""

SWEEPS = 12
"""Jacobi sweeps that smooth a correction brought up from a smaller size."""

MOST_SOFT_PX = 3
"""How far pieces are blended into each other at most."""


def correction(offsets: Offsets, start: FloatArray | None = None) -> FloatArray:
    """Compute what is to be added to the copy.

    Args:
        offsets: The pieces.
        start: Correction brought up from a smaller size, shape (h, w, 3): it is only smoothed then.

    Returns:
        Shape (h, w, 3); 0 where nothing is missing.
    """
    weights, steps, centre = _equations(offsets)
    inside = offsets.missing[..., None]
    right: FloatArray = np.zeros((*offsets.missing.shape, 3), np.float32)
    for weight, step in zip(weights, steps, strict=True):
        right += weight * step
    if start is not None:
        value = np.where(inside, start, np.float32(0))
        for _ in range(SWEEPS):
            value = np.where(inside, (right + _neighbours(value, weights)) / centre, np.float32(0))
        return value

    def apply(value: FloatArray) -> FloatArray:
        return np.where(inside, centre * value - _neighbours(value, weights), np.float32(0))

    value = np.zeros_like(right)
    residual = right
    scaled = residual / centre
    direction = scaled
    product = (residual * scaled).sum(axis=(0, 1), dtype=np.float64)
    first = product.copy()
    for _ in range(ITERATIONS):
        if np.all(product <= TOLERANCE**2 * first):
            break
        turned = apply(direction)
        length = product / np.maximum((direction * turned).sum(axis=(0, 1), dtype=np.float64), 1e-30)
        value = value + length.astype(np.float32) * direction
        residual = residual - length.astype(np.float32) * turned
        scaled = residual / centre
        following = (residual * scaled).sum(axis=(0, 1), dtype=np.float64)
        direction = scaled + (following / np.maximum(product, 1e-30)).astype(np.float32) * direction
        product = following
    return value


def bring_up(coarse: Offsets, value: FloatArray, fine: Offsets) -> FloatArray:
    """Bring a correction to twice the size, piece by piece: a pixel takes it from coarse pixels of its own piece.

    Args:
        coarse: Offsets that `fine` was doubled from.
        value: Their correction.
        fine: Offsets at twice the size.

    Returns:
        Shape of the fine box; to be smoothed by `correction`.
    """
    size = fine.missing.shape
    at_row = np.arange(size[0]) + fine.top
    at_column = np.arange(size[1]) + fine.left
    total = np.zeros((*size, 3), np.float32)
    weights = np.zeros(size, np.float32)
    fallback = np.zeros((*size, 3), np.float32)
    height, width = coarse.missing.shape
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            rows = np.clip(at_row // 2 - coarse.top + down, 0, height - 1)
            columns = np.clip(at_column // 2 - coarse.left + across, 0, width - 1)
            there = np.ix_(rows, columns)
            # A piece settles by a few pixels when it is doubled; another piece is usually much farther away.
            same = np.abs(2 * coarse.down[there] - fine.down) + np.abs(2 * coarse.across[there] - fine.across) <= 4
            same &= coarse.missing[there]
            distance = (at_row / 2 - 0.25 - (at_row // 2 + down))[:, None] ** 2
            distance = distance + (at_column / 2 - 0.25 - (at_column // 2 + across))[None] ** 2
            weight = np.where(same, np.exp(-2 * distance).astype(np.float32), np.float32(0))
            total += weight[..., None] * value[there]
            weights += weight
            if down == across == 0:
                fallback = value[there]
    return np.where(weights[..., None] > 1e-6, total / np.maximum(weights, 1e-6)[..., None], fallback)


def soften(offsets: Offsets, correction_: FloatArray, radius_px: int = 1) -> FloatArray:
    """Return copy plus correction, pieces blended into each other over a few pixels along their seams.

    Args:
        offsets: The pieces.
        correction_: What is added to them, shape (h, w, 3).
        radius_px: How far they are blended into each other, at most `MOST_SOFT_PX`.

    Returns:
        The fill, shape (h, w, 3); 0 where nothing is missing.
    """
    radius_px = min(radius_px, MOST_SOFT_PX)
    result = offsets.copy() + correction_
    rows, columns = np.nonzero(_near_seams(offsets, radius_px))
    height, width = offsets.missing.shape
    total = np.zeros((len(rows), 3), np.float32)
    weights = np.zeros(len(rows), np.float32)
    for down in range(-radius_px, radius_px + 1):
        for across in range(-radius_px, radius_px + 1):
            r, c = rows + down, columns + across
            counts = (r >= 0) & (r < height) & (c >= 0) & (c < width)
            r, c = np.clip(r, 0, height - 1), np.clip(c, 0, width - 1)
            counts &= offsets.missing[r, c]
            colours, allowed = offsets.look(rows, columns, offsets.down[r, c], offsets.across[r, c])
            weight = np.where(
                counts & allowed, np.float32(np.exp(-(down**2 + across**2) / radius_px**2)), np.float32(0)
            )
            total += weight[:, None] * (colours + correction_[r, c])
            weights += weight
    some = weights > 0
    result[rows[some], columns[some]] = total[some] / weights[some, None]
    return result


def _near_seams(offsets: Offsets, radius_px: int) -> Flags:
    """Mark missing pixels that have another piece within reach of the soft edge."""
    labels, _ = offsets.labels()
    values = (labels + 1).astype(np.float32)
    square = np.ones((2 * radius_px + 1,) * 2, np.uint8)
    highest = cv2.dilate(values, square)
    lowest = cv2.erode(np.where(offsets.missing, values, np.float32(labels.max() + 2)), square)
    return offsets.missing & (highest != lowest)


def _equations(offsets: Offsets) -> tuple[list[FloatArray], list[FloatArray], FloatArray]:
    """Set up Σ w (c_x - c_y - step) = 0 over the four neighbours: weights and steps per direction, and the diagonal."""
    copied = np.where(offsets.missing[..., None], offsets.copy(), offsets.level.image[_box(offsets)])
    height, width = offsets.missing.shape
    weights: list[FloatArray] = []
    steps: list[FloatArray] = []
    rows_all, columns_all = np.indices((height, width))
    for down, across in FOUR:
        weight = np.zeros((height, width, 1), np.float32)
        step = np.zeros((height, width, 3), np.float32)
        r, c = rows_all + down, columns_all + across
        pair = offsets.missing & (r >= 0) & (r < height) & (c >= 0) & (c < width)
        r, c = np.clip(r, 0, height - 1), np.clip(c, 0, width - 1)
        same = (
            pair
            & offsets.missing[r, c]
            & (offsets.down == offsets.down[r, c])
            & (offsets.across == offsets.across[r, c])
        )
        weight[same] = 1
        rows, columns = np.nonzero(pair & ~same)
        at = (rows, columns)
        size, value = _steps(offsets, copied, at, (r[at], c[at]))
        weight[at], step[at] = size[:, None], value
        weights.append(weight)
        steps.append(step)
    return weights, steps, sum(weights, np.full((height, width, 1), SCREEN, np.float32))


def _steps(
    offsets: Offsets, copied: FloatArray, here: tuple[Ints, Ints], there: tuple[Ints, Ints]
) -> tuple[FloatArray, FloatArray]:
    """Tell by how much the correction should be higher here than there, so that no step is left, and how sure that is.

    Either side says how the two pixels differ in its own source; the mean of both is what the result should show.
    """
    own_down, own_across = offsets.down[here], offsets.across[here]
    its_down, its_across = offsets.down[there], offsets.across[there]
    seen_there, ok_there = offsets.look(*there, own_down, own_across)
    seen_here, ok_here = offsets.look(*here, its_down, its_across)
    ok_here &= offsets.missing[there]  # a known pixel has no piece of its own that tells about this one
    actual = copied[here] - copied[there]
    by_own = copied[here] - seen_there
    by_its = seen_here - copied[there]
    sides = ok_there.astype(np.float32) + ok_here
    wanted = np.where(ok_there[:, None], by_own, 0) + np.where(ok_here[:, None], by_its, 0)
    wanted = (wanted / np.maximum(sides, 1)[:, None]).astype(np.float32)
    step = wanted - actual
    size = np.abs(step).max(axis=1)
    weight = np.where(sides > 0, np.exp(-((size / EDGE_STEP) ** 2)), 0)
    return weight.astype(np.float32), step.astype(np.float32, copy=False)


def _neighbours(value: FloatArray, weights: list[FloatArray]) -> FloatArray:
    """Weighted sum of the four neighbours' values."""
    total = np.zeros_like(value)
    for (down, across), weight in zip(FOUR, weights, strict=True):
        height, width = value.shape[:2]
        here = (slice(max(-down, 0), height - max(down, 0)), slice(max(-across, 0), width - max(across, 0)))
        there = (slice(max(down, 0), height - max(-down, 0)), slice(max(across, 0), width - max(-across, 0)))
        total[here] += weight[here] * value[there]
    return total


def _box(offsets: Offsets) -> tuple[slice, slice]:
    height, width = offsets.missing.shape
    return slice(offsets.top, offsets.top + height), slice(offsets.left, offsets.left + width)
