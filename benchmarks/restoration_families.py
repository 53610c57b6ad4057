"""Is damage found of a sort that nobody has shown? Small finders, each trained without a family, look for it.

Used by `restoration.py`. One finder sees all families, for comparison; each other one all but a family (the three
kinds of noise count as one: they are too alike). Each is asked about the family it has not seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np

import restoration_cases as cases
import restoration_damaged
import restoration_training
from mendpix.data.degrade import FAMILIES
from mendpix.metrics.detection import rank_scores, ranked_average_precision
from mendpix.restoration.predict import find_damage, plan_look
from mendpix.restoration.presets import thresholds_by_kind
from mendpix.training.config import Recipe
from mendpix.training.export import export_run
from mendpix.training.recipes import load_recipe
from mendpix.weights.locate import open_damage_finder
from restoration_cases import DESTROYED, SEED, Row, Rows
from restoration_damaged import Case

WIDTHS = [8, 20, 32, 48, 64]
"""Widths of the small finders: half of those of the one that ships."""

ALL = "all"
"""Name of the run that sees all families."""

GROUPS: dict[str, tuple[str, ...]] = {
    **{name: (name,) for name, kind in FAMILIES.items() if kind != "noise"},
    "noise": tuple(name for name, kind in FAMILIES.items() if kind == "noise"),
}
"""What is left out together -> its families."""

EVERY = 3
"""Every so many-th of the cases of `damaged` is looked at."""


@dataclass(frozen=True)
class Asked:
    """One case for one run. Can be sent to other processes."""

    key: str
    run: Path
    case: Case


def recipe_of(root: Path, shared: Path, group: str) -> Recipe:
    """Make the recipe of a run: that of the finder that ships, half as wide, without a group of families."""
    recipe = restoration_training.prepared(load_recipe(root / "recipes" / "damage.toml"), shared)
    assert recipe.damage is not None
    assert recipe.method is not None
    seen = tuple(name for name in FAMILIES if name not in GROUPS.get(group, ()))  # noise over all of it, too
    sizes = {**recipe.method.sizes, "damage": {**recipe.method.sizes.get("damage", {}), "widths": WIDTHS}}
    method = replace(recipe.method, sizes=sizes)
    name = "families-all" if group == ALL else f"without-{group}"
    return replace(recipe, name=name, method=method, damage=replace(recipe.damage, families=seen))


def measure(asked: Asked) -> Row:
    """Look for the damage of one case: all kinds that the finder tells apart count."""
    finder = _open(asked.run)
    case = asked.case
    made = restoration_damaged.damaged(cases.read(case.picture), case.family, case.picture.number)
    truth = (made.destroyed >= DESTROYED).astype(np.float32)
    size = made.image.shape[0], made.image.shape[1]
    look = plan_look(size, finder.facts, full_size=True)
    found = find_damage(finder, made.image, thresholds_by_kind(finder.facts), look)
    counts = rank_scores(found, truth)
    return {
        "key": asked.key,
        "run": asked.run.name,
        "family": case.family,
        "ap": ranked_average_precision(counts),
        "best": cases.best_overlap(counts),
        "truth": float(truth.mean()),
        "steps": restoration_training.steps_of(asked.run),
    }


def measure_all(
    root: Path, shared: Path, work: Path, minutes: float, workers: int, limit: int | None = None
) -> Sequence[Row]:
    """Train what is missing, measure what is missing, and return the rows."""
    groups = [ALL, *GROUPS]
    recipes = [recipe_of(root, shared, group) for group in groups]
    runs = [restoration_training.folder_of(work, "families", minutes) / recipe.name for recipe in recipes]
    restoration_training.train_all(list(zip(recipes, runs, strict=True)), minutes, workers)
    listed = restoration_damaged.list_cases(shared)
    by_family = {
        family: cases.spread([case for case in listed if case.family == family][::EVERY], limit) for family in FAMILIES
    }
    asked: list[Asked] = []
    for group, run in zip(groups, runs, strict=True):
        for family in GROUPS.get(group, tuple(FAMILIES)):
            asked += [Asked(f"{run.name}/{case.key}", run, case) for case in by_family[family]]
    for run in runs:
        if not _file_of(run).exists():
            export_run(run, _file_of(run), "damage")
    rows = Rows(work / "families.jsonl", cases.mark_of("families", minutes, recipes, SEED, DESTROYED))
    return cases.fill_up(rows, asked, [one.key for one in asked], partial(measure), workers, "families")


def _file_of(run: Path) -> Path:
    return run.with_suffix(".onnx")


@cache
def _open(run: Path) -> cases.Remembering:
    cases.one_thread()
    return cases.Remembering(open_damage_finder(_file_of(run), threads=1))
