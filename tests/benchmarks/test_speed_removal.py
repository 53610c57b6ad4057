"""The pictures, holes and measuring of the removal's speed; the timings themselves are not tested."""

import sys

import numpy as np
import pytest

import speed_removal


def test_photo_and_hole_are_the_same_at_every_run_and_have_the_share():
    picture, hole = speed_removal.photo(120, 160), speed_removal.hole(120, 160, 0.15)
    assert picture.shape == (120, 160, 3)
    assert picture.dtype == np.uint8
    assert np.array_equal(picture, speed_removal.photo(120, 160))
    assert picture[80:, :, 0].std() > picture[:40, :, 0].std() > 0  # gravel is rougher than sky
    assert (hole > 0).mean() == pytest.approx(0.15, abs=0.01)
    assert set(np.unique(hole)) == {0, 255}


def test_a_run_tells_seconds_and_memory_and_a_failure_ends_it():
    seconds, gigabytes = speed_removal.run([sys.executable, "-c", "x = bytearray(50_000_000)"])
    assert seconds > 0
    assert 0.05 < gigabytes < 1
    with pytest.raises(SystemExit, match="failed"):
        speed_removal.run([sys.executable, "-c", "raise SystemExit(3)"])
