"""Everything that can be measured, by name: single measures, measures of sets, and groups of both.

A protocol names measures or groups. Definitions are in `measure_table.py`, `set_measure_table.py` and, for numbers as
other programs print them, in `adaptors.py`; docs/concepts/metrics.md is made from them. Knows no file, no model and no
statistics.
"""

import difflib
from collections.abc import Sequence

from mendpix.errors import InputError
from mendpix.evaluation.adaptors import ADAPTOR_MEASURES, ADAPTORS
from mendpix.evaluation.measure_table import PAIR_MEASURES, TRUTH_MEASURES
from mendpix.evaluation.set_measure_table import SET_MEASURES
from mendpix.evaluation.views import Measure, Quantisation, SetMeasure, Shown, Views, quantise

__all__ = [
    "GROUPS",
    "MEASURES",
    "SET_MEASURES",
    "TRUTH_MEASURES",
    "Measure",
    "Quantisation",
    "SetMeasure",
    "Shown",
    "Views",
    "expand",
    "needs_weights",
    "quantise",
]


def needs_weights(name: str) -> bool:
    """Return True if a measure needs published weights that do not come with mendpix."""
    if name in SET_MEASURES:
        return SET_MEASURES[name].vector == "inception"
    return MEASURES[name].needs.startswith("lpips-")


MEASURES: dict[str, Measure] = {**PAIR_MEASURES, **ADAPTOR_MEASURES}
"""Measures of one pair, by name."""

GROUPS: dict[str, tuple[str, ...]] = {
    "standard": (
        "psnr",
        "ssim-gaussian-11",
        "ssim-uniform-51",
        "l1",
        "l1-hole",
        "l1-sum",
        "l1-target",
        "border-mae",
        "edge-ratio",
        "edge-ratio-off",
        "features",
        "frechet-squeezenet",
    ),
    "detection": (
        "detector-score",
        "detector-auc",
        "detector-ap",
        "detector-iou",
        "detector-auc-pooled",
        "detector-ap-pooled",
        "detector-ece",
    ),
    "removal": (
        "texture-ratio",
        "texture-ratio-off",
        "border-gradient",
        "border-gradient-off",
        "detector-score",
        "frechet-hole",
    ),
    **{
        f"as-in-{key}": tuple(name for _, name in adaptor.rows if not needs_weights(name))
        for key, adaptor in ADAPTORS.items()
    },
}
"""Names of measures by group. None needs anything that does not come with mendpix: FID, KID and LPIPS are named one by
one by those who have their weights."""


def expand(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Resolve names and groups.

    Args:
        names: Measures, measures of sets and groups, in any order; repeated ones count once.

    Returns:
        Measures of pairs and measures of sets, each in the order in which they were first named.

    Raises:
        InputError: If a name is unknown, or there is none.

    Example:
        >>> expand(["psnr", "as-in-lama", "fid"])
        (('psnr', 'lama-ssim'), ('fid',))
    """
    known = [*MEASURES, *SET_MEASURES, *GROUPS]
    if not names:
        raise InputError(
            f"measures must be named, or a group of them such as standard; got none of {', '.join(known)}."
        )
    for name in names:
        if name not in known:
            inside = [one for one in known if name and name.lower() in one]
            near = inside or difflib.get_close_matches(name.lower(), known, 3, 0.5)
            hint = f"Did you mean {' or '.join(near)}?" if near else f"There are {', '.join(known)}."
            raise InputError(f"a measure or group must be known; got {name!r}. {hint}")
    found = dict.fromkeys(single for name in names for single in GROUPS.get(name, (name,)))
    return tuple(name for name in found if name in MEASURES), tuple(name for name in found if name in SET_MEASURES)
