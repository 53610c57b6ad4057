"""Find edges by Canny's method. Knows no network and no measure.

The steps and the thresholds are those that scikit-image's `canny` has by default, so that "Canny with sigma 1" means
here what it means in most papers; the tests hold both to the same answer.
"""

import math
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from mendpix.errors import ShapeError
from mendpix.types import AnyArray, Image

Edges = NDArray[np.bool_]
"""True where a pixel is an edge, shape (H, W)."""

GREY_WEIGHTS = (0.2125, 0.7154, 0.0721)
"""Shares of red, green and blue in grey: ITU-R BT.709, as scikit-image has them. No gamma is undone."""

LOW = 0.1
"""Gradient from which a pixel can be part of an edge; 1 = the data range."""

HIGH = 0.2
"""Gradient that an edge must reach somewhere along its length; 1 = the data range."""

REACH_SIGMAS = 4
"""Where the Gaussian is cut off, in sigmas."""

_LEAST_PX = 3  # below, there is no pixel that has all its neighbours


def find_edges(image: Image, sigma: float = 1.0, known: AnyArray | None = None) -> Edges:
    """Find the edges of a picture by Canny's method.

    1. Grey: 0.2125 R + 0.7154 G + 0.0721 B.
    2. A Gaussian of width `sigma`, cut off at four sigmas. What would come from beyond the border is left out, and the
       weights that remain are scaled to 1.
    3. Horizontal and vertical Sobel differences (weights 1, 2, 1; not normalised; the border mirrored with its pixels
       repeated) and their Euclidean norm, the gradient.
    4. Ridges: a pixel stays if its gradient is at least `LOW` = 0.1 and no smaller than the two values one step ahead
       and one step behind along the gradient, each interpolated between the two neighbours that the direction passes.
    5. Hysteresis: of the 8-connected pieces that are left, those stay that reach `HIGH` = 0.2 somewhere.

    Source: Canny 1986, https://doi.org/10.1109/TPAMI.1986.4767851.

    Args:
        image: RGB, shape (H, W, 3), at least 3 × 3. The thresholds are for a data range of 1.
        sigma: Width of the Gaussian, px, more than 0.
        known: Not 0 where the picture is known, shape (H, W): what is not known has no influence, and there are no
            edges on it or next to it. None = all is known.

    Returns:
        True on edges, shape (H, W); never on the outermost rows and columns.

    Raises:
        ShapeError: If `image` is no finite float array of that shape, `known` does not fit it, or `sigma` is not
            positive.
    """
    _check(image, sigma)
    grey = np.asarray(image, np.float64) @ np.array(GREY_WEIGHTS)
    whole = np.ones(grey.shape, np.bool_) if known is None else np.asarray(known) != 0
    if whole.shape != grey.shape:
        raise ShapeError(f"known must be {grey.shape} like its image; got {whole.shape}. Cut both alike.")
    smooth = _smooth(grey, sigma, whole)
    across = _sobel(smooth, 1, 0)
    down = _sobel(smooth, 0, 1)
    gradient = np.hypot(across, down)
    inner = cv2.erode(whole.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0  # known, and so are all neighbours
    weak = _ridges(gradient, across, down, inner)
    _, labels = cv2.connectedComponents(weak.astype(np.uint8), connectivity=8)
    pieces = np.asarray(labels)
    strong = np.unique(pieces[weak & (gradient >= HIGH)])
    return np.isin(pieces, strong)


def _smooth(grey: NDArray[np.float64], sigma: float, known: Edges) -> NDArray[np.float64]:
    """Blur within what is known: at its border the Gaussian's weights inside are scaled to 1."""
    kernel = cv2.getGaussianKernel(2 * int(REACH_SIGMAS * sigma + 0.5) + 1, sigma, cv2.CV_64F)

    def blur(plane: NDArray[np.float64]) -> NDArray[np.float64]:
        return cast(Any, cv2.sepFilter2D(plane, cv2.CV_64F, kernel, kernel, borderType=cv2.BORDER_CONSTANT))

    return blur(np.where(known, grey, 0)) / np.maximum(blur(known.astype(np.float64)), np.finfo(np.float64).eps)


def _sobel(plane: NDArray[np.float64], across: int, down: int) -> NDArray[np.float64]:
    return cast(Any, cv2.Sobel(plane, cv2.CV_64F, across, down, ksize=3, borderType=cv2.BORDER_REFLECT))


def _ridges(
    gradient: NDArray[np.float64], across: NDArray[np.float64], down: NDArray[np.float64], inner: Edges
) -> Edges:
    """Mark pixels, inner ones alone, from which the gradient falls, or stays, to both sides along its own direction."""
    candidate = inner & (gradient >= LOW)
    candidate[[0, -1]] = candidate[:, [0, -1]] = False  # the outermost pixels lack neighbours
    rows, columns = np.nonzero(candidate)
    x, y, own = across[rows, columns], down[rows, columns], gradient[rows, columns]
    # A step along the gradient passes between a straight neighbour and a diagonal one.
    step_x, step_y = np.sign(x).astype(int), np.sign(y).astype(int)
    steep = np.abs(y) > np.abs(x)
    straight_x, straight_y = np.where(steep, 0, step_x), np.where(steep, step_y, 0)
    diagonal = np.minimum(np.abs(x), np.abs(y)) / np.maximum(np.abs(x), np.abs(y))

    def met(way: int) -> NDArray[np.float64]:
        straight = gradient[rows + way * straight_y, columns + way * straight_x]
        return (1 - diagonal) * straight + diagonal * gradient[rows + way * step_y, columns + way * step_x]

    kept = (met(1) <= own) & (met(-1) <= own)
    ridges = np.zeros(gradient.shape, np.bool_)
    ridges[rows[kept], columns[kept]] = True
    return ridges


def _check(image: AnyArray, sigma: float) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or min(image.shape[:2]) < _LEAST_PX:
        raise ShapeError(
            f"image must be (H, W, 3) and at least {_LEAST_PX} × {_LEAST_PX}; got {image.shape}. "
            "Repeat a grey channel three times."
        )
    if not np.issubdtype(image.dtype, np.floating):
        raise ShapeError(f"image must be floats in [0, 1]; got {image.dtype}. Divide by its maximum.")
    if not np.isfinite(image).all():
        raise ShapeError("image must be finite; got NaN or infinity. Check what computed it.")
    if not (math.isfinite(sigma) and sigma > 0):
        raise ShapeError(f"sigma must be more than 0 px; got {sigma}. The usual value is 1.")
