"""Compare two pictures by what a discriminator sees in them (Wang et al. 2018, https://arxiv.org/abs/1711.11585).

Knows no discriminator: it takes its activations. The generator learns from this, the discriminator does not.
"""

from collections.abc import Sequence

from torch import Tensor

from mendpix.losses.perceptual import perceptual_l1


def feature_matching(fake: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    """Sum over layers the mean absolute difference of a discriminator's activations.

    Args:
        fake: Activations for predictions, one tensor per layer, with the discriminator's weights frozen.
        real: Those for the true pictures, the same layers and shapes; never differentiated.

    Returns:
        Scalar >= 0, float32 (float64 for float64 activations).

    Raises:
        ShapeError: If the layers or their shapes differ, or there are none.
    """
    return perceptual_l1(fake, real)
