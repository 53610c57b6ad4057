import sys
from pathlib import Path

import pytest

from mendpix.cli.train import parse_budget
from mendpix.errors import InputError

RECIPE = Path(__file__).parents[2] / "recipes" / "smoke.toml"


@pytest.mark.parametrize(
    ("text", "expected_s"),
    [("90s", 90), ("150m", 9000), ("2h", 7200), ("1h30m", 5400), ("1h30m15s", 5415), ("1.5h", 5400), (" 2H ", 7200)],
)
def test_budget(text, expected_s):
    assert parse_budget(text) == expected_s


@pytest.mark.parametrize("text", ["", "90", "0m", "-5m", "h", "2 hours", "30m1h", "1d", "nan", "1e3s"])
def test_budget_refuses(text):
    with pytest.raises(InputError, match=r"--budget must be .*150m.*got"):
        parse_budget(text)


@pytest.fixture
def calls(monkeypatch) -> list[dict]:
    """Stand in for the training loop and keep what it is called with."""
    from mendpix.training import loop

    made: list[dict] = []

    def train(recipe, out, **options):
        made.append({"recipe": recipe, "out": out, **options})
        options["say"]("step 1: well")
        options["progress"](0.5, "step 1")
        return out / "checkpoints" / "step-00000001"

    monkeypatch.setattr(loop, "train", train)
    return made


def test_passes_everything_on(mendpix, calls, tmp_path):
    result = mendpix("train", RECIPE, "--budget", "90s", "--resume", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    (call,) = calls
    assert (call["out"], call["budget_s"], call["resume"]) == (tmp_path / "run", 90.0, True)
    assert result.stdout.splitlines() == [
        "step 1: well",
        f"newest checkpoint: {tmp_path}/run/checkpoints/step-00000001",
    ]


def test_the_run_is_named_after_the_recipe(mendpix, calls):
    result = mendpix("train", RECIPE, "-q")
    assert (result.exit_code, result.output) == (0, "")
    (call,) = calls
    assert (call["out"], call["budget_s"], call["resume"]) == (Path("runs/smoke"), None, False)


def test_dry_run_prints_a_complete_recipe_and_stops(mendpix, calls, tmp_path, monkeypatch):
    from mendpix.training.recipes import load_recipe

    monkeypatch.chdir(tmp_path)
    result = mendpix("train", RECIPE, "--dry-run")
    assert result.exit_code == 0, result.output
    assert not calls
    assert not list(tmp_path.iterdir())
    (tmp_path / "again.toml").write_text(result.stdout)
    assert load_recipe(tmp_path / "again.toml") == load_recipe(RECIPE)


def test_a_wrong_recipe_is_one_sentence(mendpix, tmp_path):
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(RECIPE.read_text() + "\n[schedul]\nsteps = 3\n")
    for path in (wrong, tmp_path / "no.toml"):
        result = mendpix("train", path, "--dry-run")
        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
        assert result.stderr.startswith("mendpix: ")


def test_a_wrong_budget_is_found_before_anything_else(mendpix, tmp_path):
    result = mendpix("train", tmp_path / "no.toml", "--budget", "90")
    assert result.exit_code == 2
    assert "--budget" in result.stderr


@pytest.mark.parametrize("verb", [["train", str(RECIPE)], ["export", "runs/smoke", "-o", "model.onnx"]])
def test_without_torch_the_extra_is_named(mendpix, monkeypatch, verb):
    for name in [name for name in sys.modules if name.startswith(("mendpix.training.loop", "mendpix.training.export"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    result = mendpix(*verb)
    assert result.exit_code == 2, result.output
    assert "torch" in result.stderr
    assert result.stderr.endswith("pip install 'mendpix[train]'\n")


def test_a_missing_module_of_ours_is_a_bug(mendpix, monkeypatch):
    monkeypatch.setitem(sys.modules, "mendpix.training.loop", None)
    result = mendpix("train", RECIPE)
    assert result.exit_code == 1
    assert isinstance(result.exception, ModuleNotFoundError)
