"""The comparison of methods: what is counted, and how costs and budgets are told. The numbers are not tested."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

import methods
import methods_page
from mendpix.training.recipes import load_recipe

HOLE = np.zeros((48, 48), np.float32)
HOLE[16:32, 16:32] = 1
PICTURE = np.random.default_rng(1).random((48, 48, 3), np.float32)


def test_parameters_and_products_are_counted():
    layer = nn.Conv2d(3, 5, 3, padding=1, bias=False)
    parameters, gmacs = methods.count(layer, [torch.zeros(1, 3, 8, 16)])
    assert parameters == 5 * 3 * 9
    assert gmacs == 5 * 3 * 9 * 8 * 16 / 1e9


def test_every_classical_fill_is_timed_on_the_same_hole():
    calls = methods.open_rest(PICTURE, HOLE)
    assert {name for name, _ in calls} == set(methods.EMBEDDED) - {"scenes"}
    for call in calls.values():
        filled = np.asarray(call())
        assert filled.shape == PICTURE.shape
        assert np.isfinite(filled).all()


def test_costs_of_networks_and_of_fills_without_one():
    network = {"parameters": 1234, "gmacs": 5.678, "milliseconds": 1001.4}
    table = "\n".join(
        methods_page._costs(
            {"gdn": {"full": network}, "telea": {"full": {"parameters": None, "gmacs": None, "milliseconds": 8.0}}}
        )
    )
    assert "| gdn | 1,234 | 5.68 | 1,001 | – | – | – |" in table
    assert "| telea | – | – | 8 | – | – | – |" in table
    assert "Not measured yet" in "".join(methods_page._costs({}))


def test_recipes_of_runs_find_pictures_and_backbone_wherever_they_lie(tmp_path: Path):
    for name in methods.METHODS:
        recipe = load_recipe(methods.prepare(name, tmp_path / "runs", tmp_path / "given"))
        assert all(Path(source).parent == tmp_path / "given" / "data" for source in recipe.data.pictures)
        if recipe.method is not None and recipe.method.backbone_weights:
            assert Path(recipe.method.backbone_weights).parent == tmp_path / "given" / "weights"
