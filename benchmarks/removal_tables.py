"""Tables of the removal benchmark: medians, means with intervals, differences, pairs without a truth.

Used by `removal.py`. Fills nothing, and draws nothing.
"""

import csv
import io
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mendpix.artifacts.detect import detect
from mendpix.atomic_files import atomic_write
from mendpix.composite import composite
from mendpix.evaluation.measures import MEASURES, SET_MEASURES
from mendpix.evaluation.number_format import for_csv, interval, number, with_margin
from mendpix.evaluation.pairing import OpenProtocol
from mendpix.evaluation.results import ALL
from mendpix.evaluation.statistics import LEVEL, Summary
from mendpix.evaluation.views import quantise
from mendpix.metrics.texture import border_gradient, texture_ratio
from mendpix.types import Image, Mask
from removal_frechet import ERRORS, GROUPS, Distances

REFERENCE = "scenes"
"""The model that the others are compared with, pair by pair."""

PHOTO = "the photos themselves"
"""Row of the untouched photos."""

DETECTOR = "scenes-detector"

RATIOS = ("texture-ratio", "border-gradient")
"""Measures whose median and quartiles are shown: they are ratios, and their means follow the largest."""

MEANS = ("detector-score", "features", "psnr", "ssim-gaussian-11", "l1-hole")
"""Measures whose means are shown with intervals."""

COMPARED = ("texture-ratio-off", "border-gradient-off", *MEANS)
"""Measures that the models are compared by, pair by pair."""

SET = "frechet-hole"

AIM = (0.6, 1.6)
"""Between which median texture ratios a fill counts as textured like its surroundings."""

ABOUT_HOLES = (
    "The holes lie anywhere: they cut through faces and houses, where a person would brush out a whole thing. So half "
    "a thing is often left beside them, and what is missing can be guessed from it; in the pairs below hardly ever."
)

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cases:
    """What was measured of the rendered holes."""

    summary: Summary
    seconds: Mapping[str, Values]
    """Model -> seconds of processor time of each case."""
    chosen: Mapping[str, Sequence[str]]
    """Model -> models that filled each case, where it chooses among others; "" where it does not."""
    marks: Mapping[str, Sequence[str]]
    """Model -> hashes of the code that filled."""
    photos: Mapping[str, Values]
    """Ratio -> that of each case's untouched photo."""
    shares: Sequence[tuple[float, float]]
    """Shares of the picture that the bins stand for."""
    distances: Distances | None = None
    """Fréchet distances of hole crops, as far as there are enough cases."""

    @property
    def columns(self) -> dict[str, str]:
        """Column of the summary -> its heading."""
        names = self.summary.evaluation.pairs.bin_names
        ends = {f"{high:g}": f"{100 * low:.0f}–{100 * high:.0f} %" for low, high in self.shares}
        return {**{name: ends.get(name.rpartition("–")[2], name) for name in names}, ALL: "all"}

    def members(self, column: str) -> NDArray[np.int64]:
        """Return the numbers of the cases of a column."""
        pairs = self.summary.evaluation.pairs
        if column == ALL:
            return np.arange(len(pairs.keys))
        return np.flatnonzero(pairs.bins == pairs.bin_names.index(column))


@dataclass(frozen=True, eq=False)
class PairTable:
    """What was measured of the pairs whose truth nobody knows."""

    shares: Mapping[str, float]
    """Pair -> share of its picture that is hole."""
    sizes: Mapping[str, tuple[int, int]]
    """Pair -> height and width, px."""
    values: Mapping[str, Mapping[str, Mapping[str, float]]]
    """Measure (texture-ratio, border-gradient, detector-score, seconds) -> model -> pair -> value."""
    chosen: Mapping[str, Mapping[str, str]]
    """Model -> pair -> models that filled."""


def measure_photos(opened: OpenProtocol) -> dict[str, Values]:
    """Compute the ratios of the untouched photos, with the holes that the fills have."""
    found: dict[str, list[float]] = {name: [] for name in RATIOS}
    for number_, pairs in enumerate(opened.by_picture):
        target = opened.read_picture(number_).astype(np.float32) / np.float32(255)
        for pair in (opened.pairs[one] for one in pairs):
            hole = opened.read_hole(pair, target.shape[:2])
            found["texture-ratio"].append(texture_ratio(target, hole))
            found["border-gradient"].append(border_gradient(target, hole))
    return {name: np.array(values) for name, values in found.items()}


def measure_pairs(
    holes: Mapping[str, tuple[Image, Mask]],
    answers: Mapping[str, Mapping[str, Image]],
    seconds: Mapping[str, Mapping[str, float]],
    chosen: Mapping[str, Mapping[str, str]],
) -> PairTable:
    """Measure every model's fill of every pair, and the photos with the thing still in them.

    Args:
        holes: Photo and hole of each pair.
        answers: Model -> pair -> its answer.
        seconds: Model -> pair -> processor time of the fill, s.
        chosen: Model -> pair -> models that filled.
    """
    names = ("texture-ratio", "border-gradient", "detector-score")
    values: dict[str, dict[str, dict[str, float]]] = {name: {} for name in names}
    photos = {PHOTO: {key: photo for key, (photo, _) in holes.items()}}
    for model, pictures in {**photos, **answers}.items():
        for key, (photo, hole) in holes.items():
            shown = quantise(composite(photo, pictures[key], hole), "round")
            map_ = detect(shown, model=DETECTOR, threads=1).probability
            measured = (texture_ratio(shown, hole), border_gradient(shown, hole), 100 * float(map_[hole > 0].mean()))
            for name, value in zip(names, measured, strict=True):
                values[name].setdefault(model, {})[key] = value
    return PairTable(
        {key: float(hole.mean()) for key, (_, hole) in holes.items()},
        {key: (hole.shape[0], hole.shape[1]) for key, (_, hole) in holes.items()},
        {**values, "seconds": {model: dict(found) for model, found in seconds.items()}},
        chosen,
    )


def write_documents(cases: Cases, pairs: PairTable, folder: Path) -> tuple[Path, Path]:
    """Write the page and the table for programs, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    page, table = folder / "removal.md", folder / "removal.csv"
    for path, text in ((page, write_page(cases, pairs)), (table, write_csv(cases, pairs))):
        with atomic_write(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return page, table


def headline(cases: Cases | None, pairs: PairTable | None) -> str:
    """Write the first table of each part, for the terminal."""
    blocks = [] if cases is None else [whole_table(cases)]
    return "\n\n".join(blocks + ([] if pairs is None else [pair_table(pairs, "texture-ratio", 2)]))


def write_page(cases: Cases, pairs: PairTable) -> str:
    """Write everything as Markdown."""
    evaluation = cases.summary.evaluation
    count, pictures = len(evaluation.pairs.keys), len(set(evaluation.pairs.pictures.tolist()))
    blocks = [
        "# Taking things out of photos",
        "Written by `python benchmarks/removal.py`; do not edit. Everything in numbers is in "
        "[removal.csv](removal.csv); how to look at the fills themselves: `--sheets DIR`.",
        "A thing is taken out of a photo, and what was behind it is not known: a fill need not be like the original, "
        "but must go with its surroundings. So measures that need no truth come first: is the hole as textured as what "
        f"is around it (1 = yes; aim: a median between {AIM[0]} and {AIM[1]}), is there a seam (1 = no), are crops "
        "around filled holes as a set like crops of true pictures (0 = yes), does the detector doubt it. Means of "
        "PSNR, SSIM and ℓ1 favour the blurred average of all that might be there.",
        f"## Holes in the shape of things: {count} cases",
        f"{pictures} validation photos of {removal_size(cases)}, a hole of each share on each; every third is cut off "
        f"by the picture's edge. Protocol `{evaluation.protocol_id}`. Medians with quartiles in brackets; means with "
        f"half their {LEVEL} % interval (bootstrap over the photos). Seconds: median of the processor time of a fill, "
        "one thread.",
        whole_table(cases),
        verdict(cases),
        "### By share of the picture",
        *by_share(cases),
        f"### Differences to `{REFERENCE}`, pair by pair",
        differences(cases),
        *distances(cases),
        *choices(cases),
        ABOUT_HOLES,
        f"## Photos with something to take out: {len(pairs.shares)} pairs",
        "Hand-made masks of real things; nobody knows what is behind them. `" + PHOTO + "` are the photos with the "
        "thing still in them. "
        + " · ".join(
            f"{key}: {pairs.sizes[key][1]} × {pairs.sizes[key][0]} px, {share:.0%} hole"
            for key, share in pairs.shares.items()
        ),
        "Texture ratio:",
        pair_table(pairs, "texture-ratio", 2),
        "Gradient at the border:",
        pair_table(pairs, "border-gradient", 2),
        "The detector's doubt, %:",
        pair_table(pairs, "detector-score", 1),
        "Seconds of processor time, one thread:",
        pair_table(pairs, "seconds", 2),
        "## How it is measured",
        "\n".join(f"- {fact}" for fact in evaluation.protocol_facts),
        "\n".join(
            f"- **{found.title}.** {found.definition}"
            for found in (
                *(MEASURES[name] for name in (*RATIOS, "texture-ratio-off", "border-gradient-off", *MEANS)),
                SET_MEASURES[SET],
            )
        ),
        made_with(cases),
    ]
    return "\n\n".join(blocks) + "\n"


def removal_size(cases: Cases) -> str:
    """Say the size of the photos, from the protocol's facts."""
    fact = next(fact for fact in cases.summary.evaluation.protocol_facts if fact.startswith("size: "))
    return fact.removeprefix("size: ").partition(",")[0]


def whole_table(cases: Cases) -> str:
    """Write the table of all cases: a row per model."""
    head = ["model", "texture ratio", "off by", "border gradient", "off by", "Fréchet, hole crops", "doubt, %"]
    head += ["features", "PSNR, dB", "SSIM", "ℓ1 in the hole, %", "seconds"]
    rows = [[PHOTO, *(cell for name in RATIOS for cell in (quartiles(cases.photos[name]), "–")), "0", *["–"] * 6]]
    for model in cases.summary.evaluation.models:
        row = [f"`{model.name}`"]
        for name in RATIOS:
            off = cases.summary.means[model.name][f"{name}-off"][ALL]
            row += [quartiles(model.values[name]), with_margin(off, 2)]
        row.append(number(model.set_values.get(SET, {}).get(ALL, math.nan), 0))
        row += [with_margin(cases.summary.means[model.name][name][ALL], MEASURES[name].digits) for name in MEANS]
        row.append(number(float(np.median(cases.seconds[model.name])), 2))
        rows.append(row)
    return table(head, rows)


def verdict(cases: Cases) -> str:
    """Say who is within the aim, and who is nearest to the true crops."""
    models = cases.summary.evaluation.models
    within = [m.name for m in models if AIM[0] <= float(np.nanmedian(m.values["texture-ratio"])) <= AIM[1]]
    distances = {model.name: model.set_values.get(SET, {}).get(ALL, math.nan) for model in models}
    known = {name: value for name, value in distances.items() if not math.isnan(value)}
    lines = [f"- Median texture ratio within {AIM[0]} to {AIM[1]}: {', '.join(f'`{n}`' for n in within) or 'none'}."]
    if known:
        order = sorted(known, key=lambda name: known[name])
        lines.append(f"- By Fréchet distance of hole crops, best first: {', '.join(f'`{name}`' for name in order)}.")
    return "\n".join(lines)


def by_share(cases: Cases) -> list[str]:
    """Write a table for each measure: models by shares."""
    columns = cases.columns
    evaluation = cases.summary.evaluation
    blocks: list[str] = []
    for name in RATIOS:
        rows = [[PHOTO, *(quartiles(cases.photos[name][cases.members(column)]) for column in columns)]]
        rows += [
            [f"`{model.name}`", *(quartiles(model.values[name][cases.members(column)]) for column in columns)]
            for model in evaluation.models
        ]
        blocks += [f"{MEASURES[name].title}, median and quartiles:", table(["model", *columns.values()], rows)]
    rows = [
        [f"`{model.name}`", *(number(model.set_values.get(SET, {}).get(one, math.nan), 0) for one in columns)]
        for model in evaluation.models
    ]
    blocks += [
        f"{SET_MEASURES[SET].title} (compare within a column only):",
        table(["model", *columns.values()], rows),
    ]
    for name in COMPARED:
        facts = MEASURES[name]
        means = cases.summary.means
        rows = [
            [f"`{model.name}`", *(with_margin(means[model.name][name][one], facts.digits) for one in columns)]
            for model in evaluation.models
        ]
        title = f"{facts.title}, {facts.unit}" if facts.unit else facts.title
        better = {1: "more is better", -1: "less is better"}.get(facts.sign, "")
        blocks += [f"{title}, mean ({better}):", table(["model", *columns.values()], rows)]
    return blocks


def differences(cases: Cases) -> str:
    """Write by how much each model is better than the reference, over all cases."""
    names = [model.name for model in cases.summary.evaluation.models if model.name != REFERENCE]
    if len(names) == len(cases.summary.evaluation.models) or not names:
        return f"There is nothing to compare: it takes `{REFERENCE}` and another model."
    rows: list[list[str]] = []
    for measure in COMPARED:
        facts = MEASURES[measure]
        cells: list[str] = []
        for name in names:
            found = cases.summary.difference(name, REFERENCE, measure)
            mean = number(found.estimate.mean, facts.digits, plus=True)
            mean = f"**{mean}**" if found.significant else mean
            cells.append(f"{mean} {interval(found.estimate, facts.digits, plus=True)}")
        rows.append([f"{facts.title}, {facts.unit}" if facts.unit else facts.title, *cells])
    caption = (
        f"Mean difference over all cases and its {LEVEL} % interval; positive = better than `{REFERENCE}`, whichever "
        "way the measure runs; **bold** = significant by a sign-flip test over the photos, after Holm's correction."
    )
    return caption + "\n\n" + table([f"better than `{REFERENCE}` by", *(f"`{name}`" for name in names)], rows)


def distances(cases: Cases) -> list[str]:
    """Write how sure the order of the Fréchet distances is."""
    found = cases.distances
    if found is None:
        return []
    order = sorted(found.whole, key=lambda name: found.whole[name])
    rows: list[list[str]] = []
    for name in order:
        cells = [f"`{name}`", number(found.whole[name], 0)]
        pairs = [(name, REFERENCE) if REFERENCE in found.whole else None, (found.best, name)]
        for pair in pairs:
            if pair is None or pair[0] == pair[1]:
                cells.append("–")
                continue
            mean, half = found.difference(*pair)
            cells.append(f"{number(mean, 0, plus=True)} ±{number(half, 0)}")
        rows.append(cells)
    groups = max(len(values) for values in found.without.values())
    caption = (
        f"Fréchet distance of hole crops, all cases, best first. ±: {ERRORS:g} standard errors of the difference, by "
        f"leaving out each of {groups} groups of photos in turn (at most {GROUPS})."
    )
    head = ["model", "distance", f"better than `{REFERENCE}` by", "behind the best by"]
    return ["### Distance to true pictures", f"{caption}\n\n{table(head, rows)}"]


def choices(cases: Cases) -> list[str]:
    """Say which models were chosen by those that choose, by share."""
    blocks: list[str] = []
    for name, chosen in cases.chosen.items():
        if len(set(chosen)) < 2 and set(chosen) <= {"", name}:
            continue
        columns = cases.columns
        counts = {column: Counter(chosen[number] for number in cases.members(column)) for column in columns}
        kinds = sorted(set(chosen))
        rows = [[f"`{kind}`", *(str(counts[column][kind]) for column in columns)] for kind in kinds]
        blocks += [f"### What `{name}` chose", table(["filled by", *columns.values()], rows)]
    return blocks


def pair_table(pairs: PairTable, measure: str, digits: int) -> str:
    """Write one measure of all pairs: models by pairs."""
    keys = list(pairs.shares)
    rows: list[list[str]] = []
    for model, values in pairs.values[measure].items():
        found = [values[key] for key in keys]
        label = model if model == PHOTO else f"`{model}`"
        rows.append([label, *(number(value, digits) for value in found), number(float(np.nanmedian(found)), digits)])
    return table(["model", *keys, "median"], rows)


def made_with(cases: Cases) -> str:
    """Say which code filled."""
    marks = sorted({mark for of_model in cases.marks.values() for mark in of_model})
    if len(marks) == 1:
        return f"All fills by code `{marks[0]}`."
    of_mark = (f"`{mark}`: {', '.join(name for name, those in cases.marks.items() if mark in those)}" for mark in marks)
    return f"Fills by different states of the code: {'; '.join(of_mark)}."


def quartiles(values: Iterable[float], digits: int = 2) -> str:
    """Write a median with its quartiles.

    Example:
        >>> quartiles([1.0, 2.0, 3.0, 4.0, 5.0])
        '3.00 [2.00, 4.00]'
    """
    found = np.array([value for value in values if not math.isnan(value)])
    if not found.size:
        return number(math.nan, digits)
    low, middle, high = (float(value) for value in np.percentile(found, (25, 50, 75)))
    return f"{number(middle, digits)} [{number(low, digits)}, {number(high, digits)}]"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table whose first column is text."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_csv(cases: Cases, pairs: PairTable) -> str:
    """Write every number in full: a line for each part, column, model, measure and statistic."""
    evaluation = cases.summary.evaluation
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["part", "column", "model", "measure", "statistic", "value"])

    def spread(part: str, column: str, model: str, measure: str, values: Values) -> None:
        kept = values[~np.isnan(values)]
        found = np.percentile(kept, (25, 50, 75)) if kept.size else np.full(3, np.nan)
        for statistic, value in zip(("lower quartile", "median", "upper quartile"), found, strict=True):
            writer.writerow([part, column, model, measure, statistic, for_csv(float(value))])

    for column, heading in cases.columns.items():
        members = cases.members(column)
        for name, values in cases.photos.items():
            spread("cases", heading, PHOTO, name, values[members])
        for model in evaluation.models:
            for name in evaluation.measures:
                spread("cases", heading, model.name, name, model.values[name][members])
                found = cases.summary.means[model.name][name][column]
                for statistic, value in (("mean", found.mean), ("low", found.low), ("high", found.high)):
                    writer.writerow(["cases", heading, model.name, name, statistic, for_csv(value)])
            for name, of_column in model.set_values.items():
                writer.writerow(["cases", heading, model.name, name, "value", for_csv(of_column.get(column, math.nan))])
            spread("cases", heading, model.name, "seconds", cases.seconds[model.name][members])
    for measure, models in pairs.values.items():
        for model, values in models.items():
            for key, value in values.items():
                writer.writerow(["pairs", key, model, measure, "value", for_csv(value)])
    return text.getvalue()
