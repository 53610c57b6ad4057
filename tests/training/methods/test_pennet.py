from contextlib import nullcontext

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional as F  # noqa: E402 - torch is an extra

from mendpix.errors import InputError, RecipeError  # noqa: E402
from mendpix.networks.pennet import (  # noqa: E402
    PenNetConfig,
    PenNetDiscriminator,
    PenNetDiscriminatorConfig,
    PenNetGenerator,
)
from mendpix.training.methods.interface import Moment  # noqa: E402
from mendpix.training.methods.pennet import PenNetMethod, gradients, rate  # noqa: E402
from mendpix.training.methods.table import METHODS, method_options  # noqa: E402
from mendpix.training.step import TensorBatch  # noqa: E402

NOW = Moment(step=0, done=0.0, autocast=nullcontext)


def batch() -> TensorBatch:
    random = torch.Generator().manual_seed(2)
    hole = torch.zeros(2, 1, 64, 64)
    hole[0, :, 8:40, 16:48] = 1
    hole[1, :, 32:48, 8:56] = 1
    return TensorBatch(torch.rand(2, 3, 64, 64, generator=random), hole, torch.empty(2, 0, 64, 64))


@pytest.fixture
def parts() -> dict[str, torch.nn.Module]:
    torch.manual_seed(0)
    networks = {
        "generator": PenNetGenerator(PenNetConfig(base_channels=4)),
        "discriminator": PenNetDiscriminator(PenNetDiscriminatorConfig(base_channels=4)),
    }
    for network in networks.values():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=0.1)
    return networks


@pytest.mark.parametrize("adversarial_loss", ["hinge", "non-saturating"])
def test_a_step_gives_every_part_finite_gradients(parts, adversarial_loss):
    values = gradients(parts, batch(), PenNetMethod(adversarial_loss=adversarial_loss), NOW)
    for part, network in parts.items():
        for name, parameter in network.named_parameters():
            assert parameter.requires_grad, f"{part} {name}"
            assert parameter.grad is not None, f"{part} {name}"
            assert parameter.grad.isfinite().all(), f"{part} {name}"
    assert all(value.ndim == 0 and not value.requires_grad and value.isfinite() for value in values.values())
    assert values.keys() == {"hole", "known", "pyramid", "adversarial", "generator", "discriminator"}


def test_the_sum_is_the_published_one(parts):
    values = gradients(parts, batch(), PenNetMethod(), NOW)
    expected = 6 * values["hole"] + values["known"] + 0.5 * values["pyramid"] + 0.1 * values["adversarial"]
    assert float(values["generator"]) == pytest.approx(float(expected))


def test_terms_by_hand(parts):
    """Colours count as in [-1, 1]; hole and known pixels over their shares; five sizes are summed."""
    given = batch()
    with torch.no_grad():
        prediction, sides = parts["generator"].pyramid(given.image * (1 - given.hole), given.hole)
    error = 2 * (prediction - given.image).abs()
    smaller = [F.interpolate(given.image, size=s.shape[2:], mode="bilinear", align_corners=True) for s in sides]
    values = gradients(parts, given, PenNetMethod(), NOW)
    inside = given.hole.expand_as(error) > 0
    assert float(values["hole"]) == pytest.approx(float(error[inside].mean()), rel=1e-5)
    assert float(values["known"]) == pytest.approx(float(error[~inside].mean()), rel=1e-5)
    wanted = sum(2 * float((a - b).abs().mean()) for a, b in zip(sides, smaller, strict=True))
    assert float(values["pyramid"]) == pytest.approx(wanted, rel=1e-5)


def test_the_rival_sees_the_truth_around_the_fill_and_moves_by_its_own_loss_alone(parts):
    given, rival = batch(), parts["discriminator"].eval()  # no power iterations, so that both forwards are alike
    values = gradients(parts, given, PenNetMethod(), NOW)
    with torch.no_grad():
        prediction = parts["generator"](given.image * (1 - given.hole), given.hole)
    shown = torch.where(given.hole > 0, prediction, given.image)
    loss = (F.relu(1 - rival(given.image)).mean() + F.relu(1 + rival(shown)).mean()) / 2
    assert float(values["discriminator"]) == pytest.approx(float(loss.detach()), rel=1e-5)
    assert float(values["adversarial"]) == pytest.approx(-float(rival(shown).detach().mean()), rel=1e-5)
    expected = torch.autograd.grad(loss, list(rival.parameters()))
    for parameter, wanted in zip(rival.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, wanted, rtol=1e-3, atol=1e-4)


def test_the_truth_in_the_hole_is_seen_by_losses_alone(parts):
    """Without terms on the hole, other colours there change nothing that the generator learns."""
    config = PenNetMethod(hole=0.0, pyramid=0.0, adversarial=0.0)
    found = []
    for flip in (False, True):
        given = batch()
        if flip:
            given = TensorBatch(torch.where(given.hole > 0, 1 - given.image, given.image), given.hole, given.fills)
        for network in parts.values():
            network.zero_grad()
        gradients(parts, given, config, NOW)
        found.append([p.grad.clone() for p in parts["generator"].parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_batches_without_a_hole_and_without_a_known_pixel(parts):
    for share in (0.0, 1.0):
        given = batch()
        given = TensorBatch(given.image, torch.full_like(given.hole, share), given.fills)
        values = gradients(parts, given, PenNetMethod(), NOW)
        assert all(value.isfinite() for value in values.values())
        assert values["hole" if share == 0 else "known"] == 0


def test_rates_fall_to_a_tenth_at_each_drop():
    config = PenNetMethod(drops=(0.1, 0.5))
    assert [rate(config, "generator", done) for done in (0.0, 0.09, 0.1, 0.6)] == pytest.approx([1, 1, 0.1, 0.01])
    assert rate(PenNetMethod(), "discriminator", 0.99) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hole": -1.0}, "hole must be at least 0 and finite; got -1"),
        ({"adversarial": float("nan")}, "adversarial must be at least 0"),
        ({"drops": [0.0]}, "drops must be shares"),
        ({"adversarial_loss": "wgan"}, "hinge or non-saturating; got 'wgan'"),
    ],
)
def test_options_without_sense_are_refused(options, message):
    with pytest.raises(RecipeError, match=message):
        method_options("pennet", options)
    with pytest.raises(InputError):
        PenNetMethod(**{key: tuple(value) if isinstance(value, list) else value for key, value in options.items()})


def test_it_is_in_the_table():
    assert METHODS["pennet"].networks == {"discriminator": "pennet-discriminator"}
    assert not METHODS["pennet"].backbone
