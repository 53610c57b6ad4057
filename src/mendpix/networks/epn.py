"""EPN: draw the edges of what is destroyed, given how much of each pixel is (edge prediction network).

From "Image Inpainting with Informed Mask Generation" (anonymous submission), section 3.2: EdgeConnect's edge generator
with spectral norm, told the predicted mask with its values between 0 and 1. What the paper leaves open is told in
decision 010. This module knows nothing of losses, training or files, and does not look for Canny's edges itself.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mendpix.networks.deepfill_layers import check_hole, check_picture, check_plane, is_exporting
from mendpix.networks.edgeconnect import EdgeGenerator, EdgeGeneratorConfig, grey
from mendpix.networks.interface import NetworkFacts

HALF_DESTROYED = 0.5
"""Share from which on a pixel counts as destroyed where it is one or the other: Canny's edges are not half there."""


@dataclass(frozen=True)
class EpnConfig(EdgeGeneratorConfig):
    """Sizes of the network. The defaults are those of EdgeConnect's edge generator: 10,761,089 parameters."""


class EpnNetwork(nn.Module):
    """Draw the edges of a whole picture that is destroyed here and there, by degrees.

    Args:
        config: Sizes; the default is EdgeConnect's.
    """

    facts = NetworkFacts(multiple_of=4, minimum=12, half=True, bfloat16=True, inputs=("image", "hole", "edges"))

    def __init__(self, config: EpnConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or EpnConfig()
        self.generator = EdgeGenerator(config)

    def forward(self, image: Tensor, hole: Tensor, edges: Tensor) -> Tensor:
        """Draw the edges of a whole picture.

        Gradients reach `hole`, but for the step at which edges cease to count.

        Args:
            image: The damaged picture, RGB in [0, 1], finite, shape (B, 3, H, W); H and W multiples of 4 and at least
                12. It counts by what is left of it.
            hole: Share of each pixel that is destroyed, in [0, 1], shape (B, 1, H, W).
            edges: Canny's edges of the pixels that are not destroyed, 1 = on an edge, shape (B, 1, H, W); those where
                at least half is destroyed are not seen.

        Returns:
            How likely each pixel lies on an edge, in (0, 1), shape (B, 1, H, W), whole pixels too.

        Raises:
            ShapeError: If a shape, size or dtype is not as above.
        """
        if not is_exporting():
            check_picture(image, self.facts)
            check_hole(hole, image)
            check_plane("edges", edges, image)
        seen = grey(image) * (1 - hole) + hole  # (B, 1, H, W), white where destroyed
        return self.generator.draw(torch.cat([seen, edges * whole(hole), hole], dim=1))  # (B, 1, H, W)


def whole(hole: Tensor) -> Tensor:
    """Return 1 where less than half of a pixel is destroyed, 0 elsewhere: shape and dtype of `hole`."""
    return (hole < HALF_DESTROYED).to(hole)


def merge_predicted_edges(drawn: Tensor, edges: Tensor, hole: Tensor) -> Tensor:
    """Take drawn edges where at least half is destroyed and given ones elsewhere; all (B, 1, H, W)."""
    kept = whole(hole)
    return drawn * (1 - kept) + edges * kept
