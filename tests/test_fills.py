import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendpix import fills
from mendpix.errors import MaskError, ShapeError

FILLS = [fills.harmonic, fills.navier_stokes, fills.telea]


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    small = rng.random((4, 4, 3), np.float32)
    return np.clip(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1).reshape(height, width, 3)


def exact_membrane(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Solve Laplace's equation densely, border of the picture free; an independent implementation."""
    ys, xs = np.nonzero(hole)
    number = {(y, x): i for i, (y, x) in enumerate(zip(ys, xs, strict=True))}
    matrix = np.zeros((len(number), len(number)))
    right = np.zeros((len(number), image.shape[2]))
    for (y, x), row in number.items():
        for at in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= at[0] < hole.shape[0] and 0 <= at[1] < hole.shape[1]:
                matrix[row, row] += 1
                if at in number:
                    matrix[row, number[at]] -= 1
                else:
                    right[row] += image[at]
    result = image.astype(np.float64).copy()
    result[ys, xs] = np.linalg.solve(matrix, right)
    return result


@pytest.mark.parametrize("fill", FILLS)
@settings(max_examples=25, deadline=None)
@given(st.integers(1, 33), st.integers(1, 33), st.integers(0, 99), st.floats(0.02, 0.97))
def test_known_pixels_are_bit_exact_and_nothing_under_the_hole_matters(fill, height, width, seed, share):
    rng = np.random.default_rng(seed)
    image = rng.random((height, width, 3), np.float32)
    hole = (rng.random((height, width)) < share).astype(np.float32)
    if hole.all():
        hole[0, 0] = 0
    before = image.copy()
    filled = fill(image, hole)
    assert filled.dtype == np.float32
    assert np.array_equal(filled[hole == 0], image[hole == 0])
    assert np.array_equal(image, before)
    other = image.copy()
    other[hole > 0] = rng.random(3, np.float32)
    assert np.array_equal(fill(other, hole), filled)
    assert filled.min() >= -1e-6
    assert filled.max() <= 1 + 1e-6


def test_harmonic_is_close_to_the_exact_membrane():
    image = picture(48, 56)
    hole = np.zeros((48, 56), np.float32)
    cv2.circle(hole, (24, 20), 14, 1, -1)
    cv2.line(hole, (0, 40), (55, 47), 1, 3)
    exact = exact_membrane(image, hole)
    few, many = (np.abs(fills.harmonic(image, hole, sweeps=n) - exact)[hole > 0].mean() for n in (fills.SWEEPS, 4096))
    assert few < 0.006
    assert many < 0.2 * few


def test_harmonic_continues_a_plane_between_two_sides():
    ramp = np.linspace(0, 1, 64, dtype=np.float32)[None, :, None].repeat(20, 0)
    hole = np.zeros((20, 64), np.float32)
    hole[:, 10:50] = 1
    assert np.abs(fills.harmonic(ramp, hole) - ramp).max() < 0.02


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_harmonic_takes_any_number_of_channels(channels: int):
    image = np.random.default_rng(0).random((9, 12, channels), np.float32)
    hole = np.zeros((9, 12), np.float32)
    hole[2:6, 3:9] = 1
    assert fills.harmonic(image, hole).shape == image.shape


@pytest.mark.parametrize("fill", FILLS)
def test_wrong_input_is_named(fill):
    image = np.zeros((8, 9, 3), np.float32)
    with pytest.raises(ShapeError, match=r"\(8, 9, 3\) and \(9, 8\)"):
        fill(image, np.zeros((9, 8), np.float32))
    with pytest.raises(MaskError, match="at least one pixel known"):
        fill(image, np.ones((8, 9), np.float32))


def test_first_fills_are_both_fills_or_twice_the_guide():
    image = picture(24, 32)
    hole = np.zeros((24, 32), np.float32)
    hole[6:18, 8:20] = 1
    both = fills.first_fills(image, hole)
    assert np.array_equal(both[..., :3], fills.harmonic(image, hole))
    assert np.array_equal(both[..., 3:], fills.navier_stokes(image, hole, radius_px=fills.FIRST_FILL_RADIUS_PX))
    guide = np.full_like(image, 0.25)
    twice = fills.first_fills(image, hole, guide)
    assert np.array_equal(twice[..., :3], twice[..., 3:])
    assert np.array_equal(twice[hole == 0][:, :3], image[hole == 0])
    assert (twice[hole > 0] == 0.25).all()
    everything = np.ones((24, 32), np.float32)
    assert np.array_equal(fills.first_fills(image, everything, guide)[..., :3], guide)
    with pytest.raises(MaskError):
        fills.first_fills(image, everything)
