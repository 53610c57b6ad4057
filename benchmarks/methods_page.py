"""Write what `methods.py` measured as one page: tables in the papers' shape, budgets, costs. Measures nothing."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mendpix.evaluation.markdown import markdown
from mendpix.evaluation.markdown_parts import caption, cell, escaped, how_to_read, set_cell, table, titled
from mendpix.evaluation.measures import MEASURES, SET_MEASURES
from mendpix.evaluation.statistics import Summary

PAPER = {  # GDN, Table 1, Places2
    "gdn-l1": {
        "PConv": (1.27, 3.07, 5.16, 7.37, 9.94, 14.14),
        "PEN-Net": (1.11, 2.96, 5.25, 7.59, 10.19, 13.95),
        "GConv": (1.00, 2.71, 4.98, 7.44, 10.22, 14.97),
        "GDN": (1.00, 2.36, 4.09, 5.98, 8.18, 12.10),
    },
    "gdn-psnr": {
        "PConv": (31.99, 27.27, 24.79, 23.07, 21.58, 19.56),
        "PEN-Net": (33.24, 27.72, 24.85, 23.04, 21.58, 19.84),
        "GConv": (34.05, 28.26, 25.00, 22.84, 21.16, 18.88),
        "GDN": (33.51, 29.43, 26.64, 24.68, 23.04, 20.74),
    },
    "gdn-ssim": {
        "PConv": (0.961, 0.917, 0.866, 0.809, 0.738, 0.615),
        "PEN-Net": (0.975, 0.929, 0.867, 0.801, 0.723, 0.605),
        "GConv": (0.978, 0.936, 0.876, 0.808, 0.730, 0.594),
        "GDN": (0.977, 0.949, 0.907, 0.856, 0.792, 0.665),
    },
}
"""What the papers' authors report of fully trained networks, on other pictures and masks of the same kind."""

DIGITS = {"gdn-l1": 2, "gdn-psnr": 2, "gdn-ssim": 3}

SET_MEASURE = "frechet-squeezenet"
"""Stands where the paper has its FID."""


def write_page(
    summary: Summary,
    described: Mapping[str, Mapping[str, Any]],
    costs: Mapping[str, Mapping[str, Mapping[str, float | None]]],
    names: Mapping[str, str],
    shown: Sequence[str],
    minutes: float,
) -> str:
    """Write the page.

    Args:
        summary: What was measured.
        described: Recipe -> facts of its run: step, pictures_seen, spent_s, torch.
        costs: Network -> size (full, small) -> parameters, gmacs, milliseconds; empty if they were not measured.
        names: Recipe -> what the tables call it.
        shown: Measures of the first tables.
        minutes: Processor time that each run was given.

    Returns:
        Markdown, ending in a line break.
    """
    blocks = [
        "# The published methods, side by side",
        f"Written by `python benchmarks/methods.py`; do not edit. Seven published methods and GDN, each in a form of "
        f"about 0.4 million parameters, each trained from nothing for {minutes:g} minutes of processor time with its "
        "own objective on the same pictures and holes, then measured on the same pairs; beside them the model that "
        "ships and the classical fills. [What that shows, and what not](README.md#the-published-methods).",
        "## In the shape of the papers' tables",
        *_tables(summary, shown),
        "## Budgets",
        _budgets(described, names),
        "## Costs at 256²",
        *_costs(costs),
        "## Everything that was measured",
        markdown(summary, docs=True).rstrip("\n"),
    ]
    return "\n\n".join(blocks) + "\n"


def _tables(summary: Summary, shown: Sequence[str]) -> Iterator[str]:
    """Write one table by bins for each measure, and what the paper's authors report below it, in italics."""
    evaluation = summary.evaluation
    columns = evaluation.pairs.distinct_columns
    yield (
        "In italics, for orientation only, the numbers of GDN's Table 1 (Places2): networks of full size, trained for "
        "days, other pictures. They say how far a small form with a small budget is from the published method, not "
        "which method is better."
    )
    for name in shown:
        yield f"### {titled(MEASURES[name])}"
        yield caption(evaluation, titled(MEASURES[name]), how_to_read(summary, (name,), columns))
        rows = [
            (escaped(model.name), *(cell(summary, model.name, name, column) for column in columns))
            for model in evaluation.models
        ]
        for label, values in PAPER.get(name, {}).items():
            numbers = [f"*{value:.{DIGITS[name]}f}*" for value in values]
            rows.append((f"*{label}, paper*", *numbers, *["–"] * (len(columns) - len(numbers))))
        yield table(("model", *columns), rows)
    if SET_MEASURE in evaluation.set_measures:
        measure = SET_MEASURES[SET_MEASURE]
        yield f"### {titled(measure)}"
        yield caption(
            evaluation,
            f"{titled(measure)}, less is better",
            "one number for all pairs of a column; a column with too few pairs is left out",
        )
        rows = [
            (escaped(model.name), *(set_cell(evaluation, model, SET_MEASURE, column) for column in columns))
            for model in evaluation.models
        ]
        full = [0, *(place for place in range(1, len(columns) + 1) if any(row[place] != "–" for row in rows))]
        yield table([("model", *columns)[place] for place in full], ([row[place] for place in full] for row in rows))


def _budgets(described: Mapping[str, Mapping[str, Any]], names: Mapping[str, str]) -> str:
    """Say what each run had."""
    return table(
        ("method", "recipe", "processor minutes", "steps", "samples of 128²"),
        (
            (
                names[name],
                f"[{name}-small](../../recipes/{name}-small.toml)",
                f"{facts['spent_s'] / 60:.1f}",
                f"{facts['step']:,}",
                f"{facts['pictures_seen']:,}",
            )
            for name, facts in described.items()
        ),
        words=2,
    )


def _costs(costs: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> Iterator[str]:
    """Say what each network costs."""
    if not costs:
        yield "Not measured yet: `python benchmarks/methods.py --only cost`."
        return
    yield (
        "Generators, and the classical fills. Multiply-accumulates of convolutions and matrix products in one run. "
        "Time: one processor thread, median of rounds in which all take turns, on a corner of examples/photo.jpg with "
        "a hole of 128 × 96 px; networks on ONNX Runtime in float32, the run alone, without Canny's edges, first "
        "fills, padding or files. Full = the published sizes, with random weights (scenes: the size that ships); small "
        "= as trained here."
    )
    yield table(
        ("model", "parameters, full", "GMAC", "ms", "parameters, small", "GMAC", "ms"),
        (
            (name, *(text for size in ("full", "small") for text in _cost(sizes.get(size))))
            for name, sizes in costs.items()
        ),
    )


def _cost(cost: Mapping[str, float | None] | None) -> tuple[str, str, str]:
    if cost is None:
        return "–", "–", "–"
    time = f"{cost['milliseconds']:,.0f}"
    if cost["parameters"] is None or cost["gmacs"] is None:
        return "–", "–", time
    return f"{cost['parameters']:,.0f}", f"{cost['gmacs']:.2f}", time
