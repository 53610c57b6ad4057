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

from mendpix.atomic_files import atomic_write
from mendpix.errors import OutputError
from mendpix.training.config import Recipe
from mendpix.training.recipes import format_recipe
from mendpix.types import FloatArray


class RunRecord:
    """Write what happens in a run where people and programs find it."""

    def __init__(self, folder: Path, recipe: Recipe, *, first_step: int, device: torch.device) -> None:
        """Open the run folder.

        Args:
            folder: The run's folder; made if missing.
            recipe: Written to `config.toml`.
            first_step: Step after which lines are new; later lines of an interrupted run are dropped.
            device: Where the networks are; its name goes to `run.json`.

        Raises:
            OutputError: If the folder cannot be made or written to.
        """
        self.folder = folder
        try:
            (folder / "samples").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"the run's folder {folder} cannot be made ({error.strerror}). Choose another with --out."
            ) from error
        with atomic_write(folder / "config.toml") as path:
            path.write_text(format_recipe(recipe), encoding="utf-8")
        facts = {
            "commit": _commit(),
            "seed": recipe.seed,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "threads": torch.get_num_threads(),
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "cpu",
        }
        with atomic_write(folder / "run.json") as path:
            path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        self._lines = folder / "metrics.jsonl"
        if self._lines.exists():
            lines = self._lines.read_text(encoding="utf-8").splitlines()
            with atomic_write(self._lines) as path:
                path.write_text("".join(f"{one}\n" for one in lines if _is_kept(one, first_step)), encoding="utf-8")
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=first_step + 1)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Append one line of numbers at a step.

        Raises:
            OutputError: If the disk is full or refuses.
        """
        rounded = {key: float(f"{value:.6g}") for key, value in values.items()}
        try:
            with self._lines.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, **rounded}) + "\n")
        except OSError as error:
            raise OutputError(
                f"{self._lines} could not be written ({error.strerror}). Make room, then go on with --resume."
            ) from error
        for key, value in values.items():
            self._board.add_scalar(key, value, step)
        self._board.flush()

    def write_grid(self, step: int, rows: list[list[FloatArray]]) -> Path:
        """Save rows of pictures (H, W, 3) in [0, 1] as one PNG; all of one size."""
        grid = np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0)
        target = self.folder / "samples" / f"step-{step:08d}.png"
        with atomic_write(target) as path:
            PillowImage.fromarray(np.rint(np.clip(grid, 0, 1) * 255).astype(np.uint8)).save(path)
        return target

    def close(self) -> None:
        """Close the TensorBoard file."""
        self._board.close()


def _is_kept(line: str, last_step: int) -> bool:
    """Tell whether a line of an earlier session stands; a torn one, from a machine that went down, does not."""
    try:
        return json.loads(line)["step"] <= last_step
    except (ValueError, KeyError, TypeError):
        return False


def _commit() -> str:
    """Return the commit of the source tree, with a mark if it was changed; empty if this file is in no repository."""
    folder = Path(__file__).parent

    def git(*words: str) -> str:
        done: subprocess.CompletedProcess[Any] = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        if not git("ls-files", Path(__file__).name):  # installed, perhaps somewhere inside another repository
            return ""
        commit = git("rev-parse", "HEAD")
        return f"{commit}-changed" if commit and git("status", "--porcelain", "--untracked-files=no") else commit
    except OSError:  # no git on this machine
        return ""
