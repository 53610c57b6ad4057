"""Write what `restoration.py` measured as one page, and all numbers as a table that programs read. Measures nothing."""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mendpix.atomic_files import atomic_write
from mendpix.data.degrade import FAMILIES
from mendpix.engines.onnx import OnnxDamageFinder
from mendpix.evaluation.markdown_parts import items, table
from mendpix.evaluation.number_format import MISSING, counted, for_csv, interval, number, with_margin
from mendpix.evaluation.statistics import Estimate
from mendpix.restoration.presets import NOISE, thresholds_by_kind
from mendpix.restoration.restore import CLASSICAL, MAX_AREA
from mendpix.restoration.sensitivity import SENSITIVITY
from restoration_cases import DESTROYED, FOLDERS, FORMS, JPEG_QUALITY, LARGE, RESAMPLES, mean
from restoration_clean import ALLOWED, AS_DRAWN, CHANGED, ORIGINALS, SENSITIVITIES, is_of
from restoration_damaged import BOLD
from restoration_damaged import FOLDERS as PHOTOS
from restoration_edges import RUNS as EDGE_RUNS
from restoration_edges import SPEC
from restoration_families import ALL, GROUPS, WIDTHS
from restoration_noise import FILL as NOISE_FILL
from restoration_noise import NOISES, TUNED_ON

Rows = Sequence[Mapping[str, Any]]

NAME = "restoration"
"""Of the page and the table."""

COMMAND = "python benchmarks/restoration.py --shared ../shared"

WORST = 12
"""Pictures without damage that are named, those with the most marks."""

MEANS = {
    "all but noise": tuple(name for name, kind in FAMILIES.items() if kind != NOISE),
    "all": tuple(FAMILIES),
}
"""Rows of the means over the cases of many families, and their families."""

MOST = "all but noise"
"""The row of what the default preset looks for."""

FOUND = {"ap": 3, "best": 3, "iou": 3, "recall": 3}
"""Measures of what was found, and their decimals."""

QUALITY = {"psnr": 2, "ssim": 4}
"""Measures of what was mended, and their decimals."""

MENDED = {
    "damaged": "damaged",
    "network-scenes": "network, `scenes`",
    "network-auto": "network, `auto`",
    "bold-auto": f"network at {BOLD:g}, `auto`",
    "classical-auto": "rules, `auto`",
    "true-scenes": "true mask, `scenes`",
    "true-auto": "true mask, `auto`",
}
"""What is compared by quality -> what tables call it."""

DENOISED = {
    "noisy": "noisy",
    "mean 3 × 3": "mean 3²",
    "mean 5 × 5": "mean 5²",
    "median 3 × 3": "median 3²",
    "median 5 × 5": "median 5²",
    "fastNlMeans": "fastNlMeans",
    "network": "restore, network",
    "classical": "restore, rules",
    "true": "true mask",
}
"""What is compared by noise -> what tables call it."""

EDGE_ROWS = (
    ("alone", "true", "edge network alone, true mask"),
    ("alone", "found", "edge and mask network, learnt apart"),
    ("borrowed", "found", "edge network learnt on found masks"),
    ("joint", "found", "both learnt jointly"),
    ("borrowed", "true", "the third, given the true mask"),
    ("joint", "true", "the fourth, given the true mask"),
)
"""Run, whose mask it is given, and what the table calls it."""


@dataclass(frozen=True)
class Numbers:
    """Means with intervals, by part, group, method and measure."""

    found: Mapping[tuple[str, str, str, str], Estimate]

    def get(self, part: str, group: str, method: str, measure: str) -> Estimate:
        """Give one; without a number if it was not measured."""
        return self.found.get((part, group, method, measure), Estimate(math.nan, math.nan, math.nan, 0))

    def text(self, part: str, group: str, method: str, measure: str, digits: int) -> str:
        """Write one with its margin."""
        return with_margin(self.get(part, group, method, measure), digits)


def write(measured: Mapping[str, Rows], finder: Path, docs: Path, minutes: float) -> None:
    """Write the page and the table.

    Args:
        measured: Part -> its rows.
        finder: File of the finder.
        docs: Folder of both.
        minutes: Processor time of each training of `families` and `edges`.
    """
    numbers = Numbers(dict(gather(measured)))
    docs.mkdir(parents=True, exist_ok=True)
    facts = OnnxDamageFinder(finder).facts
    measured = {**measured, "calibrate": [one for one in measured["calibrate"] if is_of(one, finder)]}
    auto, named = (
        ", ".join(f"{kind} {value:.4g}" for kind, value in thresholds_by_kind(facts, named=which).items())
        for which in (False, True)
    )
    told = f"with `auto` {auto}; with another preset {named}"
    page = "\n\n".join(_blocks(measured, numbers, told, minutes)) + "\n"
    for name, text in ((f"{NAME}.md", page), (f"{NAME}.csv", csv_of(numbers))):
        with atomic_write(docs / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def csv_of(numbers: Numbers) -> str:
    """Write all numbers, a line each."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["part", "group", "method", "measure", "mean", "low", "high", "pictures"])
    for key, one in numbers.found.items():
        writer.writerow([*key, *map(for_csv, (one.mean, one.low, one.high)), one.pairs])
    return out.getvalue()


def gather(measured: Mapping[str, Rows]) -> Iterator[tuple[tuple[str, str, str, str], Estimate]]:
    """Average everything that was measured."""
    yield from _gather_damaged(measured["damaged"])
    for part, rows in zip(("clean", LARGE), _by_size(measured["clean"]), strict=True):
        yield from _gather_clean(part, rows)
    for noise in NOISES:
        own = [row for row in measured["noise"] if row["noise"] == noise.name]
        for method in DENOISED if own else ():
            for measure in QUALITY:
                yield ("noise", noise.name, method, measure), mean(row["quality"][method][measure] for row in own)
        for method in ("true", "network", "classical") if own else ():
            yield ("noise", noise.name, method, "share"), mean(row["shares"][method] for row in own)
    for run, family in sorted({(row["run"], row["family"]) for row in measured["families"]}):
        own = [row for row in measured["families"] if (row["run"], row["family"]) == (run, family)]
        for measure in ("ap", "best", "truth", "steps"):
            yield ("families", family, run, measure), mean(row[measure] for row in own)
    for run in EDGE_RUNS:
        own = [row for row in measured["edges"] if row["run"] == f"edges-{run}"]
        for mask in ("damaged", "true", "found") if own else ():
            for measure in ("psnr", "ssim", "psnr_inside", "ssim_inside"):
                values = (row["edges"][mask].get(measure, math.nan) for row in own)
                yield ("edges", run, mask, measure), mean(values)
        if own:
            yield ("edges", run, "steps", "steps"), mean(row["steps"] for row in own)


def _gather_clean(part: str, rows: Rows) -> Iterator[tuple[tuple[str, str, str, str], Estimate]]:
    for finder, preset in _clean_columns(rows):
        for place, level in enumerate(SENSITIVITIES):
            shares = [row["shares"][finder][preset][place] for row in rows]
            key = part, preset, f"{finder} at {level:g}"
            yield (*key, "marked"), mean(shares)
            yield (*key, "any"), mean(float(share > 0) for share in shares)
            yield (*key, "changed"), mean(float(share > CHANGED) for share in shares)


def _gather_damaged(rows: Rows) -> Iterator[tuple[tuple[str, str, str, str], Estimate]]:
    for family in (*FAMILIES, *MEANS):
        own = [row for row in rows if row["family"] in MEANS.get(family, (family,))]
        if not own:
            continue
        yield ("damaged", family, "true", "share"), mean(row["truth"] for row in own)
        for method in ("network", "bold", *FORMS, "preset", "classical"):
            of_method = [row["found"][method] for row in own if method in row["found"]]
            for measure in (*FOUND, "share", "refused") if of_method else ():
                values = (one.get(measure, math.nan) for one in of_method)
                yield ("damaged", family, method, measure), mean(values)
        mended = [row["quality"] for row in own if len(row["quality"]) > 1]
        for method in MENDED:
            of_method = [(one[method], one["damaged"]) for one in mended if method in one]
            for measure in QUALITY if of_method else ():
                yield ("damaged", family, method, measure), mean(one[measure] for one, _ in of_method)
                gains = mean(one[measure] - before[measure] for one, before in of_method)
                yield ("damaged", family, method, f"{measure}-gain"), gains


def _blocks(measured: Mapping[str, Rows], numbers: Numbers, thresholds: str, minutes: float) -> Iterator[str]:
    yield "# Mending photos without a mask"
    yield (
        f"Written by `{COMMAND}`; do not edit. Everything in numbers is in [{NAME}.csv]({NAME}.csv). "
        "The network is the finder `damage` of this package, the rules are its finder `classical`; a mask is what "
        f"`mendpix.restore` makes of their answers at the default sensitivity {SENSITIVITY:g}. Means, with half of "
        f"their 95 % interval (bootstrap over the pictures, {RESAMPLES:,} resamples). All pictures are 256 × 256 px. "
        f"The network's thresholds: {thresholds}."
    )
    yield "## What to read first"
    yield items(_first(measured, numbers))
    yield "## What is found, and what mending gains"
    yield from _damaged(measured["damaged"], numbers)
    yield "## Photos without damage"
    yield from _clean(measured, numbers)
    yield "## Damage of a sort that training has not shown"
    yield from _families(measured["families"], numbers, minutes)
    yield "## Denoising as filling"
    yield from _noise(measured, numbers)
    yield "## Edges, with and without the mask network"
    yield from _edges(measured["edges"], numbers, minutes)
    yield "## What this does not show"
    yield items(
        (
            "The damage is drawn by the program that also damages the training pictures. Real damage is only looked "
            "at by eye; the table on families that training has not shown is the nearest to a measure of it.",
            "All pictures are small. In large ones the network looks at smaller sizes of the picture as well, which "
            "can find more, and mark more that is sound.",
            "PSNR and SSIM of the whole picture say little of small scratches: most pixels are untouched anyway. They "
            "do say whether a picture was harmed.",
        )
    )


def _first(measured: Mapping[str, Rows], numbers: Numbers) -> Iterator[str]:
    """Say in a sentence each what the tables come to, as far as something was measured."""
    default = f"network at {SENSITIVITY:g}"
    changed = numbers.get("clean", "auto", default, "changed")
    if changed.pairs:
        marked = numbers.get("clean", "auto", default, "marked")
        yield (
            f"**Sound photos.** Of {changed.pairs} photos without damage, {100 * changed.mean:.1f} % get more than "
            f"{100 * CHANGED:g} % of their pixels changed by default (preset `auto`); on average "
            f"{100 * marked.mean:.3f} % of a photo is marked."
        )
    if measured["damaged"]:
        gains = {family: numbers.get("damaged", family, "network-auto", "psnr-gain") for family in FAMILIES}
        better = [family for family, gain in gains.items() if gain.low > 0]
        worse = [family for family, gain in gains.items() if gain.high < 0]
        blurred = [
            family for family in FAMILIES if numbers.get("damaged", family, "network-auto", "ssim-gain").high < 0
        ]
        network, bold, true = (
            numbers.get("damaged", MOST, who, "psnr-gain") for who in ("network-auto", "bold-auto", "true-auto")
        )
        yield (
            f"**Damaged photos.** Mending gains {number(network.mean, 2, plus=True)} dB over all cases but noise, "
            f"{number(bold.mean, 2, plus=True)} dB at the sensitivity {BOLD:g}; with the true mask it would be "
            f"{number(true.mean, 2, plus=True)} dB. By default the interval of the "
            f"gain lies above 0 for {_listed(better)}, and below for {_listed(worse)}; that of SSIM lies below 0 for "
            f"{_listed(blurred)}."
        )
        leads = {
            family: numbers.get("damaged", family, "preset", "ap").mean
            - numbers.get("damaged", family, "classical", "ap").mean
            for family in FAMILIES  # NaN where there are no rules
        }
        ahead = [family for family, lead in leads.items() if lead > 0]
        behind = [family for family, lead in leads.items() if lead < 0]
        yield (
            f"**Network or rules.** By average precision, with the preset that fits, the network is ahead for "
            f"{_listed(ahead)}, the rules for {_listed(behind)}."
        )
        scenes, auto = (numbers.get("damaged", MOST, f"network-{fill}", "psnr") for fill in ("scenes", "auto"))
        yield (
            f"**Which fill.** With what the network found, `scenes` comes to {scenes.mean:.2f} dB over all cases "
            f"but noise, and `auto` to {auto.mean:.2f} dB."
        )
    lost = [
        (family, numbers.get("families", family, "families-all", "ap"), numbers.get("families", family, run, "ap"))
        for family, run in _left_out()
    ]
    lost = [(family, full, without) for family, full, without in lost if full.pairs and without.pairs]
    learnt = [
        (family, full, without)
        for family, full, without in lost
        if full.low > numbers.get("families", family, "families-all", "truth").mean
    ]
    if lost:
        kept = [family for family, full, without in learnt if without.low > full.mean / 2]
        yield (
            f"**Unknown damage.** A small finder that was shown all {len(lost)} families finds {len(learnt)} of them "
            "better than by chance, beyond doubt. One that was never shown the family keeps at least half of the "
            f"average precision, beyond doubt, for {len(kept)} of these: {_listed(kept)}. They learnt for minutes: "
            "that says little of the finder that ships."
        )
    if measured["noise"]:
        wins = [
            noise.name
            for noise in NOISES
            if numbers.get("noise", noise.name, "network", "psnr").mean
            > numbers.get("noise", noise.name, "fastNlMeans", "psnr").mean
        ]
        losses = [
            noise.name
            for noise in NOISES
            if numbers.get("noise", noise.name, "network", "psnr").mean
            < numbers.get("noise", noise.name, "noisy", "psnr").mean
        ]
        yield (
            f"**Noise.** Finding and filling beats OpenCV's tuned filter by PSNR for {_listed(wins, '; ')}. For the "
            f"other {len(NOISES) - len(wins)} of {len(NOISES)} noises the filter is better. It lowers the PSNR for "
            f"{_listed(losses, '; ')}."
        )

    if measured["edges"]:
        pairs = [("alone", "learnt apart"), ("borrowed", "learnt on found masks"), ("joint", "learnt jointly")]
        drawn = [(numbers.get("edges", run, "found", "psnr").mean, words) for run, words in pairs]
        canny = numbers.get("edges", "alone", "damaged", "psnr").mean
        told = ", ".join(f"{value:.2f} dB {words}" for value, words in drawn)
        better = [words for value, words in drawn if value > canny]
        yield (
            f"**Edges.** With the mask that is found, edge maps come to {told}; Canny's edges of the damaged picture "
            f"come to {canny:.2f} dB. After so short a training, better than those are: {_listed(better)}."
        )


def _damaged(rows: Rows, numbers: Numbers) -> Iterator[str]:
    if not rows:
        yield _missing("damaged")
        return
    count = len([row for row in rows if len(row["quality"]) > 1])
    yield (
        f"`{COMMAND} --only damaged`: {counted(len(rows), 'case')}. Photos of {', '.join(PHOTOS)}, each damaged by one "
        f"family alone with a fixed seed, without ageing or compression. A pixel counts as destroyed if {DESTROYED:g} "
        "of it or more is; this is also the true mask. The network looks for everything but noise (preset `auto`), or "
        "for noise alone where the damage is noise; the rules have the preset that fits, and there are none for "
        "watermarks. AP: average precision of the answers as they are. Best IoU: with the best threshold of each "
        "picture, which nobody knows beforehand. IoU and recall: of the mask, by default and at the sensitivity "
        f"{BOLD:g}."
    )
    families = [family for family in (*FAMILIES, *MEANS) if numbers.get("damaged", family, "true", "share").pairs]
    yield table(
        (
            *("family", "destroyed, %", "AP", "best IoU", "IoU", "recall", f"IoU at {BOLD:g}", f"recall at {BOLD:g}"),
            "AP with its preset",
            *("rules: AP", "best IoU", "IoU", "recall", "pictures"),
        ),
        (
            (
                family,
                number(100 * numbers.get("damaged", family, "true", "share").mean, 1),
                *(numbers.text("damaged", family, "network", measure, digits) for measure, digits in FOUND.items()),
                *(numbers.text("damaged", family, "bold", measure, 3) for measure in ("iou", "recall")),
                numbers.text("damaged", family, "preset", "ap", 3),
                *(numbers.text("damaged", family, "classical", measure, digits) for measure, digits in FOUND.items()),
                f"{numbers.get('damaged', family, 'true', 'share').pairs:,}",
            )
            for family in families
        ),
    )
    drawn = [family for family in families if numbers.get("damaged", family, "grey", "ap").pairs]
    yield (
        "Photos come in other forms: the same in grey (what was damaged in colour alone cannot be seen then), and "
        f"saved as JPEG after they were damaged (quality {JPEG_QUALITY}, colour at half the resolution). Recall at the "
        f"sensitivity {BOLD:g}."
    )
    yield table(
        (
            *("family", "AP, as drawn", *(f"AP, {form}" for form in FORMS)),
            *("recall, as drawn", *(f"recall, {form}" for form in FORMS)),
        ),
        (
            (
                family,
                *(numbers.text("damaged", family, method, "ap", 3) for method in ("bold", *FORMS)),
                *(numbers.text("damaged", family, method, "recall", 3) for method in ("bold", *FORMS)),
            )
            for family in drawn
            if family != "all"
        ),
    )
    yield (
        f"What mending comes to, against the photo before it was damaged, on {counted(count, 'of these case')}: "
        "PSNR, dB (equal pictures count as 100). Here larger masks than the default "
        f"`--max-area` of {100 * MAX_AREA:g} % are filled too; in the last column, how many would have been refused."
    )
    yield table(
        ("family", *MENDED.values(), "gain, network, `auto`", f"gain at {BOLD:g}", "refused, %"),
        (
            (
                family,
                *(numbers.text("damaged", family, method, "psnr", QUALITY["psnr"]) for method in MENDED),
                _gain(numbers.get("damaged", family, "network-auto", "psnr-gain"), 2),
                _gain(numbers.get("damaged", family, "bold-auto", "psnr-gain"), 2),
                number(100 * numbers.get("damaged", family, "network", "refused").mean, 1),
            )
            for family in families
        ),
    )
    yield "SSIM of the same:"
    yield table(
        ("family", *MENDED.values(), "gain, network, `auto`", f"gain at {BOLD:g}"),
        (
            (
                family,
                *(numbers.text("damaged", family, method, "ssim", QUALITY["ssim"]) for method in MENDED),
                _gain(numbers.get("damaged", family, "network-auto", "ssim-gain"), 4),
                _gain(numbers.get("damaged", family, "bold-auto", "ssim-gain"), 4),
            )
            for family in families
        ),
    )


def _clean(measured: Mapping[str, Rows], numbers: Numbers) -> Iterator[str]:
    rows, large = _by_size(measured["clean"])
    if not measured["calibrate"]:
        yield f"How the thresholds were chosen is not known here: `{COMMAND} --only calibrate` chooses them."
    yield from words_on_calibration(measured["calibrate"])
    if not rows:
        yield _missing("clean")
        return
    yield (
        f"`{COMMAND} --only clean`: all {counted(len(rows), 'picture')} of {', '.join(FOLDERS)}, as they are, in "
        "grey, and as JPEG. Of each finder, preset and sensitivity: mean share of the pixels that are marked, share of "
        f"the pictures with any mark, and with more than {100 * CHANGED:g} % of their pixels marked; all in %."
    )
    heads = [f"{what} at {level:g}" for level in SENSITIVITIES for what in ("marked", "any", "changed")]
    yield table(
        ("finder", "preset", *heads),
        (
            (
                "rules" if finder == CLASSICAL else finder,
                f"`{preset}`",
                *(
                    number(100 * numbers.get("clean", preset, f"{finder} at {level:g}", what).mean, digits)
                    for level in SENSITIVITIES
                    for what, digits in (("marked", 3), ("any", 1), ("changed", 1))
                ),
            )
            for finder, preset in _clean_columns(rows)
        ),
        words=2,
    )
    default = f"network at {SENSITIVITY:g}"
    yield (
        "Of the network with `auto` at the default, with intervals: "
        f"{_percent(numbers.get('clean', 'auto', default, 'marked'), 3)} of the pixels marked, "
        f"{_percent(numbers.get('clean', 'auto', default, 'changed'), 1)} of the pictures changed."
    )
    place = SENSITIVITIES.index(SENSITIVITY)
    ordered = sorted(rows, key=lambda row: -row["shares"]["network"]["auto"][place])
    worst = [(row["key"], row["shares"]["network"]["auto"][place]) for row in ordered[:WORST]]
    named = ", ".join(f"{key} {100 * share:.2f} %" for key, share in worst if share > 0)
    yield f"Most of their pixels marked by it: {named or 'none has any mark'}."
    if large:
        marked = ", ".join(f"{100 * row['shares']['network']['auto'][place]:.2f}" for row in large)
        yield (
            "**Larger photos** are looked at at more than one size, which can only add marks, and by them no threshold "
            f"was chosen. Of {len(large)} sound photos of 768 × 512 px (`cases/{LARGE}`), looked at at two sizes, "
            f"{number(100 * numbers.get(LARGE, 'auto', default, 'marked').mean, 2)} % of the pixels are marked, and "
            f"{number(100 * numbers.get(LARGE, 'auto', default, 'changed').mean, 0)} % of the photos are changed; one "
            f"by one, in % of their pixels: {marked}."
        )


def words_on_calibration(done: Rows) -> Iterator[str]:
    """Say how the thresholds were chosen, in paragraphs."""
    for one in done:
        recall, named = (
            ", ".join(f"{kind} {100 * value:.0f} %" for kind, value in one[which].items())
            for which in ("recall", "preset_recall")
        )
        halves = "; ".join(
            f"`{preset}` " + ", ".join(f"{form} {100 * share:.1f} %" for form, share in forms.items())
            for preset, forms in one["halves"].items()
        )
        yield (
            f"The thresholds were chosen by `{COMMAND} --only calibrate`, preset by preset: among all that change at "
            f"most {100 * ALLOWED:g} % of {one['clean'][AS_DRAWN]} sound validation pictures, of the same in grey, of "
            f"the same as JPEG, and of the first with {one['clean'][ORIGINALS] - one['clean'][AS_DRAWN]} sound "
            f"training pictures, those that find most on {one['damaged']} damaged training pictures, a third of them "
            "in grey and a third as JPEG (largest sum over the families of damage of the square root of their kind's "
            f"recall, so that none is given up for another). Changed means that more than {100 * CHANGED:g} % of the "
            "pixels are marked."
        )
        yield (
            f"Recall of the kind's own marks there, with `auto` (`noise` for noise): {recall}; with the preset that "
            f"looks for this kind: {named}. The table below shows the pictures by which was chosen, and so flatters a "
            f"little. Chosen by one half and tried on the other, changed are by {halves}."
        )


def _families(rows: Rows, numbers: Numbers, minutes: float) -> Iterator[str]:
    if not rows:
        yield _missing("families")
        return
    steps = [numbers.get("families", family, "families-all", "steps").mean for family in FAMILIES]
    most = max((step for step in steps if not math.isnan(step)), default=0)
    yield (
        f"`{COMMAND} --only families --minutes {minutes:g}`: small finders (widths {', '.join(map(str, WIDTHS))}), "
        f"each trained for {minutes:g} minutes of processor time (about {most:,.0f} steps): one with all families, and "
        "for each row one without it (of noise, all three sorts at once). All kinds that they tell apart count. They "
        "are far weaker than the finder that ships; what counts is the difference. AP, and IoU with the best threshold "
        "of each picture; a blind finder has the share that is destroyed as its AP."
    )
    body: list[tuple[str, ...]] = []
    for family, run in _left_out():
        if not numbers.get("families", family, run, "ap").pairs:
            continue
        body.append(
            (
                family,
                number(numbers.get("families", family, run, "truth").mean, 3),
                *(
                    numbers.text("families", family, who, measure, 3)
                    for measure in ("ap", "best")
                    for who in ("families-all", run)
                ),
                f"{numbers.get('families', family, run, 'ap').pairs:,}",
            )
        )
    yield table(
        ("family", "blind AP", "AP, seen", "AP, not seen", "best IoU, seen", "best IoU, not seen", "pictures"), body
    )


def _noise(measured: Mapping[str, Rows], numbers: Numbers) -> Iterator[str]:
    rows = measured["noise"]
    if not rows:
        yield _missing("noise")
        return
    strengths = next(iter(measured["noise-strengths"]), {"strengths": {}})["strengths"]
    told = ", ".join(f"{name}: {strength:g}" for name, strength in strengths.items())
    count = len({row["key"].partition("/")[2] for row in rows})
    yield (
        f"`{COMMAND} --only noise`: {counted(count, 'photo')}; noise is drawn for each pixel and channel on its own "
        "(salt and pepper: for each pixel), clipped and rounded to 8 bits. Restore: preset `noise`, any area, filled "
        f"by `{NOISE_FILL}`. True mask: pixels of which {DESTROYED:g} or more is destroyed (wholly if the strongest "
        "channel moved by half of its range). `fastNlMeansDenoisingColored` of OpenCV has the strength `h` that was "
        f"best on {TUNED_ON} training photos with the same noise ({told}). PSNR, dB; best in bold:"
    )
    for measure, digits in QUALITY.items():
        if measure == "ssim":
            yield "SSIM:"
        yield table(("noise", *DENOISED.values()), _ranked(numbers, measure, digits))
    yield "Share of the pixels that are marked, %:"
    yield table(
        ("noise", "destroyed", "network", "rules"),
        (
            (
                noise.name,
                *(
                    number(100 * numbers.get("noise", noise.name, method, "share").mean, 1)
                    for method in ("true", "network", "classical")
                ),
            )
            for noise in NOISES
        ),
    )


def _ranked(numbers: Numbers, measure: str, digits: int) -> Iterator[tuple[str, ...]]:
    """Write a line for each noise; the best of all that need no truth is bold."""
    for noise in NOISES:
        found = {method: numbers.get("noise", noise.name, method, measure) for method in DENOISED}
        able = [one.mean for method, one in found.items() if method != "true" and one.pairs]
        best = max(able, default=math.nan)
        cells = (
            f"**{with_margin(one, digits)}**" if method != "true" and one.mean == best else with_margin(one, digits)
            for method, one in found.items()
        )
        yield (noise.name, *cells)


def _edges(rows: Rows, numbers: Numbers, minutes: float) -> Iterator[str]:
    if not rows:
        yield _missing("edges")
        return
    steps = ", ".join(f"{run} {numbers.get('edges', run, 'steps', 'steps').mean:,.0f}" for run in EDGE_RUNS)
    count = len({row["key"].partition("/")[2] for row in rows})
    yield (
        f"`{COMMAND} --only edges --minutes {minutes:g}`. The paper's Table 2 reports 22.21 dB and 0.957 for its edge "
        "network alone, 23.10 dB and 0.975 for both, without a protocol. Ours: the networks of `informed-small`, "
        f"{minutes:g} minutes of processor time for each run (steps: {steps}), the first 40 % for the mask network; "
        f"{counted(count, 'photo')}, each damaged by one to {SPEC.most} families and aged as in training. Measured is "
        "the edge map that a fill would follow (drawn where half of a pixel is destroyed, Canny's elsewhere) against "
        "Canny's edges (σ = 2 px) of the picture without damage, in the whole picture and in the true mask (PSNR of "
        "its pixels alone; SSIM with the right edges everywhere else)."
    )
    body = [
        (
            words,
            *(
                numbers.text("edges", run, mask, measure, 2 if "psnr" in measure else 4)
                for measure in ("psnr", "ssim", "psnr_inside", "ssim_inside")
            ),
        )
        for run, mask, words in (*EDGE_ROWS, ("alone", "damaged", "Canny's edges of the damaged picture"))
        if numbers.get("edges", run, mask, "psnr").pairs
    ]
    yield table(("edges by", "PSNR, dB", "SSIM", "PSNR in the mask, dB", "SSIM, mask pasted"), body)


def _left_out() -> list[tuple[str, str]]:
    """List each family and the run that has not seen it."""
    return [(family, f"without-{group}") for group, families in GROUPS.items() if group != ALL for family in families]


def _by_size(rows: Rows) -> tuple[Rows, Rows]:
    """Part the validation pictures from the large photos."""
    large = [row for row in rows if row["key"].startswith(f"{LARGE}/")]
    return [row for row in rows if row not in large], large


def _clean_columns(rows: Rows) -> list[tuple[str, str]]:
    """List finders and presets."""
    if not rows:
        return []
    return [(finder, preset) for finder, presets in rows[0]["shares"].items() for preset in presets]


def _gain(estimate: Estimate, digits: int) -> str:
    """Write a difference with the ends of its interval."""
    if not estimate.pairs:
        return MISSING
    return f"{number(estimate.mean, digits, plus=True)} {interval(estimate, digits, plus=True)}"


def _percent(estimate: Estimate, digits: int) -> str:
    """Write a share in % with the ends of its interval."""
    scaled = Estimate(100 * estimate.mean, 100 * estimate.low, 100 * estimate.high, estimate.pairs)
    return f"{number(scaled.mean, digits)} % {interval(scaled, digits)}"


def _listed(names: Iterable[str], between: str = ", ") -> str:
    return between.join(names) or "none"


def _missing(part: str) -> str:
    return f"Not measured yet: `{COMMAND} --only {part}`."
