"""Make real exemplar fills of training pictures once, and draw samples from them. One file per fill.

What a fill is depends on the seed, its number and the pictures alone; files that are there are not made again. Knows
nothing of what training does with a fill.
"""

from pathlib import Path

import numpy as np

from mendpix.atomic_files import atomic_write
from mendpix.data.crops import CropSpec, random_crop
from mendpix.data.dataset import PictureStore
from mendpix.data.silhouettes import draw_silhouette
from mendpix.errors import DataError
from mendpix.exemplar import exemplar
from mendpix.types import Image, Mask, Progress

SHARES = (0.04, 0.3)
"""Smallest and largest share of the square that is hole."""

_ATTEMPTS = 8  # windows tried until one holds some known pixels, too


def make_exemplar_fills(
    store: PictureStore,
    folder: Path,
    count: int,
    px: int,
    *,
    seed: int,
    progress: Progress | None = None,
) -> None:
    """Fill silhouettes in squares of the pictures, and write each as `fill-NNNNN.npz`, unless it is there.

    Args:
        store: The pictures; square number n is cut out of one of them.
        folder: Where the files go; made if it is not there.
        count: How many there shall be.
        px: Side of the squares.
        seed: Seed of squares and holes.
        progress: Told the share done, now and then.

    Raises:
        OutputError: If a file cannot be written.
        DataError: If a picture cannot be decoded.
    """
    for number in range(count):
        path = _path(folder, number)
        if path.is_file():
            continue
        rng = np.random.default_rng([seed, 2_000_003, number])
        picture = store[int(rng.integers(len(store)))]
        image = random_crop(rng, picture, CropSpec(px=px))
        hole = draw_silhouette(rng, (px, px), float(rng.uniform(*SHARES)))
        filled = exemplar(np.float32(1 / 255) * image.astype(np.float32), hole, seed=number)
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            np.savez(file, image=image, fill=np.rint(filled * 255).astype(np.uint8), hole=np.packbits(hole > 0))
        if progress is not None:
            progress((number + 1) / count, f"exemplar fill {number + 1} of {count}")


class ExemplarFills:
    """Give windows of the fills in a folder, kept in memory once they were read."""

    def __init__(self, folder: Path, count: int) -> None:
        """Keep where they are.

        Args:
            folder: What `make_exemplar_fills` wrote.
            count: How many to use.
        """
        self._paths = [_path(folder, number) for number in range(count)]
        self._kept: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def draw(self, rng: np.random.Generator, px: int) -> tuple[Image, Mask, Image]:
        """Draw a square window that shows part of a hole, and known pixels.

        Args:
            rng: Source of all randomness.
            px: Side of the window; at most that of the fills.

        Returns:
            True picture (px, px, 3) in [0, 1], hole (px, px) and the filled picture, mirrored half of the time.

        Raises:
            DataError: If a file is missing, broken or too small.
        """
        image, hole, fill = self._read(int(rng.integers(len(self._paths))))
        room = image.shape[0] - px
        if room < 0:
            raise DataError(
                f"exemplar fills must be at least {px} px, the largest crop; they are {image.shape[0]} px. "
                "Set data.exemplar_px to that."
            )
        inside = np.flatnonzero(hole)
        window = (slice(None), slice(None))
        for _ in range(_ATTEMPTS):
            row, column = divmod(int(inside[rng.integers(len(inside))]), hole.shape[1])
            top, left = (int(np.clip(at - rng.integers(px // 4, px - px // 4), 0, room)) for at in (row, column))
            window = (slice(top, top + px), slice(left, left + px))
            if hole[window].any() and not hole[window].all():
                break
        step = -1 if rng.random() < 0.5 else 1
        parts = (np.ascontiguousarray(part[window][:, ::step]) for part in (image, hole, fill))
        one, two, three = parts
        scale = np.float32(1 / 255)
        return scale * one.astype(np.float32), two.astype(np.float32), scale * three.astype(np.float32)

    def _read(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        found = self._kept.get(number)
        if found is None:
            path = self._paths[number]
            try:
                with np.load(path) as arrays:
                    image, fill, packed = arrays["image"], arrays["fill"], arrays["hole"]
            except (OSError, KeyError, ValueError, EOFError) as error:
                raise DataError(
                    f"an exemplar fill was expected in {path}; it cannot be read ({error}). Delete it and start again "
                    "with --resume."
                ) from error
            hole = np.unpackbits(packed, count=image.shape[0] * image.shape[1]).reshape(image.shape[:2])
            found = self._kept[number] = (image, hole, fill)
        return found


def _path(folder: Path, number: int) -> Path:
    return folder / f"fill-{number:05d}.npz"
