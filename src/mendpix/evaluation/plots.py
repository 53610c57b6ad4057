"""Draw means by bin, and differences to one model, as SVG. Computes no statistics."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mendpix.atomic_files import atomic_write
from mendpix.errors import InputError, OutputError
from mendpix.evaluation import svg
from mendpix.evaluation.explanations import TOO_FEW
from mendpix.evaluation.measures import MEASURES, Measure
from mendpix.evaluation.number_format import interval, number
from mendpix.evaluation.results import ALL, Evaluation
from mendpix.evaluation.statistics import LEVEL, Difference, Estimate, Estimates, Summary

HEADLINES = ("psnr", "ssim-gaussian-11", "l1", "features", "edge-ratio", "detector-score", "detector-auc")
"""Measures to look at first, where they were measured."""

PLOTS = "plots"
"""Folder of the plots, inside that of the report."""

TRUTH = "true pictures"
"""What the line of the untouched pictures is called."""

WIDTH_PX = 760.0
LEFT_PX, RIGHT_PX = 64.0, 14.0
"""Beside the field of a line plot: room for the numbers of the axis, and a margin."""
TOP_PX, FIELD_PX = 62.0, 300.0
"""Above the field: title and how to read it; height of the field."""
LEGEND_LINE_PX = 20.0
ROW_PX = 24.0
"""Height of a line of a plot of differences."""

CROWD = 6
"""With more lines than this, they are drawn paler than their marks."""

_FAINT = "mp-faint"

DIRECTIONS = {1: "more is better ↑", -1: "less is better ↓", 0: "neither more nor less is better"}
"""By the sign of a measure."""


@dataclass(frozen=True)
class _Series:
    """One line of a line plot."""

    name: str
    kind: str
    shape: int
    dashes: str
    estimates: Estimates


@dataclass(frozen=True)
class _Axis:
    """Places numbers along a length."""

    low: float
    high: float
    start: float
    """Where `low` lies, px."""
    end: float
    ticks: tuple[float, ...]

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float, least: float, most_ticks: int = 7) -> "_Axis":
        """Choose a range that holds some numbers, with a little room, and its ticks.

        Args:
            values: Finite numbers; may be empty.
            start: Where the lower end lies, px.
            end: Where the upper end lies, px.
            least: Smallest range.
            most_ticks: How many ticks there may be.
        """
        low, high = min(values, default=0.0), max(values, default=0.0)
        room = max(0.05 * (high - low), (least - (high - low)) / 2)
        bottom, top = low - room, high + room
        if 0 <= low < 0.3 * high:  # near zero anyway: begin there
            bottom = 0.0
        return cls(bottom, top, start, end, svg.ticks(bottom, top, most_ticks))

    def place(self, value: float) -> float:
        """Return where a number lies, px."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def label(self, value: float, *, plus: bool = False) -> str:
        """Write a tick's number."""
        return number(value, svg.decimals(self.ticks), plus=plus)


def headlines(evaluation: Evaluation) -> tuple[str, ...]:
    """Return the measures to look at first; if none of them was measured, the first four."""
    return tuple(name for name in HEADLINES if name in evaluation.measures) or evaluation.measures[:4]


def line_plot(summary: Summary, measure: str) -> str:
    """Draw the mean of each bin with its interval, a line per model, and the mean of all pairs beside.

    Args:
        summary: What was found.
        measure: Name of a measure of `summary`.

    Returns:
        SVG, complete, for light and dark.

    Raises:
        InputError: If the measure is not in the summary.
    """
    shown, series = _known(summary, measure), _series(summary, measure)
    columns = summary.evaluation.pairs.distinct_columns
    bottom = TOP_PX + FIELD_PX
    ends = [
        end
        for one in series
        for column in columns
        for end in _ends(one.estimates.get(column))
    ]  # fmt: skip
    axis = _Axis.over(ends, bottom, TOP_PX, 10.0 ** (1 - shown.digits))
    heading = _titled(shown)
    legend = list(_legend(series, bottom + 54))
    height = bottom + 54 + LEGEND_LINE_PX * (1 + max((line for line, _ in legend), default=0)) + 22
    left_out = any(
        one.estimates[column].pairs and not math.isfinite(one.estimates[column].mean)
        for one in series
        for column in columns
        if column in one.estimates
    )
    note = " · infinite means are not drawn" if left_out else ""
    parts = [
        svg.words(LEFT_PX, 24, heading, size=15, bold=True),
        svg.words(LEFT_PX, 43, f"mean with {LEVEL} % interval · {DIRECTIONS[shown.sign]}{note}", kind=_FAINT),
        *_field(axis, columns),
        *(part for number_, one in enumerate(series) for part in _line(one, number_, len(series), axis, columns)),
        *(entry for _, entry in legend),
        _caption(summary, height),
    ]
    if svg.text_width(heading) <= FIELD_PX:
        parts.append(svg.words(16, TOP_PX + FIELD_PX / 2, heading, anchor="middle", kind=_FAINT, turned=True))
    elif shown.unit:
        parts.append(svg.words(16, TOP_PX + FIELD_PX / 2, shown.unit, anchor="middle", kind=_FAINT, turned=True))
    if not ends:
        middle = (LEFT_PX + WIDTH_PX - RIGHT_PX) / 2
        parts.append(svg.words(middle, TOP_PX + FIELD_PX / 2, "nothing was measured", anchor="middle", kind=_FAINT))
    return svg.drawing(WIDTH_PX, height, f"{heading} by hole share, a line per model", parts)


def difference_plot(summary: Summary, first_model: str, measure: str, column: str = ALL) -> str:
    """Draw by how much every other model is better than one, with intervals; hollow = not significant, or not tested.

    Args:
        summary: What was found.
        first_model: The model that the others are compared with.
        measure: Name of a measure of `summary`.
        column: Which column.

    Returns:
        SVG, complete, for light and dark.

    Raises:
        InputError: If the measure, the model or the column is not in the summary.
    """
    shown = _known(summary, measure)
    names = [model.name for model in summary.evaluation.models]
    if first_model not in names:
        raise InputError(f"the model to compare with must be one of {', '.join(names)}; got {first_model!r}.")
    if column not in summary.evaluation.pairs.columns:
        allowed = ", ".join(summary.evaluation.pairs.columns)
        raise InputError(f"a column must be one of {allowed}; got {column!r}.")
    lines = [
        (number_, name, summary.difference(name, first_model, measure, column))
        for number_, name in enumerate(names)
        if name != first_model
    ]
    texts = [_difference_text(found, shown) for _, _, found in lines]
    left = 30 + max((svg.text_width(svg.shorten(name)) for _, name, _ in lines), default=0.0)
    right = WIDTH_PX - 26 - max(map(svg.text_width, texts), default=0.0)
    top, bottom = TOP_PX + 18, TOP_PX + 18 + ROW_PX * max(1, len(lines))
    where = "all pairs" if column == ALL else f"bin {column}"
    hollow = told_of_hollow([found for _, _, found in lines])
    better = "has more than" if shown.sign == 0 else "is better than"
    parts = [
        svg.words(20, 24, _titled(shown), size=15, bold=True),
        svg.words(20, 43, f"difference to {svg.shorten(first_model)}, {where}"),
        svg.words(20, 60, f"right of 0: {better} it · bar: {LEVEL} % interval · hollow: {hollow}", kind=_FAINT),
    ]
    ends = [end for _, _, found in lines for end in _ends(found.estimate)]
    if ends:
        axis = _Axis.over([0.0, *ends], left, right, 10.0 ** (1 - shown.digits), 6)
        for value in axis.ticks:
            x = axis.place(value)
            parts.append(svg.stroke(x, top, x, bottom, kind="mp-rule" if value else "mp-axis"))
            parts.append(svg.words(x, bottom + 16, axis.label(value, plus=True), anchor="middle", kind=_FAINT))
        if shown.unit:
            parts.append(svg.words((left + right) / 2, bottom + 34, shown.unit, anchor="middle", kind=_FAINT))
        for line, ((place, name, found), text) in enumerate(zip(lines, texts, strict=True)):
            kind, shape, _ = _look(place)
            dot = _dot(found, shape, axis, top + ROW_PX * (line + 0.5))
            parts.append(svg.named(kind, f"{name}: {text}", dot))
    for line, ((_, name, _), text) in enumerate(zip(lines, texts, strict=True)):
        y = top + ROW_PX * (line + 0.5) + 4
        parts.append(svg.words(left - 10, y, svg.shorten(name), anchor="end"))
        parts.append(svg.words(right + 12, y, text))
    if not lines:
        parts.append(svg.words(20, top + 14, "there is no other model", kind=_FAINT))
    height = bottom + 56
    parts.append(_caption(summary, height))
    return svg.drawing(WIDTH_PX, height, f"{_titled(shown)}: differences to {first_model}, {where}", parts)


def told_of_hollow(differences: Sequence[Difference]) -> str:
    """Say what a hollow mark of a plot of differences means."""
    untested = sum(found.too_few for found in differences)
    if not untested:
        return "not significant"
    return TOO_FEW if untested == len(differences) else f"not significant, or {TOO_FEW}"


def write_plots(summary: Summary, folder: Path) -> list[Path]:
    """Write ``plots/<measure>.svg`` for the measures to look at first, and ``plots/<measure>-differences.svg``.

    The latter compare with the first model, where there are several and one can be better. Plots of these kinds that
    are there but no longer made are removed.

    Args:
        summary: What was found.
        folder: Folder of the report, which must exist.

    Returns:
        The files.

    Raises:
        OutputError: If a file cannot be written.
    """
    place = folder / PLOTS
    names = [model.name for model in summary.evaluation.models]
    drawn = {f"{measure}.svg": line_plot(summary, measure) for measure in headlines(summary.evaluation)}
    for measure in headlines(summary.evaluation):
        if len(names) > 1 and MEASURES[measure].sign:
            drawn[f"{measure}-differences.svg"] = difference_plot(summary, names[0], measure)
    try:
        place.mkdir(exist_ok=True)
        for measure in MEASURES:
            for old in {f"{measure}.svg", f"{measure}-differences.svg"} - set(drawn):
                (place / old).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"plots must go into {place}, which cannot be written to ({error.strerror or error}). Choose another one."
        ) from error
    for name, text in drawn.items():
        with atomic_write(place / name) as temporary:
            temporary.write_text(text, "utf-8")
    return [place / name for name in drawn]


def _known(summary: Summary, measure: str) -> Measure:
    if measure not in summary.evaluation.measures:
        allowed = ", ".join(summary.evaluation.measures)
        raise InputError(f"a measure to be drawn must be one of {allowed}; got {measure!r}.")
    return MEASURES[measure]


def _series(summary: Summary, measure: str) -> list[_Series]:
    found = [
        _Series(model.name, *_look(place), summary.means[model.name][measure])
        for place, model in enumerate(summary.evaluation.models)
    ]
    if measure in summary.truth:
        found.append(_Series(TRUTH, "mp-truth", 0, "4 4", summary.truth[measure]))
    return found


def _look(place: int) -> tuple[str, int, str]:
    """Return colour, mark and dashes of a model; a second one of the same colour gets another mark, and dashes."""
    turn, colour = divmod(place, len(svg.LIGHT))
    return f"mp-{colour}", (place + 3 * turn) % svg.MARKS, ("", "6 3", "2 3")[turn % 3]


def _titled(measure: Measure) -> str:
    return f"{measure.title}, {measure.unit}" if measure.unit else measure.title


def _ends(estimate: Estimate | None) -> list[float]:
    """Return all finite numbers of an estimate, if its mean is one."""
    if estimate is None or not math.isfinite(estimate.mean):
        return []
    return [value for value in (estimate.low, estimate.mean, estimate.high) if math.isfinite(value)]


def _slot(column: int, columns: int) -> float:
    """Return the middle of a column, px."""
    return LEFT_PX + (WIDTH_PX - LEFT_PX - RIGHT_PX) * (column + 0.5) / columns


def _field(axis: _Axis, columns: Sequence[str]) -> Iterator[str]:
    """Draw the axes and what stands below."""
    bottom = TOP_PX + FIELD_PX
    for value in axis.ticks:
        y = axis.place(value)
        yield svg.stroke(LEFT_PX, y, WIDTH_PX - RIGHT_PX, y, kind="mp-rule")
        yield svg.words(LEFT_PX - 8, y + 4, axis.label(value), anchor="end", kind=_FAINT)
    yield svg.stroke(LEFT_PX, bottom, WIDTH_PX - RIGHT_PX, bottom, kind="mp-axis")
    for column, name in enumerate(columns):
        yield svg.words(_slot(column, len(columns)), bottom + 18, name, anchor="middle")
    bins = len(columns) - (columns[-1] == ALL)
    if bins < len(columns):
        x = (_slot(bins - 1, len(columns)) + _slot(bins, len(columns))) / 2
        yield svg.stroke(x, TOP_PX, x, bottom + 8, kind="mp-axis")
    for left in range(bins - 1):  # many models fill a column: it must be plain where one ends
        x = (_slot(left, len(columns)) + _slot(left + 1, len(columns))) / 2
        yield svg.stroke(x, TOP_PX, x, bottom + 5, kind="mp-rule")
    middle = (_slot(0, len(columns)) + _slot(bins - 1, len(columns))) / 2
    yield svg.words(middle, bottom + 36, "share of the picture that is hole", anchor="middle", kind=_FAINT)


def _line(one: _Series, number_: int, count: int, axis: _Axis, columns: Sequence[str]) -> Iterator[str]:
    """Draw one model: a line through its bins, broken where it has none, whiskers, marks."""
    slot = (WIDTH_PX - LEFT_PX - RIGHT_PX) / len(columns)
    step = min(9.0, 0.8 * slot / count)
    size = max(2.2, min(4.0, 0.55 * step + 0.8)) if count > 1 else 4.0
    runs: list[list[tuple[float, float]]] = [[]]
    whiskers: list[str] = []
    marks: list[str] = []
    for column, name in enumerate(columns):
        estimate = one.estimates.get(name)
        if estimate is None or not math.isfinite(estimate.mean) or (name == ALL and len(columns) > 1):
            runs.append([])
        if estimate is None or not math.isfinite(estimate.mean):
            continue
        x = _slot(column, len(columns)) + (number_ - (count - 1) / 2) * step
        y = axis.place(estimate.mean)
        runs[-1].append((x, y))
        if math.isfinite(estimate.low) and math.isfinite(estimate.high):
            low, high = axis.place(estimate.low), axis.place(estimate.high)
            cap = min(3.0, 0.4 * step)
            whiskers.append(svg.stroke(x, low, x, high, width=1.3))
            whiskers += [svg.stroke(x - cap, end, x + cap, end, width=1.3) for end in (low, high)]
        marks.append(svg.mark(x, y, one.shape, size, hollow=one.kind == "mp-truth"))
    opacity = 1.0 if count <= CROWD else 0.5
    lines = [svg.path(run, width=1.4, dashes=one.dashes, opacity=opacity) for run in runs if len(run) > 1]
    yield svg.named(one.kind, one.name, (*lines, *whiskers, *marks))


def _legend(series: Sequence[_Series], top: float) -> Iterator[tuple[int, str]]:
    """Write the names in as many columns as fit; yields the line that each stands in, too."""
    width = 40 + max(svg.text_width(svg.shorten(one.name)) for one in series) + 12
    columns = max(1, min(len(series), int((WIDTH_PX - LEFT_PX - RIGHT_PX) // width)))
    lines = -(-len(series) // columns)
    for place, one in enumerate(series):
        column, line = divmod(place, lines)
        x, y = LEFT_PX + width * column, top + LEGEND_LINE_PX * (line + 0.5)
        sample = (
            svg.path([(x, y), (x + 30, y)], width=1.4, dashes=one.dashes),
            svg.mark(x + 15, y, one.shape, 4.0, hollow=one.kind == "mp-truth"),
        )
        name = svg.words(x + 38, y + 4, svg.shorten(one.name))
        yield line, svg.named(one.kind, one.name, (*sample, name))


def _caption(summary: Summary, height: float) -> str:
    text = f"protocol {summary.evaluation.protocol_id}"
    return svg.words(WIDTH_PX - RIGHT_PX, height - 8, text, size=10, anchor="end", kind=_FAINT)


def _difference_text(found: Difference, shown: Measure) -> str:
    if math.isnan(found.estimate.mean):
        return "not measured"
    mean = number(found.estimate.mean, shown.digits, plus=True)
    has_ends = not math.isnan(found.estimate.half_width)
    return f"{mean} {interval(found.estimate, shown.digits, plus=True)}" if has_ends else mean


def _dot(found: Difference, shape: int, axis: _Axis, y: float) -> Iterator[str]:
    """Draw one difference."""
    estimate = found.estimate
    if not math.isfinite(estimate.mean):
        return
    if math.isfinite(estimate.low) and math.isfinite(estimate.high):
        low, high = axis.place(estimate.low), axis.place(estimate.high)
        yield svg.stroke(low, y, high, y, width=2)
        for end in (low, high):
            yield svg.stroke(end, y - 5, end, y + 5, width=2)
    yield svg.mark(axis.place(estimate.mean), y, shape, 4.5, hollow=not found.significant)
