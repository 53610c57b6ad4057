import io
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the extra web is not installed")

from mendpix.errors import ImageError, MaskError
from mendpix.web import picture_headers
from mendpix.web.picture_headers import check_file
from mendpix.web.pictures import Pictures


def small(mode="RGB"):
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)).convert(mode)


def file_of(kind, image=None, **options):
    stream = io.BytesIO()
    (image or small()).save(stream, kind, **options)
    return stream.getvalue()


def chunk(name, content=b""):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_of(chunks):
    plain = file_of("PNG")
    return plain[:33] + chunk(b"prVt") * chunks + plain[33:]


def jpeg_of(segments):
    plain = file_of("JPEG")
    return plain[:2] + b"\xff\xe2\x00\x02" * segments + plain[2:]


def jpeg_with_scans(scans, side):
    """A progressive JPEG of one grey whose last scan comes again and again, which costs a few bytes each time."""
    plain = file_of("JPEG", Image.new("L", (side, side), 128), progressive=True)
    end = plain.rindex(b"\xff\xd9")
    tables = plain.rindex(b"\xff\xc4", 0, plain.rindex(b"\xff\xda"))
    return plain[:end] + plain[tables:end] * scans + plain[end:]


def gif_of(frames):
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return file_of("GIF", small("P"))[:-1] + frame * (frames - 1) + b";"


def tiff_of(pages):
    """The same directory again and again, each pointing to the next."""
    plain = bytearray(file_of("TIFF"))
    start = struct.unpack("<I", plain[4:8])[0]
    entries = bytes(plain[start : start + 2 + 12 * struct.unpack("<H", plain[start : start + 2])[0]])
    chain = start + len(entries)
    if pages > 1:
        plain[chain : chain + 4] = struct.pack("<I", len(plain))
    for page in range(1, pages):
        plain += entries + struct.pack("<I", len(plain) + len(entries) + 4 if page < pages - 1 else 0)
    return bytes(plain)


FORMATS = {
    "PNG": {},
    "JPEG": {},
    "WEBP": {},
    "TIFF": {},
    "BMP": {},
    "GIF": {},
    "AVIF": {},
    "JPEG2000": {},
    "PPM": {},
    "MPO": {"save_all": True},
}


@pytest.mark.parametrize("kind", FORMATS)
def test_formats_of_photos_are_let_through(kind):
    data = file_of(kind, small("P") if kind == "GIF" else None, **FORMATS[kind])
    check_file(data, "a", size=(16, 24))
    assert Pictures(keep_bytes=1e6, keep_s=9, max_px=1000).add_file(data, "a").width == 24


@pytest.mark.parametrize("kind", ["ICO", "ICNS", "EPS", "PCX", "SGI", "DDS", "SPIDER", "TGA"])
def test_other_formats_never_reach_their_decoders(kind):
    """Some of them hold pictures of any size behind a header that says 16 × 16."""
    image = small("L").convert("F") if kind == "SPIDER" else small().resize((32, 32))
    with pytest.raises(ImageError, match="of another format, or none"):
        check_file(file_of(kind, image), "a")


@pytest.mark.parametrize(
    "data", [b"%PDF-1.4\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"", b"RIFF1234WAVE", b"P3\n1 1\n9\n1 2 3"]
)
def test_what_is_no_picture_of_pixels_is_refused(data):
    with pytest.raises(ImageError, match="of another format, or none"):
        check_file(data, "a")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (lambda: png_of(300_000), "pieces"),
        (lambda: jpeg_of(2_000_000), "pieces"),
        (lambda: jpeg_with_scans(300, 4000), "pieces"),
        (lambda: gif_of(100_000), "holds several"),
        (lambda: tiff_of(20_000), "holds several"),
    ],
    ids=["chunks", "segments", "scans", "frames", "pages"],
)
def test_a_file_of_many_pieces_is_refused_at_once(data, words):
    """Without the check each of these takes from one to thirteen seconds, or hundreds of megabytes; more if larger."""
    made = data()
    start = time.monotonic()
    with pytest.raises(ImageError, match=words):
        Pictures(keep_bytes=1e9, keep_s=9, max_px=200_000_000).add_file(made, "a")
    assert time.monotonic() - start < 0.5


def test_what_cameras_and_programs_write_is_not_too_many_pieces():
    large = Image.fromarray(np.random.default_rng(0).integers(0, 256, (600, 800, 3), np.uint8))
    for data in (
        file_of("JPEG", large, progressive=True, icc_profile=bytes(300_000)),
        file_of("PNG", large),
        tiff_of(1),
        gif_of(1),
    ):
        check_file(data, "a")


def test_strange_segments_are_walked_over(monkeypatch):
    monkeypatch.setattr(picture_headers, "MOST_PIECES", 50)
    plain = file_of("JPEG")
    check_file(plain[:2] + b"\xff" * 20 + b"\xff\x01" + plain[2:], "a")
    check_file(plain[:30], "a")  # cut short: decoding tells so
    with pytest.raises(ImageError, match="pieces"):
        check_file(plain[:2] + b"\xff" * 60 + plain[2:], "a")
    with pytest.raises(ImageError, match="pieces"):
        check_file(plain[:2] + b"\xff\xe2\x00\x00" * 60 + plain[2:], "a")  # a length that goes nowhere


def test_a_mask_of_another_size_is_not_decoded():
    check_file(file_of("PNG"), "m.png", size=(24, 16))  # its EXIF may turn it
    with pytest.raises(MaskError, match=r"40 × 30; got 24 × 16"):
        check_file(file_of("PNG"), "m.png", size=(30, 40))
