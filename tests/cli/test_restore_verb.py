import inspect
import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mendpix as library
from damage_finders import light_and_dark_finder

HEIGHT, WIDTH = 60, 90
SCRATCH = slice(20, 23), slice(10, 80)


@pytest.fixture(scope="module")
def finder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return light_and_dark_finder(tmp_path_factory.mktemp("models") / "finder.onnx")


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with old.png (soft slopes under a white scratch and a black one), sound.png, and nothing else."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    photo = np.stack([100 + columns // 2, 90 + rows // 2, 140 - columns // 3], axis=2).astype(np.uint8)
    Image.fromarray(photo).save(tmp_path / "sound.png")
    photo[SCRATCH] = 250
    photo[45:48, 30:60] = 0
    Image.fromarray(photo).save(tmp_path / "old.png", dpi=(300, 300))
    return tmp_path


@pytest.fixture
def restore(mendpix, finder) -> Callable:
    """Run `mendpix restore` quickly: our tiny finder, a classical fill, no detector."""

    def run(*arguments: object):
        return mendpix("restore", "--finder", finder, "--model", "harmonic", "--detector", "none", *arguments)

    return run


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_one_sentence(result, *words: str) -> None:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("mendpix: ")
    assert result.stderr.count("\n") == 1
    for word in words:
        assert word in result.stderr, result.stderr


def test_mends_what_it_finds_and_leaves_the_rest(restore, desk, finder):
    result = restore(desk / "old.png", "-o", desk / "out.png", "--mask-out", desk / "mask.png")
    assert result.exit_code == 0, result.output
    old, out, mask = (pixels(desk / name) for name in ("old.png", "out.png", "mask.png"))
    assert set(np.unique(mask)) == {0, 255}
    assert (mask[SCRATCH] == 255).all()
    assert (mask[45:48, 32:58] == 255).all()
    assert (out[mask == 0] == old[mask == 0]).all()
    assert out[SCRATCH].max() < 200
    expected = library.restore(old, finder=finder, model="harmonic", detector=None)
    assert (out == expected.image).all()
    assert (mask == 255 * expected.hole).all()
    with Image.open(desk / "out.png") as image:
        assert round(image.info["dpi"][0]) == 300
    assert sorted(content(desk)) == ["mask.png", "old.png", "out.png", "sound.png"]


def test_says_in_one_line_what_it_did(restore, desk):
    result = restore(desk / "old.png", "-o", desk / "out.png")
    assert (result.stderr, result.stdout.count("\n")) == ("", 1)
    assert result.stdout.startswith(f"{desk / 'out.png'}: 90 × 60 px, ")
    assert " % mended by harmonic in " in result.stdout
    assert result.stdout.endswith("; --marks PNG shows where\n")
    assert "--marks" not in restore(desk / "sound.png", "-o", desk / "out.png").stdout


def test_json_is_one_object_and_all_of_stdout(restore, desk):
    result = restore(desk / "old.png", "-o", desk / "out.png", "--mask-out", desk / "mask.png", "--json")
    assert (result.exit_code, result.stdout.count("\n"), result.stderr) == (0, 1, "")
    report = json.loads(result.stdout)
    assert (report["out"], report["mask_out"]) == (str(desk / "out.png"), str(desk / "mask.png"))
    assert (report["width"], report["height"], report["model"], report["finder"]) == (90, 60, "harmonic", "tiny-damage")
    assert report["damage_share"] == pytest.approx((pixels(desk / "mask.png") > 0).mean())
    assert (report["artifact_score"], report["refused"], report["mask"]) == (None, None, None)
    assert report["seconds"]["total"] >= report["seconds"]["find"] > 0
    assert [fill["model"] for fill in report["fills"]] == ["harmonic", "harmonic"]


def test_the_artifact_map_can_be_had(mendpix, desk, finder, detector):
    result = mendpix(
        "restore", desk / "old.png", "-o", desk / "out.png", "--finder", finder, "--model", "harmonic",
        "--detector", detector, "--artifacts", desk / "map.png", "--overlay", desk / "over.png",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert pixels(desk / "map.png")[SCRATCH].min() > 60
    assert "artifact score 0." in result.stdout
    assert pixels(desk / "over.png").shape == (HEIGHT, WIDTH, 3)


def test_a_dry_run_writes_the_mask_alone(restore, desk):
    before = content(desk)
    result = restore(desk / "old.png", "--dry-run")
    assert (result.exit_code, result.stderr) == (0, "")
    assert " % would be mended" in result.stdout
    assert content(desk) == before
    result = restore(desk / "old.png", "--dry-run", "--mask-out", desk / "mask.png")
    assert result.stdout.rstrip().endswith(f"where: {desk / 'mask.png'}")
    assert sorted(content(desk)) == ["mask.png", "old.png", "sound.png"]


@pytest.mark.parametrize("refused", [False, True])
def test_marks_show_the_photo_with_red_where_it_is_damaged(restore, desk, refused):
    limit = ("--max-area", "0.01") if refused else ()
    call = ("--dry-run", "--mask-out", desk / "mask.png", "--marks", desk / "marks.png", "--json", *limit)
    result = restore(desk / "old.png", *call)
    assert (result.exit_code, json.loads(result.stdout)["marks"]) == (3 if refused else 0, str(desk / "marks.png"))
    photo, marks, damaged = (pixels(desk / name) for name in ("old.png", "marks.png", "mask.png"))
    np.testing.assert_array_equal(marks[damaged == 0], photo[damaged == 0])
    assert (marks[damaged > 0].astype(int) @ [1, -1, 0] > 60).all()


def test_what_does_nothing_beside_a_mask_is_said(mendpix, desk):
    Image.fromarray(np.zeros(pixels(desk / "old.png").shape[:2], np.uint8)).save(desk / "mine.png")
    call = ("restore", desk / "old.png", "-o", desk / "out.png", "--mask", desk / "mine.png", "--detector", "none")
    plain = mendpix(*call, "--model", "harmonic")
    assert "do nothing" not in plain.stderr
    result = mendpix(*call, "--model", "harmonic", "--preset", "text", "--sensitivity", "0.9")
    assert result.exit_code == 0, result.output
    assert "--preset, --sensitivity do nothing with --mask" in result.stderr


def test_the_mask_may_be_corrected_and_given_back(restore, mendpix, desk):
    restore(desk / "old.png", "--dry-run", "--mask-out", desk / "mask.png")
    mask = pixels(desk / "mask.png").copy()
    mask[40:] = 0
    Image.fromarray(mask).save(desk / "mask.png")
    result = mendpix(
        "restore", desk / "old.png", "-o", desk / "out.png", "--mask", desk / "mask.png", "--model", "harmonic",
        "--detector", "none", "--json", "--max-area", "0.001",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["finder"] is None
    old, out = pixels(desk / "old.png"), pixels(desk / "out.png")
    assert (out[mask == 0] == old[mask == 0]).all()
    assert (out[SCRATCH] < 200).all()


def test_a_sound_photo_is_copied_byte_for_byte(restore, desk):
    result = restore(desk / "sound.png", "-o", desk / "out.png", "--mask-out", desk / "mask.png")
    assert result.exit_code == 0
    assert "nothing to mend" in result.stdout
    assert result.stderr == "note: no damage was found; the picture is unchanged\n"
    assert content(desk)["out.png"] == content(desk)["sound.png"]
    assert not pixels(desk / "mask.png").any()


def test_a_sound_jpeg_is_not_encoded_again(restore, desk):
    with Image.open(desk / "sound.png") as image:
        exif = image.getexif()
        exif[0x0112] = 6
        image.save(desk / "sound.jpg", quality=60, exif=exif)
    assert restore(desk / "sound.jpg", "-o", desk / "out.jpeg").exit_code == 0
    assert content(desk)["out.jpeg"] == content(desk)["sound.jpg"]
    result = restore(desk / "sound.jpg", "-o", desk / "out.png", "--json")
    assert json.loads(result.stdout)["damage_share"] == 0
    assert pixels(desk / "out.png").shape == (WIDTH, HEIGHT, 3)  # turned upright, as everything else is
    assert "JPEG encodes" in restore(desk / "sound.png", "-o", desk / "out.jpg").stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_sound_photo_from_a_pipe_is_not_lost(restore, desk):
    """What came through a pipe cannot be read a second time."""
    pipe, done = desk / "pipe", threading.Event()
    os.mkfifo(pipe)

    def feed() -> None:
        pipe.write_bytes((desk / "sound.png").read_bytes())
        while not done.wait(0.05):  # whoever opens it again finds it empty, and does not wait for ever
            with suppress(OSError):
                os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    result = restore(pipe, "-o", desk / "out.png")
    done.set()
    feeder.join()
    assert result.exit_code == 0, result.output
    assert (pixels(desk / "out.png") == pixels(desk / "sound.png")).all()


def test_too_much_damage_has_exit_code_3_and_leaves_the_mask(restore, desk):
    before = content(desk)
    result = restore(desk / "old.png", "-o", desk / "out.png", "--max-area", "0.01")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.count("\n") == 1
    for word in ("at most 1%", "nothing was changed", "--region", "--sensitivity", "--max-area", "out-mask.png"):
        assert word in result.stderr
    after = content(desk)
    assert set(after) - set(before) == {"out-mask.png"}
    assert (pixels(desk / "out-mask.png")[SCRATCH] == 255).all()
    # A mask that is there may have been corrected by hand.
    assert "out-mask-2.png" in restore(desk / "old.png", "-o", desk / "out.png", "--max-area", "0.01").stderr
    assert content(desk)["out-mask.png"] == after["out-mask.png"]
    result = restore(desk / "old.png", "-o", desk / "out.png", "--mask", desk / "out-mask.png")
    assert result.exit_code == 0, result.output


def test_a_refusal_goes_to_the_mask_that_was_asked_for_and_into_json(restore, desk):
    call = (desk / "old.png", "-o", desk / "out.png", "--max-area", "0.01", "--mask-out", desk / "mask.png")
    result = restore(*call, "--json")
    assert result.exit_code == 3
    report = json.loads(result.stdout)
    assert (report["out"], report["mask_out"]) == (None, str(desk / "mask.png"))
    assert report["damage_share"] > 0.01
    assert "nothing was changed" in report["refused"]
    assert sorted(content(desk)) == ["mask.png", "old.png", "sound.png"]
    result = restore(desk / "old.png", "--dry-run", "--max-area", "0.01")
    assert (result.exit_code, sorted(content(desk))) == (3, ["mask.png", "old.png", "sound.png"])
    assert "--mask-out" in result.stderr


def test_options_reach_the_library(restore, desk):
    def share(*more: object) -> float:
        result = restore(desk / "old.png", "--dry-run", "--json", *more)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)["damage_share"]

    everything = share()
    assert 0 < share("--preset", "scratches") < everything
    assert 0 < share("--preset", "text") < everything
    assert 0 < share("--region", "0,50%,100%,50%") < everything
    assert 0 < share("--region", "0,0,90,30") < everything
    assert share("--sensitivity", "0") < share("--sensitivity", "1", "--max-area", "1")
    assert share("--sensitivity", "50 %", "--max-area", "25%") == everything
    assert share("--sensitivity", "100%", "--max-area", "100%") == share("--sensitivity", "1", "--max-area", "1")


def test_works_without_a_network(mendpix, desk):
    result = mendpix(
        "restore", desk / "old.png", "-o", desk / "out.png", "--finder", "classical", "--preset", "scratches",
        "--model", "harmonic", "--detector", "none",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert pixels(desk / "out.png")[21, 25:65].max() < 200
    result = mendpix("restore", desk / "old.png", "--dry-run", "--finder", "classical", "--preset", "watermark")
    assert_one_sentence(result, "classical", "auto, scratches, text, noise")


def test_defaults_are_those_of_the_library():
    from mendpix.cli.restore import restore

    verb, function = inspect.signature(restore).parameters, inspect.signature(library.restore).parameters
    for name in ("mask", "preset", "sensitivity", "region", "max_area", "dry_run", "finder", "model", "detector"):
        assert verb[name].default == function[name].default, name


def test_quiet_says_nothing(restore, desk):
    result = restore(desk / "old.png", "-o", desk / "out.jpg", "-q")
    assert (result.exit_code, result.output) == (0, "")
    result = restore(desk / "old.png", "-o", desk / "out.jpg")
    assert result.stderr.startswith("note: JPEG encodes the known pixels again")


def test_an_input_is_replaced_only_with_force(restore, desk):
    before = content(desk)
    assert_one_sentence(restore(desk / "old.png", "-o", desk / "old.png"), "--out", "--force")
    assert content(desk) == before
    assert restore(desk / "old.png", "-o", desk / "old.png", "--force").exit_code == 0
    assert content(desk)["old.png"] != before["old.png"]


@pytest.mark.parametrize("option", ["--mask-out", "--marks", "--artifacts", "--overlay"])
def test_no_map_ever_replaces_the_photo(mendpix, desk, option):
    before = content(desk)
    result = mendpix("restore", desk / "old.png", "-o", desk / "out.png", option, desk / "old.png", "--force")
    assert_one_sentence(result, option, "old.png")
    assert "--force" not in result.stderr
    assert content(desk) == before


def test_a_refusal_whose_mask_cannot_be_saved_is_told_all_the_same(restore, desk, monkeypatch):
    def full(*_args, **_kwargs):
        raise library.errors.OutputError("cannot write: the disk is full.")

    monkeypatch.setattr("mendpix.cli.restore.write_map", full)
    result = restore(desk / "old.png", "-o", desk / "out.png", "--max-area", "0.01")
    assert_one_sentence(result, "at most 1%", "nothing was changed", "disk is full")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("no.png", "-o", "out.png"), ("no.png",)),
        (("old.png",), ("-o OUT", "--dry-run")),
        (("old.png", "--dry-run", "-o", "out.png"), ("--dry-run", "--out")),
        (("old.png", "--dry-run", "--overlay", "over.png"), ("--dry-run", "--overlay")),
        (("old.png", "-o", "out.png", "--artifacts", "map.png"), ("detector",)),
        (("old.png", "-o", "out.png", "--mask-out", "mask.jpg"), ("--mask-out", ".png")),
        (("old.png", "-o", "out.png", "--mask-out", "out.png"), ("--out", "--mask-out")),
        (("old.png", "-o", "no/out.png"), ("--out", "no")),
        (("old.png", "-o", "out.nonsense"), (".png",)),
        (("old.png", "-o", "out.png", "--sensitivity", "nan"), ("sensitivity", "nan")),
        (("old.png", "-o", "out.png", "--sensitivity", "1.5"), ("sensitivity",)),
        (("old.png", "-o", "out.png", "--max-area", "0"), ("max_area",)),
        (("old.png", "-o", "out.png", "--max-area", "25"), ("max_area",)),
        (("old.png", "-o", "out.png", "--region", "0,0,91,60"), ("region", "90 × 60")),
        (("old.png", "-o", "out.png", "--region", "1,2,3"), ("region", "four numbers")),
        (("old.png", "-o", "out.png", "--region", ""), ("region", "four numbers")),
        (("old.png", "-o", "out.png", "--mask", "small.png"), ("7 × 5", "90 × 60")),
        (("old.png", "-o", "out.png", "--mask", "no.png"), ("no.png",)),
        (("old.png", "-o", "out.png", "--finder", "no.onnx"), ("no.onnx",)),
        (("old.png", "-o", "out.png", "--finder", "scenes"), ("generator",)),
        (("old.png", "-o", "out.png", "--model", "nonsense"), ("nonsense",)),
    ],
)
@pytest.mark.parametrize("more", [(), ("--json",)], ids=["people", "json"])
def test_refuses_in_one_sentence_and_leaves_nothing(restore, desk, monkeypatch, arguments, words, more):
    monkeypatch.chdir(desk)
    Image.new("L", (7, 5)).save("small.png")
    before = content(desk)
    assert_one_sentence(restore(*arguments, *more), *words)
    assert content(desk) == before


@pytest.mark.parametrize("arguments", [[], ["old.png", "--preset", "scratch"], ["old.png", "--sensitivity", "much"]])
def test_wrong_usage_has_exit_code_2(mendpix, arguments):
    assert mendpix("restore", *arguments).exit_code == 2


@pytest.mark.parametrize("text", ["much", "%", "5%%", "50%5", ""])
@pytest.mark.parametrize("option", ["--sensitivity", "--max-area"])
def test_what_is_no_share_is_answered_with_the_way_to_write_one(mendpix, option, text):
    result = mendpix("restore", "old.png", "-o", "out.png", option, text)
    assert result.exit_code == 2
    assert all(part in result.stderr for part in (option, "0.25 or 25%", repr(text)))


def test_maps_are_not_left_behind_when_the_result_fails(restore, desk, monkeypatch):
    before = content(desk)

    def full(*_args, **_kwargs):
        raise library.errors.OutputError("cannot write: the disk is full.")

    monkeypatch.setattr("mendpix.cli.restore.write_picture", full)
    result = restore(desk / "old.png", "-o", desk / "out.png", "--mask-out", desk / "mask.png")
    assert_one_sentence(result, "disk is full")
    assert content(desk) == before
