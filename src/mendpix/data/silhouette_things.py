"""Make up outlines of things and of plain brushed patches: proportions and parts are random; no picture is traced.

Every function takes a random generator and returns closed curves whose union is one thing: the top near 0, the ground
near 1. Knows nothing of sizes, shares, borders or pixels: `silhouettes` scales, turns, places and draws.
"""

import math

import numpy as np

from mendpix.data.silhouette_beings import upper_body
from mendpix.data.silhouette_curves import Curve, Point, between, box, ellipse, limb, moved, polygon, reach_from, smooth


def car(rng: np.random.Generator) -> list[Curve]:
    """Make up a car, seen from the side."""
    long, bonnet, boot = between(rng, 2.1, 2.9), between(rng, 0.2, 0.32), between(rng, 0.03, 0.25)
    body = smooth(
        (0, 0.82),
        (0.01, 0.52),
        (boot * long, 0.44),
        ((boot + 0.12) * long, 0.06),
        (0.5 * long, 0.0),
        ((0.84 - bonnet) * long, 0.1),
        ((1 - bonnet) * long, 0.42),
        (0.97 * long, 0.52),
        (long, 0.82),
        (0.75 * long, 0.88),
        (0.25 * long, 0.88),
    )
    wheel = between(rng, 0.17, 0.21)
    return [body, *(ellipse((at * long, 1 - wheel), wheel, wheel) for at in (0.19, 0.81))]


def bus(rng: np.random.Generator) -> list[Curve]:
    """Make up a bus, van or lorry, seen from the side."""
    long, wheel = between(rng, 1.3, 2.8), between(rng, 0.09, 0.15)
    if rng.random() < 0.4:  # a lorry: cab before a box
        cab = between(rng, 0.35, 0.5)
        bodies = [box(0, 0, long - cab - 0.03, 0.88, 0.03), box(long - cab, 0.2, long, 0.9, 0.15)]
        bodies.append(box(0, 0.72, long, 0.88))
    else:
        bodies = [box(0, 0, long, 0.9, between(rng, 0.04, 0.2))]
    return bodies + [ellipse((at * long, 1 - wheel), wheel, wheel) for at in (0.18, 0.82)]


def cycle(rng: np.random.Generator) -> list[Curve]:
    """Make up a bicycle or motorcycle, brushed out as a whole, with or without somebody on it."""
    wheel, apart = between(rng, 0.27, 0.33), between(rng, 0.85, 1.05)
    parts = [ellipse((at, 1 - wheel), wheel, wheel) for at in (0, apart)]
    parts.append(polygon((0, 1 - wheel), (0.25 * apart, 0.36), (0.8 * apart, 0.34), (apart, 1 - wheel), (0.4, 0.85)))
    parts += limb(((0.2 * apart, 0.3), (0.3 * apart, 0.29)), (0.08, 0.06))
    parts += limb(((0.78 * apart, 0.4), (0.82 * apart, 0.2), (0.72 * apart, 0.17)), (0.06, 0.05, 0.05))
    if rng.random() < 0.5:
        hip, lean = (0.26 * apart, 0.26), between(rng, -0.7, -0.2)
        rider = upper_body(rng, (0.0, 0.0), lean)
        parts += moved(rider, *hip, scale=1.25)
        for offset in (0.0, 0.1):
            parts += limb((hip, (hip[0] + 0.28, 0.45 + offset), (0.42 + offset, 0.82)), (0.16, 0.11, 0.08))
    return parts


def tree(rng: np.random.Generator) -> list[Curve]:
    """Make up a tree or bush."""
    if rng.random() < 0.3:  # a conifer: tiers that widen
        parts, tiers, wide = [box(-0.04, 0.8, 0.04, 1)], int(rng.integers(3, 6)), between(rng, 0.22, 0.36)
        for tier in range(tiers):
            low, reach = (tier + 1.3) / (tiers + 0.3) * 0.88, wide * (tier + 1) / tiers
            parts.append(polygon((0, tier / tiers * 0.7), (reach, low), (-reach, low)))
        return parts
    trunk, wide = between(rng, 0.0, 0.45), between(rng, 0.28, 0.5)
    crown = (1 - trunk) / 2
    parts = [ellipse((0, crown), wide * 0.7, crown * 0.8)]
    for angle in 2 * math.pi * (np.arange(9) + rng.random(9)) / 9:
        size = between(rng, 0.25, 0.45) * min(wide, crown)
        reach = between(rng, 0.55, 0.8)
        parts.append(
            ellipse((reach * wide * math.cos(angle), crown + reach * crown * math.sin(angle)), 1.2 * size, size)
        )
    stem = between(rng, 0.05, 0.1)
    return parts + limb(((0, crown), (rng.normal(0, 0.02), 0.98)), (stem, 1.3 * stem))


def vessel(rng: np.random.Generator) -> list[Curve]:
    """Make up a bottle, vase, jug or lamp: a body turned on a wheel, perhaps with a handle or flowers."""
    heights = np.linspace(0, 1, 7)
    radii = 0.1 + 0.22 * rng.random(7)
    radii[:2] *= between(rng, 0.3, 1.0)  # the neck
    radii[2:5] = np.maximum(radii[2:5], 0.15)
    right = [(float(radius), float(height)) for radius, height in zip(radii, heights, strict=True)]
    parts = [smooth(*right, *((-radius, height) for radius, height in reversed(right)))]
    if rng.random() < 0.25:
        parts += limb(((radii[1], 0.2), (0.42, 0.3), (0.4, 0.55), (radii[4], 0.66)), (0.06, 0.07, 0.07, 0.06))
    elif rng.random() < 0.3:
        for angle in rng.normal(0, 0.4, 5):
            top = reach_from((0.0, 0.1), -between(rng, 0.3, 0.6), float(angle))
            parts += limb(((0.0, 0.1), top), (0.06, 0.05))
            parts.append(ellipse(top, between(rng, 0.08, 0.14), between(rng, 0.08, 0.14)))
    return parts


def umbrella(rng: np.random.Generator) -> list[Curve]:
    """Make up an umbrella, parasol or mushroom, with or without a table below it."""
    wide, deep = between(rng, 0.35, 0.6), between(rng, 0.22, 0.36)
    rim = [(wide * (1 - 0.5 * step), deep + 0.03 * (step % 2)) for step in range(5)]
    top = [(wide * math.cos(angle), deep * (1 - math.sin(angle))) for angle in np.linspace(math.pi, 0, 9)]
    parts = [polygon(*top, *rim)]
    parts += limb(((0.0, deep * 0.5), (rng.normal(0, 0.05), 0.98)), (0.05, between(rng, 0.04, 0.1)))
    if rng.random() < 0.4:
        parts += [box(-0.28, 0.72, 0.28, 0.77), box(-0.05, 0.72, 0.05, 1.0)]
    return parts


def boat(rng: np.random.Generator) -> list[Curve]:
    """Make up a rowing boat, sailing boat or ship."""
    wide, low = between(rng, 0.45, 1.1), between(rng, 0.68, 0.8)
    parts = [polygon((-wide, low), (1.1 * wide, low - 0.04), (0.8 * wide, 0.97), (0.0, 1.0), (-0.8 * wide, 0.97))]
    if rng.random() < 0.5:
        parts += limb(((0.0, 0.0), (0.0, low)), (0.035, 0.045))
        parts.append(polygon((0.0, 0.02), (between(rng, 0.3, 0.55), low - 0.06), (0.0, low - 0.03)))
        if rng.random() < 0.7:
            parts.append(polygon((0.0, 0.06), (-between(rng, 0.2, 0.45), low - 0.05), (0.0, low - 0.03)))
    else:
        top = between(rng, 0.3, 0.5)
        parts.append(box(-0.5 * wide, top, between(rng, 0.1, 0.5) * wide, low + 0.05, 0.15))
        parts.append(box(-0.3 * wide, top - between(rng, 0.1, 0.3), -0.1 * wide, low))
    return parts


def ball(rng: np.random.Generator) -> list[Curve]:
    """Make up a ball, balloon, plate or fruit."""
    radius = between(rng, 0.42, 0.5)
    parts = [ellipse((0, 0.5), radius * between(rng, 0.75, 1.3), radius, between(rng, 0, math.pi))]
    if rng.random() < 0.3:
        parts += limb(((0.0, 0.1), (rng.normal(0, 0.08), -0.12)), (0.07, 0.06))
    return parts


def sign(rng: np.random.Generator) -> list[Curve]:
    """Make up a sign, lamp or parking meter on its post."""
    size = between(rng, 0.14, 0.26)
    centre = rng.normal(0, 0.01), size
    corners = int(rng.choice([3, 4, 8, 40]))
    angles = 2 * math.pi * (np.arange(corners) + 0.5) / corners + (math.pi if corners == 3 else 0) + math.pi / 2
    board: Curve = np.stack((size * np.cos(angles), size * np.sin(angles)), axis=1) + centre
    if corners == 4 and rng.random() < 0.6:
        wide = between(rng, 0.15, 0.55)
        board = box(-wide, 0.0, wide, 2 * size, 0.05)
    post = between(rng, 0.04, 0.08)
    return [board, box(-post / 2, size, post / 2, 1.0)]


def seat(rng: np.random.Generator) -> list[Curve]:
    """Make up a bench, chair, sofa or table."""
    wide, height = between(rng, 0.35, 1.1), between(rng, 0.5, 0.62)
    leg = between(rng, 0.05, 0.1)
    parts = [box(-wide, height, wide, height + between(rng, 0.1, 0.3), 0.2)]
    parts += [box(at, height, at + leg, 1.0) for at in (-wide + 0.02, wide - leg - 0.02)]
    if rng.random() < 0.8:
        parts.append(box(-wide, 0.0, wide if rng.random() < 0.7 else -0.7 * wide, height + 0.05, 0.15))
    return parts


def suitcase(rng: np.random.Generator) -> list[Curve]:
    """Make up a suitcase, bin, box or bag with a handle."""
    wide, top = between(rng, 0.25, 0.7), between(rng, 0.12, 0.3)
    lean = between(rng, 0.75, 1.1)
    handle = between(rng, 0.1, 0.7) * wide
    corners = ((-handle, top + 0.05), (-handle, 0.03), (handle, 0.03), (handle, top + 0.05))
    body = smooth if rng.random() < 0.4 else polygon
    return [
        body((-wide * lean, top), (wide * lean, top), (wide, 0.97), (-wide, 0.97)),
        *limb(corners, (0.06, 0.06, 0.06, 0.06)),
    ]


def blob(rng: np.random.Generator) -> list[Curve]:
    """Make up a patch without corners, as somebody rings a thing they want gone."""
    knots = int(rng.integers(5, 11))
    radii = 0.5 * (0.55 + 0.45 * rng.random(knots))
    flat, turn = between(rng, 0.5, 1.0), between(rng, 0, math.pi)
    angles = 2 * math.pi * (np.arange(knots) + 0.5 * rng.random(knots)) / knots
    return moved(
        [_turned(smooth(*zip(radii * np.cos(angles), flat * radii * np.sin(angles), strict=True)), turn)], 0, 0.5
    )


def brushed(rng: np.random.Generator) -> list[Curve]:
    """Make up a patch that was rubbed over to and fro with a thick brush."""
    strokes, wide = int(rng.integers(3, 8)), between(rng, 0.3, 0.9)
    brush, turn = 1.25 / strokes, between(rng, 0, math.pi)
    reach = (
        wide
        * np.sin(math.pi * (np.arange(strokes + 1) + 0.7) / (strokes + 1.4))
        * (0.6 + 0.4 * rng.random(strokes + 1))
    )
    points: list[Point] = []
    for step, far in enumerate(reach):
        points.append((float(far if step % 2 else -far), (step + 0.2 * float(rng.random())) / strokes))
    parts = limb(points, [brush * between(rng, 0.8, 1.2) for _ in points])
    return [_turned(part, turn) for part in parts]


def _turned(curve: Curve, angle: float) -> Curve:
    cosine, sine = math.cos(angle), math.sin(angle)
    return curve @ np.array(((cosine, sine), (-sine, cosine)))
