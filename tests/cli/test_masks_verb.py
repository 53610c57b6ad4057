"""`mendpix masks build`: what it prints, what it refuses, and its exit codes."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from mendpix.cli.masks import notes
from mendpix.data.drawings import Imitations
from mendpix.data.mask_files import read_mask_folder
from mendpix.data.mask_record import BuildReport


@pytest.fixture
def drawings(tmp_path):
    """A folder with twelve drawings."""
    place = tmp_path / "drawings"
    place.mkdir()
    source = Imitations(12)
    for index, name in enumerate(source.names):
        Image.fromarray(source.read(index)).save(place / f"{name}.png")
    return place


def test_imitations_become_masks_and_a_histogram(mendpix, tmp_path):
    out = tmp_path / "masks"
    result = mendpix("masks", "build", "--imitate", 12, "-o", out)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    count = len(read_mask_folder(out))
    assert lines[0].startswith(f"{out}: {count} masks; 12 tried in ")
    assert [line.split()[0] for line in lines[1:7]] == ["10/", "20/", "30/", "40/", "50/", "60/"]
    kept = [int(line.split()[5]) for line in lines[1:7]]
    assert kept == [len(list((out / name).iterdir())) for name in ("10", "20", "30", "40", "50", "60")]
    assert max(line.count("#") for line in lines[1:7]) == 40
    assert lines[7].startswith("left out: ")
    assert lines[9].lstrip().startswith("no hole")
    assert sum(int(re.search(r"(?:%|no hole) +(\d+)", line)[1]) for line in lines[9:]) == 12
    assert "fewer than 30,000 masks in 10, 20" in result.stderr
    assert "--passes 2" in result.stderr


def test_the_same_command_again_makes_nothing_more(mendpix, tmp_path):
    command = ("masks", "build", "--imitate", 6, "-o", tmp_path / "masks")
    mendpix(*command)
    result = mendpix(*command)
    assert result.exit_code == 0
    assert "; all of them made before" in result.stdout
    result = mendpix(*command, "--seed", 1)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert "seed 0, not 1" in result.stderr


def test_every_option_reaches_the_run(mendpix, drawings, tmp_path):
    options = ("--processing", "intended", "--border", "free", "--binning", "published", "--per-bin", 2)
    options += ("--passes", 3, "--seed", 7, "--invert", "--workers", 2)
    for path in drawings.iterdir():
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    result = mendpix("masks", "build", drawings, "-o", tmp_path / "masks", *options, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    facts = report["settings"]
    assert len(facts.pop("names_sha256")) == 64
    assert facts == {
        **{"processing": "intended", "border": "free", "binning": "published", "per_bin": 2, "passes": 3, "seed": 7},
        **{"source": "folder", "drawings": 12, "invert": True},
    }
    assert max(report["kept"].values()) == 2
    assert list(report["kept"]) == ["10", "20", "30", "40", "50", "60"]
    assert report["attempts"] == 36
    assert (len(report["histogram"]), report["failures"]) == (20, {})
    assert report["seconds"]["total"] > 0
    record = json.loads((tmp_path / "masks" / "masks.json").read_text())
    assert record["kept"] == list(report["kept"].values())


def test_quiet_prints_nothing(mendpix, tmp_path):
    result = mendpix("masks", "build", "--imitate", 3, "-o", tmp_path / "masks", "-q")
    assert (result.exit_code, result.output) == (0, "")
    assert (tmp_path / "masks" / "masks.json").is_file()


def test_broken_drawings_are_named_and_the_exit_code_says_so(mendpix, drawings, tmp_path):
    (drawings / "a.png").write_bytes(b"no picture")
    result = mendpix("masks", "build", drawings, "-o", tmp_path / "masks", "-q")
    assert (result.exit_code, result.stdout) == (2, "")
    named, counted = result.stderr.splitlines()
    assert named.startswith("mendpix: ")
    assert "a.png" in named
    assert counted.startswith("mendpix: 1 of 13 masks could not be made")
    assert len(read_mask_folder(tmp_path / "masks")) > 4
    for number in range(20):
        (drawings / f"b{number:02d}.png").write_bytes(b"no picture")
    result = mendpix("masks", "build", drawings, "-o", tmp_path / "more", "--json")
    assert result.exit_code == 2
    assert len(json.loads(result.stdout)["failures"]) == 21
    assert len(result.stderr.splitlines()) == 11
    assert "masks.json names more" in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "a folder of drawings was expected; got none"),
        (("DRAWINGS", "--imitate", 3), "read or imitated, not both"),
        (("--imitate", 3, "--invert"), "read or imitated, not both; got --imitate 3 and --invert"),
        (("--imitate", 3, "--processing", "paper"), "processing must be published or intended; got 'paper'"),
        (("--imitate", 3, "--border", "touch"), "border must be free or any; got 'touch'"),
        (("missing",), "no such folder is there"),
    ],
)
def test_what_makes_no_sense_is_one_sentence_and_writes_nothing(mendpix, drawings, tmp_path, options, message):
    options = [drawings if option == "DRAWINGS" else option for option in options]
    result = mendpix("masks", "build", *options, "-o", tmp_path / "masks")
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert message in result.stderr
    assert not (tmp_path / "masks").exists()


@pytest.mark.parametrize("place", ["drawings", "drawings/masks"])
def test_masks_must_not_lie_among_the_drawings(mendpix, drawings, tmp_path, place):
    result = mendpix("masks", "build", drawings, "-o", tmp_path / place)
    assert result.exit_code == 2
    assert "must not lie among the drawings" in result.stderr
    assert len(list(drawings.iterdir())) == 12


def report(**changes):
    values = {
        **{"folder": None, "settings": {"per_bin": 10, "passes": 1}, "attempts": 100, "attempted": 100},
        **{"attempted_before": 0, "kept": (10,) * 6, "came": (10,) * 6, "too_small": 40, "too_large": 0},
        **{"unusable": 0, "failures": {}, "without_hole": 0, "histogram": (5,) * 20},
    }
    return BuildReport(**{**values, **changes})


def test_notes_on_a_run():
    assert notes(report()) == []
    (note,) = notes(report(kept=(10, 10, 9, 10, 10, 0)))
    assert note.startswith("fewer than 10 masks in 30, 60; the same command with --passes 2")
    (note,) = notes(report(kept=(0,) * 6, too_large=60))
    assert "--invert" in note
