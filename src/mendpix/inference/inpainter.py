"""Fill the holes of a picture: read, choose, plan, fill, look at it, paste. Knows no file format and no network."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import get_args

import numpy as np
from PIL import Image as PilImage

from mendpix.checkpoints import asked
from mendpix.engines.interface import DetectorEngine
from mendpix.engines.stopwatch import Stopwatch, spent
from mendpix.errors import InputError
from mendpix.images import Picture, PictureSource, read_picture
from mendpix.inference.blend import detect_in
from mendpix.inference.highres import plan_windows
from mendpix.inference.holes import find_holes
from mendpix.inference.opened import Finish, Model, OpenModels
from mendpix.inference.rounds import Assigned, open_all, plan_rounds, run_rounds
from mendpix.inference.routing import Choice, HoleFill, choose_methods, told
from mendpix.inference.stages import Stages
from mendpix.inference.windows import Missing
from mendpix.masks import read_excluded, read_mask
from mendpix.types import AnyArray, Image, Map, Mask, Progress
from mendpix.weights.locate import find_model, is_choice, open_detector
from mendpix.weights.table import AUTO

FILL_FROM, DETECT_FROM, PASTE_FROM = 0.02, 0.85, 0.98
"""Shares of the progress at which the stages begin; without a detector, filling lasts until pasting."""

Choose = Mapping[int, Model]
"""Models for single holes, by number in reading order, the first one 1."""


@dataclass(frozen=True, eq=False)
class Result:
    """A filled picture, and what is known about its fill."""

    image: PilImage.Image | AnyArray = field(repr=False)
    """The filled picture, of the kind, mode, size and dtype of the picture given (a Pillow image for a path). Pixels
    outside the hole are those given, bit for bit."""
    prediction: Image = field(repr=False)
    """What the model filled in, RGB in [0, 1], float32, shape (H, W, 3); outside the hole the picture itself."""
    hole: Mask = field(repr=False)
    """What was filled: 1 = hole, 0 = known, float32, shape (H, W)."""
    artifacts: Map = field(repr=False)
    """Probability that a pixel looks filled, in [0, 1], float32, shape (H, W); 0 outside the hole, and everywhere if
    no detector was asked for."""
    artifact_score: float
    """Mean of `artifacts` over the hole: 0 = nothing in it looks filled, 1 = all of it does; NaN without a detector."""
    timings: dict[str, float]
    """Seconds by stage: `read`, `plan` (and choose), `open` (models that are used for the first time), `fill` (the
    models), `first_fill` (classical fills that they start from), `detect`, `paste`, and `total`."""
    model: str
    """Name of the model that filled; `auto` if it was chosen hole by hole."""
    fills: tuple[HoleFill, ...]
    """What filled each hole and why, in reading order."""
    notes: tuple[str, ...] = ()
    """Sentences that a user should read; mostly none."""


class Inpainter:
    """Keeps models and a detector loaded for many pictures. May be used by several threads at a time."""

    def __init__(
        self,
        model: Model = AUTO,
        *,
        detector: str | os.PathLike[str] | DetectorEngine | None = "scenes-detector",
        threads: int | None = None,
        finish: Finish = "none",
    ) -> None:
        """Load the models. Those that `auto` chooses among are loaded when they are first needed.

        Args:
            model: What fills: a name (`mendpix.list_models()`), the path of a model file, or an engine.
            detector: What looks for filled pixels, likewise; None = do not look.
            threads: Threads for one run of a network; None = one per core.
            finish: `poisson` blends every fill into its surroundings, so that no seam shows: for networks whose colours
                are a little off, as GLCIC's authors do. What is copied is not changed by it.

        Raises:
            InputError: If `finish` is none of these.
            ModelError: If a name is unknown, or a file missing, broken or of the other kind.
            MissingExtraError: If the model needs a package that is not installed.
        """
        if finish not in get_args(Finish):
            raise InputError(f"finish must be one of {', '.join(get_args(Finish))}; got {finish!r}.")
        self._model = model
        self._models = OpenModels(threads, finish)
        if _is_auto(model):
            find_model(AUTO)
        else:
            self._models.open(model)
        self._detector = (
            open_detector(detector, threads=threads) if isinstance(detector, str | os.PathLike) else detector
        )

    @property
    def model(self) -> str:
        """Name of the model that fills; `auto` if it is chosen hole by hole."""
        return AUTO if _is_auto(self._model) else self._models.open(self._model).facts.name

    def __call__(
        self,
        image: PictureSource,
        mask: PictureSource,
        *,
        dilate_px: float = 0,
        invert_mask: bool = False,
        choose: Choose | None = None,
        exclude: PictureSource | None = None,
        progress: Progress | None = None,
    ) -> Result:
        """Fill the holes of a picture of any size.

        Args:
            image: A path, a Pillow image or an array. Not written to.
            mask: Likewise, of the same size: white (1) = fill, black (0) = keep. Not written to.
            dilate_px: Grow the hole by this much, px; 0 = leave it.
            invert_mask: Read the mask the other way round: black = fill.
            choose: Other models for single holes, by their number in `plan` and `Result.fills`.
            exclude: What must not be copied from, like `mask`: white = not from here. For models that copy.
            progress: Told now and then the share done and a word for the stage; what it raises stops the work.

        Returns:
            The filled picture and what is known about it.

        Raises:
            InputError: If picture, mask, `choose` or `exclude` cannot be used.
            ModelError: If a model's answer cannot be used, or a model for a single hole cannot be opened.
            MissingExtraError: If a model for a single hole needs a package that is not installed.
        """
        stage = Stages(progress)
        stopwatch = Stopwatch()
        with stopwatch.running(), spent("total"), asked(lambda: stage.advance(0)):
            with spent("read"):
                stage.enter(0.0, FILL_FROM, 1, "reading")
                picture = read_picture(image)
                stage.advance(0)
                hole = read_mask(mask, (picture.height, picture.width), invert=invert_mask, dilate_px=dilate_px)
                missing = hole > 0
                excluded = None if exclude is None else _read_excluded(exclude, missing)
            with spent("plan"):
                stage.advance(0)
                assigned = self._assign(picture, missing, choose, excluded)
            with spent("open"):
                assigned, engines = open_all(assigned, self._models)
            with spent("plan"):
                stage.advance(0)
                if excluded is not None:
                    self._check_copies(assigned)
                rounds = plan_rounds(assigned, engines, missing)
            with spent("fill"):
                work = sum(each.plan.cost_px for each in rounds)
                stage.enter(FILL_FROM, DETECT_FROM if self._detector else PASTE_FROM, work, "filling")
                prediction = picture.rgb.copy()
                assigned = run_rounds(rounds, self._models, prediction, missing, excluded, stage.advance)
                notes = () if excluded is None or self._copies(assigned) else ("nothing was copied into any hole",)
            with spent("detect"):
                artifacts = np.zeros_like(hole)
                if self._detector is not None:
                    windows = plan_windows(missing, replace(self._detector.facts, context_share=0))
                    area = sum(window.box.area for window in windows)
                    stage.enter(DETECT_FROM, PASTE_FROM, area, "looking at it")
                    artifacts = detect_in(self._detector, windows, prediction, stage.advance)
                    for core in (window.core.slices for window in windows):  # elsewhere it is 0 anyhow
                        artifacts[core] *= missing[core]
            with spent("paste"):
                stage.enter(PASTE_FROM, 1.0, 1, "pasting")
                filled = picture.paste(prediction, hole).to_source_kind()
        stage.advance(1)
        score = float(artifacts.sum(dtype=np.float64)) / int(missing.sum())
        timings = {"first_fill": 0.0, **stopwatch.seconds}
        timings["fill"] -= timings["first_fill"]
        return Result(
            image=filled,
            prediction=prediction,
            hole=hole,
            artifacts=artifacts,
            artifact_score=score if self._detector else float("nan"),
            timings=timings,
            model=self.model,
            fills=tuple(told(each.hole, each.choice) for each in assigned),
            notes=notes,
        )

    def plan(
        self,
        image: PictureSource,
        mask: PictureSource,
        *,
        dilate_px: float = 0,
        invert_mask: bool = False,
        choose: Choose | None = None,
        exclude: PictureSource | None = None,
    ) -> tuple[HoleFill, ...]:
        """Tell what would fill each hole, and why, without filling any.

        Args:
            image: As for filling.
            mask: As for filling.
            dilate_px: As for filling; the holes are numbered after it.
            invert_mask: As for filling.
            choose: As for filling.
            exclude: As for filling: where too little is left to copy from, another model fills.

        Returns:
            One record for each hole, in reading order.

        Raises:
            InputError: If picture, mask, `choose` or `exclude` cannot be used.
            ModelError: If a model for a single hole cannot be opened.
            MissingExtraError: If a model for a single hole needs a package that is not installed.
        """
        picture = read_picture(image)
        hole = read_mask(mask, (picture.height, picture.width), invert=invert_mask, dilate_px=dilate_px)
        missing = hole > 0
        excluded = None if exclude is None else _read_excluded(exclude, missing)
        assigned, _ = open_all(self._assign(picture, missing, choose, excluded), self._models)
        if excluded is not None:
            self._check_copies(assigned)
        return tuple(told(each.hole, each.choice) for each in assigned)

    def _assign(
        self, picture: Picture, missing: Missing, choose: Choose | None, excluded: Missing | None
    ) -> tuple[Assigned, ...]:
        """Choose a model for each hole: the one asked for, our model, or what the rule says."""
        holes = find_holes(missing)
        asked = dict(choose or {})
        for number in asked:
            if isinstance(number, bool) or not isinstance(number, Integral):
                raise InputError(
                    f"holes are chosen by their number, such as 1; got {number!r}. Give whole numbers as keys."
                )
            if not 1 <= number <= len(holes):
                there = "is hole 1 only" if len(holes) == 1 else f"are holes 1 to {len(holes)}"
                raise InputError(
                    f"a model can be chosen for a hole that exists; got one for hole {number}, and there {there}. List "
                    "them with --plan, or Inpainter.plan."
                )
        models = [asked.get(hole.number, self._model) for hole in holes]
        ruled = [hole for hole, model in zip(holes, models, strict=True) if _is_auto(model)]
        # The rule looks at all holes, also where somebody has chosen: what lies around a hole does not depend on that.
        chosen = choose_methods(picture.rgb, missing, holes, excluded) if ruled else ()
        choices = dict(zip(holes, chosen, strict=True)) if ruled else {}
        assigned: list[Assigned] = []
        for hole, model in zip(holes, models, strict=True):
            if _is_auto(model):
                choice = choices[hole]
                assigned.append(Assigned(hole, choice.model, choice, chosen=True))
                continue
            cause, reason = ("asked", "asked for") if hole.number in asked else ("model", "the model for every hole")
            assigned.append(Assigned(hole, model, Choice(self._models.name(model), cause, reason), chosen=False))
        return tuple(assigned)

    def _copies(self, assigned: tuple[Assigned, ...]) -> bool:
        """Tell whether anything is copied into any hole; the models have been opened before."""
        return any(self._models.open(each.model).facts.copies for each in assigned)

    def _check_copies(self, assigned: tuple[Assigned, ...]) -> None:
        """Refuse to exclude something where nobody leaves the choice to us and no model that was asked for copies."""
        if not (any(each.chosen for each in assigned) or self._copies(assigned)):
            raise InputError(
                f"to exclude something is for models that copy; {assigned[0].choice.model} copies nothing. Leave it "
                f"away, or take a model that copies, or {AUTO}."
            )


def inpaint(
    image: PictureSource,
    mask: PictureSource,
    *,
    model: Model = AUTO,
    detector: str | os.PathLike[str] | DetectorEngine | None = "scenes-detector",
    dilate_px: float = 0,
    invert_mask: bool = False,
    choose: Choose | None = None,
    exclude: PictureSource | None = None,
    threads: int | None = None,
    finish: Finish = "none",
    progress: Progress | None = None,
) -> Result:
    """Fill the holes of one picture. For many pictures keep an `Inpainter`, which loads its models once.

    Args:
        image: A path, a Pillow image or an array. Not written to.
        mask: Likewise, of the same size: white (1) = fill, black (0) = keep. Not written to.
        model: What fills: a name (`mendpix.list_models()`), the path of a model file, or an engine.
        detector: What looks for filled pixels, likewise; None = do not look.
        dilate_px: Grow the hole by this much, px; 0 = leave it.
        invert_mask: Read the mask the other way round: black = fill.
        choose: Other models for single holes, by their number in `Result.fills`.
        exclude: What must not be copied from, like `mask`: white = not from here. For models that copy.
        threads: Threads for one run of a network; None = one per core.
        finish: `poisson` blends every fill into its surroundings; see `Inpainter`.
        progress: Told now and then the share done and a word for the stage; what it raises stops the work.

    Returns:
        The filled picture and what is known about it.

    Raises:
        InputError: If picture, mask, `choose`, `exclude` or `finish` cannot be used.
        ModelError: If a model is unknown, or a file missing, broken or of the other kind.
        MissingExtraError: If the model needs a package that is not installed.

    Example:
        >>> inpaint("photo.jpg", "mask.png").image.save("mended.png")  # doctest: +SKIP
    """
    inpainter = Inpainter(model, detector=detector, threads=threads, finish=finish)
    return inpainter(
        image,
        mask,
        dilate_px=dilate_px,
        invert_mask=invert_mask,
        choose=choose,
        exclude=exclude,
        progress=progress,
    )


def _is_auto(model: Model) -> bool:
    return isinstance(model, str) and is_choice(model)


def _read_excluded(source: PictureSource, missing: Missing) -> Missing:
    """Read what may not be copied from, and refuse it if it leaves nothing."""
    excluded = read_excluded(source, (missing.shape[0], missing.shape[1])) > 0
    if (excluded | missing).all():
        raise InputError(
            "what is excluded must leave something known to copy from; got a mask that covers all that is known. Draw "
            "less of it in white."
        )
    return excluded
