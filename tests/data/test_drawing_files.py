"""Folders of drawings: names in order, every kind and size of picture, strictness."""

import numpy as np
import pytest
from PIL import Image

from mendpix.data.drawing_files import DrawingFolder, as_drawing
from mendpix.data.drawings import Imitations
from mendpix.errors import DataError, ImageError

PAPER = Imitations(1).read(0)
"""A drawing, 0 and 255."""


def save(folder, name, picture=None):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    (Image.fromarray(PAPER) if picture is None else picture).save(path)
    return path


def test_names_are_relative_sorted_and_only_those_of_pictures(tmp_path):
    for name in ("b.png", "a.PNG", "sub/c.bmp", "sub/.d.png", ".hidden/e.png"):
        save(tmp_path, name)
    (tmp_path / "README.md").write_text("no drawing")
    drawings = DrawingFolder(tmp_path)
    assert drawings.names == ("a.PNG", "b.png", "sub/c.bmp")
    assert all(np.array_equal(drawings.read(index), PAPER) for index in range(3))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16"])
def test_every_mode_reads_the_same(tmp_path, mode):
    if mode == "I;16":
        picture = Image.fromarray(PAPER.astype(np.uint16) * 257)
    else:
        picture = Image.fromarray(PAPER).convert("RGB").convert(mode)
    save(tmp_path, "a.tif", picture)
    assert np.array_equal(DrawingFolder(tmp_path).read(0), PAPER)


def test_sixteen_bit_colour_is_read(tmp_path):
    assert np.array_equal(as_drawing(np.repeat(PAPER.astype(np.uint16)[..., None] * 257, 3, axis=2), "a"), PAPER)
    see_through = np.zeros((512, 512, 4), np.uint16)
    see_through[..., 3] = (255 - PAPER.astype(np.uint16)) * 257
    assert np.array_equal(as_drawing(see_through, "a"), PAPER)


@pytest.mark.parametrize("invert", [False, True])
def test_what_is_see_through_is_paper(tmp_path, invert):
    ink = np.full((512, 512, 4), 255 if invert else 0, np.uint8)
    ink[..., 3] = 255 - PAPER
    save(tmp_path, "a.png", Image.fromarray(ink))
    assert np.array_equal(DrawingFolder(tmp_path, invert=invert).read(0), PAPER)


def test_white_on_black_is_inverted_on_request(tmp_path):
    save(tmp_path, "a.png", Image.fromarray(255 - PAPER))
    assert np.array_equal(DrawingFolder(tmp_path, invert=True).read(0), PAPER)


@pytest.mark.parametrize("side", [128, 256, 1024])
def test_squares_are_scaled(tmp_path, side):
    save(tmp_path, "a.png", Image.fromarray(PAPER).resize((side, side), Image.Resampling.BOX))
    read = DrawingFolder(tmp_path).read(0)
    assert read.shape == (512, 512)
    assert ((read < 128) != (PAPER < 128)).mean() < 0.03
    assert read.mean() == pytest.approx(PAPER.mean(), abs=3)


@pytest.mark.parametrize(("height", "width"), [(512, 300), (200, 400)])
def test_oblongs_lie_in_the_middle_of_a_white_square_undistorted(tmp_path, height, width):
    canvas = np.full((height, width), 255, np.uint8)
    canvas[height // 2 - 20 : height // 2 + 20, width // 2 - 20 : width // 2 + 20] = 0
    save(tmp_path, "a.png", Image.fromarray(canvas))
    read = DrawingFolder(tmp_path).read(0)
    rows, columns = np.nonzero(read < 128)
    assert np.ptp(rows) == pytest.approx(np.ptp(columns), abs=1)
    assert np.ptp(rows) + 1 == pytest.approx(40 * 512 / max(height, width), abs=1)
    assert (rows.mean(), columns.mean()) == (pytest.approx(256, abs=2), pytest.approx(256, abs=2))
    assert read[0, 0] == read[-1, -1] == 255


def test_photos_are_refused_by_name(tmp_path):
    save(tmp_path, "cat.png", Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)))
    with pytest.raises(DataError, match=r"cat\.png should be dark strokes on white, but \d+% of its pixels are grey"):
        DrawingFolder(tmp_path).read(0)


def test_floating_point_pictures_are_refused_by_name(tmp_path):
    save(tmp_path, "a.tif", Image.fromarray(PAPER.astype(np.float32)))
    with pytest.raises(DataError, match=r"a\.tif should have whole samples"):
        DrawingFolder(tmp_path).read(0)


def test_broken_and_missing_files_are_named(tmp_path):
    path = save(tmp_path, "a.png")
    path.write_bytes(path.read_bytes()[:300])
    drawings = DrawingFolder(tmp_path)
    with pytest.raises(ImageError, match=r"a\.png"):
        drawings.read(0)
    path.unlink()
    with pytest.raises(ImageError, match=r"a\.png"):
        drawings.read(0)


def test_missing_and_empty_folders_are_named(tmp_path):
    with pytest.raises(DataError, match="no such folder is there"):
        DrawingFolder(tmp_path / "missing")
    with pytest.raises(DataError, match=r"holds no drawing; drawings end in \.bmp"):
        DrawingFolder(tmp_path)


def test_drawings_whose_masks_would_have_one_name_are_refused(tmp_path):
    save(tmp_path, "a.jpg")
    save(tmp_path, "a.jpg.png")
    with pytest.raises(DataError, match=r"a\.jpg and a\.jpg\.png .* rename one"):
        DrawingFolder(tmp_path)


def test_facts_change_with_the_names_but_not_with_the_place(tmp_path):
    for folder, names in (("x", ("a.png", "b.png")), ("y", ("a.png", "b.png")), ("z", ("a.png", "c.png"))):
        for name in names:
            save(tmp_path / folder, name)
    x, y, z = (DrawingFolder(tmp_path / folder).facts() for folder in "xyz")
    assert x == y != z
    assert DrawingFolder(tmp_path / "x", invert=True).facts() != x
