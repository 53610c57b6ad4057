import numpy as np
import pytest
from PIL import Image

from mendpix import ArtifactMap
from mendpix.errors import ShapeError


def test_the_overlay_is_clear_at_nothing_and_red_at_certain():
    image = np.full((2, 3, 3), 0.5, np.float32)
    probability = np.array([[0, 0.02, 0.35], [0.65, 0.9, 1]], np.float32)
    shown = ArtifactMap(probability, 0.5).overlay(image)
    assert shown.dtype == np.float32
    assert shown.shape == image.shape
    assert np.array_equal(shown[0, 0], image[0, 0])
    change = np.abs(shown - image).max(axis=2).ravel()
    assert np.all(np.diff(change[[0, 1, 2, 5]]) > 0)  # the more, the more opaque
    assert shown[0, 1].argmax() == 2  # first blue
    red, green, blue = shown[1, 2]
    assert red > 0.8
    assert max(green, blue) < 0.2
    assert shown.min() >= 0
    assert shown.max() <= 1


def test_a_picture_of_any_kind_may_lie_under_the_map():
    grey = np.full((4, 5), 128, np.uint8)
    probability = np.linspace(0, 1, 20, dtype=np.float32).reshape(4, 5)
    found = ArtifactMap(probability, 0.5)
    assert np.array_equal(found.overlay(grey), found.overlay(Image.fromarray(grey)))


def test_neither_map_nor_picture_is_written_to():
    image = np.full((4, 5, 3), 0.5, np.float32)
    probability = np.ones((4, 5), np.float32)
    shown = ArtifactMap(probability, 1.0).overlay(image)
    shown[:] = 0
    assert np.all(image == 0.5)
    assert np.all(probability == 1)


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(ShapeError, match=r"\(4, 5\).*\(5, 4\)"):
        ArtifactMap(np.ones((4, 5), np.float32), 1.0).overlay(np.zeros((5, 4, 3), np.uint8))
