"""Optimisers of a recipe, and their learning rates over the run. Knows no losses and no data."""

import torch
from torch import nn

from mendpix.training.config import OptimizerConfig, Recipe
from mendpix.training.methods.table import find_method, method_options
from mendpix.training.muon import Muon


def learners_of(recipe: Recipe) -> tuple[str, ...]:
    """Return the parts that learn at the generator's rates."""
    return find_method(recipe.method.name).learners if recipe.method is not None else ("generator",)


def make_optimizers(
    config: OptimizerConfig, networks: dict[str, nn.Module], learners: tuple[str, ...] = ("generator",)
) -> dict[str, torch.optim.Optimizer]:
    """Return the optimisers by name; the part before the colon is the network's."""
    rates = {part: config.generator_lr if part in learners else config.detector_lr for part in networks}
    betas = (config.beta1, config.beta2)
    optimizers: dict[str, torch.optim.Optimizer] = {}
    for part, network in networks.items():
        parameters = list(network.parameters())
        if config.name == "adam":
            optimizers[part] = torch.optim.Adam(parameters, lr=rates[part], betas=betas)
            continue
        if config.name == "adadelta":
            optimizers[part] = torch.optim.Adadelta(parameters, lr=rates[part])
            continue
        if config.name == "muon":
            kernels = [parameter for parameter in parameters if parameter.ndim >= 2]
            optimizers[f"{part}:muon"] = Muon(kernels, lr=0.0, weight_decay=config.weight_decay)
            parameters = [parameter for parameter in parameters if parameter.ndim < 2]
            if not parameters:  # a critic without biases and norms has kernels alone
                continue
        optimizers[part] = torch.optim.AdamW(parameters, lr=rates[part], betas=betas, weight_decay=config.weight_decay)
    return optimizers


def set_learning_rates(recipe: Recipe, optimizers: dict[str, torch.optim.Optimizer], step: int, done: float) -> None:
    """Set every learning rate to where the schedule has it at a step and share of the run."""
    schedule, config = recipe.schedule, recipe.optimizer
    factor = min(1.0, (step + 1) / max(1, schedule.warmup_steps))
    if schedule.decay == "cosine":
        factor *= 0.5 * (1 + float(torch.cos(torch.tensor(done * torch.pi))))
    elif schedule.decay == "linear":
        factor *= 1 - done
    method = recipe.method
    entry = find_method(method.name) if method is not None else None
    options = method_options(method.name, method.options) if method is not None else None
    learners = learners_of(recipe)
    for name, optimizer in optimizers.items():
        part, _, kernels = name.partition(":")
        rate = config.generator_lr if part in learners else config.detector_lr
        if kernels:  # muon's rate is the generator's; the detector's is as much lower as its AdamW rate is
            rate *= config.muon_lr / config.generator_lr
        phase = entry.rate(options, part, done) if entry is not None else 1.0
        for group in optimizer.param_groups:
            group["lr"] = rate * factor * phase
