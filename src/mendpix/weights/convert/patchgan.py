"""The critic of EdgeConnect and ISNet as their programs save it. Knows the names on both sides."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from mendpix.errors import CheckpointError
from mendpix.weights.convert.imported import SourceTensor
from mendpix.weights.convert.spectral import IGNORED, complete_spectral_norm, spectral_keys
from mendpix.weights.convert.torch_file import Layout, load_layout, state_dict_in

LAYERS = {f"conv{number}.0": f"conv{number}" for number in range(1, 6)}
"""Names of the five convolutions, theirs to ours."""


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
    tensors = complete_spectral_norm(tensors, LAYERS)
    network, account = load_layout(tensors, patchgan_layout(tensors, path.name), part, path.name)
    return network, account, rest


def patchgan_layout(tensors: Mapping[str, Tensor], title: str) -> Layout:
    """Find the sizes of a critic.

    Args:
        tensors: Those of the file by name.
        title: The file's name, for errors.

    Raises:
        CheckpointError: If the first kernel is missing or none.
    """
    first = tensors.get("conv1.0.weight_orig")
    if first is None or first.ndim != 4:
        raise CheckpointError(
            f"a discriminator must have the kernel conv1.0.weight_orig with 4 axes; {title} "
            f"{'lacks it' if first is None else f'has {tuple(first.shape)}'}. Check --format, or get the file again."
        )
    ignored = {"first layer, listed twice": r"features\.0\.weight\w*"} | IGNORED
    sizes = {"in_channels": int(first.shape[1]), "base_channels": int(first.shape[0])}
    return Layout("patchgan", sizes, spectral_keys(LAYERS), ignored, {})
