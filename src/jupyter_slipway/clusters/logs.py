"""A cluster's logs, read in pieces by byte offset."""

from __future__ import annotations

from pathlib import Path

LONGEST = 256 * 1024
"""Bytes given at once."""


def read_log(path: Path, offset: int) -> tuple[str, int]:
    """What stands at byte `offset`, and the next offset; '' at the end, and of a log that is not there yet."""
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            content = file.read(LONGEST)
    except FileNotFoundError:
        return "", offset
    # A character that is cut in two is read whole the next time.
    text = content.decode(errors="ignore") if len(content) == LONGEST else content.decode(errors="replace")
    return text, offset + (len(text.encode()) if len(content) == LONGEST else len(content))
