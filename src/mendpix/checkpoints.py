"""Places in long work where somebody may stop it, without handing a function through every call.

Whoever wants to be able to stop runs the work in `asked`; any code below it, in the same thread, calls `checkpoint` now
and then. Without anybody who asks, that costs next to nothing. Knows nothing of the work.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

_ask: ContextVar[Callable[[], None] | None] = ContextVar("mendpix_checkpoint", default=None)


@contextmanager
def asked(ask: Callable[[], None]) -> Generator[None]:
    """Call `ask` at every checkpoint inside the block, in this thread; what it raises stops the work."""
    token = _ask.set(ask)
    try:
        yield
    finally:
        _ask.reset(token)


def checkpoint() -> None:
    """Let whoever asked stop the work here.

    Raises:
        Exception: What they raise.
    """
    ask = _ask.get()
    if ask is not None:
        ask()
