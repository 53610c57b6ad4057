"""The committed figures: from photos that NOTICE names, small enough, the same at every run."""

import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("skimage")

import paper_figures
from paper_figures import SETS, coarsen, cut, write_crops

ROOT = Path(__file__).parents[2]


def test_only_photos_that_notice_names():
    named = set(re.findall(r"skimage\.data\.(\w+)\(\)", (ROOT / "NOTICE").read_text(encoding="utf-8")))
    assert {crop.photo for chosen in SETS.values() for crop in chosen.crops.values()} <= named


def test_both_sets_together_stay_below_three_megabytes():
    assert sum(chosen.limit_bytes for chosen in SETS.values()) < 3_000_000
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


@pytest.mark.parametrize("step", paper_figures.STEPS)
def test_rounding_keeps_black_and_white_and_is_never_far_off(step):
    levels = np.arange(256, dtype=np.uint8)
    rounded = coarsen(levels, step)
    assert rounded.dtype == np.uint8
    assert (rounded[0], rounded[255]) == (0, 255)
    assert np.abs(rounded.astype(int) - levels).max() <= step // 2
    assert np.array_equal(coarsen(levels, 1), levels)
