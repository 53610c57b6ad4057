"""Draw compact holes in the shape of things that people take out of photos: persons, animals, vehicles, furniture, ...

A figure is made up (`silhouette_beings`, `silhouette_things`), posed, mirrored, turned a little, drawn once with the
margin that a careful brush leaves around a thing, and then scaled and placed until it covers the wanted share of a
picture. All of it is our own drawing: no photo, no mask of others and no model is looked at.

Knows nothing of pictures, files or bins, and nothing of what training makes of the holes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

import cv2
import numpy as np

from mendpix.data import silhouette_beings as beings
from mendpix.data import silhouette_things as things
from mendpix.data.mask_shapes import choose
from mendpix.data.silhouette_curves import Curve, Figure
from mendpix.errors import InputError
from mendpix.types import FloatArray, Mask

Place = Literal["any", "inside", "border"]
"""Where a hole lies: nowhere at the picture's edge, cut off by it, or either."""

FIGURES: Mapping[str, tuple[Figure, float]] = MappingProxyType(
    {
        "standing": (beings.standing, 3.0),
        "walking": (beings.walking, 2.5),
        "sitting": (beings.sitting, 2.0),
        "bust": (beings.bust, 1.0),
        "two-people": (beings.two_people, 2.0),
        "four-legged": (beings.four_legged, 2.5),
        "sitting-animal": (beings.sitting_animal, 1.0),
        "bird": (beings.bird, 1.0),
        "car": (things.car, 1.5),
        "bus": (things.bus, 1.0),
        "cycle": (things.cycle, 1.5),
        "tree": (things.tree, 1.0),
        "vessel": (things.vessel, 1.0),
        "umbrella": (things.umbrella, 0.8),
        "boat": (things.boat, 1.0),
        "ball": (things.ball, 0.6),
        "sign": (things.sign, 0.8),
        "seat": (things.seat, 1.0),
        "suitcase": (things.suitcase, 0.8),
        "blob": (things.blob, 1.5),
        "brushed": (things.brushed, 1.5),
    }
)
"""What can be drawn, and how often it comes."""

LEAST_SHARE, MOST_SHARE = 0.005, 0.5
"""Shares of a picture that can be asked for."""

LEAST_PX = 32
"""Smallest height and width of a picture, px."""

TOLERANCE = 0.03
"""How far a share may be off, of the share; a single pixel is allowed in any case."""

_BORDER_CHANCE = 0.35  # of "any"
_TEMPLATE_PX = 320  # longer side of a figure when it is drawn for the first time
_PAD_PX = 48  # known pixels around it, room for the brush
_SMOOTH_PX = 2.5  # of the template: standard deviation by which the brush rounds corners
_ATTEMPTS = 60  # figures tried before a plain rounded patch is taken
_STEPS = 12  # of the search for the scale
_GAP = 0.01  # of the shorter side: what "inside" leaves free at the least
_WHOLE = 0.97  # of a cut hole that must hang together; the rest is dropped


@dataclass(frozen=True, eq=False)
class _Template:
    """A figure as drawn once, at its own size."""

    field: FloatArray
    """How far a pixel is hole, in [0, 1]; 0.5 is the edge. Cut close to the figure."""
    area_px: float


def draw_silhouette(rng: np.random.Generator, size: tuple[int, int], share: float, *, place: Place = "any") -> Mask:
    """Draw one hole in the shape of a thing.

    Deterministic: the same generator state and arguments draw the same pixels.

    Args:
        rng: Source of all randomness.
        size: (height, width) of the picture, px, each at least `LEAST_PX`.
        share: Share of the picture to cover, `LEAST_SHARE` to `MOST_SHARE`; hit to within `TOLERANCE`.
        place: `inside`: no pixel at the picture's edge; `border`: cut off by at least one edge; `any`: either.

    Returns:
        1 = hole, 0 = known, float32, shape `size`; one connected piece without islands.

    Raises:
        InputError: If the size, share or place makes no sense.

    Example:
        >>> hole = draw_silhouette(np.random.default_rng(0), (256, 256), 0.1)
        >>> hole.shape, round(float(hole.mean()), 2)
        ((256, 256), 0.1)
    """
    if place not in get_args(Place):
        raise InputError(f"place must be one of {', '.join(get_args(Place))}; got {place!r}.")
    if min(size) < LEAST_PX:
        raise InputError(f"size must be at least {LEAST_PX} × {LEAST_PX} px; got {size[0]} × {size[1]}.")
    if not LEAST_SHARE <= share <= MOST_SHARE:
        raise InputError(f"share must be between {LEAST_SHARE} and {MOST_SHARE}; got {share}.")
    wanted = place
    if wanted == "any":
        wanted = "border" if rng.random() < _BORDER_CHANCE else "inside"
    names = list(FIGURES)
    for _ in range(_ATTEMPTS):
        name = choose(rng, names, [FIGURES[each][1] for each in names])
        template = _draw_template(rng, FIGURES[name][0](rng), free=name in {"blob", "brushed", "ball"})
        hole = _fit(rng, template, size, share, wanted)
        if hole is not None:
            return hole
    return _plain_patch(size, share, wanted)


def _draw_template(rng: np.random.Generator, parts: list[Curve], *, free: bool) -> _Template:
    """Pose a figure and draw it once, with a brush's margin, rounded, without islands.

    Args:
        rng: Source of randomness.
        parts: The figure.
        free: Whether it may be turned any way round.
    """
    angle = math.tau * rng.random() if free else float(np.clip(rng.normal(0, 0.08), -0.2, 0.2))
    mirror, stretch = (-1 if rng.random() < 0.5 else 1), math.exp(float(np.clip(rng.normal(0, 0.08), -0.2, 0.2)))
    cosine, sine = math.cos(angle), math.sin(angle)
    turn = np.array(((mirror * stretch, 0), (0, 1))) @ np.array(((cosine, sine), (-sine, cosine)))
    turned = [part @ turn for part in parts]
    every = np.concatenate(turned)
    low = every.min(axis=0)
    extent = every.max(axis=0) - low
    scale = _TEMPLATE_PX / float(extent.max())
    width, height = (math.ceil(float(length) * scale) + 2 * _PAD_PX for length in extent)
    canvas = np.zeros((height, width), np.uint8)
    for part in turned:
        # One part at a time: where two overlap, drawing them together would cut out what both cover.
        cv2.fillPoly(canvas, [np.rint((part - low) * scale + _PAD_PX).astype(np.int32)], 1)
    margin = (0.015 + 0.03 * rng.random()) * math.sqrt(float(canvas.sum()) * 4)
    margin = min(margin, _PAD_PX - 4 * _SMOOTH_PX)
    away = cv2.distanceTransform(1 - canvas, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    canvas = (away <= margin).astype(np.uint8)
    soft = np.asarray(cv2.GaussianBlur(canvas.astype(np.float32), (0, 0), _SMOOTH_PX), np.float32)
    islands = _without_islands((soft >= 0.5).astype(np.uint8)) > (soft >= 0.5)
    soft[islands] = 1
    rows, columns = np.flatnonzero((soft >= 0.5).any(axis=1)), np.flatnonzero((soft >= 0.5).any(axis=0))
    soft = soft[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return _Template(soft, float((soft >= 0.5).sum()))


def _without_islands(canvas: np.ndarray) -> np.ndarray:
    """Fill what is known within a hole: who brushes a thing out leaves no islands in it."""
    outlines, _ = cv2.findContours(canvas, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(canvas)
    cv2.drawContours(filled, outlines, -1, 1, cv2.FILLED)
    return filled


def _fit(
    rng: np.random.Generator, template: _Template, size: tuple[int, int], share: float, place: Place
) -> Mask | None:
    """Scale and place a figure so that it covers the share; None if that is not possible."""
    height, width = size
    wanted = share * height * width
    where_y, where_x = rng.random(2).tolist()
    # How much of the figure lies beyond which edge: mostly its feet or a side.
    edge = choose(rng, ("bottom", "left", "right", "top"), (4, 3, 3, 1))
    cut = 0.05 + 0.4 * rng.random()
    scale = math.sqrt(wanted / template.area_px)
    most = scale * (1.02 if place == "inside" else 3.0)
    least = scale * 0.98
    gap = max(1, round(_GAP * min(size)))
    hole: Mask | None = None
    for _ in range(_STEPS):
        tall, wide = (length * scale for length in template.field.shape)
        if place == "inside":
            free_y, free_x = height - tall - 2 * gap, width - wide - 2 * gap
            if min(free_y, free_x) < 0:
                return None
            top, left = gap + where_y * free_y, gap + where_x * free_x
        else:
            # Along the edge it may stick out a little at either end, too.
            top = where_y * (height - 0.8 * tall) - 0.1 * tall
            left = where_x * (width - 0.8 * wide) - 0.1 * wide
            top = {"bottom": height - (1 - cut) * tall, "top": -cut * tall}.get(edge, top)
            left = {"right": width - (1 - cut) * wide, "left": -cut * wide}.get(edge, left)
        hole = _draw(template, size, scale, top, left)
        got = float(hole.sum())
        if abs(got - wanted) <= max(0.5 * TOLERANCE * wanted, 1):
            break
        if got < wanted:
            least = scale
        else:
            most = scale
        guess = scale * math.sqrt(wanted / max(got, 1))
        scale = guess if least < guess < most else (least + most) / 2
        if most / least < 1 + 1e-5:
            break
    assert hole is not None
    return _checked(hole, wanted, place)


def _draw(template: _Template, size: tuple[int, int], scale: float, top: float, left: float) -> Mask:
    """Draw a figure with its upper left corner at a place."""
    # Pixel centres: x' = scale (x + 0.5) + left - 0.5.
    matrix = np.array(((scale, 0, 0.5 * scale + left - 0.5), (0, scale, 0.5 * scale + top - 0.5)))
    field = template.field
    if scale < 0.5:  # shrink by area first, lest thin limbs fall between the pixels
        near = max(2 * scale, 8 / min(field.shape))
        shape = tuple(max(1, round(length * near)) for length in field.shape)
        field = np.asarray(cv2.resize(field, shape[::-1], interpolation=cv2.INTER_AREA), np.float32)
        along_x, along_y = template.field.shape[1] / shape[1], template.field.shape[0] / shape[0]
        matrix = np.array(
            (
                (scale * along_x, 0, 0.5 * scale * along_x + left - 0.5),
                (0, scale * along_y, 0.5 * scale * along_y + top - 0.5),
            )
        )
    drawn = cv2.warpAffine(field, matrix, size[::-1], flags=cv2.INTER_LINEAR, borderValue=0)
    return (np.asarray(drawn) >= 0.5).astype(np.float32)


def _checked(hole: Mask, wanted: float, place: Place) -> Mask | None:
    """Keep the largest piece; None if too much falls off, or the share or the place is not met."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(hole.astype(np.uint8), connectivity=4)
    if count < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    if stats[largest, cv2.CC_STAT_AREA] < _WHOLE * hole.sum():
        return None
    piece = _without_islands((labels == largest).astype(np.uint8)).astype(np.float32)
    if abs(float(piece.sum()) - wanted) > max(TOLERANCE * wanted, 1):
        return None
    touches = bool(piece[[0, -1]].any() or piece[:, [0, -1]].any())
    return piece if touches == (place == "border") else None


def _plain_patch(size: tuple[int, int], share: float, place: Place) -> Mask:
    """Give a superellipse of the picture's proportions, in its middle or at its lower edge."""
    height, width = size
    y, x = np.mgrid[:height, :width] + 0.5
    middle = height if place == "border" else height / 2
    distance = np.maximum(np.abs(y - middle) / height, 0) ** 4 + (np.abs(x - width / 2) / width) ** 4
    count = round(share * height * width)
    level = np.partition(distance.ravel(), count - 1)[count - 1]
    return (distance <= level).astype(np.float32)
