"""Fill and measure pairs of pictures and masks, one thread each, in one process or several.

Knows no sets, no order of pictures and no files of results; `paper_protocol.py` does.
"""

import contextlib
import multiprocessing
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from mendpix import masks
from mendpix.composite import composite
from mendpix.engines import classical
from mendpix.engines.interface import Engine
from mendpix.engines.onnx import OnnxDetector, OnnxGenerator
from mendpix.errors import DataError, MendpixError
from mendpix.evaluation.measures import quantise
from mendpix.evaluation.workers import environment
from mendpix.images import read_picture
from mendpix.metrics.detection import roc_auc
from mendpix.metrics.edges import edge_ratio
from mendpix.metrics.l1 import l1
from mendpix.metrics.psnr import psnr
from mendpix.metrics.ssim import UNIFORM_PX, ssim
from mendpix.types import Image, Mask

SIZE_PX = 256
"""Height and width of every picture and mask; others are refused, never resized."""

NAVIER_STOKES = "navier-stokes"
"""The classical fill that is measured for context, by its name instead of a file."""

WINDOW_PX = UNIFORM_PX["uniform-51"]
"""Side of the uniform window of the second SSIM."""

METRICS = ("l1", "psnr", "ssim51", "ssim11", "features", "edges", "edges_truth", "auc")
"""What a row holds; `auc` only where a detector rated the pair."""

DETECTOR_EVERY = 4
"""The detector rates the pair of every fourth mask only: it takes long, and its score is for context."""

_opener: Callable[[], "Measurer"] | None = None  # set when a worker process starts
_opened: list["Measurer"] = []  # what it made, at the worker's first picture
_lock = threading.Lock()
_threads_before: list[tuple[int, int]] = []  # OpenCV's and torch's, one entry per measurement under way


@dataclass(frozen=True)
class Pair:
    """One picture with one mask."""

    picture: Path
    mask: Path
    bin: int
    """Upper end of the bin's hole ratio, percent."""
    number: int
    """Place of the mask in the list of all masks, from 0."""

    @property
    def key(self) -> str:
        """Name that is the same wherever the files lie."""
        return f"{self.picture_name}+{self.mask.stem}"

    @property
    def picture_name(self) -> str:
        """The picture's part of the name."""
        return f"{self.picture.parent.name}/{self.picture.stem}"

    @property
    def rated(self) -> bool:
        """True if the detector rates this pair."""
        return self.number % DETECTOR_EVERY == 0


class Measurer:
    """Fill and measure, on one thread. Opens model, detector and backbone once."""

    def __init__(self, model: Path | str, detector: Path | None, backbone: Path) -> None:
        """Open everything.

        Raises:
            ModelError: If a file is missing, broken or of the wrong kind.
        """
        from mendpix.features import SqueezeNetFeatures

        self.engine = _open(model)
        self.detector = None if detector is None else OnnxDetector(detector, threads=1)
        self.backbone = SqueezeNetFeatures(backbone)

    def measure(self, pairs: Sequence[Pair]) -> list[tuple[Pair, dict[str, float]]]:
        """Return the metrics of pairs that have the same picture, in their order.

        The detector rates only some of them, see `DETECTOR_EVERY`.
        """
        picture = _read_truth(pairs[0].picture)
        truth_edges = 100 * edge_ratio(picture, sigma=1.0)
        filled: list[Image] = []
        results: list[tuple[Pair, dict[str, float]]] = []
        for pair in pairs:
            hole = _read_hole(pair.mask)
            known = np.where(hole[..., None] > 0, np.float32(0), picture)  # no model ever sees what it must find
            prediction = self.engine.fill(known, hole)
            saved = quantise(composite(picture, np.clip(prediction, 0, 1), hole), "round")
            metrics = {
                "l1": l1(saved, picture),
                "psnr": psnr(saved, picture),
                "ssim51": ssim(saved, picture, window="uniform-51"),
                "ssim11": ssim(saved, picture),
                "edges": 100 * edge_ratio(saved, sigma=1.0),
                "edges_truth": truth_edges,
            }
            if self.detector is not None and pair.rated:
                metrics["auc"] = roc_auc(self.detector.detect(prediction), hole)
            filled.append(saved)
            results.append((pair, metrics))
        for (_, metrics), distance in zip(results, self._distances(filled, picture), strict=True):
            metrics["features"] = 1000 * distance
        return results

    def _distances(self, filled: Sequence[Image], truth: Image) -> list[float]:
        """Compare all fills with the truth, whose activations are computed once."""
        import torch

        from mendpix.metrics.feature_distance import activation_distance

        # Permuted and not copied, the batch is channels-last, with which the backbone takes half the time.
        batch = torch.from_numpy(np.stack([truth, *filled])).permute(0, 3, 1, 2)
        with torch.inference_mode():
            activations = self.backbone(batch)
            ours = {name: activation[1:] for name, activation in activations.items()}
            theirs = {name: activation[:1] for name, activation in activations.items()}
            return cast("list[float]", activation_distance(ours, theirs).tolist())


def run(
    tasks: Sequence[list[Pair]], workers: int, model: Path | str, detector: Path | None, backbone: Path
) -> Iterator[list[tuple[Pair, dict[str, float]]]]:
    """Measure in this process, or in several; results come picture by picture, in the order they are ready."""
    opener = partial(Measurer, model, detector, backbone)
    if workers == 1 or len(tasks) <= 1:
        with _one_thread():
            measurer = opener()  # even if nothing is left: a broken model is to be told of
            yield from map(measurer.measure, tasks)
        return
    with _one_thread():
        opener()  # a broken model is told of before the workers start
    context = multiprocessing.get_context("spawn")
    with environment({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}):
        pool = context.Pool(min(workers, len(tasks)), _start_worker, (opener,))
    with pool:
        yield from pool.imap_unordered(_work, tasks)


def _start_worker(opener: Callable[[], Measurer]) -> None:
    global _opener
    _opener = opener


def _work(pairs: list[Pair]) -> list[tuple[Pair, dict[str, float]]]:
    assert _opener is not None
    if not _opened:
        import torch

        cv2.setNumThreads(1)
        torch.set_num_threads(1)
        _opened.append(_opener())
    return _opened[0].measure(pairs)


@contextlib.contextmanager
def _one_thread() -> Generator[None]:
    """Let OpenCV and torch use one thread for a while; several models may be measured by threads of one process."""
    import torch

    with _lock:
        _threads_before.append((cv2.getNumThreads(), torch.get_num_threads()))
        cv2.setNumThreads(1)
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            first = _threads_before[0]
            _threads_before.pop()
            if not _threads_before:
                cv2.setNumThreads(first[0])
                torch.set_num_threads(first[1])


def _open(model: Path | str) -> Engine:
    if model == NAVIER_STOKES:
        return classical.navier_stokes()
    return OnnxGenerator(model, threads=1)


def _read_truth(path: Path) -> Image:
    picture = read_picture(path).rgb
    if picture.shape[:2] != (SIZE_PX, SIZE_PX):
        raise DataError(f"pictures must be {SIZE_PX} × {SIZE_PX}; {path} is {picture.shape[:2]}. Crop it.")
    return quantise(picture, "round")


def _read_hole(path: Path) -> Mask:
    try:
        return masks.read_mask(path, (SIZE_PX, SIZE_PX))
    except MendpixError as error:
        raise DataError(f"the mask {path} cannot be used: {error}") from error
