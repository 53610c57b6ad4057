import dataclasses
import itertools
import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_evaluations import draw_evaluation
from mendpix.errors import InputError, OutputError
from mendpix.evaluation import plots, svg
from mendpix.evaluation.plots import difference_plot, headlines, line_plot, write_plots
from mendpix.evaluation.statistics import summarise

SVG = "{http://www.w3.org/2000/svg}"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def summary_of(evaluation):
    return summarise(evaluation, resamples=50)


def parse(drawing):
    """Parse a drawing, and check that everything in it lies on the paper."""
    root = ElementTree.fromstring(drawing)
    width, height = float(root.get("width")), float(root.get("height"))
    assert root.get("viewBox") == f"0 0 {svg.place(width)} {svg.place(height)}"
    for element in root.iter():
        along = [element.get(name) for name in ("x", "x1", "x2", "cx")]
        across = [element.get(name) for name in ("y", "y1", "y2", "cy")]
        shape = NUMBER.findall(element.get("points") or element.get("d") or "")
        assert all(0 <= float(value) <= width for value in (*along, *shape[0::2]) if value is not None)
        assert all(0 <= float(value) <= height for value in (*across, *shape[1::2]) if value is not None)
    return root


def texts(root):
    return [element.text for element in root.iter(f"{SVG}text")]


def series(root, name):
    """Return the group of a model in the field; the next one of that name is in the legend."""
    return next(group for group in root.iter(f"{SVG}g") if group.find(f"{SVG}title").text == name)


def count_marks(group):
    return len(group.findall(f"{SVG}circle")) + len(group.findall(f"{SVG}polygon"))


def test_a_line_plot_shows_every_mean_with_its_interval():
    root = parse(line_plot(summary_of(draw_evaluation()), "psnr"))
    for name in ("ours", "theirs", "third"):
        group = series(root, name)
        assert count_marks(group) == 4
        assert len(group.findall(f"{SVG}line")) == 12  # a whisker is a line with two caps
        assert len(group.findall(f"{SVG}path")) == 1
        assert name in texts(root)
    shown = texts(root)
    assert {"PSNR, dB", "0.0–0.1", "0.2–0.3", "all", "share of the picture that is hole"} <= set(shown)
    assert any("95 % interval · more is better" in text for text in shown)
    assert "protocol 0123456789abcdef" in shown


def test_marks_and_whiskers_stand_where_the_numbers_are():
    summary = summary_of(draw_evaluation(("alone",)))
    root = parse(line_plot(summary, "l1"))
    scale = {
        float(element.text): float(element.get("y")) - 4
        for element in root.iter(f"{SVG}text")
        if element.get("text-anchor") == "end" and re.fullmatch(r"[\d.]+", element.text)
    }
    (low, y_low), *_, (high, y_high) = sorted(scale.items())
    marks = series(root, "alone").findall(f"{SVG}circle")
    whiskers = [line for line in series(root, "alone").findall(f"{SVG}line") if line.get("x1") == line.get("x2")]
    for mark, whisker, estimate in zip(marks, whiskers, summary.means["alone"]["l1"].values(), strict=True):
        values = [
            low + (float(y) - y_low) / (y_high - y_low) * (high - low)
            for y in (mark.get("cy"), whisker.get("y1"), whisker.get("y2"))
        ]
        assert values == pytest.approx([estimate.mean, estimate.low, estimate.high], abs=0.01)


def test_the_untouched_pictures_have_a_line_of_their_own():
    root = parse(line_plot(summary_of(draw_evaluation()), "edge-ratio"))
    assert count_marks(series(root, "true pictures")) == 4
    assert "true pictures" not in texts(parse(line_plot(summary_of(draw_evaluation()), "psnr")))


def test_marks_of_one_bin_stand_beside_each_other():
    root = parse(line_plot(summary_of(draw_evaluation([f"m{number}" for number in range(16)])), "psnr"))
    places = []
    for number in range(16):
        whiskers = [
            line for line in series(root, f"m{number}").findall(f"{SVG}line") if line.get("x1") == line.get("x2")
        ]
        places += [float(whiskers[0].get("x1"))]
    assert len(set(places)) == 16
    looks = {plots._look(number) for number in range(24)}
    assert len(looks) == 24


def test_gaps_break_the_line_and_infinite_means_are_told_of():
    evaluation = draw_evaluation(bins=(0, 1, 2, 3, 4))
    bins = evaluation.pairs.bins
    values = dict(evaluation.models[0].values)
    values["psnr"] = np.where(bins == 2, math.nan, values["psnr"])
    values["l1"] = np.where(bins == 0, math.inf, values["l1"])
    models = (dataclasses.replace(evaluation.models[0], values=values), *evaluation.models[1:])
    summary = summary_of(dataclasses.replace(evaluation, models=models))
    group = series(parse(line_plot(summary, "psnr")), "ours")
    assert (count_marks(group), len(group.findall(f"{SVG}path"))) == (5, 2)
    root = parse(line_plot(summary, "l1"))
    assert count_marks(series(root, "ours")) == 4  # neither the bin nor all
    assert any("infinite means are not drawn" in text for text in texts(root))


@pytest.mark.parametrize(
    "evaluation",
    [
        draw_evaluation(("alone",)),
        draw_evaluation(pictures=1),
        draw_evaluation(bins=(0,)),
        draw_evaluation(("alone",), pictures=1, bins=(0,)),
        draw_evaluation([f"m{number}" for number in range(40)], pictures=4),
    ],
    ids=["one model", "one picture", "one bin", "one number", "forty models"],
)
def test_whatever_there_is_can_be_drawn(evaluation):
    summary = summary_of(evaluation)
    for measure in evaluation.measures:
        parse(line_plot(summary, measure))
        parse(difference_plot(summary, evaluation.models[0].name, measure))


def test_a_single_bin_is_not_drawn_twice():
    root = parse(line_plot(summary_of(draw_evaluation(bins=(0,))), "psnr"))
    assert count_marks(series(root, "ours")) == 1
    assert "all" not in texts(root)


def test_nothing_measured_is_said():
    evaluation = draw_evaluation()
    models = tuple(dataclasses.replace(model, values={}) for model in evaluation.models)
    summary = summary_of(dataclasses.replace(evaluation, models=models))
    assert "nothing was measured" in texts(parse(line_plot(summary, "psnr")))
    assert texts(parse(difference_plot(summary, "ours", "psnr"))).count("not measured") == 2


def test_equal_numbers_can_be_drawn():
    evaluation = draw_evaluation()
    models = tuple(dataclasses.replace(model, values={"psnr": np.full(60, 25.0)}) for model in evaluation.models)
    summary = summary_of(dataclasses.replace(evaluation, models=models))
    assert "25.00" in texts(parse(line_plot(summary, "psnr")))
    assert "+0.00" not in texts(parse(difference_plot(summary, "ours", "psnr")))


NAMES = ("<b>& \"quotes\" 'single' --></b>", "a" * 300, "短い名前と長い説明 " * 5, "line\nbreak\x00\x0b\ud800end", " ")


def test_names_are_escaped_and_shortened():
    summary = summary_of(draw_evaluation(NAMES))
    for drawing in (line_plot(summary, "psnr"), difference_plot(summary, NAMES[0], "psnr")):
        root = parse(drawing)
        for element in root.iter(f"{SVG}text"):
            width = svg.text_width(element.text or "", float(element.get("font-size")))
            if not element.get("transform"):
                start = (
                    float(element.get("x"))
                    - {"start": 0, "middle": width / 2, "end": width}[element.get("text-anchor")]
                )
                assert start >= 0
                assert start + width <= float(root.get("width"))
    whole = [element.text for element in root.iter(f"{SVG}title")]
    assert any(text.startswith("a" * 300) for text in whole)


def test_the_legend_stands_below_the_field_and_its_names_apart():
    root = parse(line_plot(summary_of(draw_evaluation([f"a longer name {number}" for number in range(16)])), "psnr"))
    places = [
        (float(text.get("x")), float(text.get("y")))
        for group in root.iter(f"{SVG}g")
        for text in group.findall(f"{SVG}text")
    ]
    width = svg.text_width("a longer name 15")
    assert len(places) == 16
    assert all(y > plots.TOP_PX + plots.FIELD_PX + 40 for _, y in places)
    for (x, y), (other_x, other_y) in itertools.combinations(places, 2):
        assert abs(y - other_y) >= 14 or abs(x - other_x) >= width + 38


def test_differences_to_one_model_are_drawn_hollow_unless_significant():
    evaluation = draw_evaluation(("base", "same", "worse"), apart=0.0, pictures=12)
    values = {name: evaluation.models[0].values[name] for name in evaluation.measures}
    worse = {name: found + (-1 if name == "psnr" else 1) for name, found in values.items()}
    models = (
        evaluation.models[0],
        evaluation.models[1],
        dataclasses.replace(evaluation.models[2], values=worse),
    )
    summary = summary_of(dataclasses.replace(evaluation, models=models))
    root = parse(difference_plot(summary, "base", "psnr"))
    same, worse_ = (
        next(group for group in root.iter(f"{SVG}g") if group.find(f"{SVG}title").text.startswith(name))
        for name in ("same", "worse")
    )
    assert [element.get("class") for element in same if element.tag == f"{SVG}polygon"] == ["mp-hollow"]
    assert [element.get("class") for element in worse_ if element.tag == f"{SVG}polygon"] == [None]
    assert "−1.00 [−1.00, −1.00]" in texts(root)
    assert "difference to base, all pairs" in texts(root)
    assert "difference to base, bin 0.1–0.2" in texts(parse(difference_plot(summary, "base", "psnr", "0.1–0.2")))


def test_differences_that_cannot_be_tested_are_not_called_insignificant():
    for pictures, words in ((20, "hollow: not significant"), (4, "hollow: too few pictures to test")):
        shown = texts(parse(difference_plot(summary_of(draw_evaluation(pictures=pictures)), "ours", "psnr")))
        assert sum(text.endswith(words) for text in shown) == 1
    evaluation = draw_evaluation(bins=(0,))
    some = np.where(np.arange(20) < 3, evaluation.models[2].values["psnr"], math.nan)
    models = (*evaluation.models[:2], dataclasses.replace(evaluation.models[2], values={"psnr": some}))
    shown = texts(parse(difference_plot(summary_of(dataclasses.replace(evaluation, models=models)), "ours", "psnr")))
    assert any(text.endswith("hollow: not significant, or too few pictures to test") for text in shown)


def test_unknown_names_are_refused_in_words():
    summary = summary_of(draw_evaluation())
    with pytest.raises(InputError, match="one of psnr, l1, edge-ratio; got 'beauty'"):
        line_plot(summary, "beauty")
    with pytest.raises(InputError, match="one of ours, theirs, third; got 'nobody'"):
        difference_plot(summary, "nobody", "psnr")
    with pytest.raises(InputError, match=r"one of 0\.0–0\.1, .*, all; got '9'"):
        difference_plot(summary, "ours", "psnr", "9")


def test_plots_are_written_and_old_ones_removed(tmp_path):
    summary = summary_of(draw_evaluation())
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "features.svg").write_text("of an earlier evaluation")
    (tmp_path / "plots" / "mine.svg").write_text("of somebody else")
    written = write_plots(summary, tmp_path)
    assert sorted(path.name for path in written) == [
        "edge-ratio.svg",
        "l1-differences.svg",
        "l1.svg",
        "psnr-differences.svg",
        "psnr.svg",
    ]
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == sorted(
        ["mine.svg", *(path.name for path in written)]
    )
    before = [path.read_bytes() for path in written]
    assert [path.read_bytes() for path in write_plots(summary_of(draw_evaluation()), tmp_path)] == before
    with pytest.raises(OutputError, match="plots must go into"):
        write_plots(summary, tmp_path / "missing")


def test_headlines_are_those_that_were_measured():
    assert headlines(draw_evaluation()) == ("psnr", "l1", "edge-ratio")
    others = draw_evaluation(measures=("l1-hole", "l1-sum", "l1-target", "border-mae", "psnr-grey"))
    assert headlines(others) == ("l1-hole", "l1-sum", "l1-target", "border-mae")


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 12))
def test_ticks_are_round_and_in_the_range(low, length, most):
    found = svg.ticks(low, low + length, most)
    assert len(found) <= most
    assert all(low - 1e-6 * length <= value <= low + length * (1 + 1e-6) for value in found)
    steps = {float(f"{step:.9g}") for step in np.diff(found)}
    for step in steps if abs(low) < 1e3 * length else ():
        mantissa = step / 10 ** math.floor(math.log10(step) + 1e-9)
        assert min(abs(mantissa - wanted) for wanted in (1, 2, 5)) < 1e-4


def test_colours_can_be_told_apart_with_any_kind_of_eyes():
    """Distances as the docstring of `svg.LIGHT` states them; matrices of Machado et al. 2009 for missing cones."""
    eyes = [
        np.eye(3),
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ]
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])

    def linear(colour):
        part = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)]) / 255
        return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)

    def lab(light):
        x, y, z = np.cbrt(np.maximum(to_xyz @ np.clip(light, 0, 1) / (0.9505, 1, 1.089), 0.008856))
        return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])

    for colours, paper in ((svg.LIGHT, "#ffffff"), (svg.DARK, "#16181c")):
        assert paper in svg.STYLE
        ground = linear(paper) @ to_xyz[1] + 0.05
        for colour in colours:
            ratio = (linear(colour) @ to_xyz[1] + 0.05) / ground
            assert max(ratio, 1 / ratio) > 3
        for eye in eyes:
            seen = [lab(np.array(eye) @ linear(colour)) for colour in colours]
            assert min(np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2)) > 21
