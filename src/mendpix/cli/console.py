"""How every verb talks: results on stdout, notes and progress on stderr, a failure as one sentence and an exit code.

Knows nothing of pictures, models or training.
"""

import json
import sys
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

import typer

from mendpix.errors import MendpixError

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

EXIT_FAILED = 2
"""Input or output at fault; the same code as for wrong options."""

EXIT_REFUSED = 3
"""Input and output are fine, but the work was not done, to do no harm."""

EXIT_STOPPED = 130
"""Ctrl-C: 128 + SIGINT, as shells count."""

PATIENCE_S = 1.0
"""Work that is done within this time shows no progress bar, seconds."""


@contextmanager
def failures_as_sentences() -> Generator[None]:
    """Turn what a user can cause into one line on stderr and an exit code; let our own bugs through.

    Raises:
        typer.Exit: With code 2 for a `MendpixError` or too little memory, 130 for Ctrl-C.
    """
    try:
        yield
    except MendpixError as error:
        say(f"mendpix: {one_line(error)}", err=True)
        raise typer.Exit(EXIT_FAILED) from error
    except MemoryError as error:
        say("mendpix: The work needs more memory than there is; give a smaller picture or fewer --threads.", err=True)
        raise typer.Exit(EXIT_FAILED) from error
    except KeyboardInterrupt as interrupt:
        say("mendpix: Stopped.", err=True)
        raise typer.Exit(EXIT_STOPPED) from interrupt


def one_line(error: BaseException) -> str:
    """Write an error's message on one line."""
    return " ".join(str(error).split())


def say(text: str, *, err: bool = False) -> None:
    """Print a line on stdout or stderr; what the encoding lacks is escaped, since file names can hold anything."""
    encoding = (sys.stderr if err else sys.stdout).encoding or "utf-8"
    typer.echo(text.encode(encoding, "backslashreplace").decode(encoding), err=err)


def print_json(content: Mapping[str, object]) -> None:
    """Print one JSON object on stdout, on one line."""
    say(json.dumps(content, allow_nan=False))


def seconds(duration_s: float) -> str:
    """Write a duration for people.

    Example:
        >>> seconds(0.0421), seconds(3.21), seconds(75.3), seconds(7265)
        ('42 ms', '3.2 s', '75 s', '121 min')
    """
    if duration_s < 0.9995:
        return f"{duration_s * 1000:.0f} ms"
    if duration_s < 9.95:
        return f"{duration_s:.1f} s"
    return f"{duration_s:.0f} s" if duration_s < 600 else f"{duration_s / 60:.0f} min"


def percent(share: float) -> str:
    """Write a share in [0, 1] for people; what is there never reads 0 %, what is not all never reads 100 %.

    Example:
        >>> percent(0.0851), percent(0.00001), percent(0.99999)
        ('8.5 %', '< 0.1 %', '> 99.9 %')
    """
    if 0 < share < 0.0005:
        return "< 0.1 %"
    if 0.9995 <= share < 1:
        return "> 99.9 %"
    return f"{share * 100:.1f} %"


class LateProgress:
    """Show a progress bar on stderr, but only where somebody looks (a terminal) and once the work has lasted a second.

    A `mendpix.types.Progress`: call it with the share done and a word for what is being done. Use it in a `with`
    block, which clears the bar away at the end, also after an error.

    Args:
        quiet: Never show anything.
        patience_s: Time before the bar appears, seconds.
    """

    def __init__(self, *, quiet: bool = False, patience_s: float = PATIENCE_S) -> None:
        self._share, self._what = 0.0, ""
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._timer = None if quiet else threading.Timer(patience_s, self._show)
        if self._timer is not None:
            self._timer.daemon = True

    def __enter__(self) -> Self:
        if self._timer is not None:
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            self._closed = True
            if self._bar is not None:
                self._bar.stop()

    def __call__(self, share: float, what: str) -> None:
        """Take note of the share done in [0, 1] and of what is being done."""
        with self._lock:
            self._share, self._what = share, what
            if self._bar is not None and self._task is not None:
                self._bar.update(self._task, completed=share, description=what)

    def say(self, text: str) -> None:
        """Print a line on stdout, above the bar if there is one; nothing if quiet."""
        if self._timer is None:
            return
        with self._lock:
            if self._bar is None or self._closed:
                say(text)
                return
            self._bar.stop()
            say(text)
            self._bar.start()

    def _show(self) -> None:
        """Put the bar on the screen; runs in the timer's thread, so that one long step is no excuse for silence."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

        console = Console(stderr=True)
        if not console.is_terminal or console.is_dumb_terminal:
            return
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        with self._lock:
            if self._closed:
                return
            # What is printed meanwhile goes through `say`; stdout may be a file and must not be led to stderr.
            bar = Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
            self._task = bar.add_task(self._what, total=1.0)
            bar.update(self._task, completed=self._share)
            bar.start()
            self._bar = bar
