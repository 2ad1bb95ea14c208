"""A conversion under way: a kill leaves one notebook, once anybody looks.

`convert` carries one out; `contents` and `handlers` finish what is left of others. What it is about to do, and then
what it made, is noted in Slipway's home, where no repository can note anything; from there on each step may be done
twice. No notebook goes but the very one that was noted, as it was.
"""

from __future__ import annotations

import fcntl
import filecmp
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import msgspec
from msgspec import Struct

from jupyter_slipway.decoding import from_json
from jupyter_slipway.errors import Conflict, SlipwayError
from jupyter_slipway.files import private_directory, sync_directory
from jupyter_slipway.notebooks import writing
from jupyter_slipway.notebooks.documents import Documents
from jupyter_slipway.notebooks.layout import text_id
from jupyter_slipway.notebooks.store import WITH_IDS, Former
from jupyter_slipway.notebooks.writing import fingerprint

FOLDER = "conversions"


class Conversion(Struct, frozen=True):
    name: str
    """Of what lies beside the notebook meanwhile."""
    source: str
    target: str
    keep: bool
    """The source stays."""
    was: str
    """Fingerprint of the source."""
    minor: int = WITH_IDS
    """Of nbformat 4, if the source is an .ipynb."""
    made: str = ""
    """Fingerprint of what takes its place; '' until that is whole."""
    kept: str = ""
    """Stamp of the outputs beside the source, if it is a text; see `kept_of`."""

    @property
    def draft(self) -> Path:
        """Where that is made."""
        target = Path(self.target)
        return target.with_name(f".~{self.name}") / target.name

    def aside(self, file: Path) -> Path:
        """Where one of the two is before it goes."""
        return file.with_name(f".~{self.name}{file.suffix}")


def carry_out(documents: Documents, one: Conversion, make: Callable[[Path], None]) -> bool:
    """
    Args:
        make: writes what takes the source's place to a path

    Returns:
        False when the source changed meanwhile; then all is as it was

    Raises:
        Conflict: another file has the target's name by now
    """
    with _new(documents.home, one.name) as noted:
        _note(noted, one)
        try:
            one.draft.parent.mkdir(mode=0o700)
            make(one.draft)
            with suppress(OSError):  # somebody took it away, or its file system knows no modes
                shutil.copymode(one.source, one.draft)
            one = msgspec.structs.replace(one, made=fingerprint(one.draft))
            _note(noted, one)
            if not (done := _finish(documents, one)):
                # Another server, or an editor, has saved it: what it wrote is to be in the new one too.
                _take_back(documents, one)
        except BaseException:
            _take_back(documents, one)
            os.unlink(noted.name)
            raise
        os.unlink(noted.name)
    return done


def kept_of(documents: Documents, source: Path) -> str:
    """Another one when other outputs were saved beside a text; '' when there are none, or it cannot be read."""
    if source.suffix == ".ipynb":
        return ""
    try:
        return str(documents.store(source)[0].stamp(text_id(source.read_bytes())) or "")
    except OSError:
        return ""


def are_left(documents: Documents) -> bool:
    """Whether any are noted; they may be under way."""
    return bool(_notes(documents.home))


def finish_left(documents: Documents) -> None:
    """Finish what nobody is at any more, or clear it away if it is not whole: a kill ended who was.

    Where somebody has changed one of the two since, both stay. What cannot be finished now is left for another time.
    """
    for path in _notes(documents.home):
        with suppress(OSError, SlipwayError), open(path, "rb") as noted:
            if not _is_mine(noted, wait=False):
                continue
            one = _noted(noted)
            if one is None:  # its beginning was killed
                path.unlink()
            elif Path(one.source).is_relative_to(documents.root):
                if one.made:
                    with suppress(Conflict):
                        _finish(documents, one)
                _clear(one)
                path.unlink()


def _finish(documents: Documents, one: Conversion) -> bool:
    """
    Returns:
        False when the source changed: it stays, and so does what was made, if it has the target's name by now

    Raises:
        Conflict: another file has the target's name
    """
    source, target = Path(one.source), Path(one.target)
    with _alone(documents, one):
        _put_back(one)
        goes = not one.keep and os.path.lexists(source)
        if goes and (fingerprint(source) != one.was or kept_of(documents, source) != one.kept):
            return False
        if fingerprint(one.draft) == one.made:
            writing.put(one.draft, target)
        if fingerprint(target) != one.made:
            if os.path.lexists(source) or not _hold_the_same(one.draft, target):
                raise Conflict(f"{target.name} is there already.", hint="Rename or delete one of the two.")
            _clear(one)  # somebody else was converting it, too
            return True
        sync_directory(target.parent)
        if source.is_file():
            former = Former(minor=one.minor) if source.suffix == ".ipynb" else Former(source.read_bytes())
            documents.succeed(target, source, former, in_its_place=not one.keep)
        if not one.keep:
            if not writing.remove(source, one.was, one.aside(source)):
                return False
            documents.forget(source)
            sync_directory(target.parent)
        _clear(one)
        return True


def _take_back(documents: Documents, one: Conversion) -> None:
    """Let what was made go; unless the source is gone, too."""
    source, target = Path(one.source), Path(one.target)
    _clear(one)
    with _alone(documents, one):
        _put_back(one)
        if one.made and os.path.lexists(source) and fingerprint(target) == one.made:
            was = documents.former(source, target)
            if writing.remove(target, one.made, one.aside(target)):
                # Whoever has gone on there finds the way back.
                documents.succeed(source, target, was, in_its_place=True)
                documents.forget(target)


@contextmanager
def _alone(documents: Documents, one: Conversion) -> Iterator[None]:
    """Nobody saves one of the two meanwhile, or converts it."""
    (store, path), (_, other) = (documents.store(Path(file)) for file in sorted((one.source, one.target)))
    with store.lock(path), store.lock(other):
        yield


def _hold_the_same(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False)


def _put_back(one: Conversion) -> None:
    """Whoever was killed may have been about to remove one of the two."""
    for file, content in ((Path(one.source), one.was), (Path(one.target), one.made)):
        writing.drop(one.aside(file), file, content)


def _clear(one: Conversion) -> None:
    shutil.rmtree(one.draft.parent, ignore_errors=True)


@contextmanager
def _new(home: Path, name: str) -> Iterator[IO[bytes]]:
    """Where a conversion is noted, which nobody else goes on with until this ends."""
    path = private_directory(home / FOLDER) / name
    while True:
        with open(path, "xb") as noted:
            if _is_mine(noted, wait=True):
                yield noted
                return


def _is_mine(noted: IO[bytes], *, wait: bool) -> bool:
    """Whether nobody else is at it, and it is not done. Without locks it is never known that nobody is."""
    try:
        fcntl.flock(noted, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return wait
    return os.fstat(noted.fileno()).st_nlink > 0


def _note(noted: IO[bytes], one: Conversion) -> None:
    noted.write(msgspec.json.encode(one) + b"\n")
    noted.flush()
    os.fsync(noted.fileno())
    sync_directory(Path(noted.name).parent)


def _noted(noted: IO[bytes]) -> Conversion | None:
    """The last that was noted whole."""
    for line in reversed(noted.read().split(b"\n")):
        with suppress(msgspec.MsgspecError):
            return from_json(line, Conversion)
    return None


def _notes(home: Path) -> list[Path]:
    try:
        return [home / FOLDER / name for name in os.listdir(home / FOLDER)]
    except OSError:
        return []
