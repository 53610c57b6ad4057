"""Every measure computes, means what its definition says at equal pictures and empty holes, and is in the documents.

docs/concepts/metrics.md below its marker is made from the tables: UPDATE_DOCS=1 pytest tests/evaluation rewrites it.
"""

import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendpix.composite import composite
from mendpix.errors import InputError, ModelError, ShapeError
from mendpix.evaluation import views as views_module
from mendpix.evaluation.adaptors import ADAPTOR_MEASURES, ADAPTORS
from mendpix.evaluation.measures import GROUPS, MEASURES, SET_MEASURES, TRUTH_MEASURES, Views, expand, quantise
from mendpix.metrics.border import border_mae
from mendpix.metrics.edges import edge_ratio
from mendpix.metrics.l1 import l1, l1_hole, l1_relative_to_sum, l1_relative_to_target
from mendpix.metrics.psnr import psnr
from mendpix.metrics.squeezenet import SqueezeNet
from mendpix.metrics.ssim import ssim
from mendpix.metrics.texture import border_gradient, texture_ratio

PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "metrics.md"
MARKER = "<!-- From here on made from the tables in src/mendpix/evaluation by tests/evaluation/test_measures.py. -->\n"

BACKBONE = SqueezeNet()


def levels(shape, seed):
    """A picture of exact levels."""
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.float32) / np.float32(255)


def views_of(target, prediction, hole, **settings):
    generator = np.random.default_rng(9)
    given = {
        "backbone": BACKBONE,
        "lpips": {net: lambda first, second: float(np.abs(first - second).mean()) for net in ("alex", "vgg")},
        "probability": generator.random(hole.shape).astype(np.float32),
    }
    return Views(target, prediction, hole, **{**given, **settings})


@pytest.fixture
def pair():
    target = levels((56, 60, 3), 0)
    generator = np.random.default_rng(1)
    prediction = np.clip(target + 0.2 * generator.standard_normal(target.shape), 0, 1).astype(np.float32)
    hole = np.zeros((56, 60), np.float32)
    hole[10:40, 20:50] = 1
    return target, prediction, hole


# ----------------------------------------------------------------------------------------------------------------------
# Views


@pytest.mark.parametrize("how", ["round", "truncate", "none"])
def test_levels_stay_levels(how):
    every = np.arange(256, dtype=np.float32).reshape(16, 16, 1) / np.float32(255)
    assert np.array_equal(quantise(every, how), every)
    assert quantise(every, how).dtype == np.float32
    doubles = (np.arange(256) / 255).astype(np.float32).reshape(16, 16, 1)
    assert np.array_equal(quantise(doubles, how), every)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_rounding_and_truncating_are_those_of_bytes(seed):
    image = np.random.default_rng(seed).random((7, 9, 3), dtype=np.float32)
    saved = np.rint(image * 255).astype(np.uint8)
    cast = (image * 255).astype(np.uint8)
    assert np.array_equal(np.rint(quantise(image, "round") * 255), saved)
    assert np.array_equal(np.rint(quantise(image, "truncate") * 255), cast)
    assert quantise(image, "none") is image


@pytest.mark.parametrize("how", ["round", "truncate", "none"])
def test_known_pixels_of_a_composite_are_the_targets_own(pair, how):
    target, prediction, hole = pair
    views = views_of(*pair, quantisation=how)
    assert np.array_equal(views.shown()[hole == 0], target[hole == 0])
    assert np.array_equal(views.shown(), quantise(composite(*pair), how))
    assert np.array_equal(views.shown(image="raw"), quantise(prediction, how))
    assert np.array_equal(views.shown("truncate", "raw"), quantise(prediction, "truncate"))


def test_shown_pictures_are_computed_once_and_cannot_be_written_to(pair):
    views = views_of(*pair)
    assert views.shown() is views.shown("round", "composite")
    assert views.shown() is not views.shown("truncate")
    for array in (views.shown(), views.shown("none", "raw"), views.shown_grey(), views.target_grey()):
        assert not array.flags.writeable
    assert pair[1].flags.writeable
    assert all(array.flags.writeable for array in pair)


def test_pairs_of_one_target_share_what_depends_on_it_alone(pair):
    target, prediction, hole = pair
    other, cache = np.zeros_like(prediction), {}
    alone = [measure.compute(views_of(target, other, hole)) for measure in MEASURES.values()]
    first = views_of(target, prediction, hole, cache=cache)
    for measure in MEASURES.values():
        measure.compute(first)
    computed = dict(cache)
    second = views_of(target, other, hole, cache=cache)
    np.testing.assert_array_equal([measure.compute(second) for measure in MEASURES.values()], alone)
    assert len(computed) == 10  # grey, edges, and four windows in colour and grey
    assert cache.keys() == computed.keys()
    assert all(cache[key] is computed[key] for key in cache)


def test_nothing_large_is_kept_of_a_large_target(pair, monkeypatch):
    monkeypatch.setattr(views_module, "KEPT_PX", 56 * 60 - 1)
    cache = {}
    views = views_of(*pair, cache=cache)
    values = [views.ssim(window) for window in ("gaussian-11", "uniform-51")]
    assert not cache
    monkeypatch.undo()
    views = views_of(*pair, cache=cache)
    assert [views.ssim(window) for window in ("gaussian-11", "uniform-51")] == values
    assert len(cache) == 2


def test_the_arrays_given_stay_as_they_were(pair):
    kept = [array.copy() for array in pair]
    for array in pair:
        array.setflags(write=False)
    views = views_of(*pair)
    for measure in MEASURES.values():
        measure.compute(views)
    assert all(np.array_equal(array, copy) for array, copy in zip(pair, kept, strict=True))


def test_what_was_not_opened_is_said(pair):
    bare = Views(*pair)
    with pytest.raises(ModelError, match="needs the backbone SqueezeNet"):
        MEASURES["features"].compute(bare)
    for name in ("detector-score", "detector-auc", "detector-ap", "detector-iou"):
        with pytest.raises(ModelError, match="the protocol names none"):
            MEASURES[name].compute(bare)
    for name, measure in MEASURES.items():
        if not measure.needs:
            assert isinstance(measure.compute(bare), float), name


# ----------------------------------------------------------------------------------------------------------------------
# The table


@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_computes_a_number(name, pair):
    value = MEASURES[name].compute(views_of(*pair))
    assert isinstance(value, float)
    assert math.isfinite(value)


@pytest.mark.parametrize("name", [name for name, measure in MEASURES.items() if measure.equal is not None])
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(["noise", "black", "white", "flat"]))
def test_equal_pictures_give_what_is_stated(name, seed, kind):
    target = levels((53, 58, 3), seed)
    if kind != "noise":
        target[:] = {"black": 0, "white": 1, "flat": np.float32(77) / np.float32(255)}[kind]
    hole = (np.random.default_rng(seed).random((53, 58)) < 0.4).astype(np.float32)
    hole[0, :2] = 0, 1
    measure = MEASURES[name]
    assert measure.compute(views_of(target, target.copy(), hole)) == pytest.approx(measure.equal, abs=1e-9)


def test_the_words_state_the_value_of_equal_pictures():
    for name, measure in MEASURES.items():
        if measure.equal is None:
            assert "Equal pictures: 0" not in measure.definition, name
        else:
            value = "infinite" if math.isinf(measure.equal) else f"{measure.equal:g}"
            assert f"Equal pictures: {value}" in measure.definition, name


def test_an_empty_hole_gives_no_value_where_it_is_said_and_only_there(pair):
    target, prediction, hole = pair
    views = views_of(target, prediction, np.zeros_like(hole), image="raw")
    for name, measure in MEASURES.items():
        said = "mpty hole: no value" in measure.definition or "empty hole, or" in measure.definition
        said |= "mpty or full hole: no value" in measure.definition
        assert math.isnan(measure.compute(views)) == said, name


def test_edges_are_those_of_the_true_picture_where_pictures_are_equal(pair):
    target, _, hole = pair
    views = views_of(target, target.copy(), hole)
    assert MEASURES["edge-ratio"].compute(views) == 100 * edge_ratio(target) == views.true_edge_ratio()


@pytest.mark.parametrize("image", ["composite", "raw"])
@pytest.mark.parametrize("how", ["round", "truncate", "none"])
def test_plain_measures_are_the_functions_on_what_the_protocol_shows(pair, how, image):
    target, prediction, hole = pair
    shown = quantise(prediction if image == "raw" else composite(*pair), how)
    expected = {
        "l1": l1(shown, target),
        "l1-hole": l1_hole(shown, target, hole),
        "l1-sum": l1_relative_to_sum(shown, target),
        "l1-target": l1_relative_to_target(shown, target),
        "psnr": psnr(shown, target),
        "psnr-grey": psnr(shown, target, grey=True),
        "edge-ratio": 100 * edge_ratio(shown),
        "edge-ratio-off": 100 * abs(edge_ratio(shown) - edge_ratio(target)),
        "border-mae": border_mae(shown, target, hole),
        "texture-ratio": texture_ratio(shown, hole),
        "texture-ratio-off": abs(np.log2(texture_ratio(shown, hole))),
        "border-gradient": border_gradient(shown, hole),
        "border-gradient-off": abs(np.log2(border_gradient(shown, hole))),
        "features": 1000 * BACKBONE.feature_distance(shown, target),
        "lpips-alex": float(np.abs(shown - target).mean()),
    }
    for window in ("gaussian-11", "gaussian-11-zero", "uniform-51", "uniform-7"):
        expected[f"ssim-{window}"] = ssim(shown, target, window=window)
        expected[f"ssim-{window}-grey"] = ssim(shown, target, window=window, grey=True)
    views = views_of(*pair, quantisation=how, image=image)
    for name, value in expected.items():
        assert MEASURES[name].compute(views) == pytest.approx(value, rel=1e-12), name


def test_detection_measures_by_hand(pair):
    target, prediction, hole = pair
    found = np.where(hole > 0, np.float32(0.9), np.float32(0.1))
    views = views_of(target, prediction, hole, probability=found)
    values = {name: MEASURES[name].compute(views) for name in MEASURES if MEASURES[name].needs == "detector"}
    assert values == {
        "detector-score": pytest.approx(90),
        "detector-auc": 1,
        "detector-ap": 1,
        "detector-iou": 1,
    }
    assert TRUTH_MEASURES["clean-marked"].compute(views) == pytest.approx(100 * hole.mean())
    views = views_of(target, prediction, hole, probability=0.5 * found)
    assert MEASURES["detector-iou"].compute(views) == 0
    assert TRUTH_MEASURES["clean-marked"].compute(views) == 0
    with pytest.raises(InputError, match="must be known"):
        expand(["psnr", "clean-marked"])


def test_more_damage_is_worse_by_every_measure_that_has_a_better_end():
    generator = np.random.default_rng(3)
    data = pytest.importorskip("skimage.data")
    target = data.astronaut()[60:160, 170:270].astype(np.float32) / np.float32(255)
    noise = generator.standard_normal(target.shape)
    hole = np.zeros((100, 100), np.float32)
    hole[20:80, 20:80] = 1
    weak, strong = (
        views_of(target, np.clip(target + scale * noise, 0, 1).astype(np.float32), hole) for scale in (0.05, 0.3)
    )
    for name, measure in MEASURES.items():
        if measure.sign and measure.needs != "detector":
            assert measure.sign * measure.compute(weak) > measure.sign * measure.compute(strong), name


def test_every_entry_is_fully_described():
    for name, measure in {**MEASURES, **SET_MEASURES}.items():
        assert name == name.lower(), name
        assert measure.title, name
        assert measure.unit in {"", "%", "dB"}, name
        assert measure.sign in {-1, 0, 1}, name
        assert measure.definition.endswith("."), name
        assert "`" not in measure.definition, f"{name}: reports show definitions as plain text"
        assert measure.source == "mendpix" or "https://" in measure.source, name
    titles = [measure.title for measure in (*MEASURES.values(), *SET_MEASURES.values())]
    assert len(titles) == len(set(titles))
    for measure in SET_MEASURES.values():
        assert measure.least_pairs >= 1


def test_small_pictures_are_refused_in_words():
    target, hole = levels((40, 40, 3), 0), np.ones((40, 40), np.float32)
    hole[0] = 0
    views = views_of(target, target.copy(), hole)
    with pytest.raises(ShapeError, match="at least 51 × 51, the window"):
        MEASURES["ssim-uniform-51"].compute(views)
    assert MEASURES["ssim-gaussian-11"].compute(views) == 1


# ----------------------------------------------------------------------------------------------------------------------
# Groups


def test_names_stand_for_one_thing_each():
    names = [*MEASURES, *SET_MEASURES, *GROUPS]
    assert len(names) == len(set(names))
    for name, members in GROUPS.items():
        assert members, name
        assert set(members) <= {*MEASURES, *SET_MEASURES}, name
        assert len(members) == len(set(members)), name
    assert {f"as-in-{key}" for key in ADAPTORS} < set(GROUPS)


def test_the_standard_group_needs_nothing_from_elsewhere():
    assert {MEASURES[name].needs for name in GROUPS["standard"] if name in MEASURES} == {"", "backbone"}
    assert {SET_MEASURES[name].vector for name in GROUPS["standard"] if name in SET_MEASURES} == {"squeezenet"}


def test_the_removal_group_asks_for_no_truth_but_in_its_set():
    measures, sets = expand(["removal"])
    target, hole = levels((56, 60, 3), 0), np.zeros((56, 60), np.float32)
    hole[10:40, 20:50] = 1
    other = np.where(hole[..., None] > 0, np.float32(0), target)  # the same outside, another truth inside
    first, second = (views_of(truth, levels((56, 60, 3), 1), hole) for truth in (target, other))
    for name in measures:
        assert MEASURES[name].compute(first) == MEASURES[name].compute(second), name
    assert sets == ("frechet-hole",)
    assert SET_MEASURES["frechet-hole"].vector == "squeezenet-hole"


def test_names_and_groups_are_expanded_in_order_and_once():
    assert expand(["ssim-uniform-7", "psnr"]) == (("ssim-uniform-7", "psnr"), ())
    assert expand(["psnr", "as-in-mat", "psnr", "fid"]) == (("psnr", "mat-psnr", "mat-ssim", "mat-l1"), ("fid",))
    assert expand(["kid", "standard", "fid"])[1] == ("kid", "frechet-squeezenet", "fid")
    assert expand(["standard", "l1"]) == expand(["standard"])


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["psrn"], r"got 'psrn'\. Did you mean psnr"),
        (["psnr", "ssim-gausian-11"], r"Did you mean ssim-gaussian-11"),
        (["as-in-lamma"], r"Did you mean as-in-lama"),
        (["zzzz"], r"got 'zzzz'\. There are l1, l1-hole, .*standard"),
        ([], "must be named"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(names, words):
    with pytest.raises(InputError, match=words):
        expand(names)


# ----------------------------------------------------------------------------------------------------------------------
# The page


def page_of_tables():
    """Return the part of docs/concepts/metrics.md that is made from the tables."""
    better = {1: "more is better", -1: "less is better", 0: "neither end is better"}

    def lines(measures):
        for name, one in measures.items():
            facts = ", ".join(filter(None, (one.unit, better[one.sign])))
            least = f" From {one.least_pairs:,} pairs on." if getattr(one, "least_pairs", 1) > 1 else ""
            needs = {"detector": " Needs a detector."}.get(getattr(one, "needs", ""), "")
            needs = " Needs weights that do not ship with mendpix." if _is_learned(one) else needs
            yield f"- **`{name}`** {one.title} ({facts}). {one.definition}{least}{needs} *{one.source}*"

    plain = {name: measure for name, measure in MEASURES.items() if name not in ADAPTOR_MEASURES}
    parts = [
        "## Measures of one pair\n",
        "a is the picture that the protocol shows, b the true one.\n",
        *lines(plain),
        "\n## Measures of the untouched pictures\n",
        "They come by themselves where the protocol names a detector.\n",
        *lines(TRUTH_MEASURES),
        "\n## Measures of a set\n",
        *lines(SET_MEASURES),
        "\n## As other programs print them\n",
        "Each has the rounding of its program, whatever the protocol says. a is the composite.\n",
    ]
    for key, adaptor in ADAPTORS.items():
        parts += [f"### {adaptor.title[0].upper()}{adaptor.title[1:]}\n", f"Group `as-in-{key}`. {adaptor.note}\n"]
        parts += ["| printed there | here |", "| --- | --- |"]
        parts += [f"| {label} | `{name}` |" for label, name in adaptor.rows]
        parts += ["", *lines({name: MEASURES[name] for _, name in adaptor.rows if name in ADAPTOR_MEASURES}), ""]
    parts += ["## Groups\n", "| group | measures |", "| --- | --- |"]
    parts += [f"| `{name}` | {', '.join(f'`{member}`' for member in members)} |" for name, members in GROUPS.items()]
    return "\n".join(parts) + "\n"


def _is_learned(measure):
    return getattr(measure, "needs", "").startswith("lpips") or getattr(measure, "vector", "") == "inception"


def test_the_page_holds_every_definition():
    text = PAGE.read_text(encoding="utf-8")
    above, marker, below = text.partition(MARKER)
    assert marker, f"{PAGE.name} must hold the line {MARKER!r}"
    if os.environ.get("UPDATE_DOCS"):
        below = "\n" + page_of_tables()
        PAGE.write_text(above + marker + below, encoding="utf-8")
    assert below == "\n" + page_of_tables()
    for name, measure in {**MEASURES, **SET_MEASURES}.items():
        assert f"`{name}`" in below
        assert measure.definition in below
