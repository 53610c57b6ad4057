import cv2
import numpy as np
import pytest

from mendpix.inference.holes import find_holes
from mendpix.inference.routing import (
    LEAST_COMPACTNESS,
    THIN_PX,
    THIN_SHARE,
    VAST_SHARE,
    choose_methods,
    told,
)
from mendpix.weights.table import FOR_STROKES, FOR_THINGS


def gravel(size, seed=0):
    """Grain with a little form in it."""
    rng = np.random.default_rng(seed)
    noise = rng.random((*size, 3)).astype(np.float32)
    return np.clip(0.5 + 1.5 * (cv2.GaussianBlur(noise, (0, 0), 1) - 0.5), 0, 1)


def choose(missing, image=None, **more):
    holes = find_holes(missing)
    return choose_methods(gravel(missing.shape) if image is None else image, missing, holes, **more)


def plane(*boxes, size=(256, 256)):
    missing = np.zeros(size, bool)
    for top, left, bottom, right in boxes:
        missing[top:bottom, left:right] = True
    return missing


def test_a_thing_before_texture_is_copied():
    (choice,) = choose(plane((60, 60, 140, 120)))
    assert (choice.model, choice.cause) == (FOR_THINGS, "thing")
    assert choice.reason.startswith("compact, 7.3 % of the picture; around it roughness ")
    assert choice.surroundings is not None


def test_thin_holes_go_to_the_network_and_nobody_looks_around():
    (choice,) = choose(plane((100, 20, 110, 240)))
    assert (choice.model, choice.cause, choice.reason) == (FOR_STROKES, "thin", "thin: 9 px")
    assert choice.surroundings is None


def test_what_is_thin_depends_on_the_size_of_the_picture():
    side = 3000
    just = round(THIN_SHARE * side)
    assert just > THIN_PX
    speck = plane((100, 100, 100 + just - 4, 100 + just - 4), size=(side, side))
    thing = plane((100, 100, 100 + just + 6, 100 + just + 6), size=(side, side))
    image = np.tile(gravel((300, 300)), (10, 10, 1))
    assert choose(speck, image)[0].cause == "thin"
    assert choose(thing, image)[0].cause == "thing"


def test_branched_holes_go_to_the_network():
    missing = plane((20, 110, 236, 140), (20, 20, 46, 236), (210, 20, 236, 236), (115, 20, 141, 236))
    (choice,) = choose(missing)
    assert (choice.model, choice.cause) == (FOR_STROKES, "branched")
    assert find_holes(missing)[0].compactness < LEAST_COMPACTNESS + 0.1


def test_a_hole_over_nearly_all_of_the_picture_goes_to_the_network():
    (choice,) = choose(plane((5, 5, 245, 250)))
    assert (choice.model, choice.cause) == (FOR_STROKES, "vast")
    assert "90%" in choice.reason or "90 %" in choice.reason


def test_a_hole_over_more_than_half_is_copied_into_if_it_is_of_one_piece():
    assert choose(plane((60, 70, 256, 256)))[0].cause == "thing"  # 56 %
    frame = plane((0, 0, 60, 256), (196, 0, 256, 256), (60, 0, 196, 40), (60, 216, 196, 256))
    assert frame.mean() > VAST_SHARE
    assert choose(frame)[0].cause == "vast"


def test_flat_and_soft_surroundings_go_to_the_network():
    missing = plane((60, 60, 140, 120))
    flat = np.full((256, 256, 3), 0.7, np.float32)
    assert choose(missing, flat)[0].cause == "flat"
    rng = np.random.default_rng(0)
    spots = cv2.GaussianBlur(rng.random((256, 256, 3)).astype(np.float32), (0, 0), 4)
    soft = 0.5 + 0.25 * (spots - spots.mean()) / spots.std()
    choice = choose(missing, soft)[0]
    assert (choice.model, choice.cause) == (FOR_STROKES, "soft")
    assert choice.surroundings is not None


def test_where_nothing_may_be_copied_the_network_fills():
    missing = plane((60, 60, 140, 120))
    (choice,) = choose(missing, excluded=~plane((0, 0, 3, 3)))
    assert (choice.model, choice.cause) == (FOR_STROKES, "bare")


def test_a_mixed_picture_is_chosen_hole_by_hole():
    scratches = [(row, 10, row + 3, 240) for row in range(180, 250, 20)]
    choices = choose(plane((40, 60, 120, 130), *scratches))
    assert [choice.cause for choice in choices] == ["thing", *["thin"] * len(scratches)]


def test_several_things_do_not_make_each_other_damage():
    choices = choose(plane((20, 20, 100, 80), (20, 150, 100, 220), (150, 60, 240, 120)))
    assert [choice.cause for choice in choices] == ["thing"] * 3


def test_blots_amid_strewn_damage_are_damage():
    strokes = [(row, 10, row + 20, 120) for row in range(150, 250, 30)]
    choices = choose(plane((40, 140, 110, 220), *strokes))
    assert choices[0].cause == "strewn"
    assert all(choice.model == FOR_STROKES for choice in choices)


def test_one_slim_thing_beside_a_big_one_is_not_damage():
    big, slim, other = (20, 40, 180, 140), (60, 180, 160, 204), (60, 220, 160, 244)
    assert [choice.cause for choice in choose(plane(big, slim))] == ["thing", "thin"]
    assert [choice.cause for choice in choose(plane(big, slim, other))] == ["strewn", "thin", "thin"]


def test_a_thin_branched_hole_beside_a_thing_makes_it_damage():
    missing = plane((20, 20, 110, 100), (150, 20, 164, 236), (200, 20, 214, 236), (150, 120, 214, 134))
    thing, branches = choose(missing)
    assert (thing.cause, branches.cause) == ("strewn", "thin")


def test_the_record_tells_all_that_was_measured():
    missing = plane((60, 60, 140, 120), (200, 20, 206, 240))
    holes = find_holes(missing)
    thing, line = (told(hole, choice) for hole, choice in zip(holes, choose(missing), strict=True))
    assert (thing.number, line.number) == (1, 2)
    assert (thing.box.top, thing.box.left, thing.box.bottom, thing.box.right) == (60, 60, 140, 120)
    assert thing.share == pytest.approx(80 * 60 / 256**2)
    assert thing.surroundings is not None
    assert thing.surroundings.supply > 1
    assert line.surroundings is None
    assert line.thickness_px < 8


def test_the_same_picture_gives_the_same_choices():
    missing = plane((60, 60, 140, 120))
    assert [c.reason for c in choose(missing)] == [c.reason for c in choose(missing.copy())]
