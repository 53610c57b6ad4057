import json

import numpy as np
import pytest
from PIL import Image

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


def test_quiet(folder, protocol, mendpix):
    done = mendpix(
        "evaluate", "--protocol", protocol, "--model", "telea", "-o", folder / "report", "--workers", 1, "--quiet"
    )
    assert (done.exit_code, done.stdout) == (0, "")
