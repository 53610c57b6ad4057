"""Everything that mendpix raises on purpose. Each message is one sentence: what was expected, what came, the way out.

::

    MendpixError
    ├── InputError (ValueError)        what the caller gave cannot be used
    │   ├── ImageError                 a picture cannot be read or is of a kind that is not supported
    │   ├── MaskError                  a mask is empty, full, of another size, or no mask at all
    │   ├── ShapeError                 an array has the wrong shape, dtype or range
    │   └── DamageAreaError            more of a picture looks damaged than may be changed unasked
    ├── OutputError (OSError)          a result cannot be written; nothing is left behind
    ├── ModelError (ValueError)        a model is unknown or its file cannot be used
    ├── MissingExtraError (ImportError) an optional package is not installed
    ├── RecipeError (ValueError)       a training recipe has a wrong key or value
    ├── ProtocolError (ValueError)     an evaluation protocol has a wrong key or value, or other contents than it says
    ├── DataError (ValueError)         a file of training data is broken
    ├── CheckpointError (ValueError)   a checkpoint is broken or belongs to something else
    └── TrainingError (ArithmeticError) training has come to numbers that lead nowhere
"""

import numpy as np
from numpy.typing import NDArray


class MendpixError(Exception):
    """Be the root of every error that mendpix raises on purpose."""


class InputError(MendpixError, ValueError):
    """Say that what the caller gave cannot be used."""


class ImageError(InputError):
    """Say that a picture cannot be read or is of a kind that is not supported."""


class MaskError(InputError):
    """Say that a mask is empty, full, of another size than its picture, or not a mask."""


class ShapeError(InputError):
    """Say that an array or tensor has the wrong shape, dtype or range."""


class DamageAreaError(InputError):
    """Say that more of a picture looks damaged than may be changed; the picture was not touched."""

    def __init__(self, message: str, mask: NDArray[np.float32]) -> None:
        super().__init__(message)
        self.mask = mask
        """What looks damaged: 1 = damaged, 0 = sound, float32, shape (H, W)."""

    def __reduce__(self) -> tuple[type["DamageAreaError"], tuple[str, NDArray[np.float32]]]:
        return type(self), (str(self), self.mask)


class OutputError(MendpixError, OSError):
    """Say that a result could not be written; nothing half-written is left."""


class ModelError(MendpixError, ValueError):
    """Say that a model is unknown, or that its file is broken or foreign."""


class MissingExtraError(MendpixError, ImportError):
    """Say which optional package, and which extra of mendpix, a feature needs."""


class RecipeError(MendpixError, ValueError):
    """Say which key or value of a training recipe is wrong."""


class ProtocolError(MendpixError, ValueError):
    """Say which key or value of an evaluation protocol is wrong, or what of its pictures and masks is not as named."""


class DataError(MendpixError, ValueError):
    """Say which file of training data is broken or missing."""


class CheckpointError(MendpixError, ValueError):
    """Say why a checkpoint cannot be loaded."""


class TrainingError(MendpixError, ArithmeticError):
    """Say that training has come to numbers that lead nowhere."""
