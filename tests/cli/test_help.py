"""The text of --help, verb by verb, as files in help/. After a wanted change: UPDATE_HELP=1 pytest tests/cli"""

import importlib.metadata
import os
import re
from pathlib import Path

import pytest
import typer

from mendpix.cli.app import main

SNAPSHOTS = Path(__file__).with_name("help")
CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"


def commands() -> dict[str, typer.core.TyperCommand]:
    """Return every verb, and group of verbs, by what is typed, such as `weights import`."""
    found, groups = {}, [("", typer.main.get_command(main))]
    for before, group in groups:
        for name, command in group.commands.items():
            found[f"{before}{name}"] = command
            if hasattr(command, "commands"):
                groups.append((f"{before}{name} ", command))
    return found


VERBS = tuple(commands())


def snapshot_of(verb: str) -> Path:
    return SNAPSHOTS / f"{verb.replace(' ', '-')}.txt"


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
    result = mendpix(*([] if verb == "mendpix" else verb.split()), "--help")
    assert result.exit_code == 0
    snapshot = snapshot_of(verb)
    if os.environ.get("UPDATE_HELP"):
        snapshot.write_text(result.stdout)
    assert result.stdout == snapshot.read_text()


def test_every_verb_has_a_snapshot():
    assert {"inpaint", "detect", "models", "train", "export", "weights", "weights import"} <= set(VERBS)
    assert set(SNAPSHOTS.iterdir()) == {snapshot_of(verb) for verb in ("mendpix", *VERBS)}


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_explained(verb):
    for parameter in commands()[verb].params:
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
