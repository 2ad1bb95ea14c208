"""One that is attached to a kernel's host: it is told from a number on, as fast as it reads, and holds up nobody.

Made by the host for each connection. A slow one costs no memory: its place in the journal waits for it. What was
rotated away meanwhile is told as a gap.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Protocol

from jupyter_slipway.kernels.host.wire import FACT, HEADER, Frame, Parser, call, encode

BUFFER = 1 << 20
"""Bytes that may wait to be taken by the system before we wait."""
AT_ONCE = 2 << 20
"""Bytes that the system takes of us at once, if it lets us: else a large frame goes in many steps, each of which waits
for the other end."""


class Past(Protocol):
    """Where what was told lies."""

    @property
    def last(self) -> int: ...

    def read(self, after: int, until: int | None = None) -> Iterator[bytes]:
        """Frames in pieces of whole ones; numbers may be missing."""
        ...


class Reader(asyncio.Protocol):
    """
    Args:
        past: what it is told from
        hello: checks the first frame; gives where it starts and, when it wants only a part, where it ends
        heard: called with each later frame
        left: called once when it is gone
    """

    def __init__(
        self,
        past: Past,
        *,
        hello: Callable[[Reader, Frame], tuple[int, int | None]],
        heard: Callable[[Reader, Frame], None],
        left: Callable[[Reader], None],
    ) -> None:
        self._past, self._hello, self._heard, self._left = past, hello, heard, left
        self._parser = Parser()
        self._place = -1
        self._until: int | None = None
        self._flows = asyncio.Event()
        self._news = asyncio.Event()
        self._telling: asyncio.Task[None] | None = None
        self.transport: asyncio.WriteTransport | None = None
        self.people: dict[str, int] = {}
        """Who is here through it, and with how many pages."""
        self.server = ""
        """What it calls itself."""

    @property
    def follows(self) -> bool:
        """Whether it stays; else it came for a part of what was."""
        return self._telling is not None and self._until is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport
        transport.set_write_buffer_limits(high=BUFFER)
        _widen(transport.get_extra_info("socket"))
        self._flows.set()

    def connection_lost(self, error: Exception | None) -> None:
        if self._telling is not None:
            self._telling.cancel()
        self._left(self)

    def pause_writing(self) -> None:
        self._flows.clear()

    def resume_writing(self) -> None:
        self._flows.set()

    def data_received(self, data: bytes) -> None:
        for frame in self._parser.feed(data):
            if self._telling is not None:
                self._heard(self, frame)
                continue
            try:
                self._place, self._until = self._hello(self, frame)
            except (ValueError, KeyError, TypeError):
                # Neither token nor sense: nothing is told.
                self.close()
                return
            self._telling = asyncio.ensure_future(self._tell())

    def offer(self, number: int, data: bytes) -> None:
        """A frame is new: told at once to who has all before it."""
        if self._place == number - 1 and self._until is None and self._flows.is_set() and self._telling is not None:
            self._place = number
            self.write(data)
        else:
            self._news.set()

    def notice(self, **content: object) -> None:
        """Tell what is not numbered."""
        self.write(call(**content))

    def write(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    async def _tell(self) -> None:
        with suppress(asyncio.CancelledError):
            while True:
                await self._flows.wait()
                await self._catch_up()
                if self._until is not None:
                    self.close()
                    return
                if self._place >= self._past.last:
                    self._news.clear()
                    await self._news.wait()

    async def _catch_up(self) -> None:
        """From its place to now, or to where it wanted to go."""
        end = self._past.last if self._until is None else min(self._until, self._past.last)
        for piece in self._pieces(end):
            self.write(piece)
            await self._flows.wait()
        if self._place < end:
            # No later frame shows that these are missing.
            self.write(self._gap(self._place + 1, end))
            self._place = end

    def _pieces(self, end: int) -> Iterator[bytes]:
        for piece in self._past.read(self._place, end):
            first = HEADER.unpack_from(piece)[2]
            if first > self._place + 1:
                yield self._gap(self._place + 1, first - 1)
            self._place = _last_number(piece)
            yield piece

    def _gap(self, first: int, last: int) -> bytes:
        """What was said from number `first` to `last` is no longer there."""
        return Frame(FACT, last, encode({"fact": "gap", "first": first, "last": last})).encode()


def _widen(connection: socket.socket) -> None:
    # Of TCP the system finds a better measure by itself.
    if connection.family == socket.AF_UNIX:
        with suppress(OSError):  # more than the system ever gives
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, AT_ONCE)


def _last_number(piece: bytes) -> int:
    start, number = 0, 0
    while start < len(piece):
        length, _, number = HEADER.unpack_from(piece, start)
        start += HEADER.size + length
    return number
