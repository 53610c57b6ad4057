from contextlib import nullcontext

import pytest

torch = pytest.importorskip("torch")

from mendpix.errors import InputError, RecipeError  # noqa: E402 - torch is an extra
from mendpix.networks.deepfill_v1 import (  # noqa: E402
    DeepFillV1Config,
    DeepFillV1Critic,
    DeepFillV1CriticConfig,
    DeepFillV1Generator,
    DeepFillV1LocalCriticConfig,
)
from mendpix.training.methods.deepfill_v1 import DeepFillV1Method, Window, gradients, known_l1  # noqa: E402
from mendpix.training.methods.interface import Moment  # noqa: E402
from mendpix.training.methods.table import METHODS, method_options  # noqa: E402
from mendpix.training.step import TensorBatch  # noqa: E402

CRITICS = ("local_critic", "global_critic")


def batch() -> TensorBatch:
    hole = torch.zeros(2, 1, 32, 32)
    hole[0, :, 8:20, 10:26] = 1
    hole[1, :, 4:30, 2:20] = 1
    image = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    return TensorBatch(image, hole, torch.empty(2, 0, 32, 32))


@pytest.fixture
def parts() -> dict[str, torch.nn.Module]:
    torch.manual_seed(0)
    return {
        "generator": DeepFillV1Generator(DeepFillV1Config(width=4)),
        "local_critic": DeepFillV1Critic(DeepFillV1LocalCriticConfig(base_channels=4, picture_px=16)),
        "global_critic": DeepFillV1Critic(DeepFillV1CriticConfig(base_channels=4, picture_px=32)),
    }


def at(step: int, done: float = 0.5, autocast=nullcontext) -> Moment:
    return Moment(step=step, done=done, autocast=autocast)


def trained(parts) -> set[str]:
    """Name the parts that have gradients; all of a part's must be there, or none, and be finite."""
    found = set()
    for part, network in parts.items():
        gradients = [parameter.grad for parameter in network.parameters()]
        if any(gradient is not None for gradient in gradients):
            assert all(gradient is not None and torch.isfinite(gradient).all() for gradient in gradients), part
            found.add(part)
    return found


@pytest.mark.parametrize("bfloat16", [False, True])
def test_a_full_step_gives_every_part_finite_gradients(parts, bfloat16):
    autocast = (lambda: torch.autocast("cpu", torch.bfloat16)) if bfloat16 else nullcontext
    values = gradients(parts, batch(), DeepFillV1Method(critic_steps=1), at(0, autocast=autocast))
    assert trained(parts) == {"generator", *CRITICS}
    assert all(value.ndim == 0 and not value.requires_grad for value in values.values())


def test_the_generator_learns_in_every_fifth_step(parts):
    turns = []
    for step in range(10):
        values = gradients(parts, batch(), DeepFillV1Method(), at(step))
        learners = trained(parts)
        assert learners >= set(CRITICS)
        assert ("generator" in values) == ("generator" in learners)
        if "generator" in learners:
            turns.append(step)
        for network in parts.values():
            network.zero_grad(set_to_none=True)
    assert turns == [4, 9]


def test_the_coarse_stage_may_begin_alone(parts):
    values = gradients(parts, batch(), DeepFillV1Method(coarse_share=0.2), at(0, done=0.1))
    assert set(values) == {"coarse_hole", "coarse_known", "generator"}
    named = dict(parts["generator"].named_parameters())
    assert all((parameter.grad is not None) == name.startswith("coarse") for name, parameter in named.items())
    assert all(parameter.grad is None for part in CRITICS for parameter in parts[part].parameters())
    assert set(gradients(parts, batch(), DeepFillV1Method(coarse_share=0.2), at(0, done=0.3))) >= set(CRITICS)


def test_the_sum_is_that_of_its_terms(parts):
    config = DeepFillV1Method(critic_steps=1, adversarial=0.5, global_share=2.0)
    values = gradients(parts, batch(), config, at(0))
    wanted = (
        2.4 * (1.2 * values["coarse_hole"] + values["refined_hole"])
        + 2.4 * (1.2 * values["coarse_known"] + values["refined_known"])
        + 0.5 * (values["adversarial_local"] + 2.0 * values["adversarial_global"])
    )
    torch.testing.assert_close(values["generator"], wanted)


def test_a_critics_slope_is_measured_on_the_published_range(parts):
    """A critic whose score is the sum of its picture in [0, 1]: half as steep for one in [-1, 1]."""
    samples = batch()
    weight = torch.ones((), requires_grad=True)
    parts["global_critic"].forward = lambda image: (weight * image).sum((1, 2, 3))
    values = gradients(parts, samples, DeepFillV1Method(), at(0))
    slopes = 0.5 * (3 * samples.hole.sum((1, 2, 3))).sqrt()
    torch.testing.assert_close(values["global_critic_penalty"], (slopes - 1).square().mean())


def test_a_step_can_be_taken_again(parts):
    first = gradients(parts, batch(), DeepFillV1Method(), at(7))
    again = gradients(parts, batch(), DeepFillV1Method(), at(7))
    other = gradients(parts, batch(), DeepFillV1Method(), at(6))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_known_pixels_have_a_mean_of_their_own():
    hole = torch.zeros(1, 1, 2, 2)
    hole[..., 0] = 1
    prediction = torch.tensor([[5.0, 0.5], [5.0, 0.25]]).expand(1, 3, 2, 2)
    assert known_l1(prediction, torch.zeros(1, 3, 2, 2), hole).item() == pytest.approx(0.375)
    assert known_l1(prediction, torch.zeros(1, 3, 2, 2), torch.ones_like(hole)).item() == 0


def test_a_window_lies_around_the_holes_centre_and_inside_the_picture():
    hole = torch.zeros(4, 1, 32, 48)
    hole[0, :, 10:18, 20:30] = 1  # centre (14, 25)
    hole[1, :, :4, 44:] = 1  # in a corner
    hole[2, :, 31, 0] = 1  # in the opposite corner
    window = Window(hole, 16)
    firsts = list(zip(window.rows[:, 0].tolist(), window.columns[:, 0].tolist(), strict=True))
    assert firsts == [(6, 17), (0, 32), (16, 0), (8, 16)]  # the last has no hole
    pictures = torch.rand(4, 3, 32, 48)
    cut = window.cut(pictures)
    assert cut.shape == (4, 3, 16, 16)
    for index, (row, column) in enumerate(firsts):
        assert torch.equal(cut[index], pictures[index, :, row : row + 16, column : column + 16])
    with pytest.raises(InputError, match="at least as large as the local critic's squares, 40 px; got 32 x 48"):
        Window(hole, 40)


def test_it_stands_in_the_table():
    entry = METHODS["deepfill-v1"]
    assert entry.networks == {
        "local_critic": "deepfill-v1-local-critic", "global_critic": "deepfill-v1-global-critic",
    }  # fmt: skip
    assert method_options("deepfill-v1", {"critic_steps": 5}) == DeepFillV1Method()
    with pytest.raises(RecipeError, match="critic_steps at least 1"):
        method_options("deepfill-v1", {"critic_steps": 0})
    with pytest.raises(RecipeError, match="penalty must be at least 0"):
        method_options("deepfill-v1", {"penalty": -1.0})
