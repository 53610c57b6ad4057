"""The training loop: when things happen. What is learnt is `step.py`'s, what is written `record.py`'s."""

import shutil
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import cv2
import torch
from torch import Tensor, nn

from mendpix.data.batches import Batch, BatchRequest, BatchSource, Prefetcher
from mendpix.data.crops import CropSpec
from mendpix.data.dataset import PictureStore
from mendpix.data.exemplar_fills import ExemplarFills, make_exemplar_fills
from mendpix.data.mask_files import MaskFolders
from mendpix.errors import CheckpointError, RecipeError, TrainingError
from mendpix.features import MINIMUM_PX, SqueezeNetFeatures
from mendpix.networks.table import build_network
from mendpix.training.calibrate import calibrate
from mendpix.training.checkpoint import latest_checkpoint, load_strictly, read_tensors, restore, save_checkpoint
from mendpix.training.config import NetworkConfig, OptimizerConfig, Recipe, ScheduleConfig, StageConfig
from mendpix.training.muon import Muon
from mendpix.training.processes import agree, average_gradients, average_values, check_alike, launch, meet
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

    With more than one device, the program that calls this is started once more for each further one, with the same
    arguments; its processes train together, and only the first one writes and talks.

    Args:
        recipe: The run.
        out: Run folder; gets `config.toml`, `run.json`, `metrics.jsonl`, `samples/`, `checkpoints/`, `tensorboard/`.
        budget_s: Seconds of training, earlier sessions of the same run counted in; the schedule shrinks to fit. Reading
            the pictures and the last validation come on top. Such a run depends on the machine's speed; one without
            a budget is the same every time.
        resume: Go on from the newest checkpoint in `out`, or start if there is none; a finished run is left alone.
        say: Told one line at each validation.
        progress: Told the share done and a line with losses and time left.

    Returns:
        The last checkpoint's folder.

    Raises:
        TrainingError: If a loss or gradient is no longer finite, or another process has stopped.
        RecipeError: If `out` already holds a run and `resume` is not set, or the recipe fits neither its networks nor
            this machine.
        InputError: If there are too few pictures.
        DataError: If a picture is broken.
        CheckpointError: If the checkpoint to resume from is broken, or of another recipe.
        OutputError: If the run folder cannot be written.
    """
    # A device, and processes if several were asked for. No process gets past `launch` before all have come to it.
    found = latest_checkpoint(out)
    if found is not None and not resume:
        raise RecipeError(
            f"{out} must be a new folder; it holds a run. Give --resume to go on with it, or another --out."
        )
    fabric = launch(recipe)
    main = fabric.global_rank == 0
    say = say if main and say is not None else lambda _: None
    progress = progress if main else None
    cv2.setNumThreads(1)  # the batch threads already use the processors

    # Pictures, in memory if they fit.
    data = recipe.data
    mask_files = MaskFolders(data.masks) if data.masks else None
    pictures = PictureStore.open(
        data.pictures, memory_limit_gib=data.memory_limit_gib, per_folder=data.pictures_per_folder, progress=progress
    )
    training, held_out = pictures.split_holdout(data.holdout_pictures, recipe.seed)
    where = "in memory" if pictures.in_memory else "streamed"
    say(f"{len(training)} pictures to train on, {len(held_out)} held out, {where}")

    # Real exemplar fills, made once.
    copies = None
    if data.exemplar_fills:
        if main:
            make_exemplar_fills(
                training, out / "fills", data.exemplar_fills, data.exemplar_px, seed=recipe.seed, progress=progress
            )
        meet(fabric)
        copies = ExemplarFills(out / "fills", data.exemplar_fills)

    # Networks, their averages, optimisers.
    torch.manual_seed(recipe.seed)
    parts = network_configs(recipe)
    trained = {part: build_part(part, config, fabric.device) for part, config in parts.items()}
    for network in trained.values():
        place(network, fabric.device, channels_last=recipe.channels_last)
    generator, detector = trained["generator"], trained["detector"]
    check_sizes(recipe, trained)
    optimizers = make_optimizers(recipe.optimizer, trained)
    average = {part: snapshot(network) for part, network in trained.items()}
    backbone = None
    if recipe.objective.perceptual:
        backbone = SqueezeNetFeatures(recipe.objective.backbone, last=recipe.objective.backbone_last)
        place(backbone, fabric.device, channels_last=recipe.channels_last)
    networks = Networks(generator, detector, backbone, trained.get("discriminator"))

    # Where an earlier session stopped.
    step, spent_s, seen, finished = 0, 0.0, 0, False
    if found is not None:
        record = restore(found, weights=average, networks=trained, optimizers=optimizers)
        step, spent_s, seen = record["step"], record["spent_s"], record["pictures_seen"]
        finished = record.get("finished", False)
        if record.get("framework", recipe.objective.framework) != recipe.objective.framework:
            raise CheckpointError(
                f"the run in {out} must be resumed with its framework, {record['framework']}; the recipe has "
                f"{recipe.objective.framework}. Give another --out for a new run."
            )
        say(f"resumed at step {step}")
    lost = f"all processes must find the same checkpoint in {out}; they do not. Put --out on a disk that they share."
    check_alike(fabric, step, lost)
    started = time.perf_counter() - spent_s
    spent_share = 0.0  # of the budget, as the main process's clock has it: all processes must end at the same step

    def share_done(at_step: int) -> float:
        return min(1.0, max(at_step / recipe.schedule.steps, spent_share))

    def look_at_the_clock() -> None:
        nonlocal spent_share
        if budget_s:
            spent_share = agree(fabric, (time.perf_counter() - started) / budget_s)

    look_at_the_clock()
    if found is not None and finished and share_done(step) >= 1.0:
        say("the run is finished; more steps, or a larger budget, would make it go on")
        return found

    # Batches, prepared ahead; each a function of seed and step alone.
    with_fills = "fills" in generator.facts.inputs  # type: ignore[operator]  # every network declares its facts
    crops = CropSpec(recipe.schedule.stages[0].crop_px, data.scale_min, data.flip, data.fit)
    source = BatchSource(
        training, crops, recipe.masks, seed=recipe.seed, guide_share=data.guide_share, mask_files=mask_files,
        with_fills=with_fills or recipe.objective.relative or recipe.objective.other_fills_share > 0,
        silhouettes=recipe.silhouettes, guides=recipe.guides, copies=copies,
    )  # fmt: skip

    def request(at_step: int) -> BatchRequest:
        stage = stage_at(recipe.schedule, share_done(at_step))
        return BatchRequest(at_step, stage.batch_pictures, stage.crop_px, fabric.global_rank, fabric.world_size)

    threads = max(2, torch.get_num_threads())
    prefetcher = Prefetcher(source, request, threads=threads, ahead=threads + 4)
    watched = None
    if main:
        watched = prepare(held_out, recipe.validation, seed=recipe.seed, with_fills=with_fills, guides=recipe.guides)
    journal = RunRecord(out, recipe, first_step=step, device=fabric.device) if main else None

    def save(at_step: int, **more: object) -> None:
        folder = out / "checkpoints" / f"step-{at_step:08d}"
        state = {
            "step": at_step, "spent_s": time.perf_counter() - started, "pictures_seen": seen, "recipe": recipe.name,
            "processes": fabric.world_size, "framework": recipe.objective.framework, **more,
        }  # fmt: skip
        if main:
            names = {part: config.name for part, config in parts.items()}
            save_checkpoint(folder, weights=average, networks=trained, names=names, optimizers=optimizers, state=state)
            for old in sorted((out / "checkpoints").glob("step-*"))[:-2]:
                shutil.rmtree(old, ignore_errors=True)

    def finish() -> dict[str, object]:
        if watched is None or not watched.samples:
            return {}
        with swapped(trained, average):
            return {"calibration": asdict(calibrate(generator, detector, watched, fabric.device))}

    watched_at = -1

    def watch(at_step: int) -> None:
        nonlocal watched_at
        if watched is None or journal is None or not watched.samples or watched_at == at_step:
            return
        watched_at = at_step
        with swapped(trained, average):
            scores, rows = validate(generator, detector, watched, device=fabric.device, autocast=fabric.autocast)
        journal.write(at_step, scores)
        if rows:
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
            batch = to_device(arrays, fabric.device, channels_last=recipe.channels_last)
            set_learning_rates(recipe, optimizers, step, done)

            values = compute_gradients(
                networks, batch, recipe.objective, step=step, autocast=fabric.autocast,
                rank=fabric.global_rank, processes=fabric.world_size,
            )  # fmt: skip
            values = average_values(fabric, values)
            norms: dict[str, Tensor] = {}
            for part, network in trained.items():
                parameters = [parameter for parameter in network.parameters() if parameter.grad is not None]
                average_gradients(fabric, parameters)
                norm = torch.nn.utils.clip_grad_norm_(parameters, recipe.optimizer.clip_norm or float("inf"))
                norms[f"{part}'s gradient"] = norm
            check_finite(values | norms, step)  # of all processes: they stop together, and before a weight is spoilt
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
            if recipe.validation.every_steps and step % recipe.validation.every_steps == 0:
                watch(step)
            if step % recipe.schedule.checkpoint_every_steps == 0:  # last: all lines up to it are written
                save(step)
            look_at_the_clock()
        watch(step)
        save(step, finished=True, **finish())
    finally:
        stream.close()
        if journal is not None:
            journal.close()
    meet(fabric)
    return out / "checkpoints" / f"step-{step:08d}"


def network_configs(recipe: Recipe) -> dict[str, NetworkConfig]:
    """Return what is trained: generator and detector, and a discriminator if the framework has one."""
    parts = {"generator": recipe.generator, "detector": recipe.detector}
    if recipe.objective.framework == "adv":
        rival = recipe.objective.adversarial
        parts["discriminator"] = NetworkConfig(rival.discriminator, rival.sizes)
    return parts


def build_part(part: str, config: NetworkConfig, device: torch.device) -> nn.Module:
    """Build a network on its device, with the weights that its recipe starts from."""
    network = build_network(config.name, config.sizes, kind=part)
    if config.start:
        path = Path(config.start)
        load_strictly(network, read_tensors(path / f"{part}.safetensors" if path.is_dir() else path), config.start)
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


def check_finite(values: Mapping[str, Tensor], step: int) -> None:
    """Refuse to go on with numbers that lead nowhere.

    Raises:
        TrainingError: If a value is infinite or nan.
    """
    if not bool(torch.isfinite(torch.stack([value.float() for value in values.values()])).all()):
        numbers = ", ".join(f"{key} {float(value):.4g}" for key, value in values.items())
        raise TrainingError(
            f"every loss and gradient must stay finite; at step {step} they are {numbers}. "
            "Go on from the last checkpoint with --resume and lower learning rates."
        )


def make_optimizers(config: OptimizerConfig, networks: dict[str, nn.Module]) -> dict[str, torch.optim.Optimizer]:
    """Return the optimisers by name; the part before the colon is the network's."""
    rates = {"generator": config.generator_lr, "detector": config.detector_lr, "discriminator": config.detector_lr}
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
    peaks = {"generator": config.generator_lr, "detector": config.detector_lr, "discriminator": config.detector_lr}
    # Muon's rate is the generator's; the detector's is as much lower as its AdamW rate is.
    peaks |= {f"{part}:muon": config.muon_lr * rate / config.generator_lr for part, rate in peaks.items()}
    for name, optimizer in optimizers.items():
        for group in optimizer.param_groups:
            group["lr"] = peaks[name] * factor


def stage_at(schedule: ScheduleConfig, done: float) -> StageConfig:
    """Return the stage that holds a share of the run."""
    return next((stage for stage in schedule.stages if done < stage.until), schedule.stages[-1])


def place(network: nn.Module, device: torch.device, *, channels_last: bool) -> None:
    """Move a network to its device, kernels channels last if that is asked for."""
    network.to(device)
    for parameter in network.parameters():
        if channels_last and parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def snapshot(network: nn.Module) -> dict[str, Tensor]:
    """Return a copy of a network's tensors by name."""
    return {key: value.detach().clone() for key, value in network.state_dict().items()}


@contextmanager
def swapped(networks: Mapping[str, nn.Module], tensors: Mapping[str, Mapping[str, Tensor]]) -> Generator[None]:
    """Give networks other tensors for as long as the context lasts."""
    before = {part: snapshot(network) for part, network in networks.items()}
    for part, network in networks.items():
        network.load_state_dict(tensors[part])
    try:
        yield
    finally:
        for part, network in networks.items():
            network.load_state_dict(before[part])


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


def to_device(batch: Batch, device: torch.device, *, channels_last: bool) -> TensorBatch:
    """Copy a batch to its device, channels last if that is asked for."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    tensors = [torch.from_numpy(part).to(device, non_blocking=True) for part in (batch.image, batch.hole, batch.fills)]
    return TensorBatch(*(tensor.contiguous(memory_format=layout) for tensor in tensors))
