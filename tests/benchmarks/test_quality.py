"""The three evaluations, their documents and their verdict, on a few small pictures made here."""

import csv
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import quality
from mendpix.evaluation.protocol import load_protocol
from mendpix.evaluation.statistics import Difference, Estimate
from tiny_models import brightness_detector, grey_generator

SIDE = 64
SHARES = (0.05, 0.25, 0.55)


@pytest.fixture
def shared(tmp_path):
    """A folder like the shared one: two photos of one kind, one of the others, two faces, masks in three bins."""
    folder = tmp_path / "shared"
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for name, count in (("bsds", 2), ("coco", 1), ("kodak", 1), ("faces", 2)):
        (folder / "validation" / name).mkdir(parents=True)
        for number in range(count):
            slopes = np.stack([columns * 3, rows * 3, 200 - columns * 2], axis=2) + rng.integers(0, 40, (SIDE, SIDE, 1))
            Image.fromarray(slopes.astype(np.uint8)).save(folder / "validation" / name / f"{number}.png")
    (folder / "validation" / "masks").mkdir()
    for share in SHARES:
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[4 : 4 + round(share * SIDE)] = 255
        Image.fromarray(mask).save(folder / "validation" / "masks" / f"{share}.png")
    return folder


@pytest.fixture
def runs(tmp_path):
    """A folder of trained variants: one for each set of pictures, and its detector."""
    for name in ("scenes", "faces"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        grey_generator(tmp_path / "runs" / name / "det.onnx")
        brightness_detector(tmp_path / "runs" / name / "det-detector.onnx")
    return tmp_path / "runs"


@pytest.fixture
def program(shared, runs, tmp_path, monkeypatch):
    """Run the program under the committed protocols, but for their size, with two pictures in the slow part."""
    (tmp_path / "protocols").mkdir()
    for path in quality.PROTOCOLS.glob("*-256.toml"):
        text = path.read_text(encoding="utf-8")
        assert "size_px = [256, 256]" in text
        changed = text.replace("size_px = [256, 256]", f"size_px = [{SIDE}, {SIDE}]")
        (tmp_path / "protocols" / path.name).write_text(changed, encoding="utf-8")
    monkeypatch.setattr(quality, "PROTOCOLS", tmp_path / "protocols")
    # No pictures of the slow part: OpenCV's shift map reads beyond its arrays, and in small ones finds what lies there.
    monkeypatch.setitem(quality.PARTS, "slow", replace(quality.PARTS["slow"], pictures=2, cases=0))
    monkeypatch.setitem(quality.PARTS, "scenes", replace(quality.PARTS["scenes"], cases=2))

    def run(*arguments):
        places = ("--shared", shared, "--runs", runs, "--report", tmp_path / "report", "--docs", tmp_path / "docs")
        quality.main([*map(str, places), "--workers", "1", *arguments])

    return run


def contents(folder):
    """Every file but the rows, which come in any order."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != "rows")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.slow
def test_three_reports_and_their_documents_come_out_twice_the_same(program, tmp_path, capsys):
    pytest.importorskip("skimage", reason="the biharmonic fill needs scikit-image")
    program()
    printed = capsys.readouterr().out
    first = contents(tmp_path / "report") | contents(tmp_path / "docs")
    assert {f"{name}/index.html" for name in quality.PARTS} <= set(first)
    documents = contents(tmp_path / "docs")
    plots = {f"plots/{name}-psnr{kind}.svg" for name in quality.PARTS for kind in ("", "-differences")}
    assert {f"{name}.{kind}" for name in quality.PARTS for kind in ("md", "csv")} | plots <= set(documents)
    for name, content in documents.items():
        assert name.endswith((".md", ".csv", ".svg"))
        assert b"data:image" not in content, f"{name} holds a picture"
        assert str(tmp_path).encode() not in content
        if name.endswith(".md"):
            assert set(re.findall(r"\]\(((?!https?:|\.\./)[^)]+)\)", content.decode())) <= set(documents)
    assert "pictures: 4 of 4" in documents["scenes.md"].decode()
    assert "pictures: 2 of 4" in documents["slow.md"].decode()
    assert "| biharmonic |" in documents["slow.md"].decode()
    assert "results were measured before" not in printed

    program()
    printed = capsys.readouterr().out
    assert printed.count("results were measured before") == len(quality.PARTS)
    for count in (4 * 3 * 5, 2 * 3 * 6, 2 * 3 * 5):
        assert f"{count} of {count} results were measured before" in printed
    assert contents(tmp_path / "report") | contents(tmp_path / "docs") == first


def test_the_verdict_follows_from_the_means(program, tmp_path, capsys):
    program("--only", "faces")
    with (tmp_path / "docs" / "faces.csv").open(encoding="utf-8", newline="") as file:
        means = {(row["model"], row["measure"], row["column"]): row["mean"] for row in csv.DictReader(file)}
    page = (tmp_path / "docs" / "faces.md").read_text(encoding="utf-8")
    line = next(line for line in page.splitlines() if line.startswith("| PSNR, dB |"))
    for cell, column in zip(line.split("|")[2:-1], ("0–0.1", "0.2–0.3", "0.5–0.6"), strict=True):
        rivals = {rival: float(means[rival, "psnr", column]) for rival in quality.QUICK}
        best = max(rivals, key=lambda rival: rivals[rival])
        ahead = float(means["scenes", "psnr", column]) - rivals[best]
        assert re.search(r"[+−][\d.]+", cell)[0] == f"{ahead:+.2f}".replace("-", "−")
        assert cell.strip().endswith(f"{best}</sub>")
    assert line in capsys.readouterr().out
    assert "aim" not in page  # it was set for scenes


def test_variants_are_named_so_that_nobody_takes_them_for_shipped_models(program, runs, tmp_path, capsys):
    program("--only", "faces")
    page = (tmp_path / "docs" / "faces.md").read_text(encoding="utf-8")
    assert "| det (small) | model file det.onnx |" in page
    assert "det-detector" not in page
    assert "none of them ships" in page
    for path in (runs / "faces").iterdir():
        path.unlink()
    program("--only", "faces")
    assert f"no variants in {runs / 'faces'}; they are left out" in capsys.readouterr().out
    page = (tmp_path / "docs" / "faces.md").read_text(encoding="utf-8")
    assert "small" not in page
    assert "| scenes | model scenes of mendpix |" in page


def test_tables_are_written_again_for_what_was_measured_alone(program, tmp_path, capsys):
    with pytest.raises(SystemExit, match="must hold a finished report"):
        program("--only", "tables")
    program("--only", "faces")
    first = contents(tmp_path / "docs")
    (tmp_path / "docs" / "faces.md").unlink()
    (tmp_path / "docs" / "plots" / "faces-old.svg").write_text("")
    (tmp_path / "docs" / "plots" / "scenes-psnr.svg").write_text("kept")
    capsys.readouterr()
    program("--only", "tables")
    assert "30 of 30 results were measured before" in capsys.readouterr().out
    assert contents(tmp_path / "docs") == {**first, "plots/scenes-psnr.svg": b"kept"}


def test_a_trial_touches_neither_reports_nor_documents():
    whole, trial = quality.parse([]), quality.parse(["--limit", "3"])
    assert (whole.report, whole.docs) == (quality.ROOT / "runs" / "quality", quality.ROOT / "docs" / "quality")
    assert whole.report not in (trial.report, *trial.report.parents)
    assert trial.report in trial.docs.parents


@pytest.mark.parametrize("arguments", [[], ["--only", "faces"], ["--only", "tables"]])
def test_a_missing_shared_folder_is_a_sentence(arguments, tmp_path):
    with pytest.raises(SystemExit, match=r"--shared must be a folder with validation/.*nowhere is none\. Give"):
        quality.main(["--shared", str(tmp_path / "nowhere"), *arguments])


def test_a_missing_folder_of_pictures_is_a_sentence(program, shared, tmp_path):
    (shared / "validation" / "coco" / "0.png").unlink()
    (shared / "validation" / "coco").rmdir()
    with pytest.raises(SystemExit, match="coco"):
        program("--only", "scenes")


def test_every_part_has_its_protocol():
    for part in quality.PARTS.values():
        protocol = load_protocol(quality.PROTOCOLS / part.protocol)
        assert protocol.pictures.size_px == (256, 256)
        assert protocol.masks.pairing == "every-bin"
        assert protocol.detector is not None
    assert 6 * quality.SLOW_PICTURES >= 256  # pairs that a Fréchet distance needs


@pytest.mark.parametrize(
    ("mean_db", "words"), [(1.0, "aim met"), (0.99, "floor met, aim missed"), (0.3, "floor met"), (0.2, "floor missed")]
)
def test_aim_and_floor(mean_db, words):
    assert f"**{words}" in quality.judge(mean_db)
    assert f"+{mean_db:.2f} dB" in quality.judge(mean_db)


def test_bins_that_are_lost_or_not_sure_are_named():
    def difference(mean, significant=True):
        return Difference(Estimate(mean, mean - 1, mean + 1, 9), 0.01, significant)

    ahead, unsure, behind = difference(1.0), difference(0.1, significant=False), difference(-0.1)
    assert quality.place({"a": ahead, "b": ahead}) == "ahead in every bin"
    assert quality.place({"a": ahead, "b": unsure}) == "ahead in every bin, not significantly in b"
    assert quality.place({"a": unsure, "b": unsure}) == "ahead in every bin, significantly in none"
    assert quality.place({"a": behind, "b": unsure, "c": difference(0.0)}) == "behind in a, c"
