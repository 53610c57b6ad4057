"""Real servers on free ports of this machine, small pictures, and a filler that takes as long as a test wants."""

import io
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the extra web is not installed")
httpx = pytest.importorskip("httpx", reason="httpx is not installed")

import uvicorn  # noqa: E402 - found above

from mendpix.web.app import GracefulServer, WebApp, configure  # noqa: E402
from mendpix.web.settings import Settings  # noqa: E402

HEIGHT, WIDTH = 40, 56


@dataclass
class Running:
    """A server that runs, and a client that talks to it."""

    url: str
    web: WebApp
    server: uvicorn.Server
    client: httpx.Client


class Client(httpx.Client):
    """Takes addresses as the server tells them, and names under /api/v1."""

    def build_request(self, method: str, url: str, **options: object) -> httpx.Request:
        path = url if url.startswith(("/", "http:")) else f"/api/v1/{url}"
        return super().build_request(method, path, **options)


@contextmanager
def serving(**changes: object) -> Generator[Running]:
    settings = Settings(**{"host": "127.0.0.1", "port": 0, "threads": 1, **changes})
    web = WebApp(settings)
    started, port = threading.Event(), []

    def note(bound: int) -> None:
        port.append(bound)
        started.set()

    server = GracefulServer(configure(web), web, note)
    with web.listen() as listening:
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        assert started.wait(30)
        url = f"http://127.0.0.1:{port[0]}"
        with Client(base_url=url, timeout=60) as client:
            yield Running(url, web, server, client)
        server.should_exit = True
        web.jobs.stop_running()
        thread.join(30)
        assert not thread.is_alive()


def photo(seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Slopes and grain; (H, W, 3), uint8."""
    rows, columns = np.mgrid[:height, :width]
    grain = np.random.default_rng(seed).integers(0, 20, (height, width, 3))
    slopes = np.stack([columns * 4 % 200, rows * 5 % 200, 200 - columns * 3 % 200], axis=2)
    return np.uint8(np.clip(slopes + grain, 0, 255))


def hole(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """White where to fill: 10 × 12 px; uint8."""
    mask = np.zeros((height, width), np.uint8)
    mask[12:22, 20:32] = 255
    return mask


def encoded(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def decoded(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def files(seed: int = 0, **more: bytes) -> dict[str, tuple[str, bytes]]:
    """An image and a mask for a form."""
    parts = {"image": encoded(photo(seed)), "mask": encoded(hole()), **more}
    return {name: (f"{name}.png", content) for name, content in parts.items()}


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


class SlowFiller:
    """Stands in for an inpainter: fills with grey once it is let go, and reports progress all the time."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.began, self.stopped = 0, 0

    def __call__(self, picture, mask, *, progress, **_):
        self.began += 1
        try:
            while not self.go.wait(0.01):
                progress(0.5, "filling")
        except BaseException:
            self.stopped += 1
            raise
        samples = picture.samples.copy()
        samples[mask > 0] = 128
        timings = {"total": 0.0}
        return SimpleNamespace(
            image=samples,
            hole=mask,
            artifacts=np.zeros_like(mask),
            artifact_score=0.0,
            timings=timings,
            fills=(),
            notes=(),
        )
