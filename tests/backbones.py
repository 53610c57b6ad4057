"""Write a small SqueezeNet with random weights, for tests that must not need the trained one."""

import numpy as np

WIDTHS = {
    "f2": (3, 4),
    "f3": (3, 4),
    "f4": (4, 6),
    "f5": (4, 6),
    "f6": (5, 7),
    "f7": (5, 7),
    "f8": (6, 8),
    "f9": (6, 8),
}


def write_small_squeezenet(path, *, seed=0, without=()):
    """Write arrays like the trained file's, with fewer channels; leave out those named in `without`."""
    generator = np.random.default_rng(seed)
    arrays = {"conv1.w": generator.standard_normal((5, 3, 7, 7)) / 1500, "conv1.b": generator.standard_normal(5) / 10}
    channels = 5
    for name, (squeezed, expanded) in WIDTHS.items():
        for part, outputs, inputs, size in (
            ("s", squeezed, channels, 1),
            ("e1", expanded, squeezed, 1),
            ("e3", expanded, squeezed, 3),
        ):
            arrays[f"{name}{part}.w"] = generator.standard_normal((outputs, inputs, size, size)) / (inputs**0.5 * size)
            arrays[f"{name}{part}.b"] = generator.standard_normal(outputs) / 10
        channels = 2 * expanded
    np.savez(path, **{name: array.astype(np.float32) for name, array in arrays.items() if name not in without})
    return path


def vgg_arrays(depth, *, width=2, seed=0):
    """Make arrays like those of torchvision's VGG, with few channels."""
    generator = np.random.default_rng(seed)
    arrays, number, channels = {}, 0, 3
    for block, count in enumerate({16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}[depth]):
        for _ in range(count):
            outputs = width * min(2**block, 8)
            kernel = generator.normal(0, np.sqrt(2 / (9 * channels)), (outputs, channels, 3, 3))
            arrays[f"features.{number}.weight"] = kernel.astype(np.float32)
            arrays[f"features.{number}.bias"] = generator.normal(0, 0.1, outputs).astype(np.float32)
            number, channels = number + 2, outputs
        number += 1
    return arrays
