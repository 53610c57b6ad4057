"""Watch a run that learns from damage: fixed held-out pictures, damaged in fixed ways, and the same ones undamaged.

Each picture is shown once with damage of each kind and once without any. Knows no optimiser.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from mendpix.data.batches import Batch, planes
from mendpix.data.dataset import PictureStore
from mendpix.data.degrade import FAMILIES, KINDS, DamageSpec, degrade
from mendpix.edges import find_edges
from mendpix.metrics.detection import average_precision, iou, share_marked
from mendpix.metrics.psnr import psnr
from mendpix.networks.edgeconnect import known_edges
from mendpix.networks.epn import whole
from mendpix.networks.informed import InformedGenerator
from mendpix.networks.mpn import MpnNetwork, whole_mask
from mendpix.training.config import ValidationConfig
from mendpix.training.validate import centre_square
from mendpix.types import FloatArray

CLEAN = "clean"
"""Name of the samples without damage."""

GROUPS = (*KINDS, CLEAN)
"""What the samples of one picture are, in order."""

DESTROYED = 0.1
"""Share from which on a pixel counts as destroyed, where it has to be one or the other."""

CHANGED_SHARE = 0.005
"""Share of marked pixels from which on a picture without damage counts as changed."""

CHANGED_PICTURES = 0.01
"""Share of the pictures without damage that may count as changed at the thresholds that are chosen here."""

LARGEST_DB = 60.0
"""PSNR that counts at most, so that a mean is finite where nothing was changed."""

CANDIDATES = tuple(round(0.05 * step, 2) for step in range(1, 20))
"""Thresholds that are tried."""


@dataclass(frozen=True)
class DamageSet:
    """Prepared samples; the first len(GROUPS) belong to the first picture, one of each group, and so on."""

    samples: tuple[Batch, ...]
    """One sample (batch of 1) per picture and group."""
    rows: int
    """How many samples the picture grid shows."""
    full_from: float = 1.0
    """Share from which a pixel counts as wholly destroyed for the network; see the method `damage`."""


def prepare_damage(
    store: PictureStore, config: ValidationConfig, spec: DamageSpec, *, seed: int, edges_sigma: float | None = None,
    full_from: float = 1.0,
) -> DamageSet:  # fmt: skip
    """Cut centre crops and damage them; the same for the same arguments.

    All families of a kind are shown, those too that a recipe keeps from training: what is found of them is news.

    Args:
        store: Held-out pictures.
        config: How many, how large.
        spec: How pictures are damaged, its families and its share of clean samples aside.
        seed: Seed of the damage.
        edges_sigma: Width of the Gaussian, px, of Canny's edges of the pictures without damage (0 = 2); None = none.
        full_from: Share from which a pixel counts as wholly destroyed for the network.
    """
    samples: list[Batch] = []
    for number in range(min(config.pictures, len(store))):
        whole, (top, left) = centre_square(store[number], config.picture_px)
        square = whole[top : top + config.picture_px, left : left + config.picture_px]
        image = np.float32(1 / 255) * square.astype(np.float32)
        for index, group in enumerate(GROUPS):
            rng = np.random.default_rng([seed, 1_000_003, number, index])
            families = tuple(name for name, kind in FAMILIES.items() if kind == group) or spec.families
            own = replace(spec, families=families, clean=1.0 if group == CLEAN else 0.0)
            made = degrade(rng, image, own)
            nothing = np.empty((0, *made.mask.shape), np.float32)
            edges = nothing
            if edges_sigma is not None:
                edges = find_edges(made.clean, edges_sigma or 2.0)[None].astype(np.float32)
            parts = (planes(made.clean), made.mask[None], nothing, edges, planes(made.image), made.destroyed)
            samples.append(Batch(*(part[None] for part in parts)))
    return DamageSet(tuple(samples), config.sample_pictures, full_from)


@torch.no_grad()
def validate_damage(
    trained: Mapping[str, nn.Module],
    chosen: DamageSet,
    *,
    device: torch.device,
    autocast: Callable[[], AbstractContextManager[object]],
) -> tuple[dict[str, float], list[list[FloatArray]]]:
    """Measure the masks that are found, and what is done with them.

    Args:
        trained: `damage`, a mask network; and `generator`, if there is one that fills by its masks.
        chosen: Samples.
        device: Where the network is.
        autocast: Makes the context for lower precision.

    Returns:
        By group and as a mean over the kinds: average precision of the mask of all kinds (`ap`) and of the kind's own
        (`kind_ap`), pixels counting as destroyed from `DESTROYED` on; intersection over union of what is marked above
        0.5 with them (`iou`), and of the continuous masks (`soft_iou`: sum of the smaller over sum of the larger). Of
        the samples without damage: share of pixels marked above 0.5 (`marked`), and of pictures with more than
        `CHANGED_SHARE` of such (`changed`). With a generator also PSNR, dB, of the damaged and the restored picture
        (`psnr_damaged`, `psnr`), and of its edges with those of the picture without damage, given the found mask or the
        true one (`psnr_edges`, `psnr_edges_given`). And rows of pictures: damaged, true mask, found mask, the edges and
        the restored picture if there are any, undamaged.
    """
    network = cast("MpnNetwork", trained["damage"])
    generator = trained.get("generator")
    watched = [one for one in (network, generator) if one is not None]
    was_training = [one.training for one in watched]
    for one in watched:
        one.eval()
    scores: dict[str, list[float]] = {}
    rows: list[list[FloatArray]] = []
    for number, sample in enumerate(chosen.samples):
        group = GROUPS[number % len(GROUPS)]
        with autocast():
            logits = network.logits(torch.from_numpy(sample.damaged).to(device))
        found = torch.sigmoid(logits.float())
        mask = whole_mask(found)[0, 0].cpu().numpy()  # (H, W)
        hole = sample.hole[0, 0]
        if group == CLEAN:
            marked = share_marked(mask)
            scores.setdefault("marked/clean", []).append(marked)
            scores.setdefault("changed/clean", []).append(float(marked > CHANGED_SHARE))
        else:
            there = (hole > DESTROYED).astype(np.float32)
            wanted = np.minimum(hole / np.float32(chosen.full_from), 1)
            shared, either = np.minimum(mask, wanted).sum(), np.maximum(mask, wanted).sum()
            measured = {"iou": iou(mask, there), "soft_iou": float(shared / max(either, 1e-6))}
            if there.any():
                measured["ap"] = average_precision(mask, there)
                if found.shape[1] > 1:
                    measured["kind_ap"] = average_precision(found[0, KINDS.index(group)].cpu().numpy(), there)
            for key, value in measured.items():
                scores.setdefault(f"{key}/{group}", []).append(value)
        more: list[FloatArray] = []
        if isinstance(generator, InformedGenerator):
            with autocast():
                measured, more = _restored(generator, sample, whole_mask(found), device)
            for key, value in measured.items():
                scores.setdefault(f"{key}/{group}", []).append(value)
        if len(rows) < chosen.rows and number % len(GROUPS) == len(rows) % len(GROUPS):
            shown = [np.repeat(one[..., None], 3, axis=2) for one in (hole, mask)]
            rows.append([picture_of(sample.damaged), *shown, *more, picture_of(sample.image)])
    for one, training in zip(watched, was_training, strict=True):
        one.train(training)
    means = {key: float(np.mean(values)) for key, values in scores.items()}
    for key in dict.fromkeys(key.partition("/")[0] for key in means):
        kinds = [means[f"{key}/{group}"] for group in KINDS if f"{key}/{group}" in means]
        means[f"{key}/mean"] = float(np.mean(kinds or [means[f"{key}/{CLEAN}"]]))
    return {f"validation/{key}": value for key, value in means.items()}, rows


def _restored(
    generator: InformedGenerator, sample: Batch, mask: Tensor, device: torch.device
) -> tuple[dict[str, float], list[FloatArray]]:
    """Fill one sample by a found mask (1, 1, H, W); return measures, and pictures of edges and result."""
    damaged, given = (torch.from_numpy(part).to(device) for part in (sample.damaged, sample.hole))
    drawn: list[FloatArray] = []
    filled = damaged
    for hole in (given, mask):
        edges = known_edges(damaged, 1 - whole(hole), generator.config.edges_sigma)
        lines = generator.draw(damaged, hole, edges).float()
        drawn.append(picture_of(lines.expand(-1, 3, -1, -1).cpu().numpy()))
        filled = generator.inpaint(damaged, hole, lines).float().clamp(0, 1) * hole + damaged * (1 - hole)
    truth, result = picture_of(sample.image), picture_of(filled.cpu().numpy())
    true_edges = picture_of(np.repeat(sample.edges, 3, axis=1))
    measured = {
        "psnr_edges_given": psnr(drawn[0], true_edges),
        "psnr_edges": psnr(drawn[1], true_edges),
        "psnr_damaged": psnr(picture_of(sample.damaged), truth),
        "psnr": psnr(result, truth),
    }
    return {key: min(value, LARGEST_DB) for key, value in measured.items()}, [drawn[1], result]


@torch.no_grad()
def choose_thresholds(network: nn.Module, chosen: DamageSet, device: torch.device) -> tuple[float, ...]:
    """Choose for each kind the threshold with the largest intersection over union, among those that leave clean alone.

    Args:
        network: A mask network; its mode is left as it is.
        chosen: Samples; at least one.
        device: Where the network is.

    Returns:
        One of `CANDIDATES` per kind; the highest if none leaves enough pictures alone.
    """
    levels = np.array(CANDIDATES)[:, None, None]
    sums: list[np.ndarray] = []
    changed: list[np.ndarray] = []
    for number, sample in enumerate(chosen.samples):
        found = network(torch.from_numpy(sample.damaged).to(device)).float().cpu().numpy()[0]  # (K, H, W)
        truth = sample.destroyed[0] if len(found) > 1 else sample.hole[0]
        if GROUPS[number % len(GROUPS)] == CLEAN:
            changed.append(np.stack([(one > levels).mean(axis=(1, 2)) > CHANGED_SHARE for one in found]))
            continue
        per_kind: list[np.ndarray] = []
        for one, true in zip(found, truth > DESTROYED, strict=True):
            marked = one > levels  # (T, H, W)
            per_kind.append(np.stack([(marked & true).sum((1, 2)), (marked | true).sum((1, 2))]))
        sums.append(np.stack(per_kind))  # (K, 2, T)
    total = np.sum(sums, axis=0)
    overlap = total[:, 0] / np.maximum(total[:, 1], 1)  # (K, T)
    allowed = np.mean(changed, axis=0) <= CHANGED_PICTURES  # (K, T)
    return tuple(
        CANDIDATES[int(np.argmax(np.where(fine, score, -1)))] if fine.any() else CANDIDATES[-1]
        for score, fine in zip(overlap, allowed, strict=True)
    )


def picture_of(batch: FloatArray) -> FloatArray:
    """Turn (1, 3, H, W) into (H, W, 3)."""
    return np.ascontiguousarray(batch[0].transpose(1, 2, 0), dtype=np.float32)
