"""What an attempt left behind: shown outputs, returned value, error, files. Read only."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from jupyter_slipway.decoding import from_json
from jupyter_slipway.errors import BadRequest, NotFound


class Artifact(Struct, frozen=True):
    """A file that a run wrote under $SLIPWAY_ARTIFACTS."""

    name: str
    """Relative, with '/' between folders."""
    size: int
    """Bytes."""


def read(directory: Path) -> list[dict[str, Any]]:
    """nbformat outputs in the order they were shown; those so far while the run goes on."""
    found: list[dict[str, Any]] = _json(directory / "outputs.json") or []
    return found


def value(directory: Path) -> Any:
    """What `main` returned, as JSON; None when nothing was."""
    return _json(directory / "value.json")


def error(directory: Path) -> dict[str, Any] | None:
    """error.json as the run process wrote it; None when it wrote none."""
    found: dict[str, Any] | None = _json(directory / "error.json")
    return found


def artifacts(directory: Path, limit: int = 10_000) -> list[Artifact]:
    """The files, by name; at most `limit`. What a symbolic link leads to is not listed."""
    root = directory / "artifacts"
    found: list[Artifact] = []
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            if not path.is_symlink() and len(found) < limit:
                with suppress(FileNotFoundError):  # the run has just removed it
                    found.append(Artifact(path.relative_to(root).as_posix(), path.stat().st_size))
    return sorted(found, key=lambda one: one.name)


def artifact(directory: Path, name: str) -> Path:
    """The path of one file.

    Raises:
        BadRequest: the name leads out of the run's own files
        NotFound: there is no such file
    """
    root = (directory / "artifacts").resolve()
    try:
        path = (root / name).resolve()
    except (OSError, ValueError):
        raise BadRequest(f"{name[:100]!r} cannot be the name of a file.") from None
    if not path.is_relative_to(root):
        raise BadRequest(
            f"{name[:100]!r} leads out of the run's files.", hint="Use a name from the list of its artifacts."
        )
    if not os.path.isfile(path):  # False, and no error, for a name that is too long
        raise NotFound(f"The run has no file {name[:100]!r}.", hint="See the list of its artifacts.")
    return path


def _json(path: Path) -> Any:
    try:
        return from_json(path.read_bytes())
    except FileNotFoundError:
        return None
