"""Measure how far two pictures are apart in the activations of SqueezeNet. Needs torch (`pip install mendpix[train]`).

Called "SqueezeNet feature distance" wherever it is printed. It is **not** LPIPS: LPIPS weighs the channels by weights
learnt from human judgements, and its numbers, of this backbone or another, cannot be compared with these.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from mendpix.errors import ShapeError
from mendpix.features import SqueezeNetFeatures
from mendpix.metrics.pair import check_pair
from mendpix.types import Image

_EPSILON = 1e-10  # where a layer is silent at a pixel, its direction is the zero vector


def feature_distance(prediction: Image, target: Image, backbone: SqueezeNetFeatures) -> float:
    """Compute the SqueezeNet feature distance of two pictures; less is better, 0 = equal.

    Without a unit, between 0 and 2. See `activation_distance` for the definition.

    Args:
        prediction: RGB in [0, 1], shape (H, W, 3), at least 21 × 21.
        target: The same shape and range.
        backbone: SqueezeNet v1.0; the usual number is that of all its nine layers.

    Returns:
        Distance.

    Raises:
        ShapeError: If the pictures are not two float arrays of one shape (H, W, 3), or are too small.
    """
    check_pair(prediction, target)
    pair = np.stack((prediction, target)).astype(np.float32, copy=False)
    with torch.inference_mode():
        activations = backbone(torch.from_numpy(pair).permute(0, 3, 1, 2))
        first = {name: activation[:1] for name, activation in activations.items()}
        second = {name: activation[1:] for name, activation in activations.items()}
        return float(activation_distance(first, second))


def activation_distance(prediction: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
    """Compute the distance of each pair of a batch from its activations.

    At every pixel of every layer both activation vectors are scaled to length 1; their squared Euclidean distance is
    averaged over the pixels of a layer, then over the layers. This is the unlearnt distance that Zhang et al. 2018
    start from (https://arxiv.org/abs/1801.03924), over all nine layers, averaged and not summed.

    Args:
        prediction: Activations by layer, each of shape (B, channels, height, width).
        target: The same layers and shapes.

    Returns:
        Distances, shape (B,).

    Raises:
        ShapeError: If the layers differ or there are none.
    """
    if not prediction or prediction.keys() != target.keys():
        raise ShapeError(
            f"prediction and target must hold the same layers, at least one; got {list(prediction)} and "
            f"{list(target)}. Compute both with the same backbone."
        )
    layers = [
        (_direction(predicted) - _direction(target[name])).square().sum(dim=1).mean(dim=(1, 2))
        for name, predicted in prediction.items()
    ]
    return torch.stack(layers).mean(dim=0)


def _direction(activation: Tensor) -> Tensor:
    return activation / (activation.norm(dim=1, keepdim=True) + _EPSILON)
