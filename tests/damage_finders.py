"""Finders of damage without trained weights: a tiny model file, and an engine that remembers what it was asked."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mendpix.engines.interface import FACTS_KEY, Facts

SIDE = 15
"""Side of the box that the tiny finder blurs with, px."""


def light_and_dark_finder(path: Path, **facts: object) -> Path:
    """Takes for damage what differs from a blurred picture: what is lighter for wear, what is darker for text.

    The answer is three times the difference of the channels' means, less 0.3, cut to [0, 1]. Fails on sizes that are
    no multiple of 8.
    """
    settings = {"multiple_of": 8, "minimum": 16, "preferred_px": 160, "context_px": 16, "kinds": ("wear", "text")}
    blur = np.zeros((1, 3, SIDE, SIDE), np.float32)
    blur -= 1 / (3 * SIDE * SIDE)
    blur[:, :, SIDE // 2, SIDE // 2] += 1 / 3
    edge = [0, 0, SIDE // 2, SIDE // 2] * 2
    constants = {
        "edge": np.array(edge, np.int64),
        "blur": 3 * np.concatenate([blur, -blur]),
        "less": np.full(2, -0.3, np.float32),
        "least": np.array(0, np.float32),
        "most": np.array(1, np.float32),
    }
    nodes = [
        helper.make_node("SpaceToDepth", ["image"], ["deep"], blocksize=8),
        helper.make_node("DepthToSpace", ["deep"], ["whole"], blocksize=8),
        helper.make_node("Pad", ["whole", "edge"], ["wide"], mode="reflect"),
        helper.make_node("Conv", ["wide", "blur", "less"], ["difference"]),
        helper.make_node("Clip", ["difference", "least", "most"], ["damage"]),
    ]
    told = Facts("tiny-damage", "damage", inputs=("image",), **{**settings, **facts})
    return write_finder(path, nodes, told, constants)


def write_finder(path: Path, nodes: list, facts: Facts, constants: dict[str, np.ndarray], channels: int = 2) -> Path:
    """Write a finder's file; `channels` is what the graph says of its output."""
    size = ("height", "width")
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, *size])
    damage = helper.make_tensor_value_info("damage", TensorProto.FLOAT, [1, channels, *size])
    stored = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "finder", [image], [damage], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {FACTS_KEY: facts.to_json()})
    onnx.save(model, path)
    return path


class BrightFinder:
    """Takes bright pixels for wear and red ones for text; remembers at what sizes it looked."""

    def __init__(self, **changes: object) -> None:
        settings = {"multiple_of": 8, "minimum": 16, "inputs": ("image",), "kinds": ("wear", "text"), **changes}
        self.facts = Facts("bright", "damage", **settings)
        self.sizes: list[tuple[int, int]] = []

    def find(self, image: np.ndarray) -> np.ndarray:
        assert image.dtype == np.float32
        assert image.shape[0] % self.facts.multiple_of == 0
        assert image.shape[1] % self.facts.multiple_of == 0
        assert min(image.shape[:2]) >= self.facts.minimum
        self.sizes.append(image.shape[:2])
        bright = image.min(axis=2)
        red = image[..., 0] - image[..., 1]
        planes = {"wear": bright, "text": np.maximum(red, 0)}
        return np.stack([planes.get(kind, np.zeros_like(bright)) for kind in self.facts.kinds], axis=2)
