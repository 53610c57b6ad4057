import numpy as np
import pytest
from PIL import Image

import mendpix
from fake_engines import BrightDetector
from mendpix.errors import ImageError, ModelError
from tiny_models import brightness_detector, grey_generator


def test_the_map_is_the_detectors_and_the_score_its_mean(tmp_path):
    photo = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    before = photo.copy()
    found = mendpix.detect(photo, model=brightness_detector(tmp_path / "bright.onnx", multiple_of=8))
    assert found.probability.dtype == np.float32
    assert np.allclose(found.probability, photo.mean(axis=2) / 255, atol=1e-5)
    assert found.score == pytest.approx(found.probability.mean(), abs=1e-6)
    assert np.array_equal(photo, before)


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (500, 780)])
def test_any_size_is_looked_at_in_tiles(size):
    image = np.random.default_rng(0).random((*size, 3), np.float32)
    detector = BrightDetector(preferred_px=256, context_px=16, minimum=32)
    found = mendpix.detect(image, model=detector)
    assert np.allclose(found.probability, image.mean(axis=2))
    assert max(max(tile) for tile in detector.sizes) <= 256


def test_tiles_overlap_so_that_no_answer_comes_from_a_tiles_edge():
    class EdgeShy(BrightDetector):
        def detect(self, image):
            self.sizes.append(image.shape[:2])
            found = np.ones(image.shape[:2], np.float32)
            found[64:-64, 64:-64] = 0
            return found

    found = mendpix.detect(np.zeros((1000, 1500, 3), np.float32), model=EdgeShy())
    assert not found.probability[64:-64, 64:-64].any()
    assert found.probability[:64].all()  # there is nothing beyond the picture's own edge


def test_progress_rises_to_one():
    shares = []
    detector = BrightDetector(preferred_px=256)
    mendpix.detect(np.zeros((500, 500, 3), np.uint8), model=detector, progress=lambda share, what: shares.append(share))
    assert len(shares) > 4
    assert shares[0] == 0
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_paths_and_pillow_images_are_taken(tmp_path):
    image = Image.fromarray(np.full((30, 40), 51, np.uint8))
    image.save(tmp_path / "grey.png")
    for source in (image, tmp_path / "grey.png"):
        assert mendpix.detect(source, model=BrightDetector()).score == pytest.approx(0.2)


def test_wrong_models_and_pictures_are_named(tmp_path):
    picture = np.zeros((30, 40), np.uint8)
    with pytest.raises(ModelError, match="scenes-detector"):
        mendpix.detect(picture, model="no-such-thing")
    with pytest.raises(ModelError, match="generator"):
        mendpix.detect(picture, model="scenes")
    with pytest.raises(ModelError, match="is a generator"):
        mendpix.detect(picture, model=grey_generator(tmp_path / "grey.onnx"))
    with pytest.raises(ImageError):
        mendpix.detect(tmp_path / "none.png", model=BrightDetector())
