"""Read a folder of drawings, dark strokes on white paper, of any picture mode and size.

Strict: a file that cannot be read, or is a photo, is an error that names it. Knows nothing of holes, masks and bins
(`mask_build` makes those), nor of imitated drawings (`drawings`).
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image as PillowImage

from mendpix.data.drawings import DRAWING_PX, Drawing
from mendpix.data.mask_files import MASK_SUFFIXES
from mendpix.errors import DataError
from mendpix.image_files import read_file
from mendpix.types import AnyArray

GREY_SHARE_MOST = 0.5
"""Share of grey pixels (neither nearly black nor nearly white) above which a picture is no drawing."""


class DrawingFolder:
    """Give access to the drawings of a folder and its subfolders, sorted by name, each read on access.

    The list of names is held in memory, about 0.15 GB for a million. Hidden files are passed over.

    Args:
        path: The folder.
        invert: Whether strokes are white on black instead of dark on white.

    Raises:
        DataError: If the folder is missing, cannot be listed or holds no picture, or if two names differ by the ending
            .png only.
    """

    def __init__(self, path: str | os.PathLike[str], *, invert: bool = False) -> None:
        self._folder = Path(path)
        self._invert = invert
        if not self._folder.is_dir():
            raise DataError(f"drawings should be in the folder {path}, but no such folder is there; check the path.")
        self._names = tuple(sorted(_picture_names(self._folder)))
        if not self._names:
            raise DataError(f"{path} holds no drawing; drawings end in {', '.join(sorted(MASK_SUFFIXES))}.")

    @property
    def folder(self) -> Path:
        """The folder itself."""
        return self._folder

    @property
    def names(self) -> Sequence[str]:
        """Path of each drawing relative to the folder, with forward slashes."""
        return self._names

    def read(self, index: int) -> Drawing:
        """Read drawing `index`; pictures of other sizes and kinds are brought to a `Drawing` as in `as_drawing`.

        Raises:
            ImageError: If the file is missing or broken.
            DataError: If the picture is no drawing.
        """
        name = self._names[index]
        content, _ = read_file(self._folder / name)
        return as_drawing(content, name, invert=self._invert)

    def facts(self) -> dict[str, Any]:
        """Return kind, number and names (as a checksum) of the drawings; not where they lie."""
        checksum = hashlib.sha256()
        for name in self._names:
            checksum.update(name.encode("utf-8", "surrogatepass") + b"\0")
        return {
            "source": "folder",
            "drawings": len(self._names),
            "names_sha256": checksum.hexdigest(),
            "invert": self._invert,
        }


def as_drawing(content: PillowImage.Image | AnyArray, name: str, *, invert: bool = False) -> Drawing:
    """Bring a picture of any mode and size to a drawing.

    Colours become grey and what is see-through becomes paper. A picture that is not square is laid on the middle of a
    white square; a square of another size is scaled to 512 × 512, which leaves soft edges.

    Args:
        content: A Pillow picture, or (H, W, 3 or 4) of uint16.
        name: What to call it in an error.
        invert: Whether strokes are white on black.

    Returns:
        New array; strokes dark.

    Raises:
        DataError: If more than half of the pixels are grey, as in a photo.
    """
    grey = _grey_on_paper(content, name, paper=0 if invert else 255)
    if invert:
        grey = 255 - grey
    middling = np.count_nonzero((grey > 25) & (grey < 230)) / max(grey.size, 1)
    if middling > GREY_SHARE_MOST:
        raise DataError(
            f"drawing {name} should be dark strokes on white, but {middling:.0%} of its pixels are grey; "
            "make it black and white, or remove it."
        )
    height, width = grey.shape
    if height != width:
        side = max(height, width)
        square = np.full((side, side), 255, np.uint8)
        top, left = (side - height) // 2, (side - width) // 2
        square[top : top + height, left : left + width] = grey
        grey = square
    if len(grey) != DRAWING_PX:
        method = cv2.INTER_AREA if len(grey) > DRAWING_PX else cv2.INTER_LINEAR
        grey = cv2.resize(grey, (DRAWING_PX, DRAWING_PX), interpolation=method)
    return np.asarray(grey, np.uint8)


def _picture_names(folder: Path) -> list[str]:
    """List the pictures under a folder as relative names with forward slashes, unsorted."""

    def refuse(error: OSError) -> None:
        raise DataError(
            f"every folder of drawings must be readable; {error.filename} is not ({error.strerror}). "
            "Change its permissions, or move it away."
        )

    found: list[str] = []
    for place, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        here = Path(place).relative_to(folder).as_posix()
        pictures = {name for name in files if Path(name).suffix.lower() in MASK_SUFFIXES and not name.startswith(".")}
        for name in pictures:
            if f"{name}.png" in pictures:
                raise DataError(f"drawings {name} and {name}.png in {place} would give masks of one name; rename one.")
        found += [name if here == "." else f"{here}/{name}" for name in pictures]
    return found


def _grey_on_paper(content: PillowImage.Image | AnyArray, name: str, paper: int) -> Drawing:
    """Return the picture as grey in 0 to 255, laid on paper of the given grey where it is see-through."""
    if isinstance(content, np.ndarray):  # (H, W, C), uint16
        samples = content.astype(np.float64) / 257
        grey = samples[..., :3].mean(axis=2)
        if samples.shape[2] == 4:
            grey = paper + (grey - paper) * samples[..., 3] / 255
        return np.rint(grey).astype(np.uint8)
    if content.mode in ("1", "L") and "transparency" not in content.info:
        return np.array(content.convert("L"))
    if content.mode.startswith("I"):  # 16 bit; Pillow's own conversion would clip it
        return (np.asarray(content).astype(np.int64) // 257).clip(0, 255).astype(np.uint8)
    if content.mode == "F":
        raise DataError(
            f"drawing {name} should have whole samples, but has floating point ones, without a fixed white; "
            "save it as PNG."
        )
    layer = content.convert("RGBA")
    sheet = PillowImage.new("RGBA", layer.size, (paper, paper, paper, 255))
    return np.array(PillowImage.alpha_composite(sheet, layer).convert("L"))
