"""The run folder: `config.toml`, `run.json`, `metrics.jsonl`, TensorBoard events, sample grids. Knows no networks."""

import json
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as PillowImage
from torch.utils.tensorboard.writer import SummaryWriter

from mendpix.training.config import Recipe, format_recipe
from mendpix.types import FloatArray


class RunRecord:
    """Write what happens in a run where people and programs find it."""

    def __init__(self, folder: Path, recipe: Recipe, *, first_step: int) -> None:
        """Open the run folder.

        Args:
            folder: The run's folder; made if missing.
            recipe: Written to `config.toml`.
            first_step: Step from which lines are new; later lines of an interrupted run are dropped.
        """
        self.folder = folder
        (folder / "samples").mkdir(parents=True, exist_ok=True)
        (folder / "config.toml").write_text(format_recipe(recipe), encoding="utf-8")
        facts = {
            "commit": _commit(),
            "seed": recipe.seed,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "threads": torch.get_num_threads(),
            "device": torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or "cpu",
        }
        (folder / "run.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        self._lines = folder / "metrics.jsonl"
        if self._lines.exists():
            kept = [line for line in self._lines.read_text().splitlines() if json.loads(line)["step"] <= first_step]
            self._lines.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=first_step)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Append one line of numbers at a step."""
        rounded = {key: float(f"{value:.6g}") for key, value in values.items()}
        with self._lines.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **rounded}) + "\n")
        for key, value in values.items():
            self._board.add_scalar(key, value, step)
        self._board.flush()

    def write_grid(self, step: int, rows: list[list[FloatArray]]) -> Path:
        """Save rows of pictures (H, W, 3) in [0, 1] as one PNG; all of one size."""
        grid = np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0)
        path = self.folder / "samples" / f"step-{step:08d}.png"
        PillowImage.fromarray(np.rint(np.clip(grid, 0, 1) * 255).astype(np.uint8)).save(path)
        return path

    def close(self) -> None:
        """Close the TensorBoard file."""
        self._board.close()


def _commit() -> str:
    """Return the commit of the source tree, with a mark if it was changed; empty outside a repository."""
    folder = Path(__file__).parent

    def git(*words: str) -> str:
        done: subprocess.CompletedProcess[Any] = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        commit = git("rev-parse", "HEAD")
        return f"{commit}-changed" if commit and git("status", "--porcelain", "--untracked-files=no") else commit
    except OSError:  # no git on this machine
        return ""
