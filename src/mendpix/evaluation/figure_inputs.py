"""Find what the paper's figures are made from: model files by their fixed names, and pictures paired with masks.

Pictures and masks are brought to one size here. Runs no model.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mendpix.data.dataset import PictureLocation, PictureStore, find_pictures
from mendpix.data.mask_files import MaskFolder, paired_masks, read_mask_folder
from mendpix.errors import DataError, InputError, ModelError
from mendpix.types import Image, Mask

SIZE_PX = 256
"""Height and width of every picture and mask, px, as in the paper."""

NEEDS: Mapping[int, tuple[str, ...]] = {
    3: ("linear", "base-e", "det"),
    6: ("weight", "adv", "det"),
    7: ("det", "det-detector"),
}
"""Figures of the paper that can be made, and the models that each shows. `det` has the base 10."""

SUFFIX = ".onnx"
"""Ending of a model's file; its name is that of the model."""

HASH_DIGITS = 16
"""Hexadecimal digits shown of a SHA-256."""


@dataclass(frozen=True)
class ModelFile:
    """What identifies a model file."""

    name: str
    """Such as `det`."""
    path: Path
    size_bytes: int
    sha256: str
    """First digits of the content's SHA-256."""


def find_models(folder: Path, figures: Sequence[int] | None = None) -> tuple[tuple[int, ...], dict[str, ModelFile]]:
    """Find the model files for some figures of the paper.

    Args:
        folder: Where the files lie.
        figures: Numbers of the figures wanted; None = all of `NEEDS`.

    Returns:
        The figures in rising order, each once, and the models by name.

    Raises:
        InputError: If a figure is none of those that can be made.
        ModelError: If the folder or a file is missing; says which figures the files at hand suffice for.
    """
    wanted = tuple(sorted(set(NEEDS if figures is None else figures)))
    unknown = [number for number in wanted if number not in NEEDS]
    if unknown or not wanted:
        raise InputError(
            f"figure must be among {_join(NEEDS)}; got {_join(unknown) or 'none'}. Leave it away to make all."
        )
    if not folder.is_dir():
        raise ModelError(
            f"models should lie in a folder as {', '.join(_file(name) for name in _names(wanted))}; {folder} is no "
            "folder. Check the path."
        )
    lacks = {
        number: [name for name in NEEDS[number] if not (folder / _file(name)).is_file()] for number in sorted(NEEDS)
    }
    if any(lacks[number] for number in wanted):
        missing = "; ".join(
            f"figure {number} lacks {', '.join(map(_file, lacks[number]))}" for number in wanted if lacks[number]
        )
        possible = [number for number, names in lacks.items() if not names]
        way_out = (
            f"With what is there you can make {_join(possible)}: {' '.join(f'--figure {n}' for n in possible)}"
            if possible
            else "With what is there no figure can be made. Export the missing models into it with: mendpix export"
        )
        raise ModelError(f"{folder} must hold a model file for every column; {missing}. {way_out}")
    return wanted, {name: _identify(name, folder / _file(name)) for name in _names(wanted)}


class Pairs(Sequence[tuple[Image, Mask]]):
    """Pictures paired with masks in one fixed order, each read and brought to `SIZE_PX` when it is asked for."""

    def __init__(self, pictures: Sequence[PictureLocation], masks: MaskFolder) -> None:
        self._store = PictureStore(pictures, None, kept=1)
        self._locations = tuple(pictures)
        self._masks = masks
        self._pairs = paired_masks(self._store.keys, masks.names)

    @classmethod
    def open(cls, pictures: Sequence[str | os.PathLike[str]], masks: str | os.PathLike[str]) -> "Pairs":
        """List pictures and masks.

        Args:
            pictures: Folders, files, list files or tar shards, as in training.
            masks: Folder of black and white files, white = hole.

        Raises:
            DataError: If a place is missing or holds nothing, or two pictures have the same name.
            InputError: If no place is given.
        """
        if not pictures:
            raise InputError("a report needs pictures to fill; got none. Name a folder of photos, or files.")
        return cls(find_pictures(pictures), read_mask_folder(masks, (SIZE_PX, SIZE_PX)))

    def name(self, index: int) -> tuple[str, str]:
        """Give the names of a pair's picture and mask."""
        picture, mask = self._pairs[index]
        return self._store.keys[picture], self._masks.names[mask]

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> tuple[Image, Mask]:  # pyright: ignore[reportIncompatibleMethodOverride]  # no slices
        """Read a pair: RGB in [0, 1], (H, W, 3), and 1 = hole, (H, W); H = W = `SIZE_PX`.

        Raises:
            DataError: If a file is broken, or the mask leaves nothing known at this size.
        """
        picture, mask = self._pairs[index]
        name, hole = self._masks[mask]
        if hole.all():
            raise DataError(f"mask {name} leaves nothing known at {SIZE_PX} × {SIZE_PX}; replace or remove it.")
        return fit(self._store[picture]), hole

    def content_hashes(self) -> tuple[str, str]:
        """Hash names and contents of the pictures, and what is read of the masks, each in the order of pairing."""
        of_pictures, of_masks = hashlib.sha256(), hashlib.sha256()
        for picture, _ in self._pairs:
            of_pictures.update(self._store.keys[picture].encode() + b"\0")
            of_pictures.update(hashlib.sha256(self._locations[picture].read()).digest())
        for mask in dict.fromkeys(mask for _, mask in self._pairs):
            name, hole = self._masks[mask]
            of_masks.update(name.encode() + b"\0" + np.packbits(hole > 0).tobytes())
        return of_pictures.hexdigest()[:HASH_DIGITS], of_masks.hexdigest()[:HASH_DIGITS]


def fit(pixels: np.ndarray) -> Image:
    """Bring a picture to `SIZE_PX`: its short side by area averaging (cubic, if it has to grow), then its centre.

    Args:
        pixels: 0 to 255, uint8, shape (H, W, 3). Not written to.

    Returns:
        New array, RGB in [0, 1], float32; a picture of that size already comes back with its own values.
    """
    height, width = pixels.shape[:2]
    short = min(height, width)
    if short != SIZE_PX:
        size = (round(width * SIZE_PX / short), round(height * SIZE_PX / short))
        way = cv2.INTER_AREA if short > SIZE_PX else cv2.INTER_CUBIC
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=way), np.uint8)
        height, width = pixels.shape[:2]
    top, left = (height - SIZE_PX) // 2, (width - SIZE_PX) // 2
    return pixels[top : top + SIZE_PX, left : left + SIZE_PX].astype(np.float32) / np.float32(255)


def spread(count: int, wanted: int) -> tuple[int, ...]:
    """Choose numbers at equal distances.

    Example:
        >>> spread(10, 3), spread(2, 3)
        ((1, 5, 8), (0, 1))
    """
    wanted = min(count, wanted)
    return tuple((2 * number + 1) * count // (2 * wanted) for number in range(wanted))


def _names(figures: Sequence[int]) -> list[str]:
    return list(dict.fromkeys(name for number in figures for name in NEEDS[number]))


def _file(name: str) -> str:
    return f"{name}{SUFFIX}"


def _join(numbers: Mapping[int, object] | Sequence[int]) -> str:
    *others, last = [str(number) for number in numbers] or [""]
    return f"{', '.join(others)} and {last}" if others else last


def _identify(name: str, path: Path) -> ModelFile:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the model {path}: {error.strerror or error}. Check the permissions.") from error
    return ModelFile(name, path, len(content), hashlib.sha256(content).hexdigest()[:HASH_DIGITS])
