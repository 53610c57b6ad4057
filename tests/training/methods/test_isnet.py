"""One step of ISNet: who learns what, and terms that can be worked out by hand."""

from contextlib import nullcontext

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402 - torch is an extra

from mendpix.errors import InputError  # noqa: E402
from mendpix.networks.table import build_network  # noqa: E402
from mendpix.training.methods.interface import Moment  # noqa: E402
from mendpix.training.methods.isnet import (  # noqa: E402
    ADVERSARIAL_LOSSES,
    IsnetObjective,
    discriminator_loss,
    generator_loss,
    isnet_gradients,
)
from mendpix.training.methods.table import METHODS  # noqa: E402
from mendpix.training.step import TensorBatch  # noqa: E402


class Colours(nn.Module):
    """A backbone that looks at the colours, in full and at half the size."""

    def both(self, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        return [image, image[..., ::2, ::2]], [image[..., ::2, ::2]]


class Grey(nn.Module):
    """A generator whose prediction is one grey that it learns."""

    facts = build_network("isnet", {"base_channels": 1, "residual_blocks": 0}).facts

    def __init__(self, level: float) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.tensor(level))

    def forward(self, image: Tensor, hole: Tensor) -> Tensor:
        return self.level.expand_as(image)


def make_parts() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {
        "generator": build_network("isnet", {"base_channels": 2, "residual_blocks": 1}),
        "discriminator": build_network("patchgan", {"base_channels": 2}),
    }


def make_batch() -> TensorBatch:
    hole = torch.zeros(2, 1, 32, 32)
    hole[:, :, 8:24, 4:20] = 1  # a quarter
    image = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    return TensorBatch(image, hole, torch.empty(2, 0, 32, 32))


def step(parts: dict[str, nn.Module], batch: TensorBatch | None = None, **options: object) -> dict[str, Tensor]:
    moment = Moment(step=0, done=0.5, autocast=nullcontext, backbone=Colours())  # type: ignore[arg-type]
    return isnet_gradients(parts, batch or make_batch(), IsnetObjective(**options), moment)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ADVERSARIAL_LOSSES)
def test_both_networks_get_finite_gradients(kind):
    parts = make_parts()
    values = step(parts, adversarial_loss=kind)
    for part, network in parts.items():
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, f"{part} {name}"
            assert torch.isfinite(parameter.grad).all(), f"{part} {name}"
        assert any(bool(parameter.grad.any()) for parameter in network.parameters())
    assert all(bool(torch.isfinite(value)) and not value.requires_grad for value in values.values())


def test_the_sum_has_the_published_weights():
    values = step(make_parts())
    names = ("l1", "adversarial", "perceptual", "style", "feature_matching")
    weights = (1, 0.1, 0.1, 250, 10)
    expected = sum(weight * float(values[name]) for name, weight in zip(names, weights, strict=True))
    assert float(values["generator"]) == pytest.approx(expected, rel=1e-5)
    assert values.keys() == {*names, "generator", "discriminator"}


def test_terms_by_hand():
    batch = make_batch()
    parts = {**make_parts(), "generator": Grey(0.25)}
    values = step(parts, batch)
    error = (batch.image - 0.25).abs()
    assert float(values["l1"]) == pytest.approx(float(error.mean()) / 0.25, rel=1e-5)  # a quarter is hole
    assert float(step(parts, batch, l1_by_hole=False)["l1"]) == pytest.approx(float(error.mean()), rel=1e-5)
    assert float(values["perceptual"]) == pytest.approx(float(error.mean() + error[..., ::2, ::2].mean()), rel=1e-5)
    rows = batch.image[..., ::2, ::2].flatten(2)
    matrices = (rows @ rows.transpose(1, 2) / (3 * 256) - 0.25**2 / 3).abs()
    assert float(values["style"]) == pytest.approx(float(matrices.mean()), rel=1e-4)


def test_the_discriminator_learns_nothing_from_the_generator_s_loss_nor_the_other_way_round():
    batch, whole, alone = make_batch(), make_parts(), make_parts()
    step(whole, batch)
    step(alone, batch, l1=0.0, adversarial=0.0, perceptual=0.0, style=0.0, feature_matching=0.0)
    pairs = zip(whole["discriminator"].parameters(), alone["discriminator"].parameters(), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one.grad, other.grad)
    assert not any(bool(parameter.grad.any()) for parameter in alone["generator"].parameters())


def test_feature_matching_and_deception_reach_the_generator():
    for name in ("adversarial", "feature_matching"):
        parts = make_parts()
        step(
            parts,
            **{key: float(key == name) for key in ("l1", "adversarial", "perceptual", "style", "feature_matching")},
        )
        assert any(bool(parameter.grad.any()) for parameter in parts["generator"].parameters())


def test_the_paper_s_discriminator_sees_the_prediction_in_the_hole_alone():
    """Eq. 3: with no hole at all it is shown black, whatever is predicted."""
    batch = make_batch()
    batch = TensorBatch(batch.image, torch.zeros_like(batch.hole), batch.fills)
    found = []
    for level in (0.2, 0.9):
        parts = {**make_parts(), "generator": Grey(level)}
        found.append(step(parts, batch, adversarial_loss="hinge-paper", l1_by_hole=False))
    assert float(found[0]["discriminator"]) == float(found[1]["discriminator"])
    parts = {**make_parts(), "generator": Grey(0.9)}
    assert float(step(parts, batch, adversarial_loss="hinge-program")["discriminator"]) != float(
        step({**make_parts(), "generator": Grey(0.2)}, batch, adversarial_loss="hinge-program")["discriminator"]
    )


@pytest.mark.parametrize("kind", ADVERSARIAL_LOSSES)
def test_a_prediction_that_is_the_truth_matches_in_every_feature(kind):
    """Whatever part of it the adversarial term looks at: features of whole pictures are compared."""
    batch, parts = make_batch(), make_parts()
    parts["discriminator"].eval()  # no power iterations, so that all looks at it are alike
    parts["generator"] = Grey(0.0)
    parts["generator"].forward = lambda image, hole: batch.image + parts["generator"].level
    values = step(parts, batch, adversarial_loss=kind)
    assert float(values["feature_matching"]) == pytest.approx(0, abs=1e-6)
    assert float(values["style"]) == pytest.approx(0, abs=1e-6)


def test_the_two_hinge_losses_differ_by_a_constant_a_half_and_what_the_generator_may_gain():
    real, fake = torch.tensor([0.5, 3.0]), torch.tensor([-3.0, 0.5], requires_grad=True)
    paper, program = (discriminator_loss(real, fake, kind) for kind in ("hinge-paper", "hinge-program"))
    assert program.item() == pytest.approx((1 + paper.item()) / 2)
    generator_loss(fake, "hinge-paper").backward()
    assert fake.grad is not None
    assert fake.grad.tolist() == [0.0, -0.5]  # beyond the hinge Eq. 2 gives nothing
    fake.grad = None
    generator_loss(fake, "hinge-program").backward()
    assert fake.grad.tolist() == [-0.5, -0.5]


def test_a_batch_without_holes_stays_finite():
    batch = make_batch()
    values = step(make_parts(), TensorBatch(batch.image, torch.zeros_like(batch.hole), batch.fills))
    assert all(bool(torch.isfinite(value)) for value in values.values())


def test_its_line_in_the_table_and_wrong_options():
    entry = METHODS["isnet"]
    assert entry.networks == {"discriminator": "patchgan"}
    assert entry.backbone
    with pytest.raises(InputError, match="must be one of non-saturating, least-squares, hinge-program, hinge-paper"):
        IsnetObjective(adversarial_loss="hinge")
    with pytest.raises(InputError, match="at least 0"):
        IsnetObjective(style=-1.0)
