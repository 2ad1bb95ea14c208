"""Cells of shared notebooks, run by the server: what the kernel says goes into the document, with no page open.

Asked by `execute`; hears a kernel as a page of its link would. The only file of kernels that knows
jupyter_server_ydoc's documents and pycrdt. It is the one writer of what it runs: pages only read.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import os
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from jupyter_ydoc.utils import cast_all
from pycrdt import Array, Map, Text
from tornado.web import HTTPError

from jupyter_slipway import hosting
from jupyter_slipway.errors import Conflict, Forbidden, NotFound, SlipwayError, Unavailable, Unprocessable
from jupyter_slipway.kernels.host.wire import MESSAGE, Message, message, new_header
from jupyter_slipway.kernels.link import SERVER, Link
from jupyter_slipway.kernels.model import too_long
from jupyter_slipway.kernels.outputs import Displays, Output, Outputs, take

SESSION = "document/"
"""What sessions of such runs begin with; the room's id follows, so that a server that comes after us finds it."""
PAUSE = 0.03
"""Seconds between two writes: what is printed in between is one change."""
PATIENCE = 2.0
"""Seconds to wait for the source that the person sees: it comes another way than the request."""
MARK = "slipway"
LOOK = 0.02
LOOK_AGAIN = (2.0, 4.0, 7.0, 11.0, 16.0, 22.0, 30.0, 40.0, 60.0)
"""Seconds after a server's start at which what its predecessor's runs show is compared with the document: a page
that comes back brings what it had seen, which may be there twice then."""
QUIET = 0.5
"""Seconds without another change by pages, after which what they have written is looked at."""
KEPT = 300
"""Runs that are remembered after their end, for what changes a display later."""


@dataclass
class Run:
    """One execution of a cell."""

    id: str
    person: str
    room: str
    cell: str
    outputs: Outputs = field(default_factory=Outputs)
    count: int | None = None
    status: str = ""
    """Of its reply; '' before."""
    idle: bool = False
    asks: dict[str, Any] | None = None
    """The content of an `input_request` that is not answered."""
    header: dict[str, Any] = field(default_factory=dict)
    """Of that request."""
    document: Any = None
    """What `written` outputs are in; another when the room was opened anew."""
    written: int = -1
    """Outputs in the document, as it was left; -1: to be compared."""
    last: str = ""
    """The text of its last output as it was written, when that is one that grows."""
    watched: Any = None
    """The document's outputs that are watched for what others do to them; with the subscription."""
    disturbed: bool = False
    """Somebody else has written into them."""
    closed: bool = False
    """Its end stands in the document."""
    done: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    """Its reply's status, when all is written."""

    @property
    def ended(self) -> bool:
        return bool(self.status) and self.idle

    def unwatch(self) -> None:
        if self.watched is not None:
            youtputs, subscription = self.watched
            youtputs.unobserve(subscription)
            self.watched = None


class Documents:
    """
    Args:
        collaboration: jupyter_server_ydoc's extension
    """

    def __init__(self, collaboration: Any, log: logging.Logger) -> None:
        self._collaboration, self._log = collaboration, log
        self._writers: dict[Link, Writer] = {}
        self._closed = False

    async def open(self, room: str) -> Any:
        """The shared notebook of a room, also when no page has it open.

        Raises:
            NotFound: its file is gone
            Unavailable: this server ends
        """
        self._must_be_open()
        found = None
        files = self._collaboration.serverapp.web_app.settings["file_id_manager"]
        if room.count(":") >= 2 and files.get_path(room.split(":", 2)[2]) is not None:
            with suppress(HTTPError):  # its file was deleted
                found = await self._collaboration.get_document(room_id=room, copy=False, create=True)
        if found is None or not hasattr(found, "ycells"):
            raise NotFound(f"There is no shared notebook {room!r}.", hint="Open the notebook again.")
        return found

    async def run(self, link: Link, person: str, room: str, cell: str, source: str | None = None) -> Run:
        """Hand a cell to the kernel; its outputs follow by themselves.

        Args:
            source: what the person sees in it, when that is known

        Raises:
            NotFound: there is no such notebook, or it has no such code cell
            Unavailable: the kernel cannot be reached
        """
        document = await self.open(room)
        until = time.monotonic() + PATIENCE
        while source is not None and str(_cell(document, cell)["source"]) != source and time.monotonic() < until:
            await asyncio.sleep(LOOK)
        return self.writer(link).run(person, room, cell, document)

    def writer(self, link: Link) -> Writer:
        """
        Raises:
            Unavailable: this server ends
        """
        self._must_be_open()
        if link not in self._writers:
            for ended in [one for one in self._writers if one.over]:
                self._writers.pop(ended).close()
            self._writers[link] = Writer(self, link, self._log)
        return self._writers[link]

    async def resume(self, links: Iterable[Link]) -> None:
        """Go on with what servers before this one were writing."""
        for link in links:
            with suppress(SlipwayError):
                await link.ready()
                for session in [one for one in link.sessions if one.startswith(SESSION)]:
                    await self.writer(link).resume(session)

    def _must_be_open(self) -> None:
        if self._closed:
            raise Unavailable("The server is ending.", hint="Run it again when the server is back.")

    async def close(self) -> None:
        """Write nothing more: the kernels' journals hold it for the server that comes next."""
        self._closed = True
        tasks = [writer.close() for writer in self._writers.values()]
        if tasks:
            await asyncio.wait(tasks)


class Writer:
    """A page of a kernel's link that shows its cells in shared notebooks."""

    def __init__(self, documents: Documents, link: Link, log: logging.Logger) -> None:
        self._documents, self._link, self._log = documents, link, log
        self._runs: dict[str, Run] = {}
        self._shows: dict[tuple[str, str], Run] = {}
        """Whose outputs a cell shows: those of its last run."""
        self._displays = Displays()
        self._came: list[Message] = []
        self._dirty: dict[str, Run] = {}
        self._writing = False
        self._seen: dict[str, int] = {}
        self._news = asyncio.Event()
        self._in_order = asyncio.Lock()
        self._soon: set[asyncio.TimerHandle] = set()
        link.pages.add(self)
        self._task = asyncio.ensure_future(self._live())

    def close(self) -> asyncio.Task[None]:
        """What is to be waited for."""
        self._link.pages.discard(self)
        for timer in self._soon:
            timer.cancel()
        self._task.cancel()
        return self._task

    # ── asking ──────────────────────────────────────────────────────────────────────────────────────────────

    def run(self, person: str, room: str, cell: str, document: Any) -> Run:
        """
        Raises:
            NotFound: the notebook has no such code cell
            Unprocessable: it is too long
            Unavailable: the kernel cannot be reached
        """
        ycell = _cell(document, cell)
        if why := too_long(len(str(ycell["source"]))):
            raise Unprocessable(why, hint="Nothing was run.")
        header = new_header("execute_request", SESSION + room) | {"username": person, "cell_id": cell}
        header["server"] = _this_server()
        run = Run(str(header["msg_id"]), person, room, cell)
        content = {"code": str(ycell["source"]), "silent": False, "store_history": True, "user_expressions": {}}
        content |= {"allow_stdin": True, "stop_on_error": True}
        self._link.send(Message(message("shell", header, {}, content, {"cellId": cell, "trusted": True})))
        with document._ydoc.transaction():
            ycell["outputs"].clear()
            # Its person runs it: what it shows may be shown. JupyterLab notes it at the same place.
            ycell["metadata"]["trusted"] = True
            # Says of a text's cell that its outputs are of an earlier source.
            ycell["metadata"].pop(MARK, None)
            # Not the count: on hearing of one, every page takes the cell for ended, and writes so.
            ycell["execution_state"] = "running"
        run.document, run.written = document, 0
        self._add(run)
        return run

    def answer(self, execution: str, person: str, value: str) -> None:
        """What a person typed for an `input()`.

        Raises:
            NotFound: no such run is known here
            Forbidden: it is somebody else's
            Conflict: it asks for nothing
        """
        run = self._runs.get(execution)
        if run is None:
            raise NotFound(f"There is no run {execution!r} here.", hint="Run the cell again.")
        if run.person != person:
            raise Forbidden(f"{run.person} runs this cell: only they may answer it.")
        if run.asks is None:
            raise Conflict("It asks for nothing now.", hint="It was answered on another page.")
        asks, run.asks = run.asks, None
        header = new_header("input_reply", SESSION + run.room) | {"username": person}
        self._link.send(Message(message("stdin", header, run.header, {"status": "ok", "value": value})))
        said = "········" if asks.get("password") else value
        run.outputs.add({"output_type": "stream", "name": "stdin", "text": f"{asks.get('prompt', '')}{said}\n"})
        self._touch(run)

    def _add(self, run: Run) -> None:
        before = self._shows.get((run.room, run.cell))
        if before is not None:
            before.unwatch()
            self._displays.forget(before.outputs)
        self._shows[run.room, run.cell] = self._runs[run.id] = run
        for old in [one for one in self._runs.values() if one.closed][:-KEPT]:
            self._forget(old)

    def _forget(self, run: Run) -> None:
        del self._runs[run.id]
        run.unwatch()
        self._displays.forget(run.outputs)
        if self._shows.get((run.room, run.cell)) is run:
            del self._shows[run.room, run.cell]

    async def resume(self, session: str) -> None:
        """The runs of a session that the server before this one may not have written to their end."""
        unseen = await self._link.call("unseen", session=session)
        unseen = [one for one in unseen if one["id"] not in self._runs and not _lives(one["header"].get("server", ""))]
        if not unseen:
            return
        async with self._in_order:
            for one in unseen:
                room, header = session.removeprefix(SESSION), one["header"]
                self._add(Run(one["id"], header["username"], room, str(header.get("cell_id") or "")))
            # What comes from here on is told to this page already, and waits until the past is read.
            asked = {one["id"] for one in unseen}
            async for frame in self._link.history(min(one["first"] for one in unseen) - 1, self._link.last):
                if frame.kind == MESSAGE:
                    said = Message(frame.payload, frame.number)
                    if said.parent.get("msg_id") in asked:
                        self._take(said)
            for one in unseen:
                self._touch(self._runs[one["id"]])
        loop = asyncio.get_running_loop()
        for delay in LOOK_AGAIN:
            self._soon.add(loop.call_later(delay, self._look_again, [one["id"] for one in unseen]))

    def _look_again(self, runs: list[str]) -> None:
        for run in [self._runs[one] for one in runs if one in self._runs]:
            run.written = -1
            self._touch(run)

    # ── hearing ─────────────────────────────────────────────────────────────────────────────────────────────

    def deliver(self, message: Message) -> None:
        if message.parent.get("msg_id") in self._runs:
            self._came.append(message)
            self._news.set()
        elif message.type == "status" and not message.parent and message.content.get("execution_state") == "dead":
            for run in [one for one in self._runs.values() if not one.closed]:
                run.status, run.idle = run.status or "aborted", True
                self._touch(run)

    def fact(self, number: int, fact: dict[str, Any]) -> None:
        pass

    def broken(self) -> None:
        pass  # the host that comes says what became of each run

    def _touch(self, run: Run) -> None:
        self._dirty[run.id] = run
        self._news.set()

    async def _live(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            async with self._in_order:
                came, self._came = self._came, []
                for said in came:
                    self._take(said)
                dirty, self._dirty = self._dirty, {}
                for run in dirty.values():
                    await self._write(run)
            for session, number in self._seen.items():
                self._link.seen(session, number)
            self._seen.clear()
            await asyncio.sleep(PAUSE)

    def _take(self, said: Message) -> None:
        run = self._runs.get(said.parent.get("msg_id", ""))
        if run is None:
            return
        self._seen[SESSION + run.room] = said.number
        content = said.content
        self._dirty[run.id] = run
        if said.type == "input_request":
            run.asks, run.header = content, said.header
            return
        if said.channel == "iopub":
            for outputs in take(said.type, content, run.outputs, self._displays):
                self._dirty |= {one.id: one for one in self._runs.values() if one.outputs is outputs}
        if said.type == "execute_input":
            run.count = content.get("execution_count")
        elif said.type == "status":
            run.idle = run.idle or content.get("execution_state") == "idle"
        elif said.type == "execute_reply":
            run.status, run.count = content.get("status", "error"), content.get("execution_count") or run.count
            for page in [one for one in content.get("payload") or [] if one.get("source") == "page"]:
                run.outputs.add({"output_type": "display_data", "data": page["data"], "metadata": {}})

    # ── writing ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _write(self, run: Run) -> None:
        """Let the document show what the run has said. Whatever the document is like, the next one is written too."""
        try:
            if self._shows.get((run.room, run.cell)) is run:
                document = await self._documents.open(run.room)
                self._write_into(document, run)
        except NotFound as error:
            # The notebook, or the cell, is gone: so are its outputs.
            self._log.info("%s", error.message)
        except Exception:
            self._log.exception("What a cell shows could not be written into the shared notebook.")
        if run.ended and not run.closed:
            run.closed = True
            run.asks = None
            if not run.done.done():
                run.done.set_result(run.status)

    def _write_into(self, document: Any, run: Run) -> None:
        ycell = _cell(document, run.cell)
        self._watch(run, document, ycell["outputs"])
        self._writing = True
        try:
            with document._ydoc.transaction():
                self._write_cell(ycell, document, run)
        finally:
            self._writing = False

    def _watch(self, run: Run, document: Any, youtputs: Any) -> None:
        """Pages put outputs in anew as they last saw them, as when somebody trusts the notebook: what has been written
        since would be lost, and other pages put what comes in between to the end."""
        if run.watched is not None and run.document is document:
            return
        run.unwatch()

        loop = asyncio.get_running_loop()

        def quiet() -> None:
            self._soon.discard(timers.pop())
            run.disturbed = True
            self._touch(run)

        timers: list[asyncio.TimerHandle] = []

        def changed(*_: Any) -> None:
            if self._writing:
                return
            # A page writes one output after the other: written anew in between, they would be there twice.
            for timer in timers:
                timer.cancel()
                self._soon.discard(timer)
            timers[:] = [loop.call_later(QUIET, quiet)]
            self._soon.update(timers)

        run.watched = youtputs, youtputs.observe_deep(changed)

    def _write_cell(self, ycell: Any, document: Any, run: Run) -> None:
        if run.disturbed:
            run.disturbed = False
            if run.closed and not _are_again(ycell["outputs"].to_py(), run.outputs.items):
                run.unwatch()  # somebody has cleared or changed them, as they may
                return
            del ycell["outputs"][:]
        if run.document is not document or run.written != len(ycell["outputs"]):
            run.document, run.outputs.since = document, _differs(ycell["outputs"], run.outputs.items)
        items = run.outputs.items
        _show(ycell["outputs"], items, run.outputs.since, run.last)
        run.outputs.settle()
        run.written = len(items)
        run.last = items[-1]["text"] if items and items[-1]["output_type"] == "stream" else ""
        if run.ended:
            # In one change: were the count to come first, every page would set the state, all at once.
            _set(ycell, "execution_state", "idle")
            _set(ycell, "execution_count", None if run.status == "aborted" else float(run.count or 0) or None)
        else:
            _set(ycell, "execution_state", "running")


def _cell(document: Any, cell: str) -> Any:
    """
    Raises:
        NotFound: there is no such code cell
    """
    for ycell in document.ycells:
        if ycell.get("id") == cell and ycell.get("cell_type") == "code":
            return ycell
    raise NotFound(f"The notebook has no code cell {cell!r}.", hint="It was deleted; run another.")


def _set(ycell: Any, name: str, value: Any) -> None:
    if ycell.get(name) != value:
        ycell[name] = value


def _show(youtputs: Any, items: list[Output], start: int, ours: str) -> None:
    """Make the document's outputs `items`, of which those before `start` are there already.

    Pages put whatever is inserted at the end: so all behind a changed output is written anew, and a text that
    grows is changed in its place, unless it is another than the one that was written (`ours`): a page that came
    back has brought what it had seen, and shows it where it came.
    """
    if start < min(len(youtputs), len(items)) and _same_stream(youtputs[start], items[start]):
        ytext, text = youtputs[start]["text"], items[start]["text"]
        if (old := str(ytext)) == ours or text.startswith(old):
            _change_text(ytext, old, text)
            start += 1
    if start < len(youtputs):
        del youtputs[start:]
    if start < len(items):
        youtputs.extend([_shared(one) for one in items[start:]])


def _same_stream(youtput: Any, item: Output) -> bool:
    name = item.get("name")
    return item["output_type"] == "stream" and youtput.get("name") == name and isinstance(youtput.get("text"), Text)


def _change_text(ytext: Any, old: str, text: str) -> None:
    if text.startswith(old):
        ytext += text[len(old) :]
        return
    same = _common(old, text)
    # Its places are counted in bytes.
    del ytext[len(old[:same].encode()) :]
    ytext += text[same:]


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _shared(item: Output) -> Any:
    # Yjs knows floating numbers only: a whole one of another kind would be a BigInt in pages.
    values = cast_all(copy.deepcopy(item), int, float)
    if item["output_type"] == "stream":
        values["text"] = Text(item["text"])
    return Map(values)


def _differs(youtputs: Any, items: list[Output]) -> int:
    """The first output that is not in the document as it should be."""
    found = youtputs.to_py() if isinstance(youtputs, Array) else []
    for index, (there, wanted) in enumerate(zip(found, items, strict=False)):
        if cast_all(there, float, int) != cast_all(copy.deepcopy(wanted), float, int):
            return index
    return min(len(found), len(items))


def _are_again(found: list[Output], items: list[Output]) -> bool:
    """Whether what was found is `items` as pages bring them back: all, some twice, some as they were a while before."""

    def known(one: Output) -> bool:
        return any(
            one == item
            or (
                one["output_type"] == item["output_type"] == "stream"
                and one.get("name") == item.get("name")
                and str(item["text"]).startswith(str(one["text"]))
            )
            for item in wanted
        )

    wanted = [cast_all(copy.deepcopy(one), float, int) for one in items]
    return len(found) >= len(items) and all(known(cast_all(one, float, int)) for one in found)


def _this_server() -> str:
    return f"{SERVER}:{hosting.process_start(os.getpid())}"


def _lives(server: str) -> bool:
    """Whether another server of this machine, which calls itself so, still writes for its own pages."""
    host, _, process = server.partition(":")
    number, _, started = process.partition(":")
    if server == _this_server() or host != socket.gethostname() or not number.isdecimal():
        return False
    return hosting.process_start(int(number)) == started
