import pytest
import torch

from mendpix.losses.objective import GeneratorObjective
from mendpix.losses.reconstruction import weight_map, weighted_l1


def tensors() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8), torch.rand(2, 1, 8, 8)


def test_with_default_weights_it_is_the_papers_weighted_l1():
    prediction, target, map_ = tensors()
    weight = weight_map(map_, 10.0)
    total, parts = GeneratorObjective()(prediction, target, weight)
    assert torch.allclose(total, weighted_l1(prediction, target, weight))
    assert torch.allclose(parts["weighted_l1"], total)


def test_the_sum_is_the_weighted_parts():
    prediction, target, map_ = tensors()
    features = ({"a": prediction}, {"a": target})
    logits = torch.randn(2, 1, 4, 4)
    objective = GeneratorObjective(weighted_l1=2.0, squared=3.0, perceptual=0.5, adversarial=0.1)
    total, parts = objective(prediction, target, map_, features=features, fake_logits=logits)
    assert parts.keys() == {"weighted_l1", "squared", "perceptual", "adversarial"}
    expected = 2 * parts["weighted_l1"] + 3 * parts["squared"] + 0.5 * parts["perceptual"] + 0.1 * parts["adversarial"]
    assert torch.allclose(total, expected)
    assert torch.allclose(parts["adversarial"], -torch.sigmoid(logits).log().mean())
    assert torch.allclose(parts["squared"], (prediction - target).square().mean())


def test_equal_pictures_cost_nothing_and_the_map_is_differentiated():
    prediction, target, map_ = tensors()
    assert GeneratorObjective(relative=True)(target, target, map_, prediction, torch.ones_like(map_))[0] == 0
    map_.requires_grad_(True)
    GeneratorObjective()(prediction, target, weight_map(map_))[0].backward()
    assert map_.grad is not None
    assert map_.grad.abs().min() > 0


def test_relative_terms_weigh_pictures_alike():
    """A prediction half as wrong as its first fill costs the same in a smooth picture as in a busy one."""
    target = torch.zeros(2, 3, 8, 8)
    first = torch.zeros_like(target)
    first[0, :, 2:6, 2:6], first[1, :, 2:6, 2:6] = 0.1, 0.8
    prediction = first / 2
    map_ = torch.ones(2, 1, 8, 8)
    hole = (first > 0).any(1, keepdim=True).float()
    objective = GeneratorObjective(relative=True)
    parts = [tuple(part[i : i + 1] for part in (prediction, target, map_, first, hole)) for i in (0, 1)]
    alone = [objective(*part)[0] for part in parts]
    assert alone[0] == pytest.approx(alone[1].item(), rel=0.1)
    assert alone[1] == pytest.approx(0.5, rel=0.05)


def test_a_hole_that_the_first_fill_gets_right_does_not_drown_the_batch():
    """White on white: the fill is exact, and a prediction off by one level costs no more than elsewhere."""
    target, hole = torch.ones(1, 3, 8, 8), torch.zeros(1, 1, 8, 8)
    hole[..., 2:6, 2:6] = 1
    prediction = target - hole / 255
    total, _ = GeneratorObjective(relative=True)(prediction, target, torch.ones(1, 1, 8, 8), target, hole)
    assert total == pytest.approx(0.5, rel=0.01)  # one level of error over a floor of two


def test_missing_inputs_are_named():
    prediction, target, map_ = tensors()
    with pytest.raises(ValueError, match="first_fill"):
        GeneratorObjective(relative=True)(prediction, target, map_)
    with pytest.raises(ValueError, match="features"):
        GeneratorObjective(perceptual=1.0)(prediction, target, map_)
    with pytest.raises(ValueError, match="fake_logits"):
        GeneratorObjective(adversarial=1.0)(prediction, target, map_)


def test_the_gradient_term_is_relative_to_the_first_fill_too():
    """Halving a seam costs half as much as leaving it, however strong it was; without weight there is no such part."""
    target, hole = torch.zeros(2, 3, 8, 8), torch.ones(2, 1, 8, 8)
    first = torch.zeros_like(target)
    first[0, ..., 4:], first[1, ..., 4:] = 0.2, 0.8
    objective = GeneratorObjective(weighted_l1=0, gradient=2.0, relative=True)
    for share in (1.0, 0.5):
        for one in (0, 1):
            only = slice(one, one + 1)
            total, parts = objective(
                share * first[only], target[only], hole[only], first_fill=first[only], hole=hole[only]
            )
            assert float(parts["gradient"]) == pytest.approx(share, rel=0.25)
            assert float(total) == pytest.approx(2 * float(parts["gradient"]))
    assert "gradient" not in GeneratorObjective()(first, target, hole)[1]
