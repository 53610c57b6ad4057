import numpy as np
import pytest

import mendpix
from fake_engines import Copier, FakeEngine, facts
from mendpix.engines.finished import PoissonEngine
from mendpix.errors import InputError
from mendpix.inference.opened import OpenModels


def slopes(height: int = 120, width: int = 160) -> np.ndarray:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([0.2 + x / 400, 0.3 + y / 300, 0.6 - x / 500], 2).astype(np.float32)


def test_an_engine_that_is_off_by_a_shift_is_put_right_in_every_window():
    # Facts like a network's: windows of 96 px, holes beyond 40 px coarse to fine.
    dark = FakeEngine(lambda image, hole, guide, call: slopes_like(image) - 0.1, facts(inputs=("image", "hole")))

    def slopes_like(image: np.ndarray) -> np.ndarray:
        return np.where(dark.holes[-1][..., None] > 0, np.float32(0.4), image)

    image = np.full((120, 160, 3), 0.4, np.float32)
    hole = np.zeros((120, 160), np.float32)
    hole[20:50, 30:70] = 1
    hole[70:75, 5:150] = 1
    plain = mendpix.Inpainter(dark, detector=None)(image, hole).prediction
    finished = mendpix.Inpainter(dark, detector=None, finish="poisson")(image, hole).prediction
    assert np.abs(plain - image)[hole > 0].min() > 0.09
    np.testing.assert_allclose(finished, image, atol=1e-3)
    assert (finished[hole == 0] == image[hole == 0]).all()


def test_facts_pass_through_and_engines_are_wrapped_once():
    engine = FakeEngine(lambda image, *_: image, facts())
    models = OpenModels(finish="poisson")
    assert models.open(engine) is models.open(engine)
    assert models.open(engine).facts is engine.facts
    assert isinstance(models.open("harmonic"), PoissonEngine)
    assert OpenModels().open(engine) is engine


def test_what_is_copied_stays_and_what_must_not_be_copied_is_passed_on():
    copier = Copier()
    image, hole = slopes(), np.zeros((120, 160), np.float32)
    hole[40:60, 60:90] = 1
    banned = np.zeros_like(hole)
    banned[:30] = 1
    found = PoissonEngine(copier).fill(image, hole, None, banned)
    assert found.shape == image.shape
    assert copier.excluded[-1] is not None


@pytest.mark.parametrize("model", ["harmonic", "telea"])
def test_classical_fills_are_not_changed(model: str):
    image, hole = slopes(), np.zeros((120, 160), np.float32)
    hole[40:60, 60:90] = 1
    plain = mendpix.inpaint(image, hole, model=model, detector=None).prediction
    finished = mendpix.inpaint(image, hole, model=model, detector=None, finish="poisson").prediction
    np.testing.assert_allclose(finished, plain, atol=1e-6)


def test_an_unknown_finish_is_refused():
    with pytest.raises(InputError, match="finish must be one of none, poisson; got 'telea'"):
        mendpix.Inpainter("harmonic", detector=None, finish="telea")  # type: ignore[arg-type]
