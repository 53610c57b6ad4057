"""The SqueezeNet feature distance: its definition by a second way, its limits, batches and refusals."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from backbones import write_small_squeezenet  # noqa: E402 - after the skip above
from mendpix.errors import ShapeError  # noqa: E402
from mendpix.features import SqueezeNetFeatures  # noqa: E402
from mendpix.metrics.feature_distance import activation_distance, feature_distance  # noqa: E402


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    return SqueezeNetFeatures(write_small_squeezenet(tmp_path_factory.mktemp("backbone") / "small.npz"))


@pytest.fixture
def pictures():
    generator = np.random.default_rng(5)
    target = generator.random((40, 36, 3)).astype(np.float32)
    return np.clip(target + 0.2 * generator.standard_normal(target.shape), 0, 1).astype(np.float32), target


def test_value_is_that_of_the_definition(backbone, pictures):
    layers = []
    activations = [backbone(torch.from_numpy(picture).permute(2, 0, 1)[None]) for picture in pictures]
    for name in backbone.layers:
        first, second = (found[name][0].numpy().astype(np.float64) for found in activations)
        cosine = (first * second).sum(0) / np.maximum(
            np.linalg.norm(first, axis=0) * np.linalg.norm(second, axis=0), 1e-20
        )
        silent = (np.linalg.norm(first, axis=0) > 0).astype(float) + (np.linalg.norm(second, axis=0) > 0)
        layers.append((silent - 2 * cosine).mean())
    assert feature_distance(*pictures, backbone) == pytest.approx(np.mean(layers), rel=1e-4)


def test_equal_pictures_are_at_distance_zero_and_order_does_not_matter(backbone, pictures):
    prediction, target = pictures
    assert feature_distance(target, target, backbone) == 0
    there, back = feature_distance(prediction, target, backbone), feature_distance(target, prediction, backbone)
    assert there == pytest.approx(back, rel=1e-5)
    assert 0 < there < 2


def test_opposite_directions_are_at_distance_two():
    first = {"a": torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)}
    second = {"a": torch.tensor([0.0, 5.0]).view(1, 2, 1, 1)}
    assert float(activation_distance(first, second)) == pytest.approx(2)
    assert float(activation_distance(first, {"a": 9 * first["a"]})) == 0


def test_more_damage_is_farther(backbone, pictures):
    target = pictures[1]
    noise = np.random.default_rng(1).standard_normal(target.shape).astype(np.float32)
    distances = [feature_distance(target + scale * noise, target, backbone) for scale in (0.01, 0.05, 0.2)]
    assert distances == sorted(distances)
    assert distances[0] < distances[2] / 2


def test_a_batch_gives_each_pair_its_own_distance(backbone, pictures):
    prediction, target = pictures
    batch = torch.from_numpy(np.stack([prediction, target])).permute(0, 3, 1, 2)
    with torch.no_grad():
        against = backbone(batch[1:])
        found = activation_distance(backbone(batch), against)
    assert found.tolist() == pytest.approx([feature_distance(prediction, target, backbone), 0], abs=1e-6)


def test_refusals(backbone, pictures):
    with pytest.raises(ShapeError, match="must both be"):
        feature_distance(pictures[0], pictures[1][:-1], backbone)
    with pytest.raises(ShapeError, match="same layers"):
        activation_distance({"a": torch.zeros(1, 1, 1, 1)}, {})
    with pytest.raises(ShapeError, match="at least 21"):
        feature_distance(np.zeros((20, 20, 3), np.float32), np.zeros((20, 20, 3), np.float32), backbone)
