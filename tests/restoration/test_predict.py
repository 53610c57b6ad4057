import tracemalloc

import numpy as np
import pytest

from damage_finders import BrightFinder, light_and_dark_finder
from mendpix.engines.interface import Facts
from mendpix.engines.onnx import OnnxDamageFinder
from mendpix.errors import ModelError
from mendpix.inference.windows import Box
from mendpix.restoration import predict
from mendpix.restoration.predict import find_damage, plan_look

WEAR = {"wear": 0.5}
KINDS = ("wear", "text")
FACTS = Facts("finder", "damage", multiple_of=8, minimum=16, preferred_px=160, context_px=32, kinds=("wear",))


def test_large_pictures_are_looked_at_at_smaller_sizes_too():
    sizes = {
        side: [level.size for level in plan_look((side, side), FACTS).levels] for side in (1, 511, 512, 3000, 6001)
    }
    assert sizes[1] == [(1, 1)]
    assert sizes[511] == [(511, 511)]
    assert sizes[512] == [(512, 512), (256, 256)]
    assert sizes[3000] == [(3000, 3000), (1500, 1500), (750, 750), (375, 375)]
    assert sizes[6001] == [(3001, 3001), (1501, 1501), (751, 751), (376, 376)]  # nothing so fine is looked for


def test_noise_is_looked_for_at_full_size():
    assert [level.size for level in plan_look((6000, 90), FACTS, full_size=True).levels] == [(6000, 90)]


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (9, 7), (170, 333)])
def test_every_size_is_covered_once(size):
    finder = BrightFinder(preferred_px=160, context_px=16)
    image = np.random.default_rng(0).random((*size, 3), np.float32)
    found = find_damage(finder, image, WEAR, plan_look(size, finder.facts))
    assert found.shape == size
    assert np.allclose(found, image.min(axis=2), atol=1e-5)  # windows' weights add up to 1
    assert max(max(tile) for tile in finder.sizes) <= max(160 + 16, 256)


def test_windows_fade_into_each_other():
    class Nervous(BrightFinder):
        """Answers with the number of the call, so that every window says something else."""

        def find(self, image):
            self.sizes.append(image.shape[:2])
            return np.full((*image.shape[:2], 2), 0.2 if len(self.sizes) % 2 else 0.8, np.float32)

    finder = Nervous(preferred_px=256, context_px=64)
    found = find_damage(finder, np.zeros((64, 600, 3), np.float32), WEAR, plan_look((64, 600), finder.facts))
    assert len(finder.sizes) > 2
    assert found.min() == pytest.approx(0.2)
    assert found.max() == pytest.approx(0.8)
    assert np.abs(np.diff(found, axis=1)).max() < 0.6 / predict.FADE_PX


def test_what_is_too_wide_at_full_size_is_found_at_a_smaller_one():
    finder = BrightFinder(preferred_px=512)

    class Narrow(BrightFinder):
        """Sees only what is at most 6 px wide."""

        def find(self, image):
            answer = super().find(image)
            wide = np.cumsum(np.pad(answer, ((0, 0), (7, 0), (0, 0))), axis=1)
            return answer * (wide[:, 7:] - wide[:, :-7] < 6.5)

    image = np.zeros((64, 1600, 3), np.float32)
    image[:, 700:712] = 1
    look = plan_look(image.shape[:2], finder.facts)
    found = find_damage(Narrow(preferred_px=512), image, WEAR, look)
    assert found[32, 700:712].mean() > 0.9
    assert found[32, :690].max() == found[32, 722:].max() == 0


def test_what_only_a_smaller_size_shows_has_to_be_plainer():
    """Every further look is a further chance to be wrong: its answers count for less, those at full size for all."""

    class Sure(BrightFinder):
        """Gives one answer at full size and another one at all others."""

        def __init__(self, here: float, elsewhere: float) -> None:
            super().__init__(preferred_px=1600)
            self.answers = here, elsewhere

        def find(self, image):
            answer = self.answers[0 if image.shape[1] >= 1600 else 1]
            return np.full((*image.shape[:2], 2), answer, np.float32)

    def found(here: float, elsewhere: float, doubt: float) -> float:
        image = np.zeros((16, 1600, 3), np.float32)
        finder = Sure(here, elsewhere)
        (answer,) = np.unique(find_damage(finder, image, WEAR, plan_look((16, 1600), finder.facts), doubt=doubt))
        return float(answer)

    assert found(0.3, 0.9, 0) == pytest.approx(0.9)
    assert found(0.3, 0.9, np.log(9)) == pytest.approx(0.5)  # odds of 9 count as odds of 1, at both smaller sizes
    assert found(0.8, 0.9, 50) == pytest.approx(0.8)
    assert found(0.3, 1, 2) == 1
    assert found(0, 0, 2) == 0


def test_only_the_kinds_that_are_wanted_count():
    image = np.zeros((40, 40, 3), np.float32)
    image[10, 10] = 1  # white: wear
    image[20, 20] = (1, 0, 0)  # red: text
    finder = BrightFinder()
    look = plan_look((40, 40), finder.facts)
    found = [find_damage(finder, image, dict.fromkeys(kinds, 0.5), look) for kinds in (["wear"], ["text"], KINDS)]
    assert [[int(each[10, 10]), int(each[20, 20])] for each in found] == [[1, 0], [0, 1], [1, 1]]


def test_a_kinds_own_threshold_lies_at_a_half():
    image = np.full((16, 16, 3), 0.2, np.float32)
    finder = BrightFinder()
    for threshold in (0.1, 0.2, 0.7):
        (evidence,) = np.unique(find_damage(finder, image, {"wear": threshold}, plan_look((16, 16), finder.facts)))
        assert (evidence > 0.5 + 1e-6, evidence < 0.5 - 1e-6) == (threshold < 0.2, threshold > 0.2)


def test_a_region_is_looked_at_with_its_surroundings_and_nothing_else():
    image = np.random.default_rng(0).random((300, 500, 3), np.float32)
    small = BrightFinder(preferred_px=160, context_px=16)
    region = Box(200, 310, 260, 400)
    found = find_damage(small, image, WEAR, plan_look((300, 500), small.facts, region))
    outside = np.ones((300, 500), bool)
    outside[region.slices] = False
    assert not found[outside].any()
    assert np.allclose(found[region.slices], image.min(axis=2)[region.slices], atol=1e-5)
    assert sum(a * b for a, b in small.sizes) < 300 * 500 / 2


def test_a_regions_answers_are_those_of_the_whole_picture(tmp_path):
    finder = OnnxDamageFinder(light_and_dark_finder(tmp_path / "d.onnx"))
    image = np.random.default_rng(0).random((200, 320, 3), np.float32)
    region = Box(60, 100, 130, 190)
    whole = find_damage(finder, image, WEAR, plan_look((200, 320), finder.facts))
    part = find_damage(finder, image, WEAR, plan_look((200, 320), finder.facts, region))
    assert np.allclose(part[region.slices], whole[region.slices], atol=1e-5)


def test_the_picture_is_not_written_to_and_progress_is_told():
    finder = BrightFinder(preferred_px=256)
    image = np.random.default_rng(0).random((100, 900, 3), np.float32)
    image.setflags(write=False)
    look = plan_look((100, 900), finder.facts)
    told: list[int] = []
    find_damage(finder, image, WEAR, look, told.append)
    assert sum(told) == look.cost_px
    assert len(told) > 3


def test_an_engine_that_answers_with_another_shape_is_named():
    class Short(BrightFinder):
        def find(self, image):
            return super().find(image)[..., :1]

    finder = Short()
    with pytest.raises(ModelError, match=r"bright must answer with \(16, 16, 2\)"):
        find_damage(finder, np.zeros((16, 16, 3), np.float32), WEAR, plan_look((16, 16), finder.facts))


def test_memory_is_a_plane_and_a_window_not_a_multiple_of_the_picture():
    finder = BrightFinder(preferred_px=512)
    peaks = []
    for size in ((600, 900), (1800, 2700)):
        image = np.zeros((*size, 3), np.float32)
        look = plan_look(size, finder.facts)
        tracemalloc.start()
        find_damage(finder, image, WEAR, look)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    added_px = 1800 * 2700 - 600 * 900
    assert (peaks[1] - peaks[0]) / added_px < 12  # bytes: two planes, and the smaller pictures
