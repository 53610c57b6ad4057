"""The one blend: bit-exact where it must be, and strict about what it is given."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendpix.composite import composite
from mendpix.errors import ShapeError


def picture(seed: int, height: int = 5, width: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3), dtype=np.float32)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), height=st.integers(1, 9), width=st.integers(1, 9))
def test_takes_known_pixels_and_filled_pixels_bit_for_bit(seed, height, width):
    image, prediction = picture(seed, height, width), picture(seed + 1, height, width)
    hole = (np.random.default_rng(seed).random((height, width)) < 0.5).astype(np.float32)
    result = composite(image, prediction, hole)
    assert result.dtype == np.float32
    assert np.array_equal(result[hole == 0], image[hole == 0])
    assert np.array_equal(result[hole == 1], prediction[hole == 1])


def test_blends_where_the_hole_is_soft():
    image, prediction = np.zeros((1, 3, 3), np.float32), np.ones((1, 3, 3), np.float32)
    result = composite(image, prediction, np.array([[0, 0.25, 1]], np.float32))
    assert result[0, :, 0].tolist() == [0, 0.25, 1]


def test_what_is_unused_cannot_spoil_the_result():
    image, prediction = picture(1), picture(2)
    hole = np.zeros((5, 7), np.float32)
    hole[2:4, 2:4] = 1
    image[hole == 1] = np.nan
    prediction[hole == 0] = np.inf
    assert np.isfinite(composite(image, prediction, hole)).all()


def test_leaves_its_arguments_alone():
    image, prediction, hole = picture(1), picture(2), np.full((5, 7), 0.5, np.float32)
    copies = image.copy(), prediction.copy(), hole.copy()
    result = composite(image, prediction, hole)
    assert not np.shares_memory(result, image)
    for array, copy in zip((image, prediction, hole), copies, strict=True):
        assert np.array_equal(array, copy)


def test_takes_any_number_of_channels():
    hole = np.eye(4, dtype=np.float32)
    assert composite(np.zeros((4, 4, 1), np.float32), np.ones((4, 4, 1), np.float32), hole).sum() == 4


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"image": np.zeros((5, 7, 3))}, r"image must be float32; got float64\. Convert it"),
        ({"prediction": np.zeros((5, 7, 3), np.uint8)}, r"prediction must be float32; got uint8"),
        ({"image": np.zeros((5, 7), np.float32)}, r"image must be \(H, W, 3\); got \(5, 7\)"),
        (
            {"prediction": np.zeros((7, 5, 3), np.float32)},
            r"prediction must have the shape of image, \(5, 7, 3\); got \(7",
        ),
        (
            {"hole": np.zeros((1, 5, 7), np.float32)},
            r"hole must be \(H, W\) = \(5, 7\) like its image; got \(1, 5, 7\)",
        ),
        ({"hole": np.full((5, 7), 255, np.float32)}, r"hole must lie in \[0, 1\]; got values from 255\.0 to 255\.0"),
        ({"hole": np.full((5, 7), np.nan, np.float32)}, r"hole must lie in \[0, 1\]; got values from nan"),
    ],
)
def test_refuses_what_does_not_fit(change, sentence):
    arguments = {"image": picture(1), "prediction": picture(2), "hole": np.zeros((5, 7), np.float32)} | change
    with pytest.raises(ShapeError, match=sentence):
        composite(**arguments)
