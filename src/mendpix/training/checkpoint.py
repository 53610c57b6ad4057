"""Checkpoints: safetensors for numbers, JSON for what they mean. No pickle is written or read.

A checkpoint is a folder: `generator.safetensors` and `detector.safetensors` hold the weights to use (the moving average
if there is one), `training.safetensors` the raw weights and the optimisers' state for resuming, `checkpoint.json` the
networks' names and sizes, the step and the time spent. Folders are written under another name and renamed when whole,
so that a run killed at any moment has a whole checkpoint or none.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from mendpix.atomic_files import atomic_write
from mendpix.errors import CheckpointError, OutputError
from mendpix.networks.table import NETWORKS, build_network

FORMAT = 1
"""Version of the layout."""

PARTIAL = ".partial"
"""Ending of folders that are being written or thrown away."""


def save_checkpoint(
    folder: Path,
    *,
    weights: Mapping[str, Mapping[str, Tensor]],
    networks: Mapping[str, nn.Module],
    names: Mapping[str, str],
    optimizers: Mapping[str, torch.optim.Optimizer],
    state: Mapping[str, Any],
) -> None:
    """Write a checkpoint folder whole or not at all.

    Args:
        folder: Where; replaced if it is there.
        weights: Network part (`generator`, `detector`) to the weights to use.
        networks: Network part to the module as trained.
        names: Network part to its name in the table.
        optimizers: Optimisers by name.
        state: Plain values for the JSON, such as the step.

    Raises:
        OutputError: If the folder cannot be written, for instance because the disk is full.
    """
    raw = {f"{part}/{key}": value for part, network in networks.items() for key, value in network.state_dict().items()}
    for name, optimizer in optimizers.items():
        for index, slots in optimizer.state_dict()["state"].items():
            raw |= {f"optimizer/{name}/{index}/{slot}": torch.as_tensor(value) for slot, value in slots.items()}
    described = {
        part: {"name": names[part], "sizes": asdict(network.config)}  # type: ignore[arg-type]  # every network has one
        for part, network in networks.items()
    }
    record = {"format": FORMAT, "networks": described, "optimizers": list(optimizers), **state}
    files = {f"{part}.safetensors": _pack(tensors) for part, tensors in weights.items()}
    files["training.safetensors"] = _pack(raw)
    files["checkpoint.json"] = (json.dumps(record, indent=2) + "\n").encode()

    new, old = (folder.with_name(f".{folder.name}.{which}{PARTIAL}") for which in ("new", "old"))
    try:
        for left in folder.parent.glob(f".*{PARTIAL}"):  # of a run that was killed while it wrote
            shutil.rmtree(left)
        new.mkdir(parents=True)
        for name, content in files.items():
            with atomic_write(new / name) as path:
                path.write_bytes(content)
        if folder.exists():
            os.replace(folder, old)
        os.replace(new, folder)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(new, ignore_errors=True)
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"the checkpoint {folder} could not be written ({error.strerror or error}). Choose another --out."
        ) from error


def read_record(folder: Path) -> dict[str, Any]:
    """Return a checkpoint's JSON.

    Raises:
        CheckpointError: If it is missing, broken or of another format.
    """
    try:
        record = json.loads((folder / "checkpoint.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"a checkpoint folder with a whole checkpoint.json was expected; {folder} has none ({error}). "
            "Delete it to use the checkpoint before."
        ) from error
    found = record.get("format") if isinstance(record, dict) else None
    if found != FORMAT:
        raise CheckpointError(
            f"checkpoint format must be {FORMAT}; {folder} has {found!r}. Use the version of mendpix that wrote it."
        )
    return record


def latest_checkpoint(run: Path) -> Path | None:
    """Return the newest whole checkpoint of a run folder, or None."""
    found = sorted(path for path in (run / "checkpoints").glob("step-*") if (path / "checkpoint.json").is_file())
    return found[-1] if found else None


def load_network(checkpoint: Path, part: str) -> nn.Module:
    """Build a network from a checkpoint, strictly loaded, in evaluation mode.

    Args:
        checkpoint: A checkpoint folder, or a run folder (its newest checkpoint is taken).
        part: `generator`, `detector`, `damage` or another that the run trains.

    Raises:
        CheckpointError: If the checkpoint is missing, broken, or does not fit its own description.
    """
    folder = checkpoint if (checkpoint / "checkpoint.json").is_file() else latest_checkpoint(checkpoint)
    if folder is None:
        raise CheckpointError(f"{checkpoint} must be a checkpoint or a run folder with checkpoints; it holds none.")
    described = read_record(folder)["networks"].get(part)
    if described is None or described["name"] not in NETWORKS:
        held = ", ".join(read_record(folder)["networks"])
        raise CheckpointError(
            f"{folder} must describe a {part} of a known network; got {described!r}. It holds {held}."
        )
    network = build_network(described["name"], described["sizes"])
    load_strictly(network, read_tensors(folder / f"{part}.safetensors"), str(folder))
    return network.eval()


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Raises:
        CheckpointError: If it is missing or broken.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"a whole safetensors file was expected; {path} is not one ({error}). "
            "Delete a broken checkpoint to use the one before."
        ) from error


def load_strictly(network: nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Load weights, every key and shape fitting.

    Raises:
        CheckpointError: If keys or shapes do not fit.
    """
    try:
        network.load_state_dict(dict(tensors), strict=True)
    except RuntimeError as error:
        raise CheckpointError(f"weights of {type(network).__name__} do not fit {where}: {error}") from error


@torch.no_grad()
def restore(
    folder: Path,
    *,
    weights: Mapping[str, Mapping[str, Tensor]],
    networks: Mapping[str, nn.Module],
    optimizers: Mapping[str, torch.optim.Optimizer],
) -> dict[str, Any]:
    """Put a run back to where a checkpoint left it; the counterpart of `save_checkpoint`.

    Args:
        folder: The checkpoint.
        weights: Network part to the weights to use, overwritten in place.
        networks: Modules to load the raw weights into.
        optimizers: Optimisers to load the state into, by name.

    Returns:
        The checkpoint's JSON.

    Raises:
        CheckpointError: If anything is missing or does not fit.
    """
    record = read_record(folder)
    if record["networks"].keys() != networks.keys():
        raise CheckpointError(
            f"{folder} must hold {', '.join(networks)}, as the recipe asks; it holds {', '.join(record['networks'])}. "
            "Resume with the recipe that the run was started with."
        )
    tensors = read_tensors(folder / "training.safetensors")
    for part, network in networks.items():
        prefix = f"{part}/"
        load_strictly(network, {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}, str(folder))
        kept = read_tensors(folder / f"{part}.safetensors")  # of the same keys, or no network would load from it
        for key, value in weights[part].items():
            value.copy_(kept[key])
    found: dict[str, dict[int, dict[str, Tensor]]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer/"):
            _, name, index, slot = key.split("/")
            # A copy, since files are mapped into memory and this one will be deleted while the run goes on.
            found.setdefault(name, {}).setdefault(int(index), {})[slot] = value.clone()
    held = record.get("optimizers", list(found))  # one that has not stepped yet has no state
    if set(held) != set(optimizers):
        raise CheckpointError(
            f"{folder} must hold the state of the optimisers {', '.join(optimizers)}; it holds {', '.join(held)}. "
            "Resume with the recipe that the run was started with."
        )
    for name, optimizer in optimizers.items():
        optimizer.load_state_dict(
            {"state": found.get(name, {}), "param_groups": optimizer.state_dict()["param_groups"]}
        )
    return record


def _pack(tensors: Mapping[str, Tensor]) -> bytes:
    """Return tensors as the content of a safetensors file."""
    return save({key: value.detach().cpu().contiguous() for key, value in tensors.items()})
