"""Why a kernel's process ended, in words a person can act on.

Asked by the host, which has watched the process's memory. Standard library only.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

NEARLY_ALL = 0.85
"""Share of the memory that may be had; a process killed above it was most likely killed for it."""
GIB = 1 << 30


class Watch:
    """Of one process: how much memory it used at most, and whether its group of the system ran out of it."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.peak = 0
        """Bytes resident, at most, of what was seen."""
        self._events = _events_file(pid)
        self._kills = _oom_kills(self._events)

    def look(self) -> None:
        with suppress(OSError, ValueError, IndexError):
            pages = int(Path(f"/proc/{self._pid}/statm").read_text().split()[1])
            self.peak = max(self.peak, pages * os.sysconf("SC_PAGE_SIZE"))

    def reason(self, code: int) -> str:
        """In words, of a process that ended with `code` (negative: a signal, as `subprocess` has it)."""
        if code >= 0:
            return f"It ended by itself with exit code {code}."
        name = _signal_name(-code)
        used = f"; it used {self.peak / GIB:.1f} GiB at most" if self.peak > GIB / 10 else ""
        if -code == signal.SIGKILL:
            if _oom_kills(self._events) > self._kills:
                return f"It ran out of memory: the system killed it ({name}{used})."
            if self.peak > NEARLY_ALL * available(self._events):
                return f"It most likely ran out of memory: it was killed ({name}{used})."
        if -code in (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGABRT, signal.SIGFPE):
            return f"It crashed ({name}{used}): compiled code of a library failed."
        return f"It was killed ({name}{used})."


def available(events: Path | None = None) -> float:
    """Bytes of memory that the process may have: its group's limit, else the machine's."""
    if events is not None:
        with suppress(OSError, ValueError):
            return float((events.parent / "memory.max").read_text())
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def _signal_name(number: int) -> str:
    with suppress(ValueError):
        return f"signal {number}, {signal.Signals(number).name}"
    return f"signal {number}"


def _events_file(pid: int) -> Path | None:
    """memory.events of the process's control group (version 2)."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            if line.startswith("0::"):
                path = Path("/sys/fs/cgroup" + line[3:].rstrip("/")) / "memory.events"
                return path if path.exists() else None
    return None


def _oom_kills(events: Path | None) -> int:
    if events is not None:
        with suppress(OSError, ValueError):
            for line in events.read_text().splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0
