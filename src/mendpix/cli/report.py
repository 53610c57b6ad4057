"""`mendpix report`: a folder of models in, the paper's figures out. Parses options, calls, tells."""

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from mendpix.cli.console import LateProgress, failures_as_sentences, print_json, say, seconds
from mendpix.errors import InputError

if TYPE_CHECKING:
    from mendpix.evaluation.figures import Report


@dataclass(frozen=True)
class Sources:
    """What `--pictures` and `--masks` name, once both are known to be there."""

    pictures: list[Path]
    masks: Path


def report(
    models: Annotated[
        Path,
        typer.Argument(
            metavar="MODELS_DIR",
            readable=False,
            help="Folder with weight.onnx, adv.onnx, det.onnx, linear.onnx, base-e.onnx and det-detector.onnx.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="OUT_DIR", help="Folder to write into; made if it is not there.")
    ],
    pictures: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR|FILE", help="Photos to fill: a folder or a file; may be given several times."),
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of black and white masks, white = hole.")
    ] = None,
    rows: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Pairs shown in each figure; all are measured.  [default: 3]")
    ] = None,
    figure: Annotated[
        list[int] | None,
        typer.Option(metavar="3|6|7", help="Make this figure only; may be given several times.  [default: all]"),
    ] = None,
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="Title of the page.")] = None,
    threads: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Processor threads.  [default: what the machine has]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, for programs.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Draw figures 3, 6 and 7 of the GDN paper with your own models.

    Writes figure-3.png (edges by weight map), figure-6.png (Weight, Adv and Det side by side), figure-7.png (what the
    detector sees) and index.html, one page with all of them that needs no other file. Pictures are brought to 256 ×
    256 px and paired with masks in the order of their names.
    """
    with failures_as_sentences():
        started = perf_counter()
        given = check_sources(pictures, masks)
        from mendpix.evaluation.figures import ROWS, write_report

        with LateProgress(quiet=quiet) as progress:
            made = write_report(
                models,
                out,
                given.pictures,
                given.masks,
                figures=figure or None,
                rows=ROWS if rows is None else rows,
                title=title,
                threads=threads,
                progress=progress,
            )
        duration_s = perf_counter() - started
        if as_json:
            print_json(describe(made, duration_s))
        elif not quiet:
            count = "1 pair" if made.pairs == 1 else f"{made.pairs} pairs"
            say(
                f"{made.page}: figure{'s' if len(made.sheets) > 1 else ''} {', '.join(map(str, made.sheets))}; "
                f"{count} measured, {made.rows} shown, {seconds(duration_s)}"
            )
            for path in made.sheets.values():
                say(str(path))


def check_sources(pictures: list[Path] | None, masks: Path | None) -> Sources:
    """Ask for what cannot be guessed: mendpix ships no photos.

    Raises:
        InputError: If pictures or masks were not given.
    """
    if not pictures:
        raise InputError(
            "--pictures must name photos to fill, since none come with mendpix; got none. Give a folder or files: "
            "--pictures photos/"
        )
    if masks is None:
        raise InputError("--masks must name a folder of black and white masks; got none. Give one: --masks masks/")
    return Sources(pictures, masks)


def describe(made: "Report", duration_s: float) -> dict[str, object]:
    """Write the report's facts for `--json`; figures are keys, as JSON has no others than strings."""
    return {
        "page": str(made.page),
        "figures": {str(number): str(path) for number, path in made.sheets.items()},
        "pairs": made.pairs,
        "rows": made.rows,
        "means": {str(number): means for number, means in made.means.items()},
        "models": {one.name: {"file": str(one.path), "sha256": one.sha256} for one in made.models},
        "seconds": {"total": round(duration_s, 4)},
    }
