import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mendpix.evaluation import figures
from mendpix.evaluation.figure_inputs import ModelFile
from tiny_models import brightness_detector, grey_generator


@pytest.fixture
def desk(folder) -> Path:
    """A folder with models/ for figure 7 alone, photos/ and masks/ with one file each."""
    for name in ("models", "photos", "masks"):
        (folder / name).mkdir()
    grey_generator(folder / "models" / "det.onnx")
    brightness_detector(folder / "models" / "det-detector.onnx")
    (folder / "photo.png").rename(folder / "photos" / "photo.png")
    (folder / "mask.png").rename(folder / "masks" / "mask.png")
    return folder


@pytest.fixture
def calls(monkeypatch) -> list[dict]:
    """Stand in for the work and keep what it is called with."""
    made: list[dict] = []

    def write_report(models, out, pictures, masks, **options):
        made.append({"models": models, "out": out, "pictures": pictures, "masks": masks, **options})
        options["progress"](0.5, "filling")
        return figures.Report(
            page=out / "index.html",
            sheets={number: out / f"figure-{number}.png" for number in options["figures"] or (3, 6, 7)},
            pairs=12,
            rows=options["rows"],
            means={3: {"target": 0.1}},
            models=(ModelFile("det", models / "det.onnx", 5, "0123456789abcdef"),),
        )

    monkeypatch.setattr(figures, "write_report", write_report)
    return made


def test_makes_a_figure_from_files(mendpix, desk):
    arguments = ["--pictures", desk / "photos", "--masks", desk / "masks", "--figure", "7", "--threads", "1"]
    result = mendpix("report", desk / "models", "-o", desk / "out", *arguments)
    assert result.exit_code == 0, result.output
    first, second = result.stdout.splitlines()
    assert first.startswith(f"{desk}/out/index.html: figure 7; 1 pair measured, 1 shown, ")
    assert second == f"{desk}/out/figure-7.png"
    with Image.open(desk / "out" / "figure-7.png") as sheet:
        assert np.asarray(sheet).std() > 10
    assert "M(Res)" in (desk / "out" / "index.html").read_text(encoding="utf-8")


def test_passes_everything_on(mendpix, calls, tmp_path):
    options = [
        "--pictures",
        "a",
        "--pictures",
        "b.png",
        "--masks",
        "m",
        "--rows",
        "5",
        "--figure",
        "3",
        "--figure",
        "6",
    ]
    result = mendpix("report", "models", "-o", tmp_path, *options, "--title", "Ours", "--threads", "2")
    assert result.exit_code == 0, result.output
    (call,) = calls
    assert call.pop("progress")
    assert call == {
        "models": Path("models"),
        "out": tmp_path,
        "pictures": [Path("a"), Path("b.png")],
        "masks": Path("m"),
        "figures": [3, 6],
        "rows": 5,
        "title": "Ours",
        "threads": 2,
    }
    assert "figures 3, 6; 12 pairs measured, 5 shown" in result.stdout


def test_defaults_are_the_librarys(mendpix, calls, tmp_path):
    result = mendpix("report", "models", "-o", tmp_path, "--pictures", "a", "--masks", "m", "-q")
    assert (result.exit_code, result.output) == (0, "")
    (call,) = calls
    assert (call["rows"], call["figures"], call["title"], call["threads"]) == (figures.ROWS, None, None, None)


def test_the_help_names_the_default_of_the_library(mendpix):
    assert f"[default: {figures.ROWS}]" in " ".join(mendpix("report", "--help").stdout.split())


def test_json_is_one_object(mendpix, calls, tmp_path):
    result = mendpix("report", "models", "-o", tmp_path, "--pictures", "a", "--masks", "m", "--json")
    report = json.loads(result.stdout)
    assert report.pop("seconds")["total"] >= 0
    assert report == {
        "page": f"{tmp_path}/index.html",
        "figures": {str(number): f"{tmp_path}/figure-{number}.png" for number in (3, 6, 7)},
        "pairs": 12,
        "rows": figures.ROWS,
        "means": {"3": {"target": 0.1}},
        "models": {"det": {"file": "models/det.onnx", "sha256": "0123456789abcdef"}},
    }
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["models", "--masks", "masks"], ["--pictures must name photos", "none come with mendpix"]),
        (["models", "--pictures", "photos"], ["--masks must name a folder"]),
        (["models", "--pictures", "photos", "--masks", "masks"], ["figure 3 lacks linear.onnx", "--figure 7"]),
        (["models", "--pictures", "photos", "--masks", "masks", "--figure", "4"], ["3, 6 and 7; got 4"]),
        (["no", "--pictures", "photos", "--masks", "masks"], ["no is no folder"]),
        (["models", "--pictures", "no", "--masks", "masks", "--figure", "7"], ["no"]),
        (["models", "--pictures", "photos", "--masks", "no", "--figure", "7"], ["no"]),
    ],
)
def test_refuses_in_one_sentence(mendpix, desk, monkeypatch, arguments, words):
    monkeypatch.chdir(desk)
    result = mendpix("report", *arguments, "-o", "out")
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    for word in words:
        assert word in result.stderr
    assert not (desk / "out").exists()


def test_ctrl_c_leaves_no_file(mendpix, desk, monkeypatch):
    def stop(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(figures, "draw_sheet", stop)
    arguments = ["--pictures", desk / "photos", "--masks", desk / "masks", "--figure", "7"]
    result = mendpix("report", desk / "models", "-o", desk / "out", *arguments)
    assert (result.exit_code, result.stderr) == (130, "mendpix: Stopped.\n")
    assert list((desk / "out").iterdir()) == []
