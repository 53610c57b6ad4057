import io

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the extra web is not installed")

from mendpix.errors import ImageError
from mendpix.image_encoding import FORMATS
from mendpix.images import decode_picture, encode_picture, read_picture, write_picture
from mendpix.web.file_names import clean_name, suffix_of
from mendpix.web.pictures import ENTRY_BYTES, PackedMask, Pictures, samples_of
from mendpix.web.previews import cut, decode_plane, encode_map, encode_pixels, pixels_of
from mendpix.web.problems import GoneError


def kept(**changes):
    return Pictures(**{"keep_bytes": 10e6, "keep_s": 1000, "max_px": 1_000_000, **changes})


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def file_of(pixels, kind="PNG", **options):
    stream = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(stream, kind, **options)
    return stream.getvalue()


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112], tags[0x010F] = orientation, "camera"
    return tags


FILES = {
    "rgb.png": lambda: file_of(noise(20, 30, 3)),
    "alpha.png": lambda: file_of(noise(20, 30, 4)),
    "grey.png": lambda: file_of(noise(20, 30)),
    "deep grey.png": lambda: file_of(Image.fromarray(noise(20, 30).astype(np.uint16) * 257)),
    "palette.png": lambda: file_of(Image.fromarray(noise(20, 30, 3)).quantize(16)),
    "bits.png": lambda: file_of(Image.fromarray(noise(20, 30)).convert("1")),
    "turned.JPG": lambda: file_of(noise(20, 30, 3), "JPEG", quality=91, exif=exif(6)),
    "cmyk.jpg": lambda: file_of(Image.fromarray(noise(20, 30, 3)).convert("CMYK"), "JPEG"),
    "photo.webp": lambda: file_of(noise(20, 30, 3), "WEBP", lossless=True),
    "photo.tiff": lambda: file_of(noise(20, 30, 3), "TIFF", compression="tiff_lzw"),
    "photo.bmp": lambda: file_of(noise(20, 30, 3), "BMP"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_row_of_fills_gives_the_file_that_the_command_line_writes(name, tmp_path):
    """Two fills one after the other, kept as the upload and what changed, against two fills of the whole picture."""
    store, data = kept(), FILES[name]()
    (tmp_path / name).write_bytes(data)
    stored = store.add_file(data, name)
    picture = read_picture(tmp_path / name)
    assert (stored.height, stored.width) == (picture.height, picture.width)
    assert store.file(stored)[0] == data
    for seed in (1, 2):
        hole = np.zeros((picture.height, picture.width), np.float32)
        hole[3 + seed : 9 + seed, 4 : 12 + seed] = 1
        hole[5, 5] = 0
        prediction = np.random.default_rng(seed).random((picture.height, picture.width, 3), np.float32)
        picture = picture.paste(prediction, hole)
        stored = store.add_result(stored, samples_of(picture.to_source_kind()), hole, None)
        assert np.array_equal(stored.hole.array, hole > 0)
    again = store.open(stored)
    assert np.array_equal(again.samples, picture.samples)
    assert np.array_equal(again.rgb, picture.rgb)
    target = tmp_path / f"out{(tmp_path / name).suffix}"
    write_picture(picture.to_source_kind(), target, like=picture)
    content, told, kind = store.file(stored)
    assert content == target.read_bytes()
    assert told == f"{(tmp_path / name).stem}-mended{target.suffix}"
    assert kind.startswith("image/")


def test_a_format_that_cannot_be_written_becomes_another():
    """A picture of floats, which PPM and PNG cannot hold."""
    store = kept()
    samples = np.random.default_rng(0).random((16, 16), np.float32)
    stored = store.add_file(b"Pf\n16 16\n-1.0\n" + samples[::-1].astype("<f4").tobytes(), "deep.pfm")
    hole = np.zeros((16, 16), np.float32)
    hole[2:5, 2:5] = 1
    filled = store.open(stored).paste(np.zeros((16, 16, 3), np.float32), hole)
    content, name, kind = store.file(store.add_result(stored, samples_of(filled.to_source_kind()), hole, None))
    assert (name, kind, content[:4]) == ("deep-mended.tif", "image/tiff", b"II*\0")


def test_the_oldest_unused_pictures_go_first():
    data = file_of(noise(64, 64, 3))
    store = kept(keep_bytes=3.5 * (len(data) + ENTRY_BYTES))
    made = [store.add_file(data + bytes([number]), "a.png") for number in range(3)]
    store.find(made[0].id)  # used
    made.append(store.add_file(data + b"\3", "a.png"))
    with pytest.raises(GoneError, match="upload it again"):
        store.find(made[1].id)
    assert [store.find(made[number].id).id for number in (0, 2, 3)] == [made[number].id for number in (0, 2, 3)]
    assert store.held_bytes <= 3.5 * (len(data) + ENTRY_BYTES)


def test_tiny_pictures_count_as_what_they_cost():
    store = kept(keep_bytes=100 * ENTRY_BYTES)
    for _ in range(150):
        store.add_file(file_of(noise(1, 1)), "a.png")
    assert 50 < len(store._kept) < 100
    assert set(store._shown) <= set(store._kept)


def test_what_is_held_is_counted_right_whatever_happens():
    """The running sum against one over all that is kept."""
    rng, store = np.random.default_rng(0), kept(keep_bytes=60_000)
    hole = np.zeros((20, 30), np.float32)
    hole[3:9, 4:14] = 1
    for _ in range(300):
        names = list(store._kept)
        act = rng.integers(5)
        if act == 0 or not names:
            store.add_file(file_of(noise(20, 30, 3, seed=int(rng.integers(1000)))), "a.png")
            continue
        stored = store.find(str(rng.choice(names)))
        if act < 3:
            store.add_result(stored, store.open(stored).samples, hole, hole if act == 1 else None)
        elif act == 3:
            store.remember_artifacts(stored, np.float32(rng.random((20, 30))))
        else:
            store.drop(stored.id)
        left = [one for one, _ in store._kept.values()]
        parts = {part for one in left for part in one.parts}
        assert store.held_bytes == sum(one.own_bytes for one in left) + sum(part.held_bytes for part in parts)
        assert store.held_bytes <= 60_000 or len(left) == 1


def test_a_picture_that_is_deleted_while_it_is_decoded_does_not_stay(monkeypatch):
    store = kept()
    stored = store.add_file(file_of(noise(8, 8, 3)), "a.png")
    store._shown.clear()

    def decode(picture):
        store.drop(stored.id)
        return pixels_of(picture)

    monkeypatch.setattr("mendpix.web.pictures.pixels_of", decode)
    assert store.pixels(stored).shape == (8, 8, 3)
    assert not store._shown
    assert store.held_bytes == 0


def test_pictures_that_nobody_asks_for_grow_old(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("mendpix.web.pictures.time.monotonic", lambda: now[0])
    store = kept(keep_s=10)
    stored = store.add_file(file_of(noise(8, 8, 3)), "a.png")
    now[0] = 9.0
    store.find(stored.id)
    now[0] = 18.0
    store.find(stored.id)
    now[0] = 29.0
    assert store.held_bytes > 0
    store.let_go()  # nobody has to ask
    assert store.held_bytes == 0
    with pytest.raises(GoneError):
        store.find(stored.id)


def test_results_cost_what_they_change_and_not_the_picture():
    store = kept()
    stored = store.add_file(file_of(noise(200, 200, 3)), "a.png")
    before = store.held_bytes
    hole = np.zeros((200, 200), np.float32)
    hole[:10, :10] = 1
    samples = store.open(stored).samples
    for _ in range(10):
        stored = store.add_result(stored, samples, hole, None)
    assert store.held_bytes - before < 10 * (300 + 20 + 5000 + 100 + ENTRY_BYTES)


@pytest.mark.parametrize(
    "data",
    [b"", b"not a picture", file_of(noise(30, 30, 3))[:-200], file_of(noise(1001, 1000))],
    ids=["empty", "text", "cut", "large"],
)
def test_what_is_no_picture_is_not_kept(data):
    store = kept()
    with pytest.raises(ImageError):
        store.add_file(data, "x.png")
    assert store.held_bytes == 0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\me.jpg", "me.jpg"),
        ("a\r\nSet-Cookie: b.png", "aSet-Cookie b.png"),
        ('quo"te<>.png', "quote.png"),
        ("", "picture"),
        ("...", "picture"),
        ("/", "picture"),
        ("été.png", "été.png"),
        ("x" * 500 + ".jpeg", "x" * 115 + ".jpeg"),
    ],
)
def test_names_of_files_are_made_harmless(given, told):
    assert clean_name(given) == told


def test_every_format_that_can_be_written_has_a_suffix():
    for suffix, kind in FORMATS.items():
        assert suffix_of(kind, f"x{suffix.upper()}") == suffix.upper()
        assert FORMATS[suffix_of(kind, "x.unknown")] == kind
    assert suffix_of("PCX", "x.pcx") is None


def test_masks_are_packed_without_loss():
    for shape in ((1, 1), (3, 5), (8, 8), (17, 33)):
        hole = noise(*shape) > 128
        assert np.array_equal(PackedMask.of(hole).array, hole)


def test_a_cut_is_of_full_resolution_and_scaled_only_if_it_must_be():
    pixels = noise(40, 60, 3)
    assert np.array_equal(cut(pixels, (10, 5, 20, 30), 30), pixels[5:35, 10:30])
    assert cut(pixels, None, 30).shape == (20, 30, 3)
    assert cut(pixels, (50, 30, 100, 100), 100).shape == (10, 10, 3)
    assert 0 in cut(pixels, (60, 0, 5, 5), 100).shape
    assert cut(noise(1, 9000), None, 100).shape == (1, 100)


def test_lossless_previews_and_maps_come_back_as_they_were():
    for pixels in (noise(9, 7, 3), noise(9, 7, 4)):
        content, kind = encode_pixels(pixels, lossless=True)
        assert kind == "image/png"
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), pixels)
    assert encode_pixels(noise(9, 7, 3), lossless=False)[1] == "image/jpeg"
    plane = noise(9, 7)
    assert np.array_equal(decode_plane(encode_map(np.float32(plane / 255))), plane)


def test_transparency_shows_only_where_there_is_any():
    solid = noise(8, 8, 4)
    solid[..., 3] = 255
    assert pixels_of(read_picture(solid)).shape == (8, 8, 3)
    assert np.array_equal(pixels_of(read_picture(noise(8, 8, 4))), noise(8, 8, 4))


def test_content_and_file_are_read_and_written_alike(tmp_path):
    for name, make in FILES.items():
        (tmp_path / name).write_bytes(make())
        here, there = decode_picture(make(), name), read_picture(tmp_path / name)
        assert np.array_equal(here.samples, there.samples)
        write_picture(there, tmp_path / f"again-{name}")
        assert encode_picture(here, name) == (tmp_path / f"again-{name}").read_bytes()
