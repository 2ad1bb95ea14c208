"""A file of the user's that is written whole or not at all: beside it, to the disk, then in its place.

Unlike `files.atomic_write`, which makes files of ours, it leaves a file what it was besides its content: a link, its
mode, its attributes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from jupyter_slipway.notebooks.blobs import sync_directory


@contextmanager
def replacing(path: Path, mode: str = "wb", **options: Any) -> Iterator[IO[Any]]:
    """Write what `path` becomes when the block ends without an error; a link keeps leading where it leads."""
    target = path.resolve() if path.is_symlink() else path
    if target.exists() and not os.access(target.parent, os.W_OK):
        # Only the file itself may be written: no other way than in place.
        with open(target, mode, **options) as file:
            yield file
        return
    with _beside(target, mode, options) as file:
        temporary = Path(file.name)
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if target.exists():
                with suppress(OSError):  # what a file system does not know, or only the owner may set
                    shutil.copystat(target, temporary)
                os.utime(temporary)
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    sync_directory(target.parent)


def _beside(target: Path, mode: str, options: dict[str, Any]) -> IO[Any]:
    """An empty file in the target's folder. Its name is always the same, so that what a kill left there is used again;
    unless somebody else is writing to it now.
    """
    name = f".~{hashlib.sha256(target.name.encode()).hexdigest()[:16]}"
    file: IO[Any] = open(target.with_name(name), mode.replace("w", "a"), **options)  # noqa: SIM115  the caller closes it
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(file.fileno()), os.stat(file.name)):
            file.truncate(0)
            return file
    except OSError:  # taken, or taken away, or a file system without locks
        pass
    file.close()
    return open(target.with_name(f".~{secrets.token_hex(8)}"), mode.replace("w", "x"), **options)


def write(path: Path, content: bytes) -> None:
    with replacing(path) as file:
        file.write(content)
