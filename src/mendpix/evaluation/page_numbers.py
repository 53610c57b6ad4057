"""The sections of the evaluation's page that hold numbers. Knows no picture; computes no statistics.

A section about what was not measured is empty.
"""

import base64
import math
from collections.abc import Collection, Iterator, Sequence
from html import escape

import numpy as np

from mendpix.evaluation.adaptors import ADAPTOR_MEASURES, Adaptor
from mendpix.evaluation.explanations import (
    TOO_FEW,
    has_close,
    has_marks,
    listed,
    not_measured,
    told_of_altered,
    told_of_couples,
    told_untested,
)
from mendpix.evaluation.measures import MEASURES, SET_MEASURES
from mendpix.evaluation.number_format import MISSING, counted, interval, number, p_value
from mendpix.evaluation.page_parts import (
    BEST,
    Cell,
    adaptors_met,
    compared,
    detection_measures,
    detection_sets,
    estimated,
    is_judged,
    other_sets,
    table,
    titled,
    worded,
)
from mendpix.evaluation.plots import TRUTH, headlines, line_plot
from mendpix.evaluation.ranking import best_of_sets, has_tests, has_value, lacks_pairs, set_value, untested_columns
from mendpix.evaluation.results import ALL, Evaluation, Measured
from mendpix.evaluation.statistics import ANY_MEASURES, LEVEL, Summary

CLEAN = "clean-marked"
"""What the detector marks of untouched pictures."""


def first_measures(evaluation: Evaluation) -> tuple[str, ...]:
    """Return the measures to read first: those of the headlines by which a model can be better."""
    return tuple(name for name in headlines(evaluation) if is_judged(name)) or headlines(evaluation)


def matrix_measures(evaluation: Evaluation) -> tuple[str, ...]:
    """Return the measures by which every model is held against every other."""
    return tuple(name for name in first_measures(evaluation) if is_judged(name)) if len(evaluation.models) > 1 else ()


def first(summary: Summary) -> Iterator[str]:
    """Write the table of the measures to read first, and whose known pixels were altered."""
    evaluation = summary.evaluation
    measures = first_measures(evaluation)
    sets = [name for name in other_sets(evaluation) if has_value(evaluation, name, ALL)]
    yield table(
        ("Model", *(titled(MEASURES[name]) for name in measures), *(titled(SET_MEASURES[name]) for name in sets)),
        [
            (
                one.name,
                (
                    *(compared(summary, one.name, name) for name in measures),
                    *(_set_cell(evaluation, one, name, ALL) for name in sets),
                ),
            )
            for one in evaluation.models
        ],
        f"Protocol {evaluation.protocol_id}, all pairs. {_marks_over_all(summary, measures)}",
    )
    yield '<p>Significance is tested picture by picture, see <a href="#made">how it was made</a>. A number says how '
    yield 'far a fill is from what was there, not whether it looks right: <a href="#cases">look at the cases</a>.</p>'
    yield from _altered(evaluation)


def by_hole_share(summary: Summary) -> Iterator[str]:
    """Write a plot and a table per measure, those to read first in the open, the others folded."""
    evaluation = summary.evaluation
    elsewhere = {*detection_measures(evaluation), *ADAPTOR_MEASURES}
    plain = [name for name in evaluation.measures if name not in elsewhere]
    if not plain and not other_sets(evaluation):
        return
    opened = [name for name in headlines(evaluation) if name in plain]
    columns = evaluation.pairs.distinct_columns
    everywhere = [  # said once, not below each heading
        column
        for column in untested_columns(summary, plain, columns)
        if not any(has_tests(summary, (name,), (column,)) for name in plain)
    ]
    yield "<p>Bins by the share of the picture that is hole; each upper end belongs to its bin."
    words = (TOO_FEW if len(everywhere) == len(columns) else f"{TOO_FEW} in {listed(everywhere)}") if everywhere else ""
    yield f"{_marks(summary, plain, columns, words)}</p>"
    for name in opened:
        yield f"<h3>{escape(titled(MEASURES[name]))}</h3>"
        yield _measure(summary, name, everywhere)
    for name in plain:
        if name not in opened:
            yield _folded(titled(MEASURES[name]), _measure(summary, name, everywhere))
    for name in other_sets(evaluation):
        yield _folded(titled(SET_MEASURES[name]), _set_table(evaluation, name))


def papers(summary: Summary) -> Iterator[str]:
    """Write what was measured in the way of published papers, with their labels."""
    met = adaptors_met(summary.evaluation)
    if met:
        yield "<p>The definitions of published papers and programs, under the labels that they print. The pictures and"
        yield "masks are this protocol's: the numbers are comparable within this page, not with a paper's tables.</p>"
    for one in met:
        yield _folded(one.title, _adaptor_table(summary, one) + f'<p class="faint">{worded(one.note)}</p>')


def detection(summary: Summary) -> Iterator[str]:
    """Write how well the detector finds what was filled, and what it says of untouched pictures."""
    evaluation = summary.evaluation
    measures, sets = detection_measures(evaluation), detection_sets(evaluation)
    if not measures and not sets:
        return
    yield "<p>A detector looked at every result without being told the hole. Where it finds the hole easily, it is good"
    yield "or the fill gives itself away: these numbers compare fills under one detector, or detectors on one fill.</p>"
    if CLEAN in summary.truth:
        estimate = summary.truth[CLEAN][ALL]
        digits = ANY_MEASURES[CLEAN].digits
        ends = f" {interval(estimate, digits)}" if math.isfinite(estimate.high - estimate.low) else ""
        yield f"<p>Of the <strong>untouched pictures</strong> it marks {number(estimate.mean, digits)} %{ends} as "
        yield "filled: false alarms.</p>"
    yield table(
        ("Model", *(titled(MEASURES[name]) for name in measures), *(titled(SET_MEASURES[name]) for name in sets)),
        [
            (
                one.name,
                [
                    *(compared(summary, one.name, name) for name in measures),
                    *(_set_cell(evaluation, one, name, ALL) for name in sets),
                ],
            )
            for one in evaluation.models
        ],
        f"Over all pairs. {_marks_over_all(summary, measures)}",
    )
    for name in measures:
        yield _folded(f"{titled(MEASURES[name])}, by hole share", _measure(summary, name, ()))
    for name in sets:
        yield _folded(f"{titled(SET_MEASURES[name])}, by hole share", _set_table(evaluation, name))


def times(evaluation: Evaluation) -> Iterator[str]:
    """Write how long each model took, and its memory, if that was measured."""
    lines: list[tuple[str, tuple[Cell, ...]]] = []
    for one in evaluation.models:
        found = one.timing
        if found is None:
            continue
        low, middle, high = np.percentile(found.seconds, (5, 50, 95)) if len(found.seconds) else (math.nan,) * 3
        spread = f"<small>{number(1000 * low, 0)}–{number(1000 * high, 0)}</small>"
        cells = (
            Cell(f"{number(1000 * middle, 0)}{spread}"),
            Cell(number(found.load_seconds, 2)),
            Cell(number(found.peak_mb, 0)),
            Cell(number(found.peak_mb - found.idle_mb, 0)),
            Cell(f"{len(found.seconds)}"),
            Cell(f"{found.threads}"),
            Cell(escape(found.machine), "words"),
        )
        lines.append((one.name, cells))
    if not lines:
        return
    yield table(
        ("Model", "One fill, ms", "To load, s", "Peak, MiB", "of it by the model", "Fills", "Threads", "Machine"),
        lines,
        "Wall-clock time of one fill: median, small the 5th to 95th percentile. Peak: the whole process, Python and "
        "libraries included.",
    )


def pairwise(summary: Summary) -> Iterator[str]:
    """Write every model against every other, a matrix per measure to read first, of which one is chosen."""
    evaluation = summary.evaluation
    measures = matrix_measures(evaluation)
    if not measures:
        return
    buttons = "".join(
        f'<label><input type="radio" name="matrix" id="choose-{name}"{" checked" if name == measures[0] else ""}> '
        f"{escape(MEASURES[name].title)}</label>"
        for name in measures
    )
    yield "<p>By how much the model of the line is better than the model of the column, over all pairs, with its "
    yield "interval and p. Tinted: significant after correction over all comparisons of one measure, in all columns; "
    yield "+ better, − worse.</p>"
    yield f'<fieldset class="choice"><legend>Measure</legend>{buttons}</fieldset>'
    for name in measures:
        yield f'<div id="matrix-{name}">{_matrix(summary, name)}</div>'


def _marks(summary: Summary, measures: Sequence[str], columns: Sequence[str], untested: str) -> str:
    """Say how tables are to be read.

    Args:
        summary: What was found.
        measures: In the tables.
        columns: In the tables.
        untested: Where there are too few pictures to test, in words; "" = nowhere.
    """
    words = [f"Small: {LEVEL} % interval."]
    if has_marks(summary, measures):
        words.append("Bold and tinted: best mean.")
    if has_close(summary, measures, columns):
        words.append("≈: not significantly worse than the best.")
    if untested:
        words.append(_sentence(untested))
    if lacks_pairs(summary, measures, columns):
        words.append("n = …: only so many pairs have a value; not ranked.")
    return " ".join(words)


def _marks_over_all(summary: Summary, measures: Sequence[str]) -> str:
    return _marks(summary, measures, (ALL,), told_untested(summary, measures, (ALL,)))


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _altered(evaluation: Evaluation) -> Iterator[str]:
    for one in evaluation.models:
        if not one.altered_pairs:
            continue
        key = evaluation.pairs.keys[int(one.altered.argmax())]
        yield '<div class="warning" role="note">'
        yield f"<p><strong>{escape(one.name)} altered known pixels</strong>: {counted(one.altered_pixels, 'pixel')} "
        yield f"outside the holes, in {one.altered_pairs:,} of {counted(one.counted_pairs, 'pair')}; most in "
        yield f"{escape(key)} ({int(one.altered.max()):,}).</p>"
        yield f"<p>{escape(told_of_altered(evaluation))}</p></div>"


def _measure(summary: Summary, name: str, said: Collection[str]) -> str:
    """Write the plot and the table of one measure.

    Args:
        summary: What was found.
        name: The measure.
        said: Columns of which it stands above that nothing was tested in them.
    """
    evaluation = summary.evaluation
    columns = evaluation.pairs.distinct_columns
    lines = [(one.name, [compared(summary, one.name, name, column) for column in columns]) for one in evaluation.models]
    if name in summary.truth:
        lines.append((TRUTH, [_truth_cell(summary, name, column) for column in columns]))
    shown = _plot(summary, name) if len(evaluation.pairs.bin_names) > 1 else ""
    untested = [column for column in untested_columns(summary, (name,), columns) if column not in said]
    words = f"{_sentence(TOO_FEW)[:-1]} in {listed(untested)}." if untested else ""
    return shown + _by_bin(evaluation, lines, words, titled(MEASURES[name]))


def _plot(summary: Summary, name: str) -> str:
    """Embed a drawing as a picture, where its style, names and texts can reach nothing else of the page."""
    address = base64.b64encode(line_plot(summary, name).encode("utf-8")).decode("ascii")
    alt = f"{titled(MEASURES[name])} by hole share, a line per model; the numbers are in the table."
    return f'<div class="scroll"><img class="plot" src="data:image/svg+xml;base64,{address}" alt="{escape(alt)}"></div>'


def _by_bin(evaluation: Evaluation, lines: Sequence[tuple[str, Sequence[Cell]]], caption: str, label: str) -> str:
    """Write a table with a column per bin and a last line that says how many pairs are in each."""
    pairs = evaluation.pairs
    counts = np.bincount(pairs.bins, minlength=len(pairs.bin_names)).tolist()
    counts += [len(pairs.keys)] if len(pairs.bin_names) > 1 else []
    last = ("pairs", [Cell(f"{count:,}", "count") for count in counts])
    return table(("Hole share", *pairs.distinct_columns), [*lines, last], caption, label)


def _truth_cell(summary: Summary, name: str, column: str) -> Cell:
    found = summary.truth[name].get(column)
    return Cell(MISSING) if found is None else estimated(found, MEASURES[name].digits)


def _set_cell(evaluation: Evaluation, model: Measured, name: str, column: str) -> Cell:
    text = number(set_value(model, name, column), SET_MEASURES[name].digits)
    best = model.name in best_of_sets(evaluation, name, column)
    return Cell(f"{BEST}{text}", "best") if best else Cell(text)


def _set_table(evaluation: Evaluation, name: str) -> str:
    lines = [
        (one.name, [_set_cell(evaluation, one, name, column) for column in evaluation.pairs.distinct_columns])
        for one in evaluation.models
    ]
    least = SET_MEASURES[name].least_pairs
    words = "Of all pairs of a column together, without intervals."
    if least > 1:
        words += f" A dash: fewer than {least:,} pairs."
    return _by_bin(evaluation, lines, words, "")


def _adaptor_table(summary: Summary, adaptor: Adaptor) -> str:
    evaluation = summary.evaluation
    lines: list[tuple[str, Sequence[Cell]]] = []
    columns = evaluation.pairs.distinct_columns
    for label, name in adaptor.rows:
        for one in evaluation.models:
            if name in evaluation.measures:
                cells = [compared(summary, one.name, name, column) for column in columns]
            elif name in evaluation.set_measures:
                cells = [_set_cell(evaluation, one, name, column) for column in columns]
            else:
                continue
            lines.append((f"{label}: {one.name}", cells))
        if name not in evaluation.measures and name not in evaluation.set_measures:
            lines.append((label, (Cell(worded(not_measured(name)), "words", len(columns)),)))
    measured = [name for _, name in adaptor.rows if name in evaluation.measures]
    untested = told_untested(summary, measured, columns)
    return _by_bin(evaluation, lines, _sentence(untested) if untested else "", adaptor.title)


def _matrix(summary: Summary, name: str) -> str:
    models = [one.name for one in summary.evaluation.models]
    lines = [(row, [_against(summary, row, column, name) for column in models]) for row in models]
    untested = told_of_couples([by_measure[name][ALL] for by_measure in summary.differences.values()])
    words = f". {_sentence(untested)}" if untested else ""
    return table(("Model", *models), lines, f"{titled(MEASURES[name])}: better by{words}")


def _against(summary: Summary, row: str, column: str, name: str) -> Cell:
    if row == column:
        return Cell(MISSING)
    found = summary.difference(row, column, name)
    if math.isnan(found.estimate.mean):
        return Cell(MISSING)
    digits = MEASURES[name].digits
    kind = ("better" if found.estimate.mean > 0 else "worse") if found.significant else ""
    p = p_value(found.p)
    tested = "" if p == MISSING else f"<small>p {escape(p) if p.startswith('<') else f'= {p}'}</small>"
    ends = interval(found.estimate, digits, plus=True)
    value = number(found.estimate.mean, digits, plus=True)
    strong = f"<b>{value}</b>" if found.significant else value
    return Cell(f"{strong}{'' if ends == MISSING else f'<small>{ends}</small>'}{tested}", kind)


def _folded(title: str, content: str) -> str:
    return f'<details class="more"><summary><h3>{escape(title)}</h3></summary>{content}</details>'
