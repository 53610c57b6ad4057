from dataclasses import replace

import pytest

from mendpix.cli.choices import holes_in_lines, methods_in_lines, models_by_hole
from mendpix.errors import InputError
from mendpix.inference.routing import HoleFill
from mendpix.inference.windows import Box

THIN = HoleFill(2, Box(10, 20, 22, 120), 0.01, 11.2, 0.05, "scenes", "thin", "thin: 11 px", None)
THING = HoleFill(1, Box(5, 7, 85, 47), 0.2, 38.0, 0.6, "exemplar", "thing", "compact, 20 % of the picture", None)


def test_a_model_for_a_hole_is_a_number_and_a_name():
    assert models_by_hole([]) == {}
    assert models_by_hole(["2=scenes", "10=C:/a=b.onnx", " 3 =telea"]) == {2: "scenes", 10: "C:/a=b.onnx", 3: "telea"}


@pytest.mark.parametrize("option", ["scenes", "2", "2=", "=scenes", "two=scenes", "-1=scenes", "1.5=scenes", ""])
def test_anything_else_is_refused(option):
    with pytest.raises(InputError, match="must be a number and a model, such as 2=scenes"):
        models_by_hole([option])


def test_a_hole_is_named_once():
    with pytest.raises(InputError, match="got 2 twice"):
        models_by_hole(["2=scenes", "2=telea"])


def test_each_hole_is_told_with_its_place():
    assert holes_in_lines([THING, THIN]) == [
        "hole 1: 40 × 80 px at 7, 5: exemplar (compact, 20 % of the picture)",
        "hole 2: 100 × 12 px at 20, 10: scenes (thin: 11 px)",
    ]


def test_each_method_has_a_line():
    other = replace(THIN, number=3, thickness_px=9.0, reason="thin: 9 px")
    assert methods_in_lines("auto", [THING, THIN, other]) == [
        "auto: hole 1 (compact, 20 % of the picture) by exemplar",
        "auto: hole 2 (thin: 11 px), hole 3 (thin: 9 px) by scenes",
    ]


def test_holes_with_one_reason_share_it():
    asked = [replace(THIN, number=number, cause="asked", reason="asked for") for number in (1, 3)]
    assert methods_in_lines("auto", asked) == ["auto: holes 1 and 3 (asked for) by scenes"]


def test_many_holes_are_summed_up():
    many = [replace(THIN, number=number) for number in range(2, 216)]
    assert methods_in_lines("auto", [THING, *many]) == [
        "auto: hole 1 (compact, 20 % of the picture) by exemplar",
        "auto: 214 thin holes by scenes",
    ]


def test_a_plain_model_needs_no_line():
    assert methods_in_lines("telea", [replace(THIN, model="telea", cause="model")]) == []
