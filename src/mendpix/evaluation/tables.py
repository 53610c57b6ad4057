"""Write everything that an evaluation found into files: Markdown, CSV, JSON and plots. Computes no statistics.

The same summary gives the same bytes: no times of day, no dates, nothing of the machine beyond what was measured.
"""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mendpix.atomic_files import atomic_write
from mendpix.errors import OutputError
from mendpix.evaluation.markdown import markdown
from mendpix.evaluation.measures import SET_MEASURES, Measure, SetMeasure
from mendpix.evaluation.number_format import for_csv, for_json
from mendpix.evaluation.plots import TRUTH, write_plots
from mendpix.evaluation.results import NOT_COUNTED, Evaluation, Measured, Timing
from mendpix.evaluation.statistics import ANY_MEASURES, LEVEL, Difference, Estimate, Summary

__all__ = ["markdown", "write_tables"]

TRUTH_IN_CSV = f"({TRUTH})"
"""Stands for a model where a line is of the untouched pictures."""


def write_tables(summary: Summary, folder: Path) -> list[Path]:
    """Write ``report.md``, ``tables.csv``, ``differences.csv``, ``pairs.csv``, ``report.json`` and ``plots/``.

    Each file is written whole or not at all. The protocol's id is the first column of every CSV.

    Args:
        summary: What was found.
        folder: Where the files go; made if it is not there.

    Returns:
        The files.

    Raises:
        OutputError: If a file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"tables must go into a folder; {folder} cannot be made ({error.strerror or error}). Choose another place."
        ) from error
    with atomic_write(folder / "report.md") as temporary:
        temporary.write_text(markdown(summary), "utf-8")
    protocol = summary.evaluation.protocol_id
    head = ("model", "measure", "column", "pairs", "mean", "low", "high")
    _write_csv(folder / "tables.csv", protocol, head, _means(summary))
    _write_csv(
        folder / "differences.csv",
        protocol,
        ("first", "second", "measure", "column", "pairs", "difference", "low", "high", "p", "significant"),
        _differences(summary),
    )
    measures = _pair_measures(summary.evaluation)
    head = ("pair", "picture", "bin", "hole_share", "model", "altered", *measures)
    _write_csv(folder / "pairs.csv", protocol, head, _pairs(summary.evaluation, measures))
    with atomic_write(folder / "report.json") as temporary, temporary.open("w", encoding="utf-8") as file:
        json.dump(_report(summary), file, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
        file.write("\n")
    names = ("report.md", "tables.csv", "differences.csv", "pairs.csv", "report.json")
    return [*(folder / name for name in names), *write_plots(summary, folder)]


def _write_csv(path: Path, protocol: str, head: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("protocol", *head))
        writer.writerows((protocol, *line) for line in lines)


def _means(summary: Summary) -> Iterator[tuple[object, ...]]:
    evaluation = summary.evaluation
    columns = evaluation.pairs.columns
    counts = dict(zip(columns, _counts(evaluation), strict=True))
    for model in evaluation.models:
        for measure in evaluation.measures:
            for column in columns:
                yield (model.name, measure, column, *_in_csv(summary.means[model.name][measure][column]))
        for measure in evaluation.set_measures:
            for column in columns:
                value = model.set_values.get(measure, {}).get(column, float("nan"))
                yield model.name, measure, column, counts[column], for_csv(value), "", ""
    for measure, found in summary.truth.items():
        for column in columns:
            yield (TRUTH_IN_CSV, measure, column, *_in_csv(found[column]))


def _differences(summary: Summary) -> Iterator[tuple[object, ...]]:
    for (first, second), by_measure in summary.differences.items():
        for measure, by_column in by_measure.items():
            for column, found in by_column.items():
                holds = "" if math.isnan(found.p) else "yes" if found.significant else "no"
                yield (first, second, measure, column, *_in_csv(found.estimate), for_csv(found.p), holds)


def _pair_measures(evaluation: Evaluation) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*evaluation.measures, *evaluation.truth)))


def _pairs(evaluation: Evaluation, measures: Sequence[str]) -> Iterator[tuple[object, ...]]:
    """Yield a line per pair and model, and one of the untouched picture if anything was measured of it."""
    pairs = evaluation.pairs
    rows: list[tuple[str, Mapping[str, Any], Sequence[object] | None]] = [
        (model.name, model.values, _altered(model)) for model in evaluation.models
    ]
    if evaluation.truth:
        rows.insert(0, (TRUTH_IN_CSV, evaluation.truth, None))
    for number, key in enumerate(pairs.keys):
        where = (
            key,
            int(pairs.pictures[number]),
            pairs.bin_names[pairs.bins[number]],
            repr(float(pairs.hole_shares[number])),
        )
        for name, values, altered in rows:
            numbers = (for_csv(values[measure][number]) if measure in values else "" for measure in measures)
            yield (*where, name, "" if altered is None else altered[number], *numbers)


def _altered(model: Measured) -> list[object]:
    """Return how many known pixels were altered, per pair; nothing where they were not counted."""
    return ["" if count == NOT_COUNTED else count for count in model.altered.tolist()]


def _counts(evaluation: Evaluation) -> list[int]:
    pairs = evaluation.pairs
    return [*np.bincount(pairs.bins, minlength=len(pairs.bin_names)).tolist(), len(pairs.keys)]


def _in_csv(estimate: Estimate) -> tuple[object, ...]:
    return estimate.pairs, for_csv(estimate.mean), for_csv(estimate.low), for_csv(estimate.high)


def _report(summary: Summary) -> dict[str, Any]:
    """Return everything but the values of single pairs, for JSON."""
    evaluation = summary.evaluation
    pairs = evaluation.pairs
    names = [*evaluation.measures, *evaluation.set_measures, *evaluation.truth]
    described = {**ANY_MEASURES, **SET_MEASURES}
    return {
        "protocol": {
            "name": evaluation.protocol_name,
            "id": evaluation.protocol_id,
            "facts": list(evaluation.protocol_facts),
        },
        "pairs": {
            "columns": list(pairs.columns),
            "count": dict(zip(pairs.columns, _counts(evaluation), strict=True)),
            "pictures": len(np.unique(pairs.pictures)),
        },
        "statistics": {
            "level_percent": LEVEL,
            "resamples": summary.resamples,
            "seed": summary.seed,
            "sign_flips": summary.flips,
            "comparisons": summary.comparisons,
            "least_pictures": summary.least_pictures,
            "least_p": {column: for_json(p) for column, p in summary.least_p.items()},
        },
        "versions": dict(evaluation.versions),
        "measures": {name: _described(described[name]) for name in names},
        "models": [_model(summary, model) for model in evaluation.models],
        "truth": {
            measure: {column: _estimate(each) for column, each in found.items()}
            for measure, found in summary.truth.items()
        },
        "differences": [
            {
                "first": first,
                "second": second,
                "measures": {
                    measure: {column: _difference(each) for column, each in by_column.items()}
                    for measure, by_column in by_measure.items()
                },
            }
            for (first, second), by_measure in summary.differences.items()
        ],
    }


def _described(measure: Measure | SetMeasure) -> dict[str, Any]:
    return {
        "title": measure.title,
        "unit": measure.unit,
        "digits": measure.digits,
        "sign": measure.sign,
        "definition": measure.definition,
        "source": measure.source,
    }


def _model(summary: Summary, model: Measured) -> dict[str, Any]:
    return {
        "name": model.name,
        "source": model.source,
        "mark": model.mark,
        "altered": {
            "pairs": model.altered_pairs if model.counted_pairs else None,
            "pixels": model.altered_pixels if model.counted_pairs else None,
            "counted_pairs": model.counted_pairs,
        },
        "means": {
            measure: {column: _estimate(each) for column, each in found.items()}
            for measure, found in summary.means[model.name].items()
        },
        "sets": {
            measure: {column: for_json(value) for column, value in found.items()}
            for measure, found in model.set_values.items()
        },
        "timing": None if model.timing is None else _timing(model.timing),
    }


def _timing(timing: Timing) -> dict[str, Any]:
    return {
        "seconds": [for_json(value) for value in timing.seconds.tolist()],
        "load_seconds": for_json(timing.load_seconds),
        "peak_mb": for_json(timing.peak_mb),
        "idle_mb": for_json(timing.idle_mb),
        "threads": timing.threads,
        "machine": timing.machine,
    }


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return {
        "mean": for_json(estimate.mean),
        "low": for_json(estimate.low),
        "high": for_json(estimate.high),
        "pairs": estimate.pairs,
    }


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        **_estimate(difference.estimate),
        "p": for_json(difference.p),
        "significant": None if math.isnan(difference.p) else difference.significant,
        "too_few_pictures": difference.too_few,
    }
