"""What must hold of every random hole: its bin, its border, exact reproduction from the record."""

import json
from itertools import product
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendpix.data.mask_sampler import RATIO_BINS, MaskParameters, MaskSpec, bin_of, draw_mask, sample_mask
from mendpix.data.mask_shapes import Kind, Shape, paint_shape
from mendpix.errors import InputError

KINDS = get_args(Kind)


def generator(seed=0):
    return np.random.default_rng(seed)


def edge_pixels(mask):
    return np.concatenate((mask[0], mask[-1], mask[:, 0], mask[:, -1]))


def share(mask):
    return mask.mean(dtype=np.float64)


@pytest.mark.parametrize(("kind", "index"), list(product(KINDS, range(6))))
def test_hole_lies_in_its_bin_and_is_exactly_zero_or_one(kind, index):
    spec = MaskSpec(kinds={kind: 1.0}, bins=(RATIO_BINS[index],))
    rng = generator(index)
    for size in ((128, 128), (64, 100), (37, 33)):
        for _ in range(4):
            parameters = sample_mask(rng, size, MaskSpec(**{**vars(spec), "margin_px": min(size) // 11}))
            mask = draw_mask(parameters)
            assert mask.shape == size
            assert mask.dtype == np.float32
            assert set(np.unique(mask)) == {0.0, 1.0}
            assert bin_of(share(mask)) == index
            assert parameters.kind == kind


@given(
    seed=st.integers(0, 2**32),
    height=st.integers(12, 80),
    width=st.integers(12, 80),
    index=st.integers(0, 5),
    border=st.sampled_from(["free", "touch", "any"]),
)
@settings(max_examples=60, deadline=None)
def test_any_size_keeps_bin_and_border(seed, height, width, index, border):
    spec = MaskSpec(bins=(RATIO_BINS[index],), border=border, margin_px=1)
    mask = draw_mask(sample_mask(generator(seed), (height, width), spec))
    assert bin_of(share(mask)) == index
    if border == "free":
        assert not edge_pixels(mask).any()
    if border == "touch":
        assert edge_pixels(mask).any()


@pytest.mark.parametrize("kind", KINDS)
def test_the_record_survives_json_and_draws_the_same_mask(kind):
    for seed in range(5):
        parameters = sample_mask(generator(seed), (96, 80), MaskSpec(kinds={kind: 1.0}))
        again = MaskParameters.from_dict(json.loads(json.dumps(parameters.to_dict())))
        assert again == parameters
        assert np.array_equal(draw_mask(again), draw_mask(parameters))


def test_the_same_seed_gives_the_same_holes_and_another_seed_others():
    first, second, other = (sample_mask(generator(seed), (64, 64)) for seed in (3, 3, 4))
    assert first == second
    assert first != other
    rng = generator(3)
    assert sample_mask(rng, (64, 64)) != sample_mask(rng, (64, 64))


def test_drawing_gives_a_new_array_each_time():
    parameters = sample_mask(generator(), (64, 64))
    mask = draw_mask(parameters)
    mask[:] = 7
    assert draw_mask(parameters).max() == 1


@pytest.mark.parametrize("kind", KINDS)
def test_free_border_leaves_the_whole_margin_known(kind):
    rng = generator(1)
    for _ in range(20):
        mask = draw_mask(sample_mask(rng, (128, 128), MaskSpec(kinds={kind: 1.0}, border="free", margin_px=12)))
        assert mask[12:-12, 12:-12].sum() == mask.sum()


@pytest.mark.parametrize("kind", KINDS)
def test_touch_border_always_reaches_the_edge(kind):
    rng = generator(2)
    for _ in range(40):
        spec = MaskSpec(kinds={kind: 1.0}, border="touch", bins=RATIO_BINS[:2])
        assert edge_pixels(draw_mask(sample_mask(rng, (64, 64), spec))).any()


def test_any_border_mixes_free_and_touching_holes():
    rng = generator(5)
    touching = [edge_pixels(draw_mask(sample_mask(rng, (128, 128)))).any() for _ in range(200)]
    assert 40 < sum(touching) < 130


def test_kinds_and_bins_come_by_weight():
    rng = generator(6)
    spec = MaskSpec(kinds={"boxes": 3, "strokes": 1, "blobs": 0}, bin_weights=(0, 1, 0, 0, 0, 3))
    drawn = [sample_mask(rng, (64, 64), MaskSpec(**{**vars(spec), "margin_px": 5})) for _ in range(300)]
    boxes = sum(parameters.kind == "boxes" for parameters in drawn)
    large = sum(bin_of(share(draw_mask(parameters))) == 5 for parameters in drawn)
    assert 195 < boxes < 255
    assert {parameters.kind for parameters in drawn} == {"boxes", "strokes"}
    assert 195 < large < 255


def test_holes_spread_over_the_whole_bin():
    rng = generator(7)
    spec = MaskSpec(bins=((0.2, 0.3),))
    shares = [share(draw_mask(sample_mask(rng, (128, 128), spec))) for _ in range(150)]
    assert min(shares) < 0.22
    assert max(shares) > 0.28
    assert 0.24 < np.mean(shares) < 0.27


def test_strokes_vary_from_thin_to_thick():
    widths = []
    rng = generator(8)
    for _ in range(100):
        parameters = sample_mask(rng, (128, 128), MaskSpec(kinds={"strokes": 1.0}, bins=RATIO_BINS[1:2]))
        widths.append(np.mean([np.mean(shape.widths) for shape in parameters.shapes]))
    assert min(widths) < 4
    assert max(widths) > 10


def test_scratches_are_thin():
    rng = generator(9)
    for _ in range(20):
        parameters = sample_mask(rng, (128, 128), MaskSpec(kinds={"scratches": 1.0}, bins=RATIO_BINS[:1]))
        assert max(width for shape in parameters.shapes for width in shape.widths) <= 5


def test_tiny_masks_keep_bin_and_border():
    rng = generator(10)
    for index in range(6):
        spec = MaskSpec(bins=(RATIO_BINS[index],), border="touch")
        for _ in range(5):
            mask = draw_mask(sample_mask(rng, (4, 4), spec))
            assert bin_of(share(mask)) == index
            assert edge_pixels(mask).any()


@pytest.mark.parametrize("border", ["free", "touch"])
def test_without_attempts_left_a_block_of_the_right_size_remains(monkeypatch, border):
    monkeypatch.setattr("mendpix.data.mask_sampler._MOST_ATTEMPTS", 0)
    for index in range(6):
        parameters = sample_mask(generator(), (30, 21), MaskSpec(bins=(RATIO_BINS[index],), border=border, margin_px=1))
        mask = draw_mask(parameters)
        assert parameters.kind == "block"
        assert bin_of(share(mask)) == index
        assert edge_pixels(mask).any() == (border == "touch")


@pytest.mark.parametrize(
    ("ratio", "index"), [(0.01, None), (0.0101, 0), (0.1, 0), (0.1001, 1), (0.35, 3), (0.6, 5), (0.61, None), (0, None)]
)
def test_bins_are_open_below_and_closed_above(ratio, index):
    assert bin_of(ratio) == index


def test_a_hole_never_covers_everything():
    spec = MaskSpec(bins=((0.9, 1.0),), border="touch")
    for seed in range(40):
        assert 0.9 < share(draw_mask(sample_mask(generator(seed), (8, 8), spec))) < 1


def test_impossible_wishes_are_refused_in_words():
    with pytest.raises(InputError, match=r"2 x 2 mask .* use larger masks"):
        sample_mask(generator(), (2, 2), MaskSpec(bins=((0.01, 0.1),)))
    with pytest.raises(InputError, match="smaller margin_px"):
        sample_mask(generator(), (32, 32), MaskSpec(border="free", margin_px=12, bins=RATIO_BINS[5:]))
    with pytest.raises(InputError, match="at least 1 pixel"):
        sample_mask(generator(), (0, 32))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"kinds": {"stars": 1.0}}, "strokes, boxes, scratches, blobs; got stars"),
        ({"kinds": {"boxes": 0.0}}, "do not all vanish"),
        ({"kinds": {"boxes": -1.0}}, "at least 0"),
        ({"bins": ()}, "bins must be pairs"),
        ({"bins": ((0.3, 0.2),)}, "bins must be pairs"),
        ({"bin_weights": (1.0,)}, "one number for each of the 6 bins; got 1"),
        ({"border": "round"}, "free, touch or any; got 'round'"),
        ({"margin_px": -1}, "margin_px must be at least 0; got -1"),
    ],
)
def test_a_wrong_spec_is_refused_in_words(wrong, words):
    with pytest.raises(InputError, match=words):
        MaskSpec(**wrong)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (Shape("dots", (1, 0, 4, 4, -1, 2, 5, 2)), [(0, 1), (4, 4)]),
        (Shape("path", (0, 2, 4, 2), (1,)), [(2, x) for x in range(5)]),
        (Shape("path", (0, 0, 0, 1, 1, 1), (1, 1)), [(0, 0), (1, 0), (1, 1)]),
        (Shape("area", (1, 1, 2, 1, 2, 3, 1, 3)), [(y, x) for y in (1, 2, 3) for x in (1, 2)]),
        (
            Shape("ring", (0, 0, 4, 0, 4, 4, 0, 4), (1,)),
            [(y, x) for y, x in product(range(5), repeat=2) if {y, x} & {0, 4}],
        ),
    ],
)
def test_shapes_paint_exactly_these_pixels(shape, expected):
    canvas = np.zeros((5, 5), np.uint8)
    paint_shape(canvas, shape)
    assert [tuple(pixel) for pixel in np.argwhere(canvas)] == sorted(expected)
