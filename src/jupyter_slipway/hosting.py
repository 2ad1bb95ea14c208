"""Processes that outlive who started them: spawned detached, found again by their record, ended.

A kernel host and a cluster host each have a directory of their own, mode 0700. The host writes its `Record`
there when it can be reached; whoever reads it knows whether that very process still lives: a process number
alone may belong to somebody else by now, and after a reboot always does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from jupyter_slipway.decoding import from_json
from jupyter_slipway.errors import Unavailable
from jupyter_slipway.files import private_directory

RECORD = "record.json"
LOG = "host.log"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Record(Struct, frozen=True):
    """record.json: where a host is reached, and which process it is."""

    endpoint: str
    """A unix socket's path, or 'HOST:PORT'."""
    token: str
    pid: int
    started: str
    """When that process began, as the system counts it: see `process_start`."""
    nonce: str
    """The host says it in its hello: whoever answers at the endpoint with another is not this host."""
    boot: str = ""
    tls: dict[str, str] = {}
    """Paths of 'ca', 'cert' and 'key', when the endpoint is reached over the network."""
    about: dict[str, Any] = {}
    """What the host's own kind says."""


def boot_id() -> str:
    """Of this start of the machine; '' where the system does not tell."""
    with suppress(OSError):
        return BOOT_ID.read_text().strip()
    return ""


def process_start(pid: int) -> str:
    """When process `pid` began; '' when there is none, or only its remains."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except FileNotFoundError:
        return "" if os.path.isdir("/proc/self") else _ps(pid)
    except ProcessLookupError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def read(directory: Path) -> Record | None:
    """The record in `directory`; None when there is none, or it cannot be read."""
    try:
        return from_json((directory / RECORD).read_bytes(), Record)
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
        return None


def alive(record: Record) -> bool:
    """Whether the very process of the record lives on this machine."""
    if record.boot and record.boot != boot_id():
        return False
    return bool(record.started) and process_start(record.pid) == record.started


def spawn(
    directory: Path,
    command: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    within: float = 60.0,
) -> Record:
    """Start `command` detached, and wait until it has written its record into `directory`.

    What it prints goes to host.log beside the record.

    Args:
        within: seconds

    Raises:
        Unavailable: it ended again, or has no record in time (then it is ended); the end of its log says why
    """
    private_directory(directory)
    # The record of a dead host would be taken for this one's.
    (directory / RECORD).unlink(missing_ok=True)
    with open(os.open(directory / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=cwd or directory,
            env=environ,
        )
    # It outlives us or we it: whoever ends last, no zombie stays.
    threading.Thread(target=process.wait, name=f"host-{process.pid}", daemon=True).start()
    until = time.monotonic() + within
    while time.monotonic() < until:
        if (record := read(directory)) is not None:
            return record
        if process.poll() is not None:
            break
        time.sleep(0.01)
    code = process.poll()
    if code is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    said = "did not come up in time" if code is None else f"ended with {code}"
    raise Unavailable(
        f"The host process in {directory.name} {said}. The end of its log: {last_lines(directory / LOG)}",
        hint=f"See {directory / LOG}.",
    )


def end(record: Record, *, within: float = 10.0) -> None:
    """End the host's process: asked first, after `within` seconds killed with its group."""
    if not alive(record):
        return
    with suppress(ProcessLookupError):
        os.kill(record.pid, signal.SIGTERM)
    until = time.monotonic() + within
    while alive(record) and time.monotonic() < until:
        time.sleep(0.02)
    if alive(record):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(record.pid, signal.SIGKILL)


def last_lines(path: Path, count: int = 3) -> str:
    """The end of a log, on one line of at most 600 characters."""
    try:
        lines = path.read_bytes()[-8192:].decode(errors="replace").strip().splitlines()
    except OSError:
        return "(none)"
    return " / ".join(lines[-count:])[-600:] or "(empty)"


def _ps(pid: int) -> str:
    """Where there is no /proc: macOS."""
    done = subprocess.run(["ps", "-o", "lstart=,state=", "-p", str(pid)], capture_output=True, text=True, check=False)
    words = done.stdout.split()
    return "" if not words or words[-1].startswith("Z") else " ".join(words[:-1])


if sys.platform == "win32":  # pragma: no cover
    raise ImportError("Hosts need a POSIX system.")
