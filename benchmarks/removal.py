"""Take things out of photos, and measure what comes in their place: what docs/quality/removal.md is made of.

    python benchmarks/removal.py --shared ../shared
    python benchmarks/removal.py --shared ../shared --models exemplar --limit 20 --sheets sheets

Two parts. *Cases*: 300 holes in the shape of persons, animals and things (`mendpix.data.silhouettes`, fixed seed), 3 to
30 % of the picture, on 100 validation photos; measured by `mendpix.evaluation` with the group `removal` and a few
measures that know the true picture. *Pairs*: the photos and hand-made masks of `cases/removal`, where nobody knows what
is behind the thing; measured without a truth.

What was filled is kept in `runs/removal/fills`, which git ignores, so a run that was stopped goes on where it was.
`--models` fills only with those named, anew if the code that fills has changed; what others filled stays as it is,
and stands in the tables beside them. Without it all of `MODELS` are brought up to date. With `--keep` nothing is filled
anew. Tables, without pictures, go to `docs/quality/`; `--sheets DIR` writes pictures side by side, to be looked at and
never committed.
"""

import argparse
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from time import process_time

import cv2
import numpy as np
from PIL import Image as PillowImage

import removal_frechet
import removal_sheets
import removal_tables
from mendpix.atomic_files import atomic_write
from mendpix.data.silhouettes import TOLERANCE, Place, draw_silhouette
from mendpix.errors import MendpixError, ModelError
from mendpix.evaluation.evaluate import evaluate
from mendpix.evaluation.measurer import without_hole
from mendpix.evaluation.pairing import OpenProtocol, open_protocol
from mendpix.evaluation.protocol import load_protocol
from mendpix.evaluation.provenance import versions
from mendpix.evaluation.workers import environment
from mendpix.images import read_picture
from mendpix.inference.inpainter import Inpainter
from mendpix.masks import read_mask
from mendpix.types import Image, Mask
from mendpix.weights.locate import FOLDER, SUFFIX

ROOT = Path(__file__).resolve().parents[1]

MODELS = ("navier-stokes", "scenes", "shiftmap", "exemplar", "exemplar-harmonised", "auto")
"""What is compared, in the order of the tables."""

PICTURES = {"bsds": 44, "coco": 32, "kodak": 24}
"""Photos of each validation folder, at equal distances in the list of its files."""

SHARES = ((0.03, 0.10), (0.10, 0.20), (0.20, 0.30))
"""Shares of the picture that holes cover: every photo gets one hole of each."""

SIDE_PX = 256
"""Height and width of the validation photos, px."""

SEED = 5
"""Of the silhouettes."""

BORDER_EVERY = 3
"""Every third hole is cut off by the picture's edge."""

STEP = 33
"""By how many masks the shares are shifted against each other, so that no photo gets three of the same place."""

PROTOCOL = """\
# Written by benchmarks/removal.py: what mendpix evaluate needs to measure another model on the same cases.
name = "removal-256"
about = "Photos with one object-shaped hole, 3 to 30 % of the picture."

[pictures]
sources = ["pictures"]
fit = "exact"
size_px = [{side}, {side}]

[masks]
sources = ["masks"]
pairing = "every-bin"
step = {step}
bins = [{bins}]

[measure]
metrics = ["removal", "features", "psnr", "ssim-gaussian-11", "l1-hole"]
worst_by = "features"

[detector]
model = "scenes-detector"
"""

MEASURE_CASES = 24
"""Cases that the report shows with their pictures."""

WARM_UP_PX = 64

ONE_THREAD: Mapping[str, str] = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

ROOMS = ("engines", "exemplar", "inference", "weights")
"""Rooms of mendpix that a fill depends on, beside the modules that lie in no room."""


@dataclass(frozen=True)
class Job:
    """One hole to be filled by one model. Can be sent to other processes."""

    model: str
    key: str
    """Name of the case or pair."""
    picture: Path
    mask: Path
    out: Path
    """Where the filled picture goes."""
    digest: str
    """Hash of picture and mask."""
    mark: str
    """Hash of the code that fills."""


JobsOf = Callable[[str, str], list[Job]]
"""List everything that a model is to fill with code of a mark."""


@dataclass(frozen=True)
class Filled:
    """What is kept of a fill beside its picture; a line of the record."""

    key: str
    digest: str
    seconds: float
    """Processor time from picture and hole in memory to the answer in memory: what one thread takes on an idle machine.
    Wall-clock time would depend on what else the machine does."""
    chosen: str
    """Models that filled: those chosen, where the model chooses among others."""
    mark: str
    """Hash of the code that filled."""


class Record:
    """What one model has filled, as a file that grows by a line for every fill."""

    def __init__(self, folder: Path, model: str) -> None:
        """Read what is there, if anything."""
        self.folder = folder / model
        self.path = self.folder / "fills.jsonl"
        self.filled: dict[str, Filled] = {}
        if self.path.exists():
            lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
            whole = (Filled(**json.loads(line)) for line in lines if line.endswith("\n"))
            self.filled = {found.key: found for found in whole}
            if lines and not lines[-1].endswith("\n"):  # a run was killed while it wrote
                self._write()

    @property
    def marks(self) -> frozenset[str]:
        """Hashes of the code that made the fills."""
        return frozenset(found.mark for found in self.filled.values())

    def drop_others(self, mark: str) -> None:
        """Forget what other code filled."""
        if self.marks - {mark}:
            self.filled = {key: found for key, found in self.filled.items() if found.mark == mark}
            self._write()

    def add(self, filled: Filled) -> None:
        """Take note of a fill whose picture is written."""
        self.filled[filled.key] = filled
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(vars(filled)) + "\n")

    def lacks(self, jobs: Sequence[Job]) -> list[Job]:
        """Return what is not filled yet, or was filled from another picture or mask."""
        return [job for job in jobs if job.key not in self.filled or self.filled[job.key].digest != job.digest]

    def _write(self) -> None:
        with atomic_write(self.path) as temporary:
            lines = (json.dumps(vars(found)) + "\n" for found in self.filled.values())
            temporary.write_text("".join(lines), encoding="utf-8")


def prepare_cases(shared: Path, work: Path) -> Path:
    """Copy the chosen photos and render the holes, and return the protocol's file."""
    pictures, masks = work / "pictures", work / "masks"
    pictures.mkdir(parents=True, exist_ok=True)
    masks.mkdir(exist_ok=True)
    count, names = 0, set[str]()
    for name, wanted in PICTURES.items():
        found = sorted(path for path in (shared / "validation" / name).glob("*") if path.suffix != ".md")
        if not found:
            raise SystemExit(f"{shared / 'validation' / name} must hold pictures; it holds none.")
        wanted = min(wanted, len(found))
        for path in (found[number * len(found) // wanted] for number in range(wanted)):
            copy(path, pictures / f"{name}-{path.name}")
            names.add(f"{name}-{path.name}")
            count += 1
    for number, (low, high) in enumerate(SHARES):
        rng = np.random.default_rng((SEED, number))
        for index in range(count):
            place: Place = "border" if index % BORDER_EVERY == 0 else "inside"
            share = float(rng.uniform(low * (1 + TOLERANCE), high * (1 - TOLERANCE)))
            hole = draw_silhouette(rng, (SIDE_PX, SIDE_PX), share, place=place)
            names.add(name := f"{round(100 * high)}-{index:03}-{place}.png")
            write_picture(hole, masks / name)
    for old in (*pictures.iterdir(), *masks.iterdir()):
        if old.name not in names:  # of an earlier choice of photos: it would be taken for a case
            old.unlink()
    path = work / "protocol.toml"
    bins = ", ".join(f"{high:g}" for _, high in SHARES)
    with atomic_write(path) as temporary:
        temporary.write_text(PROTOCOL.format(side=SIDE_PX, step=STEP, bins=bins), encoding="utf-8")
    return path


def write_picture(picture: Image | Mask, path: Path) -> None:
    """Write a picture or mask in [0, 1] as PNG."""
    with atomic_write(path) as temporary:
        PillowImage.fromarray(np.rint(picture * np.float32(255)).astype(np.uint8)).save(temporary, "PNG")


def copy(source: Path, target: Path) -> None:
    """Copy a file, whole or not at all."""
    with atomic_write(target) as temporary:
        shutil.copyfile(source, temporary)


def case_jobs(opened: OpenProtocol, fills: Path, model: str, mark: str) -> list[Job]:
    """List the cases for one model."""
    names = [name for folder in opened.mask_folders for name in folder.names]
    place = Path(opened.protocol.folder)
    jobs: list[Job] = []
    for pair in opened.pairs:
        digest = opened.digests[pair.picture].hex()[:16] + opened.hole_digests[pair.mask].hex()[:16]
        mask = place / "masks" / names[pair.mask]
        picture, out = opened.locations[pair.picture].path, fills / model / f"{pair.key}.png"
        jobs.append(Job(model, pair.key, picture, mask, out, digest, mark))
    return jobs


def pair_jobs(shared: Path, fills: Path, model: str, mark: str) -> list[Job]:
    """List the removal pairs for one model; a pair that is another under a second name is left out."""
    jobs: list[Job] = []
    seen: set[bytes] = set()
    for mask in sorted((shared / "cases" / "removal").glob("*-mask.png")):
        name = mask.name.removesuffix("-mask.png")
        picture = mask.with_name(f"{name}.png")
        # The same pixels may lie in files that differ.
        pixels = hashlib.sha256(read_pair(picture, mask)[0].tobytes()).digest()
        if pixels in seen:
            continue
        seen.add(pixels)
        digest = hashlib.sha256(picture.read_bytes() + mask.read_bytes()).hexdigest()[:32]
        jobs.append(Job(model, name, picture, mask, fills / model / f"{name}.png", digest, mark))
    return jobs


@cache
def read_pair(picture: Path, mask: Path) -> tuple[Image, Mask]:
    """Read a photo and its hole."""
    rgb = read_picture(picture).rgb
    return rgb, read_mask(mask, rgb.shape[:2])


_inpainters: dict[str, Inpainter] = {}  # of one process


def open_model(name: str) -> Inpainter:
    """Open a model once in a process, and let it fill something, so that loading is not timed."""
    if name not in _inpainters:
        cv2.setNumThreads(1)
        inpainter = Inpainter(name, detector=None, threads=1)
        rng = np.random.default_rng(0)
        hole = np.zeros((WARM_UP_PX, WARM_UP_PX), np.float32)
        hole[24:40, 24:40] = 1
        inpainter(rng.integers(0, 256, (*hole.shape, 3), np.uint8), hole)
        _inpainters[name] = inpainter
    return _inpainters[name]


def fill(job: Job) -> Filled:
    """Fill one hole and write the answer."""
    inpainter = open_model(job.model)
    rgb, hole = read_pair(job.picture, job.mask)
    levels = np.rint(rgb * np.float32(255)).astype(np.uint8)
    holed = without_hole(levels, hole)
    started = process_time()
    result = inpainter(holed, hole)
    seconds = process_time() - started
    write_picture(np.clip(result.prediction, 0, 1), job.out)
    chosen = sorted({one.model for one in result.fills})
    return Filled(job.key, job.digest, seconds, "+".join(chosen), job.mark)


def fill_all(records: Mapping[str, Record], jobs: Sequence[Job], workers: int, what: str) -> None:
    """Fill what is missing, in as many processes as are wanted, and take note of each."""
    if not jobs:
        return
    print(f"{what}: {len(jobs)} to fill", flush=True)
    for number, (job, filled) in enumerate(run(jobs, workers), 1):
        records[job.model].add(filled)
        if number == len(jobs) or number % max(1, len(jobs) // 20) == 0:
            print(f"{what}: {number} of {len(jobs)} filled, {job.model} took {filled.seconds:.2f} s", flush=True)


def run(jobs: Sequence[Job], workers: int) -> Iterator[tuple[Job, Filled]]:
    """Run jobs in the order in which they are ready."""
    if workers == 1:
        for job in jobs:
            yield job, fill(job)
        return
    with environment(dict(ONE_THREAD)), ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        waiting: dict[Future[Filled], Job] = {pool.submit(fill, job): job for job in jobs}
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def fills_mark() -> str:
    """Hash everything that a fill depends on: the code that fills, the packages, and the models that ship."""
    package = FOLDER.parent
    digest = hashlib.sha256(json.dumps(dict(versions()), sort_keys=True).encode())
    files = [path for room in ROOMS for path in (package / room).rglob("*") if path.suffix in {".py", SUFFIX}]
    for path in sorted([*package.glob("*.py"), *files]):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def check_models(names: Sequence[str]) -> None:
    """Refuse what cannot fill, before anything is done.

    Raises:
        SystemExit: If a model is unknown or unavailable.
    """
    for name in names:
        try:
            Inpainter(name, detector=None, threads=1)
        except MendpixError as error:
            others = [one for one in MODELS if one not in names]
            raise SystemExit(
                f"{name} cannot be measured: {error} Name those that can with --models, such as "
                f"{','.join([*(one for one in names if one != name), *others][:3])}."
            ) from error


def update(given: argparse.Namespace, jobs_of: JobsOf, fills: Path, what: str) -> dict[str, Record]:
    """Fill what is to be filled, and return the records of all models that have everything, in the order of tables."""
    mark = fills_mark()
    wanted = list(given.models or MODELS)
    records = {name: Record(fills, name) for name in [*MODELS, *(name for name in wanted if name not in MODELS)]}
    missing: list[Job] = []
    for name in wanted:
        records[name].folder.mkdir(parents=True, exist_ok=True)
        if not given.keep:
            records[name].drop_others(mark)
        missing += records[name].lacks(jobs_of(name, mark))
    fill_all(records, missing, given.workers, what)
    complete = {name: record for name, record in records.items() if not record.lacks(jobs_of(name, mark))}
    older = [name for name, record in complete.items() if record.marks - {mark}]
    if older:
        print(f"{what}: {', '.join(older)} filled by earlier code; name them with --models to fill anew", flush=True)
    left_out = [name for name, record in records.items() if record.filled and name not in complete]
    if left_out:
        print(f"{what}: {', '.join(left_out)} left out, since fills are missing", flush=True)
    return complete


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--shared", type=Path, default=ROOT.parent / "shared", metavar="DIR", help="holds validation/ and cases/")
    add(
        "--models",
        type=lambda text: [name for name in text.split(",") if name],
        metavar="A,B,…",
        help=f"fill with these alone; what others filled is kept  [default: {','.join(MODELS)}]",
    )
    add("--keep", action="store_true", help="fill only what is missing, whatever code filled the rest")
    add("--only", choices=["cases", "pairs"], help="one of the two parts; no documents are written")
    add("--limit", type=int, metavar="N", help="photos, to try it; the documents then go to the work folder")
    add("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes, one thread each")
    add("--sheets", type=Path, metavar="DIR", help="write pictures side by side, to look at; never commit them")
    add("--work", type=Path, default=ROOT / "runs" / "removal", metavar="DIR", help="where fills and reports go")
    add("--docs", type=Path, metavar="DIR", help="where the tables go  [default: docs/quality]")
    given = parser.parse_args(arguments)
    if given.models is not None and not given.models:
        parser.error("--models must name at least one model")
    whole = given.limit is None
    given.docs = given.docs or (ROOT / "docs" / "quality" if whole else given.work / f"docs-{given.limit}")
    given.report = given.work / ("report" if whole else f"report-{given.limit}")
    return given


def main(arguments: Sequence[str] | None = None) -> None:
    """Fill, measure, and write tables and sheets."""
    given = parse(arguments)
    if not (given.shared / "validation").is_dir() or not (given.shared / "cases" / "removal").is_dir():
        raise SystemExit(
            f"--shared must be a folder with validation/ and cases/removal/; {given.shared} is none. Give the folder "
            "that holds them."
        )
    check_models(given.models or MODELS)
    try:
        cases = measure_cases(given) if given.only != "pairs" else None
        pairs = measure_pairs(given) if given.only != "cases" else None
        if cases is not None and pairs is not None:
            for path in removal_tables.write_documents(cases, pairs, given.docs):
                print(path, flush=True)
        else:
            print(removal_tables.headline(cases, pairs), flush=True)
    except MendpixError as error:
        raise SystemExit(str(error)) from error


def measure_cases(given: argparse.Namespace) -> removal_tables.Cases:
    """Fill and measure the rendered holes."""
    protocol = load_protocol(prepare_cases(given.shared, given.work))
    opened = open_protocol(protocol, given.limit)
    fills = given.work / "fills" / "cases"

    def jobs_of(model: str, mark: str) -> list[Job]:
        return case_jobs(opened, fills, model, mark)

    records = update(given, jobs_of, fills, "cases")
    if not records:
        raise ModelError("the cases must be filled by at least one model; none has filled them all. Run it again.")
    report = evaluate(
        opened,
        [f"{name}={record.folder}" for name, record in records.items()],
        given.report,
        workers=given.workers,
        cases=MEASURE_CASES,
        say=lambda text: print(f"cases: {text}", flush=True),
    )
    keys = [pair.key for pair in opened.pairs]
    cases = removal_tables.Cases(
        report.summary,
        {name: np.array([record.filled[key].seconds for key in keys]) for name, record in records.items()},
        {name: [record.filled[key].chosen for key in keys] for name, record in records.items()},
        {name: sorted({record.filled[key].mark for key in keys}) for name, record in records.items()},
        removal_tables.measure_photos(opened),
        SHARES,
        removal_frechet.find_distances(report.summary.evaluation, given.report),
    )
    if given.sheets:
        removal_sheets.write_cases(opened, report.summary.evaluation, fills, given.sheets)
    return cases


def measure_pairs(given: argparse.Namespace) -> removal_tables.PairTable:
    """Fill and measure the pairs whose truth nobody knows."""
    fills = given.work / "fills" / "pairs"

    def jobs_of(model: str, mark: str) -> list[Job]:
        return pair_jobs(given.shared, fills, model, mark)

    records = update(given, jobs_of, fills, "pairs")
    jobs = pair_jobs(given.shared, fills, "", "")
    holes = {job.key: read_pair(job.picture, job.mask) for job in jobs}
    answers = {
        name: {key: read_picture(record.folder / f"{key}.png").rgb for key in holes} for name, record in records.items()
    }
    seconds = {name: {key: record.filled[key].seconds for key in holes} for name, record in records.items()}
    chosen = {name: {key: record.filled[key].chosen for key in holes} for name, record in records.items()}
    table = removal_tables.measure_pairs(holes, answers, seconds, chosen)
    if given.sheets:
        removal_sheets.write_pairs(holes, answers, table, given.sheets)
    return table


if __name__ == "__main__":
    main()
