"""Partial convolution: a U-Net whose every convolution sees known pixels alone and says which pixels it now knows.

From Liu, Reda, Shih, Wang, Tao, Catanzaro: "Image Inpainting for Irregular Holes Using Partial Convolutions" (ECCV
2018). The layer follows the authors' published layer: what a window sees is scaled up by its share of known values, and
a window that sees nothing gives nothing. The U-Net follows the well-known port of seven levels; the paper's has eight.
All channels of a mask are alike in this network, so masks have one channel here, and a decoder's window, which looks at
two groups of channels with a mask each, weighs the two by their numbers of channels. This module knows nothing of
losses, of training, of files, or of keeping known pixels: the generator returns a raw prediction of the whole picture.
"""

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mendpix.errors import InputError, ShapeError
from mendpix.networks.interface import NetworkFacts

MEAN_RGB, DEVIATION_RGB = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's colours; the network works on `(image - mean) / deviation`."""

LEAST_SHARE = 1e-8
"""Stands in for a share of known values of 0, whose quotient is not used: it is multiplied by 0."""


@dataclass(frozen=True)
class PconvConfig:
    """Sizes of the U-Net. The defaults are those of the port of seven levels: 25,779,796 parameters."""

    base_channels: int = 64
    """Channels at half resolution; twice as many at 1/4, four times at 1/8, eight times from 1/16 on."""

    levels: int = 7
    """Halvings of the resolution; height and width must be multiples of 2 to this power."""

    negative_slope: float = 0.2
    """Slope below zero of the decoder's leaky ReLU; the encoder's is plain."""

    def __post_init__(self) -> None:
        if self.base_channels < 1 or not 2 <= self.levels <= 10 or not 0 <= self.negative_slope < 1:
            raise InputError(
                "base_channels must be at least 1, levels from 2 to 10 and negative_slope in [0, 1); "
                f"got {self.base_channels}, {self.levels} and {self.negative_slope}."
            )


def pconv_paper() -> PconvConfig:
    """Return the U-Net of the paper, eight levels for pictures of 512 x 512: 32,859,732 parameters."""
    return PconvConfig(levels=8)


class PartialConv(nn.Module):
    """Convolve what is known, scaled up to a full window, and tell where the result is known.

    For a window of n values of which S are known: ``n / S * convolution + bias``, and 0 where S is 0. Padding counts as
    unknown.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
        kernel: Side of the window, odd; half of it is padded on each side.
        stride: 1, or 2 for a halving.
        bias: Whether the layer has one; a norm behind it has an offset of its own.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, bias: bool = False) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.weight = nn.Parameter(torch.empty(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")  # He's, as in the paper

    def forward(self, x: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the windows see, and which of them see anything.

        Args:
            x: Features, 0 wherever unknown, shape (B, inputs, h, w).
            share: Share of each pixel's channels that is known, shape (B, 1, h, w), float32 at least; the mask itself
                (1 = known) where all channels are known or unknown together.

        Returns:
            Features, shape (B, outputs, h / stride, w / stride), and 1 = known, 0 = unknown, shape (B, 1, ...), in the
            dtype of `share`.
        """
        border = self.kernel // 2
        seen = F.avg_pool2d(share, self.kernel, self.stride, border, count_include_pad=True)  # S / n, in [0, 1]
        known = (seen > 0).to(seen.dtype)
        x = F.conv2d(x, self.weight, None, self.stride, border)
        x = x * (known / seen.clamp_min(LEAST_SHARE)).to(x.dtype)
        if self.bias is not None:
            x = x + self.bias.to(x.dtype)[:, None, None] * known.to(x.dtype)
        return x, known


class PconvGenerator(nn.Module):
    """Look at known pixels alone, widen what is known level by level, predict the whole picture.

    Args:
        config: Sizes; the default is the port of seven levels.
    """

    # By the default sizes; a network of other levels has its own. The deepest level sees the whole picture.
    facts = NetworkFacts(multiple_of=128, minimum=128, half=True, bfloat16=True, bounded=False)

    def __init__(self, config: PconvConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or PconvConfig()
        step = 2**config.levels
        self.facts = NetworkFacts(multiple_of=step, minimum=step, half=True, bfloat16=True, bounded=False)
        widths = [
            3,
            *(config.base_channels * min(2**level, 8) for level in range(config.levels)),
        ]  # of the picture, 1/2
        kernels = [7, 5, 5, *(3 for _ in range(config.levels - 3))][: config.levels]
        self.encoder = nn.ModuleList(
            _Level(widths[level], widths[level + 1], kernel, stride=2, norm=level > 0)
            for level, kernel in enumerate(kernels)
        )
        # From the deepest up; each takes the features from below and those of its own size on the way down.
        self.decoder = nn.ModuleList(
            _Level(widths[level + 1] + widths[level], widths[level] if level else 3, 3, stride=1, norm=level > 0)
            for level in reversed(range(config.levels))
        )
        self.register_buffer("mean", torch.tensor(MEAN_RGB)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION_RGB)[:, None, None], persistent=False)

    def encoder_norms(self) -> list[nn.BatchNorm2d]:
        """Return the batch norms on the way down, whose statistics the paper freezes to fine-tune."""
        return [module for module in self.encoder.modules() if isinstance(module, nn.BatchNorm2d)]

    def forward(self, image: Tensor, hole: Tensor) -> Tensor:
        """Predict a whole picture; what `image` holds inside the hole has no influence.

        Args:
            image: RGB in [0, 1], finite, shape (B, 3, H, W); H and W multiples of 2 to the number of levels.
            hole: 1 = hole, 0 = known, shape (B, 1, H, W).

        Returns:
            Raw prediction, RGB on the scale [0, 1] but not held to it, shape (B, 3, H, W). Known pixels are predicted
            too, not copied.

        Raises:
            ShapeError: If a shape, size or dtype is not as above.
        """
        if not _is_exporting():
            _check_picture(image, self.facts)
            _check_hole(hole, image)
        mean, deviation = cast("Tensor", self.mean).to(image), cast("Tensor", self.deviation).to(image)
        # Masks are small: they stay in float32 whatever the features are in.
        known = 1 - hole.to(torch.promote_types(hole.dtype, torch.float32))  # (B, 1, H, W), 1 = known
        x = (image - mean) / deviation * known.to(image.dtype)  # (B, 3, H, W)

        kept: list[tuple[Tensor, Tensor]] = []  # features and masks on the way down, from the largest
        for level in self.encoder:
            kept.append((x, known))
            x, known = level(x, known)
            x = F.relu(x) * known.to(x.dtype)  # (B, C, h / 2, w / 2)

        last = len(self.decoder) - 1
        for number, level in enumerate(self.decoder):
            before, before_known = kept.pop()
            x, known = _double(x), _double(known)  # (B, C, 2h, 2w), (B, 1, 2h, 2w)
            below, beside = x.shape[1], before.shape[1]
            share = (below * known + beside * before_known) / (below + beside)  # (B, 1, 2h, 2w)
            x, known = level(torch.cat([x, before], dim=1), share)
            if number < last:
                x = F.leaky_relu(x, self.config.negative_slope) * known.to(x.dtype)
        return x.to(deviation.dtype) * deviation + mean  # (B, 3, H, W), ImageNet's scale to [0, 1]


class _Level(nn.Module):
    """One partial convolution and its batch norm; the first level down and the last one up have none."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int, norm: bool) -> None:
        super().__init__()
        # Where no norm follows, only the last layer has a bias: the port gives the first one none.
        self.conv = PartialConv(inputs, outputs, kernel, stride=stride, bias=stride == 1 and not norm)
        self.norm = nn.BatchNorm2d(outputs) if norm else None

    def forward(self, x: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:  # as `PartialConv.forward`
        x, known = self.conv(x, share)
        return (x if self.norm is None else self.norm(x)), known


def _double(x: Tensor) -> Tensor:
    """Repeat every pixel twice in both directions."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


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
