"""All main views under axe-core, on a desktop and on a phone, each light and dark: nothing may be found."""

from typing import Any

import pytest

from browser.hands import fill, open_photo, paint


@pytest.fixture
def check(page) -> Any:
    """Have axe-core look at what is shown."""
    sync = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    axe = sync.Axe()

    def look(view: str) -> None:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found = axe.run(page).response["violations"]
            told = [(one["impact"], one["id"], [node["html"] for node in one["nodes"]]) for one in found]
            assert not told, f"{view}, {scheme}"

    return look


def test_axe_finds_nothing(page, pictures, check):
    check("start")
    open_photo(page, pictures / "photo.jpg")
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    paint(page, (0.45, 0.5), (0.55, 0.5))
    check("a photo with a mask")
    fill(page)
    page.click("#doubt")
    page.wait_for_selector("#doubt[aria-pressed=true]")
    check("the doubt about a fill")
    page.locator(".regions button, .badge").first.dispatch_event("click")
    check("a doubtful place")
    page.click("#refill-revert")
    page.evaluate("document.querySelector('#sheet-handle').click()")
    page.click("#tab-restore")
    check("restore")
    page.click("#tab-several")
    page.set_input_files("#queue-files", [pictures / "photo.jpg", pictures / "scan.png"])
    check("several")
    page.evaluate("document.querySelector('#help').click()")
    page.wait_for_selector("#help-sheet[open]")
    check("the keys")
