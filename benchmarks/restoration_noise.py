"""Denoising as inpainting: noise of known strength is found and filled, beside averages, a median and OpenCV's filter.

Used by `restoration.py`. Noise is drawn for each pixel and channel on its own (impulses: for each pixel), clipped and
rounded to 8 bits, as in denoising papers.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

import restoration_cases as cases
from mendpix.atomic_files import atomic_write
from mendpix.data.damage_noise import FULL_NOISE
from mendpix.metrics.psnr import psnr
from mendpix.metrics.ssim import ssim
from mendpix.restoration.presets import NOISE
from mendpix.restoration.restore import CLASSICAL
from mendpix.restoration.sensitivity import mark
from mendpix.types import FloatArray, Image
from restoration_cases import DESTROYED, SEED, Named, Row, Rows
from restoration_damaged import FOLDERS

EVERY = 8
"""Every so many-th picture is taken."""

TUNED_ON = 8
"""Training pictures on which the strength of OpenCV's filter is chosen, for each noise."""

STRENGTHS = (3, 5, 8, 12, 17, 24, 34, 48, 68)
"""Strengths `h` of OpenCV's filter that are tried."""

FILL = "scenes"
"""What fills: pixel noise leaves nothing to copy, and `auto` chooses it too."""

Kind = Literal["gaussian", "impulses", "speckle"]


@dataclass(frozen=True)
class Noise:
    """Noise of one kind and strength."""

    kind: Kind
    amount: float
    """Standard deviation, of 255, or, of speckle, of the factor; share of pixels, for impulses."""

    @property
    def name(self) -> str:
        """What tables call it."""
        if self.kind == "gaussian":
            return f"Gaussian, σ = {self.amount:g}"
        return f"salt and pepper, {self.amount:.0%}" if self.kind == "impulses" else f"speckle, σ = {self.amount:g}"


NOISES = (
    *(Noise("gaussian", amount) for amount in (10, 25, 50)),
    *(Noise("impulses", amount) for amount in (0.05, 0.2, 0.5)),
    *(Noise("speckle", amount) for amount in (0.1, 0.3)),
)
"""What is measured."""


@dataclass(frozen=True)
class NoiseCase:
    """One picture with one noise. Can be sent to other processes."""

    key: str
    noise: Noise
    picture: Named


def add_noise(rng: np.random.Generator, image: Image, noise: Noise) -> tuple[Image, FloatArray]:
    """Add noise, and tell how much of each pixel it destroys.

    Args:
        rng: Source of all randomness.
        image: RGB in [0, 1], shape (H, W, 3).
        noise: What to add.

    Returns:
        The noisy picture in steps of 1/255, and the share destroyed, shape (H, W): of impulses 1, of what is added the
        change of the strongest channel by `FULL_NOISE`, at most 1.
    """
    if noise.kind == "impulses":
        lot = rng.random(image.shape[:2])
        value = np.where(lot < noise.amount / 2, 0, 1).astype(np.float32)
        hit = lot < noise.amount
        return np.where(hit[..., None], value[..., None], image).astype(np.float32), hit.astype(np.float32)
    drawn = rng.standard_normal(image.shape, np.float32)
    amount = np.float32(noise.amount)
    added = drawn * amount / np.float32(255) if noise.kind == "gaussian" else image * drawn * amount
    noisy = cases.to_unit(cases.to_levels(np.asarray(image + added, np.float32)))
    change = np.abs(noisy - image).max(axis=2)
    return noisy, np.minimum(change / np.float32(FULL_NOISE), 1).astype(np.float32)


def filters() -> dict[str, Callable[[Image], Image]]:
    """Give the filters that need no tuning, by name."""
    return {
        "mean 3 × 3": lambda picture: cases.to_unit(cv2.blur(cases.to_levels(picture), (3, 3))),  # pyright: ignore[reportArgumentType]
        "mean 5 × 5": lambda picture: cases.to_unit(cv2.blur(cases.to_levels(picture), (5, 5))),  # pyright: ignore[reportArgumentType]
        "median 3 × 3": lambda picture: cases.to_unit(cv2.medianBlur(cases.to_levels(picture), 3)),  # pyright: ignore[reportArgumentType]
        "median 5 × 5": lambda picture: cases.to_unit(cv2.medianBlur(cases.to_levels(picture), 5)),  # pyright: ignore[reportArgumentType]
    }


def fast_means(picture: Image, strength: float) -> Image:
    """Run OpenCV's non-local means for colour pictures, with its default windows."""
    smooth = cv2.fastNlMeansDenoisingColored(cases.to_levels(picture), None, strength, strength)
    return cases.to_unit(np.asarray(smooth, np.uint8))


def tune(shared: Path, report: Path) -> dict[str, float]:
    """Choose the strength of OpenCV's filter for each noise: the best mean PSNR over some training pictures."""
    stored = report / "noise-strengths.json"
    key = cases.mark_of_bytes(repr((NOISES, STRENGTHS, TUNED_ON, SEED, cv2.__version__)).encode())
    if stored.exists():
        known = json.loads(stored.read_text(encoding="utf-8"))
        if known["mark"] == key:
            return known["strengths"]
    cv2.setNumThreads(1)
    pictures = [image for _, image in cases.training_pictures(shared, TUNED_ON)]
    chosen: dict[str, float] = {}
    for number, noise in enumerate(NOISES):
        rng = np.random.default_rng((SEED, 98, number))
        noisy = [add_noise(rng, image, noise)[0] for image in pictures]
        means: dict[float, float] = {}
        for strength in STRENGTHS:  # one peak: what falls does not rise again
            pairs = zip(noisy, pictures, strict=True)
            means[strength] = float(np.mean([psnr(fast_means(one, strength), image) for one, image in pairs]))
            if means[strength] < max(means.values()) - 0.5:
                break
        chosen[noise.name] = max(means, key=means.__getitem__)
        print(f"noise: {noise.name}: h = {chosen[noise.name]:g}", flush=True)
    report.mkdir(parents=True, exist_ok=True)
    with atomic_write(stored) as temporary:
        temporary.write_text(json.dumps({"mark": key, "strengths": chosen}, indent=2) + "\n", encoding="utf-8")
    return chosen


def measure(case: NoiseCase, finder: str, strengths: dict[str, float]) -> Row:
    """Denoise one case in every way."""
    clean = cases.read(case.picture)
    rng = np.random.default_rng((SEED, 97, NOISES.index(case.noise), case.picture.number))
    noisy, destroyed = add_noise(rng, clean, case.noise)
    truth = (destroyed >= DESTROYED).astype(np.float32)
    quality: dict[str, dict[str, float]] = {}
    shares: dict[str, float] = {"true": float(truth.mean())}

    def judge(name: str, picture: Image) -> None:
        quality[name] = {"psnr": psnr(picture, clean), "ssim": ssim(picture, clean)}

    judge("noisy", noisy)
    for name, filter_ in filters().items():
        judge(name, filter_(noisy))
    judge("fastNlMeans", fast_means(noisy, strengths[case.noise.name]))
    for name, who in (("network", finder), (CLASSICAL, CLASSICAL)):
        marked = mark(cases.evidence(who, noisy, NOISE), exact=True)
        shares[name] = float(marked.mean())
        judge(name, cases.filled(noisy, marked, FILL))
    judge("true", cases.filled(noisy, truth, FILL))
    return {"key": case.key, "noise": case.noise.name, "quality": quality, "shares": shares}


def list_cases(shared: Path, limit: int | None = None) -> list[NoiseCase]:
    """List all cases, or so many of each noise."""
    pictures = cases.spread(cases.validation_pictures(shared, FOLDERS)[::EVERY], limit)
    return [NoiseCase(f"{noise.name}/{picture.key}", noise, picture) for noise in NOISES for picture in pictures]


def measure_all(
    shared: Path, report: Path, finder: str, workers: int, limit: int | None = None
) -> dict[str, Sequence[Row]]:
    """Measure what is missing, and return the rows of each noise."""
    strengths = tune(shared, report)
    listed = list_cases(shared, limit)
    mark_ = cases.mark_of("noise", Path(finder), NOISES, strengths, FILL, SEED, DESTROYED)
    rows = Rows(report / "noise.jsonl", mark_)
    work = partial(measure, finder=finder, strengths=strengths)
    found = cases.fill_up(rows, listed, [case.key for case in listed], work, workers, "noise")
    return {noise.name: [row for row in found if row["noise"] == noise.name] for noise in NOISES}
