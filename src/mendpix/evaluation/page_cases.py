"""The section of the evaluation's page that shows cases: pictures, what stands below them, and controls.

Every picture is in the page once: enlarged, or laid over another to compare, it is the same element, placed elsewhere
by the style sheet. Knows what was measured, not how.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape

import numpy as np

from mendpix.errors import InputError, ShapeError
from mendpix.evaluation.measures import MEASURES
from mendpix.evaluation.number_format import MISSING, counted, number
from mendpix.evaluation.page_parts import Addresses, Cell, is_judged, table, titled
from mendpix.evaluation.page_shots import MOST_PX, Pixels, Shot, reduce, write_shot
from mendpix.evaluation.results import Evaluation
from mendpix.evaluation.statistics import ANY_MEASURES

BELOW = {"psnr": "PSNR", "l1-hole": "ℓ1 hole", "features": "features"}
"""Measures that stand below each picture, where they were measured, and what they are called there."""

TRUE_PICTURE = "True picture"
"""What it is called, in a table and above it while it is shown instead of another."""

SCORE = "artifact-score"
"""What the page's script calls the artifact score; no measure has this name."""

SCORE_TITLE = "Artifact score, % ↓"
SCORE_DIGITS = 1
"""Decimals of an artifact score in percent."""

VALUE_DIGITS = 7
"""Significant digits of the numbers by which the script sorts."""


@dataclass(frozen=True, eq=False)
class CasePicture:
    """What one model made of one pair."""

    model: str
    """Name of the model, as in the evaluation."""
    shown: Pixels = field(repr=False)
    """The picture that was measured, uint8, shape (H, W, 3)."""
    artifacts: Pixels | None = field(repr=False)
    """The detector's map of it, laid over it as heat, same shape; None without a detector."""
    values: Mapping[str, float]
    """What was measured, by names of `measures.MEASURES`."""
    altered: int
    """Known pixels that the model's own answer changed; `NOT_COUNTED` where nobody counted."""
    score: float
    """Artifact score, in [0, 1]; NaN without a detector."""


@dataclass(frozen=True, eq=False)
class Case:
    """One pair with everything that there is to see of it."""

    key: str
    """Name of the pair."""
    bin_name: str
    """Its bin, one of the evaluation's."""
    hole_share: float
    """Share of the picture that is hole, in (0, 1)."""
    truth: Pixels = field(repr=False)
    """The true picture, uint8, shape (H, W, 3)."""
    holed: Pixels = field(repr=False)
    """The input with its hole made visible, same shape."""
    pictures: tuple[CasePicture, ...]
    """At most one per model."""


class CaseWriter:
    """Writes the section."""

    def __init__(self, evaluation: Evaluation, worst_by: str) -> None:
        """Start.

        Args:
            evaluation: What the cases belong to.
            worst_by: Measure by which they were chosen.
        """
        self._evaluation = evaluation
        self._worst_by = titled(MEASURES[worst_by]) if worst_by in MEASURES else worst_by
        turns = " of each bin by turns" if len(evaluation.pairs.bin_names) > 1 else " first"
        self._total = counted(len(evaluation.pairs.keys), "pair")
        self._chosen = f"chosen by {self._worst_by} (worst{turns})"
        self._places = {model.name: place for place, model in enumerate(evaluation.models)}
        given = Addresses("truth", "input")
        self._addresses = {model.name: given.give(model.name) for model in evaluation.models}
        self._cases = Addresses()
        self._below = {name: words for name, words in BELOW.items() if name in evaluation.measures}
        if not self._below:
            self._below = {name: MEASURES[name].title for name in evaluation.measures[:3]}

    def write(self, cases: Iterable[Case]) -> Iterator[str]:
        """Write the section, each case before the next is asked for.

        Raises:
            InputError: If a case names a model or bin that the evaluation does not have, or a model twice.
            ShapeError: If a picture is no uint8 RGB array or has another size than the true picture.
        """
        stream = iter(cases)
        case = next(stream, None)
        if case is None:
            yield "<p>No cases were asked for.</p>"
            return
        self._check(case)
        has_maps = any(picture.artifacts is not None for picture in case.pictures)
        yield from self._introduction(has_maps=has_maps)
        yield self._controls(has_maps=has_maps)
        yield '<div id="case-list">'
        count = 0
        while case is not None:
            yield from self._case(case)
            count += 1
            case = None  # not needed any more while the next one is made
            case = next(stream, None)
            if case is not None:
                self._check(case)
        yield f"</div>\n<p>{count:,} of {self._total}, {escape(self._chosen)}.</p>"

    def _introduction(self, *, has_maps: bool) -> Iterator[str]:
        yield f"<p>Pairs {escape(self._chosen)}, each judged by its worst model. They show what goes wrong, not what is"
        yield "usual. Choose a picture to enlarge it. There, press and hold to compare it, or use the keys ← → (same"
        yield "pair), ↑ ↓ (other pairs), t (compare) and Esc.</p>"
        yield f'<p class="faint">Pictures are compressed for this page, and those larger than {MOST_PX} px reduced to '
        yield "that (mean over areas); all numbers are from the pictures as they were.</p>"
        if has_maps:
            yield '<p class="heat"><span>0 looks real</span><i role="img" aria-label="from blue by cyan and yellow to '
            yield 'red"></i><span>1 looks filled</span></p>'

    def _controls(self, *, has_maps: bool) -> str:
        models = "".join(_box(f"model-{place}", name) for name, place in self._places.items())
        bins = "".join(_box(f"bin-{place}", name) for place, name in enumerate(self._evaluation.pairs.bin_names))
        shown = (_box("artifact-maps", "Artifact maps") if has_maps else "") + _box(
            "unsmoothed", "Pixels unsmoothed", checked=False
        )
        options = [_option("", f"{self._worst_by}, as chosen")]
        for name in filter(is_judged, self._evaluation.measures):
            options.append(_option(name, titled(MEASURES[name]), MEASURES[name].sign))
        if has_maps and "detector-score" not in self._evaluation.measures:
            options.append(_option(SCORE, SCORE_TITLE, -1))
        whose = [_option("", "all models, mean")]
        whose += (_option(str(place), name) for name, place in self._places.items())
        return (
            '<form id="controls" class="controls" autocomplete="off">\n'
            f"<fieldset><legend>Models</legend>{models}</fieldset>\n"
            f"<fieldset><legend>Hole share</legend>{bins}</fieldset>\n"
            f"<fieldset><legend>Show</legend>{shown}</fieldset>\n"
            "<fieldset hidden><legend>Sort these</legend><label>worst first by "
            f'<select name="measure">{"".join(options)}</select></label> '
            f'<label>of <select name="model">{"".join(whose)}</select></label> '
            f'<output id="count" data-of="{escape(self._total)}, {escape(self._chosen)}"></output></fieldset></form>'
        )

    def _case(self, case: Case) -> Iterator[str]:
        bins = self._evaluation.pairs.bin_names
        address = f"case-{self._cases.give(case.key)}"
        height, width = case.truth.shape[:2]
        small = reduce(case.truth).shape
        reduced = f" · {height} × {width} px, shown in {small[0]} × {small[1]}" if max(height, width) > MOST_PX else ""
        yield f'<article class="case bin-{bins.index(case.bin_name)}" id="{address}"><h3>{escape(case.key)}</h3>'
        yield f'<p class="faint">Hole {100 * case.hole_share:.1f} %, bin {escape(case.bin_name)}{reduced} · '
        yield f'<a href="#{address}">link to this case</a></p>\n<div class="shots">'
        spots = self._spots(case, address)
        order = [shot for _, shots in spots for shot in shots]
        for kind, shots in spots:
            yield f'<div class="spot{kind}">'
            for shot in shots:
                place = order.index(shot)
                before = order[place - 1] if place else None
                after = order[place + 1] if place + 1 < len(order) else None
                yield write_shot(shot, case.key, address, before, after)
            yield "</div>"
        yield f"</div>\n{self._numbers(case)}</article>"

    def _spots(self, case: Case, address: str) -> list[tuple[str, list[Shot]]]:
        """List the pictures from left to right, and below each other what belongs to one model; with their classes."""
        truth = Shot(
            kind="truth",
            place="truth",
            address=f"{address}--truth",
            name="Truth",
            alt=f"{case.key}, the true picture",
            pixels=case.truth,
        )
        holed = Shot(
            kind="input",
            place="input",
            address=f"{address}--input",
            name="Input",
            alt=f"{case.key} with its hole",
            pixels=case.holed,
            other="truth",
            shown_then=TRUE_PICTURE,
        )
        spots = [("", [truth]), ("", [holed])]
        best = self._best(case)
        for picture in self._in_order(case):
            place = self._places[picture.model]
            filled = Shot(
                kind="result",
                place=f"model-{place}",
                address=f"{address}--{self._addresses[picture.model]}",
                name=picture.model,
                alt=f"{case.key} filled by {picture.model}",
                pixels=picture.shown,
                notes=self._notes(picture, best),
                other="truth",
                shown_then=TRUE_PICTURE,
            )
            spots.append((f" model-{place}", [filled]))
            if picture.artifacts is not None:
                score = number(100 * picture.score, SCORE_DIGITS)
                found = Shot(
                    kind="map",
                    place=f"map-{place}",
                    address=f"{filled.address}--artifacts",
                    name="Artifact map",
                    whose=f"{picture.model}: ",
                    alt=f"Where the detector takes {filled.alt} for filled",
                    pixels=picture.artifacts,
                    notes="" if score == MISSING else f"<p><span>score {score} %</span></p>",
                    other="the picture",
                    shown_then=picture.model,
                )
                spots[-1][1].append(found)
        return spots

    def _in_order(self, case: Case) -> list[CasePicture]:
        return sorted(case.pictures, key=lambda picture: self._places[picture.model])

    def _best(self, case: Case) -> dict[str, float]:
        """Give the best value of each measure that stands below the pictures, where there is something to compare."""
        best: dict[str, float] = {}
        for name in self._below:
            sign = MEASURES[name].sign
            known = [value for one in case.pictures if not math.isnan(value := one.values.get(name, math.nan))]
            if sign and len(known) > 1:
                best[name] = sign * max(sign * value for value in known)
        return best

    def _notes(self, picture: CasePicture, best: Mapping[str, float]) -> str:
        parts: list[str] = []
        for name, words in self._below.items():
            value = picture.values.get(name, math.nan)
            measure = MEASURES[name]
            text = number(value, measure.digits)
            if measure.unit and text != MISSING:
                text += f" {escape(measure.unit)}"
            if name in best and value == best[name]:
                text = f'<b>{text}<span class="unseen"> (best)</span></b>'
            parts.append(f"<span>{escape(words)} {text}</span>")
        lines = f"<p>{' '.join(parts)}</p>"
        if picture.altered > 0:
            lines += f'<p class="alarm">{counted(picture.altered, "known pixel")} altered</p>'
        return lines

    def _numbers(self, case: Case) -> str:
        """Write everything that was measured of a case; the script sorts by it."""
        pictures = self._in_order(case)
        names = [name for name in self._evaluation.measures if any(name in picture.values for picture in pictures)]
        lines = [
            (
                titled(MEASURES[name]),
                [self._value(one, name, one.values.get(name, math.nan), MEASURES[name].digits) for one in pictures],
            )
            for name in names
        ]
        if "detector-score" not in names and any(not math.isnan(picture.score) for picture in pictures):
            cells = [self._value(one, SCORE, 100 * one.score, SCORE_DIGITS) for one in pictures]
            lines.append((SCORE_TITLE, cells))
        head = ["Measure", *(picture.model for picture in pictures)]
        truth = self._of_truth(case.key)
        if truth:
            of_truth = {titled(ANY_MEASURES[name]): number(value, ANY_MEASURES[name].digits) for name, value in truth}
            found = dict(lines)
            nothing = [Cell(MISSING)] * len(pictures)
            lines = [
                (title, [*found.get(title, nothing), Cell(of_truth.get(title, MISSING))])
                for title in dict.fromkeys((*found, *of_truth))
            ]
            head.append(TRUE_PICTURE)
        if not lines:
            return ""
        content = table(head, lines, "", f"all numbers of {case.key}")
        return f'<details class="numbers"><summary>All numbers</summary>{content}</details>'

    def _of_truth(self, key: str) -> list[tuple[str, float]]:
        """Give what was measured of the true picture, measure and value; nothing that means nothing."""
        keys = self._evaluation.pairs.keys
        if key not in keys:
            return []
        values = ((name, float(found[keys.index(key)])) for name, found in self._evaluation.truth.items())
        return [(name, value) for name, value in values if not math.isnan(value)]

    def _value(self, picture: CasePicture, name: str, value: float, digits: int) -> Cell:
        if math.isnan(value):
            return Cell(MISSING)
        exact = f"{value:.{VALUE_DIGITS}g}".replace("inf", "Infinity")
        place = self._places[picture.model]
        text = number(value, digits)
        return Cell(f'<span data-measure="{escape(name)}" data-model="{place}" data-value="{exact}">{text}</span>')

    def _check(self, case: Case) -> None:
        if case.bin_name not in self._evaluation.pairs.bin_names:
            known = ", ".join(self._evaluation.pairs.bin_names)
            raise InputError(f"the bin of case {case.key} must be one of {known}; got {case.bin_name}.")
        models = [picture.model for picture in case.pictures]
        for model in models:
            if model not in self._places:
                raise InputError(f"case {case.key} must show models of the evaluation; got {model}.")
            if models.count(model) > 1:
                raise InputError(f"case {case.key} must show each model once; got {model} twice.")
        shown = [("truth", case.truth), ("input", case.holed)]
        for picture in case.pictures:
            shown.append((picture.model, picture.shown))
            if picture.artifacts is not None:
                shown.append((f"artifact map of {picture.model}", picture.artifacts))
        for name, pixels in shown:
            if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
                raise ShapeError(
                    f"the {name} of case {case.key} must be uint8, shape (H, W, 3); got {pixels.dtype}, {pixels.shape}."
                )
            if pixels.shape != case.truth.shape:
                raise ShapeError(
                    f"the {name} of case {case.key} must have the true picture's size {case.truth.shape[:2]}; "
                    f"got {pixels.shape[:2]}."
                )


def _box(name: str, label: str, *, checked: bool = True) -> str:
    return f'<label><input type="checkbox" id="{name}"{" checked" if checked else ""}> {escape(label)}</label>'


def _option(value: str, label: str, sign: int = 0) -> str:
    return f'<option value="{escape(value)}" data-sign="{sign}">{escape(label)}</option>'
