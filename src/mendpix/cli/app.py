"""The command `mendpix`: its verbs under one name. Each verb lies in a file of its own; nothing is computed here."""

from typing import Annotated

import typer

from mendpix.cli.detect import detect
from mendpix.cli.evaluate import evaluate
from mendpix.cli.export import export
from mendpix.cli.inpaint import inpaint
from mendpix.cli.masks import masks
from mendpix.cli.models import models
from mendpix.cli.report import report
from mendpix.cli.restore import restore
from mendpix.cli.serve import serve
from mendpix.cli.train import train
from mendpix.cli.weights import weights

main = typer.Typer(
    name="mendpix",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: the same text in a terminal, in a pipe and in the tests
    pretty_exceptions_enable=False,  # a traceback is our bug and should look like one
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    """Print the version and stop, if `--version` was given."""
    if wanted:
        from mendpix import __version__

        typer.echo(f"mendpix {__version__}")
        raise typer.Exit


@main.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Fill holes in photos, and mark pixel by pixel where the result is in doubt.

    Exit codes: 0 done and written whole, 2 the input or the output is at fault (one sentence on stderr says why, and
    nothing half-written is left), 3 a photo was left alone because too much of it looks damaged, 130 stopped with
    Ctrl-C.
    """


main.command()(inpaint)
main.command()(restore)
main.command()(detect)
main.command()(serve)
main.command()(models)
main.command()(train)
main.command()(export)
main.command()(report)
main.command()(evaluate)
main.add_typer(weights, name="weights")
main.add_typer(masks, name="masks")
