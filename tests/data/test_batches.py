import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from mendpix.data import batches
from mendpix.data.batches import Batch, BatchRequest, BatchSource, Prefetcher, SilhouetteSpec
from mendpix.data.crops import CropSpec
from mendpix.data.dataset import PictureStore
from mendpix.data.degrade import KINDS, DamageSpec
from mendpix.data.exemplar_fills import ExemplarFills, make_exemplar_fills
from mendpix.data.guides import GuideSpec
from mendpix.data.mask_files import MaskFolders
from mendpix.data.mask_sampler import MaskSpec
from mendpix.errors import InputError


@pytest.fixture
def source(tmp_path: Path) -> BatchSource:
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (50, 60, 3), np.uint8)
        PillowImage.fromarray(pixels).save(tmp_path / f"{number}.png")
    store = PictureStore.open([tmp_path])
    return BatchSource(store, CropSpec(px=32, scale_min=0.7), MaskSpec(), seed=3, guide_share=0.5)


def same(one: Batch, other: Batch) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("image", "hole", "fills"))


def test_a_batch_is_a_function_of_its_request(source: BatchSource):
    request = BatchRequest(step=5, batch_pictures=4, crop_px=32)
    assert same(source.batch(request), source.batch(request))
    assert not same(source.batch(request), source.batch(BatchRequest(step=6, batch_pictures=4, crop_px=32)))


def test_processes_share_the_batch_of_one(source: BatchSource):
    whole = source.batch(BatchRequest(2, 4, 32))
    parts = [source.batch(BatchRequest(2, 4, 32, rank, 2)) for rank in range(2)]
    for rank, part in enumerate(parts):
        assert np.array_equal(part.image, whole.image[rank::2])
        assert np.array_equal(part.fills, whole.fills[rank::2])


def test_shapes_ranges_and_known_pixels(source: BatchSource):
    batch = source.batch(BatchRequest(0, 6, 32))
    assert batch.image.shape == (6, 3, 32, 32)
    assert batch.hole.shape == (6, 1, 32, 32)
    assert batch.fills.shape == (6, 6, 32, 32)
    assert {array.dtype for array in (batch.image, batch.hole, batch.fills)} == {np.dtype(np.float32)}
    assert batch.image.min() >= 0
    assert batch.image.max() <= 1
    assert set(np.unique(batch.hole)) == {0.0, 1.0}
    known = np.broadcast_to(batch.hole == 0, batch.image.shape)
    for fill in (batch.fills[:, :3], batch.fills[:, 3:]):
        assert np.array_equal(fill[known], batch.image[known])
        assert not np.array_equal(fill[~known], batch.image[~known])
    guided = [np.array_equal(fill[:3], fill[3:]) for fill in batch.fills]
    assert any(guided)
    assert not all(guided)


def test_the_prefetcher_keeps_the_order(source: BatchSource):
    prefetcher = Prefetcher(source, lambda step: BatchRequest(step, 2, 32), threads=3, ahead=4)
    stream = prefetcher.batches(7)
    taken = list(itertools.islice(stream, 5))
    stream.close()
    assert [step for step, _ in taken] == [7, 8, 9, 10, 11]
    for step, batch in taken:
        assert same(batch, source.batch(BatchRequest(step, 2, 32)))


def test_holes_come_from_files_if_there_are_some(tmp_path: Path):
    (tmp_path / "masks").mkdir()
    (tmp_path / "pictures").mkdir()
    hole = np.zeros((32, 32), np.uint8)
    hole[8:24, 8:24] = 255
    PillowImage.fromarray(hole).save(tmp_path / "masks" / "0.png")
    PillowImage.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / "pictures" / "0.png")
    store = PictureStore.open([tmp_path / "pictures"])
    files = MaskFolders([tmp_path / "masks"])
    source = BatchSource(store, CropSpec(px=32), MaskSpec(), seed=3, mask_files=files)
    request = BatchRequest(step=5, batch_pictures=4, crop_px=32)
    assert np.array_equal(source.batch(request).hole, np.repeat((hole / 255)[None, None], 4, axis=0))
    assert same(source.batch(request), source.batch(request))


@pytest.fixture
def store(tmp_path: Path) -> PictureStore:
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (70, 80, 3), np.uint8)
        PillowImage.fromarray(pixels).save(tmp_path / f"{number}.png")
    return PictureStore.open([tmp_path])


def test_copied_guides_stand_in_for_both_fills(store: PictureStore, tmp_path: Path):
    make_exemplar_fills(store, tmp_path / "fills", 1, 64, seed=0)
    copies = ExemplarFills(tmp_path / "fills", 1)
    source = BatchSource(
        store, CropSpec(px=48), MaskSpec(), seed=3, guides=GuideSpec(share=0.7, exemplar=0.5), copies=copies
    )
    request = BatchRequest(step=1, batch_pictures=24, crop_px=48)
    batch = source.batch(request)
    assert same(batch, source.batch(request))
    guided = [np.array_equal(fill[:3], fill[3:]) for fill in batch.fills]
    assert 10 <= sum(guided) <= 22
    known = np.broadcast_to(batch.hole == 0, batch.image.shape)
    assert np.array_equal(batch.fills[:, :3][known], batch.image[known])
    assert not np.array_equal(batch.fills[:, :3], batch.image)


def test_a_source_without_guides_makes_what_it_always_made(store: PictureStore):
    request = BatchRequest(step=1, batch_pictures=4, crop_px=48)
    plain, other = (
        BatchSource(store, CropSpec(px=48), MaskSpec(), seed=3, **more).batch(request)
        for more in ({}, {"guides": GuideSpec(share=0.0), "silhouettes": SilhouetteSpec(share=0.0)})
    )
    assert same(plain, other)


def test_silhouettes_take_their_share_of_the_holes(store: PictureStore, monkeypatch):
    asked: list[float] = []
    real = batches.draw_silhouette
    monkeypatch.setattr(
        batches, "draw_silhouette", lambda rng, size, share: (asked.append(share), real(rng, size, share))[1]
    )
    spec = SilhouetteSpec(share=0.5, smallest=0.1, largest=0.2)
    source = BatchSource(store, CropSpec(px=48), MaskSpec(), seed=3, silhouettes=spec, with_fills=False)
    source.batch(BatchRequest(0, 30, 48))
    assert 8 <= len(asked) <= 22
    assert 0.1 <= min(asked) < max(asked) <= 0.2


@pytest.mark.parametrize(
    ("crops", "more", "sentence"),
    [
        (CropSpec(px=48, fit="stretch"), {}, "from crops; got stretched pictures"),
        (CropSpec(px=48), {"with_fills": False}, "got a generator without them"),
    ],
)
def test_guides_that_cannot_be_made_are_refused(store: PictureStore, crops, more, sentence):
    with pytest.raises(InputError, match=sentence):
        BatchSource(store, crops, MaskSpec(), seed=3, guides=GuideSpec(share=0.5), **more)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [({"share": 2.0}, "got 2.0"), ({"smallest": 0.3, "largest": 0.2}, "got 0.3 and 0.2"), ({"largest": 0.9}, "0.9")],
)
def test_a_spec_of_silhouettes_that_makes_no_sense_is_refused(values, sentence):
    with pytest.raises(InputError, match=sentence):
        SilhouetteSpec(**values)


def damaging(tmp_path: Path, **more: object) -> BatchSource:
    for number in range(3):
        coarse = np.random.default_rng(number).integers(40, 216, (7, 8, 3), np.uint8)
        PillowImage.fromarray(coarse).resize((60, 50)).save(tmp_path / f"{number}.png")
    settings = {"with_fills": False, "damage": DamageSpec(families=("scratches", "gaussian"), jpeg=0.0), **more}
    return BatchSource(PictureStore.open([tmp_path]), CropSpec(px=48, scale_min=0.9), MaskSpec(), seed=3, **settings)


def test_damage_takes_the_place_of_holes(tmp_path: Path):
    source = damaging(tmp_path, edges_sigma=1.0)
    batch = source.batch(BatchRequest(0, 12, 48))
    assert batch.damaged.shape == batch.image.shape == (12, 3, 48, 48)
    assert batch.destroyed.shape == (12, len(KINDS), 48, 48)
    assert (batch.fills.shape, batch.edges.shape) == ((12, 0, 48, 48), (12, 1, 48, 48))
    assert np.allclose(batch.hole[:, 0], 1 - np.prod(1 - batch.destroyed, axis=1), atol=1e-6)
    assert len(np.unique(batch.hole)) > 10  # values between
    clean = batch.hole.max(axis=(1, 2, 3)) == 0
    assert 0 < clean.sum() < 12
    for damaged, image, whole in zip(batch.damaged, batch.image, clean, strict=True):
        assert np.array_equal(damaged, image) == whole
    again = source.batch(BatchRequest(0, 12, 48))
    for name in ("image", "hole", "edges", "damaged", "destroyed"):
        assert np.array_equal(getattr(batch, name), getattr(again, name)), name
    part = source.batch(BatchRequest(0, 12, 48, rank=1, processes=3))
    assert np.array_equal(part.destroyed, batch.destroyed[1::3])


def test_without_damage_there_is_none(source: BatchSource):
    batch = source.batch(BatchRequest(0, 2, 32))
    assert batch.damaged.shape == batch.destroyed.shape == (2, 0, 32, 32)


def test_damage_and_first_fills_do_not_go_together(tmp_path: Path):
    with pytest.raises(InputError, match="must go without first fills"):
        damaging(tmp_path, with_fills=True)
