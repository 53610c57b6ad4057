"""Draw the differences that decide the verdicts of `paper_tables.py`. Knows Pillow; computes no statistics."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from mendpix.atomic_files import atomic_write
from paper_statistics import FAILS, HOLDS, METRICS, NOISE, REVERSED, UNKNOWN, Estimate, Finding

SCALE = 2
"""Pixels per unit of length: drawn large, so that it is sharp on fine screens."""

WIDTH, LEFT, RIGHT = 900, 250, 150
"""Of the plot, and of the columns beside the axis: names to the left, verdicts to the right."""

LINE, HEAD, GAP = 26, 46, 18
"""Heights of a difference, of a metric's heading, and of the space below."""

LACKING = {"≥": ">=", "×": "x"}
"""Signs that Pillow's own font lacks, and what is written instead."""

COLOURS = {HOLDS: "#0b5fa5", REVERSED: "#c8441b", FAILS: "#444444", NOISE: "#8a8a8a"}
INK, PALE, BAND = "#222222", "#bbbbbb", "#e4e4e4"


@dataclass(frozen=True)
class Axis:
    """Places differences of one metric on the plot."""

    most: float
    """Largest distance from zero that is shown."""

    def place(self, value: float) -> float:
        """Return where a value lies, in units from the left."""
        middle = (LEFT + WIDTH - RIGHT) / 2
        return middle + value / self.most * (WIDTH - RIGHT - LEFT) / 2


def draw_findings(findings: Sequence[Finding], path: Path, title: str) -> None:
    """Draw a panel per metric: dots with intervals, the seed noise as a grey band around zero.

    Args:
        findings: What to draw; those without a verdict are left out.
        path: PNG file.
        title: Heading of the plot.

    Raises:
        OutputError: If the file cannot be written.
    """
    judged = [finding for finding in findings if finding.verdict() != UNKNOWN]
    panels = {metric: [each for each in judged if each.metric == metric] for metric in METRICS}
    panels = {metric: kept for metric, kept in panels.items() if kept}
    height = HEAD + sum(HEAD + LINE * len(kept) + GAP for kept in panels.values()) + GAP
    canvas = Image.new("RGB", (WIDTH * SCALE, height * SCALE), "white")
    draw = ImageDraw.Draw(canvas)
    _write(draw, (GAP, HEAD / 2), title, size=17)
    top = HEAD
    for metric, kept in panels.items():
        _draw_panel(draw, top, metric, kept)
        top += HEAD + LINE * len(kept) + GAP
    if not panels:
        _write(draw, (GAP, HEAD), "no verdicts: too little was measured", colour=COLOURS[NOISE])
    with atomic_write(path) as temporary:
        canvas.save(temporary, "PNG", optimize=True)


def _draw_panel(draw: ImageDraw.ImageDraw, top: float, metric: str, findings: Sequence[Finding]) -> None:
    drawn = [(finding, finding.difference["all"]) for finding in findings]
    noise = findings[0].noise
    band = 0.0 if noise is None else noise["all"].farthest
    most = 1.1 * max(band, *(difference.farthest for _, difference in drawn))
    axis = Axis(most or 1.0)
    bottom = top + HEAD + LINE * len(findings)
    digits = METRICS[metric].digits
    _write(draw, (GAP, top + HEAD - 14), METRICS[metric].title, size=14)
    _box(draw, (axis.place(-band), top + HEAD, axis.place(band), bottom), BAND)
    for value in (-axis.most / 1.1, 0.0, axis.most / 1.1):
        where = axis.place(value)
        _stroke(draw, (where, top + HEAD - 4, where, bottom), INK if value == 0 else PALE, 1)
        _write(draw, (where, top + HEAD - 14), f"{value:+.{digits}f}" if value else "0", anchor="mm", size=11)
    for number, (finding, difference) in enumerate(drawn):
        _draw_line(draw, top + HEAD + LINE * (number + 0.5), axis, finding, difference)


def _draw_line(draw: ImageDraw.ImageDraw, middle: float, axis: Axis, finding: Finding, difference: Estimate) -> None:
    colour = COLOURS[finding.verdict()]
    _write(draw, (GAP, middle), finding.claim.words)
    _stroke(draw, (axis.place(difference.low), middle, axis.place(difference.high), middle), colour, 2)
    for end in (difference.low, difference.high):
        _stroke(draw, (axis.place(end), middle - 5, axis.place(end), middle + 5), colour, 2)
    where = axis.place(difference.mean)
    draw.ellipse([SCALE * side for side in (where - 4, middle - 4, where + 4, middle + 4)], fill=colour)
    _write(draw, (WIDTH - RIGHT + GAP, middle), finding.verdict(), colour=colour)


def _write(
    draw: ImageDraw.ImageDraw,
    where: tuple[float, float],
    text: str,
    *,
    size: float = 13,
    anchor: str = "lm",
    colour: str = INK,
) -> None:
    for sign, plain in LACKING.items():
        text = text.replace(sign, plain)
    font = ImageFont.load_default(size * SCALE)
    draw.text((where[0] * SCALE, where[1] * SCALE), text, fill=colour, font=font, anchor=anchor)


def _box(draw: ImageDraw.ImageDraw, sides: tuple[float, float, float, float], colour: str) -> None:
    draw.rectangle([SCALE * side for side in sides], fill=colour)


def _stroke(draw: ImageDraw.ImageDraw, ends: tuple[float, float, float, float], colour: str, width: int) -> None:
    draw.line([SCALE * end for end in ends], fill=colour, width=width * SCALE)
