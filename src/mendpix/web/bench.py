"""Where pictures are filled, looked at and mended: models that stay loaded, and what a request asks of them.

Knows no HTTP. Each method makes the work of one job, which is then done in a worker's thread.
"""

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np

from mendpix.artifacts.detect import detect
from mendpix.artifacts.regions import DoubtfulRegion, doubtful_regions
from mendpix.engines.interface import DamageEngine, DetectorEngine
from mendpix.errors import DamageAreaError, InputError
from mendpix.inference.inpainter import Inpainter, Result
from mendpix.inference.opened import Finish
from mendpix.masks import hole_share
from mendpix.restoration.presets import Preset
from mendpix.restoration.region import Region
from mendpix.restoration.restore import CLASSICAL, DEFAULT_FINDER, MAX_AREA, NETWORK, Restorer, open_finder
from mendpix.restoration.sensitivity import SENSITIVITY
from mendpix.types import AnyArray, Mask, Progress
from mendpix.web import schema
from mendpix.web.pictures import PackedMask, Pictures, Stored, samples_of
from mendpix.web.previews import encode_plane
from mendpix.web.problems import ProblemError, one_line
from mendpix.weights.locate import ModelInfo, list_models, open_detector

API = "/api/v1"
"""Where all addresses begin."""

DETECTOR = "scenes-detector"
"""What looks for filled pixels."""

FILLING = ("choice", "generator", "classical")
"""Kinds of models that fill."""


@dataclass(frozen=True, eq=False)
class FillOrder:
    """What a request to fill asks for."""

    picture: Stored
    hole: PackedMask
    model: str | None = None
    dilate_px: float = 0
    finish: Finish = "none"
    holes: Mapping[int, str] = field(default_factory=dict)
    """Models for single holes, by number."""
    exclude: PackedMask | None = None
    detect: bool = True


@dataclass(frozen=True, eq=False)
class RestoreOrder:
    """What a request to mend asks for."""

    picture: Stored
    hole: PackedMask | None = None
    preset: Preset = "auto"
    sensitivity: float = SENSITIVITY
    region: Region | None = None
    max_area: float = MAX_AREA
    dry_run: bool = False
    finder: str | None = None
    model: str | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a job has made."""

    body: schema.Filled | schema.Detected | schema.Damage
    """What is told of it."""
    picture: Stored
    """The picture, map or mask that was made, for those who want nothing else."""


Work = Callable[[Progress], Outcome]


class Bench:
    """Keeps models loaded for all requests: one for each way to use it. May be used by several threads at a time."""

    def __init__(self, pictures: Pictures, *, model: str, threads: int | None) -> None:
        """Load the default model and the detector.

        Args:
            pictures: Where results are kept.
            model: What fills where nothing is asked for: a name, or the path of a file.
            threads: Threads for one run of a network; None = one per core.

        Raises:
            ModelError: If the model cannot be opened.
            MissingExtraError: If it needs a package that is not installed.
        """
        self._pictures = pictures
        self._threads = threads
        self._default = model
        self._known = {info.name for info in list_models() if info.kind in FILLING}
        self._detector: DetectorEngine = open_detector(DETECTOR, threads=threads)
        self._lock = threading.Lock()
        self._inpainters: dict[tuple[str, Finish, bool], Inpainter] = {}
        self._restorers: dict[tuple[str, str], Restorer] = {}
        self._finders: dict[str, DamageEngine] = {}
        self._inpainter(None, "none", detects=True)

    def models(self) -> list[schema.Model]:
        """List all models, and which are the defaults."""
        infos = list_models()
        if self._default not in self._known:
            name = self.name_of_default
            infos = (ModelInfo(name, "generator", "the model that this server was started with", True), *infos)
        defaults = {self.name_of_default, DETECTOR, DEFAULT_FINDER}
        return [
            schema.Model(
                name=info.name,
                kind=info.kind,
                description=info.description,
                available=info.available,
                default=info.name in defaults,
            )
            for info in infos
        ]

    @property
    def name_of_default(self) -> str:
        """Give the name under which the default model can be asked for."""
        return self._default if self._default in self._known else Path(self._default).name

    def check_model(self, name: str) -> str:
        """Refuse what is not the name of a model that fills: a request names no files.

        Returns:
            The name, or the path for the server's own model.

        Raises:
            ProblemError: 422.
        """
        if name == self.name_of_default:
            return self._default
        if name not in self._known:
            raise ProblemError(
                422, f"a model that fills must be one of {', '.join(sorted(self._known))}; got {name[:80]!r}."
            )
        return name

    def fill(self, order: FillOrder) -> Work:
        """Make the work of filling holes."""
        if order.model is not None:
            self.check_model(order.model)
        holes = {number: self.check_model(name) for number, name in order.holes.items()}

        def work(progress: Progress) -> Outcome:
            started = perf_counter()
            progress(0.0, "reading")
            mend = self._inpainter(order.model, order.finish, detects=order.detect)
            result = mend(
                self._pictures.open(order.picture),
                _mask(order.hole),
                dilate_px=order.dilate_px,
                choose=holes,
                exclude=None if order.exclude is None else _mask(order.exclude),
                progress=progress,
            )
            return self._filled(order.picture, result, detects=order.detect, started=started)

        return work

    def detect(self, picture: Stored, hole: PackedMask | None) -> Work:
        """Make the work of looking for filled pixels, in a hole or everywhere."""

        def work(progress: Progress) -> Outcome:
            started = perf_counter()
            progress(0.0, "reading")
            found = detect(self._pictures.open(picture), model=self._detector, progress=progress)
            probability, score = found.probability, found.score
            if hole is not None:
                inside = hole.array
                if not inside.any():
                    raise InputError("the mask must have white pixels where to look; got none. Leave it away for all.")
                probability = probability * inside
                score = float(probability.sum(dtype=np.float64) / inside.sum())
            kept = self._pictures.remember_artifacts(picture, probability)
            body = schema.Detected(
                score=score,
                regions=_told(doubtful_regions(probability)),
                artifacts=f"{API}/pictures/{picture.id}/artifacts",
                picture=told_picture(picture),
                seconds=round(perf_counter() - started, 3),
            )
            return Outcome(body, kept)

        return work

    def restore(self, order: RestoreOrder) -> Work:
        """Make the work of finding and mending damage."""
        if order.model is not None:
            self.check_model(order.model)
        finder = order.finder or NETWORK
        if finder not in (NETWORK, CLASSICAL):
            raise ProblemError(422, f"finder must be {NETWORK} or {CLASSICAL}; got {finder[:80]!r}.")

        def work(progress: Progress) -> Outcome:
            started = perf_counter()
            progress(0.0, "reading")
            restorer = self._restorer(order.model, finder)
            try:
                result = restorer(
                    self._pictures.open(order.picture),
                    mask=None if order.hole is None else _mask(order.hole),
                    preset=order.preset,
                    sensitivity=order.sensitivity,
                    region=order.region,
                    max_area=order.max_area,
                    dry_run=order.dry_run,
                    progress=progress,
                )
            except DamageAreaError as refusal:
                kept = self._keep_mask(order.picture, refusal.mask)
                more = {**_links(kept), "share": hole_share(refusal.mask)}
                raise ProblemError(409, one_line(refusal), more=more) from None
            if not order.dry_run:
                detects = not math.isnan(result.artifact_score)
                return self._filled(order.picture, result, detects=detects, started=started)
            kept = self._keep_mask(order.picture, result.hole)
            body = schema.Damage(
                share=hole_share(result.hole),
                **_links(kept),
                notes=list(result.notes),
                picture=told_picture(order.picture),
                seconds=round(perf_counter() - started, 3),
            )
            return Outcome(body, kept)

        return work

    def _filled(self, before: Stored, result: Result, *, detects: bool, started: float) -> Outcome:
        """Keep a filled picture, and tell of it."""
        artifacts = result.artifacts if detects else None
        kept = self._pictures.add_result(before, samples_of(result.image), result.hole, artifacts)
        address = f"{API}/pictures/{kept.id}"
        body = schema.Filled(
            picture=told_picture(kept),
            score=result.artifact_score if detects else None,
            holes=[
                schema.Hole(
                    number=fill.number,
                    box=(fill.box.left, fill.box.top, fill.box.right - fill.box.left, fill.box.bottom - fill.box.top),
                    area=round(fill.share * kept.width * kept.height),
                    model=fill.model,
                    why=fill.reason,
                )
                for fill in result.fills
            ],
            regions=_told(doubtful_regions(result.artifacts)) if detects else [],
            notes=list(result.notes),
            seconds=round(perf_counter() - started, 3),
            stages={stage: round(duration_s, 4) for stage, duration_s in result.timings.items()},
            share=hole_share(result.hole),
            artifacts=f"{address}/artifacts" if detects else None,
            hole=f"{address}/hole",
        )
        return Outcome(body, kept)

    def _keep_mask(self, picture: Stored, hole: Mask) -> Stored:
        """Keep a mask as a picture of its own, which can be shown, corrected, and given back."""
        name = f"{Path(picture.name).stem}-mask.png"
        return self._pictures.add_file(encode_plane((hole > 0).astype(np.uint8) * 255), name)

    def _inpainter(self, model: str | None, finish: Finish, *, detects: bool) -> Inpainter:
        wanted = self._default if model is None else self.check_model(model)
        with self._lock:
            key = (wanted, finish, detects)
            if key not in self._inpainters:
                detector = self._detector if detects else None
                self._inpainters[key] = Inpainter(wanted, detector=detector, threads=self._threads, finish=finish)
            return self._inpainters[key]

    def _restorer(self, model: str | None, finder: str) -> Restorer:
        wanted = self._default if model is None else self.check_model(model)
        with self._lock:
            if finder not in self._finders:
                self._finders[finder] = open_finder(finder, threads=self._threads)
            key = (wanted, finder)
            if key not in self._restorers:
                self._restorers[key] = Restorer(
                    finder=self._finders[finder], model=wanted, detector=self._detector, threads=self._threads
                )
            return self._restorers[key]


def told_picture(stored: Stored) -> schema.Picture:
    """Tell of a picture that is kept."""
    address = f"{API}/pictures/{stored.id}"
    return schema.Picture(
        id=stored.id,
        width=stored.width,
        height=stored.height,
        mode=stored.mode,
        bits=stored.bits,
        format=stored.format,
        name=stored.name,
        bytes=len(stored.origin.data),
        preview=f"{address}/preview",
        file=f"{address}/file",
    )


def _links(mask: Stored) -> dict[str, str]:
    return {"mask": f"{API}/pictures/{mask.id}/file", "mask_picture": mask.id}


def _mask(packed: PackedMask) -> AnyArray:
    return packed.array.astype(np.float32)


def _told(regions: tuple[DoubtfulRegion, ...]) -> list[schema.Region]:
    return [
        schema.Region(
            box=(region.left, region.top, region.width, region.height), mean=round(region.mean, 4), area=region.area_px
        )
        for region in regions
    ]
