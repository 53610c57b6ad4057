"""What the parts of the restoration benchmark share: pictures, finders, kept rows, means with intervals.

Used by `restoration.py`. Measures nothing, and writes no page.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from mendpix.atomic_files import atomic_write
from mendpix.data.ageing import compress, grey_of
from mendpix.data.dataset import PICTURE_SUFFIXES, PictureStore
from mendpix.engines.interface import DamageEngine, Facts
from mendpix.evaluation.number_format import with_margin
from mendpix.evaluation.statistics import Estimate
from mendpix.evaluation.workers import environment
from mendpix.images import read_picture
from mendpix.inference.inpainter import Inpainter
from mendpix.metrics.detection import Counts
from mendpix.restoration.classical import ClassicalFinder
from mendpix.restoration.predict import find_damage, plan_look
from mendpix.restoration.presets import NOISE, Preset, thresholds_of
from mendpix.restoration.restore import open_finder
from mendpix.types import FloatArray, Image, Map, Mask
from mendpix.weights.locate import FOLDER

JPEG_QUALITY = 90
"""Of photos that are saved as JPEG after they were damaged."""

SEED = 7
"""Of all damage that is drawn for measuring."""

FOLDERS = ("bsds", "coco", "kodak", "faces")
"""Folders of validation pictures."""

LARGE = "large"
"""Folder of photos, and the first part of their keys."""

SIDE_PX = 256
"""Height and width of the validation pictures, and of what is cut from training pictures, px."""

DESTROYED = 0.1
"""Share from which on a pixel counts as destroyed where it has to be one or the other."""

RESAMPLES = 10_000
"""Resamples of pictures for the intervals."""

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

CODE = (
    *("composite.py", "fills.py", "images.py", "image_modes.py", "masks.py", "poisson.py"),
    *("data/ageing.py", "data/damage_*.py", "data/degrade.py"),
    *("engines/*.py", "exemplar/*.py", "inference/*.py", "restoration/*.py"),
    *("weights/scenes.onnx", "weights/scenes-harmoniser.onnx"),
)
"""What of mendpix the results depend on: what damages, finds and fills."""

Row = dict[str, Any]
"""What one task came to: plain values, with its name as `key`."""

Values = NDArray[np.float64]

_Task = TypeVar("_Task")


@dataclass(frozen=True)
class Named:
    """A picture file and its number among all of its kind; a task that can be sent to other processes."""

    key: str
    """Such as `bsds/0001`."""
    path: Path
    number: int


class Rows:
    """Results in a file that grows by a line for every task, so that a run that was stopped goes on where it was."""

    def __init__(self, path: Path, mark: str) -> None:
        """Read what is there of this mark, if anything.

        Args:
            path: A file of JSON lines.
            mark: Hash of what the results depend on; rows of another mark do not count, and go when one is added.
        """
        self.path, self.mark = path, mark
        self.found: dict[str, Row] = {}
        self.others = 0
        """How many rows there are of another mark."""
        self._whole = path.exists()
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
                if not line.endswith("\n"):  # a run was killed while it wrote
                    self._whole = False
                    continue
                row = json.loads(line)
                if row.pop("mark") == mark:
                    self.found[row["key"]] = row
                else:
                    self.others += 1

    def add(self, row: Row) -> None:
        """Take note of a result."""
        if self.others or not self._whole:
            self._write()
        self.found[row["key"]] = row
        with self.path.open("a", encoding="utf-8") as file:
            file.write(self._line(row))

    def in_order(self, keys: Iterable[str]) -> list[Row]:
        """Return the rows of these keys that are there."""
        return [self.found[key] for key in keys if key in self.found]

    def _line(self, row: Row) -> str:
        return json.dumps({**row, "mark": self.mark}) + "\n"

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.others, self._whole = 0, True
        with atomic_write(self.path) as temporary:
            temporary.write_text("".join(map(self._line, self.found.values())), encoding="utf-8")


class Remembering:
    """A finder that need not be asked twice in a row about one picture."""

    def __init__(self, engine: DamageEngine) -> None:
        self._engine = engine
        self._last: tuple[bytes, FloatArray] | None = None

    @property
    def facts(self) -> Facts:
        """The finder's facts."""
        return self._engine.facts

    def find(self, image: Image) -> FloatArray:
        """Answer as the finder does."""
        digest = hashlib.blake2b(np.ascontiguousarray(image).tobytes()).digest()
        if self._last is None or self._last[0] != digest:
            self._last = digest, self._engine.find(image)
        return self._last[1]


def validation_pictures(shared: Path, folders: Sequence[str] = FOLDERS) -> list[Named]:
    """List the validation pictures of some folders.

    Raises:
        SystemExit: If a folder holds none.
    """
    named: list[Named] = []
    for folder in folders:
        place = shared / "validation" / folder
        found = sorted(path for path in place.glob("*") if path.suffix in PICTURE_SUFFIXES)
        if not found:
            raise SystemExit(f"{place} must hold pictures; it holds none.")
        named += [Named(f"{folder}/{path.stem}", path, len(named) + place_) for place_, path in enumerate(found)]
    return named


def large_pictures(shared: Path) -> list[Named]:
    """List photos that are looked at at more than one size; none if the folder is not there."""
    found = sorted(path for path in (shared / "cases" / LARGE).glob("*") if path.suffix in PICTURE_SUFFIXES)
    return [Named(f"{LARGE}/{path.stem}", path, place) for place, path in enumerate(found)]


def training_pictures(shared: Path, count: int) -> Iterator[tuple[str, Image]]:
    """Cut squares from the middle of so many training pictures, at equal distances in the shards."""
    store = PictureStore.open([str(shared / "data" / "scenes-*.tar")], memory_limit_gib=0)
    for number in range(min(count, len(store))):
        place = number * len(store) // min(count, len(store))
        pixels = store[place]
        side = min(SIDE_PX, *pixels.shape[:2])
        top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
        square = pixels[top : top + side, left : left + side]
        yield f"{place:05}", to_unit(square)


def spread(items: Sequence[_Task], limit: int | None) -> list[_Task]:
    """Take so many items at equal distances; all if there are no more."""
    if limit is None or limit >= len(items):
        return list(items)
    return [items[number * len(items) // limit] for number in range(limit)]


def read(named: Named) -> Image:
    """Read a picture as RGB in [0, 1]."""
    return read_picture(named.path).rgb


def to_levels(image: Image) -> NDArray[np.uint8]:
    """Turn a picture in [0, 1] to 8 bits, as a file would hold it."""
    return np.rint(np.clip(image, 0, 1) * np.float32(255)).astype(np.uint8)


def to_unit(levels: NDArray[np.uint8]) -> Image:
    """Turn 8 bits to [0, 1]."""
    return np.asarray(levels.astype(np.float32) / np.float32(255), np.float32)


def in_grey(image: Image) -> Image:
    """Take the colour from a picture, in steps of 8 bits."""
    return to_unit(to_levels(grey_of(image)))


def as_jpeg(image: Image) -> Image:
    """Save a picture as JPEG, colour at half the resolution, and read it again."""
    return compress(image, JPEG_QUALITY)


FORMS: Mapping[str, Callable[[Image], Image]] = {"grey": in_grey, "JPEG": as_jpeg}
"""Forms that photos come in beside the one they are drawn on."""

SAVED = (tuple(FORMS), JPEG_QUALITY)
"""What rows about these forms depend on, for `mark_of`."""


def one_thread() -> None:
    """Let OpenCV use one thread: processes are what works side by side."""
    cv2.setNumThreads(1)


@cache
def open_one(finder: str) -> Remembering | ClassicalFinder:
    """Open a finder once in a process, with one thread: `classical`, or the path of a model file."""
    one_thread()
    opened = open_finder(finder, threads=1)
    return opened if isinstance(opened, ClassicalFinder) else Remembering(opened)


@cache
def open_fill(model: str) -> Inpainter:
    """Open what fills once in a process, with one thread."""
    one_thread()
    return Inpainter(model, detector=None, threads=1)


def evidence(finder: str, image: Image, preset: Preset) -> Map:
    """Tell how much speaks for damage at each pixel, exactly as `mendpix.restore` finds it."""
    opened = open_one(finder)
    wanted = thresholds_of(preset, opened.facts)
    if isinstance(opened, ClassicalFinder):
        opened = opened.only(tuple(wanted))
    look = plan_look((image.shape[0], image.shape[1]), opened.facts, full_size=tuple(wanted) == (NOISE,))
    return find_damage(opened, image, wanted, look)


def filled(image: Image, hole: Mask, model: str) -> Image:
    """Fill a hole as `mendpix.restore` does with this mask; without one, or with nothing else, the picture comes back.

    Args:
        image: RGB in steps of 1/255.
        hole: 1 = fill.
        model: What fills.
    """
    if not hole.any() or hole.all():
        return image
    return to_unit(np.asarray(open_fill(model)(to_levels(image), hole).image, np.uint8))


def best_overlap(counts: Counts) -> float:
    """Compute the largest intersection over union that any threshold reaches, from counts of `rank_scores`."""
    known, holes = counts[:, ::-1]
    if not holes.sum():
        return math.nan
    marked_known, marked_holes = np.cumsum(known), np.cumsum(holes)
    return float((marked_holes / (holes.sum() + marked_known)).max())


def run(tasks: Sequence[_Task], work: Callable[[_Task], Row], workers: int) -> Iterator[Row]:
    """Do tasks in this process or in several, one thread each; rows come in the order in which they are ready."""
    if workers == 1:
        for task in tasks:
            yield work(task)
        return
    with environment(dict(ONE_THREAD)), ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        waiting: list[Future[Row]] = [pool.submit(work, task) for task in tasks]
        try:
            for future in as_completed(waiting):
                yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def fill_up(
    rows: Rows, tasks: Sequence[Any], keys: Sequence[str], work: Callable[[Any], Row], workers: int, what: str
) -> list[Row]:
    """Do what is missing, say how far it is, and return the rows in order."""
    missing = [task for task, key in zip(tasks, keys, strict=True) if key not in rows.found]
    if missing:
        older = f"; {rows.others} older rows were made by other code or another finder" if rows.others else ""
        print(f"{what}: {len(missing)} of {len(tasks)} to measure{older}", flush=True)
    for number, row in enumerate(run(missing, work, workers), 1):
        rows.add(row)
        if number % max(1, len(missing) // 20) == 0:
            print(f"{what}: {number} of {len(missing)}", flush=True)
    return rows.in_order(keys)


def mark_of(*parts: object) -> str:
    """Hash the code that finds, damages and fills, the models that ship, and some values.

    Args:
        parts: What else counts: settings, and files, which count by their content.
    """
    package = FOLDER.parent
    digest = hashlib.sha256()
    for file in sorted(file for pattern in CODE for file in package.glob(pattern)):
        digest.update(file.relative_to(package).as_posix().encode() + file.read_bytes())
    for part in parts:
        digest.update(part.read_bytes() if isinstance(part, Path) else repr(part).encode())
    return digest.hexdigest()[:16]


def mark_of_bytes(data: bytes) -> str:
    """Hash what a file holds."""
    return hashlib.sha256(data).hexdigest()[:16]


def mean(values: Iterable[float]) -> Estimate:
    """Compute the mean over pictures, with a percentile bootstrap of 95 %; NaN = the picture has no value."""
    given = np.array([value for value in values if not math.isnan(value)], np.float64)
    if len(given) < 2:
        return Estimate(float(given.mean()) if len(given) else math.nan, math.nan, math.nan, len(given))
    drawn = np.random.default_rng(SEED).integers(0, len(given), (RESAMPLES, len(given)), np.int32)
    low, high = np.percentile(given[drawn].mean(axis=1), (2.5, 97.5))
    return Estimate(float(given.mean()), float(low), float(high), len(given))


def cell(values: Iterable[float], digits: int) -> str:
    """Write the mean over pictures with half its interval."""
    return with_margin(mean(values), digits)


def is_too_large(hole: Mask, max_area: float) -> bool:
    """Tell whether `mendpix.restore` would refuse to fill this hole."""
    return bool(hole.mean() > max_area or hole.all())
