"""The web app as a person uses it, in Chromium, on a desktop and on a phone: open, paint, fill, doubt, undo, save."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

PHONE = (390, 844)


def open_photo(page: Any, path: Path) -> None:
    page.set_input_files("#photo-file", path)
    page.wait_for_selector("body.has-photo:not(.busy)")


def paint(page: Any, *shares: tuple[float, float]) -> None:
    """Drag over the photo from one place to the next; places are shares of the stage."""
    box = page.locator("#stage").bounding_box()
    places = [(box["x"] + across * box["width"], box["y"] + down * box["height"]) for across, down in shares]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()


def fill(page: Any) -> None:
    versions = page.locator("#strip li").count()
    page.click("#fill")
    page.wait_for_selector(f"#strip li:nth-child({versions + 1})")
    page.wait_for_selector("body:not(.busy)")


def saved_mask(page: Any) -> np.ndarray:
    """What "Save the mask" gives."""
    page.evaluate("document.querySelector('details').open = true")
    with page.expect_download() as download:
        page.locator("#mask-download").dispatch_event("click")
    return np.asarray(Image.open(download.value.path()))


def downloaded(page: Any) -> Image.Image:
    with page.expect_download() as download:
        page.click("#download")
    return Image.open(io.BytesIO(Path(download.value.path()).read_bytes()))


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
    result = downloaded(page)
    assert (result.format, result.size) == ("JPEG", (240, 160))


def test_the_mask_is_at_full_resolution_and_loads_as_it_is(page, pictures):
    open_photo(page, pictures / "photo.jpg")
    page.set_input_files("#mask-file", pictures / "photo-mask.png")
    page.wait_for_selector("#fill:enabled")
    np.testing.assert_array_equal(saved_mask(page), np.asarray(Image.open(pictures / "photo-mask.png")))


def test_the_result_is_that_of_the_command_line(page, pictures, tmp_path):
    photo = tmp_path / "photo.png"
    Image.open(pictures / "photo.jpg").save(photo)
    open_photo(page, photo)
    paint(page, (0.4, 0.45), (0.5, 0.5), (0.52, 0.6))
    page.wait_for_selector("#fill:enabled")
    Image.fromarray(saved_mask(page)).save(tmp_path / "mask.png")
    fill(page)
    out = tmp_path / "out.png"
    command = [sys.executable, "-m", "mendpix", "inpaint", photo, tmp_path / "mask.png", "-o", out, "-q"]
    subprocess.run(command, check=True, timeout=120)
    np.testing.assert_array_equal(np.asarray(downloaded(page)), np.asarray(Image.open(out)))


@pytest.mark.slow
def test_24_megapixels_come_back_as_from_the_command_line_byte_for_byte(page, tmp_path):
    photo = Image.open(Path(__file__).parents[2] / "examples" / "photo.jpg").resize((6000, 4000))
    photo.save(tmp_path / "photo.jpg", quality=92)
    open_photo(page, tmp_path / "photo.jpg")
    paint(page, (0.72, 0.45), (0.73, 0.5))
    page.wait_for_selector("#fill:enabled")
    Image.fromarray(saved_mask(page)).save(tmp_path / "mask.png")
    fill(page)
    out = tmp_path / "out.jpg"
    command = [sys.executable, "-m", "mendpix", "inpaint", tmp_path / "photo.jpg", tmp_path / "mask.png", "-o", out]
    subprocess.run([*command, "-q"], check=True, timeout=300)
    with page.expect_download() as download:
        page.click("#download")
    assert Path(download.value.path()).read_bytes() == out.read_bytes()


def test_strokes_are_undone_one_by_one_and_the_eraser_erases(page, pictures):
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


def test_a_lasso_fills_its_inside(page, pictures):
    open_photo(page, pictures / "photo.jpg")
    page.click("[data-tool=lasso]")
    paint(page, (0.4, 0.45), (0.6, 0.45), (0.6, 0.55), (0.4, 0.55))
    mask = saved_mask(page) > 0
    rows, columns = np.nonzero(mask)
    area = (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
    assert mask.sum() > 0.9 * area


def test_the_mask_grows_shrinks_and_turns_over(page, pictures):
    open_photo(page, pictures / "photo.jpg")
    page.set_input_files("#mask-file", pictures / "photo-mask.png")
    page.wait_for_selector("#fill:enabled")
    before = saved_mask(page)
    page.locator("#mask-grow").dispatch_event("click")
    grown = saved_mask(page) > 0
    assert grown[56, 170]
    assert not grown[55, 170]
    assert not grown[56, 146]
    page.locator("#mask-shrink").dispatch_event("click")
    np.testing.assert_array_equal(saved_mask(page), before)
    page.locator("#mask-invert").dispatch_event("click")
    np.testing.assert_array_equal(saved_mask(page), 255 - before)


def test_a_doubtful_place_is_mended_kept_and_taken_back(page, pictures):
    open_photo(page, pictures / "photo.jpg")
    page.set_input_files("#mask-file", pictures / "photo-mask.png")
    page.select_option("#model", "harmonic", force=True)  # smooth: surely in doubt
    page.wait_for_selector("#fill:enabled")
    fill(page)
    page.click("#doubt")
    page.locator(".badge").first.click()
    page.get_by_role("button", name="Copy", exact=True).click()
    page.wait_for_selector(".tried:nth-child(2)[aria-pressed=true]")
    page.wait_for_selector("body:not(.busy)")
    page.click("#refill-keep")
    page.wait_for_selector("#strip li:nth-child(3) [aria-current]")
    page.click("#undo")
    page.wait_for_selector("#strip li:nth-child(2) [aria-current]")


def test_the_method_of_one_hole_is_changed(page, pictures):
    open_photo(page, pictures / "photo.jpg")
    page.set_input_files("#mask-file", pictures / "photo-mask.png")
    page.wait_for_selector("#fill:enabled")
    fill(page)
    page.locator("#holes select").evaluate(
        "(select) => { select.value = 'telea'; select.dispatchEvent(new Event('change', { bubbles: true })) }"
    )
    page.wait_for_selector("#strip li:nth-child(3) [aria-current]")
    assert page.locator("#holes select").input_value() == "telea"


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
    page.locator("#fill-found").dispatch_event("click")
    page.wait_for_selector("#strip li:nth-child(2)")
    assert downloaded(page).format == "PNG"


def test_several_photos_are_mended_with_masks_by_name(page, pictures):
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


def test_a_long_fill_can_be_cancelled(page, tmp_path):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (1500, 2000, 3), np.uint8)).save(tmp_path / "large.png")
    open_photo(page, tmp_path / "large.png")
    page.click("[data-tool=rectangle]")
    paint(page, (0.35, 0.42), (0.65, 0.58))
    page.wait_for_selector("#fill:enabled")
    page.click("#fill")
    page.click("#cancel")
    page.get_by_text("Cancelled. Nothing was changed.").wait_for()
    page.wait_for_selector("#fill:enabled")  # the mask is still there
    assert page.locator("#strip li").count() < 2


def test_what_is_no_picture_is_refused_in_a_sentence(page, tmp_path):
    (tmp_path / "letter.jpg").write_text("Dear reader")
    page.set_input_files("#photo-file", tmp_path / "letter.jpg")
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert len(alert.inner_text()) > 20
    assert page.locator("#welcome").is_visible()
    page.complaints.clear()  # the browser itself notes the refused request


def test_all_works_by_keyboard(page, pictures):
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_has_a_name_and_enough_contrast(page, pictures, scheme):
    page.emulate_media(color_scheme=scheme)
    open_photo(page, pictures / "photo.jpg")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('button, select, input, meter, progress, canvas[role], img')]
        .filter((one) => !(one.ariaLabel || one.labels?.length || one.textContent.trim()
          || one.hasAttribute('aria-labelledby') || one.hasAttribute('alt'))).map((one) => one.outerHTML)"""
    )
    assert nameless == []
    faint = page.evaluate(
        """() => {
          const light = (colour) => {
            const [r, g, b] = colour.match(/[\\d.]+/g).map((v) => v / 255)
              .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const ground = (one) => {
            for (let at = one; at; at = at.parentElement) {
              const colour = getComputedStyle(at).backgroundColor;
              if (!/, 0\\)|transparent/.test(colour)) return colour;
            }
            return 'rgb(255, 255, 255)';
          };
          return [...document.querySelectorAll('button, p, h2, h3, label, span, summary, small, output')]
            .filter((one) => one.offsetParent && one.innerText?.trim() && !one.closest(':disabled, .hint'))
            .map((one) => {
              const [a, b] = [light(getComputedStyle(one).color), light(ground(one))].sort((x, y) => y - x);
              return [(a + 0.05) / (b + 0.05), one.innerText];
            }).filter(([contrast]) => contrast < 4.5);
        }"""
    )
    assert faint == []


def test_the_first_view_is_small_and_asks_nobody_else(chromium, server):
    page = chromium.new_page()
    sizes: dict[str, int] = {}
    page.on("response", lambda answer: sizes.update({answer.url: len(answer.body())}))
    page.goto(server)
    page.wait_for_selector("html[data-ready]")
    page.close()
    assert all(url.startswith(server) for url in sizes)
    assert 20_000 < sum(sizes.values()) < 200_000


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
