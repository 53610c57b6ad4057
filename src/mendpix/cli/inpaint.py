"""`mendpix inpaint`: a photo and a mask in, the filled photo out. Parses options, calls, writes, tells."""

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Annotated, Literal

import typer

from mendpix.artifacts.maps import ArtifactMap
from mendpix.cli.choices import holes_in_lines, methods_in_lines, models_by_hole
from mendpix.cli.console import LateProgress, failures_as_sentences, percent, print_json, say, seconds
from mendpix.cli.outputs import check_format, check_outputs, notes_on
from mendpix.errors import InputError
from mendpix.images import atomic_write, read_picture, write_map, write_picture
from mendpix.inference.inpainter import Inpainter
from mendpix.inference.routing import HoleFill
from mendpix.masks import hole_share

NO_DETECTOR = "none"
"""Word for `--detector` that leaves the detector out."""


def inpaint(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", readable=False, help="The picture with something to fill.")],
    mask: Annotated[
        Path,
        typer.Argument(metavar="MASK", readable=False, help="Picture of the same size: white = fill, black = keep."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="OUT", help="The filled picture; its suffix names the format. Not with --plan."
        ),
    ] = None,
    artifacts: Annotated[
        Path | None,
        typer.Option(metavar="MAP.png", help="Also write the artifact map: the brighter, the more doubtful."),
    ] = None,
    overlay: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Also write the result with the artifact map laid over it.")
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="Which model fills; `mendpix models` lists the names.")
    ] = "auto",
    hole: Annotated[
        list[str] | None,
        typer.Option(metavar="N=NAME|FILE", help="Another model for hole N; --plan numbers them. May be repeated."),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print the holes and which model would fill each, and stop.")
    ] = False,
    exclude: Annotated[
        Path | None,
        typer.Option(metavar="MASK", readable=False, help="Picture of the same size: white = not to be copied from."),
    ] = None,
    detector: Annotated[
        str, typer.Option(metavar="NAME|FILE|none", help="Which model looks for artifacts; `none` for no look.")
    ] = "scenes-detector",
    finish: Annotated[
        Literal["none", "poisson"],
        typer.Option(help="poisson: blend what a model paints into its surroundings, so that no seam shows."),
    ] = "none",
    dilate: Annotated[int, typer.Option(metavar="PX", min=0, help="Grow the hole by this many pixels.")] = 0,
    invert_mask: Annotated[bool, typer.Option("--invert-mask", help="The mask is black where to fill.")] = False,
    threads: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Processor threads.  [default: what the machine has]")
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Allow OUT to replace PHOTO or MASK.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, for programs.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Fill the holes of a photo, and say how much of it looks filled.

    Unless told otherwise, the method is chosen hole by hole: thin damage goes to the network, what has the shape of a
    thing is copied from its surroundings. Known pixels stay as they are, bit for bit (except in JPEG and other lossy
    formats). The artifact score is the mean of the artifact map over the hole: 0 = nothing in it looks filled to the
    detector, 1 = all of it does.
    """
    with failures_as_sentences():
        started = perf_counter()
        models = models_by_hole(hole or [])
        if plan:
            if out or artifacts or overlay:
                raise InputError("--plan fills nothing; leave --out, --artifacts and --overlay away.")
            foresee(photo, mask, model, models, exclude, dilate, invert_mask, as_json, quiet)
            return
        if out is None:
            raise InputError("the filled picture needs a file; got none. Add -o OUT, or --plan to see the holes alone.")
        extras = {"--artifacts": artifacts, "--overlay": overlay}
        inputs = [photo, mask, *([exclude] if exclude else [])]
        check_outputs({"--out": out, **extras}, inputs, maps=tuple(extras), force=force)
        detects = detector != NO_DETECTOR
        if not detects and (artifacts or overlay):
            raise InputError("--artifacts and --overlay need a detector; got --detector none. Leave that option away.")

        with LateProgress(quiet=quiet) as progress:
            picture = read_picture(photo)
            check_format(picture, out)
            mend = Inpainter(model, detector=detector if detects else None, threads=threads, finish=finish)
            result = mend(
                picture,
                mask,
                dilate_px=dilate,
                invert_mask=invert_mask,
                choose=models,
                exclude=exclude,
                progress=progress,
            )
            with ExitStack() as maps:  # they take their names only once OUT is whole
                if artifacts:
                    write_map(result.artifacts, maps.enter_context(atomic_write(artifacts)))
                if overlay:
                    shown = ArtifactMap(result.artifacts, result.artifact_score).overlay(read_picture(result.image).rgb)
                    write_picture(shown, maps.enter_context(atomic_write(overlay)))
                write_picture(result.image, out, like=picture)
        timings = {**result.timings, "total": perf_counter() - started}  # the files are in it now
        report = Report(
            photo=str(photo),
            mask=str(mask),
            out=str(out),
            artifacts=str(artifacts) if artifacts else None,
            overlay=str(overlay) if overlay else None,
            model=result.model,
            detector=detector if detects else None,
            width=picture.width,
            height=picture.height,
            hole_share=hole_share(result.hole),
            artifact_score=result.artifact_score if detects else None,
            seconds={stage: round(duration_s, 4) for stage, duration_s in timings.items()},
            notes=[*result.notes, *notes_on(picture, out)],
            fills=list(result.fills),
        )
        if as_json:
            print_json(asdict(report))
        elif not quiet:
            tell(report)


@dataclass(frozen=True)
class Report:
    """What `--json` prints, field by field."""

    photo: str
    mask: str
    out: str
    artifacts: str | None
    """File of the artifact map; null if none was asked for."""
    overlay: str | None
    model: str
    """The model's own name, also where a file was given."""
    detector: str | None
    width: int
    """Pixels; of the picture turned upright."""
    height: int
    hole_share: float
    """Share of the picture that was filled, in [0, 1], after dilation."""
    artifact_score: float | None
    """Mean of the artifact map over the hole, in [0, 1]; null without a detector."""
    seconds: dict[str, float]
    """Time by stage; `total` is all of the command, from reading to writing."""
    notes: list[str]
    """Sentences that a user should read."""
    fills: list[HoleFill]
    """What filled each hole, and why."""


def foresee(
    photo: Path,
    mask: Path,
    model: str,
    models: dict[int, str],
    exclude: Path | None,
    dilate_px: int,
    invert_mask: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Say which model would fill each hole."""
    mend = Inpainter(model, detector=None)
    fills = mend.plan(photo, mask, dilate_px=dilate_px, invert_mask=invert_mask, choose=models, exclude=exclude)
    if as_json:
        print_json({"photo": str(photo), "mask": str(mask), "fills": [asdict(fill) for fill in fills]})
    elif not quiet:
        for line in holes_in_lines(fills):
            say(line)


def tell(report: Report) -> None:
    """Say in a few lines what was done, and the notes on stderr."""
    say(
        f"{report.out}: {report.width} × {report.height} px, {percent(report.hole_share)} filled by {report.model}"
        f" in {seconds(report.seconds['total'])}"
    )
    for line in methods_in_lines(report.model, report.fills):
        say(line)
    if report.artifact_score is not None:
        where = f"; where: {report.artifacts}" if report.artifacts else ""
        say(f"artifact score {report.artifact_score:.3f} (0 = nothing looks filled, 1 = all of the hole does){where}")
    for note in report.notes:
        say(f"note: {note}", err=True)
