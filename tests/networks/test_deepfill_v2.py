import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from golden import fill  # noqa: E402 - torch is an extra
from mendpix.errors import InputError, ShapeError  # noqa: E402
from mendpix.networks.deepfill_v2 import (  # noqa: E402
    DeepFillV2Config,
    DeepFillV2Critic,
    DeepFillV2CriticConfig,
    DeepFillV2Generator,
)
from mendpix.networks.table import without_numbers  # noqa: E402
from mendpix.training.export import export_network, model_facts  # noqa: E402
from mendpix.weights.convert.deepfill_v2 import read_deepfill_v2  # noqa: E402

GOLDEN = Path(__file__).parents[1] / "golden"


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_published_sizes():
    with without_numbers():
        assert count(DeepFillV2Generator()) == 4_052_478
        assert count(DeepFillV2Critic()) == 5_946_816


# Against the published program


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Return a generator that went through the importer, its inputs, and what the published program makes of them."""
    with np.load(GOLDEN / "deepfillv2-generator-1.npz") as file:
        meta = json.loads(str(file["meta"]))
        expected = [file["output_0"], file["output_1"]]
    shapes = {name: tuple(shape) for name, shape in meta["shapes"].items()}
    state = {name: torch.from_numpy(value) for name, value in fill.weights(shapes, meta["seed"]).items()}
    path = tmp_path_factory.mktemp("deepfill") / "states_tf.pth"
    torch.save({"G": state}, path)
    height, width = expected[0].shape[2:]
    image = torch.from_numpy(fill.picture(meta["seed"], (1, 3, height, width)))
    return read_deepfill_v2(path).networks["generator"], image, torch.from_numpy(fill.hole(height, width)), expected


def differences(published) -> list[float]:
    network, image, hole, expected = published
    with torch.inference_mode():
        found = network.stages(image, hole)
    return [
        float(np.abs(2 * stage.numpy() - 1 - wanted).max() / np.abs(wanted).max())
        for stage, wanted in zip(found, expected, strict=True)
    ]


def test_both_stages_give_the_published_output(published):
    assert max(differences(published)) < 1e-4


def test_without_fusion_the_second_stage_does_not(published, monkeypatch):
    monkeypatch.setattr(published[0].attention, "fuse", False)
    coarse, refined = differences(published)
    assert coarse < 1e-4 < 1e-2 < refined


def test_with_plain_sampling_the_second_stage_does_not(published, monkeypatch):
    monkeypatch.setattr(published[0].attention, "aligned", False)
    coarse, refined = differences(published)
    assert coarse < 1e-4 < 1e-3 < refined


# The generator and the critic by themselves


def small(**sizes) -> DeepFillV2Generator:
    torch.manual_seed(0)
    return DeepFillV2Generator(DeepFillV2Config(width=4, **sizes)).eval()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_precisions_change_little(dtype):
    network = small()
    image, hole = torch.rand(1, 3, 48, 64), torch.zeros(1, 1, 48, 64)
    hole[:, :, 10:30, 8:40] = 1
    with torch.no_grad():
        exact = network(image, hole)
        other = network.to(dtype)(image.to(dtype), hole.to(dtype))
    assert other.dtype == dtype
    assert (other.float() - exact).abs().max() < 4 * torch.finfo(dtype).eps + 1e-6
    assert exact.std() > 0.01  # or there would be nothing to see


def test_what_lies_under_the_hole_is_not_seen():
    network = small()
    image, hole = torch.rand(1, 3, 48, 64), torch.zeros(1, 1, 48, 64)
    hole[:, :, 10:30, 8:40] = 1
    with torch.no_grad():
        assert torch.equal(network(image, hole), network(image + 1000 * hole, hole))


@pytest.mark.slow
@pytest.mark.parametrize("padding", ["same", "even"])
def test_the_exported_graph_takes_any_size(padding, tmp_path):
    network = small(padding=padding)
    report = export_network(network, tmp_path / "deepfill.onnx", model_facts("deepfill", "generator", network))
    assert report.max_abs_difference < 5e-3  # at two sizes; weights are stored in float16


@pytest.mark.parametrize("padding", ["same", "even"])
def test_autocast_changes_little(padding):
    network = small(padding=padding)
    image, hole = torch.rand(1, 3, 64, 48), torch.zeros(1, 1, 64, 48)
    hole[:, :, 10:40, 8:30] = 1
    with torch.no_grad():
        exact = network(image, hole)
        with torch.autocast("cpu", torch.bfloat16):
            rough = network(image, hole)
    assert 0 < (rough.float() - exact).abs().max() < 0.02


def test_the_critic_looks_at_any_size():
    critic = DeepFillV2Critic(DeepFillV2CriticConfig(base_channels=2))
    for height, width in [(64, 64), (65, 128), (7, 1)]:
        found = critic(torch.rand(2, 3, height, width), torch.zeros(2, 1, height, width))
        assert found.shape == (2, 8, -(-height // 64), -(-width // 64))


def test_wrong_sizes_are_refused():
    with pytest.raises(InputError, match="width must be at least 2; got 1"):
        DeepFillV2Config(width=1)
    with pytest.raises(InputError, match="padding must be one of same, even; got 'valid'"):
        DeepFillV2Config(padding="valid")
    with pytest.raises(InputError, match="base_channels"):
        DeepFillV2CriticConfig(base_channels=0)
    with pytest.raises(ShapeError, match="multiples of 8 and at least 16 px; got 20 x 24"):
        small()(torch.rand(1, 3, 20, 24), torch.zeros(1, 1, 20, 24))
    with pytest.raises(ShapeError, match=r"hole must be \(1, 1, 24, 24\)"):
        small()(torch.rand(1, 3, 24, 24), torch.zeros(1, 24, 24))
    with pytest.raises(ShapeError, match="image must hold floats"):
        small()(torch.zeros(1, 3, 24, 24, dtype=torch.uint8), torch.zeros(1, 1, 24, 24))
    with pytest.raises(ShapeError, match="hole must have the dtype of its image"):
        small()(torch.rand(1, 3, 24, 24), torch.zeros(1, 1, 24, 24).double())
