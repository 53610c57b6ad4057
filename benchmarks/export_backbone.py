"""Make the backbone that ships with mendpix: SqueezeNet v1.0 as an ONNX file.

    python benchmarks/export_backbone.py SQUEEZENET.npz -o src/mendpix/weights/squeezenet.onnx

Reads the .npz file that `mendpix.features` describes and writes the layers up to fire9 (the classifier is left out),
weights rounded to fp16 and cast back to fp32 in the graph, everything computed in fp32. The same file in gives the same
bytes out; the source's SHA-256 is in the metadata. The input is `image`, RGB in [0, 1], (1, 3, H, W); the outputs are
the nine activations after their ReLU and `pooled`, the mean of fire9 over its pixels, (1, 512).
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mendpix.atomic_files import atomic_write
from mendpix.metrics.squeezenet import LAYERS

POOLED_BEFORE = ("fire2", "fire5", "fire9")
"""Layers before which the picture is halved."""

MEAN_RGB = (123.0, 117.0, 104.0)
"""Mean colour of the pictures that the network learnt from, on the scale 0 to 255."""

OPSET, IR_VERSION = 17, 8
"""Old enough for every ONNX Runtime that mendpix allows."""


class Graph:
    """Collects nodes and weights."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self.arrays = arrays
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: list[str], output: str, **settings: object) -> str:
        """Append a node and return its output's name."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **settings))
        return output

    def constant(self, name: str, values: np.ndarray) -> str:
        """Store an array and return its name."""
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def convolve(self, x: str, name: str, output: str, *, stride: int = 1, padding: int = 0) -> str:
        """Append a convolution and its ReLU."""
        weight, bias = self.arrays[f"{name}.w"], self.arrays[f"{name}.b"]
        if name == "conv1":  # learnt from BGR on the scale 0 to 255
            weight = weight[:, ::-1] * np.float32(255)
        half = self.constant(f"{name}.half", weight.astype(np.float16))
        full = self.add("Cast", [half], f"{name}.weight", to=TensorProto.FLOAT)
        inputs = [x, full, self.constant(f"{name}.bias", bias.astype(np.float32))]
        pads = [padding] * 4
        self.add("Conv", inputs, f"{name}.sum", strides=[stride] * 2, pads=pads, kernel_shape=list(weight.shape[2:]))
        return self.add("Relu", [f"{name}.sum"], output)


def build(arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> onnx.ModelProto:
    """Build the model."""
    graph = Graph(arrays)
    mean = graph.constant("mean", (np.float32(MEAN_RGB) / np.float32(255)).reshape(1, 3, 1, 1))
    x = graph.convolve(graph.add("Sub", ["image", mean], "centred"), "conv1", "conv1", stride=2)
    for layer in LAYERS[1:]:
        if layer in POOLED_BEFORE:
            x = graph.add("MaxPool", [x], f"{layer}.pooled", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
        name = f"f{layer.removeprefix('fire')}"
        squeezed = graph.convolve(x, f"{name}s", f"{name}s")
        sides = [
            graph.convolve(squeezed, f"{name}e1", f"{name}e1"),
            graph.convolve(squeezed, f"{name}e3", f"{name}e3", padding=1),
        ]
        x = graph.add("Concat", sides, layer, axis=1)
    graph.add("Flatten", [graph.add("GlobalAveragePool", [x], "mean of fire9")], "pooled")
    maps = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, None, None, None]) for name in LAYERS]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "SqueezeNet v1.0",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "height", "width"])],
            [*maps, helper.make_tensor_value_info("pooled", TensorProto.FLOAT, [1, None])],
            graph.weights,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="mendpix",
    )
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    return model


def main() -> None:
    """Write the file and print its size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, metavar="SQUEEZENET.npz")
    parser.add_argument("-o", "--out", type=Path, required=True)
    given = parser.parse_args()
    content = given.source.read_bytes()
    with np.load(given.source) as file:
        arrays = {name: file[name] for name in file.files}
    digest = hashlib.sha256(content).hexdigest()
    metadata = {
        "mendpix.backbone": "SqueezeNet v1.0",
        "mendpix.licence": "BSD, see SQUEEZENET-LICENCE",
        "mendpix.source_sha256": digest,
    }
    made = build(arrays, metadata).SerializeToString(deterministic=True)
    with atomic_write(given.out) as temporary:
        temporary.write_bytes(made)
    print(f"{given.out}: {len(made) / 1e6:.2f} MB, SHA-256 {hashlib.sha256(made).hexdigest()}")


if __name__ == "__main__":
    main()
