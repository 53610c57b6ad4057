"""Where the time went, without handing a clock through every call. Knows names and seconds only.

Whoever wants to know starts a `Stopwatch`; any code below it, in the same thread, may book its time with `spent`.
Without a running stopwatch `spent` costs next to nothing.
"""

import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar


class Stopwatch:
    """Collects seconds by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def running(self) -> Generator["Stopwatch"]:
        """Book what `spent` measures inside the block, in this thread, to this stopwatch."""
        token = _running.set(self)
        try:
            yield self
        finally:
            _running.reset(token)


_running: ContextVar[Stopwatch | None] = ContextVar("mendpix_stopwatch", default=None)


@contextmanager
def spent(name: str) -> Generator[None]:
    """Book the time of the block under `name`. Blocks may nest; each name holds its whole block.

    Args:
        name: What was done, such as `first_fill`.
    """
    stopwatch = _running.get()
    if stopwatch is None:
        yield
        return
    start = time.perf_counter()
    try:
        yield
    finally:
        stopwatch.seconds[name] = stopwatch.seconds.get(name, 0.0) + time.perf_counter() - start
