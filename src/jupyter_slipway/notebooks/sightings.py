"""Which states of an .ipynb have been seen through this server, as long as it lives.

`contents` asks before it overwrites. Pages compare by themselves what they opened with what is on disk, and ask the
person; what is caught here is a change that came between their look and their save. Text notebooks need none of it:
their store knows what each opened document has seen.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from jupyter_slipway.errors import Conflict

REMEMBERED = 4096
State = tuple[int, int, int]


class Sightings:
    def __init__(self) -> None:
        self._seen: OrderedDict[Path, State | None] = OrderedDict()

    def see(self, file: Path) -> None:
        """Somebody is told what is on disk now, or has just written it."""
        self._seen[file] = state_of(file)
        self._seen.move_to_end(file)
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def check(self, file: Path) -> None:
        """
        Raises:
            Conflict: the file is in a state that nobody was told of; who tries again has been told
        """
        if file not in self._seen:
            return
        before, now = self._seen[file], state_of(file)
        if now is not None and now != before:
            self._seen[file] = now
            raise Conflict(
                f"{file.name} changed on disk since it was opened here. Nothing was written.",
                hint="Reload it to see what changed, or save once more to put yours in its place.",
            )


def state_of(file: Path) -> State | None:
    """None when there is no such file."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
