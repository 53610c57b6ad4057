"""DeepFill v2: two stages of gated convolutions with contextual attention, and the patch critic of their training.

From Yu, Lin, Yang, Shen, Lu, Huang: "Free-Form Image Inpainting with Gated Convolution" (ICCV 2019,
https://arxiv.org/abs/1806.03589), without the sketch that guides it there. The coarse stage fills the hole, the
refining one looks at the filled picture along two branches, one of which copies from the known part. The published
program is a TensorFlow one; `DeepFillV2Config.padding` tells its sampling from that of a PyTorch port. This module
knows nothing of losses, of training, of files, or of keeping known pixels: the generator returns a raw prediction of
the whole picture.
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
    gated_decoder,
    gated_dilated,
    is_exporting,
    keep_strength,
    pad_same,
)
from mendpix.networks.interface import NetworkFacts

PADDINGS = ("same", "even")
"""Ways to sample at stride 2; see `DeepFillV2Config.padding`."""


@dataclass(frozen=True)
class DeepFillV2Config:
    """Sizes of the generator. The defaults are those of the published program: 4,052,478 parameters."""

    width: int = 24
    """Channels at full resolution, gates not counted; twice as many at 1/2, four times as many at 1/4."""

    padding: str = "same"
    """`same`: stride 2 has TensorFlow's border and every second position is sampled with aligned corners, as
    published. `even`: equal borders and plain sampling, as a PyTorch port has it. Weights of one do not fit the
    other."""

    fuse: bool = True
    """Whether the attention's scores are fused with those of their neighbours."""

    def __post_init__(self) -> None:
        if self.width < 2:
            raise InputError(f"width must be at least 2; got {self.width}. The last layer has half of it.")
        if self.padding not in PADDINGS:
            raise InputError(f"padding must be one of {', '.join(PADDINGS)}; got {self.padding!r}.")


@dataclass(frozen=True)
class DeepFillV2CriticConfig:
    """Sizes of the critic. The defaults are those of the published program: 5,946,816 parameters."""

    base_channels: int = 64
    """Channels after the first convolution; twice as many after the second, four times as many after the others."""

    negative_slope: float = 0.2
    """Slope of the leaky ReLU below zero; 0 = plain ReLU."""

    def __post_init__(self) -> None:
        if self.base_channels < 1 or not 0 <= self.negative_slope < 1:
            raise InputError(
                "base_channels must be at least 1 and negative_slope in [0, 1); "
                f"got {self.base_channels} and {self.negative_slope}."
            )


class DeepFillV2Generator(nn.Module):
    """Fill the hole coarsely, then look at the filled picture again and refine it.

    No norms; every convolution has a bias, and all but the two last ones of a stage have a gate.

    Args:
        config: Sizes; the default is the published generator.
    """

    # 8: two halvings, and attention looks at every second position of what is left. 16: it needs two of them each way.
    facts = NetworkFacts(multiple_of=8, minimum=16, half=True, bfloat16=True, preferred_px=512)

    def __init__(self, config: DeepFillV2Config | None = None) -> None:
        super().__init__()
        self.config = config = config or DeepFillV2Config()
        full, half, quarter = config.width, 2 * config.width, 4 * config.width
        same = config.padding == "same"
        # Stage 1. Inputs: picture, a plane of ones that shows where the picture ends, hole.
        self.coarse_encoder = nn.Sequential(
            GatedConv(5, full, 5, same=same),
            GatedConv(full, half, stride=2, same=same),
            GatedConv(half, half),
            GatedConv(half, quarter, stride=2, same=same),
            GatedConv(quarter, quarter),
            GatedConv(quarter, quarter),
        )
        self.coarse_dilated = gated_dilated(quarter)
        self.coarse_decoder = gated_decoder(quarter, full)
        # Stage 2. Input: the filled picture alone, for two branches that meet at the decoder.
        self.refine_encoder = nn.Sequential(
            GatedConv(3, full, 5, same=same),
            GatedConv(full, full, stride=2, same=same),
            GatedConv(full, half),
            GatedConv(half, half, stride=2, same=same),
            GatedConv(half, quarter),
            GatedConv(quarter, quarter),
        )
        self.refine_dilated = gated_dilated(quarter)
        self.match_encoder = nn.Sequential(
            GatedConv(3, full, 5, same=same),
            GatedConv(full, full, stride=2, same=same),
            GatedConv(full, half),
            GatedConv(half, quarter, stride=2, same=same),
            GatedConv(quarter, quarter),
            GatedConv(quarter, quarter, rectified=True),
        )
        self.attention = ContextualAttention(fuse=config.fuse, aligned=same)
        self.match_decoder = nn.Sequential(GatedConv(quarter, quarter), GatedConv(quarter, quarter))
        self.refine_decoder = gated_decoder(2 * quarter, full)
        self.apply(keep_strength)

    def forward(self, image: Tensor, hole: Tensor) -> Tensor:
        """Predict a whole picture; what `image` holds inside the hole has no influence.

        Args:
            image: RGB in [0, 1], finite, shape (B, 3, H, W); H and W multiples of 8 and at least 16.
            hole: 1 = hole, 0 = known, shape (B, 1, H, W).

        Returns:
            Raw prediction, RGB in [0, 1], shape (B, 3, H, W). Known pixels are predicted too, not copied.

        Raises:
            ShapeError: If a shape, size or dtype is not as above.
        """
        return self.stages(image, hole)[1]

    def stages(self, image: Tensor, hole: Tensor) -> tuple[Tensor, Tensor]:
        """Predict a whole picture, as `forward`, and give the coarse stage's prediction before it.

        Returns:
            Both raw predictions, coarse and refined, RGB in [0, 1], each (B, 3, H, W).

        Raises:
            ShapeError: If a shape, size or dtype is not as `forward` says.
        """
        if not is_exporting():
            check_picture(image, self.facts)
            check_hole(hole, image)
        known = (2 * image - 1) * (1 - hole)  # (B, 3, H, W), from [0, 1] to [-1, 1], grey in the hole
        x = torch.cat([known, torch.ones_like(hole), hole], 1)  # (B, 5, H, W)
        x = self.coarse_dilated(self.coarse_encoder(x))  # (B, 4C, H/4, W/4)
        coarse = torch.tanh(self.coarse_decoder(x))  # (B, 3, H, W)

        filled = coarse * hole + known  # (B, 3, H, W)
        refined = self.refine_dilated(self.refine_encoder(filled))  # (B, 4C, H/4, W/4)
        aligned = self.attention.aligned
        small_hole = shrink(shrink(hole, 4, aligned=aligned), 2, aligned=aligned)  # (B, 1, H/8, W/8)
        matched = self.attention(self.match_encoder(filled), small_hole)  # (B, 4C, H/4, W/4)
        x = torch.cat([refined, self.match_decoder(matched)], 1)  # (B, 8C, H/4, W/4)
        fine = torch.tanh(self.refine_decoder(x))  # (B, 3, H, W)
        return (coarse + 1) / 2, (fine + 1) / 2  # from [-1, 1] to [0, 1]


class DeepFillV2Critic(nn.Module):
    """Judge whether a hole was filled by the generator, by patches that overlap widely (SN-PatchGAN).

    Args:
        config: Sizes; the default is the published critic.
    """

    # Not half: nothing bounds the scores, and early in training they may leave its range.
    facts = NetworkFacts(multiple_of=1, minimum=1, half=False, bfloat16=True)

    def __init__(self, config: DeepFillV2CriticConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or DeepFillV2CriticConfig()
        width = config.base_channels
        widths = (4, width, 2 * width, 4 * width, 4 * width, 4 * width, 4 * width)
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(before, after, 5, stride=2)) for before, after in pairwise(widths)
        )

    def forward(self, image: Tensor, hole: Tensor) -> Tensor:
        """Score a picture at many places and in many respects.

        Args:
            image: RGB in [0, 1], shape (B, 3, H, W): a true picture, or one whose hole is filled.
            hole: 1 = hole, 0 = known, shape (B, 1, H, W).

        Returns:
            Logits, shape (B, 4C, H / 64, W / 64), the quotients rounded up: high = photo. The last layer too has a
            leaky ReLU behind it, as published.

        Raises:
            ShapeError: If a shape, size or dtype is not as above.
        """
        check_picture(image, self.facts)
        check_hole(hole, image)
        x = torch.cat([2 * image - 1, hole], 1)  # (B, 4, H, W)
        for layer in self.layers:
            x = F.leaky_relu(layer(pad_same(x, 5, 2)), self.config.negative_slope)  # half as high and wide each time
        return x  # (B, 4C, H/64, W/64)
