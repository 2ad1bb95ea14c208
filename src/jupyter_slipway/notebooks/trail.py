"""What servers on one folder have just put into a file, and over what each of them did.

A server looks at a file now and then, and never sees a state that another has put there for a moment only: an editor
that had read that state and saves looks then like one that took words away. Here the server finds it; and of what
another server wrote, which states that one knew. A step is left before the file is written, read only where a change
takes words away, and gone with the server that left it, or with its next steps after half a minute.
"""

from __future__ import annotations

import os
import secrets
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from jupyter_slipway.decoding import from_json
from jupyter_slipway.files import read_whole
from jupyter_slipway.notebooks import layout
from jupyter_slipway.notebooks.sightings import State

KEPT = 30.0
"""Seconds for which a step is kept: who thinks for longer over what was there for a moment only is rare."""
MOST = 32
"""Steps that one server keeps of a file."""
LARGEST = 4 * 2**20
"""Bytes of a step."""
LEFT = 86_400.0
"""Seconds after which a step was left by a server that was killed."""


class Step(Struct, frozen=True):
    """One state of a file, and what it was made of."""

    became: State
    over: State | None
    """The state that whoever left this step has seen, and that the new one was made of; None when there was no file."""
    said: str | None = None
    """Its text; None when it was written by somebody else, and only taken in by whoever left this step."""
    is_json: bool = False
    """Whether it is a notebook without outputs, in place of the text of an .ipynb."""
    by: str = ""
    """The server that left it."""


class Trail:
    """
    Args:
        folder: in the project's store; see `layout.recent_path`
        aside: where steps are left while there is no store: none begins to be for that alone
    """

    def __init__(self, folder: Path, aside: Path) -> None:
        self.folder, self._aside = folder, aside
        self._name = secrets.token_hex(4)
        self._left: deque[tuple[float, Path]] = deque()
        self._swept: set[Path] = set()

    def leave(self, step: Step) -> None:
        """Where that cannot be written, the others have to guess."""
        with suppress(OSError):
            folder = self.folder if layout.is_ours(self.folder.parent.parent) else self._aside
            said = msgspec.json.encode(msgspec.structs.replace(step, by=self._name))
            if len(said) > LARGEST or _is_elsewhere(folder):
                return
            self._sweep(folder)
            self._forget(before=time.monotonic() - KEPT)
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{'-'.join(map(str, step.became))}.{self._name}.json"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with open(path, "xb", opener=lambda name, _: os.open(name, flags, 0o666)) as file:
                self._left.append((time.monotonic(), path))
                file.write(said)

    def read(self) -> Steps:
        """All that is kept."""
        found: list[Step] = []
        for folder in (self.folder, self._aside):
            with suppress(OSError):
                for path in folder.iterdir():
                    with suppress(OSError, msgspec.MsgspecError):
                        found.append(from_json(read_whole(path, LARGEST), Step))
        return Steps(found, self._name)

    def end(self) -> None:
        """The file is not open here any more."""
        self._forget(before=float("inf"))
        for folder in (self.folder, self._aside):
            with suppress(OSError):
                folder.rmdir()

    def _forget(self, before: float) -> None:
        while self._left and (self._left[0][0] < before or len(self._left) >= MOST):
            self._left.popleft()[1].unlink(missing_ok=True)

    def _sweep(self, folder: Path) -> None:
        """Once: what killed servers left, of whatever file."""
        if folder in self._swept:
            return
        self._swept.add(folder)
        for trail in folder.parent.glob("*"):
            for path in () if trail.is_symlink() else trail.glob("*.json"):
                if path.stat().st_mtime < time.time() - LEFT:
                    path.unlink(missing_ok=True)


def _is_elsewhere(folder: Path) -> bool:
    return folder.is_symlink() or folder.parent.is_symlink()


class Steps:
    """What was found on a trail.

    Args:
        by: whoever looks
    """

    def __init__(self, steps: Sequence[Step], by: str) -> None:
        self._by = by
        # Two tell of one state only where one of them makes it up.
        own_last = sorted(steps, key=lambda step: step.by == by)
        self.written = {step.became: step for step in own_last if step.said is not None}
        # Of what somebody else wrote, each server has its own notion of what it was made of.
        self._taken_in = {(step.became, step.by): step for step in steps if step.said is None}

    def known_to_writer(self, state: State) -> list[State]:
        """The states that the server which wrote this one knew, newest first; none when no server did."""
        return self._behind(self.written.get(state))

    def known_here(self, state: State) -> list[State]:
        """The states that are in what whoever looks made of this one, newest first."""
        return self._behind(self._step(state, self._by))

    def _step(self, state: State, by: str) -> Step | None:
        return self.written.get(state) or self._taken_in.get((state, by))

    def _behind(self, step: Step | None) -> list[State]:
        known: list[State] = []
        while step and step.over and step.over not in known:
            known.append(step.over)
            step = self._step(step.over, step.by)
        return known
