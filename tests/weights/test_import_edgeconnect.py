"""EdgeConnect's published files through the importer: what comes out, and what is refused."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402 - torch is an extra
from typer.testing import CliRunner  # noqa: E402

from golden import fill  # noqa: E402
from mendpix.cli.app import main  # noqa: E402
from mendpix.errors import CheckpointError  # noqa: E402
from mendpix.weights.convert.edgeconnect import FILES, read_edgeconnect  # noqa: E402
from mendpix.weights.network_file import load_network_file, read_network_record  # noqa: E402

EDGE, INPAINT, EDGE_CRITIC, CRITIC = FILES


def generator_state(inputs: int, outputs: int, width: int, blocks: int, *, spectral: bool) -> dict[str, Tensor]:
    """Make the state dict of a published generator."""
    convolutions = {
        "encoder.1": (width, inputs, 7, 7), "encoder.4": (2 * width, width, 4, 4),
        "encoder.7": (4 * width, 2 * width, 4, 4), "decoder.0": (4 * width, 2 * width, 4, 4),
        "decoder.3": (2 * width, width, 4, 4), "decoder.7": (outputs, width, 7, 7),
    }  # fmt: skip
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in convolutions.items():
        shapes |= kernel_shapes(name, shape, spectral=spectral and name != "decoder.7")
        shapes[f"{name}.bias"] = (shape[1] if name in ("decoder.0", "decoder.3") else shape[0],)
    for block in range(blocks):
        for place in (1, 5):
            name = f"middle.{block}.conv_block.{place}"
            shapes |= kernel_shapes(name, (4 * width, 4 * width, 3, 3), spectral=spectral)
            if not spectral:
                shapes[f"{name}.bias"] = (4 * width,)
    return as_tensors(shapes)


def critic_state(inputs: int, width: int) -> dict[str, Tensor]:
    """Make the state dict of a published critic, its first layer twice."""
    widths = (inputs, width, 2 * width, 4 * width, 8 * width, 1)
    shapes: dict[str, tuple[int, ...]] = {}
    for number in range(1, 6):
        shapes |= kernel_shapes(f"conv{number}.0", (widths[number], widths[number - 1], 4, 4), spectral=True)
    state = as_tensors(shapes)
    return state | {name.replace("conv1", "features"): value for name, value in state.items() if "conv1." in name}


def kernel_shapes(name: str, shape: tuple[int, ...], *, spectral: bool) -> dict[str, tuple[int, ...]]:
    if not spectral:
        return {f"{name}.weight": shape}
    outputs = shape[1] if name in ("decoder.0", "decoder.3") else shape[0]
    return {
        f"{name}.weight_orig": shape,
        f"{name}.weight_u": (outputs,),
        f"{name}.weight_v": (int(np.prod(shape)) // outputs,),
    }


def as_tensors(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(value) for name, value in fill.weights(shapes, 5).items()}


def states(edge: int = 2, inpaint: int = 3, blocks: int = 1) -> dict[str, dict[str, Tensor]]:
    """Make the state dicts of the four files."""
    return {
        EDGE: generator_state(3, 1, edge, blocks, spectral=True),
        INPAINT: generator_state(4, 3, inpaint, blocks + 1, spectral=False),
        EDGE_CRITIC: critic_state(2, edge),
        CRITIC: critic_state(3, inpaint),
    }


def save(path: Path, state: dict[str, Any], *, bare: bool = False) -> Path:
    """Write a file as the program does."""
    critic = any("conv1.0." in name for name in state)
    whole = {"discriminator": state} if critic else {"iteration": 7, "generator": state}
    torch.save(state if bare else whole, path)
    return path


def save_all(folder: Path, **sizes: int) -> Path:
    for name, state in states(**sizes).items():
        save(folder / name, state)
    return folder


# What comes out


def test_a_folder_becomes_one_network_and_two_critics(tmp_path):
    imported = read_edgeconnect(save_all(tmp_path))
    assert imported.names == {
        "generator": "edgeconnect", "edge_discriminator": "patchgan", "discriminator": "patchgan",
    }  # fmt: skip
    assert imported.sizes("generator") == {
        "edge_channels": 2, "inpaint_channels": 3, "edge_blocks": 1, "inpaint_blocks": 2,
        "merge_known_edges": False, "edges_sigma": 2.0,
    }  # fmt: skip
    assert imported.sizes("edge_discriminator") == {"in_channels": 2, "base_channels": 2, "instance_norm": False}
    assert imported.sizes("discriminator") == {"in_channels": 3, "base_channels": 3, "instance_norm": False}
    everything = states()
    assert imported.ignored == {"plain value": 2, "first layer under its other name": 6}
    assert imported.used == sum(len(state) for state in everything.values()) - 6
    used = {tensor.name: tensor.used_as for tensor in imported.tensors}
    assert used[f"{EDGE}/encoder.1.weight_u"] == "generator/edge.body.stem.parametrizations.weight.0._u"
    assert used[f"{INPAINT}/middle.1.conv_block.5.bias"] == "generator/inpaint.body.blocks.1.conv2.bias"
    assert used[f"{CRITIC}/conv2.0.weight_orig"] == "discriminator/conv2.parametrizations.weight.original"
    keys = set(imported.networks["generator"].state_dict())
    assert {place.partition("/")[2] for place in used.values() if place and place.startswith("generator/")} == keys
    assert not any(network.training for network in imported.networks.values())


def test_the_joined_network_computes_what_its_halves_do(tmp_path):
    folder = save_all(tmp_path)
    joined = read_edgeconnect(folder).networks["generator"]
    edge = read_edgeconnect(folder / EDGE).networks["edges"]
    inpaint = read_edgeconnect(folder / INPAINT).networks["generator"]
    image, hole = torch.rand(1, 3, 24, 32), torch.from_numpy(fill.hole(24, 32))
    edges = (torch.rand(1, 1, 24, 32) > 0.8).float()
    with torch.no_grad():
        assert torch.equal(joined(image, hole, edges), inpaint(image, hole, edge(image, hole, edges)))


@pytest.mark.parametrize(
    ("file", "part", "network"),
    [
        (EDGE, "edges", "edgeconnect-edge"),
        (INPAINT, "generator", "edgeconnect-inpaint"),
        (EDGE_CRITIC, "edge_discriminator", "patchgan"),
        (CRITIC, "discriminator", "patchgan"),
    ],
)
@pytest.mark.parametrize("form", ["as saved", "bare", "several devices"])
def test_a_file_by_itself(tmp_path, file, part, network, form):
    state = states()[file]
    if form == "several devices":
        state = {f"module.{name}": value for name, value in state.items()}
    imported = read_edgeconnect(save(tmp_path / "renamed.pth", state, bare=form == "bare"))
    assert imported.names == {part: network}
    assert imported.used == len(state) - (3 if "dis" in file else 0)
    assert imported.source == "renamed.pth"


@pytest.mark.parametrize(("edge", "inpaint", "blocks"), [(1, 4, 0), (5, 1, 3)])
def test_other_widths_and_numbers_of_blocks(tmp_path, edge, inpaint, blocks):
    imported = read_edgeconnect(save_all(tmp_path, edge=edge, inpaint=inpaint, blocks=blocks))
    sizes = imported.sizes("generator")
    assert (sizes["edge_channels"], sizes["inpaint_channels"]) == (edge, inpaint)
    assert (sizes["edge_blocks"], sizes["inpaint_blocks"]) == (blocks, blocks + 1)


def test_a_folder_with_one_generator(tmp_path):
    everything = states()
    for name in (INPAINT, CRITIC):
        save(tmp_path / name, everything[name])
    assert read_edgeconnect(tmp_path).names == {"generator": "edgeconnect-inpaint", "discriminator": "patchgan"}


@pytest.mark.parametrize("file", [EDGE, EDGE_CRITIC])
@pytest.mark.parametrize("folded", [False, True])
def test_files_of_torch_before_1_and_files_without_spectral_norm(tmp_path, file, folded):
    state = states()[file]
    current = read_edgeconnect(save(tmp_path / "current.pth", state))
    older = dict(state)
    for name in [name for name in state if name.endswith("weight_orig")]:
        layer = name.removesuffix("_orig")
        kernel, left, right = state[name], state[f"{layer}_u"], state[f"{layer}_v"]
        matrix = kernel.transpose(0, 1) if name.startswith(("decoder.0", "decoder.3")) else kernel
        older[layer] = kernel / (left @ matrix.flatten(1) @ right)
        del older[f"{layer}_v"]
        if folded:
            del older[name], older[f"{layer}_u"]
    imported = read_edgeconnect(save(tmp_path / "older.pth", older))
    assert {tensor.name for tensor in imported.tensors} - {"iteration"} == older.keys()
    planes = torch.rand(1, 3 if file == EDGE else 2, 32, 32)
    (one,), (other,) = current.networks.values(), imported.networks.values()
    with torch.no_grad():
        run = [network.draw if file == EDGE else network for network in (one, other)]
        torch.testing.assert_close(run[1](planes), run[0](planes), rtol=1e-4, atol=1e-5)


def test_through_the_command_line_and_back(tmp_path):
    save_all(tmp_path)
    out = tmp_path / "published.safetensors"
    result = CliRunner().invoke(main, ["weights", "import", str(tmp_path), "--format", "edgeconnect", "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert "generator: edgeconnect, edge_channels 2, inpaint_channels 3" in result.stdout
    assert read_network_record(out)["source"]["format"] == "edgeconnect"
    expected = read_edgeconnect(tmp_path)
    for part, network in expected.networks.items():
        found = load_network_file(out, part).state_dict()
        assert all(torch.equal(value, found[key]) for key, value in network.state_dict().items())


def test_the_edge_generator_alone_can_be_kept_in_a_network_file(tmp_path):
    save(tmp_path / EDGE, states()[EDGE])
    out = tmp_path / "edges.safetensors"
    arguments = ["weights", "import", str(tmp_path / EDGE), "--format", "edgeconnect", "-o", str(out)]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    assert load_network_file(out, "edges").config.base_channels == 2


# What is refused


def without(state: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if key != name}


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        (EDGE, lambda state: without(state, "decoder.3.weight_v"), "decoder.3.weight_v; .*lacks it"),
        (EDGE, lambda state: without(state, "middle.0.conv_block.5.weight_orig"), "lacks it"),
        (EDGE, lambda state: state | {"middle.0.conv_block.1.bias": torch.zeros(8)}, "no tensors but its own"),
        (INPAINT, lambda state: without(state, "encoder.4.bias"), "encoder.4.bias; .*lacks it"),
        (INPAINT, lambda state: state | {"extra.weight": torch.zeros(1)}, "extra.weight"),
        (INPAINT, lambda state: state | {"decoder.7.bias": torch.zeros(4)}, r"must have the shape \(3,\)"),
        (INPAINT, lambda state: state | {"decoder.7.bias": torch.full((3,), torch.nan)}, "finite"),
        (INPAINT, lambda state: state | {"encoder.1.weight": torch.zeros(3, 5, 7, 7)}, "encoder.1 for 3 or 4 channels"),
        (CRITIC, lambda state: without(state, "conv4.0.weight_orig"), "lacks it"),
        (CRITIC, lambda state: without(state, "features.0.weight_u"), "once more, .* as features.0.weight_u"),
        (CRITIC, lambda state: without(state, "conv1.0.weight_v"), "once more, .* as conv1.0.weight_v"),
        (CRITIC, lambda state: state | {"conv5.0.bias": torch.zeros(1)}, "conv5.0.bias"),
        (CRITIC, lambda state: {"head.weight": torch.zeros(3, 3)}, "has neither"),
    ],
)  # fmt: skip
def test_what_is_not_exactly_an_edgeconnect_is_refused(tmp_path, file, change, words):
    with pytest.raises(CheckpointError, match=words):
        read_edgeconnect(save(tmp_path / file, change(states()[file])))


def test_files_that_have_changed_places(tmp_path):
    everything = states()
    save(tmp_path / EDGE, everything[INPAINT])
    with pytest.raises(CheckpointError, match="must hold the edge generator; it holds the inpaint generator"):
        read_edgeconnect(tmp_path)


def test_a_folder_without_generators(tmp_path):
    with pytest.raises(CheckpointError, match="holds none of its files"):
        read_edgeconnect(tmp_path)
    save(tmp_path / CRITIC, states()[CRITIC])
    with pytest.raises(CheckpointError, match=f"holds {CRITIC}"):
        read_edgeconnect(tmp_path)


class Command:
    """What a malicious file would run."""

    def __reduce__(self) -> tuple[Any, tuple[str, ...]]:
        return os.system, ("touch harm",)


def test_a_pickle_that_would_run_something_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"generator": states()[INPAINT], "iteration": Command()}, tmp_path / INPAINT)
    with pytest.raises(CheckpointError, match="is refused"):
        read_edgeconnect(tmp_path / INPAINT)
    assert not (tmp_path / "harm").exists()


def test_a_broken_and_a_missing_file(tmp_path):
    (tmp_path / EDGE).write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(CheckpointError, match=EDGE):
        read_edgeconnect(tmp_path)
    with pytest.raises(CheckpointError, match="does not exist"):
        read_edgeconnect(tmp_path / "nowhere.pth")
