"""Read weights that the published EdgeConnect program saved. Knows the names on both sides.

The program writes four files into one folder: `EdgeModel_gen.pth`, `InpaintingModel_gen.pth` and the critic of each,
`EdgeModel_dis.pth` and `InpaintingModel_dis.pth`.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from torch import Tensor, nn

from mendpix.errors import CheckpointError
from mendpix.networks.table import build_network
from mendpix.weights.convert.imported import Imported, SourceTensor
from mendpix.weights.convert.patchgan import load_patchgan
from mendpix.weights.convert.spectral import as_in_the_file, complete_spectral_norm, divided_kernels, spectral_keys
from mendpix.weights.convert.torch_file import Layout, account_of_rest, load_layout, state_dict_in

Role = Literal["edge generator", "inpaint generator", "edge critic", "critic"]
"""What one file holds."""

FILES: dict[str, Role] = {
    "EdgeModel_gen.pth": "edge generator",
    "InpaintingModel_gen.pth": "inpaint generator",
    "EdgeModel_dis.pth": "edge critic",
    "InpaintingModel_dis.pth": "critic",
}
"""What the program calls its files."""

ROLES: dict[tuple[str, int], Role] = {
    ("encoder.1", 3): "edge generator",
    ("encoder.1", 4): "inpaint generator",
    ("conv1.0", 2): "edge critic",
    ("conv1.0", 3): "critic",
}
"""First layer and its input channels, by which a file is known."""

PARTS = {
    "edge generator": "edges",
    "inpaint generator": "generator",
    "edge critic": "edge_discriminator",
    "critic": "discriminator",
}
"""Part of a network file that each becomes by itself; both generators together become one `generator`."""

TOP_KEYS = ("generator", "discriminator")
"""Under which the program saves the tensors; `iteration` may lie beside them."""

LAYERS = {
    "encoder.1": "stem",
    "encoder.4": "down1",
    "encoder.7": "down2",
    "decoder.0": "up1",
    "decoder.3": "up2",
    "decoder.7": "head",
}
"""Layers of a generator outside its residual blocks, to ours."""

TRANSPOSED = ("decoder.0", "decoder.3")
"""Those of them that are transposed convolutions."""

WAY_OUT = f"Give one of {', '.join(FILES)} or the folder of them, as the published program saves them."
"""Said where a file is of another kind."""


def read_edgeconnect(path: Path) -> Imported:
    """Read EdgeConnect's generators, and the critics that are there.

    Widths and numbers of residual blocks are taken from the shapes. What the known pixels' edges do in the joined
    network is left as published: `merge_known_edges` is false.

    Args:
        path: One of the program's files, or the folder that holds some of them, at least one generator's.

    Raises:
        CheckpointError: If a file is not whole, asks for more than tensors and plain values, or is not exactly an
            EdgeConnect's: a tensor missing, unknown or of another shape.
    """
    if not path.is_dir():
        role, network, name, account = _read_file(path)
        return Imported({PARTS[role]: network}, {PARTS[role]: name}, account, path.name)
    found: dict[Role, nn.Module] = {}
    names: dict[str, str] = {}
    networks: dict[str, nn.Module] = {}
    tensors: tuple[SourceTensor, ...] = ()
    present = [name for name in FILES if (path / name).is_file()]
    for file in present:
        role, network, name, account = _read_file(path / file)
        if role != FILES[file]:
            raise CheckpointError(f"{path / file} must hold the {FILES[file]}; it holds the {role}. {WAY_OUT}")
        found[role], networks[PARTS[role]], names[PARTS[role]] = network, network, name
        tensors += tuple(replace(entry, name=f"{file}/{entry.name}") for entry in account)
    if not {"edge generator", "inpaint generator"} & found.keys():
        raise CheckpointError(
            f"a folder of EdgeConnect must hold EdgeModel_gen.pth, InpaintingModel_gen.pth or both; {path} holds "
            f"{' and '.join(present) or 'none of its files'}. {WAY_OUT}"
        )
    if {"edge generator", "inpaint generator"} <= found.keys():
        joined = {"generator": _join(found["edge generator"], found["inpaint generator"])}
        networks = joined | {part: networks[part] for part in networks if part not in ("generator", "edges")}
        names = {part: "edgeconnect" if part == "generator" else names[part] for part in networks}
        tensors = tuple(_moved(entry) for entry in tensors)
    return Imported(networks, names, tensors, path.name)


def _join(edge: nn.Module, inpaint: nn.Module) -> nn.Module:
    """Put both generators into one network."""
    sizes = {
        "edge_channels": edge.config.base_channels, "edge_blocks": edge.config.residual_blocks,  # type: ignore[union-attr]  # as `load_layout` built it
        "inpaint_channels": inpaint.config.base_channels, "inpaint_blocks": inpaint.config.residual_blocks,  # type: ignore[union-attr]  # likewise
    }  # fmt: skip
    network = build_network("edgeconnect", sizes)
    weights = {f"edge.{key}": value for key, value in edge.state_dict().items()}
    network.load_state_dict(weights | {f"inpaint.{key}": value for key, value in inpaint.state_dict().items()})
    return network.eval()


def _moved(entry: SourceTensor) -> SourceTensor:
    """Tell where a tensor lies in the joined network."""
    part, _, key = (entry.used_as or "").partition("/")
    inside = {"edges": "edge", "generator": "inpaint"}.get(part)
    return replace(entry, used_as=f"generator/{inside}.{key}") if inside else entry


def _read_file(path: Path) -> tuple[Role, nn.Module, str, tuple[SourceTensor, ...]]:
    """Read one file: its role, its network and the network's name, and an account."""
    tensors, rest = state_dict_in(path, TOP_KEYS)
    role, width = _role(tensors, path.name)
    name = "patchgan"
    if "critic" in role:
        _check_twins(tensors, path.name)
        network, account, rest = load_patchgan(path, PARTS[role])
    else:
        ready, layout = _layout(tensors, role, width)
        network, account = load_layout(ready, layout, PARTS[role], path.name)
        name, account = layout.network, as_in_the_file(account, tensors)
    return role, network, name, account + account_of_rest(rest)


def _role(tensors: Mapping[str, Tensor], title: str) -> tuple[Role, int]:
    """Tell what a file holds, and its width, by its first kernel (channels, inputs, height, width)."""
    for first in ("encoder.1", "conv1.0"):
        kernel = tensors.get(f"{first}.weight_orig", tensors.get(f"{first}.weight"))
        if kernel is not None and kernel.ndim == 4 and len(kernel) and (first, kernel.shape[1]) in ROLES:
            return ROLES[first, kernel.shape[1]], len(kernel)
    raise CheckpointError(
        "weights of EdgeConnect must have the kernel encoder.1 for 3 or 4 channels, or conv1.0 for 2 or 3; "
        f"{title} has neither. {WAY_OUT}"
    )


def _layout(tensors: Mapping[str, Tensor], role: Role, width: int) -> tuple[Mapping[str, Tensor], Layout]:
    """Map a generator: both have one form, but the edge generator's convolutions are under spectral norm."""
    blocks = len({match[1] for name in tensors if (match := re.match(r"middle\.(\d+)\.", name))})
    residual = {
        f"middle.{block}.conv_block.{place}": f"blocks.{block}.{conv}"
        for block in range(blocks)
        for place, conv in ((1, "conv1"), (5, "conv2"))
    }
    layers = {theirs: f"body.{ours}" for theirs, ours in (LAYERS | residual).items()}
    sizes = {"base_channels": width, "residual_blocks": blocks}
    if role == "inpaint generator":
        keys = {f"{theirs}.{kind}": f"{ours}.{kind}" for theirs, ours in layers.items() for kind in ("weight", "bias")}
        return tensors, Layout("edgeconnect-inpaint", sizes, keys, {}, {})
    plain = {"decoder.7.weight": "body.head.weight"}
    plain |= {f"{theirs}.bias": f"body.{ours}.bias" for theirs, ours in LAYERS.items()}
    del layers["decoder.7"]
    ready = complete_spectral_norm(tensors, layers, TRANSPOSED)
    return ready, Layout("edgeconnect-edge", sizes, plain | spectral_keys(layers), divided_kernels(layers), {})


def _check_twins(tensors: Mapping[str, Tensor], title: str) -> None:
    """Refuse a critic whose first layer is not there under both its names: it is not whole."""
    for one, other in (("conv1.0.", "features.0."), ("features.0.", "conv1.0.")):
        for name in (name for name in tensors if name.startswith(one)):
            twin = other + name.removeprefix(one)
            if twin not in tensors or tensors[twin].shape != tensors[name].shape:
                raise CheckpointError(
                    f"a critic of EdgeConnect must have {name} once more, of the same shape, as {twin}; {title} has "
                    f"{'none' if twin not in tensors else tuple(tensors[twin].shape)}. {WAY_OUT}"
                )
