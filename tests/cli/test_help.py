"""The text of --help, verb by verb, as files in help/. After a wanted change: UPDATE_HELP=1 pytest tests/cli"""

import importlib.metadata
import os
import re
from pathlib import Path

import pytest
import typer

from mendpix.cli.app import main

VERBS = ("inpaint", "detect", "models", "train", "export")
SNAPSHOTS = Path(__file__).with_name("help")
CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"


def typer_of_the_snapshots() -> str:
    found = re.search(r"^typer==(.+)$", CONSTRAINTS.read_text(), re.MULTILINE)
    assert found
    return found[1]


@pytest.mark.skipif(
    importlib.metadata.version("typer") != typer_of_the_snapshots(),
    reason="another typer than in constraints.txt words it otherwise",
)
@pytest.mark.parametrize("verb", ["mendpix", *VERBS])
def test_help_is_as_it_was(mendpix, verb, monkeypatch):
    for name, value in {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "80"}.items():
        monkeypatch.setenv(name, value)
    result = mendpix(*([] if verb == "mendpix" else [verb]), "--help")
    assert result.exit_code == 0
    snapshot = SNAPSHOTS / f"{verb}.txt"
    if os.environ.get("UPDATE_HELP"):
        snapshot.write_text(result.stdout)
    assert result.stdout == snapshot.read_text()


def test_every_verb_has_a_snapshot():
    command = typer.main.get_command(main)
    assert set(command.commands) == set(VERBS)
    assert {path.stem for path in SNAPSHOTS.iterdir()} == {"mendpix", *VERBS}


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_explained(verb):
    for parameter in typer.main.get_command(main).commands[verb].params:
        assert parameter.help, f"{verb} {parameter.name}"


def test_without_a_verb_the_help_is_shown(mendpix):
    result = mendpix()
    assert result.exit_code == 2
    assert "Usage: mendpix" in result.output


def test_version(mendpix):
    from mendpix import __version__

    result = mendpix("--version")
    assert (result.exit_code, result.stdout) == (0, f"mendpix {__version__}\n")


def test_the_short_option_for_help(mendpix):
    assert mendpix("inpaint", "-h").stdout == mendpix("inpaint", "--help").stdout
