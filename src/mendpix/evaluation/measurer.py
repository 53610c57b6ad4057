"""Fill and measure the pairs of one picture at a time, on one thread. Knows no files of rows and no tables."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mendpix.artifacts.detect import detect
from mendpix.data.dataset import Pixels
from mendpix.engines.interface import DetectorEngine
from mendpix.errors import DataError, InputError, MendpixError, ModelError
from mendpix.evaluation.candidates import Answer, Candidate
from mendpix.evaluation.measures import MEASURES, SET_MEASURES, Views, needs_weights
from mendpix.evaluation.pairing import OpenProtocol, Pair
from mendpix.evaluation.rows import Row
from mendpix.metrics.detection import share_marked, tally
from mendpix.metrics.edges import edge_ratio
from mendpix.metrics.squeezenet import SqueezeNet
from mendpix.types import FloatArray, Image, Map, Mask
from mendpix.weights.locate import SUFFIX, open_detector

MODELS_KEPT = 4
"""Models that one process keeps loaded; the one used longest ago is closed for the next."""


@dataclass(frozen=True)
class Work:
    """Everything that a process needs to measure."""

    opened: OpenProtocol
    candidates: tuple[Candidate, ...]
    measures: tuple[str, ...]
    set_measures: tuple[str, ...]
    weights_dir: Path | None = None
    """Folder with the weights of FID, KID and LPIPS."""

    @property
    def vectors(self) -> frozenset[str]:
        """Names of the vectors that the measures of sets are made of."""
        return frozenset(SET_MEASURES[name].vector for name in self.set_measures)


@dataclass(frozen=True)
class Task:
    """What is still to be measured of one picture."""

    picture: int
    truth: bool
    """True if the untouched picture itself is to be measured."""
    pending: tuple[tuple[int, tuple[int, ...]], ...]
    """Number of a candidate, and numbers of its pairs."""


@dataclass(frozen=True, eq=False)
class Done:
    """What a task came to."""

    task: Task
    truth: Row | None
    rows: tuple[tuple[int, tuple[Row, ...]], ...]
    """Number of a candidate, and its rows."""
    fill_seconds: Mapping[int, float] = field(default_factory=dict[int, float])
    """Time that each candidate's answers took."""
    measure_seconds: float = 0.0
    """Time that the measures took."""


class Measurer:
    """Opens models, backbones and detector once, at their first use, and measures."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._answers: OrderedDict[int, Answer] = OrderedDict()
        needs = {MEASURES[name].needs for name in work.measures}
        self._backbone = SqueezeNet() if "backbone" in needs or "squeezenet" in work.vectors else None
        self._detector: DetectorEngine | None = None
        settings = work.opened.protocol.detector
        if settings is not None:
            self._detector = open_detector(_model(settings.model, work.opened.protocol.folder), threads=1)
        self._lpips, self._inception = open_learned(work)

    def measure(self, task: Task, clock: Callable[[], float]) -> Done:
        """Measure one picture with all that is pending of it.

        Args:
            task: What to measure.
            clock: Seconds since whenever.

        Raises:
            DataError: If a picture, mask or result is broken or does not fit.
            ModelError: If a model fails.
        """
        opened = self._work.opened
        picture = opened.read_picture(task.picture)
        target = picture.astype(np.float32) / np.float32(255)
        cache: dict[str, Any] = {}
        filled: dict[int, float] = {}
        rows: list[tuple[int, tuple[Row, ...]]] = []
        whole = clock()
        for number, pairs in task.pending:
            begun = clock()
            answers = [self._answer(number, opened.pairs[pair], picture) for pair in pairs]
            filled[number] = clock() - begun
            # A network that is asked for its raw answer is meant to draw the known pixels anew.
            counted = opened.protocol.measure.image == "composite" or self._work.candidates[number].model is None
            rows.append(
                (
                    number,
                    tuple(
                        self.row(
                            opened.pairs[pair],
                            picture,
                            target,
                            hole,
                            answer,
                            cache,
                            count_altered(answer, picture, hole) if counted else 0,
                        )
                        for pair, (hole, answer) in zip(pairs, answers, strict=True)
                    ),
                )
            )
        truth = self._truth(task.picture, target) if task.truth else None
        return Done(task, truth, tuple(rows), filled, clock() - whole - sum(filled.values()))

    def answer(self, number: int, pair: Pair, picture: Pixels) -> tuple[Mask, Image]:
        """Give a pair's hole and what a candidate makes of it, clamped to [0, 1]."""
        return self._answer(number, pair, picture)

    def row(
        self, pair: Pair, picture: Pixels, target: Image, hole: Mask, answer: Image, cache: dict[str, Any], altered: int
    ) -> Row:
        """Measure one answer."""
        views = self.views(target, hole, answer, cache)
        values = {name: float(MEASURES[name].compute(views)) for name in self._work.measures}
        shown = views.shown()
        vectors = self._vectors(shown)
        if views.probability is not None and "detector" in self._work.vectors:
            vectors["detector"] = np.asarray(tally(views.probability, hole), np.float32)
        return Row(pair.key, values, altered, vectors)

    def views(self, target: Image, hole: Mask, answer: Image, cache: dict[str, Any]) -> Views:
        """Give everything that the measures may look at."""
        measure = self._work.opened.protocol.measure
        views = Views(
            target=target,
            prediction=answer,
            hole=hole,
            quantisation=measure.quantisation,
            image=measure.image,
            cache=cache,
            backbone=self._backbone,
            lpips=self._lpips,
        )
        views.probability = self.rate(views.shown())
        return views

    def rate(self, shown: Image) -> Map | None:
        """Let the detector look at a picture; None if there is none."""
        return None if self._detector is None else detect(shown, model=self._detector).probability

    def _answer(self, number: int, pair: Pair, picture: Pixels) -> tuple[Mask, Image]:
        candidate = self._work.candidates[number]
        if number not in self._answers:
            self._answers[number] = candidate.open(self._work.opened.protocol.measure.image)
            while len(self._answers) > MODELS_KEPT:
                self._answers.popitem(last=False)
        self._answers.move_to_end(number)
        hole = self._work.opened.read_hole(pair, picture.shape[:2])
        holed = picture * (hole == 0)[..., None].astype(np.uint8)  # no model ever sees what it must find
        try:
            answer = self._answers[number](pair, holed, hole)
        except InputError as error:
            raise DataError(f"{candidate.name} could not be measured on {pair.key}: {error}") from error
        except MendpixError:
            raise
        except cv2.error as error:
            raise ModelError(f"{candidate.name} failed on {pair.key}: {error}") from error
        return hole, np.clip(answer, 0, 1)

    def _truth(self, number: int, target: Image) -> Row:
        """Measure an untouched picture."""
        values: dict[str, float] = {}
        if {"edge-ratio", "edge-ratio-off"} & set(self._work.measures):
            values["edge-ratio"] = 100 * edge_ratio(target)
        probability = self.rate(target)
        if probability is not None:
            values["clean-marked"] = 100 * share_marked(probability)
        return Row(str(number), values, 0, self._vectors(target))

    def _vectors(self, shown: Image) -> dict[str, FloatArray]:
        vectors: dict[str, FloatArray] = {}
        if "squeezenet" in self._work.vectors and self._backbone is not None:
            vectors["squeezenet"] = self._backbone.pooled(shown)
        if self._inception is not None:
            vectors["inception"] = self._inception(shown)
        return vectors


def open_learned(
    work: Work,
) -> tuple[dict[str, Callable[[Image, Image], float]], Callable[[Image], FloatArray] | None]:
    """Open LPIPS and Inception, as far as the measures need them.

    Raises:
        MissingExtraError: If a package is not installed.
        ModelError: If there is no folder of weights, or a file is missing or broken.
    """
    needs = dict.fromkeys(MEASURES[name].needs for name in work.measures)
    nets = [need.removeprefix("lpips-") for need in needs if need.startswith("lpips-")]
    if not nets and "inception" not in work.vectors:
        return {}, None
    wanted = [name for name in (*work.measures, *work.set_measures) if needs_weights(name)]
    if work.weights_dir is None:
        raise ModelError(
            f"{', '.join(wanted)} need published weights, which do not come with mendpix; no folder was named. Give it "
            "with --weights-dir, or take these metrics out of the protocol."
        )
    from mendpix.metrics.learned import open_inception, open_lpips

    lpips = {net: open_lpips(net, work.weights_dir) for net in nets}
    return lpips, open_inception(work.weights_dir) if "inception" in work.vectors else None


def count_altered(answer: Image, picture: Pixels, hole: Mask) -> int:
    """Count known pixels that differ from the true picture once the answer is rounded to 8 bits."""
    rounded = np.rint(answer * np.float32(255)).astype(np.uint8)
    return int(np.count_nonzero((rounded != picture).any(axis=2) & (hole == 0)))


def plan_tasks(
    opened: OpenProtocol, candidates: Sequence[Candidate], done: Sequence[Set[str]], truth_done: Set[str]
) -> Iterator[Task]:
    """List what is still to be measured, picture by picture.

    Args:
        opened: The protocol.
        candidates: Everything that is evaluated.
        done: Keys of the pairs that each candidate has.
        truth_done: Numbers of the pictures that were measured themselves, as strings.
    """
    for picture, pairs in enumerate(opened.by_picture):
        if not pairs:
            continue
        pending = tuple(
            (number, left)
            for number, _ in enumerate(candidates)
            if (left := tuple(pair for pair in pairs if opened.pairs[pair].key not in done[number]))
        )
        truth = str(picture) not in truth_done
        if truth or pending:
            yield Task(picture, truth, pending)


def _model(model: str, folder: Path) -> str | Path:
    """Take a detector's path from the protocol's folder; a name stays one."""
    return folder / model if model.lower().endswith(SUFFIX) else model
