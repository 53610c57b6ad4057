"""GLCIC (Iizuka et al. 2017): squared error in the hole, then the critic alone, then both together.

Weights and phases are the published ones; the critic sees the raw prediction and is shown true pictures at the place of
another picture's hole.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from mendpix.errors import InputError
from mendpix.losses.adversarial import adversarial_discriminator, adversarial_generator
from mendpix.training.methods.interface import MethodEntry, Moment, Parts
from mendpix.training.step import TensorBatch, frozen, predict


@dataclass(frozen=True)
class GlcicMethod:
    """Weights of the visible sum, and the phases: of 500,000 steps, 90,000, then 10,000, then the rest."""

    squared: float = 1.0
    """Weight of the squared error in the hole, divided by all pixels of the picture."""
    adversarial: float = 4e-4
    """Weight of the critic's say (alpha), in the last phase."""
    completion_until: float = 0.18
    """Share of the run at which the first phase ends, in which the completion network learns alone."""
    critic_until: float = 0.2
    """Share of the run at which the second phase ends, in which the critic learns alone."""

    def __post_init__(self) -> None:
        if not min(self.squared, self.adversarial) >= 0:
            raise InputError(f"weights must be at least 0; got {self.squared} and {self.adversarial}.")
        if not 0 <= self.completion_until <= self.critic_until <= 1:
            raise InputError(
                "completion_until and critic_until must rise within [0, 1]; "
                f"got {self.completion_until} and {self.critic_until}."
            )


def gradients(parts: Parts, batch: TensorBatch, config: GlcicMethod, moment: Moment) -> dict[str, Tensor]:
    """Compute the gradients of one or both networks; see `interface.Gradients`."""
    generator, critic = parts["generator"], parts["discriminator"]
    generator_learns = moment.done < config.completion_until or moment.done >= config.critic_until
    critic_learns = moment.done >= config.completion_until
    values: dict[str, Tensor] = {}

    with moment.autocast(), torch.set_grad_enabled(generator_learns):
        prediction = predict(generator, batch)  # (B, 3, H, W), float32
    if generator_learns:
        terms = {"squared": (batch.hole * (prediction - batch.image)).square().mean()}
        weights = {"squared": config.squared, "adversarial": config.adversarial}
        if critic_learns:
            with moment.autocast(), frozen(critic):
                fake = critic(prediction, batch.hole).float()  # (B, 1)
            terms["adversarial"] = adversarial_generator(fake)
        total = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        if critic_learns:
            total = total / 2  # as published: the last phase halves both sums
        total.backward()
        values |= {"generator": total.detach(), **{name: term.detach() for name, term in terms.items()}}

    if critic_learns:
        elsewhere = batch.hole.roll(1, dims=0)
        with moment.autocast():
            real = critic(batch.image, elsewhere).float()  # (B, 1)
            fake = critic(prediction.detach(), batch.hole).float()  # (B, 1)
        loss = adversarial_discriminator(real, fake) / 2
        if generator_learns:
            loss = config.adversarial * loss
        loss.backward()
        values["discriminator"] = loss.detach()
    return values


GLCIC = MethodEntry(GlcicMethod, gradients, networks={"discriminator": "glcic-discriminator"})
