import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendpix.engines import classical
from mendpix.errors import MissingExtraError
from mendpix.inference import sizing

ENGINES = {
    "harmonic": classical.harmonic,
    "telea": classical.telea,
    "navier-stokes": classical.navier_stokes,
    "shiftmap": classical.shiftmap,
    "exemplar": classical.exemplar,
    "biharmonic": classical.biharmonic,
}
QUICK = ("harmonic", "telea", "navier-stokes", "biharmonic")


@pytest.mark.parametrize("name", ENGINES)
def test_known_pixels_stay_and_the_hole_does_not_matter(name):
    rows, columns = np.mgrid[0:40, 0:48].astype(np.float32)
    image = np.stack([rows / 40, columns / 48, (rows + columns) / 88], axis=2)
    hole = np.zeros((40, 48), np.float32)
    hole[12:20, 15:25] = 1
    missing = hole > 0
    spoilt = np.where(missing[..., None], np.float32(1), image)
    engine = ENGINES[name]()
    assert engine.facts.name == name
    filled = engine.fill(image, hole)
    assert filled.dtype == np.float32
    assert np.array_equal(filled[~missing], image[~missing])
    assert np.array_equal(filled, engine.fill(spoilt, hole))
    assert np.array_equal(spoilt[missing], np.ones((80, 3), np.float32))  # not written to
    if name in QUICK:
        assert np.abs(filled - image)[missing].max() < 0.1  # a slope continues, roughly


@pytest.mark.parametrize("name", QUICK)
@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_small_pictures_of_any_shape_are_filled_the_same_every_time(name, height, width, seed):
    if height * width == 1:
        width = 2
    rng = np.random.default_rng(seed)
    image = rng.random((height, width, 3), np.float32)
    hole = np.zeros((height, width), np.float32)
    hole.flat[rng.integers(height * width)] = 1
    engine = ENGINES[name]()
    filled = sizing.fill(engine, image, hole)
    assert filled.shape == image.shape
    assert np.isfinite(filled).all()
    assert np.array_equal(filled, sizing.fill(engine, image, hole))


@pytest.mark.parametrize("size", [(1, 8), (8, 1), (1, 64)])
@pytest.mark.parametrize("name", ["telea", "navier-stokes"])
def test_pictures_one_pixel_high_are_filled_from_the_picture_alone(name, size):
    rng = np.random.default_rng(0)
    image = rng.random((*size, 3), np.float32)
    hole = np.zeros(size, np.float32)
    hole.flat[3] = 1
    answers = []
    for _ in range(20):
        # Freed memory with changing numbers in it: OpenCV must not read what does not belong to the picture.
        waste = [rng.integers(0, 255, (size[0] + 2, size[1] + 2), dtype=np.uint8) for _ in range(20)]
        del waste
        answers.append(sizing.fill(ENGINES[name](), image, hole))
    assert all(np.array_equal(answer, answers[0]) for answer in answers)


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.restoration", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mendpix\[biharmonic\]'"):
        classical.biharmonic()
    monkeypatch.delattr(classical.cv2, "xphoto")
    with pytest.raises(MissingExtraError, match="opencv-contrib-python-headless"):
        classical.shiftmap()


@pytest.mark.parametrize("passes", [1, 2, 5])
def test_pixels_that_the_shift_map_leaves_unfilled_do_not_become_blue(monkeypatch, passes):
    """OpenCV leaves some at (0, 0, 0) in Lab, a strong blue; tried again, they take a neighbour's offset in the end."""
    image = np.full((24, 24, 3), 0.5, np.float32)
    hole = np.zeros((24, 24), np.float32)
    hole[8:16, 8:16] = 1
    asked = []

    def inpaint(lab, mask, filled, method):
        asked.append(int((mask == 0).sum()))
        filled[:] = lab[0, 0]
        rows, columns = np.nonzero(mask == 0)
        if len(asked) <= passes:
            filled[rows[:9], columns[:9]] = 0

    monkeypatch.setattr(classical.cv2.xphoto, "inpaint", inpaint)
    result = classical.shiftmap().fill(image, hole)
    assert asked == [64, 9]  # a third time with the same 9 would bring nothing
    assert np.abs(result - 0.5).max() < 0.01
    assert np.array_equal(result[hole == 0], image[hole == 0])
