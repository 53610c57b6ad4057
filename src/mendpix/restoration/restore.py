"""Mend a picture without a mask: find what is damaged, refuse if that is too much, fill it. Knows no file format.

What is not marked as damaged stays as it is, bit for bit; a picture in which nothing is found comes back unchanged.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from numbers import Real

import numpy as np

from mendpix.checkpoints import asked
from mendpix.engines.interface import DamageEngine, DetectorEngine, Facts
from mendpix.engines.stopwatch import Stopwatch, spent
from mendpix.errors import DamageAreaError, InputError, ModelError
from mendpix.images import Picture, PictureSource, read_picture
from mendpix.inference.inpainter import Inpainter, Result
from mendpix.inference.opened import Model
from mendpix.inference.stages import Stages
from mendpix.masks import hole_share, read_mask
from mendpix.restoration.classical import ClassicalFinder
from mendpix.restoration.predict import find_damage, plan_look
from mendpix.restoration.presets import NOISE, Preset, check_preset, thresholds_of
from mendpix.restoration.region import Region, read_region
from mendpix.restoration.sensitivity import SENSITIVITY, check_sensitivity, mark
from mendpix.types import Mask, Progress
from mendpix.weights.locate import SUFFIX, open_damage_finder
from mendpix.weights.table import MODELS

NETWORK, CLASSICAL = "network", "classical"
"""Names of the finders: our network, and rules without a network."""

DEFAULT_FINDER = "damage"
"""The model that `network` stands for."""

MAX_AREA = 0.25
"""Share of a picture that may be changed unless the caller allows more."""

FILL = "auto"
"""The model that fills unless another is asked for."""

FIND_FROM, FILL_FROM, FILL_FROM_MASK = 0.02, 0.5, 0.02
"""Shares of the progress at which finding begins, and filling after it; filling a given mask begins at once."""

Finder = str | os.PathLike[str] | DamageEngine
"""What finds damage: `network`, `classical`, the path of a model file, or an engine."""


class Restorer:
    """Keeps a finder of damage and what fills loaded for many pictures. May be used by several threads at a time."""

    def __init__(
        self,
        *,
        finder: Finder = NETWORK,
        model: Model = FILL,
        detector: str | os.PathLike[str] | DetectorEngine | None = "scenes-detector",
        threads: int | None = None,
    ) -> None:
        """Load what fills; the finder is loaded when a picture without a mask comes.

        Args:
            finder: What finds damage: `network`, `classical`, the path of a model file, or an engine.
            model: What fills, as for `Inpainter`.
            detector: What looks for filled pixels, as for `Inpainter`.
            threads: Threads for one run of a network; None = one per core.

        Raises:
            ModelError: If a name is unknown, or a file missing, broken or of another kind.
            MissingExtraError: If the model needs a package that is not installed.
        """
        self._finder = finder
        self._threads = threads
        self._opened: DamageEngine | None = None
        self._inpainter = Inpainter(model, detector=detector, threads=threads)

    @property
    def finder(self) -> DamageEngine:
        """What finds damage.

        Raises:
            ModelError: If its name is unknown, or its file missing, broken or of another kind.
        """
        if self._opened is None:
            self._opened = open_finder(self._finder, threads=self._threads)
        return self._opened

    def __call__(
        self,
        image: PictureSource,
        *,
        mask: PictureSource | None = None,
        preset: Preset = "auto",
        sensitivity: float = SENSITIVITY,
        region: Region | None = None,
        max_area: float = MAX_AREA,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> Result:
        """Mend a picture of any size; arguments as for `restore`.

        Returns:
            The picture and what is known about it.

        Raises:
            DamageAreaError: If more than `max_area` looks damaged.
            InputError: If the picture, the mask or another argument cannot be used.
            ModelError: If a finder, model or detector cannot be opened, or its answer cannot be used.
        """
        check_preset(preset)
        check_sensitivity(sensitivity)
        if not isinstance(max_area, Real) or not 0 < max_area <= 1:  # a NaN is neither
            raise InputError(
                f"max_area must be above 0 and at most 1 = all of the picture; got {max_area!r}. Give 0.25 for 25 %."
            )
        stopwatch = Stopwatch()
        stage = Stages(progress)
        with stopwatch.running(), spent("total"), asked(lambda: stage.advance(0)):
            with spent("read"):
                stage.enter(0.0, FIND_FROM, 1, "reading")
                picture = read_picture(image)
                box = read_region(region, (picture.height, picture.width))
                hole: Mask | None = None
                if mask is not None:
                    hole = read_mask(mask, (picture.height, picture.width), may_be_empty=True)
                    hole = _limited(hole, box.slices)
            with spent("find"):
                if hole is None:
                    finder = self.finder
                    wanted = thresholds_of(preset, finder.facts)
                    if isinstance(finder, ClassicalFinder):
                        finder = finder.only(tuple(wanted))
                    noise = tuple(wanted) == (NOISE,)
                    look = plan_look((picture.height, picture.width), finder.facts, box, full_size=noise)
                    stage.enter(FIND_FROM, FILL_FROM, look.cost_px, "looking for damage")
                    evidence = find_damage(finder, picture.rgb, wanted, look, stage.advance)
                    hole = _limited(mark(evidence, sensitivity, exact=noise), box.slices)
                    del evidence
                    _guard(hole, max_area)
            fills = bool(hole.any()) and not dry_run
            if fills:
                start = FILL_FROM if mask is None else FILL_FROM_MASK
                result = self._inpainter(picture, hole, progress=_later(progress, start))
            else:
                notes = () if hole.any() else (_nothing(given=mask is not None, limited=region is not None),)
                result = _untouched(picture, hole, self._inpainter.model, notes)
                stage.enter(1.0, 1.0, 1, "done")
        timings = {**result.timings, **stopwatch.seconds}
        timings["read"] += result.timings["read"]
        return replace(result, timings=timings)


def restore(
    image: PictureSource,
    *,
    mask: PictureSource | None = None,
    preset: Preset = "auto",
    sensitivity: float = SENSITIVITY,
    region: Region | None = None,
    max_area: float = MAX_AREA,
    dry_run: bool = False,
    finder: Finder = NETWORK,
    model: Model = FILL,
    detector: str | os.PathLike[str] | DetectorEngine | None = "scenes-detector",
    threads: int | None = None,
    progress: Progress | None = None,
) -> Result:
    """Find what is damaged in a picture, and mend it. What is not damaged stays as it is, bit for bit.

    Args:
        image: A path, a Pillow image or an array. Not written to.
        mask: What is damaged, if somebody knows: white (1) = mend. Then nothing is looked for, and `preset`,
            `sensitivity`, `max_area` and `finder` do not count. It may be empty. None = look for damage.
        preset: What to look for: `scratches` (and folds, dust, stains), `text`, `watermark`, `noise`, or `auto` = all
            of these but noise.
        sensitivity: 0 = mend what is beyond doubt, 1 = mend what is barely suspected.
        region: Mend in this part alone: X, Y, width and height, each in pixels of the upright picture or, as a string
            such as `"80%"`, as a share of its width or height. None = everywhere.
        max_area: Largest share of the picture that may be changed, in (0, 1].
        dry_run: Find only: `Result.hole` tells what would be mended, and the picture comes back as it is.
        finder: What finds damage: `network`, `classical` (rules without a network, for `scratches`, `text` and
            `noise`), the path of a model file, or an engine.
        model: What fills: a name (`mendpix.list_models()`), the path of a model file, or an engine.
        detector: What looks for filled pixels, likewise; None = do not look.
        threads: Threads for one run of a network; None = one per core.
        progress: Told now and then the share done and a word for the stage; what it raises stops the work.

    Returns:
        The mended picture; its `hole` is what was mended. Without damage the picture as it came, with a note.

    Raises:
        DamageAreaError: If more than `max_area` of the picture looks damaged, or all of it; its `mask` shows what.
        InputError: If picture, mask or another argument cannot be used.
        ModelError: If a model is unknown, or a file missing, broken or of another kind.
        MissingExtraError: If the model needs a package that is not installed.

    Example:
        >>> restore("old.jpg", preset="scratches").image.save("mended.png")  # doctest: +SKIP
    """
    restorer = Restorer(finder=finder, model=model, detector=detector, threads=threads)
    return restorer(
        image,
        mask=mask,
        preset=preset,
        sensitivity=sensitivity,
        region=region,
        max_area=max_area,
        dry_run=dry_run,
        progress=progress,
    )


def open_finder(finder: Finder, *, threads: int | None = None) -> DamageEngine:
    """Open what finds damage.

    Args:
        finder: `network`, `classical`, the name or path of a model, or an engine, which comes back as it is.
        threads: Threads for one run of a network; None = one per core.

    Raises:
        InputError: If it is none of these.
        ModelError: If the model or engine is of another kind, or the file missing or broken.
    """
    if not isinstance(finder, str | os.PathLike):
        return _checked(finder)
    if finder == CLASSICAL:
        return ClassicalFinder()
    name = DEFAULT_FINDER if finder == NETWORK else finder
    if isinstance(name, str) and name not in MODELS and not name.lower().endswith(SUFFIX):
        raise InputError(f"a finder must be {NETWORK}, {CLASSICAL} or the path of an {SUFFIX} file; got {name!r}.")
    return open_damage_finder(name, threads=threads)


def _checked(finder: DamageEngine) -> DamageEngine:
    """Refuse an object that does not find damage."""
    facts = getattr(finder, "facts", None)
    if not isinstance(facts, Facts):
        raise InputError(
            f"a finder must be {NETWORK}, {CLASSICAL}, the path of a model file or an engine; got {finder!r}."
        )
    if facts.kind != "damage":
        raise ModelError(f"An engine that finds damage must be of the kind damage; {facts.name} is a {facts.kind}.")
    return finder


def _limited(hole: Mask, inside: tuple[slice, slice]) -> Mask:
    """Return a hole that ends at the region's border: marks grow beyond it."""
    limited = np.zeros_like(hole)
    limited[inside] = hole[inside]
    return limited


def _guard(hole: Mask, max_area: float) -> None:
    """Refuse to rewrite a picture."""
    share = hole_share(hole)
    if hole.all():
        limit, covered, larger = "leave some of the picture", "all of it", ""
    elif share > max_area:
        allowed, covered = _in_percent(max_area, share)
        limit, larger = f"cover at most {allowed} of the picture", " allow a larger area,"
    else:
        return
    raise DamageAreaError(
        f"what looks damaged must {limit}; it covers {covered}, so nothing was changed. Look at the mask: give a"
        f" region, a lower sensitivity or another preset,{larger} or correct the mask and give it back.",
        hole,
    )


def _in_percent(limit: float, share: float) -> tuple[str, str]:
    """Write two shares in per cent, with as many digits as it takes to tell one from the other."""
    both = "", ""
    for digits in range(3, 18):
        if both[0] == both[1]:
            both = f"{limit * 100:.{digits}g}%", f"{share * 100:.{digits}g}%"
    return both


def _nothing(*, given: bool, limited: bool) -> str:
    """Say that nothing is to be mended, and where nothing was."""
    if given:
        nothing = "nothing in the region is white in the mask" if limited else "nothing in the mask is white"
    else:
        nothing = "no damage was found in the region" if limited else "no damage was found"
    return f"{nothing}; the picture is unchanged"


def _untouched(picture: Picture, hole: Mask, model: str, notes: tuple[str, ...]) -> Result:
    """Tell of a picture in which nothing was filled."""
    return Result(
        image=picture.to_source_kind(),
        prediction=picture.rgb.copy(),
        hole=hole,
        artifacts=np.zeros_like(hole),
        artifact_score=float("nan"),
        timings=dict.fromkeys(("read", "plan", "open", "fill", "first_fill", "detect", "paste"), 0.0),
        model=model,
        fills=(),
        notes=notes,
    )


def _later(progress: Progress | None, start: float) -> Callable[[float, str], None] | None:
    """Pass on the progress of a part of the work that begins at `start`."""
    if progress is None:
        return None
    return lambda share, what: progress(start + (1 - start) * share, what)
