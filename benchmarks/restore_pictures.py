"""Show what `mendpix restore` does to photos with known damage: the illustrations of docs/how-to/restore.md.

    python benchmarks/restore_pictures.py --example examples/old.jpg [--out docs/how-to/pictures] [--finder damage.onnx]

The photos ship with scikit-image (public domain or CC0, see NOTICE), the damage is ours (`mendpix.data.degrade`), the
seeds were not chosen by the result. A row shows the damaged photo, what is marked and what comes of it by default, the
same at a higher sensitivity, and the photo as it was; one page has damage that is there, the other photos without any:
each, and what is marked by default and at the higher sensitivity. Says for each what was marked. One damaged photo also
becomes `examples/old.jpg`, with a strip of it, what is marked at the higher sensitivity, and what comes of it.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from skimage import data

from applications import save_small, sheet
from mendpix.data.degrade import damage
from mendpix.restoration.presets import Preset
from mendpix.restoration.restore import Restorer
from mendpix.restoration.sensitivity import SENSITIVITY
from mendpix.types import FloatArray

ROOT = Path(__file__).parents[1]

SIDE_PX = 384
"""Side of the square photos."""

PHOTOS: dict[str, Callable[[], np.ndarray]] = {
    "astronaut": data.astronaut,
    "coffee": data.coffee,
    "cat": data.chelsea,
    "rocket": data.rocket,
    "camera": lambda: np.repeat(data.camera()[..., None], 3, axis=2),
    "hubble": data.hubble_deep_field,
}
"""Name -> photo, uint8 RGB."""

DAMAGED: tuple[tuple[str, tuple[str, ...], int, Preset], ...] = (
    ("astronaut", ("scratches", "dust"), 1, "auto"),
    ("camera", ("cracks",), 2, "auto"),
    ("cat", ("folds", "stains"), 3, "auto"),
    ("coffee", ("text",), 4, "text"),
    ("rocket", ("watermark",), 5, "watermark"),
)
"""Rows of the first page: photo, families, seed, and the preset."""

DESTROYED = 0.1
"""Share of a pixel from which on it counts as damaged."""

SENSITIVITIES = (SENSITIVITY, 0.8)
"""The default, and one for photos that are known to be damaged."""

MARKED = (230, 40, 30)
"""Colour of the marks in the strip."""

EXAMPLE = "camera"
"""The damaged photo of `examples/old.jpg`, grey."""

SOUND = ("astronaut", "camera", "cat", "coffee", "rocket", "hubble")
"""Photos without damage, of which the second page shows what is marked."""


def square(name: str) -> FloatArray:
    """Return the middle of a photo at the size that is shown, RGB in [0, 1], shape (H, W, 3)."""
    photo = PHOTOS[name]()
    side = min(photo.shape[:2])
    top, left = (photo.shape[0] - side) // 2, (photo.shape[1] - side) // 2
    cut = photo[top : top + side, left : left + side]
    return cv2.resize(cut, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def eight_bit(picture: FloatArray) -> np.ndarray:
    """Return a picture or mask in [0, 1] as uint8 (H, W, 3)."""
    full = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    return np.round(255 * full).astype(np.uint8)


def mended(
    restorer: Restorer, photo: np.ndarray, sensitivity: float, preset: Preset = "auto"
) -> tuple[np.ndarray, np.ndarray]:
    """Restore an 8-bit photo; return the mask that was found, (H, W), and the result."""
    result = restorer(photo, preset=preset, sensitivity=sensitivity, max_area=1.0)
    return np.asarray(result.hole), np.asarray(result.image)


def main() -> None:
    """Make both pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "how-to" / "pictures", help="where the pages go")
    parser.add_argument("--finder", default="network", help="what finds damage")
    parser.add_argument("--example", type=Path, help="keep one damaged photo here, as JPEG, and make a strip of it")
    parser.add_argument("--work", type=Path, help="keep the damaged photos here, as PNG")
    given = parser.parse_args()
    restorer = Restorer(finder=given.finder, detector=None)
    rows: list[list[np.ndarray]] = []
    for name, families, seed, preset in DAMAGED:
        photo = damaged = square(name)
        truth = np.zeros(photo.shape[:2], np.float32)
        rng = np.random.default_rng(seed)
        for family in families:
            done = damage(rng, damaged, family)
            damaged, truth = done.image, 1 - (1 - truth) * (1 - done.destroyed)
        start = eight_bit(damaged)
        row = [start]
        destroyed = truth >= DESTROYED
        for sensitivity in SENSITIVITIES:
            mask, result = mended(restorer, start, sensitivity, preset)
            hit = float((mask > 0)[destroyed].mean())
            what = f"{name}, {' and '.join(families)}, preset {preset}, sensitivity {sensitivity:g}"
            print(f"{what}: {mask.mean():.2%} marked, {hit:.0%} of the damage is marked", flush=True)
            row += [eight_bit(mask), result]
        rows.append([*row, eight_bit(photo)])
        if given.work:
            given.work.mkdir(parents=True, exist_ok=True)
            Image.fromarray(start).save(given.work / f"{name}.png")
    save_small(sheet(rows, None, 0.39), given.out / "restore.jpg")
    if given.example:
        old = next(row[0] for row, (name, *_) in zip(rows, DAMAGED, strict=True) if name == EXAMPLE)
        Image.fromarray(old[..., 0]).save(given.example, quality=92)
        old = np.asarray(Image.open(given.example).convert("RGB"))
        mask, result = mended(restorer, old, SENSITIVITIES[-1])
        print(f"{given.example.name}: {mask.mean():.2%} marked", flush=True)
        marks = np.where(mask[..., None] > 0, np.array(MARKED, np.uint8), old)
        save_small(sheet([[old, marks, result]], None, 0.75), given.out / "restore-cracks.jpg")
    rows = []
    for name in SOUND:
        photo = eight_bit(square(name))
        row = [photo]
        for sensitivity in SENSITIVITIES:
            mask, _ = mended(restorer, photo, sensitivity)
            print(f"{name}, sound, sensitivity {sensitivity:g}: {mask.mean():.2%} marked", flush=True)
            row.append(eight_bit(mask))
        rows.append(row)
    save_small(sheet(rows, None, 0.4), given.out / "restore-sound.jpg")


if __name__ == "__main__":
    main()
