"""Total variation: how much neighbouring pixels differ, in a picture or a part of it. Knows no network and no target.

Partial convolution (Liu et al. 2018) counts it in the hole and one pixel around it, so that the seam counts too; the
well-known port counts the whole picture.
"""

import torch.nn.functional as F
from torch import Tensor

from mendpix.errors import ShapeError


def total_variation(image: Tensor, region: Tensor | None = None) -> Tensor:
    """Average the absolute difference of neighbours in a row, and add that of neighbours in a column.

    Args:
        image: Shape (B, C, H, W), at least 2 px high and wide.
        region: 1 = counts, 0 = does not, shape (B, 1, H, W); a difference counts where both of its pixels do. None =
            all count.

    Returns:
        Scalar >= 0: both sums divided by the number of *all* pairs of the picture, so that small regions weigh little.

    Raises:
        ShapeError: If the shapes do not fit each other.
    """
    if image.ndim != 4 or min(image.shape[2:]) < 2:
        raise ShapeError(
            f"image must be (B, C, H, W), at least 2 px high and wide; got {tuple(image.shape)}. "
            "Add a missing batch axis with image[None]."
        )
    across = (image[..., 1:] - image[..., :-1]).abs()
    down = (image[..., 1:, :] - image[..., :-1, :]).abs()
    if region is not None:
        batch, _, height, width = image.shape
        if tuple(region.shape) != (batch, 1, height, width):
            raise ShapeError(
                f"region must be ({batch}, 1, {height}, {width}) like its image; got {tuple(region.shape)}. "
                "Add a missing channel axis with region[:, None]."
            )
        across = across * (region[..., 1:] * region[..., :-1])
        down = down * (region[..., 1:, :] * region[..., :-1, :])
    return across.mean() + down.mean()


def hole_and_seam(hole: Tensor) -> Tensor:
    """Grow a hole by one pixel in all eight directions: the region in which partial convolution counts variation.

    Args:
        hole: 1 = hole, 0 = known, shape (B, 1, H, W).

    Returns:
        1 = hole or beside it, same shape.
    """
    return F.max_pool2d(hole, 3, stride=1, padding=1)
