"""EdgeConnect's objective: four phases, a sum for each of its two generators, and a critic of each.

From Nazeri et al. 2019 (https://arxiv.org/abs/1901.00212) and its published program. The phases are shares of the run:

1. edge: the edge generator learns alone, beside the critic of grey and edges;
2. true edges: the inpaint generator learns on Canny's edges of the whole true picture;
3. predicted edges: it learns on what the edge generator draws, known edges merged in; the edge generator rests;
4. joint: both learn, and the fill's errors reach the edge generator too.

The published program steps the critics' optimisers before the generators' backward pass, which fails on today's torch;
here all gradients are taken first. Knows no optimiser, no files and nothing of Canny: the edges are the batch's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor

from mendpix.errors import InputError, RecipeError
from mendpix.losses.adversarial import ADVERSARIAL
from mendpix.losses.feature_matching import feature_matching
from mendpix.losses.perceptual import perceptual_l1
from mendpix.losses.style import style_l1
from mendpix.networks.edgeconnect import EdgeConnect, grey, merge_edges
from mendpix.networks.patchgan import PatchGan
from mendpix.training.methods.interface import MethodEntry, Moment, Parts
from mendpix.training.step import TensorBatch, frozen

Phase = Literal["edge", "true edges", "predicted edges", "joint"]
"""What is learnt."""

_LEAST_HOLE = 1e-4  # share of a batch: keeps the L1 finite where nothing is missing


@dataclass(frozen=True)
class EdgeConnectMethodConfig:
    """Weights of the sums and lengths of the phases. The weights are those of the published example configuration."""

    edge_adversarial: float = 1.0
    """Weight of the adversarial term of the edge generator."""
    edge_feature_matching: float = 10.0
    """Weight of the difference of the edge critic's activations, summed over its five layers."""
    l1: float = 1.0
    """Weight of the mean L1 of the whole picture over the share of it that is missing."""
    adversarial: float = 0.1
    """Weight of the adversarial term of the inpaint generator."""
    perceptual: float = 0.1
    """Weight of the difference of the backbone's activations, summed over layers."""
    style: float = 250.0
    """Weight of the difference of their Gram matrices in the hole, summed over layers."""
    feature_share: float = 1.0
    """Share of each batch's samples on which those two terms are computed; they are dear, the samples random."""
    adversarial_loss: str = "non-saturating"
    """non-saturating: as in the program's example (its nsgan). least-squares: of probabilities (its lsgan). hinge."""
    edge_share: float = 0.3
    """Share of the run in the phase edge. Neither paper nor program gives lengths: they train until nothing moves."""
    true_edges_share: float = 0.4
    """Share of the run in the phase true edges."""
    predicted_edges_share: float = 0.2
    """Share of the run in the phase predicted edges; what is left is joint."""
    joint_edge_terms: bool = True
    """Whether the edge generator keeps its own two terms, and its critic, in the last phase, as in the published
    program; the paper takes the critic away."""
    slow_share: float = 0.3
    """Last share of each of the first three phases that is learnt at a lower rate."""
    slow_rate: float = 0.1
    """Factor on the learning rates there (paper: 1e-4, then 1e-5)."""
    joint_rate: float = 0.01
    """Factor on the learning rates in the last phase (paper: 1e-6)."""

    def __post_init__(self) -> None:
        weights = (
            self.edge_adversarial, self.edge_feature_matching, self.l1, self.adversarial, self.perceptual, self.style,
            self.slow_rate, self.joint_rate,
        )  # fmt: skip
        if not all(0 <= weight < float("inf") for weight in weights):
            raise InputError(f"weights and rates must be at least 0 and finite; got {weights}.")
        shares = (self.edge_share, self.true_edges_share, self.predicted_edges_share)
        if not all(0 <= share <= 1 for share in (*shares, self.slow_share)) or sum(shares) > 1 + 1e-9:
            raise InputError(
                f"shares must lie in [0, 1], the three of the run adding up to at most 1; got {shares} and "
                f"{self.slow_share}."
            )
        if not 0 < self.feature_share <= 1:
            raise InputError(f"feature_share must be above 0 and at most 1; got {self.feature_share}.")
        if self.adversarial_loss not in ADVERSARIAL:
            raise InputError(
                f"adversarial_loss must be one of {', '.join(ADVERSARIAL)}; got {self.adversarial_loss!r}."
            )


def find_phase(config: EdgeConnectMethodConfig, done: float) -> tuple[Phase, float]:
    """Tell the phase at a share of the run, and which share of the phase is done."""
    start = 0.0
    names: tuple[Phase, ...] = ("edge", "true edges", "predicted edges")
    for name, share in zip(
        names, (config.edge_share, config.true_edges_share, config.predicted_edges_share), strict=True
    ):
        if done < start + share:
            return name, (done - start) / share
        start += share
    return "joint", min(1.0, (done - start) / max(1 - start, 1e-9))


def edgeconnect_rate(config: EdgeConnectMethodConfig, part: str, done: float) -> float:
    """Return the factor on every part's learning rate: each phase ends slowly, the last is slow throughout."""
    phase, within = find_phase(config, done)
    if phase == "joint":
        return config.joint_rate
    return config.slow_rate if within >= 1 - config.slow_share else 1.0


def edgeconnect_gradients(
    parts: Parts, batch: TensorBatch, config: EdgeConnectMethodConfig, moment: Moment
) -> dict[str, Tensor]:
    """Compute the gradients of one step of the phase that the run is in.

    Args:
        parts: `generator` (an `EdgeConnect`), `edge_discriminator` (grey and edges) and `discriminator` (pictures).
        batch: Samples with the edges of the whole true pictures.
        config: Weights and phases.
        moment: Where the run is.

    Returns:
        Unweighted terms and losses, detached scalars by name.

    Raises:
        RecipeError: If the generator is no `edgeconnect`, or there is no backbone.
    """
    generator = parts["generator"]
    if not isinstance(generator, EdgeConnect) or batch.edges is None or moment.backbone is None:
        raise RecipeError("the method edgeconnect must have the generator edgeconnect and a backbone; it has not.")
    phase, _ = find_phase(config, moment.done)
    visible = batch.image * (1 - batch.hole)
    sums: dict[str, Tensor] = {}
    losses: dict[str, Tensor] = {}

    # The edges that the fill follows: true ones, or drawn ones with the known ones merged in.
    edges = batch.edges
    if phase != "true edges":
        with moment.autocast(), torch.set_grad_enabled(phase != "predicted edges"):
            drawn = generator.edge(visible, batch.hole, batch.edges).float()
        edges = merge_edges(drawn, batch.edges, batch.hole)
        if phase == "edge" or (phase == "joint" and config.joint_edge_terms):
            critic = cast(PatchGan, parts["edge_discriminator"])
            found, losses["edge_discriminator"] = edge_terms(critic, drawn, batch, config.adversarial_loss, moment)
            sums |= found

    # The fill.
    if phase != "edge":
        with moment.autocast():
            prediction = generator.inpaint(visible, batch.hole, edges).float()
        critic = cast(PatchGan, parts["discriminator"])
        found, losses["discriminator"] = _fill_terms(critic, prediction, batch, config, moment)
        sums |= found

    total = weighted_sum(config, sums)
    total.backward()
    return {name: value.detach() for name, value in (sums | losses | {"generator": total}).items()}


def weighted_sum(config: EdgeConnectMethodConfig, terms: Mapping[str, Tensor]) -> Tensor:
    """Add up what there is of the terms: what both generators minimise, and everything that they do."""
    weights = {
        "edge_adversarial": config.edge_adversarial,
        "edge_feature_matching": config.edge_feature_matching,
        "l1": config.l1,
        "adversarial": config.adversarial,
        "perceptual": config.perceptual,
        "style": config.style,
    }
    return torch.stack([weights[name] * term for name, term in terms.items()]).sum()


def edge_terms(
    critic: PatchGan, drawn: Tensor, batch: TensorBatch, adversarial_loss: str, moment: Moment
) -> tuple[dict[str, Tensor], Tensor]:
    """Return an edge generator's terms; take the critic's gradients and return its loss.

    Args:
        critic: Judges grey and edges.
        drawn: Drawn edges, shape (B, 1, H, W).
        batch: Samples with the edges of the whole true pictures.
        adversarial_loss: One of `ADVERSARIAL`.
        moment: Where the run is.
    """
    assert batch.edges is not None  # the caller has looked
    for_generator, for_critic = ADVERSARIAL[adversarial_loss]
    brightness = grey(batch.image)  # of the whole true picture, for both
    with moment.autocast():
        true = critic.activations(torch.cat([brightness, batch.edges], dim=1))
        fake_logits = critic(torch.cat([brightness, drawn.detach()], dim=1))
    loss = for_critic(true[-1].float(), fake_logits.float()) / 2
    loss.backward()
    with moment.autocast(), frozen(critic):
        fake = critic.activations(torch.cat([brightness, drawn], dim=1))
    terms = {
        "edge_adversarial": for_generator(fake[-1].float()),
        "edge_feature_matching": feature_matching(fake, [layer.detach() for layer in true]),
    }
    return terms, loss


def _fill_terms(
    critic: PatchGan, prediction: Tensor, batch: TensorBatch, config: EdgeConnectMethodConfig, moment: Moment
) -> tuple[dict[str, Tensor], Tensor]:
    """Return the inpaint generator's terms; take the critic's gradients and return its loss."""
    assert moment.backbone is not None  # the caller has looked
    for_generator, for_critic = ADVERSARIAL[config.adversarial_loss]
    with moment.autocast():
        true_logits, fake_logits = critic(torch.cat([batch.image, prediction.detach()])).chunk(2)
    loss = for_critic(true_logits.float(), fake_logits.float()) / 2
    loss.backward()
    some = slice(max(1, round(config.feature_share * len(prediction))))
    image, filled, hole = batch.image[some], prediction[some], batch.hole[some]
    with moment.autocast():
        with frozen(critic):
            judged = critic(prediction)
        with torch.no_grad():
            wanted, wanted_style = moment.backbone.perceptual(image), moment.backbone.style(image * hole)
        found, found_style = moment.backbone.perceptual(filled), moment.backbone.style(filled * hole)
    terms = {
        "l1": (prediction - batch.image).abs().mean() / batch.hole.mean().clamp_min(_LEAST_HOLE),
        "adversarial": for_generator(judged.float()),
        "perceptual": perceptual_l1(found, wanted),
        "style": style_l1(found_style, wanted_style),
    }
    return terms, loss


EDGECONNECT = MethodEntry(
    EdgeConnectMethodConfig,
    edgeconnect_gradients,
    networks={"edge_discriminator": "patchgan", "discriminator": "patchgan"},
    rate=edgeconnect_rate,
    backbone=True,
)
"""The line of the table."""
