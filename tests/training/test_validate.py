from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mendpix.data.dataset import PictureStore
from mendpix.data.guides import GuideSpec
from mendpix.data.mask_sampler import RATIO_BINS, bin_of
from mendpix.networks.interface import NetworkFacts
from mendpix.training.config import ValidationConfig
from mendpix.training.validate import ValidationSet, detail, prepare, validate


class Harmonic(nn.Module):
    """Return the first of the two first fills."""

    facts = NetworkFacts(1, 1, half=True, bfloat16=True, inputs=("image", "hole", "fills"))

    def forward(self, image: Tensor, hole: Tensor, fills: Tensor) -> Tensor:
        return fills[:, :3] + 5 * (1 - hole)  # what it says of known pixels must not count


class Undecided(nn.Module):
    """Mark every pixel as three quarters filled."""

    def forward(self, image: Tensor) -> Tensor:
        known = torch.zeros_like(image[:, :1])
        return torch.cat([known, known + float(np.log(3))], 1)


@pytest.fixture
def watched(pictures: Path) -> ValidationSet:
    config = ValidationConfig(pictures=2, picture_px=96, sample_pictures=3)  # more than the pictures have: enlarged
    return prepare(PictureStore.open([pictures]), config, seed=1, with_fills=True)


def test_samples_are_one_of_each_bin_and_always_the_same(watched: ValidationSet, pictures: Path):
    assert len(watched.samples) == 2 * len(RATIO_BINS)
    for number, sample in enumerate(watched.samples):
        assert sample.image.shape == (1, 3, 96, 96)
        assert bin_of(float(sample.hole.mean(dtype=np.float64))) == number % len(RATIO_BINS)
    again = prepare(PictureStore.open([pictures]), ValidationConfig(pictures=2, picture_px=96), seed=1, with_fills=True)
    for one, other in zip(watched.samples, again.samples, strict=True):
        assert np.array_equal(one.hole, other.hole)
        assert np.array_equal(one.fills, other.fills)


def test_the_harmonic_fill_scores_as_itself_and_known_pixels_do_not_count(watched: ValidationSet):
    generator, detector = Harmonic().train(), Undecided().eval()
    scores, rows = validate(generator, detector, watched, device=torch.device("cpu"), autocast=nullcontext)
    for group in [*(str(10 * (index + 1)) for index in range(6)), "mean"]:
        assert scores[f"validation/psnr/{group}"] == pytest.approx(
            scores[f"validation/psnr_harmonic/{group}"], abs=1e-4
        )
        assert scores[f"validation/marked_hole/{group}"] == pytest.approx(0.75)
    large = [scores[f"validation/psnr/{10 * (index + 1)}"] for index in range(1, 6)]
    assert scores["validation/psnr/mean"] == pytest.approx(np.mean(large))
    assert (generator.training, detector.training) == (True, False)
    assert len(rows) == 3
    assert {picture.shape for row in rows for picture in row} == {(96, 96, 3)}


def test_copied_guides_are_watched_where_they_are_trained_on(pictures: Path):
    config = ValidationConfig(pictures=2, picture_px=72, sample_pictures=3)
    store = PictureStore.open([pictures])
    watched = prepare(store, config, seed=1, with_fills=True, guides=GuideSpec(share=0.5))
    scores, rows = validate(
        Harmonic().train(), Undecided().eval(), watched, device=torch.device("cpu"), autocast=nullcontext
    )
    assert not any("harmonic" in key for key in scores)
    assert scores["validation/psnr/mean"] == pytest.approx(scores["validation/psnr_guide/mean"], abs=1e-4)
    assert scores["validation/texture/mean"] == pytest.approx(scores["validation/texture_guide/mean"], rel=1e-4)
    assert len(rows) == 3
    for sample in watched.samples:
        known = np.broadcast_to(sample.hole == 0, sample.image.shape)
        assert np.array_equal(sample.fills[:, :3], sample.fills[:, 3:])
        assert np.array_equal(sample.fills[:, :3][known], sample.image[known])
    same = prepare(store, config, seed=1, with_fills=True, guides=GuideSpec(share=0.0))
    assert same.first == "harmonic"


def test_detail_is_that_of_the_hole():
    picture = np.full((16, 16, 3), 0.5, np.float32)
    picture[:, 8:] += 0.25 * (np.indices((16, 8)).sum(0) % 2)[..., None].astype(np.float32)
    hole = np.zeros((16, 16), np.float32)
    hole[2:14, 10:14] = 1
    assert detail(picture, hole) == pytest.approx(1.0, rel=1e-3)  # four neighbours, each a quarter away
    assert detail(picture, np.fliplr(hole)) == 1e-4
