"""`mendpix export`: turn a training run into a model file. Parses options and prints; `mendpix.training` does it."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mendpix.cli.console import failures_as_sentences, print_json, say
from mendpix.cli.extras import need_train_extra
from mendpix.cli.outputs import check_outputs
from mendpix.errors import InputError, OutputError

MODEL_SUFFIX = ".onnx"
"""Suffix of model files, which fill without torch."""

NETWORK_SUFFIX = ".safetensors"
"""Suffix of network files, which torch loads."""


def export(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            readable=False,
            help="Folder of a training run or of one of its checkpoints, or a network file (.safetensors).",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="MODEL.onnx", help="The model file to write; or a network file (.safetensors)."
        ),
    ],
    detector: Annotated[bool, typer.Option("--detector", help="Export the run's detector, not its generator.")] = False,
    damage: Annotated[
        bool, typer.Option("--damage", help="Export the run's finder of damage, not its generator.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, for programs.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Export the model of a run or file as ONNX, checked against torch. Needs the extra: pip install 'mendpix[train]'.

    The file holds fp16 weights and the model's facts, takes any height and width, and serves as --model FILE (or
    --detector FILE) of the other verbs, without torch. With -o FILE.safetensors the run's networks are packed into one
    network file instead, for mendpix.load_network.
    """
    with failures_as_sentences():
        check_outputs({"--out": out}, [])
        if out.suffix.lower() not in (MODEL_SUFFIX, NETWORK_SUFFIX):
            raise OutputError(
                f"--out must be a {MODEL_SUFFIX} or {NETWORK_SUFFIX} file; got {out.name}. "
                f"Give it the suffix {MODEL_SUFFIX}"
            )
        with need_train_extra("Export"):
            from mendpix.training.export import export_run, pack_run
        if detector and damage:
            raise InputError("at most one of --detector and --damage must be given; got both. Export them in turn.")
        if out.suffix.lower() == NETWORK_SUFFIX:
            parts = pack_run(run, out)
            if as_json:
                print_json({"out": str(out), "parts": list(parts), "bytes": out.stat().st_size})
            elif not quiet:
                say(f"{out}: {', '.join(parts)}, {out.stat().st_size / 1e6:.1f} MB")
            return
        part: Literal["generator", "detector", "damage"] = (
            "detector" if detector else "damage" if damage else "generator"
        )
        report = export_run(run, out, part)
        if as_json:
            numbers = {"bytes": report.size_bytes, "max_abs_difference": report.max_abs_difference}
            print_json({"out": str(out), "part": part, **numbers})
        elif not quiet:
            size = f"{report.size_bytes / 1e6:.1f} MB"
            say(f"{out}: {part}, {size}, differs from torch by at most {report.max_abs_difference:.1e}")
