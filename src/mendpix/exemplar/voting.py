"""Make a picture of patches: each missing pixel is the weighted mean of what the patches that cover it say.

Wexler et al. 2007, https://doi.org/10.1109/TPAMI.2007.60. Also the very first fill, layer by layer from the hole's
border inwards.
"""

import cv2
import numpy as np

from mendpix.exemplar.levels import Flags
from mendpix.exemplar.patches import RADIUS_PX, Ints, unfold
from mendpix.types import FloatArray

FADE = 1.3
"""Per pixel of distance from the known part a patch counts this many times less."""

FARTHEST_PX = 30
"""Beyond this distance it counts no less."""

MOST_CANDIDATES = 10_000
"""Known patches that are compared when a hole is peeled; of more, a sample is drawn."""

MOST_PAIRS = 60_000_000
"""Pairs of patches that are compared then, at most."""

PEELED_AT_ONCE = 256
"""Patches of a layer that are compared at a time: memory has to end somewhere."""


def vote(channels: FloatArray, missing: Flags, number: Ints, source: Ints, weight: FloatArray) -> FloatArray:
    """Fill by the weighted mean of all patches that cover a pixel.

    Args:
        channels: Picture, shape (H, W, C); read where patches are copied from.
        missing: True where to fill, shape (H, W).
        number: Which patch is centred at a pixel, -1 for none, shape (H, W).
        source: Flat index of each patch's match, shape (N,).
        weight: Of each patch, shape (N,), positive.

    Returns:
        New array like `channels`, filled.
    """
    height, width, count = channels.shape
    rows, columns = np.nonzero(missing)
    flat = channels.reshape(-1, count)
    total = np.zeros((len(rows), count), np.float32)
    weights = np.zeros(len(rows), np.float32)
    around = np.pad(number, RADIUS_PX, constant_values=-1)
    for down in range(-RADIUS_PX, RADIUS_PX + 1):
        for across in range(-RADIUS_PX, RADIUS_PX + 1):
            patch = around[rows + down + RADIUS_PX, columns + across + RADIUS_PX]
            at_row, at_column = np.divmod(source[patch], width)
            at_row, at_column = at_row - down, at_column - across
            counts = (patch >= 0) & (at_row >= 0) & (at_row < height) & (at_column >= 0) & (at_column < width)
            share = np.where(counts, weight[patch], np.float32(0))
            total += share[:, None] * flat[np.where(counts, at_row * width + at_column, 0)]
            weights += share
    filled = channels.copy()
    filled[rows, columns] = total / np.maximum(weights, 1e-20)[:, None]
    return filled


def fade(missing: Flags) -> FloatArray:
    """Weight by distance: patches near the known part know more. 1 outside the hole, shape (H, W)."""
    distance = np.asarray(cv2.distanceTransform(missing.astype(np.uint8), cv2.DIST_L2, 5), np.float32)
    return np.power(np.float32(FADE), -np.minimum(distance, FARTHEST_PX))


def peel(channels: FloatArray, missing: Flags, usable: Flags, rng: np.random.Generator) -> tuple[FloatArray, Ints]:
    """Fill layer by layer; patches are compared where they know something, with every known patch.

    Args:
        channels: Best a small picture, shape (H, W, C): all pairs of patches are compared. Of too many a sample is.
        missing: True where to fill, shape (H, W); not everywhere.
        usable: Centres of patches that may be copied, shape (H, W); at least one.
        rng: Draws the sample.

    Returns:
        The picture filled, and the flat index of the match of each missing pixel's patch (-1 elsewhere), shape (H, W).
    """
    count = channels.shape[2]
    filled = np.where(missing[..., None], np.float32(0), channels)
    places = np.flatnonzero(usable)
    most = min(MOST_CANDIDATES, max(MOST_PAIRS // max(int(missing.sum()), 1), 500))
    if len(places) > most:
        places = np.sort(rng.choice(places, most, replace=False))
    rows, columns = np.divmod(places, usable.shape[1])
    candidates = unfold(filled)[rows, columns].reshape(len(places), -1).astype(np.float64)  # double: see `Description`
    squares = np.ascontiguousarray((candidates**2).T)
    candidates = np.ascontiguousarray(candidates.T)
    matches = np.full(missing.shape, -1)
    left = missing.copy()
    while left.any():
        layer = left & (cv2.dilate((~left).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)
        rows, columns = np.nonzero(layer)
        patches, known = unfold(filled), unfold((~left).astype(np.float32))
        for start in range(0, len(rows), PEELED_AT_ONCE):
            part = rows[start : start + PEELED_AT_ONCE], columns[start : start + PEELED_AT_ONCE]
            weight = np.repeat(known[part], count, axis=1).reshape(len(part[0]), -1)
            wanted = patches[part].reshape(len(part[0]), -1)
            distance = weight @ squares - 2 * (weight * wanted) @ candidates
            matches[part] = places[distance.argmin(axis=1)]
        number = np.full(missing.shape, -1)
        number[layer] = np.arange(len(rows))
        filled = vote(filled, layer, number, matches[layer], np.ones(len(rows), np.float32))
        left &= ~layer
    return filled, matches
