"""Words that the report in Markdown and the page share: what a table's marks mean, how numbers were made.

Plain text, names between backticks. Computes no statistics.
"""

from collections.abc import Sequence

from mendpix.evaluation.measures import MEASURES, SET_MEASURES, needs_weights
from mendpix.evaluation.ranking import has_tests, untested_columns
from mendpix.evaluation.results import Evaluation
from mendpix.evaluation.statistics import LEVEL, Difference, Summary

TOO_FEW = "too few pictures to test"
"""Said once where a difference could not be significant however large it is."""


IN_FORMULAS = "In formulas, a is the picture that the protocol shows (see “measured” at the top), b the true one."
"""Stands above the definitions."""


def has_marks(summary: Summary, measures: Sequence[str]) -> bool:
    """Tell whether a table of some measures can say which model is best."""
    return len(summary.evaluation.models) > 1 and any(MEASURES[name].sign for name in measures)


def has_close(summary: Summary, measures: Sequence[str], columns: Sequence[str]) -> bool:
    """Tell whether a table can say that a model is not significantly worse: not where nothing was tested."""
    if not has_marks(summary, measures):
        return False
    return has_tests(summary, measures, columns) or not untested_columns(summary, measures, columns)


def told_untested(summary: Summary, measures: Sequence[str], columns: Sequence[str]) -> str:
    """Say where a table has too few pictures to test; nothing if there are enough everywhere."""
    untested = untested_columns(summary, measures, columns)
    if not untested or not has_tests(summary, measures, columns):
        return TOO_FEW if untested else ""
    if len(columns) == 1:
        titles = [f"“{MEASURES[name].title}”" for name in measures if untested_columns(summary, (name,), columns)]
        return f"{TOO_FEW} {listed(titles)}"
    return f"{TOO_FEW} in {listed(untested)}"


def told_of_couples(differences: Sequence[Difference]) -> str:
    """Say whether differences of two models were tested, and why not."""
    untested = sum(found.too_few for found in differences)
    if not untested:
        return ""
    return TOO_FEW if untested == len(differences) else f"no p: {TOO_FEW}"


def told_of_altered(evaluation: Evaluation) -> str:
    """Say what altered known pixels do to the numbers, as far as the protocol's facts tell."""
    facts = evaluation.protocol_facts
    if any(fact.startswith("measured: composite") for fact in facts):
        said = "Composites are measured: the true pixels were put back before, so this is no part of the numbers."
    elif any(fact.startswith("measured: raw") for fact in facts):
        said = "Raw answers are measured, so this is part of the numbers."
    else:
        said = "In composites the true pixels were put back before; in raw answers this is part of the numbers."
    return f"{said} Lossy files (JPEG) alter known pixels and also put noise into the hole, which is measured."


def listed(words: Sequence[str]) -> str:
    """Join words.

    Example:
        >>> listed(["0.1–0.2", "0.3–0.4", "all"])
        '0.1–0.2, 0.3–0.4 and all'
    """
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def not_measured(name: str) -> str:
    """Say that a measure is missing, and how to get it."""
    ways = [f"name `{name}` in the protocol's metrics"]
    if needs_weights(name):
        ways.append("give --weights-dir")
    if (SET_MEASURES[name].vector if name in SET_MEASURES else MEASURES[name].needs) == "detector":
        ways.append("name a detector there")
    return f"not measured: {listed(ways)}"


def how_made(summary: Summary) -> list[str]:
    """Say how intervals and tests came about, a paragraph each."""
    said = [
        f"Intervals: {LEVEL} % of {summary.resamples:,} bootstrap resamples (seed {summary.seed}), percentiles. A "
        "resample draws pictures with replacement, each with all its pairs: pairs that share a picture are not "
        "independent.",
        "An interval is that of one mean and shows above all how much pictures differ. Two models are compared pair by "
        "pair, so they may differ significantly although their intervals overlap.",
    ]
    if summary.comparisons:
        each = "every two models in every column" if len(summary.evaluation.pairs.bin_names) > 1 else "every two models"
        said += [
            f"Significance: two-sided sign-flip permutation tests over the pictures, {summary.flips:,} drawings (all "
            f"of them where there are no more), at {100 - LEVEL} % after Holm's correction over all comparisons of one "
            f"measure, in all columns: {each}. The p printed is that of the test alone.",
            f"A difference in fewer than {summary.least_pictures:,} pictures is not tested ({TOO_FEW}) and not counted "
            f"in the correction: among {summary.comparisons:,} comparisons of one measure it could not be significant, "
            "however large.",
        ]
    said.append("Pairs without a value are left out of a mean. A difference is over the pairs that both models have.")
    return said
