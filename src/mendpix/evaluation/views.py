"""What a measure may look at, and what a measure is. Knows no particular measure, no file and no model."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from mendpix.composite import composite
from mendpix.errors import ModelError
from mendpix.metrics.detection import rank_scores
from mendpix.metrics.edges import edge_ratio
from mendpix.metrics.grey import to_grey
from mendpix.metrics.psnr import MOST_DB, psnr
from mendpix.metrics.squeezenet import SqueezeNet
from mendpix.metrics.ssim import Window, ssim_against, window_means
from mendpix.metrics.texture import border_gradient, texture_ratio
from mendpix.types import FloatArray, Image, Map, Mask

Quantisation = Literal["round", "truncate", "none"]
"""How a picture in [0, 1] comes to 256 levels: to the nearest, to the next lower, or not at all."""

Shown = Literal["composite", "raw"]
"""Which picture is measured: with the known pixels of the true one, or the model's answer as it is."""

Needs = Literal["", "backbone", "detector", "lpips-alex", "lpips-vgg"]
"""What must be opened before a measure can be computed; "" = nothing."""

KEPT_PX = 1_000_000
"""Largest target of which the means that SSIM needs are kept, px; they take 72 bytes per pixel and window."""

_T = TypeVar("_T")


@dataclass(eq=False)
class Views:
    """Everything known of one pair; derived pictures are computed once, when asked for.

    The arrays that come back are shared: they are read-only. Only `probability` is set later, since the detector looks
    at what `shown` gives.
    """

    target: Image
    """The true picture, exact multiples of 1/255, shape (H, W, 3)."""
    prediction: Image
    """The model's answer, clamped to [0, 1], before compositing and quantisation, shape (H, W, 3)."""
    hole: Mask
    """1 = hole, 0 = known, shape (H, W)."""
    quantisation: Quantisation = "round"
    """The protocol's."""
    image: Shown = "composite"
    """The protocol's."""
    backbone: SqueezeNet | None = None
    lpips: Mapping[str, Callable[[Image, Image], float]] = field(default_factory=dict[str, Any])
    """LPIPS by backbone, "alex" and "vgg"; those that were opened."""
    probability: Map | None = None
    """The detector's map of `shown()`; None if the protocol has no detector."""
    cache: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """What was computed of the target alone. Pairs with the same target may share one; pairs with another must not."""
    own: dict[str, Any] = field(default_factory=dict[str, Any], init=False, repr=False)
    """What was computed of this pair."""

    def shown(self, quantisation: Quantisation | None = None, image: Shown | None = None) -> Image:
        """Return the picture that is measured.

        Args:
            quantisation: Another than the protocol's.
            image: Another than the protocol's.

        Returns:
            Composite or raw answer, quantised, float32, shape (H, W, 3). Known pixels of a composite equal the
            target's bit for bit, however it is quantised.
        """
        levels, kind = quantisation or self.quantisation, image or self.image

        def make() -> Image:
            filled = self.prediction if kind == "raw" else composite(self.target, self.prediction, self.hole)
            return _locked(quantise(filled, levels))

        return _once(self.own, f"shown {levels} {kind}", make)

    def shown_grey(self, quantisation: Quantisation | None = None, image: Shown | None = None) -> NDArray[np.float64]:
        """Return the measured picture in grey, see `metrics.grey`, shape (H, W)."""
        levels, kind = quantisation or self.quantisation, image or self.image
        return _once(self.own, f"grey {levels} {kind}", lambda: _locked(to_grey(self.shown(levels, kind))))

    def target_grey(self) -> NDArray[np.float64]:
        """Return the true picture in grey, see `metrics.grey`, shape (H, W)."""
        return self.of_target("grey", lambda: _locked(to_grey(self.target)))

    def of_target(self, key: str, compute: Callable[[], _T]) -> _T:
        """Return what depends on the target alone: computed for the first pair that asks.

        Args:
            key: Name of it, the same for all pairs of the target.
            compute: Computes it.
        """
        return _once(self.cache, key, compute)

    def psnr(
        self,
        *,
        grey: bool = False,
        quantisation: Quantisation | None = None,
        image: Shown | None = None,
        most_db: float = MOST_DB,
    ) -> float:
        """Return the PSNR of the measured picture, see `metrics.psnr`; `most_db` may be infinite."""
        levels, kind = quantisation or self.quantisation, image or self.image

        def compute() -> float:
            return psnr(self.shown(levels, kind), self.target, grey=grey, most_db=math.inf)

        return min(most_db, _once(self.own, f"psnr {grey} {levels} {kind}", compute))

    def ssim(
        self,
        window: Window,
        *,
        grey: bool = False,
        quantisation: Quantisation | None = None,
        image: Shown | None = None,
    ) -> float:
        """Return the SSIM of the measured picture, see `metrics.ssim`; what it needs of the target is kept."""
        levels, kind = quantisation or self.quantisation, image or self.image

        def compute() -> float:
            shown = self.shown_grey(levels, kind) if grey else self.shown(levels, kind)
            target = self.target_grey() if grey else self.target
            if target.shape[0] * target.shape[1] > KEPT_PX:
                return ssim_against(shown, window_means(target, window))
            return ssim_against(shown, self.of_target(f"ssim {window} {grey}", lambda: window_means(target, window)))

        return _once(self.own, f"ssim {window} {grey} {levels} {kind}", compute)

    def edge_ratio(self) -> float:
        """Return the edge ratio of the measured picture, percent."""
        return _once(self.own, "edges", lambda: 100 * edge_ratio(self.shown()))

    def true_edge_ratio(self) -> float:
        """Return the edge ratio of the true picture, percent."""
        return self.of_target("edges", lambda: 100 * edge_ratio(self.target))

    def texture_ratio(self) -> float:
        """Return the texture ratio of the measured picture, see `metrics.texture`."""
        return _once(self.own, "texture", lambda: texture_ratio(self.shown(), self.hole))

    def border_gradient(self) -> float:
        """Return the gradient at the border of the measured picture, see `metrics.texture`."""
        return _once(self.own, "seam", lambda: border_gradient(self.shown(), self.hole))

    def feature_distance(self) -> float:
        """Return the SqueezeNet feature distance, see `metrics.squeezenet`; needs `backbone`.

        Raises:
            ModelError: If there is no backbone.
        """
        if self.backbone is None:
            raise ModelError("the feature distance needs the backbone SqueezeNet; none was opened. Give it to Views.")
        return self.backbone.feature_distance(self.shown(), self.target)

    def detected(self) -> Map:
        """Return the detector's map of the measured picture.

        Raises:
            ModelError: If there is none.
        """
        if self.probability is None:
            raise ModelError(
                "measures named detector-… need a detector; the protocol names none. Give it one, or take these "
                "measures out."
            )
        return self.probability

    def ranks(self) -> NDArray[np.float64]:
        """Return known and hole pixels per rating of the detector, see `metrics.detection.rank_scores`."""
        return _once(self.own, "ranks", lambda: rank_scores(self.detected(), self.hole))

    def artifact_score(self) -> float:
        """Return the mean of the detector's map over the hole, in [0, 1]; NaN if the hole is empty."""
        inside = self.detected()[self.hole > 0]
        return float(inside.mean(dtype=np.float64)) if inside.size else math.nan


@dataclass(frozen=True)
class Measure:
    """A number that compares one filled picture with its original."""

    title: str
    """What tables call it, such as "SSIM, Gaussian 11 × 11, valid"."""
    unit: str
    """"" if it has none."""
    digits: int
    """Decimals in tables."""
    sign: int
    """1 = more is better, -1 = less is better, 0 = neither."""
    definition: str
    """Formula, window, data range; what equal pictures and an empty hole give."""
    source: str
    """Paper or program that defines it, with a link."""
    compute: Callable[[Views], float] = field(repr=False)
    """NaN where the number means nothing."""
    needs: Needs = ""
    equal: float | None = None
    """What equal pictures give; None if that depends on the picture."""


@dataclass(frozen=True)
class SetMeasure:
    """A number that compares all filled pictures of a set with all originals."""

    title: str
    unit: str
    digits: int
    sign: int
    definition: str
    source: str
    least_pairs: int
    """With fewer pairs there is no value (NaN)."""
    vector: Literal["squeezenet", "squeezenet-hole", "inception", "detector"]
    """What is computed of each picture: pooled activations of a backbone, of the whole or of a crop around its hole,
    or counts of a detector's ratings."""


def quantise(image: Image, quantisation: Quantisation) -> Image:
    """Bring a picture in [0, 1] to 256 levels, or leave it.

    "round" is what writing a file with rounding and reading it again does, "truncate" what a bare cast to bytes does.
    Levels stay what they are in both: x · 255 is computed in single precision, where k / 255 · 255 is k for every k
    from 0 to 255.

    Args:
        image: Float32 in [0, 1], any shape.
        quantisation: How.

    Returns:
        New array of multiples of 1/255, float32; for "none" the image itself.
    """
    if quantisation == "none":
        return image
    scaled = image * np.float32(255)
    levels: FloatArray = np.rint(scaled) if quantisation == "round" else np.floor(scaled)
    return levels / np.float32(255)


def _once(store: dict[str, Any], key: str, compute: Callable[[], _T]) -> _T:
    if key not in store:
        store[key] = compute()
    return store[key]


def _locked(array: NDArray[Any]) -> NDArray[Any]:
    """Return a view that cannot be written to, so that one measure cannot spoil the next."""
    view = array.view()
    view.setflags(write=False)
    return view
