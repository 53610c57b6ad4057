from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

from mendpix.networks.gdn import GdnDiscriminator, GdnDiscriminatorConfig
from mendpix.networks.interface import NetworkFacts
from mendpix.networks.scenes import ScenesDetector, ScenesDetectorConfig, ScenesGenerator, ScenesGeneratorConfig
from mendpix.training.config import AdversarialConfig, ObjectiveConfig
from mendpix.training.step import (
    Networks,
    TensorBatch,
    compute_gradients,
    detector_loss,
    mix_fills,
    pixel_weight,
    predict,
)


def batch(samples: int = 4) -> TensorBatch:
    generator = torch.Generator().manual_seed(2)
    hole = torch.zeros(samples, 1, 16, 24)
    hole[:, :, 4:12, 6:18] = 1
    image, fills = (torch.rand(samples, channels, 16, 24, generator=generator) for channels in (3, 6))
    return TensorBatch(image, hole, fills)


def rival() -> GdnDiscriminator:
    torch.manual_seed(3)
    return GdnDiscriminator(GdnDiscriminatorConfig(base_channels=4))


def large_batch() -> TensorBatch:
    """Pictures large enough for the discriminator."""
    made = batch()
    return TensorBatch(*(tensor.repeat(1, 1, 2, 2) for tensor in (made.image, made.hole, made.fills)))


def networks() -> Networks:
    torch.manual_seed(0)
    generator = ScenesGenerator(ScenesGeneratorConfig(8, 8, 8, (1,)))
    detector = ScenesDetector(ScenesDetectorConfig(8, 8, 8, (1,)))
    for network in (generator, detector):
        for parameter in network.parameters():
            nn.init.normal_(parameter, std=0.1)
    return Networks(generator, detector, None)


class Echo(nn.Module):
    """Give back the picture that it is shown."""

    facts = NetworkFacts(1, 1, half=True, bfloat16=True)

    def forward(self, image: Tensor, hole: Tensor) -> Tensor:
        return image + 0 * hole


def test_no_network_is_shown_the_truth():
    shown = predict(Echo(), batch())
    assert not shown[:, :, 4:12, 6:18].any()
    assert torch.equal(shown[:, :, :4], batch().image[:, :, :4])


def test_each_loss_moves_its_own_network_alone():
    """The detector's gradient is that of its loss on the prediction as a constant; the generator's is its own."""
    made, config = networks(), ObjectiveConfig(squared=0.5)
    values = compute_gradients(made, batch(), config, step=0, autocast=nullcontext)
    found = [parameter.grad for parameter in made.detector.parameters()]
    with torch.no_grad():
        prediction = predict(made.generator, batch())
    loss = detector_loss(config)(made.detector(prediction), batch().hole)
    expected = torch.autograd.grad(loss, list(made.detector.parameters()))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
    assert torch.equal(values["detector"], loss.detach())
    assert all(parameter.requires_grad for parameter in made.detector.parameters())
    assert all(parameter.grad is not None for parameter in made.generator.parameters())
    assert values["generator"] == pytest.approx(float(values["weighted_l1"] + 0.5 * values["squared"]))


def test_the_detector_is_shown_classical_fills_as_often_as_asked():
    data = batch(200)
    prediction = data.image + 0.5
    shown = mix_fills(prediction, data, 0.3, range(200))
    replaced = [not torch.equal(one, other) for one, other in zip(shown, prediction, strict=True)]
    assert 40 <= sum(replaced) <= 80
    assert torch.equal(mix_fills(prediction, data, 0.0, range(200)), prediction)
    whole = mix_fills(prediction, data, 1.0, range(200))
    pure = [torch.equal(one[:, 0, 0], truth[:, 0, 0]) for one, truth in zip(whole, data.image, strict=True)]
    assert 70 <= sum(pure) <= 130  # the others are blends of a fill with the prediction


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_show_what_one_process_would(processes: int):
    """The detector's mean gradient over the processes is that of one process with the whole batch."""
    config = ObjectiveConfig(other_fills_share=0.5)
    whole = networks()
    compute_gradients(whole, batch(), config, step=3, autocast=nullcontext)
    total = [torch.zeros_like(parameter) for parameter in whole.detector.parameters()]
    for rank in range(processes):
        part, data = networks(), batch()
        own = TensorBatch(*(tensor[rank::processes] for tensor in (data.image, data.hole, data.fills)))
        compute_gradients(part, own, config, step=3, autocast=nullcontext, rank=rank, processes=processes)
        total = [t + p.grad / processes for t, p in zip(total, part.detector.parameters(), strict=True)]
    for one, other in zip(total, whole.detector.parameters(), strict=True):
        torch.testing.assert_close(one, other.grad, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(("framework", "expected"), [("weight", (6.0, 1.0)), ("adv", (1.0, 1.0))])
def test_the_other_frameworks_weigh_pixels_whatever_the_detector_says(framework: str, expected: tuple[float, float]):
    made = networks()
    weight = pixel_weight(made.detector, batch().image, batch().hole, ObjectiveConfig(framework=framework))  # type: ignore[arg-type]
    assert torch.equal(weight, torch.where(batch().hole > 0, *expected))


def test_det_weighs_pixels_by_the_detectors_map_and_learns_through_it():
    made = networks()
    image = batch().image.requires_grad_(True)
    weight = pixel_weight(made.detector, image, batch().hole, ObjectiveConfig(mapping=10.0))
    assert torch.allclose(weight, 10 ** torch.softmax(made.detector(image), 1)[:, 1:])
    weight.sum().backward()
    assert image.grad is not None
    assert image.grad.any()
    assert all(parameter.grad is None for parameter in made.detector.parameters())


def test_weights_taken_as_given_are_the_same_but_nothing_is_learnt_through_them():
    made = networks()
    image = batch().image.requires_grad_(True)
    given = pixel_weight(made.detector, image, batch().hole, ObjectiveConfig(learn_through_map=False))
    assert torch.equal(given, pixel_weight(made.detector, image, batch().hole, ObjectiveConfig()))
    assert not given.requires_grad


@pytest.mark.parametrize("framework", ["weight", "adv"])
def test_in_the_other_frameworks_the_detector_only_looks_on(framework: str):
    """It learns, but what it thinks does not change the generator's gradient."""
    gradients: list[list[Tensor]] = []
    for scale in (1.0, -5.0):
        made = networks()
        for parameter in made.detector.parameters():
            parameter.data *= scale
        made = Networks(made.generator, made.detector, discriminator=rival() if framework == "adv" else None)
        config = ObjectiveConfig(framework=framework)  # type: ignore[arg-type]
        compute_gradients(made, large_batch(), config, step=0, autocast=nullcontext)
        assert all(parameter.grad is not None for parameter in made.detector.parameters())
        gradients.append([p.grad for p in made.generator.parameters() if p.grad is not None])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


def test_adv_is_the_l1_and_the_adversarial_loss_and_each_network_gets_its_own_gradient():
    made = Networks(networks().generator, networks().detector, discriminator=rival().eval())  # no power iteration
    config = ObjectiveConfig(framework="adv", adversarial=AdversarialConfig(weight=0.1))
    data = large_batch()
    values = compute_gradients(made, data, config, step=0, autocast=nullcontext)
    assert made.discriminator is not None
    prediction = predict(made.generator, data)
    fake, real = made.discriminator(prediction), made.discriminator(data.image)
    expected = (prediction - data.image).abs().mean() - 0.1 * torch.sigmoid(fake).log().mean()
    torch.testing.assert_close(values["generator"], expected.detach())
    wanted = torch.autograd.grad(expected, list(made.generator.parameters()), retain_graph=True, allow_unused=True)
    for parameter, gradient in zip(made.generator.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
    fake = made.discriminator(prediction.detach())
    loss = -(torch.sigmoid(real).log().mean() + (1 - torch.sigmoid(fake)).log().mean())
    torch.testing.assert_close(values["discriminator"], loss.detach())
    wanted = torch.autograd.grad(loss, list(made.discriminator.parameters()))
    for parameter, gradient in zip(made.discriminator.parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
