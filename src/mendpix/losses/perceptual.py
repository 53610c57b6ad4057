"""Compare two pictures by the activations of a frozen backbone, for training.

Knows nothing of the backbone: it takes activations by layer name, for instance those of `features.SqueezeNetFeatures`.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mendpix.errors import ShapeError

_LEAST_LEVEL = 1e-6  # of a layer that is silent for the target: keeps the quotient finite


def feature_l1(prediction: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
    """Average over layers how far the activations are apart, relative to how strong they are.

    A layer's term is mean |prediction - target| / mean |target|, both means over all its values, so that every layer
    weighs the same whatever its scale; 0 = equal. The target is never differentiated; sums run in float32 at least.
    The same idea as the perceptual loss of Johnson et al. 2016 (https://arxiv.org/abs/1603.08155) with L1.

    Args:
        prediction: Activations of the filled picture by layer, each of shape (B, channels, height, width).
        target: Activations of the true picture, the same layers and shapes; compute them under ``torch.no_grad()``.

    Returns:
        Scalar, float32 (float64 for float64 activations).

    Raises:
        ShapeError: If the layers or their shapes differ, or there are none.
    """
    if not prediction or prediction.keys() != target.keys():
        raise ShapeError(
            f"prediction and target must hold the same layers, at least one; got {list(prediction)} and "
            f"{list(target)}. Compute both with the same backbone."
        )
    terms: list[Tensor] = []
    for name, predicted in prediction.items():
        wanted = target[name].detach()
        if predicted.shape != wanted.shape:
            raise ShapeError(
                f"layer {name} of prediction and target must have one shape; got {tuple(predicted.shape)} and "
                f"{tuple(wanted.shape)}. Compute both from pictures of one size."
            )
        dtype = torch.promote_types(predicted.dtype, torch.float32)
        level = wanted.abs().mean(dtype=dtype).clamp_min(_LEAST_LEVEL)
        terms.append((predicted - wanted).abs().mean(dtype=dtype) / level)
    return torch.stack(terms).mean()


def perceptual_l1(prediction: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
    """Sum over layers the mean absolute difference of the activations: the perceptual term of the published methods.

    Args:
        prediction: Activations of the filled picture, one tensor (B, channels, height, width) per layer.
        target: Those of the true picture, the same layers and shapes; never differentiated.

    Returns:
        Scalar >= 0, float32 (float64 for float64 activations).

    Raises:
        ShapeError: If the layers or their shapes differ, or there are none.
    """
    check_layers(prediction, target)
    terms: list[Tensor] = []
    for found, wanted in zip(prediction, target, strict=True):
        dtype = torch.promote_types(found.dtype, torch.float32)
        terms.append((found - wanted.detach()).abs().mean(dtype=dtype))
    return torch.stack(terms).sum()


def check_layers(prediction: Sequence[Tensor], target: Sequence[Tensor]) -> None:
    """Refuse activations that do not belong together.

    Raises:
        ShapeError: If the layers or their shapes differ, or there are none.
    """
    found, wanted = [tuple(layer.shape) for layer in prediction], [tuple(layer.shape) for layer in target]
    if not found or found != wanted:
        raise ShapeError(
            f"prediction and target must hold the same layers, at least one; got shapes {found} and {wanted}. "
            "Compute both with one network from pictures of one size."
        )
