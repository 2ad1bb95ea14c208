"""A file of the user's that is written whole or not at all: beside it, to the disk, then in its place.

Unlike `files.atomic_write`, which makes files of ours, it leaves a file what it was besides its content: a link, its
mode, its attributes.
"""

from __future__ import annotations

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
    temporary = target.with_name(f".~{secrets.token_hex(8)}")
    try:
        with open(temporary, mode.replace("w", "x"), **options) as file:
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


def write(path: Path, content: bytes) -> None:
    with replacing(path) as file:
        file.write(content)
