"""The band at the hole's border against a search over all pixels, and the mean in it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendpix.errors import ShapeError
from mendpix.metrics.border import WIDTH_PX, border_band, border_mae
from mendpix.metrics.l1 import l1


def searched_band(hole, width_px):
    """The definition word for word: is any pixel of the other kind near enough?"""
    rows, columns = np.indices(hole.shape)
    band = np.zeros(hole.shape, bool)
    for row, column in np.ndindex(hole.shape):
        other = hole != hole[row, column]
        if other.any():
            nearest = ((rows[other] - row) ** 2 + (columns[other] - column) ** 2).min()
            band[row, column] = nearest <= width_px**2
    return band


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32 - 1), st.sampled_from([1, 1.5, 2, 3, 5, 8, 13, 2**0.5])
)
def test_the_band_is_what_a_search_finds(height, width, seed, width_px):
    generator = np.random.default_rng(seed)
    hole = (generator.random((height, width)) < generator.random()).astype(np.float32)
    assert np.array_equal(border_band(hole, width_px), searched_band(hole, width_px))


def test_a_straight_border_has_as_many_pixels_on_either_side():
    hole = np.zeros((9, 40), np.float32)
    hole[:, 20:] = 1
    band = border_band(hole, 3)
    assert band[:, 17:23].all()
    assert band.sum() == 6 * 9
    assert border_band(hole).sum() == 2 * WIDTH_PX * 9


def test_the_edge_of_the_picture_is_no_border():
    hole = np.zeros((30, 30), np.float32)
    hole[:, :15] = 1  # touches three edges
    assert not border_band(hole, 2)[:, :13].any()


def test_a_corner_is_round():
    hole = np.zeros((21, 21), np.float32)
    hole[10, 10] = 1
    band = border_band(hole, 5)
    assert band[10, 15]
    assert band[13, 14]  # 3, 4, 5
    assert not band[14, 14]


def test_the_mean_runs_over_the_band_alone():
    hole = np.zeros((9, 40), np.float32)
    hole[:, 20:] = 1
    target = np.random.default_rng(0).random((9, 40, 3))
    prediction = target.copy()
    prediction[:, 21] += 0.3  # one of six columns
    prediction[:, 30] += 0.9  # beyond the band
    assert border_mae(prediction, target, hole, 3) == pytest.approx(100 * 0.3 / 6)
    assert border_mae(prediction, target, hole, 100) == pytest.approx(l1(prediction, target))


def test_stated_values():
    target, other = np.zeros((12, 12, 3), np.float32), np.ones((12, 12, 3), np.float32)
    empty, full = np.zeros((12, 12), np.float32), np.ones((12, 12), np.float32)
    assert math.isnan(border_mae(other, target, empty))
    assert math.isnan(border_mae(other, target, full))
    half = empty.copy()
    half[6:] = 1
    assert border_mae(target, target, half) == 0
    assert border_mae(other, target, half) == 100
    assert border_mae(target, other, half) == 100


def test_refusals():
    picture, hole = np.zeros((12, 12, 3), np.float32), np.zeros((12, 12), np.float32)
    with pytest.raises(ShapeError, match="like its picture"):
        border_mae(picture, picture, hole[1:])
    with pytest.raises(ShapeError, match="must both be"):
        border_mae(picture, picture[1:], hole)
    with pytest.raises(ShapeError, match=r"must be \(H, W\)"):
        border_band(picture)
    for width in (0, 0.5, -1, float("nan")):
        with pytest.raises(ShapeError, match="at least 1 px wide"):
            border_mae(picture, picture, hole, width)
