import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mendpix as library
from tiny_models import flat_generator

CLASSICAL = ("--model", "harmonic", "--detector", "none")


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def change(path: Path, how: Callable[[Image.Image], Image.Image]) -> None:
    with Image.open(path) as image:
        changed = how(image)
    changed.save(path)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_one_sentence(result, *words: str) -> None:
    """Exit code 2, nothing on stdout, and one line on stderr that holds every one of `words`."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("mendpix: ")
    assert result.stderr.count("\n") == 1
    assert result.stderr.endswith("\n")
    for word in words:
        assert word in result.stderr, result.stderr


# What it does


def test_fills_the_hole_and_leaves_the_rest(mendpix, folder):
    result = mendpix("inpaint", folder / "photo.png", folder / "mask.png", "-o", folder / "out.png", *CLASSICAL)
    assert result.exit_code == 0, result.output
    photo, mask, out = (pixels(folder / name) for name in ("photo.png", "mask.png", "out.png"))
    assert out.dtype == photo.dtype
    assert (out[mask == 0] == photo[mask == 0]).all()
    expected = library.inpaint(photo, mask, model="harmonic", detector=None).image
    assert (out == expected).all()
    assert sorted(path.name for path in folder.iterdir()) == ["mask.png", "out.png", "photo.png"]


def test_finishes_fills(mendpix, folder):
    arguments = ("inpaint", folder / "photo.png", folder / "mask.png", "-o", folder / "out.png", "--detector", "none")
    model = ("--model", flat_generator(folder / "flat.onnx"))
    outs: list[np.ndarray] = []
    for finish in ("none", "poisson"):
        result = mendpix(*arguments, *model, "--finish", finish, "-f")
        assert result.exit_code == 0, result.output
        outs.append(pixels(folder / "out.png").astype(int))
    photo, mask = pixels(folder / "photo.png").astype(int), pixels(folder / "mask.png")
    assert all((out[mask == 0] == photo[mask == 0]).all() for out in outs)
    off = [np.abs(out - photo)[mask > 0].mean() for out in outs]
    assert off[1] < off[0] / 2  # grey everywhere, then smooth from border to border
    assert mendpix(*arguments, "--finish", "telea").exit_code == 2


def test_says_in_one_line_what_it_did(mendpix, folder):
    out = folder / "out.png"
    result = mendpix("inpaint", folder / "photo.png", folder / "mask.png", "-o", out, *CLASSICAL)
    assert result.stderr == ""
    assert result.stdout.startswith(f"{out}: 56 × 40 px, 5.4 % filled by harmonic in ")
    assert result.stdout.count("\n") == 1


def test_says_the_artifact_score_and_where_the_map_lies(mendpix, folder, detector):
    result = mendpix(
        "inpaint", folder / "photo.png", folder / "mask.png", "-o", folder / "out.png",
        "--model", "harmonic", "--detector", detector,
        "--artifacts", folder / "map.png", "--overlay", folder / "over.png",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    out, mask = pixels(folder / "out.png"), pixels(folder / "mask.png")
    doubt, over = pixels(folder / "map.png"), pixels(folder / "over.png")
    assert doubt.dtype == np.uint8
    assert doubt.shape == mask.shape
    assert (doubt[mask == 0] == 0).all()
    np.testing.assert_allclose(doubt[mask > 0], out[mask > 0].mean(axis=1), atol=1)
    assert (over[mask == 0] == out[mask == 0]).all()
    assert (over[mask > 0] != out[mask > 0]).any()
    score = out[mask > 0].mean() / 255
    first, second = result.stdout.splitlines()
    assert "filled by harmonic" in first
    assert float(second.split()[2]) == pytest.approx(score, abs=0.003)
    assert second.endswith(f"where: {folder / 'map.png'}")


def test_json_is_one_object_and_all_of_stdout(mendpix, folder, detector):
    out, doubt = folder / "out.png", folder / "map.png"
    result = mendpix(
        "inpaint", folder / "photo.png", folder / "mask.png", "-o", out, "--json",
        "--model", "harmonic", "--detector", detector, "--artifacts", doubt, "--dilate", 2,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert result.stdout.count("\n") == 1
    report = json.loads(result.stdout)
    assert report["out"] == str(out)
    assert report["artifacts"] == str(doubt)
    assert report["overlay"] is None
    assert (report["width"], report["height"], report["model"]) == (56, 40, "harmonic")
    assert report["hole_share"] > 120 / (40 * 56)
    assert 0 < report["artifact_score"] < 1
    assert report["notes"] == []
    assert report["seconds"]["total"] >= report["seconds"]["fill"] > 0


def test_json_has_null_for_a_score_that_nobody_asked_for(mendpix, folder):
    result = mendpix("inpaint", folder / "photo.png", folder / "mask.png", "-o", folder / "o.png", "--json", *CLASSICAL)
    report = json.loads(result.stdout)
    assert report["artifact_score"] is None
    assert report["detector"] is None


def test_quiet_says_nothing(mendpix, folder):
    result = mendpix("inpaint", folder / "photo.png", folder / "mask.png", "-o", folder / "o.jpg", "-q", *CLASSICAL)
    assert (result.exit_code, result.output) == (0, "")
    assert (folder / "o.jpg").is_file()


def test_dilate_and_invert_reach_the_library(mendpix, folder):
    Image.fromarray(255 - pixels(folder / "mask.png")).save(folder / "inverse.png")
    share = {}
    for name, more in {"mask": (), "inverse": ("--invert-mask",), "wide": ("--dilate", 3)}.items():
        path = folder / f"{name}.png" if name != "wide" else folder / "mask.png"
        result = mendpix("inpaint", folder / "photo.png", path, "-o", folder / "o.png", "--json", *CLASSICAL, *more)
        share[name] = json.loads(result.stdout)["hole_share"]
    assert share["mask"] == share["inverse"] == pytest.approx(120 / (40 * 56))
    assert share["wide"] > 1.5 * share["mask"]


def test_jpeg_output_comes_with_a_note_on_stderr(mendpix, folder):
    result = mendpix("inpaint", folder / "photo.png", folder / "mask.png", "-o", folder / "o.jpg", *CLASSICAL)
    assert result.exit_code == 0
    assert result.stderr.startswith("note: JPEG encodes the known pixels again")


@pytest.mark.parametrize(
    ("photo", "out", "note"),
    [
        ("photo.png", "o.JPG", "JPEG"), ("photo.png", "o.avif", "AVIF"), ("photo.jpg", "o.webp", "WebP"),
        ("photo.png", "o.webp", None), ("photo.jpg", "o.png", None), ("photo.png", "o.tif", None),
    ],
)  # fmt: skip
def test_a_note_comes_where_known_pixels_are_encoded_again(mendpix, folder, photo, out, note):
    with Image.open(folder / "photo.png") as image:
        image.save(folder / "photo.jpg")
    result = mendpix("inpaint", folder / photo, folder / "mask.png", "-o", folder / out, "--json", *CLASSICAL)
    assert result.exit_code == 0, result.output
    known = pixels(folder / "mask.png") == 0
    same = (pixels(folder / out)[known] == pixels(folder / photo)[known]).all()
    assert same == (note is None)
    assert [words.split()[0] for words in json.loads(result.stdout)["notes"]] == ([note] if note else [])
    assert result.stderr == ""


def test_defaults_are_those_of_the_library(mendpix):
    import inspect

    from mendpix.cli.detect import detect
    from mendpix.cli.inpaint import inpaint

    verb, function = inspect.signature(inpaint).parameters, inspect.signature(library.Inpainter.__init__).parameters
    assert verb["model"].default == function["model"].default
    assert verb["detector"].default == function["detector"].default
    assert (
        inspect.signature(detect).parameters["model"].default
        == inspect.signature(library.detect).parameters["model"].default
    )


def test_a_result_replaces_an_older_one(mendpix, folder):
    (folder / "out.png").write_bytes(b"old")
    result = mendpix("inpaint", folder / "photo.png", folder / "mask.png", "-o", folder / "out.png", *CLASSICAL)
    assert result.exit_code == 0
    assert pixels(folder / "out.png").shape == (40, 56, 3)


@pytest.mark.parametrize("name", ["photo.png", "mask.png"])
def test_an_input_is_replaced_only_with_force(mendpix, folder, name):
    before = content(folder)
    call = ("inpaint", folder / "photo.png", folder / "mask.png", "-o", folder / "." / name, *CLASSICAL)
    assert_one_sentence(mendpix(*call), "--out", name, "--force")
    assert content(folder) == before
    result = mendpix(*call, "--force")
    assert result.exit_code == 0, result.output
    assert sorted(content(folder)) == sorted(before)
    assert content(folder)[name] != before[name]


# Hole by hole


def scratched(folder: Path) -> None:
    """Draw a scratch under the hole, which makes it hole 2."""
    change(
        folder / "mask.png",
        lambda mask: Image.fromarray(np.where(np.arange(40)[:, None] == 35, 255, np.asarray(mask)).astype(np.uint8)),
    )


def test_the_method_of_each_hole_is_told_and_may_be_chosen(mendpix, folder):
    scratched(folder)
    call = ("inpaint", folder / "photo.png", folder / "mask.png", "-o", folder / "o.png", "--detector", "none")
    result = mendpix(*call, "--hole", "1=telea")
    assert result.exit_code == 0, result.output
    first, *methods = result.stdout.splitlines()
    assert "filled by auto in" in first
    assert methods == ["auto: hole 1 (asked for) by telea", "auto: hole 2 (thin: 1 px) by scenes"]
    report = json.loads(mendpix(*call, "--hole", "1=telea", "--hole", "2=harmonic", "--json").stdout)
    assert [(fill["number"], fill["model"], fill["cause"]) for fill in report["fills"]] == [
        (1, "telea", "asked"), (2, "harmonic", "asked"),
    ]  # fmt: skip
    assert report["fills"][0]["box"] == {"top": 12, "left": 20, "bottom": 22, "right": 32}


def test_a_plain_model_is_told_in_one_line_and_listed_in_json(mendpix, folder):
    call = ("inpaint", folder / "photo.png", folder / "mask.png", "-o", folder / "o.png", *CLASSICAL)
    assert mendpix(*call).stdout.count("\n") == 1
    (fill,) = json.loads(mendpix(*call, "--json").stdout)["fills"]
    assert (fill["model"], fill["cause"], fill["surroundings"]) == ("harmonic", "model", None)


def test_the_plan_is_printed_and_nothing_written(mendpix, folder):
    scratched(folder)
    before = content(folder)
    result = mendpix("inpaint", folder / "photo.png", folder / "mask.png", "--plan", "--hole", "1=telea")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "hole 1: 12 × 10 px at 20, 12: telea (asked for)\nhole 2: 56 × 1 px at 0, 35: scenes (thin: 1 px)\n"
    )
    report = json.loads(mendpix("inpaint", folder / "photo.png", folder / "mask.png", "--plan", "--json").stdout)
    assert [fill["number"] for fill in report["fills"]] == [1, 2]
    assert mendpix("inpaint", folder / "photo.png", folder / "mask.png", "--plan", "-q").output == ""
    assert content(folder) == before


def test_the_plan_takes_what_is_excluded(mendpix, folder):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (256, 256, 3), np.uint8)).save(folder / "photo.png")
    mask, excluded = np.zeros((256, 256), np.uint8), np.full((256, 256), 255, np.uint8)
    mask[80:160, 80:160] = 255
    excluded[:4] = 0
    Image.fromarray(mask).save(folder / "mask.png")
    Image.fromarray(excluded).save(folder / "elsewhere.png")
    call = ("inpaint", folder / "photo.png", folder / "mask.png", "--plan", "--exclude", folder / "elsewhere.png")
    result = mendpix(*call)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "too little around it to copy from" in result.stdout
    assert json.loads(mendpix(*call, "--json").stdout)["fills"][0]["cause"] == "bare"


def test_what_is_excluded_reaches_the_library(mendpix, folder):
    black = Image.new("L", (56, 40))
    black.save(folder / "nothing.png")
    call = ("inpaint", folder / "photo.png", folder / "mask.png", "-o", folder / "o.png", "--detector", "none")
    result = mendpix(*call, "--exclude", folder / "nothing.png")
    assert result.exit_code == 0, result.output
    assert result.stderr == "note: nothing was copied into any hole\n"
    assert_one_sentence(mendpix(*call, "--exclude", folder / "no.png"), "no.png")
    assert_one_sentence(mendpix(*call, "--exclude", folder / "nothing.png", "--model", "telea"), "telea", "copies")
    assert_one_sentence(
        mendpix(*call[:4], folder / "nothing.png", "--exclude", folder / "nothing.png"), "--out", "input"
    )


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("-o", "out.png", "--plan"), ("--plan", "--out")),
        (("--plan", "--exclude", "small.png"), ("what is excluded", "size")),
        ((), ("-o OUT", "--plan")),
        (("-o", "out.png", "--hole", "2=telea"), ("hole 2", "hole 1 only", "--plan")),
        (("-o", "out.png", "--hole", "telea"), ("--hole", "2=scenes")),
        (("-o", "out.png", "--hole", "1=nonsense"), ("nonsense", "scenes")),
        (("-o", "out.png", "--hole", "1=scenes-detector"), ("detector",)),
    ],
)
def test_refuses_what_makes_no_sense_hole_by_hole(mendpix, folder, more, words, monkeypatch):
    monkeypatch.chdir(folder)
    Image.new("L", (7, 5)).save("small.png")
    before = content(folder)
    assert_one_sentence(mendpix("inpaint", "photo.png", "mask.png", *more), *words)
    assert content(folder) == before


# What it refuses: exit code 2, one sentence, the folder as it was


def missing_photo(folder: Path) -> list[object]:
    return [folder / "no.png", folder / "mask.png"]


def photo_is_text(folder: Path) -> list[object]:
    (folder / "photo.png").write_text("this is no picture")
    return [folder / "photo.png", folder / "mask.png"]


def photo_cut_short(folder: Path) -> list[object]:
    data = (folder / "photo.png").read_bytes()
    (folder / "photo.png").write_bytes(data[: len(data) // 2])
    return [folder / "photo.png", folder / "mask.png"]


def photo_is_a_folder(folder: Path) -> list[object]:
    return [folder, folder / "mask.png"]


def missing_mask(folder: Path) -> list[object]:
    return [folder / "photo.png", folder / "no.png"]


def mask_of_another_size(folder: Path) -> list[object]:
    change(folder / "mask.png", lambda mask: mask.resize((28, 20)))
    return [folder / "photo.png", folder / "mask.png"]


def empty_mask(folder: Path) -> list[object]:
    Image.new("L", (56, 40)).save(folder / "mask.png")
    return [folder / "photo.png", folder / "mask.png"]


def full_mask(folder: Path) -> list[object]:
    Image.new("L", (56, 40), 255).save(folder / "mask.png")
    return [folder / "photo.png", folder / "mask.png"]


def mask_is_a_photo(folder: Path) -> list[object]:
    return [folder / "photo.png", folder / "photo.png"]


def folder_missing(folder: Path) -> list[object]:
    return [folder / "photo.png", folder / "mask.png", "-o", folder / "no" / "out.png"]


def out_is_a_folder(folder: Path) -> list[object]:
    return [folder / "photo.png", folder / "mask.png", "-o", folder]


def out_has_no_suffix(folder: Path) -> list[object]:
    return [folder / "photo.png", folder / "mask.png", "-o", folder / "out"]


def out_cannot_hold_transparency(folder: Path) -> list[object]:
    change(folder / "photo.png", lambda photo: photo.convert("RGBA"))
    return [folder / "photo.png", folder / "mask.png", "-o", folder / "out.jpg"]


def out_is_a_device(folder: Path) -> list[object]:
    return [folder / "photo.png", folder / "mask.png", "-o", "/dev/null"]


def map_folder_missing(folder: Path) -> list[object]:
    return [folder / "photo.png", folder / "mask.png", "--artifacts", folder / "no" / "map.png"]


def map_is_no_png(folder: Path) -> list[object]:
    return [folder / "photo.png", folder / "mask.png", "--artifacts", folder / "map.jpg"]


def map_is_the_result(folder: Path) -> list[object]:
    return [folder / "photo.png", folder / "mask.png", "--artifacts", folder / "out.png"]


def map_without_detector(folder: Path) -> list[object]:
    return [folder / "photo.png", folder / "mask.png", "--artifacts", folder / "map.png"]


def unknown_model(folder: Path) -> list[object]:
    return [folder / "photo.png", folder / "mask.png", "--model", "harmonica"]


def model_file_missing(folder: Path) -> list[object]:
    return [folder / "photo.png", folder / "mask.png", "--model", folder / "no.onnx"]


def model_file_broken(folder: Path) -> list[object]:
    (folder / "broken.onnx").write_bytes(b"no model")
    return [folder / "photo.png", folder / "mask.png", "--model", folder / "broken.onnx"]


REFUSED: dict[Callable[[Path], list[object]], tuple[str, ...]] = {
    missing_photo: ("no.png",),
    photo_is_text: ("photo.png",),
    photo_cut_short: ("photo.png",),
    photo_is_a_folder: ("folder",),
    missing_mask: ("no.png",),
    mask_of_another_size: ("28", "20", "56", "40"),
    empty_mask: ("white", "invert"),
    full_mask: ("known",),
    mask_is_a_photo: ("photo", "swapped"),
    folder_missing: ("--out", "no"),
    out_is_a_folder: ("--out", "folder"),
    out_has_no_suffix: ("out", ".png"),
    out_cannot_hold_transparency: ("JPEG", "out.png"),
    out_is_a_device: ("--out", "/dev/null"),
    map_folder_missing: ("--artifacts", "no"),
    map_is_no_png: ("--artifacts", "map.jpg", ".png"),
    map_is_the_result: ("--out", "--artifacts"),
    map_without_detector: ("detector",),
    unknown_model: ("harmonica", "navier-stokes"),
    model_file_missing: ("no.onnx",),
    model_file_broken: ("broken.onnx",),
}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.__name__)
@pytest.mark.parametrize("as_json", [False, True], ids=["people", "json"])
def test_refuses_in_one_sentence_and_leaves_nothing(mendpix, folder, case, as_json):
    arguments = case(folder)
    before = content(folder)
    out = () if "-o" in arguments else ("-o", folder / "out.png")
    result = mendpix("inpaint", *CLASSICAL, *arguments, *out, *(["--json"] if as_json else []))
    assert_one_sentence(result, *REFUSED[case])
    assert content(folder) == before


@pytest.mark.parametrize(
    "case", [folder_missing, out_is_a_folder, out_has_no_suffix, out_cannot_hold_transparency, map_folder_missing]
)
def test_places_are_looked_at_before_the_work(mendpix, folder, case, monkeypatch):
    def too_early(*_args, **_kwargs):
        raise AssertionError("the work began")

    monkeypatch.setattr("mendpix.cli.inpaint.Inpainter", too_early)
    out = () if case is not map_folder_missing else ("-o", folder / "out.png")
    assert mendpix("inpaint", *case(folder), *out).exit_code == 2


def test_a_write_protected_folder_is_refused(mendpix, folder, monkeypatch):
    monkeypatch.setattr("mendpix.cli.outputs.os.access", lambda path, mode: False)  # root may write anywhere
    result = mendpix("inpaint", folder / "photo.png", folder / "mask.png", "-o", folder / "out.png", *CLASSICAL)
    assert_one_sentence(result, "--out", "write-protected")


@pytest.mark.parametrize("older", [None, b"older result"], ids=["new", "over an older file"])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(mendpix, folder, monkeypatch, older):
    if older:
        (folder / "out.png").write_bytes(older)
    before = content(folder)
    write_bytes = Path.write_bytes

    def half_then_full(self: Path, data: bytes) -> int:
        write_bytes(self, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", half_then_full)
    result = mendpix("inpaint", folder / "photo.png", folder / "mask.png", "-o", folder / "out.png", *CLASSICAL)
    assert_one_sentence(result, "out.png", "disk is full")
    monkeypatch.undo()
    assert content(folder) == before


def test_a_map_is_not_left_behind_when_the_result_fails(mendpix, folder, detector, monkeypatch):
    before = content(folder)
    replace = os.replace

    def all_but_the_result(source, target):
        if Path(target).name == "out.png":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    monkeypatch.setattr(os, "replace", all_but_the_result)
    result = mendpix(
        "inpaint", folder / "photo.png", folder / "mask.png", "-o", folder / "out.png", "--model", "harmonic",
        "--detector", detector, "--artifacts", folder / "map.png", "--overlay", folder / "over.png",
    )  # fmt: skip
    assert_one_sentence(result, "out.png", "disk is full")
    assert content(folder) == before


def test_too_little_memory_is_one_sentence(mendpix, folder, monkeypatch):
    def too_large(*_args, **_kwargs):
        raise MemoryError

    monkeypatch.setattr("mendpix.cli.inpaint.Inpainter", too_large)
    result = mendpix("inpaint", folder / "photo.png", folder / "mask.png", "-o", folder / "out.png")
    assert_one_sentence(result, "memory")


def test_a_bug_of_ours_is_no_sentence(mendpix, folder, monkeypatch):
    def broken(*_args, **_kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr("mendpix.cli.inpaint.Inpainter", broken)
    result = mendpix("inpaint", folder / "photo.png", folder / "mask.png", "-o", folder / "out.png")
    assert result.exit_code == 1
    assert isinstance(result.exception, ZeroDivisionError)


@pytest.mark.parametrize(
    "arguments", [[], ["photo.png"], ["photo.png", "mask.png"], ["a", "b", "-o", "c", "--dilate", "-1"]]
)
def test_wrong_usage_has_exit_code_2(mendpix, arguments):
    assert mendpix("inpaint", *arguments).exit_code == 2


# As a process


def process(*arguments: object, code: str = "", **options) -> subprocess.Popen:
    script = f"{code}\nfrom mendpix.cli.app import main\nmain(prog_name='mendpix')"
    command = [sys.executable, "-c", script, *map(str, arguments)]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, **pipes, **options)


def test_runs_as_a_module_without_torch(folder):
    out = folder / "out.png"
    call = [sys.executable, "-X", "importtime", "-m", "mendpix", "inpaint", folder / "photo.png", folder / "mask.png"]
    done = subprocess.run([*call, "-o", out, *CLASSICAL], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{out}: 56 × 40 px")
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "mendpix.inference.inpainter" in imported
    assert not imported & {"torch", "onnx", "skimage", "mendpix.networks", "mendpix.training", "mendpix.data"}


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="file size limits are a POSIX matter")
def test_a_write_that_the_system_cuts_off_leaves_nothing(folder):
    before = content(folder)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))"
    call = ("inpaint", folder / "photo.png", folder / "mask.png", "-o", folder / "out.png", *CLASSICAL)
    child = process(*call, code=limit)
    _, stderr = child.communicate(timeout=60)
    assert child.returncode == 2, stderr
    assert stderr.count("\n") == 1
    assert "out.png" in stderr
    assert content(folder) == before


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT is a POSIX matter")
def test_ctrl_c_has_exit_code_130_and_leaves_nothing(folder, detector):
    before = content(folder)
    hang_at_the_end = (
        "import signal, sys, time, mendpix.cli.inpaint as verb\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # who started the tests may ignore it
        "def hang(*_, **__):\n    print('hanging', flush=True); time.sleep(60)\n"
        "verb.write_picture = hang"
    )
    child = process(
        "inpaint", folder / "photo.png", folder / "mask.png", "-o", folder / "out.png", "--model", "harmonic",
        "--detector", detector, "--artifacts", folder / "map.png", code=hang_at_the_end,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "hanging\n"
    assert len(content(folder)) == len(before) + 1  # the map, under a temporary name
    child.send_signal(signal.SIGINT)
    _, stderr = child.communicate(timeout=60)
    assert (child.returncode, stderr) == (130, "mendpix: Stopped.\n")
    assert content(folder) == before


def test_a_terminal_without_unicode_gets_escapes_not_a_traceback(folder):
    child = process(
        "inpaint", folder / "photo.png", folder / "mask.png", "-o", folder / "ä.png", *CLASSICAL,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )  # fmt: skip
    stdout, stderr = child.communicate(timeout=60)
    assert (child.returncode, stderr) == (0, "")
    assert "\\xe4.png: 56 \\xd7 40 px" in stdout
