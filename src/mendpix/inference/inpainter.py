"""Fill the holes of a picture: read, plan, fill, look at the result, paste. Knows no file format and no network."""

import os
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image as PilImage

from mendpix.engines.interface import DetectorEngine, Engine
from mendpix.engines.stopwatch import Stopwatch, spent
from mendpix.images import PictureSource, read_picture
from mendpix.inference.blend import detect_in, fill_missing
from mendpix.inference.highres import plan_fill, plan_windows
from mendpix.inference.stages import Stages
from mendpix.masks import read_mask
from mendpix.types import AnyArray, Image, Map, Mask, Progress
from mendpix.weights.locate import open_detector, open_generator

FILL_FROM, DETECT_FROM, PASTE_FROM = 0.02, 0.85, 0.98
"""Shares of the progress at which the stages begin; without a detector, filling lasts until pasting."""


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
    """Seconds by stage: `read`, `plan`, `fill` (the model), `first_fill` (classical fills that it starts from),
    `detect`, `paste`, and `total`."""
    model: str
    """Name of the model that filled."""


class Inpainter:
    """Keeps a model and a detector loaded for many pictures. May be used by several threads at a time."""

    def __init__(
        self,
        model: str | os.PathLike[str] | Engine = "scenes",
        *,
        detector: str | os.PathLike[str] | DetectorEngine | None = "scenes-detector",
        threads: int | None = None,
    ) -> None:
        """Load the models.

        Args:
            model: What fills: a name (`mendpix.list_models()`), the path of a model file, or an engine.
            detector: What looks for filled pixels, likewise; None = do not look.
            threads: Threads for one run of a network; None = one per core.

        Raises:
            ModelError: If a name is unknown, or a file missing, broken or of the other kind.
            MissingExtraError: If the model needs a package that is not installed.
        """
        self._engine = open_generator(model, threads=threads) if isinstance(model, str | os.PathLike) else model
        self._detector = (
            open_detector(detector, threads=threads) if isinstance(detector, str | os.PathLike) else detector
        )

    @property
    def model(self) -> str:
        """Name of the model that fills."""
        return self._engine.facts.name

    def __call__(
        self,
        image: PictureSource,
        mask: PictureSource,
        *,
        dilate_px: float = 0,
        invert_mask: bool = False,
        progress: Progress | None = None,
    ) -> Result:
        """Fill the holes of a picture of any size.

        Args:
            image: A path, a Pillow image or an array. Not written to.
            mask: Likewise, of the same size: white (1) = fill, black (0) = keep. Not written to.
            dilate_px: Grow the hole by this much, px; 0 = leave it.
            invert_mask: Read the mask the other way round: black = fill.
            progress: Told now and then the share done and a word for the stage; what it raises stops the work.

        Returns:
            The filled picture and what is known about it.

        Raises:
            InputError: If picture or mask cannot be used.
            ModelError: If the model's answer cannot be used.
        """
        stage = Stages(progress)
        stopwatch = Stopwatch()
        with stopwatch.running(), spent("total"):
            with spent("read"):
                stage.enter(0.0, FILL_FROM, 1, "reading")
                picture = read_picture(image)
                hole = read_mask(mask, (picture.height, picture.width), invert=invert_mask, dilate_px=dilate_px)
            with spent("plan"):
                missing = hole > 0
                plan = plan_fill(missing, self._engine.facts)
            with spent("fill"):
                stage.enter(FILL_FROM, DETECT_FROM if self._detector else PASTE_FROM, plan.cost_px, "filling")
                prediction = fill_missing(self._engine, plan, picture.rgb, missing, stage.advance)
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
            model=self._engine.facts.name,
        )


def inpaint(
    image: PictureSource,
    mask: PictureSource,
    *,
    model: str | os.PathLike[str] | Engine = "scenes",
    detector: str | os.PathLike[str] | DetectorEngine | None = "scenes-detector",
    dilate_px: float = 0,
    invert_mask: bool = False,
    threads: int | None = None,
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
        threads: Threads for one run of a network; None = one per core.
        progress: Told now and then the share done and a word for the stage; what it raises stops the work.

    Returns:
        The filled picture and what is known about it.

    Raises:
        InputError: If picture or mask cannot be used.
        ModelError: If a model is unknown, or a file missing, broken or of the other kind.
        MissingExtraError: If the model needs a package that is not installed.

    Example:
        >>> inpaint("photo.jpg", "mask.png").image.save("mended.png")  # doctest: +SKIP
    """
    inpainter = Inpainter(model, detector=detector, threads=threads)
    return inpainter(image, mask, dilate_px=dilate_px, invert_mask=invert_mask, progress=progress)
