"""Turn a detector's scores into probabilities: fit two numbers on held-out pictures. Knows no optimiser and no files.

The focal loss balances hole against known pixels, so V says which pixels look worse than others but not how likely a
pixel is to be filled. Platt scaling, sigmoid(scale * (logit of filled - logit of known) + bias), mends that.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mendpix.training.step import TensorBatch, predict
from mendpix.training.validate import ValidationSet

SAMPLES_PER_PICTURE = 400
"""Pixels taken of each picture; neighbours tell nothing new."""


@dataclass(frozen=True)
class Calibration:
    """Two numbers between a detector's logits and a probability."""

    scale: float = 1.0
    """Factor of the difference of the logits; 1 = as trained."""
    bias: float = 0.0
    """Added to it; 0 = as trained."""


@torch.no_grad()
def calibrate(generator: nn.Module, detector: nn.Module, chosen: ValidationSet, device: torch.device) -> Calibration:
    """Fit a calibration on held-out pictures: filled by the generator, by the two classical fills, and untouched.

    Args:
        generator: Fills holes; its mode is left as it is.
        detector: Marks what looks filled; likewise.
        chosen: Samples; at least one.
        device: Where the networks are.

    Returns:
        The maximum-likelihood scale and bias; the neutral ones if the samples tell nothing.
    """
    rng = np.random.default_rng(0)
    scores: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    for sample in chosen.samples:
        parts = (sample.image, sample.hole, sample.fills, sample.edges)
        batch = TensorBatch(*(torch.from_numpy(part).to(device) for part in parts))
        shown: list[Tensor] = [torch.where(batch.hole > 0, predict(generator, batch).clamp(0, 1), batch.image)]
        for start in range(0, batch.fills.shape[1], 3):
            shown.append(torch.where(batch.hole > 0, batch.fills[:, start : start + 3], batch.image))
        shown.append(batch.image)  # untouched: nothing in it is filled
        for number, picture in enumerate(shown):
            logits = detector(picture)[0].float().cpu().numpy()
            hole = sample.hole[0, 0] if number < len(shown) - 1 else np.zeros_like(sample.hole[0, 0])
            picked = rng.integers(0, hole.size, SAMPLES_PER_PICTURE)
            scores.append((logits[1] - logits[0]).ravel()[picked])
            labels.append(hole.ravel()[picked])
    return fit(np.concatenate(scores), np.concatenate(labels))


def fit(scores: np.ndarray, labels: np.ndarray) -> Calibration:
    """Fit sigmoid(scale * score + bias) to labels 0 or 1 by Newton's method.

    Args:
        scores: Any finite numbers, shape (N,).
        labels: 0 or 1, shape (N,).

    Returns:
        The fit, with scale > 0; neutral if there is only one class or the scores point the wrong way.
    """
    if labels.min() == labels.max():
        return Calibration()
    columns = np.stack([scores, np.ones_like(scores)], 1).astype(np.float64)  # (N, 2)
    theta = np.zeros(2)
    for _ in range(50):
        probability = 1 / (1 + np.exp(-np.clip(columns @ theta, -30, 30)))
        gradient = columns.T @ (labels - probability)
        curvature = (columns * (probability * (1 - probability))[:, None]).T @ columns + 1e-6 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        theta += step
        if np.abs(step).max() < 1e-8:
            break
    return Calibration(float(theta[0]), float(theta[1])) if theta[0] > 0 and np.isfinite(theta).all() else Calibration()
