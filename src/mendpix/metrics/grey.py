"""Turn a picture grey, the one way in which every metric on grey does. Knows no metric."""

import numpy as np
from numpy.typing import NDArray

from mendpix.edges import GREY_WEIGHTS
from mendpix.errors import ShapeError
from mendpix.types import Image


def to_grey(image: Image) -> NDArray[np.float64]:
    """Compute 0.2125 R + 0.7154 G + 0.0721 B.

    These are the shares of ITU-R BT.709 as scikit-image's `rgb2gray` has them, with which the evaluation of EdgeConnect
    works; no gamma is undone. They are *not* those of BT.601 (0.299, 0.587, 0.114), which Pillow and OpenCV use.

    Args:
        image: RGB in [0, 1], shape (H, W, 3).

    Returns:
        Grey in [0, 1], shape (H, W).

    Raises:
        ShapeError: If `image` has another shape.

    Example:
        >>> to_grey(np.full((1, 1, 3), 0.5)).round(6).tolist()
        [[0.5]]
    """
    if image.ndim != 3 or image.shape[2] != 3:
        raise ShapeError(f"image must be (H, W, 3); got {image.shape}. A grey picture needs no conversion.")
    return np.asarray(image, np.float64) @ np.array(GREY_WEIGHTS)
