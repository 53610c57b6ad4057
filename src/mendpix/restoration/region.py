"""The part of a picture that may be mended, as a user gives it. Knows no damage."""

import re
from collections.abc import Sequence
from fractions import Fraction
from numbers import Integral

import numpy as np

from mendpix.errors import InputError
from mendpix.inference.windows import Box

Region = Sequence[int | str]
"""X, Y, width and height: each a whole number of pixels, or a share such as `80%` of the picture's width or height."""

FORM = "four numbers X, Y, WIDTH, HEIGHT, each in pixels or with a % of the picture's width or height"


def read_region(region: Region | None, size: tuple[int, int]) -> Box:
    """Bring a region to pixels.

    Args:
        region: Where damage may be mended; None = everywhere.
        size: Height and width of the upright picture, px.

    Raises:
        InputError: If it is no region, does not lie in the picture, or has no pixel in it.

    Example:
        >>> read_region((0, "75%", "100%", 20), (80, 200))
        Box(top=60, left=0, bottom=80, right=200)
    """
    height, width = size
    if region is None:
        return Box(0, 0, height, width)
    listed = isinstance(region, Sequence | np.ndarray)  # pyright: ignore[reportUnnecessaryIsInstance]  # not for everybody
    if not listed or isinstance(region, str | bytes) or len(region) != 4:
        raise InputError(f"a region must be {FORM}; got {region!r}.")
    sides = (width, height, width, height)
    x, y, across, down = (_pixels(value, side, region) for value, side in zip(region, sides, strict=True))
    # Borders are rounded, not lengths: the halves of a picture of odd width meet, and end where it ends.
    box = Box(round(y), round(x), round(y + down), round(x + across))
    where = f"{_number(across)} × {_number(down)} px at {_number(x)}, {_number(y)}"
    if x < 0 or y < 0 or x + across > width or y + down > height:
        raise InputError(
            f"a region must lie in its picture, which is {width} × {height} px; got {where}. "
            "Count X from the left and Y from the top of the upright picture."
        )
    if box.right <= box.left or box.bottom <= box.top:
        raise InputError(f"a region must have a pixel in it at least; got {where}. Give a larger width and height.")
    return box


def _pixels(value: object, side: int, region: Sequence[object]) -> Fraction:
    """Bring a number of pixels, or a share of a side (px), to pixels, exactly."""
    if isinstance(value, Integral) and value is not True and value is not False:
        return Fraction(int(value))
    if isinstance(value, str):
        if re.fullmatch(r"-?\d{1,9}", value.strip()):
            return Fraction(int(value))
        if re.fullmatch(r"\d{1,3}(\.\d{1,6})?%", value.strip()):
            return Fraction(value.strip()[:-1]) / 100 * side
    raise InputError(f"a region must be {FORM}; got {value!r} in {','.join(map(str, region))}.")


def _number(length_px: Fraction) -> str:
    """Write a length for people."""
    return f"{float(length_px):.1f}".removesuffix(".0")
