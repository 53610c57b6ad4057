"""Redraw figures of the GDN paper with trained models of one's own: run them, measure, and write PNG files and a page.

What each figure shows is `paper_figures`'s; where models and pictures come from is `figure_inputs`'s. No torch.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mendpix.atomic_files import atomic_write
from mendpix.engines.interface import DetectorEngine, Engine
from mendpix.errors import InputError, OutputError
from mendpix.evaluation.figure_inputs import NEEDS, SIZE_PX, ModelFile, Pairs, find_models, spread
from mendpix.evaluation.figure_page import Words, write_page
from mendpix.evaluation.figure_parts import Figure, Row, Table
from mendpix.evaluation.figure_sheet import draw_sheet
from mendpix.evaluation.paper_figures import FIGURES, Numbers, Shot, mean_numbers
from mendpix.inference import sizing
from mendpix.inference.stages import Stages
from mendpix.types import Image, Mask, Progress
from mendpix.weights.locate import open_detector, open_generator

ROWS = 3
"""Rows of a figure unless the caller says otherwise."""

PAGE = "index.html"

PAPER = "Zhang, Quan, Wu, Li, Yan: Pixel-wise Dense Detector for Image Inpainting (2020), arXiv:2011.02293"
PAPER_ADDRESS = "https://arxiv.org/abs/2011.02293"

DETECTOR = "det-detector"

DRAW_FROM = 0.95
"""Share of the progress at which all models have run."""


@dataclass(frozen=True)
class Report:
    """What was written, and what it says."""

    page: Path
    """The HTML page."""
    sheets: dict[int, Path]
    """PNG file by number of the figure."""
    pairs: int
    """Pairs of picture and mask that the means are over."""
    rows: int
    """How many of them are shown."""
    means: dict[int, dict[str, float]]
    """Means over the pairs, by figure and name; shares and maps in [0, 1]."""
    models: tuple[ModelFile, ...]
    """The model files used."""


def write_report(
    models: str | os.PathLike[str],
    out: str | os.PathLike[str],
    pictures: Sequence[str | os.PathLike[str]],
    masks: str | os.PathLike[str],
    *,
    figures: Sequence[int] | None = None,
    rows: int = ROWS,
    title: str | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Write figures 3, 6 and 7 of the paper for a folder of models: `figure-<number>.png` and `index.html`.

    Every picture is brought to 256 × 256 and paired with one mask, both in the order of their names; all pairs are
    measured, and those at equal distances in that order are shown. The same input gives the same files.

    Args:
        models: Folder with `linear.onnx`, `base-e.onnx`, `det.onnx` (figure 3), `weight.onnx`, `adv.onnx`, `det.onnx`
            (figure 6), `det.onnx`, `det-detector.onnx` (figure 7).
        out: Folder to write into; made if it is not there.
        pictures: Folders, files, list files or tar shards.
        masks: Folder of black and white files, white = hole.
        figures: Numbers of the figures wanted; None = all three.
        rows: How many pairs are shown, at most.
        title: Title of the page; None = one that names the paper.
        threads: Threads for one run of a model; None = one per core.
        progress: Told now and then how much is done; what it raises stops the work.

    Raises:
        ModelError: If a model is missing or cannot be used; says which figures can be made.
        DataError: If pictures or masks are missing or broken.
        InputError: If a figure or the number of rows makes no sense.
        OutputError: If a file cannot be written.
    """
    if rows < 1:
        raise InputError(f"rows must be at least 1; got {rows}. Leave it away for {ROWS}.")
    chosen, found = find_models(Path(models), figures)
    pairs = Pairs.open(pictures, masks)
    folder = _make_folder(Path(out))
    stage = Stages(progress)
    stage.enter(0.0, 0.02, 1, "opening the models")
    detector = open_detector(found[DETECTOR].path, threads=threads) if DETECTOR in found else None
    generators = {name: open_generator(one.path, threads=threads) for name, one in found.items() if name != DETECTOR}
    measured, drawn = _run(pairs, chosen, spread(len(pairs), rows), generators, detector, stage)
    stage.enter(DRAW_FROM, 1.0, len(chosen) + 1, "drawing")
    ready: list[Figure] = []
    files: dict[Path, bytes] = {}
    for number in chosen:
        made = FIGURES[number].assemble(number, drawn[number], measured[number], len(pairs))
        ready.append(made)
        files[folder / f"figure-{number}.png"] = draw_sheet(made, _foot([found[name] for name in NEEDS[number]]))
        stage.advance(1)
    words = _words(title or _title(chosen), pairs, len(drawn[chosen[0]]), tuple(found.values()))
    files[folder / PAGE] = write_page(ready, words).encode("utf-8")
    for path, content in files.items():
        with atomic_write(path) as temporary:
            temporary.write_bytes(content)
    stage.advance(1)
    return Report(
        page=folder / PAGE,
        sheets={number: folder / f"figure-{number}.png" for number in chosen},
        pairs=len(pairs),
        rows=len(drawn[chosen[0]]),
        means={number: dict(measured[number]) for number in chosen},
        models=tuple(found.values()),
    )


def take(
    names: tuple[str, str],
    target: Image,
    hole: Mask,
    generators: Mapping[str, Engine],
    detector: DetectorEngine | None,
) -> Shot:
    """Let every model fill one hole, and the detector look at det's raw prediction and at the picture itself.

    The whole picture goes through at once: the paper's networks look at all of it (instance norm).

    Args:
        names: Of the picture and of its mask.
        target: RGB in [0, 1], shape (H, W, 3). Not written to.
        hole: 1 = hole, 0 = known, shape (H, W).
        generators: What fills, by name.
        detector: What looks, or None.
    """
    known = np.where(hole[..., None] > 0, np.float32(0), target)  # no model sees what it must find
    predictions = {name: sizing.fill(engine, known, hole) for name, engine in generators.items()}
    result_map = target_map = None
    if detector is not None:
        result_map, target_map = sizing.detect(detector, predictions["det"]), sizing.detect(detector, target)
    return Shot(*names, target, hole, predictions, result_map, target_map)


def _run(
    pairs: Pairs,
    figures: Sequence[int],
    shown: Sequence[int],
    generators: Mapping[str, Engine],
    detector: DetectorEngine | None,
    stage: Stages,
) -> tuple[dict[int, Numbers], dict[int, list[Row]]]:
    """Take and measure every pair, and draw those that are shown; nothing else is kept of a pair."""
    stage.enter(0.02, DRAW_FROM, len(pairs), "filling")
    measured: dict[int, list[Numbers]] = {number: [] for number in figures}
    drawn: dict[int, list[Row]] = {number: [] for number in figures}
    for index, (target, hole) in enumerate(pairs):
        shot = take(pairs.name(index), target, hole, generators, detector)
        for number in figures:
            numbers = FIGURES[number].measure(shot)
            measured[number].append(numbers)
            if index in shown:
                drawn[number].append(FIGURES[number].draw(shot, numbers))
        stage.advance(1)
    return {number: mean_numbers(kept) for number, kept in measured.items()}, drawn


def _make_folder(folder: Path) -> Path:
    """Make the folder before the long work, so that this does not end in a refusal."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"results go into a folder; {folder} cannot be one ({error.strerror or error}). Choose another place."
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"results go into a folder that takes files; {folder} is write-protected. Choose another.")
    for name in (PAGE, *(f"figure-{number}.png" for number in FIGURES)):
        if (folder / name).is_dir():
            raise OutputError(f"{name} is written into {folder}; there is a folder of that name. Choose another.")
    return folder


def _title(figures: Sequence[int]) -> str:
    numbers = [str(number) for number in figures]
    listed = f"s {', '.join(numbers[:-1])} and {numbers[-1]}" if len(numbers) > 1 else f" {numbers[0]}"
    return f"Figure{listed} of the GDN paper, drawn anew"


def _foot(models: Sequence[ModelFile]) -> str:
    listed = ", ".join(f"{model.path.name} ({model.sha256[:8]})" for model in models)
    return f"After Zhang et al. 2020, arXiv 2011.02293. Models: {listed}."


def _words(title: str, pairs: Pairs, shown: int, models: Sequence[ModelFile]) -> Words:
    """Write the text around the figures: what was used, so that somebody else can make them again."""
    import onnxruntime  # as in engines/onnx.py: only what runs models pays for it

    of_pictures, of_masks = pairs.content_hashes()
    names = [pairs.name(index) for index in spread(len(pairs), shown)]
    files = tuple((model.path.name, f"{model.size_bytes / 1e6:.2f} MB", model.sha256) for model in models)
    return Words(
        title=title,
        lead=(
            "The paper's figures, drawn anew in its layout with other models and other pictures. They show what these "
            "models do, good or bad: the rows are chosen by number, not by looks.",
        ),
        link=(PAPER_ADDRESS, PAPER),
        models=Table(("model file", "size", "SHA-256, first digits"), files),
        made=(
            (
                "Pictures and masks",
                (
                    f"{len(pairs)} pictures, each with one mask: both sorted by name, masks starting anew when they "
                    f"run out. Shown are {shown}, at equal distances in that order: "
                    f"{'; '.join(f'{picture} with {mask}' for picture, mask in names)}.",
                    f"Everything is {SIZE_PX} × {SIZE_PX} px: the short side brought to it by area averaging, then the "
                    "centre; what has that size already is left as it is. Masks are resized so that no hole is lost.",
                    f"SHA-256, first digits: pictures {of_pictures}, masks {of_masks}.",
                ),
            ),
            (
                "Models and software",
                (
                    "Each model fills the whole picture at once, the hole's content removed before; on the CPU.",
                    f"ONNX Runtime {onnxruntime.__version__}; made with: mendpix report.",
                    "Photos inside this page are stored as WebP of high quality. All numbers were computed before.",
                ),
            ),
        ),
    )
