"""Files written whole or not at all. Knows folders and disks; does not know what is in the files."""

import contextlib
import errno
import os
import secrets
from collections.abc import Generator
from pathlib import Path

from mendpix.errors import MendpixError, OutputError


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Generator[Path]:
    """Write a file whole or not at all: yield a temporary path beside it, and put that in its place at the end.

    The block writes to the path it gets (an empty file that exists). Only when it ends without an error is the content
    forced to disk and renamed; on any error, Ctrl-C included, nothing is left and a file that was there stays.

    Raises:
        OutputError: If the folder is missing, the place is a folder, or the disk is full or refuses.

    Example:
        >>> with atomic_write("notes.txt") as temporary:  # doctest: +SKIP
        ...     temporary.write_text("whole or not at all")
    """
    target = Path(os.path.realpath(path))  # through a symbolic link, not in its place
    if target.exists() and not target.is_file():
        what = "a folder" if target.is_dir() else "no regular file"
        raise OutputError(f"a file name was expected for the result; {target} is {what}. Add a file name to it.")
    temporary = target.with_name(f".{target.stem[:40]}.{secrets.token_hex(6)}{target.suffix}")
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        try:
            if target.exists():
                temporary.chmod(target.stat().st_mode & 0o7777)
            yield temporary
            _flush(temporary)
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except MendpixError:
        raise
    except OSError as error:
        raise OutputError(_sentence(error, target)) from error


def _sentence(error: OSError, target: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"cannot write {target}: the disk is full. Free some space or choose another disk."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"cannot write {target}: no permission. Choose a folder that you may write to."
    if not target.parent.is_dir():
        return f"cannot write {target}: the folder {target.parent} does not exist. Create it first."
    return f"cannot write {target}: {error.strerror or error}. Choose another place."


def _flush(path: Path) -> None:
    """Force a file's content to disk, so that the rename cannot come before it."""
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
