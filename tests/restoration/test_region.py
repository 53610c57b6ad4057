import numpy as np
import pytest

from mendpix.errors import InputError
from mendpix.inference.windows import Box
from mendpix.restoration.region import read_region


@pytest.mark.parametrize(
    ("region", "box"),
    [
        (None, Box(0, 0, 80, 200)),
        ((10, 20, 30, 40), Box(20, 10, 60, 40)),
        (["10", " 20", "30", "40"], Box(20, 10, 60, 40)),
        (("0", "75%", "100%", "25%"), Box(60, 0, 80, 200)),
        ((np.int64(199), 79, 1, 1), Box(79, 199, 80, 200)),
        (("12.5%", 0, "50%", 80), Box(0, 25, 80, 125)),
    ],
)
def test_regions_are_pixels_or_shares(region, box):
    assert read_region(region, (80, 200)) == box


@pytest.mark.parametrize("side", [7, 9, 335, 905, 1001])
@pytest.mark.parametrize("share", ["50%", "70%", "33.3%", "85%", "80.1%"])
def test_shares_that_make_up_the_whole_meet_and_cover_it(side, share):
    rest = f"{100 - float(share[:-1]):.1f}%"
    first, second = read_region((0, 0, share, 1), (1, side)), read_region((share, 0, rest, 1), (1, side))
    assert (first.left, first.right, second.right) == (0, second.left, side)


@pytest.mark.parametrize(
    ("region", "word"),
    [
        ((0, 0, 201, 80), "lie in its picture, which is 200 × 80"),
        ((-1, 0, 10, 10), "lie in its picture"),
        ((200, 0, 1, 1), "lie in its picture"),
        ((0, 0, 0, 10), "a pixel"),
        ((0, 0, 10**15, 10), "lie in its picture"),
        (("0", "0", "101%", "10"), "lie in its picture"),
        (("0", "0", "0.1%", "10"), "a pixel"),
        ((190, 0, "6%", 10), "lie in its picture"),
        ((0, 0, 10), "four numbers"),
        ("0,0,10,10", "four numbers"),
        (b"0010", "four numbers"),
        (5, "four numbers"),
        ({1: 2, 3: 4, 5: 6, 7: 8}, "four numbers"),
        ((0, 0, 10.5, 10), "10.5"),
        ((0, 0, float("nan"), 10), "nan"),
        ((True, 0, 10, 10), "True"),
        (("0", "0", "ten", "10"), "'ten'"),
        (("0", "0", "1e3", "10"), "'1e3'"),
        (("0", "0", "", "10"), "''"),
        (("0", "0", "9" * 5000, "10"), "9999"),
    ],
)
def test_what_is_no_region_of_the_picture_is_refused(region, word):
    with pytest.raises(InputError, match=word):
        read_region(region, (80, 200))
