"""Finding damage: the mask network alone learns how much of each pixel is destroyed, by kind of damage.

The paper (decision 010) names no loss. Here it is a visible sum: cross-entropy with continuous targets for each kind,
overlap of the masks so that thin scratches count, and an extra price on whatever is marked in a picture without damage,
most of all where the network is surest, which is what people fear most. Knows no optimiser, no files and no kind of
damage by name.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from mendpix.errors import InputError, RecipeError
from mendpix.losses.damage import false_marks, missing_overlap, soft_cross_entropy, worst_false_marks
from mendpix.networks.mpn import MpnNetwork, whole_mask
from mendpix.training.methods.interface import MethodEntry, Moment, Parts
from mendpix.training.step import TensorBatch


@dataclass(frozen=True)
class DamageMethod:
    """The weights of the sum."""

    cross_entropy: float = 5.0
    """Weight of the cross-entropy with continuous targets, mean over kinds and pixels, most of which are easy."""
    overlap: float = 0.5
    """Weight of the missing overlap of the mask of all kinds with the true one."""
    kind_overlap: float = 0.5
    """Weight of the missing overlap of each kind with its own, mean over kinds."""
    clean: float = 1.0
    """Weight of the mean mark on pictures without damage."""
    clean_worst: float = 0.0
    """Weight of the cross-entropy of the most marked hundredth of pictures without damage."""
    full_from: float = 1.0
    """Share from which a pixel counts as wholly destroyed: targets are divided by it and end at 1. Below 1 the answer
    is closer to whether a pixel is damaged at all than to how much of it is left; faint watermarks are found too."""

    def __post_init__(self) -> None:
        for name in ("cross_entropy", "overlap", "kind_overlap", "clean", "clean_worst"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InputError(f"{name} must be at least 0 and finite; got {getattr(self, name)}.")
        if not 0 < self.full_from <= 1:
            raise InputError(f"full_from must be above 0 and at most 1; got {self.full_from}.")


def gradients(parts: Parts, batch: TensorBatch, config: DamageMethod, moment: Moment) -> dict[str, Tensor]:
    """Compute the gradients of one step; see `interface.Gradients`.

    Args:
        parts: `damage`.
        batch: Samples with damage.
        config: Weights.
        moment: Where the run is.

    Returns:
        The sum and its unweighted terms.

    Raises:
        RecipeError: If the batch has no damage, or other kinds of it than the network.
    """
    network = cast("MpnNetwork", parts["damage"])
    damaged, _ = damage_of(batch)
    with moment.autocast():
        logits = network.logits(damaged)
    terms = damage_terms(logits.float(), batch, config.full_from)
    total = damage_sum(config, terms)
    total.backward()
    return {name: term.detach() for name, term in terms.items()} | {"damage": total.detach()}


def damage_of(batch: TensorBatch) -> tuple[Tensor, Tensor]:
    """Return a batch's damaged pictures and what is destroyed of them.

    Raises:
        RecipeError: If it has none.
    """
    if batch.damaged is None or batch.destroyed is None or not batch.damaged.numel():
        raise RecipeError("the method must learn from damaged pictures; the batches have none. Add the table damage.")
    return batch.damaged, batch.destroyed


def damage_terms(logits: Tensor, batch: TensorBatch, full_from: float = 1.0) -> dict[str, Tensor]:
    """Return the unweighted terms of the mask network.

    Args:
        logits: Shape (B, K, H, W), float32; of one kind, it is compared with the mask of all.
        batch: Samples with damage.
        full_from: Share from which a pixel counts as wholly destroyed.

    Raises:
        RecipeError: If there are other kinds of damage than logits.
    """
    _, destroyed = damage_of(batch)
    target = ((destroyed if logits.shape[1] != 1 else batch.hole) / full_from).clamp_max(1.0)
    if target.shape[1] != logits.shape[1]:
        raise RecipeError(
            f"kinds of the network must be {destroyed.shape[1]}, as many as there are of damage, or 1 for one mask of "
            f"all; got {logits.shape[1]}."
        )
    found = torch.sigmoid(logits)
    mask, wanted = whole_mask(found), whole_mask(target)
    return {
        "cross_entropy": soft_cross_entropy(logits, target),
        "overlap": missing_overlap(mask, wanted),
        "kind_overlap": missing_overlap(found, target),
        "clean": false_marks(mask, wanted),
        "clean_worst": worst_false_marks(logits, wanted),
    }


def damage_sum(config: DamageMethod, terms: dict[str, Tensor]) -> Tensor:
    """Add up the weighted terms."""
    return (
        config.cross_entropy * terms["cross_entropy"]
        + config.overlap * terms["overlap"]
        + config.kind_overlap * terms["kind_overlap"]
        + config.clean * terms["clean"]
        + config.clean_worst * terms["clean_worst"]
    )


DAMAGE = MethodEntry(
    DamageMethod, gradients, {"damage": "mpn"}, fills=False, learners=("damage",), damages=True
)  # fmt: skip
"""Its line in the table of methods."""
