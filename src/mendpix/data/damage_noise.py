"""Noise: Gaussian, salt and pepper, speckle. One function per family; how much is destroyed follows what was added.

Knows nothing of other families or of batches.
"""

from typing import Any

import cv2
import numpy as np

from mendpix.data.damage_layers import Damage, even_log, pick, ramp, rounded, settle, smooth_field
from mendpix.types import FloatArray, Image

FULL_NOISE = 0.5
"""Change of the strongest channel by noise at which a pixel counts as wholly destroyed, of 1."""

_SPECKLE_FLOOR = 0.1  # speckle multiplies; black pixels get this much of it all the same


def gaussian(rng: np.random.Generator, image: Image) -> Damage:
    """Add Gaussian noise, of each channel apart or of all together."""
    spread = even_log(rng, 0.04, 0.25)
    noise, parameters = _draw_noise(rng, image, spread)
    return _add(image, noise, {"spread": spread, **parameters})


def speckle(rng: np.random.Generator, image: Image) -> Damage:
    """Multiply a picture with Gaussian noise around 1."""
    spread = even_log(rng, 0.1, 0.5)
    noise, parameters = _draw_noise(rng, image, spread)
    return _add(image, noise * np.maximum(image, np.float32(_SPECKLE_FLOOR)), {"spread": spread, **parameters})


def salt_and_pepper(rng: np.random.Generator, image: Image) -> Damage:
    """Replace single pixels by white or black, or single channels of them by their end of the range."""
    size = (image.shape[0], image.shape[1])
    share, salt = even_log(rng, 0.005, 0.2), (rng.uniform(0.3, 0.7) if rng.random() < 0.7 else float(rng.random()))
    coloured = rng.random() < 0.25
    chance = np.float32(share) * _where(rng, size)
    lot = rng.random((*size, 3 if coloured else 1), np.float32)
    chosen = np.broadcast_to(lot < chance[..., None], image.shape)
    value = (rng.random(lot.shape, np.float32) < salt).astype(np.float32)
    damaged = np.where(chosen, value, image)
    hit = np.asarray(chosen.any(axis=2), np.float32)
    return settle(image, damaged, hit, rounded({"share": share, "salt": salt, "coloured": coloured}))


def _draw_noise(rng: np.random.Generator, image: Image, spread: float) -> tuple[FloatArray, dict[str, Any]]:
    grey = rng.random() < 0.5
    noise = rng.standard_normal((*image.shape[:2], 1 if grey else 3), np.float32) * np.float32(spread)
    blur_px = rng.uniform(0.35, 1.0) if rng.random() < 0.25 else 0.0
    if blur_px:  # as after a camera's or a scanner's own smoothing
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), blur_px), np.float32).reshape(noise.shape)
        noise = noise * np.float32(spread / max(float(noise.std()), 1e-6))
    noise = noise * _where(rng, (image.shape[0], image.shape[1]))[..., None]
    return np.asarray(noise * np.ones(3, np.float32), np.float32), {"grey": grey, "blur_px": blur_px}


def _where(rng: np.random.Generator, size: tuple[int, int]) -> FloatArray:
    """Draw how strong noise is in each place: mostly the same everywhere; in [0, 1], shape (H, W)."""
    spread = pick(rng, {"even": 3, "uneven": 1, "part": 1})
    if spread == "even":
        return np.ones(size, np.float32)
    field = smooth_field(rng, size, rng.uniform(0.25, 0.6) * min(size))
    return ramp(field, 0, 1) if spread == "uneven" else ramp(field, 0.45, 0.5)


def _add(image: Image, noise: FloatArray, parameters: dict[str, Any]) -> Damage:
    damaged = np.clip(image + noise, 0, 1, dtype=np.float32)
    change = np.abs(damaged - image).max(axis=2, keepdims=True)[..., 0]
    return settle(image, damaged, np.minimum(change / np.float32(FULL_NOISE), 1), rounded(parameters))
