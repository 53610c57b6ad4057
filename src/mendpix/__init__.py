"""Fill holes in photos, and mark pixel by pixel where the result is in doubt."""

from mendpix.artifacts.detect import detect
from mendpix.artifacts.maps import ArtifactMap
from mendpix.errors import MendpixError
from mendpix.inference.inpainter import Inpainter, Result, inpaint
from mendpix.restoration.restore import restore
from mendpix.weights.load import load_network
from mendpix.weights.locate import list_models

__version__ = "0.1.0"

__all__ = [
    "ArtifactMap",
    "Inpainter",
    "MendpixError",
    "Result",
    "__version__",
    "detect",
    "inpaint",
    "list_models",
    "load_network",
    "restore",
]
