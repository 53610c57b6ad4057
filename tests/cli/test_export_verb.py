import json
from types import SimpleNamespace

import pytest

from mendpix.errors import CheckpointError


@pytest.fixture
def calls(monkeypatch) -> list[tuple]:
    """Stand in for the exporter and keep what it is called with."""
    from mendpix.training import export

    made: list[tuple] = []

    def export_run(run, out, part="generator"):
        made.append((run, out, part))
        return SimpleNamespace(path=out, size_bytes=6_250_000, max_abs_difference=0.0012, facts=None)

    monkeypatch.setattr(export, "export_run", export_run)
    return made


@pytest.mark.parametrize(("more", "part"), [([], "generator"), (["--detector"], "detector")])
def test_exports_the_part_asked_for(mendpix, calls, tmp_path, more, part):
    out = tmp_path / "model.onnx"
    result = mendpix("export", tmp_path, "-o", out, *more)
    assert result.exit_code == 0, result.output
    assert calls == [(tmp_path, out, part)]
    assert result.stdout == f"{out}: {part}, 6.2 MB, differs from torch by at most 1.2e-03\n"


def test_json_is_one_object(mendpix, calls, tmp_path):
    result = mendpix("export", tmp_path, "-o", tmp_path / "model.onnx", "--json")
    report = json.loads(result.stdout)
    assert (report["part"], report["bytes"], report["max_abs_difference"]) == ("generator", 6_250_000, 0.0012)


@pytest.mark.parametrize(("out", "word"), [("no/model.onnx", "no"), ("model.pt", ".onnx"), (".", "folder")])
def test_the_place_is_looked_at_first(mendpix, calls, tmp_path, monkeypatch, out, word):
    monkeypatch.chdir(tmp_path)
    result = mendpix("export", tmp_path, "-o", out)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert word in result.stderr
    assert not calls


def test_a_folder_that_is_no_run_is_one_sentence(mendpix, tmp_path):
    result = mendpix("export", tmp_path, "-o", tmp_path / "model.onnx")
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert str(tmp_path) in result.stderr
    assert not list(tmp_path.iterdir())


def test_an_export_that_disagrees_with_torch_fails(mendpix, tmp_path, monkeypatch):
    from mendpix.training import export

    def disagree(*_args):
        raise CheckpointError("the exported file differs from torch.")

    monkeypatch.setattr(export, "export_run", disagree)
    result = mendpix("export", tmp_path, "-o", tmp_path / "model.onnx", "-q")
    assert (result.exit_code, result.stderr) == (2, "mendpix: the exported file differs from torch.\n")
