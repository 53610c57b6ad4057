"""MPN: find what of a picture is destroyed, from the picture alone (mask prediction network).

From "Image Inpainting with Informed Mask Generation" (anonymous submission), section 3.1, which says no more than that
it is a residual U-Net whose masks have continuous values; decision 010 tells how the rest was filled in. Work starts
at half resolution on four pixels at once (pixel unshuffle), so that a scratch thinner than a pixel is not averaged away
and the network stays small. Skips are added. There is no norm: its statistics would let one corner of a picture change
what is found in another. This module knows nothing of losses, of thresholds, of files, or of filling.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mendpix.errors import InputError
from mendpix.networks.deepfill_layers import check_picture, is_exporting
from mendpix.networks.interface import NetworkFacts
from mendpix.networks.scenes import ResidualBlock

FIRST_LOGIT = -3.0
"""What an untaught network says of every pixel: most of a picture is whole."""


@dataclass(frozen=True)
class MpnConfig:
    """Sizes of the network. The defaults are those of the shipped one: 1.9 million parameters."""

    kinds: int = 4
    """Kinds of damage that are told apart; 1 = one mask of all kinds, as in the paper."""
    widths: tuple[int, ...] = (24, 48, 96, 160)
    """Channels at 1/2, 1/4, 1/8 ... of the resolution; one at least."""
    blocks: tuple[int, ...] = (1, 2, 2)
    """Residual blocks on the way down, at each resolution but the lowest."""
    dilations: tuple[int, ...] = (1, 2)
    """Dilation of the first convolution of each residual block at the lowest resolution."""
    return_blocks: tuple[int, ...] = (2, 1, 1)
    """Residual blocks on the way up, from 1/2 on, at each resolution but the lowest."""

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

    # 16: four halvings, the first of them the unshuffling; other numbers of widths change it in the constructor.
    facts = NetworkFacts(multiple_of=16, minimum=16, half=True, bfloat16=True, local=True, inputs=("image",))

    def __init__(self, config: MpnConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or MpnConfig()
        step = 2 ** len(config.widths)
        if step != self.facts.multiple_of:
            self.facts = NetworkFacts(step, step, half=True, bfloat16=True, local=True, inputs=("image",))
        widths = config.widths
        self.stem = nn.Conv2d(4 * 3, widths[0], 3, padding=1)
        self.encoders = nn.ModuleList(
            _blocks(width, count) for width, count in zip(widths[:-1], config.blocks, strict=True)
        )
        self.downs = nn.ModuleList(nn.Conv2d(fine, coarse, 3, stride=2, padding=1) for fine, coarse in pairwise(widths))
        self.middle = nn.Sequential(*(ResidualBlock(widths[-1], dilation) for dilation in config.dilations))
        self.ups = nn.ModuleList(nn.Conv2d(coarse, 4 * fine, 1) for fine, coarse in pairwise(widths))
        self.decoders = nn.ModuleList(
            _blocks(width, count) for width, count in zip(widths[:-1], config.return_blocks, strict=True)
        )
        self.head = nn.Conv2d(widths[0], 4 * config.kinds, 3, padding=1)
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
        x = self.stem(F.pixel_unshuffle(image - 0.5, 2))  # (B, C, H/2, W/2)
        skips: list[Tensor] = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            x = encoder(x)  # (B, C, h, w)
            skips.append(x)
            x = down(F.relu(x))  # (B, C', h/2, w/2)
        x = self.middle(x)
        for decoder, up, skip in zip(reversed(self.decoders), reversed(self.ups), reversed(skips), strict=True):
            x = decoder(skip + F.pixel_shuffle(up(F.relu(x)), 2))  # (B, C, 2h, 2w)
        return F.pixel_shuffle(self.head(F.relu(x)), 2)  # (B, kinds, H, W)


def whole_mask(destroyed: Tensor) -> Tensor:
    """Join the kinds of damage: a pixel survives what all of them leave of it.

    Args:
        destroyed: Share that each kind destroys, in [0, 1], shape (B, K, H, W).

    Returns:
        Share that all of them destroy, in [0, 1], shape (B, 1, H, W).
    """
    return 1 - (1 - destroyed).prod(dim=1, keepdim=True)


def _blocks(width: int, count: int) -> nn.Sequential:
    """Return residual blocks of one width in a row."""
    return nn.Sequential(*(ResidualBlock(width) for _ in range(count)))
