"""Train small networks for the restoration benchmark, each in a process of its own, from where it stopped.

Used by `restoration_families.py` and `restoration_edges.py`. Measures nothing.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import mendpix
from mendpix.atomic_files import atomic_write
from mendpix.training.checkpoint import latest_checkpoint, read_record
from mendpix.training.config import Recipe
from mendpix.training.recipes import format_recipe

PICTURES = 3000
"""Training pictures that a run sees, from four shards: few enough that several runs fit into memory."""


def prepared(recipe: Recipe, shared: Path) -> Recipe:
    """Let a recipe take the photos of `--shared`, watch nothing and keep few checkpoints."""
    sources = (str(shared / "data" / "scenes-*.tar"),)
    data = replace(recipe.data, pictures=sources, pictures_per_folder=PICTURES // 4)
    schedule = replace(recipe.schedule, checkpoint_every_steps=2000)
    return replace(recipe, data=data, schedule=schedule, validation=replace(recipe.validation, pictures=0))


def folder_of(work: Path, part: str, minutes: float) -> Path:
    """Say where a part's runs of a length lie: a longer run is another one, since its phases and rates are shares."""
    return work / part / f"{minutes:g}-minutes"


def train_all(recipes: Sequence[tuple[Recipe, Path]], minutes: float, together: int) -> None:
    """Train each recipe into its run folder unless it is finished, so many at a time.

    Raises:
        SystemExit: If a run comes to no end.
    """
    waiting = [(recipe, run) for recipe, run in recipes if not is_finished(run)]
    with ThreadPoolExecutor(together) as pool:
        for done in [pool.submit(_train, recipe, run, minutes) for recipe, run in waiting]:
            done.result()


def is_finished(run: Path) -> bool:
    """Tell whether a run folder holds a run that came to its end."""
    checkpoint = latest_checkpoint(run) if run.is_dir() else None
    return checkpoint is not None and bool(read_record(checkpoint).get("finished"))


def steps_of(run: Path) -> int:
    """Return how many steps a run has made."""
    checkpoint = latest_checkpoint(run)
    return 0 if checkpoint is None else int(read_record(checkpoint)["step"])


def _train(recipe: Recipe, run: Path, minutes: float) -> None:
    run.parent.mkdir(parents=True, exist_ok=True)
    file = run.with_suffix(".toml")
    with atomic_write(file) as temporary:
        temporary.write_text(format_recipe(recipe), encoding="utf-8")
    search = os.pathsep.join([str(Path(mendpix.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "PYTHONPATH": search}
    budget = ["--budget", f"{60 * minutes:.0f}s", "--clock", "cpu"]
    command = [sys.executable, "-m", "mendpix", "train", str(file), *budget, "--out", str(run), "--resume"]
    print(f"{run.name}: training for {minutes:g} minutes of processor time", flush=True)
    with run.with_suffix(".log").open("a", encoding="utf-8") as log:
        if subprocess.run(command, env=environment, stdout=log, stderr=log, check=False).returncode:
            raise SystemExit(f"{run} came to no end; {log.name} says why")
