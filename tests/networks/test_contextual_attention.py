import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mendpix.networks.contextual_attention import ContextualAttention, shrink  # noqa: E402 - torch is an extra


def test_a_hole_is_filled_with_the_patch_that_fits():
    """A picture of two halves that are alike: what is missing of one is copied from the other."""
    torch.manual_seed(0)
    half = torch.randn(1, 8, 16, 16)
    features = torch.cat([half, half], 3)
    hole = torch.zeros(1, 1, 8, 16)
    hole[:, :, 3:5, 3:5] = 1
    found = ContextualAttention(fuse=False, aligned=False)(features, hole)
    torch.testing.assert_close(found[:, :, 4:12, 4:12], half[:, :, 4:12, 4:12], atol=1e-2, rtol=0)


@pytest.mark.parametrize("fuse", [True, False])
@pytest.mark.parametrize("soft_norm", [True, False])
def test_every_picture_is_matched_with_its_own_hole(fuse, soft_norm):
    torch.manual_seed(0)
    features, hole = torch.randn(2, 4, 16, 24), torch.zeros(2, 1, 8, 12)
    hole[0, :, 2:5, 2:6] = 1
    hole[1, :, 5:, 1:9] = 1
    attention = ContextualAttention(fuse=fuse, soft_norm=soft_norm)
    together = attention(features, hole)
    for index in (0, 1):
        alone = attention(features[index : index + 1], hole[index : index + 1])
        torch.testing.assert_close(together[index : index + 1], alone)
    assert not torch.allclose(together[1:], attention(features[1:], hole[:1]), atol=1e-3)


def test_hole_patches_are_never_copied():
    torch.manual_seed(0)
    features, hole = torch.randn(1, 4, 16, 16), torch.zeros(1, 1, 8, 8)
    hole[:, :, 2:5, 2:5] = 1
    marked = features.clone()
    marked[:, :, 5:9, 5:9] = 1e4  # at the hole's core, seen by no known 3 x 3 window or 4 x 4 patch
    assert ContextualAttention(fuse=False)(marked, hole).abs().max() < 1e3


def test_a_soft_hole_of_zeros_and_ones_is_a_hole():
    torch.manual_seed(0)
    features, hole = torch.randn(2, 4, 16, 24), torch.zeros(2, 1, 8, 12)
    hole[0, :, 2:5, 2:6] = 1
    expected = ContextualAttention()(features, hole)
    assert torch.equal(ContextualAttention(soft_hole=True)(features, hole), expected)


def test_half_destroyed_patches_count_for_less():
    torch.manual_seed(0)
    features, hole = torch.randn(1, 4, 16, 16), torch.zeros(1, 1, 8, 8)
    hole[:, :, 1:3, 1:3] = 1
    attention = ContextualAttention(fuse=False, soft_hole=True)
    whole = attention(features, hole)
    hole[:, :, 5:8] = 0.6
    hole.requires_grad_(True)
    half = attention(features, hole)
    assert not torch.allclose(whole, half)
    assert ContextualAttention(fuse=False)(features, hole).isfinite().all()
    half.square().sum().backward()
    assert hole.grad is not None
    assert hole.grad.any()


def test_a_picture_without_known_patches_becomes_zero():
    found = ContextualAttention()(torch.randn(1, 4, 16, 16), torch.ones(1, 1, 8, 8))
    assert not found.any()


def slow_attention(features: torch.Tensor, hole: torch.Tensor, *, fuse: bool) -> torch.Tensor:
    """Say the same one position at a time, for one picture with plain sampling."""
    channels, height, width = features.shape
    rows, columns = height // 2, width // 2
    small = np.pad(features[:, ::2, ::2].numpy(), ((0, 0), (1, 1), (1, 1)))
    mask = np.pad(hole[0].numpy(), 1)
    padded = np.pad(features.numpy(), ((0, 0), (1, 1), (1, 1)))
    places = [(y, x) for y in range(rows) for x in range(columns)]
    windows = [small[:, y : y + 3, x : x + 3].ravel() for y, x in places]
    known = np.array([not mask[y : y + 3, x : x + 3].any() for y, x in places])
    scores = np.array([[f @ b / max(np.linalg.norm(b), 1e-4) for b in windows] for f in windows])

    def fused(matrix: np.ndarray) -> np.ndarray:
        out = matrix.copy()
        out[1:, 1:] += matrix[:-1, :-1]
        out[:-1, :-1] += matrix[1:, 1:]
        return out

    if fuse:
        turn = np.array([y * columns + x for x in range(columns) for y in range(rows)])
        back = np.argsort(turn)
        scores = fused(fused(scores)[np.ix_(turn, turn)])[np.ix_(back, back)]
    powers = np.exp(10 * scores * known - (10 * scores * known).max(1, keepdims=True))
    weights = powers / powers.sum(1, keepdims=True) * known
    whole = np.zeros((channels, height + 2, width + 2))
    for foreground, (y, x) in enumerate(places):
        for background, (v, u) in enumerate(places):
            patch = padded[:, 2 * v : 2 * v + 4, 2 * u : 2 * u + 4]
            whole[:, 2 * y : 2 * y + 4, 2 * x : 2 * x + 4] += weights[foreground, background] * patch
    return torch.from_numpy(whole[:, 1:-1, 1:-1] / 4)


@pytest.mark.parametrize("fuse", [True, False])
def test_attention_says_the_same_as_one_position_at_a_time(fuse):
    torch.manual_seed(1)
    features, hole = 0.3 * torch.randn(3, 8, 12, dtype=torch.float64), torch.zeros(1, 4, 6, dtype=torch.float64)
    hole[:, 1:3, 1:3] = 1
    found = ContextualAttention(fuse=fuse, aligned=False)(features[None], hole[None])
    torch.testing.assert_close(found[0], slow_attention(features, hole, fuse=fuse))


@pytest.mark.parametrize(("count", "factor"), [(2, 2), (8, 2), (9, 4), (32, 8), (33, 2)])
def test_aligned_corners_are_rounded_as_published(count, factor):
    wanted = [int(i * (count * factor - 1) / (count - 1) + 0.5) for i in range(count)]
    row = torch.arange(count * factor, dtype=torch.float32).expand(1, 1, count * factor, -1)
    assert shrink(row, factor, aligned=True)[0, 0, 0].tolist() == wanted
    assert shrink(row, factor, aligned=True).shape == shrink(row, factor, aligned=False).shape == (1, 1, count, count)


def test_half_precision_computes_in_float32():
    torch.manual_seed(0)
    features, hole = torch.randn(1, 8, 16, 16), torch.zeros(1, 1, 8, 8)
    hole[:, :, 2:5, 2:5] = 1
    rounded = features.bfloat16()
    exact = ContextualAttention()(rounded.float(), hole)
    with torch.autocast("cpu", torch.bfloat16):
        inside = ContextualAttention()(features, hole)
    torch.testing.assert_close(inside, ContextualAttention()(features, hole), atol=0, rtol=0)
    found = ContextualAttention()(rounded, hole)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), exact, atol=0, rtol=0.01)
