"""The filling half of "Image Inpainting with Informed Mask Generation": EPN draws edges, IPN fills along them.

As EdgeConnect's pair is, it is one generator to the outside, which takes a picture, how much of each pixel is destroyed
and Canny's edges of the rest; the mask may come from MPN or from a person. Knows no losses, phases or files.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from mendpix.errors import InputError
from mendpix.networks.edgeconnect import known_edges
from mendpix.networks.epn import EpnConfig, EpnNetwork, merge_predicted_edges, whole
from mendpix.networks.interface import NetworkFacts
from mendpix.networks.ipn import IpnConfig, IpnGenerator


@dataclass(frozen=True)
class InformedConfig:
    """Sizes of both networks."""

    edge_channels: int = 64
    """`base_channels` of the edge network."""

    edge_blocks: int = 8
    """`residual_blocks` of the edge network."""

    fill_width: int = 24
    """`width` of the fill network."""

    edges_sigma: float = 2.0
    """Width of the Gaussian, px, of Canny's edges that are found here if none are given."""

    def __post_init__(self) -> None:
        EpnConfig(self.edge_channels, self.edge_blocks)
        IpnConfig(self.fill_width)
        if not 0 < self.edges_sigma <= 64:
            raise InputError(f"edges_sigma must be above 0 and at most 64 px; got {self.edges_sigma}.")


class InformedGenerator(nn.Module):
    """Draw the edges of what is destroyed, then fill the picture along them.

    Args:
        config: Sizes of both networks.
    """

    facts = NetworkFacts(
        multiple_of=8, minimum=16, half=True, bfloat16=True, inputs=("image", "hole", "edges"), preferred_px=512
    )

    def __init__(self, config: InformedConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or InformedConfig()
        self.edge = EpnNetwork(EpnConfig(config.edge_channels, config.edge_blocks))
        self.inpaint = IpnGenerator(IpnConfig(config.fill_width))

    def forward(self, image: Tensor, hole: Tensor, edges: Tensor | None = None) -> Tensor:
        """Predict a whole picture.

        Args:
            image: The damaged picture, RGB in [0, 1], finite, shape (B, 3, H, W); H and W multiples of 8 and at least
                16.
            hole: Share of each pixel that is destroyed, in [0, 1], shape (B, 1, H, W).
            edges: Canny's edges of the pixels that are less than half destroyed, 1 = on an edge, shape (B, 1, H, W);
                None = they are found here, which is slow and cannot be exported.

        Returns:
            Raw prediction, RGB in [0, 1], shape (B, 3, H, W). Whole pixels are predicted too, not copied.

        Raises:
            ShapeError: If a shape, size or dtype is not as above.
        """
        if edges is None:
            edges = known_edges(image, 1 - whole(hole), self.config.edges_sigma)
        return self.inpaint(image, hole, self.draw(image, hole, edges))

    def draw(self, image: Tensor, hole: Tensor, edges: Tensor) -> Tensor:
        """Return the edges that the fill follows: drawn ones where half is destroyed, given ones elsewhere.

        Args:
            image: As for `forward`, and likewise
            hole: and
            edges: which must be given.
        """
        drawn = self.edge(image, hole, edges).to(image.dtype)  # (B, 1, H, W); autocast may have narrowed it
        return merge_predicted_edges(drawn, edges, hole)
