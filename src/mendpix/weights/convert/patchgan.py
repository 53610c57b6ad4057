"""The critic of EdgeConnect and ISNet as their programs save it. Knows the names on both sides.

Its first layer lies in a file twice, as `conv1.0` and as `features.0`. Both are one layer to the programs, which read
the second one last, so that one counts where they differ.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from mendpix.errors import CheckpointError
from mendpix.weights.convert.imported import SourceTensor
from mendpix.weights.convert.spectral import (
    OURS,
    as_in_the_file,
    complete_spectral_norm,
    divided_kernels,
    spectral_keys,
)
from mendpix.weights.convert.torch_file import Layout, load_layout, state_dict_in

FIRST, TWIN = "conv1.0", "features.0"
"""The two names of the first convolution."""

OTHERS = {f"conv{number}.0": f"conv{number}" for number in range(2, 6)}
"""Names of the other four, theirs to ours."""


def load_patchgan(
    path: Path, part: str = "discriminator"
) -> tuple[torch.nn.Module, tuple[SourceTensor, ...], dict[str, str]]:
    """Read a critic: a dict with the key `discriminator`, or a bare state dict.

    Args:
        path: The file.
        part: What the network is in our files.

    Returns:
        The network in evaluation mode, an account of every tensor, and what else the file holds, name to kind.

    Raises:
        CheckpointError: If the file is broken, or not exactly such a critic's.
    """
    tensors, rest = state_dict_in(path, ["discriminator"])
    ready = complete_spectral_norm(tensors, (FIRST, TWIN, *OTHERS))
    network, account = load_layout(ready, patchgan_layout(ready, path.name), part, path.name)
    return network, as_in_the_file(account, tensors), rest


def patchgan_layout(tensors: Mapping[str, Tensor], title: str) -> Layout:
    """Find the sizes of a critic, and which of the two names of its first layer counts.

    Args:
        tensors: Those of the file by name, those of spectral norm completed.
        title: The file's name, for errors.

    Raises:
        CheckpointError: If the first kernel is missing or none.
    """
    twice = any(name.startswith(f"{TWIN}.") for name in tensors)
    lacking = [f"{name}.{kind}" for name in (FIRST, TWIN) for kind in OURS if f"{name}.{kind}" not in tensors]
    if twice and lacking:
        raise CheckpointError(
            f"a discriminator that has its first layer twice must have it, once more, whole as {lacking[0]}; {title} "
            "lacks it. Check --format, or get the file again."
        )
    first = TWIN if twice else FIRST
    kernel = tensors.get(f"{first}.weight_orig")
    if kernel is None or kernel.ndim != 4:
        raise CheckpointError(
            f"a discriminator must have the kernel {first}.weight_orig with 4 axes; {title} "
            f"{'lacks it' if kernel is None else f'has {tuple(kernel.shape)}'}. Check --format, or get the file again."
        )
    layers = {first: "conv1"} | OTHERS
    ignored = divided_kernels((FIRST, *layers))
    if first == TWIN:
        ignored["first layer under its other name"] = re.escape(FIRST) + r"\.weight_(orig|u|v)"
    sizes = {"in_channels": int(kernel.shape[1]), "base_channels": int(kernel.shape[0])}
    return Layout("patchgan", sizes, spectral_keys(layers), ignored, {})
