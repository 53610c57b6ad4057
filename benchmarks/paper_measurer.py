"""Fill and measure pairs of pictures and masks, one thread each, in one process or several.

Knows no sets, no order of pictures and no files of results; `paper_protocol.py` does.
"""

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

import quality_protocol
from mendpix import masks
from mendpix.composite import composite
from mendpix.engines import classical
from mendpix.engines.interface import Engine
from mendpix.engines.onnx import OnnxDetector, OnnxGenerator
from mendpix.errors import DataError, MendpixError, ShapeError
from mendpix.images import read_picture
from mendpix.metrics.edges import edge_ratio
from mendpix.metrics.l1 import l1
from mendpix.metrics.pair import check_pair
from mendpix.metrics.psnr import psnr
from mendpix.metrics.ssim import ssim
from mendpix.types import Image, Map, Mask

SIZE_PX = 256
"""Height and width of every picture and mask; others are refused, never resized."""

NAVIER_STOKES = "navier-stokes"
"""The classical fill that is measured for context, by its name instead of a file."""

WINDOW_PX = 51
"""Side of the uniform window of the second SSIM."""

METRICS = ("l1", "psnr", "ssim51", "ssim11", "features", "edges", "edges_truth", "auc")
"""What a row holds; `auc` only where a detector rated the pair."""

DETECTOR_EVERY = 4
"""The detector rates the pair of every fourth mask only: it takes long, and its score is for context."""

_C1, _C2 = 0.01**2, 0.03**2  # constants of SSIM for a data range of 1

_opener: Callable[[], "Measurer"] | None = None  # set when a worker process starts
_opened: list["Measurer"] = []  # what it made, at the worker's first picture
_lock = threading.Lock()
_threads_before: list[tuple[int, int]] = []  # OpenCV's and torch's, one entry per measurement under way


@dataclass(frozen=True)
class Pair(quality_protocol.Pair):
    """One picture with one mask, and the mask's number."""

    number: int
    """Place of the mask in the list of all masks, from 0."""

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
            saved = as_saved(composite(picture, np.clip(prediction, 0, 1), hole))
            metrics = {
                "l1": l1(saved, picture),
                "psnr": psnr(saved, picture),
                "ssim51": ssim_uniform(saved, picture),
                "ssim11": ssim(saved, picture),
                "edges": 100 * edge_ratio(saved, sigma=1.0),
                "edges_truth": truth_edges,
            }
            if self.detector is not None and pair.rated:
                metrics["auc"] = hole_auc(self.detector.detect(prediction), hole)
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


def as_saved(image: Image) -> Image:
    """Round a picture in [0, 1] to the nearest of 256 levels, as writing and reading a file does."""
    return np.rint(image * np.float32(255)).astype(np.uint8).astype(np.float32) / np.float32(255)


def ssim_uniform(prediction: Image, target: Image) -> float:
    """Compute the structural similarity index with a uniform window, as the paper's published program does.

    Equals scikit-image's `structural_similarity` with ``win_size=51``, ``channel_axis=2``, ``data_range=1`` in double
    precision, in less than half the time.

    Args:
        prediction: RGB in [0, 1], shape (H, W, 3), at least 51 × 51.
        target: The same shape and range.

    Raises:
        ShapeError: If the pictures are not two float arrays of one shape (H, W, 3), or are smaller than the window.
    """
    check_pair(prediction, target)
    if min(prediction.shape[:2]) < WINDOW_PX:
        raise ShapeError(
            f"prediction and target must be at least {WINDOW_PX} × {WINDOW_PX}, the window; got {prediction.shape}. "
            "Measure a smaller picture by psnr or l1."
        )
    x, y = prediction.astype(np.float64), target.astype(np.float64)
    mean_x, mean_y = _window_mean(x), _window_mean(y)
    sample = WINDOW_PX**2 / (WINDOW_PX**2 - 1)
    variances = sample * (_window_mean(x * x + y * y) - mean_x * mean_x - mean_y * mean_y)
    covariance = sample * (_window_mean(x * y) - mean_x * mean_y)
    index = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
    index /= (mean_x * mean_x + mean_y * mean_y + _C1) * (variances + _C2)
    return float(index.mean())


def hole_auc(probability: Map, hole: Mask) -> float:
    """Compute the chance that a pixel of the hole is rated above a known one; a tie counts half.

    This is the area under the ROC curve: 0.5 = blind, 1 = the hole is found without fail.

    Args:
        probability: Any finite rating, shape (H, W).
        hole: 1 = hole, 0 = known, same shape; both must occur.
    """
    _, place, counts = np.unique(probability, return_inverse=True, return_counts=True)
    rank = np.cumsum(counts) - (counts - 1) / 2  # mean of the ranks, from 1, that equal ratings share
    inside = hole.ravel() > 0
    count = int(inside.sum())
    others = inside.size - count
    return float((rank[place.ravel()[inside]].sum() - count * (count + 1) / 2) / (count * others))


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
    with _environment(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1"):
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


@contextlib.contextmanager
def _environment(**variables: str) -> Generator[None]:
    """Set environment variables for the processes that are started meanwhile."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _open(model: Path | str) -> Engine:
    if model == NAVIER_STOKES:
        return classical.navier_stokes()
    return OnnxGenerator(model, threads=1)


def _read_truth(path: Path) -> Image:
    picture = read_picture(path).rgb
    if picture.shape[:2] != (SIZE_PX, SIZE_PX):
        raise DataError(f"pictures must be {SIZE_PX} × {SIZE_PX}; {path} is {picture.shape[:2]}. Crop it.")
    return as_saved(picture)


def _read_hole(path: Path) -> Mask:
    try:
        return masks.read_mask(path, (SIZE_PX, SIZE_PX))
    except MendpixError as error:
        raise DataError(f"the mask {path} cannot be used: {error}") from error


def _window_mean(channels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average within the window, at its positions inside the picture only."""
    mean = cast(Any, cv2.boxFilter(channels, cv2.CV_64F, (WINDOW_PX, WINDOW_PX), borderType=cv2.BORDER_REFLECT))
    edge = WINDOW_PX // 2
    return mean[edge : mean.shape[0] - edge, edge : mean.shape[1] - edge]
