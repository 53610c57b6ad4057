import cv2
import numpy as np
import pytest

from mendpix.exemplar.fill import search_offsets
from mendpix.exemplar.levels import Level, halve, texture_of
from mendpix.exemplar.offsets import Offsets, Unary, around_hole
from mendpix.exemplar.patches import fit, whole_patches
from mendpix.exemplar.pieces import double, merge_pieces, repair, settle_pieces
from mendpix.exemplar.search import Search, reluctance
from mendpix.exemplar.shiftmap import opencv_offsets
from mendpix.exemplar.tones import correction, soften
from mendpix.exemplar.voting import vote


def grain(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


def level_of(image: np.ndarray, hole: tuple[slice, slice]) -> Level:
    missing = np.zeros(image.shape[:2], np.bool_)
    missing[hole] = True
    return Level(image, missing, ~missing)


def offsets_of(level: Level, down: int | np.ndarray, across: int | np.ndarray) -> Offsets:
    shape = level.missing.shape
    return around_hole(level, np.broadcast_to(np.int64(down), shape), np.broadcast_to(np.int64(across), shape))


def seam_energy(offsets: Offsets) -> float:
    rows, columns = np.nonzero(offsets.missing)
    return float(offsets.seam_cost(rows, columns, offsets.down[rows, columns], offsets.across[rows, columns]).sum())


def test_halving_takes_means_of_what_is_known():
    image = grain(5, 6)
    level = level_of(image, (slice(0, 2), slice(0, 1)))
    smaller = halve(level)
    assert smaller.image.shape == (3, 3, 3)
    assert np.allclose(smaller.image[0, 0], image[0:2, 1].mean(axis=0), atol=1e-6)  # the known half
    assert np.allclose(smaller.image[1, 2], image[2:4, 4:6].mean(axis=(0, 1)), atol=1e-6)
    assert smaller.missing.tolist() == [[True, False, False], [False] * 3, [False] * 3]  # or nothing would be left
    assert smaller.usable.tolist() == [[False, True, True], [True] * 3, [True] * 3]
    wide = halve(level_of(image, (slice(0, 2), slice(0, 3))))  # half of a cell is not more than half
    assert wide.missing.tolist() == [[True, False, False], [False] * 3, [False] * 3]


def test_texture_is_the_mean_step_and_knows_no_hole():
    image = np.zeros((32, 32, 3), np.float32)
    image[:, ::2] = 0.5  # steps of 0.5 across, none down; the Sobel filter of size 1 looks at both neighbours
    image[:, ::4] = 1.0
    level = level_of(image, (slice(8, 16), slice(8, 16)))
    spoilt = Level(np.where(level.missing[..., None], np.float32(7), image), level.missing, level.usable)
    texture = texture_of(level, 4)
    assert np.array_equal(texture, texture_of(spoilt, 4))
    assert texture[20:, 20:, 0].min() > 0.1
    assert texture[..., 1].max() == 0


def test_descriptions_keep_distances():
    image = cv2.GaussianBlur(grain(64, 64), (0, 0), 2)
    description = fit(image, np.ones((64, 64), np.bool_), np.random.default_rng(0))
    described = description.of_all(image)
    a, b = 20 * 64 + 20, 40 * 64 + 31
    true = ((image[17:24, 17:24] - image[37:44, 28:35]) ** 2).sum()
    assert ((described[a] - described[b]) ** 2).sum() == pytest.approx(true, rel=0.05)


def test_whole_patches_may_touch_the_picture_edge_but_not_the_hole():
    usable = np.ones((20, 20), np.bool_)
    usable[10, 10] = False
    whole = whole_patches(usable)
    assert whole[0, 0]
    assert not whole[7:14, 7:14].any()
    assert whole.sum() == 400 - 49


def test_search_finds_copies():
    image = cv2.GaussianBlur(grain(40, 80), (0, 0), 1)
    image[:, 40:] = image[:, :40]  # the right half is a copy of the left one
    usable = np.zeros((40, 80), np.bool_)
    usable[:, :40] = True
    rng = np.random.default_rng(0)
    description = fit(image, usable, rng)
    known = description.of_all(image)
    rows, columns = (values.ravel() for values in np.mgrid[5:35, 46:74])
    search = Search(rows, columns, usable, known, rng)
    search.start(np.full(len(rows), -1))
    search.improve(known[rows * 80 + columns], 6, 64)
    assert np.mean(search.source == rows * 80 + columns - 40) > 0.95
    assert usable.ravel()[search.source].all()
    assert np.median(search.cost) == pytest.approx(reluctance(0, np.int64(-40), 80), abs=1e-6)  # nothing but that


def test_a_vote_of_one_opinion_copies_and_of_two_is_their_mean():
    image = grain(12, 40)
    level = level_of(image, (slice(4, 8), slice(16, 20)))
    rows, columns = np.nonzero(cv2.dilate(level.missing.astype(np.uint8), np.ones((7, 7), np.uint8)))
    number = np.full(level.missing.shape, -1)
    number[rows, columns] = np.arange(len(rows))
    one = vote(image, level.missing, number, rows * 40 + columns + 12, np.ones(len(rows), np.float32))
    assert np.allclose(one[4:8, 16:20], image[4:8, 28:32], atol=1e-6)
    assert np.array_equal(one[~level.missing], image[~level.missing])
    offsets = np.where(np.arange(len(rows)) % 2 == 0, 12, -12)
    weight = np.where(offsets > 0, 3, 1).astype(np.float32)
    two = vote(image, level.missing, number, rows * 40 + columns + offsets, weight)
    low, high = (np.minimum(image[4:8, 4:8], image[4:8, 28:32]), np.maximum(image[4:8, 4:8], image[4:8, 28:32]))
    assert (two[4:8, 16:20] >= low - 1e-6).all()
    assert (two[4:8, 16:20] <= high + 1e-6).all()


def test_pieces_merge_where_that_costs_less_and_never_raise_the_energy():
    image = np.full((40, 80, 3), 0.5, np.float32)  # all seams are invisible: only their length counts
    level = level_of(image, (slice(10, 30), slice(10, 30)))
    rng = np.random.default_rng(0)
    offsets = offsets_of(level, 0, rng.integers(25, 45, (40, 80)))
    rows, columns = np.nonzero(offsets.missing)
    unary = Unary(offsets, np.zeros((len(rows), 1), np.float32), np.zeros((3200, 1), np.float32), level.usable, 1.0)
    before, energy = offsets.pieces()[1], seam_energy(offsets)
    merge_pieces(offsets, unary, 30, rng)
    assert offsets.pieces()[1] < before / 10
    assert seam_energy(offsets) < energy
    _, allowed = offsets.look(rows, columns, offsets.down[rows, columns], offsets.across[rows, columns])
    assert allowed.all()


def test_pieces_of_different_pictures_do_not_merge():
    image = np.zeros((30, 90, 3), np.float32)
    image[:, 20:60] = np.linspace(0, 1, 40, dtype=np.float32)[:, None] ** 2  # every offset looks different here
    level = level_of(image, (slice(10, 20), slice(35, 45)))
    across = np.zeros((30, 90), np.int64)
    across[:, :40], across[:, 40:] = -12, 12
    offsets = offsets_of(level, 0, across)
    rows, columns = np.nonzero(offsets.missing)
    known = image.reshape(-1, 3)
    wanted = known[(rows + offsets.top) * 90 + columns + offsets.left + offsets.across[rows, columns]]
    merge_pieces(offsets, Unary(offsets, wanted, known, level.usable, 10.0), 20, np.random.default_rng(0))
    assert offsets.pieces()[1] == 2


def test_a_piece_that_is_off_by_a_pixel_settles():
    base = cv2.GaussianBlur(grain(64, 100), (0, 0), 1.5)
    image = base.copy()
    image[:, 50:] = base[:, :50]  # true offset: 50 px
    level = level_of(image, (slice(20, 40), slice(10, 30)))
    offsets = offsets_of(level, 1, 49)
    settle_pieces(offsets)
    assert np.unique(offsets.down[offsets.missing]).tolist() == [0]
    assert np.unique(offsets.across[offsets.missing]).tolist() == [50]


def test_doubled_offsets_copy_the_same_thing():
    base = cv2.GaussianBlur(grain(64, 101), (0, 0), 2)
    image = base.copy()
    image[:, 50:100] = base[:, :50]
    level = level_of(image, (slice(20, 41), slice(11, 30)))
    coarse = offsets_of(halve(level), 0, 25)
    fine = double(coarse, level)
    assert np.array_equal(
        fine.missing, level.missing[fine.top :, fine.left :][: fine.missing.shape[0], : fine.missing.shape[1]]
    )
    assert np.unique(fine.across[fine.missing]).tolist() == [50]
    assert np.array_equal(fine.copy()[fine.missing], image[20:41, 61:80].reshape(-1, 3))


def test_illegal_offsets_are_mended():
    level = level_of(grain(30, 60), (slice(10, 20), slice(20, 30)))
    across = np.full((30, 60), 15)
    across[:, 25:] = 500  # out of the picture
    down = np.zeros((30, 60), np.int64)
    offsets = offsets_of(level, down, across)
    repair(offsets)
    rows, columns = np.nonzero(offsets.missing)
    assert offsets.look(rows, columns, offsets.down[rows, columns], offsets.across[rows, columns])[1].all()
    nowhere = offsets_of(level, 500, 500)  # no neighbour can help: the nearest known pixels are copied
    repair(nowhere)
    assert nowhere.look(rows, columns, nowhere.down[rows, columns], nowhere.across[rows, columns])[1].all()


def test_a_step_in_tone_is_taken_out_and_an_edge_is_not():
    image = np.full((60, 120, 3), 0.5, np.float32)
    image[:, 70:] += np.float32(0.06)  # copied from here, the fill is too light
    level = level_of(image, (slice(20, 40), slice(20, 40)))
    offsets = offsets_of(level, 0, 60)
    tone = correction(offsets)
    assert np.allclose(soften(offsets, tone)[offsets.missing], 0.5, atol=0.01)
    image[:, 70:] += np.float32(0.4)
    tone = correction(offsets)
    assert np.allclose(soften(offsets, tone)[offsets.missing], 0.96, atol=0.05)


def test_found_offsets_lie_in_what_may_be_copied():
    image = cv2.GaussianBlur(grain(80, 80), (0, 0), 1)
    missing = np.zeros((80, 80), np.bool_)
    missing[30:50, 30:50] = True
    usable = ~missing
    usable[:, :20] = False
    offsets = search_offsets(Level(image, missing, usable), np.random.default_rng(0))
    rows, columns = np.nonzero(offsets.missing)
    source = columns + offsets.left + offsets.across[rows, columns]
    assert source.min() >= 20
    assert usable[rows + offsets.top + offsets.down[rows, columns], source].all()


@pytest.mark.skipif(not hasattr(cv2, "xphoto"), reason="OpenCV was installed without contrib")
def test_offsets_read_from_opencv_tell_where_its_pixels_come_from(monkeypatch):
    image = cv2.GaussianBlur(grain(96, 96), (0, 0), 1)
    level = level_of(image, (slice(40, 56), slice(40, 56)))
    seen = []
    original = cv2.xphoto.inpaint

    def inpaint(given, mask, answer, method):
        original(given, mask, answer, method)
        seen.append(answer.copy())

    monkeypatch.setattr(cv2.xphoto, "inpaint", inpaint)
    offsets = opencv_offsets(level)
    lab = cv2.cvtColor(offsets.copy()[offsets.missing][None], cv2.COLOR_RGB2Lab)[0] * [2.55, 1, 1] + [0, 128, 128]
    assert np.abs(lab - seen[0][level.missing][:, :3]).max() < 0.01
