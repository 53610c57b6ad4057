"""The benchmark of inference time: what is counted, fed, timed and written. The times themselves are not tested."""

import csv
import io
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import inference_time
from inference_time import Protocol, Row, Subject, Way
from mendpix.networks.interface import NetworkFacts
from mendpix.networks.table import NETWORKS, NetworkEntry

QUICK = Protocol(threads=(1,), rounds=1, runs=1, warm_up=0)


@dataclass(frozen=True)
class NoSizes:
    """Config of a network without sizes."""


class Tiny(nn.Module):
    """Takes a picture alone and answers with one number a patch, like no generator or detector."""

    facts = NetworkFacts(multiple_of=4, minimum=4, half=True, bfloat16=True, inputs=("image",))

    def __init__(self, config: NoSizes) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 2, 4, stride=4)

    def forward(self, image):
        return self.layer(image).relu()


def tiny(**facts: object) -> NetworkEntry:
    """Return a table entry of an unknown kind."""
    defaults = {"multiple_of": 4, "minimum": 4, "half": True, "bfloat16": True, "inputs": ("image",)}
    given = NetworkFacts(**defaults | facts)
    return NetworkEntry("judge", NoSizes, type("Tiny", (Tiny,), {"facts": given}))


def row(network="gdn", device="cpu", engine="torch", precision="fp32", threads=1, median=12.345, **more) -> Row:
    values = {"kind": "generator", "size_px": 256, "runs": 50, "parameters": 10, "gmacs": 1.5} | more
    return Row(
        device=device, network=network, engine=engine, precision=precision, threads=threads,
        median_ms=median, first_quartile_ms=median - 1, third_quartile_ms=median + 1, **values,
    )  # fmt: skip


def test_work_of_known_layers_is_counted():
    picture = torch.zeros(1, 4, 10, 8)
    assert inference_time.count_macs(nn.Conv2d(4, 6, 3, padding=1), [picture]) == 10 * 8 * 6 * 4 * 9
    assert inference_time.count_macs(nn.Conv2d(4, 6, 3, padding=1, stride=2), [picture]) == 5 * 4 * 6 * 4 * 9
    assert inference_time.count_macs(nn.Conv2d(4, 4, 3, groups=4), [picture]) == 8 * 6 * 4 * 9
    assert inference_time.count_macs(nn.ConvTranspose2d(4, 6, 4, stride=2, padding=1), [picture]) == 10 * 8 * 4 * 6 * 16
    twice = nn.Conv2d(4, 4, 1)
    assert inference_time.count_macs(nn.Sequential(twice, nn.ReLU(), twice), [picture]) == 2 * 10 * 8 * 16
    assert inference_time.count_macs(nn.Linear(7, 5), [torch.zeros(3, 7)]) == 3 * 7 * 5
    left, right = nn.Parameter(torch.zeros(5, 7)), torch.zeros(7, 3)
    product = nn.Module()
    product.forward = lambda x: left @ x  # as in attention: no layer
    assert inference_time.count_macs(product, [right]) == 5 * 7 * 3


@pytest.fixture(scope="module")
def table() -> list[Subject]:
    """All networks, as small as the tests have them, but for the one that is timed at several sizes."""
    left_out: list[str] = []
    small = {name: replace(entry, config=partial(entry.config, **entry.small)) for name, entry in NETWORKS.items()}
    found = list(inference_time.subjects(small, [], left_out, size=64))
    assert left_out == [], "give make_inputs what these networks ask for, or say in the page why they are left out"
    return found


def test_every_network_of_the_table_is_timed_and_both_readings_of_the_paper(table):
    assert {subject.name for subject in table} == set(NETWORKS)
    labels = [subject.label for subject in table]
    assert len(set(labels)) == len(labels)
    assert {"gdn, as published", "gdn, as the paper's text has it"} <= set(labels)
    for subject in table:
        assert subject.parameters > 100
        assert subject.macs > subject.parameters
        assert subject.kind == NETWORKS[subject.name].kind
        assert tuple(subject.inputs) == subject.network.facts.inputs


def test_the_published_network_costs_what_its_reference_says():
    subject = next(inference_time.subjects(NETWORKS, ["gdn-detector"], []))
    assert subject.parameters == 2_267_490
    assert subject.macs / 1e9 == pytest.approx(13.053, abs=5e-4)


def test_networks_of_kinds_that_nobody_foresaw_are_fed_by_their_facts():
    left_out: list[str] = []
    networks = {
        "judge": tiny(),
        "large": tiny(multiple_of=48, minimum=300),
        "seer": tiny(inputs=("image", "sketch")),
        "mute": NetworkEntry("judge", NoSizes, type("Mute", (Tiny,), {"facts": None})),
    }
    found = list(inference_time.subjects(networks, [], left_out, size=256))
    assert [subject.label for subject in found] == ["judge", "large"]
    assert [subject.inputs["image"].shape[-1] for subject in found] == [256, 336]
    assert found[0].macs == 64 * 64 * 2 * 3 * 16
    assert left_out[0].startswith("seer: it asks for sketch")
    assert left_out[1].startswith("mute: it declares no facts")


def test_inputs_are_a_picture_without_its_hole():
    inputs = inference_time.make_inputs(("hole", "image", "fills"), 64)
    assert list(inputs) == ["hole", "image", "fills"]
    assert [tuple(value.shape) for value in inputs.values()] == [(1, 1, 64, 64), (1, 3, 64, 64), (1, 6, 64, 64)]
    assert all(value.dtype == torch.float32 for value in inputs.values())
    missing = inputs["hole"][0, 0] == 1
    assert 0.05 < missing.float().mean() < 0.2
    assert not inputs["image"][0, :, missing].any()


def test_ways_take_turns_and_the_device_is_waited_for_around_every_timed_run(monkeypatch):
    told: list[str] = []
    clock = iter(range(10_000))
    monkeypatch.setattr(inference_time.time, "perf_counter", lambda: told.append("clock") or next(clock) / 1000)

    def way(name: str) -> Way:
        return Way("torch", "fp32", 1, lambda: told.append(name), lambda: told.append(f"prepare {name}"))

    protocol = Protocol(rounds=2, runs=2, warm_up=1, limit_s=1000)
    times = inference_time.measure([way("a"), way("b")], protocol, lambda: told.append("wait"))
    assert [len(found) for found in times] == [4, 4]
    assert [word for word in told if word in ("a", "b")] == ["a"] * 3 + ["b"] * 3 + ["a"] * 3 + ["b"] * 3
    assert [word for word in told if word.startswith("prepare")] == ["prepare a", "prepare b"] * 2
    timed = " ".join(told)
    assert timed.count("wait clock a wait clock") == timed.count("wait clock b wait clock") == 4
    assert all(value == pytest.approx(1) for found in times for value in found)  # ms: one tick of the clock


def test_a_slow_way_ends_its_round_early_and_is_timed_once_at_least(monkeypatch):
    clock = iter(range(0, 100_000, 7))
    monkeypatch.setattr(inference_time.time, "perf_counter", lambda: next(clock))
    ways = [Way("classical", "fp32", 1, lambda: None, lambda: None)]
    times = inference_time.measure(ways, Protocol(rounds=3, runs=10, warm_up=5, limit_s=5), lambda: None)
    assert [len(found) for found in times] == [3]


@pytest.mark.slow
def test_both_engines_answer_alike_before_they_are_timed(tmp_path, monkeypatch):
    """What is timed is the network, not an empty graph."""
    networks = {"scenes-detector": NETWORKS["scenes-detector"]}
    subject = next(inference_time.subjects(networks, [], [], size=64))
    expected = subject.network(*subject.inputs.values()).detach().numpy()
    (way,) = inference_time.onnx_ways(subject, tmp_path, [1])
    assert (way.engine, way.precision, way.threads) == ("ONNX Runtime", "fp32", 1)
    (answer,) = way.call()
    assert np.abs(answer - expected).max() < 1e-3
    seen: list[torch.dtype] = []
    subject.network.register_forward_hook(lambda module, received, answer: seen.append(answer.dtype))
    ways = inference_time.torch_ways(subject, "cpu", [1, 2])
    assert [(way.precision, way.threads) for way in ways] == [
        ("fp32", 1), ("fp32", 2), ("bf16 autocast", 1), ("bf16 autocast", 2),
    ]  # fmt: skip
    before = torch.get_num_threads()
    try:
        for way in ways:
            way.prepare()
            assert torch.get_num_threads() == way.threads
            way.call()
    finally:
        torch.set_num_threads(before)
    assert seen == [torch.float32] * 2 + [torch.bfloat16] * 2


def test_classical_fills_and_first_fills_run(monkeypatch):
    left_out: list[str] = []
    found = inference_time.classical_ways([1], left_out, size=32)
    assert {"harmonic", "telea", "navier-stokes", "both first fills of scenes"} <= set(found)
    assert np.asarray(found["harmonic"][0].call()).shape == (32, 32, 3)
    assert np.asarray(found["both first fills of scenes"][0].call()).shape == (32, 32, 6)


@pytest.mark.slow
def test_measuring_everything_gives_rows_and_says_what_was_left_out(monkeypatch):
    def refuse(subject, *given):
        if subject.name == "stubborn":
            raise RuntimeError("cannot be exported\nsecond line")
        return exporting(subject, *given)

    exporting = inference_time.onnx_ways
    monkeypatch.setattr(inference_time, "onnx_ways", refuse)
    networks = {"judge": tiny(), "seer": tiny(inputs=("sketch",)), "stubborn": tiny()}
    monkeypatch.setattr(inference_time, "NETWORKS", networks)
    rows, left_out = inference_time.measure_all("cpu", QUICK, list(networks), lambda label: None, size=32)
    assert [(one.network, one.engine, one.precision) for one in rows] == [
        ("judge", "ONNX Runtime", "fp32"), ("judge", "torch", "fp32"), ("judge", "torch", "bf16 autocast"),
        ("stubborn", "torch", "fp32"), ("stubborn", "torch", "bf16 autocast"),
    ]  # fmt: skip
    assert all(one.runs == 1 and one.median_ms > 0 and one.kind == "judge" for one in rows)
    assert any(text.startswith("seer: it asks for sketch") for text in left_out)
    assert "stubborn by ONNX Runtime: cannot be exported" in left_out


def test_quartiles_are_those_of_the_times():
    way = Way("torch", "fp32", 2, lambda: None, lambda: None)
    found = inference_time.row_of("cpu", way, [5.0, 1.0, 2.0, 4.0, 3.0], 256, "harmonic")
    assert (found.first_quartile_ms, found.median_ms, found.third_quartile_ms, found.runs) == (2, 3, 4, 5)
    assert (found.kind, found.parameters, found.gmacs) == ("classical", None, None)
    single = inference_time.row_of("cpu", way, [7.0], 256, "harmonic")
    assert (single.first_quartile_ms, single.median_ms, single.third_quartile_ms) == (7, 7, 7)


def test_tables_show_medians_quartiles_work_and_the_papers_numbers():
    rows = [
        row("gdn, as published"), row("gdn, as published", threads=2, median=7.5),
        row("gdn-detector", median=123.4), row("large", size_px=336, gmacs=2.0),
    ]  # fmt: skip
    lines = inference_time.table_of(rows).splitlines()
    assert lines[0] == "| ms | torch fp32, 1 thread | torch fp32, 2 threads |"
    assert lines[2] == "| gdn, as published | 12.3 (11.3–13.3) | 7.50 (6.50–8.50) |"
    assert lines[3] == "| gdn-detector | 123 (122–124) | – |"
    lines = inference_time.networks_table(rows).splitlines()
    assert lines[2] == "| gdn, as published | generator | 10 | 1.50 | 18.80 |"
    assert lines[3].endswith("| 13.07 |")
    assert lines[4] == "| large | generator | 10 | 2.00 (336²) |  |"


def test_a_run_replaces_its_devices_part_of_the_page_and_keeps_the_others():
    first = inference_time.page_with(None, "cpu", "## Processor\n\nfirst")
    assert "18.80" in first
    assert "names no machine" in " ".join(first.split())
    assert max(map(len, first.splitlines())) <= 160  # prose is wrapped; a command stays whole
    assert "--device cuda" in first  # how to measure what has not been
    both = inference_time.page_with(first, "cuda", "## GPU\n\nfast")
    assert "first" in both
    assert "Not measured yet" not in both
    again = inference_time.page_with(both, "cpu", "## Processor\n\nsecond")
    assert "second" in again
    assert "first" not in again
    assert again.index("second") < again.index("fast")
    assert inference_time.page_with(again, "cpu", "## Processor\n\nsecond") == again


def test_a_run_replaces_its_devices_rows_and_keeps_the_others():
    table = inference_time.csv_with(None, "cpu", [row(median=1.0), row(median=2.0, threads=2)])
    table = inference_time.csv_with(table, "cuda", [row(device="cuda", threads=None, median=3.0)])
    table = inference_time.csv_with(table, "cpu", [row(median=4.0)])
    lines = list(csv.DictReader(io.StringIO(table)))
    assert [(line["device"], line["threads"], line["median_ms"]) for line in lines] == [
        ("cuda", "", "3.0"), ("cpu", "1", "4.0"),
    ]  # fmt: skip


def test_a_whole_run_writes_page_and_table(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(inference_time, "load", lambda: 0.1)
    monkeypatch.setattr(inference_time, "measure_all", lambda *given: ([row(), row("harmonic", kind="classical")], []))
    inference_time.main(["--out", str(tmp_path / "paper"), "--threads", "1"])
    page = (tmp_path / "paper" / inference_time.PAGE).read_text("utf-8")
    assert capsys.readouterr().out.strip() in page
    for word in ("machine:", "versions:", "256 × 256, batch 1", "5 rounds", "3 runs not timed", "random"):
        assert word in page
    assert "not to be quoted" not in page
    assert len((tmp_path / "paper" / inference_time.TABLE).read_text("utf-8").splitlines()) == 3


def test_a_busy_machine_is_refused_or_shows_in_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(inference_time, "load", lambda: 3.0)
    monkeypatch.setattr(inference_time, "measure_all", lambda *given: ([row()], []))
    with pytest.raises(SystemExit, match="quiet"):
        inference_time.main(["--out", str(tmp_path)])
    assert not list(tmp_path.iterdir())
    inference_time.main(["--out", str(tmp_path), "--anyway"])
    assert "not to be quoted" in (tmp_path / inference_time.PAGE).read_text("utf-8")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--runs", "0"],
        ["--threads", "0"],
        ["--limit", "0"],
        ["--warm-up", "-1"],
        ["--only", "nothing"],
        ["--only", "gdn", "--out", "."],
    ],
)
def test_options_that_make_no_sense_are_refused(arguments, capsys):
    with pytest.raises(SystemExit):
        inference_time.parse(arguments)
    assert "error" in capsys.readouterr().err


def test_a_gpu_that_is_not_there_is_said(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        inference_time.parse(["--device", "cuda"])
    assert "needs a GPU" in capsys.readouterr().err


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_networks_run_on_a_gpu():
    rows, _ = inference_time.measure_all("cuda", QUICK, ["scenes", "gdn-detector"], lambda label: None, size=64)
    assert {one.precision for one in rows} == {"fp32", "tf32", "bf16 autocast"}
    assert all(one.threads is None and one.median_ms > 0 for one in rows)
