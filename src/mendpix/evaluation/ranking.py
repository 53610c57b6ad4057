"""Who is best in a column of a table, and who comes close. Computes no statistics.

Only models that have a value for as many pairs as any other are ranked: means over fewer pairs cannot be compared.
"""

import math
from collections.abc import Sequence

from mendpix.evaluation.measures import MEASURES, SET_MEASURES
from mendpix.evaluation.results import Evaluation, Measured
from mendpix.evaluation.statistics import Difference, Summary


def full_count(summary: Summary, measure: str, column: str) -> int:
    """Return the largest number of pairs for which a model has a value."""
    return max((found[measure][column].pairs for found in summary.means.values()), default=0)


def lacks_pairs(summary: Summary, measures: Sequence[str], columns: Sequence[str]) -> bool:
    """Tell whether a model has values for some pairs, but for fewer than another has."""
    return any(
        found[name][column].pairs not in (0, full_count(summary, name, column))
        for found in summary.means.values()
        for name in measures
        for column in columns
    )


def best_models(summary: Summary, measure: str, column: str) -> tuple[str, ...]:
    """Return the models with the best mean, several if their means are the same.

    Empty if more is neither better nor worse, or fewer than two models can be compared.
    """
    sign = MEASURES[measure].sign
    ranked = {model: sign * summary.means[model][measure][column].mean for model in _ranked(summary, measure, column)}
    if not sign or len(ranked) < 2:
        return ()
    return tuple(model for model, value in ranked.items() if value == max(ranked.values()))


def judges_models(set_measure: str) -> bool:
    """Tell whether a measure of sets says which model is better: one of the detector says how good the detector is."""
    measure = SET_MEASURES[set_measure]
    return measure.sign != 0 and measure.vector != "detector"


def best_of_sets(evaluation: Evaluation, set_measure: str, column: str) -> tuple[str, ...]:
    """Return the models with the best value of a measure of sets, as `best_models` does."""
    sign = SET_MEASURES[set_measure].sign
    values = {one.name: sign * set_value(one, set_measure, column) for one in evaluation.models}
    ranked = {model: value for model, value in values.items() if not math.isnan(value)}
    if not judges_models(set_measure) or len(ranked) < 2:
        return ()
    return tuple(model for model, value in ranked.items() if value == max(ranked.values()))


def set_value(model: Measured, set_measure: str, column: str) -> float:
    """Return a model's value of a measure of sets, NaN if there is none."""
    return model.set_values.get(set_measure, {}).get(column, math.nan)


def has_value(evaluation: Evaluation, set_measure: str, column: str) -> bool:
    """Tell whether any model has a value of a measure of sets: not where there are too few pairs."""
    return any(not math.isnan(set_value(one, set_measure, column)) for one in evaluation.models)


def close_models(summary: Summary, measure: str, column: str) -> tuple[str, ...]:
    """Return the models that are worse than the best, but not significantly.

    Where a difference cannot be tested, because a mean is infinite or there are too few pictures, no model is close.
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


def untested_columns(summary: Summary, measures: Sequence[str], columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns in which too few pictures have values to test any ranked model against the best.

    Args:
        summary: What was found.
        measures: In one of these at least.
        columns: Which columns to look at.
    """
    return tuple(
        column
        for column in columns
        if any(found.too_few for name in measures for found in _against_best(summary, name, column))
    )


def has_tests(summary: Summary, measures: Sequence[str], columns: Sequence[str]) -> bool:
    """Tell whether any ranked model was tested against the best."""
    return any(
        not math.isnan(found.p)
        for column in columns
        for name in measures
        for found in _against_best(summary, name, column)
    )


def _against_best(summary: Summary, measure: str, column: str) -> list[Difference]:
    best = best_models(summary, measure, column)
    others = (model for model in _ranked(summary, measure, column) if model not in best)
    return [summary.difference(best[0], model, measure, column) for model in others] if best else []


def _ranked(summary: Summary, measure: str, column: str) -> tuple[str, ...]:
    most = full_count(summary, measure, column)
    means = ((model, found[measure][column]) for model, found in summary.means.items())
    return tuple(model for model, found in means if found.pairs == most and not math.isnan(found.mean))
