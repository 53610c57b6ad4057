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

from browser.hands import downloaded, fill, open_mask, open_photo, paint, saved_mask, set_slider, share_of

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


def test_a_photo_is_taken_for_a_mask_only_after_asking(desktop, pictures):
    page = desktop
    asked: list[str] = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    open_photo(page, pictures / "photo.jpg")
    page.set_input_files("#mask-file", pictures / "photo.jpg")
    page.wait_for_selector("body:not(.busy)")
    page.wait_for_timeout(300)
    assert "neither black nor white" in asked[0]
    assert page.locator("#fill").is_disabled()  # it was not taken


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
    assert 0 <= share_of(page.text_content("#score")) <= 100
    assert page.locator("#holes li").count() == 1
    page.click("#doubt")
    assert page.get_attribute("#doubt", "aria-pressed") == "true"
    page.click("#compare")
    assert page.locator("#split").is_visible()
    paint(page, (0.3, 0.3), (0.4, 0.3), (0.7, 0.35))  # the line follows; the photo stays, and nothing is painted
    assert abs(float(page.input_value("#split")) - 70) < 2
    assert page.locator("#split-line").evaluate("one => one.style.left").startswith("70")
    page.click("#compare")
    assert page.locator("#fill").is_disabled()
    page.click("#undo")
    page.wait_for_selector("#fill:enabled")  # the mask is back, the fill is gone
    assert page.locator("#redo").is_enabled()
    assert page.locator("#download").is_disabled()  # nothing is done to it any more
    page.click("#redo")
    page.wait_for_selector("#fill:disabled")
    with page.expect_download() as download:
        page.click("#download")
    assert download.value.suggested_filename == "photo-mended.jpg"  # not the name of the photo itself
    result = Image.open(io.BytesIO(Path(download.value.path()).read_bytes()))
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


def test_the_headline_stays_that_of_all_holes_when_one_place_is_mended(desktop, pictures, tmp_path):
    page = desktop
    mask = np.zeros((160, 240), np.uint8)
    mask[30:70, 30:70] = mask[60:100, 150:190] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    open_photo(page, pictures / "photo.jpg")
    open_mask(page, tmp_path / "mask.png")
    page.select_option("#model", "harmonic")
    fill(page)
    before = share_of(page.text_content("#score"))
    places = page.locator("#regions button").all_text_contents()
    assert len(places) >= 2
    page.locator("#regions button").first.click()
    assert share_of(page.text_content(".tried")) == share_of(places[0])  # as it is
    page.click("text=Try all")
    page.wait_for_selector(".tried:nth-child(5)")
    page.wait_for_selector("body:not(.busy)")
    chosen = page.text_content(".tried[aria-pressed=true]")
    assert share_of(chosen) < share_of(places[0])
    page.click("#refill-keep")
    page.wait_for_selector("#strip li:nth-child(3) [aria-current]")
    assert 0 < share_of(page.text_content("#score")) < before
    after = page.locator("#regions button").all_text_contents()
    assert places[1] in after  # the other place keeps its number and its figure
    page.click("#undo")
    page.wait_for_selector("#strip li:nth-child(2) [aria-current]")
    assert share_of(page.text_content("#score")) == before


def test_the_headline_counts_what_was_filled_before(desktop, pictures):
    page = desktop
    open_photo(page, pictures / "photo.jpg")
    page.select_option("#model", "harmonic")
    regions = []
    page.click("[data-tool=rectangle]")
    for across in (0.25, 0.65):
        paint(page, (across, 0.4), (across + 0.12, 0.6))
        fill(page)
        regions.append(page.locator("#regions button").all_text_contents())
    assert set(regions[0]) <= set(regions[1])
    assert len(regions[1]) > len(regions[0]) > 0


def test_the_method_of_one_hole_is_changed(desktop, pictures):
    page = desktop
    open_photo(page, pictures / "photo.jpg")
    open_mask(page, pictures / "photo-mask.png")
    fill(page)
    page.locator("#holes select").select_option("telea")
    page.wait_for_selector("#strip li:nth-child(3) [aria-current]")
    assert page.locator("#holes select").input_value() == "telea"


# --- restoring, several


def test_the_restore_tab_says_find_and_shows_what_it_looks_for_whole(page, pictures):
    open_photo(page, pictures / "scan.png")
    assert "Fill" in page.inner_text("#hint")
    page.click("#tab-restore")
    assert "Find" in page.inner_text("#hint")
    assert "Fill" not in page.inner_text("#hint")
    assert page.locator("#find").is_visible()
    wide = page.locator("#preset").evaluate(
        """select => {
          const pen = document.createElement("canvas").getContext("2d");
          pen.font = getComputedStyle(select).font;
          return Math.max(...[...select.options].map(({ text }) => pen.measureText(text).width));
        }"""
    )
    assert page.locator("#preset").bounding_box()["width"] > wide + 40  # room for the arrow, too


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


def test_what_was_corrected_by_hand_stays_when_one_looks_again_and_undo_brings_the_sliders_back(desktop, pictures):
    page = desktop
    open_photo(page, pictures / "scan.png")
    page.click("#tab-restore")
    page.click("#find")
    page.wait_for_selector("#fill-found:enabled")
    paint(page, (0.45, 0.3), (0.5, 0.3))
    painted = page.text_content("#found")
    page.click("[data-tool=eraser]")
    paint(page, (0.2, 0.5), (0.8, 0.5))
    corrected = saved_mask(page) > 0
    stated = page.text_content("#found")
    assert stated != painted
    rows, columns = corrected.shape[0] // 2, corrected.shape[1]
    assert not corrected[rows, columns // 3 : columns // 2].any()
    added = corrected & (np.arange(columns) > 75) & (np.arange(columns) < 160)
    assert added.sum() > 50
    set_slider(page, "sensitivity", 90)
    page.wait_for_function("before => document.querySelector('#found').textContent !== before", arg=stated)
    page.wait_for_selector("body:not(.busy)")
    again = saved_mask(page) > 0
    assert again[added].all()
    assert not again[rows, 58:64].any()  # what was erased stays erased
    assert (again != corrected).any()  # and something else was found
    page.click("#undo")
    np.testing.assert_array_equal(saved_mask(page) > 0, corrected)
    assert page.input_value("#sensitivity") == "50"
    assert page.text_content("#sensitivity-value") == "50 %"
    assert page.text_content("#found") == stated
    page.click("#redo")
    np.testing.assert_array_equal(saved_mask(page) > 0, again)
    assert page.input_value("#sensitivity") == "90"


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
    page.get_by_role("alert").get_by_text("1 photo done, 1 failed").wait_for()
    assert page.text_content("#queue-zip") == "Download 1 result (ZIP)"
    with page.expect_download() as download:
        page.locator("#queue-zip").dispatch_event("click")
    with zipfile.ZipFile(download.value.path()) as packed:
        assert packed.testzip() is None
        assert packed.namelist() == ["photo-mended.jpg"]
        assert Image.open(io.BytesIO(packed.read("photo-mended.jpg"))).size == (240, 160)


def test_a_result_of_found_damage_is_opened_for_corrections_in_the_restore_tab(desktop, pictures):
    page = desktop
    page.click("#tab-several")
    page.set_input_files("#queue-files", [pictures / "scan.png"])
    page.click("#queue-start")
    page.wait_for_selector("#queue-start:disabled")  # not twice
    page.wait_for_selector("#queue li.done")
    page.get_by_text("1 photo done.").wait_for()
    page.click("#queue .open")
    page.wait_for_selector("#tab-restore[aria-selected=true]")
    page.wait_for_selector("body.has-result:not(.busy)")
    with page.expect_download() as download:
        page.click("#download")
    assert download.value.suggested_filename == "scan-mended.png"


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
