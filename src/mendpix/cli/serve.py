"""`mendpix serve`: the page and the HTTP interface on this machine. Parses options, starts, prints the link."""

import importlib.util
import signal
import socket
from dataclasses import replace
from typing import Annotated

import typer

from mendpix.cli.console import failures_as_sentences, say
from mendpix.errors import InputError, MissingExtraError

NEEDED = ("fastapi", "uvicorn", "python_multipart")
"""Packages of the extra `web`."""


def serve(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; 0.0.0.0 lets other machines in, with the token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8080,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            envvar="MENDPIX_TOKEN",
            help="What every request has to know.  [default: made where needed]",
        ),
    ] = None,
    no_token: Annotated[bool, typer.Option("--no-token", help="Let everybody in who can reach the address.")] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Another name that the server may be called by. May be repeated."),
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="What fills unless a request names another model.")
    ] = "auto",
    max_upload_mb: Annotated[float, typer.Option(metavar="MB", help="Largest body of a request.")] = 256,
    max_megapixels: Annotated[float, typer.Option(metavar="MP", help="Largest picture.")] = 200,
    deadline: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long one job may take, waiting included.")
    ] = 600,
    queue: Annotated[int, typer.Option(metavar="N", min=0, help="Jobs that may wait.")] = 16,
    workers: Annotated[int, typer.Option(metavar="N", min=1, help="Jobs that run at a time.")] = 1,
    threads: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Processor threads of a job.  [default: what the machine has]"),
    ] = None,
    keep_mb: Annotated[
        float, typer.Option(metavar="MB", help="Memory for pictures; those unused for longest go first.")
    ] = 1024,
) -> None:
    """Open a page in the browser to mend photos with, and an HTTP interface for programs.

    Nothing leaves this machine. Unless told otherwise, only this machine can reach the server. With another --host,
    everybody needs the token that is in the link; give your own with --token, or none at all with --no-token.
    Ctrl-C finishes what runs and stops; twice, it stops at once.
    """
    with failures_as_sentences():
        missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
        if missing:
            raise MissingExtraError(
                f"mendpix serve needs {' and '.join(missing)}, which is not installed. Install it with: pip install"
                " 'mendpix[web]'"
            )
        from mendpix.web.app import serve as serve_until_stopped
        from mendpix.web.settings import Settings, make_token

        if token is not None and no_token:
            raise InputError("--token and --no-token exclude each other; got both. Leave one away.")
        settings = Settings(
            host=host,
            port=port,
            token=token,
            allow_hosts=tuple(allow_host or ()),
            max_upload_mb=max_upload_mb,
            max_megapixels=max_megapixels,
            deadline_s=deadline,
            queue=queue,
            workers=workers,
            threads=threads,
            model=model,
            keep_mb=keep_mb,
        )
        if token is None and not no_token and not settings.is_local:
            settings = replace(settings, token=make_token())

        def tell(bound: int) -> None:
            link = link_to(host, bound, settings.token)
            say(f"mendpix is at {link}")
            if outside := address_outside(host):
                say(f"From other machines: {link_to(outside, bound, settings.token)}", err=True)
            say("Stop it with Ctrl-C.", err=True)
            if open_page:
                import webbrowser

                webbrowser.open(link)

        stopped_by = serve_until_stopped(settings, on_start=tell)
        if stopped_by != signal.SIGINT:
            raise typer.Exit(128 + stopped_by)


def address_outside(host: str) -> str | None:
    """Find the address by which other machines reach this one, if it listens at all of its own; sends nothing."""
    family = {"0.0.0.0": socket.AF_INET, "::": socket.AF_INET6}.get(host)
    if family is None:
        return None
    somewhere = "192.0.2.1" if family == socket.AF_INET else "2001:db8::1"  # kept for documents: nobody is there
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as way:
            way.connect((somewhere, 9))
            return str(way.getsockname()[0])
    except OSError:  # no way out of this machine
        return None


def link_to(host: str, port: int, token: str | None) -> str:
    """Write the address of the page.

    Example:
        >>> link_to("0.0.0.0", 8080, "secret-token"), link_to("::1", 80, None)
        ('http://127.0.0.1:8080/?token=secret-token', 'http://[::1]:80/')
    """
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}/" + (f"?token={token}" if token else "")
