"""A person's terminal on a shared kernel, over its server's websocket, or straight over its host's socket.

Used by the command `console`. Over the websocket the server says who it is and what they may; over the socket it is
who works at this machine, to whom its files belong.
"""

from __future__ import annotations

import asyncio
import codeop
import os
import queue
import sys
import threading
import uuid
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from jupyter_slipway.errors import Forbidden, NotFound, SlipwayError, Unavailable
from jupyter_slipway.kernels import hosts, rights
from jupyter_slipway.kernels.host.wire import Message, message
from jupyter_slipway.kernels.link import Link
from jupyter_slipway.settings import Settings, local_user

PROTOCOL = "v1.kernel.websocket.jupyter.org"
PROMPT, MORE = "In: ", "  : "
REFUSED: dict[str, type[SlipwayError]] = {"Forbidden": Forbidden, "Unavailable": Unavailable}
"""By the name under which the server says it in the kernel's place."""


class Wire(Protocol):
    """How messages come and go."""

    async def open(self, heard: Callable[[Message], None]) -> None: ...

    async def send(self, message: Message) -> None: ...

    async def interrupt(self) -> None: ...

    async def close(self) -> None: ...


class Terminal:
    """`with Terminal(kernel, console) as terminal: terminal.run("1 + 1")`.

    The kernel's messages come in a thread of their own, so that the person's Ctrl-C finds this one waiting.

    Args:
        console: rich's, to print on
        ask: asks the person for a line
    """

    def __init__(self, kernel: str, console: Any, ask: Callable[[str], str] = input) -> None:
        self._console, self._ask = console, ask
        self._session = uuid.uuid4().hex
        self._wire: Wire = _wire(kernel, self._session)
        self._came: queue.Queue[Message] = queue.Queue()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="slipway-terminal", daemon=True)

    def __enter__(self) -> Terminal:
        self._thread.start()
        self._do(self._wire.open(self._came.put))
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._wire.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, code: str) -> bool:
        """Run it and print what it says; whether it failed. Ctrl-C interrupts the kernel.

        Raises:
            Forbidden: the person may not
            Unavailable: the kernel is out of reach
        """
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}}
        asked = self._send("shell", "execute_request", content | {"allow_stdin": True, "stop_on_error": True})
        failed = False
        refused: tuple[type[SlipwayError], str] | None = None
        while True:
            try:
                said = self._came.get()
            except KeyboardInterrupt:
                self._do(self._wire.interrupt())
                continue
            if said.parent.get("msg_id") != asked:
                self._tell_of_others(said)
            elif said.type == "execute_reply":
                failed = said.content.get("status") != "ok"
            elif said.type == "error" and said.content["ename"] in REFUSED:
                refused = REFUSED[said.content["ename"]], said.content["evalue"]
            elif said.type == "slipway_refused" and refused is not None:
                raise refused[0](refused[1])
            elif said.type == "status" and said.content.get("execution_state") == "idle":
                return failed or self._replied(asked)
            else:
                self._tell(said)

    def attempt(self, code: str) -> bool:
        """As `run`, where more is typed after a refusal."""
        try:
            return self.run(code)
        except SlipwayError as error:
            self._console.print(error.message, style="red", markup=False)
            return True

    def _replied(self, asked: str) -> bool:
        """Whether it failed, when its reply is still on its way."""
        with suppress(queue.Empty):
            while (said := self._came.get(timeout=0.5)).type != "execute_reply" or said.parent.get("msg_id") != asked:
                self._tell_of_others(said)
            return bool(said.content.get("status") != "ok")
        return False

    def _tell(self, said: Message) -> None:
        content = said.content
        if said.type == "stream":
            self._console.file.write(content["text"])
            self._console.file.flush()
        elif said.type in ("execute_result", "display_data"):
            self._console.print(content["data"].get("text/plain", ""), markup=False)
        elif said.type == "error":
            self._console.file.write("\n".join(content["traceback"]) + "\n")
        elif said.type == "input_request":
            self._send("stdin", "input_reply", {"value": self._ask(content.get("prompt", ""))})

    def _tell_of_others(self, said: Message) -> None:
        if said.type == "status" and said.content.get("execution_state") in ("dead", "restarting"):
            self._console.print(f"The kernel is {said.content['execution_state']}.", style="red")
        if said.type == "execute_input" and said.parent.get("session") != self._session:
            line = next((text for text in said.content["code"].splitlines() if text.strip()), "")
            self._console.print(f"{said.parent.get('username')} runs: {line[:100]}", style="dim", markup=False)

    def _send(self, channel: str, kind: str, content: dict[str, Any]) -> str:
        header = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "username": local_user(), "session": self._session}
        header |= {"version": "5.3", "date": datetime.now(UTC).isoformat()}
        self._do(self._wire.send(Message(message(channel, header, {}, content))))
        return header["msg_id"]

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()


def work(terminal: Terminal, code: str | None) -> bool:
    """Run `code`, or what is typed until the end of the input; whether the last failed.

    Raises:
        SlipwayError: there is no such kernel, or the person may not
    """
    with terminal:
        if code is not None:
            return terminal.run(code)
        failed = False
        while (typed := _typed()) is not None:
            if typed.strip():
                failed = terminal.attempt(typed)
        return failed


def _typed() -> str | None:
    """A block of code: one line, or several up to an empty one; None at the end of the input."""
    lines: list[str] = []
    try:
        while True:
            lines.append(input(MORE if lines else PROMPT))
            try:
                whole = codeop.compile_command("\n".join(lines))
            except (SyntaxError, ValueError, OverflowError):
                return "\n".join(lines)  # the kernel says what is wrong
            if whole is not None and (len(lines) == 1 or not lines[-1].strip()):
                return "\n".join(lines)
    except KeyboardInterrupt:
        return ""
    except EOFError:
        sys.stdout.write("\n")
        return "\n".join(lines) or None


def _wire(kernel: str, session: str) -> Wire:
    """To the server that SLIPWAY_URL names, else to the host of a kernel of this home."""
    if url := os.environ.get("SLIPWAY_URL"):
        return _Websocket(url, os.environ.get("SLIPWAY_TOKEN", ""), kernel, session)
    directory = hosts.find(Settings.read().home, kernel)
    record = hosts.living(Settings.read().home).get(directory) if directory else None
    if directory is None or record is None:
        raise NotFound(f"There is no kernel {kernel!r} here.", hint="`jupyter slipway kernels` lists them.")
    return _Socket(Link(directory, record))


class _Websocket:
    def __init__(self, url: str, token: str, kernel: str, session: str) -> None:
        at = urlsplit(url.rstrip("/"))
        scheme = "wss" if at.scheme == "https" else "ws"
        self._url = f"{scheme}://{at.netloc}{at.path}/api/kernels/{kernel}/channels?session_id={session}"
        self._actions = f"{url.rstrip('/')}/api/kernels/{kernel}/interrupt"
        self._token = token
        self._socket: Any = None
        self._reading: asyncio.Task[None] | None = None

    async def open(self, heard: Callable[[Message], None]) -> None:
        # 0.1 s: only for who opens a terminal over a server.
        from tornado.httpclient import HTTPClientError, HTTPRequest
        from tornado.websocket import websocket_connect

        request = HTTPRequest(self._url, headers={"Authorization": f"token {self._token}"})
        try:
            self._socket = await websocket_connect(request, subprotocols=[PROTOCOL], max_message_size=1 << 30)
        except HTTPClientError as error:
            raise Forbidden(f"The server refuses: {error.message}.", hint="Ask the kernel's owner.") from error
        except OSError as error:
            raise Unavailable(f"No server answers: {error}.", hint="Start it, or unset SLIPWAY_URL.") from error

        async def read() -> None:
            while (text := await self._socket.read_message()) is not None:
                heard(Message(text))

        self._reading = asyncio.ensure_future(read())

    async def send(self, message: Message) -> None:
        await self._socket.write_message(message.payload, binary=True)

    async def interrupt(self) -> None:
        from tornado.httpclient import AsyncHTTPClient

        headers = {"Authorization": f"token {self._token}"}
        await AsyncHTTPClient().fetch(self._actions, method="POST", body="", headers=headers, raise_error=False)

    async def close(self) -> None:
        self._socket.close()
        if self._reading is not None:
            await self._reading


class _Socket:
    """Straight to the host; the files of the home say whose it is."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._heard: Callable[[Message], None] = lambda message: None

    async def open(self, heard: Callable[[Message], None]) -> None:
        self._heard = heard
        await self._link.ready()
        status = self._link.status
        owner = status["about"]["owner"]
        role = rights.role_of(local_user(), owner, status["grants"], status["everyone"])
        if not rights.decide(role, "run"):
            raise Forbidden(rights.refusal(role, "run", owner), hint="Ask for the right.")
        self._link.pages.add(self)
        self._link.here({local_user(): 1})

    async def send(self, message: Message) -> None:
        self._link.send(message)

    async def interrupt(self) -> None:
        await self._link.call("interrupt", person=local_user())

    async def close(self) -> None:
        await self._link.close()

    # A page of the link.

    def deliver(self, message: Message) -> None:
        self._heard(message)

    def fact(self, number: int, fact: dict[str, Any]) -> None:
        pass

    def broken(self) -> None:
        pass
