"""Turn spectral norm as torch used to save it into the form of today's parametrisations. Knows no network's names.

Today's files of the older form hold the free kernel (`weight_orig`) and the two directions of its largest singular
value (`weight_u`, `weight_v`). Those of torch 0.4 hold the normalised kernel (`weight`) as well and lack `weight_v`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

IGNORED = "kernel before spectral norm"
"""Kind of what is left aside of a file of torch 0.4."""


@dataclass(frozen=True)
class SpectralTensors:
    """What a file's layers under spectral norm come to."""

    tensors: dict[str, Tensor]
    """The file's tensors, and the directions that it lacks."""
    keys: dict[str, str]
    """Foreign name to the key of our weights, for those layers."""
    ignored: dict[str, str]
    """Kind to a pattern of names, for those layers."""


def find_spectral_tensors(
    tensors: Mapping[str, Tensor], layers: Mapping[str, str], transposed: Collection[str] = ()
) -> SpectralTensors:
    """Map the kernels of layers under spectral norm.

    The network's answer is that of the file to rounding: where the file has the normalised kernel, that one is taken,
    and the second direction is scaled so that the quotient is 1.

    Args:
        tensors: Of the file, by name. What is wrong with them is `torch_file.load_layout`'s to say.
        layers: Foreign name of a layer to ours, such as `encoder.1` to `body.stem`.
        transposed: Foreign names of those that are transposed convolutions.
    """
    ready, keys = dict(tensors), dict[str, str]()
    old = False
    for theirs, ours in layers.items():
        kernel = tensors.get(f"{theirs}.weight")
        if kernel is not None and kernel.ndim > 1:
            old = True
            left = tensors.get(f"{theirs}.weight_u")
            first, second = _directions(kernel.float(), left, transposed=theirs in transposed)
            ready |= {f"{theirs}.weight_u": first, f"{theirs}.weight_v": second}
        names = ("weight" if kernel is not None else "weight_orig", "weight_u", "weight_v")
        places = ("original", "0._u", "0._v")
        keys |= {
            f"{theirs}.{name}": f"{ours}.parametrizations.weight.{place}"
            for name, place in zip(names, places, strict=True)
        }
    return SpectralTensors(ready, keys, {IGNORED: r".+\.weight_orig"} if old else {})


def _directions(kernel: Tensor, left: Tensor | None, *, transposed: bool) -> tuple[Tensor, Tensor]:
    """Return two directions for which a normalised kernel stays as it is: u W v = 1."""
    matrix = (kernel.transpose(0, 1) if transposed else kernel).flatten(1)  # (outputs, the rest)
    if left is None or left.shape != matrix.shape[:1] or not bool(left.any()):
        left = torch.linalg.svd(matrix, full_matrices=False).U[:, 0]
    left = left.float() / left.float().norm()
    right = matrix.T @ left
    return left, right / right.square().sum().clamp_min(1e-12)
