"""The whole exemplar fill: coarse to fine, then pieces, tones, and the full size. Knows no files and no windows."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from mendpix.checkpoints import checkpoint
from mendpix.errors import MaskError, ShapeError
from mendpix.exemplar.levels import Flags, Level, halve, texture_of
from mendpix.exemplar.offsets import Offsets, Unary, around_hole
from mendpix.exemplar.patches import SIDE_PX, Ints, fit, whole_patches
from mendpix.exemplar.pieces import double, merge_pieces
from mendpix.exemplar.search import Search
from mendpix.exemplar.tones import bring_up, correction, soften
from mendpix.exemplar.voting import fade, peel, vote
from mendpix.types import FloatArray, Image, Mask

Solver = Callable[[Level], Offsets]
"""Finds where every missing pixel of a picture of working size is copied from."""

WORKING_SIDE_PX = 448
"""Longest side at which offsets are searched; larger pictures are halved until they fit."""

WORKING_HOLE_PX = 40_000
"""Most missing pixels at which offsets are searched."""

COARSEST_RADIUS_PX = 4.0
"""Halving ends once the hole's largest disc has at most this radius: patches then reach across it."""

COARSEST_PX = 10_000
"""Halving goes on, however thin the hole is, while a picture has more pixels than this: there all patches are compared
with all."""

SMALLEST_SIDE_PX = 24
"""Halving ends before a side gets shorter than this."""

LEAST_PATCHES = 24
"""Fewer patches than these are nothing to choose from."""

TEXTURE_WEIGHT = 3.0
"""What a difference in texture counts against one in colour."""

TEXTURE_GAIN = 1.1
"""Texture is asked for this many times as strong as the vote has it. A vote is a mean, patches that match a mean are
smooth ones, and round by round texture would be lost; docs/experiments.md has the numbers."""

ROUNDS = 8
"""Rounds of search and vote at each level, at most."""

STILL = 0.002
"""They end when colours change by less than this, in the mean."""

UNARY = 0.3 / SIDE_PX**2
"""Cost of a patch's squared distance beside that of seams."""

COHERENCE_ROUNDS = 3
"""How often pixels may take over the offsets of others, 8, 4, 2 and 1 px away."""

MERGE_ROUNDS = 40
"""How often pieces may merge."""


def exemplar(image: Image, hole: Mask, *, excluded: Mask | None = None, seed: int = 0) -> Image:
    """Fill a hole with pieces of the rest of the picture (PatchMatch, coarse to fine, then pieces and tones).

    Deterministic: the same picture, hole and seed give the same fill on the same machine.

    Args:
        image: RGB in [0, 1], shape (H, W, 3); what lies in the hole is ignored. Not written to.
        hole: 1 = fill, 0 = known, shape (H, W).
        excluded: 1 = known, but nothing of it may be copied, shape (H, W); None = everything known may be.
        seed: Seed of the random tries.

    Returns:
        New array like `image`; bit-exact copy where `hole` is 0.

    Raises:
        ShapeError: If the sizes differ.
        MaskError: If too little of the picture may be copied to choose from.

    Example:
        >>> stripes = np.tile(np.float32([0, 0, 1, 1]), 16)[:, None, None] * np.ones((64, 64, 3), np.float32)
        >>> hole = np.zeros((64, 64), np.float32)
        >>> hole[20:44, 20:44] = 1
        >>> bool(np.abs(exemplar(stripes, hole) - stripes).max() < 0.01)
        True
    """
    return fill_by(lambda level: search_offsets(level, np.random.default_rng(seed)), image, hole, excluded)


def fill_by(solver: Solver, image: Image, hole: Mask, excluded: Mask | None) -> Image:
    """Fill a hole: find offsets at working size, bring them to full size, take out the seams.

    Arguments, result and errors are those of `exemplar`; what finds the offsets is given.
    """
    _check(image, hole, excluded)
    missing = hole > 0
    filled = image.copy()
    if not missing.any():
        return filled
    levels = [Level(image, missing, ~missing if excluded is None else ~missing & ~(excluded > 0))]
    while _is_too_large(levels[-1]):
        checkpoint()
        levels.append(halve(levels[-1]))
    _check_usable(levels[-1])
    pieces = solver(levels[-1])
    tone = correction(pieces)
    for level in reversed(levels[:-1]):
        checkpoint()
        coarse, pieces = pieces, double(pieces, level)
        tone = correction(pieces, bring_up(coarse, tone, pieces))
    checkpoint()
    height, width = pieces.missing.shape
    part = filled[pieces.top : pieces.top + height, pieces.left : pieces.left + width]
    part[pieces.missing] = np.clip(soften(pieces, tone, len(levels))[pieces.missing], 0, 1)  # the larger, the softer
    return filled


def search_offsets(working: Level, rng: np.random.Generator) -> Offsets:
    """Find where every missing pixel is copied from, coarse to fine.

    At the smallest size the hole is filled layer by layer. At each size, patches that touch the hole look for similar
    ones in the known part, and vote on what the hole looks like; then they look again (Wexler et al. 2007). At last,
    pixels agree on few large pieces.

    Args:
        working: Picture of working size, with a hole and enough to copy.
        rng: Draws samples and random tries.
    """
    levels = _pyramid(working)
    texture = TEXTURE_WEIGHT * texture_of(working, 2 ** max(len(levels) - 2, 1))
    matched: _Matched | None = None
    for power in range(len(levels) - 1, -1, -1):
        height, width = levels[power].missing.shape
        channels = np.dstack([levels[power].image, texture[:: 2**power, :: 2**power][:height, :width]])  # (h, w, 5)
        matched = _match(levels[power], channels, None if matched is None else matched.search, rng)
    assert matched is not None
    return _agree(working, matched, rng)


@dataclass(frozen=True)
class _Matched:
    """What is known at one size once its rounds are over."""

    search: Search
    wanted: FloatArray
    """Descriptions of the patches that touch the hole, as filled, shape (N, D)."""
    known: FloatArray
    """Descriptions of all patches, shape (H · W, D)."""
    usable: Flags
    """Centres of patches that may be copied, shape (H, W)."""


def _match(level: Level, channels: FloatArray, coarser: Search | None, rng: np.random.Generator) -> _Matched:
    """Search and vote in turns at one size, from the matches of half the size or, without any, layer by layer."""
    height, width = level.missing.shape
    usable = whole_patches(level.usable)
    description = fit(channels, usable, rng)
    known = description.of_all(channels)
    rows, columns = np.nonzero(_touching(level.missing))
    search = Search(rows, columns, usable, known, rng)
    trust = fade(level.missing)[rows, columns]
    if coarser is None:
        filled, matches = peel(channels, level.missing, usable, rng)
        search.start(matches[rows, columns])
    else:
        search.start(_doubled(coarser, search))
        filled = vote(channels, level.missing, search.number, search.source, trust)
    reach = max(height, width)
    wanted = description.of(filled, rows, columns)
    for turn in range(ROUNDS):
        checkpoint()
        search.improve(wanted, 1 if turn else 2, max(reach // 4, 8) if turn else reach)
        # Patches that match badly count less (Newson et al. 2014).
        weight = trust * np.exp(-search.cost / (2 * np.quantile(search.cost, 0.75) + 1e-6)) + 1e-12
        before = filled
        filled = vote(channels, level.missing, search.number, search.source, weight.astype(np.float32))
        filled[level.missing, 3:] *= TEXTURE_GAIN
        wanted = description.of(filled, rows, columns)
        if np.abs(filled - before)[level.missing, :3].mean() < STILL:
            break
    return _Matched(search, wanted, known, usable)


def _agree(level: Level, matched: _Matched, rng: np.random.Generator) -> Offsets:
    """Turn each pixel's own match into few large pieces."""
    search = matched.search
    rows, columns, width = search.rows, search.columns, level.missing.shape[1]
    down, across = np.zeros(level.missing.shape, np.int64), np.zeros(level.missing.shape, np.int64)
    down[rows, columns] = search.source // width - rows
    across[rows, columns] = search.source % width - columns
    pieces = around_hole(level, down, across)
    unary = Unary(pieces, matched.wanted[level.missing[rows, columns]], matched.known, matched.usable, UNARY)
    pieces.settle_seams(COHERENCE_ROUNDS, (8, 4, 2, 1), unary)
    merge_pieces(pieces, unary, MERGE_ROUNDS, rng)
    pieces.settle_seams(1, (2, 1), unary)
    return pieces


def _pyramid(working: Level) -> list[Level]:
    """Halve a picture until patches reach across its hole, as long as there is enough to copy."""
    levels = [working]
    while True:
        level = levels[-1]
        distance = np.asarray(cv2.distanceTransform(level.missing.astype(np.uint8), cv2.DIST_L2, 5))
        if min(level.missing.shape) < 2 * SMALLEST_SIDE_PX:
            return levels
        if float(distance.max()) <= COARSEST_RADIUS_PX and level.missing.size <= COARSEST_PX:
            return levels
        smaller = halve(level)
        if whole_patches(smaller.usable).sum() < LEAST_PATCHES:
            return levels
        levels.append(smaller)


def _touching(missing: Flags) -> Flags:
    """Mark the pixels whose patch touches the hole."""
    return cv2.dilate(missing.astype(np.uint8), np.ones((SIDE_PX, SIDE_PX), np.uint8)) > 0


def _doubled(coarse: Search, fine: Search) -> Ints:
    """Bring matches to twice the size: flat index of a match for each of the finer patches, -1 for none."""
    height, width = coarse.size
    patch = coarse.number[np.minimum(fine.rows // 2, height - 1), np.minimum(fine.columns // 2, width - 1)]
    source_rows, source_columns = np.divmod(coarse.source[patch], width)
    rows = np.minimum(2 * source_rows + fine.rows % 2, fine.size[0] - 1)
    columns = np.minimum(2 * source_columns + fine.columns % 2, fine.size[1] - 1)
    return np.where(patch >= 0, rows * fine.size[1] + columns, -1)


def _is_too_large(level: Level) -> bool:
    return max(level.missing.shape) > WORKING_SIDE_PX or int(level.missing.sum()) > WORKING_HOLE_PX


def _check(image: Image, hole: Mask, excluded: Mask | None) -> None:
    if image.ndim != 3 or image.shape[2] != 3:
        raise ShapeError(f"image must be (H, W, 3); got {image.shape}. Repeat a grey channel three times.")
    for name, mask in (("hole", hole), ("excluded", excluded)):
        if mask is not None and mask.shape != image.shape[:2]:
            raise ShapeError(f"{name} must be {image.shape[:2]} like the picture; got {mask.shape}. Resize it first.")


def _check_usable(level: Level) -> None:
    found = int(whole_patches(level.usable).sum())
    if found < LEAST_PATCHES:
        raise MaskError(
            f"An exemplar fill needs known places to copy from, {LEAST_PATCHES} patches of {SIDE_PX} px at least at "
            f"working size; got {found}. Make the hole or the excluded area smaller, or use --model scenes."
        )
