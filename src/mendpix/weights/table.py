"""Every model by name, as one table to read. Knows where a model lies in the package, not how it is run.

To add a network: put its exported file into this folder and a line into `MODELS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mendpix.engines import classical
from mendpix.engines.harmonised import harmonised
from mendpix.engines.interface import Engine, Kind

AUTO = "auto"
"""Name of the choice among models, hole by hole."""

FOR_STROKES = "scenes"
"""What `auto` fills thin, branched and smooth holes with."""

FOR_THINGS = "exemplar-harmonised"
"""What `auto` fills holes with that have the shape of a thing, where there is something to copy."""

TO_COMPARE = ", small and trained for minutes: to compare, not to use"
"""Said of the small forms of published methods."""

EntryKind = Kind | Literal["choice"]
"""What a line of the table is: a model of some kind, or a choice among models."""


@dataclass(frozen=True)
class ModelEntry:
    """One line of the table: a file in this folder, a function that makes the engine, or models to choose among."""

    kind: EntryKind
    """What the model does."""
    description: str
    """What it is good for, in half a sentence."""
    file: str | None = None
    """Name of the model's file in this folder; None for classical methods."""
    engine: Callable[[], Engine] | None = None
    """Makes the engine of a classical method, which may need the file too; None for networks that run by themselves."""
    chooses: tuple[str, ...] = ()
    """Names of the models that a choice is made among; empty for models."""
    extra: str | None = None
    """Module that has to be installed besides mendpix's own; None if nothing has."""


MODELS: dict[str, ModelEntry] = {
    AUTO: ModelEntry(
        "choice",
        f"a method for each hole by what it looks like: {FOR_STROKES} or {FOR_THINGS}; the default",
        chooses=(FOR_STROKES, FOR_THINGS),
    ),
    "scenes": ModelEntry("generator", "small network of the GDN family for photos of scenes", file="scenes.onnx"),
    "scenes-detector": ModelEntry(
        "detector", "tells which pixels look filled; the default detector", file="scenes-detector.onnx"
    ),
    "damage": ModelEntry(
        "damage", "finds scratches and other wear, stains, text, watermarks and noise", file="damage.onnx"
    ),
    "exemplar": ModelEntry(
        "classical", "copies pieces of the surroundings, texture and all; for large holes", engine=classical.exemplar
    ),
    "exemplar-harmonised": ModelEntry(
        "classical",
        "the same, its seams and tones then fitted by a network",
        file="scenes-harmoniser.onnx",
        engine=lambda: harmonised(Path(__file__).with_name("scenes-harmoniser.onnx"), classical.exemplar()),
    ),
    "harmonic": ModelEntry(
        "classical", "smoothest surface through the hole's border; fast, blurred", engine=classical.harmonic
    ),
    "navier-stokes": ModelEntry(
        "classical", "carries edges on into the hole (Bertalmio 2001, OpenCV)", engine=classical.navier_stokes
    ),
    "telea": ModelEntry(
        "classical", "fast marching from the hole's border (Telea 2004, OpenCV)", engine=classical.telea
    ),
    "shiftmap": ModelEntry(
        "classical",
        "copies pieces of the surroundings as OpenCV finds them (contrib)",
        engine=classical.shiftmap,
        extra="cv2.xphoto",
    ),
    "biharmonic": ModelEntry(
        "classical",
        "smooth surface with smooth slopes (scikit-image); slow",
        engine=classical.biharmonic,
        extra="skimage",
    ),
    "isnet": ModelEntry("generator", f"ISNet (2020){TO_COMPARE}", file="isnet.onnx"),
    "pconv": ModelEntry("generator", f"partial convolution (2018){TO_COMPARE}", file="pconv.onnx"),
    "edgeconnect": ModelEntry("generator", f"EdgeConnect (2019){TO_COMPARE}", file="edgeconnect.onnx"),
    "deepfill-v2": ModelEntry("generator", f"DeepFill v2, gated conv. (2019){TO_COMPARE}", file="deepfill-v2.onnx"),
    "deepfill-v1": ModelEntry("generator", f"DeepFill v1, attention (2018){TO_COMPARE}", file="deepfill-v1.onnx"),
    "pennet": ModelEntry("generator", f"PEN-Net (2019){TO_COMPARE}", file="pennet.onnx"),
    "glcic": ModelEntry("generator", f"GLCIC (2017){TO_COMPARE}", file="glcic.onnx"),
}
