"""The Fréchet distance against scipy's matrix root and closed forms; moments against NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendpix.errors import ShapeError
from mendpix.metrics.frechet import Moments, frechet_distance


def gaussian(dimensions, seed, rank=None):
    generator = np.random.default_rng(seed)
    factor = generator.standard_normal((dimensions, rank or dimensions))
    return generator.standard_normal(dimensions), factor @ factor.T / dimensions


def with_scipy(mean_a, cov_a, mean_b, cov_b):
    """The form that FID programs use."""
    linalg = pytest.importorskip("scipy.linalg")
    root = linalg.sqrtm(cov_a @ cov_b)
    difference = mean_a - mean_b
    return float(difference @ difference + np.trace(cov_a + cov_b - 2 * np.real(root)))


@pytest.mark.parametrize("dimensions", [1, 2, 7, 64])
def test_agrees_with_the_root_of_the_product(dimensions):
    for seed in range(5):
        pair = (*gaussian(dimensions, seed), *gaussian(dimensions, seed + 100))
        assert frechet_distance(*pair) == pytest.approx(with_scipy(*pair), rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_covariances_that_commute_have_a_closed_form(dimensions, seed):
    generator = np.random.default_rng(seed)
    a, b = generator.random((2, dimensions)) * 5
    mean_a, mean_b = generator.standard_normal((2, dimensions))
    turn = np.linalg.qr(generator.standard_normal((dimensions, dimensions)))[0]
    expected = ((mean_a - mean_b) ** 2).sum() + ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    turned = [(turn * variances) @ turn.T for variances in (a, b)]
    turned = [(one + one.T) / 2 for one in turned]
    assert frechet_distance(mean_a, turned[0], mean_b, turned[1]) == pytest.approx(expected, rel=1e-7, abs=1e-10)


def test_one_dimension_by_hand():
    assert frechet_distance([1.0], [[4.0]], [3.0], [[9.0]]) == pytest.approx(4 + 1)  # (3 - 1)² + (3 - 2)²


def test_points_have_the_distance_of_their_means():
    nothing = np.zeros((3, 3))
    assert frechet_distance(np.zeros(3), nothing, np.array([1.0, 2, 2]), nothing) == 9
    assert frechet_distance(np.zeros(3), nothing, np.zeros(3), np.diag([1.0, 2, 3])) == pytest.approx(6)


@pytest.mark.parametrize("rank", [1, 5, 40])
def test_equal_sets_are_at_zero_even_where_singular(rank):
    mean, covariance = gaussian(40, 3, rank)
    distance = frechet_distance(mean, covariance, mean.copy(), covariance.copy())
    assert 0 <= distance < 1e-10 * np.trace(covariance)


def test_singular_covariances_that_share_nothing_add_up():
    first, second = np.diag([4.0, 9, 0, 0]), np.diag([0.0, 0, 1, 25])
    assert frechet_distance(np.zeros(4), first, np.zeros(4), second) == pytest.approx(39)


def test_few_samples_of_one_distribution_make_it_too_large():
    generator = np.random.default_rng(0)

    def between(count):
        sets = [Moments(30), Moments(30)]
        for moments in sets:
            moments.add(generator.standard_normal((count, 30)))
        return frechet_distance(sets[0].mean, sets[0].covariance, sets[1].mean, sets[1].covariance)

    distances = [between(count) for count in (10, 40, 200, 5000)]
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 10 * distances[2] > 10 * distances[3]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_order_does_not_matter_and_nothing_is_negative(dimensions, seed):
    generator = np.random.default_rng(seed)
    a = gaussian(dimensions, seed, int(generator.integers(1, dimensions + 1)))
    b = gaussian(dimensions, seed + 1, int(generator.integers(1, dimensions + 1)))
    there, back = frechet_distance(*a, *b), frechet_distance(*b, *a)
    assert there >= 0
    assert there == pytest.approx(back, rel=1e-9, abs=1e-10)


def test_arguments_stay_as_they_were_and_float32_will_do():
    arguments = [np.asarray(one, np.float32) for one in (*gaussian(6, 0), *gaussian(6, 1))]
    for one in arguments:
        one.setflags(write=False)
    assert frechet_distance(*arguments) == pytest.approx(with_scipy(*map(np.float64, arguments)), rel=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({0: np.zeros(4)}, r"both means must be \(dimensions,\)"),
        ({0: np.zeros((3, 1)), 2: np.zeros((3, 1))}, r"both means must be"),
        ({1: np.zeros((4, 4))}, r"both covariances must be \(3, 3\)"),
        ({3: np.full((3, 3), np.nan)}, "must be finite"),
        ({2: np.array([0, np.inf, 0])}, "must be finite"),
        ({1: np.array([[1.0, 1, 0], [0, 1, 0], [0, 0, 1]])}, "must be symmetric"),
    ],
)
def test_what_is_no_gaussian_is_refused(change, words):
    arguments = [np.zeros(3), np.eye(3), np.zeros(3), np.eye(3)]
    for place, value in change.items():
        arguments[place] = value
    with pytest.raises(ShapeError, match=words):
        frechet_distance(*arguments)


# ----------------------------------------------------------------------------------------------------------------------
# Moments


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.lists(st.integers(0, 7), min_size=1, max_size=8), st.integers(0, 2**32 - 1))
def test_batches_single_vectors_and_merged_parts_have_the_moments_of_all(dimensions, sizes, seed):
    generator = np.random.default_rng(seed)
    batches = [1000 + generator.standard_normal((size, dimensions)) for size in sizes]
    together = np.concatenate(batches)
    in_batches, one_by_one, merged = Moments(dimensions), Moments(dimensions), Moments(dimensions)
    for batch in batches:
        in_batches.add(batch)
        for vector in batch:
            one_by_one.add(vector)
        part = Moments(dimensions)
        part.add(batch)
        merged.merge(part)
    for moments in (in_batches, one_by_one, merged):
        assert moments.count == len(together)
        if len(together):
            assert np.allclose(moments.mean, together.mean(axis=0), rtol=1e-12, atol=0)
        if len(together) > 1:
            expected = np.cov(together, rowvar=False).reshape(dimensions, dimensions)
            assert np.allclose(moments.covariance, expected, rtol=1e-9, atol=1e-10)


def test_a_large_mean_does_not_swallow_the_spread():
    vectors = 1e7 + np.random.default_rng(0).standard_normal((500, 3)).astype(np.float64)
    moments = Moments(3)
    for vector in vectors:
        moments.add(vector)
    assert np.allclose(moments.covariance, np.cov(vectors, rowvar=False), rtol=1e-6, atol=1e-6)


def test_moments_give_copies_and_refuse_what_they_cannot_use():
    moments = Moments(2)
    with pytest.raises(ShapeError, match="at least 2 vectors; got 0"):
        _ = moments.covariance
    moments.add(np.ones(2, np.float32))
    with pytest.raises(ShapeError, match="at least 2 vectors; got 1"):
        _ = moments.covariance
    moments.mean[:] = 7
    assert moments.mean.tolist() == [1, 1]
    moments.add(np.zeros(2))
    moments.covariance[:] = 7
    assert moments.covariance.tolist() == [[0.5, 0.5], [0.5, 0.5]]
    for wrong in (np.zeros(3), np.zeros((2, 3)), np.zeros((1, 1, 2))):
        with pytest.raises(ShapeError, match="vectors must be"):
            moments.add(wrong)
    with pytest.raises(ShapeError, match="must be finite"):
        moments.add(np.array([0, np.nan]))
    with pytest.raises(ShapeError, match="must have 2 dimensions; got 3"):
        moments.merge(Moments(3))
    with pytest.raises(ShapeError, match="at least 1 dimension"):
        Moments(0)
    assert moments.count == 2
