"""Turn pictures into the activations of a frozen, trained backbone: SqueezeNet v1.0.

Shared by the perceptual loss (`losses/perceptual.py`) and the feature distance (`metrics/feature_distance.py`). Knows
the network, its weight file and its normalisation; does not know what the activations are compared with, nor where the
weight file comes from: it is passed in as a path and is not part of mendpix.
"""

import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mendpix.errors import ModelError, ShapeError

LAYERS = ("conv1", "fire2", "fire3", "fire4", "fire5", "fire6", "fire7", "fire8", "fire9")
"""Names of the activations, in the order in which the network computes them; each is taken after its ReLU."""

MINIMUM_PX = 21
"""Smallest height and width from which all layers can be computed."""

_POOLED_BEFORE = ("fire2", "fire5", "fire9")
_MEAN_RGB = (123.0, 117.0, 104.0)  # what the network was trained with, on the scale 0 to 255


class Fire(nn.Module):
    """Squeeze to few channels with 1×1 filters, then expand with 1×1 and 3×3 filters side by side.

    Args:
        arrays: Weights by name, as in the file.
        name: Prefix of this module's arrays, for instance ``f2``.
    """

    def __init__(self, arrays: Mapping[str, Tensor], name: str) -> None:
        super().__init__()
        self.squeeze = _convolution(arrays, f"{name}s")
        self.expand_1 = _convolution(arrays, f"{name}e1")
        self.expand_3 = _convolution(arrays, f"{name}e3", padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the activation of shape (B, channels of both expansions, H, W); 1×1 channels come first."""
        x = F.relu(self.squeeze(x))
        return F.relu(torch.cat((self.expand_1(x), self.expand_3(x)), dim=1))


class SqueezeNetFeatures(nn.Module):
    """Compute the activations of SqueezeNet v1.0 (Iandola et al. 2016, https://arxiv.org/abs/1602.07360).

    The weights are frozen; gradients flow to the input. Safe under bfloat16 autocast and with channels-last memory:
    the pixel means are subtracted before the first convolution, so that low precision is spent on contrast only. The
    order BGR and the scale 0 to 255 of the training are folded into the first filters.

    Args:
        path: ``.npz`` file with float arrays ``conv1.w`` (O, 3, 7, 7), ``conv1.b`` (O,) and, for N from 2 to 9,
            ``f<N>s``, ``f<N>e1`` and ``f<N>e3`` with ``.w`` and ``.b`` likewise; made for BGR input.
        last: Layer after which to stop; later layers are neither read nor computed.

    Raises:
        ModelError: If `last` is no layer, or the file is missing, broken or lacks an array.

    Example:
        >>> features = SqueezeNetFeatures("squeezenet_v1.0.npz", last="fire5")  # doctest: +SKIP
        >>> list(features(torch.rand(1, 3, 64, 64)))  # doctest: +SKIP
        ['conv1', 'fire2', 'fire3', 'fire4', 'fire5']
    """

    mean: Tensor

    def __init__(self, path: str | os.PathLike[str], *, last: str = "fire9") -> None:
        super().__init__()
        if last not in LAYERS:
            raise ModelError(f"the last layer must be one of {', '.join(LAYERS)}; got {last!r}.")
        self.layers = LAYERS[: LAYERS.index(last) + 1]
        """Names of the activations that `forward` returns."""

        arrays = _read_arrays(Path(path))
        try:
            self.conv1 = _convolution(arrays, "conv1", stride=2)
            self.fires = nn.ModuleList(Fire(arrays, f"f{name.removeprefix('fire')}") for name in self.layers[1:])
        except KeyError as error:
            raise ModelError(
                f"{path} must hold the array {error.args[0]!r}; it does not. "
                "Give the .npz file of SqueezeNet v1.0 as described at SqueezeNetFeatures."
            ) from error
        self.conv1.weight.data = self.conv1.weight.data.flip(1) * 255
        self.register_buffer("mean", torch.tensor(_MEAN_RGB).view(1, 3, 1, 1) / 255, persistent=False)
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Return the activations of `layers` by name, in that order.

        Args:
            image: RGB in [0, 1], shape (B, 3, H, W), at least `MINIMUM_PX` high and wide.

        Returns:
            One tensor (B, channels, height, width) per layer, not negative; at half the size of the image (conv1),
            a quarter (fire2 to fire4), an eighth (fire5 to fire8) and a sixteenth (fire9).

        Raises:
            ShapeError: If the image has another shape or is too small.
        """
        if image.ndim != 4 or image.shape[1] != 3 or min(image.shape[2:]) < MINIMUM_PX:
            raise ShapeError(
                f"image must be (B, 3, H, W) with H and W at least {MINIMUM_PX}; got {tuple(image.shape)}. "
                "Resize or pad a picture that is smaller."
            )
        x = F.relu(self.conv1(image - self.mean))  # (B, 96, (H - 5) // 2, (W - 5) // 2)
        activations = {"conv1": x}
        for name, fire in zip(self.layers[1:], self.fires, strict=True):
            if name in _POOLED_BEFORE:
                x = F.max_pool2d(x, 3, stride=2, ceil_mode=True)
            x = fire(x)
            activations[name] = x
        return activations


def _convolution(arrays: Mapping[str, Tensor], name: str, *, stride: int = 1, padding: int = 0) -> nn.Conv2d:
    weight, bias = arrays[f"{name}.w"], arrays[f"{name}.b"]
    outputs, inputs, size, _ = weight.shape
    convolution = nn.Conv2d(inputs, outputs, size, stride=stride, padding=padding)
    convolution.weight.data = weight.clone()
    convolution.bias = nn.Parameter(bias.clone())
    return convolution


def _read_arrays(path: Path) -> dict[str, Tensor]:
    try:
        with path.open("rb") as file:
            arrays: Any = np.load(file, allow_pickle=False)
            return {name: torch.from_numpy(np.asarray(arrays[name], dtype=np.float32)) for name in arrays.files}
    except FileNotFoundError as error:
        raise ModelError(
            f"the weights of the backbone must be a .npz file; {path} does not exist. "
            "Give the path of SqueezeNet v1.0 as described at SqueezeNetFeatures."
        ) from error
    except (OSError, EOFError, ValueError, AttributeError, BadZipFile, zlib.error) as error:
        raise ModelError(
            f"the weights of the backbone must be a readable .npz file; {path} is not ({error}). Fetch it anew."
        ) from error
