"""Damage in lines: scratches, cracks, folds. One function per family. Knows nothing of other families or of batches."""

import math
from typing import Any

import cv2
import numpy as np

from mendpix.data.damage_layers import (
    Canvas,
    Damage,
    draw_colour,
    draw_path,
    even_log,
    grid_of,
    join,
    lay,
    pick,
    ramp,
    rough_field,
    rounded,
    smooth_field,
)
from mendpix.types import FloatArray, Image

_LINE_COLOURS = {"white": 4.0, "light": 3.0, "black": 2.0, "dark": 2.0, "colour": 1.5, "own": 1.5, "yellow": 0.5}


def scratch(rng: np.random.Generator, image: Image) -> Damage:
    """Scratch a picture: film lines, single strokes, bundles, scribbles; thin to broad, whole or broken."""
    size = (image.shape[0], image.shape[1])
    side = min(size)
    result, destroyed, drawn = image, np.zeros(size, np.float32), []
    for _ in range(1 if rng.random() < 0.65 else 2):
        style = pick(rng, {"film": 2, "single": 4, "bundle": 2, "scribble": 1, "hairline": 2, "scuffs": 2})
        canvas = Canvas(size)
        width = even_log(rng, 0.7, max(0.02 * side, 1.5) if rng.random() < 0.8 else max(0.045 * side, 2.5))
        opacity = rng.uniform(0.3, 1)
        count = _scratch_paths(rng, canvas, style, width, side)
        soft = rng.uniform(0.3, 1.2) if rng.random() < 0.35 else 0.0
        alpha = canvas.opacity(soft) * np.float32(opacity)
        broken = rng.random() < 0.55
        if broken:
            alpha *= _gaps(rng, size, even_log(rng, 2.5, 0.25 * side))
        paint, kind = draw_colour(rng, image, _LINE_COLOURS)
        if rng.random() < 0.2:  # the other edge of the groove catches no light
            shift = max(round(width), 1)
            shade = np.roll(alpha, shift, axis=1 if rng.random() < 0.5 else 0) * np.float32(rng.uniform(0.4, 0.9))
            under = lay(result, shade, np.float32(1) - paint, {})
            result, destroyed = under.image, join(destroyed, under.destroyed)
        layer = lay(result, alpha, paint, {})
        result, destroyed = layer.image, join(destroyed, layer.destroyed)
        drawn.append(
            {"style": style, "width_px": width, "count": count, "opacity": opacity, "soft_px": soft, "broken": broken,
             "paint": paint, "colour": kind}
        )  # fmt: skip
    return Damage(result, destroyed, {"strokes": rounded(drawn)})


def _scratch_paths(rng: np.random.Generator, canvas: Canvas, style: str, width: float, side: int) -> int:
    height, across = canvas.size
    points = 24
    if style == "film":
        count = int(even_log(rng, 1, 9))
        lean = rng.normal(0, 0.01) + (math.pi / 2 if rng.random() < 0.85 else 0)
        for _ in range(count):
            whole = rng.random() < 0.7
            length = max(height, across) * (1.1 if whole else rng.uniform(0.15, 0.8))
            upright = abs(math.sin(lean)) > 0.5
            begin = -2.0 if whole else rng.uniform(-0.2, 0.8) * (height if upright else across)
            start = (rng.uniform(0, across), begin) if upright else (begin, rng.uniform(0, height))
            path = draw_path(rng, start, lean + rng.normal(0, 0.004), length, 0.01, points)
            canvas.line(path, width * rng.uniform(0.6, 1.3), rng.uniform(0.5, 1))
        return count
    if style == "bundle":
        count = int(rng.integers(4, 22))
        heading, length = rng.uniform(0, math.pi), even_log(rng, 0.06, 0.6) * side
        centre, spread = rng.uniform((0, 0), (across, height)), rng.uniform(0.03, 0.2) * side
        for _ in range(count):
            start = centre + rng.normal(0, spread, 2)
            path = draw_path(rng, tuple(start), heading + rng.normal(0, 0.06), length * rng.uniform(0.3, 1), 0.1, 8)
            canvas.line(path, min(width, 0.015 * side) * rng.uniform(0.5, 1), rng.uniform(0.4, 1))
        return count
    if style == "scuffs":  # a print's wear: many short, fine ones
        count, heading, along = int(even_log(rng, 12, 70)), rng.uniform(0, math.pi), rng.uniform(0.1, 1.6)
        starts = rng.uniform((0, 0), (across, height), (count, 2))
        if rng.random() < 0.5:
            starts = rng.uniform((0, 0), (across, height)) + rng.normal(0, rng.uniform(0.1, 0.3) * side, (count, 2))
        for start in starts:
            length = even_log(rng, 0.02, 0.2) * side
            path = draw_path(rng, tuple(start), heading + rng.normal(0, along), length, rng.uniform(0, 1.5), 6)
            canvas.line(path, min(width, max(0.01 * side, 0.9)) * rng.uniform(0.5, 1), rng.uniform(0.3, 1))
        return count
    count = {"single": int(even_log(rng, 1, 8)), "scribble": int(rng.integers(1, 3))}.get(
        style, int(rng.integers(1, 6))
    )
    for _ in range(count):
        start = tuple(rng.uniform((-0.05 * across, -0.05 * height), (1.05 * across, 1.05 * height)))
        curl = {"single": _draw_curl(rng), "scribble": rng.uniform(6, 14)}.get(style, rng.uniform(1, 4))
        length = (even_log(rng, 0.1, 1.3) if style != "scribble" else rng.uniform(1, 4)) * side
        path = draw_path(
            rng, start, rng.uniform(0, 2 * math.pi), length, curl, points * {"single": 1, "scribble": 5}.get(style, 2)
        )
        own = width * rng.uniform(0.5, 1.2) if style != "hairline" else min(width, max(0.008 * side, 0.8))
        if rng.random() < 0.5:  # tapering
            share = np.linspace(0, 1, len(path), dtype=np.float32)
            profile = np.sin(np.pi * share) if rng.random() < 0.6 else 1 - share
            canvas.line(path, np.asarray(own * (0.25 + 0.9 * profile), np.float32), rng.uniform(0.6, 1))
        else:
            canvas.line(path, own, rng.uniform(0.6, 1))
    return count


def _draw_curl(rng: np.random.Generator) -> float:
    """Draw how much a single stroke bends: half of them hardly, radians."""
    return float(rng.uniform(0, 0.15) if rng.random() < 0.5 else rng.uniform(0.2, 2.5))


def _gaps(rng: np.random.Generator, size: tuple[int, int], cell_px: float) -> FloatArray:
    """Draw where lines are interrupted or thin out, in [0, 1], shape (H, W)."""
    field = smooth_field(rng, size, max(cell_px, 2))
    level, width = rng.uniform(0.2, 0.55), rng.uniform(0.05, 0.5)
    return ramp(field, level - width / 2, level + width / 2)


def crack(rng: np.random.Generator, image: Image) -> Damage:
    """Crack a picture: branching cracks, or a net of them with flakes that fell off."""
    size = (image.shape[0], image.shape[1])
    side = min(size)
    style = pick(rng, {"branches": 3, "net": 2})
    width = even_log(rng, 0.7, max((0.03 if rng.random() < 0.2 else 0.015) * side, 1.3))
    opacity = rng.uniform(0.4, 1)
    parameters: dict[str, Any] = {"style": style, "width_px": width, "opacity": opacity}
    if style == "branches":
        canvas = Canvas(size)
        parameters["count"] = sum(_branches(rng, canvas, width, side) for _ in range(int(rng.integers(1, 5))))
        alpha = canvas.opacity(rng.uniform(0.3, 0.7) if rng.random() < 0.3 else 0)
    else:
        alpha = _net(rng, size, width, parameters)
    alpha = alpha * np.float32(opacity)
    if rng.random() < 0.4:
        alpha *= _gaps(rng, size, even_log(rng, 3, 0.3 * side))
    paint, kind = draw_colour(rng, image, {"black": 3, "dark": 4, "white": 3, "light": 3, "brown": 1, "own": 1})
    parameters |= {"paint": paint, "colour": kind}
    result, destroyed = image, np.zeros(size, np.float32)
    if rng.random() < 0.3:  # a raised edge beside the crack
        shade = np.roll(alpha, (1, 1), axis=(0, 1)) * np.float32(rng.uniform(0.3, 0.7))
        under = lay(image, shade, np.float32(1) - paint, {})
        result, destroyed = under.image, under.destroyed
    layer = lay(result, alpha, paint, {})
    return Damage(layer.image, join(destroyed, layer.destroyed), rounded(parameters))


def _branches(rng: np.random.Generator, canvas: Canvas, width: float, side: int) -> int:
    """Draw one crack with its branches; return how many paths."""
    height, across = canvas.size
    if rng.random() < 0.5:  # from a border inwards
        place, edge = rng.random(), int(rng.integers(4))
        start = [(place * across, 0.0), (across, place * height), (place * across, height), (0.0, place * height)][edge]
        heading = (0.5, 1.0, 1.5, 0.0)[edge] * math.pi + rng.normal(0, 0.5)
    else:
        start, heading = (rng.uniform(0, across), rng.uniform(0, height)), rng.uniform(0, 2 * math.pi)
    waiting = [(start, heading, even_log(rng, 0.25, 1.2) * side, width, 0)]
    jag, done = rng.uniform(0.15, 0.6), 0
    while waiting and done < 24:
        start, heading, length, own, depth = waiting.pop(0)
        steps = max(int(length / max(0.025 * side, 1.5)), 3)
        turns = rng.normal(0, jag, steps)
        headings = heading + 0.6 * np.cumsum(turns * 0.5) + turns
        path = np.vstack([[start], start + np.cumsum(
            np.stack([np.cos(headings), np.sin(headings)], 1) * (length / steps), 0)]).astype(np.float32)  # fmt: skip
        canvas.line(path, np.linspace(own, 0.4 * own, len(path), dtype=np.float32), 1.0)
        done += 1
        if depth < 3:
            for _ in range(int(rng.poisson(2.2 - 0.6 * depth))):
                at = int(rng.integers(1, len(path)))
                side_turn = rng.uniform(0.4, 1.3) * (1 if rng.random() < 0.5 else -1)
                waiting.append(
                    (tuple(path[at]), float(headings[at - 1]) + side_turn, length * rng.uniform(0.2, 0.6), own * 0.7,
                     depth + 1)
                )  # fmt: skip
    return done


def _net(rng: np.random.Generator, size: tuple[int, int], width: float, parameters: dict[str, Any]) -> FloatArray:
    """Draw the borders of bent cells, some of them fallen off, in a part of the picture."""
    side = min(size)
    times = 2 if side <= 512 else 1
    fine = (size[0] * times, size[1] * times)
    cell = even_log(rng, max(0.05 * side, 5), max(0.25 * side, 6)) * times
    stretch = even_log(rng, 0.5, 2)
    rows, columns = max(int(fine[0] / cell * stretch), 1) + 1, max(int(fine[1] / cell / stretch), 1) + 1
    ys = (np.arange(rows)[:, None] + rng.random((rows, columns))) / rows * fine[0]
    xs = (np.arange(columns)[None] + rng.random((rows, columns))) / columns * fine[1]
    seeds = np.ones(fine, np.uint8)
    seeds[np.clip(ys.astype(int), 0, fine[0] - 1), np.clip(xs.astype(int), 0, fine[1] - 1)] = 0
    _, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    bend = np.float32(rng.uniform(0.1, 0.5) * cell)
    row, column = grid_of(fine)
    to_x = column + bend * (smooth_field(rng, fine, cell * 0.5) - np.float32(0.5))
    to_y = row + bend * (smooth_field(rng, fine, cell * 0.5) - np.float32(0.5))
    cells = cv2.remap(labels.astype(np.float32), to_x, to_y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    border = np.zeros(fine, np.uint8)
    border[:, 1:] |= (cells[:, 1:] != cells[:, :-1]).astype(np.uint8)
    border[1:] |= (cells[1:] != cells[:-1]).astype(np.uint8)
    thick = max(round(width * times), 1)
    if thick > 1:
        border = np.asarray(cv2.dilate(border, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (thick, thick))), np.uint8)
    whole = border.astype(np.float32)
    lost = rng.uniform(0.01, 0.08) if rng.random() < 0.4 else 0.0
    if lost:
        gone = rng.random(int(labels.max()) + 1) < lost
        whole = np.maximum(whole, gone[cells.astype(np.int32)].astype(np.float32))
    alpha = np.asarray(cv2.resize(whole, (size[1], size[0]), interpolation=cv2.INTER_AREA), np.float32)
    part = rng.random() < 0.7
    if part:
        level = rng.uniform(0.35, 0.6)
        alpha = alpha * ramp(smooth_field(rng, size, 0.4 * side), level - 0.1, level + 0.1)
    parameters |= {"cell_px": cell / times, "flakes": lost, "partial": part}
    return alpha


def fold(rng: np.random.Generator, image: Image) -> Damage:
    """Fold a picture: a bright, crumbling crest, and beside it a dark and a light side; one, a cross, creases."""
    size = (image.shape[0], image.shape[1])
    side = min(size)
    row, column = grid_of(size)
    style = pick(rng, {"one": 3, "parallel": 1, "cross": 1.5, "crease": 2})
    heading = (
        rng.uniform(0, math.pi) if rng.random() < 0.5 else (math.pi / 2) * int(rng.integers(2)) + rng.normal(0, 0.03)
    )
    turns = {"one": [0.0], "parallel": [0.0, 0.0], "cross": [0.0, math.pi / 2]}
    result, destroyed, drawn = image, np.zeros(size, np.float32), []
    for turn in turns.get(style, list(rng.uniform(-0.6, 0.6, int(rng.integers(2, 5))))):
        angle = heading + turn
        x0, y0 = rng.uniform(0.15, 0.85) * size[1], rng.uniform(0.15, 0.85) * size[0]
        along = (column - np.float32(x0)) * np.float32(math.cos(angle)) + (row - np.float32(y0)) * np.float32(
            math.sin(angle)
        )
        across = (row - np.float32(y0)) * np.float32(math.cos(angle)) - (column - np.float32(x0)) * np.float32(
            math.sin(angle)
        )
        wobble = rng.uniform(0.3, 2.0) * (0.008 * side + 0.3) + (
            rng.uniform(0.02, 0.08) * side if style == "crease" else 0
        )
        across = across + np.float32(2 * wobble) * (
            smooth_field(rng, size, rng.uniform(0.1, 0.4) * side) - np.float32(0.5)
        )
        crest_px = even_log(rng, 0.6, max(0.018 * side, 1.2))
        shade_px = even_log(rng, 1.5, max(0.05 * side, 3))
        distance = np.abs(across)
        crumble = rough_field(rng, size, even_log(rng, 2, max(0.08 * side, 3)), 2)
        core = ramp(distance, crest_px * 1.2, crest_px * 0.4)
        core = core * (ramp(crumble, 0.3, 0.55) if rng.random() < 0.6 else np.float32(1))
        core = np.maximum(core, ramp(distance, 2.5 * crest_px, crest_px) * ramp(crumble, 0.62, 0.7))
        fall = np.exp(-distance / np.float32(shade_px))
        light, dark = rng.uniform(0.05, 0.4), rng.uniform(0.1, 0.55)
        if rng.random() < 0.25:  # hardly bent: the crest alone
            light, dark = 0.05 * light, 0.05 * dark
        shade = np.where(across > 0, np.float32(light), np.float32(dark)) * fall
        if style == "crease":
            length = even_log(rng, 0.15, 0.8) * side
            ends = ramp(np.abs(along), length, 0.7 * length)
            core, shade = core * ends, shade * ends
        opacity = rng.uniform(0.5, 1)
        paint, kind = draw_colour(rng, image, {"white": 5, "light": 4, "yellow": 0.5, "dark": 1.2})
        under = lay(result, shade, np.where(across[..., None] > 0, np.float32(1), np.float32(0)), {})
        layer = lay(under.image, core * np.float32(opacity), paint, {})
        result, destroyed = layer.image, join(destroyed, join(under.destroyed, layer.destroyed))
        drawn.append({"angle": angle, "crest_px": crest_px, "shade_px": shade_px, "light": light, "dark": dark,
                      "opacity": opacity, "paint": paint, "colour": kind})  # fmt: skip
    return Damage(result, destroyed, rounded({"style": style, "folds": drawn}))
