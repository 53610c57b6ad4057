"""Sample random holes for training: parameters are sampled and recorded first, then drawn without any randomness.

Four kinds of holes: free-form strokes, boxes, thin scratches, and ragged blobs in the manner of the irregular test
masks of Liu et al. 2018 (https://arxiv.org/abs/1804.07723): outlines, regions and specks, thickened by a square.
The share of the picture that a hole covers is steered into a chosen bin. Recorded `MaskParameters` always draw the same
pixels, because everything in them is a whole number.

Knows nothing of pictures, files, tensors or epochs.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import cv2
import numpy as np

from mendpix.data.mask_shapes import MAKERS, Area, Kind, Points, Shape, choose, grow_canvas, paint_shape
from mendpix.errors import InputError
from mendpix.types import Mask

Border = Literal["free", "touch", "any"]
"""How a hole treats the edge of the picture, see `MaskSpec.border`."""

RatioBin = tuple[float, float]
"""Share of the picture that is hole: above the first number, at most the second."""

RATIO_BINS: tuple[RatioBin, ...] = ((0.01, 0.1), (0.1, 0.2), (0.2, 0.3), (0.3, 0.4), (0.4, 0.5), (0.5, 0.6))
"""The six bins by which inpainting results are reported."""

_MOST_ATTEMPTS = 400  # shapes tried before the sampler gives up on its kind and lays down a plain block
_SHRINK = 0.7  # how much smaller shapes become after one that overshot the bin


def bin_of(ratio: float) -> int | None:
    """Return the index into `RATIO_BINS` of a hole share, or None if no bin holds it.

    Example:
        >>> bin_of(0.1), bin_of(0.11), bin_of(0.7)
        (0, 1, None)
    """
    return next((i for i, (low, high) in enumerate(RATIO_BINS) if low < ratio <= high), None)


def _default_kinds() -> dict[Kind, float]:
    return {"strokes": 0.35, "boxes": 0.1, "scratches": 0.15, "blobs": 0.4}


@dataclass(frozen=True)
class MaskSpec:
    """Describe which holes are wanted and how often.

    Raises:
        InputError: If a weight, bin, border or margin makes no sense.
    """

    kinds: Mapping[Kind, float] = field(default_factory=_default_kinds)
    """Relative frequency of each kind of hole; a kind left out never comes."""
    bins: tuple[RatioBin, ...] = RATIO_BINS
    """Shares of hole to steer to, each (low, high]."""
    bin_weights: tuple[float, ...] | None = None
    """Relative frequency of each bin; None = all alike."""
    border: Border = "any"
    """free: nothing within `margin_px` of the edge; touch: at least one edge pixel is hole; any: half the holes are
    free, the others may lie anywhere."""
    margin_px: int = 12
    """Width in pixels of the frame that holes with a free border leave untouched; 0 = they may reach the edge."""

    def __post_init__(self) -> None:
        unknown = sorted(set(self.kinds) - set(get_args(Kind)))
        if unknown:
            raise InputError(f"kinds must be among {', '.join(get_args(Kind))}; got {', '.join(unknown)}.")
        _check_weights("kinds", list(self.kinds.values()))
        if not self.bins or not all(0 <= low < high <= 1 for low, high in self.bins):
            raise InputError(f"bins must be pairs (low, high) with 0 <= low < high <= 1; got {self.bins}.")
        if self.bin_weights is not None:
            if len(self.bin_weights) != len(self.bins):
                raise InputError(
                    f"bin_weights must have one number for each of the {len(self.bins)} bins; "
                    f"got {len(self.bin_weights)}."
                )
            _check_weights("bin_weights", self.bin_weights)
        if self.border not in get_args(Border):
            raise InputError(f"border must be free, touch or any; got {self.border!r}.")
        if self.margin_px < 0:
            raise InputError(f"margin_px must be at least 0; got {self.margin_px}.")


@dataclass(frozen=True)
class MaskParameters:
    """Record everything that `draw_mask` needs; the same record always gives the same mask."""

    height: int
    """Height of the mask in pixels."""
    width: int
    """Width of the mask in pixels."""
    kind: str
    """What the hole is made of: a `Kind`, or `block` if the sampler had to fall back (tiny masks)."""
    margin_px: int
    """Frame in pixels that stays known; 0 = none."""
    grow_px: int
    """Every shape is thickened by a square reaching this many pixels; 0 = not at all."""
    shapes: tuple[Shape, ...]
    """The shapes whose union is the hole."""

    def to_dict(self) -> dict[str, Any]:
        """Return the record as a dict that JSON can hold."""
        shapes = [{"form": s.form, "points": list(s.points), "widths": list(s.widths)} for s in self.shapes]
        return {
            "height": self.height,
            "width": self.width,
            "kind": self.kind,
            "margin_px": self.margin_px,
            "grow_px": self.grow_px,
            "shapes": shapes,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "MaskParameters":
        """Rebuild the parameters from what `to_dict` returned."""
        shapes = tuple(Shape(s["form"], tuple(s["points"]), tuple(s["widths"])) for s in record["shapes"])
        numbers = {name: int(record[name]) for name in ("height", "width", "margin_px", "grow_px")}
        return cls(kind=str(record["kind"]), shapes=shapes, **numbers)


def sample_mask(rng: np.random.Generator, size: tuple[int, int], spec: MaskSpec | None = None) -> MaskParameters:
    """Sample the parameters of one hole whose share of the picture lies in one of the bins of `spec`.

    Args:
        rng: Source of all randomness; the same state gives the same parameters.
        size: Height and width of the mask in pixels.
        spec: Which holes are wanted; None = `MaskSpec()`.

    Returns:
        The record from which `draw_mask` draws the hole.

    Raises:
        InputError: If no hole in a chosen bin can exist at this size and margin.

    Example:
        >>> parameters = sample_mask(np.random.default_rng(7), (64, 64), MaskSpec(bins=((0.2, 0.3),)))
        >>> bool(0.2 < draw_mask(parameters).mean() <= 0.3)
        True
    """
    spec = spec or MaskSpec()
    height, width = size
    if height < 1 or width < 1:
        raise InputError(f"size must be a height and a width of at least 1 pixel; got {size}.")
    kind = choose(rng, list(spec.kinds), list(spec.kinds.values()))
    low, high = choose(rng, spec.bins, spec.bin_weights or (1.0,) * len(spec.bins))
    least, most = _count_range(low, high, height * width)
    if least > most:
        raise InputError(
            f"no hole in a {height} x {width} mask can cover a share in ({low}, {high}]; use larger masks."
        )
    free = spec.border == "free" or (spec.border == "any" and rng.random() < 0.5)
    margin = spec.margin_px if free else 0
    room = max(height - 2 * margin, 0) * max(width - 2 * margin, 0)
    if free and room < least:
        if spec.border == "free":
            raise InputError(
                f"a margin of {margin} px leaves {room} of {height * width} pixels, too few for a hole above {low:g} "
                "of the picture; use a smaller margin_px or smaller bins."
            )
        margin = 0
    aim = least + round(rng.random() * 0.85 * (most - least))
    if margin:  # a drawing area that is nearly as large as the hole could hardly be filled
        aim = max(least, min(aim, round(0.97 * room)))
    area = Area(height - 2 * margin, width - 2 * margin, min(height, width), aim / (height * width))
    grow, shapes = _fill(rng, area, kind, (aim, most), edge=spec.border == "touch")
    if not shapes:
        kind, grow, shapes = "block", 0, _block(area, least)
    return MaskParameters(height, width, kind, margin, grow, shapes)


def draw_mask(parameters: MaskParameters) -> Mask:
    """Draw a hole from its record.

    Args:
        parameters: What `sample_mask` returned.

    Returns:
        New array, shape (height, width): exactly 1 = hole, 0 = known.
    """
    margin = parameters.margin_px
    canvas = np.zeros((parameters.height - 2 * margin, parameters.width - 2 * margin), np.uint8)
    for shape in parameters.shapes:
        paint_shape(canvas, shape)
    mask = np.zeros((parameters.height, parameters.width), np.float32)
    mask[margin : parameters.height - margin, margin : parameters.width - margin] = grow_canvas(
        canvas, parameters.grow_px
    )
    return mask


def _check_weights(name: str, weights: Sequence[float]) -> None:
    if not all(math.isfinite(w) and w >= 0 for w in weights) or sum(weights) <= 0:
        raise InputError(f"{name} must have weights of at least 0 that do not all vanish; got {list(weights)}.")


def _count_range(low: float, high: float, pixels: int) -> tuple[int, int]:
    """Return the smallest and largest number of hole pixels whose share lies in (low, high]."""
    least = next(n for n in range(max(int(low * pixels) - 1, 1), pixels + 2) if n / pixels > low)
    most = next(n for n in range(min(int(high * pixels) + 1, pixels - 1), -1, -1) if n / pixels <= high)  # never all
    return least, most


# ----------------------------------------------------------------------------------------------------------------------
# Sampling shapes until the hole is large enough


def _fill(
    rng: np.random.Generator, area: Area, kind: Kind, counts: tuple[int, int], edge: bool
) -> tuple[int, tuple[Shape, ...]]:
    """Add shapes until the hole has at least the first and at most the second of `counts` pixels.

    A shape that overshoots is dropped and shapes are made smaller from there on. With `edge`, the first shape starts on
    the edge. Returns how far to grow, and the shapes, or no shapes if the attempts run out.
    """
    aim, most = counts
    grow, make = MAKERS[kind](rng, area)
    canvas = np.zeros((area.height, area.width), np.uint8)
    shapes: list[Shape] = []
    scale = 1.0
    for _ in range(_MOST_ATTEMPTS):
        shape = make(rng, scale, _place(rng, area, edge and not shapes))
        trial = canvas.copy()
        paint_shape(trial, shape)
        count = cv2.countNonZero(grow_canvas(trial, grow))
        if count > most:
            scale *= _SHRINK
            continue
        if count == 0:
            continue
        canvas = trial
        shapes.append(shape)
        if count >= aim:
            return grow, tuple(shapes)
    return 0, ()


def _place(rng: np.random.Generator, area: Area, edge: bool) -> Points:
    """Return a random (x, y) of the area, on its edge if `edge`."""
    spot = rng.random(2) * (area.width - 1, area.height - 1)
    if edge:
        axis, far = divmod(int(rng.integers(4)), 2)
        spot[axis] = far * ((area.width, area.height)[axis] - 1)
    return spot


def _block(area: Area, count: int) -> tuple[Shape, ...]:
    """Return shapes that cover exactly `count` pixels, from the top left corner row by row."""
    rows, rest = divmod(count, area.width)
    shapes: list[Shape] = []
    if rows:
        shapes.append(Shape("area", (0, 0, area.width - 1, 0, area.width - 1, rows - 1, 0, rows - 1)))
    if rest:
        shapes.append(Shape("path", (0, rows, rest - 1, rows), (1,)))
    return tuple(shapes)
