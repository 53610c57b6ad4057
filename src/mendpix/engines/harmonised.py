"""A copied fill, harmonised: an engine that copies, then a network that makes seams and tones of the copy fit.

The network changes the fill by a correction that is nothing outside the hole. A hole that is larger than what the
network is shown at once is corrected window by window, the windows fading into each other. (Computed at a smaller size
and brought up, the correction leaves seams as they are.) Knows neither how the copy is made nor where the network's
file lies.
"""

import os
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mendpix.engines.interface import CopyingEngine, Facts
from mendpix.engines.onnx import OnnxGenerator
from mendpix.engines.stopwatch import spent
from mendpix.errors import ModelError
from mendpix.types import FloatArray, Image, Mask

WORKING_PX = 768
"""Longest side of what the network is shown, px."""

CONTEXT_PX = 64
"""What it is shown around the part of the hole that it corrects, px; beside another part, they fade into each other."""


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
    result = image.copy()
    touched = [np.flatnonzero((hole > 0).any(axis=axis)) for axis in (1, 0)]
    if len(touched[0]) == 0:
        return result
    # Beyond the context around the hole nothing counts: a large window is not worked on as a whole.
    spans = [slice(max(int(at[0]) - CONTEXT_PX, 0), int(at[-1]) + 1 + CONTEXT_PX) for at in touched]
    box = (spans[0], spans[1])
    missing = hole[box] > 0
    fill = np.where(missing[..., None], copied[box], image[box])
    corrected = fill.copy()
    rows, columns = (_spans(np.flatnonzero(missing.any(axis=axis)), missing.shape[1 - axis]) for axis in (1, 0))
    for row in rows:
        for column in columns:
            window = (slice(row.start, row.stop), slice(column.start, column.stop))
            inside = missing[window]
            if inside.any():
                weight = row.weight[:, None] * column.weight[None] * inside
                corrected[window] += weight[..., None] * _correction(network, fill[window], inside.astype(np.float32))
    result[box][missing] = np.clip(corrected[missing], 0, 1)
    return result


@dataclass(frozen=True, eq=False)
class _Span:
    """Rows or columns of a window, and how much its answer counts in each; the weights of all windows add up to 1."""

    start: int
    stop: int
    weight: FloatArray


def _spans(touched: NDArray[np.intp], length: int) -> list[_Span]:
    """Cut the rows (or columns) that hold something missing into windows that overlap by their context.

    Args:
        touched: Their numbers, rising.
        length: How many the picture has.
    """
    first, last = int(touched[0]), int(touched[-1]) + 1
    count = -(-(last - first) // (WORKING_PX - 2 * CONTEXT_PX))
    ends = [first + (last - first) * number // count for number in range(count + 1)]
    spans: list[_Span] = []
    for number, (begin, end) in enumerate(pairwise(ends)):
        start, stop = max(0, begin - CONTEXT_PX), min(length, end + CONTEXT_PX)
        at = np.arange(start, stop, dtype=np.float32) + np.float32(0.5)
        weight = np.ones_like(at)
        if number > 0:
            weight *= np.clip((at - (begin - CONTEXT_PX)) / (2 * CONTEXT_PX), 0, 1)
        if number < count - 1:
            weight *= np.clip((end + CONTEXT_PX - at) / (2 * CONTEXT_PX), 0, 1)
        spans.append(_Span(start, stop, weight))
    return spans


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
