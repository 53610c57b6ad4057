import contextlib
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mendpix.errors import CheckpointError, OutputError
from mendpix.networks.table import build_network
from mendpix.training.checkpoint import latest_checkpoint, load_network, read_record, save_checkpoint
from mendpix.training.config import Recipe
from mendpix.training.loop import train


class Killed(BaseException):
    """Stand in for SIGKILL: nothing catches it."""


def save(folder: Path, step: int) -> Path:
    network = build_network("scenes-detector", {"width_half": 4, "width_quarter": 4, "width_eighth": 4})
    target = folder / "checkpoints" / f"step-{step:08d}"
    save_checkpoint(
        target, weights={"detector": network.state_dict()}, networks={"detector": network},
        names={"detector": "scenes-detector"}, optimizers={}, state={"step": step},
    )  # fmt: skip
    return target


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


@pytest.mark.parametrize("function", [(os, "replace"), (shutil, "rmtree"), (os, "fsync")], ids=lambda pair: pair[1])
@pytest.mark.parametrize("survived", range(6))
def test_a_kill_while_writing_leaves_a_whole_newest_checkpoint(tmp_path: Path, monkeypatch, function, survived: int):
    save(tmp_path, 1)
    save(tmp_path, 2)
    calls = 0
    real = getattr(*function)

    def die(*arguments, **keywords):
        nonlocal calls
        calls += 1
        if calls > survived:
            if function == (shutil, "rmtree"):  # killed half-way
                next(iter(sorted(arguments[0].glob("*.safetensors")))).unlink()
            raise Killed
        return real(*arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(*function, die)
        with contextlib.suppress(Killed):
            save(tmp_path, 2)  # once more, as at the end of a run
    newest = latest_checkpoint(tmp_path)
    assert newest is not None
    assert read_record(newest)["step"] in (1, 2)
    load_network(newest, "detector")
    save(tmp_path, 3)
    assert set(names(tmp_path)) <= {"step-00000001", "step-00000002", "step-00000003"}  # nothing half-written stays


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path, monkeypatch):
    save(tmp_path, 1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="disk is full"):
        save(tmp_path, 2)
    assert names(tmp_path) == ["step-00000001"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99}'])
def test_a_record_that_is_none_is_named(tmp_path: Path, text: str):
    (save(tmp_path, 1) / "checkpoint.json").write_text(text)
    with pytest.raises(CheckpointError, match="step-00000001"):
        load_network(tmp_path, "detector")


def test_what_does_not_fit_is_named(tmp_path: Path):
    with pytest.raises(CheckpointError, match="holds none"):
        load_network(tmp_path, "detector")
    folder = save(tmp_path, 1)
    with pytest.raises(CheckpointError, match="must describe a generator"):
        load_network(tmp_path, "generator")
    record = (folder / "checkpoint.json").read_text()
    (folder / "checkpoint.json").write_text(record.replace('"width_half": 4', '"width_half": 8'))
    with pytest.raises(CheckpointError, match="do not fit"):
        load_network(tmp_path, "detector")


def test_loaded_weights_are_those_that_were_saved(tmp_path: Path):
    torch.manual_seed(1)
    folder = save(tmp_path, 1)
    torch.manual_seed(1)
    expected = build_network("scenes-detector", {"width_half": 4, "width_quarter": 4, "width_eighth": 4}).state_dict()
    found = load_network(folder, "detector")
    assert not found.training
    assert all(torch.equal(value, expected[key]) for key, value in found.state_dict().items())


def test_a_run_is_not_resumed_with_another_optimiser(tiny: Callable[..., Recipe], tmp_path: Path):
    recipe = tiny(steps=1)
    train(recipe, tmp_path / "run")
    other = replace(recipe, optimizer=replace(recipe.optimizer, name="muon"))
    with pytest.raises(CheckpointError, match=r"state of the optimisers generator:muon, generator, .*; it holds"):
        train(other, tmp_path / "run", resume=True)
