"""Muon: momentum whose matrices are made orthogonal before they are applied. For convolutions; the rest takes AdamW.

Jordan et al. 2024 (https://kellerjordan.github.io/posts/muon). torch's own `torch.optim.Muon` refuses kernels of more
than two axes, and all of ours have four; hence this file (decision 005).
"""

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic Newton–Schulz iteration: push singular values to about 1 fast rather than exactly."""

ITERATIONS = 5
"""Newton–Schulz iterations per step."""


def orthogonalise(matrix: Tensor) -> Tensor:
    """Return the nearest matrix with singular values of about 1.

    Args:
        matrix: Shape (rows, columns), any scale.

    Returns:
        Same shape, bfloat16; singular values between about 0.7 and 1.2, or all zero if the matrix is.
    """
    a, b, c = COEFFICIENTS
    x = matrix.bfloat16()
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Step along the orthogonalised Nesterov momentum of each kernel, seen as a matrix (out, in * k * k)."""

    def __init__(
        self, parameters: Iterable[Tensor], *, lr: float = 1e-3, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        """Keep the parameters.

        Args:
            parameters: Tensors of at least two axes.
            lr: Learning rate; a step changes an entry by about 0.2 lr, as AdamW does.
            momentum: Decay of the momentum.
            weight_decay: Decoupled decay.
        """
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Change the parameters once."""
        if closure is not None:
            raise ValueError("Muon takes no closure; compute the gradients first.")
        group: dict[str, Any]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                average: Tensor = state["momentum"]
                average.lerp_(parameter.grad, 1 - group["momentum"])
                update = parameter.grad.lerp(average, group["momentum"])  # Nesterov
                matrix = update.reshape(update.shape[0], -1)
                # The same size of step as AdamW's, whatever the kernel's shape (Liu et al. 2025, arXiv 2502.16982).
                size = 0.2 * max(matrix.shape) ** 0.5
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(orthogonalise(matrix).reshape(update.shape).to(parameter), alpha=-group["lr"] * size)
        return None
