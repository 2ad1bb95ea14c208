"""Why a kernel's process ended, in words a person can act on.

Asked by the host, which has watched the process's memory.
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
        self._group = group_of(pid)
        self._kills = self._group.kills()

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
            if self._group.kills() > self._kills:
                return f"It ran out of memory: the system killed it ({name}{used})."
            if self.peak > NEARLY_ALL * self._group.available():
                return f"It most likely ran out of memory: it was killed ({name}{used})."
        if -code in (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGABRT, signal.SIGFPE):
            return f"It crashed ({name}{used}): compiled code of a library failed."
        return f"It was killed ({name}{used})."


class Group:
    """The control group that counts a process's memory, of either version of the system's.

    Args:
        folder: the group's
        base: the topmost one that can be seen; limits of all in between hold, too
        counts: name of the file with a line 'oom_kill NUMBER'
        limit: name of the file with the group's limit in bytes
    """

    def __init__(self, folder: Path, base: Path, counts: str, limit: str) -> None:
        # In a container, the path is the machine's, and the group is the topmost that can be seen.
        self._folder = folder if (folder / counts).exists() else base
        self._base, self._counts, self._limit = base, counts, limit

    def kills(self) -> int:
        """Processes of the group that the system has killed since there was too little memory."""
        with suppress(OSError, ValueError):
            for line in (self._folder / self._counts).read_text().splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
        return 0

    def available(self) -> float:
        """Bytes of memory that its processes may have: the least of the limits, and the machine's."""
        least = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        for folder in (self._folder, *self._folder.parents):
            with suppress(OSError, ValueError):  # 'max': it has none of its own
                least = min(least, float((folder / self._limit).read_text()))
            if folder == self._base:
                break
        return least


def group_of(pid: int) -> Group:
    known: dict[str, str] = {}
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            known |= {name: path.strip("/") for name in controllers.split(",")}
    if "memory" in known:  # version 1, also beside version 2
        base = Path("/sys/fs/cgroup/memory")
        return Group(base / known["memory"], base, "memory.oom_control", "memory.limit_in_bytes")
    base = Path("/sys/fs/cgroup")
    return Group(base / known.get("", ""), base, "memory.events", "memory.max")


def _signal_name(number: int) -> str:
    with suppress(ValueError):
        return f"signal {number}, {signal.Signals(number).name}"
    return f"signal {number}"
