"""Draw as SVG text, the same for the same input: strokes, marks, words and axes. Knows no measure and no model.

Colours stand in a style inside the drawing, for light and dark, so that it can be shown as a picture anywhere.
"""

import math
import unicodedata
from collections.abc import Iterable, Sequence
from html import escape

LIGHT = ("#0b62a8", "#d95f02", "#04a864", "#90184c", "#a480f4", "#544814", "#c878a4", "#641060")
DARK = ("#5aa9f0", "#ff9d4d", "#bcf8c8", "#e05c4c", "#bc7ca8", "#8cb090", "#60f8f8", "#fcec94")
"""Colours of series on light and on dark ground.

Chosen so that the distance of every two in CIELAB stays above 21 also without one of the three kinds of cones, and the
contrast with the ground above 3.
"""

MARKS = 8
"""Different shapes of marks."""

SHORTEN_AT = 40
"""Longest name that is written out, in characters; the whole is told when one points at it."""

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"

STYLE = "\n".join(
    (
        f".mp-plot {{ font-family: {_FONT}; color-scheme: light dark; }}",
        ".mp-paper { fill: #ffffff; } .mp-ink { fill: #1b1d21; } .mp-faint { fill: #5c616b; }",
        ".mp-rule { stroke: #d5d8de; } .mp-axis { stroke: #1b1d21; } .mp-hollow { fill: #ffffff; }",
        " ".join(f".mp-{number} {{ color: {colour}; }}" for number, colour in enumerate(LIGHT)),
        ".mp-truth { color: #1b1d21; }",
        "@media (prefers-color-scheme: dark) {",
        "  .mp-paper { fill: #16181c; } .mp-ink { fill: #e7e9ed; } .mp-faint { fill: #a2a8b3; }",
        "  .mp-rule { stroke: #383c45; } .mp-axis { stroke: #e7e9ed; } .mp-hollow { fill: #16181c; }",
        "  " + " ".join(f".mp-{number} {{ color: {colour}; }}" for number, colour in enumerate(DARK)),
        "  .mp-truth { color: #e7e9ed; }",
        "}",
    )
)

_UP = ((0.0, -1.15), (1.1, 0.8), (-1.1, 0.8))
_DIAMOND = ((0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0))
_PENTAGON = tuple((1.15 * math.sin(turn * 0.4 * math.pi), -1.15 * math.cos(turn * 0.4 * math.pi)) for turn in range(5))
_STAR = tuple(
    (size * math.sin(turn * 0.2 * math.pi), -size * math.cos(turn * 0.2 * math.pi))
    for turn, size in enumerate((1.5, 0.6) * 5)
)
_CROSS = tuple(
    (x * c - y * c, x * c + y * c)
    for c in (math.sqrt(0.5),)
    for x, y in (
        (-0.4, -1.35), (0.4, -1.35), (0.4, -0.4), (1.35, -0.4), (1.35, 0.4), (0.4, 0.4),
        (0.4, 1.35), (-0.4, 1.35), (-0.4, 0.4), (-1.35, 0.4), (-1.35, -0.4), (-0.4, -0.4),
    )
)  # fmt: skip
_SHAPES = (
    None,  # a circle
    ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    _UP,
    _DIAMOND,
    tuple((x, -y) for x, y in _UP),
    _CROSS,
    _PENTAGON,
    _STAR,
)


def drawing(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """Put a drawing together.

    Args:
        width: Of the drawing, px.
        height: Of the drawing, px.
        title: What it shows, for those who do not see it; plain text.
        parts: What was drawn.
    """
    size = f"{place(width)} {place(height)}"
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="mp-plot" width="{place(width)}" height="{place(height)}" '
            f'viewBox="0 0 {size}" role="img" aria-label="{escape(printable(title))}">',
            f"<style>{STYLE}</style>",
            f'<rect class="mp-paper" width="{place(width)}" height="{place(height)}"/>',
            *parts,
            "</svg>\n",
        )
    )


def stroke(x1: float, y1: float, x2: float, y2: float, *, kind: str = "", width: float = 1.0) -> str:
    """Draw a straight line; without a kind it has the colour of its group."""
    colour = f'class="{kind}"' if kind else 'stroke="currentColor"'
    return (
        f'<line {colour} x1="{place(x1)}" y1="{place(y1)}" x2="{place(x2)}" y2="{place(y2)}" '
        f'stroke-width="{place(width)}"/>'
    )


def path(points: Sequence[tuple[float, float]], *, width: float, dashes: str = "", opacity: float = 1.0) -> str:
    """Draw a line through points in the colour of its group."""
    steps = "".join(f"{'L' if number else 'M'}{place(x)} {place(y)}" for number, (x, y) in enumerate(points))
    look = f' stroke-dasharray="{dashes}"' if dashes else ""
    look += f' stroke-opacity="{place(opacity)}"' if opacity < 1 else ""
    return (
        f'<path d="{steps}" fill="none" stroke="currentColor" stroke-width="{place(width)}" stroke-linejoin="round"'
        f"{look}/>"
    )


def mark(x: float, y: float, shape: int, size: float, *, hollow: bool = False) -> str:
    """Draw one of `MARKS` shapes in the colour of its group.

    Args:
        x: Its middle, px.
        y: Its middle, px.
        shape: Number of the shape, from 0.
        size: About half its width, px.
        hollow: Whether only its outline is drawn.
    """
    fill = 'class="mp-hollow" stroke="currentColor" stroke-width="1.6"' if hollow else 'fill="currentColor"'
    corners = _SHAPES[shape]
    if corners is None:
        return f'<circle {fill} cx="{place(x)}" cy="{place(y)}" r="{place(size)}"/>'
    points = " ".join(f"{place(x + size * dx)},{place(y + size * dy)}" for dx, dy in corners)
    return f'<polygon {fill} points="{points}"/>'


def words(
    x: float,
    y: float,
    text: str,
    *,
    size: float = 12.0,
    anchor: str = "start",
    kind: str = "mp-ink",
    bold: bool = False,
    turned: bool = False,
) -> str:
    """Write a line of plain text, `y` being its base line; `turned` runs upwards."""
    weight = ' font-weight="600"' if bold else ""
    turn = f' transform="rotate(-90 {place(x)} {place(y)})"' if turned else ""
    return (
        f'<text class="{kind}" x="{place(x)}" y="{place(y)}" font-size="{place(size)}" text-anchor="{anchor}"{weight}'
        f"{turn}>{escape(printable(text))}</text>"
    )


def named(kind: str, title: str, parts: Iterable[str]) -> str:
    """Group parts under a colour and a name that is told when one points at them."""
    return f'<g class="{kind}"><title>{escape(printable(title))}</title>{"".join(parts)}</g>'


def shorten(name: str) -> str:
    """Leave out the middle of a long name; names often begin or end alike."""
    name = printable(name)
    return name if len(name) <= SHORTEN_AT else f"{name[: SHORTEN_AT // 2]}…{name[-SHORTEN_AT // 2 + 1 :]}"


def printable(text: str) -> str:
    """Replace what XML does not allow, and line ends, by spaces."""
    return "".join(" " if unicodedata.category(sign) in {"Cc", "Cs", "Zl", "Zp"} else sign for sign in text)


def text_width(text: str, size: float = 12.0) -> float:
    """Estimate, rather too large, how wide a text is, px."""
    return size * sum(_sign_width(sign) for sign in text)


def ticks(low: float, high: float, most: int = 7) -> tuple[float, ...]:
    """Choose round numbers within a range: multiples of 1, 2 or 5 times a power of ten.

    Args:
        low: Lower end.
        high: Upper end, above the lower one.
        most: How many there may be, at least 2.

    Example:
        >>> ticks(0.03, 1.0, 6)
        (0.2, 0.4, 0.6, 0.8, 1.0)
    """
    exponent = math.floor(math.log10((high - low) / most))
    for power in (exponent, exponent + 1):
        for factor in (1, 2, 5):
            first = math.ceil(_units(low, factor, power) - 1e-9)
            last = math.floor(_units(high, factor, power) + 1e-9)
            if last - first < most:
                return tuple(float(f"{number * factor}e{power}") for number in range(first, last + 1))
    raise AssertionError("five times a tenth of the range per tick is always enough")


def decimals(values: Sequence[float]) -> int:
    """Give how many decimals evenly spaced numbers need to be told apart."""
    step = abs(values[1] - values[0]) if len(values) > 1 else abs(values[0]) if values else 1.0
    return max(0, -math.floor(math.log10(step) + 1e-9)) if step else 0


def place(value: float) -> str:
    """Write a length or position, px."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _units(value: float, factor: int, power: int) -> float:
    """Divide by ``factor * 10 ** power``."""
    return value / factor * 10.0**-power


def _sign_width(sign: str) -> float:
    """Give a sign's share of the text size in a wide font."""
    if unicodedata.east_asian_width(sign) in "WF":
        return 1.0
    return 0.95 if sign in "mwMW%@—…×" else 0.74 if sign.isupper() else 0.4 if sign in "ijlftr.,:;|!' ()[]-" else 0.64
