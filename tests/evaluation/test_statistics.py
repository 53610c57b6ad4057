import dataclasses
import math

import numpy as np
import pytest

from made_evaluations import draw_evaluation, make_evaluation, make_pairs
from mendpix.errors import InputError
from mendpix.evaluation import statistics
from mendpix.evaluation.results import ALL
from mendpix.evaluation.statistics import Difference, Estimate, count_flips, summarise

NAN, INF = math.nan, math.inf


def with_values(evaluation, model, measure, values):
    """Replace a model's values of one measure."""
    models = [
        dataclasses.replace(one, values={**one.values, measure: values}) if one.name == model else one
        for one in evaluation.models
    ]
    return dataclasses.replace(evaluation, models=tuple(models))


def test_means_are_plain_means_of_the_pairs_of_a_column():
    evaluation = draw_evaluation(bins=(0, 1, 1, 2))
    summary = summarise(evaluation, resamples=100)
    values = evaluation.models[1].values["psnr"]
    for column, inside in (("0.1–0.2", evaluation.pairs.bins == 1), (ALL, np.full(80, True))):
        found = summary.means["theirs"]["psnr"][column]
        assert found.mean == pytest.approx(values[inside].mean(), rel=1e-15)
        assert found.pairs == inside.sum()
        assert found.low < found.mean < found.high
    assert summary.truth["edge-ratio"][ALL].mean == pytest.approx(evaluation.truth["edge-ratio"].mean())
    assert summary.flips == 10_000


def test_intervals_are_those_of_drawing_pictures_one_by_one():
    evaluation = draw_evaluation(pictures=11, bins=(0, 1, 1))
    summary = summarise(evaluation, resamples=400, seed=3)
    ours, theirs = (evaluation.models[number].values["l1"] for number in (0, 1))
    drawn = np.random.default_rng(3).integers(0, 11, (400, 11))
    means = np.empty((2, 400))
    for resample, pictures in enumerate(drawn):
        pairs = np.concatenate([np.flatnonzero(evaluation.pairs.pictures == picture) for picture in pictures])
        means[:, resample] = ours[pairs].mean(), (theirs - ours)[pairs].mean()
    found = summary.means["ours"]["l1"][ALL], summary.difference("ours", "theirs", "l1").estimate
    for estimate, resampled in zip(found, means, strict=True):
        assert (estimate.low, estimate.high) == pytest.approx(np.percentile(resampled, (2.5, 97.5)), rel=1e-9)


def test_a_difference_is_positive_where_the_first_is_better():
    evaluation = draw_evaluation(apart=1.0)
    summary = summarise(evaluation, resamples=200)
    assert set(summary.differences) == {("ours", "theirs"), ("ours", "third"), ("theirs", "third")}
    for measure in ("psnr", "l1"):  # more is better, less is better
        found = summary.difference("ours", "third", measure)
        assert 1.5 < found.estimate.low < found.estimate.mean < found.estimate.high < 2.5
        assert found.significant
        assert found.p == pytest.approx(1 / 10_001)
    assert summary.difference("ours", "third", "edge-ratio").estimate.mean < -1.5  # neither: the third has more


def test_the_other_order_gives_the_same_with_the_sign_changed():
    summary = summarise(draw_evaluation(), resamples=200)
    one, other = summary.difference("ours", "theirs", "l1"), summary.difference("theirs", "ours", "l1")
    assert other.estimate == Estimate(-one.estimate.mean, -one.estimate.high, -one.estimate.low, one.estimate.pairs)
    assert (other.p, other.significant) == (one.p, one.significant)
    assert one.negated().negated() == one
    with pytest.raises(KeyError):
        summary.difference("ours", "ours", "l1")


def test_a_model_does_not_differ_from_itself():
    pairs = make_pairs([0, 1] * 9, np.repeat(np.arange(9), 2))
    values = {"l1": np.random.default_rng(0).normal(size=18)}
    summary = summarise(make_evaluation({"a": values, "b": values}, pairs), resamples=100)
    for column in pairs.columns:
        assert summary.difference("a", "b", "l1", column) == Difference(
            Estimate(0, 0, 0, 18 if column == ALL else 9), 1, False
        )
        assert math.copysign(1, summary.difference("a", "b", "l1", column).estimate.mean) == 1


def test_pairs_without_a_value_are_left_out():
    evaluation = draw_evaluation(pictures=30)
    full = evaluation.models[0].values["psnr"]
    holed = np.where(np.arange(90) % 5 == 0, NAN, full)
    summary = summarise(with_values(evaluation, "ours", "psnr", holed), resamples=300)
    found = summary.means["ours"]["psnr"][ALL]
    assert (found.mean, found.pairs) == (pytest.approx(np.nanmean(holed)), 72)
    assert found.low < found.mean < found.high
    other = evaluation.models[1].values["psnr"]
    difference = summary.difference("ours", "theirs", "psnr").estimate
    assert (difference.mean, difference.pairs) == (pytest.approx(np.nanmean(holed - other)), 72)
    # What has nothing to do with it stays the same.
    plain = summarise(evaluation, resamples=300)
    assert summary.means["theirs"] == plain.means["theirs"]
    assert summary.difference("theirs", "third", "l1") == plain.difference("theirs", "third", "l1")


def test_differences_come_out_alike_whether_models_lack_the_same_pairs_or_not():
    """The short cut for models with values for the same pairs gives what subtracting first gives."""
    evaluation = draw_evaluation(pictures=30)
    lacks = np.arange(90) % 7 == 0
    ours, theirs = (np.where(lacks, NAN, evaluation.models[number].values["l1"]) for number in (0, 1))
    alike = with_values(with_values(evaluation, "ours", "l1", ours), "theirs", "l1", theirs)
    unlike = with_values(evaluation, "ours", "l1", ours)
    one, other = (summarise(each, resamples=300).difference("ours", "theirs", "l1") for each in (alike, unlike))
    assert one.estimate.pairs == other.estimate.pairs == int((~lacks).sum())
    assert one.p == other.p
    for name in ("mean", "low", "high"):
        assert getattr(one.estimate, name) == pytest.approx(getattr(other.estimate, name), rel=1e-9)


def test_what_was_not_measured_has_no_number():
    evaluation = draw_evaluation()
    values = evaluation.models[0].values["psnr"]
    empty = with_values(evaluation, "ours", "psnr", np.where(evaluation.pairs.bins == 1, NAN, values))
    models = (empty.models[0], dataclasses.replace(empty.models[1], values={}), empty.models[2])
    summary = summarise(dataclasses.replace(empty, models=models), resamples=100)
    found = summary.means["ours"]["psnr"]["0.1–0.2"]
    assert math.isnan(found.mean)
    assert math.isnan(found.low)
    assert found.pairs == 0
    assert summary.means["ours"]["psnr"][ALL].pairs == 40
    assert summary.means["theirs"]["l1"][ALL].pairs == 0
    nothing = summary.difference("ours", "theirs", "psnr")
    assert math.isnan(nothing.p)
    assert not nothing.significant
    assert summary.difference("ours", "third", "psnr", "0.1–0.2").estimate.pairs == 0


def test_infinite_values_spoil_nothing_but_their_own_column():
    evaluation = draw_evaluation()
    values = evaluation.models[0].values["psnr"].copy()
    values[evaluation.pairs.bins == 0] = [INF, *values[evaluation.pairs.bins == 0][1:]]
    changed = with_values(evaluation, "ours", "psnr", values)
    summary, plain = summarise(changed, resamples=100), summarise(evaluation, resamples=100)
    for column in ("0.0–0.1", ALL):
        found = summary.means["ours"]["psnr"][column]
        assert (found.mean, found.low, found.high) == (INF, INF, INF)
        assert math.isnan(found.half_width)
        difference = summary.difference("theirs", "ours", "psnr", column)
        assert difference.estimate.mean == difference.estimate.low == -INF
        assert math.isnan(difference.p)
        assert not difference.significant
    close, same = summary.means["ours"]["psnr"]["0.1–0.2"], plain.means["ours"]["psnr"]["0.1–0.2"]
    assert (close.mean, close.low, close.high) == pytest.approx((same.mean, same.low, same.high), rel=1e-9)
    assert summary.means["theirs"] == plain.means["theirs"]


def test_two_infinite_values_differ_by_nothing():
    pairs = make_pairs([0] * 6, range(6))
    ours, theirs = np.array([INF, 1, 2, 3, 4, 5]), np.array([INF, 0, 1, 2, 3, 4])
    summary = summarise(make_evaluation({"a": {"psnr": ours}, "b": {"psnr": theirs}}, pairs), resamples=100)
    found = summary.difference("a", "b", "psnr")
    assert (found.estimate.mean, found.estimate.pairs) == (pytest.approx(5 / 6), 6)
    assert found.p == 4 / 64
    both = make_evaluation({"a": {"psnr": np.array([INF, -INF, 0, 0, 0, 0])}}, pairs)
    assert math.isnan(summarise(both, resamples=10).means["a"]["psnr"][ALL].mean)


def test_one_picture_has_means_but_no_intervals():
    summary = summarise(draw_evaluation(pictures=1), resamples=50)
    for column in ("0.0–0.1", ALL):
        found = summary.means["ours"]["psnr"][column]
        assert math.isfinite(found.mean)
        assert math.isnan(found.low)
        assert math.isnan(found.half_width)
        assert math.isnan(summary.difference("ours", "theirs", "psnr", column).p)
        assert summary.difference("ours", "theirs", "psnr", column).too_few


def test_a_column_of_few_pictures_is_estimated_from_the_resamples_that_have_one():
    pairs = make_pairs([0] * 30 + [1] * 2, range(32))
    values = {"l1": np.random.default_rng(0).normal(size=32)}
    found = summarise(make_evaluation({"a": values}, pairs), resamples=500).means["a"]["l1"]["0.1–0.2"]
    assert (found.low, found.high) == pytest.approx((values["l1"][30:].min(), values["l1"][30:].max()))


def test_one_model_is_compared_with_none():
    summary = summarise(draw_evaluation(("alone",)), resamples=50)
    assert summary.differences == {}
    assert summary.means["alone"]["psnr"][ALL].pairs == 60


def test_the_correction_is_over_all_models_and_columns_of_a_measure():
    """Twenty models that are all alike: single tests fall below 5 %, none remains significant."""
    evaluation = draw_evaluation([f"m{number}" for number in range(20)], pictures=25, apart=0.0, measures=("psnr",))
    summary = summarise(evaluation, resamples=50)
    found = [one for by_measure in summary.differences.values() for one in by_measure["psnr"].values()]
    assert len(found) == 190 * 4
    assert any(one.p < 0.05 for one in found)
    assert not any(one.significant for one in found)
    assert summary.flips == count_flips(190 * 4) == 30_400


def apart_by(step, *, pictures, bins, names=("ours", "theirs", "third"), measures=("psnr",)):
    """Models of which each is worse than the one before by the same in every pair."""
    evaluation = draw_evaluation(names, pictures=pictures, bins=bins, measures=measures)
    values = evaluation.models[0].values
    for place, name in enumerate(names):
        for measure in measures:
            evaluation = with_values(evaluation, name, measure, values[measure] - step * place)
    return evaluation


def test_where_no_difference_could_be_significant_nothing_is_tested():
    """Eight pictures allow p = 0.0078, which is never below 0.05 / 12; nine allow 0.0039, which is."""
    few, enough = (summarise(apart_by(5, pictures=number, bins=(0, 1, 2)), resamples=50) for number in (8, 9))
    assert (few.comparisons, few.least_pictures) == (12, 9)
    assert few.least_p == dict.fromkeys(few.evaluation.pairs.columns, 2 / 2**8)
    for column in few.evaluation.pairs.columns:
        found = few.difference("ours", "third", "psnr", column)
        assert (found.estimate.mean, found.significant, found.too_few) == (pytest.approx(10), False, True)
        assert math.isnan(found.p)
        assert found.negated().too_few
        tested = enough.difference("ours", "third", "psnr", column)
        assert (tested.p, tested.significant, tested.too_few) == (2 / 2**9, True, False)


@pytest.mark.parametrize("pictures", [1, 3, 5])
def test_very_few_pictures_are_never_tested(pictures):
    summary = summarise(apart_by(5, pictures=pictures, bins=(0,), names=("ours", "theirs")), resamples=50)
    assert summary.least_pictures == 6
    assert summary.difference("ours", "theirs", "psnr").too_few


def test_a_bin_of_few_pictures_is_left_out_of_the_correction():
    """Of three columns one cannot be tested: the larger p of the two others must be below 0.05, not below 0.05 / 2."""
    pairs = make_pairs([0] * 12 + [1] * 3, range(15))
    differences = np.array([1.0] * 10 + [-1] * 2 + [3] * 3)
    values = {"a": {"psnr": differences}, "b": {"psnr": np.zeros(15)}}
    found = summarise(make_evaluation(values, pairs), resamples=50).differences["a", "b"]["psnr"]
    assert found["0.1–0.2"].too_few
    assert 0.05 / 2 < found["0.0–0.1"].p < 0.05
    assert found["0.0–0.1"].significant
    assert found[ALL].significant


def test_pictures_without_a_value_do_not_count_towards_a_test():
    evaluation = apart_by(5, pictures=20, bins=(0,), names=("ours", "theirs"))
    some = np.where(np.arange(20) < 5, evaluation.models[0].values["psnr"], NAN)
    for names in (("ours",), ("ours", "theirs")):
        changed = evaluation
        for name in names:
            changed = with_values(changed, name, "psnr", some - 5 * (name == "theirs"))
        found = summarise(changed, resamples=50).difference("ours", "theirs", "psnr")
        assert found.estimate.pairs == 5
        assert found.too_few
    nothing = with_values(evaluation, "ours", "psnr", np.full(20, NAN))
    endless = with_values(evaluation, "ours", "psnr", np.full(20, INF))
    for changed in (nothing, endless):
        found = summarise(changed, resamples=50).difference("ours", "theirs", "psnr")
        assert math.isnan(found.p)
        assert not found.too_few


def test_a_single_bin_is_compared_once_and_found_under_both_names():
    """Six pictures allow p = 0.031: enough for one comparison, not for two."""
    summary = summarise(apart_by(5, pictures=6, bins=(0,), names=("ours", "theirs")), resamples=50)
    assert summary.comparisons == 1
    assert summary.difference("ours", "theirs", "psnr").significant
    for found in (summary.means["ours"]["psnr"], summary.differences["ours", "theirs"]["psnr"], summary.least_p):
        assert set(found) == {"0.0–0.1", ALL}
        assert found["0.0–0.1"] == found[ALL]
    assert summary.evaluation.pairs.distinct_columns == ("0.0–0.1",)


def test_measures_of_untouched_pictures_are_known_and_others_refused():
    evaluation = draw_evaluation()
    marked = dataclasses.replace(evaluation, truth={"clean-marked": np.full(60, 2.0)})
    assert summarise(marked, resamples=10).truth["clean-marked"][ALL].mean == 2
    for changes in ({"truth": {"beauty": np.zeros(60)}}, {"measures": ("clean-marked",)}):
        with pytest.raises(InputError, match="must be in the table of measures"):
            summarise(dataclasses.replace(evaluation, **changes), resamples=10)


def test_altered_pixels_that_nobody_counted_are_in_no_total():
    (model,) = draw_evaluation(("ours",), pictures=2, bins=(0, 1)).models
    model = dataclasses.replace(model, altered=np.array([-1, 0, 7, -1]))
    assert (model.counted_pairs, model.altered_pairs, model.altered_pixels) == (2, 1, 7)


def test_with_many_models_a_clear_difference_remains_significant():
    evaluation = draw_evaluation([f"m{number}" for number in range(20)], pictures=25, apart=0.5, measures=("psnr",))
    assert summarise(evaluation, resamples=50).difference("m0", "m19", "psnr").significant


def test_the_same_numbers_give_the_same_summary_however_they_are_blocked(monkeypatch):
    evaluation = draw_evaluation()
    first, again = summarise(evaluation, resamples=200), summarise(evaluation, resamples=200)
    assert first.means == again.means
    assert first.differences == again.differences
    monkeypatch.setattr(statistics, "BLOCK_BYTES", 1)
    blocked = summarise(evaluation, resamples=200)
    assert blocked.means == first.means
    assert blocked.differences == first.differences
    other = summarise(evaluation, resamples=200, seed=1)
    assert other.means != first.means
    assert other.means["ours"]["l1"][ALL].mean == first.means["ours"]["l1"][ALL].mean


def test_the_order_of_the_pairs_does_not_matter():
    evaluation = draw_evaluation(pictures=12)
    order = np.random.default_rng(0).permutation(36)
    pairs = evaluation.pairs
    shuffled = make_pairs(pairs.bins[order].tolist(), pairs.pictures[order].tolist())
    values = {model.name: {name: values[order] for name, values in model.values.items()} for model in evaluation.models}
    truth = {name: values[order] for name, values in evaluation.truth.items()}
    one, other = (
        summarise(each, resamples=100) for each in (evaluation, make_evaluation(values, shuffled, truth=truth))
    )
    assert one.means == other.means
    assert one.differences == other.differences
    assert one.truth == other.truth


def test_bad_input_is_refused_in_words():
    evaluation = draw_evaluation()
    with pytest.raises(InputError, match="at least one resample; got 0"):
        summarise(evaluation, resamples=0)
    with pytest.raises(InputError, match=r"one per pair, shape \(60,\); psnr of ours has \(3,\)"):
        summarise(with_values(evaluation, "ours", "psnr", np.zeros(3)))
    twice = dataclasses.replace(evaluation.models[1], name="ours")
    with pytest.raises(InputError, match="different names; got ours, ours, third"):
        summarise(dataclasses.replace(evaluation, models=(evaluation.models[0], twice, evaluation.models[2])))
    with pytest.raises(InputError, match="table of measures; got beauty"):
        summarise(dataclasses.replace(evaluation, measures=("psnr", "beauty")))
    with pytest.raises(InputError, match="at least one model; got none"):
        summarise(dataclasses.replace(evaluation, models=()))
    with pytest.raises(InputError, match="at least one pair"):
        summarise(make_evaluation({"a": {}}, dataclasses.replace(make_pairs([0], [0]), keys=())))
