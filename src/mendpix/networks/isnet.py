"""ISNet: two branches, one at full resolution and one that shrinks, which exchange what they know stage by stage.

From Li et al.: "Interactive Separation Network for Image Inpainting" (ICIP 2020). The defaults follow the authors'
published program, where the network is called RFFNet. The ablations of the paper's Tables 1 and 2 are configurations of
the same network: `isnet_base`, `isnet_base_fusion`, and `IsnetConfig(residual_blocks=1)` to 3. The critic is
`mendpix.networks.patchgan`, the U-Net-like rival of Table 1 `mendpix.networks.isnet_unet`. This module knows nothing of
losses, of training, of files, or of keeping known pixels: it returns a raw prediction of the whole picture.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from mendpix.errors import InputError, ShapeError
from mendpix.networks.interface import NetworkFacts

STAGES = 4
"""Stages; each but the first begins with the low branch half as large as the one before."""


@dataclass(frozen=True)
class IsnetConfig:
    """Sizes of the generator. The defaults are those of the published program: 24,774,307 parameters."""

    base_channels: int = 32
    """Channels of the branch at full resolution; the low branch has 2, 4, 8 and at the end `last_factor` times that."""

    residual_blocks: int = 4
    """Residual blocks per branch and stage; Table 2 compares 1 to 4."""

    sub_pixel: bool = True
    """How the low branch is brought to full resolution: by learnt sub-pixel steps, or by bilinear interpolation."""

    final_fusion: bool = True
    """Whether the output is made of both branches, or of the one at full resolution alone."""

    last_factor: int = 16
    """Channels of the low branch after the last stage, as a multiple of `base_channels`."""

    start_deviation: float = 0.001
    """Standard deviation of fresh kernels. Spectral norm divides it out of what the network computes, but the smaller
    it is, the more the first steps of training turn."""

    def __post_init__(self) -> None:
        if self.base_channels < 1 or self.residual_blocks < 0 or self.last_factor < 1 or not self.start_deviation > 0:
            raise InputError(
                "base_channels and last_factor must be at least 1, residual_blocks not below 0, start_deviation above "
                f"0; got {self.base_channels}, {self.last_factor}, {self.residual_blocks} and {self.start_deviation}."
            )
        if self.sub_pixel and self.final_fusion and self.base_channels * self.last_factor % 2**STAGES:
            raise InputError(
                f"base_channels x last_factor must be a multiple of {2**STAGES}, as each sub-pixel step halves the "
                f"channels; got {self.base_channels} x {self.last_factor}. The published factor is 16."
            )


def isnet_published() -> IsnetConfig:
    """Return the network of the paper and its program."""
    return IsnetConfig()


def isnet_base() -> IsnetConfig:
    """Return the base model of Table 1: bilinear, without final fusion; 16,517,763 parameters.

    The paper gives 15.75 M, which in its unit of 2^20 this is; the details (plain interpolation of all channels, one
    3 x 3 convolution as the head) are ours.
    """
    return IsnetConfig(sub_pixel=False, final_fusion=False)


def isnet_base_fusion() -> IsnetConfig:
    """Return the base model with final fusion and fewer channels: 14,610,083 parameters.

    The paper gives 13.93 M and says that "some intermediate layers" are narrower, not which: halving what the last
    stage hands to the fusion comes to that number.
    """
    return IsnetConfig(sub_pixel=False, last_factor=8)


class IsnetGenerator(nn.Module):
    """Paint the hole black, look at the picture alone, predict the whole of it.

    Zero borders, tanh everywhere, no normalisation layers; spectral norm on every convolution but the stem's shortcut.
    Only the two last convolutions have biases.

    Args:
        config: Sizes; see `isnet_published`.
    """

    facts = NetworkFacts(multiple_of=2**STAGES, minimum=2**STAGES, half=True, bfloat16=True, local=True)

    def __init__(self, config: IsnetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or isnet_published()
        width = config.base_channels
        lows = [2 * width, 4 * width, 8 * width, config.last_factor * width]
        std = config.start_deviation
        self.stem = _Stem(width, std)
        self.stages = nn.ModuleList(
            _Stage(number, width, lows[number - 1] if number else 0, lows[number], config) for number in range(STAGES)
        )
        joined = width
        if config.final_fusion:
            self.fusion = _Up(lows[-1], STAGES, std, sub_pixel=config.sub_pixel)
            joined += self.fusion.channels
            self.mix = _normed(nn.Conv2d(joined, width, 7, padding=3), std)
        self.head = _normed(nn.Conv2d(width, 3, 3, padding=1), std)

    def forward(self, image: Tensor, hole: Tensor) -> Tensor:
        """Predict a whole picture; what `image` holds inside the hole has no influence.

        Args:
            image: RGB in [0, 1], finite, shape (B, 3, H, W); H and W multiples of 16.
            hole: 1 = hole, 0 = known, shape (B, 1, H, W).

        Returns:
            Raw prediction, RGB in [0, 1], shape (B, 3, H, W). Known pixels are predicted too, not copied.

        Raises:
            ShapeError: If a shape, size or dtype is not as above.
        """
        if not _is_exporting():
            _check(image, hole, self.facts)
        high = self.stem(image * (1 - hole))  # (B, C, H, W); the network is not told where the hole is
        low: Tensor | None = None
        for stage in self.stages:
            high, low = stage(high, low)  # (B, C, H, W) and (B, 2C, H/2, W/2) to (B, 16C, H/16, W/16)
        if self.config.final_fusion:
            joined = torch.cat([high, self.fusion(low)], dim=1)  # (B, 2C, H, W)
            high = torch.tanh(self.mix(joined))  # (B, C, H, W)
        return (torch.tanh(self.head(high)) + 1) / 2  # (B, 3, H, W), from [-1, 1] to [0, 1]


class _Stem(nn.Module):
    """Embed the picture: two convolutions, and a shortcut without spectral norm."""

    def __init__(self, width: int, std: float) -> None:
        super().__init__()
        self.shortcut = nn.Conv2d(3, width, 1, bias=False)
        nn.init.normal_(self.shortcut.weight, std=std)
        self.conv1 = _convolution(3, 2 * width, std)
        self.conv2 = _convolution(2 * width, width, std)

    def forward(self, x: Tensor) -> Tensor:  # (B, 3, H, W) to (B, C, H, W)
        return torch.tanh(self.shortcut(x) + self.conv2(torch.tanh(self.conv1(x))))


class _Stage(nn.Module):
    """Inpainting (residual blocks), interaction (each branch to the other's size), aggregation (both in one).

    Args:
        number: From 0; the low branch, if there is one, has 1 / 2^number of the size, afterwards half of that.
        width: Channels at full resolution.
        low: Channels of the low branch that comes in; 0 = there is none yet.
        low_out: Channels of the one that goes out.
        config: Blocks and kind of interpolation.
    """

    def __init__(self, number: int, width: int, low: int, low_out: int, config: IsnetConfig) -> None:
        super().__init__()
        blocks, std = range(config.residual_blocks), config.start_deviation
        self.high_blocks = nn.Sequential(*(_ResidualBlock(width, std, dilation=1) for _ in blocks))
        wide = 2 ** (number + 1) * width  # channels that go into the aggregation, whatever comes out of it
        self.down = nn.ModuleList(
            _convolution(2**step * width, 2 ** (step + 1) * width, std, stride=2) for step in range(number + 1)
        )
        self.has_low = low > 0
        if self.has_low:
            self.low_blocks = nn.Sequential(*(_ResidualBlock(low, std, dilation=2) for _ in blocks))
            self.up = _Up(low, number, std, sub_pixel=config.sub_pixel)
            self.low_down = _convolution(low, wide, std, stride=2)
        self.high_join = _convolution(width + (self.up.channels if self.has_low else 0), width, std)
        self.low_join = _convolution(2 * wide if self.has_low else wide, low_out, std)

    def forward(self, high: Tensor, low: Tensor | None) -> tuple[Tensor, Tensor]:
        high = self.high_blocks(high)  # (B, C, H, W)
        down = high
        for step in self.down:
            down = torch.tanh(step(down))  # halved each time, channels doubled
        if self.has_low:
            low = self.low_blocks(low)
            high = torch.cat([high, self.up(low)], dim=1)
            down = torch.cat([down, torch.tanh(self.low_down(low))], dim=1)
        return torch.tanh(self.high_join(high)), torch.tanh(self.low_join(down))


class _ResidualBlock(nn.Module):
    """Add two convolutions to their own input; tanh after the sum."""

    def __init__(self, channels: int, std: float, *, dilation: int) -> None:
        super().__init__()
        self.conv1 = _convolution(channels, channels, std, dilation=dilation)
        self.conv2 = _convolution(channels, channels, std)

    def forward(self, x: Tensor) -> Tensor:  # shape stays
        return torch.tanh(x + self.conv2(torch.tanh(self.conv1(x))))


class _Up(nn.Module):
    """Double height and width some times: learnt, each step halving the channels, or by one bilinear interpolation."""

    def __init__(self, channels: int, times: int, std: float, *, sub_pixel: bool) -> None:
        super().__init__()
        self.times = times
        self.channels = channels // 2**times if sub_pixel else channels
        """Channels that come out."""
        widths = [channels // 2**step for step in range(times)] if sub_pixel else []
        self.steps = nn.ModuleList(_convolution(width, 2 * width, std) for width in widths)

    def forward(self, x: Tensor) -> Tensor:
        if not self.steps:
            return F.interpolate(x, scale_factor=float(2**self.times), mode="bilinear", align_corners=False)
        for step in self.steps:
            x = torch.tanh(F.pixel_shuffle(step(x), 2))  # (B, C, h, w) to (B, C/2, 2h, 2w)
        return x


def _convolution(inputs: int, outputs: int, std: float, *, stride: int = 1, dilation: int = 1) -> nn.Module:
    """Return a 3 x 3 convolution with a zero border, spectral norm and no bias."""
    return _normed(nn.Conv2d(inputs, outputs, 3, stride=stride, padding=dilation, dilation=dilation, bias=False), std)


def _normed(convolution: nn.Conv2d, std: float) -> nn.Module:
    """Start a convolution's kernel normal and its bias at zero, and put it under spectral norm."""
    nn.init.normal_(convolution.weight, std=std)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
    return spectral_norm(convolution)


def _is_exporting() -> bool:
    """Tell whether sizes are symbols now, so that none of them may be compared."""
    return torch.jit.is_tracing() or torch.compiler.is_exporting()  # pyright: ignore[reportPrivateImportUsage]


def _check(image: Tensor, hole: Tensor, facts: NetworkFacts) -> None:
    """Refuse what is no batch of pictures with holes, by shape and dtype: reading the values would make a GPU wait."""
    if image.ndim != 4 or image.shape[1] != 3:
        raise ShapeError(
            f"image must be (B, 3, H, W); got {tuple(image.shape)}. "
            "Put channels second with image.permute(0, 3, 1, 2), or add the batch axis with image[None]."
        )
    if not image.is_floating_point():
        raise ShapeError(f"image must hold floats in [0, 1]; got {image.dtype}. Convert it with image.float() / 255.")
    batch, _, height, width = image.shape
    if height % facts.multiple_of or width % facts.multiple_of or min(height, width) < facts.minimum:
        raise ShapeError(
            f"image height and width must be multiples of {facts.multiple_of} and at least {facts.minimum} px; "
            f"got {height} x {width}. Pad the picture first and cut the result back."
        )
    if tuple(hole.shape) != (batch, 1, height, width):
        raise ShapeError(
            f"hole must be ({batch}, 1, {height}, {width}) like its image; got {tuple(hole.shape)}. "
            "Add a missing channel axis with hole[:, None]."
        )
    if hole.dtype != image.dtype:
        raise ShapeError(
            f"hole must have the dtype of its image, {image.dtype}; got {hole.dtype}. Convert it with hole.to(image)."
        )
