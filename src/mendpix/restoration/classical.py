"""Find damage without a network: thin straight ridges, letters, stray pixels. Baselines that need no weights.

Rules know no photo: a wire is a scratch to them, a shop sign is text, and a star a stray pixel. Watermarks, stains,
folds and cracks are beyond them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from mendpix.engines.interface import Facts
from mendpix.restoration.letters import text_map
from mendpix.restoration.ridges import scratch_map
from mendpix.restoration.sensitivity import SENSITIVITY, mark
from mendpix.restoration.stray_pixels import noise_map
from mendpix.types import FloatArray, Image, Map, Mask

MAPS: Mapping[str, Callable[[Image], Map]] = {"wear": scratch_map, "text": text_map, "noise": noise_map}
"""What is found, and how."""

FACTS = Facts("classical", "damage", preferred_px=2048, context_px=128, inputs=("image",), kinds=tuple(MAPS))
"""What is told of the finder: windows are large, since text is found by its lines."""


class ClassicalFinder:
    """Finds wear, text and noise by rules, as an engine."""

    def __init__(self, kinds: Sequence[str] = tuple(MAPS)) -> None:
        """Look for some of the kinds, or all of them.

        Args:
            kinds: Which; of `MAPS`.
        """
        self._facts = replace(FACTS, kinds=tuple(kinds))

    @property
    def facts(self) -> Facts:
        """What the finder tells about itself."""
        return self._facts

    def only(self, kinds: Sequence[str]) -> "ClassicalFinder":
        """Return one that spares itself the other kinds."""
        return ClassicalFinder(kinds)

    def find(self, image: Image) -> FloatArray:
        """Rate every pixel.

        Args:
            image: RGB in [0, 1], shape (H, W, 3), of any size.

        Returns:
            How much speaks for each kind of damage, in [0, 1], float32, shape (H, W, K).
        """
        return np.stack([MAPS[kind](image) for kind in self._facts.kinds], axis=2)


def scratch_mask(image: Image, sensitivity: float = SENSITIVITY) -> Mask:
    """Mark thin straight ridges.

    Args:
        image: RGB in [0, 1], shape (H, W, 3).
        sensitivity: 0 = what is beyond doubt, 1 = what is barely suspected.

    Returns:
        1 = marked, float32, shape (H, W).
    """
    return mark(scratch_map(image), sensitivity)


def text_mask(image: Image, sensitivity: float = SENSITIVITY) -> Mask:
    """Mark letters that stand in lines; arguments and answer as for `scratch_mask`."""
    return mark(text_map(image), sensitivity)


def noise_mask(image: Image, sensitivity: float = SENSITIVITY) -> Mask:
    """Mark pixels that are like none of their neighbours; arguments and answer as for `scratch_mask`."""
    return mark(noise_map(image), sensitivity, exact=True)
