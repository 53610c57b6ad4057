import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from golden import fill  # noqa: E402 - torch is an extra
from mendpix.errors import InputError, ShapeError  # noqa: E402
from mendpix.networks.contextual_attention import ContextualAttention, shrink  # noqa: E402
from mendpix.networks.deepfill_v2 import (  # noqa: E402
    DeepFillV2Config,
    DeepFillV2Critic,
    DeepFillV2CriticConfig,
    DeepFillV2Generator,
)
from mendpix.weights.convert.deepfill_v2 import read_deepfill_v2  # noqa: E402

GOLDEN = Path(__file__).parents[1] / "golden"


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_published_sizes():
    with torch.device("meta"):
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


# Contextual attention


def test_a_hole_is_filled_with_the_patch_that_fits():
    """A picture of two halves that are alike: what is missing of one is copied from the other."""
    torch.manual_seed(0)
    half = torch.randn(1, 8, 16, 16)
    features = torch.cat([half, half], 3)
    hole = torch.zeros(1, 1, 8, 16)
    hole[:, :, 3:5, 3:5] = 1
    found = ContextualAttention(fuse=False, aligned=False)(features, hole)
    torch.testing.assert_close(found[:, :, 4:12, 4:12], half[:, :, 4:12, 4:12], atol=1e-2, rtol=0)


@pytest.mark.parametrize("fuse", [True, False])
@pytest.mark.parametrize("soft_norm", [True, False])
def test_every_picture_is_matched_with_its_own_hole(fuse, soft_norm):
    torch.manual_seed(0)
    features, hole = torch.randn(2, 4, 16, 24), torch.zeros(2, 1, 8, 12)
    hole[0, :, 2:5, 2:6] = 1
    hole[1, :, 5:, 1:9] = 1
    attention = ContextualAttention(fuse=fuse, soft_norm=soft_norm)
    together = attention(features, hole)
    for index in (0, 1):
        alone = attention(features[index : index + 1], hole[index : index + 1])
        torch.testing.assert_close(together[index : index + 1], alone)
    assert not torch.allclose(together[1:], attention(features[1:], hole[:1]), atol=1e-3)


def test_hole_patches_are_never_copied():
    torch.manual_seed(0)
    features, hole = torch.randn(1, 4, 16, 16), torch.zeros(1, 1, 8, 8)
    hole[:, :, 2:5, 2:5] = 1
    marked = features.clone()
    marked[:, :, 5:9, 5:9] = 1e4  # at the hole's core, seen by no known 3 x 3 window or 4 x 4 patch
    assert ContextualAttention(fuse=False)(marked, hole).abs().max() < 1e3


def test_a_picture_without_known_patches_becomes_zero():
    found = ContextualAttention()(torch.randn(1, 4, 16, 16), torch.ones(1, 1, 8, 8))
    assert not found.any()


def slow_attention(features: torch.Tensor, hole: torch.Tensor, *, fuse: bool) -> torch.Tensor:
    """Say the same one position at a time, for one picture with plain sampling."""
    channels, height, width = features.shape
    rows, columns = height // 2, width // 2
    small = np.pad(features[:, ::2, ::2].numpy(), ((0, 0), (1, 1), (1, 1)))
    mask = np.pad(hole[0].numpy(), 1)
    padded = np.pad(features.numpy(), ((0, 0), (1, 1), (1, 1)))
    places = [(y, x) for y in range(rows) for x in range(columns)]
    windows = [small[:, y : y + 3, x : x + 3].ravel() for y, x in places]
    known = np.array([not mask[y : y + 3, x : x + 3].any() for y, x in places])
    scores = np.array([[f @ b / max(np.linalg.norm(b), 1e-4) for b in windows] for f in windows])

    def fused(matrix: np.ndarray) -> np.ndarray:
        out = matrix.copy()
        out[1:, 1:] += matrix[:-1, :-1]
        out[:-1, :-1] += matrix[1:, 1:]
        return out

    if fuse:
        turn = np.array([y * columns + x for x in range(columns) for y in range(rows)])
        back = np.argsort(turn)
        scores = fused(fused(scores)[np.ix_(turn, turn)])[np.ix_(back, back)]
    powers = np.exp(10 * scores * known - (10 * scores * known).max(1, keepdims=True))
    weights = powers / powers.sum(1, keepdims=True) * known
    whole = np.zeros((channels, height + 2, width + 2))
    for foreground, (y, x) in enumerate(places):
        for background, (v, u) in enumerate(places):
            patch = padded[:, 2 * v : 2 * v + 4, 2 * u : 2 * u + 4]
            whole[:, 2 * y : 2 * y + 4, 2 * x : 2 * x + 4] += weights[foreground, background] * patch
    return torch.from_numpy(whole[:, 1:-1, 1:-1] / 4)


@pytest.mark.parametrize("fuse", [True, False])
def test_attention_says_the_same_as_one_position_at_a_time(fuse):
    torch.manual_seed(1)
    features, hole = 0.3 * torch.randn(3, 8, 12, dtype=torch.float64), torch.zeros(1, 4, 6, dtype=torch.float64)
    hole[:, 1:3, 1:3] = 1
    found = ContextualAttention(fuse=fuse, aligned=False)(features[None], hole[None])
    torch.testing.assert_close(found[0], slow_attention(features, hole, fuse=fuse))


@pytest.mark.parametrize(("count", "factor"), [(2, 2), (8, 2), (9, 4), (32, 8), (33, 2)])
def test_aligned_corners_are_rounded_as_published(count, factor):
    wanted = [int(i * (count * factor - 1) / (count - 1) + 0.5) for i in range(count)]
    row = torch.arange(count * factor, dtype=torch.float32).expand(1, 1, count * factor, -1)
    assert shrink(row, factor, aligned=True)[0, 0, 0].tolist() == wanted
    assert shrink(row, factor, aligned=True).shape == shrink(row, factor, aligned=False).shape == (1, 1, count, count)


# The generator and the critic by themselves


def small(**sizes) -> DeepFillV2Generator:
    torch.manual_seed(0)
    return DeepFillV2Generator(DeepFillV2Config(width=4, **sizes)).eval()


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
