"""Files are written whole or not at all."""

import errno
import os
import stat
import threading

import numpy as np
import pytest

from mendpix.atomic_files import atomic_write
from mendpix.errors import OutputError
from mendpix.images import write_picture

PICTURE = np.zeros((40, 50, 3), np.uint8)


def names(folder) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_puts_the_whole_file_in_place(tmp_path):
    with atomic_write(tmp_path / "result.txt") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".txt"
        assert not (tmp_path / "result.txt").exists()
        temporary.write_text("whole")
    assert names(tmp_path) == ["result.txt"]
    assert (tmp_path / "result.txt").read_text() == "whole"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("there_before", [False, True])
def test_any_error_leaves_everything_as_it_was(tmp_path, error, there_before):
    path = tmp_path / "result.txt"
    if there_before:
        path.write_text("old")

    def write_half():
        with atomic_write(path) as temporary:
            temporary.write_text("ha")
            raise error

    with pytest.raises(error):
        write_half()
    assert names(tmp_path) == (["result.txt"] if there_before else [])
    assert not there_before or path.read_text() == "old"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_full_disk_is_one_sentence_and_nothing_is_left(tmp_path, monkeypatch, number, call):
    path = tmp_path / "result.png"
    path.write_bytes(b"old")

    def full(*_):
        raise OSError(number, os.strerror(number))

    if call == "fsync":
        monkeypatch.setattr("os.fsync", full)
    else:
        monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OutputError, match=r"^cannot write .*result\.png: the disk is full\. Free some space"):
        write_picture(PICTURE, path)
    monkeypatch.undo()
    assert names(tmp_path) == ["result.png"]
    assert path.read_bytes() == b"old"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, which Linux has")
def test_a_disk_that_is_really_full():
    with pytest.raises(OSError, match="No space left"), open("/dev/full", "wb", buffering=0) as handle:
        handle.write(b"x")  # what the test above imitates
    with pytest.raises(OutputError, match=r"/dev/full is no regular file"), atomic_write("/dev/full"):
        pass


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(
        OutputError, match=r"nowhere/result\.png: the folder .*nowhere does not exist\. Create it first\."
    ):
        write_picture(PICTURE, tmp_path / "nowhere" / "result.png")
    assert names(tmp_path) == []


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"the folder .*file does not exist|file is no folder"):
        write_picture(PICTURE, tmp_path / "file" / "result.png")


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "result.png").mkdir()
    with pytest.raises(OutputError, match=r"a file name was expected .*result\.png is a folder\. Add a file name"):
        write_picture(PICTURE, tmp_path / "result.png")


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may write anywhere")
def test_a_folder_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="no permission"):
        write_picture(PICTURE, tmp_path / "result.png")
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EIO])
def test_a_disk_that_refuses(tmp_path, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.open", refuse)
    sentence = "Choose another place" if number == errno.EIO else "no permission. Choose a folder"
    with pytest.raises(OutputError, match=sentence):
        write_picture(PICTURE, tmp_path / "result.png")


def test_new_files_get_the_usual_permissions_and_old_ones_keep_theirs(tmp_path):
    usual = os.umask(0o027)
    try:
        write_picture(PICTURE, tmp_path / "new.png")
    finally:
        os.umask(usual)
    assert stat.S_IMODE((tmp_path / "new.png").stat().st_mode) == 0o640
    (tmp_path / "new.png").chmod(0o604)
    write_picture(PICTURE, tmp_path / "new.png")
    assert stat.S_IMODE((tmp_path / "new.png").stat().st_mode) == 0o604


def test_writes_through_a_symbolic_link(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    with atomic_write(tmp_path / "link.txt") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_long_names_and_many_writers(tmp_path):
    path = tmp_path / ("n" * 240 + ".txt")

    def write(text):
        with atomic_write(path) as temporary:
            temporary.write_text(text * 1000)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(tmp_path) == [path.name]
    assert path.read_text() in {letter * 1000 for letter in "abcd"}
