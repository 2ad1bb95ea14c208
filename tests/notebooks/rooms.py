"""Rooms of shared documents in the test's own process, on a real contents manager, and pages that have them open."""

from __future__ import annotations

import asyncio
import functools
import logging
import sqlite3
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, ClassVar

import nbformat
from jupyter_server_ydoc.loaders import FileLoader
from jupyter_server_ydoc.stores import SQLiteYStore
from jupyter_ydoc import YNotebook, YUnicode
from pycrdt import Doc, create_update_message

from jupyter_slipway.notebooks.room import MergingRoom, OpenFiles
from tests.notebooks.builders import Server

PATIENCE = 60.0


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in a loop of its own, and end the servers that it has started."""

    async def whole(*arguments: Any, **named: Any) -> None:
        try:
            await test(*arguments, **named)
        finally:
            while Shared.running:
                await Shared.running.pop().end()

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(whole(*arguments, **named))

    return run


class Events:
    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []

    def emit(self, *, schema_id: str, data: dict[str, Any]) -> None:
        self.said.append(data)


class FileIds:
    """Where files are: their first path is their id."""

    def __init__(self) -> None:
        self.places: dict[str, str] = {}

    def get_path(self, id: str) -> str | None:
        return self.places.get(id, id) or None

    def move(self, old: str, new: str) -> None:
        self.places[next((id for id, path in self.places.items() if path == old), old)] = new

    def delete(self, path: str) -> None:
        self.places |= {id: "" for id, place in self.places.items() if place == path}


class Shared:
    """What a server with jupyter-collaboration is to one folder."""

    running: ClassVar[list[Shared]] = []

    def __init__(self, root: Path, home: Path, *, poll: float = 0.05, delay: float | None = 0.1) -> None:
        self.root, self._poll, self._delay = root, poll, delay
        self.manager = Server(root, home).manager
        self.events, self.ids = Events(), FileIds()
        log = logging.getLogger("rooms")
        self.files = OpenFiles(lambda: self.manager, home / "documents", log)
        self._store = type("Store", (SQLiteYStore,), {"db_path": str(home / "history.db")})
        self._made = type("Room", (MergingRoom,), {"files": self.files})
        self._loaders: dict[str, FileLoader] = {}
        self._rooms: dict[str, Any] = {}
        self._started: dict[str, asyncio.Task[None]] = {}
        self.running.append(self)

    async def room(self, path: str, type: str) -> Any:
        id = f"{'json' if type == 'notebook' else 'text'}:{type}:{path}"
        if id not in self._rooms:
            loader = self._loaders.get(path) or FileLoader(path, self.ids, self.manager, None, None)
            loader._poll_interval = self._poll
            self._loaders[path] = loader
            store = self._store(path=f".{type}:{path}.y")
            form = "json" if type == "notebook" else "text"
            room = self._made(id, form, type, loader, self.events, store, None, save_delay=self._delay)
            self._started[id] = asyncio.ensure_future(room.start())
            await room.started.wait()
            await room.initialize()
            await room.ydoc_observed.wait()
            self._rooms[id] = room
        return self._rooms[id]

    async def notebook(self, path: str, lag: float | None = 0.0) -> Page:
        return Page(await self.room(path, "notebook"), YNotebook, lag)

    async def text(self, path: str, lag: float | None = 0.0) -> Page:
        return Page(await self.room(path, "file"), YUnicode, lag)

    async def leave(self, path: str, type: str) -> None:
        """As if nobody had it open for a while."""
        id = f"{'json' if type == 'notebook' else 'text'}:{type}:{path}"
        room = self._rooms.pop(id)
        store = room.ystore
        await room.stop()
        with suppress(RuntimeError):  # its awareness, which it ends twice when a write of its history is cut short
            await self._started.pop(id)
        if store._task_group is not None:
            await store.stop()

    async def end(self, *, crash: bool = False) -> None:
        if crash:
            # Nothing is saved any more: as far as the disk goes, it is dead.
            for room in self._rooms.values():
                room._open.close()
                room._open, room._view = None, None
        for id in list(self._rooms):
            _, type, path = id.split(":", 2)
            await self.leave(path, type)
        await self.files.close()
        if self in self.running:
            self.running.remove(self)


class Page:
    """A page's own copy of a shared document, in step with the room's.

    Args:
        lag: seconds that what is said takes from the one to the other; None: until `arrive` is called
    """

    def __init__(self, room: Any, kind: Any, lag: float | None = 0.0) -> None:
        self.room, self.lag = room, lag
        self._on_the_way: list[tuple[bytes, Any]] = []
        self.document = kind(Doc())
        self._applying = False
        self.changes = 0
        self.document.ydoc.apply_update(room.ydoc.get_update())
        self._subscriptions = [room.ydoc.observe(self._hear), self.document.ydoc.observe(self._tell)]

    def _hear(self, event: Any) -> None:
        self._pass(event.update, self.document.ydoc)

    def _tell(self, event: Any) -> None:
        self._pass(event.update, self.room.ydoc)

    def _pass(self, update: bytes, to: Any) -> None:
        if self._applying:
            return
        if self.lag is None:
            self._on_the_way.append((update, to))
        elif self.lag:
            asyncio.get_running_loop().call_later(self.lag, self._apply, update, to)
        else:
            self._apply(update, to)

    def arrive(self) -> None:
        """Let what was said arrive, from here on at once."""
        self.lag = 0.0
        for update, to in self._on_the_way:
            self._apply(update, to)

    def _apply(self, update: bytes, to: Any) -> None:
        self.changes += to is self.document.ydoc
        if to is self.room.ydoc:
            self.room.on_message(create_update_message(update))
        self._applying = True
        to.apply_update(update)
        self._applying = False

    @property
    def text(self) -> str:
        return str(self.document.get())

    @property
    def sources(self) -> list[str]:
        return [cell["source"] for cell in self.document.get()["cells"]]

    @property
    def ids(self) -> list[str]:
        return [cell["id"] for cell in self.document.get()["cells"]]

    def type(self, cell: int, at: int, said: str) -> None:
        """At a place in a cell; -1: at its end."""
        ytext = self.document.ycells[cell]["source"]
        ytext.insert(len(str(ytext).encode()) if at < 0 else at, said)

    def write(self, at: int, said: str) -> None:
        """At a place in a text; -1: at its end."""
        source = self.document._ysource
        source.insert(len(str(source).encode()) if at < 0 else at, said)


def ipynb(*sources: str) -> str:
    cells = [nbformat.v4.new_code_cell(source, id=f"c{number}") for number, source in enumerate(sources)]
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells))


async def until(holds: Callable[[], Any], told: Callable[[], Any] = lambda: "") -> None:
    ends = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < ends, told()
        await asyncio.sleep(0.02)


def is_kept(folder: Path, said: bytes) -> bool:
    """Whether a history of rooms in the folder holds it for good: what is on its way may yet be rolled back."""
    for path in folder.glob("*.db"):
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as history:
            try:
                if any(said in update for (update,) in history.execute("SELECT yupdate FROM yupdates")):
                    return True
            except sqlite3.OperationalError:  # being written, or not yet begun: the next look sees it
                continue
    return False


def words(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in text.split()}
