"""The runner as a background process of a home: started detached, found again by its lock, stopped."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from jupyter_slipway.decoding import from_json
from jupyter_slipway.errors import Unavailable

LOCK = "runner.lock"
ABOUT = "runner.json"
LOG = "runner.log"
SILENT_AFTER = 60.0
"""Seconds without a beat after which a runner is said not to beat."""
START_WITHIN = 20.0
STOP_WITHIN = 20.0


class RunnerStatus(Struct, frozen=True):
    """The runner of a home, as anybody can see it."""

    alive: bool
    pid: int | None = None
    host: str = ""
    started_at: datetime | None = None
    beating: bool = False
    queued: int = 0
    running: int = 0
    release: str = ""
    """Of Slipway, when it started."""

    def serves(self, release: str) -> bool:
        """Whether it lives, and knows all that this release of Slipway writes."""
        return self.alive and (self.pid is None or _ordered(self.release) >= _ordered(release))


def status(home: Path, counts: dict[str, int] | None = None) -> RunnerStatus:
    """Whether a runner has this home.

    Args:
        counts: `Engine.counts()`, when the caller has it
    """
    queue = counts or {}
    queued, running = queue.get("queued", 0), queue.get("running", 0)
    if not _locked(home):
        return RunnerStatus(False, queued=queued, running=running)
    about, beat = _about(home)
    if about is None:
        return RunnerStatus(True, host=socket.gethostname(), queued=queued, running=running)
    return RunnerStatus(
        True,
        about["pid"],
        about["host"],
        datetime.fromtimestamp(about["started_at"], UTC),
        abs(time.time() - beat) < SILENT_AFTER,
        queued,
        running,
        about.get("release", ""),
    )


def died(home: Path) -> bool:
    """Whether the runner of this home ended without having been told to: what it carried waits for another one."""
    return (home / ABOUT).exists() and not _locked(home)


def start(
    home: Path, entry: Sequence[str], *, release: str = "", environ: Mapping[str, str] | None = None
) -> RunnerStatus:
    """The running runner of this home, started by the command `entry` when there is none.

    Args:
        release: of Slipway, that `entry` starts; a runner of an earlier one, which has outlived an upgrade, makes room

    Raises:
        Unavailable: it ended again or did not come up; the end of its log says why
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    now = status(home)
    if not now.serves(release):
        _make_room(home, now)
        now = status(home)
    if now.alive:
        return now
    with open(home / LOG, "ab") as log:
        process = subprocess.Popen(
            entry,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=home,
            env=environ,
        )
    # It outlives us or we it: whoever ends last, no zombie stays.
    threading.Thread(target=process.wait, name="runner", daemon=True).start()
    until = time.monotonic() + START_WITHIN
    while time.monotonic() < until:
        now = status(home)
        if now.alive and now.pid is not None and _fresh(home, process):
            return now
        if process.poll() is not None:
            break
        time.sleep(0.05)
    if (now := status(home)).alive:
        return now  # another starter was quicker
    raise Unavailable(
        f"The runner did not start. The end of its log: {_last_line(home / LOG)}",
        hint=f"See {home / LOG}, or run it in a terminal: jupyter slipway runner start.",
    )


def stop(home: Path) -> RunnerStatus:
    """End the runner of this home; runs that have begun go on, and the next runner finds them."""
    told: set[int] = set()
    looks = 0
    until = time.monotonic() + STOP_WITHIN
    # Of two that were started at one moment the second takes over when the first ends: twice nobody is nobody.
    while looks < 2 and time.monotonic() < until:
        now = status(home)
        looks = 0 if now.alive else looks + 1
        if now.alive and now.pid is not None and now.pid not in told:
            told.add(now.pid)
            with suppress(ProcessLookupError):
                os.kill(now.pid, signal.SIGTERM)
        time.sleep(0.05)
    return status(home)


def _make_room(home: Path, old: RunnerStatus) -> None:
    """Let a runner of an earlier release end, as `stop` does it; a service starts it anew, as what is installed now."""
    if not old.alive or old.pid is None or old.host != socket.gethostname():
        return
    with suppress(ProcessLookupError):
        os.kill(old.pid, signal.SIGHUP)
    until = time.monotonic() + STOP_WITHIN
    while time.monotonic() < until and (now := status(home)).alive and now.pid == old.pid:
        time.sleep(0.05)


def _ordered(release: str) -> tuple[int, ...]:
    """'0.10.2' -> (0, 10, 2): later releases are greater."""
    return tuple(int(number) for number in re.findall(r"\d+", release)[:3])


def _fresh(home: Path, process: subprocess.Popen[bytes]) -> bool:
    """runner.json is of the one that has the lock, not of the one before."""
    about, _ = _about(home)
    return about is not None and (about["pid"] == process.pid or process.poll() is not None)


def _locked(home: Path) -> bool:
    try:
        lock = os.open(home / LOCK, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(lock)


def _about(home: Path) -> tuple[dict[str, Any] | None, float]:
    """runner.json and when it was last touched: at each beat."""
    path = home / ABOUT
    try:
        return from_json(path.read_bytes(), dict[str, Any]), path.stat().st_mtime
    except FileNotFoundError:
        return None, 0.0


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "(empty)"
