import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendpix.data.seams import MOST_CELLS, Cells, draw_cells, sample_cells, seam_distance
from mendpix.errors import InputError


def disc(size=(64, 80), radius=24):
    rows, columns = np.ogrid[: size[0], : size[1]]
    return ((rows - size[0] / 2) ** 2 + (columns - size[1] / 2) ** 2 <= radius**2).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(2, 40))
def test_a_cut_is_recorded_and_its_centres_lie_in_the_hole(seed, side):
    hole = disc()
    cells = sample_cells(np.random.default_rng(seed), hole, (side, 2 * side))
    assert cells == sample_cells(np.random.default_rng(seed), hole, (side, 2 * side))
    assert 1 <= len(cells.centres) <= MOST_CELLS
    assert all(hole[int(row), int(column)] == 1 for row, column in cells.centres)
    labels = draw_cells(cells, hole.shape)
    assert np.array_equal(labels, draw_cells(cells, hole.shape))
    assert labels.shape == hole.shape
    assert 0 <= labels.min() <= labels.max() < len(cells.centres)


def test_smaller_cells_are_more_cells():
    hole = disc(radius=30)
    counts = [len(sample_cells(np.random.default_rng(1), hole, (px, px)).centres) for px in (60, 20, 12)]
    assert counts == [1, 7, 20]


def test_without_waves_a_pixel_belongs_to_the_nearest_centre():
    labels = draw_cells(Cells(((4.0, 2.0), (4.0, 10.0)), ()), (8, 13))
    assert np.array_equal(labels, np.tile(np.arange(13) > 6, (8, 1)).astype(int))


def test_waves_bend_the_seam():
    cells = Cells(((16.0, 8.0), (16.0, 24.0)), ((3.0, 16.0, 0.0, 0.0),))
    seams = np.argmax(draw_cells(cells, (32, 32)) == 1, axis=1)
    assert len(set(seams)) > 2


def test_distances_start_at_seams_and_at_known_pixels():
    hole = np.zeros((21, 41), np.float32)
    hole[:, :30] = 1
    labels = np.zeros((21, 41), np.int32)
    labels[:, 15:] = 1
    distance = seam_distance(labels, hole)[10]
    assert np.all(distance[30:] == 0)  # known
    assert distance[29] == distance[15] == distance[14] == 0  # beside a seam
    assert distance[12] == pytest.approx(2, abs=0.1)
    assert distance[0] == pytest.approx(14, rel=0.1)  # the edge of the picture is no seam


def test_a_hole_without_seams_is_far_from_all():
    whole = np.ones((8, 12), np.float32)
    assert np.all(seam_distance(np.zeros((8, 12), np.int32), whole) == 12)


def test_an_empty_hole_cannot_be_cut():
    with pytest.raises(InputError, match="at least one pixel; got an empty one"):
        sample_cells(np.random.default_rng(0), np.zeros((8, 8), np.float32), (4, 8))
