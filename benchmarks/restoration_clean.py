"""Pictures without damage: how much of them is marked all the same, and which thresholds keep that rare.

Used by `restoration.py`. `calibrate` chooses from which of its answers on a finder marks a pixel, kind by kind.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

import restoration_cases as cases
from mendpix.atomic_files import atomic_write
from mendpix.data.degrade import FAMILIES, damage
from mendpix.engines.interface import FACTS_KEY, DamageEngine, Facts
from mendpix.restoration.classical import ClassicalFinder
from mendpix.restoration.predict import find_damage, plan_look
from mendpix.restoration.presets import NOISE, kinds_of, presets_of
from mendpix.restoration.restore import CLASSICAL
from mendpix.restoration.sensitivity import mark
from mendpix.types import FloatArray, Image
from restoration_cases import DESTROYED, SEED, Named, Row, Rows

SENSITIVITIES = (0.25, 0.5, 0.75)
"""Sensitivities that are measured."""

CHANGED = 0.005
"""Share of marked pixels above which a picture counts as changed."""

ALLOWED = 0.01
"""Share of pictures without damage that may be changed at the default sensitivity."""

ODDS = tuple(round(-3 + 0.4 * step, 2) for step in range(33))
"""Thresholds that are tried, as logarithms of odds: 0 = 0.5."""

DAMAGED = 288
"""Damaged training pictures by which recall is measured: as many of each family."""

CLEAN = 288
"""Training pictures without damage that must be left alone as well."""

Floats = NDArray[np.float64]

_TIE = 1e-9  # recall that a step of a threshold is worth


def measure(named: Named, finder: str) -> Row:
    """Mark one picture without damage by each finder, preset and sensitivity."""
    image = cases.read(named)
    shares: dict[str, dict[str, list[float]]] = {}
    for name, who in (("network", finder), (CLASSICAL, CLASSICAL)):
        shares[name] = {}
        for preset in presets_of(cases.open_one(who).facts):
            found = cases.evidence(who, image, preset)
            exact = kinds_of(preset, cases.open_one(who).facts) == (NOISE,)
            shares[name][preset] = [float(mark(found, level, exact=exact).mean()) for level in SENSITIVITIES]
    for form, saved in cases.FORMS.items():
        found = cases.evidence(finder, saved(image), "auto")
        shares[f"network, {form}"] = {"auto": [float(mark(found, level).mean()) for level in SENSITIVITIES]}
    return {"key": named.key, "shares": shares}


def measure_all(shared: Path, report: Path, finder: str, workers: int, limit: int | None = None) -> list[Row]:
    """Measure what is missing of all validation pictures and of a few large photos, and return the rows."""
    pictures = cases.spread(cases.validation_pictures(shared), limit)
    pictures += cases.spread(cases.large_pictures(shared), limit)
    rows = Rows(report / "clean.jsonl", cases.mark_of("clean", Path(finder), SENSITIVITIES))
    keys = [named.key for named in pictures]
    return cases.fill_up(rows, pictures, keys, partial(measure, finder=finder), workers, "clean")


class OneKind:
    """A finder of which one kind counts, from a given answer on."""

    def __init__(self, engine: DamageEngine, kind: str, threshold: float) -> None:
        self._engine = engine
        self._place = engine.facts.kinds.index(kind)
        self._facts = replace(engine.facts, kinds=(kind,), thresholds=(threshold,))

    @property
    def facts(self) -> Facts:
        """Facts with this kind alone."""
        return self._facts

    def find(self, image: Image) -> FloatArray:
        """Rate every pixel, shape (H, W, 1)."""
        return self._engine.find(image)[..., self._place : self._place + 1]


def marks_by_threshold(engine: DamageEngine, image: Image, kind: str) -> list[NDArray[np.bool_]]:
    """Mark a picture at each of `ODDS`, as at the default sensitivity."""
    noise = kind == NOISE
    one = OneKind(engine, kind, 0.5)
    look = plan_look((image.shape[0], image.shape[1]), one.facts, full_size=noise)
    found = find_damage(one, image, (kind,), look).astype(np.float64)
    marks: list[NDArray[np.bool_]] = []
    for odds in ODDS:
        if noise or found.max(initial=0) >= to_share(odds):
            against = (1 - found) * math.exp(odds)
            marks.append(mark((found / (found + against)).astype(np.float32), exact=noise) > 0)
        else:
            marks.append(np.zeros(found.shape, bool))
    return marks


@dataclass(frozen=True)
class CleanTask:
    """A picture without damage, or one with damage of a family, to be marked at every threshold."""

    key: str
    levels: NDArray[np.uint8]
    family: str | None
    number: int


def sweep(task: CleanTask, finder: str) -> Row:
    """Measure at every threshold, kind by kind: share of the picture marked, and of what is destroyed."""
    engine = cases.open_one(finder)
    assert not isinstance(engine, ClassicalFinder)
    image = cases.to_unit(task.levels)
    if task.family is None:
        shares = {
            kind: [float(marks.mean()) for marks in marks_by_threshold(engine, image, kind)]
            for kind in engine.facts.kinds
        }
        return {"key": task.key, "family": None, "shares": shares}
    made = damage(np.random.default_rng((SEED, 99, task.number)), image, task.family)
    truth = made.destroyed >= DESTROYED
    kind = FAMILIES[task.family]
    picture = cases.to_unit(cases.to_levels(made.image))
    overlaps: list[tuple[float, float]] = []
    for marks in marks_by_threshold(engine, picture, kind):
        both = float((marks & truth).sum())
        overlaps.append((both / max(float(truth.sum()), 1), both / max(float((marks | truth).sum()), 1)))
    return {
        "key": task.key,
        "family": task.family,
        "recall": [one[0] for one in overlaps] if truth.any() else None,
        "iou": [one[1] for one in overlaps] if truth.any() else None,
    }


@dataclass(frozen=True)
class Choice:
    """Thresholds, and what they come to on the pictures by which they were chosen."""

    odds: Mapping[str, float]
    """Kind -> logarithm of the odds from which on a pixel is marked."""
    changed: Mapping[str, float]
    """`auto` and `noise` -> share of the pictures without damage that are changed."""
    recall: Mapping[str, float]
    """Kind -> mean recall on damaged training pictures, over their families."""

    def thresholds(self, kinds: Sequence[str]) -> tuple[float, ...]:
        """Give the thresholds in the order of the finder's kinds."""
        return tuple(to_share(self.odds[kind]) for kind in kinds)


def choose(
    clean: Mapping[str, Floats],
    recall: Mapping[str, Floats],
    allowed: float = ALLOWED,
    first: NDArray[np.bool_] | None = None,
) -> Choice:
    """Choose the thresholds with the best recall among those that change few enough pictures without damage.

    For `auto`, the sum of what its kinds mark counts (they may overlap: then less is changed than counted), and of all
    combinations of thresholds the one with the largest sum of the square roots of the kinds' recalls is taken, so that
    no kind is given up for another; of equals, the highest thresholds. Noise is on its own.

    Args:
        clean: Kind -> share marked of each picture without damage at each threshold, shape (pictures, thresholds).
        recall: Kind -> mean recall at each threshold, shape (thresholds,).
        allowed: Share of pictures that may be changed: of all, and of those that must be left alone above all.
        first: For each picture whether it is one of these; None = all are alike.
    """
    kinds = [kind for kind in clean if kind != NOISE]
    count = len(clean[kinds[0]])
    members = [np.ones(count, bool)] if first is None or not first.any() else [np.ones(count, bool), first]
    worth = {kind: np.sqrt(values) for kind, values in recall.items()}
    steps = len(ODDS)
    best: tuple[float, tuple[int, ...]] | None = None
    for others in product(range(steps), repeat=len(kinds) - 1):
        base = sum((clean[kind][:, place] for kind, place in zip(kinds, others, strict=False)), np.zeros(count))
        shares = base[:, None] + clean[kinds[-1]]  # (pictures, thresholds)
        changed = shares > CHANGED
        fine = np.all([changed[group].mean(axis=0) <= allowed for group in members], axis=0)
        if not fine.any():
            continue
        gain = sum(float(worth[kind][place]) for kind, place in zip(kinds, others, strict=False)) + worth[kinds[-1]]
        gain = gain + _TIE * (sum(others) + np.arange(steps))
        place = int(np.argmax(np.where(fine, gain, -np.inf)))
        if best is None or gain[place] > best[0]:
            best = float(gain[place]), (*others, place)
    places = best[1] if best else (steps - 1,) * len(kinds)
    odds = {kind: ODDS[place] for kind, place in zip(kinds, places, strict=True)}
    total = sum((clean[kind][:, place] for kind, place in zip(kinds, places, strict=True)), np.zeros(count))
    shares_changed = {"auto": float((total > CHANGED).mean())}
    found = {kind: float(recall[kind][place]) for kind, place in zip(kinds, places, strict=True)}
    if NOISE in clean:
        changed = clean[NOISE] > CHANGED
        fine = np.all([changed[group].mean(axis=0) <= allowed for group in members], axis=0)
        place = int(np.argmax(fine)) if fine.any() else steps - 1
        odds[NOISE] = ODDS[place]
        shares_changed[NOISE] = float(changed[:, place].mean())
        found[NOISE] = float(recall[NOISE][place])
    return Choice(odds, shares_changed, found)


def calibrate(shared: Path, report: Path, finder: Path, workers: int, limit: int | None = None) -> dict[str, Any]:
    """Choose a finder's thresholds, write them into its file, and return what was done."""
    pictures = cases.spread(cases.validation_pictures(shared), limit)
    tasks = [CleanTask(named.key, cases.to_levels(cases.read(named)), None, named.number) for named in pictures]
    families = list(FAMILIES)
    asked = (CLEAN, DAMAGED) if limit is None else (limit, limit)
    for number, (key, image) in enumerate(cases.training_pictures(shared, sum(asked))):
        # Every other picture is damaged.
        family = families[(number // 2) % len(families)] if number % 2 else None
        tasks.append(CleanTask(f"training/{key}", cases.to_levels(image), family, number))
    weights = file_weights(finder)
    rows = Rows(report / "calibrate.jsonl", cases.mark_of("calibrate", weights, ODDS, SEED, DESTROYED))
    found = cases.fill_up(
        rows, tasks, [task.key for task in tasks], partial(sweep, finder=str(finder)), workers, "calibrate"
    )
    kinds = cases.open_one(str(finder)).facts.kinds
    untouched = [row for row in found if row["family"] is None]
    clean = {kind: np.array([row["shares"][kind] for row in untouched]) for kind in kinds}
    training = np.array([row["key"].startswith("training/") for row in untouched])
    recall = {kind: recall_of(found, kind, "recall") for kind in kinds}
    overlap = {kind: recall_of(found, kind, "iou") for kind in kinds}
    choice = choose(clean, recall, first=~training)
    thresholds = choice.thresholds(kinds)
    report_ = {
        "thresholds": dict(zip(kinds, thresholds, strict=True)),
        "changed": dict(choice.changed),
        "recall": dict(choice.recall),
        "iou": {kind: float(overlap[kind][ODDS.index(choice.odds[kind])]) for kind in kinds},
        "clean": {"validation": int((~training).sum()), "training": int(training.sum())},
        "damaged": len(found) - len(untouched),
        "halves": cross_checked(clean, recall, training),
    }
    write_thresholds(finder, thresholds)
    with atomic_write(report / "calibrate.json") as temporary:
        temporary.write_text(json.dumps(report_, indent=2) + "\n", encoding="utf-8")
    return report_


def recall_of(found: Sequence[Row], kind: str, what: str) -> Floats:
    """Average recall (or overlap) at each threshold over the families of a kind, each the mean of its pictures."""
    means: list[Floats] = []
    for family in (name for name, its_kind in FAMILIES.items() if its_kind == kind):
        own = [row[what] for row in found if row["family"] == family and row[what] is not None]
        if own:
            means.append(np.mean(own, axis=0))
    return np.mean(means, axis=0) if means else np.zeros(len(ODDS))


def cross_checked(clean: Mapping[str, Floats], recall: Mapping[str, Floats], training: NDArray[np.bool_]) -> float:
    """Choose by every other picture and look at those left, both ways: share of validation pictures changed by `auto`.

    What was chosen on some pictures looks better on these than on others.
    """
    count = len(training)
    changed: list[float] = []
    for half in (0, 1):
        inside = np.arange(count) % 2 == half
        choice = choose({kind: values[inside] for kind, values in clean.items()}, recall, first=~training[inside])
        outside = ~inside & ~training
        total = np.zeros(int(outside.sum()))
        for kind, values in clean.items():
            if kind != NOISE:
                total += values[outside, ODDS.index(choice.odds[kind])]
        changed += list((total > CHANGED).astype(float))
    return float(np.mean(changed)) if changed else math.nan


def write_thresholds(file: Path, thresholds: tuple[float, ...]) -> None:
    """Write thresholds into the facts of a finder's file."""
    model = onnx.load(file)
    for entry in model.metadata_props:
        if entry.key == FACTS_KEY:
            facts = {**json.loads(entry.value), "thresholds": [round(value, 6) for value in thresholds]}
            Facts.from_json(json.dumps(facts))
            entry.value = json.dumps(facts)
    with atomic_write(file) as temporary:
        onnx.save(model, temporary)


def file_weights(file: Path) -> str:
    """Return the facts of a finder's file without its thresholds, and a hash of its graph."""
    model = onnx.load(file)
    return cases.mark_of_bytes(model.graph.SerializeToString(deterministic=True))


def to_share(odds: float) -> float:
    """Turn the logarithm of odds into a share."""
    return 1 / (1 + math.exp(-odds))
