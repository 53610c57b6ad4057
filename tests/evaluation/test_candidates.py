from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from mendpix.errors import DataError, InputError, ModelError
from mendpix.evaluation.candidates import find_candidates
from mendpix.evaluation.measurer import count_altered
from mendpix.evaluation.pair_files import write_pairs
from mendpix.weights.table import MODELS
from tiny_models import grey_generator


@pytest.fixture
def results(tmp_path, opened):
    """A folder with OpenCV's Telea fill of every pair, made by plain OpenCV calls from the files that are written."""
    write_pairs(opened, tmp_path / "pairs")
    folder = tmp_path / "opencv"
    folder.mkdir()
    for path in sorted((tmp_path / "pairs" / "images").iterdir()):
        mask = cv2.imread(str(tmp_path / "pairs" / "masks" / path.name), cv2.IMREAD_GRAYSCALE)
        filled = cv2.inpaint(cv2.imread(str(path)), mask, 3, cv2.INPAINT_TELEA)
        assert cv2.imwrite(str(folder / path.name), filled)
    return folder


def test_pairs_are_written_without_what_lies_in_the_holes(tmp_path, opened):
    assert write_pairs(opened, tmp_path / "pairs") == len(opened.pairs)
    for pair in opened.pairs:
        image = np.asarray(Image.open(tmp_path / "pairs" / "images" / f"{pair.key}.png"))
        mask = np.asarray(Image.open(tmp_path / "pairs" / "masks" / f"{pair.key}.png")) > 127
        picture = opened.read_picture(pair.picture)
        assert not image[mask].any()
        np.testing.assert_array_equal(image[~mask], picture[~mask])
        assert mask.mean() == pytest.approx(pair.hole_share)
    assert opened.id in (tmp_path / "pairs" / "README.txt").read_text()


def test_plain_opencv_results_are_those_of_telea(opened, results):
    telea, folder = find_candidates(["telea", str(results)], opened)
    ours, theirs = telea.open("composite"), folder.open("composite")
    for pair in opened.pairs:
        picture = opened.read_picture(pair.picture)
        hole = opened.read_hole(pair, picture.shape[:2])
        holed = picture * (hole == 0)[..., None].astype(np.uint8)
        np.testing.assert_array_equal(ours(pair, holed, hole), theirs(pair, holed, hole))


def test_names_and_labels(tmp_path, opened, results):
    file = grey_generator(tmp_path / "tiny.onnx")
    found = find_candidates(["telea", str(file), f"mine={file}", str(results)], opened)
    assert [one.name for one in found] == ["telea", "tiny", "mine", "opencv"]
    assert [one.source for one in found] == [
        "classical method telea of mendpix",
        "model file tiny.onnx",
        "model file tiny.onnx",
        "folder of results opencv",
    ]
    assert found[1].mark == found[2].mark != found[3].mark
    with pytest.raises(InputError, match="two models are called telea"):
        find_candidates(["telea", "telea"], opened)
    with pytest.raises(InputError, match="at least one model"):
        find_candidates([], opened)


def test_a_path_may_hold_the_sign_of_a_label(tmp_path, opened):
    file = grey_generator(tmp_path / "rate=3.onnx")
    (found,) = find_candidates([str(file)], opened)
    assert found.name == "rate=3"


def test_unknown_models_are_refused_before_any_work(tmp_path, opened, detector):
    with pytest.raises(ModelError, match=r"one of auto, scenes, .*harmonic.* or a folder of results; got 'nonsense'"):
        find_candidates(["nonsense"], opened)
    with pytest.raises(ModelError, match=r"there is no file .*none\.onnx"):
        find_candidates([str(tmp_path / "none.onnx")], opened)
    with pytest.raises(ModelError, match="is a detector"):
        find_candidates([str(detector)], opened)
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"broken\.onnx is not"):
        find_candidates([str(tmp_path / "broken.onnx")], opened)


def test_missing_results_are_counted_and_named(opened, results):
    for number in range(3):
        (results / f"pictures-{number}+a{number % 2}.png").unlink()
    with pytest.raises(DataError, match=r"each of the 18 pairs.*3 are missing: pictures-0\+a0, pictures-1\+a1, pict"):
        find_candidates([str(results)], opened)


def test_two_results_for_a_pair_are_refused(opened, results):
    name = opened.pairs[0].key
    Image.open(results / f"{name}.png").save(results / f"{name}.webp", lossless=True)
    with pytest.raises(DataError, match=r"holds .*\.png and .*\.webp"):
        find_candidates([str(results)], opened)


def test_results_may_be_named_like_their_pictures_if_each_has_one_pair(tmp_path, change):
    opened = change(('"every-bin"\nstep = 1', '"in-order"'))
    folder = tmp_path / "results"
    folder.mkdir()
    for number in range(6):
        Image.fromarray(opened.read_picture(number)).save(folder / f"{number}.png")
    (found,) = find_candidates([str(folder)], opened)
    picture = opened.read_picture(4)
    np.testing.assert_array_equal(found.open("composite")(opened.pairs[4], picture, None) * 255, picture)


def test_broken_and_wrongly_sized_results_are_named(opened, results):
    first, second = opened.pairs[:2]
    (results / f"{first.key}.png").write_bytes(b"no picture")
    Image.new("RGB", (32, 64)).save(results / f"{second.key}.png")
    (found,) = find_candidates([str(results)], opened)
    picture = opened.read_picture(0)
    with pytest.raises(DataError, match=r"result of opencv for pictures-0\+a0 cannot be read"):
        found.open("composite")(first, picture, None)
    with pytest.raises(DataError, match=r"must have 64 × 64 px; .* has 64 × 32"):
        found.open("composite")(second, picture, None)


def test_altered_known_pixels_are_counted():
    picture = np.full((8, 8, 3), 100, np.uint8)
    hole = np.zeros((8, 8), np.float32)
    hole[2:4, 2:4] = 1
    answer = np.float32(picture) / np.float32(255)
    assert count_altered(answer, picture, hole) == 0
    answer[2, 2] = 0.9  # in the hole
    answer[0, 0, 1] += 0.4 / 255  # less than half a level
    assert count_altered(answer, picture, hole) == 0
    answer[7, 7, 2] += 1 / 255
    answer[6] = 0
    assert count_altered(answer, picture, hole) == 9


def test_names_of_pictures_do_not_do_where_two_folders_have_the_same(tmp_path, place, change):
    (place / "pictures" / "b").mkdir()
    Image.open(place / "pictures" / "0.png").rotate(90).save(place / "pictures" / "b" / "0.png")
    opened = change(('"every-bin"\nstep = 1', '"in-order"'))
    folder = tmp_path / "results"
    folder.mkdir()
    for number in range(6):
        Image.fromarray(opened.read_picture(number)).save(folder / f"{number}.png")
    with pytest.raises(DataError, match=r"7 are missing: .*some are alike in two folders"):
        find_candidates([str(folder)], opened)


def test_a_result_that_changes_while_it_is_measured_is_noticed(opened, results):
    (found,) = find_candidates([str(results)], opened)
    pair = opened.pairs[0]
    Image.fromarray(opened.read_picture(0)).save(results / f"{pair.key}.png")
    with pytest.raises(DataError, match="has changed while it was being measured; run again"):
        found.open("composite")(pair, opened.read_picture(0), None)


def test_a_model_that_changes_while_it_is_measured_is_noticed(tmp_path, opened):
    file = grey_generator(tmp_path / "tiny.onnx")
    (found,) = find_candidates([str(file)], opened)
    grey_generator(file, context_px=3)
    with pytest.raises(ModelError, match="tiny has changed"):
        found.open("composite")


def test_names_win_over_folders_and_labels_are_found_among_several_signs(tmp_path, opened, results, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "telea").mkdir()
    (found,) = find_candidates(["telea"], opened)
    assert found.source == "classical method telea of mendpix"
    results.rename(tmp_path / "rate=0.1")
    (found,) = find_candidates([f"mine={tmp_path / 'rate=0.1'}"], opened)
    assert (found.name, found.source) == ("mine", "folder of results rate=0.1")
    for nothing in ("", "x="):
        with pytest.raises((InputError, ModelError)):
            find_candidates([nothing], opened)
    with pytest.raises(ModelError, match="scenes-detector is a detector"):
        find_candidates(["scenes-detector"], opened)


def test_auto_is_a_candidate_whose_mark_is_that_of_its_models(opened, monkeypatch):
    found, named = find_candidates(["auto", "mine=auto"], opened)
    assert (found.name, found.source, named.name) == ("auto", "choice auto of mendpix", "mine")
    assert found.mark == named.mark
    scenes, telea = find_candidates(["scenes", "telea"], opened)
    assert found.mark not in (scenes.mark, telea.mark)
    monkeypatch.setitem(MODELS, "auto", replace(MODELS["auto"], chooses=("scenes", "telea")))
    (other,) = find_candidates(["auto"], opened)
    assert other.mark != found.mark


def test_auto_answers_the_same_twice_and_leaves_the_rest(opened):
    (found,) = find_candidates(["auto"], opened)
    pair = opened.pairs[1]
    picture = opened.read_picture(pair.picture)
    hole = opened.read_hole(pair, picture.shape[:2])
    holed = picture * (hole == 0)[..., None].astype(np.uint8)
    first, second = (found.open("composite")(pair, holed, hole) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert count_altered(first, picture, hole) == 0


def test_raw_answers_of_a_choice_are_refused_before_any_work(change):
    opened = change(("[measure]", '[measure]\nimage = "raw"'))
    with pytest.raises(ModelError, match=r"auto is a choice among several\. Take one of scenes"):
        find_candidates(["auto"], opened)
