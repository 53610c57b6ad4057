"""PEN-Net: an encoder's pyramid is filled from its coarsest level upwards by attention, then decoded; and its rival.

From Zeng, Fu, Chao, Guo: "Learning Pyramid-Context Encoder Network for High-Quality Image Inpainting" (CVPR 2019,
https://arxiv.org/abs/1904.07475), as the authors' published PyTorch program has it. Each level of the encoder is
rebuilt of its own patches; where each patch goes is decided one level deeper, where the hole is already filled. This
module knows nothing of losses, of training, of files, or of keeping known pixels: the generator returns a raw
prediction of the whole picture.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from mendpix.errors import InputError, ShapeError
from mendpix.networks.interface import NetworkFacts


@dataclass(frozen=True)
class PenNetConfig:
    """Sizes of the generator. The defaults are those of the published program: 10,231,538 parameters."""

    base_channels: int = 32
    """Channels at half of the resolution; each halving doubles them, the two deepest levels have sixteen times."""

    softmax_scale: float = 10.0
    """How decidedly the attention chooses: likenesses are multiplied by this before the softmax."""

    def __post_init__(self) -> None:
        if self.base_channels < 4 or not self.softmax_scale > 0:
            raise InputError(
                "base_channels must be at least 4, one for each dilation, and softmax_scale above 0; "
                f"got {self.base_channels} and {self.softmax_scale}."
            )


@dataclass(frozen=True)
class PenNetDiscriminatorConfig:
    """Sizes of the discriminator. The defaults are those of the published program: 4,318,401 parameters."""

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


class PenNetGenerator(nn.Module):
    """Paint the hole white, encode to 1/64, fill the levels from deep to shallow by attention, decode.

    All borders are zero, all convolutions have biases, nothing is normalised. The attention takes whole levels at once:
    its largest matrix has (H W / 16)² entries, 67 MB in float32 for 256 x 256 px and sixteen times that for 512.

    Args:
        config: Sizes; the default is the published generator.
    """

    # 64: six halvings.
    facts = NetworkFacts(multiple_of=64, minimum=64, half=True, bfloat16=True, preferred_px=256)

    def __init__(self, config: PenNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or PenNetConfig()
        widths = [config.base_channels * factor for factor in (1, 2, 4, 8, 16, 16)]  # at 1/2, 1/4 ... 1/64
        self.down1 = nn.Conv2d(4, widths[0], 3, stride=2, padding=1)
        self.down2 = nn.Conv2d(widths[0], widths[1], 3, stride=2, padding=1)
        self.down3 = nn.Conv2d(widths[1], widths[2], 3, stride=2, padding=1)
        self.down4 = nn.Conv2d(widths[2], widths[3], 3, stride=2, padding=1)
        self.down5 = nn.Conv2d(widths[3], widths[4], 3, stride=2, padding=1)
        self.down6 = nn.Conv2d(widths[4], widths[5], 3, stride=2, padding=1)
        self.refine4 = _Refinement(widths[3])
        self.refine3 = _Refinement(widths[2])
        self.refine2 = _Refinement(widths[1])
        self.refine1 = _Refinement(widths[0])
        self.up5 = nn.Conv2d(widths[5], widths[4], 3, padding=1)
        self.up4 = nn.Conv2d(2 * widths[4], widths[3], 3, padding=1)
        self.up3 = nn.Conv2d(2 * widths[3], widths[2], 3, padding=1)
        self.up2 = nn.Conv2d(2 * widths[2], widths[1], 3, padding=1)
        self.up1 = nn.Conv2d(2 * widths[1], widths[0], 3, padding=1)
        self.side5 = nn.Conv2d(2 * widths[4], 3, 1)
        self.side4 = nn.Conv2d(2 * widths[3], 3, 1)
        self.side3 = nn.Conv2d(2 * widths[2], 3, 1)
        self.side2 = nn.Conv2d(2 * widths[1], 3, 1)
        self.side1 = nn.Conv2d(2 * widths[0], 3, 1)
        self.last = nn.Conv2d(2 * widths[0], widths[0], 3, padding=1)
        self.head = nn.Conv2d(widths[0], 3, 3, padding=1)
        self.apply(_normal)

    def forward(self, image: Tensor, hole: Tensor) -> Tensor:
        """Predict a whole picture; what `image` holds inside the hole has no influence.

        Args:
            image: RGB in [0, 1], finite, shape (B, 3, H, W); H and W multiples of 64.
            hole: 1 = hole, 0 = known, shape (B, 1, H, W).

        Returns:
            Raw prediction, RGB in [0, 1], shape (B, 3, H, W). Known pixels are predicted too, not copied.

        Raises:
            ShapeError: If a shape, size or dtype is not as above.
        """
        if not _is_exporting():
            _check_picture(image, self.facts)
            _check_hole(hole, image)
        return self._paint(self._decode(image, hole)[0], image)

    def pyramid(self, image: Tensor, hole: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Predict the picture, and smaller ones on the way: what training looks at.

        Args:
            image: As for `forward`.
            hole: As for `forward`.

        Returns:
            The prediction of `forward`, and five others at 1/2, 1/4, 1/8, 1/16 and 1/32 of the size, RGB in [0, 1].

        Raises:
            ShapeError: As from `forward`.
        """
        _check_picture(image, self.facts)
        _check_hole(hole, image)
        joined = self._decode(image, hole)
        heads = (self.side1, self.side2, self.side3, self.side4, self.side5)
        sides = [_to_colours(head(level)) for head, level in zip(heads, joined, strict=True)]
        return self._paint(joined[0], image), sides

    def _decode(self, image: Tensor, hole: Tensor) -> list[Tensor]:
        """Return decoder and filled encoder side by side at 1/2 to 1/32; C = base_channels."""
        painted = (2 * image - 1) * (1 - hole) + hole  # [-1, 1], holes white
        x1 = F.leaky_relu(self.down1(torch.cat([painted, hole], dim=1)), 0.2)  # (B, C, H/2, W/2)
        x2 = F.leaky_relu(self.down2(x1), 0.2)  # (B, 2C, H/4, W/4)
        x3 = F.leaky_relu(self.down3(x2), 0.2)  # (B, 4C, H/8, W/8)
        x4 = F.leaky_relu(self.down4(x3), 0.2)  # (B, 8C, H/16, W/16)
        x5 = F.leaky_relu(self.down5(x4), 0.2)  # (B, 16C, H/32, W/32)
        x6 = F.relu(self.down6(x5))  # (B, 16C, H/64, W/64)

        scale = self.config.softmax_scale
        x5 = _attend(x5, x6, hole, scale, window=1)
        x4 = self.refine4(_attend(x4, x5, hole, scale, window=3))
        x3 = self.refine3(_attend(x3, x4, hole, scale, window=3))
        x2 = self.refine2(_attend(x2, x3, hole, scale, window=3))
        x1 = self.refine1(_attend(x1, x2, hole, scale, window=3))

        y5 = torch.cat([F.relu(self.up5(_stretch(x6, x5))), x5], dim=1)  # (B, 32C, H/32, W/32)
        y4 = torch.cat([F.relu(self.up4(_stretch(y5, x4))), x4], dim=1)  # (B, 16C, H/16, W/16)
        y3 = torch.cat([F.relu(self.up3(_stretch(y4, x3))), x3], dim=1)  # (B, 8C, H/8, W/8)
        y2 = torch.cat([F.relu(self.up2(_stretch(y3, x2))), x2], dim=1)  # (B, 4C, H/4, W/4)
        y1 = torch.cat([F.relu(self.up1(_stretch(y2, x1))), x1], dim=1)  # (B, 2C, H/2, W/2)
        return [y1, y2, y3, y4, y5]

    def _paint(self, y: Tensor, image: Tensor) -> Tensor:
        """Turn the shallowest level (B, 2C, H/2, W/2) into a picture."""
        return _to_colours(self.head(F.relu(self.last(_stretch(y, image)))))  # (B, 3, H, W)


class PenNetDiscriminator(nn.Module):
    """Judge whether a picture is a photo or a prediction, once for every patch of it.

    Args:
        config: Sizes; the default is the published discriminator.
    """

    # 47: leaves one patch. Kernels of 5 px with a border of 1 px lose 2 px each; three of the five also halve.
    facts = NetworkFacts(multiple_of=1, minimum=47, half=True, bfloat16=True, inputs=("image",))

    def __init__(self, config: PenNetDiscriminatorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or PenNetDiscriminatorConfig()
        width = config.base_channels
        self.conv1 = spectral_norm(nn.Conv2d(3, width, 5, stride=2, padding=1, bias=False))
        self.conv2 = spectral_norm(nn.Conv2d(width, 2 * width, 5, stride=2, padding=1, bias=False))
        self.conv3 = spectral_norm(nn.Conv2d(2 * width, 4 * width, 5, stride=2, padding=1, bias=False))
        self.conv4 = spectral_norm(nn.Conv2d(4 * width, 8 * width, 5, padding=1, bias=False))
        self.head = nn.Conv2d(8 * width, 1, 5, padding=1)
        _normal(self.head)

    def forward(self, image: Tensor) -> Tensor:
        """Score patches as photo or prediction.

        Args:
            image: RGB in [0, 1], shape (B, 3, H, W), at least 47 x 47: a true picture, or a prediction in its hole and
                the true picture around it.

        Returns:
            Logits, shape (B, 1, about H / 8 - 5, about W / 8 - 5), 27 x 27 for 256 x 256: high = photo.

        Raises:
            ShapeError: If the shape, size or dtype is not as above.
        """
        if not _is_exporting():
            _check_picture(image, self.facts)
        slope = self.config.negative_slope
        x = F.leaky_relu(self.conv1(2 * image - 1), slope)  # (B, C, about H/2, W/2)
        x = F.leaky_relu(self.conv2(x), slope)  # (B, 2C, about H/4, W/4)
        x = F.leaky_relu(self.conv3(x), slope)  # (B, 4C, about H/8, W/8)
        x = F.leaky_relu(self.conv4(x), slope)  # (B, 8C, 2 less each way)
        return self.head(x)  # (B, 1, 2 less again)


class _Refinement(nn.Module):
    """Smooth what attention pasted: four convolutions of different reach, each with its share of the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        shares = [(channels + rest) // 4 for rest in (3, 2, 1, 0)]  # a quarter each; what is left over, to the nearest
        self.reach1 = nn.Conv2d(channels, shares[0], 3, padding=1)
        self.reach2 = nn.Conv2d(channels, shares[1], 3, padding=2, dilation=2)
        self.reach4 = nn.Conv2d(channels, shares[2], 3, padding=4, dilation=4)
        self.reach8 = nn.Conv2d(channels, shares[3], 3, padding=8, dilation=8)

    def forward(self, x: Tensor) -> Tensor:  # (B, C, h, w) in and out
        return torch.cat([F.relu(conv(x)) for conv in (self.reach1, self.reach2, self.reach4, self.reach8)], dim=1)


def _attend(low: Tensor, high: Tensor, hole: Tensor, scale: float, window: int) -> Tensor:
    """Rebuild a level of its own patches, put where the deeper level finds them alike.

    Each place of the result is a mean of 4 x 4 patches of `low`, the more of a patch the more the deeper level looks
    there as it does here. Patches that touch the hole are left out, picture by picture. Likenesses are sums over many
    channels and go into an exponential: they stay in float32 whatever the precision around them.

    Args:
        low: The level to rebuild, shape (B, C, 2h, 2w).
        high: The level below it, its hole filled, shape (B, D, h, w).
        hole: 1 = hole, shape (B, 1, H, W), any larger size.
        scale: Multiplies the likenesses.
        window: Side of the surroundings that are compared: 1 or 3.

    Returns:
        Shape (B, C, 2h, 2w).
    """
    device = low.device.type
    if not _is_exporting() and device != "meta" and torch.is_autocast_enabled(device):
        with torch.autocast(device, enabled=False):
            return _attend(low, high, hole, scale, window)
    exact = torch.promote_types(low.dtype, torch.float32)
    height, width = high.shape[2:]
    seen = F.interpolate(hole.to(exact), size=(height, width), mode="bilinear", align_corners=True)
    usable = (_windows(seen, window).sum(dim=1, keepdim=True) == 0).to(exact)  # (B, 1, patches)
    here = _windows(high.to(exact), window)  # (B, window² D, places)
    length = here.square().sum(dim=1, keepdim=True).clamp(min=1e-8).sqrt()  # at least 1e-4
    keys = here * (usable * scale / length)  # one for each patch
    share = torch.softmax(keys.transpose(1, 2) @ here, dim=1).clamp(min=1e-8)  # (B, patches, places)
    patches = _patches(low.to(exact), height, width)  # (B, 16 C, patches)
    least = 1e-8 * (patches * (1 - usable)).sum(dim=2, keepdim=True)  # what the clamp leaves of unusable patches
    pasted = (patches * usable) @ share + least  # (B, 16 C, places)
    return (_overlay(pasted, height, width) / 4).to(low.dtype)  # every pixel lies in four patches


def _windows(x: Tensor, window: int) -> Tensor:
    """Return the surroundings of every place, zero outside: (B, C, h, w) to (B, window² C, h w)."""
    if window == 1:
        return x.flatten(2)
    height, width = x.shape[2:]
    wide = F.pad(x, (1, 1, 1, 1))
    around = [wide[:, :, row : row + height, column : column + width] for row in range(3) for column in range(3)]
    return torch.cat(around, dim=1).flatten(2)


def _patches(x: Tensor, height: int, width: int) -> Tensor:
    """Return 4 x 4 patches, every second pixel one, from one pixel outside: (B, C, 2h, 2w) to (B, 16 C, h w).

    In squares of 2 x 2 px a patch is 2 x 2 neighbours.
    """
    squares = F.pixel_unshuffle(F.pad(x, (1, 1, 1, 1)), 2)  # (B, 4 C, h + 1, w + 1)
    corners = [squares[:, :, row : row + height, column : column + width] for row in (0, 1) for column in (0, 1)]
    return torch.cat(corners, dim=1).flatten(2)


def _overlay(patches: Tensor, height: int, width: int) -> Tensor:
    """Add patches where `_patches` takes them from: (B, 16 C, h w) to (B, C, 2h, 2w)."""
    corners = patches.unflatten(2, (height, width)).chunk(4, dim=1)  # each (B, 4 C, h, w)
    borders = [(column, 1 - column, row, 1 - row) for row in (0, 1) for column in (0, 1)]
    placed = [F.pad(corner, border) for corner, border in zip(corners, borders, strict=True)]
    squares = placed[0] + placed[1] + placed[2] + placed[3]  # (B, 4 C, h + 1, w + 1)
    return F.pixel_shuffle(squares, 2)[:, :, 1:-1, 1:-1]  # (B, C, 2h + 2, 2w + 2) without its border


def _stretch(x: Tensor, like: Tensor) -> Tensor:
    """Enlarge to another tensor's size, bilinearly, corner on corner."""
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=True)


def _to_colours(x: Tensor) -> Tensor:
    """Turn the last convolution's answer into colours, from [-1, 1] to [0, 1]."""
    return (torch.tanh(x) + 1) / 2


def _normal(module: nn.Module) -> None:
    """Start every kernel normal with deviation 0.02 and every bias at zero."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, std=0.02)
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
