import math
import re
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402 - torch is an extra

from mendpix.errors import InputError, ShapeError  # noqa: E402
from mendpix.losses.reconstruction import (  # noqa: E402
    DEEPEST_PX,
    discount_map,
    gradient_l1,
    hole_weight_map,
    l1,
    spatially_discounted_l1,
    weight_map,
    weighted_l1,
)

MAPPINGS = [10.0, math.e, "linear"]


def picture(seed: int) -> Tensor:
    return torch.rand(2, 3, 6, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def seen(seed: int = 5) -> Tensor:
    return torch.rand(2, 1, 6, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("mapping", "top"), [(10.0, 10.0), (2, 2.0), ("linear", 2.0)])
def test_weight_runs_from_one_to_the_base(mapping: Any, top: float) -> None:
    weight = weight_map(torch.tensor([0.0, 0.5, 1.0]), mapping)
    middle = 1.5 if mapping == "linear" else math.sqrt(top)
    torch.testing.assert_close(weight, torch.tensor([1.0, middle, top]))


def test_base_ten_is_the_default() -> None:
    assert torch.equal(weight_map(seen()), weight_map(seen(), 10.0))


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_gradients_flow_through_the_weight(mapping: Any) -> None:
    assert torch.autograd.gradcheck(
        lambda prediction, valuation: weighted_l1(prediction, picture(2), weight_map(valuation, mapping)),
        (picture(1).requires_grad_(), seen().requires_grad_()),
    )


def test_gradient_of_plain_l1_agrees_with_finite_differences() -> None:
    assert torch.autograd.gradcheck(lambda prediction: l1(prediction, picture(2)), (picture(1).requires_grad_(),))


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_equal_pictures_cost_nothing(mapping: Any) -> None:
    prediction, valuation = picture(1).requires_grad_(), seen().requires_grad_()
    value = weighted_l1(prediction, picture(1), weight_map(valuation, mapping))
    value.backward()
    assert value == 0
    assert l1(prediction, picture(1)) == 0
    assert not prediction.grad.any()
    assert not valuation.grad.any()


@pytest.mark.parametrize("share", [0.0, 1.0], ids=["no hole", "all hole"])
@pytest.mark.parametrize("mapping", MAPPINGS)
def test_a_detector_that_sees_no_hole_or_only_hole_gives_finite_numbers(mapping: Any, share: float) -> None:
    prediction = picture(1).requires_grad_()
    valuation = torch.full((2, 1, 6, 8), share, dtype=torch.float64, requires_grad=True)
    value = weighted_l1(prediction, picture(2), weight_map(valuation, mapping))
    value.backward()
    factor = 1 if share == 0 else (2 if mapping == "linear" else mapping)
    torch.testing.assert_close(value, factor * l1(prediction, picture(2)))
    assert prediction.grad.isfinite().all()
    assert valuation.grad.isfinite().all()


def test_weighted_l1_is_equation_seven_by_thirds() -> None:
    weight = weight_map(seen())
    per_pixel = (weight * picture(1) - weight * picture(2)).abs().sum(dim=1)  # the norm of Eq. 7
    torch.testing.assert_close(weighted_l1(picture(1), picture(2), weight), per_pixel.mean() / 3)


def test_weight_one_gives_plain_l1() -> None:
    plain = l1(picture(1), picture(2))
    torch.testing.assert_close(weighted_l1(picture(1), picture(2), torch.ones_like(seen())), plain)
    torch.testing.assert_close(plain, torch.nn.functional.l1_loss(picture(1), picture(2)))


def test_a_weight_counts_where_it_lies() -> None:
    target = torch.zeros(1, 3, 2, 2)
    prediction, weight = target.clone(), torch.ones(1, 1, 2, 2)
    prediction[..., 0, 1] = 0.5
    weight[..., 0, 1] = 8
    assert weighted_l1(prediction, target, weight) == 1  # 8 times 0.5 in one pixel of four
    assert weighted_l1(prediction, target, weight.flip(3)) == 0.125


def test_nothing_is_written_into_the_arguments() -> None:
    prediction, target, valuation = picture(1), picture(2), seen()
    weighted_l1(prediction, target, weight_map(valuation, "linear"))
    assert torch.equal(prediction, picture(1))
    assert torch.equal(target, picture(2))
    assert torch.equal(valuation, seen())


@pytest.mark.parametrize("mapping", [1.0, 0.5, -10, math.nan, math.inf, "exponential"])
def test_other_mappings_are_refused(mapping: Any) -> None:
    with pytest.raises(InputError, match=f"must be a number above 1 or 'linear'; got {mapping!r}"):
        weight_map(seen(), mapping)


@pytest.mark.parametrize(
    ("prediction", "target", "weight", "message"),
    [
        (picture(1), picture(1)[:1], seen(), "alike; got (2, 3, 6, 8) and (1, 3, 6, 8)"),
        (picture(1)[0], picture(1)[0], seen(), "must be (B, C, H, W)"),
        (picture(1), picture(1), seen()[:, 0], "weight must be (2, 1, 6, 8), one value per pixel"),
        (picture(1), picture(1), picture(1), "got (2, 3, 6, 8)"),
        (picture(1), picture(1), seen()[:1], "got (1, 1, 6, 8)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(prediction: Tensor, target: Tensor, weight: Tensor, message: str) -> None:
    with pytest.raises(ShapeError, match=re.escape(message)):
        weighted_l1(prediction, target, weight)


def test_plain_l1_refuses_other_shapes_too() -> None:
    with pytest.raises(ShapeError, match=re.escape("got (2, 3, 6, 8) and (2, 1, 6, 8)")):
        l1(picture(1), seen())


def test_the_hard_weight_is_six_in_the_hole_and_one_elsewhere():
    hole = (seen() > 0.6).double()
    weight = hole_weight_map(hole)
    assert torch.equal(weight, torch.where(hole > 0, 6.0, 1.0).double())
    error = weighted_l1(picture(1), picture(2), weight)
    by_hand = ((5 * hole + 1) * (picture(1) - picture(2)).abs()).sum() / picture(1).numel()
    assert torch.allclose(error, by_hand)


@pytest.mark.parametrize("weight", [0.0, -1.0, float("inf"), float("nan")])
def test_a_hard_weight_that_makes_no_sense_is_refused(weight: float):
    with pytest.raises(InputError, match="weight must be above 0 and finite"):
        hole_weight_map(seen(), weight)


def test_the_gradient_loss_counts_steps_and_no_tone() -> None:
    error = torch.zeros(2, 3, 4, 5)
    error[0] += 0.3
    error[1, :, :, 2:] = 0.5  # one step of 0.5 in each row of 5 pixels
    assert torch.allclose(gradient_l1(error), torch.tensor([0.0, 0.5 / 4]))
    assert torch.allclose(gradient_l1(error.mT), torch.tensor([0.0, 0.5 / 4]))


def test_weights_fall_towards_the_middle_of_a_rectangle() -> None:
    """For a rectangle the published program's rule: the factor to the power of the distance to the nearest side."""
    hole = torch.zeros(1, 1, 20, 24)
    hole[:, :, 3:15, 5:22] = 1
    found = discount_map(hole, 0.9)
    for row in range(12):
        for column in range(17):
            depth = min(row, 11 - row, column, 16 - column)
            assert found[0, 0, 3 + row, 5 + column].item() == pytest.approx(0.9**depth)
    assert (found[hole == 0] == 1).all()


def test_the_pictures_border_is_no_rim_of_the_hole() -> None:
    hole = torch.ones(1, 1, 3, 200)
    hole[..., 0] = 0
    found = discount_map(hole, 0.5)[0, 0]
    assert found[1, 1:5].tolist() == [1, 0.5, 0.25, 0.125]
    assert found[2, -1].item() == pytest.approx(0.5**DEEPEST_PX)
    assert torch.isfinite(discount_map(torch.ones(1, 1, 4, 4))).all()


def test_discounted_l1_is_a_mean_over_the_hole() -> None:
    hole = torch.zeros(2, 1, 6, 8, dtype=torch.float64)
    hole[0, :, 1:4, 1:4] = 1
    prediction, target = picture(1), picture(2)
    error = (prediction - target).abs()[0, :, 1:4, 1:4]
    weight = torch.full((3, 3), 1.0, dtype=torch.float64)
    weight[1, 1] = 0.7
    found = spatially_discounted_l1(prediction, target, hole, 0.7)
    torch.testing.assert_close(found, (weight * error).mean())
    torch.testing.assert_close(spatially_discounted_l1(prediction, target, hole, 1.0), error.mean())
    assert spatially_discounted_l1(prediction, target, torch.zeros_like(hole)).item() == 0


def test_discounted_l1_refuses_what_does_not_fit() -> None:
    with pytest.raises(InputError, match=r"factor must be above 0 and at most 1; got 1\.5"):
        discount_map(torch.ones(1, 1, 4, 4), 1.5)
    with pytest.raises(ShapeError, match="hole must be one value per pixel"):
        spatially_discounted_l1(picture(1), picture(2), torch.ones(2, 6, 8))
