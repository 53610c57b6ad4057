"""`mendpix restore`: a damaged photo in, the mended photo out, no mask needed. Parses options, calls, writes, tells."""

import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from mendpix.artifacts.maps import ArtifactMap
from mendpix.cli.choices import methods_in_lines
from mendpix.cli.console import (
    EXIT_REFUSED,
    LateProgress,
    failures_as_sentences,
    one_line,
    percent,
    print_json,
    say,
    seconds,
)
from mendpix.cli.inpaint import NO_DETECTOR
from mendpix.cli.outputs import check_format, check_outputs, notes_on
from mendpix.cli.shares import share_of
from mendpix.errors import DamageAreaError, InputError, OutputError
from mendpix.image_encoding import FORMATS
from mendpix.images import Picture, atomic_write, read_picture, write_map, write_picture
from mendpix.inference.inpainter import Result
from mendpix.inference.routing import HoleFill
from mendpix.masks import hole_share
from mendpix.restoration.presets import Preset
from mendpix.restoration.restore import MAX_AREA, NETWORK, Restorer
from mendpix.restoration.sensitivity import SENSITIVITY
from mendpix.types import Mask


def restore(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", readable=False, help="The damaged picture.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="OUT", help="The mended picture; its suffix names the format. Not with --dry-run."
        ),
    ] = None,
    mask_out: Annotated[
        Path | None, typer.Option(metavar="MASK.png", help="Also write what was taken for damage, in white.")
    ] = None,
    marks: Annotated[
        Path | None,
        typer.Option(metavar="PNG", help="Also write the photo with what was taken for damage laid over it."),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(
            metavar="MASK.png", readable=False, help="Mend what is white here, look for nothing: a mask corrected."
        ),
    ] = None,
    preset: Annotated[
        Preset, typer.Option(help="What to look for; scratches are folds, dust and stains, too; auto = all but noise.")
    ] = "auto",
    sensitivity: Annotated[
        float,
        typer.Option(metavar="S", parser=share_of, help="0: mend what is beyond doubt; 1: what is barely suspected."),
    ] = SENSITIVITY,
    region: Annotated[
        str | None,
        typer.Option(metavar="X,Y,W,H", help="Mend in this part alone; pixels, or shares such as 0,80%,100%,20%."),
    ] = None,
    max_area: Annotated[
        float,
        typer.Option(
            metavar="SHARE", parser=share_of, help="Largest share of the picture that may be changed; 0.25 or 25%."
        ),
    ] = MAX_AREA,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Look only; write nothing but --mask-out and --marks.")
    ] = False,
    finder: Annotated[
        str, typer.Option(metavar="network|classical|FILE", help="What looks for damage; classical: without a network.")
    ] = NETWORK,
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
    detector: Annotated[
        str, typer.Option(metavar="NAME|FILE|none", help="Which model looks for artifacts; `none` for no look.")
    ] = "scenes-detector",
    threads: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Processor threads.  [default: what the machine has]")
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Allow OUT to replace PHOTO or MASK.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, for programs.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Find the damage of a photo, and mend it; no mask is needed.

    What is not taken for damage stays as it is, bit for bit (except in JPEG and other lossy formats); a photo without
    damage is copied. If more than --max-area looks damaged, nothing is changed: the mask is written (to --mask-out, or
    beside OUT), and the exit code is 3. The mask may be corrected in any editor and given back with --mask.
    """
    with failures_as_sentences():
        started = perf_counter()
        outputs = {
            "--out": out, "--mask-out": mask_out, "--marks": marks, "--artifacts": artifacts, "--overlay": overlay
        }  # fmt: skip
        detects = detector != NO_DETECTOR
        if dry_run and (out or artifacts or overlay):
            raise InputError("--dry-run mends nothing; leave --out, --artifacts and --overlay away.")
        if not dry_run and out is None:
            raise InputError("the mended picture needs a file; got none. Add -o OUT, or --dry-run to look only.")
        if not detects and (artifacts or overlay):
            raise InputError("--artifacts and --overlay need a detector; got --detector none. Leave that option away.")
        inputs = [photo, *([mask] if mask else [])]
        maps = {option: path for option, path in outputs.items() if option != "--out"}
        spare(photo, maps)
        check_outputs(outputs, inputs, maps=tuple(maps), force=force)
        report = Report(str(photo), mask=str(mask) if mask else None, preset=preset, sensitivity=sensitivity)
        with LateProgress(quiet=quiet) as progress:
            picture = read_picture(photo)
            report = replace(report, width=picture.width, height=picture.height)
            if out:
                check_format(picture, out)
            restorer = Restorer(finder=finder, model=model, detector=detector if detects else None, threads=threads)
            try:
                result = restorer(
                    picture,
                    mask=mask,
                    preset=preset,
                    sensitivity=sensitivity,
                    region=region.split(",") if region is not None else None,
                    max_area=max_area,
                    dry_run=dry_run,
                    progress=progress,
                )
            except DamageAreaError as refusal:
                refuse(refusal, report, picture, mask_out or (beside(out) if out else None), marks, as_json)
                raise typer.Exit(EXIT_REFUSED) from refusal
            write(result, picture, photo, outputs)
        given = {"--preset": preset != "auto", "--sensitivity": sensitivity != SENSITIVITY,
                 "--max-area": max_area != MAX_AREA, "--finder": finder != NETWORK}  # fmt: skip
        copied = out is not None and is_copy(result, picture, photo, out)
        timings = {**result.timings, "total": perf_counter() - started}  # the files are in it now
        report = replace(
            report,
            **{option[2:].replace("-", "_"): str(path) for option, path in outputs.items() if path},
            finder=None if mask else restorer.finder.facts.name,
            model=result.model,
            detector=detector if detects else None,
            damage_share=hole_share(result.hole),
            artifact_score=result.artifact_score if result.artifact_score >= 0 else None,  # a NaN is not
            seconds={stage: round(duration_s, 4) for stage, duration_s in timings.items()},
            notes=[*result.notes, *_unheeded(mask, given), *(notes_on(picture, out) if out and not copied else [])],
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
    mask: str | None = None
    """The mask that was given; null if damage was looked for."""
    out: str | None = None
    """null if nothing was written: a dry run, or a refusal."""
    mask_out: str | None = None
    marks: str | None = None
    artifacts: str | None = None
    overlay: str | None = None
    preset: Preset = "auto"
    sensitivity: float = SENSITIVITY
    finder: str | None = None
    """The finder's own name; null if nothing was looked for."""
    model: str | None = None
    """What fills."""
    detector: str | None = None
    width: int = 0
    """Pixels; of the picture turned upright."""
    height: int = 0
    damage_share: float = 0.0
    """Share of the picture that was (in a dry run, would be) mended, in [0, 1]."""
    artifact_score: float | None = None
    """Mean of the artifact map over the damage, in [0, 1]; null without a detector or without damage."""
    refused: str | None = None
    """Why nothing was changed although damage was found; mostly null."""
    seconds: dict[str, float] | None = None
    """Time by stage; `total` is all of the command, from reading to writing."""
    notes: list[str] | None = None
    """Sentences that a user should read."""
    fills: list[HoleFill] | None = None
    """What filled each hole, and why."""


def spare(photo: Path, maps: Mapping[str, Path | None]) -> None:
    """Refuse to write a map in the place of the photo, also with --force.

    Raises:
        OutputError: If one would be.
    """
    for option, path in maps.items():
        if path and path.resolve() == photo.resolve():
            raise OutputError(f"{option} must not replace the photo; both are {path}. Choose another name.")


def write(result: Result, picture: Picture, photo: Path, outputs: Mapping[str, Path | None]) -> None:
    """Write what was asked for, option by option; maps take their names only once the mended picture is whole."""
    out = outputs["--out"]
    with ExitStack() as maps:
        if path := outputs["--mask-out"]:
            write_map(result.hole, maps.enter_context(atomic_write(path)))
        if path := outputs["--marks"]:
            write_marks(result.hole, picture, maps.enter_context(atomic_write(path)))
        if path := outputs["--artifacts"]:
            write_map(result.artifacts, maps.enter_context(atomic_write(path)))
        if path := outputs["--overlay"]:
            score = result.artifact_score
            shown = ArtifactMap(result.artifacts, score).overlay(read_picture(result.image).rgb)
            write_picture(shown, maps.enter_context(atomic_write(path)))
        if out is None:
            return
        if is_copy(result, picture, photo, out):
            with atomic_write(out) as copy:  # the file itself: nothing is encoded again
                copy.write_bytes(photo.read_bytes())
        else:
            write_picture(result.image, out, like=picture)


def _unheeded(mask: Path | None, given: dict[str, bool]) -> list[str]:
    """Tell of options that were given and say how to look, where nothing is looked for."""
    names = [option for option, changed in given.items() if changed and mask is not None]
    if not names:
        return []
    return [f"{', '.join(names)} {'does' if len(names) == 1 else 'do'} nothing with --mask: what is white is mended"]


def write_marks(hole: Mask, picture: Picture, path: Path) -> None:
    """Write the photo, turned upright, with what was taken for damage laid over it."""
    write_picture(ArtifactMap(hole, math.nan).overlay(picture.rgb), path)


def is_copy(result: Result, picture: Picture, photo: Path, out: Path) -> bool:
    """True if nothing was mended, and OUT is of the photo's format: then its file is copied.

    What came through a pipe cannot be read again, and is written anew.
    """
    same_format = FORMATS.get(out.suffix.lower()) == picture.facts.format
    return same_format and not result.hole.any() and photo.is_file()


def beside(out: Path) -> Path:
    """Find a name beside OUT for a mask that was not asked for; one that is there may have been corrected by hand."""
    names = (f"{out.stem}-mask{f'-{number}' if number > 1 else ''}.png" for number in count(1))
    return next(path for path in (out.with_name(name) for name in names) if not path.exists())


def refuse(
    refusal: DamageAreaError, report: Report, picture: Picture, mask_out: Path | None, marks: Path | None, as_json: bool
) -> None:
    """Save the mask, and say why the picture was left alone and what can be done.

    Raises:
        OutputError: If the mask cannot be written; it says both.
    """
    if mask_out:
        try:
            write_map(refusal.mask, mask_out)
        except OutputError as error:
            raise OutputError(f"{one_line(refusal)} The mask is lost: {error}") from error
    if marks:
        with atomic_write(marks) as temporary:
            write_marks(refusal.mask, picture, temporary)
    if as_json:
        saved = str(mask_out) if mask_out else None
        share = hole_share(refusal.mask)
        shown = str(marks) if marks else None
        found = replace(report, mask_out=saved, marks=shown, damage_share=share, refused=one_line(refusal))
        print_json(asdict(found))
    saved = f" The mask: {mask_out}" if mask_out else " Write the mask with --mask-out."
    say(f"mendpix: {one_line(refusal)} (--region, --sensitivity, --preset, --max-area, --mask){saved}", err=True)


def tell(report: Report) -> None:
    """Say in a few lines what was done, and the notes on stderr."""
    took = f"in {seconds((report.seconds or {}).get('total', 0))}"
    size = f"{report.width} × {report.height} px"
    where = f"; where: {report.marks or report.mask_out}" if report.marks or report.mask_out else ""
    if not where and report.mask is None and report.damage_share:
        where = "; --marks PNG shows where"
    if report.out is None:
        say(f"{report.photo}: {size}, {percent(report.damage_share)} would be mended, seen {took}{where}")
    elif report.damage_share == 0:
        say(f"{report.out}: {size}, nothing to mend, seen {took}{where}")
    else:
        say(f"{report.out}: {size}, {percent(report.damage_share)} mended by {report.model} {took}{where}")
        for line in methods_in_lines(report.model or "", report.fills or []):
            say(line)
    if report.artifact_score is not None:
        where = f"; where: {report.artifacts}" if report.artifacts else ""
        say(f"artifact score {report.artifact_score:.3f} (0 = nothing looks filled, 1 = all of the hole does){where}")
    for note in report.notes or []:
        say(f"note: {note}", err=True)
