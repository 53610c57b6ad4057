"""Names for the arrays that travel through the library. Knows shapes by convention only; nothing is checked here.

Everything on the inference side is NumPy: an *image* holds RGB in [0, 1], a *mask* is 1 in the hole (the pixels to
fill) and 0 where the picture is known, a *map* holds one number in [0, 1] per pixel.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
"""Any float32 array."""

AnyArray = NDArray[Any]
"""An array as a caller hands it over: dtype still unknown."""

Image = FloatArray
"""Picture, shape (H, W, 3), RGB in [0, 1]."""

Mask = FloatArray
"""Hole, shape (H, W): exactly 1 = hole (fill), 0 = known."""

Map = FloatArray
"""One value in [0, 1] per pixel, shape (H, W), for instance the probability that a pixel looks filled."""

Progress = Callable[[float, str], None]
"""Called now and then with the share done in [0, 1] and a word for what is being done."""
