"""Losses that teach a detector where a picture was filled, and the valuation read from its logits.

The detector is taught with the hole as a stand-in for the artifacts nobody has drawn (GDN, section 3.4.1; see
`mendpix.networks.gdn` for the reference). All functions return the mean over batch and pixels. This module knows
no network, no optimiser and no weights between terms.
"""

import torch
from torch import Tensor

from mendpix.errors import InputError, ShapeError

SMALLEST_PROBABILITY = 1e-8
"""Probabilities are kept this far from 0 and 1 inside logarithms, as in GDN's published program."""


def valuation(logits: Tensor) -> Tensor:
    """Turn a detector's logits into V, the probability that a pixel belongs to the hole.

    Args:
        logits: Shape (B, 2, H, W): channel 0 = known, channel 1 = hole.

    Returns:
        Shape (B, 1, H, W), in [0, 1]. Gradients flow through it.

    Raises:
        ShapeError: If `logits` does not have that shape.
    """
    _check_logits(logits)
    return torch.softmax(logits, dim=1)[:, 1:2]


def cross_entropy(logits: Tensor, hole: Tensor) -> Tensor:
    """Compare the valuation with the hole, every pixel counting the same (GDN, Eq. 4).

    Args:
        logits: Shape (B, 2, H, W): channel 0 = known, channel 1 = hole.
        hole: 1 = hole, 0 = known, shape (B, 1, H, W).

    Returns:
        Scalar >= 0: mean over batch and pixels of `-M log V - (1 - M) log(1 - V)`.

    Raises:
        ShapeError: If the shapes do not fit each other.
    """
    known, filled = _probabilities(logits, hole)
    return -(hole * _log(filled) + (1 - hole) * _log(known)).mean()


def balanced_cross_entropy(logits: Tensor, hole: Tensor) -> Tensor:
    """Compare the valuation with the hole, the rarer of hole and known weighing more (GDN, Eq. 5).

    Args:
        logits: Shape (B, 2, H, W): channel 0 = known, channel 1 = hole.
        hole: 1 = hole, 0 = known, shape (B, 1, H, W).

    Returns:
        Scalar >= 0: mean over batch and pixels of `-(1 - a) M log V - a (1 - M) log(1 - V)`, where `a` is the
        share of the hole in each picture. Zero if a picture is all hole or all known.

    Raises:
        ShapeError: If the shapes do not fit each other.
    """
    return focal(logits, hole, gamma=0.0)


def focal(logits: Tensor, hole: Tensor, gamma: float = 2.0) -> Tensor:
    """Compare the valuation with the hole, pixels the detector gets wrong weighing more (GDN, Eq. 6).

    Args:
        logits: Shape (B, 2, H, W): channel 0 = known, channel 1 = hole.
        hole: 1 = hole, 0 = known, shape (B, 1, H, W).
        gamma: How strongly easy pixels fade, >= 0; 0 = the balanced cross-entropy.

    Returns:
        Scalar >= 0: mean over batch and pixels of
        `-(1 - a) (1 - V)^gamma M log V - a V^gamma (1 - M) log(1 - V)`, where `a` is the share of the hole in each
        picture.

    Raises:
        ShapeError: If the shapes do not fit each other.
        InputError: If `gamma` is negative.
    """
    if not gamma >= 0:
        raise InputError(f"gamma must be 0 or more; got {gamma}. GDN uses 2, and 0 turns focusing off.")
    known, filled = _probabilities(logits, hole)
    share = hole.to(known).mean(dim=(1, 2, 3), keepdim=True)  # (B, 1, 1, 1), alpha of the paper
    missed_hole = (1 - share) * hole * known.pow(gamma) * _log(filled)
    false_alarm = share * (1 - hole) * filled.pow(gamma) * _log(known)
    return -(missed_hole + false_alarm).mean()


def _probabilities(logits: Tensor, hole: Tensor) -> tuple[Tensor, Tensor]:
    """Return the probabilities of known and hole, each (B, 1, H, W), in float32 at least."""
    _check_logits(logits)
    expected = (logits.shape[0], 1, *logits.shape[2:])
    if tuple(hole.shape) != expected:
        raise ShapeError(
            f"hole must be {expected} like its logits; got {tuple(hole.shape)}. "
            "Add a missing channel axis with hole[:, None]."
        )
    # Half precision has no number as small as the bound below, so that log(0) would come back.
    known, filled = torch.softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)), dim=1).chunk(2, dim=1)
    return known, filled


def _log(probability: Tensor) -> Tensor:
    return torch.log(probability.clamp(SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY))


def _check_logits(logits: Tensor) -> None:
    if logits.ndim != 4 or logits.shape[1] != 2:
        raise ShapeError(
            f"logits must be (B, 2, H, W) with the channels known and hole; got {tuple(logits.shape)}. "
            "Give the detector's output before the softmax."
        )
