"""Watch a run: fixed held-out pictures under fixed holes, by ratio bin. Knows no optimiser."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import nn

from mendpix.data.batches import Batch, planes
from mendpix.data.dataset import PictureStore, Pixels
from mendpix.data.guides import GuideSpec, make_guide, sample_guide
from mendpix.data.mask_sampler import RATIO_BINS, MaskSpec, draw_mask, sample_mask
from mendpix.edges import find_edges
from mendpix.fills import first_fills
from mendpix.losses.detection import valuation
from mendpix.metrics.l1 import l1
from mendpix.metrics.psnr import psnr
from mendpix.metrics.ssim import ssim
from mendpix.training.config import ValidationConfig
from mendpix.training.step import TensorBatch, predict
from mendpix.types import FloatArray, Mask


@dataclass(frozen=True)
class ValidationSet:
    """Prepared samples; the first len(RATIO_BINS) belong to the first picture, one of each bin, and so on."""

    samples: tuple[Batch, ...]
    """One sample (batch of 1) per picture and bin."""
    rows: int
    """How many samples the picture grid shows."""
    first: str = "harmonic"
    """What the first fills are, for the names of measures."""


def prepare(
    store: PictureStore, config: ValidationConfig, *, seed: int, with_fills: bool, guides: GuideSpec | None = None,
    edges_sigma: float | None = None,
) -> ValidationSet:  # fmt: skip
    """Cut centre crops and draw holes for validation; the same for the same arguments.

    Where training sees copied guides, validation sees nothing else. Edges are those of the known pixels alone, as
    outside of training, with the Gaussian's width `edges_sigma` (0 = 2, the middle of what training draws).
    """
    guides = guides if guides is not None and guides.share else None
    samples: list[Batch] = []
    for number in range(min(config.pictures, len(store))):
        whole, (top, left) = centre_square(store[number], config.picture_px)
        whole = np.float32(1 / 255) * whole.astype(np.float32)
        image = whole[top : top + config.picture_px, left : left + config.picture_px]
        for index, bin_ in enumerate(RATIO_BINS):
            rng = np.random.default_rng([seed, 1_000_003, number, index])
            hole = draw_mask(sample_mask(rng, image.shape[:2], MaskSpec(bins=(bin_,))))
            filled = np.empty((0, *hole.shape), np.float32)
            wanted = image
            if guides is not None:
                guide = make_guide(whole, (top, left), hole, sample_guide(rng, hole, guides))
                filled, wanted = planes(np.concatenate([guide.fill, guide.fill], axis=2)), guide.wanted
            elif with_fills:
                filled = planes(first_fills(image, hole))
            edges = np.empty((0, *hole.shape), np.float32)
            if edges_sigma is not None:
                edges = find_edges(wanted, edges_sigma or 2.0, 1 - hole)[None].astype(np.float32)
            samples.append(Batch(planes(wanted)[None], hole[None, None], filled[None], edges[None]))
    return ValidationSet(tuple(samples), config.sample_pictures, "guide" if guides is not None else "harmonic")


@torch.no_grad()
def validate(
    generator: nn.Module,
    detector: nn.Module | None,
    chosen: ValidationSet,
    *,
    device: torch.device,
    autocast: Callable[[], AbstractContextManager[object]],
) -> tuple[dict[str, float], list[list[FloatArray]]]:
    """Measure composites by ratio bin.

    Returns:
        Mean PSNR (dB), SSIM and whole-picture ℓ1 (%) per bin and over the bins from 0.1 on; the same PSNR of the
        first fill for comparison, and of guides the texture in the hole (mean |Laplacian|) over that of what is wanted,
        before and after; share of hole and of known pixels that the detector marks (V > 0.5). And
        rows of pictures: input, first fill, result, detector's map if there is a detector, truth.
    """
    watched = [network for network in (generator, detector) if network is not None]
    was_training = [network.training for network in watched]
    for network in watched:
        network.eval()
    scores: dict[str, list[float]] = {}
    rows: list[list[FloatArray]] = []
    for number, sample in enumerate(chosen.samples):
        parts = (sample.image, sample.hole, sample.fills, sample.edges)
        batch = TensorBatch(*(torch.from_numpy(part).to(device) for part in parts))
        with autocast():
            prediction = predict(generator, batch).clamp(0, 1)
            merged = torch.where(batch.hole > 0, prediction, batch.image)
            map_ = None
            if detector is not None:
                map_ = valuation(detector(merged if batch.fills.shape[1] else prediction).float())
        truth, result = _picture(sample.image), _picture(merged.float().cpu().numpy())
        hole, doubt = sample.hole[0, 0], map_[0, 0].cpu().numpy() if map_ is not None else None
        group = number % len(RATIO_BINS)
        found = {"psnr": psnr(result, truth), "ssim": ssim(result, truth), "l1": l1(result, truth)}
        if batch.fills.shape[1]:
            first = _picture(sample.fills[:, :3])
            found[f"psnr_{chosen.first}"] = psnr(first, truth)
            if chosen.first == "guide":  # what is kept of its texture is what matters
                wanted = detail(truth, hole)
                found |= {"texture": detail(result, hole) / wanted, "texture_guide": detail(first, hole) / wanted}
        if doubt is not None:
            found |= {"marked_hole": float(doubt[hole > 0].mean()), "marked_known": float(doubt[hole == 0].mean())}
        for key, value in found.items():
            scores.setdefault(f"{key}/{10 * (group + 1)}", []).append(value)
            if group > 0:
                scores.setdefault(f"{key}/mean", []).append(value)
        if len(rows) < chosen.rows and group == len(rows) % len(RATIO_BINS):
            seen = truth * (1 - hole[..., None]) + hole[..., None]
            first = _picture(sample.fills[:, :3]) if batch.fills.shape[1] else seen
            shown = [] if doubt is None else [np.repeat(doubt[..., None], 3, axis=2)]
            rows.append([seen, first, result, *shown, truth])
    for network, training in zip(watched, was_training, strict=True):
        network.train(training)
    return {f"validation/{key}": float(np.mean(values)) for key, values in scores.items()}, rows


def detail(picture: FloatArray, hole: Mask) -> float:
    """Return the mean |Laplacian| of grey in the hole, at least 1e-4."""
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32)
    return max(1e-4, float(np.abs(cv2.Laplacian(grey, cv2.CV_32F))[hole > 0].mean()))


def _picture(batch: FloatArray) -> FloatArray:
    """Turn (1, 3, H, W) into (H, W, 3)."""
    return np.ascontiguousarray(batch[0].transpose(1, 2, 0), dtype=np.float32)


def centre_square(picture: Pixels, px: int) -> tuple[Pixels, tuple[int, int]]:
    """Bring the short side to at least `px`; return the picture, and the corner of its centre square of that side."""
    height, width = picture.shape[:2]
    if min(height, width) < px:
        scale = px / min(height, width)
        size = (max(px, round(width * scale)), max(px, round(height * scale)))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)
        height, width = picture.shape[:2]
    return picture, ((height - px) // 2, (width - px) // 2)
