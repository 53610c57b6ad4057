"""One step of EdgeConnect in each of its phases."""

from contextlib import nullcontext

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402 - torch is an extra

from mendpix.errors import InputError, RecipeError  # noqa: E402
from mendpix.networks.table import build_network  # noqa: E402
from mendpix.training.methods.edgeconnect import (  # noqa: E402
    EdgeConnectMethodConfig,
    edgeconnect_gradients,
    edgeconnect_rate,
    find_phase,
    weighted_sum,
)
from mendpix.training.methods.interface import Moment  # noqa: E402
from mendpix.training.methods.table import METHODS, method_options  # noqa: E402
from mendpix.training.step import TensorBatch  # noqa: E402

EDGE, TRUE, PREDICTED, JOINT = 0.1, 0.5, 0.8, 0.95
"""A moment of each phase, with the default shares."""


class Plain(nn.Module):
    """A backbone that looks at the colours, and at half of them for style."""

    def perceptual(self, image: Tensor) -> list[Tensor]:
        return [image, image[..., ::2, ::2]]

    def style(self, image: Tensor) -> list[Tensor]:
        return [image[..., ::2, ::2]]


def make_parts() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    sizes = {"edge_channels": 2, "inpaint_channels": 2, "edge_blocks": 1, "inpaint_blocks": 1}
    return {
        "generator": build_network("edgeconnect", sizes),
        "edge_discriminator": build_network("patchgan", {"in_channels": 2, "base_channels": 2}),
        "discriminator": build_network("patchgan", {"base_channels": 2}),
    }


def make_batch() -> TensorBatch:
    random = torch.Generator().manual_seed(1)
    hole = torch.zeros(2, 1, 32, 32)
    hole[:, :, 8:24, 4:20] = 1
    edges = (torch.rand(2, 1, 32, 32, generator=random) > 0.8).float()
    return TensorBatch(torch.rand(2, 3, 32, 32, generator=random), hole, torch.empty(2, 0, 32, 32), edges)


def moment(done: float) -> Moment:
    return Moment(step=0, done=done, autocast=nullcontext, backbone=Plain())


def step(done: float, parts: dict[str, nn.Module] | None = None, batch: TensorBatch | None = None, **options: object):
    """Take one step; return the parts with their gradients, and the numbers."""
    parts = parts or make_parts()
    values = edgeconnect_gradients(parts, batch or make_batch(), EdgeConnectMethodConfig(**options), moment(done))  # type: ignore[arg-type]
    return parts, values


def learnt(parts: dict[str, nn.Module]) -> set[str]:
    """Name what got gradients: all of it, all finite."""
    halves = {
        "edge": parts["generator"].edge, "inpaint": parts["generator"].inpaint,
        "edge_discriminator": parts["edge_discriminator"], "discriminator": parts["discriminator"],
    }  # fmt: skip
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
        (EDGE, {"edge", "edge_discriminator"}),
        (TRUE, {"inpaint", "discriminator"}),
        (PREDICTED, {"inpaint", "discriminator"}),
        (JOINT, {"edge", "edge_discriminator", "inpaint", "discriminator"}),
    ],
)
def test_who_learns_in_which_phase(done, expected):
    parts, values = step(done)
    assert learnt(parts) == expected
    assert {name for name in values if "discriminator" in name} == expected & {"edge_discriminator", "discriminator"}
    assert all(value.ndim == 0 and value.isfinite() and not value.requires_grad for value in values.values())


def test_without_the_edge_critic_the_fill_still_teaches_the_edges():
    parts, values = step(JOINT, joint_edge_terms=False)
    assert learnt(parts) == {"edge", "inpaint", "discriminator"}
    assert "edge_adversarial" not in values


def test_the_sum_is_that_of_the_published_weights():
    for done in (EDGE, TRUE, JOINT):
        _, values = step(done)
        weights = {
            "edge_adversarial": 1, "edge_feature_matching": 10, "l1": 1, "adversarial": 0.1, "perceptual": 0.1,
            "style": 250,
        }  # fmt: skip
        total = sum(weight * values[name] for name, weight in weights.items() if name in values)
        torch.testing.assert_close(values["generator"], total)


def test_the_l1_counts_the_whole_picture_over_the_share_that_is_missing():
    parts, batch = make_parts(), make_batch()
    with torch.no_grad():
        prediction = parts["generator"].inpaint(batch.image, batch.hole, batch.edges)
    _, values = step(TRUE, parts, batch)
    torch.testing.assert_close(values["l1"], (prediction - batch.image).abs().mean() / (16 * 16 / 32**2))


def know_nothing(critic: nn.Module) -> None:
    """Let a critic score everything 0."""
    critic.conv5.register_forward_hook(lambda module, inputs, scores: 0 * scores)


def test_critics_that_know_nothing_cost_log_two():
    parts = make_parts()
    for name in ("edge_discriminator", "discriminator"):
        know_nothing(parts[name])
    _, values = step(JOINT, parts)
    for name in ("edge_adversarial", "adversarial", "edge_discriminator", "discriminator"):
        torch.testing.assert_close(values[name], torch.tensor(2.0).log(), msg=name)


@pytest.mark.parametrize(("kind", "expected"), [("least-squares", 0.25), ("hinge", 1.0)])
def test_other_adversarial_losses(kind, expected):
    parts = make_parts()
    know_nothing(parts["discriminator"])
    _, values = step(TRUE, parts, adversarial_loss=kind)
    assert float(values["discriminator"]) == pytest.approx(expected)  # half of both terms' sum, all scores 0


def test_the_fill_sees_true_edges_first_and_drawn_ones_later():
    seen: list[Tensor] = []
    parts, batch = make_parts(), make_batch()
    parts["generator"].inpaint.body.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][:, 3:]))
    for done in (TRUE, PREDICTED, JOINT):
        step(done, parts, batch)
    true, predicted, joint = seen
    assert torch.equal(true, batch.edges)
    for drawn in (predicted, joint):
        known = batch.hole == 0
        assert torch.equal(drawn[known], batch.edges[known])
        assert ((drawn > 0) & (drawn < 1))[~known].all()
    assert not predicted.requires_grad
    assert joint.requires_grad


def test_what_lies_under_the_hole_reaches_the_generators_through_the_losses_alone():
    seen: list[Tensor] = []
    parts, batch = make_parts(), make_batch()
    for half in (parts["generator"].edge, parts["generator"].inpaint):
        half.body.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][:, :1].detach()))
    step(JOINT, parts, batch)
    assert all((shown[batch.hole > 0] == 1).all() for shown in seen)


def test_one_backward_pass_serves_both_generators_as_two_would():
    """The gradient of the edge generator in the last phase is that of its own sum plus that of the fill's."""
    own, _ = step(EDGE)
    fill, _ = step(JOINT, joint_edge_terms=False)
    both, _ = step(JOINT)
    for (name, one), other, whole in zip(
        own["generator"].edge.named_parameters(),
        fill["generator"].edge.parameters(),
        both["generator"].edge.parameters(),
        strict=True,
    ):
        torch.testing.assert_close(whole.grad, one.grad + other.grad, rtol=1e-3, atol=1e-6, msg=name)


def test_features_of_a_share_of_the_batch():
    batch = make_batch()
    _, whole = step(TRUE, batch=batch)
    _, half = step(TRUE, batch=batch, feature_share=0.5)
    single = TensorBatch(batch.image[:1], batch.hole[:1], batch.fills[:1], batch.edges[:1])
    _, first = step(TRUE, batch=single)
    for name in ("perceptual", "style"):
        torch.testing.assert_close(half[name], first[name])
        assert half[name] != whole[name]


def test_nothing_missing_is_no_error():
    batch = make_batch()
    for hole in (torch.zeros_like(batch.hole), torch.ones_like(batch.hole)):
        for done in (EDGE, TRUE, PREDICTED, JOINT):
            step(done, batch=TensorBatch(batch.image, hole, batch.fills, batch.edges))


# Phases and rates


def test_phases_follow_each_other():
    config = EdgeConnectMethodConfig(edge_share=0.25, true_edges_share=0.25, predicted_edges_share=0.25)
    assert [find_phase(config, done)[0] for done in (0, 0.2, 0.25, 0.5, 0.75, 1.0)] == [
        "edge", "edge", "true edges", "predicted edges", "joint", "joint",
    ]  # fmt: skip
    assert find_phase(config, 0.375) == ("true edges", 0.5)
    assert find_phase(EdgeConnectMethodConfig(edge_share=0, true_edges_share=1, predicted_edges_share=0), 0.999)[0] == (
        "true edges"
    )


def test_each_phase_ends_slowly_and_the_last_is_slow():
    config = EdgeConnectMethodConfig(edge_share=0.5, true_edges_share=0.25, predicted_edges_share=0.125)
    rates = [edgeconnect_rate(config, "generator", done) for done in (0, 0.34, 0.36, 0.5, 0.7, 0.8, 0.86, 0.9, 1)]
    assert rates == [1, 1, 0.1, 1, 0.1, 1, 0.1, 0.01, 0.01]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"style": -1.0}, "at least 0 and finite"),
        ({"edge_share": 0.9}, "adding up to at most 1"),
        ({"slow_share": 2.0}, "shares must lie"),
        ({"adversarial_loss": "wgan"}, "one of non-saturating, least-squares, hinge; got 'wgan'"),
        ({"feature_share": 0.0}, "feature_share"),
        ({"smoothness": 1.0}, "must be among"),
    ],
)
def test_options_that_make_no_sense(options, words):
    with pytest.raises(RecipeError, match=words):
        method_options("edgeconnect", options)
    if "smoothness" not in options:
        with pytest.raises(InputError, match=words):
            EdgeConnectMethodConfig(**options)


def test_another_generator_or_no_backbone_is_refused():
    parts, batch = make_parts(), make_batch()
    with pytest.raises(RecipeError, match="generator edgeconnect and a backbone"):
        edgeconnect_gradients(parts, batch, EdgeConnectMethodConfig(), Moment(0, TRUE, nullcontext))
    with pytest.raises(RecipeError, match="generator edgeconnect"):
        edgeconnect_gradients({**parts, "generator": nn.Identity()}, batch, EdgeConnectMethodConfig(), moment(TRUE))


def test_its_line_in_the_table():
    entry = METHODS["edgeconnect"]
    assert entry.backbone
    assert entry.networks == {"edge_discriminator": "patchgan", "discriminator": "patchgan"}
    ones = {name: torch.ones(()) for name in ("l1", "adversarial", "perceptual", "style")}
    assert float(weighted_sum(EdgeConnectMethodConfig(), ones)) == pytest.approx(251.2)
