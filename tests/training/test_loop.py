import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mendpix.data.batches import SilhouetteSpec
from mendpix.data.guides import GuideSpec
from mendpix.errors import CheckpointError, OutputError, RecipeError, TrainingError
from mendpix.training import loop, parts
from mendpix.training.checkpoint import latest_checkpoint, load_network, read_record
from mendpix.training.config import AdversarialConfig, Recipe, StageConfig
from mendpix.training.loop import stage_at, train
from mendpix.training.recipes import format_recipe, load_recipe

MakeRecipe = Callable[..., Recipe]


SMALL_RIVAL = AdversarialConfig(sizes={"base_channels": 4})


def lines(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def tensors(checkpoint: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}
    for path in sorted(checkpoint.glob("*.safetensors")):
        found |= {f"{path.stem}:{key}": value for key, value in load_file(path).items()}
    return found


@pytest.mark.parametrize(
    ("optimizer", "framework"),
    [("adamw", "det"), pytest.param("muon", "weight", marks=pytest.mark.slow), ("muon", "adv")],
)
def test_a_killed_run_resumes_to_the_same_weights(
    tiny: MakeRecipe, tmp_path: Path, monkeypatch, optimizer: str, framework: str
):
    recipe = tiny(steps=8, framework=framework, adversarial=SMALL_RIVAL)
    recipe = replace(recipe, optimizer=replace(recipe.optimizer, name=optimizer))
    through = train(recipe, tmp_path / "through")

    real = parts.compute_gradients

    def die_at_six(*arguments, step: int, **keywords):
        if step == 6:
            raise KeyboardInterrupt
        return real(*arguments, step=step, **keywords)

    monkeypatch.setattr(parts, "compute_gradients", die_at_six)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "killed")
    monkeypatch.setattr(parts, "compute_gradients", real)
    stopped = latest_checkpoint(tmp_path / "killed")
    assert stopped is not None
    assert read_record(stopped)["step"] == 4
    assert max(line["step"] for line in lines(tmp_path / "killed")) == 6
    resumed = train(recipe, tmp_path / "killed", resume=True)

    expected, got = tensors(through), tensors(resumed)
    assert expected.keys() == got.keys()
    for key, value in expected.items():
        assert torch.equal(value, got[key]), key
    clock = "training/spent_s"
    assert [{k: v for k, v in line.items() if k != clock} for line in lines(tmp_path / "through")] == [
        {k: v for k, v in line.items() if k != clock} for line in lines(tmp_path / "killed")
    ]


def test_a_kill_between_validation_and_checkpoint_loses_and_doubles_no_line(
    tiny: MakeRecipe, tmp_path: Path, monkeypatch
):
    recipe = tiny(steps=8)
    recipe = replace(recipe, validation=replace(recipe.validation, every_steps=4))
    train(recipe, tmp_path / "through")
    real = loop.save_checkpoint

    def die_at_eight(folder: Path, **keywords):
        if folder.name == "step-00000008":
            raise KeyboardInterrupt
        real(folder, **keywords)

    monkeypatch.setattr(loop, "save_checkpoint", die_at_eight)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "killed")
    monkeypatch.setattr(loop, "save_checkpoint", real)
    train(recipe, tmp_path / "killed", resume=True)
    steps = [[(line["step"], len(line)) for line in lines(tmp_path / name)] for name in ("through", "killed")]
    assert steps[0] == steps[1]
    assert [step for step, _ in steps[0]] == [1, 2, 3, 4, 4, 5, 6, 7, 8, 8]


def test_a_finished_run_is_left_alone_until_it_is_made_longer(tiny: MakeRecipe, tmp_path: Path):
    run = tmp_path / "run"
    last = train(tiny(steps=4), run)
    before = (run / "metrics.jsonl").read_text(), (last / "checkpoint.json").stat().st_mtime_ns
    said: list[str] = []
    assert train(tiny(steps=4), run, resume=True, say=said.append) == last
    assert ((run / "metrics.jsonl").read_text(), (last / "checkpoint.json").stat().st_mtime_ns) == before
    assert any("finished" in line for line in said)
    assert read_record(train(tiny(steps=6), run, resume=True))["step"] == 6


def test_a_resumed_run_leaves_the_old_checkpoint_as_it_was(tiny: MakeRecipe, tmp_path: Path):
    """Weights are read by mapping the file into memory; what is trained on must not be written back into it."""
    first = train(tiny(steps=4), tmp_path / "run")
    before = {path.name: path.read_bytes() for path in first.iterdir()}
    train(tiny(steps=7), tmp_path / "run", resume=True)
    assert {path.name: path.read_bytes() for path in first.iterdir()} == before


def start(launcher: list[str], recipe: Path, run: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Train in processes of their own: `launcher` is what follows the interpreter's name."""
    return subprocess.run(
        [sys.executable, *launcher, "train", recipe, "--out", run, *more],
        env={**os.environ, "PYTHONPATH": str(Path(loop.__file__).parents[2]), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


DYING = """
import os, signal
from mendpix.cli.app import main
from mendpix.training import parts

real = parts.compute_gradients

def compute_gradients(*arguments, step, **keywords):
    if step == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, step=step, **keywords)

parts.compute_gradients = compute_gradients
main()
"""

TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "mendpix"]


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["det", "adv"])
def test_two_processes_train_as_one_does_and_resume(tiny: MakeRecipe, tmp_path: Path, framework: str):
    """The same loss curve and weights, whoever starts the processes, and across an interruption."""
    recipe = tiny(steps=6, other_fills_share=0.5, framework=framework, adversarial=SMALL_RIVAL)
    stages = (StageConfig(crop_px=32, batch_pictures=4, until=0.5), StageConfig(crop_px=48, batch_pictures=2))
    recipe = replace(recipe, schedule=replace(recipe.schedule, stages=stages, checkpoint_every_steps=2, decay="none"))
    alone = train(recipe, tmp_path / "alone")

    path = tmp_path / "two.toml"
    path.write_text(format_recipe(replace(recipe, devices=2)))

    # With Fabric's own launcher, until both processes are killed before the fifth step.
    dying = tmp_path / "dying.py"
    dying.write_text(DYING)
    done = start([str(dying)], path, tmp_path / "two")
    assert done.returncode != 0
    assert done.stdout.count("pictures to train on") == 1  # only one of them talks
    killed = latest_checkpoint(tmp_path / "two")
    assert killed is not None
    assert read_record(killed)["step"] == 4

    # Then under torchrun, which counts its processes itself, or in one process.
    path.write_text(format_recipe(recipe))
    if framework == "det":
        done = start(TORCHRUN, path, tmp_path / "two", "--resume")
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("resumed at step 4") == 1
    else:
        train(recipe, tmp_path / "two", resume=True)

    together = latest_checkpoint(tmp_path / "two")
    assert together is not None
    assert read_record(together)["processes"] == (2 if framework == "det" else 1)
    expected, got = tensors(alone), tensors(together)
    assert expected.keys() == got.keys()
    assert any(key.startswith("discriminator:") for key in got) == (framework == "adv")
    for key, value in expected.items():
        torch.testing.assert_close(got[key], value, rtol=1e-3, atol=1e-5, msg=key)
    curves = [[line for line in lines(tmp_path / name) if "training/generator" in line] for name in ("alone", "two")]
    assert [line["step"] for line in curves[0]] == [line["step"] for line in curves[1]] == [1, 2, 3, 4, 5, 6]
    for one, other in zip(*curves, strict=True):
        for key in ("training/generator", "training/detector", "training/weighted_l1"):
            assert other[key] == pytest.approx(one[key], rel=1e-3), key


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_numbers_that_are_not_finite_end_the_run_before_a_checkpoint_is_spoilt(
    tiny: MakeRecipe, tmp_path: Path, monkeypatch, where: str
):
    real = parts.compute_gradients

    def spoil(networks, *arguments, step: int, **keywords):
        values = real(networks, *arguments, step=step, **keywords)
        if step == 7 and where == "gradient":
            next(networks.detector.parameters()).grad.fill_(float("nan"))
        return {**values, "generator": torch.tensor(float("inf"))} if step == 7 and where == "loss" else values

    monkeypatch.setattr(parts, "compute_gradients", spoil)
    recipe = tiny(steps=9)
    recipe = replace(recipe, optimizer=replace(recipe.optimizer, clip_norm=0.0))
    with pytest.raises(TrainingError, match=r"must stay finite; at step 7 .* (inf|nan)"):
        train(recipe, tmp_path / "run")
    newest = latest_checkpoint(tmp_path / "run")
    assert newest == tmp_path / "run" / "checkpoints" / "step-00000004"
    assert all(bool(value.isfinite().all()) for value in tensors(newest).values())


def test_sizes_that_do_not_fit_are_found_before_training(tiny: MakeRecipe, tmp_path: Path):
    recipe = tiny(steps=2)
    wrong = replace(recipe, validation=replace(recipe.validation, picture_px=60))
    with pytest.raises(
        RecipeError, match="picture_px must be a multiple of 8 and at least 8 for this generator; got 60"
    ):
        train(wrong, tmp_path / "run")
    wrong = replace(recipe, schedule=replace(recipe.schedule, stages=(StageConfig(crop_px=36, batch_pictures=1),)))
    with pytest.raises(RecipeError, match="crop_px must be a multiple of 8"):
        train(wrong, tmp_path / "run")
    with pytest.raises(RecipeError, match="batch_pictures must be a multiple of the 2 processes; got 3"):
        train(replace(recipe, devices=2), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_devices_that_are_not_there_are_named(tiny: MakeRecipe, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(RecipeError, match=r"asks for 1 CUDA device\(s\); this machine has 0"):
        train(replace(tiny(steps=1), device="cuda"), tmp_path / "run")


def test_a_run_without_sample_pictures_draws_none(tiny: MakeRecipe, tmp_path: Path):
    recipe = tiny(steps=1)
    train(replace(recipe, validation=replace(recipe.validation, sample_pictures=0)), tmp_path / "run")
    assert "validation/psnr/mean" in lines(tmp_path / "run")[-1]
    assert not list((tmp_path / "run" / "samples").iterdir())


def test_a_place_that_cannot_hold_a_run_is_named(tiny: MakeRecipe, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/run cannot be made"):
        train(tiny(steps=1), tmp_path / "file" / "run")


def test_the_smoke_recipe_trains_in_under_a_minute_and_learns_the_photo(tmp_path: Path):
    recipe = load_recipe(Path(__file__).parents[2] / "recipes" / "smoke.toml")
    started = time.perf_counter()
    train(recipe, tmp_path / "run")
    assert time.perf_counter() - started < 60
    error = [line["training/weighted_l1"] for line in lines(tmp_path / "run")]
    detector = [line["training/detector"] for line in lines(tmp_path / "run")]
    assert np.mean(error[-2:]) < error[0]
    assert np.mean(detector[-2:]) < detector[0]


@pytest.mark.slow
def test_a_run_learns_to_beat_its_first_fill(tiny: MakeRecipe, tmp_path: Path):
    recipe = tiny(steps=120, squared=1.0)
    recipe = replace(recipe, optimizer=replace(recipe.optimizer, name="muon", muon_lr=5e-3))
    recipe = replace(recipe, schedule=replace(recipe.schedule, checkpoint_every_steps=1000))
    train(recipe, tmp_path / "run")
    squared = [line["training/squared"] for line in lines(tmp_path / "run") if "training/squared" in line]
    assert np.mean(squared[-40:]) < 0.85 * np.mean(squared[:20])  # 1 = as good as the harmonic fill


def test_the_run_folder_holds_what_people_look_for(tiny: MakeRecipe, tmp_path: Path):
    said: list[str] = []
    last = train(tiny(), tmp_path / "run", say=said.append)
    run = tmp_path / "run"
    assert {path.name for path in run.iterdir()} == {
        "config.toml", "run.json", "metrics.jsonl", "samples", "checkpoints", "tensorboard",
    }  # fmt: skip
    assert [path.name for path in sorted((run / "checkpoints").iterdir())] == ["step-00000004", "step-00000008"]
    assert last == run / "checkpoints" / "step-00000008"
    assert list((run / "tensorboard").iterdir())
    assert list((run / "samples").glob("*.png"))
    final = lines(run)[-1]
    assert {"validation/psnr/10", "validation/psnr/60", "validation/ssim/mean", "validation/l1/mean"} <= final.keys()
    assert json.loads((run / "run.json").read_text())["seed"] == 10
    assert any("psnr" in line for line in said)


def test_a_run_is_never_overwritten(tiny: MakeRecipe, tmp_path: Path):
    train(tiny(steps=1), tmp_path / "run")
    with pytest.raises(RecipeError, match="holds a run"):
        train(tiny(steps=1), tmp_path / "run")


def test_a_budget_ends_the_run_with_the_schedule_done(tiny: MakeRecipe, tmp_path: Path):
    last = train(tiny(steps=10_000_000), tmp_path / "run", budget_s=3)
    record = read_record(last)
    assert 1 < record["step"] < 10_000
    assert 3 <= record["spent_s"] < 15


def test_checkpoints_load_into_networks_of_the_recorded_size(tiny: MakeRecipe, tmp_path: Path):
    train(tiny(steps=2), tmp_path / "run")
    generator = load_network(tmp_path / "run", "generator")
    detector = load_network(tmp_path / "run", "detector")
    assert not generator.training
    image, hole = torch.rand(1, 3, 16, 24), torch.zeros(1, 1, 16, 24)
    hole[..., 4:9, 5:12] = 1
    filled = generator(image, hole, torch.rand(1, 6, 16, 24))
    assert filled.shape == image.shape
    assert torch.equal(filled[:, :, :4], image[:, :, :4])
    assert detector(image).shape == (1, 2, 16, 24)


def test_the_published_network_trains_too(tiny: MakeRecipe, tmp_path: Path):
    recipe = tiny(steps=2, relative=False, other_fills_share=0.0)
    recipe = replace(
        recipe,
        generator=replace(recipe.generator, name="gdn", sizes={"base_channels": 4, "residual_blocks": 1}),
        detector=replace(recipe.detector, name="gdn-detector", sizes={"base_channels": 4}),
    )
    train(recipe, tmp_path / "run")
    assert lines(tmp_path / "run")[-1]["validation/psnr/mean"] > 0


def test_unknown_networks_and_sizes_are_named(tiny: MakeRecipe, tmp_path: Path):
    recipe = tiny(steps=1)
    for generator, words in (
        (replace(recipe.generator, name="scenery"), "generator must be one of .*gdn, .*scenes; got 'scenery'"),
        (replace(recipe.generator, name="gdn-detector"), "generator must be one of .*gdn, .*scenes; got"),
        (replace(recipe.generator, sizes={"breadth": 3}), "sizes of scenes must be among width_half"),
        (
            replace(recipe.generator, sizes={"width_half": "3"}),
            "width_half of scenes must be of the kind of 32; got '3'",
        ),
        (replace(recipe.generator, sizes={"dilations": 2}), "dilations of scenes must be of the kind of"),
        (replace(recipe.generator, sizes={"width_half": 0}), "sizes of scenes: .* at least 1; got 0"),
    ):
        with pytest.raises(RecipeError, match=words):
            train(replace(recipe, generator=generator), tmp_path / "run")


def test_stages_follow_the_share_done(tiny: MakeRecipe):
    schedule = tiny().schedule
    assert [stage_at(schedule, share).crop_px for share in (0.0, 0.49, 0.5, 1.0)] == [32, 32, 48, 48]


@pytest.mark.parametrize(
    ("framework", "words"), [("weight", "resumed with its framework, det; the recipe has weight"), ("adv", "must hold")]
)
def test_a_run_is_not_resumed_with_another_framework(tiny: MakeRecipe, tmp_path: Path, framework: str, words: str):
    train(tiny(steps=2), tmp_path / "run")
    with pytest.raises(CheckpointError, match=words):
        train(tiny(steps=4, framework=framework, adversarial=SMALL_RIVAL), tmp_path / "run", resume=True)


def test_a_harmoniser_makes_its_exemplar_fills_once_and_resumes(tiny: MakeRecipe, tmp_path: Path, monkeypatch):
    recipe = tiny(steps=8, gradient=1.0)
    recipe = replace(
        recipe,
        data=replace(recipe.data, exemplar_fills=2, exemplar_px=64),
        guides=GuideSpec(share=0.8, exemplar=0.5),
        silhouettes=SilhouetteSpec(share=0.5),
    )
    through = train(recipe, tmp_path / "through")
    assert sorted(path.name for path in (tmp_path / "through" / "fills").iterdir()) == [
        "fill-00000.npz",
        "fill-00001.npz",
    ]
    real = parts.compute_gradients

    def die_at_six(*arguments, step: int, **keywords):
        if step == 6:
            raise KeyboardInterrupt
        return real(*arguments, step=step, **keywords)

    monkeypatch.setattr(parts, "compute_gradients", die_at_six)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "killed")
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "killed" / "fills").iterdir()}
    monkeypatch.setattr(parts, "compute_gradients", real)
    resumed = tensors(train(recipe, tmp_path / "killed", resume=True))
    for key, value in tensors(through).items():
        assert torch.equal(resumed[key], value), key
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert any("validation/texture_guide/mean" in line for line in lines(tmp_path / "killed"))
