"""Every model by name, as one table to read. Knows where a model lies in the package, not how it is run.

To add a network: put its exported file into this folder and a line into `MODELS`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mendpix.engines import classical
from mendpix.engines.interface import Engine, Kind


@dataclass(frozen=True)
class ModelEntry:
    """One line of the table: a file in this folder, or a function that makes the engine."""

    kind: Kind
    """What the model does."""
    description: str
    """What it is good for, in half a sentence."""
    file: str | None = None
    """Name of the model's file in this folder; None for classical methods."""
    engine: Callable[[], Engine] | None = None
    """Makes the engine of a classical method; None for model files."""
    extra: str | None = None
    """Module that has to be installed besides mendpix's own; None if nothing has."""


MODELS: dict[str, ModelEntry] = {
    "scenes": ModelEntry(
        "generator", "small network of the GDN family for photos of scenes; the default", file="scenes.onnx"
    ),
    "scenes-detector": ModelEntry(
        "detector", "tells which pixels look filled; the default detector", file="scenes-detector.onnx"
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
        "copies patches from the surroundings (OpenCV contrib); slow",
        engine=classical.shiftmap,
        extra="cv2.xphoto",
    ),
    "biharmonic": ModelEntry(
        "classical",
        "smooth surface with smooth slopes (scikit-image); slow",
        engine=classical.biharmonic,
        extra="skimage",
    ),
}
