"""Write an evaluation's report as Markdown, as GitHub shows it. Computes no statistics.

Every table stands under a caption with the protocol's id, so that it says what it is wherever it is copied to.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from mendpix.evaluation.adaptors import ADAPTOR_MEASURES, ADAPTORS, Adaptor
from mendpix.evaluation.explanations import (
    IN_FORMULAS,
    TOO_FEW,
    how_made,
    not_measured,
    told_of_altered,
    told_of_couples,
)
from mendpix.evaluation.markdown_parts import (
    caption,
    cell,
    escaped,
    how_to_read,
    items,
    set_cell,
    table,
    titled,
    truth_row,
)
from mendpix.evaluation.measures import MEASURES, SET_MEASURES
from mendpix.evaluation.number_format import MISSING, counted, interval, number, p_value
from mendpix.evaluation.plots import PLOTS, headlines
from mendpix.evaluation.ranking import best_models, has_value, judges_models
from mendpix.evaluation.results import ALL, Evaluation
from mendpix.evaluation.statistics import ANY_MEASURES, LEVEL, Summary

DIRECTIONS = {1: ", more is better", -1: ", less is better", 0: ""}
"""By the sign of a measure."""

ALL_COUPLES = 15
"""With more couples of models than this, only those with the best model are listed."""


def markdown(summary: Summary, *, docs: bool = False) -> str:
    """Write the whole report.

    Args:
        summary: What was found.
        docs: Leave out the title and everything that refers to files beside the report, and set headings a level
            deeper, so that it can stand inside another page.

    Returns:
        Markdown, ending in a line break.
    """
    blocks = [block for section in _sections(summary, docs) for block in section]
    if docs:
        blocks = [f"#{block}" if block.startswith("#") else block for block in blocks]
    else:
        blocks.insert(0, f"# Evaluation: {escaped(summary.evaluation.protocol_name)}")
    return "\n\n".join(blocks) + "\n"


def _sections(summary: Summary, docs: bool) -> Iterator[Iterator[str]]:
    yield _opening(summary)
    yield _first(summary)
    yield _altered(summary.evaluation)
    yield _by_hole_share(summary, docs)
    yield _sets(summary.evaluation)
    yield _detection(summary, docs)
    yield _papers(summary)
    yield _couples(summary, docs)
    yield _times(summary.evaluation)
    yield _definitions(summary.evaluation)
    yield _made(summary, docs)


def _opening(summary: Summary) -> Iterator[str]:
    evaluation = summary.evaluation
    pairs = evaluation.pairs
    pictures = [len(np.unique(pairs.pictures[pairs.bins == number_])) for number_ in range(len(pairs.bin_names))]
    counts = np.bincount(pairs.bins, minlength=len(pairs.bin_names)).tolist()
    if len(pairs.bin_names) > 1:
        pictures.append(len(np.unique(pairs.pictures)))
        counts.append(len(pairs.keys))
    yield f"Protocol `{evaluation.protocol_id}`: {counted(len(pairs.keys), 'pair')} of pictures and masks."
    yield items(escaped(fact) for fact in evaluation.protocol_facts)
    yield table(
        ("", *pairs.distinct_columns),
        (("pairs", *(f"{count:,}" for count in counts)), ("pictures", *(f"{count:,}" for count in pictures))),
    )
    yield "Columns are bins by the share of the picture that is hole; each upper end belongs to its bin."
    yield "## Models"
    yield table(
        ("model", "what it is", "mark (hash of its content)"),
        ((escaped(model.name), escaped(model.source), f"`{model.mark}`") for model in evaluation.models),
        words=3,
    )


def _first(summary: Summary) -> Iterator[str]:
    evaluation = summary.evaluation
    measures = headlines(evaluation)
    sets = [
        name
        for name in evaluation.set_measures
        if SET_MEASURES[name].vector != "detector" and has_value(evaluation, name, ALL)
    ]
    yield "## What to read first"
    yield caption(evaluation, "all pairs", how_to_read(summary, measures, (ALL,)))
    yield table(
        ("model", *(titled(MEASURES[name]) for name in measures), *(titled(SET_MEASURES[name]) for name in sets)),
        (
            (
                escaped(model.name),
                *(cell(summary, model.name, name, ALL) for name in measures),
                *(set_cell(evaluation, model, name, ALL) for name in sets),
            )
            for model in evaluation.models
        ),
    )
    yield "A number says how far a fill is from what was there, not whether it looks right."


def _altered(evaluation: Evaluation) -> Iterator[str]:
    met = [model for model in evaluation.models if model.altered_pairs]
    if not met:
        return
    yield "## Altered known pixels"
    yield caption(evaluation, "these models changed pixels outside the hole")
    yield table(
        ("model", "pairs with altered pixels", "altered pixels", "most in one pair", "that pair"),
        (
            (
                escaped(model.name),
                f"{model.altered_pairs:,} of {model.counted_pairs:,}",
                f"{model.altered_pixels:,}",
                f"{int(model.altered.max()):,}",
                escaped(evaluation.pairs.keys[int(model.altered.argmax())]),
            )
            for model in met
        ),
    )
    yield told_of_altered(evaluation)


def _by_hole_share(summary: Summary, docs: bool) -> Iterator[str]:
    evaluation = summary.evaluation
    shown = [name for name in evaluation.measures if name not in ADAPTOR_MEASURES and not _detects(name)]
    if not shown:
        return
    yield "## By hole share"
    for name in shown:
        yield from _measure(summary, name, docs)


def _measure(summary: Summary, name: str, docs: bool) -> Iterator[str]:
    """Write the plot and the table of one measure."""
    evaluation = summary.evaluation
    measure = MEASURES[name]
    yield f"### {titled(measure)}"
    if name in headlines(evaluation) and not docs:
        yield f"![{measure.title} by hole share; the numbers are in the table]({PLOTS}/{name}.svg)"
    columns = evaluation.pairs.distinct_columns
    yield caption(evaluation, f"{titled(measure)}{DIRECTIONS[measure.sign]}", how_to_read(summary, (name,), columns))
    rows: list[Sequence[str]] = [
        (escaped(model.name), *(cell(summary, model.name, name, column) for column in columns))
        for model in evaluation.models
    ]
    if name in summary.truth:
        rows.insert(0, truth_row(summary, name))
    yield table(("model", *columns), rows)


def _sets(evaluation: Evaluation) -> Iterator[str]:
    names = [name for name in evaluation.set_measures if SET_MEASURES[name].vector != "detector"]
    if not names:
        return
    yield "## Of whole sets"
    for name in names:
        yield from _set_measure(evaluation, name)


def _set_measure(evaluation: Evaluation, name: str) -> Iterator[str]:
    measure = SET_MEASURES[name]
    words = ["one number for all pairs of a column, so there is no interval"]
    if judges_models(name) and len(evaluation.models) > 1:
        words.append("**best**")
    if measure.least_pairs > 1:
        words.append(f"{MISSING} fewer than {counted(measure.least_pairs, 'pair')}")
    yield f"### {titled(measure)}"
    yield caption(evaluation, f"{titled(measure)}{DIRECTIONS[measure.sign]}", "; ".join(words))
    columns = evaluation.pairs.distinct_columns
    yield table(
        ("model", *columns),
        (
            (escaped(model.name), *(set_cell(evaluation, model, name, column) for column in columns))
            for model in evaluation.models
        ),
    )


def _detection(summary: Summary, docs: bool) -> Iterator[str]:
    evaluation = summary.evaluation
    names = [name for name in evaluation.measures if _detects(name)]
    sets = [name for name in evaluation.set_measures if SET_MEASURES[name].vector == "detector"]
    alone = [name for name in summary.truth if name not in evaluation.measures and _detects(name)]
    if not (names or sets or alone):
        return
    yield "## Detection"
    yield (
        "A detector looked at every result without being told the hole. Where it finds the hole easily, the fill "
        "gives itself away: whether more is better depends on whether the detector or the model is judged."
    )
    for name in names:
        yield from _measure(summary, name, docs)
    for name in sets:
        yield from _set_measure(evaluation, name)
    for name in alone:
        measure = ANY_MEASURES[name]
        yield f"### {titled(measure)}"
        words = f"{titled(measure)}{DIRECTIONS[measure.sign]}"
        yield caption(evaluation, words, f"mean ± half of the {LEVEL} % interval")
        yield table(("", *evaluation.pairs.distinct_columns), [truth_row(summary, name)])


def _papers(summary: Summary) -> Iterator[str]:
    evaluation = summary.evaluation
    measured = {*evaluation.measures} & {*ADAPTOR_MEASURES}
    met = [adaptor for adaptor in ADAPTORS.values() if any(name in measured for _, name in adaptor.rows)]
    if not met:
        return
    yield "## As papers print it"
    yield (
        "Definitions of published papers and programs, under the labels that they print. Pictures and masks are this "
        "protocol's: the numbers compare models within this report, not with a paper's tables."
    )
    for adaptor in met:
        yield from _adaptor(summary, adaptor)


def _adaptor(summary: Summary, adaptor: Adaptor) -> Iterator[str]:
    evaluation = summary.evaluation
    columns = evaluation.pairs.distinct_columns
    rows: list[Sequence[str]] = []
    for label, name in adaptor.rows:
        if name in evaluation.measures:
            rows += [
                (label, escaped(model.name), *(cell(summary, model.name, name, column) for column in columns))
                for model in evaluation.models
            ]
        elif name in evaluation.set_measures:
            rows += [
                (label, escaped(model.name), *(set_cell(evaluation, model, name, column) for column in columns))
                for model in evaluation.models
            ]
        else:
            rows.append((label, f"*{not_measured(name)}*", *(MISSING for _ in columns)))
    yield f"### {adaptor.title[:1].upper()}{adaptor.title[1:]}"
    measured = [name for _, name in adaptor.rows if name in evaluation.measures]
    yield caption(evaluation, adaptor.title, how_to_read(summary, measured, columns))
    yield table(("printed there as", "model", *columns), rows, words=2)
    yield adaptor.note


def _couples(summary: Summary, docs: bool) -> Iterator[str]:
    evaluation = summary.evaluation
    names = [model.name for model in evaluation.models]
    shown = [name for name in headlines(evaluation) if MEASURES[name].sign]
    if len(names) < 2 or not shown:
        return
    yield "## Model against model"
    for name in shown:
        measure = MEASURES[name]
        couples = [(first, second) for place, first in enumerate(names) for second in names[place + 1 :]]
        which = "first model of every two"
        if len(couples) > ALL_COUPLES:
            # Nobody is best if all were measured on different pairs.
            best = (best_models(summary, name, ALL) or names)[0]
            couples = [(best, other) for other in names if other != best]
            which = "best model" if best_models(summary, name, ALL) else "first model"
        yield f"### Differences in {titled(measure)}"
        if not docs:
            words = f"{measure.title}: every model against {names[0]}; the numbers are in differences.csv"
            yield f"![{escaped(words)}]({PLOTS}/{name}-differences.svg)"
        words = f"over all pairs: by how much the {which} is better, with its {LEVEL} % interval"
        untested = told_of_couples([summary.difference(*couple, name) for couple in couples])
        marks = "" if untested == TOO_FEW else "**Bold** = significant after correction, see below"
        yield caption(evaluation, titled(measure), words, marks, untested)
        yield table(
            ("first", "second", "first is better by", "interval", "p"),
            (_couple(summary, first, second, name) for first, second in couples),
            words=2,
        )
    if not docs:
        yield "Every two models in every measure and bin are in `differences.csv`."


def _couple(summary: Summary, first: str, second: str, name: str) -> tuple[str, ...]:
    found = summary.difference(first, second, name)
    digits = MEASURES[name].digits
    value = number(found.estimate.mean, digits, plus=True)
    return (
        escaped(first),
        escaped(second),
        f"**{value}**" if found.significant else value,
        interval(found.estimate, digits, plus=True),
        p_value(found.p),
    )


def _times(evaluation: Evaluation) -> Iterator[str]:
    timed = [(model.name, model.timing) for model in evaluation.models if model.timing is not None]
    if not timed:
        return
    yield "## Time and memory"
    words = (
        "wall-clock time of one fill, measured apart from everything else; memory of the whole process, Python included"
    )
    yield caption(evaluation, words)
    rows: list[Sequence[str]] = []
    for name, timing in timed:
        slow, middle = np.percentile(timing.seconds, (95, 50)) if len(timing.seconds) else (math.nan, math.nan)
        numbers = (
            number(1000 * middle, 0),
            number(1000 * slow, 0),
            f"{len(timing.seconds):,}",
            number(timing.load_seconds, 2),
            number(timing.peak_mb, 0),
            number(timing.peak_mb - timing.idle_mb, 0),
            f"{timing.threads}",
        )
        rows.append((escaped(name), escaped(timing.machine), *numbers))
    heads = ("median, ms", "95th percentile, ms", "fills", "to load, s", "peak, MiB", "of it the model, MiB", "threads")
    yield table(("model", "machine", *heads), rows, words=2)


def _definitions(evaluation: Evaluation) -> Iterator[str]:
    names = [
        *evaluation.measures,
        *evaluation.set_measures,
        *(name for name in evaluation.truth if name not in evaluation.measures),
    ]
    if not names:
        return
    yield "## Definitions"
    yield IN_FORMULAS
    yield items(
        f"**{titled(measure)}** (`{name}`{DIRECTIONS[measure.sign]}): {measure.definition} Source: {measure.source}."
        for name in names
        for measure in ({**ANY_MEASURES, **SET_MEASURES}[name],)
    )


def _made(summary: Summary, docs: bool) -> Iterator[str]:
    evaluation = summary.evaluation
    yield "## How the numbers were made"
    lines = [
        *how_made(summary),
        "Computed with "
        + ", ".join(f"{name} {version}" for name, version in sorted(evaluation.versions.items()))
        + ".",
    ]
    if not docs:
        lines.append(
            "The same numbers in full: `tables.csv` (means), `differences.csv` (every two models), `pairs.csv` (every "
            "pair), `report.json` (everything but the pairs)."
        )
    yield items(lines)


def _detects(name: str) -> bool:
    return name in ANY_MEASURES and ANY_MEASURES[name].needs == "detector"
