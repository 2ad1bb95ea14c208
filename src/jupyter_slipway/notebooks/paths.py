"""Which file a page means by a path: the one that Jupyter opens under that path below its root.

A folder that is a link is followed, and what is hidden, such as `.git` and `.env`, is not there: both as in Jupyter. A
file that is itself a link out of the root is read and written where it is, too; what looks at more than the file, such
as git, or puts another in its place, refuses it.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from jupyter_slipway.errors import Forbidden, NotFound
from jupyter_slipway.notebooks.layout import FOLDER


def file_below(root: Path, path: str, *, hidden: bool) -> Path:
    """
    Args:
        hidden: whether files and folders whose names begin with a dot are reached

    Raises:
        Forbidden: the path climbs out of the root
        NotFound: it is hidden
    """
    relative = PurePosixPath(path.strip("/"))
    if "\0" in path or ".." in relative.parts:
        raise Forbidden(f"{path!r} is outside of the server's folder.", hint="Name a notebook below it.")
    if not hidden and any(part.startswith(".") for part in relative.parts):
        raise NotFound(f"There is no {path}.", hint="Hidden files are reached with ContentsManager.allow_hidden.")
    return root / relative


def as_shown(place: str | Path, root: Path) -> str:
    """How a place is called where people see the files below the root, and not where the server's disk has them.

    What is only written to give it another name is called as its folder.
    """
    path = Path(place).parent if Path(place).name.startswith(".~") else Path(place)
    for top in (root, root.resolve()):
        if path == top:
            return "its folder"
        if path.is_relative_to(top):
            return path.relative_to(top).as_posix()
    # A repository's top may lie above the root; a link leads anywhere.
    return os.path.relpath(path, root) if FOLDER in path.parts else path.name


def refuse_link_out(file: Path, root: Path) -> None:
    """
    Raises:
        Forbidden: the file is a link to one that is not below the root
    """
    if file.is_symlink() and not file.resolve().is_relative_to(root.resolve()):
        raise Forbidden(
            f"{file.name} is a link to {os.readlink(file)}, outside of this server's folder: only read and saved.",
            hint="Make a copy under another name, or open the file where it is.",
        )
