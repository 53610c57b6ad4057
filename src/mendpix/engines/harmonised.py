"""A copied fill, harmonised: an engine that copies, then a network that makes seams and tones of the copy fit.

The network changes the fill by a correction that is nothing outside the hole. Of a window that is larger than
`WORKING_PX` the correction is computed on a smaller one and brought up: the copy keeps its full sharpness, and the time
is bounded. Knows neither how the copy is made nor where the network's file lies.
"""

import os
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from mendpix.engines.interface import CopyingEngine, Facts
from mendpix.engines.onnx import OnnxGenerator
from mendpix.engines.stopwatch import spent
from mendpix.errors import ModelError
from mendpix.types import FloatArray, Image, Mask

WORKING_PX = 768
"""Longest side of what the network is shown, px."""

CONTEXT_PX = 64
"""Known pixels around the hole's bounding box that it is shown, px of the size that it works at."""


@dataclass(frozen=True)
class HarmonisedEngine:
    """Copies, then corrects the copy."""

    facts: Facts
    """Those of the engine that copies, under another name: the network asks for less."""
    copier: CopyingEngine = field(repr=False)
    """Makes the fill."""
    network: OnnxGenerator = field(repr=False)
    """Takes the fill as its guide."""

    def fill(self, image: Image, hole: Mask, guide: Image | None = None, excluded: Mask | None = None) -> Image:
        """Fill the hole.

        Args:
            image: RGB in [0, 1], shape (H, W, 3); the hole's part is ignored.
            hole: 1 = fill, 0 = known, shape (H, W).
            guide: Handed on to the engine that copies.
            excluded: 1 = known, but nothing of it may be copied, shape (H, W); None = all that is known may be.

        Returns:
            New array, RGB in [0, 1], shape (H, W, 3).

        Raises:
            MaskError: If there is nothing to copy from.
            ModelError: If the network's answer cannot be used.
        """
        with spent("first_fill"):  # what the network starts from
            copied = self.copier.fill(image, hole, guide, excluded)
        return harmonise(self.network, image, hole, copied)


def harmonised(
    network: str | os.PathLike[str], copier: CopyingEngine, *, threads: int | None = None
) -> HarmonisedEngine:
    """Join a network's file and an engine that copies; the name is the copier's, with `-harmonised` behind.

    Raises:
        ModelError: If the file is missing, broken, or takes no guide.
    """
    generator = OnnxGenerator(network, threads=threads)
    if not generator.facts.takes_guide:
        raise ModelError(
            f"A model that harmonises must start from a fill; {generator.facts.name} takes "
            f"{', '.join(generator.facts.inputs)}. Give a model that was trained with recipes/scenes-harmoniser.toml."
        )
    facts = replace(copier.facts, name=f"{copier.facts.name}-harmonised")
    return HarmonisedEngine(facts, copier, generator)


def harmonise(network: OnnxGenerator, image: Image, hole: Mask, copied: Image) -> Image:
    """Correct a copied fill.

    Args:
        network: Takes a guide.
        image: RGB in [0, 1], shape (H, W, 3); the hole's part is ignored.
        hole: 1 = fill, 0 = known, shape (H, W).
        copied: The copy, like `image`; only its values in the hole count.

    Returns:
        New array like `image`: the copy and its correction in the hole, `image` elsewhere.

    Raises:
        ModelError: If the network's answer cannot be used.
    """
    missing = hole > 0
    fill = np.where(missing[..., None], copied, image)
    if not missing.any():
        return fill
    around = _around(missing)
    height, width = missing[around].shape
    scale = min(1.0, WORKING_PX / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    small_hole = missing[around].astype(np.float32)
    small = fill[around]
    if size != (height, width):
        small = np.asarray(cv2.resize(small, size[::-1], interpolation=cv2.INTER_AREA), np.float32)
        small_hole = np.asarray(cv2.resize(small_hole, size[::-1], interpolation=cv2.INTER_AREA), np.float32)
        small_hole = (small_hole > 0).astype(np.float32)  # what is known in part is corrected in part, and masked below
    correction = _correction(network, small, small_hole)
    if size != (height, width):
        correction = cv2.resize(correction, (width, height), interpolation=cv2.INTER_LINEAR)
    part = fill[around] + np.asarray(correction, np.float32)
    fill[around] = np.where(missing[around][..., None], np.clip(part, 0, 1), fill[around])
    return fill


def _correction(network: OnnxGenerator, fill: Image, hole: Mask) -> FloatArray:
    """Return what the network adds to a fill, shape (H, W, 3); sizes that are not legal are padded."""
    height, width = hole.shape
    step, least = network.facts.multiple_of, network.facts.minimum
    below = max(least, -(-height // step) * step) - height
    right = max(least, -(-width // step) * step) - width
    padded = np.pad(fill, ((0, below), (0, right), (0, 0)), mode="edge")
    # The padding continues the hole, if that reaches it: it must not pass for something known.
    padded_hole = np.pad(hole, ((0, below), (0, right)), mode="edge")
    answer = network.fill(padded, padded_hole, padded)
    return np.where(padded_hole[..., None] > 0, answer - padded, np.float32(0))[:height, :width]


def _around(missing: np.ndarray) -> tuple[slice, slice]:
    """Return the hole's bounding box with its context, which is as much wider as the box will be shrunk."""
    slices: list[slice] = []
    boxes = [np.flatnonzero(missing.any(axis=axis)) for axis in (1, 0)]
    longest = max(int(found[-1] - found[0]) + 1 for found in boxes)
    context = round(CONTEXT_PX * max(1.0, longest / (WORKING_PX - 2 * CONTEXT_PX)))
    for found, length in zip(boxes, missing.shape, strict=True):
        slices.append(slice(max(0, int(found[0]) - context), min(length, int(found[-1]) + 1 + context)))
    return slices[0], slices[1]
