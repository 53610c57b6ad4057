import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402 - torch is an extra

from mendpix.errors import CheckpointError, OutputError  # noqa: E402
from mendpix.networks.table import build_network  # noqa: E402
from mendpix.weights.network_file import load_network_file, read_network_record, save_network_file  # noqa: E402

NAMES = {"generator": "gdn", "detector": "gdn-detector"}
SIZES = {"generator": {"base_channels": 2, "residual_blocks": 1}, "detector": {"base_channels": 2}}


@pytest.fixture
def networks():
    torch.manual_seed(0)
    return {part: build_network(NAMES[part], SIZES[part]) for part in NAMES}


@pytest.fixture
def path(tmp_path: Path, networks) -> Path:
    save_network_file(tmp_path / "n.safetensors", networks, NAMES, {"file": "log-99"})
    return tmp_path / "n.safetensors"


def rewrite(path: Path, record: object = None, *, text: str | None = None, **tensors: object) -> None:
    """Write the file again with another record, or other tensors; None takes a tensor away."""
    held = load_file(path)
    for key, value in tensors.items():
        name = key.replace("__", "/")
        if value is None:
            del held[name]
        else:
            held[name] = value
    save_file(held, path, {"mendpix": text if text is not None else json.dumps(record)})


def changed(path: Path, **entry: object) -> dict:
    """Return the file's record with changes to what it says of the generator."""
    record = read_network_record(path)
    record["networks"]["generator"] |= entry
    return record


@pytest.mark.parametrize("part", NAMES)
def test_networks_come_back_as_they_were(path, networks, part):
    loaded = load_network_file(path, part)
    assert type(loaded) is type(networks[part])
    assert loaded.config == networks[part].config
    assert not loaded.training
    for key, value in networks[part].state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)


def test_the_record_says_all(path):
    record = read_network_record(path)
    assert record["format"] == 1
    assert record["source"] == {"file": "log-99"}
    assert record["networks"]["detector"] == {
        "name": "gdn-detector",
        "sizes": {"base_channels": 2, "negative_slope": 0.2},
    }
    assert {key.partition("/")[0] for key in load_file(path)} == set(NAMES)


def test_every_kind_of_network_comes_back(tmp_path):
    network = build_network("scenes", {"width_half": 4, "width_quarter": 4, "width_eighth": 4})
    save_network_file(tmp_path / "s.safetensors", {"generator": network}, {"generator": "scenes"}, {})
    assert load_network_file(tmp_path / "s.safetensors", "generator").config == network.config


def test_the_same_networks_give_the_same_bytes(path, networks):
    save_network_file(path.with_name("again.safetensors"), networks, NAMES, {"file": "log-99"})
    assert path.read_bytes() == path.with_name("again.safetensors").read_bytes()


def test_a_missing_part_is_named(tmp_path, networks):
    save_network_file(tmp_path / "g.safetensors", {"generator": networks["generator"]}, NAMES, {})
    with pytest.raises(CheckpointError, match="must hold a detector; it holds generator"):
        load_network_file(tmp_path / "g.safetensors", "detector")


@pytest.mark.parametrize("left", [0, 4, 300, -1])
def test_a_broken_file(path, left):
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(CheckpointError, match="whole network file"):
        load_network_file(path, "generator")


def test_a_file_that_is_not_there_and_a_folder(tmp_path):
    with pytest.raises(CheckpointError, match="is not there"):
        load_network_file(tmp_path / "n.safetensors", "generator")
    with pytest.raises(CheckpointError, match="whole network file"):
        load_network_file(tmp_path, "generator")


def test_bare_tensors_are_no_network_file(tmp_path):
    save_file({"generator/stem.weight": torch.zeros(1)}, tmp_path / "n.safetensors")
    with pytest.raises(CheckpointError, match="bare tensors"):
        load_network_file(tmp_path / "n.safetensors", "generator")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": 1}', '{"format": 1, "networks": []}',
     '{"format": 1, "networks": {"generator": "gdn"}}',
     '{"format": 1, "networks": {"generator": {"name": "gdn"}}}',
     '{"format": 1, "networks": {"generator": {"name": [], "sizes": {}}}}'],
)  # fmt: skip
def test_a_broken_record(path, text):
    rewrite(path, text=text)
    with pytest.raises(CheckpointError, match=r"metadata of .* broken"):
        load_network_file(path, "generator")


def test_another_version_of_the_format(path):
    rewrite(path, {"format": 2, "parts": []})
    with pytest.raises(CheckpointError, match=r"must be 1; .* has 2"):
        load_network_file(path, "generator")


@pytest.mark.parametrize("name", ["lama", "gdn-detector"])
def test_an_unknown_network_and_one_of_another_kind(path, name):
    rewrite(path, changed(path, name=name))
    with pytest.raises(CheckpointError, match=rf"must be one of .*gdn, .*it is '{name}'"):
        load_network_file(path, "generator")


@pytest.mark.parametrize("sizes", [{"base_channels": 0}, {"base_channels": "2"}, {"depth": 3}])
def test_sizes_that_no_network_has(path, sizes):
    rewrite(path, changed(path, sizes=sizes))
    with pytest.raises(CheckpointError, match="must have sizes that fit gdn"):
        load_network_file(path, "generator")


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        (
            {"base_channels": 3, "residual_blocks": 1},
            r"blocks\.0\.conv1\.weight must be \(12, 12, 3, 3\) and is \(8, 8",
        ),
        (
            {"base_channels": 2, "residual_blocks": 2},
            r"blocks\.1\.conv1\.weight must be .* and is absent \(6 do not fit",
        ),
        ({"base_channels": 2, "residual_blocks": 0}, r"blocks\.0\.conv1\.weight must be absent and is \(8, 8, 3, 3\)"),
        ({"base_channels": 10**6, "residual_blocks": 1}, "do not fit"),  # no memory is asked for
    ],
)
def test_sizes_of_another_network(path, sizes, words):
    rewrite(path, changed(path, sizes=sizes))
    with pytest.raises(CheckpointError, match=words):
        load_network_file(path, "generator")


def test_a_missing_and_a_foreign_tensor(path):
    record = read_network_record(path)
    rewrite(path, record, **{"generator__head.weight": None})
    with pytest.raises(CheckpointError, match=r"head\.weight must be .* and is absent \(1 do not fit"):
        load_network_file(path, "generator")
    load_network_file(path, "detector")
    rewrite(path, record, **{"detector__more": torch.zeros(2)})
    with pytest.raises(CheckpointError, match=r"more must be absent and is \(2,\)"):
        load_network_file(path, "detector")


def test_nothing_half_written(tmp_path, networks):
    with pytest.raises(OutputError):
        save_network_file(tmp_path / "missing" / "n.safetensors", networks, NAMES, {})
    with pytest.raises(TypeError):
        save_network_file(tmp_path / "n.safetensors", networks, NAMES, {"file": object()})
    assert not list(tmp_path.iterdir())
