"""Train the published methods in small at one equal budget, and compare them: what docs/paper/methods.md is made of.

    python benchmarks/methods.py --shared ../shared

Three parts, each of which goes on where it was stopped. `train` runs each recipe `*-small.toml` for the same number of
minutes of processor time and exports it, into `runs/methods/`, which git ignores. `measure` evaluates them under
`protocols/methods-256.toml` beside the model that ships and the classical fills. `cost` counts parameters and
multiply-accumulates and times one run at 256² on one thread, at full and at small size, all in one go; let the machine
do nothing else meanwhile. `write` puts the page together; give one of them with `--only` to do no other.

`--shared` holds `data/` (tar shards of training pictures), `validation/` and `weights/squeezenet_v1.0.npz`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mendpix.atomic_files import atomic_write
from mendpix.errors import MendpixError
from mendpix.images import read_picture
from mendpix.types import Image, Mask

ROOT = Path(__file__).resolve().parents[1]

MINUTES = 20
"""Processor time of each training."""

ROUNDS = 5
"""How often the models take turns in the timing; the median of the rounds counts."""

SIZE_PX = 256

METHODS = {
    "gdn-det": "GDN, Det",
    "gdn-weight": "GDN, Weight",
    "isnet": "ISNet",
    "pconv": "PConv",
    "edgeconnect": "EdgeConnect",
    "deepfill-v2": "DeepFill v2 (GConv)",
    "deepfill-v1": "DeepFill v1 (CA)",
    "pennet": "PEN-Net",
    "glcic": "GLCIC",
}
"""Recipe without `-small` -> what the tables call it."""

EMBEDDED = ("scenes", "exemplar", "harmonic", "telea", "navier-stokes")
"""Models that are measured beside them, by their names."""

SHOWN = ("gdn-l1", "gdn-psnr", "gdn-ssim", "features")
"""Measures of the table by bins: those of the paper's Table 1, and the feature distance where it has its FID."""


@dataclass(frozen=True)
class Cost:
    """What a network costs at 256²."""

    parameters: int | None
    """None = it is no network."""
    gmacs: float | None
    """None = it is no network."""
    milliseconds: float
    """Median of the rounds, ONNX Runtime, one thread."""


def prepare(name: str, runs: Path, shared: Path) -> Path:
    """Write the resolved recipe of one run beside its folder, and return the file."""
    from mendpix.training.recipes import format_recipe, load_recipe

    recipe = load_recipe(ROOT / "recipes" / f"{name}-small.toml")
    pictures = tuple(str(shared / "data" / Path(source).name) for source in recipe.data.pictures)
    recipe = replace(recipe, data=replace(recipe.data, pictures=pictures))
    if recipe.method is not None and recipe.method.backbone_weights:
        weights = str(shared / "weights" / Path(recipe.method.backbone_weights).name)
        recipe = replace(recipe, method=replace(recipe.method, backbone_weights=weights))
    path = runs / f"{name}-small.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(format_recipe(recipe), encoding="utf-8")
    return path


def train(recipe: Path, minutes: float) -> None:
    """Run one recipe in a process of its own, from where it stopped, and export what it has learnt."""
    run = recipe.with_suffix("")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    mendpix = [sys.executable, "-m", "mendpix"]
    budget = ["--budget", f"{60 * minutes:.0f}s", "--clock", "cpu"]
    with recipe.with_suffix(".log").open("a", encoding="utf-8") as log:
        for command in (
            [*mendpix, "train", str(recipe), *budget, "--out", str(run), "--resume"],
            [*mendpix, "export", str(run), "-o", str(run.with_suffix(".onnx"))],
        ):
            if subprocess.run(command, env=environment, stdout=log, stderr=log, check=False).returncode:
                raise SystemExit(f"{run} came to no end; {log.name} says why")
    print(f"{run}: trained and exported", flush=True)


def describe(runs: Path) -> dict[str, dict[str, Any]]:
    """Return what each finished run was: steps, samples, processor minutes, commit."""
    from mendpix.training.checkpoint import latest_checkpoint, read_record

    found: dict[str, dict[str, Any]] = {}
    for name in METHODS:
        run = runs / f"{name}-small"
        checkpoint = latest_checkpoint(run)
        record = None if checkpoint is None else read_record(checkpoint)
        if record is None or not record.get("finished"):
            print(f"{run} is not finished; it is left out", flush=True)
            continue
        facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
        found[name] = {key: record[key] for key in ("step", "pictures_seen", "spent_s")} | {"torch": facts["torch"]}
    if not found:
        raise SystemExit(f"{runs} must hold finished runs; it holds none. Train first.")
    return found


def measure(runs: Path, shared: Path, names: Sequence[str], workers: int, limit: int | None) -> Any:
    """Evaluate all under the protocol, or what is left of it; return the summary."""
    from mendpix.evaluation.evaluate import evaluate
    from mendpix.evaluation.pairing import open_protocol
    from mendpix.evaluation.protocol import load_protocol

    told = -1

    def tell(share: float, what: str) -> None:
        nonlocal told
        if int(20 * share) > told:
            told = int(20 * share)
            print(f"{5 * told} %, {what}", flush=True)

    opened = open_protocol(load_protocol(ROOT / "protocols" / "methods-256.toml", shared), limit)
    models = [f"{METHODS[name]}={runs / f'{name}-small.onnx'}" for name in names]
    report = evaluate(
        opened, [*models, *EMBEDDED], runs / "report", workers=workers, cases=12, progress=tell,
        say=lambda text: print(text, flush=True),
    )  # fmt: skip
    return report.summary


def count(network: Any, inputs: Sequence[Any]) -> tuple[int, float]:
    """Count parameters, and 10⁹ multiply-accumulates of convolutions and matrix products in one run."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*inputs)
    return sum(parameter.numel() for parameter in network.parameters()), counter.get_total_flops() / 2e9


def measure_costs(runs: Path, names: Sequence[str]) -> dict[str, dict[str, Cost]]:
    """Count and time everything, in turns, so that a slow minute harms all alike."""
    picture = np.ascontiguousarray(read_picture(ROOT / "examples" / "photo.jpg").rgb[:SIZE_PX, :SIZE_PX])
    hole = np.zeros((SIZE_PX, SIZE_PX), np.float32)
    hole[64:160, 64:192] = 1
    calls, counts = open_networks(runs, names, picture, hole)
    calls |= open_rest(picture, hole)
    times: dict[tuple[str, str], list[float]] = {key: [] for key in calls}
    for _ in range(ROUNDS + 1):  # the first one warms up
        for key, call in calls.items():
            start = time.perf_counter()
            call()
            times[key].append(1000 * (time.perf_counter() - start))
    found: dict[str, dict[str, Cost]] = {}
    for (label, size), taken in times.items():
        parameters, gmacs = counts.get((label, size), (None, None))
        found.setdefault(label, {})[size] = Cost(parameters, gmacs, statistics.median(taken[1:]))
    return found


def open_networks(
    runs: Path, names: Sequence[str], picture: Image, hole: Mask
) -> tuple[dict[tuple[str, str], Callable[[], object]], dict[tuple[str, str], tuple[int, float]]]:
    """Export and count every network, published (random weights) and as trained here, and the model that ships.

    Returns:
        What runs each of them once, and parameters and 10⁹ multiply-accumulates, by network and size.
    """
    import onnxruntime
    import torch

    from mendpix.edges import find_edges
    from mendpix.fills import first_fills
    from mendpix.networks.table import build_network
    from mendpix.training.checkpoint import load_network
    from mendpix.training.export import export_network, model_facts, without_parametrizations

    torch.set_num_threads(1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    known = picture * (1 - hole[..., None])
    arrays = {
        "image": known,
        "hole": hole[..., None],
        "edges": find_edges(known, 2.0, hole == 0)[..., None].astype(np.float32),
        "fills": first_fills(known, hole),
    }
    made = {key: np.ascontiguousarray(array.transpose(2, 0, 1)[None]) for key, array in arrays.items()}
    kept = {name.removesuffix("-det").removesuffix("-weight"): name for name in names}
    calls: dict[tuple[str, str], Callable[[], object]] = {}
    counts: dict[tuple[str, str], tuple[int, float]] = {}
    for label in (*kept, "scenes"):
        for size in ("full",) if label == "scenes" else ("full", "small"):
            torch.manual_seed(0)
            network = (
                build_network(label).eval()
                if size == "full"
                else load_network(runs / f"{kept[label]}-small", "generator")
            )
            feeds = {key: made[key] for key in network.facts.inputs}  # type: ignore[union-attr]  # declared facts
            inputs = [torch.from_numpy(array) for array in feeds.values()]
            counts[label, size] = count(without_parametrizations(network), inputs)
            path = runs / "costs" / f"{label}-{size}.onnx"
            path.parent.mkdir(parents=True, exist_ok=True)
            export_network(network, path, model_facts(label, "generator", network))
            session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            calls[label, size] = partial(session.run, None, feeds)
            parameters, gmacs = counts[label, size]
            print(f"{label}, {size}: {parameters:,} parameters, {gmacs:.2f} GMAC", flush=True)
    return calls, counts


def open_rest(picture: Image, hole: Mask) -> dict[tuple[str, str], Callable[[], object]]:
    """Return what runs each classical fill once."""
    import cv2

    from mendpix.weights.locate import open_generator

    cv2.setNumThreads(1)
    return {(name, "full"): partial(open_generator(name).fill, picture, hole) for name in EMBEDDED if name != "scenes"}


def write(summary: Any, described: Mapping[str, Mapping[str, Any]], costs: Any, out: Path, minutes: float) -> None:
    """Write the tables: the paper's Table 1 in shape, budgets and costs, and everything else that was measured."""
    from methods_page import write_page

    out.mkdir(parents=True, exist_ok=True)
    with atomic_write(out / "methods.md") as temporary:
        temporary.write_text(write_page(summary, described, costs, METHODS, SHOWN, minutes), encoding="utf-8")


def main() -> None:
    """Do the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="pictures, masks, backbone")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "methods", help="where runs and reports go")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "paper", help="where the tables go")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS), help="which recipes")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="processor time of each training")
    parser.add_argument("--together", type=int, default=2, help="trainings at a time, one thread each")
    parser.add_argument("--workers", type=int, default=2, help="processes that measure")
    parser.add_argument("--limit", type=int, help="measure this many pictures only")
    parser.add_argument(
        "--only", choices=["train", "measure", "cost", "write"], nargs="+", help="parts; all if left out"
    )
    given = parser.parse_args()
    parts = given.only or ["train", "measure", "cost", "write"]
    shared: Path = given.shared.resolve()
    needed = ("data", "validation/masks", "weights/squeezenet_v1.0.npz")
    missing = [name for name in needed if not (shared / name).exists()]
    if missing and set(parts) & {"train", "measure"}:
        raise SystemExit(f"--shared must be a folder with {', '.join(needed)}; {shared} lacks {', '.join(missing)}.")
    try:
        if "train" in parts:
            recipes = [prepare(name, given.runs, shared) for name in given.methods]
            with ThreadPoolExecutor(given.together) as pool:
                list(pool.map(lambda recipe: train(recipe, given.minutes), recipes))
        if parts == ["train"]:
            return
        described = describe(given.runs)
        names = [name for name in METHODS if name in described]
        stored = given.runs / "costs.json"
        if "cost" in parts:
            costs = measure_costs(given.runs, names)
            plain = {label: {size: asdict(cost) for size, cost in sizes.items()} for label, sizes in costs.items()}
            with atomic_write(stored) as temporary:
                temporary.write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
        if "measure" in parts or "write" in parts:
            summary = measure(given.runs, shared, names, given.workers, given.limit)
            if "write" in parts:
                costs = json.loads(stored.read_text(encoding="utf-8")) if stored.exists() else {}
                write(summary, described, costs, given.out, given.minutes)
                print(given.out / "methods.md")
    except MendpixError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
