import math
import re
from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402 - torch is an extra

from mendpix.errors import InputError, ShapeError  # noqa: E402
from mendpix.losses.detection import balanced_cross_entropy, cross_entropy, focal, valuation  # noqa: E402

Loss = Callable[[Tensor, Tensor], Tensor]
LOSSES: list[Loss] = [cross_entropy, balanced_cross_entropy, focal]
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)


def logits(batch: int = 2, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(batch, 2, 6, 8, generator=torch.Generator().manual_seed(1), dtype=dtype)


def hole(batch: int = 2, dtype: torch.dtype = torch.float64) -> Tensor:
    made = torch.zeros(batch, 1, 6, 8, dtype=dtype)
    made[0, :, 1:4, 2:6] = 1
    made[1:, :, 4:, :3] = 1
    return made


def certain(mask: Tensor) -> Tensor:
    """Return logits that say what `mask` says, beyond doubt."""
    return torch.cat([1 - mask, mask], dim=1) * 60 - 30


def test_valuation_is_the_probability_of_the_second_channel() -> None:
    seen = valuation(logits())
    assert seen.shape == (2, 1, 6, 8)
    torch.testing.assert_close(seen, torch.sigmoid(logits()[:, 1:] - logits()[:, :1]))


def test_gradients_flow_through_the_valuation() -> None:
    torch.autograd.gradcheck(valuation, (logits(1).requires_grad_(),))


@each_loss
def test_loss_is_a_scalar_above_zero(loss: Loss) -> None:
    value = loss(logits(), hole())
    assert value.shape == ()
    assert value > 0


@each_loss
def test_loss_is_zero_when_the_valuation_is_the_hole(loss: Loss) -> None:
    assert loss(certain(hole()), hole()) == pytest.approx(0, abs=1e-7)
    assert loss(certain(hole()).float(), hole().float()) == 0


@each_loss
def test_loss_is_finite_when_the_valuation_is_all_wrong(loss: Loss) -> None:
    wrong = (10 * certain(1 - hole())).float().requires_grad_()
    value = loss(wrong, hole().float())
    value.backward()
    assert 0 < value <= -math.log(1e-8) + 1e-4
    assert wrong.grad is not None
    assert wrong.grad.isfinite().all()


@each_loss
@pytest.mark.parametrize("share", [0.0, 1.0], ids=["no hole", "all hole"])
def test_loss_and_gradient_are_finite_without_a_hole_and_with_nothing_else(loss: Loss, share: float) -> None:
    given = logits().requires_grad_()
    value = loss(given, torch.full_like(hole(), share))
    value.backward()
    assert value.isfinite()
    assert value >= 0
    assert given.grad is not None
    assert given.grad.isfinite().all()


@each_loss
def test_gradient_agrees_with_finite_differences(loss: Loss) -> None:
    assert torch.autograd.gradcheck(lambda given: loss(given, hole()), (logits().requires_grad_(),))


@each_loss
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_logits_give_a_float32_loss(loss: Loss, dtype: torch.dtype) -> None:
    given = 10 * certain(1 - hole()).to(dtype)
    value = loss(given, hole().to(dtype))
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(loss(given.double(), hole()).item(), rel=1e-5)


def test_cross_entropy_is_the_usual_one() -> None:
    expected = torch.nn.functional.cross_entropy(logits(), hole()[:, 0].long())
    torch.testing.assert_close(cross_entropy(logits(), hole()), expected)


def by_hand(scores: Tensor, mask: Tensor, gamma: float) -> float:
    """Sum Eq. 6 pixel by pixel, each picture with its own share of hole."""
    total = 0.0
    for score, one_mask in zip(scores.tolist(), mask.tolist(), strict=True):
        targets = [value for row in one_mask[0] for value in row]
        share = sum(targets) / len(targets)
        for row_known, row_hole, row_target in zip(score[0], score[1], one_mask[0], strict=True):
            for known, filled, target in zip(row_known, row_hole, row_target, strict=True):
                seen = 1 / (1 + math.exp(known - filled))
                if target:
                    total -= (1 - share) * (1 - seen) ** gamma * math.log(seen)
                else:
                    total -= share * seen**gamma * math.log(1 - seen)
    return total / mask.numel()


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0, 3.5])
def test_focal_is_equation_six(gamma: float) -> None:
    assert focal(logits(), hole(), gamma).item() == pytest.approx(by_hand(logits(), hole(), gamma), rel=1e-12)


def test_focal_takes_gamma_two_by_itself() -> None:
    assert focal(logits(), hole()) == focal(logits(), hole(), gamma=2.0)


def test_balanced_cross_entropy_is_equation_five() -> None:
    assert balanced_cross_entropy(logits(), hole()).item() == pytest.approx(by_hand(logits(), hole(), 0), rel=1e-12)


def test_each_picture_is_balanced_by_its_own_hole() -> None:
    together = balanced_cross_entropy(logits(), hole())
    apart = [balanced_cross_entropy(logits()[i : i + 1], hole()[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(together, (apart[0] + apart[1]) / 2)


@each_loss
@pytest.mark.parametrize(
    ("given", "mask", "message"),
    [
        (torch.zeros(2, 1, 6, 8), hole(), "logits must be (B, 2, H, W) with the channels known and hole; got (2, 1"),
        (torch.zeros(2, 6, 8), hole(), "got (2, 6, 8). Give the detector's output before the softmax"),
        (logits(), hole()[:, 0], "hole must be (2, 1, 6, 8) like its logits; got (2, 6, 8)"),
        (logits(), hole()[:1], "got (1, 1, 6, 8)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(loss: Loss, given: Tensor, mask: Tensor, message: str) -> None:
    with pytest.raises(ShapeError, match=re.escape(message)):
        loss(given, mask)


@pytest.mark.parametrize("gamma", [-1.0, math.nan])
def test_gamma_below_zero_is_refused(gamma: float) -> None:
    with pytest.raises(InputError, match="gamma must be 0 or more; got"):
        focal(logits(), hole(), gamma)
