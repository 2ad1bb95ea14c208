"""The rooms of jupyter-collaboration, made so that what changes on disk is merged instead of put in its place.

Put in place by `app` where jupyter-collaboration is enabled. The only file that knows jupyter_server_ydoc: a room
hands its document to `openfile`, which does the rest.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import logging
import secrets
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

from jupyter_server.auth import authorized
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.utils import ensure_async
from jupyter_server_ydoc import app, handlers, rooms
from jupyter_server_ydoc.utils import JUPYTER_COLLABORATION_EVENTS_URI, SERVER_SESSION, LogLevel, MessageType
from pycrdt import read_message
from pycrdt.store import YDocNotFound
from tornado import web
from tornado.web import HTTPError

from jupyter_slipway.errors import Conflict
from jupyter_slipway.files import is_full
from jupyter_slipway.notebooks.bases import Bases
from jupyter_slipway.notebooks.contents import KeepsOutputs
from jupyter_slipway.notebooks.disk import Disk
from jupyter_slipway.notebooks.openfile import OpenFile
from jupyter_slipway.notebooks.views import View, view

KNOWN = ("3.0.",)
"""Versions of jupyter_server_ydoc whose rooms were read: of others nothing is replaced."""
WRITES = (1, 2)
"""Kinds of Yjs sync messages that change a document; 0 only asks for it."""
ACTIONS = {"INFO": "save", "WARNING": "overwrite", "CONFLICT": "load", "ERROR": None}
"""As what events of jupyter-collaboration's schema pages hear of it: `rooms.ts`."""


class OpenFiles:
    """The files that are open on this server in shared documents.

    Args:
        folder: where the newest state of each is kept, and what tells this server from others on the same root
    """

    def __init__(self, manager: Callable[[], Any], folder: Path, log: logging.Logger) -> None:
        self._manager, self._folder, self.log = manager, folder, log
        self._open: dict[str, OpenFile] = {}
        self._lineage = Lineage(folder)

    def is_ours(self) -> bool:
        """Whether files are on a disk of this machine, and saved by our contents manager."""
        return isinstance(self._manager(), KeepsOutputs)

    def of(self, loader: Any, delay: float | None) -> OpenFile:
        found = self._open.get(loader.file_id)
        if found is None or found.is_closed:
            disk = Disk(self._manager(), loader)
            _watch_in_peace(loader, disk)
            found = self._open[loader.file_id] = OpenFile(disk, self.log, loader._poll_interval, delay)
        return found

    async def undo_merge(self, path: str) -> bool:
        """Take back the last change on disk that was against what was typed; False when there is none.

        Args:
            path: from the server's root
        """
        found = self._at(path)
        return found is not None and await found.undo_merge()

    @asynccontextmanager
    async def moving(self, path: str) -> AsyncIterator[Callable[[str], None]]:
        """Within the block the file may become another; who has it open goes on in the one that is said.

        Args:
            path: from the server's root

        Raises:
            Conflict: what is open of it cannot be saved
        """
        found = self._at(path)
        if found is None:
            yield lambda to: None
            return
        try:
            await found.sync()
        except HTTPError as error:
            raise Conflict(
                f"{path} is open, and cannot be saved: {error.log_message}", hint="Save it first."
            ) from error
        async with found.moving() as follow:
            yield follow

    def _at(self, path: str) -> OpenFile | None:
        return next((one for one in self._open.values() if not one.is_closed and one.disk.path == path), None)

    def bases(self, room_id: str) -> Bases:
        name = hashlib.sha256(f"{self._lineage.name} {room_id}".encode()).hexdigest()[:24]
        return Bases(self._folder / "bases" / f"{name}.json")

    def history(self, path: str) -> str:
        """What the history of a room is called: two servers that write one would each repeat what the other did."""
        return f"{path}{self._lineage.name}"

    async def close(self) -> None:
        """Save all that was typed."""
        for one in self._open.values():
            await one.finish()
        self._open.clear()
        self._lineage.close()


def _watch_in_peace(loader: Any, disk: Disk) -> None:
    """That a file is deleted is no error, and no reason not to look again: it comes back with the next word."""
    look = loader.maybe_notify

    async def maybe_notify() -> None:
        if await disk.state() is None:
            return
        try:
            await look()
        except RuntimeError:  # it was deleted in JupyterLab: its id has no path any more
            return

    loader.maybe_notify = maybe_notify


class Lineage:
    """Which of several servers on one root this is: the first that no living one is. One that died is succeeded."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock: Any = None
        self._name: str | None = None

    @property
    def name(self) -> str:
        """'' for the first."""
        if self._name is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            number = 0
            try:
                while not self._take(number):
                    number += 1
                self._name = f"~{number}" if number else ""
            except OSError:  # a file system without locks: nobody's history is gone on with, lest two do
                self._name = f"~{secrets.token_hex(6)}"
        return self._name

    def _take(self, number: int) -> bool:
        lock = open(self._folder / f"server-{number}.lock", "ab")  # noqa: SIM115  held as long as the server lives
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        except OSError:
            lock.close()
            raise
        self._lock = lock
        return True

    def close(self) -> None:
        if self._lock:
            self._lock.close()
        self._lock = self._name = None


class MergingRoom(rooms.DocumentRoom):
    """A room whose document is a view of an open file."""

    files: OpenFiles
    ready: bool

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._open = self.files.of(self._file, self._save_delay) if self.files.is_ours() else None
        self._view: View | None = None
        self.on_message = self._hear
        if self._open and hasattr(self.ystore, "path"):
            self.ystore.path = self.files.history(self.ystore.path)

    async def initialize(self) -> None:
        if self._open is None:
            await super().initialize()
            return
        if self.ready:
            return
        async with self._update_lock:
            if self.ready:
                return
            await self._load(self._open)
            self.ready = True
        self._emit(LogLevel.INFO, "initialize", "Room initialized")
        if self._view:
            await self._open.join(self._view)

    async def _load(self, file: OpenFile) -> None:
        """What the room held when it was last open, and what became of the file since."""
        shown = view(self._document, self._file_type, self._file_format, self.files.bases(self._room_id), self._say)
        base = await asyncio.to_thread(shown.bases.restore)
        state = await file.disk.state()
        theirs = await file.read(shown)
        plain = shown.plain(theirs)
        if not await self._has_history():
            await self._apply_deterministic_source_content(plain)
        elif (now := shown.content()) != plain:
            # Nothing was unsaved; or, without a base, somebody else wrote the history: then the file is what counts.
            shown.merge(now if base is None or shown.bases.was_left else base, theirs)
            shown.dirty = shown.content() != plain
        if self.ystore:
            await self.ystore.encode_state_as_update(self.ydoc)
        shown.agree(theirs, state)
        await asyncio.to_thread(shown.bases.keep)
        self._view = shown
        if not self._document_progressively_loaded.done():
            self._document_progressively_loaded.set_result(None)

    async def _has_history(self) -> bool:
        """Whether the document holds what is known from before."""
        if self.ystore is None:
            return False
        async with self.ystore.start_lock:
            if not self.ystore.started.is_set():
                self.create_task(self.ystore.start())
                await self.ystore.started.wait()
        try:
            await self.ystore.apply_updates(self.ydoc)
        except YDocNotFound:
            return False
        return True

    async def stop(self) -> None:
        if self._open and self._view:
            await self._open.leave(self._view)
            self._view.end()
            self._view = None
        await super().stop()

    def _hear(self, message: bytes) -> bool:
        """Whether to skip a page's message, which the document has not taken in yet."""
        if self._view and _changes(message):
            self._view.hear(read_message(message[2:]))
        return False

    def _on_document_change(self, target: str, event: Any) -> None:
        if self._open is None:
            super()._on_document_change(target, event)
        elif self._view and (target != "state" or self._document.dirty):
            states = [state for state in self.awareness.states.values() if state]
            autosave = not states or any(state.get("autosave", True) for state in states)
            self._open.changed(self._view, save=autosave)

    async def _on_outofband_change(self) -> None:
        if self._open is None:
            await super()._on_outofband_change()
        else:
            self._open.look()

    def _save_to_disc(self) -> Awaitable[None] | None:
        """For who asks to save: fails when it is not saved."""
        if self._open is None:
            return super()._save_to_disc()  # type: ignore[no-any-return]
        return self._open.sync()

    def _emit(self, level: LogLevel, action: str | None = None, msg: str | None = None) -> None:
        if self._open is None:
            super()._emit(level, action, msg)
            return
        # Of a file that was deleted the loader knows no path any more.
        data = {"level": level.value, "room": self._room_id, "path": self._open.disk.path}
        data |= {key: value for key, value in (("action", action), ("msg", msg)) if value}
        self._logger.emit(schema_id=JUPYTER_COLLABORATION_EVENTS_URI, data=data)

    def _say(self, level: str, said: str) -> None:
        # A warning would be a dialog that nobody can do anything about.
        self._emit(LogLevel.ERROR if level == "ERROR" else LogLevel.INFO, ACTIONS[level], said)
        if level != "INFO":
            self.log.warning("%s", said)


class RoomSocket(handlers.YDocWebSocketHandler):
    """A page's connection to a room: who may only read does not write through it."""

    may_write = False

    async def prepare(self) -> None:
        await super().prepare()
        if self.current_user:
            asked = self.authorizer.is_authorized(self, self.current_user, "write", "contents")
            self.may_write = bool(await ensure_async(asked))

    async def on_message(self, message: Any) -> None:
        if not self.may_write and isinstance(message, bytes) and _changes(message):
            return
        await super().on_message(message)

    def on_close(self) -> None:
        # A file that could not be read has had its room removed already.
        if hasattr(self, "room"):
            super().on_close()

    def check_origin(self, origin: str) -> bool:
        """Other sites' pages do not connect: the cookie that a browser sends along is no consent."""
        return bool(JupyterHandler.check_origin(self, origin))

    def _emit(self, level: Any, action: str | None = None, msg: str | None = None) -> None:
        # It warns, in a dialog, that two views of one file are not kept in step. Here they are.
        if level is not LogLevel.WARNING:
            super()._emit(level, action, msg)


class SessionHandler(APIHandler):
    """Which room a file has. Asking is reading: what may be done in the room is settled there."""

    auth_resource = "contents"

    @web.authenticated
    @authorized("read", resource="contents")
    async def put(self, path: str) -> None:
        body = self.get_json_body() or {}
        if not {"format", "type"} <= body.keys():
            raise web.HTTPError(400, "Say 'format' and 'type'.")
        files = self.settings["file_id_manager"]
        known = files.get_id(path)
        try:
            found = known or files.index(path)
            for folder in PurePosixPath(path).parents[:-1]:
                # Of a folder that it does not know jupyter-server-fileid moves nothing when it is renamed.
                files.index(str(folder))
        except sqlite3.OperationalError as error:
            if not is_full(error):
                raise
            said = f"{path} cannot be opened together with others: the disk is full. Make room, then choose Retry."
            raise web.HTTPError(503, said) from error
        if found is None:
            raise web.HTTPError(404, f"File {path!r} does not exist")
        told = {"format": body["format"], "type": body["type"], "fileId": found, "sessionId": SERVER_SESSION}
        self.set_status(200 if known else 201)
        self.finish(json.dumps(told))


def _changes(message: bytes) -> bool:
    """Whether a page's message would change the document, or have it saved."""
    return message[0] == MessageType.SYNC and len(message) > 1 and message[1] in WRITES


def install(manager: Callable[[], Any], folder: Path, log: logging.Logger) -> OpenFiles | None:
    """Let rooms be ours; None, and a warning, when this jupyter-collaboration is one that was not read.

    It offers no setting for the class of its rooms: the names by which its modules find it are set here, and nowhere
    else.
    """
    found = version("jupyter-server-ydoc")
    if not found.startswith(KNOWN):
        log.warning(
            "jupyter-server-ydoc %s is not known: what changes on disk replaces what is open, instead of being merged. "
            "Slipway knows %s*.",
            found,
            "*, ".join(KNOWN),
        )
        return None
    files = OpenFiles(manager, folder, log)
    made = type("MergingRoom", (MergingRoom,), {"files": files})
    for module in (rooms, handlers, app):
        module.DocumentRoom = made
    app.YDocWebSocketHandler = RoomSocket
    app.DocSessionHandler = SessionHandler
    return files
