import numpy as np
import pytest
from onnx import helper

from mendpix.engines import harmonised
from mendpix.engines.harmonised import harmonise
from mendpix.engines.interface import Facts
from mendpix.engines.onnx import OnnxGenerator
from mendpix.engines.stopwatch import Stopwatch
from mendpix.errors import ModelError
from tiny_models import grey_generator, write_model


class Copier:
    """Fills with one colour, and remembers what it was given."""

    facts = Facts("tiny-copier", "classical", preferred_px=512, context_px=7, copies=True)

    def __init__(self):
        self.given = ()

    def fill(self, image, hole, guide=None, excluded=None):
        self.given = (image, hole, guide, excluded)
        return np.where(hole[..., None] > 0, np.float32(0.25), image)


def brightening_generator(path, gain=0.125, **facts):
    """Adds a constant to its guide in the hole."""
    nodes = [
        helper.make_node("Split", ["fills"], ["one", "two"], axis=1),
        helper.make_node("Mul", ["hole", "gain"], ["more"]),
        helper.make_node("Add", ["one", "more"], ["sum"]),
        helper.make_node("Mul", ["image", "zero"], ["nothing"]),
        helper.make_node("Add", ["sum", "nothing"], ["prediction"]),
    ]
    return write_model(
        path, nodes, facts=Facts("tiny-brighter", "generator", inputs=("image", "hole", "fills"), **facts),
        inputs=("image", "hole", "fills"), output="prediction",
        constants={"gain": np.array(gain, np.float32), "zero": np.array(0, np.float32)},
    )  # fmt: skip


@pytest.fixture
def network(tmp_path):
    return OnnxGenerator(brightening_generator(tmp_path / "brighter.onnx", multiple_of=8, minimum=64))


def picture(height=90, width=121):
    rng = np.random.default_rng(0)
    image = rng.random((height, width, 3), np.float32) / 2
    hole = np.zeros((height, width), np.float32)
    hole[20 : height // 2, 30 : width // 2] = 1
    return image, hole


def test_the_copy_is_corrected_and_the_rest_left_alone(tmp_path):
    image, hole = picture()
    before = image.copy()
    copier = Copier()
    engine = harmonised.harmonised(brightening_generator(tmp_path / "brighter.onnx"), copier)
    excluded = np.zeros_like(hole)
    stopwatch = Stopwatch()
    with stopwatch.running():
        filled = engine.fill(image, hole, None, excluded)
    assert np.allclose(filled[hole > 0], 0.375)
    assert np.array_equal(filled[hole == 0], image[hole == 0])
    assert np.array_equal(image, before)
    assert copier.given[3] is excluded
    assert stopwatch.seconds["first_fill"] > 0
    assert engine.facts == Facts("tiny-copier-harmonised", "classical", preferred_px=512, context_px=7, copies=True)


def test_illegal_sizes_and_holes_at_the_edge_are_no_trouble(network):
    for height, width in ((5, 9), (1, 30), (64, 64), (65, 130)):
        image = np.full((height, width, 3), 0.5, np.float32)
        hole = np.zeros((height, width), np.float32)
        hole[height // 2 :, width // 2 :] = 1
        filled = harmonise(network, image, hole, image)
        assert np.allclose(filled, np.where(hole[..., None] > 0, 0.625, 0.5))


def test_what_the_hole_holds_does_not_matter_and_an_empty_one_changes_nothing(network):
    image, hole = picture()
    copied = np.full_like(image, 0.3)
    spoilt = np.where(hole[..., None] > 0, np.float32(1), image)
    assert np.array_equal(harmonise(network, image, hole, copied), harmonise(network, spoilt, hole, copied))
    assert np.array_equal(harmonise(network, image, np.zeros_like(hole), copied), image)


@pytest.mark.parametrize("size", [(400, 480), (500, 70), (64, 333)])
def test_a_large_hole_is_corrected_in_windows_that_show_no_borders(network, monkeypatch, size):
    monkeypatch.setattr(harmonised, "WORKING_PX", 160)
    monkeypatch.setattr(harmonised, "CONTEXT_PX", 16)
    shown: list[tuple[int, ...]] = []
    real = OnnxGenerator.fill
    monkeypatch.setattr(
        OnnxGenerator, "fill", lambda self, image, *more: (shown.append(image.shape), real(self, image, *more))[1]
    )
    image, hole = picture(*size)
    hole[:] = 0
    hole[size[0] // 8 :, size[1] // 6 : -4] = 1
    filled = harmonise(network, image, hole, image)
    assert len(shown) > 1
    assert all(max(shape) <= 160 and shape[0] % 8 == shape[1] % 8 == 0 for shape in shown)
    assert np.allclose(filled, image + 0.125 * hole[..., None], atol=1e-6)  # the same everywhere: weights add up to 1
    assert np.array_equal(filled[hole == 0], image[hole == 0])


def test_windows_without_a_hole_are_not_computed(network, monkeypatch):
    monkeypatch.setattr(harmonised, "WORKING_PX", 160)
    monkeypatch.setattr(harmonised, "CONTEXT_PX", 16)
    shown: list[tuple[int, ...]] = []
    real = OnnxGenerator.fill
    monkeypatch.setattr(
        OnnxGenerator, "fill", lambda self, image, *more: (shown.append(image.shape), real(self, image, *more))[1]
    )
    image, hole = picture(600, 600)
    hole[:] = 0
    hole[4:20, 4:20] = hole[-20:-4, -20:-4] = 1
    harmonise(network, image, hole, image)
    assert len(shown) == 2


def test_a_network_that_takes_no_guide_is_refused(tmp_path):
    with pytest.raises(ModelError, match="must start from a fill; tiny-grey takes image, hole"):
        harmonised.harmonised(grey_generator(tmp_path / "grey.onnx"), Copier())
