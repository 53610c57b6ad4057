"""EdgeConnect against its published program, and what its two generators promise each other."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from golden import fill  # noqa: E402 - torch is an extra
from mendpix.edges import find_edges  # noqa: E402
from mendpix.errors import InputError, ShapeError  # noqa: E402
from mendpix.networks.edgeconnect import (  # noqa: E402
    EdgeConnect,
    EdgeConnectConfig,
    EdgeGenerator,
    EdgeGeneratorConfig,
    InpaintGenerator,
    InpaintGeneratorConfig,
    grey,
    merge_edges,
)
from mendpix.networks.patchgan import PatchGan, PatchGanConfig  # noqa: E402
from mendpix.networks.table import without_numbers  # noqa: E402
from mendpix.training.export import export_network, model_facts  # noqa: E402
from mendpix.weights.convert.edgeconnect import read_edgeconnect  # noqa: E402

GOLDEN = Path(__file__).parents[1] / "golden"
SMALL = {"edge_channels": 4, "inpaint_channels": 4, "edge_blocks": 1, "inpaint_blocks": 1}


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def make(**changes: object) -> EdgeConnect:
    """Build a small network whose parts all matter."""
    torch.manual_seed(0)
    network = EdgeConnect(EdgeConnectConfig(**{**SMALL, **changes})).eval()
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.1)
    return network


def given(height: int = 32, width: int = 48) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two pictures with different holes, and edges in them and around."""
    image = torch.from_numpy(fill.picture(3, (2, 3, height, width)))
    hole = torch.from_numpy(fill.hole(height, width))
    edges = (torch.from_numpy(fill.picture(4, (2, 1, height, width))) > 0.8).float()
    return image, torch.cat([hole, hole.flip(3)]), edges


def test_published_sizes():
    with without_numbers():
        assert count(EdgeGenerator()) == 10_761_089
        assert count(InpaintGenerator()) == 10_774_595
        assert count(EdgeConnect()) == 10_761_089 + 10_774_595
        assert count(PatchGan(PatchGanConfig(in_channels=2))) == 2_762_752
        assert count(PatchGan()) == 2_763_776


# Against the published program


@pytest.mark.parametrize(
    ("name", "top", "part", "run"),
    [
        ("edge", "generator", "edges", lambda network, planes: network.draw(planes)),
        ("inpaint", "generator", "generator", lambda network, planes: network.paint(planes)),
        ("discriminator", "discriminator", "discriminator", lambda network, planes: network(planes).sigmoid()),
    ],
)
def test_an_imported_network_gives_the_published_output(tmp_path, name, top, part, run):
    with np.load(GOLDEN / f"edgeconnect-{name}-1.npz") as file:
        meta, expected = json.loads(str(file["meta"])), file["output_0"]
    shapes = {key: tuple(shape) for key, shape in meta["shapes"].items()}
    state = {key: torch.from_numpy(value) for key, value in fill.weights(shapes, meta["seed"]).items()}
    torch.save({"iteration": 1, top: state}, tmp_path / "published.pth")
    network = read_edgeconnect(tmp_path / "published.pth").networks[part]
    planes = torch.from_numpy(fill.picture(meta["seed"], (1, int(meta["inputs"][0]), 64, 96)))
    with torch.inference_mode():
        found = run(network, planes).numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


# What the two generators are given


def test_the_edge_generator_sees_grey_with_white_holes_and_no_edges_in_them():
    network, (image, hole, edges) = make().edge, given()
    seen: list[torch.Tensor] = []
    network.body.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        network(image, hole, edges)
    brightness, drawn, third = seen[0].split(1, dim=1)
    inside = hole > 0
    assert torch.equal(third, hole)
    assert (brightness[inside] == 1).all()
    assert (drawn[inside] == 0).all()
    assert torch.equal(drawn[~inside], edges[~inside])
    expected = 0.2125 * image[:, :1] + 0.7154 * image[:, 1:2] + 0.0721 * image[:, 2:]
    torch.testing.assert_close(brightness[~inside], expected[~inside])


@pytest.mark.parametrize("merged", [False, True])
def test_known_edges_are_merged_if_that_is_asked_for(merged):
    network, (image, hole, edges) = make(merge_known_edges=merged), given()
    seen: list[torch.Tensor] = []
    network.inpaint.body.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        network(image, hole, edges)
        drawn = network.edge(image, hole, edges)
    assert ((drawn > 0) & (drawn < 1)).all()
    assert (seen[0][:, :3][hole.expand_as(image) > 0] == 1).all()
    assert torch.equal(seen[0][:, 3:], torch.where(hole > 0, drawn, edges) if merged else drawn)
    torch.testing.assert_close(merge_edges(drawn, edges, hole), torch.where(hole > 0, drawn, edges))


@pytest.mark.parametrize("merged", [False, True])
def test_neither_picture_nor_edges_under_the_hole_are_seen(merged):
    network, (image, hole, edges) = make(merge_known_edges=merged), given()
    with torch.no_grad():
        first = network(image, hole, edges)
        assert torch.equal(first, network(torch.where(hole > 0, 1e4 - image, image), hole, edges))
        assert torch.equal(first, network(image, hole, torch.where(hole > 0, 1 - edges, edges)))
        assert not torch.equal(first, network(image, hole, 1 - edges))


def test_the_inpaint_generator_follows_edges_in_the_hole():
    network, (image, hole, edges) = make().inpaint, given()
    with torch.no_grad():
        first = network(image, hole, edges)
        assert not torch.equal(first, network(image, hole, torch.where(hole > 0, 1 - edges, edges)))


def test_edges_that_are_not_given_are_found():
    network, (image, hole, _) = make(edges_sigma=1.0, merge_known_edges=True), given()
    pictures = image.permute(0, 2, 3, 1).numpy()
    found = [find_edges(picture, 1.0, here) for picture, here in zip(pictures, hole[:, 0].numpy() == 0, strict=True)]
    edges = torch.from_numpy(np.stack(found))[:, None].float()
    assert edges.any()
    with torch.no_grad():
        assert torch.equal(network(image, hole), network(image, hole, edges))
        hidden = torch.where(hole > 0, 1 - image, image)
        assert torch.equal(network(image, hole), network(hidden, hole))


def test_grey_is_that_of_scikit_image():
    skimage = pytest.importorskip("skimage")
    image = fill.picture(5, (1, 3, 8, 9))
    expected = skimage.color.rgb2gray(image[0].transpose(1, 2, 0))
    np.testing.assert_allclose(grey(torch.from_numpy(image))[0, 0].numpy(), expected, atol=1e-6)


# Precision, export, errors


def test_double_precision_agrees():
    network, inputs = make(merge_known_edges=True), given()
    with torch.no_grad():
        expected = network.double()(*(tensor.double() for tensor in inputs))
        found = network.float()(*inputs)
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-4)


def test_autocast_and_gradients():
    network, inputs = make().train(), given()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        prediction = network(*inputs)
    prediction.float().square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


@pytest.mark.slow
def test_the_exported_file_agrees_with_torch_at_two_sizes(tmp_path):
    network = make(merge_known_edges=True)
    report = export_network(network, tmp_path / "small.onnx", model_facts("small", "generator", network))
    assert report.facts.inputs == ("image", "hole", "edges")
    assert report.max_abs_difference < 5e-3


@pytest.mark.parametrize(
    ("which", "change", "words"),
    [
        (0, lambda image: image[:, :1], r"image must be \(B, 3, H, W\)"),
        (0, lambda image: image[..., :46], "multiples of 4 and at least 12 px; got 32 x 46"),
        (0, lambda image: image[..., :8], "got 32 x 8"),
        (0, lambda image: (255 * image).byte(), "floats in .*uint8"),
        (1, lambda hole: hole[:, 0], r"hole must be \(2, 1, 32, 48\)"),
        (1, lambda hole: hole.bool(), "hole must have the dtype"),
        (2, lambda edges: edges[:1], r"edges must be \(2, 1, 32, 48\)"),
        (2, lambda edges: edges > 0, "edges must have the dtype of its image, torch.float32; got torch.bool"),
    ],
)
def test_wrong_inputs_are_refused(which, change, words):
    inputs = list(given())
    inputs[which] = change(inputs[which])
    with pytest.raises(ShapeError, match=words):
        make()(*inputs)


@pytest.mark.parametrize(
    ("config", "sizes"),
    [
        (EdgeGeneratorConfig, {"base_channels": 0}),
        (InpaintGeneratorConfig, {"residual_blocks": -1}),
        (EdgeConnectConfig, {"edge_channels": 0}),
        (EdgeConnectConfig, {"edges_sigma": 0.0}),
    ],
)
def test_sizes_that_make_no_sense(config, sizes):
    with pytest.raises(InputError, match="must be"):
        config(**sizes)
