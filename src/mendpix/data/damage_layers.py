"""What all kinds of damage are made of: paint laid over a picture, uneven fields, paths, colours. Knows no family.

Paint is laid by an opacity: `damaged = (1 - opacity) * image + opacity * paint`. The opacity is also how much of a
pixel is destroyed, but 0 where nobody could see a change; there the pixel keeps its value to the bit.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from mendpix.types import FloatArray, Image

LEAST_MOVE = 4 / 255
"""Change of the strongest channel from which a pixel counts as damaged, of 1: four steps of 8 bits."""

_ROUNDING = 1e-5  # a change of exactly four steps counts


@dataclass(frozen=True)
class Damage:
    """One family's damage to a picture."""

    image: Image
    """The damaged picture, RGB in [0, 1], shape (H, W, 3)."""
    destroyed: FloatArray
    """How much of each pixel is destroyed, in [0, 1], shape (H, W); 0 = the pixel is as it was, to the bit."""
    parameters: dict[str, Any]
    """What was drawn: plain numbers, words and lists."""


def lay(image: Image, opacity: FloatArray, paint: FloatArray, parameters: dict[str, Any]) -> Damage:
    """Lay paint over a picture.

    Args:
        image: RGB in [0, 1], shape (H, W, 3).
        opacity: In [0, 1], shape (H, W).
        paint: A colour, shape (3,), or a picture, shape (H, W, 3); in [0, 1].
        parameters: What to write down.
    """
    damaged = np.asarray(image + opacity[..., None] * (paint - image), np.float32)
    return settle(image, damaged, opacity, parameters)


def settle(image: Image, damaged: Image, destroyed: FloatArray, parameters: dict[str, Any]) -> Damage:
    """Take back what nobody could see: such pixels keep their value, and nothing of them is destroyed.

    Args:
        image: The picture before, shape (H, W, 3).
        damaged: The picture after, shape (H, W, 3); clipped to [0, 1] here.
        destroyed: In [0, 1], shape (H, W).
        parameters: What to write down.
    """
    damaged = np.clip(damaged, 0, 1, dtype=np.float32)
    hit = (destroyed > 0) & moved(image, damaged)
    return Damage(np.where(hit[..., None], damaged, image), np.where(hit, destroyed, 0).astype(np.float32), parameters)


def moved(image: Image, damaged: Image, least: float = LEAST_MOVE) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Tell where a channel differs by `least` or more, shape (H, W)."""
    difference = cv2.absdiff(image, damaged)
    red, green, blue = cv2.split(difference)
    return np.asarray(cv2.max(cv2.max(red, green), blue)) >= least - _ROUNDING


def join(first: FloatArray, second: FloatArray) -> FloatArray:
    """Add up two shares destroyed: what the second leaves of what the first left."""
    return np.asarray(1 - (1 - first) * (1 - second), np.float32)


def smooth_field(rng: np.random.Generator, size: tuple[int, int], cell_px: float) -> FloatArray:
    """Draw an uneven field: even random numbers on a grid, smooth between, in [0, 1], shape `size`.

    Args:
        rng: Where the numbers come from.
        size: (H, W), px.
        cell_px: Distance of the grid's points, px.
    """
    rows, columns = (max(math.ceil(side / max(cell_px, 1)) + 1, 2) for side in size)
    grid = rng.random((rows, columns), np.float32)
    field = cv2.resize(grid, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    return np.clip(field, 0, 1, dtype=np.float32)


def rough_field(rng: np.random.Generator, size: tuple[int, int], cell_px: float, octaves: int = 3) -> FloatArray:
    """Add up smooth fields of half the cell and half the strength each, in [0, 1], shape `size`."""
    field = smooth_field(rng, size, cell_px)
    weight, total = 1.0, 1.0
    for _ in range(octaves - 1):
        weight, cell_px = weight / 2, cell_px / 2
        if cell_px < 1.5:
            break
        field = field + np.float32(weight) * smooth_field(rng, size, cell_px)
        total += weight
    return np.asarray(field / np.float32(total), np.float32)


def ramp(field: FloatArray, start: float, end: float) -> FloatArray:
    """Bring values at `start` to 0 and at `end` to 1, without a crease; `end` may be the smaller."""
    share = np.clip((field - np.float32(start)) / np.float32((end - start) or 1e-6), 0, 1, dtype=np.float32)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def grid_of(size: tuple[int, int]) -> tuple[FloatArray, FloatArray]:
    """Give the rows, shape (H, 1), and columns, shape (1, W), of a picture's pixels."""
    return np.arange(size[0], dtype=np.float32)[:, None], np.arange(size[1], dtype=np.float32)[None]


def even_log(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number between two, small ones as often as large ones."""
    return float(math.exp(rng.uniform(math.log(low), math.log(max(high, low)))))


def pick(rng: np.random.Generator, choices: Mapping[str, float]) -> str:
    """Pick a name by weight. Takes one number from `rng`, whatever the choices."""
    place = rng.random() * sum(choices.values())
    for name, weight in choices.items():
        place -= weight
        if place < 0:
            return name
    return list(choices)[-1]


def rounded(value: object) -> Any:
    """Make numbers fit for a record: plain, with four digits after the point."""
    if isinstance(value, dict):
        return {str(name): rounded(part) for name, part in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [rounded(part) for part in value]
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int | np.integer):
        return int(value)
    return round(float(value), 4)  # pyright: ignore[reportArgumentType]  # only floats are left


def draw_colour(rng: np.random.Generator, image: Image, kinds: Mapping[str, float]) -> tuple[FloatArray, str]:
    """Draw a colour of a kind: white, black, grey, light, dark, brown, yellow, colour, or the picture's own, changed.

    Returns:
        The colour, shape (3,), in [0, 1], and its kind.
    """
    kind = pick(rng, kinds)
    first, second, third, spread = rng.random(4)
    if kind == "white":
        colour = np.array([1, 1, 1]) - 0.08 * first * np.array([second, third, 1])
    elif kind == "black":
        colour = 0.1 * first * np.array([1, second, third])
    elif kind == "grey":
        colour = np.full(3, 0.15 + 0.7 * first)
    elif kind == "light":
        colour = 0.72 + 0.28 * first - 0.12 * np.array([0.3 * second, second * third, second])
    elif kind == "dark":
        colour = 0.05 + 0.25 * first * np.array([1, 0.6 + 0.4 * second, 0.4 + 0.6 * third])
    elif kind == "brown":
        value = 0.25 + 0.45 * first
        colour = value * np.array([1, 0.62 + 0.22 * second, 0.3 + 0.35 * third])
    elif kind == "yellow":
        colour = np.array([0.8 + 0.2 * first, 0.68 + 0.24 * second, 0.35 + 0.4 * third])
    elif kind == "colour":
        colour = np.array([first, second, third])
        middle = colour.mean()
        colour = middle + (colour - middle) * (1 + spread)
    else:  # "own": the mean colour of the picture, lighter or darker
        mean = image.mean((0, 1))
        colour = mean + (0.25 + 0.5 * spread) * (1 if first < 0.6 else -1)
    return np.clip(colour, 0, 1).astype(np.float32), kind


def finer(size: tuple[int, int]) -> int:
    """Say how many times finer than the picture lines are drawn, so that they can be thin and smooth."""
    side = max(size)
    return 4 if side <= 192 else 3 if side <= 384 else 2 if side <= 1024 else 1


class Canvas:
    """A plane finer than the picture to draw lines and spots on; coordinates are in px of the picture, (x, y)."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self.times = finer(size)
        self.plane = np.zeros((size[0] * self.times, size[1] * self.times), np.uint8)
        self._line = cv2.LINE_AA if self.times == 1 else cv2.LINE_8

    def line(self, path: FloatArray, width_px: float | FloatArray, opacity: float = 1.0) -> None:
        """Draw a path, shape (N, 2), of one width or of a width per point, px."""
        points = np.rint(path * (self.times * 8)).astype(np.int32)
        value = round(255 * opacity)
        if isinstance(width_px, np.ndarray):
            widths = np.maximum(np.rint(width_px * self.times), 1).astype(np.int32).tolist()
            for start, end, width in zip(points[:-1].tolist(), points[1:].tolist(), widths[1:], strict=True):
                cv2.line(self.plane, start, end, value, width, self._line, 3)
        else:
            width = max(round(width_px * self.times), 1)
            cv2.polylines(self.plane, [points.reshape(-1, 1, 2)], False, value, width, self._line, 3)

    def spot(self, x: float, y: float, radii: tuple[float, float], degrees: float, opacity: float = 1.0) -> None:
        """Draw a filled ellipse."""
        times = self.times
        axes = (max(round(radii[0] * times), 1), max(round(radii[1] * times), 1))
        centre = (round(x * times), round(y * times))
        cv2.ellipse(self.plane, centre, axes, degrees, 0, 360, round(255 * opacity), -1, self._line)

    def patch(self, corners: FloatArray, opacity: float = 1.0) -> None:
        """Draw a filled polygon, shape (N, 2)."""
        points = np.rint(corners * (self.times * 8)).astype(np.int32).reshape(-1, 1, 2)
        cv2.fillPoly(self.plane, [points], round(255 * opacity), self._line, 3)

    def opacity(self, soft_px: float = 0) -> FloatArray:
        """Bring the drawing to the picture's size, blurred by `soft_px` (standard deviation); in [0, 1]."""
        plane = self.plane
        if self.times > 1:
            plane = cv2.resize(plane, (self.size[1], self.size[0]), interpolation=cv2.INTER_AREA)
        result = np.asarray(plane, np.float32) / np.float32(255)
        return np.asarray(cv2.GaussianBlur(result, (0, 0), soft_px), np.float32) if soft_px >= 0.3 else result


def draw_path(
    rng: np.random.Generator, start: tuple[float, float], heading: float, length_px: float, curl: float, points: int
) -> FloatArray:
    """Walk from a point: `heading` and `curl`, the spread of its whole change on the way, in radians.

    Returns:
        Points (x, y), px, shape (points, 2).
    """
    turns = rng.standard_normal(points - 1) * (curl / math.sqrt(max(points - 1, 1)))
    if points > 8:  # bends, not corners
        turns = np.convolve(turns, np.full(5, 0.35), "same")
    headings = heading + np.cumsum(turns)
    steps = np.stack([np.cos(headings), np.sin(headings)], 1) * (length_px / max(points - 1, 1))
    return np.vstack([np.zeros((1, 2)), np.cumsum(steps, 0)]).astype(np.float32) + np.asarray(start, np.float32)
