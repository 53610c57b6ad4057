import json
import pickle
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402 - torch is an extra
from typer.testing import CliRunner  # noqa: E402

from golden import fill  # noqa: E402
from mendpix.cli.app import main  # noqa: E402
from mendpix.errors import CheckpointError  # noqa: E402
from mendpix.weights.convert.pennet import read_pennet  # noqa: E402
from mendpix.weights.network_file import load_network_file  # noqa: E402

KERNELS = {
    "dw_conv01": (1, 4), "dw_conv02": (2, 1), "dw_conv03": (4, 2), "dw_conv04": (8, 4), "dw_conv05": (16, 8),
    "dw_conv06": (16, 16), "up_conv05": (16, 16), "up_conv04": (8, 32), "up_conv03": (4, 16), "up_conv02": (2, 8),
    "up_conv01": (1, 4),
}  # fmt: skip
"""Outputs and inputs in units of the base width; 4 of the first are the picture and the hole."""


def generator_state(width: int) -> dict[str, Tensor]:
    """Make the tensors of a published generator of any width that four divides."""
    shapes: dict[str, tuple[int, ...]] = {}

    def add(name: str, outputs: int, inputs: int, side: int = 3) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (outputs, inputs, side, side), (outputs,)

    for name, (outputs, inputs) in KERNELS.items():
        add(f"{name}.0", outputs * width, 4 if name == "dw_conv01" else inputs * width)
    for level, channels in ((4, 8), (3, 4), (2, 2), (1, 1)):
        for place in range(4):
            add(f"at_conv0{level}.conv0{place}.0", channels * width // 4, channels * width)
    for level, channels in ((5, 32), (4, 16), (3, 8), (2, 4), (1, 2)):
        add(f"torgb{level}.0", 3, channels * width, 1)
    add("decoder.0", width, 2 * width)
    add("decoder.2", 3, width)
    return {name: torch.from_numpy(value) for name, value in fill.weights(shapes, 1).items()}


def discriminator_state(width: int) -> dict[str, Tensor]:
    shapes: dict[str, tuple[int, ...]] = {}
    inputs = 3
    for number in range(4):
        outputs, stem = width << number, f"encoder.{2 * number}"
        shapes[f"{stem}.weight_orig"] = (outputs, inputs, 5, 5)
        shapes[f"{stem}.weight_u"], shapes[f"{stem}.weight_v"] = (outputs,), (25 * inputs,)
        inputs = outputs
    shapes |= {"classifier.weight": (1, inputs, 5, 5), "classifier.bias": (1,)}
    return {name: torch.from_numpy(value) for name, value in fill.weights(shapes, 1).items()}


def save(path: Path, key: str, state: dict[str, Tensor], **more: Any) -> Path:
    torch.save({key: state, **more}, path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run's folder with two checkpoints, of which the first counts."""
    save(tmp_path / "gen_00010.pth", "netG", generator_state(4))
    save(tmp_path / "dis_00010.pth", "netD", discriminator_state(2))
    save(tmp_path / "gen_00020.pth", "netG", generator_state(8))
    torch.save({"epoch": 3, "iteration": 10}, tmp_path / "opt_00010.pth")
    (tmp_path / "latest.ckpt").write_text("00010\n")
    return tmp_path


# What comes out


def test_a_folder_gives_both_networks_of_the_number_that_counts(folder):
    imported = read_pennet(folder)
    assert imported.names == {"generator": "pennet", "discriminator": "pennet-discriminator"}
    assert imported.sizes("generator") == {"base_channels": 4, "softmax_scale": 10.0}
    assert imported.sizes("discriminator")["base_channels"] == 2
    assert (imported.used, imported.ignored) == (68 + 14, {})
    assert not any(network.training for network in imported.networks.values())


def test_a_folder_without_a_note_gives_its_newest(folder):
    (folder / "latest.ckpt").unlink()
    imported = read_pennet(folder)
    assert imported.sizes("generator")["base_channels"] == 8
    assert list(imported.names) == ["generator"]


@pytest.mark.parametrize("width", [4, 12, 32])
def test_other_widths(tmp_path, width):
    imported = read_pennet(save(tmp_path / "gen_1.pth", "netG", generator_state(width)))
    assert imported.sizes("generator")["base_channels"] == width
    assert imported.used == 68


def test_bare_tensors_and_the_prefix_of_several_devices(tmp_path):
    state = generator_state(4)
    torch.save({f"module.{name}": value for name, value in state.items()}, tmp_path / "bare.pth")
    network = read_pennet(tmp_path / "bare.pth").networks["generator"]
    assert torch.equal(network.state_dict()["refine1.reach8.weight"], state["at_conv01.conv03.0.weight"])
    assert torch.equal(network.state_dict()["down1.bias"], state["dw_conv01.0.bias"])


def test_a_discriminator_computes_with_the_kernel_divided_by_its_norm(tmp_path):
    state = discriminator_state(2)
    network = read_pennet(save(tmp_path / "dis_1.pth", "netD", state)).networks["discriminator"]
    kernel, left, right = (state[f"encoder.2.weight_{kind}"] for kind in ("orig", "u", "v"))
    torch.testing.assert_close(network.conv2.weight, kernel / (left @ kernel.flatten(1) @ right))


def test_a_discriminator_of_an_old_file(tmp_path):
    state = discriminator_state(2)
    for number in range(4):
        stem = f"encoder.{2 * number}"
        kernel, left, right = (state[f"{stem}.weight_{kind}"] for kind in ("orig", "u", "v"))
        state[f"{stem}.weight"] = kernel / (left @ kernel.flatten(1) @ right)
        del state[f"{stem}.weight_v"]
    imported = read_pennet(save(tmp_path / "dis_1.pth", "netD", state))
    for number in range(4):
        found = getattr(imported.networks["discriminator"], f"conv{number + 1}").weight
        torch.testing.assert_close(found, state[f"encoder.{2 * number}.weight"])
    assert imported.ignored == {"kernel already divided": 4}


def test_the_command_writes_a_file_that_is_read_back(folder, tmp_path):
    out = tmp_path / "pennet.safetensors"
    command = ["weights", "import", str(folder), "--format", "pennet", "-o", str(out), "--json"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["networks"]["generator"]["name"] == "pennet"
    assert report["used"] == 82
    read = read_pennet(folder)
    for part, network in read.networks.items():
        again = load_network_file(out, part).state_dict()
        assert all(torch.equal(again[key], value) for key, value in network.state_dict().items())


# What is refused


def test_a_tensor_missing_unknown_or_of_another_shape(tmp_path):
    changes = {
        "must have the tensor torgb3.0.bias; gen_1.pth lacks it": {"torgb3.0.bias": None},
        "no tensors but its own; gen_1.pth has extra.weight": {"extra.weight": torch.zeros(2)},
        r"up_conv02.0.weight must have the shape \(8, 32, 3, 3\)": {"up_conv02.0.weight": torch.zeros(8, 16, 3, 3)},
        "must be finite numbers; decoder.2.bias": {"decoder.2.bias": torch.full((3,), float("nan"))},
        "must have the kernel dw_conv01.0.weight of": {"dw_conv01.0.weight": None},
        "dw_conv01.0.weight of .* has \\(4,\\)": {"dw_conv01.0.weight": torch.zeros(4)},
    }
    for message, change in changes.items():
        state = generator_state(4) | change
        state = {name: value for name, value in state.items() if value is not None}
        with pytest.raises(CheckpointError, match=message):
            read_pennet(save(tmp_path / "gen_1.pth", "netG", state))


def test_another_network_and_no_network(tmp_path):
    torch.save({"netG": {"conv1.weight": torch.zeros(4, 3, 3, 3)}}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="must have the kernel dw_conv01"):
        read_pennet(tmp_path / "other.pth")
    torch.save({"epoch": 3, "iteration": 10}, tmp_path / "opt_00001.pth")
    with pytest.raises(CheckpointError, match="expected under netG or netD"):
        read_pennet(tmp_path / "opt_00001.pth")
    with pytest.raises(CheckpointError, match="does not exist"):
        read_pennet(tmp_path / "nothing.pth")


def test_a_folder_without_what_its_note_promises(folder):
    (folder / "latest.ckpt").write_text("00030")
    with pytest.raises(CheckpointError, match=r"must hold gen_\*.pth of number 00030, as its latest.ckpt says"):
        read_pennet(folder)
    for file in folder.iterdir():
        file.unlink()
    with pytest.raises(CheckpointError, match=r"must hold gen_\*.pth; .* does not"):
        read_pennet(folder)


class Harm:
    """Would create a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_file_that_would_run_something_is_refused(tmp_path):
    trace = tmp_path / "trace"
    torch.save({"netG": generator_state(4), "more": Harm(trace)}, tmp_path / "gen_1.pth")
    (tmp_path / "gen_2.pth").write_bytes(pickle.dumps({"netG": Harm(trace)}, protocol=2))
    for name in ("gen_1.pth", "gen_2.pth"):
        with pytest.raises(CheckpointError, match=r"is refused|is not \("):
            read_pennet(tmp_path / name)
    assert not trace.exists()
