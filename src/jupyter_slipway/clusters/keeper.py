"""Looks after all clusters of a home, once a second: one keeper at a time, in the process that carries runs."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import threading
from contextlib import suppress
from pathlib import Path

from jupyter_slipway.clusters.manager import Manager
from jupyter_slipway.errors import SlipwayError
from jupyter_slipway.files import private_directory

log = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds between two looks at a cluster that runs."""
SOON = 0.2
"""Seconds, while one starts or stops."""


class Keeper:
    """A thread with a loop of its own.

    Args:
        home: Slipway's
    """

    def __init__(self, manager: Manager, home: Path) -> None:
        self._manager, self._home = manager, home
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._steps: dict[str, asyncio.Task[None]] = {}
        self._moving: set[str] = set()
        """Those that start or stop just now."""
        self._said: dict[str, str] = {}
        """What last went wrong with each: said once, not each second."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Clusters go on; the next keeper finds them."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._keep())

    async def _keep(self) -> None:
        folder = private_directory(self._home / "clusters")
        with open(os.open(folder / ".keeper.lock", os.O_RDWR | os.O_CREAT, 0o600), "r+") as lock:
            while not self._stopping.is_set():
                with suppress(BlockingIOError):  # another keeper has this home: until it ends
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self._look()
                await asyncio.sleep(SOON if self._moving else LOOK)
        for task in self._steps.values():
            task.cancel()
        await asyncio.gather(*self._steps.values(), return_exceptions=True)

    def _look(self) -> None:
        """Begin a step of each that has none under way: one backend that hangs keeps nobody else waiting."""
        names = self._manager.unsettled()
        self._moving &= set(names)
        for name in names:
            if name not in self._steps:
                self._steps[name] = asyncio.create_task(self._step(name))

    async def _step(self, name: str) -> None:
        said = ""
        try:
            cluster = await self._manager.step(name)
            if cluster is not None and cluster.state in ("starting", "stopping"):
                self._moving.add(name)
            else:
                self._moving.discard(name)
        except SlipwayError as error:
            said = error.message
        except Exception as error:  # a backend's or the disk's: the next step tries again
            said = f"{type(error).__name__}: {error}"
            if said != self._said.get(name):
                log.exception("cluster %s could not be looked after", name)
        if said and said != self._said.get(name):
            log.warning("cluster %s: %s", name, said)
        self._said[name] = said
        if name not in self._moving:
            await asyncio.sleep(LOOK)
        self._steps.pop(name, None)
