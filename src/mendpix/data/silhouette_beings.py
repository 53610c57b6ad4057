"""Make up outlines of people and animals: proportions, pose and what they carry are random; no picture is traced.

Every function takes a random generator and returns closed curves whose union is one figure: the top near 0, the ground
near 1. Knows nothing of sizes, shares, borders or pixels: `silhouettes` scales, turns, places and draws.
"""

import math

import numpy as np

from mendpix.data.silhouette_curves import Curve, Point, between, box, ellipse, limb, moved, polygon, reach_from, smooth


def upper_body(rng: np.random.Generator, hip: Point, lean: float) -> list[Curve]:
    """Give trunk, head and arms above a hip; the trunk is 0.34 long."""
    shoulder = hip[0] - 0.34 * math.sin(lean), hip[1] - 0.34 * math.cos(lean)
    broad, waist = between(rng, 0.17, 0.27), between(rng, 0.15, 0.25)
    top = shoulder[1] - 0.005
    parts = [
        smooth(
            (shoulder[0] - broad / 2, top + 0.03),
            (shoulder[0], top - 0.015),
            (shoulder[0] + broad / 2, top + 0.03),
            (hip[0] + waist / 2, hip[1] - 0.06),
            (hip[0] + waist / 2, hip[1] + 0.03),
            (hip[0] - waist / 2, hip[1] + 0.03),
            (hip[0] - waist / 2, hip[1] - 0.06),
        )
    ]
    head = shoulder[0] - 0.4 * math.sin(lean) * 0.1 + between(rng, -0.012, 0.012), shoulder[1] - 0.095
    parts += limb((shoulder, head), (0.075, 0.07))
    parts.append(ellipse(head, between(rng, 0.048, 0.06), between(rng, 0.062, 0.075), between(rng, -0.2, 0.2)))
    if rng.random() < 0.3:  # long hair or a hood
        parts.append(ellipse((head[0], head[1] + 0.03), 0.068, 0.09))
    if rng.random() < 0.2:  # hat
        brim = between(rng, 0.06, 0.11)
        parts += [
            box(head[0] - brim, head[1] - 0.05, head[0] + brim, head[1] - 0.03),
            ellipse((head[0], head[1] - 0.055), 0.055, 0.04),
        ]
    for side in (-1, 1):
        start = shoulder[0] + side * (broad / 2 - 0.03), shoulder[1] + 0.03
        raised = rng.random() < 0.1
        swing = side * (between(rng, 1.7, 2.8) if raised else abs(rng.normal(0.2, 0.25)))
        elbow = reach_from(start, 0.165, swing)
        hand = reach_from(elbow, 0.16, swing + rng.normal(0, 0.5) - side * 0.2)
        parts += limb((start, elbow, hand), (0.075, 0.06, 0.05))
        if rng.random() < 0.12:  # something carried
            parts.append(box(hand[0] - 0.06, hand[1], hand[0] + 0.06, hand[1] + between(rng, 0.1, 0.2)))
    if rng.random() < 0.15:  # backpack
        side = 1 if rng.random() < 0.5 else -1
        parts.append(ellipse((shoulder[0] + side * 0.13, shoulder[1] + 0.13), 0.08, 0.13))
    return parts


def _legs(rng: np.random.Generator, hip: Point, spread: float) -> list[Curve]:
    """Give two legs of 0.47 below a hip, apart by an angle; sometimes a skirt or coat."""
    parts: list[Curve] = []
    facing = 1 if rng.random() < 0.5 else -1
    for side in (-1, 1):
        start = hip[0] + side * 0.045, hip[1] + 0.01
        angle = side * (0.03 + spread) + rng.normal(0, 0.03)
        knee = reach_from(start, 0.235, angle)
        foot = reach_from(knee, 0.225, angle - facing * abs(rng.normal(0, 0.5 * spread)))
        parts += limb((start, knee, foot), (0.115, 0.085, 0.06))
        parts += limb((foot, (foot[0] + facing * 0.055, foot[1] + 0.012)), (0.055, 0.05))
    if rng.random() < 0.3:
        length, wide = between(rng, 0.12, 0.42), between(rng, 0.12, 0.2)
        parts.append(
            polygon(
                (hip[0] - 0.08, hip[1] - 0.08),
                (hip[0] + 0.08, hip[1] - 0.08),
                (hip[0] + wide, hip[1] + length),
                (hip[0] - wide, hip[1] + length),
            )
        )
    return parts


def standing(rng: np.random.Generator) -> list[Curve]:
    """Make up a person who stands."""
    hip = 0.0, 0.5
    return upper_body(rng, hip, rng.normal(0, 0.05)) + _legs(rng, hip, abs(rng.normal(0, 0.06)))


def walking(rng: np.random.Generator) -> list[Curve]:
    """Make up a person in mid-step, or running."""
    hip = 0.0, 0.5
    return upper_body(rng, hip, rng.normal(0, 0.15)) + _legs(rng, hip, between(rng, 0.15, 0.5))


def sitting(rng: np.random.Generator) -> list[Curve]:
    """Make up a person who sits, seen from the side or from the front, with or without a chair."""
    hip = 0.0, 0.55
    parts = upper_body(rng, hip, rng.normal(0, 0.12))
    reach = between(rng, 0.06, 0.25)
    for side in (-1, 1):
        start = hip[0] + side * 0.04, hip[1]
        knee = hip[0] + reach + side * 0.05, hip[1] + between(rng, -0.03, 0.06)
        foot = reach_from(knee, 0.24, rng.normal(0, 0.2))
        parts += limb((start, knee, foot, (foot[0] + 0.06, foot[1] + 0.01)), (0.13, 0.1, 0.065, 0.05))
    if rng.random() < 0.5:
        back = between(rng, 0.08, 0.14)
        parts += [box(-back - 0.03, between(rng, 0.3, 0.5), -back + 0.03, 0.85), box(-back, 0.56, 0.15, 0.63)]
        parts.append(box(0.1, 0.6, 0.15, 0.85))
    return parts


def bust(rng: np.random.Generator) -> list[Curve]:
    """Make up a person from the chest up."""
    head, wide = between(rng, 0.2, 0.25), between(rng, 0.36, 0.5)
    parts = [ellipse((0, 0.3), head, 0.29, rng.normal(0, 0.1)), box(-0.12, 0.45, 0.12, 0.7)]
    parts.append(smooth((-0.14, 0.6), (0.14, 0.6), (wide, 0.74), (1.05 * wide, 1), (-1.05 * wide, 1), (-wide, 0.74)))
    if rng.random() < 0.4:
        parts.append(
            smooth((-head - 0.05, 0.2), (0, -0.03), (head + 0.05, 0.2), (head + 0.08, 0.62), (-head - 0.08, 0.6))
        )
    return parts


def two_people(rng: np.random.Generator) -> list[Curve]:
    """Make up two people close together, perhaps a grown-up and a child."""
    poses = (standing, standing, walking, sitting)
    first, second = (poses[int(rng.integers(len(poses)))](rng) for _ in range(2))
    small = between(rng, 0.55, 1.0)
    return first + moved(second, between(rng, 0.15, 0.22) + 0.06 * small, 1 - small, small, rng.random() < 0.5)


def four_legged(rng: np.random.Generator) -> list[Curve]:
    """Make up a dog, cat, sheep, cow, horse, deer, ..., seen from the side."""
    legs, neck, thick = between(rng, 0.22, 0.5), between(rng, 0.06, 0.32), between(rng, 0.26, 0.4)
    long, head = between(rng, 0.6, 0.95), between(rng, 0.16, 0.26)
    back, belly = 1 - legs - thick, 1 - legs
    sag = rng.normal(0, 0.02)
    parts = [
        smooth(
            (0.02, back + 0.06),
            (0.2 * long, back),
            (0.6 * long, back + sag + 0.02),
            (0.95 * long, back),
            (1.02 * long, back + 0.5 * thick),
            (0.9 * long, belly + 0.02),
            (0.5 * long, belly - 0.02),
            (0.12 * long, belly + 0.01),
            (-0.02, back + 0.5 * thick),
        )
    ]
    for at in (0.1, 0.2, 0.82, 0.94):
        start, angle = (at * long, belly - 0.06), rng.normal(0, 0.18)
        knee = reach_from(start, 0.06 + 0.5 * legs, angle)
        foot = knee[0] + 0.5 * legs * math.sin(rng.normal(0, 0.12)), 1.0
        parts += limb((start, knee, foot), (0.12, 0.07, 0.055))
    tilt = between(rng, 0.4, 1.3)  # of the neck, from upright
    start = 0.95 * long, back + 0.09
    end = start[0] + (neck + 0.06) * math.sin(tilt), start[1] - (neck + 0.06) * math.cos(tilt)
    parts += limb((start, end), (0.2 + 0.1 * neck, 0.13))
    nod = between(rng, -0.2, 0.7)
    nose = end[0] + head * math.cos(nod), end[1] + head * math.sin(nod)
    parts += limb((end, nose), (0.16, between(rng, 0.06, 0.1)))
    for offset in (-0.03, 0.03):  # ears
        tip = end[0] + offset - 0.02, end[1] - between(rng, 0.1, 0.16)
        parts += limb(((end[0] + offset, end[1] - 0.04), tip), (0.06, 0.03))
    wag = between(rng, -1.2, 2.2)
    middle = reach_from((0.02, back + 0.08), 0.14, -wag)
    parts += limb(
        ((0.02, back + 0.08), middle, reach_from(middle, 0.14, -wag + rng.normal(0, 0.5))), (0.07, 0.05, 0.04)
    )
    return parts


def sitting_animal(rng: np.random.Generator) -> list[Curve]:
    """Make up a cat or dog that sits, seen from the front or from the side."""
    broad = between(rng, 0.2, 0.3)
    parts = [smooth((-broad, 0.98), (-broad, 0.75), (-0.13, 0.4), (0.13, 0.4), (broad, 0.75), (broad, 0.98))]
    head = rng.normal(0, 0.05), 0.24
    parts.append(ellipse(head, between(rng, 0.15, 0.19), between(rng, 0.14, 0.18)))
    parts += limb((head, (0.0, 0.5)), (0.2, 0.26))
    high = between(rng, 0.1, 0.2)
    for side in (-1, 1):
        start = head[0] + side * 0.1, head[1] - 0.07
        parts += limb((start, (start[0] + side * 0.03, start[1] - high)), (0.1, 0.035))
    tail = reach_from((broad - 0.03, 0.93), 0.25, between(rng, 1.2, 2.4))
    return parts + limb(((broad - 0.03, 0.93), tail), (0.07, 0.05))


def bird(rng: np.random.Generator) -> list[Curve]:
    """Make up a bird that stands or flies."""
    slim = between(rng, 0.17, 0.26)
    tilt = between(rng, -0.6, 0.0)
    parts = [ellipse((0, 0.5), 0.38, slim, tilt)]
    head = 0.34 * math.cos(tilt), 0.5 + 0.34 * math.sin(tilt) - between(rng, 0.1, 0.25)
    parts += limb(((0.22 * math.cos(tilt), 0.5 + 0.22 * math.sin(tilt)), head), (0.24, 0.17))
    parts.append(ellipse(head, 0.11, 0.1))
    parts.append(
        polygon(
            (head[0], head[1] - 0.05), (head[0] + between(rng, 0.17, 0.3), head[1] + 0.03), (head[0], head[1] + 0.06)
        )
    )
    rear = -0.3 * math.cos(tilt), 0.5 - 0.3 * math.sin(tilt)
    parts += limb((rear, (rear[0] - between(rng, 0.2, 0.4), rear[1] + between(rng, -0.05, 0.15))), (0.2, 0.12))
    if rng.random() < 0.4:
        for side in (-1, 1):
            lift = between(rng, 0.35, 0.7)
            parts.append(
                smooth((0.16, 0.45), (0.1 + 0.3 * side, 0.45 - lift), (0.25 * side - 0.15, 0.42 - lift), (-0.2, 0.5))
            )
    else:
        parts += limb(((-0.02, 0.6), (0.0, 1.0)), (0.08, 0.05)) + limb(((0.06, 0.6), (0.1, 1.0)), (0.08, 0.05))
    return parts
