"""The sections of the evaluation's page that say what was measured, what the numbers mean and how they came about."""

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from mendpix.evaluation.explanations import IN_FORMULAS, how_made
from mendpix.evaluation.measures import SET_MEASURES
from mendpix.evaluation.number_format import counted
from mendpix.evaluation.page_parts import Cell, detection_sets, other_sets, table, worded
from mendpix.evaluation.results import Evaluation
from mendpix.evaluation.statistics import ANY_MEASURES, Summary


def header(evaluation: Evaluation, contents: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Write the title, what was evaluated, and the contents.

    Args:
        evaluation: What the page is about.
        contents: Address and title of each section.
    """
    pairs = evaluation.pairs
    pictures = counted(len(np.unique(pairs.pictures)), "picture")
    yield f"<header><h1>Evaluation: {escape(evaluation.protocol_name)}</h1>"
    yield f"<p>Protocol <code>{escape(evaluation.protocol_id)}</code> · {counted(len(pairs.keys), 'pair')} of "
    yield f"{pictures} and masks · {counted(len(evaluation.models), 'model')}</p>"
    yield _items(evaluation.protocol_facts)
    yield table(
        ("Model", "What it is", "Mark (hash of its content)"),
        [
            (one.name, (Cell(escape(one.source), "words"), Cell(f"<code>{escape(one.mark)}</code>", "words")))
            for one in evaluation.models
        ],
        "",
        "the models",
    )
    links = "".join(f'<li><a href="#{address}">{escape(title)}</a></li>' for address, title in contents)
    yield f'<nav aria-label="Contents"><ul>{links}</ul></nav></header>'


def definitions(evaluation: Evaluation) -> Iterator[str]:
    """Write what every number means, and where it comes from."""
    words = {1: "More is better.", -1: "Less is better.", 0: ""}
    yield f"<p>{escape(IN_FORMULAS)}</p>\n<dl>"
    for name in (*evaluation.measures, *(name for name in evaluation.truth if name not in evaluation.measures)):
        one = ANY_MEASURES[name]
        yield f"<dt>{escape(one.title)} <code>{escape(name)}</code></dt>"
        yield f"<dd>{_unit(one.unit)}{worded(one.definition)} {words[one.sign]}"
        yield f'<br><span class="faint">Source: {worded(one.source)}</span></dd>'
    for name in (*other_sets(evaluation), *detection_sets(evaluation)):
        one = SET_MEASURES[name]
        yield f"<dt>{escape(one.title)} <code>{escape(name)}</code></dt>"
        least = f", from {one.least_pairs:,} pairs on" if one.least_pairs > 1 else ""
        yield f"<dd>{_unit(one.unit)}{worded(one.definition)} {words[one.sign]} Of all pairs together{least}."
        yield f'<br><span class="faint">Source: {worded(one.source)}</span></dd>'
    yield "</dl>"


def made(summary: Summary) -> Iterator[str]:
    """Write how the numbers came about and how to get them again."""
    evaluation = summary.evaluation
    yield _items(how_made(summary))
    yield table(
        ("Computed with", "Version"),
        [(name, (Cell(escape(text), "words"),)) for name, text in evaluation.versions.items()],
        "",
        "versions",
    )
    yield "<h3>To get it again</h3>"
    yield "<p><code>mendpix evaluate --protocol FILE.toml --model NAME [--model …] -o FOLDER</code></p>"
    yield f"<p>The numbers are the same if the protocol's id is <code>{escape(evaluation.protocol_id)}</code>, the "
    yield "marks of the models are those above, and so are the versions. Times and memory never are.</p>"


def _unit(unit: str) -> str:
    return f"In {escape(unit)}. " if unit else ""


def _items(items: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"
