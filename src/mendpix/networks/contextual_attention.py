"""Contextual attention: rebuild the hole of a feature map from patches of its known part (DeepFill v1 and v2).

From Yu, Lin, Yang, Shen, Lu, Huang: "Generative Image Inpainting with Contextual Attention" (CVPR 2018,
https://arxiv.org/abs/1801.07892), section 4, in the numerics of the authors' published program: which pixels are
sampled, which windows count as known, how borders are filled. In one thing it differs on purpose: every picture of a
batch is matched with its own hole, where the published program gives all of them the first one's. There is nothing to
learn in it. Patches are made by shifting the whole map and compared by one matrix product, so that the graph has no
sizes and no kernels that depend on data and can be exported. Memory grows with the square of the number of positions:
float32 scores of (H / 8 * W / 8) squared, 64 MiB of them for 512 x 512 px, several times over.
"""

from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SOFTMAX_SCALE = 10.0
"""Scores are multiplied by this before the softmax; large = copy the best patch, small = average many."""

LEAST_NORM = 1e-4
"""Length that a patch is taken to have at least when patches are brought to length 1."""


class ContextualAttention(nn.Module):
    """Replace every patch of a feature map by a mixture of known patches that resemble it.

    Args:
        fuse: Whether neighbours vote: positions that are shifted alike in foreground and background lend each other
            their scores, so that copied regions hang together.
        aligned: Whether to sample every other position with the first and the last one kept, as TensorFlow's aligned
            corners do, or plainly the first of every two.
        soft_norm: Whether a patch's length is the root of its summed squares plus `LEAST_NORM` for each value (a
            PyTorch port), or that root, at least `LEAST_NORM` (the published program).
        soft_hole: Whether the hole may have values between 0 and 1: a patch then counts by what its window keeps.
    """

    def __init__(
        self, *, fuse: bool = True, aligned: bool = True, soft_norm: bool = False, soft_hole: bool = False
    ) -> None:
        super().__init__()
        self.fuse = fuse
        self.aligned = aligned
        self.soft_norm = soft_norm
        self.soft_hole = soft_hole

    def forward(self, features: Tensor, hole: Tensor) -> Tensor:
        """Rebuild a feature map from its own known patches.

        Args:
            features: Shape (B, C, H, W), H and W even.
            hole: 1 = hole, 0 = known, at every second position: shape (B, 1, H / 2, W / 2). A patch is used if
                nothing of its 3 x 3 window is hole; what lies outside the picture counts as known. With `soft_hole`,
                its weight is 1 less the largest value in that window, which is the same for 0 and 1.

        Returns:
            Shape (B, C, H, W), the dtype of `features`. Zero everywhere for a picture without a usable patch.
        """
        # In half precision ten times a score has no decimals left, so autocast stays out.
        kind = features.device.type
        with torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext():
            exact = features.to(torch.promote_types(features.dtype, torch.float32))
            return self._attend(exact, hole).to(features.dtype)

    def _attend(self, features: Tensor, hole: Tensor) -> Tensor:
        height, width = features.shape[2] // 2, features.shape[3] // 2  # N = height * width positions
        worst = F.max_pool2d(hole.to(features), 3, stride=1, padding=1)  # (B, 1, H/2, W/2)
        usable = 1 - worst if self.soft_hole else (worst == 0).to(features)
        usable = usable.flatten(1)[:, None]  # (B, 1, N)

        small = shrink(features, 2, aligned=self.aligned)  # (B, C, H/2, W/2)
        wanted = _windows(small).flatten(2)  # (B, 9C, N), patches of 3 x 3
        squares = wanted.square()
        if self.soft_norm:
            norm = (squares + LEAST_NORM).sum(1, keepdim=True).sqrt()  # (B, 1, N)
        else:
            norm = squares.sum(1, keepdim=True).clamp_min(LEAST_NORM**2).sqrt()  # same as max(root, LEAST_NORM)
        scores = wanted.transpose(1, 2) @ (wanted / norm)  # (B, N of the foreground, N of the background)
        if self.fuse:
            scores = _along_diagonals(scores)
            scores = _turned(_along_diagonals(_turned(scores, height, width)), width, height)
        weights = torch.softmax(SOFTMAX_SCALE * scores * usable, dim=2) * usable  # (B, N, N)

        # Patches of 4 x 4, one at every second position: four blocks of 2 x 2 each.
        blocks = F.pixel_unshuffle(F.pad(features, (1, 1, 1, 1)), 2)  # (B, 4C, H/2 + 1, W/2 + 1)
        corners = [(y, x) for y in (0, 1) for x in (0, 1)]
        patches = torch.cat([blocks[:, :, y : y + height, x : x + width] for y, x in corners], 1)  # (B, 16C, H/2, W/2)
        mixed = patches.flatten(2) @ weights.transpose(1, 2)  # (B, 16C, N)
        parts = mixed.unflatten(2, (height, width)).chunk(4, 1)  # four of (B, 4C, H/2, W/2)
        laid = [F.pad(part, (x, 1 - x, y, 1 - y)) for part, (y, x) in zip(parts, corners, strict=True)]
        whole = F.pixel_shuffle(laid[0] + laid[1] + laid[2] + laid[3], 2)  # (B, C, H + 2, W + 2)
        return whole[:, :, 1:-1, 1:-1] / 4  # every value is the sum of four overlapping patches


def shrink(plane: Tensor, factor: int, *, aligned: bool) -> Tensor:
    """Sample a plane at every `factor`-th position, without averaging.

    Args:
        plane: Shape (B, C, H, W), H and W multiples of `factor`.
        factor: How many times smaller.
        aligned: Keep the first and the last row and column, and space the others evenly between them (TensorFlow's
            nearest neighbour with aligned corners); otherwise the first of every `factor`.

    Returns:
        Shape (B, C, H / factor, W / factor).
    """
    if not aligned:
        return plane[:, :, ::factor, ::factor]
    rows = _aligned(plane.shape[2] // factor, factor, plane.device)
    columns = _aligned(plane.shape[3] // factor, factor, plane.device)
    return plane.index_select(2, rows).index_select(3, columns)


def _aligned(count: int, factor: int, device: torch.device) -> Tensor:
    """Return i * (factor * count - 1) / (count - 1), rounded half up, for i below `count`; in whole numbers."""
    index = torch.arange(count, device=device)
    return factor * index + (2 * (factor - 1) * index + count - 1) // (2 * (count - 1))


def _windows(plane: Tensor) -> Tensor:
    """Put the 3 x 3 neighbours of every position side by side, zeros outside: (B, C, H, W) -> (B, 9C, H, W)."""
    height, width = plane.shape[2:]
    padded = F.pad(plane, (1, 1, 1, 1))
    return torch.cat([padded[:, :, y : y + height, x : x + width] for y in range(3) for x in range(3)], 1)


def _along_diagonals(scores: Tensor) -> Tensor:
    """Add to each score those of the next and the last pair of positions: (B, N, N) in and out."""
    padded = F.pad(scores, (1, 1, 1, 1))
    return scores + padded[:, :-2, :-2] + padded[:, 2:, 2:]


def _turned(scores: Tensor, height: int, width: int) -> Tensor:
    """Number positions column by column instead of row by row, on both axes: (B, N, N) in and out."""
    apart = scores.unflatten(2, (height, width)).unflatten(1, (height, width))  # (B, H, W, H, W)
    return apart.permute(0, 2, 1, 4, 3).flatten(3).flatten(1, 2)
