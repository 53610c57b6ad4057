"""Losses that compare a prediction with the true picture, plain or weighted by a detector's valuation.

The weighted form is GDN's objective for the generator (section 3.4.2; see `mendpix.networks.gdn` for the reference).
This module knows no network and never cuts a gradient: whether the weight is learnt through is the caller's choice,
and GDN's published program does learn through it.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from mendpix.errors import InputError, ShapeError

WeightMapping = float | Literal["linear"]
"""How a valuation becomes a weight: a base > 1 for `base ** V`, or "linear" for `1 + V`."""


DEEPEST_PX = 64
"""How deep in a hole weights still fall; at the published factor they are a thousandth there."""


def weight_map(valuation: Tensor, mapping: WeightMapping = 10.0) -> Tensor:
    """Turn a valuation into pixel weights of at least 1 (GDN, section 3.4.3).

    Args:
        valuation: V in [0, 1], usually (B, 1, H, W); see `mendpix.losses.detection.valuation`.
        mapping: A number x > 1 for x ** V, which lies in [1, x] (the paper takes 10), or "linear" for 1 + V, which
            lies in [1, 2].

    Returns:
        Weights, shape of `valuation`. Gradients flow through them; detach the valuation to stop that.

    Raises:
        InputError: If `mapping` is another word or a number that is not above 1.
    """
    if mapping == "linear":
        return 1 + valuation
    if isinstance(mapping, str) or not 1 < mapping < float("inf"):
        raise InputError(f"mapping must be a number above 1 or 'linear'; got {mapping!r}. GDN uses 10.")
    return torch.pow(mapping, valuation)


def hole_weight_map(hole: Tensor, weight: float = 6.0) -> Tensor:
    """Weigh the hole more than the rest, whatever the prediction: GDN's framework Weight (section 4.3).

    Args:
        hole: 1 = hole, 0 = known, usually (B, 1, H, W).
        weight: Weight of hole pixels, > 0; known ones weigh 1. The paper takes 6, as in partial convolution.

    Returns:
        Weights, shape of `hole`.

    Raises:
        InputError: If `weight` is not above 0.
    """
    if not 0 < weight < float("inf"):
        raise InputError(f"weight must be above 0 and finite; got {weight!r}. GDN uses 6.")
    return 1 + (weight - 1) * hole


def weighted_l1(prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Average the absolute difference, each pixel times its weight (GDN, Eq. 7).

    The whole picture counts, hole and known pixels alike. The paper sums over the colour channels; like GDN's
    published program this takes their mean, a third of that.

    Args:
        prediction: Raw prediction, RGB in [0, 1], shape (B, 3, H, W).
        target: The true picture, same shape and range.
        weight: Weight of each pixel, shape (B, 1, H, W); see `weight_map`. 1 everywhere = `l1`.

    Returns:
        Scalar: mean over batch, channels and pixels of `weight * |prediction - target|`.

    Raises:
        ShapeError: If the shapes do not fit each other.
    """
    _check_pair(prediction, target)
    expected = (prediction.shape[0], 1, *prediction.shape[2:])
    if tuple(weight.shape) != expected:
        raise ShapeError(
            f"weight must be {expected}, one value per pixel of the prediction; got {tuple(weight.shape)}. "
            "Add a missing channel axis with weight[:, None]."
        )
    return (weight * (prediction - target).abs()).mean()


def l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Average the absolute difference over batch, channels and pixels.

    Args:
        prediction: Raw prediction, RGB in [0, 1], shape (B, 3, H, W).
        target: The true picture, same shape and range.

    Returns:
        Scalar >= 0.

    Raises:
        ShapeError: If the shapes differ or are not (B, C, H, W).
    """
    _check_pair(prediction, target)
    return (prediction - target).abs().mean()


def gradient_l1(error: Tensor) -> Tensor:
    """Average how much the error changes from pixel to pixel: what seams, blur and noise do and a wrong tone does not.

    Args:
        error: Prediction minus target, shape (B, C, H, W), at least 2 px high and wide.

    Returns:
        For each picture, the mean absolute difference of neighbours in a row plus that in a column; shape (B,).
    """
    across = (error[..., 1:] - error[..., :-1]).abs().mean((1, 2, 3))
    down = (error[..., 1:, :] - error[..., :-1, :]).abs().mean((1, 2, 3))
    return across + down


def discount_map(hole: Tensor, factor: float = 0.9) -> Tensor:
    """Weigh hole pixels less the farther they lie from what is known (DeepFill v1, section 3.2).

    Deep in a hole many fills are right, and the true one should not count for much there. The distance is counted as a
    king walks on a chessboard, which for a rectangle is the distance to its nearest side, as in the published program.

    Args:
        hole: 1 = hole, 0 = known, shape (B, 1, H, W).
        factor: What one more pixel of distance costs, in (0, 1]; the published program takes 0.9, the paper 0.99.

    Returns:
        Weights, shape of `hole`: 1 for known pixels and those beside them, `factor` for the next ones, and so on, until
        64 pixels deep, where they stay.

    Raises:
        InputError: If `factor` is not in (0, 1].
    """
    if not 0 < factor <= 1:
        raise InputError(f"factor must be above 0 and at most 1; got {factor!r}. DeepFill v1 uses 0.9.")
    beyond = hole  # pixels more than `depth` away from what is known
    depth = torch.zeros_like(hole)
    for _ in range(min(DEEPEST_PX, max(hole.shape[2:]))):
        beyond = -F.max_pool2d(-beyond, 3, stride=1, padding=1)  # outside the picture nothing is known
        depth = depth + beyond
    return torch.pow(factor, depth)


def spatially_discounted_l1(prediction: Tensor, target: Tensor, hole: Tensor, factor: float = 0.9) -> Tensor:
    """Average the absolute difference in the hole, pixels deep inside counting less (DeepFill v1, section 3.2).

    Args:
        prediction: Raw prediction, shape (B, C, H, W).
        target: The true picture, same shape and range.
        hole: 1 = hole, 0 = known, shape (B, 1, H, W).
        factor: As for `discount_map`.

    Returns:
        Scalar: mean over channels and the batch's hole pixels of ``factor ** depth * |prediction - target|``; 0 if
        there are none.

    Raises:
        ShapeError: If the shapes do not fit each other.
        InputError: If `factor` is not in (0, 1].
    """
    _check_pair(prediction, target)
    if tuple(hole.shape) != (prediction.shape[0], 1, *prediction.shape[2:]):
        raise ShapeError(
            f"hole must be one value per pixel of the prediction; got {tuple(hole.shape)} for "
            f"{tuple(prediction.shape)}. Add a missing channel axis with hole[:, None]."
        )
    weighted = discount_map(hole, factor) * hole * (prediction - target).abs()
    return weighted.sum() / (prediction.shape[1] * hole.sum()).clamp_min(1)


def _check_pair(prediction: Tensor, target: Tensor) -> None:
    if prediction.ndim != 4 or prediction.shape != target.shape:
        raise ShapeError(
            f"prediction and target must be (B, C, H, W) and alike; got {tuple(prediction.shape)} and "
            f"{tuple(target.shape)}. Add a missing batch axis with [None]."
        )
