"""Compare the settings of `paper.py` on the pairs they were measured on: intervals, differences, verdicts.

Knows the paper's statements and the rule by which each is judged. Measures nothing and writes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paper_protocol import BINS

RESAMPLES = 10_000
SEED = 0
LEVEL = 95
"""Percent of the resamples that an interval holds."""

COLUMNS = (*map(str, BINS), "all")
"""The bins' upper ends, percent, and the mean of the bins, each of which weighs the same."""

REPEATED = ("det", "focal")
"""The paper's setting, trained twice with different seeds: dense detector, focal loss, base 10."""

HOLDS, FAILS, REVERSED, NOISE = "holds", "does not hold", "reversed", "within seed noise"
UNKNOWN = "no verdict"

RULE = f"""\
The difference of two settings is the mean, over all pairs, of what the first is better by; its interval holds \
{LEVEL} % of {RESAMPLES:,} resamples of the pictures. The *seed noise* is how far two runs of one and the same setting \
({REPEATED[0]} and {REPEATED[1]}) differ in the same measure on the same pairs: that end of the interval of their \
difference which is farther from zero. In this order: a difference no larger than the seed noise is **{NOISE}** and \
proves nothing; if its interval holds zero, the statement **{FAILS}**; otherwise it **{HOLDS}** or is **{REVERSED}**, \
by the sign. The rule was fixed before any result was seen."""

LIMITS = """\
One repetition tells the seed noise only roughly: of two more runs of one setting, about every second pair would lie \
farther apart than the first. So "holds" and "reversed" mean that a difference is larger than what the one repetition \
showed and that the pictures agree on it, not that it would survive training everything ten times."""

Row = Mapping[str, Any]
"""``bin``, ``picture`` and the metrics of one pair."""

Rows = Mapping[str, Mapping[str, Row]]
"""Model -> pair -> row."""


@dataclass(frozen=True)
class Metric:
    """How a metric is printed and read."""

    name: str
    unit: str
    """Empty if there is none."""
    digits: int
    sign: int
    """1 = more is better, -1 = less is better."""

    @property
    def title(self) -> str:
        """Name with unit, for headings."""
        return f"{self.name}, {self.unit}" if self.unit else self.name


METRICS = {
    "l1": Metric("l1", "%", 3, -1),
    "psnr": Metric("PSNR", "dB", 2, 1),
    "ssim51": Metric("SSIM-51", "", 4, 1),
    "ssim11": Metric("SSIM-11", "", 4, 1),
    "features": Metric("feature distance", "× 1000", 1, -1),
    "edges": Metric("edge ratio", "%", 2, 1),
    "edges_off": Metric("edge ratio's error", "points", 2, -1),
    "auc": Metric("ROC-AUC of the detector", "", 3, 1),
}
"""Metrics by their names in the rows; `edges_off` is |edges - edges_truth| of each pair."""


@dataclass(frozen=True)
class Claim:
    """A statement of the paper: the first setting is better than the second."""

    first: str
    second: str
    words: str
    metrics: tuple[str, ...]
    source: str
    """Where the paper says it, and on what grounds."""


_OVERALL = ("l1", "psnr", "ssim51", "features")
_BY_EYE = "section 4.3, Fig. 6: by eye, no numbers"
_LOSSES = "section 4.4, Table 2"
_BASES = "section 3.4.3, Fig. 3: one picture"
CLAIMS = (
    Claim("det", "weight", "Det > Weight", _OVERALL, _BY_EYE),
    Claim("det", "adv", "Det > Adv", _OVERALL, _BY_EYE),
    Claim("focal", "bce", "Focal ≥ BCE", ("psnr", "ssim51"), _LOSSES),
    Claim("bce", "ce", "BCE ≥ CE", ("psnr", "ssim51"), _LOSSES),
    Claim("focal", "ce", "Focal ≥ CE", ("psnr", "ssim51"), _LOSSES),
    Claim("det", "linear", "base 10 sharper than linear", ("edges", "edges_off"), _BASES),
    Claim("det", "base-e", "base 10 sharper than e", ("edges", "edges_off"), _BASES),
    Claim("base-e", "linear", "base e sharper than linear", ("edges", "edges_off"), _BASES),
)
DIFFERENCES = (*((claim.first, claim.second) for claim in CLAIMS), REPEATED)
"""Pairs of settings that are compared in every metric."""


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval."""

    mean: float
    low: float
    high: float
    pairs: int

    @property
    def farthest(self) -> float:
        """Distance from zero of the interval's farther end."""
        return max(abs(self.low), abs(self.high))


Estimates = dict[str, Estimate]
"""One per column of `COLUMNS` that was measured."""


@dataclass(frozen=True)
class Finding:
    """What became of a claim in one metric."""

    claim: Claim
    metric: str
    difference: Estimates
    """By how much the first setting is better; empty if one was not measured."""
    noise: Estimates | None
    """The difference of the two runs of one setting; None if there are none."""

    def verdict(self, column: str = "all") -> str:
        """Judge by the rule, over all bins or in one."""
        if column not in self.difference or self.noise is None or column not in self.noise:
            return UNKNOWN
        return judge(self.difference[column], self.noise[column].farthest)


@dataclass(frozen=True)
class Comparison:
    """Everything that is known of one set of pictures."""

    means: dict[str, dict[str, Estimates]]
    """Model -> metric -> estimates."""
    truth_edges: Estimates
    """Edge ratio of the true pictures, percent."""
    differences: dict[tuple[str, str], dict[str, Estimates]]
    """Two settings -> metric -> by how much the first is better."""
    findings: tuple[Finding, ...]


class Bootstrap:
    """Means of values by pair, with intervals from resampled pictures; every value goes with the same resamples.

    A resample draws as many pictures as there are, with replacement, each with all its pairs: pairs that share a
    picture are not independent. Within a bin no two pairs share one, so there it is a resample of pairs.
    """

    def __init__(self, places: Mapping[str, tuple[str, str]], *, seed: int = SEED, resamples: int = RESAMPLES) -> None:
        """Draw the resamples.

        Args:
            places: Picture and bin by pair.
            seed: Of the random numbers.
            resamples: How many to draw.
        """
        pictures = sorted({picture for picture, _ in places.values()})
        index = {picture: number for number, picture in enumerate(pictures)}
        self._cell = {pair: (index[picture], COLUMNS.index(bin_)) for pair, (picture, bin_) in places.items()}
        count = len(pictures)
        generator = np.random.default_rng(seed)
        drawn = generator.multinomial(count, np.full(count, 1 / count), size=resamples)
        self._weights: NDArray[np.float64] = drawn.astype(np.float64)  # (resamples, pictures)

    def estimate(self, values: Mapping[str, float]) -> Estimates:
        """Return the mean and interval of each bin that has values, and of all."""
        sums = np.zeros((self._weights.shape[1], len(BINS)))
        counts = np.zeros_like(sums)
        for pair, value in values.items():
            sums[self._cell[pair]] += value
            counts[self._cell[pair]] += 1
        met = np.flatnonzero(counts.any(axis=0))
        if not len(met):
            return {}
        totals, resampled_counts = sums[:, met].sum(axis=0), self._weights @ counts[:, met]
        with np.errstate(invalid="ignore"):  # a bin of few pairs may be empty in a resample
            resampled = (self._weights @ sums[:, met]) / resampled_counts  # (resamples, bins)
        pairs = counts[:, met].sum(axis=0)
        means = totals / pairs
        found = {
            COLUMNS[column]: _interval(mean, resampled[:, place], count)
            for place, (column, mean, count) in enumerate(zip(met, means, pairs, strict=True))
        }
        found["all"] = _interval(means.mean(), resampled.mean(axis=1), pairs.sum())
        return found


def judge(difference: Estimate, noise: float) -> str:
    """Give the verdict on a difference that should be positive; see `RULE`.

    Args:
        difference: By how much the first setting is better.
        noise: Seed noise, at least 0.
    """
    if abs(difference.mean) <= noise:
        return NOISE
    if difference.low <= 0 <= difference.high:
        return FAILS
    return HOLDS if difference.mean > 0 else REVERSED


def compare(rows: Rows, *, repeated: bool = True) -> Comparison:
    """Compare all settings of one set.

    Args:
        rows: What was measured; settings and pairs may be missing.
        repeated: False if the two runs of `REPEATED` are no independent repetition.
    """
    rows = {model: {pair: _with_distance(row) for pair, row in kept.items()} for model, kept in rows.items()}
    places = {pair: (row["picture"], str(row["bin"])) for kept in rows.values() for pair, row in kept.items()}
    bootstrap = Bootstrap(places)
    means = {
        model: {metric: bootstrap.estimate(_values(kept, metric)) for metric in METRICS} for model, kept in rows.items()
    }
    truth = {pair: row["edges_truth"] for kept in rows.values() for pair, row in kept.items()}
    differences: dict[tuple[str, str], dict[str, Estimates]] = {}
    for first, second in DIFFERENCES:
        if first not in rows or second not in rows:
            continue
        differences[first, second] = {
            metric: bootstrap.estimate(_advantages(rows[first], rows[second], metric)) for metric in METRICS
        }
    noise = differences.get(REPEATED) if repeated else None
    findings = tuple(
        Finding(
            claim,
            metric,
            differences.get((claim.first, claim.second), {}).get(metric, {}),
            noise[metric] or None if noise else None,
        )
        for claim in CLAIMS
        for metric in claim.metrics
    )
    return Comparison(means, bootstrap.estimate(truth), differences, findings)


def _with_distance(row: Row) -> Row:
    return {**row, "edges_off": abs(row["edges"] - row["edges_truth"])}


def _values(kept: Mapping[str, Row], metric: str) -> dict[str, float]:
    return {pair: row[metric] for pair, row in kept.items() if metric in row}


def _advantages(first: Mapping[str, Row], second: Mapping[str, Row], metric: str) -> dict[str, float]:
    """Return by how much the first is better, on the pairs that both have."""
    ours, theirs, sign = _values(first, metric), _values(second, metric), METRICS[metric].sign
    return {pair: sign * (value - theirs[pair]) for pair, value in ours.items() if pair in theirs}


def _interval(mean: float, resampled: NDArray[np.float64], pairs: float) -> Estimate:
    tail = (100 - LEVEL) / 2
    known = resampled[~np.isnan(resampled)]
    low, high = np.percentile(known, (tail, 100 - tail)) if len(known) else (np.nan, np.nan)
    return Estimate(float(mean), float(low), float(high), int(pairs))
