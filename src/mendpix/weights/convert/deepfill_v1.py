"""Turn PyTorch files of DeepFill v1 into our networks. Knows the names on both sides.

The port saves the generator (`gen_*.pt`) and the two critics (`dis_*.pt`) apart, so a folder of both may be given. Its
weights need its own sampling. The published TensorFlow weights were also converted to its layout, with `netG.` before
every name; those need TensorFlow's sampling, with which the published program used them.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from mendpix.errors import CheckpointError
from mendpix.weights.convert.imported import Imported, SourceTensor
from mendpix.weights.convert.torch_file import Layout, account_of_rest, load_layout, read_torch_file, state_dict_in

GENERATOR_FILES, CRITIC_FILES = "gen_*.pt", "dis_*.pt"
"""What the files are called in a folder; the last of several counts."""

CONVERTED = "netG."
"""Before the names of weights that were converted from TensorFlow."""

CRITICS = {"local_critic": "localD", "global_critic": "globalD"}
"""Part to where it lies in a file of critics."""

LAYERS = 4
"""Convolutions of a critic."""


def read_deepfill_v1(path: Path) -> Imported:
    """Read the generator, the critics, or all three.

    Widths, the critics' sizes and whether the weights come from TensorFlow are taken from the tensors.

    Args:
        path: A generator's file, one of critics, or a folder that holds either or both.

    Raises:
        CheckpointError: If a file is broken, refused, or not exactly a DeepFill v1's.
    """
    if path.is_dir():
        generator_file, critic_file = _newest(path, GENERATOR_FILES), _newest(path, CRITIC_FILES)
        if generator_file is None and critic_file is None:
            raise CheckpointError(
                f"a folder of DeepFill v1 must hold {GENERATOR_FILES} or {CRITIC_FILES}; {path} holds neither. "
                "Give the file."
            )
    else:
        of_critics = any(isinstance(value, dict) for value in read_torch_file(path).values())
        generator_file, critic_file = (None, path) if of_critics else (path, None)
    networks: dict[str, nn.Module] = {}
    account: tuple[SourceTensor, ...] = ()
    if generator_file is not None:
        tensors, _ = state_dict_in(generator_file)
        networks["generator"], account = load_layout(
            tensors, _generator_layout(tensors), "generator", generator_file.name
        )
    if critic_file is not None:
        rest: dict[str, str] = {}
        for part, key in CRITICS.items():
            tensors, rest = state_dict_in(critic_file, (key,))
            networks[part], found = load_layout(tensors, _critic_layout(tensors, part), part, critic_file.name)
            account += found
        account += account_of_rest({name: kind for name, kind in rest.items() if name not in CRITICS.values()})
    return Imported(networks, {part: _name_of(part) for part in networks}, account, path.name)


def _name_of(part: str) -> str:
    """Return a part's name in the table of networks."""
    return "deepfill-v1" if part == "generator" else f"deepfill-v1-{part.replace('_', '-')}"


def _newest(folder: Path, pattern: str) -> Path | None:
    """Return the file of the highest iteration."""
    return max(folder.glob(pattern), default=None, key=lambda file: [int(n) for n in re.findall(r"\d+", file.stem)])


def _generator_layout(tensors: Mapping[str, Tensor]) -> Layout:
    converted = any(name.startswith(CONVERTED) for name in tensors)
    before = CONVERTED if converted else ""
    keys = {
        f"{before}{theirs}.conv.{kind}": f"{ours}.{kind}" if ours.endswith("decoder.6") else f"{ours}.conv.{kind}"
        for theirs, ours in _generator_layers().items()
        for kind in ("weight", "bias")
    }
    width = max(2, _first_axis(tensors, next(iter(keys)), 32))
    sizes = {"width": width, "padding": "same" if converted else "even"}
    return Layout("deepfill-v1", sizes, keys, {}, {})


def _generator_layers() -> dict[str, str]:
    """Map the layers of the port to ours."""
    encoder = ("conv1", "conv2_downsample", "conv3", "conv4_downsample", "conv5", "conv6")
    dilated = ("conv7_atrous", "conv8_atrous", "conv9_atrous", "conv10_atrous")
    decoder = ("conv11", "conv12", "conv13", "conv14", "conv15", "conv16", "conv17")
    branches = {
        "coarse_encoder": ("coarse_generator.", encoder),
        "coarse_dilated": ("coarse_generator.", dilated),
        "coarse_decoder": ("coarse_generator.", decoder),
        "refine_encoder": ("fine_generator.", encoder),
        "refine_dilated": ("fine_generator.", dilated),
        "match_encoder": ("fine_generator.pm", encoder),
        "match_decoder": ("fine_generator.pm", ("conv9", "conv10")),
        "refine_decoder": ("fine_generator.all", decoder),
    }
    return {
        f"{before}{name}": f"{ours}.{number}"
        for ours, (before, names) in branches.items()
        for number, name in enumerate(names)
    }


def _critic_layout(tensors: Mapping[str, Tensor], part: str) -> Layout:
    keys = {
        f"dis_conv_module.conv{number + 1}.conv.{kind}": f"layers.{number}.{kind}"
        for number in range(LAYERS)
        for kind in ("weight", "bias")
    }
    keys |= {"linear.weight": "linear.weight", "linear.bias": "linear.bias"}
    width = max(1, _first_axis(tensors, "dis_conv_module.conv1.conv.weight", 64))
    last = max(1, _first_axis(tensors, "dis_conv_module.conv4.conv.weight", 4 * width))
    dense = tensors.get("linear.weight")
    side = round((dense.numel() / last) ** 0.5) if dense is not None else 1  # of the last map
    sizes = {
        "base_channels": width, "last_multiple": max(1, last // width), "picture_px": 16 * max(1, side),
        "padding": "even",
    }  # fmt: skip
    return Layout(_name_of(part), sizes, keys, {}, {})


def _first_axis(tensors: Mapping[str, Tensor], name: str, otherwise: int) -> int:
    """Return how many channels a kernel gives."""
    found = tensors.get(name)
    return len(found) if found is not None and found.ndim else otherwise
