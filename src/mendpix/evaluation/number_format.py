"""Numbers as text: for people, for tables that programs read, and for JSON. Knows no measure."""

import math

from mendpix.evaluation.statistics import Estimate

MISSING = "–"
"""Stands where there is no number."""

LEAST_P = 0.001
"""A smaller p is not written out."""


def number(value: float, digits: int, *, plus: bool = False) -> str:
    """Write a number with a fixed count of decimals; NaN as a dash.

    Args:
        value: What to write.
        digits: Decimals.
        plus: Whether a positive number gets its sign.

    Example:
        >>> number(-1234.5, 1), number(-0.001, 2), number(0.25, 2, plus=True)
        ('−1,234.5', '0.00', '+0.25')
    """
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "−∞" if value < 0 else "+∞" if plus else "∞"
    text = f"{value:{'+' if plus else ''},.{digits}f}"
    if not text.strip("+-0.,"):
        text = text.lstrip("+-")  # a zero has no sign
    return text.replace("-", "−")


def with_margin(estimate: Estimate, digits: int) -> str:
    """Write a mean and half the width of its interval, if it has one.

    Example:
        >>> with_margin(Estimate(24.25, 23.94, 24.56, 100), 2)
        '24.25 ±0.31'
    """
    text = number(estimate.mean, digits)
    return text if math.isnan(estimate.half_width) else f"{text} ±{number(estimate.half_width, digits)}"


def interval(estimate: Estimate, digits: int, *, plus: bool = False) -> str:
    """Write both ends of an interval in brackets; a dash if there is none.

    Example:
        >>> interval(Estimate(0.3, -0.1, 0.7, 100), 1, plus=True)
        '[−0.1, +0.7]'
    """
    if math.isnan(estimate.low) or math.isnan(estimate.high):
        return MISSING
    return f"[{number(estimate.low, digits, plus=plus)}, {number(estimate.high, digits, plus=plus)}]"


def p_value(p: float) -> str:
    """Write the p of a test.

    Example:
        >>> p_value(0.0001), p_value(0.04261)
        ('< 0.001', '0.043')
    """
    if math.isnan(p):
        return MISSING
    return f"< {LEAST_P}" if p < LEAST_P else f"{p:.3f}"


def counted(count: int, noun: str) -> str:
    """Write a count with its noun, which takes an s in the plural.

    Example:
        >>> counted(1, "pair"), counted(1200, "pair")
        ('1 pair', '1,200 pairs')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def for_csv(value: float) -> str:
    """Write a number in full precision; NaN as nothing, infinity as inf."""
    return "" if math.isnan(value) else repr(float(value))


def for_json(value: float) -> float | str | None:
    """Give what stands for a number in JSON, which has neither NaN nor infinity: null, and a word.

    Example:
        >>> for_json(math.nan), for_json(-math.inf), for_json(1.5)
        (None, '-Infinity', 1.5)
    """
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return float(value)
