"""Look for filled pixels in any picture, whoever filled it. Cuts large pictures into tiles; knows no hole."""

import os

import numpy as np

from mendpix.artifacts.maps import ArtifactMap
from mendpix.engines.interface import DetectorEngine
from mendpix.images import PictureSource, read_picture
from mendpix.inference.blend import detect_in
from mendpix.inference.stages import Stages
from mendpix.inference.windows import tile
from mendpix.types import Progress
from mendpix.weights.locate import open_detector

TILE_PX = 768
"""Side of a tile unless the detector prefers another, px."""

MARGIN_PX = 64
"""How far a tile reaches beyond the part that is taken from it, px, at least."""

DETECT_FROM = 0.05
"""Share of the progress at which the picture has been read."""


def detect(
    image: PictureSource,
    *,
    model: str | os.PathLike[str] | DetectorEngine = "scenes-detector",
    threads: int | None = None,
    progress: Progress | None = None,
) -> ArtifactMap:
    """Tell for each pixel of a picture how likely it was filled in.

    Args:
        image: A path, a Pillow image or an array of any size and mode.
        model: Name of a detector, path of a detector's file, or an engine that is open already.
        threads: Threads for one run; None = one per core.
        progress: Told now and then how much is done; what it raises stops the work.

    Returns:
        The map; its score is the mean probability over the whole picture.

    Raises:
        ModelError: If the detector is unknown or its file missing, broken or a generator.
        InputError: If the picture cannot be used.

    Example:
        >>> detect("holiday.jpg").overlay("holiday.jpg")  # doctest: +SKIP
    """
    stage = Stages(progress)
    stage.enter(0.0, DETECT_FROM, 1, "reading")
    engine = open_detector(model, threads=threads) if isinstance(model, str | os.PathLike) else model
    picture = read_picture(image)
    margin = max(MARGIN_PX, engine.facts.context_px)
    side = max(engine.facts.preferred_px or TILE_PX, 4 * margin)
    tiles = tile((picture.height, picture.width), side, margin, engine.facts)
    stage.enter(DETECT_FROM, 1.0, sum(window.box.area for window in tiles), "detecting")
    probability = detect_in(engine, tiles, picture.rgb, stage.advance)
    return ArtifactMap(probability, float(np.mean(probability, dtype=np.float64)))
