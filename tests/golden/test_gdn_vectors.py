"""GDN against numbers from the published program: outputs, losses, and the gradient of every tensor."""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402 - torch is an extra

from mendpix.losses.detection import balanced_cross_entropy, cross_entropy, focal, valuation  # noqa: E402
from mendpix.losses.reconstruction import l1, weight_map, weighted_l1  # noqa: E402
from mendpix.networks.gdn import GdnConfig, GdnDetector, GdnGenerator, gdn_paper, gdn_published  # noqa: E402

HERE = Path(__file__).parent


def load_recipe() -> Any:
    """Import the file beside this one by its place, whatever pytest's import mode is."""
    spec = importlib.util.spec_from_file_location("golden_fill", HERE / "fill.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fill = load_recipe()

GENERATOR_NAMES = {"e1": "stem", "e2": "down1", "e3": "down2", "d1": "up1", "d2": "up2", "out": "head"}
DETECTOR_NAMES = {**{f"c{number}": f"conv{number}" for number in range(1, 6)}, "t1": "up1", "t2": "up2"}


def generator_name(theirs: str) -> str:
    """Map `e1n.bias` to `stem_norm.bias`, `res.3.c2.weight` to `blocks.3.conv2.weight`."""
    if theirs.startswith("res."):
        return re.sub(r"\.n(\d)\.", r".norm\1.", re.sub(r"\.c(\d)\.", r".conv\1.", "blocks" + theirs[len("res") :]))
    layer, kind = theirs.split(".")
    if layer in GENERATOR_NAMES:
        return f"{GENERATOR_NAMES[layer]}.{kind}"
    return f"{GENERATOR_NAMES[layer.removesuffix('n')]}_norm.{kind}"


def detector_name(theirs: str) -> str:
    """Map `c1.bias` to `conv1.bias`, `t2.weight` to `up2.weight`."""
    layer, kind = theirs.split(".")
    return f"{DETECTOR_NAMES[layer]}.{kind}"


def load(name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    with np.load(HERE / f"{name}.npz") as file:
        arrays = {key: file[key] for key in file.files if key != "meta"}
        return json.loads(str(file["meta"])), arrays


def fill_network(network: nn.Module, shapes: dict[str, list[int]], seed: int, rename: Any) -> None:
    made = fill.weights({name: tuple(shape) for name, shape in shapes.items()}, seed)
    network.load_state_dict({rename(name): torch.from_numpy(tensor) for name, tensor in made.items()}, strict=True)


def worst_difference(got: Tensor, expected: np.ndarray) -> float:
    """Return the largest difference as a share of the largest expected value."""
    assert tuple(got.shape) == expected.shape
    return float(np.abs(got.detach().numpy() - expected).max() / np.abs(expected).max())


def run_generator(config: GdnConfig) -> float:
    meta, arrays = load("gdn-generator-1")
    generator = GdnGenerator(config).eval()
    fill_network(generator, meta["shapes"], meta["seed"], generator_name)
    image = torch.from_numpy(fill.picture(meta["seed"], (1, 3, 64, 96)))
    with torch.inference_mode():
        return worst_difference(generator(image, torch.from_numpy(fill.hole(64, 96))), arrays["output_0"])


def test_generator_gives_the_published_output() -> None:
    assert run_generator(gdn_published()) < 1e-5


@pytest.mark.parametrize("config", [GdnConfig(first_dilation=1), gdn_paper()], ids=["no dilation", "paper"])
def test_generator_with_other_dilations_does_not(config: GdnConfig) -> None:
    assert run_generator(config) > 1e-2


def run_detector() -> float:
    meta, arrays = load("gdn-detector-1")
    detector = GdnDetector().eval()
    fill_network(detector, meta["shapes"], meta["seed"], detector_name)
    with torch.inference_mode():
        logits = detector(torch.from_numpy(fill.picture(meta["seed"], (1, 3, 64, 96))))
    return worst_difference(logits, arrays["output_0"])


def test_detector_gives_the_published_output() -> None:
    assert run_detector() < 1e-5


def test_detector_with_its_borders_swapped_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    pad = nn.functional.pad
    monkeypatch.setattr(nn.functional, "pad", lambda x, border: pad(x, border[::-1]))  # 2 before, 1 after
    assert run_detector() > 1e-2


class Step(NamedTuple):
    """One training step in float64, with what the published program got for it."""

    generator: GdnGenerator
    detector: GdnDetector
    target: Tensor
    hole: Tensor
    prediction: Tensor
    logits: Tensor
    expected: dict[str, Any]
    expected_valuation: np.ndarray


@pytest.fixture(scope="module")
def step() -> Step:
    meta, arrays = load("gdn-training-step-1")
    generator, detector = GdnGenerator(), GdnDetector()
    fill_network(generator, meta["generator_shapes"], meta["seed"], generator_name)
    fill_network(detector, meta["detector_shapes"], meta["seed"], detector_name)
    generator, detector = generator.double(), detector.double()

    # Two holes: the usual one, and its mirror image with the first quarter of the columns known.
    mirrored = fill.hole(64, 96)[..., ::-1].copy()
    mirrored[..., :24] = 0
    hole = np.concatenate([fill.hole(64, 96), mirrored])
    np.testing.assert_array_equal(hole, arrays["hole"])

    target = torch.from_numpy(fill.picture(meta["seed"], (2, 3, 64, 96))).double()
    holes = torch.from_numpy(hole).double()
    prediction = generator(target, holes)
    return Step(generator, detector, target, holes, prediction, detector(prediction), meta, arrays["valuation"])


def test_valuation_is_the_published_one(step: Step) -> None:
    assert worst_difference(valuation(step.logits), step.expected_valuation) < 1e-6


def test_losses_are_the_published_ones(step: Step) -> None:
    seen = valuation(step.logits)
    losses = {
        "focal": focal(step.logits, step.hole),
        "balanced_cross_entropy": balanced_cross_entropy(step.logits, step.hole),
        "cross_entropy": cross_entropy(step.logits, step.hole),
        "weighted_l1_base10": weighted_l1(step.prediction, step.target, weight_map(seen, 10.0)),
        "weighted_l1_linear": weighted_l1(step.prediction, step.target, weight_map(seen, "linear")),
        "plain_l1": l1(step.prediction, step.target),
    }
    assert {name: loss.item() for name, loss in losses.items()} == pytest.approx(step.expected["losses"], rel=1e-6)


def gradient_norms(loss: Tensor, network: nn.Module) -> dict[str, float]:
    names, parameters = zip(*network.named_parameters(), strict=True)
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True)
    return {name: gradient.norm().item() for name, gradient in zip(names, gradients, strict=True)}


def test_focal_loss_gives_the_published_detector_gradients(step: Step) -> None:
    expected = {detector_name(name): norm for name, norm in step.expected["detector_gradient_l2"].items()}
    assert len(expected) == 14
    assert gradient_norms(focal(step.logits, step.hole), step.detector) == pytest.approx(expected, rel=1e-6)


def test_weighted_l1_gives_the_published_generator_gradients(step: Step) -> None:
    expected = {generator_name(name): norm for name, norm in step.expected["generator_gradient_l2"].items()}
    assert len(expected) == 64
    loss = weighted_l1(step.prediction, step.target, weight_map(valuation(step.logits), 10.0))
    assert gradient_norms(loss, step.generator) == pytest.approx(expected, rel=1e-6)


def test_a_weight_cut_off_from_the_detector_gives_other_gradients(step: Step) -> None:
    weight = weight_map(valuation(step.logits), 10.0).detach()
    loss = weighted_l1(step.prediction, step.target, weight)
    (gradient,) = torch.autograd.grad(loss, [step.generator.head.weight], retain_graph=True)
    expected = step.expected["generator_gradient_l2"]["out.weight"]
    assert abs(gradient.norm().item() / expected - 1) > 0.1
