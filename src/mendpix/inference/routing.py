"""Choose the method for each hole, by one readable rule, and say why. Opens and runs nothing.

What is thin or branched goes to the network; what has the shape of a thing is copied from its surroundings, if they
hold something to copy.

The thresholds were found on two kinds of holes: the 600 irregular masks of the validation set (strokes and torn pieces,
of which the network should lose nothing), and drawn silhouettes of persons, animals and things on training photos,
where fills of both kinds were measured and looked at. docs/concepts/which-method.md tells how.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mendpix.checkpoints import checkpoint
from mendpix.inference.holes import Hole, line_thickness
from mendpix.inference.repetition import Surroundings, look_around
from mendpix.inference.windows import Box, Missing
from mendpix.types import Image
from mendpix.weights.table import FOR_STROKES, FOR_THINGS

THIN_PX = 28.0
"""Holes thinner than this are the network's, px: it was trained on them, and so narrow a smooth strip is hardly seen.
Of 300 silhouettes that cover 3 to 30 % of 256 × 256 px, 7 are thinner; of 300 torn pieces as small as these, most."""

THIN_SHARE = 0.012
"""The same in large pictures, as a share of the shorter side: 48 px of 4000. Dust and scratches of a scan are thicker
in pixels, not to the eye."""

LEAST_COMPACTNESS = 0.17
"""Holes less compact are branched: strokes, cracks, letters."""

COMPACTNESS_BY_SHARE = 0.2
"""What is added to `LEAST_COMPACTNESS` per share of the picture. Strokes run together to a block as they grow, while
things stay what they are: at 40 % of the picture 0.25 is wanted."""

STOUT_SHARE = 0.1875
"""Holes at least this thick, as a share of the shorter side (48 px of 256), are seldom strokes: a person with arms and
legs is as branched as a crack, but not as thin."""

STOUT_COMPACTNESS = 0.10
"""`LEAST_COMPACTNESS` of stout holes. With it 1 of 492 silhouettes is taken for damage instead of 19, and one more of
517 thick pieces of irregular masks for a thing."""

STOUT_COMPACTNESS_BY_SHARE = 0.3
"""`COMPACTNESS_BY_SHARE` of stout holes."""

MOST_STOUT_SHARE = 0.3
"""Holes that cover more of the picture are not called stout: irregular masks of that size are as thick."""

MOST_STRAY = 0.05
"""Missing area in stray pieces, as a share of the hole's own, above which the mask is taken for damage strewn over the
picture and not for a thing painted over. Stray are holes thicker than lines that are branched, vast, or thin."""

MOST_SLIM = 1
"""Thin holes that are not branched, up to this many, are not stray beside a big hole: a slim person, say."""

BIG_SHARE = 0.1
"""How much of the picture that big hole has to cover. So 3 of the 600 irregular masks have a piece that is taken for a
thing; beside holes of any size it would be 5, and with any number of slim ones 19."""

VAST_SHARE = 0.5
"""Holes that cover more of the picture have to be simpler in shape than others to be copied into."""

VAST_COMPACTNESS = 0.4
"""How compact they have to be. Of the irregular masks that cover 50 to 60 %, none is; a half or a corner is."""

MOST_SHARE = 0.8
"""Holes that cover more than this are the network's: a copy of what little is known repeats itself."""

LEAST_SUPPLY = 0.5
"""Holes that can copy from less than this, in areas of their own, are the network's: the same piece again and again."""

LEAST_TEXTURE = 0.008
"""Surroundings with less texture (mean absolute Laplacian) are flat: clear sky, bare walls. There is nothing to copy
that a smooth fill lacks."""

LEAST_ROUGHNESS = 0.08
"""Surroundings with less texture for their contrast are soft forms: clouds, blur, smooth skin. There the network is as
good, and 1 in 25 of the holes in 112 photos of scenes goes to it. Faces would want more (copies put a mouth beside an
ear; 0.15 would send 2 of 3 of them to the network), but so many scenes would be smeared with them that the Fréchet
distance of 120 fills would rise."""

Cause = Literal["thin", "branched", "strewn", "vast", "bare", "flat", "soft", "thing", "asked", "model", "gave-up"]
"""Kind of a reason, for programs and for summing up."""


@dataclass(frozen=True)
class HoleFill:
    """What filled one hole, or would, and why."""

    number: int
    """From 1, in reading order; what `choose` and `--hole` take."""
    box: Box
    """Tight rectangle around the hole, px."""
    share: float
    """Share of the picture that the hole covers, in [0, 1]."""
    thickness_px: float
    """Diameter of the largest disc that fits in, px."""
    compactness: float
    """1 = a disc, 0.8 = a square, below 0.2 = lines and branches."""
    model: str
    """Name of the model."""
    cause: Cause
    """Kind of the reason."""
    reason: str
    """Why this model, in half a sentence."""
    surroundings: Surroundings | None
    """What was measured around the hole; None where its shape decided, or somebody did."""


@dataclass(frozen=True, eq=False)
class Choice:
    """The model that a rule chose for a hole."""

    model: str
    cause: Cause
    reason: str
    surroundings: Surroundings | None = None
    """What was seen around it; None if its shape decided."""


def choose_methods(
    image: Image, missing: Missing, holes: Sequence[Hole], excluded: Missing | None = None
) -> tuple[Choice, ...]:
    """Choose for each hole between the network and the exemplar fill.

    Args:
        image: RGB in [0, 1], shape (H, W, 3); nothing that is missing is looked at.
        missing: True in every hole, shape (H, W).
        holes: The holes, from `find_holes`.
        excluded: True where nothing may be copied from, shape (H, W); None = all may be.

    Returns:
        A choice for each, in the same order.
    """
    side = min(missing.shape)
    checkpoint()
    shapes = [_by_shape(hole, side) for hole in holes]
    stray, slim = _stray(holes, shapes, (missing.shape[0], missing.shape[1]))
    choices: list[Choice] = []
    for hole, shape in zip(holes, shapes, strict=True):
        choice = shape or _strewn(hole, stray if hole.share >= BIG_SHARE else stray + slim)
        if choice is None:
            checkpoint()
            choice = _by_surroundings(hole, look_around(image, missing, hole, excluded))
        choices.append(choice)
    return tuple(choices)


def _by_shape(hole: Hole, side: int) -> Choice | None:
    """Choose for a hole that has not the shape of a thing; None if it has."""
    if hole.thickness_px < max(THIN_PX, THIN_SHARE * side):
        return Choice(FOR_STROKES, "thin", f"thin: {hole.thickness_px:.0f} px")
    if hole.share > MOST_SHARE or (hole.share > VAST_SHARE and hole.compactness < VAST_COMPACTNESS):
        return Choice(FOR_STROKES, "vast", f"vast: {hole.share:.0%} of the picture, too little is known to copy from")
    if _branched(hole, side):
        return Choice(FOR_STROKES, "branched", f"branched: compactness {hole.compactness:.2f}")
    return None


def _branched(hole: Hole, side: int) -> bool:
    least = LEAST_COMPACTNESS + COMPACTNESS_BY_SHARE * hole.share
    if hole.thickness_px >= STOUT_SHARE * side and hole.share <= MOST_STOUT_SHARE:
        least = min(least, STOUT_COMPACTNESS + STOUT_COMPACTNESS_BY_SHARE * hole.share)
    return hole.compactness < least


def _stray(holes: Sequence[Hole], shapes: Sequence[Choice | None], size: tuple[int, int]) -> tuple[float, float]:
    """Sum up the shares of the picture that stray pieces cover: in any case, and slim ones that are but few.

    `shapes` are from `_by_shape`.
    """
    line_px = line_thickness(size)  # scratches around a thing say nothing about it
    stray = slim = 0.0
    slim_count = 0
    for hole, shape in zip(holes, shapes, strict=True):
        if shape is None or hole.thickness_px <= line_px:
            continue
        if shape.cause == "thin" and not _branched(hole, min(size)):
            slim += hole.share
            slim_count += 1
        else:
            stray += hole.share
    return (stray, slim) if slim_count <= MOST_SLIM else (stray + slim, 0.0)


def _strewn(hole: Hole, stray: float) -> Choice | None:
    """Choose for what looks like a thing, but lies amid damage."""
    if stray <= MOST_STRAY * hole.share:
        return None
    return Choice(FOR_STROKES, "strewn", f"part of damage strewn over {stray + hole.share:.0%} of the picture")


def _by_surroundings(hole: Hole, seen: Surroundings) -> Choice:
    """Choose for a hole with the shape of a thing."""
    size = f"compact, {100 * hole.share:.2g} % of the picture"
    if seen.supply < LEAST_SUPPLY:
        return Choice(FOR_STROKES, "bare", f"{size}; too little around it to copy from", seen)
    if seen.texture < LEAST_TEXTURE:
        return Choice(FOR_STROKES, "flat", f"{size}; flat around it, texture {seen.texture:.3f}", seen)
    if seen.roughness < LEAST_ROUGHNESS:
        return Choice(FOR_STROKES, "soft", f"{size}; soft around it, roughness {seen.roughness:.2f}", seen)
    around = f"around it roughness {seen.roughness:.2f}, repetition {seen.repetition:.2f}"
    return Choice(FOR_THINGS, "thing", f"{size}; {around}", seen)


def told(hole: Hole, choice: Choice) -> HoleFill:
    """Put a hole and what was chosen for it into one record."""
    return HoleFill(
        number=hole.number,
        box=hole.box,
        share=hole.share,
        thickness_px=hole.thickness_px,
        compactness=hole.compactness,
        model=choice.model,
        cause=choice.cause,
        reason=choice.reason,
        surroundings=choice.surroundings,
    )
