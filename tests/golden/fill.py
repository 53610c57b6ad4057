"""The recipe that the golden files stand on: numbers from a seed and a name, by NumPy alone.

A golden file holds no weights. Each tensor of a network has a random stream of its own, chosen by the file's seed
and the tensor's name, so that the same weights can be made again in any framework and in any order.
"""

from math import prod
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]


def stream(seed: int, name: str) -> np.random.Generator:
    """Open the random stream of one tensor."""
    return np.random.default_rng([seed, crc32(name.encode())])


def weights(shapes: dict[str, Shape], seed: int) -> dict[str, NDArray[np.float32]]:
    """Make the weights of a network whose tensors are kernels, and scales and offsets of one axis.

    Kernels are normal with variance 2 / (product of all axes but the first), scales of norms uniform in [0.5, 1.5),
    offsets and biases normal with deviation 0.05. Rounded to float32 at the end.
    """
    made: dict[str, NDArray[np.float32]] = {}
    for name, shape in shapes.items():
        numbers = stream(seed, name)
        if len(shape) > 1:
            tensor = numbers.standard_normal(shape) * np.sqrt(2 / prod(shape[1:]))
        elif name.endswith(".weight"):
            tensor = numbers.uniform(0.5, 1.5, shape)
        else:
            tensor = numbers.standard_normal(shape) * 0.05
        made[name] = tensor.astype(np.float32)
    return made


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
