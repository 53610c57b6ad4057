"""EdgeConnect: one network draws the edges of what is missing, a second fills the picture along them.

From Nazeri, Ng, Joseph, Qureshi, Ebrahimi: "EdgeConnect: Generative Image Inpainting with Adversarial Edge Learning"
(2019, https://arxiv.org/abs/1901.00212), as its published program has it; the two generators are alike but for spectral
norm, biases and the number of channels. The critics are `patchgan.py`'s. Edges are those of Canny's method: this module
can find them (`mendpix.edges`), but training and export hand them in. It knows nothing of losses, phases or files.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from mendpix.edges import GREY_WEIGHTS, find_edges
from mendpix.errors import InputError, ShapeError
from mendpix.networks.interface import NetworkFacts


@dataclass(frozen=True)
class EdgeGeneratorConfig:
    """Sizes of the edge generator. The defaults are the published ones: 10,761,089 parameters."""

    base_channels: int = 64
    """Channels at full resolution; twice as many at 1/2, four times as many at 1/4."""

    residual_blocks: int = 8
    """Residual blocks at 1/4 of the resolution; 0 = none."""

    def __post_init__(self) -> None:
        _check_sizes(self.base_channels, self.residual_blocks)


@dataclass(frozen=True)
class InpaintGeneratorConfig:
    """Sizes of the inpaint generator. The defaults are the published ones: 10,774,595 parameters."""

    base_channels: int = 64
    """Channels at full resolution; twice as many at 1/2, four times as many at 1/4."""

    residual_blocks: int = 8
    """Residual blocks at 1/4 of the resolution; 0 = none."""

    def __post_init__(self) -> None:
        _check_sizes(self.base_channels, self.residual_blocks)


@dataclass(frozen=True)
class EdgeConnectConfig:
    """Sizes of both generators, and how they are joined. The defaults are those of the published test program."""

    edge_channels: int = 64
    """`base_channels` of the edge generator."""

    inpaint_channels: int = 64
    """`base_channels` of the inpaint generator."""

    edge_blocks: int = 8
    """`residual_blocks` of the edge generator."""

    inpaint_blocks: int = 8
    """`residual_blocks` of the inpaint generator."""

    merge_known_edges: bool = False
    """What the inpaint generator is given where the picture is known. False: what the edge generator says, as the
    published test program does. True: Canny's edges, as both programs do in training."""

    edges_sigma: float = 2.0
    """Width of the Gaussian, px, of the edges that are found here if none are given."""

    def __post_init__(self) -> None:
        _check_sizes(self.edge_channels, self.edge_blocks)
        _check_sizes(self.inpaint_channels, self.inpaint_blocks)
        if not 0 < self.edges_sigma <= 64:
            raise InputError(f"edges_sigma must be above 0 and at most 64 px; got {self.edges_sigma}.")


class EdgeGenerator(nn.Module):
    """Draw the edges of a whole picture, given those of its known pixels.

    Spectral norm on every convolution but the last. No bias in the residual blocks.

    Args:
        config: Sizes; the default is the published network.
    """

    # 4: two halvings. 12: a reflected border of 2 px at a quarter of the size needs 3 px there.
    facts = NetworkFacts(multiple_of=4, minimum=12, half=True, bfloat16=True, inputs=("image", "hole", "edges"))

    def __init__(self, config: EdgeGeneratorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or EdgeGeneratorConfig()
        self.body = _Body(3, 1, config.base_channels, config.residual_blocks, spectral=True)

    def forward(self, image: Tensor, hole: Tensor, edges: Tensor) -> Tensor:
        """Draw the edges of a whole picture; what `image` and `edges` hold inside the hole has no influence.

        Args:
            image: RGB in [0, 1], finite, shape (B, 3, H, W); H and W multiples of 4 and at least 12.
            hole: 1 = hole, 0 = known, shape (B, 1, H, W).
            edges: 1 = on an edge, 0 = not, shape (B, 1, H, W).

        Returns:
            How likely each pixel lies on an edge, in (0, 1), shape (B, 1, H, W), known pixels too.

        Raises:
            ShapeError: If a shape, size or dtype is not as above.
        """
        if not _is_exporting():
            _check_picture(image, self.facts)
            _check_plane("hole", hole, image)
            _check_plane("edges", edges, image)
        known = 1 - hole
        planes = torch.cat([grey(image) * known + hole, edges * known, hole], dim=1)  # (B, 3, H, W), holes white
        return self.draw(planes)

    def draw(self, planes: Tensor) -> Tensor:
        """Run the convolutions alone.

        Args:
            planes: Grey with white holes, edges without those in the hole, hole; shape (B, 3, H, W).

        Returns:
            As `forward`.
        """
        return torch.sigmoid(self.body(planes))  # (B, 1, H, W)


class InpaintGenerator(nn.Module):
    """Fill a picture along given edges. The hole is no input of the convolutions: it is painted white.

    Args:
        config: Sizes; the default is the published network.
    """

    facts = NetworkFacts(multiple_of=4, minimum=12, half=True, bfloat16=True, inputs=("image", "hole", "edges"))

    def __init__(self, config: InpaintGeneratorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or InpaintGeneratorConfig()
        self.body = _Body(4, 3, config.base_channels, config.residual_blocks, spectral=False)

    def forward(self, image: Tensor, hole: Tensor, edges: Tensor) -> Tensor:
        """Predict a whole picture; what `image` holds inside the hole has no influence.

        Args:
            image: RGB in [0, 1], finite, shape (B, 3, H, W); H and W multiples of 4 and at least 12.
            hole: 1 = hole, 0 = known, shape (B, 1, H, W).
            edges: Of the whole picture, those to be drawn in the hole included: 1 = on an edge, 0 = not, values between
                for doubt, shape (B, 1, H, W).

        Returns:
            Raw prediction, RGB in [0, 1], shape (B, 3, H, W). Known pixels are predicted too, not copied.

        Raises:
            ShapeError: If a shape, size or dtype is not as above.
        """
        if not _is_exporting():
            _check_picture(image, self.facts)
            _check_plane("hole", hole, image)
            _check_plane("edges", edges, image)
        return self.paint(torch.cat([image * (1 - hole) + hole, edges], dim=1))  # (B, 3, H, W), holes white

    def paint(self, planes: Tensor) -> Tensor:
        """Run the convolutions alone.

        Args:
            planes: RGB with white holes, edges of the whole picture; shape (B, 4, H, W).

        Returns:
            As `forward`.
        """
        return (torch.tanh(self.body(planes)) + 1) / 2  # (B, 3, H, W), from [-1, 1] to [0, 1]


class EdgeConnect(nn.Module):
    """Draw the edges of what is missing, then fill the picture along them.

    Args:
        config: Sizes, and how the two are joined.
    """

    facts = NetworkFacts(multiple_of=4, minimum=12, half=True, bfloat16=True, inputs=("image", "hole", "edges"))

    def __init__(self, config: EdgeConnectConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or EdgeConnectConfig()
        self.edge = EdgeGenerator(EdgeGeneratorConfig(config.edge_channels, config.edge_blocks))
        self.inpaint = InpaintGenerator(InpaintGeneratorConfig(config.inpaint_channels, config.inpaint_blocks))

    def forward(self, image: Tensor, hole: Tensor, edges: Tensor | None = None) -> Tensor:
        """Predict a whole picture; what `image` and `edges` hold inside the hole has no influence.

        Args:
            image: RGB in [0, 1], finite, shape (B, 3, H, W); H and W multiples of 4 and at least 12.
            hole: 1 = hole, 0 = known, shape (B, 1, H, W).
            edges: Canny's edges of the known pixels, 1 = on an edge, shape (B, 1, H, W); None = they are found here,
                which is slow and cannot be exported.

        Returns:
            Raw prediction, RGB in [0, 1], shape (B, 3, H, W). Known pixels are predicted too, not copied.

        Raises:
            ShapeError: If a shape, size or dtype is not as above.
        """
        if edges is None:
            _check_picture(image, self.facts)
            _check_plane("hole", hole, image)
            edges = known_edges(image, hole, self.config.edges_sigma)
        drawn = self.edge(image, hole, edges).to(image.dtype)  # (B, 1, H, W); autocast may have narrowed it
        if self.config.merge_known_edges:
            drawn = merge_edges(drawn, edges, hole)
        return self.inpaint(image, hole, drawn)


def grey(image: Tensor) -> Tensor:
    """Turn RGB (B, 3, H, W) into grey (B, 1, H, W) with the weights of scikit-image."""
    red, green, blue = image.split(1, dim=1)
    return GREY_WEIGHTS[0] * red + GREY_WEIGHTS[1] * green + GREY_WEIGHTS[2] * blue


def merge_edges(drawn: Tensor, edges: Tensor, hole: Tensor) -> Tensor:
    """Take drawn edges in the hole and given ones elsewhere; all (B, 1, H, W)."""
    return drawn * hole + edges * (1 - hole)


def known_edges(image: Tensor, hole: Tensor, sigma: float) -> Tensor:
    """Find Canny's edges of the known pixels, on the CPU, picture by picture.

    Args:
        image: RGB in [0, 1], shape (B, 3, H, W).
        hole: 1 = hole, shape (B, 1, H, W).
        sigma: Width of the Gaussian, px.

    Returns:
        1 = on an edge, shape (B, 1, H, W), dtype and device of `image`.
    """
    pictures = (image * (1 - hole)).detach().permute(0, 2, 3, 1).float().cpu().numpy()  # (B, H, W, 3)
    known = (hole[:, 0] == 0).cpu().numpy()  # (B, H, W)
    found = [find_edges(picture, sigma, there) for picture, there in zip(pictures, known, strict=True)]
    return torch.from_numpy(np.stack(found))[:, None].to(image)


class _Body(nn.Module):
    """Two halvings, residual blocks, two doublings. Instance norm learns nothing: no scale, no offset."""

    def __init__(self, inputs: int, outputs: int, full: int, blocks: int, *, spectral: bool) -> None:
        super().__init__()
        half, quarter = 2 * full, 4 * full
        self.stem = _conv(nn.Conv2d(inputs, full, 7, padding=3, padding_mode="reflect"), spectral)
        self.down1 = _conv(nn.Conv2d(full, half, 4, stride=2, padding=1), spectral)
        self.down2 = _conv(nn.Conv2d(half, quarter, 4, stride=2, padding=1), spectral)
        self.blocks = nn.Sequential(*(_ResidualBlock(quarter, spectral=spectral) for _ in range(blocks)))
        self.up1 = _conv(nn.ConvTranspose2d(quarter, half, 4, stride=2, padding=1), spectral)
        self.up2 = _conv(nn.ConvTranspose2d(half, full, 4, stride=2, padding=1), spectral)
        self.head = _conv(nn.Conv2d(full, outputs, 7, padding=3, padding_mode="reflect"), False)

    def forward(self, x: Tensor) -> Tensor:  # (B, inputs, H, W) to (B, outputs, H, W)
        x = F.relu(F.instance_norm(self.stem(x)))  # (B, C, H, W)
        x = F.relu(F.instance_norm(self.down1(x)))  # (B, 2C, H/2, W/2)
        x = F.relu(F.instance_norm(self.down2(x)))  # (B, 4C, H/4, W/4)
        x = self.blocks(x)  # (B, 4C, H/4, W/4)
        x = F.relu(F.instance_norm(self.up1(x)))  # (B, 2C, H/2, W/2)
        x = F.relu(F.instance_norm(self.up2(x)))  # (B, C, H, W)
        return self.head(x)


class _ResidualBlock(nn.Module):
    """Add two convolutions, the first one dilated, to their own input; no activation after the sum."""

    def __init__(self, channels: int, *, spectral: bool) -> None:
        super().__init__()
        bias = not spectral
        wide = nn.Conv2d(channels, channels, 3, padding=2, dilation=2, padding_mode="reflect", bias=bias)
        self.conv1 = _conv(wide, spectral)
        self.conv2 = _conv(nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=bias), spectral)

    def forward(self, x: Tensor) -> Tensor:  # (B, 4C, H/4, W/4) in and out
        change = F.relu(F.instance_norm(self.conv1(x)))
        return x + F.instance_norm(self.conv2(change))


def _conv(convolution: nn.Conv2d | nn.ConvTranspose2d, spectral: bool) -> nn.Module:
    """Start a convolution normal with deviation 0.02, its bias at zero; put spectral norm on it if that is asked."""
    nn.init.normal_(convolution.weight, std=0.02)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
    return spectral_norm(convolution) if spectral else convolution


def _is_exporting() -> bool:
    """Tell whether sizes are symbols now, so that none of them may be compared."""
    return torch.jit.is_tracing() or torch.compiler.is_exporting()  # pyright: ignore[reportPrivateImportUsage]


def _check_sizes(base_channels: int, residual_blocks: int) -> None:
    """Refuse sizes that no network can have."""
    if base_channels < 1 or residual_blocks < 0:
        raise InputError(
            f"base_channels must be at least 1 and residual_blocks at least 0; got {base_channels} and "
            f"{residual_blocks}."
        )


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


def _check_plane(name: str, plane: Tensor, image: Tensor) -> None:
    """Refuse a hole, or edges, that do not belong to these pictures."""
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
