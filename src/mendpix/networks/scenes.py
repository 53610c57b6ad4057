"""The embedded `scenes` pair: a small generator and a small detector of the GDN family. Knows no files and no losses.

The published generator (`gdn.py`) spends 49 GMAC on a 256² picture; this one spends under 4 and starts from two
classical fills instead of from a white hole. It keeps the family's plan (stem, two down-samplings, a row of dilated
residual blocks, two up-samplings, one output head) and changes what a laptop needs changed: half resolution from the
first layer on (pixel unshuffle), growing dilation instead of a constant 2, skips, and no instance norm, whose
picture-wide statistics would make a crop's colours depend on how it was cut.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mendpix.errors import InputError, ShapeError
from mendpix.networks.interface import NetworkFacts


@dataclass(frozen=True)
class ScenesGeneratorConfig:
    """Sizes of the generator."""

    width_half: int = 32
    """Channels at half resolution."""
    width_quarter: int = 64
    """Channels at quarter resolution."""
    width_eighth: int = 128
    """Channels at an eighth of the resolution, where most of the work is done."""
    dilations: tuple[int, ...] = (1, 2, 4, 8, 1, 2, 4, 8)
    """Dilation of the first convolution of each residual block at an eighth of the resolution."""

    def __post_init__(self) -> None:
        _check_sizes((self.width_half, self.width_quarter, self.width_eighth, *self.dilations))


@dataclass(frozen=True)
class ScenesDetectorConfig:
    """Sizes of the detector."""

    width_half: int = 16
    """Channels at half resolution."""
    width_quarter: int = 32
    """Channels at quarter resolution."""
    width_eighth: int = 64
    """Channels at an eighth of the resolution."""
    dilations: tuple[int, ...] = (1, 2, 4)
    """Dilation of the first convolution of each residual block at an eighth of the resolution."""

    def __post_init__(self) -> None:
        _check_sizes((self.width_half, self.width_quarter, self.width_eighth, *self.dilations))


class ResidualBlock(nn.Module):
    """Add two 3 x 3 convolutions to their input; the first is dilated, the second starts at zero."""

    def __init__(self, width: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.kaiming_normal_(self.first.weight, nonlinearity="relu")
        nn.init.zeros_(self.first.bias)  # pyright: ignore[reportArgumentType] - it has a bias
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # pyright: ignore[reportArgumentType] - it has a bias

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same shape (B, C, h, w)."""
        return x + self.second(F.relu(self.first(F.relu(x))))


class _HourGlass(nn.Module):
    """Half-resolution features in and out, by way of a quarter and an eighth, with skips."""

    def __init__(self, half: int, quarter: int, eighth: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.down_quarter = nn.Conv2d(half, quarter, 3, stride=2, padding=1)
        self.encode_quarter = ResidualBlock(quarter)
        self.down_eighth = nn.Conv2d(quarter, eighth, 3, stride=2, padding=1)
        self.middle = nn.Sequential(*(ResidualBlock(eighth, dilation) for dilation in dilations))
        self.up_quarter = nn.Conv2d(eighth, 4 * quarter, 1)
        self.decode_quarter = ResidualBlock(quarter)
        self.up_half = nn.Conv2d(quarter, 4 * half, 1)
        self.decode_half = ResidualBlock(half)

    def forward(self, half: Tensor) -> Tensor:
        quarter = self.encode_quarter(self.down_quarter(F.relu(half)))  # (B, C4, H/4, W/4)
        eighth = self.middle(self.down_eighth(F.relu(quarter)))  # (B, C8, H/8, W/8)
        quarter = quarter + F.pixel_shuffle(self.up_quarter(F.relu(eighth)), 2)  # (B, C4, H/4, W/4)
        quarter = self.decode_quarter(quarter)
        half = half + F.pixel_shuffle(self.up_half(F.relu(quarter)), 2)  # (B, C2, H/2, W/2)
        return self.decode_half(half)


class ScenesGenerator(nn.Module):
    """Mend two classical fills of a hole: blend them pixel by pixel, then add what is missing."""

    facts = NetworkFacts(
        multiple_of=8, minimum=8, half=True, bfloat16=True, local=True, bounded=False, inputs=("image", "hole", "fills")
    )

    def __init__(self, config: ScenesGeneratorConfig | None = None) -> None:
        super().__init__()
        self.config = config or ScenesGeneratorConfig()
        half = self.config.width_half
        self.stem = nn.Conv2d(4 * 7, half, 3, padding=1)
        self.body = _HourGlass(half, self.config.width_quarter, self.config.width_eighth, self.config.dilations)
        self.head = nn.Conv2d(half, 4 * 4, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # pyright: ignore[reportArgumentType] - it has a bias

    def forward(self, image: Tensor, hole: Tensor, fills: Tensor) -> Tensor:
        """Return the picture with its hole filled.

        Args:
            image: RGB in [0, 1], shape (B, 3, H, W); what lies in the hole is ignored. H and W multiples of 8.
            hole: 1 = fill, 0 = known, shape (B, 1, H, W).
            fills: Two first fills of the hole, harmonic and Navier–Stokes, RGB each, shape (B, 6, H, W). A coarser
                result of this network may stand in for both.

        Returns:
            Prediction, shape (B, 3, H, W): `image` itself where `hole` is 0, not clamped inside.

        Raises:
            ShapeError: If shapes do not fit each other or the size is no multiple of 8.
        """
        if not torch.compiler.is_compiling():
            _check_generator(image, hole, fills)
        smooth = torch.lerp(image, fills[:, :3], hole)  # (B, 3, H, W)
        edged = torch.lerp(image, fills[:, 3:], hole)  # (B, 3, H, W)
        seen = torch.cat([smooth - 0.5, edged - smooth, hole], 1)  # (B, 7, H, W)
        half = self.stem(F.pixel_unshuffle(seen, 2))  # (B, C2, H/2, W/2)
        change = F.pixel_shuffle(self.head(F.relu(self.body(half))), 2).float()  # (B, 4, H, W)
        share = torch.sigmoid(change[:, 3:])  # (B, 1, H, W), how much of the edged fill to take
        return smooth + hole * (share * (edged - smooth) + change[:, :3])


class ScenesDetector(nn.Module):
    """Tell for each pixel whether it looks filled."""

    facts = NetworkFacts(multiple_of=8, minimum=8, half=True, bfloat16=True, local=True, inputs=("image",))

    def __init__(self, config: ScenesDetectorConfig | None = None) -> None:
        super().__init__()
        self.config = config or ScenesDetectorConfig()
        half = self.config.width_half
        self.stem = nn.Conv2d(4 * 3, half, 3, padding=1)
        self.encode_half = ResidualBlock(half)
        self.body = _HourGlass(half, self.config.width_quarter, self.config.width_eighth, self.config.dilations)
        self.head = nn.Conv2d(half, 4 * 2, 3, padding=1)
        nn.init.zeros_(self.head.bias)  # pyright: ignore[reportArgumentType] - it has a bias

    def forward(self, image: Tensor) -> Tensor:
        """Return two logits per pixel.

        Args:
            image: RGB in [0, 1], shape (B, 3, H, W). H and W multiples of 8.

        Returns:
            Logits (known, filled), shape (B, 2, H, W).

        Raises:
            ShapeError: If the shape is wrong or the size no multiple of 8.
        """
        if not torch.compiler.is_compiling():
            _check_picture(image)
        half = self.encode_half(self.stem(F.pixel_unshuffle(image - 0.5, 2)))  # (B, C2, H/2, W/2)
        return F.pixel_shuffle(self.head(F.relu(self.body(half))), 2)  # (B, 2, H, W)


def _check_sizes(sizes: tuple[int, ...]) -> None:
    if min(sizes) < 1:
        raise InputError(f"widths and dilations must be at least 1; got {', '.join(map(str, sizes))}.")


def _check_picture(image: Tensor) -> None:
    if image.ndim != 4 or image.shape[1] != 3 or image.shape[2] % 8 or image.shape[3] % 8 or 0 in image.shape:
        raise ShapeError(
            f"image must be (B, 3, H, W) with H and W multiples of 8; got {tuple(image.shape)}. Pad it first."
        )
    if not image.is_floating_point():
        raise ShapeError(f"image must hold floats in [0, 1]; got {image.dtype}. Convert it with image.float() / 255.")


def _check_generator(image: Tensor, hole: Tensor, fills: Tensor) -> None:
    _check_picture(image)
    batch, _, height, width = image.shape
    for name, tensor, channels in (("hole", hole, 1), ("fills", fills, 6)):
        if tensor.shape != (batch, channels, height, width):
            raise ShapeError(
                f"{name} must be ({batch}, {channels}, {height}, {width}) to go with the image; "
                f"got {tuple(tensor.shape)}. Resize it or add the missing axis."
            )
