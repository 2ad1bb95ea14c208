"""Which state of an .ipynb each opened document has seen, as long as this server lives.

`contents` asks before it overwrites. Text notebooks need none of it: their store remembers.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from pathlib import Path
from typing import Any

from jupyter_slipway.errors import Conflict
from jupyter_slipway.notebooks.text import OURS

REMEMBERED = 4096
State = tuple[int, int, int]


class Sightings:
    def __init__(self) -> None:
        self._seen: OrderedDict[str, tuple[Path, State]] = OrderedDict()
        self._told: dict[Path, State] = {}

    def open(self, file: Path, state: State | None, notebook: Any) -> None:
        """A document is being given out that is the file in this state."""
        token = secrets.token_hex(8)
        notebook["metadata"][OURS] = {"version": token}
        self._note(token, file, state)

    def check(self, file: Path, notebook: Any) -> tuple[str, Any]:
        """The document's token, and the notebook without it and without all else that is ours.

        Raises:
            Conflict: the file is in another state than the document has seen, and nobody was told
        """
        token = str(notebook["metadata"].get(OURS, {}).get("version", ""))
        opened, state = self._seen.get(token, (None, None))
        now = state_of(file)
        if opened == file and now is not None and now != state and self._told.get(file) != now:
            self._told[file] = now
            raise Conflict(
                f"{file.name} changed on disk since it was opened here. Nothing was written.",
                hint="Reload it to see what changed, or save once more to put yours in its place.",
            )
        return token, _bare({**notebook, "cells": [_bare(cell) for cell in notebook["cells"]]})

    def report(self, file: Path) -> None:
        """Whoever is about to save asked what is on disk now, and decides by it."""
        if state := state_of(file):
            self._told[file] = state

    def saved(self, token: str, file: Path) -> None:
        if token:
            self._note(token, file, state_of(file))

    def _note(self, token: str, file: Path, state: State | None) -> None:
        if state:
            self._seen[token] = (file, state)
            self._seen.move_to_end(token)
            while len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)


def state_of(file: Path) -> State | None:
    """None when there is no such file."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _bare(value: dict[str, Any]) -> dict[str, Any]:
    return {**value, "metadata": {key: one for key, one in value["metadata"].items() if key != OURS}}
