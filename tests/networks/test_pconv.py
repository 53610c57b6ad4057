import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402 - torch is an extra
from torch import Tensor  # noqa: E402

from mendpix.errors import InputError, ShapeError  # noqa: E402
from mendpix.networks.pconv import (  # noqa: E402
    MEAN_RGB,
    PartialConv,
    PconvConfig,
    PconvGenerator,
    pconv_paper,
)
from mendpix.networks.table import without_numbers  # noqa: E402
from mendpix.training.export import export_network, model_facts  # noqa: E402

TINY = PconvConfig(base_channels=4, levels=3)


def picture(height: int = 32, width: int = 48, batch: int = 2) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(3))


def hole(height: int = 32, width: int = 48, batch: int = 2) -> Tensor:
    made = torch.zeros(batch, 1, height, width)
    made[:, :, height // 4 : 3 * height // 4, width // 4 : width // 2] = 1
    made[1:] = made[1:].flip(3)
    return made


@pytest.fixture
def generator() -> PconvGenerator:
    torch.manual_seed(0)
    network = PconvGenerator(TINY).eval()
    network.decoder[-1].conv.weight.data *= 0.05  # fresh norms leave large numbers; so predictions lie near [0, 1]
    return network


def slow_partial_conv(x: Tensor, mask: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> tuple[Tensor, ...]:
    """The layer as its authors put it, with a mask for every channel and a kernel of ones that counts."""
    border = weight.shape[2] // 2
    count = F.conv2d(mask, torch.ones_like(weight[:1]), None, stride, border)
    found = F.conv2d(x * mask, weight, None, stride, border) * weight[0].numel() / count.clamp_min(1)
    found = found if bias is None else found + bias[:, None, None]
    return found * (count > 0), (count > 0).to(x.dtype)


# Sizes


def test_published_sizes_have_the_published_number_of_parameters() -> None:
    with without_numbers():
        for config, expected in ((PconvConfig(), 25_779_796), (pconv_paper(), 32_859_732)):
            assert sum(parameter.numel() for parameter in PconvGenerator(config).parameters()) == expected


def test_facts_follow_the_levels() -> None:
    with without_numbers():
        assert PconvGenerator().facts.multiple_of == PconvGenerator.facts.multiple_of == 128
        assert PconvGenerator(pconv_paper()).facts.minimum == 256


@pytest.mark.parametrize("values", [{"base_channels": 0}, {"levels": 1}, {"levels": 11}, {"negative_slope": 1.0}])
def test_sizes_that_make_no_sense_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(InputError, match="base_channels must be at least 1"):
        PconvConfig(**values)  # type: ignore[arg-type]


def test_wrong_pictures_and_holes_are_refused(generator: PconvGenerator) -> None:
    with pytest.raises(ShapeError, match="multiples of 8 and at least 8 px; got 32 x 44"):
        generator(picture(32, 44), hole(32, 44))
    with pytest.raises(ShapeError, match=r"image must be \(B, 3, H, W\)"):
        generator(picture()[0], hole())
    with pytest.raises(ShapeError, match=r"hole must be \(2, 1, 32, 48\)"):
        generator(picture(), hole()[:1])
    with pytest.raises(ShapeError, match="dtype of its image"):
        generator(picture(), hole().double())
    with pytest.raises(ShapeError, match="must hold floats"):
        generator((picture() * 255).byte(), hole())


# The layer


@pytest.mark.parametrize(("kernel", "stride", "bias"), [(7, 2, False), (3, 1, True), (5, 2, True)])
def test_the_layer_is_the_authors(kernel: int, stride: int, bias: bool) -> None:
    torch.manual_seed(1)
    layer = PartialConv(3, 4, kernel, stride=stride, bias=bias).double()
    if layer.bias is not None:
        torch.nn.init.normal_(layer.bias)
    x, known = picture(16, 24).double(), 1 - hole(16, 24).double()
    known[0, :, :8] = 0  # whole windows without anything known
    found, after = layer(x * known, known)
    expected, expected_after = slow_partial_conv(x, known.expand_as(x), layer.weight, layer.bias, stride)
    torch.testing.assert_close(found, expected)
    assert torch.equal(after, expected_after[:, :1])
    assert 0 < after.mean() < 1


def test_two_groups_of_channels_weigh_by_their_numbers() -> None:
    torch.manual_seed(1)
    layer = PartialConv(5, 4, 3).double()
    wide, narrow = torch.rand(1, 3, 8, 8).double(), torch.rand(1, 2, 8, 8).double()
    first, second = torch.zeros(1, 1, 8, 8).double(), torch.zeros(1, 1, 8, 8).double()
    first[..., :3], second[..., 2:6] = 1, 1
    found, after = layer(torch.cat([wide * first, narrow * second], 1), (3 * first + 2 * second) / 5)
    masks = torch.cat([first.expand_as(wide), second.expand_as(narrow)], 1)
    expected, expected_after = slow_partial_conv(torch.cat([wide, narrow], 1), masks, layer.weight, None, 1)
    torch.testing.assert_close(found, expected)
    assert torch.equal(after, expected_after[:, :1])


def test_a_constant_picture_stays_what_it_is_under_any_mask() -> None:
    layer = PartialConv(2, 1, 3)
    torch.nn.init.constant_(layer.weight, 1 / 18)
    known = (torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0)) > 0.7).float()
    found, after = layer(torch.full((1, 2, 16, 16), 3.0) * known, known)
    torch.testing.assert_close(found, 3 * after)


# The network


def test_what_lies_under_the_hole_has_no_influence(generator: PconvGenerator) -> None:
    other = torch.where(hole() > 0, torch.tensor(1e6), picture())
    with torch.no_grad():
        assert torch.equal(generator(picture(), hole()), generator(other, hole()))


def test_a_picture_without_a_known_pixel_becomes_the_mean_colour(generator: PconvGenerator) -> None:
    torch.nn.init.constant_(generator.decoder[-1].conv.bias, 5.0)  # not added where nothing is known
    with torch.no_grad():
        found = generator(picture(), torch.ones_like(hole()))
    torch.testing.assert_close(found, torch.tensor(MEAN_RGB)[:, None, None].expand_as(found))


def test_predictions_are_not_held_to_the_range(generator: PconvGenerator) -> None:
    torch.nn.init.constant_(generator.decoder[-1].conv.bias, 99.0)
    with torch.no_grad():
        assert generator(picture(), hole()).min() > 1


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_precisions_give_about_the_same(generator: PconvGenerator, dtype: torch.dtype) -> None:
    with torch.no_grad():
        expected = generator(picture(), hole())
        found = generator.to(dtype)(picture().to(dtype), hole().to(dtype))
    assert found.dtype == dtype
    room = {torch.float64: 1e-5, torch.float16: 2e-3, torch.bfloat16: 1.5e-2}[dtype]
    torch.testing.assert_close(found.float(), expected, atol=room, rtol=0)


def test_encoder_norms_are_those_on_the_way_down(generator: PconvGenerator) -> None:
    norms = generator.encoder_norms()
    assert [norm.num_features for norm in norms] == [8, 16]
    assert len([module for module in generator.modules() if isinstance(module, torch.nn.BatchNorm2d)]) == 4


@pytest.mark.slow
def test_an_exported_file_agrees_at_two_sizes(generator: PconvGenerator, tmp_path) -> None:
    report = export_network(generator, tmp_path / "pconv.onnx", model_facts("pconv", "generator", generator))
    assert report.max_abs_difference < 5e-3
    assert report.facts.multiple_of == 8
