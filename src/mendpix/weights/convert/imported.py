"""What an importer hands over, whatever the format: networks, and an account of every tensor of the source."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True)
class SourceTensor:
    """One tensor of what was imported, and what became of it."""

    name: str
    """As in the source."""
    shape: tuple[int, ...]
    """In the source's layout."""
    dtype: str
    """In the source, such as float32."""
    used_as: str | None
    """Part and key of our weights, such as generator/stem.weight; None if it was ignored."""
    ignored_as: str | None = None
    """What kind of thing was ignored, such as an Adam slot; None if it was used."""


@dataclass(frozen=True)
class Imported:
    """Networks from a foreign file, strictly loaded, in evaluation mode, on the CPU."""

    networks: Mapping[str, nn.Module]
    """Part (`generator`, `detector`) to network; at least one."""
    names: Mapping[str, str]
    """Part to the network's name in the table of networks."""
    tensors: tuple[SourceTensor, ...]
    """All of the source, in its order."""
    source: str
    """Name of the file or checkpoint, without folders."""

    @property
    def used(self) -> int:
        """Count the tensors of the source that became weights."""
        return sum(tensor.used_as is not None for tensor in self.tensors)

    @property
    def ignored(self) -> dict[str, int]:
        """Count the others by kind."""
        return dict(Counter(tensor.ignored_as for tensor in self.tensors if tensor.ignored_as is not None))

    def sizes(self, part: str) -> dict[str, Any]:
        """Give the sizes of a part, field by field."""
        return asdict(self.networks[part].config)  # type: ignore[arg-type]  # every network has one

    def parameters(self, part: str) -> int:
        """Count the numbers that a part has learnt."""
        return sum(parameter.numel() for parameter in self.networks[part].parameters())
