"""What a method is: a dataclass of weights, further networks, and a function that computes one step's gradients.

A method never steps an optimiser and keeps nothing between steps: what it does is a function of weights, batch and
moment, so that a run that was interrupted goes on as if it had not been.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from mendpix.losses.backbone import Backbone
from mendpix.training.step import TensorBatch

Parts = Mapping[str, nn.Module]
"""What is trained, by part: `generator`, if the method fills, and the method's further networks."""


@dataclass(frozen=True)
class Moment:
    """Where the run is, and what it lends."""

    step: int
    """Number of the step, from 0."""
    done: float
    """Share of the run that is done, in [0, 1]; phases go by it."""
    autocast: Callable[[], AbstractContextManager[object]]
    """Makes the context for lower precision."""
    backbone: Backbone | None = None
    """Frozen features for perceptual and style terms; None if the method has none."""


Gradients = Callable[[Parts, TensorBatch, Any, Moment], dict[str, Tensor]]
"""Compute gradients: (parts, batch, the method's own config, moment) -> detached scalars by name.

All parts are in training mode when it is called; a part whose parameters are left without gradients is not changed by
this step. All gradients are taken at the same weights and all updates follow at once, which is what the published
programs' order (the rival's update before the generator's backward pass) comes to, and is right on every torch. The
generator's loss passes through a rival that is `frozen`, the rival's sees the prediction as a constant. The name
`generator` is the sum that the generator minimises; leave it out in steps that do not train it."""

Rate = Callable[[Any, str, float], float]
"""Factor on a part's learning rate: (the method's own config, part, share of the run that is done) -> factor."""


def constant_rate(config: Any, part: str, done: float) -> float:
    """Leave learning rates to the recipe's schedule."""
    return 1.0


@dataclass(frozen=True)
class MethodEntry:
    """One line of the table of methods."""

    config: type[Any]
    """Dataclass of weights and phases, each with a docstring; its defaults are the published ones."""
    gradients: Gradients
    """One step."""
    networks: Mapping[str, str] = field(default_factory=dict[str, str])
    """Further networks that are trained: part to a name of `networks.table.NETWORKS`."""
    rate: Rate = constant_rate
    """How learning rates change from phase to phase."""
    backbone: bool = False
    """Whether there are perceptual or style terms, which need a frozen backbone."""
    fills: bool = True
    """Whether there is a generator, which the recipe's table of that name describes."""
    learners: tuple[str, ...] = ("generator",)
    """Parts that learn at the generator's rates; the others are rivals, which learn at the detector's."""
    damages: bool = False
    """Whether it learns from damaged pictures, which the recipe's table `damage` describes."""
