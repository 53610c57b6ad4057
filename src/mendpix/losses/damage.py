"""Losses that teach a network how much of each pixel is destroyed. Targets are continuous, in [0, 1].

Each is least, and 0, where the prediction equals the target, whole or half destroyed alike. This module knows no
network, no optimiser and no weights between terms.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from mendpix.errors import ShapeError

WORST_SHARE = 0.01
"""Share of the pixels of a picture without damage of which the worst marks are looked at by themselves."""

LEAST_MASS = 1.0
"""Pixels that are added to both sides of an overlap: nothing marked where nothing is destroyed is a full overlap."""


def soft_cross_entropy(logits: Tensor, destroyed: Tensor) -> Tensor:
    """Compare probabilities with continuous targets: the cross-entropy less what even a perfect answer would have.

    Args:
        logits: Any shape.
        destroyed: Share that is destroyed, in [0, 1], same shape.

    Returns:
        Scalar >= 0: the mean Kullback–Leibler divergence of `sigmoid(logits)` from `destroyed`, in nats.

    Raises:
        ShapeError: If the shapes differ.
    """
    _check(logits, destroyed)
    entropy = -(torch.xlogy(destroyed, destroyed) + torch.xlogy(1 - destroyed, 1 - destroyed))
    return (F.binary_cross_entropy_with_logits(logits, destroyed, reduction="none") - entropy).mean()


def missing_overlap(probability: Tensor, destroyed: Tensor) -> Tensor:
    """Compare masks by their overlap, so that thin damage counts as much as broad: 1 - soft Dice coefficient.

    Each mask with something in it counts alike, in whichever picture and channel; where nothing is destroyed, there is
    no overlap to be had.

    Args:
        probability: In [0, 1], shape (B, K, H, W).
        destroyed: In [0, 1], same shape.

    Returns:
        Scalar in [0, 1], mean over the masks in which something is destroyed: `1 - 2 sum(p t) / (sum(p^2) + sum(t^2))`,
        sums over pixels; 0 if there are none.

    Raises:
        ShapeError: If the shapes differ or are not of four axes.
    """
    _check(probability, destroyed)
    if probability.ndim != 4:
        raise ShapeError(f"masks must be (B, K, H, W); got {tuple(probability.shape)}. Add the missing axis.")
    axes = (2, 3)
    shared = (probability * destroyed).sum(axes)  # (B, K)
    both = probability.square().sum(axes) + destroyed.square().sum(axes)  # (B, K)
    there = (destroyed.sum(axes) > 0).to(probability)  # (B, K)
    return ((1 - (2 * shared + LEAST_MASS) / (both + LEAST_MASS)) * there).sum() / there.sum().clamp_min(1)


def false_marks(mask: Tensor, hole: Tensor) -> Tensor:
    """Count what is marked in pictures without any damage.

    Args:
        mask: Predicted mask of all kinds, in [0, 1], shape (B, 1, H, W).
        hole: The true one, same shape.

    Returns:
        Scalar in [0, 1]: mean mark over the pixels of those pictures; 0 if there are none.

    Raises:
        ShapeError: If the shapes differ or are not of four axes.
    """
    _check(mask, hole)
    if mask.ndim != 4:
        raise ShapeError(f"masks must be (B, 1, H, W); got {tuple(mask.shape)}. Add the missing axis.")
    clean = (hole.amax(dim=(1, 2, 3)) == 0).to(mask)  # (B,)
    return (mask.mean(dim=(1, 2, 3)) * clean).sum() / clean.sum().clamp_min(1)


def worst_false_marks(logits: Tensor, hole: Tensor, share: float = WORST_SHARE) -> Tensor:
    """Compare what speaks most for damage in pictures without any with the truth: there is none.

    A mean over all pixels hardly feels a wrong mark that is small and sure; whoever is shown one does.

    Args:
        logits: Of each kind of damage, shape (B, K, H, W).
        hole: True mask of all kinds, shape (B, 1, H, W).
        share: Share of the pixels that counts, those with the most marks of all kinds together, in (0, 1].

    Returns:
        Scalar >= 0: mean cross-entropy of these pixels of the pictures without damage, in nats; 0 if there are none.

    Raises:
        ShapeError: If the shapes do not fit each other.
    """
    if logits.ndim != 4 or hole.shape != (logits.shape[0], 1, *logits.shape[2:]):
        raise ShapeError(
            f"logits must be (B, K, H, W), the mask (B, 1, H, W); got {tuple(logits.shape)} and {tuple(hole.shape)}. "
            "Give both of the same pictures."
        )
    clean = (hole.amax(dim=(1, 2, 3)) == 0).to(logits)  # (B,)
    marks = F.softplus(logits).sum(dim=1).flatten(1)  # (B, H W): -log(1 - mask of all kinds)
    count = max(1, round(share * marks.shape[1]))
    worst = marks.topk(count, dim=1).values.mean(dim=1)  # (B,)
    return (worst * clean).sum() / clean.sum().clamp_min(1)


def _check(one: Tensor, other: Tensor) -> None:
    if one.shape != other.shape:
        raise ShapeError(
            f"prediction and target must have one shape; got {tuple(one.shape)} and {tuple(other.shape)}. "
            "Compare masks of the same kinds and size."
        )
