"""Partial convolution (Liu et al. 2018): six terms, no rival; then the encoder's statistics are frozen to fine-tune.

Weights and phases are the published ones. The pixel terms and the total variation are taken on ImageNet-normalised
values, as in the well-known port: they are about four times as large there as on the scale [0, 1], which matters beside
perceptual and style terms.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mendpix.errors import InputError
from mendpix.losses.perceptual import perceptual_l1
from mendpix.losses.style import style_l1
from mendpix.losses.total_variation import hole_and_seam, total_variation
from mendpix.networks.pconv import DEVIATION_RGB, PconvGenerator
from mendpix.training.methods.interface import MethodEntry, Moment, Parts
from mendpix.training.step import TensorBatch, predict


@dataclass(frozen=True)
class PconvMethod:
    """Weights of the visible sum, and when the second phase begins."""

    valid: float = 1.0
    """Weight of the L1 of known pixels, divided by all pixels of the picture."""
    hole: float = 6.0
    """Weight of the L1 in the hole, divided by all pixels too."""
    perceptual: float = 0.05
    """Weight of the differences of features, of the prediction and of the composite."""
    style: float = 120.0
    """Weight of the differences of those features' Gram matrices, of both again."""
    variation: float = 0.1
    """Weight of the composite's total variation."""
    variation_region: Literal["hole", "picture"] = "hole"
    """Where variation counts. hole: in the hole and one pixel around it, as in the paper. picture: everywhere, as in
    the port."""
    feature_share: float = 1.0
    """Share of each batch's samples whose features are compared, which is dear; the samples are random."""
    fine_tuning_from: float = 0.5
    """Share of the run from which the statistics of the encoder's batch norms are frozen; 1 = never."""
    fine_tuning_rate: float = 0.25
    """Factor on the learning rate from there on: published are 2e-4 and then 5e-5."""

    def __post_init__(self) -> None:
        least = min(self.valid, self.hole, self.perceptual, self.style, self.variation, self.fine_tuning_rate)
        if not least >= 0:
            raise InputError(f"weights and rates must be at least 0; got {least}.")
        if not 0 <= self.fine_tuning_from <= 1:
            raise InputError(f"fine_tuning_from must lie in [0, 1]; got {self.fine_tuning_from}.")
        if not 0 < self.feature_share <= 1:
            raise InputError(f"feature_share must be above 0 and at most 1; got {self.feature_share}.")
        if self.variation_region not in ("hole", "picture"):
            raise InputError(f"variation_region must be hole or picture; got {self.variation_region!r}.")

    @property
    def weights(self) -> dict[str, float]:
        """Give the weights by the names of their terms."""
        return {
            "valid": self.valid,
            "hole": self.hole,
            "perceptual": self.perceptual,
            "style": self.style,
            "variation": self.variation,
        }


def gradients(parts: Parts, batch: TensorBatch, config: PconvMethod, moment: Moment) -> dict[str, Tensor]:
    """Compute the generator's gradients; see `interface.Gradients`."""
    generator = parts["generator"]
    with moment.autocast(), frozen_statistics(generator, when=moment.done >= config.fine_tuning_from):
        prediction = predict(generator, batch)  # (B, 3, H, W), float32
    truth, hole = batch.image, batch.hole
    composite = truth * (1 - hole) + prediction * hole

    # What pixels tell.
    scale = 1 / torch.tensor(DEVIATION_RGB, device=truth.device)[:, None, None]
    error = scale * (prediction - truth).abs()
    region = hole_and_seam(hole) if config.variation_region == "hole" else None
    terms = {
        "valid": ((1 - hole) * error).mean(),
        "hole": (hole * error).mean(),
        "variation": total_variation(scale * composite, region),
    }

    # What features tell: the same ones for both terms.
    if moment.backbone is not None and (config.perceptual or config.style):
        some = max(1, round(config.feature_share * len(prediction)))
        with moment.autocast():
            found = moment.backbone.perceptual(torch.cat([prediction[:some], composite[:some]]))
            with torch.no_grad():
                wanted = moment.backbone.perceptual(truth[:some])
        of_prediction = [layer[:some] for layer in found]
        of_composite = [layer[some:] for layer in found]
        terms["perceptual"] = perceptual_l1(of_prediction, wanted) + perceptual_l1(of_composite, wanted)
        terms["style"] = style_l1(of_prediction, wanted) + style_l1(of_composite, wanted)

    total = torch.stack([config.weights[name] * term for name, term in terms.items()]).sum()
    total.backward()
    return {"generator": total.detach(), **{name: term.detach() for name, term in terms.items()}}


def rate(config: PconvMethod, part: str, done: float) -> float:
    """Slow down to fine-tune; see `interface.Rate`."""
    return config.fine_tuning_rate if done >= config.fine_tuning_from else 1.0


@contextmanager
def frozen_statistics(generator: torch.nn.Module, *, when: bool) -> Generator[None]:
    """Let the encoder's batch norms use their averages and leave them alone; scales and offsets still learn."""
    norms = generator.encoder_norms() if when and isinstance(generator, PconvGenerator) else []
    for norm in norms:
        norm.eval()
    try:
        yield
    finally:
        for norm in norms:
            norm.train()


PCONV = MethodEntry(PconvMethod, gradients, rate=rate, backbone=True)
