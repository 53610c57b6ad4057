"""The house style, where a machine can check it: the public face, who imports whom, what importing costs."""

import ast
import json
import os
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import mendpix

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "mendpix"
MODULES = sorted(PACKAGE.rglob("*.py"))

PUBLIC = [
    "ArtifactMap",
    "Inpainter",
    "MendpixError",
    "Result",
    "__version__",
    "detect",
    "inpaint",
    "list_models",
    "load_network",
    "restore",
]

# From the bottom up. A module imports from its own room and from rooms in earlier rows, never from its neighbours in
# the same row. A name is a folder or a module of the package; a dotted name is a module that lives apart from its room.
ROWS = [
    {"errors", "types"},
    {"contract"},
    {"exemplar"},
    {"engines"},
    {"weights"},  # weights.table and weights.locate; no torch
    {"inference"},
    {"artifacts", "restoration"},
    {"networks", "features"},
    {"losses", "metrics", "weights.network_file"},
    {"weights.load", "weights.convert", "engines.torch"},
    {"data"},
    {"training", "evaluation"},
    {"face"},  # the public names in mendpix/__init__.py
    {"web"},  # nobody imports it but the verb that starts it
    {"cli"},
]
CONTRACT = {
    "atomic_files",
    "checkpoints",
    "composite",
    "edges",
    "fills",
    "images",
    "masks",
    "poisson",
    "typed_toml",
    *(path.stem for path in PACKAGE.glob("image_*.py")),
}
ROW = {room: row for row, rooms in enumerate(ROWS) for room in rooms}
APART = {room for room in ROW if "." in room}
PURE = {"networks", "losses", "features"}  # read no files and know no windows: nothing between the types and themselves
TORCH_FROM = ROW["networks"]
OPTIONAL = {
    "torch",
    "onnx",
    "skimage",
    "scipy",
    "lightning",
    "lightning_fabric",
    "safetensors",
    "tensorboard",
    "torchmetrics",
    "torchvision",
    "torch_fidelity",
    "lpips",
    "fastapi",
    "uvicorn",
    "starlette",
    "pydantic",
}


def room_of(name: str) -> str:
    """Return the room of a dotted module name such as `mendpix.engines.onnx`."""
    parts = name.split(".")[1:]
    if ".".join(parts[:2]) in APART:
        return ".".join(parts[:2])
    if parts[0] in PUBLIC:
        return "face"
    return "contract" if parts[0] in CONTRACT else parts[0]


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(path: Path) -> set[str]:
    """Return the full names of everything a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            module = node.module or ""
            # `from mendpix import fills` imports a module, `from mendpix.errors import ShapeError` a name in one.
            inside = module == "mendpix" or (PACKAGE.parent / Path(*module.split("."))).is_dir()
            found |= {f"{module}.{alias.name}" for alias in node.names} if inside else {module}
    return found


INNER = [path for path in MODULES if path.parent != PACKAGE or path.stem not in {"__init__", "__main__"}]


def test_all_is_exact_and_sorted():
    assert mendpix.__all__ == PUBLIC
    assert all(hasattr(mendpix, name) for name in PUBLIC)
    public = {
        name for name, value in vars(mendpix).items() if not name.startswith("_") and not hasattr(value, "__path__")
    }
    modules = {name for name in public if type(getattr(mendpix, name)).__name__ == "module"}
    assert public - modules == set(PUBLIC) - {"__version__"}


def test_everything_public_has_a_docstring():
    for name in set(PUBLIC) - {"__version__"}:
        assert getattr(mendpix, name).__doc__, name


def test_the_version_is_that_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert mendpix.__version__ == project["version"]


def test_imports_point_one_way():
    wrong: list[str] = []
    for path in INNER:
        room = room_of(name_of(path))
        assert room in ROW, f"{room} has no place in ROWS: decide where it belongs"
        for name in sorted(imports_of(path)):
            if not name.startswith("mendpix."):
                continue
            other = room_of(name)
            assert other in ROW, f"{name_of(path)} imports {name}, whose room has no place in ROWS"
            below = other == room or ROW[other] < ROW[room]
            # EdgeConnect looks for edges itself if it is given none; `edges` is NumPy, and reads no file either.
            pure = other in {"errors", "types", *PURE} or (room, name) == ("networks", "mendpix.edges")
            if not below or (room in PURE and not pure):
                wrong.append(f"{name_of(path)} must not import {name}")
    assert wrong == []


def test_the_inference_side_never_imports_torch():
    light = [path for path in INNER if ROW.get(room_of(name_of(path)), 99) < TORCH_FROM]
    assert len(light) > 50
    heavy = {
        name_of(path): {name.split(".")[0] for name in imports_of(path)} & (OPTIONAL - {"skimage"}) for path in light
    }
    assert {name: found for name, found in heavy.items() if found} == {}


def test_only_the_command_line_prints():
    printing = [
        f"{name_of(path)}:{node.lineno}"
        for path in MODULES
        if path.parent.name != "cli"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert printing == []


def test_modules_are_short_and_say_what_they_do():
    long = {
        name_of(path): lines for path in MODULES if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}
    silent = [name_of(path) for path in MODULES if path.name != "__init__.py" and not ast.get_docstring(parsed(path))]
    assert silent == []
    assert not {path.stem for path in MODULES} & {"base", "common", "helper", "helpers", "misc", "util", "utils"}


def run_python(program: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a program in a fresh interpreter that finds this package."""
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment, **options)


def test_importing_is_quick_and_pulls_in_nothing_optional():
    program = (
        "import json, sys, time; start = time.perf_counter(); import mendpix; "
        "print(json.dumps([time.perf_counter() - start, sorted({name.split('.')[0] for name in sys.modules})]))"
    )
    best = 99.0
    for _ in range(3):  # the machine may be busy with something else
        answer = run_python(program)
        seconds, modules = json.loads(answer.stdout)
        assert not set(modules) & {*OPTIONAL, "onnxruntime", "rich", "typer"}
        assert answer.stderr == ""
        best = min(best, seconds)
        if best < 1:
            break
    assert best < 1


def test_importing_writes_and_reads_nothing_of_its_own(tmp_path):
    program = (
        "import sys\n"
        "opened = []\n"
        "def hook(event, arguments):\n"
        "    if event == 'open' and not str(arguments[0]).endswith(('.py', '.pyc', '.so')):\n"
        "        opened.append(str(arguments[0]))\n"
        "import numpy, cv2, PIL.Image\n"
        "sys.addaudithook(hook)\n"
        "import mendpix\n"
        "print([name for name in opened if 'mendpix' in name])\n"
    )
    answer = run_python(program, cwd=tmp_path)
    assert answer.stdout.strip() == "[]"
    assert list(tmp_path.iterdir()) == []
