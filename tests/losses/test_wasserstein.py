import pytest

torch = pytest.importorskip("torch")

from mendpix.losses.wasserstein import gradient_penalty, wasserstein_critic, wasserstein_generator  # noqa: E402


def test_losses_are_means_of_scores():
    real, fake = torch.tensor([3.0, 1.0]), torch.tensor([[-1.0], [0.0]])
    assert wasserstein_generator(fake).item() == 0.5
    assert wasserstein_critic(real, fake).item() == -2.5


def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand(2, 3, 4, 5), torch.rand(2, 3, 4, 5)


def test_a_linear_critics_slope_is_its_kernel():
    kernel = torch.rand(3, 4, 5, requires_grad=True)
    penalty = gradient_penalty(lambda x: (x * kernel).sum((1, 2, 3)), *pictures(), torch.tensor([0.2, 0.9]))
    torch.testing.assert_close(penalty, (kernel.norm() - 1).square())
    penalty.backward()
    torch.testing.assert_close(kernel.grad, 2 * (kernel.detach().norm() - 1) * kernel.detach() / kernel.detach().norm())


def test_only_the_holes_slope_counts():
    kernel, hole = torch.rand(3, 4, 5), torch.zeros(2, 1, 4, 5)
    hole[0, :, 1:3, 2:] = 1
    hole[1, :, 0] = 1
    penalty = gradient_penalty(lambda x: (x * kernel).sum((1, 2, 3)), *pictures(), torch.rand(2), hole)
    norms = torch.stack([(kernel * part).norm() for part in hole])
    torch.testing.assert_close(penalty, (norms - 1).square().mean())


def test_pictures_between_are_judged():
    real, fake = pictures()
    seen: list[torch.Tensor] = []

    def judge(x: torch.Tensor) -> torch.Tensor:
        seen.append(x.detach())
        return x.square().sum()

    gradient_penalty(judge, real, fake, torch.tensor([0.0, 0.25]))
    torch.testing.assert_close(seen[0], torch.stack([real[0], 0.75 * real[1] + 0.25 * fake[1]]))


def test_a_flat_critic_keeps_gradients_finite():
    weight = torch.zeros((), requires_grad=True)
    penalty = gradient_penalty(lambda x: weight * x.sum(), *pictures(), torch.rand(2))
    penalty.backward()
    assert penalty.item() == pytest.approx(1, abs=1e-5)
    assert torch.isfinite(weight.grad)
