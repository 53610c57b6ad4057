"""The paper's pairs, metrics and resuming, on pictures made here, tiny model files and a backbone of random weights."""

import json
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import paper_measurer
import paper_protocol
from backbones import write_small_squeezenet
from mendpix import masks
from mendpix.errors import DataError, ImageError, ModelError, OutputError
from mendpix.features import SqueezeNetFeatures
from mendpix.metrics.edges import edge_ratio
from mendpix.metrics.feature_distance import feature_distance
from mendpix.metrics.ssim import ssim
from tiny_models import brightness_detector, grey_generator

MASKS = ("10-border-00007", "10-free-00003", "30-free-00004", "60-border-00001", "60-free-00002")
SIDES = (40, 50, 130, 180, 190)


@pytest.fixture
def shared(tmp_path):
    generator = np.random.default_rng(0)
    folder = tmp_path / "shared"
    for name, count in (("bsds", 2), ("coco", 1), ("kodak", 1), ("faces", 2)):
        (folder / "validation" / name).mkdir(parents=True)
        for number in range(count):
            coarse = generator.integers(0, 256, (9, 9, 3), np.uint8)
            picture = Image.fromarray(coarse).resize((256, 256), Image.Resampling.BICUBIC)
            picture.save(folder / "validation" / name / f"{number:04}.png", compress_level=1)
    (folder / "validation" / "masks").mkdir()
    for name, side in zip(MASKS, SIDES, strict=True):
        mask = np.zeros((256, 256), np.uint8)
        mask[20 : 20 + side, 30 : 30 + side] = 255
        Image.fromarray(mask).save(folder / "validation" / "masks" / f"{name}.png")
    (folder / "weights").mkdir()
    write_small_squeezenet(folder / "weights" / "squeezenet_v1.0.npz")
    return folder


@pytest.fixture
def grey(tmp_path):
    return grey_generator(tmp_path / "grey.onnx")


def measure(*arguments, **options):
    return paper_protocol.measure(*arguments, say=lambda text: None, **options)


def read_pair(pair):
    """The true picture, uint8, and the hole, without the benchmark's own code."""
    with Image.open(pair.picture) as file:
        return np.array(file.convert("RGB")), masks.read_mask(pair.mask, (256, 256))


def rows_by_pair(path):
    return {row["pair"]: row for row in paper_protocol.read_rows(path)}


def assert_same_metrics(rows, others):
    assert rows.keys() == others.keys()
    for pair, row in rows.items():  # the backbone's last digits depend on how many pictures it gets at a time
        assert row["metrics"] == pytest.approx(others[pair]["metrics"], rel=1e-5)


def test_pairing_is_the_one_that_is_written_down(shared):
    pairs = paper_protocol.make_protocol("scenes", shared).pairs
    assert [pair.mask.stem for pair in pairs] == list(MASKS)
    pictures = ["bsds/0000", "bsds/0001", "coco/0000", "kodak/0000", "bsds/0000"]
    assert [pair.key for pair in pairs] == [f"{picture}+{mask}" for picture, mask in zip(pictures, MASKS, strict=True)]
    assert [pair.bin for pair in pairs] == [10, 10, 30, 60, 60]
    assert [pair.rated for pair in pairs] == [True, False, False, False, True]
    faces = paper_protocol.make_protocol("faces", shared).pairs
    assert [pair.picture.stem for pair in faces] == ["0000", "0001", "0000", "0001", "0000"]


def test_identity_changes_with_a_pixel_a_name_the_backbone_and_the_set_and_with_nothing_else(shared):
    first = paper_protocol.make_protocol("scenes", shared)
    identities = [first.identity, paper_protocol.make_protocol("faces", shared).identity]
    Image.new("RGB", (256, 256)).save(shared / "validation" / "faces" / "0000.png")
    (shared / "validation" / "bsds" / "notes.txt").write_text("no picture")
    assert paper_protocol.make_protocol("scenes", shared) == first
    Image.new("RGB", (256, 256)).save(shared / "validation" / "bsds" / "0001.png")
    identities.append(paper_protocol.make_protocol("scenes", shared).identity)
    (shared / "validation" / "coco" / "0000.png").rename(shared / "validation" / "coco" / "1.png")
    identities.append(paper_protocol.make_protocol("scenes", shared).identity)
    write_small_squeezenet(shared / "weights" / "squeezenet_v1.0.npz", seed=1)
    identities.append(paper_protocol.make_protocol("scenes", shared).identity)
    Image.new("L", (256, 256)).save(shared / "validation" / "masks" / "20-free-00009.png")
    identities.append(paper_protocol.make_protocol("scenes", shared).identity)
    assert len(set(identities)) == len(identities)
    assert identities[-1] in paper_protocol.make_protocol("scenes", shared).describe()


def test_metrics_are_those_of_the_rounded_composite(shared, grey, tmp_path):
    rows_file = tmp_path / "rows" / "scenes" / "grey.jsonl"
    assert measure(grey, "scenes", shared, rows_file) == 5
    rows = rows_by_pair(rows_file)
    protocol = paper_protocol.make_protocol("scenes", shared)
    assert sorted(rows) == sorted(pair.key for pair in protocol.pairs)
    backbone = SqueezeNetFeatures(protocol.backbone)
    structural_similarity = pytest.importorskip("skimage.metrics").structural_similarity
    for pair in protocol.pairs:
        picture, hole = read_pair(pair)
        filled = np.where(hole[..., None] > 0, np.uint8(128), picture)  # 0.5 is 127.5 of 255, rounded to even
        a, b = filled / 255, picture / 255
        metrics = rows[pair.key]["metrics"]
        assert metrics["l1"] == pytest.approx(100 * np.abs(a - b).mean(), rel=1e-5)
        assert metrics["psnr"] == pytest.approx(-10 * np.log10(((a - b) ** 2).mean()), rel=1e-6)
        expected = structural_similarity(filled, picture, win_size=51, channel_axis=2)
        assert metrics["ssim51"] == pytest.approx(expected, abs=1e-6)
        assert metrics["ssim11"] == pytest.approx(ssim(a, b), abs=1e-6)
        assert metrics["edges"] == pytest.approx(100 * edge_ratio(a.astype(np.float32)))
        assert metrics["edges_truth"] == pytest.approx(100 * edge_ratio(b.astype(np.float32)))
        assert metrics["features"] == pytest.approx(1000 * feature_distance(a, b, backbone), rel=1e-3)
        assert "auc" not in metrics
        assert rows[pair.key]["bin"] == pair.bin
        assert rows[pair.key]["picture"] == f"{pair.picture.parent.name}/{pair.picture.stem}"


def test_a_run_that_was_stopped_goes_on(shared, grey, tmp_path):
    rows_file = tmp_path / "grey.jsonl"
    assert measure(grey, "faces", shared, rows_file, limit=2) == 2
    assert measure(grey, "faces", shared, rows_file) == 3
    whole = rows_by_pair(rows_file)
    assert measure(grey, "faces", shared, rows_file) == 0
    lines = rows_file.read_text().splitlines(keepends=True)
    rows_file.write_text("".join(lines[:-2]) + lines[-1][:40])  # killed while writing
    assert measure(grey, "faces", shared, rows_file) == 2
    assert_same_metrics(rows_by_pair(rows_file), whole)


def test_rows_of_another_model_or_protocol_are_measured_anew(shared, grey, tmp_path):
    rows_file = tmp_path / "model.jsonl"
    measure(grey, "faces", shared, rows_file)
    same = grey_generator(tmp_path / "same.onnx")
    assert measure(same, "faces", shared, rows_file) == 0  # another file with the same content
    told = []
    detector = brightness_detector(tmp_path / "bright.onnx")
    assert paper_protocol.measure(grey, "faces", shared, rows_file, detector=detector, say=told.append) == 5
    assert any("5 rows of another model file or protocol are dropped" in line for line in told)
    Image.new("RGB", (256, 256)).save(shared / "validation" / "faces" / "0000.png")
    assert measure(grey, "faces", shared, rows_file, detector=detector) == 5
    assert len({row["protocol"] for row in paper_protocol.read_rows(rows_file)}) == 1
    grey_generator(grey, multiple_of=2)
    assert measure(grey, "faces", shared, rows_file, detector=detector) == 5
    assert len(paper_protocol.read_rows(rows_file)) == 5


def test_the_detector_rates_the_raw_prediction_of_every_fourth_pair(shared, grey, tmp_path):
    rows_file = tmp_path / "grey.jsonl"
    detector = brightness_detector(tmp_path / "bright.onnx")
    measure(grey, "faces", shared, rows_file, detector=detector)
    rows = rows_by_pair(rows_file)
    for pair in paper_protocol.make_protocol("faces", shared).pairs:
        metrics = rows[pair.key]["metrics"]
        assert ("auc" in metrics) == pair.rated
        if pair.rated:
            picture, hole = read_pair(pair)
            brightness = picture.mean(axis=2) / 255
            known = brightness[hole == 0]
            expected = (known < 0.5).mean() + 0.5 * (known == 0.5).mean()
            assert metrics["auc"] == pytest.approx(expected, abs=1e-3)


def test_the_detector_rates_what_the_generator_made_of_known_pixels_too(shared, tmp_path):
    """The tiny generator adds a half in the hole only; a detector of brightness sees that, not the 8-bit composite."""
    seen = []
    measurer = paper_measurer.Measurer(
        grey_generator(tmp_path / "grey.onnx"), brightness_detector(tmp_path / "b.onnx"), backbone_of(shared)
    )
    detect = measurer.detector.detect

    class Spy:
        def detect(self, image):
            seen.append(image)
            return detect(image)

    measurer.detector = Spy()
    pair = paper_protocol.make_protocol("faces", shared).pairs[0]
    measurer.measure([pair])
    _, hole = read_pair(pair)
    assert np.all(seen[0][hole > 0] == np.float32(0.5))


def backbone_of(shared):
    return shared / "weights" / "squeezenet_v1.0.npz"


def test_navier_stokes_needs_no_file(shared, tmp_path):
    rows_file = tmp_path / "navier-stokes.jsonl"
    assert measure("navier-stokes", "faces", shared, rows_file) == 5
    assert measure("navier-stokes", "faces", shared, rows_file) == 0
    assert min(row["metrics"]["psnr"] for row in paper_protocol.read_rows(rows_file)) > 10


@pytest.mark.slow
def test_two_models_at_a_time_and_several_processes_measure_the_same(shared, grey, tmp_path):
    threads = cv2.getNumThreads(), torch.get_num_threads()
    jobs = [(grey, tmp_path / "grey.jsonl"), ("navier-stokes", tmp_path / "ns.jsonl")]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda job: measure(job[0], "scenes", shared, job[1]), jobs)) == [5, 5]
    assert (cv2.getNumThreads(), torch.get_num_threads()) == threads
    assert measure(grey, "scenes", shared, tmp_path / "alone.jsonl", workers=2) == 5
    assert_same_metrics(rows_by_pair(tmp_path / "alone.jsonl"), rows_by_pair(tmp_path / "grey.jsonl"))


def no_faces(shared):
    for path in (shared / "validation" / "faces").iterdir():
        path.unlink()


def no_folder(shared):
    no_faces(shared)
    (shared / "validation" / "faces").rmdir()


def no_backbone(shared):
    backbone_of(shared).unlink()


def other_mask_name(shared):
    (shared / "validation" / "masks" / "10-free-00003.png").rename(shared / "validation" / "masks" / "70-free-3.png")


def small_picture(shared):
    Image.new("RGB", (128, 256)).save(shared / "validation" / "faces" / "0001.png")


def broken_picture(shared):
    path = shared / "validation" / "faces" / "0001.png"
    path.write_bytes(path.read_bytes()[:200])


def small_mask(shared):
    Image.new("L", (128, 256), 255).save(shared / "validation" / "masks" / "30-free-00004.png")


def empty_mask(shared):
    Image.new("L", (256, 256)).save(shared / "validation" / "masks" / "30-free-00004.png")


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (no_faces, DataError, "holds none"),
        (no_folder, DataError, "there is none"),
        (no_backbone, DataError, "squeezenet_v1.0.npz does not exist"),
        (other_mask_name, DataError, "70-free-3.png. Rename it"),
        (small_picture, DataError, "0001.png is .256, 128."),
        (broken_picture, ImageError, "0001.png"),
        (small_mask, DataError, "30-free-00004.png cannot be used"),
        (empty_mask, DataError, "30-free-00004.png cannot be used"),
    ],
)
def test_what_is_missing_or_broken_is_named(spoil, error, words, shared, grey, tmp_path):
    spoil(shared)
    with pytest.raises(error, match=words):
        measure(grey, "faces", shared, tmp_path / "grey.jsonl")


def test_models_and_options_that_cannot_be_used_are_refused_in_words(shared, grey, tmp_path):
    detector = brightness_detector(tmp_path / "bright.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(grey.read_bytes()[:100])
    rows_file = tmp_path / "rows.jsonl"
    for model, options, error, words in (
        (tmp_path / "none.onnx", {}, ModelError, "none.onnx is not .No such file"),
        (broken, {}, ModelError, "broken.onnx"),
        (broken, {"workers": 2}, ModelError, "broken.onnx"),
        (detector, {}, ModelError, "must be a generator"),
        (grey, {"detector": grey}, ModelError, "must be a detector"),
        (grey, {"workers": 0}, DataError, "at least 1"),
        (grey, {"limit": 0}, DataError, "at least 1"),
    ):
        with pytest.raises(error, match=words):
            measure(model, "faces", shared, rows_file, **options)
        assert not rows_file.exists()
    with pytest.raises(DataError, match="one of scenes, faces; got 'streets'"):
        measure(grey, "streets", shared, rows_file)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        measure(grey, "faces", shared, tmp_path / "file" / "rows.jsonl")


def test_lines_that_are_no_rows_are_refused(shared, grey, tmp_path):
    rows_file = tmp_path / "rows.jsonl"
    for text in ("[1]\n", "nonsense\n{}\n", '{"mark": "x"}\n'):
        rows_file.write_text(text)
        with pytest.raises(DataError, match=r"line 1 of .* is no row"):
            measure(grey, "faces", shared, rows_file)
        assert rows_file.read_text() == text
    with pytest.raises(DataError, match="must be a readable file of rows"):
        paper_protocol.read_rows(tmp_path / "none.jsonl")


def test_the_program_prints_its_protocol_and_means(shared, grey, tmp_path, capsys):
    rows_file = tmp_path / "grey.jsonl"
    arguments = [str(grey), "--set", "faces", "--shared", str(shared), "--rows", str(rows_file)]
    paper_protocol.main(arguments)
    printed = capsys.readouterr().out
    assert paper_protocol.make_protocol("faces", shared).describe() in printed
    psnr = np.mean([row["metrics"]["psnr"] for row in paper_protocol.read_rows(rows_file)])
    assert (
        f"all: 5 pairs; l1 {np.mean([row['metrics']['l1'] for row in rows_by_pair(rows_file).values()]):.4g}" in printed
    )
    assert f"psnr {psnr:.4g}" in printed
    assert "20: " not in printed
    with pytest.raises(SystemExit, match="must be a file that can be read"):
        paper_protocol.main(["none.onnx", *arguments[1:]])


def test_rows_are_plain_json(shared, grey, tmp_path):
    measure(grey, "faces", shared, tmp_path / "grey.jsonl", limit=1)
    row = json.loads((tmp_path / "grey.jsonl").read_text())
    assert set(row) == {"mark", "protocol", "pair", "picture", "bin", "metrics"}
    assert set(row["metrics"]) == set(paper_protocol.METRICS) - {"auc"}


@pytest.mark.shared
@pytest.mark.skipif(not paper_protocol.SHARED.is_dir(), reason="the shared pictures and masks are not here")
def test_every_mask_is_used_once_and_every_face_meets_every_bin():
    scenes = paper_protocol.make_protocol("scenes", paper_protocol.SHARED)
    faces = paper_protocol.make_protocol("faces", paper_protocol.SHARED)
    assert (scenes.pictures, faces.pictures, scenes.masks) == (322, 100, 600)
    for protocol in (scenes, faces):
        assert len({pair.mask for pair in protocol.pairs}) == len(protocol.pairs) == 600
        for bin_ in paper_protocol.BINS:
            met = [pair.picture for pair in protocol.pairs if pair.bin == bin_]
            assert len(met) == len(set(met)) == 100
