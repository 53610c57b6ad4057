"""Give an engine the sizes it can take: pad, run, cut back. The one place where a picture is padded for a model.

Knows nothing of windows: whoever plans them already tries to make padding unnecessary; what remains are pictures that
are smaller than a model wants, or whose sides are no multiple of what it wants.
"""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from mendpix.engines.interface import CopyingEngine, DamageEngine, DetectorEngine, Engine, Facts
from mendpix.types import FloatArray, Image, Map, Mask


def legal_size(length: int, facts: Facts) -> int:
    """Return the smallest size of one side that the model takes and that is at least `length`.

    Args:
        length: Height or width, px.
        facts: The model's facts.
    """
    wanted = max(length, facts.minimum)
    return -(-wanted // facts.multiple_of) * facts.multiple_of


def pad(array: FloatArray, facts: Facts) -> FloatArray:
    """Pad below and to the right to a legal size: mirrored as far as the picture reaches, then its first row repeated.

    A hole is padded as its picture is, so that what is mirrored from inside the hole stays hole.

    Args:
        array: Shape (H, W) or (H, W, C).
        facts: The model's facts.

    Returns:
        `array` itself where its size is legal already, else a new array.
    """
    height, width = array.shape[:2]
    rows, columns = _mirrored(height, legal_size(height, facts)), _mirrored(width, legal_size(width, facts))
    if len(rows) == height and len(columns) == width:
        return array
    return array[rows][:, columns]


def fill(engine: Engine, image: Image, hole: Mask, guide: Image | None = None, excluded: Mask | None = None) -> Image:
    """Run an engine on a picture of any size.

    Args:
        engine: What fills.
        image: RGB in [0, 1], shape (H, W, 3).
        hole: 1 = fill, 0 = known, shape (H, W).
        guide: Coarse fill to start from, like `image`, or None.
        excluded: 1 = known, but nothing of it may be copied, shape (H, W); for engines whose facts say `copies`, the
            others are not told of it.

    Returns:
        The engine's prediction, shape (H, W, 3).
    """
    height, width = hole.shape
    facts = engine.facts
    arguments = (pad(image, facts), pad(hole, facts), None if guide is None else pad(guide, facts))
    if facts.copies and excluded is not None:
        prediction = cast("CopyingEngine", engine).fill(*arguments, pad(excluded, facts))
    else:
        prediction = engine.fill(*arguments)
    return prediction[:height, :width]


def detect(engine: DetectorEngine, image: Image) -> Map:
    """Run a detector on a picture of any size.

    Args:
        engine: What detects.
        image: RGB in [0, 1], shape (H, W, 3).

    Returns:
        Probability in [0, 1] that a pixel was filled, shape (H, W).
    """
    height, width = image.shape[:2]
    return engine.detect(pad(image, engine.facts))[:height, :width]


def find(engine: DamageEngine, image: Image) -> FloatArray:
    """Run a finder of damage on a picture of any size.

    Args:
        engine: What finds.
        image: RGB in [0, 1], shape (H, W, 3).

    Returns:
        How much of a pixel each kind of damage has destroyed, in [0, 1], shape (H, W, K).
    """
    height, width = image.shape[:2]
    return engine.find(pad(image, engine.facts))[:height, :width]


def _mirrored(length: int, padded: int) -> NDArray[np.intp]:
    """Return the source index of each of `padded` rows: 0 … n-1, then n-2 … 0, then 0 again and again."""
    index = np.arange(padded)
    return np.where(index < length, index, np.maximum(2 * (length - 1) - index, 0))
