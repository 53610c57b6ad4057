import io
import json
import re
import socket
import tempfile
import threading
import time

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from damage_finders import light_and_dark_finder
from mendpix.cli.app import main
from mendpix.engines.onnx import OnnxDamageFinder
from web_server import HEIGHT, WIDTH, decoded, encoded, files, hole, photo, serving, until

JSON = {"Accept": "application/json"}


def command(tmp_path, image, mask, *options):
    """Fill on the command line; return what it wrote."""
    out = tmp_path / f"out{image.suffix}"
    result = CliRunner().invoke(main, ["inpaint", str(image), str(mask), "-o", str(out), "--threads", "1", *options])
    assert result.exit_code == 0, result.output
    return out.read_bytes()


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112], tags[0x010F] = orientation, "camera"
    return tags.tobytes()


KINDS = {
    "photo.png": lambda: encoded(photo()),
    "alpha.png": lambda: encoded(np.dstack([photo(), photo(1)[..., 0]])),
    "photo.jpg": lambda: encoded(photo(), "JPEG", quality=88),
    "turned.jpg": lambda: encoded(photo().swapaxes(0, 1), "JPEG", quality=90, exif=exif(6)),
    "photo.webp": lambda: encoded(photo(), "WEBP", lossless=True),
    "photo.tif": lambda: encoded(photo(), "TIFF"),
}


@pytest.mark.parametrize("name", KINDS)
def test_the_answer_is_what_the_command_line_writes(client, tmp_path, name):
    image, mask = tmp_path / name, tmp_path / "mask.png"
    image.write_bytes(KINDS[name]())
    mask.write_bytes(encoded(hole()))
    sent = {"image": (name, image.read_bytes()), "mask": ("mask.png", mask.read_bytes())}
    answer = client.post("inpaint", files=sent, data={"dilate": "2"})
    assert answer.status_code == 200, answer.text
    assert answer.content == command(tmp_path, image, mask, "--dilate", "2")
    assert f'filename="{image.stem}-mended{image.suffix}"' in answer.headers["content-disposition"]
    assert 0 <= float(answer.headers["mendpix-score"]) <= 1
    assert json.loads(answer.headers["mendpix-notes"]) == []


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        (["--model", "harmonic"], {"model": "harmonic"}),
        (["--model", "scenes", "--finish", "poisson"], {"model": "scenes", "finish": "poisson"}),
        (["--hole", "1=telea", "--detector", "none"], {"holes": '{"1": "telea"}', "detect": "false"}),
    ],
)
def test_options_mean_the_same_as_on_the_command_line(client, tmp_path, options, fields):
    image, mask = tmp_path / "a.png", tmp_path / "mask.png"
    image.write_bytes(encoded(photo()))
    mask.write_bytes(encoded(hole()))
    answer = client.post("inpaint", files=files(), data=fields)
    assert answer.content == command(tmp_path, image, mask, *options)
    assert ("mendpix-score" in answer.headers) == ("detect" not in fields)


@pytest.mark.parametrize("mode", ["L", "1", "RGB", "RGBA", "LA", "P"])
def test_masks_of_any_mode_mean_the_same(client, mode):
    made = Image.fromarray(hole()).convert("RGBA" if mode == "LA" else mode).convert(mode)
    stream = io.BytesIO()
    made.save(stream, "PNG")
    plain = client.post("inpaint", files=files(), data={"model": "harmonic"})
    other = client.post("inpaint", files=files(mask=stream.getvalue()), data={"model": "harmonic"})
    assert other.content == plain.content


def test_a_picture_is_uploaded_once_filled_twice_and_shown(client):
    told = client.post("pictures", files={"image": ("me.png", encoded(photo()))})
    assert told.status_code == 201
    picture = told.json()
    assert {
        "width": WIDTH,
        "height": HEIGHT,
        "mode": "RGB",
        "bits": 8,
        "format": "PNG",
        "name": "me.png",
    }.items() <= picture.items()
    mask = {"mask": ("m.png", encoded(hole()))}
    first = client.post("inpaint", files=mask, data={"picture": picture["id"], "model": "scenes"}, headers=JSON).json()
    assert first["holes"] == [
        {"number": 1, "box": [20, 12, 12, 10], "area": 120, "model": "scenes", "why": "the model for every hole"}
    ]
    assert first["share"] == pytest.approx(120 / (HEIGHT * WIDTH))
    other = np.zeros_like(hole())
    other[30:36, 5:15] = 255
    second = client.post(
        "inpaint", files={"mask": ("m.png", encoded(other))}, data={"picture": first["picture"]["id"]}, headers=JSON
    ).json()
    before, after = (decoded(client.get(one["picture"]["file"]).content) for one in (first, second))
    changed = (before != after).any(axis=2)
    assert changed.any()
    assert not changed[other == 0].any()
    assert np.array_equal(decoded(client.get(picture["file"]).content), photo())
    assert np.array_equal(decoded(client.get(second["hole"]).content), other)
    shown = decoded(client.get(second["picture"]["preview"], params={"format": "png", "box": "4,29,12,8"}).content)
    assert np.array_equal(shown, after[29:37, 4:16])
    assert decoded(client.get(picture["preview"], params={"px": 28}).content).shape == (20, 28, 3)
    doubt = decoded(client.get(second["artifacts"]).content)
    assert doubt.shape == (HEIGHT, WIDTH)
    assert not doubt[other == 0].any()
    assert second["score"] == pytest.approx(doubt[other > 0].mean() / 255, abs=0.003)
    assert client.delete(f"pictures/{picture['id']}").status_code == 204
    assert client.get(picture["file"]).status_code == 404


def test_detect_tells_a_map_a_score_and_regions(client, tmp_path):
    image, out = tmp_path / "a.png", tmp_path / "map.png"
    image.write_bytes(encoded(photo(height=96, width=120)))
    sent = {"image": ("a.png", image.read_bytes())}
    answer = client.post("detect", files=sent)
    assert CliRunner().invoke(main, ["detect", str(image), "-o", str(out), "--threads", "1"]).exit_code == 0
    assert np.array_equal(decoded(answer.content), decoded(out.read_bytes()))
    told = client.post("detect", files=sent, headers=JSON).json()
    assert told["score"] == pytest.approx(float(answer.headers["mendpix-score"]), abs=1e-6)
    areas = [region["area"] for region in told["regions"]]
    assert areas == sorted(areas, reverse=True)
    assert np.array_equal(decoded(client.get(told["artifacts"]).content), decoded(answer.content))
    mask = {"mask": ("m.png", encoded(hole(96, 120)))}
    inside = client.post("detect", files=mask, data={"picture": told["picture"]["id"]})
    assert not decoded(inside.content)[hole(96, 120) == 0].any()


def scratched():
    picture = np.full((160, 200, 3), 110, np.uint8)
    picture += np.random.default_rng(0).integers(0, 6, picture.shape).astype(np.uint8)
    picture[20:140, 99:102] = 230
    return encoded(picture)


def test_damage_is_shown_corrected_and_mended(client):
    sent = {"image": ("old.png", scratched())}
    data = {"preset": "scratches", "finder": "classical", "dry_run": "true", "sensitivity": "0.7"}
    found = client.post("restore", files=sent, data=data, headers=JSON).json()
    mask = decoded(client.get(found["mask"]).content)
    assert found["share"] == pytest.approx((mask > 0).mean())
    assert mask[30:130, 100].mean() > 200
    assert np.array_equal(decoded(client.post("restore", files=sent, data=data).content), mask)
    mended = client.post(
        "restore", data={"picture": found["picture"]["id"], "mask_picture": found["mask_picture"]}, headers=JSON
    ).json()
    after = decoded(client.get(mended["picture"]["file"]).content)
    assert after[30:130, 100].max() < 160
    assert np.array_equal(after[mask == 0], decoded(scratched())[mask == 0])


def test_a_network_that_finds_damage_is_used(tmp_path):
    """A tiny one that takes white for wear, in the place of the one that comes with the package."""
    with serving() as server:
        server.web.bench._finders["network"] = OnnxDamageFinder(light_and_dark_finder(tmp_path / "damage.onnx"))
        data, sent = {"preset": "scratches", "finder": "network"}, {"image": ("old.png", scratched())}
        found = server.client.post("restore", files=sent, data={**data, "dry_run": "true"}, headers=JSON).json()
        mask = decoded(server.client.get(found["mask"]).content)
        assert mask[40:120, 100].mean() > 200
        assert found["share"] == pytest.approx((mask > 0).mean())
        assert found["notes"] == []
        mended = server.client.post("restore", files=sent, data=data)
        assert mended.status_code == 200
        assert decoded(mended.content)[40:120, 100].max() < 160
        refused = server.client.post("restore", files=sent, data={**data, "max_area": "0.0001", "wait": "false"}).json()
        until(lambda: server.client.get(refused["result"]).json()["status"] == "failed")
        problem = server.client.get(refused["result"]).json()["problem"]
        assert (problem["status"], problem["share"]) == (409, pytest.approx(found["share"]))
        assert np.array_equal(decoded(server.client.get(problem["mask"]).content), mask)


def test_too_much_damage_is_a_conflict_that_shows_the_mask(client):
    data = {"preset": "scratches", "finder": "classical", "max_area": "0.0001", "sensitivity": "0.7"}
    answer = client.post("restore", files={"image": ("old.png", scratched())}, data=data)
    assert answer.status_code == 409
    problem = answer.json()
    assert problem["share"] > 0.0001
    assert (decoded(client.get(problem["mask"]).content) > 0).mean() == pytest.approx(problem["share"])


def test_a_picture_without_damage_comes_back_byte_for_byte(client):
    plain = encoded(np.full((64, 64, 3), 120, np.uint8), "JPEG")
    data = {"preset": "scratches", "finder": "classical"}
    answer = client.post("restore", files={"image": ("a.jpg", plain)}, data=data)
    assert answer.content == plain
    assert "no damage" in answer.headers["mendpix-notes"]


def test_long_work_is_a_job_with_events(client):
    answer = client.post("inpaint", files=files(), data={"wait": "false", "model": "harmonic"})
    assert answer.status_code == 202
    told = answer.json()
    assert answer.headers["location"] == told["result"]
    kinds, last = [], {}
    with client.stream("GET", told["events"]) as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        for line in events.iter_lines():
            if line.startswith("event: "):
                kinds.append(line.removeprefix("event: "))
            elif line.startswith("data: "):
                last = json.loads(line.removeprefix("data: "))
    assert kinds[-1] == "done"
    assert set(kinds[:-1]) <= {"progress"}
    assert last == client.get(told["result"]).json()
    assert last["progress"] == 1
    assert decoded(client.get(last["result"]["picture"]["file"]).content).shape == (HEIGHT, WIDTH, 3)


def test_a_failed_job_tells_its_problem(client):
    data = {"holes": '{"7": "telea"}'}
    told = client.post("inpaint", files=files(), data=data, headers={"Prefer": "respond-async"}).json()
    until(lambda: client.get(told["result"]).json()["status"] == "failed")
    problem = client.get(told["result"]).json()["problem"]
    assert problem["status"] == 422
    assert "hole 7" in problem["detail"]
    assert client.post("inpaint", files=files(), data=data).json() == problem


def test_a_cancelled_job_really_stops(slow):
    server, filler = slow
    told = server.client.post("inpaint", files=files(), data={"wait": "false"}).json()
    waiting = server.client.post("inpaint", files=files(), data={"wait": "false"}).json()
    until(lambda: filler.began == 1)
    assert server.client.get("health").json()["queue"] == {"running": 1, "waiting": 1, "limit": 1}
    assert server.client.delete(waiting["result"]).json()["status"] == "cancelled"
    server.client.delete(told["result"])
    until(lambda: filler.stopped == 1)
    until(lambda: server.client.get(told["result"]).json()["status"] == "cancelled")
    with server.client.stream("GET", told["events"]) as events:
        assert "event: cancelled" in events.read().decode()
    assert filler.began == 1


def test_a_client_that_goes_away_cancels_its_work(slow):
    server, filler = slow
    request = server.client.build_request("POST", "inpaint", files=files())
    content = request.read()
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items() if name != "host")
    with socket.create_connection(server.url.removeprefix("http://").split(":"), timeout=10) as line:
        line.sendall(f"POST /api/v1/inpaint HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode() + content)
        until(lambda: filler.began == 1)
    until(lambda: filler.stopped == 1)
    until(lambda: server.web.jobs.running == 0)
    assert not server.web.jobs._known


def test_a_full_queue_says_when_to_come_back(slow):
    server, filler = slow
    for _ in range(2):
        assert server.client.post("inpaint", files=files(), data={"wait": "false"}).status_code == 202
        until(lambda: filler.began == 1)
    refusal = server.client.post("inpaint", files=files())
    assert refusal.status_code == 429
    assert int(refusal.headers["retry-after"]) >= 1
    filler.go.set()
    until(lambda: server.web.jobs.running == 0)
    assert server.client.post("inpaint", files=files()).status_code == 200


def test_the_deadline_is_a_504(slow):
    server, filler = slow
    server.web.jobs.deadline_s = 0.3
    answer = server.client.post("inpaint", files=files())
    assert answer.status_code == 504
    assert "--deadline" in answer.json()["detail"]
    until(lambda: filler.stopped == 1)
    server.web.jobs.deadline_s = 60
    filler.go.set()
    assert server.client.post("inpaint", files=files()).status_code == 200


def test_stopping_finishes_what_runs_and_refuses_the_rest(slow):
    server, filler = slow
    answers = {}

    def ask(name):
        answers[name] = server.client.post("inpaint", files=files()).status_code

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("first", "second")]
    threads[0].start()
    until(lambda: filler.began == 1)
    threads[1].start()
    until(lambda: server.web.jobs.waiting == 1)
    server.server.handle_exit(2, None)
    threads[1].join(10)
    assert answers == {"second": 503}
    time.sleep(0.2)
    filler.go.set()
    threads[0].join(10)
    assert answers == {"first": 200, "second": 503}


def test_stopping_at_once_tells_those_who_wait(slow):
    server, filler = slow
    answers = []
    asking = threading.Thread(target=lambda: answers.append(server.client.post("inpaint", files=files())))
    asking.start()
    until(lambda: filler.began == 1)
    server.web.jobs.stop_running()
    asking.join(10)
    assert answers[0].status_code == 503
    assert "stopping" in answers[0].json()["detail"]


def test_whoever_watches_a_job_and_leaves_is_forgotten(slow):
    server, filler = slow
    told = server.client.post("inpaint", files=files(), data={"wait": "false"}).json()
    job = server.web.jobs.find(told["id"])
    until(lambda: filler.began == 1)
    for _ in range(3):
        with server.client.stream("GET", told["events"]) as events:
            assert events.headers["x-accel-buffering"] == "no"
            assert next(events.iter_lines()) == "event: progress"
    until(lambda: not job._watchers)
    assert job.status == "running"


def test_a_picture_may_be_deleted_while_it_is_filled(slow):
    server, filler = slow
    picture = server.client.post("pictures", files={"image": ("a.png", encoded(photo()))}).json()
    told = server.client.post(
        "inpaint", files={"mask": ("m.png", encoded(hole()))}, data={"picture": picture["id"], "wait": "false"}
    ).json()
    until(lambda: filler.began == 1)
    assert server.client.delete(f"pictures/{picture['id']}").status_code == 204
    filler.go.set()
    until(lambda: server.client.get(told["result"]).json()["status"] == "done")
    filled = server.client.get(told["result"]).json()["result"]["picture"]
    assert decoded(server.client.get(filled["file"]).content).shape == (HEIGHT, WIDTH, 3)
    assert server.client.get(picture["file"]).status_code == 404


def test_no_picture_is_left_in_a_cache(client):
    told = client.post("inpaint", files=files(), headers=JSON, data={"model": "harmonic"}).json()
    for address in (told["picture"]["file"], told["picture"]["preview"], told["artifacts"], told["hole"]):
        assert client.get(address).headers["cache-control"] == "no-store"


def test_a_full_disk_is_no_bug(client, monkeypatch):
    class Full(tempfile.SpooledTemporaryFile):
        def write(self, content):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("starlette.formparsers.SpooledTemporaryFile", Full)
    answer = client.post("pictures", files={"image": ("a.png", encoded(photo()))})
    assert answer.status_code == 507
    assert "disk" in answer.json()["detail"]


@pytest.mark.parametrize("charset", ["punycode", "unicode_escape", "utf-16", "utf-7"])
def test_forms_are_in_one_encoding(client, charset):
    """Some take long to decode, some make characters that cannot be written down again."""
    body = b'--x\r\nContent-Disposition: form-data; name="region"\r\n\r\n\\ud800\r\n--x--\r\n'
    kind = f"multipart/form-data; boundary=x; charset={charset}"
    answer = client.post("restore", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 415
    assert charset in answer.json()["detail"]
    kind = 'multipart/form-data; charset="UTF-8"; boundary=x'
    assert client.post("restore", content=body, headers={"Content-Type": kind}).status_code == 400  # no picture


def test_models_are_those_of_the_command_line(client):
    told = client.get("models").json()["models"]
    listed = json.loads(CliRunner().invoke(main, ["models", "--json"]).stdout)["models"]
    assert [{key: model[key] for key in listed[0]} for model in told] == listed
    assert {"auto", "scenes-detector"} <= {model["name"] for model in told if model["default"]}


def test_the_interface_describes_itself(client):
    told = client.get("openapi.json").json()
    fields = told["paths"]["/api/v1/inpaint"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert {"image", "mask", "picture", "model", "dilate", "finish", "holes", "exclude", "detect"} <= set(
        fields["properties"]
    )
    named = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(told)))
    assert named <= set(told["components"]["schemas"])
    for path in told["paths"].values():
        for method in path.values():
            assert set(method["responses"]["default"]["content"]) == {"application/problem+json"}


def test_every_answer_is_as_it_is_described(client):
    """All addresses, all ways to ask: status, kind of content, members."""
    paths = client.get("openapi.json").json()["paths"]
    schemas = client.get("openapi.json").json()["components"]["schemas"]
    answered = set()

    def check(method, path, answer):
        told = paths[path][method]["responses"]
        answered.add((path, method))
        described = told.get(str(answer.status_code)) or told["default"]
        assert not answer.is_success or str(answer.status_code) in told, (path, answer.status_code)
        for name in set(described.get("headers", {})) - {"Mendpix-Score"}:  # not if nobody looked
            assert name.lower() in answer.headers or "json" in answer.headers["content-type"], name
        kind = answer.headers.get("content-type", "").partition(";")[0]
        contents = described.get("content", {})
        assert kind in contents or f"{kind.partition('/')[0]}/*" in contents or not (kind or contents), (path, kind)
        if kind.endswith("json"):
            schema = contents[kind]["schema"]
            names = [one["$ref"].rpartition("/")[2] for one in schema.get("anyOf", [schema]) if "$ref" in one]
            assert any(
                set(schemas[name].get("required", ())) <= set(answer.json()) <= set(schemas[name]["properties"])
                for name in names
            ), (path, answer.json())
        return answer

    def ask(method, path, name="", **options):
        return check(method, f"/api/v1/{path}", client.request(method, path.format(name=name), **options))

    ask("get", "health")
    ask("get", "models")
    only = {"image": ("a.png", encoded(photo()))}
    picture = ask("post", "pictures", files=only).json()
    for headers in ({}, JSON, {"Prefer": "respond-async"}):
        ask("post", "inpaint", files=files(), headers=headers, data={"model": "harmonic"})
        ask("post", "detect", files=only, headers=headers)
        for dry_run in ("true", "false"):
            data = {"finder": "classical", "preset": "scratches", "dry_run": dry_run}
            answer = ask("post", "restore", files={"image": ("old.png", scratched())}, data=data, headers=headers)
    job = answer.json()["id"]
    until(lambda: client.get(f"jobs/{job}").json()["status"] == "done")
    ask("get", "jobs/{name}", job)
    ask("get", "jobs/{name}/events", job)
    ask("delete", "jobs/{name}", job)
    data = {"finder": "classical", "preset": "scratches", "max_area": "0.00001", "sensitivity": "0.7"}
    assert ask("post", "restore", files={"image": ("old.png", scratched())}, data=data).status_code == 409
    filled = client.post("inpaint", files=files(), headers=JSON, data={"model": "harmonic"}).json()["picture"]["id"]
    for part in ("preview", "file", "artifacts", "hole"):
        ask("get", f"pictures/{{name}}/{part}", filled)
        assert ask("get", f"pictures/{{name}}/{part}", "x").status_code == 404
    ask("get", "pictures/{name}/preview", filled, params={"format": "png"})
    ask("delete", "pictures/{name}", picture["id"])
    assert answered == {(path, method) for path, methods in paths.items() for method in methods}


@pytest.mark.parametrize(
    ("address", "data", "more", "status", "words"),
    [
        ("inpaint", {"model": "../../secret.onnx"}, {}, 422, "one of"),
        ("inpaint", {"model": "scenes-detector"}, {}, 422, "one of"),
        ("inpaint", {"holes": '{"1": "/etc/passwd"}'}, {}, 422, "one of"),
        ("inpaint", {"holes": "[1]"}, {}, 422, "JSON object"),
        ("inpaint", {"holes": "{" * 5000}, {}, 422, "JSON object"),
        ("inpaint", {"dilate": "-1"}, {}, 422, "dilate"),
        ("inpaint", {"dilate": "nan"}, {}, 422, "dilate"),
        ("inpaint", {"dilate": "1000"}, {}, 422, "covers all"),
        ("inpaint", {"finish": "gloss"}, {}, 422, "none, poisson"),
        ("inpaint", {"detect": "maybe"}, {}, 422, "true or false"),
        ("inpaint", {"modell": "auto"}, {}, 400, "Did you mean model?"),
        ("inpaint", {"picture": "x"}, {}, 400, "got both"),
        ("inpaint", {"mask_picture": "x"}, {}, 400, "got both"),
        ("inpaint", {}, {"mask": b""}, 422, "expected in mask.png"),
        ("inpaint", {}, {"mask": encoded(hole(30, 30))}, 422, "56 × 40"),
        ("inpaint", {}, {"mask": encoded(np.zeros_like(hole()))}, 422, "white pixels"),
        ("inpaint", {}, {"image": b"GIF89a"}, 422, "picture"),
        ("inpaint", {}, {"exclude": encoded(np.full_like(hole(), 255))}, 422, "excluded"),
        ("detect", {}, {"mask": encoded(np.zeros_like(hole()))}, 422, "white pixels"),
        ("restore", {"preset": "magic"}, {}, 422, "one of"),
        ("restore", {"sensitivity": "2"}, {}, 422, "0 to 1"),
        ("restore", {"region": "0,0,0"}, {}, 422, "region"),
        ("restore", {"finder": "/etc/passwd"}, {}, 422, "network or classical"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(client, address, data, more, status, words):
    sent = files(**more)
    if address == "restore":
        del sent["mask"]
    answer = client.post(address, files=sent, data=data)
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status), problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in problem["detail"]
    assert "\n" not in problem["detail"]


def test_nothing_is_found_where_nothing_is(client, running):
    for address in ("nothing", "pictures/x/file", "pictures/x/preview", "jobs/x", "jobs/x/events", "../../etc/passwd"):
        answer = client.get(address)
        assert answer.status_code == 404, address
        assert answer.json()["detail"]
    for path in ("/..%2f..%2fapp.py", "/%2e%2e/app.py", "/js/../../app.py", "/index.html%00", "/css", "/app.py"):
        assert client.get(running.url + path).status_code == 404, path
    assert client.put("inpaint").status_code == 405
    assert client.post("inpaint", content=b"{}", headers={"Content-Type": "application/json"}).status_code == 415


@pytest.mark.parametrize(
    "query", ["px=0", "px=99999", "px=x", "box=1,2,3", "box=1,2,0,4", "box=900,0,5,5", "format=exe"]
)
def test_previews_of_nothing_are_refused(client, query):
    picture = client.post("pictures", files={"image": ("a.png", encoded(photo()))}).json()
    assert client.get(f"{picture['preview']}?{query}").status_code == 422
    assert client.get(f"pictures/{picture['id']}/artifacts").status_code == 404
    assert client.get(f"pictures/{picture['id']}/hole").status_code == 404
