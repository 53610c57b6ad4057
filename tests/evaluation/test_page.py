"""The evaluation's page: that it is whole, asks nobody for anything, says what was measured and streams its cases."""

import base64
import dataclasses
import gc
import hashlib
import html.parser
import io
import math
import re
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from made_evaluations import draw_evaluation, make_evaluation, make_pairs
from mendpix.errors import DataError, InputError, OutputError, ShapeError
from mendpix.evaluation.figure_page import embed
from mendpix.evaluation.page import Case, CasePicture, write_page
from mendpix.evaluation.page_cases import MOST_PX
from mendpix.evaluation.page_parts import Addresses, worded
from mendpix.evaluation.page_style import SCRIPT
from mendpix.evaluation.results import Timing
from mendpix.evaluation.statistics import summarise

HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "a & b's </style></main>")
VOID = {"meta", "img", "input", "br"}
OUTWARD = ("src", "srcset", "data", "action", "formaction", "poster", "background", "ping")


class Page(html.parser.HTMLParser):
    """Collects what matters of a page, and checks that tags are balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.source = text
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text_of: dict[str, str] = {}
        self.open: list[tuple[str, str]] = []
        self.scripts: list[str] = []
        self.style = ""
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        assert len(found) == len(attributes), "an attribute stands twice"
        self.tags.append((tag, found))
        if tag not in VOID:
            self.open.append((tag, found.get("id") or ""))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        inside = self.open[-1][0] if self.open else ""
        if inside == "script":
            self.scripts.append(data)
        elif inside == "style":
            self.style += data
        else:
            self.text += data
            for _, name in self.open:
                self.text_of[name] = self.text_of.get(name, "") + data

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        return [
            found
            for name, found in self.tags
            if name == tag and all(found.get(key.strip("_")) == value for key, value in attributes.items())
        ]

    @property
    def ids(self) -> list[str]:
        return [found["id"] or "" for _, found in self.tags if "id" in found]


def pixels(seed: int, height: int = 24, width: int = 32) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)


def make_case(evaluation, number: int = 0, *, maps: bool = True, size: tuple[int, int] = (24, 32), **changes) -> Case:
    """Show a pair of an evaluation with pictures of noise."""
    pairs = evaluation.pairs
    pictures = tuple(
        CasePicture(
            model=model.name,
            shown=pixels(10 + place, *size),
            artifacts=pixels(20 + place, *size) if maps else None,
            values={name: float(values[number]) for name, values in model.values.items()},
            altered=int(model.altered[number]),
            score=0.25 * place if maps else math.nan,
        )
        for place, model in enumerate(evaluation.models)
    )
    case = Case(
        key=pairs.keys[number],
        bin_name=pairs.bin_names[pairs.bins[number]],
        hole_share=float(pairs.hole_shares[number]),
        truth=pixels(1, *size),
        holed=pixels(2, *size),
        pictures=pictures,
    )
    return dataclasses.replace(case, **changes)


def show(evaluation, cases, folder, worst_by="psnr") -> Page:
    """Write a page and read it."""
    path = folder / "index.html"
    write_page(summarise(evaluation, resamples=50), cases, path, worst_by=worst_by)
    return Page(path.read_text(encoding="utf-8"))


def check(page: Page) -> None:
    """Check what is true of every page."""
    ids = page.ids
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in ids)
    assert page.source.startswith("<!doctype html>")
    assert [name for name, _ in page.tags].count("h1") == 1
    for name, found in page.tags:
        assert name not in {"link", "iframe", "object", "embed", "base", "audio", "video"}
        assert not [key for key in found if key.startswith("on")], "a handler in an attribute"
        assert all((found[key] or "").startswith("data:image/") for key in OUTWARD if key in found)
        if name == "a":
            address = found["href"] or ""
            assert address.startswith("https://") or address[1:] in ids
        if name == "img":
            assert found["alt"]
        if name == "th":
            assert found["scope"] in {"row", "col"}
    assert not re.search(r"<(?![a-zA-Z/!])", page.source.replace(SCRIPT, ""))
    assert "url(" not in page.style
    assert "@import" not in page.style
    assert page.scripts == [SCRIPT]
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    policy = [found for found in page.all("meta") if found.get("http-equiv") == "Content-Security-Policy"]
    assert len(policy) == 1
    rules = dict(rule.strip().split(" ", 1) for rule in (policy[0]["content"] or "").split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'sha256-{digest}'"
    assert rules["img-src"] == "data:"
    assert not re.search(r"\bnan\b", page.text, re.IGNORECASE)


def decode(address: str | None) -> np.ndarray:
    assert address is not None
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGB"))


def test_a_page_is_whole_and_asks_nobody_for_anything(tmp_path):
    evaluation = draw_evaluation()
    page = show(evaluation, [make_case(evaluation, number) for number in (4, 2, 7)], tmp_path)
    check(page)
    contents = [found["href"] for found in page.all("a") if re.fullmatch("#[a-z]+", found["href"] or "")]
    for section in ("first", "shares", "pairwise", "cases", "definitions", "made"):
        assert f"#{section}" in contents
        assert section in page.ids
    for section in ("papers", "detection", "time"):  # nothing of the kind was measured
        assert section not in page.ids
    assert set(re.findall(r"getElementById\(\"([^\"]+)\"\)", SCRIPT)) <= set(page.ids)
    assert evaluation.protocol_id in page.text_of["first"]
    for text in ("made up: theirs", "0000000000000001", "pictures: none", "NumPy"):
        assert text in page.text
    assert "PSNR" in page.text_of["definitions"]
    assert "a is the picture that the protocol shows" in page.text_of["definitions"]
    assert "mendpix evaluate --protocol" in page.text_of["made"]
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def test_the_same_input_gives_the_same_page(tmp_path):
    evaluation = draw_evaluation()
    first = show(evaluation, [make_case(evaluation)], tmp_path).source
    assert show(evaluation, [make_case(evaluation)], tmp_path).source == first


def test_names_cannot_break_out(tmp_path):
    drawn = draw_evaluation(HOSTILE, pictures=4)
    evaluation = dataclasses.replace(
        drawn,
        protocol_name=HOSTILE[0],
        protocol_facts=HOSTILE,
        pairs=dataclasses.replace(
            drawn.pairs, keys=(*HOSTILE, *drawn.pairs.keys[3:]), bin_names=("<b>", "0.1–0.2", HOSTILE[1])
        ),
        models=tuple(dataclasses.replace(one, source=HOSTILE[1], altered=one.altered + 1) for one in drawn.models),
        versions={HOSTILE[0]: HOSTILE[2]},
    )
    page = show(evaluation, [make_case(evaluation, number) for number in range(3)], tmp_path)
    check(page)
    for text in HOSTILE:
        assert text not in page.source
        assert text in page.text
        assert text in {found.get("alt", "").split(" filled by ")[-1] for found in page.all("img")}
    assert "<b>" in page.text
    assert not page.all("img", src="x")


def test_every_case_and_picture_has_an_address_of_its_own(tmp_path):
    drawn = draw_evaluation(("a/b", "a b", "truth"), pictures=4)
    keys = ("x--y", "x-y", "x y", "…", "x-y-2", *drawn.pairs.keys[5:])
    evaluation = dataclasses.replace(drawn, pairs=dataclasses.replace(drawn.pairs, keys=keys))
    page = show(evaluation, [make_case(evaluation, number) for number in range(5)], tmp_path)
    check(page)
    cases = [found["id"] for found in page.all("article")]
    assert cases == ["case-x-y", "case-x-y-2", "case-x-y-3", "case-unnamed", "case-x-y-2-2"]
    shots = {found["id"] for found in page.all("figure")}
    assert len(shots) == 5 * (2 + 2 * 3)
    assert {f"case-x-y--{name}" for name in ("truth", "input", "a-b", "a-b-2", "truth-2", "a-b--artifacts")} <= shots
    for found in page.all("figure"):
        assert found["aria-label"]
        assert page.all("a", class_="open", href=f"#{found['id']}")


def test_every_picture_is_in_the_page_once(tmp_path):
    evaluation = draw_evaluation(pictures=4)
    case = make_case(evaluation)
    page = show(evaluation, [case], tmp_path)
    shown = [found for found in page.all("img") if found.get("class") != "plot"]
    assert len(shown) == 2 + 2 * 3
    assert len({found["src"] for found in shown}) == len(shown)
    assert page.source.count("data:image/png") + page.source.count("data:image/webp") == len(shown)
    given = [case.truth, case.holed, *(one for each in case.pictures for one in (each.shown, each.artifacts))]
    for found, expected in zip(shown, given, strict=True):
        assert np.array_equal(decode(found["src"]), expected)  # so small that it is kept without loss
        assert (found["width"], found["height"]) == ("32", "24")


def test_large_pictures_are_reduced_by_area_and_the_page_says_so(tmp_path):
    evaluation = draw_evaluation(("only",), pictures=4)
    truth = np.repeat(np.repeat(pixels(5, 2, 4) // 2 + 60, 150, axis=0), 256, axis=1)  # 300 × 1024, blocks
    noisy = (truth + np.where(np.indices((300, 1024)).sum(axis=0) % 2, 20, -20)[..., None]).astype(np.uint8)
    picture = dataclasses.replace(make_case(evaluation).pictures[0], shown=noisy, artifacts=None)
    page = show(evaluation, [make_case(evaluation, truth=truth, holed=truth, pictures=(picture,))], tmp_path)
    found = [one for one in page.all("img") if (one["alt"] or "").endswith("filled by only")]
    assert (found[0]["width"], found[0]["height"]) == (str(MOST_PX), "150")
    shown = decode(found[0]["src"]).astype(int)
    assert np.abs(shown - truth[::2, ::2])[10:60, 10:100].max() < 12  # the noise is gone: each pixel is a mean
    assert "300 × 1024 px, shown in 150 × 512" in page.text
    assert "shown in" not in show(evaluation, [make_case(evaluation)], tmp_path).text


def test_cases_are_consumed_one_by_one(tmp_path):
    evaluation = draw_evaluation(pictures=6)
    made: list[weakref.ref] = []
    alive: list[int] = []
    gc.collect()
    gc.freeze()  # what is there already need not be looked through each time

    def stream():
        for number in range(6):
            gc.collect()
            alive.append(sum(one() is not None for one in made))
            case = make_case(evaluation, number)
            made.append(weakref.ref(case))
            yield case
            del case

    try:
        page = show(evaluation, stream(), tmp_path)
    finally:
        gc.unfreeze()
    assert alive == [0] * 6
    assert len(page.all("article")) == 6
    assert "6 of 18 pairs, chosen by PSNR, dB ↑ (worst of each bin by turns)." in page.text_of["cases"]
    assert page.all("output", id="count")[0]["data-of"] == "18 pairs, chosen by PSNR, dB ↑ (worst of each bin by turns)"
    assert "sorting reorders these only" in SCRIPT


def test_a_stream_that_fails_leaves_nothing(tmp_path):
    evaluation = draw_evaluation(pictures=4)
    (tmp_path / "index.html").write_text("old", encoding="utf-8")

    def stream():
        yield make_case(evaluation)
        raise DataError("a result cannot be read.")

    with pytest.raises(DataError, match="cannot be read"):
        show(evaluation, stream(), tmp_path)
    assert [(path.name, path.read_text(encoding="utf-8")) for path in tmp_path.iterdir()] == [("index.html", "old")]


def test_without_cases_there_are_no_controls(tmp_path):
    page = show(draw_evaluation(pictures=4), [], tmp_path)
    check(page)
    assert "No cases were asked for" in page.text_of["cases"]
    assert not page.all("form")
    assert "case-list" not in page.ids


def test_one_model_is_compared_with_nobody(tmp_path):
    evaluation = draw_evaluation(("only",), pictures=4)
    page = show(evaluation, [make_case(evaluation)], tmp_path)
    check(page)
    assert "pairwise" not in page.ids
    assert not page.all("td", class_="best")
    assert "best" not in page.text_of["first"]
    assert "(best)" not in page.text_of["cases"]
    assert not page.all("abbr")


def test_the_best_and_those_not_worse_are_marked(tmp_path):
    pairs = make_pairs([0] * 12, range(12))
    spread = np.linspace(-1, 1, 12)
    turns = np.where(np.arange(12) % 2, 1.0, -1.0)
    values = {"good": 30 + spread, "near": 29.9 + spread + turns, "bad": 20 + spread}
    evaluation = make_evaluation({name: {"psnr": found} for name, found in values.items()}, pairs)
    page = show(evaluation, [make_case(evaluation, maps=False)], tmp_path)
    line = re.compile(r"<tr><th scope=\"row\">(\w+)</th>(.*?)</tr>")
    found = dict(line.findall(page.source.partition('id="first"')[2])[:3])
    assert list(found) == ["good", "near", "bad"]
    assert found["good"].startswith('<td class="best">')
    assert "≈" in found["near"]
    assert "≈" not in found["bad"]
    assert "best" not in (found["near"] + found["bad"]).replace("worse than the best", "")
    # Model against model: rows against columns.
    against = dict(line.findall(page.source.partition('id="matrix-psnr"')[2])[:3])
    assert against["good"].rpartition("<td")[2].startswith(' class="better"><b>+10.00</b>')  # than the last, bad
    assert against["bad"].startswith('<td class="worse"><b>−10.00</b>')  # than the first, good
    assert "p < 0.001" in page.text_of["matrix-psnr"]
    assert len(page.all("td", class_="better")) == len(page.all("td", class_="worse")) == 2


def test_where_nothing_could_be_significant_the_page_says_so_and_marks_nothing(tmp_path):
    drawn = draw_evaluation(pictures=8)
    models = tuple(
        dataclasses.replace(one, values={name: found + 5 * place for name, found in drawn.models[0].values.items()})
        for place, one in enumerate(drawn.models)
    )
    page = show(dataclasses.replace(drawn, models=models), [], tmp_path)
    check(page)
    assert "≈" not in page.text
    for section in ("first", "shares", "matrix-psnr"):
        assert page.text_of[section].lower().count("too few pictures to test") == 1
    assert " p " not in page.text_of["matrix-psnr"].replace("better by", "")
    assert not page.all("td", class_="better")
    assert "fewer than 9 pictures is not tested" in page.text_of["made"]
    enough = show(draw_evaluation(pictures=20), [], tmp_path)
    assert "too few pictures to test" not in enough.text_of["first"] + enough.text_of["shares"]


def test_columns_of_few_pictures_are_named(tmp_path):
    pairs = make_pairs([0] * 12 + [1] * 3, range(15))
    rng = np.random.default_rng(0)
    values = {name: {measure: rng.normal(size=15) for measure in ("psnr", "l1")} for name in "ab"}
    values["a"]["l1"][:9] = values["b"]["l1"][:9] = np.nan
    page = show(make_evaluation(values, pairs), [], tmp_path)
    words = " ".join(page.text_of["shares"].split())
    assert "Too few pictures to test in 0.1–0.2. " in words  # true of both measures
    assert words.count("Too few pictures to test in 0.0–0.1 and all.") == 1  # of one
    assert words.count("Too few") == 2


def test_a_single_bin_is_printed_once(tmp_path):
    page = show(draw_evaluation(bins=(0,), measures=("psnr", "gdn-psnr")), [], tmp_path)
    check(page)
    heads = re.findall(r"<thead><tr>(.*?)</tr>", page.source)
    assert not [head for head in heads if ">all<" in head]
    assert len([head for head in heads if "0.0–0.1" in head]) == 2
    assert "≈" in page.text_of["first"] or "best" in page.text_of["first"]


def test_the_page_says_how_to_measure_what_is_missing(tmp_path):
    page = show(draw_evaluation(measures=("gdn-psnr",)), [], tmp_path)
    assert "not measured: name fid in the protocol's metrics and give --weights-dir" in page.text_of["papers"]
    assert "not measured: name gdn-ssim in the protocol's metrics" in page.text_of["papers"]
    assert "shares" not in page.ids  # nothing but what the paper prints
    few = show(draw_evaluation(measures=("gdn-psnr",), pictures=4), [], tmp_path)
    assert few.text_of["papers"].count("Too few pictures to test.") == 1


def test_the_page_says_how_it_was_made(tmp_path):
    page = show(draw_evaluation(), [], tmp_path)
    made = page.text_of["made"]
    assert "of 50 bootstrap resamples (seed 0)" in made
    assert "over all comparisons of one measure, in all columns: every two models in every column" in made
    assert "one measure, in all columns" in page.text_of["pairwise"]
    alone = show(draw_evaluation(("only",)), [], tmp_path)
    assert "Significance:" not in alone.text_of["made"]


def test_pictures_of_the_page_are_compressed_quickly(tmp_path):
    evaluation = draw_evaluation(("only",), pictures=4)
    truth = np.clip(np.cumsum(pixels(3, 200, 200).astype(int) - 127, axis=1) // 8 + 128, 0, 255).astype(np.uint8)
    page = show(evaluation, [make_case(evaluation, size=(200, 200), truth=truth)], tmp_path)
    shown = next(one["src"] for one in page.all("img") if (one["alt"] or "").endswith("the true picture"))
    assert shown == embed(truth, 4)
    assert shown != embed(truth)  # what sheets of figures are written with
    assert len(shown or "") < 1.15 * len(embed(truth))


def test_numbers_that_mean_nothing_are_dashes(tmp_path):
    drawn = draw_evaluation(pictures=4)
    values = [dict(model.values) for model in drawn.models]
    values[0]["psnr"] = np.full(12, np.nan)
    values[1]["psnr"] = np.where(np.arange(12) == 5, np.nan, values[1]["psnr"])
    values[2]["psnr"] = np.where(np.arange(12) == 0, np.inf, values[2]["psnr"])
    models = tuple(dataclasses.replace(one, values=found) for one, found in zip(drawn.models, values, strict=True))
    evaluation = dataclasses.replace(drawn, models=models)
    case = make_case(evaluation)
    page = show(evaluation, [case, make_case(evaluation, 5)], tmp_path)
    check(page)
    assert "–" in page.text_of["first"]
    assert "∞" in page.text_of["first"]
    assert "n = 11" in page.text_of["first"]
    cells = [one for one in page.all("span") if one.get("data-measure") == "psnr"]
    assert next(one["data-value"] for one in cells if one["data-model"] == "2") == "Infinity"
    assert not [one for one in cells if one["data-model"] == "0"]
    assert len([one for one in cells if one["data-model"] == "1"]) == 1


def test_what_stands_below_pictures_and_what_the_script_sorts_by(tmp_path):
    evaluation = draw_evaluation(pictures=4, measures=("psnr", "l1-hole", "features", "edge-ratio"))
    case = make_case(evaluation, 3)
    page = show(evaluation, [case], tmp_path)
    text = page.text_of[f"case-{case.key}"]
    for picture in case.pictures:
        assert f"PSNR {picture.values['psnr']:.2f} dB" in text
        assert f"ℓ1 hole {picture.values['l1-hole']:.3f} %" in text
        assert f"features {picture.values['features']:.1f}" in text
        assert f"score {100 * picture.score:.1f} %" in text
    assert f"{100 * case.hole_share:.1f} %" in text
    assert case.bin_name in text
    assert text.count("(best)") == 3
    assert f"PSNR {max(picture.values['psnr'] for picture in case.pictures):.2f} dB (best)" in text
    assert f"features {min(picture.values['features'] for picture in case.pictures):.1f} (best)" in text
    found = {
        (one["data-measure"], one["data-model"]): one["data-value"] for one in page.all("span") if "data-value" in one
    }
    assert len(found) == 3 * 5  # four measures and the artifact score
    for place, picture in enumerate(case.pictures):
        for name, value in picture.values.items():
            assert float(found[name, str(place)] or "") == pytest.approx(value, rel=1e-6)
    options = {one["value"]: one["data-sign"] for one in page.all("option")}
    assert options | {"psnr": "1", "l1-hole": "-1", "features": "-1", "artifact-score": "-1"} == options
    assert "edge-ratio" not in options  # neither more nor less is better
    assert {"0", "1", "2"} <= set(options)


def test_the_numbers_of_a_case_include_those_of_its_true_picture(tmp_path):
    drawn = draw_evaluation(pictures=4)
    truth = {**drawn.truth, "clean-marked": np.where(np.arange(12) == 3, 1.25, np.nan)}
    evaluation = dataclasses.replace(drawn, truth=truth)
    page = show(evaluation, [make_case(evaluation, 3), make_case(evaluation, 4)], tmp_path)
    check(page)
    tables = re.findall(r'<details class="numbers">(.*?)</details>', page.source, re.DOTALL)
    for number, table in zip((3, 4), tables, strict=True):
        assert ">True picture</th></tr>" in table
        lines = dict(re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', table))
        assert lines["Edge ratio, %"].endswith(f"<td>{truth['edge-ratio'][number]:.2f}</td>")  # no value to sort by
        assert lines["PSNR, dB ↑"].endswith("<td>–</td>")
        assert ("<td>1.25</td>" in table) == (number == 3)
    without = dataclasses.replace(drawn, truth={})
    assert "True picture</th>" not in show(without, [make_case(without)], tmp_path).source


def test_while_another_picture_is_shown_its_name_stands_above_it(tmp_path):
    evaluation = draw_evaluation(("ours",), pictures=4)
    page = show(evaluation, [make_case(evaluation)], tmp_path)
    bars = re.findall(r'<div class="bar">.*?<b>(.*?)</b>', page.source)
    instead = [re.sub(r".*<span class=\"then\">(.*)</span>", r"\1", bar) for bar in bars]
    assert instead == [
        "Truth · pair-000",
        "True picture · pair-000",
        "True picture · pair-000",
        "ours · pair-000",
    ]
    assert ".shot:not(.map):target:has(.compare:checked) figcaption { visibility: hidden; }" in page.style


def test_everything_can_be_hidden_without_the_script(tmp_path):
    evaluation = draw_evaluation(("one", "two"), pictures=4)
    page = show(evaluation, [make_case(evaluation)], tmp_path)
    for box in ("model-0", "model-1", "bin-0", "bin-1", "bin-2"):
        assert page.all("input", id=box, type="checkbox")
        assert f"body:has(#{box}:not(:checked)) .{box}:not(:has(:target))" in page.style
    assert page.all("input", id="artifact-maps")
    assert [found for found in page.all("fieldset") if "hidden" in found]  # sorting needs the script
    without = show(evaluation, [make_case(evaluation, maps=False)], tmp_path)
    assert not without.all("input", id="artifact-maps")
    assert "artifact-score" not in without.source.replace(SCRIPT, "")


def test_a_case_may_lack_a_model(tmp_path):
    evaluation = draw_evaluation(pictures=4)
    case = make_case(evaluation)
    page = show(evaluation, [dataclasses.replace(case, pictures=case.pictures[::-1][:2])], tmp_path)
    check(page)
    assert len(page.all("figure")) == 2 + 2 * 2
    places = [found["data-place"] for found in page.all("figure")]
    assert places == ["truth", "input", "model-1", "map-1", "model-2", "map-2"]  # in the evaluation's order


def test_altered_known_pixels_are_said_loudly(tmp_path):
    evaluation = draw_evaluation(pictures=4)
    assert not show(evaluation, [make_case(evaluation)], tmp_path).all("div", class_="warning")
    altered = np.array([0, 1200, 7] + [0] * 9)
    models = (evaluation.models[0], dataclasses.replace(evaluation.models[1], altered=altered), evaluation.models[2])
    page = show(
        dataclasses.replace(evaluation, models=models),
        [make_case(dataclasses.replace(evaluation, models=models), 1)],
        tmp_path,
    )
    check(page)
    assert len(page.all("div", class_="warning")) == 1
    told = " ".join(page.text_of["first"].split())
    assert "2 of 12" in told
    assert "put noise into the hole, which is measured" in told
    assert "theirs altered known pixels: 1,207 pixels outside the holes, in 2 of 12 pairs; most in pair-001" in told
    assert "1,200 known pixels altered" in page.text_of["case-pair-001"]
    unknown = (dataclasses.replace(evaluation.models[0], altered=np.full(12, -1)), *evaluation.models[1:])
    raw = dataclasses.replace(evaluation, models=unknown)
    page = show(raw, [make_case(raw)], tmp_path)
    assert not page.all("div", class_="warning")
    assert "altered" not in page.text_of["case-pair-000"]


def test_detection_papers_sets_and_times_have_sections_where_measured(tmp_path):
    drawn = draw_evaluation(
        ("one", "two"),
        pictures=4,
        measures=("psnr", "detector-score", "detector-auc", "mmagic-mae"),
    )
    models = tuple(
        dataclasses.replace(
            model,
            set_values={"frechet-squeezenet": {"all": 1250.0 - place}, "detector-ece": {"all": 0.125}},
            timing=None if place else Timing(np.array([0.1, 0.2, 0.3]), 1.5, 300.0, 100.0, 2, "<processor>"),
        )
        for place, model in enumerate(drawn.models)
    )
    evaluation = dataclasses.replace(
        drawn, models=models, set_measures=("frechet-squeezenet",), truth={"clean-marked": np.full(12, 2.5)}
    )
    page = show(evaluation, [make_case(evaluation)], tmp_path)
    check(page)
    assert "2.50 %" in page.text_of["detection"]
    assert "0.125" in page.text_of["detection"]
    detection = page.source.partition('id="detection"')[2].partition("</section>")[0]
    assert 'class="best">' in detection  # by the artifact score
    assert "0.1250" not in re.findall(r'class="best">(?:<span.*?</span>)?([^<]*)', detection)
    assert "1,250" in page.text_of["first"]
    assert "as in MMagic" in page.text_of["papers"]
    assert "not measured" in page.text_of["papers"]
    assert "as in LaMa" not in page.text_of["papers"]
    assert "MAE as in MMagic" not in page.text_of["shares"]  # once is enough
    for text in ("200", "1.50", "300", "<processor>"):
        assert text in page.text_of["time"]
    for text in ("clean-marked", "detector-ece", "mmagic-mae", "frechet-squeezenet"):
        assert text in page.text_of["definitions"]
    assert "artifact-score" not in page.source.replace(SCRIPT, "")  # it was measured under its own name


def test_plots_are_pictures_that_cannot_reach_the_page(tmp_path):
    page = show(draw_evaluation(pictures=4), [], tmp_path)
    plots = page.all("img", class_="plot")
    assert len(plots) == 3
    for found in plots:
        kind, _, content = (found["src"] or "").partition(",")
        assert kind == "data:image/svg+xml;base64"
        assert base64.b64decode(content).startswith(b"<svg")
    assert not page.all("svg")


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"bin_name": "0.7–0.8"}, InputError, "bin of case pair-000 must be one of"),
        ({"truth": np.zeros((24, 32, 3), np.float32)}, ShapeError, "truth of case pair-000 must be uint8"),
        ({"holed": np.zeros((24, 32), np.uint8)}, ShapeError, "input of case pair-000 must be uint8"),
        ({"holed": np.zeros((24, 31, 3), np.uint8)}, ShapeError, r"must have the true picture's size \(24, 32\)"),
    ],
)
def test_cases_that_do_not_fit_are_refused(tmp_path, changes, error, words):
    evaluation = draw_evaluation(pictures=4)
    with pytest.raises(error, match=words):
        show(evaluation, [make_case(evaluation, 1), make_case(evaluation, **changes)], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_pictures_of_wrong_models_are_refused(tmp_path):
    evaluation = draw_evaluation(pictures=4)
    first, *others = make_case(evaluation).pictures
    with pytest.raises(InputError, match="models of the evaluation; got nobody"):
        show(evaluation, [make_case(evaluation, pictures=(dataclasses.replace(first, model="nobody"),))], tmp_path)
    with pytest.raises(InputError, match="each model once; got ours twice"):
        show(evaluation, [make_case(evaluation, pictures=(first, *others, first))], tmp_path)
    small = dataclasses.replace(first, artifacts=pixels(0, 12, 16))
    with pytest.raises(ShapeError, match="artifact map of ours of case pair-000"):
        show(evaluation, [make_case(evaluation, pictures=(small,))], tmp_path)


def test_a_folder_that_is_not_there_is_told_of(tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        show(draw_evaluation(pictures=4), [], tmp_path / "nowhere")


@given(st.lists(st.text(max_size=12), max_size=20))
def test_addresses_are_safe_and_differ(names):
    addresses = Addresses("truth")
    given_out = [addresses.give(name) for name in names]
    assert len({"truth", *given_out}) == len(names) + 1
    for one in given_out:
        assert re.fullmatch(r"[A-Za-z0-9._]+(-[A-Za-z0-9._]+)*", one)  # two hyphens stand between parts


def test_words_become_links_and_names():
    assert worded("As `l1` & so, see https://a.org/b?c=1&d=2, (https://e.org).") == (
        'As <code>l1</code> &amp; so, see <a href="https://a.org/b?c=1&amp;d=2" rel="noreferrer">'
        'https://a.org/b?c=1&amp;d=2</a>, (<a href="https://e.org" rel="noreferrer">https://e.org</a>).'
    )
    assert worded("javascript:alert(1) <b>`") == "javascript:alert(1) &lt;b&gt;`"
