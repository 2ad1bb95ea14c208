"""A page's websocket on a shared kernel: stamps who asks, checks that they may, and tells all pages alike.

Jupyter's own handler makes one for each page (`ServerApp.kernel_websocket_connection_class`). A kernel without a host
of ours gets Jupyter's own connection.
"""

from __future__ import annotations

import asyncio
import json
import struct
import uuid
import weakref
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import pairwise
from typing import Any, ClassVar

from jupyter_server.services.kernels.connection.base import BaseKernelWebsocketConnection, serialize_binary_message
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from tornado import web

from jupyter_slipway.errors import SlipwayError, Unavailable
from jupyter_slipway.kernels import rights
from jupyter_slipway.kernels.host.wire import MESSAGE, Frame, Message, encode, pack
from jupyter_slipway.kernels.link import Link
from jupyter_slipway.kernels.model import too_long
from jupyter_slipway.kernels.outlet import Outlet
from jupyter_slipway.kernels.people import person_of
from jupyter_slipway.kernels.rights import Action, Role

LARGEST = 200 << 20
"""Bytes of a message that a page may send."""
ASK_AGAIN = 1.0
"""Seconds after which a host that did not answer is asked again what it does."""
AGAIN = frozenset(
    {
        "clear_output",
        "display_data",
        "error",
        "execute_input",
        "execute_reply",
        "execute_result",
        "status",
        "stream",
        "update_display_data",
    }
)
"""What a page that comes back is told again: telling it twice changes nothing."""
CONTROL = "jupyter.widget.control"
"""Over which each page asks ipywidgets for the state of all widgets, by a comm of its own."""
OPENING = frozenset({"comm_info_request", "kernel_info_request"})
"""What a page asks when it opens. Were all told that the kernel is busy with it, 50 pages would be told 2,450 times."""


class StockConnection(ZMQChannelsWebsocketConnection):
    """Jupyter's own, without the 40 ms that each reply waits for a page's acknowledgement."""

    def connect(self) -> Any:
        self.websocket_handler.set_nodelay(True)
        return super().connect()


class KernelConnection(BaseKernelWebsocketConnection):
    _open: ClassVar[weakref.WeakSet[KernelConnection]] = weakref.WeakSet()

    def __new__(cls, *arguments: Any, **options: Any) -> Any:
        # Jupyter knows one class for all kernels; which it takes depends on the kernel.
        if getattr(options.get("parent"), "link", None) is None:
            return StockConnection(*arguments, **options)
        return super().__new__(cls, *arguments, **options)

    @classmethod
    async def close_all(cls) -> None:
        for connection in list(cls._open):
            connection.disconnect()
        await StockConnection.close_all()

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────

    async def prepare(self) -> None:
        """Before the websocket is opened: a refusal is an HTTP status with words."""
        self.person = person_of(self.websocket_handler)
        self._outlet: Outlet | None = None
        self._place = 0
        self._catching_up: asyncio.Task[None] | None = None
        self._returning: asyncio.Task[None] | None = None
        try:
            await self.link.ready()
        except SlipwayError as error:
            raise web.HTTPError(error.status, error.message) from error
        if not rights.decide(self.role, "look"):
            raise web.HTTPError(403, rights.refusal(self.role, "look", self.owner))
        known = self.link.sessions.setdefault(self.session_id, {"person": self.person, "seen": self.link.last})
        # A session's id stands in every message: who takes another's would get what that is answered.
        if known["person"] not in ("", self.person):
            raise web.HTTPError(403, "This session is somebody else's: open the page again.")

    async def connect(self) -> None:
        self.websocket_handler.set_nodelay(True)
        self._outlet = Outlet(self.websocket_handler, self._flushed)
        self._open.add(self)
        self.multi_kernel_manager.notify_connect(self.kernel_id)
        link = self.link
        self._place = link.last
        self._catching_up = self._returning = asyncio.ensure_future(self._tell_again(link))
        link.pages.add(self)
        self._count_people()

    def disconnect(self) -> None:
        if self._outlet is None or self._outlet.closed:
            return
        self._outlet.close()
        self._open.discard(self)
        for work in (self._catching_up, self._returning):
            if work is not None:
                work.cancel()
        self.multi_kernel_manager.notify_disconnect(self.kernel_id)
        if (link := self.kernel_manager.link) is not None:
            link.pages.discard(self)
            self._count_people()

    @property
    def link(self) -> Link:
        # Asked for each time: a kernel that was started again elsewhere has another.
        link = self.kernel_manager.link
        if link is None:
            raise Unavailable("The kernel has ended.", hint="Start it again.")
        assert isinstance(link, Link)
        return link

    @property
    def owner(self) -> str:
        return str(self.link.status.get("about", {}).get("owner", ""))

    @property
    def role(self) -> Role | None:
        status = self.link.status
        return rights.role_of(self.person, self.owner, status.get("grants", {}), status.get("everyone", ""))

    def _count_people(self) -> None:
        people: dict[str, int] = {}
        for page in self.link.pages:
            if isinstance(page, KernelConnection):
                people[page.person] = people.get(page.person, 0) + 1
        self.link.here(people)

    # ── to the page ─────────────────────────────────────────────────────────────────────────────────────────

    def deliver(self, message: Message) -> None:
        if self._catching_up is not None:
            return  # it comes to this by itself
        self._place = message.number
        if self._wants(message):
            self._send(message)
            assert self._outlet is not None
            if self._outlet.full:
                self._catching_up = asyncio.ensure_future(self._catch_up(self.link))

    def fact(self, number: int, fact: dict[str, Any]) -> None:
        if self._catching_up is None:
            self._place = number
            if fact["fact"] == "gap":
                self._tell_gap(fact)

    def broken(self) -> None:
        """The kernel's host was killed: a new one is on its way, and says what became of what was asked."""
        self._send(self.link.say("iopub", "status", {"execution_state": "restarting"}, {}))

    def _wants(self, message: Message) -> bool:
        if message.parent.get("session") == self.session_id:
            return True
        if message.channel == "iopub":
            return message.parent.get("msg_type") not in OPENING and not self._is_private(message)
        # Whoever runs the cell may answer its question on any page of theirs: also after a reload.
        return message.channel == "stdin" and message.parent.get("username") == self.person

    def _is_private(self, message: Message) -> bool:
        """Whether it answers another page alone: were all told what one that opens has asked of its widgets, JupyterLab
        would call it an error in each of them."""
        return (
            message.type in ("comm_msg", "comm_close")
            and message.parent.get("msg_type") in ("comm_open", "comm_msg")
            and message.content.get("comm_id") in self.link.private
        )

    def _send(self, message: Message) -> None:
        assert self._outlet is not None
        if self.websocket_handler.selected_subprotocol:
            self._outlet.send(message.payload)
        else:
            data = _legacy(message)
            self._outlet.send(data if isinstance(data, bytes) else data.encode(), binary=isinstance(data, bytes))
        if self._outlet.closed:
            self.disconnect()

    def _flushed(self) -> None:
        if self._place and (link := self.kernel_manager.link) is not None:
            link.seen(self.session_id, self._place)

    async def _tell_again(self, link: Link) -> None:
        """To a page that comes back: its executions of which it may lack something, each from its beginning."""
        try:
            unseen = await link.call("unseen", session=self.session_id)
        except SlipwayError:
            unseen = []
        begun = {one["id"]: one["header"] for one in unseen}
        if begun:
            first = min(one["first"] for one in unseen)
            with suppress(Unavailable):  # it has ended
                await self._replay(link, first - 1, begun)
        await self._catch_up(link)
        await self._tell_idle(link)

    async def _tell_idle(self, link: Link) -> None:
        """JupyterLab says 'Unknown' of a connection that was lost, until it hears something that runs."""
        assert self._outlet is not None
        while not (self._outlet.closed or link.over):
            try:
                status = await link.call("status")
            except SlipwayError:
                await asyncio.sleep(ASK_AGAIN)
                continue
            # What has been asked or said since is told by the kernel itself.
            if status["state"] == "idle" and link.last <= status["last"] and not link.owed:
                self._send(link.say("iopub", "status", {"execution_state": "idle"}, {}))
            return

    async def _replay(self, link: Link, since: int, begun: dict[str, dict[str, Any]]) -> None:
        assert self._outlet is not None
        cleared: set[str] = set()
        async for frame in self._past(link, since, self._place):
            if frame.kind != MESSAGE:
                continue
            said = Message(frame.payload, frame.number)
            of = said.parent.get("msg_id")
            if of not in begun or said.type not in AGAIN:
                continue
            if of not in cleared:
                cleared.add(of)
                self._send(link.say("iopub", "clear_output", {"wait": False}, begun[of]))
            self._send(said)
            await self._outlet.room()
        if link.status.get("running"):
            # The last that was told again may have been an 'idle'.
            self._send(link.say("iopub", "status", {"execution_state": "busy"}, {}))

    async def _catch_up(self, link: Link) -> None:
        """From the page's place in the journal to now, as fast as it takes it; then it is told live again."""
        assert self._outlet is not None
        try:
            # Also when nothing is new: told live before there is room, each message would find the outlet full again.
            await self._outlet.room()
            while self._place < link.last and not self._outlet.closed:
                end = link.last
                async for frame in self._past(link, self._place, end):
                    self._place = frame.number
                    if frame.kind != MESSAGE:
                        fact = json.loads(frame.payload)
                        if fact["fact"] == "gap":
                            self._tell_gap(fact)
                        continue
                    said = Message(frame.payload, frame.number)
                    if self._wants(said):
                        self._send(said)
                        await self._outlet.room()
                self._place = end
                await self._outlet.room()
        except Unavailable:  # it has ended
            self._place = link.last
        self._catching_up = None

    async def _past(self, link: Link, since: int, until: int) -> AsyncIterator[Frame]:
        """As `Link.history`; when the host is lost meanwhile, the rest comes from the next, which has its journal.

        Raises:
            Unavailable: there is no next
        """
        while True:
            try:
                async for frame in link.history(since, until):
                    since = frame.number
                    yield frame
                return
            except Unavailable:
                await asyncio.sleep(ASK_AGAIN)
                await link.ready()

    def _tell_gap(self, fact: dict[str, Any]) -> None:
        lost = fact["last"] - fact["first"] + 1
        text = f"[{lost} messages of this kernel are no longer kept: its journal was full.]\n"
        running = next(iter(self.link.status.get("turns", [])), None)
        parent = {"msg_id": running["id"], "session": running["session"]} if running else {}
        self._send(self.link.say("iopub", "stream", {"name": "stderr", "text": text}, parent))

    # ── from the page ───────────────────────────────────────────────────────────────────────────────────────

    def handle_incoming_message(self, incoming: str | bytes) -> None:
        try:
            asked = self._read(incoming)
            header = dict(asked.header)
        except (ValueError, struct.error, KeyError, UnicodeDecodeError) as error:
            self.websocket_handler.close(1003, f"Not a message of Jupyter's protocol: {error}"[:120])
            return
        header["username"], header["session"] = self.person, self.session_id
        if asked.type == "execute_request":
            # The kernel repeats the whole header in all it says to this: each output names its cell and its person.
            header["cell_id"] = _object(asked.part(2)).get("cellId")
        said = asked.with_header(header)
        if len(incoming) > LARGEST:
            self._refuse(said, f"A message of {len(incoming) >> 20} MB is too large: {LARGEST >> 20} MB at most.")
            return
        if said.type == "comm_open" and said.content.get("target_name") == CONTROL:
            self.link.private.add(str(said.content.get("comm_id")))
        if said.type == "execute_request" and (why := too_long(len(said.part(3)))):
            self._refuse(said, why, name="TooLong")
            return
        why = self._forbidden(said)
        if why:
            self._refuse(said, why)
            return
        try:
            self.link.send(said)
        except Unavailable as error:
            self._refuse(said, error.message, name="Unavailable")

    def _read(self, incoming: str | bytes) -> Message:
        """
        Raises:
            ValueError: it is no message
        """
        if self.websocket_handler.selected_subprotocol:
            return Message(incoming if isinstance(incoming, bytes) else incoming.encode())
        return _from_legacy(incoming)

    def _forbidden(self, said: Message) -> str:
        """Why not; '' when it may."""
        running = next(iter(self.link.status.get("turns", [])), None)
        runs = running is not None and running["person"] == self.person
        if said.type == "input_reply":
            return "" if runs or running is None else f"{running['person']} runs this cell: only they may answer it."
        action: Action = rights.MESSAGES.get(said.type, "run")
        if rights.decide(self.role, action, own=runs):
            return ""
        return rights.refusal(self.role, action, self.owner)

    def _refuse(self, said: Message, why: str, *, name: str = "Forbidden") -> None:
        """In the kernel's place, so that no page waits for ever; and in a message of our own, for our pages."""
        header, say = said.header, self.link.say
        error = {"ename": name, "evalue": why, "traceback": [f"{name}: {why}"]}
        answers = [say("iopub", "status", {"execution_state": "busy"}, header)]
        if said.type == "execute_request":
            answers.append(say("iopub", "error", error, header))
        if said.type.endswith("_request"):
            kind = said.type.removesuffix("_request") + "_reply"
            answers.append(say(said.channel, kind, error | {"status": "error", "execution_count": 0}, header))
        answers.append(say("iopub", "slipway_refused", {"why": why}, header))
        answers.append(say("iopub", "status", {"execution_state": "idle"}, header))
        for answer in answers:
            self._send(answer)


def _legacy(said: Message) -> str | bytes:
    """As clients without a subprotocol read it: JSON, or JSON and buffers."""
    found = {
        "header": said.header,
        "parent_header": said.parent,
        "metadata": _object(said.part(2)),
        "content": said.content,
        "channel": said.channel,
        "msg_id": said.header.get("msg_id"),
        "msg_type": said.type,
        "buffers": said.parts[4:],
    }
    return serialize_binary_message(found) if said.parts[4:] else json.dumps(found)


def _from_legacy(incoming: str | bytes) -> Message:
    """
    Raises:
        ValueError, struct.error: it is no message
    """
    buffers: list[bytes] = []
    text = incoming
    if isinstance(incoming, bytes):
        (count,) = struct.unpack_from("!I", incoming)
        offsets = [*struct.unpack_from(f"!{count}I", incoming, 4), len(incoming)]
        pieces = [incoming[start:end] for start, end in pairwise(offsets)]
        text, *buffers = pieces
    found = json.loads(text)
    if not isinstance(found, dict) or not isinstance(found.get("header"), dict):
        raise ValueError("it has no header")
    found["header"].setdefault("msg_id", uuid.uuid4().hex)
    fields = [encode(found.get(name) or {}) for name in ("header", "parent_header", "metadata", "content")]
    return Message(pack(str(found.get("channel") or "shell"), [*fields, *buffers]))


def _object(part: bytes) -> dict[str, Any]:
    value = json.loads(part or b"{}")
    return value if isinstance(value, dict) else {}
