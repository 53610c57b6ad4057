"""Work that takes a while: a bounded queue, a few threads, progress that can be watched, work that can be stopped.

Knows neither pictures nor HTTP requests: a job is a function that reports its progress.
"""

import asyncio
import logging
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Literal

from mendpix.errors import MendpixError
from mendpix.types import Progress
from mendpix.web.memory import give_back
from mendpix.web.problems import ProblemError

Status = Literal["waiting", "running", "done", "failed", "cancelled"]
"""Where a job is; the last three are ends."""

Work = Callable[[Progress], object]
"""What a job does; what the progress raises has to come out of it again."""

KEPT_JOBS = 128
"""Jobs that have ended and can still be asked for."""

TYPICAL_S = 5.0
"""How long a job takes as long as none has ended, seconds."""

log = logging.getLogger("mendpix.web")


class StoppedError(Exception):
    """Say that a job was cancelled; raised out of its progress, so that the work stops."""


class DeadlineError(ProblemError):
    """Say that a job took too long."""

    def __init__(self, deadline_s: float) -> None:
        super().__init__(
            504,
            f"the work must be done within {deadline_s:g} s, waiting included; it was stopped. Send a smaller picture"
            " or hole, come back when less is running, or start the server with a longer --deadline.",
        )


class Job:
    """One piece of work. Its fields may be read at any time; only `Jobs` and its worker change them."""

    def __init__(self, work: Work, deadline_s: float) -> None:
        self.id = secrets.token_urlsafe(12)
        self.status: Status = "waiting"
        self.progress = 0.0
        """Share done, in [0, 1]; never goes back."""
        self.stage = "waiting"
        """A word or two for what is being done."""
        self.result: object = None
        """What the work returned, once it is done."""
        self.error: BaseException | None = None
        """Why it failed."""
        self._work: Work | None = work
        self._deadline_s = deadline_s
        self._ends = time.monotonic() + deadline_s
        self._stop = False
        self._watchers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._lock = threading.Lock()

    @property
    def has_ended(self) -> bool:
        """Tell whether nothing more will change."""
        return self.status in ("done", "failed", "cancelled")

    @property
    def left_s(self) -> float:
        """Give the time to the deadline, seconds; below 0 if it is over."""
        return self._ends - time.monotonic()

    def report(self, share: float, what: str) -> None:
        """Take note of progress, and stop the work if nobody wants it any more.

        Raises:
            StoppedError: If the job was cancelled.
            DeadlineError: If its time is over.
        """
        if self._stop:
            raise StoppedError
        if self.left_s < 0:
            raise DeadlineError(self._deadline_s)
        self.progress, self.stage = max(self.progress, min(share, 1.0)), what
        self._tell()

    def stop(self) -> None:
        """Ask the work to stop at its next report."""
        with self._lock:
            if self.has_ended:
                return
            self._stop = True
            self.stage = "stopping"
        self._tell()

    async def changed(self, timeout_s: float) -> bool:
        """Wait until something has changed or a time is over; the job may have ended before.

        Returns:
            False if the time was over.
        """
        event, loop = asyncio.Event(), asyncio.get_running_loop()
        with self._lock:
            if self.has_ended:
                return True
            self._watchers.add((loop, event))
        try:
            await asyncio.wait_for(event.wait(), timeout_s)
        except TimeoutError:
            return False
        finally:
            with self._lock:
                self._watchers.discard((loop, event))
        return True

    async def ended(self) -> None:
        """Wait until the job has ended, at the latest at its deadline: then it counts as failed at once."""
        while not self.has_ended:
            if self.left_s <= 0:
                self.expire()
                return
            await self.changed(max(self.left_s, 0.01))

    def run(self) -> None:
        """Do the work, in the thread of a worker."""
        with self._lock:
            work, self._work = self._work, None
            if work is None or self.has_ended:
                return
            self.status = "running"
        try:
            self.report(0.0, "starting")
            result = work(self.report)
            self._end("done", result=result)
        except StoppedError:
            self._end("cancelled")
        except Exception as error:
            if not isinstance(error, ProblemError | MendpixError | MemoryError):
                log.exception("a job failed")
            error.__traceback__ = None  # it would keep the pictures that the work held
            error.__context__ = error.__cause__ = None
            self._end("failed", error=error)

    def expire(self) -> None:
        """Count as failed because the time is over, and stop the work."""
        self._end("failed", error=DeadlineError(self._deadline_s))
        self._stop, self._work = True, None

    def give_up(self, error: BaseException | None = None) -> None:
        """End without having run."""
        self._work = None
        self._end("failed" if error else "cancelled", error=error)

    def _end(self, status: Status, *, result: object = None, error: BaseException | None = None) -> None:
        with self._lock:
            if self.has_ended:  # the deadline came first
                return
            self.result, self.error = result, error
            if status == "done":
                self.progress = 1.0
            self.stage = status
            self.status = status
        self._tell()

    def _tell(self) -> None:
        with self._lock:
            watchers = tuple(self._watchers)
        for loop, event in watchers:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)


class Jobs:
    """A queue with workers. May be used by several threads at a time."""

    def __init__(self, *, workers: int, queue: int, deadline_s: float) -> None:
        """Start the workers.

        Args:
            workers: Jobs that run at a time.
            queue: Jobs that may wait besides.
            deadline_s: How long a job may take from when it was asked for, seconds.
        """
        self.queue = queue
        self.deadline_s = deadline_s
        self._waiting: deque[Job] = deque()
        self._running: set[Job] = set()
        self._known: OrderedDict[str, Job] = OrderedDict()
        self._closed = False
        self._durations_s: deque[float] = deque(maxlen=16)
        self._turn = threading.Condition()
        self._threads = [
            threading.Thread(target=self._worker, name=f"mendpix-worker-{number}", daemon=True)
            for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Count the jobs that wait."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Count the jobs that run."""
        return len(self._running)

    def check_room(self) -> None:
        """Refuse early what `submit` would refuse.

        Raises:
            ProblemError: 503 if the server is stopping, 429 if too many jobs wait.
        """
        with self._turn:
            self._check_room()

    def submit(self, work: Work) -> Job:
        """Put work into the queue.

        Raises:
            ProblemError: 503 if the server is stopping, 429 if too many jobs wait.
        """
        with self._turn:
            self._check_room()
            job = Job(work, self.deadline_s)
            self._waiting.append(job)
            self._known[job.id] = job
            for name in [name for name, known in self._known.items() if known.has_ended][:-KEPT_JOBS]:
                del self._known[name]
            self._turn.notify()
        return job

    def find(self, name: str) -> Job | None:
        """Find a job by its id; None if there is none, or no more."""
        return self._known.get(name)

    def cancel(self, job: Job) -> None:
        """Stop a job: one that waits leaves the queue, one that runs stops at its next report of progress."""
        with self._turn:
            waits = job in self._waiting
            if waits:
                self._waiting.remove(job)
        if waits:
            job.give_up()
        elif not job.has_ended:
            job.stop()

    def forget(self, job: Job) -> None:
        """Drop a job that nobody can ask for."""
        with self._turn:
            self._known.pop(job.id, None)
            if job in self._waiting:
                self._waiting.remove(job)

    def refuse_new(self) -> None:
        """Take no more jobs, and send away those that wait; what runs goes on."""
        with self._turn:
            self._closed = True
            left = tuple(self._waiting)
            self._waiting.clear()
            self._turn.notify_all()
        for job in left:
            job.give_up(stopping())

    def stop_running(self) -> None:
        """Stop what runs."""
        for job in tuple(self._running):
            job.stop()

    def close(self, *, at_once: bool = False) -> None:
        """Take no more jobs and wait until those that run have ended.

        Args:
            at_once: Stop those that run, too.
        """
        self.refuse_new()
        if at_once:
            self.stop_running()
        for thread in self._threads:
            thread.join()

    def _check_room(self) -> None:
        if self._closed:
            raise stopping()
        for job in [job for job in self._waiting if job.left_s <= 0]:  # they hold up nobody, whatever runs
            self._waiting.remove(job)
            job.expire()
        free = len(self._threads) - len(self._running)
        if len(self._waiting) >= self.queue + max(free, 0):
            each_s = sum(self._durations_s) / len(self._durations_s) if self._durations_s else TYPICAL_S
            wait_s = min(max(round(each_s * (len(self._waiting) + 1) / len(self._threads)), 1), 600)
            raise ProblemError(
                429,
                f"at most {self.queue} jobs may wait, and as many do; try again in {wait_s} s.",
                headers={"Retry-After": str(wait_s)},
            )

    def _worker(self) -> None:
        while True:
            with self._turn:
                while not self._waiting and not self._closed:
                    self._turn.wait()
                if not self._waiting:
                    return
                job = self._waiting.popleft()
                self._running.add(job)
            started = time.monotonic()
            job.run()
            give_back()
            with self._turn:
                self._running.discard(job)
                if job.status == "done":
                    self._durations_s.append(time.monotonic() - started)
            del job


def stopping() -> ProblemError:
    """Say that the server is stopping."""
    return ProblemError(
        503, "the server is stopping and takes nothing new; try again in a while.", headers={"Retry-After": "10"}
    )
