"""Turn the published files of ISNet into our networks. Knows the names on both sides."""

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from mendpix.errors import CheckpointError
from mendpix.networks.isnet import STAGES
from mendpix.weights.convert.imported import Imported
from mendpix.weights.convert.patchgan import load_patchgan
from mendpix.weights.convert.spectral import as_in_the_file, complete_spectral_norm, divided_kernels, spectral_keys
from mendpix.weights.convert.torch_file import Layout, account_of_rest, load_layout, state_dict_in

FIRST = "layer1.downsample.weight"
"""The kernel whose first axis is the base width; the only one without spectral norm."""


def read_isnet(path: Path) -> Imported:
    """Read the generator and, if it is there, the discriminator.

    Width and number of residual blocks are taken from the shapes.

    Args:
        path: The generator's file, a dict with the key `generator` or a bare state dict; or a folder with one file that
            ends in `_gen.pth` and possibly one in `_dis.pth`.

    Raises:
        CheckpointError: If a file is broken, or not exactly an ISNet's.
    """
    generator, discriminator = _files(path)
    tensors, rest = state_dict_in(generator, ["generator"])
    layers = _layers(_blocks(tensors))
    ready = complete_spectral_norm(tensors, layers)
    network, account = load_layout(ready, _layout(ready, layers, generator.name), "generator", generator.name)
    account = as_in_the_file(account, tensors)
    networks: dict[str, nn.Module] = {"generator": network}
    names = {"generator": "isnet"}
    account += account_of_rest(rest)
    if discriminator is not None:
        networks["discriminator"], more, rest = load_patchgan(discriminator)
        names["discriminator"] = "patchgan"
        account += more + account_of_rest(rest)
    return Imported(networks, names, account, path.name)


def _files(path: Path) -> tuple[Path, Path | None]:
    """Find the files of the generator and the discriminator."""
    if not path.is_dir():
        return path, None
    found = {kind: sorted(path.glob(f"*_{kind}.pth")) for kind in ("gen", "dis")}
    if len(found["gen"]) != 1 or len(found["dis"]) > 1:
        raise CheckpointError(
            f"a folder of ISNet must hold one file *_gen.pth and at most one *_dis.pth; {path} holds "
            f"{len(found['gen'])} and {len(found['dis'])}. Give the generator's file itself."
        )
    return found["gen"][0], found["dis"][0] if found["dis"] else None


def _blocks(tensors: Mapping[str, Tensor]) -> int:
    """Count the residual blocks of a branch."""
    numbers = {match[1] for name in tensors if (match := re.match(r"stage0\.branches\.0\.(\d+)\.", name))}
    return len(numbers)


def _layout(tensors: Mapping[str, Tensor], layers: Mapping[str, str], title: str) -> Layout:
    first = tensors.get(FIRST)
    if first is None or first.ndim != 4:
        raise CheckpointError(
            f"an ISNet must have the kernel {FIRST} with 4 axes; {title} "
            f"{'lacks it' if first is None else f'has {tuple(first.shape)}'}. Check --format, or get the file again."
        )
    keys = {FIRST: "stem.shortcut.weight"} | spectral_keys(layers)
    keys |= {"final_layer.0.bias": "mix.bias", "final_layer.2.bias": "head.bias"}
    sizes = {"base_channels": int(first.shape[0]), "residual_blocks": _blocks(tensors)}
    return Layout("isnet", sizes, keys, divided_kernels(layers), {})


def _layers(blocks: int) -> dict[str, str]:
    """Name every layer under spectral norm, theirs to ours."""
    layers = {"layer1.conv_block.1": "stem.conv1", "layer1.conv_block.4": "stem.conv2"}
    for stage in range(STAGES):
        theirs, ours = f"stage{stage}", f"stages.{stage}"
        branches = {0: "high_blocks", 1: "low_blocks"} if stage else {0: "high_blocks"}
        for branch, name in branches.items():
            for block in range(blocks):
                for their_number, number in ((1, 1), (4, 2)):
                    layers[f"{theirs}.branches.{branch}.{block}.conv_block.{their_number}"] = (
                        f"{ours}.{name}.{block}.conv{number}"
                    )
        for step in range(stage):
            layers[f"{theirs}.fuse_layers.0.1.{step}.0"] = f"{ours}.up.steps.{step}"
        for step in range(stage + 1):
            layers[f"{theirs}.fuse_layers.1.0.{step}.0"] = f"{ours}.down.{step}"
        if stage:
            layers[f"{theirs}.fuse_layers.1.1.0"] = f"{ours}.low_down"
        layers[f"{theirs}.fused_branches.0.0.0"] = f"{ours}.high_join"
        layers[f"{theirs}.fused_branches.1.0.0"] = f"{ours}.low_join"
    for step in range(STAGES):
        layers[f"up_layer.{step}.0"] = f"fusion.steps.{step}"
    return layers | {"final_layer.0": "mix", "final_layer.2": "head"}
