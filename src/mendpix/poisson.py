"""Finish a fill by Poisson blending: its seams disappear, its details stay. NumPy; knows no network and no files.

A network predicts known pixels too, and how far it is off there tells how far it is off beside them. The finished fill
has the prediction's differences between neighbours and the picture's colours at the hole's border (Pérez et al. 2003;
GLCIC's post-processing). Its programs copy the prediction by OpenCV's `seamlessClone` into a picture whose hole Telea's
method has filled; solved for the hole's own border, as here, nothing of such a first fill is left in the result, and
holes at the picture's edge need no special case.
"""

import cv2
import numpy as np

from mendpix.errors import ShapeError
from mendpix.fills import harmonic
from mendpix.types import Image, Mask

SWEEPS = 256
"""Jacobi sweeps at every level, sixteen times those of a plain harmonic fill: an uneven shift is easily seen. They
leave errors of 0.001 where the prediction is off by 0.1, and take 0.1 s for a hole of 400 px."""

BORDER_PX = 2
"""Known pixels around the hole that are looked at; one would do."""


def poisson_finish(image: Image, prediction: Image, hole: Mask) -> Image:
    """Shift what was filled smoothly, so that it meets the picture at the hole's border.

    What a prediction is off by at known pixels beside the hole is carried into it as the smoothest surface that fits
    (Laplace's equation), and taken off. A prediction that equals the picture there stays as it is, up to rounding. At
    the picture's edge the surface is free.

    Args:
        image: RGB in [0, 1], shape (H, W, 3); what lies in the hole is ignored.
        prediction: Same shape and range, of known pixels too.
        hole: 1 = fill, 0 = known, shape (H, W).

    Returns:
        New array: in the hole the finished fill, held to [0, 1]; `image` bit for bit elsewhere. If no pixel is known,
        there is nothing to meet, and the prediction comes back.

    Raises:
        ShapeError: If the sizes differ.

    Example:
        >>> grey = np.full((8, 8, 3), 0.5, np.float32)
        >>> hole = np.zeros((8, 8), np.float32)
        >>> hole[2:5, 2:5] = 1
        >>> float(np.ptp(poisson_finish(grey, grey + 0.25, hole)))
        0.0
    """
    if image.ndim != 3 or prediction.shape != image.shape or hole.shape != image.shape[:2]:
        raise ShapeError(
            f"image and prediction must be (H, W, 3) and hole (H, W) of one size; got {image.shape}, "
            f"{prediction.shape} and {hole.shape}. Cut or resize them alike."
        )
    missing = hole > 0
    finished = np.where(missing[..., None], np.clip(prediction, 0, 1), image).astype(np.float32, copy=False)
    if missing.all() or not missing.any():
        return finished
    left, top, across, down = cv2.boundingRect(missing.astype(np.uint8))
    rows = slice(max(top - BORDER_PX, 0), top + down + BORDER_PX)
    columns = slice(max(left - BORDER_PX, 0), left + across + BORDER_PX)
    part, inside = missing[rows, columns], hole[rows, columns]
    off = np.where(part[..., None], np.float32(0), prediction[rows, columns] - image[rows, columns])
    shift = harmonic(off, inside, sweeps=SWEEPS)  # (h, w, 3)
    fitted = np.clip(prediction[rows, columns] - shift, 0, 1)
    finished[rows, columns][part] = fitted[part]
    return finished
