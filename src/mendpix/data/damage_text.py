"""Damage by letters and logos: text and watermarks. One function per family. Knows nothing of other families."""

import math
from typing import Any

import cv2
import numpy as np

from mendpix.data.damage_fonts import SCRIPTS, fonts_for, render, render_led, render_strokes
from mendpix.data.damage_layers import Canvas, Damage, draw_colour, even_log, grid_of, join, lay, pick, ramp, rounded
from mendpix.types import FloatArray, Image

_SCRIPT_WEIGHTS = {"latin": 4.0, "accents": 1.5, "digits": 2.0, "cyrillic": 2.0, "greek": 1.0, "hebrew": 0.7,
                   "arabic": 1.2, "armenian": 0.5, "georgian": 0.5, "devanagari": 0.7, "thai": 0.6, "chinese": 1.5,
                   "japanese": 1.0, "korean": 1.0, "signs": 0.5, "strokes": 2.0}  # fmt: skip
_DENSE = {"chinese", "japanese", "korean"}
_LETTER_COLOURS = {"white": 5.0, "black": 3.0, "yellow": 1.0, "colour": 3.0, "grey": 1.0}


def write(rng: np.random.Generator, image: Image) -> Damage:
    """Write on a picture: dates in corners, subtitles, captions, titles, pages of small print, words at any angle."""
    size = (image.shape[0], image.shape[1])
    side = min(size)
    style = pick(rng, {"date": 2, "subtitle": 3, "caption": 2, "words": 4, "page": 1.5})
    plane_of, parameters = _draw_words(rng, style, side)
    opacity = 1.0 if rng.random() < 0.6 else rng.uniform(0.55, 1)
    if style == "date" and rng.random() < 0.7:
        colour = np.array([1, rng.uniform(0.35, 0.7), rng.uniform(0.05, 0.3)], np.float32)
        kind = "orange"
    else:
        colour, kind = draw_colour(rng, image, _LETTER_COLOURS)
    lines = [plane_of() for _ in range(_line_count(rng, style))]
    turn = 0.0
    if style == "words" and rng.random() < 0.6:
        turn = rng.uniform(-math.pi, math.pi) if rng.random() < 0.3 else rng.normal(0, 0.25)
    place = _place(rng, size, style, lines)
    alpha = _put(size, lines, place, turn, rng.uniform(1.1, 1.5), centred=style in ("subtitle", "page"))
    backing = pick(rng, {"none": 4, "outline": 3, "shadow": 2, "box": 2 if style in ("subtitle", "caption") else 0.4})
    result, destroyed = image, np.zeros(size, np.float32)
    if backing != "none" and (style != "date" or backing != "box"):
        dark = colour.mean() > 0.45
        behind = draw_colour(rng, image, {"black" if dark else "white": 5, "colour": 1})[0]
        under = lay(image, _behind(rng, alpha, backing, side), behind, {})
        result, destroyed = under.image, under.destroyed
    if style == "date":  # burnt in: it glows
        alpha = np.maximum(alpha, np.float32(rng.uniform(0, 0.7)) * np.asarray(
            cv2.GaussianBlur(alpha, (0, 0), max(0.006 * side, 0.5)), np.float32))  # fmt: skip
    layer = lay(result, alpha * np.float32(opacity), colour, {})
    parameters |= {"style": style, "lines": len(lines), "turn": turn, "backing": backing, "opacity": opacity,
                   "paint": colour, "colour": kind}  # fmt: skip
    return Damage(layer.image, join(destroyed, layer.destroyed), rounded(parameters))


def watermark(rng: np.random.Generator, image: Image) -> Damage:
    """Mark a picture half see-through: words or a logo once, or repeated all over; stripes, grids and rings."""
    size = (image.shape[0], image.shape[1])
    side = min(size)
    style = pick(rng, {"words": 3, "logo": 2, "tiles": 3, "lines": 1.5})
    opacity = rng.uniform(0.1, 0.5)
    parameters: dict[str, Any] = {"style": style, "opacity": opacity}
    if style == "lines":
        alpha = _pattern(rng, size)
    else:
        if style == "logo" or (style == "tiles" and rng.random() < 0.3):
            plane = _logo(rng, max(round(even_log(rng, 0.12, 0.3 if style == "tiles" else 0.9) * side), 8))
        else:
            plane_of, words = _draw_words(rng, "words" if style == "words" else "tile", side)
            plane = plane_of()
            parameters |= words
            if rng.random() < 0.2:
                plane = np.pad(plane, 2)
                plane = np.clip(cv2.dilate(plane, np.ones((3, 3))) - plane, 0, 1)  # the outline alone
        turn = rng.choice([0.0, rng.normal(0, 0.1), -rng.uniform(0.3, 0.9), rng.uniform(0.3, 0.9)])
        if style == "tiles":
            alpha = _tiled(rng, size, np.asarray(plane, np.float32), turn)
        else:
            x, y = rng.uniform(0.15, 0.85, 2) * (size[1], size[0])
            alpha = _put(size, [np.asarray(plane, np.float32)], (x, y), turn, 1.2, centred=True)
        parameters["turn"] = turn
    colour, kind = draw_colour(rng, image, {"white": 6, "grey": 2, "black": 2, "colour": 2})
    alpha = np.clip(alpha, 0, 1, dtype=np.float32)
    result, destroyed = image, np.zeros(size, np.float32)
    embossed = rng.random() < 0.25
    if embossed:
        step = max(round(0.006 * side), 1)
        shade = np.roll(alpha, (step, step), axis=(0, 1)) * np.float32(opacity * rng.uniform(0.4, 1))
        under = lay(image, shade, np.float32(1) - colour, {})
        result, destroyed = under.image, under.destroyed
    layer = lay(result, alpha * np.float32(opacity), colour, {})
    parameters |= {"paint": colour, "colour": kind, "embossed": embossed}
    return Damage(layer.image, join(destroyed, layer.destroyed), rounded(parameters))


def _line_count(rng: np.random.Generator, style: str) -> int:
    return {"date": 1, "subtitle": 1 + int(rng.random() < 0.4), "caption": int(rng.integers(1, 4)),
            "page": int(rng.integers(4, 12))}.get(style, int(rng.integers(1, 3)))  # fmt: skip


def _draw_words(rng: np.random.Generator, style: str, side: int) -> tuple[Any, dict[str, Any]]:
    """Draw script, font and size; return what renders one more line of them, and what was drawn."""
    low, high = {"date": (0.04, 0.08), "subtitle": (0.05, 0.1), "caption": (0.04, 0.09), "page": (0.035, 0.07),
                 "tile": (0.04, 0.16)}.get(style, (0.06, 0.3))  # fmt: skip
    px = max(round(even_log(rng, low, high) * side), 7)
    script, place = pick(rng, _SCRIPT_WEIGHTS), rng.random()
    if style == "date":
        script = "digits" if rng.random() < 0.5 else "led"
    able = fonts_for(script) if script in SCRIPTS else ()
    if script in SCRIPTS and not able:
        script = "strokes"
    font = able[int(place * len(able))] if able else ""
    strokes = pick(rng, {"square": 2, "hand": 1.5, "round": 1})
    lean = rng.uniform(0, 0.2)
    stretch = even_log(rng, 0.7, 1.5) if rng.random() < 0.35 else 1.0

    def line() -> FloatArray:
        length = {"date": 0, "page": int(rng.integers(15, 40)), "tile": int(rng.integers(4, 14))}.get(
            style, int(even_log(rng, 2, 22))
        )
        if style == "date":
            plane = render_led(_date(rng), px, lean) if script == "led" else render(font, px, _date(rng))
        elif script == "strokes":
            plane = render_strokes(rng, max(min(length, 8), 2), px, strokes)
        else:
            plane = render(font, px, _words(rng, script, length), 0, script == "arabic")
        if stretch != 1 and plane.size:
            width = max(round(plane.shape[1] * stretch), 1)
            plane = np.asarray(cv2.resize(plane, (width, plane.shape[0]), interpolation=cv2.INTER_LINEAR), np.float32)
        return plane

    name = strokes if script == "strokes" else font.replace("\\", "/").rsplit("/", 1)[-1] or "default"
    return line, {"script": script, "font": name, "font_px": px, "stretch": stretch}


def _words(rng: np.random.Generator, script: str, length: int) -> str:
    letters = SCRIPTS[script]
    if script in _DENSE:
        length = max(length // 2, 2)
    drawn = [letters[index] for index in rng.integers(len(letters), size=max(length, 1))]
    if script in ("latin", "accents"):
        capital = rng.random()
        drawn = [sign.upper() if capital < 0.25 and sign != "ß" else sign.lower() for sign in drawn]
        if capital > 0.6:
            drawn[0] = drawn[0].upper() if drawn[0] != "ß" else "S"
    if script not in _DENSE:
        for at in range(int(rng.integers(3, 8)), len(drawn) - 2, int(rng.integers(4, 9))):
            drawn[at] = " "
    return "".join(drawn)


def _date(rng: np.random.Generator) -> str:
    year, month, day = int(rng.integers(1980, 2030)), int(rng.integers(1, 13)), int(rng.integers(1, 32))
    hour, minute = int(rng.integers(24)), int(rng.integers(60))
    written, clock = f"{day:02}.{month:02}.{year}", f"{hour:02}:{minute:02}"
    year_first, spaced = f"{year}-{month:02}-{day:02}", f"'{year % 100:02} {month} {day}"
    forms = [f"{day} {month} '{year % 100:02}", spaced, written, year_first, clock, f"{written} {clock}"]
    return forms[int(rng.integers(len(forms)))]


def _place(rng: np.random.Generator, size: tuple[int, int], style: str, lines: list[FloatArray]) -> tuple[float, float]:
    """Draw where the middle of all lines lies, px: (x, y)."""
    height, width = size
    wide = max((line.shape[1] for line in lines), default=0)
    tall = 1.3 * sum(line.shape[0] for line in lines)
    x, y = rng.uniform(0.1, 0.9) * width, rng.uniform(0.08, 0.92) * height
    if style in ("subtitle", "page"):
        x = width * rng.uniform(0.45, 0.55)
    if style == "subtitle":
        y = height * (rng.uniform(0.78, 0.95) if rng.random() < 0.8 else rng.uniform(0.05, 0.2))
    elif style in ("date", "caption"):
        margin = rng.uniform(0.01, 0.08)
        x = margin * width + wide / 2 if rng.random() < 0.35 else (1 - margin) * width - wide / 2
        y = margin * height + tall / 2 if rng.random() < 0.25 else (1 - margin) * height - tall / 2
    return float(x), float(y)


def _put(
    size: tuple[int, int], lines: list[FloatArray], middle: tuple[float, float], turn: float, spacing: float, *,
    centred: bool,
) -> FloatArray:  # fmt: skip
    """Put lines below each other around a place, turned; in [0, 1], shape `size`."""
    lines = [line for line in lines if line.size]
    result = np.zeros(size, np.float32)
    if not lines:
        return result
    tall = max(line.shape[0] for line in lines)
    wide = max(line.shape[1] for line in lines)
    step = tall * spacing
    block = np.zeros((math.ceil(step * len(lines)), wide), np.float32)
    for number, line in enumerate(lines):
        top, left = int(number * step), (wide - line.shape[1]) // 2 if centred else 0
        block[top : top + line.shape[0], left : left + line.shape[1]] = line
    if turn == 0:
        top, left = round(middle[1] - block.shape[0] / 2), round(middle[0] - block.shape[1] / 2)
        rows = slice(max(top, 0), max(min(top + block.shape[0], size[0]), 0))
        columns = slice(max(left, 0), max(min(left + block.shape[1], size[1]), 0))
        if rows.stop > rows.start and columns.stop > columns.start:
            result[rows, columns] = block[
                rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
            ]
        return result
    cos, sin = math.cos(turn), math.sin(turn)
    x, y = block.shape[1] / 2, block.shape[0] / 2
    matrix = np.array([[cos, -sin, middle[0] - cos * x + sin * y], [sin, cos, middle[1] - sin * x - cos * y]])
    return np.asarray(cv2.warpAffine(block, matrix, (size[1], size[0]), flags=cv2.INTER_LINEAR), np.float32)


def _behind(rng: np.random.Generator, alpha: FloatArray, backing: str, side: int) -> FloatArray:
    """Draw what lies behind letters: an outline around them, a shadow beside them, or a box."""
    if backing == "outline":
        px = max(round(rng.uniform(0.006, 0.02) * side), 1)
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * px + 1, 2 * px + 1))
        return np.asarray(cv2.dilate(alpha, disc), np.float32)
    if backing == "shadow":
        down, right = (round(value) for value in rng.uniform(0.004, 0.025, 2) * side + 0.6)
        shade = np.zeros_like(alpha)
        shade[down:, right:] = alpha[: alpha.shape[0] - down, : alpha.shape[1] - right]
        soft = rng.uniform(0, 0.015) * side
        shade = cv2.GaussianBlur(shade, (0, 0), soft) if soft >= 0.3 else shade
        return np.asarray(shade * np.float32(rng.uniform(0.5, 1)), np.float32)
    box = np.zeros_like(alpha)
    rows, columns = np.nonzero(alpha.max(1) > 0.2)[0], np.nonzero(alpha.max(0) > 0.2)[0]
    if rows.size and columns.size:
        margin = round(rng.uniform(0.01, 0.04) * side)
        across = slice(None) if rng.random() < 0.25 else slice(max(columns[0] - margin, 0), columns[-1] + margin + 1)
        box[max(rows[0] - margin, 0) : rows[-1] + margin + 1, across] = rng.uniform(0.35, 1)
    return box


def _tiled(rng: np.random.Generator, size: tuple[int, int], plane: FloatArray, turn: float) -> FloatArray:
    """Repeat a plane over a picture in rows, every other one shifted; shape `size`."""
    if not plane.size:
        return np.zeros(size, np.float32)
    gap = rng.uniform(0.15, 1.0)
    tile = np.pad(plane, ((0, int(plane.shape[0] * (0.6 + 2.5 * gap))), (0, int(plane.shape[0] * (0.5 + 2 * gap)) + 2)))
    if rng.random() < 0.6:
        tile = np.vstack([tile, np.roll(tile, tile.shape[1] // 2, axis=1)])
    row, column = grid_of(size)
    cos, sin = np.float32(math.cos(turn)), np.float32(math.sin(turn))
    down, right = rng.uniform(0, tile.shape[0]), rng.uniform(0, tile.shape[1])
    x = np.mod(column * cos + row * sin + np.float32(right), np.float32(tile.shape[1]))
    y = np.mod(row * cos - column * sin + np.float32(down), np.float32(tile.shape[0]))
    return np.asarray(cv2.remap(tile, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP), np.float32)


def _logo(rng: np.random.Generator, px: int) -> FloatArray:
    """Draw something like a logo, shape (px, px): rings, polygons, stars, bars, with parts cut out."""
    canvas = Canvas((px, px))
    for part in range(int(rng.integers(1, 4))):
        shape = pick(rng, {"ring": 2, "disc": 1, "polygon": 2, "star": 1, "bars": 1, "cross": 1})
        centre = px / 2 + rng.normal(0, 0.08 * px, 2) * min(part, 1)
        radius, width = px * rng.uniform(0.18, 0.46), px * rng.uniform(0.03, 0.12)
        if shape in ("ring", "disc"):
            canvas.spot(
                float(centre[0]),
                float(centre[1]),
                (radius, radius * (1 if rng.random() < 0.7 else rng.uniform(0.5, 1))),
                0,
            )
            if shape == "ring":
                canvas.spot(float(centre[0]), float(centre[1]), (max(radius - width, 1), max(radius - width, 1)), 0, 0)
        elif shape in ("polygon", "star"):
            corners = int(rng.integers(3, 8)) * (2 if shape == "star" else 1)
            turn = rng.uniform(0, 7) + np.arange(corners + 1) * (2 * math.pi / corners)
            radii = radius * np.where((np.arange(corners + 1) % 2 == 1) & (shape == "star"), rng.uniform(0.35, 0.7), 1)
            outline = (centre + np.stack([radii * np.cos(turn), radii * np.sin(turn)], 1)).astype(np.float32)
            if rng.random() < 0.5:
                canvas.patch(outline)
            else:
                canvas.line(outline, width)
        else:
            angle = rng.uniform(0, math.pi)
            step = np.array([math.cos(angle), math.sin(angle)])
            across = np.array([-step[1], step[0]])
            if shape == "cross":
                canvas.line(np.asarray([centre - radius * step, centre + radius * step], np.float32), width)
                canvas.line(np.asarray([centre - radius * across, centre + radius * across], np.float32), width)
            for shift in np.arange(-2, 3) * 0.4 * radius if shape == "bars" else ():
                at = centre + shift * across
                canvas.line(np.asarray([at - 0.8 * radius * step, at + 0.8 * radius * step], np.float32), width)
    return canvas.opacity()


def _pattern(rng: np.random.Generator, size: tuple[int, int]) -> FloatArray:
    """Draw stripes, a grid, rings or a cross over the whole picture; in [0, 1], shape `size`."""
    side = min(size)
    row, column = grid_of(size)
    shape = pick(rng, {"stripes": 2, "grid": 2, "rings": 1, "cross": 1})
    period, angle = even_log(rng, 0.08, 0.5) * side, rng.uniform(0, math.pi)
    width = even_log(rng, 0.8, max(0.25 * period, 1))
    along = column * np.float32(math.cos(angle)) + row * np.float32(math.sin(angle))
    across = row * np.float32(math.cos(angle)) - column * np.float32(math.sin(angle))
    if shape == "cross":
        fractions = (row / size[0], column / size[1])
        first, second = (fractions[0] - fractions[1]) * side, (fractions[0] + fractions[1] - 1) * side
        return ramp(np.minimum(np.abs(first), np.abs(second)), width / 2 + 0.7, width / 2)
    if shape == "rings":
        x, y = rng.uniform(0, size[1]), rng.uniform(0, size[0])
        along = np.sqrt((column - np.float32(x)) ** 2 + (row - np.float32(y)) ** 2)
    fields = [along, across] if shape == "grid" else [along]
    distances = [np.abs(np.mod(field, np.float32(period)) - np.float32(period / 2)) for field in fields]
    distance = distances[0] if len(distances) == 1 else np.minimum(distances[0], distances[1])
    return ramp(np.broadcast_to(distance, size), width / 2 + 0.7, max(width / 2, 0.1))
