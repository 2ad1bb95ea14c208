"""Websockets of tests, which end with the loop that they were opened in."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, ClassVar, TypeVar

from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

T = TypeVar("T")


class Socket:
    """A client's end of a websocket."""

    opened: ClassVar[list[Socket]] = []

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self._connection = connection
        # The connection forgets it when it is closed.
        self._stream = getattr(connection.protocol, "stream", None)
        self.read_message, self.write_message = connection.read_message, connection.write_message
        self.opened.append(self)

    @classmethod
    async def open(cls, request: str | HTTPRequest, **options: Any) -> Socket:
        return cls(await websocket_connect(request, **options))

    @property
    def closed_with(self) -> tuple[int | None, str | None]:
        """Code and reason of the other side; None before."""
        return self._connection.close_code, self._connection.close_reason

    def close(self) -> None:
        """Tell the other side; who reads is told None, then."""
        self._connection.close()

    def hang_up(self) -> None:
        """A closed connection keeps its socket until the other side answers: longer than a test's loop runs."""
        self._connection.close()
        if self._stream is not None:
            self._stream.close()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run it in a loop of its own, and leave no socket behind."""

    async def whole() -> T:
        try:
            return await work
        finally:
            while Socket.opened:
                Socket.opened.pop().hang_up()

    return asyncio.run(whole())
