"""What numbers depend on besides pictures and models: the code that measures, and the packages that it calls."""

import contextlib
import hashlib
import json
import platform
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from types import MappingProxyType

import mendpix
from mendpix.evaluation.pairing import HASH_DIGITS
from mendpix.metrics.squeezenet import EMBEDDED

ROOMS_APART = frozenset({"cli", "web", "training", "losses", "networks", "convert"})
"""Rooms that no number depends on."""

REPORTING = (
    "cases",
    "evaluate",
    "explanations",
    "figure",
    "gather",
    "markdown",
    "number_format",
    "page",
    "pair_files",
    "paper_figures",
    "plots",
    "ranking",
    "resampling",
    "results",
    "statistics",
    "svg",
    "tables",
    "timing",
)
"""Beginnings of the modules of this room that only work on what was measured."""

PACKAGES = (
    "numpy",
    "opencv-contrib-python-headless",
    "opencv-python-headless",
    "opencv-python",
    "onnxruntime",
    "pillow",
    "scikit-image",
    "scipy",
    "torch",
    "lpips",
    "torch-fidelity",
)
"""What decodes, scales, fills and measures; some of them are optional."""


def code_mark() -> str:
    """Hash everything in mendpix that a fill or a measure depends on, and the versions of what it calls."""
    package = Path(mendpix.__file__).parent
    digest = hashlib.sha256(json.dumps(dict(versions()), sort_keys=True).encode())
    for path in measuring_files():
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:HASH_DIGITS]


def measuring_files() -> tuple[Path, ...]:
    """List the files of mendpix that a number may depend on."""
    package = Path(mendpix.__file__).parent
    files = [
        path
        for path in sorted(package.rglob("*.py"))
        if not ROOMS_APART & set(path.relative_to(package).parts)
        and not (path.parent.name == "evaluation" and path.stem.startswith(REPORTING))
    ]
    return (*files, EMBEDDED)


@cache
def versions() -> Mapping[str, str]:
    """Name the versions of what numbers may depend on, as far as it is installed."""
    found = {"mendpix": mendpix.__version__, "Python": platform.python_version()}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return MappingProxyType(found)
