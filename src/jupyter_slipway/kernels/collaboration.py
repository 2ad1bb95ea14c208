"""jupyter-collaboration's extension, where it is installed: found, and told to keep its files out of people's folders.

Called by `app` when the extensions are linked: what it makes its rooms of is settled when they are loaded.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

from traitlets.config import Config

from jupyter_slipway.files import private_directory
from jupyter_slipway.kernels.sessions import name_of_root

EXTENSION = "jupyter_server_ydoc"
WRITING, CANCELLING = 3.0, 1.0
"""Seconds that a room may take to write down what it has, and to end when it is told so."""
STORE, SESSIONS = ("SQLiteYStore", "db_path"), ("YDocExtension", "session_store_path")


def extension(serverapp: Any) -> Any | None:
    """The extension that shares documents; None where there is none, or it is disabled."""
    return next(iter(serverapp.extension_manager.extension_apps.get(EXTENSION, ())), None)


def keep_tidy(serverapp: Any, home: Path) -> None:
    """Have it keep the history of documents, and the ids of its sessions, in `home`: on its own it writes
    `.jupyter_ystore.db` where the server was started, and `.jupyter/` into the root, which may be read-only.

    What is configured stays as it is.
    """
    found = extension(serverapp)
    if found is None:
        return
    stem = folder(home) / name_of_root(serverapp.root_dir)
    places = {STORE: stem.with_suffix(".db"), SESSIONS: stem.with_suffix(".json")}
    ours = Config()
    for (section, name), place in places.items():
        if name not in serverapp.config.get(section, {}):
            ours[section][name] = str(place)
    try:
        private_directory(folder(home))
    except OSError as error:
        serverapp.log.warning("Shared documents are kept where jupyter-collaboration does: %s", error)
        return
    # It was linked before us, and has a configuration of its own.
    for one in (serverapp, found):
        one.update_config(ours)
    # Half of what opens a store gives it no configuration, and would find another file: without its history a
    # document is another one to pages that come back.
    found.ystore_class = _configured(found.ystore_class, found)


async def let_go_of_rooms(found: Any) -> None:
    """Stop the stores of the rooms that are open. jupyter-collaboration does not when the server ends; now and then
    one of them holds a thread, and that holds the whole process for ever.
    """
    work: set[asyncio.Task[Any]] = set()
    for room in list(found.ywebsocket_server.rooms.values()):
        if (store := getattr(room, "ystore", None)) is not None:
            with suppress(RuntimeError):  # it does not run
                await store.stop()
        work |= getattr(room, "_background_tasks", set())
    for patience in (WRITING, CANCELLING):
        if work:
            _, work = await asyncio.wait(work, timeout=patience)
        for task in work:
            task.cancel()


def folder(home: Path) -> Path:
    return home / "documents"


def _configured(store: Any, by: Any) -> Any:
    class Configured(store):  # type: ignore[misc]  # the class that is configured
        def __init__(self, **options: Any) -> None:
            super().__init__(**({"config": by.config} | options))

    return Configured
