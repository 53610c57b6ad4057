import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_engines import facts
from mendpix.engines.interface import Facts
from mendpix.inference.highres import Plan, plan_fill, plan_windows
from mendpix.inference.holes import find_holes
from mendpix.inference.sizing import legal_size
from mendpix.inference.windows import OVERLAP_PX, RUN_COST_PX, tile
from random_holes import holes

SCENES = Facts(
    "scenes-like",
    "generator",
    multiple_of=8,
    minimum=64,
    preferred_px=512,
    context_px=64,
    max_hole_px=192,
    inputs=("image", "hole", "fills"),
)


def thickness(missing):
    return 2 * cv2.distanceTransform(missing.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE).max()


def covered(windows, shape):
    cover = np.zeros(shape, bool)
    for window in windows:
        cover[window.core.slices] = True
    return cover


some_facts = st.builds(
    facts,
    multiple_of=st.sampled_from([1, 8, 32]),
    minimum=st.sampled_from([1, 32]),
    preferred_px=st.sampled_from([None, 96, 200]),
    context_px=st.integers(0, 24),
    context_share=st.sampled_from([0, 0.25, 0.75]),
)


@settings(max_examples=150, deadline=None)
@given(holes(), some_facts)
def test_windows_cover_the_hole_with_context_and_legal_sizes(missing, wanted):
    windows = plan_windows(missing, wanted)
    assert covered(windows, missing.shape)[missing].all()
    height, width = missing.shape
    for window in windows:
        box, core = window.box, window.core
        assert 0 <= box.top <= max(core.top - wanted.context_px, 0)
        assert 0 <= box.left <= max(core.left - wanted.context_px, 0)
        assert height >= box.bottom >= min(core.bottom + wanted.context_px, height)
        assert width >= box.right >= min(core.right + wanted.context_px, width)
        assert missing[core.slices].any()
        for side, length in ((box.bottom - box.top, height), (box.right - box.left, width)):
            assert side == legal_size(side, wanted) or legal_size(side, wanted) > length
        assert 0 <= window.overlap_px <= min(OVERLAP_PX, max(wanted.context_px, box.area))


@settings(max_examples=60, deadline=None)
@given(holes(), some_facts)
def test_the_same_hole_gives_the_same_plan(missing, wanted):
    assert plan_windows(missing, wanted) == plan_windows(missing.copy(), wanted)


@settings(max_examples=60, deadline=None)
@given(holes(), st.sampled_from([0.25, 0.75]))
def test_every_window_sees_something_known(missing, share):
    for window in plan_windows(missing, facts(context_px=4, preferred_px=64, context_share=share)):
        assert not missing[window.box.slices].all()


def test_a_thick_hole_is_cut_with_its_border_in_sight():
    missing = np.zeros((700, 1600), np.uint8)
    cv2.line(missing, (-100, 100), (1700, 500), 1, 230)
    windows = plan_windows(missing > 0, facts(context_px=8, preferred_px=64, context_share=0.25))
    assert len(windows) > 3
    distance = cv2.distanceTransform(missing, cv2.DIST_L2, 5)
    for window in windows:
        box, core = window.box, window.core
        farthest = distance[core.slices].max()
        assert core.top - box.top >= farthest or box.top == 0
        assert core.left - box.left >= farthest or box.left == 0
        assert box.bottom - core.bottom >= farthest or box.bottom == missing.shape[0]
        assert box.right - core.right >= farthest or box.right == missing.shape[1]


def test_an_empty_hole_needs_no_window():
    assert plan_fill(np.zeros((10, 10), bool), SCENES) == Plan((), ())


def test_a_small_hole_in_a_large_picture_costs_a_small_window():
    missing = np.zeros((3000, 4000), bool)
    missing[1000:1040, 2000:2040] = True
    (window,) = plan_windows(missing, SCENES)
    assert window.box.area == 168 * 168
    assert window.overlap_px == 0


def test_holes_near_each_other_share_a_window_and_distant_ones_do_not():
    missing = np.zeros((1200, 1200), bool)
    missing[100:110, 100:110] = missing[120:130, 130:140] = True
    missing[1000:1010, 1000:1010] = True
    windows = plan_windows(missing, SCENES)
    assert len(windows) == 2
    assert {int(missing[window.core.slices].sum()) for window in windows} == {100, 200}


def test_a_thick_hole_gets_context_by_its_thickness():
    missing = np.zeros((1500, 1500), bool)
    cv2.circle(view := missing.view(np.uint8), (700, 700), 90, 1, -1)
    (window,) = plan_windows(view.view(bool), SCENES)
    assert window.core.top - window.box.top == pytest.approx(0.75 * 180, abs=8)


def test_windows_around_thin_holes_are_no_longer_than_preferred():
    missing = np.zeros((2000, 3000), np.uint8)
    cv2.line(missing, (0, 0), (2999, 1999), 1, 3)
    cv2.line(missing, (0, 1500), (2999, 1400), 1, 5)
    windows = plan_windows(missing > 0, SCENES)
    assert max(max(w.box.bottom - w.box.top, w.box.right - w.box.left) for w in windows) <= 512
    assert covered(windows, missing.shape)[missing > 0].all()
    # A long scratch costs what a row of windows along it costs, not what the picture costs.
    assert sum(w.box.area for w in windows) < 0.6 * missing.size
    assert all(w.overlap_px == OVERLAP_PX for w in windows)


def test_thousands_of_specks_are_neither_thousands_of_runs_nor_one():
    rng = np.random.default_rng(0)
    missing = np.zeros((1500, 2000), bool)
    missing[rng.integers(0, 1500, 3000), rng.integers(0, 2000, 3000)] = True
    windows = plan_windows(missing, SCENES)
    cost = sum(w.box.area + RUN_COST_PX for w in windows)
    assert 15 < len(windows) < 40
    assert cost < 2.2 * missing.size  # one by one it would be 18 times the picture
    assert max(max(w.box.bottom - w.box.top, w.box.right - w.box.left) for w in windows) <= 512


def test_a_few_scattered_specks_stay_apart():
    missing = np.zeros((1500, 2000), bool)
    missing[100:1500:300, 100:2000:300] = True  # two of them would fit a window
    windows = plan_windows(missing, SCENES)
    assert len(windows) == int(missing.sum())
    assert all(w.box.area <= 136 * 136 for w in windows)


def test_windows_that_see_most_run_first():
    missing = np.zeros((400, 400), bool)
    missing[:, 60:340] = True
    wanted = facts(context_share=0, preferred_px=128)
    shares = [missing[w.box.slices].mean() for w in plan_windows(missing, wanted)]
    assert shares == sorted(shares)
    assert shares[0] < shares[-1] == 1


def levels(plan):
    return 0 if not plan.regions else 1 + max(levels(region.coarse) for region in plan.regions)


@pytest.mark.parametrize(("radius", "expected"), [(90, 0), (150, 1), (300, 2)])
def test_the_pyramid_is_as_deep_as_the_hole_is_thick(radius, expected):
    missing = np.zeros((900, 1000), np.uint8)
    cv2.circle(missing, (500, 450), radius, 1, -1)
    assert levels(plan_fill(missing > 0, SCENES)) == expected


def test_without_a_thickest_hole_nothing_goes_coarse():
    missing = np.zeros((900, 1000), bool)
    missing[100:800, 100:800] = True
    plan = plan_fill(missing, Facts("any", "classical", preferred_px=256, context_px=8, context_share=0.25))
    assert plan.regions == ()
    assert len(plan.windows) == 1  # a hole this thick is not cut: the window grows with it


def test_a_thin_tail_of_a_thick_hole_is_filled_as_a_thin_one():
    missing = np.zeros((800, 1600), np.uint8)
    cv2.circle(missing, (300, 400), 200, 1, -1)
    cv2.line(missing, (300, 400), (1500, 400), 1, 4)
    plan = plan_fill(missing > 0, SCENES)
    (region,) = plan.regions
    assert region.box.right < 1100
    assert not covered(plan.windows, missing.shape)[400, 300]  # what the region fills is no window's business
    assert covered(plan.windows, missing.shape)[398:402, 900:1500].all()
    refined = np.zeros(missing.shape, bool)
    refined[region.box.slices] = region.refined
    assert not refined[:, 700:].any()
    assert thickness((missing > 0) & ~refined) <= SCENES.max_hole_px


def filled_pixels(plan, shape):
    """Count how often a plan fills each pixel, and check its regions on the way."""
    count = np.zeros(shape, int)
    for region in plan.regions:
        part = count[region.box.slices]
        assert not (region.copied & region.refined).any()
        cover = covered(region.windows, part.shape)
        part += region.copied + (cover & region.refined)
        assert cover[region.refined].all()
        filled_pixels(region.coarse, ((part.shape[0] + 1) // 2, (part.shape[1] + 1) // 2))
    return count


@pytest.mark.parametrize("inputs", [("image", "hole"), ("image", "hole", "fills")])
@settings(max_examples=60, deadline=None)
@given(missing=holes(), max_hole_px=st.sampled_from([8, 24, 64]))
def test_coarse_to_fine_plans_fill_every_pixel(inputs, missing, max_hole_px):
    wanted = facts(max_hole_px=max_hole_px, inputs=inputs)
    plan = plan_fill(missing, wanted)
    count = filled_pixels(plan, missing.shape)
    assert count.max() <= 1  # regions do not overlap
    assert not count[~missing].any()
    thin = missing & (count == 0)
    assert covered(plan.windows, missing.shape)[thin].all()
    assert thickness(thin) <= max_hole_px + 2
    cost = sum(w.box.area for w in plan.windows) + sum(
        sum(w.box.area for w in region.windows) + region.coarse.cost_px for region in plan.regions
    )
    assert plan.cost_px == cost


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 700), st.integers(1, 700), st.integers(128, 300), st.sampled_from([0, 16, 32]))
def test_tiles_cover_a_picture_once_and_overlap(height, width, side, margin):
    wanted = facts(multiple_of=8, minimum=16)
    count = np.zeros((height, width), int)
    for window in tile((height, width), side, margin, wanted):
        count[window.core.slices] += 1
        assert window.box.top <= max(window.core.top - margin, 0)
        assert window.box.right >= min(window.core.right + margin, width)
        assert window.box.bottom - window.box.top <= legal_size(side, wanted)
    assert np.all(count == 1)


COPIES = Facts("copies-like", "classical", context_px=128, context_share=1.0, copies=True)


def windows_of(missing):
    return plan_fill(missing, COPIES, find_holes(missing)).windows


def test_a_large_hole_in_a_large_picture_is_one_window_with_all_of_its_context():
    missing = np.zeros((4000, 6000), bool)
    cv2.circle(canvas := np.zeros(missing.shape, np.uint8), (3000, 2000), 550, 1, -1)
    (window,) = windows_of(missing | (canvas > 0))
    assert window.overlap_px == 0
    for side in (window.box.bottom - window.box.top, window.box.right - window.box.left):
        assert side == pytest.approx(3300, abs=20)


def test_a_cross_is_one_window_and_no_larger_than_it_needs():
    missing = np.zeros((4000, 6000), bool)
    missing[800:3200, 2900:3200] = missing[1850:2150, 2000:4000] = True
    (window,) = windows_of(missing)
    assert window.box.area <= (2400 + 2 * 430) * (2000 + 2 * 430)


def test_a_long_thin_hole_is_cut_for_an_engine_that_takes_any_size_too():
    missing = np.zeros((3000, 4000), bool)
    canvas = np.zeros(missing.shape, np.uint8)
    cv2.line(canvas, (100, 100), (3900, 2900), 1, 10)
    missing |= canvas > 0
    windows = windows_of(missing)
    assert len(windows) > 4
    assert covered(windows, missing.shape)[missing].all()
    assert max(max(w.box.bottom - w.box.top, w.box.right - w.box.left) for w in windows) <= 1100
    assert sum(window.box.area for window in windows) < 0.5 * missing.size


@settings(max_examples=60, deadline=None)
@given(holes(), st.integers(0, 40), st.sampled_from([0, 0.5, 1.0]))
def test_windows_for_any_size_cover_the_hole_with_its_context(missing, context_px, share):
    wanted = Facts("copies-like", "classical", context_px=context_px, context_share=share, copies=True)
    found = find_holes(missing)
    windows = plan_fill(missing, wanted, found).windows
    assert covered(windows, missing.shape)[missing].all()
    assert len(windows) <= max(len(found), 1)
    for window in windows:
        assert window.box.top <= max(window.core.top - context_px, 0)
        assert window.box.right >= min(window.core.right + context_px, missing.shape[1])
