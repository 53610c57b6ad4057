"""Put a photo, its hole and every model's fill side by side, to be looked at. Used by `removal.py`.

The sheets show photos that belong to others: they go where the caller says, and never into the repository.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mendpix.atomic_files import atomic_write
from mendpix.composite import composite
from mendpix.evaluation.pairing import OpenProtocol
from mendpix.evaluation.results import Evaluation
from mendpix.images import read_picture
from mendpix.types import Image, Mask
from removal_tables import PairTable

SHEETS = 30
"""Cases that get a sheet, at equal distances in their list."""

WIDEST_PX = 1840
"""A sheet's width, px, unless a single picture is wider; what does not fit goes on in further rows, all as long."""

LABEL_PX, GAP_PX = 18, 6

OUTLINE = (255, 0, 255)
"""Colour of the line around a hole."""

Pixels = NDArray[np.uint8]


def write_cases(opened: OpenProtocol, evaluation: Evaluation, fills: Path, folder: Path) -> list[Path]:
    """Write a sheet for thirty cases, spread evenly over the list.

    Args:
        opened: The protocol of the cases.
        evaluation: What was measured of them.
        fills: Folder of fills, with a folder per model.
        folder: Where the sheets go.
    """
    total = len(opened.pairs)
    chosen = sorted({number * total // min(SHEETS, total) for number in range(min(SHEETS, total))})
    written: list[Path] = []
    for number in chosen:
        pair = opened.pairs[number]
        target = opened.read_picture(pair.picture).astype(np.float32) / np.float32(255)
        hole = opened.read_hole(pair, target.shape[:2])
        tiles = [(f"{pair.key} {pair.hole_share:.0%}", outlined(target, hole))]
        for model in evaluation.models:
            answer = read_picture(fills / model.name / f"{pair.key}.png").rgb
            words = (
                f"{model.name} tex {model.values['texture-ratio'][number]:.2f} "
                f"seam {model.values['border-gradient'][number]:.2f}"
            )
            tiles.append((words, to_bytes(composite(target, answer, hole))))
        written.append(write_sheet(tiles, folder / f"case-{number:03}.png"))
    return written


def write_pairs(
    holes: Mapping[str, tuple[Image, Mask]],
    answers: Mapping[str, Mapping[str, Image]],
    table: PairTable,
    folder: Path,
) -> list[Path]:
    """Write a sheet for every pair.

    Args:
        holes: Photo and hole of each pair.
        answers: Model -> pair -> its answer.
        table: What was measured of them.
        folder: Where the sheets go.
    """
    written: list[Path] = []
    for key, (photo, hole) in holes.items():
        tiles = [(f"{key} {hole.mean():.0%}", outlined(photo, hole))]
        for name, found in answers.items():
            values = {measure: table.values[measure][name][key] for measure in ("texture-ratio", "border-gradient")}
            words = (
                f"{name} {table.chosen[name][key]} tex {values['texture-ratio']:.2f} "
                f"seam {values['border-gradient']:.2f} {table.values['seconds'][name][key]:.1f} s"
            )
            tiles.append((words, to_bytes(composite(photo, found[key], hole))))
        written.append(write_sheet(tiles, folder / f"pair-{key}.png"))
    return written


def outlined(photo: Image, hole: Mask) -> Pixels:
    """Draw the line around a hole on a photo."""
    pixels = np.ascontiguousarray(to_bytes(photo))
    lines, _ = cv2.findContours((hole > 0).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(pixels, lines, -1, OUTLINE, 1 + max(pixels.shape) // 400)
    return pixels


def to_bytes(image: Image) -> Pixels:
    """Round a picture to 8 bits."""
    return np.rint(np.clip(image, 0, 1) * np.float32(255)).astype(np.uint8)


def write_sheet(tiles: Sequence[tuple[str, Pixels]], path: Path) -> Path:
    """Lay pictures of one size out in rows, each under its words, and write them as PNG."""
    height, width = tiles[0][1].shape[:2]
    rows = math.ceil(len(tiles) / max(1, WIDEST_PX // (width + GAP_PX)))
    columns = math.ceil(len(tiles) / rows)
    cell_y, cell_x = height + LABEL_PX + GAP_PX, width + GAP_PX
    sheet = np.full((rows * cell_y, columns * cell_x, 3), 255, np.uint8)
    for number, (words, pixels) in enumerate(tiles):
        top, left = number // columns * cell_y, number % columns * cell_x
        sheet[top + LABEL_PX : top + LABEL_PX + height, left : left + width] = pixels
        cv2.putText(sheet, words, (left + 2, top + 13), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (0, 0, 0), 1, cv2.LINE_AA)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        encoded = cv2.imencode(".png", sheet[..., ::-1])[1]
        temporary.write_bytes(encoded.tobytes())
    return path
