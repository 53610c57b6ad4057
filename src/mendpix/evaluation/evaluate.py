"""Evaluate models under a protocol: measure what is missing, compare, write the report. One call from start to end.

Everything that was measured is kept in the report's folder row by row, so the call may be killed at any time and
repeated; a repetition that finds everything measured writes the same report to the last byte.
"""

import hashlib
import json
import re
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mendpix.errors import InputError, OutputError
from mendpix.evaluation.candidates import Candidate, find_candidates
from mendpix.evaluation.cases import make_cases, worst_pairs
from mendpix.evaluation.gather import gather, gather_truth
from mendpix.evaluation.measurer import Measurer, Work, plan_tasks
from mendpix.evaluation.measures import expand
from mendpix.evaluation.page import write_page
from mendpix.evaluation.pairing import HASH_DIGITS, OpenProtocol, say_nothing
from mendpix.evaluation.provenance import code_mark, versions
from mendpix.evaluation.results import Evaluation
from mendpix.evaluation.rows import RowFile
from mendpix.evaluation.statistics import Summary, summarise
from mendpix.evaluation.tables import write_tables
from mendpix.evaluation.timing import time_candidate
from mendpix.evaluation.workers import run_tasks
from mendpix.types import Progress

CASES = 24
"""Pairs shown with their pictures on the report's page."""

ROWS = "rows"
"""Folder inside the report that keeps what was measured."""


@dataclass(frozen=True, eq=False)
class Report:
    """What an evaluation wrote, and how long it took."""

    folder: Path
    page: Path
    """The self-contained HTML page."""
    files: tuple[Path, ...]
    """Everything else that was written, tables and plots."""
    summary: Summary
    pairs: int
    measured: int
    """Pairs times models that were measured now; the rest was there."""
    filled: dict[str, int]
    """Answers measured now, by model."""
    fill_seconds: dict[str, float]
    """Time that these took, by model: from picture and hole in memory to the answer in memory."""
    measure_seconds: float
    """Time of the measures computed now, all models together."""


def evaluate(
    opened: OpenProtocol,
    models: Sequence[str],
    folder: Path,
    *,
    workers: int = 1,
    timed: bool = False,
    threads: int | None = None,
    weights_dir: Path | None = None,
    cases: int = CASES,
    progress: Progress | None = None,
    say: Callable[[str], object] = lambda text: None,
) -> Report:
    """Measure models on the pairs of a protocol, and write the report.

    Args:
        opened: From `pairing.open_protocol`.
        models: Each a name of the table, a model file or a folder of results; ``LABEL=`` before it names it.
        folder: Where the report goes; made if it is not there. What an earlier, unfinished or smaller evaluation
            measured there under the same protocol is not measured again.
        workers: Processes that measure, each with one thread.
        timed: Also time every model, one after the other, with nothing beside it.
        threads: Threads for timing; None = one per core.
        weights_dir: Folder with the published weights of FID, KID and LPIPS, if the protocol wants them.
        cases: Pairs to show on the page.
        progress: Told the share done.
        say: Gets a line now and then.

    Raises:
        InputError: If an argument makes no sense.
        DataError: If a picture, mask or result is missing, broken or of the wrong size.
        ModelError: If a model is unknown or fails.
        MissingExtraError: If a model or metric needs a package that is not installed.
        OutputError: If the report cannot be written.
    """
    if workers < 1 or cases < 0:
        raise InputError(f"workers must be at least 1 and cases at least 0; got {workers} and {cases}.")
    candidates = find_candidates(models, opened)
    single, sets = expand(opened.protocol.measure.metrics)
    work = Work(opened, candidates, single, sets, weights_dir)
    Measurer(work).probe()  # what is missing, broken or too small is told of before anything is measured
    with _rows_folder(folder, work) as place:
        return _evaluate(work, folder, place, workers, timed, threads, cases, progress or say_nothing, say)


def _evaluate(
    work: Work,
    folder: Path,
    place: Path,
    workers: int,
    timed: bool,
    threads: int | None,
    cases: int,
    tell: Progress,
    say: Callable[[str], object],
) -> Report:
    """Measure what is missing in a folder of rows that is ours alone, and write the report."""
    opened, candidates = work.opened, work.candidates
    truth_file, files = _open_rows(place, work)

    tasks = list(plan_tasks(opened, candidates, [file.keys for file in files], truth_file.keys))
    left = sum(len(pairs) for task in tasks for _, pairs in task.pending)
    total = len(opened.pairs) * len(candidates)
    if left < total:
        say(f"{total - left} of {total} results were measured before")
    names = [candidate.name for candidate in candidates]
    filled, spent = dict.fromkeys(names, 0), dict.fromkeys(names, 0.0)
    measuring, finished = 0.0, 0
    for done in run_tasks(work, tasks, min(workers, max(1, len(tasks)))):
        for number, rows in done.rows:
            files[number].append(rows)
            finished += len(rows)
            filled[names[number]] += len(rows)
            spent[names[number]] += done.fill_seconds[number]
        if done.truth is not None:  # last: a picture whose truth is there has been measured as far as it was asked
            truth_file.append([done.truth])
        measuring += done.measure_seconds
        tell(0.9 * finished / max(1, left), "measuring")

    tell(0.9, "comparing")
    evaluation = Evaluation(
        protocol_name=opened.protocol.name,
        protocol_id=opened.id,
        protocol_facts=opened.facts,
        pairs=opened.columns(),
        models=gather(work, files, truth_file),
        truth=gather_truth(opened, truth_file),
        measures=work.measures,
        set_measures=work.set_measures,
        versions=versions(),
    )
    if timed:
        timings = [time_candidate(one, opened, threads) for one in candidates]
        models_timed = (replace(model, timing=found) for model, found in zip(evaluation.models, timings, strict=True))
        evaluation = replace(evaluation, models=tuple(models_timed))
    summary = summarise(evaluation)
    written = write_tables(summary, folder)
    tell(0.95, "drawing the page")
    page = folder / "index.html"
    chosen = worst_pairs(evaluation, opened.protocol.measure.worst, cases)
    write_page(summary, make_cases(work, evaluation, chosen), page, worst_by=opened.protocol.measure.worst)
    tell(1.0, "done")
    return Report(folder, page, tuple(written), summary, len(opened.pairs), finished, filled, spent, measuring)


@contextmanager
def _rows_folder(folder: Path, work: Work) -> Generator[Path]:
    """Give the folder that keeps what is measured under this protocol by this code, to nobody else at the same time."""
    belongs = {"protocol": work.opened.id, "code": code_mark(), "keys": [pair.key for pair in work.opened.pairs]}
    if folder.is_dir() and any(folder.iterdir()) and not (folder / ROWS).is_dir():
        raise OutputError(
            f"the report must go into a new or empty folder, or one that holds a report; {folder} holds something "
            "else. Choose another."
        )
    place = folder / ROWS / hashlib.sha256(json.dumps(belongs).encode()).hexdigest()[:HASH_DIGITS]
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = (folder / ROWS / "lock").open("w")  # of the whole folder: two protocols would mix their tables
    except OSError as error:
        raise OutputError(
            f"the report must go into a folder that can be made and written to; {folder} cannot ({error.strerror}). "
            "Choose another."
        ) from error
    with lock:
        try:
            import fcntl
        except ImportError:  # a system without it; rows notice a second writer when they are read
            yield place
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # let go of when the process ends, however it ends
        except OSError as error:
            raise OutputError(
                f"one evaluation at a time may write into {folder}; another is at it. Wait for it, or choose another "
                "folder."
            ) from error
        yield place


def _open_rows(place: Path, work: Work) -> tuple[RowFile, list[RowFile]]:
    """Open the files of rows, for the true pictures and for each candidate."""
    header = {"protocol": work.opened.id}
    truth = RowFile(place / "truth.jsonl", {**header, "model": "truth"})
    return truth, [
        RowFile(place / f"{_slug(candidate)}.jsonl", {**header, "model": candidate.mark})
        for candidate in work.candidates
    ]


def _slug(candidate: Candidate) -> str:
    """Name the file of a candidate: by its content, so that a new label costs nothing."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(candidate.model or candidate.name).stem) or "model"
    return f"{plain[:60]}-{candidate.mark}"
