"""DeepFill v1: discounted reconstruction in the hole, plain outside, and two Wasserstein critics.

From Yu et al. 2018 (https://arxiv.org/abs/1801.07892), section 3, with the weights of its published program. That
program's pictures lie in [-1, 1], ours in [0, 1], where every difference is half as large: its weight 1.2 is our 2.4.
It cuts rectangles of one size out; our holes have any shape, so the discounted term runs over the hole's pixels, and
the local critic sees a square around the hole's centre of mass.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from mendpix.errors import InputError
from mendpix.losses.reconstruction import spatially_discounted_l1
from mendpix.losses.wasserstein import gradient_penalty, wasserstein_critic, wasserstein_generator
from mendpix.networks.deepfill_v1 import DeepFillV1Critic, DeepFillV1Generator
from mendpix.training.methods.interface import MethodEntry, Moment, Parts
from mendpix.training.step import TensorBatch, frozen


@dataclass(frozen=True)
class DeepFillV1Method:
    """The weights of the sum, and how often the generator learns."""

    hole: float = 2.4
    """Weight of the discounted L1 in the hole; published: 1.2 on [-1, 1]."""
    known: float = 2.4
    """Weight of the L1 of the known pixels; published: 1.2 on [-1, 1]."""
    coarse: float = 1.2
    """Weight of the coarse stage's errors in both, where the refined ones have 1."""
    discount: float = 0.9
    """What one more pixel of distance from the hole's rim costs."""
    adversarial: float = 0.001
    """Weight of the local critic's score, and, times `global_share`, of the global one's."""
    global_share: float = 1.0
    """Weight of the global critic relative to the local one."""
    penalty: float = 10.0
    """Weight of the gradient penalty of each critic."""
    critic_steps: int = 5
    """The generator learns in every so many-th step, the critics in all of them."""
    coarse_share: float = 0.0
    """Share of the run that trains the coarse stage alone, without critics."""

    def __post_init__(self) -> None:
        for name in ("hole", "known", "coarse", "adversarial", "global_share", "penalty"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InputError(f"{name} must be at least 0 and finite; got {getattr(self, name)}.")
        if not 0 < self.discount <= 1 or not 0 <= self.coarse_share <= 1 or self.critic_steps < 1:
            raise InputError(
                "discount must be in (0, 1], coarse_share in [0, 1] and critic_steps at least 1; "
                f"got {self.discount}, {self.coarse_share} and {self.critic_steps}."
            )


def gradients(parts: Parts, batch: TensorBatch, config: DeepFillV1Method, moment: Moment) -> dict[str, Tensor]:
    """Compute the gradients of one step; see `interface.Gradients`.

    Args:
        parts: `generator`, `local_critic` and `global_critic`.
        batch: Samples.
        config: Weights.
        moment: Where the run is.

    Returns:
        The sum and its unweighted terms, in steps that train the generator; the critics' losses, unless they rest.
    """
    generator = cast("DeepFillV1Generator", parts["generator"])
    local_critic = cast("DeepFillV1Critic", parts["local_critic"])
    global_critic = cast("DeepFillV1Critic", parts["global_critic"])
    image, hole = batch.image, batch.hole
    coarse_only = moment.done < config.coarse_share
    turn = coarse_only or moment.step % config.critic_steps == config.critic_steps - 1  # the generator's
    window = Window(hole, local_critic.config.picture_px)
    report: dict[str, Tensor] = {}

    with moment.autocast(), torch.set_grad_enabled(turn):
        coarse, refined = generator.stages(image * (1 - hole), hole)
    coarse, refined = coarse.float(), refined.float()
    filled = refined * hole + image * (1 - hole)

    if turn:
        terms = {
            "coarse_hole": spatially_discounted_l1(coarse, image, hole, config.discount),
            "coarse_known": known_l1(coarse, image, hole),
        }
        if not coarse_only:
            with moment.autocast(), frozen(local_critic), frozen(global_critic):
                local_scores, global_scores = local_critic(window.cut(filled)), global_critic(filled)
            terms |= {
                "refined_hole": spatially_discounted_l1(refined, image, hole, config.discount),
                "refined_known": known_l1(refined, image, hole),
                "adversarial_local": wasserstein_generator(local_scores.float()),
                "adversarial_global": wasserstein_generator(global_scores.float()),
            }
        weights = {
            "coarse_hole": config.hole * config.coarse,
            "coarse_known": config.known * config.coarse,
            "refined_hole": config.hole,
            "refined_known": config.known,
            "adversarial_local": config.adversarial,
            "adversarial_global": config.adversarial * config.global_share,
        }
        total = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        total.backward()
        report |= {name: term.detach() for name, term in terms.items()} | {"generator": total.detach()}

    if not coarse_only:
        filled = filled.detach()
        shown = {
            "local_critic": (local_critic, window.cut(image), window.cut(filled), window.cut(hole)),
            "global_critic": (global_critic, image, filled, hole),
        }
        share = torch.rand(len(image), generator=torch.Generator().manual_seed(moment.step)).to(image)
        for part, (critic, real, fake, where) in shown.items():
            with moment.autocast():
                real_scores, fake_scores = critic(torch.cat([real, fake])).float().chunk(2)
            # A slope of 1 is wanted for pictures in [-1, 1]; the critic takes them in [0, 1].
            penalty = gradient_penalty(
                lambda x, critic=critic: critic((x + 1) / 2), 2 * real - 1, 2 * fake - 1, share, where
            )
            loss = wasserstein_critic(real_scores, fake_scores) + config.penalty * penalty
            loss.backward()
            report |= {part: loss.detach(), f"{part}_penalty": penalty.detach()}
    return report


def known_l1(prediction: Tensor, target: Tensor, hole: Tensor) -> Tensor:
    """Average the absolute difference over channels and the batch's known pixels; 0 if there are none."""
    known = 1 - hole
    return ((prediction - target).abs() * known).sum() / (prediction.shape[1] * known.sum()).clamp_min(1)


class Window:
    """For each picture the square around its hole's centre of mass, moved inside the picture where it sticks out.

    Args:
        hole: 1 = hole, shape (B, 1, H, W); where it is empty, the picture's middle counts as its centre.
        side: Of the square, px.

    Raises:
        InputError: If the pictures are smaller than the square.
    """

    def __init__(self, hole: Tensor, side: int) -> None:
        height, width = hole.shape[2:]
        if min(height, width) < side:
            raise InputError(
                f"crops must be at least as large as the local critic's squares, {side} px; got {height} x {width}. "
                "Give a smaller picture_px to the local critic."
            )
        mass = hole.sum((1, 2, 3))  # (B,)
        count = torch.arange(side, device=hole.device)
        self.rows = _first(hole.sum((1, 3)), mass, side)[:, None] + count  # (B, side)
        self.columns = _first(hole.sum((1, 2)), mass, side)[:, None] + count  # (B, side)

    def cut(self, plane: Tensor) -> Tensor:
        """Cut the squares out of pictures (B, C, H, W): (B, C, side, side)."""
        picture = torch.arange(len(plane), device=plane.device)[:, None, None]
        return plane.movedim(1, -1)[picture, self.rows[:, :, None], self.columns[:, None, :]].movedim(-1, 1)


def _first(profile: Tensor, mass: Tensor, side: int) -> Tensor:
    """Return where the square begins along one axis, (B,), given how much hole there is at each place, (B, size)."""
    size = profile.shape[1]
    place = torch.arange(size, device=profile.device) + 0.5
    centre = torch.where(mass > 0, (profile * place).sum(1) / mass.clamp_min(1), size / 2)
    return (centre - side / 2).round().long().clamp(0, size - side)


DEEPFILL_V1 = MethodEntry(
    DeepFillV1Method,
    gradients,
    {"local_critic": "deepfill-v1-local-critic", "global_critic": "deepfill-v1-global-critic"},
)
"""Its line in the table of methods."""
