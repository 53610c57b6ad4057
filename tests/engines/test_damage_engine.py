import json

import numpy as np
import pytest
from onnx import helper

from damage_finders import light_and_dark_finder, write_finder
from mendpix.engines.interface import Facts
from mendpix.engines.onnx import OnnxDamageFinder, OnnxDetector, OnnxGenerator
from mendpix.errors import ModelError, ShapeError
from mendpix.weights.locate import open_damage_finder, open_detector
from tiny_models import brightness_detector, grey_generator

FACTS = Facts("finder", "damage", inputs=("image",), kinds=("wear", "text"), thresholds=(0.3, 0.5))


def test_facts_of_a_finder_survive_the_way_through_json():
    assert Facts.from_json(FACTS.to_json()) == FACTS
    assert isinstance(Facts.from_json(FACTS.to_json()).thresholds, tuple)
    assert isinstance(Facts.from_json(FACTS.to_json()).preset_thresholds, tuple)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"kinds": []}, "kinds"),
        ({"kinds": ["wear", "wear"]}, "kinds"),
        ({"kinds": ["wear", 3]}, "kinds"),
        ({"kinds": "wear"}, "kinds"),
        ({"kind": "detector"}, "kinds"),
        ({"thresholds": [0.5]}, "thresholds"),
        ({"thresholds": [0.5, 1.0]}, "thresholds"),
        ({"thresholds": [0.5, "0.5"]}, "thresholds"),
        ({"thresholds": 0.5}, "thresholds"),
        ({"preset_thresholds": [0.5, 0]}, "preset_thresholds"),
        ({"preset_thresholds": 0.5}, "preset_thresholds"),
    ],
)
def test_wrong_facts_of_a_finder_are_named(change, word):
    with pytest.raises(ModelError, match=word):
        Facts.from_json(json.dumps({**json.loads(FACTS.to_json()), **change}))


def test_a_finder_answers_with_a_plane_for_each_kind(tmp_path):
    image = np.full((24, 32, 3), 0.5, np.float32)
    image[10, 12] = 1
    image[16, 20] = 0
    damage = OnnxDamageFinder(light_and_dark_finder(tmp_path / "d.onnx")).find(image)
    assert damage.shape == (24, 32, 2)
    assert damage.dtype == np.float32
    assert (damage[10, 12, 0], damage[10, 12, 1]) == (1, 0)
    assert (damage[16, 20, 0], damage[16, 20, 1]) == (0, 1)
    assert damage.max() == 1


def test_illegal_sizes_are_refused(tmp_path):
    finder = OnnxDamageFinder(light_and_dark_finder(tmp_path / "d.onnx"))
    with pytest.raises(ShapeError, match="multiples of 8"):
        finder.find(np.zeros((20, 24, 3), np.float32))


def test_other_kinds_are_refused_with_what_they_are_for(tmp_path):
    finder = light_and_dark_finder(tmp_path / "d.onnx")
    with pytest.raises(ModelError, match="Give it as the finder of damage"):
        OnnxGenerator(finder)
    with pytest.raises(ModelError, match="Give it as the finder of damage"):
        OnnxDetector(finder)
    with pytest.raises(ModelError, match="Give it as the detector"):
        open_damage_finder(brightness_detector(tmp_path / "b.onnx"))
    with pytest.raises(ModelError, match="Give it as the model"):
        open_damage_finder(grey_generator(tmp_path / "g.onnx"))
    with pytest.raises(ModelError, match="finds damage must be one of damage; scenes is a generator"):
        open_damage_finder("scenes")
    with pytest.raises(ModelError, match=r"damage is a damage\. Give it as the finder of damage"):
        open_detector("damage")


def test_a_graph_with_another_number_of_planes_is_refused(tmp_path):
    nodes = [helper.make_node("Identity", ["image"], ["damage"])]
    with pytest.raises(ModelError, match=r"damage of .* must be \(batch, 2,"):
        OnnxDamageFinder(write_finder(tmp_path / "d.onnx", nodes, FACTS, {}, channels=3))


def test_a_missing_network_says_that_there_is_another_way(tmp_path, monkeypatch):
    monkeypatch.setattr("mendpix.weights.locate.FOLDER", tmp_path)
    with pytest.raises(ModelError, match=r"damage\.onnx.*without a network"):
        open_damage_finder("damage")
