"""The bell of the runner: a named pipe in its home that wakes it at once, and costs nothing while it sleeps.

A pipe and not a socket: its path may be of any length. Rung by whoever submits or cancels, and by guards.
"""

from __future__ import annotations

import os
import select
import stat
from contextlib import suppress
from pathlib import Path

NAME = "runner.wake"


def ring(home: Path) -> None:
    """Wake the runner of this home. Without one nothing happens: the next looks by itself."""
    try:
        pipe = os.open(home / NAME, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return
    with suppress(BlockingIOError, BrokenPipeError):  # full: it will wake anyhow
        os.write(pipe, b".")
    os.close(pipe)


class Bell:
    """The runner's end."""

    def __init__(self, home: Path) -> None:
        self._heard, self._rope = _pipe(home / NAME)
        self._poll = select.poll()
        self._poll.register(self._heard, select.POLLIN)

    def wait(self, seconds: float) -> bool:
        """Sleep until rung, at most `seconds`; whether it was rung."""
        rung = bool(self._poll.poll(max(0.0, seconds) * 1000))
        if rung:
            with suppress(BlockingIOError):
                while len(os.read(self._heard, 4096)) == 4096:
                    pass
        return rung

    def ring(self) -> None:
        """From any thread or signal handler; after `close` it does nothing."""
        if self._rope >= 0:
            with suppress(BlockingIOError):
                os.write(self._rope, b".")

    def close(self) -> None:
        rope, self._rope = self._rope, -1
        for end in {rope, self._heard}:
            os.close(end)


def _pipe(path: Path) -> tuple[int, int]:
    """Where to hear and where to ring.

    Where the file system has no named pipes it is one without a name: only this process can ring it, and the
    runner finds what others submit by looking.
    """
    try:
        with suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        if stat.S_ISFIFO(path.stat().st_mode):
            # Open for writing, too, so that the last writer's leaving is no end of file.
            both = os.open(path, os.O_RDWR | os.O_NONBLOCK)
            return both, both
    except OSError:
        pass
    heard, rope = os.pipe()
    os.set_blocking(heard, False)
    os.set_blocking(rope, False)
    return heard, rope
