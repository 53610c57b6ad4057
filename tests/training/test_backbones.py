"""Backbones of the published methods: which layers, on which scale, and what a recipe may ask for."""

import pytest

torch = pytest.importorskip("torch")

from backbones import vgg_arrays, write_small_squeezenet  # noqa: E402 - after the skip above
from mendpix.errors import ModelError, RecipeError  # noqa: E402
from mendpix.features import SqueezeNetFeatures, VggFeatures  # noqa: E402
from mendpix.training.backbones import open_backbone  # noqa: E402


@pytest.fixture
def image():
    return torch.rand(2, 3, 64, 48, generator=torch.Generator().manual_seed(3))


def vgg(path, depth):
    torch.save({name: torch.from_numpy(array) for name, array in vgg_arrays(depth).items()}, path)
    return str(path)


def test_edgeconnect_and_isnet_take_five_and_four_layers_of_vgg_19_as_they_are(tmp_path, image):
    path = vgg(tmp_path / "vgg19.pth", 19)
    names = ["relu1_1", "relu2_1", "relu2_2", "relu3_1", "relu3_4", "relu4_1", "relu4_4", "relu5_1", "relu5_2"]
    wanted = VggFeatures(path, 19, names)(image)
    for method in ("edgeconnect", "isnet"):
        backbone = open_backbone("vgg19", path, method)
        perceptual, style = backbone.both(image)
        for found, name in zip(perceptual, ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"], strict=True):
            assert torch.equal(found, wanted[name])
        for found, name in zip(style, ["relu2_2", "relu3_4", "relu4_4", "relu5_2"], strict=True):
            assert torch.equal(found, wanted[name])
        assert all(map(torch.equal, perceptual, backbone.perceptual(image)))
        assert all(map(torch.equal, style, backbone.style(image)))


def test_partial_convolution_takes_three_pools_of_vgg_16_normalised(tmp_path, image):
    path = vgg(tmp_path / "vgg16.pth", 16)
    wanted = VggFeatures(path, 16, ["pool1", "pool2", "pool3"], normalise=True)(image)
    perceptual, style = open_backbone("vgg16", path, "pconv").both(image)
    assert all(map(torch.equal, perceptual, wanted.values()))
    assert all(map(torch.equal, style, wanted.values()))


@pytest.mark.parametrize(("method", "layers"), [("isnet", (5, 4)), ("edgeconnect", (5, 4)), ("pconv", (3, 3))])
def test_squeezenet_stands_in_with_as_many_layers_each_on_its_own_scale(tmp_path, image, method, layers):
    path = write_small_squeezenet(tmp_path / "small.npz")
    backbone = open_backbone("squeezenet", str(path), method)
    perceptual, style = backbone.both(image)
    assert (len(perceptual), len(style)) == layers
    raw = SqueezeNetFeatures(path)(image)
    assert torch.allclose(perceptual[0], raw["conv1"] / 21.3)
    assert torch.allclose(style[-1], raw["fire5"] / 227)
    assert not any(parameter.requires_grad for parameter in backbone.parameters())


def test_what_a_recipe_must_not_ask_for(tmp_path):
    with pytest.raises(RecipeError, match="set backbone_weights"):
        open_backbone("squeezenet", "", "isnet")
    path = vgg(tmp_path / "vgg16.pth", 16)
    with pytest.raises(RecipeError, match="must be vgg19, as in its paper, or squeezenet; got 'vgg16'"):
        open_backbone("vgg16", path, "isnet")
    with pytest.raises(RecipeError, match="must be vgg16"):
        open_backbone("vgg19", path, "pconv")
    with pytest.raises(ModelError, match="does not exist"):
        open_backbone("vgg19", str(tmp_path / "none.pth"), "isnet")
