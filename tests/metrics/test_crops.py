"""What is cut out around a hole, wherever it lies."""

import numpy as np
import pytest

from mendpix.errors import ShapeError
from mendpix.metrics.crops import MARGIN, SIDE_PX, crop_around_hole


def numbered(height, width):
    """Every pixel says where it lies: row in red, column in green."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32) / 1000
    return np.stack([rows, columns, np.zeros_like(rows)], axis=2)


def crop_of(height, width, rows, columns, **options):
    """Return the rows and columns at the corners of a crop, with as many pixels as the square has."""
    hole = np.zeros((height, width), np.float32)
    hole[rows, columns] = 1
    longest = max(rows.stop - rows.start, columns.stop - columns.start)
    side = round(longest * (1 + 2 * options.pop("margin", MARGIN)))
    cut = crop_around_hole(numbered(height, width), hole, side, **options)
    return [tuple(np.rint(1000 * cut[place, place, :2]).astype(int).tolist()) for place in (0, -1)], side


def test_the_square_lies_around_the_hole():
    corners, side = crop_of(200, 300, slice(50, 90), slice(100, 116))
    assert side == 50
    assert corners == [(45, 83), (94, 132)]


def test_at_the_edge_it_is_moved_inwards():
    corners, _ = crop_of(200, 300, slice(0, 40), slice(290, 300))
    assert corners == [(0, 250), (49, 299)]


def test_a_side_that_is_too_short_is_taken_whole():
    hole = np.zeros((60, 200), np.float32)
    hole[10:40, 20:180] = 1  # a square of 200 px
    cut = crop_around_hole(numbered(60, 200), hole, 200)
    assert cut.shape == (200, 200, 3)
    assert (1000 * cut[[0, -1], [0, -1], :2]).tolist() == pytest.approx(np.array([[0, 0], [59, 199]]), abs=0.6)


def test_what_lies_in_the_crop_is_the_picture():
    rng = np.random.default_rng(0)
    picture, hole = rng.random((80, 80, 3)).astype(np.float32), np.zeros((80, 80), np.float32)
    hole[30:46, 30:46] = 1
    assert np.array_equal(crop_around_hole(picture, hole, 20), picture[28:48, 28:48])
    doubled = crop_around_hole(picture, hole, 10)
    assert doubled == pytest.approx(picture[28:48, 28:48].reshape(10, 2, 10, 2, 3).mean(axis=(1, 3)), abs=1e-6)


def test_an_empty_hole_gives_the_whole_picture():
    picture = np.random.default_rng(0).random((40, 30, 3)).astype(np.float32)
    assert crop_around_hole(picture, np.zeros((40, 30), np.float32)).shape == (SIDE_PX, SIDE_PX, 3)
    single = np.zeros((40, 30), np.float32)
    single[0, 0] = 1
    assert np.array_equal(crop_around_hole(picture, single, 2, 0.0), np.broadcast_to(picture[0, 0], (2, 2, 3)))


def test_refusals():
    picture, hole = np.zeros((40, 40, 3), np.float32), np.zeros((40, 40), np.float32)
    with pytest.raises(ShapeError, match="like its picture"):
        crop_around_hole(picture, hole[1:])
    for side_px, margin in ((0, 0.1), (10, -0.1), (10, float("nan"))):
        with pytest.raises(ShapeError, match="side_px must be at least 1"):
            crop_around_hole(picture, hole, side_px, margin)
