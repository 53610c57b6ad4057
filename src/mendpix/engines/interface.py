"""What an engine is, and what it tells about itself. Knows no backend, no file and no window.

An *engine* runs one prepared picture on one backend. Whoever calls it has already cut, padded and checked the picture;
whoever gets its answer pastes it back.
"""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast, get_args

from mendpix.errors import ModelError
from mendpix.types import FloatArray, Image, Map, Mask

Kind = Literal["generator", "detector", "classical", "damage"]
"""What a model does: fill by network, look for filled pixels, fill without a network, find damage."""

FACTS_KEY = "mendpix"
"""Name of the ONNX metadata entry that holds the facts as JSON."""

FORMAT = 1
"""Number of the facts' format; a file with a higher one was written by a later mendpix."""

SMALLEST_MAX_HOLE_PX = 8
"""Least `max_hole_px` that makes sense: a coarse-to-fine fill has to end somewhere."""


@dataclass(frozen=True)
class Facts:
    """What a caller must know of a model to use it well. Travels in the model's file."""

    name: str
    """Name for people, such as `scenes`."""
    kind: Kind
    """What the model does."""
    multiple_of: int = 1
    """Height and width must be multiples of this, px; 1 = any."""
    minimum: int = 1
    """Smallest height and width, px; 1 = any."""
    preferred_px: int | None = None
    """Longest side that a window should have, px; None = the planner's own limit."""
    context_px: int = 64
    """Border of known pixels wanted around a hole, px."""
    max_hole_px: int | None = None
    """Thickest hole that is filled well at once, px (diameter); thicker ones go coarse to fine. None = any."""
    inputs: tuple[str, ...] = ("image", "hole")
    """Inputs by name, in order; `fills` asks for the two classical first fills, `edges` for Canny's edges."""
    context_share: float = 0.75
    """Border wanted around a thick hole, as a share of its thickness, where that is more than `context_px`."""
    first_fill_radius_px: float = 2.0
    """Neighbourhood of the Navier–Stokes first fill that the model was trained with, px."""
    edges_sigma: float = 2.0
    """Width of the Gaussian of those edges, px."""
    copies: bool = False
    """The engine copies from the surroundings, and can be told where it must not copy from."""
    kinds: tuple[str, ...] = ()
    """Kinds of damage that are told apart, such as `wear`, in the order of the answer's planes; only of `damage`."""
    thresholds: tuple[float, ...] = ()
    """For each of them, the answer from which a pixel counts as damaged at sensitivity 0.5; empty = 0.5 for all."""
    preset_thresholds: tuple[float, ...] = ()
    """The same if a preset is asked for by name (such as `text`): with fewer kinds than `auto` looks for, less can go
    wrong, and they may be lower; empty = `thresholds`."""

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            ModelError: If a field has a value that makes no sense.
        """
        if self.kind not in get_args(Kind):
            raise _bad_fact("kind", f"one of {', '.join(get_args(Kind))}", self.kind)
        for name, least in (("multiple_of", 1), ("minimum", 1), ("context_px", 0)):
            _check_count(name, getattr(self, name), least)
        if self.preferred_px is not None:
            _check_count("preferred_px", self.preferred_px, 2 * self.context_px + 1)
        if self.max_hole_px is not None:
            _check_count("max_hole_px", self.max_hole_px, SMALLEST_MAX_HOLE_PX)
        if not 0 <= self.context_share <= 4:
            raise _bad_fact("context_share", "between 0 and 4", self.context_share)
        if not 1 <= self.first_fill_radius_px <= 64:
            raise _bad_fact("first_fill_radius_px", "between 1 and 64", self.first_fill_radius_px)
        if not 0 < self.edges_sigma <= 64:
            raise _bad_fact("edges_sigma", "above 0 and at most 64", self.edges_sigma)
        if (self.kind == "damage") != bool(self.kinds) or len(set(self.kinds)) != len(self.kinds):
            raise _bad_fact("kinds", "different names if it finds damage, and empty if not", self.kinds)
        if not all(isinstance(kind, str) and kind for kind in self.kinds):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise _bad_fact("kinds", "names", self.kinds)
        for name, shares in (("thresholds", self.thresholds), ("preset_thresholds", self.preset_thresholds)):
            if len(shares) not in (0, len(self.kinds)) or not all(_is_share(share) for share in shares):
                raise _bad_fact(name, "empty, or a number between 0 and 1 for each of the kinds", shares)

    @property
    def takes_guide(self) -> bool:
        """True if the engine can start from a coarse fill instead of the classical first fills."""
        return "fills" in self.inputs

    def to_json(self) -> str:
        """Write the facts as JSON, for the metadata of a model file.

        Returns:
            One JSON object with a key per field and the format number.
        """
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> "Facts":
        """Read what `to_json` wrote. Keys that are no facts (a commit, a date) are left aside.

        Args:
            text: A JSON object.

        Returns:
            The facts.

        Raises:
            ModelError: If `text` is no JSON object, is of a later format, or a fact is missing or makes no sense.
        """
        try:
            loaded = json.loads(text)
        except json.JSONDecodeError as error:
            raise ModelError(
                f"The metadata {FACTS_KEY!r} of a model must be JSON; it is not ({error}). Export the model again."
            ) from error
        if not isinstance(loaded, dict):
            raise ModelError(f"The metadata {FACTS_KEY!r} of a model must be a JSON object. Export the model again.")
        entries = cast("dict[str, Any]", loaded)
        if entries.get("format", FORMAT) != FORMAT:
            raise ModelError(f"The model's facts must be of format {FORMAT}; got {entries['format']}. Upgrade mendpix.")
        known = {field.name for field in dataclasses.fields(cls)}
        fields = {name: value for name, value in entries.items() if name in known}
        for name in ("name", "kind"):
            if not isinstance(fields.get(name), str):
                raise ModelError(f"The metadata {FACTS_KEY!r} of a model must say its {name}. Export the model again.")
        for name in ("inputs", "kinds", "thresholds", "preset_thresholds"):
            if name in fields:
                if not isinstance(fields[name], list):
                    raise _bad_fact(name, "a list", fields[name])
                fields[name] = tuple(fields[name])
        return cls(**fields)


class Engine(Protocol):
    """Fills holes. Sizes that arrive are already legal for `facts`."""

    @property
    def facts(self) -> Facts:
        """What the engine tells about itself."""
        ...

    def fill(self, image: Image, hole: Mask, guide: Image | None = None) -> Image:
        """Predict the picture without its hole.

        Args:
            image: RGB in [0, 1], shape (H, W, 3); what lies in the hole is to be ignored. Not written to.
            hole: 1 = fill, 0 = known, shape (H, W).
            guide: A coarse fill to start from in place of the first fills, like `image`; only the hole's part counts.
                Given only to engines whose facts say `takes_guide`.

        Returns:
            New array, RGB in [0, 1], shape (H, W, 3); only its values in the hole will be used, and those right beside
            it, to blend seams away.
        """
        ...


class CopyingEngine(Engine, Protocol):
    """An engine whose facts say `copies`: it can be told which known pixels must not be copied."""

    def fill(self, image: Image, hole: Mask, guide: Image | None = None, excluded: Mask | None = None) -> Image:
        """Predict the picture without its hole.

        Args:
            image: Like `Engine.fill`.
            hole: Like `Engine.fill`.
            guide: Like `Engine.fill`.
            excluded: 1 = known, but nothing of it may be copied, shape (H, W); None = all that is known may be.

        Returns:
            Like `Engine.fill`.
        """
        ...


class DetectorEngine(Protocol):
    """Tells for each pixel whether it looks filled. Sizes that arrive are already legal for `facts`."""

    @property
    def facts(self) -> Facts:
        """What the engine tells about itself."""
        ...

    def detect(self, image: Image) -> Map:
        """Rate every pixel.

        Args:
            image: RGB in [0, 1], shape (H, W, 3). Not written to.

        Returns:
            Probability in [0, 1] that a pixel was filled, shape (H, W).
        """
        ...


class DamageEngine(Protocol):
    """Tells for each pixel how much of it each kind of damage destroyed. Sizes that arrive are legal for `facts`."""

    @property
    def facts(self) -> Facts:
        """What the engine tells about itself; its `kinds` name the planes of the answer."""
        ...

    def find(self, image: Image) -> FloatArray:
        """Rate every pixel.

        Args:
            image: RGB in [0, 1], shape (H, W, 3). Not written to.

        Returns:
            How much of a pixel each kind of damage has destroyed, in [0, 1], float32, shape (H, W, K).
        """
        ...


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1


def _check_count(name: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise _bad_fact(name, f"a whole number of at least {least}", value)


def _bad_fact(name: str, expected: str, got: object) -> ModelError:
    return ModelError(f"The model's fact {name} must be {expected}; got {got!r}. Export the model again.")
