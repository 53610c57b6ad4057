"""Colour of 16 bits a channel is read, filled and written with all its bits."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from mendpix.errors import ImageError, OutputError
from mendpix.images import read_picture, write_picture

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SIZE = (13, 21)
HOLE = np.zeros(SIZE, np.float32)
HOLE[3:8, 2:9] = 1


def deep(channels: int) -> np.ndarray:
    return np.random.default_rng(channels).integers(0, 65536, (*SIZE, channels)).astype(np.uint16)


def swapped(samples: np.ndarray) -> np.ndarray:
    """Change between RGB and OpenCV's BGR."""
    return np.ascontiguousarray(samples[..., [2, 1, 0, 3][: samples.shape[2]]])


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_known_samples_keep_all_their_bits_from_file_to_file(tmp_path, suffix, channels):
    samples = deep(channels)
    cv2.imwrite(str(tmp_path / f"a.{suffix}"), swapped(samples))
    picture = read_picture(tmp_path / f"a.{suffix}")
    assert np.array_equal(picture.samples, samples)
    filled = picture.paste(np.full((*SIZE, 3), 0.5, np.float32), HOLE)
    result = filled.to_source_kind()
    assert isinstance(result, np.ndarray)
    assert result.dtype == np.uint16
    write_picture(result, tmp_path / f"b.{suffix}", like=picture)
    written = swapped(cv2.imread(str(tmp_path / f"b.{suffix}"), cv2.IMREAD_UNCHANGED))  # not our own reader
    assert np.array_equal(written[HOLE == 0], samples[HOLE == 0])
    assert (written[HOLE == 1][:, :3] == 32768).all()


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [2, 3, 4])
def test_arrays_make_the_way_through_a_file(tmp_path, suffix, channels):
    write_picture(deep(channels), tmp_path / f"a.{suffix}")
    expected = deep(channels) if channels > 2 else deep(channels)[..., [0, 0, 0, 1]]
    with Image.open(tmp_path / f"a.{suffix}") as written:
        assert np.array_equal(np.asarray(written), expected >> 8)
    assert np.array_equal(read_picture(tmp_path / f"a.{suffix}").samples, expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turns_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Camera"
    write_picture(deep(3), tmp_path / "plain.png")
    with Image.open(tmp_path / "plain.png") as shown:  # the same in 8 bits, to carry the orientation
        shown.save(tmp_path / "eight.png", exif=exif)
    plain, eight = (tmp_path / "plain.png").read_bytes(), (tmp_path / "eight.png").read_bytes()
    start = eight.index(b"eXIf") - 4
    chunk = eight[start : start + 12 + int.from_bytes(eight[start : start + 4], "big")]
    (tmp_path / "deep.png").write_bytes(plain[:33] + chunk + plain[33:])
    turned, expected = read_picture(tmp_path / "deep.png"), read_picture(tmp_path / "eight.png")
    assert np.array_equal(turned.samples >> 8, expected.samples)
    write_picture(turned, tmp_path / "again.png")
    again = read_picture(tmp_path / "again.png")
    assert np.array_equal(again.samples, turned.samples)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_metadata_goes_along(tmp_path, suffix):
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    source = Image.new("RGB", (4, 4))
    source.save(tmp_path / "like.png", exif=exif, icc_profile=PROFILE, dpi=(300, 300))
    write_picture(deep(3), tmp_path / f"a.{suffix}", like=read_picture(tmp_path / "like.png"))
    with Image.open(tmp_path / f"a.{suffix}") as written:
        written.load()
        assert written.info["icc_profile"] == PROFILE
        assert written.getexif()[0x010F] == "Camera"
        assert np.allclose([float(value) for value in written.info["dpi"]], 300, atol=0.1)
    assert np.array_equal(read_picture(tmp_path / f"a.{suffix}").samples, deep(3))


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(OutputError, match=r"needs PNG or TIFF; got 'a\.jpg'\. Name it a\.png instead\."):
        write_picture(deep(3), tmp_path / "a.jpg")
    with pytest.raises(OutputError, match=r"must end in one of"):
        write_picture(deep(3), tmp_path / "a.txt")


def test_what_opencv_reads_otherwise_is_refused(tmp_path, monkeypatch):
    write_picture(deep(3), tmp_path / "a.png")
    monkeypatch.setattr("cv2.imdecode", lambda *_: np.zeros((*SIZE, 3), np.uint16))
    with pytest.raises(ImageError, match=r"must be RGB or RGBA; .*a\.png is another kind \(RGB\)"):
        read_picture(tmp_path / "a.png")
