"""The files that a cell reads and writes."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from os.path import abspath, exists, isdir

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FILES = 1000
"""Files remembered per cell."""
LISTS = ("os.listdir", "os.scandir", "glob.glob")
EVENTS = frozenset(
    (
        "open",
        "os.rename",
        "os.remove",
        "os.mkdir",
        "os.rmdir",
        "shutil.move",
        "shutil.copyfile",
        "sqlite3.connect",
        *LISTS,
    )
)


class Files:
    """The files opened while a cell runs, as the interpreter's audit events name them.

    Libraries that open files in C or C++ without telling the interpreter are not seen.
    """

    def __init__(self) -> None:
        self.on = False
        self.read: dict[str, None] = {}
        self.written: dict[str, None] = {}
        self.made: set[str] = set()
        self.folders: set[str] = set()
        self.elsewhere = tuple(
            {"/usr/", "/proc/", "/sys/", "/etc/", "/dev/", sys.prefix + os.sep, sys.base_prefix + os.sep}
        )
        sys.addaudithook(self.heard)

    def start(self) -> None:
        self.read, self.written, self.on = {}, {}, True
        self.made, self.folders = set(), set()

    def heard(self, event: str, arguments: Any) -> None:
        if not self.on or event not in EVENTS:
            return
        with suppress(Exception):  # whatever is raised here would stop the user's own call
            self.note(event, arguments)

    def note(self, event: str, arguments: Any) -> None:
        if event == "open":
            writes = bool((arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR)) or any(
                letter in (arguments[1] or "") for letter in "wax+"
            )
            self.add(self.written if writes else self.read, arguments[0])
            if (arguments[2] or 0) & os.O_EXCL and isinstance(arguments[0], str):
                self.made.add(abspath(arguments[0]))
        elif event in ("os.rename", "shutil.move", "shutil.copyfile"):
            self.add(self.read, arguments[0])
            self.add(self.written, arguments[1])
        else:
            self.add(self.read if event in LISTS else self.written, arguments[0])
            if event in ("os.mkdir", "os.rmdir"):
                self.folders.add(abspath(os.fsdecode(arguments[0])))

    def kept(self) -> list[str]:
        """The files written, without those that this cell made and removed again."""
        # A folder that is opened for writing holds a temporary file without a name.
        return sorted(path for path in self.written if path in self.folders or is_kept(path, self.made))

    def add(self, to: dict[str, None], path: Any) -> None:
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if not isinstance(path, (str, os.PathLike)) or len(to) >= FILES:
            return
        path = abspath(os.fspath(path))
        hidden = f"{os.sep}." in path or "__pycache__" in path or "site-packages" in path or "ipykernel_" in path
        if not hidden and not path.startswith(self.elsewhere):
            to[path] = None


def is_kept(path: str, made: set[str]) -> bool:
    return not isdir(path) and (path not in made or exists(path))
