"""Find a model by name or path, and open it. Knows the table and the file system; runs nothing, downloads nothing."""

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from mendpix.engines import classical
from mendpix.engines.interface import DamageEngine, DetectorEngine, Engine
from mendpix.engines.onnx import GIVEN_AS, OnnxDamageFinder, OnnxDetector, OnnxGenerator
from mendpix.errors import ModelError
from mendpix.weights.table import MODELS, EntryKind, ModelEntry

FOLDER = Path(__file__).parent
"""Where the embedded model files lie."""

SUFFIX = ".onnx"
"""What tells a path from a name."""

Model = str | os.PathLike[str]
"""Name of a model, or path of a model file (a string that ends in .onnx, or any path object)."""


@dataclass(frozen=True)
class ModelInfo:
    """What `list_models` tells about a model."""

    name: str
    """What to give as `model`, `detector` or `finder`."""
    kind: EntryKind
    """What it does: `generator` and `classical` fill, `choice` lets several of them fill, `detector` looks for filled
    pixels, `damage` for damage."""
    description: str
    """What it is good for, in half a sentence."""
    available: bool
    """True if it can be used in this installation."""


def list_models() -> tuple[ModelInfo, ...]:
    """List every model by name, those that this installation lacks included.

    Example:
        >>> [model.name for model in list_models() if model.kind == "detector"]
        ['scenes-detector']
    """
    return tuple(ModelInfo(name, entry.kind, entry.description, _is_available(entry)) for name, entry in MODELS.items())


def open_generator(model: Model, *, threads: int | None = None) -> Engine:
    """Open what fills holes.

    Args:
        model: Name or path.
        threads: Threads for one run of a network; None = one per core.

    Raises:
        ModelError: If the name is unknown, the file is missing or broken, or it is a detector or a choice.
        MissingExtraError: If the method needs a package that is not installed.
    """
    if _is_path(model):
        return OnnxGenerator(model, threads=threads)
    entry = _entry(model, ("choice", "generator", "classical"), "fills")
    if entry.chooses:
        raise ModelError(
            f"A model that runs by itself must not be a choice; {model} chooses among {' and '.join(entry.chooses)}. "
            "Give one of these."
        )
    if entry.engine is not None:
        return entry.engine()
    return OnnxGenerator(_embedded(os.fspath(model), entry), threads=threads)


def open_detector(model: Model, *, threads: int | None = None) -> DetectorEngine:
    """Open what looks for filled pixels.

    Args:
        model: Name or path.
        threads: Threads for one run; None = one per core.

    Raises:
        ModelError: If the name is unknown, the file is missing or broken, or it is no detector.
    """
    if _is_path(model):
        return OnnxDetector(model, threads=threads)
    entry = _entry(model, ("detector",), "detects")
    return OnnxDetector(_embedded(os.fspath(model), entry), threads=threads)


def open_damage_finder(model: Model, *, threads: int | None = None) -> DamageEngine:
    """Open what finds damage by network.

    Args:
        model: Name or path.
        threads: Threads for one run; None = one per core.

    Raises:
        ModelError: If the name is unknown, the file is missing or broken, or it finds no damage.
    """
    if _is_path(model):
        return OnnxDamageFinder(model, threads=threads)
    entry = _entry(model, ("damage",), "finds damage")
    return OnnxDamageFinder(_embedded(os.fspath(model), entry), threads=threads)


def is_choice(model: Model) -> bool:
    """Return True for the name of a choice among models, which no single engine stands for."""
    return not _is_path(model) and model in MODELS and bool(MODELS[os.fspath(model)].chooses)


def find_model(model: Model, folder: Path = Path()) -> Path | None:
    """Find the file of a model without opening it.

    Args:
        model: Name or path.
        folder: Where a relative path starts.

    Returns:
        Path of the file; None for a classical method or a choice, which have none of their own.

    Raises:
        ModelError: If the name is unknown or the file, or one that a choice needs, is missing.
    """
    if _is_path(model):
        path = folder / model
        if not path.is_file():
            raise ModelError(f"A model file must exist; there is no file {path}. Check the path.")
        return path
    entry = MODELS.get(os.fspath(model))
    if entry is None:
        raise ModelError(f"A model must be one of {', '.join(MODELS)}, or the path of an {SUFFIX} file; got {model!r}.")
    for chosen in entry.chooses:
        find_model(chosen)
    return None if entry.file is None else _embedded(os.fspath(model), entry)


def _is_path(model: Model) -> bool:
    return not isinstance(model, str) or model.lower().endswith(SUFFIX)


def _entry(model: Model, kinds: tuple[EntryKind, ...], work: str) -> ModelEntry:
    """Look a name up, and refuse one of the wrong kind."""
    name = os.fspath(model)
    entry = MODELS.get(name)
    names = ", ".join(known for known, candidate in MODELS.items() if candidate.kind in kinds)
    if entry is None:
        raise ModelError(f"A model that {work} must be one of {names}, or the path of an {SUFFIX} file; got {name!r}.")
    if entry.kind not in kinds:
        raise ModelError(
            f"A model that {work} must be one of {names}; {name} is a {entry.kind}. "
            f"Give it as {GIVEN_AS.get(entry.kind, 'the model')} instead."
        )
    return entry


def _embedded(name: str, entry: ModelEntry) -> Path:
    assert entry.file is not None
    path = FOLDER / entry.file
    if not path.is_file():
        others = ", ".join(known for known, other in MODELS.items() if other.engine)
        way_out = f"Install mendpix again, or use another model: {others}, or the path of an {SUFFIX} file."
        if entry.kind == "detector":
            way_out = f"Install mendpix again, give the path of an {SUFFIX} file, or leave the detector out (None)."
        elif entry.kind == "damage":
            way_out = f"Install mendpix again, give the path of an {SUFFIX} file, or find damage without a network."
        raise ModelError(f"The model {name} must lie in the package as {entry.file}; it is not there. {way_out}")
    return path


def _is_available(entry: ModelEntry) -> bool:
    if entry.chooses:
        return _is_available(MODELS[entry.chooses[0]])  # without one of the others, it has less to choose from
    if entry.file is not None:
        return (FOLDER / entry.file).is_file()
    if entry.extra == "cv2.xphoto":
        return classical.has_shiftmap()
    return entry.extra is None or importlib.util.find_spec(entry.extra) is not None
