"""Hold training pictures: from folders, list files, tar shards or globs, decoded once into memory or on access.

A `PictureStore` is a sequence of uint8 RGB pictures with stable keys. Pictures that cannot be decoded are errors that
name the file, never skipped.

Knows nothing of crops, masks, tensors, batches or epochs.
"""

import glob
import hashlib
import io
import os
import tarfile
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageOps, UnidentifiedImageError

from mendpix.errors import DataError, InputError
from mendpix.types import Progress

Pixels = NDArray[np.uint8]
"""Picture as it is stored, shape (H, W, 3), RGB, 0 to 255."""

PICTURE_SUFFIXES = frozenset({".avif", ".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""Files of a folder or shard with these endings are pictures; others are passed over."""

LIST_SUFFIXES = frozenset({".flist", ".txt"})
"""Files with these endings are lists: one path per line, relative to the list's folder; # starts a comment line."""

_BATCH = 32  # pictures decoded between two progress reports, and between two looks at the memory limit
_LARGEST_PX = 200_000_000  # a picture larger than this is taken for a broken or hostile file


@dataclass(frozen=True)
class PictureLocation:
    """Say where the bytes of one picture are."""

    key: str
    """Stable name: source and member, for instance `scenes-00.tar/000012.webp`."""
    path: Path
    """The picture file, or the shard that holds it."""
    offset: int = 0
    """First byte of the picture in the shard."""
    size: int | None = None
    """Number of bytes in the shard; None = the whole file."""

    def read(self) -> bytes:
        """Return the encoded picture.

        Raises:
            DataError: If the file is missing, unreadable or shorter than it was.
        """
        try:
            with self.path.open("rb") as file:
                if self.size is None:
                    return file.read()
                file.seek(self.offset)
                data = file.read(self.size)
        except OSError as error:
            raise DataError(f"cannot read picture {self.key} from {self.path}: {error.strerror}.") from error
        if len(data) < self.size:
            raise DataError(
                f"picture {self.key} should have {self.size} bytes, but {self.path} ends after {len(data)}."
            )
        return data


class PictureStore(Sequence[Pixels]):
    """Give access to training pictures by number, from memory if they fit, else decoded on access.

    Use `PictureStore.open`; the constructor only joins prepared parts. Safe to read from several threads.
    """

    def __init__(self, locations: Sequence[PictureLocation], pictures: Sequence[Pixels] | None, kept: int = 64) -> None:
        self._locations = tuple(locations)
        self._pictures = None if pictures is None else list(pictures)
        self._kept = kept
        self._recent: OrderedDict[int, Pixels] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        sources: Sequence[str | os.PathLike[str]],
        *,
        memory_limit_gib: float = 8.0,
        per_folder: int = 0,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> "PictureStore":
        """Find all pictures of the sources and decode them into memory unless they are too large together.

        Args:
            sources: Folders (searched recursively), tar shards, list files (.txt, .flist), pictures, or glob patterns
                of any of these. Pictures keep this order; folders and globs are sorted, shards keep their own order.
            memory_limit_gib: Decoded size in GiB up to which pictures stay in memory; above it, every access decodes
                again (except for the 64 pictures used last). 0 = always decode on access.
            per_folder: At most this many pictures of each folder or shard, chosen by a hash of their keys; 0 = all.
            threads: Threads that decode; None = one per processor.
            progress: Told the share decoded, now and then.

        Raises:
            DataError: If a source is missing, holds no picture, names one twice, or holds a broken one.
            InputError: If there is no source.
        """
        locations = limit_per_folder(find_pictures(sources), per_folder)
        limit = int(memory_limit_gib * 2**30)
        pictures: list[Pixels] = []
        used = 0
        with ThreadPoolExecutor(threads or os.cpu_count()) as pool, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # here and not in the threads: the filters belong to the whole program
            for start in range(0, len(locations) if limit > 0 else 0, _BATCH):
                batch = list(pool.map(_decode, locations[start : start + _BATCH]))
                used += sum(picture.nbytes for picture in batch)
                if used > limit:
                    return cls(locations, None)
                pictures += batch
                if progress is not None:
                    progress(len(pictures) / len(locations), "decoding pictures")
        return cls(locations, pictures if limit > 0 else None)

    @property
    def keys(self) -> tuple[str, ...]:
        """Stable name of each picture, in order."""
        return tuple(location.key for location in self._locations)

    @property
    def in_memory(self) -> bool:
        """Whether all pictures are held decoded."""
        return self._pictures is not None

    def __len__(self) -> int:
        return len(self._locations)

    def __getitem__(self, index: int) -> Pixels:  # pyright: ignore[reportIncompatibleMethodOverride]  # no slices: they would copy gigabytes
        """Return picture `index`, shape (H, W, 3), read-only.

        Raises:
            DataError: If the picture has to be decoded now and is broken.
            IndexError: If there is no such picture.
        """
        location = self._locations[index]  # raises IndexError in the usual words
        if self._pictures is not None:
            return self._pictures[index]
        index %= len(self._locations)
        with self._lock:
            picture = self._recent.pop(index, None)
        if picture is None:
            picture = _decode(location)
        with self._lock:
            self._recent[index] = picture
            while len(self._recent) > self._kept:
                self._recent.popitem(last=False)
        return picture

    def __iter__(self) -> Iterator[Pixels]:
        return (self[index] for index in range(len(self)))

    def split_holdout(self, count: int, seed: int) -> tuple["PictureStore", "PictureStore"]:
        """Set `count` pictures aside that training never sees.

        Each picture draws a number from its key and `seed`; the smallest numbers are held out. So the choice depends
        neither on the order of the pictures nor on the contents of other files: pictures added later can only displace
        those whose place they take.

        Args:
            count: Number of pictures to hold out; 0 = none.
            seed: Other seeds give other choices.

        Returns:
            The store to train on and the store of held-out pictures, both in the old order and sharing memory with this
            one.

        Raises:
            InputError: If fewer than `count + 1` pictures are there.
        """
        if not 0 <= count < len(self):
            raise InputError(
                f"held-out pictures must be between 0 and {len(self) - 1}; got {count}. "
                "Hold out fewer, or give more pictures to train on."
            )
        draws = [hashlib.sha256(f"{seed}/{location.key}".encode()).digest() for location in self._locations]
        held = set(sorted(range(len(self)), key=draws.__getitem__)[:count])
        return self._subset([i for i in range(len(self)) if i not in held]), self._subset(sorted(held))

    def _subset(self, indices: Sequence[int]) -> "PictureStore":
        pictures = None if self._pictures is None else [self._pictures[i] for i in indices]
        return PictureStore([self._locations[i] for i in indices], pictures, self._kept)


def find_pictures(sources: Sequence[str | os.PathLike[str]]) -> list[PictureLocation]:
    """List the pictures of all sources in a stable order without decoding any; see `PictureStore.open`.

    Raises:
        DataError: If a source is missing, is a broken shard, holds no picture, or if two pictures have the same key.
        InputError: If there is no source.
    """
    if not sources:
        raise InputError("pictures need at least one source (folder, list file, tar shard, glob); got none.")
    locations: list[PictureLocation] = []
    for source in sources:
        found = list(_expand(os.fspath(source)))
        if not found:
            endings = ", ".join(sorted(PICTURE_SUFFIXES))
            raise DataError(f"{os.fspath(source)} holds no picture; pictures end in {endings}.")
        locations += found
    seen: dict[str, Path] = {}
    for location in locations:
        if location.key in seen:
            raise DataError(
                f"two pictures are called {location.key} ({seen[location.key]} and {location.path}); list each once, "
                "or give the folder above as one source so that names differ."
            )
        seen[location.key] = location.path
    return locations


def limit_per_folder(locations: Sequence[PictureLocation], most: int) -> list[PictureLocation]:
    """Keep at most `most` pictures of each folder or shard, in their order; 0 = all.

    Which ones are kept is decided by a hash of their keys, so it stays the same when others are added.

    Raises:
        InputError: If `most` is negative.
    """
    if most < 0:
        raise InputError(f"per_folder must be at least 0; got {most}. 0 keeps all pictures.")
    folders: dict[str, list[str]] = {}
    for location in locations:
        folders.setdefault(str(PurePosixPath(location.key).parent), []).append(location.key)
    kept = {
        key
        for keys in folders.values()
        for key in sorted(keys, key=lambda k: hashlib.sha256(k.encode()).digest())[:most]
    }
    return [location for location in locations if not most or location.key in kept]


def _expand(source: str) -> Iterator[PictureLocation]:
    path = Path(source)
    if path.is_dir():
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            if file.suffix.lower() == ".tar":
                yield from _shard(file)
            elif file.suffix.lower() in PICTURE_SUFFIXES:
                yield PictureLocation(f"{path.resolve().name}/{file.relative_to(path).as_posix()}", file)
    elif path.is_file():
        if path.suffix.lower() == ".tar":
            yield from _shard(path)
        elif path.suffix.lower() in LIST_SUFFIXES:
            yield from _listed(path)
        else:
            yield PictureLocation(f"{path.resolve().parent.name}/{path.name}", path)
    elif glob.has_magic(source):
        known = PICTURE_SUFFIXES | LIST_SUFFIXES | {".tar"}
        for match in map(Path, sorted(glob.glob(source, recursive=True))):
            if match.is_dir() or match.suffix.lower() in known:
                yield from _expand(os.fspath(match))
    else:
        raise DataError(f"pictures should be at {source}, but nothing is there; check the path.")


def _shard(path: Path) -> Iterator[PictureLocation]:
    try:
        with tarfile.open(path, "r:") as archive:  # "r:" = not compressed: members must be reachable by offset
            for member in archive:
                if member.isfile() and PurePosixPath(member.name).suffix.lower() in PICTURE_SUFFIXES:
                    yield PictureLocation(f"{path.name}/{member.name}", path, member.offset_data, member.size)
    except (tarfile.TarError, OSError) as error:
        raise DataError(f"{path} should be an uncompressed tar shard, but cannot be read as one: {error}.") from error


def _listed(path: Path) -> Iterator[PictureLocation]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} should be a text file with one path per line, but cannot be read: {error}.") from error
    for number, line in enumerate((line.strip() for line in lines), start=1):
        if not line or line.startswith("#"):
            continue
        file = path.parent / line
        if not file.is_file():
            raise DataError(f"line {number} of {path} names {line}, but no such file is there.")
        yield PictureLocation(f"{path.name}/{line}", file)


def _decode(location: PictureLocation) -> Pixels:
    data = location.read()
    try:
        picture = PillowImage.open(io.BytesIO(data))
        if picture.width * picture.height > _LARGEST_PX:
            raise DataError(
                f"picture {location.key} in {location.path} has {picture.width} x {picture.height} pixels, more "
                f"than the {_LARGEST_PX // 10**6} million that are allowed; make it smaller."
            )
        pixels = _as_rgb(ImageOps.exif_transpose(picture))
    except DataError:
        raise
    except (
        UnidentifiedImageError,
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        PillowImage.DecompressionBombError,
    ) as e:
        raise DataError(
            f"picture {location.key} in {location.path} cannot be decoded ({e}); replace or remove it."
        ) from e
    pixels.flags.writeable = False
    return pixels


def _as_rgb(picture: PillowImage.Image) -> Pixels:
    if picture.mode.startswith("I"):  # 16 bit grey; Pillow's own conversion would clip it
        grey = (np.asarray(picture).astype(np.int64) // 257).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if picture.mode == "F":
        raise ValueError("floating point samples have no fixed range")
    if "transparency" in picture.info:
        picture = picture.convert("RGBA")
    return np.array(picture.convert("RGB"))
