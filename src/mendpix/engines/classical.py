"""Fills without a network, as engines: baselines, and what remains where no model may be used.

Knows the methods' names, how much surrounding each of them looks at, and which optional package it needs. The
mathematics lie in `mendpix.fills`, OpenCV and scikit-image.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

from mendpix import fills
from mendpix.engines.interface import Facts
from mendpix.errors import MissingExtraError
from mendpix.types import Image, Mask

Method = Callable[[Image, Mask], Image]
"""Fills the hole (1) of an RGB picture in [0, 1]; returns a new picture of the same shape."""


SHIFTMAP_PASSES = 3
"""Times that OpenCV's shift map is run on what it left unfilled, before the harmonic fill closes the rest."""


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


def harmonic() -> ClassicalEngine:
    """Return the harmonic fill: a soap film over the hole. It needs little more than the hole's border."""
    return _engine("harmonic", fills.harmonic, preferred_px=1024, context_px=8)


def telea() -> ClassicalEngine:
    """Return Telea's fast marching."""
    return _engine("telea", fills.telea, preferred_px=1024, context_px=16)


def navier_stokes() -> ClassicalEngine:
    """Return the Navier–Stokes fill."""
    return _engine("navier-stokes", fills.navier_stokes, preferred_px=1024, context_px=16)


def shiftmap() -> ClassicalEngine:
    """Return OpenCV's shift map, which copies patches from the surroundings and so wants many of them.

    Raises:
        MissingExtraError: If OpenCV was installed without its contributed modules.
    """
    if not has_shiftmap():
        raise MissingExtraError(
            "The model shiftmap needs OpenCV's contributed modules, which are not installed. "
            "Install them with: pip install opencv-contrib-python-headless"
        )
    return _engine("shiftmap", _shiftmap, preferred_px=768, context_px=96, context_share=0.75)


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


def _shiftmap(image: Image, hole: Mask) -> Image:
    missing = hole > 0
    result = np.where(missing[..., None], np.float32(0), np.clip(image, 0, 1))
    left = missing
    for _ in range(SHIFTMAP_PASSES):
        lab = cv2.cvtColor(np.rint(result * 255).astype(np.uint8), cv2.COLOR_RGB2Lab)
        filled = np.zeros_like(lab)
        cv2.xphoto.inpaint(lab, np.where(left, 0, 255).astype(np.uint8), filled, cv2.xphoto.INPAINT_SHIFTMAP)
        rgb = cv2.cvtColor(filled, cv2.COLOR_Lab2RGB).astype(np.float32) / 255
        # Where OpenCV finds nothing to copy it leaves (0, 0, 0), which is no colour: black is (0, 128, 128).
        given_up = left & ~filled.any(axis=2)
        result = np.where((left & ~given_up)[..., None], rgb, result)
        left = given_up  # there is more around these now
        if not left.any():
            break
    else:
        result = fills.harmonic(result, left.astype(np.float32))
    return np.where(missing[..., None], result, image)
