"""The non-saturating adversarial losses (Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661).

All take a discriminator's logits, one per patch or picture, in any shape; high = photo. All return the mean. This
module knows no network, no optimiser and no weights between terms.
"""

import torch.nn.functional as F
from torch import Tensor


def adversarial_generator(fake_logits: Tensor) -> Tensor:
    """Reward a generator whose predictions are taken for photos: ``-log D(fake)``.

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
