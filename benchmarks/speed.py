"""Time `scenes` and the paper's generator on the same engine, the same threads and the same pictures, in one run.

Run from the root of the checkout (needs torch, for the export of the paper's generator)::

    python benchmarks/speed.py

Three numbers for each size: file to file (decode, plan, first fill, network, composite, encode) with and without the
map of doubtful pixels, and the network alone. Speed does not depend on the values of weights, so the paper's generator
has random ones; its file gets the planning facts of `scenes`, so that both cut the picture alike.
"""

import argparse
import dataclasses
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from PIL import Image

import mendpix
from mendpix.engines.interface import FACTS_KEY, Facts
from mendpix.images import read_picture, write_picture
from mendpix.weights import locate, table

OURS = "scenes"
PAPER = "paper's generator"
Call = Callable[[], object]


def render_picture(size: int) -> np.ndarray:
    """Render soft shapes with fine grain, so that files are as large as those of a photo; (size, size, 3), uint8."""
    generator = np.random.default_rng(size)
    coarse = cv2.resize(generator.random((9, 9, 3), np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    grain = cv2.GaussianBlur(generator.standard_normal((size, size, 3), np.float32), (0, 0), 1)
    return np.uint8(np.clip(0.1 + 0.8 * coarse + 0.08 * grain, 0, 1) * 255)


def render_hole(size: int) -> np.ndarray:
    """Render a disc a fifth as wide as the picture and a wavy stroke a sixteenth as thick; (size, size), 0 or 255."""
    hole = np.zeros((size, size), np.uint8)
    cv2.circle(hole, (size * 3 // 10, size * 3 // 10), size // 10, 255, -1)
    x = np.linspace(0.1, 0.9, 60)
    y = 0.68 + 0.12 * np.sin(9 * x)
    cv2.polylines(hole, [np.int32(np.stack((x, y), 1) * size)], False, 255, max(1, size // 16))
    return hole


def export_paper(path: Path, like: Facts) -> None:
    """Write the paper's generator as its authors published it, with random weights, as a model file of mendpix."""
    from mendpix.networks.gdn import GdnGenerator
    from mendpix.training.export import export_network

    network = GdnGenerator().eval()
    declared = network.facts
    facts = dataclasses.replace(
        like, name="gdn", inputs=declared.inputs, multiple_of=declared.multiple_of, minimum=declared.minimum
    )
    export_network(network, path, facts)


def open_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Open a model file as the engine does, but bare."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # as `mendpix.engines.onnx` has it, for the same reasons
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])


def network_alone(session: onnxruntime.InferenceSession, picture: np.ndarray, hole: np.ndarray) -> Call:
    """Return a call that runs the network once on the whole picture, inputs ready in memory."""
    missing = np.float32(hole > 0)
    image = np.float32(picture) / np.float32(255) * (1 - missing)[..., None]
    arrays = {"image": image, "hole": missing[..., None], "fills": np.concatenate((image, image), axis=2)}
    feeds = {}
    for entry in session.get_inputs():
        dtype = np.float16 if entry.type == "tensor(float16)" else np.float32
        feeds[entry.name] = np.ascontiguousarray(arrays[entry.name].transpose(2, 0, 1)[None], dtype)
    return lambda: session.run(None, feeds)


def file_to_file(inpainter: mendpix.Inpainter, photo: Path, mask: Path, out: Path) -> Call:
    """Return a call that mends a picture file into another file, as `mendpix inpaint` does with its model loaded."""

    def call() -> None:
        picture = read_picture(photo)
        result = inpainter(picture, mask)
        write_picture(result.image, out, like=picture)

    return call


def median_ms(calls: dict[str, Call], runs: int, warm_up: int) -> dict[str, float]:
    """Return the median of each call's times, ms; the calls take turns, so that no one meets a better hour."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for run in range(warm_up + runs):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if run >= warm_up:
                times[name].append(1000 * (time.perf_counter() - start))
        print(f"\r{run + 1} of {warm_up + runs} runs ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return {name: statistics.median(found) for name, found in times.items()}


def processor() -> str:
    """Return the processor's name, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", type=int, default=[256, 512, 1024], help="side of the square picture, px")
    parser.add_argument("--runs", type=int, default=15, help="timed runs of each call")
    parser.add_argument("--warm-up", type=int, default=2, help="runs before, not timed")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--scenes", type=Path, help="another model file in place of the embedded one")
    return parser.parse_args(arguments)


def main() -> None:
    """Time every call at every size and print one table."""
    options = parse()
    embedded = table.MODELS[OURS].file
    assert embedded is not None
    ours = options.scenes or locate.FOLDER / embedded
    detector = table.MODELS["scenes-detector"].file
    assert detector is not None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        facts = Facts.from_json(open_session(ours, 1).get_modelmeta().custom_metadata_map[FACTS_KEY])
        paper = folder / "gdn.onnx"
        export_paper(paper, facts)
        models = {OURS: ours, PAPER: paper}
        inpainters = {
            f"{label}, file to file": mendpix.Inpainter(path, detector=None, threads=options.threads)
            for label, path in models.items()
        }
        if (locate.FOLDER / detector).is_file():
            label = f"{OURS}, file to file, with artifact map"
            inpainters[label] = mendpix.Inpainter(ours, threads=options.threads)
        sessions = {f"{label}, network alone": open_session(path, options.threads) for label, path in models.items()}

        found: dict[int, dict[str, float]] = {}
        shares: list[str] = []
        for size in options.sizes:
            picture, hole = render_picture(size), render_hole(size)
            Image.fromarray(picture).save(folder / "photo.jpg", quality=95)
            Image.fromarray(hole).save(folder / "mask.png")
            shares.append(f"{(hole > 0).mean():.1%}")
            calls: dict[str, Call] = {
                label: file_to_file(inpainter, folder / "photo.jpg", folder / "mask.png", folder / "mended.png")
                for label, inpainter in inpainters.items()
            }
            calls |= {label: network_alone(session, picture, hole) for label, session in sessions.items()}
            print(f"{size} px", file=sys.stderr)
            found[size] = median_ms(calls, options.runs, options.warm_up)

    print(f"processor: {processor()}, {os.cpu_count()} logical cores; threads: {options.threads}")
    print(
        f"engine: ONNX Runtime {onnxruntime.__version__}, CPU; Python {platform.python_version()}, {platform.system()}"
    )
    print(f"runs: median of {options.runs} after {options.warm_up} not timed; the calls take turns")
    print(f"hole: a disc and a wavy stroke, {' / '.join(shares)} of the picture; photo.jpg (quality 95) -> mended.png")
    print("network alone: the whole picture at once, inputs ready in memory, no first fills")
    print(
        "paper's generator: GdnGenerator as published, random weights; all weights stored in fp16, computed in fp32\n"
    )
    print(f"| p50, ms | {' | '.join(f'{size}²' for size in found)} |")
    print("| --- |" + " ---: |" * len(found))
    for label in next(iter(found.values())):
        print(f"| {label} | {' | '.join(f'{times[label]:.0f}' for times in found.values())} |")


if __name__ == "__main__":
    main()
