"""Say which pictures are measured with which masks, and how: the protocol of `quality.py`. Fills and measures nothing.

Pictures are listed folder by folder in the order given, each folder sorted by file name. Masks are named
``<bin>-<free|border>-<index>.png``; within a bin they are sorted by index, and those that keep the border free and
those that touch it take turns, starting with a free one. Picture number x (from 0) gets the mask number (x + 17 k)
modulo n of every bin, where k is the number of the bin (0, 1, ...) and n its count: every picture meets one mask of
every bin, and nothing is drawn by chance. A limit keeps pictures at equal distances in the list, with the masks that
they have in full.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
from PIL import Image

from mendpix import masks
from mendpix.types import Mask

SIZE_PX = 256
"""Height and width of every picture and mask; others are refused, never resized."""

ROTATION = 17
"""By how many masks a bin's list is turned against that of the bin before."""

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
DEFAULT_PICTURES = tuple(SHARED / "validation" / name for name in ("bsds", "coco", "kodak"))
DEFAULT_MASKS = SHARED / "validation" / "masks"
DEFAULT_BACKBONE = SHARED / "weights" / "squeezenet_v1.0.npz"


@dataclass(frozen=True)
class Pair:
    """One picture with one mask."""

    picture: Path
    mask: Path
    bin: int
    """Upper end of the bin's hole ratio, percent."""

    @property
    def key(self) -> str:
        """Name that is the same wherever the files lie."""
        return f"{self.picture.parent.name}/{self.picture.stem}+{self.mask.stem}"


@dataclass(frozen=True)
class Protocol:
    """All pairs to measure and what identifies them."""

    pairs: tuple[Pair, ...]
    pictures: int
    """How many pictures are used."""
    pictures_found: int
    pictures_hash: str
    """SHA-256 (first 16 digits) over names and file contents of all pictures found."""
    masks_found: int
    masks_hash: str

    @property
    def bins(self) -> tuple[int, ...]:
        """Bins in rising order."""
        return tuple(sorted({pair.bin for pair in self.pairs}))

    def describe(self) -> str:
        """Return the protocol as text, a fact per line."""
        limit = "all" if self.pictures == self.pictures_found else "at equal distances in the list"
        return "\n".join(
            (
                f"pictures: {self.pictures} of {self.pictures_found} ({limit}), sha256 of all {self.pictures_hash}",
                f"masks: {self.masks_found}, sha256 {self.masks_hash}, bins {', '.join(map(str, self.bins))} "
                "(upper end of the hole ratio, %)",
                f"pairs: {len(self.pairs)}; picture x gets mask (x + {ROTATION} k) mod n of bin k, free and border "
                "masks by turns",
                f"size: {SIZE_PX} × {SIZE_PX}, nothing is resized; hole = white, its content is zeroed before filling",
                "measured: the composite (known pixels from the true picture), rounded to 8 bits, whole picture, RGB",
                "PSNR dB, mean of the pictures' values; SSIM Gaussian 11, sigma 1.5, valid area, mean of channels; "
                "l1 % = mean absolute difference of the whole picture; features = SqueezeNet feature distance × 1000 "
                "(nine layers; not LPIPS)",
            )
        )


def make_protocol(folders: Sequence[Path], mask_folder: Path, limit: int | None = None) -> Protocol:
    """List the pairs.

    Args:
        folders: Folders with pictures.
        mask_folder: Folder with masks.
        limit: Use only this many pictures.

    Raises:
        SystemExit: If a folder is empty or a mask is named otherwise.
    """
    pictures = [path for folder in folders for path in _pictures_in(folder)]
    mask_paths = _pictures_in(mask_folder)
    by_bin: dict[int, dict[str, list[Path]]] = {}
    for path in sorted(mask_paths, key=lambda path: path.stem.rsplit("-", 1)[-1]):
        parts = path.stem.split("-")
        if len(parts) != 3 or not parts[0].isdigit() or parts[1] not in ("free", "border"):
            raise SystemExit(f"masks must be named <bin>-<free|border>-<index>.png; got {path}. Rename it.")
        by_bin.setdefault(int(parts[0]), {"free": [], "border": []})[parts[1]].append(path)
    turns = [(key, list(_take_turns(kinds["free"], kinds["border"]))) for key, kinds in sorted(by_bin.items())]
    count = len(pictures) if limit is None else min(limit, len(pictures))
    chosen = [number * len(pictures) // count for number in range(count)]
    pairs = tuple(
        Pair(pictures[x], listed[(x + ROTATION * k) % len(listed)], key)
        for x in chosen
        for k, (key, listed) in enumerate(turns)
    )
    return Protocol(pairs, count, len(pictures), content_hash(pictures), len(mask_paths), content_hash(mask_paths))


def read_pair(pair: Pair) -> tuple[np.ndarray, Mask]:
    """Return the true picture (H, W, 3), uint8, and the hole (H, W), 1 = fill.

    Raises:
        SystemExit: If either has another size than `SIZE_PX`.
    """
    with Image.open(pair.picture) as file:
        picture = np.array(file.convert("RGB"))
    if picture.shape[:2] != (SIZE_PX, SIZE_PX):
        raise SystemExit(f"pictures must be {SIZE_PX} × {SIZE_PX}; {pair.picture} is {picture.shape[:2]}. Crop it.")
    return picture, masks.read_mask(pair.mask, (SIZE_PX, SIZE_PX))


def content_hash(paths: Iterable[Path]) -> str:
    """Hash names and contents of files in their order; 16 hexadecimal digits of SHA-256."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.parent.name}/{path.name}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _take_turns(first: Sequence[Path], second: Sequence[Path]) -> Iterator[Path]:
    for pair in zip_longest(first, second):
        yield from (path for path in pair if path is not None)


def _pictures_in(folder: Path) -> list[Path]:
    suffixes = {".png", ".webp", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in suffixes)
    if not paths:
        raise SystemExit(
            f"{folder} must be a folder with pictures; it holds none. Give another with --pictures/--masks."
        )
    return paths
