import pickle
import re

import numpy as np
import pytest
from PIL import Image

import mendpix
from damage_finders import BrightFinder, light_and_dark_finder
from fake_engines import BrightDetector
from mendpix.errors import DamageAreaError, ImageError, InputError, MaskError, ModelError
from mendpix.restoration.restore import Restorer

PLAIN = {"model": "harmonic", "detector": None}


def scratched(size: tuple[int, int] = (60, 90)) -> np.ndarray:
    """A dim picture with a white scratch over it and red letters; uint8."""
    photo = np.random.default_rng(0).integers(10, 30, (*size, 3), np.uint8)
    photo[20:23, 10:-10] = 255
    photo[40:44, 50:60] = (255, 40, 40)
    return photo


def restore(image, **settings) -> mendpix.Result:
    return mendpix.restore(image, **{"finder": BrightFinder(), **PLAIN, **settings})


def test_what_is_found_is_mended_and_the_rest_is_left_bit_for_bit():
    photo = scratched()
    before = photo.copy()
    result = restore(photo)
    assert np.array_equal(photo, before)
    hole = result.hole > 0
    assert hole[20:23, 10:-10].all()
    assert hole[40:44, 50:60].all()
    assert hole.mean() < 0.1
    assert np.array_equal(result.image[~hole], photo[~hole])
    assert result.image[hole].max() <= 80
    assert result.hole.dtype == np.float32
    assert (result.model, result.notes) == ("harmonic", ())
    assert {fill.model for fill in result.fills} == {"harmonic"}
    assert {"read", "find", "fill", "paste", "total"} <= set(result.timings)
    assert result.timings["total"] >= result.timings["find"] > 0


def test_it_is_what_inpaint_does_with_the_found_mask():
    photo = scratched()
    found = restore(photo, detector=BrightDetector())
    given = mendpix.inpaint(photo, found.hole, model="harmonic", detector=BrightDetector())
    assert np.array_equal(found.image, given.image)
    assert found.artifact_score == given.artifact_score > 0


def test_a_sound_picture_comes_back_unchanged_and_says_so():
    photo = np.random.default_rng(0).integers(10, 30, (60, 90, 3), np.uint8)
    result = restore(photo)
    assert np.array_equal(result.image, photo)
    assert result.image is not photo
    assert not result.hole.any()
    assert result.fills == ()
    assert np.isnan(result.artifact_score)
    assert result.notes == ("no damage was found; the picture is unchanged",)


def test_a_dry_run_only_looks():
    photo = scratched()
    result = restore(photo, dry_run=True)
    assert np.array_equal(result.image, photo)
    assert np.array_equal(result.hole, restore(photo).hole)
    assert (result.fills, result.notes) == ((), ())


def test_too_much_damage_is_refused_and_the_mask_handed_over():
    photo = scratched()
    with pytest.raises(DamageAreaError, match=r"at most 2% of the picture; it covers \d\.\d\d%") as refusal:
        restore(photo, max_area=0.02)
    assert np.array_equal(refusal.value.mask, restore(photo).hole)
    again = pickle.loads(pickle.dumps(refusal.value))
    assert str(again) == str(refusal.value)
    assert np.array_equal(again.mask, refusal.value.mask)
    with pytest.raises(DamageAreaError, match=r"must leave some of the picture; it covers all of it(?!.*larger area)"):
        restore(np.full((30, 40, 3), 255, np.uint8), max_area=1)


def test_a_refusal_never_says_that_a_share_exceeds_itself():
    share = float(restore(scratched(), dry_run=True).hole.mean())
    for allowed in (share * 0.9999, 1e-5):
        with pytest.raises(DamageAreaError) as refusal:
            restore(scratched(), max_area=allowed)
        said = [float(number) for number in re.findall(r"([\d.]+)%", str(refusal.value))]
        assert 0 < said[0] < said[1]
    photo = np.full((60, 90, 3), 255, np.uint8)
    photo[40:] = 0
    with pytest.raises(DamageAreaError, match=r"at most 25% of the picture; it covers 6\d\.\d%"):
        restore(photo)


def test_a_dry_run_refuses_as_well():
    with pytest.raises(DamageAreaError):
        restore(scratched(), max_area=0.02, dry_run=True)


def test_a_corrected_mask_is_filled_and_nothing_is_looked_for():
    class Blind(BrightFinder):
        def find(self, image):
            raise AssertionError("nothing was to be looked for")

    photo = scratched()
    mask = restore(photo, dry_run=True).hole
    mask[:30] = 0
    result = restore(photo, mask=mask, finder=Blind(), max_area=0.0001)
    assert np.array_equal(result.hole, mask)
    assert np.array_equal(result.image[:30], photo[:30])
    assert (result.image[40:44, 50:60] < 80).all()
    assert mendpix.restore(photo, mask=mask, finder="none.onnx", **PLAIN).hole.any()


def test_a_mask_from_which_everything_was_rubbed_out_changes_nothing():
    photo = scratched()
    result = restore(photo, mask=np.zeros(photo.shape[:2], np.uint8))
    assert np.array_equal(result.image, photo)
    assert result.notes == ("nothing in the mask is white; the picture is unchanged",)


def test_a_mask_that_lies_outside_the_region_is_not_called_empty():
    mask = np.zeros((60, 90), np.uint8)
    mask[40:44, 50:60] = 255
    result = restore(scratched(), mask=mask, region=(0, 0, 90, 30))
    assert result.notes == ("nothing in the region is white in the mask; the picture is unchanged",)
    result = restore(np.zeros((60, 90, 3), np.uint8), region=(0, 0, 90, 30))
    assert result.notes == ("no damage was found in the region; the picture is unchanged",)


@pytest.mark.parametrize("given", [False, True])
def test_outside_the_region_nothing_is_changed(given):
    photo = scratched()
    whole = restore(photo).hole
    result = restore(photo, region=(0, 30, "100%", "50%"), mask=whole if given else None)
    assert np.array_equal(result.image[:30], photo[:30])
    assert result.hole[30:60].any()
    assert np.array_equal(result.hole[30:60], whole[30:60])
    edge = restore(photo, region=(30, 21, 20, 30))  # through the middle of the scratch: marks end there
    assert not edge.hole[:21].any()
    assert not edge.hole[:, :30].any()


def test_a_preset_that_is_named_has_its_thresholds():
    photo = scratched()
    photo[20:23, 10:-10] = 128  # the finder answers 0.5
    finder = BrightFinder(thresholds=(0.9, 0.9), preset_thresholds=(0.3, 0.95))
    assert not restore(photo, finder=finder).hole.any()
    assert restore(photo, finder=finder, preset="scratches").hole[20:23, 10:-10].all()
    assert not restore(photo, finder=finder, preset="text").hole.any()


def test_presets_choose_what_is_mended():
    photo = scratched()
    assert not restore(photo, preset="scratches").hole[30:].any()
    assert not restore(photo, preset="text").hole[:30].any()
    with pytest.raises(InputError, match="finder bright knows: auto, scratches, text"):
        restore(photo, preset="noise")


def test_noise_is_marked_pixel_by_pixel_at_full_size():
    photo = np.full((20, 900), 100, np.uint8)
    photo[5, 7] = photo[10, 800] = 255
    finder = BrightFinder(kinds=("noise",))
    finder.find = lambda image: (image[..., :1] > 0.9).astype(np.float32)
    result = restore(photo, preset="noise", finder=finder)
    assert result.hole.sum() == 2
    assert (result.image == 100).all()


def test_sensitivity_reaches_the_marks():
    photo = scratched()
    photo[50, 10:80] = 110
    shares = [restore(photo, sensitivity=value, max_area=1, dry_run=True).hole.mean() for value in (0.2, 0.5, 0.6)]
    assert shares[0] <= shares[1] < shares[2]


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "CMYK"])
def test_pictures_of_every_mode_come_back_in_it(mode):
    photo = Image.fromarray(scratched()).convert(mode)
    result = restore(photo, max_area=1) if mode == "1" else restore(photo)
    assert (result.image.mode, result.image.size) == (photo.mode, photo.size)
    known = result.hole == 0
    assert np.array_equal(np.asarray(result.image)[known], np.asarray(photo)[known])
    assert result.hole[21, 12:-12].all()


def test_16_bits_float_and_grey_arrays_come_back_in_kind():
    deep = scratched().astype(np.uint16) * 257 - 3 * (scratched() > 0)
    deep = deep.astype(np.uint16)
    for photo in (deep, deep[..., 0], scratched().astype(np.float32) / 255, scratched()[..., :1]):
        result = restore(photo)
        assert (result.image.dtype, result.image.shape) == (photo.dtype, photo.shape)
        assert np.array_equal(result.image[result.hole == 0], photo[result.hole == 0])
        assert result.hole[21, 12:-12].all()


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (2, 3)])
def test_tiny_pictures_are_no_trouble(size):
    photo = np.full((*size, 3), 50, np.uint8)
    for finder in (BrightFinder(), "classical"):
        result = restore(photo, finder=finder)
        assert np.array_equal(result.image, photo)


def test_models_open_by_path_and_name(tmp_path):
    photo = np.full((60, 90, 3), 100, np.uint8)
    photo[20:22, 10:80] = 220
    path = light_and_dark_finder(tmp_path / "finder.onnx")
    assert mendpix.restore(photo, finder=path, **PLAIN).hole[20:22, 12:78].all()
    assert not mendpix.restore(photo, finder=str(path), preset="text", **PLAIN).hole[20:22, 12:78].any()


def test_the_network_is_looked_for_in_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr("mendpix.weights.locate.FOLDER", tmp_path)
    photo = np.full((60, 90, 3), 100, np.uint8)
    photo[20:22, 10:80] = 220
    with pytest.raises(ModelError, match=r"damage\.onnx"):
        mendpix.restore(photo, **PLAIN)
    light_and_dark_finder(tmp_path / "damage.onnx")
    assert mendpix.restore(photo, **PLAIN).hole.any()


def test_a_restorer_opens_its_finder_once(tmp_path):
    path = light_and_dark_finder(tmp_path / "finder.onnx")
    restorer = Restorer(finder=path, **PLAIN)
    first = restorer(scratched(), dry_run=True, max_area=0.9)
    path.unlink()
    assert np.array_equal(restorer(scratched(), dry_run=True, max_area=0.9).hole, first.hole)


@pytest.mark.parametrize("mask", [None, np.eye(60, 90) > 0])
def test_progress_rises_to_one(mask):
    told: list[tuple[float, str]] = []
    restore(scratched(), mask=mask, progress=lambda share, what: told.append((share, what)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    assert ("looking for damage" in {what for _, what in told}) == (mask is None)


@pytest.mark.parametrize(
    ("settings", "error", "word"),
    [
        ({"preset": "scratch"}, InputError, "auto, scratches"),
        ({"sensitivity": float("nan")}, InputError, "sensitivity"),
        ({"sensitivity": 2}, InputError, "sensitivity"),
        ({"sensitivity": "0.5"}, InputError, "sensitivity"),
        ({"sensitivity": None}, InputError, "sensitivity"),
        ({"max_area": "0.5"}, InputError, "max_area"),
        ({"region": 5}, InputError, "region"),
        ({"finder": None}, InputError, "finder"),
        ({"finder": BrightDetector()}, ModelError, "finds damage"),
        ({"max_area": 0}, InputError, "max_area"),
        ({"max_area": float("nan")}, InputError, "max_area"),
        ({"region": (0, 0, 1000, 1000)}, InputError, "region"),
        ({"region": (89, 59, 2, 2)}, InputError, "region"),
        ({"mask": np.zeros((10, 10), np.uint8)}, MaskError, "90 × 60"),
        ({"mask": np.full((60, 90), 255, np.uint8)}, MaskError, "known"),
        ({"mask": np.full((60, 90), np.nan)}, MaskError, "finite"),
        ({"finder": "nonsense"}, InputError, "must be network, classical or the path of an .onnx file; got .nonsense"),
        ({"finder": "scenes"}, ModelError, "generator"),
        ({"model": "nonsense"}, ModelError, "nonsense"),
    ],
)
def test_what_cannot_be_used_is_named(settings, error, word):
    with pytest.raises(error, match=word):
        restore(scratched(), **settings)


@pytest.mark.parametrize("answer", [np.nan, np.inf, -0.5, 2.0])
def test_an_answer_that_is_no_share_is_an_error_and_no_clean_bill(answer):
    finder = BrightFinder()
    find = finder.find
    finder.find = lambda image: np.where(find(image) > 0.9, np.float32(answer), 0)
    with pytest.raises(ModelError, match=r"bright must answer with numbers in \[0, 1\]"):
        restore(scratched(), finder=finder)


@pytest.mark.parametrize("preset", ["scratches", "text", "noise"])
def test_rules_can_be_stopped_in_the_midst_of_a_window(preset):
    """One window of the rules is four megapixels: seconds, in which somebody may wish to stop."""

    told: list[str] = []

    def progress(share: float, what: str) -> None:
        told.append(what)
        if told.count("looking for damage") > 1:
            assert share < 0.1  # no window is done yet
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(scratched(), finder="classical", preset=preset, progress=progress)


def test_pictures_that_are_none_are_refused(tmp_path):
    for picture in (tmp_path / "none.png", np.zeros((0, 5, 3), np.uint8), np.zeros((4, 4, 7), np.uint8), 3):
        with pytest.raises(InputError):
            restore(picture)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ImageError):
        restore(tmp_path / "text.png")
