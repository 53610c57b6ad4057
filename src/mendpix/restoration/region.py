"""The part of a picture that may be mended, as a user gives it. Knows no damage."""

import re
from collections.abc import Sequence
from numbers import Integral

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
        InputError: If it is no region, or does not lie in the picture.

    Example:
        >>> read_region((0, "75%", "100%", 20), (80, 200))
        Box(top=60, left=0, bottom=80, right=200)
    """
    height, width = size
    if region is None:
        return Box(0, 0, height, width)
    if isinstance(region, str) or len(region) != 4:
        raise InputError(f"a region must be {FORM}; got {region!r}.")
    sides = (width, height, width, height)
    x, y, across, down = (_pixels(value, side, region) for value, side in zip(region, sides, strict=True))
    if x < 0 or y < 0 or across < 1 or down < 1 or x + across > width or y + down > height:
        raise InputError(
            f"a region must lie in its picture, which is {width} × {height} px; got {across} × {down} px at {x}, {y}. "
            "Count X from the left and Y from the top of the upright picture."
        )
    return Box(y, x, y + down, x + across)


def _pixels(value: object, side: int, region: Region) -> int:
    if isinstance(value, Integral) and value is not True and value is not False:
        return int(value)
    if isinstance(value, str):
        if re.fullmatch(r"-?\d{1,9}", value.strip()):
            return int(value)
        if re.fullmatch(r"\d{1,3}(\.\d{1,6})?%", value.strip()):
            return round(float(value.strip()[:-1]) / 100 * side)
    raise InputError(f"a region must be {FORM}; got {value!r} in {','.join(map(str, region))}.")
