import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mendpix.errors import MaskError, ShapeError
from mendpix.exemplar import exemplar, fill, voting
from mendpix.exemplar.shiftmap import shiftmap
from random_holes import holes

needs_contrib = pytest.mark.skipif(not hasattr(cv2, "xphoto"), reason="OpenCV was installed without contrib")
METHODS = pytest.mark.parametrize("method", [exemplar, pytest.param(shiftmap, marks=needs_contrib)])


def disc(size: int, radius: int) -> np.ndarray:
    hole = np.zeros((size, size), np.float32)
    cv2.circle(hole, (size // 2, size // 2), radius, 1, -1)
    return hole


def tiles(size: int, period: int, seed: int = 0) -> np.ndarray:
    """A random tile, repeated."""
    tile = np.random.default_rng(seed).random((period, period, 3), np.float32)
    tile = cv2.GaussianBlur(np.tile(tile, (3, 3, 1)), (0, 0), 1)[period : 2 * period, period : 2 * period]
    times = -(-size // period)
    return np.ascontiguousarray(np.tile(tile, (times, times, 1))[:size, :size])


def waves(size: int) -> np.ndarray:
    """Crossing waves 16 and 24 px long, to be seen in smaller pictures too."""
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32) * np.float32(2 * np.pi)
    planes = [np.sin(columns / 16), np.sin(rows / 16), np.sin((rows + columns) / 24)]
    return np.stack([0.5 + 0.2 * plane for plane in planes], axis=2).astype(np.float32)


def grain(size: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0.5, 0.2, (size, size, 3)).astype(np.float32)
    return np.clip(cv2.GaussianBlur(noise, (0, 0), 0.8), 0, 1)


def energy(image: np.ndarray, where: np.ndarray) -> float:
    grey = image @ np.array([0.299, 0.587, 0.114], np.float32)
    return float((np.asarray(cv2.Laplacian(grey, -1)) ** 2)[where].mean())


@METHODS
def test_what_repeats_is_restored(method):
    image, hole = tiles(128, 12), disc(128, 22)
    filled = method(np.where(hole[..., None] > 0, np.float32(0), image), hole)
    inside = hole > 0
    assert np.abs(filled - image)[inside].mean() < 0.01
    assert np.abs(filled - image)[inside].max() < 0.2


@METHODS
def test_known_pixels_stay_nothing_is_written_and_the_hole_does_not_matter(method):
    image, hole = tiles(96, 12), disc(96, 18)
    image += 0.05 * grain(96)
    image = np.clip(image, 0, 1)
    before = image.copy()
    filled = method(image, hole)
    assert filled.dtype == np.float32
    assert np.array_equal(image, before)
    assert np.array_equal(filled[hole == 0], image[hole == 0])
    spoilt = np.where(hole[..., None] > 0, np.random.default_rng(1).random(image.shape, np.float32), image)
    assert np.array_equal(method(spoilt, hole), filled)


def test_a_seed_decides_and_the_same_seed_gives_the_same_fill():
    image, hole = grain(96), disc(96, 18)
    first = exemplar(image, hole, seed=3)
    assert np.array_equal(first, exemplar(image, hole, seed=3))
    assert not np.array_equal(first, exemplar(image, hole, seed=4))


@METHODS
def test_texture_is_as_strong_inside_as_around(method):
    image, hole = grain(160), disc(160, 30)
    filled = method(image, hole)
    inner = cv2.erode(hole, np.ones((3, 3))) > 0
    assert 0.7 < energy(filled, inner) / energy(image, hole == 0) < 1.3


@METHODS
def test_nothing_is_copied_from_what_is_excluded(method):
    image = 0.2 * grain(128) + np.float32([0.0, 0.2, 0.6])
    image[:, :40] = 0.2 * grain(128, 1)[:, :40] + np.float32([0.7, 0.2, 0.0])  # red, reaches up to the hole
    hole = np.zeros((128, 128), np.float32)
    hole[40:90, 36:80] = 1
    excluded = np.zeros_like(hole)
    excluded[:, :40] = 1
    excluded[hole > 0] = 0
    filled = method(image, hole, excluded=excluded)
    assert filled[hole > 0][:, 0].max() < 0.5  # the red of the left side would be 0.7 and more
    assert method(image, hole)[hole > 0][:, 0].max() > 0.6  # not excluded, it is copied


def test_a_large_picture_is_filled_at_full_sharpness(monkeypatch):
    image, hole = tiles(512, 32), disc(512, 90)
    monkeypatch.setattr(fill, "WORKING_SIDE_PX", 128)  # two doublings
    filled = exemplar(image, hole)
    inner = cv2.erode(hole, np.ones((3, 3))) > 0
    assert 0.85 < energy(filled, inner) / energy(image, hole == 0) < 1.15
    assert np.abs(filled - image)[hole > 0].mean() < 0.02
    filled = exemplar(grain(512), hole)
    assert 0.8 < energy(filled, inner) / energy(grain(512), hole == 0) < 1.2


def test_odd_sizes_and_thin_tails_survive_halving(monkeypatch):
    monkeypatch.setattr(fill, "WORKING_SIDE_PX", 80)
    image = tiles(301, 16)[:, :215].copy()
    hole = np.zeros(image.shape[:2], np.float32)
    cv2.circle(hole, (100, 150), 40, 1, -1)
    cv2.line(hole, (100, 150), (214, 300), 1, 1)  # thin: gone from every smaller picture
    cv2.line(hole, (0, 0), (0, 300), 1, 1)
    filled = exemplar(image, hole)
    assert np.isfinite(filled).all()
    assert np.abs(filled - image)[hole > 0].mean() < 0.05


def test_a_smooth_gradient_shows_no_seam():
    rows, columns = np.mgrid[0:128, 0:128].astype(np.float32) / 128
    image = np.stack([0.3 + 0.4 * rows, 0.4 + 0.3 * rows, 0.6 + 0.2 * rows * columns], axis=2)
    hole = disc(128, 26)
    filled = exemplar(image, hole)
    steps = [np.abs(np.diff(filled, axis=axis)).max() for axis in (0, 1)]
    assert max(steps) < 0.02
    assert np.abs(filled - image).max() < 0.06


@pytest.mark.parametrize("place", ["corner", "edge", "frame"])
def test_holes_at_the_border_of_the_picture_are_closed_without_a_seam(place):
    image, hole = waves(128), np.zeros((128, 128), np.float32)
    if place == "corner":
        hole[:40, :40] = 1
    elif place == "edge":
        hole[90:, 40:80] = 1
    else:
        hole[:] = 1
        hole[12:-12, 12:-12] = 0
    filled = exemplar(image, hole)
    assert np.abs(filled - image)[hole > 0].mean() < 0.02
    steps = [np.abs(np.diff(filled, axis=axis)).max() for axis in (0, 1)]
    assert max(steps) < 0.15  # the waves' own: 0.08


def test_a_hole_of_four_fifths_is_filled():
    image, hole = tiles(128, 12), np.ones((128, 128), np.float32)
    hole[:25] = 0
    filled = exemplar(image, hole)
    assert energy(filled, hole > 0) > 0.3 * energy(image, hole == 0)
    assert np.array_equal(filled[:25], image[:25])


def test_an_empty_hole_gives_the_picture():
    image = tiles(64, 8)
    filled = exemplar(image, np.zeros((64, 64), np.float32))
    assert np.array_equal(filled, image)
    assert filled is not image


def test_too_little_to_copy_from_is_an_error_with_a_way_out():
    hole = np.ones((64, 64), np.float32)
    hole[:3] = 0
    with pytest.raises(MaskError, match=r"24 patches of 7 px .* got 0\. Make the hole .* --model scenes"):
        exemplar(tiles(64, 8), hole)
    with pytest.raises(MaskError, match="patches"):
        exemplar(tiles(64, 8), disc(64, 9), excluded=1 - disc(64, 9))


def test_sizes_must_fit():
    image, hole = tiles(64, 8), disc(64, 9)
    with pytest.raises(ShapeError, match=r"hole must be \(64, 64\)"):
        exemplar(image, hole[1:])
    with pytest.raises(ShapeError, match=r"excluded must be \(64, 64\)"):
        exemplar(image, hole, excluded=hole[1:])
    with pytest.raises(ShapeError, match=r"image must be \(H, W, 3\)"):
        exemplar(image[..., :1], hole)


@settings(max_examples=8, deadline=None)
@given(holes(longest=80), st.integers(0, 2**32 - 1))
def test_any_hole_is_filled_or_refused(missing, seed):
    assume(missing.size > 100)
    rng = np.random.default_rng(seed)
    image = rng.random((*missing.shape, 3), np.float32)
    hole = missing.astype(np.float32)
    try:
        filled = exemplar(image, hole)
    except MaskError:
        return
    assert np.array_equal(filled[~missing], image[~missing])
    assert np.isfinite(filled).all()
    assert filled.min() >= 0
    assert filled.max() <= 1


@METHODS
@pytest.mark.parametrize("lines", [1, 4])
def test_lines_and_specks_are_not_lost_when_the_picture_is_halved(method, lines, monkeypatch):
    monkeypatch.setattr(fill, "WORKING_SIDE_PX", 96)
    image, hole = grain(300), np.zeros((300, 300), np.float32)
    for line in range(lines):
        hole[20:280, 100 + 40 * line] = 1
    hole[::50, ::50] = 1
    filled = method(image, hole)
    assert np.isfinite(filled).all()
    assert np.array_equal(filled[hole == 0], image[hole == 0])
    assert 0.3 < filled[hole > 0].mean() < 0.7


def test_a_thin_hole_in_a_large_picture_stays_small_work(monkeypatch):
    compared = []
    peel = fill.peel

    def watched(channels, missing, usable, rng):
        compared.append(missing.size)
        return peel(channels, missing, usable, rng)

    monkeypatch.setattr(fill, "peel", watched)
    monkeypatch.setattr(fill, "COARSEST_PX", 4000)
    hole = np.zeros((160, 160), np.float32)
    hole[:, 40:44] = hole[:, 100:104] = 1
    exemplar(grain(160), hole)
    assert compared[0] <= fill.COARSEST_PX


def test_where_halving_must_stop_early_a_sample_is_compared(monkeypatch):
    image, hole = grain(128), disc(128, 30)
    excluded = np.zeros_like(hole)
    excluded[::12, ::12] = 1  # no whole patch is left in a smaller picture
    excluded[hole > 0] = 0
    monkeypatch.setattr(voting, "MOST_PAIRS", 10_000)
    filled = exemplar(image, hole, excluded=excluded)
    assert 0.5 < energy(filled, cv2.erode(hole, np.ones((3, 3))) > 0) / energy(image, hole == 0) < 1.5


def test_the_number_of_threads_does_not_change_the_fill(tmp_path):
    np.save(tmp_path / "image.npy", grain(140) * np.linspace(0.5, 1, 140, dtype=np.float32)[:, None, None])
    code = (
        "import sys, hashlib, cv2, numpy as np\n"
        "from mendpix.exemplar import exemplar\n"
        "cv2.setNumThreads(int(sys.argv[1]))\n"
        "hole = np.zeros((140, 140), np.float32)\n"
        "hole[40:90, 40:95] = 1\n"
        "print(hashlib.sha256(exemplar(np.load(sys.argv[2]), hole).tobytes()).hexdigest())\n"
    )
    found = set()
    for threads in ("1", "2"):
        command = [sys.executable, "-c", code, threads, str(tmp_path / "image.npy")]
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        found.add(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert len(found) == 1
