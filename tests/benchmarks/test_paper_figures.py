"""The committed figures: from photos that NOTICE names, small enough, the same at every run."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("skimage")

import paper_figures
from paper_figures import SETS, cut, write_crops

ROOT = Path(__file__).parents[2]


def test_only_photos_that_notice_names():
    named = set(re.findall(r"skimage\.data\.(\w+)\(\)", (ROOT / "NOTICE").read_text(encoding="utf-8")))
    assert {crop.photo for chosen in SETS.values() for crop in chosen.crops.values()} <= named


def test_both_sets_together_stay_small():
    assert sum(chosen.limit_bytes for chosen in SETS.values()) < 1_500_000
    assert all(chosen.rows <= len(chosen.crops) for chosen in SETS.values())


@pytest.mark.parametrize("name", sorted(SETS))
def test_crops_and_holes_are_the_same_at_every_run(name, tmp_path):
    crops = SETS[name].crops
    for run in ("one", "other"):
        write_crops(crops, tmp_path / run, tmp_path / f"{run}-masks")
    for crop in crops:
        for kind in ("", "-masks"):
            one, other = ((tmp_path / f"{run}{kind}" / f"{crop}.png").read_bytes() for run in ("one", "other"))
            assert one == other
        assert cut(crops[crop]).shape == (256, 256, 3)
        assert 0.2 < (paper_figures.read(tmp_path / "one-masks" / f"{crop}.png")[..., 0] > 0).mean() <= 0.3


def test_figures_of_few_colours_are_near_the_full_ones(tmp_path):
    pixels = cut(SETS["scenes"].crops["cat"])
    content = paper_figures.encode(pixels)
    paper_figures.write({"figure.png": content}, tmp_path / "new", SETS["scenes"])
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["figure.png"]
    written = paper_figures.read(tmp_path / "new" / "figure.png")
    assert len(np.unique(written.reshape(-1, 3), axis=0)) <= paper_figures.COLOURS
    assert np.abs(written.astype(int) - pixels).mean() < 5
    with pytest.raises(SystemExit, match="Show fewer --rows"):
        paper_figures.write({"figure.png": content}, tmp_path / "other", replace(SETS["scenes"], limit_bytes=1000))
    assert not (tmp_path / "other").exists()


def test_the_figures_of_the_repository_are_as_small_as_they_must_be():
    for name, chosen in SETS.items():
        files = list((ROOT / "docs" / "paper" / "figures" / name).glob("*.png"))
        assert len(files) == 3
        assert sum(file.stat().st_size for file in files) <= chosen.limit_bytes
