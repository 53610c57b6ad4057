"""Read TensorFlow's V2 checkpoints (an index and one or more data files) with NumPy. Knows no networks, needs no torch.

The index is a table from the names of variables to where their values lie; the data files hold the bare values. Every
block of the index is checked when a checkpoint is opened, every variable when it is read.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from mendpix.errors import CheckpointError
from mendpix.types import AnyArray
from mendpix.weights.convert.crc32c import crc32c, masked
from mendpix.weights.convert.tf_table import AGAIN, MARK, read_table
from mendpix.weights.convert.wire import read_message

DTYPES = {1: "float32", 2: "float64", 3: "int32", 9: "int64"}
"""Types of values that are read, by TensorFlow's number."""

OTHER_DTYPES = {
    4: "uint8", 5: "int16", 6: "int8", 7: "string", 8: "complex64", 10: "bool", 14: "bfloat16", 17: "uint16",
    18: "complex128", 19: "float16", 20: "resource", 21: "variant", 22: "uint32", 23: "uint64",
}  # fmt: skip
"""Names of types that are not."""

VERSION = 1
"""Newest version of the format that is known."""

STATE_FILE = "checkpoint"
"""Text file by which TensorFlow remembers the newest checkpoint of a folder."""

INDEX_SUFFIX = ".index"
"""Ending of the index; what comes before it is the name of the checkpoint."""

SAVE_AGAIN = "Save it again with tf.train.Saver in the V2 format."
"""The way out for formats that are not read."""


@dataclass(frozen=True)
class Variable:
    """Say where a variable lies and what it is, by the index."""

    name: str
    """As in the graph, without the `:0`."""
    shape: tuple[int, ...]
    """Sizes of its axes, row-major; () = a single number."""
    dtype: str
    """Type of its values, such as float32."""
    shard: int
    """Number of the data file that holds it."""
    offset: int
    """Where in that file, bytes."""
    size: int
    """How much of it, bytes."""
    checksum: int
    """Masked CRC-32C of the bytes."""


@dataclass(frozen=True)
class TfCheckpoint:
    """An opened checkpoint: its index is known to be whole, its data files to be there and long enough."""

    prefix: Path
    """Path of the checkpoint, without the endings of its files."""
    shards: int
    """Data files."""
    variables: Mapping[str, Variable]
    """Every variable by name, in the order of the names."""

    def read(self, name: str) -> AnyArray:
        """Read a variable and check it.

        Args:
            name: A name of `variables`.

        Returns:
            A new array of the variable's shape and type.

        Raises:
            CheckpointError: If there is none of that name, its type is not read, or its bytes are not those written.
        """
        variable = self._variable(name)
        if variable.dtype not in DTYPES.values():
            raise CheckpointError(
                f"variables must be {', '.join(DTYPES.values())}; {name} of {self.prefix.name} is {variable.dtype}. "
                "Cast it in TensorFlow and save again."
            )
        stored = np.dtype(variable.dtype).newbyteorder("<")
        return np.frombuffer(self._bytes(variable), stored).reshape(variable.shape).astype(variable.dtype, copy=False)

    def check(self, name: str) -> None:
        """Check the bytes of a variable of any type but texts and handles, which have no plain bytes.

        Raises:
            CheckpointError: As `read`.
        """
        self._bytes(self._variable(name))

    def _variable(self, name: str) -> Variable:
        if name not in self.variables:
            raise CheckpointError(f"{self.prefix.name} must hold the variable {name}; it does not.")
        return self.variables[name]

    def _bytes(self, variable: Variable) -> bytearray:
        """Return a variable's bytes, checked."""
        path = _data_file(self.prefix, variable.shard, self.shards)
        content = bytearray(variable.size)
        try:
            with path.open("rb") as file:
                file.seek(variable.offset)
                count = file.readinto(content)
        except OSError as error:
            raise _unreadable(path, error) from error
        if count < variable.size:
            raise CheckpointError(
                f"{path.name} must hold {variable.name}; it became shorter while it was read. {AGAIN}"
            )
        if masked(crc32c(content)) != variable.checksum:
            raise CheckpointError(
                f"the values of {variable.name} must have the checksum that the index holds; those in {path.name} have "
                "another, so the file was damaged or belongs to another index. Copy or download both files again."
            )
        return content


def open_checkpoint(path: Path) -> TfCheckpoint:
    """Open a checkpoint: read its index whole and look for its data files.

    Args:
        path: See `find_prefix`.

    Raises:
        CheckpointError: If it is missing, cut short, damaged, or of a kind that is not read.
    """
    try:
        prefix = find_prefix(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    index = prefix.with_name(prefix.name + INDEX_SUFFIX)
    try:
        content = index.read_bytes()
    except OSError as error:
        raise _unreadable(index, error) from error
    table = read_table(content, index.name)
    try:
        shards = _shards(table.pop(b""), index.name)
        variables = [_parse(key, value, index.name) for key, value in table.items()]
    except KeyError as error:
        raise CheckpointError(f"{index.name} must start with a header; it has none. {SAVE_AGAIN}") from error
    except ValueError as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(
            f"{index.name} must be the index of a checkpoint; it is another table, or damaged: {error}. "
            "Give the index that lies beside the data files."
        ) from error
    _check_data_files(prefix, shards, variables, index.name)
    return TfCheckpoint(prefix, shards, {variable.name: variable for variable in variables})


def find_prefix(path: Path) -> Path:
    """Find a checkpoint by whatever of it is given.

    Args:
        path: The checkpoint's name without endings, its index, one of its data files, or its folder, in which the text
            file `checkpoint` names it; that file's folders are not looked at, since they are those of another machine.

    Returns:
        The path without endings; the index is there.

    Raises:
        CheckpointError: If there is no checkpoint, or more than one.
    """
    if path.name == STATE_FILE and path.is_file():
        path = path.parent
    if path.is_dir():
        return _newest(path)
    prefix = path.with_name(re.sub(r"(?<=.)(\.index|\.meta|\.data-\d{5}-of-\d{5})$", "", path.name))
    if prefix.with_name(prefix.name + INDEX_SUFFIX).is_file():
        return prefix
    if list(prefix.parent.glob(f"{_literal(prefix.name)}-?????-of-?????")) or _is_table(prefix):
        raise CheckpointError(
            f"a checkpoint must be of TensorFlow's V2 format, an index and data files; {path.name} is of the older V1, "
            f"without an index. {SAVE_AGAIN}"
        )
    if list(prefix.parent.glob(f"{_literal(prefix.name)}.data-*")):
        raise CheckpointError(
            f"a checkpoint must have its index; {prefix.name}{INDEX_SUFFIX} is not beside {prefix.name}.data-*. "
            "Put both into one folder under their own names."
        )
    what = "is no file of one" if path.is_file() else "is not there"
    raise CheckpointError(
        f"a TensorFlow checkpoint (its name, its {INDEX_SUFFIX} file or its folder) was expected; {path} {what}. "
        f"Look for the file that ends in {INDEX_SUFFIX}"
    )


def _newest(folder: Path) -> Path:
    """Find the checkpoint of a folder: the one that its state file names, or else the only one."""
    found = sorted(file.name.removesuffix(INDEX_SUFFIX) for file in folder.glob(f"*{INDEX_SUFFIX}"))
    state = folder / STATE_FILE
    named = None
    if state.is_file():
        try:
            text = state.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise _unreadable(state, error) from error
        match = re.search(r'^\s*model_checkpoint_path:\s*"(?:.*[/\\])?([^/\\"]+)"', text, re.MULTILINE)
        named = match[1] if match else None
    if named in found or (named is None and len(found) == 1):
        return folder / (named or found[0])
    if named is not None:
        got = f"{folder / STATE_FILE} names {named}, whose index is not there"
    else:
        got = f"{folder} holds {len(found) or 'none'}"
    way_out = f"Give one of these: {', '.join(found[:5])}." if found else f"Look for a file that ends in {INDEX_SUFFIX}"
    raise CheckpointError(f"a folder must hold one checkpoint, or name one in its file {STATE_FILE}; {got}. {way_out}")


def _shards(header: bytes, name: str) -> int:
    """Read the header: how many data files there are. Refuse other formats."""
    fields = dict(read_message(header))
    shards = fields.get(1, 0)
    if not isinstance(shards, int):
        raise CheckpointError(
            f"a checkpoint must be of TensorFlow's V2 format; {name} is one of the older V1. {SAVE_AGAIN}"
        )
    if fields.get(2, 0) != 0:
        raise CheckpointError(
            f"a checkpoint must be little-endian; {name} was written by a big-endian machine. "
            "Load and save it on an ordinary one."
        )
    version = fields.get(3, b"")
    needed = dict(read_message(version)).get(2, 0) if isinstance(version, bytes) else 0
    if not isinstance(needed, int) or needed > VERSION:
        raise CheckpointError(f"the format's version must be at most {VERSION}; {name} needs {needed}. {SAVE_AGAIN}")
    if not 0 < shards < 100_000:
        raise ValueError(f"it speaks of {shards} data files")
    return shards


def _parse(key: bytes, value: bytes, index: str) -> Variable:
    """Read one line of the index."""
    fields: dict[int, int] = {1: 0, 3: 0, 4: 0, 5: 0, 6: 0}
    shape: list[int] = []
    name = key.decode("utf-8", "replace" if key.startswith(b"\0") else "strict")  # keys of slices are no texts
    for field, content in read_message(value):
        if field == 7 or key.startswith(b"\0"):
            raise CheckpointError(
                f"variables must be stored whole; {index} holds {name if field == 7 else 'some'} in slices. "
                "Save them again without a partitioner."
            )
        if field == 2 and isinstance(content, bytes):
            shape = [_size(dimension) for kind, dimension in read_message(content) if kind == 2]
        elif field in fields and isinstance(content, int):
            fields[field] = content
    dtype = DTYPES.get(fields[1]) or OTHER_DTYPES.get(fields[1], f"type {fields[1]}")
    if dtype in DTYPES.values() and fields[5] != prod(shape) * np.dtype(dtype).itemsize:
        raise ValueError(f"{name} of shape {shape} has {fields[5]} bytes")
    return Variable(name, tuple(shape), dtype, fields[3], fields[4], fields[5], fields[6])


def _size(dimension: int | bytes) -> int:
    """Read the size of an axis; the message leaves a zero out."""
    size = dict(read_message(dimension)).get(1, 0) if isinstance(dimension, bytes) else -1
    if not isinstance(size, int) or not 0 <= size < 1 << 63:
        raise ValueError("an axis has no size")
    return size


def _check_data_files(prefix: Path, shards: int, variables: list[Variable], index: str) -> None:
    """Refuse a checkpoint whose data files are missing or too short."""
    ends: dict[int, int] = {}
    for variable in variables:
        if variable.shard >= shards:
            raise CheckpointError(f"{index} must name one of {shards} data files; it names number {variable.shard}.")
        ends[variable.shard] = max(ends.get(variable.shard, 0), variable.offset + variable.size)
    for shard, end in sorted(ends.items()):
        path = _data_file(prefix, shard, shards)
        if not path.is_file():
            raise CheckpointError(
                f"a checkpoint must have its data files beside its index; {path.name} is not there. "
                "Put all of them into one folder under their own names."
            )
        try:
            size = path.stat().st_size
        except OSError as error:
            raise _unreadable(path, error) from error
        if size < end:
            raise CheckpointError(
                f"{path.name} must hold at least {end} bytes by its index; it was cut short, {size} are left. {AGAIN}"
            )


def _data_file(prefix: Path, shard: int, shards: int) -> Path:
    return prefix.with_name(f"{prefix.name}.data-{shard:05d}-of-{shards:05d}")


def _is_table(path: Path) -> bool:
    """Tell whether a file ends like a table: V1 checkpoints are one."""
    try:
        with path.open("rb") as file:
            file.seek(-len(MARK), 2)
            return file.read() == MARK
    except OSError:
        return False


def _literal(name: str) -> str:
    """Write a name so that a search by pattern takes it as it is."""
    return re.sub(r"([*?[])", r"[\1]", name)


def _unreadable(path: Path, error: OSError) -> CheckpointError:
    return CheckpointError(f"{path} must be readable; it is not ({error.strerror or error}). Look at its permissions.")
