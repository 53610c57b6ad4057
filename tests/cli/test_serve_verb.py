import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

pytest.importorskip("fastapi", reason="the extra web is not installed")

from mendpix.cli.serve import address_outside, link_to
from mendpix.web.settings import make_token


def start(*options):
    """Run the command; return the process and the link that it prints."""
    command = [sys.executable, "-m", "mendpix", "serve", "--port", "0", "--threads", "1", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
    line = process.stdout.readline()
    found = re.fullmatch(r"mendpix is at (http://\S+)\n", line)
    assert found, line + process.stderr.read()
    return process, found[1]


def stop(process, sent=signal.SIGINT):
    process.send_signal(sent)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def test_it_serves_until_it_is_stopped():
    process, link = start()
    with urllib.request.urlopen(f"{link}api/v1/health") as answer:
        assert answer.status == 200
    assert stop(process) == (0, "", "Stop it with Ctrl-C.\n")
    process, link = start()
    assert stop(process, signal.SIGTERM)[0] == 143


def test_other_machines_need_the_token_that_is_made_and_printed():
    process, link = start("--host", "0.0.0.0")
    try:
        assert re.search(r"/\?token=[\w-]{30,}$", link)
        bare, token = link.split("?token=")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{bare}api/v1/health")
        asked = urllib.request.Request(f"{bare}api/v1/health", headers={"Authorization": f"Bearer {token}"})
        assert urllib.request.urlopen(asked).status == 200
    finally:
        told = stop(process)[2]
    outside = address_outside("0.0.0.0")  # None on a machine without a network
    assert (f"From other machines: http://{outside}:" in told) == (outside is not None)
    assert outside is None or f"/?token={token}\n" in told


def test_who_listens_at_one_address_alone_is_told_that_one():
    assert address_outside("127.0.0.1") is None
    assert address_outside("192.168.0.7") is None


def test_behind_a_proxy_a_token_is_needed_too():
    process, link = start("--allow-host", "photos.example.org")
    stop(process)
    assert re.search(r"^http://127.0.0.1:\d+/\?token=[\w-]{30,}$", link)


def test_a_token_of_ones_own_or_none_at_all_may_be_had():
    for options, known in ((["--token", "my-own-token"], True), (["--host", "0.0.0.0", "--no-token"], False)):
        process, link = start(*options)
        stop(process)
        assert ("token=my-own-token" in link) == known


def test_the_token_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("MENDPIX_TOKEN", "my-own-token")
    process, link = start()
    stop(process)
    assert link.endswith("/?token=my-own-token")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--token", "abc"], "at least 8"),
        (["--token", make_token(), "--no-token"], "exclude each other"),
        (["--max-megapixels", "500"], "at most 200"),
        (["--deadline", "0"], "above 0"),
        (["--model", "nothing"], "one of"),
        (["--allow-host", "https://photos.example.org"], "bare names"),
        (["--model", "missing.onnx"], "must exist"),
        (["--host", "300.1.1.1"], "cannot listen"),
    ],
)
def test_what_cannot_be_started_is_one_sentence(mendpix, options, words):
    result = mendpix("serve", "--port", "0", *options)
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_port_that_is_taken_is_told(mendpix):
    with socket.create_server(("127.0.0.1", 0)) as other:
        result = mendpix("serve", "--port", str(other.getsockname()[1]))
    assert result.exit_code == 2
    assert "cannot listen at 127.0.0.1" in result.stderr


def test_without_the_extra_the_way_out_is_told(mendpix, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = mendpix("serve")
    assert result.exit_code == 2
    assert "pip install 'mendpix[web]'" in result.stderr


def test_links_can_be_opened():
    assert link_to("127.0.0.1", 8080, None) == "http://127.0.0.1:8080/"
    assert link_to("0.0.0.0", 1, "t") == "http://127.0.0.1:1/?token=t"
    assert link_to("::", 1, None) == "http://[::1]:1/"
