"""Write what `paper_protocol.py` measured as tables, verdicts and plots. Measures nothing and judges by the rule alone.

Run from the root of the checkout::

    python benchmarks/paper_tables.py --rows runs/paper/rows --runs runs/paper/runs.json --out docs/paper
"""

import argparse
import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from mendpix.atomic_files import atomic_write
from mendpix.errors import DataError, MendpixError
from paper_plot import draw_findings
from paper_protocol import BINS, DETECTOR_EVERY, SETS, SETTINGS, read_rows
from paper_statistics import (
    CLAIMS,
    COLUMNS,
    FAILS,
    HOLDS,
    LEVEL,
    LIMITS,
    METRICS,
    NOISE,
    REPEATED,
    REVERSED,
    RULE,
    UNKNOWN,
    Comparison,
    Estimates,
    Finding,
    Rows,
    compare,
)

Runs = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Set -> setting -> facts of its training: steps, pictures_seen, spent_s, seed, parameters, device, finished."""

VERDICTS = (HOLDS, REVERSED, FAILS, NOISE, UNKNOWN)

SETTINGS_IN_ORDER = ("navier-stokes", "weight", "adv", "det", "focal", "bce", "ce", "linear", "base-e")

FRAMEWORKS = {"navier-stokes": "Navier–Stokes", "weight": "Weight", "adv": "Adv", "det": "Det"}
LOSSES = {"ce": "CE", "bce": "BCE", "focal": "Focal", "det": "Focal again (Det)"}
MAPPINGS = {"linear": "linear", "base-e": "base e", "det": "base 10 (Det)", "focal": "base 10 again (Focal)"}
DETECTORS = {
    "weight": "Weight",
    "adv": "Adv",
    "ce": "CE",
    "bce": "BCE",
    "focal": "Focal",
    "det": "Det (Focal again)",
    "linear": "linear",
    "base-e": "base e",
}

PAPER_NAMES = {
    "faces": "paper, CelebA-HQ, 100 epochs on 27 K pictures",
    "scenes": "paper, Places2, 100 epochs on 60 K pictures",
}
PAPER_DET = {  # Table 1, row "Ours"
    "faces": {
        "l1": (0.69, 1.62, 2.82, 4.28, 6.06, 10.05),
        "psnr": (36.37, 32.02, 29.13, 26.81, 24.89, 21.79),
        "ssim51": (0.990, 0.977, 0.958, 0.930, 0.894, 0.793),
    },
    "scenes": {
        "l1": (1.00, 2.36, 4.09, 5.98, 8.18, 12.10),
        "psnr": (33.51, 29.43, 26.64, 24.68, 23.04, 20.74),
        "ssim51": (0.977, 0.949, 0.907, 0.856, 0.792, 0.665),
    },
}
PAPER_LOSSES = {  # Table 2, CelebA-HQ
    "psnr": {
        "CE": (35.88, 31.77, 28.9, 26.56, 24.64, 21.49),
        "BCE": (36.29, 31.88, 28.95, 26.6, 24.67, 21.49),
        "Focal": (36.37, 32.02, 29.13, 26.81, 24.89, 21.79),
    },
    "ssim51": {
        "CE": (0.989, 0.976, 0.956, 0.927, 0.890, 0.784),
        "BCE": (0.990, 0.976, 0.956, 0.927, 0.889, 0.784),
        "Focal": (0.990, 0.977, 0.958, 0.930, 0.894, 0.793),
    },
}
PAPER_DIGITS = {"l1": 2, "psnr": 2, "ssim51": 3}
PAPER_EDGES = "10.14 % (truth), 8.61 % (linear), 8.72 % (base e), 9.39 % (base 10)"

INTRODUCTION = f"""\
# The paper's comparisons, repeated at a small budget

Written by `benchmarks/paper.py`; numbers and verdicts are computed, not typed. Every setting was trained from the
start and then filled the same pairs of pictures and masks; budgets and counts are below. Small figures are {LEVEL} %
intervals (bootstrap over the pictures). In italics, for orientation only, stand the paper's own numbers: another
budget, other pictures, other masks of the same kind. Its Table 1 compares the paper's Det with networks of others; for
Weight and Adv it gives no numbers. Its FID is not measured here (100 pictures a bin are far too few for one); the
SqueezeNet feature distance stands in its place and cannot be compared with it."""


def write_tables(rows_folder: Path, runs: Runs, out: Path) -> None:
    """Write ``tables.md``, ``tables.csv`` and a plot per set.

    Args:
        rows_folder: Holds ``<set>/<setting>.jsonl`` as `paper_protocol.measure` writes them; some may be missing.
        runs: Facts of the trainings, for the header; may lack any of them.
        out: Folder for the results; made if it does not exist.

    Raises:
        DataError: If there are no rows, a file of rows is broken, or rows were measured by different protocols.
        OutputError: If a result cannot be written.
    """
    measured = {name: found for name in SETS if (found := read_set(rows_folder / name))}
    if not measured:
        raise DataError(
            f"{rows_folder} must hold measured rows in {' or '.join(SETS)}; it holds none. Measure a model first."
        )
    out.mkdir(parents=True, exist_ok=True)
    comparisons: dict[str, Comparison] = {}
    chapters: list[str] = []
    for name, (rows, protocol) in measured.items():
        comparison = comparisons[name] = compare(rows, repeated=_repeated(runs.get(name, {})))
        plot = f"differences-{name}.png"
        title = f"{name}, all bins: right = as the paper says, grey = seed noise"
        draw_findings(comparison.findings, out / plot, title)
        chapters.extend(_chapter(name, rows, protocol, comparison, runs.get(name, {}), plot))
    parts = [
        INTRODUCTION,
        "## In short",
        *(count_sentence(name, comparison.findings) for name, comparison in comparisons.items()),
        _bullets(verdict_sentences(comparisons)),
        f"## How a verdict is come by\n\n{RULE}\n\n{LIMITS}",
        *chapters,
        f"## How this was measured\n\n{_bullets(SETTINGS.splitlines())}",
    ]
    with atomic_write(out / "tables.md") as temporary:
        temporary.write_text("\n\n".join(parts) + "\n", "utf-8")
    with atomic_write(out / "tables.csv") as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("set", "kind", "metric", "setting", "against", "bin", "mean", "low", "high", "pairs"))
        writer.writerows(line for name, comparison in comparisons.items() for line in _csv_lines(name, comparison))


def read_set(folder: Path) -> tuple[Rows, str] | None:
    """Read the rows of one set.

    Returns:
        Rows by setting, in the order of the tables, and the protocol's identity; None if there are none.

    Raises:
        DataError: If a file is broken or holds several models, or protocols differ.
    """
    files = {path.stem: path for path in sorted(folder.glob("*.jsonl"))}
    names = [name for name in SETTINGS_IN_ORDER if name in files]
    rows: dict[str, dict[str, Mapping[str, Any]]] = {}
    protocols: dict[str, str] = {}
    for name in names:
        lines = read_rows(files[name])
        for kind in ("mark", "protocol"):
            met = sorted({line[kind] for line in lines})
            if len(met) > 1:
                raise DataError(
                    f"the rows of {files[name]} must come from one model and protocol; got {kind} {', '.join(met)}. "
                    "Measure again: rows of the others are then dropped."
                )
        if lines:
            protocols[name] = lines[0]["protocol"]
            rows[name] = {
                line["pair"]: {"bin": line["bin"], "picture": line["picture"], **line["metrics"]} for line in lines
            }
    if len(set(protocols.values())) > 1:
        told = ", ".join(f"{name} by {protocol}" for name, protocol in protocols.items())
        raise DataError(f"all settings in {folder} must be measured by one protocol; got {told}. Measure again.")
    return (rows, next(iter(protocols.values()))) if rows else None


def table(
    comparison: Comparison,
    metrics: Sequence[str],
    labels: Mapping[str, str],
    paper: Mapping[str, Mapping[str, Sequence[float]]],
) -> str:
    """Return a table with a block of rows per metric, a row per setting and the paper's rows below.

    Args:
        comparison: What is known of a set.
        metrics: Which metrics, from top to bottom.
        labels: Settings and what they are called here.
        paper: Metric -> label -> the paper's number for each bin.
    """
    lines = _heading("measure", "setting")
    for metric in metrics:
        title = _title(metric)
        for model, label in labels.items():
            estimates = comparison.means.get(model, {}).get(metric, {})
            if estimates:
                lines.append(_line(title, label, (_cell(estimates, column, metric) for column in COLUMNS)))
                title = ""
        if metric == "edges" and comparison.truth_edges:
            truth = (_cell(comparison.truth_edges, column, metric) for column in COLUMNS)
            lines.append(_line(title, "*true pictures*", truth))
        for label, values in paper.get(metric, {}).items():
            numbers = [f"*{value:.{PAPER_DIGITS[metric]}f}*" for value in (*values, float(np.mean(values)))]
            lines.append(_line(title, f"*{label}*", numbers))
    return "\n".join(lines)


def differences_table(comparison: Comparison, metrics: Sequence[str]) -> str:
    """Return a table of paired differences with a block per metric; positive = the first is better."""
    lines = _heading("measure", "difference")
    for metric in metrics:
        title = METRICS[metric].title
        for (first, second), by_metric in comparison.differences.items():
            if by_metric[metric]:
                label = f"{first} − {second}"
                label = f"**{label}** (seed)" if (first, second) == REPEATED else label
                cells = (_cell(by_metric[metric], column, metric, plus=True) for column in COLUMNS)
                lines.append(_line(title, label, cells))
                title = ""
    return "\n".join(lines)


def findings_table(findings: Iterable[Finding]) -> str:
    """Return a table with the paper's statements, what was measured of each, and the verdict."""
    lines = [
        "| statement | measure | difference, all bins | seed noise | bins | verdict |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    words = ""
    for finding in findings:
        title = finding.claim.words if finding.claim.words != words else ""
        words = finding.claim.words
        digits = METRICS[finding.metric].digits
        noise = "–" if finding.noise is None else f"{finding.noise['all'].farthest:.{digits}f}"
        cell = _cell(finding.difference, "all", finding.metric, plus=True)
        columns = [column for column in COLUMNS[:-1] if column in finding.difference]
        held = f"{sum(finding.verdict(column) == HOLDS for column in columns)}/{len(columns)}" if columns else "–"
        lines.append(f"| {title} | {METRICS[finding.metric].title} | {cell} | {noise} | {held} | {finding.verdict()} |")
    return "\n".join(lines)


def seed_sentence(comparison: Comparison, seeds: Sequence[object] = ()) -> str:
    """Say in words how far two runs of one setting are apart, and which differences are no larger."""
    noise = next((finding.noise for finding in comparison.findings if finding.noise), None)
    if noise is None:
        return (
            f"Seed noise unknown: it takes {REPEATED[0]} and {REPEATED[1]}, one setting trained with two seeds, both "
            "measured. Without it, no difference below proves anything, and there are no verdicts."
        )
    apart = comparison.differences[REPEATED]
    told = ", ".join(
        f"{_with_unit(abs(apart[metric]['all'].mean), metric)} in {METRICS[metric].name}"
        for metric in ("psnr", "ssim51", "l1", "features", "edges")
    )
    with_seeds = f" (seeds {' and '.join(map(str, seeds))})" if seeds else ""
    small = [finding for finding in comparison.findings if finding.verdict() == NOISE]
    judged = [finding for finding in comparison.findings if finding.verdict() != UNKNOWN]
    text = (
        f"Two runs of one and the same setting, {REPEATED[0]} and {REPEATED[1]}{with_seeds}, differ by {told} over all "
        f"bins. A difference between settings that is no larger proves nothing. Of the {len(judged)} differences "
        f"judged here, "
    )
    if not small:
        return text + "none is that small."
    names = _by_claim(small)
    return f"{text}{len(small)} {'is' if len(small) == 1 else 'are'} that small: {names}."


def verdict_sentences(comparisons: Mapping[str, Comparison]) -> list[str]:
    """Say in words, statement by statement, what became of it on each set."""
    sentences: list[str] = []
    for claim in CLAIMS:
        parts: list[str] = []
        for name, comparison in comparisons.items():
            by_verdict: dict[str, list[str]] = {}
            for finding in comparison.findings:
                if finding.claim == claim:
                    by_verdict.setdefault(finding.verdict(), []).append(METRICS[finding.metric].name)
            told = "; ".join(
                f"**{verdict}** ({', '.join(by_verdict[verdict])})" for verdict in VERDICTS if verdict in by_verdict
            )
            parts.append(f"{name}: {told}")
        sentences.append(f"{claim.words} (paper: {claim.source}). {'. '.join(parts)}.")
    return sentences


def count_sentence(name: str, findings: Sequence[Finding]) -> str:
    """Say how many comparisons of a set came to which verdict."""
    verdicts = Counter(finding.verdict() for finding in findings)
    told = ", ".join(f"{verdicts[verdict]} × {verdict}" for verdict in VERDICTS if verdicts[verdict])
    return f"{name.capitalize()}: {len(findings)} comparisons, {told}."


def budget_table(rows: Rows, runs: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what each setting's training had, and in words whether it was equal."""
    lines = [
        "| setting | steps | pictures seen | minutes | seed | parameters | pairs |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    most = max(map(len, rows.values()))
    for name in SETTINGS_IN_ORDER:
        facts = runs.get(name, {})
        if name not in rows and not facts:
            continue
        minutes = f"{facts['spent_s'] / 60:.0f}" if "spent_s" in facts else "–"
        count = len(rows.get(name, {}))
        cells = [_thousands(facts.get(key)) for key in ("steps", "pictures_seen")]
        cells += [minutes, str(facts.get("seed", "–")), _thousands(facts.get("parameters"))]
        pairs = f"{count}" if count == most else f"**{count}** of {most}"
        note = "" if facts.get("finished", True) else " (not finished)"
        lines.append(f"| {name}{note} | {' | '.join(cells)} | {pairs} |")
    return "\n".join(lines) + "\n\n" + _budget_words(runs)


def _chapter(
    name: str,
    rows: Rows,
    protocol: str,
    comparison: Comparison,
    runs: Mapping[str, Mapping[str, Any]],
    plot: str,
) -> Iterator[str]:
    findings = comparison.findings
    seeds = [runs[model]["seed"] for model in REPEATED if "seed" in runs.get(model, {})]
    yield f"## {name.capitalize()}"
    yield f"Protocol `{protocol}`, {max(map(len, rows.values()))} pairs."
    if name == "scenes":
        yield "Each bin has other pictures here: compare settings within a column, not columns with each other."
    yield budget_table(rows, runs)
    yield f"### {name.capitalize()}: what holds"
    yield seed_sentence(comparison, seeds)
    yield findings_table(findings)
    yield (
        "Difference: by how much the first is better, with its interval (edge ratio: how much more it has; its error: "
        "by how much nearer it is to that of the true pictures). "
        "Bins: in how many the statement holds by the same rule with the bin's own seed noise."
    )
    yield f"![{name}: differences with intervals, grey = seed noise]({plot})"
    yield f"### {name.capitalize()}: Table 1, frameworks"
    label, _, budget = PAPER_NAMES[name].partition(", 100")
    yield f"*{label}*: its Det, 100{budget}; for orientation only."
    paper = {metric: {label: values} for metric, values in PAPER_DET[name].items()}
    yield table(comparison, ("l1", "psnr", "ssim51", "ssim11", "features"), FRAMEWORKS, paper)
    yield f"### {name.capitalize()}: Table 2, losses of the detector"
    losses = {
        metric: {f"paper, {loss}": values for loss, values in by_loss.items()}
        for metric, by_loss in PAPER_LOSSES.items()
    }
    if name == "faces":
        yield f"*{label}*: 100{budget}; for orientation only."
    else:
        yield "The paper has this table for faces only."
    yield table(comparison, ("psnr", "ssim51"), LOSSES, losses if name == "faces" else {})
    yield f"### {name.capitalize()}: Table 3, mappings"
    yield f"The paper gives edge ratios of one single picture (Fig. 3): {PAPER_EDGES}."
    yield table(comparison, ("psnr", "ssim51", "edges", "edges_off", "features"), MAPPINGS, {})
    if any("auc" in row for kept in rows.values() for row in kept.values()):
        yield f"### {name.capitalize()}: how well each detector finds the hole"
        yield f"In the raw prediction of its own generator, on the pairs of every {DETECTOR_EVERY}th mask."
        yield table(comparison, ("auc",), DETECTORS, {})
    yield f"### {name.capitalize()}: differences bin by bin"
    yield "Pair by pair; positive = the first is better (edge ratio: has more). **Seed** = two runs of one setting."
    yield differences_table(comparison, ("psnr", "ssim51", "l1", "features", "edges", "edges_off"))


def _repeated(runs: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return False if the two runs of one setting are known to have had the same seed."""
    seeds = [runs.get(model, {}).get("seed") for model in REPEATED]
    return None in seeds or seeds[0] != seeds[1]


def _budget_words(runs: Mapping[str, Mapping[str, Any]]) -> str:
    listed = [facts for name, facts in runs.items() if name in SETTINGS_IN_ORDER]
    if not listed:
        return "The budget is not known: no facts of the trainings were given."
    devices = sorted({str(facts["device"]) for facts in listed if "device" in facts})
    machine = f" Device: {', '.join(devices)}." if devices else ""
    unequal = [
        f"{word} from {_thousands(min(values))} to {_thousands(max(values))}"
        for key, word in (("steps", "steps"), ("pictures_seen", "pictures seen"), ("parameters", "parameters"))
        if len(values := [facts[key] for facts in listed if key in facts]) and min(values) != max(values)
    ]
    if unequal:
        return f"**The budgets are not equal**: {'; '.join(unequal)}.{machine}"
    return f"All settings had the same number of steps, pictures and parameters.{machine}"


def _by_claim(findings: Iterable[Finding]) -> str:
    grouped: dict[str, list[str]] = {}
    for finding in findings:
        grouped.setdefault(finding.claim.words, []).append(METRICS[finding.metric].name)
    return "; ".join(f"{words} in {', '.join(names)}" for words, names in grouped.items())


def _csv_lines(name: str, comparison: Comparison) -> Iterator[tuple[object, ...]]:
    def lines(kind: str, metric: str, setting: str, against: str, estimates: Estimates) -> Iterator[tuple[object, ...]]:
        for column, found in estimates.items():
            numbers = (f"{value:.6g}" for value in (found.mean, found.low, found.high))
            yield (name, kind, metric, setting, against, column, *numbers, found.pairs)

    for model, by_metric in comparison.means.items():
        for metric, estimates in by_metric.items():
            yield from lines("mean", metric, model, "", estimates)
    yield from lines("mean", "edges", "truth", "", comparison.truth_edges)
    for (first, second), by_metric in comparison.differences.items():
        for metric, estimates in by_metric.items():
            yield from lines("better by", metric, first, second, estimates)


def _heading(*names: str) -> list[str]:
    columns = [f"{max(bin_ / 100 - 0.1, 0.01):g}–{bin_ / 100:g}" for bin_ in BINS] + ["all"]
    return [
        f"| {' | '.join((*names, *columns))} |",
        f"|{' --- |' * len(names)}{' ---: |' * len(columns)}",
    ]


def _line(title: str, label: str, cells: Iterable[str]) -> str:
    return f"| {' | '.join((title, label, *cells))} |"


def _title(metric: str) -> str:
    better = {"edges": ""}.get(metric, " ↑" if METRICS[metric].sign > 0 else " ↓")
    return METRICS[metric].title + better


def _cell(estimates: Estimates, column: str, metric: str, *, plus: bool = False) -> str:
    """Return a mean with its interval below, small: GitHub shows both tags, and columns stay narrow."""
    if column not in estimates:
        return "–"
    found = estimates[column]
    if plus:
        low, high = _signed(found.low, metric), _signed(found.high, metric)
        return f"{_signed(found.mean, metric)}<br><sub>{low} to {high}</sub>"
    digits = METRICS[metric].digits
    return f"{found.mean:.{digits}f}<br><sub>{found.low:.{digits}f}–{found.high:.{digits}f}</sub>"


def _signed(value: float, metric: str) -> str:
    text = f"{value:+.{METRICS[metric].digits}f}"
    return (text if text.strip("+-0.") else text[1:]).replace("-", "−")  # no sign before a zero


def _with_unit(value: float, metric: str) -> str:
    number = f"{value:.{METRICS[metric].digits}f}"
    unit = METRICS[metric].unit
    return f"{number} ({unit})" if unit.startswith("×") else f"{number} {unit}".strip()


def _thousands(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the tables anew from rows that were measured before."""
    parser = argparse.ArgumentParser(description="Write the tables of paper.py from measured rows.")
    parser.add_argument("--rows", type=Path, required=True, metavar="DIR", help="holds <set>/<setting>.jsonl")
    parser.add_argument("--runs", type=Path, metavar="FILE", help="facts of the trainings, JSON")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the tables")
    given = parser.parse_args(arguments)
    try:
        write_tables(given.rows, _read_runs(given.runs), given.out)
    except MendpixError as error:
        raise SystemExit(str(error)) from error
    print(given.out / "tables.md")


def _read_runs(path: Path | None) -> Runs:
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} must be a JSON file with the facts of the trainings; it is not ({error}).") from error
    if not isinstance(found, dict):
        raise DataError(f"{path} must hold a JSON object, set -> setting -> facts; it does not.")
    return cast("Runs", found)


if __name__ == "__main__":
    main()
