"""Pictures in every mode and dtype: what models see is right, and what is known comes back bit for bit."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mendpix.errors import ImageError, OutputError, ShapeError
from mendpix.image_modes import MODES
from mendpix.images import Picture, read_picture, write_map, write_picture

HEIGHT, WIDTH = 23, 37
HOLE = np.zeros((HEIGHT, WIDTH), np.float32)
HOLE[5:14, 4:20] = 1
HOLE[20:, 30:] = 1
KNOWN = HOLE == 0


def noise(seed: int = 0, size: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    return np.random.default_rng(seed).random((*size, 3), dtype=np.float32)


def samples_of(image: Image.Image) -> np.ndarray:
    return np.array(image)


def fill(image: Image.Image, samples: np.ndarray) -> Image.Image:
    """Put samples into a Pillow image of any mode."""
    image.frombytes(np.packbits(samples, axis=1).tobytes() if image.mode == "1" else samples.tobytes())
    return image


def random_image(mode: str, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Image.Image:
    """Make a picture whose every sample is random, in any mode."""
    rng = np.random.default_rng(1)
    image = Image.new(mode, size[::-1])
    if mode in ("P", "PA"):
        image.putpalette(rng.integers(0, 256, 768).tolist())
    shape, dtype = samples_of(image).shape, samples_of(image).dtype
    if mode == "1":
        return fill(image, rng.random(shape) < 0.5)
    if mode == "F":
        return fill(image, rng.random(shape).astype(dtype))
    most = 65536 if mode.startswith("I") else 256
    return fill(image, rng.integers(0, most, shape).astype(dtype))


# ---- every Pillow mode


@pytest.mark.parametrize("mode", MODES)
def test_known_samples_are_bit_identical_in_every_mode(mode):
    image = random_image(mode)
    before = samples_of(image)
    result = read_picture(image).paste(noise(), HOLE).to_source_kind()
    after = samples_of(result)
    assert (result.mode, result.size, after.dtype) == (image.mode, image.size, before.dtype)
    assert np.array_equal(after[KNOWN], before[KNOWN])
    assert not np.array_equal(after[~KNOWN], before[~KNOWN])
    assert result.getpalette() == image.getpalette()
    assert np.array_equal(samples_of(image), before), "the caller's picture was changed"


@pytest.mark.parametrize("mode", MODES)
def test_gives_an_unfilled_picture_back_as_it_is(mode):
    image = random_image(mode)
    picture = read_picture(image)
    assert picture.paste(noise(), np.zeros_like(HOLE)) is picture
    result = picture.to_source_kind()
    assert result is not image
    assert np.array_equal(samples_of(result), samples_of(image))


@pytest.mark.parametrize(
    ("mode", "error"),
    [("RGB", 0.002), ("RGBA", 0.002), ("RGBX", 0.002), ("CMYK", 0.003), ("YCbCr", 0.009), ("LAB", 0.03), ("HSV", 0.02)],
)
def test_colour_survives_the_way_into_a_mode_and_back(mode, error):
    plain = Image.new(mode, (WIDTH, HEIGHT))
    if mode == "RGBA":
        plain.putalpha(255)
    prediction = noise() * np.float32(0.8) + np.float32(0.1)
    filled = read_picture(plain).paste(prediction, HOLE)
    assert np.abs(filled.rgb - prediction)[~KNOWN].max() < error


@pytest.mark.parametrize("mode", ["L", "LA", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"])
def test_grey_modes_take_the_luma(mode):
    filled = read_picture(random_image(mode)).paste(noise(), HOLE)
    luma = noise() @ np.float32([0.299, 0.587, 0.114])
    assert np.abs(filled.rgb[..., 1] - luma)[~KNOWN].max() < (0.003 if mode in ("L", "LA") else 2e-5)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "PA", "LA"])
def test_models_see_what_pillow_shows(mode):
    image = random_image(mode)
    shown = samples_of(image.convert("RGB")).astype(np.float32) / 255
    picture = read_picture(image)
    assert picture.rgb.dtype == np.float32
    assert (picture.height, picture.width) == (HEIGHT, WIDTH)
    assert np.abs(picture.rgb - shown).max() <= 1.01 / 255


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I;16L", "I;16N"])
def test_models_see_sixteen_bits(mode):
    image = random_image(mode)
    assert np.allclose(read_picture(image).rgb[..., 0], samples_of(image) / 65535, atol=1e-6)


def test_models_see_lab_colours():
    white, red = read_picture(
        fill(Image.new("LAB", (2, 1)), np.array([[[255, 128, 128], [136, 208, 195]]], np.uint8))
    ).rgb[0]
    assert np.allclose(white, 1, atol=1e-3)
    assert np.allclose(red, [1, 0, 0], atol=0.06)


@pytest.mark.parametrize(
    ("values", "white"),
    [([0, 100, 255], 255), ([0, 256, 60000], 65535), ([-5, 0, 15], None), ([0, 0, 70000], None), ([-3, -3, -3], None)],
)
def test_finds_the_range_of_32_bit_pictures(values, white):
    rgb = read_picture(fill(Image.new("I", (3, 1)), np.array([values], np.int32))).rgb[0, :, 0]
    low, high = (0, white) if white else (min(values), max(max(values), min(values) + 1))
    assert np.allclose(rgb, (np.array(values) - low) / (high - low))


def test_float_pictures_must_be_finite():
    with pytest.raises(ImageError, match="finite"):
        read_picture(fill(Image.new("F", (2, 1)), np.array([[0, np.nan]], np.float32)))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(1, 1), (1, 2), (1, 9), (9, 1), (2, 2)])
def test_tiny_pictures(mode, size):
    image = random_image(mode, size)
    hole = np.zeros(size, np.float32)
    hole[0, 0] = 1
    result = read_picture(image).paste(noise(0, size), hole).to_source_kind()
    assert np.array_equal(samples_of(result)[hole == 0], samples_of(image)[hole == 0])
    assert result.size == image.size


def test_soft_holes_blend():
    image = Image.new("RGB", (4, 1), (200, 100, 0))
    hole = np.array([[0, 0.25, 0.5, 1]], np.float32)
    result = samples_of(read_picture(image).paste(np.zeros((1, 4, 3), np.float32), hole).to_source_kind())
    assert result[0].tolist() == [[200, 100, 0], [150, 75, 0], [100, 50, 0], [0, 0, 0]]


def test_predictions_beyond_the_range_are_clipped():
    image = Image.new("RGB", (2, 1))
    prediction = np.array([[[-0.5, 0.5, 1.5], [9, 9, 9]]], np.float32)
    result = samples_of(read_picture(image).paste(prediction, np.array([[1, 0]], np.float32)).to_source_kind())
    assert result[0].tolist() == [[0, 128, 255], [0, 0, 0]]


# ---- palette, transparency, black ink


def test_palette_pictures_take_the_nearest_colour():
    image = Image.new("P", (WIDTH, HEIGHT))
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    prediction = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    prediction[..., 2] = 0.9
    prediction[..., 0] = 0.2
    result = read_picture(image).paste(prediction, HOLE).to_source_kind()
    assert np.array_equal(samples_of(result), (HOLE * 3).astype(np.uint8))
    assert result.getpalette() == image.getpalette()


def test_entries_beyond_a_short_palette_are_not_used():
    image = Image.new("P", (WIDTH, HEIGHT))
    image.putpalette([90, 90, 90, 200, 200, 200])
    result = samples_of(read_picture(image).paste(np.zeros((HEIGHT, WIDTH, 3), np.float32), HOLE).to_source_kind())
    assert set(np.unique(result)) == {0}  # black is nearest to grey 90, not to an entry that does not exist


@pytest.mark.parametrize("see_through", [2, bytes([255, 255, 0])])
def test_palette_pictures_stay_opaque_where_their_surroundings_are(see_through):
    image = Image.new("P", (WIDTH, HEIGHT), 1)
    image.putpalette([0, 0, 0, 255, 255, 255, 0, 200, 0])
    image.info["transparency"] = see_through
    prediction = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    prediction[..., 1] = 200 / 255  # the see-through entry's own colour
    result = read_picture(image).paste(prediction, HOLE).to_source_kind()
    assert not (samples_of(result) == 2).any()
    assert result.info["transparency"] == see_through


def test_palette_pictures_continue_transparency():
    index = np.ones((HEIGHT, WIDTH), np.uint8)
    index[:, : WIDTH // 2] = 2
    image = fill(Image.new("P", (WIDTH, HEIGHT)), index)
    image.putpalette([0, 0, 0, 255, 255, 255, 0, 200, 0])
    image.info["transparency"] = 2
    hole = np.zeros_like(HOLE)
    hole[5:14, 2:8] = 1  # amid the transparent half
    result = samples_of(read_picture(image).paste(np.ones((HEIGHT, WIDTH, 3), np.float32), hole).to_source_kind())
    assert np.array_equal(result, index)


@pytest.mark.parametrize("mode", ["LA", "RGBA", "PA", "La", "RGBa"])
def test_opaque_surroundings_make_the_hole_opaque(mode):
    image = random_image(mode)
    samples = samples_of(image)
    samples[..., -1] = np.where(KNOWN, 255, 0)  # the object was erased: transparent in the hole
    result = samples_of(read_picture(fill(image, samples)).paste(noise(), HOLE).to_source_kind())
    assert (result[..., -1] == 255).all()


def test_transparency_continues_smoothly_into_the_hole():
    ramp = np.linspace(0, 255, WIDTH).astype(np.uint8)
    samples = np.full((HEIGHT, WIDTH, 4), 90, np.uint8)
    samples[..., 3] = ramp
    samples[..., 3][~KNOWN] = 0
    result = samples_of(
        read_picture(fill(Image.new("RGBA", (WIDTH, HEIGHT)), samples)).paste(noise(), HOLE).to_source_kind()
    )
    error = np.abs(result[..., 3].astype(int) - ramp)
    assert error[KNOWN].max() == 0
    assert error[5:14, 4:20].max() < 20


def test_premultiplied_colour_follows_the_new_alpha():
    samples = np.full((HEIGHT, WIDTH, 4), 128, np.uint8)
    prediction = np.ones((HEIGHT, WIDTH, 3), np.float32)
    result = samples_of(
        read_picture(fill(Image.new("RGBa", (WIDTH, HEIGHT)), samples)).paste(prediction, HOLE).to_source_kind()
    )
    assert (result[~KNOWN] == 128).all()


def test_the_unused_plane_of_rgbx_is_kept():
    image = random_image("RGBX")
    result = samples_of(read_picture(image).paste(noise(), HOLE).to_source_kind())
    assert np.array_equal(result[..., 3], samples_of(image)[..., 3])


@pytest.mark.parametrize(("mode", "key"), [("RGB", (10, 20, 30)), ("L", 200), ("L", 255), ("I;16", 65535), ("1", 1)])
def test_filled_pixels_avoid_the_one_see_through_colour(mode, key):
    image = Image.new(mode, (WIDTH, HEIGHT))
    image.info["transparency"] = key
    high = {"I;16": 65535, "1": 1}.get(mode, 255)
    prediction = np.zeros((HEIGHT, WIDTH, 3), np.float32) + np.float32(np.array(key) / high)
    result = samples_of(read_picture(image).paste(prediction, HOLE).to_source_kind())
    wanted, got = np.array(key), result[~KNOWN].astype(int)
    distance = np.abs(got - wanted).reshape(len(got), -1).sum(axis=1)
    assert (distance == 1).all()


def test_the_see_through_colour_continues():
    samples = np.full((HEIGHT, WIDTH), 50, np.uint8)
    samples[:, :25] = 7
    image = fill(Image.new("L", (WIDTH, HEIGHT)), samples)
    image.info["transparency"] = 7
    result = samples_of(read_picture(image).paste(np.ones((HEIGHT, WIDTH, 3), np.float32), HOLE).to_source_kind())
    assert (result[5:14, 4:20] == 7).all()
    assert (result[20:, 30:] == 255).all()


def test_black_ink_is_used_as_around_the_hole():
    rich = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    rich[..., 3] = 100
    prediction = np.full((HEIGHT, WIDTH, 3), 0.4, np.float32)
    inks = samples_of(
        read_picture(fill(Image.new("CMYK", (WIDTH, HEIGHT)), rich)).paste(prediction, HOLE).to_source_kind()
    )
    assert (inks[..., 3] == 100).all()
    prediction[:] = 0.9  # as much black as before would be too dark
    inks = samples_of(
        read_picture(fill(Image.new("CMYK", (WIDTH, HEIGHT)), rich)).paste(prediction, HOLE).to_source_kind()
    )
    assert (inks[~KNOWN][:, 3] <= 26).all()


# ---- arrays


ARRAYS = [
    (dtype, shape)
    for dtype in ("u1", "u2", ">u2", "f2", "f4", "f8", ">f4", "?")
    for shape in ((), (1,), (2,), (3,), (4,))
]


@pytest.mark.parametrize(("dtype", "channels"), ARRAYS)
def test_known_samples_of_arrays_are_bit_identical(dtype, channels):
    values = np.random.default_rng(3).random((HEIGHT, WIDTH, *channels))
    array = values.astype(dtype) if dtype in ("f2", "f4", "f8", ">f4") else values > 0.5
    if "u" in dtype:
        array = (values * np.iinfo(dtype).max).astype(dtype)
    before = array.copy()
    picture = read_picture(array)
    assert picture.rgb.shape == (HEIGHT, WIDTH, 3)
    assert 0 <= picture.rgb.min() <= picture.rgb.max() <= 1
    result = picture.paste(noise(), HOLE).to_source_kind()
    assert isinstance(result, np.ndarray)
    assert (result.shape, result.dtype) == (array.shape, array.dtype)
    assert np.array_equal(result[KNOWN], before[KNOWN])
    assert not np.array_equal(result[~KNOWN], before[~KNOWN])
    assert np.array_equal(array, before), "the caller's array was changed"
    result[:] = 0  # a result belongs to the caller
    assert np.array_equal(picture.to_source_kind(), before)


def test_float_arrays_take_the_prediction_exactly():
    array = noise(5)
    result = read_picture(array).paste(noise(), HOLE).to_source_kind()
    assert np.array_equal(result[~KNOWN], noise()[~KNOWN])


def test_a_view_of_an_array_is_a_picture():
    array = noise(5)[::-1, ::2]
    hole = HOLE[:, : array.shape[1]]
    result = read_picture(array).paste(noise(0, array.shape[:2]), hole).to_source_kind()
    assert np.array_equal(result[hole == 0], array[hole == 0])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), height=st.integers(1, 12), width=st.integers(1, 12))
def test_any_hole_leaves_the_rest_alone(seed, height, width):
    rng = np.random.default_rng(seed)
    array = rng.integers(0, 256, (height, width, 4)).astype(np.uint8)
    hole = (rng.random((height, width)) < 0.4).astype(np.float32)
    result = read_picture(array).paste(noise(seed, (height, width)), hole).to_source_kind()
    assert np.array_equal(result[hole == 0], array[hole == 0])


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.zeros((3, 64, 64), np.uint8), r"\(H, W\) or \(H, W, 1 to 4\); got \(3, 64, 64\)\..*np\.moveaxis"),
        (np.zeros((1, 8, 8, 3), np.uint8), r"got \(1, 8, 8, 3\)\. Take one picture of a batch"),
        (np.zeros((0, 8, 3), np.uint8), r"at least one pixel; got shape \(0, 8, 3\)"),
        (np.zeros((8, 8), np.int64), r"got int64\. Convert 8-bit values with astype\(np\.uint8\)"),
        (np.full((8, 8), 255.0), r"in \[0, 1\]; got values from 255\.0 to 255\.0\. Divide"),
        (np.full((8, 8), np.nan), r"finite and in \[0, 1\]; got values from nan"),
        (np.full((8, 8), -0.1), r"got values from -0\.1"),
        (np.zeros((8, 8), np.complex64), r"got complex64"),
    ],
)
def test_refuses_arrays_that_are_no_pictures(array, sentence):
    with pytest.raises(ShapeError, match=sentence):
        read_picture(array)


def test_refuses_other_things():
    with pytest.raises(ImageError, match=r"a path, a Pillow image or a NumPy array; got list\."):
        read_picture([[1, 2], [3, 4]])
    with pytest.raises(ImageError, match="at least one pixel"):
        read_picture(Image.new("RGB", (0, 4)))


def test_refuses_a_closed_picture(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    image = Image.open(tmp_path / "a.png")
    image.close()
    with pytest.raises(ImageError, match="broken or closed"):
        read_picture(image)


def test_a_picture_is_read_only_and_passes_through():
    picture = read_picture(noise())
    assert read_picture(picture) is picture
    with pytest.raises(ValueError, match="read-only"):
        picture.rgb[0, 0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        picture.samples[0, 0, 0] = 1


def test_paste_refuses_what_does_not_fit():
    picture = read_picture(noise())
    with pytest.raises(ShapeError, match=r"prediction and hole must be \(23, 37, 3\) and \(23, 37\) .*got \(4, 4, 3\)"):
        picture.paste(noise(0, (4, 4)), HOLE)
    with pytest.raises(ShapeError, match=r"hole must lie in \[0, 1\]"):
        picture.paste(noise(), HOLE * 255)
    with pytest.raises(ShapeError, match="finite in the hole"):
        picture.paste(np.full_like(noise(), np.nan), HOLE)
    with pytest.raises(ShapeError, match="float32"):
        picture.paste(noise().astype(np.float64), HOLE)


def test_only_the_prediction_in_the_hole_counts():
    prediction = noise()
    prediction[KNOWN] = np.nan
    filled = read_picture(random_image("RGB")).paste(prediction, HOLE)
    assert np.array_equal(filled.rgb, read_picture(random_image("RGB")).paste(noise(), HOLE).rgb)


def test_a_picture_that_is_all_hole_keeps_its_transparency():
    image = random_image("RGBA")
    result = samples_of(read_picture(image).paste(noise(), np.ones_like(HOLE)).to_source_kind())
    assert np.array_equal(result[..., 3], samples_of(image)[..., 3])


# ---- there and back through a file


def test_a_pillow_image_keeps_its_orientation_tag():
    image = random_image("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    image.info["exif"] = exif.tobytes()
    result = read_picture(image).paste(noise(), HOLE).to_source_kind()
    assert result.size == image.size
    assert result.getexif()[0x0112] == 6


def test_writes_arrays(tmp_path):
    path = tmp_path / "array.png"
    for array, expected in (
        (samples_of(random_image("RGB")), samples_of(random_image("RGB"))),
        (samples_of(random_image("LA")), samples_of(random_image("LA"))),
        (samples_of(random_image("I;16")), samples_of(random_image("I;16"))),
        (samples_of(random_image("1")), samples_of(random_image("1"))),
        (np.float64([[0, 0.5, 1]])[..., None], np.uint8([[0, 128, 255]])),
    ):
        write_picture(array, path)
        with Image.open(path) as written:
            assert np.array_equal(samples_of(written), expected)


def test_writes_maps(tmp_path):
    write_map(np.float32([[0, 0.25, 1]]), tmp_path / "map.png")
    with Image.open(tmp_path / "map.png") as written:
        assert written.mode == "L"
        assert samples_of(written).tolist() == [[0, 64, 255]]
    with pytest.raises(ShapeError, match=r"a map must be float and \(H, W\); got float32 \(1, 3, 3\)"):
        write_map(np.zeros((1, 3, 3), np.float32), tmp_path / "map.png")
    with pytest.raises(ShapeError, match=r"in \[0, 1\]"):
        write_map(np.full((2, 2), 2, np.float32), tmp_path / "map.png")


def test_a_map_is_written_without_a_copy_in_colour(tmp_path):
    values = np.linspace(0, 1, 1_000_000, dtype=np.float32).reshape(1000, 1000)
    write_map(values, tmp_path / "map.png")
    tracemalloc.start()
    try:
        write_map(values, tmp_path / "map.png")
        assert tracemalloc.get_traced_memory()[1] < 2 * values.nbytes
    finally:
        tracemalloc.stop()


def test_writes_as_another_picture_was_stored(tmp_path):
    random_image("RGB").save(tmp_path / "photo.jpg", quality=40, subsampling=2)
    photo = read_picture(tmp_path / "photo.jpg")
    assert isinstance(photo, Picture)
    filled = photo.paste(noise(), HOLE).to_source_kind()
    assert isinstance(filled, Image.Image)
    write_picture(filled, tmp_path / "out.jpg", like=photo)
    with Image.open(tmp_path / "photo.jpg") as before, Image.open(tmp_path / "out.jpg") as after:
        assert after.quantization == before.quantization
    with pytest.raises(OutputError, match="must end in"):
        write_picture(filled, tmp_path / "out", like=photo)
