"""Turn pictures into the activations of a frozen, trained backbone: SqueezeNet v1.0, VGG-16 or VGG-19.

Shared by the perceptual and style losses (`losses/perceptual.py`, `losses/style.py`) and the feature distance
(`metrics/feature_distance.py`). Knows the networks, their weight files and their normalisation; does not know what the
activations are compared with, nor where the weight files come from: they are passed in as paths and are not part of
mendpix.
"""

import os
import pickle
import zlib
from collections.abc import Mapping, Sequence
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

VGG_CONVOLUTIONS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""Convolutions in each of the five blocks, by depth; a 2 x 2 maximum ends every block."""

_IMAGENET_MEAN, _IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

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


class VggFeatures(nn.Module):
    """Compute activations of VGG-16 or VGG-19 (Simonyan and Zisserman 2014, https://arxiv.org/abs/1409.1556).

    The weights are frozen; gradients flow to the input. Nothing is computed beyond the last layer that is asked for.

    Args:
        path: torchvision's state dict (`.pth`), or an `.npz` file of the same names: ``features.<N>.weight`` and
            ``features.<N>.bias``, N counting convolutions, ReLUs and maxima from 0. Other entries are passed over. A
            pickle is read through torch's allow-list, and nothing in it is run.
        depth: 16 or 19.
        layers: Names of the activations to return: ``relu<block>_<number>`` and ``pool<block>``, both from 1.
        normalise: Whether pictures are brought to ImageNet's mean and deviation first, as in VGG's own training.

    Raises:
        ModelError: If a layer does not exist, or the file is missing, broken or lacks an array.

    Example:
        >>> features = VggFeatures("vgg19.pth", 19, ["relu1_1", "relu2_1"])  # doctest: +SKIP
        >>> list(features(torch.rand(1, 3, 64, 64)))  # doctest: +SKIP
        ['relu1_1', 'relu2_1']
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, path: str | os.PathLike[str], depth: int, layers: Sequence[str], *, normalise: bool = False
    ) -> None:
        super().__init__()
        if depth not in VGG_CONVOLUTIONS:
            raise ModelError(f"the depth of VGG must be 16 or 19; got {depth!r}.")
        order = _vgg_layers(depth)
        unknown = [name for name in layers if name not in order]
        if unknown or not layers:
            raise ModelError(
                f"layers must be of VGG-{depth}, relu1_1 to relu5_{VGG_CONVOLUTIONS[depth][4]} or pool1 to pool5, at "
                f"least one; got {unknown[0] if unknown else 'none'}."
            )
        last = max(list(order).index(name) for name in layers)
        self.layers = tuple(layers)
        """Names of the activations that `forward` returns."""
        self._order = tuple(order)[: last + 1]
        self.minimum_px = 2 ** sum(name.startswith("pool") for name in self._order)
        """Smallest height and width from which the layers can be computed."""

        path = Path(path)
        arrays = _read_arrays(path) if path.suffix == ".npz" else _read_state(path)
        _check_depth(arrays, depth, path)
        self.convolutions = nn.ModuleDict()
        channels = 3
        for name in self._order:
            if name.startswith("relu"):
                made = _vgg_convolution(arrays, f"features.{order[name]}", channels, path)
                self.convolutions[name], channels = made, made.out_channels
        self.normalise = normalise
        self.register_buffer("mean", torch.tensor(_IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(_IMAGENET_DEVIATION).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Return the activations of `layers` by name, in the order in which they are computed.

        Args:
            image: RGB in [0, 1], shape (B, 3, H, W), at least `minimum_px` high and wide.

        Returns:
            One tensor (B, channels, height, width) per layer, not negative; block n at 2 ** (1 - n) of the size of the
            image, its maximum at half of that.

        Raises:
            ShapeError: If the image has another shape or is too small.
        """
        if image.ndim != 4 or image.shape[1] != 3 or min(image.shape[2:]) < self.minimum_px:
            raise ShapeError(
                f"image must be (B, 3, H, W) with H and W at least {self.minimum_px}; got {tuple(image.shape)}. "
                "Resize or pad a picture that is smaller."
            )
        x = (image - self.mean) / self.deviation if self.normalise else image
        activations: dict[str, Tensor] = {}
        for name in self._order:
            x = F.max_pool2d(x, 2) if name.startswith("pool") else F.relu(self.convolutions[name](x))
            if name in self.layers:
                activations[name] = x
        return activations


def _vgg_layers(depth: int) -> dict[str, int]:
    """Return every activation by name, with the number that its convolution or maximum has in torchvision's files."""
    found: dict[str, int] = {}
    number = 0
    for block, count in enumerate(VGG_CONVOLUTIONS[depth], start=1):
        for index in range(1, count + 1):
            found[f"relu{block}_{index}"] = number
            number += 2  # the convolution and its ReLU
        found[f"pool{block}"] = number
        number += 1
    return found


def _check_depth(arrays: Mapping[str, Tensor], depth: int, path: Path) -> None:
    """Refuse the other VGG, whose first blocks have the same names, and one with batch norm."""
    places = {f"features.{number}.weight" for name, number in _vgg_layers(depth).items() if name.startswith("relu")}
    others = [name for name in arrays if name.startswith("features.") and name.endswith(".weight")]
    other = next((name for name in others if name not in places), None)
    if other is not None:
        raise ModelError(
            f"{path} must be of VGG-{depth}, which has no array {other!r}; it is of another network. "
            "Give torchvision's weights of this depth of VGG, without batch norm."
        )


def _vgg_convolution(arrays: Mapping[str, Tensor], name: str, inputs: int, path: Path) -> nn.Conv2d:
    weight = arrays.get(f"{name}.weight")
    outputs = "channels" if weight is None or weight.ndim != 4 else len(weight)
    for kind, wanted in (("weight", (outputs, inputs, 3, 3)), ("bias", (outputs,))):
        found = arrays.get(f"{name}.{kind}")
        if found is None or tuple(found.shape) != wanted:
            raise ModelError(
                f"{path} must hold the array '{name}.{kind}' of shape ({', '.join(map(str, wanted))}); it "
                f"{'does not' if found is None else f'has the shape {tuple(found.shape)}'}. "
                "Give torchvision's weights of this depth of VGG."
            )
    renamed = {f"{name}.w": arrays[f"{name}.weight"].float(), f"{name}.b": arrays[f"{name}.bias"].float()}
    return _convolution(renamed, name, padding=1)


def _read_state(path: Path) -> dict[str, Tensor]:
    """Read a state dict that torch saved, through its allow-list."""
    if not path.is_file():
        raise ModelError(
            f"the weights of VGG must be torchvision's .pth file or a .npz file; {path} does not exist. Check the path."
        )
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
        return {str(name): value for name, value in found.items() if isinstance(value, Tensor)}
    except (
        pickle.UnpicklingError, OSError, RuntimeError, EOFError, ValueError, KeyError, AttributeError, TypeError,
    ) as error:  # fmt: skip
        raise ModelError(
            f"the weights of VGG must be a whole file of tensors; {path} is not ({str(error).splitlines()[0][:120]}). "
            "Fetch it anew."
        ) from error


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
            f"the weights of the backbone must be a .npz file; {path} does not exist. Check the path; what must be in "
            "it is described at SqueezeNetFeatures and VggFeatures."
        ) from error
    except (OSError, EOFError, ValueError, AttributeError, BadZipFile, zlib.error) as error:
        raise ModelError(
            f"the weights of the backbone must be a readable .npz file; {path} is not ({error}). Fetch it anew."
        ) from error
