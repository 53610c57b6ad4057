"""What an evaluation found, as plain data: between the part that measures and the parts that compare and show.

Knows no file, no model and no picture; everything is in the order of the protocol's pairs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

FloatVector = NDArray[np.float64]
"""One number per pair, shape (pairs,); NaN where it was not measured or means nothing."""

ALL = "all"
"""Column of all pairs, beside the bins."""

TRUE_CROP = "squeezenet-hole-truth"
"""Vector of a true picture's crop around a hole; the crop depends on the hole, so every row of a model has one."""

NOT_COUNTED = -1
"""Stands for a count of altered pixels where there is none."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """The pairs of a protocol."""

    keys: tuple[str, ...]
    """Name of each pair, also as part of a file name."""
    pictures: NDArray[np.int64]
    """Number of each pair's picture, from 0, shape (pairs,). Pairs that share a picture are not independent."""
    bins: NDArray[np.int64]
    """Number of each pair's bin in `bin_names`, shape (pairs,)."""
    bin_names: tuple[str, ...]
    """Bins in rising order, such as "0.1–0.2"; those without a pair are left out."""
    hole_shares: FloatVector
    """Share of the picture that is hole, in (0, 1), shape (pairs,)."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns for programs, whatever the bins: the bins, then all pairs."""
        return (*self.bin_names, ALL)

    @property
    def distinct_columns(self) -> tuple[str, ...]:
        """Columns that differ, those of tables and tests: a single bin is all pairs, and stands for them."""
        return self.columns if len(self.bin_names) > 1 else self.bin_names


@dataclass(frozen=True, eq=False)
class Timing:
    """How long one model took and how much memory, measured apart from everything else."""

    seconds: FloatVector
    """Wall-clock seconds of one fill, one per pair timed, shape (runs,)."""
    load_seconds: float
    """Seconds to load the model."""
    peak_mb: float
    """Most memory that the process held at a time, MiB, Python and libraries included."""
    idle_mb: float
    """The same before the model was loaded, MiB."""
    threads: int
    machine: str
    """The processor, in words."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Everything that was measured of one model."""

    name: str
    """What the report calls it; no two are alike."""
    source: str
    """What it is, in words: a model of the table, a model file, a folder of results. No path above the last name."""
    mark: str
    """Hash of its content; 16 hexadecimal digits."""
    values: Mapping[str, FloatVector]
    """Per-pair measure, by its name in `measures.MEASURES`."""
    altered: NDArray[np.int64]
    """Known pixels that the model's own answer changed, per pair; they were put right before measuring a composite.
    `NOT_COUNTED` where nobody counted, as of a network that makes whole pictures in a protocol that measures these.
    """
    set_values: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])
    """Measure of the whole set (Fréchet distance and the like) -> column -> value; NaN where too few pairs."""
    timing: Timing | None = None

    @property
    def counted_pairs(self) -> int:
        """Of how many pairs altered pixels were counted."""
        return int((self.altered != NOT_COUNTED).sum())

    @property
    def altered_pairs(self) -> int:
        """How many pairs have altered pixels, of those counted."""
        return int((self.altered > 0).sum())

    @property
    def altered_pixels(self) -> int:
        """How many pixels were altered, of all pairs counted."""
        return int(self.altered[self.altered > 0].sum())


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All models on all pairs of one protocol."""

    protocol_name: str
    protocol_id: str
    """16 hexadecimal digits; changes with any content or setting that a number could depend on."""
    protocol_facts: tuple[str, ...]
    """The protocol in words, a fact per line."""
    pairs: Pairs
    models: tuple[Measured, ...]
    """In the order in which they were named."""
    truth: Mapping[str, FloatVector]
    """What was measured of the untouched pictures alone (`edge-ratio`, `clean-marked`), per pair."""
    measures: tuple[str, ...]
    """Names of the per-pair measures, in the order of the protocol; keys of `measures.MEASURES`."""
    set_measures: tuple[str, ...]
    """Names of the measures of sets; keys of `measures.SET_MEASURES`."""
    versions: Mapping[str, str]
    """Versions of what computed it: mendpix, Python, NumPy, OpenCV, ONNX Runtime."""
