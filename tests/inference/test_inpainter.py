import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

import mendpix
from fake_engines import BrightDetector, FakeEngine, constant, facts, harmonic
from mendpix import fills
from mendpix.errors import MaskError, ModelError
from mendpix.weights import locate
from tiny_models import brightness_detector, first_fill_generator, grey_generator

STAGES = {"read", "plan", "fill", "first_fill", "detect", "paste", "total"}


@pytest.fixture
def photo():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (90, 120, 3), np.uint8)


@pytest.fixture
def mask():
    mask = np.zeros((90, 120), np.uint8)
    mask[30:50, 40:70] = 255
    return mask


def test_a_result_holds_what_it_says(photo, mask):
    mask[35:45, 50:60] = 0  # a hole around an island
    result = mendpix.inpaint(photo, mask, model="harmonic", detector=BrightDetector())
    missing = mask > 0
    assert result.image.dtype == np.uint8
    assert np.array_equal(result.image[~missing], photo[~missing])
    expected = fills.harmonic(photo.astype(np.float32) / 255, missing.astype(np.float32))
    assert np.abs(result.prediction - expected)[missing].max() < 0.15  # the fill of a window, not of the whole picture
    assert np.array_equal(result.image[missing], np.rint(result.prediction[missing] * 255).astype(np.uint8))
    assert result.prediction.dtype == result.hole.dtype == result.artifacts.dtype == np.float32
    assert np.array_equal(result.prediction[~missing], (photo.astype(np.float32) / 255)[~missing])
    assert np.array_equal(result.hole, missing.astype(np.float32))
    assert not result.artifacts[~missing].any()
    assert np.allclose(result.artifacts[missing], result.prediction.mean(axis=2)[missing])
    assert result.artifact_score == pytest.approx(result.artifacts[missing].mean())
    assert result.model == "harmonic"


def test_model_files_run_end_to_end(tmp_path, photo, mask):
    generator = grey_generator(tmp_path / "grey.onnx", multiple_of=8, context_px=16)
    detector = brightness_detector(tmp_path / "bright.onnx", multiple_of=8, context_px=16)
    result = mendpix.inpaint(photo, mask, model=generator, detector=str(detector), threads=1)
    missing = mask > 0
    assert np.all(result.image[missing] == 128)
    assert np.array_equal(result.image[~missing], photo[~missing])
    assert result.artifact_score == pytest.approx(0.5)
    assert result.model == "tiny-grey"


def test_first_fills_in_windows_are_timed_apart(tmp_path, photo, mask):
    path = first_fill_generator(tmp_path / "fills.onnx", context_px=16)
    result = mendpix.inpaint(photo, mask, model=path, detector=None)
    assert set(result.timings) == STAGES
    assert result.timings["first_fill"] > 0
    assert all(seconds >= 0 for seconds in result.timings.values())
    parts = sum(seconds for stage, seconds in result.timings.items() if stage != "total")
    assert parts <= result.timings["total"] + 1e-6
    result = mendpix.inpaint(photo, mask, model=constant(0.5), detector=None)
    assert set(result.timings) == STAGES
    assert result.timings["first_fill"] == 0


def test_the_kind_of_picture_given_is_the_kind_given_back(tmp_path, photo, mask):
    Image.fromarray(photo).save(tmp_path / "photo.png")
    Image.fromarray(mask).save(tmp_path / "mask.png")
    inpainter = mendpix.Inpainter("harmonic", detector=None)
    from_array = inpainter(photo, mask).image
    from_path = inpainter(tmp_path / "photo.png", str(tmp_path / "mask.png")).image
    from_pil = inpainter(Image.fromarray(photo), Image.fromarray(mask)).image
    assert isinstance(from_path, Image.Image)
    assert from_pil.mode == "RGB"
    assert np.array_equal(np.asarray(from_path), from_array)
    assert np.array_equal(np.asarray(from_pil), from_array)
    from_floats = inpainter(photo.astype(np.float64) / 255, mask > 0).image
    assert from_floats.dtype == np.float64
    assert np.abs(from_floats - from_array / 255).max() < 0.003


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_known_pixels_are_bit_exact_in_every_mode(mode, photo, mask):
    image = Image.fromarray(photo)
    if mode == "I;16":
        image = Image.fromarray(photo[..., 0].astype(np.uint16) * 257)
    else:
        image = image.convert("L").convert("LA") if mode == "LA" else image.convert(mode)
    before = np.asarray(image).copy()
    result = mendpix.inpaint(image, mask, model="telea", detector=None).image
    assert result.mode == mode
    assert result.size == image.size
    assert np.array_equal(np.asarray(result)[mask == 0], before[mask == 0])
    assert np.array_equal(np.asarray(image), before)


@pytest.mark.parametrize("size", [(1, 2), (2, 1), (1, 300), (300, 1), (3, 3), (17, 23)])
@pytest.mark.parametrize("model", ["harmonic", "navier-stokes", "network"])
def test_pictures_of_any_small_size_are_filled(tmp_path, model, size):
    if model == "network":
        model = first_fill_generator(tmp_path / "fills.onnx", max_hole_px=32)
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    mask = np.zeros(size, bool)
    mask[size[0] // 2, size[1] // 2] = True
    result = mendpix.inpaint(photo, mask, model=model, detector=BrightDetector(minimum=32))
    assert result.image.shape == photo.shape
    assert np.array_equal(result.image[~mask], photo[~mask])
    assert result.artifacts.shape == size


def test_the_mask_may_be_inverted_and_grown(photo, mask):
    inpainter = mendpix.Inpainter(constant(0.5), detector=None)
    plain = inpainter(photo, mask)
    inverted = inpainter(photo, 255 - mask, invert_mask=True)
    assert np.array_equal(plain.image, inverted.image)
    grown = inpainter(photo, mask, dilate_px=3)
    assert grown.hole.sum() > plain.hole.sum()
    assert np.all(grown.image[30:50, 37:73] == 128)


def test_nothing_of_the_caller_is_written_to(photo, mask):
    for image in (photo, photo.astype(np.float32) / 255):
        holes = mask.copy(), mask.astype(np.float32) / 255
        for hole in holes:
            before = image.copy(), hole.copy()
            result = mendpix.inpaint(image, hole, model="harmonic", detector=BrightDetector())
            result.image[:] = 0
            result.prediction[:] = 0
            result.hole[:] = 0
            assert np.array_equal(image, before[0])
            assert np.array_equal(hole, before[1])


@pytest.mark.parametrize("detector", [None, BrightDetector(preferred_px=64, context_px=8)])
def test_progress_rises_to_one(photo, mask, detector):
    mask[60:64, 10:110] = 255
    calls = []
    engine = harmonic(facts(max_hole_px=8, preferred_px=48))
    mendpix.inpaint(photo, mask, model=engine, detector=detector, progress=lambda *call: calls.append(call))
    shares = [share for share, _ in calls]
    assert len(shares) > 8
    assert shares[0] == 0
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert "filling" in {word for _, word in calls}


def test_progress_may_stop_the_work(photo, mask):
    def stop(share, what):
        if what == "filling":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mendpix.inpaint(photo, mask, model="harmonic", detector=None, progress=stop)


def test_without_a_detector_nothing_is_claimed(photo, mask):
    result = mendpix.inpaint(photo, mask, model="harmonic", detector=None)
    assert np.isnan(result.artifact_score)
    assert not result.artifacts.any()


def test_an_inpainter_serves_several_threads(photo, mask):
    inpainter = mendpix.Inpainter("harmonic", detector=BrightDetector())
    photos = [np.roll(photo, shift, axis=1) for shift in range(6)]
    expected = [inpainter(each, mask) for each in photos]
    start = threading.Barrier(3)

    def work(index):
        if index < 3:
            start.wait()
        return inpainter(photos[index], mask)

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(work, range(6)))
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one.image, other.image)
        assert one.artifact_score == other.artifact_score
        assert set(one.timings) == STAGES


def test_the_default_model_that_is_not_there_is_a_clear_error(tmp_path, monkeypatch, photo, mask):
    monkeypatch.setattr(locate, "FOLDER", tmp_path)
    with pytest.raises(ModelError, match=r"scenes\.onnx.*harmonic"):
        mendpix.Inpainter()
    with pytest.raises(ModelError, match=r"scenes-detector\.onnx"):
        mendpix.inpaint(photo, mask, model="harmonic")
    first_fill_generator(tmp_path / "scenes.onnx")
    brightness_detector(tmp_path / "scenes-detector.onnx", multiple_of=8)
    result = mendpix.inpaint(photo, mask)
    assert result.model == "tiny-fills"
    assert 0 < result.artifact_score < 1


def test_bad_masks_are_refused_before_anything_runs(photo):
    engine = constant(0.5)
    for mask in (np.zeros((90, 120), bool), np.ones((90, 120), bool), np.ones((9, 12), bool)):
        with pytest.raises(MaskError):
            mendpix.inpaint(photo, mask, model=engine, detector=None)
    assert engine.holes == []


def test_a_large_picture_is_filled_around_its_holes_only():
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (1500, 2000, 3), np.uint8)
    mask = np.zeros((1500, 2000), bool)
    mask[100:120, 300:340] = mask[700:740, 1000:1010] = mask[1400:1500, 1900:2000] = True
    engine = FakeEngine(
        lambda image, hole, guide, call: np.full_like(image, 0.5), facts(preferred_px=512, context_px=32)
    )
    detector = BrightDetector(preferred_px=512, context_px=32)
    result = mendpix.inpaint(photo, mask, model=engine, detector=detector)
    assert len(engine.holes) == 3
    assert sum(hole.size for hole in engine.holes) < 0.03 * mask.size
    assert sum(height * width for height, width in detector.sizes) < 0.03 * mask.size
    assert np.all(result.image[mask] == 128)
    assert np.array_equal(result.image[~mask], photo[~mask])


@pytest.mark.slow
def test_a_picture_of_48_megapixels_is_filled():
    photo = np.zeros((6000, 8000, 3), np.uint8)
    photo[:] = np.linspace(0, 255, 8000).astype(np.uint8)[None, :, None]
    mask = np.zeros((6000, 8000), bool)
    mask[500:540, 700:760] = mask[3000:3100, 100:7900:500] = mask[4000:5500, 4000:5000] = True
    engine = harmonic(facts(preferred_px=512, context_px=64, minimum=64, max_hole_px=192))
    result = mendpix.inpaint(photo, mask, model=engine, detector=BrightDetector(preferred_px=512))
    assert np.array_equal(result.image[~mask], photo[~mask])
    assert np.abs(result.image.astype(np.int16) - photo).max() <= 2  # the slope goes on through every hole
    assert max(max(hole.shape) for hole in engine.holes) <= 640
    assert sum(hole.size for hole in engine.holes) < 0.2 * mask.size
