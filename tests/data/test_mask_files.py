"""Mask folders: sorted, read lazily, strictly black and white; pairs in one fixed order."""

import numpy as np
import pytest
from PIL import Image

from mendpix.data.mask_files import MaskFolders, paired_masks, read_mask_folder
from mendpix.errors import DataError, InputError


def hole(height=24, width=32):
    mask = np.zeros((height, width), np.float32)
    mask[4:12, 6:20] = 1
    return mask


def save(mask, path, mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((mask * 255).astype(np.uint8)).convert(mode).save(path)


def test_masks_come_sorted_by_name_with_their_values(tmp_path):
    save(hole(), tmp_path / "b.png", "1")
    save(1 - hole(), tmp_path / "a.png")
    save(hole(), tmp_path / "sub" / "c.PNG", "RGB")
    (tmp_path / "README.md").write_text("no mask")
    folder = read_mask_folder(tmp_path)
    assert folder.names == ("a.png", "b.png", "sub/c.PNG")
    assert len(folder) == 3
    for (name, mask), expected in zip(folder, (1 - hole(), hole(), hole()), strict=True):
        assert mask.dtype == np.float32, name
        assert np.array_equal(mask, expected), name


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "P", "LA"])
def test_every_mode_reads_the_same(tmp_path, mode):
    save(hole(), tmp_path / "mask.png", mode)
    assert np.array_equal(read_mask_folder(tmp_path)[0][1], hole())


def test_sixteen_bit_masks_are_read(tmp_path):
    Image.fromarray((hole() * 65535).astype(np.uint16)).save(tmp_path / "mask.png")
    assert np.array_equal(read_mask_folder(tmp_path)[0][1], hole())


def test_nearly_black_and_white_is_tolerated(tmp_path):
    save(hole() * 0.9 + 0.05, tmp_path / "mask.png")
    assert np.array_equal(read_mask_folder(tmp_path)[0][1], hole())


def test_grey_pixels_are_an_error_that_names_the_file(tmp_path):
    mask = hole()
    mask[5, 7:10] = 0.5
    save(mask, tmp_path / "soft.png")
    save(hole(), tmp_path / "good.png")
    folder = read_mask_folder(tmp_path)  # listing reads nothing
    assert folder[0][0] == "good.png"
    with pytest.raises(DataError, match=r"soft\.png should be black and white, but 3 of its 768 pixels are grey"):
        folder[1]


@pytest.mark.parametrize(("value", "word"), [(0.0, "all black"), (1.0, "all white")])
def test_masks_without_hole_or_without_rest_are_named(tmp_path, value, word):
    save(np.full((8, 8), value), tmp_path / "mask.png")
    with pytest.raises(DataError, match=rf"mask\.png .* {word}"):
        read_mask_folder(tmp_path)[0]


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / "mask.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"mask\.png cannot be read"):
        read_mask_folder(tmp_path)[0]


def test_masks_are_brought_to_the_size_and_stay_binary(tmp_path):
    save(hole(), tmp_path / "mask.png")
    ((_, mask),) = read_mask_folder(tmp_path, size=(12, 16))
    assert mask.shape == (12, 16)
    assert mask.dtype == np.float32
    assert np.array_equal(mask, hole()[::2, ::2])


def test_missing_and_empty_folders_are_named(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        read_mask_folder(tmp_path / "missing")
    with pytest.raises(DataError, match="holds no mask"):
        read_mask_folder(tmp_path)


def test_pairs_follow_sorted_names_whatever_the_order_given():
    pictures, masks = ["p3", "p1", "p2"], ["m2", "m1"]
    pairs = paired_masks(pictures, masks)
    assert [(pictures[i], masks[j]) for i, j in pairs] == [("p1", "m1"), ("p2", "m2"), ("p3", "m1")]
    again = paired_masks(sorted(pictures), sorted(masks))
    assert [(sorted(pictures)[i], sorted(masks)[j]) for i, j in again] == [("p1", "m1"), ("p2", "m2"), ("p3", "m1")]


def test_pairs_need_masks_and_distinct_names():
    with pytest.raises(DataError, match="at least one mask"):
        paired_masks(["p"], [])
    with pytest.raises(DataError, match="pictures must have different names"):
        paired_masks(["p", "p"], ["m"])


def test_training_draws_from_all_folders_evenly_and_mirrors(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    corner = np.zeros((16, 16), np.float32)
    corner[:4, :8] = 1
    save(corner, tmp_path / "a" / "0.png")
    for number in range(3):
        save(np.eye(16, dtype=np.float32), tmp_path / "b" / f"{number}.png")
    folders = MaskFolders([tmp_path / "a", tmp_path / "b"])
    assert len(folders) == 4
    rng = np.random.default_rng(0)
    drawn = [folders.draw(rng, 16) for _ in range(400)]
    corners = [one for one in drawn if one.sum() == 32]
    assert 70 <= len(corners) <= 130  # one file of four
    found = {(bool(one[0].any()), bool(one[:, 0].any())) for one in corners}
    assert found == {(top, left) for top in (True, False) for left in (True, False)}
    assert all(one.dtype == np.float32 and set(np.unique(one)) == {0.0, 1.0} for one in drawn)


def test_training_masks_are_brought_to_the_crop(tmp_path):
    save(hole(), tmp_path / "0.png")
    drawn = MaskFolders([tmp_path]).draw(np.random.default_rng(1), 20)
    assert drawn.shape == (20, 20)
    assert set(np.unique(drawn)) == {0.0, 1.0}


def test_training_needs_a_folder():
    with pytest.raises(InputError, match="at least one folder"):
        MaskFolders([])
