"""A server's end of the stream from one kernel's host: hands on what is said, asks, and comes back when it breaks.

One a kernel and server, however many pages: `connection` fans out. Given to the kernel's manager by `manager`.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from jupyter_slipway import hosting
from jupyter_slipway.errors import Conflict, Unavailable
from jupyter_slipway.hosting import Record
from jupyter_slipway.kernels import hosts
from jupyter_slipway.kernels.host.wire import CALL, FACT, MESSAGE, Frame, Message, Parser, call, message, new_header
from jupyter_slipway.kernels.outbox import Outbox

PATIENCE = 20.0
"""Seconds that a host may take to answer."""
RESTART = 90.0
HANG_UP = 1.0
"""Seconds for what was said last to be on its way."""
RETRY = 0.1
PULSE = 5.0
"""Seconds between two looks at whether a host that says nothing still answers."""
REMOTE_TRIES = 100
"""Of a host on another machine, whose process cannot be looked at."""
QUEUE = 4 << 20
"""Bytes of a history that may wait to be taken."""
SERVER = f"{socket.gethostname()}:{os.getpid()}"


class Page(Protocol):
    """Whoever wants to be told all that a kernel says."""

    def deliver(self, message: Message) -> None: ...

    def fact(self, number: int, fact: dict[str, Any]) -> None: ...

    def broken(self) -> None:
        """The host was lost: what was asked and not answered may be asked again."""
        ...


class Link:
    """
    Args:
        revive: called in a thread when the host's process is gone; gives the record of a new one

    `ended` is called once, with the reason, when the host has ended for good.
    """

    def __init__(self, directory: Path, record: Record, *, revive: Callable[[Path], Record] | None = None) -> None:
        self.directory, self.record = directory, record
        self.pages: set[Page] = set()
        self.status: dict[str, Any] = {}
        """As `Host.status` has it; {} before the first hello."""
        self.sessions: dict[str, dict[str, Any]] = {}
        """By session: whose it is, and how far its page had seen, as this server knows."""
        self.private: set[str] = set()
        """Comms of one page each, of which no other knows."""
        self.last = -1
        """The number of the last frame that came; -1 before the first hello."""
        self.over = ""
        """Why the kernel has ended; '' while it lives."""
        self.ended: Callable[[str], None] = lambda reason: None
        self.changed: Callable[[], None] = lambda: None
        self.told: Callable[[Message], None] = lambda message: None
        self.revive = revive
        self._up = asyncio.Event()
        self._stream: _Stream | None = None
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._count = 0
        self._task: asyncio.Task[None] | None = None
        self.silent_since = 0.0
        """When a host was asked that has not answered since, in seconds of the epoch; 0 while it answers."""
        self._heard_at = 0.0
        self._seen: dict[str, int] = {}
        self._here: dict[str, int] = {}
        self._outbox = Outbox()
        self._behind: int | None = None
        """Up to which number it has to tell first, before it is handed what waits; None when it is."""
        self._lost = ""
        """Why the kernel that was asked before is gone; '' when it is the same."""
        self._session = "slipway"
        """Of the kernel's own messages. A page drops what it has not yet handled when one of another session comes."""

    @property
    def kernel(self) -> str:
        """The kernel's id."""
        return str((self.status.get("about") or self.record.about)["kernel"])

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────

    def open(self) -> None:
        """Attach, soon; and again whenever the stream breaks."""
        if self._task is None and not self.over:
            self._task = asyncio.ensure_future(self._live())

    async def ready(self, within: float = PATIENCE) -> None:
        """
        Raises:
            Unavailable: the host does not answer, or has ended
        """
        self.open()
        try:
            await asyncio.wait_for(self._up.wait(), within)
        except TimeoutError:
            raise Unavailable(
                "The kernel's host does not answer.", hint="Wait a little, or restart the kernel."
            ) from None
        if self.over:
            raise Unavailable(f"The kernel has ended: {self.over}", hint="Start it again.")

    async def greeted(self) -> None:
        """Until it is known whose it is, what state it is in, and who may do what; also when it is out of reach again.

        Raises:
            Unavailable: the host has never answered, or has ended
        """
        if not self.status:
            await self.ready()

    @property
    def up(self) -> bool:
        return self._up.is_set() and not self.over

    @property
    def owed(self) -> bool:
        """Whether something was asked that the host has not yet told of."""
        return not self._outbox.empty

    async def close(self) -> None:
        """Let go; the kernel lives on."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        stream = self._stream
        self._hang_up()
        if stream is not None:
            # The loop may end with us, and would leave the socket open.
            with suppress(TimeoutError):
                await asyncio.wait_for(stream.lost.wait(), HANG_UP)

    async def _live(self) -> None:
        tries = 0
        while not self.over:
            stream = await self._attached()
            if stream is not None:
                tries = 0
                await self._listen(stream)
                self._up.clear()
                self._behind = None
                self._hang_up()
                if self.over:
                    break
            tries += 1
            await self._mend(tries)
        self._up.set()
        self._fail_calls(self.over)
        self._drop([*self._outbox.take_sent(), *self._outbox.take_waiting()], self.over)
        self._note_end()
        self.ended(self.over)

    def _note_end(self) -> None:
        """The kernel has ended; its host has written down why, unless it was killed."""

    async def _attached(self) -> _Stream | None:
        try:
            stream = await connect(self.record, self._hear)
        except OSError:
            return None
        self._stream = stream
        stream.write(call(token=self.record.token, since=self.last, server=SERVER))
        return stream

    async def _listen(self, stream: _Stream) -> None:
        """Until it is lost. A host that is frozen keeps its stream and says nothing: it is asked now and then."""
        asked = 0.0
        while not stream.lost.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stream.lost.wait(), PULSE)
                break
            if asked > self._heard_at:
                if not self.silent_since:
                    self.silent_since = time.time() - (time.monotonic() - asked)
                    self.changed()
            elif time.monotonic() - self._heard_at > PULSE / 2:
                asked = time.monotonic()
                stream.write(call(op="status", id=0))
        self.silent_since = 0.0

    async def _mend(self, tries: int) -> None:
        """The stream is broken: the host lives and is asked again, or is gone and is started anew."""
        remote = not self.record.endpoint.startswith("/")
        if (remote and tries < REMOTE_TRIES) or (not remote and hosting.alive(self.record)):
            await asyncio.sleep(RETRY)
            return
        if tries == 1:
            # It may have ended as it should, and its last words were lost.
            await asyncio.sleep(RETRY)
        if not self.directory.exists():
            self.over = "It was shut down."
        elif (done := _ended(self.directory)) is not None:
            self.over = done
        elif self.revive is None:
            self.over = "The kernel's host is gone."
        else:
            self._break()
            try:
                self.record = await asyncio.to_thread(self.revive, self.directory)
            except FileNotFoundError:
                self.over = "It was shut down."
            except Unavailable as error:
                self.over = error.message
            except (ValueError, TypeError, OSError) as error:
                self.over = f"What it was started with cannot be read: {error}."

    def _break(self) -> None:
        self._lost = "Its host was lost; the kernel starts anew."
        self._fail_calls(self._lost)
        if self.status:
            self.status |= {"state": "restarting", "ready": False, "running": False, "turns": []}
            self.changed()
        for page in list(self.pages):
            page.broken()
        # Asked of the kernel that is gone, by who did not know it.
        self._drop(self._outbox.take_waiting(), self._lost)

    def _drop(self, asked: list[Message], why: str) -> None:
        """Answer in the kernel's place, so that no page waits for ever."""
        for one in [one for one in asked if one.type.endswith("_request")]:
            kind, parent = one.type.removesuffix("_request") + "_reply", one.header
            content = {"status": "aborted" if one.type == "execute_request" else "error", "execution_count": 0}
            answers = [
                self.say("iopub", "status", {"execution_state": "busy"}, parent),
                self.say(one.channel, kind, content | {"ename": "KernelDied", "evalue": why, "traceback": []}, parent),
                self.say("iopub", "status", {"execution_state": "idle"}, parent),
            ]
            for page in list(self.pages):
                for answer in answers:
                    page.deliver(answer)

    def _fail_calls(self, why: str) -> None:
        calls, self._calls = self._calls, {}
        for waiting in calls.values():
            if not waiting.done():
                waiting.set_exception(Unavailable(f"The kernel's host has gone: {why}", hint="Try again."))

    def _hang_up(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    # ── asking ──────────────────────────────────────────────────────────────────────────────────────────────

    def send(self, message: Message) -> None:
        """Hand a message, stamped, to the kernel; when its host is out of reach just now, as soon as it is back.

        Raises:
            Unavailable: it has ended, or too much waits for it already
        """
        if self.up and self._behind is None and self._stream is not None and not self._stream.lost.is_set():
            self._hand_over(message)
        elif self.over:
            raise Unavailable(f"The kernel has ended: {self.over}", hint="Start it again.")
        else:
            self._outbox.hold(message)

    def _hand_over(self, message: Message) -> None:
        self._outbox.sent(message)
        self._write(Frame(MESSAGE, 0, message.payload).encode())

    def _hand_over_what_waits(self) -> None:
        """The host has told all that it had to: what it still has not told of never came to it."""
        self._behind = None
        unknown, lost, self._lost = self._outbox.take_sent(), self._lost, ""
        if lost:
            self._drop(unknown, lost)
            unknown = []
        for one in [*unknown, *self._outbox.take_waiting()]:
            self._hand_over(one)

    async def call(self, op: str, *, within: float = PATIENCE, **arguments: Any) -> Any:
        """
        Raises:
            Conflict: the host refuses
            Unavailable: it does not answer in time, or is lost meanwhile
        """
        await self.ready()
        self._count += 1
        identity = self._count
        answer = self._calls[identity] = asyncio.get_running_loop().create_future()
        self._write(call(op=op, id=identity, **arguments))
        try:
            return await asyncio.wait_for(answer, within)
        except TimeoutError:
            raise _silent() from None
        finally:
            self._calls.pop(identity, None)

    async def restart(self, person: str) -> None:
        """End the kernel's process and start a new one. A host that cannot be asked is ended, too.

        Raises:
            Unavailable: it does not come back in time, or hangs on another machine
        """
        if not self.silent_since:
            await self.call("restart", person=person, within=RESTART)
        elif self.record.endpoint.startswith("/"):
            self._up.clear()
            await asyncio.to_thread(hosting.end, self.record, within=0)
            await self.ready(RESTART)
        else:
            raise _silent()

    def here(self, people: dict[str, int]) -> None:
        """Tell who is here through this server, and with how many pages."""
        self._here = people
        if self._stream is not None:
            self._stream.write(call(op="here", people=people))

    def seen(self, session: str, number: int) -> None:
        """A page has all up to `number`: a server that comes after us goes on from there."""
        if not self._seen:
            asyncio.get_running_loop().call_later(0.5, self._tell_seen)
        self._seen[session] = number

    def _tell_seen(self) -> None:
        seen, self._seen = self._seen, {}
        for session, number in seen.items():
            self.sessions.setdefault(session, {"person": ""})["seen"] = number
        if self._stream is not None:
            self._stream.write(call(op="seen", sessions=seen))

    async def history(self, since: int, until: int | None = None) -> AsyncIterator[Frame]:
        """What was said after number `since`, up to `until` (or to now), on a stream of its own.

        Raises:
            Unavailable: the host does not answer, says nothing for long, or is lost before all was told
        """
        frames: asyncio.Queue[Frame | None] = asyncio.Queue()
        waiting = 0

        def heard(frame: Frame) -> None:
            nonlocal waiting
            frames.put_nowait(frame)
            waiting += len(frame.payload)
            # No more than a little in memory, however long the history and however slow who reads it.
            if waiting >= QUEUE:
                stream.flow(False)

        try:
            stream = await connect(self.record, heard)
        except OSError as error:
            raise _silent() from error
        stream.when_lost = lambda: frames.put_nowait(None)
        reached, until = since, self.last if until is None else until
        stream.write(call(token=self.record.token, since=max(since, 0), until=until, server=SERVER))
        try:
            while (frame := await asyncio.wait_for(frames.get(), PATIENCE)) is not None:
                waiting -= len(frame.payload)
                if waiting < QUEUE:
                    stream.flow(True)
                if frame.kind != CALL:
                    reached = frame.number
                    yield frame
                elif "hello" in (notice := _decoded(frame.payload)):
                    # One whose disk was full has not all that its last life has told.
                    until = min(until, notice["state"]["last"])
            if reached < until:
                raise _silent()
        except TimeoutError:  # frozen: it takes the connection, and says nothing
            raise _silent() from None
        finally:
            stream.close()

    def _write(self, data: bytes) -> None:
        if self._stream is None or self.over:
            raise Unavailable(
                f"The kernel cannot be reached now. {self.over}".strip(), hint="It comes back, or has to be started."
            )
        self._stream.write(data)

    # ── hearing ─────────────────────────────────────────────────────────────────────────────────────────────

    def _hear(self, frame: Frame) -> None:
        self._heard_at = time.monotonic()
        if self.silent_since:
            self.silent_since = 0.0
            self.changed()
        if frame.kind == MESSAGE:
            self.last = frame.number
            said = Message(frame.payload, frame.number)
            self._session = said.header.get("session") or self._session
            self.told(said)
            for page in list(self.pages):
                page.deliver(said)
        elif frame.kind == FACT:
            self.last = frame.number
            fact = _decoded(frame.payload)
            if fact["fact"] == "queued":
                self._outbox.arrived(fact["id"])
            for page in list(self.pages):
                page.fact(frame.number, fact)
        else:
            self._noticed(_decoded(frame.payload))
        if self._behind is not None and self.last >= self._behind:
            self._hand_over_what_waits()

    def _noticed(self, notice: dict[str, Any]) -> None:
        if "hello" in notice:
            if notice["hello"] != self.record.nonce:
                # Somebody else answers at its endpoint.
                self._hang_up()
                return
            if self.last < 0:
                self.last = notice["state"]["last"]
            self.sessions.update(notice["sessions"])
            if self._here and self._stream is not None:
                self._stream.write(call(op="here", people=self._here))
            self.status = notice["state"]
            self._behind = self.status["last"]
            self._up.set()
            self.changed()
        elif "state" in notice:
            self.status = notice["state"]
            self.changed()
        elif "bye" in notice:
            self.over = notice["bye"] or "It was ended."
        elif (waiting := self._calls.get(notice.get("id", 0))) is not None and not waiting.done():
            if "error" in notice:
                waiting.set_exception(Conflict(notice["error"]))
            else:
                waiting.set_result(notice["ok"])

    def say(self, channel: str, kind: str, content: dict[str, Any], parent: dict[str, Any]) -> Message:
        """A message of the server's own, for pages; it is in no journal."""
        return Message(message(channel, new_header(kind, self._session), parent, content), max(self.last, 0))


class _Stream(asyncio.Protocol):
    def __init__(self, hear: Callable[[Frame], None]) -> None:
        self._hear, self._parser = hear, Parser()
        self._transport: asyncio.Transport | None = None
        self.lost = asyncio.Event()
        self.when_lost: Callable[[], None] = lambda: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        for frame in self._parser.feed(data):
            self._hear(frame)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.set()
        self.when_lost()

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def flow(self, on: bool) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if on and not self._transport.is_reading():
            self._transport.resume_reading()
        elif not on and self._transport.is_reading():
            self._transport.pause_reading()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def connect(record: Record, hear: Callable[[Frame], None]) -> _Stream:
    """A stream to a host; the first frame to write is its hello.

    Raises:
        OSError: nobody is there
    """
    loop = asyncio.get_running_loop()
    if record.endpoint.startswith("/"):
        _, stream = await loop.create_unix_connection(lambda: _Stream(hear), record.endpoint)
        return stream
    address, _, port = record.endpoint.rpartition(":")
    context = None
    if record.tls:
        context = ssl.create_default_context(cafile=record.tls["ca"])
        # Both ends show a certificate of the cluster's own authority, which names no machine.
        context.check_hostname = False
        context.load_cert_chain(record.tls["cert"], record.tls["key"])
    transport, stream = await loop.create_connection(lambda: _Stream(hear), address, int(port), ssl=context)
    _keep_alive(transport.get_extra_info("socket"))
    return stream


def _keep_alive(connection: socket.socket) -> None:
    """Let the system notice within 11 seconds that the other machine is gone, which says nothing."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, seconds in (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 2), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), seconds)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # What we have said and the other has not acknowledged would be sent again for a quarter of an hour first.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 11_000)


def _silent() -> Unavailable:
    return Unavailable("The kernel's host does not answer.", hint="Wait a little, then try again.")


def _decoded(payload: bytes) -> dict[str, Any]:
    value = json.loads(payload)
    assert isinstance(value, dict)
    return value


def _ended(directory: Path) -> str | None:
    done = hosts.ended(directory)
    return None if done is None else str(done["reason"])
