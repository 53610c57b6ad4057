"""Make training masks from drawings, as the GDN paper does (section 4.1): turn, thicken, crop, sort by share of hole.

One drawing (512 × 512, dark strokes on white) gives one mask of 256 × 256 per pass: turned by a whole number of degrees
and enlarged 1.5 times, strokes thickened by a square, cropped, inverted, made black and white. What varies is sampled
and recorded as `Processing` first, and then applied without any randomness.

The authors' script draws the side of the square from int(15 - hr) to int(28 - hr), where hr is the share of *white* in
the drawing as a *fraction*. A number between 0 and 1 hardly matters there: the side is 14 to 27 for every drawing that
is not all black. Such numbers make sense for the share of *strokes* in *percent* (the share of white, some 90 %, would
make them negative): a drawing with 5 % of strokes is thickened by 10 to 23, one with 14 % by 1 to 14, so that full
drawings do not become all hole and sparse ones not a few hairs. Both can be had: `published` is what the script does,
`intended` what it seems to have been meant to do.

A run over a folder goes by pass and drawing in a fixed order, whoever finishes first, and everything random hangs on
the seed, the name of the drawing and the pass alone. So a run that was stopped goes on to the same masks, with any
number of workers. Knows nothing of where drawings come from (`drawings`, `drawing_files`), nor of training.
"""

import io
import os
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Literal, NamedTuple, Protocol, get_args

import cv2
import numpy as np
from PIL import Image as PillowImage

from mendpix.atomic_files import atomic_write
from mendpix.data.drawings import DRAWING_PX, Drawing, generator_for
from mendpix.data.mask_record import BIN_NAMES, BuildReport, begin_run
from mendpix.data.mask_sampler import RATIO_BINS, bin_of
from mendpix.errors import DataError, ImageError, InputError
from mendpix.types import Mask, Progress

Thickening = Literal["published", "intended"]
"""How the thickness is chosen, see the top of this file."""

MASK_PX = 256
"""Side of every mask in pixels."""

MARGIN_PX = 23
"""Width of the frame that stays known with a free border: rows and columns 23 to 232 are left, 210 × 210 pixels."""

SCALE = 1.5
"""How much a drawing is enlarged when it is turned: half of its diagonal, 362 px, comes from within 242 px of the
centre, so that nothing from outside the drawing is ever seen."""

_CHUNK = 16  # drawings given to a worker at once
_WRITERS = 16  # threads that wait for the disk
_SAVE_EVERY_S = 1.0
_BROKEN_IN_A_ROW = 1000  # drawings; rather a disk that is gone than drawings that are broken


class DrawingSource(Protocol):
    """Give drawings by number, each under a name of its own. Safe to read from several threads."""

    @property
    def names(self) -> Sequence[str]:
        """Name of each drawing, all different, in the order in which they are used."""
        ...

    def read(self, index: int) -> Drawing:
        """Return drawing `index` as a new array; raises a DataError or an ImageError if that cannot be done."""
        ...

    def facts(self) -> dict[str, Any]:
        """Return what tells this source from others, for a record as JSON."""
        ...


@dataclass(frozen=True)
class Processing:
    """Record how one drawing becomes one mask."""

    angle_deg: int
    """Turned by this angle against the clock, -180 to 180 degrees."""
    thicken_px: int
    """Side of the square that thickens the strokes; 1 = not at all."""
    left: int
    """First column of the crop, in pixels of the turned drawing, 0 to 256."""
    top: int
    """First row of the crop, 0 to 256."""
    margin_px: int
    """Width of the frame that is made known; 0 = none."""


@dataclass(frozen=True)
class BuildSettings:
    """Say which masks a run makes of its drawings.

    Raises:
        InputError: If a value makes no sense.
    """

    processing: Thickening = "published"
    """How the thickness is chosen."""
    border: Literal["free", "any"] = "any"
    """free: a frame of 23 pixels stays known; any: holes may reach the edge."""
    binning: Literal["exact", "published"] = "exact"
    """exact: a bin is (low, high] of the share of hole, and what has 1 % or less is left out; published: the share is
    taken 255/256 as large, and everything down to no hole at all is in the first bin."""
    per_bin: int = 30_000
    """Masks after which a bin is full (the authors' script stops at 29,999)."""
    passes: int = 1
    """How many masks are made of each drawing; each pass goes through all drawings."""
    seed: int = 0
    """Other seeds give other masks."""

    def __post_init__(self) -> None:
        for name, words in (
            ("processing", get_args(Thickening)),
            ("border", ("free", "any")),
            ("binning", ("exact", "published")),
        ):
            if getattr(self, name) not in words:
                raise InputError(f"{name} must be {' or '.join(words)}; got {getattr(self, name)!r}.")
        for name, least in (("per_bin", 1), ("passes", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be at least {least}; got {getattr(self, name)}.")


def thickness_range(white_share: float, processing: Thickening) -> tuple[int, int]:
    """Return the smallest and largest side of the square that thickens the strokes, in pixels, both included.

    Args:
        white_share: Share of the drawing that is paper, in [0, 1].
        processing: `published` or `intended`, see the top of this file.

    Example:
        >>> thickness_range(0.95, "published"), thickness_range(0.95, "intended")
        ((14, 27), (10, 23))
    """
    share = white_share if processing == "published" else 100 * (1 - white_share)
    share = round(share, 9)  # so that 5 % are 5, not 5.000000000000004
    return max(int(15 - share), 1), max(int(28 - share), 1)


def sample_processing(rng: np.random.Generator, drawing: Drawing, settings: BuildSettings) -> Processing:
    """Sample how a drawing becomes a mask.

    Args:
        rng: Source of all randomness; the same state and drawing give the same record.
        drawing: The drawing; only its share of white counts.
        settings: Which thickness and border are wanted.
    """
    white_share = int(drawing.sum(dtype=np.int64)) / (255 * drawing.size)
    low, high = thickness_range(white_share, settings.processing)
    angle, thicken = int(rng.integers(-180, 181)), int(rng.integers(low, high + 1))
    left, top = (int(rng.integers(DRAWING_PX - MASK_PX + 1)) for _ in range(2))
    return Processing(angle, thicken, left, top, MARGIN_PX if settings.border == "free" else 0)


def make_mask(drawing: Drawing, processing: Processing) -> Mask:
    """Make the mask of a drawing as recorded.

    Args:
        drawing: Shape (512, 512), 0 = stroke, 255 = paper; stays as it is.
        processing: What `sample_processing` returned.

    Returns:
        New array, shape (256, 256): exactly 1 = hole, 0 = known. May be without a hole, or nothing else.

    Example:
        >>> paper = np.full((512, 512), 255, np.uint8)
        >>> paper[250:262] = 0
        >>> float(make_mask(paper, Processing(angle_deg=0, thicken_px=14, left=128, top=128, margin_px=0)).mean())
        0.12109375
    """
    turn = cv2.getRotationMatrix2D((DRAWING_PX / 2, DRAWING_PX / 2), processing.angle_deg, SCALE)
    turned = cv2.warpAffine(drawing, turn, (DRAWING_PX, DRAWING_PX), flags=cv2.INTER_LINEAR)
    square = np.ones((processing.thicken_px, processing.thicken_px), np.uint8)
    thick = np.asarray(cv2.erode(turned, square))  # the darkest pixel of the square; beyond the edge is nothing
    crop = thick[processing.top : processing.top + MASK_PX, processing.left : processing.left + MASK_PX]
    mask = (255 - crop > 127.5).astype(np.float32)
    if processing.margin_px:
        frame = np.zeros_like(mask)
        inside = slice(processing.margin_px, MASK_PX - processing.margin_px)
        frame[inside, inside] = mask[inside, inside]
        return frame
    return mask


def build_masks(
    drawings: DrawingSource,
    out: str | os.PathLike[str],
    settings: BuildSettings | None = None,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> BuildReport:
    """Make masks of drawings into six folders by share of hole, or go on with a run that was stopped.

    The folder gets `10/` to `60/` with 1-bit PNG files, white = hole, named after drawing and pass, and `masks.json`,
    the record of the run. A bin is filled in the order of passes and drawings until it has `per_bin` masks; the run
    ends when all bins are full or all passes are made. Running it again continues; a finished run is left alone, unless
    there are to be more passes than before.

    A drawing that cannot be used is counted and named in the report, and the run goes on.

    Args:
        drawings: A `DrawingFolder` or `Imitations`.
        out: Folder for the masks; made if it is not there.
        settings: Which masks; None = `BuildSettings()`.
        workers: Threads that make masks; None = one per processor. The masks do not depend on it.
        progress: Told the share done and how many masks there are, now and then.

    Returns:
        The record of the whole run, of earlier parts too.

    Raises:
        OutputError: If the folder holds something else, or files cannot be written.
        DataError: If the folder holds masks of other settings or drawings, if some of its masks are gone, or if 1,000
            drawings in a row cannot be used: rather a disk that is gone, so nothing is recorded of them.
    """
    settings = settings or BuildSettings()
    workers = workers or os.cpu_count() or 1
    names = drawings.names
    attempts = len(names) * settings.passes
    run, tally = begin_run(Path(out), {**asdict(settings), **drawings.facts()})
    started = tally.attempted

    def attempt(number: int) -> _Attempt:
        earlier_passes, index = divmod(number, len(names))
        try:
            drawing = drawings.read(index)
        except (DataError, ImageError) as error:
            return _Attempt(number, failure=" ".join(str(error).split()))
        rng = generator_for(settings.seed, "mask", earlier_passes + 1, names[index])
        mask = make_mask(drawing, sample_processing(rng, drawing, settings))
        hole_px = int(np.count_nonzero(mask))
        place = bin_index(hole_px, settings)
        wanted = place is not None and tally.kept[place] < settings.per_bin  # a bin that is full stays full
        return _Attempt(number, hole_px, place, _png(mask) if wanted else None)

    pool = ThreadPoolExecutor(workers, thread_name_prefix="masks")
    files = _Files()
    try:
        saved_s, broken = monotonic(), 0
        for made in () if tally.complete else _in_order(pool, attempt, range(started, attempts), 2 * workers + 1):
            earlier_passes, index = divmod(made.number, len(names))
            if made.failure is not None:
                tally.fail(names[index], made.failure)
                broken += 1
            else:
                broken = 0
                if tally.add(made.hole_px, MASK_PX**2, made.place, settings.per_bin):
                    assert made.png is not None
                    assert made.place is not None
                    files.write(
                        Path(out) / BIN_NAMES[made.place] / mask_name(names[index], earlier_passes + 1), made.png
                    )
            if broken == _BROKEN_IN_A_ROW:
                raise DataError(
                    f"{broken} drawings in a row cannot be used, the last one because: {made.failure} See that the "
                    "drawings are still there and run this again, or take the broken ones away and use a new folder."
                )
            if min(tally.kept) == settings.per_bin:
                break
            if progress is not None:
                done = max(tally.attempted / attempts, sum(tally.kept) / (len(BIN_NAMES) * settings.per_bin))
                progress(done, f"{sum(tally.kept):,} masks")
            if not broken and monotonic() - saved_s > _SAVE_EVERY_S:
                files.finish()
                run.save(tally)
                saved_s = monotonic()
        files.finish()
        if not tally.complete:
            tally.complete = True
            run.save(tally)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        files.close()
    return tally.report(run, attempts, started)


def bin_index(hole_px: int, settings: BuildSettings) -> int | None:
    """Return which bin a mask belongs to, 0 to 5, or None if it belongs to none."""
    share = hole_px / MASK_PX**2
    if settings.binning == "published":
        share *= 255 / 256
        return 0 if share <= RATIO_BINS[0][1] else bin_of(share)
    return bin_of(share)


def mask_name(drawing: str, number: int) -> str:
    """Name the mask of a drawing and pass.

    Example:
        >>> mask_name("cats/0007.png", 1), mask_name("cats/0007.jpg", 2)
        ('cats/0007-1.png', 'cats/0007.jpg-2.png')
    """
    return f"{drawing.removesuffix('.png')}-{number}.png"


class _Attempt(NamedTuple):
    """What became of one drawing in one pass."""

    number: int
    hole_px: int = 0
    place: int | None = None
    """Bin."""
    png: bytes | None = None
    """The file, if the bin may take it."""
    failure: str | None = None


class _Attempts(Protocol):
    def __call__(self, number: int, /) -> _Attempt: ...


def _in_order(pool: ThreadPoolExecutor, make: _Attempts, numbers: range, ahead: int) -> Generator[_Attempt]:
    """Yield what `make` returns for each number, in their order, while the pool works on the next ones."""

    def chunk(part: range) -> list[_Attempt]:
        return [make(number) for number in part]

    waiting: deque[Future[list[_Attempt]]] = deque()
    for start in range(0, len(numbers), _CHUNK):
        waiting.append(pool.submit(chunk, numbers[start : start + _CHUNK]))
        if len(waiting) == ahead:
            yield from waiting.popleft().result()
    while waiting:
        yield from waiting.popleft().result()


class _Files:
    """Write files on threads of their own: most of the time goes by waiting for the disk. Failures come out later."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_WRITERS, thread_name_prefix="mask files")
        self._waiting: deque[Future[None]] = deque()

    def write(self, path: Path, content: bytes) -> None:
        """Have a file written, sooner or later."""
        self._waiting.append(self._pool.submit(_write, path, content))
        while len(self._waiting) > 4 * _WRITERS:
            self._waiting.popleft().result()

    def finish(self) -> None:
        """Wait until all files are on disk."""
        while self._waiting:
            self._waiting.popleft().result()

    def close(self) -> None:
        """Stop the threads; files that are not begun are not written."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def _png(mask: Mask) -> bytes:
    """Encode a mask as a 1-bit PNG, white = hole."""
    file = io.BytesIO()
    PillowImage.fromarray(mask > 0).save(file, "PNG")
    return file.getvalue()
