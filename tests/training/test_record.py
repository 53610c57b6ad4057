import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mendpix.errors import OutputError
from mendpix.training.config import Recipe
from mendpix.training.recipes import load_recipe
from mendpix.training.record import RunRecord

CPU = torch.device("cpu")


def steps(folder: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_lines_after_the_checkpoint_and_torn_lines_are_dropped(tiny: Callable[..., Recipe], tmp_path: Path):
    first = RunRecord(tmp_path, tiny(), first_step=0, device=CPU)
    for step in range(1, 5):
        first.write(step, {"loss": 1 / 3})
    first.close()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "lo')  # the machine went down
    second = RunRecord(tmp_path, tiny(), first_step=3, device=CPU)
    assert steps(tmp_path) == [1, 2, 3]
    second.write(4, {"loss": 0.5})
    second.close()
    assert steps(tmp_path) == [1, 2, 3, 4]
    assert json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[0])["loss"] == 0.333333


def test_the_recorded_recipe_starts_the_same_run(tiny: Callable[..., Recipe], tmp_path: Path):
    RunRecord(tmp_path, tiny(), first_step=0, device=CPU).close()
    assert load_recipe(tmp_path / "config.toml") == tiny()


def test_the_device_is_the_one_that_trains(tiny: Callable[..., Recipe], tmp_path: Path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)  # a GPU that this run does not use
    RunRecord(tmp_path, tiny(), first_step=0, device=CPU).close()
    facts = json.loads((tmp_path / "run.json").read_text())
    assert facts["device"]
    assert facts["seed"] == 10


def test_a_journal_that_cannot_be_written_is_one_sentence(tiny: Callable[..., Recipe], tmp_path: Path):
    record = RunRecord(tmp_path, tiny(), first_step=0, device=CPU)
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(OutputError, match=r"metrics\.jsonl could not be written"):
        record.write(1, {"loss": 1.0})
    record.close()
