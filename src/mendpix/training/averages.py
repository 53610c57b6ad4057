"""Moving averages of a network's weights, and networks that wear them for a while. Knows no files and no optimiser."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def snapshot(network: nn.Module) -> dict[str, Tensor]:
    """Return a copy of a network's tensors by name."""
    return {key: value.detach().clone() for key, value in network.state_dict().items()}


@contextmanager
def swapped(networks: Mapping[str, nn.Module], tensors: Mapping[str, Mapping[str, Tensor]]) -> Generator[None]:
    """Give networks other tensors for as long as the context lasts."""
    before = {part: snapshot(network) for part, network in networks.items()}
    for part, network in networks.items():
        network.load_state_dict(tensors[part])
    try:
        yield
    finally:
        for part, network in networks.items():
            network.load_state_dict(before[part])


@torch.no_grad()
def update_average(average: dict[str, Tensor], network: nn.Module, halflife: float, pictures: int, seen: int) -> None:
    """Move the average towards the current weights; young averages forget faster (a tenth of what was seen)."""
    halflife = min(halflife, seen / 10)
    decay = 0.5 ** (pictures / halflife) if halflife > 0 else 0.0
    for key, value in network.state_dict().items():
        if value.is_floating_point() and not key.endswith(("._u", "._v")):  # of spectral norm: directions, no averages
            average[key].lerp_(value, 1 - decay)
        else:
            average[key].copy_(value)
