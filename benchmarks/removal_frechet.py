"""How sure the Fréchet distances of hole crops are, and which of them really differ. Used by `removal_tables.py`.

An evaluation gives one distance per model and no interval. Here the same distance is computed again without a part of
the photos at a time (delete-a-group jackknife), of all models without the same photos, which tells how far a difference
between two models would move with other photos. Reads the rows that the evaluation kept; measures nothing.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mendpix.evaluation.results import TRUE_CROP, Evaluation
from mendpix.evaluation.rows import RowFile

Vectors = NDArray[np.float64]
"""Shape (cases, dimensions)."""

GROUPS = 20
"""Parts of the photos, each of which is left out once."""

ERRORS = 2.0
"""Standard errors to either side of a difference that its interval holds: some 95 % of what other photos would give."""


@dataclass(frozen=True)
class Distances:
    """The distance of every model, and how they differ."""

    whole: Mapping[str, float]
    """Model -> distance of all cases."""
    without: Mapping[str, NDArray[np.float64]]
    """Model -> distances without each group of photos, shape (groups,)."""

    @property
    def best(self) -> str:
        """Name of the model with the least distance."""
        return min(self.whole, key=lambda name: self.whole[name])

    def difference(self, first: str, second: str) -> tuple[float, float]:
        """Give how much larger the distance of the second is, and half the width of the interval.

        Returns:
            Positive = the first is better; NaN as half width if there are fewer than two groups.
        """
        apart = self.without[second] - self.without[first]
        count = len(apart)
        spread = math.sqrt((count - 1) / count * float(((apart - apart.mean()) ** 2).sum())) if count > 1 else math.nan
        return self.whole[second] - self.whole[first], ERRORS * spread


def find_distances(evaluation: Evaluation, report: Path) -> Distances | None:
    """Compute the distances of hole crops from the rows of an evaluation.

    Args:
        evaluation: What was measured, `frechet-hole` among it.
        report: Folder of the report, which keeps the rows.

    Returns:
        None if a model's rows are not there, or the evaluation has too few pairs for a distance.
    """
    pictures = evaluation.pairs.pictures
    groups = np.unique(pictures, return_inverse=True)[1] % GROUPS
    whole: dict[str, float] = {}
    without: dict[str, NDArray[np.float64]] = {}
    for model in evaluation.models:
        if math.isnan(model.set_values.get("frechet-hole", {}).get("all", math.nan)):
            return None
        rows = _rows_of(report, evaluation.protocol_id, model.mark)
        if rows is None:
            return None
        read = [row.vectors for row in rows.read(evaluation.pairs.keys)]
        ours, theirs = (np.array([row[name] for row in read], np.float64) for name in ("squeezenet-hole", TRUE_CROP))
        whole[model.name] = distance(ours, theirs)
        kept = [groups != number for number in range(groups.max() + 1) if groups.max() > 0]
        without[model.name] = np.array([distance(ours[some], theirs[some]) for some in kept])
    return Distances(whole, without)


def distance(ours: Vectors, theirs: Vectors) -> float:
    """Compute the squared Fréchet distance of two sets of vectors, quickly where they are fewer than their dimensions.

    With centred vectors X and Y in rows, the trace of (A B)^½ is the sum of the singular values of X Yᵀ / (n − 1).
    """
    first, second = ours - ours.mean(axis=0), theirs - theirs.mean(axis=0)
    roots = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    spread = (first**2).sum() + (second**2).sum() - 2 * roots
    return float(((ours.mean(axis=0) - theirs.mean(axis=0)) ** 2).sum() + max(spread, 0.0) / (len(ours) - 1))


def _rows_of(report: Path, protocol: str, mark: str) -> RowFile | None:
    """Find the newest rows of a model under a protocol; those measured by earlier code lie beside them."""
    found = sorted((report / "rows").glob(f"*/*-{mark}.jsonl"), key=lambda path: path.stat().st_mtime)
    for path in reversed(found):
        with path.open(encoding="utf-8") as file:
            head = json.loads(file.readline())
        if head.get("protocol") == protocol:
            return RowFile(path, {"protocol": protocol, "model": mark})
    return None
