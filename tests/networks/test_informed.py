"""EPN, IPN and the two together: sizes, masks with values between, gradients to the mask. See also test_table.py."""

import pytest

torch = pytest.importorskip("torch")

from mendpix.errors import InputError, ShapeError  # noqa: E402 - torch is an extra
from mendpix.networks.epn import EpnConfig, EpnNetwork, merge_predicted_edges, whole  # noqa: E402
from mendpix.networks.informed import InformedConfig, InformedGenerator  # noqa: E402
from mendpix.networks.ipn import IpnConfig, IpnCritic, IpnCriticConfig, IpnGenerator  # noqa: E402
from mendpix.networks.table import build_network, without_numbers  # noqa: E402


def made(seed: int = 1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    hole = torch.zeros(1, 1, 32, 40)
    hole[..., 8:20, 8:24] = 0.7
    hole[..., 10:16, 10:16] = 1.0
    hole[..., 24:28] = 0.2
    image = torch.rand(1, 3, 32, 40, generator=random)
    return image, hole, (torch.rand(1, 1, 32, 40, generator=random) > 0.9).float()


def test_full_sizes():
    with without_numbers():
        counts = {
            name: sum(parameter.numel() for parameter in build_network(name).parameters())
            for name in ("epn", "ipn", "informed", "ipn-critic")
        }
    assert counts == {"epn": 10_761_089, "ipn": 4_058_478, "informed": 14_819_567, "ipn-critic": 5_948_416}


def test_edges_where_half_is_destroyed_are_not_seen_and_others_are():
    torch.manual_seed(0)
    network = EpnNetwork(EpnConfig(4, 1)).eval()
    image, hole, edges = made()
    with torch.no_grad():
        expected = network(image, hole, edges)
        hidden = torch.where(hole >= 0.5, 1 - edges, edges)
        assert torch.equal(network(image, hole, hidden), expected)
        other = torch.where(hole == 0.2, 1 - edges, edges)
        assert not torch.equal(network(image, hole, other), expected)


def test_drawn_edges_are_merged_with_known_ones():
    _, hole, edges = made()
    drawn = torch.full_like(edges, 0.5)
    merged = merge_predicted_edges(drawn, edges, hole)
    assert torch.equal(merged, torch.where(hole >= 0.5, drawn, edges))
    assert torch.equal(whole(hole), (hole < 0.5).float())


@pytest.mark.parametrize("kind", ["epn", "ipn"])
def test_the_mask_counts_by_degrees_and_learns(kind: str):
    torch.manual_seed(0)
    network = EpnNetwork(EpnConfig(4, 1)) if kind == "epn" else IpnGenerator(IpnConfig(4))
    image, hole, edges = made()
    hole.requires_grad_(True)
    found = network(image, hole, edges)
    found.square().mean().backward()
    assert hole.grad is not None
    assert hole.grad.isfinite().all()
    assert hole.grad[..., 24:28].any()  # where a little is destroyed, too
    with torch.no_grad():
        assert not torch.equal(network(image, hole * 0.9, edges), found)
        gone = torch.where(hole == 1, 1 - image, image)
        torch.testing.assert_close(network(gone, hole, edges), found)  # nothing is left of those pixels
        worn = torch.where(hole == 0.7, 1 - image, image)
        assert not torch.allclose(network(worn, hole, edges), found)  # something is left of these


def test_the_pair_finds_the_edges_of_what_is_left():
    torch.manual_seed(0)
    network = InformedGenerator(InformedConfig(4, 1, 4)).eval()
    image, hole, _ = made()
    with torch.no_grad():
        found = network(image, hole)
        assert found.shape == image.shape
        gone = torch.where(hole == 1, 1 - image, image)
        assert torch.equal(network(gone, hole), found)


def test_stages_are_coarse_then_fine():
    torch.manual_seed(0)
    network = IpnGenerator(IpnConfig(4)).eval()
    given = made()
    with torch.no_grad():
        coarse, refined = network.stages(*given)
        assert torch.equal(refined, network(*given))
    assert coarse.shape == refined.shape == given[0].shape
    assert not torch.equal(coarse, refined)


def test_the_critic_sees_picture_mask_and_edges():
    torch.manual_seed(0)
    critic = IpnCritic(IpnCriticConfig(4)).eval()
    given = [part.requires_grad_(True) for part in made()]
    scores = critic(*given)
    assert scores.shape == (1, 16, 1, 1)
    scores.square().sum().backward()
    assert all(part.grad is not None and part.grad.any() for part in given)
    with pytest.raises(ShapeError, match="edges must be"):
        critic(given[0], given[1], given[2][..., 1:])


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"edge_channels": 0}, "base_channels"),
        ({"fill_width": 1}, "width must be at least 2"),
        ({"edges_sigma": 0.0}, "edges_sigma"),
    ],
)
def test_sizes_that_make_no_sense(sizes, words):
    with pytest.raises(InputError, match=words):
        InformedConfig(**sizes)
    with pytest.raises(InputError, match="base_channels must be at least 1"):
        IpnCriticConfig(0)
