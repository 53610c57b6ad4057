"""What is evaluated: models of the table, model files, and folders of another program's results, all alike from here.

A `Candidate` names one and can be sent to other processes; `Candidate.open` makes what answers for a pair.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

import mendpix
from mendpix.data.dataset import PICTURE_SUFFIXES, Pixels
from mendpix.errors import DataError, InputError, MendpixError
from mendpix.evaluation.pairing import HASH_DIGITS, SHOWN, OpenProtocol, Pair
from mendpix.images import read_picture
from mendpix.inference import sizing
from mendpix.inference.inpainter import Inpainter
from mendpix.types import Image, Mask
from mendpix.weights.locate import SUFFIX, find_model, open_generator

Answer = Callable[[Pair, Pixels, Mask], Image]
"""Takes a pair, its picture with the hole zeroed (H, W, 3), uint8, and its hole (H, W); returns the filled picture, RGB
in [0, 1], float32."""

_CODE = ("fills.py", "composite.py", "images.py", "masks.py", "image_*.py", "engines/*.py", "inference/*.py")
_MEASURING = ("metrics/*.py", "artifacts/*.py", "data/*.py", "evaluation/measure*.py", "evaluation/views.py")


@dataclass(frozen=True)
class Candidate:
    """One model or folder to evaluate."""

    name: str
    """What the report calls it."""
    source: str
    """What it is, in words, without folders."""
    mark: str
    """Hash of its content; for a classical method of its name and the versions that it depends on."""
    model: str | None
    """Name or path for `Inpainter`; None for a folder of results."""
    results: Mapping[str, Path] = field(default_factory=dict[str, Path], repr=False)
    """File of each pair by key; empty for a model."""

    def open(self, image: str, threads: int = 1) -> Answer:
        """Load the model, if it is one.

        Args:
            image: `composite` or `raw`, as in the protocol.
            threads: For one run of a network.

        Raises:
            ModelError: If the model cannot be used.
            MissingExtraError: If it needs a package that is not installed.
        """
        if self.model is None:
            return self._read
        if image == "raw":
            engine = open_generator(self.model, threads=threads)
            return lambda pair, picture, hole: sizing.fill(engine, picture.astype(np.float32) / np.float32(255), hole)
        inpainter = Inpainter(self.model, detector=None, threads=threads)
        return lambda pair, picture, hole: inpainter(picture, hole).prediction

    def _read(self, pair: Pair, picture: Pixels, hole: Mask) -> Image:
        """Read the file of a pair."""
        path = self.results[pair.key]
        try:
            found = read_picture(path).rgb
        except MendpixError as error:
            raise DataError(f"the result of {self.name} for {pair.key} cannot be read: {error}") from error
        if found.shape != picture.shape:
            raise DataError(
                f"the result of {self.name} for {pair.key} must have {picture.shape[0]} × {picture.shape[1]} px; "
                f"{path} has {found.shape[0]} × {found.shape[1]}. Save results in the size that --write-pairs gives."
            )
        return found


def find_candidates(models: Sequence[str], opened: OpenProtocol) -> tuple[Candidate, ...]:
    """Find everything that is to be evaluated, and refuse what is missing before any work is done.

    Args:
        models: Each a name of the table, a model file, or a folder of results; `LABEL=` before it names it in the
            report.
        opened: The protocol.

    Raises:
        InputError: If there is none, or two have the same name.
        ModelError: If a name is unknown or a file missing.
        DataError: If a folder lacks results or has several for a pair.
    """
    if not models:
        raise InputError("an evaluation needs at least one model; got none. Give --model NAME, FILE or DIR.")
    found = [_find(text, opened) for text in models]
    names = [candidate.name for candidate in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two models are called {name}. Name one of them differently: --model LABEL={name}")
    return tuple(found)


def code_mark() -> str:
    """Hash everything in mendpix that a fill or a measure depends on, and the versions of what it calls."""
    import onnxruntime

    package = Path(mendpix.__file__).parent
    digest = hashlib.sha256(f"{cv2.__version__} {np.__version__} {onnxruntime.__version__}".encode())
    for pattern in (*_CODE, *_MEASURING):
        for path in sorted(package.glob(pattern)):
            digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:HASH_DIGITS]


def _find(text: str, opened: OpenProtocol) -> Candidate:
    label, _, rest = text.rpartition("=")
    if label and Path(text).exists():
        label, rest = "", text  # a path may hold the sign
    place = Path(rest)
    if place.is_dir():
        return _find_results(label or place.resolve().name, place, opened)
    if place.suffix.lower() == SUFFIX:
        path = find_model(place)
        assert path is not None  # paths are files or errors
        open_generator(path, threads=1)  # a broken file, or a detector, is told of before any work is done
        return Candidate(label or place.stem, f"model file {place.name}", _hash(path.read_bytes()), str(place))
    try:
        path = find_model(rest)
    except MendpixError as error:
        raise type(error)(f"{str(error).rstrip('.')}, or a folder of results.") from error
    if path is not None:
        return Candidate(label or rest, f"model {rest} of mendpix", _hash(path.read_bytes()), rest)
    open_generator(rest, threads=1)  # its package may be missing
    source = f"classical method {rest} of mendpix"
    return Candidate(label or rest, source, _hash(f"{rest} {cv2.__version__}".encode()), rest)


def _find_results(name: str, folder: Path, opened: OpenProtocol) -> Candidate:
    """List the file of each pair: named like the pair, or like its picture if that has only one pair."""
    files: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file():
            files.setdefault(path.stem, []).append(path)
    results: dict[str, Path] = {}
    lacking: list[str] = []
    digest = hashlib.sha256()
    for pair in opened.pairs:
        stems = [pair.key]
        if len(opened.by_picture[pair.picture]) == 1:
            stems.append(Path(opened.locations[pair.picture].key).stem)
        candidates = next((files[stem] for stem in stems if stem in files), [])
        if len(candidates) > 1:
            raise DataError(
                f"{folder} must hold one result for each pair; for {pair.key} it holds "
                f"{' and '.join(path.name for path in candidates)}. Remove all but one."
            )
        if not candidates:
            lacking.append(pair.key)
            continue
        results[pair.key] = candidates[0]
        digest.update(f"{pair.key}\0".encode() + hashlib.sha256(_bytes(candidates[0])).digest())
    if lacking:
        raise DataError(
            f"{folder} must hold a result for each of the {len(opened.pairs)} pairs, named like the pair; "
            f"{len(lacking)} are missing: {', '.join(lacking[:SHOWN])}{' …' if len(lacking) > SHOWN else ''}. "
            "Write the pairs with --write-pairs DIR, fill them, and keep their names."
        )
    return Candidate(
        name, f"folder of results {folder.resolve().name}", digest.hexdigest()[:HASH_DIGITS], None, results
    )


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read the result {path}: {error.strerror}. Check the permissions.") from error


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:HASH_DIGITS]
