"""An engine whose answers are finished: their seams are blended away. Knows no engine by name."""

from dataclasses import dataclass
from typing import cast

from mendpix.engines.interface import CopyingEngine, Engine, Facts
from mendpix.poisson import poisson_finish
from mendpix.types import Image, Mask


@dataclass(frozen=True, eq=False)
class PoissonEngine:
    """Runs another engine and blends its answer into the picture (`mendpix.poisson`).

    Engines that copy, and those that answer with the known pixels as they are, are not changed by it.
    """

    engine: Engine
    """What fills."""

    @property
    def facts(self) -> Facts:
        """What that engine tells about itself."""
        return self.engine.facts

    def fill(self, image: Image, hole: Mask, guide: Image | None = None, excluded: Mask | None = None) -> Image:
        """Predict the picture without its hole; arguments as for `CopyingEngine.fill`.

        Returns:
            New array, RGB in [0, 1], shape (H, W, 3): `image` itself outside the hole.
        """
        if self.facts.copies:
            prediction = cast("CopyingEngine", self.engine).fill(image, hole, guide, excluded)
        else:
            prediction = self.engine.fill(image, hole, guide)
        return poisson_finish(image, prediction, hole)
