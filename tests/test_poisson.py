import numpy as np
import pytest

from mendpix.errors import ShapeError
from mendpix.poisson import poisson_finish


def scene(height: int = 48, width: int = 64) -> np.ndarray:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([0.5 + 0.2 * np.sin(x / 9 + c) * np.cos(y / (6 + c)) for c in range(3)], 2).astype(np.float32)


def holes(height: int = 48, width: int = 64) -> np.ndarray:
    made = np.zeros((height, width), np.float32)
    made[10:30, 12:40] = 1
    made[20:44, 30:36] = 1
    made[36:40, 50:56] = 1
    return made


def solved(image: np.ndarray, prediction: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Solve Poisson's equation directly: the prediction's Laplacian in the hole, the picture at its border."""
    sparse = pytest.importorskip("scipy.sparse")
    from scipy.sparse.linalg import spsolve

    inside = [tuple(place) for place in np.argwhere(hole > 0)]
    number = {place: index for index, place in enumerate(inside)}
    matrix = sparse.lil_matrix((len(inside), len(inside)))
    right = np.zeros((len(inside), 3))
    for (y, x), index in number.items():
        for place in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if not (0 <= place[0] < hole.shape[0] and 0 <= place[1] < hole.shape[1]):
                continue  # free at the picture's edge
            matrix[index, index] += 1
            right[index] += prediction[y, x] - prediction[place]
            if place in number:
                matrix[index, number[place]] -= 1
            else:
                right[index] += image[place]
    result = image.astype(np.float64)
    result[hole > 0] = spsolve(matrix.tocsr(), right)
    return result


@pytest.mark.parametrize("at_the_edge", [False, True])
def test_it_is_the_solution_of_poissons_equation(at_the_edge: bool):
    image, hole = scene(), holes()
    if at_the_edge:
        hole[:, :20] = 0
        hole[15:35, :18] = 1
        hole[40:, 44:] = 1
    y, x = np.mgrid[:48, :64].astype(np.float32)
    off = 0.1 + 0.08 * np.sin(x / 14) * np.cos(y / 17)
    prediction = (0.9 * image + off[..., None] + 0.02 * np.sin(3 * x)[..., None]).astype(np.float32)
    found = poisson_finish(image, prediction, hole)
    assert np.abs(prediction - image)[hole > 0].max() > 0.1
    assert np.abs(found - solved(image, prediction, hole)).max() < 0.002


def test_a_shift_that_is_even_or_rises_evenly_is_taken_off():
    image, hole = scene(), holes()
    y, x = np.mgrid[:48, :64].astype(np.float32)
    for off in (np.full_like(x, 0.2), 0.002 * x - 0.003 * y):
        found = poisson_finish(image, image + off[..., None], hole)
        np.testing.assert_allclose(found, image, atol=0.002)


def test_a_prediction_that_meets_the_picture_stays_as_it_is():
    image, hole = scene(), holes()
    prediction = image.copy()
    prediction[hole > 0] = np.random.default_rng(0).random((int(hole.sum()), 3)).astype(np.float32)
    np.testing.assert_allclose(poisson_finish(image, prediction, hole), prediction, atol=1e-6)


def test_known_pixels_stay_bit_for_bit_and_nothing_is_written_to():
    image, hole = scene(), holes()
    prediction = np.clip(image + 0.3, 0, 1)
    before = [array.copy() for array in (image, prediction, hole)]
    found = poisson_finish(image, prediction, hole)
    assert found.dtype == np.float32
    assert (found[hole == 0] == image[hole == 0]).all()
    assert 0 <= found.min() <= found.max() <= 1
    assert all((array == old).all() for array, old in zip((image, prediction, hole), before, strict=True))


def test_what_lies_under_the_hole_has_no_influence():
    image, hole = scene(), holes()
    other = np.where(hole[..., None] > 0, np.float32(7), image)
    prediction = image * 0.8
    assert (poisson_finish(image, prediction, hole) == poisson_finish(other, prediction, hole)).all()


def test_without_a_known_pixel_the_prediction_comes_back():
    image = scene()
    found = poisson_finish(image, image + 0.9, np.ones((48, 64), np.float32))
    assert (found == np.clip(image + 0.9, 0, 1)).all()


def test_without_a_hole_the_picture_comes_back():
    image = scene()
    assert (poisson_finish(image, image * 0, np.zeros((48, 64), np.float32)) == image).all()


def test_sizes_that_differ_are_refused():
    image, hole = scene(), holes()
    with pytest.raises(ShapeError, match="of one size"):
        poisson_finish(image, image[:-1], hole)
    with pytest.raises(ShapeError, match="of one size"):
        poisson_finish(image, image, hole[:, :-1])
