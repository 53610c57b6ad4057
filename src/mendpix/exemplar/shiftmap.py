"""OpenCV's shift map at its best: offsets at a working size in a good colour space, then the same finish as ours.

Needs OpenCV's contributed modules. What OpenCV gives back is a picture, not offsets; a fourth channel that holds each
pixel's number, far too small to count, comes back with the pixels and tells where they were taken from.
"""

import cv2
import numpy as np

from mendpix.checkpoints import checkpoint
from mendpix.errors import MaskError
from mendpix.exemplar.fill import fill_by
from mendpix.exemplar.levels import Level
from mendpix.exemplar.offsets import Offsets, around_hole
from mendpix.exemplar.patches import Ints
from mendpix.exemplar.pieces import repair
from mendpix.types import FloatArray, Image, Mask

NUMBER_SCALE = 2.0**-21
"""Pixel numbers times this are exact in float32, and below 0.08 at working size, where colours go up to 255."""

PASSES = 3
"""Times that OpenCV is run on what it left unfilled, before neighbours' offsets close the rest."""


def shiftmap(image: Image, hole: Mask, *, excluded: Mask | None = None) -> Image:
    """Fill a hole by OpenCV's shift map (He and Sun 2012, https://doi.org/10.1007/978-3-642-33709-3_2).

    Arguments, result and errors are those of `mendpix.exemplar.exemplar`; there is no seed.
    """
    return fill_by(opencv_offsets, image, hole, excluded)


def opencv_offsets(working: Level) -> Offsets:
    """Ask OpenCV where every missing pixel is copied from.

    Args:
        working: Picture of working size, with a hole and enough to copy.

    Returns:
        Offsets; where OpenCV finds nothing, those of the nearest pixel where it does.

    Raises:
        MaskError: If OpenCV finds nothing at all.
    """
    height, width = working.missing.shape
    numbers = np.arange(height * width, dtype=np.float32).reshape(height, width) * np.float32(NUMBER_SCALE)
    colours = _lab(np.clip(working.image, 0, 1))
    source = np.where(working.missing, -1, np.arange(height * width).reshape(height, width))
    closed = ~working.missing & ~working.usable  # known, but not to be copied: as if it were missing
    open_ = working.missing.copy()
    for _ in range(PASSES):
        checkpoint()
        before = int(open_.sum())
        given = np.dstack([colours, numbers])
        given[open_ | closed] = 0
        answer = np.zeros_like(given)
        known = np.where(open_ | closed, 0, 255).astype(np.uint8)
        cv2.xphoto.inpaint(given, known, answer, cv2.xphoto.INPAINT_SHIFTMAP)
        found = open_ & answer[..., :3].any(axis=2)  # what it gives up it leaves at (0, 0, 0), which is no colour
        taken = np.rint(answer[..., 3] / NUMBER_SCALE).astype(np.int64)
        found &= (taken >= 0) & (taken < height * width)
        chain = source.ravel()[np.clip(taken, 0, height * width - 1)]  # a later pass may copy what an earlier filled
        found &= (chain >= 0) & working.usable.ravel()[np.maximum(chain, 0)]
        source[found] = chain[found]
        colours[found] = answer[found, :3]
        open_ &= ~found
        if not open_.any() or int(open_.sum()) == before:
            break
    if (source[working.missing] < 0).all():
        raise MaskError(
            "OpenCV's shift map needs something to copy; it found nothing. Make the hole smaller, or use "
            "--model exemplar or --model scenes."
        )
    return _as_offsets(working, source)


def _as_offsets(working: Level, source: Ints) -> Offsets:
    height, width = source.shape
    rows, columns = np.indices((height, width))
    unknown = working.missing & (source < 0)
    beyond = 4 * max(height, width)  # an offset that leads out of the picture, for `repair` to replace
    down = np.where(unknown, beyond, source // width - rows)
    across = np.where(unknown, beyond, source % width - columns)
    pieces = around_hole(working, down, across)
    repair(pieces)
    return pieces


def _lab(image: Image) -> FloatArray:
    """Convert to Lab with all three channels in 0 to 255, as OpenCV has it for 8 bits."""
    lab = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2Lab), np.float32)
    return lab * np.array([2.55, 1, 1], np.float32) + np.array([0, 128, 128], np.float32)
