"""The measures of artifact maps: torchmetrics, counting by hand, pooled counts against the exact values, refusals."""

import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mendpix.errors import ShapeError
from mendpix.metrics.detection import (
    CALIBRATION_BINS,
    EDGES,
    TALLY_BINS,
    average_precision,
    calibration_error,
    iou,
    pooled_auc,
    pooled_average_precision,
    pooled_calibration_error,
    rank_scores,
    ranked_auc,
    ranked_average_precision,
    roc_auc,
    share_marked,
    tally,
)

NEED_BOTH = [roc_auc, average_precision, iou, calibration_error, rank_scores, tally]


def make_map(seed: int = 0, size: int = 64, sharpness: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """A hole and a map that mostly finds it, and is mostly sure, like a detector's: (probability, hole)."""
    generator = np.random.default_rng(seed)
    hole = np.zeros((size, size), np.float32)
    top, left = generator.integers(0, size // 2, 2)
    hole[top : top + size // 3, left : left + size // 2] = 1
    logits = sharpness * (2 * hole - 1.4 + generator.standard_normal(hole.shape))
    return (1 / (1 + np.exp(-logits))).astype(np.float32), hole


def torch_arguments(probability, hole):
    torch = pytest.importorskip("torch")
    return torch.from_numpy(probability.ravel()), torch.from_numpy(hole.ravel()).long()


coarse_maps = arrays.arrays(np.float32, (5, 6), elements=st.sampled_from([0, 0.1, 0.25, 0.5, 0.75, 0.9, 1]))
holes = arrays.arrays(np.float32, (5, 6), elements=st.sampled_from([0, 1]))
any_maps = arrays.arrays(np.float32, (5, 6), elements=st.floats(0, 1, width=32))


# Against torchmetrics


@pytest.mark.parametrize("levels", [None, 7, 256])
@pytest.mark.parametrize("seed", range(3))
def test_ranking_and_overlap_agree_with_torchmetrics(seed, levels):
    torchmetrics = pytest.importorskip("torchmetrics.functional.classification")
    probability, hole = make_map(seed)
    if levels:
        probability = np.rint(probability * (levels - 1)).astype(np.float32) / np.float32(levels - 1)  # with ties
    both = torch_arguments(probability, hole)
    assert roc_auc(probability, hole) == pytest.approx(float(torchmetrics.binary_auroc(*both)), abs=1e-6)
    expected = float(torchmetrics.binary_average_precision(*both))
    assert average_precision(probability, hole) == pytest.approx(expected, abs=1e-6)
    for threshold in (0.2, 0.5):
        expected = float(torchmetrics.binary_jaccard_index(*both, threshold=threshold))
        assert iou(probability, hole, threshold) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("bins", [1, 10, 15, 40])
@pytest.mark.parametrize("seed", range(3))
def test_calibration_agrees_with_torchmetrics(seed, bins):
    torchmetrics = pytest.importorskip("torchmetrics.functional.classification")
    probability, hole = make_map(seed)
    assert probability.max() < 1
    expected = torchmetrics.binary_calibration_error(*torch_arguments(probability, hole), n_bins=bins, norm="l1")
    assert calibration_error(probability, hole, bins) == pytest.approx(float(expected), abs=1e-6)


def test_torchmetrics_gives_certainty_a_bin_of_its_own_and_so_is_never_lower():
    torchmetrics = pytest.importorskip("torchmetrics.functional.classification")
    probability = np.array([[0.97, 1.0]], np.float32)  # wrong, and right: in one bin they make up for each other
    hole = np.array([[0, 1]], np.float32)
    theirs = float(torchmetrics.binary_calibration_error(*torch_arguments(probability, hole), n_bins=15))
    assert theirs == pytest.approx(0.97 / 2, abs=1e-6)
    assert calibration_error(probability, hole) == pytest.approx((0.97 + 1) / 2 - 0.5, abs=1e-6)
    for seed in range(5):
        probability, hole = make_map(seed, sharpness=20)
        probability[probability > 0.999] = 1
        theirs = float(torchmetrics.binary_calibration_error(*torch_arguments(probability, hole), n_bins=15))
        assert calibration_error(probability, hole) <= theirs + 1e-6


# By hand


@settings(deadline=None)
@given(coarse_maps, holes)
def test_area_is_the_share_of_pairs_in_the_right_order(probability, hole):
    pairs = list(itertools.product(probability[hole > 0], probability[hole == 0]))
    if not pairs:
        assert math.isnan(roc_auc(probability, hole))
        return
    right = sum(1.0 if filled > known else 0.5 if filled == known else 0.0 for filled, known in pairs)
    assert roc_auc(probability, hole) == pytest.approx(right / len(pairs), abs=1e-12)


@settings(deadline=None)
@given(coarse_maps, holes)
def test_average_precision_is_gain_in_recall_times_precision(probability, hole):
    total = hole.sum()
    if not total:
        assert math.isnan(average_precision(probability, hole))
        return
    before, expected = 0.0, 0.0
    for threshold in np.unique(probability)[::-1]:
        marked = probability >= threshold
        recall, precision = (marked * hole).sum() / total, (marked * hole).sum() / marked.sum()
        expected += (recall - before) * precision
        before = recall
    assert average_precision(probability, hole) == pytest.approx(float(expected), abs=1e-6)


@settings(deadline=None)
@given(any_maps, holes, st.integers(1, 30))
def test_calibration_error_is_the_gap_between_promise_and_truth(probability, hole, bins):
    gaps = 0.0
    exact = probability.astype(np.float64)
    for number in range(bins):
        inside = (exact * bins >= number) & ((exact * bins < number + 1) | (number == bins - 1))
        if inside.any():
            gaps += inside.sum() * abs(hole[inside].mean(dtype=np.float64) - exact[inside].mean())
    assert calibration_error(probability, hole, bins) == pytest.approx(gaps / hole.size, abs=1e-9)


def test_one_sort_serves_both_measures_of_ranking():
    probability, hole = make_map()
    counts = rank_scores(probability, hole)
    assert counts.shape == (2, len(np.unique(probability)))
    assert counts.sum(axis=1).tolist() == [(hole == 0).sum(), hole.sum()]
    assert ranked_auc(counts) == roc_auc(probability, hole)
    assert ranked_average_precision(counts) == average_precision(probability, hole)


def test_stated_values_at_the_edges():
    probability, hole = make_map()
    for empty in (np.zeros_like(hole), np.ones_like(hole)):
        assert math.isnan(roc_auc(probability, empty))
    assert math.isnan(average_precision(probability, np.zeros_like(hole)))
    assert average_precision(probability, np.ones_like(hole)) == 1
    assert iou(np.zeros_like(hole), np.zeros_like(hole)) == 1
    assert iou(np.ones_like(hole), np.zeros_like(hole)) == 0
    assert roc_auc(hole, hole) == average_precision(hole, hole) == iou(hole, hole) == 1
    assert roc_auc(1 - hole, hole) == iou(1 - hole, hole) == calibration_error(hole, hole) == 0
    assert calibration_error(1 - hole, hole) == 1
    blind = np.full_like(hole, 0.3)
    assert roc_auc(blind, hole) == 0.5
    assert average_precision(blind, hole) == pytest.approx(hole.mean())
    assert calibration_error(blind, hole) == pytest.approx(abs(0.3 - hole.mean()), abs=1e-6)
    assert share_marked(np.zeros_like(hole)) == 0
    assert share_marked(hole) == hole.mean(dtype=np.float64)


def test_marked_is_above_the_threshold_and_not_at_it():
    probability = np.array([[0.5, np.nextafter(np.float32(0.5), np.float32(1))]], np.float32)
    assert share_marked(probability) == 0.5
    assert iou(probability, np.array([[1, 1]], np.float32)) == 0.5
    assert share_marked(probability, 0) == 1
    assert share_marked(np.ones((2, 2), np.float32), 1) == 0


def test_negative_zero_ties_with_zero():
    probability, hole = np.array([[-0.0, 0.0]], np.float32), np.array([[0, 1]], np.float32)
    assert roc_auc(probability, hole) == 0.5
    assert tally(probability, hole)[:2, 0].tolist() == [1, 1]


# Pooled counts


def test_bins_of_a_tally_rise_and_hold_the_edges_of_calibration():
    assert EDGES.shape == (TALLY_BINS,)
    assert EDGES[0] == 0
    assert (np.diff(EDGES) > 0).all()
    assert EDGES[-1] < 1
    assert np.isin(np.arange(CALIBRATION_BINS) / CALIBRATION_BINS, EDGES).all()


@settings(deadline=None)
@given(any_maps, holes)
def test_a_tally_counts_every_pixel_once(probability, hole):
    counts = tally(probability, hole)
    assert counts.shape == (3, TALLY_BINS)
    assert counts.dtype == np.float64
    assert counts[:2].sum(axis=1).tolist() == [(hole == 0).sum(), (hole > 0).sum()]
    assert counts[2].sum() == pytest.approx(float(probability.sum(dtype=np.float64)), abs=1e-9)
    upper = np.append(EDGES[1:], 1)
    pixels = counts[:2].sum(axis=0)
    assert (counts[2] >= pixels * EDGES - 1e-9).all()
    assert (counts[2] <= pixels * upper + 1e-9).all()


def ordered(counts: np.ndarray, *, holes_first: bool) -> float:
    """The lowest, or highest, average precision that the pixels of a tally can have, by going through them all."""
    found = passed = total = 0.0
    for known, inside in counts[:2, ::-1].T:
        for number in range(1, int(inside) + 1):
            highest = (found + inside) / (found + inside + passed)
            total += highest if holes_first else (found + number) / (found + number + passed + known)
        found, passed = found + inside, passed + known
    return total / found


@settings(deadline=None)
@given(arrays.arrays(np.float32, (8, 9), elements=st.floats(0, 1, width=32)), st.integers(0, 2**32 - 1))
def test_binning_costs_no_more_than_stated(probability, seed):
    hole = (np.random.default_rng(seed).random(probability.shape) < 0.4).astype(np.float32)
    counts = tally(probability, hole)
    known, inside, _ = counts
    if not known.any() or not inside.any():
        return
    bound = (known * inside).sum() / (2 * known.sum() * inside.sum())
    assert abs(pooled_auc(counts) - roc_auc(probability, hole)) <= bound + 1e-12
    exact = average_precision(probability, hole)
    assert ordered(counts, holes_first=False) - 1e-12 <= exact <= ordered(counts, holes_first=True) + 1e-12


@pytest.mark.parametrize("sharpness", [0.5, 3, 6])
def test_pooled_values_are_those_of_all_pixels_together(sharpness):
    maps = [make_map(seed, 96, sharpness) for seed in range(8)]
    total = sum(tally(*one) for one in maps)
    probability, hole = (np.concatenate(part) for part in zip(*maps, strict=True))
    assert pooled_auc(total) == pytest.approx(roc_auc(probability, hole), abs=1e-4)
    assert pooled_average_precision(total) == pytest.approx(average_precision(probability, hole), abs=3e-4)
    for bins in (1, 3, 5, 15):
        exact = calibration_error(probability, hole, bins)
        assert pooled_calibration_error(total, bins) == pytest.approx(exact, abs=1e-12)
    assert pooled_calibration_error(total) == pooled_calibration_error(total, CALIBRATION_BINS)


@settings(deadline=None)
@given(any_maps, holes)
def test_pooled_calibration_loses_nothing(probability, hole):
    assert pooled_calibration_error(tally(probability, hole)) == pytest.approx(
        calibration_error(probability, hole), abs=1e-12
    )


@pytest.mark.parametrize("number", range(CALIBRATION_BINS + 1))
def test_pixels_beside_an_edge_fall_into_the_same_bin_either_way(number):
    edge = np.float32(number / CALIBRATION_BINS)
    beside = [edge, np.nextafter(edge, np.float32(0)), np.nextafter(edge, np.float32(1))]
    probability = np.array([beside], np.float32)
    for hole in (np.zeros((1, 3), np.float32), np.array([[0, 1, 0]], np.float32), np.array([[1, 0, 1]], np.float32)):
        exact = calibration_error(probability, hole)
        assert pooled_calibration_error(tally(probability, hole)) == pytest.approx(exact, abs=1e-12)


def test_pooling_where_bins_hold_one_kind_only_is_exact_or_nearly():
    probability = np.repeat(np.float32([[0.05, 0.35, 0.65, 0.95]]), 50, axis=0)
    hole = np.repeat(np.float32([[0, 1, 0, 1]]), 50, axis=0)
    counts = tally(probability, hole)
    assert pooled_auc(counts) == roc_auc(probability, hole) == 0.75
    # One by one, the second 50 of the hole come after 50 known pixels: a mean of precisions, not their last.
    alone = np.mean([(50 + number) / (100 + number) for number in range(1, 51)])
    assert pooled_average_precision(counts) == pytest.approx((1 + alone) / 2, abs=1e-4)


def test_pooled_values_at_the_edges():
    probability, hole = make_map()
    nothing = np.zeros((3, TALLY_BINS))
    for counts in (nothing, tally(probability, np.zeros_like(hole))):
        assert math.isnan(pooled_auc(counts))
        assert math.isnan(pooled_average_precision(counts))
    assert math.isnan(pooled_calibration_error(nothing))
    assert math.isnan(pooled_auc(tally(probability, np.ones_like(hole))))
    assert pooled_average_precision(tally(probability, np.ones_like(hole))) == pytest.approx(1)
    assert pooled_auc(tally(hole, hole)) == 1
    assert pooled_average_precision(tally(hole, hole)) == pytest.approx(1)
    assert pooled_calibration_error(tally(hole, hole)) == 0


# Manners


def test_a_map_of_256_pixels_takes_milliseconds():
    probability, hole = make_map(size=256)

    def both() -> float:
        start = time.perf_counter()
        counts = rank_scores(probability, hole)
        ranked_auc(counts)
        ranked_average_precision(counts)
        return time.perf_counter() - start

    assert min(both() for _ in range(20)) < 0.015


@pytest.mark.parametrize("measure", NEED_BOTH)
def test_nothing_is_written_into_and_any_float_will_do(measure):
    probability, hole = make_map(size=20)
    probability = np.rint(probability * 64).astype(np.float32) / 64  # exact in half precision too
    probability.setflags(write=False)
    hole.setflags(write=False)
    expected = measure(probability, hole)
    for other in (np.float64, np.float16):
        np.testing.assert_allclose(measure(probability.astype(other), hole), expected, atol=1e-12)
    np.testing.assert_allclose(measure(probability, hole > 0), expected)


@pytest.mark.parametrize("measure", [*NEED_BOTH, lambda probability, _: share_marked(probability)])
@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (np.zeros((4, 4, 1), np.float32), r"must be \(H, W\).*got \(4, 4, 1\)"),
        (np.zeros((0, 4), np.float32), r"at least one pixel; got \(0, 4\)"),
        (np.zeros((4, 4), np.uint8), "floats in .* got uint8"),
        (np.full((4, 4), np.nan, np.float32), "finite and in .* got values from nan"),
        (np.full((4, 4), 1.5, np.float32), "to 1.5"),
        (np.full((4, 4), -0.5, np.float32), "from -0.5"),
    ],
)
def test_what_is_no_map_is_refused(measure, probability, words):
    with pytest.raises(ShapeError, match=words):
        measure(probability, np.zeros(probability.shape, np.float32))


@pytest.mark.parametrize("measure", NEED_BOTH)
def test_what_is_no_mask_of_the_map_is_refused(measure):
    probability = np.zeros((4, 4), np.float32)
    with pytest.raises(ShapeError, match=r"same shape.*\(4, 4\) and \(4, 5\)"):
        measure(probability, np.zeros((4, 5), np.float32))
    with pytest.raises(ShapeError, match=r"exactly 0 or 1.*binarise"):
        measure(probability, np.full((4, 4), 255, np.uint8))
    with pytest.raises(ShapeError, match="exactly 0 or 1"):
        measure(probability, np.full((4, 4), 0.5, np.float32))


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_is_a_probability(threshold):
    probability, hole = make_map(size=8)
    with pytest.raises(ShapeError, match="threshold must be in"):
        iou(probability, hole, threshold)
    with pytest.raises(ShapeError, match="threshold must be in"):
        share_marked(probability, threshold)


def test_calibration_needs_bins_that_are_there():
    probability, hole = make_map(size=8)
    with pytest.raises(ShapeError, match="at least 1 bin; got 0"):
        calibration_error(probability, hole, 0)
    for bins in (0, 2, 10, 30):
        with pytest.raises(ShapeError, match="15, 5, 3 or 1"):
            pooled_calibration_error(tally(probability, hole), bins)


@pytest.mark.parametrize("measure", [pooled_auc, pooled_average_precision, pooled_calibration_error])
def test_what_is_no_tally_is_refused(measure):
    with pytest.raises(ShapeError, match=r"must be \(3, 300\); got \(2, 300\)"):
        measure(np.zeros((2, 300)))
