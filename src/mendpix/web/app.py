"""The application: guard, addresses and page put together, and the server that runs it. Computes nothing."""

import asyncio
import logging
import math
import signal
import socket
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import FrameType

import anyio
import uvicorn
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

import mendpix
from mendpix.errors import MendpixError, OutputError
from mendpix.web.bench import API, Bench
from mendpix.web.connections import ImpatientProtocol
from mendpix.web.guard import Guard
from mendpix.web.jobs import Jobs
from mendpix.web.pictures import Pictures
from mendpix.web.problems import ProblemError, problem_of
from mendpix.web.routes import Desk
from mendpix.web.settings import Settings

STATIC = Path(__file__).parent / "static"
"""The page's files."""

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
"""Files of the page that are given out, by suffix. A table of our own: what the system says is wrong on some."""

MOST_REQUESTS = 512
"""Connections at a time; more are refused with 503."""

LAST_ANSWERS_S = 30
"""How long clients may take for their answers when the server stops and all work is done, seconds."""

LOOK_S = 60
"""How often pictures are looked through for those that are too old, seconds."""


class WebApp:
    """A server's inside: what it keeps, and the ASGI application. `close` it at the end."""

    def __init__(self, settings: Settings) -> None:
        """Load the models.

        Args:
            settings: What it is started with.

        Raises:
            ModelError: If the default model cannot be opened.
            MissingExtraError: If it needs a package that is not installed.
        """
        self.settings = settings
        self.pictures = Pictures(
            keep_bytes=settings.keep_mb * 1e6, keep_s=settings.keep_minutes * 60, max_px=settings.max_px
        )
        self.bench = Bench(self.pictures, model=settings.model, threads=settings.threads)
        self.jobs = Jobs(workers=settings.workers, queue=settings.queue, deadline_s=settings.deadline_s)
        self.desk = Desk(self.bench, self.pictures, self.jobs)
        self.asgi: ASGIApp = Guard(self._application(), settings)
        """The application, for any ASGI server."""

    def listen(self) -> socket.socket:
        """Take the address and the port.

        Raises:
            OutputError: If they cannot be had.
        """
        host, port = self.settings.host, self.settings.port
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            return socket.create_server((host, port), family=family, backlog=MOST_REQUESTS)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise OutputError(
                f"cannot listen at {host}, port {port}: {reason}. Choose another --port or --host."
            ) from error

    def refuse_new(self) -> None:
        """Take nothing new, and send away what waits; what runs goes on."""
        self.desk.closing = True
        self.jobs.refuse_new()

    def close(self, *, at_once: bool = False) -> None:
        """Take nothing new, and wait for what runs.

        Args:
            at_once: Stop what runs.
        """
        self.desk.closing = True
        self.jobs.close(at_once=at_once)

    async def _let_go_of_old(self) -> None:
        """Forget old pictures also while nobody asks for anything."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.pictures.let_go()

    def _application(self) -> FastAPI:
        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
            cleaner = asyncio.create_task(self._let_go_of_old())
            try:
                yield
            finally:
                cleaner.cancel()
                with suppress(asyncio.CancelledError):
                    await cleaner
                await anyio.to_thread.run_sync(self.close)

        app = FastAPI(
            title="mendpix",
            version=mendpix.__version__,
            summary="Fill holes in photos, and see where the result is in doubt.",
            openapi_url=f"{API}/openapi.json",
            docs_url=None,
            redoc_url=None,
            lifespan=lifespan,
            redirect_slashes=False,
        )
        app.add_exception_handler(ProblemError, _answer)
        app.add_exception_handler(MendpixError, _answer)
        app.add_exception_handler(MemoryError, _answer)
        app.add_exception_handler(HTTPException, _answer_http)
        app.add_exception_handler(RequestValidationError, _answer_invalid)
        app.add_exception_handler(Exception, _answer)
        app.include_router(self.desk.router())
        app.add_api_route("/{path:path}", _page, methods=["GET", "HEAD"], include_in_schema=False)
        return app


class GracefulServer(uvicorn.Server):
    """Finishes what runs when it is told to stop; told a second time, it stops that, too."""

    def __init__(self, config: uvicorn.Config, web: WebApp, on_start: Callable[[int], None] | None = None) -> None:
        super().__init__(config)
        self._web, self._on_start = web, on_start
        self.stopped_by: int | None = None
        """Signal that stopped it."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and tell the port."""
        await super().startup(sockets)
        if self.started and self._on_start is not None:
            assert sockets is not None
            self._on_start(sockets[0].getsockname()[1])

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop, at once if it is the second time.

        A signal comes in the middle of anything, also of what holds a lock of the jobs: it must take none itself.
        """
        if self.should_exit:
            self.force_exit = True
            threading.Thread(target=self._web.jobs.stop_running, daemon=True).start()
        self.should_exit = True
        self.stopped_by = sig
        self._web.desk.closing = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Send away what waits, and finish what runs."""
        self._web.refuse_new()
        await super().shutdown(sockets)


def serve(settings: Settings, *, on_start: Callable[[int], None] | None = None) -> int:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        settings: What to start with.
        on_start: Told the port once the server listens.

    Returns:
        The signal that stopped the server.

    Raises:
        ModelError: If the default model cannot be opened.
        MissingExtraError: If it needs a package that is not installed.
        OutputError: If it cannot listen there.
    """
    web = WebApp(settings)
    server = GracefulServer(configure(web), web, on_start)
    try:
        with web.listen() as listening:
            asyncio.run(server.serve([listening]))
    finally:
        web.close(at_once=True)
    return server.stopped_by or signal.SIGTERM


def configure(web: WebApp) -> uvicorn.Config:
    """Say how uvicorn is to run the application; what clients do wrong is not logged."""
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    return uvicorn.Config(
        web.asgi,
        log_level="error",
        access_log=False,  # addresses would hold ids of pictures
        server_header=False,
        limit_concurrency=MOST_REQUESTS,
        timeout_keep_alive=30,
        h11_max_incomplete_event_size=32 * 1024,
        http=ImpatientProtocol,
        timeout_graceful_shutdown=math.ceil(web.settings.deadline_s) + LAST_ANSWERS_S,
        ws="none",
        lifespan="on",
    )


async def _page(request: Request, path: str) -> Response:
    """Give out a file of the page; only what lies in its folder has an address."""
    if path.startswith(API.strip("/").split("/", maxsplit=1)[0] + "/"):
        raise HTTPException(404)
    found = _page_files().get(path or "index.html")
    if found is None:
        raise HTTPException(404)
    file = await anyio.to_thread.run_sync(found.read_bytes)
    etag = f'"{found.stat().st_mtime_ns:x}-{len(file):x}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(file, headers=headers, media_type=MEDIA_TYPES[found.suffix])


def _page_files() -> dict[str, Path]:
    """List the page's files by address."""
    return {
        path.relative_to(STATIC).as_posix(): path
        for path in STATIC.rglob("*")
        if path.suffix in MEDIA_TYPES and path.is_file()
    }


async def _answer(_: Request, error: Exception) -> Response:
    return problem_of(error).response()


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentences = {
        404: f"there is nothing at {request.url.path[:100]}; see {API}/openapi.json for what there is.",
        405: f"{request.method} does not work at {request.url.path[:100]}; see {API}/openapi.json for what does.",
    }
    detail = sentences.get(error.status_code, str(error.detail))
    return ProblemError(error.status_code, detail, headers=error.headers).response()


async def _answer_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    return ProblemError(422, f"{where or 'the request'} cannot be used: {first['msg']}.").response()
