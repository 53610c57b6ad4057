"""Cut squares out of training pictures: parameters are sampled and recorded first, then applied without randomness.

Knows nothing of where pictures come from, of masks or of batches.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from mendpix.data.dataset import Pixels
from mendpix.errors import InputError


@dataclass(frozen=True)
class CropSpec:
    """Describe the crops that training sees.

    Raises:
        InputError: If a value makes no sense.
    """

    px: int = 128
    """Side of the square crop in pixels."""
    scale_min: float = 1.0
    """Smallest factor by which a picture is shrunk before cropping, drawn evenly from [scale_min, 1]; 1 = never shrunk.
    Shrunk pictures are sharper than the originals."""
    flip: bool = True
    """Whether half of the crops are mirrored left to right."""
    fit: Literal["crop", "stretch"] = "crop"
    """crop: a random square of the picture; stretch: the whole picture, its aspect given up, `scale_min` unused."""

    def __post_init__(self) -> None:
        if self.px < 1:
            raise InputError(f"px must be at least 1; got {self.px}.")
        if not 0 < self.scale_min <= 1:
            raise InputError(f"scale_min must be above 0 and at most 1; got {self.scale_min}.")


@dataclass(frozen=True)
class CropParameters:
    """Record one crop: a square of the picture, and the size it is brought to."""

    top: int
    """First row of the square."""
    left: int
    """First column of the square."""
    side: int
    """Side of the square in pixels of the picture."""
    px: int
    """Side of the crop in pixels: the square is shrunk (area) or enlarged (cubic) to it; equal to `side` = neither."""
    flip: bool
    """Whether the crop is mirrored left to right."""


def sample_crop(rng: np.random.Generator, size: tuple[int, int], spec: CropSpec) -> CropParameters:
    """Sample where to crop a picture of the given height and width.

    A picture that is too small for the crop gives its whole short side, which is then enlarged.
    """
    height, width = size
    scale = spec.scale_min + (1 - spec.scale_min) * rng.random()
    side = min(round(spec.px / scale), height, width)
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    return CropParameters(int(top), int(left), side, spec.px, bool(spec.flip and rng.random() < 0.5))


def cut_crop(picture: Pixels, crop: CropParameters) -> Pixels:
    """Cut a recorded crop out of a picture of shape (H, W, 3); returns a new array of shape (px, px, 3)."""
    square = picture[crop.top : crop.top + crop.side, crop.left : crop.left + crop.side]
    if crop.side != crop.px:
        filter_ = cv2.INTER_AREA if crop.side > crop.px else cv2.INTER_CUBIC
        square = cv2.resize(square, (crop.px, crop.px), interpolation=filter_)
    return np.asarray(cv2.flip(square, 1), np.uint8) if crop.flip else np.array(square, np.uint8, order="C")


def cut_surroundings(picture: Pixels, crop: CropParameters) -> tuple[Pixels, tuple[int, int]]:
    """Bring the whole picture to a recorded crop's scale.

    Returns:
        New array of shape (H, W, 3), at least as large as the crop; and the row and column where the crop starts in it.
        The crop found there differs from `cut_crop` by the part of a pixel to which its corner is rounded.
    """
    scale = crop.px / crop.side
    height, width = (max(crop.px, round(length * scale)) for length in picture.shape[:2])
    whole = picture
    if (height, width) != picture.shape[:2]:
        filter_ = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        whole = cv2.resize(picture, (width, height), interpolation=filter_)
    top, left = min(round(crop.top * scale), height - crop.px), min(round(crop.left * scale), width - crop.px)
    if crop.flip:
        return np.asarray(cv2.flip(whole, 1), np.uint8), (top, width - crop.px - left)
    return np.array(whole, np.uint8, order="C"), (top, left)


def stretch(picture: Pixels, px: int, flip: bool) -> Pixels:
    """Bring a whole picture of shape (H, W, 3) to a new (px, px, 3), bilinearly as GDN's program does."""
    square = np.asarray(cv2.resize(picture, (px, px), interpolation=cv2.INTER_LINEAR), np.uint8)
    return np.asarray(cv2.flip(square, 1), np.uint8) if flip else square


def random_crop(rng: np.random.Generator, picture: Pixels, spec: CropSpec) -> Pixels:
    """Make a new (px, px, 3) array: `cut_crop` of `sample_crop`, or the picture stretched if `spec` says so."""
    if spec.fit == "stretch":
        return stretch(picture, spec.px, bool(spec.flip and rng.random() < 0.5))
    return cut_crop(picture, sample_crop(rng, (picture.shape[0], picture.shape[1]), spec))
