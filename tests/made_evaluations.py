"""Evaluations made up from random numbers, for tests of what compares and shows them."""

from collections.abc import Mapping, Sequence

import numpy as np

from mendpix.evaluation.results import Evaluation, FloatVector, Measured, Pairs

MEASURES = ("psnr", "l1", "edge-ratio")
START = {"psnr": 30.0, "l1": 2.0, "edge-ratio": 9.0}


def make_pairs(bins: Sequence[int], pictures: Sequence[int]) -> Pairs:
    """Give a pair for each bin and picture; bins count from 0 without gaps."""
    names = tuple(f"0.{number}–0.{number + 1}" for number in range(max(bins) + 1))
    return Pairs(
        keys=tuple(f"pair-{number:03}" for number in range(len(bins))),
        pictures=np.array(pictures, np.int64),
        bins=np.array(bins, np.int64),
        bin_names=names,
        hole_shares=(np.array(bins) + 0.5) / 10,
    )


def make_evaluation(
    values: Mapping[str, Mapping[str, FloatVector]],
    pairs: Pairs,
    *,
    truth: Mapping[str, FloatVector] | None = None,
    measures: Sequence[str] | None = None,
    set_measures: Sequence[str] = (),
) -> Evaluation:
    """Put an evaluation together.

    Args:
        values: Model -> measure -> values.
        pairs: The pairs.
        truth: Measure -> values of the untouched pictures.
        measures: Names; None = those of the first model.
        set_measures: Names.
    """
    models = tuple(
        Measured(name, f"made up: {name}", f"{number:016x}", found, np.zeros(len(pairs.keys), np.int64))
        for number, (name, found) in enumerate(values.items())
    )
    return Evaluation(
        protocol_name="made-up",
        protocol_id="0123456789abcdef",
        protocol_facts=("pictures: none", "masks: none"),
        pairs=pairs,
        models=models,
        truth=truth or {},
        measures=tuple(measures if measures is not None else next(iter(values.values()))),
        set_measures=tuple(set_measures),
        versions={"mendpix": "0.0", "NumPy": "0.0"},
    )


def draw_evaluation(
    names: Sequence[str] = ("ours", "theirs", "third"),
    *,
    pictures: int = 20,
    bins: Sequence[int] = (0, 1, 2),
    seed: int = 0,
    apart: float = 0.3,
    measures: Sequence[str] = MEASURES,
) -> Evaluation:
    """Draw values of models of which each is worse than the one before, every picture with every bin.

    Args:
        names: Of the models.
        pictures: How many.
        bins: Bins of each picture.
        seed: Of the random numbers.
        apart: By how much neighbours differ; the spread of pictures is 1, that of pairs 0.5.
        measures: Names.
    """
    rng = np.random.default_rng(seed)
    pairs = make_pairs([number for _ in range(pictures) for number in bins], np.repeat(np.arange(pictures), len(bins)))
    shared = {measure: rng.normal(size=pictures)[pairs.pictures] for measure in measures}
    values = {
        name: {
            measure: START.get(measure, 1.0)
            + shared[measure]
            + 0.5 * rng.normal(size=len(pairs.keys))
            + (-apart if measure == "psnr" else apart) * place
            for measure in measures
        }
        for place, name in enumerate(names)
    }
    truth = {"edge-ratio": 9.5 + shared["edge-ratio"]} if "edge-ratio" in measures else {}
    return make_evaluation(values, pairs, truth=truth)
