"""Losses of masks with continuous values: least, and 0, at the truth."""

import pytest

torch = pytest.importorskip("torch")

from mendpix.errors import ShapeError  # noqa: E402 - torch is an extra
from mendpix.losses.damage import false_marks, missing_overlap, soft_cross_entropy  # noqa: E402


def some(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_cross_entropy_is_least_and_zero_at_half_destroyed_pixels_too():
    truth = some(2, 4, 6, 8)
    truth[:, 0] = 0
    truth[:, 1] = 1
    sure = torch.logit(truth.clamp(1e-12, 1 - 1e-12))
    assert float(soft_cross_entropy(sure, truth)) == pytest.approx(0, abs=1e-9)
    assert float(soft_cross_entropy(sure + 0.3, truth)) > 1e-3
    assert float(soft_cross_entropy(sure - 0.3, truth)) > 1e-3


def test_the_cross_entropy_is_the_usual_one_for_zeros_and_ones():
    logits, truth = some(2, 1, 5, 5) * 6 - 3, (some(2, 1, 5, 5, seed=1) > 0.7).double()
    usual = torch.nn.functional.binary_cross_entropy_with_logits(logits, truth)
    torch.testing.assert_close(soft_cross_entropy(logits, truth), usual)


def test_the_overlap_is_whole_at_the_truth_and_where_nothing_is_to_be_found():
    truth = some(2, 3, 16, 16)
    assert float(missing_overlap(truth, truth)) == pytest.approx(0, abs=1e-12)
    nothing = torch.zeros_like(truth)
    assert float(missing_overlap(nothing, nothing)) == 0
    assert float(missing_overlap(nothing, torch.ones_like(truth))) > 0.99


def test_thin_damage_counts_as_much_as_broad():
    thin, broad = torch.zeros(1, 1, 64, 64), torch.zeros(1, 1, 64, 64)
    thin[..., 10:12] = 1
    broad[..., 10:42] = 1
    lost = [float(missing_overlap(0.1 * truth, truth)) for truth in (thin, broad)]
    assert lost[0] == pytest.approx(lost[1], abs=0.01)
    assert lost[0] > 0.5


def test_false_marks_are_those_of_clean_pictures_alone():
    hole, mask = torch.zeros(3, 1, 4, 4), torch.full((3, 1, 4, 4), 0.2)
    hole[0, :, 0, 0] = 0.5
    mask[0] = 1
    assert float(false_marks(mask, hole)) == pytest.approx(0.2)
    assert float(false_marks(mask[:1], hole[:1])) == 0


@pytest.mark.parametrize("loss", [soft_cross_entropy, missing_overlap, false_marks])
def test_gradients_are_right_and_shapes_are_checked(loss):
    one, truth = some(2, 1, 3, 4) * 0.8 + 0.1, some(2, 1, 3, 4, seed=1)
    truth[1] = 0
    assert torch.autograd.gradcheck(lambda x: loss(x, truth), (one.requires_grad_(True),))
    with pytest.raises(ShapeError, match="must have one shape"):
        loss(one, truth[:1])
    if loss is not soft_cross_entropy:
        with pytest.raises(ShapeError, match=r"must be \(B, "):
            loss(one[0], truth[0])
