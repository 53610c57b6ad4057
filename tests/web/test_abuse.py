import random
import socket
import struct
import threading
import time
import zlib

import numpy as np
import pytest

from mendpix.web.memory import resident_bytes
from web_server import decoded, encoded, files, hole, photo, serving, until


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def bomb(width, height):
    """A PNG of 1 bit grey, all black: a few kilobytes that become width × height pixels."""
    packer, rows = zlib.compressobj(9), b"\0" * (1 + (width + 7) // 8)
    content = b"".join(packer.compress(rows) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def test_a_bomb_is_refused_in_bounded_time_and_memory(client, running):
    small = client.post("pictures", files={"image": ("a.png", encoded(photo()))}).json()
    content = bomb(30_000, 30_000)
    assert len(content) < 300_000
    before, start = resident_bytes(), time.monotonic()
    for address, field, more, words in (
        ("pictures", "image", {}, "megapixels"),
        ("inpaint", "mask", {"picture": small["id"]}, "must have the picture's size"),
        ("inpaint", "exclude", {"picture": small["id"]}, "must have the picture's size"),
    ):
        sent = {"mask": ("m.png", encoded(hole())), field: ("bomb.png", content)} if more else {field: ("b", content)}
        answer = client.post(address, files=sent, data=more)
        assert answer.status_code == 422
        assert words in answer.json()["detail"]
    assert time.monotonic() - start < 5
    assert resident_bytes() - before < 50e6


def test_a_text_in_a_png_cannot_explode_either(client):
    plain = encoded(photo())
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(80_000_000), 9))
    start = time.monotonic()
    answer = client.post("pictures", files={"image": ("a.png", plain[:33] + text + plain[33:])})
    assert answer.status_code in (201, 422)
    assert time.monotonic() - start < 5


def malformed(rng):
    """A request of one of many wrong kinds, as bytes after the headers Host and Connection."""
    body = rng.randbytes(rng.randrange(400))
    part = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    whole = part + encoded(photo()) + b"\r\n--x--\r\n"
    bodies = [
        body,
        part,
        whole[: rng.randrange(len(whole))],
        bytes(rng.choice(whole) if rng.random() < 0.01 else byte for byte in whole),
        b"--x\r\n" + b"A: b\r\n" * 50 + b"\r\n",
        b"--x\r\nContent-Disposition: form-data\r\n\r\nx\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="' + b"n" * 9000 + b'"\r\n\r\n\r\n--x--\r\n',
        part * 40,
        b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\n' + b"m" * 70_000 + b"\r\n--x--\r\n",
        b"picture=x&" * rng.randrange(60),
        b'--x\r\nContent-Disposition: form-data; name="picture"\r\n\r\n\xff\xfe\r\n--x--\r\n',
    ]
    kinds = [
        b"multipart/form-data; boundary=x",
        b"multipart/form-data",
        b"multipart/form-data; boundary=" + b"y" * 300,
        b"multipart/form-data; boundary=x; charset=utf-99",
        b"application/x-www-form-urlencoded",
        b"application/json",
        b"\xff",
    ]
    paths = [
        b"inpaint",
        b"detect",
        b"restore",
        b"pictures",
        b"jobs/x",
        b"pictures/%ff/preview?px=1e9",
        b"pictures/a%00b/file",
    ]
    methods = [b"POST", b"POST", b"POST", b"GET", b"DELETE", b"PUT", b"BREW"]
    content = rng.choice(bodies)
    length = rng.choice([str(len(content)).encode()] * 6 + [b"-1", b"x", b"9" * 30])
    return (
        rng.choice(methods)
        + b" /api/v1/"
        + rng.choice(paths)
        + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Content-Type: " + rng.choice(kinds) + b"\r\nContent-Length: " + length + b"\r\n\r\n" + content
    )


def send(url, request):
    """Send bytes, and return the status of the answer; 0 if the server just hung up."""
    with socket.create_connection(url.removeprefix("http://").split(":"), timeout=30) as line:
        try:
            line.sendall(request)
            line.shutdown(socket.SHUT_WR)
            answer = line.recv(65536)
        except OSError:
            return 0
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


# A body that ends in the middle of a file leaves the file to the garbage collector; that is Starlette's.
@pytest.mark.filterwarnings("ignore:.*SpooledTemporaryFile:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("count", [150, pytest.param(2000, marks=pytest.mark.slow)])
def test_malformed_requests_are_the_clients_fault_and_leave_no_trace(count):
    rng = random.Random(0)
    with serving() as server:
        for _ in range(30):
            send(server.url, malformed(rng))
        before = resident_bytes()
        statuses = [send(server.url, malformed(rng)) for _ in range(count)]
        assert not [status for status in statuses if status >= 500]
        assert sum(400 <= status < 500 for status in statuses) > 0.7 * count
        assert resident_bytes() - before < 30e6
        until(lambda: server.web.asgi._incoming == 0)
        assert server.client.post("inpaint", files=files(), data={"model": "harmonic"}).status_code == 200


def test_of_many_clients_at_once_each_gets_its_own_picture():
    answers, refused, lock = {}, [], threading.Lock()
    with serving(queue=8, workers=2) as server:

        def ask(number):
            own = {"image": ("a.png", encoded(photo(number))), "mask": ("m.png", encoded(hole()))}
            for _ in range(200):
                answer = server.client.post("inpaint", files=own, data={"model": "harmonic"})
                if answer.status_code == 200:
                    with lock:
                        answers[number] = decoded(answer.content)
                    return
                assert answer.status_code == 429, answer.text
                with lock:
                    refused.append(int(answer.headers["retry-after"]))
                time.sleep(0.05)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert sorted(answers) == list(range(32))
    for number, picture in answers.items():
        assert np.array_equal(picture[hole() == 0], photo(number)[hole() == 0]), number
        assert not np.array_equal(picture, photo(number))
    assert all(seconds >= 1 for seconds in refused)


@pytest.mark.parametrize(("count", "model"), [(25, "harmonic"), pytest.param(200, "auto", marks=pytest.mark.slow)])
def test_memory_stays_flat_over_many_fills(count, model):
    """With room for a few pictures only, so that what is kept is full after the first fills."""
    own = {"image": ("a.png", encoded(photo(0, 300, 400))), "mask": ("m.png", encoded(hole(300, 400)))}
    with serving(keep_mb=2) as server:

        def fill():
            assert server.client.post("inpaint", files=own, data={"model": model}).status_code == 200

        for _ in range(15):
            fill()
        before = resident_bytes()
        for _ in range(count):
            fill()
        assert resident_bytes() < 1.05 * before
        assert server.web.pictures.held_bytes <= 2e6
        assert len(server.web.jobs._known) == 0


def test_a_failing_request_leaves_the_server_healthy(running, monkeypatch):
    def fails(*_, **__):
        raise RuntimeError("a bug with a secret inside")

    with serving() as server:
        server.web.bench._inpainters["auto", "none", True] = fails
        answer = server.client.post("inpaint", files=files())
        assert answer.status_code == 500
        assert "secret" not in answer.text
        monkeypatch.setattr(server.web.pictures, "file", fails)
        picture = server.client.post("pictures", files={"image": ("a.png", encoded(photo()))}).json()
        for _ in range(5):  # on one connection, which stays open
            assert server.client.get(picture["file"]).status_code == 500
        assert server.client.post(
            "inpaint", files=files(), data={"model": "telea"}, headers={"Accept": "application/json"}
        ).is_success
        assert server.client.get("health").json()["status"] == "ok"


def test_pictures_that_are_too_old_go_without_being_asked_for(monkeypatch):
    monkeypatch.setattr("mendpix.web.app.LOOK_S", 0.05)
    with serving(keep_minutes=0.5 / 60) as server:
        server.client.post("pictures", files={"image": ("a.png", encoded(photo()))})
        assert server.web.pictures.held_bytes > 0
        until(lambda: server.web.pictures.held_bytes == 0)


def test_clients_that_hang_up_leave_nothing_behind(slow):
    server, filler = slow
    part = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    request = (
        b"POST /api/v1/inpaint HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        b"Content-Length: 5000000\r\n\r\n" + part + bytes(2_000_000)
    )
    for _ in range(10):
        with socket.create_connection(server.url.removeprefix("http://").split(":"), timeout=10) as line:
            line.sendall(request)
    until(lambda: server.web.asgi._incoming == 0)
    assert filler.began == 0
    filler.go.set()
    assert server.client.post("inpaint", files=files()).status_code == 200
