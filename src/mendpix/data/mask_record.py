"""Keep the record of a run that makes masks, `masks.json`: what was asked for, how far it is, what came of it.

Begins and continues runs: a folder takes masks of one set of drawings and settings only. Knows nothing of how masks are
made (`mask_build`).
"""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mendpix.atomic_files import atomic_write
from mendpix.data.mask_sampler import RATIO_BINS
from mendpix.errors import DataError, OutputError

RECORD = "masks.json"
"""Name of the record in the folder of the masks."""

BIN_NAMES = tuple(f"{round(100 * high)}" for _, high in RATIO_BINS)
"""Folder of each bin, after its upper end in percent."""

FINE_BINS = 20
"""Parts of the fine histogram, each 5 % of hole wide."""

FAILURES_NAMED = 1000
"""How many drawings that cannot be used are named in the record; all are counted."""

_VERSION = 1


@dataclass(frozen=True)
class BuildReport:
    """Say what a run came to, earlier parts of it included."""

    folder: Path
    """Where the masks are."""
    settings: Mapping[str, Any]
    """What was asked for, and which drawings."""
    attempts: int
    """Masks that all passes over all drawings would be."""
    attempted: int
    """Masks that were made or tried; fewer than `attempts` if all bins were full before."""
    attempted_before: int
    """How many of them an earlier part of the run made."""
    kept: tuple[int, ...]
    """Masks in each of the six bins."""
    came: tuple[int, ...]
    """Masks that each of the six bins was offered; what came too late is not kept."""
    too_small: int
    """Masks with too little hole for the first bin."""
    too_large: int
    """Masks with too much hole for the last bin."""
    unusable: int
    """Attempts with a drawing that cannot be read or is no drawing."""
    failures: Mapping[str, str]
    """Why, by name of the drawing; at most 1,000 of them."""
    without_hole: int
    """Masks, kept or not, without any hole."""
    histogram: tuple[int, ...]
    """The other masks, kept or not, by share of hole: above 0 to 5 %, above 5 to 10 %, ..., above 95 to 100 %."""

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a dict that JSON can hold, bins by the names of their folders."""
        plain = {**asdict(self), "folder": str(self.folder), "settings": dict(self.settings)}
        for name in ("kept", "came"):
            plain[name] = dict(zip(BIN_NAMES, plain[name], strict=True))
        return plain


@dataclass
class Tally:
    """Count what comes of a run, attempt by attempt, in order."""

    attempted: int = 0
    kept: list[int] = field(default_factory=lambda: [0] * len(BIN_NAMES))
    came: list[int] = field(default_factory=lambda: [0] * len(BIN_NAMES))
    too_small: int = 0
    too_large: int = 0
    unusable: int = 0
    failures: dict[str, str] = field(default_factory=lambda: dict[str, str]())
    without_hole: int = 0
    histogram: list[int] = field(default_factory=lambda: [0] * FINE_BINS)
    complete: bool = False

    def add(self, hole_px: int, pixels: int, place: int | None, per_bin: int) -> bool:
        """Count a mask; return whether it is kept.

        Args:
            hole_px: Pixels of its hole.
            pixels: All its pixels.
            place: Its bin, or None.
            per_bin: How many masks a bin takes.
        """
        self.attempted += 1
        if hole_px:
            self.histogram[-(-hole_px * FINE_BINS // pixels) - 1] += 1
        else:
            self.without_hole += 1
        if place is None:
            small = hole_px / pixels <= RATIO_BINS[0][0]
            self.too_small += small
            self.too_large += not small
            return False
        self.came[place] += 1
        kept = self.kept[place] < per_bin
        self.kept[place] += kept
        return kept

    def fail(self, drawing: str, why: str) -> None:
        """Count a drawing that cannot be used."""
        self.attempted += 1
        self.unusable += 1
        if len(self.failures) < FAILURES_NAMED:
            self.failures.setdefault(drawing, why)

    def report(self, run: "Run", attempts: int, before: int) -> BuildReport:
        """Return the counts as they are now."""
        return BuildReport(
            folder=run.folder,
            settings=dict(run.settings),
            attempts=attempts,
            attempted=self.attempted,
            attempted_before=before,
            kept=tuple(self.kept),
            came=tuple(self.came),
            too_small=self.too_small,
            too_large=self.too_large,
            unusable=self.unusable,
            failures=dict(self.failures),
            without_hole=self.without_hole,
            histogram=tuple(self.histogram),
        )


@dataclass(frozen=True)
class Run:
    """Say where a run writes, and what it was asked for."""

    folder: Path
    """Where the masks are."""
    settings: Mapping[str, Any]
    """What was asked for, and which drawings; JSON."""

    def save(self, tally: Tally) -> None:
        """Write the record; every mask that it counts must be on disk.

        Raises:
            OutputError: If it cannot be written.
        """
        content = {
            "version": _VERSION,
            "made_with": {"numpy": np.__version__, "opencv": cv2.__version__},
            "settings": dict(self.settings),
            **asdict(tally),
        }
        with atomic_write(self.folder / RECORD) as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def begin_run(folder: Path, settings: Mapping[str, Any]) -> tuple[Run, Tally]:
    """Begin a run in a new or empty folder, or continue the one that is there.

    Args:
        folder: Where the masks go; made if it is not there.
        settings: What is asked for, and which drawings; JSON.

    Raises:
        OutputError: If the folder holds something else or cannot be made.
        DataError: If its record is broken or of other settings, or if masks that it counts are gone.
    """
    run = Run(folder, settings)
    try:
        if (folder / RECORD).is_file():
            return run, _continue(run)
        if folder.is_dir() and any(not entry.name.startswith(".") for entry in folder.iterdir()):
            raise OutputError(
                f"masks go into a new or empty folder, or one with a {RECORD} to continue; {folder} holds other things."
                " Choose another folder."
            )
        folder.mkdir(parents=True, exist_ok=True)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"cannot use {folder} for masks: {error.strerror}. Choose another folder.") from error
    tally = Tally()
    run.save(tally)
    for name in BIN_NAMES:
        (folder / name).mkdir(exist_ok=True)
    return run, tally


def _continue(run: Run) -> Tally:
    """Read how far the run in a folder is, and see that it is the same run."""
    path = run.folder / RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        before = record.pop("settings")
        version = record.pop("version")
        record.pop("made_with")
        tally = Tally(**record)
        if version != _VERSION or len(tally.kept) != len(BIN_NAMES):
            raise ValueError(f"version {version}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} should be the record of a run that makes masks, but is not ({error}). Use another folder."
        ) from error
    wanted: dict[str, Any] = json.loads(json.dumps(run.settings))
    other = [name for name in {**before, **wanted} if before.get(name) != wanted.get(name)]
    if other == ["passes"] and before["passes"] < wanted["passes"]:
        tally.complete = tally.complete and min(tally.kept) == wanted["per_bin"]  # else there is more to do now
    elif other:
        raise DataError(
            f"{run.folder} holds masks of another run ({_differences(before, wanted, other)}); repeat its options and "
            "drawings to continue it, or use another folder."
        )
    for left in run.folder.glob(f".{path.stem}.*{path.suffix}"):
        left.unlink(missing_ok=True)
    for name, kept in zip(BIN_NAMES, tally.kept, strict=True):
        (run.folder / name).mkdir(exist_ok=True)
        there = _count_and_tidy(run.folder / name)
        if there < kept:
            raise DataError(
                f"{run.folder / name} should hold {kept} masks of the earlier part of this run, but holds {there}; "
                "bring them back, or begin anew in another folder."
            )
    return tally


def _differences(before: Mapping[str, Any], wanted: Mapping[str, Any], names: list[str]) -> str:
    """Write what differs between the run in the folder and the one that is asked for."""
    if names == ["names_sha256"]:
        return "drawings of other names"
    names = [name for name in names if name != "names_sha256"]
    return ", ".join(f"{name} {before.get(name)}, not {wanted.get(name)}" for name in names)


def _count_and_tidy(folder: Path) -> int:
    """Count the masks of a bin, and remove what a killed process left half-written."""
    count = 0
    for file in folder.rglob("*.png"):
        if file.name.startswith("."):
            with contextlib.suppress(OSError):
                file.unlink()
        else:
            count += 1
    return count
