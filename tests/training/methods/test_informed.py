"""One step of the whole pipeline in each of its phases."""

from contextlib import nullcontext
from itertools import pairwise

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 - torch is an extra

from mendpix.errors import InputError, RecipeError  # noqa: E402
from mendpix.networks.table import build_network  # noqa: E402
from mendpix.training.methods.informed import (  # noqa: E402
    InformedMethod,
    find_phase,
    informed_gradients,
    informed_rate,
)
from mendpix.training.methods.interface import Moment  # noqa: E402
from mendpix.training.methods.table import METHODS  # noqa: E402
from mendpix.training.step import TensorBatch  # noqa: E402

MASK, ALONE, JOINT, FILL = 0.1, 0.4, 0.6, 0.9
"""A moment of each phase, with the default shares."""


def make_parts() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    widths = {"widths": (8, 8), "blocks": (1,), "return_blocks": (1,)}
    return {
        "generator": build_network("informed", {"edge_channels": 2, "edge_blocks": 1, "fill_width": 2}),
        "damage": build_network("mpn", {"kinds": 1, **widths}),
        "edge_discriminator": build_network("patchgan", {"in_channels": 2, "base_channels": 2, "instance_norm": True}),
        "discriminator": build_network("ipn-critic", {"base_channels": 2}),
    }


def make_batch() -> TensorBatch:
    random = torch.Generator().manual_seed(1)
    image = torch.rand(2, 3, 32, 32, generator=random)
    destroyed = torch.zeros(2, 4, 32, 32)
    destroyed[0, 0, 8:20, 8:20] = 1
    destroyed[1, 3] = 0.3 * torch.rand(32, 32, generator=random)
    hole = 1 - (1 - destroyed).prod(1, keepdim=True)
    edges = (torch.rand(2, 1, 32, 32, generator=random) > 0.8).float()
    return TensorBatch(image, hole, torch.empty(2, 0, 32, 32), edges, image * (1 - hole) + 0.5 * hole, destroyed)


def step(done: float, batch: TensorBatch | None = None, **options: object):
    """Take one step; return the parts with their gradients, and the numbers."""
    parts = make_parts()
    config = InformedMethod(**options)  # type: ignore[arg-type]
    values = informed_gradients(parts, batch or make_batch(), config, Moment(0, done, nullcontext))
    return parts, values


def learnt(parts: dict[str, nn.Module]) -> set[str]:
    """Name what got gradients: all of it, all finite."""
    halves = {"edge": parts["generator"].edge, "inpaint": parts["generator"].inpaint}
    halves |= {name: parts[name] for name in ("damage", "edge_discriminator", "discriminator")}
    found: set[str] = set()
    for name, network in halves.items():
        gradients = [parameter.grad for parameter in network.parameters()]
        if any(gradient is not None for gradient in gradients):
            assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients), name
            assert any(gradient.any() for gradient in gradients), name
            found.add(name)
    return found


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        (MASK, {"damage"}),
        (ALONE, {"edge", "edge_discriminator"}),
        (JOINT, {"damage", "edge", "edge_discriminator"}),
        (FILL, {"inpaint", "discriminator"}),
    ],
)
def test_who_learns_in_which_phase(done, expected):
    parts, values = step(done)
    assert learnt(parts) == expected
    assert all(value.ndim == 0 and value.isfinite() and not value.requires_grad for value in values.values())
    assert ("generator" in values) == bool(expected & {"edge", "inpaint"})
    assert ("damage" in values) == ("damage" in expected)


def test_the_edges_teach_the_masks_in_the_joint_phase_alone():
    """With no price on the mask itself, what reaches the mask network comes from the edges."""
    parts, _ = step(JOINT, mask=0.0)
    assert any(parameter.grad.any() for parameter in parts["damage"].parameters())
    parts, values = step(JOINT, mask_gradients=False)
    assert learnt(parts) == {"edge", "edge_discriminator"}
    assert "damage" not in values


def test_alone_edges_are_drawn_on_true_masks():
    batch = make_batch()
    moved = TensorBatch(batch.image, batch.hole.flip(3), batch.fills, batch.edges, batch.damaged, batch.destroyed)
    for done, same in ((ALONE, False), (FILL, True)):
        one, other = step(done, batch)[1], step(done, moved)[1]
        assert torch.equal(one["generator"], other["generator"]) == same


def test_sums_are_those_of_the_weights():
    _, values = step(JOINT)
    expected = values["edge_adversarial"] + 10 * values["edge_feature_matching"]
    torch.testing.assert_close(values["generator"], expected)
    _, values = step(FILL, adversarial=0.25)
    expected = 2 * values["coarse"] + 2 * values["refined"] + 0.25 * values["adversarial"]
    torch.testing.assert_close(values["generator"], expected)


def test_phases_follow_their_shares_and_empty_ones_are_skipped():
    names = [find_phase(InformedMethod(), done / 100)[0] for done in range(101)]
    assert [one for one, other in pairwise([*names, ""]) if one != other] == [
        "mask", "edges alone", "edges joint", "fill",
    ]  # fmt: skip
    assert names.count("mask") == 30
    only = InformedMethod(mask_share=0, alone_share=0, joint_share=1)
    assert {find_phase(only, done / 10)[0] for done in range(11)} == {"edges joint"}
    edges = InformedMethod(mask_share=0.6, alone_share=0.3, joint_share=0.1)
    assert find_phase(edges, 1.0) == ("edges joint", 1.0)
    within = [find_phase(InformedMethod(), done)[1] for done in (0.0, 0.15, 0.3)]
    assert within == pytest.approx([0, 0.5, 0])


def test_every_phase_ends_slowly():
    config = InformedMethod()
    rates = [informed_rate(config, "generator", done) for done in (0.0, 0.2, 0.22, 0.31, 0.49, 0.5, 0.99)]
    assert rates == [1, 1, 0.1, 1, 0.1, 1, 0.1]
    assert METHODS["informed"].rate is informed_rate


def test_wrong_parts_and_batches_are_refused():
    parts, batch = make_parts(), make_batch()
    config, moment = InformedMethod(), Moment(0, FILL, nullcontext)
    with pytest.raises(RecipeError, match="must have the generator informed"):
        informed_gradients(parts | {"generator": build_network("ipn", {"width": 2})}, batch, config, moment)
    with pytest.raises(RecipeError, match="the batches have none"):
        informed_gradients(parts, TensorBatch(batch.image, batch.hole, batch.fills, batch.edges), config, moment)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mask": -1.0}, "weights and rates must be"),
        ({"slow_rate": float("nan")}, "weights and rates must be"),
        ({"mask_share": 0.9, "alone_share": 0.2}, "shares must lie"),
        ({"slow_share": 1.5}, "shares must lie"),
        ({"adversarial_loss": "wasserstein"}, "adversarial_loss must be one of"),
    ],
)
def test_options_that_make_no_sense(options, words):
    with pytest.raises(InputError, match=words):
        InformedMethod(**options)
