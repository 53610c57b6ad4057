"""What ISNet learns in one step (Li et al. 2020, section 2.2; see `mendpix.networks.isnet`)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mendpix.errors import InputError
from mendpix.losses.adversarial import ADVERSARIAL, hinge_discriminator, hinge_generator
from mendpix.losses.feature_matching import feature_matching
from mendpix.losses.perceptual import perceptual_l1
from mendpix.losses.reconstruction import l1
from mendpix.losses.style import style_l1
from mendpix.training.methods.interface import MethodEntry, Moment, Parts
from mendpix.training.step import TensorBatch, frozen, predict

ADVERSARIAL_LOSSES = ("non-saturating", "least-squares", "hinge-program", "hinge-paper")
"""What `IsnetObjective.adversarial_loss` may be."""


@dataclass(frozen=True)
class IsnetObjective:
    """Weights of the sum (Eq. 2); the defaults are those of the published program's example, which the paper shares."""

    l1: float = 1.0
    """Weight of the L1 distance."""
    adversarial: float = 0.1
    """Weight of the adversarial term."""
    perceptual: float = 0.1
    """Weight of the difference of VGG-19's activations, over the whole picture."""
    style: float = 250.0
    """Weight of the difference of their Gram matrices, over the whole picture."""
    feature_matching: float = 10.0
    """Weight of the difference of the discriminator's activations."""
    l1_by_hole: bool = True
    """Whether the L1 is divided by the share of the batch that is hole, as in the program; the paper does not say."""
    adversarial_loss: str = "non-saturating"
    """non-saturating: the program's example. least-squares: its other choice. hinge-program: its hinge loss, in which a
    true picture costs 1 more than in the paper; no gradient changes by that. hinge-paper: Eq. 2 and 3 to the letter,
    where the discriminator sees the prediction inside the hole only and the generator minimises its loss's negative;
    whole pictures are compared by its activations all the same."""

    def __post_init__(self) -> None:
        weights = (self.l1, self.adversarial, self.perceptual, self.style, self.feature_matching)
        if not all(0 <= weight < float("inf") for weight in weights):
            raise InputError(f"weights must be at least 0 and finite; got {', '.join(map(str, weights))}.")
        if self.adversarial_loss not in ADVERSARIAL_LOSSES:
            raise InputError(
                f"adversarial_loss must be one of {', '.join(ADVERSARIAL_LOSSES)}; got {self.adversarial_loss!r}."
            )


def isnet_gradients(parts: Parts, batch: TensorBatch, config: IsnetObjective, moment: Moment) -> dict[str, Tensor]:
    """Compute the gradients of the generator and the discriminator.

    Args:
        parts: `generator` and `discriminator`, the latter with `activations`.
        batch: Samples.
        config: Weights of the sum.
        moment: Lends the backbone.

    Returns:
        The terms, unweighted, and the sums `generator` and `discriminator`; detached scalars.
    """
    generator, discriminator, backbone = parts["generator"], parts["discriminator"], moment.backbone
    assert backbone is not None  # the table says that there is one
    kind = config.adversarial_loss

    # The discriminator learns to tell photos from predictions.
    with moment.autocast():
        prediction = predict(generator, batch)
        judged = prediction * batch.hole if kind == "hinge-paper" else prediction
        seen = discriminator.activations(torch.cat([batch.image, judged.detach()]))  # type: ignore[operator]  # a PatchGan
    real, fake = seen[-1].float().chunk(2)
    loss = discriminator_loss(real, fake, kind)

    # The generator deceives it, and comes near the true picture in four ways.
    with moment.autocast():
        with frozen(discriminator):
            alike = discriminator.activations(prediction)  # type: ignore[operator]  # as above
            guessed = alike[-1] if judged is prediction else discriminator(judged)
        with torch.no_grad():
            wanted = backbone.both(batch.image)
        found = backbone.both(prediction)
    hole_share = batch.hole.mean().clamp_min(1 / batch.hole[0].numel()) if config.l1_by_hole else 1.0
    terms = {
        "l1": l1(prediction, batch.image) / hole_share,
        "adversarial": generator_loss(guessed.float(), kind),
        "perceptual": perceptual_l1(found[0], wanted[0]),
        "style": style_l1(found[1], wanted[1]),
        "feature_matching": feature_matching(alike, [layer.chunk(2)[0] for layer in seen]),
    }
    weights = {
        "l1": config.l1,
        "adversarial": config.adversarial,
        "perceptual": config.perceptual,
        "style": config.style,
        "feature_matching": config.feature_matching,
    }
    total = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
    total.backward()
    loss.backward()
    return {name: term.detach() for name, term in terms.items()} | {
        "generator": total.detach(),
        "discriminator": loss.detach(),
    }


def generator_loss(fake: Tensor, kind: str) -> Tensor:
    """Return the adversarial term of the generator for logits of predictions; `kind` is of `ADVERSARIAL_LOSSES`."""
    if kind == "hinge-paper":
        return -torch.relu(1 + fake).mean()  # the part of -L_D that depends on the generator (Eq. 2)
    if kind == "hinge-program":
        return hinge_generator(fake)
    return ADVERSARIAL[kind][0](fake)


def discriminator_loss(real: Tensor, fake: Tensor, kind: str) -> Tensor:
    """Return the discriminator's loss for logits of true pictures and predictions; the program halves the sum."""
    if kind == "hinge-paper":
        return hinge_discriminator(real, fake)
    if kind == "hinge-program":
        return (1 + hinge_discriminator(real, fake)) / 2
    return ADVERSARIAL[kind][1](real, fake) / 2


ISNET = MethodEntry(IsnetObjective, isnet_gradients, networks={"discriminator": "patchgan"}, backbone=True)
"""The line of the table."""
