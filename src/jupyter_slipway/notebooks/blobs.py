"""Bytes by their sha256: what outputs are made of. Written once, verified whenever they are read.

`manifests` puts payloads here; `upkeep` takes out what nothing refers to any more.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from jupyter_slipway.files import read_whole, sync_directory, write_whole
from jupyter_slipway.notebooks.layout import blob_path, kept_in

LARGEST = 512 * 2**20
"""Bytes of one payload, or of a record: a foreign one may be of any size."""
FRESH = 3600.0
"""Seconds; an older blob that is put again is touched, so that `upkeep` sees that it is wanted."""


class Blobs:
    def __init__(self, store: Path) -> None:
        self._store = store

    def put(self, contents: Mapping[str, bytes]) -> None:
        """Store what is not there yet, digest -> bytes; when it returns, all of it survives a power cut."""
        touched: set[Path] = set()
        for digest, content in contents.items():
            path = blob_path(self._store, digest)
            if not self.keep(digest, len(content)):
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, content)
                touched.add(path.parent)
        for folder in touched:
            sync_directory(folder)

    def keep(self, digest: str, size: int) -> bool:
        """Whether it is here and whole by its size; from now on it counts as fresh."""
        path = blob_path(self._store, digest)
        try:
            found = path.stat()
            if found.st_size == size and time.time() - found.st_mtime > FRESH:
                os.utime(path)
        except FileNotFoundError:
            return False
        return found.st_size == size

    def get(self, digest: str) -> bytes | None:
        """None when it is not here, or is not what its name says."""
        try:
            content = read_whole(blob_path(self._store, digest), LARGEST)
        except OSError:
            return None
        return content if digest_of(content) == digest else None

    def all(self) -> Iterator[tuple[str, Path]]:
        """Digest and path of each."""
        yield from kept_in(self._store / "blobs")


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
