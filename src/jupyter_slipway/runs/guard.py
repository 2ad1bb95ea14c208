"""The guard of one attempt: starts its process once, keeps its log, ends it on time, says how it ended.

Started by `attempt.Nest`, or as `python guard.py RUNDIR`; standard library only. It outlives the runner:
time-out and cancel act here. RUNDIR/launch.json says what to run; the guard holds RUNDIR/lock for life, so
that 'it lives' needs no guess about process numbers, and writes RUNDIR/exit.json, the only truth of the end.

    launch.json  ──►  lock, started.json  ──►  log …  ──►  exit.json
                      (once, for ever)
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import select
import signal
import sys
import time
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

LOG_LIMIT = 1_000_000_000
"""Bytes of a log that are kept."""
GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL."""
LOOK = 0.2
"""Seconds between two looks for RUNDIR/cancel."""
FULL_DISK_PATIENCE = 600.0
"""Seconds during which a full disk may get room again before the end of the attempt is given up as lost."""
SPARE = 1 << 20
"""Bytes that a log which has filled the disk gives back, so that the end of the run can be told."""
PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def put(directory: str, name: str, content: dict[str, Any]) -> None:
    """Write a file whole or not at all; after this returns it survives a power cut."""
    path = os.path.join(directory, name)
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync(directory)


def sync(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


class Log:
    """The file that both streams of the run process go to, up to a limit."""

    def __init__(self, path: str, limit: int) -> None:
        self.file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        self.room = limit
        self.limit = limit
        self.filled_the_disk = False

    def write(self, data: bytes) -> None:
        """Keep `data`; what is beyond the limit, or finds the disk full, is dropped and the run goes on.

        A long log that finds it full filled it, most likely: it ends there, and gives some room back.
        """
        if self.room <= 0:
            return
        kept = data[: self.room]
        self.room -= len(kept)
        self._append(kept)
        if self.room <= 0 and not self.filled_the_disk:
            note = f"\n[slipway] The log has reached {self.limit:,} bytes. What follows is not kept.\n"
            self._append(note.encode())

    def _append(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self.file, data) :]
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            size = os.fstat(self.file).st_size
            if size > 4 * SPARE and not self.filled_the_disk:
                self.room, self.filled_the_disk = 0, True
                os.ftruncate(self.file, size - SPARE)
                self._append(b"\n[slipway] The disk is full. What follows is not kept.\n")


class Attempt:
    """One try of one run, in the directory that the runner made for it."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        with open(self.path("launch.json")) as file:
            self.launch: dict[str, Any] = json.load(file)
        self.reason = ""
        self.kill_at = 0.0

    def path(self, name: str) -> str:
        return os.path.join(self.directory, name)

    def guard(self) -> None:
        """The whole life of the attempt. Returns at once when it was already begun, by whomever."""
        lock = self.taken()
        if lock is None or not self.begun():
            return
        started, clock = time.time(), time.monotonic()
        status, usage = 0, None
        if os.path.exists(self.path("cancel")):
            self.reason = "cancelled"
        else:
            status, usage = self.carried(clock)
        self.ended(status, usage, started, started + time.monotonic() - clock)
        self.wake()

    def taken(self) -> int | None:
        """The lock's descriptor; None when another guard has it."""
        lock = os.open(self.path("lock"), os.O_CREAT | os.O_RDWR, 0o600)
        for _ in range(20):  # a runner that looks holds it for an instant
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return lock
            except BlockingIOError:
                time.sleep(0.025)
        return None

    def begun(self) -> bool:
        """Mark the attempt as started, durably; False when it was before: no attempt is started twice."""
        try:
            marker = os.open(self.path("started.json"), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            return False
        os.write(marker, json.dumps({"guard": os.getpid(), "at": time.time()}).encode())
        os.fsync(marker)
        os.close(marker)
        sync(self.directory)
        return True

    def carried(self, clock: float) -> tuple[int, Any]:
        """Run the process to its end; its wait status and resource usage."""
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(woken, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        stream, child_end = os.pipe()
        self.process = self.started(child_end)
        signal.signal(signal.SIGTERM, lambda *_: self.stop("killed"))  # the machine goes down
        os.close(child_end)
        log = Log(self.path("log"), self.launch.get("log_limit", LOG_LIMIT))
        poll = select.poll()
        poll.register(stream, select.POLLIN)
        poll.register(woken, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll(LOOK * 1000):
                if descriptor == woken:
                    os.read(woken, 512)
                elif not pump(stream, log):
                    poll.unregister(stream)
            ended, status, usage = os.wait4(self.process, os.WNOHANG)
            if ended:
                break
            self.watch(clock)
        self.signal(signal.SIGKILL)  # what the process left behind in its group
        self.drain(stream, log)
        return status, usage

    def started(self, output: int) -> int:
        """Fork and execute; the child is the head of its own session, and dies with its guard."""
        guard = os.getpid()
        environ = {**os.environ, **self.launch.get("environ", {}), "PYTHONUNBUFFERED": "1"}
        environ["SLIPWAY_ARTIFACTS"] = self.path("artifacts")
        child = os.fork()
        if child == 0:
            self.become(guard, output, environ)
        return child

    def become(self, guard: int, output: int, environ: dict[str, str]) -> NoReturn:
        command = self.launch["command"]
        try:
            signal.set_wakeup_fd(-1)
            os.setsid()
            if libc is not None:
                libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != guard:
                os._exit(1)  # the guard died before it could be heard
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.chdir(self.directory)
            os.execve(command[0], command, environ)
        except BaseException as error:
            os.write(output, f"[slipway] {command[0]} could not be started: {error}\n".encode())
        finally:
            os._exit(127)

    def watch(self, clock: float) -> None:
        """End the process when it was cancelled or has had its time."""
        now = time.monotonic()
        if not self.reason and os.path.exists(self.path("cancel")):
            self.stop("cancelled")
        elif not self.reason and now - clock > self.launch["timeout"]:
            self.stop("timeout")
        elif self.kill_at and now > self.kill_at:
            self.signal(signal.SIGKILL)

    def stop(self, reason: str) -> None:
        self.reason = self.reason or reason
        self.kill_at = self.kill_at or time.monotonic() + self.launch.get("grace", GRACE)
        self.signal(signal.SIGTERM)

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):  # nothing of it is left
            os.killpg(self.process, number)

    def drain(self, stream: int, log: Log) -> None:
        """What is still in the pipe; for one second, as a process that left the group may hold it open."""
        until = time.monotonic() + 1.0
        os.set_blocking(stream, False)
        while time.monotonic() < until:
            try:
                if not pump(stream, log):
                    return
            except BlockingIOError:
                return

    def ended(self, status: int, usage: Any, started: float, ended: float) -> None:
        code = os.waitstatus_to_exitcode(status)
        ending = {
            "code": code,
            "reason": self.reason or ("killed" if code < 0 else "ended"),
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 4) if usage else 0.0,
            # Linux counts in KiB, macOS in bytes.
            "peak_memory": usage.ru_maxrss * (1024 if sys.platform == "linux" else 1) if usage else 0,
            "started": started,
            "ended": ended,
            "guard_cpu_seconds": round(time.process_time(), 4),
        }
        until = time.monotonic() + FULL_DISK_PATIENCE
        while True:
            try:
                return put(self.directory, "exit.json", ending)
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(1.0)

    def wake(self) -> None:
        """Tell the runner, when there is one, that there is something to see."""
        try:
            pipe = os.open(self.launch["wake"], os.O_WRONLY | os.O_NONBLOCK)
            os.write(pipe, b".")
            os.close(pipe)
        except (KeyError, OSError):
            pass  # no runner now: the next one looks by itself


def pump(stream: int, log: Log) -> bool:
    """Move what is there from the pipe to the log; False at its end."""
    data = os.read(stream, 65536)
    log.write(data)
    return bool(data)


def detach() -> None:
    """No terminal, no session and no streams of whoever started this."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)


def nest() -> None:
    """Fork a guard for each RUNDIR that comes in as a line: a fork costs a tenth of a new interpreter.

    Ends with its input, that is with the runner; the guards live on.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies: nobody waits for a guard
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin.buffer:
        directory = os.fsdecode(line.rstrip(b"\n"))
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            guard_alone(directory)


def guard_alone(directory: str) -> NoReturn:
    try:
        detach()
        Attempt(directory).guard()
    finally:
        os._exit(0)


if __name__ == "__main__":
    if sys.argv[1] == "--nest":
        nest()
    else:
        # Forked, because only who is no group's head may open a session of its own.
        if os.fork() == 0:
            guard_alone(os.path.abspath(sys.argv[1]))
