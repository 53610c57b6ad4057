import pytest
import torch

from mendpix.errors import ShapeError
from mendpix.networks.scenes import ScenesDetector, ScenesDetectorConfig, ScenesGenerator, ScenesGeneratorConfig

SMALL = ScenesGeneratorConfig(8, 8, 16, (1, 2))
SMALL_DETECTOR = ScenesDetectorConfig(8, 8, 16, (1,))


def woken(network: torch.nn.Module) -> torch.nn.Module:
    """Give every tensor values that matter: fresh networks start with zeros that hide mistakes."""
    torch.manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


def inputs(height: int = 32, width: int = 40) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    hole = torch.zeros(2, 1, height, width)
    hole[:, :, height // 4 : height // 2, width // 4 : width // 2] = 1
    image, fills = (torch.rand(2, channels, height, width, generator=generator) for channels in (3, 6))
    return image, hole, fills


def multiply_accumulates(network: torch.nn.Module, *arguments: torch.Tensor) -> float:
    total = 0.0

    def count(module: torch.nn.Conv2d, _: object, output: torch.Tensor) -> None:
        nonlocal total
        total += output.numel() * module.weight[0].numel()

    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(count)
    with torch.no_grad():
        network(*arguments)
    return total


def test_the_embedded_pair_keeps_its_budget():
    generator, detector = ScenesGenerator(), ScenesDetector()
    parameters = [sum(p.numel() for p in network.parameters()) for network in (generator, detector)]
    assert parameters[0] <= 6_000_000
    assert sum(parameters) * 2 <= 14e6  # bytes of fp16
    image, hole, fills = torch.rand(1, 3, 256, 256), torch.ones(1, 1, 256, 256), torch.rand(1, 6, 256, 256)
    assert multiply_accumulates(generator, image, hole, fills) <= 6e9
    assert multiply_accumulates(detector, image) <= 1.5e9


def test_shapes_are_recorded():
    shapes = {key: tuple(value.shape) for key, value in ScenesGenerator(SMALL).state_dict().items()}
    assert shapes["stem.weight"] == (8, 28, 3, 3)
    assert shapes["body.middle.1.first.weight"] == (16, 16, 3, 3)
    assert shapes["body.up_half.weight"] == (32, 8, 1, 1)
    assert shapes["head.weight"] == (16, 8, 3, 3)
    assert len(shapes) == 2 * (2 + 2 + 2 * 5 + 2)


def test_known_pixels_are_kept_and_the_hole_is_not_seen():
    network = woken(ScenesGenerator(SMALL))
    image, hole, fills = inputs()
    with torch.no_grad():
        filled = network(image, hole, fills)
        other = network(torch.where(hole > 0, torch.rand_like(image), image), hole, fills)
    known = (hole == 0).expand_as(image)
    assert torch.equal(filled[known], image[known])
    assert torch.equal(filled, other)
    assert not torch.equal(filled[~known], fills[:, :3][~known])


def test_a_fresh_generator_gives_the_mean_of_its_fills():
    image, hole, fills = inputs()
    filled = ScenesGenerator(SMALL)(image, hole, fills)
    wanted = torch.where(hole > 0, (fills[:, :3] + fills[:, 3:]) / 2, image)
    assert torch.allclose(filled, wanted, atol=1e-6)


@pytest.mark.parametrize("network", [ScenesGenerator(SMALL), ScenesDetector(SMALL_DETECTOR)])
def test_gradients_reach_every_parameter(network: torch.nn.Module):
    woken(network)
    image, hole, fills = inputs()
    arguments = (image, hole, fills) if isinstance(network, ScenesGenerator) else (image,)
    network(*arguments).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("network", [ScenesGenerator(SMALL), ScenesDetector(SMALL_DETECTOR)])
def test_declared_sizes_are_true(network: torch.nn.Module):
    facts = network.facts
    for size in (facts.minimum, facts.minimum + facts.multiple_of, 3 * facts.multiple_of):
        image, hole, fills = inputs(size, 2 * facts.multiple_of)
        arguments = (image, hole, fills)[: len(facts.inputs)]
        assert network(*arguments).shape[2:] == image.shape[2:]
    for size in (facts.minimum - 1, facts.minimum + facts.multiple_of // 2):
        image, hole, fills = inputs(size, 2 * facts.multiple_of)
        with pytest.raises(ShapeError, match="multiples of 8"):
            network(*(image, hole, fills)[: len(facts.inputs)])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_declared_precisions_are_true(dtype: torch.dtype):
    network = woken(ScenesGenerator(SMALL))
    arguments = inputs()
    with torch.no_grad():
        exact = network(*arguments)
        rough = network.to(dtype)(*(argument.to(dtype) for argument in arguments)).float()
    assert (exact - rough).abs().mean() < 0.01


def test_windows_agree_with_the_whole_picture():
    """No picture-wide statistics: far from the cut, a crop is filled as the whole picture is."""
    network = woken(ScenesGenerator(ScenesGeneratorConfig(8, 8, 8, (1,))))
    image, hole, fills = (part[:1] for part in inputs(64, 320))
    hole = torch.zeros_like(hole)
    hole[..., 24:40, 150:170] = 1
    with torch.no_grad():
        whole = network(image, hole, fills)
        part = network(image[..., 80:240], hole[..., 80:240], fills[..., 80:240])
    assert torch.allclose(whole[..., 150:170], part[..., 70:90], atol=1e-5)


def test_wrong_companions_are_named():
    network = ScenesGenerator(SMALL)
    image, hole, fills = inputs()
    with pytest.raises(ShapeError, match=r"hole must be \(2, 1, 32, 40\)"):
        network(image, hole[:, 0], fills)
    with pytest.raises(ShapeError, match=r"fills must be \(2, 6, 32, 40\)"):
        network(image, hole, fills[:, :3])
