"""Gram matrices and their distance: by hand, gradients, low precision and refusals."""

import pytest

torch = pytest.importorskip("torch")

from mendpix.errors import ShapeError  # noqa: E402 - after the skip above
from mendpix.losses.style import gram, style_l1  # noqa: E402


def layers(seed, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(shape, generator=generator, dtype=dtype) for shape in ((2, 4, 5, 6), (2, 3, 2, 2))]


def test_the_matrix_is_the_mean_product_of_channels_over_all_values():
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, -1.0]]]])  # 2 channels of 1 x 2 px: divided by 2 * 1 * 2
    assert torch.equal(gram(features), torch.tensor([[[5.0, 1.0], [1.0, 10.0]]]) / 4)


def test_the_distance_sums_layers_and_averages_entries():
    ones, twos = torch.ones(1, 2, 1, 1), torch.full((1, 2, 1, 1), 2.0)  # matrices of 1/2 and of 4/2
    assert float(style_l1([ones, ones], [twos, ones])) == pytest.approx(1.5)
    assert float(style_l1([ones, ones], [twos, twos])) == pytest.approx(3.0)


def test_where_something_is_does_not_matter():
    found = layers(1)
    moved = [layer.flip(2).roll(1, 3) for layer in found]
    assert float(style_l1(moved, found)) == pytest.approx(0, abs=1e-6)
    assert float(style_l1(found, found)) == 0


def test_gradients_are_right_and_do_not_reach_the_target():
    prediction, target = layers(1, torch.float64), layers(2, torch.float64)
    for layer in (*prediction, *target):
        layer.requires_grad_()
    assert torch.autograd.gradcheck(lambda *found: style_l1(found, target), tuple(prediction))
    style_l1(prediction, target).backward()
    assert all(layer.grad is None for layer in target)


def test_sums_run_in_float32_even_under_autocast():
    prediction, target = ([layer.bfloat16() for layer in layers(seed)] for seed in (1, 2))
    with torch.autocast("cpu", torch.bfloat16):
        assert gram(layers(1)[0]).dtype is torch.float32
        loss = style_l1(prediction, target)
    assert loss.dtype is torch.float32
    assert float(loss) == pytest.approx(float(style_l1(layers(1), layers(2))), rel=0.05)


def test_what_does_not_belong_together_is_refused():
    with pytest.raises(ShapeError, match="same layers"):
        style_l1(layers(1), layers(1)[:1])
    with pytest.raises(ShapeError, match="at least one"):
        style_l1([], [])
    with pytest.raises(ShapeError, match=r"must be \(B, C, H, W\)"):
        gram(torch.zeros(3, 4, 5))
