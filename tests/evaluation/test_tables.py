import csv
import dataclasses
import json
import math
import re

import numpy as np
import pytest

from made_evaluations import draw_evaluation, make_evaluation, make_pairs
from mendpix.errors import OutputError
from mendpix.evaluation.adaptors import ADAPTORS
from mendpix.evaluation.markdown_parts import NARROW, escaped
from mendpix.evaluation.measures import MEASURES, SET_MEASURES
from mendpix.evaluation.number_format import for_csv, for_json, interval, number, p_value, with_margin
from mendpix.evaluation.plots import PLOTS
from mendpix.evaluation.ranking import best_models, best_of_sets, close_models, untested_columns
from mendpix.evaluation.results import ALL, Timing
from mendpix.evaluation.statistics import Estimate, summarise
from mendpix.evaluation.tables import TRUTH_IN_CSV, markdown, write_tables

NAN, INF = math.nan, math.inf
ID = "0123456789abcdef"


def summary_of(evaluation):
    return summarise(evaluation, resamples=50)


def change(evaluation, model, **changes):
    """Replace fields of one model."""
    models = [dataclasses.replace(one, **changes) if one.name == model else one for one in evaluation.models]
    return dataclasses.replace(evaluation, models=tuple(models))


def with_values(evaluation, model, measure, values):
    old = next(one for one in evaluation.models if one.name == model)
    return change(evaluation, model, values={**old.values, measure: values})


def section(text, heading):
    """Return what stands below a heading, up to the next one of the same kind or a higher one."""
    level = heading.split(" ")[0]
    body = text.split(f"\n{heading}\n", 1)[1]
    return re.split(rf"\n#{{1,{len(level)}}} ", body)[0]


def cells(text, first):
    """Return the cells of the first row that begins with a name."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


# Numbers as text


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [(24.246, 2, "24.25"), (1234567.8, 0, "1,234,568"), (-0.0001, 2, "0.00"), (-2.5, 1, "−2.5"), (0.0, 0, "0"),
     (NAN, 2, "–"), (INF, 2, "∞"), (-INF, 2, "−∞"), (100.0, 0, "100")],
)  # fmt: skip
def test_numbers_are_written_for_people(value, digits, expected):
    assert number(value, digits) == expected


def test_signs_margins_and_p_are_written_for_people():
    assert [number(value, 1, plus=True) for value in (1, -1, 0.01, -0.01, INF)] == ["+1.0", "−1.0", "0.0", "0.0", "+∞"]
    assert with_margin(Estimate(1, NAN, NAN, 1), 2) == "1.00"
    assert with_margin(Estimate(INF, INF, INF, 9), 2) == "∞"
    assert with_margin(Estimate(NAN, NAN, NAN, 0), 2) == "–"
    assert interval(Estimate(1, NAN, NAN, 1), 2) == "–"
    assert [p_value(value) for value in (NAN, 0.00099, 0.001, 1.0)] == ["–", "< 0.001", "0.001", "1.000"]


def test_numbers_for_programs_keep_every_digit():
    value = 0.1 + 0.2
    assert float(for_csv(value)) == for_json(value) == value
    assert [for_csv(each) for each in (NAN, INF, -INF, np.float64(1.5))] == ["", "inf", "-inf", "1.5"]
    assert [for_json(each) for each in (NAN, INF, -INF)] == [None, "Infinity", "-Infinity"]


# Who is best


def test_the_best_of_a_column_depends_on_the_measure():
    summary = summary_of(draw_evaluation(apart=1.0))
    assert best_models(summary, "psnr", ALL) == ("ours",)
    assert best_models(summary, "l1", ALL) == ("ours",)
    assert best_models(summary, "edge-ratio", ALL) == ()
    assert close_models(summary, "psnr", ALL) == ()
    alike = summary_of(draw_evaluation(apart=0.0))
    (best,) = best_models(alike, "psnr", ALL)
    assert {best, *close_models(alike, "psnr", ALL)} == {"ours", "theirs", "third"}


def test_means_over_fewer_pairs_are_not_ranked():
    evaluation = draw_evaluation(apart=1.0)
    values = np.where(np.arange(60) < 30, 99.0, NAN)
    summary = summary_of(with_values(evaluation, "third", "psnr", values))
    assert best_models(summary, "psnr", ALL) == ("ours",)
    assert close_models(summary, "psnr", ALL) == ()
    text = markdown(summary)
    row = cells(section(text, "### PSNR, dB"), "third")
    assert row[-1] == f"99.00 ±0.00 (n{NARROW}={NARROW}30)"
    assert "only so many pairs have a value: not comparable, and not ranked" in text
    assert "not ranked" not in markdown(summary_of(evaluation))


def test_equal_means_are_both_best_and_infinity_is_best_without_a_test():
    pairs = make_pairs([0] * 8, range(8))
    same = {"psnr": np.arange(8.0)}
    summary = summary_of(make_evaluation({"a": same, "b": same, "c": {"psnr": np.arange(8.0) - 9}}, pairs))
    assert best_models(summary, "psnr", ALL) == ("a", "b")
    endless = {"psnr": np.array([INF, *range(7)])}
    summary = summary_of(make_evaluation({"a": same, "b": endless}, pairs))
    assert best_models(summary, "psnr", ALL) == ("b",)
    assert close_models(summary, "psnr", ALL) == ()
    assert cells(section(markdown(summary), "### PSNR, dB"), "b")[-1] == "**∞**"


# The report


def test_a_table_holds_means_with_margins_and_marks_the_best():
    evaluation = draw_evaluation(apart=0.05)
    summary = summary_of(evaluation)
    table = section(markdown(summary), "### PSNR, dB")
    assert cells(table, "model") == ["model", "0.0–0.1", "0.1–0.2", "0.2–0.3", "all"]
    assert "| --- | ---: | ---: | ---: | ---: |" in table
    for model in evaluation.models:
        row = cells(table, model.name)[1:]
        for column, cell in zip(evaluation.pairs.columns, row, strict=True):
            expected = with_margin(summary.means[model.name]["psnr"][column], 2)
            if model.name in best_models(summary, "psnr", column):
                assert cell == f"**{expected}**"
            elif model.name in close_models(summary, "psnr", column):
                assert cell == f"≈{NARROW}{expected}"
            else:
                assert cell == expected
    assert "**" in table.split("| model")[1]
    assert "≈" in table.split("| model")[1]


def test_the_true_pictures_are_a_row_where_they_were_measured():
    text = markdown(summary_of(draw_evaluation()))
    assert cells(section(text, "### Edge ratio, %"), r"\*true pictures\*".replace("\\", ""))[0] == "*true pictures*"
    assert "true pictures" not in section(text, "### PSNR, dB")


def test_measures_of_the_detector_over_sets_make_no_model_the_best():
    evaluation = dataclasses.replace(draw_evaluation(), set_measures=("detector-ece", "frechet-squeezenet"))
    for place, model in enumerate(evaluation.models):
        values = {name: {ALL: 0.5 + place} for name in evaluation.set_measures}
        evaluation = change(evaluation, model.name, set_values=values)
    assert best_of_sets(evaluation, "detector-ece", ALL) == ()
    assert best_of_sets(evaluation, "frechet-squeezenet", ALL) == ("ours",)
    assert best_of_sets(evaluation, "frechet-squeezenet", "0.0–0.1") == ()
    text = markdown(summary_of(evaluation))
    assert "**" not in section(text, "### Detector, calibration error")
    assert "**" in section(text, "### Fréchet distance, SqueezeNet")


def test_measures_of_sets_that_have_too_few_pairs_are_not_in_the_first_table():
    evaluation = dataclasses.replace(draw_evaluation(), set_measures=("frechet-squeezenet",))
    text = markdown(summary_of(evaluation))
    assert "Fréchet" not in section(text, "## What to read first")
    assert "– fewer than 256 pairs" in section(text, "### Fréchet distance, SqueezeNet")
    enough = change(evaluation, "ours", set_values={"frechet-squeezenet": {ALL: 10.0}})
    assert "Fréchet" in section(markdown(summary_of(enough)), "## What to read first")


def test_definitions_say_what_the_letters_of_formulas_are():
    text = section(markdown(summary_of(draw_evaluation())), "## Definitions")
    assert text.lstrip().startswith("In formulas, a is the picture that the protocol shows")


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        ("measured: composite (known pixels from the true picture)", "this is no part of the numbers."),
        ("measured: raw answer", "Raw answers are measured, so this is part of the numbers."),
        ("pictures: raw, composite", "In composites the true pixels were put back"),
    ],
)
def test_what_altered_pixels_do_is_said_of_the_protocol_at_hand(fact, expected):
    evaluation = dataclasses.replace(rich_evaluation(), protocol_facts=("masks: none", fact))
    text = section(markdown(summary_of(evaluation)), "## Altered known pixels")
    assert expected in text
    assert "put noise into the hole, which is measured" in text


def test_one_model_is_best_of_none():
    text = markdown(summary_of(draw_evaluation(("alone",))))
    assert "best" not in text.replace("not significantly worse than the best", "")
    assert "## Model against model" not in text
    assert "≈" not in text


def rich_evaluation():
    """Return an evaluation that has something of every kind."""
    measures = ("psnr", "l1", "edge-ratio", "detector-auc", "gdn-psnr", "gdn-ssim", "lama-ssim")
    evaluation = draw_evaluation(("ours", "th|ei*rs", "third"), measures=measures)
    columns = evaluation.pairs.columns
    evaluation = dataclasses.replace(
        evaluation,
        set_measures=("frechet-squeezenet", "detector-auc-pooled", "detector-ece"),
        truth={**evaluation.truth, "clean-marked": np.linspace(0, 2, 60)},
    )
    for place, model in enumerate(evaluation.models):
        evaluation = change(
            evaluation,
            model.name,
            set_values={
                "frechet-squeezenet": {column: 10.0 + place if column == ALL else NAN for column in columns},
                "detector-auc-pooled": dict.fromkeys(columns, 0.75),
            },
            timing=Timing(np.linspace(0.01, 0.03, 21), 1.5, 300.0, 100.0, 2, "Some processor") if place else None,
        )
    altered = np.zeros(60, np.int64)
    altered[[3, 7]] = 5, 1000
    return change(evaluation, "th|ei*rs", altered=altered)


def test_everything_that_was_measured_has_its_place():
    text = markdown(summary_of(rich_evaluation()))
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings == [
        "Models",
        "What to read first",
        "Altered known pixels",
        "By hole share",
        "Of whole sets",
        "Detection",
        "As papers print it",
        "Model against model",
        "Time and memory",
        "Definitions",
        "How the numbers were made",
    ]
    assert cells(section(text, "## Altered known pixels"), r"th\|ei\*rs")[1:] == [
        "2 of 60",
        "1,005",
        "1,000",
        "pair-007",
    ]
    sets = section(text, "## Of whole sets")
    assert cells(sets, "ours")[1:] == ["–", "–", "–", f"**{number(10, SET_MEASURES['frechet-squeezenet'].digits)}**"]
    assert "fewer than 256 pairs" in sets
    detection = section(text, "## Detection")
    assert "### Detector, ROC-AUC of all pixels" in detection
    assert cells(section(text, "### Detector, calibration error"), "ours")[1:] == ["–"] * 4
    assert "*true pictures*" in detection.split("### Marked of the untouched picture")[1]
    times = section(text, "## Time and memory")
    assert cells(times, "third")[1:] == ["Some processor", "20", "29", "21", "1.50", "300", "200", "2"]
    assert "| ours |" not in times
    for name in ("psnr", "gdn-ssim", "frechet-squeezenet", "detector-auc-pooled", "clean-marked"):
        assert f"(`{name}`" in section(text, "## Definitions")


def test_numbers_as_papers_print_them_stand_apart_and_what_is_missing_is_said():
    text = markdown(summary_of(rich_evaluation()))
    papers = section(text, "## As papers print it")
    assert re.findall(r"^### (.*)$", papers, re.MULTILINE) == ["As in GDN", "As in LaMa"]
    gdn = section(text, "### As in GDN")
    assert (
        "| FID | *not measured: name `fid` in the protocol's metrics and give --weights-dir* | – | – | – | – |" in gdn
    )
    assert ADAPTORS["gdn"].note in gdn
    assert "name `lpips-vgg` in the protocol's metrics and give --weights-dir" in section(text, "### As in LaMa")
    assert "| ℓ1 (%) | *not measured: name `gdn-l1` in the protocol's metrics* |" in gdn
    assert "gdn" not in section(text, "## By hole share").lower()


def test_every_table_stands_under_the_id_of_its_protocol():
    blocks = markdown(summary_of(rich_evaluation())).split("\n\n")
    tables = [place for place, block in enumerate(blocks) if block.startswith("|")]
    assert len(tables) > 15
    for place in tables[2:]:  # before: how many pairs there are, and what the models are
        assert f"`{ID}`" in blocks[place - 1]
    for place in tables:
        rows = blocks[place].splitlines()
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


def test_two_models_are_compared_in_the_measures_to_read_first():
    summary = summary_of(draw_evaluation(apart=1.0))
    text = section(markdown(summary), "## Model against model")
    assert re.findall(r"^### (.*)$", text, re.MULTILINE) == [
        "Differences in PSNR, dB",
        "Differences in ℓ1, whole picture, %",
    ]
    row = cells(text, "ours")
    found = summary.difference("ours", "theirs", "psnr")
    assert row == [
        "ours",
        "theirs",
        f"**{number(found.estimate.mean, 2, plus=True)}**",
        interval(found.estimate, 2, plus=True),
        "< 0.001",
    ]
    assert text.count("\n| ours |") == 4  # against two others, twice


def test_many_models_are_compared_with_the_best_only():
    names = [f"m{place}" for place in range(8)]
    text = section(
        markdown(summary_of(draw_evaluation(names, apart=1.0, measures=("psnr",)))), "## Model against model"
    )
    assert text.count("| m0 |") == 7
    assert text.count("\n| m1 |") == 0
    assert "by how much the best model is better" in text


def test_text_that_stands_inside_another_page_refers_to_no_files():
    summary = summary_of(rich_evaluation())
    alone, inside = markdown(summary), markdown(summary, docs=True)
    assert alone.startswith("# Evaluation: made-up\n")
    assert f"]({PLOTS}/psnr.svg)" in alone
    assert f"]({PLOTS}/psnr-differences.svg)" in alone
    assert "](" not in inside
    assert "tables.csv" not in inside
    assert not re.search(r"^##? [^#]", inside, re.MULTILINE)
    assert "\n### Models\n" in inside
    assert "\n#### PSNR, dB\n" in inside


def test_names_cannot_break_a_table_or_become_markup():
    name = "a|b *c* `d` _e_ [f](g) <h>\n| i | ~j~ $k$ # \\"
    assert "\n" not in escaped(name)
    assert re.fullmatch(r"(?:[^\\`*_\[\]<>|~#$&]|\\.)*", escaped(name))
    text = markdown(summary_of(draw_evaluation((name, "other"))))
    table = section(text, "### PSNR, dB").split("\n\n")[2].splitlines()
    assert len({len(re.findall(r"(?<!\\)\|", row.replace("\\\\", ""))) for row in table}) == 1
    assert len(table) == 4


# Files


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_files_hold_the_same_numbers_in_full(tmp_path):
    evaluation = rich_evaluation()
    summary = summary_of(evaluation)
    written = write_tables(summary, tmp_path / "new" / "report")
    assert {path.name for path in written} >= {"report.md", "tables.csv", "differences.csv", "pairs.csv", "report.json"}
    assert all(path.is_file() for path in written)
    folder = tmp_path / "new" / "report"

    means = {(row["model"], row["measure"], row["column"]): row for row in read(folder / "tables.csv")}
    found = summary.means["th|ei*rs"]["l1"]["0.1–0.2"]
    row = means["th|ei*rs", "l1", "0.1–0.2"]
    assert (float(row["mean"]), float(row["low"]), float(row["high"])) == (found.mean, found.low, found.high)
    assert row["pairs"] == "20"
    assert means["ours", "frechet-squeezenet", ALL]["mean"] == "10.0"
    assert means["ours", "frechet-squeezenet", "0.1–0.2"]["mean"] == ""
    assert float(means[TRUTH_IN_CSV, "clean-marked", ALL]["mean"]) == pytest.approx(1)
    assert len(means) == 3 * (7 + 3) * 4 + 2 * 4

    differences = {
        (row["first"], row["second"], row["measure"], row["column"]): row for row in read(folder / "differences.csv")
    }
    assert len(differences) == 3 * 7 * 4
    difference = summary.difference("ours", "third", "psnr")
    row = differences["ours", "third", "psnr", ALL]
    assert float(row["difference"]) == difference.estimate.mean
    assert float(row["p"]) == difference.p
    assert row["significant"] == ("yes" if difference.significant else "no")

    pairs = read(folder / "pairs.csv")
    assert len(pairs) == 60 * 4
    assert [row["model"] for row in pairs[:4]] == [TRUTH_IN_CSV, "ours", "th|ei*rs", "third"]
    assert pairs[0]["psnr"] == pairs[1]["clean-marked"] == pairs[0]["altered"] == ""
    assert float(pairs[4 * 7 + 2]["psnr"]) == evaluation.models[1].values["psnr"][7]
    assert (pairs[4 * 7 + 2]["altered"], pairs[4 * 7 + 2]["pair"], pairs[4 * 7 + 2]["bin"]) == (
        "1000",
        "pair-007",
        "0.1–0.2",
    )

    report = json.loads((folder / "report.json").read_text("utf-8"), parse_constant=pytest.fail)
    assert report["protocol"]["id"] == ID
    assert report["models"][1]["means"]["l1"]["0.1–0.2"]["low"] == found.low
    assert report["models"][0]["sets"]["frechet-squeezenet"] == {
        "0.0–0.1": None,
        "0.1–0.2": None,
        "0.2–0.3": None,
        ALL: 10.0,
    }
    assert report["models"][1]["altered"] == {"pairs": 2, "pixels": 1005, "counted_pairs": 60}
    assert report["statistics"]["comparisons"] == 12
    assert report["differences"][1]["measures"]["psnr"][ALL]["too_few_pictures"] is False
    assert (report["models"][0]["timing"], report["models"][1]["timing"]["threads"]) == (None, 2)
    assert report["differences"][1]["measures"]["psnr"][ALL]["p"] == difference.p
    assert report["statistics"]["resamples"] == 50
    assert set(report["measures"]) == {*evaluation.measures, *evaluation.set_measures, *evaluation.truth}
    assert report["measures"]["psnr"]["definition"] == MEASURES["psnr"].definition


def test_every_table_for_programs_begins_with_the_id_of_its_protocol(tmp_path):
    tables = [path for path in write_tables(summary_of(rich_evaluation()), tmp_path) if path.suffix == ".csv"]
    assert len(tables) == 3
    for path in tables:
        rows = read(path)
        assert next(iter(rows[0])) == "protocol"
        assert {row["protocol"] for row in rows} == {ID}


def test_what_is_not_finite_is_written_so_that_programs_can_read_it(tmp_path):
    evaluation = draw_evaluation()
    values = evaluation.models[0].values["psnr"].copy()
    values[0], values[evaluation.pairs.bins == 1] = INF, NAN
    write_tables(summary_of(with_values(evaluation, "ours", "psnr", values)), tmp_path)
    means = {(row["model"], row["measure"], row["column"]): row for row in read(tmp_path / "tables.csv")}
    assert means["ours", "psnr", ALL]["mean"] == means["ours", "psnr", ALL]["high"] == "inf"
    assert means["ours", "psnr", "0.1–0.2"]["mean"] == ""
    report = json.loads((tmp_path / "report.json").read_text("utf-8"), parse_constant=pytest.fail)
    assert report["models"][0]["means"]["psnr"][ALL]["mean"] == "Infinity"
    assert report["models"][0]["means"]["psnr"]["0.1–0.2"] == {"mean": None, "low": None, "high": None, "pairs": 0}
    pairs = read(tmp_path / "pairs.csv")
    assert [row["psnr"] for row in pairs if row["model"] == "ours"][:2] == ["inf", ""]


TOO_FEW = "too few pictures to test"


def far_apart(pictures, bins, names=("ours", "theirs", "third")):
    """Models of which each is worse than the one before by 5 dB in every pair."""
    evaluation = draw_evaluation(names, pictures=pictures, bins=bins, measures=("psnr",))
    values = evaluation.models[0].values["psnr"]
    for place, name in enumerate(names):
        evaluation = with_values(evaluation, name, "psnr", values - 5 * place)
    return evaluation


@pytest.mark.parametrize(("pictures", "bins"), [(8, (0, 1, 2)), (3, (0, 1)), (1, (0,))])
def test_nothing_is_called_close_where_nothing_could_be_significant(tmp_path, pictures, bins):
    summary = summary_of(far_apart(pictures, bins))
    assert close_models(summary, "psnr", ALL) == ()
    text = markdown(summary)
    assert "≈" not in text
    for heading in ("## What to read first", "### PSNR, dB", "## Model against model"):
        assert section(text, heading).lower().count(TOO_FEW) == 1
    assert cells(section(text, "## Model against model"), "ours")[-1] == "–"
    assert "significant after correction" not in text
    write_tables(summary, tmp_path)
    for row in read(tmp_path / "differences.csv"):
        assert (row["p"], row["significant"]) == ("", "")
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    found = report["differences"][0]["measures"]["psnr"][ALL]
    assert (found["p"], found["significant"], found["too_few_pictures"]) == (None, None, True)
    assert report["statistics"]["least_p"][ALL] == 2.0 ** (1 - pictures)


def test_columns_of_few_pictures_are_named():
    pairs = make_pairs([0] * 12 + [1] * 3, range(15))
    values = np.random.default_rng(0).normal(size=(2, 15))
    summary = summary_of(make_evaluation({"a": {"psnr": values[0]}, "b": {"psnr": values[1]}}, pairs))
    assert untested_columns(summary, ("psnr",), pairs.columns) == ("0.1–0.2",)
    table = section(markdown(summary), "### PSNR, dB")
    assert "≈ not significantly worse than the best; too few pictures to test in 0.1–0.2." in table
    assert TOO_FEW not in section(markdown(summary), "## What to read first")
    row = [cell for name in "ab" for cell in cells(table, name)[1:]]
    assert sum("≈" in cell for cell in row) == 2  # in the first bin and over all


def test_a_single_bin_is_printed_once():
    text = markdown(summary_of(draw_evaluation(bins=(0,), measures=("psnr", "gdn-psnr"))))
    assert cells(section(text, "### PSNR, dB"), "model") == ["model", "0.0–0.1"]
    assert cells(section(text, "### As in GDN"), "printed there as") == ["printed there as", "model", "0.0–0.1"]
    assert "| pairs | 20 |\n| pictures | 20 |" in text
    assert "| all |" not in text


def test_altered_pixels_that_nobody_counted_are_no_number(tmp_path):
    evaluation = change(draw_evaluation(("a", "b", "c")), "a", altered=np.full(60, -1))
    evaluation = change(evaluation, "b", altered=np.where(np.arange(60) < 2, [5] + [-1] * 59, 0))
    summary = summary_of(evaluation)
    altered = section(markdown(summary), "## Altered known pixels")
    assert cells(altered, "b")[1:] == ["1 of 59", "5", "5", "pair-000"]
    assert "| a |" not in altered
    write_tables(summary, tmp_path)
    assert [row["altered"] for row in read(tmp_path / "pairs.csv") if row["pair"] == "pair-001" and row["psnr"]] == [
        "",
        "",
        "0",
    ]
    found = {
        model["name"]: model["altered"] for model in json.loads((tmp_path / "report.json").read_text("utf-8"))["models"]
    }
    assert found["a"] == {"pairs": None, "pixels": None, "counted_pairs": 0}
    assert found["b"] == {"pairs": 1, "pixels": 5, "counted_pairs": 59}


def test_captions_are_sentences():
    for block in markdown(summary_of(rich_evaluation())).split("\n\n"):
        if block.startswith("Protocol `"):
            assert not re.search(r"\. [a-zµ]", block), block
    assert "Mean ± half of the 95 % interval" in markdown(summary_of(draw_evaluation()))
    assert "over all comparisons of one measure, in all columns" in markdown(summary_of(draw_evaluation()))


@pytest.mark.parametrize(
    "evaluation",
    [
        draw_evaluation(("alone",), pictures=1, bins=(0,)),
        draw_evaluation(bins=(0,)),
        draw_evaluation(pictures=2, bins=(0, 0, 1)),
        draw_evaluation([f"m{number}" for number in range(17)], pictures=4),
    ],
    ids=["one number", "one bin", "two pictures", "seventeen models"],
)
def test_whatever_there_is_can_be_written_twice_alike(tmp_path, evaluation):
    first = {path.name: path.read_bytes() for path in write_tables(summary_of(evaluation), tmp_path / "one")}
    again = {path.name: path.read_bytes() for path in write_tables(summary_of(evaluation), tmp_path / "two")}
    assert first == again
    assert b"nan" not in first["report.md"] + first["tables.csv"] + first["report.json"].lower()


def test_a_folder_that_cannot_be_made_is_told_of(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="tables must go into a folder"):
        write_tables(summary_of(draw_evaluation()), tmp_path / "file" / "report")
