"""Write a protocol's pairs as picture and mask files, for other programs to fill. Knows no model."""

import os
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from mendpix.atomic_files import atomic_write
from mendpix.errors import OutputError
from mendpix.evaluation.pairing import OpenProtocol
from mendpix.types import Progress

IMAGES, MASKS = "images", "masks"
"""Folders that are written into; a picture and its mask have the same name."""

NOTE = """\
Pairs of the protocol {name}, id {id}.

images/NAME.png   the picture, its hole black
masks/NAME.png    the hole, white = fill

Fill each picture and save the result as NAME.png (or another lossless format) in a folder of your own, in the same
size. Then: mendpix evaluate --protocol FILE.toml --model FOLDER -o REPORT

"""


def write_pairs(opened: OpenProtocol, folder: str | os.PathLike[str], progress: Progress | None = None) -> int:
    """Write every pair as two PNG files, and a note that says what they are.

    The true pictures are not written: what lies in a hole is black, so that no program can look.

    Args:
        opened: The protocol.
        folder: Where to; made if it is not there. Files of the same names are replaced.
        progress: Told the share done.

    Returns:
        How many pairs were written.

    Raises:
        OutputError: If the folder or a file cannot be written, or the folder holds other pictures.
        DataError: If a picture or mask is broken or does not fit.
    """
    place = Path(folder)
    try:
        for name in (IMAGES, MASKS):
            (place / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"pairs must go into a folder that can be made; {place} cannot ({error.strerror}). Choose another."
        ) from error
    ours = {f"{pair.key}.png" for pair in opened.pairs}
    others = [path.name for name in (IMAGES, MASKS) for path in (place / name).iterdir() if path.name not in ours]
    if others:
        raise OutputError(
            f"{place} must hold no other pictures, lest they be taken for pairs; it holds {len(others)}, such as "
            f"{others[0]}. Choose another folder."
        )
    written = 0
    for number, numbers in enumerate(opened.by_picture):
        picture = opened.read_picture(number)
        for pair in (opened.pairs[one] for one in numbers):
            hole = opened.read_hole(pair, picture.shape[:2])
            holed = np.where(hole[..., None] > 0, np.uint8(0), picture)
            _write(holed, place / IMAGES / f"{pair.key}.png")
            _write((hole > 0).astype(np.uint8) * np.uint8(255), place / MASKS / f"{pair.key}.png")
            written += 1
        if progress is not None:
            progress(written / len(opened.pairs), "writing pairs")
    with atomic_write(place / "README.txt") as temporary:
        facts = "\n".join(opened.facts)
        temporary.write_text(NOTE.format(name=opened.protocol.name, id=opened.id) + facts + "\n", encoding="utf-8")
    return written


def _write(pixels: np.ndarray, path: Path) -> None:
    with atomic_write(path) as temporary:
        PillowImage.fromarray(pixels).save(temporary, "PNG", compress_level=3)
