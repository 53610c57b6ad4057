"""SqueezeNet with small random weights, against a second way of computing it; the trained weights where they are."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
F = torch.nn.functional

from backbones import write_small_squeezenet  # noqa: E402 - after the skip above
from mendpix.errors import ModelError, ShapeError  # noqa: E402
from mendpix.features import LAYERS, MINIMUM_PX, SqueezeNetFeatures  # noqa: E402

TRAINED = Path(__file__).resolve().parents[1].parent / "shared" / "weights" / "squeezenet_v1.0.npz"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return write_small_squeezenet(tmp_path_factory.mktemp("backbone") / "small.npz")


@pytest.fixture
def image():
    return torch.rand(2, 3, 45, 38, generator=torch.Generator().manual_seed(3))


def as_published(path, image):
    """Compute the activations from the file's arrays as its description says, with BGR from 0 to 255."""
    arrays = {name: torch.from_numpy(array) for name, array in np.load(path).items()}
    means = torch.tensor([104.0, 117.0, 123.0]).view(1, 3, 1, 1)
    x = F.relu(F.conv2d(image[:, [2, 1, 0]] * 255 - means, arrays["conv1.w"], arrays["conv1.b"], stride=2))
    found = {"conv1": x}
    for number in range(2, 10):
        if number in (2, 5, 9):
            x = F.max_pool2d(x, 3, 2, ceil_mode=True)
        name = f"f{number}"
        x = F.relu(F.conv2d(x, arrays[f"{name}s.w"], arrays[f"{name}s.b"]))
        left = F.relu(F.conv2d(x, arrays[f"{name}e1.w"], arrays[f"{name}e1.b"]))
        right = F.relu(F.conv2d(x, arrays[f"{name}e3.w"], arrays[f"{name}e3.b"], padding=1))
        x = torch.cat((left, right), 1)
        found[f"fire{number}"] = x
    return found


def test_activations_are_those_of_the_description(weights, image):
    found, expected = SqueezeNetFeatures(weights)(image), as_published(weights, image)
    assert tuple(found) == LAYERS
    for name in LAYERS:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=1e-5)
        assert expected[name].max() > 0


@pytest.mark.parametrize("last", LAYERS)
def test_stops_at_the_last_layer_and_needs_no_later_arrays(tmp_path, image, last):
    later = [f"f{name[-1]}{part}.{kind}" for name in LAYERS[1:] for part in ("s", "e1", "e3") for kind in "wb"]
    later = [name for name in later if int(name[1]) > int(last[-1])]
    path = write_small_squeezenet(tmp_path / "cut.npz", without=later)
    found = SqueezeNetFeatures(path, last=last)(image)
    assert tuple(found) == LAYERS[: LAYERS.index(last) + 1]
    assert len(found) == len(SqueezeNetFeatures(path, last=last).layers)


def test_gradients_reach_the_image_and_no_weight_learns(weights, image):
    features = SqueezeNetFeatures(weights)
    image.requires_grad_()
    sum(activation.mean() for activation in features(image).values()).backward()
    assert image.grad is not None
    assert torch.isfinite(image.grad).all()
    assert (image.grad != 0).float().mean() > 0.5
    assert not any(parameter.requires_grad for parameter in features.parameters())


def test_bfloat16_autocast_and_channels_last_stay_close(weights, image):
    features = SqueezeNetFeatures(weights)
    exact = features(image)
    features = features.to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        rough = features(image.to(memory_format=torch.channels_last))
    for name in LAYERS:
        assert rough[name].dtype is torch.bfloat16
        assert (rough[name].float() - exact[name]).abs().mean() < 0.02 * exact[name].abs().mean()


def test_minimum_is_the_smallest_size_that_works(weights):
    features = SqueezeNetFeatures(weights)
    assert min(features(torch.rand(1, 3, MINIMUM_PX, MINIMUM_PX))["fire9"].shape) >= 1
    with pytest.raises(ShapeError, match="at least 21"):
        features(torch.rand(1, 3, MINIMUM_PX - 1, 64))


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 1, 32, 32), (1, 32, 32, 3)])
def test_other_shapes_are_refused(weights, shape):
    with pytest.raises(ShapeError, match=r"must be \(B, 3, H, W\)"):
        SqueezeNetFeatures(weights)(torch.rand(shape))


def test_unknown_layers_and_bad_files_are_refused_in_words(tmp_path, weights):
    with pytest.raises(ModelError, match="last layer must be one of conv1, fire2"):
        SqueezeNetFeatures(weights, last="conv10")
    with pytest.raises(ModelError, match="does not exist"):
        SqueezeNetFeatures(tmp_path / "none.npz")
    for content in (b"no archive", b"PK\x03\x04 torn", b""):
        (tmp_path / "broken.npz").write_bytes(content)
        with pytest.raises(ModelError, match="readable"):
            SqueezeNetFeatures(tmp_path / "broken.npz")
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(ModelError, match="readable"):
        SqueezeNetFeatures(tmp_path / "one.npy")
    with pytest.raises(ModelError, match=r"must hold the array 'f6e3\.w'"):
        SqueezeNetFeatures(write_small_squeezenet(tmp_path / "hole.npz", without=["f6e3.w"]))


@pytest.mark.shared
def test_trained_weights_see_a_cat():
    if not TRAINED.exists():
        pytest.skip(f"needs {TRAINED.name}, which is not part of the repository")
    chelsea = pytest.importorskip("skimage.data").chelsea()[:227, 100:327]
    image = torch.from_numpy(chelsea.copy()).permute(2, 0, 1)[None].float() / 255
    arrays = np.load(TRAINED)
    scores = F.conv2d(
        SqueezeNetFeatures(TRAINED)(image)["fire9"],
        torch.from_numpy(arrays["conv10.w"]),
        torch.from_numpy(arrays["conv10.b"]),
    )
    best = F.relu(scores).mean((2, 3)).argsort(descending=True)[0, :3].tolist()
    assert set(best) <= {281, 282, 283, 284, 285}  # ImageNet's house cats
