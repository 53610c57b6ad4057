"""The Wasserstein losses of a critic and its generator, and the penalty that keeps the critic's slope near 1.

From Arjovsky et al. 2017 (https://arxiv.org/abs/1701.07875) and Gulrajani et al. 2017
(https://arxiv.org/abs/1704.00028); the penalty masked by the hole is DeepFill v1's. A critic's scores are real numbers
without bounds, high = photo. This module knows no network, no optimiser and no weights between terms.
"""

from collections.abc import Callable

import torch
from torch import Tensor

LEAST_SQUARE = 1e-12
"""Squared slope below which none is taken: the root has no derivative at 0."""


def wasserstein_generator(fake_scores: Tensor) -> Tensor:
    """Reward a generator whose predictions score high: ``-D(fake)``.

    Args:
        fake_scores: The critic's scores of predictions, any shape.

    Returns:
        Scalar of any sign.
    """
    return -fake_scores.mean()


def wasserstein_critic(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Reward a critic that scores photos above predictions: ``D(fake) - D(real)``.

    Args:
        real_scores: Its scores of true pictures, any shape.
        fake_scores: Its scores of predictions, any shape.

    Returns:
        Scalar of any sign; without a bound on the critic's slope it has no minimum.
    """
    return fake_scores.mean() - real_scores.mean()


def gradient_penalty(
    judge: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, share: Tensor, hole: Tensor | None = None
) -> Tensor:
    """Punish a critic whose slope, at pictures between a true and a predicted one, is not 1: ``(|dD/dx| - 1)^2``.

    Call it outside autocast: slopes of slopes need float32.

    Args:
        judge: The critic, as a function of pictures in the range in which a slope of 1 is wanted.
        real: True pictures in that range, shape (B, C, H, W).
        fake: Predictions, same shape; taken as constants.
        share: How far from the true picture to the predicted one to look, in [0, 1], shape (B,).
        hole: If given, only the slope with respect to its pixels counts; 1 = hole, shape (B, 1, H, W).

    Returns:
        Scalar >= 0, the mean over the batch; its gradient reaches the critic's weights.
    """
    between = torch.lerp(real.detach().float(), fake.detach().float(), share.to(real).float()[:, None, None, None])
    between.requires_grad_(True)
    (slope,) = torch.autograd.grad(judge(between).sum(), between, create_graph=True)  # (B, C, H, W)
    squared = slope.square() if hole is None else slope.square() * hole
    return (squared.sum((1, 2, 3)).clamp_min(LEAST_SQUARE).sqrt() - 1).square().mean()
