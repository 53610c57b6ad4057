"""Servers that run, for the tests of the web server."""

from collections.abc import Generator

import pytest

pytest.importorskip("fastapi", reason="the extra web is not installed")
httpx = pytest.importorskip("httpx", reason="httpx is not installed")

from web_server import Running, SlowFiller, serving  # noqa: E402 - found above


@pytest.fixture(scope="module")
def running() -> Generator[Running]:
    with serving() as server:
        yield server


@pytest.fixture
def client(running: Running) -> "httpx.Client":
    return running.client


@pytest.fixture
def slow() -> Generator[tuple[Running, SlowFiller]]:
    """A server with room for one waiting job, whose default filler waits."""
    with serving(queue=1) as server:
        filler = SlowFiller()
        server.web.bench._inpainters["auto", "none", True] = filler
        yield server, filler
        filler.go.set()
