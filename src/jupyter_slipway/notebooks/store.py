"""Outputs by the text they belong to, and the versions that each path went through.

`documents` saves and opens through it. What is written first is what the next refers to: blobs, then the record, then
the text, then the path's list of versions; a kill in between leaves a text with the outputs it had.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from jupyter_slipway.decoding import from_json
from jupyter_slipway.files import atomic_write, private_directory, read_whole
from jupyter_slipway.notebooks import layout
from jupyter_slipway.notebooks.age import sources
from jupyter_slipway.notebooks.blobs import LARGEST, Blobs, digest_of
from jupyter_slipway.notebooks.manifests import DIGEST, Packer, Record, seal, unseal

KEY = "outputs.key"
RING = 64
"""Versions of a path that are remembered."""
APPENDED = 16
"""Of these are noted at the end of the list before it is written anew: a new file takes twenty times as long."""
LARGEST_HEAD = 2**20
"""Bytes of a list of versions: a foreign one may be of any size."""
WITH_IDS = 5
"""nbformat's first minor version whose cells have ids."""


class Former(NamedTuple):
    """What a notebook was before it was converted: as such it comes back."""

    text: bytes = b""
    """All of it, if it was a text."""
    minor: int = WITH_IDS
    """Of nbformat 4, if it was an .ipynb."""


class Seen(Struct, frozen=True):
    """One version that a path went through."""

    id: str
    """Of its text: see `layout.text_id`."""
    at: float
    """Seconds since 1970."""
    by: str = ""
    """Which opened document saved it; '' when it was found on disk."""


class Head(Struct, frozen=True):
    """What is known of a path."""

    path: str
    versions: tuple[Seen, ...] = ()
    """Oldest first, at most RING, the last being the newest."""
    was: str = ""
    """The path it was converted from, if it was."""
    since: float = 0.0
    """When it took that one's place, in seconds since 1970; 0 where that stayed."""
    text: str = ""
    """Digest of the bytes that that one was, if it was a text."""
    minor: int = WITH_IDS
    """Of nbformat 4, if that one was an .ipynb."""


class Version(Struct, frozen=True):
    """What was stored with one text."""

    id: str
    record: Record
    ours: bool
    """Whether it was sealed with this machine's key, and nothing was changed since."""


class Store:
    """The outputs of the notebooks of one project."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self.folder = folder
        self.blobs = Blobs(folder)
        self.packer = Packer(self.blobs)
        self._key = key

    def save(
        self,
        text_id: str,
        path: str,
        notebook: Mapping[str, Any],
        *,
        trusted: bool,
        pieces: tuple[str, list[str]] | None,
        before: Version | None,
        told: Mapping[str, str] | None = None,
    ) -> Version:
        """Keep what belongs to a text. The text may be written when this has returned, not before.

        Args:
            pieces: fingerprints of the text's header and of its cells; None when it cannot be cut
            before: the version that it follows
            told: of which source outputs are, by their cells' ids, where that is known: see `age.dated`
        """
        layout.prepare(self.folder)
        record = self.packer.pack(path, notebook, trusted=trusted)
        was = (before.record.cells, before.record.made) if before and before.ours else ([], [])
        record = msgspec.structs.replace(record, made=sources(record.cells, *was, told or {}))
        if pieces:
            record = msgspec.structs.replace(record, header=pieces[0], pieces=pieces[1])
        stored = layout.manifest_path(self.folder, text_id)
        stored.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(stored, seal(record, text_id, self._key))
        return Version(text_id, record, True)

    def load(self, text_id: str) -> Version | None:
        """What was stored with this text; None when nothing was, or it cannot be read."""
        try:
            stored = read_whole(layout.manifest_path(self.folder, text_id), LARGEST)
        except OSError:
            return None
        opened = unseal(stored, text_id, self._key)
        return Version(text_id, *opened) if opened else None

    def stamp(self, text_id: str) -> tuple[int, ...] | None:
        """Another one when something else was stored with this text; None when nothing is."""
        try:
            found = layout.manifest_path(self.folder, text_id).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def head(self, path: str) -> Head:
        """What is known of a path; no versions when nothing is."""
        return _head_in(self._lines(path)) or Head(path)

    def latest(self, path: str) -> Version | None:
        """The newest version of a path that can be read."""
        for seen in reversed(self.head(path).versions):
            if version := self.load(seen.id):
                return version
        return None

    def note(self, path: str, text_id: str, by: str = "") -> None:
        """Remember that a path went through this version."""
        lines = self._lines(path)
        head = _head_in(lines) or Head(path)
        last = head.versions[-1] if head.versions else None
        if last and last.id == text_id and by in ("", last.by):
            return
        seen = Seen(text_id, time.time(), by)
        if last and len(lines) <= APPENDED:
            # One that may only be read, or is a link to who knows where, is replaced.
            with suppress(OSError), open(layout.head_path(self.folder, path), "ab", opener=_open_itself) as stored:
                stored.write(b"\n" + msgspec.json.encode(seen))
                return
        self._write_head(msgspec.structs.replace(head, versions=(*head.versions, seen)[-RING:]))

    def rename(self, old: str, new: str) -> None:
        """Let `new` go on where `old`, a file or a folder, ended."""
        for head in [one for one in self.heads() if one.path == old or one.path.startswith(f"{old}/")]:
            # What lay beside it went along, if it was there.
            was = new + head.was[len(old) :] if head.was.startswith(f"{old}/") else head.was
            self._write_head(msgspec.structs.replace(head, path=new + head.path[len(old) :], was=was))
            self.forget(head.path)

    def forget(self, path: str) -> None:
        """That there ever was such a path. What is kept for its texts stays as long as anything needs it."""
        layout.head_path(self.folder, path).unlink(missing_ok=True)

    def succeed(self, new: str, old: str, former: Former, *, in_its_place: bool) -> None:
        """Let `new`, which was made from `old`, have its versions too, and remember what that was.

        `old` has them as long as it is there, also when a kill keeps it from going: see `forget`.
        """
        before, head = self.head(old), self.head(new)
        since = time.time() if in_its_place else 0.0
        layout.prepare(self.folder)
        text = digest_of(former.text) if former.text else ""
        if text:
            self.blobs.put({text: former.text})
        own = [seen for seen in head.versions if seen not in before.versions]
        self._write_head(Head(new, (*before.versions, *own)[-RING:], old, since, text, former.minor))

    def former(self, path: str, old: str) -> Former:
        """What `path` was when it had the suffix of `old`, as far as that is known; under whatever name."""
        head = self.head(path)
        if PurePosixPath(head.was).suffix != PurePosixPath(old).suffix:
            return Former()
        # A list of versions is not sealed: what it calls a digest may be any path.
        text = self.blobs.get(head.text) if DIGEST.fullmatch(head.text) else None
        return Former(text or b"", head.minor)

    def successor(self, old: str, after: float) -> str | None:
        """What took the place of `old` since then, in seconds since 1970; None when nothing did."""
        found = [head for head in self.heads() if head.was == old and head.since > after]
        return max(found, key=lambda head: head.since).path if found else None

    def heads(self) -> Iterator[Head]:
        for stored in sorted((self.folder / "heads").glob("*.json")):
            with suppress(OSError):
                if head := _head_in(read_whole(stored, LARGEST_HEAD).split(b"\n")):
                    yield head

    @contextmanager
    def lock(self, path: str) -> Iterator[None]:
        """One saver of a path at a time, on this machine and, where the file system can, on others."""
        with ExitStack() as held:
            # Nothing was ever kept here, the folder may only be read, or its file system has no locks, as over some
            # networks: then it is as good as it gets.
            with suppress(OSError):
                lock = layout.lock_path(self.folder, path)
                if layout.is_ours(self.folder):
                    lock.parent.mkdir(exist_ok=True)
                fcntl.flock(held.enter_context(open(lock, "ab", opener=_open_itself)), fcntl.LOCK_EX)
            yield

    def _lines(self, path: str) -> list[bytes]:
        """What is stored of a path: all that was known, then each version that was noted since."""
        try:
            return read_whole(layout.head_path(self.folder, path), LARGEST_HEAD).split(b"\n")
        except OSError:
            return [b""]

    def _write_head(self, head: Head) -> None:
        stored = layout.head_path(self.folder, head.path)
        stored.parent.mkdir(parents=True, exist_ok=True)
        temporary = stored.with_name(f".{stored.name}.{secrets.token_hex(4)}")
        temporary.write_bytes(msgspec.json.encode(head))
        # Not forced to the disk: what a power cut takes is found again with the next opening.
        os.replace(temporary, stored)


def _open_itself(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)


def _head_in(lines: list[bytes]) -> Head | None:
    """None when it cannot be read. A line that a full disk or a power cut left in part is none."""
    try:
        head = from_json(lines[0], Head)
    except msgspec.MsgspecError:
        return None
    noted: list[Seen] = []
    for line in lines[1:]:
        with suppress(msgspec.MsgspecError):
            noted.append(from_json(line, Seen))
    return msgspec.structs.replace(head, versions=(*head.versions, *noted)[-RING:])


def key_of(home: Path) -> bytes:
    """This machine's key for sealing records: in Slipway's home, never in a project."""
    path = private_directory(home) / KEY
    if not path.exists():
        made = path.with_name(f".{KEY}.{secrets.token_hex(4)}")
        with open(made, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(made, path)
        except FileExistsError:  # another process was first
            pass
        except OSError:  # a file system without hard links
            if not path.exists():
                os.replace(made, path)
        made.unlink(missing_ok=True)
    return path.read_bytes()
