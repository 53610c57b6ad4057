"""Make first fills that look copied, and what a harmoniser should make of them: sampled and recorded, then applied.

A fill by copying shows real texture; what is wrong with it is where copies meet each other and the known pixels:
brightness, colour and shading do not fit, and lines are a little off. Three kinds are made here. A *disturbed* guide is
the true picture in pieces, each with faults of its own; what is wanted is the true picture, bent smoothly where pieces
were shifted. A *matched* guide takes each piece from the place of the same picture that is most like it; what is wanted
keeps the copied texture and takes tone, and everything near seams, from the true picture. A real *copy*, such as an
exemplar fill, is disturbed further; what is wanted is the copy, its tone nearer to the true one where both are alike.
In all of them nothing that is wanted is the mean of several possible textures, so that a pixel loss has no reason to
blur.

Knows nothing of files, batches, networks or losses.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from mendpix.data.seams import Cells, Labels, draw_cells, sample_cells, seam_distance
from mendpix.errors import InputError
from mendpix.types import FloatArray, Image, Mask

TONE_PX = 8.0
"""Standard deviation of the blur that tells tone from texture, px."""

KEEP_FROM_PX = 2.0
"""Nearer to a seam than this, a matched guide's wanted texture is the true one, px."""

KEEP_ALL_PX = 6.0
"""Farther from all seams than this, it is the copied one, px."""

BEND_PX = 10.0
"""Width beside known pixels over which a shift fades to nothing, px."""

ALIKE = 0.08
"""Difference of tone up to which a real copy is taken to show what was there, of a range of 1."""

WORST_MATCH = 0.02
"""Mean squared difference of grey above which no place counts as like a piece."""

_FEATHERS_PX = (0.0, 0.0, 0.0, 1.0, 2.0, 4.0, 8.0)  # how soft the seams of tone are; most are hard
_MARGIN_PX = 4  # of the surroundings that count when the best place for a piece is looked for


@dataclass(frozen=True)
class GuideSpec:
    """Describe which copied guides are wanted, and how faulty. Spreads are standard deviations at full strength.

    Raises:
        InputError: If a value makes no sense.
    """

    share: float = 0.0
    """Share of samples whose two first fills are both a copied guide; 0 = none."""
    matched: float = 0.4
    """Share of the guides made here that take their pieces from elsewhere in the picture; the rest are disturbed."""
    exemplar: float = 0.0
    """Share of the guides that are real exemplar fills, where there are some."""
    cell_smallest_px: float = 12.0
    """Smallest mean width of the pieces, px."""
    cell_largest_px: float = 56.0
    """Largest mean width of the pieces, px."""
    gain: float = 0.12
    """Spread of the logarithm of the factor on a piece's brightness; 0 = none."""
    tint: float = 0.04
    """Spread of the same for each colour channel apart; 0 = none."""
    offset: float = 0.06
    """Spread of what is added to a piece; 0 = none."""
    slope: float = 0.1
    """Spread of the change of brightness over a piece's mean width, in rows and in columns; 0 = none."""
    shift_px: float = 2.0
    """Spread of the shift of a disturbed piece in rows and in columns, px; 0 = none."""
    crisp: float = 0.2
    """Spread of the factor by which the finest detail is raised or lowered in a quarter of the pieces; 0 = none."""

    def __post_init__(self) -> None:
        for name in ("share", "matched", "exemplar"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must lie between 0 and 1; got {getattr(self, name)}.")
        if not 1 <= self.cell_smallest_px <= self.cell_largest_px:
            raise InputError(
                "cell_smallest_px must be at least 1 and at most cell_largest_px; "
                f"got {self.cell_smallest_px} and {self.cell_largest_px}."
            )
        for name in ("gain", "tint", "offset", "slope", "shift_px", "crisp"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} must be at least 0; got {getattr(self, name)}.")


@dataclass(frozen=True)
class GuideParameters:
    """Record one guide; arrays have a row per cell."""

    cells: Cells
    """How the hole is cut."""
    matched: bool
    """Whether pieces come from elsewhere."""
    gain: FloatArray
    """Factor on each channel, shape (N, 3)."""
    offset: FloatArray
    """Added to each channel, shape (N, 3)."""
    slope: FloatArray
    """Change of brightness per px in rows and columns, shape (N, 2)."""
    shift: FloatArray
    """Whole px by which a piece is off, rows and columns, shape (N, 2); 0 if matched."""
    crisp: FloatArray
    """Factor - 1 on the finest detail, shape (N,)."""
    feather_px: float
    """Standard deviation of the blur of the faults' borders, px; 0 = hard seams of tone."""
    anchored: bool
    """Whether the faults of tone fade towards the known pixels, as after a blending that cares for the border alone."""


@dataclass(frozen=True)
class Guide:
    """What was made."""

    fill: Image
    """The picture with a faulty copy in the hole, shape (H, W, 3)."""
    wanted: Image
    """The picture with what should become of it, shape (H, W, 3); both are the true picture outside the hole."""


def sample_guide(rng: np.random.Generator, hole: Mask, spec: GuideSpec) -> GuideParameters:
    """Sample the faults of one guide.

    A guide's strength is drawn first: many have weak faults and some next to none, so that a good copy is left alone.

    Args:
        rng: Source of all randomness.
        hole: 1 = hole, 0 = known, shape (H, W). Must not be empty.
        spec: What is wanted.

    Raises:
        InputError: If the hole is empty.
    """
    cells = sample_cells(rng, hole, (spec.cell_smallest_px, spec.cell_largest_px))
    count = len(cells.centres)
    matched = bool(rng.random() < spec.matched)
    strength = rng.uniform(0, 1.3)
    side = (float((hole > 0).sum()) / count) ** 0.5
    gain = np.exp(strength * (spec.gain * rng.normal(size=(count, 1)) + spec.tint * rng.normal(size=(count, 3))))
    offset = strength * (spec.offset * rng.normal(size=(count, 1)) + 0.3 * spec.offset * rng.normal(size=(count, 3)))
    slope = strength * spec.slope * rng.normal(size=(count, 2)) / side
    shift = np.rint(rng.choice([0.0, 1.0]) * spec.shift_px * rng.normal(size=(count, 2)))
    crisp = np.where(rng.random(count) < 0.25, spec.crisp * rng.normal(size=count), 0.0)
    feather_px = float(rng.choice(_FEATHERS_PX))
    anchored = bool(rng.random() < 0.25)
    if matched:  # pieces from elsewhere bring faults of their own
        shift = np.zeros_like(shift)
    parts = (np.asarray(part, np.float32) for part in (gain, offset, slope, shift, crisp))
    return GuideParameters(cells, matched, *parts, feather_px=feather_px, anchored=anchored)


def make_guide(
    picture: Image, corner: tuple[int, int], hole: Mask, parameters: GuideParameters, copy: Image | None = None
) -> Guide:
    """Apply recorded parameters to a crop of a picture, without any randomness.

    Args:
        picture: The whole true picture, RGB in [0, 1], shape (H, W, 3): pieces may be taken from all of it.
        corner: Row and column where the crop starts in it.
        hole: 1 = hole, 0 = known, shape (h, w), the crop's size.
        parameters: What `sample_guide` returned for this hole.
        copy: A real copy in the hole, of the crop's size; None = one is made up as the parameters say.

    Returns:
        Two new pictures of the crop's size.
    """
    top, left = corner
    height, width = hole.shape
    inside = picture[top : top + height, left : left + width]
    labels = draw_cells(parameters.cells, (height, width))
    if copy is not None:
        copied, wanted = copy, _toned(copy, inside, hole)
    elif parameters.matched:
        copied, wanted = _matched(picture, corner, hole, labels)
    else:
        copied, wanted = _shifted(inside, hole, labels, parameters.shift)
    faulty = _with_faults(copied, hole, labels, parameters)
    missing = hole[..., None] > 0
    return Guide(
        fill=np.where(missing, faulty, inside).astype(np.float32, copy=False),
        wanted=np.where(missing, np.clip(wanted, 0, 1), inside).astype(np.float32, copy=False),
    )


def _with_faults(copied: Image, hole: Mask, labels: Labels, parameters: GuideParameters) -> Image:
    """Give each cell its gain, offset, shading and sharpness."""
    height, width = hole.shape
    rows = np.arange(height, dtype=np.float32)[:, None]
    columns = np.arange(width, dtype=np.float32)[None]
    centres = np.asarray(parameters.cells.centres, np.float32)[labels]  # (h, w, 2)
    slope = parameters.slope[labels]  # (h, w, 2)
    shading = slope[..., 0] * (rows - centres[..., 0]) + slope[..., 1] * (columns - centres[..., 1])
    gain = parameters.gain[labels] - 1  # (h, w, 3)
    offset = parameters.offset[labels] + np.clip(shading, -0.25, 0.25)[..., None]  # (h, w, 3)
    if parameters.anchored:
        far = cv2.distanceTransform((hole > 0).astype(np.uint8), cv2.DIST_L2, 3)
        fade: FloatArray = np.minimum(np.asarray(far, np.float32) / np.float32(2 * BEND_PX), np.float32(1))[..., None]
        gain, offset = gain * fade, offset * fade
    if parameters.feather_px:
        gain = _blurred(gain, parameters.feather_px)
        offset = _blurred(np.asarray(offset, np.float32), parameters.feather_px)
    result = copied * (1 + gain) + offset
    if parameters.crisp.any():
        result = result + parameters.crisp[labels][..., None] * (copied - _blurred(copied, 1.0))
    return np.clip(result, 0, 1)


def _shifted(inside: Image, hole: Mask, labels: Labels, shift: FloatArray) -> tuple[Image, Image]:
    """Shift each cell; and bend the true picture so that it follows the shifts without breaking at seams."""
    if not shift.any():
        return inside, inside
    height, width = hole.shape
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    off = shift[labels] * (hole[..., None] > 0)  # (h, w, 2)
    copied = cv2.remap(
        inside, columns + off[..., 1], rows + off[..., 0], cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101
    )
    far = np.asarray(cv2.distanceTransform((hole > 0).astype(np.uint8), cv2.DIST_L2, 3), np.float32)
    bend = _blurred(off, BEND_PX / 2) * np.minimum(far / BEND_PX, 1)[..., None]
    wanted = cv2.remap(
        inside, columns + bend[..., 1], rows + bend[..., 0], cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(copied, np.float32), np.asarray(wanted, np.float32)


def _matched(picture: Image, corner: tuple[int, int], hole: Mask, labels: Labels) -> tuple[Image, Image]:
    """Take each cell from the place that is most like what is missing there; a cell without any place stays true."""
    top, left = corner
    height, width = hole.shape
    detail = picture - _blurred(picture, TONE_PX)  # (H, W, 3)
    inside = picture[top : top + height, left : left + width]
    true_detail = detail[top : top + height, left : left + width]
    copied, copied_detail = inside.copy(), true_detail.copy()

    # The search runs on grey at half size, where it is cheap; so shifts are even.
    grey = picture @ np.array([0.299, 0.587, 0.114], np.float32)
    grey = np.asarray(cv2.resize(grey, (grey.shape[1] // 2, grey.shape[0] // 2), interpolation=cv2.INTER_AREA))
    missing = np.zeros(picture.shape[:2], np.float32)
    missing[top : top + height, left : left + width] = hole
    missing = cv2.resize(missing, (grey.shape[1], grey.shape[0]), interpolation=cv2.INTER_AREA)
    below = cv2.integral((missing > 0).astype(np.uint8))
    for number in np.unique(labels[hole > 0]):
        cell = (labels == number) & (hole > 0)
        rows, columns = np.flatnonzero(cell.any(1)), np.flatnonzero(cell.any(0))
        first_row, last_row = (top + int(rows[0]) - _MARGIN_PX) // 2, (top + int(rows[-1]) + _MARGIN_PX) // 2 + 1
        first_column, last_column = (
            (left + int(columns[0]) - _MARGIN_PX) // 2,
            (left + int(columns[-1]) + _MARGIN_PX) // 2 + 1,
        )
        first_row, first_column = max(first_row, 0), max(first_column, 0)
        piece = grey[first_row:last_row, first_column:last_column]
        high, wide = piece.shape
        cost = np.asarray(cv2.matchTemplate(grey, piece, cv2.TM_SQDIFF), np.float32)
        touched = below[high:, wide:] - below[:-high, wide:] - below[high:, :-wide] + below[:-high, :-wide]
        cost[touched[: cost.shape[0], : cost.shape[1]] > 0] = np.inf
        best = int(np.argmin(cost))
        if not cost.flat[best] <= WORST_MATCH * piece.size:
            continue
        found_row, found_column = divmod(best, cost.shape[1])
        down, across = 2 * (found_row - first_row), 2 * (found_column - first_column)
        cell_rows, cell_columns = np.nonzero(cell)
        source_rows = np.clip(cell_rows + top + down, 0, picture.shape[0] - 1)
        source_columns = np.clip(cell_columns + left + across, 0, picture.shape[1] - 1)
        copied[cell] = picture[source_rows, source_columns]
        copied_detail[cell] = detail[source_rows, source_columns]
    far = (seam_distance(labels, hole) - KEEP_FROM_PX) / (KEEP_ALL_PX - KEEP_FROM_PX)
    keep: FloatArray = np.clip(far, 0, 1)[..., None].astype(np.float32)
    return copied, np.asarray(inside + keep * (copied_detail - true_detail), np.float32)


def _toned(copy: Image, inside: Image, hole: Mask) -> Image:
    """Bring a copy's tone to the true one where they differ by little; where by much, it shows something else."""
    weight = _blurred(np.repeat(hole[..., None], 3, axis=2), TONE_PX)
    tone = _blurred((inside - copy) * hole[..., None], TONE_PX) / np.maximum(weight, 1e-3)
    alike = np.exp(-np.square(tone / ALIKE).mean(axis=2, keepdims=True))
    return copy + alike * tone


def _blurred(array: FloatArray, sigma_px: float) -> FloatArray:
    """Blur (H, W, C); wide blurs run at a quarter of the size, where they cost a sixteenth."""
    if sigma_px < 6:
        return np.asarray(cv2.GaussianBlur(array, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT_101), np.float32)
    height, width = array.shape[:2]
    small = cv2.resize(array, (max(1, width // 4), max(1, height // 4)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma_px / 4, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
