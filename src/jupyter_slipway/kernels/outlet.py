"""One page's end of its websocket: what is sent soon after another goes out as one write, and never waits unbounded.

Held by `connection`.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError

LIMIT = 8 << 20
"""Bytes that may wait for a page; then it has to catch up from the journal."""
LARGE = 1 << 16
"""Bytes on the average from which on pieces are written one by one."""
TEXT, BINARY = 0x81, 0x82


class Outlet:
    """
    Args:
        handler: Tornado's websocket handler, open
        flushed: called when all that was sent has left this process
    """

    def __init__(self, handler: Any, flushed: Callable[[], None], *, limit: int = LIMIT) -> None:
        self._handler, self._flushed, self._limit = handler, flushed, limit
        self._stream = handler.ws_connection.stream
        self._plain = handler.get_compression_options() is None
        self._waiting: list[bytes] = []
        self._size = 0
        self._writing = False
        self._soon = False
        self._room = asyncio.Event()
        self._room.set()
        self._loop = asyncio.get_running_loop()
        self.closed = False

    @property
    def full(self) -> bool:
        return self._size > self._limit

    def send(self, payload: bytes, *, binary: bool = True) -> None:
        """Whether it is `full` is for the caller to ask: this takes all."""
        if self.closed:
            return
        if not self._plain:
            self._compressed(payload, binary)
            return
        # A server's frames are not masked: the same bytes for every page, and many of them one write. Through
        # `write_message` each costs a task and a system call: 2.7 times the CPU at ten pages.
        self._waiting += (_frame_header(BINARY if binary else TEXT, len(payload)), payload)
        self._grew(len(payload))
        if not self._soon and not self._writing:
            self._soon = True
            self._loop.call_soon(self._flush)

    async def room(self) -> None:
        """Until there is some."""
        await self._room.wait()

    def close(self) -> None:
        self.closed = True
        self._waiting.clear()
        self._room.set()

    def _grew(self, size: int) -> None:
        self._size += size
        if self.full:
            self._room.clear()

    def _flush(self) -> None:
        self._soon = False
        if not self._waiting or self._writing or self.closed:
            return
        waiting, self._waiting, size = self._waiting, [], self._size
        self._writing = True
        try:
            # Small ones go as one; a large one is not copied for each page.
            for piece in waiting if size > len(waiting) * LARGE else [b"".join(waiting)]:
                written = self._stream.write(piece)
        except StreamClosedError:
            self.close()
            return
        written.add_done_callback(lambda done: self._written(done, size))

    def _written(self, done: Any, size: int) -> None:
        self._writing = False
        if done.exception() is not None:
            self.close()
            return
        self._shrank(size)
        self._flush()

    def _shrank(self, size: int) -> None:
        self._size -= size
        if not self.full:
            self._room.set()
        if not self._size:
            self._flushed()

    def _compressed(self, payload: bytes, binary: bool) -> None:
        try:
            written = self._handler.write_message(payload, binary=binary)
        except WebSocketClosedError:
            self.close()
            return
        self._grew(len(payload))

        def done(future: Any) -> None:
            if future.cancelled() or future.exception() is not None:
                self.close()
            else:
                self._shrank(len(payload))

        written.add_done_callback(done)


def _frame_header(opcode: int, length: int) -> bytes:
    if length < 126:
        return struct.pack("!BB", opcode, length)
    if length < 1 << 16:
        return struct.pack("!BBH", opcode, 126, length)
    return struct.pack("!BBQ", opcode, 127, length)
