import math

import torch

from mendpix.losses.adversarial import adversarial_discriminator, adversarial_generator


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
