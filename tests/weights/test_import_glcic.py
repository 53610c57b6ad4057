"""GLCIC as its port saves it: files are made in that layout, from names and shapes."""

import importlib.util
import json
import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from typer.testing import CliRunner  # noqa: E402 - torch is an extra

from mendpix.cli.app import main  # noqa: E402
from mendpix.errors import CheckpointError  # noqa: E402
from mendpix.weights.convert.glcic import read_glcic  # noqa: E402
from mendpix.weights.network_file import load_network_file  # noqa: E402

GOLDEN = Path(__file__).parents[1] / "golden"


def load_fill() -> Any:
    """Import the golden files' recipe by its place."""
    spec = importlib.util.spec_from_file_location("golden_fill", GOLDEN / "fill.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fill = load_fill()


def norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    """Name the tensors of a batch norm."""
    return {
        **{f"{name}.{kind}": (width,) for kind in ("weight", "bias", "running_mean", "running_var")},
        f"{name}.num_batches_tracked": (),
    }


def completion_shapes(base: int = 2) -> dict[str, tuple[int, ...]]:
    """Name the tensors of the completion network."""
    widths = [4, base, *[2 * base] * 2, *[4 * base] * 9, *[2 * base] * 2, base, base // 2, 3]
    found: dict[str, tuple[int, ...]] = {}
    for number, (before, after) in enumerate(pairwise(widths), 1):
        up = number in (13, 15)
        size = 5 if number == 1 else 4 if up else 3
        name = f"{'deconv' if up else 'conv'}{number}"
        found[f"{name}.weight"] = (before, after, size, size) if up else (after, before, size, size)
        found[f"{name}.bias"] = (after,)
        found |= norm(f"bn{number}", after) if number < 17 else {}
    return found


def critic_shapes(base: int = 2, hidden: int = 3, local: int = 1, whole: int = 2, layers: int = 5) -> dict[str, Any]:
    """Name the tensors of the critic; `local` and `whole` are sides in pixels after all halvings."""
    found: dict[str, tuple[int, ...]] = {"linear1.weight": (1, 2 * hidden), "linear1.bias": (1,)}
    for part, side, count in (("model_ld", local, 5), ("model_gd", whole, layers)):
        widths = [3, *(base * min(2**layer, 8) for layer in range(count))]
        for number in range(1, count + 1):
            found[f"{part}.conv{number}.weight"] = (widths[number], widths[number - 1], 5, 5)
            found[f"{part}.conv{number}.bias"] = (widths[number],)
            found |= norm(f"{part}.bn{number}", widths[number])
        found[f"{part}.linear{count + 1}.weight"] = (hidden, widths[-1] * side * side)
        found[f"{part}.linear{count + 1}.bias"] = (hidden,)
    return found


def published(of: dict[str, tuple[int, ...]], seed: int = 1) -> dict[str, Any]:
    return {name: torch.from_numpy(np.asarray(value)) for name, value in fill.weights(of, seed).items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as the port leaves it."""
    made = tmp_path / "trained"
    made.mkdir()
    torch.save(published(completion_shapes()), made / "model_cn")
    torch.save(published(critic_shapes()), made / "model_cd")
    (made / "config.json").write_text(json.dumps({"mpv": [0.5, 0.45, 0.4], "alpha": 4e-4}))
    return made


def test_the_published_results_come_out(tmp_path: Path) -> None:
    with np.load(GOLDEN / "glcic-completion-1.npz") as file:
        meta, expected = json.loads(str(file["meta"])), file["output_0"]
    torch.save(published({key: tuple(shape) for key, shape in meta["shapes"].items()}), tmp_path / "model_cn")
    network = read_glcic(tmp_path / "model_cn").networks["generator"]
    height, width = expected.shape[2:]
    with torch.no_grad():
        found = network(
            torch.from_numpy(fill.picture(1, (1, 3, height, width))), torch.from_numpy(fill.hole(height, width))
        )
    assert np.abs(found.numpy() - expected).max() <= 1e-4 * np.abs(expected).max()


def test_both_networks_and_the_colour_of_holes(folder: Path) -> None:
    imported = read_glcic(folder)
    assert imported.names == {"generator": "glcic", "discriminator": "glcic-discriminator"}
    assert imported.sizes("generator") == {"base_channels": 2, "hole_rgb": (0.5, 0.45, 0.4), "norm_first": False}
    assert imported.sizes("discriminator") == {
        "base_channels": 2, "hidden": 3, "local_px": 32, "global_px": 64, "global_layers": 5, "norm_first": False,
    }  # fmt: skip
    assert imported.used == len(completion_shapes()) + len(critic_shapes())
    assert imported.ignored == {}
    image = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    hole = torch.zeros(2, 1, 64, 64)
    hole[..., 20:30, 8:40] = 1
    with torch.no_grad():
        assert imported.networks["discriminator"](image, hole).shape == (2, 1)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({"base": 1, "hidden": 2, "local": 3, "whole": 5}, (96, 160, 5)),
        ({"base": 1, "hidden": 2, "local": 4, "whole": 4, "layers": 6}, (128, 256, 6)),
    ],
)
def test_critics_of_other_sizes(tmp_path: Path, sizes: dict[str, int], expected: tuple[int, ...]) -> None:
    torch.save(published(critic_shapes(**sizes)), tmp_path / "model_cd")
    imported = read_glcic(tmp_path / "model_cd")
    found = imported.sizes("discriminator")
    assert (found["local_px"], found["global_px"], found["global_layers"]) == expected
    assert list(imported.networks) == ["discriminator"]


@pytest.mark.parametrize("base", [4, 6])
def test_other_widths_and_no_notes(tmp_path: Path, base: int) -> None:
    torch.save(published(completion_shapes(base)), tmp_path / "anything.pt")
    found = read_glcic(tmp_path / "anything.pt").sizes("generator")
    assert (found["base_channels"], found["hole_rgb"]) == (base, (0.5, 0.5, 0.5))


def test_the_newest_of_numbered_files(folder: Path) -> None:
    (folder / "model_cn").rename(folder / "model_cn_step900")
    torch.save(published(completion_shapes(4)), folder / "model_cn_step10000")
    (folder / "model_cd").unlink()
    imported = read_glcic(folder)
    assert imported.sizes("generator")["base_channels"] == 4
    assert list(imported.networks) == ["generator"]


def test_by_the_command_line(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "glcic.safetensors"
    result = CliRunner().invoke(main, ["weights", "import", str(folder), "--format", "glcic", "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert "generator: glcic, base_channels 2" in result.output
    assert "discriminator: glcic-discriminator" in result.output
    again = load_network_file(out, "generator")
    assert again.config.hole_rgb == (0.5, 0.45, 0.4)
    expected = read_glcic(folder).networks["generator"].state_dict()
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in expected.items())


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("model_cn", {"conv1.weight": None}, "must have the tensor conv1.weight"),
        ("model_cn", {"bn16.running_mean": None}, "must have the tensor bn16.running_mean"),
        ("model_cn", {"conv18.weight": torch.zeros(1)}, "no tensors but its own; model_cn has conv18.weight"),
        ("model_cn", {"deconv13.weight": torch.zeros(4, 8, 4, 4)}, "deconv13.weight must have the shape"),
        ("model_cn", {"conv17.bias": torch.full((3,), torch.inf)}, "must be finite"),
        ("model_cd", {"model_gd.linear6.weight": None}, "must have the tensor model_gd.linear6.weight"),
        ("model_cd", {"linear1.bias": None}, "must have the tensor linear1.bias"),
        ("model_cd", {"model_gd.linear6.weight": torch.zeros(3, 65)}, "must have the shape"),
        ("model_cd", {"model_ld.linear6.weight": torch.zeros(3, 16 * 9)}, "a square inside the whole"),
    ],
)
def test_what_is_no_such_network_is_refused(folder: Path, file: str, change: dict[str, Any], message: str) -> None:
    state = published(completion_shapes() if file == "model_cn" else critic_shapes())
    torch.save({name: value for name, value in (state | change).items() if value is not None}, folder / file)
    with pytest.raises(CheckpointError, match=re.escape(message)):
        read_glcic(folder / file)


@pytest.mark.parametrize("notes", ['{"mpv": [0.5, 0.5]}', '{"mpv": [120, 110, 100]}', '{"mpv": "grey"}', "no json"])
def test_broken_notes_are_refused(folder: Path, notes: str) -> None:
    (folder / "config.json").write_text(notes)
    with pytest.raises(CheckpointError, match="three numbers in"):
        read_glcic(folder)


@pytest.mark.parametrize("notes", ["{}", '{"mpv": null}'])
def test_notes_without_a_colour_leave_it_grey(folder: Path, notes: str) -> None:
    (folder / "config.json").write_text(notes)
    assert read_glcic(folder).sizes("generator")["hole_rgb"] == (0.5, 0.5, 0.5)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="must hold the file model_cn"):
        read_glcic(tmp_path)


class _Malicious:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


def test_a_pickle_that_would_run_something_is_refused(folder: Path) -> None:
    torch.save({"conv1.weight": _Malicious(folder / "made")}, folder / "model_cn")
    with pytest.raises(CheckpointError, match="Nothing of it was run"):
        read_glcic(folder)
    assert not (folder / "made").exists()
