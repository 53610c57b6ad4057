"""The removal benchmark on a few small pictures made here: cases, fills that are kept, tables, sheets, refusals."""

import csv
import dataclasses
import json
import re

import numpy as np
import pytest
from PIL import Image

import removal
import removal_frechet
import removal_tables
from mendpix.evaluation.measures import SET_MEASURES
from mendpix.evaluation.pairing import open_protocol
from mendpix.evaluation.protocol import load_protocol
from mendpix.metrics.frechet import Moments, frechet_distance
from mendpix.metrics.texture import texture_ratio

SIDE = 64
QUICK = "navier-stokes,harmonic"


def draw(path, seed):
    """Write slopes with grain."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    picture = np.stack([columns * 3, rows * 3, 200 - columns * 2], axis=2) + rng.integers(0, 40, (SIDE, SIDE, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(path)


@pytest.fixture
def shared(tmp_path):
    """A folder like the shared one: seven photos, and two removal pairs, one of them twice."""
    folder = tmp_path / "shared"
    for number, name in enumerate(("bsds/0", "bsds/1", "bsds/2", "bsds/3", "coco/0", "coco/1", "kodak/0")):
        draw(folder / "validation" / f"{name}.png", number)
    (folder / "validation" / "bsds" / "README.md").write_text("no picture")
    for name, seed in (("bench", 10), ("dog", 11), ("twice", 11)):
        draw(folder / "cases" / "removal" / f"{name}.png", seed)
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[20:44, 16:40] = 255
        Image.fromarray(mask).save(folder / "cases" / "removal" / f"{name}-mask.png")
    return folder


@pytest.fixture
def program(shared, tmp_path, monkeypatch):
    """Run the program with three photos of 64 × 64."""
    monkeypatch.setattr(removal, "SIDE_PX", SIDE)
    monkeypatch.setattr(removal, "PICTURES", {"bsds": 1, "coco": 1, "kodak": 1})
    monkeypatch.setattr(removal, "MEASURE_CASES", 1)

    def run(*arguments):
        places = ("--shared", shared, "--work", tmp_path / "work", "--docs", tmp_path / "docs")
        removal.main([*map(str, places), "--workers", "1", *arguments])

    return run


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def read_csv(folder):
    with (folder / "removal.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_documents_come_out_whole_and_twice_the_same(program, tmp_path, capsys):
    program("--models", QUICK)
    printed = capsys.readouterr().out
    assert "cases: 18 to fill" in printed
    assert "pairs: 4 to fill" in printed  # the pair that is there twice counts once
    first = contents(tmp_path / "docs")
    assert set(first) == {"removal.md", "removal.csv"}
    page = first["removal.md"].decode()
    assert str(tmp_path) not in page
    assert "data:image" not in page
    assert "9 cases" in page
    assert "3 validation photos of 64 × 64 px" in page
    for words in ("3–10 %", "10–20 %", "20–30 %", "the photos themselves", "`navier-stokes`", "`harmonic`", "2 pairs"):
        assert words in page, words
    assert "takes `scenes` and another model" in page
    assert re.search(r"All fills by code `[0-9a-f]{16}`", page)

    program("--models", QUICK)
    printed = capsys.readouterr().out
    assert "to fill" not in printed
    assert "18 of 18 results were measured before" in printed
    assert contents(tmp_path / "docs") == first


def test_the_numbers_are_those_of_the_fills(program, tmp_path):
    program("--models", QUICK)
    opened = open_protocol(load_protocol(tmp_path / "work" / "protocol.toml"))
    assert len(opened.pairs) == 9
    ratios, photos = [], []
    for pair in opened.pairs:
        target = opened.read_picture(pair.picture).astype(np.float32) / np.float32(255)
        hole = opened.read_hole(pair, target.shape[:2])
        answer = np.asarray(Image.open(tmp_path / "work/fills/cases/harmonic" / f"{pair.key}.png"), np.float32) / 255
        ratios.append(texture_ratio(np.where(hole[..., None] > 0, answer, target), hole))
        photos.append(texture_ratio(target, hole))
    rows = {tuple(row.values())[:5]: float(row["value"] or "nan") for row in read_csv(tmp_path / "docs")}
    median = rows["cases", "all", "harmonic", "texture-ratio", "median"]
    assert median == pytest.approx(np.median(ratios), rel=1e-5)
    assert rows["cases", "all", removal_tables.PHOTO, "texture-ratio", "median"] == pytest.approx(np.median(photos))
    assert rows["cases", "all", "harmonic", "texture-ratio", "mean"] == pytest.approx(np.mean(ratios), rel=1e-5)
    assert {row[1] for row in rows if row[0] == "pairs"} == {"bench", "dog"}
    page = (tmp_path / "docs" / "removal.md").read_text(encoding="utf-8")
    assert f"| `harmonic` | {median:.2f} [" in page


def test_holes_have_their_shares_and_every_third_lies_at_the_edge(program, tmp_path):
    program("--models", "harmonic", "--only", "cases")
    folder = tmp_path / "work" / "masks"
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == 9
    for name in names:
        hole = np.asarray(Image.open(folder / name)) > 0
        low, high = next(ends for ends in removal.SHARES if name.startswith(f"{round(100 * ends[1])}-"))
        assert low < hole.mean() <= high
        touches = hole[[0, -1]].any() or hole[:, [0, -1]].any()
        assert touches == ("border" in name) == (int(name.split("-")[1]) % removal.BORDER_EVERY == 0)
    first = contents(folder)
    (folder / "99-000-inside.png").write_bytes(b"of another choice")
    program("--models", "harmonic", "--only", "cases")
    assert contents(folder) == first


def test_one_model_is_filled_anew_and_the_rest_stay(program, tmp_path, monkeypatch, capsys):
    program("--models", QUICK)
    kept = contents(tmp_path / "work/fills/cases/navier-stokes")
    monkeypatch.setattr(removal, "fills_mark", lambda: "changed")
    capsys.readouterr()
    program("--models", "harmonic")
    printed = capsys.readouterr().out
    assert "cases: 9 to fill" in printed
    assert "cases: navier-stokes filled by earlier code" in printed
    assert contents(tmp_path / "work/fills/cases/navier-stokes") == kept
    page = (tmp_path / "docs" / "removal.md").read_text(encoding="utf-8")
    assert "| `navier-stokes` |" in page
    assert "Fills by different states of the code: " in page
    program("--models", QUICK, "--keep")
    assert " to fill\n" not in capsys.readouterr().out
    record = tmp_path / "work/fills/cases/navier-stokes/fills.jsonl"
    marks = {json.loads(line)["mark"] for line in record.read_text().splitlines()}
    assert marks
    assert "changed" not in marks  # kept fills do not pass for new ones
    program("--models", QUICK)
    assert "cases: 9 to fill" in capsys.readouterr().out


def test_a_run_that_was_stopped_goes_on(program, tmp_path, monkeypatch, capsys):
    real, done = removal.fill, []

    def stops(job):
        if len(done) == 5:
            raise KeyboardInterrupt
        done.append(job.key)
        return real(job)

    monkeypatch.setattr(removal, "fill", stops)
    with pytest.raises(KeyboardInterrupt):
        program("--models", "harmonic")
    record = tmp_path / "work/fills/cases/harmonic/fills.jsonl"
    assert [json.loads(line)["key"] for line in record.read_text().splitlines()] == done
    record.write_text(record.read_text()[:-20])  # the last line cut off
    monkeypatch.setattr(removal, "fill", real)
    capsys.readouterr()
    program("--models", "harmonic")
    assert "cases: 5 to fill" in capsys.readouterr().out
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    assert [line["key"] for line in lines[:4]] == done[:4]
    assert len({line["key"] for line in lines}) == len(lines) == 9
    assert all(line["seconds"] >= 0 for line in lines)


def test_another_mask_is_filled_anew(program, monkeypatch, capsys):
    program("--models", "harmonic", "--only", "cases")
    monkeypatch.setattr(removal, "SEED", removal.SEED + 1)
    capsys.readouterr()
    program("--models", "harmonic", "--only", "cases")
    assert "cases: 9 to fill" in capsys.readouterr().out


def test_a_trial_leaves_the_documents_alone(program, tmp_path, capsys):
    whole, trial = removal.parse([]), removal.parse(["--limit", "3"])
    assert whole.docs == removal.ROOT / "docs" / "quality"
    assert whole.docs not in (trial.docs, *trial.docs.parents)
    assert whole.report != trial.report
    program("--models", "harmonic", "--limit", "2", "--only", "cases")
    printed = capsys.readouterr().out
    assert "cases: 6 to fill" in printed
    assert "| `harmonic` |" in printed
    assert not (tmp_path / "docs").exists()
    program("--models", "harmonic", "--only", "cases")
    assert "cases: 3 to fill" in capsys.readouterr().out  # the other three


def test_sheets_show_every_model(program, tmp_path):
    program("--models", QUICK, "--sheets", str(tmp_path / "sheets"))
    names = {path.name for path in (tmp_path / "sheets").iterdir()}
    assert {"pair-bench.png", "pair-dog.png", "case-000.png", "case-008.png"} <= names
    assert len(names) == 2 + 9
    sheet = np.asarray(Image.open(tmp_path / "sheets" / "pair-dog.png"))
    assert sheet.shape == (SIDE + 24, 3 * (SIDE + 6), 3)
    assert (sheet == (255, 0, 255)).all(axis=2).any()
    fill = np.asarray(Image.open(tmp_path / "work/fills/pairs/harmonic/dog.png"))
    shown = sheet[18 : 18 + SIDE, 2 * (SIDE + 6) : 2 * (SIDE + 6) + SIDE]
    assert np.array_equal(shown, fill) or np.array_equal(sheet[18 : 18 + SIDE, SIDE + 6 : 2 * SIDE + 6], fill)


def test_a_model_that_is_not_there_is_a_sentence_before_anything_is_done(program, tmp_path):
    with pytest.raises(SystemExit, match=r"nonsense cannot be measured: .*Name those that can with --models"):
        program("--models", "harmonic,nonsense")
    with pytest.raises(SystemExit, match=r"scenes-detector cannot be measured"):
        program("--models", "scenes-detector")
    assert not (tmp_path / "work").exists()


def test_missing_folders_are_a_sentence(tmp_path, program, shared):
    with pytest.raises(SystemExit, match=r"--shared must be a folder with validation/ and cases/removal/"):
        removal.main(["--shared", str(tmp_path / "nowhere")])
    for path in (shared / "validation" / "coco").iterdir():
        path.unlink()
    with pytest.raises(SystemExit, match="coco must hold pictures; it holds none"):
        program("--models", "harmonic")


def test_what_a_choosing_model_chose_is_counted(program, tmp_path):
    program("--models", QUICK)
    record = tmp_path / "work/fills/cases/harmonic/fills.jsonl"
    lines = record.read_text().splitlines()
    chosen = [json.dumps({**json.loads(line), "chosen": ("exemplar", "scenes")[n % 2]}) for n, line in enumerate(lines)]
    record.write_text("\n".join(chosen) + "\n")
    program("--models", QUICK)
    page = (tmp_path / "docs" / "removal.md").read_text(encoding="utf-8")
    assert "### What `harmonic` chose" in page
    assert re.search(r"\| `exemplar` \| 2 \| 1 \| 2 \| 5 \|", page)
    assert "What `navier-stokes` chose" not in page


def test_distances_are_those_of_the_evaluation_and_say_how_sure_they_are(program, tmp_path, monkeypatch):
    least = dataclasses.replace(SET_MEASURES["frechet-hole"], least_pairs=4)
    monkeypatch.setitem(SET_MEASURES, "frechet-hole", least)
    program("--models", QUICK)
    rows = {tuple(row.values())[:5]: row["value"] for row in read_csv(tmp_path / "docs")}
    values = {name: float(rows["cases", "all", name, "frechet-hole", "value"]) for name in QUICK.split(",")}
    page = (tmp_path / "docs" / "removal.md").read_text(encoding="utf-8")
    section = page.partition("### Distance to true pictures")[2].partition("##")[0]
    best, other = sorted(values, key=lambda name: values[name])
    assert f"| `{best}` | {values[best]:,.0f} | – | – |" in section
    assert re.search(rf"\| `{other}` \| {values[other]:,.0f} \| – \| \+{values[other] - values[best]:,.0f} ±", section)
    assert "each of 3 groups of photos" in section


def test_a_distance_without_covariances_is_the_one_with_them():
    rng = np.random.default_rng(0)
    for count in (8, 40):
        ours, theirs = rng.normal(size=(count, 12)), 1 + 2 * rng.normal(size=(count, 12))
        moments = [Moments(12), Moments(12)]
        for one, vectors in zip(moments, (ours, theirs), strict=True):
            one.add(vectors)
        first, second = moments
        expected = frechet_distance(first.mean, first.covariance, second.mean, second.covariance)
        assert removal_frechet.distance(ours, theirs) == pytest.approx(expected)
    assert removal_frechet.distance(ours, ours) == pytest.approx(0, abs=1e-9)


def test_the_interval_of_a_difference_is_that_of_the_jackknife():
    values = np.random.default_rng(0).normal(size=20)
    without = np.array([np.delete(values, one).mean() for one in range(20)])
    found = removal_frechet.Distances({"a": 0.0, "b": values.mean()}, {"a": np.zeros(20), "b": without})
    mean, half = found.difference("a", "b")
    assert found.best == min(found.whole, key=found.whole.get)
    assert mean == values.mean()
    assert half == pytest.approx(removal_frechet.ERRORS * values.std(ddof=1) / np.sqrt(20))  # exact for a mean


def test_quartiles_and_tables():
    assert removal_tables.quartiles([float("nan"), 1, 2, 3]) == "2.00 [1.50, 2.50]"
    assert removal_tables.quartiles([float("nan")]) == "–"
    assert removal_tables.table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |"


def test_the_whole_benchmark_has_three_hundred_cases():
    assert sum(removal.PICTURES.values()) * len(removal.SHARES) == 300
    assert min(low for low, _ in removal.SHARES) == 0.03
    assert max(high for _, high in removal.SHARES) == 0.3
