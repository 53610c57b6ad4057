"""Measure restoration without a mask: what docs/quality/restoration.md is made of.

    python benchmarks/restoration.py --shared ../shared
    python benchmarks/restoration.py --shared ../shared --finder damage.onnx --only calibrate damaged clean

Parts, each of which goes on where it was stopped:

- `calibrate` chooses from which of its answers on the finder marks a pixel, and writes that into the finder's file.
- `damaged` damages validation pictures by one family at a time, and measures what is found and what mending gains.
- `clean` looks for damage in all validation pictures as they are.
- `noise` compares denoising by finding and filling with filters that smooth.
- `families` trains small finders without a family, and looks whether they find it (`--minutes` of processor time each).
- `edges` trains the edge network of the paper alone, with a mask network, and jointly with it (`--minutes` each).
- `write` puts the page and its table of all numbers together from what has been measured.

Without `--only`: all but `calibrate`, which changes the finder. Rows are kept in `runs/restoration`, which git ignores;
those of other code or another finder are measured anew. `--only write` measures nothing.

`--shared` holds `data/` (tar shards of training pictures) and `validation/`.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import restoration_clean
import restoration_damaged
import restoration_edges
import restoration_families
import restoration_noise
import restoration_page
from mendpix.errors import MendpixError
from mendpix.restoration.restore import DEFAULT_FINDER
from mendpix.weights.locate import find_model

ROOT = Path(__file__).resolve().parents[1]

PARTS = ("calibrate", "damaged", "clean", "noise", "families", "edges", "write")
"""What can be asked for, in order."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Do the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="pictures")
    parser.add_argument("--finder", type=Path, help="file of the finder; the one that ships if left out")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "restoration", help="where rows and runs go")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "quality", help="where the page goes")
    parser.add_argument("--workers", type=int, default=1, help="processes that measure, one thread each")
    parser.add_argument("--minutes", type=float, default=5, help="processor time of each training")
    parser.add_argument("--limit", type=int, help="measure so many pictures of each kind only, to try it")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="parts")
    given = parser.parse_args(arguments)
    parts: Sequence[str] = given.only or [part for part in PARTS if part != "calibrate"]
    if not (given.shared / "validation").is_dir():
        raise SystemExit(f"--shared must be a folder with data and validation; {given.shared} has no validation.")
    try:
        finder = given.finder or find_model(DEFAULT_FINDER)
        if finder is None or not finder.is_file():
            raise SystemExit(f"--finder must be the file of a finder of damage; {finder} is none.")
        do(parts, given, finder)
    except MendpixError as error:
        raise SystemExit(str(error)) from error


def do(parts: Sequence[str], given: argparse.Namespace, finder: Path) -> None:
    """Do parts in their order."""
    work: Path = given.work
    shared, name = given.shared.resolve(), str(finder)
    options = {"workers": given.workers, "limit": given.limit}
    if "calibrate" in parts:
        print(json.dumps(restoration_clean.calibrate(shared, work, finder, **options), indent=2), flush=True)
    if "damaged" in parts:
        restoration_damaged.measure_all(shared, work, name, **options)
    if "clean" in parts:
        restoration_clean.measure_all(shared, work, name, **options)
    if "noise" in parts:
        restoration_noise.measure_all(shared, work, name, **options)
    if "families" in parts:
        restoration_families.measure_all(ROOT, shared, work, given.minutes, **options)
    if "edges" in parts:
        restoration_edges.measure_all(ROOT, shared, work, given.minutes, **options)
    if "write" in parts:
        restoration_page.write(measured(work), finder, given.docs, given.minutes)
        print(given.docs / "restoration.md")


def measured(work: Path) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Read all rows that have been measured, part by part; and what `calibrate` and the tuning of a filter say."""
    found: dict[str, Sequence[Mapping[str, Any]]] = {}
    for part in ("damaged", "clean", "noise", "families", "edges"):
        file = work / f"{part}.jsonl"
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True) if file.exists() else []
        found[part] = [json.loads(line) for line in lines if line.endswith("\n")]
    for part in ("calibrate", "noise-strengths"):
        file = work / f"{part}.json"
        found[part] = [json.loads(file.read_text(encoding="utf-8"))] if file.exists() else []
    return found


if __name__ == "__main__":
    main()
