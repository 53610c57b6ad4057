"""Make up and draw the shapes that random holes consist of: strokes, boxes, scratches, blobs.

Each kind has a function that first draws the character of a whole hole (brush, direction, ...) and returns how far to
grow every shape and a maker of single shapes. A shape is a record of whole numbers; drawing it involves no randomness.

Knows nothing of ratios, bins or borders: `mask_sampler` decides how many shapes a hole gets and where they start.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Kind = Literal["strokes", "boxes", "scratches", "blobs"]
"""What a hole is made of."""

Form = Literal["path", "ring", "area", "dots"]
"""How the points of a shape are drawn: open line, closed line, filled polygon, single pixels."""

Canvas = NDArray[np.uint8]
"""Drawing area, shape (H, W): 1 = hole, 0 = known."""

Points = NDArray[np.float64]
"""Points (N, 2) or one point (2,), x before y, in pixels."""

_T = TypeVar("_T")

_REFERENCE_PX = 128.0  # sizes below are in pixels of a picture this large, and scale with the picture
_CIRCLE = np.stack([f(np.arange(28) * (2 * math.pi / 28)) for f in (np.cos, np.sin)], axis=1)  # base of all outlines


@dataclass(frozen=True)
class Shape:
    """Record one shape of a hole, in whole pixels of the drawing area (the picture without its margin)."""

    form: Form
    """How the points are drawn."""
    points: tuple[int, ...]
    """x0, y0, x1, y1, ...; points may lie outside the drawing area."""
    widths: tuple[int, ...] = ()
    """Line widths in pixels: one for all segments or one for each; empty for areas and dots."""


@dataclass(frozen=True)
class Area:
    """Where shapes may lie, and how large the whole hole is meant to be."""

    height: int
    """In pixels, without the margin."""
    width: int
    """In pixels, without the margin."""
    side: int
    """Short side of the whole picture: sizes follow it, whatever the margin."""
    share: float
    """Share of the picture that the hole shall cover."""

    @property
    def unit(self) -> float:
        """Pixels of this picture per pixel of a picture of `_REFERENCE_PX`."""
        return self.side / _REFERENCE_PX


ShapeMaker = Callable[[np.random.Generator, float, Points], Shape]
"""Make a shape from (rng, scale, position of its first point or its centre)."""


def choose(rng: np.random.Generator, items: Sequence[_T], weights: Sequence[float]) -> _T:
    """Pick one item by weight (`Generator.choice` costs ten times as much)."""
    left = rng.random() * sum(weights)
    for item, weight in zip(items, weights, strict=True):
        left -= weight
        if left < 0:
            return item
    return next(i for i, w in zip(reversed(items), reversed(weights), strict=True) if w > 0)


def paint_shape(canvas: Canvas, shape: Shape) -> None:
    """Set the pixels of `shape` to 1 in `canvas`; parts that lie outside are cut off."""
    points = np.array(shape.points, np.int32).reshape(-1, 2)
    if shape.form == "area":
        cv2.fillPoly(canvas, [points], 1)  # even-odd: a loop of the outline may leave an island
    elif shape.form == "dots":
        inside = ((points >= 0) & (points < canvas.shape[::-1])).all(axis=1)
        canvas[points[inside, 1], points[inside, 0]] = 1
    elif len(shape.widths) == 1:
        cv2.polylines(canvas, [points], shape.form == "ring", 1, shape.widths[0])  # thick lines have round ends
    else:
        corners = points.tolist()
        for start, end, width in zip(corners[:-1], corners[1:], shape.widths, strict=True):
            cv2.line(canvas, start, end, 1, width)


def grow_canvas(canvas: Canvas, grow_px: int) -> Canvas:
    """Return the canvas with every hole pixel thickened by a square that reaches `grow_px`."""
    if grow_px == 0:
        return canvas
    side = 2 * grow_px + 1
    return np.asarray(cv2.dilate(canvas, np.ones((side, side), np.uint8)), np.uint8)


def _whole(points: Points) -> tuple[int, ...]:
    return tuple(np.rint(points).astype(np.int64).ravel().tolist())


def _pixels(width: float) -> int:
    return max(1, round(width))


def _turned(points: Points, angle: float) -> Points:
    """Rotate (N, 2) points about the origin."""
    cosine, sine = math.cos(angle), math.sin(angle)
    return points @ np.array(((cosine, sine), (-sine, cosine)))


def _strokes(rng: np.random.Generator, area: Area) -> tuple[int, ShapeMaker]:
    """Prepare free-form strokes: bouncing random walks, from hairlines to a thick brush."""
    thinnest, thickest = 1.5 + 6 * area.share, 9 + 45 * area.share
    brush = thinnest * (thickest / thinnest) ** rng.random() * area.unit
    bend = 0.3 + 1.7 * rng.random()  # radians, the most that a walk turns at a corner
    limits = np.array((area.width, area.height), np.float64)

    def make(rng: np.random.Generator, scale: float, start: Points) -> Shape:
        corners = int(rng.integers(3, 12))
        turn, length, width = rng.random((3, corners))
        heading = 2 * math.pi * rng.random() + ((2 * turn - 1) * bend).cumsum()
        steps = (0.05 + 0.2 * length) * scale * area.side
        walk = np.empty((corners + 1, 2))
        walk[0], walk[1:, 0], walk[1:, 1] = start, np.cos(heading) * steps, np.sin(heading) * steps
        walk = limits - np.abs(limits - walk.cumsum(axis=0) % (2 * limits))  # bounce off the edges
        widths = np.maximum(np.rint(brush * scale * (0.6 + 0.8 * width)), 1)
        return Shape("path", _whole(np.minimum(walk, limits - 1)), tuple(widths.astype(int).tolist()))

    return 0, make


def _boxes(rng: np.random.Generator, area: Area) -> tuple[int, ShapeMaker]:
    """Prepare rectangles, upright or turned."""
    turned_share = rng.random()  # of the boxes in this hole
    largest = (0.08 + 0.45 * math.sqrt(area.share)) * area.side

    def make(rng: np.random.Generator, scale: float, centre: Points) -> Shape:
        half = largest * scale * 0.2 ** rng.random(2)
        corners = half * ((-1, -1), (1, -1), (1, 1), (-1, 1))
        if rng.random() < turned_share:
            corners = _turned(corners, math.pi * rng.random())
        return Shape("area", _whole(centre + corners))

    return 0, make


def _scratches(rng: np.random.Generator, area: Area) -> tuple[int, ShapeMaker]:
    """Prepare long thin lines, often roughly parallel, straight or slightly wavy."""
    direction, spread = math.pi * rng.random(), math.pi * rng.random() ** 2
    widest = (1 + 2 * rng.random() + 14 * area.share * (0.4 + rng.random())) * area.unit
    waviness = 0.03 * rng.random() * area.side

    def make(rng: np.random.Generator, scale: float, start: Points) -> Shape:
        corners = 2 + int(5 * rng.random())
        long, turn, back, width = rng.random(4).tolist()
        line = rng.normal(size=(corners, 2)).cumsum(axis=0)
        line *= (0.0, waviness * scale)
        line[:, 0] = np.arange(corners) * ((0.15 + long**2) * scale * area.side / (corners - 1))
        angle = direction + spread * (turn - 0.5) + math.pi * round(back)
        width = _pixels(widest * (0.3 + 0.7 * width))
        return Shape("path", _whole(_turned(line - line[0], angle) + start), (width,))

    return 0, make


def _blobs(rng: np.random.Generator, area: Area) -> tuple[int, ShapeMaker]:
    """Prepare what occlusions leave behind: ragged regions, outlines, bars and specks, thickened by one square."""
    grow = round((0.6 + 2.5 * area.share + (1.2 + 3 * area.share) * rng.random()) * area.unit)
    styles = (
        rng.random(4) ** 3 * (0.6, 1, 0.7, 0.7)
    ).tolist()  # a hole is mostly made of one or two of the styles below
    direction = math.pi * rng.random()
    reach = (0.05 + 0.42 * math.sqrt(area.share)) * area.side
    ragged = 0.25 * rng.random()

    def outline(rng: np.random.Generator, scale: float) -> Points:
        """Return a closed curve around the origin: a few random radii, joined, and a ragged rim."""
        knots = rng.random(int(rng.integers(5, 11)))
        knots[-1] = knots[0]
        rim = np.interp(np.arange(len(_CIRCLE)), np.linspace(0, len(_CIRCLE), len(knots)), knots)
        size, flat, tilt = rng.random(3).tolist()
        rim = (0.2 + 0.8 * rim + ragged * rng.random(len(_CIRCLE))) * (reach * scale * (0.35 + 0.65 * size))
        return _turned(_CIRCLE * rim[:, None] * (1, 0.25 + 0.75 * flat), direction + 0.8 * (tilt - 0.5))

    def make(rng: np.random.Generator, scale: float, centre: Points) -> Shape:
        style = choose(rng, ("region", "outline", "bar", "specks"), styles)
        thin, long = rng.random(2).tolist()
        if style == "region":
            return Shape("area", _whole(centre + outline(rng, scale)))
        if style == "outline":
            curve = outline(rng, 1.5 * scale)
            if rng.random() < 0.6:
                return Shape("ring", _whole(centre + curve), (_pixels(2 * thin * area.unit),))
            curve = curve[: int(6 + 20 * long)]  # an open line begins at its place
            return Shape("path", _whole(centre + curve - curve[0]), (_pixels(2 * thin * area.unit),))
        if style == "bar":
            angle = direction + math.pi / 2 * rng.integers(4) + 0.2 * (rng.random() - 0.5)
            line = _turned(np.array(((0.0, 0.0), (area.side * scale * (0.2 + long), 0.0))), angle)
            return Shape("path", _whole(centre + line), (_pixels(8 * thin**2 * area.unit),))
        # Specks lie scattered about a piece of an outline; each is three pixels in a row until the square grows it.
        curve = outline(rng, 1.5 * scale)[: int(6 + 22 * thin)]
        dots = curve[rng.integers(len(curve), size=int(3 + 30 * scale * long))]
        dots = dots + rng.normal(size=dots.shape) * (0.03 * area.side * scale)
        dash = _turned(np.array(((2.0 * grow, 0.0),)), direction) * rng.random((len(dots), 1))
        return Shape("dots", _whole(centre + np.concatenate((np.zeros((1, 2)), dots - dash, dots, dots + dash))))

    return grow, make


MAKERS: Mapping[Kind, Callable[[np.random.Generator, Area], tuple[int, ShapeMaker]]] = MappingProxyType(
    {
        "strokes": _strokes,
        "boxes": _boxes,
        "scratches": _scratches,
        "blobs": _blobs,
    }
)
"""For each kind, how to prepare one hole: (rng, area) to the pixels to grow by and a maker of shapes."""
