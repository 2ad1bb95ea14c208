"""A cluster's logs: read in pieces by byte offset, and kept from growing without end."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

LONGEST = 256 * 1024
"""Bytes given at once."""
LIMIT = 16 << 20
"""Bytes of a log; beyond, it begins anew."""
KEPT = 1 << 20
"""Bytes of its end that then stay, in a file beside it."""


def read_log(path: Path, offset: int) -> tuple[str, int]:
    """What stands at byte `offset`, and the next offset; '' at the end, and of a log that is not there yet.

    A negative offset counts from the end.
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if offset < 0:
                offset = max(0, size + offset)
            elif offset > size:
                offset = 0  # it has begun anew since
            file.seek(offset)
            content = file.read(LONGEST)
    except FileNotFoundError:
        return "", max(0, offset)
    # A character that is cut in two is read whole the next time.
    text = content.decode(errors="ignore") if len(content) == LONGEST else content.decode(errors="replace")
    return text, offset + (len(text.encode()) if len(content) == LONGEST else len(content))


def bound(path: Path, limit: int = LIMIT) -> None:
    """Let a log that is too long begin anew. Who writes it appends, so that it need not know."""
    with suppress(FileNotFoundError):
        if path.stat().st_size <= limit:
            return
        with open(path, "rb+") as file:
            file.seek(-min(KEPT, limit), os.SEEK_END)
            end = file.read()
            path.with_name(f"{path.name}.old").write_bytes(end)
            file.truncate(0)
        with open(path, "ab") as file:
            file.write(f"[the log began anew; the end of what was before is in {path.name}.old]\n".encode())
