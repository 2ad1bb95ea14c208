"""The kernel hosts of this home: started, found again by any server, started anew when killed, swept away.

A kernel's directory lies in SLIPWAY_HOME/kernels under a short name of its own, since sockets' paths must be short.
Called by `manager` and `pool`, in a thread where it waits for a process.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from jupyter_slipway import hosting
from jupyter_slipway.errors import Unavailable
from jupyter_slipway.files import atomic_write, is_full, private_directory
from jupyter_slipway.hosting import Record
from jupyter_slipway.kernels.host.folder import CONFIG, ENDED, Config, Folder

MODULE = "jupyter_slipway.kernels.host"
ROOM = 107 - len("/k1000-4")
"""Bytes that a kernel's directory may have: the system takes sockets' paths of at most 107."""
KEPT = 7 * 86400.0
"""Seconds that what an ended kernel said is kept, unless somebody shut it down."""
VARIABLE = "SLIPWAY_KERNEL_DIR"


def folder(home: Path) -> Path:
    return home / "kernels"


def start(home: Path, config: Config, *, within: float = 60.0) -> tuple[Path, Record]:
    """A new host with its kernel; its directory and record.

    Raises:
        Unavailable: it, or the kernel, cannot be started; the message says why
    """
    try:
        return _start(home, config, within)
    except OSError as error:
        if not is_full(error):
            raise
        # Jupyter passes on the message only.
        todo = "Make room, then choose Kernel > Change Kernel."
        raise Unavailable(f"No kernel can be started: the disk is full. {todo}") from error


def _start(home: Path, config: Config, within: float) -> tuple[Path, Record]:
    directory = private_directory(folder(home)) / secrets.token_hex(4)
    private_directory(directory)
    if len(os.fsencode(directory)) > ROOM:
        config.sockets = tempfile.mkdtemp(prefix="slipway-", dir=os.environ.get("XDG_RUNTIME_DIR") or "/tmp")
    try:
        _write_config(directory, config)
        return directory, _spawned(directory, within)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        if config.sockets:
            shutil.rmtree(config.sockets, ignore_errors=True)
        raise


def start_anew(directory: Path, *, within: float = 60.0) -> Record:
    """The host of a directory whose last one was killed. Of several servers that ask, one starts it.

    Raises:
        Unavailable: it cannot be started
        FileNotFoundError: the kernel was shut down meanwhile
    """
    with _alone(directory):
        found = hosting.read(directory)
        if found is not None and hosting.alive(found):
            return found
        sweep(directory)
        config = Folder(directory).config()
        if config.sockets:
            Path(config.sockets).mkdir(mode=0o700, exist_ok=True)
        return _spawned(directory, within)


def living(home: Path) -> dict[Path, Record]:
    """The hosts that live, each with its directory; newest last."""
    found = {}
    for directory in directories(home):
        record = hosting.read(directory)
        if record is not None and (hosting.alive(record) or _beside_a_worker(home, record)):
            found[directory] = record
    return found


def _beside_a_worker(home: Path, record: Record) -> bool:
    """Whether it is on another machine, as far as its cluster's host can tell: that one lives."""
    if "nanny" not in record.about:
        return False
    cluster = hosting.read(home / "clusters" / record.about["cluster"])
    return cluster is not None and hosting.alive(cluster)


def killed(home: Path) -> dict[Path, Record]:
    """Those that left a record and no process: killed, or the machine was started anew."""
    found = {}
    for directory in directories(home):
        record = hosting.read(directory)
        if record is not None and not hosting.alive(record):
            found[directory] = record
    return found


def directories(home: Path) -> list[Path]:
    with suppress(FileNotFoundError):
        return sorted((path for path in folder(home).iterdir() if path.is_dir()), key=_changed_at)
    return []


def find(home: Path, kernel: str) -> Path | None:
    """The directory of a kernel, whether it lives or has ended."""
    for directory in reversed(directories(home)):
        with suppress(OSError, ValueError, TypeError):
            if Folder(directory).config().kernel == kernel:
                return directory
    return None


def ended(directory: Path) -> dict[str, Any] | None:
    """When and why its host ended by itself; None while it lives, or when it was killed."""
    with suppress(OSError, ValueError):
        found = json.loads((directory / ENDED).read_text())
        return found if isinstance(found, dict) else None
    return None


def tidy(home: Path) -> None:
    """Forget what ended long ago, and note which kernels ended with the machine or its server."""
    for directory, record in killed(home).items():
        if record.boot != hosting.boot_id() or record.about.get("warm"):
            _bury(directory, record)
    for directory in directories(home):
        done = ended(directory)
        if done is not None and time.time() - done["at"] > KEPT:
            shutil.rmtree(directory, ignore_errors=True)


def _bury(directory: Path, record: Record) -> None:
    """Of a host that nobody starts anew: what it said is kept for a while, if it was anybody's."""
    with _alone(directory):
        sweep(directory)
        if record.about.get("warm"):
            shutil.rmtree(directory, ignore_errors=True)
            return
        done = {"at": time.time(), "reason": "The machine was started anew.", "about": record.about}
        atomic_write(directory / ENDED, msgspec.json.encode(done))
        (directory / hosting.RECORD).unlink(missing_ok=True)


def sweep(directory: Path) -> list[int]:
    """End the processes that a killed host's kernel had started; their numbers.

    They are known by a variable in their environment: numbers alone may be other processes' by now.
    """
    mark = f"{VARIABLE}={directory}".encode()
    swept = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark in path.read_bytes().split(b"\0"):
                swept.append(int(path.parent.name))
                os.kill(swept[-1], signal.SIGKILL)
    return swept


def end_all(home: Path) -> None:
    """End every kernel of a home; for who leaves for good, and for tests."""
    for directory, record in living(home).items():
        hosting.end(record)
        sweep(directory)


def _spawned(directory: Path, within: float) -> Record:
    environ = {name: value for name, value in os.environ.items() if name != VARIABLE}
    return hosting.spawn(directory, [sys.executable, "-m", MODULE, str(directory)], environ=environ, within=within)


def _write_config(directory: Path, config: Config) -> None:
    with open(os.open(directory / CONFIG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(config))


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    with open(os.open(directory / "lock", os.O_WRONLY | os.O_CREAT, 0o600), "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _changed_at(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0
