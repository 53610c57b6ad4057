"""Compare models on the pairs of one protocol: means with intervals, differences with intervals and tests.

**Intervals** are percentile bootstraps over the pictures: a resample draws as many pictures as there are, with
replacement, each with all its pairs, because pairs that share a picture are not independent. Every model and measure
sees the same resamples. A column in which fewer than two pictures have a value has no interval (NaN).

**Tests** are two-sided sign-flip permutation tests over the pictures: if two models were interchangeable, the
differences of a picture's pairs, all together, could as well have the other sign. Whether a difference is *significant*
is said after Holm's correction over all comparisons of one measure, in all columns: every two models in every bin and
over all pairs. A single bin is all pairs: it is compared once, and what is found stands under both names. A difference
in so few pictures that no p could be small enough after correction is not tested, nor counted (`Difference.too_few`).

**Not a number** (not measured, or it means nothing for a pair) is left out, and `Estimate.pairs` says how many pairs
are left; a difference is over the pairs that both models have. **Infinite** values, which some programs print for equal
pictures, make a column's mean and interval infinite, and there is no test (NaN); two of one sign differ by 0.

Knows no picture and no model, only numbers; writes nothing.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mendpix.errors import InputError
from mendpix.evaluation.measures import MEASURES, TRUTH_MEASURES, Measure
from mendpix.evaluation.resampling import (
    Bootstrap,
    Floats,
    Layout,
    SignFlips,
    correct_by_holm,
    count_least_pictures,
    least_p,
    percentiles,
)
from mendpix.evaluation.results import ALL, Evaluation, FloatVector, Pairs

_T = TypeVar("_T")

RESAMPLES = 10_000
"""Resamples of the bootstrap."""

FLIPS = 10_000
"""Least number of drawings of signs in a test; see `count_flips`."""

SEED = 0
LEVEL = 95
"""Percent of the resamples that an interval holds; 100 less this is the level of the tests, after correction."""

ANY_MEASURES: Mapping[str, Measure] = {**MEASURES, **TRUTH_MEASURES}
"""Measures of pairs and of untouched pictures, by name."""

BLOCK_BYTES = 48 * 2**20
"""Measures are taken together as long as their resampled sums need no more than this."""


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval."""

    mean: float
    """NaN if no pair has a value."""
    low: float
    """Lower end of the interval; NaN if fewer than two pictures have a value."""
    high: float
    """Upper end, likewise."""
    pairs: int
    """How many pairs have a value."""

    @property
    def half_width(self) -> float:
        """Half the width of the interval; NaN if there is none, or if it is infinite."""
        return (self.high - self.low) / 2 if math.isfinite(self.high - self.low) else math.nan

    def negated(self) -> "Estimate":
        """Return the same with the sign changed."""
        return Estimate(0.0 - self.mean, 0.0 - self.high, 0.0 - self.low, self.pairs)


@dataclass(frozen=True)
class Difference:
    """How two models differ in one measure, pair by pair."""

    estimate: Estimate
    """Positive = the first is better; where more is neither better nor worse: the first has more."""
    p: float
    """Two-sided, of this test alone; NaN if there is nothing to test."""
    significant: bool
    """Whether it holds when all comparisons of the measure are looked at together; False if it was not tested."""
    too_few: bool = False
    """Whether it was not tested because no difference in so few pictures could be significant."""

    def negated(self) -> "Difference":
        """Return the same for the two models in the other order."""
        return replace(self, estimate=self.estimate.negated())


Estimates = Mapping[str, Estimate]
"""Column -> estimate."""

Differences = Mapping[str, Difference]
"""Column -> difference."""


@dataclass(frozen=True, eq=False)
class Summary:
    """What an evaluation comes to."""

    evaluation: Evaluation
    means: Mapping[str, Mapping[str, Estimates]]
    """Model -> measure -> column -> estimate; all of them, also where nothing was measured."""
    truth: Mapping[str, Estimates]
    """Measure of the untouched pictures -> column -> estimate."""
    differences: Mapping[tuple[str, str], Mapping[str, Differences]]
    """Two models, in the order of the evaluation -> measure -> column -> difference."""
    resamples: int = RESAMPLES
    seed: int = SEED
    flips: int = FLIPS
    comparisons: int = 0
    """How many comparisons each measure has: every two models in every distinct column."""
    least_pictures: int = 0
    """From how many pictures on a difference is tested; 0 if there is nothing to compare."""
    least_p: Mapping[str, float] = field(default_factory=dict[str, float])
    """Column -> the smallest p that a test can have with as many pictures as it holds."""

    def difference(self, first: str, second: str, measure: str, column: str = ALL) -> Difference:
        """Give the difference of two models in any order; positive = `first` is better.

        Raises:
            KeyError: If a model is not in the evaluation, or both are the same.
        """
        if (first, second) in self.differences:
            return self.differences[first, second][measure][column]
        return self.differences[second, first][measure][column].negated()


def summarise(evaluation: Evaluation, *, resamples: int = RESAMPLES, seed: int = SEED) -> Summary:
    """Compute means, differences, intervals and tests: the same for the same numbers, to the last digit.

    Args:
        evaluation: What was measured.
        resamples: How often pictures are drawn anew for the intervals.
        seed: Of the random numbers.

    Raises:
        InputError: If there are no pairs, models or resamples, a vector has another length than the pairs, two models
            have one name, or a measure is unknown.
    """
    _check(evaluation, resamples)
    pairs, names = evaluation.pairs, [model.name for model in evaluation.models]
    couples = list(combinations(range(len(names)), 2))
    comparisons = len(couples) * len(pairs.distinct_columns)
    flips = count_flips(comparisons)
    layout = Layout(pairs)
    drawings = Bootstrap(layout, resamples=resamples, seed=seed), SignFlips(layout, flips=flips, seed=seed)
    limit = BLOCK_BYTES // (8 * resamples * len(layout.columns))
    least_pictures = count_least_pictures((1 - LEVEL / 100) / comparisons, flips) if comparisons else 0
    compare = partial(_compare, layout, *drawings, least_pictures)

    nothing = np.full(len(pairs.keys), np.nan)
    truth = (_Drawn.of(layout, measure, [values], []) for measure, values in evaluation.truth.items())
    measured = (
        _Drawn.of(layout, measure, [model.values.get(measure, nothing) for model in evaluation.models], couples)
        for measure in evaluation.measures
    )
    of_truth = {
        drawn.measure: _in_columns(pairs, found[0])
        for block in _blocks(truth, limit)
        for drawn, found, _ in compare(block)
    }
    means: dict[str, dict[str, Estimates]] = {name: {} for name in names}
    differences: dict[tuple[str, str], dict[str, Differences]] = {(names[a], names[b]): {} for a, b in couples}
    for block in _blocks(measured, limit):
        for drawn, found, compared in compare(block):
            for name, estimates in zip(names, found, strict=True):
                means[name][drawn.measure] = _in_columns(pairs, estimates)
            for by_measure, columns in zip(differences.values(), compared, strict=True):
                by_measure[drawn.measure] = _in_columns(pairs, columns)
    least = _in_columns(pairs, [least_p(len(column.pictures), flips) for column in layout.columns])
    settings = resamples, seed, flips, comparisons, least_pictures, least
    return Summary(evaluation, means, of_truth, differences, *settings)


def count_flips(comparisons: int) -> int:
    """Give how many drawings of signs a test needs, so that its least p remains significant after Holm's correction.

    Args:
        comparisons: How many are corrected together.

    Example:
        >>> count_flips(7), count_flips(315)
        (10000, 12600)
    """
    return max(FLIPS, math.ceil(2 * comparisons * 100 / (100 - LEVEL)))


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Values of one measure whose sums are drawn anew: each model's, then differences that do not follow from these."""

    measure: str
    sign: int
    """1, or -1 if less is better."""
    values: Floats
    """Shape (pairs, V); NaN where there is none."""
    grid: Floats
    """The values in whole numbers of `unit`, 0 where there is no finite one."""
    unit: float
    models: int
    """How many of the V are models."""
    differences: tuple[tuple[int, ...], ...]
    """Of every two models: the two places in `values` whose values are subtracted. Where the models do not have finite
    values for the same pairs, sums of differences are not differences of sums: then the one place of the difference.
    """

    @classmethod
    def of(
        cls, layout: Layout, measure: str, values: Sequence[FloatVector], couples: Sequence[tuple[int, int]]
    ) -> "_Drawn":
        """Collect what must be drawn for one measure of some models, and every two of them."""
        kept = [np.asarray(each, np.float64) for each in values]
        differences: list[tuple[int, ...]] = []
        for first, second in couples:
            if _alike(kept[first], kept[second]):
                differences.append((first, second))
            else:
                differences.append((len(kept),))
                kept.append(_subtract(kept[first], kept[second]))
        stacked = np.stack(kept, axis=1)
        grid, unit = layout.to_grid(stacked)
        sign = -1 if ANY_MEASURES[measure].sign < 0 else 1
        return cls(measure, sign, stacked, grid, unit, len(values), tuple(differences))


def _compare(
    layout: Layout,
    bootstrap: Bootstrap,
    sign_flips: SignFlips,
    least_pictures: int,
    block: Sequence[_Drawn],
) -> Iterator[tuple[_Drawn, list[list[Estimate]], list[list[Difference]]]]:
    """Yield, for each measure, the estimates of its models and the differences of every two models, by column."""
    starts = np.cumsum([0, *(drawn.values.shape[1] for drawn in block)]).tolist()
    placed = [
        [tuple(start + place for place in places) for places in drawn.differences]
        for start, drawn in zip(starts, block, strict=False)
    ]
    grid = np.concatenate([drawn.grid for drawn in block], axis=1)
    tested = sign_flips.test(grid, [places for of_measure in placed for places in of_measure])
    ends = np.cumsum([len(of_measure) for of_measure in placed])
    intervals = _Intervals(layout, bootstrap, grid, block)
    for number, (drawn, p_values) in enumerate(zip(block, np.split(tested, ends[:-1]), strict=True)):
        found, compared = intervals.estimate(drawn, starts[number])
        finite = np.isfinite([[each.mean for each in estimates] for estimates in compared]).reshape(p_values.shape)
        too_few = finite & (intervals.pictures(drawn, starts[number]) < least_pictures)
        p_values[~finite | too_few] = np.nan
        holds = correct_by_holm(p_values.ravel(), 1 - LEVEL / 100).reshape(p_values.shape)
        differences = [
            [Difference(each, float(p), bool(held), bool(few)) for each, p, held, few in zip(*lines, strict=True)]
            for lines in zip(compared, p_values, holds, too_few, strict=True)
        ]
        yield drawn, found, differences


class _Intervals:
    """Means with intervals from resampled sums over resampled counts."""

    def __init__(self, layout: Layout, bootstrap: Bootstrap, grid: Floats, block: Sequence[_Drawn]) -> None:
        self._layout = layout
        finite = np.isfinite(np.concatenate([drawn.values for drawn in block], axis=1))
        patterns, self._pattern = np.unique(finite, axis=1, return_inverse=True)
        weights = patterns.astype(np.float64)
        drawn = bootstrap.sums(np.concatenate([grid, weights], axis=1))
        self._sums, self._counts = drawn[: grid.shape[1]], drawn[grid.shape[1] :]
        self._counts[self._counts == 0] = np.nan  # a column of few pictures may be empty in a resample
        self._own_sums, self._own_counts = layout.own(grid), layout.own(weights)
        self._pictures = np.stack([(column.sums(weights) > 0).sum(axis=0) for column in layout.columns], axis=1)

    def estimate(self, drawn: _Drawn, start: int) -> tuple[list[list[Estimate]], list[list[Estimate]]]:
        """Give the estimates of each model and of each difference, by column.

        Args:
            drawn: The measure.
            start: Number of its first variable in the block.
        """
        means = np.array([_means(self._layout, values) for values in drawn.values.T])  # (V, columns)
        counts = self._layout.own(~np.isnan(drawn.values))
        found = [
            _estimates(means[place], drawn.unit * self._offsets(start + place), counts[place])
            for place in range(drawn.models)
        ]
        compared: list[list[Estimate]] = []
        for first, *second in drawn.differences:
            mean = means[first] - means[second[0]] if second else means[first]
            offsets = drawn.unit * self._offsets(start + first, *(start + place for place in second))
            estimates = _estimates(mean, offsets, counts[first])
            compared.append([each.negated() for each in estimates] if drawn.sign < 0 else estimates)
        return found, compared

    def pictures(self, drawn: _Drawn, start: int) -> NDArray[np.int64]:
        """Count the pictures that have a value of each difference, shape (differences, columns)."""
        first = np.array([start + places[0] for places in drawn.differences], np.int64)
        return self._pictures[self._pattern[first]]

    def _offsets(self, first: int, second: int | None = None) -> Floats:
        """Give the ends of the interval relative to the mean, so that a sample without spread has exactly its mean.

        Args:
            first: Number of a variable.
            second: Number of one to be subtracted from it, which has values for the same pairs.

        Returns:
            In units of the grid, shape (2, columns); NaN if fewer than two pictures have a value.
        """
        pattern = self._pattern[first]
        sums, own = self._sums[first], self._own_sums[first]
        if second is not None:
            sums, own = sums - self._sums[second], own - self._own_sums[second]
        tail = (1 - LEVEL / 100) / 2
        found = percentiles(sums / self._counts[pattern], (tail, 1 - tail))
        found -= own / np.maximum(self._own_counts[pattern], 1)
        found[:, self._pictures[pattern] < 2] = np.nan
        return found


def _estimates(means: Floats, offsets: Floats, counts: NDArray[np.int64]) -> list[Estimate]:
    low, high = np.where(np.isinf(means), means, means + offsets)
    parts = zip(means.tolist(), low.tolist(), high.tolist(), counts.tolist(), strict=True)
    return [Estimate(*each) for each in parts]


def _blocks(measured: Iterable[_Drawn], limit: int) -> Iterator[list[_Drawn]]:
    """Group measures so that at most so many variables are drawn at a time, but at least one measure."""
    block: list[_Drawn] = []
    for drawn in measured:
        if block and sum(each.values.shape[1] for each in (*block, drawn)) > limit:
            yield block
            block = []
        block.append(drawn)
    if block:
        yield block


def _means(layout: Layout, values: FloatVector) -> list[float]:
    """Return the mean of each column, rounded once; infinite values count."""
    return [_mean(column[~np.isnan(column)]) for column in (values[each.pairs] for each in layout.columns)]


def _mean(values: FloatVector) -> float:
    infinite = values[np.isinf(values)]
    if len(infinite):
        return float(infinite[0]) if np.all(infinite == infinite[0]) else math.nan
    return math.fsum(values.tolist()) / len(values) if len(values) else math.nan


def _alike(first: FloatVector, second: FloatVector) -> bool:
    """Tell whether two models have values for the same pairs, all finite."""
    return (
        np.array_equal(np.isnan(first), np.isnan(second)) and not np.isinf(first).any() and not np.isinf(second).any()
    )


def _subtract(first: FloatVector, second: FloatVector) -> FloatVector:
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(first) & (first == second), 0.0, first - second)


def _in_columns(pairs: Pairs, values: Sequence[_T]) -> dict[str, _T]:
    """Name what was found in each column; what was found in a single bin is that of all pairs, too."""
    found = dict(zip(pairs.distinct_columns, values, strict=True))
    return {**found, ALL: values[-1]}


def _check(evaluation: Evaluation, resamples: int) -> None:
    count = len(evaluation.pairs.keys)
    for what, found in (("pair", count), ("model", len(evaluation.models))):
        if not found:
            raise InputError(f"an evaluation must have at least one {what}; got none. Measure one first.")
    if resamples < 1:
        raise InputError(f"intervals need at least one resample; got {resamples}. Leave it away for {RESAMPLES:,}.")
    names = [model.name for model in evaluation.models]
    if len(set(names)) < len(names):
        raise InputError(f"models must have different names; got {', '.join(names)}. Give one of them another name.")
    unknown = sorted((set(evaluation.measures) - set(MEASURES)) | (set(evaluation.truth) - set(ANY_MEASURES)))
    if unknown:
        raise InputError(f"measures must be in the table of measures; got {', '.join(unknown)}. Check the protocol.")
    vectors = [("truth", evaluation.truth), *((model.name, model.values) for model in evaluation.models)]
    for name, values in vectors:
        for measure, found in values.items():
            if found.shape != (count,):
                raise InputError(
                    f"values must be one per pair, shape ({count},); {measure} of {name} has {found.shape}. "
                    "Use NaN where a pair has no value."
                )
