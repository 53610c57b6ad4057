import socket
import threading
import time

import numpy as np
import pytest

from mendpix.web.memory import give_back, resident_bytes
from web_server import encoded, files, photo, serving, until

FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},  # another port is another site
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
]


@pytest.fixture(scope="module")
def guarded():
    with serving(token="a-long-token", allow_hosts=("photos.example.org",), max_upload_mb=0.2) as server:
        yield server


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_foreign_page_cannot_make_the_server_work(running, headers):
    for address in ("inpaint", "detect", "restore", "pictures"):
        answer = running.client.post(address, files=files(), headers=headers)
        assert answer.status_code == 403
        assert answer.headers["content-type"] == "application/problem+json"
    assert running.client.delete("jobs/x", headers=headers).status_code == 403
    assert running.web.pictures.held_bytes == 0
    assert running.web.jobs.running == running.web.jobs.waiting == 0


def test_its_own_page_and_programs_are_let_in(running):
    own = {"Origin": running.url, "Sec-Fetch-Site": "same-origin"}
    for headers in ({}, own, {"Sec-Fetch-Site": "none"}):
        answer = running.client.post("pictures", files={"image": ("a.png", encoded(photo()))}, headers=headers)
        assert answer.status_code == 201
        running.client.delete(f"pictures/{answer.json()['id']}")


def test_a_foreign_page_cannot_read_either(running):
    answer = running.client.get("models", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    allowed = running.client.options("inpaint", headers={"Origin": "https://evil.example"})
    assert allowed.status_code == 405
    for one in (answer, allowed, running.client.get("models")):
        assert not [name for name in one.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "10.0.0.1", "[::2]"]
)
def test_the_server_answers_to_its_own_names_only(running, host):
    answer = running.client.get("health", headers={"Host": host})
    assert answer.status_code == 421
    assert "--allow-host" in answer.json()["detail"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:99", "127.0.0.1:1", "[::1]:80"])
def test_its_own_names_are_known(running, host):
    assert running.client.get("health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["", "a b", "user@localhost", "localhost:port", "localhost/x", "[::1"])
def test_a_malformed_host_is_refused(running, host):
    assert running.client.get("health", headers={"Host": host}).status_code in (400, 421)


def test_every_answer_says_what_a_page_may_do(running):
    answers = [running.client.get(address) for address in ("health", "nothing", "pictures/x/file")]
    answers.append(running.client.get("health", headers={"Host": "evil.example"}))
    answers.append(running.client.get(f"{running.url}/"))
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in answer.headers


def test_with_a_token_nothing_is_told_without_it(guarded):
    for headers in (
        {},
        {"Authorization": "Bearer another-token"},
        {"Authorization": "a-long-token"},
        {"Cookie": "mendpix_token=x"},
    ):
        for address in ("health", "openapi.json", "models"):
            answer = guarded.client.get(address, headers=headers)
            assert answer.status_code == 401
            assert "a-long-token" not in answer.text
    assert guarded.client.get(f"{guarded.url}/?token=another").status_code == 401


@pytest.mark.parametrize(("query", "words"), [("", "needs its token"), ("?token=another", "is another token")])
def test_a_browser_without_the_token_is_asked_for_it(guarded, query, words):
    answer = guarded.client.get(f"{guarded.url}/{query}", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (answer.status_code, answer.headers["cache-control"]) == (401, "no-store")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert '<input name="token" type="password"' in answer.text
    assert words in answer.text
    assert "a-long-token" not in answer.text
    api = guarded.client.get(f"{guarded.url}/api/v1/health", headers={"Accept": "text/html"})
    assert api.headers["content-type"] == "application/problem+json"


def test_programs_send_the_token_and_browsers_get_a_cookie(guarded):
    assert guarded.client.get("health", headers={"Authorization": "Bearer a-long-token"}).status_code == 200
    answer = guarded.client.get(f"{guarded.url}/?token=a-long-token&lang=en")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?lang=en")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert guarded.client.get("health", headers={"Cookie": cookie.split(";")[0]}).status_code == 200
    guarded.client.cookies.clear()


def test_an_allowed_name_is_answered(guarded):
    headers = {"Host": "photos.example.org", "Authorization": "Bearer a-long-token"}
    assert guarded.client.get("health", headers=headers).status_code == 200
    page = {**headers, "Origin": "https://photos.example.org"}
    assert guarded.client.post("detect", headers=page).status_code == 415


def test_a_body_that_is_too_large_is_refused_and_the_client_hears_of_it(guarded):
    bearer = {"Authorization": "Bearer a-long-token"}
    large = {"image": ("a.png", bytes(400_000))}
    answer = guarded.client.post("pictures", files=large, headers=bearer)
    assert answer.status_code == 413
    assert "0.2 MB" in answer.json()["detail"]

    def parts():
        for _ in range(40):
            yield bytes(10_000)

    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = guarded.client.post("pictures", content=parts(), headers={**bearer, **kind})  # chunked: no length is told
    assert answer.status_code in (400, 413)
    assert guarded.web.pictures.held_bytes == 0


def test_announcing_a_huge_body_costs_nothing(guarded):
    start = time.monotonic()
    with socket.create_connection(guarded.url.removeprefix("http://").split(":"), timeout=10) as line:
        line.sendall(
            b"POST /api/v1/pictures HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer a-long-token\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 99999999999\r\n\r\n"
        )
        assert line.recv(2000).startswith(b"HTTP/1.1 413")
    assert time.monotonic() - start < 5


def test_a_body_that_does_not_come_is_given_up(monkeypatch):
    monkeypatch.setattr("mendpix.web.guard.PATIENCE_S", 0.3)
    with (
        serving() as server,
        socket.create_connection(server.url.removeprefix("http://").split(":"), timeout=20) as line,
    ):
        line.sendall(
            b"POST /api/v1/pictures HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            b"Content-Length: 1000\r\n\r\n--x\r\n"
        )
        assert line.recv(2000).startswith(b"HTTP/1.1 408")


def test_large_uploads_under_way_are_bounded_together(running):
    guard = running.web.asgi
    guard._incoming += 2 * running.web.settings.max_upload_bytes
    try:
        answer = running.client.post("detect", files={"image": ("a.png", encoded(photo()))})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    finally:
        guard._incoming -= 2 * running.web.settings.max_upload_bytes
    assert running.client.post("detect", files={"image": ("a.png", encoded(photo()))}).status_code == 200
    until(lambda: guard._incoming == 0)


def connect(server):
    line = socket.create_connection(server.url.removeprefix("http://").split(":"), timeout=20)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return line


@pytest.mark.parametrize("other", ['a={"x": 1}', "a=b c", "a@b=1", 'a="', "=", "mendpix_tokens=x"])
def test_cookies_of_other_programs_on_this_machine_do_no_harm(guarded, other):
    for cookies in (f"{other}; mendpix_token=a-long-token", f"mendpix_token=a-long-token; {other}"):
        assert guarded.client.get("health", headers={"Cookie": cookies}).status_code == 200, cookies


def test_behind_https_the_cookie_travels_encrypted_only(guarded):
    link = f"{guarded.url}/?token=a-long-token"
    assert "Secure" not in guarded.client.get(link).headers["set-cookie"]
    secure = guarded.client.get(link, headers={"X-Forwarded-Proto": "https"}).headers["set-cookie"]
    assert secure.endswith("; Secure")
    guarded.client.cookies.clear()


@pytest.mark.parametrize("address", ["", "?token=a-long-token", "//?token=x", "api/v1/health?token=a-long-token"])
def test_the_token_is_taken_from_the_link_of_the_page_alone(guarded, address):
    answer = guarded.client.get(f"{guarded.url}/{address}")
    if address == "?token=a-long-token":
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
    else:
        assert answer.status_code == 401
    assert "a-long-token" not in answer.text
    guarded.client.cookies.clear()


def test_redirects_go_nowhere_else(guarded):
    for query in ("next=//evil.example", "%0d%0aX-Evil:%201=1", "a=%0d%0aX-Evil: 1"):
        answer = guarded.client.get(f"{guarded.url}/?token=a-long-token&{query}")
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/?")
        assert "x-evil" not in answer.headers
    guarded.client.cookies.clear()


@pytest.mark.parametrize("host", ["localhost.", "LocalHost.:80", "127.0.0.1:", "[::1]"])
def test_spellings_of_its_own_names_are_known(running, host):
    assert running.client.get("health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", [".", "localhost..", "0.0.0.0", "127.1", "2130706433", "[::ffff:127.0.0.1]", "0x7f.1"])
def test_spellings_that_no_browser_sends_for_them_are_not(running, host):
    assert running.client.get("health", headers={"Host": host}).status_code in (400, 421)


def test_two_hosts_are_refused(running):
    with connect(running) as line:
        line.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
        assert line.recv(2000).startswith(b"HTTP/1.1 400")


def test_a_body_that_drips_is_given_up(monkeypatch):
    """Each byte comes in time, and all of them would never end."""
    monkeypatch.setattr("mendpix.web.guard.PATIENCE_S", 0.5)
    monkeypatch.setattr("mendpix.web.guard.LEAST_BYTES_PER_S", 100_000)
    with serving() as server, connect(server) as line:
        line.sendall(
            b"POST /api/v1/pictures HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            b"Content-Length: 100000\r\n\r\n"
            b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
        )
        line.settimeout(0.1)
        answer, start = b"", time.monotonic()
        while not answer and time.monotonic() - start < 10:
            line.sendall(b"-")
            try:
                answer = line.recv(2000)
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 408")
        assert 1 < time.monotonic() - start < 5
        until(lambda: server.web.asgi._incoming == 0)


def test_a_request_whose_body_nobody_reads_keeps_no_room(monkeypatch):
    monkeypatch.setattr("mendpix.web.guard.DRAIN_S", 5)
    with serving() as server, connect(server) as line:
        line.sendall(
            b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
        )
        time.sleep(0.3)
        assert server.web.asgi._incoming == 0


@pytest.mark.parametrize(("sent", "asks_first"), [(b"", False), (b"GET / HT", False), (b"GET / HT", True)])
def test_connections_that_ask_for_nothing_are_closed(monkeypatch, sent, asks_first):
    monkeypatch.setattr("mendpix.web.connections.HEAD_S", 0.3)
    with serving() as server, connect(server) as line:
        if asks_first:
            line.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"200 OK" in line.recv(4000)
        line.sendall(sent)
        start = time.monotonic()
        while line.recv(4000):
            pass
        assert 0.2 < time.monotonic() - start < 5


def test_connections_that_ask_are_not_closed_in_the_middle(monkeypatch, slow):
    server, filler = slow
    monkeypatch.setattr("mendpix.web.connections.HEAD_S", 0.2)
    answers = []

    def ask():
        answers.append(server.client.post("inpaint", files=files()).status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.8)
    filler.go.set()
    asking.join(10)
    assert answers == [200]


def test_clients_that_read_slowly_hold_no_copies(running):
    content = encoded(np.random.default_rng(0).integers(0, 256, (1500, 2000, 3), np.uint8), compress_level=0)
    picture = running.client.post("pictures", files={"image": ("a.png", content)}).json()
    ask = f"GET {picture['file']} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    give_back()
    before = resident_bytes()
    lines = [connect(running) for _ in range(8)]
    for line in lines:
        line.sendall(ask)
    time.sleep(1)
    held = resident_bytes() - before
    for line in lines:
        line.close()
    assert running.client.get(picture["file"]).content == content
    assert held < 2.5 * len(content)  # else eight copies
