"""The table of methods says of every network what the network says of itself."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch._subclasses import FakeTensorMode  # noqa: E402 - torch is an extra; this has no other door
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from mendpix.networks.table import NETWORKS  # noqa: E402
from mendpix.training.methods.table import METHODS as TRAINED  # noqa: E402
from mendpix.weights.convert.formats import FORMATS  # noqa: E402
from mendpix.weights.published import METHODS  # noqa: E402
from mendpix.weights.table import MODELS  # noqa: E402

RECIPES = Path(__file__).parents[2] / "recipes"
NAMES = sorted(METHODS)
INPUTS = {"image": 3, "hole": 1, "fills": 6, "edges": 1}
"""Channels of what networks take."""


def test_no_method_and_no_format_is_forgotten():
    assert METHODS.keys() >= TRAINED.keys() - {"damage"}  # a part of informed, by itself
    assert sorted(form for method in METHODS.values() for form in method.formats) == sorted(FORMATS)
    generators = {name for name, entry in NETWORKS.items() if entry.kind == "generator"}
    parts = {"edgeconnect-inpaint", "ipn", "isnet-unet"}  # parts of others, and a rival of the paper's ablation
    assert {next(iter(method.parameters)) for method in METHODS.values()} <= generators - parts


@pytest.mark.parametrize("name", NAMES)
def test_facts_are_the_networks(name):
    """Numbers of parameters are compared in tests/networks/test_table.py."""
    method = METHODS[name]
    assert set(method.parameters) <= set(NETWORKS)
    facts = NETWORKS[next(iter(method.parameters))].network.facts
    for key in ("multiple_of", "minimum", "inputs", "preferred_px", "local", "half", "bfloat16"):
        assert getattr(method, key) == getattr(facts, key), key


SLOW = ("isnet",)
"""Spectral norm of all its layers takes seconds to build."""


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in NAMES])
def test_multiply_adds_are_the_networks(name):
    method = METHODS[name]
    entry = NETWORKS[next(iter(method.parameters))]
    with FakeTensorMode(), torch.no_grad():  # shapes without numbers
        network = entry.network(entry.config()).eval()
        given = [torch.empty(1, INPUTS[key], 256, 256) for key in method.inputs]
        with FlopCounterMode(display=False) as counter:
            network(*given)
    assert counter.get_total_flops() / 2e9 == pytest.approx(method.macs_g, rel=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_recipes_and_embedded_models_are_there(name):
    method = METHODS[name]
    assert method.recipes
    for recipe in method.recipes:
        assert (RECIPES / recipe).is_file(), recipe
    assert set(method.embedded) <= set(MODELS)
