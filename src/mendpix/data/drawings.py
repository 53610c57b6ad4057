"""Drawings that masks are made from, imitated: dark strokes on white paper, 512 × 512 pixels.

The training masks of the GDN paper come from QD-IMD (https://github.com/karfly/qd-imd), strokes of human drawings.
Where it is not at hand, `Imitations` stand in. They follow what is published about it: the number of strokes is drawn
from N(4, 2), widths from U(5, 15), all is enlarged by U(1, 1.5), the centre is cut out and made black and white. The
strokes themselves, loops, arcs, boxes and scribbles of a shaky hand, are of our own making.

Parameters are sampled and recorded first, in whole numbers, and then drawn without any randomness. Knows nothing of
files (`drawing_files`), nor of holes, masks and bins (`mask_build`).
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mendpix.data.mask_shapes import choose
from mendpix.errors import InputError

Drawing = NDArray[np.uint8]
"""Drawing, shape (512, 512): 0 = stroke, 255 = paper, values between on soft edges."""

DRAWING_PX = 512
"""Side of every drawing in pixels."""

_STROKES_MEAN, _STROKES_SPREAD = 4.0, 2.0
_WIDTHS_PX = (5, 15)
_SCALES = (1000, 1500)  # thousandths
_Points = NDArray[np.float64]


def generator_for(seed: int, *what: object) -> np.random.Generator:
    """Return the source of randomness that belongs to a seed and some words, whatever else is made before or after."""
    text = "\0".join(str(part) for part in (seed, *what))
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))


@dataclass(frozen=True)
class Stroke:
    """Record one stroke, in whole pixels of the drawing before it is enlarged."""

    points: tuple[int, ...]
    """x0, y0, x1, y1, ...; points may lie outside the drawing."""
    width_px: int
    """Width of the pen."""


@dataclass(frozen=True)
class DrawingParameters:
    """Record everything that `draw_drawing` needs; the same record always gives the same drawing."""

    strokes: tuple[Stroke, ...]
    """The strokes, at least one."""
    scale_thousandths: int
    """How much the drawing is enlarged before its centre is cut out; 1000 = not at all."""

    def to_dict(self) -> dict[str, Any]:
        """Return the record as a dict that JSON can hold."""
        strokes = [{"points": list(stroke.points), "width_px": stroke.width_px} for stroke in self.strokes]
        return {"strokes": strokes, "scale_thousandths": self.scale_thousandths}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "DrawingParameters":
        """Rebuild the parameters from what `to_dict` returned."""
        strokes = tuple(Stroke(tuple(s["points"]), int(s["width_px"])) for s in record["strokes"])
        return cls(strokes, int(record["scale_thousandths"]))


class Imitations:
    """Give access to imitated drawings by number; the same number and seed always give the same drawing.

    Args:
        count: How many drawings there are. The first ones are the same, however many there are.
        seed: Other seeds give other drawings.

    Raises:
        InputError: If there is to be none.
    """

    def __init__(self, count: int, seed: int = 0) -> None:
        if count < 1:
            raise InputError(f"at least 1 drawing must be imitated; got {count}.")
        self._count, self._seed = count, seed

    @property
    def names(self) -> Sequence[str]:
        """Names of the drawings: imitation-0000001 and so on."""
        return _Numbered(self._count)

    def read(self, index: int) -> Drawing:
        """Draw drawing `index`, a new array of nothing but 0 and 255."""
        return draw_drawing(sample_drawing(generator_for(self._seed, "drawing", self.names[index])))

    def facts(self) -> dict[str, Any]:
        """Return kind, number and seed of the drawings."""
        return {"source": "imitations", "drawings": self._count, "drawings_seed": self._seed}


class _Numbered(Sequence[str]):
    """Make names up on access, so that millions cost nothing."""

    def __init__(self, count: int) -> None:
        self._range = range(1, count + 1)

    def __len__(self) -> int:
        return len(self._range)

    def __getitem__(self, index: int) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]  # no slices
        return f"imitation-{self._range[index]:07d}"


def sample_drawing(rng: np.random.Generator) -> DrawingParameters:
    """Sample the parameters of one imitated drawing.

    Args:
        rng: Source of all randomness; the same state gives the same parameters.

    Returns:
        The record from which `draw_drawing` draws.

    Example:
        >>> drawing = draw_drawing(sample_drawing(np.random.default_rng(1)))
        >>> drawing.shape, sorted(set(drawing.ravel().tolist()))
        ((512, 512), [0, 255])
    """
    count = max(1, round(rng.normal(_STROKES_MEAN, _STROKES_SPREAD)))
    strokes = tuple(_stroke(rng) for _ in range(count))
    return DrawingParameters(strokes, int(rng.integers(_SCALES[0], _SCALES[1] + 1)))


def draw_drawing(parameters: DrawingParameters) -> Drawing:
    """Draw a drawing from its record.

    Returns:
        New array: exactly 0 = stroke, 255 = paper.
    """
    paper = np.full((DRAWING_PX, DRAWING_PX), 255, np.uint8)
    for stroke in parameters.strokes:
        points = np.array(stroke.points, np.int32).reshape(-1, 2)
        cv2.polylines(paper, [points], False, 0, stroke.width_px)  # thick lines have round ends
    side = DRAWING_PX * parameters.scale_thousandths // 1000
    large = np.asarray(cv2.resize(paper, (side, side), interpolation=cv2.INTER_LINEAR))
    start = (side - DRAWING_PX) // 2
    centre = large[start : start + DRAWING_PX, start : start + DRAWING_PX]
    return np.where(centre > 127, np.uint8(255), np.uint8(0))


def _stroke(rng: np.random.Generator) -> Stroke:
    """Sample one stroke: a form, bent by a shaky hand, of any size, aspect and direction."""
    form = _FORMS[choose(rng, list(_FORM_WEIGHTS), list(_FORM_WEIGHTS.values()))](rng)
    form = form + 0.08 * rng.random() * _tremor(rng, len(form))
    reach = DRAWING_PX * (0.07 + 0.4 * rng.random())
    form = form * (reach * np.array((1, 0.35 + 0.65 * rng.random())))
    angle = 2 * math.pi * rng.random()
    cosine, sine = math.cos(angle), math.sin(angle)
    points = form @ np.array(((cosine, sine), (-sine, cosine))) + DRAWING_PX * (0.1 + 0.8 * rng.random(2))
    width = int(rng.integers(_WIDTHS_PX[0], _WIDTHS_PX[1] + 1))
    return Stroke(tuple(np.rint(points).astype(np.int64).ravel().tolist()), width)


def _tremor(rng: np.random.Generator, count: int) -> _Points:
    """Return a slow random wobble of about unit size, (count, 2)."""
    knots = rng.normal(size=(max(3, count // 4), 2))
    at = np.linspace(0, len(knots) - 1, count)
    return np.stack([np.interp(at, np.arange(len(knots)), knots[:, axis]) for axis in (0, 1)], axis=1)


def _rounded(corners: _Points) -> _Points:
    """Cut the corners of a line twice (Chaikin), so that it looks drawn in one go; its ends stay."""
    for _ in range(2):
        near, far = 0.75 * corners[:-1] + 0.25 * corners[1:], 0.25 * corners[:-1] + 0.75 * corners[1:]
        inner = np.stack((near, far), axis=1).reshape(-1, 2)
        corners = np.concatenate((corners[:1], inner, corners[-1:]))
    return corners


# Each form is a line of points (N, 2) that reaches about 1 from the origin.


def _loop(rng: np.random.Generator) -> _Points:
    """Go round once, with ends that do not quite meet."""
    t = np.linspace(0, 2 * math.pi * (0.92 + 0.2 * rng.random()), 40) + 2 * math.pi * rng.random()
    radius = np.linspace(1, 0.85 + 0.25 * rng.random(), 40)
    return np.stack((radius * np.cos(t), radius * np.sin(t)), axis=1)


def _arc(rng: np.random.Generator) -> _Points:
    """Go round in part."""
    t = np.linspace(0, math.pi * (0.3 + 1.2 * rng.random()), 24)
    return np.stack((np.cos(t), np.sin(t)), axis=1)


def _line(rng: np.random.Generator) -> _Points:
    """Go straight, or nearly so."""
    x = np.linspace(-1, 1, 16)
    return np.stack((x, 0.15 * rng.normal() * (1 - x**2)), axis=1)


def _box(rng: np.random.Generator) -> _Points:
    """Go round three to five corners."""
    count = int(rng.integers(3, 6))
    t = 2 * math.pi * (np.arange(count + 1) + 0.25 * rng.random(count + 1)) / count
    return _rounded(np.repeat(np.stack((np.cos(t), np.sin(t)), axis=1), 2, axis=0))  # doubled: hardly rounded


def _wander(rng: np.random.Generator) -> _Points:
    """Go on with slowly changing bends."""
    steps = int(rng.integers(20, 60))
    heading = np.cumsum(0.45 * _tremor(rng, steps)[:, 0])
    walk = np.stack((np.cumsum(np.cos(heading)), np.cumsum(np.sin(heading))), axis=1)
    walk = walk - (walk.max(axis=0) + walk.min(axis=0)) / 2
    return walk / np.abs(walk).max()


def _scribble(rng: np.random.Generator) -> _Points:
    """Go to and fro."""
    turns = int(rng.integers(4, 10))
    x = np.linspace(-1, 1, turns) + 0.1 * rng.normal(size=turns)
    y = (0.4 + 0.6 * rng.random(turns)) * np.where(np.arange(turns) % 2, 1, -1)
    return _rounded(np.stack((x, y), axis=1))


_FORMS: Mapping[str, Callable[[np.random.Generator], _Points]] = MappingProxyType(
    {"loop": _loop, "arc": _arc, "line": _line, "box": _box, "wander": _wander, "scribble": _scribble}
)
_FORM_WEIGHTS = MappingProxyType({"loop": 0.25, "arc": 0.2, "line": 0.2, "box": 0.1, "wander": 0.15, "scribble": 0.1})
