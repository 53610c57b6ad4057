"""Turn stored pictures into training batches: crop, hole, first fills or damage, a function of seed and step.

Because nothing but (seed, step, position in the batch) decides what a sample is, a resumed run and a run on several
processes see exactly the pictures that one uninterrupted process would. NumPy only; knows no network and no loss.
"""

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from mendpix import fills
from mendpix.data.crops import CropSpec, cut_surroundings, random_crop, sample_crop
from mendpix.data.dataset import PictureStore
from mendpix.data.degrade import DamageSpec, degrade
from mendpix.data.exemplar_fills import ExemplarFills
from mendpix.data.guides import Guide, GuideSpec, make_guide, sample_guide
from mendpix.data.mask_files import MaskFolders
from mendpix.data.mask_sampler import MaskSpec, draw_mask, sample_mask
from mendpix.data.silhouettes import LEAST_SHARE, MOST_SHARE, draw_silhouette
from mendpix.edges import find_edges
from mendpix.errors import InputError
from mendpix.types import FloatArray, Mask


@dataclass(frozen=True)
class Batch:
    """Samples of one training step, channels first, float32."""

    image: FloatArray
    """What is wanted, RGB in [0, 1], shape (B, 3, H, W): true pictures; with copied guides, see `guides`."""
    hole: FloatArray
    """1 = hole, 0 = known, shape (B, 1, H, W)."""
    fills: FloatArray
    """Harmonic and Navier–Stokes first fills, RGB each, shape (B, 6, H, W), or one guide in place of both; empty
    (B, 0, H, W) if not asked for."""
    edges: FloatArray
    """1 = on an edge of the true picture, shape (B, 1, H, W); empty (B, 0, H, W) if not asked for."""
    damaged: FloatArray = field(default_factory=lambda: np.empty((0, 0, 0, 0), np.float32))
    """The picture with damage, RGB in [0, 1], shape (B, 3, H, W); empty (B, 0, H, W) if not asked for. With damage,
    `image` is the same picture without it, and `hole` the mask of all kinds, values between 0 and 1 included."""
    destroyed: FloatArray = field(default_factory=lambda: np.empty((0, 0, 0, 0), np.float32))
    """How much of each pixel is destroyed, by kind of `data.degrade.KINDS`, in [0, 1], shape (B, K, H, W); empty
    (B, 0, H, W) if not asked for."""


@dataclass(frozen=True)
class SilhouetteSpec:
    """Describe how many holes have the shape of a thing.

    Raises:
        InputError: If a value makes no sense.
    """

    share: float = 0.0
    """Share of the holes that are silhouettes; the rest are drawn as the table `masks` says. 0 = none."""
    smallest: float = 0.03
    """Smallest share of the picture that a silhouette covers."""
    largest: float = 0.3
    """Largest share of the picture that a silhouette covers."""

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise InputError(f"share of silhouettes must lie between 0 and 1; got {self.share}.")
        if not LEAST_SHARE <= self.smallest <= self.largest <= MOST_SHARE:
            raise InputError(
                f"smallest and largest must be rising shares from {LEAST_SHARE} to {MOST_SHARE}; "
                f"got {self.smallest} and {self.largest}."
            )


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
        silhouettes: SilhouetteSpec | None = None,
        guides: GuideSpec | None = None,
        copies: ExemplarFills | None = None,
        edges_sigma: float | None = None,
        damage: DamageSpec | None = None,
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
            silhouettes: How many of the holes that are drawn have the shape of a thing instead; None = none.
            guides: Which copied guides stand in for both first fills; None = none.
            copies: Real exemplar fills, of which those guides take their share.
            edges_sigma: Width of the Gaussian, px, for Canny edges of the true pictures; 0 = a whole number from 1 to
                4, drawn anew for each sample; None = no edges.
            damage: How pictures are damaged; the mask of the damage is the hole then. None = they are not.

        Raises:
            InputError: If copied guides are wanted without first fills, or of pictures that are stretched; or damage
                together with first fills or copied guides.
        """
        if damage is not None and (with_fills or (guides is not None and guides.share)):
            raise InputError(
                "damaged pictures must go without first fills and copied guides; got both. Take a generator that needs "
                "no fills, or leave out the table damage."
            )
        if guides is not None and guides.share and not (with_fills and crops.fit == "crop"):
            raise InputError(
                "copied guides must be made for a generator that takes first fills, from crops; got "
                f"{'stretched pictures' if with_fills else 'a generator without them'}. Set guides.share = 0."
            )
        self._store = store
        self._crops = crops
        self._masks = masks
        self._seed = seed
        self._with_fills = with_fills
        self._guide_share = guide_share
        self._mask_files = mask_files
        self._silhouettes = silhouettes or SilhouetteSpec()
        self._guides = guides or GuideSpec()
        self._copies = copies
        self._edges_sigma = edges_sigma
        self._damage = damage

    def batch(self, request: BatchRequest) -> Batch:
        """Return this process's part of the batch. The same request always gives the same arrays.

        Raises:
            DataError: If a picture or mask cannot be decoded.
        """
        positions = range(request.rank, request.batch_pictures, request.processes)
        samples = [self._sample(request.step, position, request.crop_px) for position in positions]
        return Batch(*(np.stack(part) for part in zip(*samples, strict=True)))

    def _sample(self, step: int, position: int, crop_px: int) -> tuple[FloatArray, ...]:
        """Make one sample: the fields of a `Batch` in their order, without the first axis."""
        nothing = np.empty((0, crop_px, crop_px), np.float32)
        rng = np.random.default_rng([self._seed, step, position])
        if self._guides.share and rng.random() < self._guides.share:
            guide, hole = self._guided(rng, crop_px)
            twice = planes(np.concatenate([guide.fill, guide.fill], axis=2))
            return planes(guide.wanted), hole[None], twice, self._edges(rng, guide.wanted), nothing, nothing
        picture = self._store[int(rng.integers(len(self._store)))]
        crop = random_crop(rng, picture, replace(self._crops, px=crop_px))
        image = np.float32(1 / 255) * crop.astype(np.float32)  # (H, W, 3)
        if self._damage is not None:
            made = degrade(rng, image, self._damage)
            edges = self._edges(rng, made.clean)
            return planes(made.clean), made.mask[None], nothing, edges, planes(made.image), made.destroyed
        hole = self._hole(rng, crop_px)
        filled = nothing
        if self._with_fills:
            guide = fills.harmonic(image, hole) if rng.random() < self._guide_share else None
            filled = planes(fills.first_fills(image, hole, guide))
        return planes(image), hole[None], filled, self._edges(rng, image), nothing, nothing

    def _edges(self, rng: np.random.Generator, image: FloatArray) -> FloatArray:
        """Find the edges of a true picture (H, W, 3), shape (1, H, W), or (0, H, W) if nobody asks for them."""
        if self._edges_sigma is None:
            return np.empty((0, *image.shape[:2]), np.float32)
        sigma = self._edges_sigma or float(rng.integers(1, 5))
        return find_edges(image, sigma)[None].astype(np.float32)

    def _guided(self, rng: np.random.Generator, crop_px: int) -> tuple[Guide, Mask]:
        """Make a sample whose first fill is a copy: a real exemplar fill, or one that is made up here."""
        if self._copies is not None and rng.random() < self._guides.exemplar:
            image, hole, copy = self._copies.draw(rng, crop_px)
            return make_guide(image, (0, 0), hole, sample_guide(rng, hole, self._guides), copy), hole
        picture = self._store[int(rng.integers(len(self._store)))]
        crop = sample_crop(rng, (picture.shape[0], picture.shape[1]), replace(self._crops, px=crop_px))
        whole, corner = cut_surroundings(picture, crop)
        hole = self._hole(rng, crop_px)
        whole = np.float32(1 / 255) * whole.astype(np.float32)  # (H, W, 3)
        return make_guide(whole, corner, hole, sample_guide(rng, hole, self._guides)), hole

    def _hole(self, rng: np.random.Generator, crop_px: int) -> Mask:
        """Draw a hole, shape (H, W), or take one from the files."""
        if self._mask_files is not None:
            return self._mask_files.draw(rng, crop_px)
        spec = self._silhouettes
        if spec.share and rng.random() < spec.share:
            return draw_silhouette(rng, (crop_px, crop_px), float(rng.uniform(spec.smallest, spec.largest)))
        return draw_mask(sample_mask(rng, (crop_px, crop_px), self._masks))


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
