"""Give back a network from a network file. Needs torch only when it is called."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mendpix.errors import MissingExtraError

if TYPE_CHECKING:
    from torch import nn


def load_network(file: str | os.PathLike[str], part: str | None = None) -> "nn.Module":
    """Build the network that a network file holds, its weights strictly loaded.

    Network files (.safetensors) are what `mendpix weights import` makes of published weights, and
    `mendpix export RUN -o FILE.safetensors` of a training run. Every generator takes `image` (B, 3, H, W), RGB in
    [0, 1], and `hole` (B, 1, H, W), 1 = hole, and returns a raw prediction (B, 3, H, W) of the whole picture on
    the same scale; what lies in the hole is never seen. `network.facts` says which sizes it takes.

    Args:
        file: The network file.
        part: Which network of the file: `generator`, `detector`, `discriminator` or another that the file holds; None =
            the generator, or, where there is none, the only one.

    Returns:
        The module, in evaluation mode, on the CPU.

    Raises:
        CheckpointError: If the file is missing, broken or no network file, or does not hold the part.
        MissingExtraError: If torch is not installed.

    Example:
        >>> network = load_network("isnet.safetensors")  # doctest: +SKIP
        >>> network(image, hole).shape  # doctest: +SKIP
        torch.Size([1, 3, 256, 256])
    """
    try:
        from mendpix.weights.network_file import load_network_file, read_network_record
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"Networks need the extra train ({error.name} is not installed): pip install 'mendpix[train]'. "
            "To fill without torch, export a model file elsewhere: mendpix export."
        ) from error
    path = Path(file)
    if part is not None:
        return load_network_file(path, part)
    held: list[str] = list(read_network_record(path)["networks"])
    return load_network_file(path, held[0] if len(held) == 1 else "generator")
