"""What the page says and does when the server is busy, shut, forgetful or strict, and when a file is no picture."""

import json
from typing import Any

from browser.hands import downloaded, fill, open_mask, open_photo

LET_GO = """async () => {
  const seen = performance.getEntriesByType("resource").map(({ name }) => name.match(/pictures\\/([^/]+)\\//)?.[1]);
  for (const id of new Set(seen)) if (id) await fetch(`/api/v1/pictures/${id}`, { method: "DELETE" });
}"""


def refuse(page: Any, address: str, status: int, **headers: str) -> list[str]:
    """Have the first request to an address refused. Answers with a list that fills with what was refused."""
    refused: list[str] = []

    def answer(route: Any) -> None:
        if refused:
            route.fallback()
            return
        refused.append(route.request.url)
        body = json.dumps({"title": "refused", "status": status, "detail": "no."})
        route.fulfill(status=status, headers=headers, content_type="application/problem+json", body=body)

    page.route(address, answer)
    return refused


def alert_of(page: Any) -> str:
    alert = page.get_by_role("alert")
    alert.wait_for()
    page.complaints.clear()  # the browser itself notes the failed request
    return alert.inner_text()


def test_what_is_no_picture_is_refused_in_a_sentence(desktop, tmp_path):
    (tmp_path / "letter.jpg").write_text("Dear reader")
    desktop.set_input_files("#photo-file", tmp_path / "letter.jpg")
    assert len(alert_of(desktop)) > 20
    assert desktop.locator("#welcome").is_visible()


def test_a_file_of_a_telephone_is_refused_with_a_way_on(desktop, tmp_path):
    (tmp_path / "IMG_1.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64))
    desktop.set_input_files("#photo-file", tmp_path / "IMG_1.heic")
    told = alert_of(desktop)
    assert "JPEG" in told
    assert any(word in told for word in ("Export", "export", "onvert", "ave it")), told


def test_a_shut_server_and_a_missing_token_are_told_and_the_mask_stays(desktop, pictures):
    page = desktop
    open_photo(page, pictures / "photo.jpg")
    open_mask(page, pictures / "photo-mask.png")
    refuse(page, "**/api/v1/inpaint", 401)
    page.click("#fill")
    assert "token" in alert_of(page)
    page.unroute("**/api/v1/inpaint")
    page.route("**/api/v1/inpaint", lambda route: route.abort())
    page.wait_for_selector("#fill:enabled")
    page.click("#fill")
    page.get_by_role("alert").get_by_text("does not answer").wait_for()
    page.complaints.clear()
    assert page.locator("#fill").is_enabled()


def test_a_full_queue_is_waited_for(desktop, pictures):
    page = desktop
    open_photo(page, pictures / "photo.jpg")
    open_mask(page, pictures / "photo-mask.png")
    refused = refuse(page, "**/api/v1/inpaint", 429, **{"Retry-After": "2"})
    page.click("#fill")
    page.get_by_text("busy with other pictures: asking again in").wait_for()
    page.wait_for_selector("#strip li:nth-child(2)")
    page.wait_for_selector("body:not(.busy)")
    assert len(refused) == 1
    page.complaints.clear()


def test_what_the_server_let_go_is_sent_and_made_again(desktop, pictures):
    page = desktop
    open_photo(page, pictures / "photo.jpg")
    open_mask(page, pictures / "photo-mask.png")
    page.evaluate(LET_GO)
    fill(page)
    page.get_by_text("it has it again").wait_for()
    result = downloaded(page)
    page.evaluate(LET_GO)
    assert downloaded(page) == result  # the same mask and method make the same pixels
    page.complaints.clear()
