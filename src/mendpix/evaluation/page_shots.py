"""One picture of the evaluation's page, small among others or enlarged: its bar, its name and what stands below it.

Knows no model, no case and no measure.
"""

from dataclasses import dataclass
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray

from mendpix.evaluation.figure_page import embed

EFFORT = 4
"""How long WebP tries: a third of the time of its slowest setting, for files 4 % larger."""

MOST_PX = 512
"""Longest side of a picture in the page; larger ones are reduced to it."""

Pixels = NDArray[np.uint8]
"""Picture ready to be shown, shape (H, W, 3), RGB."""


@dataclass(frozen=True, eq=False)
class Shot:
    """One picture of a case, with what stands around it."""

    kind: str
    """"truth", "input", "result" or "map"."""
    place: str
    """Alike in all cases, so that one can go from case to case."""
    address: str
    name: str
    """What stands above it."""
    alt: str
    pixels: Pixels
    whose: str = ""
    """What stands before the name in the large view, where it stands below no other."""
    notes: str = ""
    """HTML."""
    other: str = ""
    """What it can be compared with, in words; "" = nothing."""
    shown_then: str = ""
    """What stands above it instead of its name while the other is shown."""


def write_shot(shot: Shot, key: str, case: str, before: Shot | None, after: Shot | None) -> str:
    """Write a picture. As the target of the address it covers the window, with its bar and what stands below it.

    Args:
        shot: What to show.
        key: Name of the pair.
        case: Address of the case.
        before: The picture to the left; None for the first.
        after: The picture to the right; None for the last.
    """
    pixels = reduce(shot.pixels)
    height, width = pixels.shape[:2]
    name = f"{escape(shot.whose + shot.name)} · {escape(key)}"
    title = name
    if shot.other:
        title = f'<span class="own">{name}</span><span class="then">{escape(shot.shown_then)} · {escape(key)}</span>'
    bar = [f'<a class="close" href="#{case}">Close</a>', f"<b>{title}</b>"]
    bar += (
        f'<a class="step" data-by="{by}" href="#{other.address}">{words}</a>'
        for other, by, words in ((before, -1, "← Previous"), (after, 1, "Next →"))
        if other is not None
    )
    if shot.other:
        bar.append(f'<label><input type="checkbox" class="compare"> Show {shot.other}</label>')
    return "\n".join(
        (
            f'<figure class="shot {shot.kind}" id="{shot.address}" data-place="{shot.place}" aria-label="{name}">',
            f'<div class="bar">{"".join(bar)}</div><span class="name">{escape(shot.name)}</span>',
            f'<a class="open" href="#{shot.address}"><img src="{embed(pixels, EFFORT)}" width="{width}" '
            f'height="{height}" alt="{escape(shot.alt)}" decoding="async"></a>',
            f"<figcaption>{shot.notes}</figcaption></figure>",
        )
    )


def reduce(pixels: Pixels) -> Pixels:
    """Reduce a picture that is too large for the page, each pixel the mean of the area that it stands for."""
    height, width = pixels.shape[:2]
    longest = max(height, width)
    if longest <= MOST_PX:
        return pixels
    size = tuple(max(1, round(side * MOST_PX / longest)) for side in (width, height))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
