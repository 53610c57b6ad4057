import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402 - torch is an extra
from torch.nn import functional as F  # noqa: E402

from mendpix.errors import InputError, ShapeError  # noqa: E402
from mendpix.networks.deepfill_v1 import (  # noqa: E402
    DeepFillV1Config,
    DeepFillV1Critic,
    DeepFillV1CriticConfig,
    DeepFillV1Generator,
    DeepFillV1LocalCriticConfig,
)
from mendpix.networks.table import without_numbers  # noqa: E402
from mendpix.training.export import export_network, model_facts  # noqa: E402


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def small(**sizes) -> DeepFillV1Generator:
    torch.manual_seed(0)
    return DeepFillV1Generator(DeepFillV1Config(width=4, **sizes)).eval()


def inputs() -> tuple[Tensor, Tensor]:
    image, hole = torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(1)), torch.zeros(1, 1, 48, 64)
    hole[:, :, 10:30, 8:40] = 1
    return image, hole


def test_published_sizes():
    with without_numbers():
        assert count(DeepFillV1Generator()) == 3_601_542
        local, whole = DeepFillV1Critic(DeepFillV1LocalCriticConfig()), DeepFillV1Critic()
        assert count(local) + count(whole) == 7_072_770
        assert count(whole) == 2_733_441
        assert count(DeepFillV1Critic(DeepFillV1LocalCriticConfig(last_multiple=4))) == 2_684_289


def test_the_coarse_stage_is_the_published_chain():
    """The same layers written down once more, one after the other, with their borders as numbers."""
    network = small()
    image, hole = inputs()
    layers = [*network.coarse_encoder, *network.coarse_dilated, *network.coarse_decoder]
    # Kernel, stride, dilation, doubled before, of conv1 to conv17; TensorFlow's border is 1 and 2, 0 and 1 at stride 2.
    chain = [
        (5, 1, 1, 0), (3, 2, 1, 0), (3, 1, 1, 0), (3, 2, 1, 0), (3, 1, 1, 0), (3, 1, 1, 0), (3, 1, 2, 0), (3, 1, 4, 0),
        (3, 1, 8, 0), (3, 1, 16, 0), (3, 1, 1, 0), (3, 1, 1, 0), (3, 1, 1, 1), (3, 1, 1, 0), (3, 1, 1, 1), (3, 1, 1, 0),
        (3, 1, 1, 0),
    ]  # fmt: skip
    widths = [4, 8, 8, 16, 16, 16, 16, 16, 16, 16, 16, 16, 8, 8, 4, 2, 3]
    x = torch.cat([(2 * image - 1) * (1 - hole), torch.ones_like(hole), hole], 1)
    for number, (layer, (kernel, stride, dilation, doubled), width) in enumerate(
        zip(layers, chain, widths, strict=True), 1
    ):
        conv = layer if number == 17 else layer.conv
        assert conv.weight.shape[0] == width
        if doubled:
            x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        border = (0, 1, 0, 1) if stride == 2 else (dilation * (kernel // 2),) * 4
        x = F.conv2d(F.pad(x, border), conv.weight, conv.bias, stride, dilation=dilation)
        x = x if number == 17 else F.elu(x)
    with torch.no_grad():
        torch.testing.assert_close(network.stages(image, hole)[0], (x.clamp(-1, 1) + 1) / 2)


def test_predictions_are_clipped_as_published():
    network = small()
    torch.nn.init.constant_(network.coarse_decoder[-1].bias, 3.0)
    torch.nn.init.constant_(network.refine_decoder[-1].bias, -3.0)
    with torch.no_grad():
        coarse, refined = network.stages(*inputs())
    assert (coarse == 1).all()
    assert (refined == 0).all()


def test_the_port_samples_other_pixels():
    published, port = small(), small(padding="even")
    port.load_state_dict(published.state_dict())
    with torch.no_grad():
        assert (published(*inputs()) - port(*inputs())).abs().max() > 1e-3
    assert port.attention.soft_norm
    assert not port.attention.aligned


@pytest.mark.parametrize("padding", ["same", "even"])
def test_what_lies_under_the_hole_is_not_seen(padding):
    image, hole = inputs()
    network = small(padding=padding)
    with torch.no_grad():
        assert torch.equal(network(image, hole), network(image + 1000 * hole, hole))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_precisions_change_little(dtype):
    network = small()
    image, hole = inputs()
    with torch.no_grad():
        exact = network(image, hole)
        other = network.to(dtype)(image.to(dtype), hole.to(dtype))
    assert other.dtype == dtype
    assert (other.float() - exact).abs().max() < 4 * torch.finfo(dtype).eps + 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("padding", ["same", "even"])
def test_the_exported_graph_takes_any_size(padding, tmp_path):
    network = small(padding=padding)
    report = export_network(network, tmp_path / "deepfill.onnx", model_facts("deepfill", "generator", network))
    assert report.max_abs_difference < 5e-3  # at two sizes; weights are stored in float16


def test_a_critic_scores_each_square_by_itself():
    torch.manual_seed(0)
    critic = DeepFillV1Critic(DeepFillV1LocalCriticConfig(base_channels=2, picture_px=32))
    image = torch.rand(2, 3, 32, 32)
    found = critic(image)
    assert found.shape == (2, 1, 1, 1)
    x = 2 * image - 1
    for layer in critic.layers:
        x = F.leaky_relu(F.conv2d(F.pad(x, (1, 2, 1, 2)), layer.weight, layer.bias, 2), 0.2)
    torch.testing.assert_close(found.flatten(), critic.linear(x.flatten(1)).flatten())  # channels, rows, columns
    assert critic(torch.rand(1, 3, 32, 96)).shape == (1, 1, 1, 3)
    assert critic.facts.multiple_of == critic.facts.minimum == 32


def test_wrong_sizes_are_refused():
    with pytest.raises(InputError, match="width must be at least 2; got 1"):
        DeepFillV1Config(width=1)
    with pytest.raises(InputError, match="padding must be one of same, even; got 'valid'"):
        DeepFillV1CriticConfig(padding="valid")
    with pytest.raises(InputError, match="picture_px must be a multiple of 16; got 40"):
        DeepFillV1CriticConfig(picture_px=40)
    with pytest.raises(InputError, match="base_channels"):
        DeepFillV1LocalCriticConfig(last_multiple=0)
    with pytest.raises(ShapeError, match="multiples of 8 and at least 16 px; got 8 x 24"):
        small()(torch.rand(1, 3, 8, 24), torch.zeros(1, 1, 8, 24))
    with pytest.raises(ShapeError, match="multiples of 64 and at least 64 px; got 64 x 80"):
        DeepFillV1Critic(DeepFillV1CriticConfig(base_channels=1, picture_px=64))(torch.rand(1, 3, 64, 80))
