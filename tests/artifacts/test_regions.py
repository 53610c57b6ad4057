import numpy as np

from mendpix.artifacts.regions import MOST_REGIONS, doubtful_regions


def test_areas_are_told_apart_and_the_largest_comes_first():
    doubt = np.zeros((60, 80), np.float32)
    doubt[5:15, 10:20] = 0.8
    doubt[30:50, 40:70] = 0.6
    doubt[55, 5] = 1  # a speck
    doubt[:, 75:] = 0.4  # more likely not
    first, second = doubtful_regions(doubt)
    assert (first.left, first.top, first.width, first.height, first.area_px) == (40, 30, 30, 20, 600)
    assert (second.left, second.top, second.width, second.height) == (10, 5, 10, 10)
    assert np.allclose([first.mean, second.mean], [0.6, 0.8])


def test_nothing_doubtful_and_too_much_of_it():
    assert doubtful_regions(np.zeros((9, 9), np.float32)) == ()
    many = np.zeros((200, 200), np.float32)
    for row in range(0, 200, 20):
        for column in range(0, 200, 20):
            many[row : row + 8, column : column + 8] = 0.9
    assert len(doubtful_regions(many)) == MOST_REGIONS
