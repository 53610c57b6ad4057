"""IPN: fill a picture along predicted edges, as far as each pixel is destroyed (image inpainting network); its critic.

From "Image Inpainting with Informed Mask Generation" (anonymous submission), section 3.3: DeepFill v2's two stages of
gated convolutions, without skips, the second with a branch of contextual attention; told picture, predicted edges and
predicted mask. The mask has values between 0 and 1: the picture counts by what is left of it, and patches are copied by
the same measure. What the paper leaves open is told in decision 010. This module knows nothing of losses, of training,
of files, or of keeping known pixels: it returns a raw prediction of the whole picture.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from mendpix.errors import InputError
from mendpix.networks.contextual_attention import ContextualAttention, shrink
from mendpix.networks.deepfill_layers import (
    GatedConv,
    check_hole,
    check_picture,
    check_plane,
    gated_decoder,
    gated_dilated,
    is_exporting,
    keep_strength,
    pad_same,
)
from mendpix.networks.interface import NetworkFacts


@dataclass(frozen=True)
class IpnConfig:
    """Sizes of the generator. The defaults are DeepFill v2's, but for the further planes: 4,058,478 parameters."""

    width: int = 24
    """Channels at full resolution, gates not counted; twice as many at 1/2, four times as many at 1/4."""

    def __post_init__(self) -> None:
        if self.width < 2:
            raise InputError(f"width must be at least 2; got {self.width}. The last layer has half of it.")


@dataclass(frozen=True)
class IpnCriticConfig:
    """Sizes of the critic. The defaults are DeepFill v2's, but for the plane of edges."""

    base_channels: int = 64
    """Channels after the first convolution; twice as many after the second, four times as many after the others."""

    def __post_init__(self) -> None:
        if self.base_channels < 1:
            raise InputError(f"base_channels must be at least 1; got {self.base_channels}.")


class IpnGenerator(nn.Module):
    """Fill coarsely what is destroyed, then look at the filled picture again and refine it.

    Args:
        config: Sizes; the default is the full network.
    """

    facts = NetworkFacts(
        multiple_of=8, minimum=16, half=True, bfloat16=True, inputs=("image", "hole", "edges"), preferred_px=512
    )

    def __init__(self, config: IpnConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or IpnConfig()
        full, half, quarter = config.width, 2 * config.width, 4 * config.width
        # Stage 1. Inputs: what is left of the picture, a plane of ones that shows where it ends, edges, mask.
        self.coarse_encoder = nn.Sequential(
            GatedConv(6, full, 5),
            GatedConv(full, half, stride=2),
            GatedConv(half, half),
            GatedConv(half, quarter, stride=2),
            GatedConv(quarter, quarter),
            GatedConv(quarter, quarter),
        )
        self.coarse_dilated = gated_dilated(quarter)
        self.coarse_decoder = gated_decoder(quarter, full)
        # Stage 2. Inputs: the filled picture, edges, mask, for two branches that meet at the decoder.
        self.refine_encoder = _encoder(full)
        self.refine_dilated = gated_dilated(quarter)
        self.match_encoder = _encoder(full, matching=True)
        self.attention = ContextualAttention(soft_hole=True)
        self.match_decoder = nn.Sequential(GatedConv(quarter, quarter), GatedConv(quarter, quarter))
        self.refine_decoder = gated_decoder(2 * quarter, full)
        self.apply(keep_strength)

    def forward(self, image: Tensor, hole: Tensor, edges: Tensor) -> Tensor:
        """Predict a whole picture; where nothing is left of a pixel, what `image` holds there has no influence.

        Args:
            image: The damaged picture, RGB in [0, 1], finite, shape (B, 3, H, W); H and W multiples of 8 and at least
                16.
            hole: Share of each pixel that is destroyed, in [0, 1], shape (B, 1, H, W).
            edges: Of the whole picture, those that were drawn included: 1 = on an edge, 0 = not, values between for
                doubt, shape (B, 1, H, W).

        Returns:
            Raw prediction, RGB in [0, 1], shape (B, 3, H, W). Whole pixels are predicted too, not copied.

        Raises:
            ShapeError: If a shape, size or dtype is not as above.
        """
        return self.stages(image, hole, edges)[1]

    def stages(self, image: Tensor, hole: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
        """Predict a whole picture, as `forward`, and give the coarse stage's prediction before it.

        Returns:
            Both raw predictions, coarse and refined, RGB in [0, 1], each (B, 3, H, W).

        Raises:
            ShapeError: If a shape, size or dtype is not as `forward` says.
        """
        if not is_exporting():
            check_picture(image, self.facts)
            check_hole(hole, image)
            check_plane("edges", edges, image)
        left = (2 * image - 1) * (1 - hole)  # (B, 3, H, W), from [0, 1] to [-1, 1], grey where nothing is left
        x = torch.cat([left, torch.ones_like(hole), edges, hole], 1)  # (B, 6, H, W)
        x = self.coarse_dilated(self.coarse_encoder(x))  # (B, 4C, H/4, W/4)
        coarse = torch.tanh(self.coarse_decoder(x))  # (B, 3, H, W)

        filled = torch.cat([coarse * hole + left, edges, hole], 1)  # (B, 5, H, W)
        refined = self.refine_dilated(self.refine_encoder(filled))  # (B, 4C, H/4, W/4)
        small_hole = shrink(shrink(hole, 4, aligned=True), 2, aligned=True)  # (B, 1, H/8, W/8)
        matched = self.attention(self.match_encoder(filled), small_hole)  # (B, 4C, H/4, W/4)
        x = torch.cat([refined, self.match_decoder(matched)], 1)  # (B, 8C, H/4, W/4)
        fine = torch.tanh(self.refine_decoder(x))  # (B, 3, H, W)
        return (coarse + 1) / 2, (fine + 1) / 2  # from [-1, 1] to [0, 1]


class IpnCritic(nn.Module):
    """Judge a filled picture together with its edges and mask, by windows nearly as large as the picture.

    Args:
        config: Sizes; the default is DeepFill v2's.
    """

    # Not half: nothing bounds the scores, and early in training they may leave its range.
    facts = NetworkFacts(multiple_of=1, minimum=1, half=False, bfloat16=True, inputs=("image", "hole", "edges"))

    def __init__(self, config: IpnCriticConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or IpnCriticConfig()
        width = config.base_channels
        widths = (5, width, 2 * width, 4 * width, 4 * width, 4 * width, 4 * width)
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(before, after, 5, stride=2)) for before, after in pairwise(widths)
        )

    def forward(self, image: Tensor, hole: Tensor, edges: Tensor) -> Tensor:
        """Score a picture at many places and in many respects.

        Args:
            image: RGB in [0, 1], shape (B, 3, H, W): a true picture, or one that is filled.
            hole: Share of each pixel that is destroyed, shape (B, 1, H, W).
            edges: Edges that the fill follows, shape (B, 1, H, W).

        Returns:
            Logits, shape (B, 4C, H / 64, W / 64), the quotients rounded up: high = photo.

        Raises:
            ShapeError: If a shape, size or dtype is not as above.
        """
        check_picture(image, self.facts)
        check_hole(hole, image)
        check_plane("edges", edges, image)
        x = torch.cat([2 * image - 1, edges, hole], 1)  # (B, 5, H, W)
        for layer in self.layers:
            x = F.leaky_relu(layer(pad_same(x, 5, 2)), 0.2)  # half as high and wide each time
        return x  # (B, 4C, H/64, W/64)


def _encoder(full: int, *, matching: bool = False) -> nn.Sequential:
    """Return the layers of a branch of the second stage, from picture, edges and mask to 1/4 of the resolution.

    The branch that matches patches widens earlier, and ends in values that are not negative.
    """
    half, quarter = 2 * full, 4 * full
    middle = quarter if matching else half
    return nn.Sequential(
        GatedConv(5, full, 5),
        GatedConv(full, full, stride=2),
        GatedConv(full, half),
        GatedConv(half, middle, stride=2),
        GatedConv(middle, quarter),
        GatedConv(quarter, quarter, rectified=matching),
    )
