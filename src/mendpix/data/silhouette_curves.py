"""Draw the closed curves that silhouettes are put together from: polygons, ellipses, smooth outlines, limbs.

Knows no thing and no pixels: `silhouette_beings` and `silhouette_things` say what the curves stand for.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]
"""Closed curve, shape (N, 2), x before y: x to the right, y downwards, in units of the thing's height."""

Point = tuple[float, float]
"""x before y."""

Figure = Callable[[np.random.Generator], list[Curve]]
"""Make up one thing: its parts, which overlap or touch."""

_ANGLES = np.arange(36) * (2 * math.pi / 36)


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number between two, all alike."""
    return float(low + (high - low) * rng.random())


def polygon(*points: Point) -> Curve:
    """Join points by straight lines."""
    return np.array(points, np.float64)


def ellipse(centre: Point, radius_x: float, radius_y: float, turn: float = 0.0) -> Curve:
    """Give an ellipse, turned by an angle in radians."""
    along, across = radius_x * np.cos(_ANGLES), radius_y * np.sin(_ANGLES)
    cosine, sine = math.cos(turn), math.sin(turn)
    return np.stack((centre[0] + cosine * along - sine * across, centre[1] + sine * along + cosine * across), axis=1)


def smooth(*points: Point) -> Curve:
    """Run a closed curve without corners through points (Catmull–Rom)."""
    knots = np.array(points, np.float64)
    before, after, second = (np.roll(knots, shift, axis=0) for shift in (1, -1, -2))
    t = np.linspace(0, 1, 10, endpoint=False)[:, None, None]
    curve = 0.5 * (
        2 * knots
        + (after - before) * t
        + (2 * before - 5 * knots + 4 * after - second) * t**2
        + (3 * knots - before - 3 * after + second) * t**3
    )
    return curve.transpose(1, 0, 2).reshape(-1, 2)


def box(left: float, top: float, right: float, bottom: float, corner: float = 0.2) -> Curve:
    """Give a rectangle whose corners are cut off, by a share of its shorter side."""
    cut = corner * min(right - left, bottom - top)
    return polygon(
        (left + cut, top),
        (right - cut, top),
        (right, top + cut),
        (right, bottom - cut),
        (right - cut, bottom),
        (left + cut, bottom),
        (left, bottom - cut),
        (left, top + cut),
    )


def limb(points: Sequence[Point], widths: Sequence[float]) -> list[Curve]:
    """Join points by pieces with round ends that taper from one width to the next."""
    parts = [ellipse(point, width / 2, width / 2) for point, width in zip(points, widths, strict=True)]
    for (start, end), (first, second) in zip(pairwise(points), pairwise(widths), strict=True):
        along = np.subtract(end, start)
        normal = np.array((-along[1], along[0])) / max(float(np.hypot(*along)), 1e-9) / 2
        parts.append(
            np.stack((start + first * normal, end + second * normal, end - second * normal, start - first * normal))
        )
    return parts


def reach_from(start: Point, length: float, angle: float) -> Point:
    """Go from a point by a length; 0 = straight down, positive = to the right."""
    return start[0] + length * math.sin(angle), start[1] + length * math.cos(angle)


def moved(parts: Sequence[Curve], x: float, y: float, scale: float = 1.0, mirror: bool = False) -> list[Curve]:
    """Scale parts about the origin, mirror them if asked, and move them."""
    factor = np.array((-scale if mirror else scale, scale))
    return [part * factor + (x, y) for part in parts]
