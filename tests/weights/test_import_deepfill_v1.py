import os
import pickle
from itertools import pairwise
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402 - torch is an extra
from typer.testing import CliRunner  # noqa: E402

from golden import fill  # noqa: E402
from mendpix.cli.app import main  # noqa: E402
from mendpix.errors import CheckpointError  # noqa: E402
from mendpix.weights.convert.deepfill_v1 import read_deepfill_v1  # noqa: E402
from mendpix.weights.network_file import load_network_file  # noqa: E402

ENCODER = ("conv1", "conv2_downsample", "conv3", "conv4_downsample", "conv5", "conv6")
DILATED = ("conv7_atrous", "conv8_atrous", "conv9_atrous", "conv10_atrous")
DECODER = tuple(f"conv{number}" for number in range(11, 18))


def generator_state(width: int, prefix: str = "") -> dict[str, Tensor]:
    """Make the tensors of a published generator."""
    shapes: dict[str, tuple[int, ...]] = {}
    w = width

    def add(stage: str, names: tuple[str, ...], widths: tuple[int, ...]) -> None:
        for name, inputs, outputs in zip(names, widths, widths[1:], strict=False):
            side = 5 if inputs == 5 else 3
            shapes[f"{prefix}{stage}{name}.conv.weight"] = (outputs, inputs, side, side)
            shapes[f"{prefix}{stage}{name}.conv.bias"] = (outputs,)

    add("coarse_generator.", ENCODER, (5, w, 2 * w, 2 * w, 4 * w, 4 * w, 4 * w))
    add("coarse_generator.", DILATED, (4 * w,) * 5)
    add("coarse_generator.", DECODER, (4 * w, 4 * w, 4 * w, 2 * w, 2 * w, w, w // 2, 3))
    add("fine_generator.", ENCODER, (5, w, w, 2 * w, 2 * w, 4 * w, 4 * w))
    add("fine_generator.", DILATED, (4 * w,) * 5)
    add("fine_generator.pm", ENCODER, (5, w, w, 2 * w, 4 * w, 4 * w, 4 * w))
    add("fine_generator.pm", ("conv9", "conv10"), (4 * w,) * 3)
    add("fine_generator.all", DECODER, (8 * w, 4 * w, 4 * w, 2 * w, 2 * w, w, w // 2, 3))
    return {name: torch.from_numpy(value) for name, value in fill.weights(shapes, 1).items()}


def critic_state(width: int, side: int) -> dict[str, Tensor]:
    """Make the tensors of a critic of the port whose last map has this side."""
    shapes: dict[str, tuple[int, ...]] = {"linear.weight": (1, 4 * width * side**2), "linear.bias": (1,)}
    widths = (3, width, 2 * width, 4 * width, 4 * width)
    for number, (inputs, outputs) in enumerate(pairwise(widths), 1):
        shapes[f"dis_conv_module.conv{number}.conv.weight"] = (outputs, inputs, 5, 5)
        shapes[f"dis_conv_module.conv{number}.conv.bias"] = (outputs,)
    return {name: torch.from_numpy(value) for name, value in fill.weights(shapes, 1).items()}


def save(path: Path, value: object) -> Path:
    torch.save(value, path)
    return path


@pytest.mark.parametrize("width", [2, 6])
@pytest.mark.parametrize(("prefix", "padding"), [("", "even"), ("netG.", "same")])
def test_both_kinds_of_file_and_any_width(tmp_path, width, prefix, padding):
    state = generator_state(width, prefix)
    imported = read_deepfill_v1(save(tmp_path / "gen_00430000.pt", state))
    assert imported.names == {"generator": "deepfill-v1"}
    assert imported.sizes("generator") == {"width": width, "padding": padding}
    assert (imported.used, imported.ignored) == (84, {})
    ours = imported.networks["generator"]
    assert torch.equal(ours.match_decoder[1].conv.weight, state[f"{prefix}fine_generator.pmconv10.conv.weight"])
    assert torch.equal(ours.refine_decoder[6].bias, state[f"{prefix}fine_generator.allconv17.conv.bias"])


def test_the_appendix_counts():
    state = generator_state(32)
    assert (len(state), sum(value.numel() for value in state.values())) == (84, 3_601_542)
    for side, parameters in ((8, 2_684_289), (16, 2_733_441)):
        assert sum(value.numel() for value in critic_state(64, side).values()) == parameters


def test_a_folder_with_critics(tmp_path):
    save(tmp_path / "gen_00000900.pt", generator_state(3))
    save(tmp_path / "gen_00001000.pt", newest := generator_state(2))
    save(tmp_path / "dis_00001000.pt", {"localD": critic_state(2, 2), "globalD": critic_state(3, 4)})
    save(tmp_path / "optimizer.pt", {"gen": {}, "dis": {}})
    out = tmp_path / "deepfill.safetensors"
    command = ["weights", "import", str(tmp_path), "--format", "deepfillv1-torch", "-o", str(out)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    generator = load_network_file(out, "generator")
    assert torch.equal(generator.coarse_decoder[6].bias, newest["coarse_generator.conv17.conv.bias"])
    local, whole = load_network_file(out, "local_critic"), load_network_file(out, "global_critic")
    assert (local.config.base_channels, local.config.picture_px, local.config.padding) == (2, 32, "even")
    assert (whole.config.base_channels, whole.config.picture_px, whole.config.last_multiple) == (3, 64, 4)
    assert local(torch.rand(1, 3, 32, 32)).shape == (1, 1, 1, 1)
    assert list(read_deepfill_v1(tmp_path / "dis_00001000.pt").networks) == ["local_critic", "global_critic"]
    save(tmp_path / "dis_9.pt", {"localD": critic_state(2, 2), "globalD": critic_state(3, 4), "iteration": 9})
    assert read_deepfill_v1(tmp_path / "dis_9.pt").ignored == {"plain value": 1}


def test_what_does_not_fit_is_refused(tmp_path):
    state = generator_state(2)
    name = "fine_generator.pmconv3.conv.weight"
    cases = {
        f"must have the tensor {name}": {key: value for key, value in state.items() if key != name},
        "must have no tensors but its own; .* has surplus": state | {"surplus": torch.ones(1)},
        f"{name} must have the shape": state | {name: torch.ones(5)},
        "must have the tensor coarse_generator.conv1.conv.weight": {"other.weight": torch.ones(3, 3)},
    }
    for number, (message, wrong) in enumerate(cases.items()):
        with pytest.raises(CheckpointError, match=message):
            read_deepfill_v1(save(tmp_path / f"{number}.pt", wrong))
    with pytest.raises(CheckpointError, match=r"must hold gen_\*\.pt or dis_\*\.pt"):
        read_deepfill_v1(tmp_path)
    save(tmp_path / "gen_1.pt", state)
    save(
        tmp_path / "dis_1.pt",
        {"localD": critic_state(2, 2), "globalD": critic_state(2, 2) | {"linear.bias": torch.ones(2)}},
    )
    with pytest.raises(CheckpointError, match=r"linear\.bias must have the shape"):
        read_deepfill_v1(tmp_path)


class Malicious:
    def __reduce__(self):
        return (os.system, ("true",))


def test_a_pickle_that_asks_for_more_is_refused(tmp_path):
    path = tmp_path / "gen_1.pt"
    path.write_bytes(pickle.dumps(Malicious(), protocol=2))
    with pytest.raises(CheckpointError, match=r"refused.*Nothing of it was run"):
        read_deepfill_v1(path)
