"""The bell of the runner: a named pipe in its home that wakes it at once, and costs nothing while it sleeps.

A pipe and not a socket: its path may be of any length. Rung by whoever submits or cancels, and by guards.
"""

from __future__ import annotations

import os
import select
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
        self.path = home / NAME
        with suppress(FileExistsError):
            os.mkfifo(self.path, 0o600)
        # Also open for writing, so that the last writer's leaving is no end of file.
        self._pipe = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)
        self._poll = select.poll()
        self._poll.register(self._pipe, select.POLLIN)

    def wait(self, seconds: float) -> bool:
        """Sleep until rung, at most `seconds`; whether it was rung."""
        rung = bool(self._poll.poll(max(0.0, seconds) * 1000))
        if rung:
            with suppress(BlockingIOError):
                while len(os.read(self._pipe, 4096)) == 4096:
                    pass
        return rung

    def ring(self) -> None:
        """From any thread or signal handler; after `close` it does nothing."""
        if self._pipe >= 0:
            with suppress(BlockingIOError):
                os.write(self._pipe, b".")

    def close(self) -> None:
        pipe, self._pipe = self._pipe, -1
        os.close(pipe)
