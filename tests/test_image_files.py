"""Files are read upright, whole, and with all that belongs to them."""

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from mendpix import image_files
from mendpix.errors import ImageError
from mendpix.images import read_picture, write_picture

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ARROW = np.zeros((4, 6, 3), np.uint8)
ARROW[0, :3] = 255, 0, 0
ARROW[3, 5] = 0, 0, 255


def exif_bytes(orientation: int = 1, thumbnail: bytes = b"") -> bytes:
    """Make an EXIF block by hand, with a thumbnail in its second directory."""
    maker = b"Camera\x00"
    first = struct.pack("<HHHIHH", 2, 0x0112, 3, 1, orientation, 0) + struct.pack(
        "<HHII", 0x010F, 2, len(maker), 8 + 2 + 24 + 4
    )
    second_at = 8 + 2 + 24 + 4 + len(maker)
    block = b"II*\x00" + struct.pack("<I", 8) + first + struct.pack("<I", second_at if thumbnail else 0) + maker
    if thumbnail:
        at = second_at + 2 + 24 + 4
        block += (
            struct.pack("<HHHIIHHII", 2, 0x0201, 4, 1, at, 0x0202, 4, 1, len(thumbnail))
            + struct.pack("<I", 0)
            + thumbnail
        )
    return b"Exif\x00\x00" + block


def stored(orientation: int) -> np.ndarray:
    """Turn `ARROW` to how a camera that was held in this orientation would store it."""
    return {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        8: lambda a: np.rot90(a, -1),
    }[orientation](ARROW)


# ---- upright


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 8])
@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_turns_a_picture_upright_and_says_so(tmp_path, orientation, suffix):
    path = tmp_path / f"photo.{suffix}"
    exif = Image.Exif()
    exif.load(exif_bytes(orientation))
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(np.ascontiguousarray(stored(orientation))).save(path, exif=exif, **options)
    picture = read_picture(path)
    assert np.array_equal(picture.samples, ARROW)
    write_picture(picture, tmp_path / f"out.{suffix}")
    with Image.open(tmp_path / f"out.{suffix}") as written:
        assert np.array_equal(np.asarray(written), ARROW)
        assert written.getexif().get(0x0112, 1) == 1
        assert written.getexif()[0x010F] == "Camera"
    again = read_picture(tmp_path / f"out.{suffix}")
    assert np.array_equal(again.samples, ARROW)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "I;16"])
def test_turns_every_mode(tmp_path, mode):
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (4, 6, 3)).astype(np.uint8)).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.fromarray(rng.integers(0, 65536, (4, 6)).astype(np.uint16))
    image.save(tmp_path / "a.png", exif=exif_bytes(6))
    picture = read_picture(tmp_path / "a.png")
    assert picture.layout.mode == mode
    assert np.array_equal(picture.samples, np.rot90(np.asarray(image), -1))


def test_orientation_7_is_the_other_diagonal(tmp_path):
    Image.fromarray(np.ascontiguousarray(ARROW)).save(tmp_path / "a.png", exif=exif_bytes(7))
    assert np.array_equal(read_picture(tmp_path / "a.png").samples, ARROW[::-1, ::-1].swapaxes(0, 1))


def test_xmp_says_upright_too(tmp_path):
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    Image.fromarray(ARROW).save(tmp_path / "a.jpg", exif=exif_bytes(6), xmp=xmp)
    facts = read_picture(tmp_path / "a.jpg").facts
    assert b'tiff:Orientation="1"' in facts.xmp


def test_resolution_turns_with_the_picture(tmp_path):
    Image.fromarray(ARROW).save(tmp_path / "a.jpg", exif=exif_bytes(6), dpi=(300, 200))
    assert read_picture(tmp_path / "a.jpg").facts.dpi == (200, 300)


def test_the_thumbnail_goes_since_it_shows_what_was_removed(tmp_path):
    Image.fromarray(ARROW).save(tmp_path / "a.jpg", exif=exif_bytes(1, b"THUMBNAIL"))
    assert b"THUMBNAIL" in (tmp_path / "a.jpg").read_bytes()
    picture = read_picture(tmp_path / "a.jpg")
    write_picture(picture, tmp_path / "b.jpg")
    assert b"THUMBNAIL" not in (tmp_path / "b.jpg").read_bytes()
    assert b"Camera" in (tmp_path / "b.jpg").read_bytes()
    assert b"THUMBNAIL" not in picture.to_source_kind().info["exif"]


def test_a_broken_exif_block_takes_nothing_from_the_picture(tmp_path):
    Image.fromarray(ARROW).save(tmp_path / "a.png", exif=b"Exif\x00\x00nonsense")
    assert np.array_equal(read_picture(tmp_path / "a.png").samples, ARROW)


# ---- what belongs to the picture


@pytest.mark.parametrize("target", ["png", "jpg", "webp", "tif", "avif"])
@pytest.mark.parametrize("source", ["png", "jpg", "webp", "tif"])
def test_metadata_goes_along(tmp_path, source, target):
    xmp = b"<x:xmpmeta>note</x:xmpmeta>"
    options = {"icc_profile": PROFILE, "exif": exif_bytes(), "dpi": (300, 300)}
    if source in ("jpg", "webp"):
        options["xmp"] = xmp
    Image.fromarray(ARROW).save(tmp_path / f"a.{source}", **options)
    write_picture(read_picture(tmp_path / f"a.{source}"), tmp_path / f"b.{target}")
    with Image.open(tmp_path / f"b.{target}") as written:
        written.load()
        assert written.info["icc_profile"] == PROFILE
        assert written.getexif()[0x010F] == "Camera"
        if source != "webp" and target in ("png", "jpg", "tif"):
            assert np.allclose([float(value) for value in written.info["dpi"]], 300, atol=0.1)
        if source in ("jpg", "webp"):
            found = written.info.get("xmp") or written.info["XML:com.adobe.xmp"]
            assert xmp in (found.encode() if isinstance(found, str) else found)


def test_png_keeps_texts_and_colour_chunks(tmp_path):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Author", "Somebody")
    info.add_itxt("Title", "Übung – 絵", "de", "Titel")
    info.add(b"gAMA", struct.pack(">I", 45455))
    info.add(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))
    info.add(b"sRGB", b"\x01")
    Image.fromarray(ARROW).save(tmp_path / "a.png", pnginfo=info)
    write_picture(read_picture(tmp_path / "a.png"), tmp_path / "b.png")
    with Image.open(tmp_path / "a.png") as before, Image.open(tmp_path / "b.png") as after:
        assert after.text == before.text == {"Author": "Somebody", "Title": "Übung – 絵"}
        for name in ("gamma", "chromaticity", "srgb"):
            assert after.info[name] == before.info[name]


def test_exif_that_an_old_program_hid_in_a_png_text(tmp_path):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    block = exif_bytes(6)
    info.add_text("Raw profile type exif", f"\nexif\n{len(block):8}\n{block.hex()}\n")
    Image.fromarray(ARROW).save(tmp_path / "a.png", pnginfo=info)
    picture = read_picture(tmp_path / "a.png")
    assert picture.samples.shape == (6, 4, 3)
    write_picture(picture, tmp_path / "b.png")
    assert read_picture(tmp_path / "b.png").samples.shape == (6, 4, 3)


def test_cmyk_jpeg_comes_back_with_the_same_inks(tmp_path):
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[:, :8] = 10, 200, 30, 40
    inks[:, 8:] = 220, 20, 100, 0
    Image.frombytes("CMYK", (16, 16), inks.tobytes()).save(
        tmp_path / "a.jpg", quality=98
    )  # stored inverted, as Adobe does
    picture = read_picture(tmp_path / "a.jpg")
    assert picture.layout.mode == "CMYK"
    assert np.abs(picture.samples.astype(int) - inks).max() <= 3
    assert picture.rgb[0, 0, 1] < 0.3 < picture.rgb[0, 0, 0]
    hole = np.zeros((16, 16), np.float32)
    hole[4:8, 2:6] = 1
    filled = picture.paste(picture.rgb.copy(), hole)
    assert np.array_equal(filled.samples[hole == 0], picture.samples[hole == 0])
    write_picture(filled, tmp_path / "b.jpg")
    assert np.abs(read_picture(tmp_path / "b.jpg").samples.astype(int) - picture.samples).max() <= 4


# ---- what cannot be read


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "gif", "bmp"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9])
def test_a_file_cut_short_is_named(tmp_path, suffix, share):
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    Image.fromarray(noise).save(stream, {"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix))
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(stream.getvalue()[: int(len(stream.getvalue()) * share)])
    with pytest.raises(ImageError, match=rf"cut\.{suffix}"):
        read_picture(path)


def test_broken_files_raise_nothing_else(tmp_path):
    good = io.BytesIO()
    Image.fromarray(ARROW).save(good, "png")
    rng = np.random.default_rng(0)
    for number in range(60):
        data = bytearray(good.getvalue())
        for position in rng.integers(8, len(data), 4):
            data[position] = rng.integers(0, 256)
        path = tmp_path / f"broken{number}.png"
        path.write_bytes(bytes(data))
        with contextlib.suppress(ImageError):  # and no other error; some damage does not show
            read_picture(path)


def test_what_is_no_picture_is_named(tmp_path):
    (tmp_path / "notes.png").write_text("not a picture")
    with pytest.raises(ImageError, match=r"expected in .*notes\.png; its content is of no known format\. Save it as"):
        read_picture(tmp_path / "notes.png")
    with pytest.raises(ImageError, match=r"expected at .*nothing\.png; there is no such file\. Check the path"):
        read_picture(tmp_path / "nothing.png")
    with pytest.raises(ImageError, match=r"it is a folder\. Name a file in it"):
        read_picture(tmp_path)


def test_drawings_are_not_handed_to_other_programs(tmp_path):
    Image.fromarray(ARROW).save(tmp_path / "drawing.eps")
    with pytest.raises(ImageError, match=r"drawing\.eps; it is a drawing \(EPS\)\. Export it as PNG"):
        read_picture(tmp_path / "drawing.eps")


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_animations_are_no_single_picture(tmp_path, suffix):
    frames = [Image.fromarray(np.roll(ARROW, shift, axis=1)) for shift in range(3)]
    frames[0].save(tmp_path / f"film.{suffix}", save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match=rf"a single picture was expected in .*film\.{suffix}; it holds 3"):
        read_picture(tmp_path / f"film.{suffix}")


def png_of_size(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = b""
    for name, content in ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")):
        chunks += struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    return b"\x89PNG\r\n\x1a\n" + chunks


def test_too_large_pictures_are_refused_before_they_are_decoded(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png_of_size(60_000, 60_000))
    with pytest.raises(ImageError, match=r"at most 200 megapixels; .*bomb\.png has 60000 × 60000\. Scale it down"):
        read_picture(tmp_path / "bomb.png")


def test_large_pictures_need_no_leave_from_pillow(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    Image.fromarray(ARROW).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").width == 6
    assert Image.MAX_IMAGE_PIXELS == 10
    monkeypatch.setattr(image_files, "MOST_PX", 20)
    with pytest.raises(ImageError, match="6 × 4"):
        read_picture(tmp_path / "a.png")
