"""Tiny model files, written with the `onnx` package: the engine that runs files is run without trained weights."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mendpix.engines.interface import FACTS_KEY, Facts

CHANNELS = {"image": 3, "hole": 1, "fills": 6, "prediction": 3, "probability": 1}


def write_model(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    *,
    facts: Facts | str | None,
    inputs: Sequence[str],
    output: str,
    constants: dict[str, np.ndarray] | None = None,
    size: tuple[int | str, int | str] = ("height", "width"),
    dtype: int = TensorProto.FLOAT,
) -> Path:
    def value(name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, dtype, [1, CHANNELS.get(name, 3), *size])

    graph = helper.make_graph(
        list(nodes),
        "tiny",
        [value(name) for name in inputs],
        [value(output)],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if facts is not None:
        text = facts if isinstance(facts, str) else facts.to_json()
        helper.set_model_props(model, {FACTS_KEY: text})
    path.write_bytes(model.SerializeToString())
    return path


def grey_generator(path: Path, **facts: object) -> Path:
    """Fills every hole with 0.5; the picture that it gets shows through unchanged elsewhere."""
    half = np.array(0.5, np.float32)
    nodes = [
        helper.make_node("Mul", ["hole", "half"], ["grey"]),
        helper.make_node("Add", ["image", "grey"], ["prediction"]),
    ]
    return write_model(
        path,
        nodes,
        facts=Facts("tiny-grey", "generator", **facts),
        inputs=("image", "hole"),
        output="prediction",
        constants={"half": half},
    )


def flat_generator(path: Path, value: float = 0.5, **facts: object) -> Path:
    """Answers with one value everywhere, known pixels too."""
    return write_model(
        path,
        [
            helper.make_node("Mul", ["image", "nothing"], ["blank"]),
            helper.make_node("Add", ["blank", "value"], ["prediction"]),
        ],
        facts=Facts("tiny-flat", "generator", **facts),
        inputs=("image", "hole"),
        output="prediction",
        constants={"nothing": np.array(0, np.float32), "value": np.array(value, np.float32)},
    )


def first_fill_generator(path: Path, which: int = 0, **facts: object) -> Path:
    """Answers with one of the first fills: 0 = harmonic, 1 = Navier–Stokes. Fails on sizes not divisible by 8."""
    constants = {
        "start": np.array([3 * which], np.int64),
        "stop": np.array([3 * which + 3], np.int64),
        "axis": np.array([1], np.int64),
        "nothing": np.array(0, np.float32),
    }
    nodes = [
        helper.make_node("Slice", ["fills", "start", "stop", "axis"], ["fill"]),
        helper.make_node("SpaceToDepth", ["fill"], ["deep"], blocksize=8),
        helper.make_node("DepthToSpace", ["deep"], ["wide"], blocksize=8),
        helper.make_node("Add", ["image", "hole"], ["seen"]),
        helper.make_node("Mul", ["seen", "nothing"], ["none"]),
        helper.make_node("Add", ["wide", "none"], ["prediction"]),
    ]
    facts = {"multiple_of": 8, "minimum": 16, **facts}
    return write_model(
        path,
        nodes,
        facts=Facts("tiny-fills", "generator", inputs=("image", "hole", "fills"), **facts),
        inputs=("image", "hole", "fills"),
        output="prediction",
        constants=constants,
    )


def brightness_detector(path: Path, **facts: object) -> Path:
    """Takes bright pixels for filled ones: the probability is the mean of the three channels."""
    nodes = [helper.make_node("ReduceMean", ["image"], ["probability"], axes=[1], keepdims=1)]
    return write_model(
        path,
        nodes,
        facts=Facts("tiny-bright", "detector", inputs=("image",), **facts),
        inputs=("image",),
        output="probability",
    )
