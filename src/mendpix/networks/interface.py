"""What every network tells about itself.

A network carries its facts as data (`network.facts`), so that padding, precision and export are decided without
running it. This module knows no architecture and needs no torch.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class NetworkFacts:
    """Sizes and precisions that a network accepts. Tests probe that each of them is true."""

    multiple_of: int
    """Height and width must be a multiple of this many pixels; 1 = any size."""

    minimum: int
    """Smallest height and width in pixels, itself a multiple of `multiple_of`; 1 = any size."""

    half: bool
    """True if weights and inputs in float16 give the float32 answer up to rounding."""

    bfloat16: bool
    """True if weights and inputs in bfloat16 give the float32 answer up to rounding."""

    local: bool = False
    """True if nothing in the network looks at the whole picture (instance norm does), so that a crop with context is
    filled as the whole picture would be."""

    bounded: bool = True
    """True if what comes out stays in [0, 1]; False where the last layer is a plain convolution."""

    inputs: tuple[str, ...] = ("image", "hole")
    """Names of `forward`'s arguments in order; `fills` asks for the two classical first fills (B, 6, H, W), `edges` for
    Canny's edges of the known pixels (B, 1, H, W)."""

    preferred_px: int | None = None
    """Longest side, px, that is filled at once in use: attention's memory grows with its fourth power; None = the
    exporter's usual limit."""
