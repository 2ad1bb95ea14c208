"""A file of the user's that is written whole or not at all: beside it, to the disk, then in its place.

Unlike `files.atomic_write`, which makes files of ours, it leaves a file what it was besides its content: a link, its
mode, its attributes.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import IO, Any

from jupyter_slipway.errors import Conflict
from jupyter_slipway.files import sync_directory
from jupyter_slipway.notebooks.sightings import State, state_of

AT_FDCWD, RENAME_EXCHANGE = -100, 2
"""Linux's, for `renameat2`."""
Announce = Callable[[Path, State], None]
"""(where it still lies, the state that it will be)."""


class Replacing:
    """What a writer expects to replace, and what it made of it."""

    def __init__(self, target: Path, state: State | None, announce: Announce | None) -> None:
        self.target, self.state, self.announce = target, state, announce
        self.became: State | None = None
        """Of what was written; None when nothing was."""


_expected: ContextVar[Replacing | None] = ContextVar("expected", default=None)


@contextmanager
def expecting(path: Path, state: State | None, announce: Announce | None = None) -> Iterator[Replacing]:
    """Within the block, replace a file only while it is in this state; None: while there is none.

    It holds in threads that the block starts, for whatever lies between the caller and the disk. The new file and the
    old one change places; if that was another than expected, they change back.

    Args:
        announce: called with the new one before anybody can read it in its place
    """
    held = Replacing(path.resolve(), state, announce)
    token = _expected.set(held)
    try:
        yield held
    finally:
        _expected.reset(token)


@contextmanager
def replacing(path: Path, mode: str = "wb", **options: Any) -> Iterator[IO[Any]]:
    """Write what `path` becomes when the block ends without an error; a link keeps leading where it leads.

    Raises:
        Conflict: it is not what the writer was `expecting`; nothing was written
        PermissionError: it may only be read
    """
    target = path.resolve() if path.is_symlink() else path
    if target.exists() and not os.access(target, os.W_OK):
        # Its name could be given to another file all the same, where its folder may be written.
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
    if target.exists() and not os.access(target.parent, os.W_OK):
        # Only the file itself may be written: no other way than in place.
        _check(target)
        with open(target, mode, **options) as file:
            yield file
        _note(target)
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
            # To the nanosecond: by the system's own clock two writes within one tick would be one.
            now = time.time_ns()
            os.utime(temporary, ns=(now, now))
            if _expects(target):
                # After an exchange its name is another's file, which nobody is to take for what a kill left.
                temporary = temporary.rename(temporary.with_name(f".~{secrets.token_hex(8)}"))
            _put(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    sync_directory(target.parent)


def _put(temporary: Path, target: Path) -> None:
    """In its place; where a state is expected, in no other's."""
    expected = _expects(target)
    if expected is None:
        os.replace(temporary, target)
        return
    became = state_of(temporary)
    _check(target)
    if expected.announce and became:
        expected.announce(temporary, became)
    if not _exchange(temporary, target):
        # There is none, or this system cannot: what is written within the next microseconds is replaced.
        os.replace(temporary, target)
    elif state_of(temporary) == expected.state:
        temporary.unlink()
    else:
        _exchange(temporary, target)
        if state_of(temporary) != became:
            # And once more, while ours stood there: that is the newest.
            _exchange(temporary, target)
        raise _changed(target)
    _note(target, became)


def _exchange(one: Path, other: Path) -> bool:
    """Let two files take each other's names in one step; False where that cannot be."""
    call = getattr(_libc(), "renameat2", None)
    names = (os.fsencode(one.absolute()), os.fsencode(other.absolute()))
    return call is not None and call(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE) == 0


@cache
def _libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if sys.platform == "linux" else None


def _expects(target: Path) -> Replacing | None:
    expected = _expected.get()
    return expected if expected and expected.target == target.resolve() else None


def _check(target: Path) -> None:
    expected = _expects(target)
    if expected and state_of(target) != expected.state:
        raise _changed(target)


def _changed(target: Path) -> Conflict:
    return Conflict(f"{target.name} changed on disk just now. Nothing was written.", hint="Try again.")


def _note(target: Path, became: State | None = None) -> None:
    """In case of another write in the same block, that one replaces this."""
    expected = _expects(target)
    if expected:
        expected.state = expected.became = became or state_of(target)


def _beside(target: Path, mode: str, options: dict[str, Any]) -> IO[Any]:
    """An empty file in the target's folder. Its name is always the same, so that what a kill left there is used again;
    unless somebody else is writing to it now.
    """
    name = f".~{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]}"
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


def write_beside(path: Path, content: bytes) -> Path:
    """Write what belongs to a file that is gone to a new one, named after it."""
    number = 1
    while True:
        kept = path.with_name(f"{path.stem}.typed{'' if number == 1 else number}{path.suffix}")
        try:
            with open(kept, "xb") as file:
                file.write(content)
            return kept
        except FileExistsError:
            number += 1


def put(path: Path, name: Path) -> None:
    """Give a file another name, unless there is one of that name."""
    try:
        os.link(path, name)
    except FileExistsError:
        return
    except OSError:  # a file system without hard links
        if not os.path.lexists(name):
            path.rename(name)
    else:
        path.unlink()


def remove(path: Path, was: str, aside: Path) -> bool:
    """Remove a file, unless somebody did; False, and it stays, when it is another than it was.

    Args:
        was: its fingerprint
        aside: beside it, what it is called while that is looked at; after a kill, `drop` goes on from there
    """
    with suppress(FileNotFoundError):
        path.rename(aside)
    return drop(aside, path, was)


def drop(aside: Path, path: Path, was: str) -> bool:
    """Remove what was put aside; False, and it is `path` again, when it is another than that was."""
    if not os.path.lexists(aside):
        return True
    if fingerprint(aside) == was:
        aside.unlink()
        return True
    try:
        os.link(aside, path, follow_symlinks=False)
    except FileExistsError:  # and once more, meanwhile: that is the newest
        if fingerprint(aside) == fingerprint(path):
            aside.unlink()
    except OSError:  # a file system without hard links
        os.replace(aside, path)
    else:
        aside.unlink()
    return False


def fingerprint(path: Path) -> str:
    """Which file it is, when it was written and what it holds: the same under another name. '' when it is no file."""
    try:
        # Of a pipe that somebody put there nothing may ever come.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            found = os.fstat(file.fileno())
            if stat.S_ISREG(found.st_mode):
                held = hashlib.file_digest(file, "sha256").hexdigest()
                return f"{found.st_ino} {found.st_mtime_ns} {held}"
    except OSError:
        pass
    return ""
