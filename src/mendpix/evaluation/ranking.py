"""Who is best in a column of a table, and who comes close. Computes no statistics.

Only models that have a value for as many pairs as any other are ranked: means over fewer pairs cannot be compared.
"""

import math

from mendpix.evaluation.measures import MEASURES
from mendpix.evaluation.statistics import Summary


def full_count(summary: Summary, measure: str, column: str) -> int:
    """Return the largest number of pairs for which a model has a value."""
    return max((found[measure][column].pairs for found in summary.means.values()), default=0)


def best_models(summary: Summary, measure: str, column: str) -> tuple[str, ...]:
    """Return the models with the best mean, several if their means are the same.

    Empty if more is neither better nor worse, or fewer than two models can be compared.
    """
    sign = MEASURES[measure].sign
    ranked = {model: sign * summary.means[model][measure][column].mean for model in _ranked(summary, measure, column)}
    if not sign or len(ranked) < 2:
        return ()
    return tuple(model for model, value in ranked.items() if value == max(ranked.values()))


def close_models(summary: Summary, measure: str, column: str) -> tuple[str, ...]:
    """Return the models that are worse than the best, but not significantly.

    Where a difference cannot be tested, because a mean is infinite, no model is close.
    """
    best = best_models(summary, measure, column)
    if not best:
        return ()
    found = {
        model: summary.difference(best[0], model, measure, column)
        for model in _ranked(summary, measure, column)
        if model not in best
    }
    return tuple(model for model, each in found.items() if not each.significant and not math.isnan(each.p))


def _ranked(summary: Summary, measure: str, column: str) -> tuple[str, ...]:
    most = full_count(summary, measure, column)
    means = ((model, found[measure][column]) for model, found in summary.means.items())
    return tuple(model for model, found in means if found.pairs == most and not math.isnan(found.mean))
