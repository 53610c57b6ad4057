"""A small validation set: six pictures, masks in three bins, and a protocol for them."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from PIL import Image

from mendpix.engines.interface import Facts
from mendpix.evaluation.measures import SET_MEASURES
from mendpix.evaluation.pairing import OpenProtocol, open_protocol
from mendpix.evaluation.protocol import load_protocol
from tiny_models import write_model

SIDE = 64

PROTOCOL = """
name = "tiny"

[pictures]
sources = ["pictures"]
fit = "exact"
size_px = [64, 64]

[masks]
sources = ["masks"]
pairing = "every-bin"
step = 1

[measure]
metrics = ["l1", "l1-hole", "psnr", "ssim-gaussian-11", "border-mae", "edge-ratio"]
"""


def draw_picture(path: Path, seed: int, side: int = SIDE, width: int | None = None) -> None:
    """Write slopes with a few blocks and some grain; square unless `width` says otherwise."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, : width or side]
    picture = np.stack([columns * 3, rows * 3, 200 - columns * 2], axis=2) + rng.integers(0, 30, (*rows.shape, 1))
    for _ in range(4 if min(rows.shape) > 10 else 0):
        top, left = rng.integers(0, side - 10), rng.integers(0, rows.shape[1] - 10)
        picture[top : top + 10, left : left + 10] = rng.integers(0, 255, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(path)


def draw_mask(path: Path, share: float, top: int, side: int = SIDE, width: int | None = None) -> None:
    """Write a mask whose hole is a band with this share of the picture."""
    mask = np.zeros((side, width or side), np.uint8)
    height = round(share * side)
    mask[top : top + height] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)


@pytest.fixture
def write_picture() -> Callable[..., None]:
    """Write a picture to a path: number, height in px, and width if it is another."""
    return draw_picture


@pytest.fixture
def write_mask() -> Callable[..., None]:
    """Write a mask to a path: share of the hole, where it begins, height in px, and width if it is another."""
    return draw_mask


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with pictures/, masks/ (two in each of the bins 0–0.1, 0.2–0.3, 0.5–0.6) and protocol.toml."""
    for number in range(6):
        draw_picture(tmp_path / "pictures" / f"{number}.png", number)
    for name, share in (("a", 0.05), ("b", 0.25), ("c", 0.55)):
        for number in range(2):
            draw_mask(tmp_path / "masks" / f"{name}{number}.png", share, 8 + 6 * number)
    (tmp_path / "protocol.toml").write_text(PROTOCOL, encoding="utf-8")
    return tmp_path


@pytest.fixture
def opened(place: Path) -> OpenProtocol:
    """The protocol of `place`."""
    return open_protocol(load_protocol(place / "protocol.toml"))


@pytest.fixture
def change(place: Path) -> Callable[..., OpenProtocol]:
    """Open the protocol of `place` with pieces of its text replaced."""

    def open_changed(*replacements: tuple[str, str]) -> OpenProtocol:
        text = PROTOCOL
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        (place / "changed.toml").write_text(text, encoding="utf-8")
        return open_protocol(load_protocol(place / "changed.toml"))

    return open_changed


@pytest.fixture
def least(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let measures of sets need fewer pairs: `least(fid=5)`."""

    def lower(**pairs: int) -> None:
        for name, count in pairs.items():
            key = name.replace("_", "-")
            monkeypatch.setitem(SET_MEASURES, key, dataclasses.replace(SET_MEASURES[key], least_pairs=count))

    return lower


@pytest.fixture(scope="session")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector file that takes the mean of R, G and B for the probability that a pixel was filled."""
    nodes = [helper.make_node("ReduceMean", ["image"], ["probability"], axes=[1], keepdims=1)]
    return write_model(
        tmp_path_factory.mktemp("models") / "brightness.onnx",
        nodes,
        facts=Facts("brightness", "detector", inputs=("image",)),
        inputs=("image",),
        output="probability",
    )
