import json
import re
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402 - torch is an extra
from torch.nn import functional as F  # noqa: E402

from golden import fill  # noqa: E402
from mendpix.errors import InputError, ShapeError  # noqa: E402
from mendpix.networks import pennet  # noqa: E402
from mendpix.networks.pennet import (  # noqa: E402
    PenNetConfig,
    PenNetDiscriminator,
    PenNetDiscriminatorConfig,
    PenNetGenerator,
)
from mendpix.networks.table import without_numbers  # noqa: E402
from mendpix.training.export import export_network, model_facts  # noqa: E402
from mendpix.weights.convert.pennet import read_pennet  # noqa: E402

GOLDEN = Path(__file__).parents[1] / "golden"


def picture(height: int = 64, width: int = 128, batch: int = 2) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(3))


def hole(height: int = 64, width: int = 128, batch: int = 2) -> Tensor:
    made = torch.zeros(batch, 1, height, width)
    made[:, :, height // 4 : height // 2, width // 4 : width // 2] = 1
    return made


@pytest.fixture
def generator() -> PenNetGenerator:
    """Width 6: no multiple of the four dilations. Fresh weights of 0.02 would leave no difference to see."""
    torch.manual_seed(0)
    network = PenNetGenerator(PenNetConfig(base_channels=6))
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.kaiming_normal_(parameter)
    return network.eval()


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_published_sizes_have_the_published_number_of_parameters() -> None:
    with without_numbers():
        assert count(PenNetGenerator()) == 10_231_538
        assert count(PenNetDiscriminator()) == 4_318_401


# Against the published program


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[PenNetGenerator, Tensor, Tensor, np.ndarray]:
    """Return a generator that went through the importer, its inputs, and what the published program makes of them."""
    with np.load(GOLDEN / "pennet-generator-1.npz") as file:
        meta, expected = json.loads(str(file["meta"])), file["output_0"]
    state = fill.weights({name: tuple(shape) for name, shape in meta["shapes"].items()}, meta["seed"])
    path = tmp_path_factory.mktemp("pennet") / "gen_00001.pth"
    torch.save({"netG": {name: torch.from_numpy(value) for name, value in state.items()}}, path)
    image = torch.from_numpy(fill.picture(meta["seed"], (1, 3, *expected.shape[2:])))
    network = read_pennet(path).networks["generator"]
    assert isinstance(network, PenNetGenerator)
    return network, image, torch.from_numpy(fill.hole(*expected.shape[2:])), expected


def worst_difference(published: tuple[PenNetGenerator, Tensor, Tensor, np.ndarray]) -> float:
    """Return the largest difference over the largest value, in the published range."""
    network, image, mask, expected = published
    with torch.inference_mode():
        found = 2 * network(image, mask).numpy() - 1
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def test_generator_gives_the_published_output(published) -> None:
    assert worst_difference(published) < 1e-4


def test_it_does_not_with_another_sampling_of_the_corners(published, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = F.interpolate
    monkeypatch.setattr(F, "interpolate", lambda *a, **more: plain(*a, **{**more, "align_corners": False}))
    assert worst_difference(published) > 1e-2


# Attention


def attend_slowly(low: np.ndarray, high: np.ndarray, usable: np.ndarray, scale: float) -> np.ndarray:
    """Attention with a window of one pixel and one picture, pixel by pixel in float64."""
    _, height, width = high.shape
    wide = np.pad(low, ((0, 0), (1, 1), (1, 1)))
    pasted = np.zeros_like(wide)
    places = [(row, column) for row in range(height) for column in range(width)]
    for row, column in places:
        likeness = np.array([
            high[:, r, c] @ high[:, row, column] / max(np.linalg.norm(high[:, r, c]), 1e-4) * usable[r, c]
            for r, c in places
        ])  # fmt: skip
        share = np.exp(scale * (likeness - likeness.max()))
        share /= share.sum()
        for (r, c), part in zip(places, share, strict=True):
            patch = wide[:, 2 * r : 2 * r + 4, 2 * c : 2 * c + 4]
            pasted[:, 2 * row : 2 * row + 4, 2 * column : 2 * column + 4] += max(part * usable[r, c], 1e-8) * patch
    return pasted[:, 1:-1, 1:-1] / 4


def test_attention_is_what_it_says() -> None:
    rng = np.random.default_rng(0)
    low, high = rng.normal(size=(2, 6, 8)), rng.normal(size=(5, 3, 4))
    missing = np.zeros((12, 16))
    missing[:, :6] = 1
    usable = np.ones((3, 4))
    usable[:, :2] = 0  # columns 0 and 5 of the hole are looked at, and 10 and 15 outside
    mask = torch.from_numpy(missing)[None, None]
    found = pennet._attend(torch.from_numpy(low)[None], torch.from_numpy(high)[None], mask, 2.0, window=1)
    np.testing.assert_allclose(found[0].numpy(), attend_slowly(low, high, usable, 2.0), atol=1e-12)


def test_a_missing_patch_is_replaced_by_the_one_that_is_alike() -> None:
    """The deeper level says which: its left and right halves are equal, and the left is missing."""
    random = torch.Generator().manual_seed(0)
    low, half = torch.rand(1, 3, 16, 32, generator=random), torch.randn(1, 64, 8, 8, generator=random)
    missing = torch.zeros(1, 1, 32, 64)
    missing[..., 4:12, 6:20] = 1
    found = pennet._attend(low, torch.cat([half, half], dim=3), missing, 50.0, window=1)
    torch.testing.assert_close(found[..., 3:5, 5:8], low[..., 3:5, 21:24], atol=1e-3, rtol=0)


def test_every_picture_of_a_batch_has_its_own_hole(generator: PenNetGenerator) -> None:
    image, holes = picture(), torch.cat([hole(batch=1), hole(batch=1).flip(3)])
    with torch.no_grad():
        together = generator(image, holes)
        for index in range(2):
            alone = generator(image[index : index + 1], holes[index : index + 1])
            torch.testing.assert_close(together[index : index + 1], alone, atol=1e-3, rtol=0)


# What goes in and comes out


def test_the_pyramid_ends_in_the_prediction(generator: PenNetGenerator) -> None:
    with torch.no_grad():
        prediction, sides = generator.pyramid(picture(), hole())
        assert torch.equal(prediction, generator(picture(), hole()))
    sizes = [(2, 3, 64 >> level, 128 >> level) for level in range(1, 6)]
    assert [tuple(side.shape) for side in sides] == sizes
    assert all(side.min() >= 0 and side.max() <= 1 for side in sides)


def test_every_parameter_gets_a_finite_gradient_from_the_pyramid(generator: PenNetGenerator) -> None:
    prediction, sides = generator.pyramid(picture(), hole())
    sum((each.square().mean() for each in (prediction, *sides)), torch.zeros(())).backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("share", [0.0, 1.0], ids=["no hole", "all hole"])
def test_empty_and_full_holes_give_finite_pictures_and_gradients(generator: PenNetGenerator, share: float) -> None:
    prediction = generator(picture(64, 64), torch.full((2, 1, 64, 64), share))
    prediction.square().mean().backward()
    assert prediction.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in generator.parameters())


def test_fresh_weights_give_gradients_although_they_see_next_to_nothing() -> None:
    network = PenNetGenerator(PenNetConfig(base_channels=4))
    network(torch.zeros(1, 3, 64, 64), torch.zeros(1, 1, 64, 64)).square().mean().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


def test_lower_precision_outside_leaves_attention_alone(generator: PenNetGenerator) -> None:
    with torch.no_grad():
        expected = generator(picture(), hole())
        with torch.autocast("cpu", torch.bfloat16):
            found = generator(picture(), hole()).float()
        exact = generator.double()(picture().double(), hole().double())
    assert exact.dtype == torch.float64
    assert (expected - exact).abs().max() < 1e-3
    assert (found - expected).abs().mean() < 0.15 * expected.std()


def test_the_discriminator_gives_as_many_answers_as_published() -> None:
    network = PenNetDiscriminator(PenNetDiscriminatorConfig(base_channels=2))
    assert network(picture(256, 256, 1)).shape == (1, 1, 27, 27)
    assert network(picture(47, 47, 1)).shape == (1, 1, 1, 1)


# Errors


@pytest.mark.parametrize(
    ("image", "mask", "message"),
    [
        (torch.rand(3, 64, 64), hole(64, 64), "must be (B, 3, H, W); got (3, 64, 64)"),
        (picture(64, 96), hole(64, 96), "multiples of 64 and at least 64 px; got 64 x 96"),
        (picture(64, 64), hole(64, 128), "hole must be (2, 1, 64, 64) like its image; got (2, 1, 64, 128)"),
        (picture(64, 64), hole(64, 64).bool(), "dtype of its image, torch.float32; got torch.bool"),
    ],
)
def test_generator_refuses_what_it_cannot_take(image: Tensor, mask: Tensor, message: str) -> None:
    network = PenNetGenerator(PenNetConfig(base_channels=4))
    for call in (network, network.pyramid):
        with pytest.raises(ShapeError, match=re.escape(message)):
            call(image, mask)


@pytest.mark.parametrize(
    ("config", "values", "message"),
    [
        (PenNetConfig, {"base_channels": 3}, "got 3 and 10.0"),
        (PenNetConfig, {"softmax_scale": 0.0}, "got 32 and 0.0"),
        (PenNetDiscriminatorConfig, {"base_channels": 0}, "got 0 and 0.2"),
        (PenNetDiscriminatorConfig, {"negative_slope": 1.0}, "got 64 and 1.0"),
    ],
)
def test_impossible_sizes_are_refused(config: type, values: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        config(**values)


# Export


@pytest.mark.slow
def test_the_graph_takes_any_multiple_of_64(generator: PenNetGenerator, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    path = tmp_path / "pennet.onnx"
    assert export_network(generator, path, model_facts("pennet", "generator", generator)).max_abs_difference < 0.01
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for height, width in ((64, 192), (128, 64)):
        image, mask = picture(height, width, 1), hole(height, width, 1)
        with torch.no_grad():
            expected = generator(image, mask).numpy()
        found = session.run(None, {"image": image.numpy(), "hole": mask.numpy()})[0]
        np.testing.assert_allclose(found, expected, atol=0.01)
