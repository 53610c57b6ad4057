"""ISNet's published files through the importer: what comes out, and what is refused."""

import os
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402 - torch is an extra
from typer.testing import CliRunner  # noqa: E402

from isnet_files import discriminator_shapes, generator_shapes, tensors  # noqa: E402
from mendpix.cli.app import main  # noqa: E402
from mendpix.errors import CheckpointError  # noqa: E402
from mendpix.weights.convert.isnet import read_isnet  # noqa: E402
from mendpix.weights.network_file import load_network_file, read_network_record  # noqa: E402

STATE = tensors(generator_shapes(2, 1))
GENERATOR, DISCRIMINATOR = "InpaintingModel_gen.pth", "InpaintingModel_dis.pth"


def save(path: Path, state: dict[str, Tensor]) -> Path:
    torch.save({"generator": state, "epoch": 7}, path)
    return path


def save_both(folder: Path) -> Path:
    save(folder / GENERATOR, STATE)
    torch.save({"discriminator": tensors(discriminator_shapes(2))}, folder / DISCRIMINATOR)
    return folder


# What comes out


def test_a_file_becomes_a_generator(tmp_path):
    imported = read_isnet(save(tmp_path / GENERATOR, STATE))
    assert imported.names == {"generator": "isnet"}
    assert imported.used == len(STATE)
    assert imported.ignored == {"plain value": 1}
    used = {tensor.name: tensor.used_as for tensor in imported.tensors}
    assert used["layer1.downsample.weight"] == "generator/stem.shortcut.weight"
    assert used["stage2.fuse_layers.0.1.1.0.weight_v"] == "generator/stages.2.up.steps.1.parametrizations.weight.0._v"
    keys = set(imported.networks["generator"].state_dict())
    assert {place.partition("/")[2] for place in used.values() if place} == keys
    assert not imported.networks["generator"].training


@pytest.mark.parametrize(("width", "blocks"), [(1, 2), (3, 0), (4, 3)])
@pytest.mark.parametrize("devices", [1, 2])
def test_other_widths_blocks_and_several_devices(tmp_path, width, blocks, devices):
    state = tensors(generator_shapes(width, blocks))
    if devices > 1:
        state = {f"module.{name}": value for name, value in state.items()}
    sizes = read_isnet(save(tmp_path / "any.pth", state)).sizes("generator")
    assert (sizes["base_channels"], sizes["residual_blocks"]) == (width, blocks)


def test_a_folder_becomes_both_networks_through_the_command_line_and_back(tmp_path):
    out = tmp_path / "isnet.safetensors"
    save_both(tmp_path)
    result = CliRunner().invoke(main, ["weights", "import", str(tmp_path), "--format", "isnet", "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert "generator: isnet, base_channels 2, residual_blocks 1" in result.stdout
    assert "discriminator: patchgan, in_channels 3, base_channels 2" in result.stdout
    assert read_network_record(out)["source"]["format"] == "isnet"
    expected = read_isnet(tmp_path).networks
    assert set(expected) == {"generator", "discriminator"}
    for part, network in expected.items():
        found = load_network_file(out, part).state_dict()
        assert all(torch.equal(value, found[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("folded", [False, True])
def test_files_of_torch_before_1_and_files_without_spectral_norm(tmp_path, folded):
    older = dict(STATE)
    for name in [name for name in STATE if name.endswith("weight_orig")]:
        layer = name.removesuffix("_orig")
        older[layer] = STATE[name] / (STATE[f"{layer}_u"] @ STATE[name].flatten(1) @ STATE[f"{layer}_v"])
        del older[f"{layer}_v"]
        if folded:
            del older[name], older[f"{layer}_u"]
    imported = read_isnet(save(tmp_path / "older.pth", older))
    assert {tensor.name for tensor in imported.tensors} - {"epoch"} == older.keys()
    current = read_isnet(save(tmp_path / "current.pth", STATE))
    image, hole = torch.rand(1, 3, 32, 48), torch.zeros(1, 1, 32, 48)
    with torch.no_grad():
        found, expected = (found.networks["generator"](image, hole) for found in (imported, current))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


# What is refused


def without(state: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if key != name}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: without(state, "stage1.fuse_layers.1.1.0.weight_orig"), "lacks it"),
        (lambda state: without(state, "up_layer.2.0.weight_u"), r"up_layer.2.0.weight_u; .* lacks it"),
        (lambda state: without(state, "layer1.downsample.weight"), "kernel layer1.downsample.weight"),
        (lambda state: state | {"extra.weight": torch.zeros(2, 2, 3, 3)}, "has extra.weight"),
        (lambda state: state | {"final_layer.2.bias": torch.zeros(4)}, r"must have the shape \(3,\)"),
        (lambda state: state | {"final_layer.2.bias": torch.full((3,), torch.nan)}, "finite"),
        (lambda state: state | {"layer1.downsample.weight": torch.zeros(2)}, r"with 4 axes; .* has \(2,\)"),
        (lambda state: {"conv.weight": torch.zeros(2, 3, 3, 3)}, "kernel layer1.downsample.weight"),
    ],
)
def test_what_is_not_exactly_an_isnet_is_refused(tmp_path, change, words):
    with pytest.raises(CheckpointError, match=words):
        read_isnet(save(tmp_path / GENERATOR, change(STATE)))


def test_folders_must_say_which_file_is_meant(tmp_path):
    with pytest.raises(CheckpointError, match="holds 0 and 0"):
        read_isnet(tmp_path)
    save_both(tmp_path)
    save(tmp_path / "InpaintingModel_90_gen.pth", STATE)
    with pytest.raises(CheckpointError, match="holds 2 and 1"):
        read_isnet(tmp_path)


class Command:
    """What a malicious file would run."""

    def __reduce__(self) -> tuple[Any, tuple[str, ...]]:
        return os.system, ("touch harm",)


def test_a_pickle_that_would_run_something_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"generator": STATE, "epoch": Command()}, tmp_path / GENERATOR)
    with pytest.raises(CheckpointError, match="is refused"):
        read_isnet(tmp_path / GENERATOR)
    assert not (tmp_path / "harm").exists()


def test_a_broken_file_is_refused(tmp_path):
    (tmp_path / GENERATOR).write_bytes(save(tmp_path / "whole.pth", STATE).read_bytes()[:-300])
    with pytest.raises(CheckpointError, match=GENERATOR):
        read_isnet(tmp_path / GENERATOR)
