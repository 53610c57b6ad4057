"""Bring spectral norm as older torch saved it to the form that our networks hold it in. Knows no network's names.

Older torch keeps, beside each other, the kernel `weight_orig` and the directions `weight_u` and `weight_v`; files of
torch 0.4 hold the kernel that is already divided, `weight`, and no `weight_v`; folded files hold `weight` alone.
"""

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from mendpix.weights.convert.imported import SourceTensor

OURS = {
    "weight_orig": "parametrizations.weight.original",
    "weight_u": "parametrizations.weight.0._u",
    "weight_v": "parametrizations.weight.0._v",
}
"""What the three tensors are called behind a layer's name, theirs to ours."""


def spectral_keys(layers: Mapping[str, str]) -> dict[str, str]:
    """Return the keys of layers under spectral norm, given their names, theirs to ours."""
    return {
        f"{theirs}.{their_kind}": f"{ours}.{our_kind}"
        for theirs, ours in layers.items()
        for their_kind, our_kind in OURS.items()
    }


def divided_kernels(layers: Iterable[str]) -> dict[str, str]:
    """Return what may lie beside the three and is left aside, as the `ignored` of a layout, given the layers' names."""
    names = "|".join(re.escape(layer) for layer in layers)
    return {"kernel already divided": rf"({names})\.weight"}


def complete_spectral_norm(
    tensors: Mapping[str, Tensor], layers: Iterable[str], transposed: Iterable[str] = ()
) -> dict[str, Tensor]:
    """Give every layer under spectral norm the three tensors that belong to it, if an older file lacks some.

    What is made is such that the network computes with the very kernel that the file holds in `weight`: the length of
    `weight_u`, which is 1 after the first step of training, carries the rest.

    Args:
        tensors: Those of the file by name.
        layers: Names of the layers under spectral norm.
        transposed: Those of them that are transposed convolutions, whose second axis counts the outputs.

    Returns:
        All tensors, with those that were lacking. A layer without any kernel is left as it is.
    """
    found = dict(tensors)
    flipped = set(transposed)
    for layer in layers:
        kernel, divided = found.get(f"{layer}.weight_orig"), found.get(f"{layer}.weight")
        if f"{layer}.weight_v" in found or divided is None or divided.ndim < 2:
            continue
        if kernel is None:
            found[f"{layer}.weight_orig"] = kernel = found.pop(f"{layer}.weight")
        elif kernel.shape != divided.shape:
            continue
        matrix = kernel.double().transpose(0, 1) if layer in flipped else kernel.double()
        matrix = matrix.flatten(1)
        left = found.get(f"{layer}.weight_u")
        if left is None or left.shape != matrix.shape[:1]:
            left = torch.ones(len(matrix)) + torch.arange(len(matrix)) % 3  # any start that is not orthogonal will do
        left = left.double()
        for _ in range(20):
            left = torch.nn.functional.normalize(matrix @ (matrix.T @ left), dim=0)
        right = torch.nn.functional.normalize(matrix.T @ left, dim=0)
        whole = kernel.double()
        norm = whole.square().sum() / (whole * divided.double()).sum()  # what the file divided its kernel by
        found[f"{layer}.weight_u"] = (left * norm / (left @ matrix @ right)).float()
        found[f"{layer}.weight_v"] = right.float()
    return found


def as_in_the_file(account: Iterable[SourceTensor], names: Container[str]) -> tuple[SourceTensor, ...]:
    """Bring an account of completed tensors back to the file's: its own names, and nothing that was made.

    Args:
        account: Of `complete_spectral_norm`'s tensors.
        names: Those that the file has.
    """
    kept: list[SourceTensor] = []
    for entry in account:
        before = entry.name.removesuffix("_orig")  # a folded file calls it so
        if entry.name in names:
            kept.append(entry)
        elif entry.name.endswith(".weight_orig") and before in names:
            kept.append(replace(entry, name=before))
    return tuple(kept)
