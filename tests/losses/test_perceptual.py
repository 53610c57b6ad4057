"""The loss on activations: its value by hand, scale, gradients, low precision and refusals."""

import pytest

torch = pytest.importorskip("torch")

from mendpix.errors import ShapeError  # noqa: E402 - after the skip above
from mendpix.losses.perceptual import feature_l1, perceptual_l1  # noqa: E402


def activations(seed, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    shapes = {"conv1": (2, 4, 9, 8), "fire2": (2, 6, 5, 4)}
    return {name: torch.rand(shape, generator=generator, dtype=dtype) for name, shape in shapes.items()}


def test_value_is_the_mean_of_relative_differences():
    prediction = {"a": torch.tensor([[[[1.0, 3.0]]]]), "b": torch.tensor([[[[10.0]]]])}
    target = {"a": torch.tensor([[[[2.0, 2.0]]]]), "b": torch.tensor([[[[40.0]]]])}
    assert float(feature_l1(prediction, target)) == pytest.approx((0.5 + 0.75) / 2)


def test_equal_activations_give_zero():
    assert float(feature_l1(activations(1), activations(1))) == 0


def test_a_layer_weighs_the_same_whatever_its_scale():
    prediction, target = activations(1), activations(2)
    loud = [{**found, "fire2": 1000 * found["fire2"]} for found in (prediction, target)]
    assert float(feature_l1(*loud)) == pytest.approx(float(feature_l1(prediction, target)), rel=1e-5)


def test_gradients_are_right_and_do_not_reach_the_target():
    prediction, target = activations(1, torch.float64), activations(2, torch.float64)
    for found in (*prediction.values(), *target.values()):
        found.requires_grad_()
    names = list(prediction)
    assert torch.autograd.gradcheck(
        lambda *found: feature_l1(dict(zip(names, found, strict=True)), target), tuple(prediction.values())
    )
    feature_l1(prediction, target).backward()
    assert all(found.grad is not None for found in prediction.values())
    assert all(found.grad is None for found in target.values())


def test_bfloat16_is_summed_in_float32():
    rough = [{name: found.bfloat16() for name, found in activations(seed).items()} for seed in (1, 2)]
    loss = feature_l1(*rough)
    assert loss.dtype is torch.float32
    assert float(loss) == pytest.approx(float(feature_l1(activations(1), activations(2))), rel=0.01)


def test_a_silent_layer_stays_finite():
    prediction = {"a": torch.zeros(1, 2, 3, 3, requires_grad=True)}
    loss = feature_l1(prediction, {"a": torch.zeros(1, 2, 3, 3)})
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(prediction["a"].grad).all()


def test_layers_that_differ_are_refused():
    with pytest.raises(ShapeError, match="same layers"):
        feature_l1(activations(1), {"conv1": activations(1)["conv1"]})
    with pytest.raises(ShapeError, match="at least one"):
        feature_l1({}, {})
    small = {name: found[..., :-1] for name, found in activations(1).items()}
    with pytest.raises(ShapeError, match="layer conv1 of prediction and target must have one shape"):
        feature_l1(activations(1), small)


def test_the_published_term_sums_layers_and_averages_values():
    prediction = [torch.tensor([[[[1.0, 3.0]]]]), torch.tensor([[[[10.0]]]])]
    target = [torch.tensor([[[[2.0, 2.0]]]]), torch.tensor([[[[40.0]]]])]
    assert float(perceptual_l1(prediction, target)) == pytest.approx(1 + 30)
    assert float(perceptual_l1(target, target)) == 0


def test_the_published_term_is_summed_in_float32_and_spares_the_target():
    prediction, target = ([*activations(seed).values()] for seed in (1, 2))
    rough = [[layer.bfloat16() for layer in layers] for layers in (prediction, target)]
    assert perceptual_l1(*rough).dtype is torch.float32
    assert float(perceptual_l1(*rough)) == pytest.approx(float(perceptual_l1(prediction, target)), rel=0.01)
    for layer in (*prediction, *target):
        layer.requires_grad_()
    perceptual_l1(prediction, target).backward()
    assert all(layer.grad is not None for layer in prediction)
    assert all(layer.grad is None for layer in target)


def test_the_published_term_refuses_layers_that_differ():
    layers = [*activations(1).values()]
    for other in (layers[:1], [layer[..., :-1] for layer in layers], layers[::-1]):
        with pytest.raises(ShapeError, match="same layers"):
            perceptual_l1(layers, other)
    with pytest.raises(ShapeError, match="at least one"):
        perceptual_l1([], [])
