"""Those attached to a kernel's host: they are told what is new, ask, and say who is here through them.

Kept by the host.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import ssl
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from jupyter_slipway.kernels.host.folder import Config
from jupyter_slipway.kernels.host.reader import Past, Reader
from jupyter_slipway.kernels.host.wire import CALL, MESSAGE, Frame, Message

Call = Callable[[dict[str, Any]], Coroutine[Any, Any, Any]]


class Refused(Exception):
    """What was asked cannot be; in words."""


class Attached:
    """
    Args:
        past: what they are told from
        token: what they must know
        hello: what each is told first
        calls: what they may ask, by name; may raise Refused
        message: called with each message for the kernel
        saw: called with a session, and the number up to which its page has seen all
        changed: called when another is here, or one less
    """

    def __init__(
        self,
        past: Past,
        token: str,
        *,
        hello: Callable[[], dict[str, Any]],
        calls: Mapping[str, Call],
        message: Callable[[Message], None],
        saw: Callable[[str, int], None],
        changed: Callable[[], None],
    ) -> None:
        self._past, self._token, self._hello_of = past, token, hello
        self._calls, self._message, self._saw, self._changed = calls, message, saw, changed
        self._readers: set[Reader] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.people: dict[str, int] = {}
        """Who is here, and with how many pages."""

    def __len__(self) -> int:
        return len(self._readers)

    async def listen(self, config: Config, folder: Path) -> tuple[asyncio.AbstractServer, str]:
        """A server, and the address at which it is reached."""
        loop = asyncio.get_running_loop()
        if config.bind:
            server: asyncio.AbstractServer = await loop.create_server(self._reader, config.bind, 0, ssl=_tls(config))
            port = server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]  # of TCP
            return server, f"{config.bind}:{port}"
        endpoint = f"{config.sockets or folder}/host.sock"
        Path(endpoint).unlink(missing_ok=True)
        return await loop.create_unix_server(self._reader, endpoint), endpoint

    def offer(self, data: bytes) -> None:
        """The newest frame."""
        for reader in self._readers:
            reader.offer(self._past.last, data)

    def notice(self, **content: Any) -> None:
        for reader in self._readers:
            reader.notice(**content)

    def close(self) -> None:
        for reader in list(self._readers):
            reader.close()

    def _reader(self) -> Reader:
        return Reader(self._past, hello=self._hello, heard=self._heard, left=self._left)

    def _hello(self, reader: Reader, frame: Frame) -> tuple[int, int | None]:
        """
        Raises:
            ValueError: it does not know the token
        """
        hello = json.loads(frame.payload)
        if frame.kind != CALL or not hmac.compare_digest(str(hello["token"]), self._token):
            raise ValueError("a wrong token")
        since, until = int(hello.get("since", -1)), hello.get("until")
        if since < 0 or since > self._past.last:
            since = self._past.last
        reader.server = str(hello.get("server", ""))
        if until is None:
            self._readers.add(reader)
        reader.notice(**self._hello_of())
        if until is None:
            self._changed()
        return since, until

    def _left(self, reader: Reader) -> None:
        self._readers.discard(reader)
        self._count_people()
        self._changed()

    def _count_people(self) -> None:
        people: dict[str, int] = {}
        for reader in self._readers:
            for name, pages in reader.people.items():
                people[name] = people.get(name, 0) + pages
        if people != self.people:
            self.people = people
            self._changed()

    def _heard(self, reader: Reader, frame: Frame) -> None:
        if frame.kind == MESSAGE:
            self._message(Message(frame.payload))
            return
        asked = json.loads(frame.payload)
        if asked["op"] == "here":
            reader.people = dict(asked["people"])
            self._count_people()
        elif asked["op"] == "seen":
            for session, number in asked["sessions"].items():
                self._saw(session, number)
        else:
            task = asyncio.ensure_future(self._answer(reader, asked))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, reader: Reader, asked: dict[str, Any]) -> None:
        try:
            value = await self._calls[asked["op"]](asked)
            reader.notice(id=asked["id"], ok=value)
        except Refused as error:
            reader.notice(id=asked["id"], error=str(error))
        except Exception as error:  # a fault of ours: who asked is told, and the host lives on
            print(f"host: {asked.get('op')}: {error!r}", file=sys.stderr, flush=True)
            reader.notice(id=asked["id"], error=f"The kernel's host failed at this: {error!r}")


def _tls(config: Config) -> ssl.SSLContext | None:
    if not config.tls:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=config.tls["ca"])
    context.load_cert_chain(config.tls["cert"], config.tls["key"])
    context.verify_mode = ssl.CERT_REQUIRED
    return context
