"""One training step: what is learnt. When, how often and with what is `loop.py`'s."""

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from mendpix.features import SqueezeNetFeatures
from mendpix.losses.adversarial import adversarial_discriminator
from mendpix.losses.detection import balanced_cross_entropy, cross_entropy, focal, valuation
from mendpix.losses.objective import GeneratorObjective
from mendpix.losses.reconstruction import hole_weight_map, weight_map
from mendpix.training.config import ObjectiveConfig


@dataclass(frozen=True)
class TensorBatch:
    """A batch on its device."""

    image: Tensor
    """True pictures, shape (B, 3, H, W), RGB in [0, 1]."""
    hole: Tensor
    """1 = hole, shape (B, 1, H, W)."""
    fills: Tensor
    """First fills, shape (B, 6, H, W), or (B, 0, H, W) if the generator takes none."""
    edges: Tensor | None = None
    """Canny edges of the true pictures, shape (B, 1, H, W), or (B, 0, H, W) or None if the generator takes none."""
    damaged: Tensor | None = None
    """Pictures with damage, shape (B, 3, H, W), of which `image` is what is wanted and `hole` the mask of all kinds of
    damage; (B, 0, H, W) or None if there is none."""
    destroyed: Tensor | None = None
    """How much of each pixel is destroyed, by kind, shape (B, K, H, W), or (B, 0, H, W) or None."""


@dataclass(frozen=True)
class Networks:
    """What is trained, and what looks on."""

    generator: nn.Module
    """Fills holes."""
    detector: nn.Module
    """Marks what looks filled."""
    backbone: SqueezeNetFeatures | None = None
    """Frozen; for the perceptual term."""
    discriminator: nn.Module | None = None
    """Tells photos from predictions; for the adversarial term."""


def predict(generator: nn.Module, batch: TensorBatch) -> Tensor:
    """Run a generator on what it asks for.

    The picture is blanked in the hole first, so that no network can see the truth.

    Returns:
        Raw prediction, shape (B, 3, H, W), float32.
    """
    visible = batch.image * (1 - batch.hole)
    inputs = {"image": visible, "hole": batch.hole, "fills": batch.fills, "edges": batch.edges}
    return generator(*(inputs[name] for name in generator.facts.inputs)).float()  # type: ignore[union-attr,operator]  # declared facts


def compute_gradients(
    networks: Networks,
    batch: TensorBatch,
    config: ObjectiveConfig,
    *,
    step: int,
    autocast: Callable[[], AbstractContextManager[object]],
    rank: int = 0,
    processes: int = 1,
) -> dict[str, Tensor]:
    """Compute the gradients of all networks from the same weights (GDN: all update at once).

    The generator's loss is differentiated through the detector's map or the discriminator, which changes no weight of
    theirs; their losses see the prediction as a constant. In the frameworks Weight and Adv the detector only looks on:
    it learns to find the hole and has no say in what the generator learns.

    Args:
        networks: What is trained.
        batch: Samples.
        config: Framework, and weights of the sum.
        step: Number of the step; decides which samples show the detector a classical fill.
        autocast: Makes the context for lower precision.
        rank: This process's number, and
        processes: how many share the step; together they choose the samples that one process would.

    Returns:
        Parts of the objective and losses, detached scalars by name.
    """
    objective = GeneratorObjective(
        weighted_l1=config.weighted_l1,
        squared=config.squared,
        gradient=config.gradient,
        perceptual=config.perceptual,
        adversarial=config.adversarial.weight if networks.discriminator is not None else 0.0,
        relative=config.relative,
    )

    # The generator minimises the weighted error, and what else the recipe adds.
    features = fake_logits = None
    with autocast():
        prediction = predict(networks.generator, batch)
        weight = pixel_weight(networks.detector, prediction, batch.hole, config)
        if networks.backbone is not None and config.perceptual:
            some = max(1, round(config.perceptual_share * len(prediction)))
            with torch.no_grad():
                wanted = networks.backbone(batch.image[:some])
            features = (networks.backbone(prediction[:some]), wanted)
        if networks.discriminator is not None:
            with frozen(networks.discriminator):
                fake_logits = networks.discriminator(prediction).float()
    first = torch.lerp(batch.image, batch.fills[:, :3], batch.hole) if config.relative else None
    total, parts = objective(prediction, batch.image, weight, first, batch.hole, features, fake_logits)
    total.backward()

    # The detector learns to find the hole, in the generator's fills and in some classical ones.
    samples = len(prediction)
    seeds = [(step * samples + index) * processes + rank for index in range(samples)]  # one for each of all processes
    shown = mix_fills(prediction.detach(), batch, config.other_fills_share, seeds)
    with autocast():
        logits = networks.detector(shown)
    loss = detector_loss(config)(logits.float(), batch.hole)
    loss.backward()
    losses = {"generator": total.detach(), "detector": loss.detach()}

    # The discriminator learns to tell photos from predictions.
    if networks.discriminator is not None:
        with autocast():
            logits = networks.discriminator(torch.cat([batch.image, prediction.detach()]))
        loss = adversarial_discriminator(*logits.float().chunk(2))
        loss.backward()
        losses["discriminator"] = loss.detach()
    return {**parts, **losses}


def pixel_weight(detector: nn.Module, prediction: Tensor, hole: Tensor, config: ObjectiveConfig) -> Tensor:
    """Return the weight of each pixel's error, shape (B, 1, H, W), as the framework has it (GDN, section 4.3)."""
    if config.framework == "det":
        with frozen(detector):
            shown = prediction if config.learn_through_map else prediction.detach()
            return weight_map(valuation(detector(shown).float()), config.mapping)
    if config.framework == "weight":
        return hole_weight_map(hole, config.hole_weight)
    return torch.ones_like(hole)


def detector_loss(config: ObjectiveConfig) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the detector's loss as a function of logits (B, 2, H, W) and hole (B, 1, H, W)."""
    return {
        "focal": partial(focal, gamma=config.focal_gamma),
        "balanced-cross-entropy": balanced_cross_entropy,
        "cross-entropy": cross_entropy,
    }[config.detector_loss]


@contextmanager
def frozen(network: nn.Module) -> Generator[None]:
    """Let gradients pass through a network without reaching its weights."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def mix_fills(prediction: Tensor, batch: TensorBatch, share: float, seeds: Sequence[int]) -> Tensor:
    """Replace a share of the predictions by first fills: harmonic, Navier–Stokes, or a blend of either with ours.

    Args:
        prediction: Shape (B, 3, H, W).
        batch: Its samples.
        share: How many to replace, in [0, 1]; 0 = none.
        seeds: For each sample, what decides; numbers instead of a random state, which would have to survive a restart.

    Returns:
        What the detector is shown, shape (B, 3, H, W).
    """
    if share <= 0 or batch.fills.shape[1] == 0:
        return prediction
    mixed: list[Tensor] = []
    for index, seed in enumerate(seeds):
        draw = torch.rand(3, generator=torch.Generator().manual_seed(seed)).tolist()
        if draw[0] >= share:
            mixed.append(prediction[index])
            continue
        which = 0 if draw[1] < 0.5 else 3
        fill = torch.lerp(batch.image[index], batch.fills[index, which : which + 3], batch.hole[index])
        mixed.append(torch.lerp(fill, prediction[index], max(0.0, 2 * draw[2] - 1)))
    return torch.stack(mixed)
