from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from onnx import TensorProto, helper

from mendpix import fills
from mendpix.engines.interface import Facts
from mendpix.engines.onnx import OnnxDetector, OnnxGenerator
from mendpix.engines.stopwatch import Stopwatch
from mendpix.errors import ModelError, ShapeError
from tiny_models import brightness_detector, first_fill_generator, grey_generator, write_model


@pytest.fixture
def picture():
    rng = np.random.default_rng(0)
    image = rng.random((24, 32, 3), np.float32)
    hole = np.zeros((24, 32), np.float32)
    hole[5:11, 8:20] = 1
    return image, hole


def test_a_generator_sees_nothing_of_the_hole(tmp_path, picture):
    image, hole = picture
    prediction = OnnxGenerator(grey_generator(tmp_path / "grey.onnx")).fill(image, hole)
    missing = hole > 0
    assert prediction.dtype == np.float32
    assert np.all(prediction[missing] == 0.5)
    assert np.array_equal(prediction[~missing], image[~missing])


@pytest.mark.parametrize("which", [0, 1])
def test_first_fills_are_those_that_the_facts_ask_for(tmp_path, picture, which):
    image, hole = picture
    path = first_fill_generator(tmp_path / "fills.onnx", which, first_fill_radius_px=5.0)
    prediction = OnnxGenerator(path).fill(image, hole)
    known = image * (1 - hole[..., None])
    expected = (fills.harmonic(known, hole), fills.navier_stokes(known, hole, radius_px=5.0))[which]
    assert np.array_equal(prediction, expected)


@pytest.mark.parametrize("which", [0, 1])
def test_a_guide_stands_in_for_both_fills_inside_the_hole_only(tmp_path, picture, which):
    image, hole = picture
    guide = np.full_like(image, 0.25)
    prediction = OnnxGenerator(first_fill_generator(tmp_path / "fills.onnx", which)).fill(image, hole, guide)
    missing = hole > 0
    assert np.all(prediction[missing] == 0.25)
    assert np.array_equal(prediction[~missing], image[~missing])


def test_the_time_of_the_first_fills_is_booked(tmp_path, picture):
    engine = OnnxGenerator(first_fill_generator(tmp_path / "fills.onnx"))
    watch = Stopwatch()
    with watch.running():
        engine.fill(*picture)
    assert watch.seconds["first_fill"] > 0


def test_a_detector_answers_with_one_number_for_each_pixel(tmp_path, picture):
    image, _ = picture
    probability = OnnxDetector(brightness_detector(tmp_path / "bright.onnx")).detect(image)
    assert probability.shape == image.shape[:2]
    assert np.allclose(probability, image.mean(axis=2), atol=1e-6)


def test_answers_are_clipped(tmp_path):
    node = helper.make_node("Add", ["image", "image"], ["probability3"])
    mean = helper.make_node("ReduceMean", ["probability3"], ["probability"], axes=[1], keepdims=1)
    path = write_model(
        tmp_path / "loud.onnx",
        [node, mean],
        facts=Facts("loud", "detector", inputs=("image",)),
        inputs=("image",),
        output="probability",
    )
    assert OnnxDetector(path).detect(np.ones((4, 4, 3), np.float32)).max() == 1


def test_a_model_may_be_bytes_and_half_precision(tmp_path, picture):
    image, hole = picture
    path = write_model(
        tmp_path / "half.onnx",
        [helper.make_node("Add", ["image", "hole"], ["prediction"])],
        facts=Facts("half", "generator"),
        inputs=("image", "hole"),
        output="prediction",
        dtype=TensorProto.FLOAT16,
    )
    prediction = OnnxGenerator(path.read_bytes()).fill(image, hole)
    assert prediction.dtype == np.float32
    assert np.allclose(prediction[hole == 0], image[hole == 0], atol=1e-3)


def test_inputs_are_not_written_to(tmp_path, picture):
    image, hole = picture
    guide = np.full_like(image, 0.25)
    before = image.copy(), hole.copy(), guide.copy()
    for array in (image, hole, guide):
        array.setflags(write=False)
    engine = OnnxGenerator(first_fill_generator(tmp_path / "fills.onnx"))
    engine.fill(image, hole)
    engine.fill(image, hole, guide)
    assert all(np.array_equal(a, b) for a, b in zip(before, (image, hole, guide), strict=True))


def test_threads_may_share_an_engine(tmp_path, picture):
    image, hole = picture
    engine = OnnxGenerator(first_fill_generator(tmp_path / "fills.onnx"), threads=1)
    images = [np.roll(image, step, axis=0) for step in range(8)]
    expected = [engine.fill(each, hole) for each in images]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda each: engine.fill(each, hole), images))
    assert all(np.array_equal(a, b) for a, b in zip(answers, expected, strict=True))


def test_illegal_sizes_are_refused_before_they_reach_the_model(tmp_path):
    engine = OnnxGenerator(first_fill_generator(tmp_path / "fills.onnx"))
    for size in ((20, 24), (8, 24)):
        with pytest.raises(ShapeError, match="multiples of 8 and at least 16"):
            engine.fill(np.zeros((*size, 3), np.float32), np.zeros(size, np.float32))
    with pytest.raises(ShapeError, match="hole must be"):
        engine.fill(np.zeros((16, 24, 3), np.float32), np.zeros((16, 16), np.float32))
    with pytest.raises(ShapeError, match="float32"):
        engine.fill(np.zeros((16, 24, 3), np.uint8), np.zeros((16, 24), np.float32))


def test_missing_broken_and_foreign_files_are_model_errors(tmp_path):
    with pytest.raises(ModelError, match="there is no file"):
        OnnxGenerator(tmp_path / "none.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model at all")
    with pytest.raises(ModelError, match=r"broken\.onnx"):
        OnnxGenerator(broken)
    with pytest.raises(ModelError, match="given as bytes"):
        OnnxGenerator(b"no model at all")
    whole = grey_generator(tmp_path / "grey.onnx").read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=r"broken\.onnx"):
        OnnxGenerator(broken)
    foreign = write_model(
        tmp_path / "foreign.onnx",
        [helper.make_node("Add", ["image", "hole"], ["prediction"])],
        facts=None,
        inputs=("image", "hole"),
        output="prediction",
    )
    with pytest.raises(ModelError, match="not one of mendpix"):
        OnnxGenerator(foreign)


def test_the_other_kind_is_refused(tmp_path):
    with pytest.raises(ModelError, match="is a detector"):
        OnnxGenerator(brightness_detector(tmp_path / "bright.onnx"))
    with pytest.raises(ModelError, match="is a generator"):
        OnnxDetector(grey_generator(tmp_path / "grey.onnx"))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"inputs": ("image", "mask")}, "inputs"),
        ({"facts": Facts("a", "generator", inputs=("image", "hole", "fills"))}, "inputs"),
        ({"output": "result"}, "output"),
        ({"size": (64, 64)}, "dynamic height and width"),
        ({"dtype": TensorProto.DOUBLE}, "floats"),
    ],
)
def test_graphs_that_break_the_contract_are_refused(tmp_path, change, word):
    settings = {"facts": Facts("a", "generator"), "inputs": ("image", "hole"), "output": "prediction", **change}
    nodes = [helper.make_node("Add", list(settings["inputs"]), [settings["output"]])]
    path = write_model(tmp_path / "bad.onnx", nodes, **settings)
    with pytest.raises(ModelError, match=word):
        OnnxGenerator(path)


def test_answers_that_are_no_numbers_are_an_error(tmp_path, picture):
    nodes = [
        helper.make_node("Sub", ["hole", "hole"], ["zero"]),
        helper.make_node("Div", ["image", "zero"], ["prediction"]),
    ]
    path = write_model(
        tmp_path / "nan.onnx", nodes, facts=Facts("nan", "generator"), inputs=("image", "hole"), output="prediction"
    )
    with pytest.raises(ModelError, match="finite"):
        OnnxGenerator(path).fill(*picture)


def test_facts_that_lie_about_sizes_end_in_a_model_error(tmp_path):
    engine = OnnxGenerator(first_fill_generator(tmp_path / "fills.onnx", multiple_of=1, minimum=1))
    with pytest.raises(ModelError, match="20 x 24"):
        engine.fill(np.zeros((20, 24, 3), np.float32), np.eye(20, 24, dtype=np.float32))


def test_providers_and_threads_are_checked(tmp_path):
    path = grey_generator(tmp_path / "grey.onnx")
    with pytest.raises(ModelError, match="CPUExecutionProvider"):
        OnnxGenerator(path, providers=("NoSuchProvider",))
    with pytest.raises(ModelError, match="threads"):
        OnnxGenerator(path, threads=0)
