import contextlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mendpix.errors import CheckpointError
from mendpix.weights.convert.tf_checkpoint import find_prefix, open_checkpoint
from mendpix.weights.convert.tf_table import read_table
from tf_writer import entry, header, message, table, varint, write_checkpoint

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "reference" / "tf-checkpoint"

VARIABLES = {
    "a/kernel": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "a/bias": np.array([1.5, -2.5]),
    "a/steps": np.array([-1, 2**31 - 1], np.int32),
    "step": np.array(-(2**62), np.int64),
    "none": np.zeros((3, 0), np.float32),
    **{f"layer_{number:03d}/weights": np.full(5, number, np.float32) for number in range(200)},
}


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path, VARIABLES)


def index_of(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}.index")


def data_of(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}.data-00000-of-00001")


def flip(path: Path, place: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


def assert_same(path: Path, variables: dict[str, np.ndarray]) -> None:
    checkpoint = open_checkpoint(path)
    assert set(checkpoint.variables) == set(variables)
    for name, values in variables.items():
        found = checkpoint.read(name)
        assert found.dtype == values.dtype
        np.testing.assert_array_equal(found, values, strict=True)
        assert found.flags.writeable


# What is read


@pytest.mark.parametrize("snappy", [False, True])
@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("block_bytes", [1, 512, 1_000_000])
def test_every_variable_comes_back(tmp_path, snappy, shards, block_bytes):
    path = write_checkpoint(tmp_path, VARIABLES, snappy=snappy, shards=shards, block_bytes=block_bytes)
    assert_same(path, VARIABLES)
    assert open_checkpoint(path).shards == shards


def test_names_and_places_are_told(prefix):
    checkpoint = open_checkpoint(prefix)
    assert list(checkpoint.variables) == sorted(VARIABLES)
    kernel = checkpoint.variables["a/kernel"]
    assert (kernel.shape, kernel.dtype, kernel.size) == ((2, 3, 4), "float32", 96)
    assert checkpoint.variables["step"].shape == ()


def test_the_checkpoint_is_found_by_any_of_its_files(prefix, tmp_path):
    data_of(prefix).with_name("log-99.meta").write_bytes(b"")
    for path in (
        prefix,
        index_of(prefix),
        data_of(prefix),
        tmp_path,
        tmp_path / "checkpoint",
        tmp_path / "log-99.meta",
    ):
        assert find_prefix(path) == prefix


def test_the_newest_of_a_folder_is_the_one_that_its_file_names(tmp_path):
    write_checkpoint(tmp_path, VARIABLES, name="log-50")
    prefix = write_checkpoint(tmp_path, VARIABLES, name="log-9")
    assert find_prefix(tmp_path) == prefix
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "D:\\\\runs\\\\log-50"\n')
    assert find_prefix(tmp_path).name == "log-50"
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "log-9"\n')
    assert find_prefix(tmp_path).name == "log-9"
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/elsewhere/log-99"\n')
    with pytest.raises(CheckpointError, match=r"names log-99, whose index is not there\. .*log-50, log-9"):
        find_prefix(tmp_path)
    (tmp_path / "checkpoint").unlink()
    with pytest.raises(CheckpointError, match="holds 2"):
        find_prefix(tmp_path)
    index_of(prefix).unlink()
    assert find_prefix(tmp_path).name == "log-50"


def test_names_may_hold_what_patterns_are_made_of(tmp_path):
    prefix = write_checkpoint(tmp_path, VARIABLES, name="log[1]*.ckpt-3")
    assert find_prefix(prefix) == prefix
    index_of(prefix).unlink()
    with pytest.raises(CheckpointError, match=r"must have its index"):
        find_prefix(prefix)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.binary(min_size=1, max_size=12), st.binary(max_size=30), max_size=40), st.booleans())
def test_tables_of_any_keys_come_back(entries, snappy):
    for block_bytes in (1, 40, 10_000):
        assert read_table(table(entries, block_bytes, snappy), "t") == dict(sorted(entries.items()))


# What is refused: cut short, damaged, missing


@pytest.mark.parametrize("left", [0, 1, 7, 47, 48, 600, -48, -8, -1])
def test_an_index_that_was_cut_short(prefix, left):
    content = index_of(prefix).read_bytes()
    index_of(prefix).write_bytes(content[:left])
    with pytest.raises(CheckpointError, match=rf"log-99\.index .* cut short, {len(content[:left])} bytes are left"):
        open_checkpoint(prefix)


@pytest.mark.parametrize("left", [0, 100, -1])
def test_a_data_file_that_was_cut_short(prefix, left):
    content = data_of(prefix).read_bytes()
    data_of(prefix).write_bytes(content[:left])
    sentence = rf"at least {len(content)} bytes by its index; it was cut short, {len(content[:left])} are left"
    with pytest.raises(CheckpointError, match=sentence):
        open_checkpoint(prefix)


def test_a_data_file_that_shrinks_while_it_is_read(prefix):
    checkpoint = open_checkpoint(prefix)
    data_of(prefix).write_bytes(b"")
    with pytest.raises(CheckpointError, match="became shorter"):
        checkpoint.read("a/kernel")


def test_a_flipped_bit_in_the_data(prefix):
    place = open_checkpoint(prefix).variables["a/kernel"].offset
    flip(data_of(prefix), place + 3)
    with pytest.raises(CheckpointError, match=r"values of a/kernel .* checksum .* damaged"):
        open_checkpoint(prefix).read("a/kernel")
    with pytest.raises(CheckpointError, match="values of a/kernel"):
        open_checkpoint(prefix).check("a/kernel")
    open_checkpoint(prefix).check("a/bias")


def test_a_flipped_bit_in_any_byte_of_the_index(tmp_path):
    few = {name: VARIABLES[name] for name in ("a/kernel", "a/bias", "step")}
    prefix = write_checkpoint(tmp_path, few)
    whole = index_of(prefix).read_bytes()
    harmless: list[int] = []
    for place in range(len(whole)):
        flip(index_of(prefix), place, place % 8)
        try:
            assert_same(prefix, few)
            harmless.append(place)
        except CheckpointError as error:
            if "damaged" not in str(error):
                raise
        index_of(prefix).write_bytes(whole)
    assert set(harmless) <= set(range(len(whole) - 44, len(whole) - 8))  # the padding of the footer


def test_a_missing_data_file_is_named(tmp_path):
    prefix = write_checkpoint(tmp_path, VARIABLES, shards=3)
    (tmp_path / "log-99.data-00001-of-00003").unlink()
    with pytest.raises(CheckpointError, match=r"log-99\.data-00001-of-00003 is not there"):
        open_checkpoint(prefix)


def test_a_missing_index_is_named(prefix):
    index_of(prefix).unlink()
    with pytest.raises(CheckpointError, match=r"log-99\.index is not beside"):
        open_checkpoint(prefix)
    with pytest.raises(CheckpointError, match="names log-99, whose index is not there"):
        open_checkpoint(prefix.parent)


def test_nothing_there(tmp_path):
    with pytest.raises(CheckpointError, match="is not there"):
        open_checkpoint(tmp_path / "log-99")
    with pytest.raises(CheckpointError, match=r"holds none\. Look for a file that ends in \.index"):
        open_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="readable"):
        open_checkpoint(tmp_path / ("long" * 100))


# What is refused: other formats


def v1_table() -> bytes:
    """Write what an older checkpoint starts with: a message within the header."""
    return table({b"": message((1, message((1, b"name"))))})


def test_the_older_format_is_recognised(tmp_path):
    (tmp_path / "model.ckpt").write_bytes(v1_table())
    (tmp_path / "parts-00000-of-00002").write_bytes(v1_table())
    (tmp_path / "renamed.index").write_bytes(v1_table())
    for name in ("model.ckpt", "parts", "renamed", "renamed.index"):
        with pytest.raises(CheckpointError, match=r"older V1.*V2 format"):
            open_checkpoint(tmp_path / name)


@pytest.mark.parametrize("content", [b"\x89HDF\r\n\x1a\n" + bytes(100), b"PK\3\4" + bytes(50), b"text\n" * 40, b"x"])
def test_other_files_are_no_index(tmp_path, content):
    (tmp_path / "model.index").write_bytes(content)
    (tmp_path / "model.h5").write_bytes(content)
    with pytest.raises(CheckpointError, match="another kind of file"):
        open_checkpoint(tmp_path / "model")
    with pytest.raises(CheckpointError, match="is no file of one"):
        open_checkpoint(tmp_path / "model.h5")


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (header(big_endian=True), "little-endian"),
        (header(min_consumer=2), "version must be at most 1; log-99.index needs 2"),
        (header(0), "0 data files"),
        (b"\x08", "another table, or damaged"),
        (b"\xff", "another table, or damaged"),
    ],
)
def test_headers_that_are_not_read(tmp_path, first, words):
    prefix = write_checkpoint(tmp_path, VARIABLES, first=first)
    with pytest.raises(CheckpointError, match=words):
        open_checkpoint(prefix)


def test_a_table_without_a_header(tmp_path):
    (tmp_path / "log.index").write_bytes(table({b"a": b"b"}))
    with pytest.raises(CheckpointError, match="must start with a header"):
        open_checkpoint(tmp_path / "log")


@pytest.mark.parametrize(("dtype", "word"), [(np.float16, "float16"), (np.uint8, "uint8")])
def test_other_types_are_listed_and_checked_but_not_read(tmp_path, dtype, word):
    prefix = write_checkpoint(tmp_path, {**VARIABLES, "odd": np.ones(3, dtype)})
    checkpoint = open_checkpoint(prefix)
    assert checkpoint.variables["odd"].dtype == word
    checkpoint.check("odd")
    with pytest.raises(CheckpointError, match=rf"must be float32, float64, int32, int64; odd of log-99 is {word}"):
        checkpoint.read("odd")


def line(**changes: int | bytes | None) -> bytes:
    """Write the index line of two float32 values, with changes by the name of a field."""
    shape = message((2, message((1, 2))))
    fields: dict[str, int | bytes | None] = {"dtype": 1, "shape": shape, "shard": None, "offset": None, "size": 8}
    numbers = {"dtype": 1, "shape": 2, "shard": 3, "offset": 4, "size": 5, "slices": 7}
    return message(*((numbers[name], value) for name, value in {**fields, **changes}.items() if value is not None))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (line(size=12), "x of shape .* has 12 bytes"),
        (line(shape=message((2, message((1, 2**64 - 1))))), "no size"),
        (line(shape=message((2, message((1, 2**62))), (2, message((1, 2**62))))), "has 8 bytes"),
        (line(shape=message((2, message((1, 2**40)))), size=2**42), "cut short"),
        (line(offset=2**50), "cut short"),
        (line(dtype=7, size=2**60), "cut short"),
        (line(shard=7), "one of 1 data files; it names number 7"),
        (line(slices=b""), "holds x in slices"),
        (b"\xff\xff", "damaged"),
        (b"\x13", "unknown kind 3"),
        (b"\x00\x00", "number 0"),
        (varint(1 << 3 | 2) + varint(9) + b"abc", "does not end"),
    ],
)
def test_lines_of_the_index_that_make_no_sense(tmp_path, value, words):
    prefix = write_checkpoint(tmp_path, VARIABLES, replaced={b"x": value})
    with pytest.raises(CheckpointError, match=words):
        open_checkpoint(prefix)


def test_a_type_without_a_name_is_only_refused_when_it_is_read(tmp_path):
    prefix = write_checkpoint(tmp_path, VARIABLES, replaced={b"x": line(dtype=77)})
    with pytest.raises(CheckpointError, match="x of log-99 is type 77"):
        open_checkpoint(prefix).read("x")


def test_names_that_are_no_text(tmp_path):
    prefix = write_checkpoint(tmp_path, VARIABLES, replaced={b"\xff\xfe": entry(np.ones(1, np.float32), 0, 0)})
    with pytest.raises(CheckpointError, match="damaged"):
        open_checkpoint(prefix)
    prefix = write_checkpoint(tmp_path, VARIABLES, replaced={b"\0slice\xff": line()})
    with pytest.raises(CheckpointError, match="in slices"):
        open_checkpoint(prefix)


def test_an_unknown_variable(prefix):
    with pytest.raises(CheckpointError, match="must hold the variable b; it does not"):
        open_checkpoint(prefix).read("b")


def test_an_unknown_compression(monkeypatch):
    monkeypatch.setattr("tf_writer.PLAIN", 4)
    with pytest.raises(CheckpointError, match="plain or packed by Snappy; got compression 4"):
        read_table(table({b"a": b"b"}), "t")


@pytest.mark.parametrize(
    "entries",
    [[(b"b", b""), (b"a", b"")], [(b"a", b""), (b"a", b"")]],
    ids=["order", "twice"],
)
def test_keys_out_of_order(monkeypatch, entries):
    monkeypatch.setattr("tf_writer.sorted", lambda _: entries, raising=False)
    with pytest.raises(CheckpointError, match="out of order"):
        read_table(table({}), "t")


# Whatever happens to the bytes


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """A small checkpoint, to be damaged and mended again."""
    some = {name: VARIABLES[name] for name in ("a/kernel", "a/bias", "none", "step")}
    return write_checkpoint(tmp_path_factory.mktemp("small"), some)


damage = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), st.integers(0, 10_000), st.integers(1, 255)),
        st.tuples(st.just("cut"), st.integers(0, 10_000), st.just(0)),
        st.tuples(st.just("put"), st.integers(0, 10_000), st.integers(0, 255)),
    ),
    min_size=1,
    max_size=3,
)


def harm(content: bytes, changes: list[tuple[str, int, int]]) -> bytes:
    out = bytearray(content)
    for how, place, value in changes:
        place %= len(out) + 1
        if how == "cut":
            del out[place:]
        elif how == "put":
            out.insert(place, value)
        elif place < len(out):
            out[place] ^= value
    return bytes(out)


@settings(max_examples=100, deadline=None)
@given(changes=damage, which=st.sampled_from([index_of, data_of]))
def test_damaged_files_give_an_error_or_the_very_same_numbers(small, changes, which):
    whole = which(small).read_bytes()
    which(small).write_bytes(harm(whole, changes))
    try:
        checkpoint = open_checkpoint(small)
        found = {name: checkpoint.read(name) for name in checkpoint.variables}
    except CheckpointError:
        return
    finally:
        which(small).write_bytes(whole)
    assert set(found) == {"a/kernel", "a/bias", "none", "step"}
    for name, values in found.items():
        np.testing.assert_array_equal(values, VARIABLES[name], strict=True)


@settings(max_examples=100, deadline=None)
@given(
    key=st.sampled_from([b"", b"a/bias", b"a/kernel", b"b"]),
    changes=damage,
    whole=st.one_of(st.none(), st.binary(max_size=24)),
)
def test_an_index_made_to_mislead_gives_no_other_error(small, key, changes, whole):
    """The checksums are right here, so that what lies behind them is tried."""
    value = entry(VARIABLES["a/kernel"], 0, 0) if key else header()
    some = {name: VARIABLES[name] for name in ("a/kernel", "a/bias")}
    replaced = {key: harm(value, changes) if whole is None else whole}
    misleading = write_checkpoint(small.parent, some, name="misleading", replaced=replaced)
    with contextlib.suppress(CheckpointError):
        checkpoint = open_checkpoint(misleading)
        for name in checkpoint.variables:
            checkpoint.read(name)


# The file that TensorFlow wrote


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared checkpoint is not here")
def test_every_checksum_of_the_shared_checkpoint_is_equal():
    expected = json.loads((SHARED / "expected.json").read_text())
    checkpoint = open_checkpoint(SHARED)
    assert checkpoint.prefix.name == "log-99"
    assert len(checkpoint.variables) == 196
    for name, shape in expected["variables"].items():
        values = checkpoint.read(name)
        assert list(values.shape) == shape
        assert float(np.abs(values).sum()) == pytest.approx(expected["checksum"][name], rel=1e-6)
    for name in checkpoint.variables:
        checkpoint.check(name)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared checkpoint is not here")
@pytest.mark.parametrize(
    ("ending", "words"), [(".index", "cut short, 7000 bytes"), (".data-00000-of-00001", "cut short, 7000 are left")]
)
def test_the_shared_checkpoint_cut_short(tmp_path, ending, words):
    for path in SHARED.iterdir():
        shutil.copyfile(path, tmp_path / path.name)
    cut = tmp_path / f"log-99{ending}"
    cut.write_bytes(cut.read_bytes()[:7000])
    with pytest.raises(CheckpointError, match=words):
        open_checkpoint(tmp_path)
