"""Several processes of one run, one device each: how they start, and what they tell each other.

With one process, nothing is exchanged. Knows no networks, no data and no files.
"""

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager

import torch
from lightning_fabric import Fabric
from torch import Tensor

from mendpix.errors import RecipeError, TrainingError
from mendpix.training.config import Recipe


def launch(recipe: Recipe) -> Fabric:
    """Pick the device and start the other processes, if several devices are asked for.

    Each further process runs the program that is running now, with the same arguments, and comes to this line too.
    Under `torchrun` nothing is started: its processes are there already, on one machine or several, and their number
    counts instead of the recipe's `devices`.

    Raises:
        RecipeError: If the machine lacks the devices, or a batch cannot be shared evenly.
    """
    accelerator = recipe.device if recipe.device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    devices, machines = recipe.devices, 1
    if "TORCHELASTIC_RUN_ID" in os.environ:  # set by torchrun
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        machines = int(os.environ["WORLD_SIZE"]) // devices
    there = torch.cuda.device_count()
    if accelerator == "cuda" and there < devices:
        raise RecipeError(
            f"the run asks for {devices} CUDA device(s); this machine has {there}. "
            'Lower devices in the recipe (or torchrun\'s --nproc-per-node), or take device = "cpu".'
        )
    processes = devices * machines
    uneven = [stage.batch_pictures for stage in recipe.schedule.stages if stage.batch_pictures % processes]
    if uneven:
        raise RecipeError(
            f"batch_pictures must be a multiple of the {processes} processes; got {uneven[0]}. Every process takes "
            "the same share of a batch."
        )
    fabric = Fabric(accelerator=accelerator, devices=devices, num_nodes=machines, precision=recipe.precision)
    fabric.launch()
    return fabric


def agree(fabric: Fabric, value: float) -> float:
    """Return the main process's number in every process."""
    if fabric.world_size == 1:
        return value
    with _exchange():
        return float(fabric.broadcast(value))


def check_alike(fabric: Fabric, value: float, sentence: str) -> None:
    """Refuse to go on, in every process, if not all of them have the same number.

    Raises:
        TrainingError: With `sentence`.
    """
    if fabric.world_size == 1:
        return
    wrong = torch.tensor(float(value != agree(fabric, value)), device=fabric.device)
    if float(_mean(fabric, wrong)) > 0:
        raise TrainingError(sentence)


def meet(fabric: Fabric) -> None:
    """Wait until every process is here."""
    with _exchange():
        fabric.barrier()


def average_values(fabric: Fabric, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return scalars by name, each the mean over the processes."""
    if fabric.world_size == 1:
        return dict(values)
    return dict(zip(values, _mean(fabric, torch.stack(list(values.values()))), strict=True))


def average_gradients(fabric: Fabric, parameters: Sequence[Tensor]) -> None:
    """Replace each gradient by its mean over the processes, in one exchange."""
    if fabric.world_size == 1 or not parameters:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = _mean(fabric, torch.cat([gradient.flatten() for gradient in gradients]))
    for gradient, part in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def _mean(fabric: Fabric, tensor: Tensor) -> Tensor:
    with _exchange():
        mean = fabric.all_reduce(tensor, reduce_op="mean")
    assert isinstance(mean, Tensor)
    return mean


@contextmanager
def _exchange() -> Generator[None]:
    """Say in one sentence that another process is gone, whatever the backend calls it."""
    try:
        yield
    except RuntimeError as error:
        raise TrainingError("every process must keep going; another one has stopped, and says why itself.") from error
