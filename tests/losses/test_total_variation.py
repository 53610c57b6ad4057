import pytest

torch = pytest.importorskip("torch")

from mendpix.errors import ShapeError  # noqa: E402 - torch is an extra
from mendpix.losses.total_variation import hole_and_seam, total_variation  # noqa: E402


def test_the_numbers_of_a_picture_by_hand() -> None:
    image = torch.tensor([[[[0.0, 1.0, 1.0], [2.0, 2.0, 5.0]]]])
    # In rows: 1, 0, 0, 3 over 4 pairs. In columns: 2, 1, 4 over 3 pairs.
    assert float(total_variation(image)) == pytest.approx(4 / 4 + 7 / 3)


def test_only_pairs_inside_the_region_count() -> None:
    image = torch.tensor([[[[0.0, 1.0, 1.0], [2.0, 2.0, 5.0]]]])
    region = torch.tensor([[[[0.0, 1.0, 1.0], [0.0, 1.0, 1.0]]]])
    assert float(total_variation(image, region)) == pytest.approx(3 / 4 + 5 / 3)
    assert float(total_variation(image, torch.zeros_like(region))) == 0
    assert float(total_variation(image, torch.ones_like(region))) == float(total_variation(image))


def test_a_flat_picture_has_none_and_gradients_are_right() -> None:
    assert float(total_variation(torch.full((2, 3, 4, 4), 0.3))) == 0
    image = torch.rand(1, 2, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    region = (torch.rand(1, 1, 4, 5, generator=torch.Generator().manual_seed(1)) > 0.3).double()
    assert torch.autograd.gradcheck(lambda x: total_variation(x, region), image)


def test_the_hole_grows_by_one_pixel_in_all_directions() -> None:
    hole = torch.zeros(1, 1, 6, 6)
    hole[..., 2, 3] = 1
    expected = torch.zeros(1, 1, 6, 6)
    expected[..., 1:4, 2:5] = 1
    assert torch.equal(hole_and_seam(hole), expected)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match="at least 2 px high and wide"):
        total_variation(torch.zeros(1, 3, 1, 8))
    with pytest.raises(ShapeError, match=r"image must be \(B, C, H, W\)"):
        total_variation(torch.zeros(3, 8, 8))
    with pytest.raises(ShapeError, match=r"region must be \(1, 1, 8, 8\)"):
        total_variation(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8))
