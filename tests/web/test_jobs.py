import asyncio
import threading
import time
from types import SimpleNamespace

import pytest

pytest.importorskip("fastapi", reason="the extra web is not installed")

import uvicorn

from mendpix.errors import InputError
from mendpix.web.app import GracefulServer
from mendpix.web.jobs import DeadlineError, Jobs
from mendpix.web.problems import ProblemError


@pytest.fixture
def jobs():
    made = Jobs(workers=1, queue=2, deadline_s=30)
    yield made
    made.close(at_once=True)


class Blocker:
    """Work that goes on until it is let go or stopped."""

    def __init__(self):
        self.go, self.began = threading.Event(), threading.Event()

    def __call__(self, progress):
        self.began.set()
        while not self.go.wait(0.005):
            progress(0.25, "working")
        return "result"


def ended(job):
    asyncio.run(asyncio.wait_for(job.ended(), 20))
    return job.status


def test_work_is_done_in_turn_and_its_result_kept(jobs):
    order = []
    made = [jobs.submit(lambda progress, number=number: order.append(number) or number) for number in range(2)]
    assert [ended(job) for job in made] == ["done", "done"]
    assert order == [job.result for job in made] == [0, 1]
    assert jobs.find(made[0].id) is made[0]
    assert made[0].progress == 1


def test_progress_never_goes_back(jobs):
    seen = []

    def work(progress):
        for share in (0.2, 0.7, 0.3, 2.0):
            progress(share, "working")
            seen.append(job.progress)

    job = jobs.submit(work)
    ended(job)
    assert seen == [0.2, 0.7, 0.7, 1.0]


def test_a_failure_is_kept_and_the_worker_goes_on(jobs):
    def fails(progress):
        raise InputError("a sentence.")

    failed = jobs.submit(fails)
    assert ended(failed) == "failed"
    assert str(failed.error) == "a sentence."
    assert failed.error.__traceback__ is None
    assert ended(jobs.submit(lambda progress: 1)) == "done"


def test_running_work_stops_when_it_is_cancelled(jobs):
    blocker = Blocker()
    job = jobs.submit(blocker)
    blocker.began.wait(10)
    jobs.cancel(job)
    assert ended(job) == "cancelled"
    assert ended(jobs.submit(lambda progress: 1)) == "done"


def test_waiting_work_leaves_the_queue_and_never_begins(jobs):
    first, second = Blocker(), Blocker()
    running, waiting = jobs.submit(first), jobs.submit(second)
    first.began.wait(10)
    jobs.cancel(waiting)
    assert waiting.status == "cancelled"
    assert jobs.waiting == 0
    first.go.set()
    assert ended(running) == "done"
    assert not second.began.is_set()


def test_more_than_the_queue_holds_is_refused_with_a_time(jobs):
    blocker = Blocker()
    jobs.submit(blocker)
    blocker.began.wait(10)
    for _ in range(2):
        jobs.submit(blocker)
    with pytest.raises(ProblemError) as refusal:
        jobs.submit(blocker)
    assert refusal.value.status == 429
    assert 1 <= int(refusal.value.headers["Retry-After"]) <= 600
    with pytest.raises(ProblemError):
        jobs.check_room()


def test_without_a_queue_one_job_is_still_taken():
    jobs = Jobs(workers=1, queue=0, deadline_s=30)
    blocker = Blocker()
    jobs.submit(blocker)
    with pytest.raises(ProblemError):
        jobs.submit(blocker)
    jobs.close(at_once=True)


def test_the_deadline_ends_work_that_runs_and_work_that_waits():
    jobs = Jobs(workers=1, queue=2, deadline_s=0.2)
    blocker = Blocker()
    made = [jobs.submit(blocker), jobs.submit(blocker)]
    start = time.monotonic()
    assert [ended(job) for job in made] == ["failed", "failed"]
    assert time.monotonic() - start < 5
    assert all(isinstance(job.error, DeadlineError) and job.error.status == 504 for job in made)
    jobs.close()


def test_closing_finishes_what_runs_and_sends_away_what_waits(jobs):
    blocker = Blocker()
    running, waiting = jobs.submit(blocker), jobs.submit(blocker)
    blocker.began.wait(10)
    closing = threading.Thread(target=jobs.close)
    closing.start()
    assert ended(waiting) == "failed"
    assert waiting.error.status == 503
    with pytest.raises(ProblemError, match="stopping"):
        jobs.submit(blocker)
    assert closing.is_alive()
    blocker.go.set()
    closing.join(10)
    assert running.status == "done"


def test_whoever_watches_is_told_of_changes(jobs):
    blocker = Blocker()
    job = jobs.submit(blocker)

    async def watch():
        assert await job.changed(10)
        blocker.go.set()
        while not job.has_ended:
            await job.changed(10)
        assert await job.changed(10)  # at once: it has ended

    asyncio.run(watch())
    assert not job._watchers


def test_only_so_many_ended_jobs_are_kept(jobs, monkeypatch):
    monkeypatch.setattr("mendpix.web.jobs.KEPT_JOBS", 3)
    made = []
    for _ in range(8):
        made.append(jobs.submit(lambda progress: None))
        ended(made[-1])
    assert jobs.find(made[0].id) is None
    assert jobs.find(made[-1].id) is made[-1]
    assert len(jobs._known) <= 4


def test_stopping_what_has_ended_changes_nothing(jobs):
    job = jobs.submit(lambda progress: 1)
    ended(job)
    job.stop()
    assert (job.status, job.stage) == ("done", "done")


def test_what_waited_too_long_makes_room(jobs):
    """Also while something runs that does not look at the clock."""
    go, began = threading.Event(), threading.Event()
    jobs.submit(lambda progress: (began.set(), go.wait(10)))
    began.wait(10)
    late = [jobs.submit(lambda progress: 1) for _ in range(2)]
    for job in late:
        job._ends = time.monotonic() - 1
    fresh = jobs.submit(lambda progress: 2)
    assert {job.status for job in late} == {"failed"}
    assert {job.error.status for job in late} == {504}
    go.set()
    assert (ended(fresh), fresh.result) == ("done", 2)


def test_a_second_signal_waits_for_no_lock(jobs):
    """It comes in the middle of anything in the main thread, also of code that holds the lock."""
    blocker = Blocker()
    job = jobs.submit(blocker)
    blocker.began.wait(10)
    web = SimpleNamespace(jobs=jobs, desk=SimpleNamespace(closing=False), asgi=None)
    server = GracefulServer(uvicorn.Config(lambda: None), web)
    server.handle_exit(2, None)
    done = threading.Event()

    def signal_inside():
        with job._lock, jobs._turn:
            server.handle_exit(2, None)
            done.set()

    threading.Thread(target=signal_inside, daemon=True).start()
    assert done.wait(5)
    assert ended(job) == "cancelled"
    assert server.force_exit
