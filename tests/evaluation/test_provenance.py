import json
import subprocess
import sys
from pathlib import Path

import mendpix
from mendpix.evaluation import provenance
from mendpix.evaluation.provenance import code_mark, measuring_files, versions

PACKAGE = Path(mendpix.__file__).parent

NOT_IN_THE_MARK = {"evaluation/results.py"}  # dataclasses for what was measured; computes nothing


def test_every_module_that_a_measuring_process_loads_is_in_the_mark():
    program = (
        "import json, sys; import mendpix.evaluation.workers, mendpix.metrics.learned; "
        "print(json.dumps([m.__file__ for n, m in sys.modules.items() if n.startswith('mendpix') and m.__file__]))"
    )
    environment = {"PYTHONPATH": str(PACKAGE.parent), "PATH": ""}
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    loaded = {Path(path).relative_to(PACKAGE).as_posix() for path in json.loads(answer.stdout)}
    marked = {path.relative_to(PACKAGE).as_posix() for path in measuring_files()}
    assert loaded - marked <= NOT_IN_THE_MARK
    assert {"evaluation/adaptors.py", "evaluation/fitting.py", "weights/squeezenet.onnx", "fills.py"} <= marked


def test_the_mark_changes_with_code_and_versions(tmp_path, monkeypatch):
    before = code_mark()
    assert code_mark() == before
    changed = dict(versions(), pillow="0")
    monkeypatch.setattr(provenance, "versions", lambda: changed)
    assert code_mark() != before


def test_versions_name_what_decodes_and_measures():
    assert {"mendpix", "Python", "numpy", "onnxruntime", "pillow"} <= set(versions())
    assert any(name.startswith("opencv") for name in versions())
