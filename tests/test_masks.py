"""Masks: one threshold, one polarity, and a photo is none."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from mendpix.errors import ImageError, MaskError, ShapeError
from mendpix.masks import binarise, components, dilate, feather, hole_share, read_excluded, read_mask, resize_hole

SIZE = (64, 96)
CASES = Path(__file__).resolve().parents[2] / "shared" / "cases"


def square(value: int = 255) -> np.ndarray:
    mask = np.zeros(SIZE, np.uint8)
    mask[20:40, 30:60] = value
    return mask


EXPECTED = (square() > 0).astype(np.float32)


def photo(channels: int, sigma: float = 3, size: tuple[int, int] = (256, 256)) -> np.ndarray:
    """Draw smooth noise over shapes: greys, slopes, peaks and pits as a photo has them."""
    noise = np.random.default_rng(7).random((*size, channels), dtype=np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), sigma).reshape(*size, channels)
    smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    smooth[size[0] // 3 :, : size[1] // 2] *= 0.4
    return (smooth * 255).astype(np.uint8)


def jpeg(mask: np.ndarray, quality: int) -> Image.Image:
    stream = io.BytesIO()
    Image.fromarray(mask).save(stream, "JPEG", quality=quality)
    return Image.open(stream)


def accepted(mask) -> np.ndarray:
    size = (mask.height, mask.width) if isinstance(mask, Image.Image) else mask.shape[:2]
    hole = read_mask(mask, size)
    assert hole.dtype == np.float32
    assert set(np.unique(hole)) == {0, 1}
    return hole


# ---- what a mask can come as


@pytest.mark.parametrize(
    "mask",
    [
        pytest.param(square() > 0, id="bool"),
        pytest.param(square(), id="uint8"),
        pytest.param(square(1), id="uint8 of 0 and 1"),
        pytest.param(square(1).astype(np.int64), id="int64 of 0 and 1"),
        pytest.param(square().astype(np.int32), id="int32 of 0 and 255"),
        pytest.param(square().astype(np.uint16) * 257, id="uint16"),
        pytest.param(square(1).astype(np.float64), id="float64"),
        pytest.param(square(1).astype(np.float16), id="float16"),
        pytest.param(square()[..., None], id="(H, W, 1)"),
        pytest.param(square()[None], id="(1, H, W)"),
        pytest.param(np.stack([square(), square() * 0, square() * 0], axis=-1), id="red"),
        pytest.param(np.stack([square()] * 3 + [square()], axis=-1), id="RGBA"),
        pytest.param(np.stack([np.full_like(square(), 255)] * 3 + [square()], axis=-1), id="alpha alone"),
        pytest.param(np.asfortranarray(square()), id="other memory order"),
    ],
)
def test_reads_arrays(mask):
    before = mask.copy()
    assert np.array_equal(read_mask(mask, SIZE), EXPECTED)
    assert np.array_equal(mask, before)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "I;16", "I", "F", "PA", "YCbCr"])
def test_reads_every_mode(mode):
    if mode == "I;16":
        image = Image.fromarray(square().astype(np.uint16) * 257)
    else:
        image = Image.fromarray(square()).convert(mode)
    assert image.mode == mode
    assert np.array_equal(read_mask(image, SIZE), EXPECTED)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "gif", "webp", "jpg"])
def test_reads_files(tmp_path, suffix):
    path = tmp_path / f"mask.{suffix}"
    Image.fromarray(square()).save(path)
    assert np.array_equal(read_mask(path, SIZE), EXPECTED)
    assert np.array_equal(read_mask(str(path), SIZE, invert=True), 1 - EXPECTED)


def test_turns_a_file_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(square()).save(tmp_path / "mask.png", exif=exif)
    assert np.array_equal(read_mask(tmp_path / "mask.png", SIZE[::-1]), np.rot90(EXPECTED, -1))


def test_label_pictures_count(tmp_path):
    Image.fromarray(square(1)).save(tmp_path / "labels.png")
    assert np.array_equal(read_mask(tmp_path / "labels.png", SIZE), EXPECTED)


def test_threshold_is_a_half():
    steps = np.array([[0, 127, 128, 255]], np.uint8)
    assert read_mask(steps, (1, 4)).tolist() == [[0, 0, 1, 1]]
    assert binarise(np.array([[0.49, 0.5]], np.float32)).tolist() == [[0, 1]]
    assert binarise(np.array([[32767, 32768]], np.uint16)).tolist() == [[0, 1]]


def test_grows_on_reading():
    hole = read_mask(square(), SIZE, dilate_px=2)
    assert np.array_equal(hole, dilate(EXPECTED, 2))
    assert hole.sum() > EXPECTED.sum()


# ---- what is no mask


def test_says_both_sizes():
    with pytest.raises(MaskError, match=r"size of its picture, 50 × 40 \(width × height\); got 96 × 64\. Make it"):
        read_mask(square(), (40, 50))


def test_names_the_orientation_when_the_sides_are_swapped():
    with pytest.raises(MaskError, match=r"got 96 × 64\. It has the size .* EXIF orientation .*upright picture"):
        read_mask(square(), SIZE[::-1])


@pytest.mark.parametrize(
    ("mask", "options", "sentence"),
    [
        (
            square(0),
            {},
            r"must have white pixels .*; got none \(the brightest is 0% white\).*take black .*invert_mask=True",
        ),
        (square(100), {}, r"brightest is 39% white"),
        (square(0) + np.uint8(255), {"invert": True}, r"must have black pixels .*darkest is 100% white"),
        (square(0) + np.uint8(255), {}, r"leave some of the picture known; got one that is all hole.*invert_mask=True"),
        (square(), {"dilate_px": 200}, r"grown by 200 px it covers all"),
        (np.full(SIZE, np.nan, np.float32), {}, r"finite values; got NaN or infinity"),
    ],
)
def test_says_what_is_wrong_with_a_mask(mask, options, sentence):
    with pytest.raises(MaskError, match=sentence):
        read_mask(mask, SIZE, **options)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1)])
def test_tiny_masks(size):
    mask = np.zeros(size, np.uint8)
    mask.flat[0] = 255
    if size == (1, 1):
        with pytest.raises(MaskError, match="all hole"):
            read_mask(mask, size)
    else:
        assert read_mask(mask, size).sum() == 1


def test_refuses_arrays_that_are_neither_plane_nor_picture():
    with pytest.raises(ShapeError, match=r"\(2, 64, 96\)"):
        read_mask(np.stack([square(), square()]), SIZE)
    with pytest.raises(ShapeError, match=r"in \[0, 1\]; got values from 0\.0 to 255\.0"):
        read_mask(square().astype(np.float32), SIZE)


def test_names_the_mask_when_its_file_is_missing(tmp_path):
    with pytest.raises(ImageError, match=r"the mask cannot be used: .*nothing\.png"):
        read_mask(tmp_path / "nothing.png", SIZE)


# ---- a photo is no mask


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("sigma", [1, 3, 8])
@pytest.mark.parametrize("quality", [None, 60])
def test_a_photo_is_no_mask(channels, sigma, quality):
    mask = photo(channels, sigma).squeeze()
    with pytest.raises(MaskError, match="looks like a photo"):
        read_mask(mask if quality is None else jpeg(mask, quality), (256, 256))


def test_a_large_dark_photo_is_no_mask():
    mask = photo(3, 4, (600, 1100))
    mask[:250] = 3
    with pytest.raises(MaskError, match="looks like a photo"):
        read_mask(mask, (600, 1100))


def test_a_dark_photo_is_no_mask():
    mask = photo(3, 2)
    mask[:110] = 3  # a night sky
    with pytest.raises(MaskError, match="looks like a photo"):
        read_mask(mask, (256, 256))


@pytest.mark.parametrize("side", [16, 64, 256])
def test_accepts_smooth_edges(side):
    big = Image.new("L", (side * 8, side * 8))
    ImageDraw.Draw(big).ellipse((side, side, 6 * side, 6 * side), fill=255)
    mask = np.asarray(big.resize((side, side), Image.Resampling.BOX))
    assert np.isclose(hole_share(accepted(mask)), np.pi * (2.5 / 8) ** 2, atol=0.01)


@pytest.mark.parametrize("quality", [10, 40, 75])
@pytest.mark.parametrize("height", [10, 24, 60])
def test_accepts_compressed_text(quality, height):
    page = Image.new("L", (256, 256))
    font = ImageFont.load_default(height)
    for row in range(0, 256, int(height * 1.1)):
        ImageDraw.Draw(page).text((2, row), "Sphinx of black quartz, judge my vow" * 4, font=font, fill=255)
    plain = np.asarray(page)
    hole = accepted(jpeg(plain, quality))
    assert (hole == binarise(plain)).mean() > 0.9


@pytest.mark.parametrize("sigma", [10, 20, 40, 60])
@pytest.mark.parametrize("dabs", [1, 3, 10])
def test_accepts_soft_brushes(sigma, dabs):
    rng = np.random.default_rng(sigma + dabs)
    rows, columns = np.mgrid[:256, :256]
    mask = np.zeros((256, 256))
    for row, column in rng.uniform(30, 226, (dabs, 2)):
        mask = np.maximum(mask, np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 2 / sigma**2))
    accepted((mask * 255).astype(np.uint8))
    accepted(jpeg((mask * 255).astype(np.uint8), 50))


def test_accepts_soft_strokes():
    mask = np.zeros((512, 512), np.uint8)
    rng = np.random.default_rng(0)
    for _ in range(12):
        points = (np.cumsum(rng.normal(0, 60, (6, 2)), axis=0) + 256).astype(np.int32)
        cv2.polylines(mask, [points.reshape(-1, 1, 2)], False, 255, 12)
    accepted(cv2.GaussianBlur(mask, (0, 0), 5))


@pytest.mark.shared
@pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not here")
def test_masks_and_photos_as_people_bring_them():
    pairs = [(path, Path(str(path).replace("-mask", ""))) for path in sorted(CASES.glob("*/*-mask.png"))]
    assert len(pairs) >= 6
    for mask, photograph in pairs:
        with Image.open(photograph) as image:
            size = (image.height, image.width)
        assert 0 < hole_share(read_mask(mask, size, invert=mask.parent.name == "text")) < 0.6
        with pytest.raises(MaskError, match="looks like a photo"):
            read_mask(photograph, size)


# ---- shaping holes


def test_dilates_by_a_disc():
    hole = np.zeros((21, 21), np.float32)
    hole[10, 10] = 1
    rows, columns = np.mgrid[:21, :21] - 10
    assert np.array_equal(dilate(hole, 5), (rows**2 + columns**2 <= 25).astype(np.float32))
    assert np.array_equal(dilate(hole, 0), hole)
    assert not dilate(np.zeros((4, 4), np.float32), 3).any()
    with pytest.raises(ShapeError, match="got -1"):
        dilate(hole, -1)


def test_feathers_outwards_only():
    hole = np.zeros((9, 31), np.float32)
    hole[:, :11] = 1
    soft = feather(hole, 8)
    assert np.array_equal(soft[hole == 1], hole[hole == 1])
    assert not soft[:, 18:].any()
    assert (np.diff(soft[4, 10:19]) < 0).all()
    assert np.isclose(soft[4, 14], 0.5)
    assert np.array_equal(feather(hole, 0), hole)
    with pytest.raises(ShapeError, match="got -1"):
        feather(hole, -1)


def test_measures_share_and_pieces():
    hole = np.zeros((40, 50), np.float32)
    hole[2:9, 3:10] = 1  # 7 x 7
    hole[20:21, 5:45] = 1  # a scratch
    hole[30, 5] = hole[31, 6] = 1  # corners connect
    assert hole_share(hole) == (49 + 40 + 2) / 2000
    square_piece, scratch, corner = components(hole)
    assert (square_piece.top, square_piece.left, square_piece.height, square_piece.width) == (2, 3, 7, 7)
    assert (square_piece.area_px, square_piece.thickness_px) == (49, 7)
    assert (scratch.area_px, scratch.thickness_px) == (40, 1)
    assert corner.area_px == 2
    assert hole[scratch.box].all()
    assert components(np.zeros((3, 3), np.float32)) == ()


def test_thickness_ignores_the_border_of_the_picture():
    hole = np.zeros((20, 40), np.float32)
    hole[:, :10] = 1
    assert components(hole)[0].thickness_px == 19  # ten pixels deep, and nothing known on the other side
    assert components(np.ones((3, 4), np.float32))[0].area_px == 12


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_hole_vanishes_when_it_is_resized(data):
    height, width = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    size = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    row, column = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    hole = np.zeros((height, width), np.float32)
    hole[row, column] = 1
    resized = resize_hole(hole, size)
    assert resized.shape == size
    assert set(np.unique(resized)) <= {0, 1}
    rows, columns = np.nonzero(resized)
    # It covers all of where the pixel went, and reaches less than a new pixel beyond.
    assert rows[0] <= row * size[0] / height
    assert (row + 1) * size[0] / height <= rows[-1] + 1 < (row + 1) * size[0] / height + 1 + 1e-9
    assert columns[0] <= column * size[1] / width
    assert (column + 1) * size[1] / width <= columns[-1] + 1 < (column + 1) * size[1] / width + 1 + 1e-9


def test_resizing_to_the_same_size_changes_nothing():
    assert np.array_equal(resize_hole(EXPECTED, SIZE), EXPECTED)
    assert not np.shares_memory(resize_hole(EXPECTED, SIZE), EXPECTED)


def test_binarise_refuses_what_is_no_plane():
    with pytest.raises(ShapeError, match=r"must be \(H, W\); got \(2, 2, 2\)"):
        binarise(np.zeros((2, 2, 2)))
    assert binarise(np.array([[True, False]])).tolist() == [[1, 0]]
    with pytest.raises(ShapeError, match="got int64"):
        binarise(np.zeros((2, 2), np.int64))
    with pytest.raises(ShapeError, match=r"got values from 0\.0 to 255\.0"):
        binarise(np.array([[0.0, 255.0]]))


def test_what_is_excluded_is_read_like_a_hole_but_may_be_nothing():
    plane = np.zeros((20, 30), np.uint8)
    plane[:5] = 255
    assert np.array_equal(read_excluded(plane, (20, 30)), (plane > 0).astype(np.float32))
    assert not read_excluded(np.zeros((20, 30), bool), (20, 30)).any()
    assert read_excluded(np.ones((20, 30), bool), (20, 30)).all()
    with pytest.raises(MaskError, match="what is excluded must have the size of its picture"):
        read_excluded(plane, (30, 20))
    noise = np.random.default_rng(0).random((64, 64, 3))
    with pytest.raises(MaskError, match="what is excluded must be a black and white mask"):
        read_excluded(noise, (64, 64))


@pytest.mark.parametrize(("read", "name"), [(read_mask, "the mask"), (read_excluded, "what is excluded")])
@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        (np.zeros((5, 5), bool), MaskError, "must have the size of its picture"),
        (np.full((8, 8), np.nan), MaskError, "must have finite values"),
        (np.full((8, 8), 7.0), ShapeError, "cannot be used: a float picture"),
        ("none.png", ImageError, "cannot be used: .*none.png"),
    ],
)
def test_errors_say_which_of_two_masks_is_meant(read, name, source, error, words):
    with pytest.raises(error, match=f"^{name} {words}"):
        read(source, (8, 8))
