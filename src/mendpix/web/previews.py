"""Pictures and maps for showing: 8 bits, cut out, scaled down, encoded quickly. Knows nothing of who asks for them."""

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage

from mendpix.image_modes import side_plane
from mendpix.images import Picture
from mendpix.types import Map

PREVIEW_QUALITY = 92
"""JPEG quality of previews."""

ROWS = 256
"""Rows that are brought to 8 bits at a time."""

Pixels = NDArray[np.uint8]
"""A picture for showing: shape (H, W, 3), with transparency (H, W, 4), a plane (H, W)."""

Box = tuple[int, int, int, int]
"""X, Y, width and height, px."""


def pixels_of(picture: Picture) -> Pixels:
    """Bring a picture to 8 bits; transparency stays."""
    pixels = np.empty(picture.rgb.shape, np.uint8)
    for top in range(0, picture.height, ROWS):  # a copy of all of it as floats would be larger than the picture
        pixels[top : top + ROWS] = np.rint(np.clip(picture.rgb[top : top + ROWS], 0, 1) * 255)
    side = None if picture.layout.mode == "CMYK" else side_plane(picture.samples, picture.layout)
    if side is None or side.min() == 1:
        return pixels
    return np.dstack([pixels, np.rint(np.clip(side, 0, 1) * 255).astype(np.uint8)])


def cut(pixels: Pixels, box: Box | None, most_px: int) -> Pixels:
    """Cut a box out of a picture and scale it down until its longer side is at most `most_px`.

    Args:
        pixels: The picture.
        box: What to show, cut to the picture; None = all.
        most_px: Longer side of the answer, px.
    """
    if box is not None:
        left, top, width, height = box
        pixels = pixels[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
    height, width = pixels.shape[:2]
    scale = most_px / max(height, width, 1)
    if scale >= 1 or 0 in pixels.shape:
        return pixels
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def encode_pixels(pixels: Pixels, *, lossless: bool) -> tuple[bytes, str]:
    """Encode a picture for showing: JPEG, or PNG if it must be lossless or is see-through.

    Returns:
        The content and its media type.
    """
    if lossless or pixels.ndim == 2 or pixels.shape[2] == 4:
        if pixels.ndim == 3:
            codes = cv2.COLOR_RGBA2BGRA if pixels.shape[2] == 4 else cv2.COLOR_RGB2BGR
            pixels = np.asarray(cv2.cvtColor(pixels, codes), np.uint8)
        return encode_plane(pixels), "image/png"
    stream = io.BytesIO()
    PilImage.fromarray(pixels).save(stream, "JPEG", quality=PREVIEW_QUALITY, subsampling=0)
    return stream.getvalue(), "image/jpeg"


def encode_plane(pixels: Pixels) -> bytes:
    """Encode a plane, or BGR, or BGRA, as PNG: quickly rather than small."""
    encoded, content = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert encoded
    return content.tobytes()


def decode_plane(content: bytes) -> Pixels:
    """Decode what `encode_plane` made of a plane."""
    return np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)


def encode_map(values: Map) -> bytes:
    """Encode a map in [0, 1], shape (H, W), as grey PNG: black = 0, white = 1."""
    return encode_plane(np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8))
