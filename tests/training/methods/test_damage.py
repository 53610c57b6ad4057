"""One step of the mask network."""

from contextlib import nullcontext

import pytest

torch = pytest.importorskip("torch")

from mendpix.errors import InputError, RecipeError  # noqa: E402 - torch is an extra
from mendpix.networks.mpn import MpnConfig, MpnNetwork  # noqa: E402
from mendpix.training.methods.damage import DamageMethod, damage_sum, damage_terms, gradients  # noqa: E402
from mendpix.training.methods.interface import Moment  # noqa: E402
from mendpix.training.step import TensorBatch  # noqa: E402

MOMENT = Moment(step=0, done=0.0, autocast=nullcontext)


def make_network(kinds: int = 4) -> MpnNetwork:
    torch.manual_seed(0)
    return MpnNetwork(MpnConfig(kinds, widths=(8, 8), blocks=(1,), return_blocks=(1,)))


def make_batch(kinds: int = 4) -> TensorBatch:
    random = torch.Generator().manual_seed(1)
    image, nothing = torch.rand(3, 3, 16, 16, generator=random), torch.empty(3, 0, 16, 16)
    destroyed = torch.zeros(3, kinds, 16, 16)
    destroyed[0, 0, 4:8] = 1
    destroyed[1, kinds - 1, :, 5:9] = 0.3
    hole = 1 - (1 - destroyed).prod(1, keepdim=True)
    damaged = torch.where(hole > 0, 1 - image, image)
    return TensorBatch(image, hole, nothing, nothing, damaged, destroyed)


def test_the_sum_is_that_of_the_weights_and_reaches_every_parameter():
    network = make_network()
    values = gradients({"damage": network}, make_batch(), DamageMethod(), MOMENT)
    assert values.keys() == {"cross_entropy", "overlap", "kind_overlap", "clean", "clean_worst", "damage"}
    expected = 5 * values["cross_entropy"] + 0.5 * values["overlap"] + 0.5 * values["kind_overlap"] + values["clean"]
    torch.testing.assert_close(values["damage"], expected)
    assert all(not value.requires_grad and value.isfinite() for value in values.values())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_the_truth_costs_nothing():
    batch = make_batch()
    logits = torch.logit(batch.destroyed.clamp(1e-6, 1 - 1e-6))
    assert float(damage_sum(DamageMethod(), damage_terms(logits, batch))) < 1e-3


def test_one_mask_is_compared_with_that_of_all_kinds():
    batch = make_batch()
    logits = torch.logit(batch.hole.clamp(1e-6, 1 - 1e-6))
    assert float(damage_sum(DamageMethod(), damage_terms(logits, batch))) < 1e-3
    gradients({"damage": make_network(1)}, batch, DamageMethod(), MOMENT)


def test_marks_on_clean_pictures_have_a_price_of_their_own():
    batch, logits = make_batch(), torch.full((3, 4, 16, 16), -2.0)
    quiet = logits.clone()
    quiet[2] = -8  # the clean one
    loud, hushed = damage_terms(logits, batch), damage_terms(quiet, batch)
    assert loud["clean"] > 0.3
    assert hushed["clean"] < 0.01


def test_a_few_steps_learn_to_find_bars():
    torch.manual_seed(0)
    network, batch = make_network(), make_batch()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(60):
        losses.append(float(gradients({"damage": network}, batch, DamageMethod(), MOMENT)["damage"]))
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < 0.3 * losses[0]


def test_batches_without_damage_and_other_kinds_are_refused():
    batch = make_batch()
    plain = TensorBatch(batch.image, batch.hole, batch.fills)
    with pytest.raises(RecipeError, match="the batches have none"):
        gradients({"damage": make_network()}, plain, DamageMethod(), MOMENT)
    with pytest.raises(RecipeError, match=r"must be 4, as many as there are of damage, or 1 .*; got 3"):
        gradients({"damage": make_network(3)}, batch, DamageMethod(), MOMENT)


@pytest.mark.parametrize("name", ["cross_entropy", "overlap", "kind_overlap", "clean"])
@pytest.mark.parametrize("value", [-1.0, float("inf"), float("nan")])
def test_weights_are_numbers(name, value):
    with pytest.raises(InputError, match=f"{name} must be at least 0 and finite"):
        DamageMethod(**{name: value})


def test_below_full_from_targets_are_the_same_as_at_it():
    batch = make_batch()
    faint = torch.logit((batch.destroyed / 0.3).clamp(1e-6, 1 - 1e-6))  # what is 0.3 destroyed counts as 1
    assert float(damage_sum(DamageMethod(), damage_terms(faint, batch, full_from=0.3))) < 1e-3
    assert float(damage_sum(DamageMethod(), damage_terms(faint, batch))) > 0.1
    with pytest.raises(InputError, match="full_from must be above 0 and at most 1"):
        DamageMethod(full_from=0.0)
