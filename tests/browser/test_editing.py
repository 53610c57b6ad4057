"""The web app as a person uses it, in Chromium, on a desktop and on a phone: open, paint, fill, doubt, undo, save."""

import base64
import io
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from browser.hands import downloaded, fill, open_mask, open_photo, paint, saved_mask, set_slider

PHONE = (390, 844)

# --- painting


def test_strokes_are_undone_one_by_one_the_eraser_erases_and_a_lasso_fills_its_inside(desktop, pictures):
    page = desktop
    open_photo(page, pictures / "photo.jpg")
    paint(page, (0.4, 0.5), (0.45, 0.5))
    one = saved_mask(page)
    page.click("[data-tool=rectangle]")
    paint(page, (0.55, 0.45), (0.65, 0.55))
    two = saved_mask(page)
    assert two.sum() > one.sum() > 0
    page.click("[data-tool=eraser]")
    paint(page, (0.4, 0.5), (0.45, 0.5))
    assert saved_mask(page).sum() < two.sum()
    page.click("#undo")
    np.testing.assert_array_equal(saved_mask(page), two)
    page.click("#undo")
    np.testing.assert_array_equal(saved_mask(page), one)
    page.click("#undo")
    page.wait_for_selector("#fill:disabled")  # nothing is left to be filled
    page.click("[data-tool=lasso]")
    paint(page, (0.4, 0.45), (0.6, 0.45), (0.6, 0.55), (0.4, 0.55))
    mask = saved_mask(page) > 0
    rows, columns = np.nonzero(mask)
    area = (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
    assert mask.sum() > 0.9 * area


def test_a_mask_is_loaded_at_full_resolution_grows_shrinks_and_turns_over(desktop, pictures):
    page = desktop
    open_photo(page, pictures / "photo.jpg")
    open_mask(page, pictures / "photo-mask.png")
    before = saved_mask(page)
    np.testing.assert_array_equal(before, np.asarray(Image.open(pictures / "photo-mask.png")))
    page.locator("#mask-grow").dispatch_event("click")
    grown = saved_mask(page) > 0
    assert grown[56, 170]
    assert not grown[55, 170]
    assert not grown[56, 146]
    page.locator("#mask-shrink").dispatch_event("click")
    np.testing.assert_array_equal(saved_mask(page), before)
    page.locator("#mask-invert").dispatch_event("click")
    np.testing.assert_array_equal(saved_mask(page), 255 - before)


def test_what_must_not_be_copied_is_marked_undone_erased_and_sent_with_the_other_options(desktop, pictures):
    page = desktop
    open_photo(page, pictures / "photo.jpg")
    open_mask(page, pictures / "photo-mask.png")
    page.click("#part-remove summary")
    page.click("[data-tool=avoid]")
    assert page.locator("#hint-avoid").is_visible()
    paint(page, (0.2, 0.3), (0.2, 0.6))
    paint(page, (0.3, 0.3), (0.3, 0.6))
    page.click("#undo")
    assert (saved_mask(page) > 0).sum() == 40 * 40  # what is to be filled is another mask
    page.fill("#dilate", "2")
    page.select_option("#finish", "poisson")
    page.evaluate(
        """() => {
          const ask = window.fetch;
          window.fetch = (url, order) => {
            if (order?.body instanceof FormData) window.sent = order.body;
            return ask(url, order);
          };
        }"""
    )
    fill(page)
    sent = page.evaluate(
        """async () => {
          const bytes = new Uint8Array(await sent.get("exclude").arrayBuffer());
          const all = [...sent].filter(([, value]) => typeof value === "string");
          return { ...Object.fromEntries(all), exclude: btoa(String.fromCharCode(...bytes)) };
        }"""
    )
    assert (sent["model"], sent["dilate"], sent["finish"]) == ("auto", "2", "poisson")
    avoided = np.asarray(Image.open(io.BytesIO(base64.b64decode(sent["exclude"])))) > 0
    assert avoided.shape == (160, 240)
    rows, columns = np.nonzero(avoided)
    assert np.ptp(rows) > 3 * np.ptp(columns) > 0  # one upright stroke: the other was undone
    page.click("#avoid-clear")
    page.wait_for_selector("#avoid-clear:disabled")
    page.click("#undo")
    page.wait_for_selector("#avoid-clear:enabled")


# --- filling


def test_a_photo_is_opened_painted_filled_compared_and_downloaded(page, pictures):
    open_photo(page, pictures / "photo.jpg")
    paint(page, (0.45, 0.5), (0.55, 0.5))
    page.wait_for_selector("#fill:enabled")
    fill(page)
    assert page.locator("#fill").is_disabled()  # the mask is spent
    assert 0 <= float(page.text_content("#score")) <= 1
    assert page.locator("#holes li").count() == 1
    page.click("#doubt")
    assert page.get_attribute("#doubt", "aria-pressed") == "true"
    page.click("#compare")
    assert page.locator("#split").is_visible()
    page.click("#compare")
    page.click("#undo")
    page.wait_for_selector("#fill:enabled")  # the mask is back, the fill is gone
    assert page.locator("#redo").is_enabled()
    page.click("#redo")
    page.wait_for_selector("#fill:disabled")
    result = Image.open(io.BytesIO(downloaded(page)))
    assert (result.format, result.size) == ("JPEG", (240, 160))


def test_the_result_is_that_of_the_command_line(desktop, pictures, tmp_path):
    check_against_command_line(desktop, pictures / "photo.jpg", tmp_path, (0.4, 0.45), (0.5, 0.5), (0.52, 0.6))


@pytest.mark.slow
def test_24_megapixels_come_back_as_from_the_command_line_byte_for_byte(page, tmp_path):
    photo = Image.open(Path(__file__).parents[2] / "examples" / "photo.jpg").resize((6000, 4000))
    photo.save(tmp_path / "photo.jpg", quality=92)
    check_against_command_line(page, tmp_path / "photo.jpg", tmp_path, (0.72, 0.45), (0.73, 0.5))


def check_against_command_line(page: Any, photo: Path, folder: Path, *places: tuple[float, float]) -> None:
    open_photo(page, photo)
    paint(page, *places)
    page.wait_for_selector("#fill:enabled")
    Image.fromarray(saved_mask(page)).save(folder / "mask.png")
    fill(page)
    out = folder / f"out{photo.suffix}"
    command = [sys.executable, "-m", "mendpix", "inpaint", photo, folder / "mask.png", "-o", out, "-q"]
    subprocess.run(command, check=True, timeout=300)
    assert downloaded(page) == out.read_bytes()


def test_a_long_fill_can_be_cancelled(page, tmp_path):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (1500, 2000, 3), np.uint8)).save(tmp_path / "large.png", compress_level=1)
    open_photo(page, tmp_path / "large.png")
    page.click("[data-tool=rectangle]")
    paint(page, (0.35, 0.42), (0.65, 0.58))
    page.wait_for_selector("#fill:enabled")
    page.click("#fill")
    page.click("#cancel")
    page.get_by_text("Cancelled. Nothing was changed.").wait_for()
    page.wait_for_selector("#fill:enabled")  # the mask is still there
    assert page.locator("#strip li").count() < 2


# --- doubt


def test_a_doubtful_place_is_mended_kept_and_taken_back(page, pictures):
    open_photo(page, pictures / "photo.jpg")
    open_mask(page, pictures / "photo-mask.png")
    page.select_option("#model", "harmonic", force=True)  # smooth: surely in doubt
    fill(page)
    page.click("#doubt")
    page.locator(".badge").first.click()
    page.get_by_role("button", name="Network", exact=True).click()
    page.wait_for_selector(".tried:nth-child(2)[aria-pressed=true]")
    page.wait_for_selector("body:not(.busy)")
    page.click("#refill-keep")
    page.wait_for_selector("#strip li:nth-child(3) [aria-current]")
    page.click("#undo")
    page.wait_for_selector("#strip li:nth-child(2) [aria-current]")


def test_the_method_of_one_hole_is_changed(desktop, pictures):
    page = desktop
    open_photo(page, pictures / "photo.jpg")
    open_mask(page, pictures / "photo-mask.png")
    fill(page)
    page.locator("#holes select").select_option("telea")
    page.wait_for_selector("#strip li:nth-child(3) [aria-current]")
    assert page.locator("#holes select").input_value() == "telea"


# --- restoring, several


def test_damage_is_found_corrected_and_mended(page, pictures):
    open_photo(page, pictures / "scan.png")
    page.click("#tab-restore")
    page.click("#find")
    page.wait_for_selector("#fill-found:enabled", state="attached")
    found = saved_mask(page) > 0
    assert found[:, 58:64].any()
    assert found.mean() < 0.3
    page.click("[data-tool=eraser]")
    paint(page, (0.2, 0.5), (0.8, 0.5))
    assert (saved_mask(page) > 0).sum() < found.sum()
    page.click("#fill-found")
    page.wait_for_selector("#strip li:nth-child(2)")
    page.wait_for_selector("body:not(.busy)")
    assert Image.open(io.BytesIO(downloaded(page))).format == "PNG"


def test_more_damage_than_may_be_changed_is_shown_and_mended_only_once_it_is_corrected(desktop, pictures):
    page = desktop
    open_photo(page, pictures / "scan.png")
    page.click("#tab-restore")
    page.click("#part-restore summary")
    set_slider(page, "max-area", 1)
    page.click("#find")
    page.wait_for_selector("#found.warning")
    page.complaints.clear()
    assert "more than the 1.0 %" in page.text_content("#found")
    assert (saved_mask(page) > 0).mean() > 0.01  # it is there to be looked at
    page.click("#fill-found")
    page.get_by_role("alert").get_by_text("raise the limit").wait_for()
    assert page.locator("#strip li").count() < 2
    page.click("[data-tool=eraser]")
    paint(page, (0.2, 0.5), (0.8, 0.5))
    page.wait_for_selector("#found:not(.warning)")
    page.click("#fill-found")
    page.wait_for_selector("#strip li:nth-child(2)")


def test_several_photos_are_mended_with_masks_by_name(desktop, pictures):
    page = desktop
    page.click("#tab-several")
    files = [pictures / name for name in ("photo.jpg", "photo-mask.png", "scan.png")]
    page.set_input_files("#queue-files", files)
    page.locator("#policy").select_option("named", force=True)
    assert page.locator("#queue li").count() == 2  # the mask is no photo
    page.click("#queue-start")
    page.wait_for_selector("#queue li.done", state="attached")
    page.wait_for_selector("#queue li.failed", state="attached")
    assert "scan-mask.png" in page.text_content("#queue li.failed")
    with page.expect_download() as download:
        page.locator("#queue-zip").dispatch_event("click")
    with zipfile.ZipFile(download.value.path()) as packed:
        assert packed.testzip() is None
        assert packed.namelist() == ["photo.jpg"]
        assert Image.open(io.BytesIO(packed.read("photo.jpg"))).size == (240, 160)


# --- other ways in


def test_all_works_by_keyboard(desktop, pictures):
    page = desktop
    open_photo(page, pictures / "photo.jpg")
    page.focus("#stage")
    page.keyboard.press("Enter")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert (saved_mask(page) > 0).sum() > 100
    page.keyboard.press("f")
    page.wait_for_selector("#strip li:nth-child(2)")
    page.wait_for_selector("body:not(.busy)")
    page.keyboard.press("d")
    assert page.get_attribute("#doubt", "aria-pressed") == "true"
    page.keyboard.press("Control+z")
    page.wait_for_selector("#fill:enabled")
    page.keyboard.press("?")
    assert page.locator("#help-sheet").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#help-sheet").is_visible()


@pytest.mark.parametrize("page", [PHONE], ids=["phone"], indirect=True)
def test_one_finger_paints_and_two_zoom(page, pictures):
    open_photo(page, pictures / "photo.jpg")
    box = page.locator("#stage").bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    device = page.context.new_cdp_session(page)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": middle[0] + x, "y": middle[1] + y, "id": number} for number, (x, y) in enumerate(places)]
        device.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (-40, 0))
    touch("touchMove", (-20, 0))
    touch("touchMove", (20, 0))
    touch("touchEnd")
    painted = saved_mask(page)
    assert (painted > 0).any()
    before = page.text_content("#zoom")
    touch("touchStart", (-20, 40))
    touch("touchStart", (-20, 40), (20, 40))
    for spread in (40, 60, 90):
        touch("touchMove", (-spread, 40), (spread, 40))
    touch("touchEnd")
    assert page.text_content("#zoom") != before
    np.testing.assert_array_equal(saved_mask(page), painted)  # the first of the two fingers left no dab


def test_the_first_view_is_small_and_asks_nobody_else(chromium, server):
    page = chromium.new_page()
    sizes: dict[str, int] = {}
    page.on("response", lambda answer: sizes.update({answer.url: len(answer.body())}))
    page.goto(server)
    page.wait_for_selector("html[data-ready]")
    page.close()
    assert all(url.startswith(server) for url in sizes)
    assert 20_000 < sum(sizes.values()) < 200_000
