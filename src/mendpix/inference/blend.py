"""Carry out a plan: run the windows one after the other and merge what they answer. Plans nothing, reads no file.

Windows run in order, and a later one takes earlier fill for known. Where windows share one long hole, the later one
fills a strip of its neighbour's part again and is blended in along a cosine ramp; every other missing pixel is filled
once. The same plan gives the same picture.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mendpix.composite import composite
from mendpix.engines.interface import DetectorEngine, Engine
from mendpix.errors import ModelError
from mendpix.inference import sizing
from mendpix.inference.highres import Plan
from mendpix.inference.pyramid import double, halve, halve_missing
from mendpix.inference.windows import Box, Missing, Window
from mendpix.types import FloatArray, Image, Map

Advance = Callable[[int], None]
"""Called with the pixels that have just gone through an engine."""


def fill_missing(engine: Engine, plan: Plan, image: Image, missing: Missing, advance: Advance) -> Image:
    """Fill a hole as planned.

    Args:
        engine: What fills.
        plan: A plan made for `missing` and the engine's facts.
        image: RGB in [0, 1], shape (H, W, 3). Not written to.
        missing: True in the hole, shape (H, W). Not written to.
        advance: Told of the pixels done, `plan.cost_px` in all.

    Returns:
        New array, shape (H, W, 3): the fill in the hole, the picture bit for bit elsewhere.

    Raises:
        ModelError: If the engine answers with another shape.
    """
    filled = image.copy()
    fill_into(engine, plan, filled, missing, advance)
    return filled


def fill_into(
    engine: Engine,
    plan: Plan,
    filled: Image,
    missing: Missing,
    advance: Advance,
    *,
    waiting: Missing | None = None,
    excluded: Missing | None = None,
) -> None:
    """Fill a hole as planned, in place: what several engines fill one after the other is held once.

    Args:
        engine: What fills.
        plan: A plan made for `missing` and the engine's facts.
        filled: RGB in [0, 1], shape (H, W, 3). Written to where `missing`, nowhere else.
        missing: True in the hole, shape (H, W). Not written to.
        advance: Told of the pixels done, `plan.cost_px` in all.
        waiting: True in other holes, that nobody has filled yet: the engine takes them for holes, too, but nothing of
            its answer goes there. Shape (H, W), None = there are none. Not written to.
        excluded: True where nothing may be copied from, shape (H, W), for engines that copy; None = all may be.

    Raises:
        ModelError: If the engine answers with another shape.
    """
    left = missing | waiting if waiting is not None else missing.copy()
    for region in plan.regions:
        box = region.box.slices
        part, part_left, part_missing = filled[box], left[box], missing[box]
        coarse, coarse_missing = halve(part, part_left), halve_missing(part_missing)
        coarse_waiting = None if waiting is None else halve_missing(part_left) & ~coarse_missing
        coarse_excluded = None if excluded is None else _halve_excluded(excluded[box])
        fill_into(
            engine,
            region.coarse,
            coarse,
            coarse_missing,
            advance,
            waiting=coarse_waiting,
            excluded=coarse_excluded,
        )
        if coarse_waiting is not None and coarse_waiting.any():
            _spread(coarse, coarse_waiting)
        guide = double(coarse, part_left.shape)
        part[region.copied] = guide[region.copied]
        part_left[region.copied] = False
        guide_ = guide if engine.facts.takes_guide else None
        part_excluded = None if excluded is None else excluded[box]
        _run(engine, region.windows, part, part_left, region.refined, guide_, part_excluded, advance)
    wanted = left.copy() if waiting is None else left & missing
    _run(engine, plan.windows, filled, left, wanted, None, excluded, advance)


def detect_in(engine: DetectorEngine, windows: Sequence[Window], image: Image, advance: Advance) -> Map:
    """Run a detector in windows; each pixel takes the answer of the window whose core it lies in.

    Args:
        engine: What detects.
        windows: Where to look, in the order in which cores that overlap replace each other.
        image: RGB in [0, 1], shape (H, W, 3). Not written to.
        advance: Told of the pixels done.

    Returns:
        Probability in [0, 1] that a pixel was filled, shape (H, W); 0 outside the cores.

    Raises:
        ModelError: If the engine answers with another shape.
    """
    found = np.zeros(image.shape[:2], np.float32)
    for window in windows:
        answer = sizing.detect(engine, image[window.box.slices])
        _check_shape(engine.facts.name, answer, image[window.box.slices].shape[:2])
        found[window.core.slices] = answer[_within(window.core, window.box).slices]
        advance(window.box.area)
    return found


def _run(
    engine: Engine,
    windows: Sequence[Window],
    filled: Image,
    left: Missing,
    wanted: Missing,
    guide: Image | None,
    excluded: Missing | None,
    advance: Advance,
) -> None:
    """Run windows in order. Writes to `filled` and `left`, which are ours, and only where `wanted`."""
    for window in windows:
        box = window.box.slices
        core = _within(window.core, window.box).slices
        due = wanted[box] & left[box]
        weight = np.zeros(due.shape, np.float32)
        weight[core] = due[core]
        if weight.any():  # else an earlier window whose core overlaps this one has filled it all
            ramp = _ramp(window)
            again = wanted[box] & ~left[box] & (ramp > 0)
            weight[again] = ramp[again]
            hole = (left[box] | again).astype(np.float32)
            banned = None if excluded is None else excluded[box].astype(np.float32)
            answer = sizing.fill(engine, filled[box], hole, None if guide is None else guide[box], banned)
            _check_shape(engine.facts.name, answer, filled[box].shape)
            filled[box] = composite(filled[box], answer, weight)
            left[box] &= weight == 0
        advance(window.box.area)


def _ramp(window: Window) -> FloatArray:
    """Share of a window where earlier fill lies: 1 in its core, falling along a cosine to 0 beyond its overlap.

    A window without overlap has no share in earlier fill at all: 0 everywhere.
    """
    if window.overlap_px == 0:
        return np.zeros((window.box.bottom - window.box.top, window.box.right - window.box.left), np.float32)
    rows = _fall(window.box.top, window.box.bottom, window.core.top, window.core.bottom, window.overlap_px)
    columns = _fall(window.box.left, window.box.right, window.core.left, window.core.right, window.overlap_px)
    return np.outer(rows, columns)


def _fall(start: int, stop: int, first: int, last: int, overlap: int) -> FloatArray:
    at = np.arange(start, stop)
    outside = np.maximum(np.maximum(first - at, at - (last - 1)), 0)  # px beyond the core
    angle = np.pi * np.minimum(outside / (overlap + 1), 1)
    return np.where(outside > overlap, 0, 0.5 + 0.5 * np.cos(angle)).astype(np.float32)


def _spread(coarse: Image, empty: Missing) -> None:
    """Give pixels without a value the mean of their neighbours that have one: doubling would bring in black."""
    around = cv2.blur(np.where(empty[..., None], np.float32(0), coarse), (3, 3))
    share = cv2.blur((~empty).astype(np.float32), (3, 3))
    near = empty & (share > 0)
    coarse[near] = np.asarray(around)[near] / np.asarray(share)[near][:, None]


def _halve_excluded(excluded: Missing) -> Missing:
    """Halve what must not be copied: a coarse pixel is excluded if any of its four is."""
    rows, columns = (np.arange(0, length, 2) for length in excluded.shape)
    return np.logical_or.reduceat(np.logical_or.reduceat(excluded, rows, axis=0), columns, axis=1)


def _within(inner: Box, outer: Box) -> Box:
    """Return `inner` in the coordinates of `outer`, which holds it."""
    return Box(inner.top - outer.top, inner.left - outer.left, inner.bottom - outer.top, inner.right - outer.left)


def _check_shape(name: str, answer: NDArray[np.float32], expected: tuple[int, ...]) -> None:
    if answer.shape != expected:
        raise ModelError(
            f"The model {name} must answer with {expected}; got {answer.shape}. Look into the engine that runs it."
        )
