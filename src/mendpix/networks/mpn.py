"""MPN: find what of a picture is destroyed, from the picture alone (mask prediction network).

From "Image Inpainting with Informed Mask Generation" (anonymous submission), section 3.1, which says no more than that
it is a residual U-Net whose masks have continuous values; decision 010 tells how the rest was filled in. Two layers and
the last block work at full resolution, where a scratch is one pixel wide; most of the work is done below. Skips are
added. Batch norm: in use its statistics are fixed, so that no corner of a picture changes what is found in another.
This module knows nothing of losses, of thresholds, of files, or of filling.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mendpix.errors import InputError
from mendpix.networks.deepfill_layers import check_picture, is_exporting
from mendpix.networks.interface import NetworkFacts

FIRST_LOGIT = -3.0
"""What an untaught network says of every pixel: most of a picture is whole."""

SPREAD = 4.0
"""Brings pixels, which lie within half of the middle, to the spread that layers like."""


@dataclass(frozen=True)
class MpnConfig:
    """Sizes of the network. The defaults are those of the shipped one: 1.35 million parameters."""

    kinds: int = 5
    """Kinds of damage that are told apart; 1 = one mask of all kinds, as in the paper."""
    widths: tuple[int, ...] = (16, 40, 64, 96, 128)
    """Channels at full resolution, 1/2, 1/4 ...; one at least."""
    blocks: tuple[int, ...] = (0, 1, 1, 1)
    """Residual blocks on the way down, at each resolution but the lowest."""
    dilations: tuple[int, ...] = (1, 2)
    """Dilation of the first convolution of each residual block at the lowest resolution."""
    return_blocks: tuple[int, ...] = (1, 1, 1, 1)
    """Residual blocks on the way up, from full resolution on, at each resolution but the lowest."""

    def __post_init__(self) -> None:
        if self.kinds < 1 or not self.widths or min(*self.widths, *self.dilations, 1) < 1:
            raise InputError(
                "kinds, widths and dilations must be at least 1, with one width or more; "
                f"got {self.kinds}, {self.widths} and {self.dilations}."
            )
        levels = len(self.widths) - 1
        for name, blocks in (("blocks", self.blocks), ("return_blocks", self.return_blocks)):
            if len(blocks) != levels or min((*blocks, 0)) < 0:
                raise InputError(
                    f"{name} must give a number of at least 0 for each of the {levels} resolutions but the lowest; "
                    f"got {blocks}."
                )


class MpnNetwork(nn.Module):
    """Say of every pixel how much of it is destroyed, by kind of damage.

    Args:
        config: Sizes; the default is the shipped network.
    """

    # 16: four halvings; other numbers of widths change it in the constructor.
    facts = NetworkFacts(multiple_of=16, minimum=16, half=True, bfloat16=True, local=True, inputs=("image",))

    def __init__(self, config: MpnConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or MpnConfig()
        step = 2 ** (len(config.widths) - 1)
        if step != self.facts.multiple_of:
            self.facts = NetworkFacts(step, step, half=True, bfloat16=True, local=True, inputs=("image",))
        widths = config.widths
        self.stem = nn.Sequential(_convolution(3, widths[0]), _convolution(widths[0], widths[0]))
        self.encoders = nn.ModuleList(
            _blocks(width, count) for width, count in zip(widths[:-1], config.blocks, strict=True)
        )
        self.downs = nn.ModuleList(_convolution(fine, coarse, stride=2) for fine, coarse in pairwise(widths))
        self.middle = nn.Sequential(*(_Block(widths[-1], dilation) for dilation in config.dilations))
        self.ups = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairwise(widths))
        self.decoders = nn.ModuleList(
            _blocks(width, count) for width, count in zip(widths[:-1], config.return_blocks, strict=True)
        )
        self.head = nn.Conv2d(widths[0], config.kinds, 3, padding=1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.constant_(self.head.bias, FIRST_LOGIT)  # pyright: ignore[reportArgumentType] - it has a bias

    def forward(self, image: Tensor) -> Tensor:
        """Say how much of every pixel is destroyed.

        Args:
            image: The damaged picture, RGB in [0, 1], shape (B, 3, H, W); H and W multiples of 16.

        Returns:
            Share that is destroyed, by kind, in [0, 1], shape (B, kinds, H, W); 0 = the pixel is whole, 1 = nothing is
            left of it.

        Raises:
            ShapeError: If the shape, size or dtype is not as above.
        """
        return torch.sigmoid(self.logits(image))

    def logits(self, image: Tensor) -> Tensor:
        """Say the same before the sigmoid, for losses.

        Args:
            image: As for `forward`.

        Returns:
            Logits, shape (B, kinds, H, W).

        Raises:
            ShapeError: As `forward`.
        """
        if not is_exporting():
            check_picture(image, self.facts)
        x = self.stem(SPREAD * (image - 0.5))  # (B, C, H, W)
        skips: list[Tensor] = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            x = encoder(x)  # (B, C, h, w)
            skips.append(x)
            x = down(x)  # (B, C', h/2, w/2)
        x = self.middle(x)
        for decoder, up, skip in zip(reversed(self.decoders), reversed(self.ups), reversed(skips), strict=True):
            x = decoder(skip + F.interpolate(up(x), scale_factor=2.0, mode="nearest"))  # (B, C, 2h, 2w)
        return self.head(x)  # (B, kinds, H, W)


def whole_mask(destroyed: Tensor) -> Tensor:
    """Join the kinds of damage: a pixel survives what all of them leave of it.

    Args:
        destroyed: Share that each kind destroys, in [0, 1], shape (B, K, H, W).

    Returns:
        Share that all of them destroy, in [0, 1], shape (B, 1, H, W).
    """
    return 1 - (1 - destroyed).prod(dim=1, keepdim=True)


class _Block(nn.Module):
    """Two convolutions whose result is added to what came in; a fresh one adds nothing."""

    def __init__(self, width: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)
        nn.init.zeros_(self.second_norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu(self.first_norm(self.first(x)))  # (B, C, h, w)
        return F.relu(x + self.second_norm(self.second(inner)))


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Return a 3 × 3 convolution with norm and ReLU."""
    convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


def _blocks(width: int, count: int) -> nn.Sequential:
    """Return residual blocks of one width in a row."""
    return nn.Sequential(*(_Block(width) for _ in range(count)))
