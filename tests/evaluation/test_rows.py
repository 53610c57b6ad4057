import json

import numpy as np
import pytest

from mendpix.errors import OutputError
from mendpix.evaluation.rows import Row, RowFile

HEADER = {"protocol": "p", "model": "m"}


def row(key: str, value: float = 1.0) -> Row:
    return Row(key, {"psnr": value}, 3, {"squeezenet": np.arange(4, dtype=np.float32) / 3})


def test_rows_come_back_as_they_were_in_the_order_asked_for(tmp_path):
    file = RowFile(tmp_path / "rows.jsonl", HEADER)
    file.append([row("a", 0.1 + 0.2), row("b", float("nan"))])
    file.append([row("c", float("inf"))])
    again = RowFile(tmp_path / "rows.jsonl", HEADER)
    assert set(again.keys) == {"a", "b", "c"}
    for reader in (file, again):
        c, a, b = reader.read(["c", "a", "b"])
        assert a.values["psnr"] == 0.1 + 0.2
        assert np.isnan(b.values["psnr"])
        assert c.values["psnr"] == float("inf")
        assert (a.key, a.altered) == ("a", 3)
        np.testing.assert_array_equal(a.vectors["squeezenet"], np.arange(4, dtype=np.float32) / 3)
    assert next(iter(again.read(["a"], vectors=False))).vectors == {}


def test_vectors_keep_their_shape(tmp_path):
    file = RowFile(tmp_path / "rows.jsonl", HEADER)
    file.append([Row("a", {}, 0, {"detector": np.ones((3, 5), np.float32)})])
    assert next(iter(file.read(["a"]))).vectors["detector"].shape == (3, 5)


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_half_line_of_a_killed_run_is_cut_off_and_the_rest_kept(tmp_path, cut):
    path = tmp_path / "rows.jsonl"
    RowFile(path, HEADER).append([row("a"), row("b")])
    path.write_bytes(path.read_bytes()[:-cut])
    file = RowFile(path, HEADER)
    assert set(file.keys) == {"a"}
    file.append([row("b", 2.0)])
    assert [one.values["psnr"] for one in RowFile(path, HEADER).read(["a", "b"])] == [1.0, 2.0]


def test_a_half_header_begins_anew(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"form')
    file = RowFile(path, HEADER)
    assert not file.keys
    file.append([row("a")])
    assert set(RowFile(path, HEADER).keys) == {"a"}


def test_rows_of_another_protocol_or_model_are_dropped(tmp_path):
    path = tmp_path / "rows.jsonl"
    RowFile(path, HEADER).append([row("a")])
    other = RowFile(path, {**HEADER, "protocol": "q"})
    assert not other.keys
    assert json.loads(path.read_text())["protocol"] == "q"


def test_a_line_that_is_no_row_is_an_error(tmp_path):
    path = tmp_path / "rows.jsonl"
    RowFile(path, HEADER).append([row("a")])
    with path.open("a") as file:
        file.write("{}\n")
    with pytest.raises(OutputError, match=r"must be a row of an evaluation; one is not. Delete the file"):
        RowFile(path, HEADER)


def test_a_folder_that_takes_no_file(tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        RowFile(tmp_path / "none" / "rows.jsonl", HEADER)


def test_a_second_writer_is_noticed(tmp_path):
    path = tmp_path / "rows.jsonl"
    first, second = RowFile(path, HEADER), RowFile(path, HEADER)
    first.append([row("a")])
    second.append([row("b")])
    path.write_bytes(path.read_bytes().replace(b'"a"', b'"c"'))
    with pytest.raises(OutputError, match="Let one run at a time write"):
        list(first.read(["a"]))
