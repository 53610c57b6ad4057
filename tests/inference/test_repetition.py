import time

import numpy as np
import pytest

from mendpix.inference.holes import find_holes
from mendpix.inference.repetition import look_around


def square(size, start, stop):
    missing = np.zeros(size, bool)
    missing[start:stop, start:stop] = True
    return missing


def seen(image, missing, **more):
    (hole,) = find_holes(missing)
    return look_around(image.astype(np.float32), missing, hole, **more)


def stripes(size, period):
    wave = (np.arange(size) // (period // 2) % 2).astype(np.float32)
    return np.repeat(np.broadcast_to(wave, (size, size))[..., None], 3, axis=2)


def blot(size, seed=0):
    """Large soft spots that are nowhere alike."""
    import cv2

    rng = np.random.default_rng(seed)
    return cv2.GaussianBlur(rng.random((size, size, 3)).astype(np.float32), (0, 0), 12) * 4 - 1.5


def test_a_pattern_repeats_and_noise_does_not():
    missing = square((160, 160), 60, 100)
    rng = np.random.default_rng(0)
    assert seen(stripes(160, 16), missing).repetition > 0.95
    assert seen(rng.random((160, 160, 3)), missing).repetition < 0.1


def test_a_flat_picture_has_neither_texture_nor_roughness():
    around = seen(np.full((100, 100, 3), 0.4), square((100, 100), 40, 60))
    assert around.texture == pytest.approx(0, abs=1e-6)
    assert around.roughness == pytest.approx(0, abs=1e-4)
    assert 0 <= around.repetition <= 1


def test_soft_forms_have_little_roughness_whatever_their_contrast():
    missing = square((160, 160), 60, 100)
    soft = seen(blot(160), missing)
    grain = seen(0.5 + 0.02 * np.random.default_rng(1).standard_normal((160, 160, 3)), missing)
    assert soft.roughness < 0.1 < 0.5 < grain.roughness


def test_what_is_missing_is_not_looked_at():
    missing = square((120, 120), 40, 80)
    other = missing.copy()
    other[5:30, 5:30] = True
    image = blot(120)
    spoilt = np.where(other[..., None], np.float32(7), image)
    hole = find_holes(missing)[0]
    assert look_around(image, other, hole) == look_around(spoilt, other, hole)


def test_supply_counts_what_may_be_copied():
    missing = square((200, 200), 80, 120)
    free = seen(blot(200), missing)
    excluded = np.zeros((200, 200), bool)
    excluded[:, :100] = True
    half = seen(blot(200), missing, excluded=excluded)
    assert free.supply > 2 * half.supply > 0
    assert free.texture == half.texture  # it may be looked at, only not copied
    none = seen(blot(200), missing, excluded=np.ones((200, 200), bool))
    assert (none.supply, none.repetition) == (0, 0)


def test_fine_spread_exclusions_are_seen_in_large_pictures():
    missing = square((1600, 1600), 600, 1000)
    excluded = np.zeros(missing.shape, bool)
    excluded[::30, ::30] = True  # one pixel in each square that could be copied, and far less than half of any
    image = np.random.default_rng(0).random((1600, 1600, 3), np.float32)
    assert seen(image, missing).supply > 2
    around = seen(image, missing, excluded=excluded)
    assert (around.supply, around.repetition) == (0, 0)
    assert around.texture == seen(image, missing).texture


def test_fine_scratches_in_large_pictures_do_not_hide_what_may_be_copied():
    missing = square((1600, 1600), 600, 1000)
    scratched = missing.copy()
    scratched[::30, ::30] = True
    image = np.random.default_rng(0).random((1600, 1600, 3), np.float32)
    hole = max(find_holes(missing), key=lambda hole: hole.share)
    assert look_around(image, scratched, hole).supply == look_around(image, missing, hole).supply


def test_the_share_of_the_window_that_is_known():
    assert seen(blot(100), square((100, 100), 10, 90)).known_share == pytest.approx(0.36, abs=0.001)


@pytest.mark.parametrize("size", [(1, 3), (5, 5), (9, 200)])
def test_tiny_pictures_have_surroundings_too(size):
    missing = np.zeros(size, bool)
    missing[size[0] // 2, size[1] // 2] = True
    around = look_around(
        np.random.default_rng(0).random((*size, 3)).astype(np.float32), missing, find_holes(missing)[0]
    )
    assert 0 <= around.repetition <= 1
    assert 0 <= around.known_share < 1
    assert around.supply >= 0


def test_large_holes_are_looked_at_quickly():
    missing = square((2400, 2400), 700, 1700)
    image = np.random.default_rng(0).random((2400, 2400, 3), np.float32)
    hole = find_holes(missing)[0]
    started = time.perf_counter()
    look_around(image, missing, hole)
    assert time.perf_counter() - started < 3  # a tenth of that where nobody else works
