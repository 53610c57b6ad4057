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
from mendpix.errors import DataError, InputError, ModelError
from mendpix.evaluation.candidates import Answer, Candidate
from mendpix.evaluation.measures import MEASURES, SET_MEASURES, Views, needs_weights
from mendpix.evaluation.pairing import OpenProtocol, Pair
from mendpix.evaluation.results import NOT_COUNTED, TRUE_CROP
from mendpix.evaluation.rows import Row
from mendpix.metrics.crops import crop_around_hole
from mendpix.metrics.detection import share_marked, tally
from mendpix.metrics.edges import edge_ratio
from mendpix.metrics.squeezenet import SqueezeNet
from mendpix.types import FloatArray, Image, Map, Mask
from mendpix.weights.locate import SUFFIX, open_detector

MODELS_KEPT = 32
"""Models that one process keeps loaded; the one used longest ago is closed for the next."""

SQUEEZED = frozenset({"squeezenet", "squeezenet-hole"})
"""Vectors that the backbone makes."""

PAIRS_PER_TASK = 8
"""Pairs of one picture that are measured before anything of them is kept."""


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
        self._backbone = SqueezeNet() if "backbone" in needs or SQUEEZED & work.vectors else None
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
        begun = clock()
        picture = opened.read_picture(task.picture)
        target = picture.astype(np.float32) / np.float32(255)
        cache: dict[str, Any] = {}
        filled: dict[int, float] = {}
        rows: list[tuple[int, tuple[Row, ...]]] = []
        for number, pairs in task.pending:
            found: list[Row] = []
            for pair in (opened.pairs[pair] for pair in pairs):
                fill, hole = self.prepare(number), opened.read_hole(pair, picture.shape[:2])
                holed = without_hole(picture, hole)
                started = clock()
                answer = self.fill(number, fill, pair, holed, hole)
                filled[number] = filled.get(number, 0.0) + clock() - started
                found.append(self.row(number, pair, picture, target, hole, answer, cache))
            rows.append((number, tuple(found)))
        truth = self._truth(task.picture, target) if task.truth else None
        return Done(task, truth, tuple(rows), filled, clock() - begun - sum(filled.values()))

    def answer(self, number: int, pair: Pair, picture: Pixels) -> tuple[Mask, Image]:
        """Give a pair's hole and what a candidate makes of it, clamped to [0, 1]."""
        hole = self._work.opened.read_hole(pair, picture.shape[:2])
        return hole, self.fill(number, self.prepare(number), pair, without_hole(picture, hole), hole)

    def prepare(self, number: int) -> Answer:
        """Give what answers for a candidate, loaded."""
        if number not in self._answers:
            self._answers[number] = self._work.candidates[number].open(self._work.opened.protocol.measure.image)
            while len(self._answers) > MODELS_KEPT:
                self._answers.popitem(last=False)
        self._answers.move_to_end(number)
        return self._answers[number]

    def fill(self, number: int, fill: Answer, pair: Pair, holed: Pixels, hole: Mask) -> Image:
        """Let a candidate answer, clamped to [0, 1].

        Raises:
            DataError: If a result is broken or does not fit.
            ModelError: If the model fails.
        """
        name = self._work.candidates[number].name
        try:
            return np.clip(fill(pair, holed, hole), 0, 1)
        except InputError as error:
            raise DataError(f"{name} could not be measured on {pair.key}: {error}") from error
        except cv2.error as error:
            raise ModelError(f"{name} failed on {pair.key}: {error}") from error

    def row(
        self, number: int, pair: Pair, picture: Pixels, target: Image, hole: Mask, answer: Image, cache: dict[str, Any]
    ) -> Row:
        """Measure one answer."""
        views = self.views(target, hole, answer, cache)
        values = {name: self._compute(name, views, pair.key) for name in self._work.measures}
        vectors = {**self._vectors(views.shown()), **self._crop_vectors(views)}
        if views.probability is not None and "detector" in self._work.vectors:
            vectors["detector"] = np.asarray(tally(views.probability, hole), np.float32)
        # A network that is asked for its raw answer is meant to draw the known pixels anew.
        counted = self._work.opened.protocol.measure.image == "composite" or not self._work.candidates[number].model
        return Row(pair.key, values, count_altered(answer, picture, hole) if counted else NOT_COUNTED, vectors)

    def probe(self) -> None:
        """Compute every measure once, on noise of the size of the smallest picture.

        Raises:
            DataError: If a measure cannot be computed on a picture so small, or at all.
        """
        opened = self._work.opened
        used = [number for number, pairs in enumerate(opened.by_picture) if pairs]
        smallest = min(used, key=lambda number: min(opened.sizes[number]))
        size = opened.sizes[smallest]
        noise = np.random.default_rng(0).random((2, *size, 3)).astype(np.float32)
        hole = np.zeros(size, np.float32)
        hole[: size[0] // 2] = 1
        views = self.views(noise[0], hole, noise[1], {})
        for name in self._work.measures:
            self._compute(name, views, opened.locations[smallest].key)
        try:
            self._vectors(noise[0])
            self._crop_vectors(views)
        except InputError as error:
            raise DataError(f"{opened.locations[smallest].key} cannot be measured: {error}") from error

    def _compute(self, name: str, views: Views, where: str) -> float:
        try:
            return float(MEASURES[name].compute(views))
        except InputError as error:
            raise DataError(
                f"{name} cannot be measured on {where}: {error} Take this measure out of the protocol, or the picture."
            ) from error

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

    def _crop_vectors(self, views: Views) -> dict[str, FloatArray]:
        """Look at what lies around the hole, in the filled picture and in the true one."""
        if "squeezenet-hole" not in self._work.vectors or self._backbone is None:
            return {}
        pictures = {"squeezenet-hole": views.shown(), TRUE_CROP: views.target}
        return {
            name: self._backbone.pooled(crop_around_hole(picture, views.hole)) for name, picture in pictures.items()
        }


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
            f"published weights are needed for {', '.join(wanted)}, which do not come with mendpix; no folder was "
            "named. Give it with --weights-dir, or take these metrics out of the protocol."
        )
    from mendpix.metrics.learned import open_inception, open_lpips

    lpips = {net: open_lpips(net, work.weights_dir) for net in nets}
    return lpips, open_inception(work.weights_dir) if "inception" in work.vectors else None


def without_hole(picture: Pixels, hole: Mask) -> Pixels:
    """Blacken what lies in the hole: no model ever sees what it must find."""
    return picture * (hole == 0)[..., None].astype(np.uint8)


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
        left = [
            tuple(pair for pair in pairs if opened.pairs[pair].key not in done[number])
            for number, _ in enumerate(candidates)
        ]
        chunks = range(0, max(map(len, left), default=0), PAIRS_PER_TASK)
        for start in chunks:
            part = ((number, missing[start : start + PAIRS_PER_TASK]) for number, missing in enumerate(left))
            yield Task(picture, False, tuple((number, some) for number, some in part if some))
        if pairs and str(picture) not in truth_done:
            yield Task(picture, True, ())


def _model(model: str, folder: Path) -> str | Path:
    """Take a detector's path from the protocol's folder; a name stays one."""
    return folder / model if model.lower().endswith(SUFFIX) else model
