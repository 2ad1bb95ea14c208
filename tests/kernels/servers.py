"""Jupyter servers in processes of their own, with our kernels, and pages on them."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

from tornado.httpclient import HTTPRequest

from jupyter_slipway.kernels import hosts
from jupyter_slipway.kernels.host.wire import Message, message
from jupyter_slipway.kernels.link import Link
from tests import sockets
from tests.ports import free_port
from tests.sockets import Socket
from tests.waiting import PATIENCE

PEOPLE = "--ServerApp.identity_provider_class=tests.kernels.identity.TokenPeople"
NO_POOL = "--SlipwayKernelManager.pool=0"
V1 = "v1.kernel.websocket.jupyter.org"


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in a loop of its own, and close the pages that it has opened."""

    async def whole(*arguments: Any, **named: Any) -> None:
        try:
            await test(*arguments, **named)
        finally:
            while Page.opened:
                await Page.opened.pop().close()

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        sockets.run(whole(*arguments, **named))

    return run


class Server:
    """One Jupyter server."""

    def __init__(self, root: Path, home: Path, *options: str, port: int | None = None) -> None:
        self.root, self.home, self.port = root, home, port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environ = os.environ | {
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "JUPYTER_NO_CONFIG": "1",
            "SLIPWAY_HOME": str(home),
        }
        command = [
            sys.executable,
            "-m",
            "jupyter_server",
            f"--ServerApp.port={self.port}",
            f"--ServerApp.root_dir={root}",
        ]
        command += [PEOPLE, "--ServerApp.jpserver_extensions=jupyter_slipway=True", "--ServerApp.port_retries=0"]
        command += ["--allow-root", "--no-browser", *options]
        self.log = home / f"server-{self.port}.log"
        with self.log.open("a") as log:
            self.process = subprocess.Popen(command, env=environ, stdout=log, stderr=log, cwd=Path(__file__).parents[2])
        try:
            self._until_up()
        except BaseException:
            self.kill()
            raise

    def _until_up(self) -> None:
        # A machine that does other work besides is slow, not wrong.
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self.ask("GET", "api/status")
                return
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
                assert time.monotonic() < until, self.log.read_text()
                time.sleep(0.05)

    def ask(self, method: str, path: str, body: Any = None, person: str = "ada") -> Any:
        """
        Raises:
            HTTPError: refused; what it says is in `.read()`
        """
        data = None if body is None and method in ("GET", "DELETE") else json.dumps(body or {}).encode()
        request = urllib.request.Request(f"{self.url}/{path}", data=data, method=method)
        request.add_header("Authorization", f"token {person}-token")
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                text = answer.read()
                return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            error.said = error.read()
            error.add_note(error.said.decode())
            raise

    def refused(self, method: str, path: str, body: Any = None, person: str = "ada") -> tuple[int, dict[str, Any]]:
        """Status and words of a refusal."""
        try:
            answer = self.ask(method, path, body, person)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.said or b"{}")
        raise AssertionError(answer)

    def start_kernel(self, person: str = "ada", name: str = "python3", path: str = "") -> str:
        body = {"name": name, "path": path} if path else {"name": name}
        return str(self.ask("POST", "api/kernels", body, person)["id"])

    async def warm(self) -> None:
        """Until a kernel waits for who starts one."""
        until = time.monotonic() + PATIENCE
        while True:
            for directory, record in hosts.living(self.home).items():
                if record.about["warm"]:
                    link = Link(directory, record)
                    await link.ready()
                    ready = link.status["ready"]
                    await link.close()
                    if ready:
                        # The server learns it a moment after the host.
                        await asyncio.sleep(0.2)
                        return
            assert time.monotonic() < until
            await asyncio.sleep(0.1)

    def log_in(self, person: str) -> str:
        """The cookies of a browser that has."""
        with urllib.request.urlopen(f"{self.url}/api/me?token={person}-token", timeout=PATIENCE) as answer:
            cookies = answer.headers.get_all("Set-Cookie")
        return "; ".join(one.partition(";")[0] for one in cookies)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"The server does not end:\n{self.log.read_text()[-4000:]}") from None


@contextmanager
def serving(root: Path, home: Path, *options: str, port: int | None = None) -> Iterator[Server]:
    server = Server(root, home, *options, port=port)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


class Page:
    """A client of a kernel's websocket, with its own session id, as a JupyterLab page has."""

    opened: ClassVar[list[Page]] = []

    def __init__(self, socket: Socket, session: str, *, legacy: bool) -> None:
        self.socket, self.session, self.legacy = socket, session, legacy
        self.said: list[Message] = []
        self._news = asyncio.Event()
        self._flows = asyncio.Event()
        self._flows.set()
        self._reading = asyncio.ensure_future(self._read())
        self.closed = False
        self.opened.append(self)

    @classmethod
    async def open(
        cls,
        server: Server,
        kernel: str,
        person: str = "ada",
        session: str = "",
        *,
        legacy: bool = False,
        **headers: str,
    ) -> Page:
        session = session or uuid.uuid4().hex
        url = server.url.replace("http", "ws")
        url += f"/api/kernels/{kernel}/channels?session_id={session}" + (f"&token={person}-token" if person else "")
        request = HTTPRequest(url, headers=headers)
        socket = await Socket.open(request, subprotocols=None if legacy else [V1], max_message_size=1 << 30)
        return cls(socket, session, legacy=legacy)

    async def _read(self) -> None:
        while (text := await self.socket.read_message()) is not None:
            await self._flows.wait()
            self.said.append(_parsed(text, self.legacy))
            self._news.set()
        self.closed = True
        self._news.set()

    def pause(self) -> None:
        """Read nothing more, until `resume`."""
        self._flows.clear()

    def resume(self) -> None:
        self._flows.set()

    def send(self, kind: str, content: dict[str, Any], *, channel: str = "shell", **header: Any) -> str:
        """Its msg_id."""
        metadata = {"cellId": header.pop("cell")} if "cell" in header else {}
        known = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "username": "somebody", "session": self.session}
        known |= {"date": "2026-01-01T00:00:00Z", "version": "5.3"} | header
        if self.legacy:
            text = {"header": known, "parent_header": {}, "metadata": metadata, "content": content, "channel": channel}
            self.socket.write_message(json.dumps(text))
        else:
            self.socket.write_message(message(channel, known, {}, content, metadata), binary=True)
        return str(known["msg_id"])

    def execute(self, code: str, **header: Any) -> str:
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": True}
        return self.send("execute_request", content | {"stop_on_error": True}, **header)

    async def until(self, found: Any, seconds: float = PATIENCE) -> Any:
        """What `found` gives, once it gives something."""
        ends = time.monotonic() + seconds
        while not (value := found()):
            late = self.closed or time.monotonic() > ends
            assert not late, [(m.type, m.content) for m in self.said[-20:]]
            self._news.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), max(0.01, ends - time.monotonic()))
        return value

    def of(self, asked: str, kind: str) -> list[Message]:
        return [one for one in self.said if one.parent.get("msg_id") == asked and one.type == kind]

    async def reply(self, asked: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """The reply's content, when also all outputs are here."""
        await self.until(lambda: self.idle(asked), seconds)
        replies = await self.until(lambda: [one for one in self.said if _is_reply(one, asked)], seconds)
        return replies[-1].content

    def idle(self, asked: str) -> bool:
        return any(one.content["execution_state"] == "idle" for one in self.of(asked, "status"))

    async def run(self, code: str, **header: Any) -> dict[str, Any]:
        return await self.reply(self.execute(code, **header))

    def text(self, asked: str) -> str:
        return "".join(one.content["text"] for one in self.of(asked, "stream"))

    def states(self) -> list[str]:
        """Of messages that answer nothing."""
        return [one.content["execution_state"] for one in self.said if one.type == "status" and not one.parent]

    async def close(self) -> None:
        self.socket.close()
        await self._reading


def _is_reply(one: Message, asked: str) -> bool:
    return one.parent.get("msg_id") == asked and one.type.endswith("_reply")


def _parsed(text: str | bytes, legacy: bool) -> Message:
    if not legacy:
        assert isinstance(text, bytes)
        return Message(text)
    from jupyter_slipway.kernels.connection import _from_legacy

    return _from_legacy(text)
