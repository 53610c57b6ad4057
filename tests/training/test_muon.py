import pytest
import torch

from mendpix.training.muon import Muon, orthogonalise


@pytest.mark.parametrize("shape", [(8, 40), (40, 8), (16, 16)])
def test_singular_values_become_about_one(shape: tuple[int, int]):
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalise(torch.randn(shape) * 37).float())
    assert values.min() > 0.4
    assert values.max() < 1.4


def test_direction_is_that_of_the_nearest_orthogonal_matrix():
    torch.manual_seed(1)
    matrix = torch.randn(6, 30)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    exact = left @ right
    found = orthogonalise(matrix).float()
    assert torch.nn.functional.cosine_similarity(found.flatten(), exact.flatten(), 0) > 0.97


def test_it_fits_a_convolution_and_leaves_unused_kernels_alone():
    torch.manual_seed(2)
    wanted, learnt, unused = torch.nn.Conv2d(3, 8, 3), torch.nn.Conv2d(3, 8, 3), torch.nn.Conv2d(2, 2, 1)
    before = unused.weight.detach().clone()
    optimizer = Muon([learnt.weight, unused.weight], lr=0.1)
    losses = []
    for step in range(60):
        for group in optimizer.param_groups:
            group["lr"] = 0.1 * (1 - step / 60)
        x = torch.randn(4, 3, 12, 12)
        difference = torch.nn.functional.conv2d(x, learnt.weight - wanted.weight.detach())
        loss = difference.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.05 * losses[0]
    assert torch.equal(before, unused.weight)
