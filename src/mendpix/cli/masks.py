"""`mendpix masks build`: drawings in, training masks out. Parses options, calls, and tells."""

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from mendpix.cli.console import EXIT_FAILED, LateProgress, failures_as_sentences, print_json, say, seconds
from mendpix.errors import InputError

if TYPE_CHECKING:
    from mendpix.data.mask_build import DrawingSource
    from mendpix.data.mask_record import BuildReport

BAR_CHARS = 40
"""Length of the longest bar of a histogram."""

FAILURES_SHOWN = 10
"""How many drawings that cannot be used are printed; the record names more."""

MOST = 1_000_000_000
"""Largest number of drawings to imitate, and of passes."""

masks = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@masks.callback()
def root() -> None:
    """Make masks for training."""


@masks.command()
def build(
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the masks: new, empty, or to be continued.")
    ],
    drawings: Annotated[
        Path | None,
        typer.Argument(
            metavar="DRAWINGS",
            readable=False,
            show_default=False,
            help="Folder of drawings, dark strokes on white, such as QD-IMD; subfolders count.",
        ),
    ] = None,
    imitate: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=MOST, help="Imitate N drawings instead of reading them.")
    ] = None,
    processing: Annotated[
        str,
        typer.Option(
            metavar="published|intended",
            help="published: strokes are thickened by 14 to 27 px, as the authors' script does; intended: the less, "
            "the more is drawn.",
        ),
    ] = "published",
    border: Annotated[
        str, typer.Option(metavar="any|free", help="free: a frame of 23 px stays known; any: holes may reach the edge.")
    ] = "any",
    binning: Annotated[
        str,
        typer.Option(
            metavar="exact|published",
            help="published: as the authors' script sorts, 0.4 % low and with masks without a hole in the first bin.",
        ),
    ] = "exact",
    per_bin: Annotated[int, typer.Option(metavar="N", min=1, help="Masks after which a bin is full.")] = 30_000,
    passes: Annotated[int, typer.Option(metavar="N", min=1, max=MOST, help="Masks made of each drawing.")] = 1,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Other seeds give other masks.")] = 0,
    invert: Annotated[bool, typer.Option("--invert", help="The drawings are white strokes on black.")] = False,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Processor threads.  [default: what the machine has]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, for programs.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Make training masks from drawings, as the GDN paper does.

    DIR gets six folders, 10 to 60, by share of hole in percent, with masks of 256 × 256 pixels, white = hole, and
    masks.json, the record of the run. The same command continues a run that was stopped and gives the masks that it
    would have given at once; a larger --passes adds to a finished one.

    A drawing that cannot be used is named and the run goes on; the exit code is 2 then.
    """
    with failures_as_sentences():
        started = perf_counter()
        source = choose_source(drawings, imitate, out, invert=invert, seed=seed)
        from mendpix.data.mask_build import BuildSettings, build_masks

        settings = BuildSettings(
            processing=processing,  # pyright: ignore[reportArgumentType]  # checked there
            border=border,  # pyright: ignore[reportArgumentType]
            binning=binning,  # pyright: ignore[reportArgumentType]
            per_bin=per_bin,
            passes=passes,
            seed=seed,
        )
        with LateProgress(quiet=quiet) as progress:
            report = build_masks(source, out, settings, workers=workers, progress=progress)
        duration_s = perf_counter() - started
        if as_json:
            print_json({**report.to_dict(), "seconds": {"total": round(duration_s, 4)}})
        elif not quiet:
            tell(report, duration_s)
        if report.unusable:
            tell_failures(report)
            raise typer.Exit(EXIT_FAILED)


def choose_source(drawings: Path | None, imitate: int | None, out: Path, *, invert: bool, seed: int) -> "DrawingSource":
    """Open the drawings, or get ready to imitate some.

    Raises:
        InputError: If neither or both are asked for, or if the masks would lie among the drawings.
        DataError: If the folder of drawings cannot be used.
    """
    from mendpix.data.drawing_files import DrawingFolder
    from mendpix.data.drawings import Imitations

    if imitate is not None:
        if drawings is not None or invert:
            what = "--invert" if drawings is None else f"the folder {drawings}"
            raise InputError(f"drawings are read or imitated, not both; got --imitate {imitate} and {what}. Drop one.")
        return Imitations(imitate, seed)
    if drawings is None:
        raise InputError("a folder of drawings was expected; got none. Name one, or add --imitate 60000")
    if out.resolve().is_relative_to(drawings.resolve()):
        raise InputError(
            f"masks must not lie among the drawings in {drawings}; got --out {out}. Choose another folder."
        )
    return DrawingFolder(drawings, invert=invert)


def tell(report: "BuildReport", duration_s: float) -> None:
    """Say how many masks there are, and show how they are spread."""
    from mendpix.data.mask_record import BIN_NAMES, FINE_BINS

    made = report.attempted - report.attempted_before
    kept = sum(report.kept)
    if made:
        speed = f"{made:,} tried in {seconds(duration_s)}, {made / duration_s:,.0f} a second"
    else:
        speed = "all of them made before"
    say(f"{report.folder}: {kept:,} masks; {speed}")
    low = 1
    for name, count, came in zip(BIN_NAMES, report.kept, report.came, strict=True):
        full = f" of {came:,}" if came > count else ""
        say(f"  {name}/  {low:>2} to {name} %  {f'{count:,}':>9}  {_bar(count, max(report.kept))}{full}".rstrip())
        low = int(name)
    say(f"left out: {report.too_small:,} with too little hole, {report.too_large:,} with more than 60 %")
    say("all that were made, by share of hole:")
    longest = max(report.without_hole, *report.histogram)
    say(f"  {'no hole':>12}  {f'{report.without_hole:,}':>9}  {_bar(report.without_hole, longest)}".rstrip())
    last = max((index for index, count in enumerate(report.histogram) if count), default=0)
    step = 100 // FINE_BINS
    for index, count in enumerate(report.histogram[: last + 1]):
        span = f"{index * step} to {(index + 1) * step} %"
        say(f"  {span:>12}  {f'{count:,}':>9}  {_bar(count, longest)}".rstrip())
    for note in notes(report):
        say(f"note: {note}", err=True)


def notes(report: "BuildReport") -> list[str]:
    """List what a user should know about a run."""
    from mendpix.data.mask_record import BIN_NAMES

    per_bin = report.settings["per_bin"]
    found: list[str] = []
    if 2 * report.too_large > report.attempted:
        found.append(
            "more than half of the masks were nearly all hole; drawings must be dark strokes on white. For white on "
            "black add --invert, and choose another folder."
        )
    short = [name for name, count in zip(BIN_NAMES, report.kept, strict=True) if count < per_bin]
    if short and any(report.kept):
        found.append(
            f"fewer than {per_bin:,} masks in {', '.join(short)}; the same command with --passes "
            f"{report.settings['passes'] + 1} adds more."
        )
    return found


def tell_failures(report: "BuildReport") -> None:
    """Name the drawings that cannot be used on stderr."""
    from mendpix.data.mask_record import RECORD

    for why in list(report.failures.values())[:FAILURES_SHOWN]:
        say(f"mendpix: {why}", err=True)
    more = f"; {report.folder / RECORD} names more" if len(report.failures) > FAILURES_SHOWN else ""
    say(
        f"mendpix: {report.unusable:,} of {report.attempted:,} masks could not be made, because their drawings cannot "
        f"be used{more}. Mend or remove them and build into a new folder, or go on without.",
        err=True,
    )


def _bar(count: int, longest: int) -> str:
    """Draw a bar; what is there is never left without one."""
    return "#" * -(-count * BAR_CHARS // longest) if longest else ""
