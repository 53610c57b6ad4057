"""Run a model file on ONNX Runtime. Knows inputs and outputs by name; knows no architecture, window or padding.

A model file of ours carries its facts as metadata. A generator has the inputs `image` (1, 3, H, W) with the hole set
to 0, `hole` (1, 1, H, W) and, if its facts say so, `fills` (1, 6, H, W): the harmonic and the Navier–Stokes fill, RGB
each, and `edges` (1, 1, H, W): 1 on Canny's edges of the known pixels; its
output is `prediction` (1, 3, H, W). A detector has the input `image` and the output `probability`
(1, 1, H, W), a finder of damage the input `image` and the output `damage` (1, K, H, W) with a plane for each kind of
damage that its facts name. Everything is in [0, 1]; height and width are dynamic.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mendpix.edges import find_edges
from mendpix.engines.interface import FACTS_KEY, Facts
from mendpix.engines.stopwatch import spent
from mendpix.errors import ModelError, ShapeError
from mendpix.fills import first_fills
from mendpix.types import FloatArray, Image, Map, Mask

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

CPU = ("CPUExecutionProvider",)
"""Where models run unless the caller says otherwise."""

CHANNELS = {"image": 3, "hole": 1, "fills": 6, "edges": 1, "prediction": 3, "probability": 1}
"""Channels of every input and output that a model file may have; those of `damage` are as many as its kinds."""

GIVEN_AS = {"generator": "the model", "detector": "the detector", "damage": "the finder of damage"}
"""As what a model file of each kind is to be given."""

DTYPES: dict[str, type[np.floating[Any]]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
"""NumPy's name for ONNX Runtime's; what a model computes with inside is its own affair."""


class OnnxGenerator:
    """A generator file, loaded once. May be used by several threads at a time."""

    def __init__(
        self,
        source: str | os.PathLike[str] | bytes,
        *,
        providers: Sequence[str] = CPU,
        threads: int | None = None,
    ) -> None:
        """Load a generator.

        Args:
            source: Path of the file, or its bytes.
            providers: ONNX Runtime's execution providers, best first.
            threads: Threads for one run; None = one per core.

        Raises:
            ModelError: If the file is missing, broken, foreign, or a detector.
        """
        self._session, self._facts, self._dtypes = _open(source, providers, threads)
        if self._facts.kind != "generator":
            raise ModelError(
                f"A model that fills must be a generator; {_name(source)} is a {self._facts.kind}. "
                f"{_way_out(self._facts)}"
            )
        _check_graph(self._session, source, self._facts, ("image", "hole"), "prediction")

    @property
    def facts(self) -> Facts:
        """What the model tells about itself."""
        return self._facts

    def fill(self, image: Image, hole: Mask, guide: Image | None = None) -> Image:
        """Predict the picture without its hole.

        Args:
            image: RGB in [0, 1], shape (H, W, 3), of a size that the facts allow; the hole's part is ignored.
            hole: 1 = fill, 0 = known, shape (H, W).
            guide: Coarse fill to start from, like `image`; needs facts that say `takes_guide`.

        Returns:
            Prediction in [0, 1], shape (H, W, 3).

        Raises:
            ShapeError: If the sizes differ or are not legal for the model.
            ModelError: If the model's answer has the wrong shape or is not finite.
        """
        _check_size(image, self._facts)
        if hole.shape != image.shape[:2]:
            raise ShapeError(f"hole must be {image.shape[:2]} like its image; got {hole.shape}. Cut both alike.")
        missing = hole > 0
        known = np.where(missing[..., None], np.float32(0), image)
        feeds: dict[str, FloatArray] = {"image": known, "hole": hole[..., None]}
        if "fills" in self._facts.inputs:
            with spent("first_fill"):
                feeds["fills"] = first_fills(known, hole, guide, radius_px=self._facts.first_fill_radius_px)
        if "edges" in self._facts.inputs:
            edges = find_edges(known, self._facts.edges_sigma, ~missing)
            feeds["edges"] = edges[..., None].astype(np.float32)
        return _run(self._session, "prediction", feeds, self._dtypes, self._facts)


class OnnxDetector:
    """A detector file, loaded once. May be used by several threads at a time."""

    def __init__(
        self,
        source: str | os.PathLike[str] | bytes,
        *,
        providers: Sequence[str] = CPU,
        threads: int | None = None,
    ) -> None:
        """Load a detector.

        Args:
            source: Path of the file, or its bytes.
            providers: ONNX Runtime's execution providers, best first.
            threads: Threads for one run; None = one per core.

        Raises:
            ModelError: If the file is missing, broken, foreign, or a generator.
        """
        self._session, self._facts, self._dtypes = _open(source, providers, threads)
        if self._facts.kind != "detector":
            raise ModelError(
                f"A model that detects must be a detector; {_name(source)} is a {self._facts.kind}. "
                f"{_way_out(self._facts)}"
            )
        _check_graph(self._session, source, self._facts, ("image",), "probability")

    @property
    def facts(self) -> Facts:
        """What the model tells about itself."""
        return self._facts

    def detect(self, image: Image) -> Map:
        """Rate every pixel.

        Args:
            image: RGB in [0, 1], shape (H, W, 3), of a size that the facts allow.

        Returns:
            Probability in [0, 1] that a pixel was filled, shape (H, W).

        Raises:
            ShapeError: If the size is not legal for the model.
            ModelError: If the model's answer has the wrong shape or is not finite.
        """
        _check_size(image, self._facts)
        return _run(self._session, "probability", {"image": image}, self._dtypes, self._facts)[..., 0]


class OnnxDamageFinder:
    """The file of a finder of damage, loaded once. May be used by several threads at a time."""

    def __init__(
        self,
        source: str | os.PathLike[str] | bytes,
        *,
        providers: Sequence[str] = CPU,
        threads: int | None = None,
    ) -> None:
        """Load a finder of damage.

        Args:
            source: Path of the file, or its bytes.
            providers: ONNX Runtime's execution providers, best first.
            threads: Threads for one run; None = one per core.

        Raises:
            ModelError: If the file is missing, broken, foreign, or of another kind.
        """
        self._session, self._facts, self._dtypes = _open(source, providers, threads)
        if self._facts.kind != "damage":
            raise ModelError(
                f"A model that finds damage must be of the kind damage; {_name(source)} is a {self._facts.kind}. "
                f"{_way_out(self._facts)}"
            )
        _check_graph(self._session, source, self._facts, ("image",), "damage")

    @property
    def facts(self) -> Facts:
        """What the model tells about itself."""
        return self._facts

    def find(self, image: Image) -> FloatArray:
        """Rate every pixel.

        Args:
            image: RGB in [0, 1], shape (H, W, 3), of a size that the facts allow.

        Returns:
            How much of a pixel each kind of damage has destroyed, in [0, 1], shape (H, W, K).

        Raises:
            ShapeError: If the size is not legal for the model.
            ModelError: If the model's answer has the wrong shape or is not finite.
        """
        _check_size(image, self._facts)
        return _run(self._session, "damage", {"image": image}, self._dtypes, self._facts)


def _open(
    source: str | os.PathLike[str] | bytes, providers: Sequence[str], threads: int | None
) -> tuple["InferenceSession", Facts, dict[str, type[np.floating[Any]]]]:
    """Start a session and read the facts and the inputs' dtypes."""
    import onnxruntime  # here, not above: `import mendpix` and the classical fills do without it

    if threads is not None and threads < 1:
        raise ModelError(f"threads must be at least 1, or None for one per core; got {threads}.")
    unknown = [provider for provider in providers if provider not in onnxruntime.get_available_providers()]
    if unknown:
        raise ModelError(
            f"Execution providers must be among {', '.join(onnxruntime.get_available_providers())}; "
            f"got {', '.join(unknown)}. Install the onnxruntime build that has it."
        )
    if not isinstance(source, bytes) and not Path(source).is_file():
        raise ModelError(f"A model file must exist; there is no file {_name(source)}. Check the path.")
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # failures arrive as exceptions; nothing is to be printed
    options.intra_op_num_threads = threads or 0
    options.inter_op_num_threads = 1
    # Every window may have another shape, and the memory pattern remembers each shape it has met: off. The arena stays:
    # it ends up as large as the largest window needs, windows are bounded, and without it runs take a fifth longer.
    options.enable_mem_pattern = False
    # Waiting threads sleep. Spinning, they would steal the processor from the classical fills between two runs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(
            source if isinstance(source, bytes) else os.fspath(source), options, providers=list(providers)
        )
    except Exception as error:  # ONNX Runtime raises classes of its own that share no base but this
        raise ModelError(
            f"A model must be an ONNX file that ONNX Runtime {onnxruntime.__version__} can load; "
            f"{_name(source)} is not ({str(error).splitlines()[0][:200]}). Export or download it again."
        ) from error
    text = session.get_modelmeta().custom_metadata_map.get(FACTS_KEY)
    if text is None:
        raise ModelError(
            f"A model file must carry the metadata {FACTS_KEY!r}; {_name(source)} does not, so it is not one of "
            "mendpix. Write model files with: mendpix export"
        )
    dtypes = {entry.name: DTYPES.get(entry.type, np.float32) for entry in session.get_inputs()}
    return session, Facts.from_json(text), dtypes


def _check_graph(
    session: "InferenceSession",
    source: str | os.PathLike[str] | bytes,
    facts: Facts,
    needed: tuple[str, ...],
    output: str,
) -> None:
    """Refuse a graph whose inputs or output are not those that its facts and its kind promise."""
    declared = facts.inputs
    inputs = {entry.name: entry for entry in session.get_inputs()}
    allowed = {*needed, "fills", "edges"} if output == "prediction" else set(needed)
    if set(inputs) != set(declared) or not set(needed) <= set(inputs) <= allowed:
        raise ModelError(
            f"The inputs of {_name(source)} must be {', '.join(needed)} and those that its facts name "
            f"({', '.join(declared)}); the file has {', '.join(inputs)}. Export the model again."
        )
    outputs = {entry.name: entry for entry in session.get_outputs()}
    if output not in outputs:
        raise ModelError(
            f"The output of {_name(source)} must be {output}; it has {', '.join(outputs)}. Export the model again."
        )
    for name, entry in (*inputs.items(), (output, outputs[output])):
        shape: list[object] = list(entry.shape)
        free = len(shape) == 4 and not any(isinstance(size, int) for size in shape[2:])
        channels = _channels(name, facts)
        fits = len(shape) == 4 and (not isinstance(shape[1], int) or shape[1] == channels)
        if not (free and fits) or entry.type not in DTYPES:
            raise ModelError(
                f"{name} of {_name(source)} must be (batch, {channels}, any height, any width) of floats; "
                f"it is {tuple(shape)} of {entry.type}. Export the model with dynamic height and width."
            )


def _run(
    session: "InferenceSession",
    output: str,
    feeds: dict[str, FloatArray],
    dtypes: dict[str, type[np.floating[Any]]],
    facts: Facts,
) -> FloatArray:
    """Run one picture, channels last on both sides, and check the answer."""
    tensors = {  # (H, W, C) -> (1, C, H, W)
        name: np.ascontiguousarray(array.transpose(2, 0, 1)[None], dtypes[name]) for name, array in feeds.items()
    }
    try:
        answer = np.asarray(session.run([output], tensors)[0], np.float32)
    except Exception as error:  # ONNX Runtime raises classes of its own that share no base but this
        raise ModelError(
            f"The model {facts.name} must run on {feeds['image'].shape[0]} x {feeds['image'].shape[1]} px; it failed "
            f"({str(error).splitlines()[0][:200]}). Check that its facts are true, or use another model."
        ) from error
    expected = (1, _channels(output, facts), *feeds["image"].shape[:2])
    if answer.shape != expected:
        raise ModelError(
            f"The model {facts.name} must answer with {expected}; got {answer.shape}. Export the model again."
        )
    if not bool(np.isfinite(answer).all()):
        raise ModelError(
            f"The model {facts.name} must answer with finite numbers; it did not. Its weights are broken: export again."
        )
    return np.ascontiguousarray(np.clip(answer[0].transpose(1, 2, 0), 0, 1))


def _channels(name: str, facts: Facts) -> int:
    return len(facts.kinds) if name == "damage" else CHANNELS[name]


def _way_out(facts: Facts) -> str:
    return f"Give it as {GIVEN_AS.get(facts.kind, 'another model')} instead."


def _check_size(image: Image, facts: Facts) -> None:
    height, width = image.shape[:2]
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.float32:
        raise ShapeError(f"image must be float32 (H, W, 3); got {image.dtype} {image.shape}.")
    if min(height, width) < facts.minimum or height % facts.multiple_of or width % facts.multiple_of:
        raise ShapeError(
            f"Height and width must be multiples of {facts.multiple_of} and at least {facts.minimum} for the model "
            f"{facts.name}; got {height} x {width}. Pad the picture with mendpix.inference.sizing."
        )


def _name(source: str | os.PathLike[str] | bytes) -> str:
    return "the model given as bytes" if isinstance(source, bytes) else os.fspath(source)
