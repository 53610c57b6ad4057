"""The 70 x 70 PatchGAN of EdgeConnect and ISNet: a critic that judges a picture patch by patch.

From Isola et al. 2017 (https://arxiv.org/abs/1611.07004) with spectral norm (Miyato et al. 2018), as EdgeConnect
(Nazeri et al. 2019) publishes it and ISNet takes it over: no biases, no normalisation layers. The critic of edges in
"Image Inpainting with Informed Mask Generation" has instance norm in its place. This module knows no loss; it returns
logits, and the activations that feature matching compares.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from mendpix.errors import InputError, ShapeError
from mendpix.networks.interface import NetworkFacts


@dataclass(frozen=True)
class PatchGanConfig:
    """Sizes of the critic. The defaults are the published ones for pictures: 2,763,776 parameters."""

    in_channels: int = 3
    """Channels that are judged: 3 for a picture; 2 for grey and edges, in that order."""

    base_channels: int = 64
    """Channels after the first convolution; the widest layer has eight times as many."""

    instance_norm: bool = False
    """Whether there is instance norm behind every convolution but the first and the last, and no spectral norm."""

    def __post_init__(self) -> None:
        if self.in_channels < 1 or self.base_channels < 1:
            raise InputError(
                f"in_channels and base_channels must be at least 1; got {self.in_channels} and {self.base_channels}."
            )


class PatchGan(nn.Module):
    """Judge whether a picture is true or a prediction, once for every patch of 70 x 70 pixels.

    Args:
        config: Sizes; the default is the published critic of pictures.
    """

    # 24: the two last convolutions need 3 px and 2 px at an eighth of the size.
    facts = NetworkFacts(multiple_of=1, minimum=24, half=True, bfloat16=True, inputs=("image",))

    def __init__(self, config: PatchGanConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or PatchGanConfig()
        width = config.base_channels
        spectral = not config.instance_norm
        self.conv1 = _convolution(config.in_channels, width, stride=2, spectral=spectral)
        self.conv2 = _convolution(width, 2 * width, stride=2, spectral=spectral)
        self.conv3 = _convolution(2 * width, 4 * width, stride=2, spectral=spectral)
        self.conv4 = _convolution(4 * width, 8 * width, stride=1, spectral=spectral)
        self.conv5 = _convolution(8 * width, 1, stride=1, spectral=spectral)

    def forward(self, image: Tensor) -> Tensor:
        """Score patches as true or predicted.

        Args:
            image: What is judged, values in [0, 1], shape (B, in_channels, H, W), at least 24 x 24.

        Returns:
            Logits, shape (B, 1, H / 8 - 2, W / 8 - 2), the quotients rounded down: high = true.

        Raises:
            ShapeError: If the shape, size or dtype is not as above.
        """
        return self.activations(image)[-1]

    def activations(self, image: Tensor) -> list[Tensor]:
        """Return what each of the five convolutions gives, the last of them being the logits.

        Args:
            image: As for `forward`.

        Returns:
            Shapes (B, C, H/2, W/2), (B, 2C, H/4, W/4), (B, 4C, H/8, W/8), (B, 8C, H/8 - 1, W/8 - 1), each after its
            leaky ReLU, and (B, 1, H/8 - 2, W/8 - 2), the logits.

        Raises:
            ShapeError: If the shape, size or dtype is not as above.
        """
        self._check(image)
        first = F.leaky_relu(self.conv1(image), 0.2)  # (B, C, H/2, W/2)
        second = F.leaky_relu(self._norm(self.conv2(first)), 0.2)  # (B, 2C, H/4, W/4)
        third = F.leaky_relu(self._norm(self.conv3(second)), 0.2)  # (B, 4C, H/8, W/8)
        fourth = F.leaky_relu(self._norm(self.conv4(third)), 0.2)  # (B, 8C, H/8 - 1, W/8 - 1)
        return [first, second, third, fourth, self.conv5(fourth)]  # (B, 1, H/8 - 2, W/8 - 2)

    def _norm(self, x: Tensor) -> Tensor:
        """Bring every channel of every picture to mean 0 and deviation 1, if that is asked for; nothing is learnt."""
        return F.instance_norm(x) if self.config.instance_norm else x

    def _check(self, image: Tensor) -> None:
        """Refuse what this critic cannot judge, by shape and dtype."""
        channels, minimum = self.config.in_channels, self.facts.minimum
        if image.ndim != 4 or image.shape[1] != channels or min(image.shape[2:]) < minimum:
            raise ShapeError(
                f"image must be (B, {channels}, H, W), at least {minimum} x {minimum} px; got {tuple(image.shape)}. "
                "Add a missing batch axis with image[None], or set in_channels of the critic."
            )
        if not image.is_floating_point():
            raise ShapeError(
                f"image must hold floats in [0, 1]; got {image.dtype}. Convert it with image.float() / 255."
            )


def _convolution(inputs: int, outputs: int, *, stride: int, spectral: bool) -> nn.Module:
    """Return a 4 x 4 convolution without bias, under spectral norm if asked, started normal with deviation 0.02."""
    convolution = nn.Conv2d(inputs, outputs, 4, stride=stride, padding=1, bias=False)
    nn.init.normal_(convolution.weight, std=0.02)
    return spectral_norm(convolution) if spectral else convolution
