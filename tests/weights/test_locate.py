import sys

import pytest

from mendpix import list_models
from mendpix.engines import classical
from mendpix.errors import ModelError
from mendpix.weights import locate
from mendpix.weights.table import FOR_STROKES, FOR_THINGS, MODELS
from tiny_models import brightness_detector, grey_generator


def test_every_name_is_listed_once_with_what_it_does():
    listed = list_models()
    assert [model.name for model in listed] == list(MODELS)
    assert {"scenes", "scenes-detector", "harmonic", "telea", "navier-stokes", "shiftmap", "biharmonic"} <= set(MODELS)
    assert all(model.description and "\n" not in model.description for model in listed)
    assert {model.kind for model in listed} == {"choice", "generator", "detector", "classical", "damage"}
    assert listed[0].name == "auto"  # the default comes first


def test_the_list_tells_what_this_installation_has(tmp_path, monkeypatch):
    monkeypatch.setattr(locate, "FOLDER", tmp_path)
    grey_generator(tmp_path / "scenes.onnx")
    monkeypatch.setattr(locate.importlib.util, "find_spec", lambda name: None)
    monkeypatch.delattr(classical.cv2, "xphoto")
    available = {model.name: model.available for model in list_models()}
    assert available == {
        "auto": True,
        "scenes": True,
        "scenes-detector": False,
        "damage": False,
        "exemplar": True,
        "exemplar-harmonised": False,
        "harmonic": True,
        "navier-stokes": True,
        "telea": True,
        "shiftmap": False,
        "biharmonic": False,
        **dict.fromkeys(("isnet", "pconv", "edgeconnect", "deepfill-v2", "deepfill-v1", "pennet", "glcic"), False),
    }


@pytest.mark.parametrize("name", [name for name, entry in MODELS.items() if entry.kind == "classical"])
def test_classical_methods_open_by_name(name):
    assert locate.open_generator(name).facts.name == name


def test_every_entry_has_a_file_or_a_function():
    for name, entry in MODELS.items():
        parts = [entry.file is not None, entry.engine is not None, bool(entry.chooses)]
        # One of them; only an exemplar fill that a network corrects needs a function and a file.
        assert sum(parts) == 1 or (parts == [True, True, False] and name == "exemplar-harmonised"), name


def test_a_choice_is_among_models_that_fill():
    entry = MODELS["auto"]
    assert entry.chooses == (FOR_STROKES, FOR_THINGS)
    assert all(MODELS[name].kind in ("generator", "classical") for name in entry.chooses)
    assert [name for name in MODELS if locate.is_choice(name)] == ["auto"]
    assert not locate.is_choice("auto.onnx")


def test_a_choice_is_no_engine_and_needs_the_files_of_its_models(tmp_path, monkeypatch):
    with pytest.raises(ModelError, match=f"auto chooses among {FOR_STROKES} and {FOR_THINGS}"):
        locate.open_generator("auto")
    with pytest.raises(ModelError, match=r"auto is a choice\. Give it as the model"):
        locate.open_detector("auto")
    assert locate.find_model("auto") is None
    monkeypatch.setattr(locate, "FOLDER", tmp_path)
    with pytest.raises(ModelError, match=r"scenes\.onnx"):
        locate.find_model("auto")
    assert not list_models()[0].available


def test_files_open_by_path_of_any_kind(tmp_path):
    path = grey_generator(tmp_path / "Grey.ONNX")
    assert locate.open_generator(path).facts.name == "tiny-grey"
    assert locate.open_generator(str(path)).facts.name == "tiny-grey"
    path = path.rename(tmp_path / "weights.bin")
    assert locate.open_generator(path).facts.name == "tiny-grey"
    assert locate.open_detector(brightness_detector(tmp_path / "b.onnx")).facts.name == "tiny-bright"


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(ModelError) as error:
        locate.open_generator("sceens")
    sentence = str(error.value)
    assert "'sceens'" in sentence
    assert all(name in sentence for name in ("scenes", "harmonic", "telea", "navier-stokes", "shiftmap", "biharmonic"))
    assert "scenes-detector" not in sentence
    with pytest.raises(ModelError, match="scenes-detector"):
        locate.open_detector("harmonics")


def test_names_and_files_of_the_other_kind_are_refused(tmp_path):
    with pytest.raises(ModelError, match="Give it as the detector"):
        locate.open_generator("scenes-detector")
    with pytest.raises(ModelError, match="Give it as the model"):
        locate.open_detector("harmonic")
    with pytest.raises(ModelError, match="Give it as the detector"):
        locate.open_generator(brightness_detector(tmp_path / "b.onnx"))
    with pytest.raises(ModelError, match="Give it as the model"):
        locate.open_detector(grey_generator(tmp_path / "g.onnx"))


def test_a_missing_file_says_where_it_was_looked_for(tmp_path, monkeypatch):
    with pytest.raises(ModelError, match=r"none\.onnx"):
        locate.open_generator(str(tmp_path / "none.onnx"))
    monkeypatch.setattr(locate, "FOLDER", tmp_path)
    with pytest.raises(ModelError, match=r"scenes\.onnx.*harmonic, navier-stokes, telea"):
        locate.open_generator("scenes")
    with pytest.raises(ModelError, match=r"scenes-detector\.onnx.*None"):
        locate.open_detector("scenes-detector")


def test_opening_a_classical_method_needs_no_onnx_runtime(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert locate.open_generator("harmonic").facts.kind == "classical"
