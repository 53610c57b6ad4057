"""The contract, for every network of the table. A new network needs its line in `SMALL`."""

import pytest
import torch
from torch import Tensor, nn

from mendpix.errors import RecipeError
from mendpix.networks.table import NETWORKS, build_network

SMALL = {
    "edgeconnect": {"edge_channels": 4, "inpaint_channels": 4, "edge_blocks": 1, "inpaint_blocks": 1},
    "edgeconnect-edge": {"base_channels": 4, "residual_blocks": 1},
    "edgeconnect-inpaint": {"base_channels": 4, "residual_blocks": 1},
    "gdn": {"base_channels": 4, "residual_blocks": 2},
    "gdn-detector": {"base_channels": 4},
    "gdn-discriminator": {"base_channels": 4},
    "glcic": {"base_channels": 4},
    "glcic-discriminator": {"base_channels": 4, "hidden": 4, "local_px": 16, "global_px": 32, "global_layers": 5},
    "isnet": {"base_channels": 4, "residual_blocks": 1},
    "patchgan": {"base_channels": 4},
    "pconv": {"base_channels": 4, "levels": 3},
    "pennet": {"base_channels": 6},
    "pennet-discriminator": {"base_channels": 4},
    "scenes": {"width_half": 8, "width_quarter": 8, "width_eighth": 16, "dilations": [1, 2]},
    "scenes-detector": {"width_half": 8, "width_quarter": 8, "width_eighth": 16, "dilations": [1]},
}
GENERATORS = sorted(name for name, entry in NETWORKS.items() if entry.kind == "generator")


def make(name: str) -> nn.Module:
    """Build a small network whose every tensor matters: fresh ones may start with zeros that hide mistakes."""
    torch.manual_seed(0)
    network = build_network(name, SMALL[name])
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.1)
    return network


def inputs(name: str, height: int, width: int) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(1)
    hole = torch.zeros(2, 1, height, width)
    hole[:, :, height // 4 : height // 2, width // 4 : width // 2] = 1
    everything = {
        "image": torch.rand(2, 3, height, width, generator=random),
        "hole": hole,
        "fills": torch.rand(2, 6, height, width, generator=random),
    }
    return {key: everything[key] for key in make(name).facts.inputs}


def test_every_network_has_a_small_form_here():
    assert SMALL.keys() == NETWORKS.keys()


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_shape_and_finiteness(name: str):
    given = inputs(name, 48, 64)
    with torch.no_grad():
        found = make(name).eval()(*given.values())
    shapes = {"generator": (2, 3, 48, 64), "detector": (2, 2, 48, 64), "discriminator": (2, 1, 4, 6)}
    assert found.shape == shapes[NETWORKS[name].kind]
    assert torch.isfinite(found).all()


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_gradients_reach_every_parameter(name: str):
    network = make(name)
    network(*inputs(name, 48, 64).values()).square().mean().backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key
    assert sum(bool(p.grad.any()) for p in network.parameters()) >= 0.9 * len(list(network.parameters()))


@pytest.mark.parametrize("name", GENERATORS)
def test_nothing_under_the_hole_is_seen(name: str):
    network = make(name).eval()
    given = inputs(name, 48, 64)
    other = {**given, "image": torch.where(given["hole"] > 0, 1 - given["image"], given["image"])}
    with torch.no_grad():
        assert torch.equal(network(*given.values()), network(*other.values()))


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_declared_sizes_work(name: str):
    network = make(name).eval()
    facts = network.facts
    assert facts.minimum % facts.multiple_of == 0
    for size in (facts.minimum, facts.minimum + facts.multiple_of):
        given = inputs(name, size, facts.minimum + 3 * facts.multiple_of)
        with torch.no_grad():
            found = network(*given.values())
        if NETWORKS[name].kind == "discriminator":  # patches, at least one
            assert min(found.shape) >= 1
        else:
            assert found.shape[2:] == given["image"].shape[2:]


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_inputs_stay_as_they_were(name: str):
    given = inputs(name, 48, 64)
    before = {key: value.clone() for key, value in given.items()}
    with torch.no_grad():
        make(name)(*given.values())
    assert all(torch.equal(before[key], value) for key, value in given.items())


def test_unknown_names_and_wrong_kinds_list_what_there_is():
    with pytest.raises(
        RecipeError, match="network must be one of gdn, gdn-detector, gdn-discriminator, scenes, scenes-detector"
    ):
        build_network("lama")
    with pytest.raises(RecipeError, match="detector must be one of gdn-detector, scenes-detector; got 'gdn'"):
        build_network("gdn", kind="detector")
