"""Time a model's fills and look at its memory, in a process of its own. Measures no quality."""

import os
import platform
import sys
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np

from mendpix.errors import InputError, ModelError
from mendpix.evaluation.candidates import Candidate
from mendpix.evaluation.measurer import without_hole
from mendpix.evaluation.pairing import OpenProtocol
from mendpix.evaluation.results import Timing

RUNS = 20
"""Pairs that are timed, at equal distances in the list."""

WARM_UP = 2
"""Fills before the clock starts: the first ones find cold caches."""


def time_candidate(candidate: Candidate, opened: OpenProtocol, threads: int | None = None) -> Timing | None:
    """Time a model's fills of the protocol's pairs, each from the picture in memory to the answer in memory.

    Args:
        candidate: What to time.
        opened: The protocol.
        threads: Threads that the model may use; None = one per core.

    Returns:
        The timing; None for a folder of results, which does not fill.

    Raises:
        ModelError: If the model fails, or its process died.
    """
    if candidate.model is None:
        return None
    if threads is not None and threads < 1:
        raise InputError(f"threads must be at least 1, or None for one per core; got {threads}.")
    count = threads or os.cpu_count() or 1
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_time, args=(candidate, opened, count, theirs))
    process.start()
    theirs.close()
    try:
        found = ours.recv()
    except EOFError as error:
        raise ModelError(
            f"{candidate.name} must live until it has been timed; its process died, most likely for want of memory. "
            "Leave --time away, or give the machine more memory."
        ) from error
    finally:
        ours.close()
        process.join()
    if isinstance(found, ModelError):
        raise found
    seconds, load_seconds, peak, idle = found
    return Timing(np.array(seconds), load_seconds, peak, idle, count, processor())


def processor() -> str:
    """Name the processor, as the system does."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return f"{line.partition(':')[2].strip()}, {os.cpu_count()} cores"
    except OSError:
        pass
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def _time(candidate: Candidate, opened: OpenProtocol, threads: int, answer: Connection) -> None:
    """Run in the process that is timed."""
    cv2.setNumThreads(threads)
    try:
        first = opened.pairs[0]  # read before the memory is looked at: decoding is not the model's
        opened.read_hole(first, opened.read_picture(first.picture).shape[:2])
        idle = _peak_mb()
        begun = perf_counter()
        fill = candidate.open(opened.protocol.measure.image, threads)
        load_seconds = perf_counter() - begun
        total = len(opened.pairs)
        runs = min(RUNS, total)
        numbers = [number * total // runs for number in range(runs)]
        seconds: list[float] = []
        for turn, number in enumerate([*(numbers[:1] * WARM_UP), *numbers]):
            pair = opened.pairs[number]
            picture = opened.read_picture(pair.picture)
            hole = opened.read_hole(pair, picture.shape[:2])
            holed = without_hole(picture, hole)
            begun = perf_counter()
            fill(pair, holed, hole)
            if turn >= WARM_UP:
                seconds.append(perf_counter() - begun)
        answer.send((seconds, load_seconds, _peak_mb(), idle))
    except Exception as error:  # whatever it is, the process that waits shall say it
        answer.send(ModelError(f"{candidate.name} could not be timed: {error}"))
    finally:
        answer.close()


def _peak_mb() -> float:
    """Return the most memory that this process has held, MiB; NaN where the system does not tell."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**10
    except OSError:
        pass
    try:
        import resource
    except ImportError:
        return float("nan")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)
