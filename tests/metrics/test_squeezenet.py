"""The embedded backbone against a second way of computing it, against torch, its memory, its limits and refusals."""

import threading
from pathlib import Path

import numpy as np
import pytest

from mendpix.errors import ModelError, ShapeError
from mendpix.metrics import squeezenet
from mendpix.metrics.squeezenet import CHANNELS, EMBEDDED, LAYERS, MINIMUM_PX, SqueezeNet

TRAINED = Path(__file__).resolve().parents[2].parent / "shared" / "weights" / "squeezenet_v1.0.npz"


@pytest.fixture(scope="module")
def backbone():
    return SqueezeNet()


@pytest.fixture
def pictures():
    generator = np.random.default_rng(5)
    target = generator.random((45, 38, 3)).astype(np.float32)
    return np.clip(target + 0.2 * generator.standard_normal(target.shape), 0, 1).astype(np.float32), target


@pytest.fixture(scope="module")
def weights():
    """The arrays in the file, by name, as fp32."""
    onnx = pytest.importorskip("onnx")
    arrays = onnx.load(str(EMBEDDED)).graph.initializer
    return {array.name: onnx.numpy_helper.to_array(array) for array in arrays}


def convolve(x, weights, name, *, stride=1, padding=0):
    """A convolution and its ReLU, by sums over windows, double precision."""
    kernel, bias = weights[f"{name}.half"].astype(np.float64), weights[f"{name}.bias"].astype(np.float64)
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2:], axis=(1, 2))[:, ::stride, ::stride]
    return np.maximum(np.einsum("iyxhw,oihw->oyx", windows, kernel, optimize=True) + bias[:, None, None], 0)


def halve(x):
    """The largest of 3 × 3 at every second pixel; windows may hang over the end."""
    height, width = (-(-(size - 3) // 2) * 2 + 3 for size in x.shape[1:])
    room = ((0, 0), (0, height - x.shape[1]), (0, width - x.shape[2]))
    x = np.pad(x, room, constant_values=-np.inf)
    return np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))[:, ::2, ::2].max(axis=(3, 4))


def activations_by_hand(weights, image):
    x = (image.astype(np.float64) - np.array([123, 117, 104]) / 255).transpose(2, 0, 1)
    x = convolve(x, weights, "conv1", stride=2)
    found = {"conv1": x}
    for number in range(2, 10):
        if number in (2, 5, 9):
            x = halve(x)
        squeezed = convolve(x, weights, f"f{number}s")
        sides = [convolve(squeezed, weights, f"f{number}e1"), convolve(squeezed, weights, f"f{number}e3", padding=1)]
        x = np.concatenate(sides)
        found[f"fire{number}"] = x
    return found


def distance_by_hand(first, second):
    layers = []
    for name in LAYERS:
        lengths = [np.linalg.norm(one[name], axis=0) for one in (first, second)]
        ours, theirs = (
            one[name] / np.maximum(length, 1e-30) for one, length in zip((first, second), lengths, strict=True)
        )
        layers.append(((ours - theirs) ** 2).sum(axis=0).mean())
    return np.mean(layers)


@pytest.mark.parametrize("size", [(45, 38), (21, 21), (64, 64), (23, 70)])
def test_activations_and_distance_are_those_of_the_files_own_weights(backbone, weights, size):
    generator = np.random.default_rng(1)
    pictures = [generator.random((*size, 3)).astype(np.float32) for _ in range(2)]
    by_hand = [activations_by_hand(weights, picture) for picture in pictures]
    found = backbone.activations(pictures[0])
    assert tuple(found) == LAYERS
    for name in LAYERS:
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], by_hand[0][name], rtol=1e-3, atol=1e-3 * by_hand[0][name].max())
        assert found[name].max() > 0
    pooled = backbone.pooled(pictures[0])
    assert pooled.shape == (CHANNELS,)
    np.testing.assert_allclose(pooled, by_hand[0]["fire9"].mean(axis=(1, 2)), rtol=1e-3, atol=1e-3)
    assert backbone.feature_distance(*pictures) == pytest.approx(distance_by_hand(*by_hand), rel=1e-4)


def test_it_looks_for_the_layers_that_the_torch_backbone_has():
    pytest.importorskip("torch")
    from mendpix import features

    assert LAYERS == features.LAYERS
    assert MINIMUM_PX == features.MINIMUM_PX


@pytest.mark.shared
def test_distances_are_those_of_the_full_weights_in_torch(backbone):
    pytest.importorskip("torch")
    if not TRAINED.exists():
        pytest.skip(f"needs {TRAINED.name}, which is not part of the repository")
    from mendpix.features import SqueezeNetFeatures
    from mendpix.metrics.feature_distance import feature_distance

    data = pytest.importorskip("skimage.data")
    full = SqueezeNetFeatures(TRAINED)
    for photo in (data.astronaut(), data.chelsea(), data.coffee(), data.rocket()):
        target = (photo[20:148, 40:190] / 255).astype(np.float32)
        filled = target.copy()
        filled[50:80, 30:90] = filled[50:80, 30:90].mean(axis=(0, 1))
        for prediction in (filled, target[::-1].copy(), np.clip(target + np.float32(0.01), 0, 1)):
            expected = feature_distance(prediction, target, full)
            assert backbone.feature_distance(prediction, target) == pytest.approx(expected, rel=1e-3, abs=2e-6)


def test_equal_pictures_are_at_distance_zero_and_order_does_not_matter(backbone, pictures):
    prediction, target = pictures
    assert backbone.feature_distance(target, target) == 0
    assert backbone.feature_distance(target.copy(), target) == 0
    there, back = backbone.feature_distance(prediction, target), backbone.feature_distance(target, prediction)
    assert there == pytest.approx(back, rel=1e-5)
    assert 0 < there < 2
    black = np.zeros_like(target)
    assert backbone.feature_distance(black, black) == 0
    assert np.isfinite(backbone.feature_distance(black, target))


def test_more_damage_is_farther(backbone, pictures):
    target = pictures[1]
    noise = np.random.default_rng(1).standard_normal(target.shape).astype(np.float32)
    distances = [backbone.feature_distance(target + scale * noise, target) for scale in (0.01, 0.05, 0.2)]
    assert distances == sorted(distances)
    assert distances[0] < distances[2] / 2


def test_a_picture_that_was_just_seen_is_not_computed_again(backbone, pictures, monkeypatch):
    prediction, target = pictures
    runs = []
    run = backbone._run
    monkeypatch.setattr(backbone, "_run", lambda image, outputs: runs.append(outputs) or run(image, outputs))
    first = backbone.feature_distance(prediction, target)
    runs.clear()
    assert backbone.feature_distance(prediction, target) == first
    assert len(runs) == 1  # the target is known
    pooled = backbone.pooled(prediction), backbone.pooled(target)
    assert len(runs) == 1
    fresh = SqueezeNet()
    assert np.array_equal(pooled[0], fresh.pooled(prediction))
    assert np.array_equal(pooled[1], fresh.pooled(target))


def test_arrays_may_change_and_results_may_be_written_to(backbone, pictures):
    prediction, target = (picture.copy() for picture in pictures)
    before = backbone.feature_distance(prediction, target)
    backbone.pooled(prediction)[:] = 0
    assert backbone.pooled(prediction).max() > 0
    prediction[:], target[:] = target.copy(), prediction.copy()
    assert backbone.feature_distance(prediction, target) == pytest.approx(before, rel=1e-5)
    assert np.array_equal(backbone.pooled(target), SqueezeNet().pooled(target))
    target[:] = prediction
    assert backbone.feature_distance(prediction, target) == 0


def test_large_targets_are_not_kept(monkeypatch, pictures):
    backbone = SqueezeNet()
    monkeypatch.setattr(squeezenet, "KEPT_PX", 45 * 38 - 1)
    value = backbone.feature_distance(*pictures)
    assert backbone._target is None
    monkeypatch.undo()
    assert backbone.feature_distance(*pictures) == value
    assert backbone._target is not None


def test_nothing_is_written_into_the_pictures_and_double_precision_will_do(backbone, pictures):
    for picture in pictures:
        picture.setflags(write=False)
    value = backbone.feature_distance(*pictures)
    assert backbone.feature_distance(*(picture.astype(np.float64) for picture in pictures)) == pytest.approx(value)


def test_threads_share_one_backbone(backbone):
    generator = np.random.default_rng(0)
    pictures = [generator.random((32, 40, 3), dtype=np.float32) for _ in range(6)]
    expected = [SqueezeNet().feature_distance(picture, pictures[0]) for picture in pictures]
    found = {}

    def work(place):
        for _ in range(3):
            for number in range(place, 6, 2):
                found[place, number] = backbone.feature_distance(pictures[number], pictures[0])
                backbone.pooled(pictures[number])

    threads = [threading.Thread(target=work, args=(place,)) for place in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {number: value for (_, number), value in found.items()} == pytest.approx(dict(enumerate(expected)))


def test_more_threads_change_nothing_but_rounding(backbone, pictures):
    assert SqueezeNet(threads=2).feature_distance(*pictures) == pytest.approx(
        backbone.feature_distance(*pictures), rel=1e-5
    )


@pytest.mark.parametrize("shape", [(20, 64, 3), (64, 20, 3), (32, 32), (3, 32, 32), (1, 32, 32, 3)])
def test_other_shapes_are_refused(backbone, shape):
    picture = np.zeros(shape, np.float32)
    with pytest.raises(ShapeError, match=r"image must be .* at least 21"):
        backbone.pooled(picture)
    with pytest.raises(ShapeError):
        backbone.feature_distance(picture, picture)


def test_other_pictures_are_refused(backbone, pictures):
    with pytest.raises(ShapeError, match="got uint8"):
        backbone.activations(np.zeros((32, 32, 3), np.uint8))
    with pytest.raises(ShapeError, match="must both be"):
        backbone.feature_distance(pictures[0], pictures[1][:-1])


def test_bad_files_are_refused_in_words(tmp_path):
    with pytest.raises(ModelError, match="does not exist"):
        SqueezeNet(tmp_path / "none.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelError, match=r"can load; .*broken"):
        SqueezeNet(tmp_path / "broken.onnx")
    with pytest.raises(ModelError, match=r"must have the input image and the outputs conv1.*probability"):
        SqueezeNet(EMBEDDED.with_name("scenes-detector.onnx"))
    with pytest.raises(ModelError, match="threads must be at least 1; got 0"):
        SqueezeNet(threads=0)


def test_its_licence_lies_beside_it():
    assert "Redistributions in binary form must reproduce" in EMBEDDED.with_name("SQUEEZENET-LICENCE").read_text()
    assert EMBEDDED.stat().st_size < 3_000_000
