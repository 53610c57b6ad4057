import os
import pickle
from itertools import pairwise
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402 - torch is an extra
from torch.nn import functional as F  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from golden import fill  # noqa: E402
from mendpix.cli.app import main  # noqa: E402
from mendpix.errors import CheckpointError  # noqa: E402
from mendpix.weights.convert.deepfill_v2 import read_deepfill_v2  # noqa: E402
from mendpix.weights.network_file import load_network_file  # noqa: E402

ENCODER = ("1", "2_downsample", "3", "4_downsample", "5", "6")
DILATED = ("7_atrous", "8_atrous", "9_atrous", "10_atrous")
DECODER = ("11", "12", "13_upsample.conv", "14", "15_upsample.conv", "16", "17")
STAGED_ENCODER = (
    "conv1", "down_block1.conv1_downsample", "down_block1.conv2", "down_block2.conv1_downsample", "down_block2.conv2",
    "conv_bn1",
)  # fmt: skip
STAGED_DILATED = ("conv_bn2", "conv_bn3", "conv_bn4", "conv_bn5")
STAGED_DECODER = (
    "conv_bn6", "conv_bn7", "up_block1.conv1_upsample.conv", "up_block1.conv2", "up_block2.conv1_upsample.conv",
    "up_block2.conv2", "conv_to_rgb",
)  # fmt: skip


def generator_state(width: int, *, staged: bool = False) -> dict[str, Tensor]:
    """Make the tensors of a published generator; `width` counts the channels that are left behind the gates."""
    shapes: dict[str, tuple[int, ...]] = {}
    w = width
    encoder = ((w, 2 * w), (2 * w, 2 * w), (2 * w, 4 * w), (4 * w, 4 * w), (4 * w, 4 * w))
    thin = ((w, w), (w, 2 * w), (2 * w, 2 * w), (2 * w, 4 * w), (4 * w, 4 * w))
    match = ((w, w), (w, 2 * w), (2 * w, 4 * w), (4 * w, 4 * w), (4 * w, 4 * w))
    flat = ((4 * w, 4 * w),) * 4

    def decoder(inputs: int) -> tuple[tuple[int, int], ...]:
        return ((inputs, 4 * w), (4 * w, 4 * w), (4 * w, 2 * w), (2 * w, 2 * w), (2 * w, w), (w, w // 2))

    def add(prefix: str, names: tuple[str, ...], sizes: tuple[tuple[int, int], ...], first: int = 3) -> None:
        for place, (name, (inputs, outputs)) in enumerate(zip(names, sizes, strict=True)):
            side = first if place == 0 else 3
            shapes[f"{prefix}{name}.conv.weight"] = (2 * outputs, inputs, side, side)
            shapes[f"{prefix}{name}.conv.bias"] = (2 * outputs,)

    names = (STAGED_ENCODER, STAGED_DILATED, STAGED_DECODER) if staged else (ENCODER, DILATED, DECODER)
    stage1, refine, matching, last, matched = (
        ("stage1.", "stage2.conv_", "stage2.ca_", "stage2.", ("conv_bn4", "conv_bn5"))
        if staged
        else ("conv", "xconv", "pmconv", "allconv", ("9", "10"))
    )
    add(stage1, names[0], ((5, w), *encoder), 5)
    add(stage1, names[1], flat)
    add(stage1, names[2][:-1], decoder(4 * w))
    add(refine, names[0], ((3, w), *thin), 5)
    add(refine, names[1], flat)
    add(matching, names[0], ((3, w), *match), 5)
    add(matching, matched, flat[:2])
    add(last, names[2][:-1], decoder(8 * w))
    for prefix in (stage1, last):
        shapes[f"{prefix}{names[2][-1]}.conv.weight"] = (3, w // 2, 3, 3)
        shapes[f"{prefix}{names[2][-1]}.conv.bias"] = (3,)
    if staged:
        shapes["stage2.contextual_attention.fuse_weight"] = (1, 1, 3, 3)
    return {name: torch.from_numpy(value) for name, value in fill.weights(shapes, 1).items()}


def critic_state(width: int) -> dict[str, Tensor]:
    widths = (4, width, 2 * width, *(4 * width,) * 4)
    state: dict[str, Tensor] = {}
    torch.manual_seed(0)
    for number, (inputs, outputs) in enumerate(pairwise(widths), 1):
        state[f"conv{number}.conv_sn.weight"] = torch.randn(outputs, inputs, 5, 5)
        state[f"conv{number}.conv_sn.bias"] = torch.randn(outputs)
        state[f"conv{number}.conv_sn.weight_u"] = F.normalize(torch.randn(outputs, 1), dim=0)
    return state


def save(path: Path, value: object) -> Path:
    torch.save(value, path)
    return path


@pytest.mark.parametrize("width", [2, 5])
@pytest.mark.parametrize("staged", [False, True])
def test_both_namings_and_any_width(tmp_path, width, staged):
    state = generator_state(width, staged=staged)
    imported = read_deepfill_v2(save(tmp_path / "states.pth", {"G": state}))
    assert imported.names == {"generator": "deepfill-v2"}
    assert imported.sizes("generator") == {"width": width, "padding": "even" if staged else "same", "fuse": True}
    assert imported.used == 84
    assert imported.ignored == ({"fixed kernel": 1} if staged else {})
    ours = imported.networks["generator"]
    first, last = ("stage1.conv1", "stage2.conv_to_rgb") if staged else ("conv1", "allconv17")
    assert torch.equal(ours.coarse_encoder[0].conv.weight, state[f"{first}.conv.weight"])
    assert torch.equal(ours.refine_decoder[6].bias, state[f"{last}.conv.bias"])
    assert not ours.training


def test_both_namings_mean_the_same_layers(tmp_path):
    """Numbers of one, in order, under the names of the other: all of ours are the same."""
    one, other = generator_state(2), generator_state(2, staged=True)
    other |= {name: one[plain] for name, plain in zip((n for n in other if "fuse" not in n), one, strict=True)}
    found = [
        read_deepfill_v2(save(tmp_path / f"{index}.pth", state)).networks["generator"].state_dict()
        for index, state in enumerate((one, other))
    ]
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])


def test_the_appendix_counts(tmp_path):
    for staged, tensors in ((False, 84), (True, 85)):
        state = generator_state(24, staged=staged)
        assert len(state) == tensors
        assert sum(value.numel() for name, value in state.items() if "fuse" not in name) == 4_052_478


def test_a_training_file_with_its_critic(tmp_path):
    state = {
        "G": generator_state(2), "D": critic_state(3), "G_optim": {"state": {}}, "D_optim": {"state": {}}, "n_iter": 7,
    }  # fmt: skip
    path, out = save(tmp_path / "states.pth", state), tmp_path / "deepfill.safetensors"
    command = ["weights", "import", str(path), "--format", "deepfillv2-torch", "-o", str(out)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    critic = load_network_file(out, "discriminator")
    assert critic.config.base_channels == 3
    imported = read_deepfill_v2(path)
    assert imported.used == 84 + 18
    assert imported.ignored == {"optimiser": 2, "plain value": 1}
    column = next(tensor for tensor in imported.tensors if tensor.name == "conv1.conv_sn.weight_u")
    assert column.shape == (3, 1)

    # As the published program divides: by the strength of the kernel along the direction that is kept.
    image, hole = torch.rand(1, 3, 64, 64), torch.zeros(1, 1, 64, 64)
    x = torch.cat([2 * image - 1, hole], 1)
    for number in range(1, 7):
        weight, bias, u = (state["D"][f"conv{number}.conv_sn.{kind}"] for kind in ("weight", "bias", "weight_u"))
        sigma = (weight.flatten(1).T @ u[:, 0]).norm()
        x = F.leaky_relu(F.conv2d(F.pad(x, (1, 2, 1, 2)), weight / sigma, bias, 2), 0.2)
    with torch.no_grad():
        torch.testing.assert_close(critic(image, hole), x, atol=1e-4, rtol=1e-4)


def test_what_does_not_fit_is_refused(tmp_path):
    state = generator_state(2)
    name = "xconv4_downsample.conv.bias"
    cases = {
        f"must have the tensor {name}": {key: value for key, value in state.items() if key != name},
        "must have no tensors but its own; .* has surplus": state | {"surplus": torch.ones(1)},
        f"{name} must have the shape": state | {name: torch.ones(5)},
        "must be finite numbers": state | {name: torch.full((8,), float("nan"))},
        "must have the tensor conv1.conv.weight": {"other.weight": torch.ones(3, 3)},
    }
    for number, (message, wrong) in enumerate(cases.items()):
        with pytest.raises(CheckpointError, match=message):
            read_deepfill_v2(save(tmp_path / f"{number}.pth", {"G": wrong}))
    critic = critic_state(2)
    del critic["conv3.conv_sn.weight_u"]
    with pytest.raises(CheckpointError, match=r"must have the tensor conv3\.conv_sn\.weight_u"):
        read_deepfill_v2(save(tmp_path / "critic.pth", {"G": state, "D": critic}))


class Malicious:
    def __reduce__(self):
        return (os.system, ("true",))


def test_a_pickle_that_asks_for_more_is_refused(tmp_path):
    path = tmp_path / "states.pth"
    path.write_bytes(pickle.dumps({"G": Malicious()}, protocol=2))
    with pytest.raises(CheckpointError, match=r"refused.*Nothing of it was run"):
        read_deepfill_v2(path)
