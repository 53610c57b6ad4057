"""Compare settings of the exemplar fill on training pictures: what docs/decisions/008-exemplar-fills.md rests on.

    python benchmarks/exemplar_settings.py SHARDS.tar ... [--pictures 64] [--with M.NAME=VALUE[;...]] ...

Fills one silhouette of 3 to 30 % in each of some pictures (256 × 256 px from their middle) and prints one row per
setting: those of the package first, then each `--with`, such as `--with search.POSITION_LIMIT=0.5`; `--models` adds
other models for comparison. Training pictures, because settings must not be chosen on those that the results are
measured on.
"""

import argparse
import importlib
import math
import time
from ast import literal_eval
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from mendpix.data.dataset import PictureStore
from mendpix.data.silhouettes import draw_silhouette
from mendpix.exemplar import exemplar
from mendpix.inference.inpainter import Inpainter
from mendpix.metrics.crops import crop_around_hole
from mendpix.metrics.frechet import Moments, frechet_distance
from mendpix.metrics.squeezenet import CHANNELS, SqueezeNet
from mendpix.metrics.texture import border_gradient, texture_ratio
from mendpix.types import Image, Mask

SIDE_PX = 256
"""Height and width of the pictures."""

SHARES = (0.03, 0.3)
"""Least and most of a picture that is filled; even on a logarithmic scale."""

SEED = 77
"""Seed of pictures, silhouettes and shares."""

Fill = Callable[[Image, Mask], Image]


def cases(sources: Sequence[str], count: int) -> list[tuple[Image, Mask]]:
    """Choose pictures and draw a silhouette into each."""
    store = PictureStore.open(sources, memory_limit_gib=0)
    rng = np.random.default_rng(SEED)
    found: list[tuple[Image, Mask]] = []
    for number in rng.permutation(len(store)):
        pixels = store[int(number)]
        height, width = pixels.shape[:2]
        if min(height, width) < SIDE_PX:
            continue
        top, left = (height - SIDE_PX) // 2, (width - SIDE_PX) // 2
        image = pixels[top : top + SIDE_PX, left : left + SIDE_PX].astype(np.float32) / 255
        share = math.exp(rng.uniform(*(math.log(value) for value in SHARES)))
        found.append((np.ascontiguousarray(image), draw_silhouette(rng, (SIDE_PX, SIDE_PX), share)))
        if len(found) == count:
            break
    return found


def measure(name: str, fill: Fill, chosen: Sequence[tuple[Image, Mask]], network: SqueezeNet) -> str:
    """Fill all cases and return a row of the table."""
    ours, theirs = Moments(CHANNELS), Moments(CHANNELS)
    rows: list[tuple[float, ...]] = []
    for image, hole in chosen:
        started = time.process_time()
        filled = fill(image, hole)
        seconds = time.process_time() - started
        crop, true = crop_around_hole(filled, hole), crop_around_hole(image, hole)
        distance = network.feature_distance(crop, true)
        ours.add(network.pooled(crop))
        theirs.add(network.pooled(true))
        error = float(np.mean(np.square(filled - image, dtype=np.float64)[hole > 0]))
        psnr = -10 * math.log10(max(error, 1e-10))
        rows.append((psnr, 1000 * distance, texture_ratio(filled, hole), border_gradient(filled, hole), seconds))
    psnr, features, _, _, seconds = np.mean(rows, axis=0)
    _, _, texture, border, _ = np.nanmedian(rows, axis=0)
    frechet = frechet_distance(ours.mean, ours.covariance, theirs.mean, theirs.covariance)
    return f"| {name} | {psnr:.2f} | {features:.1f} | {frechet:,.0f} | {texture:.2f} | {border:.2f} | {seconds:.2f} |"


@contextmanager
def changed(settings: str) -> Generator[None]:
    """Set constants of modules of `mendpix.exemplar` for a while."""
    before: list[tuple[object, str, object]] = []
    try:
        for setting in filter(None, settings.split(";")):
            place, _, value = setting.partition("=")
            module_name, _, constant = place.partition(".")
            module = importlib.import_module(f"mendpix.exemplar.{module_name}")
            before.append((module, constant, getattr(module, constant)))
            setattr(module, constant, literal_eval(value))
        yield
    finally:
        for module, constant, value in before:
            setattr(module, constant, value)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+", help="tar shards or folders of training pictures")
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--with", dest="settings", action="append", default=[], metavar="M.NAME=VALUE[;...]")
    parser.add_argument("--models", default="", help="names of other models, separated by commas")
    parser.add_argument("-o", "--out", type=Path, help="also append the table to this file")
    given = parser.parse_args()
    cv2.setNumThreads(1)  # time is processor time of one thread
    chosen = cases(given.sources, given.pictures)
    network = SqueezeNet()

    def tell(row: str) -> None:
        print(row, flush=True)
        if given.out:
            with given.out.open("a", encoding="utf-8") as file:
                file.write(row + "\n")

    tell(f"| {len(chosen)} silhouettes | PSNR in the hole | features | Fréchet | texture | border | CPU s |")
    tell("| --- | --- | --- | --- | --- | --- | --- |")
    for settings in ["", *given.settings]:
        with changed(settings):
            tell(measure(settings or "exemplar", exemplar, chosen, network))
    for model in filter(None, given.models.split(",")):
        mend = Inpainter(model, detector=None, threads=1)

        def fill(image: Image, hole: Mask, mend: Inpainter = mend) -> Image:
            return mend(np.rint(image * 255).astype(np.uint8), hole.astype(np.uint8) * 255).prediction

        tell(measure(model, fill, chosen, network))


if __name__ == "__main__":
    main()
