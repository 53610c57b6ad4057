"""Masks of drawings: geometry held to a slow copy in NumPy, and runs that come to the same masks however they go."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mendpix.data import mask_build
from mendpix.data.drawing_files import DrawingFolder
from mendpix.data.drawings import Imitations, generator_for
from mendpix.data.mask_build import (
    BuildSettings,
    Processing,
    bin_index,
    build_masks,
    make_mask,
    mask_name,
    sample_processing,
    thickness_range,
)
from mendpix.data.mask_files import read_mask_folder
from mendpix.data.mask_sampler import RATIO_BINS
from mendpix.errors import DataError, InputError, OutputError

NAMES = ("10", "20", "30", "40", "50", "60")
PLAIN = Processing(angle_deg=0, thicken_px=1, left=128, top=128, margin_px=0)
WHITE = np.full((512, 512), 255, np.uint8)


# ----------------------------------------------------------------------------------------------------------------------
# One mask


def turned_slowly(drawing, angle_deg):
    """Turn about the centre against the clock, 1.5 times larger, with bilinear samples; outside lies NaN."""
    angle = np.deg2rad(angle_deg)
    rows, columns = np.mgrid[:512, :512] - 256.0
    x = (np.cos(angle) * columns - np.sin(angle) * rows) / 1.5 + 256
    y = (np.sin(angle) * columns + np.cos(angle) * rows) / 1.5 + 256
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    outside = (left < 0) | (top < 0) | (left > 510) | (top > 510)
    left, top = left.clip(0, 510), top.clip(0, 510)
    right, low = x - left, y - top
    grey = drawing.astype(np.float64)
    upper = grey[top, left] * (1 - right) + grey[top, left + 1] * right
    lower = grey[top + 1, left] * (1 - right) + grey[top + 1, left + 1] * right
    return np.where(outside, np.nan, upper * (1 - low) + lower * low)


def made_slowly(drawing, processing):
    """Follow the description step by step, without OpenCV."""
    turned = turned_slowly(drawing, processing.angle_deg)
    assert not np.isnan(turned).any(), "something from outside the drawing is seen"
    side = processing.thicken_px
    padded = np.pad(turned, (side // 2, side - 1 - side // 2), constant_values=255)
    thick = np.lib.stride_tricks.sliding_window_view(padded, side, axis=0).min(axis=2)
    thick = np.lib.stride_tricks.sliding_window_view(thick, side, axis=1).min(axis=2)
    crop = thick[processing.top : processing.top + 256, processing.left : processing.left + 256]
    mask = (255 - crop > 127.5).astype(np.float32)
    if processing.margin_px:
        margin = processing.margin_px
        mask[:margin] = mask[-margin:] = mask[:, :margin] = mask[:, -margin:] = 0
    return mask


@pytest.mark.parametrize(
    "processing",
    [
        PLAIN,
        Processing(90, 14, 0, 0, 0),
        Processing(-180, 15, 256, 256, 23),
        Processing(37, 27, 256, 0, 0),
        Processing(-121, 20, 17, 201, 23),
        Processing(5, 2, 100, 100, 0),
    ],
)
def test_masks_are_those_of_the_slow_copy(processing):
    drawing = Imitations(9).read(4)
    fast, slow = make_mask(drawing, processing), made_slowly(drawing, processing)
    assert 0.05 < slow.mean() < 0.95
    assert (fast != slow).mean() < 0.002  # OpenCV samples at 1/32 px


def test_a_bar_gets_as_wide_as_it_should():
    drawing = WHITE.copy()
    drawing[250:262] = 0  # 12 rows, 18 when enlarged
    for side, rows in ((1, 18), (14, 31), (27, 44)):
        mask = make_mask(drawing, replace(PLAIN, thicken_px=side))
        assert mask[:, 100].sum() == pytest.approx(rows, abs=1)
        assert (mask == mask[:, :1]).all()


def test_positive_angles_turn_against_the_clock():
    drawing = WHITE.copy()
    drawing[246:266, 300:320] = 0  # right of the centre
    rows, columns = np.nonzero(make_mask(drawing, replace(PLAIN, angle_deg=90)))
    assert rows.mean() == pytest.approx(128 - 1.5 * 54, abs=1)  # above it
    assert columns.mean() == pytest.approx(128, abs=1)


@pytest.mark.parametrize(("left", "top"), [(0, 0), (256, 0), (0, 256), (256, 256)])
def test_nothing_from_outside_the_drawing_is_ever_seen(left, top):
    framed = np.zeros((512, 512), np.uint8)
    framed[14:-14, 14:-14] = 255  # the outermost 14 px stay out of sight, whatever lies beyond them
    for angle in range(-180, 181):
        assert not make_mask(framed, Processing(angle, 1, left, top, 0)).any(), angle
    assert make_mask(255 - framed, Processing(45, 1, left, top, 0)).all()


@given(
    number=st.integers(0, 400),
    angle=st.integers(-180, 180),
    side=st.integers(1, 28),
    left=st.integers(0, 256),
    top=st.integers(0, 256),
    margin=st.sampled_from([0, 23]),
)
@settings(max_examples=30, deadline=None)
def test_any_mask_is_binary_grows_with_thickness_and_keeps_its_margin(number, angle, side, left, top, margin):
    drawing = Imitations(401).read(number)
    before = drawing.copy()
    mask = make_mask(drawing, Processing(angle, side, left, top, margin))
    assert mask.shape == (256, 256)
    assert mask.dtype == np.float32
    assert set(np.unique(mask)) <= {0, 1}
    assert np.array_equal(drawing, before)
    if margin:
        assert mask[23:233, 23:233].sum() == mask.sum()
    thicker = make_mask(drawing, Processing(angle, side + 1, left, top, margin))
    assert (thicker >= mask).all()


@pytest.mark.parametrize(
    ("white", "published", "intended"),
    [
        (1.0, (14, 27), (15, 28)),
        (0.999, (14, 27), (14, 27)),
        (0.95, (14, 27), (10, 23)),
        (0.945, (14, 27), (9, 22)),
        (0.86, (14, 27), (1, 14)),
        (0.8, (14, 27), (1, 8)),
        (0.5, (14, 27), (1, 1)),
        (0.0, (15, 28), (1, 1)),
    ],
)
def test_thickness(white, published, intended):
    assert thickness_range(white, "published") == published
    assert thickness_range(white, "intended") == intended


def test_sampled_numbers_fill_their_ranges():
    rng = np.random.default_rng(0)
    drawing = WHITE.copy()
    drawing[:26] = 0  # 5.08 %
    made = [sample_processing(rng, drawing, BuildSettings()) for _ in range(1500)]
    angles = {one.angle_deg for one in made}
    assert -180 <= min(angles) < -176
    assert 176 < max(angles) <= 180
    assert len(angles) > 340
    assert {one.thicken_px for one in made} == set(range(14, 28))
    for corner in ([one.left for one in made], [one.top for one in made]):
        assert 0 <= min(corner) < 3
        assert 253 < max(corner) <= 256
    assert {one.margin_px for one in made} == {0}
    intended = BuildSettings(processing="intended", border="free")
    made = [sample_processing(rng, drawing, intended) for _ in range(500)]
    assert {one.thicken_px for one in made} == set(range(9, 23))
    assert {one.margin_px for one in made} == {23}


@pytest.mark.parametrize(
    ("hole_px", "exact", "published"),
    [
        (0, None, 0),
        (655, None, 0),
        (656, 0, 0),
        (6553, 0, 0),
        (6554, 1, 0),
        (6580, 1, 1),
        (32768, 4, 4),
        (39321, 5, 5),
        (39322, None, 5),
        (39475, None, 5),
        (39476, None, None),
        (65536, None, None),
    ],
)
def test_bins(hole_px, exact, published):
    assert bin_index(hole_px, BuildSettings()) == exact
    assert bin_index(hole_px, BuildSettings(binning="published")) == published


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("processing", "paper", "processing must be published or intended; got 'paper'"),
        ("border", "touch", "border must be free or any; got 'touch'"),
        ("binning", "", "binning must be exact or published"),
        ("per_bin", 0, "per_bin must be at least 1; got 0"),
        ("passes", 0, "passes must be at least 1"),
        ("seed", -1, "seed must be at least 0"),
    ],
)
def test_settings_are_checked(name, value, message):
    with pytest.raises(InputError, match=message):
        BuildSettings(**{name: value})


# ----------------------------------------------------------------------------------------------------------------------
# Runs


def files_of(folder: Path) -> dict[str, bytes]:
    """Return every file of a run by name, the record without what may differ between runs."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A run in one go: 40 drawings, two passes, 5 masks a bin."""
    out = tmp_path_factory.mktemp("whole") / "masks"
    build_masks(Imitations(40), out, SMALL, workers=1)
    return out


SMALL = BuildSettings(per_bin=5, passes=2)


def test_a_run_gives_strict_masks_in_their_bins_and_a_record(whole):
    folder = read_mask_folder(whole)
    assert len(folder) == sum(len(list((whole / name).iterdir())) for name in NAMES) > 20
    for name, mask in folder:
        low, high = RATIO_BINS[NAMES.index(name.split("/")[0])]
        assert mask.shape == (256, 256)
        assert low < mask.mean(dtype=np.float64) <= high
        with Image.open(whole / name) as picture:
            assert (picture.format, picture.mode) == ("PNG", "1")
    record = json.loads((whole / "masks.json").read_text())
    assert record["complete"]
    assert record["kept"] == [len(list((whole / name).iterdir())) for name in NAMES]
    assert record["settings"] == {
        **{"processing": "published", "border": "any", "binning": "exact", "per_bin": 5, "passes": 2, "seed": 0},
        **{"source": "imitations", "drawings": 40, "drawings_seed": 0},
    }


def test_every_mask_can_be_made_again_from_its_name(whole):
    drawings = Imitations(40)
    for name, mask in read_mask_folder(whole):
        drawing_name, _, number = Path(name).stem.rpartition("-")
        drawing = drawings.read(list(drawings.names).index(drawing_name))
        rng = generator_for(0, "mask", int(number), drawing_name)
        assert np.array_equal(make_mask(drawing, sample_processing(rng, drawing, SMALL)), mask)


def test_counts_add_up(tmp_path):
    report = build_masks(Imitations(30), tmp_path / "masks", replace(SMALL, per_bin=3), workers=2)
    assert report.attempted == report.attempts == 60
    assert sum(report.came) + report.too_small + report.too_large + report.unusable == 60
    assert report.without_hole + sum(report.histogram) == 60
    assert report.kept == tuple(min(came, 3) for came in report.came)
    assert report.too_small >= report.without_hole
    shares = sum(report.histogram[:12]) - (report.too_small - report.without_hole)
    assert shares == sum(report.came)  # 12 fine bins make up the six


def test_bins_take_the_first_masks_in_order_of_passes_and_drawings(whole, tmp_path):
    build_masks(Imitations(40), tmp_path / "all", replace(SMALL, per_bin=1000), workers=1)
    for name in NAMES:
        everything = [path.stem.rpartition("-") for path in (tmp_path / "all" / name).iterdir()]
        first = sorted(everything, key=lambda parts: (int(parts[2]), parts[0]))[:5]
        assert {path.stem for path in (whole / name).iterdir()} == {"".join(parts) for parts in first}


@pytest.mark.parametrize("workers", [2, 5])
def test_any_number_of_workers_gives_the_same_files(whole, tmp_path, workers):
    build_masks(Imitations(40), tmp_path, SMALL, workers=workers)
    assert files_of(tmp_path) == files_of(whole)


def test_other_settings_give_other_masks(whole, tmp_path):
    build_masks(Imitations(40), tmp_path / "seed", replace(SMALL, seed=1))
    build_masks(Imitations(40), tmp_path / "intended", replace(SMALL, processing="intended"))
    sets = [set(files_of(folder).values()) for folder in (whole, tmp_path / "seed", tmp_path / "intended")]
    assert not sets[0] & sets[1]
    assert not sets[0] & sets[2]


def test_a_free_border_is_free(tmp_path):
    build_masks(Imitations(40), tmp_path, replace(SMALL, border="free"))
    for _, mask in read_mask_folder(tmp_path):
        assert mask[23:233, 23:233].sum() == mask.sum()


def test_a_full_set_ends_the_run_early(tmp_path):
    report = build_masks(Imitations(4000), tmp_path, replace(SMALL, per_bin=1), workers=3)
    assert report.kept == (1,) * 6
    assert report.attempted < 400
    again = build_masks(Imitations(4000), tmp_path, replace(SMALL, per_bin=1, passes=9))
    assert (again.attempted, again.attempted_before) == (report.attempted, report.attempted)


class StopError(Exception):
    """Stand for Ctrl-C and the like."""


def stop_at(share):
    def progress(done, what):
        if done > share:
            raise StopError

    return progress


def test_a_run_that_was_stopped_goes_on_to_the_same_files(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(mask_build, "_SAVE_EVERY_S", 0.0)
    for share in (0.1, 0.11, 0.5, 0.8):
        with pytest.raises(StopError):
            build_masks(Imitations(40), tmp_path, SMALL, workers=2, progress=stop_at(share))
        record = json.loads((tmp_path / "masks.json").read_text())
        assert not record["complete"]
        assert all((tmp_path / name).is_dir() for name in NAMES)
    assert 20 < record["attempted"] < 80
    report = build_masks(Imitations(40), tmp_path, SMALL, workers=3)
    assert report.attempted_before == record["attempted"]
    assert files_of(tmp_path) == files_of(whole)
    again = build_masks(Imitations(40), tmp_path, SMALL)
    assert again.attempted_before == again.attempted
    assert files_of(tmp_path) == files_of(whole)


def test_a_run_that_was_killed_goes_on_to_the_same_files(whole, tmp_path):
    program = (
        "import os, sys\n"
        "from mendpix.data import mask_build as m\n"
        "from mendpix.data.drawings import Imitations\n"
        "m._SAVE_EVERY_S = 0.02\n"
        "settings = m.BuildSettings(per_bin=5, passes=2)\n"
        "kill = lambda share, what: os.kill(os.getpid(), 9) if share > 0.6 else None\n"
        "m.build_masks(Imitations(40), sys.argv[1], settings, workers=4, progress=kill)\n"
    )
    package = str(Path(mask_build.__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], env={"PYTHONPATH": package}, timeout=120)
    assert done.returncode == -9
    (tmp_path / "10" / ".imitation-0000001-1.0123456789ab.png").write_bytes(b"half")  # as a kill may leave behind
    (tmp_path / ".masks.0123456789ab.json").write_bytes(b"half")
    build_masks(Imitations(40), tmp_path, SMALL, workers=2)
    assert files_of(tmp_path) == files_of(whole)


def test_more_passes_add_to_a_finished_run(whole, tmp_path):
    build_masks(Imitations(40), tmp_path, replace(SMALL, passes=1))
    assert len(files_of(tmp_path)) < len(files_of(whole))
    build_masks(Imitations(40), tmp_path, SMALL)
    assert files_of(tmp_path) == files_of(whole)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, r"another run \(seed 0, not 1\); repeat its options"),
        ({"per_bin": 6, "border": "free"}, r"border any, not free, per_bin 5, not 6"),
        ({"passes": 1}, "passes 2, not 1"),
    ],
)
def test_other_settings_in_the_same_folder_are_refused(whole, change, message):
    before = files_of(whole)
    with pytest.raises(DataError, match=message):
        build_masks(Imitations(40), whole, replace(SMALL, **change))
    with pytest.raises(DataError, match="drawings 40, not 41"):
        build_masks(Imitations(41), whole, SMALL)
    assert files_of(whole) == before


def test_foreign_folders_are_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"new or empty folder.* holds other things"):
        build_masks(Imitations(2), tmp_path, SMALL)
    with pytest.raises(OutputError, match=r"cannot use .*notes\.txt"):
        build_masks(Imitations(2), tmp_path / "notes.txt", SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("content", ["", "[]", '{"version": 1}', '{"version": 2, "settings": {}, "made_with": {}}'])
def test_a_broken_record_is_named(tmp_path, content):
    (tmp_path / "masks.json").write_text(content)
    with pytest.raises(DataError, match=r"masks\.json should be the record of a run"):
        build_masks(Imitations(2), tmp_path, SMALL)


def test_masks_that_are_gone_are_noticed(tmp_path):
    build_masks(Imitations(40), tmp_path, SMALL)
    next((tmp_path / "30").iterdir()).unlink()
    with pytest.raises(DataError, match=r"30 should hold 5 masks .* but holds 4"):
        build_masks(Imitations(40), tmp_path, SMALL)


def test_a_file_that_cannot_be_written_ends_the_run_and_it_goes_on_later(whole, tmp_path):
    stumble = sorted((whole / "20").iterdir())[2].name
    (tmp_path / "20" / stumble).mkdir(parents=True)
    (tmp_path / "masks.json").write_text(
        json.dumps({**json.loads((whole / "masks.json").read_text()), **EMPTY, "complete": False})
    )
    with pytest.raises(OutputError, match=stumble):
        build_masks(Imitations(40), tmp_path, SMALL, workers=1)
    (tmp_path / "20" / stumble).rmdir()
    build_masks(Imitations(40), tmp_path, SMALL, workers=1)
    assert files_of(tmp_path) == files_of(whole)


EMPTY = {
    **{"attempted": 0, "kept": [0] * 6, "came": [0] * 6, "too_small": 0, "too_large": 0, "without_hole": 0},
    "histogram": [0] * 20,
}


# ----------------------------------------------------------------------------------------------------------------------
# Folders of drawings


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """24 drawings as files, some in a subfolder."""
    place = tmp_path_factory.mktemp("drawings")
    (place / "sub").mkdir()
    source = Imitations(24)
    for index, name in enumerate(source.names):
        suffix = ".bmp" if index % 5 == 0 else ".png"
        Image.fromarray(source.read(index)).convert("1").save(place / ("sub" if index % 3 else "") / f"{name}{suffix}")
    return place


def test_drawings_of_a_folder_give_masks_named_after_them(folder, tmp_path):
    report = build_masks(DrawingFolder(folder), tmp_path, SMALL)
    assert report.unusable == 0
    made = {
        path.relative_to(tmp_path / path.relative_to(tmp_path).parts[0]).as_posix()
        for path in tmp_path.rglob("*-?.png")
    }
    possible = {mask_name(name, number) for name in DrawingFolder(folder).names for number in (1, 2)}
    assert made <= possible
    assert any(name.startswith("sub/") for name in made)
    assert len(read_mask_folder(tmp_path)) == len(made)


def test_broken_drawings_are_counted_named_and_change_nothing_else(folder, tmp_path):
    place = tmp_path / "drawings"
    place.mkdir()
    for path in folder.glob("*.png"):
        (place / path.name).write_bytes(path.read_bytes())
    build_masks(DrawingFolder(place), tmp_path / "good", SMALL)
    (place / "a-cut.png").write_bytes(next(folder.glob("*.png")).read_bytes()[:200])
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)).save(place / "photo.png")
    report = build_masks(DrawingFolder(place), tmp_path / "all", SMALL, workers=2)
    assert report.unusable == 4  # two drawings, two passes
    assert list(report.failures) == ["a-cut.png", "photo.png"]
    assert "cut short" in report.failures["a-cut.png"]
    assert "grey" in report.failures["photo.png"]
    good, everything = (files_of(tmp_path / name) for name in ("good", "all"))
    assert json.loads(everything.pop("masks.json"))["failures"] == dict(report.failures)
    del good["masks.json"]
    assert everything == good


def test_drawings_that_all_fail_from_somewhere_on_stop_the_run_unrecorded(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(mask_build, "_BROKEN_IN_A_ROW", 10)
    monkeypatch.setattr(mask_build, "_SAVE_EVERY_S", 0.0)
    drawings = DrawingFolder(folder)
    build_masks(drawings, tmp_path / "whole", SMALL)

    class Vanishing:
        names, facts = drawings.names, drawings.facts

        def read(self, index):
            if index >= 12:
                raise DataError("the disk is gone.")
            return drawings.read(index)

    with pytest.raises(DataError, match="10 drawings in a row cannot be used, the last one because: the disk is gone"):
        build_masks(Vanishing(), tmp_path / "masks", SMALL, workers=2)
    record = json.loads((tmp_path / "masks" / "masks.json").read_text())
    assert (record["attempted"], record["unusable"]) == (12, 0)
    build_masks(drawings, tmp_path / "masks", SMALL)
    assert files_of(tmp_path / "masks") == files_of(tmp_path / "whole")


def test_a_folder_whose_drawings_changed_is_not_continued(folder, tmp_path):
    place = tmp_path / "drawings"
    place.mkdir()
    for number, path in enumerate(sorted(folder.glob("*.png"))[:3]):
        (place / f"{number}.png").write_bytes(path.read_bytes())
    build_masks(DrawingFolder(place), tmp_path / "masks", SMALL)
    (place / "2.png").rename(place / "3.png")
    with pytest.raises(DataError, match=r"another run \(drawings of other names\)"):
        build_masks(DrawingFolder(place), tmp_path / "masks", SMALL)


def test_published_bins_take_masks_without_a_hole(tmp_path):
    class Blank:
        names = ("blank",)

        def read(self, index):
            return WHITE.copy()

        def facts(self):
            return {}

    assert build_masks(Blank(), tmp_path / "exact", SMALL).kept == (0,) * 6
    report = build_masks(Blank(), tmp_path / "published", replace(SMALL, binning="published"))
    assert (report.kept, report.without_hole, report.too_small) == ((2, 0, 0, 0, 0, 0), 2, 0)
