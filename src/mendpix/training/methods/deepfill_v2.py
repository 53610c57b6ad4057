"""DeepFill v2: both stages reconstruct the whole picture, the second deceives a critic that knows the hole.

From Yu et al. 2019 (https://arxiv.org/abs/1806.03589), section 3.4, with the weights of its published program. That
program's pictures lie in [-1, 1], ours in [0, 1], where every difference is half as large: its weight 1 is our 2.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from mendpix.errors import InputError
from mendpix.losses.adversarial import hinge_discriminator, hinge_generator
from mendpix.losses.reconstruction import l1
from mendpix.networks.deepfill_v2 import DeepFillV2Generator
from mendpix.training.methods.interface import MethodEntry, Moment, Parts
from mendpix.training.step import TensorBatch, frozen


@dataclass(frozen=True)
class DeepFillV2Method:
    """The weights of the sum."""

    coarse: float = 2.0
    """Weight of the L1 of the first stage's prediction, over the whole picture; published: 1 on [-1, 1]."""
    refined: float = 2.0
    """Weight of the L1 of the second stage's prediction, over the whole picture; published: 1 on [-1, 1]."""
    adversarial: float = 1.0
    """Weight of the hinge loss of the second stage's prediction, pasted into its picture."""
    critic: float = 0.5
    """Weight of the critic's own hinge loss."""

    def __post_init__(self) -> None:
        for name in ("coarse", "refined", "adversarial", "critic"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InputError(f"{name} must be at least 0 and finite; got {getattr(self, name)}.")


def gradients(parts: Parts, batch: TensorBatch, config: DeepFillV2Method, moment: Moment) -> dict[str, Tensor]:
    """Compute the gradients of one step; see `interface.Gradients`.

    Args:
        parts: `generator` and `discriminator`.
        batch: Samples.
        config: Weights.
        moment: Where the run is.

    Returns:
        The sum, its unweighted terms, and the critic's loss.
    """
    generator, critic = cast("DeepFillV2Generator", parts["generator"]), parts["discriminator"]
    image, hole = batch.image, batch.hole

    with moment.autocast():
        coarse, refined = generator.stages(image * (1 - hole), hole)
    coarse, refined = coarse.float(), refined.float()
    filled = refined * hole + image * (1 - hole)
    with moment.autocast(), frozen(critic):
        fake_scores = critic(filled, hole)
    terms = {
        "coarse": l1(coarse, image),
        "refined": l1(refined, image),
        "adversarial": hinge_generator(fake_scores.float()),
    }
    weights = {"coarse": config.coarse, "refined": config.refined, "adversarial": config.adversarial}
    total = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
    total.backward()

    with moment.autocast():
        scores = critic(torch.cat([image, filled.detach()]), torch.cat([hole, hole]))
    loss = config.critic * hinge_discriminator(*scores.float().chunk(2))
    loss.backward()
    return {name: term.detach() for name, term in terms.items()} | {
        "generator": total.detach(), "discriminator": loss.detach(),
    }  # fmt: skip


DEEPFILL_V2 = MethodEntry(DeepFillV2Method, gradients, {"discriminator": "deepfill-v2-critic"})
"""Its line in the table of methods."""
