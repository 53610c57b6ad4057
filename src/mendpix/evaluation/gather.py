"""Bring rows from their files into the arrays that are compared, in the order of the protocol. Measures nothing new.

Vectors are read one by one and only summed up, except for KID, which needs them all.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mendpix.evaluation.measurer import Work
from mendpix.evaluation.measures import SET_MEASURES
from mendpix.evaluation.pairing import OpenProtocol
from mendpix.evaluation.results import ALL, TRUE_CROP, FloatVector, Measured, Pairs
from mendpix.evaluation.rows import RowFile
from mendpix.metrics.detection import pooled_auc, pooled_average_precision, pooled_calibration_error
from mendpix.metrics.frechet import Moments, frechet_distance
from mendpix.types import FloatArray

POOLED: Mapping[str, Callable[[NDArray[np.float64]], float]] = {
    "detector-auc-pooled": pooled_auc,
    "detector-ap-pooled": pooled_average_precision,
    "detector-ece": pooled_calibration_error,
}
"""How each measure of a set comes from the detector's counts."""


BATCH = 64
"""Vectors that are summed up at a time: one by one takes ten times as long."""


DIGITS = 10
"""Digits kept of a measure of a set: those behind them depend on how many threads the linear algebra has."""


def gather(work: Work, files: Sequence[RowFile], truth_file: RowFile) -> tuple[Measured, ...]:
    """Read everything that was measured of every candidate.

    Args:
        work: What was measured.
        files: Rows of each candidate, complete.
        truth_file: Rows of the true pictures, complete.
    """
    columns = work.opened.columns()
    keys = [pair.key for pair in work.opened.pairs]
    members = _members(columns)
    truth = _Vectors(work, members, len(keys))
    for number, row in enumerate(truth_file.read(str(pair.picture) for pair in work.opened.pairs)):
        truth.add(number, row.vectors)
    truth.close()
    found: list[Measured] = []
    for candidate, file in zip(work.candidates, files, strict=True):
        values = {name: np.full(len(keys), np.nan) for name in work.measures}
        altered = np.zeros(len(keys), np.int64)
        vectors = _Vectors(work, members, len(keys))
        for number, row in enumerate(file.read(keys)):
            for name, value in row.values.items():
                values[name][number] = value
            altered[number] = row.altered
            vectors.add(number, row.vectors)
        vectors.close()
        sets = vectors.compare(truth)
        found.append(Measured(candidate.name, candidate.source, candidate.mark, values, altered, sets))
    return tuple(found)


def gather_truth(opened: OpenProtocol, truth_file: RowFile) -> dict[str, FloatVector]:
    """Read what was measured of the true pictures: a value for each pair, that of its picture."""
    values: dict[str, FloatVector] = {}
    pictures = [str(number) for number, pairs in enumerate(opened.by_picture) if pairs]
    for row in truth_file.read(pictures, vectors=False):
        for name, value in row.values.items():
            vector = values.setdefault(name, np.full(len(opened.pairs), np.nan))
            vector[list(opened.by_picture[int(row.key)])] = value
    return values


class _Vectors:
    """Sums of one candidate's vectors by column, or the vectors themselves where a measure needs them all."""

    def __init__(self, work: Work, members: dict[str, NDArray[np.int64]], pairs: int) -> None:
        self._work = work
        self._columns: list[list[str]] = [[] for _ in range(pairs)]
        for name, numbers in members.items():
            for number in numbers:
                self._columns[number].append(name)
        self._waiting: dict[tuple[str, str], list[FloatArray]] = {}
        self.moments: dict[tuple[str, str], Moments] = {}
        self.tallies: dict[str, NDArray[np.float64]] = {}
        self.kept: dict[str, list[tuple[int, FloatArray]]] = {}

    def add(self, pair: int, vectors: Mapping[str, FloatArray]) -> None:
        """Take the vectors of one pair."""
        for column in self._columns[pair]:
            for name, vector in vectors.items():
                if name == "detector":
                    counts = np.asarray(vector, np.float64)
                    self.tallies[column] = self.tallies.get(column, np.zeros_like(counts)) + counts
                    continue
                waiting = self._waiting.setdefault((name, column), [])
                waiting.append(vector)
                if len(waiting) == BATCH:
                    self._flush(name, column)
                if "kid" in self._work.set_measures and name == "inception":
                    self.kept.setdefault(column, []).append((pair, vector))

    def close(self) -> None:
        """Sum up what is still waiting."""
        for name, column in list(self._waiting):
            self._flush(name, column)

    def _flush(self, name: str, column: str) -> None:
        waiting = self._waiting.pop((name, column))
        self.moments.setdefault((name, column), Moments(len(waiting[0]))).add(np.stack(waiting))

    def compare(self, truth: "_Vectors") -> dict[str, dict[str, float]]:
        """Compute the measures of sets, by measure and column."""
        values: dict[str, dict[str, float]] = {}
        for name in self._work.set_measures:
            measure = SET_MEASURES[name]
            if measure.vector == "detector":
                values[name] = {column: POOLED[name](counts) for column, counts in self.tallies.items()}
                continue
            values[name] = {}
            for (vector, column), moments in self.moments.items():
                if vector == measure.vector:
                    enough = moments.count >= measure.least_pairs
                    value = self._distance(name, vector, column, truth) if enough else float("nan")
                    values[name][column] = float(f"{value:.{DIGITS}g}")
        return values

    def _distance(self, name: str, vector: str, column: str, truth: "_Vectors") -> float:
        if name == "kid":
            return self._kid(truth, column)
        if vector == "squeezenet-hole":
            return _frechet(self.moments[vector, column], self.moments[TRUE_CROP, column])
        return _frechet(self.moments[vector, column], truth.moments[vector, column])

    def _kid(self, truth: "_Vectors", column: str) -> float:
        """Compare all fills of a column with its true pictures, each once: copies would look like a match."""
        from mendpix.metrics.learned import kid

        distinct = {self._work.opened.pairs[pair].picture: vector for pair, vector in truth.kept[column]}
        if len(distinct) < 2:  # one picture has no spread to compare
            return float("nan")
        ours = np.stack([vector for _, vector in self.kept[column]])
        return kid(ours, np.stack(list(distinct.values())))[0]


def _frechet(ours: Moments, theirs: Moments) -> float:
    return frechet_distance(ours.mean, ours.covariance, theirs.mean, theirs.covariance)


def _members(pairs: Pairs) -> dict[str, NDArray[np.int64]]:
    """Give the pairs of each column."""
    found = {name: np.flatnonzero(pairs.bins == number) for number, name in enumerate(pairs.bin_names)}
    found[ALL] = np.arange(len(pairs.keys))
    return found
