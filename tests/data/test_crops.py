import numpy as np
import pytest

from mendpix.data.crops import CropParameters, CropSpec, cut_crop, cut_surroundings, random_crop, sample_crop
from mendpix.errors import InputError


def picture(seed, height=20, width=24):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_crop_is_the_recorded_square():
    whole = picture(5, 40, 50)
    plain = cut_crop(whole, CropParameters(top=3, left=7, side=16, px=16, flip=False))
    assert np.array_equal(plain, whole[3:19, 7:23])
    mirrored = cut_crop(whole, CropParameters(top=3, left=7, side=16, px=16, flip=True))
    assert np.array_equal(mirrored, plain[:, ::-1])
    assert mirrored.flags.c_contiguous


def test_a_crop_never_shares_memory_with_its_picture():
    whole = picture(5, 16, 16)
    for flip in (False, True):
        crop = cut_crop(whole, CropParameters(0, 0, 16, 16, flip))
        assert not np.shares_memory(crop, whole)
        crop[:] = 0
    assert np.array_equal(whole, picture(5, 16, 16))


def test_shrinking_averages_areas():
    whole = picture(6, 32, 32)
    crop = cut_crop(whole, CropParameters(0, 0, 32, 16, flip=False)).astype(float)
    means = whole.reshape(16, 2, 16, 2, 3).mean(axis=(1, 3))
    assert np.abs(crop - means).max() <= 0.75


@pytest.mark.parametrize(("height", "width"), [(256, 300), (300, 200), (128, 128)])
def test_sampled_crops_fit_the_picture(height, width):
    rng = np.random.default_rng(0)
    crops = [sample_crop(rng, (height, width), CropSpec(px=128, scale_min=0.5)) for _ in range(300)]
    assert all(0 <= c.top <= height - c.side and 0 <= c.left <= width - c.side for c in crops)
    assert all(128 <= c.side <= min(256, height, width) for c in crops)
    assert 100 < sum(c.flip for c in crops) < 200
    assert len({c.side for c in crops}) > 20 or min(height, width) == 128
    assert max(c.left for c in crops) >= 0.8 * (width - 128)


def test_without_scale_and_flip_crops_are_pieces_of_the_picture():
    rng = np.random.default_rng(1)
    for _ in range(20):
        crop = sample_crop(rng, (40, 60), CropSpec(px=32, flip=False))
        assert (crop.side, crop.flip) == (32, False)


def test_small_pictures_are_enlarged():
    small = np.full((10, 200, 3), 77, np.uint8)
    crop = sample_crop(np.random.default_rng(2), (10, 200), CropSpec(px=32, scale_min=0.5))
    assert crop.side == 10
    assert cut_crop(small, crop).shape == (32, 32, 3)
    assert (cut_crop(small, crop) == 77).all()


def test_random_crop_is_sample_then_cut():
    whole, spec = picture(8, 64, 64), CropSpec(px=24, scale_min=0.6)
    once = random_crop(np.random.default_rng(4), whole, spec)
    crop = sample_crop(np.random.default_rng(4), (64, 64), spec)
    assert np.array_equal(once, cut_crop(whole, crop))
    assert once.shape == (24, 24, 3)
    assert once.dtype == np.uint8


@pytest.mark.parametrize("wrong", [{"px": 0}, {"scale_min": 0.0}, {"scale_min": 1.5}])
def test_wrong_crop_specs_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        CropSpec(**wrong)


def test_stretching_takes_the_whole_picture_and_gives_its_aspect_up():
    wide = np.zeros((20, 40, 3), np.uint8)
    wide[:, 20:] = 200
    square = random_crop(np.random.default_rng(0), wide, CropSpec(px=16, flip=False, fit="stretch"))
    assert square.shape == (16, 16, 3)
    assert not square[:, :7].any()
    assert (square[:, 9:] == 200).all()
    flipped = {
        bool(random_crop(np.random.default_rng(seed), wide, CropSpec(px=16, fit="stretch"))[0, 0, 0])
        for seed in range(20)
    }
    assert flipped == {True, False}


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("side", [16, 32, 12])
def test_a_crop_is_found_in_its_surroundings(side: int, flip: bool):
    rows, columns = np.mgrid[:40, :60]
    whole = np.stack([3 * rows, 2 * columns, rows + columns], axis=2).astype(np.uint8)
    crop = CropParameters(top=5, left=9, side=side, px=16, flip=flip)
    around, (top, left) = cut_surroundings(whole, crop)
    assert around.shape == (round(40 * 16 / side), round(60 * 16 / side), 3)
    found = around[top : top + 16, left : left + 16].astype(float)
    assert found.shape == (16, 16, 3)
    # A picture without detail, so that only the rounding of the corner to whole pixels is left.
    assert np.abs(found - cut_crop(whole, crop))[1:-1, 1:-1].max() <= (0 if side == 16 else 3.5 * side / 16)
    around[:] = 0
    assert whole.max() > 0


def test_a_crop_of_a_picture_that_is_too_small_has_surroundings_too():
    around, corner = cut_surroundings(picture(1, 10, 12), CropParameters(0, 2, 10, 16, flip=False))
    assert around.shape == (16, 19, 3)
    assert corner == (0, 3)
