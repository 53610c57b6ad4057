"""Fills without a network, as engines: baselines, and what remains where no model may be used.

Knows the methods' names, how much surrounding each of them looks at, and which optional package it needs. The
mathematics lie in `mendpix.fills`, `mendpix.exemplar`, OpenCV and scikit-image.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

from mendpix import exemplar as copying
from mendpix import fills
from mendpix.engines.interface import Facts
from mendpix.errors import MissingExtraError
from mendpix.exemplar.shiftmap import shiftmap as opencv_shiftmap
from mendpix.types import Image, Mask

Method = Callable[[Image, Mask], Image]
"""Fills the hole (1) of an RGB picture in [0, 1]; returns a new picture of the same shape."""

CopyingMethod = Callable[[Image, Mask, Mask | None], Image]
"""The same with a second mask: 1 = known, but not to be copied."""


CONTEXT_PX = 128
"""Border that methods that copy want around a hole at least, px."""

CONTEXT_SHARE = 1.0
"""The same as a share of the hole's thickness."""


@dataclass(frozen=True)
class ClassicalEngine:
    """A classical method with the facts that the planner of windows needs. Cannot start from a coarse fill."""

    facts: Facts
    """What the method needs around a hole."""
    method: Method = field(repr=False)
    """What is run."""

    def fill(self, image: Image, hole: Mask, guide: Image | None = None) -> Image:
        """Fill the hole.

        Args:
            image: RGB in [0, 1], shape (H, W, 3); the hole's part is ignored.
            hole: 1 = fill, 0 = known, shape (H, W).
            guide: Ignored; classical methods start from the known pixels alone.

        Returns:
            New array, RGB in [0, 1], shape (H, W, 3).
        """
        return self.method(image, hole)


@dataclass(frozen=True)
class CopyingClassicalEngine:
    """A method that copies from the surroundings. Cannot start from a coarse fill."""

    facts: Facts
    """What the method needs around a hole."""
    method: CopyingMethod = field(repr=False)
    """What is run."""

    def fill(self, image: Image, hole: Mask, guide: Image | None = None, excluded: Mask | None = None) -> Image:
        """Fill the hole.

        Args:
            image: RGB in [0, 1], shape (H, W, 3); the hole's part is ignored.
            hole: 1 = fill, 0 = known, shape (H, W).
            guide: Ignored.
            excluded: 1 = known, but nothing of it may be copied, shape (H, W); None = all that is known may be.

        Returns:
            New array, RGB in [0, 1], shape (H, W, 3).

        Raises:
            MaskError: If there is too little to copy from.
        """
        return self.method(image, hole, excluded)


def exemplar() -> CopyingClassicalEngine:
    """Return our exemplar fill, which copies pieces of the surroundings, and so wants much of them, at any size."""
    return _copying("exemplar", lambda image, hole, excluded: copying.exemplar(image, hole, excluded=excluded))


def harmonic() -> ClassicalEngine:
    """Return the harmonic fill: a soap film over the hole. It needs little more than the hole's border."""
    return _engine("harmonic", fills.harmonic, preferred_px=1024, context_px=8)


def telea() -> ClassicalEngine:
    """Return Telea's fast marching."""
    return _engine("telea", fills.telea, preferred_px=1024, context_px=16)


def navier_stokes() -> ClassicalEngine:
    """Return the Navier–Stokes fill."""
    return _engine("navier-stokes", fills.navier_stokes, preferred_px=1024, context_px=16)


def shiftmap() -> CopyingClassicalEngine:
    """Return OpenCV's shift map, whose offsets are brought to the full size as those of `exemplar` are.

    Raises:
        MissingExtraError: If OpenCV was installed without its contributed modules.
    """
    if not has_shiftmap():
        raise MissingExtraError(
            "The model shiftmap needs OpenCV's contributed modules, which are not installed. "
            "Install them with: pip install opencv-contrib-python-headless"
        )
    return _copying("shiftmap", lambda image, hole, excluded: opencv_shiftmap(image, hole, excluded=excluded))


def biharmonic() -> ClassicalEngine:
    """Return scikit-image's biharmonic fill. It solves one equation per missing pixel: thick holes go coarse to fine.

    Raises:
        MissingExtraError: If scikit-image is not installed.
    """
    try:
        from skimage.restoration import inpaint_biharmonic
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "The model biharmonic needs the package scikit-image, which is not installed. "
            "Install it with: pip install 'mendpix[biharmonic]'"
        ) from error

    def method(image: Image, hole: Mask) -> Image:
        missing = hole > 0
        known = np.where(missing[..., None], np.float32(0), image).astype(np.float64)
        filled = np.asarray(inpaint_biharmonic(known, missing, channel_axis=-1), np.float32)
        return np.where(missing[..., None], np.clip(filled, 0, 1), image)

    return _engine("biharmonic", method, preferred_px=512, context_px=16, max_hole_px=256)


def has_shiftmap() -> bool:
    """Return True if the installed OpenCV can run the shift map."""
    return hasattr(cv2, "xphoto")


def _engine(
    name: str,
    method: Method,
    *,
    preferred_px: int,
    context_px: int,
    context_share: float = 0.25,
    max_hole_px: int | None = None,
) -> ClassicalEngine:
    facts = Facts(
        name=name,
        kind="classical",
        preferred_px=preferred_px,
        context_px=context_px,
        context_share=context_share,
        max_hole_px=max_hole_px,
    )
    return ClassicalEngine(facts, method)


def _copying(name: str, method: CopyingMethod) -> CopyingClassicalEngine:
    facts = Facts(name=name, kind="classical", context_px=CONTEXT_PX, context_share=CONTEXT_SHARE, copies=True)
    return CopyingClassicalEngine(facts, method)
