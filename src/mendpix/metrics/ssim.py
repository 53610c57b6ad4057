"""Measure the structural similarity of two pictures. Knows nothing of holes: give it composites."""

import math
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from mendpix.errors import ShapeError
from mendpix.metrics.grey import to_grey
from mendpix.metrics.pair import check_pair
from mendpix.types import AnyArray, Image

Window = Literal["gaussian-11", "gaussian-11-zero", "uniform-51", "uniform-7"]
"""How neighbours are weighed, and what happens at the picture's border; see `ssim`."""

WINDOW_PX = 11
"""Side of the Gaussian window."""

SIGMA_PX = 1.5
"""Width of the Gaussian window."""

UNIFORM_PX: dict[Window, int] = {"uniform-51": 51, "uniform-7": 7}
"""Sides of the uniform windows."""

_C1 = 0.01**2  # constants of the paper, for a data range of 1
_C2 = 0.03**2

_Plane = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PlaneMeans:
    """What SSIM needs to know of one channel of one picture."""

    pixels: _Plane
    """The channel, shape (H, W)."""
    mean: _Plane
    """Mean within the window, at each of its positions."""
    variance: _Plane
    """Variance within the window, at each of its positions."""


@dataclass(frozen=True)
class WindowMeans:
    """What SSIM needs to know of one picture alone; worth keeping where a picture is compared several times."""

    window: Window
    planes: tuple[PlaneMeans, ...]


def ssim(prediction: Image, target: Image, *, window: Window = "gaussian-11", grey: bool = False) -> float:
    """Compute the mean structural similarity index; more is better, 1 = equal.

    Data range 1, k1 = 0.01, k2 = 0.03, each colour channel measured by itself and the mean taken over all of them. Four
    kinds of window are in use, and their numbers cannot be compared with each other:

    - "gaussian-11": Gaussian of 11 × 11 pixels with sigma 1.5, population covariance; mean over the pixels whose window
      lies inside the picture (a border of 5 pixels is left out). This is the index as Wang et al. defined it.
    - "gaussian-11-zero": the same window at every pixel of the picture, which continues black beyond its border, as in
      programs that use a convolution with padding.
    - "uniform-51": all 51 × 51 pixels weigh alike, sample covariance (divided by n - 1); mean over the pixels whose
      window lies inside the picture. Equals scikit-image's `structural_similarity` with ``win_size=51``.
    - "uniform-7": the same with 7 × 7 pixels, scikit-image's default.

    Source: Wang et al. 2004, https://doi.org/10.1109/TIP.2003.819861.

    Args:
        prediction: RGB in [0, 1], shape (H, W, 3), at least as large as the window.
        target: The same shape and range.
        window: Kind of window.
        grey: Measure one channel, grey by `metrics.grey`, in the place of three.

    Returns:
        Index in [-1, 1], without a unit.

    Raises:
        ShapeError: If the pictures are not two float arrays of one shape (H, W, 3), or are smaller than the window, or
            `window` is unknown.

    Example:
        >>> ssim(np.zeros((16, 16, 3)), np.zeros((16, 16, 3)))
        1.0
    """
    check_pair(prediction, target)
    first, second = (to_grey(prediction), to_grey(target)) if grey else (prediction, target)
    return ssim_against(first, window_means(second, window))


def window_means(image: AnyArray, window: Window) -> WindowMeans:
    """Prepare a target for `ssim_against`.

    Args:
        image: In [0, 1], shape (H, W) or (H, W, channels), at least as large as the window.
        window: As for `ssim`.

    Raises:
        ShapeError: If the picture is smaller than the window, or `window` is unknown.
    """
    side = _side(window)
    if min(image.shape[:2]) < (1 if window == "gaussian-11-zero" else side):
        raise ShapeError(
            f"prediction and target must be at least {side} × {side}, the window; got {image.shape}. "
            "Measure a smaller picture by psnr or l1."
        )
    return WindowMeans(window, tuple(_plane_means(plane, window) for plane in _planes(image)))


def ssim_against(prediction: AnyArray, target: WindowMeans) -> float:
    """Compute the index of a picture and a prepared target, see `ssim`.

    Args:
        prediction: In [0, 1], of the target's shape.
        target: Result of `window_means`.

    Raises:
        ShapeError: If the shapes differ.
    """
    planes = _planes(prediction)
    shapes = [plane.shape for plane in planes], [plane.pixels.shape for plane in target.planes]
    if shapes[0] != shapes[1]:
        raise ShapeError(
            f"prediction must have the target's channels, {shapes[1]}; got {shapes[0]}. Prepare both alike."
        )
    # Channel by channel: the temporaries of one fit into the processor's cache, which takes a third of the time.
    indices = [_index(plane, theirs, target.window) for plane, theirs in zip(planes, target.planes, strict=True)]
    return float(np.mean(indices))


def _planes(image: AnyArray) -> list[_Plane]:
    channels = [image] if image.ndim == 2 else [image[..., channel] for channel in range(image.shape[2])]
    return [np.ascontiguousarray(channel, np.float64) for channel in channels]


def _plane_means(pixels: _Plane, window: Window) -> PlaneMeans:
    mean = _mean(pixels, window)
    return PlaneMeans(pixels, mean, _variance(_mean(pixels * pixels, window), mean * mean, window))


def _index(pixels: _Plane, theirs: PlaneMeans, window: Window) -> float:
    ours = _plane_means(pixels, window)
    product = ours.mean * theirs.mean
    covariance = _variance(_mean(pixels * theirs.pixels, window), product, window)
    index = (2 * product + _C1) * (2 * covariance + _C2)
    index /= (ours.mean * ours.mean + theirs.mean * theirs.mean + _C1) * (ours.variance + theirs.variance + _C2)
    return float(index.mean())


def _side(window: Window) -> int:
    if window not in get_args(Window):
        raise ShapeError(f"the window must be one of {', '.join(get_args(Window))}; got {window!r}.")
    return UNIFORM_PX.get(window, WINDOW_PX)


def _mean(plane: _Plane, window: Window) -> _Plane:
    """Average within the window, at its positions inside the picture only; black beyond it if the window says so."""
    side = _side(window)
    edge = 0 if window == "gaussian-11-zero" else side // 2
    if window in UNIFORM_PX:
        means = cast(Any, cv2.boxFilter(plane, cv2.CV_64F, (side, side)))
    else:
        kernel = cv2.getGaussianKernel(side, SIGMA_PX, cv2.CV_64F)
        border = cv2.BORDER_DEFAULT if edge else cv2.BORDER_CONSTANT
        means = cast(Any, cv2.sepFilter2D(plane, cv2.CV_64F, kernel, kernel, borderType=border))
    return means[edge : plane.shape[0] - edge, edge : plane.shape[1] - edge]


def _variance(mean_of_products: _Plane, product_of_means: _Plane, window: Window) -> _Plane:
    """Return the (co)variance; that of the uniform windows is divided by n - 1, as scikit-image does."""
    spread = mean_of_products - product_of_means
    if window in UNIFORM_PX:
        spread *= _sample(window)
    return spread


def _sample(window: Window) -> float:
    return 1 / (1 - math.pow(_side(window), -2))
