"""Render the gallery of docs/gallery/ from photos that ship with scikit-image (public domain or CC0, see NOTICE).

    python benchmarks/gallery.py [--out docs/gallery]

Each page shows, left to right: the photo with its hole in white, the fill of `scenes`, what mendpix makes of it by
default, and that under the map of doubtful pixels. Prints the figures that the captions quote.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from skimage import data

import applications
import mendpix

ROOT = Path(__file__).parents[1]


def scratches_and_text() -> tuple[np.ndarray, np.ndarray]:
    """Chelsea the cat (CC0) under seeded hairlines and a line of text."""
    photo = data.chelsea()
    mask = np.zeros(photo.shape[:2], np.uint8)
    rng = np.random.default_rng(4)
    for _ in range(14):
        start = rng.uniform((0, 0), (photo.shape[1], photo.shape[0]))
        points = start + np.cumsum(rng.normal(0, 14, (12, 2)) + rng.normal(0, 12, 2), axis=0)
        cv2.polylines(mask, [points.astype(np.int32)], isClosed=False, color=255, thickness=int(rng.integers(1, 5)))
    cv2.putText(mask, "mendpix sample", (40, 240), cv2.FONT_HERSHEY_DUPLEX, 1.4, 255, 5, cv2.LINE_8)
    return photo, mask


def spoon() -> tuple[np.ndarray, np.ndarray]:
    """A cup of coffee (CC0) without its spoon."""
    mask = np.zeros((400, 600), np.uint8)
    cv2.ellipse(mask, (366, 286), (50, 52), 0, 0, 360, 255, -1)
    cv2.line(mask, (378, 250), (412, 74), 255, 38)
    return data.coffee(), mask


def shuttle() -> tuple[np.ndarray, np.ndarray]:
    """Eileen Collins (NASA, public domain) without the model behind her: a large hole in a soft background."""
    mask = np.zeros((512, 512), np.uint8)
    cv2.rectangle(mask, (346, 0), (482, 292), 255, -1)
    return data.astronaut(), mask


def towers() -> tuple[np.ndarray, np.ndarray]:
    """The example of the README (SpaceX, public domain)."""
    photo = np.asarray(Image.open(ROOT / "examples" / "photo.jpg").convert("RGB"))
    return photo, np.asarray(Image.open(ROOT / "examples" / "mask.png").convert("L"))


def person() -> tuple[np.ndarray, np.ndarray]:
    """A man with a camera on a tripod (CC0, grey), with all that belongs to him."""
    made = applications.man()
    return cv2.cvtColor(made["man.png"], cv2.COLOR_GRAY2RGB), made["man-mask.png"]


PAGES = {"person": person, "towers": towers, "scratches": scratches_and_text, "spoon": spoon, "shuttle": shuttle}


def main() -> None:
    """Write one JPEG per page and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "gallery")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    mend = mendpix.Inpainter()
    scenes = mendpix.Inpainter(model="scenes", detector=None)
    for name, make in PAGES.items():
        photo, mask = make()
        result = mend(photo, mask)
        hole = result.hole[..., None] > 0
        seen = np.where(hole, 255, photo).astype(np.uint8)
        overlay = mendpix.ArtifactMap(result.artifacts, result.artifact_score).overlay(result.image)
        row = [seen, scenes(photo, mask).image, result.image, np.asarray(overlay)]
        if row[3].dtype != np.uint8:
            row[3] = np.rint(np.clip(row[3], 0, 1) * 255).astype(np.uint8)
        gap = np.full((photo.shape[0], 8, 3), 255, np.uint8)
        page = np.concatenate([part for one in row for part in (one, gap)][:-1], axis=1)
        Image.fromarray(page).save(out / f"{name}.jpg", quality=88)
        size, share = f"{photo.shape[1]} x {photo.shape[0]}", result.hole.mean()
        print(f"{name}: {size}, hole {share:.1%}, score {result.artifact_score:.2f}, {result.timings['total']:.2f} s")
        for number, fill in enumerate(result.fills[:3], 1):
            print(f"  hole {number} of {len(result.fills)}: {fill.model}, {fill.reason}")


if __name__ == "__main__":
    main()
