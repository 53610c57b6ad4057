"""The whole of "Image Inpainting with Informed Mask Generation": find the damage, draw its edges, fill it.

The paper gives neither losses nor a schedule; decision 010 tells how they were filled in. The phases are shares of the
run, and the rows of the paper's Table 2 are runs whose shares differ:

1. mask: the mask network (MPN) learns alone, as in the method `damage`;
2. edges alone: the edge network (EPN) learns on true masks, beside a critic of grey and edges, as EdgeConnect's does;
3. edges joint: it goes on with the masks that the mask network predicts; the mask network learns too, from its own
   terms and from what the edges say of its masks;
4. fill: the fill network (IPN) learns on predicted masks and edges, beside a critic; the other two rest.

Knows no optimiser and no files.
"""

from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor

from mendpix.errors import InputError, RecipeError
from mendpix.losses.adversarial import ADVERSARIAL, hinge_discriminator, hinge_generator
from mendpix.losses.reconstruction import l1
from mendpix.networks.edgeconnect import known_edges
from mendpix.networks.epn import whole
from mendpix.networks.informed import InformedGenerator
from mendpix.networks.ipn import IpnCritic
from mendpix.networks.mpn import MpnNetwork, whole_mask
from mendpix.networks.patchgan import PatchGan
from mendpix.training.methods.damage import DamageMethod, damage_of, damage_sum, damage_terms
from mendpix.training.methods.edgeconnect import edge_terms
from mendpix.training.methods.interface import MethodEntry, Moment, Parts
from mendpix.training.step import TensorBatch, frozen

Phase = Literal["mask", "edges alone", "edges joint", "fill"]
"""What is learnt."""

_LEAST_SHARE = 1e-9  # of a run that counts as a phase: shares that add up to 1 may miss it by rounding


@dataclass(frozen=True)
class InformedMethod:
    """Weights of the sums and lengths of the phases. Edges have EdgeConnect's weights, the fill DeepFill v2's."""

    mask: float = 1.0
    """Weight of the mask network's own sum, whose weights are the defaults of the method `damage`."""
    edge_adversarial: float = 1.0
    """Weight of the adversarial term of the edge network."""
    edge_feature_matching: float = 10.0
    """Weight of the difference of the edge critic's activations, summed over its five layers."""
    adversarial_loss: str = "non-saturating"
    """Of the edges, as for EdgeConnect: non-saturating, least-squares or hinge. The fill's is hinge."""
    coarse: float = 2.0
    """Weight of the L1 of the fill's first stage, over the whole picture."""
    refined: float = 2.0
    """Weight of the L1 of the fill's second stage, over the whole picture."""
    adversarial: float = 1.0
    """Weight of the adversarial term of the second stage, pasted into its picture."""
    critic: float = 0.5
    """Weight of the fill critic's own hinge loss."""
    mask_share: float = 0.3
    """Share of the run in the phase mask; 0 for a mask network that is learnt already."""
    alone_share: float = 0.2
    """Share of the run in the phase edges alone."""
    joint_share: float = 0.2
    """Share of the run in the phase edges joint; what is left is the phase fill."""
    mask_gradients: bool = True
    """Whether the mask network learns in the phase edges joint; otherwise it only lends its masks."""
    slow_share: float = 0.3
    """Last share of each phase that is learnt at a lower rate."""
    slow_rate: float = 0.1
    """Factor on the learning rates there (EdgeConnect: 1e-4, then 1e-5)."""

    def __post_init__(self) -> None:
        weights = (
            self.mask, self.edge_adversarial, self.edge_feature_matching, self.coarse, self.refined, self.adversarial,
            self.critic, self.slow_rate,
        )  # fmt: skip
        if not all(0 <= weight < float("inf") for weight in weights):
            raise InputError(f"weights and rates must be at least 0 and finite; got {weights}.")
        shares = (self.mask_share, self.alone_share, self.joint_share)
        if not all(0 <= share <= 1 for share in (*shares, self.slow_share)) or sum(shares) > 1 + _LEAST_SHARE:
            raise InputError(
                f"shares must lie in [0, 1], the three of the run adding up to at most 1; got {shares} and "
                f"{self.slow_share}."
            )
        if self.adversarial_loss not in ADVERSARIAL:
            raise InputError(
                f"adversarial_loss must be one of {', '.join(ADVERSARIAL)}; got {self.adversarial_loss!r}."
            )


def find_phase(config: InformedMethod, done: float) -> tuple[Phase, float]:
    """Tell the phase at a share of the run, and which share of the phase is done."""
    shares: dict[Phase, float] = {
        "mask": config.mask_share, "edges alone": config.alone_share, "edges joint": config.joint_share,
    }  # fmt: skip
    shares["fill"] = 1 - sum(shares.values())
    phases: list[tuple[Phase, float]] = [item for item in shares.items() if item[1] > _LEAST_SHARE]
    start = 0.0
    for name, share in phases:
        if done < start + share or name == phases[-1][0]:
            return name, min(1.0, (done - start) / share)
        start += share
    raise AssertionError("the last phase has no end")


def informed_rate(config: InformedMethod, part: str, done: float) -> float:
    """Return the factor on every part's learning rate: each phase ends slowly."""
    return config.slow_rate if find_phase(config, done)[1] >= 1 - config.slow_share else 1.0


def informed_gradients(parts: Parts, batch: TensorBatch, config: InformedMethod, moment: Moment) -> dict[str, Tensor]:
    """Compute the gradients of one step of the phase that the run is in; see `interface.Gradients`.

    Args:
        parts: `damage` (MPN), `generator` (an `InformedGenerator`), `edge_discriminator` (grey and edges) and
            `discriminator` (picture, mask and edges).
        batch: Samples with damage, and the edges of the whole pictures without it.
        config: Weights and phases.
        moment: Where the run is.

    Returns:
        Unweighted terms and losses, detached scalars by name.

    Raises:
        RecipeError: If the generator is no `informed`, or the batch has no damage.
    """
    finder, generator = cast("MpnNetwork", parts["damage"]), parts["generator"]
    damaged, _ = damage_of(batch)
    if not isinstance(generator, InformedGenerator) or batch.edges is None:
        raise RecipeError("the method informed must have the generator informed; it has another. Set generator.name.")
    phase, _ = find_phase(config, moment.done)
    values: dict[str, Tensor] = {}
    totals: dict[str, Tensor] = {}

    # The mask: the true one, or what the mask network finds, which learns in two phases.
    learns = phase == "mask" or (phase == "edges joint" and config.mask_gradients)
    hole = batch.hole
    if phase != "edges alone":
        with moment.autocast(), torch.set_grad_enabled(learns):
            logits = finder.logits(damaged)
        hole = whole_mask(torch.sigmoid(logits.float()))
        if learns:
            terms = damage_terms(logits.float(), batch)
            values |= {f"mask_{name}": term for name, term in terms.items()}
            totals["damage"] = config.mask * damage_sum(DamageMethod(), terms)

    # The edges, drawn along Canny's of what is left.
    if phase in ("edges alone", "edges joint"):
        edges = known_edges(damaged, 1 - whole(hole.detach()), generator.config.edges_sigma)
        with moment.autocast():
            drawn = generator.edge(damaged, hole, edges).float()
        critic = cast("PatchGan", parts["edge_discriminator"])
        terms, values["edge_discriminator"] = edge_terms(critic, drawn, batch, config.adversarial_loss, moment)
        values |= terms
        totals["generator"] = (
            config.edge_adversarial * terms["edge_adversarial"]
            + config.edge_feature_matching * terms["edge_feature_matching"]
        )

    # The fill, along edges that are given now.
    if phase == "fill":
        edges = known_edges(damaged, 1 - whole(hole), generator.config.edges_sigma)
        with torch.no_grad(), moment.autocast():
            drawn = generator.draw(damaged, hole, edges).float()
        terms, values["discriminator"] = _fill_terms(parts, batch, hole, drawn, config, moment)
        values |= terms
        totals["generator"] = (
            config.coarse * terms["coarse"]
            + config.refined * terms["refined"]
            + config.adversarial * terms["adversarial"]
        )

    torch.stack(list(totals.values())).sum().backward()
    return {name: value.detach() for name, value in (values | totals).items()}


def _fill_terms(
    parts: Parts, batch: TensorBatch, hole: Tensor, edges: Tensor, config: InformedMethod, moment: Moment
) -> tuple[dict[str, Tensor], Tensor]:
    """Return the fill network's terms; take the critic's gradients and return its loss."""
    generator, critic = cast("InformedGenerator", parts["generator"]), cast("IpnCritic", parts["discriminator"])
    damaged, _ = damage_of(batch)
    with moment.autocast():
        coarse, refined = generator.inpaint.stages(damaged, hole, edges)
    coarse, refined = coarse.float(), refined.float()
    filled = refined * hole + damaged * (1 - hole)  # a pixel that is half destroyed is half filled
    with moment.autocast(), frozen(critic):
        judged = critic(filled, hole, edges)
    terms = {
        "coarse": l1(coarse, batch.image),
        "refined": l1(refined, batch.image),
        "adversarial": hinge_generator(judged.float()),
    }
    with moment.autocast():
        scores = critic(torch.cat([batch.image, filled.detach()]), torch.cat([hole, hole]), torch.cat([edges, edges]))
    loss = config.critic * hinge_discriminator(*scores.float().chunk(2))
    loss.backward()
    return terms, loss


INFORMED = MethodEntry(
    InformedMethod,
    informed_gradients,
    {"damage": "mpn", "edge_discriminator": "patchgan", "discriminator": "ipn-critic"},
    rate=informed_rate,
    learners=("generator", "damage"),
    damages=True,
)
"""Its line in the table of methods."""
