"""Watch a run: fixed held-out pictures under fixed holes, by ratio bin. Knows no optimiser."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import nn

from mendpix.data.batches import Batch, planes
from mendpix.data.dataset import PictureStore
from mendpix.data.mask_sampler import RATIO_BINS, MaskSpec, draw_mask, sample_mask
from mendpix.fills import first_fills
from mendpix.losses.detection import valuation
from mendpix.metrics.l1 import l1
from mendpix.metrics.psnr import psnr
from mendpix.metrics.ssim import ssim
from mendpix.training.config import ValidationConfig
from mendpix.training.step import TensorBatch, predict
from mendpix.types import FloatArray


@dataclass(frozen=True)
class ValidationSet:
    """Prepared samples; the first len(RATIO_BINS) belong to the first picture, one of each bin, and so on."""

    samples: tuple[Batch, ...]
    """One sample (batch of 1) per picture and bin."""
    rows: int
    """How many samples the picture grid shows."""


def prepare(store: PictureStore, config: ValidationConfig, *, seed: int, with_fills: bool) -> ValidationSet:
    """Cut centre crops and draw holes for validation; the same for the same arguments."""
    samples: list[Batch] = []
    for number in range(min(config.pictures, len(store))):
        image = np.float32(1 / 255) * _centre(store[number], config.picture_px).astype(np.float32)
        for index, bin_ in enumerate(RATIO_BINS):
            rng = np.random.default_rng([seed, 1_000_003, number, index])
            hole = draw_mask(sample_mask(rng, image.shape[:2], MaskSpec(bins=(bin_,))))
            filled = planes(first_fills(image, hole)) if with_fills else np.empty((0, *hole.shape), np.float32)
            samples.append(Batch(planes(image)[None], hole[None, None], filled[None]))
    return ValidationSet(tuple(samples), config.sample_pictures)


@torch.no_grad()
def validate(
    generator: nn.Module,
    detector: nn.Module,
    chosen: ValidationSet,
    *,
    device: torch.device,
    autocast: Callable[[], AbstractContextManager[object]],
) -> tuple[dict[str, float], list[list[FloatArray]]]:
    """Measure composites by ratio bin.

    Returns:
        Mean PSNR (dB), SSIM and whole-picture ℓ1 (%) per bin and over the bins from 0.1 on; the same PSNR of the
        harmonic first fill for comparison; share of hole and of known pixels that the detector marks (V > 0.5). And
        rows of pictures: input, first fill, result, detector's map, truth.
    """
    was_training = generator.training, detector.training
    generator.eval()
    detector.eval()
    scores: dict[str, list[float]] = {}
    rows: list[list[FloatArray]] = []
    for number, sample in enumerate(chosen.samples):
        batch = TensorBatch(*(torch.from_numpy(part).to(device) for part in (sample.image, sample.hole, sample.fills)))
        with autocast():
            prediction = predict(generator, batch).clamp(0, 1)
            merged = torch.where(batch.hole > 0, prediction, batch.image)
            map_ = valuation(detector(merged if batch.fills.shape[1] else prediction).float())
        truth, result = _picture(sample.image), _picture(merged.float().cpu().numpy())
        hole, doubt = sample.hole[0, 0], map_[0, 0].cpu().numpy()
        group = number % len(RATIO_BINS)
        found = {"psnr": psnr(result, truth), "ssim": ssim(result, truth), "l1": l1(result, truth)}
        if batch.fills.shape[1]:
            found["psnr_harmonic"] = psnr(_picture(sample.fills[:, :3]), truth)
        found |= {"marked_hole": float(doubt[hole > 0].mean()), "marked_known": float(doubt[hole == 0].mean())}
        for key, value in found.items():
            scores.setdefault(f"{key}/{10 * (group + 1)}", []).append(value)
            if group > 0:
                scores.setdefault(f"{key}/mean", []).append(value)
        if len(rows) < chosen.rows and group == len(rows) % len(RATIO_BINS):
            seen = truth * (1 - hole[..., None]) + hole[..., None]
            first = _picture(sample.fills[:, :3]) if batch.fills.shape[1] else seen
            rows.append([seen, first, result, np.repeat(doubt[..., None], 3, axis=2), truth])
    generator.train(was_training[0])
    detector.train(was_training[1])
    return {f"validation/{key}": float(np.mean(values)) for key, values in scores.items()}, rows


def _picture(batch: FloatArray) -> FloatArray:
    """Turn (1, 3, H, W) into (H, W, 3)."""
    return np.ascontiguousarray(batch[0].transpose(1, 2, 0), dtype=np.float32)


def _centre(picture: np.ndarray, px: int) -> np.ndarray:
    """Cut the centre square of side `px`, after bringing the short side to at least that."""
    height, width = picture.shape[:2]
    if min(height, width) < px:
        scale = px / min(height, width)
        size = (max(px, round(width * scale)), max(px, round(height * scale)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
        height, width = picture.shape[:2]
    top, left = (height - px) // 2, (width - px) // 2
    return picture[top : top + px, left : left + px]
