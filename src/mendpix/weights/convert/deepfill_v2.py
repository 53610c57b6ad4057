"""Turn PyTorch files of DeepFill v2 into our networks. Knows the names on both sides.

There are two namings. One follows the published TensorFlow program, and its files hold that program's weights: they
need TensorFlow's sampling and the fused attention that it was trained with. The other, in stages and blocks, belongs to
networks that were trained with PyTorch's equal borders. Critics lie beside the generators in files of whole trainings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from mendpix.weights.convert.imported import Imported, SourceTensor
from mendpix.weights.convert.torch_file import Layout, account_of_rest, load_layout, read_torch_file, state_dict_in

GENERATOR_KEY, CRITIC_KEY = "G", "D"
"""Where the networks lie in a file; a bare state dict is a generator's."""

CRITIC_LAYERS = 6
"""Convolutions of the critic."""


def read_deepfill_v2(path: Path) -> Imported:
    """Read the generator and, if it is there, the critic.

    The width and the naming are taken from the tensors.

    Args:
        path: The file.

    Raises:
        CheckpointError: If the file is broken, refused, or not exactly a DeepFill v2's.
    """
    tensors, rest = state_dict_in(path, (GENERATOR_KEY,))
    generator, account = load_layout(tensors, _generator_layout(tensors), "generator", path.name)
    networks: dict[str, nn.Module] = {"generator": generator}
    names = {"generator": "deepfill-v2"}
    if CRITIC_KEY in rest and isinstance(read_torch_file(path)[CRITIC_KEY], dict):
        tensors, _ = state_dict_in(path, (CRITIC_KEY,))
        critic, of_critic = _load_critic(tensors, path.name)
        networks["discriminator"], names["discriminator"] = critic, "deepfill-v2-critic"
        account += of_critic
        del rest[CRITIC_KEY]
    account += account_of_rest(rest)
    return Imported(networks, names, account, path.name)


def _generator_layout(tensors: Mapping[str, Tensor]) -> Layout:
    """Tell the naming, and map it."""
    staged = any(name.startswith(("stage1.", "stage2.")) for name in tensors)
    layers = _staged_layers() if staged else _published_layers()
    keys = {
        f"{theirs}.conv.{kind}": f"{ours}.{kind}" if ours.endswith("decoder.6") else f"{ours}.conv.{kind}"
        for theirs, ours in layers.items()
        for kind in ("weight", "bias")
    }
    first = tensors.get(next(iter(keys)))
    width = max(2, len(first) // 2) if first is not None and first.ndim else 24
    ignored = {"fixed kernel": r"stage2\.contextual_attention\.fuse_weight"} if staged else {}
    sizes = {"width": width, "padding": "even" if staged else "same", "fuse": True}
    return Layout("deepfill-v2", sizes, keys, ignored, {})


def _published_layers() -> dict[str, str]:
    """Map the layers of the published naming to ours."""
    encoder = ("1", "2_downsample", "3", "4_downsample", "5", "6")
    dilated = ("7_atrous", "8_atrous", "9_atrous", "10_atrous")
    decoder = ("11", "12", "13_upsample.conv", "14", "15_upsample.conv", "16", "17")
    return (
        _numbered("coarse_encoder", "conv", encoder)
        | _numbered("coarse_dilated", "conv", dilated)
        | _numbered("coarse_decoder", "conv", decoder)
        | _numbered("refine_encoder", "xconv", encoder)
        | _numbered("refine_dilated", "xconv", dilated)
        | _numbered("match_encoder", "pmconv", encoder)
        | _numbered("match_decoder", "pmconv", ("9", "10"))
        | _numbered("refine_decoder", "allconv", decoder)
    )


def _staged_layers() -> dict[str, str]:
    """Map the layers of the naming by stages and blocks to ours."""
    encoder = (
        "conv1", "down_block1.conv1_downsample", "down_block1.conv2", "down_block2.conv1_downsample",
        "down_block2.conv2", "conv_bn1",
    )  # fmt: skip
    dilated = ("conv_bn2", "conv_bn3", "conv_bn4", "conv_bn5")
    decoder = (
        "conv_bn6", "conv_bn7", "up_block1.conv1_upsample.conv", "up_block1.conv2", "up_block2.conv1_upsample.conv",
        "up_block2.conv2", "conv_to_rgb",
    )  # fmt: skip
    return (
        _numbered("coarse_encoder", "stage1.", encoder)
        | _numbered("coarse_dilated", "stage1.", dilated)
        | _numbered("coarse_decoder", "stage1.", decoder)
        | _numbered("refine_encoder", "stage2.conv_", encoder)
        | _numbered("refine_dilated", "stage2.conv_", dilated)
        | _numbered("match_encoder", "stage2.ca_", encoder)
        | _numbered("match_decoder", "stage2.ca_", ("conv_bn4", "conv_bn5"))
        | _numbered("refine_decoder", "stage2.", decoder)
    )


def _numbered(ours: str, before: str, theirs: Sequence[str]) -> dict[str, str]:
    return {f"{before}{name}": f"{ours}.{number}" for number, name in enumerate(theirs)}


def _load_critic(tensors: Mapping[str, Tensor], title: str) -> tuple[nn.Module, tuple[SourceTensor, ...]]:
    """Load the critic. Its spectral norm kept one direction of two, as a column; ours keeps both, as plain vectors."""
    keys: dict[str, str] = {}
    ready = dict(tensors)
    for number in range(CRITIC_LAYERS):
        theirs, ours = f"conv{number + 1}.conv_sn", f"layers.{number}"
        keys |= {
            f"{theirs}.weight": f"{ours}.parametrizations.weight.original",
            f"{theirs}.bias": f"{ours}.bias",
            f"{theirs}.weight_u": f"{ours}.parametrizations.weight.0._u",
            f"{theirs}.weight_v": f"{ours}.parametrizations.weight.0._v",
        }
        weight, column = tensors.get(f"{theirs}.weight"), tensors.get(f"{theirs}.weight_u")
        if weight is not None and column is not None and tuple(column.shape) == (*weight.shape[:1], 1):
            left = column[:, 0].float()
            ready[f"{theirs}.weight_u"] = left
            ready.setdefault(f"{theirs}.weight_v", F.normalize(weight.float().flatten(1).T @ left, dim=0))
    first = tensors.get("conv1.conv_sn.weight")
    width = max(1, len(first)) if first is not None and first.ndim else 64
    layout = Layout("deepfill-v2-critic", {"base_channels": width}, keys, {}, {})
    network, account = load_layout(ready, layout, "discriminator", title)
    found = tuple(replace(entry, shape=tuple(tensors[entry.name].shape)) for entry in account if entry.name in tensors)
    return network, found
