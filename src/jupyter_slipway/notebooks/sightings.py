"""Which states of an .ipynb have been seen through this server, as long as it lives.

`contents` asks before it overwrites. Pages compare by themselves what they opened with what is on disk, and ask the
person; what is caught here is a change that came between their look and their save. Text notebooks need none of it:
their store knows what each opened document has seen. And it asks in which state a file was last read or written as a
notebook: over one that cannot be read nothing is saved, and only what somebody else wrote has to be read for that.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path
from typing import TypeVar

from jupyter_slipway.errors import Conflict

REMEMBERED = 4096
State = tuple[int, int, int]
T = TypeVar("T")


class Sightings:
    def __init__(self) -> None:
        self._seen: OrderedDict[Path, State | None] = OrderedDict()
        self._whole: OrderedDict[Path, State] = OrderedDict()

    def see(self, file: Path) -> State | None:
        """Somebody is told what is on disk now, or has just written it."""
        state = state_of(file)
        _remember(self._seen, file, state)
        return state

    def find_whole(self, file: Path, state: State | None) -> None:
        """In this state it is a notebook."""
        if state is not None:
            _remember(self._whole, file, state)

    def is_whole(self, file: Path) -> bool:
        """Whether it is known to be a notebook, as it is on disk now; or there is none."""
        state = state_of(file)
        return state is None or state == self._whole.get(file)

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


def _remember(states: OrderedDict[Path, T], file: Path, state: T) -> None:
    states[file] = state
    states.move_to_end(file)
    while len(states) > REMEMBERED:
        states.popitem(last=False)


def state_of(file: Path) -> State | None:
    """None when there is no such file.

    It is opened for that: only then does a network file system ask its server; what it says of a file that is not
    opened may be many seconds old, and a save would go over what another machine wrote since.
    """
    try:
        # One that is no file, but a pipe, does not keep anybody waiting.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError:  # it may not be read
        return _state_unread(file)
    try:
        return _state(os.fstat(descriptor))
    finally:
        os.close(descriptor)


def _state_unread(file: Path) -> State | None:
    try:
        return _state(file.stat())
    except OSError:
        return None


def _state(found: os.stat_result) -> State:
    return found.st_mtime_ns, found.st_size, found.st_ino
