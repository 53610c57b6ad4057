"""Check the two pictures that every metric compares. Knows no metric."""

import numpy as np

from mendpix.errors import ShapeError
from mendpix.types import AnyArray


def check_pair(prediction: AnyArray, target: AnyArray) -> None:
    """Refuse two arrays that are not pictures of the same size.

    The range is not checked: values outside [0, 1] are measured as they are, so clip a raw prediction first.

    Args:
        prediction: Floating point, shape (H, W, 3).
        target: The same shape.

    Raises:
        ShapeError: If the shapes differ, are not (H, W, 3), or the arrays are not of a floating-point type.
    """
    if prediction.shape != target.shape or prediction.ndim != 3 or prediction.shape[2] != 3:
        raise ShapeError(
            f"prediction and target must both be (H, W, 3); got {prediction.shape} and {target.shape}. "
            "Resize one to the other, or repeat a grey channel three times."
        )
    for array in (prediction, target):
        if not np.issubdtype(array.dtype, np.floating):
            raise ShapeError(
                f"prediction and target must be floats in [0, 1]; got {array.dtype}. Divide by its maximum."
            )
