"""GLCIC: a completion network of dilated convolutions, and a critic that looks at the whole and at the hole's place.

From Iizuka, Simo-Serra, Ishikawa: "Globally and Locally Consistent Image Completion" (SIGGRAPH 2017). The defaults
follow the well-known port, in which batch norm comes after the activation; `glcic_paper()` has it before, as the
authors do. This module knows nothing of losses, of training, of files, or of keeping known pixels: the completion
network returns a raw prediction of the whole picture.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mendpix.errors import InputError, ShapeError
from mendpix.networks.interface import NetworkFacts


@dataclass(frozen=True)
class GlcicConfig:
    """Sizes of the completion network. The defaults are the published ones: 6,072,131 parameters."""

    base_channels: int = 64
    """Channels at full resolution, even; twice as many at 1/2, four times as many at 1/4."""

    hole_rgb: tuple[float, float, float] = (0.5, 0.5, 0.5)
    """Colour that holes are painted in: the mean of the pictures it was trained on, RGB in [0, 1]."""

    norm_first: bool = False
    """Whether batch norm comes before the activation, as the authors have it, or after it, as in the port."""

    def __post_init__(self) -> None:
        if self.base_channels < 2 or self.base_channels % 2:
            raise InputError(f"base_channels must be even and at least 2; got {self.base_channels}.")
        if len(self.hole_rgb) != 3 or not all(0 <= value <= 1 for value in self.hole_rgb):
            raise InputError(f"hole_rgb must be three numbers in [0, 1]; got {self.hole_rgb}.")


@dataclass(frozen=True)
class GlcicDiscriminatorConfig:
    """Sizes of the critic. The defaults are the published ones for Places2: 45,063,681 parameters."""

    base_channels: int = 64
    """Channels after the first convolution; from the fourth on there are eight times as many."""

    hidden: int = 1024
    """Numbers by which the whole, and the local square, are described before both are judged together."""

    local_px: int = 128
    """Side of the square around the hole, px."""

    global_px: int = 256
    """Side of the whole picture, px; of a larger one a square of this side is seen."""

    global_layers: int = 6
    """Halvings on the way from the whole to its description; the local square has five."""

    norm_first: bool = False
    """As in `GlcicConfig`."""

    def __post_init__(self) -> None:
        if min(self.base_channels, self.hidden, self.global_layers) < 1 or not 1 <= self.local_px <= self.global_px:
            raise InputError(
                "base_channels, hidden, global_layers and local_px must be at least 1, and local_px at most global_px; "
                f"got {self.base_channels}, {self.hidden}, {self.global_layers}, {self.local_px} and {self.global_px}."
            )


def glcic_paper() -> GlcicConfig:
    """Return the completion network with batch norm before the activation, as its authors have it."""
    return GlcicConfig(norm_first=True)


def glcic_discriminator_faces() -> GlcicDiscriminatorConfig:
    """Return the port's critic for pictures of 160 px: 39,557,121 parameters."""
    return GlcicDiscriminatorConfig(local_px=96, global_px=160, global_layers=5)


LOCAL_LAYERS = 5
"""Halvings of the local square."""

DILATIONS = (2, 4, 8, 16)
"""Steps between taps of the four dilated convolutions at a quarter of the size."""


class GlcicGenerator(nn.Module):
    """Paint the hole in a mean colour, look far around by dilated convolutions, predict the whole picture.

    Args:
        config: Sizes; see `glcic_paper`.
    """

    facts = NetworkFacts(multiple_of=4, minimum=4, half=True, bfloat16=True)

    def __init__(self, config: GlcicConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or GlcicConfig()
        full, half, quarter = config.base_channels, 2 * config.base_channels, 4 * config.base_channels
        first = config.norm_first
        self.layers = nn.Sequential(
            _Layer(nn.Conv2d(4, full, 5, padding=2), first),  # (B, C, H, W)
            _Layer(nn.Conv2d(full, half, 3, stride=2, padding=1), first),  # (B, 2C, H/2, W/2)
            _Layer(nn.Conv2d(half, half, 3, padding=1), first),
            _Layer(nn.Conv2d(half, quarter, 3, stride=2, padding=1), first),  # (B, 4C, H/4, W/4)
            _Layer(nn.Conv2d(quarter, quarter, 3, padding=1), first),
            _Layer(nn.Conv2d(quarter, quarter, 3, padding=1), first),
            *(_Layer(nn.Conv2d(quarter, quarter, 3, padding=step, dilation=step), first) for step in DILATIONS),
            _Layer(nn.Conv2d(quarter, quarter, 3, padding=1), first),
            _Layer(nn.Conv2d(quarter, quarter, 3, padding=1), first),
            _Layer(nn.ConvTranspose2d(quarter, half, 4, stride=2, padding=1), first),  # (B, 2C, H/2, W/2)
            _Layer(nn.Conv2d(half, half, 3, padding=1), first),
            _Layer(nn.ConvTranspose2d(half, full, 4, stride=2, padding=1), first),  # (B, C, H, W)
            _Layer(nn.Conv2d(full, full // 2, 3, padding=1), first),  # (B, C/2, H, W)
        )
        self.head = nn.Conv2d(full // 2, 3, 3, padding=1)

    def forward(self, image: Tensor, hole: Tensor) -> Tensor:
        """Predict a whole picture; what `image` holds inside the hole has no influence.

        Args:
            image: RGB in [0, 1], finite, shape (B, 3, H, W); H and W multiples of 4.
            hole: 1 = hole, 0 = known, shape (B, 1, H, W).

        Returns:
            Raw prediction, RGB in [0, 1], shape (B, 3, H, W). Known pixels are predicted too, not copied.

        Raises:
            ShapeError: If a shape, size or dtype is not as above.
        """
        if not _is_exporting():
            _check_picture(image, self.facts)
            _check_hole(hole, image)
        paint = torch.tensor(self.config.hole_rgb, dtype=image.dtype, device=image.device)[:, None, None]
        x = torch.cat([image * (1 - hole) + paint * hole, hole], dim=1)  # (B, 4, H, W)
        return torch.sigmoid(self.head(self.layers(x)))  # (B, 3, H, W)


class GlcicDiscriminator(nn.Module):
    """Judge a picture as photo or prediction by the whole of it and by the square around the hole.

    Args:
        config: Sizes; the default is the port's for Places2.
    """

    # By the default sizes; a network of others has its own.
    facts = NetworkFacts(multiple_of=1, minimum=256, half=True, bfloat16=True)

    def __init__(self, config: GlcicDiscriminatorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or GlcicDiscriminatorConfig()
        self.facts = NetworkFacts(multiple_of=1, minimum=config.global_px, half=True, bfloat16=True)
        self.local_layers, local_size = _descent(config, config.local_px, LOCAL_LAYERS)
        self.local_head = nn.Linear(local_size, config.hidden)
        self.global_layers, global_size = _descent(config, config.global_px, config.global_layers)
        self.global_head = nn.Linear(global_size, config.hidden)
        self.head = nn.Linear(2 * config.hidden, 1)

    def forward(self, image: Tensor, hole: Tensor) -> Tensor:
        """Score pictures as photo or prediction.

        Args:
            image: RGB in [0, 1], shape (B, 3, H, W), at least `global_px` high and wide: a true picture or a raw
                prediction.
            hole: Where to look: 1 = hole, shape (B, 1, H, W). For a true picture, any place of that size will do.

        Returns:
            Logits, shape (B, 1): high = photo.

        Raises:
            ShapeError: If a shape, size or dtype is not as above.
        """
        if not _is_exporting():
            _check_picture(image, self.facts)
            _check_hole(hole, image)
        near = square_around(image, hole, self.config.local_px)  # (B, 3, local_px, local_px)
        whole = square_around(image, hole, self.config.global_px)  # (B, 3, global_px, global_px)
        near = F.relu(self.local_head(self.local_layers(near).flatten(1)))  # (B, hidden)
        whole = F.relu(self.global_head(self.global_layers(whole).flatten(1)))  # (B, hidden)
        return self.head(torch.cat([near, whole], dim=1))  # (B, 1)


def square_around(image: Tensor, hole: Tensor, side_px: int) -> Tensor:
    """Cut from each picture the square around the centre of mass of its hole, moved inside where it would stick out.

    Args:
        image: Shape (B, C, H, W), at least `side_px` high and wide.
        hole: 1 = hole, shape (B, 1, H, W); a picture without any is cut around its middle.
        side_px: Side of the square, px.

    Returns:
        Shape (B, C, side_px, side_px); gradients flow to `image`.
    """
    batch, channels, height, width = image.shape
    if (height, width) == (side_px, side_px):
        return image
    mass = hole.detach().float() + 1e-6  # a little everywhere: without a hole, the middle
    total = mass.sum((1, 2, 3))  # (B,)
    indices: list[Tensor] = []
    for axis, length in ((3, height), (2, width)):  # sum over columns gives rows, and the other way round
        places = torch.arange(length, device=image.device)
        centre = (mass.sum((1, axis)) * (places + 0.5)).sum(1) / total  # (B,), px from the border
        first = (centre - side_px / 2).round().long().clamp(0, length - side_px)  # (B,)
        indices.append(first[:, None] + places[:side_px])  # (B, side_px)
    rows = indices[0][:, None, :, None].expand(batch, channels, side_px, width)
    columns = indices[1][:, None, None, :].expand(batch, channels, side_px, side_px)
    return image.gather(2, rows).gather(3, columns)


class _Layer(nn.Module):
    """A convolution with ReLU and batch norm, in the port's order or in the authors'."""

    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d, norm_first: bool) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm2d(conv.out_channels)
        self.norm_first = norm_first

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return F.relu(self.norm(x)) if self.norm_first else self.norm(F.relu(x))


def _descent(config: GlcicDiscriminatorConfig, side_px: int, layers: int) -> tuple[nn.Sequential, int]:
    """Return halvings of a square, and how many numbers are left of it."""
    widths = [3, *(config.base_channels * min(2**layer, 8) for layer in range(layers))]
    side = side_px
    for _ in range(layers):
        side = (side + 1) // 2
    made = nn.Sequential(
        *(
            _Layer(nn.Conv2d(before, after, 5, stride=2, padding=2), config.norm_first)
            for before, after in pairwise(widths)
        )
    )
    return made, widths[-1] * side * side


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
