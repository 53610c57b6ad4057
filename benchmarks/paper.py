"""Train the GDN paper's frameworks, detection losses and mappings at one equal budget, measure them, write its tables.

    python benchmarks/paper.py --shared ../shared --runs runs/paper --out docs/paper

Sixteen runs (eight recipes, on scenes and on faces) of the same number of steps and pictures, each in a process of its
own with one thread; `--together` of them at a time. `--shared` holds `data/` (tar shards scenes-*, faces-*),
`validation/` (bsds, coco, kodak, faces, masks) and `weights/squeezenet_v1.0.npz`. Everything can be stopped and started
again: finished runs, exports and measured pairs are kept. The eight recipes lie in `recipes/` and are also run one by
one with `mendpix train`.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

VARIANTS = ("det", "weight", "adv", "linear", "bce", "ce", "base-e", "focal")
"""The recipes, those that most comparisons need first."""

MORE = ("det-given",)
"""Recipes that the paper does not have: run and measured if asked for, not in its tables."""

SETS = {"scenes": "gdn-scenes-small", "faces": "gdn-faces-small"}
"""Each set of pictures, and the recipe whose `[data]` says where they are."""


def prepare(variant: str, set_name: str, folder: Path, shared: Path, steps: int | None) -> Path:
    """Write the resolved recipe of one run beside its folder, and return the file."""
    from mendpix.training.recipes import format_recipe, load_recipe

    recipe = load_recipe(ROOT / "recipes" / f"{variant}.toml")
    data = load_recipe(ROOT / "recipes" / f"{SETS[set_name]}.toml").data
    pictures = tuple(str(shared / "data" / Path(source).name) for source in data.pictures)
    recipe = replace(recipe, data=replace(data, pictures=pictures))
    if steps:
        recipe = replace(recipe, schedule=replace(recipe.schedule, steps=steps))
    path = folder / set_name / f"{variant}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(format_recipe(recipe), encoding="utf-8")
    return path


def train(recipe: Path) -> None:
    """Run one recipe in a process of its own, from where it stopped; its log lies beside it."""
    run = recipe.with_suffix("")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-m", "mendpix", "train", str(recipe), "--out", str(run), "--resume"]
    with recipe.with_suffix(".log").open("a", encoding="utf-8") as log:
        code = subprocess.run(command, env=environment, stdout=log, stderr=log, check=False).returncode
    if code:
        raise SystemExit(f"{run} did not train; {log.name} says why")
    print(f"{run}: trained", flush=True)


def export(run: Path) -> None:
    """Write the run's generator, and its detector as the paper has it: V, not calibrated."""
    from mendpix.training.calibrate import Calibration
    from mendpix.training.checkpoint import latest_checkpoint, load_network
    from mendpix.training.export import CalibratedDetector, export_network, export_run, model_facts

    generator, detector = run.with_suffix(".onnx"), run.with_name(f"{run.name}-detector.onnx")
    checkpoint = latest_checkpoint(run)
    if checkpoint is None:
        raise SystemExit(f"{run} holds no checkpoint")
    newest = checkpoint.stat().st_mtime
    if generator.exists() and detector.exists() and min(p.stat().st_mtime for p in (generator, detector)) > newest:
        return
    export_run(run, generator)
    network = CalibratedDetector(load_network(checkpoint, "detector"), Calibration()).eval()
    export_network(network, detector, model_facts(run.name, "detector", network))


def describe(runs: Path, sets: Sequence[str]) -> dict[str, dict[str, dict[str, object]]]:
    """Return what each run was: steps, pictures seen, seconds, seed, parameters; also written to `runs.json`."""
    from mendpix.training.checkpoint import latest_checkpoint, load_network, read_record
    from mendpix.training.recipes import load_recipe

    found: dict[str, dict[str, dict[str, object]]] = {}
    for set_name in sets:
        for variant in (*VARIANTS, *MORE):
            run = runs / set_name / variant
            checkpoint = latest_checkpoint(run)
            if checkpoint is None:
                continue
            record = read_record(checkpoint)
            if not record.get("finished"):
                print(f"{run} is not finished; it is left out", flush=True)
                continue
            recipe = load_recipe(run.with_suffix(".toml"))
            facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
            found.setdefault(set_name, {})[variant] = {
                **{key: record[key] for key in ("step", "pictures_seen", "spent_s")},
                "steps": record["step"],
                "seed": recipe.seed,
                "parameters": sum(p.numel() for p in load_network(checkpoint, "generator").parameters()),
                "torch": facts["torch"],
                "device": recipe.device if recipe.device != "auto" else "auto: " + facts["device"],
                "finished": bool(record.get("finished")),
            }
    if not found:
        raise SystemExit(f"{runs} must hold finished runs; it holds none. Train first, or give --runs.")
    (runs / "runs.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return found


def main() -> None:
    """Do the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="pictures, masks, backbone")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "paper", help="where runs and rows go")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "paper", help="where the tables go")
    parser.add_argument("--sets", nargs="+", choices=sorted(SETS), default=list(SETS), help="which pictures")
    parser.add_argument("--variants", nargs="+", choices=[*VARIANTS, *MORE], default=VARIANTS, help="which recipes")
    parser.add_argument("--steps", type=int, help="steps of every run, instead of the recipes'")
    parser.add_argument("--together", type=int, default=2, help="runs at a time, one thread each")
    parser.add_argument("--only", choices=["train", "measure", "write"], nargs="+", help="parts to do; all if left out")
    arguments = parser.parse_args()
    parts = arguments.only or ["train", "measure", "write"]
    runs: Path = arguments.runs
    shared: Path = arguments.shared.resolve()
    needed = ("data", "validation/masks", "weights/squeezenet_v1.0.npz")
    missing = [name for name in needed if not (shared / name).exists()]
    if missing and parts != ["write"]:
        raise SystemExit(f"--shared must be a folder with {', '.join(needed)}; {shared} lacks {', '.join(missing)}.")

    if "train" in parts:
        recipes = [
            prepare(variant, set_name, runs, shared, arguments.steps)
            for variant in arguments.variants
            for set_name in arguments.sets
        ]
        with ThreadPoolExecutor(arguments.together) as pool:
            list(pool.map(train, recipes))
    if "measure" in parts or "write" in parts:
        described = describe(runs, arguments.sets)
    if "measure" in parts:
        import paper_protocol

        jobs: list[tuple[str, Path | str, Path | None]] = []
        for set_name in arguments.sets:
            jobs.append((set_name, "navier-stokes", None))
            for variant in described.get(set_name, {}):
                run = runs / set_name / variant
                export(run)
                jobs.append((set_name, run.with_suffix(".onnx"), run.with_name(f"{variant}-detector.onnx")))

        def measure(job: tuple[str, Path | str, Path | None]) -> None:
            set_name, model, detector = job
            name = model if isinstance(model, str) else model.stem
            rows = runs / "rows" / set_name / f"{name}.jsonl"
            rows.parent.mkdir(parents=True, exist_ok=True)
            paper_protocol.measure(model, set_name, shared, rows, detector=detector, say=print)

        with ThreadPoolExecutor(arguments.together) as pool:
            list(pool.map(measure, jobs))
    if "write" in parts:
        import paper_tables

        paper_tables.write_tables(runs / "rows", described, arguments.out)


if __name__ == "__main__":
    main()
