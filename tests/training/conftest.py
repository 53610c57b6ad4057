from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage

from mendpix.training.config import Recipe, StageConfig, ValidationConfig
from mendpix.training.recipes import load_recipe

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of four smooth coloured pictures."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    y, x = np.mgrid[:80, :96].astype(np.float32)
    for number in range(4):
        waves = [np.sin(x / (7 + number) + c) * np.cos(y / (9 - number) + number) for c in range(3)]
        pixels = np.rint((np.stack(waves, 2) * 0.4 + 0.5) * 255).astype(np.uint8)
        PillowImage.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def tiny(pictures: Path) -> Callable[..., Recipe]:
    """Make the smoke recipe smaller still, on the fixture's pictures."""

    def make(steps: int = 8, **objective: object) -> Recipe:
        recipe = load_recipe(ROOT / "recipes" / "smoke.toml")
        stages = (StageConfig(crop_px=32, batch_pictures=3, until=0.5), StageConfig(crop_px=48, batch_pictures=2))
        return replace(
            recipe,
            data=replace(recipe.data, pictures=(str(pictures),), holdout_pictures=1),
            schedule=replace(
                recipe.schedule,
                steps=steps,
                warmup_steps=2,
                checkpoint_every_steps=4,
                log_every_steps=1,
                stages=stages,
            ),
            validation=ValidationConfig(every_steps=0, pictures=1, picture_px=64, sample_pictures=2),
            objective=replace(recipe.objective, **objective),  # type: ignore[arg-type]
        )

    return make
