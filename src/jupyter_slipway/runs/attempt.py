"""One attempt seen from the runner: laid out, started once, looked at, cancelled.

Every call may be repeated by any runner after any crash: what has happened stands in the directory.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from jupyter_slipway.decoding import from_json

GUARD = str(Path(__file__).with_name("guard.py"))
BOOTSTRAP = str(Path(__file__).with_name("bootstrap.py"))
ENTRY = (
    f"import sys; sys.path[0] = {str(Path(__file__).parent)!r}; import bootstrap; sys.exit(bootstrap.run(sys.argv[1]))"
)
"""As running BOOTSTRAP, but imported, so that Python keeps its compiled form: 8 ms less for each run."""


class Look(StrEnum):
    """What can be seen of an attempt."""

    NONE = "none"
    """Never begun."""
    RUNNING = "running"
    ENDED = "ended"
    LOST = "lost"
    """Begun, and its guard died without telling the end: killed, or the machine went down."""


class Launch(Struct, frozen=True):
    """launch.json: what the guard runs."""

    command: tuple[str, ...]
    """The first is an absolute path."""
    environ: dict[str, str]
    timeout: float
    wake: str
    """The runner's pipe, told when the attempt has ended."""


class Exit(Struct, frozen=True):
    """exit.json: how the attempt ended."""

    code: int
    """Negative: the signal that ended it."""
    reason: str
    """'ended' by itself, 'cancelled', 'timeout', or 'killed' by somebody else."""
    cpu_seconds: float
    peak_memory: int
    """Bytes."""
    started: float
    ended: float


def write_json(path: Path, content: Any) -> None:
    """Write a file whole or not at all. A power cut may undo it: then the attempt is laid out again."""
    write(path, msgspec.json.encode(content))


def write(path: Path, content: bytes) -> None:
    """Likewise. Whole, because the guard of a dead runner may read while the next writes the same."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def look(directory: Path) -> tuple[Look, Exit | None]:
    """What has become of the attempt, and its end when it has ended."""
    ended = _exit(directory)
    if ended is not None:
        return Look.ENDED, ended
    try:
        lock = os.open(directory / "lock", os.O_RDWR)
    except FileNotFoundError:
        return Look.NONE, None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return Look.RUNNING, None
    else:
        # It may have ended since the first look.
        ended = _exit(directory)
        if ended is not None:
            return Look.ENDED, ended
        return (Look.LOST if (directory / "started.json").exists() else Look.NONE), None
    finally:
        os.close(lock)


def _exit(directory: Path) -> Exit | None:
    try:
        return from_json((directory / "exit.json").read_bytes(), Exit)
    except FileNotFoundError:
        return None


def cancel(directory: Path) -> None:
    """Ask the guard to end the attempt; one that has not begun will not begin."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "cancel").touch()


class Nest:
    """The process that forks guards for this runner. Closed with the runner; the guards live on."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._one_at_a_time = threading.Lock()

    def ensure(self, directory: Path) -> None:
        """Start the guard of this attempt; a second guard of the same attempt ends at once."""
        line = os.fsencode(directory) + b"\n"
        with self._one_at_a_time:
            try:
                self._pipe(self._process).write(line)
            except (BrokenPipeError, _NoNest):
                self.close()
                self._process = self._started()
                self._pipe(self._process).write(line)

    def close(self) -> None:
        if self._process is not None:
            with suppress(BrokenPipeError):
                self._pipe(self._process).close()
            self._process.wait(timeout=10)
            self._process = None

    def _pipe(self, process: subprocess.Popen[bytes] | None) -> Any:
        if process is None or process.stdin is None:
            raise _NoNest
        return process.stdin

    def _started(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            # Standard library only, so isolated and without site-packages: half the start-up.
            [sys.executable, "-S", "-I", GUARD, "--nest"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )


class _NoNest(Exception):
    """There is no nest yet."""
