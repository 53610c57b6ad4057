import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings

from mendpix.inference.holes import find_holes, paint
from random_holes import holes


def disc(size, centre, radius):
    rows, columns = np.mgrid[: size[0], : size[1]]
    return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2


@settings(max_examples=100, deadline=None)
@given(holes())
def test_every_missing_pixel_belongs_to_exactly_one_hole(missing):
    found = find_holes(missing)
    count = np.zeros(missing.shape, int)
    for hole in found:
        count[hole.box.slices] += hole.pixels
    assert np.array_equal(count, missing.astype(int))
    assert np.array_equal(paint(found, missing.shape), missing)
    assert sum(hole.share for hole in found) == pytest.approx(missing.mean())
    assert [hole.number for hole in found] == list(range(1, len(found) + 1))
    for hole in found:
        assert hole.pixels.any(axis=0)[[0, -1]].all()  # the box is tight
        assert hole.pixels.any(axis=1)[[0, -1]].all()
        assert 0 < hole.compactness <= 1
        assert 1 <= hole.thickness_px <= min(hole.pixels.shape) + 1
        assert hole.area_px == hole.pixels.sum()


def test_holes_are_numbered_as_one_reads():
    missing = np.zeros((200, 300), bool)
    missing[100:120, 20:40] = missing[10:20, 200:210] = missing[10:20, 50:60] = missing[12:15, 250:255] = True
    assert [(hole.box.top, hole.box.left) for hole in find_holes(missing)] == [
        (10, 50),
        (10, 200),
        (12, 250),
        (100, 20),
    ]


@pytest.mark.parametrize(
    ("side", "gap", "count"), [(200, 1, 1), (200, 2, 1), (200, 9, 2), (2000, 20, 1), (2000, 80, 2)]
)
def test_pieces_near_each_other_are_one_hole_at_the_scale_of_the_picture(side, gap, count):
    missing = np.zeros((side, side), bool)
    missing[40:80, 20:60] = missing[40:80, 60 + gap : 100 + gap] = True
    found = find_holes(missing)
    assert len(found) == count
    if count == 1:
        assert found[0].pixels[:, 40 : 40 + gap].sum() == 0  # what lies between stays known


def test_what_reaches_into_the_box_of_another_is_not_its():
    missing = np.zeros((300, 300), bool)
    missing[20:40, 20:280] = missing[20:280, 20:40] = True  # an L …
    missing[200:240, 200:240] = True  # … and a square in its box
    first, second = find_holes(missing)
    assert first.box.bottom == 280
    assert first.area_px + second.area_px == missing.sum()
    assert second.area_px == 1600


def test_shape_of_a_disc_a_square_and_a_line():
    missing = np.zeros((400, 400), bool)
    missing |= disc((400, 400), (100, 100), 50)
    missing[50:150, 250:350] = missing[300:310, 20:380] = True
    round_, square, line = sorted(find_holes(missing), key=lambda hole: -hole.compactness)
    assert round_.compactness == pytest.approx(1, abs=0.05)
    assert round_.thickness_px == pytest.approx(101, abs=2)
    assert square.compactness == pytest.approx(math.pi / 4, abs=0.05)
    assert square.thickness_px == pytest.approx(99, abs=2)
    assert line.compactness < 0.1
    assert line.thickness_px == pytest.approx(9, abs=2)


def test_the_edge_of_the_picture_bounds_a_hole():
    missing = np.zeros((100, 100), bool)
    missing[:, :30] = True
    (hole,) = find_holes(missing)
    assert hole.thickness_px == pytest.approx(29, abs=2)


def test_nothing_missing_and_next_to_nothing():
    assert find_holes(np.zeros((20, 30), bool)) == ()
    missing = np.zeros((1, 5), bool)
    missing[0, 2] = True
    (hole,) = find_holes(missing)
    assert (hole.box.top, hole.box.left, hole.box.bottom, hole.box.right) == (0, 2, 1, 3)
    assert (hole.thickness_px, hole.compactness, hole.area_px) == (1, 1, 1)


def test_thousands_of_specks_and_a_web_in_a_large_picture_are_told_apart_quickly():
    missing = np.zeros((1500, 2000), bool)
    missing[30::60, 20::60] = True  # specks far from each other
    web = np.zeros(missing.shape, np.uint8)
    cv2.line(web, (0, 0), (1999, 1499), 1, 3)
    found = find_holes(missing | (web > 0))
    assert 700 < len(found) <= 825
    assert max(found, key=lambda hole: hole.area_px).area_px > 2000


@pytest.mark.parametrize("scale", [1, 8])
def test_a_scratch_across_a_thing_is_a_hole_of_its_own(scale):
    size = (256 * scale, 384 * scale)
    canvas = np.zeros(size, np.uint8)
    cv2.line(canvas, (0, 200 * scale), (383 * scale, 90 * scale), 1, 3 * scale // 2 + 1)
    line = canvas > 0
    thing = disc(size, (128 * scale, 190 * scale), 40 * scale)
    found = sorted(find_holes(line | thing), key=lambda hole: hole.area_px)
    body = found[-1]
    assert body.compactness > 0.7
    assert thing[body.box.slices][body.pixels].mean() > 0.9
    assert len(found) in (2, 3)
    assert all(hole.thickness_px <= 8 * max(1, scale // 4) for hole in found[:-1])
    assert found[0].box.right - found[0].box.left > 80 * scale


def test_legs_and_handles_stay_with_their_body():
    missing = np.zeros((256, 256), bool)
    missing[60:100, 60:140] = True  # a trunk …
    for left in (64, 80, 122, 132):
        missing[100:150, left : left + 5] = True  # … on four thin legs
    (hole,) = find_holes(missing)
    assert hole.area_px == missing.sum()


def test_a_line_beside_a_body_is_a_hole_of_its_own_and_one_that_starts_from_it_is_not():
    missing = np.zeros((256, 256), bool)
    missing[60:140, 60:140] = True
    missing[60:110, 141:146] = True  # one pixel away
    assert len(find_holes(missing)) == 2
    missing[60:66, 140] = True
    assert len(find_holes(missing)) == 1


def test_specks_do_not_tie_things_to_each_other():
    missing = np.zeros((256, 512), bool)
    missing[80:160, 40:120] = missing[80:160, 300:380] = True
    missing[118:122, 124:296:4] = True  # a dotted line between them
    bodies = [hole for hole in find_holes(missing) if hole.thickness_px > 20]
    assert len(bodies) == 2
