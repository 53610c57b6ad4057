"""The recipe that the golden files stand on: numbers from a seed and a name, by NumPy alone.

A golden file holds no weights. Each tensor of a network has a random stream of its own, chosen by the file's seed
and the tensor's name, so that the same weights can be made again in any framework and in any order.
"""

from math import prod
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]


def stream(seed: int, name: str) -> np.random.Generator:
    """Open the random stream of one tensor."""
    return np.random.default_rng([seed, crc32(name.encode())])


def weights(shapes: dict[str, Shape], seed: int) -> dict[str, NDArray[Any]]:
    """Make the weights of a network, by their names and shapes alone.

    Kernels are normal with variance 2 / (product of all axes but the first), scales and variances of norms uniform in
    [0.5, 1.5), offsets and biases normal with deviation 0.05, means of norms and single numbers with 0.1; rounded to
    float32 at the end. Counters are int64 zeros. The directions of spectral norm beside a `weight_orig` are settled by
    four power iterations.
    """
    made: dict[str, NDArray[Any]] = {}
    for name, shape in shapes.items():
        numbers, last = stream(seed, name), name.rpartition(".")[2]
        if last == "num_batches_tracked":
            made[name] = np.zeros(shape, np.int64)
            continue
        if last == "running_var" or (len(shape) == 1 and last in ("weight", "gamma")):
            tensor = numbers.uniform(0.5, 1.5, shape)
        elif last == "running_mean" or not shape:
            tensor = numbers.standard_normal(shape) * 0.1
        elif len(shape) > 1:
            tensor = numbers.standard_normal(shape) * np.sqrt(2 / prod(shape[1:]))
        else:
            tensor = numbers.standard_normal(shape) * 0.05
        made[name] = np.asarray(tensor, np.float32)
    for name in shapes:
        if name.endswith("weight_u"):
            _settle(made, name.removesuffix("weight_u"))
    return made


def _settle(made: dict[str, NDArray[Any]], stem: str) -> None:
    """Turn the random `weight_u` of a layer into the first left direction of its kernel, and `weight_v` likewise."""
    kernel, left = made[f"{stem}weight_orig"].astype(np.float64), made[f"{stem}weight_u"].astype(np.float64)
    if kernel.shape[0] != left.shape[0]:  # of a transposed convolution: its second axis leads
        kernel = np.moveaxis(kernel, 1, 0)
    matrix = kernel.reshape(left.shape[0], -1)
    for _ in range(4):
        right = matrix.T @ left
        right /= np.linalg.norm(right)
        left = matrix @ right
        left /= np.linalg.norm(left)
        made[f"{stem}weight_u"], made[f"{stem}weight_v"] = left.astype(np.float32), right.astype(np.float32)


def picture(seed: int, shape: Shape) -> NDArray[np.float32]:
    """Make noise, uniform in [0, 1), from the stream named "image"."""
    return stream(seed, "image").random(shape).astype(np.float32)


def hole(height: int, width: int) -> NDArray[np.float32]:
    """Cut a large rectangle into the upper left and a flat one below it. Shape (1, 1, H, W), 1 = hole."""
    made = np.zeros((1, 1, height, width), np.float32)
    top, left = height // 4, width // 5
    made[..., top : top + height // 3, left : left + width // 3] = 1
    low = 3 * height // 4
    made[..., low : low + height // 10, width // 2 : 3 * width // 4] = 1
    return made
