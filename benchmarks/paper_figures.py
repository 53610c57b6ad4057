"""Draw the paper's figures 3, 6 and 7 for the repository, from photos that may be in it.

    python benchmarks/paper_figures.py --models MODELS_DIR -o docs/paper/figures --set scenes

Cuts 256 × 256 px crops out of photos that ship with scikit-image (public domain or CC0, see NOTICE), draws one seeded
irregular hole for each, and calls what `mendpix report` calls. Writes OUT/SET/figure-*.png in 256 colours each, small
enough to be committed. `--keep` leaves behind the figures in full and their page, and crops and masks, with which
`mendpix report` makes the same again.
"""

import argparse
import io
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from skimage import data

from mendpix.atomic_files import atomic_write
from mendpix.data.mask_sampler import MaskSpec, draw_mask, sample_mask
from mendpix.errors import MendpixError
from mendpix.evaluation.figure_inputs import NEEDS, SIZE_PX
from mendpix.evaluation.figures import write_report

SEED = 2020
"""Seed of the holes; the number of the crop in its set is added."""

HOLES = MaskSpec(kinds={"strokes": 0.5, "blobs": 0.5}, bins=((0.2, 0.3),), border="free", margin_px=16)
"""Irregular holes of a fifth to a third of the picture, none at its edge."""

COLOURS = 256
"""Colours of each figure."""


@dataclass(frozen=True)
class Crop:
    """A square of a photo."""

    photo: str
    """Name of the photo in `skimage.data`."""
    top: int
    left: int
    side: int
    """Side of the square, px; brought to `SIZE_PX` by area averaging."""


@dataclass(frozen=True)
class CropSet:
    """What the figures of one set are made from."""

    crops: dict[str, Crop]
    rows: int
    """Rows of each figure."""
    limit_bytes: int
    """Most that the PNG files may take in the repository; of both sets less than 1.5 MB."""


SETS = {
    "scenes": CropSet(
        {
            "cat": Crop("chelsea", 0, 80, 300),
            "cup": Crop("coffee", 30, 130, 360),
            "fur": Crop("chelsea", 44, 0, 256),
            "launch-pad": Crop("rocket", 60, 130, 360),
        },
        rows=2,
        limit_bytes=850_000,
    ),
    # One face among scikit-image's free photos: it is measured at two sizes and shown at the larger.
    "faces": CropSet(
        {"astronaut": Crop("astronaut", 0, 40, 400), "face": Crop("astronaut", 0, 96, 256)},
        rows=1,
        limit_bytes=550_000,
    ),
}


def main() -> None:
    """Write one set and print where and how large."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True, help="folder as for `mendpix report`")
    parser.add_argument("-o", "--out", type=Path, default=Path("docs/paper/figures"))
    parser.add_argument("--set", choices=sorted(SETS), required=True, dest="chosen")
    parser.add_argument("--figure", type=int, action="append", choices=sorted(NEEDS), help="only this one; repeatable")
    parser.add_argument("--rows", type=int, help="rows of each figure, if not those of the set")
    parser.add_argument("--title", help="title of the page")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--keep", type=Path, help="leave crops, masks, full figures and the page in this folder")
    given = parser.parse_args()
    chosen = SETS[given.chosen]
    with tempfile.TemporaryDirectory() as folder:
        work = given.keep or Path(folder)
        pictures, masks = write_crops(chosen.crops, work / given.chosen, work / f"{given.chosen}-masks")
        try:
            made = write_report(
                given.models,
                work / f"{given.chosen}-report",
                [pictures],
                masks,
                figures=given.figure,
                rows=given.rows or chosen.rows,
                title=given.title,
                threads=given.threads,
            )
        except MendpixError as error:
            raise SystemExit(str(error)) from error
        write({sheet.name: encode(read(sheet)) for sheet in made.sheets.values()}, given.out / given.chosen, chosen)


def write_crops(crops: dict[str, Crop], pictures: Path, masks: Path) -> tuple[Path, Path]:
    """Write crops and masks as PNG files of the same names, and return their folders."""
    for folder in (pictures, masks):
        folder.mkdir(parents=True, exist_ok=True)
    for number, (name, crop) in enumerate(crops.items()):
        Image.fromarray(cut(crop)).save(pictures / f"{name}.png")
        hole = draw_mask(sample_mask(np.random.default_rng(SEED + number), (SIZE_PX, SIZE_PX), HOLES))
        Image.fromarray((hole * 255).astype(np.uint8)).save(masks / f"{name}.png")
    return pictures, masks


def cut(crop: Crop) -> np.ndarray:
    """Cut a crop out of its photo: `SIZE_PX` square, uint8, RGB.

    Raises:
        SystemExit: If it does not lie inside the photo.
    """
    photo = getattr(data, crop.photo)()
    square = photo[crop.top : crop.top + crop.side, crop.left : crop.left + crop.side]
    if square.shape != (crop.side, crop.side, 3):
        raise SystemExit(f"a crop must lie inside its photo; {crop} does not fit {photo.shape}.")
    return square if crop.side == SIZE_PX else cv2.resize(square, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)


def read(path: Path) -> np.ndarray:
    """Read a PNG file as RGB."""
    with Image.open(path) as sheet:
        return np.array(sheet.convert("RGB"))


def encode(pixels: np.ndarray) -> bytes:
    """Write RGB as a PNG file of few colours."""
    stream = io.BytesIO()
    Image.fromarray(pixels).quantize(COLOURS).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def write(figures: Mapping[str, bytes], folder: Path, chosen: CropSet) -> None:
    """Write figures by name, and say how large they are.

    Raises:
        SystemExit: If they take more than they may; nothing is written.
    """
    total = sum(map(len, figures.values()))
    if total > chosen.limit_bytes:
        raise SystemExit(
            f"the figures take {total / 1e6:.2f} MB, more than the {chosen.limit_bytes / 1e6:g} MB that they may take "
            "in the repository. Show fewer --rows."
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in figures.items():
        with atomic_write(folder / name) as temporary:
            temporary.write_bytes(content)
        print(f"{folder / name}: {len(content) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
