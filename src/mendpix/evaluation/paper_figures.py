"""Figures 3, 6 and 7 of Zhang et al. 2020 (https://arxiv.org/abs/2011.02293): what each measures and shows of a pair.

Knows nothing of files, of running models, or of how a figure is drawn.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mendpix.edges import GREY_WEIGHTS, HIGH, LOW, Edges, find_edges
from mendpix.evaluation.figure_parts import (
    Cell,
    Figure,
    Pixels,
    Row,
    Table,
    cut,
    frame,
    heat_overlay,
    hottest_square,
    mend,
    punch,
    round_to_file,
    to_pixels,
)
from mendpix.masks import hole_share
from mendpix.metrics.edges import edge_ratio
from mendpix.metrics.l1 import l1
from mendpix.metrics.psnr import psnr
from mendpix.metrics.ssim import ssim
from mendpix.types import Image, Map, Mask

SIGMA_PX = 1.0
"""Width of Canny's Gaussian in figure 3, px."""

ZOOM_PX = 64
"""Side of the square that figure 6 magnifies, px."""

HOT_PX = 48
"""Side of the square that figure 7 marks, px."""

WEIGHTINGS = {"linear": "Linear", "base-e": "Base e", "det": "Base 10"}
"""Models of figure 3, by the weight map that they were trained with: 1 + V, e^V, 10^V."""

FRAMEWORKS = {"weight": "Weight", "adv": "Adv", "det": "Det"}
"""Models of figure 6."""

PAPER_RATIOS = ("10.14 %", "8.61 %", "8.72 %", "9.39 %")
"""Edge ratios that the paper prints under its figure 3: ground truth, linear, e, 10."""

COMPOSITES = (
    "Shown and measured are composites, as in the paper's program: known pixels of the picture, the hole from the "
    "model, rounded to 8 bits."
)

Numbers = Mapping[str, float]
"""What was measured of one pair, or its mean over the pairs, by name."""


@dataclass(frozen=True, eq=False)
class Shot:
    """One picture, its hole, and what the models made of it."""

    picture: str
    mask: str
    target: Image = field(repr=False)
    """The picture itself, shape (H, W, 3)."""
    hole: Mask = field(repr=False)
    """1 = hole, 0 = known, shape (H, W)."""
    predictions: Mapping[str, Image] = field(repr=False)
    """Raw prediction of the whole picture, by model."""
    result_map: Map | None = field(default=None, repr=False)
    """The detector's map of det's raw prediction, shape (H, W)."""
    target_map: Map | None = field(default=None, repr=False)
    """The detector's map of the picture itself."""

    @property
    def caption(self) -> str:
        """Names of picture and mask."""
        return f"{self.picture}, mask {self.mask}"


@dataclass(frozen=True)
class PaperFigure:
    """One figure: how a pair is measured and drawn, how the means are tabulated, and the words around it."""

    title: str
    columns: tuple[str, ...]
    caption: str
    made: tuple[str, ...]
    measure: Callable[[Shot], Numbers]
    draw: Callable[[Shot, Numbers], Row]
    tabulate: Callable[[Numbers, int], Table]
    """Takes the means and the number of pairs that they are over."""
    has_heat: bool = False

    def assemble(self, number: int, rows: Sequence[Row], means: Numbers, pairs: int) -> Figure:
        """Put rows and means together."""
        table = self.tabulate(means, pairs)
        return Figure(number, self.title, self.columns, tuple(rows), table, self.caption, self.made, self.has_heat)


def mean_numbers(measured: Sequence[Numbers]) -> Numbers:
    """Average each number over the pairs."""
    return {name: float(np.mean([numbers[name] for numbers in measured])) for name in measured[0]}


# ----------------------------------------------------------------------------------------------------------------------
# Figure 3: edges


def measure_edges(shot: Shot) -> Numbers:
    """Compute the edge ratios of the picture, of each composite, of its hole alone, and of each raw prediction."""
    numbers = _edge_shares("target", shot.target, shot.hole)
    for name in WEIGHTINGS:
        numbers |= _edge_shares(name, mend(shot.target, shot.predictions[name], shot.hole), shot.hole)
        numbers[f"{name}_raw"] = edge_ratio(round_to_file(shot.predictions[name]), SIGMA_PX)
    return numbers


def draw_edges(shot: Shot, numbers: Numbers) -> Row:
    """Show every picture, its edge ratio, and its edges below."""
    target_edges = find_edges(shot.target, SIGMA_PX)
    known_edges = target_edges & (shot.hole == 0)
    shown = [
        Cell(to_pixels(shot.target), f"Ground truth: {shot.picture}", _edge_notes(numbers, "target")),
        Cell(punch(shot.target, shot.hole), f"The same with its hole in white: mask {shot.mask}", _missing(shot)),
    ]
    edges = [
        Cell(edge_picture(target_edges, shot.hole), "Edges of the ground truth"),
        Cell(edge_picture(known_edges, shot.hole), "Edges of the ground truth that the models were given"),
    ]
    for name, title in WEIGHTINGS.items():
        filled = mend(shot.target, shot.predictions[name], shot.hole)
        shown.append(Cell(to_pixels(filled), f"{title}: the hole filled", _edge_notes(numbers, name)))
        edges.append(Cell(edge_picture(find_edges(filled, SIGMA_PX), shot.hole), f"{title}: edges"))
    return Row(shot.caption, (tuple(shown), tuple(edges)))


def tabulate_edges(means: Numbers, pairs: int) -> Table:
    """List the mean edge ratios."""
    names = ("target", *WEIGHTINGS)
    lines = (
        ("composite, whole picture", *(_percent(means[name], 2) for name in names)),
        ("composite, hole alone", *(_percent(means[f"{name}_hole"], 2) for name in names)),
        ("raw prediction, whole picture", "", *(_percent(means[f"{name}_raw"], 2) for name in WEIGHTINGS)),
        ("the one example of the paper", *PAPER_RATIOS),
    )
    return Table((f"edge pixels, mean of {_pairs(pairs)}", "Ground truth", *WEIGHTINGS.values()), lines)


def edge_picture(edges: Edges, hole: Mask) -> Pixels:
    """Draw edges in black on white, those in the hole in red on pale grey."""
    inside = hole > 0
    drawn = np.full((*edges.shape, 3), 255, np.uint8)
    drawn[inside] = (228, 231, 238)
    drawn[edges] = (20, 20, 20)
    drawn[edges & inside] = (205, 15, 40)
    return drawn


def _edge_shares(name: str, image: Image, hole: Mask) -> dict[str, float]:
    edges = find_edges(image, SIGMA_PX)
    return {name: float(edges.mean()), f"{name}_hole": float(edges[hole > 0].mean())}


def _edge_notes(numbers: Numbers, name: str) -> tuple[str, str]:
    return _percent(numbers[name], 2), f"in the hole {_percent(numbers[f'{name}_hole'], 1)}"


# ----------------------------------------------------------------------------------------------------------------------
# Figure 6: frameworks


def measure_frameworks(shot: Shot) -> Numbers:
    """Compare each composite with the picture."""
    numbers: dict[str, float] = {}
    for name in FRAMEWORKS:
        filled = mend(shot.target, shot.predictions[name], shot.hole)
        for measure, function in {"psnr": psnr, "ssim": ssim, "l1": l1}.items():
            numbers[f"{name}_{measure}"] = function(filled, shot.target)
    return numbers


def draw_frameworks(shot: Shot, numbers: Numbers) -> Row:
    """Show every picture, and below it, magnified, the square in which the three fills differ most."""
    filled = {name: mend(shot.target, shot.predictions[name], shot.hole) for name in FRAMEWORKS}
    box = most_different_square(list(filled.values()), shot.hole, ZOOM_PX)
    pictures: list[tuple[str, Pixels, tuple[str, ...]]] = [
        ("Masked input", punch(shot.target, shot.hole), _missing(shot))
    ]
    for name, title in FRAMEWORKS.items():
        notes = (f"{numbers[f'{name}_psnr']:.2f} dB", f"SSIM {numbers[f'{name}_ssim']:.3f}")
        pictures.append((title, to_pixels(filled[name]), notes))
    pictures.append(("Ground truth", to_pixels(shot.target), ()))
    shown = tuple(Cell(frame(pixels, box), f"{title}: {shot.picture}", notes) for title, pixels, notes in pictures)
    close = tuple(Cell(cut(pixels, box), f"{title}: the marked square, magnified") for title, pixels, _ in pictures)
    return Row(shot.caption, (shown, close))


def tabulate_frameworks(means: Numbers, pairs: int) -> Table:
    """List the mean differences from the pictures."""
    lines = tuple(
        (title, *(f"{means[f'{name}_{measure}']:.{digits}f}" for name in FRAMEWORKS))
        for measure, title, digits in (
            ("psnr", "PSNR, dB (more is better)", 2),
            ("ssim", "SSIM (more is better)", 4),
            ("l1", "l1, % (less is better)", 3),
        )
    )
    return Table((f"composites, mean of {_pairs(pairs)}", *FRAMEWORKS.values()), lines)


def most_different_square(fills: Sequence[Image], hole: Mask, side: int) -> tuple[int, int, int]:
    """Find the square in which some fills of one hole differ most; the fullest of hole if they are all the same."""
    stacked = np.stack(fills)
    spread = (stacked.max(axis=0) - stacked.min(axis=0)).mean(axis=2) * hole
    return hottest_square(spread if spread.any() else hole, side)


# ----------------------------------------------------------------------------------------------------------------------
# Figure 7: valuations


def measure_valuations(shot: Shot) -> Numbers:
    """Average both maps over hole and known pixels, and tell whether the hottest square lies mostly in the hole."""
    result_map, target_map = _maps(shot)
    inside = shot.hole > 0
    top, left, side = hottest_square(result_map, HOT_PX)
    return {
        "result_hole": float(result_map[inside].mean()),
        "result_known": float(result_map[~inside].mean()),
        "target_hole": float(target_map[inside].mean()),
        "target_known": float(target_map[~inside].mean()),
        "hottest_in_hole": float(shot.hole[top : top + side, left : left + side].mean() > 0.5),
    }


def draw_valuations(shot: Shot, numbers: Numbers) -> Row:
    """Show the raw prediction and the picture, each with the detector's map over it."""
    result_map, target_map = _maps(shot)
    result = shot.predictions["det"]
    box = hottest_square(result_map, HOT_PX)
    cells = (
        Cell(punch(shot.target, shot.hole), f"Masked input: {shot.picture}, mask {shot.mask}", _missing(shot)),
        Cell(frame(to_pixels(result), box), "Result of det, its hottest square marked"),
        Cell(
            frame(heat_overlay(result, result_map), box),
            "The detector's map of the result",
            _map_notes(numbers, "result"),
        ),
        Cell(to_pixels(shot.target), f"Ground truth: {shot.picture}"),
        Cell(
            heat_overlay(shot.target, target_map),
            "The detector's map of the ground truth",
            _map_notes(numbers, "target"),
        ),
    )
    return Row(shot.caption, (cells,))


def tabulate_valuations(means: Numbers, pairs: int) -> Table:
    """List the mean of both maps in and outside the hole."""
    lines = tuple(
        (title, *(f"{means[f'{name}_{where}']:.3f}" for where in ("hole", "known")))
        for name, title in (("result", "M(Res)"), ("target", "M(GT)"))
    )
    hits = round(means["hottest_in_hole"] * pairs)
    last = ("hottest square of M(Res) mostly in the hole", f"{hits} of {pairs}", "")
    return Table((f"mean of the map over {_pairs(pairs)}", "in the hole", "known pixels"), (*lines, last))


def _maps(shot: Shot) -> tuple[Map, Map]:
    assert shot.result_map is not None
    assert shot.target_map is not None
    return shot.result_map, shot.target_map


def _map_notes(numbers: Numbers, name: str) -> tuple[str, str]:
    return f"in the hole {numbers[f'{name}_hole']:.2f}", f"known pixels {numbers[f'{name}_known']:.2f}"


# ----------------------------------------------------------------------------------------------------------------------


def _percent(share: float, digits: int = 1) -> str:
    return f"{share * 100:.{digits}f} %"


def _pairs(count: int) -> str:
    return "1 pair" if count == 1 else f"{count} pairs"


def _missing(shot: Shot) -> tuple[str]:
    return (f"{_percent(hole_share(shot.hole))} missing",)


FIGURES: Mapping[int, PaperFigure] = {
    3: PaperFigure(
        title="Edges by weight map",
        columns=("Ground truth", "Masked input", *WEIGHTINGS.values()),
        caption=(
            "The same generator trained with three weight maps over the detector's valuation V: 1 + V (linear), e^V "
            "and 10^V. Under each picture the share of its pixels that are edges, below it the edges: black where the "
            "picture was known, red in the hole. A blurred fill has fewer edges than the ground truth; one with seams, "
            "patterns or grain of its own can have more."
        ),
        made=(
            COMPOSITES,
            f"Edges: Canny with σ = {SIGMA_PX:g} px on grey ({', '.join(f'{weight:g}' for weight in GREY_WEIGHTS)} of "
            f"R, G, B); thresholds {LOW:g} and {HIGH:g} on the norm of Sobel differences (1, 2, 1) of a picture in "
            "[0, 1]; ridges by interpolation along the gradient; hysteresis over 8-connected pieces. These are the "
            "defaults of scikit-image's canny; the paper does not name its thresholds.",
            "The edge ratio is edge pixels by all pixels; for the hole alone, edge pixels in the hole by pixels in the "
            "hole. Means are over every pair given, shown or not.",
        ),
        measure=measure_edges,
        draw=draw_edges,
        tabulate=tabulate_edges,
    ),
    6: PaperFigure(
        title="Three frameworks, one generator",
        columns=("Masked input", *FRAMEWORKS.values(), "Ground truth"),
        caption=(
            "The same generator trained by a fixed weight on the hole (Weight), against a discriminator (Adv), and "
            "against the dense detector (Det). The red square is magnified below: where the three differ most."
        ),
        made=(
            COMPOSITES,
            f"The square ({ZOOM_PX} × {ZOOM_PX} px) is the one with the largest sum, over its pixels in the hole, of "
            "the range of the three fills (mean of the channels); nobody chose it. Magnified with smoothing.",
            "PSNR, SSIM (Gaussian window of 11 px) and l1 are over the whole composite, known pixels included, in RGB. "
            "Means are over every pair given, shown or not.",
        ),
        measure=measure_frameworks,
        draw=draw_frameworks,
        tabulate=tabulate_frameworks,
    ),
    7: PaperFigure(
        title="What the detector sees",
        columns=("Masked", "Result", "M(Res)", "GT", "M(GT)"),
        caption=(
            "The detector's map M of the result and of the ground truth, laid over each; it knows neither hole nor "
            "picture. Red: looks filled, blue: looks real. The red square marks the hottest place of M(Res)."
        ),
        made=(
            "Result is the raw prediction of det, as in the paper: the detector sees it whole, known pixels included, "
            "before anything is pasted. For M(GT) the detector sees the picture itself.",
            "The map is what the detector's file gives: the probability that a pixel was filled, which rises with the "
            "paper's valuation V (softmax of the second channel); two fitted numbers, the same for all pixels, lie "
            "between them. Its colours mean the same in every picture, from 0 to 1; the picture below them is grey.",
            f"The square ({HOT_PX} × {HOT_PX} px) is the one with the largest mean of M(Res). Numbers are means of the "
            "map over the hole and over the known pixels; the table's are means over every pair given, shown or not.",
        ),
        measure=measure_valuations,
        draw=draw_valuations,
        tabulate=tabulate_valuations,
        has_heat=True,
    ),
}
"""The figures by number; `figure_inputs.NEEDS` says which models each shows."""
