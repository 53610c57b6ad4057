"""Small pictures, a detector without weights, and the command line in this process."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image
from typer.testing import CliRunner, Result

from mendpix.cli.app import main

HEIGHT, WIDTH = 40, 56


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with photo.png (slopes and grain), mask.png (a 10 × 12 px hole) and nothing else."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    grain = np.random.default_rng(0).integers(0, 20, (HEIGHT, WIDTH))
    photo = np.stack([columns * 4, rows * 5, 200 - columns * 3], axis=2) + grain[..., None]
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[12:22, 20:32] = 255
    Image.fromarray(photo.astype(np.uint8)).save(tmp_path / "photo.png")
    Image.fromarray(mask).save(tmp_path / "mask.png")
    return tmp_path


@pytest.fixture
def mendpix() -> Callable[..., Result]:
    """Run the command line; arguments may be paths."""

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(main, [str(argument) for argument in arguments])

    return run


@pytest.fixture(scope="session")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector file that takes the mean of R, G and B for the probability that a pixel was filled."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, "height", "width"])
    probability = helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["batch", 1, "height", "width"])
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    mean = helper.make_node("ReduceMean", ["image", "axes"], ["probability"], keepdims=1)
    graph = helper.make_graph([mean], "mean", [image], [probability], [axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    facts = {"name": "brightness", "kind": "detector", "inputs": ["image"]}
    helper.set_model_props(model, {"mendpix": json.dumps(facts)})
    path = tmp_path_factory.mktemp("models") / "brightness.onnx"
    onnx.save(model, path)
    return path
