"""Fill the validation pictures with every model and print how near each comes to the truth, bin by bin.

Run from the root of the checkout::

    python benchmarks/quality.py --json quality.json

The protocol (which pictures, which masks, what is measured) is in `quality_protocol.py` and is printed with its hashes.
Finished pictures are kept in ``--rows``, so a run that was stopped goes on where it was.
"""

import argparse
import json
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import mendpix
import quality_protocol as protocol_file
from mendpix.metrics.l1 import l1
from mendpix.metrics.psnr import psnr
from mendpix.metrics.ssim import ssim
from quality_protocol import Pair, Protocol
from quality_report import METRICS, Rows, means_by_bin, report

MODELS = ("scenes", "harmonic", "telea", "navier-stokes", "shiftmap", "biharmonic")
Fill = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Takes a picture (H, W, 3), uint8, and a hole (H, W); returns the composite, uint8."""


def open_model(name: str) -> Fill:
    """Return the model as a person gets it from the library, without its detector, on one thread."""
    inpainter = mendpix.Inpainter(model=name, detector=None, threads=1)
    return lambda picture, hole: np.asarray(inpainter(picture, hole).image)


class Measurer:
    """Fill and measure one picture after the other; opens models and backbone once per process."""

    def __init__(self, backbone: Path | None) -> None:
        cv2.setNumThreads(1)
        self.models: dict[str, Fill] = {}
        self.backbone: Any = None
        if backbone is not None:
            import torch

            from mendpix.features import SqueezeNetFeatures

            torch.set_num_threads(1)
            self.backbone = SqueezeNetFeatures(backbone)

    def measure(self, pair: Pair, names: Sequence[str]) -> dict[str, dict[str, float]]:
        """Return the metrics of each model by name."""
        picture, hole = protocol_file.read_pair(pair)
        target = np.float32(picture) / np.float32(255)
        holed = picture * (hole == 0)[..., None].astype(np.uint8)  # no model ever sees what it must find
        results: dict[str, dict[str, float]] = {}
        filled: list[np.ndarray] = []
        for name in names:
            if name not in self.models:
                self.models[name] = open_model(name)
            composite = self.models[name](holed.copy(), hole.copy())
            if composite.dtype != np.uint8 or not np.array_equal(composite[hole == 0], picture[hole == 0]):
                raise SystemExit(f"{name} must return 8 bits and leave known pixels alone; at {pair.key} it did not.")
            prediction = np.float32(composite) / np.float32(255)
            filled.append(prediction)
            results[name] = {"psnr": psnr(prediction, target), "ssim": ssim(prediction, target)}
            results[name]["l1"] = l1(prediction, target)
        if self.backbone is not None:
            for name, distance in zip(names, self._distances(filled, target), strict=True):
                results[name]["features"] = 1000 * distance
        return results

    def _distances(self, filled: Sequence[np.ndarray], target: np.ndarray) -> list[float]:
        import torch

        from mendpix.metrics.feature_distance import activation_distance

        batch = torch.from_numpy(np.stack([target, *filled])).permute(0, 3, 1, 2)
        with torch.inference_mode():
            activations = self.backbone(batch)
            first = {name: activation[1:] for name, activation in activations.items()}
            second = {name: activation[:1] for name, activation in activations.items()}
            return activation_distance(first, second).tolist()


_measurer: Measurer | None = None  # one per worker process


def _start_worker(backbone: Path | None) -> None:
    global _measurer
    _measurer = Measurer(backbone)


def _work(task: tuple[Pair, tuple[str, ...]]) -> tuple[Pair, dict[str, dict[str, float]]]:
    assert _measurer is not None
    return task[0], _measurer.measure(*task)


def fingerprint(name: str) -> str:
    """Return a hash that changes with anything the model's result depends on: its file and the code that runs it."""
    if Path(name).is_file():
        return protocol_file.content_hash([Path(name)])
    package = Path(mendpix.__file__).parent
    parts = [package / part for part in ("fills.py", "composite.py", "images.py", "masks.py")]
    for room in ("engines", "inference", "weights"):
        parts.extend(sorted((package / room).glob("*.py")))
    parts.extend(sorted((package / "weights").glob(f"{name}*.onnx")))
    return protocol_file.content_hash(path for path in parts if path.is_file())


def read_rows(path: Path | None, marks: dict[str, str]) -> Rows:
    """Return the rows of an earlier run that belong to these models; `marks` tells by name what identifies them."""
    rows: Rows = {name: {} for name in marks}
    if path is None or not path.exists():
        return rows
    for line in path.read_text("utf-8").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue  # the last line of a run that was killed while writing
        if marks.get(row["model"]) == row["mark"]:
            rows[row["model"]][row["pair"]] = {"bin": row["bin"], **row["metrics"]}
    return rows


def close_last_line(path: Path) -> None:
    """End the last line of the file of rows, which a run that was killed may have left unfinished."""
    if path.exists() and path.stat().st_size and not path.read_bytes().endswith(b"\n"):
        with path.open("ab") as file:
            file.write(b"\n")


def tasks_left(protocol: Protocol, limits: dict[str, int], rows: Rows) -> list[tuple[Pair, tuple[str, ...]]]:
    """Return for each pair the models that have not been measured on it; a model with a limit skips pictures."""
    pictures = list(dict.fromkeys(pair.picture for pair in protocol.pairs))
    wanted = {}
    for name in rows:
        count = min(limits.get(name, len(pictures)), len(pictures))
        wanted[name] = {pictures[number * len(pictures) // count] for number in range(count)}
    tasks = [
        (pair, tuple(name for name in rows if pair.picture in wanted[name] and pair.key not in rows[name]))
        for pair in protocol.pairs
    ]
    return [task for task in tasks if task[1]]


def run(tasks: Sequence[tuple[Pair, tuple[str, ...]]], workers: int, backbone: Path | None) -> Iterator[Any]:
    """Measure the tasks in this process, or in several; results come in the order they are ready."""
    if workers <= 1:
        _start_worker(backbone)
        yield from map(_work, tasks)
        return
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")  # read by the workers when they load NumPy
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, _start_worker, (backbone,)) as pool:
        yield from pool.imap_unordered(_work, tasks)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--pictures", nargs="+", type=Path, default=list(protocol_file.DEFAULT_PICTURES), metavar="DIR")
    add("--masks", type=Path, default=protocol_file.DEFAULT_MASKS, metavar="DIR")
    add("--models", nargs="+", default=list(MODELS), help="names, or ONNX files made by mendpix export")
    add("--limit", type=int, help="measure only this many pictures, at equal distances in the list")
    add("--limits", nargs="+", type=_limit, default=[], metavar="MODEL=N", help="the same for slow models by name")
    add("--backbone", type=Path, default=protocol_file.DEFAULT_BACKBONE, help="SqueezeNet v1.0, .npz")
    add("--rows", type=Path, help="JSON Lines file that keeps each result; a second run goes on from it")
    add("--json", type=Path, help="write protocol and means here")
    add("--workers", type=int, default=2, help="processes, each with one thread")
    return parser.parse_args(arguments)


def _limit(text: str) -> tuple[str, int]:
    name, _, count = text.partition("=")
    return name, int(count)


def main() -> None:
    """Measure what is missing, then print the tables."""
    options = parse()
    protocol = protocol_file.make_protocol(options.pictures, options.masks, options.limit)
    backbone = options.backbone if options.backbone.is_file() else None
    if backbone is None:
        print(f"no feature distance: {options.backbone} does not exist", file=sys.stderr)
    backbone_hash = protocol_file.content_hash([backbone]) if backbone else "none"
    base = f"{protocol.pictures_hash}-{protocol.masks_hash}-{backbone_hash}"
    marks = {name: f"{base}-{fingerprint(name)}" for name in options.models}
    rows = read_rows(options.rows, marks)
    if options.rows:
        close_last_line(options.rows)
    limits = dict(options.limits)
    if not limits.keys() <= rows.keys():
        raise SystemExit(f"--limits must name models among {', '.join(rows)}; got {', '.join(limits)}.")
    tasks = tasks_left(protocol, limits, rows)

    start = time.monotonic()
    for done, (pair, results) in enumerate(run(tasks, options.workers, backbone), 1):
        for name, metrics in results.items():
            rows[name][pair.key] = {"bin": pair.bin, **metrics}
            if options.rows:
                row = {"model": name, "mark": marks[name], "pair": pair.key, "bin": pair.bin, "metrics": metrics}
                with options.rows.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
        left = (time.monotonic() - start) / done * (len(tasks) - done)
        print(f"\r{done} of {len(tasks)} pairs, {left / 60:.1f} min left ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)

    keys = {pair.key for pair in protocol.pairs}
    rows = {name: {key: row for key, row in kept.items() if key in keys} for name, kept in rows.items()}
    versions = f"versions: Python {platform.python_version()}, NumPy {np.__version__}, OpenCV {cv2.__version__}"
    print(protocol.describe(), f"backbone: sha256 {backbone_hash}", versions, report(rows, protocol.bins), sep="\n")
    if options.json:
        facts = {key: value for key, value in asdict(protocol).items() if key != "pairs"}
        means = {name: means_by_bin(kept) for name, kept in rows.items()}
        text = json.dumps({"protocol": facts, "marks": marks, "metrics": list(METRICS), "means": means}, indent=1)
        options.json.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
