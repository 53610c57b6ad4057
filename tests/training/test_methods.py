"""Every published method, from recipe to model file, at tiny size: the same loop, checkpoints and export for all."""

import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backbones import write_small_squeezenet
from mendpix.engines.onnx import OnnxGenerator
from mendpix.errors import RecipeError
from mendpix.networks.table import build_network
from mendpix.training import loop
from mendpix.training.averages import snapshot, update_average
from mendpix.training.checkpoint import load_network, read_record
from mendpix.training.config import NetworkConfig, StageConfig, ValidationConfig
from mendpix.training.export import export_run
from mendpix.training.loop import train
from mendpix.training.methods.table import METHODS, find_method, method_options
from mendpix.training.parts import build_part, check_recipe
from mendpix.training.recipes import load_recipe, parse_recipe
from mendpix.weights.network_file import save_network_file

ROOT = Path(__file__).parents[2]
RECIPES = {path.stem: path for path in sorted((ROOT / "recipes").glob("*.toml"))}
STEPS = 2
FILLING = sorted(METHODS.keys() - {"damage", "informed"})
"""Those that are told the hole; the others have tests of their own."""


def small_recipe(method: str, pictures: Path, folder: Path):
    """The method's small recipe for a few steps of a batch of two, with a backbone of random weights."""
    recipe = load_recipe(RECIPES[f"{method}-small"])
    assert recipe.method is not None
    backbone = str(write_small_squeezenet(folder / "squeezenet.npz")) if METHODS[method].backbone else ""
    return replace(
        recipe,
        device="cpu",
        data=replace(recipe.data, pictures=(str(pictures),), holdout_pictures=1),
        method=replace(recipe.method, backbone_weights=backbone),
        schedule=replace(
            recipe.schedule,
            steps=STEPS,
            warmup_steps=1,
            checkpoint_every_steps=1,
            log_every_steps=1,
            stages=(StageConfig(crop_px=128, batch_pictures=2),),
        ),
        validation=ValidationConfig(every_steps=0, pictures=1, picture_px=128, sample_pictures=1),
    )


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    from PIL import Image as PillowImage

    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(3):
        coarse = random.integers(0, 256, (9, 9, 3), np.uint8)
        PillowImage.fromarray(coarse).resize((140, 132)).save(folder / f"{number}.png")
    return folder


@pytest.mark.parametrize("method", FILLING)
def test_every_method_trains_and_is_kept(method: str, pictures: Path, tmp_path: Path) -> None:
    recipe = small_recipe(method, pictures, tmp_path)
    told: list[str] = []
    checkpoint = train(recipe, tmp_path / "run", say=told.append)
    record = read_record(checkpoint)
    assert record["step"] == STEPS
    assert record["framework"] == method
    assert set(record["networks"]) == {"generator", *METHODS[method].networks}
    assert any(line.startswith(f"step {STEPS}: psnr/mean") for line in told)  # validated, without a detector

    fresh = load_network(tmp_path / "run" / "checkpoints" / "step-00000001", "generator")
    last = load_network(checkpoint, "generator")
    assert any(not torch.equal(a, b) for a, b in zip(fresh.parameters(), last.parameters(), strict=True))


def test_a_part_that_rests_has_no_gradient_to_look_at(pictures: Path, tmp_path: Path, monkeypatch) -> None:
    """The norm of no gradients would lie on the CPU wherever the run is, and torch does not stack across devices."""
    seen: list[set[str]] = []
    look = loop.check_finite

    def note(values, step: int) -> None:
        seen.append({key for key in values if key.endswith("gradient")})
        look(values, step)

    monkeypatch.setattr(loop, "check_finite", note)
    train(small_recipe("glcic", pictures, tmp_path), tmp_path / "run")  # the critic rests in the first phase
    assert seen == [{"generator's gradient"}, {"generator's gradient", "discriminator's gradient"}]


@pytest.mark.slow
@pytest.mark.parametrize("method", FILLING)
def test_every_method_becomes_a_model(method: str, pictures: Path, tmp_path: Path) -> None:
    recipe = small_recipe(method, pictures, tmp_path)
    recipe = replace(
        recipe, schedule=replace(recipe.schedule, steps=1), validation=replace(recipe.validation, pictures=0)
    )
    train(recipe, tmp_path / "run")
    report = export_run(tmp_path / "run", tmp_path / "model.onnx")
    assert report.max_abs_difference < 0.02
    engine = OnnxGenerator(tmp_path / "model.onnx", threads=1)
    step = engine.facts.multiple_of
    image = np.random.default_rng(1).random((max(step, engine.facts.minimum), 2 * max(step, engine.facts.minimum), 3))
    hole = np.zeros(image.shape[:2], np.float32)
    hole[5:20, 7:30] = 1
    filled = engine.fill(image.astype(np.float32), hole)
    assert filled.shape == image.shape
    assert np.isfinite(filled).all()


@pytest.mark.parametrize("name", [name for name in RECIPES if load_recipe(RECIPES[name]).method is not None])
def test_recipes_of_methods_are_whole(name: str) -> None:
    recipe = load_recipe(RECIPES[name])
    assert recipe.method is not None
    method_options(recipe.method.name, recipe.method.options)
    assert set(recipe.method.sizes) <= set(find_method(recipe.method.name).networks)
    entry = find_method(recipe.method.name)
    assert (recipe.generator is not None, recipe.damage is not None) == (entry.fills, entry.damages)
    own = name.removesuffix("-small").removesuffix("-places2") == recipe.method.name  # others may borrow a method
    assert recipe.generator is None or not own or recipe.generator.name == recipe.method.name
    text = RECIPES[name].read_text(encoding="utf-8")
    assert f"mendpix train recipes/{name}.toml" in text


def test_every_method_has_both_recipes() -> None:
    for method in FILLING:
        assert {f"{method}-small", f"{method}-places2"} <= RECIPES.keys()


def test_small_recipes_differ_in_method_network_and_optimiser_alone() -> None:
    """Equal pictures, holes, crops, batches: what is compared is the method."""
    found = {name: load_recipe(path) for name, path in RECIPES.items() if name.removesuffix("-small") in FILLING}
    found |= {name: load_recipe(RECIPES[name]) for name in ("gdn-det-small", "gdn-weight-small")}
    first = found["gdn-det-small"]
    for name, recipe in found.items():
        assert recipe.data == first.data, name
        assert recipe.masks == first.masks, name
        assert recipe.schedule == first.schedule, name
        assert recipe.seed == first.seed, name


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"method": {"name": "lama"}}, "method.name must be one of .*; got 'lama'"),
        (
            {"method": {"name": "isnet", "options": {"styles": 1.0}}},
            "options of the method isnet must be among .*styles",
        ),
        ({"method": {"name": "isnet", "options": {"style": "much"}}}, "option style of isnet must be of the kind of"),
        ({"method": {"name": "isnet", "sizes": {"rival": {}}}}, "method.sizes of isnet must be among discriminator"),
    ],
)
def test_wrong_methods_are_refused_in_words(changes, sentence: str, pictures: Path, tmp_path: Path) -> None:
    plain = {
        "name": "x",
        "data": {"pictures": [str(pictures)], "holdout_pictures": 1},
        "generator": {"name": "isnet", "sizes": {"base_channels": 4}},
        "schedule": {"steps": 1},
    }
    backbone = {"backbone_weights": str(write_small_squeezenet(tmp_path / "squeezenet.npz"))}
    recipe = parse_recipe(plain | {"method": changes["method"] | backbone})
    with pytest.raises(RecipeError, match=sentence):
        check_recipe(recipe)  # what --dry-run asks
    with pytest.raises(RecipeError, match=sentence):
        train(recipe, tmp_path / "run")


def test_a_recipe_has_a_detector_or_a_method() -> None:
    plain = {"name": "x", "data": {"pictures": ["."]}, "generator": {"name": "isnet"}, "schedule": {"steps": 1}}
    with pytest.raises(RecipeError, match="must have a detector, or a method that does without; it has neither"):
        parse_recipe(plain)
    with pytest.raises(RecipeError, match="it has both"):
        parse_recipe(plain | {"detector": {"name": "gdn-detector"}, "method": {"name": "isnet"}})


def test_gdns_objective_beside_a_method_is_refused() -> None:
    values = tomllib.loads(RECIPES["glcic-small"].read_text(encoding="utf-8"))
    with pytest.raises(RecipeError, match="must have no table objective"):
        parse_recipe(values | {"objective": {"squared": 0.5}})


def test_a_run_may_start_from_a_network_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    held = {
        "generator": build_network("isnet", {"base_channels": 4}),
        "discriminator": build_network("patchgan", {"base_channels": 4}),
    }
    save_network_file(tmp_path / "isnet.safetensors", held, {"generator": "isnet", "discriminator": "patchgan"}, {})
    config = NetworkConfig("isnet", {"base_channels": 4}, start=str(tmp_path / "isnet.safetensors"))
    built = build_part("generator", config, torch.device("cpu"))
    assert all(torch.equal(a, b) for a, b in zip(built.parameters(), held["generator"].parameters(), strict=True))


def test_averages_keep_directions_whole() -> None:
    network = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Conv2d(3, 4, 3))
    average = snapshot(network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1.0)
    network(torch.rand(1, 3, 8, 8))  # a power iteration
    update_average(average, network, halflife=100, pictures=10, seen=10_000)
    state = network.state_dict()
    assert torch.equal(average["parametrizations.weight.0._u"], state["parametrizations.weight.0._u"])
    assert not torch.equal(average["parametrizations.weight.original"], state["parametrizations.weight.original"])


def test_a_budget_may_count_any_clock(pictures: Path, tmp_path: Path) -> None:
    ticks = iter(range(100_000))
    recipe = small_recipe("pconv", pictures, tmp_path)
    recipe = replace(
        recipe, schedule=replace(recipe.schedule, steps=1000), validation=replace(recipe.validation, pictures=0)
    )
    checkpoint = train(recipe, tmp_path / "run", budget_s=20, clock=lambda: float(next(ticks)))
    assert 3 < read_record(checkpoint)["step"] < 20  # each step looks at the clock at least once
