"""Compare pictures by the activations of SqueezeNet v1.0, which ships with mendpix, on ONNX Runtime. Needs no torch.

Called "SqueezeNet feature distance" and "Fréchet distance, SqueezeNet" wherever it is printed: it is **neither** LPIPS
**nor** FID, and its numbers cannot be compared with theirs. `metrics.feature_distance` computes the same with torch,
from a weight file that is passed in, for batches and with gradients.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mendpix.errors import ModelError, ShapeError
from mendpix.metrics.pair import check_pair
from mendpix.types import AnyArray, FloatArray, Image
from mendpix.weights.locate import FOLDER

EMBEDDED = FOLDER / "squeezenet.onnx"
"""The file that ships with mendpix; benchmarks/export_backbone.py makes it."""

LAYERS = ("conv1", "fire2", "fire3", "fire4", "fire5", "fire6", "fire7", "fire8", "fire9")
"""Names of the activations, in the order in which the network computes them; each is taken after its ReLU."""

CHANNELS = 512
"""Channels of the last activation."""

MINIMUM_PX = 21
"""Smallest height and width from which all layers can be computed."""

KEPT_PX = 1_000_000
"""Largest picture whose activations are kept for the next comparison, px; they take 330 bytes per pixel."""

_POOLED = "pooled"
_EPSILON = np.float32(1e-10)  # where a layer is silent at a pixel, its direction is the zero vector


@dataclass(frozen=True, eq=False)
class _Seen:
    """What was computed of a picture, with a copy of it to know it again by."""

    image: FloatArray
    pooled: FloatArray
    directions: tuple[FloatArray, ...] = ()

    def is_of(self, image: Image) -> bool:
        return self.image.dtype == image.dtype and np.array_equal(self.image, image)


class SqueezeNet:
    """SqueezeNet v1.0 (Iandola et al. 2016, https://arxiv.org/abs/1602.07360), trained on ImageNet, weights in fp16.

    Computes in fp32. Remembers the last target and the last other picture by their content, so that comparing several
    pictures with one target, and pooling what was just compared, cost one run each. May be used by several threads.

    Example:
        >>> backbone = SqueezeNet()
        >>> grey, black = np.full((32, 32, 3), 0.5, np.float32), np.zeros((32, 32, 3), np.float32)
        >>> backbone.feature_distance(grey, grey), backbone.feature_distance(grey, black) > 0
        (0.0, True)
    """

    def __init__(self, path: str | os.PathLike[str] = EMBEDDED, *, threads: int = 1) -> None:
        """Load the backbone.

        Args:
            path: Another file made by benchmarks/export_backbone.py.
            threads: Threads for one run; the activations differ by rounding only.

        Raises:
            ModelError: If the file is missing, broken or foreign.
        """
        self._session = _open(Path(path), threads)
        self._target: _Seen | None = None
        self._last: _Seen | None = None

    def activations(self, image: Image) -> dict[str, FloatArray]:
        """Compute the nine activations of a picture, by name.

        Args:
            image: RGB in [0, 1], shape (H, W, 3), at least `MINIMUM_PX` high and wide.

        Returns:
            Not negative, shape (channels, height, width): half the size of the picture (conv1), a quarter (fire2 to
            fire4), an eighth (fire5 to fire8) and a sixteenth (fire9).

        Raises:
            ShapeError: If the picture has another shape or is too small.
        """
        return dict(zip(LAYERS, self._run(image, LAYERS), strict=True))

    def pooled(self, image: Image) -> FloatArray:
        """Average the last activation over its pixels: what the Fréchet distance is computed of.

        Args:
            image: RGB in [0, 1], shape (H, W, 3), at least `MINIMUM_PX` high and wide.

        Returns:
            Not negative, shape (512,).

        Raises:
            ShapeError: If the picture has another shape or is too small.
        """
        for seen in (self._last, self._target):
            if seen is not None and seen.is_of(image):
                return seen.pooled.copy()
        return self._run(image, (_POOLED,))[0][0]

    def feature_distance(self, prediction: Image, target: Image) -> float:
        """Compute the SqueezeNet feature distance of two pictures; less is better, 0 = equal.

        At every pixel of every layer both activation vectors are scaled to length 1 (a vector of length 0 stays); their
        squared Euclidean distance is averaged over the pixels of a layer, then over the layers. Without a unit, between
        0 and 2. This is the unlearnt distance that Zhang et al. 2018 start from (https://arxiv.org/abs/1801.03924),
        over nine layers, averaged and not summed.

        Args:
            prediction: RGB in [0, 1], shape (H, W, 3), at least `MINIMUM_PX` high and wide.
            target: The same shape and range.

        Returns:
            Distance.

        Raises:
            ShapeError: If the pictures are not two float arrays of one shape (H, W, 3), or are too small.
        """
        check_pair(prediction, target)
        known = self._target
        if known is None or not known.is_of(target):
            *maps, pooled = self._run(target, (*LAYERS, _POOLED))
            known = _Seen(target.copy(), pooled[0], tuple(_direction(one) for one in maps))
            if target.shape[0] * target.shape[1] <= KEPT_PX:
                self._target = known
        *maps, pooled = self._run(prediction, (*LAYERS, _POOLED))
        self._last = _Seen(prediction.copy(), pooled[0])
        layers = [_mean_square(_direction(ours), theirs) for ours, theirs in zip(maps, known.directions, strict=True)]
        return float(np.mean(layers))

    def _run(self, image: AnyArray, outputs: tuple[str, ...]) -> list[FloatArray]:
        """Return outputs for one picture, the axis of the batch taken off activations, but not off `pooled`."""
        if image.ndim != 3 or image.shape[2] != 3 or min(image.shape[:2]) < MINIMUM_PX:
            raise ShapeError(
                f"image must be (H, W, 3) with H and W at least {MINIMUM_PX}; got {image.shape}. "
                "Resize or pad a picture that is smaller."
            )
        if not np.issubdtype(image.dtype, np.floating):
            raise ShapeError(f"image must be floats in [0, 1]; got {image.dtype}. Divide by its maximum.")
        tensor = np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32)
        found: list[Any] = self._session.run(list(outputs), {"image": tensor})
        return [array if name == _POOLED else array[0] for name, array in zip(outputs, found, strict=True)]


def _direction(activation: FloatArray) -> FloatArray:
    """Scale every pixel's vector to length 1, in place; returns (channels, pixels)."""
    vectors = activation.reshape(len(activation), -1)
    length = np.sqrt(np.einsum("cp,cp->p", vectors, vectors))
    vectors /= length + _EPSILON
    return vectors


def _mean_square(ours: FloatArray, theirs: FloatArray) -> float:
    """Average the squared distance of directions over the pixels; overwrites `ours`."""
    ours -= theirs
    return float(np.square(ours, out=ours).sum()) / ours.shape[1]  # NumPy adds in pairs: single precision is enough


def _open(path: Path, threads: int) -> Any:
    import onnxruntime  # here, not above: whoever measures something else does without it

    if threads < 1:
        raise ModelError(f"threads must be at least 1; got {threads}.")
    if not path.is_file():
        raise ModelError(f"the backbone must be a file; {path} does not exist. Install mendpix again.")
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # failures arrive as exceptions; nothing is to be printed
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises classes of its own that share no base but this
        raise ModelError(
            f"the backbone must be an ONNX file that ONNX Runtime {onnxruntime.__version__} can load; {path} is not "
            f"({str(error).splitlines()[0][:200]}). Make it again with benchmarks/export_backbone.py."
        ) from error
    names = {entry.name for entry in session.get_outputs()}
    if not {*LAYERS, _POOLED} <= names or [entry.name for entry in session.get_inputs()] != ["image"]:
        raise ModelError(
            f"the backbone must have the input image and the outputs {', '.join(LAYERS)} and {_POOLED}; {path} has "
            f"{', '.join(sorted(names))}. Make it with benchmarks/export_backbone.py."
        )
    return session
