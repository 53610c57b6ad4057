import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from made_evaluations import make_pairs
from mendpix.evaluation import explanations, number_format, resampling, statistics, svg
from mendpix.evaluation.resampling import Bootstrap, Layout, SignFlips, correct_by_holm, percentiles

UNEVEN = make_pairs([0, 0, 0, 1, 1, 2, 0, 1], [5, 5, 9, 9, 2, 2, 7, 7])  # pictures need not count from 0


@pytest.mark.parametrize(
    "module", [explanations, number_format, resampling, statistics, svg], ids=lambda module: module.__name__
)
def test_examples_are_true(module):
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed


def test_a_layout_knows_which_pairs_share_a_picture():
    layout = Layout(UNEVEN)
    assert (layout.pictures, layout.most_pairs) == (4, 2)
    values = np.array([[1.0], [2.0], [4.0], [8.0], [16.0], [32.0], [64.0], [128.0]])
    assert layout.bins[0].sums(values).ravel().tolist() == [3, 64, 4]  # pictures 5, 7, 9
    assert layout.bins[2].sums(values).ravel().tolist() == [32]
    assert layout.all.sums(values).ravel().tolist() == [48, 3, 192, 12]
    assert layout.own(values).tolist() == [[71, 152, 32, 255]]


def test_resampled_sums_are_those_of_the_drawn_pictures():
    layout = Layout(UNEVEN)
    values = np.random.default_rng(1).integers(-9, 9, (8, 3)).astype(np.float64)
    found = Bootstrap(layout, resamples=50, seed=7).sums(values)
    drawn = np.random.default_rng(7).integers(0, 4, (50, 4))
    number_of = {2: 0, 5: 1, 7: 2, 9: 3}
    for resample, pictures in enumerate(drawn):
        times = [int((pictures == number_of[picture]).sum()) for picture in UNEVEN.pictures]
        for column in range(4):
            inside = [column in (3, bin_) for bin_ in UNEVEN.bins]
            expected = (values * np.array(times)[:, None])[inside].sum(axis=0)
            assert found[:, column, resample].tolist() == expected.tolist()


@pytest.mark.parametrize("chunk_bytes", [8, 1000, 10**6])
def test_nothing_depends_on_the_size_of_a_chunk(monkeypatch, chunk_bytes):
    pairs = make_pairs([number % 3 for number in range(210)], [number // 3 for number in range(210)])
    layout = Layout(pairs)
    values, _ = layout.to_grid(np.random.default_rng(0).normal(size=(210, 4)))

    def draw():
        return (
            Bootstrap(layout, resamples=300, seed=3).sums(values),
            SignFlips(layout, flips=300, seed=3).test(values, [(0, 1), (2,), (3, 2)]),
        )

    expected = draw()
    monkeypatch.setattr(resampling, "CHUNK_BYTES", chunk_bytes)
    found = draw()
    assert np.array_equal(found[0], expected[0])
    assert np.array_equal(found[1], expected[1])


def test_few_pictures_are_tested_by_all_drawings_of_signs():
    pairs = make_pairs([0, 1, 0, 1, 0], [0, 0, 1, 1, 2])
    values = np.array([[1.0], [2.0], [3.0], [-1.0], [5.0]])
    layout = Layout(pairs)
    grid, _ = layout.to_grid(values)
    found = SignFlips(layout, flips=8, seed=0).test(grid, [(0,)])
    # Bin 0: 1, 3 and 5 have one sign in 2 of 8 drawings. Bin 1: |2 - 1| or more in all of 4. All: 3, 2 and 5.
    assert found.tolist() == [[0.25, 1.0, 0.25]]


def test_a_picture_flips_with_all_its_pairs():
    pairs = make_pairs([0] * 40, [0] * 20 + [1] * 20)
    layout = Layout(pairs)
    grid, _ = layout.to_grid(np.ones((40, 1)))
    assert SignFlips(layout, flips=10_000, seed=0).test(grid, [(0,)]).tolist() == [[0.5]]  # not 2 ** -39


def test_no_difference_has_p_one():
    layout = Layout(make_pairs([0] * 30, range(30)))
    grid, _ = layout.to_grid(np.stack([np.full(30, 0.1), np.zeros(30)], axis=1))
    found = SignFlips(layout, flips=200, seed=0).test(grid, [(0, 0), (1,), (0, 1)])
    assert found[:2].tolist() == [[1], [1]]
    assert found[2].tolist() == [1 / 201]


@pytest.mark.parametrize("third", [1 / 3, -1 / 3])
def test_sums_that_are_alike_but_for_rounding_count_as_reached(third):
    layout = Layout(make_pairs([0] * 4, range(4)))
    grid, _ = layout.to_grid(np.array([[third], [third], [-2 * third], [1.0]]))
    assert abs(grid[:3].sum()) == 1  # on the grid they do not add up to nothing
    # The sum is 1. Of the 16 drawings it is reached by 4 in which the first three cancel, and by 6 others.
    assert SignFlips(layout, flips=16, seed=0).test(grid, [(0,)])[0, 0] == 10 / 16


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40), st.integers(-200, 200))
def test_the_grid_is_fine_and_its_sums_are_exact(numbers, exponent):
    layout = Layout(make_pairs([0] * len(numbers), range(len(numbers))))
    values = np.ldexp(np.array(numbers), exponent)[:, None]
    grid, unit = layout.to_grid(values)
    assert np.abs(grid * unit - values).max() <= max(1e-12 * np.abs(values).max(), 1e-300)
    assert np.all(grid == np.rint(grid))
    assert len(numbers) * np.abs(grid).max() <= 2**51


def test_percentiles_agree_with_numpy_and_leave_out_what_is_unknown():
    values = np.random.default_rng(0).normal(size=(3, 4, 101))
    assert np.allclose(percentiles(values.copy(), (0.025, 0.9)), np.percentile(values, (2.5, 90), axis=-1), atol=1e-12)
    values[0, 1, 5:] = np.nan
    values[1, 2] = np.nan
    found = percentiles(values.copy(), (0.025, 0.975))
    assert np.isnan(found[:, 1, 2]).all()
    assert np.allclose(found[:, 0, 1], np.percentile(values[0, 1, :5], (2.5, 97.5)))
    assert percentiles(np.array([7.0]), (0.025, 0.975)).tolist() == [7, 7]


def test_holm_agrees_with_a_plain_loop():
    rng = np.random.default_rng(0)
    for _ in range(50):
        p_values = rng.uniform(0, 0.1, 12) ** 2
        p_values[3] = np.nan
        expected = np.zeros(12, bool)
        left = [place for place in range(12) if place != 3]
        while left:
            least = min(left, key=lambda place: p_values[place])
            if p_values[least] > 0.05 / len(left):
                break
            expected[least] = True
            left.remove(least)
        assert np.array_equal(correct_by_holm(p_values, 0.05), expected)
    assert correct_by_holm(np.array([]), 0.05).tolist() == []


def _simulated(count: int, seed: int, pictures: int = 50, each: int = 3):
    """Values with mean zero in which pairs of one picture are much alike, and the layout of their pairs."""
    rng = np.random.default_rng(seed)
    layout = Layout(make_pairs(list(range(each)) * pictures, np.repeat(np.arange(pictures), each)))
    shared = np.repeat(rng.normal(size=(pictures, count)), each, axis=0)
    return layout, shared + 0.5 * rng.normal(size=(pictures * each, count))


def test_the_test_finds_what_is_not_there_in_five_percent():
    layout, values = _simulated(2000, seed=5)
    grid, _ = layout.to_grid(values)
    p_values = SignFlips(layout, flips=999, seed=0).test(grid, [(place,) for place in range(2000)])
    for column in p_values.T:  # 5 % with a standard error of 0.5 %
        assert 0.035 <= np.mean(column <= 0.05) <= 0.065
    assert 0.45 <= np.mean(p_values[:, -1] <= 0.5) <= 0.55


def test_the_intervals_hold_the_truth_in_about_95_percent():
    layout, values = _simulated(2000, seed=6)
    grid, _ = layout.to_grid(values)
    sums = Bootstrap(layout, resamples=500, seed=0).sums(np.concatenate([grid, np.ones((150, 1))], axis=1))
    low, high = percentiles(sums[:-1] / sums[-1], (0.025, 0.975))
    for column in ((low <= 0) & (high >= 0)).T:  # percentile intervals of 50 pictures are a little short
        assert 0.92 <= np.mean(column) <= 0.965
    # As if pairs were independent the interval of all would be much too short: that is why pictures are drawn.
    alone = Layout(make_pairs([0] * 150, range(150)))
    sums = Bootstrap(alone, resamples=500, seed=0).sums(np.concatenate([grid, np.ones((150, 1))], axis=1))
    low, high = percentiles(sums[:-1] / sums[-1], (0.025, 0.975))
    assert np.mean((low[:, -1] <= 0) & (high[:, -1] >= 0)) < 0.85
