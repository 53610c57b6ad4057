"""Feature matching: its value by hand, and who learns from it."""

import pytest

torch = pytest.importorskip("torch")

from mendpix.errors import ShapeError  # noqa: E402 - after the skip above
from mendpix.losses.feature_matching import feature_matching  # noqa: E402


def test_it_sums_the_mean_differences_of_all_layers():
    fake = [torch.tensor([1.0, 3.0]), torch.tensor([[2.0]])]
    real = [torch.tensor([2.0, 5.0]), torch.tensor([[-2.0]])]
    assert float(feature_matching(fake, real)) == pytest.approx(1.5 + 4)
    assert float(feature_matching(real, real)) == 0


def test_only_the_prediction_s_side_is_differentiated():
    fake, real = torch.rand(2, 3, requires_grad=True), torch.rand(2, 3, requires_grad=True)
    feature_matching([fake], [real]).backward()
    assert fake.grad is not None
    assert real.grad is None


def test_other_layers_are_refused():
    with pytest.raises(ShapeError, match="same layers"):
        feature_matching([torch.zeros(2)], [torch.zeros(3)])
