"""The paper's Table 2 in shape: edges drawn by the edge network alone, with a mask network beside it, and jointly.

Used by `restoration.py`. All runs have the same small networks and the same processor time, of which the mask network
takes the same first share; what differs is what the edge network learns on. Each run is measured with the true mask
and with the one that its mask network finds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import cast

import numpy as np
import torch

import restoration_cases as cases
import restoration_training
from mendpix.data.degrade import DamageSpec, degrade
from mendpix.edges import find_edges
from mendpix.metrics.psnr import psnr
from mendpix.metrics.ssim import ssim
from mendpix.networks.edgeconnect import known_edges
from mendpix.networks.epn import HALF_DESTROYED, whole
from mendpix.networks.informed import InformedGenerator
from mendpix.networks.mpn import MpnNetwork, whole_mask
from mendpix.training.checkpoint import load_network
from mendpix.training.config import Recipe
from mendpix.training.recipes import load_recipe
from mendpix.types import FloatArray, Image
from restoration_cases import SEED, Named, Row, Rows
from restoration_damaged import FOLDERS

EVERY = 6
"""Every so many-th picture is taken."""

RUNS: dict[str, dict[str, float | bool]] = {
    "alone": {"mask_share": 0.4, "alone_share": 0.6, "joint_share": 0.0},
    "borrowed": {"mask_share": 0.4, "alone_share": 0.3, "joint_share": 0.3, "mask_gradients": False},
    "joint": {"mask_share": 0.4, "alone_share": 0.3, "joint_share": 0.3, "mask_gradients": True},
}
"""Run -> its phases: edges on true masks alone; then on found masks, without and with the mask network learning."""

MASKS = ("true", "found")
"""Whose mask the edge network is given."""

SPEC = DamageSpec(clean=0.0)
"""How pictures are damaged: as in training, but each of them."""

MOST_DB = 60.0
"""PSNR that counts at most: where nothing is destroyed, the edges are right everywhere."""


@dataclass(frozen=True)
class EdgeCase:
    """One picture for one run. Can be sent to other processes."""

    key: str
    run: Path
    picture: Named


def recipe_of(root: Path, shared: Path, run: str) -> Recipe:
    """Make the recipe of a run: the paper's pipeline in small, which ends before the fill network would learn."""
    recipe = restoration_training.prepared(load_recipe(root / "recipes" / "informed-small.toml"), shared)
    assert recipe.method is not None
    method = replace(recipe.method, options={**recipe.method.options, **RUNS[run]})
    return replace(recipe, name=f"edges-{run}", method=method)


def compare(drawn: FloatArray, wanted: FloatArray, inside: FloatArray) -> dict[str, float]:
    """Compare two edge maps in [0, 1], shape (H, W), in the whole picture and in the mask.

    In the mask: PSNR of its pixels alone; SSIM of the picture that has the right edges everywhere else.

    Args:
        drawn: Edges that were drawn.
        wanted: Canny's edges of the picture without damage.
        inside: 1 = in the mask.
    """
    pasted = np.where(inside > 0, drawn, wanted)
    found = {"psnr": psnr(_picture(drawn), _picture(wanted), most_db=MOST_DB)}
    found["ssim"] = ssim(_picture(drawn), _picture(wanted))
    there = inside > 0
    if there.any():
        column = drawn[there][:, None, None].repeat(3, axis=2), wanted[there][:, None, None].repeat(3, axis=2)
        found["psnr_inside"] = psnr(*column, most_db=MOST_DB)
        found["ssim_inside"] = ssim(_picture(pasted), _picture(wanted))
    return found


@torch.no_grad()
def measure(case: EdgeCase) -> Row:
    """Draw the edges of one damaged picture, given the true mask and the found one."""
    damage, generator = _open(case.run)
    image = cases.read(case.picture)
    made = degrade(np.random.default_rng((SEED, 96, case.picture.number)), image, SPEC)
    sigma = generator.config.edges_sigma
    wanted = find_edges(made.clean, sigma).astype(np.float32)
    picture = torch.from_numpy(np.ascontiguousarray(made.image.transpose(2, 0, 1)))[None]
    true = torch.from_numpy(made.mask)[None, None]
    found = whole_mask(damage(picture))
    inside = (made.mask >= HALF_DESTROYED).astype(np.float32)
    row: Row = {"key": case.key, "run": case.run.name, "share": float(inside.mean()), "edges": {}}
    for name, hole in zip(MASKS, (true, found), strict=True):
        edges = known_edges(picture, 1 - whole(hole), sigma)
        drawn = generator.draw(picture, hole, edges)[0, 0].clamp(0, 1).numpy()
        row["edges"][name] = compare(drawn, wanted, inside)
    untouched = find_edges(made.image, sigma).astype(np.float32)
    row["edges"]["damaged"] = compare(untouched, wanted, inside)
    row["steps"] = restoration_training.steps_of(case.run)
    return row


def measure_all(
    root: Path, shared: Path, work: Path, minutes: float, workers: int, limit: int | None = None
) -> Sequence[Row]:
    """Train what is missing, measure what is missing, and return the rows."""
    recipes = [recipe_of(root, shared, run) for run in RUNS]
    runs = [restoration_training.folder_of(work, "edges", minutes) / recipe.name for recipe in recipes]
    restoration_training.train_all(list(zip(recipes, runs, strict=True)), minutes, workers)
    pictures = cases.spread(cases.validation_pictures(shared, FOLDERS)[::EVERY], limit)
    listed = [EdgeCase(f"{run.name}/{picture.key}", run, picture) for run in runs for picture in pictures]
    rows = Rows(work / "edges.jsonl", cases.mark_of("edges", minutes, recipes, SEED))
    return cases.fill_up(rows, listed, [case.key for case in listed], measure, workers, "edges")


@cache
def _open(run: Path) -> tuple[MpnNetwork, InformedGenerator]:
    cases.one_thread()
    torch.set_num_threads(1)
    return (
        cast("MpnNetwork", load_network(run, "damage")),
        cast("InformedGenerator", load_network(run, "generator")),
    )


def _picture(plane: FloatArray) -> Image:
    return np.ascontiguousarray(np.repeat(plane[..., None], 3, axis=2))
