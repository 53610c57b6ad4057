"""`mendpix weights import`: other programs' weights in, a network file out. Parses options, calls, and tells."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mendpix.cli.console import failures_as_sentences, print_json, say
from mendpix.cli.extras import need_train_extra
from mendpix.cli.outputs import check_outputs
from mendpix.errors import OutputError

if TYPE_CHECKING:
    from mendpix.weights.convert.formats import ImportReport

NETWORK_SUFFIX = ".safetensors"
"""How network files end."""

weights = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@weights.callback()
def root() -> None:
    """Use weights that other programs published."""


@weights.command("import")
def import_(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="CHECKPOINT",
            readable=False,
            help="The published weights: for gdn-tf the checkpoint's name (log-99), its .index file, or its folder.",
        ),
    ],
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="What the weights are: gdn-tf (GDN, TensorFlow).")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE.safetensors", help="The network file to write.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and check all, list what would be used, write nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, for programs.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Import weights that another program published. Needs the extra: pip install 'mendpix[train]'.

    Every variable must be there, fit and be undamaged; what belongs to the optimiser is ignored, anything else is
    an error. `mendpix export FILE.safetensors` makes a model of the file. TensorFlow is not needed.
    """
    with failures_as_sentences():
        if out is None and not dry_run:
            raise OutputError("a file to write was expected; got none. Add -o FILE.safetensors, or --dry-run to look.")
        if out is not None:
            check_outputs({"--out": out}, [checkpoint])
            if out.suffix.lower() != NETWORK_SUFFIX:
                raise OutputError(
                    f"--out must be a {NETWORK_SUFFIX} file; got {out.name}. Give it the suffix {NETWORK_SUFFIX}"
                )
        with need_train_extra("Import"):
            from mendpix.weights.convert.formats import import_weights
        report = import_weights(checkpoint, form, None if dry_run else out)
        if as_json:
            print_json(as_object(report, form, None if dry_run else out))
        elif not quiet:
            tell(report, None if dry_run else out, every=dry_run)


def as_object(report: "ImportReport", form: str, out: Path | None) -> dict[str, Any]:
    """Return what `--json` prints."""
    imported = report.imported
    return {
        "source": imported.source,
        "format": form,
        "out": str(out) if out else None,
        "bytes": report.size_bytes,
        "networks": {
            part: {"name": name, "sizes": imported.sizes(part), "parameters": imported.parameters(part)}
            for part, name in imported.names.items()
        },
        "used": imported.used,
        "ignored": imported.ignored,
        "variables": [
            {
                "name": tensor.name,
                "shape": tensor.shape,
                "dtype": tensor.dtype,
                "used_as": tensor.used_as,
                "ignored_as": tensor.ignored_as,
            }
            for tensor in imported.tensors
        ],
    }


def tell(report: "ImportReport", out: Path | None, *, every: bool) -> None:
    """Say what was found and written, on request with every variable."""
    imported = report.imported
    if every:
        width = max(len(tensor.name) for tensor in imported.tensors)
        for tensor in imported.tensors:
            shape = "×".join(map(str, tensor.shape)) or "1"
            fate = tensor.used_as or f"ignored: {tensor.ignored_as}"
            say(f"{tensor.name:<{width}}  {shape:<13}  {tensor.dtype:<7}  {fate}")
    for part, name in imported.names.items():
        sizes = ", ".join(f"{key} {value}" for key, value in imported.sizes(part).items())
        say(f"{part}: {name}, {sizes}, {imported.parameters(part):,} parameters")
    if "detector" not in imported.names:
        say("detector: not in it")
    kinds = ", ".join(f"{count} × {kind}" for kind, count in imported.ignored.items())
    ignored = sum(imported.ignored.values())
    say(f"{imported.used} variables used, {ignored} ignored{f' ({kinds})' if kinds else ''}")
    if out is None:
        say("nothing written")
    else:
        model = out.with_suffix(".onnx").name
        say(f"{out}: {(report.size_bytes or 0) / 1e6:.1f} MB; make a model of it with: mendpix export {out} -o {model}")
