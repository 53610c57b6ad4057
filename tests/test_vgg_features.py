"""VGG with small random weights, against torchvision's order of layers written out; files good and bad."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
F = torch.nn.functional

from backbones import vgg_arrays  # noqa: E402 - after the skip above
from mendpix.errors import ModelError, ShapeError  # noqa: E402
from mendpix.features import VggFeatures  # noqa: E402

# What stands at each place of torchvision's `features`: a convolution with its ReLU, or a maximum.
ORDER = {16: "cc cc ccc ccc ccc", 19: "cc cc cccc cccc cccc"}


@pytest.fixture
def image():
    return torch.rand(2, 3, 35, 32, generator=torch.Generator().manual_seed(3))


def save(path, arrays):
    torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, path)
    return path


def as_published(arrays, depth, image):
    """Run torchvision's sequence and keep what comes out of every ReLU and every maximum, by its place."""
    x, place, found = image, 0, {}
    for block in ORDER[depth].split():
        for _ in block:
            weight, bias = (torch.from_numpy(arrays[f"features.{place}.{kind}"]) for kind in ("weight", "bias"))
            x = found[place + 1] = F.relu(F.conv2d(x, weight, bias, padding=1))
            place += 2
        x = found[place] = F.max_pool2d(x, 2)
        place += 1
    return found


@pytest.mark.parametrize(
    ("depth", "places"),
    [
        (19, {"relu1_1": 1, "relu2_1": 6, "relu2_2": 8, "relu3_4": 17, "relu4_1": 20, "relu4_4": 26, "relu5_2": 31}),
        (16, {"pool1": 4, "pool2": 9, "pool3": 16, "relu5_3": 29, "pool5": 30}),
    ],
)
def test_layers_are_those_of_torchvisions_sequence(tmp_path, image, depth, places):
    arrays = vgg_arrays(depth)
    features = VggFeatures(save(tmp_path / "vgg.pth", arrays), depth, list(places))
    found, expected = features(image), as_published(arrays, depth, image)
    assert list(found) == list(places)
    for name, place in places.items():
        torch.testing.assert_close(found[name], expected[place], rtol=1e-4, atol=1e-5)
        assert expected[place].max() > 0


def test_it_normalises_if_asked(tmp_path, image):
    path = save(tmp_path / "vgg.pth", vgg_arrays(16))
    mean, deviation = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    found = VggFeatures(path, 16, ["pool2"], normalise=True)(image)["pool2"]
    plain = VggFeatures(path, 16, ["pool2"])
    torch.testing.assert_close(found, plain((image - mean) / deviation)["pool2"])
    assert not torch.allclose(found, plain(image)["pool2"])


def test_an_npz_file_is_as_good_and_later_arrays_are_not_needed(tmp_path, image):
    arrays = vgg_arrays(19)
    early = {name: array for name, array in arrays.items() if int(name.split(".")[1]) < 9}
    np.savez(tmp_path / "early.npz", **early)
    found = VggFeatures(tmp_path / "early.npz", 19, ["relu2_2"])(image)["relu2_2"]
    torch.testing.assert_close(found, as_published(arrays, 19, image)[8], rtol=1e-4, atol=1e-5)


def test_gradients_reach_the_image_and_no_weight_learns(tmp_path, image):
    features = VggFeatures(save(tmp_path / "vgg.pth", vgg_arrays(16)), 16, ["relu1_1", "pool3"])
    image.requires_grad_()
    sum(layer.mean() for layer in features(image).values()).backward()
    assert torch.isfinite(image.grad).all()
    assert image.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in features.parameters())


def test_what_is_no_vgg_is_refused(tmp_path, image):
    arrays = vgg_arrays(16)
    path = save(tmp_path / "vgg.pth", arrays)
    with pytest.raises(ModelError, match=r"relu1_1 to relu5_3 or pool1 to pool5, at least one; got relu3_4"):
        VggFeatures(path, 16, ["relu3_4"])
    with pytest.raises(ModelError, match="got none"):
        VggFeatures(path, 16, [])
    with pytest.raises(ModelError, match="16 or 19"):
        VggFeatures(path, 13, ["relu1_1"])
    with pytest.raises(ModelError, match="does not exist"):
        VggFeatures(tmp_path / "none.pth", 16, ["relu1_1"])
    (tmp_path / "torn.pth").write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ModelError, match="whole file of tensors"):
        VggFeatures(tmp_path / "torn.pth", 16, ["relu1_1"])
    with pytest.raises(ModelError, match=r"must hold the array 'features\.2\.bias'"):
        VggFeatures(
            save(tmp_path / "hole.pth", {**arrays, "features.2.bias": arrays["features.0.weight"]}), 16, ["pool1"]
        )
    for name, wrong in (("features.2.bias", np.zeros(3)), ("features.2.weight", np.zeros((2, 5, 3, 3)))):
        with pytest.raises(ModelError, match=rf"must hold the array '{name}' of shape \(2"):
            VggFeatures(save(tmp_path / "wrong.pth", {**arrays, name: wrong.astype(np.float32)}), 16, ["pool1"])
    with pytest.raises(ShapeError, match="at least 8"):
        VggFeatures(path, 16, ["pool3"])(image[..., :7])


@pytest.mark.parametrize(("depth", "other"), [(16, 19), (19, 16)])
def test_the_other_depth_is_refused_even_where_names_agree(tmp_path, depth, other):
    """VGG-16 and VGG-19 are alike in names and shapes as far as the third block's third convolution."""
    path = save(tmp_path / "vgg.pth", vgg_arrays(other))
    with pytest.raises(ModelError, match=f"must be of VGG-{depth}, which has no array 'features"):
        VggFeatures(path, depth, ["relu3_3"])


class Trap:
    def __reduce__(self):
        return (open, ("sprung", "w"))


def test_a_pickle_that_runs_something_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"features.0.weight": Trap()}, "trap.pth")
    with pytest.raises(ModelError, match="whole file of tensors"):
        VggFeatures("trap.pth", 16, ["relu1_1"])
    assert not (tmp_path / "sprung").exists()
