import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendpix.inference.pyramid import double, halve, halve_missing
from random_holes import holes


@settings(max_examples=60, deadline=None)
@given(holes(longest=40), st.integers(0, 2**32 - 1))
def test_halving_is_the_mean_of_the_known_pixels(missing, seed):
    image = np.random.default_rng(seed).random((*missing.shape, 3), np.float32)
    half, half_missing = halve(image, missing), halve_missing(missing)
    height, width = missing.shape
    assert half.shape == ((height + 1) // 2, (width + 1) // 2, 3)
    for row in range(half.shape[0]):
        for column in range(half.shape[1]):
            cell = (slice(2 * row, 2 * row + 2), slice(2 * column, 2 * column + 2))
            known = image[cell][~missing[cell]]
            assert half_missing[row, column] == (len(known) == 0)
            assert half[row, column] == pytest.approx(known.mean(axis=0) if len(known) else np.zeros(3), abs=1e-6)


def test_nothing_of_a_hole_reaches_the_coarse_picture():
    image = np.random.default_rng(0).random((21, 30, 3), np.float32)
    missing = np.zeros((21, 30), bool)
    missing[5:15, 7:20] = True
    spoilt = image.copy()
    spoilt[missing] = 7
    assert np.array_equal(halve(image, missing), halve(spoilt, missing))


@pytest.mark.parametrize("size", [(1, 1), (1, 8), (7, 5), (8, 8)])
def test_doubling_gives_a_slope_back_in_the_right_place(size):
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
    image = np.stack([rows, columns, rows + columns], axis=2) / 20
    back = double(halve(image, np.zeros(size, bool)), size)
    assert back.shape == image.shape
    inner = (slice(1, max(size[0] - 2, 1)), slice(1, max(size[1] - 2, 1)))
    assert np.allclose(back[inner], image[inner], atol=1e-6)
    assert np.abs(back - image).max() < 0.06
