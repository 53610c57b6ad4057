import json

import numpy as np
import pytest
from PIL import Image


def pixels(path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_writes_the_map_of_any_picture(mendpix, folder, detector):
    out, over = folder / "map.png", folder / "over.png"
    result = mendpix("detect", folder / "photo.png", "-o", out, "--overlay", over, "--model", detector)
    assert result.exit_code == 0, result.output
    photo = pixels(folder / "photo.png")
    assert pixels(out).dtype == np.uint8
    np.testing.assert_allclose(pixels(out), photo.mean(axis=2), atol=1)
    assert pixels(over).shape == photo.shape
    assert result.stdout.startswith(f"{out}: 56 × 40 px, artifact score {photo.mean() / 255:.2f}")
    assert result.stdout.count("\n") == 1


def test_json_is_one_object(mendpix, folder, detector):
    result = mendpix("detect", folder / "photo.png", "-o", folder / "map.png", "--model", detector, "--json")
    report = json.loads(result.stdout)
    assert report["artifact_score"] == pytest.approx(pixels(folder / "photo.png").mean() / 255, abs=1e-3)
    assert (report["width"], report["height"], report["overlay"]) == (56, 40, None)
    assert result.stderr == ""


def test_quiet_says_nothing(mendpix, folder, detector):
    result = mendpix("detect", folder / "photo.png", "-o", folder / "map.png", "--model", detector, "-q")
    assert (result.exit_code, result.output) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no.png", "-o", "map.png"], ["no.png"]),
        (["photo.png", "-o", "map.jpg"], ["--out", ".png"]),
        (["photo.png", "-o", "no/map.png"], ["--out", "no"]),
        (["photo.png", "-o", "photo.png"], ["--out", "--force"]),
        (["photo.png", "-o", "map.png", "--overlay", "map.png"], ["--out", "--overlay"]),
        (["photo.png", "-o", "map.png", "--model", "harmonic"], ["harmonic", "scenes-detector"]),
        (["photo.png", "-o", "map.png", "--model", "no.onnx"], ["no.onnx"]),
    ],
)
def test_refuses_in_one_sentence(mendpix, folder, detector, monkeypatch, arguments, words):
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    model = [] if "--model" in arguments else ["--model", detector]
    result = mendpix("detect", *arguments, *model)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    for word in words:
        assert word in result.stderr
    assert sorted(folder.iterdir()) == before


def test_the_map_fails_the_overlay_goes(mendpix, folder, detector, monkeypatch):
    from mendpix.errors import OutputError

    def full(*_args):
        raise OutputError("cannot write: the disk is full.")

    monkeypatch.setattr("mendpix.cli.detect.write_map", full)
    before = sorted(folder.iterdir())
    over = folder / "over.png"
    result = mendpix("detect", folder / "photo.png", "-o", folder / "map.png", "--overlay", over, "--model", detector)
    assert (result.exit_code, result.stderr) == (2, "mendpix: cannot write: the disk is full.\n")
    assert sorted(folder.iterdir()) == before
