import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mendpix.errors import DataError, InputError, ModelError, OutputError, ProtocolError
from mendpix.evaluation.candidates import find_candidates
from mendpix.evaluation.cases import worst_pairs
from mendpix.evaluation.evaluate import evaluate
from mendpix.evaluation.pairing import open_protocol
from mendpix.evaluation.protocol import load_protocol
from mendpix.evaluation.results import NOT_COUNTED
from mendpix.evaluation.timing import time_candidate
from mendpix.metrics.l1 import l1
from mendpix.metrics.psnr import psnr
from mendpix.metrics.ssim import ssim
from tiny_models import grey_generator

MODELS = ["telea", "harmonic"]


def contents(folder: Path) -> dict[str, bytes]:
    """Everything of a report but the rows, which come in any order."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not name.startswith("rows/")}


@pytest.fixture
def everything(change, detector):
    """The protocol of `place` with vectors, backbone and detector."""
    return change(
        ("[measure]", f'[detector]\nmodel = "{detector}"\n\n[measure]'),
        ('"edge-ratio"]', '"edge-ratio", "features", "frechet-squeezenet", "detection"]'),
    )


def test_a_report_holds_what_was_measured(opened, tmp_path):
    report = evaluate(opened, MODELS, tmp_path / "report", cases=3)
    assert report.measured == 2 * 18
    assert {"index.html", "report.md", "report.json", "tables.csv", "pairs.csv"} <= set(contents(tmp_path / "report"))
    evaluation = report.summary.evaluation
    assert [model.name for model in evaluation.models] == MODELS
    assert opened.id in (tmp_path / "report" / "report.md").read_text()
    # One number by hand, from the public face.
    import mendpix

    number = 7
    pair = opened.pairs[number]
    picture = opened.read_picture(pair.picture)
    hole = opened.read_hole(pair, picture.shape[:2])
    filled = mendpix.inpaint(picture * (hole == 0)[..., None].astype(np.uint8), hole, model="telea", detector=None)
    shown, target = np.float32(filled.image) / np.float32(255), np.float32(picture) / np.float32(255)
    values = evaluation.models[0].values
    assert values["psnr"][number] == psnr(shown, target)
    assert values["ssim-gaussian-11"][number] == pytest.approx(ssim(shown, target), abs=1e-12)
    assert values["l1"][number] == l1(shown, target)
    assert report.summary.means["telea"]["psnr"]["all"].mean == pytest.approx(values["psnr"].mean())
    json.loads((tmp_path / "report" / "report.json").read_text())


def test_twice_in_a_row_and_with_several_processes_the_report_is_the_same_to_the_byte(everything, tmp_path, least):
    least(frechet_squeezenet=18)  # of all pairs, but of no bin
    first = evaluate(everything, MODELS, tmp_path / "one", cases=2)
    evaluate(everything, MODELS, tmp_path / "two", cases=2, workers=2)
    again = evaluate(everything, MODELS, tmp_path / "one", cases=2)
    assert again.measured == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    (telea, harmonic) = (model.set_values for model in first.summary.evaluation.models)
    for measure, columns in telea.items():
        assert np.isfinite(columns["all"]), measure
        assert columns["all"] != harmonic[measure]["all"]
    assert [name for name, value in telea["frechet-squeezenet"].items() if np.isfinite(value)] == ["all"]


def test_a_model_that_is_added_later_is_measured_alone(opened, tmp_path):
    evaluate(opened, ["telea"], tmp_path / "report", cases=0)
    told: list[str] = []
    report = evaluate(opened, MODELS, tmp_path / "report", cases=0, say=told.append)
    assert report.measured == 18
    assert told == ["18 of 36 results were measured before"]
    assert report.filled == {"telea": 0, "harmonic": 18}
    assert report.fill_seconds["telea"] == 0 < report.fill_seconds["harmonic"]
    evaluate(opened, MODELS, tmp_path / "whole", cases=0)
    assert contents(tmp_path / "report") == contents(tmp_path / "whole")


def test_two_protocols_in_one_folder_keep_each_other_s_rows(opened, change, tmp_path):
    other = change(("step = 1", "step = 0"))
    evaluate(opened, ["telea"], tmp_path / "report", cases=1)
    before = contents(tmp_path / "report")
    assert evaluate(other, ["telea"], tmp_path / "report", cases=1).measured == 18
    assert contents(tmp_path / "report") != before
    assert evaluate(other, MODELS, tmp_path / "report", cases=0).filled == {"telea": 0, "harmonic": 18}
    assert evaluate(opened, ["telea"], tmp_path / "report", cases=1).measured == 0
    assert contents(tmp_path / "report") == before


def test_one_evaluation_at_a_time_writes_into_a_folder(opened, change, tmp_path):
    other = change(("step = 1", "step = 0"))
    intruded: list[float] = []

    def intrude(share: float, what: str) -> None:
        if not intruded:
            intruded.append(share)
            for protocol in (opened, other):  # the tables of two protocols would be mixed as well
                with pytest.raises(OutputError, match="one evaluation at a time may write into"):
                    evaluate(protocol, ["harmonic"], tmp_path / "report", cases=0)

    evaluate(opened, ["telea"], tmp_path / "report", cases=0, progress=intrude)
    assert intruded
    assert evaluate(opened, MODELS, tmp_path / "report", cases=0).measured == 18  # open to the next one


PROGRAM = """
import os, sys, time
from pathlib import Path
from mendpix.evaluation import workers
from mendpix.evaluation.evaluate import evaluate
from mendpix.evaluation.pairing import open_protocol
from mendpix.evaluation.protocol import load_protocol

_, protocol, folder, count, notes = sys.argv
measure = workers.Measurer.measure

def slowly(self, task, clock):
    (Path(notes) / str(os.getpid())).touch()
    time.sleep(0.4)
    return measure(self, task, clock)

workers.Measurer.measure = slowly
if __name__ == "__main__":
    evaluate(open_protocol(load_protocol(protocol)), ["telea", "harmonic"], Path(folder), cases=0, workers=int(count))
"""


def is_alive(process: int) -> bool:
    """Tell whether a process runs; one that has ended and that nobody asked for yet does not."""
    try:
        os.kill(process, 0)
        state = Path(f"/proc/{process}/stat")
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_run_that_is_killed_goes_on_and_gives_the_same_report(place, everything, tmp_path, least, workers):
    program, notes, folder = tmp_path / "program.py", tmp_path / "notes", tmp_path / "killed"
    program.write_text(PROGRAM, encoding="utf-8")
    notes.mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    killed = subprocess.Popen(
        [sys.executable, program, place / "changed.toml", folder, str(workers), notes], env=environment
    )
    deadline = time.monotonic() + 60
    try:
        while sum(path.read_bytes().count(b"\n") for path in (folder / "rows").rglob("telea-*")) < 4:
            assert killed.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    processes = [int(path.name) for path in notes.iterdir()]
    assert len(processes) == workers
    deadline = time.monotonic() + 10
    while any(map(is_alive, processes)) and time.monotonic() < deadline:
        time.sleep(0.05)
    outlived = [process for process in processes if is_alive(process)]
    for process in outlived:
        os.kill(process, signal.SIGKILL)
    assert not outlived  # nobody would ever fetch what they measure
    assert not (folder / "index.html").exists()
    if workers > 1:
        least(frechet_squeezenet=18)  # it takes its time: once is enough
    report = evaluate(everything, MODELS, folder, cases=0)
    assert 0 < report.measured < 36
    evaluate(everything, MODELS, tmp_path / "whole", cases=0)
    assert contents(folder) == contents(tmp_path / "whole")


def test_altered_known_pixels_are_counted_and_put_right(opened, tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir()
    for number, pair in enumerate(opened.pairs):
        picture = opened.read_picture(pair.picture).copy()
        if number < 5:
            hole = opened.read_hole(pair, picture.shape[:2])
            rows, columns = np.nonzero(hole == 0)
            picture[rows[:9], columns[:9]] ^= 255
        Image.fromarray(picture).save(folder / f"{pair.key}.png")
    report = evaluate(opened, [str(folder)], tmp_path / "report", cases=1)
    model = report.summary.evaluation.models[0]
    assert model.altered.tolist() == [9] * 5 + [0] * 13
    assert (model.values["psnr"] == 100).all()  # composites: the known pixels are the true ones again
    for name in ("report.md", "index.html"):
        assert "altered" in (tmp_path / "report" / name).read_text().lower()


def test_a_raw_protocol_measures_what_lies_outside_the_hole_too(opened, change, tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir()
    for pair in opened.pairs:
        Image.fromarray(255 - opened.read_picture(pair.picture)).save(folder / f"{pair.key}.png")
    raw = change(("[measure]", '[measure]\nimage = "raw"'))
    report = evaluate(raw, [str(folder), "harmonic"], tmp_path / "report", cases=1)
    theirs, harmonic = report.summary.evaluation.models
    assert (theirs.values["l1"] > 10).all()
    assert theirs.counted_pairs == theirs.altered_pairs == 18
    assert (harmonic.altered == NOT_COUNTED).all()
    assert harmonic.counted_pairs == harmonic.altered_pixels == 0


def test_a_detector_looks_at_results_and_at_untouched_pictures(opened, change, tmp_path, detector):
    text = f'[detector]\nmodel = "{detector}"\n\n[measure]'
    watched = change(("[measure]", text), ('"edge-ratio"]', '"edge-ratio", "detection"]'))
    assert watched.id != opened.id
    report = evaluate(watched, ["harmonic"], tmp_path / "report", cases=1)
    evaluation = report.summary.evaluation
    assert ((evaluation.models[0].values["detector-auc"] > 0) & (evaluation.models[0].values["detector-auc"] < 1)).all()
    assert set(evaluation.models[0].set_values["detector-auc-pooled"]) == set(evaluation.pairs.columns)
    marked = evaluation.truth["clean-marked"]
    expected = [100 * np.mean(watched.read_picture(number).mean(axis=2) / 255 > 0.5) for number in range(6)]
    np.testing.assert_allclose(marked[::3], expected, atol=0.2)


def test_measures_that_need_weights_say_so_before_any_work(change, tmp_path):
    wanting = change(('"psnr", ', '"psnr", "lpips-alex", "fid", '))
    with pytest.raises(ModelError, match=r"published weights are needed for lpips-alex, fid, .*--weights-dir"):
        evaluate(wanting, ["telea"], tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_a_failing_model_is_told_and_what_was_measured_stays(opened, tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir()
    for pair in opened.pairs:
        Image.fromarray(opened.read_picture(pair.picture)).save(folder / f"{pair.key}.png")
    last = folder / f"{opened.pairs[-1].key}.png"
    good = last.read_bytes()
    last.write_bytes(good[: len(good) // 2])
    for workers in (1, 2):
        with pytest.raises(DataError, match=r"result of theirs for pictures-5\+"):
            evaluate(opened, [str(folder)], tmp_path / f"report{workers}", workers=workers)
    last.write_bytes(good)
    report = evaluate(opened, [str(folder)], tmp_path / "report1", cases=0)
    assert report.measured == 18  # the folder's content is another one now: nothing of the old one is trusted


def test_timing_tells_time_and_memory(opened, tmp_path):
    file = grey_generator(tmp_path / "tiny.onnx")
    report = evaluate(opened, [str(file)], tmp_path / "report", cases=0, timed=True, threads=1)
    timing = report.summary.evaluation.models[0].timing
    assert timing is not None
    assert (timing.seconds > 0).all()
    assert len(timing.seconds) == 18
    assert timing.peak_mb >= timing.idle_mb > 10
    assert timing.threads == 1


def test_a_timed_process_does_not_count_its_parent_s_memory(opened, tmp_path):
    file = grey_generator(tmp_path / "tiny.onnx")
    (candidate,) = find_candidates([str(file)], opened)
    ballast = np.ones((600, 2**20), np.uint8)  # 600 MiB, held while the other process runs
    timing = time_candidate(candidate, opened, 1)
    assert timing is not None
    assert timing.peak_mb < ballast.nbytes / 2**20
    with pytest.raises(InputError, match="threads must be at least 1"):
        time_candidate(candidate, opened, 0)


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"cases": -1}])
def test_numbers_that_make_no_sense(opened, tmp_path, wrong):
    with pytest.raises(InputError, match="at least"):
        evaluate(opened, MODELS, tmp_path / "report", **wrong)


def test_worst_cases_take_bins_by_turns(opened, tmp_path):
    report = evaluate(opened, MODELS, tmp_path / "report", cases=0)
    evaluation = report.summary.evaluation
    chosen = worst_pairs(evaluation, "psnr", 6)
    values = np.minimum(*(model.values["psnr"] for model in evaluation.models))
    for turn in (chosen[:3], chosen[3:]):
        assert {int(evaluation.pairs.bins[number]) for number in turn} == {0, 1, 2}
        assert [values[number] for number in turn] == sorted(values[number] for number in turn)
    for number in chosen[:3]:
        same = evaluation.pairs.bins == evaluation.pairs.bins[number]
        assert values[number] == values[same].min()
    assert len(worst_pairs(evaluation, "psnr", 99)) == 18


def test_a_limited_protocol_is_another_one(place, opened, tmp_path):
    limited = open_protocol(load_protocol(place / "protocol.toml"), limit=2)
    report = evaluate(limited, ["telea"], tmp_path / "report", cases=0)
    assert report.pairs == 6


def test_more_models_than_are_kept_open(opened, tmp_path, monkeypatch):
    """Models are closed and opened again; a label of its own costs nothing, even beside the same model."""
    grey = grey_generator(tmp_path / "grey.onnx")
    models = [*MODELS, f"grey={grey}", "navier-stokes", f"again={grey}", "soft=harmonic"]
    evaluate(opened, models, tmp_path / "open", cases=1)
    monkeypatch.setattr("mendpix.evaluation.measurer.MODELS_KEPT", 2)
    report = evaluate(opened, models, tmp_path / "closed", cases=1)
    assert report.measured == 6 * 18
    assert contents(tmp_path / "closed") == contents(tmp_path / "open")
    found = {model.name: model.values["psnr"] for model in report.summary.evaluation.models}
    assert list(found) == ["telea", "harmonic", "grey", "navier-stokes", "again", "soft"]
    for one, other in (("again", "grey"), ("soft", "harmonic")):
        np.testing.assert_array_equal(found[one], found[other])
    assert len({tuple(values) for values in found.values()}) == 4
    assert evaluate(opened, [f"third={grey}"], tmp_path / "closed", cases=0).measured == 0


def test_forty_masks_on_one_picture(place, change, tmp_path, write_mask):
    """Pairs of one picture are no sample of pictures: there are means, but neither intervals nor tests."""
    for path in [*(place / "pictures").glob("[1-5].png"), *(place / "masks").iterdir()]:
        path.unlink()
    for number in range(40):
        write_mask(place / "masks" / f"{number:02}.png", 0.05 if number % 4 else 0.25, number % 20)
    many = change(('"every-bin"', '"every-mask"'), ("step = 1", ""))
    assert [pair.picture for pair in many.pairs] == [0] * 40
    told: list[float] = []
    report = evaluate(many, MODELS, tmp_path / "report", cases=2, progress=lambda share, what: told.append(share))
    assert told == sorted(told)
    assert told[-1] == 1
    summary = report.summary
    assert summary.evaluation.pairs.bins.tolist() == [0 if number % 4 else 1 for number in range(40)]
    mean = summary.means["telea"]["psnr"]["all"]
    assert mean.pairs == 40
    assert mean.mean == pytest.approx(summary.evaluation.models[0].values["psnr"].mean())
    for columns in summary.differences["telea", "harmonic"].values():
        assert not any(difference.significant for difference in columns.values())


def test_masks_beyond_the_last_bin_leave_nothing_to_measure(place, change):
    for path in (place / "masks").iterdir():
        Image.fromarray(np.pad(np.zeros((4, 64), np.uint8), ((60, 0), (0, 0)), constant_values=255)).save(path)
    with pytest.raises(ProtocolError, match=r"tiny must give at least one pair; none of its 6 masks lies in a bin"):
        change()


def test_pictures_that_keep_their_sizes(place, change, tmp_path, write_picture, write_mask):
    """Every answer is compared in the size of its own picture."""
    for path in [*(place / "pictures").iterdir(), *(place / "masks").iterdir()]:
        path.unlink()
    sizes = [(64, 64), (48, 80), (33, 21), (70, 41)]
    for number, (height, width) in enumerate(sizes):
        write_picture(place / "pictures" / f"{number}.png", number, height, width)
        write_mask(place / "masks" / f"{number}.png", 0.25, 3, height, width)
    mixed = change(
        ('fit = "exact"\nsize_px = [64, 64]', 'fit = "keep"'), ('"every-bin"', '"same-name"'), ("step = 1", "")
    )
    folder = tmp_path / "theirs"
    folder.mkdir()
    for number, pair in enumerate(mixed.pairs):
        picture = np.asarray(Image.open(place / "pictures" / f"{number}.png"))
        assert picture.shape[:2] == sizes[number]
        Image.fromarray(picture // 2).save(folder / f"{pair.key}.png")
    report = evaluate(mixed, [str(folder), "harmonic"], tmp_path / "report", cases=4)
    theirs = report.summary.evaluation.models[0]
    for number, (height, width) in enumerate(sizes):
        picture = np.asarray(Image.open(place / "pictures" / f"{number}.png"))
        band = np.asarray(Image.open(place / "masks" / f"{number}.png")) > 0
        assert theirs.altered[number] == (picture != picture // 2).any(axis=2)[~band].sum()
        expected = np.where(band[..., None], picture // 2, picture)
        error = np.abs(picture.astype(float) - expected).sum() / 255 / (height * width * 3)
        assert theirs.values["l1"][number] == pytest.approx(100 * error, rel=1e-5)


@pytest.mark.parametrize(
    ("measures", "wanting"), [("", "ssim-gaussian-11"), (', "features"', "features"), (', "lama-ssim"', None)]
)
def test_a_picture_that_is_too_small_is_told_before_any_work(
    place, change, tmp_path, write_picture, write_mask, measures, wanting
):
    side = 8 if wanting == "ssim-gaussian-11" else 16
    for path in (place / "masks").iterdir():
        path.unlink()
    for number in range(6):
        size = side if number == 4 else 64
        write_picture(place / "pictures" / f"{number}.png", number, size, 64)
        write_mask(place / "masks" / f"{number}.png", 0.25, 2, size, 64)
    small = change(
        ('fit = "exact"\nsize_px = [64, 64]', 'fit = "keep"'),
        ('"every-bin"', '"same-name"'),
        ("step = 1", ""),
        ('"edge-ratio"]', f'"edge-ratio"{measures}]'),
    )
    if wanting is None:
        assert evaluate(small, ["harmonic"], tmp_path / "report", cases=0).measured == 6
        return
    with pytest.raises(DataError, match=rf"{wanting} cannot be measured on pictures/4\.png: .*{side}"):
        evaluate(small, ["harmonic"], tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_a_picture_without_a_mask_may_be_small(place, change, tmp_path, write_picture):
    write_picture(place / "pictures" / "9.png", 9, 4)
    loose = change(
        ('fit = "exact"\nsize_px = [64, 64]', 'fit = "keep"'), ('"every-bin"', '"every-mask"'), ("step = 1", "")
    )
    assert {pair.picture for pair in loose.pairs} == set(range(6))
    assert evaluate(loose, ["harmonic"], tmp_path / "report", cases=0).measured == 6


def test_results_without_an_error_have_infinite_means_where_a_program_prints_them(opened, change, tmp_path):
    folder = tmp_path / "perfect"
    folder.mkdir()
    for pair in opened.pairs:
        Image.fromarray(opened.read_picture(pair.picture)).save(folder / f"{pair.key}.png")
    printing = change(('"edge-ratio"]', '"edge-ratio", "as-in-gdn"]'))
    report = evaluate(printing, [str(folder), "telea"], tmp_path / "report", cases=2)
    assert report.summary.means["perfect"]["gdn-psnr"]["all"].mean == np.inf

    def refuse(constant: str) -> None:
        raise AssertionError(f"JSON has no {constant}")

    json.loads((tmp_path / "report" / "report.json").read_text("utf-8"), parse_constant=refuse)
    assert "∞" in (tmp_path / "report" / "report.md").read_text("utf-8")


def test_a_folder_that_holds_something_else_is_left_alone(opened, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "report.md").write_text("precious", encoding="utf-8")
    with pytest.raises(OutputError, match="mine holds something else"):
        evaluate(opened, ["telea"], folder, cases=0)
    assert [path.name for path in folder.iterdir()] == ["report.md"]
    assert (folder / "report.md").read_text(encoding="utf-8") == "precious"
