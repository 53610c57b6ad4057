"""Texture and seams against sums written out pixel by pixel, and what they say of pictures whose answer is known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendpix import fills
from mendpix.errors import ShapeError
from mendpix.metrics.texture import BAND_PX, FLOOR, RING_PX, border_gradient, off_by, texture_ratio

GREY = (0.2125, 0.7154, 0.0721)


def plain_ratio(picture, hole, ring_px):
    """The definition of the texture ratio, pixel by pixel."""
    grey = np.float64(picture) @ np.array(GREY)
    height, width = hole.shape
    holes = np.argwhere(hole > 0)
    sides = {True: [], False: []}
    for row in range(1, height - 1):
        for column in range(1, width - 1):
            window = hole[row - 1 : row + 2, column - 1 : column + 2]
            if window.min() != window.max():
                continue
            if not window.any():
                away = ((holes - (row, column)) ** 2).sum(axis=1)
                if away.size and away.min() > ring_px**2:
                    continue
            corners = sum(grey[row + down, column + right] for down in (-1, 1) for right in (-1, 1))
            sides[bool(window.any())].append(abs(corners / 4 - grey[row, column]))
    if not sides[True] or not sides[False]:
        return math.nan
    return max(np.mean(sides[True]), FLOOR) / max(np.mean(sides[False]), FLOOR)


def plain_gradient(picture, hole, band_px):
    """The definition of the gradient at the border, step by step."""
    grey = np.float64(picture) @ np.array(GREY)

    def inside_picture(*place):
        return 0 <= place[0] < hole.shape[0] and 0 <= place[1] < hole.shape[1]

    across, sides = [], {1: [], 0: []}
    for row, column in np.ndindex(hole.shape):
        for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            first, second = (row, column), (row + down, column + right)
            if not inside_picture(*second) or hole[first] or not hole[second]:
                continue
            across.append(abs(grey[second] - grey[first]))
            for kind, start, way in ((1, second, 1), (0, first, -1)):
                here = start
                for _ in range(band_px):
                    there = here[0] + way * down, here[1] + way * right
                    if not inside_picture(*there) or hole[there] != kind:
                        break
                    sides[kind].append(abs(grey[there] - grey[here]))
                    here = there
    beside = [max(np.mean(steps), FLOOR) for steps in sides.values() if steps]
    if not across or not beside:
        return math.nan
    return max(np.mean(across), FLOOR) / np.mean(beside)


def made(seed, height, width):
    rng = np.random.default_rng(seed)
    picture = rng.random((height, width, 3)).astype(np.float32)
    blocks = rng.random((height // 4 + 1, width // 4 + 1)) < rng.random()
    hole = np.kron(blocks, np.ones((4, 4)))[:height, :width].astype(np.float32)
    return picture, hole


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 24), st.integers(3, 24), st.integers(0, 2**32 - 1), st.sampled_from([2, 3, 7, 64, math.inf]))
def test_the_texture_ratio_is_its_definition(height, width, seed, ring_px):
    picture, hole = made(seed, height, width)
    expected = plain_ratio(picture, hole, ring_px)
    assert texture_ratio(picture, hole, ring_px) == pytest.approx(expected, nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_the_gradient_is_its_definition(height, width, seed, band_px):
    picture, hole = made(seed, height, width)
    assert border_gradient(picture, hole, band_px) == pytest.approx(plain_gradient(picture, hole, band_px), nan_ok=True)


@pytest.fixture
def scene():
    """Noise on a slope, and a hole in its middle."""
    rng = np.random.default_rng(0)
    slope = np.linspace(0.3, 0.6, 96)[None, :, None]
    picture = np.clip(slope + 0.05 * rng.standard_normal((96, 96, 1)), 0, 1)
    hole = np.zeros((96, 96), np.float32)
    hole[30:70, 28:64] = 1
    return np.repeat(picture, 3, axis=2).astype(np.float32), hole


def test_one_texture_everywhere_gives_one_and_a_smooth_fill_far_less(scene):
    picture, hole = scene
    assert texture_ratio(picture, hole) == pytest.approx(1, abs=0.05)
    assert texture_ratio(fills.navier_stokes(picture, hole), hole) < 0.3
    assert texture_ratio(fills.harmonic(picture, hole), hole) < 0.1
    rng = np.random.default_rng(1)
    busy = np.where(hole[..., None] > 0, rng.random((96, 96, 1)), picture).astype(np.float32)
    assert texture_ratio(busy, hole) > 3


def test_a_seam_is_no_texture_but_a_gradient(scene):
    picture, hole = scene
    lifted = picture + 0.2 * hole[..., None]
    assert texture_ratio(lifted, hole) == pytest.approx(texture_ratio(picture, hole), rel=1e-4)
    assert border_gradient(picture, hole) == pytest.approx(1, abs=0.2)
    assert border_gradient(lifted, hole) > 2.5
    assert border_gradient(lifted, hole) > border_gradient(picture + 0.1 * hole[..., None], hole)


def test_a_copy_from_elsewhere_is_as_textured_as_the_rest(scene):
    picture, hole = scene
    copied = np.where(hole[..., None] > 0, np.roll(picture, 40, axis=0), picture)
    assert texture_ratio(copied, hole) == pytest.approx(1, abs=0.1)
    assert border_gradient(copied, hole) == pytest.approx(1, abs=0.15)


def test_smooth_in_smooth_is_one_and_nothing_is_divided_by_nothing():
    picture, hole = np.full((40, 40, 3), 0.5, np.float32), np.zeros((40, 40), np.float32)
    hole[10:30, 10:30] = 1
    assert texture_ratio(picture, hole) == 1
    assert border_gradient(picture, hole) == 1
    noise = picture + 0.1 * hole[..., None] * np.random.default_rng(0).standard_normal((40, 40, 1)).astype(np.float32)
    assert texture_ratio(noise, hole) > 50  # noise where there was a clear sky is told
    slope = np.rint(np.linspace(0, 20, 40))[:, None, None] / 255 + picture
    assert 0.5 < texture_ratio(slope.astype(np.float32), hole) < 2


def test_no_value_without_a_hole_without_surroundings_or_without_room():
    picture = np.random.default_rng(0).random((30, 30, 3))
    empty, full, thin = np.zeros((30, 30)), np.ones((30, 30)), np.zeros((30, 30))
    thin[10:12, 4:26] = 1
    for hole in (empty, full):
        assert math.isnan(texture_ratio(picture, hole))
        assert math.isnan(border_gradient(picture, hole))
    assert math.isnan(texture_ratio(picture, thin))
    assert math.isfinite(border_gradient(picture, thin))
    assert math.isnan(texture_ratio(picture[:2], empty[:2]))
    assert math.isnan(border_gradient(np.zeros((1, 2, 3)), np.array([[0, 1]])))


def test_the_reach_of_the_surroundings_counts():
    rng = np.random.default_rng(0)
    picture = 0.5 + 0.01 * rng.standard_normal((200, 200, 1))
    picture[:, 120:] += 0.2 * rng.standard_normal((200, 80, 1))
    picture, hole = np.repeat(picture, 3, axis=2), np.zeros((200, 200))
    hole[80:120, 20:40] = 1
    assert texture_ratio(picture, hole) == pytest.approx(1, abs=0.15)
    assert texture_ratio(picture, hole, math.inf) < 0.2
    assert RING_PX < 80


def test_neither_writes_into_what_it_is_given(scene):
    kept = [array.copy() for array in scene]
    for array in scene:
        array.setflags(write=False)
    texture_ratio(*scene)
    border_gradient(*scene)
    assert all(np.array_equal(array, copy) for array, copy in zip(scene, kept, strict=True))


def test_doublings():
    assert off_by(1) == 0
    assert off_by(0.25) == off_by(4) == 2


def test_refusals(scene):
    picture, hole = scene
    for measure in (texture_ratio, border_gradient):
        with pytest.raises(ShapeError, match="like its picture"):
            measure(picture, hole[1:])
        with pytest.raises(ShapeError, match="Divide bytes"):
            measure((255 * picture).astype(np.uint8), hole)
        with pytest.raises(ShapeError, match=r"of shape \(H, W, 3\)"):
            measure(picture[..., 0], hole)
    for reach in (1, -1, float("nan")):
        with pytest.raises(ShapeError, match="at least 2 px"):
            texture_ratio(picture, hole, reach)
    with pytest.raises(ShapeError, match=f"usual number is {BAND_PX}"):
        border_gradient(picture, hole, 0)
