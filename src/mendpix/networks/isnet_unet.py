"""The U-Net-like rival of ISNet's Table 1: EdgeConnect's inpainting generator, made about as large as ISNet.

Li et al. 2020 say that it comes from EdgeConnect (Nazeri et al. 2019), without edges, with "additional layers both
in encoder and decoder", and that it has 23.27 M parameters (in their unit of 2^20). Which layers is not published: here
the additions are a third halving to 1/8 of the size with two convolutions there on the way down, and their mirror image
on the way up, which come to that number. Knows nothing of losses, of training, of files, or of keeping known pixels.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mendpix.errors import InputError, ShapeError
from mendpix.networks.interface import NetworkFacts


@dataclass(frozen=True)
class IsnetUnetConfig:
    """Sizes of the network. The defaults are as near to the paper's number as we know how: 24,402,947 parameters."""

    base_channels: int = 64
    """Channels at full resolution; 2, 4 and 8 times as many at 1/2, 1/4 and 1/8."""

    residual_blocks: int = 8
    """Residual blocks at 1/4 of the resolution, half of them on the way down."""

    def __post_init__(self) -> None:
        if self.base_channels < 1 or self.residual_blocks < 0:
            raise InputError(
                "base_channels must be at least 1 and residual_blocks at least 0; "
                f"got {self.base_channels} and {self.residual_blocks}."
            )


class IsnetUnetGenerator(nn.Module):
    """Paint the hole black, look at the picture alone, predict the whole of it.

    Args:
        config: Sizes.
    """

    # 8: three halvings. 16: at 1/4 of the size a reflected border of 2 px, at 1/8 an instance norm over two by two.
    facts = NetworkFacts(multiple_of=8, minimum=16, half=True, bfloat16=True)

    def __init__(self, config: IsnetUnetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or IsnetUnetConfig()
        full, half, quarter, eighth = (2**level * config.base_channels for level in range(4))
        first = config.residual_blocks // 2
        self.stem = nn.Conv2d(3, full, 7, padding=3, padding_mode="reflect")
        self.down1 = nn.Conv2d(full, half, 4, stride=2, padding=1)
        self.down2 = nn.Conv2d(half, quarter, 4, stride=2, padding=1)
        self.blocks1 = nn.Sequential(*(_ResidualBlock(quarter) for _ in range(first)))
        self.down3 = nn.Conv2d(quarter, eighth, 4, stride=2, padding=1, bias=False)
        self.deep = nn.ModuleList(nn.Conv2d(eighth, eighth, 3, padding=1, bias=False) for _ in range(4))
        self.up3 = nn.ConvTranspose2d(eighth, quarter, 4, stride=2, padding=1, bias=False)
        self.blocks2 = nn.Sequential(*(_ResidualBlock(quarter) for _ in range(config.residual_blocks - first)))
        self.up2 = nn.ConvTranspose2d(quarter, half, 4, stride=2, padding=1)
        self.up1 = nn.ConvTranspose2d(half, full, 4, stride=2, padding=1)
        self.head = nn.Conv2d(full, 3, 7, padding=3, padding_mode="reflect")
        self.apply(_start)

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
        if not _is_exporting():
            _check(image, hole, self.facts)
        x = _normed(self.stem(image * (1 - hole)))  # (B, C, H, W)
        x = _normed(self.down1(x))  # (B, 2C, H/2, W/2)
        x = self.blocks1(_normed(self.down2(x)))  # (B, 4C, H/4, W/4)
        x = _normed(self.down3(x))  # (B, 8C, H/8, W/8)
        for layer in self.deep:
            x = _normed(layer(x))  # (B, 8C, H/8, W/8)
        x = self.blocks2(_normed(self.up3(x)))  # (B, 4C, H/4, W/4)
        x = _normed(self.up2(x))  # (B, 2C, H/2, W/2)
        x = _normed(self.up1(x))  # (B, C, H, W)
        return (torch.tanh(self.head(x)) + 1) / 2  # (B, 3, H, W), from [-1, 1] to [0, 1]


class _ResidualBlock(nn.Module):
    """Add two convolutions, the first of them dilated, to their own input; no activation after the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=2, dilation=2, padding_mode="reflect")
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")

    def forward(self, x: Tensor) -> Tensor:  # shape stays
        return x + F.instance_norm(self.conv2(_normed(self.conv1(x))))


def _normed(x: Tensor) -> Tensor:
    """Bring every channel of every picture to mean 0 and deviation 1, then ReLU."""
    return F.relu(F.instance_norm(x))


def _start(module: nn.Module) -> None:
    """Start every kernel normal with deviation 0.02 and every bias at zero."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


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
