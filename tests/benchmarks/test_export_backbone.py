"""The file of the embedded backbone: made the same at every run, and the same network as the arrays it is made from."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
torch = pytest.importorskip("torch")

import export_backbone  # noqa: E402 - after the skips above
from backbones import write_small_squeezenet  # noqa: E402
from mendpix.features import SqueezeNetFeatures  # noqa: E402
from mendpix.metrics.feature_distance import feature_distance  # noqa: E402
from mendpix.metrics.squeezenet import EMBEDDED, SqueezeNet  # noqa: E402

TRAINED = Path(__file__).resolve().parents[2].parent / "shared" / "weights" / "squeezenet_v1.0.npz"


def export(source, target, monkeypatch):
    monkeypatch.setattr("sys.argv", ["export_backbone.py", str(source), "-o", str(target)])
    export_backbone.main()
    return target


def test_the_file_is_the_network_of_its_arrays(tmp_path, monkeypatch, capsys):
    source = write_small_squeezenet(tmp_path / "small.npz")
    made = export(source, tmp_path / "small.onnx", monkeypatch)
    assert hashlib.sha256(made.read_bytes()).hexdigest() in capsys.readouterr().out
    generator = np.random.default_rng(0)
    target = generator.random((40, 52, 3)).astype(np.float32)
    prediction = np.clip(target + 0.1 * generator.standard_normal(target.shape), 0, 1).astype(np.float32)
    expected = feature_distance(prediction, target, SqueezeNetFeatures(source))
    assert SqueezeNet(made).feature_distance(prediction, target) == pytest.approx(expected, rel=5e-3)


def test_the_same_arrays_give_the_same_bytes_and_their_hash(tmp_path, monkeypatch):
    source = write_small_squeezenet(tmp_path / "small.npz")
    first, second = (export(source, tmp_path / name, monkeypatch).read_bytes() for name in ("a.onnx", "b.onnx"))
    assert first == second
    metadata = {entry.key: entry.value for entry in onnx.load_from_string(first).metadata_props}
    assert metadata["mendpix.source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()


@pytest.mark.shared
def test_the_embedded_file_holds_the_trained_weights_rounded_once():
    if not TRAINED.exists():
        pytest.skip(f"needs {TRAINED.name}, which is not part of the repository")
    model = onnx.load(str(EMBEDDED))
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata["mendpix.source_sha256"] == hashlib.sha256(TRAINED.read_bytes()).hexdigest()
    arrays = dict(np.load(TRAINED))
    made = export_backbone.build(arrays, metadata)
    kept = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    again = {one.name: onnx.numpy_helper.to_array(one) for one in made.graph.initializer}
    assert kept.keys() == again.keys()
    assert all(np.array_equal(kept[name], again[name]) for name in kept)
    assert model.graph.node == made.graph.node
