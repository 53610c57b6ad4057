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

from mendpix.errors import DataError, InputError, ModelError
from mendpix.evaluation.candidates import find_candidates
from mendpix.evaluation.cases import worst_pairs
from mendpix.evaluation.evaluate import evaluate
from mendpix.evaluation.pairing import open_protocol
from mendpix.evaluation.protocol import load_protocol
from mendpix.evaluation.timing import time_candidate
from mendpix.metrics.l1 import l1
from mendpix.metrics.psnr import psnr
from mendpix.metrics.ssim import ssim
from tiny_models import grey_generator

MODELS = ["telea", "harmonic"]


def contents(folder: Path) -> dict[str, bytes]:
    """Everything of a report but the rows, which come in any order."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != "rows")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


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


def test_twice_in_a_row_and_with_several_processes_the_report_is_the_same_to_the_byte(opened, tmp_path):
    evaluate(opened, MODELS, tmp_path / "one", cases=2)
    evaluate(opened, MODELS, tmp_path / "two", cases=2, workers=2)
    again = evaluate(opened, MODELS, tmp_path / "one", cases=2)
    assert again.measured == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_model_that_is_added_later_is_measured_alone(opened, tmp_path):
    evaluate(opened, ["telea"], tmp_path / "report", cases=0)
    told: list[str] = []
    report = evaluate(opened, MODELS, tmp_path / "report", cases=0, say=told.append)
    assert report.measured == 18
    assert told == ["18 of 36 results were measured before"]
    evaluate(opened, MODELS, tmp_path / "whole", cases=0)
    assert contents(tmp_path / "report") == contents(tmp_path / "whole")


def test_another_protocol_starts_anew(opened, change, tmp_path):
    evaluate(opened, ["telea"], tmp_path / "report", cases=0)
    told: list[str] = []
    report = evaluate(change(("step = 1", "step = 0")), ["telea"], tmp_path / "report", cases=0, say=told.append)
    assert report.measured == 18
    assert "belongs to another protocol or version" in told[0]


PROGRAM = """
import sys
from pathlib import Path
from mendpix.evaluation import workers
from mendpix.evaluation.evaluate import evaluate
from mendpix.evaluation.pairing import open_protocol
from mendpix.evaluation.protocol import load_protocol
from mendpix.evaluation.timing import time_candidate

if __name__ == "__main__":
    measure = workers.Measurer.measure
    def slowly(self, task, clock):
        import time
        time.sleep(0.4)
        return measure(self, task, clock)
    workers.Measurer.measure = slowly
    evaluate(open_protocol(load_protocol(sys.argv[1])), ["telea", "harmonic"], Path(sys.argv[2]), cases=0)
"""


def test_a_run_that_is_killed_goes_on_and_gives_the_same_report(place, opened, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    killed = subprocess.Popen(
        [sys.executable, str(program), str(place / "protocol.toml"), str(tmp_path / "killed")], env=environment
    )
    rows = tmp_path / "killed" / "rows"
    deadline = time.monotonic() + 60
    try:
        while sum(path.read_bytes().count(b"\n") for path in rows.glob("telea-*")) < 4:
            assert killed.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    assert not (tmp_path / "killed" / "index.html").exists()
    report = evaluate(opened, MODELS, tmp_path / "killed", cases=0)
    assert 0 < report.measured < 36
    evaluate(opened, MODELS, tmp_path / "whole", cases=0)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


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
    assert harmonic.altered.sum() == 0


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
    with pytest.raises(ModelError, match=r"lpips-alex, fid need published weights.*--weights-dir"):
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
