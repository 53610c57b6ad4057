"""Read weights that the well-known port of partial convolution saved: `{'n_iter', 'model', 'optimizer'}`.

The port divides by the number of known values in a window where the authors' layer, and ours, divides by their share;
so each kernel becomes smaller by the window's size on the way, which leaves the results as they were. Its kernels for
masks are ones and are not kept. Knows the names on both sides.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from mendpix.errors import CheckpointError
from mendpix.weights.convert.imported import Imported
from mendpix.weights.convert.torch_file import Layout, account_of_rest, load_layout, state_dict_in

TOP_KEYS = ("model",)
"""Under which the port saves its network."""

FIRST = "enc_1.conv.input_conv.weight"
"""The first kernel; its first axis is the base width."""

MASK_KERNEL = r"(enc|dec)_\d+\.conv\.mask_conv\.weight"
"""Name of a kernel that counts known values."""

WAY_OUT = "Give a checkpoint of partial convolution as the port saves it."
"""Said where a file is of another kind."""


def read_pconv(path: Path) -> Imported:
    """Read the generator from a PyTorch file of the port, or a bare state dict of it.

    Width and number of levels are taken from the names and shapes.

    Args:
        path: The file.

    Raises:
        CheckpointError: If the file is not whole, or is not exactly such a network's: a tensor missing, unknown or of
            another shape, a kernel for masks that is not all ones; or if it asks for more than tensors and plain
            values.
    """
    tensors, rest = state_dict_in(path, TOP_KEYS)
    for name, tensor in tensors.items():
        if re.fullmatch(MASK_KERNEL, name) and not bool((tensor == 1).all()):
            raise CheckpointError(f"a kernel for masks must be all ones; {name} of {path.name} is not. {WAY_OUT}")
    layout = _layout(tensors, path.name)
    network, account = load_layout(tensors, layout, "generator", path.name)
    account += account_of_rest(rest)
    return Imported({"generator": network}, {"generator": layout.network}, account, path.name)


def _layout(tensors: Mapping[str, Tensor], title: str) -> Layout:
    """Find the sizes, which of our keys each tensor is, and how much smaller each kernel becomes."""
    first = tensors.get(FIRST)
    if first is None or first.ndim != 4 or not len(first):
        got = "has none such" if first is None else f"has {tuple(first.shape)}"
        raise CheckpointError(
            f"a partial-convolution U-Net must have the kernel {FIRST} of (channels, 3, 7, 7); {title} {got}. {WAY_OUT}"
        )
    levels = len({match[1] for name in tensors if (match := re.match(r"enc_(\d+)\.", name))})
    keys: dict[str, str] = {}
    scale: dict[str, float] = {}
    for side, number in [(side, number) for side in ("enc", "dec") for number in range(1, levels + 1)]:
        theirs = f"{side}_{number}"
        ours = f"encoder.{number - 1}" if side == "enc" else f"decoder.{levels - number}"
        kernel = f"{theirs}.conv.input_conv.weight"
        keys[kernel] = f"{ours}.conv.weight"
        if kernel in tensors and tensors[kernel].ndim == 4:
            scale[keys[kernel]] = 1 / max(1, tensors[kernel][:1].numel())  # values in a window
        if number > 1:
            kinds = ["weight", "bias", "running_mean", "running_var"]
            counted = f"{theirs}.bn.num_batches_tracked" in tensors  # files of torch 0.4.0 have no such count
            keys |= {
                f"{theirs}.bn.{kind}": f"{ours}.norm.{kind}"
                for kind in (*kinds, *(["num_batches_tracked"] if counted else []))
            }
    keys["dec_1.conv.input_conv.bias"] = f"decoder.{levels - 1}.conv.bias"
    sizes = {"base_channels": len(first), "levels": levels}
    return Layout("pconv", sizes, keys, {"kernel for masks": MASK_KERNEL}, scale)
