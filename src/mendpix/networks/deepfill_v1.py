"""DeepFill v1: a coarse and a refining stage with contextual attention, and the critics of their training.

From Yu, Lin, Yang, Shen, Lu, Huang: "Generative Image Inpainting with Contextual Attention" (CVPR 2018,
https://arxiv.org/abs/1801.07892). The two stages are laid out like those of DeepFill v2, with plain convolutions and
ELUs instead of gated ones. The published program is a TensorFlow one; `DeepFillV1Config.padding` tells its sampling
from that of the well-known PyTorch port. This module knows nothing of losses, of training, of files, or of keeping
known pixels: the generator returns a raw prediction of the whole picture.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mendpix.errors import InputError
from mendpix.networks.contextual_attention import ContextualAttention, shrink
from mendpix.networks.deepfill_layers import EvenConv2d, check_hole, check_picture, is_exporting
from mendpix.networks.interface import NetworkFacts

PADDINGS = ("same", "even")
"""Ways to sample at stride 2; see `DeepFillV1Config.padding`."""


@dataclass(frozen=True)
class DeepFillV1Config:
    """Sizes of the generator. The defaults are those of the published program: 3,601,542 parameters."""

    width: int = 32
    """Channels at full resolution; twice as many at 1/2, four times as many at 1/4."""

    padding: str = "same"
    """`same`: stride 2 has TensorFlow's border and every second position is sampled with aligned corners, as
    published. `even`: equal borders, plain sampling and softened norms of patches, as the PyTorch port has it. Weights
    of one do not fit the other."""

    def __post_init__(self) -> None:
        if self.width < 2:
            raise InputError(f"width must be at least 2; got {self.width}. The last layer has half of it.")
        _check_padding(self.padding)


@dataclass(frozen=True)
class DeepFillV1CriticConfig:
    """Sizes of a critic. The defaults are those of the published global one: 2,733,441 parameters."""

    base_channels: int = 64
    """Channels after the first convolution; twice as many after the second, four times as many after the third."""

    last_multiple: int = 4
    """Channels after the fourth convolution, in units of `base_channels`."""

    picture_px: int = 256
    """Side of the squares that get one score each; a multiple of 16."""

    negative_slope: float = 0.2
    """Slope of the leaky ReLU below zero; 0 = plain ReLU."""

    padding: str = "same"
    """Borders of the convolutions; as for `DeepFillV1Config`."""

    def __post_init__(self) -> None:
        if self.base_channels < 1 or self.last_multiple < 1 or not 0 <= self.negative_slope < 1:
            raise InputError(
                "base_channels and last_multiple must be at least 1 and negative_slope in [0, 1); "
                f"got {self.base_channels}, {self.last_multiple} and {self.negative_slope}."
            )
        if self.picture_px < 16 or self.picture_px % 16:
            raise InputError(f"picture_px must be a multiple of 16; got {self.picture_px}. It is halved four times.")
        _check_padding(self.padding)


@dataclass(frozen=True)
class DeepFillV1LocalCriticConfig(DeepFillV1CriticConfig):
    """Sizes of the local critic. The defaults are the published ones: 4,339,329 parameters."""

    last_multiple: int = 8
    """As above; the PyTorch port has 4."""

    picture_px: int = 128
    """As above."""


class DeepFillV1Generator(nn.Module):
    """Fill the hole coarsely, then look at the filled picture again and refine it. No norms; biases everywhere.

    Args:
        config: Sizes; the default is the published generator.
    """

    # 8: two halvings, and attention looks at every second position of what is left. 16: it needs two of them each way.
    facts = NetworkFacts(multiple_of=8, minimum=16, half=True, bfloat16=True, preferred_px=512)

    def __init__(self, config: DeepFillV1Config | None = None) -> None:
        super().__init__()
        self.config = config = config or DeepFillV1Config()
        full, half, quarter = config.width, 2 * config.width, 4 * config.width
        same = config.padding == "same"
        # Inputs of every encoder: picture, a plane of ones that shows where the picture ends, hole.
        self.coarse_encoder = nn.Sequential(
            _EluConv(5, full, 5, same=same),
            _EluConv(full, half, stride=2, same=same),
            _EluConv(half, half),
            _EluConv(half, quarter, stride=2, same=same),
            _EluConv(quarter, quarter),
            _EluConv(quarter, quarter),
        )
        self.coarse_dilated = _dilated(quarter)
        self.coarse_decoder = _decoder(quarter, full)
        self.refine_encoder = nn.Sequential(
            _EluConv(5, full, 5, same=same),
            _EluConv(full, full, stride=2, same=same),
            _EluConv(full, half),
            _EluConv(half, half, stride=2, same=same),
            _EluConv(half, quarter),
            _EluConv(quarter, quarter),
        )
        self.refine_dilated = _dilated(quarter)
        self.match_encoder = nn.Sequential(
            _EluConv(5, full, 5, same=same),
            _EluConv(full, full, stride=2, same=same),
            _EluConv(full, half),
            _EluConv(half, quarter, stride=2, same=same),
            _EluConv(quarter, quarter),
            _EluConv(quarter, quarter, rectified=True),
        )
        self.attention = ContextualAttention(aligned=same, soft_norm=not same)
        self.match_decoder = nn.Sequential(_EluConv(quarter, quarter), _EluConv(quarter, quarter))
        self.refine_decoder = _decoder(2 * quarter, full)
        self.apply(_xavier)

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
        planes = torch.cat([torch.ones_like(hole), hole], 1)  # (B, 2, H, W)
        x = self.coarse_dilated(self.coarse_encoder(torch.cat([known, planes], 1)))  # (B, 4C, H/4, W/4)
        coarse = self.coarse_decoder(x).clamp(-1, 1)  # (B, 3, H, W)

        x = torch.cat([coarse * hole + known, planes], 1)  # (B, 5, H, W)
        refined = self.refine_dilated(self.refine_encoder(x))  # (B, 4C, H/4, W/4)
        aligned = self.attention.aligned
        small_hole = shrink(shrink(hole, 4, aligned=aligned), 2, aligned=aligned)  # (B, 1, H/8, W/8)
        matched = self.attention(self.match_encoder(x), small_hole)  # (B, 4C, H/4, W/4)
        x = torch.cat([refined, self.match_decoder(matched)], 1)  # (B, 8C, H/4, W/4)
        fine = self.refine_decoder(x).clamp(-1, 1)  # (B, 3, H, W)
        return (coarse + 1) / 2, (fine + 1) / 2  # from [-1, 1] to [0, 1]


class DeepFillV1Critic(nn.Module):
    """Score pictures (the global critic) or squares around their holes (the local one). No norms, no sigmoid.

    Args:
        config: Sizes; the default is the published global critic, `DeepFillV1LocalCriticConfig` the local one.
    """

    facts: NetworkFacts

    def __init__(self, config: DeepFillV1CriticConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or DeepFillV1CriticConfig()
        self.facts = NetworkFacts(
            multiple_of=config.picture_px, minimum=config.picture_px, half=True, bfloat16=True, inputs=("image",)
        )
        width = config.base_channels
        widths = (3, width, 2 * width, 4 * width, config.last_multiple * width)
        self.layers = nn.ModuleList(
            EvenConv2d(before, after, 5, stride=2, same=config.padding == "same") for before, after in pairwise(widths)
        )
        self.side = config.picture_px // 16
        self.linear = nn.Linear(widths[-1] * self.side**2, 1)
        self.apply(_xavier)

    def forward(self, image: Tensor) -> Tensor:
        """Score every square of `picture_px`.

        Args:
            image: RGB in [0, 1], shape (B, 3, H, W), H and W multiples of `picture_px`: usually one square.

        Returns:
            Scores, any real number, shape (B, 1, H / picture_px, W / picture_px): high = photo.

        Raises:
            ShapeError: If the shape, size or dtype is not as above.
        """
        check_picture(image, self.facts)
        x = 2 * image - 1  # (B, 3, H, W), from [0, 1] to [-1, 1]
        for layer in self.layers:
            x = F.leaky_relu(layer(x), self.config.negative_slope)  # half as high and wide each time
        kernel = self.linear.weight.view(1, -1, self.side, self.side)  # the dense layer, laid over one square
        return F.conv2d(x, kernel, self.linear.bias, stride=self.side)


class _EluConv(nn.Module):
    """A convolution with an ELU behind it.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        kernel: Side of the kernel, px.
        stride: 1 or 2.
        dilation: Step between taps, px.
        enlarge: Whether the map is doubled in size before (nearest).
        rectified: Whether it is a ReLU instead of an ELU.
        same: As for `EvenConv2d`.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, *, stride: int = 1, dilation: int = 1, enlarge: bool = False,
        rectified: bool = False, same: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.conv = EvenConv2d(inputs, outputs, kernel, stride=stride, dilation=dilation, same=same)
        self.enlarge = enlarge
        self.rectified = rectified

    def forward(self, x: Tensor) -> Tensor:  # (B, inputs, H, W) to (B, outputs, H', W')
        if self.enlarge:
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        x = self.conv(x)
        return F.relu(x) if self.rectified else F.elu(x)


def _dilated(channels: int) -> nn.Sequential:
    """Return the four layers that see far: their taps lie 2, 4, 8 and 16 positions apart."""
    return nn.Sequential(*(_EluConv(channels, channels, dilation=step) for step in (2, 4, 8, 16)))


def _decoder(inputs: int, full: int) -> nn.Sequential:
    """Return the layers from 1/4 of the resolution to the picture; the last one is plain."""
    half, quarter = 2 * full, 4 * full
    return nn.Sequential(
        _EluConv(inputs, quarter),
        _EluConv(quarter, quarter),
        _EluConv(quarter, half, enlarge=True),
        _EluConv(half, half),
        _EluConv(half, full, enlarge=True),
        _EluConv(full, full // 2),
        EvenConv2d(full // 2, 3, 3),
    )


def _check_padding(padding: str) -> None:
    if padding not in PADDINGS:
        raise InputError(f"padding must be one of {', '.join(PADDINGS)}; got {padding!r}.")


def _xavier(module: nn.Module) -> None:
    """Start every kernel Xavier-uniform and every bias at zero, as the published program does."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
