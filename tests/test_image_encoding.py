"""Every format holds what it can hold without loss, keeps the source's way of storing, and says what it cannot do."""

import numpy as np
import pytest
from PIL import Image

from mendpix.errors import OutputError
from mendpix.image_encoding import FORMATS, HOLDS
from mendpix.images import read_picture, write_picture

SIZE = (23, 37)
HOLE = np.zeros(SIZE, np.float32)
HOLE[5:14, 4:20] = 1


def noise(size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(0).random((*size, 3), dtype=np.float32)


def samples_of(image: Image.Image) -> np.ndarray:
    return np.array(image)


def random_image(mode: str, size: tuple[int, int] = SIZE) -> Image.Image:
    """Make a picture whose every sample is random, in any mode."""
    rng = np.random.default_rng(1)
    image = Image.new(mode, size[::-1])
    if mode in ("P", "PA"):
        image.putpalette(rng.integers(0, 256, 768).tolist())
    shape, dtype = samples_of(image).shape, samples_of(image).dtype
    samples = rng.integers(0, 65536 if mode.startswith("I") else 256, shape).astype(dtype)
    if mode == "1":
        samples = np.packbits(rng.random(shape) < 0.5, axis=1)
    image.frombytes(samples.tobytes())
    return image


LOSSLESS = ["png", "tif", "bmp", "tga", "jp2", "webp", "gif", "ppm"]


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_lossless_formats_keep_every_sample(tmp_path, suffix):
    kind = FORMATS[f".{suffix}"]
    for mode in HOLDS[kind]:
        image = random_image(mode)
        write_picture(image, tmp_path / f"a.{suffix}")
        written, before = read_picture(tmp_path / f"a.{suffix}"), read_picture(image)
        tolerance = 0.01 if mode == "YCbCr" else 0  # Pillow reads YCbCr files as RGB
        assert np.abs(written.rgb - before.rgb).max() <= tolerance, mode
        if written.layout.mode == mode and mode != "P":
            assert np.array_equal(written.samples, before.samples), mode


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "tga", "jp2", "webp", "gif", "ppm", "jpg", "avif"])
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBX", "PA", "LA", "I;16L", "I;16B"])
def test_a_mode_that_a_format_lacks_is_widened_or_refused_but_never_cut(tmp_path, mode, suffix):
    path = tmp_path / f"a.{suffix}"
    image = random_image(mode)
    try:
        write_picture(image, path)
    except OutputError:
        assert not path.exists()
        return
    written, before = read_picture(path), read_picture(image)
    assert np.abs(written.rgb - before.rgb).max() <= (0 if suffix in LOSSLESS else 0.15)
    has_alpha = written.layout.mode in ("LA", "RGBA", "PA")
    assert has_alpha == (mode in ("LA", "PA"))


@pytest.mark.parametrize(
    ("mode", "suffix", "way_out"),
    [
        ("RGBA", "jpg", r"JPEG cannot hold a picture of mode RGBA, which has transparency; .*Name it a\.png instead\."),
        ("LA", "jpg", r"Name it a\.png instead\."),
        ("RGBA", "gif", r"Name it a\.png instead\."),
        ("RGBA", "bmp", r"Name it a\.png instead\."),
        ("RGB", "gif", r"GIF cannot hold a picture of mode RGB; .*Name it a\.png instead\."),
        ("I;16", "jpg", r"Name it a\.png instead\."),
        ("CMYK", "png", r"PNG cannot hold a picture of mode CMYK; .*Name it a\.tif instead\."),
        ("F", "png", r"Name it a\.tif instead\."),
        ("HSV", "png", r"Convert it with convert\('RGB'\) first\."),
    ],
)
def test_says_which_format_holds_it(tmp_path, mode, suffix, way_out):
    with pytest.raises(OutputError, match=way_out):
        write_picture(random_image(mode), tmp_path / f"a.{suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["result", "result.txt", "result.heic", "result.png.bak"])
def test_unknown_suffixes_are_named(tmp_path, name):
    with pytest.raises(OutputError, match=rf"must end in one of \.png, .*got '{name}'\. Use \.png"):
        write_picture(random_image("RGB"), tmp_path / name)


def test_suffixes_in_capitals_are_known(tmp_path):
    write_picture(random_image("RGB"), tmp_path / "A.PNG")
    assert (tmp_path / "A.PNG").exists()


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_is_stored_as_it_was(tmp_path, subsampling, progressive, mode):
    options = {
        "quality": 61,
        "subsampling": subsampling,
        "progressive": progressive,
        "comment": b"hello",
        "dpi": (72, 72),
    }
    random_image(mode, (32, 48)).save(tmp_path / "a.jpg", **options)
    picture = read_picture(tmp_path / "a.jpg")
    write_picture(picture.paste(noise((32, 48)), np.eye(32, 48, dtype=np.float32)), tmp_path / "b.jpg")
    with Image.open(tmp_path / "a.jpg") as before, Image.open(tmp_path / "b.jpg") as after:
        assert after.quantization == before.quantization
        if mode == "RGB":  # the others have full resolution, whatever was asked for
            assert after.layer == before.layer  # sampling factors and tables of each component
        assert after.mode == before.mode == mode
        assert bool(after.info.get("progressive")) == progressive
        assert after.info["comment"] == b"hello"
        assert after.info["dpi"] == (72, 72)


def test_a_jpeg_from_elsewhere_has_quality_95_and_full_colour(tmp_path):
    write_picture(random_image("RGB"), tmp_path / "a.jpg")
    random_image("RGB").save(tmp_path / "expected.jpg", quality=95, subsampling=0)
    with Image.open(tmp_path / "a.jpg") as written, Image.open(tmp_path / "expected.jpg") as expected:
        assert written.quantization == expected.quantization
        assert written.layer == expected.layer


def test_metadata_too_long_for_a_jpeg_is_left_out(tmp_path):
    image = random_image("RGB")
    exif = Image.Exif()
    exif[0x010E] = "x" * 70_000
    image.save(tmp_path / "a.png", exif=exif)
    write_picture(read_picture(tmp_path / "a.png"), tmp_path / "b.jpg")
    with Image.open(tmp_path / "b.jpg") as written:
        assert not written.getexif()


@pytest.mark.parametrize("lossless", [True, False])
def test_webp_stays_lossless_or_lossy(tmp_path, lossless):
    random_image("RGBA", (64, 64)).save(tmp_path / "a.webp", lossless=lossless, exact=True)
    picture = read_picture(tmp_path / "a.webp")
    assert picture.facts.lossy is not lossless
    write_picture(picture, tmp_path / "b.webp")
    data = (tmp_path / "b.webp").read_bytes()
    assert (b"VP8L" in data) is lossless
    if lossless:
        assert np.array_equal(read_picture(tmp_path / "b.webp").samples, picture.samples)


@pytest.mark.parametrize(
    ("mode", "compression", "kept"),
    [
        ("RGB", "tiff_lzw", "tiff_lzw"),
        ("RGB", "raw", "raw"),
        ("1", "group4", "group4"),
        ("RGB", "jpeg", "tiff_adobe_deflate"),
    ],
)
def test_tiff_keeps_its_lossless_compression(tmp_path, mode, compression, kept):
    random_image(mode).save(tmp_path / "a.tif", compression=compression)
    picture = read_picture(tmp_path / "a.tif")
    write_picture(picture, tmp_path / "b.tif")
    with Image.open(tmp_path / "b.tif") as written:
        assert written.info["compression"] == kept
        assert np.array_equal(samples_of(written), picture.samples)


def test_grey_profiles_stay_out_of_coloured_files(tmp_path):
    grey = b"\x00" * 16 + b"GRAY" + b"\x00" * 108
    image = random_image("L")
    image.info["icc_profile"] = grey
    for suffix, expected in (("png", grey), ("webp", None)):
        write_picture(image, tmp_path / f"a.{suffix}")
        with Image.open(tmp_path / f"a.{suffix}") as written:
            assert written.info.get("icc_profile") == expected


@pytest.mark.parametrize("see_through", [3, bytes([255, 0, 100])])
@pytest.mark.parametrize("suffix", ["png", "gif", "webp", "tif", "jpg"])
def test_transparent_palettes_are_kept_widened_or_refused(tmp_path, see_through, suffix):
    image = random_image("P")
    image.info["transparency"] = see_through
    path = tmp_path / f"a.{suffix}"
    if suffix == "jpg" or (suffix == "gif" and isinstance(see_through, bytes)):
        with pytest.raises(OutputError, match="which has transparency"):
            write_picture(image, path)
        return
    write_picture(image, path)
    with Image.open(path) as written:
        assert np.array_equal(samples_of(written.convert("RGBA"))[..., 3], samples_of(image.convert("RGBA"))[..., 3])


def test_a_filled_gif_and_png_keep_their_palette(tmp_path):
    for suffix in ("gif", "png"):
        image = random_image("P")
        image.save(tmp_path / f"a.{suffix}")
        picture = read_picture(tmp_path / f"a.{suffix}")
        write_picture(picture.paste(noise(), HOLE), tmp_path / f"b.{suffix}")
        written = read_picture(tmp_path / f"b.{suffix}")
        assert np.array_equal(written.rgb[HOLE == 0], picture.rgb[HOLE == 0])


def test_sixteen_bit_grey_makes_the_whole_way(tmp_path):
    for suffix in ("png", "tif"):
        random_image("I;16").save(tmp_path / f"a.{suffix}")
        picture = read_picture(tmp_path / f"a.{suffix}")
        write_picture(picture.paste(noise(), HOLE), tmp_path / f"b.{suffix}")
        written = read_picture(tmp_path / f"b.{suffix}")
        assert written.layout.mode == "I;16"
        assert np.array_equal(written.samples[HOLE == 0], picture.samples[HOLE == 0])
