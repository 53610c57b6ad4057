"""The examples of the how-tos run against a real server, with small pictures in the place of the reader's."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from web_server import decoded, hole, photo

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "how-to" / "http-api.md").read_text("utf-8")
SERVER = "http://127.0.0.1:8080"


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path):
    Image.fromarray(photo()).save(tmp_path / "photo.jpg")
    old = np.full((160, 200, 3), 110, np.uint8) + np.random.default_rng(0).integers(0, 6, (160, 200, 3), np.uint8)
    old[20:140, 99:102] = 230
    Image.fromarray(old).save(tmp_path / "old.jpg", quality=95)
    Image.fromarray(hole()).save(tmp_path / "mask.png")
    return tmp_path


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_examples_with_curl_run(running, folder):
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(lines) == 5
    for line in lines:
        assert SERVER in line
        done = subprocess.run(
            ["bash", "-c", line.replace(SERVER, running.url)], cwd=folder, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        if " -o " in line:
            assert decoded((folder / line.rsplit(" -o ", 1)[1]).read_bytes()).shape[:2] in ((40, 56), (160, 200))
        else:
            assert json.loads(done.stdout)["holes"][0]["model"] == "scenes"


@pytest.mark.parametrize("number", range(3))
def test_the_examples_in_python_run(running, folder, number):
    program = blocks("python")[number].replace(SERVER, running.url)
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    before, after = (decoded((folder / name).read_bytes()).astype(int) for name in ("photo.jpg", "mended.jpg"))
    assert np.abs(before - after)[12:22, 20:32].mean() > 1
    assert np.abs(before - after)[:8].mean() < 2


def test_every_field_and_address_of_the_how_to_is_there(client):
    told = client.get("openapi.json").json()["paths"]
    fields = told["/api/v1/inpaint"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    table = TEXT.split("| field |")[1].split("\n\n")[0]
    assert set(re.findall(r"`([a-z_]+)`", "".join(row.split("|")[1] for row in table.splitlines()[2:]))) == set(fields)
    for address in re.findall(r"`(?:GET|POST|DELETE) ([a-zA-Z/]+)", TEXT):
        assert f"/api/v1/{address.replace('ID', '{name}')}" in told, address
