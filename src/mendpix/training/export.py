"""Write a trained network as an ONNX file that the torch-free side runs: fp16 weights, any size, facts as metadata."""

import copy
import json
import logging
import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mendpix.atomic_files import atomic_write
from mendpix.data.degrade import KINDS
from mendpix.engines.interface import FACTS_KEY, Facts
from mendpix.errors import CheckpointError
from mendpix.fills import FIRST_FILL_RADIUS_PX
from mendpix.training.calibrate import Calibration
from mendpix.training.checkpoint import latest_checkpoint, load_network, read_record
from mendpix.weights.network_file import SUFFIX, load_network_file, read_network_record, save_network_file

Part = Literal["generator", "detector", "damage"]
"""Which of a run's networks."""

OPSET = 18
"""ONNX operators' version."""

SMALLEST_HALF = 64
"""Tensors with at least this many values are stored in fp16; scalars and shapes stay exact."""

WORST_DIFFERENCE = 0.02
"""Largest difference from torch that is put down to fp16 weights."""

OUTPUTS = {"generator": "prediction", "detector": "probability", "damage": "damage"}
"""Name of what comes out, by kind of model."""

MAX_HOLE_PX = 192
"""Thickest hole that our networks fill at once. At 96 the coarse step cost 0.2 dB on holes of half the picture."""

CHECKED_SIZES = ((64, 96), (120, 40))
"""Heights and widths at which the file is compared with torch."""


@dataclass(frozen=True)
class ExportReport:
    """What was written, and how well it agrees."""

    path: Path
    """The file."""
    size_bytes: int
    """Its size."""
    max_abs_difference: float
    """Largest difference from torch in float32, over `CHECKED_SIZES`; values lie in [0, 1]."""
    facts: Facts
    """The facts that travel in the file."""


class CalibratedDetector(nn.Module):
    """A detector whose output is the calibrated probability (B, 1, H, W) that a pixel was filled."""

    def __init__(self, detector: nn.Module, calibration: Calibration) -> None:
        super().__init__()
        self.detector = detector
        self.scale = calibration.scale
        self.bias = calibration.bias

    def forward(self, image: Tensor) -> Tensor:
        """Return the probability, shape (B, 1, H, W)."""
        logits = self.detector(image)
        return torch.sigmoid(self.scale * (logits[:, 1:] - logits[:, :1]) + self.bias)


def export_run(run: Path, out: Path, part: Part = "generator") -> ExportReport:
    """Export a network of a run folder, a checkpoint or a network file.

    Args:
        run: Run folder (its newest checkpoint is taken), checkpoint folder, or network file (.safetensors), whose name
            becomes the model's.
        out: The ONNX file; its folder must exist.
        part: Which network.

    Returns:
        What was written.

    Raises:
        CheckpointError: If the checkpoint is missing or broken, or the exported file disagrees with torch.
        OutputError: If `out` cannot be written; nothing is left behind.
    """
    if run.suffix.lower() == SUFFIX and not run.is_dir():
        return _export_network_file(run, out, part)
    folder = run if (run / "checkpoint.json").is_file() else latest_checkpoint(run)
    if folder is None:
        raise CheckpointError(
            f"{run} must be a run folder with checkpoints, a checkpoint, or a network file ({SUFFIX}); it is none."
        )
    record = read_record(folder)
    network = load_network(folder, part)
    if part == "detector":
        network = CalibratedDetector(network, Calibration(**record.get("calibration", {}))).eval()
    facts = model_facts(record["recipe"], part, network, tuple(record.get("thresholds", ())))
    more = {key: record[key] for key in ("step", "spent_s", "pictures_seen", "recipe") if key in record}
    return export_network(network, out, facts, more)


def pack_run(run: Path, out: Path) -> tuple[str, ...]:
    """Write all networks of a run or checkpoint, averaged weights, as one network file for `mendpix.load_network`.

    Args:
        run: Run folder (its newest checkpoint is taken) or checkpoint folder.
        out: The network file (.safetensors); its folder must exist.

    Returns:
        The parts that it holds, the generator among them.

    Raises:
        CheckpointError: If the checkpoint is missing or broken.
        OutputError: If `out` cannot be written; nothing is left behind.
    """
    folder = run if (run / "checkpoint.json").is_file() else latest_checkpoint(run)
    if folder is None:
        raise CheckpointError(f"{run} must be a run folder with checkpoints, or a checkpoint; it is neither.")
    record = read_record(folder)
    names = {part: described["name"] for part, described in record["networks"].items()}
    source = {key: record[key] for key in ("step", "spent_s", "pictures_seen", "recipe") if key in record}
    save_network_file(out, {part: load_network(folder, part) for part in names}, names, source)
    return tuple(names)


def _export_network_file(file: Path, out: Path, part: Part) -> ExportReport:
    """Export a network of a network file; a detector is not calibrated: it says what it was taught to say."""
    network = load_network_file(file, part)
    if part == "detector":
        network = CalibratedDetector(network, Calibration()).eval()
    more = {"source": read_network_record(file).get("source", {})}
    return export_network(network, out, model_facts(file.stem, part, network), more)


def model_facts(model_name: str, part: Part, network: nn.Module, thresholds: tuple[float, ...] = ()) -> Facts:
    """Return what the torch-free side has to know of a network.

    Args:
        model_name: Name for people; a detector's gets an ending.
        part: What the network is.
        network: The network.
        thresholds: From which value on a finder of damage marks a pixel, by kind; empty = nobody has measured it.
    """
    declared = network.detector.facts if isinstance(network, CalibratedDetector) else network.facts  # type: ignore[union-attr]  # declared facts
    local = bool(declared.local)  # type: ignore[union-attr]  # as above; then small windows do
    kinds = kinds_of(network.config.kinds) if part == "damage" else ()  # type: ignore[union-attr,arg-type]  # likewise
    return Facts(
        name=model_name if part != "detector" else f"{model_name}-detector",
        kind=part,
        multiple_of=declared.multiple_of,  # type: ignore[union-attr,arg-type]  # declared facts
        minimum=max(declared.minimum, 64 if local else declared.minimum),  # type: ignore[union-attr,type-var]  # declared facts
        preferred_px=declared.preferred_px or (768 if local else 512),  # type: ignore[union-attr,arg-type]  # declared facts
        context_px=64,
        max_hole_px=MAX_HOLE_PX if part == "generator" else None,
        first_fill_radius_px=FIRST_FILL_RADIUS_PX,
        edges_sigma=getattr(network.config, "edges_sigma", Facts.edges_sigma) if part == "generator" else 2.0,
        inputs=declared.inputs if part == "generator" else ("image",),  # type: ignore[union-attr,arg-type]  # declared facts
        kinds=kinds,
        thresholds=thresholds if part == "damage" else (),
    )


def kinds_of(count: int) -> tuple[str, ...]:
    """Name the channels of a finder of damage.

    Raises:
        CheckpointError: If there is neither one nor one for each kind.
    """
    names = {len(KINDS): KINDS, 1: ("damage",)}
    if count not in names:
        raise CheckpointError(
            f"a finder of damage must have 1 channel or one for each of {', '.join(KINDS)}; it has {count}. "
            f"Train it with kinds = {len(KINDS)} or kinds = 1."
        )
    return names[count]


def export_network(network: nn.Module, out: Path, facts: Facts, more: dict[str, Any] | None = None) -> ExportReport:
    """Export a module as ONNX and compare it with torch.

    Args:
        network: In evaluation mode; takes what `facts.inputs` names.
        out: The ONNX file.
        facts: Written to the file's metadata.
        more: Further plain values for the metadata, such as the number of steps trained.

    Returns:
        What was written.

    Raises:
        CheckpointError: If the file's results differ from torch's by more than `WORST_DIFFERENCE`.
        OutputError: If `out` cannot be written.
    """
    network = without_parametrizations(network)
    step = facts.multiple_of
    side = max(64, facts.minimum, 2 * step) // step * step  # two steps at least: one would be taken for a constant
    examples = _examples(facts, side, side)
    rows, columns = torch.export.Dim("rows", max=4096), torch.export.Dim("columns", max=4096)
    free = {2: facts.multiple_of * rows, 3: facts.multiple_of * columns}
    with tempfile.TemporaryDirectory() as folder, torch.no_grad(), warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")  # torch's exporter warns of its own insides
        rough = Path(folder) / "rough.onnx"
        torch.onnx.export(
            network, examples, rough, input_names=list(facts.inputs),
            output_names=[OUTPUTS[facts.kind]],
            dynamic_shapes=tuple(free for _ in examples), opset_version=OPSET, dynamo=True, external_data=False,
            verbose=False,
        )  # fmt: skip
        model = onnx.load(rough)
    forget_sources(model)
    store_in_half(model)
    entry = model.metadata_props.add()
    entry.key, entry.value = FACTS_KEY, json.dumps(json.loads(facts.to_json()) | (more or {}))
    model.producer_name = "mendpix"
    data = model.SerializeToString()
    difference = compare(network, data, facts)
    if not difference <= WORST_DIFFERENCE:  # nan is no agreement
        raise CheckpointError(
            f"the exported file must agree with torch to {WORST_DIFFERENCE}; it is off by {difference:.3g}. "
            "Nothing was written; please report this network."
        )
    with atomic_write(out) as temporary:
        temporary.write_bytes(data)
    return ExportReport(out, len(data), difference, facts)


def without_parametrizations(network: nn.Module) -> nn.Module:
    """Return a copy whose weights are plain: spectral norm's quotient is computed once, not in the graph."""
    plain = copy.deepcopy(network)
    for module in plain.modules():
        if parametrize.is_parametrized(module):
            shared = type(module)  # with the module that was copied, which must keep its weights
            own = type(shared.__name__, shared.__bases__, dict(shared.__dict__))
            module.__class__ = cast("type[nn.Module]", own)  # pyright: ignore[reportAttributeAccessIssue]  # made when it runs
            for name in list(cast("dict[str, object]", module.parametrizations)):
                parametrize.remove_parametrizations(module, name)
    return plain


def forget_sources(model: onnx.ModelProto) -> None:
    """Drop what the exporter notes of source files: it names folders of this machine."""
    del model.metadata_props[:]
    for holder in (model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        holder.doc_string = ""
        del holder.metadata_props[:]
    for tensor in model.graph.initializer:
        tensor.doc_string = ""
        del tensor.metadata_props[:]


def store_in_half(model: onnx.ModelProto) -> None:
    """Store large float32 constants as fp16 with a cast behind them; the arithmetic stays float32.

    The runtime folds the casts when it loads the file, so only the file gets smaller.
    """
    graph = model.graph
    casts: list[onnx.NodeProto] = []
    for tensor in list(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < SMALLEST_HALF:
            continue
        name = tensor.name
        half = numpy_helper.from_array(values.astype(np.float16), f"{name}.half")
        graph.initializer.remove(tensor)
        graph.initializer.append(half)
        casts.append(helper.make_node("Cast", [half.name], [name], to=TensorProto.FLOAT))
    nodes = casts + list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)


def compare(network: nn.Module, data: bytes, facts: Facts) -> float:
    """Return the largest difference between torch and the ONNX file over `CHECKED_SIZES`; nan if either holds one."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    worst = 0.0
    for height, width in CHECKED_SIZES:
        step = facts.multiple_of
        examples = _examples(facts, max(height // step * step, facts.minimum), max(width // step * step, facts.minimum))
        with torch.no_grad():
            expected = network(*examples).numpy()
        found = session.run(None, {name: value.numpy() for name, value in zip(facts.inputs, examples, strict=True)})[0]
        worst = float(np.maximum(worst, np.abs(expected - np.asarray(found)).max()))  # unlike max(), keeps a nan
    return worst


@contextmanager
def _quiet() -> Generator[None]:
    """Keep torch's exporter from logging which optional packages it does without."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _examples(facts: Facts, height: int, width: int) -> tuple[Tensor, ...]:
    """Make inputs like those of real work: smooth colours, a rectangle missing."""
    y, x = torch.meshgrid(torch.linspace(0, 3, height), torch.linspace(0, 3, width), indexing="ij")
    image = torch.stack([(x + y).sin(), (x - y).cos(), (x * y).sin()])[None] * 0.4 + 0.5
    hole = torch.zeros(1, 1, height, width)
    hole[:, :, height // 4 : height // 2, width // 4 : width // 2] = 1
    made = {
        "image": image * (1 - hole) if "hole" in facts.inputs else image,
        "hole": hole,
        "fills": torch.cat([image, image], 1),
        "edges": ((10 * x).sin()[None, None] > 0.95) * (1 - hole),
    }
    return tuple(made[name] for name in facts.inputs)
