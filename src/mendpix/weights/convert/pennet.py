"""Read weights that the published PEN-Net program saved: `gen_00001.pth`, `dis_00001.pth`, or a folder of them.

A folder is a training run's: its text file `latest.ckpt` ends with the number that counts; without one the newest
`gen_*.pth` counts. Knows the names on both sides.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from mendpix.errors import CheckpointError
from mendpix.weights.convert.imported import Imported, SourceTensor
from mendpix.weights.convert.spectral import as_in_the_file, complete_spectral_norm, divided_kernels, spectral_keys
from mendpix.weights.convert.torch_file import Layout, account_of_rest, load_layout, state_dict_in

GENERATOR_FIRST, DISCRIMINATOR_FIRST = "dw_conv01.0.weight", "encoder.0.weight_orig"
"""The first kernels; their first axis is the base width."""

TOP_KEYS = ("netG", "netD")
"""Under which the program saves its networks."""

GENERATOR_KEYS = {
    **{f"dw_conv0{level}.0": f"down{level}" for level in range(1, 7)},
    **{
        f"at_conv0{level}.conv0{place}.0": f"refine{level}.reach{reach}"
        for level in range(1, 5)
        for place, reach in enumerate((1, 2, 4, 8))
    },
    **{f"up_conv0{level}.0": f"up{level}" for level in range(1, 6)},
    **{f"torgb{level}.0": f"side{level}" for level in range(1, 6)},
    "decoder.0": "last",
    "decoder.2": "head",
}
"""The published generator's convolutions, to ours."""

SPECTRAL_LAYERS = {f"encoder.{2 * number}": f"conv{number + 1}" for number in range(4)}
"""The published discriminator's convolutions under spectral norm, to ours."""

WAY_OUT = "Give gen_*.pth, dis_*.pth or the folder of them, as the published program saves them."
"""Said where a file is of another kind."""


def read_pennet(path: Path) -> Imported:
    """Read the generator, and the discriminator if it is there, from PyTorch files of the published program.

    Widths are taken from the shapes.

    Args:
        path: `gen_*.pth` or `dis_*.pth`, or the folder that holds both.

    Raises:
        CheckpointError: If a file is not whole, or is not exactly a PEN-Net's: a tensor missing, unknown or of another
            shape; or if it asks for more than tensors and plain values.
    """
    networks: dict[str, nn.Module] = {}
    names: dict[str, str] = {}
    account: list[SourceTensor] = []
    for file in _files(path):
        tensors, rest = state_dict_in(file, TOP_KEYS)
        if any(name.startswith("encoder.") for name in tensors):
            ready = complete_spectral_norm(tensors, SPECTRAL_LAYERS)
            part, layout = "discriminator", _discriminator_layout(ready, file.name)
        else:
            ready, part, layout = tensors, "generator", _generator_layout(tensors, file.name)
        networks[part], found = load_layout(ready, layout, part, file.name)
        names[part] = layout.network
        account += as_in_the_file(found, tensors)
        account += account_of_rest({f"{file.name}:{name}": kind for name, kind in rest.items()})
    return Imported(networks, names, tuple(account), path.name)


def _files(path: Path) -> list[Path]:
    """Return the file that was given; or of a folder the generator's and, if there is one, the rival's."""
    if not path.is_dir():
        return [path]
    note = path / "latest.ckpt"
    number = None
    if note.is_file():
        lines = note.read_text(encoding="utf-8", errors="replace").split()
        number = lines[-1] if lines and lines[-1].isdigit() else None
    generators = sorted(file for file in path.glob("gen_*.pth") if re.fullmatch(r"gen_\d+\.pth", file.name))
    if number is not None:
        generators = [file for file in generators if int(file.stem.removeprefix("gen_")) == int(number)]
    if not generators:
        wanted = f"gen_*.pth of number {number}, as its latest.ckpt says" if number else "gen_*.pth"
        raise CheckpointError(f"a folder of PEN-Net must hold {wanted}; {path} does not. {WAY_OUT}")
    rival = generators[-1].with_name(generators[-1].name.replace("gen_", "dis_", 1))
    return [generators[-1], *([rival] if rival.is_file() else [])]


def _generator_layout(tensors: Mapping[str, Tensor], title: str) -> Layout:
    """Find the generator's width, and which of our keys each of its tensors is."""
    width = _first_axis(tensors, GENERATOR_FIRST, title)
    keys = {
        f"{theirs}.{kind}": f"{ours}.{kind}" for theirs, ours in GENERATOR_KEYS.items() for kind in ("weight", "bias")
    }
    return Layout("pennet", {"base_channels": width}, keys, {}, {})


def _discriminator_layout(tensors: Mapping[str, Tensor], title: str) -> Layout:
    """Do the same for the discriminator, whose spectral norm was saved in torch's older form."""
    width = _first_axis(tensors, DISCRIMINATOR_FIRST, title)
    keys = {"classifier.weight": "head.weight", "classifier.bias": "head.bias"} | spectral_keys(SPECTRAL_LAYERS)
    return Layout("pennet-discriminator", {"base_channels": width}, keys, divided_kernels(SPECTRAL_LAYERS), {})


def _first_axis(tensors: Mapping[str, Tensor], name: str, title: str) -> int:
    """Return how many channels the first kernel makes."""
    found = tensors.get(name)
    if found is None or found.ndim != 4 or not len(found):
        got = "has none such" if found is None else f"has {tuple(found.shape)}"
        raise CheckpointError(
            f"a PEN-Net must have the kernel {name} of (channels, inputs, height, width); {title} {got}. {WAY_OUT}"
        )
    return len(found)
