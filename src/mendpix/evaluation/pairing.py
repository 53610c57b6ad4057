"""List, pair and hash what a protocol names, and read it pair by pair. Knows no model and no measure.

Only the list is held in memory, never the pictures.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image as PillowImage

from mendpix import masks
from mendpix.data.dataset import PictureLocation, PictureStore, Pixels, find_pictures
from mendpix.data.mask_files import MaskFolder, read_mask_folder
from mendpix.errors import DataError, InputError, ModelError, ProtocolError
from mendpix.evaluation.protocol import Detecting, Pictures, Protocol
from mendpix.evaluation.results import Pairs
from mendpix.types import Mask, Progress
from mendpix.weights.locate import find_model

DEFINITIONS = 1
"""Number of the measures' definitions; raised whenever one of them changes, and part of every protocol's id."""

HASH_DIGITS = 16
"""Hexadecimal digits kept of a SHA-256."""

SHOWN = 3
"""How many names an error lists."""

_FILTERS = {
    "nearest": PillowImage.Resampling.NEAREST,
    "box": PillowImage.Resampling.BOX,
    "bilinear": PillowImage.Resampling.BILINEAR,
    "bicubic": PillowImage.Resampling.BICUBIC,
    "lanczos": PillowImage.Resampling.LANCZOS,
}


@dataclass(frozen=True)
class Pair:
    """One picture with one mask."""

    key: str
    """Unique name, also as part of a file name: `bsds-0000+10-free-00012`."""
    picture: int
    """Number of the picture, from 0."""
    mask: int
    """Number of the mask, from 0."""
    bin: int
    """Number of the bin among all that the protocol could have, from 0."""
    hole_share: float
    """Share of the picture that is hole."""


@dataclass(frozen=True, eq=False)
class OpenProtocol:
    """A protocol whose files have been found, paired and hashed. Can be sent to other processes."""

    protocol: Protocol
    locations: tuple[PictureLocation, ...]
    """Pictures that are used, in order."""
    mask_folders: tuple[MaskFolder, ...]
    pairs: tuple[Pair, ...]
    """Pairs that share a picture stand side by side."""
    id: str
    """16 hexadecimal digits of a SHA-256 over all contents and settings."""
    facts: tuple[str, ...]
    """The protocol in words, a fact per line."""

    @cached_property
    def by_picture(self) -> tuple[tuple[int, ...], ...]:
        """Numbers of each picture's pairs."""
        found: list[list[int]] = [[] for _ in self.locations]
        for number, pair in enumerate(self.pairs):
            found[pair.picture].append(number)
        return tuple(map(tuple, found))

    def columns(self) -> Pairs:
        """Give the pairs as the tables want them, bins without a pair left out."""
        names = bin_names(self.protocol.masks.bins)
        met = sorted({pair.bin for pair in self.pairs})
        return Pairs(
            keys=tuple(pair.key for pair in self.pairs),
            pictures=np.array([pair.picture for pair in self.pairs], np.int64),
            bins=np.array([met.index(pair.bin) for pair in self.pairs], np.int64),
            bin_names=tuple(names[number] for number in met),
            hole_shares=np.array([pair.hole_share for pair in self.pairs], np.float64),
        )

    def read_picture(self, number: int) -> Pixels:
        """Read a true picture: RGB, uint8, shape (H, W, 3), of the protocol's size.

        Raises:
            DataError: If the file is broken, has changed its size, or is not of the size that the protocol demands.
        """
        location = self.locations[number]
        return fit_picture(PictureStore((location,), None, kept=1)[0], self.protocol.pictures, location.key)

    def read_hole(self, pair: Pair, size: tuple[int, int]) -> Mask:
        """Read the hole of a pair: exactly 1 = fill, 0 = known, shape `size` = (H, W), that of its picture.

        Raises:
            DataError: If the file is broken or does not fit.
        """
        settings = self.protocol.masks
        name, hole = _mask(self.mask_folders, pair.mask)
        return fit_hole(1 - hole if settings.hole == "black" else hole, size, settings.fit == "cover", name)


def open_protocol(protocol: Protocol, limit: int | None = None, progress: Progress | None = None) -> OpenProtocol:
    """Find, pair and hash everything that a protocol names. Reads every picture's bytes and every mask once.

    Args:
        protocol: From `load_protocol`.
        limit: Use only this many pictures, at equal distances in the list, each with all its pairs; None = all. A
            limited protocol has an id of its own.
        progress: Told now and then the share done.

    Raises:
        ProtocolError: If the contents are not those that the protocol's `id` stands for.
        DataError: If a file is missing or broken, a picture has no mask, or names clash.
        ModelError: If the detector does not exist.
    """
    if limit is not None and limit < 1:
        raise InputError(f"limit must be at least 1 picture; got {limit}.")
    tell = progress or _say_nothing
    locations = find_pictures([str(protocol.folder / source) for source in protocol.pictures.sources])
    folders = tuple(_find_masks(protocol.folder / source) for source in protocol.masks.sources)
    size = protocol.pictures.size_px
    shares: list[float] = []
    mask_digest = hashlib.sha256()
    count = sum(map(len, folders))
    for number in range(count):
        name, hole = _mask(folders, number)
        if protocol.masks.hole == "black":
            hole = 1 - hole
        if size is not None:
            hole = fit_hole(hole, size, protocol.masks.fit == "cover", name)
        shares.append(masks.hole_share(hole))
        mask_digest.update(f"{name}\0{hole.shape}\0".encode() + np.packbits(hole > 0).tobytes())
        tell(0.5 * (number + 1) / count, "reading masks")
    names = [name for folder in folders for name in folder.names]
    stems = [_stem(name) for name in names]
    bins = [bin_of(share, protocol.masks.bins) for share in shares]
    joined = _join(protocol, [location.key for location in locations], stems, bins)

    total = len(locations)
    if limit is not None and limit < total:
        chosen = [number * total // limit for number in range(limit)]
        place = {old: new for new, old in enumerate(chosen)}
        locations = [locations[number] for number in chosen]
        joined = [(place[picture], mask) for picture, mask in joined if picture in place]
    joined.sort(key=lambda pair: pair[0])  # stable: the masks of a picture keep their order
    pairs = tuple(
        Pair(f"{_file_stem(locations[picture].key)}+{_file_stem(names[mask])}", picture, mask, bins[mask], shares[mask])
        for picture, mask in joined
    )
    _refuse_equal([pair.key for pair in pairs], "pairs")

    picture_digest = hashlib.sha256()
    for number, location in enumerate(locations):
        picture_digest.update(f"{location.key}\0".encode() + hashlib.sha256(location.read()).digest())
        tell(0.5 + 0.5 * (number + 1) / len(locations), "reading pictures")
    settings = asdict(protocol)
    for key in ("name", "about", "id", "folder"):
        del settings[key]
    for room in ("pictures", "masks"):
        del settings[room]["sources"]  # where files lie does not matter, what they hold does
    detector = _identify_detector(protocol)
    whole = {
        "definitions": DEFINITIONS,
        "settings": settings | {"detector": detector},
        "pictures": picture_digest.hexdigest(),
        "masks": mask_digest.hexdigest(),
        "pairs": [pair.key for pair in pairs],
    }
    identity = hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:HASH_DIGITS]
    if protocol.id is not None and protocol.id != identity:
        limited = " A limited protocol has another id: leave --limit or the id away." if limit is not None else ""
        raise ProtocolError(
            f"the protocol {protocol.name} must have the id {protocol.id}; with these pictures, masks and settings it "
            f"is {identity}.{limited} Get the files it was made for, or delete its id to measure something new."
        )
    facts = _describe(
        protocol,
        (len(locations), total, picture_digest.hexdigest()[:HASH_DIGITS]),
        (count, mask_digest.hexdigest()[:HASH_DIGITS]),
        len(pairs),
        detector,
    )
    return OpenProtocol(protocol, tuple(locations), folders, pairs, identity, facts)


def bin_of(share: float, ends: Sequence[float]) -> int:
    """Number the bin of a hole from 0; `len(ends)` if it lies beyond the last."""
    return int(np.searchsorted(np.array(ends), share, side="left"))


def bin_names(ends: Sequence[float]) -> tuple[str, ...]:
    """Name every bin that can be met.

    Example:
        >>> bin_names((0.1, 0.25))
        ('0–0.1', '0.1–0.25', '0.25–1')
    """
    return tuple(f"{low:g}–{high:g}" for low, high in zip((0.0, *ends), (*ends, 1.0), strict=True))


def fit_picture(pixels: Pixels, settings: Pictures, name: str) -> Pixels:
    """Bring a picture to the protocol's size; one that has it comes back as it is.

    Raises:
        DataError: If the size must be exact and is not.
    """
    size = settings.size_px
    if size is None or pixels.shape[:2] == size:
        return pixels
    height, width = size
    if settings.fit == "exact":
        raise DataError(
            f"pictures must be {height} × {width} px; {name} has {pixels.shape[0]} × {pixels.shape[1]}. Remove it, or "
            'say fit = "crop" or "stretch" in the protocol.'
        )
    target = (width, height)
    if settings.fit == "crop":
        scale = max(height / pixels.shape[0], width / pixels.shape[1])
        target = max(width, round(pixels.shape[1] * scale)), max(height, round(pixels.shape[0] * scale))
    scaled = np.asarray(PillowImage.fromarray(pixels).resize(target, _FILTERS[settings.filter]))
    top, left = (scaled.shape[0] - height) // 2, (scaled.shape[1] - width) // 2
    return np.ascontiguousarray(scaled[top : top + height, left : left + width])


def fit_hole(hole: Mask, size: tuple[int, int], cover: bool, name: str) -> Mask:
    """Bring a hole to a size; see `protocol.Masks.fit`.

    Raises:
        DataError: If the size must be exact and is not, or if nothing would be left known.
    """
    if hole.shape == size:
        return hole
    if not cover:
        raise DataError(
            f"masks must have the size of their picture, {size[0]} × {size[1]} px; {name} has {hole.shape[0]} × "
            f'{hole.shape[1]}. Remove it, or say fit = "cover" for the masks in the protocol.'
        )
    resized = masks.resize_hole(hole, size)
    if resized.all():
        raise DataError(f"mask {name} leaves nothing known at {size[0]} × {size[1]} px; replace or remove it.")
    return resized


def _say_nothing(share: float, what: str) -> None:
    """Be the progress that nobody asked for."""


def _join(protocol: Protocol, keys: Sequence[str], stems: Sequence[str], bins: Sequence[int]) -> list[tuple[int, int]]:
    """Pair pictures with masks; returns (picture, mask) by number."""
    way = protocol.masks.pairing
    if way == "in-order":
        return [(picture, picture % len(stems)) for picture in range(len(keys))]
    if way == "every-mask":
        return [(mask % len(keys), mask) for mask in range(len(stems))]
    if way == "every-bin":
        within = sorted({number for number in bins if number < len(protocol.masks.bins)})
        listed = [[mask for mask, one in enumerate(bins) if one == number] for number in within]
        step = protocol.masks.step
        return [
            (picture, members[(picture + step * place) % len(members)])
            for picture in range(len(keys))
            for place, members in enumerate(listed)
        ]
    _refuse_equal(stems, "masks")
    pictures = [_stem(PurePosixPath(key).name) for key in keys]
    _refuse_equal(pictures, "pictures")
    by_name = {PurePosixPath(stem).name: mask for mask, stem in enumerate(stems)}
    lacking = [name for name in pictures if name not in by_name]
    if lacking:
        raise DataError(
            f"every picture must have a mask with its name; {len(lacking)} of {len(pictures)} have none: "
            f"{', '.join(lacking[:SHOWN])}{' …' if len(lacking) > SHOWN else ''}. Add the masks or remove the pictures."
        )
    return [(picture, by_name[name]) for picture, name in enumerate(pictures)]


def _refuse_equal(names: Sequence[str], what: str) -> None:
    if len(set(names)) < len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))
        raise DataError(f"{what} must have different names; {twice} occurs twice. Rename one of the files.")


def _describe(
    protocol: Protocol, pictures: tuple[int, int, str], masks_: tuple[int, str], pairs: int, detector: str | None
) -> tuple[str, ...]:
    """Write the protocol in words."""
    look, holes, measure = protocol.pictures, protocol.masks, protocol.measure
    used, found, picture_hash = pictures
    some = "all" if used == found else "at equal distances in the list"
    if look.size_px is None:
        size = "pictures keep their own sizes"
    else:
        how = {
            "exact": "nothing is resized",
            "crop": f"scaled to cover it ({look.filter}, Pillow, 8 bits), centre",
            "stretch": f"stretched to it ({look.filter}, Pillow, 8 bits)",
        }[look.fit]
        size = f"{look.size_px[0]} × {look.size_px[1]} px, {how}"
    way = {
        "in-order": "picture x gets mask x, masks starting anew when they run out",
        "every-mask": "mask x goes to picture x, pictures starting anew when they run out",
        "every-bin": f"picture x gets mask x + {holes.step} k of bin k, starting anew when a bin runs out; masks "
        "beyond the last bin are not used",
        "same-name": "a picture gets the mask with its name",
    }[holes.pairing]
    shown = {
        "composite": "composite (known pixels from the true picture)",
        "raw": "raw answer (networks run once on the whole picture)",
    }[measure.image]
    rounding = {"round": "rounded to 8 bits", "truncate": "truncated to 8 bits", "none": "not quantised"}
    return (
        f"pictures: {used} of {found} ({some}), sha256 {picture_hash}",
        f"masks: {masks_[0]}, sha256 {masks_[1]}, hole = {holes.hole}"
        + (", resized so that nothing of a hole is lost" if holes.fit == "cover" else ""),
        f"pairs: {pairs}; {way}",
        "bins: share of the picture that is hole, upper ends " + ", ".join(f"{end:g}" for end in holes.bins),
        f"size: {size}",
        f"measured: {shown}, {rounding[measure.quantisation]}; the hole's content is zeroed before filling",
        *([_describe_detector(protocol.detector, detector)] if protocol.detector and detector else ()),
    )


def _identify_detector(protocol: Protocol) -> str | None:
    """Hash the detector's file; None if there is to be none."""
    if protocol.detector is None:
        return None
    path = find_model(protocol.detector.model, protocol.folder)
    if path is None:
        raise ModelError(
            f"a detector was expected in the protocol; {protocol.detector.model} only fills. Name scenes-detector, or "
            "a detector's file."
        )
    return _content(path)


def _describe_detector(settings: Detecting, content: str) -> str:
    return f"detector: {Path(settings.model).stem}, sha256 {content}, looks at what is measured and knows no mask"


def _find_masks(source: Path) -> MaskFolder:
    """List the masks of a folder, or take one file for a folder of its own."""
    return MaskFolder(source.parent, [source.name], None) if source.is_file() else read_mask_folder(source)


def _mask(folders: Sequence[MaskFolder], number: int) -> tuple[str, Mask]:
    for folder in folders:
        if number < len(folder):
            return folder[number]
        number -= len(folder)
    raise IndexError(number)


def _content(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:HASH_DIGITS]
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}. Check the permissions.") from error


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def _file_stem(key: str) -> str:
    """Make a name without folders: `bsds/0000.webp` -> `bsds-0000`."""
    return _stem(key).replace("/", "-").replace(".tar-", "-")
