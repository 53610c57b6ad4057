"""Partial convolution as its port saves it: files are made in that layout, from names and shapes."""

import importlib.util
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from typer.testing import CliRunner  # noqa: E402 - torch is an extra

from mendpix.cli.app import main  # noqa: E402
from mendpix.errors import CheckpointError  # noqa: E402
from mendpix.networks.pconv import DEVIATION_RGB, MEAN_RGB  # noqa: E402
from mendpix.weights.convert.pconv_naoto import read_pconv  # noqa: E402
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


def shapes(base: int = 2, levels: int = 3) -> dict[str, tuple[int, ...]]:
    """Name the tensors of a port's network, but for the kernels of masks."""
    widths = [3, *(base * min(2**level, 8) for level in range(levels))]
    found: dict[str, tuple[int, ...]] = {}
    for number in range(1, levels + 1):
        kernel = {1: 7, 2: 5, 3: 5}.get(number, 3)
        before, after = widths[number - 1], widths[number]
        found[f"enc_{number}.conv.input_conv.weight"] = (after, before, kernel, kernel)
        found[f"dec_{number}.conv.input_conv.weight"] = (before, after + before, 3, 3)
        if number > 1:
            for side, width in (("enc", after), ("dec", before)):
                names = ("weight", "bias", "running_mean", "running_var")
                found |= {f"{side}_{number}.bn.{name}": (width,) for name in names}
                found[f"{side}_{number}.bn.num_batches_tracked"] = ()
    return found | {"dec_1.conv.input_conv.bias": (3,)}


def published(of: dict[str, tuple[int, ...]], seed: int = 1) -> dict[str, Any]:
    """Fill tensors as the golden files do, and add the kernels of masks, which are ones (kept small in the file)."""
    state = {name: torch.from_numpy(np.asarray(value)) for name, value in fill.weights(of, seed).items()}
    kernels = {
        name: torch.ones(1).expand(value.shape) for name, value in state.items() if name.endswith("input_conv.weight")
    }
    return state | {name.replace("input_conv", "mask_conv"): value for name, value in kernels.items()}


def write(path: Path, state: dict[str, Any]) -> Path:
    """Save as the port does, with a step count and an optimiser beside the network."""
    torch.save({"n_iter": 7, "model": state, "optimizer": {"state": {0: {"step": 7}}, "param_groups": []}}, path)
    return path


@pytest.fixture
def state() -> dict[str, Any]:
    return published(shapes())


def test_the_published_results_come_out(tmp_path: Path) -> None:
    with np.load(GOLDEN / "pconv-unet7-1.npz") as file:
        meta, expected = json.loads(str(file["meta"])), file["output_0"]
    named = published({name: tuple(shape) for name, shape in meta["shapes"].items()}, meta["seed"])
    assert {name for name in named if "mask_conv" in name} == set(meta["constant_ones"])
    network = read_pconv(write(tmp_path / "1000000.pth", named)).networks["generator"]
    height, width = expected.shape[2:]
    mean, deviation = (torch.tensor(values)[:, None, None] for values in (MEAN_RGB, DEVIATION_RGB))
    seen = torch.from_numpy((fill.picture(1, (1, 3, height, width)) - 0.45) / 0.225)  # what the port was shown
    with torch.no_grad():
        found = network(seen * deviation + mean, torch.from_numpy(fill.hole(height, width)))
    found = ((found - mean) / deviation).numpy()
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize(("base", "levels"), [(1, 2), (3, 4), (2, 5)])
def test_other_widths_and_levels(tmp_path: Path, base: int, levels: int) -> None:
    imported = read_pconv(write(tmp_path / "x.pth", published(shapes(base, levels))))
    assert imported.names == {"generator": "pconv"}
    assert imported.sizes("generator") == {"base_channels": base, "levels": levels, "negative_slope": 0.2}
    assert imported.used == len(shapes(base, levels))
    assert imported.ignored == {"kernel for masks": 2 * levels, "plain value": 1, "optimiser": 1}
    assert not imported.networks["generator"].training


def test_kernels_become_smaller_by_the_size_of_their_window(tmp_path: Path, state: dict[str, Any]) -> None:
    network = read_pconv(write(tmp_path / "x.pth", state)).networks["generator"]
    theirs = state["dec_1.conv.input_conv.weight"]
    torch.testing.assert_close(network.decoder[-1].conv.weight.detach() * (9 * 5), theirs)
    assert torch.equal(network.decoder[-1].conv.bias.detach(), state["dec_1.conv.input_conv.bias"])


def test_bare_files_prefixes_and_files_of_old_torch(tmp_path: Path, state: dict[str, Any]) -> None:
    whole = read_pconv(write(tmp_path / "x.pth", state)).networks["generator"].state_dict()
    old = {
        f"module.{name}": value for name, value in state.items() if not name.endswith(("tracked", "mask_conv.weight"))
    }
    torch.save(old, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    bare = read_pconv(tmp_path / "old.pth")
    assert bare.ignored == {}
    assert all(torch.equal(value, bare.networks["generator"].state_dict()[key]) for key, value in whole.items())


def test_by_the_command_line(tmp_path: Path, state: dict[str, Any]) -> None:
    file, out = write(tmp_path / "1000000.pth", state), tmp_path / "pconv.safetensors"
    result = CliRunner().invoke(main, ["weights", "import", str(file), "--format", "pconv-naoto", "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert "pconv, base_channels 2, levels 3" in result.output
    assert "6 × kernel for masks" in result.output
    again = load_network_file(out, "generator").state_dict()
    expected = read_pconv(file).networks["generator"].state_dict()
    assert all(torch.equal(value, again[key]) for key, value in expected.items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"enc_1.conv.input_conv.weight": None}, "must have the kernel enc_1.conv.input_conv.weight"),
        ({"dec_2.bn.running_var": None}, "must have the tensor dec_2.bn.running_var"),
        ({"dec_1.conv.input_conv.bias": None}, "must have the tensor dec_1.conv.input_conv.bias"),
        ({"enc_9.odd": torch.zeros(1)}, "tensor"),
        ({"tail.weight": torch.zeros(1)}, "no tensors but its own; x.pth has tail.weight"),
        ({"dec_1.conv.input_conv.weight": torch.zeros(3, 4, 3, 3)}, "must have the shape"),
        ({"enc_2.bn.weight": torch.full((4,), torch.nan)}, "must be finite"),
        ({"enc_2.conv.mask_conv.weight": torch.zeros(4, 2, 5, 5)}, "must be all ones; enc_2.conv.mask_conv.weight"),
    ],
)
def test_what_is_no_such_network_is_refused(tmp_path: Path, state, change: dict[str, Any], message: str) -> None:
    changed = {name: value for name, value in (state | change).items() if value is not None}
    with pytest.raises(CheckpointError, match=re.escape(message)):
        read_pconv(write(tmp_path / "x.pth", changed))


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not exist"):
        read_pconv(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(CheckpointError, match=r"text\.pth"):
        read_pconv(tmp_path / "text.pth")


class _Malicious:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


def test_a_pickle_that_would_run_something_is_refused(tmp_path: Path, state: dict[str, Any]) -> None:
    torch.save({"model": state, "extra": _Malicious(tmp_path / "made")}, tmp_path / "bad.pth")
    with pytest.raises(CheckpointError, match="Nothing of it was run"):
        read_pconv(tmp_path / "bad.pth")
    assert not (tmp_path / "made").exists()
