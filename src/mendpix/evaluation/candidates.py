"""What is evaluated: models of the table, model files, and folders of another program's results, all alike from here.

A `Candidate` names one and can be sent to other processes; `Candidate.open` makes what answers for a pair.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mendpix.data.dataset import PICTURE_SUFFIXES, Pixels
from mendpix.errors import DataError, InputError, MendpixError, MissingExtraError, ModelError
from mendpix.evaluation.pairing import HASH_DIGITS, SHOWN, OpenProtocol, Pair
from mendpix.evaluation.provenance import versions
from mendpix.images import read_picture
from mendpix.inference import sizing
from mendpix.inference.inpainter import Inpainter
from mendpix.types import Image, Mask
from mendpix.weights.locate import SUFFIX, find_model, is_choice, open_generator
from mendpix.weights.table import MODELS

Answer = Callable[[Pair, Pixels, Mask], Image]
"""Takes a pair, its picture with the hole zeroed (H, W, 3), uint8, and its hole (H, W); returns the filled picture, RGB
in [0, 1], float32."""


@dataclass(frozen=True)
class Candidate:
    """One model or folder to evaluate."""

    name: str
    """What the report calls it."""
    source: str
    """What it is, in words, without folders."""
    mark: str
    """Hash of its content; for a classical method of its name and the versions that it depends on, for a choice of the
    marks of all that it chooses among."""
    model: str | None
    """Name or path for `Inpainter`; None for a folder of results."""
    file: Path | None = None
    """The model's file; None if it has none."""
    results: Mapping[str, tuple[Path, bytes]] = field(default_factory=dict[str, tuple[Path, bytes]], repr=False)
    """File of each pair by key, and the SHA-256 of its content; empty for a model."""

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
        if self.file is not None and _hash(self.file.read_bytes()) != self.mark:
            raise ModelError(f"the model {self.name} has changed while it was being measured; run again.")
        if image == "raw":
            engine = open_generator(self.model, threads=threads)
            return lambda pair, picture, hole: sizing.fill(engine, picture.astype(np.float32) / np.float32(255), hole)
        inpainter = Inpainter(self.model, detector=None, threads=threads)
        return lambda pair, picture, hole: inpainter(picture, hole).prediction

    def _read(self, pair: Pair, picture: Pixels, hole: Mask) -> Image:
        """Read the file of a pair."""
        path, digest = self.results[pair.key]
        if hashlib.sha256(_bytes(path)).digest() != digest:
            raise DataError(f"the result {path} has changed while it was being measured; run again.")
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
            raise InputError(f"two models are called {name}. Give one of them another label: --model OTHER=…")
    return tuple(found)


def _find(text: str, opened: OpenProtocol) -> Candidate:
    """Find what a text names: by itself, or behind a label; a path may hold the sign between them, too."""
    splits = [("", text), *((text[:at], text[at + 1 :]) for at, sign in enumerate(text) if sign == "=")]
    label, rest = next(
        ((label, rest) for label, rest in splits if rest and (rest in MODELS or Path(rest).exists())), ("", text)
    )
    if not rest:
        raise InputError("a model must be a name, a file or a folder; got nothing. Write --model NAME, FILE or DIR.")
    place = Path(rest)
    if rest not in MODELS and place.is_dir():
        return _find_results(label or place.resolve().name, place, opened)
    try:
        path = find_model(rest)
        if is_choice(rest):
            return _find_choice(label, rest, opened)
        open_generator(rest, threads=1)  # a broken file, a detector or a missing package is told of before any work
    except ModelError as error:
        if place.suffix.lower() == SUFFIX or rest in MODELS:
            raise
        names = ", ".join(name for name, entry in MODELS.items() if entry.kind != "detector")
        raise ModelError(
            f"a model must be one of {names}, a model file (.onnx) or a folder of results; got {rest!r}. Check the "
            "path."
        ) from error
    if rest in MODELS:
        kind = "classical method" if path is None else "model"
        return Candidate(label or rest, f"{kind} {rest} of mendpix", _mark(rest, path), rest, path)
    assert path is not None  # it is no name, and was opened
    return Candidate(label or place.stem, f"model file {place.name}", _hash(_bytes(path)), str(place), path)


def _find_choice(label: str, name: str, opened: OpenProtocol) -> Candidate:
    """Find all that a choice chooses among. What is not installed, it does without: then it is another candidate."""
    if opened.protocol.measure.image == "raw":
        raise ModelError(
            f"raw answers can be measured of single models; {name} is a choice among several. Take one of "
            f"{', '.join(MODELS[name].chooses)}, or measure composites."
        )
    marks: list[str] = []
    for model in MODELS[name].chooses:
        try:
            open_generator(model, threads=1)
        except MissingExtraError:
            continue
        marks.append(_mark(model, find_model(model)))
    return Candidate(label or name, f"choice {name} of mendpix", _hash(" ".join([name, *marks]).encode()), name)


def _mark(name: str, path: Path | None) -> str:
    """Hash a model of the table."""
    if path is not None:
        return _hash(_bytes(path))
    return _hash(f"{name} {json.dumps(dict(versions()), sort_keys=True)}".encode())


def _find_results(name: str, folder: Path, opened: OpenProtocol) -> Candidate:
    """List the file of each pair: named like the pair, or like its picture if every picture has one pair only."""
    files: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file():
            files.setdefault(path.stem, []).append(path)
    stems = [Path(location.key).stem for location in opened.locations]
    single = all(len(pairs) <= 1 for pairs in opened.by_picture)
    by_picture = single and len(set(stems)) == len(stems)
    results: dict[str, tuple[Path, bytes]] = {}
    lacking: list[str] = []
    marks = hashlib.sha256()
    for pair in opened.pairs:
        allowed = {pair.key, stems[pair.picture]} if by_picture else {pair.key}
        found = [path for stem in sorted(allowed) for path in files.get(stem, [])]
        if len(found) > 1:
            raise DataError(
                f"{folder} must hold one result for each pair; for {pair.key} it holds "
                f"{' and '.join(path.name for path in found)}. Remove all but one."
            )
        if not found:
            lacking.append(pair.key)
            continue
        digest = hashlib.sha256(_bytes(found[0])).digest()
        results[pair.key] = found[0], digest
        marks.update(f"{pair.key}\0".encode() + digest)
    if lacking:
        equal = (
            " Names of pictures will not do, since some are alike in two folders." if single and not by_picture else ""
        )
        raise DataError(
            f"{folder} must hold a result for each of the {len(opened.pairs)} pairs, named like the pair; "
            f"{len(lacking)} are missing: {', '.join(lacking[:SHOWN])}{' …' if len(lacking) > SHOWN else ''}.{equal} "
            "Write the pairs with --write-pairs DIR, fill them, and keep their names."
        )
    source = f"folder of results {folder.resolve().name}"
    return Candidate(name, source, marks.hexdigest()[:HASH_DIGITS], None, None, results)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}. Check the permissions.") from error


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:HASH_DIGITS]
