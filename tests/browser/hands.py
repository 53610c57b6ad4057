"""What a person does with the page: opens, paints, fills, saves."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def open_photo(page: Any, path: Path) -> None:
    page.set_input_files("#photo-file", path)
    page.wait_for_selector("body.has-photo:not(.busy)")


def open_mask(page: Any, path: Path) -> None:
    page.set_input_files("#mask-file", path)
    page.wait_for_selector("#fill:enabled", state="attached")


def paint(page: Any, *shares: tuple[float, float]) -> None:
    """Drag over the photo from one place to the next; places are shares of the stage."""
    box = page.locator("#stage").bounding_box()
    places = [(box["x"] + across * box["width"], box["y"] + down * box["height"]) for across, down in shares]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()


def fill(page: Any) -> None:
    versions = page.locator("#strip li").count()
    page.click("#fill")
    page.wait_for_selector(f"#strip li:nth-child({max(2, versions + 1)})")
    page.wait_for_selector("body:not(.busy)")


def saved_mask(page: Any) -> np.ndarray:
    """What "Save the mask" gives."""
    with page.expect_download() as download:
        page.locator("#mask-download").dispatch_event("click")
    return np.asarray(Image.open(io.BytesIO(Path(download.value.path()).read_bytes())))


def downloaded(page: Any) -> bytes:
    with page.expect_download() as download:
        page.click("#download")
    return Path(download.value.path()).read_bytes()


def set_slider(page: Any, name: str, value: float) -> None:
    page.locator(f"#{name}").evaluate(
        "(one, value) => { one.value = value; one.dispatchEvent(new Event('input', { bubbles: true })) }", value
    )


def share_of(text: str) -> float:
    """The number before the first per cent sign, as in "Doubt 57 %"; less than 0.1 counts as 0."""
    found = re.search(r"(< )?([\d.]+) %", text)
    assert found, text
    return 0.0 if found[1] else float(found[2])
