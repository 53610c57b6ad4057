import math

import torch

from mendpix.losses.adversarial import (
    ADVERSARIAL,
    adversarial_discriminator,
    adversarial_generator,
    hinge_discriminator,
    hinge_generator,
    least_squares_discriminator,
    least_squares_generator,
)


def test_they_are_the_papers_logarithms():
    torch.manual_seed(0)
    real, fake = torch.randn(2, 1, 5, 5), torch.randn(2, 1, 5, 5)
    photo, prediction = torch.sigmoid(real), torch.sigmoid(fake)
    assert torch.allclose(adversarial_generator(fake), -prediction.log().mean())
    expected = -photo.log().mean() - (1 - prediction).log().mean()
    assert torch.allclose(adversarial_discriminator(real, fake), expected)


def test_a_discriminator_that_cannot_tell_costs_log_two():
    zeros = torch.zeros(3, 1)
    assert math.isclose(adversarial_generator(zeros).item(), math.log(2), rel_tol=1e-6)
    assert math.isclose(adversarial_discriminator(zeros, zeros).item(), 2 * math.log(2), rel_tol=1e-6)


def test_the_generator_still_learns_when_the_discriminator_is_sure():
    """This is what non-saturating means: log(1 - D) would have a vanishing gradient here."""
    logits = torch.full((4,), -20.0, requires_grad=True)
    adversarial_generator(logits).backward()
    assert logits.grad is not None
    assert torch.allclose(logits.grad, torch.full((4,), -0.25), atol=1e-3)


def test_gradients_are_right_and_finite_far_out():
    real = torch.randn(6, dtype=torch.float64, requires_grad=True)
    fake = torch.randn(6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(adversarial_discriminator, (real, fake))
    assert torch.autograd.gradcheck(adversarial_generator, (fake,))
    assert torch.isfinite(adversarial_discriminator(torch.tensor([1e4, -1e4]), torch.tensor([1e4, -1e4])))


def test_hinge_by_hand():
    real, fake = torch.tensor([2.0, 0.0, -1.0]), torch.tensor([-2.0, 0.0, 1.0])
    assert hinge_discriminator(real, fake).item() == 2  # (0 + 1 + 2) / 3 twice
    assert math.isclose(hinge_generator(torch.tensor([1.0, -4.0])).item(), 1.5)
    assert hinge_discriminator(torch.tensor([1.0]), torch.tensor([-1.0])).item() == 0


def test_a_discriminator_learns_nothing_from_what_is_beyond_the_hinge():
    logits = torch.tensor([1.5, 0.5], requires_grad=True)
    hinge_discriminator(logits, torch.zeros(1)).backward()
    assert logits.grad is not None
    assert logits.grad.tolist() == [0.0, -0.5]


def test_least_squares_are_of_probabilities():
    torch.manual_seed(0)
    real, fake = torch.randn(5), torch.randn(5)
    photo, prediction = torch.sigmoid(real), torch.sigmoid(fake)
    assert torch.allclose(least_squares_generator(fake), ((1 - prediction) ** 2).mean())
    assert torch.allclose(least_squares_discriminator(real, fake), ((1 - photo) ** 2).mean() + (prediction**2).mean())
    assert math.isclose(least_squares_discriminator(torch.zeros(2), torch.zeros(2)).item(), 0.5)


def test_gradients_of_the_others_are_right():
    real = torch.randn(6, dtype=torch.float64, requires_grad=True)
    fake = torch.randn(6, dtype=torch.float64, requires_grad=True)
    for pair in (hinge_discriminator, least_squares_discriminator):
        assert torch.autograd.gradcheck(pair, (real, fake))
    for single in (hinge_generator, least_squares_generator):
        assert torch.autograd.gradcheck(single, (fake,))


def test_every_pair_pulls_the_scores_of_predictions_both_ways():
    """What the generator wants of them is what the discriminator does not: signs are right under every name."""
    assert ADVERSARIAL.keys() == {"non-saturating", "least-squares", "hinge"}
    for name, (reward, judge) in ADVERSARIAL.items():
        real, fake = torch.full((3,), 0.1, requires_grad=True), torch.full((3,), 0.2, requires_grad=True)
        (wanted,) = torch.autograd.grad(reward(fake), fake)
        of_real, of_fake = torch.autograd.grad(judge(real, fake), (real, fake))
        assert (wanted < 0).all(), name
        assert (of_fake > 0).all(), name
        assert (of_real < 0).all(), name
