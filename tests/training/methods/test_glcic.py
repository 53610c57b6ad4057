from contextlib import nullcontext

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 - torch is an extra

from mendpix.errors import InputError  # noqa: E402
from mendpix.losses.adversarial import adversarial_discriminator, adversarial_generator  # noqa: E402
from mendpix.networks.glcic import (  # noqa: E402
    GlcicConfig,
    GlcicDiscriminator,
    GlcicDiscriminatorConfig,
    GlcicGenerator,
)
from mendpix.training.methods.glcic import GLCIC, GlcicMethod, gradients  # noqa: E402
from mendpix.training.methods.interface import Moment  # noqa: E402
from mendpix.training.methods.table import METHODS  # noqa: E402
from mendpix.training.step import TensorBatch, predict  # noqa: E402

PHASES = {"completion": 0.0, "critic": 0.19, "both": 0.6}


@pytest.fixture
def parts() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    critic = GlcicDiscriminatorConfig(base_channels=2, hidden=8, local_px=32, global_px=64, global_layers=5)
    return {"generator": GlcicGenerator(GlcicConfig(4)).train(), "discriminator": GlcicDiscriminator(critic).train()}


@pytest.fixture
def batch() -> TensorBatch:
    image = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    hole = torch.zeros(3, 1, 64, 64)
    for index in range(3):
        hole[index, :, 8 + 9 * index : 24 + 9 * index, 30 - 9 * index : 50 - 9 * index] = 1
    return TensorBatch(image, hole, image[:, :0])


def at(phase: str) -> Moment:
    return Moment(step=3, done=PHASES[phase], autocast=nullcontext)


def learns(network: nn.Module) -> bool:
    """Tell whether all parameters have finite gradients, or none has any."""
    found = {parameter.grad is not None for parameter in network.parameters()}
    assert len(found) == 1
    for parameter in network.parameters():
        assert parameter.grad is None or bool(torch.isfinite(parameter.grad).all())
    return found.pop()


@pytest.mark.parametrize(
    ("phase", "who", "names"),
    [
        ("completion", (True, False), {"generator", "squared"}),
        ("critic", (False, True), {"discriminator"}),
        ("both", (True, True), {"generator", "squared", "adversarial", "discriminator"}),
    ],
)
def test_who_learns_in_each_phase(parts, batch, phase, who, names) -> None:
    values = gradients(parts, batch, GlcicMethod(), at(phase))
    assert (learns(parts["generator"]), learns(parts["discriminator"])) == who
    assert set(values) == names
    assert all(value.ndim == 0 and not value.requires_grad for value in values.values())


def test_the_squared_error_by_hand(parts, batch) -> None:
    with torch.no_grad():
        prediction = predict(parts["generator"], batch)
    values = gradients(parts, batch, GlcicMethod(), at("completion"))
    expected = ((prediction - batch.image) ** 2 * batch.hole).sum() / batch.image.numel()
    torch.testing.assert_close(values["squared"], expected)
    torch.testing.assert_close(values["generator"], expected)


def test_the_last_phase_halves_both_sums_and_weighs_the_critic_s(parts, batch) -> None:
    parts["discriminator"].eval()  # so that the three looks at it do not depend on each other
    with torch.no_grad():
        prediction = predict(parts["generator"], batch)
        fake = parts["discriminator"](prediction, batch.hole)
        real = parts["discriminator"](batch.image, batch.hole.roll(1, 0))
    values = gradients(parts, batch, GlcicMethod(adversarial=0.3), at("both"))
    torch.testing.assert_close(values["adversarial"], adversarial_generator(fake))
    torch.testing.assert_close(values["generator"], (values["squared"] + 0.3 * values["adversarial"]) / 2)
    torch.testing.assert_close(values["discriminator"], 0.3 * adversarial_discriminator(real, fake) / 2)


def test_the_generator_does_not_learn_the_critic_s_loss_nor_the_other_way_round(parts, batch) -> None:
    gradients(parts, batch, GlcicMethod(adversarial=0.0), at("both"))
    both = [parameter.grad.clone() for parameter in parts["generator"].parameters()]
    assert not any(bool(parameter.grad.any()) for parameter in parts["discriminator"].parameters())  # weight 0
    parts["generator"].zero_grad()
    gradients(parts, batch, GlcicMethod(), at("completion"))
    alone = [parameter.grad for parameter in parts["generator"].parameters()]
    for half, whole in zip(both, alone, strict=True):
        torch.testing.assert_close(2 * half, whole)


def test_the_statistics_of_the_generator_go_on_while_the_critic_learns(parts, batch) -> None:
    before = parts["generator"].layers[0].norm.running_mean.clone()
    gradients(parts, batch, GlcicMethod(), at("critic"))
    assert not torch.equal(before, parts["generator"].layers[0].norm.running_mean)


def test_published_values_and_the_table() -> None:
    assert METHODS["glcic"] is GLCIC
    assert GLCIC.networks == {"discriminator": "glcic-discriminator"}
    assert GlcicMethod() == GlcicMethod(1.0, 4e-4, 0.18, 0.2)
    with pytest.raises(InputError, match="must rise within"):
        GlcicMethod(completion_until=0.5, critic_until=0.4)
    with pytest.raises(InputError, match="at least 0"):
        GlcicMethod(adversarial=-1)
