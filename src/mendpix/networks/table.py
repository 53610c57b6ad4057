"""The networks by name: one literal table. To add one, write its file and add its line here."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import torch
from torch import nn
from torch.nn.utils import parametrizations

from mendpix.errors import InputError, RecipeError
from mendpix.networks.deepfill_v1 import (
    DeepFillV1Config,
    DeepFillV1Critic,
    DeepFillV1CriticConfig,
    DeepFillV1Generator,
    DeepFillV1LocalCriticConfig,
)
from mendpix.networks.deepfill_v2 import (
    DeepFillV2Config,
    DeepFillV2Critic,
    DeepFillV2CriticConfig,
    DeepFillV2Generator,
)
from mendpix.networks.edgeconnect import (
    EdgeConnect,
    EdgeConnectConfig,
    EdgeGenerator,
    EdgeGeneratorConfig,
    InpaintGenerator,
    InpaintGeneratorConfig,
)
from mendpix.networks.epn import EpnConfig, EpnNetwork
from mendpix.networks.gdn import (
    GdnConfig,
    GdnDetector,
    GdnDetectorConfig,
    GdnDiscriminator,
    GdnDiscriminatorConfig,
    GdnGenerator,
)
from mendpix.networks.glcic import GlcicConfig, GlcicDiscriminator, GlcicDiscriminatorConfig, GlcicGenerator
from mendpix.networks.informed import InformedConfig, InformedGenerator
from mendpix.networks.ipn import IpnConfig, IpnCritic, IpnCriticConfig, IpnGenerator
from mendpix.networks.isnet import IsnetConfig, IsnetGenerator
from mendpix.networks.isnet_unet import IsnetUnetConfig, IsnetUnetGenerator
from mendpix.networks.mpn import MpnConfig, MpnNetwork
from mendpix.networks.patchgan import PatchGan, PatchGanConfig
from mendpix.networks.pconv import PconvConfig, PconvGenerator
from mendpix.networks.pennet import PenNetConfig, PenNetDiscriminator, PenNetDiscriminatorConfig, PenNetGenerator
from mendpix.networks.scenes import ScenesDetector, ScenesDetectorConfig, ScenesGenerator, ScenesGeneratorConfig


@dataclass(frozen=True)
class NetworkEntry:
    """One line of the table."""

    kind: Literal["generator", "detector", "edges", "damage", "discriminator"]
    """What the network does: fills, marks what looks filled, draws missing edges, finds damage, or judges in training
    alone."""
    config: type[Any]
    """Dataclass of its sizes; its defaults are the network's own."""
    network: type[nn.Module]
    """The module; built as `network(config)`."""
    small: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Sizes of a form with next to no parameters, in which the tests ask every network the same questions."""


NETWORKS: dict[str, NetworkEntry] = {
    "deepfill-v1": NetworkEntry("generator", DeepFillV1Config, DeepFillV1Generator, {"width": 4}),
    "deepfill-v1-global-critic": NetworkEntry(
        "discriminator", DeepFillV1CriticConfig, DeepFillV1Critic, {"base_channels": 4, "picture_px": 16}
    ),
    "deepfill-v1-local-critic": NetworkEntry(
        "discriminator", DeepFillV1LocalCriticConfig, DeepFillV1Critic, {"base_channels": 4, "picture_px": 16}
    ),
    "deepfill-v2": NetworkEntry("generator", DeepFillV2Config, DeepFillV2Generator, {"width": 4}),
    "deepfill-v2-critic": NetworkEntry("discriminator", DeepFillV2CriticConfig, DeepFillV2Critic, {"base_channels": 4}),
    "edgeconnect": NetworkEntry(
        "generator",
        EdgeConnectConfig,
        EdgeConnect,
        {"edge_channels": 4, "inpaint_channels": 4, "edge_blocks": 1, "inpaint_blocks": 1},
    ),
    "edgeconnect-edge": NetworkEntry(
        "edges", EdgeGeneratorConfig, EdgeGenerator, {"base_channels": 4, "residual_blocks": 1}
    ),
    "edgeconnect-inpaint": NetworkEntry(
        "generator", InpaintGeneratorConfig, InpaintGenerator, {"base_channels": 4, "residual_blocks": 1}
    ),
    "epn": NetworkEntry("edges", EpnConfig, EpnNetwork, {"base_channels": 4, "residual_blocks": 1}),
    "gdn": NetworkEntry("generator", GdnConfig, GdnGenerator, {"base_channels": 4, "residual_blocks": 2}),
    "gdn-detector": NetworkEntry("detector", GdnDetectorConfig, GdnDetector, {"base_channels": 4}),
    "gdn-discriminator": NetworkEntry("discriminator", GdnDiscriminatorConfig, GdnDiscriminator, {"base_channels": 4}),
    "glcic": NetworkEntry("generator", GlcicConfig, GlcicGenerator, {"base_channels": 4}),
    "glcic-discriminator": NetworkEntry(
        "discriminator",
        GlcicDiscriminatorConfig,
        GlcicDiscriminator,
        {"base_channels": 4, "hidden": 4, "local_px": 16, "global_px": 32, "global_layers": 5},
    ),
    "informed": NetworkEntry(
        "generator", InformedConfig, InformedGenerator, {"edge_channels": 4, "edge_blocks": 1, "fill_width": 4}
    ),
    "ipn": NetworkEntry("generator", IpnConfig, IpnGenerator, {"width": 4}),
    "ipn-critic": NetworkEntry("discriminator", IpnCriticConfig, IpnCritic, {"base_channels": 4}),
    "isnet": NetworkEntry("generator", IsnetConfig, IsnetGenerator, {"base_channels": 4, "residual_blocks": 1}),
    "isnet-unet": NetworkEntry(
        "generator", IsnetUnetConfig, IsnetUnetGenerator, {"base_channels": 4, "residual_blocks": 2}
    ),
    "mpn": NetworkEntry(
        "damage",
        MpnConfig,
        MpnNetwork,
        {"widths": (8, 8, 8, 8, 16), "blocks": (1, 1, 1, 1), "return_blocks": (1, 1, 1, 1)},
    ),
    "patchgan": NetworkEntry("discriminator", PatchGanConfig, PatchGan, {"base_channels": 4}),
    "pconv": NetworkEntry("generator", PconvConfig, PconvGenerator, {"base_channels": 4, "levels": 3}),
    "pennet": NetworkEntry("generator", PenNetConfig, PenNetGenerator, {"base_channels": 6}),
    "pennet-discriminator": NetworkEntry(
        "discriminator", PenNetDiscriminatorConfig, PenNetDiscriminator, {"base_channels": 4}
    ),
    "scenes": NetworkEntry(
        "generator",
        ScenesGeneratorConfig,
        ScenesGenerator,
        {"width_half": 8, "width_quarter": 8, "width_eighth": 16, "dilations": (1, 2)},
    ),
    "scenes-detector": NetworkEntry(
        "detector",
        ScenesDetectorConfig,
        ScenesDetector,
        {"width_half": 8, "width_quarter": 8, "width_eighth": 16, "dilations": (1,)},
    ),
}


@contextmanager
def without_numbers() -> Generator[None]:
    """Let networks be built as shapes alone, which takes neither memory nor time.

    Weights have no values then (torch's device `meta`). Spectral norm does not look for its directions: there are none,
    and looking for them takes seconds.
    """
    norm = parametrizations._SpectralNorm  # pyright: ignore[reportPrivateUsage]  # it has no other switch
    search = norm._power_method  # pyright: ignore[reportPrivateUsage]
    norm._power_method = lambda *_: None  # type: ignore[method-assign]  # pyright: ignore[reportPrivateUsage]  # as above
    try:
        with torch.device("meta"):
            yield
    finally:
        norm._power_method = search  # pyright: ignore[reportPrivateUsage]


def build_network(name: str, sizes: Mapping[str, Any] | None = None, *, kind: str | None = None) -> nn.Module:
    """Build a network with fresh weights.

    Args:
        name: A name of `NETWORKS`.
        sizes: Fields of its config that differ from the defaults; lists stand for tuples.
        kind: If given, what the network must be: `generator`, `detector`, `edges`, `damage` or `discriminator`.

    Returns:
        The module, on the CPU, in training mode.

    Raises:
        RecipeError: If the name, a size or the kind is wrong.
    """
    entry = NETWORKS.get(name)
    if entry is None or (kind is not None and entry.kind != kind):
        names = ", ".join(sorted(key for key, value in NETWORKS.items() if kind in (None, value.kind)))
        raise RecipeError(f"{kind or 'network'} must be one of {names}; got {name!r}.")
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in (sizes or {}).items()}
    defaults = asdict(entry.config())
    for key, value in values.items():
        if key not in defaults:
            raise RecipeError(f"sizes of {name} must be among {', '.join(defaults)}; got {key}.")
        if not _is_like(value, defaults[key]):
            raise RecipeError(f"size {key} of {name} must be of the kind of {defaults[key]!r}; got {value!r}.")
    try:
        return entry.network(entry.config(**values))
    except InputError as error:
        raise RecipeError(f"sizes of {name}: {error}") from error


def _is_like(value: Any, example: Any) -> bool:
    """Tell whether a value is of an example's kind: a whole number, a number, or a tuple of such."""
    if isinstance(example, tuple):
        return isinstance(value, tuple) and all(_is_like(item, example[0]) for item in value)  # pyright: ignore[reportUnknownVariableType]
    kinds = int | float if isinstance(example, float) else type(example)
    return isinstance(value, kinds) and isinstance(value, bool) == isinstance(example, bool)
