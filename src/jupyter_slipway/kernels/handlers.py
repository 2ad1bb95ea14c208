"""Shared kernels over REST: whose they are, who waits, what was run by whom, and what to do about it."""

from __future__ import annotations

import ast
import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from msgspec import Struct

from jupyter_slipway.db import Database, tables
from jupyter_slipway.decoding import from_json
from jupyter_slipway.errors import Conflict, Forbidden, NotFound, Unavailable, Unprocessable
from jupyter_slipway.events import Changed, Events
from jupyter_slipway.kernels import hosts, rights
from jupyter_slipway.kernels.executions import Executions, binds, estimate, moment, waits
from jupyter_slipway.kernels.host import journal
from jupyter_slipway.kernels.host.folder import Config, Folder
from jupyter_slipway.kernels.host.wire import MESSAGE, Frame, Message
from jupyter_slipway.kernels.link import Link
from jupyter_slipway.kernels.model import (
    Asked,
    Binding,
    Death,
    Execution,
    ExecutionPage,
    FramePage,
    Grant,
    Kernel,
    KernelList,
    NumberedMessage,
    Present,
    Ran,
    Waiting,
)
from jupyter_slipway.kernels.rights import Action, Role
from jupyter_slipway.web import Asker

PAGE = 4 << 20
"""Bytes of an execution's messages in one answer."""
PATIENCE = 3.0
"""Seconds that a kernel may take to say what it knows of a name, and its host to be there for a list."""


class Links(Protocol):
    """Where living kernels are found: a Jupyter server has links to them, a command makes its own."""

    def links(self) -> dict[str, Link]:
        """By kernel."""
        ...


class ExecutionQuery(Struct, frozen=True):
    cell: str = ""
    before: int | None = None
    """`next` of the page before."""
    limit: int = 50


class BindingQuery(Struct, frozen=True):
    """What the kernel itself saw, when it is the one that asks: it cannot be asked while it runs the cell that does."""

    count: int | None = None
    """Of the last execution that bound or changed the name; 0: it saw none. None: the kernel is to be asked."""
    new: bool = False
    """That one bound it."""


class FrameQuery(Struct, frozen=True):
    execution: str
    after: int = 0
    """`next` of the page before."""


class GrantRequest(Struct, frozen=True):
    person: str
    """'*' is everybody who is not named."""
    role: Literal["viewer", "runner", "operator", "owner", ""] = ""
    """'': no longer named."""


class ActionRequest(Struct, frozen=True):
    force: bool = False
    """Also when others are at work on it."""


class Done(Struct, frozen=True):
    message: str


class SharedKernels:
    """The service behind the rows of `api.ENDPOINTS` that speak of kernels."""

    def __init__(self, database: Database, events: Events, home: Path, live: Links) -> None:
        self._database, self._events, self._home, self._live = database, events, home, live
        self.executions = Executions(database)

    async def list_kernels(self, asker: Asker) -> KernelList:
        """Kernels that live, of this machine's home."""
        found = await asyncio.gather(*(self._if_it_lives(link, asker) for link in self._live.links().values()))
        return KernelList(tuple(one for one in found if one is not None and one.role is not None))

    async def get_kernel(self, asker: Asker, kernel: str) -> Kernel:
        """One kernel: its state, who is here, whose turn it is, what it died of."""
        return await self._kernel(await self._link(kernel, asker, "look"), asker)

    async def list_executions(self, asker: Asker, kernel: str, query: ExecutionQuery) -> ExecutionPage:
        """What was run in a kernel and by whom, newest first; also of one that has ended."""
        await self._derive(kernel, asker)
        limit = max(1, min(query.limit, 500))
        return self.executions.page(kernel, cell=query.cell, before=query.before, limit=limit)

    async def cancel_execution(self, asker: Asker, kernel: str, execution: str) -> Done:
        """Take an execution out of the queue."""
        link = await self._link(kernel, asker, "look")
        turn = next((one for one in link.status["turns"] if one["id"] == execution), None)
        if turn is None:
            raise Conflict("It waits no longer.", hint="Look at the queue again.")
        self._must(link, asker, "interrupt", own=turn["person"] == asker.name)
        await link.call("cancel", execution=execution, person=asker.name)
        return Done("It is out of the queue.")

    async def grant(self, asker: Asker, kernel: str, body: GrantRequest) -> Kernel:
        """Let somebody do more, or less."""
        link = await self._link(kernel, asker, "grant")
        if not body.person.strip():
            raise Unprocessable("Nobody is named.", hint="Say a user's name, or '*' for everybody else.")
        await link.call("grant", person=body.person, role=body.role)
        await asyncio.to_thread(self._note_grant, kernel, body, asker)
        self._events.announce(Changed("kernel", kernel))
        return await self._kernel(link, asker)

    async def read_frames(self, asker: Asker, kernel: str, query: FrameQuery) -> FramePage:
        """What an execution said, for a page that missed it."""
        directory = await self._derive(kernel, asker)
        execution = self.executions.get(kernel, query.execution)
        after = max(query.after, execution.first - 1)
        return await _page(self._frames(kernel, directory, after, execution), execution, after)

    async def who(self, asker: Asker, kernel: str, name: str, query: BindingQuery) -> Binding:
        """Which execution, cell and person last bound or changed a name."""
        await self._derive(kernel, asker)
        ran = self.executions.page(kernel, limit=500).items
        link = await self._link(kernel, asker, "look")
        ran = tuple(one for one in ran if one.generation == link.status["generation"] and one.count)
        told = next((one for one in ran if binds(one.code, name)), None)
        seen, note = ({"count": query.count, "new": query.new} if query.count else None), ""
        if query.count is None:
            try:
                seen = await _observed(link, name)
            except Unavailable as error:
                note = f"{error.message} This is read from the code alone."
        if seen is not None and (told is None or seen["count"] > (told.count or 0)):
            by = next((one for one in ran if one.count == seen["count"]), None)
            return Binding(name, by, "bound" if seen["new"] else "changed", True, note)
        if told is None:
            return Binding(name, None, "", False, note or f"No execution that is known binds {name!r}.")
        return Binding(name, told, "bound", seen is not None and seen["count"] == told.count, note)

    async def interrupt_kernel(self, asker: Asker, kernel: str, body: ActionRequest) -> Done:
        """Interrupt what runs."""
        link = await self._link(kernel, asker, "look")
        running = next(iter(link.status["turns"]), None)
        own = running is not None and running["person"] == asker.name
        self._must(link, asker, "interrupt", own=own)
        if running is not None and not own and not body.force:
            raise Conflict(
                f"{running['person']} runs {_named(running)}.", hint="Interrupt it all the same: with force."
            )
        await link.call("interrupt", person=asker.name)
        return Done("It was interrupted." if running else "Nothing was running.")

    async def restart_kernel(self, asker: Asker, kernel: str, body: ActionRequest) -> Done:
        """End the kernel's process and start a new one; all its variables are gone."""
        link = await self._link(kernel, asker, "restart")
        self._nobody_else(link, asker, body, "restart")
        await link.restart(asker.name)
        return Done("It runs again; its variables are gone.")

    async def shutdown_kernel(self, asker: Asker, kernel: str, body: ActionRequest) -> Done:
        """End the kernel for good."""
        link = await self._link(kernel, asker, "shutdown")
        self._nobody_else(link, asker, body, "shut it down")
        await self._derive(kernel, asker)
        await link.call("shutdown", person=asker.name)
        await asyncio.to_thread(self.executions.ended, kernel, f"{asker.name} shut it down.")
        return Done("It has ended.")

    def noticed(self, link: Link) -> None:
        """Something about a kernel is not what it was: what was run is taken into the table, and pages are told.

        Called in a thread.
        """
        about = link.status.get("about") or link.record.about
        self.executions.derive(about, link.directory)
        if link.over:
            self.executions.ended(about["kernel"], link.over)

    # ── looking ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _link(self, kernel: str, asker: Asker, action: Action) -> Link:
        """
        Raises:
            NotFound: no such kernel lives
            Forbidden: the asker may not
            Unavailable: its host has never answered
        """
        link = self._live.links().get(kernel)
        if link is None or link.over:
            directory = hosts.find(self._home, kernel)
            done = hosts.ended(directory) if directory else None
            raise _gone(kernel, done["reason"] if done else link.over if link else "")
        await link.greeted()
        self._must(link, asker, action)
        return link

    def _must(self, link: Link, asker: Asker, action: Action, *, own: bool = False) -> None:
        role, owner = _role(link, asker.name)
        if not rights.decide(role, action, own=own):
            raise Forbidden(rights.refusal(role, action, owner), hint="Ask for the right, or use a kernel of your own.")

    def _nobody_else(self, link: Link, asker: Asker, body: ActionRequest, do: str) -> None:
        """
        Raises:
            Conflict: others are at work, or here; it names them
        """
        if body.force:
            return
        busy = {one["person"] for one in link.status["turns"]} - {asker.name}
        here = set(link.status["people"]) - {asker.name} - busy
        if busy or here:
            said = [f"{_listed(busy)} {'has' if len(busy) == 1 else 'have'} cells in its queue."] if busy else []
            said += [f"{_listed(here)} {'has' if len(here) == 1 else 'have'} it open."] if here else []
            raise Conflict(" ".join(said), hint=f"Ask them first, or {do} all the same: with force.")

    async def _derive(self, kernel: str, asker: Asker) -> Path | None:
        """Take up what was written down of a kernel, alive or ended; its directory.

        Raises:
            NotFound: nothing is known of it
            Forbidden: the asker may not look
        """
        link = self._live.links().get(kernel)
        directory = link.directory if link else hosts.find(self._home, kernel)
        if link is not None:
            await link.ready()
            self._must(link, asker, "look")
        elif directory is None:
            if not await asyncio.to_thread(self._known, kernel, asker):
                raise NotFound(f"There is no kernel {kernel!r}.", hint="`jupyter slipway kernels` lists them.")
            return None
        if link is not None:
            about = link.status["about"]
        else:
            assert directory is not None
            config = Folder(directory).config()
            about = config.about()
            if not rights.decide(_role_in_config(config, asker.name), "look"):
                raise Forbidden(f"You have no part in this kernel: it was {config.owner}'s.")
        assert directory is not None
        await asyncio.to_thread(self.executions.derive, about, directory)
        if link is None:
            done = hosts.ended(directory) or {"reason": "Its host is gone.", "at": None}
            await asyncio.to_thread(self.executions.ended, kernel, done["reason"], done["at"])
        return directory

    def _known(self, kernel: str, asker: Asker) -> bool:
        """Whether it is a kernel of the asker's that was forgotten but for its executions."""
        with self._database.read() as read:
            found = read.execute(tables.kernel.select().where(tables.kernel.c.id == kernel)).mappings().first()
        return found is not None and found["owner"] == asker.name

    async def _frames(
        self, kernel: str, directory: Path | None, after: int, execution: Execution
    ) -> AsyncIterator[Frame]:
        link = self._live.links().get(kernel)
        if link is not None and not link.silent_since:
            async for frame in link.history(after, execution.last or None):
                yield frame
        elif directory is not None:
            for frame in journal.frames(directory / "journal", after, execution.last or None):
                yield frame

    async def _if_it_lives(self, link: Link, asker: Asker) -> Kernel | None:
        try:
            await link.ready(PATIENCE)
            return await self._kernel(link, asker)
        except (NotFound, Unavailable):
            # It ended while the others were asked, or its host hangs: the list of the others is not held up by it.
            return None

    async def _kernel(self, link: Link, asker: Asker) -> Kernel:
        """
        Raises:
            NotFound: it has just ended
            Unavailable: its host does not answer
        """
        try:
            await link.ready()
        except Unavailable as error:
            raise (_gone(link.kernel, link.over) if link.over else error) from None
        status = link.status
        about, turns = status["about"], status["turns"]
        role, owner = _role(link, asker.name)
        durations = await asyncio.to_thread(self.executions.durations, about["kernel"], [one["cell"] for one in turns])
        stopped = status.get("silent_since", 0.0)  # which a host of an older version does not tell
        return Kernel(
            id=about["kernel"],
            spec=about["spec"],
            language=about["language"],
            state=status["state"],
            owner=owner,
            role=role,
            path=about["path"],
            cluster=status["attachment"],
            generation=status["generation"],
            servers=status["servers"],
            people=tuple(
                Present(person, _role(link, person)[0] or "", pages)
                for person, pages in sorted(status["people"].items())
            ),
            queue=_queue(turns, durations, running=status["running"]),
            grants=(*(Grant(*one) for one in sorted(status["grants"].items())), Grant("*", status["everyone"])),
            memory=status["memory"],
            oldest=status["first"],
            latest=status["last"],
            full=status["full"],
            died=_death(status["died"]),
            silent="host" if link.silent_since else "kernel" if stopped else "",
            silent_since=moment(link.silent_since or stopped) if link.silent_since or stopped else None,
            ended=link.over,
        )

    def _note_grant(self, kernel: str, body: GrantRequest, asker: Asker) -> None:
        grant = tables.grant
        mine = (grant.c.kind == "kernel") & (grant.c.object == kernel) & (grant.c.person == body.person)
        with self._database.write() as write:
            write.execute(grant.delete().where(mine))
            values = {"kind": "kernel", "object": kernel, "person": body.person, "role": body.role}
            write.execute(grant.insert().values(**values, given_by=asker.name, given_at=time.time()))


def _queue(turns: list[dict[str, Any]], durations: Mapping[str, list[float]], *, running: bool) -> tuple[Waiting, ...]:
    now = datetime.now(UTC).timestamp()
    estimates = [estimate(durations.get(one["cell"], [])) for one in turns]
    since = now - turns[0]["started_at"] if running and turns else None
    return tuple(
        Waiting(
            execution=one["id"],
            position=position if running else position + 1,
            person=one["person"],
            cell=one["cell"],
            line=one["line"],
            queued_at=moment(one["queued_at"]),
            started_at=moment(one["started_at"]) if one["started_at"] else None,
            estimate=estimates[position],
            wait=wait,
            session=one["session"],
            asks=_asked(one.get("asks")),
        )
        for position, (one, wait) in enumerate(zip(turns, waits(estimates, since), strict=True))
    )


def _asked(content: dict[str, Any] | None) -> Asked | None:
    return Asked(str(content.get("prompt", "")), bool(content.get("password"))) if content else None


def _role(link: Link, person: str) -> tuple[Role | None, str]:
    """The person's role, and the owner."""
    status = link.status
    owner = (status.get("about") or link.record.about)["owner"]
    return rights.role_of(person, owner, status.get("grants", {}), status.get("everyone", "")), owner


def _role_in_config(config: Config, person: str) -> Role | None:
    return rights.role_of(person, config.owner, config.grants, config.everyone)


def _gone(kernel: str, why: str) -> NotFound:
    said = f" It has ended: {why}" if why else ""
    return NotFound(f"There is no kernel {kernel!r}.{said}", hint="Start the notebook's kernel again.")


def _death(died: dict[str, Any] | None) -> Death | None:
    if died is None:
        return None
    ran = died.get("running")
    running = Ran(ran["person"], ran["cell"], ran.get("line", ""), ran["id"]) if ran else None
    return Death(moment(died["at"]), died["reason"], died.get("code"), running)


async def _page(frames: AsyncIterator[Frame], execution: Execution, after: int) -> FramePage:
    items: list[NumberedMessage] = []
    size, lost, place, whole = 0, 0, after, True
    async for frame in frames:
        place = frame.number
        if frame.kind != MESSAGE:
            fact = json.loads(frame.payload)
            lost += fact["last"] - fact["first"] + 1 if fact["fact"] == "gap" else 0
            continue
        said = Message(frame.payload, frame.number)
        if said.channel != "iopub" or said.parent.get("msg_id") != execution.id:
            continue
        items.append(_numbered(said))
        size += len(frame.payload)
        if size > PAGE:
            whole = False
            break
    return FramePage(tuple(items), place, bool(execution.last) and whole, lost)


def _numbered(said: Message) -> NumberedMessage:
    return NumberedMessage(
        number=said.number,
        header=said.header,
        parent_header=said.parent,
        metadata=from_json(said.part(2) or b"{}"),
        content=said.content,
        buffers=tuple(base64.b64encode(one).decode() for one in said.parts[4:]),
        channel=said.channel,
    )


async def _observed(link: Link, name: str) -> dict[str, Any] | None:
    """The last execution that the kernel saw bind or change a name; None: it saw none, or does not look.

    Raises:
        Unavailable: it is busy
    """
    # Needs nothing of ours in the kernel but the notes of `publish/inside/observer.py`, if it takes any.
    expression = (
        "__import__('json').dumps(next(({'count': r['count'], 'new': " + repr(name) + " in r['new']} for r in reversed("
        "getattr(getattr(get_ipython(), '_slipway_observer', None), 'records', [])) if "
        + repr(name)
        + " in (r['changed'] or ()) or "
        + repr(name)
        + " in (r['new'] or ())), None))"
    )
    try:
        reply = await link.call("evaluate", expression=expression, seconds=PATIENCE)
    except Conflict as error:
        raise Unavailable(error.message, hint="Wait for the running cell.") from error
    if not reply:
        return None
    found = json.loads(ast.literal_eval(reply))
    return found if isinstance(found, dict) else None


def _named(turn: Mapping[str, Any]) -> str:
    return f"cell {turn['cell']} ({turn['line'][:60]})" if turn["cell"] else repr(turn["line"][:60])


def _listed(people: set[str]) -> str:
    names = sorted(people)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
