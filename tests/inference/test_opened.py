import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from fake_engines import constant
from mendpix.errors import ModelError
from mendpix.inference import opened
from mendpix.inference.opened import OpenModels
from tiny_models import grey_generator


def test_each_model_is_opened_once_even_by_several_threads(monkeypatch):
    asked = []
    start = threading.Barrier(4)

    def open_generator(model, *, threads=None):
        asked.append((model, threads))
        return constant(0.5)

    monkeypatch.setattr(opened, "open_generator", open_generator)
    models = OpenModels(3)

    def work(_):
        start.wait()
        return models.open("scenes")

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(work, range(4)))
    assert asked == [("scenes", 3)]
    assert len({id(engine) for engine in found}) == 1


def test_engines_come_back_as_they_are_and_names_cost_nothing(tmp_path, monkeypatch):
    models, engine = OpenModels(), constant(0.5)
    assert models.open(engine) is engine
    assert models.name(engine) == "fake"
    path = grey_generator(tmp_path / "grey.onnx")
    assert models.name(path) == models.name(str(path)) == "tiny-grey"
    monkeypatch.setattr(opened, "open_generator", None)
    assert models.name("scenes") == "scenes"


def test_what_cannot_be_opened_is_tried_again():
    models = OpenModels()
    for _ in range(2):
        with pytest.raises(ModelError, match="nonsense"):
            models.open("nonsense")
