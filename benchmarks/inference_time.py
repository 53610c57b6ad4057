"""Time every network of the table at 256², and the classical fills beside them: section 4.2 of the paper.

Run from the root of the checkout, on a machine that does nothing else::

    python benchmarks/inference_time.py --out docs/paper                  # processor: torch and ONNX Runtime
    python benchmarks/inference_time.py --out docs/paper --device cuda    # GPU: torch

It writes `inference-time.md` and `inference-time.csv`; a run replaces what an earlier one said of the same device and
leaves the other's. Without `--out` it only prints. As in the paper, only the network's own run counts: its inputs lie
ready on the device, first fills, padding, compositing and files are left out. Weights are random, since their values do
not change the time. Networks come from `mendpix.networks.table.NETWORKS`; what each is fed, from its declared facts.
"""

import argparse
import contextlib
import csv
import io
import logging
import os
import platform
import re
import statistics
import sys
import tempfile
import textwrap
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mendpix import fills
from mendpix.atomic_files import atomic_write
from mendpix.edges import find_edges
from mendpix.errors import MissingExtraError
from mendpix.networks.gdn import gdn_paper, gdn_published
from mendpix.networks.table import NETWORKS, NetworkEntry
from mendpix.weights.table import MODELS
from speed import open_session, processor, render_hole, render_picture

SIZE_PX = 256
CHANNELS = {"image": 3, "hole": 1, "fills": 6, "edges": 1}
"""What this program can feed a network with, by the names that facts use, and its channels."""

SEVERAL: dict[str, dict[str, Any]] = {
    "gdn": {"gdn, as published": gdn_published(), "gdn, as the paper's text has it": gdn_paper()}
}
"""Networks that are timed at other sizes than their default ones: label -> config."""

PAPER_MS = {"PConv": 27.97, "PEN": 61.08, "GConv": 18.91, "GDN": 18.80, "GDN's detector": 13.07}
"""Mean inference time of a 256 × 256 picture in section 4.2 of the paper, on a machine that the paper does not name."""

PAPER_NAME = {"gdn": "GDN", "gdn-detector": "GDN's detector", "pconv": "PConv", "pennet": "PEN", "deepfill-v2": "GConv"}
"""Names in our table -> names in the paper."""

BUSY_LOAD = 0.5
"""Processes waiting for the processor, mean of the last minute, from which a measurement would be worthless."""

PAGE, TABLE = "inference-time.md", "inference-time.csv"
DEVICES = {"cpu": "Processor", "cuda": "GPU"}

Call = Callable[[], object]


@dataclass(frozen=True)
class Protocol:
    """How it is measured."""

    threads: tuple[int, ...] = (1, 2)
    """Processor threads; each count is measured apart."""
    rounds: int = 5
    """How often the ways of running one network take turns."""
    runs: int = 10
    """Timed runs in a row, in each round."""
    warm_up: int = 3
    """Runs before them, in each round, not timed."""
    limit_s: float = 10.0
    """A round of one way ends after this time, even if not all runs are done, seconds; one is always done."""


@dataclass(frozen=True)
class Subject:
    """A network to be timed."""

    label: str
    """Name in the tables."""
    name: str
    """Name in `NETWORKS`."""
    kind: str
    network: nn.Module
    """In evaluation mode, on the processor."""
    inputs: dict[str, Tensor]
    """What `forward` takes, in its order, on the processor; batch 1."""
    parameters: int
    macs: int
    """Multiply-accumulates of convolutions and matrix products for these inputs."""


@dataclass(frozen=True)
class Way:
    """One way of running a network or a classical fill."""

    engine: str
    precision: str
    threads: int | None
    """Processor threads; None where they do not matter."""
    call: Call
    prepare: Call
    """Done before each round of this way, not timed."""


@dataclass(frozen=True)
class Row:
    """One line of the table's file."""

    device: str
    network: str
    kind: str
    engine: str
    precision: str
    threads: int | None
    size_px: int
    runs: int
    """Timed runs."""
    median_ms: float
    first_quartile_ms: float
    third_quartile_ms: float
    parameters: int | None
    gmacs: float | None


def round_size(facts: Any, size: int = SIZE_PX) -> int:
    """Give the smallest side from `size` on that a network accepts, px."""
    least = max(size, facts.minimum)
    return -(-least // facts.multiple_of) * facts.multiple_of


def make_inputs(names: Sequence[str], size: int) -> dict[str, Tensor]:
    """Render what a network asks for: picture, hole, first fills, edges; each (1, C, size, size), float32.

    Raises:
        ValueError: If it asks for something that this program does not know.
    """
    unknown = [name for name in names if name not in CHANNELS]
    if unknown:
        raise ValueError(f"it asks for {', '.join(unknown)}; only {', '.join(CHANNELS)} can be made here")
    picture, hole = classical_inputs(size)
    known = picture * (1 - hole)[..., None]
    edges = find_edges(picture, sigma=2.0, known=1 - hole)[..., None].astype(np.float32)
    made = {"image": known, "hole": hole[..., None], "fills": np.concatenate([known, known], axis=2), "edges": edges}
    return {name: torch.from_numpy(np.ascontiguousarray(made[name].transpose(2, 0, 1)[None])) for name in names}


def classical_inputs(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Render a picture in [0, 1] and a hole of 0 and 1: (size, size, 3) and (size, size), float32."""
    return np.float32(render_picture(size)) / np.float32(255), np.float32(render_hole(size) > 0)


def count_macs(network: nn.Module, inputs: Sequence[Tensor]) -> int:
    """Count the multiply-accumulates of every convolution and matrix product in one run, those of attention included.

    Norms, activations and resampling are left out, as is usual.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*inputs)
    return counter.get_total_flops() // 2


def subjects(
    networks: Mapping[str, NetworkEntry], only: Sequence[str], left_out: list[str], size: int = SIZE_PX
) -> Iterator[Subject]:
    """Build the networks of the table one by one; note in `left_out` those that cannot be run, and why."""
    for name, entry in networks.items():
        if only and name not in only:
            continue
        for label, config in SEVERAL.get(name, {name: entry.config()}).items():
            torch.manual_seed(0)
            network = entry.network(config).eval()
            facts = getattr(network, "facts", None)
            if facts is None:
                left_out.append(f"{label}: it declares no facts, so it is not known what it takes")
                continue
            try:
                inputs = make_inputs(facts.inputs, round_size(facts, size))
            except ValueError as error:
                left_out.append(f"{label}: {error}")
                continue
            yield Subject(
                label=label,
                name=name,
                kind=entry.kind,
                network=network,
                inputs=inputs,
                parameters=sum(parameter.numel() for parameter in network.parameters()),
                macs=count_macs(network, list(inputs.values())),
            )


def torch_ways(subject: Subject, device: str, threads: Sequence[int]) -> list[Way]:
    """Return the ways of running a network with torch: channels last, in float32 and with bfloat16 autocast.

    On a GPU also in TF32, which float32 leaves out otherwise. The network is moved to the device.
    """
    network = subject.network.to(device, memory_format=torch.channels_last)
    inputs = [value.to(device, memory_format=torch.channels_last) for value in subject.inputs.values()]

    def way(precision: str, count: int | None) -> Way:
        def call() -> None:
            with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled="bf16" in precision):
                network(*inputs)

        def prepare() -> None:
            if count is not None:
                torch.set_num_threads(count)
            if device == "cuda":
                torch.backends.cudnn.benchmark = True
                kind = "tf32" if precision == "tf32" else "ieee"
                torch.backends.cudnn.conv.fp32_precision = torch.backends.cuda.matmul.fp32_precision = kind

        return Way("torch", precision, count, call, prepare)

    if device == "cuda":
        return [way(precision, None) for precision in ("fp32", "tf32", "bf16 autocast")]
    return [way(precision, count) for precision in ("fp32", "bf16 autocast") for count in threads]


def onnx_ways(subject: Subject, folder: Path, threads: Sequence[int]) -> list[Way]:
    """Return the ways of running a network with ONNX Runtime on the processor, from a file of exactly these sizes."""
    path = folder / "network.onnx"
    network = subject.network.to("cpu", memory_format=torch.contiguous_format)
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")  # torch's exporter warns of its own insides
            torch.onnx.export(
                network, tuple(subject.inputs.values()), path, input_names=list(subject.inputs),
                dynamo=True, external_data=False, verbose=False,
            )  # fmt: skip
    finally:
        logger.setLevel(level)
    feeds = {name: value.contiguous().numpy() for name, value in subject.inputs.items()}

    def way(count: int) -> Way:
        session = open_session(path, count)
        taken = {entry.name: feeds[entry.name] for entry in session.get_inputs()}
        return Way("ONNX Runtime", "fp32", count, lambda: session.run(None, taken), lambda: None)

    return [way(count) for count in threads]


def classical_ways(threads: Sequence[int], left_out: list[str], size: int = SIZE_PX) -> dict[str, list[Way]]:
    """Return the ways of running each classical fill, and the two first fills that `scenes` starts from."""
    picture, hole = classical_inputs(size)
    known = picture * (1 - hole)[..., None]
    calls: dict[str, Call] = {}
    for name, entry in MODELS.items():
        if entry.engine is None:
            continue
        try:
            engine = entry.engine()
        except MissingExtraError as error:
            left_out.append(f"{name}: {error}")
            continue
        calls[name] = lambda engine=engine: engine.fill(known, hole)
    calls["both first fills of scenes"] = lambda: fills.first_fills(known, hole)
    return {
        name: [Way("classical", "fp32", count, call, lambda count=count: cv2.setNumThreads(count)) for count in threads]
        for name, call in calls.items()
    }


def measure(ways: Sequence[Way], protocol: Protocol, wait: Call) -> list[list[float]]:
    """Return the times of each way's runs, ms. The ways take turns, so that none meets a better hour.

    Args:
        ways: What to run.
        protocol: How often.
        wait: Returns when the device has nothing left to do; called right before each reading of the clock.
    """
    times: list[list[float]] = [[] for _ in ways]
    for _ in range(protocol.rounds):
        for way, found in zip(ways, times, strict=True):
            way.prepare()
            begun = time.perf_counter()
            for _ in range(protocol.warm_up):
                way.call()
                if time.perf_counter() - begun > protocol.limit_s:
                    break
            begun = time.perf_counter()
            for _ in range(protocol.runs):
                wait()
                start = time.perf_counter()
                way.call()
                wait()
                end = time.perf_counter()
                found.append(1000 * (end - start))
                if end - begun > protocol.limit_s:
                    break
    return times


def row_of(device: str, way: Way, times: Sequence[float], size: int, what: Subject | str) -> Row:
    """Sum up the times of one way."""
    first, median, third = statistics.quantiles(times, n=4, method="inclusive") if len(times) > 1 else [times[0]] * 3
    subject = what if isinstance(what, Subject) else None
    return Row(
        device=device,
        network=subject.label if subject else str(what),
        kind=subject.kind if subject else "classical",
        engine=way.engine,
        precision=way.precision,
        threads=way.threads,
        size_px=size,
        runs=len(times),
        median_ms=round(median, 3),
        first_quartile_ms=round(first, 3),
        third_quartile_ms=round(third, 3),
        parameters=subject.parameters if subject else None,
        gmacs=round(subject.macs / 1e9, 3) if subject else None,
    )


def measure_all(
    device: str, protocol: Protocol, only: Sequence[str], say: Callable[[str], None], size: int = SIZE_PX
) -> tuple[list[Row], list[str]]:
    """Measure everything that runs on a device.

    Returns:
        The rows, and a sentence for each thing that was left out.
    """
    rows: list[Row] = []
    left_out: list[str] = []
    wait: Call = torch.cuda.synchronize if device == "cuda" else lambda: None
    with tempfile.TemporaryDirectory() as folder:
        for subject in subjects(NETWORKS, only, left_out, size):
            say(subject.label)
            ways: list[Way] = []
            if device == "cpu":
                try:
                    ways = onnx_ways(subject, Path(folder), protocol.threads)
                except Exception as error:  # torch's exporter raises nearly anything
                    left_out.append(f"{subject.label} by ONNX Runtime: {str(error).splitlines()[0][:160]}")
            ways += torch_ways(subject, device, protocol.threads)
            side = next(iter(subject.inputs.values())).shape[-1]
            found = zip(ways, measure(ways, protocol, wait), strict=True)
            rows += [row_of(device, way, times, side, subject) for way, times in found]
    if device == "cpu" and not only:
        for name, ways in classical_ways(protocol.threads, left_out, size).items():
            say(name)
            rows += [
                row_of(device, way, times, size, name)
                for way, times in zip(ways, measure(ways, protocol, wait), strict=True)
            ]
    return rows, left_out


def machine(device: str) -> str:
    """Describe what was measured on, in general words."""
    if device == "cuda":
        return f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"
    with contextlib.suppress(OSError):
        flags = set(re.findall(r"\w+", Path("/proc/cpuinfo").read_text("utf-8").partition("flags")[2].split("\n")[0]))
        known = {"avx2": "AVX2", "avx512f": "AVX-512", "avx512_bf16": "AVX-512 bf16", "amx_bf16": "AMX bf16"}
        units = ", ".join(word for flag, word in known.items() if flag in flags)
        return f"{processor()}, {os.cpu_count()} logical cores, {units or 'no wide vector units'}"
    return f"{processor()}, {os.cpu_count()} logical cores"


def load() -> float:
    """Give the processes that waited for the processor in the last minute; 0 where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def conditions(device: str, protocol: Protocol, before: float, size: int = SIZE_PX) -> str:
    """Write down how and on what it was measured."""
    share = (render_hole(size) > 0).mean()
    sides = f"{size} × {size}, batch 1"
    how = (
        f"{protocol.rounds} rounds in which the ways of running one network take turns; in each, {protocol.warm_up}"
        f" runs not timed, then {protocol.runs} timed ones in a row, fewer if these take over {protocol.limit_s:g} s"
    )
    included = "the network's run alone, inputs ready on the device, result left there; no first fills, no files"
    lines = {
        "machine": machine(device),
        "versions": f"Python {platform.python_version()}, torch {torch.__version__},"
        f" ONNX Runtime {onnxruntime.__version__}, OpenCV {cv2.__version__}, {platform.system()}",
        "input": f"{sides}; classical fills: a hole of {share:.1%} of the picture, on which their time depends",
        "runs": how,
        "included": included,
        "torch": "eager, inference mode, channels last; bf16 = autocast, weights float32",
    }
    if device == "cpu":
        lines["ONNX Runtime"] = "float32, exported at exactly this size, waiting threads sleep, as in mendpix's engine"
        lines["load before"] = f"{before:.2f} processes"
    else:
        lines["clock"] = "wall time, the device synchronised before and after each run; cuDNN picks its algorithms"
    lines["weights"] = "random: their values do not change the time"
    return "\n".join(f"    {name}: {text}" for name, text in lines.items())


def table_of(rows: Sequence[Row]) -> str:
    """Write one line per network or fill, one column per way: median, and in brackets the quartiles, ms."""
    ways = list(dict.fromkeys((row.engine, row.precision, row.threads) for row in rows))
    heads = []
    for engine, precision, threads in ways:
        count = "" if threads is None else f", {threads} thread{'s' if threads > 1 else ''}"
        heads.append(f"{precision}{count}" if engine == "classical" else f"{engine} {precision}{count}")
    lines = [f"| ms | {' | '.join(heads)} |", "| --- |" + " ---: |" * len(heads)]
    cells = {(row.network, row.engine, row.precision, row.threads): row for row in rows}
    for network in dict.fromkeys(row.network for row in rows):
        found = [cells.get((network, *way)) for way in ways]
        texts = ["–" if row is None else cell(row) for row in found]
        lines.append(f"| {network} | {' | '.join(texts)} |")
    return "\n".join(lines)


def cell(row: Row) -> str:
    """Write a median and its quartiles with three digits that count."""
    digits = 0 if row.median_ms >= 100 else 1 if row.median_ms >= 10 else 2
    values = (row.median_ms, row.first_quartile_ms, row.third_quartile_ms)
    median, first, third = (f"{value:.{digits}f}" for value in values)
    return f"{median} ({first}–{third})"


def networks_table(rows: Sequence[Row]) -> str:
    """Write size and work of each network, beside the paper's time."""
    label_name = {label: name for name, several in SEVERAL.items() for label in several}
    lines = [
        "| network | kind | parameters | GMAC at this size | paper, ms |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    seen = {row.network: row for row in rows if row.kind != "classical"}
    for label, row in seen.items():
        paper = PAPER_MS.get(PAPER_NAME.get(label_name.get(label, label), ""))
        side = "" if row.size_px == SIZE_PX else f" ({row.size_px}²)"
        lines.append(
            f"| {label} | {row.kind} | {row.parameters:,} | {row.gmacs:.2f}{side} | {f'{paper:.2f}' if paper else ''} |"
        )
    return "\n".join(lines)


def section(device: str, rows: Sequence[Row], left_out: Sequence[str], told: str, busy: bool) -> str:
    """Write what was found on one device."""
    networks, classical = ([row for row in rows if (row.kind == "classical") is wanted] for wanted in (False, True))
    parts = [f"## {DEVICES[device]}", f"{date.today()}, the protocol as printed:", told]
    if busy:
        parts.append("**Measured while the machine was busy with other things: not to be quoted.**")
    if networks:
        parts += ["Median, in brackets the quartiles:", table_of(networks), networks_table(networks)]
    if classical:
        parts += ["Fills without a network, for comparison:", table_of(classical)]
    if left_out:
        parts.append("Left out: " + "; ".join(left_out) + ".")
    return "\n\n".join(parts)


def head() -> str:
    """Write the page's first lines."""
    paper = ", ".join(f"{name} {time_ms:.2f}" for name, time_ms in PAPER_MS.items())
    title = "# Inference time (section 4.2 of the paper)"
    told = (
        f"The paper gives the mean time of a 256 × 256 picture in ms: {paper}. It names no machine, so its numbers can"
        " be compared with each other and not with ours. It does not say either whether its generator was the one of"
        " its text or that of the published program, which differ in one dilation of each block."
    )
    made = (
        "Made by `python benchmarks/inference_time.py --out docs/paper`; every number with its runs and quartiles is in"
        f" [{TABLE}]({TABLE})."
    )
    return "\n\n".join((title, textwrap.fill(told, 120), textwrap.fill(made, 120)))


def no_section(device: str) -> str:
    """Say that a device has not been measured, and how to."""
    option = "" if device == "cpu" else f" --device {device}"
    return (
        f"## {DEVICES[device]}\n\nNot measured yet. On a machine that has one and does nothing else:"
        f" `python benchmarks/inference_time.py --out docs/paper{option}`."
    )


def page_with(page: str | None, device: str, text: str) -> str:
    """Put a device's section into the page, in place of what was there; the other devices' stay."""
    sections = {name: no_section(name) for name in DEVICES}
    if page is not None:
        starts = {name: page.find(f"\n## {title}\n") for name, title in DEVICES.items()}
        for name, start in starts.items():
            ends = [other for other in starts.values() if other > start]
            if start >= 0:
                sections[name] = page[start : min(ends, default=len(page))].strip()
    sections[device] = text
    return "\n\n".join((head(), *sections.values())) + "\n"


def csv_with(table: str | None, device: str, rows: Sequence[Row]) -> str:
    """Put a device's rows into the table, in place of what was there; the other devices' stay."""
    names = [field.name for field in fields(Row)]
    kept = [line for line in csv.DictReader(io.StringIO(table or "")) if line.get("device") != device]
    content = io.StringIO()
    writer = csv.DictWriter(content, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows([{name: line.get(name, "") for name in names} for line in kept])
    writer.writerows([asdict(row) for row in rows])
    return content.getvalue()


def write(folder: Path, device: str, rows: Sequence[Row], text: str) -> None:
    """Bring page and table in a folder up to date, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, renewed in (
        (PAGE, lambda old: page_with(old, device, text)),
        (TABLE, lambda old: csv_with(old, device, rows)),
    ):
        path = folder / name
        content = renewed(path.read_text("utf-8") if path.is_file() else None)
        with atomic_write(path) as temporary:
            temporary.write_text(content, "utf-8")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    default = Protocol()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=list(DEVICES), default="cpu")
    parser.add_argument("--threads", nargs="+", type=int, default=list(default.threads), help="processor threads")
    parser.add_argument("--rounds", type=int, default=default.rounds)
    parser.add_argument("--runs", type=int, default=default.runs, help="timed runs in each round")
    parser.add_argument("--warm-up", type=int, default=default.warm_up, help="runs before them, not timed")
    parser.add_argument("--limit", type=float, default=default.limit_s, help="longest round of one way, seconds")
    parser.add_argument("--only", nargs="+", choices=list(NETWORKS), default=[], help="these networks; only printed")
    parser.add_argument("--out", type=Path, help=f"folder for {PAGE} and {TABLE} (default: only print)")
    parser.add_argument("--anyway", action="store_true", help="measure although the machine is busy, and say so")
    options = parser.parse_args(arguments)
    if min(*options.threads, options.rounds, options.runs) < 1 or options.warm_up < 0 or not options.limit > 0:
        parser.error("--threads, --rounds, --runs and --limit must be positive, --warm-up 0 or more")
    if options.only and options.out:
        parser.error("--only and --out exclude each other: the page is about all networks")
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda needs a GPU that torch can use; there is none here")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write if asked to."""
    options = parse(arguments)
    before = load()
    busy = options.device == "cpu" and before > BUSY_LOAD
    if busy and not options.anyway:
        sys.exit(
            f"the machine must be quiet, below {BUSY_LOAD} waiting processes; it has {before:.2f}. Wait a minute or"
            " two, or take --anyway to measure all the same and have the page say so."
        )
    protocol = Protocol(tuple(options.threads), options.rounds, options.runs, options.warm_up, options.limit)
    kept_threads, kept_cv2 = torch.get_num_threads(), cv2.getNumThreads()
    try:
        rows, left_out = measure_all(
            options.device, protocol, options.only, lambda label: print(label, file=sys.stderr, flush=True)
        )
    finally:
        torch.set_num_threads(kept_threads)
        cv2.setNumThreads(kept_cv2)
    text = section(options.device, rows, left_out, conditions(options.device, protocol, before), busy)
    print(text)
    if options.out:
        write(options.out, options.device, rows, text)


if __name__ == "__main__":
    main()
