"""Draw the paper's figures 3, 6 and 7 for the repository, from photos that may be in it.

    python benchmarks/paper_figures.py --models MODELS_DIR -o docs/paper/figures --set scenes

Cuts 256 × 256 px crops out of photos that ship with scikit-image (public domain or CC0, see NOTICE), draws one seeded
irregular hole for each, and calls what `mendpix report` calls. Writes OUT/SET/index.html and OUT/SET/figure-*.png. The
colours of the PNG files are rounded as coarsely as it takes for the set to stay small enough to be committed; the
numbers and the page are untouched by that. `--keep` leaves crops and masks behind, with which `mendpix report` makes
the same figures again.
"""

import argparse
import io
import tempfile
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
from mendpix.evaluation.figures import Report, write_report

SEED = 2020
"""Seed of the holes; the number of the crop in its set is added."""

HOLES = MaskSpec(kinds={"strokes": 0.5, "blobs": 0.5}, bins=((0.2, 0.3),), border="free", margin_px=16)
"""Irregular holes of a fifth to a third of the picture, none at its edge."""

STEPS = (1, 2, 3, 4, 5, 6, 8)
"""To multiples of which the colours of the PNG files are rounded, finest first: 1 = not at all, 8 = 33 levels."""


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
    """What one committed page is made from."""

    crops: dict[str, Crop]
    rows: int
    """Rows of each figure."""
    limit_bytes: int
    """Most that page and PNG files may take in the repository; together less than 3 MB."""


SETS = {
    "scenes": CropSet(
        {
            "cat": Crop("chelsea", 0, 80, 300),
            "cup": Crop("coffee", 30, 130, 360),
            "fur": Crop("chelsea", 44, 0, 256),
            "launch-pad": Crop("rocket", 60, 130, 360),
        },
        rows=2,
        limit_bytes=1_850_000,
    ),
    # One face among scikit-image's free photos: it is measured at two sizes and shown at the larger.
    "faces": CropSet(
        {"astronaut": Crop("astronaut", 0, 40, 400), "face": Crop("astronaut", 0, 96, 256)},
        rows=1,
        limit_bytes=1_100_000,
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
    parser.add_argument("--keep", type=Path, help="leave crops and masks in this folder")
    given = parser.parse_args()
    chosen = SETS[given.chosen]
    with tempfile.TemporaryDirectory() as folder:
        work = given.keep or Path(folder)
        pictures, masks = write_crops(chosen.crops, work / given.chosen, work / f"{given.chosen}-masks")
        try:
            made = write_report(
                given.models,
                given.out / given.chosen,
                [pictures],
                masks,
                figures=given.figure,
                rows=given.rows or chosen.rows,
                title=given.title,
                threads=given.threads,
            )
        except MendpixError as error:
            raise SystemExit(str(error)) from error
    step = shrink(made, chosen.limit_bytes)
    for path in (*made.sheets.values(), made.page):
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
    print(f"{size_of(made) / 1e6:.2f} of {chosen.limit_bytes / 1e6:g} MB; colours of the PNG files in steps of {step}")


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


def shrink(made: Report, limit_bytes: int) -> int:
    """Round the colours of the PNG files until page and files fit the limit; returns the step that did.

    Raises:
        SystemExit: If the coarsest step is not enough.
    """
    sheets = {path: read(path) for path in made.sheets.values()}
    for step in STEPS:
        for path, pixels in sheets.items():
            write(coarsen(pixels, step), path)
        if size_of(made) <= limit_bytes:
            return step
    raise SystemExit(
        f"{made.page.parent} takes {size_of(made) / 1e6:.2f} MB, more than the {limit_bytes / 1e6:g} MB that it may "
        "take in the repository. Show fewer --rows."
    )


def coarsen(pixels: np.ndarray, step: int) -> np.ndarray:
    """Round to multiples of `step`; black stays black, white stays white."""
    return np.minimum((pixels.astype(int) + step // 2) // step * step, 255).astype(np.uint8)


def read(path: Path) -> np.ndarray:
    """Read a PNG file as RGB."""
    with Image.open(path) as sheet:
        return np.array(sheet.convert("RGB"))


def write(pixels: np.ndarray, path: Path) -> None:
    """Write a PNG file, whole or not at all."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", optimize=True)
    with atomic_write(path) as temporary:
        temporary.write_bytes(stream.getvalue())


def size_of(made: Report) -> int:
    """Add up the bytes of page and PNG files."""
    return sum(path.stat().st_size for path in (made.page, *made.sheets.values()))


if __name__ == "__main__":
    main()
