import threading
import time

import pytest

from mendpix.engines.stopwatch import Stopwatch, spent


def test_time_is_booked_by_name_and_adds_up():
    watch = Stopwatch()
    with watch.running():
        for _ in range(2):
            with spent("outer"), spent("inner"):
                time.sleep(0.01)
    assert watch.seconds.keys() == {"outer", "inner"}
    assert watch.seconds["outer"] >= watch.seconds["inner"] >= 0.02


def test_nothing_is_booked_without_a_stopwatch_or_after_it():
    watch = Stopwatch()
    with watch.running():
        pass
    with spent("late"):
        pass
    assert watch.seconds == {}


def test_time_is_booked_when_the_work_fails():
    watch = Stopwatch()
    with watch.running(), pytest.raises(ValueError, match="no"), spent("work"):
        raise ValueError("no")
    assert "work" in watch.seconds


def test_threads_do_not_book_on_each_other():
    watches = [Stopwatch(), Stopwatch()]
    start = threading.Barrier(2)

    def work(index):
        with watches[index].running():
            start.wait()
            with spent(f"work-{index}"):
                time.sleep(0.01)

    threads = [threading.Thread(target=work, args=(index,)) for index in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [list(watch.seconds) for watch in watches] == [["work-0"], ["work-1"]]
