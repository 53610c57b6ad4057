"""Engines without a model, whose answers can be worked out by hand, and that remember what they were asked."""

from collections.abc import Callable

import numpy as np

from mendpix import fills
from mendpix.engines.interface import Facts
from mendpix.errors import MaskError


def facts(**changes: object) -> Facts:
    """Facts of a network like ours, small enough for small pictures."""
    settings = {
        "multiple_of": 8,
        "minimum": 16,
        "preferred_px": 96,
        "context_px": 16,
        "inputs": ("image", "hole", "fills"),
        **changes,
    }
    return Facts("fake", "generator", **settings)


class FakeEngine:
    """Answers with a function of (image, hole, guide, number of the call)."""

    def __init__(self, answer: Callable[..., np.ndarray], own_facts: Facts | None = None) -> None:
        self.facts = own_facts or facts()
        self.answer = answer
        self.holes: list[np.ndarray] = []
        self.guides: list[np.ndarray | None] = []

    def fill(self, image: np.ndarray, hole: np.ndarray, guide: np.ndarray | None = None) -> np.ndarray:
        height, width = hole.shape
        assert image.dtype == hole.dtype == np.float32
        assert image.shape == (height, width, 3)
        assert guide is None or (self.facts.takes_guide and guide.shape == image.shape)
        assert height % self.facts.multiple_of == 0
        assert width % self.facts.multiple_of == 0
        assert min(height, width) >= self.facts.minimum
        assert set(np.unique(hole)) <= {0.0, 1.0}
        assert hole.any()
        self.holes.append(hole.copy())
        self.guides.append(None if guide is None else guide.copy())
        return self.answer(image, hole, guide, len(self.holes) - 1)


def identity(own_facts: Facts | None = None) -> FakeEngine:
    """Answers with the picture as it came, the hole's content included."""
    return FakeEngine(lambda image, hole, guide, call: image.copy(), own_facts)


def constant(value: float, own_facts: Facts | None = None) -> FakeEngine:
    """Answers with one value everywhere."""
    return FakeEngine(lambda image, hole, guide, call: np.full_like(image, value), own_facts)


def harmonic(own_facts: Facts | None = None) -> FakeEngine:
    """Answers with the guide if there is one, else with the harmonic fill; 1 outside the hole."""

    def answer(image, hole, guide, call):
        filled = fills.harmonic(image, hole) if guide is None else guide
        return np.where(hole[..., None] > 0, filled, np.float32(1))

    return FakeEngine(answer, own_facts)


class Copier:
    """Copies one colour, the mean of what may be copied; remembers what it was told, and gives up like a real one."""

    def __init__(self, **changes: object) -> None:
        settings = {"context_px": 16, "context_share": 1.0, "copies": True, **changes}
        self.facts = Facts("copier", "classical", **settings)
        self.images: list[np.ndarray] = []
        self.holes: list[np.ndarray] = []
        self.excluded: list[np.ndarray | None] = []

    def fill(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        guide: np.ndarray | None = None,
        excluded: np.ndarray | None = None,
    ) -> np.ndarray:
        assert image.shape == (*hole.shape, 3)
        assert excluded is None or (excluded.dtype == np.float32 and excluded.shape == hole.shape)
        self.images.append(image.copy())
        self.holes.append(hole.copy())
        self.excluded.append(None if excluded is None else excluded.copy())
        usable = (hole == 0) if excluded is None else (hole == 0) & (excluded == 0)
        if not usable.any():
            raise MaskError("there must be something to copy; got nothing. Exclude less.")
        return np.broadcast_to(image[usable].mean(axis=0), image.shape).astype(np.float32)


class BrightDetector:
    """Takes bright pixels for filled ones; remembers what it looked at."""

    def __init__(self, **changes: object) -> None:
        self.facts = Facts("bright", "detector", inputs=("image",), **{"multiple_of": 8, "minimum": 16, **changes})
        self.sizes: list[tuple[int, int]] = []

    def detect(self, image: np.ndarray) -> np.ndarray:
        assert image.shape[0] % self.facts.multiple_of == 0
        assert image.shape[1] % self.facts.multiple_of == 0
        self.sizes.append(image.shape[:2])
        return image.mean(axis=2, dtype=np.float32)
