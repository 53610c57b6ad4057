"""The training loop: when things happen. What is learnt is `step.py`'s, what is written `record.py`'s."""

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import cv2
import torch
from torch import Tensor

from mendpix.data.batches import Batch, BatchRequest, BatchSource, Prefetcher
from mendpix.data.crops import CropSpec
from mendpix.data.dataset import PictureStore
from mendpix.data.exemplar_fills import ExemplarFills, make_exemplar_fills
from mendpix.data.mask_files import MaskFolders
from mendpix.errors import CheckpointError, RecipeError, TrainingError
from mendpix.features import SqueezeNetFeatures
from mendpix.training.averages import snapshot, swapped, update_average
from mendpix.training.calibrate import calibrate
from mendpix.training.checkpoint import latest_checkpoint, restore, save_checkpoint
from mendpix.training.config import Recipe, ScheduleConfig, StageConfig
from mendpix.training.optimizers import learners_of, make_optimizers, set_learning_rates
from mendpix.training.parts import (
    build_part,
    check_recipe,
    check_sizes,
    framework_of,
    full_from_of,
    network_configs,
    place,
    plan_steps,
)
from mendpix.training.processes import agree, average_gradients, average_values, check_alike, launch, meet
from mendpix.training.record import RunRecord
from mendpix.training.step import TensorBatch
from mendpix.training.validate import prepare, validate
from mendpix.training.validate_damage import DamageSet, choose_thresholds, prepare_damage, validate_damage
from mendpix.types import Progress

Say = Callable[[str], None]
"""Where to tell a person how things go."""


def train(
    recipe: Recipe,
    out: Path,
    *,
    budget_s: float | None = None,
    clock: Callable[[], float] = time.perf_counter,
    resume: bool = False,
    say: Say | None = None,
    progress: Progress | None = None,
) -> Path:
    """Train a generator and its detector, or a method's networks, as a recipe says.

    With more than one device, the program that calls this is started once more for each further one, with the same
    arguments; its processes train together, and only the first one writes and talks.

    Args:
        recipe: The run.
        out: Run folder; gets `config.toml`, `run.json`, `metrics.jsonl`, `samples/`, `checkpoints/`, `tensorboard/`.
        budget_s: Seconds of training, earlier sessions of the same run counted in; the schedule shrinks to fit. Reading
            the pictures and the last validation come on top. Such a run depends on the machine's speed; one without
            a budget is the same every time.
        clock: Tells the time that the budget counts, in seconds; `time.process_time` is the processors' time of this
            process, all threads together, which other work on the machine does not shorten.
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
    check_recipe(recipe)

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
    leader = next(iter(parts))  # whose loss people are told
    generator, detector = trained.get("generator"), trained.get("detector")
    check_sizes(recipe, trained)
    optimizers = make_optimizers(recipe.optimizer, trained, learners_of(recipe))
    average = {part: snapshot(network) for part, network in trained.items()}
    backbone = None
    if recipe.objective.perceptual:
        backbone = SqueezeNetFeatures(recipe.objective.backbone, last=recipe.objective.backbone_last)
        place(backbone, fabric.device, channels_last=recipe.channels_last)
    compute = plan_steps(recipe, trained, backbone, fabric)

    # Where an earlier session stopped.
    step, spent_s, seen, finished = 0, 0.0, 0, False
    if found is not None:
        record = restore(found, weights=average, networks=trained, optimizers=optimizers)
        step, spent_s, seen = record["step"], record["spent_s"], record["pictures_seen"]
        finished = record.get("finished", False)
        if record.get("framework", framework_of(recipe)) != framework_of(recipe):
            raise CheckpointError(
                f"the run in {out} must be resumed with its framework, {record['framework']}; the recipe has "
                f"{framework_of(recipe)}. Give another --out for a new run."
            )
        say(f"resumed at step {step}")
    lost = f"all processes must find the same checkpoint in {out}; they do not. Put --out on a disk that they share."
    check_alike(fabric, step, lost)
    started = clock() - spent_s
    spent_share = 0.0  # of the budget, as the main process's clock has it: all processes must end at the same step

    def share_done(at_step: int) -> float:
        return min(1.0, max(at_step / recipe.schedule.steps, spent_share))

    def look_at_the_clock() -> None:
        nonlocal spent_share
        if budget_s:
            spent_share = agree(fabric, (clock() - started) / budget_s)

    look_at_the_clock()
    if found is not None and finished and share_done(step) >= 1.0:
        say("the run is finished; more steps, or a larger budget, would make it go on")
        return found

    # Batches, prepared ahead; each a function of seed and step alone.
    inputs = generator.facts.inputs if generator is not None else ()  # type: ignore[union-attr]  # declared facts
    with_fills, with_edges = "fills" in inputs, "edges" in inputs  # type: ignore[operator]  # likewise
    edges_sigma = (recipe.method.edges_sigma if recipe.method else 2.0) if with_edges else None
    crops = CropSpec(recipe.schedule.stages[0].crop_px, data.scale_min, data.flip, data.fit)
    source = BatchSource(
        training, crops, recipe.masks, seed=recipe.seed, guide_share=data.guide_share, mask_files=mask_files,
        with_fills=with_fills or recipe.objective.relative or recipe.objective.other_fills_share > 0,
        silhouettes=recipe.silhouettes, guides=recipe.guides, copies=copies, edges_sigma=edges_sigma,
        damage=recipe.damage,
    )  # fmt: skip

    def request(at_step: int) -> BatchRequest:
        stage = stage_at(recipe.schedule, share_done(at_step))
        return BatchRequest(at_step, stage.batch_pictures, stage.crop_px, fabric.global_rank, fabric.world_size)

    threads = max(2, torch.get_num_threads())
    prefetcher = Prefetcher(source, request, threads=threads, ahead=threads + 4)
    watched = None
    if main and recipe.damage is not None:
        watched = prepare_damage(
            held_out, recipe.validation, recipe.damage, seed=recipe.seed, edges_sigma=edges_sigma,
            full_from=full_from_of(recipe),
        )  # fmt: skip
    elif main:
        watched = prepare(
            held_out, recipe.validation, seed=recipe.seed, with_fills=with_fills, guides=recipe.guides,
            edges_sigma=edges_sigma,
        )  # fmt: skip
    journal = RunRecord(out, recipe, first_step=step, device=fabric.device) if main else None

    def save(at_step: int, **more: object) -> None:
        folder = out / "checkpoints" / f"step-{at_step:08d}"
        state = {
            "step": at_step, "spent_s": clock() - started, "pictures_seen": seen, "recipe": recipe.name,
            "processes": fabric.world_size, "framework": framework_of(recipe), **more,
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
            if isinstance(watched, DamageSet):
                return {"thresholds": choose_thresholds(trained["damage"], watched, fabric.device)}
            if generator is None or detector is None:
                return {}
            return {"calibration": asdict(calibrate(generator, detector, watched, fabric.device))}

    watched_at = -1

    def watch(at_step: int) -> None:
        nonlocal watched_at
        if watched is None or journal is None or not watched.samples or watched_at == at_step:
            return
        watched_at = at_step
        with swapped(trained, average):
            if isinstance(watched, DamageSet):
                scores, rows = validate_damage(trained, watched, device=fabric.device, autocast=fabric.autocast)
            else:
                assert generator is not None  # only a method that learns from damage does without
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

            values = average_values(fabric, compute(batch, step, done))
            norms: dict[str, Tensor] = {}
            for part, network in trained.items():
                parameters = [parameter for parameter in network.parameters() if parameter.grad is not None]
                if not parameters:  # it rests in this step; the norm of nothing would lie on another device
                    continue
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
                elapsed = clock() - started
                numbers |= {"training/pictures_seen": seen, "training/spent_s": elapsed, "training/share_done": done}
                journal.write(step, numbers)
                if progress is not None:
                    left_s = elapsed / max(done, 1e-6) * (1 - done)
                    loss = f"{leader} {value:.4g}, " if (value := numbers.get(f"training/{leader}")) is not None else ""
                    progress(done, f"step {step}, {loss}{left_s / 60:.0f} min left")
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


def stage_at(schedule: ScheduleConfig, done: float) -> StageConfig:
    """Return the stage that holds a share of the run."""
    return next((stage for stage in schedule.stages if done < stage.until), schedule.stages[-1])


def to_device(batch: Batch, device: torch.device, *, channels_last: bool) -> TensorBatch:
    """Copy a batch to its device, channels last if that is asked for."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    tensors = [
        torch.from_numpy(part).to(device, non_blocking=True)
        for part in (batch.image, batch.hole, batch.fills, batch.edges, batch.damaged, batch.destroyed)
    ]
    return TensorBatch(*(tensor.contiguous(memory_format=layout) for tensor in tensors))
