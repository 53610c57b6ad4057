"""What a figure consists of: cells in rows, a table, words. Knows no model and no file; sheet and page draw it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mendpix.artifacts.maps import HEAT, HEAT_AT
from mendpix.composite import composite
from mendpix.errors import InputError
from mendpix.types import Image, Map, Mask

Pixels = NDArray[np.uint8]
"""Picture ready to be shown, shape (H, W, 3), RGB."""

Box = tuple[int, int, int]
"""A square: first row, first column, side, px."""

RED = (220, 20, 30)
WHITE = (255, 255, 255)

HEAT_COVER = 0.6
"""Share of the heat colour in an overlay, whatever the probability: the blue of "looks real" shows as well."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One picture of a figure."""

    pixels: Pixels = field(repr=False)
    """What is shown; one that is smaller than its place is magnified."""
    alt: str
    """What there is to see, for those who cannot."""
    notes: tuple[str, ...] = ()
    """Short lines that stand below, the most important first."""


@dataclass(frozen=True, eq=False)
class Row:
    """One pair of picture and mask: one or more cells under each column."""

    caption: str
    """Names of the picture and of the mask."""
    strips: tuple[tuple[Cell, ...], ...]
    """From top to bottom; each strip has a cell for every column."""


@dataclass(frozen=True)
class Table:
    """Numbers over all pairs."""

    head: tuple[str, ...]
    """Titles of the columns; the first says what the numbers are over."""
    lines: tuple[tuple[str, ...], ...]
    """One name and its numbers each, as printed."""


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure, ready to be drawn."""

    number: int
    """Its number in the paper."""
    title: str
    """What it shows, in a few words."""
    columns: tuple[str, ...]
    """Titles of the columns."""
    rows: tuple[Row, ...]
    """At least one."""
    table: Table
    """Means over all pairs, those that are not shown included."""
    caption: str
    """How to read it."""
    made: tuple[str, ...]
    """How it was made, a sentence each."""
    has_heat: bool = False
    """Whether it needs the bar that says what the heat colours mean."""

    def __post_init__(self) -> None:
        """Check that every strip fits the columns.

        Raises:
            InputError: If one does not, or there is no row.
        """
        lengths = {len(strip) for row in self.rows for strip in row.strips}
        if lengths != {len(self.columns)}:
            raise InputError(f"every strip must have {len(self.columns)} cells, one for each column; got {lengths}.")


def to_pixels(image: Image) -> Pixels:
    """Round a picture in [0, 1] to 8 bits; values outside are clipped."""
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def round_to_file(image: Image) -> Image:
    """Round a picture to 8 bits, as a file would hold it; float32 in [0, 1] again."""
    return to_pixels(image).astype(np.float32) / np.float32(255)


def mend(target: Image, prediction: Image, hole: Mask) -> Image:
    """Paste a prediction into its hole and round to 8 bits; float32 in [0, 1]."""
    return round_to_file(composite(target, prediction, hole))


def punch(target: Image, hole: Mask) -> Pixels:
    """Show the masked input: the hole in white, as in the paper."""
    return to_pixels(np.where(hole[..., None] > 0, np.float32(1), target))


def heat(values: Map) -> Image:
    """Colour a map from blue (0) by cyan and yellow to red (1); float32, shape (H, W, 3)."""
    channels = [np.interp(values, HEAT_AT, [colour[channel] for colour in HEAT]) for channel in range(3)]
    return np.stack(channels, axis=2).astype(np.float32)


def heat_overlay(image: Image, values: Map) -> Pixels:
    """Lay a map's heat colours over the picture that it was made from, in grey: its own colours would mix with them."""
    grey = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    return to_pixels((grey + HEAT_COVER * (heat(values) - grey)).astype(np.float32))


def hottest_square(values: Map, side: int) -> Box:
    """Find the square with the highest mean of a map; the first of several alike, row by row.

    Args:
        values: Finite, at least 0, shape (H, W).
        side: Side of the square, px; a smaller map is taken whole along that side.

    Returns:
        The square, inside the map.
    """
    side = min(side, *values.shape)
    total = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    total[1:, 1:] = values.astype(np.float64).cumsum(axis=0).cumsum(axis=1)
    sums = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    # Rounding must not choose between squares that are alike.
    row, column = np.unravel_index(int(np.argmax(sums >= sums.max() * (1 - 1e-9))), sums.shape)
    return int(row), int(column), side


def cut(pixels: Pixels, box: Box) -> Pixels:
    """Cut a square out; a new array."""
    top, left, side = box
    return pixels[top : top + side, left : left + side].copy()


def frame(pixels: Pixels, box: Box) -> Pixels:
    """Draw a red rectangle with a white line around it, so that it shows on red as well; a new array."""
    framed = pixels.copy()
    top, left, side = box
    for outset, colour in ((2, WHITE), (1, RED), (0, RED)):
        rows = slice(max(top - outset, 0), top + side + outset)
        columns = slice(max(left - outset, 0), left + side + outset)
        inside = framed[rows, columns]
        inside[[0, -1]] = colour
        inside[:, [0, -1]] = colour
    return framed
