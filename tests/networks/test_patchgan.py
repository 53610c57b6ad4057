"""The critic of patches: its size, what a score can see, its activations and refusals."""

import pytest

torch = pytest.importorskip("torch")

from mendpix.errors import InputError, ShapeError  # noqa: E402 - after the skip above
from mendpix.networks.patchgan import PatchGan, PatchGanConfig  # noqa: E402
from mendpix.networks.table import without_numbers  # noqa: E402


def small(channels: int = 3) -> PatchGan:
    torch.manual_seed(0)
    return PatchGan(PatchGanConfig(in_channels=channels, base_channels=4)).eval()


def test_it_has_the_published_size():
    with without_numbers():
        assert sum(parameter.numel() for parameter in PatchGan().parameters()) == 2_763_776


def test_256_pixels_give_30_scores_and_the_last_activation_is_them():
    image = torch.rand(1, 2, 256, 256, generator=torch.Generator().manual_seed(1))
    critic = small(2)
    with torch.no_grad():
        layers, logits = critic.activations(image), critic(image)
    assert [tuple(layer.shape[1:]) for layer in layers] == [
        (4, 128, 128), (8, 64, 64), (16, 32, 32), (32, 31, 31), (1, 30, 30)
    ]  # fmt: skip
    assert torch.equal(layers[-1], logits)
    assert min(float(layer.min()) for layer in layers[:-1]) < 0  # leaky


def test_instance_norm_takes_the_place_of_spectral_norm():
    torch.manual_seed(0)
    critic = PatchGan(PatchGanConfig(in_channels=2, base_channels=4, instance_norm=True)).eval()
    assert not any(torch.nn.utils.parametrize.is_parametrized(module) for module in critic.modules())
    assert sum(p.numel() for p in critic.parameters()) == sum(p.numel() for p in small(2).parameters() if p.ndim > 1)
    for parameter in critic.parameters():
        parameter.data.mul_(20)  # far above the norm's own small number
    image = torch.rand(1, 2, 64, 64)
    with torch.no_grad():
        plain, strong = critic.activations(image), critic.activations(4 * image)
    torch.testing.assert_close(4 * plain[0], strong[0])  # neither the first layer is normed
    assert abs(float(plain[4].std()) - 1) > 0.1  # nor the last
    for one, other in zip(plain[1:4], strong[1:4], strict=True):
        torch.testing.assert_close(one, other, atol=1e-2, rtol=0)  # what lies between does not know the strength


def test_a_score_sees_70_pixels():
    image = torch.rand(1, 3, 160, 160, requires_grad=True)
    logits = small()(image)
    logits[0, 0, 9, 9].backward()
    rows = image.grad[0].abs().sum((0, 2)).nonzero()
    assert int(rows.max() - rows.min()) + 1 == 70


def test_kernels_have_no_biases_and_a_largest_gain_of_one():
    critic = small().train()
    with torch.no_grad():
        for _ in range(60):
            critic(torch.rand(1, 3, 24, 24))
    for number in range(1, 6):
        convolution = getattr(critic, f"conv{number}")
        assert convolution.bias is None
        assert abs(torch.linalg.matrix_norm(convolution.weight.flatten(1), 2).item() - 1) < 0.05


def test_precision_facts():
    image = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        exact = small()(image)
        for dtype in (torch.bfloat16, torch.float16):
            assert (small().to(dtype)(image.to(dtype)).float() - exact).abs().max() < 0.02 * max(1, exact.abs().max())


def test_other_inputs_are_refused():
    with pytest.raises(ShapeError, match=r"\(B, 3, H, W\), at least 24 x 24 px; got \(1, 2, 32, 32\)"):
        small()(torch.rand(1, 2, 32, 32))
    with pytest.raises(ShapeError, match="at least 24"):
        small()(torch.rand(1, 3, 23, 64))
    with pytest.raises(ShapeError, match="floats"):
        small()(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))
    with pytest.raises(InputError, match="at least 1"):
        PatchGanConfig(base_channels=0)
