from contextlib import nullcontext

import pytest

torch = pytest.importorskip("torch")

from mendpix.errors import RecipeError  # noqa: E402 - torch is an extra
from mendpix.networks.deepfill_v2 import (  # noqa: E402
    DeepFillV2Config,
    DeepFillV2Critic,
    DeepFillV2CriticConfig,
    DeepFillV2Generator,
)
from mendpix.training.methods.deepfill_v2 import DeepFillV2Method, gradients  # noqa: E402
from mendpix.training.methods.interface import Moment  # noqa: E402
from mendpix.training.methods.table import METHODS, method_options  # noqa: E402
from mendpix.training.step import TensorBatch  # noqa: E402

NOW = Moment(step=0, done=0.0, autocast=nullcontext)


def batch() -> TensorBatch:
    hole = torch.zeros(2, 1, 32, 48)
    hole[0, :, 8:20, 16:36] = 1
    hole[1, :, 4:30, 2:20] = 1
    image = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(2))
    return TensorBatch(image, hole, torch.empty(2, 0, 32, 48))


@pytest.fixture
def parts() -> dict[str, torch.nn.Module]:
    torch.manual_seed(0)
    return {
        "generator": DeepFillV2Generator(DeepFillV2Config(width=4)),
        "discriminator": DeepFillV2Critic(DeepFillV2CriticConfig(base_channels=4)),
    }


@pytest.mark.parametrize("bfloat16", [False, True])
def test_a_step_gives_every_part_finite_gradients(parts, bfloat16):
    autocast = (lambda: torch.autocast("cpu", torch.bfloat16)) if bfloat16 else nullcontext
    values = gradients(parts, batch(), DeepFillV2Method(), Moment(0, 0.0, autocast))
    for network in parts.values():
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            if name != "layers.5.bias":  # inside the hinge, true and filled pictures pull it apart with equal force
                assert parameter.grad.any(), name
    assert all(value.ndim == 0 and not value.requires_grad for value in values.values())


def test_the_sum_is_that_of_its_terms(parts):
    config = DeepFillV2Method(coarse=3.0, refined=0.5, adversarial=0.1)
    values = gradients(parts, batch(), config, NOW)
    wanted = 3.0 * values["coarse"] + 0.5 * values["refined"] + 0.1 * values["adversarial"]
    torch.testing.assert_close(values["generator"], wanted)


def test_the_first_terms_are_plain_errors_of_both_stages(parts):
    samples = batch()
    with torch.no_grad():
        coarse, refined = parts["generator"].stages(samples.image * (1 - samples.hole), samples.hole)
    values = gradients(parts, samples, DeepFillV2Method(), NOW)
    torch.testing.assert_close(values["coarse"], (coarse - samples.image).abs().mean())
    torch.testing.assert_close(values["refined"], (refined - samples.image).abs().mean())


def test_the_critic_pays_half_the_hinge(parts):
    """One that says 0.4 to everything: (0.6 + 1.4) / 2."""
    critic = parts["discriminator"]
    critic.forward = lambda image, hole: critic.layers[-1].bias.sum() * 0 + torch.full((len(image), 1), 0.4)
    values = gradients(parts, batch(), DeepFillV2Method(), NOW)
    assert values["discriminator"].item() == pytest.approx(1.0)
    assert values["adversarial"].item() == pytest.approx(-0.4)


def test_without_the_critics_say_the_generator_only_reconstructs(parts):
    gradients(parts, batch(), DeepFillV2Method(adversarial=0.0), NOW)
    without = {name: p.grad.clone() for name, p in parts["generator"].named_parameters()}
    for network in parts.values():
        network.zero_grad(set_to_none=True)
    gradients(parts, batch(), DeepFillV2Method(), NOW)
    with_it = {name: p.grad for name, p in parts["generator"].named_parameters()}
    assert any(not torch.allclose(without[name], with_it[name]) for name in without)


def test_the_generator_never_sees_the_truth(parts):
    samples = batch()
    seen = []
    original = parts["generator"].stages
    parts["generator"].stages = lambda image, hole: (seen.append(image.clone()), original(image, hole))[1]
    gradients(parts, samples, DeepFillV2Method(), NOW)
    assert not (seen[0] * samples.hole).any()


def test_it_stands_in_the_table():
    entry = METHODS["deepfill-v2"]
    assert entry.networks == {"discriminator": "deepfill-v2-critic"}
    assert method_options("deepfill-v2", {"adversarial": 1}) == DeepFillV2Method()
    with pytest.raises(RecipeError, match="coarse must be at least 0"):
        method_options("deepfill-v2", {"coarse": -1.0})
