import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import mendpix
from mendpix.restoration.classical import ClassicalFinder, noise_mask, scratch_mask, text_mask
from mendpix.restoration.letters import text_map

SIZE = (240, 320)


def soft(seed: int = 0, grain: float = 0.01) -> np.ndarray:
    """Soft blotches with a little grain; RGB in [0.2, 0.7], float32."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0.25, 0.65, (5, 6, 3)).astype(np.float32)
    smooth = cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth + rng.normal(0, grain, smooth.shape), 0, 1).astype(np.float32)


def overlap(mask: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Precision (2 px off is no error) and recall."""
    near = cv2.dilate(truth.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return float(near[mask > 0].mean()), float(mask[truth].mean())


@pytest.mark.parametrize("tone", [0.0, 1.0])
@pytest.mark.parametrize("width", [2, 3])
def test_long_thin_lines_are_scratches(tone, width):
    line = cv2.line(np.zeros(SIZE, np.uint8), (40, 200), (280, 30), 255, width, cv2.LINE_AA).astype(np.float32) / 255
    picture = soft() * (1 - line[..., None]) + tone * line[..., None]
    precision, recall = overlap(scratch_mask(picture), line > 0.7)
    assert precision > 0.95
    assert recall > 0.7


def test_an_edge_is_no_scratch():
    picture = soft()
    picture[:, 150:] += 0.25
    assert scratch_mask(picture).mean() < 0.002


def test_a_pattern_of_ridges_is_no_scratch():
    picture = soft()
    picture[:, ::6] = 0.9
    assert scratch_mask(picture).mean() < 0.002


@pytest.mark.parametrize("colour", [(1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0.55, 0.1)])
def test_a_line_of_letters_is_text(colour):
    plane = Image.new("L", SIZE[::-1])
    ImageDraw.Draw(plane).text((30, 150), "Summer 1987, at home", fill=255, font=ImageFont.load_default(24))
    letters = np.asarray(plane, np.float32) / 255
    picture = soft() * (1 - letters[..., None]) + np.float32(colour) * letters[..., None]
    precision, recall = overlap(text_mask(picture), letters > 0.7)
    assert precision > 0.9
    assert recall > 0.7


def test_two_letters_are_no_text():
    plane = Image.new("L", SIZE[::-1])
    ImageDraw.Draw(plane).text((30, 150), "HO", fill=255, font=ImageFont.load_default(24))
    letters = np.asarray(plane, np.float32) / 255
    assert not text_map(soft() * (1 - letters[..., None]) + letters[..., None]).any()


def test_salt_and_pepper_is_noise():
    rng = np.random.default_rng(0)
    drawn = rng.random(SIZE)
    picture = soft()
    picture[drawn < 0.02], picture[drawn > 0.98] = 0, 1
    truth = (drawn < 0.02) | (drawn > 0.98)
    mask = noise_mask(picture) > 0
    assert (mask & truth).sum() > 0.95 * truth.sum()
    assert (mask & truth).sum() > 0.98 * mask.sum()


def test_a_line_and_an_edge_are_no_noise():
    picture = soft()
    picture[:, 150:] += 0.3
    picture[100] -= 0.2
    assert noise_mask(picture).mean() < 0.001


@pytest.mark.parametrize("find", [scratch_mask, text_mask, noise_mask])
def test_soft_pictures_are_left_alone_and_nothing_is_written_to(find):
    for picture in (soft(1), soft(2, grain=0.03), np.zeros((*SIZE, 3), np.float32), np.ones((7, 3, 3), np.float32)):
        picture.setflags(write=False)
        mask = find(picture)
        assert mask.shape == picture.shape[:2]
        assert mask.mean() < 0.001


@pytest.mark.parametrize("find", [scratch_mask, text_mask, noise_mask])
def test_more_sensitivity_never_marks_less(find):
    picture = np.random.default_rng(0).random((80, 90, 3), np.float32)
    shares = [find(picture, sensitivity).mean() for sensitivity in (0, 0.25, 0.5, 0.75, 1)]
    assert shares == sorted(shares)


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (30, 1), (3, 3), (15, 16)])
def test_any_size_is_taken(size):
    finder = ClassicalFinder()
    answer = finder.find(np.random.default_rng(0).random((*size, 3), np.float32))
    assert answer.shape == (*size, len(finder.facts.kinds))
    assert answer.dtype == np.float32
    assert 0 <= answer.min() <= answer.max() <= 1


def test_only_what_is_wanted_is_looked_for():
    assert ClassicalFinder().only(("text",)).find(soft()).shape == (*SIZE, 1)


def test_restore_works_without_a_network():
    rng = np.random.default_rng(0)
    photo = np.rint(soft() * 255).astype(np.uint8)
    noisy = photo.copy()
    truth = rng.random(SIZE) < 0.05
    noisy[truth] = 255
    result = mendpix.restore(noisy, preset="noise", finder="classical", model="telea", detector=None)
    assert np.abs(result.image.astype(int) - photo).mean() < 0.3 * np.abs(noisy.astype(int) - photo).mean()
    assert np.array_equal(result.image[result.hole == 0], noisy[result.hole == 0])
