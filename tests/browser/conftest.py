"""A server of our own and headless Chromium that drives it; small pictures, so that fills take moments."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
DESKTOP, PHONE = (1280, 800), (390, 844)
PATIENCE_MS = 90_000  # two cores may have other work


def find_chromium() -> str | None:
    return next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    pytest.importorskip("fastapi", reason="the web app is not installed: pip install 'mendpix[web]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "mendpix", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            if process.poll() is not None:
                pytest.fail(f"the server did not start: {process.stderr.read() if process.stderr else ''}")
            try:
                urllib.request.urlopen(f"{address}/api/v1/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.25)
        yield address
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install 'mendpix[dev]'")
    program = find_chromium()
    if program is None:
        pytest.skip("there is no Chromium on the PATH: apt-get install chromium")
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def page(request: pytest.FixtureRequest, chromium: Any, server: str) -> Iterator[Any]:
    """The page on a desktop and on a phone, as it is when it is ready."""
    yield from _opened(chromium, server, request.param)


@pytest.fixture
def desktop(chromium: Any, server: str) -> Iterator[Any]:
    """The page on a desktop alone, for what does not depend on where things stand."""
    yield from _opened(chromium, server, DESKTOP)


def _opened(chromium: Any, server: str, size: tuple[int, int]) -> Iterator[Any]:
    """Open the page; whatever it complains of in the console fails the test."""
    width, height = size
    phone = size == PHONE
    context = chromium.new_context(viewport={"width": width, "height": height}, has_touch=phone, is_mobile=phone)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.complaints = complaints
    page.goto(server)
    page.wait_for_selector("html[data-ready]")
    yield page
    context.close()
    assert not complaints


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo, a mask for it and a scratched photo, all small."""
    folder = tmp_path_factory.mktemp("pictures")
    photo = Image.open(ROOT / "examples" / "photo.jpg").resize((240, 160))
    photo.save(folder / "photo.jpg", quality=95)
    mask = np.zeros((160, 240), np.uint8)
    mask[60:100, 150:190] = 255
    Image.fromarray(mask).save(folder / "photo-mask.png")
    scratched = np.array(photo)
    scratched[:, 60:62] = 255
    scratched[:, 170:172] = 255
    Image.fromarray(scratched).save(folder / "scan.png")
    return folder
