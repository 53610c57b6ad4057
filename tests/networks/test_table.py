"""The contract: the same questions to every network of the table. Its line there says in which small form."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mendpix.errors import RecipeError, ShapeError
from mendpix.networks.interface import NetworkFacts
from mendpix.networks.pennet import PenNetGenerator
from mendpix.networks.table import NETWORKS, build_network, without_numbers
from mendpix.training.calibrate import Calibration
from mendpix.training.export import CalibratedDetector, export_network, model_facts
from mendpix.weights.published import METHODS

PUBLISHED = {network: size for method in METHODS.values() for network, size in method.parameters.items()}
"""Parameters of the published sizes, which are the defaults."""

EDGES_OF_ALL = {"edgeconnect-inpaint", "ipn"}
"""Those that are told the edges in the hole too, by whoever has drawn them."""

NAMES = sorted(NETWORKS)
GENERATORS = sorted(name for name, entry in NETWORKS.items() if entry.kind == "generator")
FINDERS = sorted(name for name, entry in NETWORKS.items() if entry.kind == "damage")
FILLERS = sorted(name for name, entry in NETWORKS.items() if entry.kind in ("generator", "edges"))
CHANNELS = {"generator": 3, "detector": 2, "edges": 1, "damage": 5}
"""What comes out, by kind; of a discriminator it is its own affair."""


def make(name: str, spread: float = 0.1) -> nn.Module:
    """Build a small network whose every tensor matters: fresh ones may start with zeros that hide mistakes."""
    torch.manual_seed(0)
    network = build_network(name, NETWORKS[name].small)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=spread)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    if any(parametrize.is_parametrized(module) for module in network.modules()):  # spectral norm looks at them anew
        with torch.no_grad():
            for _ in range(5):
                network(*inputs(network, 32, 32))
    return network


def legal(facts: NetworkFacts, px: int) -> int:
    """Return the legal size next above a size."""
    return max(facts.minimum, -(-px // facts.multiple_of) * facts.multiple_of)


def inputs(network: nn.Module, height: int, width: int) -> list[Tensor]:
    """Make two pictures with different holes and what else a network takes, of legal sizes near those asked for."""
    height, width = legal(network.facts, height), legal(network.facts, width)
    return [given[:, :, :height, :width] for given in raw_inputs(network, height, width)]


def raw_inputs(network: nn.Module, height: int, width: int) -> list[Tensor]:
    """Do the same for exactly these sizes."""
    random = torch.Generator().manual_seed(1)
    hole = torch.zeros(2, 1, height, width)
    hole[0, :, height // 4 : height // 2, width // 4 : width // 2] = 1
    hole[1, :, height // 3 : height // 2 + 1, width // 2 : width // 2 + width // 3] = 1
    everything = {
        "image": torch.rand(2, 3, height, width, generator=random),
        "hole": hole,
        "fills": torch.rand(2, 6, height, width, generator=random),
        "edges": (torch.rand(2, 1, height, width, generator=random) > 0.9).float(),
    }
    return [everything[key] for key in network.facts.inputs]


def everything_learnt(network: nn.Module, given: list[Tensor]) -> list[Tensor]:
    """Return all that training looks at: PEN-Net also learns by its smaller predictions."""
    if isinstance(network, PenNetGenerator):
        prediction, smaller = network.pyramid(*given)
        return [prediction, *smaller]
    return [network(*given)]


@pytest.mark.parametrize("name", NAMES)
def test_every_network_has_a_small_form(name: str):
    assert sum(parameter.numel() for parameter in build_network(name, NETWORKS[name].small).parameters()) < 500_000


@pytest.mark.parametrize("name", [name for name in NAMES if hasattr(NETWORKS[name].network, "facts")])
def test_facts_of_the_class_are_those_of_the_published_sizes(name: str):
    with without_numbers():
        assert build_network(name).facts == NETWORKS[name].network.facts  # type: ignore[attr-defined]  # as asked above


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_published_sizes_have_the_published_number_of_parameters(name: str):
    with without_numbers():  # shapes without numbers
        network = build_network(name)
    assert sum(parameter.numel() for parameter in network.parameters()) == PUBLISHED[name]


@pytest.mark.parametrize("name", NAMES)
def test_shape_and_finiteness(name: str):
    network = make(name).eval()
    given = inputs(network, 48, 64)
    with torch.no_grad():
        found = network(*given)
    assert torch.isfinite(found).all()
    assert found.std() > 0
    kind = NETWORKS[name].kind
    if kind == "discriminator":  # one verdict for each picture, or a map of them
        assert len(found) == 2
        assert found.ndim in (2, 4)
    else:
        assert found.shape == (2, CHANNELS[kind], *given[0].shape[2:])


@pytest.mark.parametrize("name", [*FILLERS, *FINDERS])
def test_values_stay_where_they_belong(name: str):
    """Huge weights drive a network to its bounds, or beyond if it has none."""
    network = make(name, spread=1.0).eval()
    for parameter in network.parameters():
        if parameter.ndim > 1:
            parameter.data.mul_(3)
    with torch.no_grad():
        found = network(*inputs(network, 48, 64))
    assert bool(((found >= 0) & (found <= 1)).all()) == network.facts.bounded


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_every_parameter(name: str):
    network = make(name)
    learnt = everything_learnt(network, inputs(network, 48, 64))
    sum((found.square().mean() for found in learnt), torch.zeros(())).backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key
    assert sum(bool(p.grad.any()) for p in network.parameters()) >= 0.9 * len(list(network.parameters()))


@pytest.mark.parametrize("name", FILLERS)
def test_nothing_under_the_hole_is_seen(name: str):
    network = make(name).eval()
    given = dict(zip(network.facts.inputs, inputs(network, 48, 64), strict=True))
    hidden = {"image": 5 - 30 * given["image"]}  # garbage, far outside of [0, 1]
    if "edges" in given and name not in EDGES_OF_ALL:
        hidden["edges"] = 1 - given["edges"]
    other = given | {key: torch.where(given["hole"] > 0, value, given[key]) for key, value in hidden.items()}
    with torch.no_grad():
        expected = network(*given.values())
        assert torch.equal(network(*other.values()), expected)
        assert not torch.equal(network(1 - given["image"], *list(given.values())[1:]), expected)  # the rest is


@pytest.mark.parametrize("name", NAMES)
def test_pictures_of_a_batch_do_not_mix(name: str):
    network = make(name).eval()
    given = inputs(network, 48, 64)
    with torch.no_grad():
        together = network(*given)
        for index in range(2):
            alone = network(*(part[index : index + 1] for part in given))
            torch.testing.assert_close(together[index : index + 1], alone, atol=1e-4, rtol=1e-4)


# The declared facts


@pytest.mark.parametrize("name", NAMES)
def test_declared_sizes_work(name: str):
    network = make(name).eval()
    facts = network.facts
    assert facts.minimum % facts.multiple_of == 0
    assert facts.preferred_px is None or facts.preferred_px % facts.multiple_of == 0
    for size in (facts.minimum, facts.minimum + facts.multiple_of):
        given = raw_inputs(network, size, facts.minimum + 3 * facts.multiple_of)
        with torch.no_grad():
            found = network(*given)
        if NETWORKS[name].kind == "discriminator":  # at least one verdict
            assert min(found.shape) >= 1
        else:
            assert found.shape[2:] == given[0].shape[2:]


@pytest.mark.parametrize("name", NAMES)
def test_other_sizes_are_refused(name: str):
    network = make(name).eval()
    facts = network.facts
    side = facts.minimum + facts.multiple_of
    wrong = [] if facts.multiple_of == 1 else [side + 1, side + facts.multiple_of - 1, side + facts.multiple_of // 2]
    if facts.minimum > facts.multiple_of:
        wrong.append(facts.minimum - facts.multiple_of)
    for px in wrong:
        for height, width in ((px, side), (side, px)):
            with pytest.raises(ShapeError):
                network(*raw_inputs(network, height, width))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_batch_of_pictures_is_refused(name: str):
    network = make(name).eval()
    image, *rest = inputs(network, 48, 64)
    wrong = [[image[0], *rest], [image.permute(0, 2, 3, 1), *rest], [(255 * image).byte(), *rest]]
    if "hole" in network.facts.inputs:
        hole, *more = rest
        wrong += [[image, hole[:, 0], *more], [image, hole[:1], *more], [image, hole[..., 1:], *more]]
    for given in wrong:
        with pytest.raises(ShapeError):
            network(*given)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_declared_precisions_give_the_same_answer(name: str, dtype: torch.dtype):
    network = make(name).eval()
    if not (network.facts.half if dtype == torch.float16 else network.facts.bfloat16):
        pytest.skip("declared as unfit for it")
    given = inputs(network, 48, 64)
    with torch.no_grad():
        expected = network(*given)
        found = network.to(dtype)(*(part.to(dtype) for part in given))
    tolerance = 0.03 if dtype == torch.float16 else 0.2
    assert (found.float() - expected).abs().mean() < tolerance * max(expected.std(), 1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_mixed_and_double_precision(name: str):
    network = make(name).eval()
    given = inputs(network, 48, 64)
    with torch.no_grad():
        expected = network(*given)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = network(*given)
        double = network.double()(*(part.double() for part in given))
    assert (mixed.float() - expected).abs().mean() < 0.2 * max(expected.std(), 1e-3)
    assert double.dtype == torch.float64
    assert (double - expected).abs().max() < 1e-3 * max(1.0, float(expected.abs().max()))


@pytest.mark.parametrize("name", [name for name in [*FILLERS, *FINDERS] if NETWORKS[name].network.facts.local])
def test_local_networks_do_not_look_across_the_picture(name: str):
    network = make(name).eval()
    given = inputs(network, 16, 1024)
    other = [part.clone() for part in given]
    other[0][..., :16] = 1 - other[0][..., :16]
    with torch.no_grad():
        assert torch.equal(network(*given)[..., -16:], network(*other)[..., -16:])


@pytest.mark.parametrize("name", NAMES)
def test_inputs_stay_as_they_were(name: str):
    network = make(name)
    given = inputs(network, 48, 64)
    before = [part.clone() for part in given]
    with torch.no_grad():
        network(*given)
    assert all(torch.equal(one, other) for one, other in zip(before, given, strict=True))


# The exported form


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow)
        for name in NAMES
        if NETWORKS[name].kind in ("generator", "detector", "damage")
    ],
)
def test_the_graph_equals_torch_at_other_sizes(name: str, tmp_path: Path):
    onnxruntime = pytest.importorskip("onnxruntime")
    network = make(name).eval()
    part = NETWORKS[name].kind
    exported = network if part != "detector" else CalibratedDetector(network, Calibration()).eval()
    path = tmp_path / "network.onnx"
    export_network(exported, path, model_facts(name, part, exported))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    facts = network.facts
    for height, width in ((facts.minimum, facts.minimum + 2 * facts.multiple_of), (72, 40)):
        given = [part[:1] for part in inputs(network, height, width)]
        with torch.no_grad():
            expected = exported(*given).numpy()
        found = session.run(None, {key: value.numpy() for key, value in zip(facts.inputs, given, strict=True)})[0]
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() < 0.02 * max(1.0, np.abs(expected).max())  # weights are stored in fp16


# Names


def test_unknown_names_and_wrong_kinds_list_what_there_is():
    with pytest.raises(RecipeError) as raised:
        build_network("lama")
    assert f"network must be one of {', '.join(NAMES)}; got 'lama'" in str(raised.value)
    with pytest.raises(RecipeError, match="detector must be one of gdn-detector, scenes-detector; got 'gdn'"):
        build_network("gdn", kind="detector")
