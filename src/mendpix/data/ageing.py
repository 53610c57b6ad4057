"""Make a picture old or ordinary all over, which is no damage: tone, contrast, blur, grain, JPEG.

Knows nothing of damage or of batches.
"""

from typing import Any

import cv2
import numpy as np

from mendpix.data.damage_layers import even_log, pick, rounded
from mendpix.types import FloatArray, Image

_GREY = np.array([0.299, 0.587, 0.114], np.float32)


def grey_of(image: Image) -> Image:
    """Take the colour from a picture, by the weights of BT.601; RGB in [0, 1], shape (H, W, 3)."""
    return np.repeat((image @ _GREY)[..., None], 3, axis=2)


def draw_ageing(rng: np.random.Generator) -> dict[str, Any]:
    """Draw how a picture is aged: plain numbers and words, for `age`."""
    tone = pick(rng, {"none": 2, "grey": 4, "sepia": 3, "faded": 2})
    tint = [0.0, 0.0, 0.0]
    if tone == "sepia":
        warm = rng.uniform(0.04, 0.2)
        tint = [warm, rng.uniform(-0.1, 0.3) * warm, -rng.uniform(0.7, 1.5) * warm]
    elif tone == "faded":
        tint = list(rng.normal(0, 0.05, 3))
    return rounded({
        "tone": tone,
        "tint": tint,
        "colour": rng.uniform(0.2, 0.8) if tone == "faded" else 1.0,
        "contrast": rng.uniform(0.55, 1.05) if rng.random() < 0.6 else 1.0,
        "lift": rng.uniform(-0.08, 0.12),
        "blur_px": rng.uniform(0.3, 1.0) if rng.random() < 0.4 else 0.0,
        "grain": even_log(rng, 0.005, 0.025) if rng.random() < 0.5 else 0.0,
        "grain_px": rng.uniform(0.3, 0.9) if rng.random() < 0.6 else 0.0,
        "grain_seed": int(rng.integers(2**53)),
        "frame": _draw_frame(rng) if rng.random() < 0.08 else None,
        "jpeg": round(even_log(rng, 40, 95)) if rng.random() < 0.5 else None,
    })  # fmt: skip


def age(image: Image, drawn: dict[str, Any]) -> Image:
    """Age a picture as drawn; RGB in [0, 1], shape (H, W, 3)."""
    if drawn["tone"] in ("grey", "sepia"):
        image = grey_of(image)
    elif drawn["colour"] != 1:
        grey = grey_of(image)
        image = np.asarray(grey + np.float32(drawn["colour"]) * (image - grey), np.float32)
    middle = np.float32(0.5 + drawn["lift"])
    image = np.asarray(middle + np.float32(drawn["contrast"]) * (image - np.float32(0.5)), np.float32)
    if any(drawn["tint"]):  # strongest between black and white
        image = np.clip(image, 0, 1, dtype=np.float32)
        tint = np.float32(3) * np.asarray(drawn["tint"], np.float32)
        image = np.asarray(image + image * (1 - image) * tint, np.float32)
    if drawn["blur_px"]:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), drawn["blur_px"]), np.float32)
    if drawn["grain"]:
        image = image + _grain(image.shape[:2], drawn)
    image = np.clip(image, 0, 1, dtype=np.float32)
    if drawn["frame"] is not None:
        image = _framed(image, drawn["frame"])
    return image if drawn["jpeg"] is None else compress(image, drawn["jpeg"])


def compress(image: Image, quality: int) -> Image:
    """Compress a picture as JPEG and read it again; quality 1 to 100."""
    samples = np.rint(image[..., ::-1] * np.float32(255)).astype(np.uint8)
    _, data = cv2.imencode(".jpg", samples, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.float32)
    return np.ascontiguousarray(decoded[..., ::-1]) / np.float32(255)


def with_half_colour(image: Image) -> Image:
    """Keep colour at half the resolution and brightness at all of it (4:2:0), as most picture files do."""
    height, width = image.shape[:2]
    planes = cv2.cvtColor(np.asarray(image, np.float32), cv2.COLOR_RGB2YCrCb)
    half = cv2.resize(planes[..., 1:], (-(-width // 2), -(-height // 2)), interpolation=cv2.INTER_AREA)
    planes[..., 1:] = cv2.resize(half, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(cv2.cvtColor(planes, cv2.COLOR_YCrCb2RGB), 0, 1, dtype=np.float32)


def _draw_frame(rng: np.random.Generator) -> dict[str, Any]:
    colour = rng.uniform(0.85, 1) * np.array([1, 1 - 0.06 * rng.random(), 1 - 0.15 * rng.random()])
    if rng.random() < 0.25:
        colour = rng.uniform(0, 0.1) * np.ones(3)
    sides = [float(value < 0.6) for value in rng.random(4)] if rng.random() < 0.6 else [1.0] * 4
    return {"form": pick(rng, {"straight": 6, "rounded": 1, "oval": 1}), "colour": list(colour), "sides": sides,
            "width": rng.uniform(0.02, 0.12)}  # fmt: skip


def _framed(image: Image, frame: dict[str, Any]) -> Image:
    """Give a picture an even border, as prints and mounts have; it is part of the picture."""
    height, width = image.shape[:2]
    border = round(frame["width"] * min(height, width))
    top, bottom, left, right = (round(border * side) for side in frame["sides"])
    inside = np.zeros((height, width), np.float32)
    inside[top : height - bottom, left : width - right] = 1
    if frame["form"] != "straight":
        row = np.abs(np.arange(height, dtype=np.float32)[:, None] - (height - 1) / 2) / np.float32(
            height / 2 - border + 0.5
        )
        column = np.abs(np.arange(width, dtype=np.float32)[None] - (width - 1) / 2) / np.float32(
            width / 2 - border + 0.5
        )
        power = 2 if frame["form"] == "oval" else 10
        distance = (row**power + column**power) ** np.float32(1 / power)
        inside = np.clip((1 - distance) * np.float32(min(height, width) / 2) + np.float32(0.5), 0, 1, dtype=np.float32)
    colour = np.asarray(frame["colour"], np.float32)
    return np.asarray(colour + inside[..., None] * (image - colour), np.float32)


def _grain(size: tuple[int, ...], drawn: dict[str, Any]) -> FloatArray:
    grain = np.random.default_rng(drawn["grain_seed"]).standard_normal((*size, 1), np.float32)
    if drawn["grain_px"]:
        grain = np.asarray(cv2.GaussianBlur(grain, (0, 0), drawn["grain_px"]), np.float32).reshape(*size, 1)
        grain = grain / np.float32(max(float(grain.std()), 1e-6))
    return np.asarray(grain * np.float32(drawn["grain"]), np.float32)
