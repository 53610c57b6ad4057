"""Bring pictures and holes to a protocol's size, and sort holes into its bins. Reads no file."""

from collections.abc import Sequence

import numpy as np
from PIL import Image as PillowImage

from mendpix import masks
from mendpix.data.dataset import Pixels
from mendpix.errors import DataError
from mendpix.evaluation.protocol import Pictures
from mendpix.types import Mask

_FILTERS = {
    "nearest": PillowImage.Resampling.NEAREST,
    "box": PillowImage.Resampling.BOX,
    "bilinear": PillowImage.Resampling.BILINEAR,
    "bicubic": PillowImage.Resampling.BICUBIC,
    "lanczos": PillowImage.Resampling.LANCZOS,
}


def bin_of(share: float, ends: Sequence[float]) -> int:
    """Number the bin of a hole from 0; `len(ends)` if it lies beyond the last."""
    return int(np.searchsorted(np.array(ends), share, side="left"))


def bin_names(ends: Sequence[float]) -> tuple[str, ...]:
    """Name every bin that can be met.

    Example:
        >>> bin_names((0.1, 0.25))
        ('0–0.1', '0.1–0.25', '0.25–1')
    """
    return tuple(f"{low:g}–{high:g}" for low, high in zip((0.0, *ends), (*ends, 1.0), strict=True))


def fit_picture(pixels: Pixels, settings: Pictures, name: str) -> Pixels:
    """Bring a picture to the protocol's size; one that has it comes back as it is.

    Raises:
        DataError: If the size must be exact and is not.
    """
    size = settings.size_px
    if size is None or pixels.shape[:2] == size:
        return pixels
    height, width = size
    if settings.fit == "exact":
        check_exact((pixels.shape[0], pixels.shape[1]), settings, name)
    target = (width, height)
    if settings.fit == "crop":
        scale = max(height / pixels.shape[0], width / pixels.shape[1])
        target = max(width, round(pixels.shape[1] * scale)), max(height, round(pixels.shape[0] * scale))
    scaled = np.asarray(PillowImage.fromarray(pixels).resize(target, _FILTERS[settings.filter]))
    top, left = (scaled.shape[0] - height) // 2, (scaled.shape[1] - width) // 2
    return np.ascontiguousarray(scaled[top : top + height, left : left + width])


def check_exact(found: tuple[int, int], settings: Pictures, name: str) -> None:
    """Refuse a picture, (height, width) `found`, that has another size than the protocol's.

    Raises:
        DataError: If it has.
    """
    if settings.size_px is not None and found != settings.size_px:
        height, width = settings.size_px
        raise DataError(
            f"pictures must be {height} × {width} px (height × width); {name} has {found[0]} × {found[1]}. Remove it, "
            'or say fit = "crop" or "stretch" in the protocol.'
        )


def fit_hole(hole: Mask, size: tuple[int, int], cover: bool, name: str) -> Mask:
    """Bring a hole to a size; see `protocol.Masks.fit`.

    Raises:
        DataError: If the size must be exact and is not, or if nothing would be left known.
    """
    if hole.shape == size:
        return hole
    if not cover:
        raise DataError(
            f"masks must have the size of their picture, {size[0]} × {size[1]} px; {name} has {hole.shape[0]} × "
            f'{hole.shape[1]}. Remove it, or say fit = "cover" for the masks in the protocol.'
        )
    resized = masks.resize_hole(hole, size)
    if resized.all():
        raise DataError(f"mask {name} leaves nothing known at {size[0]} × {size[1]} px; replace or remove it.")
    return resized
