"""`mendpix evaluate`: a protocol and models in, a report out. Parses options, calls, tells."""

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from mendpix.cli.console import LateProgress, failures_as_sentences, print_json, say, seconds
from mendpix.errors import InputError

if TYPE_CHECKING:
    from mendpix.evaluation.evaluate import Report
    from mendpix.evaluation.pairing import OpenProtocol


def evaluate(
    protocol: Annotated[
        Path, typer.Option(metavar="FILE.toml", readable=False, help="What is measured: see docs/how-to/evaluate.md.")
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FILE|DIR",
            help="A model by name, a model file, or a folder of another program's results; LABEL= before it names it "
            "in the report. May be given several times.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="REPORT", help="Folder for the report; an unfinished one is continued."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the protocol's relative paths start.  [default: beside the file]"),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Processes, one thread each.  [default: one per core]")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Use only this many pictures, at equal distances.")
    ] = None,
    cases: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Pairs shown with their pictures.  [default: 24]")
    ] = None,
    timed: Annotated[bool, typer.Option("--time", help="Also time every model, by itself, and its memory.")] = False,
    threads: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Threads for --time.  [default: one per core]")
    ] = None,
    weights_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder with the published weights of FID, KID and LPIPS.")
    ] = None,
    write_pairs: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write pictures and masks into DIR, for other programs to fill."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, for programs.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Measure models, or other programs' results, under a protocol that says exactly what is measured.

    Writes index.html (one page with tables, plots and the worst cases, that needs no other file), report.md,
    tables.csv, pairs.csv, report.json and plots. What was measured is kept: a run that was stopped goes on where it
    was, and a model that is added later is measured alone.
    """
    with failures_as_sentences():
        started = perf_counter()
        check_wanted(model, out, write_pairs)
        if threads is not None and not timed:
            raise InputError(
                "--threads goes with --time; got it alone. Fills are measured on one thread per --workers."
            )

        from mendpix.evaluation.evaluate import CASES
        from mendpix.evaluation.evaluate import evaluate as run
        from mendpix.evaluation.pair_files import write_pairs as write
        from mendpix.evaluation.pairing import open_protocol
        from mendpix.evaluation.protocol import load_protocol

        with LateProgress(quiet=quiet) as progress:
            opened = open_protocol(load_protocol(protocol, data), limit, progress)
            written = write(opened, write_pairs, progress) if write_pairs else None
            report = None
            if out is not None:
                report = run(
                    opened,
                    model or [],
                    out,
                    workers=workers or cores(),
                    timed=timed,
                    threads=threads,
                    weights_dir=weights_dir,
                    cases=CASES if cases is None else cases,
                    progress=progress,
                    say=(lambda text: None) if as_json else progress.say,
                )
        duration_s = perf_counter() - started
        if as_json:
            print_json(describe(opened, report, write_pairs, written, duration_s))
        elif not quiet:
            tell(opened, report, write_pairs, written, duration_s)


def cores() -> int:
    """Count the cores that this process may use."""
    import os

    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_wanted(model: list[str] | None, out: Path | None, write_pairs: Path | None) -> None:
    """Refuse a call that asks for nothing, or for half of something.

    Raises:
        InputError: If it does.
    """
    if model and out is None:
        raise InputError("--model goes with -o, the folder for the report; got none. Add it: -o report")
    if out is not None and not model:
        raise InputError("a report needs at least one --model NAME, FILE or DIR; got none. For example: --model scenes")
    if out is None and write_pairs is None:
        raise InputError("nothing to do: give --model and -o for a report, or --write-pairs DIR for the pairs alone.")


def describe(
    opened: "OpenProtocol", report: "Report | None", pairs_dir: Path | None, written: int | None, duration_s: float
) -> dict[str, object]:
    """Write the facts for `--json`."""
    found: dict[str, object] = {
        "protocol": {"name": opened.protocol.name, "id": opened.id, "pairs": len(opened.pairs)},
        "pairs_dir": str(pairs_dir) if written is not None else None,
        "seconds": {"total": round(duration_s, 4)},
    }
    if report is not None:
        from mendpix.evaluation.number_format import for_json

        summary = report.summary
        found |= {
            "report": str(report.folder),
            "page": str(report.page),
            "files": [str(path) for path in report.files],
            "measured": report.measured,
            "means": {
                model.name: {
                    measure: for_json(columns["all"].mean)
                    for measure, columns in summary.means[model.name].items()
                    if "all" in columns
                }
                for model in summary.evaluation.models
            },
            "altered": {model.name: int((model.altered > 0).sum()) for model in summary.evaluation.models},
        }
    return found


def tell(
    opened: "OpenProtocol", report: "Report | None", pairs_dir: Path | None, written: int | None, duration_s: float
) -> None:
    """Say in a few lines what was done."""
    if written is not None:
        say(f"{pairs_dir}: {written} pictures with masks, protocol {opened.id}")
    if report is None:
        return
    from mendpix.evaluation.number_format import counted

    models = report.summary.evaluation.models
    say(
        f"{report.page}: {counted(len(models), 'model')}, {counted(report.pairs, 'pair')}, protocol "
        f"{opened.id}, {seconds(duration_s)}"
    )
    for model in models:
        spoilt = int((model.altered > 0).sum())
        if spoilt:
            say(f"note: {model.name} altered known pixels in {spoilt} of {report.pairs} results", err=True)
    if report.measured:
        fills = ", ".join(
            f"{name} {1000 * spent / report.filled[name]:.0f}"
            for name, spent in report.fill_seconds.items()
            if report.filled[name]
        )
        each = 1000 * report.measure_seconds / report.measured
        measured = counted(report.measured, "result")
        say(f"measured {measured} now; ms a pair on one thread: fills {fills}; measures {each:.0f}")
