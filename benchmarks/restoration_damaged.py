"""Validation pictures damaged by each family alone: how well the damage is found, and what restoring them gains.

Used by `restoration.py`. The truth counts a pixel as destroyed if `DESTROYED` of it or more is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

import restoration_cases as cases
from mendpix.data.damage_layers import Damage
from mendpix.data.degrade import FAMILIES, damage
from mendpix.metrics.detection import iou, rank_scores, ranked_average_precision
from mendpix.metrics.psnr import psnr
from mendpix.metrics.ssim import ssim
from mendpix.restoration.presets import NOISE, STANDS_FOR, Preset
from mendpix.restoration.restore import CLASSICAL, MAX_AREA
from mendpix.restoration.sensitivity import mark
from mendpix.types import Image, Map, Mask
from restoration_cases import DESTROYED, SEED, Named, Row, Rows

FOLDERS = ("bsds", "coco", "kodak")
"""Folders of validation pictures that are damaged: photos of all kinds."""

EVERY = 3
"""Every so many-th picture is damaged by a family, each family beginning with another one."""

FILLED = 3
"""Of these, every so many-th is mended as well: filling takes most of the time."""

BOLD = 0.8
"""A higher sensitivity than the default, which is measured beside it."""

FILLS = ("scenes", "auto")
"""Models that fill what the network has found, and what is truly destroyed."""

PRESETS: dict[str, Preset] = {kind: preset for preset, kinds in STANDS_FOR.items() for kind in kinds}
"""Kind of damage -> the preset that stands for it."""

CLASSICAL_KINDS = ("wear", "stains", "text", "noise")
"""Kinds of damage whose preset can be asked for without a network."""


@dataclass(frozen=True)
class Case:
    """One picture damaged by one family. Can be sent to other processes."""

    key: str
    family: str
    picture: Named
    fills: bool
    """Whether it is mended."""


def list_cases(shared: Path, limit: int | None = None) -> list[Case]:
    """List all cases, or so many of each family.

    Args:
        shared: Folder with `validation`.
        limit: Most cases of each family.
    """
    pictures = cases.validation_pictures(shared, FOLDERS)
    listed: list[Case] = []
    for number, family in enumerate(FAMILIES):
        own = enumerate(pictures[number % EVERY :: EVERY])
        every = [Case(f"{family}/{one.key}", family, one, place % FILLED == 0) for place, one in own]
        mended, others = ([case for case in every if case.fills is fills] for fills in (True, False))
        most = None if limit is None else -(-limit // FILLED)
        listed += cases.spread(mended, most) + cases.spread(others, None if limit is None else limit - (most or 0))
    return listed


def damaged(image: Image, family: str, number: int) -> Damage:
    """Damage a picture with a seed that follows from the family and the picture's number; in steps of 1/255."""
    made = damage(np.random.default_rng((SEED, list(FAMILIES).index(family), number)), image, family)
    return Damage(cases.to_unit(cases.to_levels(made.image)), made.destroyed, made.parameters)


def found_in(found: Map, truth: Mask, marked: Mask) -> dict[str, float]:
    """Measure what a finder says against what is destroyed.

    Args:
        found: How much speaks for damage.
        truth: 1 = destroyed.
        marked: 1 = marked.

    Returns:
        Average precision (`ap`), largest intersection over union of any threshold (`best`), that of the mask (`iou`),
        share of what is destroyed that the mask holds (`recall`), and the mask's share of the picture (`share`).
    """
    counts = rank_scores(found, truth)
    there = float(truth.sum())
    return {
        "ap": ranked_average_precision(counts),
        "best": cases.best_overlap(counts),
        "iou": iou(marked, truth) if there else float("nan"),
        "recall": float((marked * truth).sum()) / there if there else float("nan"),
        "share": float(marked.mean()),
    }


def measure(case: Case, finder: str) -> Row:
    """Find and mend one case."""
    clean = cases.read(case.picture)
    made = damaged(clean, case.family, case.picture.number)
    kind = FAMILIES[case.family]
    truth = (made.destroyed >= DESTROYED).astype(np.float32)
    exact = kind == NOISE
    row: Row = {"key": case.key, "family": case.family, "truth": float(truth.mean()), "found": {}, "quality": {}}

    def judge(name: str, picture: Image) -> None:
        row["quality"][name] = {"psnr": psnr(picture, clean), "ssim": ssim(picture, clean)}

    judge("damaged", made.image)
    own: Preset = PRESETS[kind]
    network: Preset = NOISE if exact else "auto"
    asked: list[tuple[str, str, Preset]] = [
        ("network", finder, network),
        ("preset", finder, own),
        ("classical", CLASSICAL, own),
    ]
    for name, who, preset in asked:
        if who == CLASSICAL and kind not in CLASSICAL_KINDS:
            continue
        found = cases.evidence(who, made.image, preset)
        marked = mark(found, exact=exact)
        row["found"][name] = found_in(found, truth, marked)
        row["found"][name]["refused"] = float(cases.is_too_large(marked, MAX_AREA))
        if name == "network":
            bold = mark(found, BOLD, exact=exact)
            row["found"]["bold"] = found_in(found, truth, bold)
            row["found"]["bold"]["refused"] = float(cases.is_too_large(bold, MAX_AREA))
            if case.fills:
                for fill in FILLS:
                    judge(f"network-{fill}", cases.filled(made.image, marked, fill))
                judge("bold-auto", cases.filled(made.image, bold, "auto"))
            for form, saved in cases.FORMS.items() if not exact else ():
                seen = cases.evidence(who, saved(made.image), preset)
                row["found"][form] = found_in(seen, truth, mark(seen, BOLD))
        if name == "classical" and case.fills:
            judge("classical-auto", cases.filled(made.image, marked, "auto"))
    for fill in FILLS if case.fills else ():
        judge(f"true-{fill}", cases.filled(made.image, truth, fill))
    return row


def measure_all(
    shared: Path, report: Path, finder: str, workers: int, limit: int | None = None
) -> dict[str, Sequence[Row]]:
    """Measure what is missing, and return the rows of each family."""
    listed = list_cases(shared, limit)
    rows = Rows(report / "damaged.jsonl", cases.mark_of("damaged", Path(finder), SEED, DESTROYED, BOLD, *cases.SAVED))
    keys = [case.key for case in listed]
    found = cases.fill_up(rows, listed, keys, partial(measure, finder=finder), workers, "damaged")
    return {family: [row for row in found if row["family"] == family] for family in FAMILIES}
