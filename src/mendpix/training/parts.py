"""The networks of a recipe, and what computes their gradients. When that is done is `loop.py`'s."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from mendpix.errors import RecipeError
from mendpix.features import MINIMUM_PX, SqueezeNetFeatures
from mendpix.networks.table import build_network, without_numbers
from mendpix.training.backbones import open_backbone
from mendpix.training.checkpoint import load_strictly, read_tensors
from mendpix.training.config import NetworkConfig, Recipe
from mendpix.training.methods.interface import Moment
from mendpix.training.methods.table import find_method, method_options
from mendpix.training.step import Networks, TensorBatch, compute_gradients
from mendpix.weights.network_file import kind_of_part


def check_recipe(recipe: Recipe) -> None:
    """Check names, sizes and the method's options before anything is read or built.

    Raises:
        RecipeError: If one of them is wrong.
    """
    if recipe.method is not None:
        method_options(recipe.method.name, recipe.method.options)
    with without_numbers():
        for part, config in network_configs(recipe).items():
            build_network(config.name, config.sizes, kind=kind_of_part(part))


def network_configs(recipe: Recipe) -> dict[str, NetworkConfig]:
    """Return what is trained: the generator, and the detector, a discriminator or what else the method has.

    Raises:
        RecipeError: If the recipe lacks what its method needs, or has what it does not.
    """
    parts = {"generator": recipe.generator} if recipe.generator is not None else {}
    if recipe.method is not None:
        method, entry = recipe.method, find_method(recipe.method.name)
        names = entry.networks
        for key, table in (("sizes", method.sizes), ("start", method.start)):
            unknown = sorted(table.keys() - names.keys())
            if unknown:
                raise RecipeError(
                    f"method.{key} of {method.name} must be among {', '.join(names) or 'none'}; got {unknown[0]}."
                )
        for key, wanted, found in (
            ("generator", entry.fills, recipe.generator is not None),
            ("damage", entry.damages, recipe.damage is not None),
        ):
            if wanted != found:
                raise RecipeError(
                    f"a recipe of the method {method.name} must have {'a' if wanted else 'no'} table {key}; it has "
                    f"{'one' if found else 'none'}."
                )
        return parts | {
            part: NetworkConfig(name, method.sizes.get(part, {}), method.start.get(part, ""))
            for part, name in names.items()
        }
    assert recipe.detector is not None  # `parse_recipe` sees to it
    parts["detector"] = recipe.detector
    if recipe.objective.framework == "adv":
        rival = recipe.objective.adversarial
        parts["discriminator"] = NetworkConfig(rival.discriminator, rival.sizes)
    return parts


def build_part(part: str, config: NetworkConfig, device: torch.device) -> nn.Module:
    """Build a network on its device, with the weights that its recipe starts from."""
    network = build_network(config.name, config.sizes, kind=kind_of_part(part))
    if config.start:
        path = Path(config.start)
        tensors = read_tensors(path / f"{part}.safetensors" if path.is_dir() else path)
        prefix = f"{part}/"  # in a network file, which may hold several
        own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        load_strictly(network, own or tensors, config.start)
    return network.to(device)


def check_sizes(recipe: Recipe, networks: Mapping[str, nn.Module]) -> None:
    """Refuse crops that a network does not take, before time is spent on them.

    Raises:
        RecipeError: If a crop of training or validation has no legal size.
    """
    smallest = min(stage.crop_px for stage in recipe.schedule.stages)
    if recipe.objective.perceptual and smallest < MINIMUM_PX:
        raise RecipeError(f"crop_px must be at least {MINIMUM_PX} for the perceptual term; got {smallest}.")
    asked = [("crop_px", stage.crop_px) for stage in recipe.schedule.stages]
    if recipe.validation.pictures:
        asked.append(("picture_px", recipe.validation.picture_px))
    for name, px in asked:
        for part, network in networks.items():
            multiple, minimum = network.facts.multiple_of, network.facts.minimum  # type: ignore[union-attr]  # declared facts
            if px % multiple or px < minimum:  # type: ignore[operator]  # declared facts
                raise RecipeError(
                    f"{name} must be a multiple of {multiple} and at least {minimum} for this {part}; got {px}."
                )


def framework_of(recipe: Recipe) -> str:
    """Name what shapes the fill: one of GDN's frameworks, or a published method."""
    return recipe.method.name if recipe.method is not None else recipe.objective.framework


def full_from_of(recipe: Recipe) -> float:
    """Return the share from which a pixel counts as wholly destroyed for the recipe's mask network."""
    if recipe.method is None:
        return 1.0
    return float(getattr(method_options(recipe.method.name, recipe.method.options), "full_from", 1.0))


def plan_steps(
    recipe: Recipe, trained: dict[str, nn.Module], backbone: SqueezeNetFeatures | None, fabric: Fabric
) -> Callable[[TensorBatch, int, float], dict[str, Tensor]]:
    """Return what computes a step's gradients, given its batch, its number and the share of the run that is done."""
    if recipe.method is None:
        networks = Networks(trained["generator"], trained["detector"], backbone, trained.get("discriminator"))
        return lambda batch, step, done: compute_gradients(
            networks, batch, recipe.objective, step=step, autocast=fabric.autocast,
            rank=fabric.global_rank, processes=fabric.world_size,
        )  # fmt: skip
    method, entry = recipe.method, find_method(recipe.method.name)
    options = method_options(method.name, method.options)
    frozen = None
    if entry.backbone:
        frozen = open_backbone(method.backbone, method.backbone_weights, method.name)
        place(frozen, fabric.device, channels_last=recipe.channels_last)
    return lambda batch, step, done: entry.gradients(
        trained, batch, options, Moment(step, done, fabric.autocast, frozen)
    )


def place(network: nn.Module, device: torch.device, *, channels_last: bool) -> None:
    """Move a network to its device, kernels channels last if that is asked for."""
    network.to(device)
    for parameter in network.parameters():
        if channels_last and parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
