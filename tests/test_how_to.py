"""The how-tos: their commands run, their pictures are there, proposed scratch masks hold, printed numbers are so."""

import json
import re
import shlex
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from mendpix.cli.app import main
from mendpix.evaluation.measures import MEASURES, Views

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "examples")]  # programs beside the package, not part of it

import applications  # noqa: E402 - found on the path above
import scratch_mask  # noqa: E402

HOW_TOS = ["remove-objects.md", "remove-text.md", "old-photos.md"]
PICTURES = ROOT / "docs" / "how-to" / "pictures"


def commands(document: str) -> list[str]:
    """Return the lines of a how-to's shell blocks, in order."""
    text = (ROOT / "docs" / "how-to" / document).read_text("utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def render_photo(seed: int = 0) -> np.ndarray:
    """Soft shapes under a light scratch; (64, 96), uint8."""
    generator = np.random.default_rng(seed)
    coarse = np.uint8(generator.uniform(60, 160, (4, 5)))
    photo = cv2.resize(coarse, (96, 64), interpolation=cv2.INTER_CUBIC)
    return cv2.line(photo, (10, 50), (80, 20), 255, 2, cv2.LINE_AA)


def prepare(file: Path) -> None:
    """Make a small picture of the kind that a how-to's file name promises, unless an earlier command made one."""
    if file.exists():
        return
    hole = np.zeros((64, 96), np.uint8)
    hole[24:34, 40:52] = 255
    kinds = {"inverted": 255 - hole, "mask": hole, "painted": hole, "corrected": hole}
    made = next((picture for word, picture in kinds.items() if word in file.stem), render_photo())
    Image.fromarray(made).save(file)


@pytest.mark.parametrize("document", HOW_TOS)
def test_commands_in_the_how_tos_run(document, tmp_path, monkeypatch):
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    lines = commands(document)
    assert len(lines) >= 3
    for line in lines:
        tool, *words = shlex.split(line)
        if tool == "mendpix":
            excluded = [words[words.index("--exclude") + 1]] if "--exclude" in words else []
            for file in words[1:3] + excluded:
                prepare(Path(file))
            before = set(tmp_path.iterdir())
            result = CliRunner().invoke(main, words)
            assert result.exit_code == 0, f"{line}\n{result.output}"
            written = {Path(words[words.index(option) + 1]) for option in ("-o", "--overlay") if option in words}
            assert all(path.is_file() for path in written)
            assert set(tmp_path.iterdir()) - before <= {tmp_path / path for path in written}
        else:
            assert (tool, words[0]) == ("python", "examples/scratch_mask.py"), line
            prepare(Path(words[1]))
            assert scratch_mask.main(words[1:]) == 0, line
            assert Path(words[words.index("-o") + 1]).is_file()


def test_every_illustration_is_made_by_commands_of_its_how_to():
    told = [line for document in HOW_TOS for line in commands(document)]
    for name, page in applications.PAGES.items():
        for row in page.rows:
            for command in row:
                assert command in told, f"{name}: no how-to has {command}"


def test_every_illustration_is_there_small_and_shown():
    pages = [*(ROOT / "docs" / "how-to").glob("*.md"), ROOT / "README.md"]
    text = "".join(page.read_text("utf-8") for page in pages)
    shown = set(re.findall(r"\]\((?:docs/how-to/)?pictures/([a-z-]+\.jpg)\)", text))
    made = {f"{name}.jpg" for name in applications.PAGES}
    assert shown == made | {"restore.jpg", "restore-sound.jpg", "restore-cracks.jpg"}  # by restore_pictures.py
    assert {path.name for path in PICTURES.iterdir()} == shown
    for path in PICTURES.iterdir():
        assert path.stat().st_size <= applications.MOST_BYTES
        with Image.open(path) as picture:
            assert picture.format == "JPEG"


def test_benchmark_commands_in_the_how_tos_are_understood():
    text = "".join((ROOT / "docs" / "how-to" / document).read_text("utf-8") for document in HOW_TOS)
    found = re.findall(r"python benchmarks/applications\.py\s+([^`]*)`", text)
    tasks = {applications.parse(shlex.split(arguments)).task for arguments in found}
    assert tasks == {"pictures", "cases", "scratches"}


@pytest.fixture
def inputs() -> dict[str, dict[str, np.ndarray]]:
    return {name: page.make() for name, page in applications.PAGES.items()}


def test_pages_start_from_photos_and_masks_of_one_size(inputs):
    for name, pictures in inputs.items():
        sizes = {picture.shape[:2] for picture in pictures.values()}
        assert len(sizes) == 1, name
        (height, width) = sizes.pop()
        left, top, right, bottom = applications.PAGES[name].crop or (0, 0, width, height)
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        read = [shlex.split(row[0])[2] for row in applications.PAGES[name].rows]
        assert set(read) <= {f"{name}.png", "examples/scratch_mask.py", "old.png"}
        for file, mask in pictures.items():
            if file != f"{name}.png":
                assert set(np.unique(mask)) == {0, 255}
                share = (mask == (0 if "inverted" in file else 255)).mean()
                assert 0.001 < share < 0.5, file


def test_damage_is_the_same_at_every_run_and_its_truth_is_where_it_is():
    plain = np.full((120, 160), 120, np.uint8)
    damaged, scratched, specked = applications.damage(plain, seed=3)
    again = applications.damage(plain, seed=3)
    assert np.array_equal(damaged, again[0])
    assert not np.array_equal(damaged, applications.damage(plain, seed=4)[0])
    whole = scratched | specked
    assert 0.01 < whole.mean() < 0.3
    off = np.abs(damaged.astype(int) - 120)
    assert off[whole].mean() > 40
    assert off[~applications.grow(whole, 3)].mean() < 5  # grain alone
    assert plain.min() == plain.max() == 120


def test_scratches_on_a_plain_wall_are_found_and_nothing_else():
    wall = np.full((200, 240), 110, np.uint8)
    cv2.line(wall, (20, 30), (200, 90), 200, 2, cv2.LINE_AA)
    cv2.line(wall, (40, 180), (200, 130), 30, 3, cv2.LINE_AA)
    truth = wall != 110
    wall = np.clip(wall + np.random.default_rng(0).normal(0, 4, wall.shape), 0, 255)
    found = scratch_mask.find_scratches(np.float32(wall / 255))
    assert found.dtype == np.float32
    assert set(np.unique(found)) == {0, 1}
    near = applications.grow(truth, 2)
    assert near[found > 0].mean() > 0.9  # a little ragged in the grain
    assert (found > 0)[truth].mean() > 0.9
    light, dark = (scratch_mask.find_scratches(np.float32(wall / 255), tone=tone) for tone in ("light", "dark"))
    assert light[:100].any()
    assert not light[100:].any()
    assert dark[100:].any()
    assert not dark[:100].any()


@pytest.mark.parametrize("what", ["edge", "short", "wide", "faint"])
def test_what_is_no_thin_scratch_is_left_alone(what):
    grey = np.full((120, 120), 0.4, np.float32)
    if what == "edge":
        grey[:, 60:] = 0.9
    elif what == "short":
        grey[60, 50:62] = 1
    elif what == "wide":
        grey[50:66, 10:110] = 1
    else:
        grey[60, 10:110] = 0.43
    assert not scratch_mask.find_scratches(grey).any()


def test_specks_are_marked_only_if_asked_for():
    grey = np.full((80, 80), 0.4, np.float32)
    grey[20:23, 30:33] = 1
    assert not scratch_mask.find_scratches(grey).any()
    specks = scratch_mask.find_scratches(grey, specks=True)
    assert specks[21, 31] == 1
    assert specks.sum() <= 49


def test_the_script_writes_mask_and_look_and_says_how_much(tmp_path, capsys):
    photo, mask, look = tmp_path / "photo.png", tmp_path / "mask.png", tmp_path / "look.png"
    Image.fromarray(render_photo()).save(photo)
    assert scratch_mask.main([str(photo), "-o", str(mask), "--look", str(look)]) == 0
    assert "% of the picture marked" in capsys.readouterr().out
    hole = np.asarray(Image.open(mask))
    assert set(np.unique(hole)) == {0, 255}
    assert hole[35, 45] == 255
    shown = np.asarray(Image.open(look))
    assert np.array_equal((shown == (255, 0, 0)).all(axis=2), hole == 255)


def test_the_script_says_what_is_wrong_and_writes_nothing(tmp_path, capsys):
    plain, out = tmp_path / "plain.png", tmp_path / "mask.png"
    Image.fromarray(np.full((40, 40), 128, np.uint8)).save(plain)
    for arguments, sentence in (
        ([plain, "-o", out], "no scratch was found"),
        ([tmp_path / "none.png", "-o", out], "none.png"),
        ([plain, "-o", plain], "three different files"),
        ([plain, "-o", out, "--look", out], "three different files"),
    ):
        assert scratch_mask.main([str(word) for word in arguments]) == 2
        assert sentence in capsys.readouterr().err
    for wrong in (["--width", "0"], ["--length", "6"], ["--contrast", "1"], ["--tone", "grey"]):
        with pytest.raises(SystemExit):
            scratch_mask.main([str(plain), "-o", str(out), *wrong])
    assert [path.name for path in tmp_path.iterdir()] == ["plain.png"]


def test_the_script_warns_of_a_mask_that_marks_much(tmp_path, capsys):
    fence = np.full((90, 120), 90, np.uint8)
    fence[:, ::8] = 230
    Image.fromarray(fence).save(tmp_path / "fence.png")
    assert scratch_mask.main([str(tmp_path / "fence.png"), "-o", str(tmp_path / "mask.png")]) == 0
    assert "much for scratches" in capsys.readouterr().err


class CopyAll:
    """Stand-in for an inpainter that gives back the truth where it may fill."""

    def __init__(self, truth: np.ndarray) -> None:
        self.truth = truth

    def __call__(self, photo, mask):
        return type("Result", (), {"image": np.where(mask, self.truth, photo)})


def test_measured_shares_and_gains_are_those_of_the_truth(monkeypatch):
    photo = cv2.resize(render_photo(), (240, 160))
    _, scratched, specked = applications.damage(photo, 0)
    monkeypatch.setattr(applications, "propose", lambda damaged: scratched.copy())
    found = applications.measure_scratches(photo, 0, CopyAll(photo))
    assert found.precision == found.recall == 1
    assert found.marked == scratched.mean()
    damaged, proposed, rubbed, painted = found.psnr_db
    assert damaged < proposed <= rubbed + 1e-9
    assert proposed < painted  # which covers soft edges and specks as well

    monkeypatch.setattr(applications, "propose", lambda damaged: ~applications.grow(scratched | specked, 4))
    wrong = applications.measure_scratches(photo, 0, CopyAll(np.full_like(photo, 255)))
    assert wrong.precision == wrong.recall == 0
    assert wrong.psnr_db[1] < wrong.psnr_db[0] == wrong.psnr_db[2]  # nothing left once it is rubbed out


def test_sheets_put_cropped_pictures_side_by_side():
    row = [np.full((20, 30, 3), value, np.uint8) for value in (10, 20, 30, 40)]
    page = np.asarray(applications.sheet([row, row], crop=(5, 0, 25, 10), shown=1))
    assert page.shape == (2 * 10 + applications.GAP_PX, 4 * 20 + 3 * applications.GAP_PX, 3)
    assert page[0, 0, 0] == 10
    assert page[-1, -1, 0] == 40
    assert page[0, 20, 0] == page[10, 0, 0] == 255
    assert np.asarray(applications.sheet([row], None, shown=0.5)).shape == (10, 4 * 15 + 3 * applications.GAP_PX, 3)


def test_real_cases_are_run_by_the_options_of_the_how_tos_and_stay_outside(tmp_path):
    for name in ("removal/dog.png", "removal/dog-mask.png", "text/a b.png", "text/a b-mask.png", "old-photos/o.png"):
        (tmp_path / "cases" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(render_photo()).save(tmp_path / "cases" / name)
    rows = applications.case_rows(tmp_path / "cases", tmp_path / "out")
    assert list(rows) == ["removal-dog", "text-a b", "old-o"]
    assert all("--invert-mask" in command for row in rows["text-a b"] for command in row)
    assert any("--model scenes" in command for row in rows["removal-dog"] for command in row)
    assert all(len(row) == 2 and "scratch_mask.py" in row[0] for row in rows["old-o"])
    for name in rows:
        for row in rows[name]:
            words = shlex.split(row[-1])
            assert Path(words[2]).is_file(), row
    with pytest.raises(SystemExit, match="outside"):
        applications.run_cases(tmp_path / "cases", ROOT / "docs" / "cases")
    assert not (ROOT / "docs" / "cases").exists()
    with pytest.raises(SystemExit, match="holds none"):
        applications.case_rows(tmp_path / "nowhere", tmp_path)


def test_pictures_are_made_and_kept_small(tmp_path, capsys, monkeypatch):
    page = applications.Page(
        lambda: {"a.png": render_photo(), "a-mask.png": np.uint8(255 * (render_photo() > 240))},
        (("mendpix inpaint a.png a-mask.png -o b.png --overlay c.png",),),
    )
    monkeypatch.setattr(applications, "PAGES", {"a": page})
    applications.make_pictures(tmp_path / "out", tmp_path / "work", ["a"])
    with Image.open(tmp_path / "out" / "a.jpg") as made:
        assert made.size == (4 * 96 + 3 * applications.GAP_PX, 64)
    assert {"a.png", "a-mask.png", "b.png", "c.png"} == {path.name for path in (tmp_path / "work").iterdir()}
    assert "$ mendpix inpaint a.png" in capsys.readouterr().out
    noise = np.random.default_rng(0).integers(0, 256, (400, 800, 3), np.uint8)
    with pytest.raises(SystemExit, match="Crop it"):
        applications.save_small(Image.fromarray(noise), tmp_path / "noise.jpg")


def test_a_command_that_fails_stops_with_its_sentence(tmp_path):
    with pytest.raises(SystemExit, match=r"none\.png"):
        applications.run("mendpix inpaint none.png none.png -o out.png", tmp_path)


def test_what_the_how_to_of_evaluations_says_works_and_results_of_opencv_are_those_of_telea(tmp_path, monkeypatch):
    """Its commands and its Python between them, in order, under a protocol with little to do."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    protocol = (ROOT / "protocols" / "example.toml").read_text("utf-8")
    protocol = re.sub(r"^size_px = .*$", "size_px = [64, 96]", protocol, flags=re.MULTILINE)
    protocol = re.sub(r"^metrics = .*$", 'metrics = ["psnr", "ssim-gaussian-11", "l1"]', protocol, flags=re.MULTILINE)
    (tmp_path / "protocols").mkdir()
    (tmp_path / "protocols" / "example.toml").write_text(protocol, encoding="utf-8")
    (tmp_path / "protocol.toml").write_text(protocol.replace("../examples", "examples"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "how-to" / "evaluate.md").read_text("utf-8")
    steps = re.findall(r"^    (mendpix [^\n]*)$|^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert [bool(command) for command, _ in steps] == [True, True, False, True, False]
    printed = []
    for command, block in steps:
        if command:
            result = CliRunner().invoke(main, [*shlex.split(command)[1:], "--json", "--quiet"])
            assert result.exit_code == 0, f"{command}\n{result.output}"
            printed.append(json.loads(result.stdout))
        else:
            exec(compile(block, "evaluate.md", "exec"), {})
    first, pairs, both = printed
    assert set(first["means"]) == {"scenes", "telea"}
    assert pairs["pairs_dir"] == "pairs"
    assert both["means"]["opencv"] == both["means"]["telea"]
    assert both["altered"] == {"opencv": 0, "telea": 0}
    assert Path(first["page"]).is_file()


def test_the_numbers_by_which_the_measures_are_told_apart_are_so():
    """The table of docs/concepts/metrics.md, from the photo, the mask and the fill that it names."""
    text = (ROOT / "docs" / "concepts" / "metrics.md").read_text("utf-8").partition("A factor of")[0]
    table = dict(re.findall(r"`([a-z0-9-]+)` \| ([0-9.]+)", text))
    assert len(table) == 12
    with Image.open(ROOT / "examples" / "photo.jpg") as file:
        photo = np.asarray(file.convert("RGB"))
    with Image.open(ROOT / "examples" / "mask.png") as file:
        hole = np.uint8(np.asarray(file.convert("L")) > 127)
    radius, share = re.findall(r"radius of ([0-9]+) px, ([0-9.]+) % of the picture missing", text.replace("\n", " "))[0]
    assert f"{100 * hole.mean():.1f}" == share
    holed = photo * (hole == 0)[..., None]
    filled = cv2.inpaint(holed[..., ::-1].copy(), hole, int(radius), cv2.INPAINT_TELEA)[..., ::-1]
    views = Views(np.float32(photo) / np.float32(255), np.float32(filled) / np.float32(255), np.float32(hole))
    for name, printed in table.items():
        value = MEASURES[name].compute(views)
        assert f"{value:.{len(printed.partition('.')[2])}f}" == printed, name
    values = {name: float(printed) for name, printed in table.items()}
    assert round(values["l1-hole"] / values["l1"]) == 12  # the factor in the sentence below
