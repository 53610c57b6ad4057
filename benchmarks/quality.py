"""Measure the shipped model beside the classical fills and every trained variant: what docs/quality/ is made of.

    python benchmarks/quality.py --shared ../shared

Three evaluations under the protocols of `protocols/`, as `mendpix evaluate` makes them: `scenes` (all photos), `slow`
(a part of them, with the fills that take seconds) and `faces`. Their reports, with pictures, go to `runs/quality/`,
which git ignores; tables and plots, without pictures, go to `docs/quality/`. What was measured is kept: a run that was
stopped goes on where it was, and one that finds everything measured writes the same files to the last byte.

`--shared` holds `validation/` (bsds, coco, kodak, faces, masks). Variants are the models that `benchmarks/paper.py`
left in `runs/paper/`; where there are none, they are left out.
"""

import argparse
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mendpix.atomic_files import atomic_write
from mendpix.errors import MendpixError
from mendpix.evaluation.evaluate import CASES, Report, evaluate
from mendpix.evaluation.markdown import escaped, markdown
from mendpix.evaluation.measures import MEASURES
from mendpix.evaluation.number_format import interval, number
from mendpix.evaluation.pairing import open_protocol
from mendpix.evaluation.plots import PLOTS, headlines
from mendpix.evaluation.protocol import load_protocol
from mendpix.evaluation.statistics import LEVEL, Difference, Summary

ROOT = Path(__file__).resolve().parents[1]
PROTOCOLS = ROOT / "protocols"

OURS = "scenes"
QUICK = ("harmonic", "telea", "navier-stokes")
SLOW = ("shiftmap", "biharmonic")

SLOW_PICTURES = 43
"""Pictures of `slow`: the shift map takes half a minute for the six holes of one, and 43 × 6 pairs are enough for a
Fréchet distance."""

SLOW_CASES = 6
"""Pairs that the report of `slow` shows with their pictures, which are filled anew each time that it is written."""

VARIANT = "{} (small)"
"""What a variant is called, so that nobody takes it for a model that ships."""

AIM_DB, FLOOR_DB = 1.0, 0.3
"""How far the shipped model is to be ahead in PSNR, in the mean of the bins from `FROM_SHARE` on."""

FROM_SHARE = 0.1
"""Aim and floor were set for holes from this share of the picture on."""


@dataclass(frozen=True)
class Part:
    """One of the evaluations."""

    title: str
    about: str
    protocol: str
    """File in `PROTOCOLS`."""
    rivals: tuple[str, ...]
    """Classical fills, whose best is what the shipped model must beat."""
    variants: str | None = None
    """Folder of trained models in the folder of runs."""
    pictures: int | None = None
    """Use only so many, at equal distances; None = all."""
    cases: int = CASES
    """Pairs that the report shows with their pictures."""
    aimed: bool = True
    """Whether aim and floor are asked for."""


PARTS = {
    "scenes": Part(
        "Quality on scenes",
        "All validation photos; the fast classical fills and every variant that was trained on scenes.",
        "scenes-256.toml",
        QUICK,
        variants="scenes",
    ),
    "slow": Part(
        "Quality on scenes, with the slow fills",
        "A part of the validation photos, for the fills that take seconds each.",
        "scenes-256.toml",
        (*QUICK, *SLOW),
        pictures=SLOW_PICTURES,
        cases=SLOW_CASES,
    ),
    "faces": Part(
        "Quality on faces",
        "Generated faces, which `scenes` was not trained on; the variants were.",
        "faces-256.toml",
        QUICK,
        variants="faces",
        aimed=False,
    ),
}


def measure(name: str, shared: Path, runs: Path, report: Path, workers: int, limit: int | None) -> Report:
    """Run one evaluation, or what is left of it."""
    part = PARTS[name]
    models = [OURS, *part.rivals]
    if part.variants is not None:
        found = [path for path in sorted((runs / part.variants).glob("*.onnx")) if not path.stem.endswith("-detector")]
        models += [f"{VARIANT.format(path.stem)}={path}" for path in found]
        if not found:
            print(f"{name}: no variants in {runs / part.variants}; they are left out", flush=True)
    told = -1

    def tell(share: float, what: str) -> None:
        nonlocal told
        if int(10 * share) > told:
            told = int(10 * share)
            print(f"{name}: {10 * told} %, {what}", flush=True)

    pictures = min((count for count in (part.pictures, limit) if count is not None), default=None)
    opened = open_protocol(load_protocol(PROTOCOLS / part.protocol, shared), pictures)
    return evaluate(
        opened,
        models,
        report / name,
        workers=workers,
        cases=part.cases,
        progress=tell,
        say=lambda text: print(f"{name}: {text}", flush=True),
    )


def write_docs(name: str, report: Report, docs: Path) -> Path:
    """Write page, table and plots of one evaluation into the folder of the documents, and return the page."""
    plots = docs / "plots"
    plots.mkdir(parents=True, exist_ok=True)
    for old in plots.glob(f"{name}-*.svg"):
        old.unlink()
    for measure in judged(report.summary):
        for kind in ("", "-differences"):
            copy(report.folder / PLOTS / f"{measure}{kind}.svg", plots / f"{name}-{measure}{kind}.svg")
    copy(report.folder / "tables.csv", docs / f"{name}.csv")
    page = docs / f"{name}.md"
    with atomic_write(page) as temporary:
        temporary.write_text(write_page(name, report.summary), encoding="utf-8")
    return page


def copy(source: Path, target: Path) -> None:
    """Copy a file, whole or not at all."""
    with atomic_write(target) as temporary:
        shutil.copyfile(source, temporary)


def write_page(name: str, summary: Summary) -> str:
    """Write one evaluation as Markdown: verdict, plots, then every table."""
    part = PARTS[name]
    about = [part.about]
    if len(summary.evaluation.models) > 1 + len(part.rivals):
        about.append(
            f"{VARIANT.format('…')}: the small networks of [the paper's comparison](../paper/README.md), by the names "
            "that they have there; none of them ships."
        )
    shown = judged(summary)
    drawn = (
        f"![{MEASURES[measure].title} by hole share; the numbers are in the table](plots/{name}-{measure}.svg)"
        for measure in shown
    )
    compared = ", ".join(f"[{MEASURES[measure].title}](plots/{name}-{measure}-differences.svg)" for measure in shown)
    blocks = (
        f"# {part.title}",
        f"Written by `python benchmarks/quality.py --only {name}`; do not edit. {' '.join(about)} The means "
        f"in full are in [{name}.csv]({name}.csv).",
        "## Verdict",
        write_verdict(summary, part),
        "## Plots",
        *drawn,
        f"By how much `{OURS}` is better than each, over all pairs: {compared}.",
        "## Tables",
        markdown(summary, docs=True).rstrip("\n"),
    )
    return "\n\n".join(blocks) + "\n"


def write_verdict(summary: Summary, part: Part) -> str:
    """Say by how much the shipped model is ahead of the best classical fill of each bin."""
    bins = summary.evaluation.pairs.bin_names
    late = [column for column in bins if starts_at(column) >= FROM_SHARE]
    lines = [f"| {OURS} is better by | {' | '.join(bins)} |", f"| --- |{' ---: |' * len(bins)}"]
    ends: list[str] = []
    for name in judged(summary):
        facts = MEASURES[name]
        title = f"{facts.title}, {facts.unit}" if facts.unit else facts.title
        nearest = {column: find_nearest(summary, part.rivals, name, column) for column in bins}
        cells = (write_cell(rival, found, facts.digits) for rival, found in nearest.values())
        lines.append(f"| {title} | {' | '.join(cells)} |")
        end = f"- {facts.title}: **{place({column: nearest[column][1] for column in late})}**"
        if name == "psnr" and part.aimed and late:
            end += f"; {judge(sum(nearest[column][1].estimate.mean for column in late) / len(late))}"
        ends.append(f"{end}.")
    caption = (
        f"Protocol `{summary.evaluation.protocol_id}`: `{OURS}` against the best classical fill of each bin, of "
        f"{', '.join(part.rivals)}. Mean of the differences of the pairs, its {LEVEL} % interval, the fill's name; "
        "positive = better; **bold** = significant."
    )
    return "\n\n".join((caption, "\n".join(lines), f"In the bins from {FROM_SHARE} on:", "\n".join(ends)))


def judged(summary: Summary) -> list[str]:
    """Return the measures that the verdict is about: headlines with a better side, without those of the detector."""
    shown = ((name, MEASURES[name]) for name in headlines(summary.evaluation))
    return [name for name, facts in shown if facts.sign and facts.needs != "detector"]


def place(found: Mapping[str, Difference]) -> str:
    """Say in which bins the shipped model is ahead."""
    behind = [column for column, each in found.items() if not each.estimate.mean > 0]
    if behind:
        return f"behind in {', '.join(behind)}"
    unsure = [column for column, each in found.items() if not each.significant]
    if len(unsure) == len(found):
        return "ahead in every bin, significantly in none"
    return "ahead in every bin" + (f", not significantly in {', '.join(unsure)}" if unsure else "")


def find_nearest(summary: Summary, rivals: Sequence[str], measure: str, column: str) -> tuple[str, Difference]:
    """Return the classical fill that comes nearest to the shipped model in a bin, and what it is behind by."""
    found = {rival: summary.difference(OURS, rival, measure, column) for rival in rivals}
    return min(found.items(), key=lambda one: one[1].estimate.mean)


def write_cell(rival: str, found: Difference, digits: int) -> str:
    """Write a difference and below it, small, its interval and whom it is to."""
    mean = number(found.estimate.mean, digits, plus=True)
    text = f"**{mean}**" if found.significant else mean
    return f"{text}<br><sub>{interval(found.estimate, digits, plus=True)}<br>{escaped(rival)}</sub>"


def judge(mean_db: float) -> str:
    """Say whether aim and floor are met."""
    word = "aim met" if mean_db >= AIM_DB else "floor met, aim missed" if mean_db >= FLOOR_DB else "floor missed"
    return (
        f"mean of these bins {number(mean_db, 2, plus=True)} dB (aim {number(AIM_DB, 1, plus=True)}, floor "
        f"{number(FLOOR_DB, 1, plus=True)}): **{word}**"
    )


def starts_at(column: str) -> float:
    """Read a bin's lower end from its name."""
    return float(column.partition("–")[0])


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--shared", type=Path, default=ROOT.parent / "shared", metavar="DIR", help="holds validation/")
    add("--runs", type=Path, default=ROOT / "runs" / "paper", metavar="DIR", help="holds the variants")
    add(
        "--only",
        choices=[*PARTS, "tables"],
        help="one of the evaluations; tables = all that were finished before, to write their files again",
    )
    add("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes, one thread each")
    add("--report", type=Path, metavar="DIR", help="where the reports go  [default: runs/quality]")
    add("--docs", type=Path, metavar="DIR", help="where tables and plots go  [default: docs/quality]")
    add("--limit", type=int, metavar="N", help=argparse.SUPPRESS)  # pictures, to try it; reports and docs go elsewhere
    given = parser.parse_args(arguments)
    place = ROOT / "runs" / ("quality" if given.limit is None else f"quality-limit-{given.limit}")
    given.report = given.report or place
    given.docs = given.docs or (ROOT / "docs" / "quality" if given.limit is None else place / "docs")
    return given


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the evaluations that are asked for, and print their verdicts."""
    given = parse(arguments)
    if not (given.shared / "validation").is_dir():
        raise SystemExit(
            f"--shared must be a folder with validation/, which holds the pictures and masks; {given.shared} is none. "
            "Give the folder that holds them."
        )
    names = [given.only] if given.only in PARTS else list(PARTS)
    if given.only == "tables":
        names = [name for name in names if (given.report / name / "report.json").exists()]
        if not names:
            raise SystemExit(
                f"{given.report} must hold a finished report; it holds none. Measure first, without --only."
            )
    try:
        for name in names:
            report = measure(name, given.shared, given.runs, given.report, given.workers, given.limit)
            page = write_docs(name, report, given.docs)
            print(f"\n{write_verdict(report.summary, PARTS[name])}\n\n{report.page}\n{page}", flush=True)
    except MendpixError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
