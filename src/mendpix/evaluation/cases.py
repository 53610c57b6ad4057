"""Choose the pairs that a report shows, and make their pictures again.

A fill is the same each time it is made, except OpenCV's shift map, which may read beside its arrays: a case of
it may show another fill than the one whose numbers stand beside it.
"""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from mendpix.artifacts.maps import ArtifactMap
from mendpix.data.dataset import Pixels
from mendpix.evaluation.measurer import Measurer, Work
from mendpix.evaluation.measures import MEASURES
from mendpix.evaluation.page import Case, CasePicture
from mendpix.evaluation.results import Evaluation
from mendpix.types import Image, Mask

HOLE_COLOUR = (255, 0, 255)
"""Colour in which the page shows holes: one that photos rarely have."""


def worst_pairs(evaluation: Evaluation, measure: str, count: int) -> tuple[int, ...]:
    """Choose pairs by how badly they come out, every bin alike: the worst of each bin first, then the second worst.

    A pair counts by its worst model. Bins take turns because a large hole is worse than a small one by any measure.

    Args:
        evaluation: Everything measured.
        measure: Per-pair measure to judge by.
        count: How many; fewer if there are fewer.

    Returns:
        Numbers of pairs, worst first.
    """
    sign = MEASURES[measure].sign or 1
    values = np.stack([sign * model.values[measure] for model in evaluation.models])
    worst = np.where(np.isnan(values), np.inf, values).min(axis=0)
    order = np.argsort(worst, kind="stable")
    bins = evaluation.pairs.bins[order]
    rank = np.empty(len(order), np.int64)
    for number in range(len(evaluation.pairs.bin_names)):
        members = bins == number
        rank[members] = np.arange(members.sum())
    turns = np.lexsort((worst[order], rank))  # first by rank within the bin, then by how bad
    return tuple(int(number) for number in order[turns][:count])


def make_cases(work: Work, evaluation: Evaluation, chosen: Sequence[int]) -> Iterator[Case]:
    """Make the pictures of pairs, one pair at a time.

    Args:
        work: What was measured.
        evaluation: What it came to.
        chosen: Numbers of pairs.
    """
    if not chosen:
        return
    measurer = Measurer(work)
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)  # as the measuring processes have it
    try:
        for number in chosen:
            yield _make(work, evaluation, measurer, number)
    finally:
        cv2.setNumThreads(before)


def _make(work: Work, evaluation: Evaluation, measurer: Measurer, number: int) -> Case:
    pair = work.opened.pairs[number]
    picture = work.opened.read_picture(pair.picture)
    target = picture.astype(np.float32) / np.float32(255)
    pictures: list[CasePicture] = []
    hole: Mask | None = None
    for index, model in enumerate(evaluation.models):
        hole, answer = measurer.answer(index, pair, picture)
        views = measurer.views(target, hole, answer, {})
        shown = views.shown()
        artifacts: Pixels | None = None
        score = float("nan")
        if views.probability is not None:
            found = views.probability * (hole > 0)
            score = float(found.sum(dtype=np.float64) / hole.sum(dtype=np.float64))
            artifacts = _bytes(ArtifactMap(views.probability, score).overlay(shown))
        values = {name: float(vector[number]) for name, vector in model.values.items()}
        pictures.append(CasePicture(model.name, _bytes(shown), artifacts, values, int(model.altered[number]), score))
    assert hole is not None  # there is at least one model
    holed = np.where(hole[..., None] > 0, np.array(HOLE_COLOUR, np.uint8), picture)
    name = evaluation.pairs.bin_names[int(evaluation.pairs.bins[number])]
    return Case(pair.key, name, pair.hole_share, picture, holed, tuple(pictures))


def _bytes(image: Image) -> Pixels:
    return np.rint(image * np.float32(255)).astype(np.uint8)
