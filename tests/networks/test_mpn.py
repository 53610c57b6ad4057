"""MPN: size, work, what it sees, and the form that runs without torch. The contract of all is in test_table.py."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402 - torch is an extra

from mendpix.errors import InputError, ShapeError  # noqa: E402
from mendpix.networks.mpn import MpnConfig, MpnNetwork, whole_mask  # noqa: E402
from mendpix.networks.table import without_numbers  # noqa: E402

SMALL = MpnConfig(widths=(8, 8, 8, 8, 16), blocks=(1, 1, 1, 1), return_blocks=(1, 1, 1, 1))


def test_the_shipped_size_keeps_to_its_limits():
    with without_numbers():
        network = MpnNetwork()
        image = torch.empty(1, 3, 256, 256)
        with FlopCounterMode(display=False) as counter:
            network(image)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    assert parameters == 1_354_669
    assert 2 * parameters <= 4e6  # bytes of fp16
    assert counter.get_total_flops() / 2 <= 3e9


def test_the_papers_form_has_one_mask():
    network = MpnNetwork(MpnConfig(kinds=1)).eval()
    with torch.no_grad():
        found = network(torch.rand(2, 3, 32, 48))
    assert found.shape == (2, 1, 32, 48)
    assert float(found.mean()) < 0.1  # an untaught network takes pictures for whole


def test_probabilities_are_those_of_the_logits():
    network, image = MpnNetwork(SMALL).eval(), torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(network(image), torch.sigmoid(network.logits(image)))


def test_one_pixel_can_be_told_from_its_neighbours():
    """Work at half resolution must not smear: a gradient for one pixel of the mask differs from its neighbour's."""
    torch.manual_seed(0)
    network = MpnNetwork(SMALL).eval()
    torch.nn.init.normal_(network.head.weight, std=0.2)
    image = torch.rand(1, 3, 32, 32, requires_grad=True)
    logits = network.logits(image)
    grads = [torch.autograd.grad(logits[0, 0, 16, column], image, retain_graph=True)[0] for column in (16, 17)]
    assert not torch.allclose(grads[0], grads[1], atol=1e-3)


@pytest.mark.parametrize(("widths", "step"), [((8,), 1), ((8, 8), 2), ((8, 8, 8, 8, 8, 8), 32)])
def test_the_number_of_widths_decides_the_sizes(widths, step):
    levels = (1,) * (len(widths) - 1)
    network = MpnNetwork(MpnConfig(kinds=2, widths=widths, blocks=levels, return_blocks=levels)).eval()
    assert network.facts.multiple_of == network.facts.minimum == step
    assert MpnNetwork.facts.multiple_of == 16
    with torch.no_grad():
        assert network(torch.rand(1, 3, step, 3 * step)).shape == (1, 2, step, 3 * step)
    with pytest.raises(ShapeError):
        network(torch.rand(1, 3, 3 * step // 2 if step > 1 else 0, step))


def test_masks_of_all_kinds_keep_what_every_kind_leaves():
    destroyed = torch.tensor([[0.0, 0.5, 1.0], [0.0, 0.5, 0.25]]).T[None, :, :, None].permute(0, 2, 1, 3)
    assert whole_mask(destroyed).flatten().tolist() == [0.0, 0.75, 1.0]


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"kinds": 0}, "must be at least 1"),
        ({"widths": ()}, "one width or more"),
        ({"widths": (8, 0), "blocks": (1,), "return_blocks": (1,)}, "must be at least 1"),
        ({"dilations": (0,)}, "must be at least 1"),
        ({"blocks": (1, 2)}, "blocks must give a number"),
        ({"return_blocks": (1, 2, -1)}, "return_blocks must give a number"),
    ],
)
def test_sizes_that_make_no_sense(sizes, words):
    with pytest.raises(InputError, match=words):
        MpnConfig(**sizes)


@pytest.mark.slow
def test_the_file_takes_any_size_and_equals_torch(tmp_path: Path):
    onnxruntime = pytest.importorskip("onnxruntime")
    export = pytest.importorskip("mendpix.training.export")
    torch.manual_seed(0)
    network = MpnNetwork(SMALL).eval()
    torch.nn.init.normal_(network.head.weight, std=0.3)
    facts = export.model_facts("finder", "damage", network, (0.4, 0.6, 0.5, 0.2, 0.3))
    export.export_network(network, tmp_path / "finder.onnx", facts)
    assert facts.kinds == ("wear", "stains", "text", "watermark", "noise")
    assert facts.thresholds == (0.4, 0.6, 0.5, 0.2, 0.3)
    session = onnxruntime.InferenceSession(tmp_path / "finder.onnx")
    for height, width in ((16, 16), (16, 80), (128, 48), (208, 304)):
        image = torch.rand(1, 3, height, width)
        (found,) = session.run(["damage"], {"image": image.numpy()})
        assert found.shape == (1, 5, height, width)
        with torch.no_grad():
            assert np.abs(found - network(image).numpy()).max() < 0.01
