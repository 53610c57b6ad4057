"""What the documents say is tried: code runs, commands run, links lead somewhere, the tree is the one on disk."""

import re
import runpy
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mendpix.cli.app import main
from mendpix.evaluation.pair_files import write_pairs
from mendpix.evaluation.pairing import open_protocol
from mendpix.evaluation.protocol import load_protocol

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCUMENTS = ["README.md", "CONTRIBUTING.md", *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/**/*.md"))]
DOCUMENTS += ["examples/README.md"]
NEED_A_SERVER = {"docs/how-to/http-api.md"}  # run by tests/web/test_http_api_doc.py
LEFT_BY_TOOLS = {".git", ".venv", "build", "dist", "runs", ".cache", ".device", ".hypothesis", "__pycache__", "shared"}
LEFT_BY_TOOLS |= {".pytest_cache", ".ruff_cache", ".coverage"}


def blocks(document: str, language: str) -> list[str]:
    """Return the fenced blocks of a document in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Path:
    """A working folder with what the documents assume: folders of ours, a picture filled before, written pairs."""
    for name in ("examples", "protocols", "recipes"):
        shutil.copytree(ROOT / name, tmp_path / name)
    write_pairs(open_protocol(load_protocol(tmp_path / "protocols" / "example.toml")), tmp_path / "pairs")
    shutil.copy(ROOT / "examples" / "photo.jpg", tmp_path / "mended.png")  # a JPEG by content, which Pillow goes by
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "document", [document for document in DOCUMENTS if blocks(document, "python") and document not in NEED_A_SERVER]
)
def test_python_in_the_documents_runs(document, desk):
    for block in blocks(document, "python"):
        exec(compile(block, document, "exec"), {})


@pytest.mark.parametrize("script", ["inpaint_photo.py", "find_artifacts.py"])
def test_examples_run(script, desk, capsys):
    runpy.run_path(f"examples/{script}")
    assert "%" in capsys.readouterr().out
    assert len((desk / "examples" / script).read_text().splitlines()) <= 8


def commands() -> list[str]:
    """Return the README's lines that call mendpix, `pip install . &&` taken off."""
    lines = [line.rpartition("&& ")[2] for block in blocks("README.md", "sh") for line in block.splitlines()]
    # `mendpix serve` does not end by itself: tests/cli/test_serve_verb.py starts and stops it.
    return [line for line in lines if line.startswith("mendpix ") and not line.startswith("mendpix serve")]


@pytest.mark.parametrize("command", commands())
def test_commands_in_the_readme_run(command, desk):
    result = CliRunner().invoke(main, shlex.split(command)[1:])
    assert result.exit_code == 0, result.output
    assert result.stdout


def test_the_readme_has_commands():
    assert len(commands()) >= 4


@pytest.mark.parametrize(
    "command",
    [
        "pip install . && mendpix inpaint examples/photo.jpg examples/mask.png -o mended.png",
        "pip install -c constraints.txt -e '.[dev]' && pytest",
    ],
)
def test_the_check_does_what_the_readme_says(command):
    assert command in README
    script = (ROOT / ".ci" / "run").read_text()
    for part in command.split(" && "):
        tool, _, arguments = part.partition(" ")
        words = [word for word in arguments.split() if word != "install"]
        assert any(tool in line and all(word in line for word in words) for line in script.splitlines()), part


def tree() -> set[Path]:
    """Return every file and folder that the README's tree names, relative to the root; * stands for several."""
    (drawing,) = blocks("README.md", "text")
    named, folder = set(), Path()
    for line in drawing.splitlines():
        if not line.startswith(" "):
            folder = Path()
        entries = re.split(r" {2,}", line.strip())[0].split()
        for entry in entries:
            found = set(ROOT.glob(str(folder / entry)))
            assert found, f"the README's tree names {entry}, which is not there"
            named |= {path.relative_to(ROOT) for path in found}
        if entries == ["src/mendpix/"]:
            folder = Path("src/mendpix")
    return named


def on_disk(folder: Path) -> set[Path]:
    """Return what lies in a folder and is not left by tools. Folders without a file do not count: git has none."""
    found = {path for path in folder.iterdir() if path.name not in LEFT_BY_TOOLS and path.suffix != ".egg-info"}
    return {
        path.relative_to(ROOT) for path in found if path.is_file() or any(part.is_file() for part in path.rglob("*"))
    }


def test_the_tree_in_the_readme_is_the_one_on_disk():
    named = tree()
    top = {Path(path.parts[0]) for path in named}
    assert on_disk(ROOT) - top == set()
    assert on_disk(ROOT / "src" / "mendpix") - named == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    text = (ROOT / document).read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"https?:", target):
            path = ((ROOT / document).parent / target.partition("#")[0]).resolve()
            assert path.exists(), f"{document} links to {target}"
            heading = target.partition("#")[2].replace("-", " ")
            assert heading in path.read_text().lower() if heading else True


def test_every_decision_is_in_the_index():
    index = (ROOT / "docs" / "decisions" / "README.md").read_text()
    for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md"):
        assert f"[{path.name[:3]}]({path.name})" in index
