"""A line between server and host that breaks: what pages asked meanwhile is lost never, and done twice never."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from jupyter_slipway import hosting
from jupyter_slipway.errors import Unavailable
from jupyter_slipway.hosting import Record
from jupyter_slipway.kernels import outbox
from jupyter_slipway.kernels.connection import KernelConnection
from jupyter_slipway.kernels.host.wire import CALL, FACT, MESSAGE, Frame, Message, Parser, call, encode, message
from jupyter_slipway.kernels.link import Link
from tests.kernels.servers import in_loop
from tests.waiting import soon


class StandIn(asyncio.Protocol):
    """A kernel's host that only listens: it says what a test lets it say."""

    def __init__(self, nonce: str = "first", *, greets: bool = True) -> None:
        self.nonce, self.greets = nonce, greets
        self.heard: list[str] = []
        """The msg_id of each message."""
        self.calls: list[dict[str, Any]] = []
        self.last = 0
        self.transport: asyncio.Transport | None = None

    def connected(self) -> StandIn:
        self._parser = Parser()
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        for frame in self._parser.feed(data):
            if frame.kind == MESSAGE:
                self.heard.append(Message(frame.payload).header["msg_id"])
                continue
            self.calls.append(json.loads(frame.payload))
            if "token" in self.calls[-1] and self.greets:
                self.greet()

    def greet(self) -> None:
        assert self.transport is not None
        state = {"state": "idle", "last": self.last, "turns": [], "about": {"kernel": "k", "owner": "ada"}}
        self.transport.write(call(hello=self.nonce, state=state, sessions={}))

    def tell(self, kind: int, payload: bytes) -> None:
        assert self.transport is not None
        self.last += 1
        self.transport.write(Frame(kind, self.last, payload).encode())

    def tell_queued(self, identity: str) -> None:
        self.tell(FACT, encode({"fact": "queued", "id": identity, "number": self.last + 1}))

    def hang_up(self) -> None:
        assert self.transport is not None
        self.transport.close()


class Page:
    def __init__(self) -> None:
        self.said: list[Message] = []
        self.breaks = 0

    def deliver(self, message: Message) -> None:
        self.said.append(message)

    def fact(self, number: int, fact: dict[str, Any]) -> None:
        pass

    def broken(self) -> None:
        self.breaks += 1

    def statuses(self, asked: str) -> list[str]:
        return [one.content["status"] for one in self.said if _is_reply(one, asked)]


def _is_reply(one: Message, asked: str) -> bool:
    return one.type == "execute_reply" and one.parent["msg_id"] == asked


def request(identity: str, **content: Any) -> Message:
    header = {"msg_id": identity, "msg_type": "execute_request", "session": "s", "username": "ada"}
    return Message(message("shell", header, {}, {"code": "1", **content}))


def record(directory: Path, nonce: str, pid: int | None = None) -> Record:
    pid = os.getpid() if pid is None else pid
    started = hosting.process_start(pid) if pid == os.getpid() else "long ago"
    return Record(
        endpoint=str(directory / "host.sock"), token="t", pid=pid, started=started, nonce=nonce, about={"kernel": "k"}
    )


@asynccontextmanager
async def listening(directory: Path, host: StandIn) -> AsyncIterator[None]:
    path = directory / "host.sock"
    path.unlink(missing_ok=True)
    server = await asyncio.get_running_loop().create_unix_server(host.connected, str(path))
    try:
        yield
    finally:
        server.close()


@asynccontextmanager
async def linked(directory: Path, host: StandIn, **options: Any) -> AsyncIterator[tuple[Link, Page]]:
    link, page = Link(directory, record(directory, host.nonce), **options), Page()
    link.pages.add(page)
    async with listening(directory, host):
        await link.ready()
        try:
            yield link, page
        finally:
            await link.close()


@in_loop
async def test_what_is_asked_while_the_line_is_down_is_handed_over_in_order(tmp_path: Path) -> None:
    host = StandIn()
    async with linked(tmp_path, host) as (link, _):
        host.greets = False
        host.hang_up()
        await soon(lambda: not link.up)
        for name in ("one", "two"):
            link.send(request(name))
        await soon(lambda: len([one for one in host.calls if "token" in one]) == 2)
        link.send(request("three"))
        assert host.heard == []
        host.greet()

        await soon(lambda: host.heard == ["one", "two", "three"])


@in_loop
async def test_what_was_on_its_way_when_the_line_broke_is_handed_over_again_unless_the_host_tells_of_it(
    tmp_path: Path,
) -> None:
    host = StandIn()
    async with linked(tmp_path, host) as (link, page):
        for name in ("came", "lost"):
            link.send(request(name))
        link.send(request("silent", silent=True))
        await soon(lambda: len(host.heard) == 3)
        host.heard.clear()
        host.greets = False
        host.hang_up()
        await soon(lambda: len([one for one in host.calls if "token" in one]) == 2)
        host.last = 1
        host.greet()
        link.send(request("later"))
        await link.ready()
        assert host.heard == []
        host.last = 0
        host.tell_queued("came")

        await soon(lambda: host.heard == ["lost", "later"])
        assert (page.breaks, page.said) == (0, [])


@in_loop
async def test_what_a_killed_host_never_got_is_answered_and_what_is_asked_afterwards_goes_to_the_new_one(
    tmp_path: Path,
) -> None:
    host, second = StandIn(), StandIn("second")
    starts = asyncio.Event()
    loop = asyncio.get_running_loop()

    def revive(directory: Path) -> Record:
        asyncio.run_coroutine_threadsafe(starts.wait(), loop).result()
        return record(directory, "second")

    async with linked(tmp_path, host, revive=revive) as (link, page):
        link.changed = lambda: states.append(link.status["state"])
        states: list[str] = []
        link.send(request("unread"))
        link.record = record(tmp_path, "first", pid=2**22 + 1)
        host.hang_up()
        await soon(lambda: page.breaks == 1)
        assert states == ["restarting"]
        link.send(request("afterwards"))
        async with listening(tmp_path, second):
            starts.set()
            await soon(lambda: second.heard == ["afterwards"])

            assert page.statuses("unread") == ["aborted"]
            assert page.statuses("afterwards") == []
            assert states == ["restarting", "idle"]


@in_loop
async def test_what_waits_for_a_host_that_does_not_come_back_is_answered(tmp_path: Path) -> None:
    def revive(directory: Path) -> Record:
        raise Unavailable("There is no such program.")

    host = StandIn()
    async with linked(tmp_path, host, revive=revive) as (link, page):
        link.record = record(tmp_path, "first", pid=2**22 + 1)
        link.send(request("asked"))
        host.hang_up()
        await soon(lambda: link.over == "There is no such program.")

        await soon(lambda: page.statuses("asked") == ["aborted"])
        with pytest.raises(Unavailable, match="There is no such program"):
            link.send(request("more"))


@in_loop
async def test_who_asks_before_the_host_has_said_who_may_do_what_waits_for_it(tmp_path: Path) -> None:
    host = StandIn(greets=False)
    link = Link(tmp_path, record(tmp_path, host.nonce))
    async with listening(tmp_path, host):
        waiting = asyncio.ensure_future(link.greeted())
        await soon(lambda: host.calls)
        assert not waiting.done()
        host.greet()
        await waiting
        assert link.status["about"]["owner"] == "ada"
    # Out of reach, what it said last is known.
    await link.greeted()
    await link.close()


@in_loop
async def test_a_page_that_comes_is_told_idle_only_when_nothing_was_asked_since(tmp_path: Path) -> None:
    host = StandIn()
    async with linked(tmp_path, host) as (link, _):

        async def told(while_asking: Callable[[], None]) -> list[str]:
            """What a page is told when the host answers that it is idle."""
            said: list[Message] = []
            page = SimpleNamespace(_outlet=SimpleNamespace(closed=False), _send=said.append)
            telling = asyncio.ensure_future(KernelConnection._tell_idle(cast(KernelConnection, page), link))
            await soon(lambda: host.calls[-1].get("op") == "status")
            while_asking()
            assert host.transport is not None
            asked = host.calls.pop()
            host.transport.write(call(id=asked["id"], ok={"state": "idle", "last": host.last}))
            await telling
            return [one.content["execution_state"] for one in said]

        assert await told(lambda: None) == ["idle"]
        assert await told(lambda: link.send(request("a"))) == []


def test_no_more_waits_than_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "LIMIT", 1000)
    box = outbox.Outbox()
    box.hold(request("small"))
    with pytest.raises(Unavailable, match="0 MB wait for it already"):
        box.hold(request("large", code="x" * 1000))

    assert [one.header["msg_id"] for one in box.take_waiting()] == ["small"]
    box.hold(request("next"))


@in_loop
async def test_the_host_that_says_nothing_is_noticed_until_its_next_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_slipway.kernels.link.PULSE", 0.05)
    host = StandIn()
    async with linked(tmp_path, host) as (link, _):
        await soon(lambda: link.silent_since > 0)
        assert {"op": "status", "id": 0} in host.calls
        host.tell(CALL, encode({"state": link.status}))

        await soon(lambda: link.silent_since == 0)


@in_loop
async def test_a_host_that_takes_the_connection_and_says_nothing_does_not_hold_up_who_asks_for_the_past(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_slipway.kernels.link.PATIENCE", 0.05)
    host = StandIn()
    async with linked(tmp_path, host) as (link, _):
        host.greets = False
        with pytest.raises(Unavailable, match="does not answer"):
            await anext(link.history(0, 5))
