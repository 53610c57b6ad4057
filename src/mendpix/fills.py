"""Classical fills: harmonic, Navier–Stokes and Telea. They start every network of ours and serve as its baselines.

NumPy and OpenCV only. Knows nothing of files, windows or models: a picture and a hole in, the filled picture out, the
known pixels bit for bit as they were.
"""

import cv2
import numpy as np

from mendpix.errors import MaskError, ShapeError
from mendpix.types import AnyArray, FloatArray, Image, Mask

NEIGHBOURS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32) / 4
"""Mean of the four neighbours: one Jacobi sweep of the Laplace equation."""

SWEEPS = 16
"""Jacobi sweeps at full resolution; twice as many at each coarser level, where they are cheap and reach further."""

MOST_SWEEPS = 128
"""Sweeps at one level at most."""

INPAINT_RADIUS_PX = 3.0
"""Neighbourhood that OpenCV's two methods look at, px."""

FIRST_FILL_RADIUS_PX = 2.0
"""The same for the first fill of a network: costs 60 % of 3 px for 0.07 dB less (mean of six bins, 20 pictures)."""


THINNEST_PX = 4
"""Pictures thinner than this are widened for OpenCV."""


def harmonic(image: FloatArray, hole: Mask, *, sweeps: int = SWEEPS) -> FloatArray:
    """Fill the hole with the smoothest surface that meets its border (Laplace's equation, a soap film).

    Solved coarse to fine: a pyramid of known-pixel means gives each level its start, Jacobi sweeps settle it. The
    borders of the picture are free (no gradient across them).

    Args:
        image: Any number of channels, any range, shape (H, W, C); what lies in the hole is ignored.
        hole: 1 = fill, 0 = known, shape (H, W). At least one pixel must be known.
        sweeps: Jacobi sweeps at full resolution; doubled at each coarser level.

    Returns:
        New array like `image`; bit-exact copy where `hole` is 0.

    Raises:
        ShapeError: If the sizes differ.
        MaskError: If no pixel is known.

    Example:
        >>> harmonic(np.ones((4, 4, 3), np.float32), np.eye(4, dtype=np.float32)).min()
        np.float32(1.0)
    """
    _check(image, hole)
    missing = hole > 0
    known = np.where(missing, np.float32(0), np.float32(1))
    values: list[FloatArray] = [np.where(missing[..., None], np.float32(0), image)]
    weights: list[FloatArray] = [known]
    while weights[-1].min() == 0:  # up to the level where every cell knows something
        height, width = weights[-1].shape
        if max(height, width) == 1:
            break
        size = ((width + 1) // 2, (height + 1) // 2)
        even = (-height % 2, -width % 2)
        weight = cv2.copyMakeBorder(weights[-1], 0, even[0], 0, even[1], cv2.BORDER_CONSTANT, value=0)
        value = cv2.copyMakeBorder(values[-1], 0, even[0], 0, even[1], cv2.BORDER_CONSTANT, value=0)
        # Means of the known pixels of each 2 x 2 cell; cells without any stay unknown.
        total = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)
        mean = _channels(cv2.resize(value, size, interpolation=cv2.INTER_AREA))
        some = total > 0
        values.append(np.where(some[..., None], mean / np.maximum(total, 1e-6)[..., None], np.float32(0)))
        weights.append(some.astype(np.float32))

    filled = values[-1]
    for level in range(len(values) - 2, -1, -1):
        value, weight = values[level], weights[level]
        height, width = weight.shape
        unknown = (weight == 0).astype(np.uint8)
        coarse = _channels(cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR))
        filled = value.copy()
        cv2.copyTo(coarse, unknown, filled)
        rounds = max(sweeps, min(sweeps << level, MOST_SWEEPS))
        for _ in range(rounds):
            average = _channels(cv2.filter2D(filled, -1, NEIGHBOURS, borderType=cv2.BORDER_REPLICATE))
            cv2.copyTo(average, unknown, filled)
    return np.where(missing[..., None], filled, image).astype(image.dtype, copy=False)


def navier_stokes(image: Image, hole: Mask, *, radius_px: float = INPAINT_RADIUS_PX) -> Image:
    """Fill the hole by carrying its border's edges inwards (Bertalmio et al. 2001, OpenCV's `INPAINT_NS`).

    Args:
        image: RGB in [0, 1], shape (H, W, 3). The fill is computed on 8 bits a channel, as OpenCV asks.
        hole: 1 = fill, 0 = known, shape (H, W). At least one pixel must be known.
        radius_px: Neighbourhood that is looked at.

    Returns:
        New array like `image`; bit-exact copy where `hole` is 0.

    Raises:
        ShapeError: If the sizes differ or the picture has not three channels.
        MaskError: If no pixel is known.
    """
    return _opencv(image, hole, radius_px, cv2.INPAINT_NS)


def telea(image: Image, hole: Mask, *, radius_px: float = INPAINT_RADIUS_PX) -> Image:
    """Fill the hole by fast marching from its border (Telea 2004, OpenCV's `INPAINT_TELEA`).

    Arguments, result and errors are those of `navier_stokes`.
    """
    return _opencv(image, hole, radius_px, cv2.INPAINT_TELEA)


def first_fills(
    image: Image, hole: Mask, guide: Image | None = None, *, radius_px: float = FIRST_FILL_RADIUS_PX
) -> FloatArray:
    """Compute the two fills that `scenes` starts from, in training and in use.

    Args:
        image: RGB in [0, 1], shape (H, W, 3).
        hole: 1 = fill, 0 = known, shape (H, W).
        guide: A coarse fill, like `image`, that takes the place of both.
        radius_px: Neighbourhood that the Navier–Stokes fill looks at; a model keeps the one it was trained with.

    Returns:
        Harmonic and Navier–Stokes fill side by side, shape (H, W, 6).

    Raises:
        ShapeError: If the sizes differ.
        MaskError: If no pixel is known and there is no guide.
    """
    if guide is not None:  # a window deep in a large hole may know no pixel at all
        _check_sizes(image, hole)
        _check_sizes(guide, hole)
        guide = np.where(hole[..., None] > 0, guide, image)
        return np.concatenate([guide, guide], axis=2)
    return np.concatenate([harmonic(image, hole), navier_stokes(image, hole, radius_px=radius_px)], axis=2)


def _opencv(image: Image, hole: Mask, radius_px: float, method: int) -> Image:
    _check(image, hole)
    if image.shape[2] != 3:
        raise ShapeError(f"image must be (H, W, 3); got {image.shape}. Repeat a grey channel three times.")
    missing = hole > 0
    eight_bit = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    eight_bit[missing] = 0  # nothing under the hole may leak into the fill
    height, width = missing.shape
    below, right = max(0, THINNEST_PX - height), max(0, THINNEST_PX - width)
    if below or right:  # OpenCV reads beyond pictures that are thinner
        eight_bit = cv2.copyMakeBorder(eight_bit, 0, below, 0, right, cv2.BORDER_REPLICATE)
        missing = np.pad(missing, ((0, below), (0, right)), mode="edge")
    filled = cv2.inpaint(eight_bit, missing.astype(np.uint8), radius_px, method)[:height, :width]
    missing = missing[:height, :width]
    return np.where(missing[..., None], filled.astype(np.float32) / 255, image).astype(np.float32, copy=False)


def _channels(array: AnyArray) -> FloatArray:
    """Give back the channel axis that OpenCV drops for one channel."""
    return np.asarray(array if array.ndim == 3 else array[..., None], np.float32)


def _check(image: FloatArray, hole: Mask) -> None:
    _check_sizes(image, hole)
    if bool((hole > 0).all()):
        raise MaskError(
            "hole must leave at least one pixel known; got a mask without any. There is nothing to fill from."
        )


def _check_sizes(image: FloatArray, hole: Mask) -> None:
    if image.ndim != 3 or hole.shape != image.shape[:2]:
        raise ShapeError(
            f"image must be (H, W, C) and hole (H, W) of the same size; got {image.shape} and {hole.shape}. "
            "Resize the mask to the picture first."
        )
