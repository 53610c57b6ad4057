"""Pieces of a report in Markdown: cells, tables, captions. Knows no section and computes no statistics."""

import math
import re
from collections.abc import Iterable, Sequence

from mendpix.evaluation.explanations import has_close, has_marks, told_untested
from mendpix.evaluation.measures import MEASURES, SET_MEASURES, Measure, SetMeasure
from mendpix.evaluation.number_format import number, with_margin
from mendpix.evaluation.ranking import best_models, best_of_sets, close_models, full_count, lacks_pairs, set_value
from mendpix.evaluation.results import Evaluation, Measured
from mendpix.evaluation.statistics import ANY_MEASURES, LEVEL, Estimate, Summary

TRUTH = "*true pictures*"
"""Row of what was measured of the untouched pictures."""

NARROW = "\u202f"
"""A space at which no line breaks, so that a narrow table breaks between a mean and its margin."""

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#$&])")


def escaped(text: str) -> str:
    """Make a text stand for itself in a paragraph or a cell of a table."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def how_to_read(summary: Summary, measures: Sequence[str], columns: Sequence[str]) -> str:
    """Say what the signs of a table mean that can occur in it."""
    words = [f"mean ± half of the {LEVEL} % interval"]
    if has_marks(summary, measures):
        words.append("**best**")
    if has_close(summary, measures, columns):
        words.append("≈ not significantly worse than the best")
    if untested := told_untested(summary, measures, columns):
        words.append(untested)
    if lacks_pairs(summary, measures, columns):
        words.append("(n = …) only so many pairs have a value: not comparable, and not ranked")
    return "; ".join(words)


def cell(summary: Summary, model: str, name: str, column: str) -> str:
    """Write a mean with its margin, marked if it is the best, not significantly worse, or of fewer pairs."""
    estimate = summary.means[model][name][column]
    text = with_margin(estimate, MEASURES[name].digits)
    if estimate.pairs not in (0, full_count(summary, name, column)):
        return f"{text} (n{NARROW}={NARROW}{estimate.pairs:,})"
    if model in best_models(summary, name, column):
        return f"**{text}**"
    return f"≈{NARROW}{text}" if model in close_models(summary, name, column) else text


def set_cell(evaluation: Evaluation, model: Measured, name: str, column: str) -> str:
    """Write a measure of a set, marked if it is the best."""
    text = number(set_value(model, name, column), SET_MEASURES[name].digits)
    return f"**{text}**" if model.name in best_of_sets(evaluation, name, column) else text


def truth_row(summary: Summary, name: str) -> tuple[str, ...]:
    """Write the row of the untouched pictures."""
    nothing = Estimate(math.nan, math.nan, math.nan, 0)
    found = summary.truth[name]
    digits = ANY_MEASURES[name].digits
    return (
        TRUTH,
        *(with_margin(found.get(column, nothing), digits) for column in summary.evaluation.pairs.distinct_columns),
    )


def titled(measure: Measure | SetMeasure) -> str:
    """Write a name with its unit."""
    return f"{measure.title}, {measure.unit}" if measure.unit else measure.title


def caption(evaluation: Evaluation, first: str, *others: str) -> str:
    """Write what stands above a table: the protocol's id, then sentences that are given without full stops."""
    sentences = (f"{words[:1].upper()}{words[1:]}" for words in others if words)
    return f"Protocol `{evaluation.protocol_id}`: {'. '.join((first, *sentences))}."


def items(lines: Iterable[str]) -> str:
    """Write a list."""
    return "\n".join(f"- {line}" for line in lines)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1) -> str:
    """Write a table.

    Args:
        head: Titles of the columns.
        rows: Cells, as many as titles.
        words: So many columns, from the left, hold words; the others hold numbers and stand to the right.
    """
    rule = ["---" if place < words else "---:" for place in range(len(head))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))
