"""Text by rules: flat pieces with thin strokes that stand in a line with pieces like them.

Printed or overlaid text has one colour, strokes of one thickness, and letters of about one height next to each other.
Knows no alphabet. A shop sign is text as well as a caption is; a fence of pickets may be.
"""

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mendpix.checkpoints import checkpoint
from mendpix.inference.windows import Box
from mendpix.restoration.stray_pixels import is_grey
from mendpix.types import FloatArray, Image, Map

GROUND_PX = 41
"""Side of the square whose median is taken for what lies behind a letter, px: over twice the thickest stroke."""

STEPS = (0.08, 0.16, 0.32)
"""Differences to it at which pieces are cut out, of 1 = from black to white; the plainest cut of a letter counts."""

RIM_PX = 3
"""How far around a piece is looked at, px."""

LEAST_HEIGHT_PX = 7
"""Smallest letter, px."""

MOST_HEIGHT = 0.25
"""Largest letter, as a share of the picture's shorter side."""

CONTRAST = 0.2
"""How much letters differ from what is around them, of 1 = from black to white, at the default sensitivity."""

FLAT = 0.03
"""How much the colour of a letter may vary (standard deviation of its inside), of 1."""

SAME_COLOUR = 0.06
"""How much the colours of two letters of a line may differ, of 1."""

STROKE = 0.45
"""Thickest stroke, as a share of the letter's height."""

ENOUGH_LETTERS = 6
"""Letters from which their number casts no doubt on a line."""

ONE_COLOUR, ONE_HEIGHT = 0.04, 0.4
"""Spread of a line's colours (of 1), and of its heights (of their mean), that halves what speaks for it."""

GAP = 1.2
"""Widest gap between two letters of a line, as a share of a letter's height."""

LEAST_LETTERS = 4
"""Letters in a line, at least."""

STEEPNESS = 3.0
"""How fast evidence grows with the contrast: power of the odds."""


@dataclass(frozen=True, eq=False)
class Letter:
    """A piece that may be a letter."""

    piece: NDArray[np.uint8]
    """1 = letter, shape (height, width)."""
    box: Box
    """Where it stands."""
    stroke: float
    """Thickest stroke, px."""
    colour: FloatArray
    """Mean RGB, shape (3,)."""
    contrast: float
    """Difference to what is around it, with the sign: light letters have a positive one."""

    @property
    def height(self) -> int:
        """Rows, px."""
        return self.box.bottom - self.box.top

    @property
    def width(self) -> int:
        """Columns, px."""
        return self.box.right - self.box.left

    @property
    def middle(self) -> tuple[float, float]:
        """Column and row of its middle."""
        return (self.box.left + self.box.right) / 2, (self.box.top + self.box.bottom) / 2


def text_map(image: Image) -> Map:
    """Tell how much speaks for a letter at each pixel.

    Args:
        image: RGB in [0, 1], shape (H, W, 3).

    Returns:
        In [0, 1], 0.5 = letters of just enough contrast; float32, shape (H, W).
    """
    found = np.zeros(image.shape[:2], np.float32)
    if min(found.shape) < 2 * LEAST_HEIGHT_PX:
        return found
    for line in _lines(_letters(image)):
        contrast = float(np.median([abs(letter.contrast) for letter in line]))
        plain = contrast * min(len(line) / ENOUGH_LETTERS, 1) * _alike(line)
        power = plain**STEEPNESS
        evidence = power / (power + CONTRAST**STEEPNESS)
        for letter in line:
            part = found[letter.box.slices]
            np.maximum(part, np.float32(evidence) * letter.piece, out=part)
    # Letters end softly, and often in a rim: what is right beside them belongs to them.
    return np.asarray(cv2.dilate(found, np.ones((3, 3), np.uint8)), np.float32)


def _letters(image: Image) -> list[Letter]:
    """Find pieces that look like letters by themselves, light and dark ones, in each channel."""
    height, width = image.shape[:2]
    tallest = MOST_HEIGHT * min(height, width)
    letters: list[Letter] = []
    for channel in range(1 if is_grey(image) else 3):
        plane = np.ascontiguousarray(image[..., channel])
        levels = np.rint(plane * 255).astype(np.uint8)
        ground = cv2.medianBlur(levels, min(GROUND_PX, (min(height, width) - 1) | 1)).astype(np.int16)
        above = levels.astype(np.int16) - ground
        for sign, step in itertools.product((1, -1), STEPS):
            checkpoint()
            _, labels, stats, _ = cv2.connectedComponentsWithStats((sign * above > 255 * step).astype(np.uint8))
            left, top, across, down, area = stats.T
            fits = (left > 0) & (top > 0) & (left + across < width) & (top + down < height)
            fits &= (down >= LEAST_HEIGHT_PX) & (down <= tallest) & (across > 0.05 * down) & (across < 4 * down)
            fits &= (area > 0.12 * across * down) & (area < 0.95 * across * down)
            for label in np.flatnonzero(fits[1:]) + 1:
                checkpoint()
                x, y, w, h = (int(value) for value in stats[label, :4])
                piece = (labels[y : y + h, x : x + w] == label).astype(np.uint8)
                letter = _letter(image, plane, piece, Box(y, x, y + h, x + w))
                if letter is not None:
                    letters.append(letter)
    return _distinct(letters)


def _letter(image: Image, plane: FloatArray, piece: NDArray[np.uint8], box: Box) -> Letter | None:
    """Look at a piece closely: one colour, thin strokes, a plain difference to what is around it."""
    framed = np.pad(piece, RIM_PX)
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, 3)
    stroke = 2 * float(depth.max()) - 1
    if stroke > STROKE * max(piece.shape):
        return None
    height, width = plane.shape
    cut = (
        slice(max(RIM_PX - box.top, 0), RIM_PX + min(height - box.top, piece.shape[0] + RIM_PX)),
        slice(max(RIM_PX - box.left, 0), RIM_PX + min(width - box.left, piece.shape[1] + RIM_PX)),
    )
    window = (
        slice(max(box.top - RIM_PX, 0), box.bottom + RIM_PX),
        slice(max(box.left - RIM_PX, 0), box.right + RIM_PX),
    )
    framed, depth = framed[cut], depth[cut]
    inside = depth >= min(1.5, float(depth.max()))
    around = (np.asarray(cv2.dilate(framed, np.ones((5, 5), np.uint8))) > 0) & (
        np.asarray(cv2.dilate(framed, np.ones((3, 3), np.uint8))) == 0
    )
    if not around.any():
        return None
    colours = image[window][inside]
    contrast = float(np.median(plane[window][inside]) - np.median(plane[window][around]))
    if float(colours.std(axis=0).max()) > FLAT or abs(contrast) < CONTRAST / 4:
        return None
    return Letter(piece, box, stroke, colours.mean(axis=0), contrast)


def _distinct(letters: list[Letter]) -> list[Letter]:
    """Of regions that lie in each other at one place, keep the one with the plainest contrast."""
    kept: list[Letter] = []
    taken: dict[tuple[int, int], list[Letter]] = {}
    for letter in sorted(letters, key=lambda each: -abs(each.contrast)):
        x, y = letter.middle
        cell = int(x) // 8, int(y) // 8
        near = [each for dx in (-1, 0, 1) for dy in (-1, 0, 1) for each in taken.get((cell[0] + dx, cell[1] + dy), [])]
        if not any(
            abs(each.middle[0] - x) < 0.3 * max(each.width, 4)
            and abs(each.middle[1] - y) < 0.3 * each.height
            and (each.contrast > 0) == (letter.contrast > 0)
            for each in near
        ):
            kept.append(letter)
            taken.setdefault(cell, []).append(letter)
    return kept


def _lines(letters: list[Letter]) -> list[list[Letter]]:
    """Join letters to lines: neighbours of like height, stroke and colour; lines that are too short are left out."""
    if len(letters) < LEAST_LETTERS:
        return []
    number = np.arange(len(letters))
    order = sorted(range(len(letters)), key=lambda each: letters[each].box.left)

    def root(each: int) -> int:
        while number[each] != each:
            number[each] = number[number[each]]
            each = int(number[each])
        return each

    for place, one in enumerate(order):
        checkpoint()
        first = letters[one]
        for other in order[place + 1 :]:
            second = letters[other]
            if second.box.left > first.box.right + GAP * first.height:
                break
            if _belong(first, second):
                number[root(one)] = root(other)
    lines: dict[int, list[Letter]] = {}
    for each, letter in enumerate(letters):
        lines.setdefault(root(each), []).append(letter)
    return [line for line in lines.values() if len(line) >= LEAST_LETTERS and _straight(line)]


def _belong(first: Letter, second: Letter) -> bool:
    """True if two pieces may be letters of one line."""
    tall, small = max(first.height, second.height), min(first.height, second.height)
    apart = abs(first.middle[1] - second.middle[1])
    beside = second.middle[0] - first.middle[0] > 0.3 * min(first.width, second.width)
    return (
        (first.contrast > 0) == (second.contrast > 0)
        and beside
        and tall < 2.2 * small
        and apart < 0.5 * tall
        and max(first.stroke, second.stroke) < 2 * min(first.stroke, second.stroke)
        and float(np.abs(first.colour - second.colour).max()) < SAME_COLOUR
    )


def _alike(line: list[Letter]) -> float:
    """Rate how much the letters of a line are of one colour and height: 1 = quite, towards 0 = hardly."""
    colours = np.stack([letter.colour for letter in line])
    heights = np.array([letter.height for letter in line], float)
    unlike = float(colours.std(axis=0).max()) / ONE_COLOUR, float(heights.std() / heights.mean()) / ONE_HEIGHT
    return 1 / (1 + unlike[0] ** 2 + unlike[1] ** 2)


def _straight(line: list[Letter]) -> bool:
    """True if the letters' feet or heads stand on one line, whatever its slope."""
    x = np.array([letter.middle[0] for letter in line])
    if np.ptp(x) < 1:
        return False
    middle = float(np.median([letter.height for letter in line]))
    for ends in ([letter.box.bottom for letter in line], [letter.box.top for letter in line]):
        y = np.array(ends, float)
        slope, start = np.polyfit(x, y, 1)
        if np.median(np.abs(y - slope * x - start)) < 0.15 * middle:
            return True
    return False
