"""Damage pictures as time, people and machines do: drawn and recorded first, then applied.

A `DamageSpec` says which families of damage there are and how often; `degrade` ages a picture (which is no damage),
damages it with some families, and keeps what is wanted beside it: the same picture without the damage, and how much of
each pixel is destroyed, kind by kind. The record of it is enough to damage the same picture again.

Knows nothing of files, batches, networks or losses. Which fonts the machine has decides how letters look, and nothing
else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from mendpix.data.ageing import age, compress, draw_ageing, with_half_colour
from mendpix.data.damage_layers import Damage, even_log, join, lay, moved
from mendpix.data.damage_lines import crack, fold, scratch
from mendpix.data.damage_noise import gaussian, salt_and_pepper, speckle
from mendpix.data.damage_spots import blend, dust, fade, stain
from mendpix.data.damage_text import watermark, write
from mendpix.errors import InputError, ShapeError
from mendpix.types import FloatArray, Image

KINDS = ("wear", "stains", "text", "watermark", "noise")
"""Kinds of damage, in this order everywhere."""

FAMILIES: dict[str, str] = {
    "scratches": "wear",
    "cracks": "wear",
    "folds": "wear",
    "dust": "wear",
    "stains": "stains",
    "fading": "stains",
    "blends": "stains",
    "text": "text",
    "watermark": "watermark",
    "gaussian": "noise",
    "salt-and-pepper": "noise",
    "speckle": "noise",
}
"""Families of damage, and the kind of each."""

_MAKERS: dict[str, Callable[[np.random.Generator, Image], Damage]] = {
    "scratches": scratch,
    "cracks": crack,
    "folds": fold,
    "dust": dust,
    "stains": stain,
    "fading": fade,
    "blends": blend,
    "text": write,
    "watermark": watermark,
    "gaussian": gaussian,
    "salt-and-pepper": salt_and_pepper,
    "speckle": speckle,
}

_SEEDS = 2**53  # whole numbers that every reader of JSON keeps
_TRIES = 12  # until damage can be seen
_VISIBLE = 12 / 255  # change of the strongest channel that counts as seen
_VISIBLE_SHARE = 0.0005  # of the picture's pixels, at least, must change by that
_PLAIN = {"wear": 36 / 255, "stains": 36 / 255, "text": 36 / 255, "watermark": 20 / 255, "noise": _VISIBLE}  # by kind
_PLAIN_SHARE = 0.25  # of the damaged pixels, at least, must change by that: what nobody sees nobody wants mended


@dataclass(frozen=True)
class DamageSpec:
    """Describe how training pictures are damaged.

    Raises:
        InputError: If a value makes no sense.
    """

    families: tuple[str, ...] = tuple(FAMILIES)
    """Families of damage to take from, each as often as the others; see `FAMILIES`."""
    clean: float = 0.25
    """Share of samples without damage, in [0, 1]."""
    most: int = 3
    """Most families in one sample; of noise at most one. Half of the damaged samples have a single one."""
    ageing: float = 0.5
    """Share of samples, clean ones too, whose whole picture is first made old or ordinary: grey or sepia, less
    contrast, slight blur, slight grain, JPEG. That is no damage: it is in what is wanted too."""
    aged_after: float = 0.8
    """Share of the aged samples that are damaged first and then aged, damage and all, as an old photo that is scanned:
    scratches have its tone, grain and blur, too. In the others sharp damage lies over an old picture. With noise all
    are damaged at last."""
    scan: float = 0.3
    """Share of samples that are slightly blurred after they were damaged, what is wanted as well, as by a scanner;
    damage is not always sharper than its picture. None with noise are."""
    jpeg: float = 0.3
    """Share of samples that are compressed as JPEG at last, what is wanted as well, at the same quality."""
    half_colour: float = 0.8
    """Share of samples whose colour is kept at half the resolution at last, what is wanted as well, as JPEG, WebP and
    films do. Pictures to train on have mostly been through that, and drawn damage has not: sharp colour must not be
    what it is known by. None with noise are."""

    def __post_init__(self) -> None:
        for name in self.families:
            check_family(name)
        if not self.families:
            raise InputError(
                "families must name at least one family of damage; got none. Give clean = 1 for no damage."
            )
        if len(set(self.families)) != len(self.families):
            raise InputError(f"families must name each family once; got {', '.join(self.families)}. Drop the doubles.")
        for name in ("clean", "ageing", "aged_after", "scan", "jpeg", "half_colour"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must lie between 0 and 1; got {getattr(self, name)}.")
        if self.most < 1:
            raise InputError(f"most must be at least 1; got {self.most}. Give clean = 1 for no damage.")


@dataclass(frozen=True)
class Degraded:
    """A damaged picture, and what is known of its damage."""

    image: FloatArray
    """The damaged picture, RGB in [0, 1], in steps of 1/255, shape (H, W, 3)."""
    clean: FloatArray
    """What is wanted: the same, aged and compressed alike, without the damage, shape (H, W, 3)."""
    destroyed: FloatArray
    """How much of each pixel is destroyed, per kind of `KINDS`, in [0, 1], shape (K, H, W)."""
    record: dict[str, Any]
    """What was drawn, fit for JSON: with the picture, enough for `repeat`."""

    @property
    def mask(self) -> FloatArray:
        """Give how much of each pixel is destroyed by all kinds together, in [0, 1], shape (H, W)."""
        return np.asarray(1 - np.prod(1 - self.destroyed, axis=0), np.float32)


def degrade(rng: np.random.Generator, image: Image, spec: DamageSpec | None = None) -> Degraded:
    """Age and damage a picture.

    Where `mask` is 0, damaged and wanted picture agree to the bit, unless at last the colour of both was halved or they
    were compressed as JPEG.

    Args:
        rng: Source of all randomness; the same state gives the same result.
        image: RGB in [0, 1], float32, shape (H, W, 3).
        spec: What to draw; None = the defaults.

    Raises:
        ShapeError: If the image is none.

    Example:
        >>> degraded = degrade(np.random.default_rng(0), np.full((64, 64, 3), 0.5, np.float32))
        >>> degraded.destroyed.shape
        (5, 64, 64)
    """
    _check(image)
    return repeat(image, _draw(rng, spec or DamageSpec()))


def repeat(image: Image, record: dict[str, Any]) -> Degraded:
    """Damage a picture as a record says; with the same picture, and the same fonts, the result is the same.

    Args:
        image: RGB in [0, 1], float32, shape (H, W, 3).
        record: That of a `Degraded`.

    Raises:
        ShapeError: If the image is none.
        InputError: If the record names an unknown family.
    """
    _check(image)
    ageing: dict[str, Any] | None = record["ageing"]
    late = ageing if record["aged_after"] else None
    wanted = image if ageing is None or late is not None else age(image, ageing)
    wanted = _in_steps(wanted)
    damaged, done = wanted, []
    destroyed = np.zeros((len(KINDS), *image.shape[:2]), np.float32)
    for entry in record["families"]:
        one = damage(np.random.default_rng(entry["seed"]), damaged, entry["family"])
        plane = destroyed[KINDS.index(FAMILIES[entry["family"]])]
        damaged, plane[:] = one.image, join(plane, one.destroyed)
        done.append({"family": entry["family"], "seed": entry["seed"], "parameters": one.parameters})
    if late is not None:
        uncompressed = {**late, "jpeg": None}
        wanted, damaged = age(wanted, uncompressed), age(damaged, uncompressed)
        if late["blur_px"]:
            destroyed = _softened(destroyed, late["blur_px"])
    if record["scan"] is not None:
        wanted, damaged = _blurred(wanted, record["scan"]), _blurred(damaged, record["scan"])
        destroyed = _softened(destroyed, record["scan"])
    wanted, damaged = _in_steps(wanted), _in_steps(damaged)
    destroyed[:, ~moved(wanted, damaged)] = 0  # what blur, steps of 8 bits or a second layer took back
    damaged = np.where((destroyed.max(axis=0) > 0)[..., None], damaged, wanted)
    if record["half_colour"]:
        wanted, damaged = _in_steps(with_half_colour(wanted)), _in_steps(with_half_colour(damaged))
        destroyed[:, ~moved(wanted, damaged)] = 0
    quality = late["jpeg"] if late is not None and record["jpeg"] is None else record["jpeg"]
    if quality is not None:
        wanted, damaged = compress(wanted, quality), compress(damaged, quality)
    return Degraded(damaged, wanted, destroyed, {**record, "families": done})


def damage(rng: np.random.Generator, image: Image, family: str) -> Damage:
    """Damage a picture with one family, so that a person sees it: plainly, if a dozen draws allow.

    Args:
        rng: Source of all randomness; the same state gives the same result.
        image: RGB in [0, 1], float32, shape (H, W, 3).
        family: One of `FAMILIES`.

    Raises:
        ShapeError: If the image is none.
        InputError: If the family is unknown.
    """
    _check(image)
    check_family(family)
    least = max(1, round(_VISIBLE_SHARE * image.shape[0] * image.shape[1]))
    plain = _PLAIN[FAMILIES[family]]
    best: tuple[float, Damage] | None = None
    for _ in range(_TRIES):  # white dust on white paper cannot be seen: draw again
        result = _MAKERS[family](rng, image)
        if int(np.count_nonzero(moved(image, result.image, _VISIBLE))) < least:
            continue
        share = np.count_nonzero(moved(image, result.image, plain)) / np.count_nonzero(result.destroyed)
        if share >= _PLAIN_SHARE:
            return result
        if best is None or share > best[0]:
            best = share, result
    return _force(image) if best is None else best[1]


def check_family(name: str) -> None:
    """Make sure that there is such a family.

    Raises:
        InputError: If there is none.
    """
    if name not in FAMILIES:
        raise InputError(f"a family of damage must be one of {', '.join(FAMILIES)}; got {name!r}. Correct the name.")


def _draw(rng: np.random.Generator, spec: DamageSpec) -> dict[str, Any]:
    """Draw what happens to a picture: a record whose families lack their parameters."""
    ageing = draw_ageing(rng) if rng.random() < spec.ageing else None
    names: list[str] = []
    if rng.random() >= spec.clean:
        count = 1
        while count < spec.most and rng.random() < 0.5:
            count += 1
        waiting = list(spec.families)
        while waiting and len(names) < count:
            name = waiting.pop(int(rng.integers(len(waiting))))
            names.append(name)
            if FAMILIES[name] == "noise":
                waiting = [other for other in waiting if FAMILIES[other] != "noise"]
        names.sort(key=lambda name: FAMILIES[name] == "noise")  # noise lies over all
    families = [{"family": name, "seed": int(rng.integers(_SEEDS))} for name in names]
    scan = round(rng.uniform(0.3, 0.9), 4) if rng.random() < spec.scan else None
    after = ageing is not None and rng.random() < spec.aged_after
    if any(FAMILIES[name] == "noise" for name in names):
        scan, after = None, False
    jpeg = round(even_log(rng, 60, 95)) if rng.random() < spec.jpeg else None
    half = rng.random() < spec.half_colour and not any(FAMILIES[name] == "noise" for name in names)
    return {
        "ageing": ageing, "aged_after": after, "families": families, "scan": scan, "jpeg": jpeg, "half_colour": half
    }  # fmt: skip


def _force(image: Image) -> Damage:
    """Cover the middle of a picture in which nothing else could be seen: one of a few pixels."""
    opacity = np.zeros(image.shape[:2], np.float32)
    height, width = image.shape[:2]
    opacity[height * 2 // 5 : height * 3 // 5 + 1, width * 2 // 5 : width * 3 // 5 + 1] = 1
    paint = np.full(3, 0 if image.mean() > 0.5 else 1, np.float32)
    return lay(image, opacity, paint, {"forced": True})


def _check(image: Image) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ShapeError(f"a picture to damage must be (H, W, 3), not empty; got {image.shape}. Give one RGB picture.")
    if image.dtype != np.float32:
        raise ShapeError(f"a picture to damage must be float32 in [0, 1]; got {image.dtype}. Convert it, over 255.")
    low, high = float(image.min()), float(image.max())
    if not (low >= 0 and high <= 1):  # a NaN fails both comparisons
        raise ShapeError(f"a picture to damage must be in [0, 1]; got values from {low} to {high}. Divide by 255.")


def _blurred(plane: FloatArray, blur_px: float) -> FloatArray:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), blur_px), np.float32)


def _softened(planes: FloatArray, blur_px: float) -> FloatArray:
    return np.stack([_blurred(planes[kind], blur_px) for kind in range(len(KINDS))])


def _in_steps(image: Image) -> Image:
    return np.asarray(np.rint(image * np.float32(255)) / np.float32(255), np.float32)
