"""ISNet: sizes of the paper's tables, the reference's output, and what each configuration leaves out."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from golden import fill  # noqa: E402 - after the skip above
from isnet_files import discriminator_shapes, generator_shapes  # noqa: E402
from mendpix.errors import InputError, ShapeError  # noqa: E402
from mendpix.networks.isnet import (  # noqa: E402
    IsnetConfig,
    IsnetGenerator,
    isnet_base,
    isnet_base_fusion,
    isnet_published,
)
from mendpix.networks.isnet_unet import IsnetUnetConfig, IsnetUnetGenerator  # noqa: E402
from mendpix.networks.table import without_numbers  # noqa: E402
from mendpix.training.export import export_network, model_facts  # noqa: E402
from mendpix.weights.convert.isnet import read_isnet  # noqa: E402

GOLDEN = Path(__file__).parents[1] / "golden"


def small(**sizes) -> IsnetGenerator:
    torch.manual_seed(0)
    return IsnetGenerator(IsnetConfig(**{"base_channels": 2, "residual_blocks": 1, **sizes})).eval()


def inputs(height=32, width=48):
    random = torch.Generator().manual_seed(1)
    hole = torch.zeros(1, 1, height, width)
    hole[..., 8:20, 10:30] = 1
    return torch.rand(1, 3, height, width, generator=random), hole


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        (isnet_published(), 24_774_307),
        (IsnetConfig(residual_blocks=3), 23_152_291),
        (IsnetConfig(residual_blocks=2), 21_530_275),
        (IsnetConfig(residual_blocks=1), 19_908_259),
        (isnet_base(), 16_517_763),  # 15.75 x 2^20, as Table 1 has it
        (isnet_base_fusion(), 14_610_083),  # 13.93 x 2^20
    ],
)
def test_sizes_of_the_papers_tables(config, parameters):
    with without_numbers():
        assert sum(parameter.numel() for parameter in IsnetGenerator(config).parameters()) == parameters


def test_the_u_net_like_rival_is_as_large_as_the_paper_says():
    with without_numbers():
        network = IsnetUnetGenerator(IsnetUnetConfig())
    assert f"{sum(parameter.numel() for parameter in network.parameters()) / 2**20:.2f}" == "23.27"


def test_the_reference_goes_through_the_importer(tmp_path):
    with np.load(GOLDEN / "isnet-generator-1.npz") as file:
        meta, expected = json.loads(str(file["meta"])), file["output_0"]
    shapes = {name: tuple(shape) for name, shape in meta["shapes"].items()}
    assert shapes == generator_shapes(32, 4)  # what the other tests make their files of
    state = {name: torch.from_numpy(value) for name, value in fill.weights(shapes, meta["seed"]).items()}
    torch.save({"generator": state, "epoch": 3}, tmp_path / "InpaintingModel_gen.pth")
    network = read_isnet(tmp_path / "InpaintingModel_gen.pth").networks["generator"]
    image = torch.from_numpy(fill.picture(meta["seed"], (1, 3, 64, 96)))
    with torch.no_grad():
        found = network(image, torch.from_numpy(fill.hole(64, 96))).numpy()
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


def test_it_is_not_told_where_the_hole_is():
    """A black picture is a black picture, hole or not: that is how the paper feeds it."""
    network, (image, hole) = small(), inputs()
    black = image * (1 - hole)
    with torch.no_grad():
        assert torch.equal(network(image, hole), network(black, torch.zeros_like(hole)))


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"sub_pixel": False, "final_fusion": False},
        {"sub_pixel": False, "last_factor": 3},
        {"base_channels": 4, "residual_blocks": 0, "last_factor": 8},
    ],
)
def test_every_configuration_runs(sizes):
    image, hole = inputs()
    network = small(**sizes)
    found = network(image, hole)
    assert found.shape == image.shape
    found.mean().backward()
    assert network.stem.shortcut.weight.grad.abs().sum() > 0
    low = network.stages[3].low_join.parametrizations.weight.original.grad
    assert (low is None) == (not network.config.final_fusion)  # as in the paper's count, which holds what is not used


def test_every_kernel_but_the_shortcut_is_under_spectral_norm():
    network = small()
    names = [name for name, module in network.named_modules() if isinstance(module, torch.nn.Conv2d)]
    free = [name for name in names if not hasattr(network.get_submodule(name), "parametrizations")]
    assert free == ["stem.shortcut"]
    biased = [name for name in names if network.get_submodule(name).bias is not None]
    assert biased == ["mix", "head"]
    with torch.no_grad():
        for _ in range(60):  # the directions settle in training
            network.train()(*inputs())
    for name in names:
        if name != "stem.shortcut":
            largest = torch.linalg.matrix_norm(network.get_submodule(name).weight.flatten(1), 2)
            assert abs(float(largest.detach()) - 1) < 0.05, name


def test_precision_facts():
    network = small()
    image, hole = inputs()
    with torch.no_grad():
        exact = network(image, hole)
        for dtype in (torch.bfloat16, torch.float16):
            rough = small().to(dtype)(image.to(dtype), hole.to(dtype)).float()
            assert (rough - exact).abs().max() < 0.02
        double = small().double()(image.double(), hole.double())
        assert (double.float() - exact).abs().max() < 1e-5
        with torch.autocast("cpu", torch.bfloat16):
            assert (network.train()(image, hole).float() - exact).abs().max() < 0.05


def test_a_start_of_another_size_computes_the_same():
    image, hole = inputs()
    first, second = small(), small(start_deviation=0.1)
    second.stem.shortcut.load_state_dict(first.stem.shortcut.state_dict())  # the one kernel that is not divided
    with torch.no_grad():
        assert torch.allclose(first(image, hole), second(image, hole), atol=1e-4)


def test_wrong_sizes_and_settings_are_refused():
    network = small()
    for height, width in ((24, 32), (32, 8), (16, 17)):
        with pytest.raises(ShapeError, match="multiples of 16 and at least 16 px"):
            network(torch.rand(1, 3, height, width), torch.zeros(1, 1, height, width))
    with pytest.raises(ShapeError, match="hole must be"):
        network(torch.rand(1, 3, 16, 16), torch.zeros(1, 16, 16))
    with pytest.raises(ShapeError, match="dtype of its image"):
        network(torch.rand(1, 3, 16, 16), torch.zeros(1, 1, 16, 16).double())
    with pytest.raises(ShapeError, match="floats"):
        network(torch.zeros(1, 3, 16, 16, dtype=torch.uint8), torch.zeros(1, 1, 16, 16))
    with pytest.raises(InputError, match="must be a multiple of 16"):
        IsnetConfig(base_channels=2, last_factor=3)
    with pytest.raises(InputError, match="start_deviation above 0"):
        IsnetConfig(start_deviation=0)


@pytest.mark.slow  # `test_table.py` does this for the published form
def test_onnx_is_torch_in_the_bilinear_configurations(tmp_path):
    for sizes in ({"sub_pixel": False, "last_factor": 3}, {"sub_pixel": False, "final_fusion": False}):
        network = small(**sizes)
        report = export_network(network, tmp_path / "isnet.onnx", model_facts("isnet", "generator", network))
        assert report.max_abs_difference < 1e-3  # compared at two sizes
        assert report.facts.multiple_of == 16


def test_the_critics_names_are_the_reference_s():
    with np.load(GOLDEN / "edgeconnect-discriminator-1.npz") as file:
        meta = json.loads(str(file["meta"]))
    assert {name: tuple(shape) for name, shape in meta["shapes"].items()} == discriminator_shapes(64)
