"""What kernels and runs on a Spark cluster leave in its folder 'holders', and what is done with it.

HOLDER.sessions    a line a session: its id and its user; written by `spark_startup`
HOLDER.progress    how far its query has come: where Spark's own pages cannot be asked
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from jupyter_slipway.clusters import spark_calls
from jupyter_slipway.clusters.model import Progress
from jupyter_slipway.clusters.spark_address import Address
from jupyter_slipway.decoding import from_json

FOLDER = "holders"


class Note(Struct, frozen=True):
    """HOLDER.progress"""

    cell: str
    done: int
    total: int
    ended: bool
    pid: int


def tag(holder: str, cell: str) -> str:
    """As `spark_startup.tags` gives it."""
    return f"slipway:{holder}:{cell}" if cell else f"slipway:{holder}"


def sessions(directory: Path, holder: str) -> list[tuple[str, str]]:
    """Each its id and its user, oldest first."""
    try:
        lines = (directory / FOLDER / f"{holder}.sessions").read_text().splitlines()
    except FileNotFoundError:
        return []
    return [(session, person) for session, _, person in (line.partition(" ") for line in lines)]


async def cancel(
    directory: Path, holder: str, cell: str, *, address: Address, token: str = "", certificates: str = ""
) -> int:
    """How many queries were interrupted.

    Raises:
        SlipwayError: the server does not answer
    """
    known = sessions(directory, holder)
    if not known:
        return 0
    question = spark_calls.Question(address, token, tag(holder, cell), known, certificates)
    return (await spark_calls.ask(question)).interrupted


def notes(directory: Path) -> dict[str, Note]:
    """By holder: of the queries that run now."""
    found = {}
    for path in (directory / FOLDER).glob("*.progress"):
        with suppress(OSError, msgspec.MsgspecError):
            note = from_json(path.read_bytes(), Note)
            if not note.ended and _lives(note.pid):
                found[path.stem] = note
    return found


def progress(directory: Path, holder: str, cell: str) -> Progress | None:
    note = notes(directory).get(holder)
    if note is None or (cell and note.cell != cell):
        return None
    return Progress(note.done, note.total, "Spark query")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another person's: it lives
        return True
    return True
