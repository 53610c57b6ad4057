from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import mendpix  # noqa: E402 - torch is an extra
from mendpix.errors import CheckpointError  # noqa: E402
from mendpix.networks.table import build_network  # noqa: E402
from mendpix.weights.network_file import save_network_file  # noqa: E402

SMALL = {"base_channels": 2, "residual_blocks": 1}


@pytest.fixture
def gdn() -> torch.nn.Module:
    torch.manual_seed(0)
    return build_network("gdn", SMALL).eval()


def test_the_generator_comes_back_and_predicts_the_same(gdn, tmp_path: Path) -> None:
    path = tmp_path / "gdn.safetensors"
    detector = build_network("gdn-detector", {"base_channels": 2})
    save_network_file(
        path, {"generator": gdn, "detector": detector}, {"generator": "gdn", "detector": "gdn-detector"}, {}
    )
    found = mendpix.load_network(str(path))
    assert type(found) is type(gdn)
    assert not found.training
    image, hole = torch.rand(1, 3, 16, 24), torch.zeros(1, 1, 16, 24)
    with torch.no_grad():
        assert torch.equal(found(image, hole), gdn(image, hole))
    assert type(mendpix.load_network(path, "detector")) is type(detector)


def test_a_file_with_one_network_needs_no_part(tmp_path: Path) -> None:
    path = tmp_path / "rival.safetensors"
    rival = build_network("patchgan", {"base_channels": 2})
    save_network_file(path, {"discriminator": rival}, {"discriminator": "patchgan"}, {})
    assert type(mendpix.load_network(path)) is type(rival)


def test_what_is_not_there_is_said(gdn, tmp_path: Path) -> None:
    path = tmp_path / "gdn.safetensors"
    save_network_file(path, {"generator": gdn}, {"generator": "gdn"}, {})
    with pytest.raises(CheckpointError, match="must hold a detector; it holds generator"):
        mendpix.load_network(path, "detector")
    with pytest.raises(CheckpointError, match="is not there"):
        mendpix.load_network(tmp_path / "nothing.safetensors")
