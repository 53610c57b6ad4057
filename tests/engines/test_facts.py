import json

import pytest

from mendpix.engines.interface import Facts
from mendpix.errors import ModelError

FACTS = Facts(
    "demo",
    "generator",
    multiple_of=8,
    minimum=16,
    preferred_px=512,
    context_px=48,
    max_hole_px=160,
    inputs=("image", "hole", "fills"),
    context_share=0.5,
    first_fill_radius_px=3.0,
)


def test_facts_survive_the_way_through_json():
    assert Facts.from_json(FACTS.to_json()) == FACTS


def test_what_is_no_fact_is_left_aside():
    entries = {**json.loads(FACTS.to_json()), "commit": "abc", "trained": "2026"}
    assert Facts.from_json(json.dumps(entries)) == FACTS


def test_facts_that_are_not_given_have_their_defaults():
    assert Facts.from_json('{"name": "a", "kind": "detector"}') == Facts("a", "detector")


@pytest.mark.parametrize(("inputs", "takes"), [(("image", "hole"), False), (("image", "hole", "fills"), True)])
def test_only_engines_that_read_fills_take_a_guide(inputs, takes):
    assert Facts("a", "generator", inputs=inputs).takes_guide is takes


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "JSON"),
        ("[1]", "JSON object"),
        ('{"kind": "generator"}', "name"),
        ('{"name": "a"}', "kind"),
        ('{"name": "a", "kind": "painter"}', "kind"),
        ('{"name": "a", "kind": "generator", "multiple_of": 0}', "multiple_of"),
        ('{"name": "a", "kind": "generator", "minimum": "8"}', "minimum"),
        ('{"name": "a", "kind": "generator", "minimum": true}', "minimum"),
        ('{"name": "a", "kind": "generator", "preferred_px": 128}', "preferred_px"),
        ('{"name": "a", "kind": "generator", "max_hole_px": 1}', "max_hole_px"),
        ('{"name": "a", "kind": "generator", "context_px": -1}', "context_px"),
        ('{"name": "a", "kind": "generator", "context_share": 9}', "context_share"),
        ('{"name": "a", "kind": "generator", "first_fill_radius_px": 0}', "first_fill_radius_px"),
        ('{"name": "a", "kind": "generator", "inputs": "image"}', "inputs"),
        ('{"name": "a", "kind": "generator", "format": 2}', "Upgrade"),
    ],
)
def test_wrong_facts_are_named(text, word):
    with pytest.raises(ModelError, match=word):
        Facts.from_json(text)
