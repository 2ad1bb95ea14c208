"""Which file a page means by a path: the one that Jupyter opens under that path below its root.

A folder that is a link is followed, as Jupyter does. A file that is itself a link out of the root is read, and neither
written as a text notebook nor looked up in git.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from jupyter_slipway.errors import Forbidden


def file_below(root: Path, path: str) -> Path:
    """
    Raises:
        Forbidden: the path climbs out of the root
    """
    relative = PurePosixPath(path.strip("/"))
    if "\0" in path or ".." in relative.parts:
        raise Forbidden(f"{path!r} is outside of the server's folder.", hint="Name a notebook below it.")
    return root / relative


def refuse_link_out(file: Path, root: Path) -> None:
    """
    Raises:
        Forbidden: the file is a link to one that is not below the root
    """
    if file.is_symlink() and not file.resolve().is_relative_to(root.resolve()):
        raise Forbidden(
            f"{file.name} is a link to {file.resolve()}, outside of this server's folder: it is not written.",
            hint="Save a copy under another name, or open the file where it is.",
        )
