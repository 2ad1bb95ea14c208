"""A run's log, read piece by piece while it grows, and the progress that its last lines tell."""

from __future__ import annotations

import os
import re
from pathlib import Path

from msgspec import Struct

TAIL = 4096
"""Bytes at the end of a log that are searched for progress."""

TQDM = re.compile(r"(?P<percent>\d{1,3}(?:\.\d+)?)%\s?\|")
COUNTED = re.compile(r"(?P<done>\d+(?:\.\d+)?)/(?P<total>\d+(?:\.\d+)?) \[")
PERCENT = re.compile(r"(?P<percent>\d{1,3}(?:\.\d+)?)\s?%")


class LogChunk(Struct, frozen=True):
    """A piece of a log: bytes `offset` to `end`, whole characters only."""

    text: str
    offset: int
    end: int
    """Ask again from here."""
    progress: float | None = None
    """0 to 1, from the newest progress line in `text`."""
    progress_text: str = ""


def read(path: Path, offset: int, limit: int = 65536, *, ended: bool = False) -> LogChunk:
    """At most `limit` bytes from `offset`; a negative offset counts from the end.

    A log that is not there yet, or not that long yet, gives an empty piece.

    Args:
        ended: nothing will follow, so a character cut off at the end is not waited for
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            start = max(0, size + offset) if offset < 0 else min(offset, size)
            file.seek(start)
            data = file.read(limit)
    except FileNotFoundError:
        return LogChunk("", 0, 0)
    skipped = _continuation(data) if offset < 0 else 0
    start, data = start + skipped, data[skipped:]
    last = ended and start + len(data) >= size
    whole = data if last else data[: len(data) - _unfinished(data)]
    text = whole.decode("utf-8", "replace")
    progress, words = progress_in(text)
    return LogChunk(text, start, start + len(whole), progress, words)


def tail(path: Path, lines: int = 10) -> str:
    """The last lines, as a terminal would show them: what a carriage return overwrote is gone."""
    shown = [line.rstrip("\r").rpartition("\r")[2] for line in read(path, -TAIL).text.rstrip().split("\n")]
    return "\n".join(shown[-lines:])


def progress(path: Path) -> tuple[float | None, str]:
    """The fraction that the end of the log tells, and its line."""
    chunk = read(path, -TAIL)
    return chunk.progress, chunk.progress_text


def progress_in(text: str) -> tuple[float | None, str]:
    """The newest progress line: tqdm's anywhere; other percentages only where a carriage return redraws them."""
    pieces = re.split(r"(?<=[\r\n])", text)
    for piece in reversed(pieces[-40:]):
        found = _fraction(piece, redrawn=piece.endswith("\r") or "\r" in text[-TAIL:])
        if found is not None:
            return found, piece.strip()[:200]
    return None, ""


def _fraction(piece: str, *, redrawn: bool) -> float | None:
    counted = COUNTED.search(piece)
    if counted and float(counted["total"]) > 0:
        return min(1.0, float(counted["done"]) / float(counted["total"]))
    found = TQDM.search(piece) or (PERCENT.search(piece) if redrawn else None)
    return min(1.0, float(found["percent"]) / 100) if found else None


def _continuation(data: bytes) -> int:
    """How many bytes at the start belong to a character that began before."""
    count = 0
    while count < min(3, len(data)) and data[count] & 0xC0 == 0x80:
        count += 1
    return count


def _unfinished(data: bytes) -> int:
    """How many bytes at the end are the beginning of a character that is not all there."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        needed = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return back if needed > back else 0
    return 0
