"""Small pieces of the evaluation's page: cells, tables, text with links, parts of addresses. Knows no section."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import zip_longest

from mendpix.evaluation.adaptors import ADAPTORS, Adaptor
from mendpix.evaluation.measures import MEASURES, SET_MEASURES, Measure, SetMeasure
from mendpix.evaluation.number_format import MISSING, interval, number
from mendpix.evaluation.ranking import best_models, close_models, full_count
from mendpix.evaluation.results import ALL, Evaluation
from mendpix.evaluation.statistics import Estimate, Summary

BEST = '<span class="unseen">best </span>'
CLOSE = '<abbr title="not significantly worse than the best">≈</abbr> '

ARROWS = {1: " ↑", -1: " ↓", 0: ""}
"""By the sign of a measure: more is better, less is better, neither."""

_SPECIAL = re.compile(r"https?://[^\s<>\"'`]*[^\s<>\"'`.,;:)\]]|`[^`]+`")
"""A web address, or a name between backticks."""


@dataclass(frozen=True)
class Cell:
    """One number of a table."""

    html: str
    """Ready to stand in the page."""
    kind: str = ""
    """Its class: "best", "better", "worse", "count", "words" or none."""
    columns: int = 1
    """How many columns it takes."""


def estimated(estimate: Estimate, digits: int, *, mark: str = "", kind: str = "", note: str = "") -> Cell:
    """Write a mean with its interval below.

    Args:
        estimate: What to write.
        digits: Decimals.
        mark: HTML that stands before the number.
        kind: Class of the cell.
        note: Words below the interval.
    """
    if math.isnan(estimate.mean):
        return Cell(MISSING)
    ends = [text for text in (interval(estimate, digits), note) if text.strip(MISSING)]
    below = "".join(f"<small>{text}</small>" for text in ends)
    return Cell(f"{mark}{number(estimate.mean, digits)}{below}", kind)


def titled(measure: Measure | SetMeasure) -> str:
    """Write a measure's name with its unit and the direction that is better; not yet escaped."""
    unit = f", {measure.unit}" if measure.unit else ""
    return f"{measure.title}{unit}{ARROWS[measure.sign]}"


def is_judged(name: str) -> bool:
    """Say whether a measure tells which model is better."""
    return MEASURES[name].sign != 0


def table(head: Sequence[str], lines: Sequence[tuple[str, Sequence[Cell]]], caption: str, label: str = "") -> str:
    """Write a table that can be scrolled sideways, by keyboard as well.

    Args:
        head: Titles of the columns, the first for the names of the lines; text.
        lines: Name of each line, text, and its cells.
        caption: What it shows; text, may be empty.
        label: Name for those who do not see it, if there is no caption; text.
    """
    kinds = [cell.kind for cell in lines[0][1] if cell.columns == 1] if lines else []
    titles = "".join(
        f'<th scope="col" class="{"words" if kind == "words" else "number"}">{escape(title)}</th>'
        for title, kind in zip_longest(head, ["", *kinds])
    )
    rows = ((escape(name), "".join(map(_data, cells))) for name, cells in lines)
    body = "\n".join(f'<tr><th scope="row">{name}</th>{cells}</tr>' for name, cells in rows)
    above = f'<p class="caption">{escape(caption)}</p>' if caption else ""  # would scroll away inside the table
    return (
        f'{above}<div class="scroll" role="region" tabindex="0" aria-label="Table: {escape(caption or label)}"><table>'
        f"<thead><tr>{titles}</tr></thead>\n<tbody>{body}</tbody></table></div>"
    )


def worded(text: str) -> str:
    """Escape a text, make links of the web addresses in it and set names between backticks apart.

    A link is followed only when somebody clicks on it.
    """
    parts: list[str] = []
    end = 0
    for found in _SPECIAL.finditer(text):
        special = escape(found.group())
        parts.append(escape(text[end : found.start()]))
        if special.startswith("`"):
            parts.append(f"<code>{special[1:-1]}</code>")
        else:
            parts.append(f'<a href="{special}" rel="noreferrer">{special}</a>')
        end = found.end()
    return "".join((*parts, escape(text[end:])))


class Addresses:
    """Gives every name a part of an address of its own: letters, digits, single hyphens, dots and underscores."""

    def __init__(self, *taken: str) -> None:
        """Start.

        Args:
            taken: Parts that are not to be given out.
        """
        self._taken = set(taken)

    def give(self, name: str) -> str:
        """Return a part that looks like the name and was not given before."""
        plain = re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-") or "unnamed"
        part, count = plain, 1
        while part in self._taken:
            count += 1
            part = f"{plain}-{count}"
        self._taken.add(part)
        return part


def compared(summary: Summary, model: str, measure: str, column: str = ALL) -> Cell:
    """Write a model's mean, marked if it is the best of all models or not significantly worse than the best."""
    estimate = summary.means[model][measure][column]
    digits = MEASURES[measure].digits
    if estimate.pairs < full_count(summary, measure, column):
        return estimated(estimate, digits, note=f"n = {estimate.pairs:,}")
    if model in best_models(summary, measure, column):
        return estimated(estimate, digits, mark=BEST, kind="best")
    return estimated(estimate, digits, mark=CLOSE if model in close_models(summary, measure, column) else "")


def detection_measures(evaluation: Evaluation) -> list[str]:
    """List measures of pairs that need a detector."""
    return [name for name in evaluation.measures if MEASURES[name].needs == "detector"]


def detection_sets(evaluation: Evaluation) -> list[str]:
    """List measures of the detector over whole sets; they come with a detector, named in the protocol or not."""
    measured = {*evaluation.set_measures, *(name for one in evaluation.models for name in one.set_values)}
    return [name for name, one in SET_MEASURES.items() if one.vector == "detector" and name in measured]


def other_sets(evaluation: Evaluation) -> list[str]:
    """List measures of whole sets that need none."""
    return [name for name in evaluation.set_measures if SET_MEASURES[name].vector != "detector"]


def adaptors_met(evaluation: Evaluation) -> list[Adaptor]:
    """List the programs of papers of whose measures at least one was measured."""
    measured = {*evaluation.measures, *evaluation.set_measures}
    return [one for one in ADAPTORS.values() if any(name in measured for _, name in one.rows)]


def _data(cell: Cell) -> str:
    look = f' class="{cell.kind}"' if cell.kind else ""
    wide = f' colspan="{cell.columns}"' if cell.columns > 1 else ""
    return f"<td{look}{wide}>{cell.html}</td>"
