"""Imitated drawings: exact reproduction from the record, and the numbers that are published about QD-IMD."""

import json
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendpix.data.drawings import (
    DRAWING_PX,
    DrawingParameters,
    Imitations,
    Stroke,
    draw_drawing,
    generator_for,
    sample_drawing,
)
from mendpix.errors import InputError


@cache
def sampled():
    return [sample_drawing(generator_for(0, number)) for number in range(600)]


@given(seed=st.integers(0, 2**40))
@settings(max_examples=20, deadline=None)
def test_every_drawing_is_black_on_white_and_survives_its_record(seed):
    parameters = sample_drawing(np.random.default_rng(seed))
    drawing = draw_drawing(parameters)
    assert drawing.shape == (DRAWING_PX, DRAWING_PX)
    assert drawing.dtype == np.uint8
    assert set(np.unique(drawing)) <= {0, 255}
    again = DrawingParameters.from_dict(json.loads(json.dumps(parameters.to_dict())))
    assert again == parameters
    assert np.array_equal(draw_drawing(again), drawing)


def test_the_number_of_strokes_is_normal_around_four_and_at_least_one():
    counts = np.array([len(parameters.strokes) for parameters in sampled()])
    assert counts.min() == 1
    assert counts.mean() == pytest.approx(4.05, abs=0.25)  # a little above 4: what is below 1 becomes 1
    assert counts.std() == pytest.approx(1.94, abs=0.2)


def test_widths_and_scales_are_even_over_their_ranges():
    parameters = sampled()
    widths = [stroke.width_px for one in parameters for stroke in one.strokes]
    values, counts = np.unique(widths, return_counts=True)
    assert values.tolist() == list(range(5, 16))
    assert counts.max() < 1.5 * counts.min()
    scales = np.array([one.scale_thousandths for one in parameters])
    assert scales.min() >= 1000
    assert scales.max() <= 1500
    assert np.histogram(scales, 5, (1000, 1500))[0].min() > 80


def test_strokes_are_smooth_lines_and_differ_in_form():
    strokes = [stroke for one in sampled()[:200] for stroke in one.strokes]
    lengths, spans = [], []
    for stroke in strokes:
        points = np.array(stroke.points).reshape(-1, 2)
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        lengths.append(steps.sum())
        spans.append(np.ptp(points, axis=0).max())
        assert len(points) >= 12
        assert len(points) > 40 or steps.max() < 0.6 * max(steps.sum(), 1)  # no stroke is one leap
    assert min(spans) < 100
    assert max(spans) > 400
    ratio = np.array(lengths) / np.maximum(spans, 1)
    assert ratio.min() < 1.1, "no straight stroke"
    assert ratio.max() > 4, "no scribble"


def test_drawings_are_sparse_like_strokes_on_paper():
    shares = np.array([(draw_drawing(parameters) == 0).mean() for parameters in sampled()[:100]])
    assert 0.06 < shares.mean() < 0.13
    assert shares.max() < 0.45


def test_enlarging_makes_strokes_wider_and_keeps_the_centre():
    stroke = Stroke((0, 256, 511, 256), 10)
    narrow, wide = (draw_drawing(DrawingParameters((stroke,), scale)) for scale in (1000, 1500))
    assert (narrow[:, 100] == 0).sum() == pytest.approx(11, abs=1)
    assert (wide[:, 100] == 0).sum() == pytest.approx(16, abs=1)
    assert np.flatnonzero(wide[:, 100] == 0).mean() == pytest.approx(256, abs=1)


def test_the_centre_is_cut_out():
    drawing = draw_drawing(DrawingParameters((Stroke((100, 256, 412, 256), 5),), 1500))
    (columns,) = np.nonzero((drawing == 0).any(axis=0))
    assert columns.min() == pytest.approx(256 - 1.5 * 158, abs=2)
    assert columns.max() == pytest.approx(256 + 1.5 * 158, abs=2)


def test_strokes_may_leave_the_paper():
    drawing = draw_drawing(DrawingParameters((Stroke((-300, -300, 900, 900), 9),), 1000))
    assert (drawing == 0).any()


def test_imitations_depend_on_seed_and_number_alone():
    few, many, other = Imitations(3), Imitations(1000), Imitations(1000, seed=1)
    assert list(few.names) == ["imitation-0000001", "imitation-0000002", "imitation-0000003"]
    assert len(many.names) == 1000
    assert np.array_equal(few.read(2), many.read(2))
    assert not np.array_equal(few.read(2), other.read(2))
    assert not np.array_equal(few.read(1), few.read(2))
    assert few.facts() != many.facts() != other.facts()


def test_reading_gives_a_new_array():
    drawings = Imitations(1)
    drawings.read(0)[:] = 7
    assert set(np.unique(drawings.read(0))) == {0, 255}


def test_numbers_beyond_the_end_and_empty_sources_are_refused():
    with pytest.raises(IndexError):
        Imitations(3).read(3)
    with pytest.raises(InputError, match="at least 1 drawing must be imitated; got 0"):
        Imitations(0)


def test_generators_differ_by_each_word_and_do_not_run_words_together():
    first = [generator_for(*words).integers(2**60) for words in ((1, 23), (12, 3), (1, "2", "3"), (1, "2\x003"))]
    assert len(set(first[:3])) == 3
    assert generator_for(1, "a").integers(2**60) == generator_for(1, "a").integers(2**60)
