from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendpix.data.guides import GuideParameters, GuideSpec, make_guide, sample_guide
from mendpix.data.seams import Cells
from mendpix.errors import InputError

CORNER = (10, 20)


def textured(height=96, width=120, seed=0):
    """A picture with grain, on a slow change of colour."""
    rng = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(rng.normal(size=(height, width, 1)).astype(np.float32), (0, 0), 1)[..., None]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    ground = np.stack([rows / height, columns / width, 1 - rows / height], axis=2)
    return np.clip(0.3 + 0.4 * ground + 0.15 * grain, 0, 1).astype(np.float32)


def hole_of(side=64):
    hole = np.zeros((side, side), np.float32)
    hole[16:48, 12:52] = 1
    return hole


def crop_of(picture, hole):
    top, left = CORNER
    return picture[top : top + hole.shape[0], left : left + hole.shape[1]]


def detail(picture, hole):
    grey = picture.mean(axis=2)
    return float(np.abs(cv2.Laplacian(grey, cv2.CV_32F))[cv2.erode(hole, np.ones((7, 7))) > 0].mean())


def faultless(parameters: GuideParameters) -> GuideParameters:
    """The same cut, with nothing wrong in any cell."""
    return replace(
        parameters,
        gain=np.ones_like(parameters.gain),
        offset=np.zeros_like(parameters.offset),
        slope=np.zeros_like(parameters.slope),
        shift=np.zeros_like(parameters.shift),
        crisp=np.zeros_like(parameters.crisp),
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_guides_are_recorded_and_leave_known_pixels_alone(seed, matched):
    picture, hole = textured(), hole_of()
    before = picture.copy()
    spec = GuideSpec(share=1, matched=matched)
    parameters = sample_guide(np.random.default_rng(seed), hole, spec)
    guide, again = (make_guide(picture, CORNER, hole, parameters) for _ in range(2))
    assert np.array_equal(picture, before)
    known = hole == 0
    for one, other in ((guide.fill, again.fill), (guide.wanted, again.wanted)):
        assert one.dtype == np.float32
        assert np.array_equal(one, other)
        assert np.array_equal(one[known], crop_of(picture, hole)[known])
        assert 0 <= one.min() <= one.max() <= 1


def test_of_a_disturbed_guide_without_shifts_the_true_picture_is_wanted():
    picture, hole = textured(), hole_of()
    spec = GuideSpec(matched=0, shift_px=0, gain=0.3)
    parameters = replace(sample_guide(np.random.default_rng(3), hole, spec), feather_px=0.0, anchored=False)
    guide = make_guide(picture, CORNER, hole, parameters)
    assert np.array_equal(guide.wanted, crop_of(picture, hole))
    assert np.abs(guide.fill - guide.wanted)[hole > 0].mean() > 0.02
    nothing = make_guide(picture, CORNER, hole, faultless(parameters))
    assert np.allclose(nothing.fill, crop_of(picture, hole))


def test_what_is_wanted_of_shifted_pieces_is_whole_and_as_sharp():
    """A line across the hole is broken in the guide, and bent but not broken in what is wanted."""
    picture = np.full((96, 120, 3), 0.2, np.float32)
    picture[40:43] = 0.9
    hole = hole_of()
    parameters = GuideParameters(
        cells=Cells(((32.0, 22.0), (32.0, 42.0)), ()),
        matched=False,
        gain=np.ones((2, 3), np.float32),
        offset=np.zeros((2, 3), np.float32),
        slope=np.zeros((2, 2), np.float32),
        shift=np.array([(4, 0), (-4, 0)], np.float32),
        crisp=np.zeros(2, np.float32),
        feather_px=0.0,
        anchored=False,
    )
    guide = make_guide(picture, CORNER, hole, parameters)
    jumps = [np.abs(np.diff(np.argmax(part.mean(axis=2), axis=0)))[12:51] for part in (guide.fill, guide.wanted)]
    assert jumps[0].max() >= 4
    assert jumps[1].max() <= 2
    grain = textured()
    sharp = make_guide(grain, CORNER, hole, parameters).wanted
    assert detail(sharp, hole) > 0.85 * detail(crop_of(grain, hole), hole)


def test_matched_pieces_come_from_known_pixels_and_keep_their_texture():
    picture, hole = textured(), hole_of()
    parameters = faultless(sample_guide(np.random.default_rng(1), hole, GuideSpec(matched=1, cell_largest_px=20)))
    assert parameters.matched
    guide = make_guide(picture, CORNER, hole, parameters)
    inside = hole > 0
    truth = crop_of(picture, hole)
    assert np.abs(guide.fill - truth)[inside].mean() > 0.01  # it is another place
    # Every copied pixel is found among the known ones.
    known = np.ones(picture.shape[:2], bool)
    known[CORNER[0] : CORNER[0] + 64, CORNER[1] : CORNER[1] + 64] = ~inside
    values = {bytes(pixel) for pixel in picture[known]}
    copied = [bytes(pixel) for pixel in guide.fill[inside]]
    assert sum(pixel in values for pixel in copied) > 0.95 * len(copied)
    # What is wanted has the true tone, and the copied texture.
    tone = [cv2.GaussianBlur(part - truth, (0, 0), 8)[inside] for part in (guide.fill, guide.wanted)]
    assert np.abs(tone[1]).mean() < 0.5 * np.abs(tone[0]).mean()
    assert detail(guide.wanted, hole) == pytest.approx(detail(guide.fill, hole), rel=0.2)


def test_a_piece_that_is_like_nothing_stays_true():
    picture = np.zeros((96, 120, 3), np.float32)
    top, left = CORNER
    picture[top + 16 : top + 48, left + 12 : left + 52] = 1
    hole = hole_of()
    parameters = faultless(sample_guide(np.random.default_rng(1), hole, GuideSpec(matched=1, cell_smallest_px=50)))
    assert np.array_equal(make_guide(picture, CORNER, hole, parameters).fill, crop_of(picture, hole))


def test_a_real_copy_is_wanted_as_it_is_with_a_tone_nearer_to_the_true_one():
    picture, hole = textured(), hole_of()
    truth = crop_of(picture, hole)
    inside = hole > 0
    other = textured(seed=5)[CORNER[0] : CORNER[0] + 64, CORNER[1] : CORNER[1] + 64]
    parameters = faultless(sample_guide(np.random.default_rng(1), hole, GuideSpec()))
    for off, alike in ((0.04, True), (0.5, False)):
        copy = np.where(inside[..., None], np.clip(other + np.float32(off), 0, 1), truth)
        guide = make_guide(truth, (0, 0), hole, parameters, copy)
        assert np.allclose(guide.fill, copy)
        error = [np.abs(cv2.GaussianBlur(part - truth, (0, 0), 8))[inside].mean() for part in (copy, guide.wanted)]
        assert error[1] < 0.6 * error[0] if alike else error[1] == pytest.approx(error[0], rel=0.1)
        assert detail(guide.wanted, hole) == pytest.approx(detail(copy, hole), rel=0.05)


def test_strength_is_drawn_so_that_some_guides_are_nearly_right():
    picture, hole = textured(), hole_of()
    errors: list[float] = []
    for seed in range(40):
        parameters = sample_guide(np.random.default_rng(seed), hole, GuideSpec(matched=0, shift_px=0))
        guide = make_guide(picture, CORNER, hole, parameters)
        errors.append(float(np.abs(guide.fill - guide.wanted)[hole > 0].mean()))
    assert min(errors) < 0.005
    assert max(errors) > 0.05


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"share": 1.5}, "share must lie between 0 and 1; got 1.5"),
        ({"matched": -0.1}, "matched must lie"),
        ({"cell_smallest_px": 60.0}, "at most cell_largest_px; got 60.0 and 56.0"),
        ({"gain": -1.0}, "gain must be at least 0"),
        ({"crisp": float("nan")}, "crisp must be at least 0"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(values, sentence):
    with pytest.raises(InputError, match=sentence):
        GuideSpec(**values)
