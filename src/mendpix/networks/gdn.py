"""GDN: a one-stage inpainting generator, a detector that says, pixel by pixel, what looks filled, and its rival.

From Zhang, Quan, Wu, Li, Yan: "Pixel-wise Dense Detector for Image Inpainting" (Computer Graphics Forum / Pacific
Graphics 2020). `gdn_published()` follows the authors' published program, which differs from their text in places;
`gdn_paper()` follows the text where the two disagree about the residual blocks. The discriminator belongs to the
framework `Adv` that the paper compares itself with (section 4.3) and does not describe; ours is a PatchGAN (Isola et
al. 2017). This module knows nothing of losses, of training, of files, or of keeping known pixels: the generator returns
a raw prediction of the whole picture.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from mendpix.errors import InputError, ShapeError
from mendpix.networks.interface import NetworkFacts


@dataclass(frozen=True)
class GdnConfig:
    """Sizes of the generator. The defaults are those of the published program: 10,779,328 parameters."""

    base_channels: int = 64
    """Channels at full resolution; twice as many at 1/2, four times as many at 1/4."""

    residual_blocks: int = 8
    """Residual blocks at 1/4 of the resolution; 0 = none."""

    first_dilation: int = 2
    """Step in pixels between the taps of the first convolution of a block: 1 (dense) or 2."""

    second_dilation: int = 1
    """The same for the second convolution of a block. The paper's text says 2, the published program 1."""

    def __post_init__(self) -> None:
        if self.base_channels < 1 or self.residual_blocks < 0:
            raise InputError(
                "base_channels must be at least 1 and residual_blocks at least 0; "
                f"got {self.base_channels} and {self.residual_blocks}."
            )
        if {self.first_dilation, self.second_dilation} - {1, 2}:
            raise InputError(
                f"dilations must be 1 or 2; got {self.first_dilation} and {self.second_dilation}. "
                "Wider steps would need pictures larger than the generator's declared minimum."
            )


@dataclass(frozen=True)
class GdnDetectorConfig:
    """Sizes of the detector. The defaults are those of the published program: 2,267,490 parameters."""

    base_channels: int = 32
    """Channels after the first convolution; the widest layers have eight times as many."""

    negative_slope: float = 0.2
    """Slope of the leaky ReLU below zero; 0 = plain ReLU."""

    def __post_init__(self) -> None:
        if self.base_channels < 1 or not 0 <= self.negative_slope < 1:
            raise InputError(
                "base_channels must be at least 1 and negative_slope in [0, 1); "
                f"got {self.base_channels} and {self.negative_slope}."
            )


@dataclass(frozen=True)
class GdnDiscriminatorConfig:
    """Sizes of the discriminator. The defaults are those of the usual 70 x 70 PatchGAN: 2,764,737 parameters."""

    base_channels: int = 64
    """Channels after the first convolution; the widest layer has eight times as many."""

    negative_slope: float = 0.2
    """Slope of the leaky ReLU below zero; 0 = plain ReLU."""

    def __post_init__(self) -> None:
        if self.base_channels < 1 or not 0 <= self.negative_slope < 1:
            raise InputError(
                "base_channels must be at least 1 and negative_slope in [0, 1); "
                f"got {self.base_channels} and {self.negative_slope}."
            )


def gdn_published() -> GdnConfig:
    """Return the generator of the authors' published program: only the first convolution of a block is dilated."""
    return GdnConfig()


def gdn_paper() -> GdnConfig:
    """Return the generator as the paper's text has it (section 3.3.1): both convolutions of a block are dilated."""
    return GdnConfig(second_dilation=2)


class GdnGenerator(nn.Module):
    """Paint the hole white, look at picture and hole together, predict the whole picture.

    No convolution has a bias: an instance norm with its own offset follows each but the last.

    Args:
        config: Sizes; see `gdn_published` and `gdn_paper`.
    """

    # 4: two halvings. 12: a reflected border of 2 px at a quarter of the size needs 3 px there.
    facts = NetworkFacts(multiple_of=4, minimum=12, half=True, bfloat16=True)

    def __init__(self, config: GdnConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or gdn_published()
        full, half, quarter = config.base_channels, 2 * config.base_channels, 4 * config.base_channels
        self.stem = nn.Conv2d(4, full, 7, padding=3, padding_mode="reflect", bias=False)
        self.stem_norm = _norm(full)
        self.down1 = nn.Conv2d(full, half, 4, stride=2, padding=1, bias=False)
        self.down1_norm = _norm(half)
        self.down2 = nn.Conv2d(half, quarter, 4, stride=2, padding=1, bias=False)
        self.down2_norm = _norm(quarter)
        self.blocks = nn.Sequential(
            *(
                _ResidualBlock(quarter, config.first_dilation, config.second_dilation)
                for _ in range(config.residual_blocks)
            )
        )
        self.up1 = nn.ConvTranspose2d(quarter, half, 4, stride=2, padding=1, bias=False)
        self.up1_norm = _norm(half)
        self.up2 = nn.ConvTranspose2d(half, full, 4, stride=2, padding=1, bias=False)
        self.up2_norm = _norm(full)
        self.head = nn.Conv2d(full, 3, 7, padding=3, padding_mode="reflect", bias=False)
        self.apply(_xavier)

    def forward(self, image: Tensor, hole: Tensor) -> Tensor:
        """Predict a whole picture; what `image` holds inside the hole has no influence.

        Args:
            image: RGB in [0, 1], finite, shape (B, 3, H, W); H and W multiples of 4 and at least 12.
            hole: 1 = hole, 0 = known, shape (B, 1, H, W).

        Returns:
            Raw prediction, RGB in [0, 1], shape (B, 3, H, W). Known pixels are predicted too, not copied.

        Raises:
            ShapeError: If a shape, size or dtype is not as above.
        """
        if not _is_exporting():
            _check_picture(image, self.facts)
            _check_hole(hole, image)
        painted = image * (1 - hole) + hole  # holes white, as in section 3.1 of the paper
        x = torch.cat([painted, hole], dim=1)  # (B, 4, H, W)
        x = F.relu(self.stem_norm(self.stem(x)))  # (B, C, H, W)
        x = F.relu(self.down1_norm(self.down1(x)))  # (B, 2C, H/2, W/2)
        x = F.relu(self.down2_norm(self.down2(x)))  # (B, 4C, H/4, W/4)
        x = self.blocks(x)  # (B, 4C, H/4, W/4)
        x = F.relu(self.up1_norm(self.up1(x)))  # (B, 2C, H/2, W/2)
        x = F.relu(self.up2_norm(self.up2(x)))  # (B, C, H, W)
        return (torch.tanh(self.head(x)) + 1) / 2  # (B, 3, H, W), from [-1, 1] to [0, 1]


class GdnDetector(nn.Module):
    """Judge every pixel of a picture: known, or filled? The hole is not an input.

    Args:
        config: Sizes; the default is the published detector.
    """

    facts = NetworkFacts(multiple_of=4, minimum=4, half=True, bfloat16=True, inputs=("image",))

    def __init__(self, config: GdnDetectorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or GdnDetectorConfig()
        width = config.base_channels
        # Strides are 1, 1, 2, 2, 1. At stride 1 an even kernel cannot be centred: the border is 1 px before, 2 after.
        self.conv1 = nn.Conv2d(3, width, 4)
        self.conv2 = nn.Conv2d(width, 2 * width, 4)
        self.conv3 = nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1)
        self.conv4 = nn.Conv2d(4 * width, 8 * width, 4, stride=2, padding=1)
        self.conv5 = nn.Conv2d(8 * width, 8 * width, 4)
        self.up1 = nn.ConvTranspose2d(8 * width, 4 * width, 4, stride=2, padding=1)
        self.up2 = nn.ConvTranspose2d(4 * width, 2, 4, stride=2, padding=1)
        self.apply(_xavier)

    def forward(self, image: Tensor) -> Tensor:
        """Score every pixel as known or filled.

        Args:
            image: RGB in [0, 1], shape (B, 3, H, W), H and W multiples of 4: in training the generator's raw
                prediction, afterwards any picture.

        Returns:
            Logits, shape (B, 2, H, W): channel 0 = known, channel 1 = hole. The softmax of channel 1 is the
            valuation V of the paper.

        Raises:
            ShapeError: If the shape, size or dtype is not as above.
        """
        if not _is_exporting():
            _check_picture(image, self.facts)
        slope = self.config.negative_slope
        border = (1, 2, 1, 2)  # left, right, top, bottom
        x = F.leaky_relu(self.conv1(F.pad(image, border)), slope)  # (B, C, H, W)
        x = F.leaky_relu(self.conv2(F.pad(x, border)), slope)  # (B, 2C, H, W)
        x = F.leaky_relu(self.conv3(x), slope)  # (B, 4C, H/2, W/2)
        x = F.leaky_relu(self.conv4(x), slope)  # (B, 8C, H/4, W/4)
        x = F.leaky_relu(self.conv5(F.pad(x, border)), slope)  # (B, 8C, H/4, W/4)
        x = self.up1(x)  # (B, 4C, H/2, W/2), no activation before the last layer
        return self.up2(x)  # (B, 2, H, W)


class GdnDiscriminator(nn.Module):
    """Judge whether a picture is a photo or a prediction, once for every patch of 70 x 70 pixels.

    No normalisation: spectral norm keeps the critic's slope in bounds, and patches of one picture stay independent.

    Args:
        config: Sizes; the default is the usual PatchGAN.
    """

    # 24: the two last convolutions need 3 px and 2 px at an eighth of the size.
    facts = NetworkFacts(multiple_of=1, minimum=24, half=True, bfloat16=True, inputs=("image",))

    def __init__(self, config: GdnDiscriminatorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or GdnDiscriminatorConfig()
        width = config.base_channels
        self.conv1 = spectral_norm(nn.Conv2d(3, width, 4, stride=2, padding=1))
        self.conv2 = spectral_norm(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1))
        self.conv3 = spectral_norm(nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1))
        self.conv4 = spectral_norm(nn.Conv2d(4 * width, 8 * width, 4, padding=1))
        self.conv5 = spectral_norm(nn.Conv2d(8 * width, 1, 4, padding=1))

    def forward(self, image: Tensor) -> Tensor:
        """Score patches as photo or prediction.

        Args:
            image: RGB in [0, 1], shape (B, 3, H, W), at least 24 x 24: a true picture or a raw prediction.

        Returns:
            Logits, shape (B, 1, H / 8 - 2, W / 8 - 2), the quotients rounded down: high = photo.

        Raises:
            ShapeError: If the shape, size or dtype is not as above.
        """
        _check_picture(image, self.facts)
        slope = self.config.negative_slope
        x = F.leaky_relu(self.conv1(image), slope)  # (B, C, H/2, W/2)
        x = F.leaky_relu(self.conv2(x), slope)  # (B, 2C, H/4, W/4)
        x = F.leaky_relu(self.conv3(x), slope)  # (B, 4C, H/8, W/8)
        x = F.leaky_relu(self.conv4(x), slope)  # (B, 8C, H/8 - 1, W/8 - 1)
        return self.conv5(x)  # (B, 1, H/8 - 2, W/8 - 2)


class _ResidualBlock(nn.Module):
    """Add two convolutions to their own input; no activation after the sum."""

    def __init__(self, channels: int, first_dilation: int, second_dilation: int) -> None:
        super().__init__()
        self.conv1 = _same_conv(channels, first_dilation)
        self.norm1 = _norm(channels)
        self.conv2 = _same_conv(channels, second_dilation)
        self.norm2 = _norm(channels)

    def forward(self, x: Tensor) -> Tensor:  # (B, 4C, H/4, W/4) in and out
        change = F.relu(self.norm1(self.conv1(x)))
        return x + self.norm2(self.conv2(change))


def _same_conv(channels: int, dilation: int) -> nn.Conv2d:
    """Return a 3 x 3 convolution that keeps size and channels, with a reflected border."""
    return nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, padding_mode="reflect", bias=False)


def _norm(channels: int) -> nn.InstanceNorm2d:
    """Return an instance norm with a learnt scale (starts at 1) and offset (starts at 0)."""
    return nn.InstanceNorm2d(channels, eps=1e-5, affine=True)


def _xavier(module: nn.Module) -> None:
    """Start every convolution Xavier-uniform and every bias at zero."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _is_exporting() -> bool:
    """Tell whether sizes are symbols now, so that none of them may be compared."""
    return torch.jit.is_tracing() or torch.compiler.is_exporting()  # pyright: ignore[reportPrivateImportUsage]


def _check_picture(image: Tensor, facts: NetworkFacts) -> None:
    """Refuse what is no batch of pictures, by shape and dtype: reading the values would make a GPU wait."""
    if image.ndim != 4 or image.shape[1] != 3:
        raise ShapeError(
            f"image must be (B, 3, H, W); got {tuple(image.shape)}. "
            "Put channels second with image.permute(0, 3, 1, 2), or add the batch axis with image[None]."
        )
    if not image.is_floating_point():
        raise ShapeError(f"image must hold floats in [0, 1]; got {image.dtype}. Convert it with image.float() / 255.")
    height, width = image.shape[2:]
    if height % facts.multiple_of or width % facts.multiple_of or min(height, width) < facts.minimum:
        raise ShapeError(
            f"image height and width must be multiples of {facts.multiple_of} and at least {facts.minimum} px; "
            f"got {height} x {width}. Pad the picture first and cut the result back."
        )


def _check_hole(hole: Tensor, image: Tensor) -> None:
    """Refuse a hole that does not belong to these pictures."""
    batch, _, height, width = image.shape
    if tuple(hole.shape) != (batch, 1, height, width):
        raise ShapeError(
            f"hole must be ({batch}, 1, {height}, {width}) like its image; got {tuple(hole.shape)}. "
            "Add a missing channel axis with hole[:, None]."
        )
    if hole.dtype != image.dtype:
        raise ShapeError(
            f"hole must have the dtype of its image, {image.dtype}; got {hole.dtype}. Convert it with hole.to(image)."
        )
