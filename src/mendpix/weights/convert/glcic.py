"""Read weights that the well-known port of GLCIC saved: `model_cn`, `model_cd` and `config.json`, or one of them.

The completion network needs the colour that holes are painted in, which the port keeps apart, in `config.json`. Knows
the names on both sides.
"""

import json
import re
from collections.abc import Mapping
from math import isqrt
from pathlib import Path
from typing import Any, cast

from torch import Tensor, nn

from mendpix.errors import CheckpointError
from mendpix.networks.glcic import LOCAL_LAYERS
from mendpix.weights.convert.imported import Imported, SourceTensor
from mendpix.weights.convert.torch_file import Layout, load_layout, state_dict_in

COMPLETION, CRITIC, NOTES = "model_cn", "model_cd", "config.json"
"""Names of the port's files; while it trains, the first two have `_step` and a number behind them."""

WAY_OUT = f"Give {COMPLETION}, {CRITIC} or the folder of them, as the port saves them."
"""Said where a file is of another kind."""


def read_glcic(path: Path) -> Imported:
    """Read the completion network, the critic, or both.

    Widths and sizes are taken from the shapes; the colour of holes from the key `mpv` of `config.json` in the folder of
    the completion network, or medium grey if there is none.

    Args:
        path: One of the two files, or the folder that holds them.

    Raises:
        CheckpointError: If a file is not whole, or is not exactly of such a network: a tensor missing, unknown or of
            another shape; if it asks for more than tensors and plain values; or if `config.json` is broken.
    """
    networks: dict[str, nn.Module] = {}
    names: dict[str, str] = {}
    account: list[SourceTensor] = []
    for file in _files(path):
        tensors, _ = state_dict_in(file)
        if any(name.startswith(("model_ld.", "model_gd.")) for name in tensors):
            part, layout = "discriminator", _critic_layout(tensors, file.name)
        else:
            part, layout = "generator", _completion_layout(tensors, file)
        networks[part], found = load_layout(tensors, layout, part, file.name)
        names[part] = layout.network
        account += found
    return Imported(networks, names, tuple(account), path.name)


def _files(path: Path) -> list[Path]:
    """Return the file that was given; or the completion network's in a folder and, if it is there, the critic's."""
    if not path.is_dir():
        return [path]
    found = [_newest(path, stem) for stem in (COMPLETION, CRITIC)]
    if found[0] is None:
        raise CheckpointError(f"a folder of GLCIC must hold the file {COMPLETION}; {path} does not. {WAY_OUT}")
    return [file for file in found if file is not None]


def _newest(folder: Path, stem: str) -> Path | None:
    """Find a network's file: the one without a number, or the one with the highest."""
    if (folder / stem).is_file():
        return folder / stem
    numbered = {
        int(match[1]): file
        for file in folder.glob(f"{stem}_step*")
        if (match := re.fullmatch(rf"{stem}_step(\d+)", file.name)) and file.is_file()
    }
    return numbered[max(numbered)] if numbered else None


def _completion_layout(tensors: Mapping[str, Tensor], file: Path) -> Layout:
    """Find the completion network's width and colour, and which of our keys each of its tensors is."""
    width = len(_kernel(tensors, "conv1.weight", 4, file.name))
    keys: dict[str, str] = {}
    for number in range(1, 17):
        conv = f"deconv{number}" if number in (13, 15) else f"conv{number}"
        keys |= _layer(tensors, conv, f"bn{number}", f"layers.{number - 1}")
    keys |= {f"conv17.{kind}": f"head.{kind}" for kind in ("weight", "bias")}
    sizes: dict[str, Any] = {"base_channels": width}
    colour = _colour(file.with_name(NOTES))
    if colour is not None:
        sizes["hole_rgb"] = colour
    return Layout("glcic", sizes, keys, {}, {})


def _critic_layout(tensors: Mapping[str, Tensor], title: str) -> Layout:
    """Do the same for the critic; the sides of its squares follow from its dense layers."""
    width = len(_kernel(tensors, "model_ld.conv1.weight", 4, title))
    layers = len({match[1] for name in tensors if (match := re.match(r"model_gd\.conv(\d+)\.", name))})
    keys = {f"linear1.{kind}": f"head.{kind}" for kind in ("weight", "bias")}
    sides: dict[str, int] = {}
    hidden = 1
    for theirs, ours, count in (("model_ld", "local", LOCAL_LAYERS), ("model_gd", "global", layers)):
        dense = f"{theirs}.linear{count + 1}"
        hidden, inputs = _kernel(tensors, f"{dense}.weight", 2, title).shape
        sides[ours] = isqrt(inputs // (width * min(2 ** (count - 1), 8))) << count
        keys |= {f"{dense}.{kind}": f"{ours}_head.{kind}" for kind in ("weight", "bias")}
        for number in range(1, count + 1):
            layer = f"{ours}_layers.{number - 1}"
            keys |= _layer(tensors, f"{theirs}.conv{number}", f"{theirs}.bn{number}", layer)
    sizes = {
        "base_channels": width, "hidden": hidden, "local_px": sides["local"], "global_px": sides["global"],
        "global_layers": layers,
    }  # fmt: skip
    if not 1 <= sizes["local_px"] <= sizes["global_px"]:
        raise CheckpointError(
            f"a critic of GLCIC must look at a square inside the whole; {title} has dense layers for squares of "
            f"{sizes['local_px']} and {sizes['global_px']} px. {WAY_OUT}"
        )
    return Layout("glcic-discriminator", sizes, keys, {}, {})


def _layer(tensors: Mapping[str, Tensor], conv: str, norm: str, ours: str) -> dict[str, str]:
    """Map a convolution and its batch norm."""
    counted = f"{norm}.num_batches_tracked" in tensors  # files of torch 0.4.0 have no such count
    kinds = ("weight", "bias", "running_mean", "running_var", *(["num_batches_tracked"] if counted else []))
    keys = {f"{conv}.{kind}": f"{ours}.conv.{kind}" for kind in ("weight", "bias")}
    return keys | {f"{norm}.{kind}": f"{ours}.norm.{kind}" for kind in kinds}


def _kernel(tensors: Mapping[str, Tensor], name: str, axes: int, title: str) -> Tensor:
    """Return a tensor whose shape tells a size."""
    found = tensors.get(name)
    if found is None or found.ndim != axes or not found.numel():
        got = "has none such" if found is None else f"has {tuple(found.shape)}"
        raise CheckpointError(f"a GLCIC must have the tensor {name} with {axes} axes; {title} {got}. {WAY_OUT}")
    return found


def _colour(notes: Path) -> tuple[float, ...] | None:
    """Read the mean colour; None if there is no such file, or none in it."""
    if not notes.is_file():
        return None
    try:
        record: Any = json.loads(notes.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        record = None
    colour: Any = cast("dict[str, Any]", record).get("mpv") if isinstance(record, dict) else "no JSON"
    if colour is None:  # the port lets the colour be measured, and did not write it down
        return None
    if isinstance(colour, list):
        values = cast("list[Any]", colour)
        numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
        if len(numbers) == len(values) == 3 and all(0 <= number <= 1 for number in numbers):
            return tuple(numbers)
    raise CheckpointError(
        f"{NOTES} beside {COMPLETION} must have a mean colour as `mpv`, three numbers in [0, 1]; {notes} has "
        f"{colour!r}. Put the right one there, or take it away for medium grey."
    )
