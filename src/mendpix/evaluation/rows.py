"""Keep what has been measured in a file as it comes, so that a run that was killed goes on where it was.

JSON Lines: a header that says what the rows belong to, then a row per pair (or per true picture). A row is one line
with everything of it, vectors included, so there are no half rows but the last. Knows no measure.
"""

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mendpix.atomic_files import atomic_write
from mendpix.errors import OutputError
from mendpix.types import FloatArray

FORMAT = 1


@dataclass(frozen=True, eq=False)
class Row:
    """What was measured of one pair, or of one true picture."""

    key: str
    values: Mapping[str, float]
    altered: int = 0
    """Known pixels that the model's answer changed."""
    vectors: Mapping[str, FloatArray] = field(default_factory=dict[str, FloatArray], repr=False)
    """Parts of measures of sets, by name; float32, any shape."""


class RowFile:
    """Rows of one model under one protocol, in a file that only grows."""

    def __init__(self, path: Path, header: Mapping[str, str]) -> None:
        """Open the file, or begin a new one.

        Args:
            path: Where; its folder must exist.
            header: What the rows belong to. A file with another header holds nothing of use and is begun anew.

        Raises:
            OutputError: If the file cannot be read or written.
        """
        self.path = path
        self._places: dict[str, int] = {}  # where each row's line begins
        wanted = json.dumps({"format": FORMAT, **header}, sort_keys=True) + "\n"
        try:
            if path.exists():
                with path.open("rb") as file:
                    same = file.readline() == wanted.encode()
                if same:
                    _cut_last_line(path)
                    self._find()
                    return
            with atomic_write(path) as temporary:
                temporary.write_text(wanted, encoding="utf-8")
        except OSError as error:
            raise OutputError(_sentence(path, error)) from error

    def append(self, rows: Iterable[Row]) -> None:
        """Add rows at the end, in the hands of the operating system before the call returns.

        Raises:
            OutputError: If the disk refuses; the file then ends in a half line, which the next run cuts off.
        """
        listed = list(rows)
        lines = [_line(row) for row in listed]
        try:
            with self.path.open("ab") as file:
                begin = file.tell()
                file.write(b"".join(lines))
        except OSError as error:
            raise OutputError(_sentence(self.path, error)) from error
        for row, line in zip(listed, lines, strict=True):
            self._places[row.key] = begin
            begin += len(line)

    @property
    def keys(self) -> Set[str]:
        """Rows that are there."""
        return self._places.keys()

    def _find(self) -> None:
        """Note where each row begins; every line is looked at."""
        with self.path.open("rb") as file:
            begin = len(file.readline())
            for line in file:
                self._places[_row(line, False, self.path).key] = begin
                begin += len(line)

    def read(self, keys: Iterable[str], *, vectors: bool = True) -> Iterator[Row]:
        """Read rows one by one in a given order, whatever the order in which they were added.

        Sums over rows so come out the same to the last digit, however many processes wrote them.

        Args:
            keys: Rows wanted; each must be there.
            vectors: Decode them; False saves the time.

        Raises:
            OutputError: If the file cannot be read or a line is no row.
        """
        try:
            with self.path.open("rb") as file:
                for key in keys:
                    file.seek(self._places[key])
                    row = _row(file.readline(), vectors, self.path)
                    if row.key != key:
                        raise OutputError(
                            f"the row of {key} must be where it was put in {self.path}; {row.key} is there. Let one "
                            "run at a time write into a report; repeat the command."
                        )
                    yield row
        except OSError as error:
            raise OutputError(f"cannot read {self.path} ({error}). Delete it; it will be measured again.") from error


def _line(row: Row) -> bytes:
    coded = {
        name: [list(vector.shape), base64.b64encode(zlib.compress(np.float32(vector).tobytes(), 1)).decode("ascii")]
        for name, vector in row.vectors.items()
    }
    whole = {"key": row.key, "values": dict(row.values), "altered": row.altered, "vectors": coded}
    return (json.dumps(whole) + "\n").encode()  # NaN and Infinity as Python writes and reads them


def _row(line: bytes, vectors: bool, path: Path) -> Row:
    try:
        whole: dict[str, Any] = json.loads(line)
        decoded = {
            name: np.frombuffer(zlib.decompress(base64.b64decode(text)), np.float32).reshape(shape)
            for name, (shape, text) in (whole["vectors"].items() if vectors else ())
        }
        return Row(whole["key"], whole["values"], whole["altered"], decoded)
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error) as error:
        raise OutputError(
            f"every line of {path} must be a row of an evaluation; one is not. Delete the file; it will be measured "
            "again."
        ) from error


def _cut_last_line(path: Path) -> None:
    """Cut off a last line that a killed run left unfinished."""
    with path.open("rb+") as file:
        size = file.seek(0, 2)
        end = size
        while end:
            start = max(0, end - 65536)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        if end < size:
            file.truncate(end)


def _sentence(path: Path, error: OSError) -> str:
    return str(error) if isinstance(error, OutputError) else f"cannot write {path}: {error.strerror or error}."
