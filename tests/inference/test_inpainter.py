import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

import mendpix
from fake_engines import BrightDetector, Copier, FakeEngine, constant, facts, harmonic
from mendpix import fills
from mendpix.errors import InputError, MaskError, MissingExtraError, ModelError
from mendpix.inference import opened as inpainter_models
from mendpix.weights import locate
from mendpix.weights.table import FOR_STROKES, FOR_THINGS
from tiny_models import brightness_detector, first_fill_generator, grey_generator

STAGES = {"read", "plan", "open", "fill", "first_fill", "detect", "paste", "total"}


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
    first_fill_generator(tmp_path / "scenes-harmoniser.onnx")
    brightness_detector(tmp_path / "scenes-detector.onnx", multiple_of=8)
    result = mendpix.inpaint(photo, mask)
    assert result.model == "auto"
    assert [fill.model for fill in result.fills] == ["scenes"]
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


def test_a_plain_model_fills_every_hole_and_the_record_says_so(photo, mask):
    mask[60:62, 10:110] = 255
    result = mendpix.inpaint(photo, mask, model="telea", detector=None)
    assert [(fill.number, fill.model, fill.cause) for fill in result.fills] == [
        (1, "telea", "model"),
        (2, "telea", "model"),
    ]
    first = result.fills[0]
    assert (first.box.top, first.box.left, first.box.bottom, first.box.right) == (30, 40, 50, 70)
    assert first.share == pytest.approx(600 / 10800)
    assert first.thickness_px == pytest.approx(19, abs=1)
    assert first.surroundings is None
    assert result.notes == ()


# Hole by hole


@pytest.fixture
def gravel():
    """A photo whose grain is easily copied, and a mask with a thing (hole 1) and two scratches (holes 2 and 3)."""
    rng = np.random.default_rng(0)
    photo = rng.integers(60, 200, (200, 240, 3), np.uint8)
    mask = np.zeros((200, 240), np.uint8)
    mask[30:100, 40:100] = mask[140:144, 20:220] = mask[170:174, 20:220] = 255
    return photo, mask


@pytest.fixture
def parts(monkeypatch):
    """A network and a copier in place of those that `auto` chooses among; also what was opened."""
    engines = {FOR_STROKES: constant(0.25, facts()), FOR_THINGS: Copier()}
    asked = []

    def open_generator(model, *, threads=None):
        asked.append(model)
        return engines[model] if model in engines else locate.open_generator(model, threads=threads)

    monkeypatch.setattr("mendpix.inference.opened.open_generator", open_generator)
    return engines[FOR_STROKES], engines[FOR_THINGS], asked


def test_each_hole_goes_to_its_method_thin_ones_first(gravel, parts):
    photo, mask = gravel
    _, copier, asked = parts
    result = mendpix.inpaint(photo, mask, detector=None)
    assert result.model == "auto"
    assert [fill.model for fill in result.fills] == [FOR_THINGS, FOR_STROKES, FOR_STROKES]
    assert [fill.cause for fill in result.fills] == ["thing", "thin", "thin"]
    assert asked == [FOR_THINGS, FOR_STROKES]
    assert np.all(result.image[140:144, 20:220] == 64)
    assert np.array_equal(result.image[mask == 0], photo[mask == 0])
    (hole,) = copier.holes
    assert hole.sum() == 70 * 60  # by then the scratches are known


def test_other_holes_are_holes_until_they_are_filled(parts):
    rng = np.random.default_rng(0)
    photo = rng.integers(60, 200, (200, 240, 3), np.uint8)
    mask = np.zeros((200, 240), np.uint8)
    mask[50:120, 40:100] = mask[126:130, 20:120] = 255  # a scratch right below the thing
    photo[mask > 0] = 255
    network, copier, _ = parts
    mendpix.inpaint(photo, mask, detector=None)
    assert any(hole.sum() > 4 * 100 for hole in network.holes)
    (image,), (hole,) = copier.images, copier.holes
    assert hole.sum() == 70 * 60
    assert (np.abs(image - 0.25).max(axis=2) < 1e-6).sum() == 4 * 100  # the network's fill


def test_models_are_opened_when_they_are_needed_and_once(gravel, parts):
    photo, mask = gravel
    _, _, asked = parts
    mend = mendpix.Inpainter(detector=None)
    assert asked == []
    scratches = mask.copy()
    scratches[:120] = 0
    mend(photo, scratches)
    assert asked == [FOR_STROKES]
    mend(photo, mask)
    mend(photo, mask)
    assert asked == [FOR_STROKES, FOR_THINGS]


def test_the_same_call_gives_the_same_picture_and_record(gravel, parts):
    photo, mask = gravel
    first, second = (mendpix.inpaint(photo, mask, detector=None) for _ in range(2))
    assert np.array_equal(first.image, second.image)
    assert first.fills == second.fills


def test_a_person_may_choose_for_single_holes(gravel, parts):
    photo, mask = gravel
    _, copier, _ = parts
    result = mendpix.inpaint(photo, mask, detector=None, choose={1: FOR_STROKES, 3: "telea"})
    assert [(fill.model, fill.cause) for fill in result.fills] == [
        (FOR_STROKES, "asked"), (FOR_STROKES, "thin"), ("telea", "asked"),
    ]  # fmt: skip
    assert copier.holes == []
    assert np.all(result.image[30:100, 40:100] == 64)
    result = mendpix.inpaint(photo, mask, model="harmonic", detector=None, choose={1: "auto", 2: copier})
    assert [(fill.model, fill.cause) for fill in result.fills] == [
        (FOR_THINGS, "thing"), ("copier", "asked"), ("harmonic", "model"),
    ]  # fmt: skip
    assert result.model == "harmonic"


@pytest.mark.parametrize("number", [0, 4, -1])
def test_only_holes_that_exist_can_be_chosen_for(gravel, parts, number):
    with pytest.raises(InputError, match=rf"hole {number}, and there are holes 1 to 3"):
        mendpix.inpaint(*gravel, detector=None, choose={number: "telea"})


def test_models_for_single_holes_must_be_models_that_fill(gravel, parts):
    for model in ("nonsense", "scenes-detector", "none.onnx"):
        with pytest.raises(ModelError):
            mendpix.inpaint(*gravel, detector=None, choose={2: model})
    assert parts[0].holes == []


def test_the_plan_is_what_happens_and_fills_nothing(gravel, parts):
    photo, mask = gravel
    network, copier, _ = parts
    mend = mendpix.Inpainter(detector=None)
    planned = mend.plan(photo, mask, choose={3: "telea"})
    assert network.holes == copier.holes == []
    assert planned == mend(photo, mask, choose={3: "telea"}).fills
    assert len(mend.plan(photo, mask, dilate_px=30)) == 1  # numbered after it has grown


def test_where_the_copier_gives_up_the_network_fills_and_the_record_says_so(gravel, parts):
    photo, mask = gravel
    _, copier, _ = parts
    copier.fill = lambda *_: (_ for _ in ()).throw(MaskError("there must be something to copy; got nothing."))
    result = mendpix.inpaint(photo, mask, detector=None)
    assert [(fill.model, fill.cause) for fill in result.fills[:1]] == [(FOR_STROKES, "gave-up")]
    assert result.fills[0].reason.endswith(", but too little to copy was found")
    assert np.all(result.image[mask > 0] == 64)
    assert np.array_equal(result.image[mask == 0], photo[mask == 0])
    with pytest.raises(MaskError, match="something to copy"):  # but who asked for it is told
        mendpix.inpaint(photo, mask, model=copier, detector=None)


@pytest.mark.parametrize("key", ["1", 1.0, True])
def test_holes_are_chosen_by_whole_numbers(gravel, parts, key):
    photo, mask = gravel
    with pytest.raises(InputError, match="by their number, such as 1; got"):
        mendpix.inpaint(photo, mask, detector=None, choose={key: "telea"})


def test_of_two_copied_holes_only_the_one_that_fails_is_handed_over(gravel, parts):
    photo, mask = gravel
    mask[30:100, 150:210] = 255  # a second thing
    photo[30:100, 150:210, 0] = 0
    photo[20:28, 200:210] = (255, 0, 255)  # seen beside the second one only
    _, copier, _ = parts
    original = copier.fill

    def fill(image, hole, *more):
        if (image == (1, 0, 1)).all(axis=2).any() and hole[30:100].any():
            raise MaskError("there must be something to copy; got nothing.")
        return original(image, hole, *more)

    copier.fill = fill
    result = mendpix.inpaint(photo, mask, detector=None)
    assert [fill.cause for fill in result.fills[:2]] == ["thing", "gave-up"]
    assert np.all(result.image[30:100, 150:210] == 64)
    assert np.array_equal(result.image[mask == 0], photo[mask == 0])


def test_without_the_package_of_the_copier_the_network_fills_and_the_record_says_so(gravel, parts, monkeypatch):
    real = inpainter_models.open_generator

    def lacking(model, *, threads=None):
        if model == FOR_THINGS:
            raise MissingExtraError("not installed")
        return real(model, threads=threads)

    monkeypatch.setattr(inpainter_models, "open_generator", lacking)
    result = mendpix.inpaint(*gravel, detector=None)
    assert result.fills[0].model == FOR_STROKES
    assert result.fills[0].reason.endswith(f"but {FOR_THINGS} is not installed")
    with pytest.raises(MissingExtraError):
        mendpix.inpaint(*gravel, detector=None, choose={1: FOR_THINGS})


def test_what_is_excluded_reaches_the_copier_and_nobody_else(gravel, parts):
    photo, mask = gravel
    _, copier, _ = parts
    exclude = np.zeros(mask.shape, np.uint8)
    exclude[:, 140:] = 255
    result = mendpix.inpaint(photo, mask, detector=None, exclude=exclude)
    (excluded,), (hole,) = copier.excluded, copier.holes
    assert excluded.shape == hole.shape
    assert excluded[:, -1].all()
    assert not excluded[:, 0].any()
    usable = photo[:, :140][mask[:, :140] == 0]
    assert np.abs(result.image[60, 70].astype(float) - usable.mean(axis=0)).max() < 8
    assert result.notes == ()
    mendpix.inpaint(photo, mask, model=copier, detector=None, exclude=exclude.astype(bool))
    assert copier.excluded[-1].any()
    mendpix.inpaint(photo, mask, model=copier, detector=None, exclude=np.zeros_like(mask))
    assert not copier.excluded[-1].any()


def test_to_exclude_something_needs_a_model_that_copies(gravel, parts):
    photo, mask = gravel
    exclude = np.zeros(mask.shape, np.uint8)
    exclude[:20] = 255
    with pytest.raises(InputError, match="telea copies nothing"):
        mendpix.inpaint(photo, mask, model="telea", detector=None, exclude=exclude)
    mask[:120] = 0
    result = mendpix.inpaint(photo, mask, detector=None, exclude=exclude)
    assert result.notes == ("nothing was copied into any hole",)
    result = mendpix.inpaint(photo, mask, model="telea", detector=None, exclude=exclude, choose={1: Copier()})
    assert result.notes == ()


def test_that_nothing_was_copied_is_said_of_what_really_filled(gravel, parts):
    photo, mask = gravel
    exclude = np.full_like(mask, 255)
    exclude[199, 239] = 0
    result = mendpix.inpaint(photo, mask, detector=None, exclude=exclude)
    assert result.fills[0].cause == "bare"  # so what is excluded did make a difference
    assert result.notes == ("nothing was copied into any hole",)
    parts[1].fill = lambda *_: (_ for _ in ()).throw(MaskError("there must be something to copy; got nothing."))
    exclude[:, :200] = 0
    result = mendpix.inpaint(photo, mask, detector=None, exclude=exclude)
    assert result.fills[0].cause == "gave-up"
    assert result.notes == ("nothing was copied into any hole",)


def test_the_plan_knows_what_is_excluded(gravel, parts):
    photo, mask = gravel
    exclude = np.full_like(mask, 255)
    exclude[199, 239] = 0
    mend = mendpix.Inpainter(detector=None)
    planned = mend.plan(photo, mask, exclude=exclude)
    assert parts[0].holes == []
    assert (planned[0].model, planned[0].cause) == (FOR_STROKES, "bare")
    assert planned == mend(photo, mask, exclude=exclude).fills
    assert mend.plan(photo, mask, exclude=np.zeros_like(mask)) == mend.plan(photo, mask)
    with pytest.raises(InputError, match="leave something known to copy from"):
        mend.plan(photo, mask, exclude=255 - mask)
    with pytest.raises(InputError, match="telea copies nothing"):
        mendpix.Inpainter("telea", detector=None).plan(photo, mask, exclude=exclude)


def test_what_is_excluded_must_leave_something(gravel, parts):
    photo, mask = gravel
    with pytest.raises(InputError, match="leave something known to copy from"):
        mendpix.inpaint(photo, mask, detector=None, exclude=255 - mask)
    with pytest.raises(MaskError, match="size of its picture"):
        mendpix.inpaint(photo, mask, detector=None, exclude=mask[:50])
    exclude = np.full_like(mask, 255)
    exclude[199, 239] = 0
    (first, *_) = mendpix.inpaint(photo, mask, detector=None, exclude=exclude).fills
    assert (first.model, first.cause) == (FOR_STROKES, "bare")


def test_progress_and_timings_hold_hole_by_hole(gravel, parts):
    calls = []
    result = mendpix.inpaint(*gravel, detector=BrightDetector(), progress=lambda *call: calls.append(call[0]))
    assert calls == sorted(calls)
    assert calls[-1] == 1
    assert set(result.timings) == STAGES
    parts_ = sum(seconds for stage, seconds in result.timings.items() if stage != "total")
    assert parts_ <= result.timings["total"] + 1e-6


def test_a_hole_is_one_window_for_an_engine_that_takes_any_size():
    photo = np.zeros((1500, 2000, 3), np.uint8)
    mask = np.zeros((1500, 2000), bool)
    mask[600:900, 800:1200] = True
    mask[720:760, 1210:1230] = True  # a piece of the same hole
    copier = Copier(context_px=128)
    mendpix.inpaint(photo, mask, model=copier, detector=None)
    (hole,) = copier.holes
    assert hole.sum() == mask.sum()
    assert all(length <= 430 + 2 * 305 for length in hole.shape)


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
