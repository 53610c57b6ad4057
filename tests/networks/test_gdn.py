import re
from dataclasses import FrozenInstanceError

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402 - torch is an extra

from mendpix.errors import InputError, ShapeError  # noqa: E402
from mendpix.networks import gdn  # noqa: E402
from mendpix.networks.gdn import (  # noqa: E402
    GdnConfig,
    GdnDetector,
    GdnDetectorConfig,
    GdnDiscriminator,
    GdnGenerator,
    gdn_paper,
    gdn_published,
)
from mendpix.networks.table import without_numbers  # noqa: E402

TINY = GdnConfig(base_channels=4, residual_blocks=2)
TINY_PAPER = GdnConfig(base_channels=4, residual_blocks=2, second_dilation=2)
TINY_DETECTOR = GdnDetectorConfig(base_channels=4)


def picture(height: int = 32, width: int = 48, batch: int = 2) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(3))


def hole(height: int = 32, width: int = 48, batch: int = 2) -> Tensor:
    made = torch.zeros(batch, 1, height, width)
    made[:, :, height // 4 : height // 2, width // 4 : width // 2] = 1
    return made


@pytest.fixture(params=[TINY, TINY_PAPER], ids=["published", "paper"])
def generator(request: pytest.FixtureRequest) -> GdnGenerator:
    torch.manual_seed(0)
    return GdnGenerator(request.param)


@pytest.fixture
def detector() -> GdnDetector:
    torch.manual_seed(0)
    return GdnDetector(TINY_DETECTOR)


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


# Sizes and names


def test_published_sizes_have_the_published_number_of_parameters() -> None:
    with without_numbers():
        assert parameters(GdnGenerator()) == 10_779_328
        assert parameters(GdnGenerator(gdn_paper())) == 10_779_328
        assert parameters(GdnDetector()) == 2_267_490
        assert parameters(GdnDiscriminator()) == 2_764_737  # the usual PatchGAN's


def test_variants_differ_in_the_second_dilation_alone() -> None:
    assert gdn_published() == GdnConfig(64, 8, first_dilation=2, second_dilation=1)
    assert gdn_paper() == GdnConfig(64, 8, first_dilation=2, second_dilation=2)
    with pytest.raises(FrozenInstanceError):
        gdn_paper().base_channels = 1  # type: ignore[misc]


def test_keys_and_shapes_of_the_generator_stay() -> None:
    network = GdnGenerator(GdnConfig(base_channels=2, residual_blocks=1))
    assert {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()} == {
        "stem.weight": (2, 4, 7, 7),
        "stem_norm.weight": (2,),
        "stem_norm.bias": (2,),
        "down1.weight": (4, 2, 4, 4),
        "down1_norm.weight": (4,),
        "down1_norm.bias": (4,),
        "down2.weight": (8, 4, 4, 4),
        "down2_norm.weight": (8,),
        "down2_norm.bias": (8,),
        "blocks.0.conv1.weight": (8, 8, 3, 3),
        "blocks.0.norm1.weight": (8,),
        "blocks.0.norm1.bias": (8,),
        "blocks.0.conv2.weight": (8, 8, 3, 3),
        "blocks.0.norm2.weight": (8,),
        "blocks.0.norm2.bias": (8,),
        "up1.weight": (8, 4, 4, 4),
        "up1_norm.weight": (4,),
        "up1_norm.bias": (4,),
        "up2.weight": (4, 2, 4, 4),
        "up2_norm.weight": (2,),
        "up2_norm.bias": (2,),
        "head.weight": (3, 2, 7, 7),
    }


def test_keys_and_shapes_of_the_detector_stay() -> None:
    network = GdnDetector(GdnDetectorConfig(base_channels=2))
    assert {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()} == {
        "conv1.weight": (2, 3, 4, 4),
        "conv1.bias": (2,),
        "conv2.weight": (4, 2, 4, 4),
        "conv2.bias": (4,),
        "conv3.weight": (8, 4, 4, 4),
        "conv3.bias": (8,),
        "conv4.weight": (16, 8, 4, 4),
        "conv4.bias": (16,),
        "conv5.weight": (16, 16, 4, 4),
        "conv5.bias": (16,),
        "up1.weight": (16, 8, 4, 4),
        "up1.bias": (8,),
        "up2.weight": (8, 2, 4, 4),
        "up2.bias": (2,),
    }


def test_weights_start_xavier_uniform_and_biases_at_zero(generator: GdnGenerator, detector: GdnDetector) -> None:
    for network in (generator, detector):
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                outer, inner, height, width = module.weight.shape
                bound = (6 / ((outer + inner) * height * width)) ** 0.5
                assert 0.9 * bound < module.weight.abs().max() <= bound
                assert module.bias is None or not module.bias.any()
            elif isinstance(module, nn.InstanceNorm2d):
                assert (module.weight == 1).all()
                assert not module.bias.any()


# What goes in and comes out


def test_generator_predicts_a_picture(generator: GdnGenerator) -> None:
    image, mask = picture(), hole()
    before = image.clone(), mask.clone()
    prediction = generator(image, mask)
    assert prediction.shape == image.shape
    assert prediction.dtype == torch.float32
    assert prediction.min() >= 0
    assert prediction.max() <= 1
    assert prediction.std() > 0.01
    assert torch.equal(image, before[0])  # the caller's tensors stay as they were
    assert torch.equal(mask, before[1])


def test_detector_gives_two_logits_for_each_pixel(detector: GdnDetector) -> None:
    logits = detector(picture())
    assert logits.shape == (2, 2, 32, 48)
    assert logits.isfinite().all()
    assert logits.std() > 0


def test_content_under_the_hole_has_no_influence(generator: GdnGenerator) -> None:
    image, mask = picture(), hole()
    other = torch.where(mask > 0, 1 - image, image)
    assert torch.equal(generator(image, mask), generator(other, mask))
    assert not torch.equal(generator(image, mask), generator(1 - image, mask))


def test_the_hole_is_seen_as_such_not_only_as_white(generator: GdnGenerator) -> None:
    white = torch.where(hole() > 0, 1.0, picture())
    assert not torch.allclose(generator(white, hole()), generator(white, torch.zeros_like(hole())), atol=1e-3)


def test_pictures_of_a_batch_do_not_mix(generator: GdnGenerator, detector: GdnDetector) -> None:
    image, mask = picture(), hole()
    torch.testing.assert_close(generator(image, mask)[1:], generator(image[1:], mask[1:]))
    torch.testing.assert_close(detector(image)[1:], detector(image[1:]))


def test_every_parameter_gets_a_finite_gradient(generator: GdnGenerator, detector: GdnDetector) -> None:
    prediction = generator(picture(), hole())
    (prediction.square().mean() + detector(prediction).square().mean()).backward()
    for network in (generator, detector):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("share", [0.0, 1.0], ids=["no hole", "all hole"])
def test_empty_and_full_holes_give_finite_pictures_and_gradients(generator: GdnGenerator, share: float) -> None:
    prediction = generator(picture(), torch.full((2, 1, 32, 48), share))
    prediction.square().mean().backward()
    assert prediction.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in generator.parameters())


# The declared facts


def without_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gdn, "_is_exporting", lambda: True)


@pytest.mark.parametrize(("height", "width"), [(12, 12), (12, 40), (28, 16), (52, 36)])
def test_generator_takes_all_declared_sizes(generator: GdnGenerator, height: int, width: int) -> None:
    prediction = generator(picture(height, width), hole(height, width))
    assert prediction.shape == (2, 3, height, width)
    assert prediction.isfinite().all()


@pytest.mark.parametrize(("height", "width"), [(4, 4), (4, 20), (12, 8), (28, 36)])
def test_detector_takes_all_declared_sizes(detector: GdnDetector, height: int, width: int) -> None:
    assert detector(picture(height, width)).shape == (2, 2, height, width)


@pytest.mark.parametrize("extra", [1, 2, 3])
def test_other_sizes_would_come_back_changed(
    generator: GdnGenerator, detector: GdnDetector, extra: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_checks(monkeypatch)
    size = 24 + extra
    assert generator(picture(24, size), hole(24, size)).shape[3] != size
    assert detector(picture(24, size)).shape[3] != size


def test_the_generator_breaks_below_its_minimum(generator: GdnGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    without_checks(monkeypatch)
    below = generator.facts.minimum - generator.facts.multiple_of
    with pytest.raises(RuntimeError, match=r"[Pp]adding"):
        generator(picture(below, 24), hole(below, 24))


def test_minimum_is_a_legal_size(generator: GdnGenerator, detector: GdnDetector) -> None:
    for network in (generator, detector):
        assert network.facts.minimum % network.facts.multiple_of == 0


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 0.02), (torch.bfloat16, 0.15)], ids=str)
def test_declared_precisions_give_the_same_answer(
    generator: GdnGenerator, detector: GdnDetector, dtype: torch.dtype, tolerance: float
) -> None:
    facts = [generator.facts, detector.facts]
    assert all(fact.half if dtype == torch.float16 else fact.bfloat16 for fact in facts)
    image, mask = picture(), hole()
    with torch.inference_mode():
        prediction, logits = generator(image, mask), detector(image)
        coarse = generator.to(dtype)(image.to(dtype), mask.to(dtype))
        coarse_logits = detector.to(dtype)(image.to(dtype))
    assert coarse.dtype == coarse_logits.dtype == dtype
    assert (coarse.float() - prediction).abs().mean() < tolerance * prediction.std()
    assert (coarse_logits.float() - logits).abs().mean() < tolerance * logits.std()


# Errors


@pytest.mark.parametrize(
    ("image", "mask", "message"),
    [
        (torch.rand(3, 32, 32), hole(32, 32), "must be (B, 3, H, W); got (3, 32, 32)"),
        (torch.rand(1, 32, 32, 3), hole(32, 32), "got (1, 32, 32, 3)"),
        (torch.zeros(2, 3, 32, 32, dtype=torch.uint8), hole(32, 32), "floats in [0, 1]; got torch.uint8"),
        (picture(32, 30), hole(32, 30), "multiples of 4 and at least 12 px; got 32 x 30"),
        (picture(8, 32), hole(8, 32), "at least 12 px; got 8 x 32"),
        (picture(32, 32), hole(32, 36), "hole must be (2, 1, 32, 32) like its image; got (2, 1, 32, 36)"),
        (picture(32, 32), hole(32, 32)[:, 0], "got (2, 32, 32). Add a missing channel axis"),
        (picture(32, 32), hole(32, 32)[:1], "got (1, 1, 32, 32)"),
        (picture(32, 32), hole(32, 32).bool(), "dtype of its image, torch.float32; got torch.bool"),
    ],
)
def test_generator_refuses_what_it_cannot_take(image: Tensor, mask: Tensor, message: str) -> None:
    with pytest.raises(ShapeError, match=re.escape(message)):
        GdnGenerator(TINY)(image, mask)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 4, 32, 32), (1, 3, 32, 34), (1, 3, 0, 32)], ids=str)
def test_detector_refuses_what_it_cannot_take(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"image .*; got "):
        GdnDetector(TINY_DETECTOR)(torch.zeros(shape))


@pytest.mark.parametrize(
    ("config", "values", "message"),
    [
        (GdnConfig, {"base_channels": 0}, "got 0 and 8"),
        (GdnConfig, {"residual_blocks": -1}, "got 64 and -1"),
        (GdnConfig, {"second_dilation": 3}, "dilations must be 1 or 2; got 2 and 3"),
        (GdnDetectorConfig, {"base_channels": 0}, "got 0 and 0.2"),
        (GdnDetectorConfig, {"negative_slope": 1.0}, "got 32 and 1.0"),
    ],
)
def test_impossible_sizes_are_refused(config: type, values: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        config(**values)


# Export


def test_the_checks_step_aside_for_an_export_with_free_sizes(generator: GdnGenerator, detector: GdnDetector) -> None:
    blocks = {2: 4 * torch.export.Dim("rows", min=4, max=64), 3: 4 * torch.export.Dim("columns", min=4, max=64)}
    exported = torch.export.export(generator, (picture(), hole()), dynamic_shapes=(blocks, blocks)).module()
    torch.testing.assert_close(exported(picture(20, 68), hole(20, 68)), generator(picture(20, 68), hole(20, 68)))
    exported = torch.export.export(detector, (picture(),), dynamic_shapes=(blocks,)).module()
    torch.testing.assert_close(exported(picture(20, 68)), detector(picture(20, 68)))
