"""The training loop: when things happen. What is learnt is `step.py`'s, what is written `record.py`'s."""

import shutil
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import cv2
import lightning_fabric as fabric_library
import torch
from torch import Tensor, nn

from mendpix.data.batches import Batch, BatchRequest, BatchSource, Prefetcher
from mendpix.data.dataset import CropSpec, PictureStore
from mendpix.errors import RecipeError, TrainingError
from mendpix.features import SqueezeNetFeatures
from mendpix.networks.table import build_network
from mendpix.training.calibrate import calibrate
from mendpix.training.checkpoint import latest_checkpoint, load_strictly, read_tensors, restore, save_checkpoint
from mendpix.training.config import OptimizerConfig, Recipe, ScheduleConfig, StageConfig
from mendpix.training.muon import Muon
from mendpix.training.record import RunRecord
from mendpix.training.step import Networks, TensorBatch, compute_gradients
from mendpix.training.validate import prepare, validate
from mendpix.types import Progress

Say = Callable[[str], None]
"""Where to tell a person how things go."""


def train(
    recipe: Recipe,
    out: Path,
    *,
    budget_s: float | None = None,
    resume: bool = False,
    say: Say | None = None,
    progress: Progress | None = None,
) -> Path:
    """Train a generator and its detector as a recipe says.

    Args:
        recipe: The run.
        out: Run folder; gets `config.toml`, `run.json`, `metrics.jsonl`, `samples/`, `checkpoints/`, `tensorboard/`.
        budget_s: Seconds of training, earlier sessions of the same run counted in; the schedule shrinks to fit. Such a
            run depends on the machine's speed; one without a budget is the same every time.
        resume: Go on from the newest checkpoint in `out`.
        say: Told one line at each validation.
        progress: Told the share done and a line with losses and time left.

    Returns:
        The last checkpoint's folder.

    Raises:
        TrainingError: If a loss is no longer finite.
        RecipeError: If `out` already holds a run and `resume` is not set, or the recipe does not fit its data.
        DataError: If a picture is broken.
        CheckpointError: If the checkpoint to resume from is broken.
    """
    # A device, and processes if several were asked for.
    say = say or (lambda _: None)
    accelerator = recipe.device if recipe.device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    fabric = fabric_library.Fabric(accelerator=accelerator, devices=recipe.devices, precision=recipe.precision)
    fabric.launch()
    main = fabric.global_rank == 0
    found = latest_checkpoint(out)
    if found is not None and not resume:
        raise RecipeError(
            f"{out} must be a new folder; it holds a run. Give --resume to go on with it, or another --out."
        )
    cv2.setNumThreads(1)  # the batch threads already use the processors

    # Pictures, in memory if they fit.
    limit = recipe.data.memory_limit_gib
    pictures = PictureStore.open(recipe.data.pictures, memory_limit_gib=limit, progress=progress)
    training, held_out = pictures.split_holdout(recipe.data.holdout_pictures, recipe.seed)
    where = "in memory" if pictures.in_memory else "streamed"
    say(f"{len(training)} pictures to train on, {len(held_out)} held out, {where}")

    # Networks, their averages, optimisers.
    torch.manual_seed(recipe.seed)
    generator = build_network(recipe.generator.name, recipe.generator.sizes, kind="generator")
    detector = build_network(recipe.detector.name, recipe.detector.sizes, kind="detector")
    trained = {"generator": generator, "detector": detector}
    for part, config in (("generator", recipe.generator), ("detector", recipe.detector)):
        if config.start:
            path = Path(config.start)
            load_strictly(
                trained[part], read_tensors(path / f"{part}.safetensors" if path.is_dir() else path), config.start
            )
        place(trained[part], fabric.device)
    optimizers = make_optimizers(recipe.optimizer, trained)
    average = {
        part: {k: v.detach().clone() for k, v in network.state_dict().items()} for part, network in trained.items()
    }
    backbone = None
    if recipe.objective.perceptual:
        backbone = SqueezeNetFeatures(recipe.objective.backbone, last=recipe.objective.backbone_last)
        place(backbone, fabric.device)
    networks = Networks(generator, detector, backbone)

    # Where an earlier session stopped.
    step, spent_s, seen = 0, 0.0, 0
    if found is not None:
        record = restore(found, trained, optimizers)
        step, spent_s, seen = record["step"], record["spent_s"], record["pictures_seen"]
        for part in average:
            average[part] = {k: v.to(fabric.device) for k, v in read_tensors(found / f"{part}.safetensors").items()}
        say(f"resumed at step {step}")
    started = time.perf_counter() - spent_s

    def share_done(at_step: int) -> float:
        by_time = (time.perf_counter() - started) / budget_s if budget_s else 0.0
        return min(1.0, max(at_step / recipe.schedule.steps, by_time))

    # Batches, prepared ahead; each a function of seed and step alone.
    with_fills = "fills" in generator.facts.inputs  # type: ignore[operator]  # every network declares its facts
    crops = CropSpec(px=recipe.schedule.stages[0].crop_px, scale_min=recipe.data.scale_min, flip=recipe.data.flip)
    source = BatchSource(
        training, crops, recipe.masks, seed=recipe.seed, with_fills=with_fills or recipe.objective.relative,
        guide_share=recipe.data.guide_share,
    )  # fmt: skip

    def request(at_step: int) -> BatchRequest:
        stage = stage_at(recipe.schedule, share_done(at_step))
        return BatchRequest(at_step, stage.batch_pictures, stage.crop_px, fabric.global_rank, fabric.world_size)

    prefetcher = Prefetcher(source, request, threads=max(2, torch.get_num_threads()), ahead=6)
    watched = prepare(held_out, recipe.validation, seed=recipe.seed, with_fills=with_fills) if main else None
    journal = RunRecord(out, recipe, first_step=step) if main else None

    def save(at_step: int, **more: object) -> None:
        folder = out / "checkpoints" / f"step-{at_step:08d}"
        state = {
            "step": at_step, "spent_s": time.perf_counter() - started, "pictures_seen": seen, "recipe": recipe.name,
            "processes": fabric.world_size, **more,
        }  # fmt: skip
        if main:
            names = {"generator": recipe.generator.name, "detector": recipe.detector.name}
            save_checkpoint(folder, weights=average, networks=trained, names=names, optimizers=optimizers, state=state)
            for old in sorted((out / "checkpoints").glob("step-*"))[:-2]:
                shutil.rmtree(old)

    @contextmanager
    def averaged() -> Generator[None]:
        raw = {part: snapshot(network) for part, network in trained.items()}
        for part, network in trained.items():
            network.load_state_dict(average[part])
        yield
        for part, network in trained.items():
            network.load_state_dict(raw[part])

    def finish() -> dict[str, object]:
        if watched is None or not watched.samples:
            return {}
        with averaged():
            return {"calibration": asdict(calibrate(generator, detector, watched, fabric.device))}

    def watch(at_step: int) -> None:
        if watched is None or journal is None or not watched.samples:
            return
        with averaged():
            scores, rows = validate(generator, detector, watched, device=fabric.device, autocast=fabric.autocast)
        journal.write(at_step, scores)
        journal.write_grid(at_step, rows)
        say(
            f"step {at_step}: "
            + " ".join(f"{k.removeprefix('validation/')} {v:.4g}" for k, v in scores.items() if "/mean" in k)
        )

    # The loop.
    stream = prefetcher.batches(step)
    try:
        while (done := share_done(step)) < 1.0:
            _, arrays = next(stream)
            batch = to_device(arrays, fabric.device)
            set_learning_rates(recipe, optimizers, step, done)

            values = compute_gradients(networks, batch, recipe.objective, step=step, autocast=fabric.autocast)
            if not all(bool(torch.isfinite(value)) for value in values.values()):
                raise TrainingError(
                    f"every loss must stay finite; at step {step} they are {describe(values)}. "
                    "Go on from the last checkpoint with lower learning rates."
                )
            for network in trained.values():
                parameters = [parameter for parameter in network.parameters() if parameter.grad is not None]
                average_gradients(fabric, parameters)
                if recipe.optimizer.clip_norm:
                    torch.nn.utils.clip_grad_norm_(parameters, recipe.optimizer.clip_norm)
            for optimizer in optimizers.values():
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            step += 1
            pictures_now = arrays.image.shape[0] * fabric.world_size
            seen += pictures_now
            for part, network in trained.items():
                update_average(average[part], network, recipe.optimizer.ema_halflife_pictures, pictures_now, seen)

            if journal is not None and step % recipe.schedule.log_every_steps == 0:
                numbers = {f"training/{key}": float(value) for key, value in values.items()}
                elapsed = time.perf_counter() - started
                numbers |= {"training/pictures_seen": seen, "training/spent_s": elapsed, "training/share_done": done}
                journal.write(step, numbers)
                if progress is not None:
                    left_s = elapsed / max(done, 1e-6) * (1 - done)
                    progress(
                        done, f"step {step}, generator {numbers['training/generator']:.4g}, {left_s / 60:.0f} min left"
                    )
            if step % recipe.schedule.checkpoint_every_steps == 0:
                save(step)
            if recipe.validation.every_steps and step % recipe.validation.every_steps == 0:
                watch(step)
    finally:
        stream.close()
    watch(step)
    save(step, **finish())
    if journal is not None:
        journal.close()
    return out / "checkpoints" / f"step-{step:08d}"


def describe(values: Mapping[str, Tensor]) -> str:
    """Return named numbers as text."""
    return ", ".join(f"{key} {float(value):.4g}" for key, value in values.items())


def make_optimizers(config: OptimizerConfig, networks: dict[str, nn.Module]) -> dict[str, torch.optim.Optimizer]:
    """Return the optimisers by name; the part before the colon is the network's."""
    rates = {"generator": config.generator_lr, "detector": config.detector_lr}
    betas = (config.beta1, config.beta2)
    optimizers: dict[str, torch.optim.Optimizer] = {}
    for part, network in networks.items():
        parameters = list(network.parameters())
        if config.name == "adam":
            optimizers[part] = torch.optim.Adam(parameters, lr=rates[part], betas=betas)
            continue
        if config.name == "muon":
            kernels = [parameter for parameter in parameters if parameter.ndim >= 2]
            optimizers[f"{part}:muon"] = Muon(kernels, lr=0.0, weight_decay=config.weight_decay)
            parameters = [parameter for parameter in parameters if parameter.ndim < 2]
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
    peaks = {"generator": config.generator_lr, "detector": config.detector_lr}
    # Muon's rate is the generator's; the detector's is as much lower as its AdamW rate is.
    peaks |= {f"{part}:muon": config.muon_lr * rate / config.generator_lr for part, rate in peaks.items()}
    for name, optimizer in optimizers.items():
        for group in optimizer.param_groups:
            group["lr"] = peaks[name] * factor


def stage_at(schedule: ScheduleConfig, done: float) -> StageConfig:
    """Return the stage that holds a share of the run."""
    return next((stage for stage in schedule.stages if done < stage.until), schedule.stages[-1])


def average_gradients(fabric: fabric_library.Fabric, parameters: Sequence[Tensor]) -> None:
    """Replace each gradient by its mean over the processes, in one exchange."""
    if fabric.world_size == 1 or not parameters:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = fabric.all_reduce(torch.cat([gradient.flatten() for gradient in gradients]), reduce_op="mean")
    assert isinstance(flat, Tensor)
    for gradient, part in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def place(network: nn.Module, device: torch.device) -> None:
    """Move a network to its device, kernels channels last."""
    network.to(device)
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def snapshot(network: nn.Module) -> dict[str, Tensor]:
    """Return a copy of a network's tensors by name."""
    return {key: value.detach().clone() for key, value in network.state_dict().items()}


@torch.no_grad()
def update_average(average: dict[str, Tensor], network: nn.Module, halflife: float, pictures: int, seen: int) -> None:
    """Move the average towards the current weights; young averages forget faster (a tenth of what was seen)."""
    halflife = min(halflife, seen / 10)
    decay = 0.5 ** (pictures / halflife) if halflife > 0 else 0.0
    for key, value in network.state_dict().items():
        if value.is_floating_point():
            average[key].lerp_(value, 1 - decay)
        else:
            average[key].copy_(value)


def to_device(batch: Batch, device: torch.device) -> TensorBatch:
    """Copy a batch to its device, channels last."""
    tensors = [torch.from_numpy(part).to(device, non_blocking=True) for part in (batch.image, batch.hole, batch.fills)]
    return TensorBatch(*(tensor.contiguous(memory_format=torch.channels_last) for tensor in tensors))
