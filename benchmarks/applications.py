"""Run the commands of the how-tos on object removal, text removal and old photos, and show what comes of them.

    python benchmarks/applications.py pictures [--out docs/how-to/pictures] [--work FOLDER]
    python benchmarks/applications.py cases CASES OUT
    python benchmarks/applications.py scratches [--photos FOLDER] [--seeds 3]

`pictures` makes the illustrations of docs/how-to from photos that ship with scikit-image (public domain or CC0, see
NOTICE), with masks drawn here, rendered text and synthetic scratches; `--work` keeps the photos, masks and results, to
follow the how-tos with. `cases` does the same to a folder of real cases and writes the sheets to OUT, outside of this
checkout: they are for looking, not for the repository. `scratches` measures `examples/scratch_mask.py` where the truth
is known. Each row of a sheet shows photo, mask, result, and the result under its artifact map.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage import data

import mendpix

ROOT = Path(__file__).parents[1]
MOST_BYTES = 120_000
"""Largest illustration, bytes."""
GAP_PX = 8
QUALITIES = range(88, 59, -4)
"""JPEG qualities to try, best first."""

VISIBLE = 0.2
"""Share of its colour from which a pixel counts as scratched."""
NEAR_PX = 2
"""A marked pixel this near to a scratch or speck is no mistake, px."""
PAINTED_PX = 2
"""How far over a scratch a careful person paints, px."""

Pictures = dict[str, np.ndarray]
"""File name -> picture, uint8."""


@dataclass(frozen=True)
class Page:
    """One illustration: what it starts from, what is done, what of it is shown."""

    make: Callable[[], Pictures]
    """Renders the photo and the masks that the commands read."""
    rows: tuple[tuple[str, ...], ...]
    """The commands of each row, as the how-to has them; the last one's files are shown."""
    crop: tuple[int, int, int, int] | None = None
    """Left, top, right, bottom of what is shown, px; None = all."""
    shown: float = 1.0
    """Size at which it is shown, of 1."""


def polygon(size: tuple[int, int], *shapes: Sequence[tuple[float, float]]) -> np.ndarray:
    """Draw filled shapes in white on black; (H, W), uint8."""
    mask = np.zeros(size, np.uint8)
    for shape in shapes:
        cv2.fillPoly(mask, [np.rint(shape).astype(np.int32)], 255)
    return mask


def tower() -> Pictures:
    """The photographer by Lav Varshney (CC0), and a mask over the tower on the horizon."""
    outline = [(409, 201), (409, 125), (417, 120), (420, 109), (427, 109), (437, 116), (437, 127), (435, 191)]
    photo = data.camera()
    return {"tower.png": photo, "tower-mask.png": polygon(photo.shape, outline)}


def tripod_mask() -> np.ndarray:
    """Draw around the tripod below the camera, leaving the grass between its legs."""
    outline = [
        (285, 262), (301, 262), (302, 310), (310, 312), (322, 297), (342, 297), (342, 311), (328, 311), (314, 322),
        (315, 328), (400, 472), (400, 492), (412, 512), (396, 512), (380, 488), (300, 488), (285, 490), (250, 495),
        (251, 512), (225, 512), (227, 485), (235, 477), (278, 335), (275, 328), (280, 311), (286, 310),
    ]  # fmt: skip
    mask = polygon((512, 512), outline)
    mask[polygon((512, 512), [(304, 350), (309, 350), (374, 476), (304, 476)]) > 0] = 0
    return mask


def tripod() -> Pictures:
    """The same photo, and a mask over the legs of the tripod: slim things before grass."""
    return {"tripod.png": data.camera(), "tripod-mask.png": tripod_mask()}


def man() -> Pictures:
    """The same photo, a mask over the man with all he carries, and one over the tower, which is not to be copied."""
    outline = [
        (-4, 245), (15, 222), (46, 167), (78, 134), (128, 118), (155, 99), (163, 80), (190, 58), (222, 58), (254, 76),
        (277, 105), (275, 134), (330, 134), (332, 167), (339, 191), (330, 222), (312, 241), (312, 290), (284, 302),
        (247, 318), (205, 302), (148, 380), (157, 436), (160, 512), (-4, 512),
    ]  # fmt: skip
    mask = np.maximum(polygon((512, 512), outline), tripod_mask())
    return {"man.png": data.camera(), "man-mask.png": mask, "tower-mask.png": tower()["tower-mask.png"]}


def caption() -> Pictures:
    """A cup of coffee by Rachel Michetti (CC0) under a white caption with a dark rim; a mask of the white alone.

    The mask comes both ways: white on black, and black on white as other programs have it.
    """
    photo, font = Image.fromarray(data.coffee()), ImageFont.load_default(26)
    rim = {"stroke_width": 2, "stroke_fill": (40, 30, 30)}
    ImageDraw.Draw(photo).text((450, 372), "Saturday, 9 a.m.", "white", font=font, anchor="ms", **rim)
    picture = np.asarray(photo)
    mask = mask_of_colour(picture, (255, 255, 255), 60, slice(345, 385))
    return {"caption.png": picture, "caption-mask.png": mask, "caption-inverted.png": 255 - mask}


def stamp() -> Pictures:
    """The photographer under an orange date on the grass."""
    photo = Image.fromarray(data.camera()).convert("RGB")
    ImageDraw.Draw(photo).text((494, 480), "'14  3  27", (255, 140, 40), font=ImageFont.load_default(34), anchor="rs")
    picture = np.asarray(photo)
    return {"stamp.png": picture, "stamp-mask.png": mask_of_colour(picture, (255, 140, 40), 90, slice(430, 500))}


def mask_of_colour(picture: np.ndarray, colour: Sequence[int], tolerance: int, rows: slice) -> np.ndarray:
    """Mark what is of a colour in some rows of a picture, as docs/how-to/remove-text.md does; (H, W), uint8."""
    mask = np.zeros(picture.shape[:2], np.uint8)
    off = np.abs(picture[rows].astype(int) - np.asarray(colour)).max(axis=2)
    mask[rows][off < tolerance] = 255
    return mask


def portrait() -> Pictures:
    """Eileen Collins (NASA, public domain) in grey under scratches and dust.

    One mask is what a careful person paints; the other is the proposed one after that person has rubbed out what lies
    on no scratch.
    """
    damaged, scratched, specked = damage(cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY), seed=0)
    masks = {
        "old-painted.png": grow(scratched | specked, PAINTED_PX),
        "old-corrected.png": propose(damaged) & grow(scratched | specked, 2 * PAINTED_PX),
    }
    return {"old.png": damaged, **{name: mask.astype(np.uint8) * 255 for name, mask in masks.items()}}


def propose(grey: np.ndarray) -> np.ndarray:
    """Mark what `examples/scratch_mask.py` takes for scratches in a grey photo, uint8; bool."""
    sys.path.insert(0, str(ROOT / "examples"))
    from scratch_mask import find_scratches

    return find_scratches(grey.astype(np.float32) / 255) > 0


def grow(where: np.ndarray, px: int) -> np.ndarray:
    """Grow a bool plane by a disc."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * px + 1, 2 * px + 1))
    return cv2.dilate(where.astype(np.uint8), disc) > 0


def damage(grey: np.ndarray, seed: int, scratches: int = 12, specks: int = 60) -> tuple[np.ndarray, ...]:
    """Lay scratches, dust and grain over a photo.

    Scratches are slightly bent, 1 to 4 px thick, 0.08 to 0.6 of the longer side long, fading in and out, seven of ten
    light, the others dark; their strongest part covers 0.45 to 1 of what is below. Specks are up to 5 px wide.

    Args:
        grey: (H, W), uint8.
        seed: The same seed gives the same damage.
        scratches: How many.
        specks: How many.

    Returns:
        The damaged photo, uint8, and where scratches and where specks cover `VISIBLE` or more of it, bool; all (H, W).
    """
    generator = np.random.default_rng(seed)
    height, width = grey.shape
    photo = grey.astype(np.float32) / 255
    covered = [np.zeros(grey.shape, np.float32), np.zeros(grey.shape, np.float32)]
    for number in range(scratches + specks):
        is_speck = number >= scratches
        layer = np.zeros(grey.shape, np.uint8)
        start = generator.uniform((0, 0), (width, height))
        if is_speck:
            axes, turn = generator.uniform(0.7, 2.6, 2), generator.uniform(0, 180)
            strength = generator.uniform(0.6, 1)
            cv2.ellipse(layer, sixteenths(start), sixteenths(axes), turn, 0, 360, 255 * strength, -1, cv2.LINE_AA, 4)
        else:
            layer = draw_scratch(grey.shape, start, generator)
        cover = cv2.GaussianBlur(layer.astype(np.float32) / 255, (0, 0), 0.5)
        tone = generator.uniform(0.8, 1) if generator.random() < 0.7 else generator.uniform(0, 0.15)
        photo += cover * (np.float32(tone) - photo)
        covered[is_speck] = np.maximum(covered[is_speck], cover)
    photo += generator.normal(0, 0.015, grey.shape).astype(np.float32)
    damaged = np.rint(np.clip(photo, 0, 1) * 255).astype(np.uint8)
    return damaged, covered[0] >= VISIBLE, covered[1] >= VISIBLE


def draw_scratch(size: tuple[int, ...], start: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Draw one scratch, its strength as grey; (H, W), uint8. Drawn at four times the size, so that edges are soft."""
    steps, finer = 40, 4
    length = generator.uniform(0.08, 0.6) * max(size)
    bend, thickness, strength = generator.normal(0, 0.4), generator.uniform(1, 4), generator.uniform(0.45, 1)
    heading = generator.uniform(0, np.pi) + bend * np.linspace(0, 1, steps) + generator.normal(0, 0.02, steps).cumsum()
    points = start + np.stack([np.cos(heading), np.sin(heading)], 1).cumsum(axis=0) * length / steps
    waves = np.linspace(0, generator.uniform(2, 9), steps) + generator.uniform(0, 2 * np.pi)
    fade = np.clip(0.75 + 0.5 * np.sin(waves), 0, 1)
    large = np.zeros((finer * size[0], finer * size[1]), np.uint8)
    for first, second, share in zip(points * finer, points[1:] * finer, fade, strict=False):
        tone = round(255 * strength * share)
        cv2.line(large, sixteenths(first), sixteenths(second), tone, round(finer * thickness), cv2.LINE_8, 4)
    return cv2.resize(large, (size[1], size[0]), interpolation=cv2.INTER_AREA)


def sixteenths(point: np.ndarray) -> tuple[int, int]:
    """Give a point in the fixed-point numbers that OpenCV draws by."""
    return round(16 * float(point[0])), round(16 * float(point[1]))


PAGES = {
    "tower": Page(
        tower,
        (("mendpix inpaint tower.png tower-mask.png -o tower-mended.png --overlay tower-doubt.png",),),
        crop=(292, 60, 512, 260),
    ),
    "tripod": Page(
        tripod,
        (
            ("mendpix inpaint tripod.png tripod-mask.png -o tripod-mended.png --overlay tripod-doubt.png",),
            (
                "mendpix inpaint tripod.png tripod-mask.png -o tripod-copied.png --hole 1=exemplar"
                " --overlay tripod-copied-doubt.png",
            ),
        ),
        crop=(200, 250, 440, 512),
    ),
    "man": Page(
        man,
        (
            ("mendpix inpaint man.png man-mask.png -o man-mended.png --overlay man-doubt.png",),
            ("mendpix inpaint man.png man-mask.png -o man-smeared.png --model scenes --overlay man-smeared-doubt.png",),
            (
                "mendpix inpaint man.png man-mask.png -o man-other.png --exclude tower-mask.png"
                " --overlay man-other-doubt.png",
            ),
        ),
        shown=0.5,
    ),
    "caption": Page(
        caption,
        (
            ("mendpix inpaint caption.png caption-mask.png -o caption-tight.png --overlay caption-tight-doubt.png",),
            (
                "mendpix inpaint caption.png caption-inverted.png -o caption-mended.png --invert-mask --dilate 4",
                "mendpix inpaint caption.png caption-mask.png -o caption-mended.png --dilate 4"
                " --overlay caption-doubt.png",
            ),
        ),
        crop=(330, 316, 570, 400),
    ),
    "stamp": Page(
        stamp,
        (
            ("mendpix inpaint stamp.png stamp-mask.png -o stamp-mended.png --dilate 2 --overlay stamp-doubt.png",),
            (
                "mendpix inpaint stamp.png stamp-mask.png -o stamp-copied.png --dilate 2 --model exemplar"
                " --overlay stamp-copied-doubt.png",
            ),
        ),
        crop=(272, 420, 512, 512),
    ),
    "old": Page(
        portrait,
        (
            ("mendpix inpaint old.png old-painted.png -o old-mended.png --overlay old-doubt.png",),
            (
                "python examples/scratch_mask.py old.png -o old-proposed.png --look old-look.png",
                "mendpix inpaint old.png old-proposed.png -o old-spoilt.png --overlay old-spoilt-doubt.png",
            ),
            ("mendpix inpaint old.png old-corrected.png -o old-second.png --overlay old-second-doubt.png",),
        ),
        crop=(130, 20, 370, 260),
    ),
}
"""The illustrations by name."""


def run(command: str, folder: Path) -> str:
    """Run a command of a how-to in a folder, and return what it printed."""
    tool, *words = shlex.split(command)
    program = ["-m", "mendpix"] if tool == "mendpix" else [str(ROOT / words.pop(0))]
    done = subprocess.run([sys.executable, *program, *words], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command}\n{done.stderr.strip()}")
    return done.stdout.strip()


def row_of(command: str, folder: Path) -> list[np.ndarray]:
    """Read what a `mendpix inpaint` command read and wrote: photo, mask, result, overlay; each (H, W, 3), uint8."""
    words = shlex.split(command)
    files = [words[2], words[3], words[words.index("-o") + 1], words[words.index("--overlay") + 1]]
    return [np.asarray(Image.open(folder / file).convert("RGB")) for file in files]


def sheet(rows: Sequence[Sequence[np.ndarray]], crop: tuple[int, int, int, int] | None, shown: float) -> Image.Image:
    """Put pictures of one size side by side and below each other, white between them."""
    lines = []
    for row in rows:
        line = []
        for picture in row:
            left, top, right, bottom = crop or (0, 0, picture.shape[1], picture.shape[0])
            part = picture[top:bottom, left:right]
            if shown != 1:
                part = cv2.resize(part, None, fx=shown, fy=shown, interpolation=cv2.INTER_AREA)
            line += [part, np.full((part.shape[0], GAP_PX, 3), 255, np.uint8)]
        lines += [np.concatenate(line[:-1], axis=1)]
        lines += [np.full((GAP_PX, lines[0].shape[1], 3), 255, np.uint8)]
    return Image.fromarray(np.concatenate(lines[:-1], axis=0))


def save_small(picture: Image.Image, path: Path) -> None:
    """Write a JPEG of at most `MOST_BYTES`, as good as that allows."""
    for quality in QUALITIES:
        picture.save(path, quality=quality, optimize=True)
        if path.stat().st_size <= MOST_BYTES:
            return
    sys.exit(f"{path} must be at most {MOST_BYTES} bytes; it is larger even at quality {QUALITIES[-1]}. Crop it.")


def make_pictures(out: Path, work: Path, names: Sequence[str]) -> None:
    """Make the illustrations, and print each command with what it said."""
    for folder in (out, work):
        folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        page = PAGES[name]
        for file, picture in page.make().items():
            Image.fromarray(picture).save(work / file)
        for commands in page.rows:
            for command in commands:
                print(f"$ {command}\n{run(command, work)}\n")
        save_small(sheet([row_of(row[-1], work) for row in page.rows], page.crop, page.shown), out / f"{name}.jpg")


def case_rows(cases: Path, out: Path) -> dict[str, list[list[str]]]:
    """Say what is done to each case: name -> rows of commands, files in the folder `out`.

    A photo in `removal/` or `text/` has its mask beside it; text masks are black where to fill; old photos have none.
    """
    found: dict[str, list[list[str]]] = {}

    def inpaint(photo: Path, mask: Path | str, name: str, options: str) -> str:
        source, hole = shlex.quote(str(photo)), shlex.quote(str(mask))
        return f"mendpix inpaint {source} {hole} -o {name}.png --overlay {name}-doubt.png {options}".strip()

    for kind, ways in (
        ("removal", ("--model scenes", "", "--dilate 6")),
        ("text", ("--invert-mask", "--invert-mask --dilate 2", "--invert-mask --model exemplar")),
    ):
        for mask in sorted((cases / kind).glob("*-mask.png")):
            photo = mask.with_name(mask.name.replace("-mask", ""))
            name = f"{kind}-{photo.stem}"
            found[name] = [[inpaint(photo, mask, f"{name}-{n}", way)] for n, way in enumerate(ways, start=1)]
    for photo in sorted((cases / "old-photos").glob("*.png")):
        name = f"old-{photo.stem}"
        propose = f"python examples/scratch_mask.py {shlex.quote(str(photo))} -o {name}-scratches.png"
        ways = (" --tone light", " --tone light --length 15 --specks")
        found[name] = [
            [
                propose.replace("-scratches", f"-scratches-{n}") + way,
                inpaint(photo, f"{name}-scratches-{n}.png", f"{name}-{n}", ""),
            ]
            for n, way in enumerate(ways, start=1)
        ]
    if not found:
        sys.exit(f"{cases} must hold removal/, text/ or old-photos/ with .png files; it holds none. Check the path.")
    return found


def run_cases(cases: Path, out: Path) -> None:
    """Run the how-tos' commands over real cases, and write a sheet for each."""
    if out.resolve().is_relative_to(ROOT.resolve()):
        sys.exit(f"the results show foreign photos and must lie outside of {ROOT}; got {out}. Give another folder.")
    out.mkdir(parents=True, exist_ok=True)
    for name, rows in case_rows(cases.resolve(), out).items():
        for commands in rows:
            for command in commands:
                print(f"$ {command}\n{run(command, out)}\n")
        sheet([row_of(row[-1], out) for row in rows], None, 1).save(out / f"sheet-{name}.png")


@dataclass(frozen=True)
class Found:
    """How well the scratches of one photo were found, and what that is worth."""

    precision: float
    """Share of marked pixels within `NEAR_PX` of a scratch or speck."""
    recall: float
    """Share of scratched pixels that are marked."""
    marked: float
    """Share of the photo that is marked."""
    psnr_db: tuple[float, ...]
    """PSNR of the damaged photo, and of it mended by the proposed mask, by what is right of that, and by the painted
    mask, dB."""


def measure_scratches(photo: np.ndarray, seed: int, mend: mendpix.Inpainter) -> Found:
    """Damage a photo, propose a mask, mend it; compare with what is known.

    Args:
        photo: Grey, (H, W), uint8.
        seed: Of the damage.
        mend: What fills.
    """
    damaged, scratched, specked = damage(photo, seed)
    marked = propose(damaged)
    near = grow(scratched | specked, NEAR_PX)
    masks = (marked, marked & grow(scratched | specked, 2 * PAINTED_PX), grow(scratched | specked, PAINTED_PX))
    mended = [np.asarray(mend(damaged, mask).image) if mask.any() else damaged for mask in masks]
    return Found(
        precision=float(near[marked].mean()) if marked.any() else 1.0,
        recall=float(marked[scratched].mean()),
        marked=float(marked.mean()),
        psnr_db=tuple(cv2.PSNR(photo, picture) for picture in (damaged, *mended)),
    )


def print_scratches(photos: dict[str, np.ndarray], seeds: int) -> None:
    """Print one line per photo and the mean of all."""
    mend = mendpix.Inpainter(detector=None, threads=1)
    print(
        f"12 scratches, 60 specks, grain; {seeds} seeds a photo; a mark up to {NEAR_PX} px beside one is right;"
        f" rubbed out = without what lies more than {2 * PAINTED_PX} px away; painted = {PAINTED_PX} px over the edge\n"
    )
    print("| photo | precision | recall | marked | PSNR damaged | as proposed | rubbed out | painted |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    rows = {}
    for name, photo in photos.items():
        found = [measure_scratches(photo, seed, mend) for seed in range(seeds)]
        rows[name] = np.mean([(one.precision, one.recall, one.marked, *one.psnr_db) for one in found], axis=0)
    rows["mean"] = np.mean(list(rows.values()), axis=0)
    for name, row in rows.items():
        psnr = " | ".join(f"{value:.1f}" for value in row[3:])
        print(f"| {name} | {row[0]:.2f} | {row[1]:.2f} | {row[2]:.1%} | {psnr} |")


def photos_to_scratch(folder: Path | None) -> dict[str, np.ndarray]:
    """Read photos as grey: those of a folder, or five of scikit-image."""
    if folder is None:
        names = ("astronaut", "camera", "chelsea", "coffee", "rocket")
        pictures = {name: getattr(data, name)() for name in names}
    else:
        files = [path for path in sorted(folder.glob("*")) if path.suffix in {".jpg", ".png", ".webp"}]
        pictures = {path.name: np.asarray(Image.open(path).convert("RGB")) for path in files}
        if not pictures:
            sys.exit(f"{folder} must hold .jpg, .png or .webp files; it holds none. Check the path.")
    return {
        name: cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if picture.ndim == 3 else picture
        for name, picture in pictures.items()
    }


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks = parser.add_subparsers(dest="task", required=True)
    pictures = tasks.add_parser("pictures", help="make the illustrations of the how-tos")
    pictures.add_argument("--out", type=Path, default=ROOT / "docs" / "how-to" / "pictures")
    pictures.add_argument("--work", type=Path, help="keep photos, masks and results here (default: thrown away)")
    pictures.add_argument("--only", nargs="+", choices=list(PAGES), default=list(PAGES))
    cases = tasks.add_parser("cases", help="run the same over real cases, for looking")
    cases.add_argument("cases", type=Path, help="folder with removal/, text/, old-photos/")
    cases.add_argument("out", type=Path, help="folder outside of the checkout")
    scratches = tasks.add_parser("scratches", help="measure the proposed scratch masks on synthetic scratches")
    scratches.add_argument("--photos", type=Path, help="folder of photos (default: five of scikit-image)")
    scratches.add_argument("--seeds", type=int, default=3, help="kinds of damage for each photo")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Do one of the three tasks."""
    options = parse(arguments)
    os.environ.setdefault("PYTHONPATH", str(ROOT / "src"))
    if options.task == "pictures":
        with tempfile.TemporaryDirectory() as temporary:
            make_pictures(options.out, options.work or Path(temporary), options.only)
    elif options.task == "cases":
        run_cases(options.cases, options.out)
    else:
        print_scratches(photos_to_scratch(options.photos), options.seeds)


if __name__ == "__main__":
    main()
