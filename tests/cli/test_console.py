import io
import json
import sys
import threading
import time
from collections.abc import Callable

import pytest
import typer

from mendpix.cli.console import LateProgress, failures_as_sentences, percent, print_json, say, seconds
from mendpix.errors import InputError, OutputError


class Terminal(io.StringIO):
    """A stderr at which somebody looks."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def watch(monkeypatch) -> Callable[[], Terminal]:
    """Give a function that makes stderr a terminal (in the test itself: pytest sets stderr anew before it)."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")

    def put() -> Terminal:
        screen = Terminal()
        monkeypatch.setattr(sys, "stderr", screen)
        return screen

    return put


def wait_for(screen: io.StringIO, word: str) -> None:
    until = time.monotonic() + 5
    while word not in screen.getvalue():
        assert time.monotonic() < until, f"{word!r} never came: {screen.getvalue()!r}"
        time.sleep(0.01)


def test_progress_appears_late_and_follows(watch):
    terminal = watch()
    with LateProgress(patience_s=0.01) as progress:
        progress(0.25, "filling")
        wait_for(terminal, "filling")
        assert "25%" in terminal.getvalue()
        progress(0.75, "looking at it")
        wait_for(terminal, "75%")
        assert "looking at it" in terminal.getvalue()


def test_progress_appears_also_within_one_long_step(watch):
    terminal = watch()
    with LateProgress(patience_s=0.01):
        wait_for(terminal, "0%")


def test_lines_are_printed_above_the_bar(watch, capsys):
    terminal = watch()
    with LateProgress(patience_s=0.01) as progress:
        progress.say("early")
        progress(0.25, "filling")
        wait_for(terminal, "filling")
        progress.say("step 1: well")
        progress(0.75, "looking at it")
        wait_for(terminal, "75%")
    assert capsys.readouterr().out == "early\nstep 1: well\n"
    assert "step 1" not in terminal.getvalue()


def test_lines_are_not_printed_if_quiet(capsys):
    with LateProgress(quiet=True) as progress:
        progress.say("step 1: well")
    assert capsys.readouterr().out == ""


def test_short_work_shows_nothing(watch):
    terminal = watch()
    with LateProgress() as progress:
        progress(0.5, "filling")
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("case", ["quiet", "dumb", "pipe"])
def test_nobody_looks_nothing_is_shown(watch, monkeypatch, case):
    terminal = watch()
    if case == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    if case == "pipe":
        monkeypatch.setattr(terminal, "isatty", lambda: False)
    with LateProgress(quiet=case == "quiet", patience_s=0.01) as progress:
        time.sleep(0.1)
        progress(0.5, "filling")
    assert terminal.getvalue() == ""


def test_an_error_clears_the_bar_away(watch):
    terminal = watch()

    def work() -> None:
        with LateProgress(patience_s=0.01) as progress:
            progress(0.5, "filling")
            wait_for(terminal, "filling")
            raise InputError("no")

    with pytest.raises(InputError):
        work()
    assert terminal.getvalue().endswith("\x1b[2K")  # the line is erased
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (InputError("a mask must be white;\n got black."), 2, "mendpix: a mask must be white; got black."),
        (OutputError("cannot write."), 2, "mendpix: cannot write."),
        (KeyboardInterrupt(), 130, "mendpix: Stopped."),
    ],
)
def test_failures_become_one_line_and_a_code(error, code, words, capsys):
    with pytest.raises(typer.Exit) as stop, failures_as_sentences():
        raise error
    assert stop.value.exit_code == code
    assert capsys.readouterr().err == words + "\n"


def test_other_errors_stay_what_they_are():
    with pytest.raises(KeyError), failures_as_sentences():
        raise KeyError("ours")


def test_json_keeps_file_names_that_are_no_text(capsys):
    print_json({"out": "ä\udcff.png"})
    text = capsys.readouterr().out
    assert text.isascii()
    assert json.loads(text)["out"] == "ä\udcff.png"
    with pytest.raises(ValueError, match="JSON"):
        print_json({"score": float("nan")})


def test_lines_keep_going_with_odd_file_names(capsys):
    say("\udcff.png")
    assert capsys.readouterr().out == "\\udcff.png\n"


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [
        (0.0004, "0 ms"),
        (0.042, "42 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (7265, "121 min"),
    ],
)
def test_seconds(duration_s, text):
    assert seconds(duration_s) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0.0 %"), (1e-6, "< 0.1 %"), (0.0851, "8.5 %"), (0.9999, "> 99.9 %"), (1.0, "100.0 %")]
)
def test_percent(share, text):
    assert percent(share) == text
