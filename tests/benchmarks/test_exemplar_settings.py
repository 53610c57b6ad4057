import numpy as np
from PIL import Image

import exemplar_settings
from mendpix.exemplar import fill, search
from mendpix.metrics.squeezenet import SqueezeNet


def test_settings_are_changed_and_put_back():
    before = search.POSITION_LIMIT, fill.ROUNDS
    with exemplar_settings.changed("search.POSITION_LIMIT=0.7;fill.ROUNDS=1"):
        assert (search.POSITION_LIMIT, fill.ROUNDS) == (0.7, 1)
    assert before[0] == search.POSITION_LIMIT
    assert before[1] == fill.ROUNDS


def test_cases_are_the_same_at_every_run_and_a_perfect_fill_scores_best(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a", "b", "small"):
        size = (100, 300, 3) if name == "small" else (270, 300, 3)
        Image.fromarray(rng.integers(0, 256, size, np.uint8)).save(tmp_path / f"{name}.png")
    chosen = exemplar_settings.cases([str(tmp_path)], 5)
    assert len(chosen) == 2  # one is too small
    for (image, hole), (same, twin) in zip(chosen, exemplar_settings.cases([str(tmp_path)], 5), strict=True):
        assert np.array_equal(image, same)
        assert np.array_equal(hole, twin)
    row = exemplar_settings.measure("perfect", lambda image, hole: image, chosen, SqueezeNet())
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:4] == ["perfect", "100.00", "0.0", "0"]
