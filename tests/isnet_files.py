"""The tensors of a published ISNet file by name and shape, at any width: for tests of the importer and the network."""

from typing import Any

import torch

from golden import fill

Shapes = dict[str, tuple[int, ...]]


def spectral(name: str, outputs: int, inputs: int, size: int = 3) -> Shapes:
    """Name the three tensors of a convolution under spectral norm."""
    return {
        f"{name}.weight_orig": (outputs, inputs, size, size),
        f"{name}.weight_u": (outputs,),
        f"{name}.weight_v": (inputs * size * size,),
    }


def generator_shapes(width: int, blocks: int) -> Shapes:
    """Name every tensor of the generator."""
    shapes: Shapes = {"layer1.downsample.weight": (width, 3, 1, 1)}
    shapes |= spectral("layer1.conv_block.1", 2 * width, 3) | spectral("layer1.conv_block.4", width, 2 * width)
    for stage in range(4):
        low = 2**stage * width if stage else 0  # comes in; twice as much goes out
        name = f"stage{stage}"
        for branch, channels in enumerate([width, low] if low else [width]):
            for block in range(blocks):
                for number in (1, 4):
                    shapes |= spectral(f"{name}.branches.{branch}.{block}.conv_block.{number}", channels, channels)
        for step in range(stage):
            shapes |= spectral(f"{name}.fuse_layers.0.1.{step}.0", 2 * low // 2**step, low // 2**step)
        for step in range(stage + 1):
            shapes |= spectral(f"{name}.fuse_layers.1.0.{step}.0", 2 ** (step + 1) * width, 2**step * width)
        out = 2 ** (stage + 1) * width
        if low:
            shapes |= spectral(f"{name}.fuse_layers.1.1.0", out, low)
        shapes |= spectral(f"{name}.fused_branches.0.0.0", width, 2 * width if low else width)
        shapes |= spectral(f"{name}.fused_branches.1.0.0", out, 2 * out if low else out)
    for step in range(4):
        shapes |= spectral(f"up_layer.{step}.0", 32 * width // 2**step, 16 * width // 2**step)
    shapes |= {"final_layer.0.bias": (width,)} | spectral("final_layer.0", width, 2 * width, 7)
    return shapes | {"final_layer.2.bias": (3,)} | spectral("final_layer.2", 3, width)


def discriminator_shapes(width: int) -> Shapes:
    """Name every tensor of the discriminator; its first layer has two names."""
    widths = (3, width, 2 * width, 4 * width, 8 * width, 1)
    shapes = spectral("features.0", width, 3, 4)
    for number in range(1, 6):
        shapes |= spectral(f"conv{number}.0", widths[number], widths[number - 1], 4)
    return shapes


def tensors(shapes: Shapes, seed: int = 5) -> dict[str, Any]:
    """Fill them."""
    return {name: torch.from_numpy(value) for name, value in fill.weights(shapes, seed).items()}
