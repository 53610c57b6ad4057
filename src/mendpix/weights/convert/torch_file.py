"""Read PyTorch files that other programs saved, and turn their tensors into our networks. Knows no network's names.

Such files are pickles. They are read through torch's own allow-list (`weights_only`): tensors, numbers, text, lists and
dicts; anything else in them is refused and never run.
"""

import pickle
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from mendpix.errors import CheckpointError
from mendpix.networks.table import build_network, without_numbers
from mendpix.weights.convert.imported import SourceTensor


def read_torch_file(path: Path) -> dict[str, Any]:
    """Read a file that `torch.save` wrote.

    Args:
        path: The file: a zip archive, or the older form.

    Returns:
        The dict that was saved, tensors on the CPU.

    Raises:
        CheckpointError: If it is missing, broken, holds anything but tensors and plain values, or is no dict.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise CheckpointError(f"weights must be a file of PyTorch (.pth, .pt); {path} {what}. Check the path.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old pickles, which it may then refuse
            found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        refused = re.search(r"(?:GLOBAL|Unsupported \w+|global) (\S+)", str(error))
        what = f"it asks for {refused[1]}" if refused else "it is broken, or asks for something else"
        raise CheckpointError(
            f"weights must hold nothing but tensors and plain values; {path.name} is refused: {what}. "
            "Nothing of it was run. Save its state_dict() alone, or get the file again."
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, AttributeError, IndexError, TypeError) as error:
        raise CheckpointError(
            f"weights must be a whole file of PyTorch; {path.name} is not ({str(error).splitlines()[0][:120]}). "
            "Get it again."
        ) from error
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in cast("dict[Any, Any]", found)):
        raise CheckpointError(
            f"weights must be a dict of names; {path.name} holds a {type(found).__name__}. Save its state_dict()."
        )
    return cast("dict[str, Any]", found)


def state_dict_in(path: Path, keys: Sequence[str] = ()) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the tensors of a network out of a file.

    Args:
        path: The file.
        keys: Names under which the tensors may lie, such as `generator`, the first that is there counts; a file that
            has none of them must be a bare state dict.

    Returns:
        Tensors by name, without the prefix `module.` of runs on several devices; and what else the file has at its top,
        name to what it is (`n_iter` -> `plain value`), which is ignored.

    Raises:
        CheckpointError: If the file cannot be read, or holds no tensors there.
    """
    found = read_torch_file(path)
    key = next((key for key in keys if isinstance(found.get(key), dict)), None)
    tensors: Any = found if key is None else found[key]
    rest = {} if key is None else {name: _kind_of(value) for name, value in found.items() if name != key}
    odd = next((name for name, value in tensors.items() if not _is_plain(name, value)), None)
    if not tensors or odd is not None:
        where = f"under {' or '.join(keys)}, or bare" if keys else "bare"
        raise CheckpointError(
            f"the tensors of a network were expected {where}; {path.name} has "
            f"{'none' if odd is None else f'{odd}, which is no plain tensor'}. Check --format, or give another file."
        )
    plain = {name.removeprefix("module."): value for name, value in tensors.items()}
    if len(plain) < len(tensors):
        raise CheckpointError(
            f"every tensor must be there once; {path.name} has some both with and without the prefix module. "
            "Save the state_dict() of one of the networks alone."
        )
    return plain, rest


def account_of_rest(rest: Mapping[str, str]) -> tuple[SourceTensor, ...]:
    """Account for what a file holds beside its tensors, as `state_dict_in` returns it."""
    return tuple(SourceTensor(name, (), "", None, kind) for name, kind in rest.items())


@dataclass(frozen=True)
class Layout:
    """How the tensors of a foreign network map to ours."""

    network: str
    """Our network's name in the table of networks."""
    sizes: Mapping[str, Any]
    """Its sizes, read off the tensors' shapes."""
    keys: Mapping[str, str]
    """Every tensor that must be there, by its foreign name, to the key of our weights."""
    ignored: Mapping[str, str]
    """Kind to a pattern of whole names: what may be there and is left aside."""
    scale: Mapping[str, float]
    """Our keys whose tensors are multiplied by a number on the way; 1 for those that are left out."""


def load_layout(
    tensors: Mapping[str, Tensor], layout: Layout, part: str, title: str
) -> tuple[torch.nn.Module, tuple[SourceTensor, ...]]:
    """Build a network from foreign tensors, strictly: all that it needs, nothing unknown, every shape right.

    Args:
        tensors: The foreign tensors by name.
        layout: How they map.
        part: What the network is in our files, such as `generator`.
        title: The file's name, for errors.

    Returns:
        The network in evaluation mode, and an account of every tensor.

    Raises:
        CheckpointError: If a tensor is missing, unknown, of another shape or not finite.
    """
    way_out = "Check --format, or get the file again."
    lacking = [name for name in layout.keys if name not in tensors]
    if lacking:
        raise CheckpointError(f"a {layout.network} must have the tensor {_some(lacking)}; {title} lacks it. {way_out}")
    kinds = {
        name: next((kind for kind, pattern in layout.ignored.items() if re.fullmatch(pattern, name)), None)
        for name in tensors
        if name not in layout.keys
    }
    unknown = [name for name, kind in kinds.items() if kind is None]
    if unknown:
        raise CheckpointError(
            f"a {layout.network} must have no tensors but its own; {title} has {_some(unknown)}. {way_out}"
        )
    with without_numbers():  # shapes without numbers
        form = build_network(layout.network, layout.sizes).state_dict()
    wanted = {key: tuple(value.shape) for key, value in form.items()}
    weights: dict[str, Tensor] = {}
    for name, key in layout.keys.items():
        found = tensors[name]
        if key not in wanted or tuple(found.shape) != wanted[key]:
            raise CheckpointError(
                f"{name} must have the shape {wanted.get(key, 'of a tensor that we have')} (by the other tensors: "
                f"{', '.join(f'{size} {value}' for size, value in layout.sizes.items())}); {title} has "
                f"{tuple(found.shape)}. {way_out}"
            )
        if found.is_floating_point() != form[key].is_floating_point():
            kind = "real numbers" if form[key].is_floating_point() else "whole numbers"
            raise CheckpointError(f"{name} must hold {kind}; in {title} it is {found.dtype}. {way_out}")
        value = found.float() if found.is_floating_point() else found
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise CheckpointError(f"weights must be finite numbers; {name} of {title} has others. {way_out}")
        weights[key] = value * layout.scale.get(key, 1.0) if key in layout.scale else value.clone()
    network = build_network(layout.network, layout.sizes)
    try:
        network.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        raise CheckpointError(f"the tensors of {title} do not make a whole {layout.network}: {error}") from error
    account = tuple(
        SourceTensor(
            name, tuple(value.shape), str(value.dtype).removeprefix("torch."),
            f"{part}/{layout.keys[name]}" if name in layout.keys else None, kinds.get(name),
        )
        for name, value in tensors.items()
    )  # fmt: skip
    return network.eval(), account


def _is_plain(name: Any, value: Any) -> bool:
    """Tell whether an entry is a named tensor whose numbers lie there one by one."""
    return isinstance(name, str) and isinstance(value, Tensor) and value.layout == torch.strided


def _kind_of(value: Any) -> str:
    return "optimiser" if isinstance(value, dict) else "plain value"


def _some(names: Sequence[str]) -> str:
    """Name one or two and count the rest."""
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
