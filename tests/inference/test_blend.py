from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_engines import BrightDetector, Copier, FakeEngine, constant, facts, harmonic, identity
from mendpix.errors import ModelError
from mendpix.inference.blend import detect_in, fill_into, fill_missing
from mendpix.inference.highres import plan_fill, plan_windows
from mendpix.inference.holes import find_holes, paint
from mendpix.inference.windows import Box, Window
from random_holes import holes


def fill(engine, image, missing):
    pixels = []
    plan = plan_fill(missing, engine.facts)
    filled = fill_missing(engine, plan, image, missing, pixels.append)
    assert sum(pixels) == plan.cost_px
    return filled


def picture(shape, seed=0):
    image = np.random.default_rng(seed).random((*shape, 3), np.float32)
    image.setflags(write=False)
    return image


some_facts = st.builds(
    facts,
    multiple_of=st.sampled_from([1, 8]),
    preferred_px=st.sampled_from([None, 64, 128]),
    context_px=st.integers(0, 24),
    context_share=st.sampled_from([0, 0.75]),
    max_hole_px=st.sampled_from([None, 8, 32]),
)
unguided_facts = some_facts.map(lambda wanted: replace(wanted, inputs=("image", "hole")))


@settings(max_examples=100, deadline=None)
@given(holes(), some_facts)
def test_with_an_identity_network_every_strategy_returns_the_input(missing, wanted):
    image = picture(missing.shape)
    filled = fill(identity(wanted), image, missing)
    assert np.array_equal(filled[~missing], image[~missing])
    assert np.allclose(filled, image, rtol=0, atol=2e-7)  # blending a number with itself may round


@settings(max_examples=100, deadline=None)
@given(holes(), st.one_of(some_facts, unguided_facts))
def test_every_missing_pixel_is_filled_and_no_other(missing, wanted):
    image = picture(missing.shape)
    filled = fill(constant(2.0, wanted), image, missing)  # no picture holds a 2
    assert np.all(filled[missing] == 2)
    assert np.array_equal(filled[~missing], image[~missing])


@settings(max_examples=60, deadline=None)
@given(holes(), st.sampled_from([None, 8, 32]), st.sampled_from([("image", "hole"), ("image", "hole", "fills")]))
def test_the_content_of_the_hole_does_not_matter(missing, max_hole_px, inputs):
    wanted = facts(max_hole_px=max_hole_px, inputs=inputs)
    image = picture(missing.shape)
    spoilt = np.where(missing[..., None], np.float32(1), image)
    assert np.array_equal(
        fill(harmonic(wanted), image, missing)[missing], fill(harmonic(wanted), spoilt, missing)[missing]
    )


def test_the_same_picture_is_filled_the_same_way():
    missing = np.zeros((200, 300), bool)
    missing[20:180:9, 10:290] = True
    image = picture(missing.shape)
    assert np.array_equal(fill(harmonic(), image, missing), fill(harmonic(), image, missing))


def test_windows_of_one_hole_meet_without_a_seam():
    missing = np.zeros((60, 900), bool)
    missing[28:32] = True
    engine = FakeEngine(lambda image, hole, guide, call: np.full_like(image, (call % 2) * 0.5 + 0.25))
    row = fill(engine, picture(missing.shape), missing)[30, :, 0]
    assert len(engine.holes) > 5
    assert row.min() == 0.25
    assert row.max() == 0.75
    # Two windows that differ by 0.5 meet along a cosine over 8 px: no step is larger than its steepest part.
    assert np.abs(np.diff(row)).max() < 0.5 * np.pi / 2 / 8


def test_a_later_window_knows_what_an_earlier_one_filled():
    missing = np.zeros((60, 400), bool)
    missing[28:32] = True
    engine = constant(0.5)
    fill(engine, picture(missing.shape), missing)
    alone = plan_windows(missing, engine.facts)
    asked = [int(hole.sum()) for hole in engine.holes]
    there = [int(missing[window.box.slices].sum()) for window in alone]
    assert asked[0] == there[0]
    assert sum(asked) < sum(there)


def test_separate_holes_are_each_filled_once_whatever_else_lies_in_their_windows():
    missing = np.zeros((120, 120), bool)
    missing[50:60, 20:30] = missing[50:60, 60:70] = True
    windows = (
        Window(Box(30, 0, 80, 80), Box(50, 20, 60, 30), 0),
        Window(Box(30, 20, 80, 100), Box(50, 60, 60, 70), 0),
    )
    engine = FakeEngine(lambda image, hole, guide, call: np.full_like(image, call + 2), facts(multiple_of=1, minimum=1))
    plan = type(plan_fill(missing, engine.facts))((), windows)
    filled = fill_missing(engine, plan, picture(missing.shape), missing, lambda pixels: None)
    assert np.all(filled[50:60, 20:30] == 2)
    assert np.all(filled[50:60, 60:70] == 3)
    assert [int(hole.sum()) for hole in engine.holes] == [200, 100]


def test_a_thick_hole_is_filled_coarse_first_and_guided_above():
    missing = np.zeros((300, 300), bool)
    missing[70:230, 70:230] = True
    rows, columns = np.mgrid[:300, :300].astype(np.float32)
    image = np.stack([rows / 300, columns / 300, np.full_like(rows, 0.5)], axis=2)
    engine = harmonic(facts(max_hole_px=48))
    filled = fill(engine, image, missing)
    first_guided = next(index for index, guide in enumerate(engine.guides) if guide is not None)
    assert first_guided == 1
    assert engine.holes[0].shape[0] < 100  # the whole hole, two halvings down
    assert all(guide is not None for guide in engine.guides[first_guided:])
    assert np.abs(filled - image).max() < 0.03  # the slope comes through every level


def test_specks_beside_a_thick_hole_are_not_filled_from_its_guide():
    missing = np.zeros((200, 200), bool)
    missing[30:170, 30:80] = missing[120:170, 30:170] = True  # a thick L …
    specks = np.zeros((200, 200), bool)
    specks[50:100:10, 100:150:10] = True  # … and specks between its legs
    engine = FakeEngine(
        lambda image, hole, guide, call: np.full_like(image, 0.75 if guide is None else 0.25), facts(max_hole_px=32)
    )
    filled = fill(engine, picture(missing.shape), missing | specks)
    assert np.all(filled[specks] == 0.75)
    assert np.all(filled[60:140, 50:60] == 0.25)


def test_an_engine_without_a_guide_fills_a_shell_around_the_coarse_fill():
    missing = np.zeros((300, 300), bool)
    missing[70:230, 70:230] = True
    rows, columns = np.mgrid[:300, :300].astype(np.float32)
    image = np.stack([rows / 300, columns / 300, np.full_like(rows, 0.5)], axis=2)
    engine = harmonic(facts(max_hole_px=48, inputs=("image", "hole")))
    filled = fill(engine, image, missing)
    assert all(guide is None for guide in engine.guides)
    assert np.abs(filled - image).max() < 0.03
    # No run has to bridge more than the thickest hole that the facts allow, but for the tips of corners.
    assert max(hole.mean() for hole in engine.holes) < 0.75


@settings(max_examples=80, deadline=None)
@given(holes(), st.one_of(some_facts, unguided_facts), st.integers(0, 2**31))
def test_what_waits_is_a_hole_to_the_engine_and_stays_as_it_is(missing, wanted, seed):
    found = find_holes(missing)
    mine = [hole for hole in found if (seed >> hole.number % 31) & 1]
    if not mine:
        return
    now = paint(mine, missing.shape)
    waiting = missing & ~now
    image = np.where(waiting[..., None], np.float32(9), picture(missing.shape))
    seen = []

    def answer(image, hole, guide, call):
        seen.append(float(image[hole == 0].max()) if (hole == 0).any() else 0)
        return np.full_like(image, 2.0)

    filled, engine = image.copy(), FakeEngine(answer, wanted)
    fill_into(engine, plan_fill(now, wanted), filled, now, lambda pixels: None, waiting=waiting)
    assert np.all(filled[now] == 2)
    assert np.array_equal(filled[~now], image[~now])
    assert max(seen) < 9  # nothing of what waits was ever taken for known


def test_a_hole_that_touches_what_waits_takes_no_black_from_it_on_coarser_levels():
    missing = np.zeros((301, 301), bool)
    missing[70:231, 70:231] = True
    waiting = np.zeros((301, 301), bool)
    waiting[:, 231:234] = True  # a line right beside the thick hole
    image = np.full((301, 301, 3), 0.75, np.float32)
    image[missing | waiting] = 0
    filled, engine = image.copy(), harmonic(facts(max_hole_px=48))
    fill_into(engine, plan_fill(missing, engine.facts), filled, missing, lambda pixels: None, waiting=waiting)
    assert any(guide is not None for guide in engine.guides)
    assert np.abs(filled[missing] - 0.75).max() < 1e-3
    assert not filled[waiting].any()


def test_what_is_excluded_is_cut_like_the_window_and_padded():
    missing = np.zeros((300, 300), bool)
    missing[100:140, 100:140] = True
    excluded = np.zeros((300, 300), bool)
    excluded[:110] = True
    engine = Copier(context_px=30, context_share=0, multiple_of=64)
    image = picture(missing.shape)
    filled = image.copy()
    plan = plan_fill(missing, engine.facts)
    fill_into(engine, plan, filled, missing, lambda pixels: None, excluded=excluded)
    (window,) = plan.windows
    (told,) = engine.excluded
    assert np.array_equal(told[: window.box.bottom - window.box.top], excluded[window.box.slices].astype(np.float32))
    other = constant(0.5)
    fill_into(other, plan_fill(missing, other.facts), filled, missing, lambda pixels: None, excluded=excluded)
    assert len(other.holes) == 1  # an engine that does not copy is not told


def test_what_is_excluded_stays_so_on_coarser_levels():
    missing = np.zeros((300, 300), bool)
    missing[70:230, 70:230] = True
    excluded = np.zeros((300, 300), bool)
    excluded[:, 41] = True
    engine = Copier(max_hole_px=48, context_share=0.75)
    fill_into(
        engine,
        plan_fill(missing, engine.facts),
        picture(missing.shape).copy(),
        missing,
        lambda _: None,
        excluded=excluded,
    )
    assert len(engine.excluded) > 1
    assert engine.excluded[0].any()


def test_an_answer_of_another_shape_is_an_error():
    missing = np.zeros((40, 40), bool)
    missing[10:20, 10:20] = True
    engine = FakeEngine(lambda image, hole, guide, call: np.zeros((3, 3, 3), np.float32))
    with pytest.raises(ModelError, match=r"\(3, 3, 3\)"):
        fill(engine, picture(missing.shape), missing)


@settings(max_examples=40, deadline=None)
@given(holes())
def test_a_detector_answers_for_the_cores(missing):
    image = picture(missing.shape)
    detector = BrightDetector(preferred_px=96, context_px=16, context_share=0)
    windows = plan_windows(missing, detector.facts)
    found = detect_in(detector, windows, image, lambda pixels: None)
    assert np.allclose(found[missing], image.mean(axis=2)[missing])
    outside = np.ones(missing.shape, bool)
    for window in windows:
        outside[window.core.slices] = False
    assert not found[outside].any()


def test_a_detector_with_another_shape_is_an_error():
    detector = BrightDetector()
    detector.detect = lambda image: np.zeros((2, 2), np.float32)
    with pytest.raises(ModelError, match=r"\(2, 2\)"):
        detect_in(detector, [Window(Box(0, 0, 16, 16), Box(0, 0, 16, 16), 0)], picture((16, 16)), lambda pixels: None)
