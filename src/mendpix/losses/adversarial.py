"""Adversarial losses: non-saturating, hinge and least squares.

All take a discriminator's logits, one per patch or picture, in any shape; high = photo. All return the mean. This
module knows no network, no optimiser and no weights between terms.
"""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor


def adversarial_generator(fake_logits: Tensor) -> Tensor:
    """Reward a generator whose predictions are taken for photos: ``-log D(fake)``, the non-saturating loss.

    From Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661.

    Args:
        fake_logits: The discriminator's logits for predictions, any shape.

    Returns:
        Scalar > 0: the mean of softplus(-logit), log 2 where the discriminator cannot tell.
    """
    return F.softplus(-fake_logits).mean()


def adversarial_discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Reward a discriminator that tells photos from predictions: ``-log D(real) - log(1 - D(fake))``.

    Args:
        real_logits: Its logits for true pictures, any shape.
        fake_logits: Its logits for predictions, any shape.

    Returns:
        Scalar > 0: the sum of the means of both, 2 log 2 where it cannot tell.
    """
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def hinge_generator(fake_logits: Tensor) -> Tensor:
    """Reward a generator whose predictions score high: ``-D(fake)`` (Lim and Ye 2017, https://arxiv.org/abs/1705.02894).

    Args:
        fake_logits: The discriminator's logits for predictions, any shape.

    Returns:
        Scalar of any sign.
    """
    return -fake_logits.mean()


def hinge_discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Reward a discriminator as far as scores are not yet beyond 1 and -1: ``max(0, 1 - real) + max(0, 1 + fake)``.

    Args:
        real_logits: Its logits for true pictures, any shape.
        fake_logits: Its logits for predictions, any shape.

    Returns:
        Scalar >= 0: the sum of the means of both, 2 where all scores are 0.
    """
    return F.relu(1 - real_logits).mean() + F.relu(1 + fake_logits).mean()


def least_squares_generator(fake_logits: Tensor) -> Tensor:
    """Reward a generator whose predictions are taken for photos: ``(sigmoid(D(fake)) - 1)^2``.

    From Mao et al. 2017 (https://arxiv.org/abs/1611.04076). The published programs of EdgeConnect and ISNet square the
    distance of probabilities, not of bare scores; so does this.

    Args:
        fake_logits: The discriminator's logits for predictions, any shape.

    Returns:
        Scalar in [0, 1].
    """
    return (fake_logits.sigmoid() - 1).square().mean()


def least_squares_discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Reward a discriminator that tells photos from predictions: ``(sigmoid(real) - 1)^2 + sigmoid(fake)^2``.

    Args:
        real_logits: Its logits for true pictures, any shape.
        fake_logits: Its logits for predictions, any shape.

    Returns:
        Scalar in [0, 2]: the sum of the means of both.
    """
    return (real_logits.sigmoid() - 1).square().mean() + fake_logits.sigmoid().square().mean()


ADVERSARIAL: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    "non-saturating": (adversarial_generator, adversarial_discriminator),
    "least-squares": (least_squares_generator, least_squares_discriminator),
    "hinge": (hinge_generator, hinge_discriminator),
}
"""The losses by name: the generator's, given fake logits, and the discriminator's, given real and fake ones."""
