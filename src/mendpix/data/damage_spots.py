"""Damage in spots and areas: dust, stains, fading borders, blends. One function per family.

Knows nothing of other families or of batches.
"""

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


def dust(rng: np.random.Generator, image: Image) -> Damage:
    """Let dust fall on a picture: specks, hairs and fluff, blotches of lost emulsion; light, dark or both."""
    size = (image.shape[0], image.shape[1])
    side = min(size)
    result, destroyed, drawn = image, np.zeros(size, np.float32), []
    for _ in range(1 if rng.random() < 0.6 else 2):
        style = pick(rng, {"specks": 3, "hairs": 2, "blotches": 2, "mixed": 2})
        canvas = Canvas(size)
        counts = {"specks": 0, "hairs": 0, "blotches": 0}
        if style in ("specks", "mixed"):
            counts["specks"] = int(even_log(rng, 6, 120))
            _specks(rng, canvas, counts["specks"], even_log(rng, 0.5, max(0.008 * side, 0.9)))
        if style in ("hairs", "mixed"):
            counts["hairs"] = int(even_log(rng, 1, 8))
            for _ in range(counts["hairs"]):
                start = tuple(rng.uniform((0, 0), (size[1], size[0])))
                path = draw_path(rng, start, rng.uniform(0, 7), even_log(rng, 0.06, 0.35) * side, rng.uniform(1, 7), 28)
                canvas.line(path, even_log(rng, 0.6, max(0.008 * side, 0.9)), rng.uniform(0.5, 1))
        if style in ("blotches", "mixed"):
            counts["blotches"] = int(even_log(rng, 1, 10))
            for _ in range(counts["blotches"]):
                _blotch(rng, canvas, even_log(rng, 0.012, 0.06) * side)
        opacity, soft = rng.uniform(0.4, 1), (rng.uniform(0.3, 1.0) if rng.random() < 0.5 else 0.0)
        paint, kind = draw_colour(rng, image, {"white": 4, "light": 3, "black": 3, "dark": 2, "brown": 1, "colour": 1})
        layer = lay(result, canvas.opacity(soft) * np.float32(opacity), paint, {})
        result, destroyed = layer.image, join(destroyed, layer.destroyed)
        drawn.append({"style": style, **counts, "opacity": opacity, "soft_px": soft, "paint": paint, "colour": kind})
    return Damage(result, destroyed, {"falls": rounded(drawn)})


def _specks(rng: np.random.Generator, canvas: Canvas, count: int, radius_px: float) -> None:
    height, width = canvas.size
    if rng.random() < 0.35:  # in a cloud
        places = rng.uniform((0, 0), (width, height)) + rng.normal(0, 0.18, (count, 2)) * (width, height)
    else:
        places = rng.uniform((0, 0), (width, height), (count, 2))
    radii = radius_px * np.exp(rng.normal(0, 0.5, (count, 2)))
    values = rng.uniform(0.4, 1, count)
    for (x, y), (one, other), turn, value in zip(places, radii, rng.uniform(0, 180, count), values, strict=True):
        canvas.spot(x, y, (one, other), turn, value)


def _blotch(rng: np.random.Generator, canvas: Canvas, radius_px: float) -> None:
    """Draw a spot with a ragged outline."""
    corners = int(rng.integers(8, 20))
    turn = np.linspace(0, 2 * math.pi, corners, endpoint=False)
    radius = radius_px * np.clip(1 + rng.normal(0, 0.35, corners), 0.25, 2)
    flat, lean = even_log(rng, 0.4, 1), rng.uniform(0, math.pi)
    x, y = radius * np.cos(turn), flat * radius * np.sin(turn)
    centre = rng.uniform((0, 0), (canvas.size[1], canvas.size[0]))
    outline = np.stack([x * math.cos(lean) - y * math.sin(lean), x * math.sin(lean) + y * math.cos(lean)], 1) + centre
    canvas.patch(outline.astype(np.float32), rng.uniform(0.6, 1))


def stain(rng: np.random.Generator, image: Image) -> Damage:
    """Stain a picture: water with a darker rim, ink, brown foxing, drips; the picture shows through."""
    size = (image.shape[0], image.shape[1])
    side = min(size)
    style = pick(rng, {"water": 3, "ink": 2, "foxing": 2, "ring": 1})
    opacity = rng.uniform(0.35, 0.95)
    row, column = grid_of(size)
    alpha = np.zeros(size, np.float32)
    count = int(even_log(rng, 8, 60)) if style == "foxing" else int(rng.integers(1, 4))
    rough = rng.uniform(0.2, 0.9)
    if style == "foxing":
        canvas = Canvas(size)
        places = rng.uniform((0, 0), (size[1], size[0]), (count, 2))
        for x, y in places:
            radius = even_log(rng, max(0.004 * side, 0.7), max(0.03 * side, 1.5))
            canvas.spot(x, y, (radius, radius * rng.uniform(0.7, 1)), rng.uniform(0, 180), rng.uniform(0.3, 1))
        alpha = canvas.opacity(rng.uniform(0.5, max(0.012 * side, 0.8)))
    else:
        warp = rough_field(rng, size, rng.uniform(0.1, 0.35) * side, 4) - np.float32(0.5)
        for _ in range(count):
            x, y = rng.uniform(0, size[1]), rng.uniform(0, size[0])
            radius = even_log(rng, 0.06, 0.4) * side
            stretch, lean = even_log(rng, 0.6, 1.6), rng.uniform(0, math.pi)
            dx, dy = column - np.float32(x), row - np.float32(y)
            u = (dx * np.float32(math.cos(lean)) + dy * np.float32(math.sin(lean))) * np.float32(stretch / radius)
            v = (dy * np.float32(math.cos(lean)) - dx * np.float32(math.sin(lean))) * np.float32(1 / radius / stretch)
            distance = np.sqrt(u * u + v * v) + np.float32(2 * rough) * warp
            edge = rng.uniform(0.03, 0.3)
            inside = ramp(distance, 1, 1 - edge)
            rim_width = rng.uniform(0.03, 0.12)
            rim = np.exp(-((distance - np.float32(1 - edge / 2)) ** 2) / np.float32(2 * rim_width**2))
            body, border = {"water": (0.45, 1.0), "ink": (1.0, 0.9), "ring": (0.08, 1.0)}[style]
            alpha = np.maximum(alpha, np.maximum(np.float32(body) * inside, np.float32(border) * rim * (inside + 0.3)))
        alpha = np.minimum(alpha * (np.float32(0.75) + np.float32(0.5) * smooth_field(rng, size, 0.15 * side)), 1)
    alpha = np.clip(alpha * np.float32(opacity), 0, 1, dtype=np.float32)
    kinds = {"ink": {"dark": 3, "colour": 3, "black": 2}, "foxing": {"brown": 5, "yellow": 1, "dark": 1}}
    colour, kind = draw_colour(
        rng, image, kinds.get(style, {"brown": 4, "yellow": 3, "grey": 1, "colour": 1, "light": 1})
    )
    through = rng.uniform(0.3, 1.0)  # how much is tone that multiplies, the rest covers
    paint = np.asarray(np.float32(through) * image * colour + np.float32(1 - through) * colour, np.float32)
    parameters = {"style": style, "count": count, "opacity": opacity, "through": through, "paint": colour,
                  "colour": kind}  # fmt: skip
    return lay(image, alpha, paint, rounded(parameters))


def fade(rng: np.random.Generator, image: Image) -> Damage:
    """Wear a picture from its borders: fading towards a colour, chipped edges, lost corners."""
    size = (image.shape[0], image.shape[1])
    side = min(size)
    style = pick(rng, {"fading": 4, "chipped": 3, "corners": 2})
    row, column = grid_of(size)
    top, bottom = row + np.float32(0.5), size[0] - row - np.float32(0.5)
    left, right = column + np.float32(0.5), size[1] - column - np.float32(0.5)
    chosen = [bool(value) for value in rng.random(4) < 0.55]
    if not any(chosen):
        chosen[int(rng.integers(4))] = True
    parameters: dict[str, Any] = {"style": style}
    far = np.full(size, 4 * max(size), np.float32)
    if style == "corners":
        distance = far
        for vertical, horizontal in [(top, left), (top, right), (bottom, left), (bottom, right)]:
            lean = np.float32(even_log(rng, 0.5, 2))
            if rng.random() < 0.5:
                distance = np.minimum(distance, vertical * lean + horizontal)
        if distance.min() > max(size):
            distance = top + left
        depth = even_log(rng, 0.08, 0.35) * side
    else:
        distance = far
        for keep, border in zip(chosen, (top, bottom, left, right), strict=True):
            distance = np.minimum(distance, border) if keep else distance
        depth = (even_log(rng, 0.08, 0.45) if style == "fading" else even_log(rng, 0.02, 0.12)) * side
    rough = rough_field(rng, size, max((rng.uniform(0.1, 0.5) if style == "fading" else 0.1) * side, 3), 4)
    if style == "fading":
        distance = distance + np.float32(1.4 * depth * rng.uniform(0, 1)) * (rough - np.float32(0.5))
        alpha = ramp(distance, depth, depth * rng.uniform(-0.4, 0.5))
        opacity = rng.uniform(0.4, 1)
        colours = {"white": 3, "light": 2, "yellow": 2, "brown": 2, "grey": 1, "black": 1, "dark": 1}
    else:
        distance = distance + np.float32(2.2 * depth) * (rough - np.float32(0.5))
        edge = max(rng.uniform(0.6, 2.5), 0.1 * depth * rng.random())
        alpha = ramp(distance, depth + edge, depth)
        opacity = rng.uniform(0.8, 1)
        colours = {"white": 4, "light": 4, "yellow": 1, "brown": 1, "grey": 1, "black": 2}
    colour, kind = draw_colour(rng, image, colours)
    paint = colour
    if rng.random() < 0.4:  # bare paper is not quite even
        grain = smooth_field(rng, size, even_log(rng, 1.5, 0.2 * side)) - np.float32(0.5)
        paint = np.clip(colour + np.float32(rng.uniform(0.03, 0.15)) * grain[..., None], 0, 1, dtype=np.float32)
    parameters |= {"depth_px": depth, "opacity": opacity, "paint": colour, "colour": kind}
    return lay(image, alpha * np.float32(opacity), paint, rounded(parameters))


def blend(rng: np.random.Generator, image: Image) -> Damage:
    """Blend parts of a picture towards something else: a colour, a texture, or the picture itself, changed."""
    size = (image.shape[0], image.shape[1])
    shape = pick(rng, {"clouds": 3, "brush": 3, "ellipses": 2, "polygons": 2, "gradient": 1, "blocks": 1, "marks": 2})
    alpha = _blend_shape(rng, size, shape)
    uneven = rng.random() < 0.35
    if uneven:
        alpha = alpha * smooth_field(rng, size, rng.uniform(0.1, 0.4) * min(size))
    opacity = rng.uniform(0.5, 1)
    paint, what = _blend_paint(rng, image)
    return lay(image, alpha * np.float32(opacity), paint,
               rounded({"shape": shape, "paint": what, "opacity": opacity, "uneven": uneven}))  # fmt: skip


def _blend_shape(rng: np.random.Generator, size: tuple[int, int], shape: str) -> FloatArray:
    side = min(size)
    if shape == "clouds":
        share, width = even_log(rng, 0.04, 0.4), rng.uniform(0.02, 0.3)
        field = rough_field(rng, size, rng.uniform(0.12, 0.6) * side, int(rng.integers(1, 5)))
        level = float(np.quantile(field[::2, ::2], 1 - share))
        return ramp(field, level - width / 3, level + width)
    if shape == "gradient":
        row, column = grid_of(size)
        angle = rng.uniform(0, 2 * math.pi)
        slope = row * np.float32(math.sin(angle) / size[0]) + column * np.float32(math.cos(angle) / size[1])
        slope = np.asarray(slope, np.float32)
        return ramp(slope, float(np.quantile(slope[::2, ::2], rng.uniform(0.5, 0.9))), float(slope.max()))
    canvas = Canvas(size)
    soft = rng.uniform(0.3, 0.04 * side + 0.3) if rng.random() < 0.6 else 0.0
    for _ in range(int(rng.integers(1, 5)) * (4 if shape == "marks" else 1)):
        x, y = rng.uniform(0, size[1]), rng.uniform(0, size[0])
        value = rng.uniform(0.6, 1)
        if shape == "brush":
            path = draw_path(rng, (x, y), rng.uniform(0, 7), even_log(rng, 0.2, 1.2) * side, rng.uniform(0, 5), 24)
            canvas.line(path, even_log(rng, 0.02, 0.14) * side, value)
        elif shape == "ellipses":
            radii = (even_log(rng, 0.03, 0.25) * side, even_log(rng, 0.03, 0.25) * side)
            canvas.spot(x, y, radii, rng.uniform(0, 180), value)
        elif shape == "blocks":
            tall, wide = even_log(rng, 0.03, 0.4) * side, even_log(rng, 0.03, 0.4) * side
            corners = [[x, y], [x + wide, y], [x + wide, y + tall], [x, y + tall]]
            canvas.patch(np.asarray(corners, np.float32), value)
        elif shape == "marks":
            half, lean = even_log(rng, 0.01, 0.06) * side, rng.uniform(0, math.pi)
            step = np.array([math.cos(lean), math.sin(lean)]) * half
            across = np.array([-step[1], step[0]]) * (1 if rng.random() < 0.5 else 0)
            width = even_log(rng, 0.7, 0.02 * side + 0.8)
            for direction in (step, across):
                canvas.line(np.asarray(np.array([x, y]) + np.outer((-1, 1), direction), np.float32), width, value)
        else:
            turn = np.sort(rng.uniform(0, 2 * math.pi, int(rng.integers(3, 9))))
            radius = even_log(rng, 0.04, 0.28) * side * rng.uniform(0.5, 1, len(turn))
            outline = np.stack([x + radius * np.cos(turn), y + radius * np.sin(turn)], 1)
            canvas.patch(outline.astype(np.float32), value)
    return canvas.opacity(soft)


def _blend_paint(rng: np.random.Generator, image: Image) -> tuple[FloatArray, str]:
    size = (image.shape[0], image.shape[1])
    side = min(size)
    what = pick(
        rng, {"colour": 4, "two colours": 2, "texture": 2, "noise": 2, "blurred": 2, "shuffled": 3, "inverted": 1}
    )
    if what == "colour":
        colours = {"white": 2, "black": 2, "grey": 2, "colour": 4, "own": 1}
        return draw_colour(rng, image, colours)[0], what
    if what in ("two colours", "texture"):
        one, other = (draw_colour(rng, image, {"grey": 1, "colour": 3})[0] for _ in range(2))
        if what == "texture":
            row, column = grid_of(size)
            period, angle = even_log(rng, 3, 0.2 * side + 3), rng.uniform(0, math.pi)
            phase = (row * np.float32(math.sin(angle)) + column * np.float32(math.cos(angle))) / np.float32(period)
            field = np.float32(0.5) + np.float32(0.5) * np.sin(np.float32(2 * math.pi) * phase)
        else:
            field = rough_field(rng, size, even_log(rng, 2, 0.5 * side + 2), 3)
        return np.asarray(one + field[..., None] * (other - one), np.float32), what
    if what == "noise":
        grey = rng.random() < 0.5
        return rng.random((*size, 1 if grey else 3), np.float32) * np.ones(3, np.float32), what
    if what == "blurred":
        return np.asarray(cv2.GaussianBlur(image, (0, 0), even_log(rng, 2, 0.06 * side + 2)), np.float32), what
    if what == "inverted":
        return np.float32(1) - image, what
    shift = [int(length * rng.uniform(0.2, 0.8)) for length in size]
    moved = np.roll(image, shift, axis=(0, 1))
    return np.ascontiguousarray(moved[::-1] if rng.random() < 0.5 else moved[:, ::-1]), what
