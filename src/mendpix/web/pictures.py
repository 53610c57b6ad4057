"""Pictures that were uploaded or made, kept in memory for a while. Knows no HTTP and no models.

An uploaded picture is kept as the file it came in. A filled one is kept as that same file and the pixels that were
filled, so that a row of fills costs little memory and loses nothing: no pixel is encoded twice on the way.
"""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage

from mendpix.errors import OutputError
from mendpix.image_encoding import FORMATS
from mendpix.image_modes import to_rgb
from mendpix.images import Picture, decode_picture, encode_picture
from mendpix.types import AnyArray, Map, Mask
from mendpix.web.file_names import clean_name, media_type, suffix_of
from mendpix.web.picture_headers import check_file
from mendpix.web.previews import Pixels, encode_map, pixels_of
from mendpix.web.problems import GoneError

SHOWN_BYTES = 400_000_000
"""Memory for pictures that are decoded for showing; the latest is kept in any case."""

ENTRY_BYTES = 4096
"""What a picture costs besides its content, bytes: else any number of tiny ones could be kept."""


@dataclass(frozen=True, eq=False)
class PackedMask:
    """A mask, eight pixels to a byte."""

    size: tuple[int, int]
    """Height and width, px."""
    bits: Pixels = field(repr=False)

    @staticmethod
    def of(hole: AnyArray) -> "PackedMask":
        """Pack what is above 0 in an array (H, W)."""
        return PackedMask((int(hole.shape[0]), int(hole.shape[1])), np.packbits(hole > 0))

    @property
    def array(self) -> NDArray[np.bool_]:
        """Give it back: True = hole, shape (H, W)."""
        height, width = self.size
        return np.unpackbits(self.bits, count=height * width).reshape(height, width).view(np.bool_)


@dataclass(frozen=True, eq=False)
class Origin:
    """The file that a picture came in."""

    data: bytes = field(repr=False)
    name: str
    """The client's name for it, cleaned."""

    @property
    def held_bytes(self) -> int:
        """Give the memory it takes."""
        return len(self.data)


@dataclass(frozen=True, eq=False)
class Patch:
    """The pixels that one fill changed."""

    top: int
    left: int
    where: PackedMask
    """Which pixels, in a box whose corner is at `top` and `left`."""
    values: AnyArray = field(repr=False)
    """Their samples, shape (N,) or (N, C)."""

    @property
    def held_bytes(self) -> int:
        """Give the memory it takes."""
        return int(self.values.nbytes + self.where.bits.nbytes)


@dataclass(frozen=True, eq=False)
class Stored:
    """A picture that can be asked for by its id."""

    id: str
    origin: Origin
    width: int
    """Of the upright picture, px."""
    height: int
    mode: str
    """Pillow's name of how samples are arranged, such as `RGB`."""
    bits: int
    """Bits of a sample."""
    format: str
    """Pillow's name of the format that its file has, such as `JPEG`."""
    name: str
    """Name for the file."""
    patches: tuple[Patch, ...] = ()
    hole: PackedMask | None = None
    """What was filled last; None for an uploaded picture."""
    artifacts: bytes | None = field(default=None, repr=False)
    """Map of what looks filled, as a grey PNG of the picture's size; None if nobody looked."""

    @property
    def own_bytes(self) -> int:
        """Give the memory that it shares with no other picture."""
        hole = 0 if self.hole is None else self.hole.bits.nbytes
        return ENTRY_BYTES + 8 * len(self.patches) + len(self.artifacts or b"") + int(hole)

    @property
    def parts(self) -> Iterator[Origin | Patch]:
        """Go through what it may share with others."""
        yield self.origin
        yield from self.patches


class Pictures:
    """Keeps pictures up to a number of bytes and an age. May be used by several threads at a time."""

    def __init__(self, *, keep_bytes: float, keep_s: float, max_px: int) -> None:
        """Keep nothing yet.

        Args:
            keep_bytes: Memory for all pictures; those that were unused for longest go first.
            keep_s: How long a picture is kept that nobody uses, seconds.
            max_px: Largest picture that is decoded, px.
        """
        self._keep_bytes, self._keep_s, self._max_px = keep_bytes, keep_s, max_px
        self._kept: OrderedDict[str, tuple[Stored, float]] = OrderedDict()
        self._shown: OrderedDict[str, Pixels] = OrderedDict()
        self._users: dict[Origin | Patch, int] = {}  # how many pictures hold each part
        self._bytes = 0
        self._lock = threading.Lock()
        self._decoding = threading.Lock()

    @property
    def held_bytes(self) -> int:
        """Give the memory that all pictures take, without what is decoded for showing."""
        return self._bytes

    def add_file(self, data: bytes, name: str) -> Stored:
        """Keep an uploaded picture, once it is known to be whole.

        Raises:
            ImageError: If it is broken, no single picture, or too large.
        """
        cleaned = clean_name(name)
        with self._decoding:  # one at a time: decoded pictures are large
            picture = self.decode(data, cleaned)
            pixels = pixels_of(picture)
        kind = picture.facts.format or "PNG"
        stored = Stored(
            id=secrets.token_urlsafe(16),
            origin=Origin(data, cleaned),
            width=picture.width,
            height=picture.height,
            mode=picture.layout.mode,
            bits=1 if picture.samples.dtype == np.bool_ else 8 * picture.samples.dtype.itemsize,
            format=kind,
            name=cleaned,
        )
        self._keep(stored)
        self._show(stored.id, pixels)
        return stored

    def add_result(
        self, before: Stored, filled: AnyArray, hole: Mask, artifacts: Map | None, *, word: str = "mended"
    ) -> Stored:
        """Keep a filled picture.

        Args:
            before: What was filled.
            filled: All samples after the fill, as `Picture.samples`.
            hole: 1 = was filled, shape (H, W).
            artifacts: Probability that a pixel looks filled, shape (H, W); None if nobody looked.
            word: What its name gets.
        """
        packed = PackedMask.of(hole)
        rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
        patches = before.patches
        if len(rows):
            box = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
            where = hole[box] > 0
            patches = (*patches, Patch(box[0].start, box[1].start, PackedMask.of(where), filled[box][where]))
        stem, suffix = PurePath(before.name).stem, PurePath(before.name).suffix
        stored = replace(
            before,
            id=secrets.token_urlsafe(16),
            name=before.name if stem.endswith(f"-{word}") else f"{stem}-{word}{suffix}",
            patches=patches,
            hole=packed,
            artifacts=None if artifacts is None else encode_map(artifacts),
        )
        self._keep(stored)
        return stored

    def find(self, name: str) -> Stored:
        """Find a picture by its id.

        Raises:
            ProblemError: 404 if there is none, or no more.
        """
        with self._lock:
            self._sweep()
            if name not in self._kept:
                raise GoneError("picture", "upload it again.")
            stored = self._kept[name][0]
            self._put(stored)
            return stored

    def remember_artifacts(self, stored: Stored, artifacts: Map) -> Stored:
        """Keep a map with its picture, in the place of an earlier one.

        Returns:
            The picture with its map.
        """
        told = replace(stored, artifacts=encode_map(artifacts))
        with self._lock:
            if stored.id in self._kept:
                self._put(told)
                self._sweep()
        return told

    def drop(self, name: str) -> None:
        """Forget a picture.

        Raises:
            ProblemError: 404 if there is none.
        """
        self.find(name)
        with self._lock:
            self._remove(name)

    def let_go(self) -> None:
        """Forget what nobody has asked for in too long."""
        with self._lock:
            self._sweep()

    def decode(self, data: bytes, name: str, *, size: tuple[int, int] | None = None) -> Picture:
        """Decode a file without keeping it.

        Args:
            data: The file's content.
            name: What errors call it.
            size: (H, W) that it must have, for a mask; else it is not decoded. None = any.

        Raises:
            ImageError: If it is broken, no single picture, or too large.
            MaskError: If it has another size.
        """
        cleaned = clean_name(name)
        check_file(data, cleaned, size=size)
        return decode_picture(data, cleaned, most_px=self._max_px)

    def open(self, stored: Stored) -> Picture:
        """Decode a picture, with all that was filled in it."""
        picture = decode_picture(stored.origin.data, stored.origin.name, most_px=self._max_px)
        if not stored.patches:
            return picture
        samples, rgb = picture.samples.copy(), picture.rgb.copy()
        for patch in stored.patches:
            height, width = patch.where.size
            box = slice(patch.top, patch.top + height), slice(patch.left, patch.left + width)
            where = patch.where.array
            samples[box][where] = patch.values
            rgb[box][where] = to_rgb(patch.values, picture.layout)
        return replace(picture, rgb=rgb, samples=samples)

    def file(self, stored: Stored) -> tuple[bytes, str, str]:
        """Give the content of a picture's file, its name and its media type; the format is that of the upload.

        What was uploaded comes back byte for byte. A format that cannot be written becomes PNG, or TIFF.

        Raises:
            OutputError: If neither can hold the picture.
        """
        if not stored.patches:
            return stored.origin.data, stored.name, media_type(stored.format)
        picture = self.open(stored)
        own = suffix_of(stored.format, stored.name)
        suffixes = [suffix for suffix in (own, ".png", ".tif") if suffix]
        for number, suffix in enumerate(suffixes, 1):
            name = str(PurePath(stored.name).with_suffix(suffix))
            try:
                return encode_picture(picture, name), name, media_type(FORMATS[suffix.lower()])
            except OutputError:
                if number == len(suffixes):
                    raise
        raise AssertionError("TIFF is always tried")

    def pixels(self, stored: Stored) -> Pixels:
        """Give a picture for showing, 8 bits, at full size; the latest ones stay decoded."""
        with self._lock:
            if stored.id in self._shown:
                self._shown.move_to_end(stored.id)
                return self._shown[stored.id]
        with self._decoding:
            with self._lock:
                if stored.id in self._shown:
                    return self._shown[stored.id]
            pixels = pixels_of(self.open(stored))
            self._show(stored.id, pixels)
        return pixels

    def _keep(self, stored: Stored) -> None:
        with self._lock:
            self._put(stored)
            self._sweep()

    def _show(self, name: str, pixels: Pixels) -> None:
        with self._lock:
            if name not in self._kept:  # it was let go while somebody decoded it
                return
            self._shown[name] = pixels
            shown_bytes = sum(one.nbytes for one in self._shown.values())
            while len(self._shown) > 1 and shown_bytes + ENTRY_BYTES * len(self._shown) > SHOWN_BYTES:
                shown_bytes -= self._shown.popitem(last=False)[1].nbytes

    def _sweep(self) -> None:
        """Let go what is too old or too much; the newest stays."""
        oldest = time.monotonic() - self._keep_s
        while self._kept:
            name, (_, used) = next(iter(self._kept.items()))
            if used >= oldest and (self._bytes <= self._keep_bytes or len(self._kept) == 1):
                return
            self._remove(name)

    def _put(self, stored: Stored) -> None:
        """Make a picture the one used last, in the place of an earlier state of it."""
        self._bytes += stored.own_bytes
        for part in stored.parts:
            self._bytes += 0 if part in self._users else part.held_bytes
            self._users[part] = self._users.get(part, 0) + 1
        if stored.id in self._kept:
            self._release(self._kept.pop(stored.id)[0])
        self._kept[stored.id] = stored, time.monotonic()

    def _remove(self, name: str) -> None:
        if name in self._kept:
            self._release(self._kept.pop(name)[0])
        self._shown.pop(name, None)

    def _release(self, stored: Stored) -> None:
        self._bytes -= stored.own_bytes
        for part in stored.parts:
            self._users[part] -= 1
            if not self._users[part]:
                del self._users[part]
                self._bytes -= part.held_bytes


def samples_of(image: PilImage.Image | AnyArray) -> AnyArray:
    """Give all samples of a result's picture."""
    return image if isinstance(image, np.ndarray) else np.array(image)
