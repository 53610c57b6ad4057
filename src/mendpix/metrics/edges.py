"""Measure how large a share of a picture its edges are. Knows nothing of holes."""

import numpy as np

from mendpix.edges import find_edges
from mendpix.types import Image


def edge_ratio(image: Image, sigma: float = 1.0) -> float:
    """Compute the share of pixels that Canny's method calls an edge; fine detail has more of them than blur has.

    The figure that Zhang et al. 2020 (https://arxiv.org/abs/2011.02293, Fig. 3) give as a percentage. More is not
    better by itself: noise has edges too. What counts is how near a fill comes to the untouched picture.

    Args:
        image: RGB in [0, 1], shape (H, W, 3), at least 3 × 3.
        sigma: Width of the Gaussian that smooths the picture first, px, more than 0.

    Returns:
        Edge pixels by all pixels, in [0, 1]. The outermost row and column on each side count, but are never edges.

    Raises:
        ShapeError: If `image` is no finite float array of that shape, or `sigma` is not positive.

    Example:
        >>> picture = np.zeros((32, 32, 3), np.float32)
        >>> picture[:, 15:], picture[:, 16:] = 0.5, 1  # one upright edge, 30 px long
        >>> edge_ratio(picture) == 30 / 32**2
        True
    """
    return float(np.mean(find_edges(image, sigma)))
