"""Run tasks in this process or in several, one thread each, and hand their results back as they come.

Knows nothing of what a task is worth: it opens a `Measurer` per process and calls it.
"""

import os
import signal
import threading
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait as wait_for
from time import perf_counter

import cv2

from mendpix.errors import ModelError
from mendpix.evaluation.measurer import Done, Measurer, Task, Work

AHEAD = 2
"""Tasks handed out per process beyond those being worked on; more would only take memory."""

_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}

_measurer: Measurer | None = None  # one per worker process


def run_tasks(work: Work, tasks: Iterable[Task], workers: int) -> Iterator[Done]:
    """Measure tasks; results come in the order in which they are ready.

    What a task comes to does not depend on how many processes there are: each works with one thread.

    Args:
        work: What is evaluated and how.
        tasks: What to measure; taken as it is needed.
        workers: Processes; 1 = this one.

    Raises:
        MendpixError: Whatever a task raised; the others that were handed out are finished or dropped.
        ModelError: If a process died, for instance for want of memory.
    """
    if workers == 1:
        with _one_opencv_thread():
            measurer = Measurer(work)
            for task in tasks:
                yield measurer.measure(task, perf_counter)
        return
    with environment(_ONE_THREAD):  # only what is started inside inherits it
        pool = ProcessPoolExecutor(workers, get_context("spawn"), _start, (work,))
        queue = iter(tasks)
        running: set[Future[Done]] = set()
        try:
            with _interrupts_ignored():  # processes start at the first tasks, and inherit this
                running.update(pool.submit(_measure, task) for task in islice(queue, workers * AHEAD))
            while running:
                ready, running = wait(running, return_when=FIRST_COMPLETED)
                running.update(pool.submit(_measure, task) for task in islice(queue, len(ready)))
                for future in ready:
                    yield future.result()
        except BrokenProcessPool as error:
            raise ModelError(
                "the processes that measure must live until the end; one of them died, most likely for want of memory. "
                "Run the same command again with fewer --workers: what was measured is kept."
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _start(work: Work) -> None:
    """Prepare a worker process."""
    global _measurer
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _measurer = Measurer(work)


def _end_with_parent() -> None:
    """End the process when the one that started it is gone: nobody would ever fetch the results."""
    parent = parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _measure(task: Task) -> Done:
    assert _measurer is not None
    return _measurer.measure(task, perf_counter)


@contextmanager
def _one_opencv_thread() -> Generator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


@contextmanager
def _interrupts_ignored() -> Generator[None]:
    """Start processes that Ctrl-C does not reach: it goes to all at once, and the first one ends the others."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals belong to the main thread
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def environment(variables: dict[str, str]) -> Generator[None]:
    """Set environment variables for the processes that are started meanwhile."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
