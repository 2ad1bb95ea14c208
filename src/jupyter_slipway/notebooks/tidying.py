"""Room is made in stores of outputs by itself: once a day, when nobody is at work, in a process of its own.

Started by `app`. What goes and what is kept, `upkeep` decides.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from jupyter_slipway.notebooks import layout
from jupyter_slipway.notebooks.documents import Documents

LOOK = 10 * 60.0
"""Seconds between two looks whether it is time."""
QUIET = 10 * 60.0
"""Seconds since a notebook was opened or saved on this server."""
EVERY = 24 * 3600.0
"""Seconds between two times that one store is gone through, whoever asked."""
COLLECT = "from jupyter_slipway.notebooks.tidying import collect; import sys; collect(sys.argv[1])"


def due(stores: Sequence[Path], collected: Mapping[Path, float], idle: float, now: float) -> list[Path]:
    """The stores to go through now, the one that waits longest first.

    Args:
        collected: when each was gone through last, in seconds since 1970
        idle: seconds for which nobody has been at work
        now: seconds since 1970
    """
    if idle < QUIET:
        return []
    waiting = [store for store in stores if now - collected.get(store, 0.0) >= EVERY]
    return sorted(waiting, key=lambda store: collected.get(store, 0.0))


class Tidying:
    """
    Args:
        documents: of the server's contents manager; None when that is another's
    """

    def __init__(self, documents: Callable[[], Documents | None], log: logging.Logger) -> None:
        self._documents, self._log = documents, log
        self._at_work = asyncio.Lock()
        self._tried: dict[Path, float] = {}
        """When; what fails is not tried again at once."""

    async def look(self) -> None:
        """Make room where it is time for it, and log what was freed."""
        documents = self._documents()
        if documents is None or self._at_work.locked():
            return
        async with self._at_work:
            stores = [folder for folder in documents.stores() if layout.collected_path(folder).parent.is_dir()]
            done = {one: max(_changed(layout.collected_path(one)), self._tried.get(one, 0.0)) for one in stores}
            now = time.time()
            for folder in due(stores, done, time.monotonic() - documents.used_at, now):
                self._tried[folder] = now
                await self._collect(folder)

    async def _collect(self, folder: Path) -> None:
        # git's list of all that can be reached may be long: nothing for the server's own memory.
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            COLLECT,
            str(folder),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, failed = (one.decode(errors="replace").strip() for one in await process.communicate())
        if process.returncode:
            self._log.warning("%s could not be tidied: %s", folder, failed.splitlines()[-1:] or process.returncode)
        else:
            self._log.info("%s: %s", folder, said)


def collect(folder: str) -> None:
    """Go through one store, and print what was freed."""
    from jupyter_slipway.notebooks import upkeep
    from jupyter_slipway.notebooks.store import Store

    # Nothing is sealed: whose key it is does not matter to what is needed.
    print(upkeep.collect(Store(Path(folder), b"")).said)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
