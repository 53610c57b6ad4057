"""Look at what lies around a hole: how textured it is, how much there is to copy, how well it explains itself.

All is measured on a small copy of the hole's surroundings, in a few hundredths of a second. Knows no model and draws no
conclusion.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mendpix.inference.holes import Hole
from mendpix.inference.windows import Box, Missing
from mendpix.types import FloatArray, Image

SMALL_PX = 192
"""Longest side of the copy on which everything is measured, px: a pattern that is still seen at this size is one that
a viewer notices."""

REACH_SHARE = 1.0
"""How far around a hole is looked, as a share of its thickness: as far as an exemplar fill gets to see."""

REACH_PX = 24
"""The least reach, px of the picture."""

PATCH_PX = 7
"""Side of the squares that are looked for elsewhere, px of the copy."""

RING_SHARE = 0.25
"""Width of the ring around the hole whose squares are looked for, as a share of the hole's thickness."""

RING_PX = 8
"""The least width of the ring, px of the copy."""

MOST_ASKED, MOST_OFFERED = 192, 4096
"""Squares of the ring that are looked for, and squares that they are compared with, at most; taken evenly."""

GRAIN = 0.006
"""Standard deviation of noise and rounding below which nobody can speak of a pattern: 1.5 of 255."""


FLAT = 0.02
"""Standard deviation of colours that counts as none when roughness is measured, picture in [0, 1]."""


@dataclass(frozen=True)
class Surroundings:
    """What lies around a hole."""

    known_share: float
    """Share of the window around the hole that is known, in [0, 1]."""
    supply: float
    """Area around the hole that whole squares may be copied from, over the hole's own area."""
    texture: float
    """Mean absolute Laplacian of the brightness in the ring, picture in [0, 1]; 0 = flat."""
    roughness: float
    """Texture over the standard deviation of the ring's colours: fine grain has much, soft forms have little, however
    strong their contrast."""
    repetition: float
    """Share of the ring's own variation that the best match found elsewhere explains, in [0, 1]: 1 = all that is seen
    here is seen elsewhere, too. Grain without a pattern has none, though it is easily copied."""


def look_around(image: Image, missing: Missing, hole: Hole, excluded: Missing | None = None) -> Surroundings:
    """Measure the surroundings of a hole.

    Args:
        image: RGB in [0, 1], shape (H, W, 3); nothing that is missing is looked at.
        missing: True in every hole, this one included, shape (H, W).
        hole: The hole.
        excluded: True where nothing may be copied from, shape (H, W); None = all may be.

    Returns:
        What lies around it; where no ring is left to look at, its texture, roughness and repetition are 0.
    """
    box = _window(hole, (missing.shape[0], missing.shape[1]))
    unknown, own = missing[box.slices], _own(hole, box)
    banned = np.zeros_like(unknown) if excluded is None else excluded[box.slices]
    known_share = 1 - float(unknown.mean())
    colours, unknown, own, banned = _small(image[box.slices], unknown, own, banned)
    ring = _ring(own, hole.thickness_px * own.shape[0] / (box.bottom - box.top))
    texture, roughness = _texture(colours, unknown, ring)
    wanted, offered = _whole_squares(unknown) & ring, _whole_squares(unknown | banned)
    supply = float(np.count_nonzero(offered) / np.count_nonzero(own))
    return Surroundings(known_share, supply, texture, roughness, _repetition(colours, wanted, offered))


def _window(hole: Hole, size: tuple[int, int]) -> Box:
    reach = max(REACH_PX, math.ceil(REACH_SHARE * hole.thickness_px))
    return Box(
        max(hole.box.top - reach, 0),
        max(hole.box.left - reach, 0),
        min(hole.box.bottom + reach, size[0]),
        min(hole.box.right + reach, size[1]),
    )


def _own(hole: Hole, box: Box) -> Missing:
    own = np.zeros((box.bottom - box.top, box.right - box.left), np.bool_)
    top, left = hole.box.top - box.top, hole.box.left - box.left
    own[top : top + hole.pixels.shape[0], left : left + hole.pixels.shape[1]] = hole.pixels
    return own


def _small(
    part: Image, unknown: Missing, own: Missing, banned: Missing
) -> tuple[FloatArray, Missing, Missing, Missing]:
    """Shrink all to at most `SMALL_PX`. A small pixel is the mean of what is known in it, and unknown if most of it is.

    So scratches all over a large picture, which are filled before anything is copied, do not hide it. What is banned is
    not filled: a small pixel is banned if any of it is.
    """
    height, width = unknown.shape
    scale = SMALL_PX / max(height, width)
    if scale >= 1:
        return np.ascontiguousarray(part, np.float32), unknown, own, banned
    size = (max(round(width * scale), 1), max(round(height * scale), 1))

    def shrunk(array: FloatArray) -> FloatArray:
        return np.asarray(cv2.resize(array, size, interpolation=cv2.INTER_AREA), np.float32)

    known = shrunk((~unknown).astype(np.float32))
    colours = shrunk(np.where(unknown[..., None], np.float32(0), part))
    colours /= np.maximum(known, np.float32(1e-3))[..., None]
    return colours, known < 0.5, shrunk(own.astype(np.float32)) > 1e-4, shrunk(banned.astype(np.float32)) > 0


def _ring(own: Missing, thickness_px: float) -> Missing:
    """Return what lies close around the hole, the hole itself not included."""
    width = max(RING_PX, RING_SHARE * thickness_px) + PATCH_PX // 2
    away = np.asarray(cv2.distanceTransform((~own).astype(np.uint8), cv2.DIST_L2, 5), np.float32)
    return (away > 0) & (away <= width)


def _texture(colours: FloatArray, unknown: Missing, ring: Missing) -> tuple[float, float]:
    """Measure texture and roughness of the ring."""
    clear = _eroded(~unknown, 3) & ring
    if not clear.any():
        return 0.0, 0.0
    grey = np.asarray(cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY), np.float32)
    texture = float(np.abs(cv2.Laplacian(grey, cv2.CV_32F, ksize=1))[clear].mean(dtype=np.float64))
    spread = float(colours[ring & ~unknown].std(axis=0).mean())
    return texture, texture / (spread + FLAT)


def _whole_squares(unknown: Missing) -> Missing:
    """Return the centres of squares that are known altogether and lie within the picture."""
    whole, half = _eroded(~unknown, PATCH_PX), PATCH_PX // 2
    whole[:half] = whole[-half:] = whole[:, :half] = whole[:, -half:] = False
    return whole


def _repetition(colours: FloatArray, where: Missing, elsewhere: Missing) -> float:
    """Look for the ring's squares elsewhere."""
    asked, offered = _some(where, MOST_ASKED), _some(elsewhere, MOST_OFFERED)
    if len(asked) == 0 or len(offered) == 0:
        return 0.0
    wanted, there = _squares(colours, asked), _squares(colours, offered)
    distance = (wanted**2).sum(axis=1)[:, None] + (there**2).sum(axis=1)[None] - 2 * (wanted @ there.T)
    itself = np.abs(asked[:, None] - offered[None]).max(axis=2) < PATCH_PX  # overlapping squares explain nothing
    distance[itself] = np.inf
    best = distance.min(axis=1)
    found = np.isfinite(best)
    if not found.any():
        return 0.0
    values = wanted.shape[1]
    left = np.maximum(best[found] / values - 2 * GRAIN**2, 0).sum(dtype=np.float64)
    own = wanted[found].reshape(-1, values // 3, 3).var(axis=1).mean(axis=1).sum(dtype=np.float64)
    return float(np.clip(1 - left / max(own, GRAIN**2 * int(found.sum())), 0, 1))


def _eroded(known: Missing, side: int) -> Missing:
    """Return where a square of this side holds known pixels only."""
    return np.asarray(cv2.erode(known.astype(np.uint8), np.ones((side, side), np.uint8))) > 0


def _some(where: Missing, most: int) -> NDArray[np.intp]:
    """Return up to `most` of the pixels, evenly, shape (n, 2)."""
    every = np.argwhere(where)
    return every if len(every) <= most else every[np.linspace(0, len(every) - 1, most).astype(np.intp)]


def _squares(colours: FloatArray, centres: NDArray[np.intp]) -> FloatArray:
    """Return the squares around some pixels, shape (n, PATCH_PX² · 3)."""
    view = np.lib.stride_tricks.sliding_window_view(colours, (PATCH_PX, PATCH_PX), axis=(0, 1))  # (h', w', 3, P, P)
    half = PATCH_PX // 2
    squares = view[centres[:, 0] - half, centres[:, 1] - half]  # (n, 3, P, P)
    return np.ascontiguousarray(squares.transpose(0, 2, 3, 1)).reshape(len(centres), -1)
