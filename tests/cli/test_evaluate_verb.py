import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from mendpix.cli.evaluate import tell

PROTOCOL = """
name = "tiny"
pictures = { sources = ["pictures"] }
masks = { sources = ["masks"] }
measure = { metrics = ["psnr", "l1-hole"] }
"""


@pytest.fixture
def protocol(folder):
    for name, source in (("pictures", "photo"), ("masks", "mask")):
        (folder / name).mkdir()
        for number in range(2):
            Image.open(folder / f"{source}.png").save(folder / name / f"{number}.png")
    path = folder / "protocol.toml"
    path.write_text(PROTOCOL, encoding="utf-8")
    return path


def test_a_report_is_written_and_told(folder, protocol, mendpix):
    done = mendpix(
        "evaluate", "--protocol", protocol, "--model", "telea", "--model", "soft=harmonic", "-o", folder / "report",
        "--workers", 1,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "index.html: 2 models, 2 pairs, protocol " in done.stdout
    assert "measured 4 results now" in done.stdout
    assert (folder / "report" / "index.html").is_file()
    again = mendpix("evaluate", "--protocol", protocol, "--model", "telea", "-o", folder / "report", "--workers", 1)
    assert "measured before" in again.stdout


def test_json_holds_the_means(folder, protocol, mendpix):
    done = mendpix(
        "evaluate", "--protocol", protocol, "--model", "telea", "-o", folder / "report", "--workers", 1, "--json"
    )
    found = json.loads(done.stdout)
    assert found["protocol"]["pairs"] == 2
    assert found["measured"] == 2
    assert found["means"]["telea"]["psnr"] > 20
    assert found["altered"] == {"telea": 0}


def test_json_has_words_for_infinite_means(folder, protocol, mendpix):
    """As report.json has them: bare Infinity is no JSON, and most programs refuse it."""
    text = protocol.read_text("utf-8").replace('"psnr"', '"psnr", "gdn-psnr"')
    protocol.write_text(text, encoding="utf-8")
    done = mendpix("evaluate", "--protocol", protocol, "--write-pairs", folder / "pairs")
    results = folder / "perfect"
    results.mkdir()
    for path in (folder / "pairs" / "images").iterdir():
        Image.open(folder / "photo.png").save(results / path.name)
    done = mendpix(
        "evaluate", "--protocol", protocol, "--model", results, "--model", "telea", "-o", folder / "report",
        "--workers", 1, "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output

    def refuse(constant: str) -> None:
        raise AssertionError(f"JSON has no {constant}")

    means = json.loads(done.stdout, parse_constant=refuse)["means"]
    assert means["perfect"] == {"psnr": 100, "gdn-psnr": "Infinity", "l1-hole": 0}
    assert 20 < means["telea"]["gdn-psnr"] < 100
    written = json.loads((folder / "report" / "report.json").read_text("utf-8"), parse_constant=refuse)
    assert '"Infinity"' in json.dumps(written)


def test_times_are_told_per_answer_measured_now(capsys):
    """A run that went on where another had stopped measured fewer answers than there are pairs."""
    model = SimpleNamespace(name="half", altered=np.zeros(100, np.int64), altered_pairs=0, counted_pairs=100)
    report = SimpleNamespace(
        page="report/index.html",
        pairs=100,
        summary=SimpleNamespace(evaluation=SimpleNamespace(models=(model,))),
        measured=4,
        filled={"half": 4, "done": 0},
        fill_seconds={"half": 1.0, "done": 0.0},
        measure_seconds=0.5,
    )
    tell(SimpleNamespace(id="0123456789abcdef"), report, None, None, 1.0)
    assert "measured 4 results now; ms a pair on one thread: fills half 250; measures 125" in capsys.readouterr().out


def test_pairs_go_out_and_results_come_back(folder, protocol, mendpix):
    done = mendpix("evaluate", "--protocol", protocol, "--write-pairs", folder / "pairs")
    assert done.exit_code == 0, done.output
    assert "2 pictures with masks" in done.stdout
    results = folder / "results"
    results.mkdir()
    for path in (folder / "pairs" / "images").iterdir():
        Image.fromarray(np.asarray(Image.open(path)) // 2).save(results / path.name)
    done = mendpix("evaluate", "--protocol", protocol, "--model", results, "-o", folder / "report", "--workers", 1)
    assert done.exit_code == 0, done.output
    assert "results altered known pixels in 2 of 2 results" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "nothing to do"),
        (("--model", "telea"), "goes with -o"),
        (("-o", "report"), "at least one --model"),
        (("--model", "telea", "-o", "report", "--threads", "2"), "--threads goes with --time"),
        (("--model", "nonsense", "-o", "report"), "or a folder of results"),
    ],
)
def test_half_a_call_is_refused(folder, protocol, mendpix, monkeypatch, arguments, sentence):
    monkeypatch.chdir(folder)
    done = mendpix("evaluate", "--protocol", protocol, *arguments)
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert not (folder / "report").exists()


def test_a_missing_protocol(folder, mendpix):
    done = mendpix("evaluate", "--protocol", folder / "none.toml", "--model", "telea", "-o", folder / "report")
    assert done.exit_code == 2
    assert "a protocol must be a readable TOML file" in done.stderr


def test_a_protocol_without_pairs(folder, protocol, mendpix):
    text = protocol.read_text("utf-8").replace('["masks"] }', '["masks"], pairing = "every-bin", bins = [0.01] }')
    protocol.write_text(text, encoding="utf-8")
    done = mendpix("evaluate", "--protocol", protocol, "--model", "telea", "-o", folder / "report")
    assert done.exit_code == 2
    assert "at least one pair" in done.stderr
    assert not (folder / "report").exists()


def test_quiet(folder, protocol, mendpix):
    done = mendpix(
        "evaluate", "--protocol", protocol, "--model", "telea", "-o", folder / "report", "--workers", 1, "--quiet"
    )
    assert (done.exit_code, done.stdout) == (0, "")
