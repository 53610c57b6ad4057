"""The benchmark's protocol, tables, verdict and resuming, on pictures made here and models that are functions."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

import quality
import quality_protocol
import quality_report


@pytest.fixture
def folders(tmp_path):
    generator = np.random.default_rng(0)
    for folder, count in (("first", 5), ("second", 2)):
        (tmp_path / folder).mkdir()
        for number in range(count):
            picture = generator.integers(0, 256, (256, 256, 3), np.uint8)
            Image.fromarray(picture).save(tmp_path / folder / f"{number}.png", compress_level=1)
    (tmp_path / "masks").mkdir()
    for key in (10, 20):
        for number, kind in enumerate(("free", "border", "border", "free")):
            mask = np.zeros((256, 256), np.uint8)
            mask[40 : 40 + key, 10 * number : 100] = 255
            Image.fromarray(mask).save(tmp_path / "masks" / f"{key}-{kind}-{number:05}.png")
    return [tmp_path / "first", tmp_path / "second"], tmp_path / "masks"


def test_every_picture_meets_one_mask_of_every_bin(folders):
    protocol = quality_protocol.make_protocol(*folders)
    assert protocol.pictures == protocol.pictures_found == 7
    assert protocol.bins == (10, 20)
    met = {}
    for pair in protocol.pairs:
        met.setdefault(pair.picture, []).append(pair.bin)
    assert list(met.values()) == [[10, 20]] * 7
    assert len({pair.key for pair in protocol.pairs}) == 14


def test_pairing_is_the_one_that_is_written_down(folders):
    protocol = quality_protocol.make_protocol(*folders)
    by_turns = ["free-00000", "border-00001", "free-00003", "border-00002"]
    for x in range(7):
        for k, key in enumerate((10, 20)):
            pair = protocol.pairs[2 * x + k]
            assert pair.mask.stem == f"{key}-{by_turns[(x + 17 * k) % 4]}"
    assert protocol.pairs[-1].key == "second/1+20-border-00002"


def test_a_limit_keeps_pairs_of_the_full_protocol_and_its_hashes(folders):
    full, part = quality_protocol.make_protocol(*folders), quality_protocol.make_protocol(*folders, limit=3)
    assert set(part.pairs) < set(full.pairs)
    assert [pair.picture.name for pair in part.pairs[::2]] == ["0.png", "2.png", "4.png"]
    assert (part.pictures_hash, part.masks_hash) == (full.pictures_hash, full.masks_hash)
    assert "3 of 7" in part.describe()


def test_hashes_change_with_a_pixel_and_with_a_name(folders):
    before = quality_protocol.make_protocol(*folders)
    path = folders[0][0] / "0.png"
    path.rename(path.with_name("00.png"))
    renamed = quality_protocol.make_protocol(*folders)
    Image.new("RGB", (256, 256)).save(folders[0][1] / "1.png")
    changed = quality_protocol.make_protocol(*folders)
    assert len({before.pictures_hash, renamed.pictures_hash, changed.pictures_hash}) == 3
    assert before.masks_hash == changed.masks_hash


def test_masks_of_another_name_and_empty_folders_are_refused(folders, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match="holds none"):
        quality_protocol.make_protocol([tmp_path / "empty"], folders[1])
    with pytest.raises(SystemExit, match="must be named"):
        quality_protocol.make_protocol(folders[0], folders[0][0])


def rows_of(**advantages):
    """Make rows in which each model's PSNR is 20 dB plus its number, on twenty pairs of each of two bins."""
    generator = np.random.default_rng(2)
    level = {f"p{number}+{key}": generator.normal(20, 3) for key in (10, 20) for number in range(20)}
    return {
        name.replace("_", "-"): {
            pair: {"bin": int(pair[-2:]), "psnr": value + more, "ssim": 0.9 + more / 100, "l1": 5 - more}
            for pair, value in level.items()
        }
        for name, more in advantages.items()
    }


@pytest.mark.parametrize(("ours", "word"), [(1.5, "aim met"), (0.7, "floor met, aim missed"), (0.2, "FLOOR MISSED")])
def test_verdict_tells_floor_and_aim(ours, word):
    text = quality_report.report(rows_of(scenes=ours, telea=-1.0, harmonic=0.0), (10, 20))
    assert f"mean over the bins ≥ 0.1: {ours:+.2f} dB" in text
    assert word in text
    assert "| *best baseline* | harmonic | harmonic | harmonic | |" in text


def test_verdict_names_the_bins_that_are_lost():
    rows = rows_of(scenes=1.0, harmonic=0.0, telea=-1.0)
    for pair, row in rows["telea"].items():
        row["ssim"] = 0.99 if pair.endswith("20") else 0.5
    verdict = quality_report.verdict(rows, (10, 20), "ssim")
    assert "BEHIND in 0.1–0.2" in verdict
    assert "(telea)" in verdict
    assert "ahead in every bin" in quality_report.verdict(rows, (10, 20), "l1")


@pytest.mark.parametrize(("count", "rival"), [(12, "slow"), (9, "harmonic")])
def test_a_baseline_measured_on_fewer_pairs_is_compared_on_those_if_there_are_enough(count, rival):
    rows = rows_of(scenes=1.0, harmonic=0.0, slow=0.5)
    hardest = sorted(rows["slow"], key=lambda pair: rows["slow"][pair]["psnr"])
    kept = [pair for key in ("10", "20") for pair in [pair for pair in hardest if pair.endswith(key)][:count]]
    rows["slow"] = {pair: rows["slow"][pair] for pair in kept}
    found = quality_report.advantage(rows, [20], "psnr")
    assert (found.rival, round(found.value, 6)) == (rival, 0.5 if rival == "slow" else 1.0)
    assert quality_report.nearest_best(rows, [10], "psnr") == rival
    row = next(line for line in quality_report.table(rows, (10, 20), "psnr").splitlines() if "| slow |" in line)
    assert row.endswith(f"| {count} |")


def test_the_program_measures_resumes_and_writes_its_means(folders, tmp_path, monkeypatch, capsys):
    calls = []

    def open_model(name):
        def fill(picture, hole):
            calls.append(name)
            assert not picture[hole > 0].any()
            return np.where(hole[..., None] > 0, {"grey": 128, "dark": 0}[name], picture).astype(np.uint8)

        return fill

    monkeypatch.setattr(quality, "open_model", open_model)
    arguments = ["quality.py", "--pictures", *map(str, folders[0]), "--masks", str(folders[1]), "--workers", "1"]
    arguments += ["--models", "grey", "dark", "--limits", "dark=2", "--backbone", str(tmp_path / "none.npz")]
    arguments += ["--rows", str(tmp_path / "rows.jsonl"), "--json", str(tmp_path / "means.json")]
    monkeypatch.setattr(sys, "argv", arguments)
    quality.main()
    printed = capsys.readouterr().out
    assert (calls.count("grey"), calls.count("dark")) == (14, 4)
    written = json.loads((tmp_path / "means.json").read_text())
    assert written["means"]["grey"]["10"]["pictures"] == 7
    assert written["means"]["dark"]["20"]["pictures"] == 2
    assert f"{written['means']['grey']['20']['psnr']:.2f}" in printed
    assert written["protocol"]["pictures_hash"] in printed

    lines = (tmp_path / "rows.jsonl").read_text().splitlines()
    (tmp_path / "rows.jsonl").write_text("\n".join(lines[:-3]) + "\n" + lines[-1][:20])  # killed while writing
    calls.clear()
    quality.main()
    assert len(calls) == 3
    assert capsys.readouterr().out == printed


def test_a_model_that_touches_known_pixels_is_refused(folders, monkeypatch):
    monkeypatch.setattr(quality, "open_model", lambda name: lambda picture, hole: picture + np.uint8(1))
    pair = quality_protocol.make_protocol(*folders).pairs[0]
    with pytest.raises(SystemExit, match="leave known pixels alone"):
        quality.Measurer(None).measure(pair, ["bad"])
