"""Verdicts, intervals and tables of the paper's comparisons, on rows that are made up so that the answer is known."""

import csv
import json
import re

import numpy as np
import pytest
from PIL import Image

import paper_statistics
import paper_tables
from mendpix.errors import DataError, OutputError
from paper_statistics import COLUMNS, FAILS, HOLDS, METRICS, NOISE, REVERSED, UNKNOWN, Bootstrap, Estimate, judge

BINS = (10, 20, 30, 40, 50, 60)
BETTER = {"l1": -0.2, "psnr": 1.0, "ssim51": 0.01, "ssim11": 0.01, "features": -10.0, "edges": 0.3, "auc": 0.01}
"""What a unit of advantage does to each metric."""

LEVELS = {"l1": 3.0, "psnr": 25.0, "ssim51": 0.9, "ssim11": 0.88, "features": 200.0, "edges": 8.0, "auc": 0.9}


def made_up(advantages, *, pictures=20, chance=0.0, seed=0):
    """Make rows: every picture meets every bin, pictures differ a lot, settings by their advantage and by chance."""
    generator = np.random.default_rng(seed)
    difficulty = generator.normal(0, 1, pictures)
    rows = {}
    for name, advantage in advantages.items():
        rows[name] = {}
        for picture in range(pictures):
            for bin_ in BINS:
                gain = advantage - bin_ / 20 + difficulty[picture] + generator.normal(0, chance or 1e-9)
                metrics = {metric: LEVELS[metric] + step * gain for metric, step in BETTER.items()}
                row = {"bin": bin_, "picture": f"faces/{picture:04}", "edges_truth": 20.0, **metrics}
                rows[name][f"faces/{picture:04}+{bin_}-free-{picture:05}"] = row
    return rows


def write_rows(folder, rows, protocol="p1", mark="m"):
    folder.mkdir(parents=True)
    for name, kept in rows.items():
        lines = []
        for pair, row in kept.items():
            metrics = {key: value for key, value in row.items() if key not in ("bin", "picture")}
            line = {"mark": f"{mark}-{name}", "protocol": protocol, "pair": pair, "picture": row["picture"]}
            lines.append(json.dumps({**line, "bin": row["bin"], "metrics": metrics}) + "\n")
        (folder / f"{name}.jsonl").write_text("".join(lines))


def verdicts(rows, **options):
    found = {}
    for finding in paper_statistics.compare(rows, **options).findings:
        found.setdefault(finding.claim.words, {})[finding.metric] = finding.verdict()
    return found


PLANTED = {
    "navier-stokes": -2.0,
    "det": 1.0,
    "focal": 1.1,
    "weight": 0.2,  # det is ahead by far more than the seed
    "adv": 1.05,  # behind by less than the seed
    "bce": 2.0,  # focal is behind by more than the seed
    "ce": 1.5,
    "linear": 0.0,
    "base-e": 0.5,
}


def test_planted_differences_get_the_verdicts_they_deserve():
    found = verdicts(made_up(PLANTED, chance=0.02))
    assert set(found["Det > Weight"].values()) == {HOLDS}
    assert set(found["Det > Adv"].values()) == {NOISE}
    assert set(found["Focal ≥ BCE"].values()) == {REVERSED}
    assert set(found["BCE ≥ CE"].values()) == {HOLDS}
    assert set(found["Focal ≥ CE"].values()) == {REVERSED}
    assert set(found["base 10 sharper than linear"].values()) == {HOLDS}
    assert set(found["base e sharper than linear"].values()) == {HOLDS}


def test_a_difference_that_the_pictures_do_not_agree_on_does_not_hold():
    rows = made_up({**PLANTED, "focal": 1.0, "weight": 0.95}, pictures=12)
    generator = np.random.default_rng(1)
    for pair, row in rows["weight"].items():
        row["psnr"] = rows["det"][pair]["psnr"] - 0.05 + generator.normal(0, 2)
    assert verdicts(rows)["Det > Weight"]["psnr"] == FAILS
    assert verdicts(rows)["Det > Weight"]["ssim51"] == HOLDS


def test_more_edges_can_be_sharper_and_yet_farther_from_the_truth():
    rows = made_up(PLANTED)
    for kept in rows.values():
        for row in kept.values():
            row["edges_truth"] = 5.0  # less than any setting has
    found = verdicts(rows)["base 10 sharper than linear"]
    assert found == {"edges": HOLDS, "edges_off": REVERSED}


@pytest.mark.parametrize(
    ("mean", "low", "high", "noise", "verdict"),
    [
        (0.5, 0.3, 0.7, 0.1, HOLDS),
        (-0.5, -0.7, -0.3, 0.1, REVERSED),
        (0.5, -0.1, 1.1, 0.1, FAILS),
        (-0.5, -1.1, 0.1, 0.1, FAILS),
        (0.5, 0.3, 0.7, 0.5, NOISE),
        (-0.5, -0.7, -0.3, 0.6, NOISE),
        (0.5, -0.1, 1.1, 0.6, NOISE),
        (0.0, 0.0, 0.0, 0.0, NOISE),
    ],
)
def test_the_rule(mean, low, high, noise, verdict):
    assert judge(Estimate(mean, low, high, 9), noise) == verdict


def test_without_a_repetition_there_are_no_verdicts():
    rows = made_up(PLANTED)
    assert {verdict for each in verdicts(rows, repeated=False).values() for verdict in each.values()} == {UNKNOWN}
    del rows["focal"]
    comparison = paper_statistics.compare(rows)
    assert {finding.verdict() for finding in comparison.findings} == {UNKNOWN}
    assert "no verdicts" in paper_tables.seed_sentence(comparison)
    first, second = made_up(PLANTED, pictures=4), made_up({"focal": 1.0}, pictures=8)
    first["focal"] = dict(list(second["focal"].items())[24:])  # no pair in common
    comparison = paper_statistics.compare(first)
    assert {finding.verdict() for finding in comparison.findings} == {UNKNOWN}
    assert "no verdicts" in paper_tables.seed_sentence(comparison)
    assert "| – | – | no verdict |" in paper_tables.findings_table(comparison.findings)


def test_a_setting_that_was_not_measured_leaves_the_others_alone():
    rows = made_up(PLANTED)
    del rows["adv"]
    found = verdicts(rows)
    assert set(found["Det > Adv"].values()) == {UNKNOWN}
    assert set(found["Det > Weight"].values()) == {HOLDS}


def test_differences_are_taken_pair_by_pair_and_positive_is_better():
    rows = made_up({"det": 1.0, "focal": 1.0, "weight": 0.5})
    comparison = paper_statistics.compare(rows)
    difference = comparison.differences["det", "weight"]
    for metric, step in BETTER.items():
        found = difference[metric]["all"]
        assert found.mean == pytest.approx(abs(step) * 0.5)
        assert found.high - found.low < 1e-6  # though the pictures differ a hundred times as much
        assert comparison.means["det"][metric]["all"].high - comparison.means["det"][metric]["all"].low > abs(step) / 2
    rows["weight"] = dict(list(rows["weight"].items())[:31])  # only some pairs
    part = paper_statistics.compare(rows).differences["det", "weight"]["psnr"]
    assert part["all"].pairs == 31
    assert part["all"].mean == pytest.approx(0.5)


def test_means_are_those_of_the_bins_and_every_bin_weighs_the_same():
    rows = made_up({"det": 1.0})
    kept = dict(list(rows["det"].items())[:-5])  # the last picture keeps one bin
    found = paper_statistics.compare({"det": kept}).means["det"]["psnr"]
    by_bin = [np.mean([row["psnr"] for row in kept.values() if row["bin"] == bin_]) for bin_ in BINS]
    assert [found[column].mean for column in COLUMNS] == pytest.approx([*by_bin, np.mean(by_bin)])
    assert [found[column].pairs for column in COLUMNS] == [20, 19, 19, 19, 19, 19, 115]


def test_edge_ratio_is_also_measured_by_its_distance_from_the_truth():
    comparison = paper_statistics.compare(made_up({"det": 1.0}, pictures=4))
    means = comparison.means["det"]
    assert means["edges_off"]["30"].mean == pytest.approx(20 - means["edges"]["30"].mean)
    assert comparison.truth_edges["all"].mean == pytest.approx(20)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    generator = np.random.default_rng(3)
    places = {f"{picture}+{bin_}": (str(picture), str(bin_)) for picture in range(40) for bin_ in BINS}
    inside = {"all": 0, "30": 0}
    rounds = 300
    bootstrap = Bootstrap(places, resamples=1000)
    for _ in range(rounds):
        of_picture = generator.normal(0, 1, 40)  # what a picture's pairs share must not be counted six times
        values = {pair: of_picture[int(pair.split("+")[0])] + generator.normal(0, 0.5) for pair in places}
        found = bootstrap.estimate(values)
        for column in inside:
            inside[column] += found[column].low <= 0 <= found[column].high
    assert 0.88 < inside["all"] / rounds < 0.99
    assert 0.88 < inside["30"] / rounds < 0.99


def test_the_bootstrap_is_that_of_a_plain_loop():
    generator = np.random.default_rng(5)
    values = {f"{picture}": float(generator.exponential()) for picture in range(30)}
    found = Bootstrap({pair: (pair, "20") for pair in values}).estimate(values)
    listed = np.array(list(values.values()))
    resampled = [listed[generator.integers(0, 30, 30)].mean() for _ in range(10_000)]
    assert (found["20"].low, found["20"].high) == pytest.approx(np.percentile(resampled, (2.5, 97.5)), abs=0.02)
    assert found["20"] == found["all"]
    assert set(found) == {"20", "all"}


def test_resamples_are_the_same_at_every_run():
    rows = made_up(PLANTED, chance=0.5)
    assert paper_statistics.compare(rows) == paper_statistics.compare(rows)


@pytest.mark.parametrize("pictures", [1, 2])
def test_few_pairs_are_no_accident(pictures):
    comparison = paper_statistics.compare(made_up(PLANTED, pictures=pictures))
    assert np.isfinite(comparison.means["det"]["psnr"]["all"].low)


RUNS = {
    set_name: {
        name: {
            "steps": 1500,
            "pictures_seen": 12000,
            "spent_s": 300.0 + number,
            "seed": int(name == "focal"),
            "parameters": 674_000,
            "device": "cpu",
            "finished": True,
        }
        for number, name in enumerate(PLANTED)
        if name != "navier-stokes"
    }
    for set_name in ("scenes", "faces")
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("paper")
    write_rows(tmp_path / "rows" / "scenes", made_up(PLANTED, chance=0.02, seed=1), protocol="p-scenes")
    write_rows(tmp_path / "rows" / "faces", made_up(PLANTED, chance=0.02, seed=2), protocol="p-faces")
    out = tmp_path / "docs" / "paper"
    paper_tables.write_tables(tmp_path / "rows", RUNS, out)
    return out


def test_tables_tell_budget_protocol_and_verdicts(written):
    text = (written / "tables.md").read_text()
    for words in (
        "| det | 1,500 | 12,000 | 5 | 0 | 674,000 | 120 |",
        "All settings had the same number of steps, pictures and parameters. Device: cpu.",
        "Protocol `p-scenes`, 120 pairs.",
        "Protocol `p-faces`, 120 pairs.",
        "det and focal (seeds 0 and 1), differ by 0.10 dB in PSNR, 0.0010 in SSIM-51, 0.020 % in l1, ",
        "A difference between settings that is no larger proves nothing. Of the 20 differences judged here, 4 are "
        "that small: Det > Adv in l1, PSNR, SSIM-51, feature distance.",
        "- Focal ≥ BCE (paper: section 4.4, Table 2). scenes: **reversed** (PSNR, SSIM-51). faces: **reversed** (",
        "*paper, CelebA-HQ*: its Det, 100 epochs on 27 K pictures",
        "*paper, Places2*: its Det, 100 epochs on 60 K pictures",
        "| *36.37* | *32.02* | *29.13* | *26.81* | *24.89* | *21.79* | *28.50* |",
        "truncates",
        "![faces: differences with intervals, grey = seed noise](differences-faces.png)",
    ):
        assert words in text
    for name in ("Scenes", "Faces"):
        assert f"{name}: 20 comparisons, 12 × holds, 4 × reversed, 4 × within seed noise." in text
    assert all(len(set(map(len, table))) == 1 for table in columns_of(text))
    for name in ("scenes", "faces"):
        with Image.open(written / f"differences-{name}.png") as plot:
            assert plot.width == 1800


def columns_of(text):
    """Return for each table the cells of its lines."""
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    return [[re.split(r"(?<!\\)\|", line) for line in table.splitlines()] for table in tables]


def test_csv_holds_every_mean_and_interval(written):
    with (written / "tables.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    found = {
        (line["set"], line["kind"], line["metric"], line["setting"], line["against"], line["bin"]): line
        for line in lines
    }
    assert len(found) == len(lines)
    assert {line["metric"] for line in lines} == set(METRICS)
    line = found["faces", "better by", "l1", "det", "weight", "all"]
    assert float(line["low"]) <= float(line["mean"]) <= float(line["high"])
    assert float(line["mean"]) == pytest.approx(0.16, abs=0.01)
    assert line["pairs"] == "120"
    assert ("scenes", "mean", "edges", "truth", "", "60") in found


def test_writing_again_changes_nothing(written):
    before = {path.name: path.read_bytes() for path in written.iterdir()}
    assert set(before) == {"tables.md", "tables.csv", "differences-scenes.png", "differences-faces.png"}
    paper_tables.write_tables(written.parents[1] / "rows", RUNS, written)
    assert {path.name: path.read_bytes() for path in written.iterdir()} == before


def test_what_is_missing_is_said(tmp_path):
    rows = made_up(PLANTED)
    rows["adv"] = dict(list(rows["adv"].items())[:100])
    del rows["base-e"]
    for row in rows["det"].values():
        del row["auc"]
    write_rows(tmp_path / "rows" / "faces", rows)
    (tmp_path / "rows" / "faces" / "linear.jsonl").write_text("")
    runs = {"faces": {**RUNS["faces"], "ce": {"steps": 10, "seed": 0, "finished": False}}}
    paper_tables.write_tables(tmp_path / "rows", runs, tmp_path / "out")
    text = (tmp_path / "out" / "tables.md").read_text()
    assert "**100** of 120" in text
    assert "ce (not finished)" in text
    assert "**The budgets are not equal**: steps from 10 to 1,500." in text
    assert "base 10 sharper than e (paper: section 3.4.3, Fig. 3: one picture). faces: **no verdict**" in text
    assert "## Scenes" not in text
    paper_tables.write_tables(tmp_path / "rows", {}, tmp_path / "out")
    assert "The budget is not known" in (tmp_path / "out" / "tables.md").read_text()


def test_two_runs_with_one_seed_are_no_repetition(tmp_path):
    write_rows(tmp_path / "rows" / "faces", made_up(PLANTED))
    runs = {"faces": {name: {**facts, "seed": 0} for name, facts in RUNS["faces"].items()}}
    paper_tables.write_tables(tmp_path / "rows", runs, tmp_path / "out")
    text = (tmp_path / "out" / "tables.md").read_text()
    assert "Seed noise unknown" in text
    assert "20 × no verdict" in text


def test_rows_that_do_not_belong_together_are_refused(tmp_path):
    with pytest.raises(DataError, match="it holds none"):
        paper_tables.write_tables(tmp_path, {}, tmp_path / "out")
    rows = made_up({"det": 1.0, "focal": 1.0}, pictures=2)
    folder = tmp_path / "rows" / "faces"
    write_rows(folder, rows)
    write_rows(tmp_path / "other", rows, protocol="p2", mark="n")
    (folder / "focal.jsonl").write_text((tmp_path / "other" / "focal.jsonl").read_text())
    with pytest.raises(DataError, match="one protocol; got det by p1, focal by p2"):
        paper_tables.write_tables(tmp_path / "rows", {}, tmp_path / "out")
    with (folder / "det.jsonl").open("a") as file:
        file.write((tmp_path / "other" / "det.jsonl").read_text())
    with pytest.raises(DataError, match="one model and protocol; got mark m-det, n-det"):
        paper_tables.write_tables(tmp_path / "rows", {}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_program_writes_from_files(tmp_path, capsys):
    write_rows(tmp_path / "rows" / "faces", made_up(PLANTED, pictures=3))
    (tmp_path / "runs.json").write_text(json.dumps(RUNS))
    arguments = ["--rows", str(tmp_path / "rows"), "--runs", str(tmp_path / "runs.json"), "--out", str(tmp_path / "o")]
    paper_tables.main(arguments)
    assert capsys.readouterr().out.strip().endswith("tables.md")
    assert "674,000" in (tmp_path / "o" / "tables.md").read_text()
    for text in ("[]", "{"):
        (tmp_path / "runs.json").write_text(text)
        with pytest.raises(SystemExit, match=r"runs\.json must"):
            paper_tables.main(arguments)
    (tmp_path / "o" / "tables.csv").unlink()
    (tmp_path / "o" / "tables.csv").mkdir()
    with pytest.raises(OutputError, match="csv is a folder"):
        paper_tables.write_tables(tmp_path / "rows", {}, tmp_path / "o")
