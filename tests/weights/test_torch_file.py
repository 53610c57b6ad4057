"""Foreign PyTorch files: what counts as the tensors of a network, what is told of the rest, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from mendpix.errors import CheckpointError  # noqa: E402 - torch is an extra
from mendpix.networks.table import build_network  # noqa: E402
from mendpix.weights.convert.torch_file import Layout, account_of_rest, load_layout, state_dict_in  # noqa: E402

SIZES = {"base_channels": 2, "levels": 2}


def save(folder: Path, value: Any) -> Path:
    torch.save(value, folder / "weights.pth")
    return folder / "weights.pth"


def layout() -> tuple[dict[str, torch.Tensor], Layout]:
    """A network whose foreign names are ours, with batch norms, which count batches in whole numbers."""
    torch.manual_seed(0)
    tensors = build_network("pconv", SIZES).state_dict()
    return dict(tensors), Layout("pconv", SIZES, {name: name for name in tensors}, {}, {})


def test_the_first_key_that_is_there_counts_and_the_rest_is_told(tmp_path):
    found = {"G": {"module.a": torch.ones(2)}, "D": {"b": torch.ones(1)}, "n_iter": 7}
    tensors, rest = state_dict_in(save(tmp_path, found), ["generator", "G"])
    assert list(tensors) == ["a"]
    assert rest == {"D": "optimiser", "n_iter": "plain value"}
    assert [(entry.name, entry.used_as, entry.ignored_as) for entry in account_of_rest(rest)] == [
        ("D", None, "optimiser"),
        ("n_iter", None, "plain value"),
    ]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({}, "has none"),
        ({"a": torch.ones(2), "b": 3}, "has b, which is no plain tensor"),
        ({7: torch.ones(2)}, "has 7, which is no plain tensor"),
        ({"a": torch.eye(2).to_sparse()}, "has a, which is no plain tensor"),
        ({"a": torch.ones(2), "module.a": torch.zeros(2)}, "both with and without the prefix module"),
    ],
)
def test_what_is_no_state_dict_is_refused(tmp_path, state, words):
    with pytest.raises(CheckpointError, match=words):
        state_dict_in(save(tmp_path, {"generator": state}), ["generator"])


def test_a_network_is_loaded_tensor_by_tensor():
    tensors, form = layout()
    network, account = load_layout(tensors, form, "generator", "file.pth")
    assert all(torch.equal(value, tensors[name]) for name, value in network.state_dict().items())
    assert {entry.used_as for entry in account} == {f"generator/{name}" for name in tensors}
    assert not network.training


@pytest.mark.parametrize(
    ("name", "dtype", "words"),
    [
        ("encoder.0.conv.weight", torch.int64, "must hold real numbers; in file.pth it is torch.int64"),
        ("encoder.0.conv.weight", torch.complex64, "must hold real numbers; in file.pth it is torch.complex64"),
        ("encoder.1.norm.num_batches_tracked", torch.float32, "must hold whole numbers; in file.pth it is"),
    ],
)
def test_numbers_of_another_kind_are_refused_and_not_rounded(name, dtype, words):
    tensors, form = layout()
    with pytest.raises(CheckpointError, match=f"{name} {words}"):
        load_layout(tensors | {name: tensors[name].to(dtype)}, form, "generator", "file.pth")
