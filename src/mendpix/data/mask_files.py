"""Read folders of mask files for training and measuring, strictly: a file that is not black and white is an error.

Masks are read when they are asked for, in the order of their names. White is the hole. Also pairs masks with pictures
in one fixed order, so that a measurement can be repeated.

Knows nothing of pictures, bins or the masks that a user of the library brings (`masks` reads those, more leniently).
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from mendpix import masks
from mendpix.errors import DataError, InputError
from mendpix.types import FloatArray, Mask

MASK_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""Files with these endings are masks; others in the folder are passed over."""

GREY_TOLERANCE = 0.1
"""How far from black (0) or white (1) a pixel of a mask file may lie; allows for JPEG, not for soft edges."""


class MaskFolder(Sequence[tuple[str, Mask]]):
    """Give access to the masks of a folder as (name, mask), each read from its file on every access."""

    def __init__(self, folder: Path, names: Sequence[str], size: tuple[int, int] | None) -> None:
        self._folder = folder
        self._names = tuple(names)
        self._size = size

    @property
    def names(self) -> tuple[str, ...]:
        """Path of each mask relative to the folder, in order."""
        return self._names

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> tuple[str, Mask]:  # pyright: ignore[reportIncompatibleMethodOverride]  # no slices
        """Read mask `index`: its name, and a new array of shape (H, W), exactly 1 = hole, 0 = known.

        Raises:
            DataError: If the file cannot be read, is not black and white, or holds no hole or nothing but hole.
            IndexError: If there is no such mask.
        """
        name = self._names[index]
        return name, _read(self._folder / name, self._size)

    def __iter__(self) -> Iterator[tuple[str, Mask]]:
        return (self[index] for index in range(len(self)))


class MaskFolders:
    """Draw holes for training from folders of mask files."""

    def __init__(self, folders: Sequence[str | os.PathLike[str]]) -> None:
        """List the files; none is read yet.

        Raises:
            DataError: If a folder is missing or holds no mask file.
            InputError: If there is no folder.
        """
        if not folders:
            raise InputError("masks must be in at least one folder; got none.")
        self._folders = [read_mask_folder(folder) for folder in folders]
        self._ends = np.cumsum([len(folder) for folder in self._folders])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def draw(self, rng: np.random.Generator, px: int) -> Mask:
        """Read a file drawn evenly from all folders, mirrored at random in both directions.

        Args:
            rng: Source of all randomness.
            px: Height and width of the mask.

        Returns:
            New array, shape (px, px), exactly 1 = hole, 0 = known.

        Raises:
            DataError: As for `MaskFolder`.
        """
        number = int(rng.integers(len(self)))
        which = int(np.searchsorted(self._ends, number, side="right"))
        first = int(self._ends[which - 1]) if which else 0
        _, hole = self._folders[which][number - first]
        if hole.shape != (px, px):
            hole = masks.resize_hole(hole, (px, px))
        return np.ascontiguousarray(hole[:: 1 - 2 * int(rng.integers(2)), :: 1 - 2 * int(rng.integers(2))])


def read_mask_folder(path: str | os.PathLike[str], size: tuple[int, int] | None = None) -> MaskFolder:
    """List the mask files of a folder and its subfolders, sorted by name; each is read when it is accessed.

    Args:
        path: The folder.
        size: Height and width that every mask is brought to, holes never vanishing; None = as they are.

    Raises:
        DataError: If the folder is missing or holds no mask file.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise DataError(f"masks should be in the folder {folder}, but no such folder is there; check the path.")
    files = (file for file in folder.rglob("*") if file.suffix.lower() in MASK_SUFFIXES and file.is_file())
    names = sorted(file.relative_to(folder).as_posix() for file in files)
    if not names:
        raise DataError(f"{folder} holds no mask; mask files end in {', '.join(sorted(MASK_SUFFIXES))}.")
    return MaskFolder(folder, names, size)


def paired_masks(pictures: Sequence[str], mask_names: Sequence[str]) -> list[tuple[int, int]]:
    """Pair every picture with one mask in the fixed order of their names, starting the masks anew when they run out.

    The order in which names are given does not matter, so every machine and every model sees the same pairs.

    Args:
        pictures: Names of the pictures.
        mask_names: Names of the masks.

    Returns:
        (index into `pictures`, index into `mask_names`) for each picture, sorted by the name of the picture.

    Raises:
        DataError: If there is no mask, or if two pictures or masks have the same name.

    Example:
        >>> paired_masks(["b.png", "a.png", "c.png"], ["2.png", "1.png"])
        [(1, 1), (0, 0), (2, 1)]
    """
    if not mask_names:
        raise DataError("pictures must be paired with at least one mask; got none.")
    for what, names in (("pictures", pictures), ("masks", mask_names)):
        if len(set(names)) < len(names):
            raise DataError(f"{what} must have different names to be paired in a fixed order; some are alike.")
    order = sorted(range(len(pictures)), key=pictures.__getitem__)
    mask_order = sorted(range(len(mask_names)), key=mask_names.__getitem__)
    return [(picture, mask_order[position % len(mask_order)]) for position, picture in enumerate(order)]


def _read(file: Path, size: tuple[int, int] | None) -> Mask:
    grey = _read_grey(file)
    middling = np.count_nonzero((grey > GREY_TOLERANCE) & (grey < 1 - GREY_TOLERANCE))
    if middling:
        raise DataError(
            f"mask {file} should be black and white, but {middling} of its {grey.size} pixels are grey; "
            "threshold it once and save it as PNG."
        )
    hole = masks.binarise(grey)
    if not hole.any() or hole.all():
        colour = "white" if hole.any() else "black"
        raise DataError(
            f"mask {file} should be white in the hole, else black, but it is all {colour}; replace or remove it."
        )
    return hole if size is None or hole.shape == size else masks.resize_hole(hole, size)


def _read_grey(file: Path) -> FloatArray:
    """Return the brightest channel of the file in [0, 1]; the alpha channel plays no part."""
    try:
        with PillowImage.open(file) as picture:
            if picture.mode.startswith("I"):  # 16 bit
                return np.asarray(picture).astype(np.float32) / np.float32(65535)
            samples = np.asarray(picture.convert("RGBA" if "transparency" in picture.info else "RGB"))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError) as error:
        raise DataError(f"mask {file} cannot be read ({error}); replace or remove it.") from error
    return samples[:, :, :3].max(axis=2).astype(np.float32) / np.float32(255)
