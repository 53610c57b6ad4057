"""Turn a TensorFlow checkpoint of the published GDN program into our networks. Knows the names on both sides.

The layouts: TensorFlow keeps kernels of convolutions as (height, width, in, out) and of transposed ones as (height,
width, out, in); torch wants (out, in, height, width) and (in, out, height, width). Both are the same turn.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mendpix.errors import CheckpointError
from mendpix.networks.table import build_network, without_numbers
from mendpix.weights.convert.imported import Imported, SourceTensor
from mendpix.weights.convert.tf_checkpoint import TfCheckpoint, open_checkpoint

GENERATOR_SCOPES = ("inpaint_generator", "Inpainting_generator")
DETECTOR_SCOPES = ("inpaint_discriminator", "Inpainting_discriminator")
"""Where the variables lie; both spellings occur in the published program."""

GENERATOR_FIRST, DETECTOR_FIRST = "encoder_1/conv/conv2d/kernel", "conv1/kernel"
"""The first kernels; their last axis is the base width."""

IGNORED = {
    "Adam slot": rf"({'|'.join(GENERATOR_SCOPES + DETECTOR_SCOPES)})/.+/Adam(_\d+)?",
    "Adam power": r"(.+/)?beta[12]_power(_\d+)?",
    "step counter": r"(.+/)?global_step",
}
"""What may lie in a checkpoint beside the weights."""

WAY_OUT = "Give a checkpoint of GDN as its published program saves it."
"""Said where names and shapes do not fit."""


@dataclass(frozen=True)
class Part:
    """A network as it lies in a checkpoint."""

    name: str
    """In the table of networks."""
    sizes: dict[str, int]
    """Taken from the checkpoint's shapes."""
    keys: dict[str, str]
    """Full name of every variable that must be there to the key of our weights."""


def read_gdn(path: Path) -> Imported:
    """Read the generator and, if it is there, the detector from a TensorFlow checkpoint.

    Base widths and the number of residual blocks are taken from the shapes.

    Args:
        path: The checkpoint; see `tf_checkpoint.find_prefix`.

    Raises:
        CheckpointError: If the checkpoint is not whole, or is not exactly a GDN's: a variable missing, unknown or of
            another shape. The optimiser's variables are ignored, but checked for damage like all others.
    """
    checkpoint = open_checkpoint(path)
    parts = {"generator": _find_generator(checkpoint)}
    detector = _find_detector(checkpoint)
    if detector is not None:
        parts["detector"] = detector
    used = {name: f"{part}/{key}" for part, found in parts.items() for name, key in found.keys.items()}
    ignored = _check_names(checkpoint, set(used))
    networks = {part: _load(checkpoint, found) for part, found in parts.items()}
    for name in ignored:
        checkpoint.check(name)
    tensors = tuple(
        SourceTensor(name, variable.shape, variable.dtype, used.get(name), ignored.get(name))
        for name, variable in checkpoint.variables.items()
    )
    return Imported(networks, {part: found.name for part, found in parts.items()}, tensors, checkpoint.prefix.name)


def _find_generator(checkpoint: TfCheckpoint) -> Part:
    """Find the generator by its scope; take its sizes from the first kernel and the numbers of the blocks."""
    scope = _scope(checkpoint, GENERATOR_SCOPES, GENERATOR_FIRST)
    if scope is None:
        names = [name for name in checkpoint.variables if _kind_of_ignored(name) is None]
        got = f"its variables are {_some(names)}" if names else "it holds no weights"
        raise CheckpointError(
            f"a checkpoint of GDN must have variables under {GENERATOR_SCOPES[0]}/; {checkpoint.prefix.name} is of "
            f"another network: {got}. {WAY_OUT}"
        )
    matches = (re.match(rf"{scope}/resblock_(\d+)/", name) for name in _weights_in(checkpoint, scope))
    blocks = len({match[1] for match in matches if match})
    width = _base_width(checkpoint, f"{scope}/{GENERATOR_FIRST}", (7, 7, 4))
    keys = {f"{scope}/{theirs}": ours for theirs, ours in _generator_keys(blocks).items()}
    return Part("gdn", {"base_channels": width, "residual_blocks": blocks}, keys)


def _find_detector(checkpoint: TfCheckpoint) -> Part | None:
    """Find the detector, if it is there."""
    scope = _scope(checkpoint, DETECTOR_SCOPES, DETECTOR_FIRST)
    if scope is None:
        return None
    width = _base_width(checkpoint, f"{scope}/{DETECTOR_FIRST}", (4, 4, 3))
    keys = {f"{scope}/{theirs}": ours for theirs, ours in _detector_keys().items()}
    return Part("gdn-detector", {"base_channels": width}, keys)


def _generator_keys(blocks: int) -> dict[str, str]:
    """Map the names of the published generator, without their scope, to ours."""
    kernels = {GENERATOR_FIRST: "stem", "decoder3/conv/conv2d/kernel": "head"}
    norms = {"encoder_1/ins_norm": "stem_norm"}
    for number in (1, 2):
        kernels[f"encoder_downsample_{number + 1}/conv_1/conv2d/kernel"] = f"down{number}"
        norms[f"encoder_downsample_{number + 1}/ins_norm_1"] = f"down{number}_norm"
        kernels[f"decoder_upsample_{number}/deconv/conv2d_transpose/kernel"] = f"up{number}"
        norms[f"decoder_upsample_{number}/ins_norm_1"] = f"up{number}_norm"
        for block in range(blocks):
            kernels[f"resblock_{block + 1}/res{number}/conv/conv2d/kernel"] = f"blocks.{block}.conv{number}"
            norms[f"resblock_{block + 1}/res{number}/ins_norm"] = f"blocks.{block}.norm{number}"
    keys = {theirs: f"{ours}.weight" for theirs, ours in kernels.items()}
    for theirs, ours in norms.items():
        keys |= {f"{theirs}/gamma": f"{ours}.weight", f"{theirs}/beta": f"{ours}.bias"}
    return keys


def _detector_keys() -> dict[str, str]:
    """Map the names of the published detector, without their scope, to ours."""
    layers = {f"conv{number}": f"conv{number}" for number in range(1, 6)}
    layers |= {f"deconv_{number}/conv2d_transpose": f"up{number}" for number in (1, 2)}
    return {
        f"{theirs}/{kind}": f"{ours}.{key}"
        for theirs, ours in layers.items()
        for kind, key in (("kernel", "weight"), ("bias", "bias"))
    }


def _scope(checkpoint: TfCheckpoint, scopes: tuple[str, ...], first: str) -> str | None:
    """Find the scope that a network lies in; None if there are no weights of it."""
    there = [scope for scope in scopes if _weights_in(checkpoint, scope)]
    return next((scope for scope in there if f"{scope}/{first}" in checkpoint.variables), there[0] if there else None)


def _weights_in(checkpoint: TfCheckpoint, scope: str) -> list[str]:
    return [name for name in checkpoint.variables if name.startswith(f"{scope}/") and _kind_of_ignored(name) is None]


def _kind_of_ignored(name: str) -> str | None:
    """Name the kind of a variable that is no weight; None for what may be one."""
    return next((kind for kind, pattern in IGNORED.items() if re.fullmatch(pattern, name)), None)


def _base_width(checkpoint: TfCheckpoint, name: str, before: tuple[int, ...]) -> int:
    """Take the base width from a first kernel."""
    title = checkpoint.prefix.name
    if name not in checkpoint.variables:
        raise CheckpointError(f"a GDN must have the variable {name}; {title} lacks it. {WAY_OUT}")
    shape = checkpoint.variables[name].shape
    if shape[:-1] != before or not shape[-1]:
        sizes = ", ".join(map(str, before))
        raise CheckpointError(f"{name} must have the shape ({sizes}, base width); {title} has {shape}. {WAY_OUT}")
    return shape[-1]


def _check_names(checkpoint: TfCheckpoint, used: set[str]) -> dict[str, str]:
    """Refuse a checkpoint that lacks something or has something unknown; return what is ignored, with its kind."""
    title = checkpoint.prefix.name
    lacking = sorted(used - set(checkpoint.variables))
    if lacking:
        raise CheckpointError(f"a GDN must have the variable {_some(lacking)}; {title} lacks it. {WAY_OUT}")
    kinds = {name: _kind_of_ignored(name) for name in checkpoint.variables if name not in used}
    unknown = [name for name, kind in kinds.items() if kind is None]
    if unknown:
        raise CheckpointError(
            f"a GDN must have no variables but its own and its optimiser's; {title} has {_some(unknown)}. {WAY_OUT}"
        )
    return {name: kind for name, kind in kinds.items() if kind is not None}


def _load(checkpoint: TfCheckpoint, part: Part) -> nn.Module:
    """Build a network and load it strictly."""
    with without_numbers():  # shapes without numbers; loading puts the checkpoint's in their place
        network = build_network(part.name, part.sizes)
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    title = checkpoint.prefix.name
    for name, key in part.keys.items():
        shape = shapes[key]
        wanted = (*shape[2:], shape[1], shape[0]) if len(shape) == 4 else shape
        found = checkpoint.variables[name]
        if found.shape != wanted:
            sizes = ", ".join(f"{size} {value}" for size, value in part.sizes.items())
            raise CheckpointError(
                f"{name} must have the shape {wanted} (by the first kernel and the names: {sizes}); "
                f"{title} has {found.shape}. {WAY_OUT}"
            )
        if not found.dtype.startswith("float"):
            raise CheckpointError(f"{name} must hold float32 or float64; {title} has {found.dtype}. {WAY_OUT}")
    network.load_state_dict(
        {key: _weight(checkpoint, name) for name, key in part.keys.items()}, strict=True, assign=True
    )
    return network.eval()


def _weight(checkpoint: TfCheckpoint, name: str) -> Tensor:
    """Read a variable in our layout, float32."""
    values = checkpoint.read(name).astype(np.float32, copy=False)
    if not np.isfinite(values).all():
        raise CheckpointError(
            f"weights must be finite numbers; {name} of {checkpoint.prefix.name} has others. Take an earlier one."
        )
    return torch.from_numpy(np.ascontiguousarray(values.transpose(3, 2, 0, 1)) if values.ndim == 4 else values)


def _some(names: list[str]) -> str:
    """Name one or two and count the rest."""
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
