"""Turn stored pictures into training batches: crop, hole and first fills, a pure function of seed and step.

Because nothing but (seed, step, position in the batch) decides what a sample is, a resumed run and a run on several
processes see exactly the pictures that one uninterrupted process would. NumPy only; knows no network and no loss.
"""

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from mendpix import fills
from mendpix.data.crops import CropSpec, random_crop
from mendpix.data.dataset import PictureStore
from mendpix.data.mask_files import MaskFolders
from mendpix.data.mask_sampler import MaskSpec, draw_mask, sample_mask
from mendpix.types import FloatArray


@dataclass(frozen=True)
class Batch:
    """Samples of one training step, channels first, float32."""

    image: FloatArray
    """True pictures, RGB in [0, 1], shape (B, 3, H, W)."""
    hole: FloatArray
    """1 = hole, 0 = known, shape (B, 1, H, W)."""
    fills: FloatArray
    """Harmonic and Navier–Stokes first fills, RGB each, shape (B, 6, H, W); empty (B, 0, H, W) if not asked for."""


@dataclass(frozen=True)
class BatchRequest:
    """What decides a batch."""

    step: int
    """Number of the step, from 0; samples differ from step to step."""
    batch_pictures: int
    """Samples in the batch of all processes together."""
    crop_px: int
    """Side of the square crops."""
    rank: int = 0
    """This process's number."""
    processes: int = 1
    """How many processes share the batch; each takes every `processes`-th sample."""


class BatchSource:
    """Make the batch that belongs to a request."""

    def __init__(
        self,
        store: PictureStore,
        crops: CropSpec,
        masks: MaskSpec,
        *,
        seed: int,
        with_fills: bool = True,
        guide_share: float = 0.0,
        mask_files: MaskFolders | None = None,
    ) -> None:
        """Keep what all batches share.

        Args:
            store: The pictures.
            crops: How crops are drawn; its size is overridden by the request.
            masks: How holes are drawn.
            seed: Seed of everything.
            with_fills: Whether to compute the two first fills.
            guide_share: Share of samples in which the harmonic fill stands in for both, as a coarse result does when
                a large hole is filled coarse to fine.
            mask_files: Holes are taken from these files, mirrored at random, instead of drawn as `masks` says.
        """
        self._store = store
        self._crops = crops
        self._masks = masks
        self._seed = seed
        self._with_fills = with_fills
        self._guide_share = guide_share
        self._mask_files = mask_files

    def batch(self, request: BatchRequest) -> Batch:
        """Return this process's part of the batch. The same request always gives the same arrays.

        Raises:
            DataError: If a picture or mask cannot be decoded.
        """
        positions = range(request.rank, request.batch_pictures, request.processes)
        samples = [self._sample(request.step, position, request.crop_px) for position in positions]
        image, hole, filled = (np.stack(part) for part in zip(*samples, strict=True))
        return Batch(image=image, hole=hole, fills=filled)

    def _sample(self, step: int, position: int, crop_px: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        rng = np.random.default_rng([self._seed, step, position])
        picture = self._store[int(rng.integers(len(self._store)))]
        crop = random_crop(rng, picture, replace(self._crops, px=crop_px))
        image = np.float32(1 / 255) * crop.astype(np.float32)  # (H, W, 3)
        if self._mask_files is None:
            hole = draw_mask(sample_mask(rng, (crop_px, crop_px), self._masks))  # (H, W)
        else:
            hole = self._mask_files.draw(rng, crop_px)
        filled = np.empty((0, crop_px, crop_px), np.float32)
        if self._with_fills:
            guide = fills.harmonic(image, hole) if rng.random() < self._guide_share else None
            filled = planes(fills.first_fills(image, hole, guide))
        return planes(image), hole[None], filled


def planes(picture: FloatArray) -> FloatArray:
    """Turn (H, W, C) into (C, H, W)."""
    return np.ascontiguousarray(picture.transpose(2, 0, 1), dtype=np.float32)


class Prefetcher:
    """Prepare the batches of the next steps on threads while the network works."""

    def __init__(
        self, source: BatchSource, request: Callable[[int], BatchRequest], *, threads: int, ahead: int
    ) -> None:
        """Keep what is needed; work starts with iteration.

        Args:
            source: Makes the batches.
            request: Says what a step's batch is, given the step.
            threads: Threads that prepare batches.
            ahead: Batches prepared in advance.
        """
        self._source = source
        self._request = request
        self._threads = threads
        self._ahead = ahead

    def batches(self, first_step: int) -> Generator[tuple[int, Batch]]:
        """Yield (step, batch) from `first_step` on, in order, for ever; close the iterator to stop the threads."""
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="batches")
        waiting: deque[tuple[int, Future[Batch]]] = deque()
        step = first_step
        try:
            while True:
                while len(waiting) < self._ahead:
                    waiting.append((step, pool.submit(self._source.batch, self._request(step))))
                    step += 1
                number, future = waiting.popleft()
                yield number, future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
