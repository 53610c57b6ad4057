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
from mendpix.restoration.presets import NOISE, STANDS_FOR, kinds_of, presets_of
from mendpix.restoration.restore import CLASSICAL
from mendpix.restoration.sensitivity import mark
from mendpix.types import FloatArray, Image
from restoration_cases import DESTROYED, SEED, Named, Row, Rows

SENSITIVITIES = (0.2, 0.5, 0.8)
"""Sensitivities that are measured."""

CHANGED = 0.005
"""Share of marked pixels above which a picture counts as changed."""

ALLOWED = 0.01
"""Share of pictures without damage that may be changed at the default sensitivity."""

ODDS = tuple(round(-3 + 0.4 * step, 2) for step in range(33))
"""Thresholds that are tried, as logarithms of odds: 0 = 0.5."""

DAMAGED = 288
"""Damaged training pictures by which recall is measured: as many of each family, and of these of each form."""

CLEAN = 288
"""Training pictures without damage that must be left alone as well."""

AS_DRAWN = "as drawn"
"""The form of a picture that is neither turned to grey nor saved as JPEG."""

AUTO = "auto"
"""The preset that looks for all kinds but noise."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

TRAINING = "training/"
"""First part of the keys of training pictures."""

_TIE = 1e-9  # recall that a step of a threshold is worth
_ROUNDING = 1e-9  # of shares of pictures


def measure(named: Named, finder: str) -> Row:
    """Mark one picture without damage by each finder, preset and sensitivity."""
    image = cases.read(named)
    shares: dict[str, dict[str, list[float]]] = {}
    asked = [("network", finder, image), (CLASSICAL, CLASSICAL, image)]
    asked += [(f"network, {form}", finder, saved(image)) for form, saved in cases.FORMS.items()]
    for name, who, seen in asked:
        shares[name] = {}
        for preset in presets_of(cases.open_one(who).facts):
            found = cases.evidence(who, seen, preset)
            exact = kinds_of(preset, cases.open_one(who).facts) == (NOISE,)
            shares[name][preset] = [float(mark(found, level, exact=exact).mean()) for level in SENSITIVITIES]
    return {"key": named.key, "shares": shares}


def measure_all(shared: Path, report: Path, finder: str, workers: int, limit: int | None = None) -> list[Row]:
    """Measure what is missing of all validation pictures and of a few large photos, and return the rows."""
    pictures = cases.spread(cases.validation_pictures(shared), limit)
    pictures += cases.spread(cases.large_pictures(shared), limit)
    rows = Rows(report / "clean.jsonl", cases.mark_of("clean", Path(finder), SENSITIVITIES))
    keys = [named.key for named in pictures]
    return cases.fill_up(rows, pictures, keys, partial(measure, finder=finder), workers, "clean")


class OneKind:
    """A finder of which one kind counts."""

    def __init__(self, engine: DamageEngine, kind: str) -> None:
        self._engine = engine
        self._place = engine.facts.kinds.index(kind)
        self._facts = replace(engine.facts, kinds=(kind,), thresholds=(), own_thresholds=())

    @property
    def facts(self) -> Facts:
        """Facts with this kind alone."""
        return self._facts

    def find(self, image: Image) -> FloatArray:
        """Rate every pixel, shape (H, W, 1)."""
        return self._engine.find(image)[..., self._place : self._place + 1]


def marks_by_threshold(engine: DamageEngine, image: Image, kind: str) -> list[Bools]:
    """Mark a picture at each of `ODDS`, as at the default sensitivity."""
    noise = kind == NOISE
    one = OneKind(engine, kind)
    look = plan_look((image.shape[0], image.shape[1]), one.facts, full_size=noise)
    found = find_damage(one, image, {kind: 0.5}, look).astype(np.float64)
    marks: list[Bools] = []
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
    form: str = AS_DRAWN
    """How it is saved after it was damaged: one of `FORMS`, or as it is."""


def saved_as(image: Image, form: str) -> Image:
    """Save a picture in one of the forms of `FORMS`; or as it is, in 8 bits."""
    return cases.FORMS[form](image) if form in cases.FORMS else cases.to_unit(cases.to_levels(image))


def sweep(task: CleanTask, finder: str) -> Row:
    """Measure at every threshold, kind by kind: share of the picture marked, and of what is destroyed."""
    engine = cases.open_one(finder)
    assert not isinstance(engine, ClassicalFinder)
    image = cases.to_unit(task.levels)
    told = {"key": task.key, "family": task.family, "form": task.form, "number": task.number}
    if task.family is None:
        seen = saved_as(image, task.form)
        shares = {
            kind: [float(marks.mean()) for marks in marks_by_threshold(engine, seen, kind)]
            for kind in engine.facts.kinds
        }
        return {**told, "shares": shares}
    made = damage(np.random.default_rng((SEED, 99, task.number)), image, task.family)
    truth = made.destroyed >= DESTROYED
    seen = saved_as(made.image, task.form)
    overlaps: list[tuple[float, float]] = []
    for marks in marks_by_threshold(engine, seen, FAMILIES[task.family]):
        both = float((marks & truth).sum())
        overlaps.append((both / max(float(truth.sum()), 1), both / max(float((marks | truth).sum()), 1)))
    return {
        **told,
        "recall": [one[0] for one in overlaps] if truth.any() else None,
        "iou": [one[1] for one in overlaps] if truth.any() else None,
    }


@dataclass(frozen=True)
class Choice:
    """Thresholds, and what they come to on the pictures by which they were chosen."""

    odds: Mapping[str, float]
    """Kind -> logarithm of the odds from which on a pixel is marked, with `auto`; of noise, with its own preset."""
    own_odds: Mapping[str, float]
    """The same with the kind's own preset."""
    changed: Mapping[str, float]
    """Preset -> share of the pictures without damage that are changed."""
    recall: Mapping[str, float]
    """Kind -> mean recall with `auto` on damaged training pictures, over their families."""
    own_recall: Mapping[str, float]
    """The same with the kind's own preset."""

    def thresholds(self, kinds: Sequence[str]) -> tuple[float, ...]:
        """Give the thresholds of `auto` in the order of the finder's kinds."""
        return tuple(to_share(self.odds[kind]) for kind in kinds)

    def own_thresholds(self, kinds: Sequence[str]) -> tuple[float, ...]:
        """Give those of the other presets."""
        return tuple(to_share(self.own_odds[kind]) for kind in kinds)


def choose(
    clean: Mapping[str, Floats],
    recall: Mapping[str, Floats],
    allowed: float = ALLOWED,
    groups: Sequence[Bools] = (),
) -> Choice:
    """Choose thresholds for each preset: those that find most among those that change few pictures without damage.

    Args:
        clean: Kind -> share marked of each picture without damage at each threshold, shape (pictures, thresholds).
        recall: Kind -> mean recall at each threshold, shape (thresholds,).
        allowed: Share of pictures that may be changed by a preset: of all, and of each group.
        groups: Which of the pictures belong to a group, shape (pictures,) each.
    """
    presets: dict[str, list[str]] = {AUTO: [kind for kind in clean if kind != NOISE]}
    presets |= {preset: [kind for kind in kinds if kind in clean] for preset, kinds in STANDS_FOR.items()}
    odds: dict[str, float] = {}
    own_odds: dict[str, float] = {}
    changed: dict[str, float] = {}
    for preset, kinds in presets.items():
        if not kinds:
            continue
        places = _most_found(
            [clean[kind] for kind in kinds], [np.sqrt(recall[kind]) for kind in kinds], allowed, groups
        )
        total = np.sum([clean[kind][:, place] for kind, place in zip(kinds, places, strict=True)], axis=0)
        changed[preset] = float((total > CHANGED).mean())
        chosen = {kind: ODDS[place] for kind, place in zip(kinds, places, strict=True)}
        if preset == AUTO:
            odds = chosen
        else:
            own_odds |= chosen
    own_odds, odds = {**odds, **own_odds}, {**own_odds, **odds}  # noise, and kinds without a preset
    return Choice(odds, own_odds, changed, _at(recall, odds), _at(recall, own_odds))


def _most_found(
    clean: Sequence[Floats], worth: Sequence[Floats], allowed: float, groups: Sequence[Bools]
) -> tuple[int, ...]:
    """Choose a threshold for each of some kinds that are looked for together.

    The sum of what they mark counts (marks may overlap: then less is changed than counted), and of all combinations the
    one of the largest worth is taken; of equals, the highest thresholds; if none changes few enough, the highest.

    Args:
        clean: For each kind the share marked of each picture without damage, shape (pictures, thresholds).
        worth: For each kind what each threshold is worth, shape (thresholds,): the square root of the recall, so that
            no kind is given up for another.
        allowed: Share of pictures that may be changed.
        groups: Parts of the pictures for which that must hold, too.
    """
    count, steps = clean[0].shape
    members = [np.ones(count, bool), *(group for group in groups if group.any())]
    weights = np.stack([group / group.sum() for group in members])  # (groups, pictures)
    best: tuple[float, tuple[int, ...]] | None = None
    for others in product(range(steps), repeat=len(clean) - 1):
        base = sum((marks[:, place] for marks, place in zip(clean, others, strict=False)), np.zeros(count))
        if not (weights @ (base > CHANGED) <= allowed + _ROUNDING).all():
            continue  # the last kind can only add to it
        changed = weights @ (base[:, None] + clean[-1] > CHANGED)  # (groups, thresholds)
        fine = (changed <= allowed + _ROUNDING).all(axis=0)
        if not fine.any():
            continue
        gain = sum(float(values[place]) for values, place in zip(worth, others, strict=False)) + worth[-1]
        gain = gain + _TIE * (sum(others) + np.arange(steps))
        place = int(np.argmax(np.where(fine, gain, -np.inf)))
        if best is None or gain[place] > best[0]:
            best = float(gain[place]), (*others, place)
    return best[1] if best else (steps - 1,) * len(clean)


def _at(values: Mapping[str, Floats], odds: Mapping[str, float]) -> dict[str, float]:
    """Take the value of each kind at its threshold."""
    return {kind: float(values[kind][ODDS.index(at)]) for kind, at in odds.items()}


def calibrate(shared: Path, report: Path, finder: Path, workers: int, limit: int | None = None) -> dict[str, Any]:
    """Choose a finder's thresholds, write them into its file, and return what was done."""
    tasks: list[CleanTask] = []
    for named in cases.spread(cases.validation_pictures(shared), limit):
        levels = cases.to_levels(cases.read(named))
        for form in (AS_DRAWN, *cases.FORMS):
            tasks.append(CleanTask(f"{named.key} {form}", levels, None, named.number, form))
    families, forms = list(FAMILIES), [AS_DRAWN, *cases.FORMS]
    asked = (CLEAN, DAMAGED) if limit is None else (limit, limit)
    for number, (key, image) in enumerate(cases.training_pictures(shared, sum(asked))):
        # Every other picture is damaged.
        repeats, place = divmod(number // 2, len(families))
        family, form = (families[place], forms[repeats % len(forms)]) if number % 2 else (None, AS_DRAWN)
        tasks.append(CleanTask(f"{TRAINING}{key}", cases.to_levels(image), family, number, form))
    weights = file_weights(finder)
    rows = Rows(report / "calibrate.jsonl", cases.mark_of("calibrate", weights, ODDS, SEED, DESTROYED))
    found = cases.fill_up(
        rows, tasks, [task.key for task in tasks], partial(sweep, finder=str(finder)), workers, "calibrate"
    )
    kinds = cases.open_one(str(finder)).facts.kinds
    untouched = [row for row in found if row["family"] is None]
    clean = {kind: np.array([row["shares"][kind] for row in untouched]) for kind in kinds}
    recall = {kind: recall_of(found, kind, "recall") for kind in kinds}
    overlap = {kind: recall_of(found, kind, "iou") for kind in kinds}
    groups = [np.array([_group_of(row) == form for row in untouched]) for form in forms]
    choice = choose(clean, recall, groups=groups)
    thresholds, own = choice.thresholds(kinds), choice.own_thresholds(kinds)
    report_ = {
        "thresholds": dict(zip(kinds, thresholds, strict=True)),
        "own_thresholds": dict(zip(kinds, own, strict=True)),
        "changed": dict(choice.changed),
        "recall": dict(choice.recall),
        "own_recall": dict(choice.own_recall),
        "iou": _at(overlap, choice.odds),
        "clean": {"validation": int(groups[0].sum()), "training": sum(_is_training(row) for row in untouched)},
        "damaged": len(found) - len(untouched),
        "halves": cross_checked(untouched, clean, recall, forms),
    }
    write_thresholds(finder, thresholds, own)
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


def cross_checked(
    untouched: Sequence[Row], clean: Mapping[str, Floats], recall: Mapping[str, Floats], forms: Sequence[str]
) -> dict[str, float]:
    """Choose by every other picture and look at those left, both ways.

    What was chosen on some pictures looks better on these than on others.

    Returns:
        Form -> share of the validation pictures in it that `auto` changes.
    """
    changed: dict[str, list[float]] = {form: [] for form in forms}
    for half in (0, 1):
        # Of training pictures every other one is damaged: the numbers of those without damage are even.
        inside = np.array([row["number"] // (2 if _is_training(row) else 1) % 2 == half for row in untouched])
        if not inside.any() or inside.all():
            continue
        groups = [np.array([_group_of(row) == form for row in untouched]) for form in forms]
        choice = choose(
            {kind: values[inside] for kind, values in clean.items()}, recall, groups=[group[inside] for group in groups]
        )
        for form, group in zip(forms, groups, strict=True):
            outside = ~inside & group
            total = np.zeros(int(outside.sum()))
            for kind, values in clean.items():
                if kind != NOISE:
                    total += values[outside, ODDS.index(choice.odds[kind])]
            changed[form] += list((total > CHANGED).astype(float))
    return {form: float(np.mean(values)) if values else math.nan for form, values in changed.items()}


def _is_training(row: Row) -> bool:
    return str(row["key"]).startswith(TRAINING)


def _group_of(row: Row) -> str | None:
    """Tell the form of a validation picture; None for others."""
    return None if _is_training(row) else row["form"]


def write_thresholds(file: Path, thresholds: tuple[float, ...], own: tuple[float, ...] = ()) -> None:
    """Write thresholds into the facts of a finder's file: those of `auto`, and of the other presets."""
    model = onnx.load(file)
    for entry in model.metadata_props:
        if entry.key == FACTS_KEY:
            facts = {
                **json.loads(entry.value),
                "thresholds": [round(value, 6) for value in thresholds],
                "own_thresholds": [round(value, 6) for value in own],
            }
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
