"""List, pair and hash what a protocol names, and read it pair by pair. Knows no model and no measure.

Only the list is held in memory, never the pictures.
"""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from mendpix import masks
from mendpix.data.dataset import PictureLocation, PictureStore, Pixels, find_pictures
from mendpix.data.mask_files import MaskFolder, read_mask_folder
from mendpix.errors import DataError, InputError, ModelError, ProtocolError
from mendpix.evaluation.fitting import bin_names, bin_of, check_exact, fit_hole, fit_picture
from mendpix.evaluation.measures import expand
from mendpix.evaluation.protocol import Protocol
from mendpix.evaluation.protocol_facts import describe
from mendpix.evaluation.results import Pairs
from mendpix.image_files import ORIENTATION
from mendpix.types import Mask, Progress
from mendpix.weights.locate import find_model
from mendpix.weights.table import MODELS

DEFINITIONS = 1
"""Number of the measures' definitions; raised whenever one of them changes, and part of every protocol's id."""

HASH_DIGITS = 16
"""Hexadecimal digits kept of a SHA-256."""

SHOWN = 3
"""How many names an error lists."""


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
    sizes: tuple[tuple[int, int], ...]
    """Height and width of each picture as it is measured, px."""
    digests: tuple[bytes, ...]
    """SHA-256 of each picture's file."""
    hole_digests: Mapping[int, bytes]
    """SHA-256 of each mask in use, as it lies in its file."""
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
        if hashlib.sha256(location.read()).digest() != self.digests[number]:
            raise DataError(f"picture {location.key} has changed since its protocol was opened; run again.")
        return fit_picture(PictureStore((location,), None, kept=1)[0], self.protocol.pictures, location.key)

    def read_hole(self, pair: Pair, size: tuple[int, int]) -> Mask:
        """Read the hole of a pair: exactly 1 = fill, 0 = known, shape `size` = (H, W), that of its picture.

        Raises:
            DataError: If the file is broken or does not fit.
        """
        name, hole = _mask(self.mask_folders, pair.mask, self.protocol)
        if _digest(hole) != self.hole_digests[pair.mask]:
            raise DataError(f"mask {name} has changed since its protocol was opened; run again.")
        return fit_hole(hole, size, self.protocol.masks.fit == "cover", name)


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
    tell = progress or say_nothing
    locations = find_pictures([str(protocol.folder / source) for source in protocol.pictures.sources])
    folders = tuple(_find_masks(protocol.folder / source) for source in protocol.masks.sources)
    names = [name for folder in folders for name in folder.names]
    _check_names([*(location.key for location in locations), *names])
    size = protocol.pictures.size_px
    cover = protocol.masks.fit == "cover"

    shares: list[float] = []  # of the masks as they are used, if that does not depend on the picture
    hole_digests: list[bytes] = []
    for number, _ in enumerate(names):
        name, hole = _mask(folders, number, protocol)
        hole_digests.append(_digest(hole))
        shares.append(masks.hole_share(hole if size is None else fit_hole(hole, size, cover, name)))
        tell(0.5 * (number + 1) / len(names), "reading masks")
    bins = [bin_of(share, protocol.masks.bins) for share in shares]
    joined = _join(protocol, [location.key for location in locations], [_stem(name) for name in names], bins)

    total = len(locations)
    if limit is not None and limit < total:
        chosen = [number * total // limit for number in range(limit)]
        place = {old: new for new, old in enumerate(chosen)}
        locations = [locations[number] for number in chosen]
        joined = [(place[picture], mask) for picture, mask in joined if picture in place]
    if not joined:
        raise ProtocolError(
            f"the protocol {protocol.name} must give at least one pair; none of its {len(names)} masks lies in a bin. "
            "Give other masks, or other bins."
        )
    joined.sort(key=lambda pair: pair[0])  # stable: the masks of a picture keep their order

    sizes: list[tuple[int, int]] = []
    digests: list[bytes] = []
    for number, location in enumerate(locations):
        content = location.read()
        digests.append(hashlib.sha256(content).digest())
        sizes.append(size or _size_of(content, location.key))
        if protocol.pictures.fit == "exact":
            check_exact(_size_of(content, location.key), protocol.pictures, location.key)
        tell(0.5 + 0.5 * (number + 1) / len(locations), "reading pictures")
    pairs = tuple(
        Pair(
            f"{_file_stem(locations[picture].key)}+{_file_stem(names[mask])}",
            picture,
            mask,
            bin_of(share, protocol.masks.bins),
            share,
        )
        for picture, mask in joined
        for share in [shares[mask] if size else _share_on(protocol, folders, mask, sizes[picture])]
    )
    _refuse_equal([pair.key for pair in pairs], "pairs")

    used = sorted({mask for _, mask in joined})
    settings = asdict(protocol)
    for key in ("name", "about", "id", "folder"):
        del settings[key]
    for room in ("pictures", "masks"):
        del settings[room]["sources"]  # what files are called and where they lie does not matter, what they hold does
    settings["measure"]["metrics"] = expand(protocol.measure.metrics)
    del settings["measure"]["worst_by"]  # what is shown, not what is measured
    detector = _identify_detector(protocol)
    whole = {
        "definitions": DEFINITIONS,
        "settings": settings | {"detector": detector},
        "pictures": [digest.hex() for digest in digests],
        "masks": [hole_digests[mask].hex() for mask in used],
        "pairs": [[picture, used.index(mask)] for picture, mask in joined],
    }
    identity = hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:HASH_DIGITS]
    if protocol.id is not None and protocol.id != identity:
        limited = " A limited protocol has another id: leave --limit or the id away." if limit is not None else ""
        raise ProtocolError(
            f"the protocol {protocol.name} must have the id {protocol.id}; with these pictures, masks and settings it "
            f"is {identity}.{limited} Get the files it was made for, or delete its id to measure something new."
        )
    facts = describe(
        protocol,
        (len(locations), total, _joint(digests)),
        (len(used), _joint([hole_digests[mask] for mask in used])),
        len(pairs),
        detector,
    )
    in_use = {mask: hole_digests[mask] for mask in used}
    return OpenProtocol(
        protocol, tuple(locations), folders, pairs, tuple(sizes), tuple(digests), in_use, identity, facts
    )


def say_nothing(share: float, what: str) -> None:
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
    mask_names = [PurePosixPath(stem).name for stem in stems]
    _refuse_equal(mask_names, "masks")
    pictures = [_stem(PurePosixPath(key).name) for key in keys]
    _refuse_equal(pictures, "pictures")
    by_name = {name: mask for mask, name in enumerate(mask_names)}
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


def _identify_detector(protocol: Protocol) -> str | None:
    """Hash the detector's file; None if there is to be none."""
    if protocol.detector is None:
        return None
    path = find_model(protocol.detector.model, protocol.folder)
    entry = MODELS.get(protocol.detector.model)
    if path is None or (entry is not None and entry.kind != "detector"):
        raise ModelError(
            f"a detector was expected in the protocol; {protocol.detector.model} only fills. Name scenes-detector, or "
            "a detector's file."
        )
    return _content(path)


def _find_masks(source: Path) -> MaskFolder:
    """List the masks of a folder, or take one file for a folder of its own."""
    return MaskFolder(source.parent, [source.name], None) if source.is_file() else read_mask_folder(source)


def _mask(folders: Sequence[MaskFolder], number: int, protocol: Protocol) -> tuple[str, Mask]:
    """Read a mask by its number over all folders: its name, and its hole at the size of its file."""
    for folder in folders:
        if number < len(folder):
            name, hole = folder[number]
            return name, 1 - hole if protocol.masks.hole == "black" else hole
        number -= len(folder)
    raise IndexError(number)


def _share_on(protocol: Protocol, folders: Sequence[MaskFolder], mask: int, size: tuple[int, int]) -> float:
    """Measure a mask on a picture of its own size; refuses one that does not fit."""
    name, hole = _mask(folders, mask, protocol)
    return masks.hole_share(fit_hole(hole, size, protocol.masks.fit == "cover", name))


def _size_of(content: bytes, name: str) -> tuple[int, int]:
    """Read height and width of a picture, turned upright, from its head."""
    try:
        with PillowImage.open(io.BytesIO(content)) as picture:
            sideways = picture.getexif().get(ORIENTATION, 1) >= 5
            return (picture.width, picture.height) if sideways else (picture.height, picture.width)
    except UnidentifiedImageError as error:
        raise DataError(f"picture {name} is of no known format. Replace or remove it.") from error
    except Exception as error:  # Pillow's decoders raise nearly anything on broken data
        raise DataError(f"picture {name} cannot be read ({error}). Replace or remove it.") from error


def _check_names(names: Sequence[str]) -> None:
    """Refuse names that could not be written into a table."""
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise DataError(f"file names must be UTF-8, to stand in tables; {name!r} is not. Rename it.") from error


def _digest(hole: Mask) -> bytes:
    return hashlib.sha256(f"{hole.shape}".encode() + np.packbits(hole > 0).tobytes()).digest()


def _joint(digests: Sequence[bytes]) -> str:
    return hashlib.sha256(b"".join(digests)).hexdigest()[:HASH_DIGITS]


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
