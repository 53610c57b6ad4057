"""Network files: one safetensors file that holds a generator, a detector, rivals, or several, and says what they are.

Tensors are named by part, such as `generator/...`. The file's metadata holds one JSON text under the key `mendpix` with
the version of the format, each network's name and sizes, and where the weights came from, so that the networks can be
rebuilt from the file alone. This module knows no training and no foreign formats.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from mendpix.atomic_files import atomic_write
from mendpix.errors import CheckpointError, RecipeError
from mendpix.networks.table import NETWORKS, build_network, without_numbers

SUFFIX = ".safetensors"
"""How network files end."""

KEY = "mendpix"
"""Key of the metadata."""

FORMAT = 1
"""Version of the format."""


def kind_of_part(part: str) -> str:
    """Tell what kind of network a part is: but for these four, they judge, in training alone."""
    return part if part in ("generator", "detector", "edges", "damage") else "discriminator"


def save_network_file(
    path: Path, networks: Mapping[str, nn.Module], names: Mapping[str, str], source: Mapping[str, Any]
) -> None:
    """Write networks as a network file, whole or not at all.

    Args:
        path: The file; replaced if it is there.
        networks: Part (`generator`, `detector`, or a rival such as `discriminator`) to network.
        names: Part to the network's name in the table of networks.
        source: Where the weights came from, plain values.

    Raises:
        OutputError: If the file cannot be written.
    """
    described = {
        part: {"name": names[part], "sizes": asdict(network.config)}  # type: ignore[arg-type]  # every network has one
        for part, network in networks.items()
    }
    record = {"format": FORMAT, "networks": described, "source": dict(source)}
    tensors = {
        f"{part}/{key}": value.detach().cpu().contiguous()
        for part, network in networks.items()
        for key, value in network.state_dict().items()
    }
    with atomic_write(path) as temporary:
        temporary.write_bytes(save(tensors, {KEY: json.dumps(record)}))


def read_network_record(path: Path) -> dict[str, Any]:
    """Return what a network file says of itself: `format`, `networks` and `source`.

    Raises:
        CheckpointError: If it is missing, broken or no network file.
    """
    return _read(path, None)[0]


def load_network_file(path: Path, part: str) -> nn.Module:
    """Build a network from a network file, strictly loaded, in evaluation mode.

    Args:
        path: The file.
        part: `generator`, `detector` or another that the file holds.

    Raises:
        CheckpointError: If the file is broken, does not hold the part, or does not fit its own description.
    """
    record, tensors = _read(path, part)
    described = record["networks"].get(part)
    if described is None:
        held = " and ".join(record["networks"]) or "nothing"
        raise CheckpointError(f"{path} must hold a {part}; it holds {held}. Import a checkpoint that has one.")
    name, sizes = described["name"], described["sizes"]
    if name not in NETWORKS or NETWORKS[name].kind != kind_of_part(part):
        known = ", ".join(key for key, entry in NETWORKS.items() if entry.kind == kind_of_part(part))
        raise CheckpointError(
            f"the {part} of {path} must be one of {known}; it is {name!r}. "
            "Use the version of mendpix that wrote the file."
        )
    try:
        with without_numbers():  # before memory is spent on sizes that the file does not have
            shapes = {key: tuple(value.shape) for key, value in build_network(name, sizes).state_dict().items()}
    except RecipeError as error:
        raise CheckpointError(
            f"the {part} of {path} must have sizes that fit {name}; it has others: {error}"
        ) from error
    found = {key: tuple(value.shape) for key, value in tensors.items()}
    wrong = sorted(key for key in shapes.keys() | found.keys() if shapes.get(key) != found.get(key))
    if wrong:
        key = wrong[0]
        raise CheckpointError(
            f"the weights of {path} must fit the sizes that it gives for its {part}; {key} must be "
            f"{shapes.get(key, 'absent')} and is {found.get(key, 'absent')} ({len(wrong)} do not fit). Import again."
        )
    network = build_network(name, sizes)
    network.load_state_dict(tensors, strict=True)
    return network.eval()


def _read(path: Path, part: str | None) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read the record and the tensors of one part, without its name in front."""
    try:
        with safe_open(path, framework="pt") as file:  # pyright: ignore[reportUnknownVariableType] - untyped
            text: str | None = (file.metadata() or {}).get(KEY)
            wanted: list[str] = [key for key in file.keys() if part and key.startswith(f"{part}/")]  # noqa: SIM118 - no dict
            tensors: dict[str, Tensor] = {key.partition("/")[2]: file.get_tensor(key) for key in wanted}
    except (OSError, SafetensorError) as error:
        what = f"is not one ({error})"
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "is not there"
        raise CheckpointError(
            f"a whole network file ({SUFFIX}) was expected; {path} {what}. Make one with mendpix weights import, or of "
            f"a training run with: mendpix export RUN -o FILE{SUFFIX}"
        ) from error
    if text is None:
        raise CheckpointError(
            f"a network file must say what it holds, under {KEY!r} in its metadata; {path} holds bare tensors. "
            f"Make one with mendpix weights import, or of a training run with: mendpix export RUN -o FILE{SUFFIX}"
        )
    try:
        record: Any = json.loads(text)
    except ValueError:
        record = None
    if isinstance(record, dict) and record.get("format", FORMAT) != FORMAT:
        raise CheckpointError(
            f"the format of a network file must be {FORMAT}; {path} has {record['format']!r}. "
            "Use the version of mendpix that wrote it."
        )
    if not _is_record(record):
        raise CheckpointError(
            f"the metadata of {path} must name its networks and their sizes; it is broken. Import again."
        )
    return record, tensors


def _is_record(record: Any) -> bool:
    """Tell whether the JSON has the form that is needed to rebuild the networks."""
    networks = record.get("networks") if isinstance(record, dict) and record.get("format") == FORMAT else None
    return isinstance(networks, dict) and all(
        isinstance(entry, dict) and isinstance(entry.get("name"), str) and isinstance(entry.get("sizes"), dict)
        for entry in networks.values()
    )
