from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

from mendpix.networks.interface import NetworkFacts
from mendpix.networks.scenes import ScenesDetector, ScenesDetectorConfig, ScenesGenerator, ScenesGeneratorConfig
from mendpix.training.config import ObjectiveConfig
from mendpix.training.step import Networks, TensorBatch, compute_gradients, detector_loss, mix_fills, predict


def batch(samples: int = 4) -> TensorBatch:
    generator = torch.Generator().manual_seed(2)
    hole = torch.zeros(samples, 1, 16, 24)
    hole[:, :, 4:12, 6:18] = 1
    image, fills = (torch.rand(samples, channels, 16, 24, generator=generator) for channels in (3, 6))
    return TensorBatch(image, hole, fills)


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
