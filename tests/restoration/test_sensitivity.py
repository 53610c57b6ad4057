from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mendpix.errors import InputError
from mendpix.restoration.sensitivity import mark


def plane(*spots: tuple[int, int, int, int, float]) -> np.ndarray:
    evidence = np.zeros((60, 80), np.float32)
    for top, left, bottom, right, value in spots:
        evidence[top:bottom, left:right] = value
    return evidence


def test_plain_damage_is_marked_and_grown_by_a_pixel():
    mask = mark(plane((20, 30, 24, 40, 0.9)))
    expected = plane((20, 29, 24, 41, 1), (19, 30, 25, 40, 1))
    assert mask.dtype == np.float32
    assert np.array_equal(mask, expected)


def test_faint_damage_counts_beside_plain_damage_only():
    mask = mark(plane((20, 10, 24, 20, 0.9), (20, 20, 24, 40, 0.3), (40, 10, 44, 40, 0.3)))
    assert mask[21, 10:40].all()
    assert not mask[38:].any()


def test_specks_are_dropped():
    assert not mark(plane((20, 30, 21, 33, 1))).any()
    assert mark(plane((20, 30, 21, 34, 1))).any()


def test_specks_and_growth_scale_with_the_picture():
    evidence = np.zeros((100, 4096), np.float32)
    evidence[50, 100:112] = 1
    assert not mark(evidence).any()
    evidence[50, 100:140] = 1
    grown = np.flatnonzero(mark(evidence)[:, 120])
    assert (grown[0], grown[-1]) == (46, 54)


def test_noise_is_decided_pixel_by_pixel():
    evidence = plane((20, 30, 21, 31, 0.5), (20, 31, 21, 32, 0.49))
    assert np.array_equal(mark(evidence, exact=True), evidence == np.float32(0.5))


@pytest.mark.parametrize("exact", [False, True])
def test_more_sensitivity_never_marks_less(exact):
    evidence = np.random.default_rng(0).random((60, 80), np.float32)
    masks = [mark(evidence, sensitivity, exact=exact) for sensitivity in np.linspace(0, 1, 11)]
    assert all((more >= less).all() for less, more in pairwise(masks))
    assert 0 <= masks[0].mean() < masks[5].mean() < masks[-1].mean() <= 1


@given(arrays(np.float32, (9, 11), elements=st.floats(0, 1, width=32)), st.floats(0, 1))
def test_masks_are_zeros_and_ones_and_nothing_is_marked_without_evidence(evidence, sensitivity):
    mask = mark(evidence, sensitivity)
    assert mask.shape == evidence.shape
    assert set(np.unique(mask)) <= {0.0, 1.0}
    assert not mark(np.zeros_like(evidence), sensitivity).any()


@pytest.mark.parametrize("sensitivity", [-0.01, 1.01, float("nan"), float("inf")])
def test_what_is_no_sensitivity_is_refused(sensitivity):
    with pytest.raises(InputError, match="between 0 and 1"):
        mark(np.zeros((4, 4), np.float32), sensitivity)
