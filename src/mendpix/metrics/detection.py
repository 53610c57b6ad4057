"""Measure how well a map of artifact probabilities tells hole pixels from known ones. Knows no detector and no file.

The truth is the hole: a pixel counts as found if it was filled, whether or not a person would see it. Everything here
rests on counts of known and hole pixels per score, so that one sort serves several measures of a map, and sums of
counts (`tally`) serve any number of maps in memory that does not grow.

"Nothing to measure" is NaN: no ranking without both kinds of pixels, no precision and recall without a hole.
"""

import numpy as np
from numpy.typing import NDArray

from mendpix.errors import ShapeError
from mendpix.types import AnyArray, Map, Mask

THRESHOLD = 0.5
"""Probability above which a pixel is marked, unless the caller says otherwise."""

CALIBRATION_BINS = 15
"""Number of bins of equal width in which calibration is measured."""

TALLY_BINS = 300
"""Number of score bins of a tally."""

Counts = NDArray[np.float64]
"""Known pixels (row 0) and hole pixels (row 1) by score, from the lowest score to the highest, shape (2, scores)."""

Tally = NDArray[np.float64]
"""Known pixels, hole pixels and sum of the probabilities per score bin, shape (3, TALLY_BINS). Tallies add up."""


def _lower_edges() -> NDArray[np.float64]:
    """Compute where the bins of a tally begin.

    Detectors are mostly sure, so scores crowd near 0 and 1. The outermost two of the 15 calibration bins therefore have
    85 bins each, the narrower the nearer to 0 or 1 (4 to a halving of the distance, 21 halvings), and the 13 between
    them 10 of equal width. Only sums, products and quotients of exact numbers: the same on every machine.
    """
    halvings = np.ldexp(1.0, -np.arange(21, 0, -1))
    tail = np.outer(halvings, 1 + np.arange(4) / 4).ravel() / CALIBRATION_BINS  # (84,), rising, below 1 / 15
    middle = np.arange(10, 141) / 150  # 1 / 15 to 14 / 15
    return np.concatenate(([0.0], tail, middle, 1 - tail[::-1]))


EDGES = _lower_edges()
"""Where the score bins of a tally begin, rising, shape (TALLY_BINS,). The last ends at 1 and holds it."""
EDGES.setflags(write=False)


def roc_auc(probability: Map, hole: Mask) -> float:
    """Compute the area under the ROC curve: the chance that a hole pixel is rated above a known one, ties half.

    Without a unit; 0.5 = blind, 1 = every hole pixel above every known one. Source: Hanley and McNeil 1982,
    https://doi.org/10.1148/radiology.143.1.7063747.

    Args:
        probability: In [0, 1], shape (H, W); only the order counts.
        hole: 1 = hole, 0 = known, same shape.

    Returns:
        Area in [0, 1]; NaN if the picture is all hole or all known.

    Raises:
        ShapeError: If the arrays are not a map and a mask of one size.

    Example:
        >>> roc_auc(np.array([[0.1, 0.4], [0.4, 0.8]]), np.array([[0, 0], [1, 1]]))
        0.875
    """
    return ranked_auc(rank_scores(probability, hole))


def average_precision(probability: Map, hole: Mask) -> float:
    """Compute the precision at each distinct score, averaged over the hole pixels that have that score.

    The sum over falling thresholds of (gain in recall) × precision, without interpolation; pixels of one score enter
    together. Without a unit; a blind map gets the share of hole pixels. Source: section 8.4 of Manning et al. 2008,
    https://nlp.stanford.edu/IR-book/.

    Args:
        probability: In [0, 1], shape (H, W); only the order counts.
        hole: 1 = hole, 0 = known, same shape.

    Returns:
        Precision in (0, 1]; NaN without hole pixels, 1 without known ones.

    Raises:
        ShapeError: If the arrays are not a map and a mask of one size.

    Example:
        >>> average_precision(np.array([[0.1, 0.4], [0.8, 0.9]]), np.array([[0, 1], [0, 1]])) == (1 + 2 / 3) / 2
        True
    """
    return ranked_average_precision(rank_scores(probability, hole))


def rank_scores(probability: Map, hole: Mask) -> Counts:
    """Count known and hole pixels per distinct score: what `roc_auc` and `average_precision` share.

    Args:
        probability: In [0, 1], shape (H, W).
        hole: 1 = hole, 0 = known, same shape.

    Returns:
        Known (row 0) and hole pixels (row 1) by rising score, shape (2, distinct scores).

    Raises:
        ShapeError: If the arrays are not a map and a mask of one size.
    """
    _check(probability, hole)
    scores = np.sort(probability, axis=None)
    inside = np.sort(probability[hole > 0])
    first = np.flatnonzero(np.concatenate(([True], scores[1:] != scores[:-1])))
    both = np.diff(first, append=scores.size)
    holes = np.diff(np.searchsorted(inside, scores[first]), append=inside.size)
    return np.stack((both - holes, holes)).astype(np.float64)


def ranked_auc(counts: Counts) -> float:
    """Compute `roc_auc` from counts of `rank_scores`."""
    known, holes = counts
    pairs = known.sum() * holes.sum()
    below = np.cumsum(known) - known
    return float((holes * (below + known / 2)).sum() / pairs) if pairs else float("nan")


def ranked_average_precision(counts: Counts) -> float:
    """Compute `average_precision` from counts of `rank_scores`."""
    known, holes = counts[:, ::-1]
    total = holes.sum()
    if not total:
        return float("nan")
    found = np.cumsum(holes)
    met = holes > 0
    precision = found[met] / (found + np.cumsum(known))[met]
    return float((holes[met] * precision).sum() / total)


def iou(probability: Map, hole: Mask, threshold: float = THRESHOLD) -> float:
    """Compute the intersection over union (Jaccard index) of the marked pixels and the hole.

    Args:
        probability: In [0, 1], shape (H, W).
        hole: 1 = hole, 0 = known, same shape.
        threshold: Marked is what lies above it (not at it), in [0, 1].

    Returns:
        Index in [0, 1], without a unit; 1 by definition where nothing is marked and there is no hole.

    Raises:
        ShapeError: If the arrays are not a map and a mask of one size, or `threshold` is not in [0, 1].

    Example:
        >>> iou(np.array([[0.2, 0.5], [0.6, 0.9]]), np.array([[0, 1], [1, 1]])) == 2 / 3
        True
    """
    _check(probability, hole)
    _check_threshold(threshold)
    marked, filled = probability > threshold, hole > 0
    union = np.count_nonzero(marked | filled)
    return float(np.count_nonzero(marked & filled) / union) if union else 1.0


def share_marked(probability: Map, threshold: float = THRESHOLD) -> float:
    """Compute the share of a map that lies above a threshold; of an untouched picture, the share of false alarms.

    Args:
        probability: In [0, 1], shape (H, W).
        threshold: Marked is what lies above it (not at it), in [0, 1].

    Returns:
        Marked pixels by all pixels, in [0, 1].

    Raises:
        ShapeError: If `probability` is no map, or `threshold` is not in [0, 1].

    Example:
        >>> share_marked(np.array([[0.2, 0.5], [0.6, 0.9]]))
        0.5
    """
    _check_map(probability)
    _check_threshold(threshold)
    return float(np.count_nonzero(probability > threshold) / probability.size)


def calibration_error(probability: Map, hole: Mask, bins: int = CALIBRATION_BINS) -> float:
    """Compute the expected calibration error: how far the probabilities are from the shares of hole that come true.

    Pixels are put into `bins` bins of equal width by their probability of being hole, [0, 1/bins), [1/bins, 2/bins), …,
    the last one with 1; the error is the mean over all pixels of |share of hole in the bin - mean probability in the
    bin|. It is the probability of hole that is binned, not the confidence of the likelier class. Without a unit, 0 =
    calibrated. torchmetrics' `binary_calibration_error` (norm "l1") is the same but for probabilities of exactly 1,
    which it puts into a bin of their own: without such pixels both agree, with them its number is at least this one.
    Source: Naeini et al. 2015, https://doi.org/10.1609/aaai.v29i1.9602.

    Args:
        probability: In [0, 1], shape (H, W).
        hole: 1 = hole, 0 = known, same shape.
        bins: Number of bins, at least 1.

    Returns:
        Error in [0, 1].

    Raises:
        ShapeError: If the arrays are not a map and a mask of one size, or `bins` is less than 1.

    Example:
        >>> round(calibration_error(np.array([[0.1, 0.3], [0.7, 0.9]]), np.array([[0, 0], [1, 1]]), bins=2), 6)
        0.2
    """
    _check(probability, hole)
    if bins < 1:
        raise ShapeError(f"calibration needs at least 1 bin; got {bins}. The usual number is {CALIBRATION_BINS}.")
    scores = probability.ravel().astype(np.float64)
    place = np.minimum((scores * bins).astype(np.intp), bins - 1)
    return _calibration_error(_count(place, scores, hole, bins))


def tally(probability: Map, hole: Mask) -> Tally:
    """Count a map's pixels by score bin, for measures that pool many maps; tallies are added with `+`.

    Args:
        probability: In [0, 1], shape (H, W).
        hole: 1 = hole, 0 = known, same shape.

    Returns:
        Known pixels (row 0), hole pixels (row 1) and sum of the probabilities (row 2) in each of the bins that begin at
        `EDGES`, shape (3, TALLY_BINS).

    Raises:
        ShapeError: If the arrays are not a map and a mask of one size.

    Example:
        >>> both = tally(np.array([[0.1, 0.9]]), np.array([[0, 1]])) + tally(np.array([[0.3]]), np.array([[0]]))
        >>> both[:2].sum(axis=1), pooled_auc(both)
        (array([2., 1.]), 1.0)
    """
    _check(probability, hole)
    scores = probability.ravel().astype(np.float64)
    return _count(np.searchsorted(EDGES, scores, side="right") - 1, scores, hole, TALLY_BINS)


def pooled_auc(total: Tally) -> float:
    """Compute `roc_auc` over all pixels of all maps in a tally.

    Pixels of one bin count as tied. That costs at most half the share of the pairs of a hole and a known pixel that
    meet in one bin, ½ Σ holes × known / (all holes × all known). Over 144 maps of `scenes-detector` (72 fills by
    `scenes`, 72 by `telea`) that bound was 0.0006, and the cost 0.00001.

    Args:
        total: Sum of results of `tally`.

    Returns:
        Area in [0, 1]; NaN if all pixels are hole or all are known.

    Raises:
        ShapeError: If `total` is no tally.
    """
    _check_tally(total)
    return ranked_auc(total[:2])


def pooled_average_precision(total: Tally) -> float:
    """Compute `average_precision` over all pixels of all maps in a tally.

    Hole and known pixels of one bin count as evenly mixed along the ranking; with `found` hole pixels and `passed`
    known ones above the bin, the mean precision in it is the integral over u from 0 to 1 of

        (found + ½ + u holes) / (found + ½ + passed + u (holes + known)),

    where the ½ makes an integral of a sum over whole pixels. However the bin's pixels are ranked, the j-th hole pixel
    has at least the precision (found + j) / (found + j + passed + known), and none more than (found + holes) /
    (found + holes + passed). Over the maps named at `pooled_auc` the averages of these two bounds were 0.0019 apart,
    and the cost was 0.00002.

    Args:
        total: Sum of results of `tally`.

    Returns:
        Precision in (0, 1]; NaN without hole pixels, 1 without known ones.

    Raises:
        ShapeError: If `total` is no tally.
    """
    _check_tally(total)
    known, holes = total[:2, ::-1]
    pixels = known + holes
    met = holes > 0
    if not met.any():
        return float("nan")
    found = (np.cumsum(holes) - holes)[met] + 0.5
    above = (np.cumsum(pixels) - pixels)[met] + 0.5
    holes, pixels = holes[met], pixels[met]
    # The integral of (a + b u) / (c + d u) over u from 0 to 1 is b / d + (a - b c / d) / d × ln(1 + d / c).
    share = holes / pixels
    precision = share + (found - share * above) / pixels * np.log1p(pixels / above)
    return float((holes * precision).sum() / holes.sum())


def pooled_calibration_error(total: Tally, bins: int = CALIBRATION_BINS) -> float:
    """Compute `calibration_error` over all pixels of all maps in a tally; for float32 maps nothing is lost by binning.

    Args:
        total: Sum of results of `tally`.
        bins: Number of bins of equal width: 15, 5, 3 or 1, whose edges are also edges of the tally.

    Returns:
        Error in [0, 1]; NaN for a tally without pixels.

    Raises:
        ShapeError: If `total` is no tally, or `bins` is another number.
    """
    _check_tally(total)
    if bins < 1 or CALIBRATION_BINS % bins:
        raise ShapeError(f"a tally has the edges of 15, 5, 3 or 1 calibration bins; got {bins}. Leave the usual 15.")
    first = np.searchsorted(EDGES, np.arange(bins) / bins)
    return _calibration_error(np.add.reduceat(total, first, axis=1))


def _count(place: NDArray[np.intp], scores: NDArray[np.float64], hole: Mask, bins: int) -> NDArray[np.float64]:
    """Sum known pixels, hole pixels and scores per bin, shape (3, bins); `place` is each pixel's bin."""
    both = np.bincount(place, minlength=bins)
    holes = np.bincount(place[hole.ravel() > 0], minlength=bins)
    sums = np.bincount(place, scores, minlength=bins)
    return np.stack([part.astype(np.float64) for part in (both - holes, holes, sums)])


def _calibration_error(counts: NDArray[np.float64]) -> float:
    pixels = counts[:2].sum()
    return float(np.abs(counts[1] - counts[2]).sum() / pixels) if pixels else float("nan")


def _check(probability: AnyArray, hole: AnyArray) -> None:
    _check_map(probability)
    if hole.shape != probability.shape:
        raise ShapeError(
            f"probability and hole must have the same shape (H, W); got {probability.shape} and {hole.shape}. "
            "Take the map of the same picture, and a single plane of the mask."
        )
    if not ((hole == 0) | (hole == 1)).all():
        raise ShapeError("hole must be exactly 0 or 1; got other values. Make it so with mendpix.masks.binarise.")


def _check_map(probability: AnyArray) -> None:
    if probability.ndim != 2 or not probability.size:
        raise ShapeError(
            f"probability must be (H, W) with at least one pixel; got {probability.shape}. "
            "Take the plane of the hole, for instance logits[1] after a softmax."
        )
    if not np.issubdtype(probability.dtype, np.floating):
        raise ShapeError(f"probability must be floats in [0, 1]; got {probability.dtype}. Divide by its maximum.")
    low, high = probability.min(), probability.max()
    if not (low >= 0 and high <= 1):  # a NaN fails both comparisons
        raise ShapeError(
            f"probability must be finite and in [0, 1]; got values from {low} to {high}. Apply a softmax or sigmoid."
        )


def _check_threshold(threshold: float) -> None:
    if not 0 <= threshold <= 1:
        raise ShapeError(f"threshold must be in [0, 1]; got {threshold}. The usual value is {THRESHOLD}.")


def _check_tally(total: AnyArray) -> None:
    if total.shape != (3, TALLY_BINS):
        raise ShapeError(f"a tally must be (3, {TALLY_BINS}); got {total.shape}. Make one with tally().")
