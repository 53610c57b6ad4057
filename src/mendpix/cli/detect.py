"""`mendpix detect`: a picture in, its artifact map out, whoever filled it. Parses options, calls, writes, tells."""

from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from mendpix.artifacts.detect import detect as detect_artifacts
from mendpix.cli.console import LateProgress, failures_as_sentences, print_json, say, seconds
from mendpix.cli.outputs import check_outputs
from mendpix.images import atomic_write, read_picture, write_map, write_picture


def detect(
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", readable=False, help="The picture to look at.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="MAP.png", help="The artifact map: the brighter, the more doubtful.")
    ],
    overlay: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Also write the picture with the map laid over it.")
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="Which detector looks; `mendpix models` lists the names.")
    ] = "scenes-detector",
    threads: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Processor threads.  [default: what the machine has]")
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Allow an output to replace PICTURE.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, for programs.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Mark what looks filled in any picture, whoever filled it.

    The map is 8-bit grey: black = looks like photo, white = looks filled. A real photo can have such places too, so a
    bright spot is a reason to look, not a proof.
    """
    with failures_as_sentences():
        started = perf_counter()
        check_outputs({"--out": out, "--overlay": overlay}, [picture], maps=("--out", "--overlay"), force=force)
        with LateProgress(quiet=quiet) as progress:
            source = read_picture(picture)
            doubt = detect_artifacts(source, model=model, threads=threads, progress=progress)
            with ExitStack() as overlays:  # takes its name only once the map is whole
                if overlay:
                    write_picture(doubt.overlay(source), overlays.enter_context(atomic_write(overlay)))
                write_map(doubt.probability, out)
        duration_s = perf_counter() - started
        if as_json:
            print_json(
                {
                    "picture": str(picture),
                    "out": str(out),
                    "overlay": str(overlay) if overlay else None,
                    "model": model,
                    "width": source.width,
                    "height": source.height,
                    "artifact_score": doubt.score,
                    "seconds": {"total": round(duration_s, 4)},
                }
            )
        elif not quiet:
            say(
                f"{out}: {source.width} × {source.height} px, artifact score {doubt.score:.3f}"
                f" (0 = nothing looks filled, 1 = everything does), {seconds(duration_s)}"
            )
