"""Find damage in a picture of any size. Cuts it into windows, and looks at large pictures at smaller sizes as well.

A scratch over a scan of 24 megapixels may be thirty pixels wide, and a finder of damage was trained on small pictures:
it sees at half or quarter size what is too wide for it at full size. Of a pixel's answers at all sizes, the highest
counts; every look finds some damage where there is none, so what is seen at smaller sizes can be asked to be plainer.
Memory: a plane of one number per pixel, the smaller pictures, and one window. Knows no threshold of its own, and no
mask.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from mendpix.engines.interface import DamageEngine, Facts
from mendpix.errors import ModelError
from mendpix.inference import sizing
from mendpix.inference.windows import Box, Window, tile
from mendpix.types import FloatArray, Image, Map

FINEST_PX = 4096
"""Longest side at which a picture is looked at, px; larger ones are halved first, until they are no larger."""

COARSEST_PX = 512
"""A picture is looked at at half its size as well if its longest side is still at least this, px. The finder has learnt
on pictures of 256 px: a scratch that it is sure of at this size it may not see at all at twice the size."""

TILE_PX = 768
"""Side of a window unless the finder prefers another, px."""

MARGIN_PX = 64
"""How far a window reaches beyond the part that is taken from it, px, at least."""

FADE_PX = 16
"""How far the answers of two windows fade into each other on both sides of their border, px."""

DOUBT = 0.0
"""How much plainer than at the largest size, in the logarithm of the odds, damage must be at a smaller one. With 1, two
looks mark hardly more than one does where there is no damage; but what is wide is seen at the smaller sizes alone, and
of lines of 20 px in pictures of 3072 px much is then lost."""

Advance = Callable[[int], None]
"""Called with the pixels that have just gone through the finder."""


@dataclass(frozen=True)
class Level:
    """One size at which a picture is looked at."""

    size: tuple[int, int]
    """Height and width of the part of the picture that is looked at, at this size, px."""
    windows: tuple[Window, ...]
    """Where the finder is run."""

    @property
    def cost_px(self) -> int:
        """Pixels that go through the finder."""
        return sum(window.box.area for window in self.windows)


@dataclass(frozen=True)
class Look:
    """How a picture is looked at."""

    box: Box
    """What is looked at: the region and what lies around it."""
    region: Box
    """Where damage counts."""
    levels: tuple[Level, ...]
    """From the finest to the coarsest."""

    @property
    def cost_px(self) -> int:
        """Pixels that go through the finder at all sizes together."""
        return sum(level.cost_px for level in self.levels)


def plan_look(size: tuple[int, int], facts: Facts, region: Box | None = None, *, full_size: bool = False) -> Look:
    """Plan how to look at a picture.

    Args:
        size: Height and width of the picture, px.
        facts: The finder's facts.
        region: Where damage counts; None = everywhere.
        full_size: Look at the full size alone: noise is not to be seen at any other.
    """
    margin = max(MARGIN_PX, facts.context_px)
    side = max(facts.preferred_px or TILE_PX, 4 * margin)
    steps = [0] if full_size else _halvings(max(size))
    region = region or Box(0, 0, *size)
    reach = margin << steps[-1]
    box = Box(
        max(region.top - reach, 0),
        max(region.left - reach, 0),
        min(region.bottom + reach, size[0]),
        min(region.right + reach, size[1]),
    )
    sizes = [(-(-(box.bottom - box.top) >> step), -(-(box.right - box.left) >> step)) for step in steps]
    return Look(box, region, tuple(Level(each, tuple(tile(each, side, margin, facts))) for each in sizes))


def find_damage(
    finder: DamageEngine,
    image: Image,
    thresholds: Mapping[str, float],
    look: Look,
    advance: Advance = lambda work: None,
    *,
    doubt: float = DOUBT,
) -> Map:
    """Tell for each pixel how much speaks for damage.

    The answers of all kinds that are wanted are brought to one scale, on which 0.5 is each kind's threshold.

    Args:
        finder: What finds.
        image: RGB in [0, 1], shape (H, W, 3). Not written to.
        thresholds: Which of the finder's kinds count, and from which answer on, above 0 and below 1.
        look: From `plan_look`, for the size of `image` and the finder's facts.
        advance: Told of the pixels done, `look.cost_px` in all.
        doubt: By how much the logarithm of the odds is lowered for what is seen at smaller sizes than the largest that
            is looked at; at least 0, 0 = all sizes count alike.

    Returns:
        In [0, 1], float32, shape (H, W); 0 outside the region.

    Raises:
        ModelError: If the finder answers with another shape, or with what is no share.
    """
    part = image[look.box.slices]
    pictures: list[Image] = []
    for level in look.levels:
        last = pictures[-1] if pictures else part
        pictures.append(last if last.shape[:2] == level.size else _resized(last, level.size, cv2.INTER_AREA))
    found: Map | None = None
    for level in reversed(look.levels):
        here = _find_in(finder, level, pictures.pop(), thresholds, advance)
        if found is not None:
            if doubt and level is look.levels[0]:
                found = _lowered(found, doubt)
            np.maximum(here, _resized(found, level.size, cv2.INTER_LINEAR), out=here)
        found = here
    assert found is not None
    if found.shape != part.shape[:2]:
        found = _resized(found, part.shape[:2], cv2.INTER_LINEAR)
    region = look.region
    inside = found[
        region.top - look.box.top : region.bottom - look.box.top,
        region.left - look.box.left : region.right - look.box.left,
    ]
    if inside.shape == image.shape[:2]:
        return inside
    whole = np.zeros(image.shape[:2], np.float32)
    whole[region.slices] = inside
    return whole


def _halvings(side: float) -> list[int]:
    """List after how many halvings a picture of this longest side is looked at."""
    steps = [0]
    while side > FINEST_PX:
        side, steps = side / 2, [steps[0] + 1]
    while side >= COARSEST_PX:
        side, steps = side / 2, [*steps, steps[-1] + 1]
    return steps


def _find_in(
    finder: DamageEngine, level: Level, image: Image, thresholds: Mapping[str, float], advance: Advance
) -> Map:
    """Run the finder in windows whose answers fade into each other."""
    found = np.zeros(level.size, np.float32)
    for window in level.windows:
        box, core = window.box, window.core
        seen = image[box.slices]
        answer = sizing.find(finder, seen)
        expected = (*seen.shape[:2], len(finder.facts.kinds))
        if answer.shape != expected:
            raise ModelError(
                f"The model {finder.facts.name} must answer with {expected}; got {answer.shape}. Look into the engine "
                "that runs it."
            )
        if answer.size and not (answer.min() >= 0 and answer.max() <= 1):  # a NaN fails both comparisons
            raise ModelError(
                f"The model {finder.facts.name} must answer with numbers in [0, 1]; got some from {answer.min()} to "
                f"{answer.max()}. Look into the engine that runs it."
            )
        rows = _weight(box.top, box.bottom, core.top, core.bottom, level.size[0])
        columns = _weight(box.left, box.right, core.left, core.right, level.size[1])
        found[box.slices] += _evidence(answer, finder.facts, thresholds) * rows[:, None] * columns
        advance(box.area)
    return np.clip(found, 0, 1, out=found)


def _evidence(answer: FloatArray, facts: Facts, thresholds: Mapping[str, float]) -> Map:
    """Bring the answers for the kinds that count to one scale, and take the highest: odds by the threshold's odds.

    With the sensitivity, the thresholds of all kinds move by the same factor of their odds, and none ever overtakes
    another. Marks that begin with one kind may be followed into another's fainter answers.

    Args:
        answer: The finder's, in [0, 1], shape (H, W, K).
        facts: The finder's facts.
        thresholds: Which of its kinds count, and from which answer on.

    Returns:
        In [0, 1], 0.5 = one of the kinds just reaches its threshold; float32, shape (H, W).
    """
    best = np.zeros(answer.shape[:2], np.float32)
    for kind, threshold in thresholds.items():
        one = answer[..., facts.kinds.index(kind)]
        speaks, against = one * np.float32(1 - threshold), (1 - one) * np.float32(threshold)
        np.maximum(best, speaks / (speaks + against), out=best)
    return best


def _lowered(evidence: Map, doubt: float) -> Map:
    """Return evidence (H, W) whose odds are less, by `doubt` in their logarithm."""
    return np.asarray(evidence / (evidence + (1 - evidence) * np.float32(math.exp(doubt))), np.float32)


def _weight(start: int, stop: int, first: int, last: int, length: int) -> FloatArray:
    """Weigh the rows (or columns) of a window: those of all windows add up to 1, and none counts beyond its fade."""
    at = np.arange(start, stop, dtype=np.float32) + np.float32(0.5)
    weight = np.ones_like(at)
    if first > 0:
        weight *= np.clip((at - (first - FADE_PX)) / (2 * FADE_PX), 0, 1)
    if last < length:
        weight *= np.clip((last + FADE_PX - at) / (2 * FADE_PX), 0, 1)
    return weight


def _resized(array: FloatArray, size: tuple[int, int], how: int) -> FloatArray:
    return np.asarray(cv2.resize(array, size[::-1], interpolation=how), np.float32)
