"""The only place where known pixels and filled pixels come together. Knows no files, no modes and no networks."""

import numpy as np

from mendpix.errors import ShapeError
from mendpix.types import FloatArray, Mask


def composite(image: FloatArray, prediction: FloatArray, hole: Mask) -> FloatArray:
    """Keep the known pixels of `image` and take the hole from `prediction`.

    Args:
        image: Float32, shape (H, W, 3); any number of channels and any finite range will do.
        prediction: Same shape and range; values where `hole` is 0 are ignored.
        hole: 1 = hole, 0 = known, values between blend (a feathered hole). Float32, shape (H, W).

    Returns:
        New array like `image`: its bit-exact copy where `hole` is 0, bit-exact `prediction` where `hole` is 1.

    Raises:
        ShapeError: If a shape or dtype differs from the above, or `hole` leaves [0, 1].

    Example:
        >>> grey, white = np.full((1, 2, 3), 0.5, np.float32), np.ones((1, 2, 3), np.float32)
        >>> composite(grey, white, np.array([[0, 1]], np.float32))[0, :, 0].tolist()
        [0.5, 1.0]
    """
    _check(image, prediction, hole)
    result = image.copy()
    filled = hole == 1
    result[filled] = prediction[filled]
    soft = (hole > 0) & (hole < 1)
    if soft.any():
        share = hole[soft][:, None]
        result[soft] = share * prediction[soft] + (1 - share) * image[soft]
    return result


def _check(image: FloatArray, prediction: FloatArray, hole: Mask) -> None:
    for name, array in (("image", image), ("prediction", prediction), ("hole", hole)):
        if array.dtype != np.float32:
            raise ShapeError(f"{name} must be float32; got {array.dtype}. Convert it with {name}.astype(np.float32).")
    if image.ndim != 3:
        raise ShapeError(
            f"image must be (H, W, 3); got {image.shape}. Add the missing axis, for instance image[..., None]."
        )
    if prediction.shape != image.shape:
        raise ShapeError(
            f"prediction must have the shape of image, {image.shape}; got {prediction.shape}."
            " Crop or resize it to the picture first."
        )
    if hole.shape != image.shape[:2]:
        raise ShapeError(
            f"hole must be (H, W) = {image.shape[:2]} like its image; got {hole.shape}."
            " Take a single plane of the same size."
        )
    if hole.size and not (hole.min() >= 0 and hole.max() <= 1):  # a NaN fails both comparisons
        raise ShapeError(f"hole must lie in [0, 1]; got values from {hole.min()} to {hole.max()}. Use masks.binarise.")
