"""Stores of training pictures: where pictures come from, that broken ones are named, that crops follow their record."""

import io
import tarfile
import threading

import numpy as np
import pytest
from PIL import Image

from mendpix.data.dataset import PictureStore, find_pictures, limit_per_folder
from mendpix.errors import DataError, InputError


def picture(seed, height=20, width=24):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(array, kind="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind)
    return buffer.getvalue()


def write_shard(path, members):
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return path


@pytest.fixture
def shard(tmp_path):
    members = {"000002.png": encoded(picture(2)), "000002.json": b"{}", "000001.png": encoded(picture(1))}
    return write_shard(tmp_path / "part-00.tar", members)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "photos"
    (root / "deep").mkdir(parents=True)
    for name, seed in (("b.png", 11), ("a.png", 10), ("deep/c.PNG", 12)):
        (root / name).write_bytes(encoded(picture(seed)))
    (root / "notes.md").write_text("no picture")
    return root


@pytest.mark.parametrize("limit", [1.0, 0.0], ids=["memory", "streamed"])
class TestSources:
    def test_shard_keeps_its_own_order_and_passes_over_other_members(self, shard, limit):
        store = PictureStore.open([shard], memory_limit_gib=limit)
        assert store.keys == ("part-00.tar/000002.png", "part-00.tar/000001.png")
        assert store.in_memory == (limit > 0)
        assert len(store) == 2
        assert np.array_equal(store[0], picture(2))
        assert np.array_equal(store[-1], picture(1))

    def test_folder_is_searched_in_sorted_order(self, folder, limit):
        store = PictureStore.open([folder], memory_limit_gib=limit)
        assert store.keys == ("photos/a.png", "photos/b.png", "photos/deep/c.PNG")
        assert all(np.array_equal(got, picture(seed)) for got, seed in zip(store, (10, 11, 12), strict=True))

    def test_list_file_gives_its_lines_in_order(self, folder, limit):
        names = folder.parent / "names.flist"
        names.write_text(f"# a comment\nphotos/b.png\n\n{folder / 'a.png'}\n")
        store = PictureStore.open([names], memory_limit_gib=limit)
        assert store.keys == ("names.flist/photos/b.png", f"names.flist/{folder / 'a.png'}")
        assert np.array_equal(store[0], picture(11))

    def test_globs_and_several_sources_are_joined(self, folder, shard, limit):
        pattern = str(folder / "*.*")
        store = PictureStore.open([shard, pattern], memory_limit_gib=limit)
        assert store.keys == (
            "part-00.tar/000002.png",
            "part-00.tar/000001.png",
            "photos/a.png",
            "photos/b.png",
        )
        assert np.array_equal(store[2], picture(10))

    def test_a_corrupt_member_is_named_with_its_shard(self, tmp_path, limit):
        data = encoded(picture(0, 64, 64))
        shard = write_shard(tmp_path / "bad.tar", {"ok.png": data, "broken.png": data[: len(data) // 2]})
        with pytest.raises(DataError, match=r"picture bad\.tar/broken\.png in .*bad\.tar cannot be decoded"):
            PictureStore.open([shard], memory_limit_gib=limit)[1]

    def test_a_file_that_is_no_picture_is_named(self, folder, limit):
        (folder / "b.png").write_bytes(b"hello")
        with pytest.raises(DataError, match=r"photos/b\.png .* cannot be decoded"):
            PictureStore.open([folder], memory_limit_gib=limit)[1]

    def test_pictures_are_read_only_and_contiguous(self, folder, limit):
        got = PictureStore.open([folder], memory_limit_gib=limit)[0]
        assert got.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            got[0] = 0

    def test_no_such_number_is_an_index_error(self, folder, limit):
        store = PictureStore.open([folder], memory_limit_gib=limit)
        with pytest.raises(IndexError):
            store[3]


def test_pictures_beyond_the_memory_limit_are_streamed(folder):
    each = picture(0).nbytes
    assert PictureStore.open([folder], memory_limit_gib=3 * each / 2**30).in_memory
    assert not PictureStore.open([folder], memory_limit_gib=(3 * each - 1) / 2**30).in_memory


def test_streaming_keeps_only_the_pictures_used_last(folder):
    store = PictureStore(PictureStore.open([folder], memory_limit_gib=0)._locations, None, kept=2)
    first = store[0]
    assert store[0] is first
    assert store[1] is not None
    assert store[-3] is first  # used again, so picture 1 is now the oldest
    assert store[2] is not None
    assert store[0] is first
    (folder / "b.png").unlink()
    with pytest.raises(DataError, match=r"photos/b\.png"):
        store[1]


def test_a_truncated_shard_is_noticed_on_access(shard):
    store = PictureStore.open([shard], memory_limit_gib=0)
    shard.write_bytes(shard.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"000002\.png should have \d+ bytes, but .* ends after \d+"):
        store[0]


def test_streaming_works_from_several_threads(folder):
    store = PictureStore(PictureStore.open([folder], memory_limit_gib=0)._locations, None, kept=1)
    wrong = []

    def read(seed):
        for index in np.random.default_rng(seed).integers(3, size=40):
            if not np.array_equal(store[int(index)], picture(10 + index)):
                wrong.append(index)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_progress_reaches_one(folder):
    told = []
    PictureStore.open([folder], progress=lambda share, what: told.append((share, what)))
    assert told == [(1.0, "decoding pictures")]


def test_other_modes_become_rgb_and_stand_upright(tmp_path):
    grey = np.arange(0, 65536, 656, dtype=np.uint16)[:96].reshape(8, 12)
    Image.fromarray(grey).save(tmp_path / "a.png")
    Image.fromarray(picture(1)).convert("L").save(tmp_path / "b.png")
    Image.fromarray(picture(2)).convert("P").save(tmp_path / "c.png", transparency=3)
    turned = Image.fromarray(picture(3, 8, 16))
    exif = turned.getexif()
    exif[0x0112] = 6  # turn by 90 degrees to see it upright
    turned.save(tmp_path / "d.png", exif=exif)
    store = PictureStore.open([tmp_path])
    assert [got.shape for got in store] == [(8, 12, 3), (20, 24, 3), (20, 24, 3), (16, 8, 3)]
    assert np.array_equal(store[0][:, :, 1], grey // 257)
    assert np.array_equal(store[3], np.rot90(picture(3, 8, 16), -1))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda root: [root / "missing"], "nothing is there"),
        (lambda root: [root / "*.jpg"], "holds no picture"),
        (lambda root: [root / "list.txt"], r"line 2 of .*list\.txt names nowhere\.png"),
        (lambda root: [root / "fake.tar"], "should be an uncompressed tar shard"),
        (lambda root: [root / "a.png", root / "a.png"], r"two pictures are called .*/a\.png"),
    ],
)
def test_wrong_sources_are_named(tmp_path, make, words):
    (tmp_path / "a.png").write_bytes(encoded(picture(0)))
    (tmp_path / "list.txt").write_text("a.png\nnowhere.png\n")
    (tmp_path / "fake.tar").write_bytes(b"no tar" * 200)
    with pytest.raises(DataError, match=words):
        PictureStore.open(make(tmp_path))


def test_no_source_is_refused():
    with pytest.raises(InputError, match="at least one source"):
        PictureStore.open([])


@pytest.fixture
def many(tmp_path):
    def build(count):
        data = encoded(picture(0, 2, 2))
        return PictureStore.open([write_shard(tmp_path / "many.tar", {f"{i:03}.png": data for i in range(count)})])

    return build


def test_holdout_splits_into_two_stores_in_order(many):
    store = many(40)
    train, held = store.split_holdout(10, seed=1)
    assert (len(train), len(held)) == (30, 10)
    assert sorted(train.keys + held.keys) == list(store.keys)
    assert list(train.keys) == sorted(train.keys)
    assert train[0] is store[store.keys.index(train.keys[0])]
    assert store.split_holdout(10, seed=1)[1].keys == held.keys
    assert store.split_holdout(10, seed=2)[1].keys != held.keys


def test_holdout_hardly_changes_when_pictures_are_added(many):
    before = set(many(40).split_holdout(10, seed=1)[1].keys)
    grown = many(60)
    after = set(grown.split_holdout(10, seed=1)[1].keys)
    old = set(many(40).keys)
    assert after & old <= before  # no picture that was trained on is ever held out because of newcomers
    assert after != set(grown.keys[:10])


def test_holdout_must_leave_something_to_train_on(many):
    store = many(3)
    assert len(store.split_holdout(0, seed=0)[1]) == 0
    for count in (3, -1):
        with pytest.raises(InputError, match=f"between 0 and 2; got {count}"):
            store.split_holdout(count, seed=0)


def test_each_folder_gives_at_most_so_many_pictures_and_the_same_ones(tmp_path):
    for name, count in (("a", 6), ("b", 2)):
        (tmp_path / name).mkdir()
        for number in range(count):
            Image.fromarray(picture(number)).save(tmp_path / name / f"{number}.png")
    all_ = find_pictures([tmp_path])
    kept = [one.key for one in limit_per_folder(all_, 3)]
    assert [key.split("/")[-2] for key in kept] == ["a"] * 3 + ["b"] * 2
    assert [one.key for one in limit_per_folder(all_, 0)] == [one.key for one in all_]
    assert len(PictureStore.open([tmp_path], per_folder=1)) == 2
    with pytest.raises(InputError, match="per_folder must be at least 0"):
        limit_per_folder(all_, -1)
