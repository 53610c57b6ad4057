from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from mendpix.data import exemplar_fills
from mendpix.data.dataset import PictureStore
from mendpix.data.exemplar_fills import ExemplarFills, make_exemplar_fills
from mendpix.errors import DataError


@pytest.fixture
def store(tmp_path: Path) -> PictureStore:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 256, (70, 80, 3), np.uint8)
        PillowImage.fromarray(pixels).save(folder / f"{number}.png")
    return PictureStore.open([folder])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_fills_are_a_function_of_the_seed_and_made_once(store: PictureStore, tmp_path: Path, monkeypatch):
    make_exemplar_fills(store, tmp_path / "a", 3, 48, seed=1)
    whole = contents(tmp_path / "a")
    assert list(whole) == ["fill-00000.npz", "fill-00001.npz", "fill-00002.npz"]
    (tmp_path / "a" / "fill-00001.npz").unlink()
    numbers: list[int] = []
    real = exemplar_fills.exemplar
    monkeypatch.setattr(
        exemplar_fills, "exemplar", lambda *given, seed: (numbers.append(seed), real(*given, seed=seed))[1]
    )
    shares: list[float] = []
    make_exemplar_fills(store, tmp_path / "a", 3, 48, seed=1, progress=lambda share, _: shares.append(share))
    assert numbers == [1]
    assert shares == [pytest.approx(2 / 3)]
    assert contents(tmp_path / "a") == whole


def test_windows_show_holes_and_know_something(store: PictureStore, tmp_path: Path):
    make_exemplar_fills(store, tmp_path / "a", 2, 64, seed=1)
    fills = ExemplarFills(tmp_path / "a", 2)
    for seed in range(20):
        image, hole, copy = fills.draw(np.random.default_rng(seed), 32)
        again = fills.draw(np.random.default_rng(seed), 32)
        assert all(np.array_equal(one, other) for one, other in zip((image, hole, copy), again, strict=True))
        assert image.shape == copy.shape == (32, 32, 3)
        assert hole.shape == (32, 32)
        assert set(np.unique(hole)) == {0.0, 1.0}
        assert np.array_equal(image[hole == 0], copy[hole == 0])
        assert not np.array_equal(image[hole > 0], copy[hole > 0])
        assert {part.dtype for part in (image, hole, copy)} == {np.dtype(np.float32)}


def test_a_missing_file_and_a_window_too_large_are_named(store: PictureStore, tmp_path: Path):
    make_exemplar_fills(store, tmp_path / "a", 1, 48, seed=1)
    with pytest.raises(DataError, match="at least 64 px, the largest crop; they are 48 px"):
        ExemplarFills(tmp_path / "a", 1).draw(np.random.default_rng(0), 64)
    (tmp_path / "a" / "fill-00000.npz").write_bytes(b"torn")
    with pytest.raises(DataError, match=r"fill-00000\.npz; it cannot be read"):
        ExemplarFills(tmp_path / "a", 1).draw(np.random.default_rng(0), 32)
