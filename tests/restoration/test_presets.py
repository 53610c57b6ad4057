from dataclasses import replace

import pytest

from mendpix.engines.interface import Facts
from mendpix.errors import InputError
from mendpix.restoration.presets import kinds_of, thresholds_of

ALL = Facts("all", "damage", kinds=("wear", "stains", "text", "watermark", "noise"))
ONE = Facts("one", "damage", kinds=("damage",))
WEAR = Facts("wear", "damage", kinds=("wear", "text"))
NOISE = Facts("noise", "damage", kinds=("noise",))


@pytest.mark.parametrize(
    ("preset", "facts", "kinds"),
    [
        ("auto", ALL, ("wear", "stains", "text", "watermark")),
        ("scratches", ALL, ("wear", "stains")),
        ("scratches", WEAR, ("wear",)),
        ("text", ALL, ("text",)),
        ("watermark", ALL, ("watermark",)),
        ("noise", ALL, ("noise",)),
        ("auto", ONE, ("damage",)),
        ("auto", NOISE, ("noise",)),
    ],
)
def test_a_preset_stands_for_kinds(preset, facts, kinds):
    assert kinds_of(preset, facts) == kinds


def test_a_preset_that_is_asked_for_by_name_has_thresholds_of_its_own():
    facts = Facts("finder", "damage", kinds=("wear", "text"), thresholds=(0.9, 0.8), preset_thresholds=(0.7, 0.6))
    assert thresholds_of("auto", facts) == {"wear": 0.9, "text": 0.8}
    assert thresholds_of("scratches", facts) == {"wear": 0.7}
    assert thresholds_of("text", facts) == {"text": 0.6}
    assert thresholds_of("text", replace(facts, preset_thresholds=())) == {"text": 0.8}
    assert thresholds_of("auto", replace(facts, thresholds=(), preset_thresholds=())) == {"wear": 0.5, "text": 0.5}


def test_unknown_presets_and_those_of_other_finders_are_answered_with_what_there_is():
    with pytest.raises(InputError, match=r"auto, scratches, text, watermark, noise; got 'scratch'"):
        kinds_of("scratch", ALL)
    with pytest.raises(InputError, match=r"finder noise knows: auto, noise; got text"):
        kinds_of("text", NOISE)
