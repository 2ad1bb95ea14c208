"""The journal, with its newest frames in memory: who is a little behind costs no reading of files.

Kept by the host.
"""

from __future__ import annotations

from collections.abc import Iterator

from jupyter_slipway.kernels.host.journal import CHUNK, Journal

KEPT = 4 << 20
"""Bytes."""


class Tail:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._frames: list[bytes] = []
        self._size = 0
        self._unwritten = 0
        """Number of the last frame that is in no file."""

    @property
    def last(self) -> int:
        return self._journal.last

    def append(self, kind: int, *payload: bytes) -> bytes:
        """Number a frame and write it down; its bytes."""
        data = self._journal.append(kind, *payload)
        if self._journal.failed:
            self._unwritten = self.last
        self._frames.append(data)
        self._size += len(data)
        # In strides: dropping one at each append would move the list each time.
        if self._size > 2 * KEPT:
            self._shorten()
        return data

    def read(self, after: int, until: int | None = None) -> Iterator[bytes]:
        """As `Journal.read`; also what could not be written, as long as it is young."""
        first = self.last - len(self._frames) + 1
        if after < first - 1:
            last = first - 1 if until is None else min(until, first - 1)
            yield from self._journal.read(after, last)
            after = last
        end = self.last if until is None else min(until, self.last)
        while after < end:
            # Frames may have come and gone since the last piece was taken.
            first = self.last - len(self._frames) + 1
            if after < first - 1:
                yield from self.read(after, end)
                return
            piece = bytearray()
            while after < end and len(piece) < CHUNK:
                piece += self._frames[after + 1 - first]
                after += 1
            yield bytes(piece)

    def rest(self) -> None:
        """Nothing is said for a while: what lies in files need not be in memory, too."""
        if self._unwritten <= self.last - len(self._frames):
            self._frames.clear()
            self._size = 0

    def _shorten(self) -> None:
        dropped = 0
        while dropped < len(self._frames) - 1 and self._size > KEPT:
            self._size -= len(self._frames[dropped])
            dropped += 1
        del self._frames[:dropped]
