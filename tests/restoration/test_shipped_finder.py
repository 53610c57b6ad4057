"""The finder of damage that ships: its size, and that it finds what it should in pictures of every sort."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image, ImageDraw, ImageFont

from mendpix.data.degrade import KINDS
from mendpix.restoration.restore import Restorer
from mendpix.weights.locate import find_model

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def restorer() -> Restorer:
    return Restorer(model="scenes", detector=None, threads=1)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.asarray(Image.open(EXAMPLES / "photo.jpg").convert("RGB"))


@pytest.fixture(scope="module")
def written(photo) -> tuple[np.ndarray, np.ndarray]:
    """The photo with words on it, and where they are."""
    image = Image.fromarray(photo)
    draw = ImageDraw.Draw(image)
    for row, words in enumerate(("SUMMER 1998", "the quick brown fox", "jumps over it")):
        draw.text((30 + 40 * row, 60 + 90 * row), words, font=ImageFont.load_default(26), fill=(255, 255, 255))
    return np.asarray(image), (np.asarray(image) != photo).any(axis=2)


def error(one: np.ndarray, other: np.ndarray) -> float:
    return float(((one.astype(np.float64) - other) ** 2).mean())


def test_it_is_small_and_says_what_it_tells_apart():
    path = find_model("damage")
    assert path is not None
    assert path.stat().st_size < 4e6
    weights = onnx.load(path).graph.initializer
    assert 1e6 < sum(int(np.prod(weight.dims)) for weight in weights) < 2e6
    facts = Restorer(model="harmonic", detector=None).finder.facts
    assert facts.kinds == KINDS
    assert len(facts.thresholds) == len(KINDS)
    assert all(0.05 < threshold < 0.999 for threshold in facts.thresholds)


def test_words_are_found_and_mended(restorer, photo, written):
    image, words = written
    result = restorer(image, preset="text", sensitivity=0.75)
    marked = result.hole > 0
    assert marked[words].mean() > 0.9
    assert marked.mean() < 0.06
    assert np.array_equal(result.image[~marked], image[~marked])
    assert error(result.image, photo) < 0.1 * error(image, photo)


def test_cracks_are_found(restorer):
    result = restorer(EXAMPLES / "old.jpg", sensitivity=0.8)
    marked = result.hole > 0
    assert 0.05 < marked.mean() < 0.2
    old = np.asarray(Image.open(EXAMPLES / "old.jpg").convert("L")).astype(int)
    sky = np.zeros(old.shape, bool)
    sky[:110, 210:] = True
    dark = sky & (old < 140)  # cracks; the sky is light
    assert dark.sum() > 300
    assert marked[dark].mean() > 0.7
    assert marked[sky & (old > 185)].mean() < 0.1


def test_words_that_were_never_written_are_not_found(restorer, photo):
    assert restorer(photo, preset="text", dry_run=True).hole.mean() < 0.002


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "I;16"])
def test_pictures_of_every_sort_keep_theirs(restorer, written, mode):
    image, words = written
    if mode == "I;16":
        given = Image.fromarray(np.asarray(Image.fromarray(image).convert("L")).astype(np.uint16) * 257)
    else:
        given = Image.fromarray(image).convert(mode)
    result = restorer(given, preset="text", sensitivity=0.75)
    marked = result.hole > 0
    assert marked[words].mean() > 0.8
    assert result.image.mode == given.mode
    assert np.array_equal(np.asarray(result.image)[~marked], np.asarray(given)[~marked])
    assert not np.array_equal(np.asarray(result.image), np.asarray(given))
