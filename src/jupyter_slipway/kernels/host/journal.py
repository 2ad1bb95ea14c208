"""What a kernel said, written down before anybody is told: numbered, bounded, read from any number on.

Written by the host; read by it for who comes late, and by a server when the host has ended. A directory of segments,
each named by its first number; the oldest go when all are too large. Not synced: it outlives processes, not power.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

from jupyter_slipway.kernels.host.wire import HEADER, Frame

SEGMENT = 16 << 20
"""Bytes after which a new segment begins."""
LIMIT = 256 << 20
"""Bytes of all segments together."""
STEP = 64
"""Every so many frames the place is remembered."""
CHUNK = 1 << 18


class Segment:
    """One file: where it lies, and where in it some frames begin."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.first = int(path.name)
        self.last = self.first - 1
        self.size = 0
        self.count = 0
        self.numbers: list[int] = []
        self.offsets: list[int] = []

    def note(self, number: int, length: int) -> None:
        """A frame of `length` bytes follows."""
        if self.count % STEP == 0:
            self.numbers.append(number)
            self.offsets.append(self.size)
        self.count += 1
        self.size += length
        self.last = number

    def offset(self, after: int) -> int:
        """Not behind the first frame whose number is larger."""
        at = bisect_right(self.numbers, after) - 1
        return self.offsets[at] if at >= 0 else 0


class Journal:
    """Opened on what is there: a torn end, from a host that was killed, is cut off."""

    def __init__(self, directory: Path, *, limit: int = LIMIT, segment: int = SEGMENT) -> None:
        self._directory, self._limit, self._segment_size = directory, limit, segment
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._segments = segments(directory)
        self.last = self._segments[-1].last if self._segments else 0
        self._file: int | None = None
        self.failed: OSError | None = None
        """Why the last frame could not be written; None when it was."""

    @property
    def first(self) -> int:
        """The oldest number that is still here; `last + 1` when none is."""
        return self._segments[0].first if self._segments else self.last + 1

    @property
    def size(self) -> int:
        return sum(segment.size for segment in self._segments)

    def append(self, kind: int, *payload: bytes) -> bytes:
        """Number a frame and write it down; its bytes. What cannot be written is numbered all the same."""
        self.last += 1
        data = b"".join((HEADER.pack(sum(map(len, payload)), kind, self.last), *payload))
        try:
            self._write(data)
            self.failed = None
        except OSError as error:
            # The disk is full: the kernel goes on, and who reads this part later is told of the gap.
            self.failed = error
            self._abandon()
        return data

    def read(self, after: int, until: int | None = None) -> Iterator[bytes]:
        """The frames after number `after`, up to `until`, in pieces of whole frames."""
        for segment in list(self._segments):
            if segment.last > after and (until is None or segment.first <= until):
                yield from _read(segment, after, until)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write(self, data: bytes) -> None:
        segment = self._open_segment()
        assert self._file is not None
        written = 0
        while written < len(data):
            written += os.write(self._file, memoryview(data)[written:])
        segment.note(self.last, len(data))

    def _open_segment(self) -> Segment:
        if self._file is not None and self._segments[-1].size < self._segment_size:
            return self._segments[-1]
        self.close()
        # A segment goes before one more comes: never above the limit by more than one.
        while len(self._segments) > 1 and self.size + self._segment_size > self._limit:
            self._segments.pop(0).path.unlink(missing_ok=True)
        path = self._directory / f"{self.last:020}"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self._segments.append(Segment(path))
        return self._segments[-1]

    def _abandon(self) -> None:
        """End the segment where it is whole; the next frame begins another."""
        if self._file is None:
            return
        segment = self._segments[-1]
        try:
            os.ftruncate(self._file, segment.size)
        finally:
            self.close()
            if not segment.count:
                self._segments.pop().path.unlink(missing_ok=True)


def segments(directory: Path) -> list[Segment]:
    """Those of a journal that somebody left, each cut where it is no longer whole."""
    found = []
    for path in sorted(path for path in directory.iterdir() if path.name.isdecimal()):
        segment = Segment(path)
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            while len(head := file.read(HEADER.size)) == HEADER.size:
                length, _, number = HEADER.unpack(head)
                if segment.size + HEADER.size + length > size:
                    break
                file.seek(length, os.SEEK_CUR)
                segment.note(number, HEADER.size + length)
        if not segment.count:
            path.unlink()
            continue
        if segment.size < size:
            os.truncate(path, segment.size)
        found.append(segment)
    return found


def frames(directory: Path, after: int, until: int | None = None) -> Iterator[Frame]:
    """Of a journal whose host has ended."""
    if not directory.is_dir():
        return
    for segment in segments(directory):
        if segment.last > after and (until is None or segment.first <= until):
            for piece in _read(segment, after, until):
                start = 0
                while start < len(piece):
                    length, kind, number = HEADER.unpack_from(piece, start)
                    start += HEADER.size + length
                    yield Frame(kind, number, piece[start - length : start])


def _read(segment: Segment, after: int, until: int | None) -> Iterator[bytes]:
    try:
        opened = segment.path.open("rb")
    except FileNotFoundError:  # rotated away since: whoever reads sees that numbers are missing
        return
    with opened as file:
        file.seek(segment.offset(after))
        piece = bytearray()
        while len(head := file.read(HEADER.size)) == HEADER.size:
            length, _, number = HEADER.unpack(head)
            body = file.read(length)
            if len(body) < length or (until is not None and number > until):
                break
            if number > after:
                piece += head
                piece += body
            if len(piece) > CHUNK:
                yield bytes(piece)
                piece.clear()
    if piece:
        yield bytes(piece)
