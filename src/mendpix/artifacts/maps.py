"""The map of doubtful pixels: its score, and how to look at it. Knows no model; `detect.py` fills it."""

from dataclasses import dataclass, field

import numpy as np

from mendpix.composite import composite
from mendpix.errors import ShapeError
from mendpix.images import PictureSource, read_picture
from mendpix.types import Image, Map

HEAT_AT = (0.0, 0.35, 0.65, 1.0)
"""Probabilities at which the heat colours below stand; between them colours are interpolated."""

HEAT = ((0.0, 0.1, 1.0), (0.0, 0.85, 0.9), (1.0, 0.85, 0.0), (1.0, 0.0, 0.0))
"""Blue, cyan, yellow, red: RGB in [0, 1]."""

HEAT_OPACITY = 0.75
"""Share of the heat colour where the probability is 1; it falls with the probability."""


@dataclass(frozen=True, eq=False)
class ArtifactMap:
    """How likely each pixel of a picture is to look filled."""

    probability: Map = field(repr=False)
    """The detector's probability that a pixel was filled, in [0, 1], float32, shape (H, W)."""
    score: float
    """Mean of the probability where it was asked for: the whole picture, or the hole. 0 = nothing looks filled."""

    def overlay(self, image: PictureSource) -> Image:
        """Lay the map over a picture as heat: clear where nothing looks filled, by blue and yellow to red.

        Args:
            image: The picture that the map belongs to: a path, a Pillow image or an array.

        Returns:
            New picture, RGB in [0, 1], float32, shape (H, W, 3); a bit-exact copy where the probability is 0.

        Raises:
            ShapeError: If the picture has another size than the map.
        """
        picture = read_picture(image).rgb
        if picture.shape[:2] != self.probability.shape:
            raise ShapeError(
                f"image must be of the map's size {self.probability.shape}; got {picture.shape[:2]}. "
                "Lay the map over the picture that it was made from."
            )
        heat = np.stack(
            [np.interp(self.probability, HEAT_AT, [colour[channel] for colour in HEAT]) for channel in range(3)], axis=2
        )
        return composite(picture, heat.astype(np.float32), HEAT_OPACITY * self.probability)
