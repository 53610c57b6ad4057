"""Runs that learn from damage: loop, checkpoints, resuming, validation, export; and recipes that do not fit."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from mendpix.data.dataset import PictureStore
from mendpix.data.degrade import FAMILIES, KINDS, DamageSpec
from mendpix.engines.interface import FACTS_KEY, Facts
from mendpix.errors import CheckpointError, RecipeError
from mendpix.networks.mpn import MpnNetwork
from mendpix.training.checkpoint import load_network, read_record, read_tensors
from mendpix.training.config import MethodConfig, NetworkConfig, Recipe, StageConfig, ValidationConfig
from mendpix.training.export import export_run, kinds_of
from mendpix.training.loop import train
from mendpix.training.recipes import load_recipe, parse_recipe
from mendpix.training.validate_damage import (
    CANDIDATES,
    GROUPS,
    DamageSet,
    choose_thresholds,
    prepare_damage,
    validate_damage,
)
from mendpix.weights.network_file import load_network_file, save_network_file

ROOT = Path(__file__).parents[2]
WIDTHS = {"widths": [8, 8], "blocks": [1], "return_blocks": [1]}


@pytest.fixture
def small(pictures: Path) -> Callable[..., Recipe]:
    """Make a recipe of damage smaller, on the fixture's pictures."""

    def make(name: str = "damage", steps: int = 4, **options: object) -> Recipe:
        recipe = load_recipe(ROOT / "recipes" / f"{name}.toml")
        assert recipe.method is not None
        sizes = dict(recipe.method.sizes) | {"damage": {**recipe.method.sizes.get("damage", {}), **WIDTHS}}
        generator = None
        if recipe.generator is not None:
            generator = replace(recipe.generator, sizes={"edge_channels": 2, "edge_blocks": 1, "fill_width": 2})
        return replace(
            recipe,
            device="cpu",
            data=replace(recipe.data, pictures=(str(pictures),), holdout_pictures=1),
            generator=generator,
            method=replace(recipe.method, sizes=sizes, options={**recipe.method.options, **options}),
            schedule=replace(
                recipe.schedule, steps=steps, warmup_steps=1, checkpoint_every_steps=2, log_every_steps=1,
                stages=(StageConfig(crop_px=48, batch_pictures=2),),
            ),
            validation=ValidationConfig(every_steps=0, pictures=1, picture_px=64, sample_pictures=2),
        )  # fmt: skip

    return make


def tensors(checkpoint: Path) -> dict[str, Tensor]:
    return {
        f"{path.stem}/{key}": value
        for path in checkpoint.glob("*.safetensors")
        for key, value in read_tensors(path).items()
    }


@pytest.mark.parametrize("name", ["damage", "informed-small"])
def test_a_run_trains_is_watched_and_resumes_to_the_same_weights(name: str, small, tmp_path: Path):
    told: list[str] = []
    through = train(small(name), tmp_path / "through", say=told.append)
    record = read_record(through)
    assert (record["step"], record["framework"]) == (4, name.removesuffix("-small"))
    parts = {"damage"} if name == "damage" else {"generator", "damage", "edge_discriminator", "discriminator"}
    assert set(record["networks"]) == parts
    assert len(record["thresholds"]) == (5 if name == "damage" else 1)
    assert any(line.startswith("step 4: ") and "ap/mean" in line for line in told)
    last = json.loads((tmp_path / "through" / "metrics.jsonl").read_text().splitlines()[-1])
    assert {"validation/iou/wear", "validation/ap/noise", "validation/marked/clean"} <= last.keys()
    assert ("validation/psnr_edges/mean" in last) == (name != "damage")
    assert list((tmp_path / "through" / "samples").glob("*.png"))

    train(replace(small(name), schedule=replace(small(name).schedule, steps=4)), tmp_path / "again")
    # Go back to the checkpoint in the middle, as after a kill.
    for path in (tmp_path / "again" / "checkpoints" / "step-00000004").iterdir():
        path.unlink()
    resumed = train(small(name), tmp_path / "again", resume=True)
    found = tensors(resumed)
    for key, value in tensors(through).items():
        assert torch.equal(found[key], value), key


def test_the_finder_of_a_run_becomes_a_model_without_torch(small, tmp_path: Path):
    last = train(small(steps=2), tmp_path / "run")
    report = export_run(tmp_path / "run", tmp_path / "damage.onnx", "damage")
    assert report.max_abs_difference < 0.01
    metadata = {entry.key: entry.value for entry in onnx.load(tmp_path / "damage.onnx").metadata_props}
    facts = Facts.from_json(metadata[FACTS_KEY])
    assert (facts.kind, facts.inputs, facts.kinds) == ("damage", ("image",), KINDS)
    assert facts.thresholds == tuple(read_record(last)["thresholds"])
    session = onnxruntime.InferenceSession(tmp_path / "damage.onnx")
    network = load_network(tmp_path / "run", "damage")
    for height, width in ((4, 8), (68, 100)):
        image = torch.rand(1, 3, height, width)
        (found,) = session.run(["damage"], {"image": image.numpy()})
        with torch.no_grad():
            assert np.abs(found - network(image).numpy()).max() < 0.01
    with pytest.raises(CheckpointError, match="must describe a generator"):
        export_run(tmp_path / "run", tmp_path / "x.onnx")


@pytest.mark.slow
def test_a_filling_run_gives_both_models(small, tmp_path: Path):
    train(small("informed-small", steps=1), tmp_path / "run")
    finder = export_run(tmp_path / "run", tmp_path / "damage.onnx", "damage")
    assert finder.facts.kinds == ("damage",)
    generator = export_run(tmp_path / "run", tmp_path / "fill.onnx")
    assert (generator.facts.kind, generator.facts.inputs) == ("generator", ("image", "hole", "edges"))
    assert generator.facts.kinds == generator.facts.thresholds == ()


def test_a_learnt_finder_starts_another_run(small, tmp_path: Path):
    train(small("informed-small", steps=1), tmp_path / "run")
    learnt = load_network(tmp_path / "run", "damage")
    save_network_file(tmp_path / "finder.safetensors", {"damage": learnt}, {"damage": "mpn"}, {})
    assert isinstance(load_network_file(tmp_path / "finder.safetensors", "damage"), MpnNetwork)
    recipe = small("informed-small", steps=1, mask_share=0.0)
    start = {"damage": str(tmp_path / "finder.safetensors")}
    last = train(replace(recipe, method=replace(recipe.method, start=start)), tmp_path / "next")
    for one, other in zip(learnt.parameters(), load_network(last, "damage").parameters(), strict=True):
        assert torch.equal(one, other)  # it rests in the phase edges alone


def test_paths_of_starts_begin_at_the_recipe(tmp_path: Path):
    text = (ROOT / "recipes" / "informed-small.toml").read_text()
    (tmp_path / "r.toml").write_text(text + '\n[method.start]\ndamage = "finder.safetensors"\n')
    recipe = load_recipe(tmp_path / "r.toml")
    assert recipe.method is not None
    assert recipe.method.start == {"damage": str(tmp_path / "finder.safetensors")}


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("damage", {"damage": None}, "method damage must have a table damage; it has none"),
        ("damage", {"generator": NetworkConfig("isnet")}, "method damage must have no table generator; it has one"),
        ("informed-small", {"generator": None}, "method informed must have a table generator; it has none"),
        ("damage", {"method": MethodConfig("damage", start={"edge": "x"})}, "method.start of damage must be among"),
        ("damage", {"method": MethodConfig("damage", sizes={"edge": {}})}, "method.sizes of damage must be among"),
        ("damage", {"method": MethodConfig("damage", sizes={"damage": {"kinds": 3}})}, "kinds of the network must be"),
    ],
)
def test_recipes_that_do_not_fit_their_method(name: str, change, words: str, small, tmp_path: Path):
    with pytest.raises(RecipeError, match=words):
        train(replace(small(name, steps=1), **change), tmp_path / "run")


def test_damage_without_a_method_and_nothing_to_train_are_refused():
    plain = {"name": "x", "data": {"pictures": ["."]}, "schedule": {"steps": 1}}
    with pytest.raises(RecipeError, match="recipe must have the key 'generator', or a method"):
        parse_recipe(plain | {"detector": {"name": "gdn-detector"}})
    both = {"generator": {"name": "scenes"}, "detector": {"name": "scenes-detector"}, "damage": {}}
    with pytest.raises(RecipeError, match="damage must come with a method"):
        parse_recipe(plain | both)
    with pytest.raises(RecipeError, match="a family of damage must be one of"):
        parse_recipe(plain | {"method": {"name": "damage"}, "damage": {"families": ["rust"]}})


class Oracle(nn.Module):
    """Say what is destroyed of the samples of a set, in turn."""

    def __init__(self, chosen: DamageSet, share: float = 1.0) -> None:
        super().__init__()
        self.answers = [torch.from_numpy(sample.destroyed) * share for sample in chosen.samples]
        self.turn = 0

    def forward(self, image: Tensor) -> Tensor:
        self.turn += 1
        return self.answers[self.turn - 1]

    def logits(self, image: Tensor) -> Tensor:
        return torch.logit(self(image).clamp(1e-6, 1 - 1e-6))


@pytest.fixture
def watched(pictures: Path) -> DamageSet:
    config = ValidationConfig(pictures=2, picture_px=64, sample_pictures=3)
    return prepare_damage(PictureStore.open([pictures]), config, DamageSpec(families=("dust",)), seed=1)


def test_every_picture_is_shown_with_each_kind_and_whole(watched: DamageSet, pictures: Path):
    assert (*KINDS, "clean") == GROUPS
    assert len(watched.samples) == 2 * len(GROUPS)
    for number, sample in enumerate(watched.samples):
        group = GROUPS[number % len(GROUPS)]
        there = {kind for kind, plane in zip(KINDS, sample.destroyed[0], strict=True) if plane.any()}
        assert there == ({group} if group != "clean" else set())  # families that training lacks are shown, too
    config = ValidationConfig(pictures=2, picture_px=64)
    again = prepare_damage(PictureStore.open([pictures]), config, DamageSpec(), seed=1)
    assert all(
        np.array_equal(one.damaged, other.damaged) for one, other in zip(watched.samples, again.samples, strict=True)
    )
    assert set(FAMILIES.values()) == set(KINDS)


def test_the_truth_scores_best_and_its_thresholds_are_low(watched: DamageSet):
    finder = Oracle(watched).train()
    scores, rows = validate_damage({"damage": finder}, watched, device=torch.device("cpu"), autocast=nullcontext)
    assert finder.training
    for kind in KINDS:
        assert scores[f"validation/soft_iou/{kind}"] == pytest.approx(1, abs=1e-3)
        assert scores[f"validation/ap/{kind}"] == pytest.approx(1)
    assert scores["validation/soft_iou/mean"] == pytest.approx(1, abs=1e-3)
    assert scores["validation/marked/clean"] == scores["validation/changed/clean"] == 0
    assert (len(rows), len(rows[0])) == (3, 4)
    found = choose_thresholds(Oracle(watched), watched, torch.device("cpu"))
    assert found == (0.1,) * len(KINDS)  # the share from which on a pixel counts as destroyed


def test_a_finder_that_marks_everything_gets_the_highest_thresholds(watched: DamageSet):
    finder = Oracle(watched)
    finder.answers = [torch.ones_like(answer) for answer in finder.answers]
    assert choose_thresholds(finder, watched, torch.device("cpu")) == (CANDIDATES[-1],) * len(KINDS)
    finder.turn = 0
    scores, _ = validate_damage({"damage": finder}, watched, device=torch.device("cpu"), autocast=nullcontext)
    assert scores["validation/changed/clean"] == 1


def test_channels_have_names():
    assert (kinds_of(5), kinds_of(1)) == (KINDS, ("damage",))
    with pytest.raises(CheckpointError, match="must have 1 channel or one for each"):
        kinds_of(3)
