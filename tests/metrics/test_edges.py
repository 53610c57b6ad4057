"""The edge ratio against scikit-image's Canny, and against edges that can be counted by hand."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendpix.edges import HIGH, LOW, find_edges
from mendpix.errors import ShapeError
from mendpix.metrics.edges import edge_ratio

TOLERANCE = 1e-4
"""How far the ratio of a photo may be from scikit-image's, of 1. (Measured: not a pixel differs.)"""


def noise(height: int = 40, width: int = 53, seed: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3))


def ramp(height: float, length: int = 32) -> np.ndarray:
    """A square picture with one upright edge of a given height; the pixels in its middle have the steepest slope."""
    picture = np.zeros((length, length, 3))
    picture[:, length // 2] = height / 2
    picture[:, length // 2 + 1 :] = height
    return picture


@pytest.mark.parametrize("sigma", [0.7, 1.0, 2.0])
@pytest.mark.parametrize("photo", ["astronaut", "chelsea", "coffee", "rocket"])
def test_photos_have_the_edges_that_scikit_image_finds(photo, sigma):
    skimage = pytest.importorskip("skimage")
    picture = getattr(skimage.data, photo)()[40:296, 60:340] / 255
    expected = skimage.feature.canny(skimage.color.rgb2gray(picture), sigma=sigma)
    assert expected.any()
    assert edge_ratio(picture, sigma) == pytest.approx(float(expected.mean()), abs=TOLERANCE)
    assert (find_edges(picture, sigma) != expected).mean() <= TOLERANCE
    assert edge_ratio(picture.astype(np.float32), sigma) == pytest.approx(edge_ratio(picture, sigma), abs=TOLERANCE)


@pytest.mark.parametrize("size", [(3, 3), (4, 9), (60, 41)])
def test_noise_of_any_size_too(size):
    skimage = pytest.importorskip("skimage")
    picture = noise(*size)
    expected = skimage.feature.canny(skimage.color.rgb2gray(picture), sigma=1.0)
    assert np.array_equal(find_edges(picture), expected)


@pytest.mark.parametrize("sigma", [1.0, 2.0])
@pytest.mark.parametrize("photo", ["astronaut", "coffee"])
def test_the_edges_of_known_pixels_are_those_that_scikit_image_finds(photo, sigma):
    skimage = pytest.importorskip("skimage")
    picture = getattr(skimage.data, photo)()[40:296, 60:340] / 255
    known = noise(256, 280)[..., 0] > 0.002  # single pixels are missing,
    known[60:150, 80:190] = known[200:203] = known[:30, :40] = False  # a rectangle, a line and a corner
    expected = skimage.feature.canny(skimage.color.rgb2gray(picture), sigma=sigma, mask=known)
    found = find_edges(picture, sigma, known)
    assert expected.any()
    assert (found != expected).mean() <= TOLERANCE  # (Measured: not a pixel differs.)
    assert not found[~known].any()
    assert (found != find_edges(picture, sigma)).any()
    other = np.where(known[..., None], picture, noise(256, 280, seed=8))
    assert np.array_equal(found, find_edges(other, sigma, known))


def test_known_pixels_of_another_shape_are_refused():
    with pytest.raises(ShapeError, match=r"known must be \(40, 53\) like its image; got \(53, 40\)"):
        find_edges(noise(), 1.0, np.ones((53, 40)))


def test_all_known_is_nearly_the_same_as_nothing_said():
    picture = noise()
    assert np.array_equal(find_edges(picture, 1.0, np.ones((40, 53)))[2:-2, 2:-2], find_edges(picture)[2:-2, 2:-2])


def test_plateaus_may_differ_a_little():
    """Where neighbours are exactly alike, rounding decides which of them is the ridge."""
    skimage = pytest.importorskip("skimage")
    blocks = np.kron(np.random.default_rng(0).random((9, 11, 3)), np.ones((13, 17, 1)))
    expected = skimage.feature.canny(skimage.color.rgb2gray(blocks), sigma=1.0)
    assert edge_ratio(blocks) == pytest.approx(float(expected.mean()), abs=0.01)


def test_one_upright_edge_is_one_pixel_wide_and_ends_before_the_border():
    edges = find_edges(ramp(1.0))
    assert edges[1:-1, 16].all()
    assert edges.sum() == 30
    assert edge_ratio(ramp(1.0)) == 30 / 32**2


def test_a_flat_picture_has_no_edges_not_even_at_its_border():
    assert edge_ratio(np.full((20, 30, 3), 0.7, np.float32)) == 0
    assert edge_ratio(np.ones((20, 30, 3), np.float32)) == 0


def steepest() -> float:
    """The gradient in the middle of a ramp of height 1: a Sobel difference (4 times the slope over 2 px) behind the
    Gaussian with sigma 1, whose weights sum to 1."""
    weights = np.exp(-(np.arange(-4, 5) ** 2) / 2)
    weights /= weights.sum()
    after, before = (np.sum(weights * np.interp(np.arange(-4, 5) + at, [-1, 0, 1], [0, 0.5, 1])) for at in (1, -1))
    return 4 * float(after - before)


def test_faint_slopes_are_no_edges():
    assert edge_ratio(ramp(HIGH / steepest() * 1.02)) == 30 / 32**2
    assert edge_ratio(ramp(HIGH / steepest() * 0.98)) == 0


def test_a_faint_edge_stays_where_it_hangs_on_a_strong_one():
    heights = np.linspace(1.3 * HIGH, 1.3 * LOW, 32)[:, None, None] / steepest()
    edges = find_edges(ramp(1.0) * heights)
    assert edges[1:-1, 16].all()
    assert not find_edges(ramp(1.0) * heights[::-1] * LOW / HIGH).any()
    assert edge_ratio((ramp(1.0) * heights)[20:]) == 0  # the faint end by itself


def test_colours_count_by_their_brightness():
    blue, green = np.zeros((2, 32, 32, 3))
    blue[..., 2], green[..., 1] = ramp(0.6)[..., 0], ramp(0.6)[..., 0]
    assert edge_ratio(blue) == 0  # 0.07 of it is grey
    assert edge_ratio(green) > 0


def test_a_blurred_picture_has_fewer_edges():
    picture = np.asarray(cv2.GaussianBlur(noise(128, 128), (0, 0), 1))
    ratios = [edge_ratio(np.asarray(cv2.GaussianBlur(picture, (0, 0), blur))) for blur in (0.5, 1.5, 3)]
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[0] > ratios[-1]


@settings(max_examples=25, deadline=None)
@given(st.integers(3, 40), st.integers(3, 40), st.integers(0, 2**32 - 1))
def test_turning_and_mirroring_turn_and_mirror_the_edges(height, width, seed):
    picture = noise(height, width, seed)
    edges = find_edges(picture)
    for turn in (lambda array: array[::-1], lambda array: array[:, ::-1], lambda array: array.swapaxes(0, 1)):
        assert np.array_equal(find_edges(np.ascontiguousarray(turn(picture))), turn(edges))


def test_the_picture_stays_as_it_was():
    picture = noise().astype(np.float32)
    picture.setflags(write=False)
    edges = find_edges(picture)
    assert edges.dtype == np.bool_
    assert edges.shape == (40, 53)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (np.zeros((16, 16)), r"must be \(H, W, 3\).*got \(16, 16\)"),
        (np.zeros((3, 16, 16)), r"got \(3, 16, 16\)"),
        (np.zeros((2, 16, 3)), "at least 3 × 3"),
        (np.zeros((16, 16, 3), np.uint8), "floats in .* got uint8"),
        (np.full((16, 16, 3), np.nan), "finite"),
    ],
)
def test_what_is_no_picture_is_refused(picture, words):
    with pytest.raises(ShapeError, match=words):
        edge_ratio(picture)


@pytest.mark.parametrize("sigma", [0, -1, float("nan"), float("inf")])
def test_a_gaussian_needs_a_width(sigma):
    with pytest.raises(ShapeError, match="sigma must be more than 0"):
        edge_ratio(np.zeros((16, 16, 3), np.float32), sigma)
