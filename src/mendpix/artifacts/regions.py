"""Doubtful areas of a map, as boxes that somebody can click on. Knows no model and no picture."""

from dataclasses import dataclass

import cv2
import numpy as np

from mendpix.types import Map

DOUBTFUL = 0.5
"""Probability from which a pixel counts as doubtful."""

JOINED_PX = 3
"""Doubtful pixels that are this close are one area, px."""

LEAST_PX = 16
"""Smaller areas are not listed, px."""

MOST_REGIONS = 20
"""Areas that are listed."""


@dataclass(frozen=True)
class DoubtfulRegion:
    """A connected area that looks filled."""

    left: int
    """First column, px."""
    top: int
    """First row, px."""
    width: int
    """Columns, px."""
    height: int
    """Rows, px."""
    mean: float
    """Mean probability of its pixels, in [0, 1]."""
    area_px: int
    """Its doubtful pixels."""


def doubtful_regions(probability: Map) -> tuple[DoubtfulRegion, ...]:
    """Find the connected areas of a map that are more likely filled than not, the largest first.

    Args:
        probability: In [0, 1], float32, shape (H, W).

    Returns:
        At most `MOST_REGIONS`, each of `LEAST_PX` doubtful pixels or more.
    """
    doubtful = (probability >= DOUBTFUL).astype(np.uint8)
    joined = cv2.morphologyEx(doubtful, cv2.MORPH_CLOSE, np.ones((JOINED_PX, JOINED_PX), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    order = 1 + np.argsort(-stats[1:count, cv2.CC_STAT_AREA], kind="stable")  # a noisy map has millions of areas
    regions: list[DoubtfulRegion] = []
    for label in order[: 2 * MOST_REGIONS]:  # closing gaps may have made some of them larger than they are
        left, top, width, height = (int(value) for value in stats[label][:4])
        box = slice(top, top + height), slice(left, left + width)
        own = (labels[box] == label) & (doubtful[box] > 0)
        area = int(own.sum())
        if area >= LEAST_PX:
            regions.append(DoubtfulRegion(left, top, width, height, float(probability[box][own].mean()), area))
    return tuple(sorted(regions, key=lambda region: -region.area_px)[:MOST_REGIONS])
