"""A network file system that knows no locks, no hard links, no exchange of names and no sync of a folder."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from jupyter_slipway.errors import Conflict
from jupyter_slipway.notebooks import writing
from jupyter_slipway.notebooks.sightings import state_of
from tests.notebooks.builders import PERCENT, Server, shown
from tests.notebooks.rooms import Shared, in_loop, until


@pytest.fixture(autouse=True)
def far_away(monkeypatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    sync = os.fsync

    def sync_files(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        sync(descriptor)

    monkeypatch.setattr(fcntl, "flock", unknown)
    monkeypatch.setattr(os, "link", unknown)
    monkeypatch.setattr(os, "fsync", sync_files)
    monkeypatch.setattr(writing, "_exchange", lambda *_: False)


def test_a_notebook_is_saved_and_its_outputs_come_back(tmp_path: Path, home: Path) -> None:
    (tmp_path / "a.py").write_text(PERCENT)
    server = Server(tmp_path, home)

    server.run("a.py", server.open("a.py"))

    assert shown(Server(tmp_path, home).open("a.py")) == ["x = 1 gave 1\n", "", "print(x) gave 1\n"]
    assert (tmp_path / "a.py").read_text() == PERCENT


@in_loop
async def test_what_is_typed_is_saved_and_two_servers_come_to_the_same(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    one = await Shared(tmp_path, home).notebook("a.py")
    other = await Shared(tmp_path, home).notebook("a.py")

    one.type(0, -1, "  # one")
    await until(lambda: "# one" in file.read_text())
    other.type(2, -1, "  # other")

    wanted = ["x = 1  # one", "Title", "print(x)  # other"]
    await until(lambda: one.sources == other.sources == wanted, lambda: (one.sources, other.sources))
    await until(lambda: "# one" in file.read_text() and "# other" in file.read_text())


def test_what_shows_only_once_the_file_is_opened_is_not_written_over(tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "a.py"
    file.write_text(PERCENT)
    seen, remembered, stat = state_of(file), file.stat(), os.stat
    file.write_text("# from another machine\n")
    monkeypatch.setattr(os, "stat", lambda path, **more: remembered if path == file else stat(path, **more))

    with pytest.raises(Conflict), writing.expecting(file, seen):
        writing.write(file, b"# from here\n")

    assert file.read_text() == "# from another machine\n"
