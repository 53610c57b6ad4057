"""PEN-Net's objective: the hole first, the known pixels too, the picture at five smaller sizes, and a rival."""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from mendpix.errors import InputError
from mendpix.losses.adversarial import ADVERSARIAL
from mendpix.losses.reconstruction import l1
from mendpix.training.methods.interface import MethodEntry, Moment, Parts
from mendpix.training.step import TensorBatch, frozen

RANGE = 2.0
"""The published program measures differences of colours in [-1, 1], which are twice ours; its weights are for those."""


@dataclass(frozen=True)
class PenNetMethod:
    """Weights of the sum that the generator minimises; the defaults are those of the published program."""

    hole: float = 6.0
    """Weight of the L1 in the hole, over the holes' share of the batch."""
    known: float = 1.0
    """Weight of the L1 outside, over the share of that."""
    pyramid: float = 0.5
    """Weight of the L1 of the five smaller predictions, summed."""
    adversarial: float = 0.1
    """Weight of the adversarial loss."""
    adversarial_loss: Literal["hinge", "non-saturating"] = "hinge"
    """hinge: as published for Places2 and CelebA-HQ. non-saturating: for Facade and DTD."""
    drops: tuple[float, ...] = ()
    """Shares of the run at which all learning rates fall to a tenth: none for CelebA-HQ, 0.1 for Places2."""

    def __post_init__(self) -> None:
        weights = {"hole": self.hole, "known": self.known, "pyramid": self.pyramid, "adversarial": self.adversarial}
        for name, value in weights.items():
            if not 0 <= value < float("inf"):
                raise InputError(f"{name} must be at least 0 and finite; got {value}.")
        if self.adversarial_loss not in ("hinge", "non-saturating"):
            raise InputError(f"adversarial_loss must be hinge or non-saturating; got {self.adversarial_loss!r}.")
        if not all(0 < share < 1 for share in self.drops):
            raise InputError(f"drops must be shares of the run between 0 and 1; got {list(self.drops)}.")


def gradients(parts: Parts, batch: TensorBatch, config: PenNetMethod, moment: Moment) -> dict[str, Tensor]:
    """Compute the gradients of generator and discriminator from the same weights.

    The discriminator sees predictions in their holes, with the true picture around them.

    Args:
        parts: `generator` and `discriminator`.
        batch: Samples.
        config: Weights of the sum.
        moment: Where the run is.

    Returns:
        The terms without their weights, and the sums that generator and discriminator minimise.
    """
    generator, rival = parts["generator"], parts["discriminator"]
    reward, judge = ADVERSARIAL[config.adversarial_loss]

    # The generator: right colours, at every size, and photos for the rival.
    with moment.autocast():
        prediction, smaller = generator.pyramid(batch.image * (1 - batch.hole), batch.hole)  # type: ignore[operator]  # PEN-Net's own
    prediction = prediction.float()
    shown = torch.lerp(batch.image, prediction, batch.hole)
    with moment.autocast(), frozen(rival):
        fake = rival(shown)
    known = 1 - batch.hole
    terms = {
        "hole": RANGE * l1(prediction * batch.hole, batch.image * batch.hole) / _share(batch.hole),
        "known": RANGE * l1(prediction * known, batch.image * known) / _share(known),
        "pyramid": RANGE * sum((l1(small.float(), _shrunk(batch.image, small)) for small in smaller), torch.zeros(())),
        "adversarial": reward(fake.float()),
    }
    total = (
        config.hole * terms["hole"]
        + config.known * terms["known"]
        + config.pyramid * terms["pyramid"]
        + config.adversarial * terms["adversarial"]
    )
    total.backward()

    # The discriminator: photos from fills.
    with moment.autocast():
        real, fake = rival(torch.cat([batch.image, shown.detach()])).chunk(2)
    loss = judge(real.float(), fake.float()) / 2
    loss.backward()
    losses = {"generator": total, "discriminator": loss}
    return {name: value.detach() for name, value in (terms | losses).items()}


def rate(config: PenNetMethod, part: str, done: float) -> float:
    """Let all learning rates fall to a tenth at each drop that is past."""
    return 0.1 ** sum(done >= share for share in config.drops)


def _share(mask: Tensor) -> Tensor:
    """Return the mean of a mask; never 0, for batches without a hole."""
    return mask.mean().clamp(min=1e-6)


def _shrunk(image: Tensor, like: Tensor) -> Tensor:
    """Shrink the true picture to a smaller prediction's size, bilinearly, corner on corner."""
    return F.interpolate(image, size=like.shape[2:], mode="bilinear", align_corners=True)


PENNET = MethodEntry(PenNetMethod, gradients, networks={"discriminator": "pennet-discriminator"}, rate=rate)
"""The line of the table."""
