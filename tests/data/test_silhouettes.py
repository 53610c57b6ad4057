"""What must hold of every silhouette: its share, its place, one compact piece, the same pixels for the same seed."""

from typing import get_args

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendpix.data import silhouettes
from mendpix.data.silhouettes import FIGURES, LEAST_SHARE, MOST_SHARE, TOLERANCE, Place, draw_silhouette
from mendpix.errors import InputError
from mendpix.masks import components

SHARES = (0.03, 0.1, 0.2, 0.3)


def drawn(seed=0, size=(128, 160), share=0.1, place="any"):
    return draw_silhouette(np.random.default_rng(seed), size, share, place=place)


def edge_pixels(hole):
    return np.concatenate((hole[0], hole[-1], hole[:, 0], hole[:, -1]))


@given(
    seed=st.integers(0, 2**32),
    height=st.integers(40, 220),
    width=st.integers(40, 220),
    share=st.floats(0.03, 0.3),
    place=st.sampled_from(get_args(Place)),
)
@settings(max_examples=150, deadline=None)
def test_every_hole_has_its_share_its_place_and_one_piece(seed, height, width, share, place):
    hole = drawn(seed, (height, width), share, place)
    assert hole.shape == (height, width)
    assert hole.dtype == np.float32
    assert set(np.unique(hole)) == {0.0, 1.0}
    assert abs(hole.sum() - share * hole.size) <= max(TOLERANCE * share * hole.size, 1)
    if place != "any":
        assert edge_pixels(hole).any() == (place == "border")
    (piece,) = components(hole)
    # Compact: a disc of a quarter of a round hole's diameter fits in at the least.
    assert piece.thickness_px >= 0.25 * np.sqrt(4 * piece.area_px / np.pi) - 1


@pytest.mark.parametrize("share", [LEAST_SHARE, MOST_SHARE])
@pytest.mark.parametrize("place", ["inside", "border"])
def test_the_extreme_shares_can_be_had(share, place):
    for seed in range(5):
        hole = drawn(seed, (256, 200), share, place)
        assert hole.mean() == pytest.approx(share, rel=TOLERANCE)
        assert edge_pixels(hole).any() == (place == "border")


def test_the_same_seed_draws_the_same_hole_and_another_seed_another():
    assert np.array_equal(drawn(3), drawn(3))
    assert not np.array_equal(drawn(3), drawn(4))


def test_a_generator_draws_on():
    rng = np.random.default_rng(0)
    first, second = (draw_silhouette(rng, (96, 96), 0.1) for _ in range(2))
    assert not np.array_equal(first, second)


def test_any_place_means_both():
    touching = [bool(edge_pixels(drawn(seed)).any()) for seed in range(40)]
    assert 5 < sum(touching) < 25


def test_the_shape_does_not_depend_on_the_size():
    small, large = drawn(7, (128, 128), 0.15, "inside"), drawn(7, (512, 512), 0.15, "inside")
    shrunk = cv2.resize(large, (128, 128), interpolation=cv2.INTER_AREA) >= 0.5
    both, either = (shrunk & (small > 0)).sum(), (shrunk | (small > 0)).sum()
    assert both / either > 0.93


def test_there_are_no_islands():
    for seed in range(40):
        hole = drawn(seed, place="inside")
        known, _ = cv2.connectedComponents((hole == 0).astype(np.uint8), connectivity=8)
        assert known == 2  # OpenCV counts the hole as one, too


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_hangs_together_and_is_about_one_high(name):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        parts = FIGURES[name][0](rng)
        every = np.concatenate(parts)
        assert np.isfinite(every).all()
        assert 0.35 < np.ptp(every[:, 1]) < 1.7
        template = silhouettes._draw_template(rng, parts, free=False)
        count, labels = cv2.connectedComponents((template.field >= 0.5).astype(np.uint8), connectivity=4)
        sizes = np.bincount(labels.ravel(), minlength=count)[1:]
        assert sizes.max() / sizes.sum() > 0.97


def test_a_plain_patch_stands_in_where_no_figure_fits(monkeypatch):
    monkeypatch.setattr(silhouettes, "_fit", lambda *_: None)
    for place in ("inside", "border"):
        hole = drawn(0, (100, 120), 0.3, place)
        assert hole.mean() == pytest.approx(0.3, rel=TOLERANCE)
        assert edge_pixels(hole).any() == (place == "border")
        assert len(components(hole)) == 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"share": 0.9}, r"share must be between 0\.005 and 0\.5; got 0\.9"),
        ({"share": float("nan")}, "share must be"),
        ({"size": (16, 100)}, r"size must be at least 32 × 32 px; got 16 × 100"),
        ({"place": "centre"}, "place must be one of any, inside, border; got 'centre'"),
    ],
)
def test_what_makes_no_sense_is_refused(changed, message):
    with pytest.raises(InputError, match=message):
        drawn(**changed)
