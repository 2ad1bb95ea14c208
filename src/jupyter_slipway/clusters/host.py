"""The process that holds one cluster: `python -m jupyter_slipway.clusters.host DIRECTORY`.

Started detached by `hosts.start`; outlives whoever asked for it. It can be asked from its first moment on, on a
unix socket, one JSON line a request; it makes the cluster meanwhile. When it ends, so do scheduler and workers:
they hang on pipes of this process, and a killed host closes those.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from jupyter_slipway import hosting
from jupyter_slipway.clusters.hosts import ENDED, LAUNCH, WORKERS_LOG, Answer, Ended, Launch
from jupyter_slipway.clusters.logs import bound
from jupyter_slipway.decoding import from_json
from jupyter_slipway.errors import NotFound, SlipwayError, Unavailable
from jupyter_slipway.files import atomic_write, private_directory

LONGEST_PATH = 100
"""Bytes; the system takes no longer unix socket's path."""
LONGEST_REQUEST = 8 << 20
"""Bytes; a program to be placed beside a worker is 200 KB."""
LOOK = 1.0
"""Seconds between two looks at whether it is still wanted."""
UNSEEN = 6 * 3600.0
"""Seconds without a question and without work after which it ends by itself: whoever looked after it is gone."""
CLOSE_WITHIN = 20.0
TLS = {"ca": "tls_ca_file", "cert": "tls_client_cert", "key": "tls_client_key"}


class Held(Protocol):
    """What the host holds: a cluster it made, or a scheduler that is somebody else's."""

    address: str
    dashboard: str

    async def open(self, tell: Callable[[str, float | None], None]) -> None:
        """
        Raises:
            Exception: whatever the engine says; the cluster has failed
        """
        ...

    async def on_scheduler(self, name: str, **arguments: Any) -> Any:
        """A function of `clusters.scheduler`, where the scheduler is."""
        ...

    async def install(self, requirements: list[str]) -> None:
        """Packages in front of those that the workers have, which are restarted.

        Raises:
            Unavailable: it failed somewhere, and nothing was changed
        """
        ...

    async def near(self) -> Any:
        """The cluster's `near.Near`."""
        ...

    async def scale(self, minimum: int, maximum: int) -> None: ...

    async def lost(self) -> str:
        """Why it is no more; '' while it is."""
        ...

    async def close(self) -> None: ...


class Host:
    def __init__(self, directory: Path, launch: Launch) -> None:
        self._directory, self._launch = directory, launch
        self._endpoint = socket_path(directory)
        self._nonce, self._token = secrets.token_hex(8), secrets.token_hex(16)
        self._state, self._reason = "starting", ""
        self._waiting, self._progress = "the engine to load", 0.05
        self._asked_at = time.monotonic()
        self._ending = asyncio.Event()
        self._held: Held | None = None

    async def run(self) -> bool:
        """Until it is told to end, or has to; whether that was as it should be."""
        loop = asyncio.get_running_loop()
        for one in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(one, self._end, "its host was told to end")
        server = await asyncio.start_unix_server(self._serve, self._endpoint, limit=LONGEST_REQUEST)
        self._record()
        opening = asyncio.create_task(self._open())
        try:
            while not self._ending.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._ending.wait(), LOOK)
                await self._look()
        finally:
            opening.cancel()
            await self._close()
            server.close()
            self._say()
        return self._state != "failed"

    # ── its life ────────────────────────────────────────────────────────────────────────────────────────────

    def _record(self, **about: str) -> None:
        pid = os.getpid()
        started, boot = hosting.process_start(pid), hosting.boot_id()
        record = hosting.Record(self._endpoint, self._token, pid, started, self._nonce, boot, about=about)
        atomic_write(self._directory / hosting.RECORD, msgspec.json.encode(record))
        (self._directory / hosting.RECORD).chmod(0o600)

    async def _open(self) -> None:
        try:
            # The engine's import takes a second, in which the host already answers.
            holder = await asyncio.to_thread(importlib.import_module, "jupyter_slipway.clusters.held")
            held: Held = holder.held(self._launch, self._directory)
            self._held = held
            await held.open(self._tell)
            self._record(address=held.address, dashboard=held.dashboard)
            self._state, self._waiting, self._progress = "running", "", 1.0
        except Exception as error:  # the engine's: the cluster failed, we did not
            logging.exception("The cluster could not be made")
            said = error.message if isinstance(error, SlipwayError) else f"{type(error).__name__}: {error}"
            self._state = "failed"
            self._end(said[:600])

    def _tell(self, waiting: str, progress: float | None) -> None:
        self._waiting, self._progress = waiting, progress or self._progress

    async def _look(self) -> None:
        for name in (hosting.LOG, WORKERS_LOG):
            bound(self._directory / name)
        mine = hosting.read(self._directory)
        if mine is None or mine.nonce != self._nonce:
            self._end("its directory is gone, or another host's")
        elif self._held is not None and self._state == "running":
            if why := await self._held.lost():
                self._state = "failed"
                self._end(why)
            elif time.monotonic() - self._asked_at > UNSEEN and not await self._held.on_scheduler("working"):
                self._end("nobody has looked after it for hours")

    def _end(self, reason: str) -> None:
        if not self._ending.is_set():
            self._reason = reason
            self._ending.set()

    async def _close(self) -> None:
        if self._held is not None:
            try:
                async with asyncio.timeout(CLOSE_WITHIN):
                    await self._held.close()
            except Exception:  # the engine's; ending this process ends what is left
                logging.exception("The cluster did not close by itself")
        for left in ("scratch", "packages"):
            shutil.rmtree(self._directory / left, ignore_errors=True)

    def _say(self) -> None:
        mine = hosting.read(self._directory)
        if mine is None or mine.nonce != self._nonce:
            return
        state: Literal["stopped", "failed"] = "failed" if self._state == "failed" else "stopped"
        with suppress(OSError):  # a full disk: whoever looks sees a host that has ended
            atomic_write(
                self._directory / ENDED,
                msgspec.json.encode(Ended(state, self._reason, hosting.boot_id())),
            )
        Path(self._endpoint).unlink(missing_ok=True)

    # ── what it is asked ────────────────────────────────────────────────────────────────────────────────────

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), suppress(ConnectionError, EOFError, asyncio.LimitOverrunError):
            answer = await self._answer(await reader.readuntil(b"\n"))
            writer.write(msgspec.json.encode(answer) + b"\n")
            await writer.drain()

    async def _answer(self, line: bytes) -> Answer:
        try:
            request = from_json(line, dict[str, Any])
            if not secrets.compare_digest(str(request.pop("token", "")), self._token):
                return Answer(self._nonce, error="This is not the token of this host.", kind="unavailable")
            self._asked_at = time.monotonic()
            return Answer(self._nonce, await self._do(str(request.pop("op", "")), request))
        except SlipwayError as error:
            return Answer(self._nonce, error=error.message, kind=error.code)
        except Exception as error:  # the engine's: said to who asked
            logging.exception("Could not be answered")
            return Answer(self._nonce, error=f"{type(error).__name__}: {error}", kind="unavailable")

    async def _do(self, op: str, arguments: dict[str, Any]) -> Any:
        if op == "status":
            return await self._status()
        if op == "close":
            self._end(str(arguments.get("reason") or "it was stopped"))
            return None
        if self._state != "running" or self._held is None:
            raise Unavailable(f"The cluster is {self._state}: it cannot be asked that.")
        if op == "scale":
            return await self._held.scale(int(arguments["minimum"]), int(arguments["maximum"]))
        if op in ("figures", "progress", "cancel", "packages"):
            return await self._held.on_scheduler(op, **arguments)
        if op == "install":
            return await self._held.install(**arguments)
        if op == "place":
            workers = await self._held.on_scheduler("workers")
            return await (await self._held.near()).place(workers, **arguments)
        if op in ("again", "unplace"):
            return await getattr(await self._held.near(), op)(**arguments)
        raise NotFound(f"A cluster's host has no {op!r}.")

    async def _status(self) -> dict[str, Any]:
        state = "stopping" if self._ending.is_set() and self._state != "failed" else self._state
        said: dict[str, Any] = {"state": state, "waiting": self._waiting, "progress": self._progress}
        said["reason"] = self._reason
        if self._held is not None and self._state == "running":
            said |= await self._held.on_scheduler("life")
        return said


def socket_path(directory: Path) -> str:
    """Where the host listens: in its directory, when the system takes so long a path."""
    path = str(directory / "host.sock")
    if len(os.fsencode(path)) > LONGEST_PATH:
        path = str(Path(tempfile.mkdtemp(prefix="slipway-")) / "host.sock")
    Path(path).unlink(missing_ok=True)
    return path


def certificates(directory: Path, security: Any) -> dict[str, str]:
    """Write those of a `distributed.Security` that are texts, 0600; their paths."""
    folder = private_directory(directory / "tls")
    paths = {}
    for name, attribute in TLS.items():
        path = folder / f"{name}.pem"
        atomic_write(path, str(getattr(security, attribute)).encode())
        path.chmod(0o600)
        paths[name] = str(path)
    return paths


def main() -> None:
    os.umask(0o077)
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s", level=logging.INFO)
    directory = Path(sys.argv[1])
    launch = from_json((directory / LAUNCH).read_bytes(), Launch)
    if not asyncio.run(Host(directory, launch).run()):
        sys.exit(1)


if __name__ == "__main__":
    main()
