"""Propose a mask for thin scratches in a photo: white on black, to be looked at, corrected, and given to mendpix.

    python examples/scratch_mask.py old.png -o scratches.png --look look.png

Top-hat and black-hat pick out what is thinner than `--width`; of that, only what also makes a straight ridge at least
`--length` long stays: lighter (or darker) than what lies on either side of it, all the way. Knows nothing of what the
photo shows: a wire, a whisker, lips or a seam are scratches to it. Knows neither folds, tears, stains nor lost corners:
paint those by hand.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mendpix import MendpixError
from mendpix.errors import InputError
from mendpix.images import read_picture, write_map, write_picture

WIDTH_PX, LENGTH_PX, CONTRAST = 5, 30, 0.08
DIRECTIONS = 16
SEGMENT_PX = 9  # along a ridge, this many pixels are averaged against grain
TWO_SIDED = 0.5  # how much a difference between its two sides counts against a ridge: edges have one, scratches do not
FOLLOWED = 0.5  # share of the contrast down to which a scratch is followed from where it is plain
SPECK_CONTRAST = 2.0  # specks must be this much plainer than scratches: nothing else tells them from the photo
MUCH = 0.15  # share of the picture above which the mask is hardly one of scratches
TONES = {"light": (1,), "dark": (-1,), "both": (1, -1)}


def find_scratches(
    grey: np.ndarray,
    width_px: int = WIDTH_PX,
    length_px: int = LENGTH_PX,
    contrast: float = CONTRAST,
    tone: str = "both",
    specks: bool = False,
) -> np.ndarray:
    """Mark thin scratches.

    Args:
        grey: In [0, 1], float32, shape (H, W).
        width_px: Thickest scratch to look for, px.
        length_px: Shortest straight stretch that tells a scratch, px.
        contrast: How much lighter or darker than its surroundings a scratch must be, in [0, 1].
        tone: `light`, `dark` or `both`.
        specks: Mark small spots as well.

    Returns:
        1 = scratch, 0 = photo, float32, shape (H, W), one pixel wider on each side than what was seen.
    """
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width_px + 2, width_px + 2))
    found = np.zeros(grey.shape, np.uint8)
    for sign in TONES[tone]:
        hat = cv2.morphologyEx(sign * grey, cv2.MORPH_TOPHAT, disc)  # of the negative: the black-hat
        ridge = find_ridges(sign * grey, width_px, length_px)
        candidate = np.minimum(ridge, hat) > FOLLOWED * contrast
        count, labels = cv2.connectedComponents(candidate.astype(np.uint8), connectivity=8)
        plain = np.zeros(count, bool)
        plain[labels[candidate & (ridge > contrast)]] = True
        line = plain[labels].astype(np.uint8)
        found |= line | (cv2.dilate(line, disc) & (hat > FOLLOWED * contrast))  # sideways, as far as the top-hat goes
        if specks:
            count, labels, stats, _ = cv2.connectedComponentsWithStats(
                (hat > SPECK_CONTRAST * contrast).astype(np.uint8)
            )
            small = stats[:, cv2.CC_STAT_AREA] <= (1.5 * width_px) ** 2
            small[0] = False  # the background
            found |= small[labels].astype(np.uint8)
    return cv2.dilate(found, np.ones((3, 3), np.uint8)).astype(np.float32)


def find_ridges(grey: np.ndarray, width_px: int, length_px: int) -> np.ndarray:
    """Measure for each pixel the lowest height of the best straight ridge of `length_px` through it."""
    best = np.full(grey.shape, -1, np.float32)
    size = grey.shape[1::-1]
    for angle in np.arange(DIRECTIONS) * np.pi / DIRECTIONS:
        along = segment(SEGMENT_PX, angle).astype(np.float32)
        middle = cv2.filter2D(grey, -1, along / along.sum(), borderType=cv2.BORDER_REFLECT)
        aside = (width_px / 2 + 1.5) * np.array([-np.sin(angle), np.cos(angle)])
        left, right = (
            cv2.warpAffine(middle, np.array([[1, 0, x], [0, 1, y]]), size, borderMode=cv2.BORDER_REPLICATE)
            for x, y in (aside, -aside)
        )
        height = middle - np.maximum(left, right) - TWO_SIDED * np.abs(left - right)
        stretch = segment(max(length_px - SEGMENT_PX, 3), angle)
        best = np.maximum(best, cv2.morphologyEx(height, cv2.MORPH_OPEN, stretch))
    return best


def segment(length_px: int, angle: float) -> np.ndarray:
    """Draw a straight line of ones through the middle of a square of zeros; uint8."""
    half = length_px // 2
    x, y = round(half * np.cos(angle)), round(half * np.sin(angle))
    square = np.zeros((2 * half + 1, 2 * half + 1), np.uint8)
    cv2.line(square, (half - x, half - y), (half + x, half + y), 1)
    return square


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True, help="the mask: white = scratch")
    parser.add_argument("--look", type=Path, help="also write the photo with the mask in red over it")
    parser.add_argument("--width", type=int, default=WIDTH_PX, help="thickest scratch, px (default: %(default)s)")
    parser.add_argument("--length", type=int, default=LENGTH_PX, help="shortest scratch, px (default: %(default)s)")
    parser.add_argument(
        "--contrast", type=float, default=CONTRAST, help="faintest scratch, of 1 = white (default: %(default)s)"
    )
    parser.add_argument("--tone", choices=list(TONES), default="both", help="of the scratches (default: %(default)s)")
    parser.add_argument("--specks", action="store_true", help="mark dust as well; finds eyes and earrings, too")
    options = parser.parse_args(arguments)
    if options.width < 1 or options.length < 2 * options.width or not 0 < options.contrast < 1:
        parser.error("--width must be 1 or more, --length at least twice as much, and --contrast between 0 and 1")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    try:
        outputs = [path.resolve() for path in (options.out, options.look) if path]
        if len({options.photo.resolve(), *outputs}) <= len(outputs):
            raise InputError("the photo, --out and --look must be three different files. Give another name.")
        photo = read_picture(options.photo)
        grey = cv2.cvtColor(np.array(photo.rgb), cv2.COLOR_RGB2GRAY)
        mask = find_scratches(grey, options.width, options.length, options.contrast, options.tone, options.specks)
        if not mask.any():
            raise InputError(f"no scratch was found in {options.photo}. Lower --contrast or --length, or paint a mask.")
        if options.look:
            write_picture(np.where(mask[..., None] > 0, np.float32([1, 0, 0]), photo.rgb), options.look)
        write_map(mask, options.out)
    except MendpixError as error:
        print(f"scratch_mask: {error}", file=sys.stderr)
        return 2
    print(f"{options.out}: {mask.mean():.1%} of the picture marked")
    if mask.mean() > MUCH:
        print("note: that is much for scratches; look at the mask, raise --contrast or --length", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
