import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import mendpix
from mendpix.engines.interface import FACTS_KEY, Facts
from mendpix.errors import CheckpointError, OutputError
from mendpix.networks.table import build_network
from mendpix.training.calibrate import Calibration, fit
from mendpix.training.checkpoint import load_network, read_record
from mendpix.training.config import Recipe
from mendpix.training.export import export_network, export_run, pack_run, without_parametrizations
from mendpix.training.loop import train
from mendpix.weights.network_file import save_network_file


@pytest.fixture
def run(tiny: Callable[..., Recipe], tmp_path: Path) -> Path:
    train(tiny(steps=6), tmp_path / "run")
    return tmp_path / "run"


def test_generator_and_detector_run_without_torch_at_any_size(run: Path, tmp_path: Path):
    report = export_run(run, tmp_path / "g.onnx", "generator")
    assert report.max_abs_difference < 0.01
    assert report.size_bytes == (tmp_path / "g.onnx").stat().st_size
    model = onnx.load(tmp_path / "g.onnx")
    large = [t for t in model.graph.initializer if np.prod(t.dims) >= 64]
    assert large
    assert {tensor.data_type for tensor in large} <= {onnx.TensorProto.FLOAT16, onnx.TensorProto.INT64}
    facts = Facts.from_json({entry.key: entry.value for entry in model.metadata_props}[FACTS_KEY])
    assert (facts.kind, facts.multiple_of, facts.inputs) == ("generator", 8, ("image", "hole", "fills"))
    session = onnxruntime.InferenceSession(tmp_path / "g.onnx")
    network = load_network(run, "generator")
    for height, width in ((64, 72), (72, 200)):
        image, hole = torch.rand(1, 3, height, width), torch.zeros(1, 1, height, width)
        hole[..., 5:30, 9:33] = 1
        fills = torch.rand(1, 6, height, width)
        feed = {"image": image.numpy(), "hole": hole.numpy(), "fills": fills.numpy()}
        found = session.run(["prediction"], feed)[0]
        with torch.no_grad():
            assert np.abs(network(image, hole, fills).numpy() - found).max() < 0.01

    report = export_run(run, tmp_path / "d.onnx", "detector")
    calibration = Calibration(**read_record(run / "checkpoints" / "step-00000006")["calibration"])
    probability = onnxruntime.InferenceSession(tmp_path / "d.onnx").run(["probability"], {"image": feed["image"]})[0]
    with torch.no_grad():
        logits = load_network(run, "detector")(image)
    expected = torch.sigmoid(calibration.scale * (logits[:, 1:] - logits[:, :1]) + calibration.bias).numpy()
    assert np.abs(expected - probability).max() < 0.01
    metadata = {entry.key: entry.value for entry in onnx.load(tmp_path / "d.onnx").metadata_props}
    assert json.loads(metadata[FACTS_KEY])["step"] == 6


def test_export_says_what_is_missing(tmp_path: Path, run: Path):
    with pytest.raises(CheckpointError, match="it is none"):
        export_run(tmp_path, tmp_path / "x.onnx")
    with pytest.raises(OutputError):
        export_run(run, tmp_path / "missing" / "x.onnx")
    newest = run / "checkpoints" / "step-00000006" / "generator.safetensors"
    newest.write_bytes(newest.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="whole safetensors file"):
        export_run(run, tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()


def test_a_run_becomes_a_network_file_that_gives_its_networks_back(run: Path, tmp_path: Path):
    out = tmp_path / "own.safetensors"
    assert set(pack_run(run, out)) == {"generator", "detector"}
    for part in ("generator", "detector"):
        kept, again = load_network(run, part).state_dict(), mendpix.load_network(out, part).state_dict()
        assert kept.keys() == again.keys()
        assert all(torch.equal(kept[key], again[key]) for key in kept)
    with pytest.raises(CheckpointError, match="neither"):
        pack_run(tmp_path, out)


@pytest.mark.slow
def test_a_network_file_is_exported_under_its_own_name(tmp_path: Path):
    torch.manual_seed(0)
    networks = {
        "generator": build_network("gdn", {"base_channels": 4, "residual_blocks": 1}).eval(),
        "detector": build_network("gdn-detector", {"base_channels": 4}).eval(),
    }
    file = tmp_path / "mine.safetensors"
    save_network_file(file, networks, {"generator": "gdn", "detector": "gdn-detector"}, {"file": "log-99"})
    image, hole = torch.rand(1, 3, 60, 72), torch.zeros(1, 1, 60, 72)
    hole[..., 20:40, 10:50] = 1
    with torch.no_grad():
        filled, logits = networks["generator"](image, hole), networks["detector"](image)
    expected = {"generator": filled.numpy(), "detector": logits.softmax(1)[:, 1:].numpy()}  # not calibrated
    for part, name in (("generator", "mine"), ("detector", "mine-detector")):
        report = export_run(file, tmp_path / f"{part}.onnx", part)
        assert (report.facts.name, report.facts.kind, report.facts.multiple_of) == (name, part, 4)
        session = onnxruntime.InferenceSession(tmp_path / f"{part}.onnx")
        feed = {"image": image.numpy(), "hole": hole.numpy()}
        found = session.run(None, {key: feed[key] for key in report.facts.inputs})[0]
        assert np.abs(found - expected[part]).max() < 0.02
        metadata = {entry.key: entry.value for entry in onnx.load(tmp_path / f"{part}.onnx").metadata_props}
        assert json.loads(metadata[FACTS_KEY])["source"] == {"file": "log-99"}


def test_a_network_file_that_is_no_use_is_one_sentence(tmp_path: Path):
    with pytest.raises(CheckpointError, match="is not there"):
        export_run(tmp_path / "none.safetensors", tmp_path / "x.onnx")
    detector = build_network("gdn-detector", {"base_channels": 4})
    save_network_file(tmp_path / "d.safetensors", {"detector": detector}, {"detector": "gdn-detector"}, {})
    with pytest.raises(CheckpointError, match="must hold a generator; it holds detector"):
        export_run(tmp_path / "d.safetensors", tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()


@pytest.mark.slow
def test_a_network_that_gives_no_numbers_is_not_exported(tmp_path: Path):
    network = build_network("scenes-detector", {"width_half": 4, "width_quarter": 4, "width_eighth": 4}).eval()
    torch.nn.init.constant_(network.head.bias, float("nan"))
    facts = Facts(name="x", kind="detector", multiple_of=8, minimum=64, inputs=("image",))
    with pytest.raises(CheckpointError, match="off by nan"):
        export_network(network, tmp_path / "x.onnx", facts)
    assert not list(tmp_path.iterdir())


def test_a_plain_copy_leaves_the_network_under_its_spectral_norm():
    network = torch.nn.Sequential(torch.nn.utils.parametrizations.spectral_norm(torch.nn.Conv2d(3, 4, 3))).eval()
    image = torch.rand(1, 3, 8, 8)
    before = network(image)
    plain = without_parametrizations(network)
    assert not torch.nn.utils.parametrize.is_parametrized(plain[0])
    assert torch.nn.utils.parametrize.is_parametrized(network[0])
    torch.testing.assert_close(plain(image), before)
    torch.testing.assert_close(network(image), before)


def test_calibration_finds_the_true_numbers():
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 2, 40_000)
    labels = (rng.random(40_000) < 1 / (1 + np.exp(-(0.6 * scores - 1.2)))).astype(np.float32)
    found = fit(scores, labels)
    assert found.scale == pytest.approx(0.6, abs=0.05)
    assert found.bias == pytest.approx(-1.2, abs=0.05)


def test_calibration_stays_neutral_without_evidence():
    assert fit(np.arange(5.0), np.zeros(5)) == Calibration()
    assert fit(np.arange(50.0), (np.arange(50) < 25).astype(float)) == Calibration()  # the wrong way round
