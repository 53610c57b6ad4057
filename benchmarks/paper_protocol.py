"""Measure one model of `paper.py` on fixed pairs of validation pictures and masks. Trains nothing, compares nothing.

Masks are sorted by file name over all bins; mask number x (from 0) belongs to picture number x modulo n of the set's n
pictures, folder by folder, each sorted by file name. Every model so sees the same pairs, one per mask. Every face
meets one mask of every bin. There are more scenes than masks in a bin: each bin has other pictures there, so scenes
compare models within a bin, not bins with each other.

Finished pairs are kept in a JSON Lines file, a line each, with a hash of the model's content: a run that was stopped
goes on where it was, and a changed model starts anew. Several models may be measured at a time, by processes or by
threads, each into its own file.
"""

import argparse
import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from mendpix import fills
from mendpix.atomic_files import atomic_write
from mendpix.errors import DataError, MendpixError, ModelError, OutputError
from mendpix.evaluation.pairing import HASH_DIGITS
from paper_measurer import DETECTOR_EVERY, METRICS, NAVIER_STOKES, SIZE_PX, WINDOW_PX, Pair, run

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
"""Where pictures, masks and backbone lie unless the command says otherwise."""

BINS = (10, 20, 30, 40, 50, 60)
"""Upper ends of the bins' hole ratios, percent."""

SETS = {"scenes": ("bsds", "coco", "kodak"), "faces": ("faces",)}
"""Folders of validation pictures by set, in the order in which the pictures are counted."""

SAY_EVERY_S = 30.0
"""How often progress is told."""

SETTINGS = f"""\
size: {SIZE_PX} × {SIZE_PX}, nothing is resized; the hole is zeroed, and the model runs once on the whole picture
measured: prediction clamped to [0, 1], known pixels from the true picture, rounded to 8 bits as a saved file would be \
(the paper's published program truncates); whole picture, RGB; means of the pictures' values
l1 %: mean absolute difference × 100
PSNR: dB
SSIM-51: uniform window of {WINDOW_PX}, sample covariance, valid area, mean of channels; the paper's published program
SSIM-11: Gaussian window of 11, sigma 1.5, valid area, mean of channels
features: SqueezeNet feature distance × 1000, nine layers; neither LPIPS nor the paper's FID
edges: share of the composite's pixels on Canny edges, sigma 1; of the true picture likewise
AUC: ROC-AUC of the model's own detector on its raw prediction against the hole, all pixels of a picture; on the \
pairs of every {DETECTOR_EVERY}th mask"""

_PICTURES = {".png", ".webp", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True)
class Protocol:
    """The pairs of one set and what identifies them."""

    set_name: str
    pairs: tuple[Pair, ...]
    backbone: Path
    """SqueezeNet v1.0, ``.npz``."""
    identity: str
    """Hash over the pairs, names and contents of all files, and the settings; 16 hexadecimal digits."""
    pictures: int
    masks: int

    def describe(self) -> str:
        """Return the protocol as text, a fact per line."""
        return (
            f"protocol {self.identity}: set {self.set_name}, {self.pictures} pictures, {self.masks} masks, "
            f"{len(self.pairs)} pairs; mask x with picture x mod {self.pictures}\n{SETTINGS}"
        )


def make_protocol(set_name: str, shared: Path) -> Protocol:
    """List the pairs of a set.

    Args:
        set_name: One of `SETS`.
        shared: Folder that holds ``validation/`` with its folders of pictures and of masks, and
            ``weights/squeezenet_v1.0.npz``.

    Raises:
        DataError: If the set is unknown, a folder or file is missing or empty, or a mask is named otherwise.
    """
    if set_name not in SETS:
        raise DataError(f"the set must be one of {', '.join(SETS)}; got {set_name!r}.")
    pictures = [path for name in SETS[set_name] for path in _files_in(shared / "validation" / name)]
    mask_paths = _files_in(shared / "validation" / "masks")
    backbone = shared / "weights" / "squeezenet_v1.0.npz"
    if not backbone.is_file():
        raise DataError(
            f"the feature distance needs SqueezeNet's weights; {backbone} does not exist. "
            "Give the folder that holds weights/ and validation/."
        )
    pairs = tuple(Pair(pictures[x % len(pictures)], mask, _bin_of(mask), x) for x, mask in enumerate(mask_paths))
    files_hash = _content_hash([*pictures, *mask_paths, backbone])
    digest = hashlib.sha256("\n".join((set_name, SETTINGS, files_hash, *(pair.key for pair in pairs))).encode())
    return Protocol(set_name, pairs, backbone, digest.hexdigest()[:HASH_DIGITS], len(pictures), len(mask_paths))


def measure(
    model: Path | str,
    set_name: str,
    shared: Path,
    rows_file: Path,
    *,
    detector: Path | None = None,
    workers: int = 1,
    limit: int | None = None,
    say: Callable[[str], object] = print,
) -> int:
    """Measure a model on the pairs of a set that its file of rows does not hold yet.

    Args:
        model: Model file that fills, or ``"navier-stokes"``.
        set_name: One of `SETS`.
        shared: As for `make_protocol`.
        rows_file: JSON Lines file for the results; made if it does not exist, folders included.
        detector: Detector file, trained with the model; rates the raw predictions.
        workers: Processes, each with one thread; 1 = this one.
        limit: Measure only this many pairs, at equal distances in the list.
        say: Gets a line of progress now and then.

    Returns:
        How many pairs were measured now.

    Raises:
        DataError: If pictures, masks or rows are missing or broken, or a number makes no sense.
        ModelError: If a model cannot be used.
        ImageError: If a picture is broken.
        OutputError: If the rows cannot be written.
    """
    if workers < 1 or (limit is not None and limit < 1):
        raise DataError(f"workers and limit must be at least 1; got {workers} and {limit}.")
    protocol = make_protocol(set_name, shared)
    mark = _mark(model, detector)
    pairs = protocol.pairs if limit is None else _spread(protocol.pairs, limit)
    done = _resume(rows_file, mark, protocol, say)
    by_picture: dict[Path, list[Pair]] = {}
    for pair in pairs:
        if pair.key not in done:
            by_picture.setdefault(pair.picture, []).append(pair)
    left = sum(map(len, by_picture.values()))
    name = f"{rows_file.stem} on {set_name}"
    say(f"{name}: {len(pairs) - left} of {len(pairs)} pairs were measured before, protocol {protocol.identity}")

    start = told = time.monotonic()
    measured = 0
    for results in run(list(by_picture.values()), workers, model, detector, protocol.backbone):
        with _writing(rows_file), rows_file.open("a", encoding="utf-8") as file:
            for pair, metrics in results:
                row = {"mark": mark, "protocol": protocol.identity, "pair": pair.key, "picture": pair.picture_name}
                file.write(json.dumps({**row, "bin": pair.bin, "metrics": metrics}) + "\n")
        measured += len(results)
        if time.monotonic() - told > SAY_EVERY_S:
            told = time.monotonic()
            minutes = (told - start) / measured * (left - measured) / 60
            say(f"{name}: {measured} of {left} pairs, {minutes:.1f} min left")
    if measured:
        say(f"{name}: {measured} pairs in {time.monotonic() - start:.0f} s")
    return measured


def read_rows(rows_file: Path) -> list[dict[str, Any]]:
    """Read the whole lines of a file of rows; a last line that was cut short is left out.

    Raises:
        DataError: If the file cannot be read or a line is no row.
    """
    try:
        text = rows_file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{rows_file} must be a readable file of rows; it is not ({error}). Measure again.") from error
    rows: list[dict[str, Any]] = []
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            complete = {"mark", "protocol", "pair", "picture", "bin", "metrics"} <= row.keys()
        except (json.JSONDecodeError, AttributeError):
            complete = False
            row = {}
        if complete:
            rows.append(row)
        elif number < len(lines) or text.endswith("\n"):
            raise DataError(f"line {number} of {rows_file} is no row. Delete the file and measure again.")
    return rows


def _content_hash(paths: Iterable[Path]) -> str:
    """Hash names and contents of files in their order, as `mendpix.evaluation` hashes pictures."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.parent.name}/{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:HASH_DIGITS]


def _mark(model: Path | str, detector: Path | None) -> str:
    """Return a hash that changes with the content of the model and of its detector."""
    if model == NAVIER_STOKES:
        contents = [Path(fills.__file__).read_bytes(), cv2.__version__.encode()]
    else:
        contents = [_content(Path(model))]
    if detector is not None:
        contents.append(_content(detector))
    return "-".join(hashlib.sha256(content).hexdigest()[:HASH_DIGITS] for content in contents)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"a model must be a file that can be read, or {NAVIER_STOKES!r}; {path} is not ({error.strerror}). "
            "Train and export it first."
        ) from error


def _resume(rows_file: Path, mark: str, protocol: Protocol, say: Callable[[str], object]) -> set[str]:
    """Return the pairs that need not be measured again, and leave only them in the file, with its last line whole."""
    with _writing(rows_file):
        rows_file.parent.mkdir(parents=True, exist_ok=True)
    if not rows_file.exists():
        return set()
    rows = read_rows(rows_file)
    kept = [row for row in rows if (row["mark"], row["protocol"]) == (mark, protocol.identity)]
    if len(kept) < len(rows):
        say(f"{rows_file.stem}: {len(rows) - len(kept)} rows of another model file or protocol are dropped")
    text = "".join(json.dumps(row) + "\n" for row in kept)
    if text != rows_file.read_text("utf-8"):
        with atomic_write(rows_file) as temporary:
            temporary.write_text(text, "utf-8")
    return {row["pair"] for row in kept}


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else float("nan")


@contextlib.contextmanager
def _writing(rows_file: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"rows cannot be written to {rows_file}: {error.strerror}. Choose another place.") from error


def _spread(pairs: Sequence[Pair], limit: int) -> Sequence[Pair]:
    count = min(limit, len(pairs))
    return [pairs[number * len(pairs) // count] for number in range(count)]


def _files_in(folder: Path) -> list[Path]:
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in _PICTURES)
    if not paths:
        raise DataError(
            f"{folder} must be a folder with pictures; {'it holds none' if folder.is_dir() else 'there is none'}. "
            "Give the folder that holds validation/ and weights/."
        )
    return paths


def _bin_of(mask: Path) -> int:
    parts = mask.stem.split("-")
    if len(parts) != 3 or not parts[0].isdigit() or int(parts[0]) not in BINS:
        raise DataError(
            f"masks must be named <bin>-<free|border>-<index>.png with a bin of {', '.join(map(str, BINS))}; "
            f"got {mask}. Rename it."
        )
    return int(parts[0])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure one model and print the protocol and its means."""
    parser = argparse.ArgumentParser(description="Measure one model on the fixed pairs of paper.py.")
    parser.add_argument("model", help=f"ONNX file made by mendpix export, or {NAVIER_STOKES}")
    parser.add_argument("--set", choices=list(SETS), default="scenes")
    parser.add_argument("--shared", type=Path, default=SHARED, metavar="DIR", help="holds validation/ and weights/")
    parser.add_argument("--rows", type=Path, required=True, metavar="FILE", help="JSON Lines file for the results")
    parser.add_argument("--detector", type=Path, help="ONNX file of the detector that was trained with the model")
    parser.add_argument("--workers", type=int, default=1, help="processes, each with one thread")
    parser.add_argument("--limit", type=int, help="measure only this many pairs, at equal distances in the list")
    given = parser.parse_args(arguments)
    try:
        measure(
            given.model if given.model == NAVIER_STOKES else Path(given.model),
            given.set,
            given.shared,
            given.rows,
            detector=given.detector,
            workers=given.workers,
            limit=given.limit,
        )
        print(make_protocol(given.set, given.shared).describe())
        rows = read_rows(given.rows)
    except MendpixError as error:
        raise SystemExit(str(error)) from error
    for bin_, count, means in means_by_bin(rows):
        told = ", ".join(f"{name} {mean:.4g}" for name, mean in means.items() if mean == mean)  # NaN: not measured
        print(f"{bin_}: {count} pairs; {told}")


def means_by_bin(rows: Iterable[dict[str, Any]]) -> list[tuple[str, int, dict[str, float]]]:
    """Return for each bin that was met, and at the end for all: its name, the count of pairs, the means."""
    listed = list(rows)
    groups = [(str(bin_), [row["metrics"] for row in listed if row["bin"] == bin_]) for bin_ in BINS]
    groups.append(("all", [row["metrics"] for row in listed]))
    return [
        (name, len(group), {metric: _mean(each[metric] for each in group if metric in each) for metric in METRICS})
        for name, group in groups
        if group
    ]


if __name__ == "__main__":
    main()
