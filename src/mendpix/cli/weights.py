"""`mendpix weights`: which methods there are, and other programs' weights as network files. Parses and tells."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mendpix.cli.console import failures_as_sentences, print_json, say
from mendpix.cli.extras import need_train_extra
from mendpix.cli.outputs import check_outputs
from mendpix.errors import OutputError
from mendpix.weights.published import METHODS, NOTE, PublishedMethod

if TYPE_CHECKING:
    from mendpix.weights.convert.formats import ImportReport

NETWORK_SUFFIX = ".safetensors"
"""How network files end."""

FORMAT_NAMES = ", ".join(form for method in METHODS.values() for form in method.formats)
"""All formats, as the methods' table has them; the importers themselves need torch."""

weights = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@weights.callback()
def root() -> None:
    """See which methods there are, and use weights that other programs published."""


@weights.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, for programs.")] = False,
) -> None:
    """List the methods: their networks and facts, what can be imported, where weights come from, how to train.

    Published weights do not come with mendpix. Numbers are those of the published sizes; a model may have others.
    Recipes lie in the folder recipes of the repository, the small one first.
    """
    with failures_as_sentences():
        if as_json:
            methods = [{"name": name, **asdict(method)} for name, method in METHODS.items()]
            print_json({"methods": methods, "note": NOTE})
            return
        for name, method in METHODS.items():
            for line in describe(name, method):
                say(line)
        say(NOTE)


def describe(name: str, method: PublishedMethod) -> list[str]:
    """Return what is told of a method, its name first, the rest indented."""
    networks = ", ".join(f"{network} {size / 1e6:.1f} M" for network, size in method.parameters.items())
    facts = [f"takes {', '.join(method.inputs)}", f"multiples of {method.multiple_of} px from {method.minimum} px"]
    if method.preferred_px:
        facts.append(f"at most {method.preferred_px} px at once")
    precisions = [kind for kind, is_so in (("float16", method.half), ("bfloat16", method.bfloat16)) if is_so]
    facts.append(" and ".join(precisions) + " too" if precisions else "float32 alone")
    size_mb = 4 * next(iter(method.parameters.values())) / 1e6
    told = {
        "networks": f"{networks} parameters; the first is {size_mb:.0f} MB in float32",
        "facts": f"{'; '.join(facts)}; {method.macs_g:.1f} G multiply-adds at 256 x 256",
        "import": " or ".join(f"--format {form}" for form in method.formats) or "nothing",
        "weights": f"{method.source}; licence {method.licence}" if method.licence else method.source,
        "recipes": ", ".join(method.recipes),
        "embedded": ", ".join(f"--model {model}" for model in method.embedded) or "none",
    }
    return [f"{name}: {method.title}", *(f"  {what:<9} {text}" for what, text in told.items())]


@weights.command("import")
def import_(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="CHECKPOINT",
            readable=False,
            help="The published weights: a PyTorch file, or the folder of a method that has several; for gdn-tf the "
            "checkpoint's name (log-99), its .index file, or its folder.",
        ),
    ],
    form: Annotated[
        str,
        typer.Option(
            "--format", metavar="FORMAT", help=f"What the weights are: {FORMAT_NAMES}; see `mendpix weights list`."
        ),
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
    if "detector" not in imported.names and imported.names.get("generator") == "gdn":
        say("detector: not in it")
    kinds = ", ".join(f"{count} × {kind}" for kind, count in imported.ignored.items())
    ignored = sum(imported.ignored.values())
    say(f"{imported.used} variables used, {ignored} ignored{f' ({kinds})' if kinds else ''}")
    if out is None:
        say("nothing written")
    else:
        model = out.with_suffix(".onnx").name
        say(f"{out}: {(report.size_bytes or 0) / 1e6:.1f} MB; make a model of it with: mendpix export {out} -o {model}")
