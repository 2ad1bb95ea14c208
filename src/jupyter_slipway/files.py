"""Files that are whole or absent, whatever is killed when."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_full(error: BaseException) -> bool:
    """Whether it says that the disk is full, or one's share of it; SQLite does so in words of its own."""
    if isinstance(error, OSError):
        return error.errno in FULL
    return getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"


def atomic_write(path: Path, content: bytes) -> None:
    """Replace `path` by `content` in one step that survives a power cut.

    jupyter_server's own `atomic_writing` truncates in place; a kill in between leaves an empty file.
    """
    write_whole(path, content)
    sync_directory(path.parent)


def write_whole(path: Path, content: bytes) -> None:
    """As `atomic_write`, for who calls `sync_directory` once after many: until then a power cut may undo it."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_whole(path: Path, largest: int) -> bytes:
    """All of a file. Of a pipe or a device, which may never end, nothing is read.

    Args:
        largest: bytes that are read

    Raises:
        OSError: it is no file, or a larger one
    """
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > largest:
            raise OSError(errno.EINVAL, "No file, or one that is too large", str(path))
        return file.read()


def sync_directory(folder: Path) -> None:
    """Make what was renamed in it survive a power cut, where the file system can."""
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    except OSError as error:
        # Some network file systems know no such thing for a folder.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(directory)


def private_directory(path: Path) -> Path:
    """`path`, made when absent, readable by its owner only."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)
    return path
