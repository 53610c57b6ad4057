"""What perceptual and style terms need of a frozen network, whichever it is. Knows no weights and no layers' names."""

from typing import Protocol

from torch import Tensor


class Backbone(Protocol):
    """A frozen network whose activations are compared. Gradients pass to its input; its weights never change."""

    def perceptual(self, image: Tensor) -> list[Tensor]:
        """Return the activations whose differences count, each (B, C, h, w).

        Args:
            image: RGB in [0, 1] as far as the caller keeps to it, shape (B, 3, H, W).
        """
        ...

    def style(self, image: Tensor) -> list[Tensor]:
        """Return the activations whose Gram matrices count, each (B, C, h, w); `image` as for `perceptual`."""
        ...

    def both(self, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return what `perceptual` and `style` return for one picture, computed in one pass."""
        ...
