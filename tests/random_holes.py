"""Holes for tests of planning and filling."""

import cv2
import numpy as np
from hypothesis import strategies as st


@st.composite
def holes(draw: st.DrawFn, longest: int = 300) -> np.ndarray:
    """Boxes, strokes and specks in a picture of any shape; at least one pixel is missing and one is known."""
    height, width = draw(st.integers(1, longest)), draw(st.integers(1, longest))
    if height * width == 1:
        width = 2
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    missing = np.zeros((height, width), np.uint8)

    def point() -> tuple[int, int]:
        return int(rng.integers(width)), int(rng.integers(height))

    for _ in range(draw(st.integers(0, 3))):
        cv2.rectangle(missing, point(), point(), 1, -1)
    for _ in range(draw(st.integers(0, 4))):
        cv2.line(missing, point(), point(), 1, int(rng.integers(1, 12)))
    for _ in range(draw(st.integers(0, 20))):
        missing[point()[::-1]] = 1
    if missing.all():
        missing[0, 0] = 0
    if not missing.any():
        missing[-1, -1] = 1
    return missing.astype(bool)
