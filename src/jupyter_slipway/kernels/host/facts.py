"""What became of each execution, as a kernel's host writes it down: one line of JSON for each fact.

Apart from the messages, so that it is still there when those were rotated away. `executions` reads it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_slipway.kernels.host.folder import FACTS
from jupyter_slipway.kernels.host.wire import encode

LIMIT = 32 << 20
"""Bytes of a file; the one before it is kept."""
UNWRITTEN_LIMIT = 1 << 20
AT_ONCE = 20_000


class Facts:
    """Those of one kernel.

    Args:
        folder: of its host
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FACTS
        self._old = folder / f"{FACTS}.old"
        self._unwritten = b""
        """What has found no room on the disk."""

    @property
    def wait(self) -> bool:
        """For room on the disk."""
        return bool(self._unwritten)

    def add(self, fact: dict[str, Any]) -> None:
        self._unwritten += encode(fact) + b"\n"
        self.write()

    def write(self) -> None:
        """What finds no room is written with what comes after, or as soon as there is room."""
        try:
            with open(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
                file.write(self._unwritten)
        except OSError:
            # A line may have been torn: the next try ends it. Readers leave out what is no fact.
            self._unwritten = b"\n" + self._unwritten.lstrip(b"\n")[-UNWRITTEN_LIMIT:]
            return
        self._unwritten = b""
        with suppress(OSError):
            if self._path.stat().st_size > LIMIT:
                os.replace(self._path, self._old)

    def after(self, number: int) -> list[dict[str, Any]]:
        """Those with a higher number, of the newest."""
        return [fact for fact in self._all() if fact["number"] > number][-AT_ONCE:]

    def unended(self) -> dict[str, dict[str, Any]]:
        """By id: the executions that were asked for and never ended."""
        found: dict[str, dict[str, Any]] = {}
        for fact in self._all():
            with suppress(KeyError):  # of one whose beginning was rotated away
                _follow(found, fact)
        return found

    def _all(self) -> Iterator[dict[str, Any]]:
        for path in (self._old, self._path):
            with suppress(FileNotFoundError):
                for line in path.read_bytes().splitlines():
                    with suppress(ValueError):  # torn
                        yield json.loads(line)


def _follow(found: dict[str, dict[str, Any]], fact: dict[str, Any]) -> None:
    if fact["fact"] == "queued":
        found[fact["id"]] = {**fact, "code": fact["code"][:200]}
    elif fact["fact"] == "started":
        found[fact["id"]]["started_at"] = fact["at"]
    elif fact["fact"] == "ended":
        found.pop(fact["id"], None)
