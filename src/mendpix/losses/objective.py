"""The generator's objective: one visible sum of named terms, weights next to names. Knows no optimiser and no data."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mendpix.errors import InputError
from mendpix.losses.adversarial import adversarial_generator
from mendpix.losses.perceptual import feature_l1
from mendpix.losses.reconstruction import gradient_l1

LEAST_ERROR = 2.0 / 255
"""First fills closer to the truth than this count as this close, so that flat pictures do not drown the others."""


@dataclass(frozen=True)
class GeneratorObjective:
    """Weigh a prediction's errors pixel by pixel; add what PSNR, a backbone and a discriminator see.

    ``weighted_l1 * mean(W |p - t|) + squared * mean((p - t)²) + gradient * mean(|∇p - ∇t|) + perceptual * feature
    difference + adversarial * mean(-log D(p))``, where, if `relative`, the pixel terms of each picture are divided by
    those of its first fill. What W is tells GDN's frameworks apart (section 4.3): base ** V for Det (Eq. 7 and 8), 6 in
    the hole and 1 elsewhere for Weight, 1 for Adv.
    """

    weighted_l1: float = 1.0
    """Weight of the L1 whose pixels are weighted by W."""
    squared: float = 0.0
    """Weight of the squared difference."""
    gradient: float = 0.0
    """Weight of the L1 of the differences between neighbouring pixels."""
    perceptual: float = 0.0
    """Weight of the relative feature difference."""
    adversarial: float = 0.0
    """Weight of the non-saturating adversarial loss."""
    relative: bool = False
    """Whether each picture counts relative to its first fill."""

    def __call__(
        self,
        prediction: Tensor,
        target: Tensor,
        weight: Tensor,
        first_fill: Tensor | None = None,
        hole: Tensor | None = None,
        features: tuple[Mapping[str, Tensor], Mapping[str, Tensor]] | None = None,
        fake_logits: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the sum and its unweighted parts.

        Args:
            prediction: Raw prediction, shape (B, 3, H, W).
            target: True picture, same shape.
            weight: W, shape (B, 1, H, W); not detached by us (the paper's gradient flows through base ** V).
            first_fill: Classical fill by whose error a picture's error is divided if `relative`, shape (B, 3, H, W).
            hole: 1 = hole, shape (B, 1, H, W); needed if `relative`.
            features: Backbone activations of prediction and target, if `perceptual` is not 0.
            fake_logits: A discriminator's logits for the prediction, if `adversarial` is not 0.

        Returns:
            Scalar to minimise, and each part as a detached scalar.

        Raises:
            InputError: If a part is asked for whose input is missing.
        """
        error = prediction - target  # (B, 3, H, W)
        weighted = (weight * error.abs()).mean((1, 2, 3))  # (B,)
        squared = error.square().mean((1, 2, 3))  # (B,)
        gradient = gradient_l1(error) if self.gradient else torch.zeros_like(squared)  # (B,)
        if self.relative:
            if first_fill is None or hole is None:
                raise InputError("a relative objective needs first_fill and hole; got None. Give both.")
            first = first_fill - target
            least = hole.mean((1, 2, 3)).clamp_min(1 / hole[0].numel())  # (B,), share of the picture that is hole
            weighted = weighted / (first.abs().mean((1, 2, 3)) + LEAST_ERROR * least)
            squared = squared / (first.square().mean((1, 2, 3)) + LEAST_ERROR**2 * least)
            if self.gradient:
                gradient = gradient / (gradient_l1(first) + LEAST_ERROR * least)
        parts = {"weighted_l1": weighted.mean(), "squared": squared.mean()}
        if self.gradient:
            parts["gradient"] = gradient.mean()
        if self.perceptual:
            if features is None:
                raise InputError("a perceptual objective needs features; got None. Give activations of a backbone.")
            parts["perceptual"] = feature_l1(*features)
        if self.adversarial:
            if fake_logits is None:
                raise InputError("an adversarial objective needs fake_logits; got None. Give a discriminator's.")
            parts["adversarial"] = adversarial_generator(fake_logits)
        weights = {
            "weighted_l1": self.weighted_l1,
            "squared": self.squared,
            "gradient": self.gradient,
            "perceptual": self.perceptual,
            "adversarial": self.adversarial,
        }
        total = torch.stack([weights[name] * part for name, part in parts.items()]).sum()
        return total, {name: part.detach() for name, part in parts.items()}
