"""Measure how far two sets of vectors are apart as Gaussians. Knows no pictures, only vectors."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from mendpix.errors import ShapeError
from mendpix.types import AnyArray

Vector = NDArray[np.float64]
"""Shape (dimensions,)."""

Matrix = NDArray[np.float64]
"""Symmetric, shape (dimensions, dimensions)."""

_LEAST_VECTORS = 2  # one has no covariance


class Moments:
    """Mean and covariance of vectors that come one by one or in batches; memory does not grow with their number.

    Sums of squares are taken about the running mean, in double precision, so that nothing cancels where the mean is
    large (Chan et al. 1983, https://doi.org/10.1080/00031305.1983.10483115).

    Example:
        >>> moments = Moments(2)
        >>> moments.add(np.array([[1.0, 0.0], [3.0, 0.0]]))
        >>> moments.mean.tolist(), moments.covariance.tolist()
        ([2.0, 0.0], [[2.0, 0.0], [0.0, 0.0]])
    """

    def __init__(self, dimensions: int) -> None:
        """Start with no vectors of `dimensions` numbers each.

        Raises:
            ShapeError: If `dimensions` is less than 1.
        """
        if dimensions < 1:
            raise ShapeError(f"vectors must have at least 1 dimension; got {dimensions}.")
        self._count = 0
        self._mean = np.zeros(dimensions)
        self._spread = np.zeros((dimensions, dimensions))  # sum of outer squares about the mean

    @property
    def count(self) -> int:
        """Number of vectors so far."""
        return self._count

    @property
    def mean(self) -> Vector:
        """Mean so far, shape (dimensions,); zeros if there are no vectors."""
        return self._mean.copy()

    @property
    def covariance(self) -> Matrix:
        """Unbiased covariance so far (divided by count - 1), shape (dimensions, dimensions).

        With up to as many vectors as dimensions it is singular: its rank is at most count - 1.

        Raises:
            ShapeError: If there are fewer than two vectors.
        """
        if self._count < _LEAST_VECTORS:
            raise ShapeError(f"a covariance needs at least {_LEAST_VECTORS} vectors; got {self._count}. Add more.")
        return self._spread / (self._count - 1)

    def add(self, vectors: AnyArray) -> None:
        """Take in one vector or a batch.

        Args:
            vectors: Finite floats, shape (dimensions,) or (vectors, dimensions).

        Raises:
            ShapeError: If the shape is another, or a value is not finite.
        """
        batch = np.atleast_2d(np.asarray(vectors, np.float64))
        if batch.ndim != 2 or batch.shape[1] != len(self._mean):
            raise ShapeError(
                f"vectors must be ({len(self._mean)},) or (vectors, {len(self._mean)}); got {np.shape(vectors)}."
            )
        if not np.isfinite(batch).all():
            raise ShapeError("vectors must be finite; got NaN or infinity. Check what computed them.")
        if len(batch):
            mean = batch.mean(axis=0)
            centred = batch - mean
            self._take(len(batch), mean, centred.T @ centred)

    def merge(self, other: Self) -> None:
        """Take in all vectors that another has seen.

        Raises:
            ShapeError: If its vectors have another number of dimensions.
        """
        if len(other._mean) != len(self._mean):
            raise ShapeError(f"both must have {len(self._mean)} dimensions; got {len(other._mean)}.")
        if other._count:
            self._take(other._count, other._mean, other._spread)

    def _take(self, count: int, mean: Vector, spread: Matrix) -> None:
        total = self._count + count
        step = mean - self._mean
        self._spread += spread + np.outer(step, step) * (self._count * count / total)
        self._mean = self._mean + step * (count / total)
        self._count = total


def frechet_distance(mean_a: AnyArray, cov_a: AnyArray, mean_b: AnyArray, cov_b: AnyArray) -> float:
    """Compute ‖μ_a − μ_b‖² + tr(A + B − 2 (A B)^½), the squared Fréchet distance of two Gaussians; 0 = equal.

    In the square of the vectors' unit; symmetric. The trace of (A B)^½ is the sum of the singular values of A^½ B^½,
    with both roots from symmetric eigen-decompositions: nothing turns complex, and singular matrices need no padding.
    Eigenvalues below the rounding error of the largest count as 0.

    Covariances estimated from few vectors make the distance too large, the more so the fewer they are: with n vectors
    of d dimensions, d ≥ n, their ranks are at most n - 1. Compare only distances from the same number of vectors.
    Sources: Dowson and Landau 1982, https://doi.org/10.1016/0047-259X(82)90077-X; Heusel et al. 2017,
    https://arxiv.org/abs/1706.08500.

    Args:
        mean_a: Shape (dimensions,).
        cov_a: Symmetric, no negative eigenvalues, shape (dimensions, dimensions).
        mean_b: Like `mean_a`.
        cov_b: Like `cov_a`.

    Returns:
        Distance, at least 0.

    Raises:
        ShapeError: If a shape is another, a value is not finite, or a covariance is not symmetric.

    Example:
        >>> frechet_distance(np.zeros(2), np.eye(2), np.array([3.0, 4.0]), 4 * np.eye(2))  # 25 and two times (2 - 1)²
        27.0
    """
    first, second = (np.asarray(mean, np.float64) for mean in (mean_a, mean_b))
    a, b = (np.asarray(covariance, np.float64) for covariance in (cov_a, cov_b))
    _check(first, second, a, b)
    difference = first - second
    roots = np.linalg.svd(_square_root(a) @ _square_root(b), compute_uv=False)
    spread = float(np.trace(a) + np.trace(b) - 2 * roots.sum())
    return float(difference @ difference) + max(spread, 0.0)


def _square_root(covariance: Matrix) -> Matrix:
    values, vectors = np.linalg.eigh(covariance)
    values[values < values.max() * len(values) * np.finfo(np.float64).eps] = 0
    return (vectors * np.sqrt(values)) @ vectors.T


def _check(first: Vector, second: Vector, a: Matrix, b: Matrix) -> None:
    if first.ndim != 1 or not first.size or second.shape != first.shape:
        raise ShapeError(f"both means must be (dimensions,), at least 1; got {first.shape} and {second.shape}.")
    square = (first.size, first.size)
    if a.shape != square or b.shape != square:
        raise ShapeError(f"both covariances must be {square} like their means; got {a.shape} and {b.shape}.")
    for array in (first, second, a, b):
        if not np.isfinite(array).all():
            raise ShapeError("means and covariances must be finite; got NaN or infinity. Check what computed them.")
    for covariance in (a, b):
        if not np.allclose(covariance, covariance.T, rtol=1e-6, atol=1e-9 * max(1.0, float(np.abs(covariance).max()))):
            raise ShapeError("a covariance must be symmetric; got one that is not. Use Moments, or numpy.cov.")
