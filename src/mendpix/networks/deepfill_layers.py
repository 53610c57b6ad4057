"""What the DeepFill networks and IPN share: TensorFlow's borders, gated layers, the refusal of inputs that do not fit.

Both were published as TensorFlow programs, whose `SAME` border is the smallest one that gives ceil(size / stride)
values: an odd border has its larger half at the end. PyTorch ports give stride 2 as much border before as after, and
so sample other pixels. This module knows none of these networks.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mendpix.errors import ShapeError
from mendpix.networks.interface import NetworkFacts


class EvenConv2d(nn.Conv2d):
    """A convolution over sizes that its stride divides: one value for every `stride` pixels each way.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        kernel: Side of the kernel, px; odd.
        stride: 1 or 2.
        dilation: Step between taps, px.
        same: Whether stride 2 has TensorFlow's border (one pixel more after than before), or as much before as after.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, dilation: int = 1, same: bool = True
    ) -> None:
        span = dilation * (kernel - 1)  # of all borders at stride 1
        after = span - stride + 1  # TensorFlow's at a larger stride: before plus after
        self.border = (after // 2, after - after // 2) * 2 if same and stride > 1 else None
        super().__init__(
            inputs, outputs, kernel, stride, padding=0 if self.border else span // 2, dilation=dilation
        )  # fmt: skip

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Convolve a map: shape (B, C, H, W) to (B, C', H / stride, W / stride)."""
        return super().forward(F.pad(input, self.border) if self.border else input)


class GatedConv(nn.Module):
    """A convolution that learns with every value how much of it to let through.

    Args:
        inputs: Channels in.
        outputs: Channels out; the convolution has twice as many, features first, then gates.
        kernel: Side of the kernel, px.
        stride: 1 or 2.
        dilation: Step between taps, px.
        enlarge: Whether the map is doubled in size before (nearest).
        rectified: Whether features pass a ReLU instead of an ELU.
        same: As for `EvenConv2d`.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, *, stride: int = 1, dilation: int = 1, enlarge: bool = False,
        rectified: bool = False, same: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.conv = EvenConv2d(inputs, 2 * outputs, kernel, stride=stride, dilation=dilation, same=same)
        self.enlarge = enlarge
        self.rectified = rectified

    def forward(self, x: Tensor) -> Tensor:
        """Convolve a map and gate it: shape (B, inputs, H, W) to (B, outputs, H', W')."""
        if self.enlarge:
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        features, gates = self.conv(x).chunk(2, 1)
        return (F.relu(features) if self.rectified else F.elu(features)) * torch.sigmoid(gates)


def gated_dilated(channels: int) -> nn.Sequential:
    """Return the four layers that see far: their taps lie 2, 4, 8 and 16 positions apart."""
    return nn.Sequential(*(GatedConv(channels, channels, dilation=step) for step in (2, 4, 8, 16)))


def gated_decoder(inputs: int, full: int) -> nn.Sequential:
    """Return the layers from 1/4 of the resolution to the picture; the last one is plain."""
    half, quarter = 2 * full, 4 * full
    return nn.Sequential(
        GatedConv(inputs, quarter),
        GatedConv(quarter, quarter),
        GatedConv(quarter, half, enlarge=True),
        GatedConv(half, half),
        GatedConv(half, full, enlarge=True),
        GatedConv(full, full // 2),
        EvenConv2d(full // 2, 3, 3),
    )


def keep_strength(module: nn.Module) -> None:
    """Start kernels so that a gated layer's values are about as strong as those that it gets; biases at zero.

    The published program starts Glorot-uniform, where each gated layer lets about a third of the strength through:
    seventeen of them leave nothing to learn from before many thousand steps have passed.
    """
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, std=2 / module.weight[0].numel() ** 0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def pad_same(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Give a map of any size TensorFlow's `SAME` border of zeros, for a convolution without padding of its own.

    Args:
        x: Shape (B, C, H, W).
        kernel: Side of the kernel, px.
        stride: Its stride, px.
    """
    borders: list[int] = []
    for size in (x.shape[3], x.shape[2]):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        borders += [total // 2, total - total // 2]
    return F.pad(x, borders)


def is_exporting() -> bool:
    """Tell whether sizes are symbols now, so that none of them may be compared."""
    return torch.jit.is_tracing() or torch.compiler.is_exporting()  # pyright: ignore[reportPrivateImportUsage]


def check_picture(image: Tensor, facts: NetworkFacts) -> None:
    """Refuse what is no batch of pictures, by shape and dtype: reading the values would make a GPU wait.

    Raises:
        ShapeError: If it is none.
    """
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


def check_hole(hole: Tensor, image: Tensor) -> None:
    """Refuse a hole that does not belong to these pictures.

    Raises:
        ShapeError: If it does not.
    """
    check_plane("hole", hole, image)


def check_plane(name: str, plane: Tensor, image: Tensor) -> None:
    """Refuse a hole, or edges, that do not belong to these pictures.

    Raises:
        ShapeError: If they do not.
    """
    batch, _, height, width = image.shape
    if tuple(plane.shape) != (batch, 1, height, width):
        raise ShapeError(
            f"{name} must be ({batch}, 1, {height}, {width}) like its image; got {tuple(plane.shape)}. "
            f"Add a missing channel axis with {name}[:, None]."
        )
    if plane.dtype != image.dtype:
        raise ShapeError(
            f"{name} must have the dtype of its image, {image.dtype}; got {plane.dtype}. "
            f"Convert it with {name}.to(image)."
        )
