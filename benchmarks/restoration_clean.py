"""Pictures without damage: how much of them is marked all the same, and which thresholds keep that rare.

Used by `restoration.py`. `calibrate` chooses from which of its answers on a finder marks a pixel, kind by kind.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
from mendpix.engines.onnx import OnnxDamageFinder
from mendpix.restoration.classical import ClassicalFinder
from mendpix.restoration.predict import find_damage, plan_look
from mendpix.restoration.presets import NOISE, STANDS_FOR, kinds_of, presets_of, thresholds_by_kind
from mendpix.restoration.restore import CLASSICAL
from mendpix.restoration.sensitivity import SENSITIVITY, SPAN, mark
from mendpix.types import FloatArray, Image
from restoration_cases import DESTROYED, SEED, Named, Row, Rows
from restoration_damaged import PRESETS

SENSITIVITIES = (0.2, 0.5, 0.8)
"""Sensitivities that are measured."""

CHANGED = 0.005
"""Share of marked pixels above which a picture counts as changed."""

ALLOWED = 0.01
"""Share of pictures without damage that may be changed at the default sensitivity."""

DIGITS = 6
"""Decimals of the thresholds in the file."""

ODDS = tuple(round(-3 + 0.4 * step, 2) for step in range(33))
"""Thresholds that are tried, as logarithms of odds: 0 = 0.5."""

DAMAGED = 288
"""Damaged training pictures by which recall is measured: as many of each family, and of these of each form."""

CLEAN = 288
"""Training pictures without damage that must be left alone as well."""

STRICTER = tuple(round(0.2 * step, 1) for step in range(11))
"""By how much, in the logarithm of the odds, all thresholds of a preset are raised if its kinds together change too
many pictures."""

AS_DRAWN = "as drawn"
"""The form of a picture that is neither turned to grey nor saved as JPEG."""

ORIGINALS = "originals"
"""Validation pictures as drawn and training pictures, together."""

AUTO = "auto"
"""The preset that looks for all kinds but noise."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

TRAINING = "training/"
"""First part of the keys of training pictures."""

_FAMILIES = Counter(FAMILIES.values())
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
    rows = Rows(report / "clean.jsonl", cases.mark_of("clean", Path(finder), SENSITIVITIES, *cases.SAVED))
    keys = [named.key for named in pictures]
    return cases.fill_up(rows, pictures, keys, partial(measure, finder=finder), workers, "clean")


class OneKind:
    """A finder of which one kind counts."""

    def __init__(self, engine: DamageEngine, kind: str) -> None:
        self._engine = engine
        self._place = engine.facts.kinds.index(kind)
        self._facts = replace(engine.facts, kinds=(kind,), thresholds=(), preset_thresholds=())

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
    preset_odds: Mapping[str, float]
    """The same with the kind's own preset."""

    def thresholds(self, kinds: Sequence[str]) -> tuple[float, ...]:
        """Give the thresholds of `auto` in the order of the finder's kinds."""
        return tuple(to_share(self.odds[kind]) for kind in kinds)

    def preset_thresholds(self, kinds: Sequence[str]) -> tuple[float, ...]:
        """Give those of the other presets."""
        return tuple(to_share(self.preset_odds[kind]) for kind in kinds)


def choose(
    clean: Mapping[str, Floats],
    recall: Mapping[str, Floats],
    allowed: float = ALLOWED,
    groups: Sequence[Bools] = (),
) -> Choice:
    """Choose thresholds for each preset: those that find most, of all that change few pictures without damage.

    Most: the largest sum over the families of damage of the square root of their kind's recall, so that none is given
    up for another.

    Args:
        clean: Kind -> share marked of each picture without damage at each threshold, shape (pictures, thresholds).
        recall: Kind -> mean recall at each threshold, shape (thresholds,).
        allowed: Share of pictures that may be changed by a preset: of all, and of each group.
        groups: Which of the pictures belong to a group, shape (pictures,) each.
    """
    odds: dict[str, float] = {}
    preset_odds: dict[str, float] = {}
    for preset, kinds in _presets(clean).items():
        worth = [_FAMILIES[kind] * np.sqrt(recall[kind]) for kind in kinds]
        places = _most_found([clean[kind] for kind in kinds], worth, allowed, groups)
        chosen = {kind: ODDS[place] for kind, place in zip(kinds, places, strict=True)}
        if preset == AUTO:
            odds = chosen
        else:
            preset_odds |= chosen
    preset_odds, odds = {**odds, **preset_odds}, {**preset_odds, **odds}  # noise, and kinds without a preset
    return Choice(odds, preset_odds)


def _most_found(
    clean: Sequence[Floats], worth: Sequence[Floats], allowed: float, groups: Sequence[Bools]
) -> tuple[int, ...]:
    """Choose a threshold for each of some kinds that are looked for together.

    The sum of what each marks by itself counts. It is near what they mark together: marks may overlap, and may be
    followed from one kind into another's fainter answers. Of all combinations that of the largest worth is taken; of
    equals, the highest thresholds; if none changes few enough, the highest.

    Args:
        clean: For each kind the share marked of each picture without damage, shape (pictures, thresholds).
        worth: For each kind what each threshold is worth, shape (thresholds,).
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


def values_at(values: Mapping[str, Floats], odds: Mapping[str, float]) -> dict[str, float]:
    """Read the value of each kind at its threshold, between two that were tried if it lies there."""
    return {kind: float(np.interp(at, ODDS, values[kind])) for kind, at in odds.items()}


def calibrate(shared: Path, report: Path, finder: Path, workers: int, limit: int | None = None) -> dict[str, Any]:
    """Choose a finder's thresholds, write them into its file, and return what was done."""
    families, forms = list(FAMILIES), [AS_DRAWN, *cases.FORMS]
    tasks: list[CleanTask] = []
    for named in cases.spread(cases.validation_pictures(shared), limit):
        levels = cases.to_levels(cases.read(named))
        tasks += [CleanTask(f"{named.key} {form}", levels, None, named.number, form) for form in forms]
    asked = (CLEAN, DAMAGED) if limit is None else (limit, limit)
    for number, (key, image) in enumerate(cases.training_pictures(shared, sum(asked))):
        # Every other picture is damaged.
        repeats, place = divmod(number // 2, len(families))
        family, form = (families[place], forms[repeats % len(forms)]) if number % 2 else (None, AS_DRAWN)
        tasks.append(
            CleanTask(f"{TRAINING}{key} {number} {family} {form}", cases.to_levels(image), family, number, form)
        )
    weights = file_weights(finder)
    rows = Rows(report / "calibrate.jsonl", cases.mark_of("calibrate", weights, ODDS, SEED, DESTROYED, *cases.SAVED))
    found = cases.fill_up(
        rows, tasks, [task.key for task in tasks], partial(sweep, finder=str(finder)), workers, "calibrate"
    )
    kinds = cases.open_one(str(finder)).facts.kinds
    untouched = [row for row in found if row["family"] is None]
    clean = {kind: np.array([row["shares"][kind] for row in untouched]) for kind in kinds}
    recall = {kind: recall_of(found, kind, "recall") for kind in kinds}
    overlap = {kind: recall_of(found, kind, "iou") for kind in kinds}
    groups = grouped(untouched)
    choice = choose(clean, recall, groups=list(groups.values()))
    write_thresholds(finder, choice.thresholds(kinds), choice.preset_thresholds(kinds))
    shifts = stricter(report, finder, [task for task in tasks if task.family is None], workers)
    choice = replace(
        choice,
        odds={kind: odds + (shifts.get(AUTO, 0) if kind != NOISE else 0) for kind, odds in choice.odds.items()},
        preset_odds={kind: odds + shifts.get(PRESETS.get(kind, AUTO), 0) for kind, odds in choice.preset_odds.items()},
    )
    thresholds, named = choice.thresholds(kinds), choice.preset_thresholds(kinds)
    report_ = {
        "finder": weights,
        "thresholds": dict(zip(kinds, (round(value, DIGITS) for value in thresholds), strict=True)),
        "preset_thresholds": dict(zip(kinds, (round(value, DIGITS) for value in named), strict=True)),
        "stricter": shifts,
        "recall": values_at(recall, choice.odds),
        "preset_recall": values_at(recall, choice.preset_odds),
        "iou": values_at(overlap, choice.odds),
        "clean": {name: int(group.sum()) for name, group in groups.items()},
        "damaged": len(found) - len(untouched),
        "halves": cross_checked(untouched, clean, recall),
    }
    write_thresholds(finder, thresholds, named)
    with atomic_write(report / "calibrate.json") as temporary:
        temporary.write_text(json.dumps(report_, indent=2) + "\n", encoding="utf-8")
    return report_


def is_of(report: Row, finder: Path) -> bool:
    """Tell whether a report of `calibrate` is of this finder with these thresholds."""
    facts = OnnxDamageFinder(finder, threads=1).facts
    wanted = {"thresholds": thresholds_by_kind(facts), "preset_thresholds": thresholds_by_kind(facts, named=True)}
    return report.get("finder") == file_weights(finder) and all(
        report.get(key) == given for key, given in wanted.items()
    )


def grouped(untouched: Sequence[Row]) -> dict[str, Bools]:
    """Tell which pictures without damage must be left alone: the validation pictures in each form, and `ORIGINALS`."""
    training = np.array([_is_training(row) for row in untouched])
    form = np.array([row["form"] for row in untouched])
    groups = {name: (form == name) & ~training for name in dict.fromkeys(form[~training].tolist())}
    return {**groups, ORIGINALS: form == AS_DRAWN}


def stricter(report: Path, finder: Path, tasks: Sequence[CleanTask], workers: int) -> dict[str, float]:
    """Tell by how much the thresholds must be raised for what presets of several kinds mark together.

    Returns:
        Preset -> the least of `STRICTER` with which no group has more than `ALLOWED` of its pictures changed.
    """
    rows = Rows(report / "together.jsonl", cases.mark_of("together", finder, STRICTER, *cases.SAVED))
    keys = [task.key for task in tasks]
    found = cases.fill_up(rows, tasks, keys, partial(mark_together, finder=str(finder)), workers, "calibrate, together")
    groups = grouped(found).values()
    shifts: dict[str, float] = {}
    for preset in found[0]["shares"]:
        changed = np.array([row["shares"][preset] for row in found]) > CHANGED  # (pictures, shifts)
        fine = np.all([changed[group].mean(axis=0) <= ALLOWED for group in groups], axis=0)
        shifts[preset] = STRICTER[int(np.argmax(fine)) if fine.any() else -1]
    return shifts


def mark_together(task: CleanTask, finder: str) -> Row:
    """Mark a picture without damage by presets that look for several kinds, at thresholds raised more and more."""
    image = saved_as(cases.to_unit(task.levels), task.form)
    facts = cases.open_one(finder).facts
    shares: dict[str, list[float]] = {}
    for preset in presets_of(facts):
        if len(kinds_of(preset, facts)) > 1:
            found = cases.evidence(finder, image, preset)
            shares[preset] = [float(mark(found, SENSITIVITY - shift / (2 * SPAN)).mean()) for shift in STRICTER]
    return {"key": task.key, "form": task.form, "shares": shares}


def recall_of(found: Sequence[Row], kind: str, what: str) -> Floats:
    """Average recall (or overlap) at each threshold over the families of a kind, each the mean of its pictures."""
    means: list[Floats] = []
    for family in (name for name, its_kind in FAMILIES.items() if its_kind == kind):
        own = [row[what] for row in found if row["family"] == family and row[what] is not None]
        if own:
            means.append(np.mean(own, axis=0))
    return np.mean(means, axis=0) if means else np.zeros(len(ODDS))


def cross_checked(
    untouched: Sequence[Row], clean: Mapping[str, Floats], recall: Mapping[str, Floats]
) -> dict[str, dict[str, float]]:
    """Choose by every other picture and look at those left, both ways.

    What was chosen on some pictures looks better on these than on others.

    Returns:
        Preset -> form -> share of the validation pictures in it that are changed, by the sum of what its kinds mark.
    """
    groups = grouped(untouched)
    # Of training pictures every other one is damaged: the numbers of those without damage are even.
    numbers = np.array([row["number"] // (2 if _is_training(row) else 1) for row in untouched])
    changed: dict[str, dict[str, list[float]]] = {}
    for half in (0, 1):
        inside = numbers % 2 == half
        if not inside.any() or inside.all():
            continue
        choice = choose(
            {kind: values[inside] for kind, values in clean.items()},
            recall,
            groups=[group[inside] for group in groups.values()],
        )
        for preset, kinds in _presets(clean).items():
            odds = choice.odds if preset == AUTO else choice.preset_odds
            total = np.sum([clean[kind][:, ODDS.index(odds[kind])] for kind in kinds], axis=0)
            for form, group in groups.items():
                if form != ORIGINALS:
                    values = changed.setdefault(preset, {}).setdefault(form, [])
                    values += list((total[~inside & group] > CHANGED).astype(float))
    return {
        preset: {form: float(np.mean(values)) for form, values in forms.items() if values}
        for preset, forms in changed.items()
    }


def _presets(kinds: Iterable[str]) -> dict[str, list[str]]:
    """List the presets that some of these kinds belong to, with these."""
    known = list(kinds)
    presets = {AUTO: [kind for kind in known if kind != NOISE]}
    presets |= {preset: [kind for kind in kinds_ if kind in known] for preset, kinds_ in STANDS_FOR.items()}
    return {preset: own for preset, own in presets.items() if own}


def _is_training(row: Row) -> bool:
    return str(row["key"]).startswith(TRAINING)


def write_thresholds(file: Path, thresholds: tuple[float, ...], named: tuple[float, ...] = ()) -> None:
    """Write thresholds into the facts of a finder's file: those of `auto`, and of the other presets."""
    model = onnx.load(file)
    for entry in model.metadata_props:
        if entry.key == FACTS_KEY:
            facts = {
                **json.loads(entry.value),
                "thresholds": [round(value, DIGITS) for value in thresholds],
                "preset_thresholds": [round(value, DIGITS) for value in named],
            }
            Facts.from_json(json.dumps(facts))
            entry.value = json.dumps(facts)
    with atomic_write(file) as temporary:
        onnx.save(model, temporary)
    cases.open_one.cache_clear()  # it may hold the finder with its old thresholds


def file_weights(file: Path) -> str:
    """Hash the network in a finder's file, whatever its facts say."""
    model = onnx.load(file)
    return cases.mark_of_bytes(model.graph.SerializeToString(deterministic=True))


def to_share(odds: float) -> float:
    """Turn the logarithm of odds into a share."""
    return 1 / (1 + math.exp(-odds))
