"""Draw pictures anew many times: how far sums over pairs swing, and how often chance alone reaches a difference.

Pairs that share a picture are not independent, so a picture is always taken with all its pairs. Every value goes with
the same draws. Knows no model and no measure: values come as integers on a grid, and every sum of them is exact, so
that a result does not depend on the number of threads, the processor or the size of a chunk.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mendpix.evaluation.results import FloatVector, Pairs

Floats = NDArray[np.float64]

CHUNK_BYTES = 16 * 2**20
"""Size of a chunk of draws; about four of that size are held at a time."""

EXACT_BITS = 51
"""Sums of integers stay below 2 to this power, so that doubles hold them, and differences of two, exactly."""

LARGEST_EXPONENT = 1000
"""No unit of the grid is smaller than 2 to minus this power: there doubles end."""


@dataclass(frozen=True, eq=False)
class Column:
    """The pairs of one bin."""

    pairs: NDArray[np.int64]
    """Numbers of the pairs, those of a picture side by side, shape (pairs,)."""
    starts: NDArray[np.int64]
    """Where the pairs of each picture begin in `pairs`, shape (pictures,)."""
    pictures: NDArray[np.int64]
    """Numbers of the pictures, rising, shape (pictures,)."""

    def sums(self, values: Floats) -> Floats:
        """Sum over the pairs of each picture: (all pairs, V) to (pictures of the column, V)."""
        return np.add.reduceat(values[self.pairs], self.starts, axis=0)


class Layout:
    """Which pairs lie in which bin and share which picture."""

    def __init__(self, pairs: Pairs) -> None:
        numbers = np.unique(pairs.pictures, return_inverse=True)[1]
        self.pictures = int(numbers.max()) + 1
        """How many pictures there are."""
        self.most_pairs = int(np.bincount(numbers).max())
        """How many pairs the picture with most of them has."""
        self.bins = [_column(numbers, np.flatnonzero(pairs.bins == number)) for number in range(len(pairs.bin_names))]
        """One column per bin."""
        self.all = _column(numbers, np.arange(len(numbers)))
        """The column of all pairs."""

    @property
    def columns(self) -> list[Column]:
        """The bins, then all pairs; of a single bin only that, since it is all pairs."""
        return [*self.bins, self.all] if len(self.bins) > 1 else self.bins

    def own(self, values: NDArray[Any]) -> NDArray[Any]:
        """Sum over all pairs of each column: (pairs, V) to (V, columns)."""
        return np.stack([values[column.pairs].sum(axis=0) for column in self.columns], axis=1)

    def to_grid(self, values: Floats) -> tuple[Floats, float]:
        """Round to whole numbers of one unit, as fine as exact sums allow; what is not finite becomes 0.

        The unit is at most 2 to the power of -49 × pictures × most pairs of a picture × largest value: with 12,000
        pictures of six pairs each some 1e-10 of the largest value.

        Args:
            values: Any numbers, with one unit for all of them.

        Returns:
            Whole numbers, same shape, and the unit.
        """
        finite = np.where(np.isfinite(values), values, 0.0)
        largest = float(np.abs(finite).max(initial=0.0))
        exponent = EXACT_BITS - int(np.frexp(self.pictures * self.most_pairs)[1]) - int(np.frexp(largest)[1])
        exponent = min(exponent, LARGEST_EXPONENT)
        return np.rint(np.ldexp(finite, exponent)), float(np.ldexp(1.0, -exponent))


class Bootstrap:
    """Ratios of sums over pictures drawn with replacement, as many as there are."""

    def __init__(self, layout: Layout, *, resamples: int, seed: int) -> None:
        self._layout = layout
        self._resamples = resamples
        self._seed = seed

    def sums(self, values: Floats) -> Floats:
        """Sum values over every resample.

        Args:
            values: On the grid, shape (pairs, V).

        Returns:
            Shape (V, columns, resamples).
        """
        found = np.empty((values.shape[1], len(self._layout.columns), self._resamples))
        draws = _drawn_pictures(self._layout.pictures, _chunks(self._resamples, self._layout.pictures), self._seed)
        start = 0
        for sums in _products(self._layout, values, draws):
            found[..., start : start + sums.shape[-1]] = sums
            start += sums.shape[-1]
        return found


class SignFlips:
    """Tests by sums over pictures with drawn signs: what a difference could be if two models were interchangeable."""

    def __init__(self, layout: Layout, *, flips: int, seed: int) -> None:
        self._layout = layout
        self._flips = flips
        self._seed = seed

    def test(self, values: Floats, differences: Sequence[tuple[int, ...]]) -> Floats:
        """Test, in each column, whether a difference is zero; two-sided.

        Where all drawings of signs are no more than would be drawn, each of them is looked at once, and p is exact.

        Args:
            values: On the grid, shape (pairs, V).
            differences: Two places in V, the second to be subtracted from the first, or the one place of a difference.

        Returns:
            p, shape (differences, columns); 1 for differences that are all 0.
        """
        columns = self._layout.columns
        width = max(self._layout.pictures, values.shape[1] * len(columns))
        if not differences:
            return np.empty((0, len(columns)))
        observed = self._layout.own(values)
        own = np.abs(np.stack([_subtract(observed, places) for places in differences]))
        # Values were rounded to whole numbers: sums that would be alike without that differ by no more than this.
        least = own - 2.0 * np.array([len(column.pairs) for column in columns])  # (differences, columns)

        exact = [_is_exact(len(column.pictures), self._flips) for column in columns]
        reached = np.zeros_like(own)
        if not all(exact):
            draws = _drawn_signs(self._layout.pictures, _chunks(self._flips, width), self._seed)
            for sums in _products(self._layout, values, draws):
                for line, places in enumerate(differences):
                    drawn = np.abs(_subtract(sums, places)) >= least[line, :, None]
                    reached[line] += np.count_nonzero(drawn, axis=1)
        p_values = (1 + reached) / (1 + self._flips)
        for place in np.flatnonzero(exact):
            sums = (_all_signs(len(columns[place].pictures)) @ columns[place].sums(values)).T
            for line, places in enumerate(differences):
                p_values[line, place] = np.mean(np.abs(_subtract(sums, places)) >= least[line, place])
        return p_values


def least_p(pictures: int, flips: int) -> float:
    """Give the smallest p that a test of `SignFlips` can have: that of differences with one sign.

    Args:
        pictures: How many have a difference.
        flips: Drawings of signs.

    Example:
        >>> least_p(3, 10_000), least_p(8, 10_000), least_p(500, 9_999)
        (0.25, 0.0078125, 0.0001)
    """
    if _is_exact(pictures, flips):
        return 2.0 ** (1 - max(pictures, 1))
    return 1 / (1 + flips)


def count_least_pictures(p: float, flips: int) -> int:
    """Give how many pictures a difference must have, at least, for a test of `SignFlips` to find so small a p.

    Args:
        p: The largest that is wanted; no smaller than what so many drawings can find.
        flips: Drawings of signs.

    Example:
        >>> count_least_pictures(0.05, 10_000), count_least_pictures(0.05 / 12, 10_000)
        (6, 9)
    """
    return next(pictures for pictures in range(1, flips.bit_length() + 1) if least_p(pictures, flips) <= p)


def percentiles(values: Floats, shares: tuple[float, float]) -> Floats:
    """Give two percentiles along the last axis, with linear interpolation; NaN is left out.

    Args:
        values: Shape (..., N). May be put into another order.
        shares: Both in [0, 1].

    Returns:
        Shape (2, ...); NaN where there is nothing but NaN.
    """
    unknown = np.isnan(values)
    if unknown.any():
        flat = values.reshape(-1, values.shape[-1])
        found = np.full((2, len(flat)), np.nan)
        for place, (line, left_out) in enumerate(zip(flat, unknown.reshape(flat.shape), strict=True)):
            if not left_out.all():
                found[:, place] = percentiles(line[~left_out], shares)
        return found.reshape(2, *values.shape[:-1])
    places = [share * (values.shape[-1] - 1) for share in shares]
    ends = sorted({end for place in places for end in (int(place), min(int(place) + 1, values.shape[-1] - 1))})
    values.partition(ends, axis=-1)
    found = [
        values[..., int(place)]
        + (place - int(place)) * (values[..., min(int(place) + 1, values.shape[-1] - 1)] - values[..., int(place)])
        for place in places
    ]
    return np.stack(found)


def correct_by_holm(p_values: FloatVector, level: float) -> NDArray[np.bool_]:
    """Tell which of several tests remain significant when all are looked at together, by Holm's step-down rule.

    Args:
        p_values: One per test, shape (tests,); NaN = not tested, and not counted.
        level: How often at most one or more of the true null hypotheses may be rejected, such as 0.05.

    Example:
        >>> correct_by_holm(np.array([0.01, 0.04, 0.03]), 0.05).tolist()
        [True, False, False]
    """
    found = np.zeros(p_values.shape, np.bool_)
    tested = np.flatnonzero(~np.isnan(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    steps = level / np.arange(len(order), 0, -1)
    failed = np.flatnonzero(p_values[order] > steps)
    found[order[: failed[0] if len(failed) else len(order)]] = True
    return found


def _column(numbers: NDArray[np.int64], pairs: NDArray[np.int64]) -> Column:
    order = pairs[np.argsort(numbers[pairs], kind="stable")]
    pictures, starts = np.unique(numbers[order], return_index=True)
    return Column(order, starts.astype(np.int64), pictures)


def _is_exact(pictures: int, flips: int) -> bool:
    """Tell whether all combinations of signs are no more than would be drawn."""
    return pictures < flips.bit_length()


def _subtract(values: Floats, places: tuple[int, ...]) -> Floats:
    first, *second = places
    return values[first] - values[second[0]] if second else values[first]


def _chunks(total: int, width: int) -> Iterator[int]:
    rows = max(1, CHUNK_BYTES // (8 * width))
    for start in range(0, total, rows):
        yield min(rows, total - start)


def _drawn_pictures(pictures: int, chunks: Iterator[int], seed: int) -> Iterator[Floats]:
    """Yield how often each picture is in each resample, (rows, pictures); the stream does not depend on the chunks."""
    generator = np.random.default_rng(seed)
    for rows in chunks:
        drawn = generator.integers(0, pictures, (rows, pictures))
        drawn += np.arange(rows)[:, None] * pictures
        yield np.bincount(drawn.ravel(), minlength=rows * pictures).reshape(rows, pictures).astype(np.float64)


def _drawn_signs(pictures: int, chunks: Iterator[int], seed: int) -> Iterator[Floats]:
    """Yield the sign of each picture in each drawing, (rows, pictures); the stream does not depend on the chunks."""
    generator = np.random.default_rng(seed)
    for rows in chunks:
        words = generator.integers(0, 2**64, (rows, -(-pictures // 64)), np.uint64).astype("<u8")
        yield 2 * np.unpackbits(words.view(np.uint8), axis=1, count=pictures).astype(np.float64) - 1


def _all_signs(pictures: int) -> Floats:
    """Return every combination of signs, (2 to the power of pictures, pictures)."""
    return (np.arange(2**pictures)[:, None] >> np.arange(pictures) & 1) * 2.0 - 1.0


def _products(layout: Layout, values: Floats, draws: Iterator[Floats]) -> Iterator[Floats]:
    """Multiply weights by picture with sums by picture, for every bin; all of several bins are the last column.

    Yields:
        Shape (V, columns, rows of the weights).
    """
    sums = [column.sums(values) for column in layout.bins]
    for weights in draws:
        found = np.zeros((values.shape[1], len(layout.columns), len(weights)))
        for place, (column, column_sums) in enumerate(zip(layout.bins, sums, strict=True)):
            met = weights if len(column.pictures) == layout.pictures else weights[:, column.pictures]
            found[:, place] = (met @ column_sums).T
            if len(sums) > 1:
                found[:, -1] += found[:, place]
        yield found
