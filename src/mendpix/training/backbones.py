"""Open the frozen network that a recipe names for perceptual and style terms. Knows which layers each paper takes."""

from dataclasses import dataclass

from torch import Tensor, nn

from mendpix.errors import RecipeError
from mendpix.features import SqueezeNetFeatures, VggFeatures


@dataclass(frozen=True)
class _Layers:
    """What a method compares, in the paper's network and in SqueezeNet that stands in for it."""

    vgg: int
    """Depth of the paper's VGG."""
    normalise: bool
    """Whether the program brings pictures to ImageNet's mean and deviation for it."""
    perceptual: tuple[str, ...]
    """Layers of VGG whose activations are compared."""
    style: tuple[str, ...]
    """Layers of VGG whose Gram matrices are compared."""
    perceptual_stand_in: tuple[str, ...]
    """Layers of SqueezeNet for the first, at about the same share of the picture's size."""
    style_stand_in: tuple[str, ...]
    """The same for the second."""


_EDGECONNECT = _Layers(
    vgg=19,
    normalise=False,
    perceptual=("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
    style=("relu2_2", "relu3_4", "relu4_4", "relu5_2"),
    perceptual_stand_in=("conv1", "fire2", "fire3", "fire4", "fire5"),
    style_stand_in=("fire2", "fire3", "fire4", "fire5"),
)
_PCONV = _Layers(
    vgg=16,
    normalise=True,
    perceptual=("pool1", "pool2", "pool3"),
    style=("pool1", "pool2", "pool3"),
    perceptual_stand_in=("conv1", "fire4", "fire5"),
    style_stand_in=("conv1", "fire4", "fire5"),
)
_LAYERS = {"edgeconnect": _EDGECONNECT, "isnet": _EDGECONNECT, "pconv": _PCONV}

# Mean activations of SqueezeNet's layers on 256 scenes; each layer is divided by its own, so that all are about 1 as
# VGG's are, and the published weights of the terms keep about their meaning. Measured by
# python benchmarks/backbone_levels.py SQUEEZENET.npz 'scenes-*.tar'
_LEVELS = {"conv1": 21.3, "fire2": 84.6, "fire3": 173.0, "fire4": 129.0, "fire5": 227.0}


class FrozenBackbone(nn.Module):
    """A frozen network with the layers of one method: a `losses.backbone.Backbone`.

    Args:
        features: The network; gives activations by layer.
        perceptual: Layers whose activations count.
        style: Layers whose Gram matrices count.
        levels: What a layer's activations are divided by; 1 for those that are left out.
    """

    def __init__(
        self,
        features: SqueezeNetFeatures | VggFeatures,
        perceptual: tuple[str, ...],
        style: tuple[str, ...],
        levels: dict[str, float],
    ) -> None:
        super().__init__()
        self.features = features
        self._perceptual, self._style, self._levels = perceptual, style, levels

    def perceptual(self, image: Tensor) -> list[Tensor]:
        """Return the activations whose differences count, each (B, C, h, w), for RGB in [0, 1] (B, 3, H, W)."""
        return self.both(image)[0]

    def style(self, image: Tensor) -> list[Tensor]:
        """Return the activations whose Gram matrices count, each (B, C, h, w), for RGB in [0, 1] (B, 3, H, W)."""
        return self.both(image)[1]

    def both(self, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return what `perceptual` and `style` return for one picture, computed in one pass."""
        found = {name: value / self._levels.get(name, 1.0) for name, value in self.features(image).items()}
        return [found[name] for name in self._perceptual], [found[name] for name in self._style]


def open_backbone(name: str, weights: str, method: str) -> FrozenBackbone:
    """Open the backbone of a method.

    Args:
        name: `squeezenet`, or the paper's own `vgg16` or `vgg19`.
        weights: Its file; see `mendpix.features`.
        method: Which method's layers are taken.

    Returns:
        The frozen network, on the CPU.

    Raises:
        RecipeError: If there is no path, or the method's paper takes another VGG.
        ModelError: If the file is missing, broken or of another network.
    """
    layers = _LAYERS[method]
    if not weights:
        raise RecipeError(f"the method {method} must have weights for its {name}: set backbone_weights in [method].")
    if name == "squeezenet":
        last = max(*layers.perceptual_stand_in, *layers.style_stand_in, key=list(_LEVELS).index)
        features = SqueezeNetFeatures(weights, last=last)
        return FrozenBackbone(features, layers.perceptual_stand_in, layers.style_stand_in, _LEVELS)
    if name != f"vgg{layers.vgg}":
        raise RecipeError(
            f"backbone of the method {method} must be vgg{layers.vgg}, as in its paper, or squeezenet; got {name!r}."
        )
    wanted = dict.fromkeys((*layers.perceptual, *layers.style))
    features = VggFeatures(weights, layers.vgg, list(wanted), normalise=layers.normalise)
    return FrozenBackbone(features, layers.perceptual, layers.style, {})
