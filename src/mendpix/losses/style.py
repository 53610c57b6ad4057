"""Compare textures: which activations of a frozen backbone occur together, wherever in the picture they do.

From Gatys et al. 2016, in the L1 form of partial convolution (Liu et al. 2018) and EdgeConnect (Nazeri et al. 2019).
Knows nothing of the backbone and takes the activations as they come; masks are the caller's matter.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from mendpix.errors import ShapeError
from mendpix.losses.perceptual import check_layers


def gram(features: Tensor) -> Tensor:
    """Multiply every channel with every other and average: F F^T / (C H W).

    Args:
        features: Activations, shape (B, C, H, W).

    Returns:
        Symmetric matrices, shape (B, C, C); float32 at least, whatever the precision of the activations or of autocast.

    Raises:
        ShapeError: If the shape is another.
    """
    if features.ndim != 4:
        raise ShapeError(f"features must be (B, C, H, W); got {tuple(features.shape)}. Add a batch axis with [None].")
    with torch.autocast(features.device.type, enabled=False):
        channels, height, width = features.shape[1:]
        rows = features.to(torch.promote_types(features.dtype, torch.float32)).flatten(2)  # (B, C, H W)
        return rows @ rows.transpose(1, 2) / (channels * height * width)  # (B, C, C)


def style_l1(prediction: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
    """Sum over layers the mean absolute difference of the Gram matrices.

    Args:
        prediction: Activations of the filled picture, one tensor (B, C, h, w) per layer.
        target: Those of the true picture, the same layers and shapes; never differentiated.

    Returns:
        Scalar >= 0, float32 (float64 for float64 activations).

    Raises:
        ShapeError: If the layers or their shapes differ, or there are none.
    """
    check_layers(prediction, target)
    terms = [
        (gram(found) - gram(wanted.detach())).abs().mean() for found, wanted in zip(prediction, target, strict=True)
    ]
    return torch.stack(terms).sum()
