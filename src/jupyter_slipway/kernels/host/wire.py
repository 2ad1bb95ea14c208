"""The bytes between a kernel's host and those attached to it; the same bytes lie in the journal.

A frame is `u32 length | u8 kind | u64 number | payload`. A message's payload is what JupyterLab's own websocket
protocol (v1.kernel.websocket.jupyter.org) carries, so that host, journal, server and page hand on one and the same
text.
"""

from __future__ import annotations

import json
import secrets
import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, NamedTuple

HEADER = struct.Struct("<IBQ")
CALL, MESSAGE, FACT = 0, 1, 2
"""Kinds. A call, its answer or a notice: JSON, not numbered. A kernel's message: v1. A fact: JSON, numbered."""


class Frame(NamedTuple):
    kind: int
    number: int
    """Of messages and facts: 1, 2, 3 … as the host wrote them down; else 0."""
    payload: bytes

    def encode(self) -> bytes:
        return HEADER.pack(len(self.payload), self.kind, self.number) + self.payload


class Parser:
    """Frames out of a stream's pieces. Of a large one the pieces wait, and are put together once."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._wanted = HEADER.size
        """Bytes that must be there before there is anything to do."""

    def feed(self, data: bytes) -> Iterator[Frame]:
        self._pieces.append(data)
        self._size += len(data)
        if self._size < self._wanted:
            return
        if len(self._pieces) > 1 and self._wanted > HEADER.size:
            yield self._put_together()
            data = self._pieces[0] if self._pieces else b""
        elif len(self._pieces) > 1:
            data = b"".join(self._pieces)
        start, end = 0, len(data)
        try:
            while True:
                self._wanted = HEADER.size
                if end - start < self._wanted:
                    break
                length, kind, number = HEADER.unpack_from(data, start)
                self._wanted += length
                if end - start < self._wanted:
                    break
                begin, start = start + HEADER.size, start + self._wanted
                self._wanted = HEADER.size
                yield Frame(kind, number, data[begin:start])
        finally:
            self._pieces = [data[start:]] if start < end else []
            self._size = end - start

    def _put_together(self) -> Frame:
        """The first frame, of which the last piece has just come."""
        first, last = self._pieces[0], self._pieces[-1]
        _, kind, number = HEADER.unpack_from(first)
        rest = self._size - self._wanted
        end = len(last) - rest
        payload = b"".join((memoryview(first)[HEADER.size :], *self._pieces[1:-1], memoryview(last)[:end]))
        self._pieces, self._size, self._wanted = [last[end:]] if rest else [], rest, HEADER.size
        return Frame(kind, number, payload)


def call(**content: Any) -> bytes:
    """The frame of a call, an answer or a notice."""
    return Frame(CALL, 0, encode(content)).encode()


def encode(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def pieces(channel: str, parts: Sequence[bytes]) -> list[bytes]:
    """What `pack` joins: for who joins it with more."""
    named = [channel.encode(), *parts]
    offset = 8 * (len(named) + 2)
    offsets = [offset]
    for piece in named:
        offset += len(piece)
        offsets.append(offset)
    count = len(offsets)
    return [struct.pack(f"<{count + 1}Q", count, *offsets), *named]


def pack(channel: str, parts: Sequence[bytes]) -> bytes:
    """A message as websocket v1 has it; `parts` are header, parent, metadata, content and buffers."""
    return b"".join(pieces(channel, parts))


def unpack(payload: bytes) -> tuple[str, list[bytes]]:
    """Channel and parts of a message.

    Raises:
        ValueError: it is not one
    """
    offsets = _offsets(payload)
    return _channel(payload, offsets), [payload[start:end] for start, end in pairwise(offsets[1:])]


def _offsets(payload: bytes) -> tuple[int, ...]:
    """Where channel and parts begin, and where the last one ends.

    Raises:
        ValueError: it is no message
    """
    count = int.from_bytes(payload[:8], "little")
    if not 6 <= count <= len(payload) // 8:
        raise ValueError("not a message of the websocket protocol v1")
    offsets = struct.unpack_from(f"<{count}Q", payload, 8)
    if list(offsets) != sorted(offsets) or offsets[-1] > len(payload):
        raise ValueError("offsets that point outside of the message")
    return offsets


def _channel(payload: bytes, offsets: Sequence[int]) -> str:
    return payload[offsets[0] : offsets[1]].decode()


class Message:
    """A packed message, read as far as somebody asks: most are handed on without a look at what is large in them."""

    __slots__ = ("_content", "_header", "_offsets", "_parent", "channel", "number", "payload")

    def __init__(self, payload: bytes, number: int = 0) -> None:
        self.payload, self.number = payload, number
        self._offsets = _offsets(payload)
        self.channel = _channel(payload, self._offsets)
        self._header: dict[str, Any] | None = None
        self._parent: dict[str, Any] | None = None
        self._content: dict[str, Any] | None = None

    @property
    def parts(self) -> list[bytes]:
        """Header, parent, metadata, content and buffers."""
        return [self.part(number) for number in range(len(self._offsets) - 2)]

    def part(self, number: int) -> bytes:
        return self.payload[self._offsets[number + 1] : self._offsets[number + 2]]

    @property
    def header(self) -> dict[str, Any]:
        if self._header is None:
            self._header = _object(self.part(0))
        return self._header

    @property
    def parent(self) -> dict[str, Any]:
        if self._parent is None:
            self._parent = _object(self.part(1))
        return self._parent

    @property
    def content(self) -> dict[str, Any]:
        if self._content is None:
            self._content = _object(self.part(3))
        return self._content

    @property
    def type(self) -> str:
        return str(self.header.get("msg_type", ""))

    def with_header(self, header: dict[str, Any]) -> Message:
        return Message(pack(self.channel, [encode(header), *self.parts[1:]]), self.number)


def new_header(kind: str, session: str) -> dict[str, Any]:
    """Of a message of our own making."""
    header = {"msg_id": secrets.token_hex(16), "msg_type": kind, "username": "slipway", "session": session}
    return header | {"date": now(), "version": "5.3"}


def now() -> str:
    """As headers have it."""
    return datetime.now(UTC).isoformat()


def message(
    channel: str,
    header: dict[str, Any],
    parent: dict[str, Any],
    content: dict[str, Any],
    metadata: dict[str, Any] | None = None,
) -> bytes:
    """A message of our own making, packed."""
    return pack(channel, [encode(header), encode(parent), encode(metadata or {}), encode(content)])


def _object(part: bytes) -> dict[str, Any]:
    value = json.loads(part or b"{}")
    if not isinstance(value, dict):
        raise ValueError("a part of the message is no object")
    return value
