import numpy as np
import pytest

from fake_engines import BrightDetector, FakeEngine, facts
from mendpix.inference import sizing


@pytest.mark.parametrize(
    ("length", "multiple_of", "minimum", "expected"),
    [(1, 1, 1, 1), (1, 8, 1, 8), (8, 8, 1, 8), (9, 8, 1, 16), (9, 8, 20, 24), (30, 8, 20, 32), (7, 1, 20, 20)],
)
def test_legal_sizes(length, multiple_of, minimum, expected):
    assert sizing.legal_size(length, facts(multiple_of=multiple_of, minimum=minimum)) == expected


def test_padding_mirrors_then_repeats():
    row = np.arange(3, dtype=np.float32)[None]
    padded = sizing.pad(row, facts(multiple_of=8, minimum=1))
    assert padded.shape == (8, 8)
    assert padded[0].tolist() == [0, 1, 2, 1, 0, 0, 0, 0]
    assert np.all(padded == padded[0])


def test_a_legal_size_is_left_alone():
    array = np.zeros((16, 24, 3), np.float32)
    assert sizing.pad(array, facts()) is array


def test_a_hole_is_mirrored_with_its_picture():
    image = np.zeros((16, 19, 3), np.float32)
    hole = np.zeros((16, 19), np.float32)
    hole[:, 17] = 1
    image[:, 17] = 1
    seen = []

    def answer(image, hole, guide, call):
        seen.append((image, hole))
        return image

    filled = sizing.fill(FakeEngine(answer), image, hole)
    assert filled.shape == image.shape
    padded_image, padded_hole = seen[0]
    assert padded_hole.shape == (16, 24)
    assert np.array_equal(padded_image[..., 0], padded_hole)
    assert padded_hole[0].tolist() == [0] * 17 + [1, 0, 1, 0, 0, 0, 0]


def test_a_guide_is_padded_too():
    image = np.random.default_rng(0).random((5, 19, 3), np.float32)
    hole = np.zeros((5, 19), np.float32)
    hole[2, 2] = 1
    engine = FakeEngine(lambda image, hole, guide, call: guide)
    assert np.array_equal(sizing.fill(engine, image, hole, image), image)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (17, 16), (16, 16)])
def test_a_detector_takes_any_size(size):
    image = np.random.default_rng(0).random((*size, 3), np.float32)
    assert np.allclose(sizing.detect(BrightDetector(), image), image.mean(axis=2))
